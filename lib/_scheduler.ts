/**
 * The ready queue, and the rule by which its steps follow each other.
 *
 * A step is a callback, the start of a task, or a wait whose future is done. The scheduler runs a step, lets the code
 * that it set going come to rest (it ends, or it waits for a future), and only then runs the next, so that programs
 * print in CPython's order. Code that comes to rest says so, and the next step follows in the same microtask: a
 * completed read or a hand-over between two tasks costs no turn of Deno's loop. Code that waits for something foreign
 * says nothing; then the next turn, before which all microtasks are done, goes on.
 *
 * Rejected: running the whole queue at once (nested async functions of different tasks would mix), a turn for each step
 * (two microseconds where this takes a tenth of one), and looking after each microtask whether the code rests.
 *
 * @module
 */

import { current_scope } from "./_context.ts";
import { type Step, type Strand, UNKNOWN_STRAND } from "./_scopes.ts";

/** Iterations between two looks at the clock, to see whether the turn has lasted a millisecond: timers and I/O wait. */
const ITERATIONS_PER_LOOK_AT_CLOCK = 4;

/** Steps for which the queue keeps room. */
const KEPT_LENGTH = 1024;

const RESOLVED = Promise.resolve();

/** Does nothing: takes the place of a step that was run, which need not live on, or has an iteration begin. */
export const NOTHING: Step = { _run: () => null };

/**
 * Idle: nothing to do. Scheduled: goes on once the code that runs rests, at the latest in the next turn. Draining: a step
 * is being run.
 */
type Phase = "idle" | "scheduled" | "draining";

export class Scheduler {
  /** Its array is kept when the queue runs empty: to let it grow again each time costs more than to overwrite it. */
  readonly #ready: Step[] = [];
  #next = 0;
  #end = 0;
  /** Steps from here on were scheduled by this iteration, and belong to the next. */
  #iteration_end = 0;
  #phase: Phase = "idle";
  /** A microtask was asked for that goes on, and the turn was not found to be over since: that is for the next one. */
  #resumes = false;
  /** The code that has to come to rest before the next step. */
  #strand: Strand | null = null;
  #iterations = 0;
  /** When the clock was looked at last, in milliseconds. */
  #looked_at = 0;
  #immediate: ReturnType<typeof setImmediate> | null = null;
  #active = false;
  /** Called at the end of the current iteration. */
  #stop: (() => void) | null = null;
  readonly #report: (error: unknown) => void;
  /** How often it went on with steps, for those who look now and then whether it works. */
  times_woken = 0;
  /** May put further steps behind those of the iteration that begins. */
  before_iteration: () => void = () => {};
  /** May put the steps of an iteration into another order. */
  arrange: ((steps: Step[], from: number, to: number) => void) | null = null;

  /** `report` hears of an error in a step, which is a defect of the library. */
  constructor(report: (error: unknown) => void) {
    this.#report = report;
  }

  /** Nothing is left to run now. */
  get is_idle(): boolean {
    return this.#phase === "idle";
  }

