/**
 * The one-value box that everything awaits.
 *
 * A `Future` is a thenable and not a subclass of `Promise`: a rejected promise that nobody handles within its turn ends
 * a Deno process, while a future that nobody asks for its error is reported to the loop's exception handler. When code
 * awaits one, the engine calls `then()` in that code's own context, which is where the edge from waiter to future is
 * recorded.
 *
 * @module
 */

import { INSPECT } from "./constants.ts";
import type { Receiver } from "./_chained.ts";
import type { EventLoop } from "./deno_events.ts";
import { current_loop, current_scope, run_in_scope } from "./_context.ts";
import { type ContextRunner, Handle } from "./events.ts";
import type { Purpose } from "./_purpose.ts";
import {
  CancelledError,
  check_callable,
  check_loop,
  InvalidStateError,
  RuntimeError,
  shown,
  thrown_by_loop,
} from "./exceptions.ts";
import { Scope, SHIELD, type Step, type Strand, Wait } from "./_scopes.ts";

type State = "pending" | "finished" | "failed" | "cancelled";

/** What stands in a future's list: awaiting code, a user's callback, or one of the library's own. */
type Callback = Step & { readonly _fn?: unknown };

/** One of the library's own callbacks. It needs no context, so it runs as it is. */
class InternalCallback<T> implements Step {
  readonly #future: Future<T>;
  readonly _fn: (future: Future<T>) => void;

  constructor(future: Future<T>, fn: (future: Future<T>) => void) {
    this.#future = future;
    this._fn = fn;
  }

  _run(): null {
    this._fn(this.#future);
    return null;
  }
}

/** A user's callback, with the context it was added in. */
class DoneCallback extends Handle {
  readonly _fn: unknown;

  constructor(loop: EventLoop, callback: (future: never) => unknown, future: unknown, runner?: ContextRunner) {
    super(loop, callback, [future], true, runner);
    this._fn = callback;
  }
}

/**
 * Options of `new Future()`.
 */
export interface FutureOptions {
  /**
   * The loop that runs the future's callbacks.
   *
   * @default the loop of the calling code
   */
  readonly loop?: EventLoop;
}

/**
 * Options of `add_done_callback()`.
 */
export interface DoneCallbackOptions {
  /**
   * Runs the callback in another asynchronous context.
   *
   * @default the context of the call that adds it
   */
  readonly context?: ContextRunner;
}

/**
 * A value that is not there yet, and that can be cancelled.
 *
 * It has the whole interface of a promise, so it can be awaited, given to `Promise.all()` and to any helper that takes
 * a promise. What sets it decides its end: a result, an error, or cancellation.
 *
 * Differs from asyncio: a result that is itself awaitable cannot be handed over by `await`, which unwraps it. Wrap it
 * in an array or an object.
 *
 * @typeParam T The type of the result.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(async () => {
 *   const future = new asyncio.Future<string>();
 *   asyncio.get_running_loop().call_later(0.01, () => future.set_result("ready"));
 *   console.log(await future); // ready
 * });
 * ```
 */
export class Future<T> implements Promise<T> {
  readonly #loop: EventLoop;
  #state: State = "pending";
  /** The result, the error, or of a cancelled one the message or the error that ended it. */
  #outcome: unknown = undefined;
  /** Almost every future has one waiter: it needs no list. */
  #first: Callback | null = null;
  #rest: Callback[] | null = null;
  #unretrieved = false;
  /**
   * Makes a pending future.
   *
   * @param options The loop it belongs to.
   */
  constructor(options?: FutureOptions) {
    const loop = options?.loop;
    if (loop !== undefined && loop._push === undefined) check_loop(loop);
    this.#loop = loop ?? current_loop();
  }

  /**
   * Tells whether it has ended, in whatever way.
   *
   * @returns True unless it is pending.
   */
  done(): boolean {
    return this.#state !== "pending";
  }

  /**
   * Tells whether it ended by cancellation.
   *
   * @returns True if it was cancelled.
   */
  cancelled(): boolean {
    return this.#state === "cancelled";
  }

