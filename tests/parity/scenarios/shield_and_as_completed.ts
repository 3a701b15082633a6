import * as asyncio from "../../../mod.ts";
import { cancelled_with, kind, outcome_of, type Print, turns } from "../helpers.ts";

const after = <T>(delay: number, result: T) => async () => {
  await asyncio.sleep(delay);
  if (result instanceof Error) throw result;
  return result;
};

export async function shield_passes_results_and_errors_on(print: Print) {
  print(await asyncio.shield(after(0, "result")));
  print(await outcome_of(asyncio.shield(after(0, new RangeError("error")))));
}

export async function to_cancel_a_shield_leaves_the_work_going(print: Print) {
  const task = asyncio.create_task(after(0.02, "result"));
  const outer = asyncio.shield(task);
  print(outer.cancel("outer"), task.cancelled());
  print(await outcome_of(outer));
  print(await task);
}

export async function to_cancel_who_awaits_a_shield_leaves_the_work_going(print: Print) {
  const task = asyncio.create_task(after(0.02, "result"));
  const waiter = asyncio.create_task(async () => void await asyncio.shield(task));
  await asyncio.sleep(0);
  waiter.cancel("waiter");
  print(await outcome_of(waiter));
  print(task.cancelling(), await task);
}

export async function shielded_work_that_is_cancelled_cancels_the_shield(print: Print) {
  const task = asyncio.create_task(after(10, "result"));
  const outer = asyncio.shield(task);
  await asyncio.sleep(0);
  task.cancel("inner");
  print(kind(await outcome_of(outer)), outer.cancelled());
}

export function what_is_done_needs_no_shield(print: Print) {
  const future = new asyncio.Future<number>();
  future.set_result(1);
  print(asyncio.shield(future) === future);
}

export async function one_shield_in_front_of_a_gather_protects_all_of_it(print: Print) {
  const gathered = asyncio.gather(after(0.01, "a"), after(0.02, "b"));
  const outer = asyncio.shield(gathered);
  await asyncio.sleep(0);
  outer.cancel();
  print(kind(await outcome_of(outer)), await gathered);
}

export async function a_gather_of_shields_is_cancelled_without_them(print: Print) {
  const tasks = [..."ab"].map((name) => asyncio.create_task(after(0.01, name)));
  const gathered = asyncio.gather(...tasks.map((task) => asyncio.shield(task)));
  await asyncio.sleep(0);
  gathered.cancel();
  print(kind(await outcome_of(gathered)), await Promise.all(tasks));
}

export async function as_completed_gives_the_tasks_themselves_in_the_order_of_their_end(print: Print) {
  const tasks = [0.06, 0.02, 0.04].map((delay) => asyncio.create_task(after(delay, delay)));
  for await (const task of asyncio.as_completed(tasks)) print(tasks.indexOf(task as never), task.result());
}

export async function a_plain_loop_over_as_completed_gives_futures_of_the_next_results(print: Print) {
  for (const next of asyncio.as_completed([after(0.04, "b"), after(0.02, "a")])) print(await next);
}

export async function as_completed_gives_errors_in_their_turn(print: Print) {
  const tasks: asyncio.Task<unknown>[] = [
    asyncio.create_task(after(0.02, new RangeError("failed"))),
    asyncio.create_task(after(0.04, "good")),
  ];
  for await (const task of asyncio.as_completed(tasks)) print(task.exception());
  for (const next of asyncio.as_completed(tasks)) print(await outcome_of(next));
}

export async function as_completed_gives_up_when_the_time_is_over_and_cancels_nothing(print: Print) {
  const tasks = [0.02, 0.1].map((delay) => asyncio.create_task(after(delay, delay)));
  try {
    for await (const task of asyncio.as_completed(tasks, { timeout: 0.05 })) print(task.result());
  } catch (error) {
    print(kind(error));
  }
  print(tasks[1].done(), await tasks[1]);
}

export async function every_further_result_of_as_completed_is_then_a_timeout(print: Print) {
  const results = asyncio.as_completed([after(0.04, "a"), after(0.04, "b")], { timeout: 0.01 });
  for (const next of results) print(kind(await outcome_of(next)));
}

export async function as_completed_without_awaitables_gives_nothing(print: Print) {
  for await (const _task of asyncio.as_completed([])) print("never");
  print([...asyncio.as_completed([], { timeout: 1 })].length);
}

export async function as_completed_gives_what_came_twice_once(print: Print) {
  const task = asyncio.create_task(after(0, "once"));
  for await (const each of asyncio.as_completed([task, task])) print((each as unknown) === task);
}

export async function a_loop_over_as_completed_that_is_left_leaves_the_rest_running(print: Print) {
  const tasks = [0.01, 0.03].map((delay) => asyncio.create_task(after(delay, delay)));
  const iterator = asyncio.as_completed(tasks);
  for await (const task of iterator) {
    print(task.result());
    break;
  }
  print(tasks[1].done());
  for await (const task of iterator) print(task.result());
}

export async function futures_of_as_completed_can_be_awaited_at_the_same_time(print: Print) {
  const futures = [...asyncio.as_completed([after(0.04, "b"), after(0.02, "a")])];
  print(await asyncio.gather(...futures));
}

export async function what_as_completed_waits_for_may_be_cancelled(print: Print) {
  const tasks = [..."ab"].map((name) => asyncio.create_task(() => cancelled_with(asyncio.sleep(10), print, name)));
  await turns(1);
  tasks[1].cancel();
  for await (const task of asyncio.as_completed(tasks)) {
    print(tasks.indexOf(task as never), task.cancelled());
    tasks[0].cancel();
  }
}
