/**
 * Object streams in memory: AnyIO's and Trio's answer to how consumers learn that nothing more will come.
 *
 * @module
 */

import { current_loop } from "./_context.ts";
import { INSPECT } from "./constants.ts";
import { BrokenResourceError, check_number, ClosedResourceError, EndOfStream, WouldBlock } from "./exceptions.ts";
import { done_future } from "./_done_futures.ts";
import { Future } from "./futures.ts";
import { Line, Place, wait_signal } from "./_line.ts";
import { Fifo } from "./_stores.ts";

/**
 * Options of `send()` and `receive()`.
 */
export interface MemoryStreamOptions {
  /** Ends the wait when it aborts, with its reason. */
  readonly signal?: AbortSignal;
}

/**
 * What a memory object stream holds at a moment.
 */
export interface MemoryObjectStreamStatistics {
  /** How many items wait in the buffer. */
  readonly current_buffer_used: number;
  /** How many items the buffer holds at most. */
  readonly max_buffer_size: number;
  /** How many sending ends are open. */
  readonly open_send_streams: number;
  /** How many receiving ends are open. */
  readonly open_receive_streams: number;
  /** How many calls of `send()` wait. */
  readonly tasks_waiting_send: number;
  /** How many calls of `receive()` wait. */
  readonly tasks_waiting_receive: number;
}

/** A call of `send()` that waits with its item. */
class Sender<T> extends Place<void> {
  readonly item: T;
  /** A receiver has the item. */
  taken = false;

  constructor(line: Line<void, Sender<T>>, item: T, signal: AbortSignal | undefined) {
    super(current_loop(), line, signal);
    this.item = item;
  }

  // What was received cannot be taken back. To say that it was not sent would have it sent again.
  override cancel(message?: string): boolean {
    return !this.taken && super.cancel(message);
  }

  override _give_up(error: unknown): void {
    if (!this.taken) super._give_up(error);
  }
}

/** What a receiving end and its calls that wait know of each other. */
interface ReceivingEnd {
  closed: boolean;
  /** How many of its calls are in line. */
  waiting: number;
}

/** A call of `receive()`, or of an iteration, that waits. */
class Receiver<R> extends Place<R> {
  readonly end: ReceivingEnd;
  readonly visit: () => R;

  constructor(line: Line<unknown, Receiver<unknown>>, end: ReceivingEnd, visit: () => R, signal?: AbortSignal) {
    super(current_loop(), line, signal);
    this.end = end;
    this.visit = visit;
    end.waiting++;
  }
}

/** What both ends share. */
class Channel<T> {
  readonly max_buffer_size: number;
  readonly buffer: Fifo<T> = new Fifo<T>();
  open_senders = 0;
  open_receivers = 0;
  readonly senders: Line<void, Sender<T>> = new Line<void, Sender<T>>({
    call: "send",
    ready: () => true,
    take: (sender) => {
      if (!sender.taken) throw new BrokenResourceError("Cannot send: every receiving end is closed");
    },
    left: () => {},
  });
  readonly receivers: Line<unknown, Receiver<unknown>> = new Line<unknown, Receiver<unknown>>({
    call: "receive",
    ready: ({ end }) => this.#has_item() || this.open_senders === 0 || end.closed,
    take: ({ end, visit }) => {
      if (end.closed && !this.#has_item()) throw closed_while_waiting();
      const result = visit();
      end.waiting--;
      return result;
    },
    left: (woken, { end }) => {
      end.waiting--;
      if (woken && this.#has_item()) this.receivers.wake_next();
    },
  });

  constructor(max_buffer_size: number) {
    this.max_buffer_size = max_buffer_size;
  }

  #has_item(): boolean {
    return this.buffer.size > 0 || this.senders.waiting > 0;
  }

  /** Whether to receive need not wait, if only to fail. */
  can_receive(): boolean {
    return this.#has_item() || this.open_senders === 0;
  }

  /** Takes the next item; throws if there is none. */
  take(): T {
    if (this.buffer.size > 0) {
      const item = this.buffer.get();
      // The place that it leaves, unless the item was ahead of a receiver, is that of the sender who has waited longest.
      const sender = this.buffer.size < this.max_buffer_size ? this.#next_sender() : null;
      if (sender !== null) this.buffer.put(sender.item);
      return item;
    }
    const sender = this.#next_sender();
    if (sender !== null) return sender.item;
    throw this.open_senders === 0
      ? new EndOfStream("Every sending end is closed")
      : new WouldBlock("Nothing was sent yet");
  }

  #next_sender(): Sender<T> | null {
    const sender = this.senders.wake_next();
    if (sender !== null) sender.taken = true;
    return sender;
  }

  /** Takes an item in if there is room for it, or a receiver that waits for one. */
  put(item: T): boolean {
    if (this.buffer.size >= this.max_buffer_size + this.receivers.length) return false;
    this.buffer.put(item);
    this.receivers.wake_next();
    return true;
  }

