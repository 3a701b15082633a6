/**
 * Python's `async with`: a block between an enter and an exit that sees, and may replace or swallow, the block's error.
 *
 * @module
 */

import { check_callable, shown } from "./exceptions.ts";
import { Call, call_scope } from "./futures.ts";
import type { Scope } from "./_scopes.ts";

/**
 * What `async_with()` takes: a lock, a timeout, a task group, a server, or an object of your own.
 *
 * @typeParam T What the body gets.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const traced: asyncio.AsyncContextManager<string> = {
 *   __aenter__: () => "inside",
 *   __aexit__: (error) => console.log("left", error === null ? "well" : "with an error"),
 * };
 * await asyncio.async_with(traced, (where) => console.log(where));
 * ```
 */
export interface AsyncContextManager<T> {
  /**
   * Called before the body. If it fails, neither the body nor `__aexit__()` is called.
   *
   * @returns What the body gets.
   */
  __aenter__(): T | PromiseLike<T>;
  /**
   * Called after the body, however it ended. What it throws takes the place of the body's error.
   *
   * @param error What the body threw, or `null`.
   * @returns True to swallow the error, so that `async_with()` resolves to `undefined`.
   */
  __aexit__(error: unknown): boolean | void | PromiseLike<boolean | void>;
}

/**
 * The library's managers that cancel their body need to know the scope it runs in.
 *
 * @internal
 */
export interface ScopedManager {
  _enter_scope(scope: Scope): void;
}

/**
 * Runs a function between a manager's `__aenter__()` and `__aexit__()`.
 *
 * Unlike `await using`, the manager sees the error of the body, and may replace or swallow it.
 *
 * @param manager What to enter and leave.
 * @param body What to run; it gets what `__aenter__()` gave.
 * @returns A future of what the body returns; `undefined` if the manager swallowed the body's error. To cancel it
 * cancels what the body waits for.
 * @throws {TypeError} If an argument has the wrong type.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const result = await asyncio.async_with(asyncio.timeout(5), async () => {
 *   await asyncio.sleep(0.01);
 *   return "in time";
 * });
 * console.log(result); // in time
 * ```
 */
export function async_with<M, R>(manager: AsyncContextManager<M>, body: (value: M) => R | PromiseLike<R>): Call<R> {
  if (typeof manager?.__aenter__ !== "function" || typeof manager.__aexit__ !== "function") {
    throw new TypeError(`"manager" must have __aenter__() and __aexit__(), got ${shown(manager)}`);
  }
  check_callable("body", body);
  const scope = call_scope();
  return new Call(async () => {
    (manager as Partial<ScopedManager>)._enter_scope?.(scope);
    const value = await manager.__aenter__();
    let result: R;
    try {
      result = await body(value);
    } catch (error) {
      if (await manager.__aexit__(error ?? new Error(`Thrown: ${String(error)}`)) === true) return undefined as R;
      throw error;
    }
    await manager.__aexit__(null);
    return result;
  }, scope);
}
