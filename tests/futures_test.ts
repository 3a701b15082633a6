import { AsyncLocalStorage } from "node:async_hooks";
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";
import { collect_reports, error_of, run_program, run_virtual, Transcript } from "./_helpers.ts";
import { until } from "./_streams.ts";

Deno.test("a future is pending until it has a result, an error, or is cancelled", async () => {
  await run_virtual(() => {
    const future = new asyncio.Future<number>();
    assertEquals([future.done(), future.cancelled()], [false, false]);
    assertThrows(() => future.result(), asyncio.InvalidStateError, "Result is not set.");
    assertThrows(() => future.exception(), asyncio.InvalidStateError, "Exception is not set.");
    future.set_result(1);
    assertEquals([future.done(), future.cancelled(), future.result(), future.exception()], [true, false, 1, null]);

    const failed = new asyncio.Future<number>();
    const error = new RangeError("no");
    failed.set_exception(error);
    assertEquals([failed.done(), failed.cancelled()], [true, false]);
    assertStrictEquals(failed.exception(), error);
    assertThrows(() => failed.result(), RangeError, "no");

    const cancelled = new asyncio.Future<number>();
    assertEquals([cancelled.cancel("why"), cancelled.cancel()], [true, false]);
    assertEquals([cancelled.done(), cancelled.cancelled()], [true, true]);
    assertThrows(() => cancelled.result(), asyncio.CancelledError, "why");
    assertThrows(() => cancelled.exception(), asyncio.CancelledError, "why");
  });
});

Deno.test("a future that is done takes no other outcome", async () => {
  await run_virtual(() => {
    const finished = new asyncio.Future<number>();
    finished.set_result(1);
    const failed = new asyncio.Future<number>();
    failed.set_exception(new Error("no"));
    failed.exception();
    const cancelled = new asyncio.Future<number>();
    cancelled.cancel();
    for (const future of [finished, failed, cancelled]) {
      assertThrows(() => future.set_result(2), asyncio.InvalidStateError, "invalid state");
      assertThrows(() => future.set_exception(new Error()), asyncio.InvalidStateError, "invalid state");
      assertEquals(future.cancel(), false);
    }
    assertEquals(finished.result(), 1);
  });
});

Deno.test("set_exception() makes an instance of a class, and refuses undefined and null", async () => {
  await run_virtual(() => {
    const future = new asyncio.Future<number>();
    assertThrows(() => future.set_exception(undefined), TypeError, '"exception" must be an error, got undefined');
    assertThrows(() => future.set_exception(null), TypeError, '"exception" must be an error, got null');
    assertEquals(future.done(), false);
    future.set_exception(RangeError);
    assertInstanceOf(future.exception(), RangeError);
  });
});

Deno.test("done callbacks get the future, once each, in order, through the loop, also when it was done before", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const future = new asyncio.Future<number>();
    future.add_done_callback((each) => log(`one:${each === future}`));
    future.add_done_callback(() => log("two"));
    future.set_result(1);
    future.add_done_callback(() => log("three"));
    log("set");
    await asyncio.sleep(0);
    await asyncio.sleep(0);
    assertEquals(text(), "set one:true two three");
    // deno-lint-ignore no-explicit-any
    assertThrows(() => future.add_done_callback(1 as any), TypeError, '"fn" must be a function, got 1');
  });
});

Deno.test("remove_done_callback() takes back every registration of a function and counts them", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const future = new asyncio.Future<number>();
    const one = () => log("one");
    const two = () => log("two");
    for (const fn of [one, two, one, one]) future.add_done_callback(fn);
    assertEquals([future.remove_done_callback(one), future.remove_done_callback(one)], [3, 0]);
    future.set_result(1);
    await asyncio.sleep(0);
    assertEquals(text(), "two");
  });
});

Deno.test("a done callback that throws is reported, and the next ones run", async () => {
  await run_virtual(async () => {
    const reports = collect_reports();
    const { log, text } = new Transcript();
    const future = new asyncio.Future<number>();
    const boom = new Error("boom");
    future.add_done_callback(function bad() {
      throw boom;
    });
    future.add_done_callback(() => log("next"));
    future.set_result(1);
    await asyncio.sleep(0);
    assertEquals([text(), reports.length, reports[0].message], ["next", 1, "Exception in callback bad"]);
    assertStrictEquals(reports[0].exception, boom);
  });
});

Deno.test("a done callback runs in the context of the call that added it", async () => {
  const storage = new AsyncLocalStorage<string>();
  await run_virtual(async () => {
    const future = new asyncio.Future<number>();
    const seen: unknown[] = [];
    storage.run("adder", () => future.add_done_callback(() => seen.push(storage.getStore())));
    storage.run("setter", () => future.set_result(1));
    await asyncio.sleep(0);
    assertEquals(seen, ["adder"]);
  });
});

