/**
 * Where a loop takes its time from.
 *
 * @module
 */

import { check_number, check_options, shown } from "./exceptions.ts";
import { Later } from "./_later.ts";

/**
 * A source of time for a loop: Deno's, or one that a test drives.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const clock: asyncio.Clock = new asyncio.VirtualClock();
 * await asyncio.run(() => asyncio.sleep(3600), { loop_factory: () => asyncio.new_event_loop({ clock }) });
 * console.log(clock.time()); // 3600
 * ```
 */
export interface Clock {
  /**
   * The time now.
   *
   * @returns Seconds since some fixed moment; never less than before.
   */
  time(): number;
  /**
   * Has a function called once, at a time or soon after.
   *
   * @param when The time, in seconds.
   * @param fn What to call.
   * @param is_idle Tells whether the loop has nothing left to run before it; for clocks that do not tick by themselves.
   * @param outside What is under way outside of the loop; for the same clocks.
   * @returns A function that takes the call back.
   */
  set_timer(when: number, fn: () => void, is_idle: () => boolean, outside?: OutsideWork): () => void;
  /**
   * How much earlier than its time a timer may go off, in seconds.
   *
   * @default 0.000001
   */
  readonly resolution?: number;
  /**
   * Told that a loop with this clock begins to work, or halts.
   *
   * @internal
   */
  _set_loop_active?(is_idle: () => boolean, active: boolean): void;
}

/**
 * What a loop knows of work outside of it, at the time when it is asked.
 */
export interface OutsideWork {
  /**
   * How many operations of the machine are under way that end by themselves: connections that are made, read from or
   * written to, names that are looked up, calls in threads, processes that are waited for.
   */
  readonly operations: number;
  /**
   * What may end by something outside, or may wait for the program itself: one object for each task that waits for
   * nothing of this library's, promise that was wrapped, web stream that is read, and server that accepts.
   */
  readonly uncertain: readonly object[];
}

/** Deno prints a warning and fires at once for longer delays. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/** The clock of the machine, which only moves forward. */
export class SystemClock implements Clock {
  time(): number {
    return performance.now() / 1000;
  }

  set_timer(when: number, fn: () => void): () => void {
    // Deno cuts delays to whole milliseconds. Rounded up, a timer is never early; one that is cut to the longest
    // possible delay is, and the loop, which looks at its clock again, sets the next.
    const delay = Math.ceil(when * 1000 - performance.now());
    const timer = setTimeout(fn, Math.min(Math.max(delay, 0), MAX_DELAY_MS));
    return () => clearTimeout(timer);
  }
}

/**
 * Options of `new VirtualClock()`.
 */
export interface VirtualClockOptions {
  /**
   * Whether the clock jumps by itself when nothing is left to run. If not, its time passes by `jump()` alone.
   *
   * @default true
   */
  readonly autojump?: boolean;
  /**
   * How long the clock does not jump because of something that may be under way outside of the loop, in seconds of the
   * machine.
   *
   * @default 1
   */
  readonly patience?: number;
}

/** What a loop waits for. */
interface Deadline {
  readonly when: number;
  readonly fn: () => void;
  readonly is_idle: () => boolean;
  readonly outside: OutsideWork | undefined;
}

/**
 * A clock for tests: when every task waits, it jumps to the next timer. An hour of `sleep()` takes no time, timers fire
 * at exactly their times, and in the same order in every run.
 *
 * Between jumps its time stands still. It does not jump while something is under way outside of the loop:
 *
 * - Operations of the machine that the loop began: a connection that is made, read from or written to, a name that is
 *   looked up, a call in a thread and the end of the threads, a process that is waited for. While one is under way,
 *   the clock keeps pace with the machine's: it jumps only once as much time has passed there. So a timeout around a
 *   read is as long as ever, and the threads at the end of `run()` have their 300 seconds.
 * - What may be under way, as nothing tells what a promise waits for: a task that waits for a promise that is not this
 *   library's (`fetch()`), one that was given to `wait_for()` and its like, a web stream that is read, a server that
 *   accepts. For each the clock waits `patience`, once, and then takes it for one that waits for the program itself.
 *
 * It does not know of promises in code outside of tasks, or beside other waits of the same task (as in
 * `Promise.race([fetch(url), sleep(1)])`), nor of connections that were opened elsewhere. Connections in memory, by
 * `testing.memory_network()` and `testing.memory_pair()`, are no work outside: they live in this clock's time.
 *
 * Several loops may share a clock; it jumps when all of them are idle.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const clock = new asyncio.VirtualClock();
 * await asyncio.run(async () => {
 *   await asyncio.sleep(3600);
 *   console.log(clock.time()); // 3600
 * }, { loop_factory: () => asyncio.new_event_loop({ clock }) });
 * ```
 */
