import { assert, assertEquals, assertInstanceOf, assertMatch, assertStrictEquals, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";
import { error_of, run_virtual, Transcript } from "./_helpers.ts";

const { async_with, TaskGroup } = asyncio;

const fail = (message: string, delay = 0) => async () => {
  await asyncio.sleep(delay);
  throw new RangeError(message);
};

function messages(group: asyncio.ExceptionGroup): string[] {
  return group.exceptions.map((error) => (error as Error).message);
}

Deno.test("a task group ends when all of its tasks have ended, those made by its tasks included", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const result = await async_with(new TaskGroup(), (group) => {
      group.create_task(async () => {
        await asyncio.sleep(1);
        group.create_task(async () => {
          await asyncio.sleep(1);
          log("grandchild");
        });
      }, { name: "child" });
      return "body";
    });
    log("end");
    assertEquals([result, text(), asyncio.get_running_loop().time()], ["body", "grandchild end", 2]);
  });
});

Deno.test("the first failing child has the others and the body cancelled, and the errors come out as a group", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    let sibling: asyncio.Task<void>;
    const error = await error_of(async_with(new TaskGroup(), async (group) => {
      sibling = group.create_task(() => asyncio.sleep(3600));
      group.create_task(fail("child", 1));
      await asyncio.sleep(3600).catch((error) => {
        log((error as Error).name);
        throw error;
      });
    }));
    assertInstanceOf(error, asyncio.ExceptionGroup);
    assertEquals(error.message, "unhandled errors in a TaskGroup (1 sub-exception)");
    assertEquals([messages(error), text()], [["child"], "CancelledError"]);
    assertEquals([sibling!.cancelled(), asyncio.current_task()!.cancelling()], [true, 0]);
    await asyncio.sleep(1);
  });
});

Deno.test("an error of the body cancels the children and joins their errors", async () => {
  await run_virtual(async () => {
    const error = await error_of(async_with(new TaskGroup(), async (group) => {
      group.create_task(() =>
        asyncio.sleep(3600).catch(() => {
          throw new RangeError("child");
        })
      );
      await asyncio.sleep(1);
      throw new RangeError("body");
    }));
    assertEquals(messages(error), ["child", "body"]);
    assertEquals(asyncio.current_task()!.cancelling(), 0);
  });
});

Deno.test("a child that is cancelled is no error, and its siblings go on", async () => {
  await run_virtual(async () => {
    let other: asyncio.Task<string>;
    await async_with(new TaskGroup(), async (group) => {
      const child = group.create_task(() => asyncio.sleep(3600));
      other = group.create_task(() => asyncio.sleep(2, "other"));
      await asyncio.sleep(1);
      child.cancel();
    });
    assertEquals(other!.result(), "other");
  });
});

Deno.test("a cancellation from outside cancels the children and comes out as CancelledError", async () => {
  await run_virtual(async () => {
    let child: asyncio.Task<void>;
    for (const body_waits of [true, false]) {
      const task = asyncio.create_task(() =>
        async_with(new TaskGroup(), async (group) => {
          child = group.create_task(() => asyncio.sleep(3600));
          if (body_waits) await asyncio.sleep(3600);
        })
      );
      await asyncio.sleep(1);
      task.cancel();
      assertInstanceOf(await error_of(task), asyncio.CancelledError);
      assertEquals([task.cancelled(), task.cancelling(), child!.cancelled()], [true, 1, true]);
    }
  });
});

Deno.test("G2: a child's error wins over a cancellation from outside, which the next wait delivers", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const task = asyncio.create_task(async () => {
      try {
        await async_with(new TaskGroup(), async (group) => {
          group.create_task(() =>
            asyncio.sleep(3600).catch(() => {
              throw new RangeError("child");
            })
          );
          await asyncio.sleep(3600);
        });
      } catch (error) {
        log((error as Error).name);
      }
      log(asyncio.current_task()!.cancelling());
      try {
        await asyncio.sleep(1);
      } catch (error) {
        log((error as Error).name);
      }
      return asyncio.current_task()!.cancelling();
    });
    await asyncio.sleep(1);
    task.cancel();
    assertEquals(await task, 1);
    assertEquals(text(), "ExceptionGroup 1 CancelledError");
  });
});

