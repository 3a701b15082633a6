import { assert, assertEquals, assertInstanceOf, assertMatch, assertRejects, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import * as asyncio from "../mod.ts";
import { error_of, run_program } from "./_helpers.ts";

const { assert_no_leaks, run_test, test, wait_all_tasks_blocked } = asyncio.testing;

// Order

/** The order in which tasks that are ready at the same time take their steps. */
async function order(order_seed?: number): Promise<string> {
  const steps: string[] = [];
  await asyncio.run(async () => {
    await asyncio.gather(...["a", "b", "c", "d"].map((name) => async () => {
      for (let i = 1; i <= 3; i++) {
        steps.push(`${name}${i}`);
        await asyncio.sleep(0);
      }
    }));
  }, { loop_factory: () => asyncio.new_event_loop(order_seed === undefined ? {} : { order_seed }) });
  return steps.join(" ");
}

Deno.test("order_seed draws the order of tasks that are ready together: the same for a seed, others for others", async () => {
  assertEquals(await order(), "a1 b1 c1 d1 a2 b2 c2 d2 a3 b3 c3 d3");
  const seen = new Set<string>();
  for (let seed = 1; seed <= 20; seed++) {
    const first = await order(seed);
    assertEquals(await order(seed), first);
    seen.add(first);
    for (const name of "abcd") assertEquals(first.replace(/[^1-3]|/g, "").length, 12, name);
    for (const name of "abcd") {
      assertEquals(first.split(" ").filter((step) => step[0] === name), [1, 2, 3].map((i) => name + i));
    }
  }
  assert(seen.size > 15, `only ${seen.size} orders in 20 seeds`);
  // Not only the starts: each round of steps has an order of its own.
  const rounds = [...seen].map((steps) => steps.split(" ").map((step) => step[0]).join("").match(/..../g)!);
  assert(rounds.some(([first, second]) => first !== second));
});

Deno.test("debug mode leaves the order of tasks as the seed has it", async () => {
  const order_of = async (seed: number, debug: boolean) => {
    const log: number[] = [];
    await run_test(async () => {
      const turn = new asyncio.Condition();
      await asyncio.gather(...Array.from({ length: 5 }, (_, i) => async () => {
        log.push(i);
        await asyncio.async_with(turn, () => void log.push(i));
        await asyncio.sleep(0);
        log.push(i);
      }));
    }, { seed, debug });
    return log;
  };
  for (let seed = 1; seed <= 10; seed++) assertEquals(await order_of(seed, true), await order_of(seed, false));
});

Deno.test("whatever the seed, the steps of one task that are ready together keep their order", async () => {
  for (let order_seed = 1; order_seed <= 20; order_seed++) {
    await asyncio.run(async () => {
      const event = new asyncio.Event();
      const woken: string[] = [];
      const branch = async (name: string) => {
        await event.wait();
        woken.push(name);
      };
      const branches = (task: string) => async () => void await Promise.all([1, 2, 3].map((i) => branch(task + i)));
      const yields = (task: string) => async () => {
        await Promise.all([1, 2, 3].map(async (i) => {
          await asyncio.sleep(0);
          if (order_seed % 2 === 0) await event.wait();
          woken.push(task + i);
        }));
      };
      const kind = order_seed % 3 === 0 ? branches : yields;
      const waiting = asyncio.gather(kind("a"), kind("b"), kind("c"));
      await wait_all_tasks_blocked();
      event.set();
      await waiting;
      for (const task of "abc") {
        assertEquals(woken.filter((name) => name[0] === task), [1, 2, 3].map((i) => task + i), `seed ${order_seed}`);
      }
    }, { loop_factory: () => asyncio.new_event_loop({ order_seed }) });
  }
});

Deno.test("whatever the seed, callbacks keep their order, and waiters of locks and queues theirs", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (order_seed) => {
      await asyncio.run(async () => {
        const loop = asyncio.get_running_loop();
        const called: number[] = [];
        for (let i = 0; i < 10; i++) loop.call_soon(() => called.push(i));
        for (let i = 10; i < 20; i++) loop.call_later(0.001, () => called.push(i));
        const lock = new asyncio.Lock();
        const holders: number[] = [];
        await lock.acquire();
        const tasks: asyncio.Task<void>[] = [];
        for (let i = 0; i < 5; i++) {
          tasks.push(asyncio.create_task(() =>
            asyncio.async_with(lock, async () => {
              holders.push(i);
              await asyncio.sleep(0);
            })
          ));
          await wait_all_tasks_blocked();
        }
        lock.release();
        await asyncio.gather(...tasks);
        assertEquals(holders, [0, 1, 2, 3, 4]);
        const queue = new asyncio.Queue<number>();
        const getters: asyncio.Task<number>[] = [];
        for (let i = 0; i < 5; i++) {
          getters.push(asyncio.create_task(() => queue.get()));
          await wait_all_tasks_blocked();
        }
        for (let i = 0; i < 5; i++) queue.put_nowait(i);
        assertEquals(await asyncio.gather(...getters), [0, 1, 2, 3, 4]);
        await asyncio.sleep(1);
        assertEquals(called, Array.from({ length: 20 }, (_, i) => i));
      }, { loop_factory: () => asyncio.new_event_loop({ order_seed, clock: new asyncio.VirtualClock() }) });
    }),
    { numRuns: 30 },
  );
});

