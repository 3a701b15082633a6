/**
 * Queues between tasks.
 *
 * @module
 */

import { current_loop } from "./_context.ts";
import { INSPECT } from "./constants.ts";
import { check_callable, check_number, QueueEmpty, QueueFull, QueueShutDown, shown } from "./exceptions.ts";
import { Future } from "./futures.ts";
import { Line, Place } from "./_line.ts";
import { type AcquireOptions, Event } from "./locks.ts";

/**
 * Options of `queue.shutdown()`.
 */
export interface QueueShutdownOptions {
  /**
   * Drops what is in the queue, so that `get()` fails at once.
   *
   * @default false
   */
  readonly immediate?: boolean;
}

/**
 * What holds a queue's items; each kind gives them back in its own order.
 *
 * @internal
 */
export interface Store<T> {
  readonly size: number;
  put(item: T): void;
  get(): T;
}

/** First in, first out: an array whose front is cut off now and then. */
class Fifo<T> implements Store<T> {
  #items: (T | undefined)[] = [];
  #first = 0;

  get size(): number {
    return this.#items.length - this.#first;
  }

  put(item: T): void {
    this.#items.push(item);
  }

  get(): T {
    const item = this.#items[this.#first] as T;
    this.#items[this.#first++] = undefined;
    if (this.#first === this.#items.length) {
      this.#items.length = this.#first = 0;
    } else if (this.#first > 1024 && 2 * this.#first > this.#items.length) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    return item;
  }
}

/** Last in, first out. */
class Lifo<T> implements Store<T> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  put(item: T): void {
    this.#items.push(item);
  }

  get(): T {
    return this.#items.pop() as T;
  }
}

/** Smallest first, and of equals the one that came first: a binary heap. */
class Heap<T> implements Store<T> {
  readonly #items: { readonly item: T; readonly order: number }[] = [];
  readonly #compare: (a: T, b: T) => number;
  #last_order = 0;

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#items.length;
  }

  put(item: T): void {
    const items = this.#items;
    // Compared with itself, an item that has no order is refused before it is in the heap.
    if (items.length === 0) this.#compare(item, item);
    const entry = { item, order: ++this.#last_order };
    let at = items.length;
    const path: number[] = [];
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#compare(item, items[parent].item) >= 0) break;
      path.push(at);
      at = parent;
    }
    // Only now, when no comparison can fail any more, is the heap changed.
    for (const place of path) items[place] = items[(place - 1) >> 1];
    items[at] = entry;
  }

  get(): T {
    const items = this.#items;
    const first = items[0].item;
    const last = items.pop()!;
    if (items.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && this.#is_before(items[child + 1], items[child])) child++;
      if (!this.#is_before(items[child], last)) break;
      items[at] = items[child];
      at = child;
    }
    items[at] = last;
    return first;
  }

  #is_before(a: { item: T; order: number }, b: { item: T; order: number }): boolean {
    const difference = this.#compare(a.item, b.item);
    return difference < 0 || (difference === 0 && a.order < b.order);
  }
}

/** Python's order of numbers, strings, dates, and of arrays of these, which compare like tuples. */
function compare_values(a: unknown, b: unknown): number {
  if (Array.isArray(a) && Array.isArray(b)) {
    const length = Math.min(a.length, b.length);
    for (let i = 0; i < length; i++) {
      if (Object.is(a[i], b[i])) continue;
      const difference = compare_values(a[i], b[i]);
      if (difference !== 0) return difference;
    }
    return a.length - b.length;
  }
  const [x, y] = [a instanceof Date ? a.getTime() : a, b instanceof Date ? b.getTime() : b];
  const is_number = (value: unknown) => typeof value === "number" || typeof value === "bigint";
  if ((is_number(x) && is_number(y)) || (typeof x === "string" && typeof y === "string")) {
    return x! < y! ? -1 : x! > y! ? 1 : 0;
  }
  if (typeof x === "boolean" && typeof y === "boolean") return Number(x) - Number(y);
  throw new TypeError(`Cannot compare ${shown(a)} with ${shown(b)}: give the queue a "compare" option`);
}

/** One who waits to put an item. */
class Putter<T> extends Place<void> {
  readonly item: T;

  constructor(queue_line: Line<void, Putter<T>>, item: T, signal?: AbortSignal) {
    super(current_loop(), queue_line, signal);
    this.item = item;
  }
}

