import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";
import { collect_reports, error_of, run_program, run_virtual, Transcript } from "./_helpers.ts";

const reject = (message: string, delay = 0) => async () => {
  await asyncio.sleep(delay);
  throw new RangeError(message);
};

Deno.test("gather() gives the results in the order of its arguments, whatever kind of awaitable they are", async () => {
  await run_virtual(async () => {
    const double = asyncio.coroutine((n: number) => asyncio.sleep(1, 2 * n));
    const results = await asyncio.gather(
      () => asyncio.sleep(3, "function"),
      double(4),
      asyncio.create_task(() => asyncio.sleep(2, "task")),
      asyncio.sleep(1, "future"),
      Promise.resolve("promise"),
    );
    assertEquals(results, ["function", 8, "task", "future", "promise"]);
    assertEquals(asyncio.get_running_loop().time(), 3);
  });
});

Deno.test("gather() of nothing is done with an empty list", async () => {
  await run_virtual(() => assertEquals(asyncio.gather().result(), []));
});

Deno.test("gather() runs an argument given twice once, and gives its result twice", async () => {
  await run_virtual(async () => {
    let runs = 0;
    const work = () => asyncio.sleep(1, ++runs);
    assertEquals(await asyncio.gather(work, work), [1, 1]);
  });
});

Deno.test("gather() fails with the first error and lets the others go on", async () => {
  await run_virtual(async () => {
    const reports = collect_reports();
    const other = asyncio.create_task(() => asyncio.sleep(5, "other"));
    const error = await error_of(asyncio.gather(other, reject("late", 2), reject("first", 1)));
    assertEquals([error.message, other.done(), asyncio.get_running_loop().time()], ["first", false, 1]);
    assertEquals(await other, "other");
    assertEquals(reports, []);
  });
});

Deno.test("G1: gather() leaves its siblings running after an error, where a task group cancels them", async () => {
  await run_virtual(async () => {
    const ended: string[] = [];
    const sibling = (name: string) => async () => {
      await asyncio.sleep(5);
      ended.push(name);
    };
    await error_of(asyncio.gather(sibling("gather"), reject("no")));
    await error_of(asyncio.async_with(new asyncio.TaskGroup(), (group) => {
      group.create_task(sibling("group"));
      group.create_task(reject("no"));
    }));
    await asyncio.sleep(10);
    assertEquals(ended, ["gather"]);
  });
});

Deno.test("gather() with return_exceptions puts errors and cancellations among the results", async () => {
  await run_virtual(async () => {
    const cancelled = asyncio.create_task(() => asyncio.sleep(5));
    asyncio.get_running_loop().call_later(1, () => cancelled.cancel());
    const results = await asyncio.gather(reject("no"), cancelled, () => 1, { return_exceptions: true });
    assertEquals((results[0] as Error).message, "no");
    assertInstanceOf(results[1], asyncio.CancelledError);
    assertEquals(results[2], 1);
  });
});

Deno.test("a cancelled child fails gather() with CancelledError, and gather() itself is not cancelled", async () => {
  await run_virtual(async () => {
    const child = asyncio.create_task(() => asyncio.sleep(5));
    const other = asyncio.create_task(() => asyncio.sleep(1, "other"));
    const gathering = asyncio.gather(child, other);
    child.cancel("child");
    assertEquals((await error_of(gathering)).message, "child");
    assertEquals([gathering.cancelled(), await other], [false, "other"]);
  });
});

Deno.test("cancelling gather() cancels every child, even with return_exceptions", async () => {
  await run_virtual(async () => {
    for (const return_exceptions of [false, true]) {
      const children = [1, 2].map(() => asyncio.create_task(() => asyncio.sleep(5)));
      const gathering = asyncio.gather(...children, { return_exceptions });
      await asyncio.sleep(0);
      assertEquals(gathering.cancel("all"), true);
      assertInstanceOf(await error_of(gathering), asyncio.CancelledError);
      await asyncio.wait(children);
      assertEquals(children.map((child) => child.cancelled()), [true, true]);
    }
  });
});

Deno.test("gather() checks its arguments before it starts any", async () => {
  await run_virtual(async () => {
    let ran = false;
    const text = "An asyncio.Future, a coroutine or an awaitable is required, got 1";
    // deno-lint-ignore no-explicit-any
    assertThrows(() => asyncio.gather(() => void (ran = true), 1 as any), TypeError, text);
    await asyncio.sleep(0);
    assertEquals(ran, false);
  });
});

