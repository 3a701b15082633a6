import * as asyncio from "../../../mod.ts";
import { attempt, cancelled_with, outcome_of, type Print, ticks, turns } from "../helpers.ts";

export async function a_task_cancelled_before_it_started_never_runs(print: Print) {
  const task = asyncio.create_task(() => print("never"));
  print(task.cancel("too early"), task.done(), task.cancelling());
  print(await outcome_of(task));
  print(task.cancelled(), task.cancel());
}

export async function the_message_travels_to_whoever_awaits_the_task(print: Print) {
  async function work() {
    try {
      await asyncio.sleep(10);
    } catch (error) {
      print("inside", error);
      throw error;
    }
  }
  for (const message of ["why", undefined]) {
    const task = asyncio.create_task(work);
    await asyncio.sleep(0);
    task.cancel(message);
    print("outside", await outcome_of(task));
  }
}

export async function a_task_that_swallows_its_cancellation_goes_on_and_returns(print: Print) {
  const task = asyncio.create_task(async () => {
    try {
      await asyncio.sleep(10);
    } catch {
      print("swallowed");
    }
    await asyncio.sleep(0);
    return "result";
  });
  await asyncio.sleep(0);
  task.cancel();
  print(await task, task.cancelled(), task.cancelling());
}

export async function two_requests_before_the_first_is_delivered_are_one_error(print: Print) {
  const task = asyncio.create_task(async () => {
    for (let i = 0; i < 2; i++) {
      try {
        await asyncio.sleep(0.01);
        print("slept");
      } catch (error) {
        print(error);
      }
    }
  });
  await asyncio.sleep(0);
  print(task.cancel("first"), task.cancel("second"), task.cancelling());
  await task;
  print(task.cancelling());
}

export async function a_second_request_interrupts_the_cleaning_up(print: Print) {
  const task = asyncio.create_task(async () => {
    try {
      await cancelled_with(asyncio.sleep(10), print, "first");
    } finally {
      await cancelled_with(asyncio.sleep(10), print, "second");
    }
  });
  await asyncio.sleep(0);
  task.cancel("one");
  await asyncio.sleep(0);
  print(task.done());
  task.cancel("two");
  print(await outcome_of(task));
}

export async function an_error_while_cleaning_up_takes_the_place_of_the_cancellation(print: Print) {
  const task = asyncio.create_task(async () => {
    try {
      await asyncio.sleep(10);
    } finally {
      // deno-lint-ignore no-unsafe-finally
      throw new RangeError("cleaning up failed");
    }
  });
  await asyncio.sleep(0);
  task.cancel();
  print(await outcome_of(task));
  print(task.cancelled(), task.cancelling());
}

export async function a_task_that_cancels_itself_hears_of_it_at_its_next_wait(print: Print) {
  const task = asyncio.create_task(async () => {
    print(asyncio.current_task()!.cancel("self"));
    print("still running");
    await asyncio.sleep(10);
    print("never");
  });
  print(await outcome_of(task));
}

export async function a_task_that_cancels_itself_and_then_returns_is_cancelled(print: Print) {
  const task = asyncio.create_task(async () => {
    await asyncio.sleep(0);
    asyncio.current_task()!.cancel("late");
    return "lost";
  });
  print(await outcome_of(task));
  print(task.cancelled());
}

export async function a_task_that_cancels_itself_and_then_fails_has_failed(print: Print) {
  const task = asyncio.create_task(() => {
    asyncio.current_task()!.cancel();
    throw new RangeError("stronger");
  });
  print(await outcome_of(task));
  print(task.cancelled(), task.cancelling());
}

export async function a_cancelled_task_that_awaits_another_cancels_it_too(print: Print) {
  const task = asyncio.create_task(() => cancelled_with(asyncio.sleep(10), print, "inner"));
  const waiter = asyncio.create_task(() => cancelled_with(task, print, "outer"));
  await turns(2);
  waiter.cancel("through both");
  print(await outcome_of(waiter));
  print(task.cancelled(), task.cancelling(), waiter.cancelling());
}

export async function if_the_awaited_task_swallows_it_the_cancelled_one_gets_a_result(print: Print) {
  const task = asyncio.create_task(async () => {
    try {
      await asyncio.sleep(10);
    } catch {
      return "swallowed";
    }
  });
  const waiter = asyncio.create_task(async () => await task);
  await turns(2);
  waiter.cancel();
  print(await outcome_of(waiter), waiter.cancelled(), waiter.cancelling());
}

