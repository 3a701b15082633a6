// Each expected transcript is what CPython 3.13 prints for the same program. Numbers are the loop's iterations.

import { assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";
import { error_of, run_virtual } from "./_helpers.ts";
import { catching, check_waiting_call, same_as_cpython, spawn } from "./_waiting_calls.ts";

// deno-lint-ignore no-explicit-any
const any = (value: unknown) => value as any;

const KINDS: readonly (new <T>(maxsize?: number) => asyncio.Queue<T>)[] = [
  asyncio.Queue,
  asyncio.LifoQueue,
  asyncio.PriorityQueue,
];

/** All that is in a queue, in the order in which it gives it. */
function drained<T>(queue: asyncio.Queue<T>): T[] {
  const items: T[] = [];
  while (!queue.empty()) items.push(queue.get_nowait());
  return items;
}

check_waiting_call("Queue.get()", () => {
  const queue = new asyncio.Queue<string>();
  return { call: (options) => queue.get(options), wake: () => queue.put_nowait("item") };
});

check_waiting_call("Queue.put()", () => {
  const queue = new asyncio.Queue<string>(1);
  queue.put_nowait("first");
  return { call: (options) => queue.put("item", options), wake: () => queue.get_nowait() };
});

check_waiting_call("Queue.join()", () => {
  const queue = new asyncio.Queue<string>();
  queue.put_nowait("item");
  return { call: (options) => queue.join(options), wake: () => queue.task_done(), wakes_all: true };
});

for (const kind of KINDS) {
  const { name } = kind;

  Deno.test(`${name} tells how much it holds, and gives and takes at once while it can`, async () => {
    const queue = new kind<number>(2);
    const state = () => [queue.qsize(), queue.empty(), queue.full()];
    assertEquals([queue.maxsize, ...state()], [2, 0, true, false]);
    assertEquals([queue.put(1).done(), ...state()], [true, 1, false, false]);
    queue.put_nowait(1);
    assertEquals(state(), [2, false, true]);
    const getting = queue.get();
    assertEquals([getting.done(), await getting, ...state()], [true, 1, 1, false, false]);
    assertEquals([queue.get_nowait(), ...state()], [1, 0, true, false]);
  });

  Deno.test(`${name}: get_nowait() of an empty one and put_nowait() into a full one throw, and change nothing`, () => {
    const queue = new kind<number>(1);
    assertThrows(() => queue.get_nowait(), asyncio.QueueEmpty);
    queue.put_nowait(1);
    assertThrows(() => queue.put_nowait(2), asyncio.QueueFull);
    assertEquals([queue.qsize(), queue.get_nowait()], [1, 1]);
  });

  Deno.test(`${name} without a maxsize, or one of 0 or less, is never full`, () => {
    for (const queue of [new kind<number>(), new kind<number>(0), new kind<number>(-1), new kind<number>(Infinity)]) {
      for (let i = 0; i < 100; i++) queue.put_nowait(i);
      assertEquals([queue.full(), queue.qsize()], [false, 100]);
    }
  });

  Deno.test(`${name} hands over between a producer and consumers without loss`, async () => {
    await run_virtual(async () => {
      for (const maxsize of [0, 1, 3]) {
        const queue = new kind<number>(maxsize);
        const got: number[] = [];
        const consume = async () => {
          for await (const item of queue) {
            got.push(item);
            if (item % 7 === 0) await asyncio.sleep(0);
            queue.task_done();
          }
        };
        const consumers = [1, 2, 3].map(() => asyncio.create_task(consume));
        for (let i = 0; i < 200; i++) await queue.put(i);
        await queue.join();
        queue.shutdown();
        await asyncio.gather(...consumers);
        assertEquals(got.sort((a, b) => a - b), Array.from({ length: 200 }, (_, i) => i));
      }
    });
  });

  Deno.test(`${name}.shutdown() lets what is in it be taken out, and then get() and put() fail`, async () => {
    const queue = new kind<number>(2);
    queue.put_nowait(1);
    queue.put_nowait(1);
    queue.shutdown();
    assertThrows(() => queue.put_nowait(2), asyncio.QueueShutDown);
    assertInstanceOf(await error_of(queue.put(2)), asyncio.QueueShutDown);
    assertEquals([await queue.get(), queue.get_nowait()], [1, 1]);
    assertThrows(() => queue.get_nowait(), asyncio.QueueShutDown);
    assertInstanceOf(await error_of(queue.get()), asyncio.QueueShutDown);
    queue.shutdown();
  });

  Deno.test(`${name}.shutdown({ immediate: true }) drops what is in it, and counts it as done`, async () => {
    await run_virtual(async () => {
      const queue = new kind<number>();
      for (let i = 0; i < 3; i++) queue.put_nowait(i);
      queue.get_nowait();
      const joining = asyncio.create_task(() => queue.join());
      queue.shutdown({ immediate: true });
      assertThrows(() => queue.get_nowait(), asyncio.QueueShutDown);
      await asyncio.sleep(1);
      // The item that was taken out is still being worked on.
      assertEquals([queue.qsize(), joining.done()], [0, false]);
      queue.task_done();
      await joining;
      assertThrows(() => queue.task_done(), RangeError, "task_done() called too many times");
    });
  });

  Deno.test(`${name}.shutdown() ends the calls that wait`, async () => {
    for (const immediate of [false, true]) {
      await run_virtual(async () => {
        const empty = new kind<number>();
        const full = new kind<number>(1);
        full.put_nowait(1);
        const waiting = [empty.get(), empty.get(), full.put(2), full.put(3)];
        const joining = full.join();
        empty.shutdown({ immediate });
        full.shutdown({ immediate });
        for (const each of waiting) assertInstanceOf(await error_of(each), asyncio.QueueShutDown);
        assertEquals([full.qsize(), joining.done()], immediate ? [0, true] : [1, false]);
      });
    }
  });

  Deno.test(`${name}: for await gives the items until the queue is shut down and empty`, async () => {
    await run_virtual(async () => {
      const queue = new kind<number>();
      const got: number[] = [];
      const consumer = asyncio.create_task(async () => {
        for await (const item of queue) got.push(item);
        return "ended";
      });
      for (const item of [1, 2]) {
        queue.put_nowait(item);
        await asyncio.sleep(1);
      }
      queue.put_nowait(3);
      queue.shutdown();
      assertEquals([await consumer, got], ["ended", [1, 2, 3]]);
      for await (const item of queue) got.push(item);
      assertEquals(got.length, 3);
    });
  });
}

same_as_cpython("Queue(1) hands over item by item", async (transcript) => {
  const { log } = transcript;
  const queue = new asyncio.Queue<number>(1);
  const state = () => `${queue.qsize()}${queue.full() ? "full" : "free"}`;
  transcript.ticks(9);
  async function produce() {
    for (let i = 0; i < 3; i++) {
      await queue.put(i);
      log(`p${i}:${state()}`);
    }
  }
  async function consume() {
    for (let i = 0; i < 3; i++) {
      const item = await queue.get();
      log(`g${item}:${state()}`);
    }
  }
  await asyncio.gather(produce, consume);
}, "1 p0:1full g0:0free 2 p1:1full 3 g1:0free 4 p2:1full 5 g2:0free 6 7 8 9");

same_as_cpython(
  "Q2: an item stays in the queue until the woken task's turn, and goes to the next if that is cancelled",
  async (transcript) => {
    const { log } = transcript;
    const queue = new asyncio.Queue<number>();
    transcript.ticks(7);
    const [a] = await spawn("a", () => queue.get(), log);
    const [b] = await spawn("b", () => queue.get(), log);
    queue.put_nowait(1);
    a.cancel();
    log(queue.qsize());
    await asyncio.sleep(0);
    log(queue.qsize());
    await b;
    log(queue.qsize());
  },
  "1 2 1 3 a:cancelled 1 4 b=1 5 0 6 7",
);

same_as_cpython("room in a queue goes to the next if the task that was woken is cancelled", async (transcript) => {
  const { log } = transcript;
  const queue = new asyncio.Queue<number>(1);
  queue.put_nowait(0);
  transcript.ticks(7);
  const [a] = await spawn("a", () => queue.put(1), log);
  const [b] = await spawn("b", () => queue.put(2), log);
  log(queue.get_nowait());
  a.cancel();
  log(queue.full());
  await b;
  log(queue.get_nowait());
}, "1 2 0 false 3 a:cancelled 4 b=null 5 2 6 7");

same_as_cpython("a getter that finds its item gone goes to the end of the line", async (transcript) => {
  const { log } = transcript;
  const queue = new asyncio.Queue<number>();
  transcript.ticks(7);
  const [a] = await spawn("a", () => queue.get(), log);
  const [b] = await spawn("b", () => queue.get(), log);
  queue.put_nowait(1);
  log(queue.get_nowait());
  await asyncio.sleep(0);
  queue.put_nowait(2);
  queue.put_nowait(3);
  await a;
  await b;
}, "1 2 1 3 4 b=2 a=3 5 6 7");

same_as_cpython("a queue that is shut down serves first those it can", async (transcript) => {
  const { log } = transcript;
  const queue = new asyncio.Queue<number>(1);
  transcript.ticks(6);
  const [g] = await spawn("g", () => queue.get(), log);
  queue.put_nowait(1);
  const p = asyncio.create_task(() => catching("p", () => queue.put(2), log));
  queue.shutdown();
  log(queue.qsize());
  await g;
  await p;
  await catching("g2", () => queue.get(), log);
}, "1 1 2 g=1 p:QueueShutDown 3 g2:QueueShutDown 4 5 6");

Deno.test("Queue gives its items in the order of their coming, LifoQueue in the opposite one", () => {
  const [fifo, lifo] = [new asyncio.Queue<number>(), new asyncio.LifoQueue<number>()];
  for (let i = 0; i < 5; i++) {
    fifo.put_nowait(i);
    lifo.put_nowait(i);
  }
  assertEquals([drained(fifo), drained(lifo)], [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0]]);
});

