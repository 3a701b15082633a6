import { assert, assertEquals, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";
import { error_of, run_virtual, Transcript } from "./_helpers.ts";

const time = () => asyncio.get_running_loop().time();

Deno.test("move_on_after() ends its block without an error when the time is up, and the code after it goes on", async () => {
  await run_virtual(async () => {
    const scope = asyncio.move_on_after(5);
    assertEquals(await asyncio.async_with(scope, () => asyncio.sleep(3600, "late")), undefined);
    assertEquals([time(), scope.cancel_called, scope.cancelled_caught], [5, true, true]);
    await asyncio.sleep(1);
    assertEquals(time(), 6);
  });
});

Deno.test("move_on_after() starts its clock when the block is entered, and leaves no timer if the block is quicker", async () => {
  await run_virtual(async () => {
    const scope = asyncio.move_on_after(5);
    assertEquals(scope.deadline, Infinity);
    await asyncio.sleep(10);
    assertEquals(await asyncio.async_with(scope, () => asyncio.sleep(4, "in time")), "in time");
    assertEquals([scope.deadline, scope.cancel_called, scope.cancelled_caught], [15, false, false]);
    await asyncio.sleep(100);
    assertEquals(scope.cancel_called, false);
  });
});

Deno.test("fail_after() throws a TimeoutError if its deadline stopped the block, and nothing after cancel()", async () => {
  await run_virtual(async () => {
    const error = await error_of(asyncio.async_with(asyncio.fail_after(5), () => asyncio.sleep(3600)));
    assert(error instanceof asyncio.TimeoutError);
    assert(error.cause instanceof asyncio.CancelledError);
    const scope = asyncio.fail_after(5);
    await asyncio.async_with(scope, async () => {
      scope.cancel();
      await asyncio.sleep(3600);
    });
    assert(scope.cancelled_caught);
  });
});

Deno.test("move_on_at() and fail_at() take the loop's time", async () => {
  await run_virtual(async () => {
    await asyncio.async_with(asyncio.move_on_at(7), () => asyncio.sleep(3600));
    assertEquals(time(), 7);
    assert(
      await error_of(asyncio.async_with(asyncio.fail_at(9), () => asyncio.sleep(3600))) instanceof asyncio.TimeoutError,
    );
    assertEquals(time(), 9);
  });
});

Deno.test("a deadline that is past cancels the first wait of the block, and code before it runs", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    await asyncio.async_with(asyncio.move_on_after(0), async () => {
      log("before");
      await asyncio.sleep(0);
      log("after");
    });
    assertEquals(text(), "before");
  });
});

Deno.test("in a cancelled scope every wait throws, so a swallowed CancelledError does not disarm it", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const scope = new asyncio.CancelScope();
    await asyncio.async_with(scope, async () => {
      scope.cancel("enough");
      for (const name of ["a", "b", "c"]) {
        await asyncio.sleep(1).catch((error) => log(`${name}:${(error as Error).message}`));
      }
      await asyncio.sleep(1);
      log("never");
    });
    assertEquals(text(), "a:enough b:enough c:enough");
    assertEquals(time(), 0);
    assert(scope.cancelled_caught);
  });
});

Deno.test("a scope that is cancelled and left without a wait caught nothing", async () => {
  await run_virtual(async () => {
    const scope = new asyncio.CancelScope();
    assertEquals(
      await asyncio.async_with(scope, () => {
        scope.cancel();
        return 1;
      }),
      1,
    );
    assertEquals([scope.cancel_called, scope.cancelled_caught], [true, false]);
  });
});

Deno.test("cancel() from another task reaches a block that waits; before the entry, it is cancelled as it is entered", async () => {
  await run_virtual(async () => {
    const scope = new asyncio.CancelScope();
    asyncio.get_running_loop().call_later(3, () => scope.cancel());
    await asyncio.async_with(scope, () => asyncio.sleep(3600));
    assertEquals([time(), scope.cancelled_caught], [3, true]);
    const early = new asyncio.CancelScope();
    early.cancel();
    await asyncio.async_with(early, () => asyncio.sleep(3600));
    assertEquals([time(), early.cancelled_caught], [3, true]);
  });
});

Deno.test("an error of the body passes through a cancelled scope", async () => {
  await run_virtual(async () => {
    const scope = new asyncio.CancelScope();
    const error = await error_of(asyncio.async_with(scope, async () => {
      scope.cancel();
      await asyncio.sleep(1).catch(() => {});
      throw new RangeError("mine");
    }));
    assertEquals([error.message, scope.cancelled_caught], ["mine", false]);
  });
});

