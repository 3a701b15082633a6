/**
 * Trio's and AnyIO's way to cancel: a block in which, once it is cancelled, every wait throws.
 *
 * @module
 */

import type { AsyncContextManager, ScopedManager } from "./async_with.ts";
import { current_scope } from "./_context.ts";
import { INSPECT } from "./constants.ts";
import type { Handle } from "./events.ts";
import { CancelledError, check_number, check_options, RuntimeError, shown, TimeoutError } from "./exceptions.ts";
import type { Control, Scope } from "./_scopes.ts";

/**
 * Options of `new CancelScope()`, `move_on_after()` and their like.
 */
export interface CancelScopeOptions {
  /**
   * The time of the loop's clock, in seconds, at which the scope is cancelled.
   *
   * @default Infinity
   */
  readonly deadline?: number;
  /**
   * Keeps the scopes around it from cancelling what is inside.
   *
   * @default false
   */
  readonly shield?: boolean;
}

/**
 * A block, for `async_with()`, that can be cancelled as a whole.
 *
 * While it is cancelled, every wait inside throws a `CancelledError`, not just the first: code that catches one by
 * accident is stopped at its next wait. A call that need not wait, such as `get()` of a queue that has an item, does not
 * throw. What is inside are the body and the tasks of the groups in it, in which a cancellation arrives at once. The
 * block swallows the error as it is left, and `async_with()` resolves to `undefined`. A cancellation from outside passes
 * through.
 *
 * `shield` protects from the scopes around it, for cleanup that has to wait. It does not protect from `task.cancel()`,
 * `timeout()` and a failing task group, which throw once, as in asyncio.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const scope = new asyncio.CancelScope();
 * await asyncio.async_with(scope, async () => {
 *   scope.cancel();
 *   await asyncio.sleep(3600).catch(() => {}); // swallowed
 *   await asyncio.sleep(3600); // throws again
 * });
 * console.log(scope.cancelled_caught); // true
 * ```
 */
export class CancelScope implements AsyncContextManager<CancelScope>, ScopedManager, Control {
  #deadline: number;
  /** Seconds from the entry to the deadline. */
  #delay: number | null;
  #shield: boolean;
  #state: "created" | "active" | "finished" = "created";
  #cancel_called = false;
  #cancelled_caught = false;
  #deadline_passed = false;
  #message: string | undefined = undefined;
  #scope: Scope | null = null;
  #timer: Handle | null = null;
  #heard_requests = 0;

  /**
   * Makes a scope.
   *
   * @param options Its deadline, and whether it is shielded.
   * @param delay Seconds from the entry to the deadline, in place of a deadline; for `move_on_after()`.
   * @throws {TypeError} If a time is not a number, or `shield` not a boolean.
   * @throws {RangeError} If a time is NaN.
   */
  constructor(options?: CancelScopeOptions, delay: number | null = null) {
    check_options(options, ["deadline", "shield"]);
    const { deadline = Infinity, shield = false } = options ?? {};
    check_number("deadline", deadline);
    check_shield(shield);
    if (delay !== null) check_number("delay", delay);
    this.#deadline = deadline;
    this.#shield = shield;
    this.#delay = delay;
  }

  /** The time of the loop's clock, in seconds, at which the scope is cancelled; it may be moved. */
  get deadline(): number {
    return this.#deadline;
  }

