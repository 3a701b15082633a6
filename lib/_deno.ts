/**
 * What the library uses of Deno's network and processes: types and error classes, for the rooms that do not call Deno themselves.
 *
 * @module
 */

/** An address as Deno gives it. */
export type Address = Deno.Addr;

/**
 * A connection that bytes go through: a `Deno.Conn`, or anything that behaves like one.
 *
 * Whoever gives it to the library gives it away: it is closed with the stream over it.
 */
export interface RawConn extends Pick<Deno.Conn, "read" | "write" | "closeWrite" | "close"> {
  /** This side's address; `null` if it is no socket. */
  readonly localAddr: Address | null;
  /** The peer's address; `null` if it is no socket. */
  readonly remoteAddr: Address | null;
  /**
   * Ends the connection as its protocol has it, before `close()` frees it. If it fails, something was lost.
   *
   * @returns A promise; `close()` may come before it is done.
   */
  goodbye?(): Promise<void>;
  /**
   * What more is known of it.
   *
   * @param name The key, as of `get_extra_info()`.
   * @returns The value; `undefined` for an unknown key.
   */
  get_extra_info?(name: string): unknown;
}

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

/**
 * A kind of address: IPv4 or IPv6.
 */
export type AddressFamily = "AF_INET" | "AF_INET6";

/** An address that datagrams come from and go to. */
export type DatagramAddress = readonly [host: string, port: number];

/**
 * A socket for datagrams.
 *
 * @internal
 */
export interface RawDatagramSocket {
  readonly localAddr: Address;
  /** What reports of every datagram that comes, and of every failure to receive one; set in the turn of its making. */
  on_datagram: (data: Uint8Array<ArrayBuffer>, addr: DatagramAddress) => void;
  on_error: (error: unknown) => void;
  /** What more is known of it; `undefined` for an unknown key. */
  get_extra_info(name: string): unknown;
  /** Sends one datagram. Of two that are under way at a time, the second may be the first to leave. */
  send(data: Uint8Array, addr: DatagramAddress): Promise<void>;
  close(): void;
}

/**
 * What the library asks of the system's network; a loop has one.
 *
 * @internal
 */
export interface Network {
  /** The addresses of a host, in the order of the system's preference; `null` where it may only be used by its name. */
  resolve(host: string, port: number, family: AddressFamily | null): Promise<readonly string[] | null>;
  /** Connects over TCP; when `signal` aborts, nothing stays open. */
  connect_tcp(host: string, port: number, signal: AbortSignal): Promise<RawConn>;
  /** Connects to a unix socket; when `signal` aborts, nothing stays open. */
  connect_unix(path: string, signal: AbortSignal): Promise<RawConn>;
  /** Listens on a TCP port; `null` is all of the machine's addresses. */
  listen_tcp(host: string | null, port: number, backlog: number, reuse_port: boolean): RawListener;
  /** Listens on a unix socket; a socket file that nobody listens on any more is replaced. */
  listen_unix(path: string): Promise<RawListener>;
  /**
   * Makes a socket for datagrams at an address of this machine. `remote`, if there is one, is checked to be permitted, so
   * that it is not the first datagram that fails.
   */
  bind_datagram(
    local: DatagramAddress,
    remote: DatagramAddress | null,
    allow_broadcast: boolean,
  ): Promise<RawDatagramSocket>;
  /** The addresses of a host, whether they may be connected to or not; an address is its own. */
  look_up(host: string): Promise<readonly string[]>;
  /** The names of an address and of the service at a port; `null` if the address has none. */
  name_of(address: string, port: number): Promise<readonly [host: string, service: string] | null>;
  /** Standard input and output in one. */
  stdio(): RawConn;
}

/**
 * The name of a signal, such as `"SIGTERM"`.
 */
export type Signal = Deno.Signal;

/**
 * A program that runs beside this one, as Deno has it.
 */
export type ChildProcess = Deno.ChildProcess;

/**
 * What a program's standard stream is: a pipe to this process, this process's own, nothing, or an open file.
 *
 * @internal
 */
export type RawStdio = "piped" | "inherit" | "null" | number;

/**
 * A program to be started, and how.
 *
 * @internal
 */
export interface SpawnPlan {
  /** What to run: a program and its arguments, or the text of a command for the system's shell. */
  readonly command: { readonly program: string | URL; readonly args: readonly string[] } | { readonly shell: string };
  readonly stdin: RawStdio;
  readonly stdout: RawStdio;
  /** "stdout" is the very pipe, file or stream that standard output is. */
  readonly stderr: RawStdio | "stdout";
  readonly cwd: string | URL | undefined;
  /** The whole environment; left out, it is this process's own. */
  readonly env: Readonly<Record<string, string>> | undefined;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  /** In a session of its own, so that Ctrl-C does not reach it. */
  readonly new_session: boolean;
}

/**
 * What the library uses of a `Deno.ChildProcess`.
 *
 * @internal
 */
export interface RawProcess {
  readonly pid: number;
  /** Deno's own object; whoever spawned it has its streams. */
  readonly child: ChildProcess;
  /** To be closed by whoever spawned it, as are the other two. */
  readonly stdin: RawConn | null;
  readonly stdout: ReadableStream<Uint8Array> | null;
  readonly stderr: ReadableStream<Uint8Array> | null;
  /** Its exit code; below 0 the number of the signal that ended it. It does not wait for the pipes. */
  readonly ended: Promise<number>;
  /** Sends a signal; nothing once the process has ended. */
  kill(signal: Signal): void;
}

