/**
 * What `then()` gives: a promise that is made only if somebody wants it.
 *
 * An `await` calls `then()` and throws away what it returns, so a native promise for each, with its two functions, would
 * be most of what an `await` costs. This calls the functions itself, in the context of the code that gave them, and makes
 * the promise when it is asked for one, or when there is something in it that must not be lost.
 *
 * @module
 */

import { capture_context, run_in_context } from "./_context.ts";
import type { Captured } from "./_deno_context.ts";

/** What takes an outcome. */
export interface Receiver {
  /** Takes a result. */
  // deno-lint-ignore no-explicit-any
  resolve(value: any): void;
  /** Takes an error. */
  reject(error: unknown): void;
}

type Reaction = ((value: unknown) => unknown) | null | undefined;

/** The functions that were given to `then()`, which are called at once when the outcome is there. */
export class Chained implements Promise<unknown>, Receiver {
  #on_fulfilled: Reaction;
  #on_rejected: Reaction;
  #context: Captured;
  /** Of what the functions return; `null` while nobody asked for it, and it would hold nothing but `undefined`. */
  #promise: Promise<unknown> | null = null;
  #settle: Receiver | null = null;
  #settled = false;

  constructor(on_fulfilled: Reaction, on_rejected: Reaction) {
    this.#on_fulfilled = on_fulfilled;
    this.#on_rejected = on_rejected;
    this.#context = capture_context();
  }

  resolve(value: unknown): void {
    const on_fulfilled = this.#on_fulfilled;
    if (typeof on_fulfilled === "function") this.#call(on_fulfilled, value);
    else this.#end(value);
  }

  reject(error: unknown): void {
    const on_rejected = this.#on_rejected;
    if (typeof on_rejected === "function") this.#call(on_rejected, error);
    else this.#fail(error);
  }

  #call(reaction: (value: unknown) => unknown, value: unknown): void {
    const context = this.#context;
    let result: unknown;
    try {
      result = run_in_context(context, reaction, value);
    } catch (error) {
      return this.#fail(error);
    }
    if (result === this) this.#fail(new TypeError("Chaining cycle detected for promise"));
    // The engine calls the `then()` of a future there: whoever waits for this is to be cancelled through that.
    else if (typeof result === "object" && result !== null) run_in_context(context, () => this.#end(result));
    else this.#end(result);
  }

  #end(result: unknown): void {
    this.#forget();
    if (this.#settle !== null) this.#settle.resolve(result);
    // Of its own even where the result is a promise: that somebody handles that one's error says nothing about this.
    else if (result !== undefined) this.#promise = new Promise((resolve) => resolve(result));
  }

  // Without anybody who handles it, Deno reports it, as for any promise.
  #fail(error: unknown): void {
    this.#forget();
    if (this.#settle !== null) this.#settle.reject(error);
    else this.#promise = Promise.reject(error);
  }

  #forget(): void {
    this.#settled = true;
    this.#on_fulfilled = this.#on_rejected = this.#context = undefined;
  }

  #as_promise(): Promise<unknown> {
    if (this.#promise !== null) return this.#promise;
    if (this.#settled) return this.#promise = Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#settle = { resolve, reject };
    return this.#promise = promise;
  }

  then<R = unknown, E = never>(
    on_fulfilled?: ((value: unknown) => R | PromiseLike<R>) | null,
    on_rejected?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<R | E> {
    return this.#as_promise().then(on_fulfilled, on_rejected);
  }

  catch<E = never>(on_rejected?: ((reason: unknown) => E | PromiseLike<E>) | null): Promise<unknown> {
    return this.#as_promise().catch(on_rejected);
  }

  finally(on_finally?: (() => void) | null): Promise<unknown> {
    return this.#as_promise().finally(on_finally);
  }

  get [Symbol.toStringTag](): string {
    return "Promise";
  }
}
