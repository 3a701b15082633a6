import * as asyncio from "../../../mod.ts";
import { attempt, kind, outcome_of, type Print, turns } from "../helpers.ts";

const within = <T>(timeout: asyncio.Timeout, body: () => T | PromiseLike<T>) => asyncio.async_with(timeout, body);
const sleeper = (delay: number) => () => asyncio.sleep(delay, "slept");

export async function a_body_that_is_late_is_cancelled_and_the_error_is_a_timeout(print: Print) {
  const timeout = asyncio.timeout(0.01);
  const error = await outcome_of(within(timeout, sleeper(10)));
  print(error, kind((error as Error).cause), timeout.expired());
  print(asyncio.current_task()!.cancelling());
}

export async function a_body_that_is_in_time_knows_of_nothing(print: Print) {
  const timeout = asyncio.timeout(10);
  print(await within(timeout, sleeper(0.01)), timeout.expired());
}

export async function timeout_at_takes_the_time_of_the_loop(print: Print) {
  const deadline = asyncio.get_running_loop().time() + 0.01;
  const timeout = asyncio.timeout_at(deadline);
  print(timeout.when() === deadline);
  print(await outcome_of(within(timeout, sleeper(10))));
  print(timeout.when() === deadline, timeout.expired());
}

export async function none_is_no_deadline(print: Print) {
  for (const timeout of [asyncio.timeout(null), asyncio.timeout_at(null)]) {
    print(timeout.when(), await within(timeout, sleeper(0.01)), timeout.expired());
  }
}

export async function without_time_even_a_sleep_of_zero_is_cancelled(print: Print) {
  for (const delay of [0, -1]) {
    const timeout = asyncio.timeout(delay);
    print(kind(await outcome_of(within(timeout, sleeper(0)))), timeout.expired());
  }
}

export async function without_time_a_body_that_waits_for_nothing_still_ends_well(print: Print) {
  const timeout = asyncio.timeout(0);
  print(await within(timeout, () => "at once"), timeout.expired());
}

export async function an_error_of_the_body_comes_out_as_it_is(print: Print) {
  const fail = (delay: number) => async () => {
    await outcome_of(asyncio.sleep(delay));
    throw new RangeError("own");
  };
  const [early, late] = [asyncio.timeout(10), asyncio.timeout(0.01)];
  print(await outcome_of(within(early, fail(0))), early.expired());
  print(await outcome_of(within(late, fail(10))), late.expired());
  print(asyncio.current_task()!.cancelling());
}

export async function a_body_that_swallows_the_cancellation_ends_well_though_expired(print: Print) {
  const timeout = asyncio.timeout(0.01);
  const result = await within(timeout, async () => {
    await outcome_of(asyncio.sleep(10));
    await asyncio.sleep(0);
    return "went on";
  });
  print(result, timeout.expired(), asyncio.current_task()!.cancelling());
}

export async function reschedule_moves_the_deadline_both_ways(print: Print) {
  const timeout = asyncio.timeout(0.01);
  const body = async () => {
    timeout.reschedule(asyncio.get_running_loop().time() + 10);
    await asyncio.sleep(0.02);
    print("still in time");
    timeout.reschedule(null);
    print(timeout.when());
    timeout.reschedule(asyncio.get_running_loop().time() - 1);
    print(timeout.expired());
    await asyncio.sleep(10);
  };
  print(await outcome_of(within(timeout, body)));
}

export async function it_can_be_changed_only_while_its_body_runs(print: Print) {
  const timeout = asyncio.timeout(0);
  print(attempt(() => timeout.reschedule(null)));
  await within(timeout, async () => {
    await outcome_of(asyncio.sleep(10));
    print(attempt(() => timeout.reschedule(null)));
  });
  print(attempt(() => timeout.reschedule(null)));
  const in_time = asyncio.timeout(10);
  await within(in_time, sleeper(0));
  print(attempt(() => in_time.reschedule(null)));
}

export async function it_can_be_entered_once(print: Print) {
  const timeout = asyncio.timeout(10);
  print(await within(timeout, () => outcome_of(within(timeout, sleeper(0)))));
  print(await outcome_of(within(timeout, sleeper(0))));
}