  statistics(): MemoryObjectStreamStatistics {
    return {
      current_buffer_used: this.buffer.size,
      max_buffer_size: this.max_buffer_size,
      open_send_streams: this.open_senders,
      open_receive_streams: this.open_receivers,
      tasks_waiting_send: this.senders.waiting,
      tasks_waiting_receive: this.receivers.waiting,
    };
  }
}

/** A call that need not wait, or must not. */
function attempt<T>(signal: AbortSignal | undefined, fn: () => T): Future<T> {
  try {
    signal?.throwIfAborted();
    return done_future(fn());
  } catch (error) {
    const future = new Future<T>();
    future._fail(error);
    return future;
  }
}

function closed_while_waiting(): ClosedResourceError {
  return new ClosedResourceError("Cannot receive: this end was closed meanwhile");
}

/**
 * The sending end of a memory object stream; see `create_memory_object_stream()`.
 *
 * Whoever has it closes it; several senders have a clone each.
 *
 * @typeParam T The type of the items.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const [send, receive] = asyncio.create_memory_object_stream<number>(1);
 * await send.send(1);
 * send.close();
 * for await (const item of receive) console.log(item); // 1
 * receive.close();
 * ```
 */
export class MemoryObjectSendStream<T> implements Disposable {
  readonly #channel: Channel<T>;
  #closed = false;

  /** Made by `create_memory_object_stream()`. @internal */
  constructor(channel: unknown) {
    this.#channel = channel as Channel<T>;
    this.#channel.open_senders++;
  }

