import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";
import { error_of, run_virtual, Transcript } from "./_helpers.ts";

const { async_with, timeout } = asyncio;

Deno.test("timeout() turns the cancellation of its body into a TimeoutError caused by the CancelledError", async () => {
  await run_virtual(async () => {
    const me = asyncio.current_task()!;
    let seen: unknown;
    const deadline = timeout(1);
    const error = await error_of(async_with(deadline, async () => {
      try {
        await asyncio.sleep(3600);
      } catch (error) {
        seen = error;
        assertEquals([deadline.expired(), me.cancelling()], [true, 1]);
        throw error;
      }
    }));
    assertInstanceOf(error, asyncio.TimeoutError);
    assertInstanceOf(seen, asyncio.CancelledError);
    assertStrictEquals(error.cause, seen);
    assertEquals([deadline.expired(), me.cancelling(), asyncio.get_running_loop().time()], [true, 0, 1]);
    await asyncio.sleep(1);
  });
});

Deno.test("timeout() leaves a body that is in time alone, and gives what it returns", async () => {
  await run_virtual(async () => {
    const deadline = timeout(2);
    assertEquals(await async_with(deadline, () => asyncio.sleep(1, "in time")), "in time");
    assertEquals([deadline.expired(), deadline.when()], [false, 2]);
    await asyncio.sleep(5);
    assertEquals(asyncio.current_task()!.cancelling(), 0);
  });
});

Deno.test("the body of an expired timeout that ends well gives no error, and one that fails keeps its own", async () => {
  await run_virtual(async () => {
    const deadline = timeout(1);
    assertEquals(await async_with(deadline, () => asyncio.sleep(3600).catch(() => "swallowed")), "swallowed");
    assertEquals([deadline.expired(), asyncio.current_task()!.cancelling()], [true, 0]);
    const error = await error_of(async_with(timeout(1), () =>
      asyncio.sleep(3600).catch(() => {
        throw new RangeError("own");
      })));
    assertEquals(error.message, "own");
    await asyncio.sleep(1);
  });
});

Deno.test("K6: timeout(0) and a negative one cancel the very next wait, even sleep(0)", async () => {
  await run_virtual(async () => {
    for (const delay of [0, -1]) {
      let went_on = false;
      const error = await error_of(async_with(timeout(delay), async () => {
        await asyncio.sleep(0);
        went_on = true;
      }));
      assertInstanceOf(error, asyncio.TimeoutError);
      assertEquals(went_on, false);
    }
    assertEquals(await async_with(timeout(0), () => "no wait"), "no wait");
    await asyncio.sleep(0);
  });
});

Deno.test("timeout(null) never expires", async () => {
  await run_virtual(async () => {
    const deadline = timeout(null);
    await async_with(deadline, () => asyncio.sleep(1e6));
    assertEquals([deadline.when(), deadline.expired()], [null, false]);
  });
});

Deno.test("reschedule() moves the deadline, takes it away, and to the past expires at once", async () => {
  await run_virtual(async () => {
    const loop = asyncio.get_running_loop();
    await async_with(timeout(1), async (deadline) => {
      deadline.reschedule(loop.time() + 10);
      await asyncio.sleep(5);
      assertEquals(deadline.when(), 10);
      deadline.reschedule(null);
      await asyncio.sleep(3600);
    });
    const start = loop.time();
    const error = await error_of(async_with(timeout(null), async (deadline) => {
      deadline.reschedule(start - 1);
      assertEquals(deadline.expired(), false);
      await asyncio.sleep(3600);
    }));
    assertInstanceOf(error, asyncio.TimeoutError);
    assertEquals(loop.time(), start);
  });
});

Deno.test("a Timeout is entered once, and rescheduled only while it is active", async () => {
  await run_virtual(async () => {
    const deadline = timeout(1);
    assertThrows(() => deadline.reschedule(2), asyncio.RuntimeError, "Timeout has not been entered");
    await async_with(deadline, () => {});
    assertThrows(() => deadline.reschedule(2), asyncio.RuntimeError, "Cannot change state of finished Timeout");
    assertEquals((await error_of(async_with(deadline, () => {}))).message, "Timeout has already been entered");
    const expired = timeout(0);
    await error_of(async_with(expired, () => asyncio.sleep(1)));
    assertThrows(() => expired.reschedule(2), asyncio.RuntimeError, "Cannot change state of expired Timeout");
    // deno-lint-ignore no-explicit-any
    assertThrows(() => timeout("1" as any), TypeError, '"delay" must be a number, got "1"');
    assertThrows(() => timeout(NaN), RangeError);
  });
});

Deno.test("timeout_at() takes a time of the loop's clock", async () => {
  await run_virtual(async () => {
    const loop = asyncio.get_running_loop();
    await asyncio.sleep(5);
    assertInstanceOf(
      await error_of(async_with(asyncio.timeout_at(7), () => asyncio.sleep(3600))),
      asyncio.TimeoutError,
    );
    assertEquals(loop.time(), 7);
    assertInstanceOf(
      await error_of(async_with(asyncio.timeout_at(3), () => asyncio.sleep(3600))),
      asyncio.TimeoutError,
    );
    assertEquals(loop.time(), 7);
  });
});

Deno.test("K5: of two nested timeouts that expire together, the outer one is reported", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const outer = timeout(1);
    const inner = timeout(1);
    const error = await error_of(async_with(outer, async () => {
      try {
        await async_with(inner, () => asyncio.sleep(3600));
      } catch (error) {
        log((error as Error).name);
        throw error;
      }
    }));
    assertInstanceOf(error, asyncio.TimeoutError);
    assertEquals([text(), outer.expired(), inner.expired()], ["CancelledError", true, true]);
    assertEquals(asyncio.current_task()!.cancelling(), 0);
  });
});

