import { assert, assertEquals, assertMatch, assertStrictEquals, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";
import { collect_reports, error_of, run_program } from "./_helpers.ts";

const MODULE = import.meta.resolve("./_thread_functions.ts");

/** Shared with threads: a cell that one of them writes and another reads. */
function shared_cell(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4));
}

function set_cell(cell: Int32Array): void {
  Atomics.store(cell, 0, 1);
}

/** Blocks its thread until somebody sets the cell to something but 0. */
function wait_for_cell(cell: Int32Array): number {
  while (Atomics.load(cell, 0) === 0) Atomics.wait(cell, 0, 0, 1);
  return Atomics.load(cell, 0);
}

/** Says that it has started by setting the first cell, and then waits for the second. */
function start_and_wait([started, go]: [Int32Array, Int32Array]): string {
  Atomics.store(started, 0, 1);
  while (Atomics.load(go, 0) === 0) Atomics.wait(go, 0, 0, 1);
  return "went on";
}

async function until_set(cell: Int32Array): Promise<void> {
  while (Atomics.load(cell, 0) === 0) await asyncio.sleep(0.001);
}

/** A pool with one thread, which is kept busy until the cell is set. */
async function busy_pool(): Promise<
  { pool: asyncio.ThreadPoolExecutor; go: Int32Array; first: asyncio.Future<string> }
> {
  const pool = new asyncio.ThreadPoolExecutor({ max_workers: 1, thread_name_prefix: "busy" });
  const [started, go] = [shared_cell(), shared_cell()];
  const first = pool.submit(start_and_wait, [started, go] as [Int32Array, Int32Array]);
  await until_set(started);
  return { pool, go, first };
}

/** Whether others want the processors: then no time that was measured tells anything. */
function is_busy(): boolean {
  return Deno.loadavg()[0] > 0.75 * navigator.hardwareConcurrency;
}

// Functions, arguments, results

Deno.test("to_thread() gives what a function returns", async () => {
  await asyncio.run(async () => {
    assertEquals(await asyncio.to_thread((a: number, b: number) => a + b, 1, 2), 3);
    assertEquals(
      await asyncio.to_thread(function named(text: string) {
        return text.toUpperCase();
      }, "abc"),
      "ABC",
    );
    assertEquals(await asyncio.to_thread(() => {}), undefined);
  });
});

Deno.test("to_thread() awaits an async function", async () => {
  const later = async (value: string) => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    return [value];
  };
  await asyncio.run(async () => assertEquals(await asyncio.to_thread(later, "x"), ["x"]));
});

Deno.test("to_thread() sends methods of every form", async () => {
  const object = {
    plain(n: number) {
      return n + 1;
    },
    async later(n: number) {
      return await Promise.resolve(n + 2);
    },
    ["a name"]: (n: number) => n + 3,
  };
  await asyncio.run(async () => {
    assertEquals(await asyncio.to_thread(object.plain, 1), 2);
    assertEquals(await asyncio.to_thread(object.later, 1), 3);
    assertEquals(await asyncio.to_thread(object["a name"], 1), 4);
  });
});

Deno.test("to_thread() copies what structuredClone() copies, both ways", async () => {
  const value = {
    map: new Map([["a", new Date(0)]]),
    set: new Set([1n]),
    bytes: Uint8Array.of(1, 2),
    nested: [[null]],
  };
  await asyncio.run(async () => {
    const back = await asyncio.to_thread((each: typeof value) => each, value);
    assertEquals(back, value);
    assert(back !== value);
  });
});

Deno.test("to_thread() calls the export of a module, which may use all of its file and this library", async () => {
  await asyncio.run(async () => {
    assertEquals(await asyncio.to_thread<[number], number>({ module: MODULE, name: "times_three" }, 14), 42);
    assertEquals(await asyncio.to_thread({ module: new URL(MODULE) }), "default");
    const [value, task] = await asyncio.to_thread({ module: MODULE, name: "sleep_in_thread" }, "x") as string[];
    assertEquals(value, "x");
    assertMatch(task, /^Task-\d+$/);
  });
});

Deno.test("a function in a thread imports modules itself, through the program's import map as well", async () => {
  await asyncio.run(async () => {
    assertEquals(await asyncio.to_thread(async (url: string) => (await import(url)).number, MODULE), 5);
    const joined = await asyncio.to_thread(async () => (await import("node:path")).posix.join("a", "b"));
    assertEquals(joined, "a/b");
  });
});

