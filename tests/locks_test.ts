// Each expected transcript is what CPython 3.13 prints for the same program. Numbers are the loop's iterations.

import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";
import { collect_reports, error_of, run_virtual } from "./_helpers.ts";
import { catching, check_waiting_call, same_as_cpython, spawn } from "./_waiting_calls.ts";

/** What all that can be acquired has in common. */
interface Acquirable extends asyncio.AsyncContextManager<null> {
  acquire(options?: asyncio.AcquireOptions): asyncio.Future<true>;
  hold(options?: asyncio.AcquireOptions): asyncio.Future<Disposable>;
  release(): void;
  locked(): boolean;
}

const ACQUIRABLES: Record<string, () => Acquirable> = {
  Lock: () => new asyncio.Lock(),
  Condition: () => new asyncio.Condition(),
  Semaphore: () => new asyncio.Semaphore(1),
  BoundedSemaphore: () => new asyncio.BoundedSemaphore(1),
};

for (const [name, make] of Object.entries(ACQUIRABLES)) {
  const taken = () => {
    const acquirable = make();
    acquirable.acquire();
    return acquirable;
  };

  check_waiting_call(`${name}.acquire()`, () => {
    const acquirable = taken();
    return { call: (options) => acquirable.acquire(options), wake: () => acquirable.release() };
  });

  check_waiting_call(`${name}.hold()`, () => {
    const acquirable = taken();
    return { call: (options) => acquirable.hold(options), wake: () => acquirable.release() };
  });

  Deno.test(`${name}.acquire() of a free one is done at once, with true`, async () => {
    const acquirable = make();
    assertEquals(acquirable.locked(), false);
    const acquiring = acquirable.acquire();
    assertEquals([acquiring.done(), acquirable.locked(), await acquiring], [true, true, true]);
  });

  Deno.test(`${name}.hold() releases at the end of the using block, also of one that throws`, async () => {
    const acquirable = make();
    {
      using _hold = await acquirable.hold();
      assertEquals(acquirable.locked(), true);
    }
    assertEquals(acquirable.locked(), false);
    await error_of((async () => {
      using _hold = await acquirable.hold();
      throw new Error("no");
    })());
    assertEquals(acquirable.locked(), false);
  });

  Deno.test(`${name}: a hold releases once, and not what another has acquired since`, async () => {
    const acquirable = make();
    const hold = await acquirable.hold();
    hold[Symbol.dispose]();
    await acquirable.acquire();
    hold[Symbol.dispose]();
    assertEquals(acquirable.locked(), true);
  });

  Deno.test(`${name} is held inside of async_with(), and released however the body ends`, async () => {
    await run_virtual(async () => {
      const acquirable = make();
      const result = await asyncio.async_with(acquirable, (nothing) => [nothing, acquirable.locked()]);
      assertEquals([result, acquirable.locked()], [[null, true], false]);

      const error = await error_of(asyncio.async_with(acquirable, () => {
        throw new RangeError("body");
      }));
      assertEquals([error.message, acquirable.locked()], ["body", false]);

      const task = asyncio.create_task(() => asyncio.async_with(acquirable, () => asyncio.sleep(3600)));
      await asyncio.sleep(1);
      assertEquals(acquirable.locked(), true);
      task.cancel();
      await error_of(task);
      assertEquals(acquirable.locked(), false);
    });
  });

  Deno.test(`${name}: async_with() that is cancelled in line neither runs its body nor releases`, async () => {
    await run_virtual(async () => {
      const acquirable = taken();
      let ran = false;
      const task = asyncio.create_task(() => asyncio.async_with(acquirable, () => void (ran = true)));
      await asyncio.sleep(1);
      task.cancel();
      await error_of(task);
      assertEquals([ran, acquirable.locked()], [false, true]);
    });
  });

  Deno.test(`${name} is for one task at a time, and no two are inside together`, async () => {
    await run_virtual(async () => {
      const acquirable = make();
      let inside = 0;
      const order: number[] = [];
      await asyncio.gather(...Array.from({ length: 20 }, (_, i) => () =>
        asyncio.async_with(acquirable, async () => {
          assertEquals(++inside, 1);
          order.push(i);
          await asyncio.sleep(i % 3);
          inside--;
        })));
      assertEquals(order, Array.from({ length: 20 }, (_, i) => i));
    });
  });

  Deno.test(`${name} may be shared by runs that go side by side`, async () => {
    const acquirable = make();
    let inside = 0;
    const work = () =>
      asyncio.async_with(acquirable, async () => {
        assertEquals(++inside, 1);
        await asyncio.sleep(0);
        inside--;
      });
    const main = async () => void await asyncio.gather(() => work(), () => work(), () => work());
    await Promise.all([asyncio.run(main), asyncio.run(main), run_virtual(main)]);
    assertEquals(acquirable.locked(), false);
  });
}

