/**
 * The way in: a loop for one main coroutine, and its orderly end.
 *
 * @module
 */

import { EventLoop, new_event_loop } from "./deno_events.ts";
import { THREAD_JOIN_TIMEOUT } from "./constants.ts";
import { Coroutine, type CoroutineLike } from "./coroutines.ts";
import type { Signal } from "./_deno.ts";
import { on_interrupt } from "./_deno_process.ts";
import { check_not_running } from "./events.ts";
import { explain_run } from "./_explain.ts";
import { CancelledError, check_callable, check_options, KeyboardInterrupt, RuntimeError, shown } from "./exceptions.ts";
import { Future } from "./futures.ts";
import { check_signal } from "./_signals.ts";
import type { Task } from "./tasks.ts";
import { gather } from "./waiting.ts";

/**
 * Options of `run()` and `new Runner()`.
 */
export interface RunOptions {
  /**
   * Switches the loop's debug mode on or off.
   *
   * @default what the loop starts with
   */
  readonly debug?: boolean;
  /**
   * A signal on which the tree of the tasks is printed to the console's standard error, as `pstree()` draws it; the program
   * goes on. Ctrl-\ sends `"SIGQUIT"`. The signal does what it did before when the run has ended.
   *
   * @default none
   */
  readonly dump_on?: Signal;
  /**
   * Makes the loop.
   *
   * @default new_event_loop
   */
  readonly loop_factory?: () => EventLoop;
}

/**
 * Runs several coroutines, one after the other, on one loop.
 *
 * Whoever makes it closes it, best with `await using` or `async_with()`.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await using runner = new asyncio.Runner();
 * await runner.run(() => asyncio.sleep(0.01));
 * await runner.run(async () => console.log(asyncio.all_tasks().size)); // 1
 * ```
 */
export class Runner {
  readonly #options: RunOptions;
  #loop: EventLoop | null = null;
  #state: "created" | "initialized" | "closed" = "created";

  /**
   * Makes a runner; its loop is made when it is first needed.
   *
   * @param options Debug mode, and how the loop is made.
   * @throws {TypeError} If `loop_factory` is not a function.
   */
  constructor(options?: RunOptions) {
    check_options(options, ["debug", "loop_factory", "dump_on"]);
    if (options?.loop_factory !== undefined) check_callable("loop_factory", options.loop_factory);
    if (options?.debug !== undefined && typeof options.debug !== "boolean") {
      throw new TypeError(`"debug" must be a boolean, got ${shown(options.debug)}`);
    }
    if (options?.dump_on !== undefined) check_signal(options.dump_on);
    this.#options = options ?? {};
  }

