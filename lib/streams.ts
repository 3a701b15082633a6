/**
 * TCP connections as a reader and a writer.
 *
 * @module
 */

import type { EventLoop } from "./base_events.ts";
import { current_loop } from "./_context.ts";
import { DEFAULT_BACKLOG, DEFAULT_LIMIT, INSPECT } from "./constants.ts";
import type { RawConn } from "./_deno.ts";
import { check_callable, check_number, check_options, shown } from "./exceptions.ts";
import { Call, Future } from "./futures.ts";
import { Server } from "./servers.ts";
import { StreamReader } from "./stream_reader.ts";
import { type ExtraInfo, Transport } from "./transports.ts";

/**
 * The writing end of a stream.
 *
 * Whoever has it closes it, with `close()` and `wait_closed()` or with `await using`; that closes the connection, the
 * reader's end included.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * async function send(writer: asyncio.StreamWriter) {
 *   writer.write("hello\n");
 *   await writer.drain();
 *   writer.close();
 *   await writer.wait_closed();
 * }
 *
 * await using server = await asyncio.start_server((_reader, writer) => send(writer), "127.0.0.1", 0);
 * const [host, port] = server.sockets[0].getsockname() as [string, number];
 * const [reader, writer] = await asyncio.open_connection(host, port);
 * console.log(new TextDecoder().decode(await reader.readline())); // hello
 * writer.close();
 * await writer.wait_closed();
 * ```
 */
export class StreamWriter {
  readonly #transport: Transport;
  readonly #reader: StreamReader | null;
  readonly #loop: EventLoop;

  /**
   * Made by `open_connection()` and `start_server()`.
   *
   * @internal
   */
  constructor(transport: Transport, reader: StreamReader | null, loop: EventLoop) {
    this.#transport = transport;
    this.#reader = reader;
    this.#loop = loop;
  }

  /** What carries the bytes; it has the write buffer and its limits. */
  get transport(): Transport {
    return this.#transport;
  }

  /**
   * Has bytes sent. It never waits: what the connection does not take at once is buffered without bound, so follow it
   * with `drain()`. The bytes are copied, so the array may be changed afterwards.
   *
   * After `close()`, and after the connection broke, they are dropped; `drain()` tells of the latter.
   *
   * @param data The bytes, or a string, which is sent as UTF-8.
   * @throws {TypeError} If `data` is neither.
   * @throws {RuntimeError} After `write_eof()`.
   */
  write(data: Uint8Array | string): void {
    this.#transport.write(data);
  }

  /**
   * Has several pieces sent, as one `write()` of all would.
   *
   * @param list The pieces.
   * @throws {TypeError} If one of them is neither bytes nor a string; the ones before it are sent.
   */
  writelines(list: Iterable<Uint8Array | string>): void {
    this.#transport.writelines(list);
  }