Deno.test("arguments are taken at the call, by a call that waits for a thread too", async () => {
  const { pool, go, first } = await busy_pool();
  const list = [1];
  const waiting = pool.submit((list: number[]) => list, list);
  list.push(2);
  set_cell(go);
  Atomics.notify(go, 0);
  assertEquals([await first, await waiting], ["went on", [1]]);
  await pool.shutdown();
});

Deno.test("run_in_thread() hands buffers over, by a call that waits for a thread too", async () => {
  const { pool, go } = await busy_pool();
  const sum = (bytes: Uint8Array) => bytes.reduce((sum, each) => sum + each, 0);
  const bytes = new Uint8Array(1000).fill(1);
  const waiting = asyncio.run_in_thread(sum, [bytes], { transfer: [bytes.buffer], executor: pool });
  assertEquals(bytes.length, 0);
  set_cell(go);
  assertEquals(await waiting, 1000);
  const more = new Uint8Array(10).fill(2);
  assertEquals(await asyncio.run_in_thread(sum, [more], { transfer: [more.buffer], executor: pool }), 20);
  assertEquals(more.length, 0);
  await pool.shutdown();
});

Deno.test("large arrays go to a thread and back in a time that is of the order of copying them", async () => {
  // Regression: node:worker_threads looks at every element of an array it is sent, which took a thousand times as long.
  await using pool = new asyncio.ThreadPoolExecutor({ max_workers: 1 });
  const bytes = new Uint8Array(4 * 1024 * 1024);
  let [copying, sending] = [Infinity, Infinity];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    structuredClone(bytes);
    const copied = performance.now();
    assertEquals((await pool.submit((bytes: Uint8Array) => bytes, bytes)).length, bytes.length);
    copying = Math.min(copying, copied - start);
    sending = Math.min(sending, performance.now() - copied);
  }
  assert(sending < 100 * copying, `copying took ${copying} milliseconds, sending ${sending}`);
});

// deno-lint-ignore no-explicit-any
const REFUSED: readonly [what: string, fn: any, pattern: RegExp][] = [
  ["a bound function", to_be_bound.bind(null), /Cannot run "bound to_be_bound" in a thread: a bound or built-in/],
  ["a built-in function", Math.max, /Cannot run "max" in a thread: a bound or built-in/],
  ["a class", class Refused {}, /Cannot run "Refused" in a thread: it is a class/],
  ["a relative module", { module: "./work.ts" }, /must be an absolute URL, got ".\/work.ts": use import.meta.resolve/],
  ["something else", 5, /"fn" must be a function or \{ module, name \}, got 5/],
];

function to_be_bound(): void {}

for (const [what, fn, pattern] of REFUSED) {
  Deno.test(`to_thread() refuses ${what} with a TypeError`, async () => {
    await asyncio.run(() => {
      const error = assertThrows(() => asyncio.to_thread(fn)) as Error;
      assert(error instanceof TypeError);
      assertMatch(error.message, pattern);
    });
  });
}

Deno.test("to_thread() refuses arguments that cannot be copied with a DataCloneError, and goes on", async () => {
  await asyncio.run(async () => {
    const error = assertThrows(() => asyncio.to_thread((fn: () => void) => fn(), () => {})) as Error;
    assertEquals([error instanceof DOMException, error.name], [true, "DataCloneError"]);
    assertEquals(await asyncio.to_thread(() => 1), 1);
  });
});

// Errors

Deno.test("an error keeps its class, text, cause, fields and the stack that it has in the thread", async () => {
  function fails(): never {
    throw Object.assign(new RangeError("too far", { cause: new SyntaxError("inner") }), { code: 7, fn: () => {} });
  }
  await asyncio.run(async () => {
    const error = await error_of(asyncio.to_thread(fails));
    assert(error instanceof RangeError);
    assertEquals([error.message, (error as { code?: number }).code, "fn" in error], ["too far", 7, false]);
    assert(error.cause instanceof SyntaxError);
    assertEquals(error.cause.message, "inner");
    assertMatch(error.stack!, /^RangeError: too far\n +at fails \(thread:fails.*:\d+:\d+\)$/);
  });
});

