/**
 * Waiting in line: the one implementation that locks, semaphores, conditions, queues and their like share.
 *
 * A place in line is a future, and a step on the loop's ready queue. When it is woken, nothing is handed to it yet: in
 * the loop's next iteration it looks again, and takes what it waits for if that is still there, or goes to the end of
 * the line. When it is cancelled, or its signal aborts, it leaves in that same step, and the turn that it may have had
 * passes on then. So what it would take stays where it is until the step, and a cancellation in between loses nothing.
 *
 * That is CPython's order, in which the woken or cancelled task itself looks again; here the loop does it, so that a wait
 * costs no coroutine, and a place that nobody awaits yet still takes its turn. Rejected: to let a cancelled place leave at
 * once. The next in line then goes on an iteration earlier than in CPython, ahead of tasks that became ready before it.
 *
 * @module
 */

import type { EventLoop } from "./deno_events.ts";
import { current_loop, signal_places } from "./_context.ts";
import { check_options, shown } from "./exceptions.ts";
import { done_future } from "./_done_futures.ts";
import { Future } from "./futures.ts";
import type { Purpose } from "./_purpose.ts";
import type { Step, Strand } from "./_scopes.ts";

/** What a line needs to know of the thing that is waited for. */
export interface Rules<T, P extends Place<T> = Place<T>> {
  /** Whether a place whose turn has come finds something to take; if not, it goes to the end of the line. */
  ready(place: P): boolean;
  /** Takes it; throws if the wait has to fail. */
  take(place: P): T;
  /** A place left with nothing; `woken` if it had been its turn, so that the turn is now another's. */
  left(woken: boolean, place: P): void;
  /** The call that waits in this line, and what it was made on; for the picture of what a program waits for. */
  readonly call?: string;
  readonly of?: unknown;
  /** The system, or a thread, ends the wait. */
  readonly external?: boolean;
}

/** Waiting: its turn has not come. Woken, or leaving with nothing: its step is on the loop's ready queue. */
type PlaceState = "waiting" | "woken" | "leaving";

/** Why a place leaves with nothing. */
type Failure = { readonly cancelled: true; readonly message: string | undefined } | {
  readonly cancelled: false;
  readonly error: unknown;
};

/** One who waits. */
export class Place<T> extends Future<T> implements Step {
  readonly #line: Line<T, this>;
  #failure: Failure | null = null;
  /** The abort signal that it listens to. */
  #signal: AbortSignal | null = null;
  /** Written by the line, as are its neighbours there. */
  _state: PlaceState = "waiting";
  _next: this | null = null;
  _previous: this | null = null;

  // deno-lint-ignore no-explicit-any
  constructor(loop: EventLoop, line: Line<any, any>, signal?: AbortSignal) {
    super({ loop });
    this.#line = line;
    if (signal?.aborted) {
      this._fail(signal.reason);
      return;
    }
    if (signal !== undefined) {
      this.#signal = signal;
      SignalPlaces.add(signal, this);
    }
    line._join(this);
  }