Deno.test("G2: a nested group does not swallow the cancellation of its parent", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const error = await error_of(async_with(new TaskGroup(), async (outer) => {
      outer.create_task(fail("outer child", 1));
      await async_with(new TaskGroup(), async (inner) => {
        inner.create_task(() => asyncio.sleep(3600));
        await asyncio.sleep(3600);
      }).catch((error) => {
        log((error as Error).name);
        throw error;
      });
      log("never");
    }));
    assertEquals([messages(error), text()], [["outer child"], "CancelledError"]);
    assertEquals(asyncio.current_task()!.cancelling(), 0);
    await asyncio.sleep(1);
  });
});

Deno.test("G2: a nested group that fails while its parent is cancelled keeps the parent cancelled", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const error = await error_of(async_with(new TaskGroup(), async (outer) => {
      outer.create_task(fail("outer child", 1));
      try {
        await async_with(new TaskGroup(), (inner) => {
          inner.create_task(() =>
            asyncio.sleep(3600).catch(() => {
              throw new RangeError("inner child");
            })
          );
        });
      } catch (error) {
        log((error as Error).name);
      }
      await asyncio.sleep(3600);
      log("never");
    }));
    assertEquals([messages(error), text()], [["outer child"], "ExceptionGroup"]);
    assertEquals(asyncio.current_task()!.cancelling(), 0);
    await asyncio.sleep(1);
  });
});

Deno.test("a timeout around a group that fails as it expires keeps its own count", async () => {
  await run_virtual(async () => {
    const deadline = asyncio.timeout(1);
    const error = await error_of(async_with(deadline, () =>
      async_with(new TaskGroup(), (group) => {
        group.create_task(() =>
          asyncio.sleep(3600).catch(() => {
            throw new RangeError("child");
          })
        );
      })));
    assertInstanceOf(error, asyncio.ExceptionGroup);
    assertEquals([deadline.expired(), asyncio.current_task()!.cancelling()], [true, 0]);
    await asyncio.sleep(1);
  });
});

Deno.test("groups in two branches of Promise.all() that fail together report each its own", async () => {
  await run_virtual(async () => {
    const one = async_with(new TaskGroup(), async (group) => {
      group.create_task(fail("one", 1));
      await asyncio.sleep(3600);
    });
    const two = async_with(new TaskGroup(), async (group) => {
      group.create_task(fail("two", 1));
      await asyncio.sleep(3600);
    });
    const errors = await Promise.all([error_of(one), error_of(two), asyncio.sleep(2)]);
    assertEquals([messages(errors[0]), messages(errors[1])], [["one"], ["two"]]);
  });
});

Deno.test("create_task() of a group is refused before entry, while it shuts down, and after it ended", async () => {
  await run_virtual(async () => {
    const group = new TaskGroup();
    const work = asyncio.coroutine(() => {});
    const unused = work();
    assertThrows(
      () => group.create_task(unused),
      asyncio.RuntimeError,
      "TaskGroup <TaskGroup> has not been entered",
    );
    // Refused, it is closed: nobody else would.
    assertThrows(() => unused._take(), asyncio.RuntimeError, "it was closed");
    let late: unknown;
    await error_of(async_with(group, async () => {
      group.create_task(fail("first"));
      group.create_task(() =>
        asyncio.sleep(3600).catch(() => {
          try {
            group.create_task(() => {});
          } catch (error) {
            late = error;
          }
        })
      );
      await asyncio.sleep(3600);
    }));
    assertInstanceOf(late, asyncio.RuntimeError);
    assertMatch((late as Error).message, /^TaskGroup <TaskGroup .*cancelling> is shutting down$/);
    const error = assertThrows(() => group.create_task(() => {}), asyncio.RuntimeError) as Error;
    assertMatch(error.message, /is finished$/);
    assertMatch((await error_of(async_with(group, () => {}))).message, /has already been entered$/);
  });
});