  set deadline(when: number) {
    check_number("deadline", when);
    this.#deadline = when;
    // Set before the entry, it takes the place of the delay.
    this.#delay = null;
    if (this.#state === "active") this.#set_timer();
  }

  /** Whether scopes around it are kept from cancelling what is inside; it may be changed. */
  get shield(): boolean {
    return this.#shield;
  }

  set shield(shield: boolean) {
    check_shield(shield);
    this.#shield = shield;
    if (this.#state === "active") this.#scope!.redeliver();
  }

  /** Whether it was cancelled, by `cancel()` or by its deadline. */
  get cancel_called(): boolean {
    return this.#cancel_called;
  }

  /** Whether it swallowed the cancellation as it was left: something inside was indeed stopped by it. */
  get cancelled_caught(): boolean {
    return this.#cancelled_caught;
  }

  /**
   * Cancels what is inside, now and from now on. Before the block is entered, it is cancelled as it is entered.
   *
   * @param reason The text of the `CancelledError`s.
   */
  cancel(reason?: string): void {
    if (this.#cancel_called) return;
    this.#cancel_called = true;
    this.#message = reason;
    if (this.#state === "active") this.#scope!.redeliver();
  }

  /** @internal */
  _enter_scope(scope: Scope): void {
    if (this.#state === "created") this.#scope = scope;
  }

  /**
   * Enters the scope, and starts its clock; called by `async_with()`.
   *
   * @returns The scope itself.
   * @throws {RuntimeError} If it was entered before.
   */
  __aenter__(): this {
    if (this.#state !== "created") throw new RuntimeError("CancelScope has already been entered");
    const scope = this.#scope;
    if (scope === null) throw new RuntimeError("Cannot enter a CancelScope by hand: use async_with(scope, body)");
    this.#state = "active";
    this.#heard_requests = scope.heard_requests();
    scope.control = this;
    if (this.#delay !== null) this.#deadline = scope.loop.time() + this.#delay;
    if (this.#cancel_called) scope.redeliver();
    else this.#set_timer();
    return this;
  }

  /**
   * Leaves the scope; called by `async_with()`.
   *
   * @param error What the body threw, or `null`.
   * @returns True if the error was the scope's own cancellation.
   * @throws {RuntimeError} If the scope is not active.
   */
  __aexit__(error: unknown): boolean {
    const scope = this.#scope;
    if (scope === null || this.#state !== "active") throw new RuntimeError("CancelScope is not active");
    this.#state = "finished";
    this.#timer?.cancel();
    this.#timer = null;
    // If somebody outside wants the code to stop as well, the error is theirs to catch.
    this.#cancelled_caught = this.#cancel_called && error instanceof CancelledError &&
      !scope.asked_from_outside(this.#heard_requests);
    scope.control = null;
    return this.#cancelled_caught;
  }

  /** @internal */
  get _cancels(): boolean {
    return this.#cancel_called;
  }

  /** @internal */
  get _shields(): boolean {
    return this.#shield;
  }

  /** @internal */
  get _message(): string | undefined {
    return this.#message;
  }

  /**
   * Whether the deadline, and nothing else, cancelled it.
   *
   * @internal
   */
  get _deadline_passed(): boolean {
    return this.#deadline_passed;
  }

  #set_timer(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#deadline === Infinity || this.#cancel_called) return;
    const loop = this.#scope!.loop;
    const expire = () => {
      if (this.#cancel_called || this.#state !== "active") return;
      this.#deadline_passed = true;
      this.cancel("deadline exceeded");
    };
    if (this.#deadline <= loop.time()) expire();
    else this.#timer = loop._call_at(this.#deadline, expire);
  }

  /** @ignore */
  [INSPECT](): string {
    const parts = [`<CancelScope ${this.#state}`];
    if (this.#cancel_called) parts.push("cancelled");
    if (this.#shield) parts.push("shield");
    if (this.#deadline !== Infinity) parts.push(`deadline=${this.#deadline.toFixed(3)}`);
    return `${parts.join(" ")}>`;
  }
}

function check_shield(shield: unknown): void {
  if (typeof shield !== "boolean") throw new TypeError(`"shield" must be a boolean, got ${shown(shield)}`);
}

/** Throws unless `delay` is one: left out, to the constructor it would mean that there is no limit. */
function checked_delay(delay: number | null): number | null {
  if (delay !== null) check_number("delay", delay);
  return delay;
}

/** The same for a deadline. */
function checked_deadline(deadline: number): number {
  check_number("deadline", deadline);
  return deadline;
}

/** A scope whose deadline is an error. */
class FailScope extends CancelScope {
  override __aexit__(error: unknown): boolean {
    const caught = super.__aexit__(error);
    if (caught && this._deadline_passed) throw new TimeoutError("", { cause: error });
    return caught;
  }
}

/**
 * A block that is given up after a time, without an error.
 *
 * @param delay Seconds from the entry of the block; `null` for no limit.
 * @param options Whether the scope is shielded.
 * @returns The scope, for `async_with()`; its `cancelled_caught` tells whether the time was up.
 * @throws {TypeError} If `delay` is neither a number nor `null`.
 * @throws {RangeError} If it is NaN.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const result = await asyncio.async_with(asyncio.move_on_after(0.01), () => asyncio.sleep(3600, "late"));
 * console.log(result); // undefined
 * ```
 */
export function move_on_after(delay: number | null, options?: Pick<CancelScopeOptions, "shield">): CancelScope {
  return new CancelScope(options, checked_delay(delay));
}

/**
 * A block that is given up at a time, without an error.
 *
 * @param deadline The time of the loop's clock, in seconds.
 * @param options Whether the scope is shielded.
 * @returns The scope, for `async_with()`.
 * @throws {TypeError} If `deadline` is not a number.
 * @throws {RangeError} If it is NaN.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const deadline = asyncio.get_running_loop().time() + 0.01;
 * await asyncio.async_with(asyncio.move_on_at(deadline), () => asyncio.sleep(3600));
 * ```
 */
export function move_on_at(deadline: number, options?: Pick<CancelScopeOptions, "shield">): CancelScope {
  return new CancelScope({ ...options, deadline: checked_deadline(deadline) });
}

/**
 * A block that fails after a time.
 *
 * The `TimeoutError` comes only if the deadline stopped the block; after `scope.cancel()` it ends without an error.
 *
 * @param delay Seconds from the entry of the block; `null` for no limit.
 * @param options Whether the scope is shielded.
 * @returns The scope, for `async_with()`.
 * @throws {TypeError} If `delay` is neither a number nor `null`.
 * @throws {RangeError} If it is NaN.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * try {
 *   await asyncio.async_with(asyncio.fail_after(0.01), () => asyncio.sleep(3600));
 * } catch (error) {
 *   console.log(error instanceof asyncio.TimeoutError); // true
 * }
 * ```
 */
export function fail_after(delay: number | null, options?: Pick<CancelScopeOptions, "shield">): CancelScope {
  return new FailScope(options, checked_delay(delay));
}

/**
 * A block that fails at a time.
 *
 * @param deadline The time of the loop's clock, in seconds.
 * @param options Whether the scope is shielded.
 * @returns The scope, for `async_with()`.
 * @throws {TypeError} If `deadline` is not a number.
 * @throws {RangeError} If it is NaN.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const deadline = asyncio.get_running_loop().time() + 10;
 * await asyncio.async_with(asyncio.fail_at(deadline), () => asyncio.sleep(0.01));
 * ```
 */
export function fail_at(deadline: number, options?: Pick<CancelScopeOptions, "shield">): CancelScope {
  return new FailScope({ ...options, deadline: checked_deadline(deadline) });
}

/**
 * When the code that calls this will be cancelled at the latest, by the `CancelScope`s around it.
 *
 * @returns The time of the loop's clock, in seconds; `Infinity` if no deadline applies, `-Infinity` if it is cancelled.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.async_with(asyncio.move_on_after(5), () => {
 *   const left = asyncio.current_effective_deadline() - asyncio.get_running_loop().time();
 *   console.log(left > 4); // true
 * });
 * ```
 */
export function current_effective_deadline(): number {
  let earliest = Infinity;
  for (let scope = current_scope() ?? null; scope !== null; scope = scope.parent ?? scope.outer) {
    const control = scope.control;
    if (control === null) continue;
    if (control._cancels) return -Infinity;
    earliest = Math.min(earliest, control.deadline);
    if (control._shields) break;
  }
  return earliest;
}