// Lock

same_as_cpython(
  "a Lock that is released goes to the next in line, and nobody gets ahead meanwhile",
  async (transcript) => {
    const { log } = transcript;
    const lock = new asyncio.Lock();
    await lock.acquire();
    const use = (name: string) =>
      asyncio.async_with(lock, async () => {
        log(name);
        await asyncio.sleep(0);
        log(`${name}out`);
      });
    const a = asyncio.create_task(() => use("a"));
    const b = asyncio.create_task(() => use("b"));
    await asyncio.sleep(0);
    transcript.ticks(8);
    lock.release();
    log(lock.locked());
    const c = asyncio.create_task(() => use("c"));
    await asyncio.sleep(0);
    log(lock.locked());
    await asyncio.gather(a, b, c);
  },
  "false 1 a true 2 aout 3 b 4 bout 5 c 6 cout 7 8",
);

same_as_cpython("a Lock whose first in line is cancelled before the release goes to the second", async (transcript) => {
  const { log } = transcript;
  const lock = new asyncio.Lock();
  await lock.acquire();
  const [a] = await spawn("a", () => lock.acquire(), log);
  const [b] = await spawn("b", () => lock.acquire(), log);
  transcript.ticks(5);
  a.cancel("now");
  lock.release();
  log(lock.locked());
  await b;
  log(lock.locked());
}, "false 1 a:cancellednow 2 b=true 3 true 4 5");

same_as_cpython(
  "S3: a Lock whose first in line is cancelled after the release goes to the second",
  async (transcript) => {
    const { log } = transcript;
    const lock = new asyncio.Lock();
    await lock.acquire();
    const [a] = await spawn("a", () => lock.acquire(), log);
    const [b] = await spawn("b", () => lock.acquire(), log);
    transcript.ticks(5);
    lock.release();
    a.cancel("now");
    const c = asyncio.create_task(() => catching("c", () => lock.acquire(), log));
    log(lock.locked());
    await b;
    log(lock.locked());
    lock.release();
    await c;
  },
  "false 1 a:cancellednow 2 b=true 3 true 4 c=true 5",
);

Deno.test("Lock.release() of a free lock throws RuntimeError", () => {
  assertThrows(() => new asyncio.Lock().release(), asyncio.RuntimeError, "Lock is not acquired.");
});

Deno.test("Lock.acquire() that nobody awaits takes its turn all the same", async () => {
  await run_virtual(async () => {
    const lock = new asyncio.Lock();
    await lock.acquire();
    const waiting = lock.acquire();
    lock.release();
    await asyncio.sleep(0);
    assertEquals([waiting.done(), lock.locked()], [true, true]);
  });
});

Deno.test("Lock: a waiting future that is ended by hand gives up its place", async () => {
  await run_virtual(async () => {
    const lock = new asyncio.Lock();
    await lock.acquire();
    const first = lock.acquire();
    const second = lock.acquire();
    first.set_result(true);
    lock.release();
    assertEquals([await first, await second, lock.locked()], [true, true, true]);
  });
});

Deno.test("Lock: ten thousand waiters of whom every other one is cancelled are served in order", async () => {
  await run_virtual(async () => {
    const lock = new asyncio.Lock();
    await lock.acquire();
    const served: number[] = [];
    const tasks = Array.from(
      { length: 10_000 },
      (_, i) => asyncio.create_task(() => asyncio.async_with(lock, () => void served.push(i))),
    );
    await asyncio.sleep(0);
    for (let i = 0; i < tasks.length; i += 2) tasks[i].cancel();
    lock.release();
    await asyncio.wait(tasks);
    assertEquals(served, Array.from({ length: 5_000 }, (_, i) => 2 * i + 1));
  });
});