  /**
   * The result.
   *
   * @returns What `set_result()` was given.
   * @throws {CancelledError} If it was cancelled.
   * @throws {InvalidStateError} If it is pending.
   * @throws The error, if it ended with one.
   */
  result(): T {
    if (this.#state === "finished") return this.#outcome as T;
    if (this.#state === "failed") {
      this._retrieve();
      throw this.#outcome;
    }
    if (this.#state === "cancelled") throw this._make_cancelled_error();
    throw new InvalidStateError("Result is not set.");
  }

  /**
   * The error it ended with.
   *
   * @returns The error, or `null` if there was none.
   * @throws {CancelledError} If it was cancelled.
   * @throws {InvalidStateError} If it is pending.
   */
  exception(): unknown {
    if (this.#state === "cancelled") throw this._make_cancelled_error();
    if (this.#state === "pending") throw new InvalidStateError("Exception is not set.");
    if (this.#state === "finished") return null;
    this._retrieve();
    return this.#outcome;
  }

  /**
   * Ends it with a result.
   *
   * @param result The result.
   * @throws {InvalidStateError} If it is done.
   */
  set_result(result: T): void {
    if (this.#state !== "pending") throw new InvalidStateError(`invalid state: ${this._describe()}`);
    this._finish(result, undefined, false);
  }

  /**
   * Ends it with an error.
   *
   * If nobody asks for the error, the loop's exception handler is told: when the future is collected, or at the end of
   * `run()`.
   *
   * @param exception The error, or an error class, of which an instance is made.
   * @throws {InvalidStateError} If it is done.
   * @throws {TypeError} If `exception` is `undefined` or `null`.
   */
  set_exception(exception: unknown): void {
    if (this.#state !== "pending") throw new InvalidStateError(`invalid state: ${this._describe()}`);
    if (typeof exception === "function") exception = new (exception as new () => Error)();
    if (!(exception instanceof Error)) {
      throw new TypeError(`"exception" must be an error, got ${shown(exception)}`);
    }
    this._finish(undefined, exception, false);
  }

  /**
   * Cancels it: whoever awaits it gets a `CancelledError`.
   *
   * @param message The text of that error.
   * @returns False if it was done, so that nothing changed.
   */
  cancel(message?: string): boolean {
    if (this.#state !== "pending") return false;
    this._finish_cancelled(message, false);
    return true;
  }

  /**
   * Has a function called with the future once it is done: through the loop, never at once, in the order of the calls.
   *
   * @param fn What to call. An error it throws goes to the loop's exception handler.
   * @param options The context to call it in.
   */
  add_done_callback(fn: (future: this) => unknown, options?: DoneCallbackOptions): void {
    check_callable("fn", fn);
    this.#add(new DoneCallback(this.#loop, fn, this, options?.context));
  }

  /**
   * Takes back a function given to `add_done_callback()`.
   *
   * @param fn The function.
   * @returns How often it was found.
   */
  remove_done_callback(fn: (future: this) => unknown): number {
    return this.#remove(fn);
  }

  /**
   * The loop it belongs to.
   *
   * @returns The loop.
   */
  get_loop(): EventLoop {
    return this.#loop;
  }

  /**
   * What `await` calls. To cancel the task that calls it is to cancel this future, until its outcome is handed over.
   *
   * @param on_fulfilled Called with the result.
   * @param on_rejected Called with the error.
   * @returns A promise of what the called function returns: one to await and to chain, not an instance of `Promise`.
   */
  then<R = T, E = never>(
    on_fulfilled?: ((value: T) => R | PromiseLike<R>) | null,
    on_rejected?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<R | E> {
    // Nothing to wait for, and nothing that could be cancelled: the cheapest promise does.
    if (this.#state === "finished") {
      return Promise.resolve(this.#outcome as T).then(on_fulfilled, on_rejected);
    }
    if (this.#state === "pending") return this.#wait(on_fulfilled, on_rejected) as Promise<R | E>;
    return this.#settled_promise().then(on_fulfilled, on_rejected);
  }

  /**
   * Has a function called if it ends with an error.
   *
   * @param on_rejected Called with the error.
   * @returns A promise of the result, or of what the function returns.
   */
  catch<E = never>(on_rejected?: ((reason: unknown) => E | PromiseLike<E>) | null): Promise<T | E> {
    return this.then(undefined, on_rejected);
  }

  /**
   * Has a function called when it ends.
   *
   * @param on_finally Called without arguments.
   * @returns A promise of the same outcome.
   */
  finally(on_finally?: (() => void) | null): Promise<T> {
    return this.then().finally(on_finally);
  }

  /** How a promise names itself. */
  get [Symbol.toStringTag](): string {
    return "Future";
  }

  /** @ignore */
  [INSPECT](): string {
    return this._describe();
  }

  #settled_promise(): Promise<T> {
    return new Promise((resolve, reject) => this._pass_on({ resolve, reject }));
  }

  #wait(
    on_fulfilled: ((value: T) => unknown) | null | undefined,
    on_rejected: ((reason: unknown) => unknown) | null | undefined,
  ): Promise<unknown> {
    let scope = current_scope();
    // Code that a loop callback left behind belongs to no task.
    if (scope !== undefined && scope === scope.loop._scope) scope = undefined;
    const wait = new Wait(this, scope, on_fulfilled, on_rejected);
    if (scope !== undefined && this._links(scope)) {
      // The task would wait for its own end.
      if ((scope.root.task as unknown) === this) {
        const error = new RuntimeError(`Task cannot await on itself: ${this._describe()}`);
        return Promise.reject(error).then(on_fulfilled, on_rejected);
      }
      wait.link(scope);
    }
    this.#add(wait);
    if (scope !== undefined) scope.loop._rested(scope.root);
    return wait;
  }

  /**
   * Whether code of `scope` that awaits this is cancelled through it.
   *
   * @internal
   */
  _links(_scope: Scope): boolean {
    return true;
  }

  /**
   * Whether the code of this task, as it goes on, ends it.
   *
   * @internal
   */
  _is_of(_root: Scope): boolean {
    return false;
  }

  /**
   * Whether a cancellation of `scope` reaches what this waits for without this being cancelled.
   *
   * @internal
   */
  _hears_of(_scope: Scope): boolean {
    return false;
  }

  /**
   * Hands the outcome over; its error counts as retrieved.
   *
   * @internal
   */
  _pass_on(receiver: Receiver): void {
    if (this.#state === "finished") {
      receiver.resolve(this.#outcome);
    } else if (this.#state === "failed") {
      this._retrieve();
      receiver.reject(this.#outcome);
    } else {
      receiver.reject(this._make_cancelled_error(thrown_by_loop));
    }
  }

  /**
   * Called when a waiter was cancelled after the outcome was set; a future that carries goods takes them back.
   *
   * @internal
   */
  _lose(): void {
    this._retrieve();
  }

  /**
   * Has one of the library's own functions called through the loop once this is done.
   *
   * @internal
   */
  _on_done(fn: (future: Future<T>) => void): void {
    this.#add(new InternalCallback(this, fn));
  }

  /**
   * The outermost scope of the code that waits for it first: if this is a step, it is one of that code's.
   *
   * @internal
   */
  get _first_waiter(): Scope | null {
    return this.#first instanceof Wait ? this.#first.scope?.root ?? null : null;
  }

  /**
   * Takes back a function given to `_on_done()`.
   *
   * @internal
   */
  _remove_on_done(fn: (future: Future<T>) => void): void {
    this.#remove(fn);
  }

  /**
   * Ends it. `directly`: its first waiter is part of the step that ends it and goes on at once; the code that this sets
   * going is what it returns.
   *
   * @internal
   */
  _finish(result: T | undefined, exception: unknown, directly: boolean): Strand | null {
    if (exception === undefined) {
      this.#state = "finished";
      this.#outcome = result;
    } else {
      this.#state = "failed";
      this.#outcome = exception;
      this.#unretrieved = true;
      // Code that awaits it takes the error, unless it is cancelled before: see `_lose()`.
      if (!(this.#first instanceof Wait)) this.#watch();
    }
    return this.#call_back(directly);
  }

  /**
   * Ends it as cancelled. `cause` is the text of the error that waiters get, or the error that ended a task, which the
   * first of them gets itself.
   *
   * @internal
   */
  _finish_cancelled(cause: string | CancelledError | undefined, directly: boolean): Strand | null {
    this.#state = "cancelled";
    this.#outcome = cause;
    return this.#call_back(directly);
  }

  /**
   * Ends it with what was thrown, which in JavaScript need not be an error.
   *
   * @internal
   */
  _fail(thrown: unknown, directly = false): Strand | null {
    return this._finish(undefined, thrown ?? new Error(`Thrown: ${String(thrown)}`), directly);
  }

  #watch(): void {
    this.#loop._unretrieved.watch(this, this._key, this._describe(), this.#outcome);
  }

  /**
   * Ends it as another future ended.
   *
   * @internal
   */
  _copy(other: Future<T>): void {
    if (other.#state === "cancelled") {
      this._finish_cancelled(other.#outcome as string | CancelledError | undefined, false);
    } else if (other.#state === "failed") {
      other._retrieve();
      this._finish(undefined, other.#outcome, false);
    } else {
      this._finish(other.#outcome as T, undefined, false);
    }
  }

  /**
   * The error that cancellation shows as: the one that ended a task is shown once, then a new one.
   *
   * @internal
   */
  _make_cancelled_error(
    make: (message?: string) => CancelledError = (message) => new CancelledError(message),
  ): CancelledError {
    const cause = this.#outcome;
    if (!(cause instanceof CancelledError)) return make(cause as string | undefined);
    this.#outcome = cause.message;
    return cause;
  }

  /**
   * The error without a claim that somebody handled it; `undefined` if there is none.
   *
   * @internal
   */
  get _error(): unknown {
    return this.#state === "failed" ? this.#outcome : undefined;
  }

  /**
   * Under which key the exception handler gets it.
   *
   * @internal
   */
  get _key(): "future" | "task" {
    return "future";
  }

  /**
   * What will end it, as far as the library knows.
   *
   * @internal
   */
  get _purpose(): Purpose | null {
    return null;
  }

  /**
   * The scopes of the code that awaits it.
   *
   * @internal
   */
  get _waiting_scopes(): Scope[] {
    const all = this.#first === null ? [] : [this.#first, ...this.#rest ?? []];
    return all.flatMap((each) => each instanceof Wait && each.scope !== undefined ? [each.scope] : []);
  }

  /** @internal */
  _describe(): string {
    return `<Future ${this._outcome()}>`;
  }

  /** @internal */
  _outcome(): string {
    if (this.#state === "failed") return `finished exception=${String(this.#outcome)}`;
    return this.#state === "finished" ? `finished result=${shown(this.#outcome)}` : this.#state;
  }

  /**
   * Its error counts as handled, so nobody is to be told.
   *
   * @internal
   */
  _retrieve(): void {
    if (!this.#unretrieved) return;
    this.#unretrieved = false;
    this.#loop._unretrieved.unwatch(this);
  }

  #add(callback: Callback): void {
    if (this.#state !== "pending") this.#push(callback);
    else if (this.#first === null) this.#first = callback;
    else (this.#rest ??= []).push(callback);
  }

  #remove(fn: unknown): number {
    if (this.#first === null) return 0;
    const all = [this.#first, ...this.#rest ?? []];
    const kept = all.filter((each) => each._fn !== fn);
    this.#first = this.#rest = null;
    for (const each of kept) this.#add(each);
    return all.length - kept.length;
  }

  #call_back(directly: boolean): Strand | null {
    const first = this.#first;
    if (first === null) return null;
    const rest = this.#rest;
    this.#first = this.#rest = null;
    let strand: Strand | null = null;
    if (directly && first instanceof Wait) strand = first._run();
    else this.#push(first);
    if (rest !== null) { for (const callback of rest) this.#push(callback); }
    return strand;
  }

  /** Awaiting code goes on on its own loop, which may be another one. */
  #push(callback: Callback): void {
    const loop = callback instanceof Wait && callback.scope !== undefined ? callback.scope.loop : this.#loop;
    loop._push(callback);
  }
}

/**
 * A library call made of several waits: an async function, started at once in a scope of its own inside the caller's
 * task, and seen from outside as one future.
 *
 * To the task it is no step of its own: cancelling the task reaches the waits inside directly, and when it ends its
 * caller goes on in the same step, as in a Python coroutine that awaits another.
 *
 * @internal
 */
export class Call<T> extends Future<T> {
  readonly #scope: Scope;

  constructor(body: () => T | PromiseLike<T>, scope: Scope = call_scope()) {
    super({ loop: scope.loop });
    this.#scope = scope;
    run_in_scope(scope, () => this.#begin(body));
  }

  // Not an async function, whose suspended frame is twice as large as these callbacks.
  #begin(body: () => T | PromiseLike<T>): void {
    let result: T | PromiseLike<T>;
    try {
      result = body();
    } catch (error) {
      return this.#fail(error);
    }
    Promise.resolve(result).then((value) => this.#succeed(value), (error) => this.#fail(error));
  }

  #succeed(result: T): void {
    this.#scope.end();
    this._finish(result, undefined, true);
    this.#rest();
  }

  #fail(error: unknown): void {
    this.#scope.end();
    if (error instanceof CancelledError) this._finish_cancelled(error, true);
    else this._fail(error, true);
    this.#rest();
  }

  // Outside of a task, the code of the call is all there is to come to rest.
  #rest(): void {
    if (this.#scope.parent === null) this.#scope.loop._rested(this.#scope);
  }

  override cancel(message?: string): boolean {
    if (this.done()) return false;
    this.#scope.call_requests++;
    this.#scope.cancel(message);
    return true;
  }

  // Whatever cancels code that made the call and awaits it reaches the call's own waits. Code in a narrower block, say
  // of a timeout, may be cancelled where the call is not.
  override _links(scope: Scope): boolean {
    return scope !== this.#scope.parent;
  }

  override _hears_of(scope: Scope): boolean {
    return scope.contains(this.#scope) || (scope.control?._cancels === true && this.#scope.cancelled_scope() !== null);
  }

  override _is_of(root: Scope): boolean {
    return root === this.#scope.root;
  }

  override get _purpose(): Purpose {
    return { call: "call", futures: this.#scope.all_waited().filter(isfuture) };
  }
}

/** A new scope inside the calling code's own. */
export function call_scope(): Scope {
  const parent = current_scope();
  if (parent === undefined || parent === parent.loop._scope) return new Scope(current_loop(), null, null);
  return new Scope(parent.loop, parent, null);
}

/**
 * Runs cleanup that has to be finished although a scope around it cancels every wait: without it, a loop that waits again
 * after a cancellation would spin.
 */
export function shielded<T>(body: () => Promise<T>): Promise<T> {
  const scope = call_scope();
  scope.control = SHIELD;
  return run_in_scope(scope, body);
}

/** `sleep(0)`: done when the loop comes to it, and then its waiter goes on in that very step. */
export class Yield<T> extends Future<T> implements Step {
  readonly #value: T;
  #cancel: { readonly message: string | undefined } | null = null;

  constructor(value: T) {
    super();
    this.#value = value;
    const loop = this.get_loop();
    loop._check_closed();
    loop._push(this);
  }

  _run(): Strand | null {
    const cancel = this.#cancel;
    return cancel === null ? this._finish(this.#value, undefined, true) : this._finish_cancelled(cancel.message, true);
  }

  override get _purpose(): Purpose {
    return { call: "sleep", until: 0 };
  }

  /**
   * It keeps its place in the queue: its waiter hears of the cancellation when it would have gone on, and of several, as
   * in CPython, of the last.
   */
  override cancel(message?: string): boolean {
    if (this.done()) return false;
    this.#cancel = { message };
    return true;
  }
}

/**
 * Tells whether a value is a future of this library; a task is one.
 *
 * @param value Any value.
 * @returns True for a `Future`.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * console.log(asyncio.isfuture(asyncio.sleep(0)), asyncio.isfuture(Promise.resolve())); // true false
 * ```
 */
export function isfuture(value: unknown): value is Future<unknown> {
  return value instanceof Future;
}

/**
 * A future of a promise's outcome.
 *
 * To cancel it abandons the promise, whose work goes on; what becomes of that is no longer reported.
 *
 * @param promise The promise, or a future, which is returned as it is.
 * @param options The loop of the new future.
 * @returns The future.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const future = asyncio.wrap_future(Promise.resolve(42));
 * console.log(await future); // 42
 * ```
 */
export function wrap_future<T>(promise: PromiseLike<T>, options?: FutureOptions): Future<T> {
  if (promise instanceof Future) return promise;
  if (typeof promise?.then !== "function") throw new TypeError(`"promise" must be a promise, got ${shown(promise)}`);
  const future = new Future<T>(options);
  future.get_loop()._outside?.perhaps_during(promise);
  promise.then(
    (value) => future.done() || future._finish(value, undefined, false),
    (error) => future.done() || future._fail(error),
  );
  return future;
}
