import * as asyncio from "../../../mod.ts";
import { cancelled_with, kind, outcome_of, type Print, turns } from "../helpers.ts";

const be_eager = () => asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory);

export async function they_go_on_in_turn_after_their_first_wait(print: Print) {
  be_eager();
  const tasks = [..."ab"].map((name) =>
    asyncio.create_task(async () => {
      for (let count = 0; count < 3; count++) {
        print(name, count);
        await asyncio.sleep(0);
      }
      return name;
    })
  );
  print("made");
  print([await tasks[0], await tasks[1]]);
}

export async function gather_starts_its_coroutines_inside_the_call(print: Print) {
  const work = (name: string) => async () => {
    print(name);
    await asyncio.sleep(0);
    return name;
  };
  be_eager();
  const gathered = asyncio.gather(work("a"), work("b"));
  print("made");
  print(await gathered);
}

export async function a_group_starts_its_tasks_inside_the_call_and_waits_for_them(print: Print) {
  const work = (name: string, count: number) => async () => {
    print(name, "starts");
    await turns(count);
    print(name, "ends");
  };
  be_eager();
  await asyncio.async_with(new asyncio.TaskGroup(), (group) => {
    group.create_task(work("a", 2));
    group.create_task(work("b", 1));
    print("made");
  });
  print("end");
}

export async function a_task_made_inside_of_another_is_the_current_one_until_it_waits(print: Print) {
  async function inner(outer_task: unknown) {
    print("inner", asyncio.current_task() === outer_task);
    await asyncio.sleep(0);
    print("inner", asyncio.current_task() === outer_task);
  }
  async function outer() {
    const me = asyncio.current_task();
    const task = asyncio.create_task(() => inner(me));
    print("outer", asyncio.current_task() === me);
    await task;
    print("outer", asyncio.current_task() === me);
  }
  be_eager();
  await asyncio.create_task(outer);
}

export async function one_that_waits_is_among_all_tasks(print: Print) {
  be_eager();
  const task = asyncio.create_task(async () => await asyncio.sleep(0));
  print(asyncio.all_tasks().has(task), asyncio.all_tasks().size);
  await task;
  print(asyncio.all_tasks().has(task));
}

export async function one_that_fails_after_its_first_wait_fails_its_group(print: Print) {
  const fail = async () => {
    await asyncio.sleep(0);
    throw new RangeError("failed");
  };
  be_eager();
  const group = asyncio.async_with(new asyncio.TaskGroup(), (group) => {
    group.create_task(() => cancelled_with(asyncio.sleep(10), print, "sibling"));
    group.create_task(fail);
  });
  print(await outcome_of(group));
}

export async function one_that_awaits_another_is_cancelled_through_it(print: Print) {
  be_eager();
  const inner = asyncio.create_task(() => cancelled_with(asyncio.sleep(10), print, "inner"));
  const task = asyncio.create_task(() => cancelled_with(inner, print, "outer"));
  task.cancel();
  print(kind(await outcome_of(task)), inner.cancelled());
}
