/**
 * A loop's timers: a heap of deadlines over one timer of the clock.
 *
 * @module
 */

import type { Clock, OutsideWork } from "./clocks.ts";
import type { TimerHandle } from "./events.ts";
import { NOTHING, type Scheduler } from "./_scheduler.ts";

/** Cancelled timers stay in the heap until they are due; past this number, and half of the heap, it is rebuilt. */
const MIN_CANCELLED_TO_REBUILD = 100;

/** A deadline missed by this many seconds counts as met: float arithmetic, and a tick of the machine's clock. */
const CLOCK_RESOLUTION = 1e-6;

/** What a loop tells its timers, and they tell the clock. */
export interface TimersOptions {
  /** Whether somebody waits for the loop to have nothing left to run. */
  readonly is_awaited: () => boolean;
  readonly outside: OutsideWork | null;
}

export class Timers {
  #heap: TimerHandle[] = [];
  #cancelled = 0;
  #last_order = 0;
  #has_due = false;
  readonly #clock: Clock;
  readonly #scheduler: Scheduler;
  readonly #options: TimersOptions;
  readonly #resolution: number;
  #active = false;
  /** When the clock's timer will go off. */
  #armed_for: number | null = null;
  #disarm: (() => void) | null = null;
  #immediate: ReturnType<typeof setImmediate> | null = null;

  constructor(clock: Clock, scheduler: Scheduler, options: TimersOptions) {
    this.#clock = clock;
    this.#scheduler = scheduler;
    this.#options = options;
    this.#resolution = clock.resolution ?? CLOCK_RESOLUTION;
  }

  /** A number that puts timers of one deadline into the order in which they were made. */
  next_order(): number {
    return ++this.#last_order;
  }

  /** Starts or halts: halted, no timer of the clock is left to keep the process alive. */
  set_active(active: boolean): void {
    this.#active = active;
    this.#clock._set_loop_active?.(this.#may_go_off, active);
    this.#arm();
  }

  add(timer: TimerHandle): void {
    this.#heap.push(timer);
    this.#rise(this.#heap.length - 1);
    if (this.#armed_for === null || timer.when() < this.#armed_for) this.#arm_later();
  }

  /**
   * Adds a timer that is due already. It need not wait for the clock, which tasks that never let the loop rest would hold
   * up: it runs in the next iteration, behind all that is ready when that begins.
   */
  add_due(timer: TimerHandle): void {
    this.#heap.push(timer);
    this.#rise(this.#heap.length - 1);
    this.#has_due = true;
    this.#scheduler.push(NOTHING);
  }

  /** Puts timers that were due as they were added on the queue. */
  collect_due(): void {
    if (!this.#has_due) return;
    this.#has_due = false;
    this.#push_due(this.#clock.time() + this.#resolution);
  }

  /** The timers that are not due, in no order. */
  get pending(): readonly TimerHandle[] {
    return this.#heap.filter((each) => each._scheduled);
  }

  /** Nothing is left to run before the next timer. */
  get is_idle(): boolean {
    // A clock that jumps must not jump past a deadline that it has not been told of yet.
    return this.#scheduler.is_idle && this.#immediate === null;
  }

  /** Notes that a timer in the heap was cancelled. */
  note_cancelled(timer: TimerHandle): void {
    timer._scheduled = false;
    const length = this.#heap.length;
    if (++this.#cancelled === length) {
      this.#heap.length = this.#cancelled = 0;
      this.#arm_later();
    } else if (this.#cancelled > MIN_CANCELLED_TO_REBUILD && this.#cancelled > length / 2) {
      this.#heap = this.#heap.filter((each) => each._scheduled);
      this.#cancelled = 0;
      for (let i = (this.#heap.length >> 1) - 1; i >= 0; i--) this.#sink(i);
    }
  }

  /** Whether nothing is to come. */
  get is_empty(): boolean {
    return this.#heap.length === this.#cancelled;
  }

  /** Drops all timers. */
  clear(): void {
    for (const timer of this.#heap) timer._scheduled = false;
    this.#heap.length = this.#cancelled = 0;
    this.#arm();
  }

  // To set a timer of the clock and clear it costs five microseconds. So it is set at the next turn of Deno's loop, once
  // for all that happened in this one, and a deadline that comes and goes meanwhile costs nothing of it.
  #arm_later(): void {
    if (this.#immediate === null && this.#active) this.#immediate = setImmediate(this.#arm);
  }

  readonly #arm = (): void => {
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    this.#immediate = null;
    const deadline = this.#active ? this.#next_deadline() : null;
    if (deadline === null) {
      this.#disarm?.();
      this.#disarm = this.#armed_for = null;
    } else if (this.#armed_for === null || deadline < this.#armed_for) {
      this.#disarm?.();
      this.#armed_for = deadline;
      this.#disarm = this.#clock.set_timer(
        deadline,
        this.#go_off,
        this.#may_go_off,
        this.#options.outside ?? undefined,
      );
    }
  };

  readonly #may_go_off = (): boolean => this.is_idle && !this.#options.is_awaited();

  readonly #go_off = (): void => {
    this.#disarm = this.#armed_for = null;
    this.#scheduler.deliver(this.#push_due, this.#clock.time() + this.#resolution);
  };

  readonly #push_due = (now: number): void => {
    for (let deadline = this.#next_deadline(); deadline !== null && deadline <= now; deadline = this.#next_deadline()) {
      const timer = this.#remove_first();
      timer._scheduled = false;
      this.#scheduler.push(timer);
    }
    this.#arm();
  };

  #next_deadline(): number | null {
    while (this.#heap.length > 0 && !this.#heap[0]._scheduled) {
      this.#remove_first();
      this.#cancelled--;
    }
    return this.#heap.length === 0 ? null : this.#heap[0].when();
  }

  #remove_first(): TimerHandle {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    // The last one belongs near the bottom: to take the hole down there, and then rise, halves the comparisons.
    let hole = 0;
    for (let child = 1; child < heap.length; child = 2 * hole + 1) {
      if (child + 1 < heap.length && is_before(heap[child + 1], heap[child])) child++;
      heap[hole] = heap[child];
      hole = child;
    }
    heap[hole] = last;
    this.#rise(hole);
    return first;
  }

  #rise(at: number): void {
    const heap = this.#heap;
    const timer = heap[at];
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!is_before(timer, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = timer;
  }

  #sink(at: number): void {
    const heap = this.#heap;
    const timer = heap[at];
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && is_before(heap[child + 1], heap[child])) child++;
      if (!is_before(heap[child], timer)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = timer;
  }
}

function is_before(a: TimerHandle, b: TimerHandle): boolean {
  const difference = a.when() - b.when();
  return difference < 0 || (difference === 0 && a._order < b._order);
}
