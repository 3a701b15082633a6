// Random programs over every lock and queue: tasks that come, wait, are cancelled, time out or are aborted at random
// moments of a virtual clock; and over every block that can be cancelled.

import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import * as asyncio from "../mod.ts";
import { collect_reports, run_virtual } from "./_helpers.ts";

/** Other programs each time. Locks and queues also go through thousands of recorded ones; see parity/programs. */
const RUNS = { numRuns: 300 };

/** Nothing else goes through programs of blocks. */
const RUNS_OF_BLOCKS = { numRuns: 1000 };

/** What one task does: when it comes, how long it stays, and what may happen to it. */
interface Actor {
  readonly comes_at: number;
  readonly stays: number;
  readonly fate: "none" | "cancel" | "timeout" | "abort";
  readonly fate_after: number;
}

const actor: fc.Arbitrary<Actor> = fc.record({
  comes_at: fc.integer({ min: 0, max: 6 }),
  stays: fc.integer({ min: 0, max: 3 }),
  fate: fc.constantFrom("none", "none", "cancel", "timeout", "abort"),
  fate_after: fc.integer({ min: 0, max: 6 }),
});
const actors = fc.array(actor, { minLength: 1, maxLength: 9 });

type Wait = (signal?: AbortSignal) => asyncio.Future<unknown>;

/** Waits as the actor's fate has it; true if it got what it waited for. */
async function try_wait(who: Actor, wait: Wait): Promise<boolean> {
  try {
    if (who.fate === "timeout") {
      await asyncio.wait_for(() => wait(), who.fate_after);
    } else if (who.fate === "abort") {
      const controller = new AbortController();
      const timer = asyncio.get_running_loop().call_later(
        who.fate_after,
        () => controller.abort(new RangeError("fate")),
      );
      try {
        await wait(controller.signal);
      } finally {
        timer.cancel();
      }
    } else {
      await wait();
    }
    return true;
  } catch (error) {
    if (error instanceof asyncio.TimeoutError || error instanceof RangeError) return false;
    throw error;
  }
}

/** Runs a task for each actor to its end, and fails if one hangs. */
async function run_actors(all: readonly Actor[], act: (who: Actor) => Promise<unknown>): Promise<void> {
  const loop = asyncio.get_running_loop();
  const tasks = all.map((who) => {
    const task = asyncio.create_task(async () => {
      await asyncio.sleep(who.comes_at);
      await act(who);
    });
    if (who.fate === "cancel") loop.call_later(who.comes_at + who.fate_after, () => task.cancel());
    return task;
  });
  const [, pending] = await asyncio.wait(tasks, { timeout: 1000 });
  assertEquals(pending.size, 0, "a task waits for ever");
  for (const task of tasks) if (!task.cancelled()) task.result();
}

/** A number of permits: never more holders than that, served in the order of asking, and all back at the end. */
function holds_permits(
  permits: number,
  all: readonly Actor[],
  make: () => {
    acquire: (options?: { signal?: AbortSignal }) => asyncio.Future<true>;
    release(): void;
    locked(): boolean;
  },
): Promise<void> {
  return run_virtual(async () => {
    const lock = make();
    let holders = 0;
    let asked = 0;
    let served = 0;
    await run_actors(all, async (who) => {
      let number = 0;
      const got = await try_wait(who, (signal) => {
        number = ++asked;
        return lock.acquire({ signal });
      });
      if (!got) return;
      holders++;
      assert(holders <= permits, "more holders than permits");
      assert(number > served, "served out of turn");
      served = number;
      try {
        await asyncio.sleep(who.stays);
      } finally {
        holders--;
        lock.release();
      }
    });
    for (let i = 0; i < permits; i++) {
      assert(!lock.locked(), "a permit was lost");
      await lock.acquire();
    }
    assert(lock.locked(), "a permit was made up");
  });
}

Deno.test("Lock: one holder at a time, first come first served, and free at the end, whatever is cancelled", async () => {
  await fc.assert(fc.asyncProperty(actors, (all) => holds_permits(1, all, () => new asyncio.Lock())), RUNS);
});

