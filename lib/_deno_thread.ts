/**
 * What runs in a thread, and how errors get out of it.
 *
 * `thread_main()` is sent as its source, as the functions of a program are, so it uses nothing from outside of itself. A
 * worker of a file's URL would need leave to read or import that file where the library came from a URL.
 *
 * @module
 */

import type { MessagePort } from "node:worker_threads";

/** The function that a job calls. */
export type Target =
  | { readonly kind: "source"; readonly source: string; readonly name: string }
  | { readonly kind: "module"; readonly module: string; readonly name: string };

/**
 * How a message is sent. The workers of `node:` look through all properties of a message for objects of their own, each
 * element of an array included: half a second for a mebibyte. Into a `Map` they do not look.
 */
export type Envelope<T> = ReadonlyMap<"message", T>;

/** What a thread is told to do. */
export interface Order {
  readonly target: Target;
  readonly args: readonly unknown[];
}

/** What a thread answers. */
export type Reply =
  | { readonly kind: "result"; readonly value: unknown }
  | { readonly kind: "error"; readonly error: ErrorRecord }
  /** An error that nobody caught ends the thread. */
  | { readonly kind: "dying"; readonly error: ErrorRecord };

/** What was thrown, in a form that can be sent: a structured clone alone would lose classes and fields. */
export type ErrorRecord =
  | { readonly kind: "value"; readonly value: unknown }
  | {
    readonly kind: "error";
    /** The first class of its ancestry that both sides have. */
    readonly class_name: string;
    readonly from_deno: boolean;
    readonly name: string;
    readonly message: string;
    readonly stack: string | undefined;
    readonly cause: ErrorRecord | null;
    readonly errors: readonly ErrorRecord[] | null;
    readonly fields: Readonly<Record<string, unknown>>;
  };

