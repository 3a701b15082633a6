// Each expected transcript is what CPython 3.13 prints for the same program. Numbers are the loop's iterations.

import { assert, assertEquals } from "@std/assert";
import * as asyncio from "../mod.ts";
import { run_virtual, Transcript } from "./_helpers.ts";

/** Declares a test that the program's transcript is the expected one. */
function same_as_cpython(name: string, program: (transcript: Transcript) => Promise<void>, expected: string): void {
  Deno.test(name, async () => {
    const transcript = new Transcript();
    await run_virtual(() => program(transcript));
    assertEquals(transcript.text(), expected);
  });
}

same_as_cpython(
  "tasks that sleep(0) inside nested async functions of any depth take turns",
  async ({ log }) => {
    async function step(name: string, depth: number) {
      if (depth === 0) return await asyncio.sleep(0);
      log(`${name}>${depth}`);
      await step(name, depth - 1);
      log(`${name}<${depth}`);
    }
    async function work(name: string, depth: number) {
      for (let i = 0; i < 3; i++) {
        log(`${name}${i}`);
        await step(name, depth);
      }
    }
    await asyncio.gather(() => work("a", 0), () => work("b", 2), () => work("c", 7));
  },
  "a0 b0 b>2 b>1 c0 c>7 c>6 c>5 c>4 c>3 c>2 c>1 a1 b<1 b<2 b1 b>2 b>1 c<1 c<2 c<3 c<4 c<5 c<6 c<7 c1 c>7 c>6 c>5 c>4 " +
    "c>3 c>2 c>1 a2 b<1 b<2 b2 b>2 b>1 c<1 c<2 c<3 c<4 c<5 c<6 c<7 c2 c>7 c>6 c>5 c>4 c>3 c>2 c>1 b<1 b<2 c<1 c<2 c<3 " +
    "c<4 c<5 c<6 c<7",
);

same_as_cpython(
  "waiters, callbacks and call_soon() of one future run in the order in which they were added",
  async (transcript) => {
    const { log } = transcript;
    const loop = asyncio.get_running_loop();
    const futures = [0, 1, 2].map(() => loop.create_future<number>());
    const done = loop.create_future<string>();
    done.set_result("d");
    async function waiter(name: string, i: number) {
      log(`${name} in`);
      log(`${name}${await futures[i]}`);
      log(`${name}${await done}`);
      await asyncio.sleep(0);
      log(`${name} out`);
    }
    async function setter() {
      for (let i = 0; i < 3; i++) {
        log(`set${i}`);
        futures[i].set_result(i);
        await done;
        log(`did${i}`);
        await asyncio.sleep(0);
      }
      log("setter out");
    }
    futures[1].add_done_callback(() => log("cb1"));
    const tasks = [
      asyncio.create_task(() => waiter("x", 0)),
      asyncio.create_task(() => waiter("y", 1)),
      asyncio.create_task(() => waiter("z", 1)),
      asyncio.create_task(setter),
      asyncio.create_task(() => waiter("w", 2)),
    ];
    futures[1].add_done_callback(() => log("cb2"));
    for (const task of tasks) task.add_done_callback(() => log("done"));
    loop.call_soon(log, "soon");
    transcript.ticks(8);
    for (const task of tasks) await task;
    log("end");
    await asyncio.sleep(1);
  },
  "x in y in z in set0 did0 w in soon 1 x0 xd set1 did1 2 x out cb1 cb2 y1 yd z1 zd set2 did2 3 done y out z out w2 wd " +
    "setter out 4 done done w out done 5 done end 6 7 8",
);