  /**
   * Waits until it is time to write more.
   *
   * It first offers all that is buffered to the kernel. If more than the high-water mark (64 KiB) is left, it waits until
   * no more than the low-water mark (16 KiB) is. So to a peer that reads, everything is on its way afterwards; it does not
   * mean that the peer has it.
   *
   * @returns A future; to cancel it loses nothing.
   * @throws The connection's error, if it broke.
   * @throws {ConnectionResetError} If it was closed.
   */
  drain(): Future<void> {
    const error = this.#reader?.exception() ?? null;
    if (error === null) return this.#transport._drain();
    const failed = new Future<void>({ loop: this.#loop });
    failed.set_exception(error);
    return failed;
  }

  /** Tells the peer that nothing more will come, once all has left. Reading goes on. Doing it again does nothing. */
  write_eof(): void {
    this.#transport.write_eof();
  }

  /**
   * Tells whether `write_eof()` works here.
   *
   * @returns True.
   */
  can_write_eof(): boolean {
    return this.#transport.can_write_eof();
  }

  /** Closes the connection once all that was written has left. Closing again does nothing. */
  close(): void {
    this.#transport.close();
  }

  /**
   * Tells whether the connection is closed, or about to be.
   *
   * @returns True after `close()`.
   */
  is_closing(): boolean {
    return this.#transport.is_closing();
  }

  /**
   * Waits until the connection is closed, by `close()` or because the peer broke it. It can be called often, and before
   * `close()`; to notice the peer, the reader then reads ahead within its limit.
   *
   * To a peer that does not read, bytes that were written may never leave: put a timeout around it, then
   * `transport.abort()`.
   *
   * Differs from asyncio: it does not fail if the peer went away after everything had been handed over.
   *
   * @returns A future.
   * @throws The connection's error, if it kept something that was written from being sent.
   */
  wait_closed(): Future<void> {
    const closed = this.#transport._wait_closed();
    const transport = this.#transport;
    if (transport._end_is_awaited) this.#reader?._watch(() => transport._end_is_awaited);
    return closed;
  }

  /**
   * What is known of the connection.
   *
   * @param name `"peername"`, `"sockname"`, `"socket"` or `"conn"`.
   * @returns The value.
   */
  get_extra_info<K extends keyof ExtraInfo>(name: K, fallback?: unknown): ExtraInfo[K];
  /**
   * What is known of the connection.
   *
   * @param name Any name.
   * @param fallback What to return for an unknown name.
   * @returns The value, or the fallback; `null` if there is none.
   */
  get_extra_info(name: string, fallback?: unknown): unknown;
  get_extra_info(name: string, fallback: unknown = null): unknown {
    return this.#transport.get_extra_info(name, fallback);
  }

  /** Closes the connection at the end of an `await using` block, and waits until it is closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.wait_closed();
  }

  /** @ignore */
  [INSPECT](): string {
    const info = this.#transport;
    return `<StreamWriter ${info.is_closing() ? "closing" : "open"} to ${String(info.get_extra_info("peername"))}>`;
  }
}

/**
 * Options of `open_connection()`.
 */
export interface OpenConnectionOptions {
  /**
   * How many bytes the reader's search for a separator may look through.
   *
   * @default 65536
   */
  readonly limit?: number;
  /** Ends the attempt when it aborts, with its reason; it has no effect on a connection that was made. */
  readonly signal?: AbortSignal;
}

/** `open_connection()`: cancelled, it ends the attempt, and closes a connection that was made all the same. */
class Connecting extends Future<[StreamReader, StreamWriter]> {
  readonly #attempt = new AbortController();

  constructor(loop: EventLoop, host: string, port: number, limit: number, signal: AbortSignal | undefined) {
    super({ loop });
    const on_abort = () => {
      if (this.done()) return;
      this.set_exception(signal!.reason ?? new DOMException("The signal has been aborted", "AbortError"));
      this.#attempt.abort();
    };
    if (signal?.aborted) {
      on_abort();
      return;
    }
    signal?.addEventListener("abort", on_abort, { once: true });
    const made = (conn: RawConn) => {
      signal?.removeEventListener("abort", on_abort);
      if (this.done()) conn.close();
      else this.set_result(make_streams(new Transport(loop, conn), limit, loop));
    };
    const failed = (error: unknown) => {
      signal?.removeEventListener("abort", on_abort);
      if (!this.done()) this.set_exception(error);
    };
    loop._connect_tcp(host, port, this.#attempt.signal).then(
      (conn) => loop._deliver(made, conn),
      (error) => loop._deliver(failed, error),
    );
  }

  override cancel(message?: string): boolean {
    if (!super.cancel(message)) return false;
    this.#attempt.abort();
    return true;
  }

  override _lose(): void {
    if (!this.cancelled() && this._error === undefined) this.result()[1].transport.abort();
  }
}

function make_streams(transport: Transport, limit: number, loop: EventLoop): [StreamReader, StreamWriter] {
  const reader = new StreamReader({ limit, loop });
  reader._set_source(transport);
  return [reader, new StreamWriter(transport, reader, loop)];
}

/**
 * Connects over TCP.
 *
 * Whoever gets the writer closes it. Small writes leave at once (TCP_NODELAY is set). If the call is cancelled or its
 * signal aborts, nothing stays open.
 *
 * @param host A name or an address; `null` is this machine.
 * @param port 1 to 65535.
 * @param options The reader's limit, and a signal.
 * @returns A future of a reader and a writer.
 * @throws {TypeError} If an argument has the wrong type, or an option is unknown.
 * @throws {RangeError} If `port` or `limit` is out of range.
 * @throws {ConnectionRefusedError} If nobody listens there; and Deno's other errors, each with the address in its text.
 * @throws {Deno.errors.NotCapable} Without `--allow-net` for the address.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await using server = await asyncio.start_server(async (reader, writer) => {
 *   writer.write(await reader.read(100));
 * }, "127.0.0.1", 0);
 * const [host, port] = server.sockets[0].getsockname() as [string, number];
 *
 * const [reader, writer] = await asyncio.open_connection(host, port);
 * writer.write("ping");
 * await writer.drain();
 * console.log(new TextDecoder().decode(await reader.read(100))); // ping
 * writer.close();
 * await writer.wait_closed();
 * ```
 */
export function open_connection(
  host: string | null,
  port: number,
  options: OpenConnectionOptions = {},
): Future<[StreamReader, StreamWriter]> {
  check_host(host);
  if (host === "") throw new RangeError('"host" must not be empty');
  check_port(port, 1);
  check_options(options, ["limit", "signal"]);
  const limit = options.limit ?? DEFAULT_LIMIT;
  check_limit(limit);
  if (options.signal !== undefined && !(options.signal instanceof AbortSignal)) {
    throw new TypeError(`"signal" must be an AbortSignal, got ${shown(options.signal)}`);
  }
  return new Connecting(current_loop(), host ?? "localhost", port, limit, options.signal);
}

/**
 * What a server calls for each connection.
 *
 * An async one runs as a task; when it ends, what it left open is flushed and closed. A plain one leaves the connection to
 * whoever it gave it to. One that throws closes it, and the error goes to the loop's exception handler.
 *
 * @param reader What the client sends.
 * @param writer What goes to the client.
 */
export type ClientConnectedCallback = (reader: StreamReader, writer: StreamWriter) => unknown;

/**
 * Options of `start_server()`.
 */
export interface StartServerOptions {
  /**
   * How many bytes a search for a separator may look through, in each connection's reader.
   *
   * @default 65536
   */
  readonly limit?: number;
  /**
   * How many connections the kernel queues before they are accepted.
   *
   * @default 100
   */
  readonly backlog?: number;
  /**
   * Accepts connections at once; otherwise `start_serving()` or `serve_forever()` begins.
   *
   * @default true
   */
  readonly start_serving?: boolean;
}

/**
 * Listens on a TCP port, and calls a function for each connection.
 *
 * Whoever gets the server closes it. While a handler runs, the connection is its own; see `ClientConnectedCallback` for
 * what happens when it ends.
 *
 * Differs from asyncio: when an async handler ends, its connection is closed.
 *
 * @param client_connected_cb Called with a reader and a writer.
 * @param host A name or an address, or a list of them; `null` and `""` are all of this machine's.
 * @param port 0 to 65535; 0 takes a free one, which `server.sockets` tells.
 * @param options The readers' limit, the backlog, and whether to accept at once.
 * @returns A future of the server.
 * @throws {TypeError} If an argument has the wrong type, or an option is unknown.
 * @throws {RangeError} If `port`, `limit` or `backlog` is out of range.
 * @throws {Deno.errors.AddrInUse} If the port is taken.
 * @throws {Deno.errors.NotCapable} Without `--allow-net` for the address.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const server = await asyncio.start_server(async (reader, writer) => {
 *   for await (const line of reader) writer.write(line);
 * }, "127.0.0.1", 0);
 * console.log(server.sockets[0].getsockname());
 * server.close();
 * await server.wait_closed();
 * ```
 */
export function start_server(
  client_connected_cb: ClientConnectedCallback,
  host: string | readonly string[] | null,
  port: number,
  options: StartServerOptions = {},
): Future<Server> {
  check_callable("client_connected_cb", client_connected_cb);
  for (const each of Array.isArray(host) ? host : [host]) check_host(each);
  if (Array.isArray(host) && host.length === 0) throw new RangeError('"host" must name an address: the list is empty');
  check_port(port, 0);
  check_options(options, ["limit", "backlog", "start_serving"]);
  const limit = options.limit ?? DEFAULT_LIMIT;
  const backlog = options.backlog ?? DEFAULT_BACKLOG;
  check_limit(limit);
  if (options.start_serving !== undefined && typeof options.start_serving !== "boolean") {
    throw new TypeError(`"start_serving" must be a boolean, got ${shown(options.start_serving)}`);
  }
  check_number("backlog", backlog);
  if (!Number.isInteger(backlog) || backlog < 1) throw new RangeError(`"backlog" must be 1 or more, got ${backlog}`);
  const loop = current_loop();
  return new Call(async () => {
    const hosts = Array.isArray(host) ? host as readonly string[] : [host as string | null];
    const listeners = loop._listen_tcp(hosts.map((each) => each || null), port, backlog);
    const server = new Server(loop, listeners, (transport) => handle(client_connected_cb, transport, limit, loop));
    try {
      if (options.start_serving ?? true) await server.start_serving();
    } catch (error) {
      server.close();
      throw error;
    }
    return server;
  });
}

/** Runs a client callback, and sees to the connection when it ends. */
function handle(callback: ClientConnectedCallback, transport: Transport, limit: number, loop: EventLoop): void {
  const [reader, writer] = make_streams(transport, limit, loop);
  let is_async = false;
  const task = loop.create_task(async () => {
    const result = callback(reader, writer);
    is_async = typeof (result as PromiseLike<unknown> | null | undefined)?.then === "function";
    await result;
  });
  task._on_done(() => {
    if (task.cancelled()) return transport.close();
    const exception = task.exception();
    if (exception !== null) {
      loop.call_exception_handler({
        message: `Unhandled exception in client_connected_cb, peer ${String(transport.get_extra_info("peername"))}`,
        exception,
        transport,
      });
    }
    if (is_async || exception !== null) transport.close();
  });
}

function check_host(host: unknown): void {
  if (host !== null && typeof host !== "string") {
    throw new TypeError(`"host" must be a string or null, got ${shown(host)}`);
  }
}

function check_port(port: unknown, lowest: number): void {
  check_number("port", port);
  if (!Number.isInteger(port) || port as number < lowest || port as number > 65535) {
    throw new RangeError(`"port" must be a whole number from ${lowest} to 65535, got ${shown(port)}`);
  }
}

function check_limit(limit: unknown): void {
  check_number("limit", limit);
  if (limit as number <= 0) throw new RangeError(`"limit" must be above 0, got ${shown(limit)}`);
}
