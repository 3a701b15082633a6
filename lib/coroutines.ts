/**
 * Coroutine objects, which JavaScript lacks: calling an async function starts it, calling a coroutine function does not.
 *
 * @module
 */

import { INSPECT } from "./constants.ts";
import type { EventLoop } from "./deno_events.ts";
import { current_loop } from "./_context.ts";
import { check_callable, RuntimeError } from "./exceptions.ts";
import type { Future } from "./futures.ts";

/**
 * What may be given where asyncio takes a coroutine: a function, which whoever takes it starts, a `Coroutine`, or a
 * future of this library. A promise is none of these: its work already runs, and cannot be cancelled.
 *
 * @typeParam T The type of the result.
 */
export type CoroutineLike<T> = (() => T | PromiseLike<T>) | Coroutine<T> | Future<T>;

/**
 * What may be given where asyncio takes any awaitable: a coroutine, a future, or a promise, which can only be abandoned.
 *
 * @typeParam T The type of the result.
 */
export type AwaitableLike<T> = CoroutineLike<T> | PromiseLike<T>;

/**
 * A call that has not started yet. It starts when it is awaited, in the caller's own task, or when it is given to
 * `create_task()` and its like. It can be used once.
 *
 * @typeParam T The type of the result.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const double = asyncio.coroutine(async (n: number) => {
 *   await asyncio.sleep(0);
 *   return 2 * n;
 * });
 * const call = double(21); // nothing runs yet
 * console.log(await call); // 42
 * ```
 */
export class Coroutine<T> implements PromiseLike<T> {
  #fn: (() => T | PromiseLike<T>) | null;
  readonly #name: string;
  #state: "created" | "started" | "closed" = "created";
  /** @internal */
  _watch: CallWatch | null = null;

  /**
   * Made by the functions that `coroutine()` returns.
   *
   * @internal
   */
  constructor(fn: () => T | PromiseLike<T>, name: string) {
    this.#fn = fn;
    this.#name = name;
  }

  /** The name of the function that was called. */
  get name(): string {
    return this.#name;
  }

  /**
   * Starts it in the calling code's own task; this is what `await` calls.
   *
   * @param on_fulfilled Called with the result.
   * @param on_rejected Called with the error.
   * @returns A native promise of what the called function returns.
   */
  then<R = T, E = never>(
    on_fulfilled?: ((value: T) => R | PromiseLike<R>) | null,
    on_rejected?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<R | E> {
    return Promise.try(() => this._take()()).then(on_fulfilled, on_rejected);
  }

  /** Gives it up: it will never start, and nothing is reported of it. */
  close(): void {
    if (this.#state === "created") this.#state = "closed";
    this.#leave();
  }

  /**
   * Takes the function out, for whoever starts it.
   *
   * @internal
   */
  _take(): () => T | PromiseLike<T> {
    const fn = this.#fn;
    if (fn === null) {
      throw new RuntimeError(
        this.#state === "closed"
          ? `Cannot start coroutine "${this.#name}": it was closed`
          : `cannot reuse already awaited coroutine "${this.#name}"`,
      );
    }
    this.#state = "started";
    this.#leave();
    return fn;
  }

  #leave(): void {
    this.#fn = null;
    if (this._watch !== null) this._watch.used = true;
  }

  /** @ignore */
  [INSPECT](): string {
    return `<Coroutine ${this.#name} ${this.#state}>`;
  }
}

/**
 * A call that debug mode watches, apart from the coroutine, so that the watch does not keep it alive.
 *
 * @internal
 */
export interface CallWatch {
  readonly name: string;
  readonly loop: EventLoop;
  readonly source_traceback: string;
  used: boolean;
}

/** Says that a call was never awaited, unless it was, or that was said. */
export function report_unused(watch: CallWatch): void {
  const { name, loop, source_traceback } = watch;
  loop._debug?.forget_call(watch);
  if (watch.used) return;
  watch.used = true;
  loop.call_exception_handler({ message: `coroutine '${name}' was never awaited`, source_traceback });
}

const dropped = new FinalizationRegistry<CallWatch>(report_unused);

/**
 * Makes a coroutine function: calling it gives a `Coroutine`, which starts only when it is awaited or made a task.
 *
 * In debug mode of the loop that runs the call, a coroutine that was never awaited is reported by its name, with the calls
 * that made it: when it is collected, or when the loop is closed.
 *
 * @param fn The function; usually an async one.
 * @returns A function with the same parameters, whose call starts nothing.
 * @throws {TypeError} If `fn` is not a function.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const greet = asyncio.coroutine(async (name: string) => {
 *   await asyncio.sleep(0.01);
 *   return `Hello, ${name}!`;
 * });
 * console.log(await asyncio.run(greet("world")));
 * ```
 */
export function coroutine<A extends unknown[], T>(
  fn: (...args: A) => T | PromiseLike<T>,
): (...args: A) => Coroutine<T> {
  check_callable("fn", fn);
  const name = fn.name || "(anonymous)";
  const coroutine_function = (...args: A): Coroutine<T> => {
    const loop = current_loop();
    const made = new Coroutine<T>(() => fn(...args), name);
    if (loop._debug !== null) {
      made._watch = loop._debug.watch_call(name);
      dropped.register(made, made._watch);
    }
    return made;
  };
  Object.defineProperty(coroutine_function, "name", { value: name });
  return coroutine_function;
}

/**
 * Tells whether a value is a coroutine object.
 *
 * @param value Any value.
 * @returns True for a `Coroutine`; false for functions, futures and promises.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const nothing = asyncio.coroutine(async () => {});
 * const call = nothing();
 * console.log(asyncio.iscoroutine(call), asyncio.iscoroutine(nothing)); // true false
 * call.close();
 * ```
 */
export function iscoroutine(value: unknown): value is Coroutine<unknown> {
  return value instanceof Coroutine;
}
