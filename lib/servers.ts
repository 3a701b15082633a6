/**
 * Servers: accepting connections, and their orderly end.
 *
 * @module
 */

import type { AsyncContextManager } from "./async_with.ts";
import type { EventLoop } from "./base_events.ts";
import { ACCEPT_RETRY_DELAY, INSPECT } from "./constants.ts";
import { ConnectionAbortedError, type RawConn, type RawListener } from "./_deno.ts";
import { CancelledError, RuntimeError } from "./exceptions.ts";
import { Call, Future } from "./futures.ts";
import { Line, Place } from "./_line.ts";
import { sleep } from "./tasks.ts";
import { Transport, TransportSocket } from "./transports.ts";

/**
 * Sockets that listen, and the connections they accepted.
 *
 * Whoever starts a server closes it: with `close()` and `wait_closed()`, `async_with()`, or `await using`, which also
 * ends the connections that are left.
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
  readonly #on_connection: (transport: Transport) => void;
  readonly #transports = new Set<Transport>();
  #listeners: readonly RawListener[];
  #sockets: readonly TransportSocket[];
  #state: "created" | "serving" | "closed" = "created";
  #forever: Future<void> | null = null;
  /** One for each socket that is listened on; they end when the server closes. */
  #accepting: Promise<void>[] = [];
  /** Ends of the waits for descriptors to become free. */
  readonly #pauses = new Set<() => void>();
  readonly #waiters: Line<void> = new Line<void>({ ready: () => true, take: () => {}, left: () => {} });

  /**
   * Made by `start_server()`.
   *
   * @internal
   */
  constructor(loop: EventLoop, listeners: readonly RawListener[], on_connection: (transport: Transport) => void) {
    this.#loop = loop;
    this.#listeners = listeners;
    this.#sockets = listeners.map((listener) => new TransportSocket(listener.addr, null));
    this.#on_connection = on_connection;
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
      const forever = this.#forever = new Future<void>({ loop: this.#loop });
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
   * Stops listening. Connections that were accepted live on; `wait_closed()` waits for them. Closing again does nothing.
   */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#loop._resources.delete(this);
    for (const listener of this.#listeners) listener.close();
    for (const end of [...this.#pauses]) end();
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

  /** Closes the server at the end of an `await using` block; connections that are left are aborted. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    this.abort_clients();
    await this.wait_closed();
  }

  /** @ignore */
  [INSPECT](): string {
    return this.#describe();
  }

  async #accept(listener: RawListener): Promise<void> {
    while (this.#state === "serving") {
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
      // Closed while the connection arrived: nobody will handle it.
      if (this.#state !== "serving") conn.close();
      else this.#loop._deliver(this.#connected, conn);
    }
  }

  readonly #connected = (conn: RawConn): void => {
    const transport = new Transport(this.#loop, conn);
    this.#transports.add(transport);
    transport._on_closed = () => {
      this.#transports.delete(transport);
      this.#check_ended();
    };
    this.#on_connection(transport);
  };

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
    return this.#state === "closed" && this.#transports.size === 0 && this.#accepting.length === 0;
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
