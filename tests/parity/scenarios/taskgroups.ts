import * as asyncio from "../../../mod.ts";
import { attempt, cancelled_with, kind, outcome_of, type Print, turns } from "../helpers.ts";

const after = <T>(count: number, result: T) => async () => {
  await turns(count);
  if (result instanceof Error) throw result;
  return result;
};
const in_group = <T>(body: (group: asyncio.TaskGroup) => T | PromiseLike<T>) =>
  asyncio.async_with(new asyncio.TaskGroup(), body);

export async function it_waits_for_all_its_tasks(print: Print) {
  const tasks = await in_group((group) => {
    const tasks = ([[3, "a"], [1, "b"]] as const).map(([count, name]) => group.create_task(after(count, name)));
    print(tasks.map((task) => task.done()));
    return tasks;
  });
  print(tasks.map((task) => task.result()));
}

export async function a_child_that_fails_cancels_its_siblings_and_the_body(print: Print) {
  const body = async (group: asyncio.TaskGroup) => {
    group.create_task(() => cancelled_with(asyncio.sleep(10), print, "sibling"));
    group.create_task(after(1, new RangeError("child")));
    await cancelled_with(asyncio.sleep(10), print, "body");
  };
  print(await outcome_of(in_group(body)));
  print(asyncio.current_task()!.cancelling());
}

export async function a_child_that_fails_while_the_group_waits_cancels_its_siblings(print: Print) {
  const body = (group: asyncio.TaskGroup) => {
    group.create_task(() => cancelled_with(asyncio.sleep(10), print, "sibling"));
    group.create_task(after(2, new RangeError("child")));
  };
  print(await outcome_of(in_group(body)));
}

export async function errors_of_several_children_come_out_in_the_order_of_their_coming(print: Print) {
  async function cleaning(error: Error) {
    try {
      await asyncio.sleep(10);
    } finally {
      // deno-lint-ignore no-unsafe-finally
      throw error;
    }
  }
  const body = async (group: asyncio.TaskGroup) => {
    group.create_task(() => cleaning(new RangeError("cleaning up")));
    group.create_task(after(0, new TypeError("first")));
    group.create_task(after(0, new asyncio.RuntimeError("second")));
    await asyncio.sleep(10);
  };
  print(await outcome_of(in_group(body)));
}

export async function a_body_that_fails_cancels_the_children(print: Print) {
  const body = async (group: asyncio.TaskGroup) => {
    group.create_task(() => cancelled_with(asyncio.sleep(10), print, "child"));
    await asyncio.sleep(0);
    throw new RangeError("body");
  };
  print(await outcome_of(in_group(body)));
}

export async function errors_of_the_body_come_behind_those_of_the_children(print: Print) {
  const body = async (group: asyncio.TaskGroup) => {
    group.create_task(after(0, new TypeError("child")));
    await outcome_of(asyncio.sleep(10));
    throw new RangeError("body");
  };
  print(await outcome_of(in_group(body)));
}

export async function a_child_that_is_cancelled_is_no_error(print: Print) {
  const [other] = await in_group(async (group) => {
    const child = group.create_task(() => cancelled_with(asyncio.sleep(10), print, "child"));
    const other = group.create_task(after(3, "other"));
    await asyncio.sleep(0);
    child.cancel();
    return [other];
  });
  print(other.result());
}

export async function a_cancellation_from_outside_ends_children_and_group(print: Print) {
  const task = asyncio.create_task(() =>
    in_group(async (group) => {
      group.create_task(() => cancelled_with(asyncio.sleep(10), print, "child"));
      await cancelled_with(asyncio.sleep(10), print, "body");
    })
  );
  await turns(2);
  task.cancel("outside");
  print(await outcome_of(task));
  print(task.cancelled(), task.cancelling());
}

export async function a_cancellation_from_outside_while_the_group_waits(print: Print) {
  const task = asyncio.create_task(() =>
    in_group((group) => void group.create_task(() => cancelled_with(asyncio.sleep(10), print, "child")))
  );
  await turns(2);
  task.cancel("outside");
  print(await outcome_of(task));
}

export async function a_childs_error_wins_over_a_cancellation_from_outside(print: Print) {
  async function child() {
    try {
      await asyncio.sleep(10);
    } finally {
      // deno-lint-ignore no-unsafe-finally
      throw new RangeError("child");
    }
  }
  const task = asyncio.create_task(async () => {
    const body = async (group: asyncio.TaskGroup) => {
      group.create_task(child);
      await asyncio.sleep(10);
    };
    print(await outcome_of(in_group(body)));
    print(asyncio.current_task()!.cancelling());
    await cancelled_with(asyncio.sleep(0), print, "at the next wait");
  });
  await turns(2);
  task.cancel();
  print(kind(await outcome_of(task)));
}