same_as_cpython(
  "a hand-over through a list of waiting futures alternates as in asyncio.Queue",
  async (transcript) => {
    const { log } = transcript;
    const items: number[] = [];
    const getters: asyncio.Future<void>[] = [];
    async function get() {
      while (items.length === 0) {
        const getter = new asyncio.Future<void>();
        getters.push(getter);
        await getter;
      }
      return items.shift()!;
    }
    function put(item: number) {
      items.push(item);
      getters.shift()?.set_result();
    }
    async function consumer(name: string) {
      for (let i = 0; i < 3; i++) log(name + await get());
    }
    async function producer() {
      for (let i = 0; i < 6; i++) {
        put(i);
        log(`put${i}`);
        if (i % 2) await asyncio.sleep(0);
      }
    }
    transcript.ticks(6);
    await asyncio.gather(() => consumer("a"), () => consumer("b"), producer);
    log("end");
  },
  "1 put0 put1 2 a0 a1 put2 put3 3 a2 b3 put4 put5 4 b4 b5 5 6 end",
);

same_as_cpython(
  "each way of waiting takes as many iterations as in CPython",
  async (transcript) => {
    const { log } = transcript;
    async function work(name: string, turns: number) {
      for (let i = 0; i < turns; i++) await asyncio.sleep(0);
      log(name);
      return name;
    }
    transcript.ticks(40);
    log(await asyncio.gather(() => work("a", 0), () => work("b", 2)));
    log("gathered");
    const c = asyncio.create_task(() => work("c", 1));
    const d = asyncio.create_task(() => work("d", 3));
    log(`wait${(await asyncio.wait([c, d], { return_when: asyncio.FIRST_COMPLETED }))[0].size}`);
    log(`wait${(await asyncio.wait([c, d]))[0].size}`);
    log(await asyncio.wait_for(() => work("e", 1), 10));
    log("waited_for");
    log(await asyncio.wait_for(asyncio.create_task(() => work("g", 1)), 10));
    log("waited_for task");
    log(await asyncio.shield(() => work("h", 1)));
    log("shielded");
    const ij = [asyncio.create_task(() => work("i", 2)), asyncio.create_task(() => work("j", 0))];
    for await (const task of asyncio.as_completed(ij)) log("got" + task.result());
    const kl = [asyncio.create_task(() => work("k", 2)), asyncio.create_task(() => work("l", 0))];
    for (const next of asyncio.as_completed(kl)) log("sync" + await next);
    await asyncio.async_with(asyncio.timeout(10), async () => log(await work("m", 1)));
    log("timeout left");
    await asyncio.async_with(new asyncio.TaskGroup(), (group) => {
      group.create_task(() => work("n", 1));
      group.create_task(() => work("o", 0));
    });
    log("group left");
    await asyncio.async_with(new asyncio.TaskGroup(), () => {});
    log("empty group");
    log(await work("p", 0));
    await asyncio.sleep(0);
    log("end");
    await asyncio.sleep(1);
  },
  "1 a 2 3 b 4 5 a,b gathered 6 7 c 8 9 wait1 d 10 11 wait2 12 e e waited_for 13 14 g 15 g waited_for task 16 17 h 18 19 " +
    "h shielded 20 j 21 22 i gotj 23 24 goti 25 l 26 27 k syncl 28 29 synck 30 m m timeout left 31 o 32 n 33 34 group " +
    "left empty group p p 35 end 36 37 38 39 40",
);

// CPython's group keeps its tasks in a set, so that it cancels them in any order; here it is the order they were made.
same_as_cpython(
  "a failing task group, alone and nested, unwinds in CPython's order",
  async (transcript) => {
    const { log } = transcript;
    async function child(name: string, turns: number, fails: boolean) {
      try {
        for (let i = 0; i < turns; i++) await asyncio.sleep(0);
        if (fails) throw new RangeError(name);
        await new asyncio.Future<void>();
      } catch (error) {
        if (error instanceof asyncio.CancelledError) {
          log(`${name} cancelled`);
          await asyncio.sleep(0);
          log(`${name} clean`);
        }
        throw error;
      }
    }
    transcript.ticks(20);
    try {
      await asyncio.async_with(new asyncio.TaskGroup(), async (group) => {
        group.create_task(() => child("a", 0, false));
        group.create_task(() => child("b", 2, true));
        group.create_task(() => child("c", 1, false));
        try {
          await asyncio.sleep(100);
        } catch (error) {
          log("body cancelled");
          throw error;
        }
      });
    } catch (error) {
      if (error instanceof asyncio.ExceptionGroup) log("group error");
    }
    log(asyncio.current_task()!.cancelling());
    try {
      await asyncio.async_with(new asyncio.TaskGroup(), async (outer) => {
        outer.create_task(() => child("x", 3, true));
        await asyncio.async_with(new asyncio.TaskGroup(), async (inner) => {
          inner.create_task(() => child("y", 0, false));
          await asyncio.sleep(100);
        });
      });
    } catch (error) {
      if (error instanceof asyncio.ExceptionGroup) log("outer error");
    }
    log(asyncio.current_task()!.cancelling());
    await asyncio.sleep(1);
  },
  "1 2 3 4 5 a cancelled c cancelled body cancelled 6 a clean c clean 7 8 group error 0 9 10 11 12 13 14 15 y cancelled " +
    "16 y clean 17 18 outer error 0 19 20",
);