// Event

check_waiting_call("Event.wait()", () => {
  const event = new asyncio.Event();
  return { call: (options) => event.wait(options), wake: () => event.set(), wakes_all: true };
});

same_as_cpython("Event.set() wakes all who wait, even if it is cleared before they run", async (transcript) => {
  const { log } = transcript;
  const event = new asyncio.Event();
  const [a] = await spawn("a", () => event.wait(), log);
  const [b] = await spawn("b", () => event.wait(), log);
  transcript.ticks(5);
  event.set();
  a.cancel();
  event.clear();
  const [c] = await spawn("c", () => event.wait(), log);
  log(event.is_set());
  await asyncio.sleep(0);
  event.set();
  await asyncio.gather(b, c);
}, "1 a:cancelled b=true false 2 3 c=true 4 5");

Deno.test("Event.wait() is done at once while the flag is set, and waits again after clear()", async () => {
  const event = new asyncio.Event();
  assertEquals(event.is_set(), false);
  event.set();
  event.set();
  assertEquals([event.is_set(), event.wait().done(), await event.wait()], [true, true, true]);
  event.clear();
  const waiting = event.wait();
  assertEquals([event.is_set(), waiting.done()], [false, false]);
  event.set();
  await waiting;
  asyncio.get_event_loop().close();
});

// Condition

check_waiting_call("Condition.wait()", () => {
  const condition = new asyncio.Condition();
  const call = (options?: asyncio.AcquireOptions) => {
    // What it refuses it refuses at once.
    if (options !== undefined && !(options.signal instanceof AbortSignal)) return condition.wait(options);
    return asyncio.async_with(condition, () => condition.wait(options));
  };
  const wake = () => void asyncio.async_with(condition, () => condition.notify());
  return { call, wake, keeps_no_turn: true };
});

check_waiting_call("Condition.wait_for()", () => {
  const condition = new asyncio.Condition();
  let stock = 0;
  const call = (options?: asyncio.AcquireOptions) => {
    const take = () => stock > 0 && stock-- > 0;
    if (options !== undefined && !(options.signal instanceof AbortSignal)) return condition.wait_for(take, options);
    return asyncio.async_with(condition, () => condition.wait_for(take, options));
  };
  const wake = () =>
    void asyncio.async_with(condition, () => {
      stock++;
      condition.notify();
    });
  return { call, wake };
});

same_as_cpython("S2: a notification whose task is cancelled in the same turn reaches another", async (transcript) => {
  const { log } = transcript;
  const condition = new asyncio.Condition();
  const wait = (name: string) => () =>
    asyncio.async_with(condition, async () => {
      try {
        await condition.wait();
        log(name);
      } catch (error) {
        log(`${name}:cancelled${(error as Error).message} ${condition.locked() ? "locked" : "unlocked"}`);
      }
    });
  const [a, b, c] = ["a", "b", "c"].map((name) => asyncio.create_task(wait(name)));
  await asyncio.sleep(0);
  transcript.ticks(7);
  await asyncio.async_with(condition, () => {
    condition.notify();
    a.cancel("now");
    log("notified");
  });
  await a;
  await b;
  log(c.done());
  await asyncio.async_with(condition, () => condition.notify_all());
  await c;
}, "notified 1 a:cancellednow locked 2 b false 3 c 4 5 6 7");

same_as_cpython(
  "Condition.wait() holds the lock however it is cancelled, and throws the last cancellation",
  async (transcript) => {
    const { log } = transcript;
    const condition = new asyncio.Condition();
    const wait = (name: string) => () =>
      asyncio.async_with(condition, async () => {
        try {
          await condition.wait();
          log(name);
        } catch (error) {
          log(`${name}:${(error as Error).message}`);
        }
        log(condition.locked());
      });
    const a = asyncio.create_task(wait("a"));
    const b = asyncio.create_task(wait("b"));
    await asyncio.sleep(0);
    transcript.ticks(8);
    await condition.acquire();
    condition.notify();
    await asyncio.sleep(0);
    a.cancel("first");
    await asyncio.sleep(0);
    a.cancel("last");
    await asyncio.sleep(0);
    log(a.done());
    condition.release();
    await a;
    await b;
  },
  "1 2 3 false 4 a:last true 5 b true 6 7 8",
);

