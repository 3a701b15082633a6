/**
 * Finding what a test left behind.
 *
 * @module
 */

import { current_loop } from "./_context.ts";
import { INSPECT } from "./constants.ts";
import type { EventLoop } from "./deno_events.ts";
import { check_callable } from "./exceptions.ts";
import { Call, type Future } from "./futures.ts";
import { creation_of, note_creation, note_creation_lightly, Observer } from "./_observers.ts";

/** How often, a millisecond apart, a thing that is about to go is looked at again. */
const LOOKS = 50;

/** Notes where what is added is made, until the function that it gives is called. */
function note_origins<T extends object>(
  things: { add(thing: T): unknown },
  note: (thing: object) => void,
): () => void {
  const { add } = things;
  const is_shadowed = Object.hasOwn(things, "add");
  // Only for as long as it is asked for: to look at the stack costs more than to make what is made.
  things.add = (thing) => {
    note(thing);
    return add.call(things, thing);
  };
  return () => {
    if (is_shadowed) things.add = add;
    else delete (things as Partial<typeof things>).add;
  };
}

/**
 * Runs a function, and fails if it leaves something behind on the loop of the calling code: tasks that are not done,
 * timers, signal handlers, connections, servers, processes that are not closed. Things that are about to end have some
 * turns for it.
 *
 * @param fn The function; it may be async.
 * @returns A future of its result. If it throws, that is what the future fails with.
 * @throws {TypeError} If `fn` is not a function.
 * @throws {Error} If something is left; the text names each thing, and where it was made.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(async () => {
 *   try {
 *     await asyncio.testing.assert_no_leaks(() => {
 *       asyncio.create_task(() => asyncio.sleep(3600), { name: "forgotten" });
 *     });
 *   } catch (error) {
 *     console.log((error as Error).message.includes('<Task "forgotten" pending')); // true
 *   }
 * });
 * ```
 */
export function assert_no_leaks<T>(fn: () => T | PromiseLike<T>): Future<T> {
  check_callable("fn", fn);
  const loop = current_loop();
  return new Call(async () => {
    const before = new Set<object>(things(loop));
    const stop_notes = [
      note_origins(loop._tasks, note_creation_lightly),
      note_origins(loop._resources, note_creation),
      note_origins(loop._signals, note_creation),
    ];
    const { _on_timer } = loop;
    loop._on_timer = note_creation_lightly;
    // What is made after a wait is made where its call was.
    const observer = Observer.get();
    observer.count_debugged(1);
    const left = () => things(loop).filter((each) => !before.has(each));
    try {
      const result = await fn();
      for (let i = 0; i < LOOKS && left().length > 0; i++) {
        await loop._idle_for(0);
        if (left().length > 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      const leaks = left();
      if (leaks.length === 0) return result;
      const lines = leaks.map((each) => `${shown_thing(each)}, made ${origin_of(each)}`);
      throw new Error(
        `${leaks.length === 1 ? "1 thing was" : `${leaks.length} things were`} left behind:\n  ${lines.join("\n  ")}`,
      );
    } finally {
      for (const stop of stop_notes) stop();
      loop._on_timer = _on_timer;
      observer.count_debugged(-1);
    }
  });
}

/** The innermost call of the program in which something was made. */
function origin_of(thing: object): string {
  return creation_of(thing)?.split("\n")[0].trim() ?? "at an unknown place";
}

function things(loop: EventLoop): object[] {
  return [...loop._tasks, ...loop._resources, ...loop._signals.all, ...loop._pending_timers];
}

function shown_thing(thing: object): string {
  const inspect = (thing as Record<symbol, unknown>)[INSPECT];
  return typeof inspect === "function" ? inspect.call(thing) : `<${thing.constructor.name}>`;
}