  _run(): Strand | null {
    const { rules } = this.#line;
    const failure = this.#failure;
    // Whoever has the future may have called `set_result()`.
    const gives_up = failure !== null || this.done();
    if (!gives_up && !rules.ready(this)) {
      this.#line._rejoin(this);
      return null;
    }
    const woken = this._state === "woken";
    if (this.#signal !== null) SignalPlaces.remove(this.#signal, this);
    this.#line._remove(this);
    if (gives_up) {
      rules.left(woken, this);
      if (failure === null || this.done()) return null;
      if (failure.cancelled) return this._finish_cancelled(failure.message, true);
      return this._fail(failure.error, true);
    }
    let result: T;
    try {
      result = rules.take(this);
    } catch (error) {
      rules.left(woken, this);
      return this._fail(error, true);
    }
    return this._finish(result, undefined, true);
  }

  override get _purpose(): Purpose | null {
    const { call, of, external } = this.#line.rules;
    return call === undefined ? null : { call, of, external };
  }

  /** Asks it to leave the line, which it does in the loop's next iteration, as a cancelled task would. */
  override cancel(message?: string): boolean {
    // A second request changes the text only of a place that was woken, as in CPython.
    if (this.done() || this._state === "leaving" || this.#failure?.cancelled === false) return false;
    this.#leave({ cancelled: true, message });
    return true;
  }

  #leave(failure: Failure): void {
    this.#failure = failure;
    if (this._state === "waiting") this.#line._send_away(this);
  }

  /** Asks it to leave the line with an error. */
  _give_up(error: unknown): void {
    if (this.#failure === null && !this.done()) this.#leave({ cancelled: false, error });
  }
}

/** Those who wait for one thing, in the order of their coming; those included who were woken, or leave, until they do. */
export class Line<T, P extends Place<T> = Place<T>> {
  #first: P | null = null;
  #last: P | null = null;
  /** Where to look for the next to be woken: nobody before it waits. Without it, to wake many would take a square. */
  #next: P | null = null;
  #waiting = 0;
  #woken = 0;
  readonly rules: Rules<T, P>;

  constructor(rules: Rules<T, P>) {
    this.rules = rules;
  }

  /** How many wait, those included whose turn it is. */
  get length(): number {
    return this.#waiting + this.#woken;
  }

  /** How many wait whose turn it is not yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** How many were woken and have not looked yet. */
  get woken(): number {
    return this.#woken;
  }

  /** Wakes the next, and gives it back; `null` if nobody is left to be woken. */
  wake_next(): P | null {
    let place = this.#next;
    while (place !== null && place._state !== "waiting") place = place._next;
    this.#next = place === null ? null : place._next;
    if (place !== null) this.#wake(place);
    return place;
  }

  /** Wakes the first, unless it was woken already, or leaves: then it is the one to wake the next. */
  wake_first(): void {
    if (this.#first?._state === "waiting") this.#wake(this.#first);
  }

  /** Asks those who wait, and for whom the test holds, to leave with an error. One who was woken goes on. */
  dismiss(test: (place: P) => boolean, make_error: () => Error): void {
    for (let place = this.#first; place !== null; place = place._next) {
      if (place._state === "waiting" && test(place)) place._give_up(make_error());
    }
  }

  /** Wakes everybody. */
  wake_all(): void {
    while (this.wake_next() !== null);
  }

  #wake(place: P): void {
    place._state = "woken";
    this.#waiting--;
    this.#woken++;
    place.get_loop()._push(place);
  }

  _join(place: P): void {
    place._state = "waiting";
    this.#waiting++;
    place._previous = this.#last;
    if (this.#last === null) this.#first = place;
    else this.#last._next = place;
    this.#last = place;
    this.#next ??= place;
  }

  /** It does not wait any more, and is removed in its step. */
  _send_away(place: P): void {
    place._state = "leaving";
    this.#waiting--;
    place.get_loop()._push(place);
  }

  /** Takes one out whose step has come. */
  _remove(place: P): void {
    if (place._state === "woken") this.#woken--;
    if (this.#next === place) this.#next = place._next;
    if (place._previous === null) this.#first = place._next;
    else place._previous._next = place._next;
    if (place._next === null) this.#last = place._previous;
    else place._next._previous = place._previous;
    place._next = place._previous = null;
  }

  _rejoin(place: P): void {
    this._remove(place);
    this._join(place);
  }
}

/** A place that brings along what it does when its turn comes. */
class Visitor<T> extends Place<T> {
  readonly visit: () => T;

  constructor(gate: Gate, visit: () => T, signal: AbortSignal | undefined) {
    super(current_loop(), gate, signal);
    this.visit = visit;
  }
}

/** What a gate needs to know of what is behind it. */
export interface GateRules {
  /** Whether a newcomer need not wait. */
  open(): boolean;
  /** Whether one whose turn has come may go through. @default always */
  ready?(): boolean;
  /** One left without having gone through; see `Rules`. @default nothing */
  left?(woken: boolean): void;
  /** See `Rules`. */
  readonly call: string;
  readonly of: unknown;
}

/** A line in front of something that those who come when it is open get to at once. */
export class Gate extends Line<unknown, Visitor<unknown>> {
  readonly #open: () => boolean;

  constructor({ open, ready = () => true, left = () => {}, call, of }: GateRules) {
    super({ ready, take: (visitor) => visitor.visit(), left, call, of });
    this.#open = open;
  }

  /** Calls `visit`, now or when the turn comes, for a future of what it returns. */
  enter<T>(visit: () => T, options: SignalOption | undefined): Future<T> {
    const signal = wait_signal(options);
    if (!this.#open() || signal?.aborted) return new Visitor(this, visit, signal);
    let result: T;
    try {
      result = visit();
    } catch (error) {
      const future = new Future<T>();
      future._fail(error);
      return future;
    }
    return done_future(result);
  }
}

interface SignalOption {
  readonly signal?: AbortSignal;
}

/**
 * The places that listen to one abort signal, by one listener for all.
 *
 * Deno compares a new listener with all that a signal has, and looks through them to take one away: 20,000 waits with the
 * signal by which a program ends spent four seconds on that.
 *
 * @internal
 */
export class SignalPlaces {
  readonly #signal: AbortSignal;
  readonly #places = new Set<Place<unknown>>();

  private constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  static add(signal: AbortSignal, place: Place<unknown>): void {
    let all = signal_places.get(signal);
    if (all === undefined) {
      signal_places.set(signal, all = new SignalPlaces(signal));
      signal.addEventListener("abort", all.#on_abort, { once: true });
    }
    all.#places.add(place);
  }

  static remove(signal: AbortSignal, place: Place<unknown>): void {
    const all = signal_places.get(signal);
    if (all === undefined || !all.#places.delete(place) || all.#places.size > 0) return;
    signal_places.delete(signal);
    // One that is left would keep the timer of an `AbortSignal.timeout()`, and so the process, alive.
    signal.removeEventListener("abort", all.#on_abort);
  }

  readonly #on_abort = (): void => {
    signal_places.delete(this.#signal);
    for (const place of this.#places) place._give_up(this.#signal.reason);
  };
}

/** The signal among the options of a call that waits in line, which takes no others. */
export function wait_signal(options: SignalOption | undefined): AbortSignal | undefined {
  if (options === undefined) return undefined;
  if (options instanceof AbortSignal) {
    throw new TypeError('"options" must be an object, as in { signal }, got the signal itself');
  }
  check_options(options, ["signal"]);
  return signal_of(options);
}

/** The signal among the options of a call, which are checked. */
export function signal_of(options: SignalOption | undefined): AbortSignal | undefined {
  if (options === undefined) return undefined;
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`"options" must be an object, got ${shown(options)}`);
  }
  const { signal } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`"signal" must be an AbortSignal, got ${shown(signal)}`);
  }
  return signal;
}