Deno.test("Condition.wait(), notify() and notify_all() without the lock throw RuntimeError", async () => {
  const condition = new asyncio.Condition();
  assertEquals((await error_of(condition.wait())).message, "cannot wait on un-acquired lock");
  assertEquals((await error_of(condition.wait_for(() => false))).message, "cannot wait on un-acquired lock");
  assertEquals(await condition.wait_for(() => "at once"), "at once");
  const text = "cannot notify on un-acquired lock";
  assertThrows(() => condition.notify(), asyncio.RuntimeError, text);
  assertThrows(() => condition.notify_all(), asyncio.RuntimeError, text);
  assertThrows(() => condition.release(), asyncio.RuntimeError, "Lock is not acquired.");
});

Deno.test("Condition.wait() with a signal that is aborted already does not release the lock", async () => {
  await run_virtual(async () => {
    const condition = new asyncio.Condition();
    await condition.acquire();
    const other = asyncio.create_task(() => condition.acquire());
    await asyncio.sleep(0);
    assertEquals(await error_of(condition.wait({ signal: AbortSignal.abort("no") })), "no");
    assertEquals(await error_of(condition.wait_for(() => true, { signal: AbortSignal.abort("no") })), "no");
    await asyncio.sleep(1);
    assertEquals([condition.locked(), other.done()], [true, false]);
    condition.release();
    await other;
  });
});

Deno.test("Condition.wait() holds the lock again when its signal has aborted", async () => {
  await run_virtual(async () => {
    const condition = new asyncio.Condition();
    const controller = new AbortController();
    const task = asyncio.create_task(() =>
      asyncio.async_with(condition, async () => {
        const error = await error_of(condition.wait({ signal: controller.signal }));
        return [error, condition.locked(), asyncio.get_running_loop().time()];
      })
    );
    await asyncio.sleep(1);
    await condition.acquire();
    controller.abort("enough");
    await asyncio.sleep(4);
    condition.release();
    assertEquals(await task, ["enough", true, 5]);
  });
});

Deno.test("a signal that aborts after the notification does not undo Condition.wait_for()", async () => {
  await run_virtual(async () => {
    const condition = new asyncio.Condition();
    const controller = new AbortController();
    let stock = 0;
    const task = asyncio.create_task(() =>
      asyncio.async_with(condition, () => condition.wait_for(() => stock > 0, { signal: controller.signal }))
    );
    await asyncio.sleep(1);
    await condition.acquire();
    stock++;
    condition.notify();
    await asyncio.sleep(1); // now it waits for the lock
    controller.abort("too late");
    condition.release();
    assertEquals(await task, true);
  });
});

Deno.test("Condition.notify(n) wakes at most n, and notify_all() the rest, in the order of their coming", async () => {
  await run_virtual(async () => {
    const condition = new asyncio.Condition();
    const woken: number[] = [];
    const tasks = Array.from(
      { length: 7 },
      (_, i) =>
        asyncio.create_task(() =>
          asyncio.async_with(condition, async () => {
            await condition.wait();
            woken.push(i);
          })
        ),
    );
    await asyncio.sleep(1);
    const counts: number[] = [];
    for (const n of [0, -1, 1, 2, 1.5]) {
      await asyncio.async_with(condition, () => condition.notify(n));
      await asyncio.sleep(1);
      counts.push(woken.length);
    }
    await asyncio.async_with(condition, () => condition.notify_all());
    await asyncio.gather(...tasks);
    assertEquals([counts, woken], [[0, 0, 1, 3, 5], [0, 1, 2, 3, 4, 5, 6]]);
  });
});

Deno.test("Condition.wait_for() gives the predicate's value, and looks again whenever it was woken in vain", async () => {
  await run_virtual(async () => {
    const condition = new asyncio.Condition();
    let looks = 0;
    const task = asyncio.create_task(() =>
      asyncio.async_with(condition, () =>
        condition.wait_for(() => {
          assert(condition.locked());
          return ++looks === 3 && "found";
        }))
    );
    for (let i = 0; i < 2; i++) {
      await asyncio.sleep(1);
      await asyncio.async_with(condition, () => condition.notify());
    }
    assertEquals(await task, "found");
  });
});

