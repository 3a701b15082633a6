import * as asyncio from "../../../mod.ts";
import { attempt, kind, outcome_of, type Print, ticks } from "../helpers.ts";

export function a_pending_future_has_neither_result_nor_exception(print: Print) {
  const future = new asyncio.Future<void>();
  print(future.done(), future.cancelled());
  print(attempt(() => future.result()));
  print(attempt(() => future.exception()));
}

export function a_future_takes_one_outcome_only(print: Print) {
  const future = new asyncio.Future<number>();
  future.set_result(42);
  print(future.result(), future.exception(), future.done());
  print(kind(attempt(() => future.set_result(1))));
  print(kind(attempt(() => future.set_exception(new RangeError("no")))));
  print(future.cancel(), future.cancelled(), future.result());
}

export async function an_exception_is_the_same_object_however_it_is_asked_for(print: Print) {
  const future = new asyncio.Future<void>();
  const error = new RangeError("boom");
  future.set_exception(error);
  print(future.exception() === error, attempt(() => future.result()) === error, await outcome_of(future) === error);
  print(error);
}

export function set_exception_makes_an_instance_of_a_class(print: Print) {
  const future = new asyncio.Future<void>();
  future.set_exception(asyncio.RuntimeError);
  print(future.exception());
}

export async function a_cancelled_future_raises_its_message_whenever_it_is_asked(print: Print) {
  const future = new asyncio.Future<void>();
  print(future.cancel("why"), future.cancel("again"));
  print(future.cancelled(), future.done());
  print(attempt(() => future.result()));
  print(attempt(() => future.exception()));
  print(await outcome_of(future));
}

export async function done_callbacks_run_in_the_next_iteration_in_the_order_they_were_added(print: Print) {
  const future = new asyncio.Future<null>();
  for (const name of ["a", "b", "c"]) future.add_done_callback((done) => print(name, done === future));
  ticks(print, 3);
  future.set_result(null);
  print("set");
  await asyncio.sleep(0);
  future.add_done_callback(() => print("late"));
  print("added");
  await asyncio.sleep(0);
  print("end");
}

export async function remove_done_callback_tells_how_often_it_was_there(print: Print) {
  const future = new asyncio.Future<null>();
  const callback = () => print("called");
  print(future.remove_done_callback(callback));
  future.add_done_callback(callback);
  future.add_done_callback(() => print("other"));
  future.add_done_callback(callback);
  print(future.remove_done_callback(callback));
  future.add_done_callback(callback);
  future.set_result(null);
  await asyncio.sleep(0);
}

export async function a_callback_that_removes_another_comes_too_late_once_both_are_due(print: Print) {
  const future = new asyncio.Future<null>();
  const second = () => print("second");
  future.add_done_callback((done) => print("removed", done.remove_done_callback(second)));
  future.add_done_callback(second);
  future.set_result(null);
  await asyncio.sleep(0);
}

export async function a_callback_that_raises_is_reported_and_the_others_run(print: Print) {
  asyncio.get_running_loop().set_exception_handler((_loop, context) => print("reported", context.exception));
  const future = new asyncio.Future<null>();
  future.add_done_callback(() => {
    throw new RangeError("in a callback");
  });
  future.add_done_callback(() => print("next"));
  future.set_result(null);
  await asyncio.sleep(0);
  print("end");
}

export async function awaiting_a_future_that_is_done_gives_nobody_else_a_turn(print: Print) {
  const future = new asyncio.Future<string>();
  future.set_result("result");
  asyncio.get_running_loop().call_soon(print, "soon");
  print(await future);
  print(await future);
  await asyncio.sleep(0);
}

export async function all_who_await_a_future_get_the_same_exception_in_the_order_of_their_coming(print: Print) {
  const future = new asyncio.Future<void>();
  const error = new RangeError("shared");
  const wait = async (name: string) => print(name, await outcome_of(future) === error);
  const tasks = ["a", "b", "c"].map((name) => asyncio.create_task(() => wait(name)));
  await asyncio.sleep(0);
  future.set_exception(error);
  for (const task of tasks) await task;
}

export async function cancelling_one_who_awaits_a_future_cancels_the_future_for_all(print: Print) {
  const future = new asyncio.Future<void>();
  const wait = async (name: string) => print(name, await outcome_of(future));
  const [a, b] = ["a", "b"].map((name) => asyncio.create_task(() => wait(name)));
  await asyncio.sleep(0);
  print(a.cancel("why"), future.cancelled());
  await a;
  await b;
  print(a.cancelling(), b.cancelling());
}

export async function a_future_cancelled_by_itself_cancels_the_task_that_awaits_it(print: Print) {
  const future = new asyncio.Future<void>();
  const task = asyncio.create_task(async () => await future);
  await asyncio.sleep(0);
  future.cancel("by itself");
  print(await outcome_of(task));
  print(task.cancelled(), task.cancelling());
}

export async function ensure_future_leaves_futures_as_they_are(print: Print) {
  const future = new asyncio.Future<void>();
  const work = () => "worked";
  const task = asyncio.create_task(work);
  print(asyncio.ensure_future(future) === future, asyncio.ensure_future(task) === task);
  print(asyncio.isfuture(future), asyncio.isfuture(task), asyncio.isfuture(work));
  print(await asyncio.ensure_future(work), await task);
  print(kind(attempt(() => asyncio.ensure_future(5 as never))));
  print(asyncio.wrap_future(future) === future);
}

export function a_future_nobody_asked_is_not_reported_once_its_exception_was_seen(print: Print) {
  const loop = asyncio.get_running_loop();
  loop.set_exception_handler((_loop, context) => print("reported", context.message));
  const future = loop.create_future<void>();
  future.set_exception(new RangeError("seen"));
  print(future.exception());
  print(future.get_loop() === loop);
}
