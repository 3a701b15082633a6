/**
 * Tasks: coroutines that the loop runs side by side.
 *
 * @module
 */

import type { EventLoop } from "./deno_events.ts";
import {
  capture_context,
  current_loop,
  current_observer,
  current_scope,
  next_task_number,
  run_in_context,
  run_in_scope,
} from "./_context.ts";
import { type AwaitableLike, Coroutine, type CoroutineLike } from "./coroutines.ts";
import type { Captured } from "./_deno_context.ts";
import type { ContextRunner, TimerHandle } from "./events.ts";
import {
  CancelledError,
  check_callable,
  check_loop,
  check_number,
  check_options,
  RuntimeError,
  shown,
  thrown_by_loop,
} from "./exceptions.ts";
import { Future, wrap_future, Yield } from "./futures.ts";
import type { Purpose } from "./_purpose.ts";
import { Scope, type Step, type Strand } from "./_scopes.ts";

/**
 * Options of `create_task()`, `TaskGroup.create_task()` and `new Task()`.
 */
export interface TaskOptions {
  /**
   * The task's name, for people.
   *
   * @default "Task-1", "Task-2" and so on
   */
  readonly name?: string;
  /**
   * Runs the task in another asynchronous context.
   *
   * @default the context of the call that makes the task
   */
  readonly context?: ContextRunner;
  /**
   * Starts the task inside the call that makes it, up to its first wait, instead of in the loop's next turn.
   *
   * @default false
   */
  readonly eager_start?: boolean;
}

/**
 * Options of `new Task()`.
 */
export interface NewTaskOptions extends TaskOptions {
  /**
   * The loop that runs the task.
   *
   * @default the loop of the calling code
   */
  readonly loop?: EventLoop;
}

/**
 * A coroutine that the loop runs. It is a future of what the coroutine returns.
 *
 * The loop holds every task until it is done, so a task that nobody else refers to runs to its end.
 *
 * Differs from asyncio: cancellation reaches the awaits of this library's calls. An `await` of any other promise cannot
 * be interrupted; hand `signal` to what the promise waits for (`fetch(url, { signal: task.signal })`). There are no
 * `get_stack()` and `print_stack()`, since the engine does not show a suspended function's frames.
 *
 * @typeParam T The type of the result.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(async () => {
 *   const task = asyncio.create_task(async () => {
 *     await asyncio.sleep(0.01);
 *     return 42;
 *   }, { name: "answer" });
 *   console.log(task.get_name(), await task); // answer 42
 * });
 * ```
 */
export class Task<T> extends Future<T> implements Step {
  readonly #scope: Scope;
  #coroutine: CoroutineLike<T>;
  /** The number of a task without a name of its own; most are never asked for it. */
  #name: string | number;
  /** The context that the task was made in; `null` once its body went. */
  #context: Captured | null = null;
  /**
   * Its neighbour in the list of its loop.
   *
   * @internal
   */
  _next: Task<unknown> | null = null;
  /** @internal */
  _previous: Task<unknown> | null = null;

  /**
   * Makes a task, which starts in the loop's next turn.
   *
   * @param coroutine A coroutine function, a `Coroutine`, or a future.
   * @param options Its name, loop and context, and whether it starts at once.
   * @param _loop For the loop's own calls, in place of `options.loop`.
   * @throws {TypeError} If `coroutine` is anything else, a promise for one, or `context` does not call what it is given.
   */
  constructor(coroutine: CoroutineLike<T>, options?: NewTaskOptions, _loop?: EventLoop) {
    check_coroutine(coroutine);
    if (options !== undefined) check_task_options(options);
    const loop = _loop ?? options?.loop ?? current_loop();
    super({ loop });
    this.#coroutine = coroutine;
    this.#name = options?.name ?? next_task_number();
    this.#scope = new Scope(loop, null, this as Task<unknown>);
    loop._tasks.add(this as Task<unknown>);
    const observer = current_observer();
    const runner = observer === null
      ? options?.context
      : observer.task_created(this as Task<unknown>, options?.context);
    if (options?.eager_start) {
      if (runner === undefined) Task.#start(this as Task<unknown>);
      else this.#enter(runner, () => Task.#start(this as Task<unknown>));
      return;
    }
    if (runner === undefined) this.#context = capture_context();
    else this.#enter(runner, () => this.#context = capture_context());
    loop._push(this);
  }

