/**
 * Semaphores: locks that let several tasks through.
 *
 * @module
 */

import type { AsyncContextManager } from "./async_with.ts";
import { INSPECT } from "./constants.ts";
import { check_number } from "./exceptions.ts";
import type { Future } from "./futures.ts";
import { Gate } from "./_line.ts";
import { type AcquireOptions, Hold, waiters } from "./locks.ts";

/**
 * Lets a number of tasks through at a time, in the order in which they asked.
 *
 * A task that is cancelled while it waits leaves the line; if its turn had come already, the next one's comes.
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
  /** The permits that nobody has; one for each who was woken is among them. */
  #permits: number;
  readonly #gate: Gate = new Gate({ open: () => !this.locked(), left: () => this.#share(), call: "acquire", of: this });

  /**
   * Makes a semaphore.
   *
   * @param value How many permits there are; `Infinity` for no limit.
   * @throws {TypeError} If `value` is not a number.
   * @throws {RangeError} If it is below 0, or neither whole nor `Infinity`.
   */
  constructor(value: number = 1) {
    check_number("value", value);
    if (value < 0) throw new RangeError(`Semaphore initial value must be >= 0: "value" is ${value}`);
    if (value !== Infinity && !Number.isInteger(value)) {
      throw new RangeError(`"value" must be a whole number or Infinity, got ${value}`);
    }
    this.#permits = value;
  }

  /**
   * Waits for a permit, and takes it.
   *
   * @param options A signal that ends the wait.
   * @returns A future of true. To cancel it leaves the line.
   * @throws {TypeError} If the signal is not an `AbortSignal`.
   */
  acquire(options?: AcquireOptions): Future<true> {
    return this.#gate.enter(() => this.#take(), options);
  }

  /** Gives a permit back, and wakes the next in line if there is one. Nobody who comes later gets ahead of that one. */
  release(): void {
    this.#permits++;
    this.#gate.wake_next();
  }

  /**
   * Waits for a permit, and gives something that returns it at the end of a `using` block.
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
   * const semaphore = new asyncio.Semaphore(1);
   * {
   *   using _hold = await semaphore.hold();
   *   console.log(semaphore.locked()); // true
   * }
   * console.log(semaphore.locked()); // false
   * ```
   */
  hold(options?: AcquireOptions): Future<Disposable> {
    return this.#gate.enter(() => {
      this.#take();
      return new Hold(() => this.release());
    }, options);
  }

  /**
   * Tells whether `acquire()` would wait: no permit is left, or others are in line.
   *
   * @returns True if it would wait.
   */
  locked(): boolean {
    return this._value === 0 || this.#gate.length > 0;
  }

  #take(): true {
    this.#permits--;
    this.#share();
    return true;
  }

  /** Tasks that came while others were woken had to join the line although permits were left. */
  #share(): void {
    while (this._value > 0 && this.#gate.wake_next() !== null);
  }

  /**
   * The permits that are neither taken nor meant for one who was woken.
   *
   * @internal
   */
  get _value(): number {
    return this.#permits - this.#gate.woken;
  }

  /**
   * Takes a permit; called by `async_with()`.
   *
   * @returns A future of `null`.
   */
  __aenter__(): Future<null> {
    return this.#gate.enter(() => {
      this.#take();
      return null;
    }, undefined);
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
    return `<${this.constructor.name} value=${this._value}${waiters(this.#gate.length)}>`;
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
   * @throws {RangeError} If it is below 0, or not whole.
   */
  constructor(value: number = 1) {
    super(value);
    if (value === Infinity) throw new RangeError('"value" must be a whole number, got Infinity');
    this.#bound = value;
  }

  /**
   * Gives a permit back, and wakes the next in line if there is one.
   *
   * @throws {RangeError} If none was taken.
   */
  override release(): void {
    if (this._value >= this.#bound) throw new RangeError("BoundedSemaphore released too many times");
    super.release();
  }
}