same_as_cpython(
  "a cancellation runs down a chain of tasks and comes back up as in CPython",
  async (transcript) => {
    const { log } = transcript;
    async function inner() {
      try {
        await asyncio.sleep(100);
      } catch (error) {
        log("inner");
        throw error;
      } finally {
        log("inner fin");
      }
    }
    async function middle(task: asyncio.Task<void>) {
      try {
        await task;
      } catch (error) {
        log("mid");
        throw error;
      }
    }
    async function outer(task: asyncio.Task<void>) {
      try {
        await task;
      } catch (error) {
        log(`outer ${(error as Error).message}`);
        return "swallowed";
      }
    }
    const a = asyncio.create_task(inner);
    const b = asyncio.create_task(() => middle(a));
    const c = asyncio.create_task(() => outer(b));
    await asyncio.sleep(0);
    await asyncio.sleep(0);
    transcript.ticks(10);
    log(c.cancel("why"));
    log(c.cancelling());
    log(await c);
    log([a, b, c].map((task) => task.cancelled()).join(" "));

    async function branch(name: string) {
      try {
        await asyncio.sleep(100);
      } catch (error) {
        log(name);
        throw error;
      }
    }
    const gathering = asyncio.create_task(async () => {
      try {
        await asyncio.gather(() => branch("g1"), () => branch("g2"));
      } catch (error) {
        log("gather cancelled");
        throw error;
      }
    });
    await asyncio.sleep(0);
    await asyncio.sleep(0);
    transcript.ticks(8);
    gathering.cancel();
    await gathering.catch(() => log("t"));

    const never = asyncio.create_task(() => log("never"));
    never.cancel();
    transcript.ticks(4);
    try {
      await never;
    } catch {
      log("not started");
    }
    const itself = asyncio.create_task(() => {
      asyncio.current_task()!.cancel("self");
      log("on");
    });
    transcript.ticks(4);
    try {
      await itself;
    } catch (error) {
      log(`self ${(error as Error).message}`);
    }
    await asyncio.sleep(1);
  },
  "true 1 1 inner inner fin 2 mid 3 outer why 4 swallowed true true false 5 6 7 1 g1 g2 8 2 9 3 gather cancelled 10 4 t 5 " +
    "1 6 not started 2 7 on 1 3 8 self self 2 4 3 4",
);

same_as_cpython(
  "async generators and trees of tasks keep CPython's order",
  async ({ log }) => {
    async function* generate(name: string, count: number) {
      try {
        for (let i = 0; i < count; i++) {
          await asyncio.sleep(0);
          yield `${name}${i}`;
        }
      } finally {
        log(`${name} closed`);
      }
    }
    async function use(name: string) {
      for await (const item of generate(name, 3)) log(item);
      log(`${name} out`);
    }
    async function tree(name: string, depth: number) {
      log(`${name}+`);
      if (depth > 0) {
        const tasks = [0, 1].map((i) => asyncio.create_task(() => tree(name + i, depth - 1)));
        for (const task of tasks) await task;
      }
      log(`${name}-`);
    }
    await asyncio.gather(() => use("a"), () => use("b"));
    await tree("t", 2);
  },
  "a0 b0 a1 b1 a2 a closed a out b2 b closed b out t+ t0+ t1+ t00+ t00- t01+ t01- t10+ t10- t11+ t11- t0- t1- t-",
);