for (const kind of [asyncio.Semaphore, asyncio.BoundedSemaphore]) {
  Deno.test(`${kind.name}: value plus holders is constant, first come first served, whatever is cancelled`, async () => {
    const permits = fc.integer({ min: 1, max: 3 });
    await fc.assert(
      fc.asyncProperty(permits, actors, (count, all) => holds_permits(count, all, () => new kind(count))),
      RUNS,
    );
  });
}

Deno.test("Event: nobody waits on a set event, and nobody goes on before it was set, whatever is cancelled", async () => {
  const flips = fc.array(fc.integer({ min: 0, max: 8 }), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(actors, flips, (all, clears) =>
      run_virtual(async () => {
        const event = new asyncio.Event();
        const loop = asyncio.get_running_loop();
        let set_at = -1;
        for (const at of clears) {
          loop.call_later(at, () => {
            event.set();
            set_at = loop.time();
            event.clear();
          });
        }
        loop.call_later(10, () => {
          set_at = loop.time();
          event.set();
        });
        await run_actors(all, async (who) => {
          if (await try_wait(who, (signal) => event.wait({ signal }))) {
            assert(loop.time() === set_at || event.is_set(), "went on without the event");
          }
        });
        assert(loop.time() <= 20);
      })),
    RUNS,
  );
});

Deno.test("Condition: the lock is held around every wait, and no notification is lost, whatever is cancelled", async () => {
  await fc.assert(
    fc.asyncProperty(
      actors,
      fc.array(fc.integer({ min: 0, max: 8 }), { maxLength: 9 }),
      (consumers, puts) =>
        run_virtual(async () => {
          const changed = new asyncio.Condition();
          let stock = 0;
          let inside = 0;
          let waiting = 0;
          const enter = () => assertEquals(++inside, 1, "two are inside the lock");
          const producers = puts.map((at) =>
            asyncio.create_task(async () => {
              await asyncio.sleep(at);
              await asyncio.async_with(changed, () => {
                enter();
                stock++;
                changed.notify();
                inside--;
              });
            })
          );
          const all = asyncio.create_task(() =>
            run_actors(consumers, (who) =>
              asyncio.async_with(changed, async () => {
                enter();
                inside--;
                waiting++;
                try {
                  if (await try_wait(who, (signal) => changed.wait_for(() => stock > 0, { signal }))) stock--;
                } finally {
                  waiting--;
                  assert(changed.locked(), "wait_for() left without the lock");
                  enter();
                  inside--;
                }
              }))
          );
          await asyncio.wait(producers.length > 0 ? producers : [asyncio.sleep(0)]);
          await asyncio.sleep(30);
          assert(stock === 0 || waiting === 0, "somebody waits for what is there");
          await asyncio.async_with(changed, () => {
            stock = 1000;
            changed.notify_all();
          });
          await all;
          assert(!changed.locked());
        }),
    ),
    RUNS,
  );
});

Deno.test("Barrier: each round lets exactly its parties through, with their numbers, whatever is cancelled", async () => {
  const comers = fc.array(fc.record({ comes_at: fc.integer({ max: 6, min: 0 }), cancel_at: fc.option(fc.nat(8)) }), {
    minLength: 1,
    maxLength: 10,
  });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), comers, (parties, all) =>
      run_virtual(async () => {
        const barrier = new asyncio.Barrier(parties);
        const loop = asyncio.get_running_loop();
        const passed: number[] = [];
        const tasks = all.map(({ comes_at, cancel_at }) => {
          const task = asyncio.create_task(async () => {
            await asyncio.sleep(comes_at);
            passed.push(await barrier.wait());
          });
          if (cancel_at !== null) loop.call_later(cancel_at, () => task.cancel());
          return task;
        });
        await asyncio.wait(tasks, { timeout: 50 });
        assert(barrier.n_waiting < parties, "a full barrier did not open");
        assert(!barrier.broken);
        const left = barrier.n_waiting;
        const fill = Array.from({ length: parties - left }, () => asyncio.create_task(() => barrier.wait()));
        await asyncio.wait([...tasks, ...fill]);
        assert([...tasks, ...fill].every((task) => task.done()));
        assertEquals(barrier.n_waiting, 0);
        assert(passed.every((index) => index >= 0 && index < parties));
        const last = fill.filter((task) => !task.cancelled()).map((task) => task.result());
        assertEquals(new Set(last).size, last.length, "a number was given twice in a round");
      })),
    RUNS,
  );
});

