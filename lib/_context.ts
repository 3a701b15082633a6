/**
 * Where the running code is: its scope and its loop. All of the library's module-level mutable state lives here.
 *
 * The scope travels with the code through every `await`; see `_deno_context.ts`. The engine calls the `then()` of an
 * awaited thenable in the awaiting code's own context, so a future can tell who waits for it.
 *
 * @module
 */

import { type Captured, type ContextVariable, find_contexts } from "./_deno_context.ts";
import type { EventLoop } from "./deno_events.ts";
import type { Observer } from "./_observers.ts";
import type { Scope } from "./_scopes.ts";
import type { SignalPlaces } from "./_line.ts";

const contexts = find_contexts();
const scopes: ContextVariable<Scope> = contexts.variable();
const origins: ContextVariable<string> = contexts.variable();
let loop_factory: (() => EventLoop) | null = null;
let default_loop: EventLoop | null = null;
let last_task_number = 0;
let last_object_number = 0;
let observer: Observer | null = null;

/** Who in the library listens to which abort signal. */
export const signal_places: WeakMap<AbortSignal, SignalPlaces> = new WeakMap();

/** The outboxes of loops with bytes that are to leave later, unless the program exits before. */
export const unsent: Set<{ _flush_all(): void }> = new Set();
globalThis.addEventListener("unload", () => {
  for (const each of unsent) each._flush_all();
});

/** The scope of the running code, or `undefined` outside of every task and loop callback. */
export function current_scope(): Scope | undefined {
  return scopes.get();
}

/** Calls `fn` with `arg` so that it, and all that it awaits, runs in `scope`. */
export function run_in_scope<R, A = undefined>(scope: Scope, fn: (arg: A) => R, arg?: A): R {
  return scopes.run(scope, fn, arg);
}

/** The asynchronous context of the code that calls this, its scope included. */
export function capture_context(): Captured {
  return contexts.capture();
}

/** Calls `fn` with `arg` in a context that was captured. */
export function run_in_context<R, A = undefined>(context: Captured, fn: (arg: A) => R, arg?: A): R {
  return contexts.run_in(context, fn, arg);
}

/** The loop of the running code; outside of every task that is the default loop, which Deno's own loop drives. */
export function current_loop(): EventLoop {
  return scopes.get()?.loop ?? get_default_loop();
}

/** The loop of code that runs outside of every task; made on first use, and anew once the last one was closed. */
export function get_default_loop(): EventLoop {
  if (default_loop === null || default_loop.is_closed()) set_default_loop(loop_factory!());
  return default_loop!;
}

/** Replaces the default loop; `null` has the next use make a new one. */
export function set_default_loop(loop: EventLoop | null): void {
  default_loop = loop;
  loop?._drive();
}

/** Tells this room how a default loop is made; the loop's own room is above this one and says it on import. */
export function set_loop_factory(factory: () => EventLoop): void {
  loop_factory = factory;
}

/** The number that names a task that was given no name. */
export function next_task_number(): number {
  return ++last_task_number;
}

/** Calls `fn` so that what it makes later on counts as made by those calls; see `current_origin()`. */
export function run_with_origin<R>(origin: string, fn: () => R): R {
  return origins.run(origin, fn);
}

/** The calls that the running code of the library works for. */
export function current_origin(): string | undefined {
  return origins.get();
}

/** The number that tells a thing without a name from others in a picture. */
export function next_object_number(): number {
  return ++last_object_number;
}

/** Who is told of tasks, connections and locks; `null` if nobody wants to know, as is the rule. */
export function current_observer(): Observer | null {
  return observer;
}

/** See `current_observer()`. */
export function set_observer(next: Observer | null): void {
  observer = next;
}
