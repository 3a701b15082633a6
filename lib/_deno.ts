/**
 * Deno's types and error classes, for the rooms that do not call Deno themselves.
 *
 * @module
 */

/** An address as Deno gives it. */
export type Address = Deno.Addr;

/** What the library uses of a `Deno.Conn`. */
export type RawConn = Pick<Deno.Conn, "read" | "write" | "closeWrite" | "close" | "localAddr" | "remoteAddr">;

/**
 * What the library uses of a `Deno.Listener`.
 *
 * @internal
 */
export interface RawListener {
  readonly addr: Address;
  accept(): Promise<RawConn>;
  close(): void;
}

/** The peer refused the connection: nobody listens there. It is `Deno.errors.ConnectionRefused`. */
export const ConnectionRefusedError: typeof Deno.errors.ConnectionRefused = Deno.errors.ConnectionRefused;
/** The peer broke the connection. It is `Deno.errors.ConnectionReset`. */
export const ConnectionResetError: typeof Deno.errors.ConnectionReset = Deno.errors.ConnectionReset;
/** The connection was given up on this side. It is `Deno.errors.ConnectionAborted`. */
export const ConnectionAbortedError: typeof Deno.errors.ConnectionAborted = Deno.errors.ConnectionAborted;
/** The peer no longer reads. It is `Deno.errors.BrokenPipe`. */
export const BrokenPipeError: typeof Deno.errors.BrokenPipe = Deno.errors.BrokenPipe;

/** Whether an error is what an operation ends with because its own side closed the connection. */
export function is_own_close(error: unknown): boolean {
  return error instanceof Deno.errors.Interrupted || error instanceof Deno.errors.BadResource;
}
