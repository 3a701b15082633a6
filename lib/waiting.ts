/**
 * Waiting for several things, or for one thing with conditions.
 *
 * asyncio keeps these with its tasks; they are a room of their own so that they can use timeouts, which use tasks.
 *
 * @module
 */

import { async_with } from "./async_with.ts";
import { current_loop } from "./_context.ts";
import { type AwaitableLike, Coroutine } from "./coroutines.ts";
import type { TimerHandle } from "./events.ts";
import { CancelledError, check_number, check_options, shown, TimeoutError } from "./exceptions.ts";
import { unshared } from "./_done_futures.ts";
import { Call, Future } from "./futures.ts";
import { type Purpose, Signpost } from "./_purpose.ts";
import { ensure_future } from "./tasks.ts";
import { timeout as timeout_in } from "./timeouts.ts";

/** The result of `wait()` and of `gather()` by position: what each awaitable gives. */
export type Results<A extends readonly unknown[]> = {
  -readonly [K in keyof A]: A[K] extends AwaitableLike<infer T> ? T : never;
};

/** The same where errors stand among the results. */
export type ResultsOrErrors<A extends readonly unknown[]> = {
  -readonly [K in keyof A]: A[K] extends AwaitableLike<infer T> ? T | Error : never;
};

/**
 * Options of `gather()`, after its awaitables.
 */
export interface GatherOptions {
  /**
   * Puts errors into the list of results instead of failing with the first.
   *
   * @default false
   */
  readonly return_exceptions?: boolean;
}

/** What `gather()` returns: cancelling it cancels the children, and it ends only when they have. */
class GatheringFuture<T> extends Future<T> {
  readonly #children: readonly Future<unknown>[];
  cancel_requested = false;

  constructor(children: readonly Future<unknown>[], options: ConstructorParameters<typeof Future>[0]) {
    super(options);
    this.#children = children;
  }

  override cancel(message?: string): boolean {
    if (this.done()) return false;
    let cancelled = false;
    for (const child of this.#children) {
      if (child.cancel(message)) cancelled = true;
    }
    if (cancelled) this.cancel_requested = true;
    return cancelled;
  }

