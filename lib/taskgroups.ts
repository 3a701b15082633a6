/**
 * Tasks that end together.
 *
 * @module
 */

import { INSPECT } from "./constants.ts";
import type { AsyncContextManager, ScopedManager } from "./async_with.ts";
import { Coroutine, type CoroutineLike } from "./coroutines.ts";
import { CancelledError, check_callable, ExceptionGroup, KeyboardInterrupt, RuntimeError } from "./exceptions.ts";
import { Call, Future, shielded } from "./futures.ts";
import { Signpost } from "./_purpose.ts";
import type { Scope } from "./_scopes.ts";
import type { Task, TaskOptions } from "./tasks.ts";

/**
 * What a task that `TaskGroup.start()` makes says that it is ready with.
 *
 * @typeParam T What it says.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * async function serve(task_status: asyncio.TaskStatus<string>) {
 *   task_status.started("ready");
 *   await asyncio.sleep(0.01);
 * }
 * await asyncio.async_with(new asyncio.TaskGroup(), async (group) => console.log(await group.start(serve)));
 * ```
 */
export interface TaskStatus<T = void> {
  /**
   * Has `start()` return.
   *
   * @param value What it returns.
   * @throws {RuntimeError} If it was called before.
   */
  started(value: T): void;
}

/** Waits until a task is done, however it ends. */
async function wait_for_end(task: Task<unknown>): Promise<void> {
  const ended = new Future<void>({ loop: task.get_loop() });
  task._on_done(() => ended.done() || ended.set_result(undefined));
  await ended;
}

/**
 * A block that ends when all the tasks made in it have ended.
 *
 * The first task that fails has the others, and the block's body, cancelled; once all have ended, the errors come out
 * as one `ExceptionGroup`. A child that was cancelled is no error. If the body fails, the children are cancelled and
 * its error joins the group. A cancellation from outside cancels the children and comes out as `CancelledError`, unless
 * a child failed: then the group comes out, and the task's next wait is cancelled.
 *
 * Differs from asyncio: it can be used outside of a task too; only the waits of the group's own body are cancelled, not
 * other branches of the task. A cancellation that the task caught before the block is not delivered to it again when the
 * group fails.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(async () => {
 *   const [one, two] = await asyncio.async_with(new asyncio.TaskGroup(), (group) => [
 *     group.create_task(() => asyncio.sleep(0.01, 1)),
 *     group.create_task(() => asyncio.sleep(0.01, 2)),
 *   ]);
 *   console.log(one.result() + two.result()); // 3
 * });
 * ```
 */
export class TaskGroup implements AsyncContextManager<TaskGroup>, ScopedManager {
  #scope: Scope | null = null;
  #entered = false;
  #exiting = false;
  #aborting = false;
  #tasks_cancelled = false;
  #cancel_called = false;
  #heard_requests = 0;
  /** The body was cancelled by the group itself, which counts as one request that the exit takes back. */
  #body_cancelled = false;
  readonly #tasks = new Set<Task<unknown>>();
  readonly #errors: unknown[] = [];
  #base_error: unknown = null;
  #all_ended: Future<void> | null = null;

  /**
   * Makes a task that the group waits for.
   *
   * @param coroutine A coroutine function, a `Coroutine`, or a future.
   * @param options The task's name and context, and whether it starts at once.
   * @returns The task.
   * @throws {RuntimeError} Before the group was entered, after it ended, and while it shuts down.
   */
  create_task<T>(coroutine: CoroutineLike<T>, options?: TaskOptions): Task<T> {
    const task = this.#make_task(coroutine, options);
    this.#follow(task as Task<unknown>, this.#on_done);
    return task;
  }