/** Two tasks that race for a value that is read, then written: right only if the first is not cut in. */
async function racy(): Promise<void> {
  let balance = 0;
  const deposit = async (delay: number) => {
    await asyncio.sleep(delay);
    const read = balance;
    await asyncio.sleep(0);
    balance = read + 1;
  };
  const read_late = async () => {
    await asyncio.sleep(1);
    assertEquals(balance, 0, "read before the deposit");
  };
  await asyncio.gather(read_late, () => deposit(1));
  await asyncio.gather(async () => assertEquals(await Promise.resolve(balance), 1), () => asyncio.sleep(0));
}

Deno.test("run_test() with several runs finds what depends on the order, and names the seed with which it fails again", async () => {
  const depends_on_order = async () => {
    const words: string[] = [];
    const says = (word: string) => async () => {
      await asyncio.sleep(0);
      words.push(word);
    };
    await asyncio.gather(says("first"), says("second"));
    assertEquals(words, ["first", "second"]);
  };
  await run_test(depends_on_order);
  await run_test(racy);
  const error = await error_of(run_test(depends_on_order, { runs: 50 }));
  const seed = Number(error.message.match(/^Failed with \{ seed: (\d+) \}: AssertionError: /)?.[1]);
  assert(seed >= 1 && seed <= 50, error.message);
  assertMatch((error.cause as Error).message, /first/);
  const again = await error_of(run_test(depends_on_order, { seed }));
  assertMatch(again.message, new RegExp(`^Failed with \\{ seed: ${seed} \\}: AssertionError`));
});

// wait_all_tasks_blocked()

Deno.test("wait_all_tasks_blocked() ends when every other task waits, and before a virtual clock jumps", async () => {
  await run_test(async ({ clock }) => {
    const steps: number[] = [];
    const task = asyncio.create_task(async () => {
      for (let i = 0; i < 50; i++) {
        steps.push(i);
        await asyncio.sleep(0);
      }
      await asyncio.sleep(1);
      steps.push(-1);
    });
    await wait_all_tasks_blocked();
    assertEquals([steps.length, clock.time()], [50, 0]);
    await wait_all_tasks_blocked(0.005);
    assertEquals([steps.length, clock.time()], [50, 0]);
    await task;
    assertEquals(clock.time(), 1);
  });
});

Deno.test("wait_all_tasks_blocked() waits for what is under way in a memory network", async () => {
  await run_test(async () => {
    const got: number[] = [];
    const server = await asyncio.start_server(
      async (reader) => {
        for await (const line of reader) got.push(line.length);
      },
      "10.0.0.1",
      80,
    );
    const [, writer] = await asyncio.open_connection("10.0.0.1", 80);
    for (let i = 1; i <= 20; i++) writer.write("x".repeat(i) + "\n");
    await wait_all_tasks_blocked();
    assertEquals(got.length, 20);
    writer.close();
    await server.shutdown();
  }, { network: { chunk_size: 3 } });
});

Deno.test("of several calls of wait_all_tasks_blocked() the shortest cushion ends first, equal ones together", async () => {
  await run_test(async ({ clock }) => {
    const words: string[] = [];
    const wait = (name: string, cushion: number) => async () => {
      await wait_all_tasks_blocked(cushion);
      words.push(name);
    };
    const sleeping = asyncio.create_task(() => asyncio.sleep(1));
    await asyncio.gather(wait("c", 0.02), wait("a1", 0), wait("b", 0.01), wait("a2", 0));
    assertEquals(words, ["a1", "a2", "b", "c"]);
    assertEquals(clock.time(), 0);
    await sleeping;
  });
});

Deno.test("a cushion starts again when a task runs meanwhile, and a call that is cancelled leaves nothing behind", async () => {
  await asyncio.run(async () => {
    const task = asyncio.create_task(async () => {
      for (let i = 0; i < 10; i++) await asyncio.sleep(0.002);
    });
    // Longer than the machine ever needs for two milliseconds, shorter than all of them.
    await wait_all_tasks_blocked(0.02);
    assert(task.done());
    await assertRejects(() => asyncio.wait_for(wait_all_tasks_blocked(3600), 0.001), asyncio.TimeoutError);
  });
});

