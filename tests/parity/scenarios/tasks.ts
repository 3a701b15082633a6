import { AsyncLocalStorage } from "node:async_hooks";
import * as asyncio from "../../../mod.ts";
import { attempt, kind, outcome_of, type Print, ticks, turns } from "../helpers.ts";

export async function tasks_start_in_the_next_iteration_in_the_order_they_were_made(print: Print) {
  ticks(print, 2);
  const tasks = ["a", "b"].map((name) => asyncio.create_task(() => print(name)));
  print("made");
  await asyncio.sleep(0);
  print(tasks[0].done(), tasks[1].done());
}

export async function a_task_has_a_name_that_can_be_changed(print: Print) {
  const work = () => asyncio.current_task()!.get_name();
  const named = asyncio.create_task(work, { name: "worker" });
  const unnamed = asyncio.create_task(work);
  print(named.get_name(), unnamed.get_name().startsWith("Task-"));
  unnamed.set_name("renamed");
  print(await named, await unnamed);
}

export async function a_task_gives_its_result_or_exception_once_it_is_done(print: Print) {
  async function work(fails: boolean) {
    await asyncio.sleep(0);
    if (fails) throw new RangeError("failed");
    return "worked";
  }
  const good = asyncio.create_task(() => work(false));
  const bad = asyncio.create_task(() => work(true));
  print(attempt(() => good.result()), attempt(() => good.exception()));
  print(await outcome_of(good), await outcome_of(bad));
  print(good.result(), good.exception(), bad.exception());
  print(bad.exception() === attempt(() => bad.result()));
}

export async function nobody_but_its_coroutine_ends_a_task(print: Print) {
  const task = asyncio.create_task(() => asyncio.sleep(0, "own result"));
  print(attempt(() => task.set_result("other")));
  print(attempt(() => task.set_exception(new RangeError("other"))));
  print(await task);
}

export async function a_task_cannot_await_itself(print: Print) {
  const task: asyncio.Task<void> = asyncio.create_task(async () => await task);
  print(await outcome_of(task));
}

export async function several_tasks_that_await_one_get_the_same_exception(print: Print) {
  const failing = asyncio.create_task(async () => {
    await asyncio.sleep(0);
    throw new RangeError("shared");
  });
  const wait = async (name: string) => print(name, await outcome_of(failing) === failing.exception());
  await asyncio.gather(() => wait("a"), () => wait("b"));
  print(await outcome_of(failing));
}

export async function done_callbacks_and_those_who_await_a_task_go_on_in_the_order_of_their_coming(print: Print) {
  const task = asyncio.create_task(async () => {
    await turns(2);
    return "result";
  });
  const wait = async (name: string) => print(name, await task);
  task.add_done_callback((done) => print("before", done.result()));
  const waiters = ["a", "b"].map((name) => asyncio.create_task(() => wait(name)));
  await asyncio.sleep(0);
  task.add_done_callback((done) => print("after", done === task));
  for (const waiter of waiters) await waiter;
}

export async function current_task_is_the_running_one_and_none_in_a_callback(print: Print) {
  const main = asyncio.current_task();
  const task: asyncio.Task<void> = asyncio.create_task(async () => {
    print(asyncio.current_task() === task);
    await asyncio.sleep(0);
    print(asyncio.current_task() === task, asyncio.current_task() === main);
  });
  asyncio.get_running_loop().call_soon(() => print(asyncio.current_task()));
  await task;
  print(asyncio.current_task() === main);
}

export async function all_tasks_has_those_that_are_not_done(print: Print) {
  const [short, long] = [0, 3].map((count) => asyncio.create_task(() => turns(count)));
  print(asyncio.all_tasks().size, asyncio.all_tasks().has(short));
  await short;
  print(asyncio.all_tasks().size, asyncio.all_tasks().has(short), asyncio.all_tasks().has(asyncio.current_task()!));
  await long;
  print(asyncio.all_tasks().size);
}

export async function a_coroutine_that_raises_cancelled_error_ends_its_task_as_cancelled(print: Print) {
  const task = asyncio.create_task(() => {
    throw new asyncio.CancelledError("on its own");
  });
  print(await outcome_of(task));
  print(task.cancelled(), task.cancelling());
}

export function only_a_coroutine_can_become_a_task(print: Print) {
  print(kind(attempt(() => asyncio.create_task("text" as never))));
  print(kind(attempt(() => asyncio.create_task(null as never))));
}

export async function a_task_runs_in_the_context_of_the_call_that_made_it(print: Print) {
  const variable = new AsyncLocalStorage<string>({ defaultValue: "default" });
  const value = () => variable.getStore() ?? "default";
  async function work(name: string) {
    print(name, value());
    await asyncio.sleep(0);
    print(name, value());
  }
  const inner = variable.run("inner", () => asyncio.create_task(() => work("made inside")));
  const outer = asyncio.create_task(() => work("made outside"));
  variable.run("inner", () => asyncio.get_running_loop().call_soon(() => print("callback", value())));
  const future = new asyncio.Future<null>();
  variable.run("inner", () => future.add_done_callback(() => print("done callback", value())));
  future.set_result(null);
  await inner;
  await outer;
}

export async function an_eager_task_runs_up_to_its_first_wait_inside_create_task(print: Print) {
  async function work(name: string) {
    print(name, "starts", asyncio.current_task() === main);
    await asyncio.sleep(0);
    print(name, "goes on");
    return name;
  }
  const main = asyncio.current_task();
  asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory);
  const first = asyncio.create_task(() => work("first"));
  print("made first", first.done(), asyncio.current_task() === main);
  const second = asyncio.create_task(() => work("second"), { name: "named" });
  print("made second", second.get_name());
  print(await second, await first);
}

export async function an_eager_task_can_be_cancelled_at_its_first_wait(print: Print) {
  asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory);
  const task = asyncio.create_task(async () => {
    print("starts");
    await asyncio.sleep(10);
  });
  print(task.cancel("why"));
  print(await outcome_of(task));
}

export async function a_task_factory_makes_the_tasks_of_its_loop(print: Print) {
  const loop = asyncio.get_running_loop();
  const factory: asyncio.TaskFactory = (loop, coroutine, options) => {
    print("factory");
    return new asyncio.Task(coroutine, { ...options, loop });
  };
  const work = () => "worked";
  loop.set_task_factory(factory);
  print(loop.get_task_factory() === factory);
  print(await asyncio.create_task(work), await asyncio.ensure_future(work));
  loop.set_task_factory(null);
  print(await asyncio.create_task(work), loop.get_task_factory());
  print(kind(attempt(() => loop.set_task_factory(1 as never))));
}

export async function sleep_gives_its_second_argument_and_refuses_nan(print: Print) {
  print(await asyncio.sleep(0, "at once"), await asyncio.sleep(0.01, "later"), await asyncio.sleep(-1));
  try {
    await asyncio.sleep(NaN);
  } catch (error) {
    print(error);
  }
}

export async function sleeping_tasks_wake_in_the_order_of_their_deadlines(print: Print) {
  async function work(delay: number) {
    await asyncio.sleep(delay);
    print(delay);
  }
  await asyncio.gather(() => work(0.06), () => work(0.02), () => work(0), () => work(0.04));
}