for (const kind of [asyncio.Queue, asyncio.LifoQueue, asyncio.PriorityQueue]) {
  Deno.test(`${kind.name}: no item is lost or doubled, and in its order, whatever is cancelled`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(3), actors, actors, (maxsize, putters, getters) =>
        run_virtual(async () => {
          const queue: asyncio.Queue<number> = new kind<number>(maxsize);
          const put: number[] = [];
          const got: number[] = [];
          let next = 0;
          // Putters give up or go through; getters too. What went in and did not come out is still there.
          const putting = asyncio.create_task(() =>
            run_actors(putters, async (who) => {
              const item = ++next;
              if (await try_wait(who, (signal) => queue.put(item, { signal }))) put.push(item);
            })
          );
          const getting = asyncio.create_task(() =>
            run_actors(getters, async (who) => {
              await try_wait(who, (signal) => {
                const future = queue.get({ signal });
                future.add_done_callback(() => {
                  if (!future.cancelled() && future.exception() === null) got.push(future.result());
                });
                return future;
              });
            })
          );
          await asyncio.sleep(50);
          assert(getting.done() || queue.empty(), "somebody waits for what is there");
          assert(putting.done() || queue.full(), "somebody waits for room that is there");
          // Whoever still waits gets what it waits for.
          for (let i = 0; i < 20; i++) {
            if (!putting.done() && queue.full()) got.push(await queue.get());
            if (!getting.done() && !queue.full()) {
              put.push(1000 + i);
              await queue.put(1000 + i);
            }
            await asyncio.sleep(1);
          }
          await asyncio.wait([putting, getting]);
          putting.result();
          getting.result();
          while (!queue.empty()) got.push(queue.get_nowait());
          const sorted = (items: number[]) => items.toSorted((a, b) => a - b);
          assertEquals(sorted(got), sorted(put));
          if (kind !== asyncio.Queue) return;
          // First in, first out: what came out stands in the order in which it went in.
          const order = new Map(put.map((item, place) => [item, place]));
          for (let i = 1; i < got.length; i++) assert(order.get(got[i])! > order.get(got[i - 1])!, `${got} of ${put}`);
        })),
      RUNS,
    );
  });
}

/** A part of a random program. */
type Statement =
  | { kind: "sleep" | "condition"; time: number }
  | { kind: "timeout" | "wait_for" | "call before its timeout" | "fail_after"; time: number; body: Statement[] }
  | { kind: "move_on_after"; time: number; shield: boolean; body: Statement[] }
  | { kind: "group"; children: Statement[][]; body: Statement[] }
  | { kind: "start"; time: number; body: Statement[] }
  | { kind: "cleanup"; time: number; shield: boolean; body: Statement[] };

const statements = fc.letrec<{ statement: Statement; body: Statement[] }>((tie) => {
  const time = fc.integer({ min: 0, max: 3 });
  const [body, shield] = [tie("body"), fc.boolean()];
  const of = <K extends string>(...kinds: K[]) => fc.constantFrom(...kinds);
  return {
    statement: fc.oneof(
      { maxDepth: 4 },
      fc.record({ kind: of("sleep", "condition"), time }),
      fc.record({ kind: of("timeout", "wait_for", "call before its timeout", "fail_after"), time, body }),
      fc.record({ kind: of("move_on_after"), time, shield, body }),
      fc.record({ kind: of("group"), children: fc.array(body, { minLength: 1, maxLength: 2 }), body }),
      fc.record({ kind: of("start"), time, body }),
      fc.record({ kind: of("cleanup"), time, shield, body }),
    ),
    body: fc.array(tie("statement"), { minLength: 1, maxLength: 3 }),
  };
}).body;