Deno.test("Queue holds many items, and undefined and null among them", () => {
  const queue = new asyncio.Queue<number | null | undefined>();
  let next = 0;
  for (let i = 0; i < 10_000; i++) {
    queue.put_nowait(2 * i);
    queue.put_nowait(2 * i + 1);
    assertEquals(queue.get_nowait(), next++);
  }
  assertEquals(drained(queue), Array.from({ length: 10_000 }, (_, i) => 10_000 + i));
  queue.put_nowait(undefined);
  queue.put_nowait(null);
  assertEquals([queue.qsize(), ...drained(queue)], [2, undefined, null]);
});

Deno.test("Queue(1.5) holds two items, as in asyncio", () => {
  const queue = new asyncio.Queue<number>(1.5);
  queue.put_nowait(1);
  assertEquals(queue.full(), false);
  queue.put_nowait(2);
  assertEquals(queue.full(), true);
});

Deno.test("Queue.put() that nobody awaits puts its item in once there is room", async () => {
  await run_virtual(async () => {
    const queue = new asyncio.Queue<number>(1);
    for (let i = 0; i < 3; i++) queue.put(i);
    assertEquals(queue.qsize(), 1);
    assertEquals([await queue.get(), await queue.get(), await queue.get()], [0, 1, 2]);
  });
});