/** The program of a thread. */
export function thread_main(port: MessagePort): void {
  type AnyFunction = (...args: unknown[]) => unknown;
  const functions = new Map<string, AnyFunction>();
  /** A cause may be its own cause. */
  const MAX_DEPTH = 8;

  /** The function of a source: that of a method stands only in an object. */
  function compile(source: string, name: string): AnyFunction {
    const known = functions.get(source);
    if (known !== undefined) return known;
    const url = `\n//# sourceURL=thread:${name.replace(/[^\w$.]+/g, "_")}`;
    // Modules are strict, and indirect `eval` is not.
    const evaluate = (text: string) => (0, eval)(`"use strict";${text}${url}`);
    let fn: unknown;
    try {
      fn = evaluate(`(${source}\n)`);
    } catch (error) {
      try {
        fn = Object.values(evaluate(`({${source}\n})`) as object)[0];
      } catch {
        throw new TypeError(
          `Cannot run "${name}" in a thread: its source does not stand by itself: ${(error as Error).message}`,
          { cause: error },
        );
      }
    }
    functions.set(source, fn as AnyFunction);
    return fn as AnyFunction;
  }

  async function find(target: Target): Promise<AnyFunction> {
    if (target.kind === "source") return compile(target.source, target.name);
    const { module, name } = target;
    const fn = (await import(module))[name];
    if (typeof fn !== "function") {
      throw new TypeError(
        `Cannot run "${name}" of "${module}" in a thread: it is ${fn === undefined ? "missing" : fn}`,
      );
    }
    return fn;
  }

  /** Says what the engine does not: why a name that the function sees in its file is not there. */
  function explain(error: unknown, target: Target): void {
    if (!(error instanceof ReferenceError) || target.kind !== "source") return;
    const [, free] = error.message.match(/^(.+) is not defined$/) ?? [];
    if (free === undefined || !target.source.includes(free)) return;
    const message =
      `"${free}" is not defined in the thread, to which "${target.name}" is sent as its source: pass it as ` +
      `an argument, import() it in the function, or name the function of a module, as in ` +
      `{ module: import.meta.resolve("./work.ts"), name: "work" }`;
    error.stack = error.stack?.replace(error.message, () => message);
    error.message = message;
  }

  function is_cloneable(value: unknown): boolean {
    try {
      structuredClone(value);
      return true;
    } catch {
      return false;
    }
  }

  function describe(error: unknown, depth = 0): ErrorRecord {
    if (!(error instanceof Error)) return { kind: "value", value: is_cloneable(error) ? error : String(error) };
    let class_name = "Error";
    let from_deno = false;
    for (let each = Object.getPrototypeOf(error); each !== null; each = Object.getPrototypeOf(each)) {
      const constructor: unknown = each.constructor;
      const name = (constructor as { name?: unknown })?.name as string;
      from_deno = (Deno.errors as Record<string, unknown>)[name] === constructor;
      if (!from_deno && (globalThis as Record<string, unknown>)[name] !== constructor) continue;
      class_name = name;
      break;
    }
    const fields: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(error)) {
      if (!["name", "message", "stack", "cause", "errors"].includes(key) && is_cloneable(value)) fields[key] = value;
    }
    const inner = (value: unknown) => describe(depth < MAX_DEPTH ? value : String(value), depth + 1);
    const errors = (error as { errors?: unknown }).errors;
    // The frames of this function say nothing to anybody.
    const lines = error.stack?.split("\n");
    const own = lines?.findIndex((line) => /^ +at .*data:text\/javascript,/.test(line)) ?? -1;
    return {
      kind: "error",
      class_name,
      from_deno,
      name: String(error.name),
      message: String(error.message),
      stack: own < 0 ? error.stack : lines!.slice(0, own).join("\n"),
      cause: error.cause === undefined ? null : inner(error.cause),
      errors: Array.isArray(errors) ? errors.map(inner) : null,
      fields,
    };
  }

  function reply(message: Reply): void {
    const envelope: Envelope<Reply> = new Map([["message", message]]);
    port.postMessage(envelope);
  }

  /** Nobody waits for what failed here, and what state it left behind is unknown: the thread ends with it. */
  function die(event: globalThis.Event, error: unknown): void {
    event.preventDefault();
    reply({ kind: "dying", error: describe(error) });
    globalThis.close();
  }

  // Libraries ask for it, and the workers of node: have none.
  Object.assign(globalThis, { self: globalThis });
  globalThis.addEventListener("error", (event) => die(event, event.error));
  globalThis.addEventListener("unhandledrejection", (event) => die(event, event.reason));
  port.on("message", async (envelope: Envelope<Order>) => {
    const { target, args } = envelope.get("message")!;
    try {
      const fn = await find(target);
      reply({ kind: "result", value: await fn(...args) });
    } catch (error) {
      explain(error, target);
      reply({ kind: "error", error: describe(error) });
    }
  });
}

/** The URL of a thread's program. */
export function thread_url(): URL {
  const source = `import { parentPort } from "node:worker_threads";\n(${thread_main})(parentPort);`;
  return new URL(`data:text/javascript,${encodeURIComponent(source)}`);
}

/** What was thrown in a thread: an error of the same class where that is one of the engine, the web or Deno. */
export function revive(record: ErrorRecord): unknown {
  if (record.kind === "value") return record.value;
  const { name, message, stack, cause, errors, fields } = record;
  const error = bare_error(record);
  const set = (key: string, value: unknown) =>
    Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: false });
  if (error.name !== name) set("name", name);
  if (error.message !== message) set("message", message);
  if (stack !== undefined) set("stack", stack);
  if (cause !== null) set("cause", revive(cause));
  if (errors !== null) set("errors", errors.map(revive));
  return Object.assign(error, fields);
}

function bare_error({ class_name, from_deno, name, message }: ErrorRecord & { readonly kind: "error" }): Error {
  if (class_name === "DOMException") return new DOMException(message, name);
  if (class_name === "AggregateError") return new AggregateError([], message);
  const classes = (from_deno ? Deno.errors : globalThis) as unknown as Record<string, ErrorConstructor>;
  return new classes[class_name](message);
}
