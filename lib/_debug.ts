/**
 * Debug mode of a loop.
 *
 * It is put over the loop's own methods while it is on, so that a loop without it does not even ask whether it is: a test
 * at each step would be one for each `await`.
 *
 * @module
 */

import { INSPECT } from "./constants.ts";
import { type CallWatch, report_unused } from "./coroutines.ts";
import type { EventLoop } from "./deno_events.ts";
import { Handle } from "./events.ts";
import { creation_of, note_creation, note_rest, Observer, user_stack } from "./_observers.ts";
import { Scope, type Step, type Strand } from "./_scopes.ts";
import type { Task } from "./tasks.ts";

/** What was set going, and when, in milliseconds. */
interface Running {
  readonly strand: Strand;
  readonly started: number;
}

/** A step whose time is taken. */
class TimedStep implements Step {
  readonly _inner: Step;
  readonly #debug: DebugMode;

  constructor(step: Step, debug: DebugMode) {
    this._inner = step;
    this.#debug = debug;
  }

  _run(): Strand | null {
    this.#debug.stop_clock();
    const started = performance.now();
    const strand = this._inner._run();
    if (strand !== null) this.#debug.start_clock({ strand, started });
    // It did not even wait.
    if (strand?._settled) this.#debug.stop_clock();
    return strand;
  }
}

export class DebugMode {
  readonly #loop: EventLoop;
  readonly #is_idle: () => boolean;
  readonly #calls = new Set<CallWatch>();
  #running: Running | null = null;
  #immediate: ReturnType<typeof setImmediate> | null = null;
  #ended = false;
  /** Called when nothing is left that the loop could run by itself, and tasks are pending. */
  on_stuck: (() => void) | null = null;

  constructor(loop: EventLoop, is_idle: () => boolean) {
    this.#loop = loop;
    this.#is_idle = is_idle;
    Observer.get().count_debugged(1);
    const { _push, _rested, _resources } = loop;
    loop._push = (step) => _push.call(loop, step instanceof Handle ? step : new TimedStep(step, this));
    loop._rested = (strand) => {
      note_rest(strand, loop.time());
      if (this.#running?.strand === strand) this.stop_clock();
      _rested.call(loop, strand);
    };
    _resources.add = (resource) => {
      note_creation(resource);
      return Set.prototype.add.call(_resources, resource);
    };
  }

  /** Takes it off the loop again; doing so twice does nothing. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const loop = this.#loop as Partial<EventLoop>;
    delete loop._push;
    delete loop._rested;
    delete (this.#loop._resources as Partial<EventLoop["_resources"]>).add;
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    Observer.get().count_debugged(-1);
  }

  /** Code runs, until it rests. Code that goes on to wait for something foreign says nothing: then it is the turn's end. */
  start_clock(running: Running): void {
    if (this.#ended) return;
    this.#running = running;
    this.#immediate ??= setImmediate(this.#turn_ended);
  }

  stop_clock(): void {
    const running = this.#running;
    if (running === null) return;
    this.#running = null;
    const { strand } = running;
    const who = strand instanceof Scope && strand.task !== null ? described(strand.task) : "code outside of every task";
    this.report_slow(who, (performance.now() - running.started) / 1000);
  }

  readonly #turn_ended = (): void => {
    this.#immediate = null;
    this.stop_clock();
    if (this.on_stuck === null || !this.#is_idle()) return;
    if (!this.#loop._tasks.is_empty && this.#loop._resources.size === 0) this.on_stuck();
  };

  report_slow(who: string, seconds: number): void {
    if (seconds < this.#loop.slow_callback_duration) return;
    console.warn(`Executing ${who} took ${seconds.toFixed(3)} seconds`);
  }

  watch_call(name: string): CallWatch {
    const watch = { name, loop: this.#loop, source_traceback: user_stack(), used: false };
    this.#calls.add(watch);
    return watch;
  }

  forget_call(watch: CallWatch): void {
    this.#calls.delete(watch);
  }

  task_done(task: Task<unknown>): void {
    const { cancel_requests } = task._scope;
    if (cancel_requests === 0 || task.cancelled() || task._error !== undefined) return;
    this.#loop.call_exception_handler({
      message: "Task was cancelled, but swallowed the CancelledError and ended with a result; " +
        "throw it on, or call uncancel()",
      task,
      source_traceback: creation_of(task),
    });
  }

  /** Tells of all that was left over; for when the loop is closed. */
  report_leaks(): void {
    for (const watch of [...this.#calls]) report_unused(watch);
    for (const resource of this.#loop._resources) {
      if (!is_open(resource)) continue;
      this.#loop.call_exception_handler({
        message: `unclosed ${described(resource)}`,
        source_traceback: creation_of(resource),
      });
    }
  }
}

/** Whether its owner has let go of it: what is being closed, and a process that has ended, only end their last bytes. */
function is_open(resource: object): boolean {
  const { is_closing, returncode } = resource as { is_closing?: () => boolean; returncode?: number | null };
  return INSPECT in resource && !is_closing?.call(resource) && (returncode ?? null) === null;
}

/** One line for a message: what the object prints itself as, or its plain text. */
export function described(value: unknown): string {
  const inspect = (value as Record<symbol, unknown> | null)?.[INSPECT];
  return typeof inspect === "function" ? inspect.call(value) : String(value);
}