Deno.test("Queue.join() is done at once if nothing was put in, and waits for as many task_done() as items", async () => {
  await run_virtual(async () => {
    const queue = new asyncio.Queue<number>();
    assertEquals([queue.join().done(), await queue.join()], [true, undefined]);
    assertThrows(() => queue.task_done(), RangeError, "task_done() called too many times");
    queue.put_nowait(1);
    queue.put_nowait(2);
    const joining = queue.join();
    drained(queue);
    queue.task_done();
    await asyncio.sleep(1);
    assertEquals(joining.done(), false);
    queue.task_done();
    await joining;
  });
});

Deno.test("Q1: Queue.join() ends although an item came between the last task_done() and its turn", async () => {
  await run_virtual(async () => {
    const queue = new asyncio.Queue<number>();
    queue.put_nowait(1);
    const joining = queue.join();
    queue.task_done();
    queue.put_nowait(2);
    await joining;
  });
});

Deno.test("Q3: for await that is left, or cancelled, takes nothing more out", async () => {
  await run_virtual(async () => {
    const queue = new asyncio.Queue<number>();
    for (const item of [1, 2, 3]) queue.put_nowait(item);
    for await (const item of queue) {
      if (item === 2) break;
    }
    assertEquals(drained(queue), [3]);
    const task = asyncio.create_task(async () => {
      for await (const _item of queue);
    });
    await asyncio.sleep(1);
    queue.put_nowait(4);
    task.cancel();
    assertInstanceOf(await error_of(task), asyncio.CancelledError);
    assertEquals(drained(queue), [4]);
  });
});

