import { assert, assertEquals, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";
import { collect_reports, error_of, run_virtual, Transcript } from "./_helpers.ts";

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

Deno.test("a cancelled scope reaches the tasks of its groups at once, though its body swallows the cancellation", async () => {
  // Cause: only the body was told, and the group when that ended.
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const scope = asyncio.move_on_after(5);
    const ends = (name: string) => asyncio.sleep(3600).finally(() => log(`${name}@${time()}`));
    await asyncio.async_with(scope, () =>
      asyncio.async_with(new asyncio.TaskGroup(), async (group) => {
        group.create_task(() => ends("child"));
        group.create_task(() =>
          asyncio.async_with(new asyncio.TaskGroup(), (inner) => {
            inner.create_task(() => ends("grandchild"));
          })
        );
        group.create_task(() =>
          asyncio.async_with(new asyncio.CancelScope({ shield: true }), async () => {
            await asyncio.sleep(15);
            log(`shielded@${time()}`);
          })
        );
        await asyncio.sleep(3600).catch(() => {});
        // A promise of no call of this library cannot be cancelled.
        await new Promise<void>((resolve) => asyncio.get_running_loop().call_later(3, resolve));
        log(`body@${time()}`);
      }));
    assertEquals(text().split(" ").toSorted(), ["body@8", "child@5", "grandchild@5", "shielded@15"]);
    assertEquals([time(), scope.cancelled_caught], [15, true]);
  });
});

Deno.test("the signal of a group's task aborts as soon as a scope around the group is cancelled", async () => {
  await run_virtual(async () => {
    const scope = new asyncio.CancelScope();
    const signals: AbortSignal[] = [];
    await asyncio.async_with(scope, () =>
      asyncio.async_with(new asyncio.TaskGroup(), async (group) => {
        group.create_task(() => {
          signals.push(asyncio.current_task()!.signal);
          // It waits for nothing of this library.
          return new Promise<void>((resolve) => signals[0].addEventListener("abort", () => resolve()));
        });
        await asyncio.sleep(1);
        scope.cancel("enough");
        assertEquals([signals[0].aborted, signals[0].reason.message], [true, "enough"]);
      }));
  });
});

Deno.test("the cleanup of a group's task that is shielded from a scope is not cut short by the group or by start()", async () => {
  // To cancel once more what the scope has reached would go through the shield, as every task.cancel() does.
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const work = async () => {
      try {
        await asyncio.sleep(3600);
      } finally {
        await asyncio.async_with(new asyncio.CancelScope({ shield: true }), () => asyncio.sleep(10));
        log(`cleaned up at ${time()}`);
      }
    };
    for (const starts of [false, true]) {
      const scope = asyncio.move_on_after(5);
      await asyncio.async_with(scope, () =>
        asyncio.async_with(new asyncio.TaskGroup(), async (group) => {
          if (starts) await group.start(work);
          else group.create_task(work);
          await asyncio.sleep(3600);
        }));
      assert(scope.cancelled_caught);
    }
    assertEquals(text(), "cleaned up at 15 cleaned up at 30");
  });
});

Deno.test("a request from outside goes through the shields of a group's tasks, although a scope has reached them", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const all = asyncio.async_with(
      asyncio.timeout(10),
      () =>
        asyncio.async_with(asyncio.move_on_after(5), () =>
          asyncio.async_with(new asyncio.TaskGroup(), (group) => {
            group.create_task(() =>
              asyncio.async_with(
                new asyncio.CancelScope({ shield: true }),
                () => asyncio.sleep(3600).finally(() => log(`stopped at ${time()}`)),
              )
            );
          })),
    );
    assertEquals((await error_of(all)).name, "TimeoutError");
    assertEquals(text(), "stopped at 10");
  });
});

