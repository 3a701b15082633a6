/**
 * The errors that asyncio raises, under its names and with its data.
 *
 * @module
 */

/**
 * The wait was cancelled, by `task.cancel()`, a timeout or a task group.
 *
 * Differs from asyncio: JavaScript has no `BaseException`, so a plain `catch` catches it too. Code that catches every
 * error should throw this one on.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(async () => {
 *   const task = asyncio.create_task(() => asyncio.sleep(3600));
 *   await asyncio.sleep(0);
 *   task.cancel("enough");
 *   try {
 *     await task;
 *   } catch (error) {
 *     if (!(error instanceof asyncio.CancelledError)) throw error;
 *     console.log("cancelled:", error.message);
 *   }
 * });
 * ```
 */
export class CancelledError extends Error {
  /** The class name, as in other errors. */
  override name = "CancelledError";
}

/**
 * A `CancelledError` as the loop throws it into code that waits. It has no stack: all that the engine could note is the
 * loop's own frames, and with them it keeps what they work on, about a kibibyte for each cancelled task.
 */
export function thrown_by_loop(message: string | undefined): CancelledError {
  const limit = Error.stackTraceLimit;
  // Where a program has frozen `Error`, an assignment would throw.
  Reflect.set(Error, "stackTraceLimit", 0);
  const error = new CancelledError(message);
  Reflect.set(Error, "stackTraceLimit", limit);
  return error;
}

/**
 * A future was asked for something its state does not allow: the result of a pending one, or a second result.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * try {
 *   new asyncio.Future<number>().result();
 * } catch (error) {
 *   console.log(error instanceof asyncio.InvalidStateError); // true
 * }
 * ```
 */
export class InvalidStateError extends Error {
  /** The class name, as in other errors. */
  override name = "InvalidStateError";
}

/**
 * A deadline passed. `cause` is the `CancelledError` that stopped the work, where there was one.
 *
 * It has the same `name` as the error of the web's `AbortSignal.timeout()`.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * try {
 *   await asyncio.wait_for(() => asyncio.sleep(3600), 0.01);
 * } catch (error) {
 *   console.log(error instanceof asyncio.TimeoutError); // true
 * }
 * ```
 */
export class TimeoutError extends Error {
  /** The class name, as in other errors. */
  override name = "TimeoutError";
}

/**
 * A call that the object's state forbids: Python's `RuntimeError`.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const loop = asyncio.new_event_loop();
 * loop.close();
 * try {
 *   loop.call_soon(() => {});
 * } catch (error) {
 *   console.log(error instanceof asyncio.RuntimeError); // true
 * }
 * ```
 */
export class RuntimeError extends Error {
  /** The class name, as in other errors. */
  override name: string = "RuntimeError";
}

/**
 * The user pressed Ctrl-C while `run()` was at work. The main task was cancelled first, so its `finally` blocks ran.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * try {
 *   await asyncio.run(() => asyncio.sleep(0.01));
 * } catch (error) {
 *   if (error instanceof asyncio.KeyboardInterrupt) console.log("interrupted");
 * }
 * ```
 */
export class KeyboardInterrupt extends Error {
  /** The class name, as in other errors. */
  override name = "KeyboardInterrupt";
}

/**
 * `get_nowait()` found the queue empty.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * try {
 *   new asyncio.Queue<number>().get_nowait();
 * } catch (error) {
 *   console.log(error instanceof asyncio.QueueEmpty); // true
 * }
 * ```
 */
export class QueueEmpty extends Error {
  /** The class name, as in other errors. */
  override name = "QueueEmpty";
}

/**
 * `put_nowait()` found the queue full.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const queue = new asyncio.Queue<number>(1);
 * queue.put_nowait(1);
 * try {
 *   queue.put_nowait(2);
 * } catch (error) {
 *   console.log(error instanceof asyncio.QueueFull); // true
 * }
 * ```
 */
export class QueueFull extends Error {
  /** The class name, as in other errors. */
  override name = "QueueFull";
}

/**
 * The queue was shut down: nothing can be put in any more, or nothing is left to take out.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const queue = new asyncio.Queue<number>();
 * queue.shutdown();
 * try {
 *   await queue.get();
 * } catch (error) {
 *   console.log(error instanceof asyncio.QueueShutDown); // true
 * }
 * ```
 */
export class QueueShutDown extends Error {
  /** The class name, as in other errors. */
  override name = "QueueShutDown";
}

/**
 * The barrier was reset or aborted while a task waited in it, or had been aborted before.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const barrier = new asyncio.Barrier(2);
 * await barrier.abort();
 * try {
 *   await barrier.wait();
 * } catch (error) {
 *   console.log(error instanceof asyncio.BrokenBarrierError); // true
 * }
 * ```
 */
export class BrokenBarrierError extends RuntimeError {
  /** The class name, as in other errors. */
  override name = "BrokenBarrierError";
}

/**
 * The kernel cannot send a file by itself; `loop.sendfile()` throws it when it may not go another way.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * console.log(new asyncio.SendfileNotAvailableError("not here") instanceof asyncio.RuntimeError); // true
 * ```
 */