Deno.test("wait() gives what is done and what is pending, cancels nothing and throws no error of a future", async () => {
  await run_virtual(async () => {
    const quick = asyncio.create_task(() => asyncio.sleep(1));
    const failing = asyncio.create_task(reject("no", 2));
    const slow = asyncio.create_task(() => asyncio.sleep(10));
    const all = [quick, failing, slow] as asyncio.Task<void>[];
    const names = async (options: asyncio.WaitOptions) => {
      const [done, pending] = await asyncio.wait(all, options);
      return [done, pending].map((set) => [...set].map((task) => ["quick", "failing", "slow"][all.indexOf(task)]));
    };
    assertEquals(await names({ timeout: 0.5 }), [[], ["quick", "failing", "slow"]]);
    assertEquals(await names({ return_when: asyncio.FIRST_COMPLETED }), [["quick"], ["failing", "slow"]]);
    assertEquals(await names({ return_when: asyncio.FIRST_EXCEPTION }), [["quick", "failing"], ["slow"]]);
    assertEquals(asyncio.get_running_loop().time(), 2);
    assertEquals(await names({}), [["quick", "failing", "slow"], []]);
    assertEquals(asyncio.get_running_loop().time(), 10);
    failing.exception();
  });
});

Deno.test("wait() for the first exception does not count a cancelled future", async () => {
  await run_virtual(async () => {
    const cancelled = asyncio.create_task(() => asyncio.sleep(5));
    const slow = asyncio.create_task(() => asyncio.sleep(3));
    asyncio.get_running_loop().call_later(1, () => cancelled.cancel());
    const [done] = await asyncio.wait([cancelled, slow], { return_when: asyncio.FIRST_EXCEPTION });
    assertEquals([done.size, asyncio.get_running_loop().time()], [2, 3]);
  });
});

Deno.test("cancelling wait() leaves its futures running", async () => {
  await run_virtual(async () => {
    const task = asyncio.create_task(() => asyncio.sleep(2, "kept"));
    const waiting = asyncio.create_task(() => asyncio.wait([task]));
    await asyncio.sleep(1);
    waiting.cancel();
    assertInstanceOf(await error_of(waiting), asyncio.CancelledError);
    assertEquals(await task, "kept");
  });
});

Deno.test("wait() refuses an empty set, coroutines, one future, and an unknown return_when", async () => {
  await run_virtual(() => {
    // deno-lint-ignore no-explicit-any
    const wait = asyncio.wait as any;
    assertThrows(() => wait([]), RangeError, "Set of Tasks/Futures is empty.");
    const coroutine = asyncio.coroutine(() => {})();
    for (const each of [() => {}, coroutine]) {
      assertThrows(() => wait([each]), TypeError, "Passing coroutines is forbidden, use tasks explicitly.");
    }
    assertThrows(() => wait(new asyncio.Future()), TypeError, '"futures" must be an iterable of futures');
    assertThrows(
      () => wait([new asyncio.Future()], { return_when: "NEVER" }),
      RangeError,
      'Invalid return_when value: "NEVER"',
    );
  });
});

Deno.test("wait_for() gives the result in time, and throws TimeoutError caused by a CancelledError after it", async () => {
  await run_virtual(async () => {
    assertEquals(await asyncio.wait_for(() => asyncio.sleep(1, "in time"), 2), "in time");
    assertEquals(await asyncio.wait_for(() => asyncio.sleep(1000, "no limit"), null), "no limit");
    const task = asyncio.create_task(() => asyncio.sleep(5));
    const error = await error_of(asyncio.wait_for(task, 1));
    assertInstanceOf(error, asyncio.TimeoutError);
    assertInstanceOf(error.cause, asyncio.CancelledError);
    assertEquals([task.cancelled(), asyncio.current_task()!.cancelling()], [true, 0]);
  });
});

Deno.test("wait_for() waits until the cancelled work has ended", async () => {
  await run_virtual(async () => {
    const loop = asyncio.get_running_loop();
    const task = asyncio.create_task(async () => {
      try {
        await asyncio.sleep(3600);
      } finally {
        await asyncio.sleep(5);
      }
    });
    assertInstanceOf(await error_of(asyncio.wait_for(task, 1)), asyncio.TimeoutError);
    assertEquals([loop.time(), task.done()], [6, true]);
  });
});

