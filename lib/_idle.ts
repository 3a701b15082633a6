/**
 * Waiting until a loop has nothing left to run.
 *
 * @module
 */

import type { Future } from "./futures.ts";
import { Later } from "./_later.ts";

interface Waiter {
  readonly future: Future<void>;
  /** Milliseconds of rest that it waits for. */
  readonly cushion: number;
}

/**
 * Milliseconds that count between two looks, which are one or two apart: where the whole process stood still for
 * longer, the loop's timers may be late as well.
 */
const MAX_COUNTED = 4;

/** Wakes those who wait for a loop to come to rest. */
export class IdleWatch {
  readonly #is_idle: () => boolean;
  /** How often the loop began to work, so that work between two looks is noticed. */
  readonly #activity: () => number;
  #waiters: Waiter[] = [];
  /** Milliseconds of rest that were seen, and when they were counted last. */
  #rested = 0;
  #counted_at = 0;
  #last_activity = -1;
  readonly #later = new Later(() => this.#look());

  constructor(is_idle: () => boolean, activity: () => number) {
    this.#is_idle = is_idle;
    this.#activity = activity;
  }

  /** Whether nobody waits. */
  get is_empty(): boolean {
    return this.#waiters.length === 0;
  }

  /** Has a future end after so many seconds of rest. */
  add(future: Future<void>, cushion: number): void {
    const waiter = { future, cushion: cushion * 1000 };
    this.#waiters.push(waiter);
    future._on_done(() => {
      this.#waiters = this.#waiters.filter((each) => each !== waiter);
      if (this.is_empty) this.#later.cancel();
    });
    this.#last_activity = -1;
    if (!this.#later.is_planned) this.#later.plan(false);
  }

  // A turn of Deno's loop begins when all microtasks are done: whoever is not on the ready queue then does wait.
  #look(): void {
    const shortest = Math.min(...this.#waiters.map(({ cushion }) => cushion));
    const activity = this.#activity();
    const now = performance.now();
    this.#rested += Math.min(now - this.#counted_at, MAX_COUNTED);
    this.#counted_at = now;
    if (!this.#is_idle()) {
      this.#last_activity = -1;
    } else if (activity !== this.#last_activity) {
      this.#last_activity = activity;
      this.#rested = 0;
      if (shortest === 0) this.#wake(shortest);
    } else if (this.#rested >= shortest) {
      this.#wake(shortest);
    }
    // A turn is enough, unless somebody waits for time to pass: then the processor is left to others.
    if (!this.is_empty && !this.#later.is_planned) this.#later.plan(shortest > 0 && this.#last_activity !== -1);
  }

  #wake(cushion: number): void {
    this.#last_activity = -1;
    for (const waiter of this.#waiters.filter((each) => each.cushion === cushion)) {
      waiter.future._finish(undefined, undefined, false);
    }
  }
}
