/**
 * Signals as they come, one after the other.
 *
 * @module
 */

import type { EventLoop } from "./deno_events.ts";
import { current_loop } from "./_context.ts";
import type { Signal } from "./_deno.ts";
import { INSPECT } from "./constants.ts";
import type { Future } from "./futures.ts";
import { Line, Place } from "./_line.ts";
import { check_signal, KeepAlive } from "./_signals.ts";

/**
 * What `signals()` gives.
 */
export interface SignalIterator extends AsyncIterableIterator<Signal, undefined>, AsyncDisposable {
  /**
   * Waits for the next signal.
   *
   * @returns A future; to cancel it takes no signal.
   */
  next(): Future<IteratorResult<Signal, undefined>>;
  /**
   * Stops listening for good.
   *
   * @returns A promise of the end of the iteration.
   */
  return(): Promise<IteratorReturnResult<undefined>>;
  /**
   * The iterator itself.
   *
   * @returns The same object.
   */
  [Symbol.asyncIterator](): SignalIterator;
}

/** Closed: by `return()`, or with the loop. Paused: the one who waited was cancelled, and may not come back. */
type State = "listening" | "paused" | "closed";

class Signals implements SignalIterator {
  readonly #loop: EventLoop;
  readonly #names: ReadonlySet<Signal>;
  readonly #came = new Set<Signal>();
  readonly #keep_alive = new KeepAlive();
  #state: State = "paused";
  #stops: (() => void)[] = [];
  readonly #takers: Line<IteratorResult<Signal, undefined>> = new Line<IteratorResult<Signal, undefined>>({
    call: "next",
    of: this,
    external: true,
    ready: () => this.#came.size > 0 || this.#state === "closed",
    take: () => {
      const [value] = this.#came;
      if (value === undefined) return this.#left({ done: true, value });
      this.#came.delete(value);
      if (this.#came.size > 0) this.#takers.wake_next();
      return this.#left({ done: false, value });
    },
    // A `for await` whose wait is cancelled does not call `return()`.
    left: (woken) => {
      if (woken) this.#takers.wake_next();
      this.#left(undefined);
      if (this.#takers.length === 0) this.#unlisten("paused");
    },
  });

  constructor(loop: EventLoop, names: readonly Signal[]) {
    this.#loop = loop;
    this.#names = new Set(names);
    this.#listen();
  }

  next(): Future<IteratorResult<Signal, undefined>> {
    if (this.#state === "paused") this.#listen();
    const place = new Place<IteratorResult<Signal, undefined>>(this.#loop, this.#takers);
    if (this.#came.size > 0 || this.#state === "closed") this.#takers.wake_next();
    this.#keep_alive.set(this.#state === "listening");
    return place;
  }

  return(): Promise<IteratorReturnResult<undefined>> {
    this.#unlisten("closed");
    this.#takers.wake_all();
    return Promise.resolve({ done: true, value: undefined });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  _loop_closed(): void {
    this.#unlisten("closed");
    this.#takers.wake_all();
  }

  [INSPECT](): string {
    return `<signals ${[...this.#names].join(" ")} ${this.#state} waiting=${this.#came.size}>`;
  }

  #listen(): void {
    this.#loop._check_closed();
    try {
      for (const name of this.#names) this.#stops.push(this.#loop._signals.listen(name, () => this.#on_signal(name)));
    } catch (error) {
      this.#unlisten("paused");
      throw error;
    }
    this.#state = "listening";
    this.#loop._resources.add(this);
  }

  #on_signal(name: Signal): void {
    this.#came.add(name);
    if (this.#takers.woken === 0) this.#takers.wake_next();
  }

  #left<T>(result: T): T {
    this.#keep_alive.set(this.#state === "listening" && this.#takers.length > 0);
    return result;
  }

  #unlisten(state: State): void {
    if (this.#state === "closed") return;
    this.#state = state;
    for (const stop of this.#stops) stop();
    this.#stops = [];
    this.#keep_alive.set(false);
    this.#loop._resources.delete(this);
  }
}

/**
 * Signals of the system, one after the other, as they come. From the call on they do nothing else: SIGTERM no longer ends
 * the process, and Ctrl-C no longer cancels the main task of `run()`. Several iterators may listen, and each gets all.
 *
 * A signal that comes while the code is elsewhere waits; one that comes again before it was taken counts once, as in the
 * system. While somebody waits in `next()` the process stays alive.
 *
 * It stops listening when the loop is left by `break`, `return` or an error, when the wait is cancelled, at the end of an
 * `await using` block, and when the event loop is closed; then the signals do again what they did before. After a
 * cancelled `next()`, another one listens again.
 *
 * Differs from asyncio: there is no such function.
 *
 * @param names The signals, such as `"SIGTERM"`. On `"SIGUSR1"` Deno starts its inspector as well; a warning says so.
 * @returns An iterator of their names.
 * @throws {TypeError} If there is no name, or one is no string.
 * @throws {RangeError} If there is no such signal.
 * @throws {RuntimeError} If it cannot be caught, as `"SIGKILL"`, or the event loop is closed.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * setTimeout(() => Deno.kill(Deno.pid, "SIGHUP"), 10);
 * for await (const signal of asyncio.signals("SIGHUP", "SIGTERM")) {
 *   console.log(signal); // SIGHUP
 *   if (signal === "SIGHUP") break;
 * }
 * ```
 */
export function signals(...names: Signal[]): SignalIterator {
  if (names.length === 0) throw new TypeError("signals() needs the name of a signal");
  names.forEach(check_signal);
  return new Signals(current_loop(), names);
}