export async function of_two_nested_ones_the_one_that_expires_is_the_one_that_raises(print: Print) {
  for (const [inner_delay, outer_delay] of [[0.01, 10], [10, 0.01]]) {
    const [inner, outer] = [asyncio.timeout(inner_delay), asyncio.timeout(outer_delay)];
    const body = async () => {
      print("inner", kind(await outcome_of(within(inner, sleeper(10)))));
      await asyncio.sleep(0);
      return "went on";
    };
    print(await outcome_of(within(outer, body)));
    print(inner.expired(), outer.expired(), asyncio.current_task()!.cancelling());
  }
}

export async function when_both_have_expired_the_outer_one_wins(print: Print) {
  const now = asyncio.get_running_loop().time();
  const [inner, outer] = [asyncio.timeout_at(now), asyncio.timeout_at(now)];
  const body = async () => {
    const error = await outcome_of(within(inner, sleeper(10)));
    print("inner", kind(error));
    throw error;
  };
  print(kind(await outcome_of(within(outer, body))));
  print(inner.expired(), outer.expired(), asyncio.current_task()!.cancelling());
}

export async function a_cancellation_from_outside_is_no_timeout(print: Print) {
  const timeout = asyncio.timeout(10);
  const task = asyncio.create_task(() => within(timeout, sleeper(10)));
  await asyncio.sleep(0);
  task.cancel("outside");
  print(await outcome_of(task));
  print(timeout.expired(), task.cancelled());
}

export async function a_cancellation_from_outside_wins_over_one_that_comes_with_it(print: Print) {
  const timeout = asyncio.timeout(null);
  const task = asyncio.create_task(async () => {
    try {
      await within(timeout, () => asyncio.sleep(10));
    } finally {
      print(timeout.expired(), asyncio.current_task()!.cancelling());
    }
  });
  await asyncio.sleep(0);
  timeout.reschedule(asyncio.get_running_loop().time() - 1);
  asyncio.get_running_loop().call_soon(() => task.cancel());
  print(kind(await outcome_of(task)));
}

export async function a_request_swallowed_before_does_not_count(print: Print) {
  const task = asyncio.create_task(async () => {
    await outcome_of(asyncio.sleep(10));
    print(asyncio.current_task()!.cancelling());
    print(kind(await outcome_of(within(asyncio.timeout(0.01), sleeper(10)))));
    print(asyncio.current_task()!.cancelling());
  });
  await asyncio.sleep(0);
  task.cancel();
  await task;
}

export async function it_works_in_the_cleaning_up_of_a_cancelled_task(print: Print) {
  const task = asyncio.create_task(async () => {
    try {
      await asyncio.sleep(10);
    } finally {
      print(kind(await outcome_of(within(asyncio.timeout(0.01), sleeper(10)))));
    }
  });
  await asyncio.sleep(0);
  task.cancel();
  print(kind(await outcome_of(task)), task.cancelling());
}

export async function a_cancelled_error_of_the_bodys_own_is_no_timeout(print: Print) {
  const timeout = asyncio.timeout(10);
  const body = () => {
    throw new asyncio.CancelledError("own");
  };
  print(await outcome_of(within(timeout, body)), timeout.expired());
}

export async function a_task_goes_on_as_before_once_its_timeout_was_caught(print: Print) {
  const task = asyncio.create_task(async () => {
    for (let i = 0; i < 2; i++) print(kind(await outcome_of(within(asyncio.timeout(0.01), sleeper(10)))));
    await turns(2);
    return asyncio.current_task()!.cancelling();
  });
  print(await task);
}

export async function around_a_task_group_it_cancels_all_of_it(print: Print) {
  async function child(name: string) {
    try {
      await asyncio.sleep(10);
    } finally {
      print(name);
    }
  }
  const body = () =>
    asyncio.async_with(new asyncio.TaskGroup(), (group) => void group.create_task(() => child("child")));
  print(await outcome_of(within(asyncio.timeout(0.01), body)));
  print(asyncio.current_task()!.cancelling());
}
