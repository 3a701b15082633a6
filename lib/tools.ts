/**
 * Pictures of what the tasks of a program wait for, as `python -m asyncio ps` and `pstree` give of a Python program.
 *
 * @module
 */

import { current_loop, current_scope, next_object_number } from "./_context.ts";
import { described } from "./_debug.ts";
import type { EventLoop } from "./deno_events.ts";
import { check_loop, check_options, shown } from "./exceptions.ts";
import type { Future } from "./futures.ts";
import { Lock } from "./locks.ts";
import { creation_of, holder_of, rest_of } from "./_observers.ts";
import { Task } from "./tasks.ts";
import type { SocketAddress } from "./trsock.ts";
import { awaited_of, blockers_of, cycles_among, Waiters } from "./_wait_graph.ts";

/**
 * Where a picture is printed to: a `StreamWriter`, or anything else that has its `write()`.
 */
export interface TextSink {
  /**
   * Takes a text.
   *
   * @param text The text; it ends with a line feed.
   */
  write(text: string): unknown;
}

/**
 * Options of `ps()` and `pstree()`.
 */
export interface PrintTasksOptions {
  /**
   * Whose tasks.
   *
   * @default the loop of the calling code
   */
  readonly loop?: EventLoop | null;
  /**
   * Where to print.
   *
   * @default the console
   */
  readonly file?: TextSink | null;
}

/**
 * One wait of a task.
 */
export interface WaitRecord {
  /** What is awaited. */
  readonly future: Future<unknown>;
  /** The call that gave it, such as `"acquire"`; `null` for a future of the program's own. */
  readonly call: string | null;
  /** What the call was made on: the lock, the queue, the transport, the process; `null` if that is nothing. */
  readonly resource: unknown;
  /** The address of the peer, where the wait is for a connection. */
  readonly peername: SocketAddress | null;
  /** Seconds that a timer still has. */
  readonly remaining: number | null;
  /** The task that has the lock; known in debug mode only. */
  readonly holder: Task<unknown> | null;
  /** The tasks whose end it waits for, the holder of the lock among them. */
  readonly tasks: readonly Task<unknown>[];
}

/**
 * What a task is doing.
 *
 * - `"created"`: it has not started.
 * - `"running"`: it is what asks.
 * - `"waiting"`: it waits for what is in `waits`.
 * - `"foreign"`: it waits for a promise that is not the library's, of which nothing is known.
 */
export type TaskState = "created" | "running" | "waiting" | "foreign";

/**
 * A task, and what it waits for.
 */
export interface TaskRecord {
  /** The task. */
  readonly task: Task<unknown>;
  /** Its name. */
  readonly name: string;
  /** What it is doing. */
  readonly state: TaskState;
  /** What it waits for; several things if branches of it wait side by side. */
  readonly waits: readonly WaitRecord[];
  /** Seconds since it has been waiting; known in debug mode only. */
  readonly waited: number | null;
  /** Who waits for it. */
  readonly awaited_by: readonly Future<unknown>[];
  /** The tasks of the first cycle that it is part of, itself first: none of them can go on before the next one does. */
  readonly cycle: readonly Task<unknown>[] | null;
  /** The calls that made it; known in debug mode only. */
  readonly source_traceback: string | null;
}

/**
 * Tells what each task of a loop waits for, and who waits for it.
 *
 * @param loop The loop; that of the calling code if left out.
 * @returns A record for each task that is not done, in the order in which they were made.
 * @throws {TypeError} If `loop` is no loop.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(async () => {
 *   const queue = new asyncio.Queue<string>();
 *   const consumer = asyncio.create_task(() => queue.get(), { name: "consumer" });
 *   await asyncio.sleep(0);
 *   const record = asyncio.capture_tasks().find(({ task }) => task === consumer)!;
 *   console.log(record.state, record.waits[0].call, record.waits[0].resource === queue); // waiting get true
 *   consumer.cancel();
 * });
 * ```
 */