Deno.test("inside a shield, deadlines do what they do elsewhere, although a scope around it is cancelled", async () => {
  // Cause: a cancellation that a shield holds off counted as one that wants the block to end.
  for (const cancelled_at of [1, 3]) {
    for (const in_task of [false, true]) {
      await run_virtual(async () => {
        const { log, text } = new Transcript();
        const scope = asyncio.move_on_after(cancelled_at);
        const cleanup = async () => {
          const moved_on = asyncio.move_on_after(2, { shield: true });
          await asyncio.async_with(moved_on, () => asyncio.sleep(3600));
          log(moved_on.cancelled_caught);
          const failing = asyncio.async_with(asyncio.fail_after(2, { shield: true }), () => asyncio.sleep(3600));
          log((await error_of(failing)).name);
          await asyncio.async_with(new asyncio.CancelScope({ shield: true }), async () => {
            log((await error_of(asyncio.wait_for(() => asyncio.sleep(3600), 2))).name);
            const group = asyncio.async_with(new asyncio.TaskGroup(), (group) => group.cancel());
            log(await group);
          });
        };
        const body = async () => {
          await asyncio.sleep(1).catch(() => {});
          await cleanup();
          log(`at ${time()}`);
          await asyncio.sleep(1);
          log("never");
        };
        await asyncio.async_with(scope, async () => {
          if (!in_task) return await body();
          await asyncio.async_with(new asyncio.TaskGroup(), (group) => void group.create_task(body));
        });
        assertEquals([text(), scope.cancelled_caught], [
          "true TimeoutError TimeoutError undefined at 7",
          true,
        ]);
      });
    }
  }
});

