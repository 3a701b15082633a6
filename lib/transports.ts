/**
 * What carries the bytes: a transport owns a connection, its write buffer and its flow control.
 *
 * @module
 */

import type { EventLoop } from "./deno_events.ts";
import { to_bytes, write_limits_of } from "./_bytes.ts";
import { Attempt, type Securing, shake_hands } from "./_connecting.ts";
import { DEFAULT_HIGH_WATER, DEFAULT_SSL_SHUTDOWN_TIMEOUT, INSPECT } from "./constants.ts";
import { current_observer, get_default_loop } from "./_context.ts";
import { ConnectionAbortedError, ConnectionResetError, is_own_close, type RawConn } from "./_deno.ts";
import { done_future } from "./_done_futures.ts";
import type { TimerHandle } from "./events.ts";
import { Driver } from "./_driver.ts";
import { check_number, check_options, RuntimeError, shown, TimeoutError } from "./exceptions.ts";
import { Future } from "./futures.ts";
import { Line, Place } from "./_line.ts";
import { type BaseProtocol, check_protocol } from "./protocols.ts";
import type { Step } from "./_scopes.ts";
import { SendQueue } from "./_send_queue.ts";
import type { CloseOptions, StreamStatistics, WriteBufferLimits } from "./_stream_options.ts";
import { type ExtraInfo, TransportSocket } from "./trsock.ts";

