/**
 * Who is told of tasks, connections and locks: the instruments of `tracing`, and debug mode.
 *
 * There is an observer only while somebody wants to know, so a program without one pays the test of a variable for each
 * task, connection and lock, and nothing for each wait.
 *
 * @module
 */

import { current_observer, current_origin, current_scope, run_with_origin, set_observer } from "./_context.ts";
import type { EventLoop } from "./deno_events.ts";
import type { ContextRunner } from "./events.ts";
import type { Future } from "./futures.ts";
import type { Lock } from "./locks.ts";
import type { Task } from "./tasks.ts";
import type { Instrument } from "./tracing.ts";
import type { Transport } from "./transports.ts";

/** One call of `acquire()` or its like. */
interface Taker {
  readonly future: Future<unknown>;
  readonly task: Task<unknown> | null;
}

/** A place whose text is not made yet. */
interface Trace {
  readonly error: Error;
  readonly origin: string | undefined;
}

/** Frames that a stack may have; the engine's ten are used up by the library's own. An arbitrary number. */
const MAX_FRAMES = 40;

/** Where the library is, in a folder or in one file: its frames say nothing to a user. */
const OWN_FRAMES = import.meta.url.replace(/_observers\.ts$/, "");

const created_at = new WeakMap<object, string | Trace>();
/** Of each lock, in the order of the calls, which is that in which they take it. */
const takers = new WeakMap<Lock, Taker[]>();
const resting_since = new WeakMap<object, number>();

/** Frames of Deno's own, such as that of the turn in which code goes on. */
const DENO_FRAME = /[( ]ext:/;

/** The stack of the calling code, the innermost call first, without the frames of the library and of Deno. */
export function user_stack(): string {
  return user_frames(trace());
}

function trace(): Error {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = MAX_FRAMES;
  const error = new Error();
  Error.stackTraceLimit = stackTraceLimit;
  return error;
}

function user_frames({ stack = "" }: Error): string {
  const lines = stack.split("\n").slice(1);
  return lines.filter((line) => !line.includes(OWN_FRAMES) && !DENO_FRAME.test(line)).join("\n");
}

/** Notes where something is made. */
export function note_creation(made: object): void {
  // Code of the library that goes on after a wait has no calls of the user above it.
  created_at.set(made, user_stack() || (current_origin() ?? ""));
}

/**
 * The same for what is made often and asked about rarely: the text, which takes twenty times as long as the rest, is made
 * when it is asked for. Until then, what the calls were made on lives as long as what they made.
 */
export function note_creation_lightly(made: object): void {
  created_at.set(made, { error: trace(), origin: current_origin() });
}

/** Calls what makes something after a wait, so that debug mode can tell who asked for it. */
export function from_here<R>(fn: () => R): R {
  return current_observer()?.in_debug_mode ? run_with_origin(user_stack(), fn) : fn();
}

/** Where something was made; `undefined` if debug mode was off. */
export function creation_of(made: object): string | undefined {
  const noted = created_at.get(made);
  if (typeof noted !== "object") return noted || undefined;
  return user_frames(noted.error) || noted.origin;
}

/** Notes that code has begun to wait; it is told by its scope. */
export function note_rest(strand: object, time: number): void {
  resting_since.set(strand, time);
}

/** Since when code waits, in its loop's time; `undefined` if debug mode was off. */
export function rest_of(strand: object): number | undefined {
  return resting_since.get(strand);
}

/** The task that has a lock; `null` if none has, or debug mode was off when it was taken. */
export function holder_of(lock: Lock): Task<unknown> | null {
  return lock.locked() ? takers.get(lock)?.findLast(has_taken)?.task ?? null : null;
}

function has_taken({ future }: Taker): boolean {
  return future.done() && !future.cancelled() && future._error === undefined;
}

export class Observer {
  #instruments: readonly Instrument[] = [];
  /** How many want to know where things are made: loops in debug mode, and checks for leaks. */
  #debugged = 0;

  /** The one there is, or a new one. */
  static get(): Observer {
    const known = current_observer();
    if (known !== null) return known;
    const made = new Observer();
    set_observer(made);
    return made;
  }

  add(instrument: Instrument): void {
    this.#instruments = [...this.#instruments, instrument];
  }

  remove(instrument: Instrument): void {
    this.#instruments = this.#instruments.filter((each) => each !== instrument);
    this.#end_if_unused();
  }

  /** A loop goes into debug mode, or out of it; or a check for leaks begins or ends. */
  count_debugged(change: 1 | -1): void {
    this.#debugged += change;
    this.#end_if_unused();
  }

  get in_debug_mode(): boolean {
    return this.#debugged > 0;
  }

  #end_if_unused(): void {
    // By a remover that is used twice, another observer may have come meanwhile.
    if (this.#instruments.length === 0 && this.#debugged === 0 && current_observer() === this) set_observer(null);
  }

  /** Gives the context in which the task is to run. */
  task_created(task: Task<unknown>, given: ContextRunner | undefined): ContextRunner | undefined {
    if (task.get_loop().get_debug()) note_creation(task);
    let runner = given;
    for (const each of this.#instruments) {
      const given_back = tell(task.get_loop(), () => each.task_created?.(task));
      if (typeof given_back !== "function") continue;
      const inner = safe_runner(task.get_loop(), given_back);
      const outer = runner;
      runner = outer === undefined ? inner : (fn) => outer(() => inner(fn));
    }
    return runner;
  }

  task_started(task: Task<unknown>): void {
    for (const each of this.#instruments) tell(task.get_loop(), () => each.task_started?.(task));
  }

  task_done(task: Task<unknown>): void {
    for (const each of this.#instruments) tell(task.get_loop(), () => each.task_done?.(task));
    task.get_loop()._debug?.task_done(task);
  }

  connection_opened(transport: Transport, loop: EventLoop): void {
    for (const each of this.#instruments) tell(loop, () => each.connection_opened?.(transport));
  }

  connection_closed(transport: Transport, loop: EventLoop): void {
    for (const each of this.#instruments) tell(loop, () => each.connection_closed?.(transport));
  }

  /** A task has asked for a lock. */
  lock_asked(lock: Lock, future: Future<unknown>): void {
    if (!this.in_debug_mode) return;
    const all = takers.get(lock) ?? [];
    const last = all.findLastIndex(has_taken);
    const kept = all.filter((each, index) => index === last || !each.future.done());
    kept.push({ future, task: current_scope()?.root.task ?? null });
    takers.set(lock, kept);
  }
}

/** Calls what it is given once, even if the runner does not, and whatever that throws. */
function safe_runner(loop: EventLoop, runner: ContextRunner): ContextRunner {
  return <R>(fn: () => R): R => {
    let box: { readonly result: R } | null = null;
    tell(loop, () => runner(() => (box ??= { result: fn() }).result));
    return (box ?? { result: fn() }).result;
  };
}

/** What an instrument throws is told, and stops nothing. */
function tell<R>(loop: EventLoop, call: () => R): R | undefined {
  try {
    return call();
  } catch (exception) {
    loop.call_exception_handler({ message: "Exception in an instrument", exception });
    return undefined;
  }
}