Deno.test("errors of Deno and of the web keep their classes", async () => {
  await asyncio.run(async () => {
    const missing = await error_of(asyncio.to_thread(() => Deno.readTextFile("/does/not/exist")));
    assert(missing instanceof Deno.errors.NotFound);
    assertEquals((missing as { code?: string }).code, "ENOENT");
    const aborted = await error_of(asyncio.to_thread(() => AbortSignal.abort().throwIfAborted()));
    assert(aborted instanceof DOMException);
    assertEquals(aborted.name, "AbortError");
    const several = await error_of(asyncio.to_thread(() => Promise.any([Promise.reject(new TypeError("one"))])));
    assert(several instanceof AggregateError);
    assert(several.errors[0] instanceof TypeError);
  });
});

Deno.test("an error of a class of the program comes as the nearest built-in class, with its name", async () => {
  const fails = () => {
    class MyError extends RangeError {
      override name = "MyError";
      detail = [1];
    }
    throw new MyError("mine");
  };
  await asyncio.run(async () => {
    const error = await error_of(asyncio.to_thread(fails));
    assert(error instanceof RangeError);
    assertEquals([error.name, error.message, (error as { detail?: unknown }).detail], ["MyError", "mine", [1]]);
    assertMatch(error.stack!, /MyError|RangeError: mine/);
  });
});

Deno.test("a thrown value that is no error comes out as it is", async () => {
  await asyncio.run(async () => {
    const thrown = (value: unknown) => {
      throw value;
    };
    assertEquals(await error_of(asyncio.to_thread(thrown, "text")), "text");
    assertEquals(await error_of(asyncio.to_thread(thrown, { a: 1 })), { a: 1 });
    assertMatch((await error_of(asyncio.to_thread(thrown, undefined))).message, /^Thrown: undefined$/);
  });
});

Deno.test("a variable of the file is missing in the thread, and the error names it and tells the rule", async () => {
  const outside = 1;
  function uses_outside(): number {
    return outside;
  }
  await asyncio.run(async () => {
    const error = await error_of(asyncio.to_thread(uses_outside));
    assert(error instanceof ReferenceError);
    assertMatch(
      error.message,
      /^"outside" is not defined in the thread, to which "uses_outside" is sent as its source: /,
    );
    assertMatch(error.message, /import\.meta\.resolve/);
  });
});

Deno.test("a function whose source cannot stand by itself is a TypeError that says so", async () => {
  await asyncio.run(async () => {
    const error = await error_of(asyncio.to_thread(() => import.meta.url));
    assert(error instanceof TypeError);
    assertMatch(error.message, /in a thread: its source does not stand by itself: .*import\.meta/);
  });
});

Deno.test("an export that is missing, and one that is no function, are TypeErrors", async () => {
  await asyncio.run(async () => {
    for (const [name, text] of [["missing", "missing"], ["number", "5"]]) {
      const error = await error_of(asyncio.to_thread({ module: MODULE, name }));
      assert(error instanceof TypeError);
      assertEquals(error.message, `Cannot run "${name}" of "${MODULE}" in a thread: it is ${text}`);
    }
  });
});

Deno.test("a result that cannot be copied is a DataCloneError, and the thread goes on", async () => {
  await using pool = new asyncio.ThreadPoolExecutor({ max_workers: 1 });
  const error = await error_of(pool.submit(() => () => {}));
  assertEquals(error.name, "DataCloneError");
  assertEquals(await pool.submit(() => 1), 1);
});

// Threads

Deno.test("two threads run at the same time", async () => {
  // Each waits for what the other does; nothing depends on how fast.
  const meet = (mine: Int32Array, other: Int32Array) => {
    Atomics.store(mine, 0, 1);
    Atomics.notify(mine, 0);
    while (Atomics.load(other, 0) === 0) Atomics.wait(other, 0, 0, 10);
    return "met";
  };
  await using pool = new asyncio.ThreadPoolExecutor({ max_workers: 2 });
  const [a, b] = [shared_cell(), shared_cell()];
  assertEquals(await Promise.all([pool.submit(meet, a, b), pool.submit(meet, b, a)]), ["met", "met"]);
});

