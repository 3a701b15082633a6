import * as asyncio from "../../../mod.ts";
import { attempt, cancelled_with, kind, outcome_of, type Print, ticks, turns } from "../helpers.ts";

const after = (count: number, result: unknown) => async () => {
  await turns(count);
  if (result instanceof Error) throw result;
  return result;
};

export async function results_stand_in_the_order_of_the_arguments(print: Print) {
  async function work(name: string, count: number) {
    await turns(count);
    print(name);
    return name;
  }
  print(await asyncio.gather(() => work("a", 3), () => work("b", 1), () => work("c", 2)));
}

export async function the_first_exception_comes_out_and_the_others_go_on(print: Print) {
  async function work(name: string, count: number) {
    await turns(count);
    print(name);
  }
  const other = asyncio.create_task(() => work("other", 3));
  const gathered = asyncio.gather(other, after(1, new RangeError("first")), after(2, new RangeError("second")));
  print(await outcome_of(gathered));
  print(other.done());
  await other;
}

export async function with_return_exceptions_they_stand_among_the_results(print: Print) {
  const results = await asyncio.gather(after(2, "a"), after(1, new RangeError("b")), after(0, "c"), {
    return_exceptions: true,
  });
  print(results);
}

export async function a_cancelled_child_counts_as_one_that_raised(print: Print) {
  const child = asyncio.create_task(after(5, "child"));
  const other = asyncio.create_task(after(2, "other"));
  const gathered = asyncio.gather(child, other);
  await asyncio.sleep(0);
  child.cancel("child only");
  print(await outcome_of(gathered));
  print(gathered.cancelled(), other.done(), await other);
}

export async function a_cancelled_child_among_the_results(print: Print) {
  const child = asyncio.create_task(after(5, "child"));
  const gathered = asyncio.gather(child, after(1, "other"), { return_exceptions: true });
  await asyncio.sleep(0);
  child.cancel();
  print(await gathered);
}

export async function cancelling_it_cancels_all_children_and_waits_for_them(print: Print) {
  async function work(name: string) {
    try {
      await asyncio.sleep(10);
    } finally {
      await asyncio.sleep(0);
      print(name);
    }
  }
  const gathered = asyncio.gather(() => work("a"), () => work("b"));
  await asyncio.sleep(0);
  print(gathered.cancel("all"), gathered.done());
  print(await outcome_of(gathered));
  print(gathered.cancel());
}

export async function cancelling_it_is_a_cancellation_even_with_return_exceptions(print: Print) {
  const gathered = asyncio.gather(after(0, "a"), after(5, "b"), { return_exceptions: true });
  await turns(3);
  gathered.cancel("all");
  print(await outcome_of(gathered));
}

export async function children_that_swallow_it_do_not_save_it(print: Print) {
  async function stubborn(name: string) {
    await outcome_of(asyncio.sleep(10));
    print(name);
    return name;
  }
  const a = asyncio.create_task(() => stubborn("a"));
  const b = asyncio.create_task(() => stubborn("b"));
  const gathered = asyncio.gather(a, b);
  await asyncio.sleep(0);
  gathered.cancel();
  print(await outcome_of(gathered));
  print(a.result(), b.result());
}

export async function cancelling_the_task_that_awaits_it_reaches_the_children(print: Print) {
  const child = (name: string) => () => cancelled_with(asyncio.sleep(10), print, name);
  const task = asyncio.create_task(() => cancelled_with(asyncio.gather(child("a"), child("b")), print, "parent"));
  await turns(2);
  task.cancel("from above");
  print(await outcome_of(task));
  print(task.cancelled());
}

export async function without_arguments_it_is_done_at_once(print: Print) {
  const gathered = asyncio.gather();
  print(await gathered);
  print(gathered.cancel());
}

export async function an_argument_given_twice_runs_once_and_stands_twice(print: Print) {
  const work = () => {
    print("once");
    return "result";
  };
  const task = asyncio.create_task(after(0, "task"));
  print(await asyncio.gather(work, task, work, task));
}

export async function with_all_done_already_its_result_comes_without_a_turn_in_between(print: Print) {
  const future = new asyncio.Future<number>();
  future.set_result(1);
  ticks(print, 2);
  const gathered = asyncio.gather(future, future);
  print(gathered.done());
  print(await gathered);
  await turns(2);
}

export async function errors_that_come_after_the_first_are_not_reported(print: Print) {
  asyncio.get_running_loop().set_exception_handler((_loop, context) => print("reported", context.message));
  const failing = asyncio.create_task(after(2, new RangeError("late")));
  print(await outcome_of(asyncio.gather(after(0, new RangeError("early")), failing)));
  await turns(4);
  print(failing.done());
}

export async function gathers_can_be_nested(print: Print) {
  const inner = asyncio.gather(after(1, new RangeError("inner")), after(2, "b"));
  print(await asyncio.gather(inner, after(0, "c"), asyncio.gather(), { return_exceptions: true }));
}

export async function the_error_of_a_child_that_was_done_before_comes_out_like_any_other(print: Print) {
  const future = new asyncio.Future<void>();
  future.set_exception(new RangeError("before"));
  print(await outcome_of(asyncio.gather(future, after(1, "other"))));
}

export function it_takes_awaitables_only(print: Print) {
  print(kind(attempt(() => asyncio.gather(1 as never, 2 as never))));
}