/**
 * What the library asks of the system's processes; a loop has one.
 *
 * @internal
 */
export interface Processes {
  /** Starts a program; when `signal` aborts before it runs, nothing is left of it. */
  spawn(plan: SpawnPlan, signal: AbortSignal): Promise<RawProcess>;
  /** Calls `fn` on every such signal, instead of what it would do; gives a function that ends that. */
  on_signal(signal: Signal, fn: () => void): () => void;
}

/**
 * The peer refused the connection: nobody listens there. It is `Deno.errors.ConnectionRefused`.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const server = await asyncio.start_server(() => {}, "127.0.0.1", 0);
 * const [host, port] = server.sockets[0].getsockname() as [string, number];
 * server.close();
 * try {
 *   await asyncio.open_connection(host, port);
 * } catch (error) {
 *   console.log(error instanceof asyncio.ConnectionRefusedError); // true
 * }
 * ```
 */
export const ConnectionRefusedError: typeof Deno.errors.ConnectionRefused = Deno.errors.ConnectionRefused;
/**
 * The peer broke the connection. It is `Deno.errors.ConnectionReset`.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await using pair = asyncio.testing.memory_pair();
 * pair.reset("server");
 * try {
 *   await pair.client[0].read();
 * } catch (error) {
 *   console.log(error instanceof asyncio.ConnectionResetError); // true
 * }
 * ```
 */
export const ConnectionResetError: typeof Deno.errors.ConnectionReset = Deno.errors.ConnectionReset;
/**
 * The connection was given up on this side. It is `Deno.errors.ConnectionAborted`.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * // A server that does not answer the handshake.
 * await using server = await asyncio.start_server(async (reader) => {
 *   await reader.read();
 * }, "127.0.0.1", 0);
 * const [host, port] = server.sockets[0].getsockname() as [string, number];
 * try {
 *   await asyncio.open_connection(host, port, { ssl: true, ssl_handshake_timeout: 0.05 });
 * } catch (error) {
 *   console.log(error instanceof asyncio.ConnectionAbortedError); // true
 * }
 * ```
 */
export const ConnectionAbortedError: typeof Deno.errors.ConnectionAborted = Deno.errors.ConnectionAborted;
/**
 * The peer no longer reads. It is `Deno.errors.BrokenPipe`.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await using pair = asyncio.testing.memory_pair();
 * pair.reset("server");
 * try {
 *   await pair.client[1].send("to nobody");
 * } catch (error) {
 *   console.log(error instanceof asyncio.BrokenPipeError); // true
 * }
 * ```
 */
export const BrokenPipeError: typeof Deno.errors.BrokenPipe = Deno.errors.BrokenPipe;

/** The address is taken: somebody listens there. */
export const AddrInUse: typeof Deno.errors.AddrInUse = Deno.errors.AddrInUse;
/** There is no such file. */
export const NotFound: typeof Deno.errors.NotFound = Deno.errors.NotFound;

/** What came is not what the protocol allows, or a certificate was not accepted. */
export const InvalidData: typeof Deno.errors.InvalidData = Deno.errors.InvalidData;
/** The stream ended where the protocol does not allow it. */
export const UnexpectedEof: typeof Deno.errors.UnexpectedEof = Deno.errors.UnexpectedEof;
/** An operation was ended by the close of its own connection. */
export const InterruptedError: typeof Deno.errors.Interrupted = Deno.errors.Interrupted;
/** An operation on a connection that this side has closed. */
export const BadResourceError: typeof Deno.errors.BadResource = Deno.errors.BadResource;
/** The system has no such thing. */
export const NotSupported: typeof Deno.errors.NotSupported = Deno.errors.NotSupported;

/** Whether an error is of one of Deno's own classes. */
export function is_deno_error(error: unknown): boolean {
  return error instanceof Error && Object.hasOwn(Deno.errors, error.constructor.name);
}

/** Whether an error is what an operation ends with because its own side closed the connection. */
export function is_own_close(error: unknown): boolean {
  return error instanceof Deno.errors.Interrupted || error instanceof Deno.errors.BadResource;
}

/**
 * The same error with more in its text: Deno's class and code, so that `instanceof` works as a Deno user writes it. A
 * missing permission is passed through as it is; its text says which flag to give.
 */
export function named_error(error: unknown, what: string): unknown {
  if (!(error instanceof Error) || error instanceof Deno.errors.NotCapable) return error;
  const constructor = error.constructor as new (message: string, options: ErrorOptions) => Error;
  const renamed = new constructor(`${what}: ${error.message}`, { cause: error });
  const code = (error as { code?: unknown }).code;
  if (code !== undefined) Object.assign(renamed, { code });
  return renamed;
}

/** The system's error for a name that it does not know, under its code. */
export function name_error(
  code: "EAI_NONAME" | "EAI_ADDRFAMILY" | "EAI_SERVICE",
  text: string,
  cause?: unknown,
): Error {
  return Object.assign(new Error(text, cause === undefined ? undefined : { cause }), { code });
}

/** Whether a text is an address, and no name. */
export function is_address(host: string): boolean {
  if (host.includes(":")) return URL.canParse(`udp://[${host.replace(/%.*$/, "")}]`);
  const parts = host.split(".");
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256);
}

/** The kind of an address. */
export function family_of(address: string): AddressFamily {
  return address.includes(":") ? "AF_INET6" : "AF_INET";
}

/** An address in a text. */
export function shown_address(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
