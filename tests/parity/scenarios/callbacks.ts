import * as asyncio from "../../../mod.ts";
import { attempt, kind, type Print, ticks, turns } from "../helpers.ts";

export async function call_soon_runs_in_the_order_of_the_calls_with_its_arguments(print: Print) {
  const loop = asyncio.get_running_loop();
  loop.call_soon(print, "a", 1);
  loop.call_soon(print, "b", 2);
  print("scheduled");
  await asyncio.sleep(0);
  print("end");
}

export async function what_a_callback_schedules_runs_in_the_next_iteration(print: Print) {
  const loop = asyncio.get_running_loop();
  loop.call_soon(() => {
    print("first");
    loop.call_soon(print, "third");
  });
  loop.call_soon(print, "second");
  ticks(print, 3);
  await turns(3);
}

export async function a_callback_that_was_cancelled_does_not_run(print: Print) {
  const loop = asyncio.get_running_loop();
  const soon = loop.call_soon(print, "soon");
  const later = loop.call_later(0.01, print, "later");
  const at = loop.call_at(loop.time() + 0.01, print, "at");
  print(soon.cancelled(), later.cancelled());
  for (const handle of [soon, later, at]) {
    handle.cancel();
    handle.cancel();
  }
  print(soon.cancelled(), later.cancelled(), at.cancelled());
  await asyncio.sleep(0.02);
}

export async function a_callback_can_cancel_one_that_is_due_in_the_same_iteration(print: Print) {
  const loop = asyncio.get_running_loop();
  loop.call_soon(() => second.cancel());
  const second = loop.call_soon(print, "second");
  loop.call_soon(print, "third");
  await asyncio.sleep(0);
}

export async function call_later_runs_in_the_order_of_the_deadlines(print: Print) {
  const loop = asyncio.get_running_loop();
  for (const delay of [0.06, 0.02, 0.04]) loop.call_later(delay, print, delay);
  await asyncio.sleep(0.1);
}

export async function call_at_takes_the_time_of_the_loop_and_tells_it(print: Print) {
  const loop = asyncio.get_running_loop();
  const when = loop.time() + 0.02;
  const handle = loop.call_at(when, print, "at");
  loop.call_later(0.01, print, "before");
  print(handle.when() === when);
  await asyncio.sleep(0.05);
  print(loop.time() >= when);
}

export async function a_deadline_that_is_past_is_due_in_the_next_iteration(print: Print) {
  const loop = asyncio.get_running_loop();
  loop.call_soon(print, "ready");
  loop.call_at(loop.time() - 2, print, "past");
  loop.call_later(-1, print, "below zero");
  await asyncio.sleep(0.01);
}

export async function call_later_with_zero_comes_behind_what_was_ready_before(print: Print) {
  const loop = asyncio.get_running_loop();
  loop.call_soon(print, "ready");
  loop.call_later(0, print, "later");
  await asyncio.sleep(0.01);
}

export async function an_error_in_a_callback_goes_to_the_exception_handler_and_the_loop_goes_on(print: Print) {
  const loop = asyncio.get_running_loop();
  loop.set_exception_handler((_loop, context) => print("reported", context.exception));
  const fail = () => {
    throw new RangeError("in a callback");
  };
  loop.call_soon(fail);
  loop.call_later(0.01, fail);
  loop.call_soon(print, "next");
  await asyncio.sleep(0.03);
  print("end");
}

export function an_exception_handler_is_set_asked_for_and_taken_back(print: Print) {
  const loop = asyncio.get_running_loop();
  const handler: asyncio.ExceptionHandler = (_loop, context) => print(context.message, context.exception);
  print(loop.get_exception_handler());
  loop.set_exception_handler(handler);
  print(loop.get_exception_handler() === handler);
  loop.call_exception_handler({ message: "by hand", exception: new RangeError("error") });
  loop.call_exception_handler({ message: "without an exception" });
  loop.set_exception_handler(null);
  print(loop.get_exception_handler());
  print(kind(attempt(() => loop.set_exception_handler(1 as never))));
}

export async function a_future_set_by_a_callback_wakes_its_waiter_behind_what_was_ready(print: Print) {
  const loop = asyncio.get_running_loop();
  const future = loop.create_future<string>();
  loop.call_soon((result: string) => future.set_result(result), "result");
  loop.call_soon(print, "ready before");
  print(await future);
}

export async function tasks_and_callbacks_share_one_queue(print: Print) {
  const loop = asyncio.get_running_loop();
  const work = (name: string) => async () => {
    print(name);
    await asyncio.sleep(0);
    print(name, "again");
  };
  loop.call_soon(print, "1");
  const a = asyncio.create_task(work("a"));
  loop.call_soon(print, "2");
  const b = asyncio.create_task(work("b"));
  loop.call_soon(print, "3");
  await a;
  await b;
}

export async function a_time_is_no_less_than_the_one_before(print: Print) {
  const loop = asyncio.get_running_loop();
  const before = loop.time();
  await asyncio.sleep(0.01);
  print(loop.time() - before >= 0.009);
}

export function none_is_no_time(print: Print) {
  const loop = asyncio.get_running_loop();
  print(attempt(() => loop.call_later(null as never, print)));
  print(attempt(() => loop.call_at(null as never, print)));
}

export function debug_mode_can_be_switched(print: Print) {
  const loop = asyncio.get_running_loop();
  loop.set_debug(true);
  print(loop.get_debug());
  loop.set_debug(false);
  print(loop.get_debug(), loop.is_running(), loop.is_closed());
}
