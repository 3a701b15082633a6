/**
 * Locks, events and conditions for the tasks of a loop. Semaphores and barriers have rooms of their own.
 *
 * @module
 */

import type { AsyncContextManager } from "./async_with.ts";
import { INSPECT } from "./constants.ts";
import { current_observer } from "./_context.ts";
import { CancelledError, check_callable, check_number, RuntimeError, shown } from "./exceptions.ts";
import { Call, type Future, shielded } from "./futures.ts";
import { Gate, wait_signal } from "./_line.ts";

/**
 * Options of the calls that wait for a lock and its like.
 */
export interface AcquireOptions {
  /**
   * Ends the wait when it aborts: what the call gives fails with the signal's reason. A signal that is aborted already
   * has the call fail even if it need not wait.
   */
  readonly signal?: AbortSignal;
}

/** What `hold()` gives: disposing of it releases, once. */
export class Hold implements Disposable {
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

/** The part of a live one-line picture that tells how many wait. */
export function waiters(count: number): string {
  return count === 0 ? "" : ` waiters=${count}`;
}

/**
 * Lets one task at a time through, in the order in which they asked.
 *
 * It is not re-entrant, it has no owner, and any code may release it. A task that is cancelled while it waits leaves the
 * line; if its turn had come already, the next one's comes.
 *
 * Differs from asyncio: it is not bound to a loop, so tasks of several `run()`s, say those of two requests, may share
 * it. This holds for events, conditions, semaphores, barriers and queues as well.
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
  readonly #gate: Gate = new Gate({
    open: () => !this.#locked && this.#gate.length === 0,
    left: () => this.#wake(),
    call: "acquire",
    of: this,
  });

  /**
   * Waits until the lock is free, and takes it.
   *
   * @param options A signal that ends the wait.
   * @returns A future of true. To cancel it leaves the line.
   * @throws {TypeError} If the signal is not an `AbortSignal`.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const lock = new asyncio.Lock();
   * await lock.acquire();
   * try {
   *   console.log(lock.locked()); // true
   * } finally {
   *   lock.release();
   * }
   * ```
   */
  acquire(options?: AcquireOptions): Future<true> {
    const future = this.#gate.enter(() => this.#locked = true as const, options);
    if (current_observer() !== null) this.#note(future);
    return future;
  }