Deno.test("of two nested scopes, each swallows its own cancellation alone", async () => {
  await run_virtual(async () => {
    const [outer, inner] = [new asyncio.CancelScope(), new asyncio.CancelScope()];
    const { log, text } = new Transcript();
    await asyncio.async_with(outer, async () => {
      await asyncio.async_with(inner, async () => {
        inner.cancel();
        await asyncio.sleep(1);
      });
      log("inner");
      await asyncio.async_with(new asyncio.CancelScope(), async () => {
        outer.cancel();
        await asyncio.sleep(1);
      });
      log("never");
    });
    assertEquals([text(), inner.cancelled_caught, outer.cancelled_caught], ["inner", true, true]);
  });
});

Deno.test("task.cancel() passes through a scope, cancelled or not", async () => {
  await run_virtual(async () => {
    for (const cancels of [false, true]) {
      const scope = new asyncio.CancelScope();
      const task = asyncio.create_task(() => asyncio.async_with(scope, () => asyncio.sleep(3600)));
      await asyncio.sleep(1);
      task.cancel();
      if (cancels) scope.cancel();
      await asyncio.wait([task]);
      assertEquals([task.cancelled(), scope.cancelled_caught], [true, false]);
    }
  });
});

Deno.test("a shielded block is not reached by the scopes around it until the shield is lowered", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const outer = new asyncio.CancelScope();
    await asyncio.async_with(outer, async () => {
      const shield = new asyncio.CancelScope({ shield: true });
      outer.cancel();
      await asyncio.async_with(shield, async () => {
        await asyncio.sleep(5);
        log(`cleaned up at ${time()}`);
        asyncio.get_running_loop().call_later(2, () => shield.shield = false);
        await asyncio.sleep(3600);
        log("never");
      });
      log("never");
    });
    assertEquals([text(), time(), outer.cancelled_caught], ["cleaned up at 5", 7, true]);
  });
});

Deno.test("a shielded scope's own deadline holds inside", async () => {
  await run_virtual(async () => {
    await asyncio.async_with(asyncio.move_on_after(2, { shield: true }), () => asyncio.sleep(3600));
    assertEquals(time(), 2);
  });
});

Deno.test("the deadline of a running scope can be moved, both ways and off", async () => {
  await run_virtual(async () => {
    await asyncio.async_with(asyncio.move_on_after(10), async (scope) => {
      scope.deadline = Infinity;
      await asyncio.sleep(20);
      scope.deadline = time() + 3;
      await asyncio.sleep(3600);
    });
    assertEquals(time(), 23);
  });
});

Deno.test("the tasks of a group inside a cancelled scope are stopped, even one that swallows its first cancellation", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const scope = asyncio.move_on_after(5);
    await asyncio.async_with(scope, () =>
      asyncio.async_with(new asyncio.TaskGroup(), async (group) => {
        group.create_task(async () => {
          await asyncio.sleep(3600).catch(() => log("swallowed"));
          await asyncio.sleep(3600);
          log("never");
        });
        await asyncio.sleep(3600);
      }));
    assertEquals([text(), time(), scope.cancelled_caught], ["swallowed", 5, true]);
  });
});

Deno.test("G4: a cancelled scope that waits for a task's slow cleanup does not spin", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    await asyncio.async_with(asyncio.move_on_after(5), () =>
      asyncio.async_with(new asyncio.TaskGroup(), (group) => {
        group.create_task(async () => {
          try {
            await asyncio.sleep(3600);
          } finally {
            await asyncio.async_with(new asyncio.CancelScope({ shield: true }), () => asyncio.sleep(10));
            log(`cleaned up at ${time()}`);
          }
        });
      }));
    assertEquals([text(), time()], ["cleaned up at 15", 15]);
  });
});

Deno.test("a scope around one branch of a Promise.all() leaves the other alone", async () => {
  await run_virtual(async () => {
    const [one, two] = await Promise.all([
      asyncio.async_with(asyncio.move_on_after(1), () => asyncio.sleep(3600, "one")),
      asyncio.sleep(10, "two"),
    ]);
    assertEquals([one, two, time()], [undefined, "two", 10]);
  });
});

Deno.test("a timeout() inside a cancelled scope reports a cancellation, not a timeout, and the other way round", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const scope = asyncio.move_on_after(1);
    await asyncio.async_with(
      scope,
      () =>
        asyncio.async_with(asyncio.timeout(5), () => asyncio.sleep(3600)).catch((error) => {
          log((error as Error).name);
          throw error;
        }),
    );
    assert(scope.cancelled_caught);
    const inner = asyncio.move_on_after(5);
    const error = await error_of(
      asyncio.async_with(asyncio.timeout(1), () => asyncio.async_with(inner, () => asyncio.sleep(3600))),
    );
    assertEquals([text(), error.name, inner.cancelled_caught], ["CancelledError", "TimeoutError", false]);
  });
});

