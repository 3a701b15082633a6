/**
 * Callbacks on a loop, and the functions that find the loop.
 *
 * @module
 */

import { INSPECT } from "./constants.ts";
import { Chained } from "./_chained.ts";
import type { EventLoop } from "./deno_events.ts";
import * as context from "./_context.ts";
import { RuntimeError } from "./exceptions.ts";
import type { Captured } from "./_deno_context.ts";
import type { Step, Strand } from "./_scopes.ts";

/** A callback that was called. What it left to microtasks comes before the next step. */
const CALLED: Strand = { _settled: true };

/**
 * What an exception handler is told. Keys that do not apply are `undefined`.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const context: asyncio.ExceptionContext = { message: "Lost the cache", exception: new Error("gone") };
 * asyncio.get_event_loop().set_exception_handler((_loop, context) => console.warn(context.message));
 * asyncio.get_event_loop().call_exception_handler(context);
 * asyncio.get_event_loop().set_exception_handler(null);
 * ```
 */
export interface ExceptionContext {
  /** What happened, in one line. */
  readonly message: string;
  /** The error itself. */
  readonly exception?: unknown;
  /** The future that nobody asked for its error. */
  readonly future?: unknown;
  /** The task that failed, or that was dropped. */
  readonly task?: unknown;
  /** The callback that threw. */
  readonly handle?: unknown;
  /** The protocol that was at work. */
  readonly protocol?: unknown;
  /** The transport that was at work. */
  readonly transport?: unknown;
  /** The socket that was at work. */
  readonly socket?: unknown;
  /** In debug mode: the calls that made the thing, the innermost first. */
  readonly source_traceback?: string;
}

/**
 * A function that hears what nobody else handled.
 *
 * @param loop The loop it happened on.
 * @param context What happened.
 */
export type ExceptionHandler = (loop: EventLoop, context: ExceptionContext) => void;

/**
 * Options of the calls that schedule a callback.
 */
export interface CallOptions {
  /**
   * Runs the callback in another asynchronous context: a function such as `AsyncLocalStorage.snapshot()` returns, that
   * calls what it is given.
   *
   * @default the context of the call that schedules it
   */
  readonly context?: ContextRunner;
}

/**
 * Calls a function in some asynchronous context. `AsyncLocalStorage.snapshot()` makes one.
 */
export type ContextRunner = <R>(fn: () => R) => R;

/**
 * A callback that was scheduled on a loop, and can be taken back.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(async () => {
 *   const handle = asyncio.get_running_loop().call_soon(() => console.log("never printed"));
 *   handle.cancel();
 *   await asyncio.sleep(0);
 *   console.log(handle.cancelled()); // true
 * });
 * ```
 */
export class Handle implements Step {
  readonly #loop: EventLoop;
  #callback: ((...args: never[]) => unknown) | null;
  #args: readonly unknown[];
  #cancelled = false;
  /** The context in which it was scheduled; `null` for the library's own, which need none. */
  #context: Captured | null = null;

