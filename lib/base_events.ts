/**
 * The event loop, a thin facade over Deno's own: tasks, callbacks, time and errors.
 *
 * @module
 */

import type { Clock } from "./clocks.ts";
import { SystemClock } from "./clocks.ts";
import { INSPECT, SLOW_CALLBACK_DURATION } from "./constants.ts";
import { current_scope, get_default_loop } from "./_context.ts";
import type { EventLoop } from "./deno_events.ts";
import type { AwaitableLike, CoroutineLike } from "./coroutines.ts";
import type { Network, Processes, Signal } from "./_deno.ts";
import { DebugMode, described } from "./_debug.ts";
import { env_flag, SYSTEM_PROCESSES } from "./_deno_process.ts";
import {
  type CallOptions,
  check_not_running,
  type ExceptionContext,
  type ExceptionHandler,
  Handle,
  TimerHandle,
} from "./events.ts";
import { check_callable, check_number, check_options, RuntimeError, shown } from "./exceptions.ts";
import { Future } from "./futures.ts";
import { creation_of } from "./_observers.ts";
import { IdleWatch } from "./_idle.ts";
import { Outside, watched_network } from "./_outside.ts";
import { Scheduler } from "./_scheduler.ts";
import { Outbox } from "./_outbox.ts";
import { ArrayPool } from "./_send_queue.ts";
import { Scope, type Step, type Strand } from "./_scopes.ts";
import { shuffler } from "./_shuffle.ts";
import { SignalHandlers } from "./_signals.ts";
import { ensure_future, Task, type TaskFactory, TaskList, type TaskOptions } from "./tasks.ts";
import { join_executor, type ThreadFunction, ThreadPoolExecutor } from "./threads.ts";
import { Timers } from "./_timers.ts";
import { UnretrievedErrors } from "./_unretrieved.ts";

const TASK_OPTIONS = ["name", "context", "eager_start"];

/**
 * Options of `new_event_loop()` and `new EventLoop()`.
 */
export interface EventLoopOptions {
  /**
   * Where the loop takes its time from.
   *
   * @default the machine's monotonic clock
   */
  readonly clock?: Clock;
  /**
   * What the loop connects and listens with.
   *
   * @default the machine's network
   */
  readonly network?: LoopNetwork;
  /**
   * Has tasks that are ready at the same time go on in an order that this number tells, instead of that in which they
   * became ready: for tests of programs that should not depend on it. Callbacks, and the steps of one task, keep their
   * order.
   *
   * @default no other order
   */
  readonly order_seed?: number;
}

/**
 * What a loop can be given to connect and listen with; `testing.memory_network()` makes one.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const network: asyncio.LoopNetwork = asyncio.testing.memory_network();
 * const loop = asyncio.new_event_loop({ network });
 * await loop.run_until_complete(async () => {
 *   await using server = await asyncio.start_server(() => {}, "10.0.0.1", 80);
 *   console.log(server.sockets[0].getsockname()); // ["10.0.0.1", 80], an address that no machine has to have
 * });
 * loop.close();
 * ```
 */
export interface LoopNetwork {
  /**
   * Gives it to a loop; what it does not do itself is the machine's.
   *
   * @internal
   */
  _open(loop: EventLoop, system: Network): Network;
}

/**
 * The part of the event loop that runs tasks and callbacks.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * function at_the_next_second(loop: asyncio.BaseEventLoop, fn: () => void): asyncio.TimerHandle {
 *   return loop.call_at(Math.floor(loop.time()) + 1, fn);
 * }
 * at_the_next_second(asyncio.get_event_loop(), () => console.log("now")).cancel();
 * ```
 */
export abstract class BaseEventLoop {
  readonly #clock: Clock;
  readonly #scheduler: Scheduler;
  readonly #timers: Timers;
  readonly #idle: IdleWatch;
  readonly #network: LoopNetwork | null;
  /** Deno drives it, without `run_forever()`. */
  #driven = false;
  #running = false;
  #closed = false;

