/**
 * The signals that a loop handles.
 *
 * @module
 */

import type { EventLoop } from "./deno_events.ts";
import { INSPECT } from "./constants.ts";
import { capture_context, run_in_context } from "./_context.ts";
import type { Signal } from "./_deno.ts";
import { Handle } from "./events.ts";
import { check_callable, shown } from "./exceptions.ts";

/** A timer that never fires: as long as it is set, Deno does not end the process, as it would with listeners alone. */
const FOREVER = 2 ** 31 - 1;

/** Throws unless `value` can be the name of a signal; whether the system knows it, it tells itself. */
export function check_signal(value: unknown): void {
  if (typeof value !== "string") {
    throw new TypeError(`"signal" must be the name of a signal, such as "SIGTERM", got ${shown(value)}`);
  }
}

/** Keeps the process alive as long as `wanted`. */
export class KeepAlive {
  #timer: ReturnType<typeof setInterval> | null = null;

  set(wanted: boolean): void {
    if (wanted === (this.#timer !== null)) return;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = wanted ? setInterval(() => {}, FOREVER) : null;
  }
}

/** A function that is called on a signal. */
class SignalHandler {
  readonly signal: Signal;
  /** Ends that. */
  readonly stop: () => void;

  constructor(signal: Signal, stop: () => void) {
    this.signal = signal;
    this.stop = stop;
  }

  [INSPECT](): string {
    return `<handler of ${this.signal}>`;
  }
}

/**
 * At most one handler for each signal, and any number of listeners. Where there is one, the system's own action is off,
 * and so is what `run()` does on Ctrl-C.
 *
 * Handlers keep the process alive only while the loop is run, as one of them may be what ends it.
 */
export class SignalHandlers {
  readonly #loop: EventLoop;
  readonly #handlers = new Map<Signal, SignalHandler>();
  /** How many listen to each signal, handlers included. */
  readonly #listeners = new Map<Signal, number>();
  readonly #keep_alive = new KeepAlive();
  #running = false;

  constructor(loop: EventLoop) {
    this.#loop = loop;
  }

  /** Has a function called on every such signal, in the next iteration. */
  set(signal: Signal, callback: (...args: never[]) => unknown, args: readonly unknown[]): void {
    check_signal(signal);
    check_callable("callback", callback);
    this.#loop._check_closed();
    const context = capture_context();
    const loop = this.#loop;
    // The new one first: in between, the signal would do what it does to a program without a handler.
    const stop = this.listen(signal, () => {
      const make = () => new Handle(loop, callback, args, true);
      loop._push(run_in_context(context, make));
    });
    this.#handlers.get(signal)?.stop();
    this.add(new SignalHandler(signal, stop));
    this.#update();
  }

  add(handler: SignalHandler): void {
    this.#handlers.set(handler.signal, handler);
  }

  /** Those that were set and not removed. */
  get all(): Iterable<object> {
    return this.#handlers.values();
  }

  /** Takes the handler away; whether there was one. */
  remove(signal: Signal): boolean {
    check_signal(signal);
    const handler = this.#handlers.get(signal);
    if (handler === undefined) return false;
    handler.stop();
    this.#handlers.delete(signal);
    this.#update();
    return true;
  }

  /** Calls a function on every such signal, beside the handler and other listeners; gives what ends that. */
  listen(signal: Signal, fn: () => void): () => void {
    const loop = this.#loop;
    const stop = loop._processes.on_signal(signal, () => loop._deliver(fn, undefined));
    this.#count(signal, 1);
    return () => {
      stop();
      this.#count(signal, -1);
    };
  }

  /** Whether the program itself takes care of a signal. */
  handles(signal: Signal): boolean {
    return this.#listeners.has(signal);
  }

  /** Told whether `run_forever()` or `run_until_complete()` is at work. */
  set_running(running: boolean): void {
    this.#running = running;
    this.#update();
  }

  /** Takes all handlers away. */
  clear(): void {
    for (const signal of [...this.#handlers.keys()]) this.remove(signal);
  }

  #count(signal: Signal, change: number): void {
    const count = (this.#listeners.get(signal) ?? 0) + change;
    if (count === 0) this.#listeners.delete(signal);
    else this.#listeners.set(signal, count);
  }

  #update(): void {
    this.#keep_alive.set(this.#running && this.#handlers.size > 0);
  }
}