export class SendfileNotAvailableError extends RuntimeError {
  /** The class name, as in other errors. */
  override name = "SendfileNotAvailableError";
}

/**
 * Every sending end of a memory object stream is closed, and nothing is left in it.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const [send, receive] = asyncio.create_memory_object_stream<number>();
 * send.close();
 * try {
 *   await receive.receive();
 * } catch (error) {
 *   console.log(error instanceof asyncio.EndOfStream); // true
 * }
 * ```
 */
export class EndOfStream extends Error {
  /** The class name, as in other errors. */
  override name = "EndOfStream";
}

/**
 * The end of a memory object stream that was used is closed: by you, not by the other side.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const [send, receive] = asyncio.create_memory_object_stream<number>();
 * send.close();
 * try {
 *   await send.send(1);
 * } catch (error) {
 *   console.log(error instanceof asyncio.ClosedResourceError); // true
 * }
 * ```
 */
export class ClosedResourceError extends Error {
  /** The class name, as in other errors. */
  override name = "ClosedResourceError";
}

/**
 * Every receiving end of a memory object stream is closed, so nobody would get what is sent.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const [send, receive] = asyncio.create_memory_object_stream<number>();
 * receive.close();
 * try {
 *   await send.send(1);
 * } catch (error) {
 *   console.log(error instanceof asyncio.BrokenResourceError); // true
 * }
 * ```
 */
export class BrokenResourceError extends Error {
  /** The class name, as in other errors. */
  override name = "BrokenResourceError";
}

/**
 * A call that must not wait would have to.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const [send, receive] = asyncio.create_memory_object_stream<number>();
 * try {
 *   send.send_nowait(1);
 * } catch (error) {
 *   console.log(error instanceof asyncio.WouldBlock); // true
 * }
 * ```
 */
export class WouldBlock extends Error {
  /** The class name, as in other errors. */
  override name = "WouldBlock";
}

/**
 * Another task is using what a `ResourceGuard` guards.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const guard = new asyncio.ResourceGuard("reading from");
 * guard.enter();
 * try {
 *   guard.enter();
 * } catch (error) {
 *   console.log(error instanceof asyncio.BusyResourceError); // true
 * }
 * ```
 */
export class BusyResourceError extends Error {
  /** The class name, as in other errors. */
  override name = "BusyResourceError";
}

/**
 * A thread ended before its call did: it called `close()`, an error in it was not caught, or it was terminated. `cause`
 * is that error, where there was one. The executor goes on with other threads.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * try {
 *   await asyncio.to_thread(() => globalThis.close());
 * } catch (error) {
 *   console.log(error instanceof asyncio.BrokenWorkerThread); // true
 * }
 * ```
 */
export class BrokenWorkerThread extends RuntimeError {
  /** The class name, as in other errors. */
  override name = "BrokenWorkerThread";
}

/**
 * The stream ended before the bytes asked for had arrived.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const reader = new asyncio.StreamReader();
 * reader.feed_data("abc");
 * reader.feed_eof();
 * try {
 *   await reader.readexactly(5);
 * } catch (error) {
 *   if (!(error instanceof asyncio.IncompleteReadError)) throw error;
 *   console.log(error.message); // 3 bytes read on a total of 5 expected bytes
 *   console.log(new TextDecoder().decode(error.partial)); // abc
 * }
 * ```
 */
export class IncompleteReadError extends Error {
  /** The class name, as in other errors. */
  override name = "IncompleteReadError";
  /** The bytes that had arrived; they are no longer in the reader. */
  readonly partial: Uint8Array<ArrayBuffer>;
  /** How many bytes were asked for, or `null` for a read up to a separator. */
  readonly expected: number | null;

  /**
   * Makes the error with asyncio's text.
   *
   * @param partial The bytes that had arrived.
   * @param expected How many bytes were asked for, or `null` if that was unknown.
   */
  constructor(partial: Uint8Array<ArrayBuffer>, expected: number | null) {
    super(`${partial.length} bytes read on a total of ${expected ?? "undefined"} expected bytes`);
    this.partial = partial;
    this.expected = expected;
  }
}

/**
 * The separator was not found within the reader's limit. What had arrived is still in the reader.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const reader = new asyncio.StreamReader({ limit: 4 });
 * reader.feed_data("too long\n");
 * try {
 *   await reader.readline();
 * } catch (error) {
 *   if (!(error instanceof asyncio.LimitOverrunError)) throw error;
 *   await reader.readexactly(error.consumed); // skip the line's body
 * }
 * ```
 */
export class LimitOverrunError extends Error {
  /** The class name, as in other errors. */
  override name = "LimitOverrunError";
  /** How many bytes from the front can be read without splitting a separator. */
  readonly consumed: number;

  /**
   * Makes the error.
   *
   * @param message What was exceeded.
   * @param consumed How many bytes from the front can be read without splitting a separator.
   */
  constructor(message: string, consumed: number) {
    super(message);
    this.consumed = consumed;
  }
}

