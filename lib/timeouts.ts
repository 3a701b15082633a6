/**
 * Deadlines for a block of code.
 *
 * @module
 */

import { INSPECT } from "./constants.ts";
import type { AsyncContextManager, ScopedManager } from "./async_with.ts";
import { current_loop } from "./_context.ts";
import type { Handle } from "./events.ts";
import { CancelledError, check_number, RuntimeError, TimeoutError } from "./exceptions.ts";
import type { Scope } from "./_scopes.ts";

type State = "created" | "active" | "expiring" | "expired" | "finished";

/**
 * A deadline for the body of `async_with()`: when it passes, what the body waits for is cancelled, and the
 * `CancelledError` that comes out of the body turns into a `TimeoutError`.
 *
 * It cancels what its own body waits for and nothing else of the task: not the other branches of a `Promise.all()`.
 * A cancellation that came from outside passes through as `CancelledError`.
 *
 * Differs from asyncio: it can be used outside of a task too, and a cancellation that was already on its way when the
 * block was entered is never reported as a timeout.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * try {
 *   await asyncio.async_with(asyncio.timeout(0.01), async (deadline) => {
 *     console.log(deadline.when());
 *     await asyncio.sleep(3600);
 *   });
 * } catch (error) {
 *   console.log(error instanceof asyncio.TimeoutError); // true
 * }
 * ```
 */
export class Timeout implements AsyncContextManager<Timeout>, ScopedManager {
  #when: number | null;
  #state: State = "created";
  #scope: Scope | null = null;
  #handle: Handle | null = null;
  #heard_requests = 0;
  /**
   * If what the body waits for is done as the deadline passes, the body gets it.
   *
   * @internal
   */
  _spares_outcomes = false;

  /**
   * Made by `timeout()` and `timeout_at()`.
   *
   * @param when The deadline in the loop's time, in seconds, or `null` for none.
   */
  constructor(when: number | null) {
    if (when !== null) check_number("when", when);
    this.#when = when;
  }

  /**
   * The deadline.
   *
   * @returns The loop's time in seconds, or `null`.
   */
  when(): number | null {
    return this.#when;
  }

  /**
   * Moves the deadline.
   *
   * @param when The loop's time in seconds, or `null` for none. A time that is past expires at the next turn.
   * @throws {RuntimeError} Before the block was entered, and after it expired or was left.
   */
  reschedule(when: number | null): void {
    if (this.#state !== "active") {
      if (this.#state === "created") throw new RuntimeError("Timeout has not been entered");
      throw new RuntimeError(`Cannot change state of ${this.#state} Timeout`);
    }
    if (when !== null) check_number("when", when);
    this.#when = when;
    this.#handle?.cancel();
    this.#handle = null;
    if (when === null) return;
    const loop = this.#scope!.loop;
    const now = loop.time();
    const expire = () => this.#expire();
    this.#handle = when <= now ? loop._call_soon(expire) : loop._call_at(when, expire, now);
  }

  /**
   * Tells whether the deadline passed while the block ran.
   *
   * @returns True from that moment on.
   */
  expired(): boolean {
    return this.#state === "expiring" || this.#state === "expired";
  }

  /** @internal */
  _enter_scope(scope: Scope): void {
    if (this.#state !== "created") return;
    this.#scope = scope;
    scope.spares_outcomes = this._spares_outcomes;
  }

  /**
   * Starts the clock; called by `async_with()`.
   *
   * @returns The timeout itself.
   * @throws {RuntimeError} If it was entered before.
   */
  __aenter__(): this {
    if (this.#state !== "created") throw new RuntimeError("Timeout has already been entered");
    const scope = this.#scope;
    if (scope === null) throw new RuntimeError("Cannot enter a Timeout by hand: use async_with(timeout, body)");
    this.#state = "active";
    this.#heard_requests = scope.heard_requests();
    this.reschedule(this.#when);
    return this;
  }

  /**
   * Stops the clock; called by `async_with()`.
   *
   * @param error What the body threw, or `null`.
   * @throws {TimeoutError} If the body was cancelled by this deadline and by nothing else.
   * @throws {RuntimeError} If it was not entered.
   */
  __aexit__(error: unknown): void {
    const scope = this.#scope;
    if (scope === null) throw new RuntimeError("Timeout has not been entered");
    this.#handle?.cancel();
    this.#handle = null;
    if (this.#state === "active") {
      this.#state = "finished";
      return;
    }
    this.#state = "expired";
    // If somebody outside wants the code to stop as well, theirs wins.
    if (scope.asked_from_outside(this.#heard_requests)) return;
    if (error instanceof CancelledError) throw new TimeoutError("", { cause: error });
  }

  #expire(): void {
    this.#state = "expiring";
    this.#handle = null;
    const scope = this.#scope!;
    scope.cancel_requests++;
    scope.cancel(undefined);
  }

  /** @ignore */
  [INSPECT](): string {
    return `<Timeout ${this.#state}${this.#state === "active" ? ` when=${this.#when?.toFixed(3) ?? null}` : ""}>`;
  }
}

/**
 * A deadline some seconds from now, for `async_with()`.
 *
 * @param delay Seconds from the call; `null` for no deadline yet. With 0 or less, the first wait of the body is
 * cancelled.
 * @returns The manager.
 * @throws {TypeError} If `delay` is neither a number nor `null`.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.async_with(asyncio.timeout(10), () => asyncio.sleep(0.01));
 * ```
 */
export function timeout(delay: number | null): Timeout {
  if (delay === null) return new Timeout(null);
  check_number("delay", delay);
  return new Timeout(current_loop().time() + delay);
}

/**
 * A deadline at a time, for `async_with()`.
 *
 * @param when The time of the loop's clock, in seconds; `null` for no deadline yet.
 * @returns The manager.
 * @throws {TypeError} If `when` is neither a number nor `null`.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const deadline = asyncio.get_running_loop().time() + 10;
 * await asyncio.async_with(asyncio.timeout_at(deadline), () => asyncio.sleep(0.01));
 * ```
 */
export function timeout_at(when: number | null): Timeout {
  return new Timeout(when);
}