  /**
   * Makes a task that the group waits for, and waits until it says that it is ready.
   *
   * If the task fails before that, its error comes out here, and the group goes on. To cancel the call cancels that task
   * alone; an error that the task ends with then is the group's.
   *
   * @typeParam T What the task says as it is ready.
   * @param coroutine What to run; it gets an object whose `started()` it calls once, when it is ready.
   * @param options The task's name and context.
   * @returns A future of what `started()` was given.
   * @throws {RuntimeError} If the task ends without a call of `started()`; and as `create_task()` does.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * await asyncio.run(() =>
   *   asyncio.async_with(new asyncio.TaskGroup(), async (group) => {
   *     const port = await group.start(async (task_status: asyncio.TaskStatus<number>) => {
   *       await asyncio.sleep(0.01); // opens something
   *       task_status.started(8080);
   *       await asyncio.sleep(0.01); // and works on
   *     });
   *     console.log(port); // 8080
   *   })
   * );
   * ```
   */
  start<T>(coroutine: (task_status: TaskStatus<T>) => unknown, options?: TaskOptions): Future<T> {
    check_callable("coroutine", coroutine);
    return new Call(async () => {
      const ready = new Future<T>({ loop: this.#scope?.loop });
      let called = false;
      const task = this.#make_task(() =>
        coroutine({
          started: (value) => {
            if (called) throw new RuntimeError("Cannot call started(): it was called before");
            called = true;
            if (!ready.done()) ready.set_result(value as T);
          },
        }), options);
      this.#follow(task as Task<unknown>, () => {
        const error = this.#drop(task as Task<unknown>);
        if (error === null) return;
        // Nobody hears of it from this call once it said that the task is ready, or was cancelled.
        if (ready.done()) this.#fail(error);
        else ready._fail(error);
      });
      task._on_done(() => {
        if (!ready.done()) {
          ready.set_exception(new RuntimeError(`Task "${task.get_name()}" ended without a call of started()`));
        }
      });
      try {
        return await ready;
      } catch (error) {
        if (!task.done()) {
          // Asked a second time, its cleanup would be cancelled as well.
          if (!this.#aborting && task._scope.cancelled_scope() === null) task.cancel();
          await shielded(async () => void await wait_for_end(task as Task<unknown>));
        } else if (task._error !== undefined && task._error === ready._error && task._error !== error) {
          // Cancelled in the turn in which it was to hear of the task's error, which comes out of the group instead.
          this.#fail(task._error);
        }
        throw error;
      }
    });
  }

  #make_task<T>(coroutine: CoroutineLike<T>, options: TaskOptions | undefined): Task<T> {
    const refusal = !this.#entered
      ? "has not been entered"
      : this.#exiting && this.#tasks.size === 0
      ? "is finished"
      : this.#aborting
      ? "is shutting down"
      : null;
    if (refusal !== null) {
      if (coroutine instanceof Coroutine) coroutine.close();
      throw new RuntimeError(`TaskGroup ${this.#describe()} ${refusal}`);
    }
    const task = this.#scope!.loop.create_task(coroutine, options);
    task._scope.join(this.#scope!);
    return task;
  }