  override get _purpose(): Purpose {
    return { call: "gather", futures: this.#children };
  }

  override _describe(): string {
    const pending = this.#children.filter((child) => !child.done()).length;
    return `<gather of ${this.#children.length}, ${pending} pending>`;
  }
}

/**
 * Runs awaitables side by side and gives their results, in the order of the arguments.
 *
 * The first error fails the whole; the other awaitables go on (a `TaskGroup` would cancel them). A child that was
 * cancelled fails it with that `CancelledError`. To cancel the returned future cancels every child. An argument given
 * twice runs once.
 *
 * @param awaitables Coroutine functions, `Coroutine`s, futures or promises.
 * @returns A future of the tuple of results.
 * @throws {TypeError} If an argument is none of these.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const [number, text] = await asyncio.gather(
 *   () => asyncio.sleep(0.01, 1),
 *   () => asyncio.sleep(0.01, "two"),
 * );
 * console.log(number + 1, text.toUpperCase()); // 2 TWO
 *
 * const results = await asyncio.gather(
 *   () => asyncio.sleep(0.01, 1),
 *   () => Promise.reject(new Error("no")),
 *   { return_exceptions: true },
 * );
 * console.log(results[1]); // Error: no
 * ```
 */
export function gather<A extends readonly AwaitableLike<unknown>[]>(...awaitables: A): Future<Results<A>>;
/**
 * The same with options, which stand last.
 *
 * @param awaitables_and_options Coroutine functions, `Coroutine`s, futures or promises, then the options.
 * @returns A future of the tuple of results; with `return_exceptions`, errors stand among them.
 */
export function gather<A extends readonly AwaitableLike<unknown>[]>(
  ...awaitables_and_options: [...A, GatherOptions & { readonly return_exceptions: true }]
): Future<ResultsOrErrors<A>>;
/**
 * The same with options, which stand last.
 *
 * @param awaitables_and_options Coroutine functions, `Coroutine`s, futures or promises, then the options.
 * @returns A future of the tuple of results.
 */
export function gather<A extends readonly AwaitableLike<unknown>[]>(
  ...awaitables_and_options: [...A, GatherOptions]
): Future<Results<A>>;
export function gather(...args: readonly unknown[]): Future<unknown[]> {
  const last = args.at(-1);
  const has_options = typeof last === "object" && last !== null && !is_thenable(last);
  if (has_options) check_options(last, ["return_exceptions"]);
  const awaitables = (has_options ? args.slice(0, -1) : args) as AwaitableLike<unknown>[];
  const return_exceptions = has_options && Boolean((last as GatherOptions).return_exceptions);
  const loop = current_loop();
  if (awaitables.length === 0) {
    const empty = new Future<unknown[]>({ loop });
    empty.set_result([]);
    return empty;
  }
  for (const each of awaitables) check_awaitable(each);

  let finished = 0;
  const on_done = (child: Future<unknown>) => {
    finished++;
    if (outer.done()) {
      child._retrieve();
      return;
    }
    if (!return_exceptions) {
      if (child.cancelled()) return outer.set_exception(child._make_cancelled_error());
      if (child._error !== undefined) return outer._fail(child.exception());
    }
    if (finished < different) return;
    if (outer.cancel_requested) {
      return outer.set_exception(child.cancelled() ? child._make_cancelled_error() : new CancelledError());
    }
    outer.set_result(
      children.map((each) => each.cancelled() ? each._make_cancelled_error() : each.exception() ?? each.result()),
    );
  };

  const different = new Set<unknown>(awaitables).size;
  // A table of many is dear, and seldom needed.
  const futures = different < awaitables.length ? new Map<unknown, Future<unknown>>() : null;
  const ready: Future<unknown>[] = [];
  const children = awaitables.map((awaitable) => {
    const known = futures?.get(awaitable);
    if (known !== undefined) return known;
    const child = ensure_future(awaitable);
    futures?.set(awaitable, child);
    if (child.done()) ready.push(child);
    else child._on_done(on_done);
    return child;
  });
  const outer = new GatheringFuture<unknown[]>(children, { loop });
  for (const child of ready) on_done(child);
  return outer;
}

function is_thenable(value: unknown): boolean {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}

function check_awaitable(value: unknown): void {
  if (typeof value === "function" || is_thenable(value)) return;
  throw new TypeError(`An asyncio.Future, a coroutine or an awaitable is required, got ${shown(value)}`);
}

/** For `wait()`: return when any future is done. */
export const FIRST_COMPLETED = "FIRST_COMPLETED";
/** For `wait()`: return when any future failed, or all are done. */
export const FIRST_EXCEPTION = "FIRST_EXCEPTION";
/** For `wait()`: return when all futures are done. */
export const ALL_COMPLETED = "ALL_COMPLETED";

/**
 * Options of `wait()`.
 */
export interface WaitOptions {
  /**
   * How long to wait at most, in seconds. What is not done by then is in the second set; nothing is cancelled.
   *
   * @default null
   */
  readonly timeout?: number | null;
  /**
   * What to wait for.
   *
   * @default "ALL_COMPLETED"
   */
  readonly return_when?: typeof FIRST_COMPLETED | typeof FIRST_EXCEPTION | typeof ALL_COMPLETED;
}

/**
 * Waits for futures without taking their results: none is cancelled and no error is thrown.
 *
 * @param futures Tasks and futures; promises are wrapped, and the sets then hold the wrappers.
 * @param options How long to wait, and for what.
 * @returns A future of two sets: the futures that are done, and the rest.
 * @throws {TypeError} If `futures` is not an iterable of futures; coroutines have to be made tasks first.
 * @throws {RangeError} If it is empty, or `return_when` is unknown.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const tasks = [0.01, 3600].map((delay) => asyncio.create_task(() => asyncio.sleep(delay)));
 * const [done, pending] = await asyncio.wait(tasks, { return_when: asyncio.FIRST_COMPLETED });
 * console.log(done.size, pending.size); // 1 1
 * for (const task of pending) task.cancel();
 * await asyncio.wait(pending);
 * ```
 */
export function wait<T, F extends Future<T> = Future<T>>(
  futures: Iterable<F>,
  options?: WaitOptions,
): Future<[done: Set<F>, pending: Set<F>]>;
/**
 * The same with promises among the futures.
 *
 * @param futures Tasks, futures and promises.
 * @param options How long to wait, and for what.
 * @returns A future of two sets: the futures that are done, and the rest.
 */
export function wait<T>(
  futures: Iterable<Future<T> | PromiseLike<T>>,
  options?: WaitOptions,
): Future<[done: Set<Future<T>>, pending: Set<Future<T>>]>;
export function wait<T>(
  futures: Iterable<Future<T> | PromiseLike<T>>,
  options?: WaitOptions,
): Future<[done: Set<Future<T>>, pending: Set<Future<T>>]> {
  if (typeof futures?.[Symbol.iterator] !== "function") {
    throw new TypeError(`"futures" must be an iterable of futures, got ${shown(futures)}`);
  }
  check_options(options, ["timeout", "return_when"]);
  const timeout = options?.timeout ?? null;
  const return_when = options?.return_when ?? ALL_COMPLETED;
  if (timeout !== null) check_number("timeout", timeout);
  if (return_when !== FIRST_COMPLETED && return_when !== FIRST_EXCEPTION && return_when !== ALL_COMPLETED) {
    throw new RangeError(`Invalid return_when value: ${shown(return_when)}`);
  }
  const given = [...new Set(futures)];
  if (given.length === 0) throw new RangeError("Set of Tasks/Futures is empty.");
  for (const each of given) {
    if (typeof each === "function" || (each as unknown) instanceof Coroutine) {
      throw new TypeError("Passing coroutines is forbidden, use tasks explicitly.");
    }
    check_awaitable(each);
  }
  const all = given.map((each) => ensure_future(each));

  return new Call(async () => {
    const loop = current_loop();
    const waiter = new Signpost<void>({ call: "wait", futures: all }, loop);
    const release = () => waiter.done() || waiter.set_result(undefined);
    const timer = timeout === null ? null : loop._call_later(timeout, release);
    let left = all.length;
    const on_done = (future: Future<T>) => {
      left--;
      const failed = !future.cancelled() && future._error !== undefined;
      if (left === 0 || return_when === FIRST_COMPLETED || (return_when === FIRST_EXCEPTION && failed)) release();
    };
    for (const future of all) future._on_done(on_done);
    try {
      await waiter;
    } finally {
      timer?.cancel();
      for (const future of all) future._remove_on_done(on_done);
    }
    // Sorted out only now: more may have ended since the waiter was released.
    const done = new Set<Future<T>>();
    const pending = new Set<Future<T>>();
    for (const future of all) (future.done() ? done : pending).add(future);
    return [done, pending];
  });
}

/**
 * Waits for one thing, and cancels it if it takes too long.
 *
 * If the work swallows the cancellation and returns a value after all, that value is returned. If it is done when the
 * time is up, its result is returned. To keep it from being cancelled, wrap it in `shield()`.
 *
 * @param awaitable A coroutine function, a `Coroutine`, a future, or a promise, which can only be abandoned.
 * @param timeout Seconds to wait; `null` for no limit. With 0 or less a coroutine never starts.
 * @returns A future of the result.
 * @throws {TypeError} If an argument has the wrong type.
 * @throws {TimeoutError} If it took longer.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * try {
 *   await asyncio.wait_for(() => asyncio.sleep(3600), 0.01);
 * } catch (error) {
 *   if (error instanceof asyncio.TimeoutError) console.log("too slow");
 * }
 * ```
 */
export function wait_for<T>(awaitable: AwaitableLike<T>, timeout: number | null): Future<T> {
  check_awaitable(awaitable);
  if (timeout !== null) check_number("timeout", timeout);
  if (timeout === null || timeout > 0) {
    const deadline = timeout_in(timeout);
    deadline._spares_outcomes = typeof awaitable !== "function" && !(awaitable instanceof Coroutine);
    return async_with(deadline, () => {
      if (typeof awaitable === "function") return awaitable();
      if (awaitable instanceof Coroutine) return awaitable._take()();
      return ensure_future(awaitable);
    });
  }
  return new Call(async () => {
    const future = ensure_future(awaitable);
    if (future.done()) return future.result();
    await cancel_and_wait(future);
    try {
      return future.result();
    } catch (error) {
      if (error instanceof CancelledError) throw new TimeoutError("", { cause: error });
      throw error;
    }
  });
}

async function cancel_and_wait(future: Future<unknown>): Promise<void> {
  const waiter = new Signpost<void>({ call: "wait_for", futures: [future] });
  const on_done = () => waiter.done() || waiter.set_result(undefined);
  future._on_done(on_done);
  try {
    future.cancel();
    await waiter;
  } finally {
    future._remove_on_done(on_done);
  }
}

/**
 * Protects work from the cancellation of whoever waits for it: the waiter gets its `CancelledError`, the work goes on.
 *
 * Differs from asyncio: if the work then fails and nobody else asks for its error, the loop's exception handler is told. A
 * library call of several waits, such as `barrier.wait()`, has begun in the task that made it and is cancelled with that:
 * to protect it, pass a function, `shield(() => barrier.wait())`.
 *
 * @param awaitable A coroutine function, a `Coroutine`, a future, or a promise.
 * @returns A future of the result; to cancel it does not cancel the work.
 * @throws {TypeError} If it is none of these.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const save = asyncio.create_task(() => asyncio.sleep(0.01, "saved"));
 * try {
 *   await asyncio.wait_for(asyncio.shield(save), 0.001);
 * } catch {
 *   console.log(await save); // saved
 * }
 * ```
 */
export function shield<T>(awaitable: AwaitableLike<T>): Future<T> {
  const inner = ensure_future(awaitable);
  if (inner.done()) return inner;
  const outer = new Signpost<T>({ call: "shield", futures: [inner] }, inner.get_loop());
  const on_inner_done = () => {
    if (!outer.done()) outer._copy(inner);
  };
  inner._on_done(on_inner_done);
  outer._on_done(() => inner._remove_on_done(on_inner_done));
  return outer;
}

/** What an awaitable gives. */
export type ResultOf<A> = A extends AwaitableLike<infer T> ? T : never;

/**
 * Options of `as_completed()`.
 */
export interface AsCompletedOptions {
  /**
   * How long to wait at most for all of them, in seconds.
   *
   * @default null
   */
  readonly timeout?: number | null;
}

/**
 * What `as_completed()` returns. `for await` gives the futures themselves; plain `for` gives futures of the next result.
 *
 * @typeParam T The type of the results.
 */
export interface CompletionIterator<T> {
  /** Gives the next future that is done, wrapped in the iterator's result so that it is not unwrapped. */
  [Symbol.asyncIterator](): AsyncIterator<CompletedFuture<T>>;
  /** Gives a future of the next result, as many as there are awaitables. */
  [Symbol.iterator](): Iterator<Future<T>>;
}

/**
 * A future that is done. The compiler takes `for await` to unwrap every thenable, so to it this one is none: ask it for
 * its `result()`.
 *
 * @typeParam T The type of the result.
 */
export type CompletedFuture<T> = Future<T> & { readonly then: never };

/**
 * Gives awaitables in the order in which they end.
 *
 * @param awaitables Coroutine functions, `Coroutine`s, futures or promises; coroutines start now.
 * @param options How long to wait.
 * @returns Something for `for await`, which gives the tasks and futures that were given (or that were made of what was
 * given), each when it is done; or for a plain `for`, which gives a future of each next result.
 * @throws {TypeError} If `awaitables` is not an iterable of awaitables.
 * @throws {TimeoutError} From the iteration, if the time is up before all have ended.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const tasks = [0.02, 0.01].map((delay) => asyncio.create_task(() => asyncio.sleep(delay, delay)));
 * for await (const task of asyncio.as_completed(tasks)) console.log(task.result()); // 0.01, 0.02
 * ```
 */
export function as_completed<A extends AwaitableLike<unknown>>(
  awaitables: Iterable<A>,
  options?: AsCompletedOptions,
): CompletionIterator<ResultOf<A>> {
  if (typeof awaitables?.[Symbol.iterator] !== "function") {
    throw new TypeError(`"awaitables" must be an iterable of awaitables, got ${shown(awaitables)}`);
  }
  check_options(options, ["timeout"]);
  const timeout = options?.timeout ?? null;
  if (timeout !== null) check_number("timeout", timeout);
  const given = [...new Set(Array.from(awaitables, unshared))];
  for (const each of given) check_awaitable(each);
  return new Completions(given.map((each) => ensure_future(each as AwaitableLike<ResultOf<A>>)), timeout);
}

class Completions<T> implements CompletionIterator<T> {
  readonly #todo: Set<Future<T>>;
  /** How many the iteration still has to give. */
  #left: number;
  /** Ended and not given yet; `null` stands for one that did not end in time. */
  readonly #ended: (Future<T> | null)[] = [];
  readonly #waiters: Future<void>[] = [];
  readonly #timer: TimerHandle | null = null;

