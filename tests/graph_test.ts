import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";
import { assert_linear, error_of, run_program, run_virtual, spawn_program } from "./_helpers.ts";
import { text_of } from "./_programs.ts";

/** Lets every task come to its wait. */
async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await asyncio.sleep(0);
}

function printed(print: (file: asyncio.TextSink) => void): string {
  const texts: string[] = [];
  print({ write: (text) => texts.push(text) });
  // Numbers tell objects apart, and depend on what was printed before.
  return texts.join("").replace(/#\d+/g, "#n").replace(/id=0x[0-9a-f]+/g, "id=n");
}

function record_of(name: string): asyncio.TaskRecord {
  return asyncio.capture_tasks().find((record) => record.name === name)!;
}

/** Two tasks, each with a lock that the other one wants. */
async function deadlock(): Promise<readonly asyncio.Task<void>[]> {
  const [left, right] = [new asyncio.Lock(), new asyncio.Lock()];
  const take_both = (first: asyncio.Lock, second: asyncio.Lock) => async () => {
    await first.acquire();
    await asyncio.sleep(1);
    await second.acquire();
  };
  const tasks = [
    asyncio.create_task(take_both(left, right), { name: "alice" }),
    asyncio.create_task(take_both(right, left), { name: "bob" }),
  ];
  await asyncio.sleep(5);
  return tasks;
}

// The call graph

Deno.test("capture_call_graph() gives who awaits a future, and who awaits those", async () => {
  await asyncio.run(async () => {
    const future = new asyncio.Future<void>();
    const inner = asyncio.create_task(async () => await future, { name: "inner" });
    const outer = asyncio.create_task(async () => void await inner, { name: "outer" });
    await settle();
    const graph = asyncio.capture_call_graph(future)!;
    assertEquals(graph.future === future, true);
    assertEquals(graph.call_stack, []);
    assertEquals(graph.awaited_by.map((each) => each.future === inner), [true]);
    assertEquals(graph.awaited_by[0].awaited_by.map((each) => each.future === outer), [true]);
    assertEquals(graph.awaited_by[0].awaited_by[0].awaited_by, []);
    future.set_result(undefined);
    await outer;
    assertEquals(asyncio.capture_call_graph(future)!.awaited_by, []);
  });
});

Deno.test("capture_call_graph() passes gather(), shield(), wait(), wait_for() and task groups on to who awaits them", async () => {
  const calls: Record<string, (task: asyncio.Task<void>) => PromiseLike<unknown>> = {
    gather: (task) => asyncio.gather(task),
    shield: (task) => asyncio.shield(task),
    wait: (task) => asyncio.wait([task]),
    wait_for: (task) => asyncio.wait_for(task, 60),
    as_completed: async (task) => {
      for await (const _ of asyncio.as_completed([task]));
    },
    timeout: (task) => asyncio.async_with(asyncio.timeout(60), async () => await task),
  };
  for (const [name, call] of Object.entries(calls)) {
    await asyncio.run(async () => {
      const gate = new asyncio.Event();
      const task = asyncio.create_task(async () => void await gate.wait());
      const waiter = asyncio.create_task(async () => void await call(task));
      await settle();
      const graph = asyncio.capture_call_graph(task)!;
      const seen: asyncio.Future<unknown>[] = [];
      const walk = (each: asyncio.FutureCallGraph) => {
        seen.push(each.future);
        each.awaited_by.forEach(walk);
      };
      walk(graph);
      assert(seen.includes(waiter), name);
      gate.set();
      await waiter;
    });
  }
  await asyncio.run(async () => {
    const gate = new asyncio.Event();
    let child: asyncio.Task<void>;
    const parent = asyncio.create_task(() =>
      asyncio.async_with(new asyncio.TaskGroup(), (group) => {
        child = group.create_task(async () => void await gate.wait());
      })
    );
    await settle();
    assertEquals(asyncio.capture_call_graph(child!)!.awaited_by.map(({ future }) => future === parent), [true]);
    gate.set();
    await parent;
  });
});

Deno.test("capture_call_graph() of the running task has the calls it is in; depth and limit shorten them", async () => {
  await asyncio.run(async () => {
    const names = (graph: asyncio.FutureCallGraph | null) => graph!.call_stack.map(({ frame }) => frame.name);
    async function innermost() {
      await asyncio.sleep(0);
      return [
        asyncio.capture_call_graph(),
        asyncio.capture_call_graph(null, { depth: 1 }),
        asyncio.capture_call_graph(null, { limit: 1 }),
        asyncio.capture_call_graph(null, { limit: -1 }),
        asyncio.capture_call_graph(null, { limit: 0 }),
      ];
    }
    async function outermost() {
      return await innermost();
    }
    const [all, deeper, outer, inner, none] = await asyncio.create_task(() => outermost());
    assertEquals(names(all).slice(0, 2), ["innermost", "outermost"]);
    assertEquals(all!.call_stack[0].frame.filename, import.meta.url);
    assertEquals(all!.call_stack.map(({ frame }) => frame.is_async).slice(0, 2), [false, true]);
    assertEquals(names(deeper), names(all).slice(1));
    assertEquals(names(outer), names(all).slice(-1));
    assertEquals(names(inner), ["innermost"]);
    assertEquals(names(none), []);
  });
});

Deno.test("capture_call_graph() without a future gives null in a callback, and throws RuntimeError outside of every loop", async () => {
  assertThrows(() => asyncio.capture_call_graph(), asyncio.RuntimeError, "no *future* to introspect");
  await asyncio.run(async () => {
    const graphs: unknown[] = [];
    asyncio.get_running_loop().call_soon(() => graphs.push(asyncio.capture_call_graph(), asyncio.format_call_graph()));
    await settle();
    assertEquals(graphs, [null, ""]);
  });
});

Deno.test("the call graph refuses what is no future, and options that do not exist", () => {
  const future = new asyncio.Future();
  assertThrows(() => asyncio.capture_call_graph(1 as never), TypeError, '"future" must be a Future');
  assertThrows(() => asyncio.capture_call_graph(future, { limit: "1" as never }), TypeError, '"limit"');
  assertThrows(() => asyncio.print_call_graph(future, { files: null } as never), TypeError, '"files"');
  assertThrows(() => asyncio.print_call_graph(future, { file: {} as never }), TypeError, '"file" must have write()');
  assertThrows(() => asyncio.future_add_to_awaited_by(future, null as never), TypeError, '"waiter" must be a Future');
  assertThrows(() => asyncio.future_discard_from_awaited_by(1 as never, future), TypeError, '"future" must be');
});

Deno.test("print_call_graph() prints the graph as CPython 3.14 does, and what each task waits for", async () => {
  await asyncio.run(async () => {
    const queue = new asyncio.Queue();
    const inner = asyncio.create_task(async () => void await queue.get(), { name: "inner" });
    const outer = asyncio.create_task(async () => void await inner, { name: "outer" });
    await settle();
    assertEquals(
      printed((file) => asyncio.print_call_graph(inner, { file })),
      `* Task(name="inner", id=n)
  + Waits for:
  |   get() of #n <Queue maxsize=0 size=0 getters=1>
  + Awaited by:
     * Task(name="outer", id=n)
       + Waits for:
       |   Task "inner"
`,
    );
    assertMatch(
      printed((file) => asyncio.print_call_graph(null, { file, limit: -1 })),
      /^\* Task\(name="Task-\d+", id=n\)\n {2}\+ Call stack:\n {2}\| {3}File ".*graph_test\.ts", line \d+, in .*\n$/,
    );
    queue.put_nowait(null);
    await outer;
  });
});

Deno.test("future_add_to_awaited_by() adds an edge to the graph and the tree, future_discard_from_awaited_by() takes it back", async () => {
  await asyncio.run(async () => {
    const source = new asyncio.Future<void>();
    const target = new asyncio.Future<void>();
    const waiter = asyncio.create_task(async () => await target, { name: "waiter" });
    const worker = asyncio.create_task(async () => await source, { name: "worker" });
    await settle();
    asyncio.future_add_to_awaited_by(worker, target);
    assertEquals(asyncio.capture_call_graph(worker)!.awaited_by.some(({ future }) => future === target), true);
    assertEquals(record_of("waiter").waits[0].tasks.map((task) => task.get_name()), ["worker"]);
    asyncio.future_discard_from_awaited_by(worker, target);
    asyncio.future_discard_from_awaited_by(worker, target);
    assertEquals(asyncio.capture_call_graph(worker)!.awaited_by, []);
    assertEquals(record_of("waiter").waits[0].tasks, []);
    source.set_result(undefined);
    target.set_result(undefined);
    await asyncio.gather(waiter, worker);
  });
});

Deno.test("a future that awaits itself by way of others ends the graph, and does not overflow it", async () => {
  await asyncio.run(async () => {
    const [one, other] = [new asyncio.Future(), new asyncio.Future()];
    asyncio.future_add_to_awaited_by(one, other);
    asyncio.future_add_to_awaited_by(other, one);
    const task = asyncio.create_task(async () => void await one, { name: "waiter" });
    await settle();
    const graph = asyncio.capture_call_graph(one)!.awaited_by.find(({ future }) => future === other)!;
    const again = graph.awaited_by.find(({ future }) => future === one)!;
    assertEquals(again.awaited_by, []);
    assertEquals(record_of("waiter").waits[0].tasks, []);
    one.set_result(undefined);
    await task;
  });
});

// What tasks wait for

Deno.test("capture_tasks() tells what each task waits for: the call, the primitive, the time that is left", async () => {
  await run_virtual(async () => {
    const queue = new asyncio.Queue<number>(1);
    const full = new asyncio.Queue<number>(1);
    full.put_nowait(1);
    const lock = new asyncio.Lock();
    const condition = new asyncio.Condition();
    await lock.acquire();
    const semaphore = new asyncio.Semaphore(0);
    const event = new asyncio.Event();
    const limiter = new asyncio.CapacityLimiter(0);
    const expected: Record<string, [() => PromiseLike<unknown>, string | null, unknown]> = {
      getter: [() => queue.get(), "get", queue],
      iterator: [() => queue[Symbol.asyncIterator]().next(), "get", queue],
      putter: [() => full.put(1), "put", full],
      joiner: [() => full.join(), "join", full],
      locker: [() => lock.acquire(), "acquire", lock],
      holder: [() => lock.hold(), "acquire", lock],
      signalled: [() => event.wait(), "wait", event],
      limited: [() => semaphore.acquire(), "acquire", semaphore],
      borrower: [() => limiter.acquire(), "acquire", limiter],
      notified: [() => asyncio.async_with(condition, () => condition.wait()), "wait", condition],
      sleeper: [() => asyncio.sleep(10), "sleep", null],
      own: [() => new asyncio.Future(), null, null],
      receiver: [() => asyncio.create_memory_object_stream(1)[1].receive(), "receive", null],
      gatherer: [() => asyncio.gather(() => asyncio.sleep(20)), "gather", null],
    };
    const tasks = Object.entries(expected).map(([name, [call]]) =>
      asyncio.create_task(async () => void await call(), { name })
    );
    await asyncio.sleep(3);
    for (const [name, [, call, resource]] of Object.entries(expected)) {
      const record = record_of(name);
      assertEquals([record.state, record.waits.length], ["waiting", 1], name);
      assertEquals(record.waits[0].call, call, name);
      assert(record.waits[0].resource === resource, name);
    }
    assertEquals(record_of("sleeper").waits[0].remaining, 7);
    assertEquals(record_of("getter").waited, null, "known in debug mode only");
    for (const task of tasks) task.cancel();
    await asyncio.gather(...tasks, { return_exceptions: true });
  });
});

Deno.test("capture_tasks() tells created, running, waiting and foreign tasks apart", async () => {
  await asyncio.run(async () => {
    const promise = Promise.withResolvers<void>();
    const foreign = asyncio.create_task(() => promise.promise, { name: "foreign" });
    await settle();
    const created = asyncio.create_task(async () => {}, { name: "created" });
    assertEquals([record_of("foreign").state, record_of("created").state], ["foreign", "created"]);
    assertEquals(record_of(asyncio.current_task()!.get_name()).state, "running");
    promise.resolve();
    await asyncio.gather(foreign, created);
  });
});

Deno.test("capture_tasks() tells all things that branches of a task wait for", async () => {
  await asyncio.run(async () => {
    const event = new asyncio.Event();
    const task = asyncio.create_task(async () => void await Promise.all([event.wait(), asyncio.sleep(60)]), {
      name: "both",
    });
    await settle();
    assertEquals(record_of("both").waits.map(({ call }) => call).toSorted(), ["sleep", "wait"]);
    task.cancel();
    await error_of(task);
  });
});

Deno.test("capture_tasks() tells the peer's address of a read, a drain and a connection", async () => {
  await asyncio.run(async () => {
    await using server = await asyncio.start_server(() => {}, "127.0.0.1", 0);
    const address = server.sockets[0].getsockname() as [string, number];
    const [reader, writer] = await asyncio.open_connection(...address);
    const read = asyncio.create_task(async () => void await reader.readline(), { name: "read" });
    const end = asyncio.create_task(async () => void await writer.wait_closed(), { name: "end" });
    const closed = asyncio.create_task(async () => void await server.wait_closed(), { name: "closed" });
    await settle();
    for (const [name, call] of [["read", "readline"], ["end", "wait_closed"]]) {
      const [wait] = record_of(name).waits;
      assertEquals([wait.call, wait.peername, wait.resource === writer.transport], [call, address, true]);
    }
    assertEquals(record_of("closed").waits[0].resource === server, true);
    // The peer does not read, and this side may not buffer a byte.
    writer.transport.set_write_buffer_limits({ high: 0 });
    writer.write(new Uint8Array(32 * 1024 * 1024));
    const drain = asyncio.create_task(async () => void await writer.drain(), { name: "drain" });
    await settle();
    assertEquals([record_of("drain").waits[0].call, record_of("drain").waits[0].peername], ["drain", address]);
    assertMatch(
      printed((file) => asyncio.pstree({ file })),
      new RegExp(`Task "read" waits for readline\\(\\) of #n <Transport open to ${address} buffered=\\d+>`),
    );
    for (const task of [read, drain]) task.cancel();
    await asyncio.gather(read, drain, { return_exceptions: true });
    writer.abort();
    server.close();
    server.abort_clients();
    await asyncio.gather(end, closed, { return_exceptions: true });
  });
});

Deno.test("capture_tasks() tells the address that a task connects to, and the process that it waits for", async () => {
  await asyncio.run(async () => {
    const connect = asyncio.create_task(async () => void await asyncio.open_connection("127.0.0.1", 9), {
      name: "connect",
    });
    await asyncio.sleep(0);
    assertEquals(record_of("connect").waits[0].call, "connect to 127.0.0.1:9");
    await error_of(connect);
    const process = await asyncio.create_subprocess_exec("sleep", "60");
    const wait = asyncio.create_task(async () => void await process.wait(), { name: "wait" });
    await settle();
    assertEquals([record_of("wait").waits[0].call, record_of("wait").waits[0].resource === process], ["wait", true]);
    process.kill();
    await wait;
  });
});

Deno.test("pstree() explains a deadlock of two tasks over two locks: their names, the locks, who holds each, the cycle", async () => {
  await run_virtual(async () => {
    const tasks = await deadlock();
    const tree = printed((file) => asyncio.pstree({ file })).split("\n").slice(1).join("\n");
    assertEquals(
      tree,
      `Task "alice" waits 4.000 s for acquire() of #n <Lock locked waiters=1>, held by Task "bob"
└── Task "bob" waits 4.000 s for acquire() of #n <Lock locked waiters=1>, held by Task "alice"
    └── Task "alice": a cycle
Cycle: "alice" → "bob" → "alice"
`,
    );
    assertEquals(record_of("bob").cycle!.map((task) => task.get_name()), ["bob", "alice"]);
    assertEquals(record_of("alice").waits[0].holder === tasks[1], true);
    assertMatch(record_of("alice").source_traceback!, /at deadlock \(.*graph_test\.ts/);
    assertMatch(printed((file) => asyncio.ps({ file })), /\nalice +waiting, in a cycle +4\.000 s +acquire\(\) of/);
    for (const task of tasks) task.cancel();
    await asyncio.gather(...tasks, { return_exceptions: true });
  }, { debug: true });
});

Deno.test("the holder of a lock is the task that took it last, whichever tasks waited or gave up before", async () => {
  await run_virtual(async () => {
    const lock = new asyncio.Lock();
    const holder = () => record_of("last").waits[0].holder?.get_name();
    const take = (name: string, seconds: number) =>
      asyncio.create_task(async () => {
        using _hold = await lock.hold();
        await asyncio.sleep(seconds);
      }, { name });
    const tasks = [take("first", 1), take("second", 1), take("cancelled", 1), take("third", 1), take("last", 0)];
    await asyncio.sleep(0.5);
    tasks[2].cancel();
    const holders: unknown[] = [];
    for (let i = 0; i < 3; i++) {
      holders.push(holder());
      await asyncio.sleep(1);
    }
    assertEquals(holders, ["first", "second", "third"]);
    await asyncio.gather(...tasks, { return_exceptions: true });
    assertEquals(lock.locked(), false);
  }, { debug: true });
});

Deno.test("pstree() draws each task once, below the first that waits for it", async () => {
  await asyncio.run(async () => {
    const event = new asyncio.Event();
    const work = asyncio.create_task(async () => void await event.wait(), { name: "work" });
    const waiters = ["one", "two"].map((name) => asyncio.create_task(async () => await work, { name }));
    await settle();
    assertEquals(
      printed((file) => asyncio.pstree({ file })).split("\n").slice(1).join("\n"),
      `Task "one" waits for Task "work"
└── Task "work" waits for wait() of #n <Event unset waiters=1>
Task "two" waits for Task "work"
└── Task "work", see above
`,
    );
    assertEquals(record_of("work").awaited_by.map((each) => each === waiters[0] || each === waiters[1]), [true, true]);
    event.set();
    await asyncio.gather(...waiters);
  });
});

Deno.test("ps() and pstree() print the tasks of the loop they are given, and refuse what is none", async () => {
  await asyncio.run(async () => {
    const loop = asyncio.get_running_loop();
    const event = new asyncio.Event();
    const task = asyncio.create_task(async () => void await event.wait(), { name: "seen" });
    await settle();
    assert(printed((file) => asyncio.ps({ file, loop })).match(/\nseen +waiting/) !== null);
    assertThrows(() => asyncio.ps({ loop: {} as never }), TypeError);
    assertThrows(() => asyncio.pstree({ deep: true } as never), TypeError, '"deep"');
    event.set();
    await task;
  });
});

Deno.test("ps() prints one row for each task, whatever its name", async () => {
  await asyncio.run(async () => {
    const task = asyncio.create_task(() => new asyncio.Event().wait(), { name: "two\nlines\x1b[2J" });
    await settle();
    const rows = printed((file) => asyncio.ps({ file })).trimEnd().split("\n");
    assertEquals(rows.length, 3);
    assertMatch(rows[2], /^two\\nlines\\u001b\[2J +waiting/);
    task.cancel();
  });
});

Deno.test("capture_tasks() of many tasks costs in proportion to their number", async () => {
  await assert_linear((size) =>
    asyncio.run(async () => {
      const event = new asyncio.Event();
      const tasks = Array.from({ length: size }, () => asyncio.create_task(async () => void await event.wait()));
      const all = asyncio.create_task(async () => void await asyncio.gather(...tasks));
      await settle();
      assertEquals(asyncio.capture_tasks().length, size + 2);
      event.set();
      await all;
    }), 2000);
});

// Unasked

const TWO_LOCKS = `
  const [left, right] = [new asyncio.Lock(), new asyncio.Lock()];
  const take_both = (first, second) => async () => {
    await first.acquire();
    await asyncio.sleep(0.001);
    await second.acquire();
  };
  const main = () => asyncio.async_with(new asyncio.TaskGroup(), (group) => {
    group.create_task(take_both(left, right), { name: "alice" });
    group.create_task(take_both(right, left), { name: "bob" });
  });`;

Deno.test("a run that Deno ends for want of work prints what its tasks wait for, and ends with Deno's own code", async () => {
  const { code, stdout, stderr } = await run_program(`${TWO_LOCKS}\nasyncio.run(main);`);
  assertEquals([code, stdout], [0, ""]);
  assertEquals(
    stderr.replace(/#\d+/g, "#n"),
    `Nothing is left to run, so these tasks wait for ever:
Task "Task-1" waits for TaskGroup() of 2 tasks
├── Task "alice" waits for acquire() of #n <Lock locked waiters=1>
└── Task "bob" waits for acquire() of #n <Lock locked waiters=1>
`,
  );
});

Deno.test("a program that ends otherwise prints nothing: by its end, by Deno.exit(), by an error", async () => {
  const wait = "new asyncio.Queue().get()";
  const quiet = await run_program(`await asyncio.run(() => asyncio.sleep(0.001));`);
  assertEquals([quiet.code, quiet.stderr], [0, ""]);
  const exits = await run_program(`setTimeout(() => Deno.exit(3), 10); await asyncio.run(() => ${wait});`);
  assertEquals([exits.code, exits.stderr], [3, ""]);
  const fails = await run_program(
    `setTimeout(() => { throw new Error("boom"); }, 10); await asyncio.run(() => ${wait});`,
  );
  assertEquals([fails.code, fails.stderr.includes("wait for ever")], [1, false]);
});

Deno.test("a run of debug mode that comes to rest with a deadlock prints it once, with who holds what; Ctrl-C ends it", async () => {
  const program = spawn_program(`${TWO_LOCKS}\nawait asyncio.run(main, { debug: true });`);
  const stderr = asyncio.StreamReader.from(program.stderr);
  const lines: string[] = [];
  while (!lines.at(-1)?.startsWith("Cycle")) {
    const line = text_of(await asyncio.wait_for(stderr.readline(), 20));
    // On a busy machine any step may be slow.
    if (!line.startsWith("Executing")) lines.push(line);
  }
  assertEquals(
    lines.join("\n").replace(/#\d+/g, "#n").replace(/\d\.\d+ s/g, "t"),
    `Nothing that the loop knows of will wake these tasks:
Task "Task-1" waits t for TaskGroup() of 2 tasks
├── Task "alice" waits t for acquire() of #n <Lock locked waiters=1>, held by Task "bob"
│   └── Task "bob" waits t for acquire() of #n <Lock locked waiters=1>, held by Task "alice"
│       └── Task "alice": a cycle
└── Task "bob", see above
Cycle: "alice" → "bob" → "alice"`,
  );
  program.kill("SIGINT");
  const rest = new TextDecoder().decode(await stderr.read());
  assertEquals([(await program.status).code, rest.includes("Nothing"), rest.includes("KeyboardInterrupt")], [
    1,
    false,
    true,
  ]);
  await program.stdout.cancel();
});

Deno.test("a run of debug mode prints nothing while a timer, a connection, a process, a promise or a thread may wake a task", async () => {
  const waits = [
    "asyncio.sleep(0.02)",
    "asyncio.gather(Promise.withResolvers().promise, new Promise((resolve) => setTimeout(resolve, 20)).then(() => Deno.exit()))",
    "new Promise((resolve) => setTimeout(resolve, 20))",
    `asyncio.create_subprocess_exec("sleep", "0.02").then((process) => process.wait())`,
    "asyncio.to_thread(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20))",
  ];
  for (const wait of waits) {
    const { code, stderr } = await run_program(
      `await asyncio.run(async () => { const done = asyncio.create_task(async () => void await ${wait}); await done; }, { debug: true });`,
    );
    assertEquals([code, stderr.includes("Nothing")], [0, false], wait);
  }
});

Deno.test("run() with dump_on prints the tree on that signal, goes on, and gives the signal back at its end", async () => {
  if (Deno.build.os === "windows") return;
  const program = spawn_program(`
    const queue = new asyncio.Queue();
    await asyncio.run(async () => {
      asyncio.create_task(() => queue.get(), { name: "consumer" });
      asyncio.get_running_loop().add_signal_handler("SIGUSR2", () => queue.put_nowait(null));
      await asyncio.sleep(0);
      console.log("ready");
      await queue.join();
      await asyncio.gather(...[...asyncio.all_tasks()].filter((task) => task.get_name() === "consumer"));
    }, { dump_on: "SIGQUIT" });
    console.log("ended");
    setInterval(() => {}, 1000);
  `);
  const stdout = asyncio.StreamReader.from(program.stdout);
  const stderr = asyncio.StreamReader.from(program.stderr);
  const line = async (reader: asyncio.StreamReader) => text_of(await asyncio.wait_for(reader.readline(), 20));
  assertEquals(await line(stdout), "ready");
  for (let i = 0; i < 2; i++) {
    program.kill("SIGQUIT");
    assertEquals(await line(stderr), "Tasks, because of SIGQUIT:");
    assertMatch(await line(stderr), /^Task "Task-1" waits for gather\(\) of 1 task$/);
    assertMatch(
      await line(stderr),
      /^└── Task "consumer" waits for get\(\) of #\d+ <Queue maxsize=0 size=0 getters=1>$/,
    );
  }
  program.kill("SIGUSR2");
  assertEquals(await line(stdout), "ended");
  program.kill("SIGQUIT");
  assertEquals((await program.status).signal, "SIGQUIT");
  assertEquals([await stdout.read(), await stderr.read()], [new Uint8Array(), new Uint8Array()]);
});

Deno.test("run() refuses a dump_on that is no signal before anything runs", async () => {
  const ran: string[] = [];
  const main = () => void ran.push("main");
  assertMatch(
    String(await error_of(asyncio.run(main, { dump_on: 3 as never }))),
    /^TypeError: "signal" must be the name/,
  );
  assertMatch(String(await error_of(asyncio.run(main, { dump_on: "SIGNONE" as never }))), /^RangeError: "signal"/);
  assertEquals(ran, []);
});