  /**
   * Frees the lock, and wakes the next in line if there is one.
   *
   * Until that one takes it, `locked()` is false; no other can take it meanwhile.
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
   * Differs from asyncio: there is no such method.
   *
   * @param options A signal that ends the wait.
   * @returns A future of the hold. To dispose of it twice releases once.
   * @throws {TypeError} If the signal is not an `AbortSignal`.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const lock = new asyncio.Lock();
   * {
   *   using _hold = await lock.hold({ signal: AbortSignal.timeout(1000) });
   *   await asyncio.sleep(0.01);
   * }
   * console.log(lock.locked()); // false
   * ```
   */
  hold(options?: AcquireOptions): Future<Disposable> {
    const future = this.#gate.enter(() => {
      this.#locked = true;
      return new Hold(() => this.release());
    }, options);
    if (current_observer() !== null) this.#note(future);
    return future;
  }

  /**
   * Tells whether somebody has the lock.
   *
   * @returns True between `acquire()` and `release()`.
   */
  locked(): boolean {
    return this.#locked;
  }

  // To note the task always would make an uncontended acquire() a tenth slower.
  #note(future: Future<unknown>): void {
    current_observer()!.lock_asked(this, future);
  }

  #wake(): void {
    if (!this.#locked) this.#gate.wake_first();
  }

  /**
   * Acquires the lock; called by `async_with()`.
   *
   * @returns A future of `null`.
   */
  __aenter__(): Future<null> {
    const future = this.#gate.enter(() => {
      this.#locked = true;
      return null;
    }, undefined);
    if (current_observer() !== null) this.#note(future);
    return future;
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
    return `<Lock ${this.#locked ? "locked" : "unlocked"}${waiters(this.#gate.length)}>`;
  }
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
  readonly #gate: Gate = new Gate({ open: () => this.#set, call: "wait", of: this });

  /**
   * Tells whether the flag is set.
   *
   * @returns True between `set()` and `clear()`.
   */
  is_set(): boolean {
    return this.#set;
  }

  /** Sets the flag, and wakes all who wait. They go on even if it is cleared again before they run. */
  set(): void {
    this.#set = true;
    this.#gate.wake_all();
  }

  /** Clears the flag, so that `wait()` waits again. */
  clear(): void {
    this.#set = false;
  }

  /**
   * Waits until the flag is set.
   *
   * @param options A signal that ends the wait.
   * @returns A future of true.
   * @throws {TypeError} If the signal is not an `AbortSignal`.
   */
  wait(options?: AcquireOptions): Future<true> {
    return this.#gate.enter(() => true as const, options);
  }

  /** @ignore */
  [INSPECT](): string {
    return `<Event ${this.#set ? "set" : "unset"}${waiters(this.#gate.length)}>`;
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
  readonly #gate: Gate = new Gate({ open: () => false, call: "wait", of: this });

  /**
   * Makes a condition.
   *
   * @param lock The lock to use, which several conditions may share; `null` for a new one.
   * @throws {TypeError} If `lock` is not a `Lock`.
   */
  constructor(lock: Lock | null = null) {
    if (lock !== null && !(lock instanceof Lock)) throw new TypeError(`"lock" must be a Lock, got ${shown(lock)}`);
    this.#lock = lock ?? new Lock();
  }

  /**
   * Acquires the lock.
   *
   * @param options A signal that ends the wait.
   * @returns A future of true.
   * @throws {TypeError} If the signal is not an `AbortSignal`.
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
   * Differs from asyncio: there is no such method.
   *
   * @param options A signal that ends the wait.
   * @returns A future of the hold.
   * @throws {TypeError} If the signal is not an `AbortSignal`.
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
   * However it ends, the lock is held again: a task that is cancelled, and one whose signal aborts, hears of it only
   * then. If it had been notified, the notification passes on to another. A signal that aborts after the notification,
   * while the call waits for the lock, comes too late.
   *
   * @param options A signal that ends the wait. If it is aborted already, the lock is not released.
   * @returns A future of true.
   * @throws {TypeError} If the signal is not an `AbortSignal`.
   * @throws {RuntimeError} If the lock is not held.
   */
  wait(options?: AcquireOptions): Future<true> {
    const signal = wait_signal(options);
    return new Call(async () => {
      if (!this.locked()) throw new RuntimeError("cannot wait on un-acquired lock");
      signal?.throwIfAborted();
      const notified = this.#gate.enter(() => true as const, options);
      this.release();
      try {
        try {
          return await notified;
        } finally {
          await this.#acquire_again();
        }
      } catch (error) {
        // The notification may have been for this one. A needless one is allowed.
        this.#gate.wake_next();
        throw error;
      }
    });
  }

  /** Acquires the lock although the task is cancelled meanwhile, and only then throws the cancellation. */
  async #acquire_again(): Promise<void> {
    let cancellation: CancelledError | null = null;
    for (;;) {
      try {
        // In a `CancelScope` that is cancelled every wait throws, and this loop would spin.
        await shielded(async () => void await this.acquire());
        break;
      } catch (error) {
        if (!(error instanceof CancelledError)) throw error;
        cancellation = error;
      }
    }
    if (cancellation !== null) throw cancellation;
  }

  /**
   * Waits until something holds.
   *
   * @typeParam T The type of what the predicate returns.
   * @param predicate Looked at before the first wait and after each, with the lock held. It may not be async.
   * @param options A signal that ends the wait.
   * @returns A future of the predicate's last value.
   * @throws {TypeError} If `predicate` is not a function, or returns a promise.
   * @throws {RuntimeError} If it has to wait and the lock is not held.
   */
  wait_for<T>(predicate: () => T, options?: AcquireOptions): Future<T> {
    check_callable("predicate", predicate);
    const signal = wait_signal(options);
    return new Call(async () => {
      signal?.throwIfAborted();
      for (;;) {
        const result = predicate();
        if (is_thenable(result)) {
          Promise.resolve(result).catch(() => {});
          throw new TypeError(`"predicate" must return a value, not a promise, got ${shown(result)}`);
        }
        if (result) return result;
        await this.wait(options);
      }
    });
  }

  /**
   * Wakes tasks that wait. They go on one after the other, each when it has the lock.
   *
   * @param n How many at most.
   * @throws {TypeError} If `n` is not a number.
   * @throws {RangeError} If `n` is NaN.
   * @throws {RuntimeError} If the lock is not held.
   */
  notify(n: number = 1): void {
    check_number("n", n);
    if (!this.locked()) throw new RuntimeError("cannot notify on un-acquired lock");
    for (let i = 0; i < n && this.#gate.wake_next() !== null; i++);
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
   * @returns A future of `null`.
   */
  __aenter__(): Future<null> {
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
    return `<Condition ${this.locked() ? "locked" : "unlocked"}${waiters(this.#gate.length)}>`;
  }
}

/** A promise counts as true, whatever becomes of it. */
function is_thenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}
