import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";
import { collect_reports, error_of, run_program, run_virtual, spawn_program, Transcript } from "./_helpers.ts";

Deno.test("run() gives the result of its coroutine, or throws its error, and closes its loop", async () => {
  let loop: asyncio.EventLoop | undefined;
  assertEquals(
    await asyncio.run(async () => {
      loop = asyncio.get_running_loop();
      return await asyncio.sleep(0, "result");
    }),
    "result",
  );
  assertEquals(loop!.is_closed(), true);
  const coroutine = asyncio.coroutine((n: number) => asyncio.sleep(0, n));
  assertEquals(await asyncio.run(coroutine(5)), 5);
  assertEquals((await error_of(asyncio.run(() => Promise.reject(new RangeError("no"))))).message, "no");
});

Deno.test("run() refuses a promise, and a call from code that a loop runs", async () => {
  // deno-lint-ignore no-explicit-any
  const promise = await error_of(asyncio.run(Promise.resolve(1) as any));
  assertInstanceOf(promise, TypeError);
  assertEquals(
    promise.message,
    "a coroutine was expected, got [object Promise]: pass a function, as in run(() => main()) or run(main)",
  );
  const nested = await run_virtual(() => error_of(asyncio.run(() => {})));
  assertInstanceOf(nested, asyncio.RuntimeError);
  assertEquals(nested.message, "asyncio.run() cannot be called from a running event loop");
  const runner = new asyncio.Runner();
  const nested_runner = await run_virtual(() => error_of(runner.run(() => {})));
  assertEquals(nested_runner.message, "Runner.run() cannot be called from a running event loop");
  await runner.close();
});

Deno.test("two run() side by side find their own loop, in tasks, callbacks and after waits", async () => {
  const loops = await Promise.all([1, 2].map((n) =>
    asyncio.run(async () => {
      const seen = new Set([asyncio.get_running_loop()]);
      await asyncio.sleep(0.002 * n);
      seen.add(asyncio.get_running_loop());
      await asyncio.create_task(() => void seen.add(asyncio.get_running_loop()));
      const called = new asyncio.Future<void>();
      asyncio.get_running_loop().call_soon(() => {
        seen.add(asyncio.get_running_loop());
        called.set_result();
      });
      await called;
      await Promise.resolve();
      seen.add(asyncio.get_event_loop());
      assertEquals(asyncio.all_tasks().size, 1);
      return [...seen];
    })
  ));
  assertEquals(loops.map((seen) => seen.length), [1, 1]);
  assert(loops[0][0] !== loops[1][0]);
});

Deno.test("run() cancels the tasks that are left, and waits until they have cleaned up", async () => {
  const { log, text } = new Transcript();
  await run_virtual(async () => {
    for (const name of ["a", "b"]) {
      asyncio.create_task(async () => {
        try {
          await asyncio.sleep(3600);
        } finally {
          log(`${name} cancelled`);
          await asyncio.sleep(5);
          log(`${name} clean`);
        }
      });
    }
    await asyncio.sleep(1);
    log("main done");
  });
  assertEquals(text(), "main done a cancelled b cancelled a clean b clean");
});

Deno.test("an error of a task that run() cancels at its end goes to the exception handler", async () => {
  let reports: ReturnType<typeof collect_reports> = [];
  let left: unknown;
  await run_virtual(async () => {
    reports = collect_reports();
    left = asyncio.create_task(() =>
      asyncio.sleep(3600).catch(() => {
        throw new RangeError("cleaning up");
      })
    );
    await asyncio.sleep(0);
  });
  assertEquals(reports.map(({ message }) => message), ["unhandled exception during asyncio.run() shutdown"]);
  assertEquals((reports[0].exception as Error).message, "cleaning up");
  assertStrictEquals(reports[0].task, left);
});

Deno.test("several run() of a Runner share one loop, and close() is idempotent", async () => {
  const runner = new asyncio.Runner({ debug: true });
  const loop = runner.get_loop();
  const { log, text } = new Transcript();
  await runner.run(() => {
    assertStrictEquals(asyncio.get_running_loop(), loop);
    asyncio.create_task(async () => {
      log("left");
      await asyncio.sleep(3600);
    });
  });
  await runner.run(async () => {
    assertEquals([asyncio.all_tasks().size, loop.get_debug()], [2, true]);
    await asyncio.sleep(0);
  });
  await runner.close();
  await runner.close();
  assertEquals([text(), loop.is_closed()], ["left", true]);
  assertThrows(() => runner.get_loop(), asyncio.RuntimeError, "Runner is closed");
  assertEquals((await error_of(runner.run(() => {}))).message, "Runner is closed");
});

Deno.test("a Runner that is asked for a second run() at once refuses it and starts nothing", async () => {
  await using runner = new asyncio.Runner();
  const { log, text } = new Transcript();
  const first = runner.run(() => asyncio.sleep(0.002, "first"));
  const error = await error_of(runner.run(() => log("never")));
  assertInstanceOf(error, asyncio.RuntimeError);
  assertEquals([error.message, await first, text()], ["This event loop is already running", "first", ""]);
});

