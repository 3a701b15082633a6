import * as asyncio from "../../../mod.ts";
import { attempt, kind, outcome_of, type Print, turns } from "../helpers.ts";

const after = (count: number, result: unknown) => async () => {
  await turns(count);
  if (result instanceof Error) throw result;
  return result;
};
const make_tasks = (...results: unknown[]) => results.map((result, count) => asyncio.create_task(after(count, result)));
const sizes = (sets: readonly Set<unknown>[]) => sets.map((set) => set.size);

export async function all_completed_raises_nothing_and_sorts_them_out(print: Print) {
  const tasks = make_tasks("a", new RangeError("b"), "c");
  const [done, pending] = await asyncio.wait(tasks);
  print(done.size, pending.size, tasks.map((task) => done.has(task)));
  print(tasks[0].result(), tasks[1].exception(), tasks[2].result());
}

export async function first_completed_returns_at_the_first(print: Print) {
  const tasks = make_tasks("a", "b", "c");
  const [done, pending] = await asyncio.wait(tasks, { return_when: asyncio.FIRST_COMPLETED });
  print(done.has(tasks[0]), done.size + pending.size);
  await asyncio.wait(pending);
}

export async function first_exception_passes_over_results_and_cancellations(print: Print) {
  const tasks = make_tasks("a", "b", new RangeError("c"), "d", "e", "f");
  tasks[1].cancel();
  const [done, pending] = await asyncio.wait(tasks, { return_when: asyncio.FIRST_EXCEPTION });
  print(tasks.slice(0, 3).map((task) => done.has(task)), pending.has(tasks[5]));
  await asyncio.wait(pending);
}

export async function first_exception_without_one_waits_for_all(print: Print) {
  print(sizes(await asyncio.wait(make_tasks("a", "b"), { return_when: asyncio.FIRST_EXCEPTION })));
}

export async function its_timeout_cancels_nothing_and_raises_nothing(print: Print) {
  const tasks = [...make_tasks("a"), asyncio.create_task(() => asyncio.sleep<unknown>(0.06, "slow"))];
  print(sizes(await asyncio.wait(tasks, { timeout: 0.02 })));
  print(tasks[1].cancelled(), await tasks[1]);
  print(sizes(await asyncio.wait(tasks, { timeout: 0 })));
}

export async function to_cancel_the_wait_cancels_none_of_the_futures(print: Print) {
  const tasks = [asyncio.create_task(after(6, "a"))];
  const waiter = asyncio.create_task(() => asyncio.wait(tasks));
  await turns(2);
  waiter.cancel("only the wait");
  print(await outcome_of(waiter));
  print(tasks[0].done(), await tasks[0]);
}

export async function those_that_are_done_before_are_returned_without_waiting_for_the_loop(print: Print) {
  const future = new asyncio.Future<number>();
  future.set_result(1);
  asyncio.get_running_loop().call_soon(print, "soon");
  print(sizes(await asyncio.wait([future, future])));
  print("awaited");
  await asyncio.sleep(0);
}

export async function what_ends_together_is_returned_together(print: Print) {
  const futures = [0, 1, 2].map(() => new asyncio.Future<number>());
  asyncio.get_running_loop().call_soon(() => {
    futures[0].set_result(1);
    futures[2].set_exception(new RangeError("no"));
  });
  const [done] = await asyncio.wait(futures, { return_when: asyncio.FIRST_COMPLETED });
  print(futures.map((future) => done.has(future)), futures[2].exception());
}

export function it_refuses_nothing_coroutines_and_unknown_conditions(print: Print) {
  const future = new asyncio.Future<void>();
  print(attempt(() => asyncio.wait([])));
  print(attempt(() => asyncio.wait([(() => {}) as never])));
  print(kind(attempt(() => asyncio.wait([future], { return_when: "SOME" as never }))));
  print(kind(attempt(() => asyncio.wait(future as never))));
}