same_as_cpython(
  "an error on its way out through finally blocks that wait keeps CPython's order",
  async ({ log }) => {
    async function deep(name: string, depth: number): Promise<void> {
      try {
        if (depth === 0) {
          await asyncio.sleep(0);
          throw new RangeError(name);
        }
        await deep(name, depth - 1);
      } finally {
        log(`${name}f${depth}`);
        if (depth % 2) await asyncio.sleep(0);
      }
    }
    async function work(name: string) {
      try {
        await deep(name, 4);
      } catch (error) {
        log(`caught ${(error as Error).message}`);
      }
    }
    await asyncio.gather(() => work("a"), () => work("b"), () => work("c"));
  },
  "af0 af1 bf0 bf1 cf0 cf1 af2 af3 bf2 bf3 cf2 cf3 af4 caught a bf4 caught b cf4 caught c",
);

same_as_cpython(
  "a timer that wakes many tasks and schedules callbacks keeps CPython's order",
  async ({ log }) => {
    const loop = asyncio.get_running_loop();
    let waiters: asyncio.Future<void>[] = [];
    async function wait(name: string) {
      for (const word of [name, name + name]) {
        const waiter = loop.create_future<void>();
        waiters.push(waiter);
        await waiter;
        log(word);
      }
    }
    function wake_all() {
      log("set");
      const woken = waiters;
      waiters = [];
      for (const waiter of woken) waiter.set_result();
    }
    const tasks = ["a", "b", "c"].map((name) => asyncio.create_task(() => wait(name)));
    loop.call_later(0.01, wake_all);
    loop.call_later(0.02, () => {
      wake_all();
      loop.call_soon(log, "soon");
      loop.call_soon(log, "soon2");
    });
    loop.call_later(0.015, log, "no").cancel();
    await asyncio.gather(...tasks);
    log("end");
  },
  "set a b c set aa bb cc soon soon2 end",
);

same_as_cpython(
  "cancellations of sleep(0), swallowed ones and repeated ones are delivered where CPython delivers them",
  async ({ log }) => {
    const spinning = asyncio.create_task(async () => {
      try {
        for (;;) {
          await asyncio.sleep(0);
          log(".");
        }
      } catch {
        log("s0");
      }
    });
    await asyncio.sleep(0);
    await asyncio.sleep(0);
    spinning.cancel();
    log("c");
    await spinning;
    log("e");

    const stubborn = asyncio.create_task(async () => {
      for (let i = 0; i < 2; i++) {
        try {
          await asyncio.sleep(100);
        } catch {
          log(`no${i}`);
        }
      }
      return "done";
    });
    await asyncio.sleep(0);
    stubborn.cancel();
    await asyncio.sleep(0);
    stubborn.cancel();
    stubborn.cancel();
    log(stubborn.cancelling());
    log(await stubborn);
    log(stubborn.cancelling());

    const once = asyncio.create_task(async () => {
      try {
        await asyncio.sleep(100);
      } catch (error) {
        log(`once ${(error as Error).message}`);
      }
      await asyncio.sleep(0);
      log("after");
    });
    await asyncio.sleep(0);
    once.cancel("1");
    once.cancel("2");
    await once;
  },
  ". c s0 e no0 3 no1 done 3 once 1 after",
);