Deno.test({
  name: "work in two threads takes less time than one after the other",
  ignore: navigator.hardwareConcurrency < 2 || is_busy(),
  async fn() {
    const spin = (count: number) => {
      const start = performance.now();
      for (let value = 0, i = 0; i < count; i++) value = (value * 31 + i) | 0;
      return performance.now() - start;
    };
    const work = () => pool.submit(spin, 5e6);
    await using pool = new asyncio.ThreadPoolExecutor({ max_workers: 2 });
    // The machine may have other work. So the parts are short, and what counts is the best of many: that of one alone,
    // and that of both, which would be twice as much if they took turns.
    let [alone, together] = [Infinity, Infinity];
    for (let attempt = 0; attempt < 100 && (attempt < 20 || together > 1.6 * alone); attempt++) {
      alone = Math.min(alone, await work());
      const start = performance.now();
      await Promise.all([work(), work()]);
      together = Math.min(together, performance.now() - start);
    }
    assert(together <= 1.6 * alone || is_busy(), `one took ${alone} milliseconds, both took ${together}`);
  },
});

Deno.test("the loop goes on while a thread is blocked", async () => {
  await asyncio.run(async () => {
    const cell = shared_cell();
    asyncio.get_running_loop().call_later(0.01, () => Atomics.store(cell, 0, 7));
    assertEquals(await asyncio.to_thread(wait_for_cell, cell), 7);
  });
});

Deno.test("1,000 calls give 1,000 results, in order", async () => {
  await asyncio.run(async () => {
    const calls = Array.from({ length: 1000 }, (_, index) => asyncio.to_thread((n: number) => n * 2, index));
    assertEquals(await asyncio.gather(...calls), Array.from({ length: 1000 }, (_, index) => index * 2));
  });
});

Deno.test("calls start in the order in which they were made", async () => {
  const { pool, go } = await busy_pool();
  const counter = shared_cell();
  const calls = Array.from({ length: 20 }, () => pool.submit((cell: Int32Array) => Atomics.add(cell, 0, 1), counter));
  set_cell(go);
  assertEquals(await Promise.all(calls), Array.from({ length: 20 }, (_, index) => index));
  await pool.shutdown();
});

Deno.test("threads are started when they are needed, no more than max_workers, and used again", async () => {
  const show = () => Deno.inspect(pool);
  const pool = new asyncio.ThreadPoolExecutor({ max_workers: 2, thread_name_prefix: "few" });
  assertEquals(show(), '<ThreadPoolExecutor "few" threads=0/2 busy=0 queued=0>');
  for (let i = 0; i < 3; i++) await pool.submit(() => {});
  assertEquals(show(), '<ThreadPoolExecutor "few" threads=1/2 busy=0 queued=0>');
  const cell = shared_cell();
  const calls = [1, 2, 3].map(() => pool.submit(wait_for_cell, cell));
  assertEquals(show(), '<ThreadPoolExecutor "few" threads=2/2 busy=2 queued=1>');
  set_cell(cell);
  await Promise.all(calls);
  await pool.shutdown();
  assertEquals(show(), '<ThreadPoolExecutor "few" threads=0/2 busy=0 queued=0 shutdown>');
});

Deno.test("a thread that ends itself fails its call with BrokenWorkerThread, and the pool goes on", async () => {
  await using pool = new asyncio.ThreadPoolExecutor({ max_workers: 1, thread_name_prefix: "mortal" });
  function closes() {
    self.close();
    return new Promise(() => {});
  }
  const closed = pool.submit(closes);
  const next = pool.submit(() => "next");
  const error = await error_of(closed);
  assert(error instanceof asyncio.BrokenWorkerThread);
  assertEquals(error.message, 'Cannot finish "closes": its thread "mortal_0" ended itself');
  assertEquals(await next, "next");
  assert(await error_of(pool.submit(() => Deno.exit(3))) instanceof asyncio.BrokenWorkerThread);
  assertEquals(await pool.submit(() => "again"), "again");
});

const UNCAUGHT: readonly [how: string, fn: () => Promise<never>][] = [
  ["in a timer", () =>
    new Promise<never>(() =>
      setTimeout(() => {
        throw new RangeError("uncaught");
      })
    )],
  ["of a promise", () => {
    Promise.reject(new RangeError("uncaught"));
    return new Promise<never>(() => {});
  }],
];

