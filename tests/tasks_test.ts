import { AsyncLocalStorage } from "node:async_hooks";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertStrictEquals,
  assertThrows,
  fail,
} from "@std/assert";
import * as asyncio from "../mod.ts";
import { collect_reports, error_of, run_program, run_virtual, Transcript } from "./_helpers.ts";

Deno.test("create_task() starts the body in the next iteration, never at once", async () => {
  const { log, text } = new Transcript();
  await run_virtual(async () => {
    const task = asyncio.create_task(() => log("body"));
    log("made");
    await task;
    log("done");
  });
  assertEquals(text(), "made body done");
});

Deno.test("a task gives the result of its coroutine, whether a function, a Coroutine or a future", async () => {
  await run_virtual(async () => {
    const double = asyncio.coroutine((n: number) => asyncio.sleep(0, 2 * n));
    assertEquals(await asyncio.create_task(async () => await asyncio.sleep(1, "function")), "function");
    assertEquals(await asyncio.create_task(() => asyncio.sleep(1, "thenable")), "thenable");
    assertEquals(await asyncio.create_task(() => "plain"), "plain");
    assertEquals(await asyncio.create_task(double(21)), 42);
    assertEquals(await asyncio.create_task(asyncio.sleep(1, "future")), "future");
  });
});

Deno.test("create_task() refuses a promise with a TypeError that shows the fix", async () => {
  await run_virtual(() => {
    // deno-lint-ignore no-explicit-any
    const error = assertThrows(() => asyncio.create_task(Promise.resolve(1) as any), TypeError) as Error;
    assertEquals(
      error.message,
      "a coroutine was expected, got a promise, which cannot be cancelled: " +
        "pass a function, as in create_task(() => work(1)), not create_task(work(1))",
    );
    // deno-lint-ignore no-explicit-any
    assertThrows(() => asyncio.create_task(42 as any), TypeError, "a coroutine was expected, got 42");
    assertEquals(asyncio.all_tasks().size, 1);
  });
});

Deno.test("a rejected promise given to create_task() by mistake does not end the process", async () => {
  const { code, stdout } = await run_program(`
    await asyncio.run(async () => {
      const work = Promise.reject(new Error("boom"));
      try { asyncio.create_task(work as any); } catch (error) { console.log((error as Error).name); }
      work.catch(() => {});
      await asyncio.sleep(0.01);
    });`);
  assertEquals([code, stdout], [0, "TypeError\n"]);
});

Deno.test("the body of a task that is cancelled before it started never runs", async () => {
  await run_virtual(async () => {
    let ran = false;
    const task = asyncio.create_task(() => void (ran = true));
    assertEquals(task.cancel("early"), true);
    assertEquals([task.done(), task.cancelled()], [false, false]);
    const error = await error_of(task);
    assertInstanceOf(error, asyncio.CancelledError);
    assertEquals([error.message, task.cancelled(), ran], ["early", true, false]);
  });
});

Deno.test("a future made a task and cancelled before the task started is cancelled too", async () => {
  await run_virtual(async () => {
    const future = asyncio.sleep(3600);
    const task = asyncio.create_task(future);
    task.cancel();
    await error_of(task);
    assertEquals(future.cancelled(), true);
  });
});

Deno.test("cancel() throws CancelledError with its message where the task waits", async () => {
  await run_virtual(async () => {
    let seen: unknown;
    const task = asyncio.create_task(async () => {
      try {
        await asyncio.sleep(3600);
      } catch (error) {
        seen = error;
        throw error;
      }
    });
    await asyncio.sleep(1);
    assertEquals(task.cancel("why"), true);
    const error = await error_of(task);
    assertInstanceOf(seen, asyncio.CancelledError);
    assertStrictEquals(error, seen);
    assertEquals([error.message, task.cancelled(), task.cancel()], ["why", true, false]);
    assertEquals(asyncio.get_running_loop().time(), 1);
  });
});

Deno.test("a task may swallow a cancellation and go on, and cancelling() still counts the request", async () => {
  await run_virtual(async () => {
    const task = asyncio.create_task(async () => {
      try {
        await asyncio.sleep(3600);
      } catch {
        await asyncio.sleep(1);
      }
      return "survived";
    });
    await asyncio.sleep(0);
    task.cancel();
    assertEquals(await task, "survived");
    assertEquals([task.cancelling(), task.cancelled()], [1, false]);
  });
});

Deno.test("a body that throws CancelledError itself marks its task as cancelled", async () => {
  await run_virtual(async () => {
    const task = asyncio.create_task(() => {
      throw new asyncio.CancelledError("own");
    });
    const error = await error_of(task);
    assertEquals([error.message, task.cancelled(), task.cancelling()], ["own", true, 0]);
    assertEquals((await error_of(task)).message, "own");
  });
});