export async function cancelling_an_awaited_task_cancels_the_one_that_awaits_it(print: Print) {
  const task = asyncio.create_task(() => asyncio.sleep(10));
  const waiter = asyncio.create_task(() => cancelled_with(task, print, "outer"));
  await turns(2);
  task.cancel("inner only");
  print(await outcome_of(waiter));
  print(waiter.cancelled(), waiter.cancelling());
}

export async function cancelling_reaches_the_innermost_of_a_chain_first(print: Print) {
  async function link(depth: number): Promise<void> {
    try {
      await (depth ? asyncio.create_task(() => link(depth - 1)) : asyncio.sleep(10));
    } finally {
      print(depth);
    }
  }
  const task = asyncio.create_task(() => link(3));
  await turns(5);
  ticks(print, 6);
  task.cancel();
  print(await outcome_of(task));
}

export async function a_cancellation_after_the_result_was_set_wins_and_leaves_the_future_its_result(print: Print) {
  const future = new asyncio.Future<string>();
  const task = asyncio.create_task(async () => await future);
  await asyncio.sleep(0);
  future.set_result("kept");
  print(task.cancel("later"));
  print(await outcome_of(task));
  print(future.result(), future.cancelled());
}

export async function a_cancellation_after_the_awaited_task_ended_wins_too(print: Print) {
  const task = asyncio.create_task(() => asyncio.sleep(0, "kept"));
  const waiter = asyncio.create_task(async () => await task);
  task.add_done_callback(() => waiter.cancel("in the callback"));
  print(await outcome_of(waiter));
  print(task.result());
}

export async function cancelling_counts_requests_and_uncancel_takes_them_back(print: Print) {
  const task = asyncio.create_task(async () => {
    await outcome_of(asyncio.sleep(10));
    await outcome_of(asyncio.sleep(10));
  });
  await asyncio.sleep(0);
  print(task.cancelling(), task.uncancel());
  task.cancel();
  await asyncio.sleep(0);
  print(task.cancelling(), task.cancel(), task.cancelling());
  print(task.uncancel(), task.uncancel(), task.uncancel());
  await task;
  print(task.cancelling());
}

export async function uncancel_takes_back_a_request_that_was_not_delivered(print: Print) {
  const future = new asyncio.Future<string>();
  const task = asyncio.create_task(async () => await future);
  await asyncio.sleep(0);
  future.set_result("result");
  task.cancel();
  print(task.uncancel());
  print(await task);
}

export async function a_task_done_already_cannot_be_cancelled(print: Print) {
  const task = asyncio.create_task(() => "result");
  print(await task, task.cancel("late"), task.cancelled(), task.cancelling());
}

export async function a_task_can_tell_its_own_cancellation_from_that_of_what_it_awaits(print: Print) {
  for (const own of [true, false]) {
    const task = asyncio.create_task(() => asyncio.sleep(10));
    const worker = asyncio.create_task(async () => {
      try {
        await task;
      } catch {
        print(asyncio.current_task()!.cancelling() ? "own" : "other");
      }
    });
    await turns(2);
    (own ? worker : task).cancel();
    await worker;
  }
}

export async function tasks_cancelled_together_end_in_the_order_of_the_calls(print: Print) {
  const tasks = [..."abc"].map((name) => asyncio.create_task(() => cancelled_with(asyncio.sleep(10), print, name)));
  await asyncio.sleep(0);
  for (const task of tasks.toReversed()) {
    task.add_done_callback(() => print("done"));
    task.cancel();
  }
  await asyncio.wait(tasks);
}

export async function a_stubborn_task_needs_one_request_for_each_wait(print: Print) {
  const task = asyncio.create_task(async () => {
    let count = 0;
    while (count < 3) {
      try {
        await asyncio.sleep(10);
      } catch {
        print(++count);
      }
    }
    return "gave up";
  });
  await asyncio.sleep(0);
  while (!task.done()) {
    task.cancel();
    await asyncio.sleep(0);
  }
  print(task.result(), task.cancelling());
}

export async function cancelling_a_sleep_lets_nobody_wait_for_its_timer(print: Print) {
  const task = asyncio.create_task(() => asyncio.sleep(3600));
  await asyncio.sleep(0.01);
  task.cancel();
  ticks(print, 4);
  print(await outcome_of(task));
  await turns(3);
}

export async function cancellation_ends_the_finally_blocks_from_the_inside_out(print: Print) {
  async function deep(depth: number): Promise<void> {
    try {
      if (depth) await deep(depth - 1);
      else await asyncio.sleep(10);
    } finally {
      await asyncio.sleep(0);
      print(depth);
    }
  }
  const task = asyncio.create_task(() => deep(3));
  await asyncio.sleep(0);
  task.cancel();
  print(await outcome_of(task));
  print(attempt(() => task.result()));
}