  /** Calls `begin` in a context. One that fails, or calls nothing, leaves no task that would be pending for ever. */
  #enter(runner: ContextRunner, begin: () => void): void {
    let begun = false;
    try {
      runner(() => {
        if (begun) return;
        begun = true;
        begin();
      });
      if (!begun) throw new TypeError('"context" must call the function that it is given');
    } catch (error) {
      if (!begun || this.#context !== null) {
        this.#context = null;
        this.#end_cancelled(thrown_by_loop(undefined));
      }
      throw error;
    }
  }

  static #start(task: Task<unknown>): void {
    run_in_scope(task.#scope, Task.#call_body, task);
  }

  // Not an async function, whose suspended frame is twice as large as these callbacks.
  static #call_body(task: Task<unknown>): void {
    const scope = task.#scope;
    const coroutine = task.#coroutine;
    if (scope.must_cancel) {
      if (coroutine instanceof Coroutine) coroutine.close();
      else if (coroutine instanceof Future) coroutine.cancel(scope.cancel_message);
      return task.#end_cancelled(thrown_by_loop(scope.cancel_message));
    }
    current_observer()?.task_started(task);
    let result: unknown;
    try {
      if (typeof coroutine === "function") result = coroutine();
      else if (coroutine instanceof Future) result = coroutine;
      else result = coroutine._take()();
    } catch (error) {
      return task.#fail_with(error);
    }
    // The engine would call a future's `then()` in a job, and through a promise of its own.
    const outcome = result instanceof Future ? result : Promise.resolve(result);
    outcome.then(Task.#returned, Task.#threw);
  }

  // The same two for all tasks: two closures for each of many are memory. They run in the scope that `then()` was called in.
  static #returned(value: unknown): void {
    (current_scope()!.task as Task<unknown>).#succeed(value);
  }

  static #threw(error: unknown): void {
    (current_scope()!.task as Task<unknown>).#fail_with(error);
  }

  #succeed(result: T): void {
    const scope = this.#scope;
    // Cancelled after its last wait: the body could not hear of it, so whoever awaits the task does.
    if (scope.must_cancel) this.#end_cancelled(thrown_by_loop(scope.cancel_message));
    else this.#end(result, undefined);
  }

  #fail_with(error: unknown): void {
    if (error instanceof CancelledError) this.#end_cancelled(error);
    else this.#end(undefined, error ?? new Error(`Thrown: ${String(error)}`));
  }

  #end(result: T | undefined, exception: unknown): void {
    this.#leave();
    this._finish(result, exception, false);
    current_observer()?.task_done(this as Task<unknown>);
    this.get_loop()._rested(this.#scope);
  }

  #end_cancelled(error: CancelledError): void {
    this.#leave();
    this._finish_cancelled(error, false);
    current_observer()?.task_done(this as Task<unknown>);
    this.get_loop()._rested(this.#scope);
  }

  #leave(): void {
    this.#scope.end();
    this.#scope.must_cancel = false;
    this.get_loop()._tasks.delete(this as Task<unknown>);
  }

  /**
   * Starts the body.
   *
   * @internal
   */
  _run(): Strand | null {
    const context = this.#context;
    if (context === null) return null;
    this.#context = null;
    run_in_context(context, Task.#start, this as Task<unknown>);
    return this.#scope;
  }

  /** How a promise names itself. */
  override get [Symbol.toStringTag](): string {
    return "Task";
  }

  /**
   * Asks the task to stop: a `CancelledError` is thrown into it, once.
   *
   * It is thrown where the task waits for a call of this library, or else at the next such wait. A task that has not
   * started never does. The task may catch the error, clean up, and even go on; `cancelling()` counts the requests.
   *
   * Differs from asyncio: everybody who awaits the task gets the message, not only the first.
   *
   * @param message The text of the error.
   * @returns False if the task is done.
   */
  override cancel(message?: string): boolean {
    if (this.done()) return false;
    this.#scope.cancel_requests++;
    this.#scope.cancel(message);
    return true;
  }

  /**
   * How many requests to cancel the task are open.
   *
   * @returns The number of calls of `cancel()` less those of `uncancel()`. For the task's own code, the requests of the
   * timeouts and task groups around it count as well.
   */
  cancelling(): number {
    const here = current_scope();
    return (here !== undefined && this.#scope.contains(here) ? here : this.#scope).open_requests();
  }

  /**
   * Takes back one call of `cancel()`; for code that caught the `CancelledError` and means to go on.
   *
   * @returns How many requests remain.
   */
  uncancel(): number {
    const scope = this.#scope;
    if (scope.cancel_requests > 0 && --scope.cancel_requests === 0) scope.forget_cancel();
    return this.cancelling();
  }

  /**
   * Aborts when the task is cancelled, with the `CancelledError` as its reason; for `fetch()` and its like.
   *
   * Read by the task's own code, it also aborts when the timeout or task group around that code ends it. It is made when
   * it is first read. After a cancellation that the task survived, the next read gives a new one.
   */
  get signal(): AbortSignal {
    if (this.done()) return AbortSignal.abort(new CancelledError(`${this._describe()} is done`));
    const here = current_scope();
    return (here !== undefined && this.#scope.contains(here) ? here : this.#scope).signal();
  }

  /**
   * The task's name.
   *
   * @returns The name.
   */
  get_name(): string {
    return typeof this.#name === "number" ? `Task-${this.#name}` : this.#name;
  }

  /**
   * Gives the task another name.
   *
   * @param name The name; other values are converted.
   */
  set_name(name: string): void {
    this.#name = String(name);
  }

  /**
   * What the task was made of.
   *
   * @returns The coroutine function, `Coroutine` or future.
   */
  get_coro(): CoroutineLike<T> {
    return this.#coroutine;
  }

  /**
   * Not for tasks: the coroutine sets the result.
   *
   * @param _result Unused.
   * @throws {RuntimeError} Always.
   */
  override set_result(_result: T): never {
    throw new RuntimeError("Task does not support set_result operation");
  }

  /**
   * Not for tasks: the coroutine sets the error.
   *
   * @param _exception Unused.
   * @throws {RuntimeError} Always.
   */
  override set_exception(_exception: unknown): never {
    throw new RuntimeError("Task does not support set_exception operation");
  }

  /**
   * Whether its body has begun.
   *
   * @internal
   */
  get _started(): boolean {
    return this.#context === null;
  }

  /** @internal */
  get _scope(): Scope {
    return this.#scope;
  }

  /**
   * A `CancelScope` around the task's group reaches the task itself, and respects its shields.
   *
   * @internal
   */
  override _hears_of(scope: Scope): boolean {
    return scope.control?._cancels === true && this.#scope.cancelled_scope() !== null;
  }

  /** @internal */
  override get _key(): "future" | "task" {
    return "task";
  }

  /** @internal */
  override _describe(): string {
    const { waited } = this.#scope;
    const waits = this.done() || !(waited instanceof Future)
      ? ""
      : `, waits for ${waited instanceof Task ? `<Task ${JSON.stringify(waited.get_name())}>` : waited._describe()}`;
    return `<Task ${JSON.stringify(this.get_name())} ${this._outcome()}${waits}>`;
  }
}

/**
 * The tasks of a loop that are not done. With a `Set`, which has to be grown and moved, to cancel 100,000 of them took a
 * fifth more.
 *
 * @internal
 */
export class TaskList implements Iterable<Task<unknown>> {
  #first: Task<unknown> | null = null;
  #last: Task<unknown> | null = null;

  add(task: Task<unknown>): void {
    task._previous = this.#last;
    if (this.#last === null) this.#first = task;
    else this.#last._next = task;
    this.#last = task;
  }

  delete(task: Task<unknown>): void {
    const { _next, _previous } = task;
    if (_previous === null) this.#first = _next;
    else _previous._next = _next;
    if (_next === null) this.#last = _previous;
    else _next._previous = _previous;
    task._next = task._previous = null;
  }

  get is_empty(): boolean {
    return this.#first === null;
  }

  *[Symbol.iterator](): Iterator<Task<unknown>> {
    for (let task = this.#first; task !== null; task = task._next) yield task;
  }
}

const TASK_OPTIONS = ["name", "context", "eager_start", "loop"];

function check_task_options(options: NewTaskOptions): void {
  check_options(options, TASK_OPTIONS);
  check_loop(options.loop);
  if (options.context !== undefined) check_callable("context", options.context);
  if (options.name !== undefined && typeof options.name !== "string") {
    throw new TypeError(`"name" must be a string, got ${shown(options.name)}`);
  }
}

function check_coroutine(value: unknown): void {
  if (typeof value === "function" || value instanceof Coroutine || value instanceof Future) return;
  if (typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function") {
    throw new TypeError(
      "a coroutine was expected, got a promise, which cannot be cancelled: " +
        "pass a function, as in create_task(() => work(1)), not create_task(work(1))",
    );
  }
  throw new TypeError(`a coroutine was expected, got ${shown(value)}`);
}

/**
 * Has the loop run a coroutine side by side with the calling code, from its next turn on.
 *
 * @param coroutine A coroutine function, a `Coroutine`, or a future. A promise does not compile: its work already runs
 * and could not be cancelled.
 * @param options The task's name and context, and whether it starts at once.
 * @returns The task.
 * @throws {TypeError} If `coroutine` is a promise, or anything else that is none of these.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * async function work(n: number) {
 *   await asyncio.sleep(0.01);
 *   return n;
 * }
 * await asyncio.run(async () => {
 *   const task = asyncio.create_task(() => work(1));
 *   console.log(await task); // 1
 * });
 * ```
 */
export function create_task<T>(coroutine: CoroutineLike<T>, options?: TaskOptions): Task<T> {
  return current_loop().create_task(coroutine, options);
}

/**
 * Makes a future of anything that can be awaited: a future stays as it is, a coroutine becomes a task, a promise is
 * wrapped and can only be abandoned.
 *
 * @param awaitable A future, a coroutine function, a `Coroutine`, or a promise.
 * @param options The loop of a future made here.
 * @returns The future.
 * @throws {TypeError} If it is none of these.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const future = asyncio.ensure_future(Promise.resolve("done"));
 * console.log(await future); // done
 * ```
 */
export function ensure_future<T>(awaitable: AwaitableLike<T>, options?: EnsureFutureOptions): Future<T> {
  if (awaitable instanceof Future) return awaitable;
  check_options(options, ["loop"]);
  check_loop(options?.loop);
  const loop = options?.loop ?? current_loop();
  if (typeof awaitable === "function" || awaitable instanceof Coroutine) return loop.create_task(awaitable);
  if (typeof (awaitable as PromiseLike<T> | null | undefined)?.then === "function") {
    return wrap_future(awaitable, { loop });
  }
  throw new TypeError(`An asyncio.Future, a coroutine or an awaitable is required, got ${shown(awaitable)}`);
}

/**
 * Options of `ensure_future()`.
 */
export interface EnsureFutureOptions {
  /**
   * The loop of a future that has to be made.
   *
   * @default the loop of the calling code
   */
  readonly loop?: EventLoop;
}

/**
 * The task that runs the calling code.
 *
 * @param loop Counts only a task of this loop.
 * @returns The task, or `null` in a loop callback and outside of every task.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(async () => console.log(asyncio.current_task()?.get_name()));
 * ```
 */
export function current_task(loop?: EventLoop | null): Task<unknown> | null {
  check_loop(loop ?? undefined);
  const task = current_scope()?.root.task ?? null;
  return loop === undefined || loop === null || task?.get_loop() === loop ? task : null;
}

/**
 * The tasks of a loop that are not done.
 *
 * @param loop The loop; that of the calling code if left out.
 * @returns A new set.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(async () => console.log(asyncio.all_tasks().size)); // 1
 * ```
 */
export function all_tasks(loop?: EventLoop | null): Set<Task<unknown>> {
  check_loop(loop ?? undefined);
  return new Set((loop ?? current_loop())._tasks);
}

/** `sleep()` with a delay: its timer ends with it. */
class Sleep<T> extends Future<T> {
  readonly #timer: TimerHandle;

  constructor(delay: number, result: T) {
    super();
    this.#timer = this.get_loop()._call_later(delay, () => this.done() || this._finish(result, undefined, false));
  }

  override cancel(message?: string): boolean {
    this.#timer.cancel();
    return super.cancel(message);
  }

  override get _purpose(): Purpose {
    return { call: "sleep", until: this.#timer.when() };
  }

  override _describe(): string {
    return `<sleep until ${this.#timer.when().toFixed(3)} ${this._outcome()}>`;
  }
}

/**
 * Waits.
 *
 * With a delay of 0 or less it lets everything else that is ready run once.
 *
 * @param delay How long, in seconds.
 * @param result What the wait gives.
 * @returns A future of `result`. To cancel it ends the wait and its timer.
 * @throws {TypeError} If `delay` is not a number.
 * @throws {RangeError} If `delay` is NaN.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.sleep(0.01);
 * console.log(await asyncio.sleep(0.01, "rested")); // rested
 * ```
 */
export function sleep(delay: number): Future<void>;
/**
 * Waits, and gives a value.
 *
 * @param delay How long, in seconds.
 * @param result What the wait gives.
 * @returns A future of `result`.
 */
export function sleep<T>(delay: number, result: T): Future<T>;
export function sleep<T>(delay: number, result?: T): Future<T | undefined> {
  if (Number.isNaN(delay)) throw new RangeError("Invalid delay: NaN (not a number)");
  check_number("delay", delay);
  return delay <= 0 ? new Yield(result) : new Sleep(delay, result);
}

/**
 * Makes the tasks of a loop; see `loop.set_task_factory()`.
 *
 * @param loop The loop the task is for.
 * @param coroutine What the task runs.
 * @param options What the caller of `create_task()` gave.
 * @returns The task.
 */
export type TaskFactory = <T>(loop: EventLoop, coroutine: CoroutineLike<T>, options?: TaskOptions) => Task<T>;

/**
 * A task factory whose tasks start inside the call that makes them, up to their first wait.
 *
 * Differs from asyncio: a task that never waits is done one microtask later, not when the call returns, since the
 * engine does not tell at once what an async function returned.
 *
 * @param loop The loop the task is for.
 * @param coroutine What the task runs.
 * @param options The task's name and context.
 * @returns The task.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(async () => {
 *   asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory);
 *   const task = asyncio.create_task(async () => console.log("first"));
 *   console.log("second");
 *   await task;
 * });
 * ```
 */
export function eager_task_factory<T>(loop: EventLoop, coroutine: CoroutineLike<T>, options?: TaskOptions): Task<T> {
  return new Task(coroutine, { ...options, loop, eager_start: true });
}

/**
 * Makes a factory such as `eager_task_factory()` for a subclass of `Task`.
 *
 * @param constructor The class.
 * @returns The factory.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * class NamedTask<T> extends asyncio.Task<T> {}
 * const factory = asyncio.create_eager_task_factory(NamedTask);
 * await asyncio.run(async () => {
 *   asyncio.get_running_loop().set_task_factory(factory);
 *   console.log(asyncio.create_task(async () => {}) instanceof NamedTask); // true
 * });
 * ```
 */
export function create_eager_task_factory(constructor: typeof Task): TaskFactory {
  check_callable("constructor", constructor);
  return (loop, coroutine, options) => new constructor(coroutine, { ...options, loop, eager_start: true });
}