Deno.test("uncancel() takes requests back, never goes below 0, and at 0 drops one not yet delivered", async () => {
  await run_virtual(async () => {
    const task = asyncio.create_task(async () => {
      const me = asyncio.current_task()!;
      assertEquals([me.cancelling(), me.uncancel()], [0, 0]);
      me.cancel();
      me.cancel();
      assertEquals([me.cancelling(), me.uncancel(), me.cancelling(), me.uncancel()], [2, 1, 1, 0]);
      await asyncio.sleep(1);
      return "went on";
    });
    assertEquals(await task, "went on");
  });
});

Deno.test("a request that uncancel() leaves open is still delivered", async () => {
  await run_virtual(async () => {
    const task = asyncio.create_task(async () => {
      const me = asyncio.current_task()!;
      me.cancel("first");
      me.cancel("second");
      me.uncancel();
      await asyncio.sleep(1);
    });
    assertEquals((await error_of(task)).message, "second");
  });
});

Deno.test("a task cancelled between its last wait and its return ends as cancelled", async () => {
  await run_virtual(async () => {
    const task = asyncio.create_task(async () => {
      await asyncio.sleep(0);
      asyncio.current_task()!.cancel("late");
      return "lost";
    });
    assertEquals((await error_of(task)).message, "late");
    assert(task.cancelled());
  });
});

Deno.test("cancelling a task that waits for a task cancels the inner one and both end as cancelled", async () => {
  await run_virtual(async () => {
    const inner = asyncio.create_task(() => asyncio.sleep(3600));
    const outer = asyncio.create_task(async () => await inner);
    await asyncio.sleep(1);
    outer.cancel("down");
    assertEquals((await error_of(outer)).message, "down");
    assertEquals([inner.cancelled(), outer.cancelled(), inner.cancelling(), outer.cancelling()], [true, true, 1, 1]);
  });
});

Deno.test("cancelling a task whose Promise.all() has several branches cancels every branch", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    async function branch(name: string) {
      try {
        await asyncio.sleep(3600);
      } catch (error) {
        log(`${name}:${(error as Error).message}`);
        throw error;
      }
    }
    const task = asyncio.create_task(async () => {
      await Promise.all([branch("a"), branch("b"), asyncio.sleep(7200), branch("c")]);
    });
    await asyncio.sleep(1);
    task.cancel("all");
    assertEquals((await error_of(task)).message, "all");
    await asyncio.sleep(0);
    // The order is free: the branches are one task.
    assertEquals(text().split(" ").sort().join(" "), "a:all b:all c:all");
    assertEquals(asyncio.get_running_loop().time(), 1);
  });
});

Deno.test("a branch of Promise.all() that was just woken hears of the cancellation too", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const future = new asyncio.Future<string>();
    async function branch(name: string, wait: asyncio.Future<unknown>) {
      try {
        await wait;
        log(`${name} woken`);
      } catch (error) {
        log(`${name}:${(error as Error).name}`);
      }
    }
    const task = asyncio.create_task(async () => {
      await Promise.all([branch("woken", future), branch("waiting", asyncio.sleep(3600))]);
    });
    await asyncio.sleep(0);
    future.set_result("item");
    task.cancel();
    await task;
    assertEquals(text().split(" ").sort().join(" "), "waiting:CancelledError woken:CancelledError");
  });
});

Deno.test("a task that awaits itself gets a RuntimeError", async () => {
  await run_virtual(async () => {
    const task: asyncio.Task<void> = asyncio.create_task(async () => await task, { name: "me" });
    const error = await error_of(task);
    assertInstanceOf(error, asyncio.RuntimeError);
    assertMatch(error.message, /^Task cannot await on itself: <Task "me" pending/);
  });
});

Deno.test("set_result() and set_exception() of a task are refused", async () => {
  await run_virtual(async () => {
    const task = asyncio.create_task(() => asyncio.sleep(1));
    // deno-lint-ignore no-explicit-any
    const open = task as any;
    assertThrows(() => open.set_result(1), asyncio.RuntimeError, "Task does not support set_result operation");
    assertThrows(() => open.set_exception(1), asyncio.RuntimeError, "Task does not support set_exception operation");
    await task;
  });
});