Deno.test("several for await loops share a queue: each item goes to one of them", async () => {
  await run_virtual(async () => {
    const queue = new asyncio.Queue<number>();
    const loops = [1, 2, 3].map(() =>
      asyncio.create_task(async () => {
        const got: number[] = [];
        for await (const item of queue) {
          got.push(item);
          await asyncio.sleep(1);
        }
        return got;
      })
    );
    for (let i = 0; i < 9; i++) await queue.put(i);
    queue.shutdown();
    assertEquals(await asyncio.gather(...loops), [[0, 3, 6], [1, 4, 7], [2, 5, 8]]);
  });
});

Deno.test("for await hands over an item that can be awaited as it is, where get() awaits it", async () => {
  await run_virtual(async () => {
    const queue = new asyncio.Queue<asyncio.Task<string>>();
    const task = asyncio.create_task(() => asyncio.sleep(1, "result"));
    for (let i = 0; i < 2; i++) queue.put_nowait(task);
    queue.shutdown();
    assertEquals(await queue.get(), "result" as unknown);
    for await (const item of queue) assertStrictEquals(item, task);
  });
});

Deno.test("Queue: a hundred thousand getters that are woken at once, or cancelled at once, take no square of time", async () => {
  await run_virtual(async () => {
    const queue = new asyncio.Queue<number>();
    const getting = Array.from({ length: 100_000 }, () => queue.get());
    for (let i = 0; i < getting.length; i++) queue.put_nowait(i);
    await getting[getting.length - 1];
    assertEquals(getting.map((each) => each.result()), Array.from({ length: 100_000 }, (_, i) => i));

    const cancelled = Array.from({ length: 100_000 }, () => queue.get());
    for (const each of cancelled) each.cancel();
    for (let i = 0; i < 1_000; i++) queue.put_nowait(i);
    await asyncio.sleep(0);
    assertEquals([cancelled.every((each) => each.cancelled()), queue.qsize()], [true, 1_000]);
  });
});

Deno.test("Queue is served across runs that go side by side", async () => {
  const queue = new asyncio.Queue<number>(1);
  const produce = asyncio.run(async () => {
    for (let i = 0; i < 20; i++) await queue.put(i);
    queue.shutdown();
  });
  const consume = asyncio.run(async () => {
    const got: number[] = [];
    for await (const item of queue) got.push(item);
    return got;
  });
  await produce;
  assertEquals(await consume, Array.from({ length: 20 }, (_, i) => i));
});

