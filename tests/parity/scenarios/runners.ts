import * as asyncio from "../../../mod.ts";
import { attempt, kind, outcome_of, type Print, turns } from "../helpers.ts";

export async function run_gives_the_result_or_raises_the_error(print: Print) {
  const work = (fails: boolean) => async () => {
    await asyncio.sleep(0);
    if (fails) throw new RangeError("failed");
    return "result";
  };
  print(await asyncio.run(work(false)), await outcome_of(asyncio.run(work(true))));
}

export async function run_cannot_be_called_from_a_running_loop(print: Print) {
  await asyncio.run(async () => print(await outcome_of(asyncio.run(() => {}))));
}

export async function run_cancels_what_is_left_and_waits_for_it(print: Print) {
  const tasks: asyncio.Task<void>[] = [];
  const left = (name: string) => async () => {
    try {
      await asyncio.sleep(10);
    } finally {
      await turns(2);
      print(name, "ended");
    }
  };
  await asyncio.run(async () => {
    tasks.push(asyncio.create_task(left("a")));
    await asyncio.sleep(0);
    print("main ends");
  });
  print(tasks[0].cancelled());
}

export async function errors_of_what_was_left_are_reported(print: Print) {
  async function left() {
    try {
      await asyncio.sleep(10);
    } finally {
      // deno-lint-ignore no-unsafe-finally
      throw new RangeError("cleaning up failed");
    }
  }
  await asyncio.run(async () => {
    asyncio.get_running_loop().set_exception_handler((_loop, context) => print(context.message, context.exception));
    asyncio.create_task(left);
    await asyncio.sleep(0);
  });
}

export async function what_was_left_is_cancelled_when_the_main_one_failed_too(print: Print) {
  const main = async () => {
    asyncio.create_task(async () => print(kind(await outcome_of(asyncio.sleep(10)))));
    await asyncio.sleep(0);
    throw new RangeError("main");
  };
  print(await outcome_of(asyncio.run(main)));
}

export async function a_main_task_that_cancels_itself_is_cancelled(print: Print) {
  const main = async () => {
    asyncio.current_task()!.cancel("itself");
    await asyncio.sleep(10);
  };
  print(await outcome_of(asyncio.run(main)));
}

export async function run_takes_the_loop_of_a_factory_and_closes_it(print: Print) {
  const loops: asyncio.EventLoop[] = [];
  const loop_factory = () => {
    loops.push(asyncio.new_event_loop());
    return loops[0];
  };
  const main = () => asyncio.get_running_loop() === loops[0] && asyncio.get_running_loop().get_debug();
  print(await asyncio.run(main, { debug: true, loop_factory }));
  print(loops.length, loops[0].is_closed());
}

export async function a_runner_runs_several_on_one_loop(print: Print) {
  const runner = new asyncio.Runner();
  const loop = await asyncio.async_with(runner, async () => {
    const work = (name: string) => () => [name, asyncio.get_running_loop() === runner.get_loop()];
    print(await runner.run(work("a")), await runner.run(work("b")));
    const loop = runner.get_loop();
    print(loop.is_running(), loop.is_closed());
    return loop;
  });
  print(loop.is_closed());
}

export async function tasks_of_one_run_go_on_in_the_next(print: Print) {
  async function ticker() {
    for (let count = 0; count < 3; count++) {
      print("tick", count);
      await asyncio.sleep(0);
    }
  }
  await using runner = new asyncio.Runner();
  await runner.run(async () => {
    asyncio.create_task(ticker);
    await asyncio.sleep(0);
  });
  print("between");
  await runner.run(async () => await asyncio.sleep(0));
}

export async function a_closed_runner_is_of_no_use(print: Print) {
  const runner = new asyncio.Runner();
  runner.get_loop();
  await runner.close();
  await runner.close();
  print(attempt(() => runner.get_loop()));
  print(await outcome_of(runner.run(() => {})));
}

export async function a_runner_cannot_run_inside_of_itself(print: Print) {
  await using runner = new asyncio.Runner();
  await runner.run(async () => print(await outcome_of(runner.run(() => {}))));
}

export async function run_until_complete_ends_with_its_future(print: Print) {
  const loop = asyncio.new_event_loop();
  const future = loop.create_future<string>();
  loop.call_soon((result: string) => future.set_result(result), "result");
  print(await loop.run_until_complete(future));
  const fail = () => {
    throw new RangeError("failed");
  };
  print(await outcome_of(loop.run_until_complete(fail)));
  print(loop.is_running(), loop.is_closed());
  loop.close();
}

export async function a_loop_stopped_before_the_end_says_so(print: Print) {
  const loop = asyncio.new_event_loop();
  const future = loop.create_future<void>();
  loop.call_soon(() => loop.stop());
  print(await outcome_of(loop.run_until_complete(future)));
  loop.close();
}

export async function stop_lets_what_is_ready_run_and_keeps_the_rest(print: Print) {
  const loop = asyncio.new_event_loop();
  loop.call_soon(() => {
    print("first");
    loop.stop();
    loop.call_soon(print, "third");
  });
  loop.call_soon(print, "second");
  await loop.run_forever();
  print("stopped");
  loop.stop();
  await loop.run_forever();
  print("stopped again");
  loop.close();
}

export async function stop_before_the_start_runs_one_iteration(print: Print) {
  const loop = asyncio.new_event_loop();
  loop.call_soon(() => {
    print("once");
    loop.call_soon(print, "never");
  });
  loop.stop();
  await loop.run_forever();
  print("stopped");
  loop.close();
}

export async function a_closed_loop_refuses_everything(print: Print) {
  const loop = asyncio.new_event_loop();
  loop.close();
  loop.close();
  print(loop.is_closed());
  print(attempt(() => loop.call_soon(print)));
  print(attempt(() => loop.call_later(1, print)));
  print(await outcome_of(loop.run_forever()));
  print(await outcome_of(loop.run_until_complete(() => {})));
}

export async function a_running_loop_can_neither_be_closed_nor_run_again(print: Print) {
  const loop = asyncio.new_event_loop();
  await loop.run_until_complete(async () => {
    print(loop.is_running(), attempt(() => loop.close()));
    print(await outcome_of(loop.run_forever()));
  });
  loop.close();
}

export async function two_loops_cannot_run_one_inside_the_other(print: Print) {
  const [outer, inner] = [asyncio.new_event_loop(), asyncio.new_event_loop()];
  await outer.run_until_complete(async () => print(await outcome_of(inner.run_forever())));
  outer.close();
  inner.close();
}