Deno.test("tasks are named by number unless they are given a name, which may be changed", async () => {
  await run_virtual(async () => {
    const first = asyncio.create_task(() => {});
    const second = asyncio.create_task(() => {});
    assertMatch(first.get_name(), /^Task-\d+$/);
    assertEquals(Number(second.get_name().slice(5)), Number(first.get_name().slice(5)) + 1);
    const named = asyncio.create_task(() => {}, { name: "worker" });
    assertEquals(named.get_name(), "worker");
    named.set_name("other");
    assertEquals(named.get_name(), "other");
    await asyncio.wait([first, second, named]);
  });
});

Deno.test("current_task() is the running task, and null in callbacks and outside", async () => {
  assertEquals(asyncio.current_task(), null);
  await run_virtual(async () => {
    const seen: unknown[] = [];
    const task: asyncio.Task<void> = asyncio.create_task(async () => {
      seen.push(asyncio.current_task());
      await asyncio.sleep(1);
      seen.push(asyncio.current_task());
    });
    asyncio.get_running_loop().call_soon(() => seen.push(asyncio.current_task()));
    task.add_done_callback(() => seen.push(asyncio.current_task()));
    await task;
    await asyncio.sleep(0);
    assertEquals(seen.map((each) => each === task ? "task" : each), ["task", null, "task", null]);
    assertEquals(asyncio.current_task(asyncio.get_running_loop())?.done(), false);
  });
});

Deno.test("all_tasks() holds the tasks that are not done", async () => {
  await run_virtual(async () => {
    const me = asyncio.current_task()!;
    const task = asyncio.create_task(() => asyncio.sleep(1));
    assertEquals(asyncio.all_tasks(), new Set([me, task as asyncio.Task<unknown>]));
    await task;
    assertEquals(asyncio.all_tasks(), new Set([me]));
    assertEquals(asyncio.all_tasks(asyncio.new_event_loop()).size, 0);
  });
});

Deno.test("K8: the loop holds a task that nobody else refers to until it is done", async () => {
  const { code, stdout, stderr } = await run_program(`
    const { gc } = globalThis as any;
    await asyncio.run(async () => {
      for (let i = 0; i < 3; i++) {
        asyncio.create_task(async () => {
          const waiter = new asyncio.Future<number>();
          const weak = new WeakRef(waiter);
          asyncio.get_running_loop().call_later(0.02, () => weak.deref()?.set_result(i));
          console.log(await waiter);
        });
      }
      for (let i = 0; i < 5; i++) { gc(); await asyncio.sleep(0.01); }
    });`);
  assertEquals([code, stdout, stderr], [0, "0\n1\n2\n", ""]);
});

Deno.test("a user's AsyncLocalStorage value follows into tasks, callbacks, timers and done callbacks", async () => {
  const storage = new AsyncLocalStorage<string>();
  await run_virtual(async () => {
    const seen: string[] = [];
    const note = (where: string) => seen.push(`${where}=${storage.getStore()}`);
    const loop = asyncio.get_running_loop();
    const task = storage.run("one", () => {
      const task = asyncio.create_task(async () => {
        note("start");
        await asyncio.sleep(2);
        note("later");
        await asyncio.async_with(asyncio.timeout(5), () => note("block"));
      });
      loop.call_soon(note, "soon");
      loop.call_later(1, note, "timer");
      task.add_done_callback(() => note("done"));
      return task;
    });
    await storage.run("two", () => task);
    note("main");
    await asyncio.sleep(0);
    assertEquals(seen.sort(), [
      "block=one",
      "done=one",
      "later=one",
      "main=undefined",
      "soon=one",
      "start=one",
      "timer=one",
    ]);
  });
});

Deno.test("the context option runs a task, a callback or a done callback in another context", async () => {
  const storage = new AsyncLocalStorage<string>();
  const context = storage.run("other", () => AsyncLocalStorage.snapshot()) as <R>(fn: () => R) => R;
  await run_virtual(async () => {
    const seen: unknown[] = [];
    const note = () => void seen.push(storage.getStore());
    await storage.run("mine", async () => {
      const task = asyncio.create_task(async () => {
        note();
        assertEquals(asyncio.current_task()?.get_name(), "inside");
        await asyncio.sleep(1);
        note();
      }, { context, name: "inside" });
      task.add_done_callback(note, { context });
      asyncio.get_running_loop().call_soon_in(note, [], { context });
      await task;
      await asyncio.sleep(0);
      note();
    });
    assertEquals(seen, ["other", "other", "other", "other", "mine"]);
  });
});

Deno.test("task.signal aborts with the CancelledError when the task is cancelled", async () => {
  await run_virtual(async () => {
    let signal: AbortSignal | undefined;
    const task = asyncio.create_task(async () => {
      signal = asyncio.current_task()!.signal;
      await new Promise((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason)));
    });
    await asyncio.sleep(1);
    assertEquals([signal!.aborted, asyncio.current_task()!.signal.aborted], [false, false]);
    task.cancel("stop");
    assert(signal!.aborted);
    assertInstanceOf(signal!.reason, asyncio.CancelledError);
    assertEquals((await error_of(task)).message, "stop");
    assert(task.cancelled());
    assert(task.signal.aborted);
  });
});

