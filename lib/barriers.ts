/**
 * Barriers: points where tasks wait for each other.
 *
 * @module
 */

import { async_with, type AsyncContextManager } from "./async_with.ts";
import { INSPECT } from "./constants.ts";
import { BrokenBarrierError, check_number } from "./exceptions.ts";
import type { Future } from "./futures.ts";
import { wait_signal } from "./_line.ts";
import { type AcquireOptions, Condition } from "./locks.ts";

/**
 * A point where a number of tasks wait for each other.
 *
 * When the last has come, all go on, and the barrier can be used again. Tasks that come while it drains wait for the next
 * round. A task that is cancelled leaves, and does not break the barrier: it waits for one more to come instead.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const barrier = new asyncio.Barrier(2);
 * const arrive = () => asyncio.async_with(barrier, (index) => index);
 * console.log(await asyncio.gather(arrive, () => arrive())); // [0, 1]
 * ```
 */
export class Barrier implements AsyncContextManager<number> {
  readonly #changed = new Condition();
  readonly #parties: number;
  #state: "filling" | "draining" | "resetting" | "broken" = "filling";
  /** How many are inside: they came, and have not gone on yet. */
  #count = 0;

  /**
   * Makes a barrier.
   *
   * @param parties How many tasks it takes.
   * @throws {TypeError} If `parties` is not a number.
   * @throws {RangeError} If it is below 1, or not whole.
   */
  constructor(parties: number) {
    check_number("parties", parties);
    if (parties < 1) throw new RangeError(`parties must be > 0: "parties" is ${parties}`);
    if (!Number.isInteger(parties)) throw new RangeError(`"parties" must be a whole number, got ${parties}`);
    this.#parties = parties;
  }

  /** How many tasks it takes. */
  get parties(): number {
    return this.#parties;
  }

  /** How many tasks wait in it now; 0 while it drains. */
  get n_waiting(): number {
    return this.#state === "filling" ? this.#count : 0;
  }

  /** Whether `abort()` was called, and no `reset()` after it. */
  get broken(): boolean {
    return this.#state === "broken";
  }

  /**
   * Waits until as many tasks have come as the barrier takes.
   *
   * @param options A signal that ends the wait. As with a task that is cancelled, the barrier is not broken by it.
   * @returns A future of this task's number among them, from 0, in the order of their coming. After one has left, two
   * may have the same number, as in asyncio.
   * @throws {TypeError} If the signal is not an `AbortSignal`.
   * @throws {BrokenBarrierError} If the barrier is reset or aborted meanwhile, or was aborted before.
   */
  wait(options?: AcquireOptions): Future<number> {
    wait_signal(options);
    return async_with(this.#changed, async () => {
      await this.#changed.wait_for(() => this.#state !== "draining" && this.#state !== "resetting", options);
      if (this.broken) throw new BrokenBarrierError("Barrier aborted");
      const index = this.#count++;
      try {
        if (this.#count === this.#parties) this.#enter("draining");
        else await this.#wait_for_release(options);
        return index;
      } finally {
        if (--this.#count === 0) this.#enter(this.broken ? "broken" : "filling");
      }
    });
  }

  async #wait_for_release(options: AcquireOptions | undefined): Promise<void> {
    await this.#changed.wait_for(() => this.#state !== "filling", options);
    if (this.#state !== "draining") throw new BrokenBarrierError("Abort or reset of barrier");
  }

  #enter(state: "filling" | "draining" | "resetting" | "broken"): void {
    this.#state = state;
    this.#changed.notify_all();
  }

  /**
   * Empties the barrier: tasks that wait in it get a `BrokenBarrierError`; then it can be used again, even if it was
   * broken.
   *
   * @returns A future.
   */
  reset(): Future<void> {
    return async_with(this.#changed, () => this.#enter(this.#count > 0 ? "resetting" : "filling"));
  }

  /**
   * Breaks the barrier: tasks that wait in it, or come later, get a `BrokenBarrierError`, until it is reset.
   *
   * @returns A future.
   */
  abort(): Future<void> {
    return async_with(this.#changed, () => this.#enter("broken"));
  }

  /**
   * Waits in the barrier; called by `async_with()`.
   *
   * @returns A future of this task's number.
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