export function capture_tasks(loop?: EventLoop | null): TaskRecord[] {
  check_loop(loop ?? undefined);
  const tasks = [...(loop ?? current_loop())._tasks];
  const cycle_of = new Map<Task<unknown>, readonly Task<unknown>[]>();
  for (const cycle of cycles_among(tasks)) {
    cycle.forEach((task, at) => {
      if (!cycle_of.has(task)) cycle_of.set(task, [...cycle.slice(at), ...cycle.slice(0, at)]);
    });
  }
  const waiters = new Waiters();
  return tasks.map((task) => {
    const waits = awaited_of(task).map(wait_of);
    const state = state_of(task, waits.length > 0);
    const since = state === "waiting" ? rest_of(task._scope) : undefined;
    return {
      task,
      name: task.get_name(),
      state,
      waits,
      waited: since === undefined ? null : task.get_loop().time() - since,
      awaited_by: waiters.of(task),
      cycle: cycle_of.get(task) ?? null,
      source_traceback: creation_of(task) ?? null,
    };
  });
}

function state_of(task: Task<unknown>, waits: boolean): TaskState {
  if (current_scope()?.root.task === task) return "running";
  if (waits) return "waiting";
  return task._started ? "foreign" : "created";
}

/** What a wait is for. */
export function wait_of(future: Future<unknown>): WaitRecord {
  const purpose = future._purpose;
  const resource = purpose?.of ?? null;
  const until = purpose?.until;
  return {
    future,
    call: purpose?.call ?? null,
    resource,
    peername: peername_of(resource),
    remaining: until === undefined ? null : Math.max(0, until - future.get_loop().time()),
    holder: resource instanceof Lock ? holder_of(resource) : null,
    tasks: future instanceof Task ? [future] : blockers_of(future),
  };
}

function peername_of(resource: unknown): SocketAddress | null {
  const { get_extra_info } = (resource ?? {}) as { get_extra_info?: (name: string) => unknown };
  return typeof get_extra_info === "function"
    ? get_extra_info.call(resource, "peername") as SocketAddress | null
    : null;
}

const numbers = new WeakMap<object, number>();

/** Tells futures, locks and their like apart, which have no names. */
export function number_of(thing: object): number {
  let number = numbers.get(thing);
  if (number === undefined) numbers.set(thing, number = next_object_number());
  return number;
}

function seconds(value: number): string {
  return `${value.toFixed(3)} s`;
}

function quoted(task: Task<unknown>): string {
  return JSON.stringify(task.get_name());
}

/** A wait in words. */
export function text_of_wait({ future, call, resource, remaining, holder, tasks }: WaitRecord): string {
  if (future instanceof Task) return `Task ${quoted(future)}`;
  if (call === null) return described(future);
  const parts = [`${call}${/\W/.test(call) ? "" : "()"}`];
  if (typeof resource === "object" && resource !== null) {
    parts.push(` of #${number_of(resource)} ${described(resource)}`);
  }
  if (remaining !== null) parts.push(`, ${seconds(remaining)} left`);
  if (holder !== null) parts.push(`, held by Task ${quoted(holder)}`);
  else if (tasks.length > 0) parts.push(` of ${tasks.length} task${tasks.length === 1 ? "" : "s"}`);
  return parts.join("");
}

function text_of_task({ name, state, waits, waited }: TaskRecord): string {
  const head = `Task ${JSON.stringify(name)}`;
  if (state === "created") return `${head} has not started`;
  if (state === "running") return `${head} runs`;
  if (state === "foreign") return `${head} waits for a promise that is not of this library`;
  return `${head} waits ${waited === null ? "" : `${seconds(waited)} `}for ${
    waits.map(text_of_wait).join("; and for ")
  }`;
}

/** The picture that `pstree()` prints. */
export function tree_of(records: readonly TaskRecord[]): string {
  const record_of = new Map(records.map((record) => [record.task, record]));
  const below = new Map(records.map(({ task, waits }) => [task, [...new Set(waits.flatMap(({ tasks }) => tasks))]]));
  const waited_for = new Set([...below.values()].flat());
  const drawn = new Set<Task<unknown>>();
  const lines: string[] = [];
  const draw = (task: Task<unknown>, head: string, tail: string, path: readonly Task<unknown>[]): void => {
    const record = record_of.get(task);
    if (path.includes(task)) return void lines.push(`${head}Task ${quoted(task)}: a cycle`);
    if (record === undefined) return void lines.push(`${head}${described(task)} on another loop`);
    if (drawn.has(task)) return void lines.push(`${head}Task ${quoted(task)}, see above`);
    drawn.add(task);
    lines.push(head + text_of_task(record));
    const children = below.get(task)!;
    children.forEach((child, index) => {
      const is_last = index === children.length - 1;
      draw(child, `${tail}${is_last ? "└── " : "├── "}`, `${tail}${is_last ? "    " : "│   "}`, [...path, task]);
    });
  };
  for (const { task } of records) if (!waited_for.has(task)) draw(task, "", "", []);
  // What is left is in cycles that nobody else waits for.
  for (const { task } of records) if (!drawn.has(task)) draw(task, "", "", []);
  const cycles = new Set(records.flatMap(({ cycle }) => cycle === null ? [] : [text_of_cycle(cycle)]));
  for (const cycle of cycles) lines.push(`Cycle: ${cycle}`);
  return lines.join("\n");
}