Deno.test("current_effective_deadline() is the earliest around the code, up to a shield, and -Infinity if cancelled", async () => {
  await run_virtual(async () => {
    const seen: number[] = [asyncio.current_effective_deadline()];
    await asyncio.async_with(
      asyncio.move_on_after(5),
      () =>
        asyncio.async_with(asyncio.move_on_after(9), async (inner) => {
          seen.push(asyncio.current_effective_deadline());
          inner.shield = true;
          seen.push(asyncio.current_effective_deadline());
          inner.cancel();
          seen.push(asyncio.current_effective_deadline());
          await asyncio.sleep(0);
        }),
    );
    assertEquals(seen, [Infinity, 5, 9, -Infinity]);
  });
});

Deno.test("the signal of code in a scope aborts with the scope's cancellation, and that of the task does not", async () => {
  await run_virtual(async () => {
    const task = asyncio.current_task()!;
    const outside = task.signal;
    const scope = asyncio.move_on_after(5);
    await asyncio.async_with(scope, async () => {
      const inside = task.signal;
      await asyncio.sleep(3600).catch(() => {});
      assertEquals([inside.aborted, inside.reason.message], [true, "deadline exceeded"]);
      assert(task.signal.aborted);
    });
    assertEquals(outside.aborted, false);
  });
});

Deno.test("CancelScope works outside of every task, can be entered once, and checks its arguments", async () => {
  const scope = new asyncio.CancelScope();
  await asyncio.async_with(scope, async () => {
    scope.cancel();
    await asyncio.sleep(3600);
  });
  assert(scope.cancelled_caught);
  assertEquals((await error_of(asyncio.async_with(scope, () => {}))).message, "CancelScope has already been entered");
  // @ts-expect-error A string is no time.
  assertThrows(() => asyncio.move_on_after("5"), TypeError, '"delay" must be a number, got "5"');
  assertThrows(() => new asyncio.CancelScope({ deadline: NaN }), RangeError, '"deadline" must not be NaN');
});

Deno.test("TaskGroup.start() gives what the task is ready with, and the task goes on in the group", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    await asyncio.async_with(new asyncio.TaskGroup(), async (group) => {
      const port = await group.start(async (task_status: asyncio.TaskStatus<number>) => {
        await asyncio.sleep(2);
        task_status.started(8080);
        await asyncio.sleep(3);
        log(`ended at ${time()}`);
      });
      log(`${port} at ${time()}`);
    });
    assertEquals(text(), "8080 at 2 ended at 5");
  });
});

Deno.test("an error before started() comes out of start(), and the group goes on; one after it fails the group", async () => {
  await run_virtual(async () => {
    await asyncio.async_with(new asyncio.TaskGroup(), async (group) => {
      const other = group.create_task(() => asyncio.sleep(5, "done"));
      const error = await error_of(group.start(() => Promise.reject(new RangeError("no port"))));
      assertEquals(error.message, "no port");
      assertEquals(await other, "done");
    });
    const error = await error_of(asyncio.async_with(new asyncio.TaskGroup(), async (group) => {
      await group.start(async (task_status: asyncio.TaskStatus) => {
        task_status.started();
        await asyncio.sleep(1);
        throw new RangeError("later");
      });
      await asyncio.sleep(3600);
    }));
    assert(error instanceof asyncio.ExceptionGroup);
    assertEquals((error.exceptions[0] as Error).message, "later");
  });
});

Deno.test("a task that ends without started() fails start(), and a second started() is an error", async () => {
  await run_virtual(async () => {
    await asyncio.async_with(new asyncio.TaskGroup(), async (group) => {
      const error = await error_of(group.start(() => asyncio.sleep(1), { name: "mute" }));
      assertEquals([error.name, error.message], ["RuntimeError", 'Task "mute" ended without a call of started()']);
      await group.start((task_status: asyncio.TaskStatus) => {
        task_status.started();
        assertThrows(() => task_status.started(), asyncio.RuntimeError);
      });
    });
  });
});

Deno.test("G3: to cancel start() cancels its task alone, and waits for its cleanup", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    await asyncio.async_with(new asyncio.TaskGroup(), async (group) => {
      const other = group.create_task(() => asyncio.sleep(20, "unharmed"));
      const slow = () =>
        group.start(async () => {
          try {
            await asyncio.sleep(3600);
          } finally {
            await asyncio.sleep(2);
            log(`cleaned up at ${time()}`);
          }
        });
      assertEquals((await error_of(asyncio.wait_for(slow, 5))).name, "TimeoutError");
      log(`timed out at ${time()}`);
      log(await other);
    });
    assertEquals(text(), "cleaned up at 7 timed out at 7 unharmed");
  });
});
