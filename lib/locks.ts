/**
 * Locks, events, conditions, semaphores and barriers for the tasks of one loop.
 *
 * @module
 */

import { async_with, type AsyncContextManager } from "./async_with.ts";
import { current_loop } from "./_context.ts";
import { INSPECT } from "./constants.ts";
import { BrokenBarrierError, CancelledError, check_callable, check_number, RuntimeError, shown } from "./exceptions.ts";
import { Call, Future } from "./futures.ts";
import { Line, Place } from "./_line.ts";

/**
 * Options of the calls that wait for a lock and its like.
 */
export interface AcquireOptions {
  /** Ends the wait when it aborts, with its reason. */
  readonly signal?: AbortSignal;
}

/** A future that is done. */
function done<T>(result: T): Future<T> {
  const future = new Future<T>();
  future.set_result(result);
  return future;
}

/** A future that failed, because the signal was aborted before the call; `null` if it was not. */
function refused<T>(options: AcquireOptions | undefined): Future<T> | null {
  if (!options?.signal?.aborted) return null;
  const future = new Future<T>();
  future.set_exception(options.signal.reason);
  return future;
}

/** What `hold()` gives: disposing of it releases, once. */
class Hold implements Disposable {
  #release: (() => void) | null;

  constructor(release: () => void) {
    this.#release = release;
  }

  [Symbol.dispose](): void {
    const release = this.#release;
    this.#release = null;
    release?.();
  }
}

/** Acquires, and gives a hold; one that nobody gets any more, because its waiter was cancelled, is released. */
class Holding extends Call<Disposable> {
  constructor(acquire: () => Future<true>, release: () => void) {
    super(async () => {
      await acquire();
      return new Hold(release);
    });
  }

  override _lose(): void {
    if (!this.cancelled() && this._error === undefined) this.result()[Symbol.dispose]();
  }
}

/**
 * Lets one task at a time through, in the order in which they asked.
 *
 * It is not re-entrant, and any code may release it. A task that is cancelled while it waits leaves the line; if its turn
 * had come already, the next one's comes.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const lock = new asyncio.Lock();
 * await asyncio.async_with(lock, async () => {
 *   await asyncio.sleep(0.01); // nobody else is in here meanwhile
 * });
 *
 * {
 *   using _hold = await lock.hold();
 *   console.log(lock.locked()); // true
 * }
 * console.log(lock.locked()); // false
 * ```
 */