Deno.test("the inner of two nested timeouts expires alone, and the outer one goes on", async () => {
  await run_virtual(async () => {
    const outer = timeout(10);
    await async_with(outer, async () => {
      assertInstanceOf(await error_of(async_with(timeout(1), () => asyncio.sleep(3600))), asyncio.TimeoutError);
      await asyncio.sleep(1);
    });
    assertEquals([outer.expired(), asyncio.get_running_loop().time()], [false, 2]);
    const error = await error_of(async_with(timeout(1), () => async_with(timeout(10), () => asyncio.sleep(3600))));
    assertInstanceOf(error, asyncio.TimeoutError);
    assertEquals(asyncio.get_running_loop().time(), 3);
  });
});

Deno.test("a timeout in one branch of Promise.all() does not touch the other branch", async () => {
  await run_virtual(async () => {
    const results = await Promise.all([
      error_of(async_with(timeout(1), () => asyncio.sleep(3600))),
      asyncio.sleep(2, "other"),
      async_with(timeout(3), () => asyncio.sleep(2, "third")),
    ]);
    assertEquals([results[0].name, results[1], results[2]], ["TimeoutError", "other", "third"]);
  });
});

Deno.test("timeouts that expire together in several branches are all TimeoutErrors", async () => {
  await run_virtual(async () => {
    const errors = await Promise.all([1, 1, 1].map((d) => error_of(async_with(timeout(d), () => asyncio.sleep(3600)))));
    assertEquals(errors.map((error) => error.name), ["TimeoutError", "TimeoutError", "TimeoutError"]);
    assertEquals(asyncio.current_task()!.cancelling(), 0);
    await asyncio.sleep(1);
  });
});

Deno.test("a cancellation from outside passes through a timeout as CancelledError", async () => {
  await run_virtual(async () => {
    const deadline = timeout(10);
    const task = asyncio.create_task(() => async_with(deadline, () => asyncio.sleep(3600)));
    await asyncio.sleep(1);
    task.cancel("outside");
    assertEquals((await error_of(task)).message, "outside");
    assertEquals([task.cancelled(), deadline.expired()], [true, false]);
  });
});

Deno.test("a cancellation from outside wins over a timeout that expired at the same time", async () => {
  await run_virtual(async () => {
    const deadline = timeout(1);
    const task = asyncio.create_task(() => async_with(deadline, () => asyncio.sleep(3600)));
    asyncio.get_running_loop().call_later(1, () => task.cancel());
    await asyncio.wait([task]);
    assertEquals([task.cancelled(), deadline.expired()], [true, true]);
  });
});

Deno.test("K3: a cancellation pending as timeout(0) is entered comes out as CancelledError", async () => {
  await run_virtual(async () => {
    const task = asyncio.create_task(async () => {
      asyncio.current_task()!.cancel("earlier");
      await async_with(timeout(0), () => asyncio.sleep(3600));
    });
    assertInstanceOf(await error_of(task), asyncio.CancelledError);
    assertEquals(task.cancelled(), true);
  });
});

Deno.test("K4: a timeout inside a handler of CancelledError works as anywhere else", async () => {
  await run_virtual(async () => {
    const task = asyncio.create_task(async () => {
      try {
        await asyncio.sleep(3600);
      } catch {
        return (await error_of(async_with(timeout(1), () => asyncio.sleep(3600)))).name;
      }
    });
    await asyncio.sleep(0);
    task.cancel();
    assertEquals(await task, "TimeoutError");
    assertEquals(task.cancelling(), 1);
  });
});

Deno.test("a timeout works outside of every task", async () => {
  const error = await error_of(async_with(timeout(0.001), () => asyncio.sleep(3600)));
  assertInstanceOf(error, asyncio.TimeoutError);
});

Deno.test("a timeout prints its state and its deadline", async () => {
  await run_virtual(async () => {
    const deadline = timeout(1);
    assertEquals(Deno.inspect(deadline), "<Timeout created>");
    await async_with(deadline, () => assertEquals(Deno.inspect(deadline), "<Timeout active when=1.000>"));
    assertEquals(Deno.inspect(deadline), "<Timeout finished>");
  });
});

Deno.test("async_with() enters, runs the body and leaves with its error, which the manager may swallow or replace", async () => {
  const { log, text } = new Transcript();
  const manager = (answer: boolean | Error): asyncio.AsyncContextManager<string> => ({
    __aenter__: () => "entered",
    __aexit__: (error) => {
      log(error === null ? "null" : (error as Error).message);
      if (answer instanceof Error) throw answer;
      return answer;
    },
  });
  const fail = () => Promise.reject(new RangeError("body"));
  assertEquals(await async_with(manager(true), (value) => value), "entered");
  assertEquals(await async_with(manager(true), fail), undefined);
  assertEquals((await error_of(async_with(manager(false), fail))).message, "body");
  assertEquals((await error_of(async_with(manager(new Error("exit")), fail))).message, "exit");
  assertEquals(text(), "null body body body");
  // deno-lint-ignore no-explicit-any
  assertThrows(() => async_with({} as any, () => {}), TypeError, '"manager" must have __aenter__() and __aexit__()');
  // deno-lint-ignore no-explicit-any
  assertThrows(() => async_with(manager(true), 1 as any), TypeError, '"body" must be a function, got 1');
  const not_entered = { __aenter__: fail, __aexit__: () => log("never") };
  assertEquals((await error_of(async_with(not_entered, () => log("never")))).message, "body");
  assert(!text().includes("never"));
});
