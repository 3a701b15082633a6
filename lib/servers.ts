/**
 * Servers: accepting connections, and their orderly end.
 *
 * @module
 */

import type { AsyncContextManager } from "./async_with.ts";
import type { EventLoop } from "./deno_events.ts";
import { shake_hands } from "./_connecting.ts";
import { ACCEPT_RETRY_DELAY, DEFAULT_SHUTDOWN_TIMEOUT, INSPECT } from "./constants.ts";
import { ConnectionAbortedError, type RawConn, type RawListener } from "./_deno.ts";
import { CancelledError, check_number, check_options, RuntimeError } from "./exceptions.ts";
import { Call, Future } from "./futures.ts";
import { Line, Place } from "./_line.ts";
import { Signpost } from "./_purpose.ts";
import type { ServePlan } from "./_stream_options.ts";
import type { StreamReader } from "./stream_reader.ts";
import type { StreamWriter } from "./stream_writer.ts";
import { sleep, type Task } from "./tasks.ts";
import { Transport } from "./transports.ts";
import { shown_peer, TransportSocket } from "./trsock.ts";

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
 * Options of `Server.shutdown()`.
 */
export interface ShutdownOptions {
  /**
   * Seconds that the handlers have to end by themselves; `null` for as long as they like.
   *
   * @default 1
   */
  readonly timeout?: number | null;
}

/** The two ends of a connection that was accepted. */
type Streams = [reader: StreamReader, writer: StreamWriter];

/**
 * Sockets that listen, and the connections they accepted.
 *
 * Whoever starts a server closes it: with `close()` and `wait_closed()`, with `async_with()`, or with `shutdown()` and
 * `await using`, which also end what is left after a while.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const server = await asyncio.start_server(async (reader, writer) => {
 *   writer.write(await reader.readline());
 * }, "127.0.0.1", 0);
 * const [host, port] = server.sockets[0].getsockname() as [string, number];
 *
 * const [reader, writer] = await asyncio.open_connection(host, port);
 * writer.write("hello\n");
 * console.log(new TextDecoder().decode(await reader.readline())); // hello
 * writer.close();
 * await writer.wait_closed();
 * server.close();
 * await server.wait_closed();
 * ```
 */
