/**
 * What carries the bytes: a transport owns a connection, its write buffer and its flow control.
 *
 * @module
 */

import type { EventLoop } from "./base_events.ts";
import { DEFAULT_HIGH_WATER, INSPECT } from "./constants.ts";
import { type Address, ConnectionResetError, is_own_close, type RawConn } from "./_deno.ts";
import { check_number, RuntimeError, shown } from "./exceptions.ts";
import { Future } from "./futures.ts";
import { Line, Place } from "./_line.ts";
import type { Step } from "./_scopes.ts";

/**
 * An address as asyncio shows it: host and port, or the path of a unix socket.
 */
export type SocketAddress = readonly [host: string, port: number] | string;

/**
 * A socket's addresses.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const server = await asyncio.start_server(() => {}, "127.0.0.1", 0);
 * const [host, port] = server.sockets[0].getsockname();
 * console.log(host, Number(port) > 0, server.sockets[0].family); // 127.0.0.1 true AF_INET
 * server.close();
 * await server.wait_closed();
 * ```
 */
export class TransportSocket {
  readonly #local: Address;
  readonly #remote: Address | null;

  /**
   * Made by transports and servers.
   *
   * @internal
   */
  constructor(local: Address, remote: Address | null) {
    this.#local = local;
    this.#remote = remote;
  }