Deno.test("task.signal stops a fetch() that is waiting for its answer", async () => {
  const answer = Promise.withResolvers<Response>();
  const server = Deno.serve({ port: 0, onListen() {} }, () => answer.promise);
  try {
    await asyncio.run(async () => {
      const task = asyncio.create_task(async () => {
        await fetch(`http://127.0.0.1:${server.addr.port}`, { signal: asyncio.current_task()!.signal });
      });
      await asyncio.sleep(0.02);
      task.cancel();
      assertInstanceOf(await error_of(task), asyncio.CancelledError);
    });
  } finally {
    answer.resolve(new Response());
    await server.shutdown();
  }
});

Deno.test("task.signal read inside a timeout aborts when the timeout expires, and not in another branch", async () => {
  await run_virtual(async () => {
    const me = asyncio.current_task()!;
    const outer = me.signal;
    const branch = asyncio.async_with(asyncio.timeout(1), async () => {
      const inner = me.signal;
      await new Promise((_, reject) => inner.addEventListener("abort", () => reject(inner.reason)));
    });
    assertInstanceOf(await error_of(branch), asyncio.TimeoutError);
    assertEquals(outer.aborted, false);
  });
});

Deno.test("after a cancellation that the task survived, task.signal is a new one", async () => {
  await run_virtual(async () => {
    const signals: AbortSignal[] = [];
    const task = asyncio.create_task(async () => {
      for (let i = 0; i < 2; i++) {
        signals.push(asyncio.current_task()!.signal);
        await asyncio.sleep(3600).catch(() => {});
      }
    });
    await asyncio.sleep(1);
    task.cancel();
    await asyncio.sleep(1);
    assertEquals(signals.map((signal) => signal.aborted), [true, false]);
    task.cancel();
    await task;
  });
});

Deno.test("code that a task left running does not keep the loop, and its waits do no harm", async () => {
  await run_virtual(async () => {
    const reports = collect_reports();
    let resumed = false;
    await asyncio.create_task(() => {
      void (async () => {
        await asyncio.sleep(1);
        resumed = true;
      })();
    });
    await asyncio.sleep(2);
    assertEquals([resumed, reports], [true, []]);
  });
});

Deno.test("an error of a task comes to every waiter, and exception() gives it without throwing", async () => {
  await run_virtual(async () => {
    const boom = new Error("boom");
    const task = asyncio.create_task(() => Promise.reject(boom));
    const waiters = [1, 2].map(() => asyncio.create_task(() => task));
    for (const waiter of waiters) assertStrictEquals(await error_of(waiter), boom);
    assertStrictEquals(task.exception(), boom);
    assertThrows(() => task.result(), Error, "boom");
    assertEquals([task.done(), task.cancelled()], [true, false]);
  });
});

Deno.test("a task that throws something that is no error still ends with one", async () => {
  await run_virtual(async () => {
    const undefined_thrown = await error_of(asyncio.create_task(() => Promise.reject(undefined)));
    assertEquals([undefined_thrown.name, undefined_thrown.message], ["Error", "Thrown: undefined"]);
    assertEquals(await error_of(asyncio.create_task(() => Promise.reject("text"))), "text");
  });
});

Deno.test("get_coro() and get_loop() tell what a task is made of and where it runs", async () => {
  await run_virtual(async () => {
    const work = async () => {};
    const task = asyncio.create_task(work);
    assertStrictEquals(task.get_coro(), work);
    assertStrictEquals(task.get_loop(), asyncio.get_running_loop());
    await task;
  });
});

Deno.test("a task prints its name, its state and what it waits for", async () => {
  await run_virtual(async () => {
    const inner = asyncio.create_task(() => new asyncio.Future<void>(), { name: "inner" });
    const outer = asyncio.create_task(() => inner, { name: "outer" });
    await asyncio.sleep(0);
    assertEquals(Deno.inspect(inner), '<Task "inner" pending, waits for <Future pending>>');
    assertEquals(Deno.inspect(outer), '<Task "outer" pending, waits for <Task "inner">>');
    outer.cancel();
    await error_of(outer);
    assertEquals(Deno.inspect(outer), '<Task "outer" cancelled>');
  });
});