  /** Starts or halts; what is on the queue stays there. */
  set_active(active: boolean): void {
    this.#active = active;
    if (!active || this.#phase !== "idle" || (this.#end === 0 && this.#stop === null)) return;
    // A stop that was asked for before comes after one iteration of what is ready.
    this.#iteration_end = this.#end;
    this.#wake();
  }

  /** Has `fn` called at the end of the iteration that runs, or of the next one if none does. */
  call_at_iteration_end(fn: () => void): void {
    this.#stop = fn;
    if (this.#phase === "idle" && this.#active) this.#wake();
  }

  /** Puts a step on the queue. */
  push(step: Step): void {
    this.#ready[this.#end++] = step;
    if (this.#phase === "idle" && this.#active) this.#wake();
  }

  /** Drops all steps. */
  clear(): void {
    this.#ready.length =
      this.#next =
      this.#end =
      this.#iteration_end =
        0;
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    this.#immediate = null;
    this.#phase = "idle";
  }

  /** Runs what ends an operation of the system. No code of the program runs now, so what it wakes goes on at once. */
  deliver<A>(fn: (arg: A) => void, arg: A): void {
    const drains = this.#phase === "idle" && this.#active;
    if (drains) this.#phase = "draining";
    try {
      fn(arg);
    } catch (error) {
      this.#report(error);
    }
    if (!drains) return;
    this.#iterations = 0;
    this.#iteration_end = this.#end;
    if (this.arrange !== null) this.arrange(this.#ready, this.#next, this.#end);
    // The last step's code may still be on its way through microtasks: a queue without steps does not wait for it.
    if (this.#strand === UNKNOWN_STRAND) this.#strand = null;
    if (this.#end > 0) this.#drain();
    else this.#phase = "idle";
  }

  // The iteration begins only once the running code has come to rest, so all that it schedules until then is part of it.
  #wake(): void {
    const strand = this.#running_strand();
    if (strand === null || this.#turn_is_over()) {
      this.#strand = null;
      return this.#next_turn();
    }
    this.#strand = strand;
    if (!strand._settled) return this.#next_turn();
    // What runs is not what the code waits for, such as a callback of a foreign promise.
    this.#go_on_soon();
  }

  /** Goes on once the microtasks are done that the code which came to rest has left. */
  #go_on_soon(): void {
    this.#phase = "scheduled";
    this.#resumes = true;
    RESOLVED.then(this.#resume);
  }

  /** The code that runs now; `null` outside of every task, where it may go on for any number of microtasks. */
  #running_strand(): Strand | null {
    const scope = current_scope();
    return scope === undefined || scope === scope.loop._scope ? null : scope.root;
  }

  /** Timers and I/O have waited for about a millisecond. Two tasks that wake each other must not starve them. */
  #turn_is_over(): boolean {
    if (++this.#iterations % ITERATIONS_PER_LOOK_AT_CLOCK !== 0) return false;
    const now = Date.now();
    if (now === this.#looked_at) return false;
    this.#looked_at = now;
    this.#resumes = false;
    return true;
  }

  /** Code has come to rest: if it was waited for, the next step follows. */
  rested(strand: Strand): void {
    if (this.#strand === strand && this.#phase === "scheduled") this.#go_on_soon();
  }

  /** Goes on in the next turn, unless the code that is waited for rests before. */
  #next_turn(): void {
    this.#phase = "scheduled";
    this.#immediate ??= setImmediate(this.#take_turn);
  }

  readonly #resume = (): void => {
    if (this.#phase === "scheduled" && this.#resumes) this.#drain();
  };

  readonly #take_turn = (): void => {
    this.#immediate = null;
    if (this.#phase !== "scheduled") return;
    // Timers come after this turn: one that is due waits for no more than this iteration.
    this.#iterations = ITERATIONS_PER_LOOK_AT_CLOCK - 2;
    this.#strand = null;
    this.#drain();
  };

  #drain(): void {
    this.#phase = "draining";
    this.times_woken++;
    while (this.#active) {
      if (this.#strand !== null && !this.#strand._settled) return this.#next_turn();
      if (this.#next === this.#iteration_end && !this.#begin_iteration()) return;
      const step = this.#ready[this.#next];
      this.#ready[this.#next++] = NOTHING;
      try {
        this.#strand = step._run();
      } catch (error) {
        this.#report(error);
      }
      // With nothing else to run there is nothing to wait for: the code goes on by itself.
      if (this.#next === this.#end && this.#stop === null) break;
      // It came to rest at once: what it set going beside it, such as an async function, is still on its way.
      if (this.#strand !== null && this.#strand._settled) return this.#go_on_soon();
    }
    this.#rest();
  }

  /** Goes on to the steps that were scheduled meanwhile; false if that is not for now. */
  #begin_iteration(): boolean {
    const stop = this.#stop;
    if (stop !== null) {
      this.#stop = null;
      stop();
    }
    if (this.#next === this.#end || !this.#active) {
      this.#rest();
      return false;
    }
    this.before_iteration();
    // Tasks that always wake each other never let the queue run empty; it is moved to the front now and then.
    if (this.#next > KEPT_LENGTH) {
      this.#ready.copyWithin(0, this.#next, this.#end);
      this.#end -= this.#next;
      this.#next = 0;
      this.#ready.length = this.#end;
    }
    this.#iteration_end = this.#end;
    if (this.arrange !== null) this.arrange(this.#ready, this.#next, this.#end);
    if (!this.#turn_is_over()) return true;
    this.#strand = null;
    this.#next_turn();
    return false;
  }

  #rest(): void {
    this.#phase = "idle";
    if (this.#next < this.#end) return;
    this.#next = this.#end = this.#iteration_end = 0;
    if (this.#ready.length > KEPT_LENGTH) this.#ready.length = 0;
  }
}