/** With so many bytes queued, a call of the system is worth its price. */
const OFFERED_AT_ONCE = 16 * 1024;

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
  #conn: RawConn;
  readonly #socket: TransportSocket | null;
  /** Held: `start_tls()` is at work, so what is written stays here until the connection is secure. */
  #state: "open" | "held" | "closing" | "closed" = "open";
  /** `write_eof()`: asked for, then passed on once all before it has left. */
  #eof: "no" | "asked" | "sending" | "sent" = "no";
  #eof_asked = false;
  /** The protocol's own end of the connection is under way. */
  #says_goodbye = false;

  readonly #queue: SendQueue;
  #high = DEFAULT_HIGH_WATER;
  #low = DEFAULT_HIGH_WATER / 4;
  #paused = false;
  #in_outbox = false;
  /** Those who wait until it is time to write more. */
  #drains: Line<void> | null = null;
  #drain_error: unknown = undefined;
  /**
   * Whether a call has thrown what broke the connection, or what will pass for it.
   *
   * @internal
   */
  _told = false;
  /** Those who wait until nothing is left to send. */
  #flushes: Line<void> | null = null;
  #bytes_written = 0;
  #stalls = 0;
  #peak_size = 0;

  /** Drives a protocol; `null` if streams read and write. */
  #driver: Driver | null = null;
  /** What broke the connection for writing, and whether bytes were lost by it. */
  #error: unknown = undefined;
  #lost_bytes = false;
  /** Seconds that a connection that says goodbye may take to close; with TLS there is a limit. */
  #shutdown_timeout = Infinity;
  /** How to wait for the peer's end of data when closing. */
  #discard: ((ended: () => void) => void) | null = null;
  /** Ends a close that takes too long. */
  #close_timer: TimerHandle | null = null;
  /** Those who wait until the connection is freed. */
  #closings: Line<void> | null = null;

  /**
   * Called once when the connection is freed.
   *
   * @internal
   */
  _on_closed: (() => void) | null = null;
  /**
   * The name or address that it was connected to.
   *
   * @internal
   */
  _host: string | null = null;
  /**
   * Whether this is the side that was connected to.
   *
   * @internal
   */
  readonly _is_server_side: boolean;

  /**
   * Made by `open_connection()` and `start_server()`.
   *
   * @internal
   */
  constructor(loop: EventLoop, conn: RawConn, is_server_side: boolean = false) {
    this.#loop = loop;
    this.#conn = conn;
    this.#queue = new SendQueue(loop._send_arrays);
    this.#socket = conn.localAddr === null ? null : new TransportSocket(conn.localAddr, conn.remoteAddr);
    this._is_server_side = is_server_side;
    loop._resources.add(this);
    current_observer()?.connection_opened(this, loop);
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
   * @param name `"peername"`, `"sockname"`, `"socket"` or `"conn"`; with TLS also `"sslcontext"`, `"ssl_object"`,
   * `"peercert"`, `"cipher"` and `"alpn_protocol"`.
   * @returns The value; `null` for what this connection does not have.
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
    const socket = this.#socket;
    if (socket !== null) {
      if (name === "peername") return socket.getpeername();
      if (name === "sockname") return socket.getsockname();
      if (name === "socket") return socket;
    }
    return this.#conn.get_extra_info?.(name) ?? (name === "conn" ? this.#conn : fallback);
  }

  /**
   * Tells whether it is closed, or about to be.
   *
   * @returns True after `close()` and `abort()`.
   */
  is_closing(): boolean {
    return this.#state === "closing" || this.#state === "closed";
  }

  /**
   * How much waits to be sent.
   *
   * @returns The number of bytes that the kernel has not taken.
   */
  get_write_buffer_size(): number {
    return this.#queue.size;
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
   * Differs from asyncio: whoever waits, or was paused, and need not with the new ones, goes on at once.
   *
   * @param limits In bytes; what is left out takes its default.
   * @throws {TypeError} If one is not a number.
   * @throws {RangeError} If `high` is below `low`, or `low` below 0.
   */
  set_write_buffer_limits(limits: WriteBufferLimits = {}): void {
    const [low, high] = write_limits_of(limits);
    this.#high = high;
    this.#low = low;
    if (this.#queue.size > high) this.#pause();
    else if (this.#queue.size <= low) this.#resume();
  }

  /**
   * What broke the connection, or `undefined`.
   *
   * @internal
   */
  get _error(): unknown {
    return this.#error;
  }

  /**
   * What the writing side has done so far.
   *
   * @internal
   */
  get _statistics(): Omit<StreamStatistics, "bytes_read"> {
    return { bytes_written: this.#bytes_written, stalls: this.#stalls, peak_buffer_size: this.#peak_size };
  }

  // Protocols

  /**
   * The protocol that this transport calls.
   *
   * @returns The protocol; `null` if it carries streams.
   */
  get_protocol(): BaseProtocol | null {
    return this.#driver?.protocol ?? null;
  }

  /**
   * Has another protocol called from now on; its `connection_made()` is not.
   *
   * @param protocol The protocol.
   * @throws {TypeError} If it is no protocol.
   * @throws {RuntimeError} If the transport carries streams.
   */
  set_protocol(protocol: BaseProtocol): void {
    check_protocol("protocol", protocol);
    if (this.#driver === null) throw new RuntimeError("Cannot set a protocol: the transport carries streams");
    this.#driver.protocol = protocol;
  }

  /**
   * Tells whether the protocol is given what arrives. Streams read when they are asked.
   *
   * @returns False while reading is paused, and after the end.
   */
  is_reading(): boolean {
    return this.#driver?.is_reading ?? false;
  }

  /** Gives the protocol nothing more, so that the peer has to wait, until `resume_reading()`. Again, it does nothing. */
  pause_reading(): void {
    this.#driver?.pause_reading();
  }

  /** Goes on after `pause_reading()`; otherwise it does nothing. */
  resume_reading(): void {
    this.#driver?.resume_reading();
  }

  /**
   * Gives the transport a protocol to call, in place of streams.
   *
   * @internal
   */
  _drive(protocol: BaseProtocol, reads: boolean): void {
    this.#driver = new Driver(this.#loop, this, protocol);
    this.#driver.start(reads);
  }

  /**
   * Lets go of the connection before TLS; see `Driver.hand_over()`. `undefined` if there is no protocol.
   *
   * @internal
   */
  _hand_over(): Promise<Uint8Array | null> | null | undefined {
    return this.#driver?.hand_over();
  }

  /**
   * Whether it is no time to read: TLS is being set up, or nobody will want what comes.
   *
   * @internal
   */
  get _is_busy(): boolean {
    return this.#state !== "open";
  }

  /** @internal */
  get _has_waiting(): boolean {
    return this.#queue.has_waiting && !this.#queue.is_sending;
  }

  /**
   * Hands what waits to the kernel: at the loop's pleasure.
   *
   * @internal
   */
  _flush(): void {
    this.#in_outbox = false;
    this.#flush();
  }

  /**
   * Ends the connection at once because of an error.
   *
   * @internal
   */
  _force_close(error: unknown): void {
    this.#error ??= error;
    this.abort();
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
    this.#lost_bytes ||= this.#queue.size > 0;
    this.#queue.clear();
    this.#free();
    return false;
  }

  /**
   * Whether somebody waits for the end of a connection that is open.
   *
   * @internal
   */
  get _end_is_awaited(): boolean {
    return this.#state === "open" && this.#closings !== null && this.#closings.length > 0;
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
    if (this.#eof_asked) throw new RuntimeError("Cannot call write() after write_eof()");
    if (bytes.length === 0) return;
    if (this.is_closing() || this.#error !== undefined) {
      // As in asyncio, dropped without a word; the next drain() tells.
      if (this.#error !== undefined) this.#lost_bytes = true;
      return;
    }
    this.#append(bytes);
    if (this.#in_outbox || this.#queue.is_sending) return;
    this.#in_outbox = true;
    this.#loop._outbox.add(this);
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

  /**
   * Offers the kernel what is queued at once; but if that is little, and the code has more to read before it waits, then
   * when it waits or ends. So answers to many lines that came together leave together, in one call of the system, which
   * costs more than all else about them.
   *
   * @internal
   */
  _offer(has_input: boolean): void {
    if (!this._has_waiting) return;
    if (has_input && this.#in_outbox && !this.#paused && this.#queue.size < OFFERED_AT_ONCE) {
      this.#loop._outbox.put_off();
    } else {
      this.#flush();
    }
  }

  /** Offers the kernel what is queued, unless it still works on the write before. */
  #flush(): void {
    if (this.#state === "held") return;
    const bytes = this.#queue.begin();
    if (bytes !== null) this.#send(bytes);
  }

  /**
   * Waits until it is time to write more.
   *
   * @param has_input Whether bytes that have arrived wait to be read.
   * @internal
   */
  _drain(has_input: boolean = false): Future<void> {
    if (this.#error !== undefined || this.#state === "closed") {
      this._told = true;
      return this.#failed(this.#error ?? new ConnectionResetError("Connection lost"));
    }
    this._offer(has_input);
    if (!this.#paused) return done_future<void>(undefined);
    this.#drains ??= this.#line("drain", () => this.#check_drained());
    return new Place(this.#loop, this.#drains);
  }

  /**
   * Waits until the kernel has taken all that was written.
   *
   * @returns A future; to cancel it loses nothing.
   * @throws The connection's error, if it broke.
   * @throws {ConnectionResetError} If it was closed.
   */
  flush(): Future<void> {
    if (this.#error !== undefined || this.#state === "closed" || this.#queue.size === 0) return this._drain();
    this.#flush();
    this.#flushes ??= this.#line("flush", () => this.#check_drained());
    return new Place(this.#loop, this.#flushes);
  }

  /**
   * Tells whether `write_eof()` works here.
   *
   * @returns True.
   */
  can_write_eof(): boolean {
    return true;
  }

  /**
   * Tells the peer that nothing more will come, once all has left. Doing it again does nothing. A pipe that is only written
   * to is closed by it.
   */
  write_eof(): void {
    if (this.is_closing() || this.#eof !== "no") return;
    // A pipe that is only written to has no other half.
    if (this.#driver?.writes_only) return this.close();
    this.#eof = "asked";
    this.#eof_asked = true;
    this.#go_on();
  }

  // Ending

  /**
   * Frees the connection once all that was written has left. Closing again does nothing. To a peer that does not read,
   * bytes that were written may never leave; then it is `abort()` that frees it.
   */
  close(): void {
    this._close(undefined, null);
  }

  /**
   * `close()` for a stream, which may linger.
   *
   * @param discard Reads and drops what comes, and calls back at the end.
   * @internal
   */
  _close(options: CloseOptions | undefined, discard: ((ended: () => void) => void) | null): void {
    check_options(options, ["linger"]);
    const linger = options?.linger ?? 0;
    check_number("linger", linger);
    if (linger < 0) throw new RangeError(`"linger" must be 0 or more, got ${linger}`);
    // During a handshake there is nothing that the peer would understand.
    if (this.#state === "held") return this.abort();
    if (this.#state !== "open") return;
    this.#state = "closing";
    if (linger > 0) this.#discard = discard;
    // A peer that does not read, or does not answer, must not keep the connection for ever.
    if (linger > 0) this.#limit_close(linger, "linger timed out");
    else if (this.#conn.goodbye !== undefined) this.#limit_close(this.#shutdown_timeout, "SSL shutdown timed out");
    this.#go_on();
  }

  #limit_close(seconds: number, text: string): void {
    if (seconds === Infinity) return;
    const loop = this.#loop.is_closed() ? get_default_loop() : this.#loop;
    this.#close_timer = loop._call_later(seconds, () => {
      // The peer did not take what was left for it.
      if (this.#queue.size > 0) {
        this.#error = new TimeoutError(text);
        this.#lost_bytes = true;
      }
      this.abort();
    });
  }

  /** Goes on with what comes after the bytes, once they have left: the end of data, then the end of the connection. */
  #go_on(): void {
    if (this.#queue.size > 0) return this.#flush();
    if (this.#eof === "asked") return this.#send_eof();
    if (this.#state !== "closing" || this.#eof === "sending" || this.#says_goodbye) return;
    // What is broken has no orderly end.
    if (this.#error !== undefined) return this.#free();
    const discard = this.#discard;
    if (discard !== null) {
      if (this.#eof === "no") return this.#send_eof();
      return discard(() => this.#close_now());
    }
    if (this.#conn.goodbye === undefined) return this.#free();
    this.#says_goodbye = true;
    // Nobody waits for the peer any more once the loop is closed: a process must end.
    const goodbye = this.#loop.is_closed() ? this.#conn.closeWrite() : this.#conn.goodbye();
    goodbye.then(
      () => this.#close_now(),
      (error) => {
        if (this.#state === "closing") this.#loop._deliver(this.#break, error);
      },
    );
  }

  #close_now(): void {
    if (this.#state === "closing") this.#free();
  }

  /**
   * Frees the connection at once; what the kernel has not taken is dropped. The peer may see the end of the data, or a
   * reset: Deno has no way to ask for one.
   */
  abort(): void {
    if (this.#state === "closed") return;
    this.#queue.clear();
    this.#free();
  }

  /**
   * Waits until the connection was freed; fails if it broke before all that was written had left.
   *
   * @internal
   */
  _wait_closed(): Future<void> {
    if (this.#state === "closed") return this.#lost_bytes ? this.#failed(this.#error) : done_future<void>(undefined);
    this.#closings ??= this.#line("wait_closed", () => {
      if (this.#lost_bytes) throw this.#error;
    });
    return new Place(this.#loop, this.#closings);
  }

  // TLS

  /**
   * Makes the connection secure; what is written meanwhile is kept. If that fails, the connection is closed.
   *
   * @param early A read of the connection that is under way.
   * @param shutdown_timeout Seconds that the end of the connection may take.
   * @internal
   */
  async _start_tls(
    securing: Securing,
    early: Promise<Uint8Array | null> | null,
    shutdown_timeout: number = DEFAULT_SSL_SHUTDOWN_TIMEOUT,
  ): Promise<void> {
    if (this.#state !== "open") throw new RuntimeError(`Cannot start TLS: the connection is ${this.#state}`);
    if (this.#eof !== "no") throw new RuntimeError("Cannot start TLS: write_eof() was called");
    this.#state = "held";
    const [loop, conn] = [this.#loop, this.#conn];
    let secured: RawConn;
    try {
      secured = await new Attempt(
        loop,
        (signal) => shake_hands(loop, conn, securing, signal, early),
        (secured) => secured.close(),
      );
    } catch (error) {
      this.abort();
      if (!is_own_close(error)) throw error;
      throw new ConnectionAbortedError("The connection was closed during the TLS handshake", { cause: error });
    }
    // Closed meanwhile. What changes during a wait is beyond what the compiler sees.
    if (this.#state as string !== "held") return secured.close();
    this.#conn = secured;
    this.#state = "open";
    this.#shutdown_timeout = shutdown_timeout;
    this.#go_on();
    this.#driver?.fill();
  }

  /** @internal */
  _set_shutdown_timeout(seconds: number): void {
    this.#shutdown_timeout = seconds;
  }

  /** @ignore */
  [INSPECT](): string {
    return `<Transport ${this.#state} to ${String(this.#socket?.getpeername() ?? null)} buffered=${this.#queue.size}>`;
  }

  #append(bytes: Uint8Array): void {
    this.#queue.append(bytes);
    const { size } = this.#queue;
    if (size > this.#peak_size) this.#peak_size = size;
    if (size > this.#high) this.#pause();
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#stalls++;
    this.#driver?.pause_writing();
  }

  #send(bytes: Uint8Array): void {
    this.#conn.write(bytes).then(this.#on_written, this.#on_write_error);
  }

  readonly #on_written = (count: number): void => {
    const queue = this.#queue;
    // Aborted meanwhile.
    if (!queue.is_sending) return;
    this.#bytes_written += count;
    const rest = queue.advance(count);
    if (rest !== null) this.#send(rest);
    else this.#flush();
    if (this.#paused && this.#queue.size <= this.#low) this.#loop._deliver(this.#resume_step, undefined);
    if (this.#queue.size > 0) return;
    this.#flushes?.wake_all();
    if (this.#eof === "asked" || this.#state === "closing") this.#go_on();
  };

  readonly #on_write_error = (error: unknown): void => {
    if (this.#state === "closed") return;
    this.#loop._deliver(this.#break, error);
  };

  readonly #break = (error: unknown): void => {
    this.#error = error;
    this.#lost_bytes = true;
    this.#queue.clear();
    this.#fail_drains();
    // The peer may have sent something before it went, so the reading side lives on until the user closes.
    if (this.#state === "closing" || this.#driver !== null) this.#free();
  };

  #send_eof(): void {
    if (this.#state === "held") return;
    this.#eof = "sending";
    const go_on = () => {
      if (this.#state === "closed") return;
      this.#eof = "sent";
      this.#go_on();
    };
    // A peer that is gone needs no word; whoever writes or reads hears of it.
    this.#conn.closeWrite().then(go_on, go_on);
  }

  readonly #resume_step = (): void => this.#resume();

  #resume(): void {
    const was_paused = this.#paused;
    this.#paused = false;
    this.#drains?.wake_all();
    if (was_paused && this.#state !== "closed") this.#driver?.resume_writing();
  }

  /** Whoever waits to write more hears why that will never be. */
  #fail_drains(): void {
    const waits = (this.#drains?.length ?? 0) + (this.#flushes?.length ?? 0) > 0;
    // To make an error takes longer than all else at the end of a connection.
    if (waits) this.#drain_error = this.#error ?? new ConnectionResetError("Connection lost");
    this.#resume();
    this.#flushes?.wake_all();
  }

  /** Those who wait for what will come once, for all of them. */
  #line(call: string, take: () => void): Line<void> {
    return new Line<void>({ call, of: this, external: true, ready: () => true, take, left: () => {} });
  }

  #check_drained(): void {
    if (this.#drain_error === undefined) return;
    this._told = true;
    throw this.#drain_error;
  }

  #failed(error: unknown): Future<void> {
    const future = new Future<void>({ loop: this.#loop });
    future.set_exception(error);
    return future;
  }

  #free(): void {
    this.#state = "closed";
    this.#close_timer?.cancel();
    this.#loop._resources.delete(this);
    current_observer()?.connection_closed(this, this.#loop);
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
      this.#fail_drains();
      this.#closings?.wake_all();
      this.#driver?.lost(this.#error ?? null);
      this._on_closed?.();
      this._on_closed = null;
      return null;
    },
  };
}
