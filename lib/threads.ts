/**
 * Real threads: functions that run in workers, on all cores of the machine.
 *
 * A thread shares no objects with the program. A function is sent as its source, so it sees only its arguments and the
 * globals; or it is named, as the export of a module. Arguments and results are copied as `structuredClone()` copies, and
 * buffers can be handed over instead.
 *
 * @module
 */

import type { AsyncContextManager } from "./async_with.ts";
import type { EventLoop } from "./deno_events.ts";
import { current_loop } from "./_context.ts";
import { INSPECT } from "./constants.ts";
import type { Target } from "./_deno_thread.ts";
import { check_number, check_options, RuntimeError, shown } from "./exceptions.ts";
import { Call, Future } from "./futures.ts";
import { CapacityLimiter } from "./limiters.ts";
import { Job, type JobOptions, type JobOwner, Thread, type ThreadOwner } from "./_thread.ts";

/**
 * A function that a module exports, for threads.
 */
export interface ModuleFunction {
  /** The module's absolute URL: `import.meta.resolve("./work.ts")`, or `"npm:..."`, `"jsr:..."`, `"node:..."`. */
  readonly module: string | URL;
  /**
   * Under what name it is exported.
   *
   * @default "default"
   */
  readonly name?: string;
}

/**
 * What can run in a thread: a function that uses nothing but its arguments, the globals, and what it imports itself with
 * `import()`; or the export of a module. It may be async.
 *
 * @typeParam A The arguments.
 * @typeParam R What it returns.
 */
export type ThreadFunction<A extends unknown[], R> = ((...args: A) => R) | ModuleFunction;

/**
 * Options of `new ThreadPoolExecutor()`.
 */
export interface ThreadPoolExecutorOptions {
  /**
   * How many threads there may be at a time.
   *
   * @default the number of the machine's logical processors
   */
  readonly max_workers?: number;
  /**
   * What the names of the threads begin with.
   *
   * @default "ThreadPoolExecutor"
   */
  readonly thread_name_prefix?: string;
}

/**
 * Options of `ThreadPoolExecutor.shutdown()`.
 */
export interface ExecutorShutdownOptions {
  /**
   * Waits until all threads have ended.
   *
   * @default true
   */
  readonly wait?: boolean;
  /**
   * Cancels the calls that have not started.
   *
   * @default false
   */
  readonly cancel_futures?: boolean;
}

/**
 * Options of `run_in_thread()`.
 */
export interface RunInThreadOptions {
  /**
   * Buffers, ports and streams among the arguments that are handed over, not copied; they are gone here.
   *
   * @default []
   */
  readonly transfer?: readonly Transferable[];
  /** Ends the wait when it aborts, with its reason; the call is treated as if it had been cancelled. */
  readonly signal?: AbortSignal;
  /**
   * Runs the call when there is a token for it. Each call has a token of its own, and gives it back when its thread has
   * done with it: later than the future, if that was cancelled.
   */
  readonly limiter?: CapacityLimiter;
  /**
   * Whether the thread is terminated, in the middle of what it does, if the future is cancelled while it runs; otherwise
   * it goes on to the end of the function, and what that gives is dropped. It is AnyIO's `to_process.run_sync()` that has
   * this option.
   *
   * @default false
   */
  readonly cancellable?: boolean;
  /**
   * Whose threads run the call.
   *
   * @default the default executor of the loop
   */
  readonly executor?: ThreadPoolExecutor;
}

const MAX_WORKERS_TEXT = "max_workers must be greater than 0";

/**
 * A number of threads that run functions, in the order of the calls.
 *
 * A thread is started when it is first needed, which holds the loop up for some tens of milliseconds, and kept for the next call. A thread
 * that has nothing to do does not keep the process alive, so a program ends by itself even if it forgot `shutdown()`; one
 * that runs a function does.
 *
 * Threads have the permissions of the program. None is needed for a function that is sent as its source. The module of a
 * `ModuleFunction` needs what a dynamic `import()` needs: `--allow-read` for a local file that the program has not
 * imported itself, `--allow-import` for a host that is not trusted by default.
 *
 * Differs from asyncio: it is that of Python's `concurrent.futures`, with as many threads as there are processors by
 * default, and with futures that can be awaited. There are no initializers: a module that a function imports stays loaded
 * in its thread.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await using pool = new asyncio.ThreadPoolExecutor({ max_workers: 2 });
 * console.log(await pool.submit((base: number, exponent: number) => base ** exponent, 2, 10)); // 1024
 * for await (const square of pool.map((n: number) => n * n, [1, 2, 3])) console.log(square); // 1, 4, 9
 * ```
 */