export class Lock implements AsyncContextManager<null> {
  #locked = false;
  readonly #line: Line<true> = new Line<true>({
    ready: () => !this.#locked,
    take: () => this.#locked = true,
    left: () => this.#wake(),
  });

  /**
   * Waits until the lock is free, and takes it.
   *
   * @param options A signal that ends the wait.
   * @returns A future of true. To cancel it leaves the line.
   */
  acquire(options?: AcquireOptions): Future<true> {
    if (this.#locked || this.#line.length > 0) return new Place(current_loop(), this.#line, options?.signal);
    const refusal = refused<true>(options);
    if (refusal !== null) return refusal;
    this.#locked = true;
    return done(true);
  }

  /**
   * Frees the lock, for the next in line if there is one.
   *
   * @throws {RuntimeError} If it is free.
   */
  release(): void {
    if (!this.#locked) throw new RuntimeError("Lock is not acquired.");
    this.#locked = false;
    this.#wake();
  }

  /**
   * Waits until the lock is free, takes it, and gives something that frees it at the end of a `using` block.
   *
   * @param options A signal that ends the wait.
   * @returns A future of the hold.
   */
  hold(options?: AcquireOptions): Future<Disposable> {
    return new Holding(() => this.acquire(options), () => this.release());
  }

  /**
   * Tells whether somebody has the lock.
   *
   * @returns True between `acquire()` and `release()`.
   */
  locked(): boolean {
    return this.#locked;
  }

  #wake(): void {
    if (!this.#locked) this.#line.wake_first();
  }

  /**
   * Acquires the lock; called by `async_with()`.
   *
   * @returns A promise of `null`.
   */
  async __aenter__(): Promise<null> {
    await this.acquire();
    return null;
  }

  /**
   * Releases the lock; called by `async_with()`.
   *
   * @param _error What the body threw, or `null`.
   */
  __aexit__(_error: unknown): void {
    this.release();
  }

  /** @ignore */
  [INSPECT](): string {
    return `<Lock ${this.#locked ? "locked" : "unlocked"}${waiting(this.#line.length)}>`;
  }
}

function waiting(count: number): string {
  return count === 0 ? "" : ` waiters=${count}`;
}

/**
 * A flag that tasks can wait for.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(async () => {
 *   const ready = new asyncio.Event();
 *   const waiter = asyncio.create_task(async () => {
 *     await ready.wait();
 *     return "go";
 *   });
 *   ready.set();
 *   console.log(await waiter); // go
 * });
 * ```
 */
export class Event {
  #set = false;
  readonly #line: Line<true> = new Line<true>({ ready: () => true, take: () => true, left: () => {} });

  /**
   * Tells whether the flag is set.
   *
   * @returns True between `set()` and `clear()`.
   */
  is_set(): boolean {
    return this.#set;
  }

  /** Sets the flag, and wakes all who wait, even if it is cleared again before they run. */
  set(): void {
    this.#set = true;
    this.#line.wake_all();
  }

  /** Clears the flag. */
  clear(): void {
    this.#set = false;
  }

  /**
   * Waits until the flag is set.
   *
   * @param options A signal that ends the wait.
   * @returns A future of true.
   */
  wait(options?: AcquireOptions): Future<true> {
    if (!this.#set) return new Place(current_loop(), this.#line, options?.signal);
    return refused<true>(options) ?? done(true);
  }

  /** @ignore */
  [INSPECT](): string {
    return `<Event ${this.#set ? "set" : "unset"}${waiting(this.#line.length)}>`;
  }
}

/**
 * A lock with a place to wait for a change of what the lock protects.
 *
 * A notified task may be woken in vain, so it looks again, or uses `wait_for()`.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(async () => {
 *   const changed = new asyncio.Condition();
 *   let stock = 0;
 *   const buyer = asyncio.create_task(() =>
 *     asyncio.async_with(changed, async () => {
 *       await changed.wait_for(() => stock > 0);
 *       return --stock;
 *     })
 *   );
 *   await asyncio.sleep(0);
 *   await asyncio.async_with(changed, () => {
 *     stock++;
 *     changed.notify();
 *   });
 *   console.log(await buyer); // 0
 * });
 * ```
 */
export class Condition implements AsyncContextManager<null> {
  readonly #lock: Lock;
  readonly #line: Line<true> = new Line<true>({ ready: () => true, take: () => true, left: () => {} });

  /**
   * Makes a condition.
   *
   * @param lock The lock to use; several conditions may share one.
   * @throws {TypeError} If `lock` is not a `Lock`.
   */
  constructor(lock: Lock = new Lock()) {
    if (!(lock instanceof Lock)) throw new TypeError(`"lock" must be a Lock, got ${shown(lock)}`);
    this.#lock = lock;
  }

  /**
   * Acquires the lock.
   *
   * @param options A signal that ends the wait.
   * @returns A future of true.
   */
  acquire(options?: AcquireOptions): Future<true> {
    return this.#lock.acquire(options);
  }

  /**
   * Releases the lock.
   *
   * @throws {RuntimeError} If it is free.
   */
  release(): void {
    this.#lock.release();
  }

  /**
   * Acquires the lock, and gives something that releases it at the end of a `using` block.
   *
   * @param options A signal that ends the wait.
   * @returns A future of the hold.
   */
  hold(options?: AcquireOptions): Future<Disposable> {
    return this.#lock.hold(options);
  }

  /**
   * Tells whether somebody has the lock.
   *
   * @returns True if so.
   */
  locked(): boolean {
    return this.#lock.locked();
  }

  /**
   * Releases the lock, waits for a notification, and acquires the lock again.
   *
   * However it ends, the lock is held again. A task that is cancelled after it was notified passes the notification on.
   *
   * @param options A signal that ends the wait.
   * @returns A future of true.
   * @throws {RuntimeError} If the lock is not held.
   */
  wait(options?: AcquireOptions): Future<true> {
    return new Call(async () => {
      if (!this.locked()) throw new RuntimeError("cannot wait on un-acquired lock");
      this.release();
      let failed = false;
      let failure: unknown;
      try {
        await new Place(current_loop(), this.#line, options?.signal);
      } catch (error) {
        failed = true;
        failure = error;
      }
      for (;;) {
        try {
          await this.acquire();
          break;
        } catch (error) {
          if (!(error instanceof CancelledError)) throw error;
          failed = true;
          failure = error;
        }
      }
      if (!failed) return true as const;
      // The notification may have been for this one; a needless one is allowed.
      this.#line.wake_next();
      throw failure;
    });
  }

  /**
   * Waits until something holds.
   *
   * @param predicate Looked at before the first wait and after each, with the lock held.
   * @param options A signal that ends the wait.
   * @returns A future of the predicate's last value.
   * @throws {RuntimeError} If it has to wait and the lock is not held.
   */
  wait_for<T>(predicate: () => T, options?: AcquireOptions): Future<T> {
    check_callable("predicate", predicate);
    return new Call(async () => {
      let result = predicate();
      while (!result) {
        await this.wait(options);
        result = predicate();
      }
      return result;
    });
  }

  /**
   * Wakes tasks that wait; they go on one after the other, each when it has the lock.
   *
   * @param n How many at most.
   * @throws {RuntimeError} If the lock is not held.
   */
  notify(n: number = 1): void {
    check_number("n", n);
    if (!this.locked()) throw new RuntimeError("cannot notify on un-acquired lock");
    for (let i = 0; i < n && this.#line.wake_next() !== null; i++);
  }

  /**
   * Wakes all tasks that wait.
   *
   * @throws {RuntimeError} If the lock is not held.
   */
  notify_all(): void {
    this.notify(Infinity);
  }

  /**
   * Acquires the lock; called by `async_with()`.
   *
   * @returns A promise of `null`.
   */
  __aenter__(): Promise<null> {
    return this.#lock.__aenter__();
  }

  /**
   * Releases the lock; called by `async_with()`.
   *
   * @param _error What the body threw, or `null`.
   */
  __aexit__(_error: unknown): void {
    this.release();
  }

  /** @ignore */
  [INSPECT](): string {
    return `<Condition ${this.locked() ? "locked" : "unlocked"}${waiting(this.#line.length)}>`;
  }
}

/**
 * Lets a number of tasks through at a time, in the order in which they asked.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const at_most_two = new asyncio.Semaphore(2);
 * const fetch_one = (n: number) => asyncio.async_with(at_most_two, () => asyncio.sleep(0.01, n));
 * console.log(await asyncio.gather(...[1, 2, 3].map((n) => () => fetch_one(n)))); // [1, 2, 3]
 * ```
 */
export class Semaphore implements AsyncContextManager<null> {
  #value: number;
  readonly #line: Line<true> = new Line<true>({
    // A place is woken with a permit in hand.
    ready: () => true,
    take: () => {
      this.#share();
      return true;
    },
    left: (woken) => {
      if (woken) this.#value++;
      this.#share();
    },
  });

  /**
   * Makes a semaphore.
   *
   * @param value How many permits there are.
   * @throws {TypeError} If `value` is not a number.
   * @throws {RangeError} If it is below 0.
   */
  constructor(value: number = 1) {
    check_number("value", value);
    if (value < 0) throw new RangeError(`Semaphore initial value must be >= 0: "value" is ${value}`);
    this.#value = value;
  }

  /**
   * Waits for a permit, and takes it.
   *
   * @param options A signal that ends the wait.
   * @returns A future of true. To cancel it leaves the line.
   */
  acquire(options?: AcquireOptions): Future<true> {
    if (this.locked()) return new Place(current_loop(), this.#line, options?.signal);
    const refusal = refused<true>(options);
    if (refusal !== null) return refusal;
    this.#value--;
    return done(true);
  }

  /** Gives a permit back, to the next in line if there is one. */
  release(): void {
    this.#value++;
    this.#wake_next();
  }

  /**
   * Waits for a permit, and gives something that returns it at the end of a `using` block.
   *
   * @param options A signal that ends the wait.
   * @returns A future of the hold.
   */
  hold(options?: AcquireOptions): Future<Disposable> {
    return new Holding(() => this.acquire(options), () => this.release());
  }

  /**
   * Tells whether `acquire()` would wait: no permit is left, or others are in line.
   *
   * @returns True if it would wait.
   */
  locked(): boolean {
    return this.#value === 0 || this.#line.length > 0;
  }

  #wake_next(): boolean {
    if (this.#value === 0 || this.#line.wake_next() === null) return false;
    this.#value--;
    return true;
  }

  /** Tasks may have had to join the line behind others although permits were left. */
  #share(): void {
    while (this.#wake_next());
  }

  /** @internal */
  get _value(): number {
    return this.#value;
  }

  /**
   * Takes a permit; called by `async_with()`.
   *
   * @returns A promise of `null`.
   */
  async __aenter__(): Promise<null> {
    await this.acquire();
    return null;
  }

  /**
   * Gives the permit back; called by `async_with()`.
   *
   * @param _error What the body threw, or `null`.
   */
  __aexit__(_error: unknown): void {
    this.release();
  }

  /** @ignore */
  [INSPECT](): string {
    return `<${this.constructor.name} value=${this.#value}${waiting(this.#line.length)}>`;
  }
}

/**
 * A semaphore that refuses to get more permits back than it gave.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const semaphore = new asyncio.BoundedSemaphore(1);
 * await semaphore.acquire();
 * semaphore.release();
 * try {
 *   semaphore.release();
 * } catch (error) {
 *   console.log(error instanceof RangeError); // true
 * }
 * ```
 */
export class BoundedSemaphore extends Semaphore {
  readonly #bound: number;

  /**
   * Makes a semaphore.
   *
   * @param value How many permits there are.
   * @throws {TypeError} If `value` is not a number.
   * @throws {RangeError} If it is below 0.
   */
  constructor(value: number = 1) {
    super(value);
    this.#bound = value;
  }

  /**
   * Gives a permit back, to the next in line if there is one.
   *
   * @throws {RangeError} If none was taken.
   */
  override release(): void {
    if (this._value >= this.#bound) throw new RangeError("BoundedSemaphore released too many times");
    super.release();
  }
}

/**
 * A point where a number of tasks wait for each other.
 *
 * When the last has come, all go on, and the barrier can be used again. Tasks that come while it drains wait for the next
 * round. A task that is cancelled leaves; the barrier is not broken by it.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const barrier = new asyncio.Barrier(2);
 * const arrive = () => asyncio.async_with(barrier, (index) => index);
 * console.log(await asyncio.gather(arrive, () => arrive())); // 0 and 1, in some order
 * ```
 */
export class Barrier implements AsyncContextManager<number> {
  readonly #changed = new Condition();
  readonly #parties: number;
  #state: "filling" | "draining" | "resetting" | "broken" = "filling";
  #count = 0;

  /**
   * Makes a barrier.
   *
   * @param parties How many tasks it takes.
   * @throws {TypeError} If `parties` is not a number.
   * @throws {RangeError} If it is below 1.
   */
  constructor(parties: number) {
    check_number("parties", parties);
    if (parties < 1) throw new RangeError(`parties must be > 0: "parties" is ${parties}`);
    this.#parties = parties;
  }

  /** How many tasks it takes. */
  get parties(): number {
    return this.#parties;
  }

  /** How many tasks wait in it now. */
  get n_waiting(): number {
    return this.#state === "filling" ? this.#count : 0;
  }

  /** Whether `abort()` was called. */
  get broken(): boolean {
    return this.#state === "broken";
  }

  /**
   * Waits until as many tasks have come as the barrier takes.
   *
   * @returns A future of this task's number among them, from 0.
   * @throws {BrokenBarrierError} If the barrier is reset or aborted meanwhile, or was aborted before.
   */
  wait(): Future<number> {
    return async_with(this.#changed, async () => {
      await this.#changed.wait_for(() => this.#state !== "draining" && this.#state !== "resetting");
      if (this.#state === "broken") throw new BrokenBarrierError("Barrier aborted");
      const index = this.#count++;
      try {
        if (index + 1 === this.#parties) {
          this.#state = "draining";
          this.#changed.notify_all();
        } else {
          await this.#changed.wait_for(() => this.#state !== "filling");
          // Narrowed to "filling" by the compiler, which does not see the wait.
          const state: string = this.#state;
          if (state === "broken" || state === "resetting") throw new BrokenBarrierError("Abort or reset of barrier");
        }
        return index;
      } finally {
        if (--this.#count === 0) {
          const state: string = this.#state;
          if (state === "resetting" || state === "draining") this.#state = "filling";
          this.#changed.notify_all();
        }
      }
    });
  }

  /**
   * Empties the barrier: tasks that wait in it get a `BrokenBarrierError`; then it can be used again.
   *
   * @returns A future.
   */
  reset(): Future<void> {
    return async_with(this.#changed, () => {
      this.#state = this.#count > 0 ? "resetting" : "filling";
      this.#changed.notify_all();
    });
  }

  /**
   * Breaks the barrier for good: tasks that wait in it, or come later, get a `BrokenBarrierError`.
   *
   * @returns A future.
   */
  abort(): Future<void> {
    return async_with(this.#changed, () => {
      this.#state = "broken";
      this.#changed.notify_all();
    });
  }

  /**
   * Waits in the barrier; called by `async_with()`.
   *
   * @returns This task's number.
   */
  __aenter__(): Future<number> {
    return this.wait();
  }

  /**
   * Does nothing; called by `async_with()`.
   *
   * @param _error What the body threw, or `null`.
   */
  __aexit__(_error: unknown): void {}

  /** @ignore */
  [INSPECT](): string {
    return `<Barrier ${this.#state} ${this.n_waiting}/${this.#parties}>`;
  }
}