Deno.test("Condition.wait_for() refuses an async predicate, which would always count as true", async () => {
  await run_virtual(async () => {
    const condition = new asyncio.Condition();
    await condition.acquire();
    for (const predicate of [() => Promise.resolve(false), () => Promise.reject(new Error("unseen"))]) {
      const error = await error_of(condition.wait_for<unknown>(predicate));
      assertEquals(error.message, '"predicate" must return a value, not a promise, got [object Promise]');
    }
    const error = await error_of(condition.wait_for(() => {
      throw new RangeError("predicate");
    }));
    assertEquals([error.message, condition.locked()], ["predicate", true]);
  });
});

Deno.test("conditions may share a lock", async () => {
  await run_virtual(async () => {
    const lock = new asyncio.Lock();
    const [not_empty, not_full] = [new asyncio.Condition(lock), new asyncio.Condition(lock)];
    const task = asyncio.create_task(() => asyncio.async_with(not_empty, () => not_empty.wait()));
    await asyncio.sleep(1);
    await not_full.acquire();
    assertEquals([lock.locked(), not_empty.locked()], [true, true]);
    not_full.notify_all();
    not_empty.notify();
    not_full.release();
    assertEquals(await task, true);
    assertEquals(new asyncio.Condition(null).locked(), false);
  });
});

Deno.test("Condition.wait() in a CancelScope that is cancelled waits for the lock without spinning", async () => {
  await run_virtual(async () => {
    const condition = new asyncio.Condition();
    const scope = new asyncio.CancelScope();
    const task = asyncio.create_task(() =>
      asyncio.async_with(scope, () =>
        asyncio.async_with(condition, async () => {
          try {
            await condition.wait();
          } finally {
            assertEquals(condition.locked(), true);
          }
        }))
    );
    await asyncio.sleep(1);
    await condition.acquire();
    scope.cancel();
    // A loop that spins never lets the virtual clock go on.
    await asyncio.sleep(1);
    assertEquals(task.done(), false);
    condition.release();
    await task;
    assertEquals([scope.cancelled_caught, condition.locked()], [true, false]);
  });
});

Deno.test("Condition(), notify() and wait_for() refuse wrong arguments by name and value", async () => {
  // deno-lint-ignore no-explicit-any
  const any = (value: unknown) => value as any;
  assertThrows(() => new asyncio.Condition(any(5)), TypeError, '"lock" must be a Lock, got 5');
  assertThrows(
    () => new asyncio.Condition(any(new asyncio.Semaphore())),
    TypeError,
    '"lock" must be a Lock, got [object Semaphore]',
  );
  const condition = new asyncio.Condition();
  await condition.acquire();
  assertThrows(() => condition.notify(any("1")), TypeError, '"n" must be a number, got "1"');
  assertThrows(() => condition.notify(NaN), RangeError, '"n" must not be NaN');
  assertThrows(() => condition.wait_for(any(null)), TypeError, '"predicate" must be a function, got null');
});

// Semaphore

same_as_cpython(
  "a Semaphore's permits go to those in line, and who comes later waits behind them",
  async (transcript) => {
    const { log } = transcript;
    const semaphore = new asyncio.Semaphore(0);
    const tasks: asyncio.Task<void>[] = [];
    for (const name of ["a", "b", "c"]) tasks.push(...await spawn(name, () => semaphore.acquire(), log));
    transcript.ticks(6);
    for (let i = 0; i < 3; i++) semaphore.release();
    log(semaphore.locked());
    tasks[1].cancel();
    tasks.push(asyncio.create_task(() => catching("d", () => semaphore.acquire(), log)));
    await asyncio.sleep(0);
    log(semaphore.locked());
    await asyncio.gather(...tasks);
    log(semaphore.locked());
  },
  "true 1 a=true b:cancelled c=true d=true true true 2 3 4 5 6",
);

Deno.test("Semaphore(n) lets n tasks through at a time", async () => {
  await run_virtual(async () => {
    for (const n of [1, 3, Infinity]) {
      const semaphore = new asyncio.Semaphore(n);
      let [inside, most] = [0, 0];
      const work = () =>
        asyncio.async_with(semaphore, async () => {
          most = Math.max(most, ++inside);
          await asyncio.sleep(1);
          inside--;
        });
      await asyncio.gather(...Array.from({ length: 10 }, () => () => work()));
      assertEquals(most, Math.min(n, 10));
    }
  });
});