export async function a_childs_error_and_a_cancellation_in_one_turn(print: Print) {
  const future = new asyncio.Future<null>();
  const task = asyncio.create_task(async () => {
    const child = async () => {
      await future;
      throw new RangeError("child");
    };
    try {
      await in_group((group) => void group.create_task(child));
    } finally {
      print(asyncio.current_task()!.cancelling());
    }
  });
  await turns(2);
  future.set_result(null);
  task.cancel("same turn");
  print(await outcome_of(task));
}

export async function nested_groups_fail_from_the_inside_out(print: Print) {
  const body = async (outer: asyncio.TaskGroup) => {
    outer.create_task(() => cancelled_with(asyncio.sleep(10), print, "outer child"));
    await in_group(async (inner) => {
      inner.create_task(after(1, new RangeError("inner child")));
      await cancelled_with(asyncio.sleep(10), print, "inner body");
    });
  };
  print(await outcome_of(in_group(body)));
  print(asyncio.current_task()!.cancelling());
}

export async function an_error_in_the_outer_group_cancels_the_inner_one(print: Print) {
  const body = async (outer: asyncio.TaskGroup) => {
    outer.create_task(after(2, new RangeError("outer child")));
    const inner_body = async (inner: asyncio.TaskGroup) => {
      inner.create_task(() => cancelled_with(asyncio.sleep(10), print, "inner child"));
      await cancelled_with(asyncio.sleep(10), print, "inner body");
    };
    print("inner", kind(await outcome_of(in_group(inner_body))));
    await cancelled_with(asyncio.sleep(0), print, "never");
  };
  print(await outcome_of(in_group(body)));
}

export async function the_error_of_an_inner_group_can_be_caught_in_the_outer_one(print: Print) {
  const [other] = await in_group(async (outer) => {
    const other = outer.create_task(after(5, "unharmed"));
    print(await outcome_of(in_group((inner) => void inner.create_task(after(0, new RangeError("inner"))))));
    return [other];
  });
  print(other.result());
}

export async function children_may_make_more_children(print: Print) {
  await in_group((group) => {
    const child = (depth: number) => {
      print(depth);
      if (depth) group.create_task(() => child(depth - 1));
    };
    group.create_task(() => child(3));
  });
  print("end");
}

export async function tasks_can_be_made_only_between_entry_and_end(print: Print) {
  const group = new asyncio.TaskGroup();
  const make = () => group.create_task(() => {});
  print(attempt(make));
  await asyncio.async_with(group, () => {});
  print(attempt(make));
}

export async function no_task_can_be_made_while_the_group_shuts_down(print: Print) {
  const body = (group: asyncio.TaskGroup) => {
    group.create_task(async () => {
      try {
        await asyncio.sleep(10);
      } finally {
        print(attempt(() => group.create_task(() => print("never"))));
      }
    });
    group.create_task(after(0, new RangeError("child")));
  };
  print(await outcome_of(in_group(body)));
}

export async function a_group_can_be_entered_once(print: Print) {
  const group = new asyncio.TaskGroup();
  const enter = () => asyncio.async_with(group, () => "entered");
  print(await outcome_of(enter()));
  print(await outcome_of(enter()));
}

export async function an_empty_group_ends_at_once(print: Print) {
  asyncio.get_running_loop().call_soon(print, "soon");
  print(await in_group(() => "result"));
  await asyncio.sleep(0);
}

export async function requests_that_were_open_before_stay_open(print: Print) {
  const task = asyncio.create_task(async () => {
    await outcome_of(asyncio.sleep(10));
    print(asyncio.current_task()!.cancelling());
    const [child] = await in_group((group) => [group.create_task(after(2, "child"))]);
    print(child.result());
    print(asyncio.current_task()!.cancelling());
  });
  await asyncio.sleep(0);
  task.cancel();
  await task;
}

export async function a_body_that_swallows_the_cancellation_does_not_save_the_group(print: Print) {
  const body = async (group: asyncio.TaskGroup) => {
    group.create_task(after(0, new RangeError("child")));
    await outcome_of(asyncio.sleep(10));
    print("swallowed");
    return "result";
  };
  print(await outcome_of(in_group(body)));
  print(asyncio.current_task()!.cancelling());
}

export async function children_have_names(print: Print) {
  const child = () => asyncio.current_task()!.get_name();
  const [task] = await in_group((group) => [group.create_task(child, { name: "child" })]);
  print(task.result());
}