  /** The kind of address: `"AF_INET"`, `"AF_INET6"` or `"AF_UNIX"`. */
  get family(): "AF_INET" | "AF_INET6" | "AF_UNIX" {
    if (!("hostname" in this.#local)) return "AF_UNIX";
    return this.#local.hostname.includes(":") ? "AF_INET6" : "AF_INET";
  }

  /**
   * This side's address.
   *
   * @returns Host and port, or a path.
   */
  getsockname(): SocketAddress {
    return to_socket_address(this.#local)!;
  }

  /**
   * The peer's address.
   *
   * @returns Host and port, or a path; `null` for a socket that listens.
   */
  getpeername(): SocketAddress | null {
    return this.#remote === null ? null : to_socket_address(this.#remote);
  }

  /** @ignore */
  [INSPECT](): string {
    const peer = this.getpeername();
    return `<TransportSocket ${this.family} ${String(this.getsockname())}${
      peer === null ? "" : ` to ${String(peer)}`
    }>`;
  }
}

function to_socket_address(address: Address): SocketAddress | null {
  if ("hostname" in address) return [address.hostname, address.port];
  return "path" in address ? address.path : null;
}

/**
 * What `get_extra_info()` knows, by key.
 */
export interface ExtraInfo {
  /** The peer's address. */
  readonly peername: SocketAddress | null;
  /** This side's address. */
  readonly sockname: SocketAddress;
  /** Both addresses, and their family. */
  readonly socket: TransportSocket;
  /** Deno's own connection; whoever uses it answers for what the library then sees. */
  readonly conn: RawConn;
}

/**
 * How much may wait to be sent, in bytes.
 */
export interface WriteBufferLimits {
  /**
   * Above it `drain()` waits; with 0 it waits until the kernel has taken everything.
   *
   * @default 65536, or four times `low`
   */
  readonly high?: number;
  /**
   * At or below it, `drain()` goes on.
   *
   * @default a quarter of `high`
   */
  readonly low?: number;
}

/** Arrays up to this size are kept for the next writes. */
const KEPT_ARRAY_SIZE = 64 * 1024;
const FIRST_ARRAY_SIZE = 1024;

const RESOLVED = Promise.resolve();
const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();

/** Turns what a caller wants to send into bytes; strings are sent as UTF-8. */
export function to_bytes(name: string, data: unknown): Uint8Array {
  if (data instanceof Uint8Array) return data;
  if (typeof data === "string") return encoder.encode(data);
  throw new TypeError(`"${name}" must be a Uint8Array or a string, got ${shown(data)}`);
}

/**
 * A connection with a write buffer; `writer.transport` is one.
 *
 * It owns the connection: `close()` and `abort()` free it, and so does an error that ends it once it is closed. Bytes
 * are copied by `write()`; those written in one step of a task leave in one call of the system.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await using server = await asyncio.start_server(() => {}, "127.0.0.1", 0);
 * const [host, port] = server.sockets[0].getsockname() as [string, number];
 * const [, writer] = await asyncio.open_connection(host, port);
 * writer.transport.set_write_buffer_limits({ high: 1024 * 1024 });
 * console.log(writer.transport.get_write_buffer_limits()); // [262144, 1048576]
 * writer.transport.abort();
 * ```
 */
export class Transport {
  readonly #loop: EventLoop;
  readonly #conn: RawConn;
  readonly #extra: ExtraInfo;
  #state: "open" | "closing" | "closed" = "open";
  /** `write_eof()`: asked for, then passed on once all before it has left. */
  #eof: "no" | "asked" | "sent" = "no";

  #queue: Uint8Array = NOTHING;
  #queued = 0;
  /** What the system is writing now, up to `#sending`, `#sent` of it already done; it must not change until all is. */
  #in_flight: Uint8Array | null = null;
  #sent = 0;
  #sending = 0;
  /** The array of a write that is done, for the next one. */
  #spare: Uint8Array | null = null;
  #size = 0;
  #high = DEFAULT_HIGH_WATER;
  #low = DEFAULT_HIGH_WATER / 4;
  #paused = false;
  #flush_scheduled = false;
  /** Those who wait until it is time to write more. */
  readonly #drains: Line<void> = new Line<void>({
    ready: () => true,
    take: () => {
      if (this.#drain_error !== undefined) throw this.#drain_error;
    },
    left: () => {},
  });
  #drain_error: unknown = undefined;
  readonly #drained: Future<void>;

  /** What broke the connection for writing, and whether bytes were lost by it. */
  #error: unknown = undefined;
  #lost_bytes = false;
  /** Those who wait until the connection is freed. */
  readonly #closings: Line<void> = new Line<void>({
    ready: () => true,
    take: () => {
      if (this.#lost_bytes) throw this.#error;
    },
    left: () => {},
  });

  /**
   * Called once when the connection is freed.
   *
   * @internal
   */
  _on_closed: (() => void) | null = null;

  /**
   * Made by `open_connection()` and `start_server()`.
   *
   * @internal
   */
  constructor(loop: EventLoop, conn: RawConn) {
    this.#loop = loop;
    this.#conn = conn;
    const socket = new TransportSocket(conn.localAddr, conn.remoteAddr);
    this.#extra = { peername: socket.getpeername(), sockname: socket.getsockname(), socket, conn };
    this.#drained = new Future({ loop });
    this.#drained.set_result(undefined);
    loop._resources.add(this);
  }

  /**
   * Nobody will go on with it; what was written still leaves.
   *
   * @internal
   */
  _loop_closed(): void {
    this.close();
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
    return Object.hasOwn(this.#extra, name) ? this.#extra[name as keyof ExtraInfo] : fallback;
  }

  /**
   * Tells whether it is closed, or about to be.
   *
   * @returns True after `close()` and `abort()`.
   */
  is_closing(): boolean {
    return this.#state !== "open";
  }

  /**
   * How much waits to be sent.
   *
   * @returns The number of bytes that the kernel has not taken.
   */
  get_write_buffer_size(): number {
    return this.#size;
  }

  /**
   * The limits of flow control.
   *
   * @returns The low and the high limit, in bytes.
   */
  get_write_buffer_limits(): [low: number, high: number] {
    return [this.#low, this.#high];
  }

  /**
   * Sets the limits of flow control.
   *
   * @param limits In bytes; what is left out takes its default.
   * @throws {TypeError} If one is not a number.
   * @throws {RangeError} If `high` is below `low`, or `low` below 0.
   */
  set_write_buffer_limits(limits: WriteBufferLimits = {}): void {
    const high = limits.high ?? (limits.low === undefined ? DEFAULT_HIGH_WATER : 4 * limits.low);
    const low = limits.low ?? Math.floor(high / 4);
    check_number("high", high);
    check_number("low", low);
    if (!(high >= low && low >= 0)) throw new RangeError(`high (${high}) must be >= low (${low}) must be >= 0`);
    this.#high = high;
    this.#low = low;
    if (this.#size > high) this.#paused = true;
    else if (this.#size <= low) this.#resume();
  }

  // Reading

  /**
   * Reads once; one read at a time. A connection that this side closed is at its end.
   *
   * @internal
   */
  _read(array: Uint8Array): Promise<number | null> {
    return this.#state === "closed" ? Promise.resolve(null) : this.#conn.read(array);
  }

  /**
   * Told of a failed read. True if it failed because this side closed the connection, which is an end and no error; any
   * other error ends the connection.
   *
   * @internal
   */
  _ended_read(error: unknown): boolean {
    if (this.#state === "closed") return is_own_close(error);
    this.#error ??= error;
    this.#lost_bytes = this.#size > 0;
    this.#size = this.#queued = 0;
    this.#in_flight = null;
    this.#free();
    return false;
  }

  /**
   * Whether somebody waits for the end of a connection that is open.
   *
   * @internal
   */
  get _end_is_awaited(): boolean {
    return this.#state === "open" && this.#closings.length > 0;
  }

  // Writing

  /**
   * Has bytes sent, without waiting; see `StreamWriter.write()`.
   *
   * @param data The bytes, or a string, which is sent as UTF-8.
   * @throws {TypeError} If `data` is neither.
   * @throws {RuntimeError} After `write_eof()`.
   */
  write(data: Uint8Array | string): void {
    const bytes = to_bytes("data", data);
    if (this.#eof !== "no") throw new RuntimeError("Cannot call write() after write_eof()");
    if (bytes.length === 0) return;
    if (this.#state !== "open" || this.#error !== undefined) {
      // As in asyncio, dropped without a word; the next drain() tells.
      if (this.#error !== undefined) this.#lost_bytes = true;
      return;
    }
    this.#append(bytes);
    if (this.#in_flight === null && !this.#flush_scheduled) {
      this.#flush_scheduled = true;
      RESOLVED.then(this.#schedule_flush);
    }
  }

  /**
   * Has several pieces sent, as one `write()` of all would.
   *
   * @param list The pieces.
   * @throws {TypeError} If it is not iterable, or a piece is neither bytes nor a string; the ones before that are sent.
   * @throws {RuntimeError} After `write_eof()`.
   */
  writelines(list: Iterable<Uint8Array | string>): void {
    if (typeof list === "string" || typeof list?.[Symbol.iterator] !== "function") {
      throw new TypeError(`"list" must be an iterable of bytes or strings, got ${shown(list)}`);
    }
    for (const data of list) this.write(data);
  }

  /** Offers the kernel what is queued, unless it still works on the write before. */
  #flush(): void {
    if (this.#in_flight !== null || this.#queued === 0) return;
    this.#in_flight = this.#queue;
    this.#sent = 0;
    this.#sending = this.#queued;
    this.#queue = this.#spare ?? NOTHING;
    this.#spare = null;
    this.#queued = 0;
    this.#send();
  }

  /**
   * Waits until it is time to write more.
   *
   * @internal
   */
  _drain(): Future<void> {
    if (this.#error !== undefined) return this.#failed(this.#error);
    if (this.#state === "closed") return this.#failed(new ConnectionResetError("Connection lost"));
    this.#flush();
    if (!this.#paused) return this.#drained;
    return new Place(this.#loop, this.#drains);
  }

  /**
   * Tells whether `write_eof()` works here.
   *
   * @returns True.
   */
  can_write_eof(): boolean {
    return true;
  }

  /** Tells the peer that nothing more will come, once all has left. Doing it again does nothing. */
  write_eof(): void {
    if (this.#state !== "open" || this.#eof !== "no") return;
    this.#eof = "asked";
    if (this.#size === 0) this.#send_eof();
    else this.#flush();
  }

  // Ending

  /** Frees the connection once all that was written has left. Closing again does nothing. */
  close(): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    if (this.#size === 0) this.#free();
    else this.#flush();
  }

  /** Frees the connection at once; what the kernel has not taken is dropped. */
  abort(): void {
    if (this.#state === "closed") return;
    this.#size = this.#queued = 0;
    this.#in_flight = null;
    this.#free();
  }

  /**
   * Waits until the connection was freed; fails if it broke before all that was written had left.
   *
   * @internal
   */
  _wait_closed(): Future<void> {
    if (this.#state !== "closed") return new Place(this.#loop, this.#closings);
    return this.#lost_bytes ? this.#failed(this.#error) : this.#drained;
  }

  /** @ignore */
  [INSPECT](): string {
    return `<Transport ${this.#state} to ${String(this.#extra.peername)} buffered=${this.#size}>`;
  }

  // Most writes are followed by a drain(), which leaves nothing to do: only a microtask later the loop is asked.
  readonly #schedule_flush = (): void => {
    if (this.#in_flight === null && this.#queued > 0) this.#loop._push(this.#flush_step);
    else this.#flush_scheduled = false;
  };

  readonly #flush_step: Step = {
    _run: () => {
      this.#flush_scheduled = false;
      this.#flush();
      return null;
    },
  };

  #append(bytes: Uint8Array): void {
    const needed = this.#queued + bytes.length;
    if (needed > this.#queue.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.#queued, FIRST_ARRAY_SIZE));
      if (this.#queued > 0) grown.set(this.#queue.subarray(0, this.#queued));
      this.#queue = grown;
    }
    this.#queue.set(bytes, this.#queued);
    this.#queued = needed;
    this.#size += bytes.length;
    if (this.#size > this.#high) this.#paused = true;
  }

  #send(): void {
    this.#conn.write(this.#in_flight!.subarray(this.#sent, this.#sending)).then(this.#on_written, this.#on_write_error);
  }

  readonly #on_written = (count: number): void => {
    const array = this.#in_flight;
    // Aborted meanwhile.
    if (array === null) return;
    this.#size -= count;
    this.#sent += count;
    if (this.#sent < this.#sending) {
      this.#send();
    } else {
      this.#in_flight = null;
      if (array.length <= KEPT_ARRAY_SIZE) {
        if (this.#queue.length === 0) this.#queue = array;
        else this.#spare = array;
      }
      this.#flush();
    }
    if (this.#paused && this.#size <= this.#low) this.#loop._deliver(this.#resume_step, undefined);
    if (this.#size > 0) return;
    if (this.#eof === "asked") this.#send_eof();
    else if (this.#state === "closing") this.#free();
  };

  readonly #on_write_error = (error: unknown): void => {
    if (this.#state === "closed") return;
    this.#loop._deliver(this.#break, error);
  };

  readonly #break = (error: unknown): void => {
    this.#error = error;
    this.#lost_bytes = true;
    this.#size = this.#queued = 0;
    this.#in_flight = null;
    this.#fail_drains(error);
    // The peer may have sent something before it went, so the reading side lives on until the user closes.
    if (this.#state === "closing") this.#free();
  };

  #send_eof(): void {
    this.#eof = "sent";
    const go_on = () => {
      if (this.#state === "closing") this.#free();
    };
    // A peer that is gone needs no word; whoever writes or reads hears of it.
    this.#conn.closeWrite().then(go_on, go_on);
  }

  readonly #resume_step = (): void => this.#resume();

  #resume(): void {
    this.#paused = false;
    this.#drains.wake_all();
  }

  #fail_drains(error: unknown): void {
    this.#drain_error = error;
    this.#resume();
  }

  #failed(error: unknown): Future<void> {
    const future = new Future<void>({ loop: this.#loop });
    future.set_exception(error);
    return future;
  }

  #free(): void {
    this.#state = "closed";
    this.#loop._resources.delete(this);
    try {
      this.#conn.close();
    } catch (error) {
      // Whoever took the Deno.Conn out may have closed it already.
      if (!is_own_close(error)) throw error;
    }
    this.#loop._push(this.#end_step);
  }

  readonly #end_step: Step = {
    _run: () => {
      this.#fail_drains(this.#error ?? new ConnectionResetError("Connection lost"));
      this.#closings.wake_all();
      this._on_closed?.();
      this._on_closed = null;
      return null;
    },
  };
}