Deno.test("wait_for() gives the value of work that swallowed the cancellation", async () => {
  await run_virtual(async () => {
    const stubborn = () => asyncio.sleep(3600).catch(() => "swallowed");
    assertEquals(await asyncio.wait_for(asyncio.create_task(stubborn), 1), "swallowed");
    assertEquals(await asyncio.wait_for(stubborn, 1), "swallowed");
  });
});

Deno.test("wait_for() with no time starts no coroutine, but gives the result of what is done", async () => {
  await run_virtual(async () => {
    let ran = false;
    for (const timeout of [0, -1]) {
      const error = await error_of(asyncio.wait_for(() => void (ran = true), timeout));
      assertInstanceOf(error, asyncio.TimeoutError);
      assertInstanceOf(error.cause, asyncio.CancelledError);
    }
    assertEquals(ran, false);
    const done = asyncio.sleep(1, "done");
    await done;
    assertEquals(await asyncio.wait_for(done, 0), "done");
  });
});

Deno.test("cancelling wait_for() cancels the work and comes out as CancelledError", async () => {
  await run_virtual(async () => {
    const work = asyncio.create_task(() => asyncio.sleep(5));
    const waiting = asyncio.create_task(() => asyncio.wait_for(work, 10));
    await asyncio.sleep(1);
    waiting.cancel("outside");
    assertEquals((await error_of(waiting)).message, "outside");
    assert(work.cancelled());
  });
});

Deno.test("wait_for() of a promise abandons it, and its later error surfaces nowhere", async () => {
  const { code, stdout, stderr } = await run_program(`
    await asyncio.run(async () => {
      const { promise, reject } = Promise.withResolvers<void>();
      try { await asyncio.wait_for(promise, 0.001); } catch (error) { console.log((error as Error).name); }
      reject(new Error("abandoned"));
      await asyncio.sleep(0.01);
    });`);
  assertEquals([code, stdout, stderr], [0, "TimeoutError\n", ""]);
});

Deno.test("K1: a cancellation that arrives in the same iteration as the result is not lost", async () => {
  await run_virtual(async () => {
    for (const result_first of [true, false]) {
      const future = new asyncio.Future<string>();
      const task = asyncio.create_task(async () => {
        await asyncio.wait_for(future, 10);
        await asyncio.sleep(3600);
      });
      await asyncio.sleep(1);
      if (result_first) future.set_result("result");
      task.cancel();
      assertInstanceOf(await error_of(task), asyncio.CancelledError);
      assertEquals(task.cancelling(), 1);
    }
  });
});

Deno.test("K2: a result that comes in the same iteration as the timeout is returned", async () => {
  await run_virtual(async () => {
    const future = new asyncio.Future<string>();
    asyncio.get_running_loop().call_later(1, () => future.set_result("just in time"));
    assertEquals(await asyncio.wait_for(future, 1), "just in time");
    assertEquals(asyncio.current_task()!.cancelling(), 0);
    await asyncio.sleep(1);
  });
});

Deno.test("shield() keeps the work going when the waiter is cancelled", async () => {
  await run_virtual(async () => {
    const work = asyncio.create_task(() => asyncio.sleep(2, "saved"));
    const waiting = asyncio.create_task(() => asyncio.shield(work));
    await asyncio.sleep(1);
    waiting.cancel();
    assertInstanceOf(await error_of(waiting), asyncio.CancelledError);
    assertEquals(await work, "saved");
  });
});

Deno.test("shield() ends as the work ends, and gives a future that is done back as it is", async () => {
  await run_virtual(async () => {
    assertEquals(await asyncio.shield(() => asyncio.sleep(1, "value")), "value");
    assertEquals((await error_of(asyncio.shield(reject("no")))).message, "no");
    const work = asyncio.create_task(() => asyncio.sleep(5));
    const shielded = asyncio.shield(work);
    work.cancel();
    assertInstanceOf(await error_of(shielded), asyncio.CancelledError);
    assertStrictEquals(asyncio.shield(work), work);
  });
});

Deno.test("K10: a late error of shielded work is reported once, and only if nobody ever asks for it", async () => {
  let reports: ReturnType<typeof collect_reports> = [];
  await run_virtual(async () => {
    reports = collect_reports();
    const heard = asyncio.create_task(reject("heard", 2));
    for (const work of [heard, asyncio.create_task(reject("lost", 2))]) {
      const shielded = asyncio.shield(work);
      await asyncio.sleep(0);
      shielded.cancel();
    }
    assertEquals((await error_of(heard)).message, "heard");
    await asyncio.sleep(1);
  });
  assertEquals(reports.map(({ exception }) => (exception as Error).message), ["lost"]);
});

