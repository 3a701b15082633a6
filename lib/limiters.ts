/**
 * Limits on who may use what at a time.
 *
 * @module
 */

import type { AsyncContextManager } from "./async_with.ts";
import { current_loop } from "./_context.ts";
import { INSPECT } from "./constants.ts";
import { BusyResourceError, check_number, RuntimeError, shown, WouldBlock } from "./exceptions.ts";
import { Future } from "./futures.ts";
import { Line, Place, wait_signal } from "./_line.ts";
import { current_task } from "./tasks.ts";

/**
 * Options of `CapacityLimiter.acquire()`.
 */
export interface LimiterOptions {
  /** Ends the wait when it aborts, with its reason. */
  readonly signal?: AbortSignal;
}

/**
 * What a limiter holds at a moment.
 */
export interface CapacityLimiterStatistics {
  /** How many tokens are borrowed. */
  readonly borrowed_tokens: number;
  /** How many tokens there are. */
  readonly total_tokens: number;
  /** Who has borrowed them. */
  readonly borrowers: readonly unknown[];
  /** How many wait for one. */
  readonly tasks_waiting: number;
}

/** One who waits for a token. */
class Borrower extends Place<void> {
  readonly borrower: unknown;
  /** A token is set aside for it. */
  has_token = false;

  constructor(line: Line<void, Borrower>, borrower: unknown, signal: AbortSignal | undefined) {
    super(current_loop(), line, signal);
    this.borrower = borrower;
  }
}

/**
 * A number of tokens, of which each borrower has one at a time; a semaphore that knows who has what.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(async () => {
 *   const limiter = new asyncio.CapacityLimiter(2);
 *   const work = (n: number) => asyncio.async_with(limiter, () => asyncio.sleep(0.01, n));
 *   console.log(await asyncio.gather(...[1, 2, 3].map((n) => () => work(n)))); // [1, 2, 3]
 * });
 * ```
 */