export class Server implements AsyncContextManager<Server> {
  readonly #loop: EventLoop;
  readonly #plan: ServePlan;
  /** `null` if the server is iterated over. */
  readonly #callback: ClientConnectedCallback | null;
  /** Makes what a connection is used through; `null` if that is a protocol. */
  readonly #make: (transport: Transport) => Streams | null;
  readonly #transports = new Set<Transport>();
  /** Those whose TLS handshake is under way. */
  readonly #handshakes = new Set<AbortController>();
  readonly #handlers = new Set<Task<void>>();
  /** Connections that wait for the iteration to come to them. */
  readonly #arrived: Streams[] = [];
  readonly #takers: Line<Streams | null> = new Line<Streams | null>({
    call: "accept",
    of: this,
    external: true,
    ready: () => this.#arrived.length > 0 || this.#state === "closed",
    take: () => {
      const streams = this.#arrived.shift() ?? null;
      this.#make_room();
      return streams;
    },
    left: () => this.#takers.wake_next(),
  });
  /** Ends the waits of those who accept, once there is room for more. */
  #on_room: (() => void)[] = [];
  #listeners: readonly RawListener[];
  #sockets: readonly TransportSocket[];
  #state: "created" | "serving" | "closed" = "created";
  #forever: Future<void> | null = null;
  /** One for each socket that is listened on; they end when the server closes. */
  #accepting: Promise<void>[] = [];
  /** Ends of the waits for descriptors to become free. */
  readonly #pauses = new Set<() => void>();
  readonly #waiters: Line<void> = new Line<void>({
    call: "wait_closed",
    of: this,
    external: true,
    ready: () => true,
    take: () => {},
    left: () => {},
  });

  /**
   * Made by `start_server()`.
   *
   * @internal
   */
  constructor(
    loop: EventLoop,
    listeners: readonly RawListener[],
    plan: ServePlan,
    callback: ClientConnectedCallback | null,
    make: (transport: Transport) => Streams | null,
  ) {
    this.#loop = loop;
    this.#listeners = listeners;
    this.#sockets = listeners.map((listener) => new TransportSocket(listener.addr, null));
    this.#plan = plan;
    this.#callback = callback;
    this.#make = make;
    loop._resources.add(this);
  }

  /**
   * Nobody will go on with it.
   *
   * @internal
   */
  _loop_closed(): void {
    this.close();
  }

  /** The sockets it listens on; none after `close()`. */
  get sockets(): readonly TransportSocket[] {
    return this.#sockets;
  }

  /**
   * The loop it runs on.
   *
   * @returns The loop.
   */
  get_loop(): EventLoop {
    return this.#loop;
  }

  /**
   * Tells whether it accepts connections.
   *
   * @returns True between the start and `close()`.
   */
  is_serving(): boolean {
    return this.#state === "serving";
  }

  /**
   * Starts accepting; no effect if it does already.
   *
   * @returns A future that is done at once.
   * @throws {RuntimeError} If the server is closed.
   */
  start_serving(): Future<void> {
    this.#check_open();
    if (this.#state === "created") {
      this.#state = "serving";
      this.#accepting = this.#listeners.map((listener) => this.#accept(listener));
    }
    return sleep(0);
  }

  /**
   * Accepts connections until the server is closed, or the call is cancelled, which closes the server.
   *
   * @returns A future that ends with `CancelledError`.
   * @throws {RuntimeError} If the server is closed, or in another call of this.
   */
  serve_forever(): Future<never> {
    if (this.#forever !== null) {
      throw new RuntimeError(`server ${this.#describe()} is already being awaited on serve_forever()`);
    }
    this.#check_open();
    return new Call<never>(async () => {
      const forever = this.#forever = new Signpost<void>(
        { call: "serve_forever", of: this, external: true },
        this.#loop,
      );
      try {
        await this.start_serving();
        await forever;
        throw new CancelledError();
      } catch (error) {
        this.close();
        await this.wait_closed();
        throw error;
      } finally {
        this.#forever = null;
      }
    });
  }

  /**
   * Stops listening. Connections that were handed over live on; `wait_closed()` waits for them. Closing again does
   * nothing.
   */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#loop._resources.delete(this);
    for (const listener of this.#listeners) listener.close();
    for (const end of [...this.#pauses]) end();
    for (const handshake of this.#handshakes) handshake.abort(new ConnectionAbortedError("The server was closed"));
    for (const [, writer] of this.#arrived.splice(0)) writer.abort();
    this.#takers.wake_all();
    this.#make_room();
    this.#listeners = [];
    this.#sockets = [];
    this.#forever?.cancel();
    // The port is free again only when the accept that was under way has noticed.
    Promise.all(this.#accepting).then(() => {
      this.#accepting = [];
      this.#loop._deliver(this.#check_ended, undefined);
    });
  }

  /** Closes every connection that was accepted, once what was written to it has left. */
  close_clients(): void {
    for (const transport of [...this.#transports]) transport.close();
  }

  /** Closes every connection that was accepted at once; what was not sent yet is dropped. */
  abort_clients(): void {
    for (const transport of [...this.#transports]) transport.abort();
  }

  /**
   * Waits until the server is closed and its last connection has gone.
   *
   * @returns A future.
   */
  wait_closed(): Future<void> {
    if (!this.#has_ended()) return new Place(this.#loop, this.#waiters);
    const ended = new Future<void>({ loop: this.#loop });
    ended.set_result(undefined);
    return ended;
  }

  /**
   * Closes the server, gives its handlers time to end, and then cancels those that are left and aborts their
   * connections.
   *
   * Differs from asyncio: there is no such method.
   *
   * @param options How much time.
   * @returns A future that is done when all is closed. To cancel it ends the time.
   * @throws {TypeError} If `timeout` is not a number.
   * @throws {RangeError} If it is below 0.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const server = await asyncio.start_server(async (reader) => {
   *   await reader.read();
   * }, "127.0.0.1", 0);
   * const [host, port] = server.sockets[0].getsockname() as [string, number];
   * const [, client] = await asyncio.open_connection(host, port);
   * await server.shutdown({ timeout: 0.01 });
   * console.log(server.is_serving()); // false
   * client.close();
   * await client.wait_closed();
   * ```
   */
  shutdown(options?: ShutdownOptions): Future<void> {
    check_options(options, ["timeout"]);
    const timeout = options?.timeout === undefined ? DEFAULT_SHUTDOWN_TIMEOUT : options.timeout;
    if (timeout !== null) {
      check_number("timeout", timeout);
      if (timeout < 0) throw new RangeError(`"timeout" must be 0 or more, got ${timeout}`);
    }
    return new Call(async () => {
      this.close();
      const end = () => {
        for (const task of this.#handlers) task.cancel();
        this.abort_clients();
      };
      const timer = timeout === null || timeout === Infinity ? null : this.#loop._call_later(timeout, end);
      try {
        await this.wait_closed();
      } catch (error) {
        end();
        throw error;
      } finally {
        timer?.cancel();
      }
    });
  }

  /**
   * Gives the connections one after the other, as they are accepted; ends when the server is closed. It takes the place
   * of the callback, which has to be `null`: no more connections are accepted than are taken, and one more waits ready; with TLS, also those
   * whose handshakes were under way beside it.
   *
   * Whoever gets a connection closes it; leaving the loop closes neither it nor the server.
   *
   * Differs from asyncio: there is no such method.
   *
   * @returns An iterator of pairs of a reader and a writer.
   * @throws {RuntimeError} If the server has a callback.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const server = await asyncio.start_server(null, "127.0.0.1", 0);
   * const [host, port] = server.sockets[0].getsockname() as [string, number];
   * const [, client] = await asyncio.open_connection(host, port);
   * client.write("hello\n");
   * for await (const [reader, writer] of server) {
   *   console.log(new TextDecoder().decode(await reader.readline())); // hello
   *   writer.close();
   *   server.close();
   * }
   * client.close();
   * await client.wait_closed();
   * await server.wait_closed();
   * ```
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<[reader: StreamReader, writer: StreamWriter]> {
    if (this.#callback !== null) {
      throw new RuntimeError(`Cannot iterate over server ${this.#describe()}: it has a client_connected_cb`);
    }
    const next = async (): Promise<IteratorResult<Streams, undefined>> => {
      const takers = this.#takers;
      const place = new Place<Streams | null>(this.#loop, takers);
      if (this.#arrived.length > 0 || this.#state === "closed") takers.wake_next();
      const value = await place;
      return value === null ? { done: true, value: undefined } : { done: false, value };
    };
    return {
      next,
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /**
   * Starts accepting; called by `async_with()`.
   *
   * @returns The server itself.
   */
  async __aenter__(): Promise<this> {
    if (this.#state === "created") await this.start_serving();
    return this;
  }

  /**
   * Closes the server and waits for its connections; called by `async_with()`.
   *
   * @param _error What the body threw, or `null`.
   */
  async __aexit__(_error: unknown): Promise<void> {
    this.close();
    await this.wait_closed();
  }

  /** Shuts the server down at the end of an `await using` block, as `shutdown()` does. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  /** @ignore */
  [INSPECT](): string {
    return this.#describe();
  }

  async #accept(listener: RawListener): Promise<void> {
    while (this.#state === "serving") {
      if (!this.#has_room()) {
        await this.#room();
        continue;
      }
      let conn: RawConn;
      try {
        conn = await listener.accept();
      } catch (error) {
        if (this.#state !== "serving") return;
        this.#report("Exception in accept()", error);
        // A connection that was gone before it was accepted says nothing of the next. Out of descriptors or memory, only
        // time can help.
        if (!(error instanceof ConnectionAbortedError)) await this.#pause();
        continue;
      }
      // With several listeners another may have filled the last place meanwhile.
      while (this.#state === "serving" && !this.#has_room()) await this.#room();
      // Closed while the connection arrived: nobody will handle it.
      if (this.#state !== "serving") conn.close();
      else if (this.#plan.securing === null) this.#loop._deliver(this.#connected, conn);
      else this.#secure(conn);
    }
  }

  /** Handshakes run side by side, and hold up neither each other nor those who come. */
  async #secure(conn: RawConn): Promise<void> {
    const abort = new AbortController();
    const peer = conn.localAddr === null ? null : new TransportSocket(conn.localAddr, conn.remoteAddr).getpeername();
    this.#handshakes.add(abort);
    let secured: RawConn | null = null;
    try {
      secured = await shake_hands(this.#loop, conn, this.#plan.securing!, abort.signal);
    } catch (error) {
      if (this.#state === "serving") this.#report(`SSL handshake failed, peer ${shown_peer(peer)}`, error);
    }
    this.#handshakes.delete(abort);
    if (secured === null) this.#make_room();
    else if (this.#state === "serving") this.#loop._deliver(this.#connected, secured);
    else secured.close();
    this.#check_ended();
  }

  readonly #connected = (conn: RawConn): void => {
    const transport = new Transport(this.#loop, conn, true);
    transport._set_shutdown_timeout(this.#plan.shutdown_timeout);
    this.#transports.add(transport);
    transport._on_closed = () => {
      this.#transports.delete(transport);
      this.#make_room();
      this.#check_ended();
    };
    let streams: Streams | null;
    try {
      streams = this.#make(transport);
    } catch (exception) {
      transport.abort();
      return this.#report("Exception in protocol_factory", exception);
    }
    if (streams === null) return;
    if (this.#callback !== null) return this.#handle(this.#callback, transport, streams);
    this.#arrived.push(streams);
    this.#takers.wake_next();
  };

  /** Runs the callback, and sees to the connection when it ends. */
  #handle(callback: ClientConnectedCallback, transport: Transport, [reader, writer]: Streams): void {
    let is_async = false;
    const task = this.#loop.create_task(async () => {
      const result = callback(reader, writer);
      is_async = typeof (result as PromiseLike<unknown> | null | undefined)?.then === "function";
      await result;
    });
    this.#handlers.add(task);
    task._on_done(() => {
      this.#handlers.delete(task);
      if (task.cancelled()) return transport.close();
      const exception = task.exception();
      if (exception !== null) {
        this.#loop.call_exception_handler({
          message: `Unhandled exception in client_connected_cb, peer ${
            shown_peer(transport.get_extra_info("peername"))
          }`,
          exception,
          transport,
        });
      }
      if (is_async || exception !== null) transport.close();
    });
  }

  /** Those beyond the limit stay with the kernel; so do those that the iteration did not come to. */
  #has_room(): boolean {
    if (this.#callback === null && this.#arrived.length > 0) return false;
    return this.#transports.size + this.#handshakes.size < this.#plan.max_connections;
  }

  #room(): Promise<void> {
    return new Promise((resolve) => this.#on_room.push(resolve));
  }

  #make_room(): void {
    const waiting = this.#on_room;
    if (waiting.length === 0) return;
    this.#on_room = [];
    for (const go_on of waiting) go_on();
  }

  /** Waits before the next accept, but no longer than the server is open. */
  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        timer.cancel();
        this.#pauses.delete(end);
        resolve();
      };
      const timer = this.#loop._call_later(ACCEPT_RETRY_DELAY, end);
      this.#pauses.add(end);
    });
  }

  #report(message: string, exception: unknown): void {
    this.#loop.call_exception_handler({ message, exception });
  }

  #has_ended(): boolean {
    return this.#state === "closed" && this.#transports.size + this.#handshakes.size === 0 &&
      this.#accepting.length === 0;
  }

  readonly #check_ended = (): void => {
    if (this.#has_ended()) this.#waiters.wake_all();
  };

  #check_open(): void {
    if (this.#state === "closed") throw new RuntimeError(`server ${this.#describe()} is closed`);
  }

  #describe(): string {
    return `<Server ${this.#state} sockets=${
      JSON.stringify(this.#sockets.map((socket) => socket.getsockname()))
    } connections=${this.#transports.size}>`;
  }
}