Deno.test("cancel() of a group ends its tasks and its body, and the block ends without an error", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const group = new TaskGroup();
    let child: asyncio.Task<void>;
    const result = await async_with(group, async () => {
      child = group.create_task(() => asyncio.sleep(3600));
      asyncio.get_running_loop().call_later(1, () => {
        group.cancel();
        group.cancel();
      });
      await asyncio.sleep(3600).finally(() => log("body left"));
      return "never";
    });
    assertEquals([result, text(), child!.cancelled()], [undefined, "body left", true]);
    assertEquals([asyncio.current_task()!.cancelling(), asyncio.get_running_loop().time()], [0, 1]);
    group.cancel();
    await asyncio.sleep(1);
  });
});

Deno.test("cancel() from the body, from a child, after the body and before the entry ends the group", async () => {
  await run_virtual(async () => {
    const loop = asyncio.get_running_loop();
    await async_with(new TaskGroup(), async (group) => {
      group.create_task(() => asyncio.sleep(3600));
      group.cancel();
      await asyncio.sleep(3600);
    });
    await async_with(new TaskGroup(), (group) => {
      group.create_task(() => asyncio.sleep(3600));
      group.create_task(() => group.cancel());
    });
    assertEquals(await async_with(new TaskGroup(), (group) => (group.cancel(), "kept")), "kept");
    const early = new TaskGroup();
    early.cancel();
    await async_with(early, () => asyncio.sleep(3600));
    assertEquals([loop.time(), asyncio.current_task()!.cancelling()], [0, 0]);
    await asyncio.sleep(1);
  });
});

Deno.test("G2: a cancellation from outside comes out of a group that was cancel()led too", async () => {
  await run_virtual(async () => {
    const group = new TaskGroup();
    const task = asyncio.create_task(() =>
      async_with(group, async () => {
        group.create_task(() => asyncio.sleep(3600).catch(() => asyncio.sleep(5)));
        await asyncio.sleep(3600);
      })
    );
    await asyncio.sleep(1);
    group.cancel();
    await asyncio.sleep(1);
    task.cancel();
    assertInstanceOf(await error_of(task), asyncio.CancelledError);
    assertEquals([task.cancelled(), task.cancelling()], [true, 1]);
  });
});

Deno.test("errors of children that fail while the group shuts down are in the group too", async () => {
  await run_virtual(async () => {
    const error = await error_of(async_with(new TaskGroup(), (group) => {
      group.create_task(fail("first", 1));
      group.create_task(() => asyncio.sleep(3600).catch(fail("second", 1)));
    }));
    assertEquals(messages(error), ["first", "second"]);
    assertEquals(error.message, "unhandled errors in a TaskGroup (2 sub-exceptions)");
  });
});

Deno.test("an eager child that fails at once fails the group", async () => {
  await run_virtual(async () => {
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory);
    const error = await error_of(async_with(new TaskGroup(), async (group) => {
      group.create_task(() => {
        throw new RangeError("eager");
      });
      await asyncio.sleep(3600);
    }));
    assertEquals(messages(error), ["eager"]);
    assertEquals(asyncio.current_task()!.cancelling(), 0);
  });
});

Deno.test("a KeyboardInterrupt of a child or of the body comes out bare", async () => {
  await run_virtual(async () => {
    const interrupt = new asyncio.KeyboardInterrupt();
    const of_child = await error_of(async_with(new TaskGroup(), (group) => {
      group.create_task(() => Promise.reject(interrupt));
    }));
    assertStrictEquals(of_child, interrupt);
    assertStrictEquals(await error_of(async_with(new TaskGroup(), () => Promise.reject(interrupt))), interrupt);
  });
});

Deno.test("a task group works outside of every task", async () => {
  const error = await error_of(async_with(new TaskGroup(), async (group) => {
    group.create_task(fail("outside"));
    await asyncio.sleep(3600);
  }));
  assert(error instanceof asyncio.ExceptionGroup);
  assertEquals(messages(error), ["outside"]);
});