Deno.test("Semaphore.release() may add permits, and BoundedSemaphore.release() refuses to", async () => {
  const semaphore = new asyncio.Semaphore(0);
  assertEquals(semaphore.locked(), true);
  semaphore.release();
  await semaphore.acquire();
  assertEquals(semaphore.locked(), true);

  const bounded = new asyncio.BoundedSemaphore(2);
  const text = "BoundedSemaphore released too many times";
  assertThrows(() => bounded.release(), RangeError, text);
  await bounded.acquire();
  bounded.release();
  assertThrows(() => bounded.release(), RangeError, text);
  await bounded.acquire();
  await bounded.acquire();
  assertEquals(bounded.locked(), true);
});

Deno.test("S1: a Semaphore whose woken waiters are cancelled still serves those who came behind", async () => {
  await run_virtual(async () => {
    const semaphore = new asyncio.Semaphore(0);
    const [a, b, c] = [1, 2, 3].map(() => asyncio.create_task(() => semaphore.acquire()));
    await asyncio.sleep(0);
    semaphore.release();
    semaphore.release();
    a.cancel();
    b.cancel();
    await c;
    assertEquals([a.cancelled(), b.cancelled(), semaphore.locked()], [true, true, false]);
    await semaphore.acquire();
    assertEquals(semaphore.locked(), true);
  });
});

Deno.test("semaphores and barriers refuse wrong numbers by name and value", () => {
  // deno-lint-ignore no-explicit-any
  const any = (value: unknown) => value as any;
  for (const kind of [asyncio.Semaphore, asyncio.BoundedSemaphore]) {
    assertThrows(() => new kind(any("2")), TypeError, '"value" must be a number, got "2"');
    assertThrows(() => new kind(-1), RangeError, 'Semaphore initial value must be >= 0: "value" is -1');
    assertThrows(() => new kind(1.5), RangeError, '"value" must be a whole number or Infinity, got 1.5');
    assertThrows(() => new kind(NaN), RangeError, '"value" must not be NaN');
  }
  assertThrows(
    () => new asyncio.BoundedSemaphore(Infinity),
    RangeError,
    '"value" must be a whole number, got Infinity',
  );
  assertThrows(() => new asyncio.Barrier(any(undefined)), TypeError, '"parties" must be a number, got undefined');
  assertThrows(() => new asyncio.Barrier(0), RangeError, 'parties must be > 0: "parties" is 0');
  assertThrows(() => new asyncio.Barrier(1.5), RangeError, '"parties" must be a whole number, got 1.5');
});

// Barrier

check_waiting_call("Barrier.wait()", () => {
  const barrier = new asyncio.Barrier(9);
  const fill = () => {
    for (let missing = barrier.parties - barrier.n_waiting; missing > 0; missing--) barrier.wait();
  };
  return { call: (options) => barrier.wait(options), wake: fill, wakes_all: true, keeps_no_turn: true };
});

same_as_cpython("a Barrier lets its tasks go on in rounds", async (transcript) => {
  const { log } = transcript;
  const barrier = new asyncio.Barrier(2);
  const use = (name: string) => async () => {
    for (let round = 0; round < 2; round++) {
      log(`${name}${await barrier.wait()}`);
      log(barrier.n_waiting);
    }
  };
  transcript.ticks(8);
  await asyncio.gather(use("a"), use("b"), use("c"), use("d"));
}, "1 b1 0 2 a0 0 3 b1 0 4 a0 0 5 d1 0 6 c0 0 7 d1 0 8 c0 0");

same_as_cpython("a Barrier that is reset or aborted breaks the wait of its tasks", async (transcript) => {
  const { log } = transcript;
  const barrier = new asyncio.Barrier(3);
  transcript.ticks(7);
  await spawn("a", () => barrier.wait(), log);
  const [b] = await spawn("b", () => barrier.wait(), log);
  log(barrier.n_waiting);
  b.cancel();
  await asyncio.sleep(0);
  log(barrier.n_waiting);
  await barrier.reset();
  log(barrier.broken);
  const [c] = await spawn("c", () => barrier.wait(), log);
  log(barrier.n_waiting);
  await barrier.abort();
  log(barrier.broken);
  await c;
  await catching("d", () => barrier.wait(), log);
  await barrier.reset();
  log(barrier.broken);
}, "1 2 2 3 b:cancelled 1 false 4 a:BrokenBarrierError 1 true 5 c:BrokenBarrierError 6 d:BrokenBarrierError false 7");