same_as_cpython(
  "timeouts without time cancel at the first wait, and cleaning up takes as many iterations as in CPython",
  async (transcript) => {
    const { log } = transcript;
    async function inner() {
      try {
        await asyncio.sleep(10);
      } catch (error) {
        log("c1");
        await asyncio.sleep(0);
        log("c2");
        throw error;
      }
    }
    const expired = (word: string) => (error: unknown) => {
      if (error instanceof asyncio.TimeoutError) log(word);
    };
    transcript.ticks(14);
    await asyncio.wait_for(inner, 0).catch(expired("T0"));
    const task = asyncio.create_task(inner);
    await asyncio.sleep(0);
    await asyncio.wait_for(task, 0).catch(expired("T1"));
    await asyncio.async_with(asyncio.timeout(null), async () => {
      await asyncio.async_with(asyncio.timeout(-1), inner).catch(expired("T2"));
    });
    log("end");
    await asyncio.sleep(1);
  },
  "1 2 3 T0 4 5 c1 6 c2 7 8 T1 9 10 c1 11 c2 T2 end 12 13 14",
);

same_as_cpython(
  "nested gather() calls with errors end in CPython's order",
  async (transcript) => {
    const { log } = transcript;
    async function fail(name: string, turns: number): Promise<string> {
      for (let i = 0; i < turns; i++) await asyncio.sleep(0);
      log(`raise ${name}`);
      throw new RangeError(name);
    }
    async function work(name: string, turns: number) {
      for (let i = 0; i < turns; i++) await asyncio.sleep(0);
      log(name);
      return name;
    }
    const text = (result: unknown) => result instanceof Error ? result.message : result;
    transcript.ticks(12);
    const [first, second, third] = await asyncio.gather(
      asyncio.gather(() => fail("a", 1), () => work("b", 2)),
      () => work("c", 0),
      asyncio.gather(() => work("d", 3), () => fail("f", 0), { return_exceptions: true }),
      { return_exceptions: true },
    );
    log(`got ${[first, second, ...third as unknown[]].map(text).join("/")}`);
    transcript.ticks(6);
    try {
      await asyncio.gather(() => work("g", 3), () => fail("h", 1), () => fail("i", 1));
    } catch (error) {
      log(`err ${text(error)}`);
    }
    await asyncio.sleep(1);
  },
  "1 raise f c 2 raise a 3 b 4 d 5 6 7 got a/c/d/f 8 1 9 2 raise h raise i 10 3 11 4 g err h 12 5 6",
);

same_as_cpython(
  "a shielded task whose waiter is cancelled and then waits for it directly keeps CPython's order",
  async (transcript) => {
    const { log } = transcript;
    const inner = asyncio.create_task(async () => {
      try {
        for (let i = 0; i < 3; i++) await asyncio.sleep(0);
        log("work");
        return "w";
      } finally {
        log("fin");
      }
    });
    inner.add_done_callback(() => log("icb"));
    const outer = asyncio.create_task(async () => {
      try {
        return await asyncio.shield(inner);
      } catch {
        log("oc");
        return await inner;
      }
    });
    outer.add_done_callback(() => log("ocb"));
    await asyncio.sleep(0);
    transcript.ticks(8);
    outer.cancel();
    log(await outer);
    log("end");
    await asyncio.sleep(1);
  },
  "1 oc 2 work fin 3 icb 4 ocb w end 5 6 7 8",
);

same_as_cpython(
  "several waiters of one task, and tasks that wait for tasks, go on in CPython's order",
  async (transcript) => {
    const { log } = transcript;
    async function leaf(name: string) {
      log(name);
      return await name;
    }
    const a = asyncio.create_task(() => leaf("a"));
    const wait = async (name: string, task: asyncio.Task<string>) => log(name + await task);
    for (let i = 0; i < 3; i++) asyncio.create_task(() => wait(`${i}w`, a));
    transcript.ticks(6);
    const b = asyncio.create_task(() => leaf("b"));
    const c = asyncio.create_task(() => wait("c", b));
    await c;
    log("m");
    async function count(depth: number): Promise<number> {
      if (depth > 0) return 1 + await asyncio.create_task(() => count(depth - 1));
      await asyncio.sleep(0);
      return 0;
    }
    log(await count(3));
    log("end");
    await asyncio.sleep(1);
  },
  "a 0wa 1wa 2wa 1 b cb 2 m 3 4 5 6 3 end",
);