/** Runs a program that swallows no `CancelledError`; the scopes that it enters join the list. */
async function run_statements(body: readonly Statement[], scopes: asyncio.CancelScope[]): Promise<void> {
  const too_late = (error: unknown) => {
    if (!(error instanceof asyncio.TimeoutError)) throw error;
  };
  const enter = async (scope: asyncio.CancelScope, body: readonly Statement[]) => {
    scopes.push(scope);
    await asyncio.async_with(scope, () => run_statements(body, scopes)).catch(too_late);
  };
  for (const each of body) {
    const run = () => run_statements("body" in each ? each.body : [], scopes);
    if (each.kind === "sleep") {
      await asyncio.sleep(each.time);
    } else if (each.kind === "condition") {
      const condition = new asyncio.Condition();
      await asyncio.async_with(condition, () => asyncio.wait_for(condition.wait(), each.time).catch(too_late));
    } else if (each.kind === "timeout") {
      await asyncio.async_with(asyncio.timeout(each.time), run).catch(too_late);
    } else if (each.kind === "wait_for") {
      await asyncio.wait_for(run, each.time).catch(too_late);
    } else if (each.kind === "call before its timeout") {
      const call = asyncio.async_with(new asyncio.Lock(), run);
      await asyncio.wait_for(call, each.time).catch(too_late);
    } else if (each.kind === "fail_after") {
      await enter(asyncio.fail_after(each.time), each.body);
    } else if (each.kind === "move_on_after") {
      await enter(asyncio.move_on_after(each.time, { shield: each.shield }), each.body);
    } else if (each.kind === "group") {
      await asyncio.async_with(new asyncio.TaskGroup(), async (group) => {
        for (const child of each.children) group.create_task(() => run_statements(child, scopes));
        await run();
      });
    } else if (each.kind === "start") {
      await asyncio.async_with(new asyncio.TaskGroup(), async (group) => {
        await group.start(async (task_status: asyncio.TaskStatus) => {
          await asyncio.sleep(each.time);
          task_status.started();
          await run();
        });
      });
    } else if (each.kind === "cleanup") {
      try {
        await run();
      } finally {
        const cleanup = new asyncio.CancelScope({ shield: each.shield });
        await asyncio.async_with(cleanup, () => asyncio.sleep(each.time));
      }
    }
  }
}

Deno.test("whatever is cancelled and when, all ends, scopes and timeouts swallow their own, and task.cancel() comes out", async () => {
  const time = fc.integer({ min: 0, max: 10 });
  const scope_cancels = fc.array(fc.tuple(time, fc.nat()), { maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(statements, scope_cancels, fc.option(time), async (body, scope_cancels, cancel_at) => {
      await run_virtual(async () => {
        const reports = collect_reports();
        const loop = asyncio.get_running_loop();
        const scopes: asyncio.CancelScope[] = [];
        const task = asyncio.create_task(() => run_statements(body, scopes));
        let cancels = false;
        if (cancel_at !== null) loop.call_later(cancel_at, () => cancels = task.cancel());
        for (const [time, which] of scope_cancels) {
          loop.call_later(time, () => scopes[which % scopes.length]?.cancel());
        }
        await asyncio.wait([task], { timeout: 1000 });
        assert(task.done(), "it hangs");
        assertEquals([task.cancelled(), task.cancelled() || task.exception()], [cancels, cancels || null]);
        // A timeout of 0 around a call that is cancelled may be cut short, and does not wait for it then.
        await asyncio.sleep(100);
        assertEquals([asyncio.all_tasks().size, reports], [1, []]);
      });
    }),
    RUNS_OF_BLOCKS,
  );
});
