/**
 * Values that travel with code through its awaits.
 *
 * Deno's `AsyncLocalStorage` does that, but to enter it inside another one, as each task is, takes two microseconds, and
 * leaves 400 bytes for the garbage collector: the value stands in a `WeakMap`, and in the engine's context there is only
 * its key. Deno's own functions to get and set that context are in reach, though they are no interface that it promises.
 * With the value in the context itself, entering takes a fiftieth; a task is made and awaited in half the time, and
 * `node:async_hooks` need not be loaded, which takes a third of this library's import.
 *
 * So at import the functions are looked for and tried out: that contexts are what this room takes them for, and that
 * Deno's own storages and its own values leave each other alone. If any of it does not hold, be it in another version of
 * Deno, `AsyncLocalStorage` does the work.
 *
 * @module
 */

import type { AsyncLocalStorage } from "node:async_hooks";

/** A value that travels with code. */
export interface ContextVariable<T> {
  /** The value of the running code; `undefined` if it has none. */
  get(): T | undefined;
  /** Calls `fn` with `arg` so that it, and all that it awaits, has the value. */
  run<R, A = undefined>(value: T, fn: (arg: A) => R, arg?: A): R;
}

/** Makes variables, and keeps contexts. */
export interface Contexts {
  /** A new variable. */
  variable<T>(): ContextVariable<T>;
  /** The context of the code that calls this, with all that is in it. */
  capture(): Captured;
  /** Calls `fn` with `arg` in a context that was captured. */
  run_in<R, A = undefined>(context: Captured, fn: (arg: A) => R, arg?: A): R;
}

/** The values of some code, all together. */
export type Captured = { readonly _brand: "captured context" } | undefined;

/** What the engine keeps for running code: an entry for each of Deno's storages, by numbers, and ours. */
type Context = { readonly [key: string]: unknown } | undefined;

interface AsyncVariable {
  enter(value: unknown): Context;
  get(): unknown;
}

/** The functions of Deno that this room would like to use. */
interface Core {
  getAsyncContext(): Context;
  setAsyncContext(context: Context): void;
  readonly AsyncVariable: new () => AsyncVariable;
}

/**
 * The class of contexts with one entry. They have no prototype with entries of its own, as those of Deno, but a shape
 * that the engine knows: to make one takes 50 nanoseconds, and to copy a context without a prototype 1,200.
 */
function contexts_of_one(key: string): new (value: unknown) => NonNullable<Context> {
  const One = function (this: Record<string, unknown>, value: unknown) {
    this[key] = value;
  };
  One.prototype = Object.create(null);
  return One as unknown as new (value: unknown) => NonNullable<Context>;
}

class EngineVariable<T> implements ContextVariable<T> {
  readonly #key: string;
  readonly #One: new (value: unknown) => NonNullable<Context>;
  readonly #get_context: () => Context;
  readonly #set_context: (context: Context) => void;

  constructor(core: Core, key: string) {
    this.#key = key;
    this.#One = contexts_of_one(key);
    this.#get_context = core.getAsyncContext;
    this.#set_context = core.setAsyncContext;
  }

  get(): T | undefined {
    return this.#get_context()?.[this.#key] as T | undefined;
  }

  run<R, A>(value: T, fn: (arg: A) => R, arg?: A): R {
    const previous = this.#get_context();
    const is_alone = previous === undefined || Object.getPrototypeOf(previous) === this.#One.prototype;
    this.#set_context(
      is_alone ? new this.#One(value) : { __proto__: null, ...previous, [this.#key]: value } as Context,
    );
    try {
      return fn(arg as A);
    } finally {
      this.#set_context(previous);
    }
  }
}

class EngineContexts implements Contexts {
  readonly #core: Core;
  readonly #get_context: () => Context;
  readonly #set_context: (context: Context) => void;

  constructor(core: Core) {
    this.#core = core;
    this.#get_context = core.getAsyncContext;
    this.#set_context = core.setAsyncContext;
  }

  variable<T>(): ContextVariable<T> {
    // There may be several copies of this library in a program.
    return new EngineVariable<T>(this.#core, `asyncio-${crypto.randomUUID()}`);
  }

  capture(): Captured {
    return this.#get_context() as Captured;
  }

  run_in<R, A>(context: Captured, fn: (arg: A) => R, arg?: A): R {
    const previous = this.#get_context();
    this.#set_context(context as Context);
    try {
      return fn(arg as A);
    } finally {
      this.#set_context(previous);
    }
  }
}

class StorageContexts implements Contexts {
  readonly #storage: typeof AsyncLocalStorage;

  constructor(storage: typeof AsyncLocalStorage) {
    this.#storage = storage;
  }

  variable<T>(): ContextVariable<T> {
    const storage = new this.#storage<T>();
    return {
      get: () => storage.getStore(),
      run: (value, fn, arg) => storage.run(value, fn, arg as never),
    };
  }

  capture(): Captured {
    return this.#storage.snapshot() as unknown as Captured;
  }

  run_in<R, A>(context: Captured, fn: (arg: A) => R, arg?: A): R {
    const snapshot = context as unknown as (fn: (arg: A) => R, arg: A) => R;
    return snapshot(fn, arg as A);
  }
}

/** Where Deno has these functions, if it has them. */
function core_of_deno(): unknown {
  // deno-lint-ignore no-explicit-any
  const deno = Deno as any;
  return deno[deno.internal]?.core;
}

/** Whether contexts work as this room takes for granted. */
function is_as_expected(unknown: unknown): unknown is Core {
  const core = unknown as Core | null | undefined;
  const names = ["getAsyncContext", "setAsyncContext", "AsyncVariable"] as const;
  if (core === null || core === undefined || names.some((name) => typeof core[name] !== "function")) return false;
  const before = core.getAsyncContext();
  try {
    const [own, other, later] = [
      new EngineVariable(core, "asyncio-test"),
      new core.AsyncVariable(),
      new core.AsyncVariable(),
    ];
    other.enter(1);
    const context = core.getAsyncContext();
    // What could not be copied entry by entry would not survive.
    if (context === undefined || Object.getPrototypeOf(context) !== null || other.get() !== 1) return false;
    if (own.get() !== undefined) return false;
    const is_there = () => own.get() === 2 && other.get() === 1;
    const holds = own.run(2, () => {
      if (!is_there()) return false;
      later.enter(3);
      return is_there() && later.get() === 3;
    });
    return holds && own.get() === undefined && other.get() === 1 && core.getAsyncContext() === context;
  } catch {
    return false;
  } finally {
    core.setAsyncContext(before);
  }
}

/** The fastest way that works; see the module. */
export function find_contexts(core: unknown = core_of_deno()): Contexts {
  if (is_as_expected(core)) return new EngineContexts(core);
  // Only here, since to load it takes ten milliseconds; and not by `import()`, which would have the module wait.
  // deno-lint-ignore no-process-global
  return new StorageContexts(process.getBuiltinModule("node:async_hooks").AsyncLocalStorage);
}