for (const [how, fn] of UNCAUGHT) {
  Deno.test(`an uncaught error ${how} fails the call that runs with BrokenWorkerThread, and the pool goes on`, async () => {
    await using pool = new asyncio.ThreadPoolExecutor({ max_workers: 1, thread_name_prefix: "mortal" });
    const failing = pool.submit(fn);
    const next = pool.submit(() => "next");
    const error = await error_of(failing);
    assert(error instanceof asyncio.BrokenWorkerThread);
    assertMatch(error.message, /^Cannot finish ".*": its thread "mortal_0" ended with an error: uncaught$/);
    assert(error.cause instanceof RangeError);
    assertEquals(await next, "next");
  });
}

Deno.test("an uncaught error after the call goes to the exception handler, and the pool goes on", async () => {
  await asyncio.run(async () => {
    const reports = collect_reports();
    const leaves_a_timer = () => {
      setTimeout(() => {
        throw new RangeError("late");
      }, 1);
      return "done";
    };
    assertEquals(await asyncio.to_thread(leaves_a_timer), "done");
    while (reports.length === 0) await asyncio.sleep(0.001);
    assertEquals(reports[0].message, 'Unhandled error in thread "asyncio_0"');
    assertEquals((reports[0].exception as Error).message, "late");
    assertEquals(await asyncio.to_thread(() => 1), 1);
    assertEquals(reports.length, 1);
  });
});

// Cancellation

Deno.test("a call that is cancelled while it waits for a thread never runs", async () => {
  const { pool, go, first } = await busy_pool();
  const cell = shared_cell();
  const waiting = pool.submit(set_cell, cell);
  assert(waiting.cancel());
  set_cell(go);
  assertEquals(await first, "went on");
  assert(await error_of(waiting) instanceof asyncio.CancelledError);
  await pool.shutdown();
  assertEquals(cell[0], 0);
});

Deno.test("a call that is cancelled while it runs is abandoned, and its thread works to the end", async () => {
  await asyncio.run(async () => {
    const [started, go, finished] = [shared_cell(), shared_cell(), shared_cell()];
    const work = (started: Int32Array, go: Int32Array, finished: Int32Array) => {
      Atomics.store(started, 0, 1);
      while (Atomics.load(go, 0) === 0) Atomics.wait(go, 0, 0, 1);
      Atomics.store(finished, 0, 1);
      throw new Error("nobody hears of it");
    };
    const reports = collect_reports();
    const task = asyncio.create_task(() => asyncio.to_thread(work, started, go, finished));
    await until_set(started);
    task.cancel();
    assert(await error_of(task) instanceof asyncio.CancelledError);
    assertEquals(finished[0], 0);
    set_cell(go);
    await until_set(finished);
    assertEquals(await asyncio.to_thread(() => 1), 1);
    assertEquals(reports, []);
  });
});

Deno.test("a call that is cancellable has its thread terminated, and the pool goes on", async () => {
  await using pool = new asyncio.ThreadPoolExecutor({ max_workers: 1, thread_name_prefix: "short" });
  await asyncio.run(async () => {
    const started = shared_cell();
    const endless = (started: Int32Array) => {
      Atomics.store(started, 0, 1);
      for (;;);
    };
    const call = asyncio.run_in_thread(endless, [started], { cancellable: true, executor: pool });
    const next = pool.submit(() => "next");
    await until_set(started);
    call.cancel("enough");
    const error = await error_of(call);
    assert(error instanceof asyncio.CancelledError);
    assertEquals(error.message, "enough");
    assertEquals(await next, "next");
  });
});

Deno.test("wait_for() ends an endless function that is cancellable", async () => {
  await asyncio.run(async () => {
    const endless = () => {
      for (;;);
    };
    const error = await error_of(asyncio.wait_for(asyncio.run_in_thread(endless, [], { cancellable: true }), 0.05));
    assert(error instanceof asyncio.TimeoutError);
  });
});