Deno.test("as_completed() gives the futures themselves in the order in which they end", async () => {
  await run_virtual(async () => {
    const tasks = [3, 1, 2].map((delay) => asyncio.create_task(() => asyncio.sleep(delay, delay)));
    const given: asyncio.Future<number>[] = [];
    for await (const task of asyncio.as_completed([...tasks, tasks[0]])) {
      assert(task.done());
      given.push(task);
    }
    assertEquals(given.map((task) => tasks.indexOf(task as asyncio.Task<number>)), [1, 2, 0]);
  });
});

Deno.test("as_completed() in a plain for gives futures of the next results, and errors come out of them", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const works = [() => asyncio.sleep(3, "three"), reject("two", 2), () => asyncio.sleep(1, "one")];
    for (const next of asyncio.as_completed(works)) {
      try {
        log(await next);
      } catch (error) {
        log(`error:${(error as Error).message}`);
      }
    }
    assertEquals(text(), "one error:two three");
  });
});

Deno.test("as_completed() throws TimeoutError from the iteration, and leaves the work running", async () => {
  await run_virtual(async () => {
    const tasks = [1, 5].map((delay) => asyncio.create_task(() => asyncio.sleep(delay, delay)));
    const seen: number[] = [];
    const error = await error_of((async () => {
      for await (const task of asyncio.as_completed(tasks, { timeout: 2 })) seen.push(task.result());
    })());
    assertInstanceOf(error, asyncio.TimeoutError);
    assertEquals([seen, asyncio.get_running_loop().time(), tasks[1].done()], [[1], 2, false]);
    assertEquals(await tasks[1], 5);
  });
});

Deno.test("leaving as_completed() early does not cancel the rest, nor leave its timer", async () => {
  await run_virtual(async () => {
    const tasks = [1, 5].map((delay) => asyncio.create_task(() => asyncio.sleep(delay, delay)));
    for await (const _ of asyncio.as_completed(tasks, { timeout: 3600 })) break;
    assertEquals(await tasks[1], 5);
  });
  // deno-lint-ignore no-explicit-any
  const as_completed = asyncio.as_completed as any;
  assertThrows(() => as_completed(1), TypeError, '"awaitables" must be an iterable of awaitables, got 1');
});

Deno.test("ensure_future() returns a future as it is, makes tasks of coroutines and wraps promises", async () => {
  await run_virtual(async () => {
    const future = asyncio.sleep(1, "future");
    assertStrictEquals(asyncio.ensure_future(future), future);
    const task = asyncio.ensure_future(() => "task");
    assertInstanceOf(task, asyncio.Task);
    assertEquals(await asyncio.gather(future, task, asyncio.ensure_future(Promise.resolve("promise"))), [
      "future",
      "task",
      "promise",
    ]);
    const text = "An asyncio.Future, a coroutine or an awaitable is required, got null";
    // deno-lint-ignore no-explicit-any
    assertThrows(() => asyncio.ensure_future(null as any), TypeError, text);
  });
});

Deno.test("K7: a task that swallows its cancellation is seen in cancelling(), and a second request reaches it", async () => {
  await run_virtual(async () => {
    const task = asyncio.create_task(async () => {
      await asyncio.sleep(3600).catch(() => {});
      await asyncio.sleep(3600);
    });
    await asyncio.sleep(1);
    task.cancel();
    await asyncio.sleep(1);
    assertEquals([task.done(), task.cancelling()], [false, 1]);
    task.cancel();
    assertInstanceOf(await error_of(task), asyncio.CancelledError);
  });
});

Deno.test("a cancelled next() of as_completed() loses no future", async () => {
  await run_virtual(async () => {
    const tasks = [2, 3].map((delay) => asyncio.create_task(() => asyncio.sleep(delay, delay)));
    const iterator = asyncio.as_completed(tasks)[Symbol.asyncIterator]();
    const waiting = asyncio.create_task(async () => void await iterator.next());
    await asyncio.sleep(1);
    waiting.cancel();
    await asyncio.wait([waiting]);
    const given: number[] = [];
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) given.push(next.value.result());
    assertEquals(given, [2, 3]);
  });
});