export class CapacityLimiter implements AsyncContextManager<null> {
  #total_tokens: number;
  /** Who has a token, those included for whom one is set aside as they are woken. */
  readonly #borrowers = new Set<unknown>();
  readonly #line: Line<void, Borrower> = new Line<void, Borrower>({
    call: "acquire",
    of: this,
    ready: () => true,
    take: ({ borrower, has_token }) => {
      if (!has_token) throw has_one_already(borrower);
    },
    left: (_woken, { borrower, has_token }) => {
      if (has_token) this.#borrowers.delete(borrower);
      this.#share();
    },
  });

  /**
   * Makes a limiter.
   *
   * @param total_tokens How many tokens there are: a whole number of 0 or more, or `Infinity`.
   * @throws {TypeError} If it is not a number.
   * @throws {RangeError} If it is out of range.
   */
  constructor(total_tokens: number) {
    check_tokens(total_tokens);
    this.#total_tokens = total_tokens;
  }

  /** How many tokens there are; it may be changed. With fewer than are borrowed, the next wait until enough are back. */
  get total_tokens(): number {
    return this.#total_tokens;
  }

  set total_tokens(total_tokens: number) {
    check_tokens(total_tokens);
    this.#total_tokens = total_tokens;
    this.#share();
  }

  /** How many tokens are borrowed. */
  get borrowed_tokens(): number {
    return this.#borrowers.size;
  }

  /** How many tokens are left; below 0 if the total was lowered. */
  get available_tokens(): number {
    return this.#total_tokens - this.#borrowers.size;
  }

  /**
   * Waits for a token, and borrows it for the calling task.
   *
   * @param options A signal that ends the wait.
   * @returns A future; to cancel it leaves the line.
   * @throws {TypeError} If the signal is not an `AbortSignal`.
   * @throws {RuntimeError} If the task has a token already, or outside of a task.
   */
  acquire(options?: LimiterOptions): Future<void> {
    return this.acquire_on_behalf_of(caller(), options);
  }

  /**
   * Waits for a token, and borrows it for somebody.
   *
   * @param borrower Any value that tells who has it.
   * @param options A signal that ends the wait.
   * @returns A future; to cancel it leaves the line.
   * @throws {TypeError} If the signal is not an `AbortSignal`.
   * @throws {RuntimeError} If the borrower has a token already, now or when its turn comes.
   */
  acquire_on_behalf_of(borrower: unknown, options?: LimiterOptions): Future<void> {
    const signal = wait_signal(options);
    this.#check_new(borrower);
    if (!this.#is_free()) return new Borrower(this.#line, borrower, signal);
    const future = new Future<void>();
    if (signal?.aborted) {
      future._fail(signal.reason);
    } else {
      this.#borrowers.add(borrower);
      future.set_result(undefined);
    }
    return future;
  }

  /**
   * Borrows a token for the calling task, if one is left.
   *
   * @throws {WouldBlock} If none is.
   * @throws {RuntimeError} If the task has a token already, or outside of a task.
   */
  acquire_nowait(): void {
    this.acquire_on_behalf_of_nowait(caller());
  }

  /**
   * Borrows a token for somebody, if one is left.
   *
   * @param borrower Any value that tells who has it.
   * @throws {WouldBlock} If none is.
   * @throws {RuntimeError} If the borrower has a token already.
   */
  acquire_on_behalf_of_nowait(borrower: unknown): void {
    this.#check_new(borrower);
    if (!this.#is_free()) throw new WouldBlock("No token is left");
    this.#borrowers.add(borrower);
  }

  /**
   * Gives the calling task's token back.
   *
   * @throws {RuntimeError} If the task has none.
   */
  release(): void {
    this.release_on_behalf_of(caller());
  }

  /**
   * Gives somebody's token back.
   *
   * @param borrower Who has it.
   * @throws {RuntimeError} If the borrower has none.
   */
  release_on_behalf_of(borrower: unknown): void {
    if (!this.#borrowers.delete(borrower)) {
      throw new RuntimeError(`Cannot release: ${shown(borrower)} has no token of this CapacityLimiter`);
    }
    this.#share();
  }

  /**
   * What the limiter holds now.
   *
   * @returns The numbers, and who has a token.
   */
  statistics(): CapacityLimiterStatistics {
    return {
      borrowed_tokens: this.borrowed_tokens,
      total_tokens: this.#total_tokens,
      borrowers: [...this.#borrowers],
      tasks_waiting: this.#line.waiting,
    };
  }

  #is_free(): boolean {
    return this.#borrowers.size < this.#total_tokens && this.#line.waiting === 0;
  }

  #check_new(borrower: unknown): void {
    if (this.#borrowers.has(borrower)) throw has_one_already(borrower);
  }

  /** Sets tokens aside for those who have waited longest: nobody who comes later can take them. */
  #share(): void {
    while (this.#borrowers.size < this.#total_tokens) {
      const place = this.#line.wake_next();
      if (place === null) return;
      // It waits for a second one, and has its first: it hears that in its step.
      if (this.#borrowers.has(place.borrower)) continue;
      place.has_token = true;
      this.#borrowers.add(place.borrower);
    }
  }

  /**
   * Borrows a token; called by `async_with()`.
   *
   * @returns A promise of `null`.
   */
  async __aenter__(): Promise<null> {
    await this.acquire();
    return null;
  }

  /**
   * Gives the token back; called by `async_with()`.
   *
   * @param _error What the body threw, or `null`.
   */
  __aexit__(_error: unknown): void {
    this.release();
  }

  /** @ignore */
  [INSPECT](): string {
    return `<CapacityLimiter ${this.borrowed_tokens}/${this.#total_tokens} waiting=${this.#line.waiting}>`;
  }
}

function has_one_already(borrower: unknown): RuntimeError {
  return new RuntimeError(`Cannot acquire: ${shown(borrower)} has a token of this CapacityLimiter already`);
}

/** Who borrows if nobody is named. */
function caller(): unknown {
  const task = current_task();
  if (task === null) throw new RuntimeError("Cannot tell who borrows outside of a task: use acquire_on_behalf_of()");
  return task;
}

function check_tokens(total_tokens: unknown): void {
  check_number("total_tokens", total_tokens);
  if (total_tokens as number < 0 || (total_tokens !== Infinity && !Number.isInteger(total_tokens))) {
    throw new RangeError(
      `"total_tokens" must be a whole number of 0 or more, or Infinity, got ${shown(total_tokens)}`,
    );
  }
}

/**
 * Has a second user of something fail at once, where two at a time would mix up their work.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const guard = new asyncio.ResourceGuard("reading from");
 * {
 *   using _ = guard.enter();
 *   try {
 *     guard.enter();
 *   } catch (error) {
 *     console.log(error instanceof asyncio.BusyResourceError); // true
 *   }
 * }
 * ```
 */
export class ResourceGuard {
  readonly #action: string;
  #busy = false;

  /**
   * Makes a guard.
   *
   * @param action What is guarded, for the error's text: "Another task is already reading from this resource".
   * @throws {TypeError} If `action` is not a string.
   */
  constructor(action: string = "using") {
    if (typeof action !== "string") throw new TypeError(`"action" must be a string, got ${shown(action)}`);
    this.#action = action;
  }

  /**
   * Starts to use the thing.
   *
   * @returns Something that ends the use at the end of a `using` block.
   * @throws {BusyResourceError} If it is in use.
   */
  enter(): Disposable {
    if (this.#busy) throw new BusyResourceError(`Another task is already ${this.#action} this resource`);
    this.#busy = true;
    let ended = false;
    return {
      [Symbol.dispose]: () => {
        if (!ended) this.#busy = false;
        ended = true;
      },
    };
  }

  /** @ignore */
  [INSPECT](): string {
    return `<ResourceGuard ${this.#action} ${this.#busy ? "busy" : "free"}>`;
  }
}