/** The same for each task of the cycle: it begins with the one whose name comes first. */
function text_of_cycle(cycle: readonly Task<unknown>[]): string {
  const names = cycle.map(quoted);
  const first = names.indexOf(names.toSorted()[0]);
  return [...names.slice(first), ...names.slice(0, first), names[first]].join(" → ");
}

/** The picture that `ps()` prints. */
export function table_of(records: readonly TaskRecord[]): string {
  const rows = records.map((record) => [
    record.name,
    record.cycle === null ? record.state : `${record.state}, in a cycle`,
    record.waited === null ? "" : seconds(record.waited),
    record.waits.map(text_of_wait).join("; "),
    record.awaited_by.map((each) => each instanceof Task ? each.get_name() : described(each)).join(", "),
  ]);
  const all = [["task", "state", "for", "waits for", "awaited by"], ...rows.map((row) => row.map(on_one_line))];
  const widths = all[0].map((_, column) => Math.max(...all.map((row) => row[column].length)));
  return all.map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd()).join("\n");
}

/** Names may be anything: a line feed in one would begin a row. */
function on_one_line(cell: string): string {
  // deno-lint-ignore no-control-regex
  return cell.replace(/[\x00-\x1f]/g, (each) => JSON.stringify(each).slice(1, -1));
}

/** Prints a text of several lines. */
export function print_text(text: string, file: TextSink | null | undefined): void {
  if (file === undefined || file === null) return console.log(text);
  if (typeof file.write !== "function") throw new TypeError(`"file" must have write(), got ${shown(file)}`);
  file.write(`${text}\n`);
}

/**
 * Prints a table of the tasks of a loop: what each does, what it waits for, and who waits for it.
 *
 * For how long a task has waited, and who has a lock, is known in debug mode only.
 *
 * Differs from asyncio: there it is a command for another process, `python -m asyncio ps`.
 *
 * @param options Whose tasks, and where to print.
 * @throws {TypeError} If an option has the wrong type.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(async () => {
 *   asyncio.create_task(() => asyncio.sleep(0.01), { name: "sleeper" });
 *   await asyncio.sleep(0);
 *   asyncio.ps();
 * });
 * ```
 */
export function ps(options?: PrintTasksOptions): void {
  check_options(options, ["loop", "file"]);
  print_text(table_of(capture_tasks(options?.loop)), options?.file);
}

/**
 * Prints the tasks of a loop as a tree: below each task those that it waits for, by their end or by the lock that they
 * have. Cycles are marked; no task of one can go on by itself.
 *
 * For how long a task has waited, and who has a lock, is known in debug mode only. `run(main, { dump_on: "SIGQUIT" })`
 * prints it on a signal.
 *
 * Differs from asyncio: there it is a command for another process, `python -m asyncio pstree`, which does not tell of locks
 * and connections.
 *
 * @param options Whose tasks, and where to print.
 * @throws {TypeError} If an option has the wrong type.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(async () => {
 *   const work = asyncio.create_task(() => asyncio.sleep(0.01), { name: "work" });
 *   asyncio.create_task(async () => void await work, { name: "boss" });
 *   await asyncio.sleep(0);
 *   await asyncio.sleep(0);
 *   asyncio.pstree();
 *   // Task "Task-1" runs
 *   // Task "boss" waits for Task "work"
 *   // └── Task "work" waits for sleep(), 0.010 s left
 * });
 * ```
 */
export function pstree(options?: PrintTasksOptions): void {
  check_options(options, ["loop", "file"]);
  print_text(tree_of(capture_tasks(options?.loop)), options?.file);
}