/**
 * A queue, first in, first out.
 *
 * `get()` waits while it is empty, `put()` while it is full. Both serve their callers in the order of their coming, and
 * may be cancelled at any moment without an item being lost. `for await` takes items until the queue is shut down.
 *
 * @typeParam T The type of the items.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(async () => {
 *   const queue = new asyncio.Queue<number>(2);
 *   const consumer = asyncio.create_task(async () => {
 *     let sum = 0;
 *     for await (const item of queue) sum += item;
 *     return sum;
 *   });
 *   for (const item of [1, 2, 3]) await queue.put(item);
 *   queue.shutdown();
 *   console.log(await consumer); // 6
 * });
 * ```
 */
export class Queue<T> {
  readonly #maxsize: number;
  #unfinished = 0;
  #shut_down = false;
  readonly #finished = new Event();
  readonly #getters: Line<T> = new Line<T>({
    ready: () => !this.empty() || this.#shut_down,
    take: () => this.get_nowait(),
    left: (woken) => {
      if (woken && !this.empty()) this.#getters.wake_next();
    },
  });
  readonly #putters: Line<void, Putter<T>> = new Line<void, Putter<T>>({
    ready: () => !this.full() || this.#shut_down,
    take: (putter) => this.put_nowait(putter.item),
    left: (woken) => {
      if (woken && !this.full()) this.#putters.wake_next();
    },
  });

  /**
   * Makes an empty queue.
   *
   * @param maxsize How many items it holds; 0 or less for any number.
   * @throws {TypeError} If `maxsize` is not a number.
   */
  constructor(maxsize: number = 0) {
    check_number("maxsize", maxsize);
    this.#maxsize = maxsize;
    this.#finished.set();
  }

  /** How many items it holds; 0 or less for any number. */
  get maxsize(): number {
    return this.#maxsize;
  }

  /**
   * How many items are in it.
   *
   * @returns The number.
   */
  qsize(): number {
    return this._store.size;
  }

  /**
   * Tells whether it has no item.
   *
   * @returns True if so.
   */
  empty(): boolean {
    return this._store.size === 0;
  }

  /**
   * Tells whether it holds as many items as it may.
   *
   * @returns True if so; never without a `maxsize`.
   */
  full(): boolean {
    return this.#maxsize > 0 && this._store.size >= this.#maxsize;
  }

  /**
   * Puts an item in, once there is room.
   *
   * @param item The item.
   * @param options A signal that ends the wait.
   * @returns A future; to cancel it puts nothing in.
   * @throws {QueueShutDown} If the queue is shut down, before or meanwhile.
   */
  put(item: T, options?: AcquireOptions): Future<void> {
    if (this.full() && !this.#shut_down) return new Putter(this.#putters, item, options?.signal);
    return attempt(options, () => this.put_nowait(item));
  }

  /**
   * Puts an item in.
   *
   * @param item The item.
   * @throws {QueueFull} If there is no room.
   * @throws {QueueShutDown} If the queue is shut down.
   */
  put_nowait(item: T): void {
    if (this.#shut_down) throw new QueueShutDown();
    if (this.full()) throw new QueueFull();
    this._store.put(item);
    this.#unfinished++;
    this.#finished.clear();
    this.#getters.wake_next();
  }

  /**
   * Takes an item out, once there is one.
   *
   * @param options A signal that ends the wait.
   * @returns A future of the item; to cancel it takes nothing out.
   * @throws {QueueShutDown} If the queue is shut down and empty, before or meanwhile.
   */
  get(options?: AcquireOptions): Future<T> {
    if (this.empty() && !this.#shut_down) return new Place(current_loop(), this.#getters, options?.signal);
    return attempt(options, () => this.get_nowait());
  }

  /**
   * Takes an item out.
   *
   * @returns The item.
   * @throws {QueueEmpty} If there is none.
   * @throws {QueueShutDown} If there is none and the queue is shut down.
   */
  get_nowait(): T {
    if (this.empty()) throw this.#shut_down ? new QueueShutDown() : new QueueEmpty();
    const item = this._store.get();
    this.#putters.wake_next();
    return item;
  }

  /**
   * Tells that the work on an item that was taken out is done; see `join()`.
   *
   * @throws {RangeError} If it is called more often than items were put in.
   */
  task_done(): void {
    if (this.#unfinished <= 0) throw new RangeError("task_done() called too many times");
    if (--this.#unfinished === 0) this.#finished.set();
  }

  /**
   * Waits until `task_done()` was called for every item that was put in.
   *
   * @param options A signal that ends the wait.
   * @returns A future.
   */
  join(options?: AcquireOptions): Future<true> {
    return this.#finished.wait(options);
  }

  /**
   * Ends the queue: `put()` fails from now on, and `get()` once the queue is empty; so do the calls that wait.
   *
   * @param options Whether to drop the items; each dropped one counts as done for `join()`.
   */
  shutdown(options?: QueueShutdownOptions): void {
    this.#shut_down = true;
    if (options?.immediate) {
      while (!this.empty()) {
        this._store.get();
        if (this.#unfinished > 0) this.#unfinished--;
      }
      if (this.#unfinished === 0) this.#finished.set();
    }
    this.#getters.wake_all();
    this.#putters.wake_all();
  }

  /**
   * Takes items out until the queue is shut down and empty.
   *
   * @returns An iterator of the items.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<T> {
    return {
      next: async () => {
        try {
          return { done: false, value: await this.get() };
        } catch (error) {
          if (error instanceof QueueShutDown) return { done: true, value: undefined };
          throw error;
        }
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /**
   * What holds the items.
   *
   * @internal
   */
  readonly _store: Store<T> = new Fifo<T>();

  /** @ignore */
  [INSPECT](): string {
    const parts = [`<${this.constructor.name} maxsize=${this.#maxsize} size=${this.qsize()}`];
    if (this.#getters.length > 0) parts.push(`getters=${this.#getters.length}`);
    if (this.#putters.length > 0) parts.push(`putters=${this.#putters.length}`);
    if (this.#unfinished > 0) parts.push(`unfinished=${this.#unfinished}`);
    if (this.#shut_down) parts.push("shutdown");
    return `${parts.join(" ")}>`;
  }
}

/**
 * A queue, last in, first out.
 *
 * @typeParam T The type of the items.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const queue = new asyncio.LifoQueue<string>();
 * queue.put_nowait("first");
 * queue.put_nowait("last");
 * console.log(queue.get_nowait()); // last
 * ```
 */
export class LifoQueue<T> extends Queue<T> {
  /**
   * What holds the items.
   *
   * @internal
   */
  override readonly _store: Store<T> = new Lifo<T>();
}

/**
 * Options of `new PriorityQueue()`.
 *
 * @typeParam T The type of the items.
 */
export interface PriorityQueueOptions<T> {
  /**
   * Puts two items in order, as `Array.prototype.sort()` has it.
   *
   * @default numbers, strings, bigints, dates and booleans by size, arrays of them like Python's tuples
   */
  readonly compare?: (a: T, b: T) => number;
}

/**
 * A queue that gives the smallest item first, and of equals the one that came first.
 *
 * Differs from asyncio: equal items keep their order.
 *
 * @typeParam T The type of the items.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const queue = new asyncio.PriorityQueue<[number, string]>();
 * queue.put_nowait([2, "later"]);
 * queue.put_nowait([1, "now"]);
 * console.log(queue.get_nowait()); // [1, "now"]
 * ```
 */
export class PriorityQueue<T> extends Queue<T> {
  /**
   * What holds the items.
   *
   * @internal
   */
  override readonly _store: Store<T>;

  /**
   * Makes an empty queue.
   *
   * @param maxsize How many items it holds; 0 or less for any number.
   * @param options How items are compared.
   * @throws {TypeError} If `maxsize` is not a number, or `compare` not a function.
   */
  constructor(maxsize: number = 0, options?: PriorityQueueOptions<T>) {
    super(maxsize);
    if (options?.compare !== undefined) check_callable("compare", options.compare);
    this._store = new Heap<T>(options?.compare ?? compare_values);
  }
}

/** What a call that need not wait gives. */
function attempt<T>(options: AcquireOptions | undefined, fn: () => T): Future<T> {
  const future = new Future<T>();
  try {
    options?.signal?.throwIfAborted();
    future.set_result(fn());
  } catch (error) {
    future.set_exception(error);
  }
  return future;
}
