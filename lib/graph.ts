/**
 * The call graph of tasks and futures: who awaits whom.
 *
 * @module
 */

import { current_scope } from "./_context.ts";
import { check_number, check_options, RuntimeError, shown } from "./exceptions.ts";
import { Future } from "./futures.ts";
import { user_stack } from "./_observers.ts";
import { Task } from "./tasks.ts";
import { number_of, print_text, text_of_wait, type TextSink, wait_of } from "./tools.ts";
import { add_edge, awaited_of, remove_edge, Waiters } from "./_wait_graph.ts";

/**
 * A call that has not returned.
 */
export interface CallFrame {
  /** The name of the function; empty if it has none. */
  readonly name: string;
  /** The address of its module. */
  readonly filename: string;
  /** The line, from 1. */
  readonly lineno: number;
  /** The column, from 1. */
  readonly colno: number;
  /** Whether it waits in an `await` for the calls above it. */
  readonly is_async: boolean;
}

/**
 * An entry of a call stack.
 */
export interface FrameCallGraphEntry {
  /** The call. */
  readonly frame: CallFrame;
}

/**
 * A task or future, with who awaits it.
 */
export interface FutureCallGraph {
  /** The task or future. */
  readonly future: Future<unknown>;
  /** The calls that the running task is in, the innermost first; empty for every other, whose frames nobody can see. */
  readonly call_stack: readonly FrameCallGraphEntry[];
  /** Who awaits it, and who awaits them. A future that awaits itself by way of others is given once more, without these. */
  readonly awaited_by: readonly FutureCallGraph[];
}

/**
 * Options of `capture_call_graph()` and `format_call_graph()`.
 */
export interface CallGraphOptions {
  /**
   * How many of the innermost calls of the running task to leave out.
   *
   * @default 0
   */
  readonly depth?: number;
  /**
   * How many entries of each call stack to keep: the outermost, or below 0 the innermost. With 0 none.
   *
   * @default null
   */
  readonly limit?: number | null;
}

/**
 * Options of `print_call_graph()`.
 */
export interface PrintCallGraphOptions extends CallGraphOptions {
  /**
   * Where to print.
   *
   * @default the console
   */
  readonly file?: TextSink | null;
}

/**
 * Tells who awaits a task or future, who awaits those, and so on.
 *
 * Differs from asyncio: only the running task has a call stack, since the engine does not show a suspended function's
 * frames. The library's own frames are left out of it, so `depth` counts from the caller.
 *
 * @param future The task or future; left out, the task that runs.
 * @param options What to leave out of the call stacks.
 * @returns The graph; `null` in a callback, which runs in no task.
 * @throws {RuntimeError} If `future` is left out, and the calling code runs on no loop.
 * @throws {TypeError} If `future` is no future, or an option is no number.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(async () => {
 *   const work = asyncio.create_task(() => asyncio.sleep(0.01));
 *   asyncio.create_task(async () => void await work, { name: "boss" });
 *   await asyncio.sleep(0);
 *   await asyncio.sleep(0);
 *   const graph = asyncio.capture_call_graph(work)!;
 *   console.log(graph.awaited_by.map(({ future }) => (future as asyncio.Task<unknown>).get_name())); // [ "boss" ]
 * });
 * ```
 */
export function capture_call_graph(
  future?: Future<unknown> | null,
  options?: CallGraphOptions,
): FutureCallGraph | null {
  check_options(options, ["depth", "limit"]);
  const { depth = 0, limit = null } = options ?? {};
  check_number("depth", depth);
  if (limit !== null) check_number("limit", limit);
  const scope = current_scope();
  const running = scope?.root.task ?? null;
  if (future === undefined || future === null) {
    if (scope === undefined) {
      throw new RuntimeError(
        "capture_call_graph() is called outside of a running event loop and no *future* to introspect was provided",
      );
    }
    if (running === null) return null;
    future = running;
  }
  if (!(future instanceof Future)) throw new TypeError(`"future" must be a Future, got ${shown(future)}`);
  const stack = frames(user_stack()).slice(depth);
  const waiters = new Waiters();
  const build = (each: Future<unknown>, path: readonly Future<unknown>[]): FutureCallGraph => ({
    future: each,
    call_stack: each === running ? shortened(stack, limit) : [],
    awaited_by: path.includes(each) ? [] : waiters.of(each).map((waiter) => build(waiter, [...path, each])),
  });
  return build(future, []);
}

function shortened(stack: readonly FrameCallGraphEntry[], limit: number | null): readonly FrameCallGraphEntry[] {
  if (limit === null) return stack;
  if (limit === 0) return [];
  return limit > 0 ? stack.slice(-limit) : stack.slice(0, -limit);
}

/** A line is `at name (place)` or `at place`; a place ends with line and column. */
const FRAME = /^ *at (async )?(?:(.*) \()?(.*?):(\d+):(\d+)\)?$/;

function frames(stack: string): FrameCallGraphEntry[] {
  return stack.split("\n").flatMap((line) => {
    const match = line.match(FRAME);
    if (match === null) return [];
    const [, is_async, name = "", filename, lineno, colno] = match;
    const frame = { name, filename, lineno: Number(lineno), colno: Number(colno), is_async: is_async !== undefined };
    return [{ frame }];
  });
}