export class ThreadPoolExecutor implements AsyncContextManager<ThreadPoolExecutor> {
  readonly #max_workers: number;
  readonly #prefix: string;
  readonly #threads = new Set<Thread>();
  readonly #idle: Thread[] = [];
  /** Waiting for a token of their limiter, and who waits for it. */
  readonly #held = new Map<Job<unknown>, Future<void>>();
  /** Waiting for a thread. */
  readonly #queue = new Set<Job<unknown>>();
  #started = 0;
  #shut_down = false;
  #joining: Future<void>[] = [];

  /**
   * Makes an executor; no thread is started yet.
   *
   * @param options How many threads there may be, and their name.
   * @throws {TypeError} If an option has the wrong type.
   * @throws {RangeError} If `max_workers` is not a whole number above 0.
   */
  constructor(options?: ThreadPoolExecutorOptions) {
    check_options(options, ["max_workers", "thread_name_prefix"]);
    const max_workers = options?.max_workers ?? navigator.hardwareConcurrency;
    const prefix = options?.thread_name_prefix ?? "ThreadPoolExecutor";
    check_number("max_workers", max_workers);
    if (max_workers <= 0) throw new RangeError(MAX_WORKERS_TEXT);
    if (max_workers !== Infinity && !Number.isInteger(max_workers)) {
      throw new RangeError(`"max_workers" must be a whole number, got ${max_workers}`);
    }
    if (typeof prefix !== "string") throw new TypeError(`"thread_name_prefix" must be a string, got ${shown(prefix)}`);
    this.#max_workers = max_workers;
    this.#prefix = prefix;
  }

  /**
   * Has a function called in a thread.
   *
   * @param fn The function.
   * @param args Its arguments. They are copied before the call returns.
   * @returns A future of what the function returns. To cancel it takes a call that has not started out of the queue; one
   * that runs goes on, and what it gives is dropped.
   * @throws {TypeError} If `fn` cannot be sent.
   * @throws {DOMException} A `DataCloneError`, if an argument cannot be copied.
   * @throws {RuntimeError} After `shutdown()`.
   */
  submit<A extends unknown[], R>(fn: ThreadFunction<A, R>, ...args: A): Future<Awaited<R>> {
    return this._submit(current_loop(), fn, args, {});
  }

  /**
   * Has a function called in threads with each of some arguments.
   *
   * All calls are submitted at once. If one fails, or the iteration is left, those that have not started are cancelled.
   *
   * @param fn The function.
   * @param iterables For each of its parameters, the arguments; the shortest one tells how many calls there are.
   * @returns The results, in the order of the arguments.
   * @throws {TypeError} If `fn` cannot be sent.
   * @throws {RuntimeError} After `shutdown()`.
   */
  map<A extends unknown[], R>(
    fn: ThreadFunction<A, R>,
    ...iterables: { [I in keyof A]: Iterable<A[I]> }
  ): AsyncIterableIterator<Awaited<R>, undefined> {
    return new Results(zipped<A>(iterables).map((args) => this.submit(fn, ...args)));
  }

  /**
   * Ends the threads: each when nothing is left for it to do.
   *
   * @param options Whether to wait for that, and whether calls that have not started are cancelled.
   * @returns A future that is done when all threads have ended, or at once. To cancel it does not take the end back.
   */
  shutdown(options?: ExecutorShutdownOptions): Future<void> {
    check_options(options, ["wait", "cancel_futures"]);
    this.#shut_down = true;
    if (options?.cancel_futures) this.#cancel_waiting();
    const joined = new Future<void>();
    this.#joining.push(joined);
    if (options?.wait === false) joined.set_result(undefined);
    this.#dispatch();
    return joined;
  }