// Leaks

/** Those that tests left behind, which the end of their loops kills. */
const processes: asyncio.Process[] = [];
/** What would be closed if it was collected. */
const kept: unknown[] = [];

const LEFT: Readonly<Record<string, { leave: () => unknown; shown: RegExp }>> = {
  "a task": {
    leave: () => void asyncio.create_task(() => new asyncio.Event().wait(), { name: "forgotten" }),
    shown: /<Task "forgotten" pending, waits for .*>, made at .*testing_kit_test\.ts:\d+/,
  },
  "a timer": {
    leave: () => asyncio.get_running_loop().call_later(3600, function later() {}),
    shown: /<TimerHandle when=3600 later>, made at .*testing_kit_test\.ts:\d+/,
  },
  "a server": {
    leave: () => asyncio.start_server(() => {}, "10.0.0.1", 80),
    shown: /<Server .*10\.0\.0\.1.*>, made at .*testing_kit_test\.ts:\d+/,
  },
  "a connection": {
    leave: async () => {
      const server = await asyncio.start_server((reader) => reader.read(), "10.0.0.1", 80);
      kept.push(await asyncio.open_connection("10.0.0.1", 80));
      server.close();
    },
    shown: /<Transport open to 10\.0\.0\.1,80 .*>, made at .*testing_kit_test\.ts:\d+/,
  },
  "a process": {
    leave: async () => void processes.push(await asyncio.create_subprocess_exec("sleep", "60")),
    shown: /<Process .*>, made at .*testing_kit_test\.ts:\d+/,
  },
  "an end of a pair": {
    leave: () => void kept.push(asyncio.testing.memory_pair()),
    shown: /<Transport open to memory.*>, made at .*testing_kit_test\.ts:\d+/,
  },
  "a signal handler": {
    leave: () => asyncio.get_running_loop().add_signal_handler("SIGUSR2", () => {}),
    shown: /<handler of SIGUSR2>, made at .*testing_kit_test\.ts:\d+/,
  },
};

for (const [what, { leave, shown }] of Object.entries(LEFT)) {
  Deno.test(`assert_no_leaks() names ${what} that is left behind`, async () => {
    const error = await error_of(run_test(async () => void await leave()));
    assertMatch(error.message, /^(1 thing was|\d things were) left behind:\n/);
    assertMatch(error.message, shown);
    // Without the check, the end of the loop sees to them.
    await run_test(async () => void await leave(), { leaks: false });
    for (const process of processes.splice(0)) assertEquals(await process.wait(), -9);
    kept.length = 0;
  });
}

Deno.test("assert_no_leaks() gives the result, lets what is about to end do so, and leaves what was there alone", async () => {
  await run_test(async () => {
    const before = asyncio.create_task(() => new asyncio.Event().wait());
    const result = await assert_no_leaks(async () => {
      const server = await asyncio.start_server(async (reader) => void await reader.read(), "10.0.0.1", 80);
      const [, writer] = await asyncio.open_connection("10.0.0.1", 80);
      asyncio.create_task(() => asyncio.sleep(0));
      writer.close();
      server.close();
      return 42;
    });
    assertEquals(result, 42);
    assert(asyncio.all_tasks().has(before));
    before.cancel();
  });
});

Deno.test("assert_no_leaks() fails with the function's own error rather than with what that left behind", async () => {
  await run_test(async () => {
    const failing = assert_no_leaks(() => {
      asyncio.create_task(() => asyncio.sleep(1));
      throw new RangeError("first");
    });
    assertInstanceOf(await error_of(failing), RangeError);
  }, { leaks: false });
  assertThrows(() => assert_no_leaks(1 as never), TypeError, '"fn"');
});

// run_test() and test()

Deno.test("run_test() gives its test a virtual clock and a memory network of its own, or the machine's", async () => {
  await run_test(async ({ clock, network, seed }) => {
    assertInstanceOf(clock, asyncio.VirtualClock);
    assertInstanceOf(network, asyncio.testing.MemoryNetwork);
    assertEquals(seed, null);
    await asyncio.sleep(3600);
    assertEquals(asyncio.get_running_loop().time(), 3600);
  });
  const seeds: (number | null)[] = [];
  await run_test(({ seed }) => void seeds.push(seed), { runs: 3, seed: 7 });
  assertEquals(seeds, [7, 8, 9]);
  const result = await run_test(async ({ clock, network }) => {
    assertEquals([clock, network], [null, null]);
    const server = await asyncio.start_server(() => {}, "127.0.0.1", 0);
    assert(server.sockets[0].getsockname()[1] as unknown as number > 0);
    server.close();
    await server.wait_closed();
    return "result";
  }, { clock: null, network: null });
  assertEquals(result, "result");
});