Deno.test("a task that awaits a promise of its own is no obstacle to the others", async () => {
  const { log, text } = new Transcript();
  await asyncio.run(async () => {
    const foreign = Promise.withResolvers<string>();
    const waiting = asyncio.create_task(async () => log(await foreign.promise));
    const stepping = asyncio.create_task(async () => {
      for (let i = 0; i < 3; i++) {
        log(i);
        await asyncio.sleep(0);
      }
      foreign.resolve("foreign");
    });
    await asyncio.gather(waiting, stepping);
  });
  assertEquals(text(), "0 1 2 foreign");
});

Deno.test("two tasks that wake each other for ever do not starve a timer of 5 ms", async () => {
  await asyncio.run(async () => {
    const loop = asyncio.get_running_loop();
    let baton = [loop.create_future<void>(), loop.create_future<void>()];
    let turns = 0;
    async function player(me: number) {
      for (;;) {
        await baton[me];
        turns++;
        baton[me] = loop.create_future();
        baton[1 - me].set_result();
      }
    }
    const players = [asyncio.create_task(() => player(0)), asyncio.create_task(() => player(1))];
    await asyncio.sleep(0);
    baton[0].set_result();
    const native = Promise.withResolvers<void>();
    setTimeout(native.resolve, 5);
    await asyncio.sleep(0.005);
    await native.promise;
    for (const task of players) task.cancel();
    await asyncio.wait(players);
    baton = [];
    assert(turns > 1);
  });
});

Deno.test("a task that calls sleep(0) for ever does not starve a timer", async () => {
  await asyncio.run(async () => {
    const spinning = asyncio.create_task(async () => {
      for (;;) await asyncio.sleep(0);
    });
    await asyncio.sleep(0.005);
    assert(spinning.cancel());
  });
});

Deno.test("callbacks that schedule themselves for ever do not starve a timer", async () => {
  await asyncio.run(async () => {
    const loop = asyncio.get_running_loop();
    let go_on = true;
    const again = () => {
      if (go_on) loop.call_soon(again);
    };
    again();
    await asyncio.sleep(0.005);
    go_on = false;
  });
});

Deno.test("a program of ten thousand tasks runs each of them once, in order", async () => {
  const order: number[] = [];
  await run_virtual(async () => {
    const tasks = Array.from({ length: 10_000 }, (_, i) =>
      asyncio.create_task(async () => {
        await asyncio.sleep(0);
        order.push(i);
      }));
    await asyncio.gather(...tasks);
  });
  assertEquals(order, Array.from({ length: 10_000 }, (_, i) => i));
});

Deno.test("what a callback leaves to microtasks comes before the next callback, whatever the clock says", async () => {
  // The loop looks at the clock every few iterations: each of these begins at another one.
  for (let offset = 0; offset < 8; offset++) {
    const log: string[] = [];
    await asyncio.run(async () => {
      for (let i = 0; i < offset; i++) await asyncio.sleep(0);
      const loop = asyncio.get_running_loop();
      const done = loop.create_future<void>();
      loop.call_soon(() => {
        log.push("first");
        queueMicrotask(() => log.push("its microtask"));
        loop.call_soon(() => {
          log.push("third");
          done.set_result();
        });
      });
      loop.call_soon(() => log.push("second"));
      await done;
    });
    assertEquals(log, ["first", "its microtask", "second", "third"], `after ${offset} iterations`);
  }
});

Deno.test("a task that comes to rest as it starts leaves the others that it started the time to begin their wait", async () => {
  const log: string[] = [];
  await asyncio.run(async () => {
    const loop = asyncio.get_running_loop();
    const future = loop.create_future<void>();
    const first = asyncio.create_task(() => future, { eager_start: true });
    const second = asyncio.create_task(async () => await future, { eager_start: true });
    first.add_done_callback(() => log.push("first"));
    second.add_done_callback(() => log.push("second"));
    loop.call_soon(() => future.set_result());
    // The body waits already, before it has come to its await.
    const both = asyncio.gather(first, second).then(() => log.push("both"));
    await both;
  });
  assertEquals(log, ["first", "second", "both"]);
});