  /**
   * Called by `async_with()`.
   *
   * @returns The executor itself.
   */
  __aenter__(): this {
    return this;
  }

  /**
   * Shuts it down and waits for the threads; called by `async_with()`.
   *
   * @param _error What the body threw, or `null`.
   */
  async __aexit__(_error: unknown): Promise<void> {
    await this.shutdown();
  }

  /** Shuts it down, and waits for the threads, at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  /** @ignore */
  [INSPECT](): string {
    const state = this.#shut_down ? " shutdown" : "";
    const busy = this.#threads.size - this.#idle.length;
    const queued = this.#queue.size + this.#held.size;
    return `<ThreadPoolExecutor "${this.#prefix}" threads=${this.#threads.size}/${this.#max_workers} busy=${busy} ` +
      `queued=${queued}${state}>`;
  }

  /** @internal */
  _submit<A extends unknown[], R>(
    loop: EventLoop,
    fn: ThreadFunction<A, R>,
    args: A,
    options: JobOptions,
  ): Future<Awaited<R>> {
    const target = target_of(fn);
    if (this.#shut_down) throw new RuntimeError("cannot schedule new futures after shutdown");
    const job = new Job<Awaited<R>>(loop, this.#owner, target, args, options);
    if (job.done()) return job;
    loop._outside?.during_future(job);
    try {
      this.#admit(job as Job<unknown>);
    } catch (error) {
      job.cancel();
      throw error;
    }
    return job;
  }

  /**
   * Ends the threads in the middle of what they do.
   *
   * @internal
   */
  _terminate(): void {
    this.#shut_down = true;
    this.#cancel_waiting();
    for (const thread of this.#threads) {
      thread.job?.cancel();
      thread.terminate();
    }
  }

  #cancel_waiting(): void {
    for (const job of [...this.#held.keys(), ...this.#queue]) job.cancel();
  }

  #admit(job: Job<unknown>): void {
    const limiter = job.options.limiter;
    if (limiter === undefined) return this.#enqueue(job, false);
    job.pack();
    const token = limiter.acquire_on_behalf_of(job);
    if (token.done()) return this.#enqueue(job, true);
    this.#held.set(job, token);
    token._on_done(() => {
      if (this.#held.delete(job)) this.#enqueue(job, true);
      // The job was cancelled as the token was on its way.
      else if (!token.cancelled()) limiter.release_on_behalf_of(job);
    });
  }

  #enqueue(job: Job<unknown>, packed: boolean): void {
    if (this.#queue.size === 0) {
      const thread = this.#idle.pop() ?? this.#new_thread();
      if (thread !== null) return this.#run(thread, job);
    }
    if (!packed) job.pack();
    this.#queue.add(job);
  }

  #new_thread(): Thread | null {
    if (this.#threads.size >= this.#max_workers) return null;
    const thread = new Thread(`${this.#prefix}_${this.#started++}`, this.#owner);
    this.#threads.add(thread);
    return thread;
  }

  #run(thread: Thread, job: Job<unknown>): void {
    try {
      thread.run(job);
    } catch (error) {
      this.#idle.push(thread);
      job.options.limiter?.release_on_behalf_of(job);
      throw error;
    }
  }

  /** Gives the threads that are free, or that may be started, what waits. */
  #dispatch(): void {
    for (const job of this.#queue) {
      const thread = this.#idle.pop() ?? this.#new_thread();
      if (thread === null) return;
      this.#queue.delete(job);
      this.#run(thread, job);
    }
    if (!this.#shut_down || this.#held.size > 0) return;
    for (const thread of this.#idle.splice(0)) thread.terminate();
    this.#check_over();
  }

  #forget_idle(thread: Thread): void {
    const index = this.#idle.indexOf(thread);
    if (index >= 0) this.#idle.splice(index, 1);
  }

  #check_over(): void {
    if (this.#threads.size > 0 || this.#queue.size > 0 || this.#held.size > 0) return;
    for (const joined of this.#joining.splice(0)) {
      joined.get_loop()._deliver(() => {
        if (!joined.done()) joined.set_result(undefined);
      }, undefined);
    }
  }

  readonly #owner: JobOwner & ThreadOwner = {
    _abandoned: (job) => {
      const token = this.#held.get(job);
      if (token !== undefined) {
        this.#held.delete(job);
        token.cancel();
        this.#dispatch();
      } else if (this.#queue.delete(job)) {
        job.options.limiter?.release_on_behalf_of(job);
        this.#dispatch();
      } else if (job.options.cancellable) {
        for (const thread of this.#threads) if (thread.job === job) thread.terminate();
      }
    },
    _dying: (thread) => this.#forget_idle(thread),
    _freed: (thread, job) => {
      this.#idle.push(thread);
      job.options.limiter?.release_on_behalf_of(job);
      this.#dispatch();
    },
    _ended: (thread, job) => {
      this.#threads.delete(thread);
      this.#forget_idle(thread);
      if (job !== null) job.options.limiter?.release_on_behalf_of(job);
      this.#dispatch();
    },
  };
}

/** What is sent of a function. */
function target_of(fn: unknown): Target {
  if (typeof fn === "function") {
    const source = Function.prototype.toString.call(fn);
    const name = fn.name || "(anonymous)";
    if (/\{\s*\[native code\]\s*\}$/.test(source)) {
      throw new TypeError(
        `Cannot run "${name}" in a thread: a bound or built-in function has no source that could be sent`,
      );
    }
    if (/^class\b/.test(source)) throw new TypeError(`Cannot run "${name}" in a thread: it is a class`);
    return { kind: "source", source, name };
  }
  const { module, name = "default" } = (fn ?? {}) as Partial<ModuleFunction>;
  if ((typeof module !== "string" && !(module instanceof URL)) || typeof name !== "string") {
    throw new TypeError(`"fn" must be a function or { module, name }, got ${shown(fn)}`);
  }
  if (!URL.canParse(String(module))) {
    throw new TypeError(
      `"module" must be an absolute URL, got ${shown(module)}: use import.meta.resolve(${shown(module)})`,
    );
  }
  return { kind: "module", module: String(module), name };
}

function zipped<A extends unknown[]>(iterables: { readonly [I in keyof A]: Iterable<A[I]> }): A[] {
  const iterators = (iterables as readonly Iterable<unknown>[]).map((each) => Iterator.from(each));
  const rows: A[] = [];
  while (iterators.length > 0) {
    const row = iterators.map((each) => each.next());
    if (row.some(({ done }) => done)) break;
    rows.push(row.map(({ value }) => value) as A);
  }
  return rows;
}

/** The results of `map()`. Not an async generator: cancelling whoever waits for the next is to reach the call. */
class Results<T> implements AsyncIterableIterator<T, undefined> {
  #futures: Future<T>[];

  constructor(futures: Future<T>[]) {
    // The first is at the end.
    this.#futures = futures.reverse();
  }

  next(): Future<IteratorResult<T, undefined>> {
    return new Call(async () => {
      const future = this.#futures.pop();
      if (future === undefined) return { done: true, value: undefined };
      try {
        return { done: false, value: await future };
      } catch (error) {
        this.#drop();
        throw error;
      }
    });
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#drop();
    return Promise.resolve({ done: true, value: undefined });
  }

  #drop(): void {
    for (const future of this.#futures.splice(0)) {
      // Nobody will ask for its error.
      if (!future.cancel()) future._retrieve();
    }
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/**
 * Shuts an executor down, and after `timeout` seconds ends what still runs.
 */
export function join_executor(executor: ThreadPoolExecutor, loop: EventLoop, timeout: number | null): Future<void> {
  const joined = executor.shutdown();
  if (timeout === null || joined.done()) return joined;
  const timer = loop._call_later(timeout, () => {
    if (joined.done()) return;
    console.warn(`The executor did not finishing joining its threads within ${timeout} seconds.`);
    executor._terminate();
  });
  joined._on_done(() => timer.cancel());
  return joined;
}

/**
 * Runs a function in a thread, so that the loop goes on meanwhile, and on another core.
 *
 * The function is sent as its source: it sees its arguments, the globals, and what it imports itself with `import()`,
 * where a relative path has no meaning; it does not see variables and imports of its file. A function that needs these
 * is named by its module: `to_thread({ module: import.meta.resolve("./work.ts"), name: "work" }, 1)`.
 *
 * What it throws comes out with the class, text, fields and stack that it has in the thread; an error of a class of the
 * program comes as one of the nearest built-in class, with its own `name`. An error that nobody catches in the thread,
 * such as in a timer's callback, ends the thread, and `BrokenWorkerThread` the call.
 *
 * The threads are those of the loop's default executor: as many as the machine has processors. Their permissions are the
 * program's; a module needs those of a dynamic `import()`.
 *
 * Differs from asyncio: the thread shares no objects; arguments and results are copied, as `structuredClone()` does.
 * The context does not come along: in the thread there is no `current_task()`, and every `AsyncLocalStorage` is empty.
 *
 * @param fn The function; it may be async.
 * @param args Its arguments. They are copied before the call returns.
 * @returns A future of what the function returns. To cancel it takes a call that has not started out of the queue; one
 * that runs goes on, as in asyncio, and what it gives is dropped. `run_in_thread()` can do otherwise.
 * @throws {TypeError} If `fn` cannot be sent.
 * @throws {DOMException} A `DataCloneError`, if an argument cannot be copied.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * function count_primes(limit: number): number {
 *   let count = 0;
 *   for (let n = 2; n < limit; n++) {
 *     let prime = true;
 *     for (let d = 2; prime && d * d <= n; d++) prime = n % d !== 0;
 *     if (prime) count++;
 *   }
 *   return count;
 * }
 * await asyncio.run(async () => {
 *   console.log(await asyncio.to_thread(count_primes, 1000)); // 168
 * });
 * ```
 */
export function to_thread<A extends unknown[], R>(fn: ThreadFunction<A, R>, ...args: A): Future<Awaited<R>> {
  return current_loop().run_in_executor(null, fn, ...args);
}

/**
 * `to_thread()` with options: buffers that are handed over, a signal, a limiter, termination at cancellation.
 *
 * Differs from asyncio: there is no such function; the options are AnyIO's.
 *
 * @param fn The function, as for `to_thread()`.
 * @param args Its arguments. They are copied, or handed over, before the call returns.
 * @param options What is handed over, what ends the call, and who runs it.
 * @returns A future of what the function returns.
 * @throws {TypeError} If `fn` cannot be sent, or an option has the wrong type.
 * @throws {DOMException} A `DataCloneError`, if an argument cannot be copied.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(async () => {
 *   const bytes = new Uint8Array(1_000_000).fill(1);
 *   const sum = (bytes: Uint8Array) => bytes.reduce((sum, each) => sum + each, 0);
 *   console.log(await asyncio.run_in_thread(sum, [bytes], { transfer: [bytes.buffer] })); // 1000000
 *   console.log(bytes.length); // 0: they are the thread's
 *
 *   const endless = () => {
 *     for (;;);
 *   };
 *   try {
 *     await asyncio.wait_for(asyncio.run_in_thread(endless, [], { cancellable: true }), 0.1);
 *   } catch (error) {
 *     console.log(error instanceof asyncio.TimeoutError); // true, and the thread is gone
 *   }
 * });
 * ```
 */
export function run_in_thread<A extends unknown[], R>(
  fn: ThreadFunction<A, R>,
  args: A,
  options?: RunInThreadOptions,
): Future<Awaited<R>> {
  if (!Array.isArray(args)) throw new TypeError(`"args" must be an array, got ${shown(args)}`);
  check_options(options, ["transfer", "signal", "limiter", "cancellable", "executor"]);
  const { transfer = [], limiter, executor, signal } = options ?? {};
  if (!Array.isArray(transfer)) throw new TypeError(`"transfer" must be an array, got ${shown(transfer)}`);
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`"signal" must be an AbortSignal, got ${shown(signal)}`);
  }
  if (limiter !== undefined && !(limiter instanceof CapacityLimiter)) {
    throw new TypeError(`"limiter" must be a CapacityLimiter, got ${shown(limiter)}`);
  }
  const loop = current_loop();
  return loop._executor(executor ?? null)._submit(loop, fn, args, options ?? {});
}