Deno.test("queues refuse wrong arguments by name and value", () => {
  for (const kind of KINDS) {
    assertThrows(() => new kind(any("2")), TypeError, '"maxsize" must be a number, got "2"');
    assertThrows(() => new kind(any(null)), TypeError, '"maxsize" must be a number, got null');
    assertThrows(() => new kind(NaN), RangeError, '"maxsize" must not be NaN');
    const queue = new kind<number>();
    assertThrows(() => queue.shutdown(any(true)), TypeError, '"options" must be an object, got true');
    assertThrows(() => queue.shutdown(any({ imediate: true })), TypeError, 'Unknown option "imediate"');
    queue.put_nowait(1);
  }
  assertThrows(
    () => new asyncio.PriorityQueue(0, any(() => 0)),
    TypeError,
    '"options" must be an object, got function (anonymous)',
  );
  assertThrows(
    () => new asyncio.PriorityQueue(0, { compare: any("size") }),
    TypeError,
    '"compare" must be a function, got "size"',
  );
  assertThrows(() => new asyncio.PriorityQueue(0, any({ key: () => 0 })), TypeError, 'Unknown option "key"');
});

Deno.test("queues print one live line", async () => {
  await run_virtual(async () => {
    const queue = new asyncio.PriorityQueue<number>(1);
    assertEquals(Deno.inspect(queue), "<PriorityQueue maxsize=1 size=0>");
    const getting = queue.get();
    assertEquals(Deno.inspect(queue), "<PriorityQueue maxsize=1 size=0 getters=1>");
    queue.put_nowait(1);
    await getting;
    queue.put_nowait(2);
    const putting = queue.put(3);
    assertEquals(Deno.inspect(queue), "<PriorityQueue maxsize=1 size=1 putters=1 unfinished=2>");
    queue.shutdown();
    await error_of(putting);
    assertEquals(Deno.inspect(queue), "<PriorityQueue maxsize=1 size=1 unfinished=2 shutdown>");
  });
});

// PriorityQueue

/** What CPython's `sorted()` gives. */
const IN_ORDER: readonly (readonly unknown[])[] = [
  [-Infinity, -1.5, -1, 0, 0.5, 1, 2, 10, Infinity],
  [-(2n ** 70n), -1, 0n, 1, 2n, 2.5, 2n ** 53n + 1n, 2n ** 70n],
  [false, 0.5, true, 2],
  ["", "A", "B", "Z", "a", "aa", "ab", "b", "é"],
  // By code point: U+FFFD comes before U+1F600, which in UTF-16 starts with 0xD83D.
  ["a", "\ud800", "\ud800x", "\ud800\ue000", "\udfff", "\ue000", "\ufffd", "\u{10000}", "\u{1f600}", "\u{1f601}"],
  ["\u{1f600}", "\u{1f600}\ufffd", "\u{1f600}\u{1f600}"],
  [new Date(-1), new Date(0), new Date(1e12)],
  [[], [0], [1], [1, "a"], [1, "b"], [1, "b", {}], [2, -1], [3, {}]],
  [[[1, 2], "x"], [[1, 3], "a"], [[2], ""]],
];

Deno.test("PriorityQueue orders numbers, bigints, booleans, strings, dates and arrays as Python does", () => {
  for (const sorted of IN_ORDER) {
    // Every rotation, forwards and backwards.
    for (let i = 0; i < sorted.length; i++) {
      for (const items of [[...sorted.slice(i), ...sorted.slice(0, i)], [...sorted].reverse()]) {
        const queue = new asyncio.PriorityQueue<unknown>();
        for (const item of items) queue.put_nowait(item);
        assertEquals(drained(queue), sorted as unknown[]);
      }
    }
  }
});

Deno.test("PriorityQueue gives equal items in the order of their coming", () => {
  const queue = new asyncio.PriorityQueue<{ priority: number; name: string }>(0, {
    compare: (a, b) => a.priority - b.priority,
  });
  for (const priority of [1, 0]) {
    for (const name of "abcdefgh") queue.put_nowait({ priority, name });
  }
  assertEquals(drained(queue).map(({ name }) => name).join(""), "abcdefghabcdefgh");
  const mixed = new asyncio.PriorityQueue<unknown>();
  for (const item of [1, 1n, true, 1]) mixed.put_nowait(item);
  assertEquals(drained(mixed), [1, 1n, true, 1]);
});