export class VirtualClock implements Clock {
  readonly #autojump: boolean;
  readonly #patience: number;
  readonly #deadlines = new Set<Deadline>();
  /** Of each loop at work, whether it is idle: one without timers has no deadline that tells. */
  readonly #loops = new Set<() => boolean>();
  #now = 0;
  readonly #later = new Later(() => this.#look());
  /** Milliseconds of the machine's clock that work outside has held this one up, since it jumped last. */
  #held = 0;
  #held_at: number | null = null;
  /** When each thing that may be under way was seen first. */
  #seen: Map<object, number> = new Map();

  /** Timers go off at their times, not a tick before. */
  readonly resolution = 0;

  /**
   * Makes a clock that shows 0.
   *
   * @param options Whether and when it jumps.
   * @throws {TypeError} If an option is unknown or has the wrong type.
   * @throws {RangeError} If `patience` is below 0.
   */
  constructor(options?: VirtualClockOptions) {
    check_options(options, ["autojump", "patience"]);
    const { autojump = true, patience = 1 } = options ?? {};
    if (typeof autojump !== "boolean") throw new TypeError(`"autojump" must be a boolean, got ${shown(autojump)}`);
    check_number("patience", patience);
    if (!(patience >= 0)) throw new RangeError(`"patience" must be 0 or more, got ${patience}`);
    this.#autojump = autojump;
    this.#patience = patience * 1000;
  }

  /**
   * The time that the clock shows.
   *
   * @returns Seconds since the clock was made, and what was jumped.
   */
  time(): number {
    return this.#now;
  }

  /**
   * Has time pass. Timers that are due then go off together, in the next turn of Deno's loop.
   *
   * @param seconds How much.
   * @throws {TypeError} If `seconds` is not a number.
   * @throws {RangeError} If it is below 0 or infinite.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const clock = new asyncio.VirtualClock({ autojump: false });
   * await asyncio.run(async () => {
   *   const task = asyncio.create_task(() => asyncio.sleep(60));
   *   await asyncio.testing.wait_all_tasks_blocked();
   *   clock.jump(60);
   *   await task;
   * }, { loop_factory: () => asyncio.new_event_loop({ clock }) });
   * ```
   */
  jump(seconds: number): void {
    check_number("seconds", seconds);
    if (!(seconds >= 0 && seconds < Infinity)) throw new RangeError(`"seconds" must be 0 or more, got ${seconds}`);
    this.#set(this.#now + seconds);
    this.#look_later();
  }

  /**
   * Jumps to a time once nothing else is left to run, then calls the function.
   *
   * @param when The time, in seconds.
   * @param fn What to call.
   * @param is_idle Tells whether nothing else is left to run.
   * @param outside What is under way outside of the loop.
   * @returns A function that takes the call back.
   */
  set_timer(when: number, fn: () => void, is_idle: () => boolean, outside?: OutsideWork): () => void {
    const deadline: Deadline = { when, fn, is_idle, outside };
    this.#deadlines.add(deadline);
    this.#look_later();
    return () => {
      this.#deadlines.delete(deadline);
      if (this.#deadlines.size === 0) this.#later.cancel();
    };
  }

  /** @internal */
  _set_loop_active(is_idle: () => boolean, active: boolean): void {
    if (active) this.#loops.add(is_idle);
    else this.#loops.delete(is_idle);
  }

  #set(now: number): void {
    this.#now = now;
    this.#held = 0;
  }

  /** Looks in the next turn of Deno's loop; `patiently`, in a while. */
  #look_later(patiently: boolean = false): void {
    if (!patiently || !this.#later.is_planned) this.#later.plan(patiently);
  }

  #look(): void {
    const next = Math.min(...Array.from(this.#deadlines, ({ when }) => when));
    // Those of a manual clock are looked at again after a jump.
    if (next === Infinity) return;
    if (next > this.#now) {
      if (!this.#autojump) return;
      for (const { is_idle } of this.#deadlines) {
        if (!is_idle()) return this.#look_later();
      }
      for (const is_idle of this.#loops) {
        if (!is_idle()) return this.#look_later();
      }
      if (this.#is_held(next)) return this.#look_later(true);
      this.#set(next);
    }
    const due = [...this.#deadlines].filter(({ when }) => when <= this.#now);
    for (const deadline of due) {
      if (this.#deadlines.delete(deadline)) deadline.fn();
    }
    if (this.#deadlines.size > 0) this.#look_later();
  }

  /** Whether work outside of the loops keeps the clock from a jump. */
  #is_held(next: number): boolean {
    const now = performance.now();
    const seen = this.#seen;
    this.#seen = new Map();
    let holds = false;
    for (const { outside } of this.#deadlines) {
      if (outside === undefined) continue;
      if (outside.operations > 0) holds = true;
      for (const each of outside.uncertain) {
        const since = seen.get(each) ?? now;
        this.#seen.set(each, since);
        if (now - since < this.#patience) holds = true;
      }
    }
    if (holds && this.#held_at !== null) this.#held += now - this.#held_at;
    this.#held_at = holds ? now : null;
    return holds && this.#held < (next - this.#now) * 1000;
  }
}