Deno.test("with eager_task_factory a task starts inside create_task(), up to its first wait", async () => {
  const { log, text } = new Transcript();
  await run_virtual(async () => {
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory);
    const task = asyncio.create_task(async () => {
      log(`in:${asyncio.current_task()?.get_name()}`);
      await asyncio.sleep(0);
      log("on");
      return 1;
    }, { name: "eager" });
    log("made");
    log(await task);
    const quick = asyncio.create_task(async () => await "quick");
    assertEquals(await quick, "quick");
    const failing = asyncio.create_task(() => {
      throw new RangeError("at once");
    });
    assertEquals((await error_of(failing)).message, "at once");
    await asyncio.async_with(new asyncio.TaskGroup(), (group) => {
      group.create_task(() => log("group"));
    });
  });
  assertEquals(text(), "in:eager made on 1 group");
});

Deno.test("an eager task can be cancelled as it waits", async () => {
  await run_virtual(async () => {
    const task = asyncio.create_task(() => asyncio.sleep(3600), { eager_start: true });
    task.cancel();
    assertInstanceOf(await error_of(task), asyncio.CancelledError);
  });
});

Deno.test("create_eager_task_factory() makes tasks of a subclass, and set_task_factory(null) plain ones", async () => {
  await run_virtual(async () => {
    class Special<T> extends asyncio.Task<T> {}
    const loop = asyncio.get_running_loop();
    const factory = asyncio.create_eager_task_factory(Special);
    loop.set_task_factory(factory);
    assertStrictEquals(loop.get_task_factory(), factory);
    assertInstanceOf(asyncio.create_task(() => {}), Special);
    loop.set_task_factory(null);
    const plain = asyncio.create_task(() => {});
    assertEquals(plain instanceof Special, false);
    await plain;
  });
});

Deno.test("sleep() gives its result after its delay, refuses NaN, and ends its timer when cancelled", async () => {
  await run_virtual(async () => {
    const loop = asyncio.get_running_loop();
    assertEquals(await asyncio.sleep(2.5, "rested"), "rested");
    assertEquals(loop.time(), 2.5);
    assertEquals(await asyncio.sleep(0, "zero"), "zero");
    assertEquals(await asyncio.sleep(-1), undefined);
    assertEquals(loop.time(), 2.5);
    assertThrows(() => asyncio.sleep(NaN), RangeError, "Invalid delay: NaN (not a number)");
    // deno-lint-ignore no-explicit-any
    assertThrows(() => asyncio.sleep("1" as any), TypeError, '"delay" must be a number, got "1"');
    const sleeping = asyncio.sleep(3600);
    assertEquals([sleeping.cancel(), sleeping.cancel(), sleeping.cancelled()], [true, false, true]);
  });
});

Deno.test("what a task awaits of another loop's tasks reaches it, and cancelling reaches back", async () => {
  const other = asyncio.new_event_loop();
  const working = other.run_until_complete(async () => {
    try {
      await asyncio.sleep(3600);
    } catch (error) {
      return `other: ${(error as Error).name}`;
    }
  });
  const [foreign] = asyncio.all_tasks(other);
  await asyncio.run(async () => {
    const task = asyncio.create_task(async () => await foreign);
    await asyncio.sleep(0.01);
    task.cancel();
    assertEquals(await task, "other: CancelledError");
  });
  assertEquals(await working, "other: CancelledError");
  other.close();
});

Deno.test("a context that fails, or does not call what it is given, is an error of the call, and leaves no task", async () => {
  await asyncio.run(async () => {
    const loop = asyncio.get_running_loop();
    const failing: Readonly<Record<string, asyncio.ContextRunner>> = {
      "fails at once": () => {
        throw new RangeError("no context");
      },
      "fails afterwards": (fn) => {
        fn();
        throw new RangeError("no context");
      },
    };
    const idle = (() => {}) as unknown as asyncio.ContextRunner;
    for (const context of Object.values(failing)) {
      assertThrows(() => asyncio.create_task(() => fail("It ran"), { context }), RangeError, "no context");
    }
    assertThrows(() => asyncio.create_task(() => fail("It ran"), { context: idle }), TypeError, '"context"');
    assertThrows(
      () => asyncio.create_task(() => fail("It ran"), { context: idle, eager_start: true }),
      TypeError,
      '"context"',
    );
    assertThrows(() => loop.call_soon_in(() => fail("It ran"), [], { context: idle }), TypeError, '"context"');
    assertEquals([...asyncio.all_tasks()], [asyncio.current_task()]);
    let starts = 0;
    const twice: asyncio.ContextRunner = (fn) => (fn(), fn());
    await asyncio.create_task(() => void starts++, { context: twice, eager_start: true });
    assertEquals(starts, 1);
  });
});