Deno.test("a signal ends a call as cancelling it does, with the signal's reason", async () => {
  await using pool = new asyncio.ThreadPoolExecutor({ max_workers: 1 });
  const started = shared_cell();
  const endless = (started: Int32Array) => {
    Atomics.store(started, 0, 1);
    for (;;);
  };
  const [running, waiting] = [new AbortController(), new AbortController()];
  const cell = shared_cell();
  const options = { executor: pool, cancellable: true };
  const first = asyncio.run_in_thread(endless, [started], { ...options, signal: running.signal });
  const second = asyncio.run_in_thread(set_cell, [cell], { ...options, signal: waiting.signal });
  await until_set(started);
  waiting.abort(new Error("waited too long"));
  running.abort(new Error("ran too long"));
  assertEquals([(await error_of(first)).message, (await error_of(second)).message], [
    "ran too long",
    "waited too long",
  ]);
  const third = asyncio.run_in_thread(set_cell, [cell], { ...options, signal: waiting.signal });
  assertEquals((await error_of(third)).message, "waited too long");
  await pool.submit(() => {});
  assertEquals(cell[0], 0);
});

// Limiters

Deno.test("a limiter bounds how many calls run, whoever makes them", async () => {
  await using pool = new asyncio.ThreadPoolExecutor({ max_workers: 3 });
  const limiter = new asyncio.CapacityLimiter(1);
  const [running, most] = [shared_cell(), shared_cell()];
  const work = (running: Int32Array, most: Int32Array) => {
    const now = Atomics.add(running, 0, 1) + 1;
    if (now > Atomics.load(most, 0)) Atomics.store(most, 0, now);
    for (const end = performance.now() + 2; performance.now() < end;);
    Atomics.sub(running, 0, 1);
  };
  await asyncio.run(async () => {
    await asyncio.gather(
      ...Array.from({ length: 8 }, () => asyncio.run_in_thread(work, [running, most], { limiter, executor: pool })),
    );
  });
  assertEquals([most[0], limiter.borrowed_tokens], [1, 0]);
});

Deno.test("a token comes back when the thread is done, not when its call is cancelled", async () => {
  await using pool = new asyncio.ThreadPoolExecutor({ max_workers: 2 });
  await asyncio.run(async () => {
    const limiter = new asyncio.CapacityLimiter(1);
    const [started, go] = [shared_cell(), shared_cell()];
    const options = { limiter, executor: pool };
    const first = asyncio.run_in_thread(start_and_wait, [[started, go] as [Int32Array, Int32Array]], options);
    await until_set(started);
    const dropped = asyncio.run_in_thread(() => "never", [], options);
    const second = asyncio.run_in_thread(() => "second", [], options);
    first.cancel();
    dropped.cancel();
    await asyncio.sleep(0.01);
    assertEquals([limiter.borrowed_tokens, second.done()], [1, false]);
    set_cell(go);
    assertEquals(await second, "second");
    assertEquals(limiter.statistics().tasks_waiting, 0);
    assertEquals(limiter.borrowed_tokens, 0);
  });
});

Deno.test("a thread that is terminated, or ends itself, gives its token back", async () => {
  await using pool = new asyncio.ThreadPoolExecutor({ max_workers: 1 });
  const limiter = new asyncio.CapacityLimiter(1);
  const options = { limiter, executor: pool };
  await error_of(asyncio.run_in_thread(() => globalThis.close(), [], options));
  assertEquals(await asyncio.run_in_thread(() => 1, [], options), 1);
  assertThrows(() => asyncio.run_in_thread((fn: () => void) => fn(), [() => {}], options));
  assertEquals(limiter.borrowed_tokens, 0);
});

// ThreadPoolExecutor

Deno.test("ThreadPoolExecutor.map() gives the results in order, and stops at the shortest of its arguments", async () => {
  await using pool = new asyncio.ThreadPoolExecutor({ max_workers: 2 });
  const results: number[] = [];
  for await (const each of pool.map((a: number, b: number) => a * b, [1, 2, 3], new Set([4, 5]))) results.push(each);
  assertEquals(results, [4, 10]);
});

Deno.test("ThreadPoolExecutor.map() ends with the first error, and cancels what has not started", async () => {
  const pool = new asyncio.ThreadPoolExecutor({ max_workers: 1 });
  const cell = shared_cell();
  const work = (n: number, cell: Int32Array) => {
    if (n === 1) throw new RangeError("one");
    if (n === 2) { while (Atomics.load(cell, 0) === 0) Atomics.wait(cell, 0, 0, 1); }
    if (n === 3) Atomics.store(cell, 0, 5);
    return n;
  };
  const results = pool.map(work, [0, 1, 2, 3], [cell, cell, cell, cell]);
  assertEquals(await results.next(), { done: false, value: 0 });
  assertEquals((await error_of(results.next())).message, "one");
  assertEquals(await results.next(), { done: true, value: undefined });
  set_cell(cell);
  await pool.shutdown();
  assertEquals(cell[0], 1);
});