  /** Counts the task among the group's until it is done: then `on_done` has to drop it. */
  #follow(task: Task<unknown>, on_done: (task: Future<unknown>) => void): void {
    if (task.done()) return on_done(task);
    this.#tasks.add(task);
    task._on_done(on_done);
  }

  // One for all tasks: a closure for each of many is memory.
  readonly #on_done = (task: Future<unknown>): void => {
    const error = this.#drop(task);
    if (error !== null) this.#fail(error);
  };

  /** Takes a task that is done off the list, and gives its error. */
  #drop(task: Future<unknown>): unknown {
    this.#tasks.delete(task as Task<unknown>);
    if (this.#tasks.size === 0 && this.#all_ended !== null && !this.#all_ended.done()) {
      this.#all_ended.set_result(undefined);
    }
    return task.cancelled() ? null : task.exception();
  }

  /**
   * Ends the group: its tasks and what its body waits for are cancelled, and the block ends without an error.
   *
   * Before the group is entered, it is cancelled as it is entered; after it ended, nothing happens. A cancellation from
   * outside still comes out as `CancelledError`.
   */
  cancel(): void {
    if (this.#cancel_called) return;
    this.#cancel_called = true;
    if (!this.#entered || (this.#exiting && this.#tasks.size === 0)) return;
    if (!this.#aborting) this.#abort();
    this.#cancel_body();
  }

  /** @internal */
  _enter_scope(scope: Scope): void {
    if (!this.#entered) this.#scope = scope;
  }

  /**
   * Opens the group; called by `async_with()`.
   *
   * @returns The group itself.
   * @throws {RuntimeError} If it was entered before.
   */
  __aenter__(): this {
    if (this.#entered) throw new RuntimeError(`TaskGroup ${this.#describe()} has already been entered`);
    if (this.#scope === null) throw new RuntimeError("Cannot enter a TaskGroup by hand: use async_with(group, body)");
    this.#entered = true;
    this.#heard_requests = this.#scope.heard_requests();
    if (this.#cancel_called) {
      this.#abort();
      this.#cancel_body();
    }
    return this;
  }

  /**
   * Waits for the tasks; called by `async_with()`.
   *
   * @param error What the body threw, or `null`.
   * @returns True if the error was the group's own cancellation.
   * @throws {ExceptionGroup} If tasks failed, or the body did.
   * @throws {CancelledError} If the block was cancelled from outside.
   */
  async __aexit__(error: unknown): Promise<boolean> {
    const scope = this.#scope;
    if (scope === null) throw new RuntimeError(`TaskGroup ${this.#describe()} has not been entered`);
    this.#exiting = true;
    if (error instanceof KeyboardInterrupt) this.#base_error ??= error;
    let cancellation = error instanceof CancelledError ? error : null;
    if (error !== null && !this.#aborting) this.#abort();

    while (this.#tasks.size > 0) {
      const all_ended = this.#all_ended = new Signpost<void>(
        { call: "TaskGroup", futures: this.#tasks },
        scope.loop,
      );
      try {
        // In a CancelScope that is cancelled every wait throws, and to wait again for slow cleanup would spin.
        if (this.#aborting) await shielded(async () => await all_ended);
        else await all_ended;
      } catch (cause) {
        if (!(cause instanceof CancelledError)) throw cause;
        // While the group shuts down, further requests are remembered by their count alone.
        if (!this.#aborting) cancellation = cause;
        this.#abort();
      }
      this.#all_ended = null;
    }

    if (this.#base_error !== null) throw this.#base_error;
    if (this.#body_cancelled) {
      if (scope.asked_from_outside(this.#heard_requests)) cancellation ??= new CancelledError();
      else cancellation = null;
    }
    if (cancellation !== null && this.#errors.length === 0) throw cancellation;
    if (error !== null && !(error instanceof CancelledError)) this.#errors.push(error);
    if (this.#errors.length > 0) {
      // A request from outside is still open: the next wait after the block delivers it.
      if (scope.has_new_requests(this.#heard_requests)) deliver_again(scope.parent);
      throw new ExceptionGroup("unhandled errors in a TaskGroup", this.#errors);
    }
    return error instanceof CancelledError;
  }

  #abort(): void {
    this.#aborting = true;
    if (this.#tasks_cancelled) return;
    const scope = this.#scope!;
    // A CancelScope that is cancelled has reached them itself, and their shields hold against it, but not against others.
    if (scope.cancelled_scope() !== null && !scope.has_new_requests(this.#heard_requests)) return;
    this.#tasks_cancelled = true;
    for (const task of this.#tasks) task.cancel();
  }

  #cancel_body(): void {
    const scope = this.#scope!;
    if (this.#body_cancelled || scope.cancelled_scope() !== null) return;
    this.#body_cancelled = true;
    scope.cancel_requests++;
    scope.cancel(undefined);
  }

  #fail(error: unknown): void {
    this.#errors.push(error);
    if (error instanceof KeyboardInterrupt) this.#base_error ??= error;
    if (!this.#aborting && !this.#body_cancelled) {
      this.#abort();
      this.#cancel_body();
    }
  }

  #describe(): string {
    const parts = ["<TaskGroup"];
    if (this.#tasks.size > 0) parts.push(`tasks=${this.#tasks.size}`);
    if (this.#errors.length > 0) parts.push(`errors=${this.#errors.length}`);
    if (this.#aborting) parts.push("cancelling");
    else if (this.#entered) parts.push("entered");
    return `${parts.join(" ")}>`;
  }

  /** @ignore */
  [INSPECT](): string {
    return this.#describe();
  }
}

/** Has the next wait in the scope that was asked to end, this one or one around it, cancelled. */
function deliver_again(scope: Scope | null): void {
  let asked = scope;
  while (asked !== null && asked.cancel_requests + asked.call_requests === 0) asked = asked.parent;
  if (asked !== null) asked.must_cancel = true;
}