Deno.test("a Runner is closed by `await using` and by async_with()", async () => {
  let loop: asyncio.EventLoop;
  {
    await using runner = new asyncio.Runner();
    loop = runner.get_loop();
    await runner.run(() => {});
  }
  assertEquals(loop.is_closed(), true);
  const runner = new asyncio.Runner();
  await asyncio.async_with(runner, async (same) => {
    assertStrictEquals(same, runner);
    loop = same.get_loop();
    assertEquals(await same.run(() => asyncio.sleep(0, 1)), 1);
  });
  assertEquals(loop.is_closed(), true);
  await new asyncio.Runner().close();
  // deno-lint-ignore no-explicit-any
  assertThrows(() => new asyncio.Runner({ loop_factory: 1 as any }), TypeError, '"loop_factory" must be a function');
});

Deno.test("a main coroutine that is cancelled ends run() with CancelledError", async () => {
  const error = await error_of(run_virtual(async () => {
    asyncio.current_task()!.cancel("enough");
    await asyncio.sleep(1);
  }));
  assertInstanceOf(error, asyncio.CancelledError);
  assertEquals(error.message, "enough");
});

/** Reads the program's output up to a line, so that it is known to have come that far. */
async function wait_for_line(reader: ReadableStreamDefaultReader<Uint8Array>, line: string): Promise<string> {
  let text = "";
  while (!text.includes(line)) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`The program ended without ${JSON.stringify(line)}: ${text}`);
    text += new TextDecoder().decode(value);
  }
  return text;
}

async function rest_of(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return text;
    text += new TextDecoder().decode(value);
  }
}

Deno.test("Ctrl-C cancels the main task, runs the finally blocks, and ends run() with KeyboardInterrupt", async () => {
  const program = spawn_program(`
    try {
      await asyncio.run(async () => {
        asyncio.create_task(async () => {
          try { await asyncio.sleep(3600); } finally { console.log("background finally"); }
        });
        try {
          console.log("ready");
          await asyncio.sleep(3600);
        } finally {
          await asyncio.sleep(0.01);
          console.log("main finally");
        }
      });
    } catch (error) {
      console.log((error as Error).name, (error as Error).cause instanceof asyncio.CancelledError);
      Deno.exit(7);
    }`);
  const reader = program.stdout.getReader();
  await wait_for_line(reader, "ready\n");
  program.kill("SIGINT");
  assertEquals(await rest_of(reader), "main finally\nbackground finally\nKeyboardInterrupt true\n");
  await program.stderr.cancel();
  assertEquals((await program.status).code, 7);
});

Deno.test("a KeyboardInterrupt that nobody catches ends the process with an error", async () => {
  const program = spawn_program(`await asyncio.run(() => { console.log("ready"); return asyncio.sleep(3600); });`);
  const reader = program.stdout.getReader();
  await wait_for_line(reader, "ready\n");
  program.kill("SIGINT");
  assertEquals(await rest_of(reader), "");
  const stderr = await new Response(program.stderr).text();
  assert(stderr.includes("KeyboardInterrupt"), stderr);
  assertEquals((await program.status).success, false);
});

Deno.test("a second Ctrl-C ends a program that ignores the first", async () => {
  const program = spawn_program(`
    await asyncio.run(async () => {
      console.log("ready");
      for (;;) {
        try { await asyncio.sleep(3600); } catch { console.log("ignored"); }
      }
    });`);
  const reader = program.stdout.getReader();
  await wait_for_line(reader, "ready\n");
  program.kill("SIGINT");
  await wait_for_line(reader, "ignored\n");
  program.kill("SIGINT");
  assertEquals(await rest_of(reader), "");
  await program.stderr.cancel();
  assertEquals((await program.status).code, 130);
});

Deno.test("after run() Ctrl-C is Deno's own again", async () => {
  const program = spawn_program(`
    await asyncio.run(() => asyncio.sleep(0));
    console.log("ready");
    await new Promise((resolve) => setTimeout(resolve, 60_000));`);
  const reader = program.stdout.getReader();
  await wait_for_line(reader, "ready\n");
  program.kill("SIGINT");
  await reader.cancel();
  await program.stderr.cancel();
  assertEquals((await program.status).signal, "SIGINT");
});

Deno.test("a program that is done leaves no timer: the process ends at once", async () => {
  const started = performance.now();
  const { code, stdout, stderr } = await run_program(`
    const work = asyncio.sleep(3600);
    await asyncio.run(async () => {
      const task = asyncio.create_task(() => asyncio.wait_for(asyncio.sleep(3600), 1800));
      await asyncio.sleep(0);
      task.cancel();
      await asyncio.wait([task]);
      asyncio.get_running_loop().call_later(3600, () => {});
      asyncio.create_task(() => asyncio.sleep(3600));
    });
    work.cancel();
    const late = asyncio.create_task(asyncio.sleep(3600));
    late.cancel();
    console.log("done");`);
  assertEquals([code, stdout, stderr], [0, "done\n", ""]);
  // Far above what a start of Deno takes, far below the shortest of the timers.
  assert(performance.now() - started < 60_000);
});