/**
 * Puts the call graph of a task or future into words; see `print_call_graph()`.
 *
 * @param future The task or future; left out, the task that runs.
 * @param options What to leave out of the call stacks.
 * @returns The text, without a line feed at its end; empty in a callback, which runs in no task.
 * @throws {RuntimeError} If `future` is left out, and the calling code runs on no loop.
 * @throws {TypeError} If `future` is no future, or an option is no number.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(() => console.log(asyncio.format_call_graph(null, { limit: 0 }))); // * Task(name="Task-1", id=0x1)
 * ```
 */
export function format_call_graph(future?: Future<unknown> | null, options?: CallGraphOptions): string {
  const graph = capture_call_graph(future, options);
  if (graph === null) return "";
  const lines: string[] = [];
  render(graph, "", lines);
  return lines.join("\n");
}

function render({ future, call_stack, awaited_by }: FutureCallGraph, margin: string, lines: string[]): void {
  const id = `id=0x${number_of(future).toString(16)}`;
  lines.push(
    `${margin}* ${future instanceof Task ? `Task(name=${JSON.stringify(future.get_name())}, ${id})` : `Future(${id})`}`,
  );
  if (call_stack.length > 0) lines.push(`${margin}  + Call stack:`);
  for (const { frame: { name, filename, lineno, is_async } } of call_stack) {
    const called = name === "" ? "<anonymous>" : `${name}()`;
    lines.push(
      `${margin}  |   File ${JSON.stringify(filename)}, line ${lineno}, in ${is_async ? "async " : ""}${called}`,
    );
  }
  const awaited = awaited_of(future);
  if (awaited.length > 0) lines.push(`${margin}  + Waits for:`);
  for (const each of awaited) lines.push(`${margin}  |   ${text_of_wait(wait_of(each))}`);
  if (awaited_by.length > 0) lines.push(`${margin}  + Awaited by:`);
  for (const each of awaited_by) render(each, `${margin}     `, lines);
}

/**
 * Prints who awaits a task or future, who awaits those, and so on; and what each of them waits for.
 *
 * Differs from asyncio: only the running task has a call stack, since the engine does not show a suspended function's
 * frames; instead it is told what a task waits for. Objects have no address here: `id` is a number of the library's own.
 *
 * @param future The task or future; left out, the task that runs.
 * @param options What to leave out of the call stacks, and where to print.
 * @throws {RuntimeError} If `future` is left out, and the calling code runs on no loop.
 * @throws {TypeError} If `future` is no future, or an option has the wrong type.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * async function test() {
 *   await asyncio.sleep(0.01);
 *   asyncio.print_call_graph();
 * }
 *
 * await asyncio.run(() =>
 *   asyncio.async_with(new asyncio.TaskGroup(), (group) => {
 *     group.create_task(test, { name: "test" });
 *   })
 * );
 * ```
 */
export function print_call_graph(future?: Future<unknown> | null, options?: PrintCallGraphOptions): void {
  check_options(options, ["depth", "limit", "file"]);
  const { file, ...rest } = options ?? {};
  const text = format_call_graph(future, rest);
  if (text !== "") print_text(text, file);
}

/**
 * Notes that a future is awaited by another, for code that waits for futures without `await`, by their callbacks: the call
 * graph and `pstree()` then show it.
 *
 * Differs from asyncio: the library itself does not need it, since its own futures know what they wait for.
 *
 * @param future The future that is awaited.
 * @param waiter The task or future that waits for it.
 * @throws {TypeError} If one of them is no future.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const source = new asyncio.Future<number>();
 * const doubled = new asyncio.Future<number>();
 * source.add_done_callback(() => doubled.set_result(2 * source.result()));
 * asyncio.future_add_to_awaited_by(source, doubled);
 * console.log(asyncio.capture_call_graph(source)!.awaited_by[0].future === doubled); // true
 * ```
 */
export function future_add_to_awaited_by(future: Future<unknown>, waiter: Future<unknown>): void {
  check_edge(future, waiter);
  add_edge(future, waiter);
}

/**
 * Takes back `future_add_to_awaited_by()`; nothing happens if it was not called.
 *
 * @param future The future that was awaited.
 * @param waiter The task or future that waited for it.
 * @throws {TypeError} If one of them is no future.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const source = new asyncio.Future<number>();
 * const waiter = new asyncio.Future<number>();
 * asyncio.future_add_to_awaited_by(source, waiter);
 * asyncio.future_discard_from_awaited_by(source, waiter);
 * console.log(asyncio.capture_call_graph(source)!.awaited_by.length); // 0
 * ```
 */
export function future_discard_from_awaited_by(future: Future<unknown>, waiter: Future<unknown>): void {
  check_edge(future, waiter);
  remove_edge(future, waiter);
}

function check_edge(future: unknown, waiter: unknown): void {
  if (!(future instanceof Future)) throw new TypeError(`"future" must be a Future, got ${shown(future)}`);
  if (!(waiter instanceof Future)) throw new TypeError(`"waiter" must be a Future, got ${shown(waiter)}`);
}
