/**
 * Making a connection: of several addresses the first that answers, then TLS.
 *
 * The race is RFC 8305's: addresses of both kinds in turn, each tried when the one before has failed or has not answered
 * for a while. What loses is closed. Rejected: to leave the race to `Deno.connect()`, which knows it too, but tells only of
 * the last address that failed, and cannot be limited to one kind of address. It does the race where the program may
 * connect to the host only by its name.
 *
 * @module
 */

import type { EventLoop } from "./deno_events.ts";
import {
  type AddressFamily,
  ConnectionAbortedError,
  InvalidData,
  named_error,
  type RawConn,
  shown_address,
} from "./_deno.ts";
import { ExceptionGroup, TimeoutError } from "./exceptions.ts";
import { Future } from "./futures.ts";
import { from_here } from "./_observers.ts";
import type { Purpose } from "./_purpose.ts";
import { secure, type TlsSide } from "./_tls_conn.ts";

/** Where to connect to. */
export type Target =
  | {
    readonly kind: "tcp";
    readonly host: string;
    readonly port: number;
    readonly family: AddressFamily | null;
    /** Seconds until the next address is tried; `null` to wait for the one before to fail. */
    readonly delay: number | null;
    /** How many addresses of the first kind come before one of the other; 0 leaves them in the system's order. */
    readonly interleave: number;
    readonly all_errors: boolean;
  }
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "given"; readonly conn: RawConn };

/** TLS on top, and how long its handshake may take, in seconds. */
export interface Securing {
  readonly side: TlsSide;
  readonly handshake_timeout: number;
}

/**
 * A call that the system works on. To cancel it, or to abort its signal, ends the work; a result that comes all the same,
 * or that nobody got, is disposed of.
 */
export class Attempt<T> extends Future<T> {
  readonly #abort = new AbortController();
  readonly #dispose: (value: T) => void;
  readonly #what: string;