Deno.test("run_test() ends a test whose tasks wait for each other at once, and says what they wait for", async () => {
  const start = performance.now();
  const error = await error_of(run_test(async () => {
    const [a, b] = [new asyncio.Event(), new asyncio.Event()];
    const task = asyncio.create_task(async () => {
      await b.wait();
      a.set();
    }, { name: "helper" });
    await a.wait();
    b.set();
    await task;
  }));
  assertInstanceOf(error, asyncio.TimeoutError);
  assertMatch(error.message, /^Still waiting after 86400 seconds:\n/);
  assertMatch(error.message, /<Task "helper" pending, waits for /);
  assert(performance.now() - start < 5000);
});

Deno.test("run_test() fails a test that takes too long even if it swallows the cancellation, once or again", async () => {
  for (const waits of [1, 3]) {
    const swallows = run_test(async () => {
      for (let i = 0; i < waits; i++) {
        try {
          await new asyncio.Event().wait();
        } catch { /* goes on */ }
      }
    }, { timeout: 10 });
    assertMatch((await error_of(swallows)).message, /^Still waiting after 10 seconds:\n {2}<Task "test" pending/);
  }
  const other_error = run_test(async () => {
    try {
      await new asyncio.Event().wait();
    } catch {
      throw new RangeError("on the way out");
    }
  }, { timeout: 10 });
  const error = await error_of(other_error);
  assertInstanceOf(error, asyncio.TimeoutError);
  assertInstanceOf(error.cause, RangeError);
});

// In a process of their own, as what nobody can end is left behind.
Deno.test("run_test() fails a test that nobody can end: one that waits for a foreign promise, or always goes on", async () => {
  const { stdout } = await run_program(`
    const never = new Promise(() => {});
    const retries = async () => {
      for (;;) await new asyncio.Event().wait().catch(() => {});
    };
    for (const body of [() => never, retries]) {
      const clock = new asyncio.VirtualClock({ patience: 0 });
      await asyncio.testing.run_test(body, { timeout: 10, clock }).catch((error) => console.log(error.message));
    }
    Deno.exit();`);
  assertEquals(stdout.match(/^Still waiting after 10 seconds:$/gm)?.length, 2, stdout);
});

Deno.test("test() declares its test with Deno's sanitizers on", async () => {
  const declared: asyncio.testing.TestDefinition[] = [];
  const register = (definition: asyncio.testing.TestDefinition) => declared.push(definition);
  let ran = 0;
  test("a promise", async ({ clock }) => {
    await asyncio.sleep(60);
    assertEquals(clock.time(), 60);
    ran++;
  }, { register, runs: 3 });
  test("another", () => {}, { register, ignore: true, only: true });
  const [{ fn, ...first }, second] = declared;
  assertEquals(first, {
    name: "a promise",
    ignore: false,
    only: false,
    sanitizeOps: true,
    sanitizeResources: true,
    sanitizeExit: true,
  });
  assertEquals([second.ignore, second.only], [true, true]);
  await fn();
  assertEquals(ran, 3);
});

test("test() declares to deno test by itself", async ({ clock }) => {
  await asyncio.sleep(3600);
  assertEquals(clock.time(), 3600);
});

Deno.test("the calls of the test kit refuse wrong arguments by name and value", async () => {
  const wrong = (options: unknown) => error_of(run_test(() => {}, options as asyncio.testing.RunTestOptions));
  assertMatch((await wrong({ speed: 1 })).message, /"speed"/);
  assertMatch((await wrong({ runs: 0 })).message, /"runs" must be a whole number above 0, got 0/);
  assertMatch((await wrong({ seed: "1" })).message, /"seed" must be a number/);
  assertMatch((await wrong({ timeout: 0 })).message, /"timeout" must be above 0, got 0/);
  assertMatch((await wrong({ leaks: 1 })).message, /"leaks" must be a boolean, got 1/);
  assertMatch((await wrong({ network: { delay: 1 } })).message, /"delay"/);
  assertMatch((await wrong({ clock: 1 })).message, /"clock" must have/);
  assertThrows(() => test("", () => {}), TypeError, '"name" must be a text');
  assertThrows(() => test("a", 1 as never), TypeError, '"fn"');
  assertThrows(() => wait_all_tasks_blocked(-1), RangeError, '"cushion" must be 0 or more, got -1');
  assertThrows(() => wait_all_tasks_blocked("1" as never), TypeError, '"cushion" must be a number');
  assertThrows(() => asyncio.new_event_loop({ order_seed: "1" as never }), TypeError, '"order_seed" must be a number');
});
