/**
 * Who waits for whom. Everything is looked up when it is asked for: a program that nobody looks at pays nothing for it.
 *
 * @module
 */

import type { EventLoop } from "./deno_events.ts";
import { Future } from "./futures.ts";
import { Lock } from "./locks.ts";
import { holder_of } from "./_observers.ts";
import { Signpost } from "./_purpose.ts";
import { Task } from "./tasks.ts";

/** What the program itself has said, by `future_add_to_awaited_by()`. */
const told_waiters = new WeakMap<Future<unknown>, Set<Future<unknown>>>();
const told_futures = new WeakMap<Future<unknown>, Set<Future<unknown>>>();

/** Notes an edge from a future to one that waits for it. */
export function add_edge(future: Future<unknown>, waiter: Future<unknown>): void {
  put(told_waiters, future, waiter);
  put(told_futures, waiter, future);
}

/** Takes back `add_edge()`. */
export function remove_edge(future: Future<unknown>, waiter: Future<unknown>): void {
  told_waiters.get(future)?.delete(waiter);
  told_futures.get(waiter)?.delete(future);
}

function put(
  edges: WeakMap<Future<unknown>, Set<Future<unknown>>>,
  from: Future<unknown>,
  to: Future<unknown>,
): void {
  const all = edges.get(from);
  if (all === undefined) edges.set(from, new Set([to]));
  else all.add(to);
}

/** The futures that a task or a future waits for itself, in the order of its waits. */
export function awaited_of(future: Future<unknown>): Future<unknown>[] {
  const direct = future instanceof Task
    ? future._scope.all_waited().filter((each) => each instanceof Future)
    : future._purpose?.futures ?? [];
  const all = new Set([...direct, ...told_futures.get(future) ?? []]);
  return [...all].filter((each) => !each.done());
}

/** The tasks that have to go on before a future can end: those it waits for, and the one that has the lock. */
export function blockers_of(future: Future<unknown>): Task<unknown>[] {
  const found = new Set<Task<unknown>>();
  const seen = new Set<Future<unknown>>();
  const visit = (each: Future<unknown>) => {
    if (seen.has(each)) return;
    seen.add(each);
    const of = each._purpose?.of;
    const holder = of instanceof Lock ? holder_of(of) : null;
    if (holder !== null && !holder.done()) found.add(holder);
    for (const awaited of awaited_of(each)) {
      if (awaited instanceof Task) found.add(awaited);
      else visit(awaited);
    }
  };
  visit(future);
  return [...found];
}

/** Who awaits futures: tasks, and futures such as `gather()` gives. It is looked up once for all of a picture. */
export class Waiters {
  readonly #by_loop = new Map<EventLoop, Map<Future<unknown>, Set<Future<unknown>>>>();

  of(future: Future<unknown>): Future<unknown>[] {
    const found = new Set<Future<unknown>>(told_waiters.get(future));
    const loops = new Set<EventLoop>([future.get_loop()]);
    for (const { loop, root } of future._waiting_scopes) {
      loops.add(loop);
      if (root.task !== null) found.add(root.task);
    }
    for (const loop of loops) {
      for (const waiter of this.#waiters_on(loop).get(future) ?? []) found.add(waiter);
    }
    found.delete(future);
    return [...found];
  }

  // A future that ends with others, as that of gather() does, knows them; they do not know it. One that a call of the library
  // keeps to itself is passed over.
  #waiters_on(loop: EventLoop): Map<Future<unknown>, Set<Future<unknown>>> {
    const known = this.#by_loop.get(loop);
    if (known !== undefined) return known;
    const waiters = new Map<Future<unknown>, Set<Future<unknown>>>();
    const walk = (from: Future<unknown>, shown: Future<unknown>, seen: Set<Future<unknown>>) => {
      if (seen.has(from)) return;
      seen.add(from);
      for (const each of awaited_of(from)) {
        const all = waiters.get(each);
        if (all === undefined) waiters.set(each, new Set([shown]));
        else all.add(shown);
        if (!(each instanceof Task)) walk(each, each instanceof Signpost ? shown : each, seen);
      }
    };
    for (const task of loop._tasks) walk(task, task, new Set());
    this.#by_loop.set(loop, waiters);
    return waiters;
  }
}

/** The cycles among tasks, each beginning with the task that comes first. */
export function cycles_among(tasks: readonly Task<unknown>[]): Task<unknown>[][] {
  const cycles: Task<unknown>[][] = [];
  const finished = new Set<Task<unknown>>();
  const path: Task<unknown>[] = [];
  const visit = (task: Task<unknown>) => {
    const at = path.indexOf(task);
    if (at >= 0) cycles.push(path.slice(at));
    if (at >= 0 || finished.has(task)) return;
    path.push(task);
    for (const blocker of blockers_of(task)) visit(blocker);
    path.pop();
    finished.add(task);
  };
  for (const task of tasks) visit(task);
  return cycles;
}
