import * as asyncio from "../../../mod.ts";
import { cancelled_with, kind, outcome_of, type Print, ticks, turns } from "../helpers.ts";

/** Awaits, and turns a cancellation into a result. */
async function refuse(awaitable: PromiseLike<unknown>, print: Print) {
  try {
    return await awaitable;
  } catch {
    print("cancelled");
    return "all the same";
  }
}

export async function a_result_in_time_is_passed_on(print: Print) {
  print(await asyncio.wait_for(() => asyncio.sleep(0.01, "result"), 10));
  print(await asyncio.wait_for(() => asyncio.sleep(0, "result"), null));
}

export async function too_late_it_cancels_the_work_and_raises(print: Print) {
  const task = asyncio.create_task(() => cancelled_with(asyncio.sleep(10), print, "cancelled"));
  const error = await outcome_of(asyncio.wait_for(task, 0.02));
  print(error, kind((error as Error).cause));
  print(task.cancelled(), asyncio.current_task()!.cancelling());
}

export async function it_waits_until_the_work_has_cleaned_up(print: Print) {
  async function work() {
    try {
      await asyncio.sleep(10);
    } finally {
      await asyncio.sleep(0.02);
      print("cleaned up");
    }
  }
  print(await outcome_of(asyncio.wait_for(work, 0.01)));
}

export async function work_that_refuses_to_be_cancelled_has_its_result_returned(print: Print) {
  const work = () => refuse(asyncio.sleep(10), print);
  print(await asyncio.wait_for(work, 0.01));
  print(await asyncio.wait_for(asyncio.create_task(work), 0.01));
  print(asyncio.current_task()!.cancelling());
}

export async function an_error_while_the_work_cleans_up_comes_out(print: Print) {
  async function work() {
    try {
      await asyncio.sleep(10);
    } finally {
      // deno-lint-ignore no-unsafe-finally
      throw new RangeError("cleaning up failed");
    }
  }
  print(await outcome_of(asyncio.wait_for(work, 0.01)));
  print(await outcome_of(asyncio.wait_for(asyncio.create_task(work), 0.01)));
}

export async function errors_of_the_work_are_passed_on(print: Print) {
  const fail = (error: Error) => async () => {
    await asyncio.sleep(0);
    throw error;
  };
  print(await outcome_of(asyncio.wait_for(fail(new RangeError("own")), 10)));
  print(await outcome_of(asyncio.wait_for(fail(new asyncio.TimeoutError("own timeout")), 10)));
  print(await outcome_of(asyncio.wait_for(fail(new asyncio.CancelledError("own cancellation")), 10)));
}

export async function without_time_a_coroutine_does_not_start(print: Print) {
  for (const timeout of [0, -1]) print(await outcome_of(asyncio.wait_for(() => print("never"), timeout)));
}

export async function without_time_what_is_done_has_its_outcome_passed_on(print: Print) {
  const good = new asyncio.Future<string>();
  const bad = new asyncio.Future<string>();
  good.set_result("result");
  bad.set_exception(new RangeError("error"));
  for (const timeout of [0, -1]) {
    print(await asyncio.wait_for(good, timeout), await outcome_of(asyncio.wait_for(bad, timeout)));
  }
}

export async function without_time_a_running_task_is_cancelled_and_waited_for(print: Print) {
  const task = asyncio.create_task(async () => {
    try {
      await asyncio.sleep(10);
    } finally {
      await turns(2);
      print("cleaned up");
    }
  });
  await asyncio.sleep(0);
  ticks(print, 6);
  print(await outcome_of(asyncio.wait_for(task, 0)));
  print(task.cancelled());
  await turns(6);
}

export async function cancelling_it_from_outside_is_no_timeout(print: Print) {
  const task = asyncio.create_task(() => cancelled_with(asyncio.sleep(10), print, "work"));
  const waiter = asyncio.create_task(() => asyncio.wait_for(task, 10));
  await turns(2);
  waiter.cancel("outside");
  print(await outcome_of(waiter));
  print(task.cancelled(), waiter.cancelled());
}

export async function a_cancellation_in_the_turn_in_which_the_work_ended_wins(print: Print) {
  const future = new asyncio.Future<string>();
  const waiter = asyncio.create_task(() => asyncio.wait_for(future, 10));
  await asyncio.sleep(0);
  future.set_result("lost");
  waiter.cancel("same turn");
  print(await outcome_of(waiter));
}

export async function a_cancellation_that_the_work_swallows_leaves_its_result(print: Print) {
  const waiter = asyncio.create_task(() => asyncio.wait_for(() => refuse(asyncio.sleep(10), print), 10));
  await asyncio.sleep(0);
  waiter.cancel();
  print(await outcome_of(waiter), waiter.cancelling());
}

export async function shielded_work_outlives_the_timeout(print: Print) {
  const task = asyncio.create_task(() => asyncio.sleep(0.06, "result"));
  print(await outcome_of(asyncio.wait_for(asyncio.shield(task), 0.01)));
  print(task.done(), await task);
}

export async function the_inner_of_two_ends_first_if_its_time_is_shorter(print: Print) {
  const inner = (inner_timeout: number) => async () => {
    print("inner", await outcome_of(asyncio.wait_for(() => asyncio.sleep(10), inner_timeout)));
    return "went on";
  };
  print(await asyncio.wait_for(inner(0.01), 10));
  print(await outcome_of(asyncio.wait_for(inner(10), 0.01)));
}

export async function a_future_that_is_cancelled_by_another_hand_cancels_the_waiter(print: Print) {
  const future = new asyncio.Future<void>();
  asyncio.get_running_loop().call_soon(() => future.cancel("another hand"));
  print(await outcome_of(asyncio.wait_for(future, 10)));
}