  /**
   * Sends an item, once there is room for it, or somebody who receives it.
   *
   * @param item The item.
   * @param options A signal that ends the wait.
   * @returns A future; to cancel it sends nothing. Once a receiver has taken the item, it is too late for that, and for the
   * signal: the future has its result. A task that awaits it hears of its own cancellation all the same.
   * @throws {TypeError} If the signal is not an `AbortSignal`.
   * @throws {ClosedResourceError} If this end is closed.
   * @throws {BrokenResourceError} If every receiving end is closed, before or meanwhile.
   */
  send(item: T, options?: MemoryStreamOptions): Future<void> {
    const signal = wait_signal(options);
    const channel = this.#channel;
    if (this.#closed || channel.open_receivers === 0 || signal?.aborted || channel.put(item)) {
      return attempt(signal, () => this.#check());
    }
    return new Sender(channel.senders, item, signal);
  }

  /**
   * Sends an item if that need not wait.
   *
   * @param item The item.
   * @throws {WouldBlock} If there is no room.
   * @throws {ClosedResourceError} If this end is closed.
   * @throws {BrokenResourceError} If every receiving end is closed.
   */
  send_nowait(item: T): void {
    this.#check();
    if (!this.#channel.put(item)) throw new WouldBlock("The buffer is full, and nobody waits for an item");
  }

  #check(): void {
    if (this.#closed) throw new ClosedResourceError("Cannot send: this end is closed");
    if (this.#channel.open_receivers === 0) throw new BrokenResourceError("Cannot send: every receiving end is closed");
  }

  /**
   * Makes another sending end of the same stream, which has to be closed as well.
   *
   * @returns The other end.
   * @throws {ClosedResourceError} If this end is closed.
   */
  clone(): MemoryObjectSendStream<T> {
    if (this.#closed) throw new ClosedResourceError("Cannot clone: this end is closed");
    return new MemoryObjectSendStream<T>(this.#channel);
  }

  /**
   * Closes this end. With the last one closed, receivers get what is left, then the end of the stream. What a `send()`
   * waits with is sent all the same.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (--this.#channel.open_senders === 0) this.#channel.receivers.wake_all();
  }

  /**
   * What the stream holds now.
   *
   * @returns The numbers.
   */
  statistics(): MemoryObjectStreamStatistics {
    return this.#channel.statistics();
  }

  /** Closes this end at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** @ignore */
  [INSPECT](): string {
    return `<MemoryObjectSendStream ${this.#closed ? "closed" : "open"} buffered=${this.#channel.buffer.size}>`;
  }
}

/**
 * The receiving end of a memory object stream; see `create_memory_object_stream()`.
 *
 * Each item goes to one receiver. Whoever has this end closes it; several receivers have a clone each.
 *
 * @typeParam T The type of the items.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const [send, receive] = asyncio.create_memory_object_stream<string>(1);
 * send.send_nowait("hello");
 * console.log(await receive.receive()); // hello
 * send.close();
 * receive.close();
 * ```
 */
export class MemoryObjectReceiveStream<T> implements Disposable {
  readonly #channel: Channel<T>;
  readonly #end: ReceivingEnd = { closed: false, waiting: 0 };

  /** Made by `create_memory_object_stream()`. @internal */
  constructor(channel: unknown) {
    this.#channel = channel as Channel<T>;
    this.#channel.open_receivers++;
  }

  /**
   * Receives an item, once there is one.
   *
   * @param options A signal that ends the wait.
   * @returns A future of the item; to cancel it takes none. An item that can be awaited is awaited with it: send such
   * wrapped, in an array for one, or take them by `for await`.
   * @throws {TypeError} If the signal is not an `AbortSignal`.
   * @throws {EndOfStream} If every sending end is closed and nothing is left.
   * @throws {ClosedResourceError} If this end is closed, before or meanwhile.
   */
  receive(options?: MemoryStreamOptions): Future<T> {
    return this.#enter(() => this.#channel.take(), wait_signal(options));
  }

  /** Calls `visit`, now or when there is an item, for a future of what it returns. */
  #enter<R>(visit: () => R, signal: AbortSignal | undefined): Future<R> {
    const channel = this.#channel;
    if (this.#end.closed || signal?.aborted || channel.can_receive()) {
      return attempt(signal, () => {
        this.#check("receive");
        return visit();
      });
    }
    return new Receiver(channel.receivers, this.#end, visit, signal);
  }

  #check(what: string): void {
    if (this.#end.closed) throw new ClosedResourceError(`Cannot ${what}: this end is closed`);
  }

  /**
   * Receives an item if there is one.
   *
   * @returns The item.
   * @throws {WouldBlock} If there is none.
   * @throws {EndOfStream} If every sending end is closed and nothing is left.
   * @throws {ClosedResourceError} If this end is closed.
   */
  receive_nowait(): T {
    this.#check("receive");
    return this.#channel.take();
  }

  /**
   * Makes another receiving end of the same stream, which has to be closed as well.
   *
   * @returns The other end.
   * @throws {ClosedResourceError} If this end is closed.
   */
  clone(): MemoryObjectReceiveStream<T> {
    this.#check("clone");
    return new MemoryObjectReceiveStream<T>(this.#channel);
  }

  /**
   * Closes this end: its calls that wait get a `ClosedResourceError`. With the last one closed, senders get a
   * `BrokenResourceError`.
   */
  close(): void {
    const [channel, end] = [this.#channel, this.#end];
    if (end.closed) return;
    end.closed = true;
    if (end.waiting > 0) channel.receivers.dismiss((receiver) => receiver.end === end, closed_while_waiting);
    if (--channel.open_receivers === 0) channel.senders.wake_all();
  }

  /**
   * What the stream holds now.
   *
   * @returns The numbers.
   */
  statistics(): MemoryObjectStreamStatistics {
    return this.#channel.statistics();
  }

  /**
   * Receives items until every sending end is closed and nothing is left.
   *
   * @returns An iterator of the items. To leave the loop takes nothing more, and closes nothing.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<T, undefined> {
    // Not an async generator: its `yield` would await an item that can be awaited.
    return {
      next: () => this.#enter(() => this.#next(), undefined),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  #next(): IteratorResult<T, undefined> {
    try {
      return { done: false, value: this.#channel.take() };
    } catch (error) {
      if (error instanceof EndOfStream) return { done: true, value: undefined };
      throw error;
    }
  }

  /** Closes this end at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** @ignore */
  [INSPECT](): string {
    return `<MemoryObjectReceiveStream ${this.#end.closed ? "closed" : "open"} buffered=${this.#channel.buffer.size}>`;
  }
}

/**
 * Makes a stream of objects between tasks, with an end to send and an end to receive.
 *
 * Unlike a queue, it tells its receivers when nothing more will come: once every sending end is closed.
 *
 * @typeParam T The type of the items.
 * @param max_buffer_size How many items wait in it before `send()` does; 0 has each `send()` wait for a receiver,
 * `Infinity` none.
 * @returns Both ends; each is closed by whoever has it.
 * @throws {TypeError} If `max_buffer_size` is not a number.
 * @throws {RangeError} If it is below 0, or neither whole nor `Infinity`.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(async () => {
 *   const [send, receive] = asyncio.create_memory_object_stream<number>();
 *   await asyncio.async_with(new asyncio.TaskGroup(), (group) => {
 *     group.create_task(async () => {
 *       using _ = send;
 *       for (const item of [1, 2, 3]) await send.send(item);
 *     });
 *     group.create_task(async () => {
 *       using _ = receive;
 *       for await (const item of receive) console.log(item); // 1, 2, 3
 *     });
 *   });
 * });
 * ```
 */
export function create_memory_object_stream<T>(
  max_buffer_size: number = 0,
): [send: MemoryObjectSendStream<T>, receive: MemoryObjectReceiveStream<T>] {
  check_number("max_buffer_size", max_buffer_size);
  if (max_buffer_size < 0 || (max_buffer_size !== Infinity && !Number.isInteger(max_buffer_size))) {
    throw new RangeError(`"max_buffer_size" must be a whole number of 0 or more, or Infinity, got ${max_buffer_size}`);
  }
  const channel = new Channel<T>(max_buffer_size);
  return [new MemoryObjectSendStream<T>(channel), new MemoryObjectReceiveStream<T>(channel)];
}
