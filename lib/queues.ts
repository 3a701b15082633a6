/**
 * Queues between tasks.
 *
 * @module
 */

import { INSPECT } from "./constants.ts";
import { check_callable, check_number, check_options, QueueEmpty, QueueFull, QueueShutDown } from "./exceptions.ts";
import type { Future } from "./futures.ts";
import { Gate } from "./_line.ts";
import type { AcquireOptions } from "./locks.ts";
import { compare_values, Fifo, Heap, Lifo, type Store } from "./_stores.ts";

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
  readonly #getters: Gate = new Gate({
    open: () => this.#can_get(),
    ready: () => this.#can_get(),
    left: (woken) => {
      if (woken && !this.empty()) this.#getters.wake_next();
    },
    call: "get",
    of: this,
  });
  readonly #putters: Gate = new Gate({
    open: () => this.#can_put(),
    ready: () => this.#can_put(),
    left: (woken) => {
      if (woken && !this.full()) this.#putters.wake_next();
    },
    call: "put",
    of: this,
  });
  /** As in asyncio, one that was woken goes on even if an item has come since. */
  readonly #joiners: Gate = new Gate({ open: () => this.#unfinished === 0, call: "join", of: this });

  /**
   * Makes an empty queue.
   *
   * @param maxsize How many items it holds; 0 or less for any number.
   * @throws {TypeError} If `maxsize` is not a number.
   * @throws {RangeError} If it is NaN.
   */
  constructor(maxsize: number = 0) {
    check_number("maxsize", maxsize);
    this.#maxsize = maxsize;
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

  /** Whether `get()` need not wait, if only to fail. */
  #can_get(): boolean {
    return !this.empty() || this.#shut_down;
  }

  /** Whether `put()` need not wait, if only to fail. */
  #can_put(): boolean {
    return !this.full() || this.#shut_down;
  }

  /**
   * Puts an item in, once there is room.
   *
   * @param item The item.
   * @param options A signal that ends the wait.
   * @returns A future; to cancel it while it waits puts nothing in.
   * @throws {TypeError} If the signal is not an `AbortSignal`.
   * @throws {QueueShutDown} If the queue is shut down, before or meanwhile.
   */
  put(item: T, options?: AcquireOptions): Future<void> {
    return this.#putters.enter(() => this.put_nowait(item), options);
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
    this.#getters.wake_next();
  }

  /**
   * Takes an item out, once there is one.
   *
   * @param options A signal that ends the wait.
   * @returns A future of the item; to cancel it while it waits takes nothing out. An item that can be awaited is awaited
   * with it: put such in wrapped, in an array for one, or take them by `for await`.
   * @throws {TypeError} If the signal is not an `AbortSignal`.
   * @throws {QueueShutDown} If the queue is shut down and empty, before or meanwhile.
   */
  get(options?: AcquireOptions): Future<T> {
    return this.#getters.enter(() => this.get_nowait(), options);
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
    if (--this.#unfinished === 0) this.#joiners.wake_all();
  }

  /**
   * Waits until `task_done()` was called for every item that was put in.
   *
   * @param options A signal that ends the wait.
   * @returns A future.
   * @throws {TypeError} If the signal is not an `AbortSignal`.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * await asyncio.run(async () => {
   *   const queue = new asyncio.Queue<number>();
   *   asyncio.create_task(async () => {
   *     for await (const delay of queue) {
   *       await asyncio.sleep(delay);
   *       queue.task_done();
   *     }
   *   });
   *   queue.put_nowait(0.01);
   *   queue.put_nowait(0.02);
   *   await queue.join(); // both are worked off
   *   queue.shutdown();
   * });
   * ```
   */
  join(options?: AcquireOptions): Future<void> {
    return this.#joiners.enter(() => {}, options);
  }

  /**
   * Ends the queue: `put()` fails from now on, and `get()` once the queue is empty; so do the calls that wait.
   *
   * `join()` still waits for `task_done()` of the items that were taken out.
   *
   * @param options Whether to drop the items; each dropped one counts as done for `join()`.
   * @throws {TypeError} If `options` is not an object, or has an option that does not exist.
   */
  shutdown(options?: QueueShutdownOptions): void {
    check_options(options, ["immediate"]);
    this.#shut_down = true;
    if (options?.immediate) {
      while (!this.empty()) {
        this._store.get();
        if (this.#unfinished > 0) this.#unfinished--;
      }
      if (this.#unfinished === 0) this.#joiners.wake_all();
    }
    this.#getters.wake_all();
    this.#putters.wake_all();
  }

  /**
   * Takes items out until the queue is shut down and empty.
   *
   * Differs from asyncio: its queues cannot be iterated over.
   *
   * @returns An iterator of the items. To leave the loop takes nothing more out.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const queue = new asyncio.Queue<string>();
   * for (const word of ["a", "b"]) queue.put_nowait(word);
   * queue.shutdown();
   * for await (const word of queue) console.log(word); // a, b
   * ```
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<T, undefined> {
    // Not an async generator: its `yield` would await an item that can be awaited.
    return {
      next: () => this.#getters.enter(() => this.#next(), undefined),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  #next(): IteratorResult<T, undefined> {
    if (this.empty() && this.#shut_down) return { done: true, value: undefined };
    return { done: false, value: this.get_nowait() };
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
   * Tells the order of two items, as for `Array.prototype.sort()`: a number below 0 if `a` comes first.
   *
   * @default numbers, bigints, booleans and dates by size, strings by code points, arrays of them like Python's tuples
   */
  readonly compare?: (a: T, b: T) => number;
}

/**
 * A queue that gives the smallest item first, and of equals the one that came first.
 *
 * An item that cannot be compared with the others is refused with a `TypeError`, and the queue stays as it was. As the
 * items of an array decide one after the other, `[priority, anything]` works as long as priorities differ.
 *
 * Differs from asyncio: equal items keep their order; items may be compared by a function; NaN and invalid dates are
 * refused, since they would spoil the order of the rest; and so is an item without an order even as the only one.
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
   * @throws {RangeError} If `maxsize` is NaN.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const longest_first = new asyncio.PriorityQueue<string>(0, { compare: (a, b) => b.length - a.length });
   * for (const word of ["a", "ccc", "bb"]) longest_first.put_nowait(word);
   * console.log(longest_first.get_nowait()); // ccc
   * ```
   */
  constructor(maxsize: number = 0, options?: PriorityQueueOptions<T>) {
    super(maxsize);
    check_options(options, ["compare"]);
    if (options?.compare !== undefined) check_callable("compare", options.compare);
    this._store = new Heap<T>(options?.compare ?? compare_values);
  }
}
