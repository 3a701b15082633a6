/**
 * Where a loop takes its time from.
 *
 * @module
 */

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
   * @returns A function that takes the call back.
   */
  set_timer(when: number, fn: () => void, is_idle: () => boolean): () => void;
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
 * A clock for tests: whenever nothing is left to run, it jumps to the next timer. An hour of `sleep()` takes no time,
 * and timers fire in the same order in every run.
 *
 * It does not know of work outside of the loop: a program that waits for a socket or a promise with a timeout around it
 * sees the timeout first.
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
  #now = 0;

  /**
   * The time that the clock shows.
   *
   * @returns Seconds since the clock was made.
   */
  time(): number {
    return this.#now;
  }

  /**
   * Jumps to a time once nothing else is left to run, then calls the function.
   *
   * @param when The time, in seconds.
   * @param fn What to call.
   * @param is_idle Tells whether nothing else is left to run.
   * @returns A function that takes the call back.
   */
  set_timer(when: number, fn: () => void, is_idle: () => boolean): () => void {
    const look = () => {
      if (!is_idle()) {
        immediate = setImmediate(look);
        return;
      }
      this.#now = Math.max(this.#now, when);
      fn();
    };
    let immediate = setImmediate(look);
    return () => clearImmediate(immediate);
  }
}