Deno.test("PriorityQueue serves a waiting getter the smallest item at its turn", async () => {
  await run_virtual(async () => {
    const queue = new asyncio.PriorityQueue<number>();
    const getting = queue.get();
    queue.put_nowait(2);
    queue.put_nowait(1);
    assertEquals([await getting, queue.get_nowait()], [1, 2]);
  });
});

Deno.test("PriorityQueue refuses an item that cannot be compared, and stays as it was", async () => {
  const wrong: [unknown, unknown, string][] = [
    [1, "a", 'Cannot compare "a" with 1: give the queue a "compare" option'],
    [1, {}, 'Cannot compare [object Object] with 1: give the queue a "compare" option'],
    [1, NaN, 'Cannot compare NaN with 1: give the queue a "compare" option'],
    [1, undefined, 'Cannot compare undefined with 1: give the queue a "compare" option'],
    [1, new Date(2), 'Cannot compare [object Date] with 1: give the queue a "compare" option'],
    [[1], 1, 'Cannot compare 1 with [object Array]: give the queue a "compare" option'],
    [[1, {}], [1, {}], 'Cannot compare [object Object] with [object Object]: give the queue a "compare" option'],
  ];
  for (const [right, item, text] of wrong) {
    const queue = new asyncio.PriorityQueue<unknown>(2);
    queue.put_nowait(right);
    assertThrows(() => queue.put_nowait(item), TypeError, text);
    assertEquals((await error_of(queue.put(item))).message, text);
    assertEquals(queue.qsize(), 1);
    assertStrictEquals(queue.get_nowait(), right);
    queue.task_done();
    await queue.join();
  }
  for (const item of [{}, null, NaN, new Date(NaN), Symbol("s"), [NaN, "a"], [new Date(NaN)], [[NaN], 1]]) {
    const queue = new asyncio.PriorityQueue<unknown>();
    assertThrows(() => queue.put_nowait(item), TypeError, "Cannot compare ");
    assertEquals(queue.empty(), true);
  }
});

Deno.test("PriorityQueue whose items turn out not to be comparable as one is taken out keeps them all", async () => {
  await run_virtual(async () => {
    const queue = new asyncio.PriorityQueue<unknown>();
    // Each of the last two was compared with the first only.
    for (const item of [[0], [1, "a"], [1, 2], [3]]) queue.put_nowait(item);
    assertThrows(() => queue.get_nowait(), TypeError, "Cannot compare ");
    assertInstanceOf(await error_of(queue.get()), TypeError);
    assertEquals(queue.qsize(), 4);
  });
});

Deno.test("a putter whose item is refused leaves the room to the next in line", async () => {
  await run_virtual(async () => {
    const queue = new asyncio.PriorityQueue<unknown>(2);
    queue.put_nowait(1);
    queue.put_nowait(2);
    const refused = queue.put("text");
    const next = queue.put(3);
    queue.get_nowait();
    assertInstanceOf(await error_of(refused), TypeError);
    await next;
    assertEquals(drained(queue), [2, 3]);
  });
});

Deno.test("PriorityQueue's compare may throw, and has to return a number", () => {
  const queue = new asyncio.PriorityQueue<number>(0, {
    compare: (a, b) => {
      if (a === 13 || b === 13) throw new RangeError("unlucky");
      return a === 7 ? any(a < b) : a === 8 ? NaN : a - b;
    },
  });
  for (const item of [3, 1, 2]) queue.put_nowait(item);
  assertThrows(() => queue.put_nowait(13), RangeError, "unlucky");
  assertThrows(() => queue.put_nowait(7), TypeError, '"compare" must return a number, got false');
  assertThrows(() => queue.put_nowait(8), TypeError, '"compare" must return a number, got NaN');
  assertEquals(drained(queue), [1, 2, 3]);
});