Deno.test("a group that fails in a cancelled scope does not reach into the shielded cleanup after it", async () => {
  // Cause: the scope's cancellation was delivered once more, as a task's own is, which no shield holds off.
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const scope = new asyncio.CancelScope();
    await asyncio.async_with(scope, async () => {
      const group = asyncio.async_with(new asyncio.TaskGroup(), async (group) => {
        group.create_task(() => asyncio.sleep(3600).finally(() => Promise.reject(new RangeError("cleanup"))));
        await asyncio.sleep(0);
        scope.cancel();
        await asyncio.sleep(1);
      });
      log((await error_of(group)).name);
      await asyncio.async_with(new asyncio.CancelScope({ shield: true }), () => asyncio.sleep(5));
      log(`at ${time()}`);
      await asyncio.sleep(1);
      log("never");
    });
    assertEquals([text(), scope.cancelled_caught], ["ExceptionGroup at 5", true]);
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

Deno.test("G4: code that swallows its scope's cancellation again and again does not hold up timers and I/O", async () => {
  // Cause: the loop went on in a microtask although it had found that the turn was over.
  await asyncio.run(async () => {
    let fired = false;
    setTimeout(() => fired = true, 1);
    const scope = new asyncio.CancelScope();
    await asyncio.async_with(scope, async () => {
      scope.cancel();
      for (let i = 0; i < 100_000 && !fired; i++) await asyncio.sleep(1).catch(() => {});
    });
    assert(fired);
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

Deno.test("cancelling() counts a cancelled scope around the code, that of its group's too, up to a shield", async () => {
  await run_virtual(async () => {
    const counts: number[] = [];
    const count = () => void counts.push(asyncio.current_task()!.cancelling());
    const scope = new asyncio.CancelScope();
    await asyncio.async_with(scope, () =>
      asyncio.async_with(new asyncio.TaskGroup(), (group) => {
        group.create_task(async () => {
          count();
          await asyncio.sleep(3600).catch(count);
          await asyncio.async_with(new asyncio.CancelScope({ shield: true }), count);
        });
        asyncio.get_running_loop().call_later(1, () => scope.cancel());
      }));
    count();
    assertEquals(counts, [0, 1, 0, 0]);
  });
});

Deno.test("the deadline of a scope that is set before the entry takes the place of its delay", async () => {
  // Cause: it was overwritten at the entry.
  await run_virtual(async () => {
    const scope = asyncio.move_on_after(50);
    scope.deadline = 7;
    await asyncio.async_with(scope, () => asyncio.sleep(3600));
    assertEquals([time(), scope.deadline], [7, 7]);
  });
});

Deno.test("CancelScope, move_on_after() and their like refuse wrong arguments, and misspelt and missing ones", () => {
  // deno-lint-ignore no-explicit-any
  const any = (value: unknown): any => value;
  const { move_on_after, move_on_at, fail_after, fail_at } = asyncio;
  for (const make of [move_on_after, fail_after]) {
    assertThrows(() => make(any(undefined)), TypeError, '"delay" must be a number, got undefined');
    assertThrows(() => make(NaN), RangeError, '"delay" must not be NaN');
    make(null);
    make(Infinity);
    make(-Infinity);
  }
  for (const make of [move_on_at, fail_at]) {
    assertThrows(() => make(any(undefined)), TypeError, '"deadline" must be a number, got undefined');
    assertThrows(() => make(any(null)), TypeError, '"deadline" must be a number, got null');
  }
  for (const make of [move_on_after, move_on_at, fail_after, fail_at]) {
    assertThrows(() => make(1, any({ sheild: true })), TypeError, 'Unknown option "sheild"');
    assertThrows(() => make(1, any({ shield: "no" })), TypeError, '"shield" must be a boolean, got "no"');
  }
  assertThrows(() => new asyncio.CancelScope(any(5)), TypeError, '"options" must be an object, got 5');
  assertThrows(
    () => new asyncio.CancelScope({ deadline: any(null) }),
    TypeError,
    '"deadline" must be a number, got null',
  );
  const scope = new asyncio.CancelScope();
  assertThrows(() => scope.shield = any("x"), TypeError, '"shield" must be a boolean, got "x"');
  assertThrows(() => scope.__aexit__(null), asyncio.RuntimeError, "CancelScope is not active");
  assertThrows(() => asyncio.timeout(1).__aexit__(null), asyncio.RuntimeError, "Timeout has not been entered");
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

Deno.test("a group that fails does not cancel twice the task that start() waits for", async () => {
  // Cause: start() cancelled it once more, which cut its cleanup short.
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const group = asyncio.async_with(new asyncio.TaskGroup(), async (group) => {
      group.create_task(() => asyncio.sleep(1).finally(() => Promise.reject(new RangeError("one"))));
      await group.start(async () => {
        try {
          await asyncio.sleep(3600);
        } finally {
          await asyncio.sleep(5);
          log(`cleaned up at ${time()}`);
        }
      });
    });
    assertEquals((await error_of(group)).exceptions.map(String), ["RangeError: one"]);
    assertEquals(text(), "cleaned up at 6");
  });
});

Deno.test("a second cancellation ends start()'s wait for its task's cleanup, and is no error of the loop", async () => {
  // Cause: the end of the task was noted in a future that was cancelled.
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const reports = collect_reports();
    const task = asyncio.create_task(() =>
      asyncio.async_with(new asyncio.TaskGroup(), async (group) => {
        const starting = group.start(async () => {
          try {
            await asyncio.sleep(3600);
          } finally {
            await asyncio.async_with(new asyncio.Lock(), () => asyncio.sleep(5)).catch(() => asyncio.sleep(7));
            log(`cleaned up at ${time()}`);
          }
        });
        await starting.finally(() => log(`start() ended at ${time()}`));
      })
    );
    for (let i = 0; i < 2; i++) {
      await asyncio.sleep(1);
      task.cancel();
    }
    await asyncio.wait([task]);
    assertEquals([text(), task.cancelled(), reports], ["start() ended at 2 cleaned up at 9", true, []]);
  });
});

Deno.test("an error of a task whose start() was cancelled before is the group's", async () => {
  // Cause: it was dropped, since start() had nobody to tell it to.
  await run_virtual(async () => {
    const group = asyncio.async_with(new asyncio.TaskGroup(), async (group) => {
      const start = () => group.start(() => asyncio.sleep(3600).finally(() => Promise.reject(new RangeError("late"))));
      await error_of(asyncio.wait_for(start, 1));
    });
    assertEquals((await error_of(group)).exceptions.map(String), ["RangeError: late"]);
    // Cancelled in the turn in which the task fails, before and after that.
    for (const turns of [0, 1, 2, 3]) {
      const group = asyncio.async_with(new asyncio.TaskGroup(), async (group) => {
        const starting = group.start(() => asyncio.sleep(1).then(() => Promise.reject(new RangeError("late"))));
        await asyncio.sleep(0);
        asyncio.get_running_loop().call_later(1, function cancel(left: number) {
          if (left === 0) starting.cancel();
          else asyncio.get_running_loop().call_soon(cancel, left - 1);
        }, turns);
        await starting.catch(() => {});
      });
      const errors = await group.then(() => [], (error) => (error as asyncio.ExceptionGroup).exceptions);
      // Heard of in time, it came out of start().
      assertEquals(errors.map(String), turns < 3 ? ["RangeError: late"] : []);
    }
  });
});

Deno.test("start() throws what its task throws, be it an error or not", async () => {
  // Cause: only an error could end the future that start() waits for.
  await run_virtual(async () => {
    await asyncio.async_with(new asyncio.TaskGroup(), async (group) => {
      for (const thrown of ["text", RangeError, 5]) {
        assertEquals(await error_of(group.start(() => Promise.reject(thrown))), thrown);
      }
    });
  });
});