  /**
   * @param timeout Seconds that the work may take, and the text of the error if it takes longer.
   * @param what The work in a few words.
   */
  constructor(
    loop: EventLoop,
    work: (signal: AbortSignal) => Promise<T>,
    dispose: (value: T) => void,
    signal?: AbortSignal,
    timeout: { readonly seconds: number; readonly text: string } | null = null,
    what: string = "call of the system",
  ) {
    super({ loop });
    this.#what = what;
    this.#dispose = dispose;
    const give_up = (error: unknown) => {
      if (this.done()) return;
      this._finish(undefined, error, false);
      this.#abort.abort();
    };
    const on_abort = () => give_up(signal!.reason ?? new DOMException("The signal has been aborted", "AbortError"));
    if (signal?.aborted) on_abort();
    else signal?.addEventListener("abort", on_abort, { once: true });
    const timer = timeout === null
      ? null
      : loop._call_later(timeout.seconds, () => give_up(new TimeoutError(timeout.text)));
    const end = () => {
      signal?.removeEventListener("abort", on_abort);
      timer?.cancel();
    };
    const done = (value: T) => {
      end();
      if (this.done()) dispose(value);
      else this._finish(value, undefined, false);
    };
    const failed = (error: unknown) => {
      end();
      if (!this.done()) this._finish(undefined, error, false);
    };
    if (this.done()) end();
    else this.#abort.signal.addEventListener("abort", end, { once: true });
    from_here(() => work(this.#abort.signal)).then(
      (value) => loop._deliver(done, value),
      (error) => loop._deliver(failed, error),
    );
  }

  override cancel(message?: string): boolean {
    if (!super.cancel(message)) return false;
    this.#abort.abort();
    return true;
  }

  override get _purpose(): Purpose {
    return { call: this.#what, external: true };
  }

  override _lose(): void {
    if (!this.cancelled() && this._error === undefined) this.#dispose(this.result());
  }
}

/** Connects, and makes the connection secure; if `signal` aborts, nothing stays open. */
export async function connect(
  loop: EventLoop,
  target: Target,
  securing: Securing | null,
  signal: AbortSignal,
): Promise<RawConn> {
  if (target.kind !== "given") signal.throwIfAborted();
  const conn = await reach(loop, target, signal);
  if (signal.aborted) {
    conn.close();
    throw signal.reason;
  }
  if (securing === null) return conn;
  try {
    return await shake_hands(loop, conn, securing, signal);
  } catch (error) {
    throw error instanceof InvalidData ? named_error(error, `Cannot connect to ${where_of(target)}`) : error;
  }
}

/** A target in a text. */
export function where_of(target: Target): string {
  if (target.kind === "tcp") return shown_address(target.host, target.port);
  return target.kind === "unix" ? target.path : "the given connection's peer";
}

function reach(loop: EventLoop, target: Target, signal: AbortSignal): Promise<RawConn> {
  switch (target.kind) {
    case "tcp":
      return reach_host(loop, target, signal);
    case "unix":
      return loop._network.connect_unix(target.path, signal);
    case "given":
      return Promise.resolve(target.conn);
  }
}

async function reach_host(
  loop: EventLoop,
  target: Target & { readonly kind: "tcp" },
  signal: AbortSignal,
): Promise<RawConn> {
  const { host, port, family, delay, interleave, all_errors } = target;
  const network = loop._network;
  const where = shown_address(host, port);
  const found = await network.resolve(host, port, family).catch((error) => {
    throw named_error(error, `Cannot connect to ${where}`);
  });
  signal.throwIfAborted();
  if (found === null || (found.length === 1 && !all_errors)) {
    return await network.connect_tcp(found?.[0] ?? host, port, signal);
  }
  const addresses = interleave > 0 ? interleaved(found, interleave) : found;
  const attempt = (address: string, signal: AbortSignal) => network.connect_tcp(address, port, signal);
  const errors: unknown[] = [];
  const conn = await race(loop, addresses, delay, attempt, (conn) => conn.close(), errors, signal);
  if (conn !== null) return conn;
  if (all_errors) throw new ExceptionGroup("create_connection failed", errors);
  throw combined(errors, where);
}

/** Addresses of both kinds in turn, after so many of the kind that the system prefers. */
export function interleaved(addresses: readonly string[], first_count: number): string[] {
  const is_ipv6 = (address: string) => address.includes(":");
  const preferred = addresses.filter((each) => is_ipv6(each) === is_ipv6(addresses[0]));
  const other = addresses.filter((each) => is_ipv6(each) !== is_ipv6(addresses[0]));
  const mixed = preferred.splice(0, first_count - 1);
  while (preferred.length > 0 || other.length > 0) {
    if (preferred.length > 0) mixed.push(preferred.shift()!);
    if (other.length > 0) mixed.push(other.shift()!);
  }
  return mixed;
}

/**
 * The first that succeeds; the others are aborted. The next starts when the last one started has failed, or after `delay`
 * seconds. `null` if all failed; `errors` then has why, in the order of the addresses.
 *
 * @param dispose Gets what succeeds too late to see that it was aborted, as when the system tells of two in one turn.
 */
export function race<A, T>(
  loop: EventLoop,
  addresses: readonly A[],
  delay: number | null,
  attempt: (address: A, signal: AbortSignal) => Promise<T>,
  dispose: (value: T) => void,
  errors: unknown[],
  signal: AbortSignal,
): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const attempts: AbortController[] = [];
    let running = 0;
    let timer: { cancel(): void } | null = null;
    let over = false;
    const finish = (winner: number | null, end: () => void) => {
      over = true;
      timer?.cancel();
      signal.removeEventListener("abort", on_abort);
      attempts.forEach((each, index) =>
        index === winner || each.abort(new ConnectionAbortedError("Another was faster"))
      );
      end();
    };
    const on_abort = () => {
      for (const each of attempts) each.abort(signal.reason);
      finish(null, () => reject(signal.reason));
    };
    const start = () => {
      timer?.cancel();
      const index = attempts.length;
      const controller = new AbortController();
      attempts.push(controller);
      running++;
      attempt(addresses[index], controller.signal).then(
        (value) => over ? dispose(value) : finish(index, () => resolve(value)),
        (error) => {
          if (over) return;
          errors[index] = error;
          running--;
          if (index === attempts.length - 1 && attempts.length < addresses.length) start();
          else if (running === 0 && attempts.length === addresses.length) finish(null, () => resolve(null));
        },
      );
      timer = delay === null || attempts.length === addresses.length ? null : loop._call_later(delay, start);
    };
    signal.addEventListener("abort", on_abort, { once: true });
    start();
  });
}

/** One error for all addresses: what the last one failed with, as in Deno, with the text of each. */
function combined(errors: readonly unknown[], where: string): unknown {
  const last = errors.at(-1);
  if (errors.length === 1 || !(last instanceof Error)) return last;
  const texts = errors.map((error) =>
    error instanceof Error ? error.message.replace(/^Cannot connect to /, "") : error
  );
  const constructor = last.constructor as new (message: string, options: ErrorOptions) => Error;
  const cause = new AggregateError(errors, `All addresses of ${where} failed`);
  const error = new constructor(`Cannot connect to ${where}: Multiple exceptions: ${texts.join(", ")}`, { cause });
  const { code } = last as { code?: unknown };
  return code === undefined ? error : Object.assign(error, { code });
}

/** A handshake with a time limit. The connection is closed if it fails. */
export async function shake_hands(
  loop: EventLoop,
  conn: RawConn,
  { side, handshake_timeout }: Securing,
  signal: AbortSignal,
  early: Promise<Uint8Array | null> | null = null,
): Promise<RawConn> {
  const limit = new AbortController();
  const on_abort = () => limit.abort(signal.reason);
  signal.addEventListener("abort", on_abort, { once: true });
  const text = `SSL handshake is taking longer than ${handshake_timeout} seconds: aborting the connection`;
  const timer = handshake_timeout === Infinity
    ? null
    : loop._call_later(handshake_timeout, () => limit.abort(new ConnectionAbortedError(text)));
  try {
    const securing = secure(conn, side, limit.signal, early);
    // What it reads is known to the loop, what it reckons in between is not.
    loop._outside?.perhaps_during(securing);
    return await securing;
  } finally {
    timer?.cancel();
    signal.removeEventListener("abort", on_abort);
  }
}