Deno.test("await, then(), catch() and finally() give a future's outcome", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const future = new asyncio.Future<number>();
    asyncio.get_running_loop().call_later(1, () => future.set_result(20));
    assertEquals(await future.then((value) => value + 1), 21);
    assertEquals(await future, 20);
    assertEquals(await future.catch(() => 0), 20);
    assertEquals(await future.finally(() => log("finally")), 20);
    const failed = new asyncio.Future<number>();
    failed.set_exception(new RangeError("no"));
    assertEquals(await failed.catch((error) => (error as Error).message), "no");
    assertEquals(await failed.then(null, () => "handled"), "handled");
    assertEquals((await error_of(failed.finally(() => log("too")))).message, "no");
    assertEquals((await error_of(failed)).message, "no");
    assertEquals(text(), "finally too");
  });
});

Deno.test("futures work in Promise.all(), race() and allSettled()", async () => {
  await run_virtual(async () => {
    assertEquals(await Promise.all([asyncio.sleep(2, "a"), asyncio.sleep(1, "b"), 3]), ["a", "b", 3]);
    const slow = asyncio.sleep(2, "slow");
    assertEquals(await Promise.race([slow, asyncio.sleep(1, "quick")]), "quick");
    slow.cancel();
    const settled = await Promise.allSettled([slow, asyncio.sleep(1, "b")]);
    assertEquals(settled.map((each) => each.status), ["rejected", "fulfilled"]);
  });
});

Deno.test("the message of cancel() comes to every waiter, in an error of its own", async () => {
  await run_virtual(async () => {
    const future = new asyncio.Future<number>();
    const waiters = [1, 2].map(() => asyncio.create_task(() => future));
    await asyncio.sleep(0);
    future.cancel("why");
    const errors = [await error_of(waiters[0]), await error_of(waiters[1])];
    assertEquals(errors.map((error) => error.message), ["why", "why"]);
    assert(errors[0] !== errors[1]);
  });
});

Deno.test("a waiter that is cancelled cancels the future it waits for", async () => {
  await run_virtual(async () => {
    const future = new asyncio.Future<number>();
    const task = asyncio.create_task(() => future);
    await asyncio.sleep(0);
    task.cancel("why");
    assertEquals(future.cancelled(), true);
    assertEquals((await error_of(task)).message, "why");
  });
});

Deno.test("an error that nobody asks for is reported at the end of run(), and is no unhandled rejection", async () => {
  const { code, stdout, stderr } = await run_program(`
    await asyncio.run(async () => {
      new asyncio.Future<void>().set_exception(new Error("lost future"));
      asyncio.create_task(() => Promise.reject(new Error("lost task")), { name: "background" });
      asyncio.gather(() => Promise.reject(new Error("lost gather")));
      await asyncio.sleep(0.01);
      console.log("main done");
    });
    console.log("after");`);
  assertEquals([code, stdout], [0, "main done\nafter\n"]);
  for (const text of ["Future exception was never retrieved", "Task exception was never retrieved"]) {
    assert(stderr.includes(text), stderr);
  }
  for (const text of ["lost future", "lost task", "lost gather", "background"]) assert(stderr.includes(text), stderr);
});

Deno.test("an error that nobody asks for is reported when its future is collected", async () => {
  const { stdout } = await run_program(`
    const { gc } = globalThis as any;
    await asyncio.run(async () => {
      asyncio.get_running_loop().set_exception_handler((_, context) => console.log(context.message, "" + context.exception));
      (() => void new asyncio.Future<void>().set_exception(new Error("lost")))();
      for (let i = 0; i < 5; i++) { await asyncio.sleep(0.01); gc(); }
      console.log("main done");
    });`);
  assertEquals(stdout, "Future exception was never retrieved Error: lost\nmain done\n");
});

Deno.test("an error that nobody asks for is reported by the default loop as the process ends", async () => {
  const { code, stderr } = await run_program(`
    new asyncio.Future<void>().set_exception(new Error("lost"));`);
  assertEquals(code, 0);
  assert(stderr.includes("Future exception was never retrieved"), stderr);
});

Deno.test("K9: an error of a background task is reported once, with the task, and not if somebody asked for it", async () => {
  let reports: ReturnType<typeof collect_reports> = [];
  let lost: unknown;
  await run_virtual(async () => {
    reports = collect_reports();
    const tasks = [1, 2, 3, 4].map((n) => asyncio.create_task(() => Promise.reject(new Error(`error ${n}`))));
    await asyncio.wait(tasks);
    tasks[0].exception();
    assertThrows(() => tasks[1].result(), Error, "error 2");
    await error_of(tasks[2]);
    lost = tasks[3];
  });
  assertEquals(reports.map(({ message }) => message), ["Task exception was never retrieved"]);
  assertStrictEquals(reports[0].task, lost);
  assertEquals((reports[0].exception as Error).message, "error 4");
});