/**
 * Several unrelated errors at once, as a task group raises them.
 *
 * It is an `AggregateError`: `errors` and `exceptions` are the same list.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * try {
 *   await asyncio.async_with(new asyncio.TaskGroup(), (group) => {
 *     group.create_task(() => Promise.reject(new RangeError("one")));
 *   });
 * } catch (error) {
 *   if (!(error instanceof asyncio.ExceptionGroup)) throw error;
 *   console.log(error.message, error.exceptions[0]);
 * }
 * ```
 */
export class ExceptionGroup extends AggregateError {
  /** The class name, as in other errors. */
  override name = "ExceptionGroup";
  readonly #summary: string;

  /**
   * Makes a group of at least one error.
   *
   * @param message What the errors have in common.
   * @param exceptions The errors, in the order they happened.
   * @throws {RangeError} If `exceptions` is empty.
   */
  constructor(message: string, exceptions: readonly unknown[]) {
    if (!Array.isArray(exceptions)) throw new TypeError(`"exceptions" must be an array, got ${shown(exceptions)}`);
    const count = exceptions.length;
    if (count === 0) throw new RangeError('Cannot make an ExceptionGroup: "exceptions" is empty');
    super(exceptions, `${message} (${count} sub-exception${count === 1 ? "" : "s"})`);
    this.#summary = message;
  }

  /** The errors, in the order they happened. */
  get exceptions(): unknown[] {
    return this.errors;
  }

  /**
   * Makes a group of the same kind around other errors; a subclass overrides it to keep its own data.
   *
   * @param exceptions The errors of the new group.
   * @returns A new group with this one's message.
   */
  derive(exceptions: readonly unknown[]): ExceptionGroup {
    return new ExceptionGroup(this.#summary, exceptions);
  }

  /**
   * Keeps the errors that match, with the nesting they have here.
   *
   * @param condition An error class, or a function that tells whether an error matches.
   * @returns A group of what matches, or `null` if nothing does.
   */
  subgroup(condition: ErrorCondition): ExceptionGroup | null {
    return this.split(condition)[0];
  }

  /**
   * Parts the errors into those that match and the rest, each with the nesting they have here.
   *
   * @param condition An error class, or a function that tells whether an error matches.
   * @returns Both groups; a group that would be empty is `null`.
   */
  split(condition: ErrorCondition): [match: ExceptionGroup | null, rest: ExceptionGroup | null] {
    check_callable("condition", condition);
    const matches = typeof condition === "function" && is_error_class(condition)
      ? (error: unknown) => error instanceof condition
      : condition as (error: unknown) => boolean;
    if (matches(this)) return [this, null];
    const match: unknown[] = [];
    const rest: unknown[] = [];
    for (const error of this.exceptions) {
      if (error instanceof ExceptionGroup) {
        const [inner_match, inner_rest] = error.split(condition);
        if (inner_match) match.push(inner_match);
        if (inner_rest) rest.push(inner_rest);
      } else {
        (matches(error) ? match : rest).push(error);
      }
    }
    return [match.length ? this.#copy(match) : null, rest.length ? this.#copy(rest) : null];
  }

  #copy(exceptions: unknown[]): ExceptionGroup {
    const group = this.derive(exceptions);
    group.stack = this.stack;
    group.cause = this.cause;
    return group;
  }
}

/** What `ExceptionGroup.split()` selects by: an error class, or a function that tells whether an error matches. */
// deno-lint-ignore no-explicit-any
export type ErrorCondition = (new (...args: any[]) => Error) | ((error: unknown) => boolean);

// deno-lint-ignore no-explicit-any
function is_error_class(value: ErrorCondition): value is new (...args: any[]) => Error {
  return value === Error || value.prototype instanceof Error;
}

/** Shows a value of unknown type in an error message: strings quoted, the rest as a console would print it in short. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return `function ${value.name || "(anonymous)"}`;
  if (typeof value === "object" && value !== null) return `[object ${value.constructor?.name ?? "Object"}]`;
  return String(value);
}

/** Throws unless `value` is a number; NaN is refused too. */
export function check_number(name: string, value: unknown): void {
  if (typeof value !== "number") throw new TypeError(`"${name}" must be a number, got ${shown(value)}`);
  if (Number.isNaN(value)) throw new RangeError(`"${name}" must not be NaN`);
}

/** Throws unless `value` is a function. */
export function check_callable(name: string, value: unknown): void {
  if (typeof value !== "function") throw new TypeError(`"${name}" must be a function, got ${shown(value)}`);
}

/** A misspelt option, or one that does not exist here, such as one that asks for encryption, must not pass unnoticed. */
export function check_options(options: unknown, known: readonly string[]): void {
  if (options === undefined) return;
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`"options" must be an object, got ${shown(options)}`);
  }
  for (const key of Object.keys(options)) {
    if (!known.includes(key) && (options as Record<string, unknown>)[key] !== undefined) {
      throw new TypeError(`Unknown option "${key}": known are ${known.map((each) => `"${each}"`).join(", ")}`);
    }
  }
}

/** Throws unless `value` is a loop, or left out. */
export function check_loop(value: unknown): void {
  if (value === undefined || typeof (value as { _push?: unknown } | null)?._push === "function") return;
  throw new TypeError(`"loop" must be an EventLoop, got ${shown(value)}`);
}
