/**
 * Waiting in line: the one implementation that locks, semaphores, conditions and queues share.
 *
 * A place in line is a future. When it is woken, nothing is handed to it yet: in the loop's next iteration it looks
 * again, and takes what it waits for if that is still there, or goes to the end of the line. So what it would take stays
 * where it is until then, and a cancellation in between loses nothing: the next in line is woken instead. This is
 * CPython's order, in which the woken task looks again itself; here the loop does it, so that a wait costs no
 * coroutine, and a place that nobody awaits yet still takes its turn.
 *
 * @module
 */

import type { EventLoop } from "./base_events.ts";
import { Future } from "./futures.ts";
import type { Step, Strand } from "./_scopes.ts";

/** What a line needs to know of the thing that is waited for. */
export interface Rules<T, P extends Place<T> = Place<T>> {
  /** Whether there is something to take. */
  ready(place: P): boolean;
  /** Takes it; throws if the wait has to fail. */
  take(place: P): T;
  /** A place was cancelled; `woken` if it had been its turn, so that the turn is now another's. */
  left(woken: boolean): void;
}

/** One who waits. */
export class Place<T> extends Future<T> implements Step {
  readonly #line: Line<T, this>;
  /** Stops listening to the abort signal. */
  #unlisten: (() => void) | null = null;
  /** Its turn has come, but it has not looked yet. */
  woken = false;

  // deno-lint-ignore no-explicit-any
  constructor(loop: EventLoop, line: Line<T, any>, signal?: AbortSignal) {
    super({ loop });
    this.#line = line;
    if (signal !== undefined) this.#listen(signal);
    if (!this.done()) line._join(this);
  }

  _run(): Strand | null {
    if (this.done()) return null;
    const line = this.#line;
    if (!line.rules.ready(this)) {
      line._rejoin(this);
      return null;
    }
    this.#leave();
    let result: T;
    try {
      result = line.rules.take(this);
    } catch (error) {
      return this._finish(undefined, error, true);
    }
    return this._finish(result, undefined, true);
  }

  override cancel(message?: string): boolean {
    if (!super.cancel(message)) return false;
    this.#give_up();
    return true;
  }

  #give_up(): void {
    const woken = this.woken;
    this.#leave();
    this.#line.rules.left(woken);
  }

  #leave(): void {
    this.#unlisten?.();
    this.#line._leave(this);
  }

  #listen(signal: AbortSignal): void {
    if (signal.aborted) return this.set_exception(signal.reason);
    const on_abort = () => {
      if (this.done()) return;
      this.set_exception(signal.reason);
      this.#give_up();
    };
    signal.addEventListener("abort", on_abort, { once: true });
    this.#unlisten = () => signal.removeEventListener("abort", on_abort);
  }
}

/** Those who wait for one thing, in the order of their coming. */
export class Line<T, P extends Place<T> = Place<T>> {
  /** Whose turn it is not yet. A set keeps the order, and gives up a place in its middle at once. */
  readonly #places = new Set<P>();
  #woken = 0;
  readonly rules: Rules<T, P>;

  constructor(rules: Rules<T, P>) {
    this.rules = rules;
  }

  /** How many wait, those included whose turn it is. */
  get length(): number {
    return this.#places.size + this.#woken;
  }

  /** How many wait whose turn it is not yet. */
  get waiting(): number {
    return this.#places.size;
  }

  /** Wakes the next, and gives it back; `null` if nobody is left to be woken. */
  wake_next(): P | null {
    for (const place of this.#places) {
      this.#places.delete(place);
      this.#woken++;
      place.woken = true;
      place.get_loop()._push(place);
      return place;
    }
    return null;
  }

  /** Wakes the next, unless it is somebody's turn already. */
  wake_first(): void {
    if (this.#woken === 0) this.wake_next();
  }

  /** Wakes everybody. */
  wake_all(): void {
    while (this.wake_next() !== null);
  }

  _join(place: P): void {
    this.#places.add(place);
  }

  _leave(place: P): void {
    if (place.woken) {
      place.woken = false;
      this.#woken--;
    } else {
      this.#places.delete(place);
    }
  }

  _rejoin(place: P): void {
    this._leave(place);
    this.#places.add(place);
  }
}