Deno.test("leaving the iteration of ThreadPoolExecutor.map() cancels what has not started", async () => {
  const pool = new asyncio.ThreadPoolExecutor({ max_workers: 1 });
  for await (const each of pool.map((n: number) => n, [1, 2, 3])) {
    assertEquals(each, 1);
    break;
  }
  await pool.shutdown();
});

Deno.test("shutdown() waits for all calls, and nothing can be submitted after it", async () => {
  const { pool, go, first } = await busy_pool();
  const queued = pool.submit(() => "queued");
  const joined = pool.shutdown();
  const error = assertThrows(() => pool.submit(() => {})) as Error;
  assert(error instanceof asyncio.RuntimeError);
  assertEquals(error.message, "cannot schedule new futures after shutdown");
  await asyncio.sleep(0.01);
  assertEquals(joined.done(), false);
  set_cell(go);
  await joined;
  assertEquals([first.result(), queued.result()], ["went on", "queued"]);
  await pool.shutdown();
});

Deno.test("shutdown({ wait: false, cancel_futures: true }) drops what has not started and returns at once", async () => {
  const { pool, go, first } = await busy_pool();
  const queued = pool.submit(() => "queued");
  const joined = pool.shutdown({ wait: false, cancel_futures: true });
  assertEquals([joined.done(), queued.cancelled(), first.done()], [true, true, false]);
  set_cell(go);
  assertEquals(await first, "went on");
  await pool.shutdown();
});

Deno.test("ThreadPoolExecutor is an async context manager", async () => {
  let kept: asyncio.ThreadPoolExecutor | null = null;
  const result = await asyncio.async_with(new asyncio.ThreadPoolExecutor({ max_workers: 1 }), (pool) => {
    kept = pool;
    return pool.submit(() => 1);
  });
  assertEquals(result, 1);
  assertThrows(() => kept!.submit(() => {}));
});

Deno.test("ThreadPoolExecutor refuses options that are wrong", () => {
  assertThrows(
    () => new asyncio.ThreadPoolExecutor({ max_workers: 0 }),
    RangeError,
    "max_workers must be greater than 0",
  );
  assertThrows(() => new asyncio.ThreadPoolExecutor({ max_workers: 1.5 }), RangeError);
  assertThrows(() => new asyncio.ThreadPoolExecutor({ max_workers: "2" as unknown as number }), TypeError);
  assertThrows(() => new asyncio.ThreadPoolExecutor({ workers: 2 } as object), TypeError);
});

// The loop's executors

Deno.test("run_in_executor() uses the executor that is given, or the default one", async () => {
  await using pool = new asyncio.ThreadPoolExecutor({ max_workers: 1, thread_name_prefix: "mine" });
  const dies = () => globalThis.close();
  await asyncio.run(async () => {
    const loop = asyncio.get_running_loop();
    assertMatch((await error_of(loop.run_in_executor(pool, dies))).message, /"mine_0"/);
    assertMatch((await error_of(loop.run_in_executor(null, dies))).message, /"asyncio_0"/);
    assertStrictEquals(loop.run_in_executor(pool, (n: number) => n, 1).get_loop(), loop);
    assertThrows(() => loop.run_in_executor({} as asyncio.ThreadPoolExecutor, dies), TypeError);
  });
});

Deno.test("set_default_executor() takes a ThreadPoolExecutor, which run() shuts down", async () => {
  const pool = new asyncio.ThreadPoolExecutor({ max_workers: 1 });
  await asyncio.run(async () => {
    const loop = asyncio.get_running_loop();
    assertThrows(
      () => loop.set_default_executor({} as asyncio.ThreadPoolExecutor),
      TypeError,
      "executor must be ThreadPoolExecutor instance",
    );
    loop.set_default_executor(pool);
    assertEquals(await asyncio.to_thread(() => 1), 1);
    assertMatch(Deno.inspect(pool), /threads=1\/1/);
  });
  assertMatch(Deno.inspect(pool), /threads=0\/1 .*shutdown/);
});