  #exception_handler: ExceptionHandler | null = null;
  #task_factory: TaskFactory | null = null;
  #default_executor: ThreadPoolExecutor | null = null;
  #executor_shut_down = false;

  /** Every loop is an `EventLoop`; this class is the part of it that knows nothing of connections. */
  readonly #self: EventLoop = this as unknown as EventLoop;

  /** Seconds that a callback, or a task between two waits, may take before debug mode warns of it. */
  slow_callback_duration: number = SLOW_CALLBACK_DURATION;

  /**
   * What is open and has to be closed with the loop, lest it keep the process alive.
   *
   * @internal
   */
  readonly _resources: Set<{ _loop_closed(): void }> = new Set();
  /**
   * The arrays that its connections send from.
   *
   * @internal
   */
  readonly _send_arrays: ArrayPool = new ArrayPool();
  /**
   * The connections that were written to.
   *
   * @internal
   */
  readonly _outbox: Outbox = new Outbox(this.#self);
  /**
   * Where callbacks run: on this loop, in no task.
   *
   * @internal
   */
  readonly _scope: Scope;
  /**
   * The tasks that are not done.
   *
   * @internal
   */
  readonly _tasks: TaskList = new TaskList();
  /**
   * Debug mode, while it is on.
   *
   * @internal
   */
  _debug: DebugMode | null = null;
  /**
   * What is under way outside of the loop, where its clock asks for it.
   *
   * @internal
   */
  readonly _outside: Outside | null;
  /**
   * Told of each timer that is made.
   *
   * @internal
   */
  _on_timer: ((timer: TimerHandle) => void) | null = null;
  /** @internal */
  readonly _unretrieved: UnretrievedErrors;
  /**
   * What the loop's programs are started with, and its signals come from.
   *
   * @internal
   */
  readonly _processes: Processes = SYSTEM_PROCESSES;
  /**
   * Who hears of signals.
   *
   * @internal
   */
  readonly _signals: SignalHandlers = new SignalHandlers(this.#self);

  /**
   * Makes a loop that is not at work yet.
   *
   * @param options Its clock, its network, and the order of its tasks.
   */
  constructor(options?: EventLoopOptions) {
    check_options(options, ["clock", "network", "order_seed"]);
    this.#clock = options?.clock ?? new SystemClock();
    if (typeof this.#clock?.time !== "function" || typeof this.#clock.set_timer !== "function") {
      throw new TypeError(`"clock" must have time() and set_timer(), got ${shown(this.#clock)}`);
    }
    this.#scheduler = new Scheduler((exception) =>
      this.call_exception_handler({ message: "Exception in the event loop", exception })
    );
    this.#network = options?.network ?? null;
    if (this.#network !== null && typeof this.#network._open !== "function") {
      throw new TypeError(`"network" must be a MemoryNetwork, got ${shown(this.#network)}`);
    }
    if (options?.order_seed !== undefined) {
      check_number("order_seed", options.order_seed);
      this.#scheduler.arrange = shuffler(options.order_seed);
    }
    this._outside = this.#clock instanceof SystemClock ? null : new Outside(() => this._tasks);
    this.#timers = new Timers(this.#clock, this.#scheduler, {
      is_awaited: () => !this.#idle.is_empty,
      outside: this._outside,
    });
    this.#idle = new IdleWatch(() => this.#timers.is_idle, () => this.#scheduler.times_woken);
    this.#scheduler.before_iteration = () => this.#timers.collect_due();
    this._scope = new Scope(this.#self, null, null);
    this._unretrieved = new UnretrievedErrors(this.#self);
    if (env_flag("ASYNCIO_DEBUG")) this.set_debug(true);
  }

  // Running

  /**
   * Runs the loop until `stop()`.
   *
   * @returns A promise that resolves when the loop has stopped.
   * @throws {RuntimeError} If it is closed or already running, or if the calling code runs on a loop.
   */
  run_forever(): Promise<void> {
    return Promise.try(() => {
      this.#check_can_run();
      return this.#run();
    });
  }

  /**
   * Runs the loop until something is done.
   *
   * @param awaitable A coroutine, which becomes a task, a future, or a promise.
   * @returns A promise of its result.
   * @throws {RuntimeError} If the loop is closed or already running, if the calling code runs on a loop, or if the loop
   * was stopped before the end.
   */
  async run_until_complete<T>(awaitable: AwaitableLike<T>): Promise<T> {
    this.#check_can_run();
    const future = ensure_future(awaitable, { loop: this.#self });
    const stop = () => this.stop();
    future._on_done(stop);
    try {
      await this.#run();
    } finally {
      future._remove_on_done(stop);
    }
    if (!future.done()) throw new RuntimeError("Event loop stopped before Future completed.");
    return future.result();
  }

  #check_can_run(): void {
    this._check_closed();
    if (this.#running) throw new RuntimeError("This event loop is already running");
    check_not_running("Cannot run the event loop while another loop is running");
  }

  #run(): Promise<void> {
    this.#running = true;
    const stopped = new Promise<void>((resolve) => this.#resolve_stopped = resolve);
    if (this.#stopping) this.stop();
    this.#activate();
    return stopped;
  }

  #resolve_stopped: (() => void) | null = null;
  #stopping = false;

  /** Stops `run_forever()` after the current iteration; called before it, the loop runs one iteration. */
  stop(): void {
    this.#stopping = true;
    if (!this.#running) return;
    this.#scheduler.call_at_iteration_end(() => {
      this.#running = this.#stopping = false;
      this.#activate();
      this.#resolve_stopped?.();
    });
  }

  #activate(): void {
    const active = !this.#closed && (this.#running || this.#driven);
    this.#timers.set_active(active);
    this.#scheduler.set_active(active);
    this._signals.set_running(this.#running);
  }

  /**
   * Tells whether `run_forever()` or `run_until_complete()` is at work.
   *
   * @returns True while it is.
   */
  is_running(): boolean {
    return this.#running;
  }

  /**
   * Tells whether the loop was closed.
   *
   * @returns True after `close()`.
   */
  is_closed(): boolean {
    return this.#closed;
  }

  /**
   * Ends the loop for good: what was scheduled is dropped, its timer is cleared, its servers and connections are closed
   * (what was written to these still leaves), its signal handlers are removed, and its subprocesses that are still running
   * are killed. The threads of its default executor end as they have no more to do. Closing it again does nothing.
   *
   * @throws {RuntimeError} If it is running.
   */
  close(): void {
    const inside = current_scope();
    if (this.#running || (inside?.loop === this.#self && inside.root.task !== null && !inside.root.finished)) {
      throw new RuntimeError("Cannot close a running event loop");
    }
    if (this.#closed) return;
    this._unretrieved.report_all();
    for (const task of [...this._tasks]) {
      this.call_exception_handler({
        message: "Task was destroyed but it is pending!",
        task,
        source_traceback: creation_of(task),
      });
    }
    this._debug?.report_leaks();
    this._debug?.end();
    this.#closed = true;
    for (const resource of this._resources) resource._loop_closed();
    this._signals.clear();
    this.#executor_shut_down = true;
    this.#default_executor?.shutdown({ wait: false });
    this.#activate();
    this.#timers.clear();
    this.#scheduler.clear();
  }

  // Callbacks and time

  /**
   * Has a function called in the next iteration.
   *
   * @param callback What to call. An error it throws goes to the exception handler.
   * @param args Its arguments.
   * @returns A handle to take it back.
   * @throws {RuntimeError} If the loop is closed.
   */
  call_soon<A extends unknown[]>(callback: (...args: A) => unknown, ...args: A): Handle {
    return this.#call_soon(callback, args, {});
  }

  /**
   * Has a function called in the next iteration, in another asynchronous context.
   *
   * @param callback What to call.
   * @param args Its arguments.
   * @param options The context.
   * @returns A handle to take it back.
   */
  call_soon_in<A extends unknown[]>(callback: (...args: A) => unknown, args: A, options: CallOptions): Handle {
    if (!Array.isArray(args)) throw new TypeError(`"args" must be an array, got ${shown(args)}`);
    check_options(options, ["context"]);
    if (options.context !== undefined) check_callable("context", options.context);
    return this.#call_soon(callback, args, options);
  }

  #call_soon(callback: (...args: never[]) => unknown, args: readonly unknown[], options: CallOptions): Handle {
    check_callable("callback", callback);
    this._check_closed();
    const handle = new Handle(this.#self, callback, args, true, options.context);
    this._push(handle);
    return handle;
  }

  /**
   * Has a function called after a time.
   *
   * @param delay Seconds from now.
   * @param callback What to call. An error it throws goes to the exception handler.
   * @param args Its arguments.
   * @returns A handle to take it back.
   * @throws {TypeError} If `delay` is not a number.
   * @throws {RuntimeError} If the loop is closed.
   */
  call_later<A extends unknown[]>(delay: number, callback: (...args: A) => unknown, ...args: A): TimerHandle {
    if (delay === null || delay === undefined) throw new TypeError("delay must not be None");
    check_number("delay", delay);
    check_callable("callback", callback);
    const now = this.time();
    return this.#schedule(now, now + delay, callback, args, true);
  }

  /**
   * Has a function called at a time. Functions for the same time are called in the order of the calls.
   *
   * @param when The time, as `time()` gives it.
   * @param callback What to call. An error it throws goes to the exception handler.
   * @param args Its arguments.
   * @returns A handle to take it back.
   * @throws {TypeError} If `when` is not a number.
   * @throws {RuntimeError} If the loop is closed.
   */
  call_at<A extends unknown[]>(when: number, callback: (...args: A) => unknown, ...args: A): TimerHandle {
    if (when === null || when === undefined) throw new TypeError("when cannot be None");
    check_number("when", when);
    check_callable("callback", callback);
    return this.#schedule(this.time(), when, callback, args, true);
  }

  /**
   * The time of the loop's clock.
   *
   * @returns Seconds since some fixed moment.
   */
  time(): number {
    return this.#clock.time();
  }

  // Signals

  /**
   * Has a function called whenever a signal comes, instead of what the signal would do: SIGTERM no longer ends the
   * process, and Ctrl-C no longer cancels the main task of `run()`. It takes the place of the handler before it.
   *
   * It runs in the loop's next iteration, in the context of the code that called this. What it throws goes to the
   * exception handler. It is removed when the loop is closed.
   *
   * It keeps the process alive while `run_forever()`, `run_until_complete()` or `run()` is at work, and not otherwise: a
   * program that only the default loop runs ends when nothing else is left to do.
   *
   * Differs from asyncio: an async function is accepted; it is not a task, and its failure goes to the exception handler.
   * Each of several loops may have a handler for the same signal.
   *
   * @param sig The signal, such as `"SIGTERM"`. On `"SIGUSR1"` Deno starts its inspector as well; a warning says so. On
   * Windows there are only `"SIGINT"`, `"SIGBREAK"` and `"SIGHUP"`.
   * @param callback What to call.
   * @param args Its arguments.
   * @throws {TypeError} If `sig` is no string, or `callback` is no function.
   * @throws {RangeError} If there is no such signal.
   * @throws {RuntimeError} If it cannot be caught, as `"SIGKILL"` and `"SIGSTOP"`, or the loop is closed.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * await asyncio.run(async () => {
   *   const reload = new asyncio.Event();
   *   asyncio.get_running_loop().add_signal_handler("SIGHUP", () => reload.set());
   *   Deno.kill(Deno.pid, "SIGHUP");
   *   await reload.wait();
   *   console.log("reloading");
   * });
   * ```
   */
  add_signal_handler<A extends unknown[]>(sig: Signal, callback: (...args: A) => unknown, ...args: A): void {
    this._signals.set(sig, callback, args);
  }

  /**
   * Has a signal do again what it did before `add_signal_handler()`.
   *
   * @param sig The signal.
   * @returns Whether there was a handler.
   * @throws {TypeError} If `sig` is no string.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const loop = asyncio.get_event_loop();
   * loop.add_signal_handler("SIGHUP", () => console.log("never"));
   * console.log(loop.remove_signal_handler("SIGHUP"), loop.remove_signal_handler("SIGHUP")); // true false
   * ```
   */
  remove_signal_handler(sig: Signal): boolean {
    return this._signals.remove(sig);
  }

  // Futures and tasks

  /**
   * Makes a future of this loop.
   *
   * @returns A pending future.
   */
  create_future<T>(): Future<T> {
    return new Future<T>({ loop: this.#self });
  }

  /**
   * Makes a task of this loop, with the task factory if there is one.
   *
   * @param coroutine A coroutine function, a `Coroutine`, or a future.
   * @param options The task's name and context, and whether it starts at once.
   * @returns The task.
   * @throws {RuntimeError} If the loop is closed.
   */
  create_task<T>(coroutine: CoroutineLike<T>, options?: TaskOptions): Task<T> {
    this._check_closed();
    if (options !== undefined) check_options(options, TASK_OPTIONS);
    if (this.#task_factory !== null) return this.#task_factory(this.#self, coroutine, options);
    return new Task(coroutine, options, this.#self);
  }

  /**
   * Has another function make the tasks.
   *
   * @param factory The function; `null` for the plain one.
   * @throws {TypeError} If it is neither a function nor `null`.
   */
  set_task_factory(factory: TaskFactory | null): void {
    if (factory !== null && typeof factory !== "function") {
      throw new TypeError(`"factory" must be a function or null, got ${shown(factory)}`);
    }
    this.#task_factory = factory;
  }

  /**
   * The function that makes the tasks.
   *
   * @returns The function, or `null`.
   */
  get_task_factory(): TaskFactory | null {
    return this.#task_factory;
  }

  // Threads

  /**
   * Has a function called in a thread.
   *
   * @param executor Whose threads; `null` for the default executor, which is made when it is first needed.
   * @param fn The function, as for `to_thread()`.
   * @param args Its arguments. They are copied before the call returns.
   * @returns A future of what the function returns.
   * @throws {TypeError} If `executor` is neither an executor nor `null`, or if `fn` cannot be sent.
   * @throws {DOMException} A `DataCloneError`, if an argument cannot be copied.
   * @throws {RuntimeError} If the loop is closed, or the executor was shut down.
   */
  run_in_executor<A extends unknown[], R>(
    executor: ThreadPoolExecutor | null,
    fn: ThreadFunction<A, R>,
    ...args: A
  ): Future<Awaited<R>> {
    return this._executor(executor)._submit(this.#self, fn, args, {});
  }

  /**
   * Has `to_thread()`, and `run_in_executor()` without an executor, use other threads.
   *
   * @param executor Whose threads. The loop shuts it down when it is closed.
   * @throws {TypeError} If it is not a `ThreadPoolExecutor`.
   */
  set_default_executor(executor: ThreadPoolExecutor): void {
    if (!(executor instanceof ThreadPoolExecutor)) {
      throw new TypeError(`executor must be ThreadPoolExecutor instance, got ${shown(executor)}`);
    }
    this.#default_executor = executor;
  }

  /**
   * Shuts the default executor down, and waits until its threads have ended. `run()` does it at its end.
   *
   * Differs from asyncio: threads that have not ended in time are terminated.
   *
   * @param timeout Seconds that the functions have to end; `null` for no limit.
   * @returns A future that is done when all threads have ended.
   * @throws {TypeError} If `timeout` is neither a number nor `null`.
   */
  shutdown_default_executor(timeout: number | null = null): Future<void> {
    if (timeout !== null) check_number("timeout", timeout);
    this.#executor_shut_down = true;
    if (this.#default_executor !== null) {
      const joined = join_executor(this.#default_executor, this.#self, timeout);
      this._outside?.during_future(joined);
      return joined;
    }
    const future = this.create_future<void>();
    future.set_result(undefined);
    return future;
  }

  // Errors and debugging

  /**
   * Has another function hear what nobody handled.
   *
   * @param handler The function; `null` for the default one, which prints to the console.
   * @throws {TypeError} If it is neither a function nor `null`.
   */
  set_exception_handler(handler: ExceptionHandler | null): void {
    if (handler !== null && typeof handler !== "function") {
      throw new TypeError(`A callable object or null is expected, got ${shown(handler)}`);
    }
    this.#exception_handler = handler;
  }

  /**
   * The function that hears what nobody handled.
   *
   * @returns The function, or `null` if it is the default one.
   */
  get_exception_handler(): ExceptionHandler | null {
    return this.#exception_handler;
  }

  /**
   * Prints what happened to the console.
   *
   * @param context What happened.
   */
  default_exception_handler(context: ExceptionContext): void {
    const lines = [context.message];
    for (const [key, value] of Object.entries(context)) {
      if (value === undefined || key === "message" || key === "exception") continue;
      if (key === "source_traceback") lines.push(`Created at (innermost call first):\n${value}`);
      else lines.push(`${key}: ${described(value)}`);
    }
    if (context.exception === undefined) console.error(lines.join("\n"));
    else console.error(lines.join("\n"), "\n", context.exception);
  }

  /**
   * Tells the exception handler of something. It never throws: if the handler does, the default one hears of both.
   *
   * @param context What happened.
   */
  call_exception_handler(context: ExceptionContext): void {
    if (typeof context !== "object" || context === null) {
      throw new TypeError(`"context" must be an object, got ${shown(context)}`);
    }
    const handler = this.#exception_handler;
    if (handler === null) return this.default_exception_handler(context);
    try {
      handler(this.#self, context);
    } catch (exception) {
      this.default_exception_handler({ message: "Unhandled error in exception handler", exception });
      this.default_exception_handler(context);
    }
  }

  /**
   * Tells whether the loop is in debug mode.
   *
   * @returns True in debug mode.
   */
  get_debug(): boolean {
    return this._debug !== null;
  }

  /**
   * Switches debug mode. It starts switched on where the environment variable `ASYNCIO_DEBUG` is set and may be read.
   *
   * It warns on the console of a callback, or a task between two waits, that ran for longer than
   * `slow_callback_duration`; and tells the exception handler of a coroutine that was never awaited, of a task that
   * swallowed its cancellation, and at the end of the loop of connections, servers and processes that were left open, each
   * with the calls that made it. `pstree()` then also knows for how long tasks have waited, and who has a lock. When `run()`
   * comes to rest with tasks that wait for each other's locks, queues, events or ends, and no timer or connection is left
   * to wake them, it prints that picture, once.
   *
   * Differs from asyncio: the time of a task that goes on after a foreign promise is not taken.
   *
   * @param enabled Whether to switch it on.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * await asyncio.run(async () => {
   *   console.log(asyncio.get_running_loop().get_debug()); // true
   * }, { debug: true });
   * ```
   */
  set_debug(enabled: boolean): void {
    if (Boolean(enabled) === this.get_debug()) return;
    if (enabled) {
      const is_idle = () => this.#running && this.#scheduler.is_idle && this.#timers.is_empty;
      this._debug = new DebugMode(this.#self, is_idle);
    } else {
      this._debug!.end();
      this._debug = null;
    }
  }

  /** @ignore */
  [INSPECT](): string {
    return `<EventLoop running=${this.#running} closed=${this.#closed} debug=${this.get_debug()}>`;
  }

  // What the other rooms use

  /**
   * The network that the loop was given, or else the machine's.
   *
   * @internal
   */
  _network_over(system: Network): Network {
    if (this.#network !== null) return this.#network._open(this.#self, system);
    return this._outside === null ? system : watched_network(system, this._outside);
  }

  /**
   * Ends once the loop has had nothing to run for so many seconds of the machine's clock.
   *
   * @internal
   */
  _idle_for(cushion: number): Future<void> {
    const future = this.create_future<void>();
    this.#idle.add(future, cushion);
    return future;
  }

  /**
   * The timers that are not due.
   *
   * @internal
   */
  get _pending_timers(): readonly TimerHandle[] {
    return this.#timers.pending;
  }

  /**
   * The executor that is meant.
   *
   * @internal
   */
  _executor(executor: ThreadPoolExecutor | null): ThreadPoolExecutor {
    this._check_closed();
    if (executor instanceof ThreadPoolExecutor) return executor;
    if (executor !== null) {
      throw new TypeError(`"executor" must be a ThreadPoolExecutor or null, got ${shown(executor)}`);
    }
    if (this.#executor_shut_down) throw new RuntimeError("Executor shutdown has been called");
    return this.#default_executor ??= new ThreadPoolExecutor({ thread_name_prefix: "asyncio" });
  }

  /**
   * Whether there are threads to wait for at the end.
   *
   * @internal
   */
  get _has_default_executor(): boolean {
    return this.#default_executor !== null;
  }

  /**
   * Has Deno drive the loop, as the default loop is driven.
   *
   * @internal
   */
  _drive(): void {
    this.#driven = true;
    this.#activate();
  }

  /**
   * Puts a step on the ready queue.
   *
   * @internal
   */
  _push(step: Step): void {
    // What ends after the loop did, such as the last write of a connection, must not leave anybody waiting.
    if (this.#closed) get_default_loop()._push(step);
    else this.#scheduler.push(step);
  }

  /**
   * Says that code has come to rest: it ended, or it waits for a future.
   *
   * @internal
   */
  _rested(strand: Strand): void {
    this.#scheduler.rested(strand);
  }

  /**
   * Runs what ends an operation of the system.
   *
   * @internal
   */
  _deliver<A>(fn: (arg: A) => void, arg: A): void {
    this.#scheduler.deliver(fn, arg);
  }

  /**
   * `call_soon()` for the library's own callbacks, which need no context.
   *
   * @internal
   */
  _call_soon(callback: () => void): Handle {
    this._check_closed();
    const handle = new Handle(this.#self, callback, [], false);
    this.#scheduler.push(handle);
    return handle;
  }

  /**
   * `call_at()` for the library's own callbacks. To look at the clock costs a fifth of a microsecond, so the time may be
   * given.
   *
   * @internal
   */
  _call_at(when: number, callback: () => void, now: number = this.#clock.time()): TimerHandle {
    return this.#schedule(now, when, callback, [], false);
  }

  /**
   * `call_later()` for the library's own callbacks.
   *
   * @internal
   */
  _call_later(delay: number, callback: () => void): TimerHandle {
    const now = this.#clock.time();
    return this.#schedule(now, now + delay, callback, [], false);
  }

  /** @internal */
  _timer_cancelled(timer: TimerHandle): void {
    this.#timers.note_cancelled(timer);
  }

  /** @internal */
  _report_slow(handle: Handle, seconds: number): void {
    this._debug?.report_slow(described(handle), seconds);
  }

  #schedule(
    now: number,
    when: number,
    callback: (...args: never[]) => unknown,
    args: readonly unknown[],
    captures: boolean,
  ): TimerHandle {
    this._check_closed();
    const timer = new TimerHandle(this.#self, when, this.#timers.next_order(), callback, args, captures);
    this._on_timer?.(timer);
    if (when > now) this.#timers.add(timer);
    else this.#timers.add_due(timer);
    return timer;
  }

  /**
   * Throws if the loop is closed.
   *
   * @internal
   */
  _check_closed(): void {
    if (this.#closed) throw new RuntimeError("Event loop is closed");
  }
}