Deno.test("isfuture() knows futures and tasks from promises and other values", async () => {
  await run_virtual(async () => {
    const task = asyncio.create_task(() => {});
    const values = [new asyncio.Future(), task, asyncio.sleep(0), Promise.resolve(), {}, null, () => {}];
    assertEquals(values.map(asyncio.isfuture), [true, true, true, false, false, false, false]);
    await task;
  });
});

Deno.test("wrap_future() follows a promise, and cancelling it abandons the promise without a trace", async () => {
  const { code, stdout, stderr } = await run_program(`
    await asyncio.run(async () => {
      console.log(await asyncio.wrap_future(Promise.resolve(42)));
      try { await asyncio.wrap_future(Promise.reject(new Error("no"))); } catch (error) { console.log("" + error); }
      const { promise, reject } = Promise.withResolvers<void>();
      const future = asyncio.wrap_future(promise);
      future.cancel();
      reject(new Error("abandoned"));
      await asyncio.sleep(0.01);
      console.log(future.cancelled(), asyncio.wrap_future(future) === future);
    });`);
  assertEquals([code, stdout, stderr], [0, "42\nError: no\ntrue true\n", ""]);
});

Deno.test("get_loop() is the loop of the code that made the future, or the one given", async () => {
  const other = asyncio.new_event_loop();
  await run_virtual(() => {
    assertStrictEquals(new asyncio.Future().get_loop(), asyncio.get_running_loop());
    assertStrictEquals(new asyncio.Future({ loop: other }).get_loop(), other);
    assertStrictEquals(other.create_future().get_loop(), other);
  });
  other.close();
});

Deno.test("a future prints its state and outcome", async () => {
  await run_virtual(() => {
    const future = new asyncio.Future<string>();
    assertEquals(Deno.inspect(future), "<Future pending>");
    future.set_result("text");
    assertEquals(Deno.inspect(future), '<Future finished result="text">');
    const failed = new asyncio.Future<string>();
    failed.set_exception(new RangeError("no"));
    assertEquals(Deno.inspect(failed), "<Future finished exception=RangeError: no>");
    failed.exception();
    const cancelled = new asyncio.Future<string>();
    cancelled.cancel();
    assertEquals(Deno.inspect(cancelled), "<Future cancelled>");
  });
});

Deno.test("awaiting a future that is done delivers no pending cancellation", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const done = new asyncio.Future<string>();
    done.set_result("value");
    const task = asyncio.create_task(async () => {
      asyncio.current_task()!.cancel();
      log(await done);
      await asyncio.sleep(0).catch((error) => log((error as Error).name));
    });
    await task;
    assertEquals(text(), "value CancelledError");
  });
});

Deno.test("then() of a pending future fails by itself, though its function returned a promise that is handled elsewhere", async () => {
  const reasons: unknown[] = [];
  const note = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    reasons.push(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", note);
  try {
    const error = new Error("refused");
    const handled = Promise.reject(error);
    handled.catch(() => {});
    const future = new asyncio.Future<void>();
    future.then(() => handled);
    future.set_result();
    await until(() => reasons.length > 0, "the rejection shows");
    assertEquals(reasons, [error]);
  } finally {
    globalThis.removeEventListener("unhandledrejection", note);
  }
});

Deno.test("then() whose function returns the promise that then() gave fails, as a promise does", async () => {
  const future = new asyncio.Future<void>();
  const circle: Promise<unknown> = future.then(() => circle);
  future.set_result();
  await assertRejects(() => circle, TypeError, "Chaining cycle detected");
});

Deno.test("a callback that returns what then() gave has its failure reported, as any async callback", async () => {
  await asyncio.run(async () => {
    const loop = asyncio.get_running_loop();
    const reports = collect_reports(loop);
    const future = loop.create_future<void>();
    const error = new Error("from then()");
    const fail = () =>
      future.then(() => {
        throw error;
      });
    loop.call_soon(fail);
    await asyncio.sleep(0);
    future.set_result();
    await until(() => reports.length > 0, "the failure is reported");
    assertEquals(reports.map(({ exception }) => exception), [error]);
  });
});

Deno.test("a task that waits for the future which a function of then() returned is cancelled through it", async () => {
  await asyncio.run(async () => {
    const first = new asyncio.Future<void>();
    const second = new asyncio.Future<void>();
    const task = asyncio.create_task(async () => await first.then(() => second));
    await asyncio.sleep(0);
    first.set_result();
    await asyncio.sleep(0.005);
    task.cancel();
    await asyncio.sleep(0.005);
    assert(second.cancelled() && task.cancelled());
    second.cancel();
  });
});