  constructor(futures: readonly Future<T>[], timeout: number | null) {
    this.#todo = new Set(futures);
    this.#left = futures.length;
    for (const future of futures) future._on_done(this.#on_done);
    if (timeout !== null && futures.length > 0) {
      this.#timer = current_loop()._call_later(timeout, () => this.#expire());
    }
  }

  readonly #on_done = (future: Future<T>): void => {
    if (!this.#todo.delete(future)) return;
    if (this.#todo.size === 0) this.#timer?.cancel();
    this.#put(future);
  };

  #expire(): void {
    for (const future of this.#todo) {
      future._remove_on_done(this.#on_done);
      this.#put(null);
    }
    this.#todo.clear();
  }

  #put(future: Future<T> | null): void {
    this.#ended.push(future);
    this.#wake_next();
  }

  #wake_next(): void {
    for (let waiter = this.#waiters.shift(); waiter !== undefined; waiter = this.#waiters.shift()) {
      if (!waiter.done()) return waiter.set_result(undefined);
    }
  }

  async #next(): Promise<[Future<T>]> {
    while (this.#ended.length === 0) {
      const waiter = new Signpost<void>({ call: "as_completed", futures: this.#todo });
      this.#waiters.push(waiter);
      try {
        await waiter;
      } catch (error) {
        // A call that was cancelled was given nothing. What woke it, if it was woken as well, is the next waiter's.
        this.#left++;
        if (!waiter.cancelled() && this.#ended.length > 0) this.#wake_next();
        throw error;
      }
    }
    const future = this.#ended.shift()!;
    if (future === null) throw new TimeoutError();
    return [future];
  }

  [Symbol.asyncIterator](): AsyncIterator<CompletedFuture<T>> {
    return {
      next: async () => {
        if (this.#left === 0) return { done: true, value: undefined };
        this.#left--;
        const [value] = await this.#next();
        return { done: false, value: value as CompletedFuture<T> };
      },
    };
  }

  *[Symbol.iterator](): Generator<Future<T>, void> {
    while (this.#left > 0) {
      this.#left--;
      yield new Call(async () => (await this.#next())[0].result());
    }
  }
}
