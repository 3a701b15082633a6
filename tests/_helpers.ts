import process from "node:process";
import { assert } from "@std/assert";
import * as asyncio from "../mod.ts";
import type { ExceptionContext } from "../lib/events.ts";

/**
 * Runs `main` on a loop whose clock jumps to the next timer: hours of sleeping take no time. Little is waited for promises of
 * which nobody knows what they wait for.
 */
export function run_virtual<T>(main: asyncio.CoroutineLike<T>, options?: { readonly debug?: boolean }): Promise<T> {
  return asyncio.run(main, {
    ...options,
    loop_factory: () => asyncio.new_event_loop({ clock: new asyncio.VirtualClock({ patience: 0.02 }) }),
  });
}

/** A transcript: `log()` notes words, `text()` gives them in the order in which they came. */
export class Transcript {
  readonly #words: string[] = [];

  readonly log = (word: unknown): void => {
    this.#words.push(String(word));
  };

  readonly text = (): string => this.#words.join(" ");

  /** Notes the number of each of the loop's next iterations. */
  ticks(count: number): void {
    const loop = asyncio.get_running_loop();
    const tick = (number: number) => {
      this.log(number);
      if (number < count) loop.call_soon(tick, number + 1);
    };
    loop.call_soon(tick, 1);
  }
}

/** Has what the running loop's exception handler is told collected in a list. */
export function collect_reports(loop: asyncio.EventLoop = asyncio.get_running_loop()): ExceptionContext[] {
  const reports: ExceptionContext[] = [];
  loop.set_exception_handler((_loop, context) => void reports.push(context));
  return reports;
}

/** What a promise or future fails with; fails itself if that has a result. */
// deno-lint-ignore no-explicit-any
export async function error_of(awaitable: PromiseLike<unknown>): Promise<any> {
  let result: unknown;
  try {
    result = await awaitable;
  } catch (error) {
    return error;
  }
  throw new Error(`Expected an error, got a result: ${Deno.inspect(result)}`);
}

/** How often a run is measured, since a collection of garbage may fall into one. */
const TRIES = 4;

/** Fails if eight times the size costs much more than eight times the processor's time. */
export async function assert_linear(run: (size: number) => Promise<void>, size: number): Promise<void> {
  let small = Infinity;
  for (let i = 0; i < TRIES; i++) small = Math.min(small, await cost_of(() => run(size / 8)));
  // Quadratic cost would be 64 times as much.
  const bound = 30 * Math.max(small, 0.5);
  let large = Infinity;
  for (let i = 0; i < TRIES && large >= bound; i++) large = Math.min(large, await cost_of(() => run(size)));
  assert(large < bound, `${size / 8} took ${small} ms of the processor, ${size} took ${large} ms`);
}

/** Milliseconds of the processor that a piece of work takes: what other processes do meanwhile does not count. */
async function cost_of(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** A program that runs in a process of its own. `asyncio` is in scope in its text. */
export function spawn_program(text: string): Deno.ChildProcess {
  const library = new URL("../mod.ts", import.meta.url).href;
  return new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      "--ext=ts",
      "--no-config",
      "--no-lock",
      "--cached-only",
      "--v8-flags=--expose-gc",
      `import * as asyncio from ${JSON.stringify(library)};\n${text}`,
    ],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Runs a program to its end. */
export async function run_program(text: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await spawn_program(text).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