  /**
   * Made by `loop.call_soon()` and its like.
   *
   * @internal
   */
  constructor(
    loop: EventLoop,
    callback: (...args: never[]) => unknown,
    args: readonly unknown[],
    captures: boolean,
    runner?: ContextRunner,
  ) {
    this.#loop = loop;
    this.#callback = callback;
    this.#args = args;
    if (!captures) return;
    if (runner === undefined) {
      this.#context = context.capture_context();
      return;
    }
    runner(() => this.#context = context.capture_context());
    if (this.#context === null) throw new TypeError('"context" must call the function that it is given');
  }

  static #begin(handle: Handle): void {
    const scope = handle.#loop._scope;
    if (context.current_scope() === scope) Handle.#call(handle);
    else context.run_in_scope(scope, Handle.#call, handle);
  }

  /** Takes the callback back; no effect once it has run. */
  cancel(): void {
    if (this.#cancelled) return;
    this.#cancelled = true;
    this.#callback = null;
    this.#args = [];
  }

  /**
   * Tells whether it was taken back.
   *
   * @returns True after `cancel()`.
   */
  cancelled(): boolean {
    return this.#cancelled;
  }

  /** @internal */
  _run(): Strand | null {
    if (this.#cancelled) return null;
    if (this.#context === null) {
      Handle.#call(this);
      return null;
    }
    context.run_in_context(this.#context, Handle.#begin, this);
    return CALLED;
  }

  static #call(handle: Handle): void {
    const callback = handle.#callback;
    if (callback === null) return;
    const loop = handle.#loop;
    const started = loop.get_debug() ? performance.now() : 0;
    try {
      const result: unknown = callback(...handle.#args as never[]);
      // An async callback's failure belongs to the loop, as a plain one's does.
      if (result instanceof Promise || result instanceof Chained) result.catch((error) => handle.#report(error));
    } catch (error) {
      handle.#report(error);
    }
    if (started !== 0) loop._report_slow(handle, (performance.now() - started) / 1000);
  }

  #report(exception: unknown): void {
    this.#loop.call_exception_handler({ message: `Exception in callback ${this.#name()}`, exception, handle: this });
  }

  #name(): string {
    return this.#callback?.name.replace(/^bound /, "") || "(anonymous)";
  }

  /** @internal */
  _describe(): string {
    return this.#cancelled ? "cancelled" : this.#name();
  }

  /** @ignore */
  [INSPECT](): string {
    return `<Handle ${this._describe()}>`;
  }
}

/**
 * A callback that was scheduled for a time.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(async () => {
 *   const loop = asyncio.get_running_loop();
 *   const handle = loop.call_later(0.01, () => console.log("ten milliseconds later"));
 *   console.log(handle.when() > loop.time()); // true
 *   await asyncio.sleep(0.02);
 * });
 * ```
 */
export class TimerHandle extends Handle {
  readonly #when: number;
  readonly #loop: EventLoop;
  /**
   * Breaks ties between timers of one deadline: first scheduled, first run.
   *
   * @internal
   */
  readonly _order: number;
  /**
   * Whether it still counts among the loop's timers.
   *
   * @internal
   */
  _scheduled = true;

  /**
   * Made by `loop.call_at()` and its like.
   *
   * @internal
   */
  constructor(
    loop: EventLoop,
    when: number,
    order: number,
    callback: (...args: never[]) => unknown,
    args: readonly unknown[],
    captures: boolean,
    runner?: ContextRunner,
  ) {
    super(loop, callback, args, captures, runner);
    this.#loop = loop;
    this.#when = when;
    this._order = order;
  }

  /**
   * Tells when it is due.
   *
   * @returns The loop's time, in seconds.
   */
  when(): number {
    return this.#when;
  }

  /** Takes the callback back; no effect once it has run. */
  override cancel(): void {
    if (this.cancelled()) return;
    super.cancel();
    if (this._scheduled) this.#loop._timer_cancelled(this);
  }

  /** @ignore */
  override [INSPECT](): string {
    return `<TimerHandle when=${this.#when} ${this._describe()}>`;
  }
}

/**
 * The loop that runs the calling code.
 *
 * Differs from asyncio: outside of every task it is the default loop, which Deno drives, rather than an error.
 *
 * @returns The loop.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(() => console.log(asyncio.get_running_loop().time()));
 * ```
 */
export function get_running_loop(): EventLoop {
  return context.current_loop();
}

/**
 * The loop that runs the calling code, or the default loop.
 *
 * The default loop is made on first use. Deno drives it without `run_forever()`, so that all of the library works at
 * top level, in a test and in a request handler. After it was closed, the next call makes a new one.
 *
 * @returns The loop.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const loop = asyncio.get_event_loop();
 * await loop.run_until_complete(() => asyncio.sleep(0.01));
 * loop.close();
 * ```
 */
export function get_event_loop(): EventLoop {
  return context.current_loop();
}

/**
 * Replaces the default loop.
 *
 * @param loop The loop that `get_event_loop()` returns outside of every task from now on; `null` has it make a new one.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const loop = asyncio.new_event_loop();
 * asyncio.set_event_loop(loop);
 * console.log(asyncio.get_event_loop() === loop); // true
 * loop.close();
 * asyncio.set_event_loop(null);
 * ```
 */
export function set_event_loop(loop: EventLoop | null): void {
  if (loop !== null && typeof (loop as Partial<EventLoop>)?._push !== "function") {
    throw new TypeError(`"loop" must be an EventLoop or null, got ${typeof loop}`);
  }
  context.set_default_loop(loop);
}

/** Throws what asyncio throws when a loop is started by code that a loop runs. */
export function check_not_running(message: string): void {
  const scope = context.current_scope();
  if (scope !== undefined && (scope.root.task !== null || scope === scope.loop._scope)) throw new RuntimeError(message);
}
