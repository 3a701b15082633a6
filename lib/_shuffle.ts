/**
 * Another order for tasks that are ready at the same time.
 *
 * asyncio promises that callbacks run in the order in which they were scheduled, that locks and queues serve first who came
 * first, and that the steps of one task follow each other; which of several tasks goes on first is chance. So only tasks
 * change places: each other step stays where it is, and the steps of one task keep their order. Those that are handed
 * something keep theirs among each other, since what they get is taken as they go on.
 *
 * @module
 */

import { Future } from "./futures.ts";
import { Place } from "./_line.ts";
import { Random } from "./_random.ts";
import { type Scope, type Step, Wait } from "./_scopes.ts";
import { Task } from "./tasks.ts";

/** Stands for all tasks that are handed something. */
const SERVED = Symbol("served");

type Group = Scope | typeof SERVED;

/** Makes the function that a scheduler puts the steps of an iteration into order with. */
export function shuffler(seed: number): (steps: Step[], from: number, to: number) => void {
  const random = new Random(seed);
  return (steps, from, to) => {
    const batch = steps.slice(from, to);
    const served = new Set(batch.filter(is_served).map(task_of));
    const places: number[] = [];
    const order: Group[] = [];
    const by_group = new Map<Group, Step[]>();
    batch.forEach((step, index) => {
      const task = task_of(step);
      if (task === null && !is_served(step)) return;
      const group = task === null || served.has(task) ? SERVED : task;
      places.push(from + index);
      order.push(group);
      const own = by_group.get(group);
      if (own === undefined) by_group.set(group, [step]);
      else own.push(step);
    });
    if (by_group.size < 2) return;
    random.shuffle(order);
    for (const own of by_group.values()) own.reverse();
    places.forEach((place, index) => steps[place] = by_group.get(order[index])!.pop()!);
  };
}

function is_served(step: Step): boolean {
  return (step._inner ?? step) instanceof Place;
}

/** The task that a step is one of; `null` for those of the loop and the library. */
function task_of(pushed: Step): Scope | null {
  const step = pushed._inner ?? pushed;
  if (step instanceof Task) return step._scope;
  const root = step instanceof Wait
    ? step.scope?.root ?? null
    : step instanceof Future
    ? (step as Future<unknown>)._first_waiter
    : null;
  return root === null || root.task === null ? null : root;
}