Deno.test("Barrier: its errors say whether it was broken before or meanwhile", async () => {
  await run_virtual(async () => {
    const barrier = new asyncio.Barrier(2);
    const waiting = barrier.wait();
    await asyncio.sleep(0);
    await barrier.abort();
    const error = await error_of(waiting);
    assertInstanceOf(error, asyncio.BrokenBarrierError);
    assertInstanceOf(error, asyncio.RuntimeError);
    assertEquals(error.message, "Abort or reset of barrier");
    assertEquals((await error_of(barrier.wait())).message, "Barrier aborted");
  });
});

Deno.test("Barrier gives each task of a round its own number, in the order of their coming", async () => {
  await run_virtual(async () => {
    const barrier = new asyncio.Barrier(5);
    assertEquals([barrier.parties, barrier.n_waiting, barrier.broken], [5, 0, false]);
    for (let round = 0; round < 3; round++) {
      const arrivals = Array.from({ length: 5 }, () => () => asyncio.async_with(barrier, (index) => index));
      assertEquals(await asyncio.gather(...arrivals), [0, 1, 2, 3, 4]);
      assertEquals(barrier.n_waiting, 0);
    }
  });
});

Deno.test("a task that is cancelled in a Barrier does not break it: one more has to come", async () => {
  await run_virtual(async () => {
    const barrier = new asyncio.Barrier(3);
    const tasks = [1, 2].map(() => asyncio.create_task(() => barrier.wait()));
    await asyncio.sleep(1);
    tasks[0].cancel();
    await error_of(tasks[0]);
    assertEquals([barrier.n_waiting, barrier.broken], [1, false]);
    const late = [1, 2].map(() => asyncio.create_task(() => barrier.wait()));
    assertEquals((await asyncio.gather(tasks[1], ...late)).length, 3);
  });
});

Deno.test("a task that is cancelled as the last one comes leaves a Barrier that can be used again", async () => {
  await run_virtual(async () => {
    const barrier = new asyncio.Barrier(2);
    const first = asyncio.create_task(() => barrier.wait());
    await asyncio.sleep(1);
    assertEquals(await barrier.wait(), 1);
    first.cancel();
    assertInstanceOf(await error_of(first), asyncio.CancelledError);
    assertEquals((await asyncio.gather(barrier.wait(), barrier.wait())).sort(), [0, 1]);
  });
});

// All of them

Deno.test("locks and their like print one live line", async () => {
  await run_virtual(async () => {
    collect_reports();
    const lock = new asyncio.Lock();
    const event = new asyncio.Event();
    const condition = new asyncio.Condition();
    const semaphore = new asyncio.BoundedSemaphore(2);
    const barrier = new asyncio.Barrier(2);
    const lines = () => [lock, event, condition, semaphore, barrier].map((each) => Deno.inspect(each));
    assertEquals(lines(), [
      "<Lock unlocked>",
      "<Event unset>",
      "<Condition unlocked>",
      "<BoundedSemaphore value=2>",
      "<Barrier filling 0/2>",
    ]);
    await lock.acquire();
    await semaphore.acquire();
    await semaphore.acquire();
    const waiting = [
      () => lock.acquire(),
      () => event.wait(),
      () => asyncio.async_with(condition, () => condition.wait()),
      () => semaphore.acquire(),
      () => barrier.wait(),
    ].map((call: () => unknown) => asyncio.create_task(call));
    await asyncio.sleep(1);
    assertEquals(lines(), [
      "<Lock locked waiters=1>",
      "<Event unset waiters=1>",
      "<Condition unlocked waiters=1>",
      "<BoundedSemaphore value=0 waiters=1>",
      "<Barrier filling 1/2>",
    ]);
    for (const task of waiting) task.cancel();
    await asyncio.wait(waiting);
    event.set();
    assertStrictEquals(Deno.inspect(event), "<Event set>");
  });
});