Deno.test("run() waits at its end for what runs in the default executor", async () => {
  const finished = shared_cell();
  await asyncio.run(() => {
    void asyncio.to_thread(async (cell: Int32Array) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      Atomics.store(cell, 0, 1);
    }, finished);
  });
  assertEquals(finished[0], 1);
});

Deno.test("after shutdown_default_executor() there is no default executor any more", async () => {
  await asyncio.run(async () => {
    const loop = asyncio.get_running_loop();
    await loop.shutdown_default_executor();
    const error = assertThrows(() => asyncio.to_thread(() => {})) as Error;
    assert(error instanceof asyncio.RuntimeError);
    assertEquals(error.message, "Executor shutdown has been called");
  });
});

Deno.test("shutdown_default_executor(timeout) terminates what does not end in time, and warns", async () => {
  const warnings: unknown[] = [];
  const warn = console.warn;
  console.warn = (text) => void warnings.push(text);
  try {
    await asyncio.run(async () => {
      const endless = asyncio.to_thread(() => {
        for (;;);
      });
      await asyncio.get_running_loop().shutdown_default_executor(0.05);
      assert(endless.cancelled());
    });
  } finally {
    console.warn = warn;
  }
  assertEquals(warnings, ["The executor did not finishing joining its threads within 0.05 seconds."]);
});

Deno.test("a closed loop takes no calls, and its idle threads end", async () => {
  const loop = asyncio.new_event_loop();
  const pool = new asyncio.ThreadPoolExecutor({ max_workers: 1 });
  loop.set_default_executor(pool);
  assertEquals(await loop.run_until_complete(() => asyncio.to_thread(() => 1)), 1);
  loop.close();
  assertThrows(() => loop.run_in_executor(null, () => {}), asyncio.RuntimeError, "Event loop is closed");
  await pool.shutdown();
  assertMatch(Deno.inspect(pool), /threads=0/);
});

Deno.test("to_thread() works without run()", async () => {
  assertEquals(await asyncio.to_thread((n: number) => n + 1, 1), 2);
});

// Programs of their own

Deno.test("a program ends by itself, with idle threads of every kind", async () => {
  const { code, stdout, stderr } = await run_program(`
    console.log(await asyncio.to_thread(() => 1));
    console.log(await new asyncio.ThreadPoolExecutor().submit(() => 2));
    console.log(await asyncio.run(() => asyncio.to_thread(() => 3)));
    const loop = asyncio.new_event_loop();
    console.log(await loop.run_until_complete(() => asyncio.to_thread(() => 4)));
  `);
  assertEquals([code, stdout, stderr], [0, "1\n2\n3\n4\n", ""]);
});

Deno.test("a program waits for a thread that runs, whether or not somebody waits for the result", async () => {
  const { code, stdout, stderr } = await run_program(`
    const slow = async (text) => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      console.log(text);
    };
    await asyncio.to_thread(slow, "first");
    asyncio.to_thread(slow, "second").cancel();
    void asyncio.to_thread(slow, "third");
  `);
  assertEquals([code, stdout.split("\n").sort(), stderr], [0, ["", "first", "second", "third"], ""]);
});

Deno.test("threads need no permission, have none that the program lacks, and ask for none", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const library = new URL("../mod.ts", import.meta.url).href;
    const main = `${folder}/main.ts`;
    await Deno.writeTextFile(
      main,
      `import * as asyncio from ${JSON.stringify(library)};
      console.log(await asyncio.to_thread(() => 1));
      const error_of = (fn) => asyncio.to_thread(fn).then(String, (error) => error.name);
      console.log(await error_of(() => Deno.readTextFileSync("/etc/hosts")));
      console.log(await error_of({ module: ${JSON.stringify(MODULE)}, name: "times_three" }));`,
    );
    const run = (...args: string[]) => new Deno.Command(Deno.execPath(), { args: ["run", ...args, main] }).output();
    const { stdout, stderr } = await run("--no-prompt", "--no-config", "--no-check");
    const decoder = new TextDecoder();
    assertEquals([decoder.decode(stdout), decoder.decode(stderr)], ["1\nNotCapable\nTypeError\n", ""]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