  /**
   * The runner's loop.
   *
   * @returns The loop.
   * @throws {RuntimeError} If the runner is closed.
   */
  get_loop(): EventLoop {
    if (this.#state === "closed") throw new RuntimeError("Runner is closed");
    if (this.#loop === null) {
      const loop = (this.#options.loop_factory ?? new_event_loop)();
      if (!(loop instanceof EventLoop)) {
        throw new TypeError(`"loop_factory" must give an EventLoop, got ${shown(loop)}`);
      }
      this.#loop = loop;
      if (this.#options.debug !== undefined) this.#loop.set_debug(this.#options.debug);
      this.#state = "initialized";
    }
    return this.#loop;
  }

  /**
   * Runs a coroutine to its end.
   *
   * While it runs, the first Ctrl-C cancels it, so that its `finally` blocks run; the second ends the process. A handler
   * that the program itself has for SIGINT takes the place of that.
   *
   * @param main A coroutine function, a `Coroutine`, or a future.
   * @returns A promise of its result.
   * @throws {RuntimeError} If the runner is closed, or if the calling code runs on a loop.
   * @throws {TypeError} If `main` is not a coroutine.
   * @throws {KeyboardInterrupt} If Ctrl-C ended it.
   */
  async run<T>(main: CoroutineLike<T>): Promise<T> {
    check_not_running("Runner.run() cannot be called from a running event loop");
    const loop = this.get_loop();
    // Asked before the task is made: it would run all the same.
    if (loop.is_running()) throw new RuntimeError("This event loop is already running");
    const task = loop.create_task(main);
    let interrupted = false;
    const stop_listening = on_interrupt(() => {
      if (loop._signals.handles("SIGINT")) return false;
      interrupted = true;
      loop._deliver(() => task.cancel(), undefined);
      return true;
    });
    let stop_explaining = () => {};
    try {
      stop_explaining = explain_run(loop, this.#options.dump_on);
      return await loop.run_until_complete(task);
    } catch (error) {
      if (interrupted && error instanceof CancelledError && task.uncancel() === 0) {
        throw new KeyboardInterrupt("", { cause: error });
      }
      throw error;
    } finally {
      stop_listening();
      stop_explaining();
    }
  }

  /**
   * Ends the loop: tasks that are left are cancelled and waited for, their errors go to the exception handler, threads
   * of the default executor have 300 seconds to end, and the loop is closed. Closing again does nothing.
   *
   * @returns A promise that resolves when all has ended.
   */
  async close(): Promise<void> {
    if (this.#state !== "initialized") return;
    const loop = this.#loop!;
    this.#state = "closed";
    try {
      await cancel_all_tasks(loop);
      if (loop._has_default_executor) {
        await loop.run_until_complete(() => loop.shutdown_default_executor(THREAD_JOIN_TIMEOUT));
      }
    } finally {
      loop.close();
      this.#loop = null;
    }
  }

  /**
   * Makes the loop; called by `async_with()`.
   *
   * @returns The runner itself.
   */
  __aenter__(): this {
    this.get_loop();
    return this;
  }

  /**
   * Closes the runner; called by `async_with()`.
   *
   * @param _error What the body threw, or `null`.
   */
  async __aexit__(_error: unknown): Promise<void> {
    await this.close();
  }

  /** Closes the runner at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

async function cancel_all_tasks(loop: EventLoop): Promise<void> {
  const tasks: Task<unknown>[] = [...loop._tasks];
  if (tasks.length === 0) return;
  for (const task of tasks) task.cancel();
  await loop.run_until_complete(() => gather(...tasks, { return_exceptions: true }));
  for (const task of tasks) {
    if (task.cancelled()) continue;
    const exception = task.exception();
    if (exception === null) continue;
    loop.call_exception_handler({
      message: "unhandled exception during asyncio.run() shutdown",
      exception,
      task,
    });
  }
}

/**
 * Runs a coroutine on a loop of its own, then ends all that it left running.
 *
 * When it has ended, the tasks that are left are cancelled and waited for, threads of the default executor have 300
 * seconds to end, and the loop is closed. While it runs, the first Ctrl-C cancels it, so that its `finally` blocks run;
 * the second ends the process. Several may run side by side.
 *
 * Differs from asyncio: it does not block; await it.
 *
 * @param main A coroutine function, a `Coroutine`, or a future.
 * If Deno has nothing left to do while tasks are pending, they could never go on: the tree of what they wait for is then
 * printed to standard error, as `pstree()` draws it. Where the program awaits `run()` at its top level, Deno does not tell, and
 * the program waits until Ctrl-C, as in CPython; there, debug mode and `dump_on` print the tree.
 *
 * @param options Debug mode, how the loop is made, and a signal that has the tasks printed.
 * @returns A promise of the result of `main`.
 * @throws {RuntimeError} If the calling code runs on a loop.
 * @throws {TypeError} If `main` is not a coroutine.
 * @throws {KeyboardInterrupt} If Ctrl-C ended it.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(async () => {
 *   await asyncio.sleep(0.01);
 *   console.log("done");
 * });
 * ```
 */
export async function run<T>(main: CoroutineLike<T>, options?: RunOptions): Promise<T> {
  if (typeof main !== "function" && !(main instanceof Coroutine) && !(main instanceof Future)) {
    throw new TypeError(
      `a coroutine was expected, got ${shown(main)}: pass a function, as in run(() => main()) or run(main)`,
    );
  }
  check_not_running("asyncio.run() cannot be called from a running event loop");
  await using runner = new Runner(options);
  return await runner.run(main);
}
