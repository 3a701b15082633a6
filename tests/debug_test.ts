import { assert, assertEquals, assertMatch } from "@std/assert";
import * as asyncio from "../mod.ts";
import type { ExceptionContext } from "../lib/events.ts";
import { collect_reports, error_of, run_program } from "./_helpers.ts";

const DEBUG = { debug: true } as const;

/** Runs `main` in debug mode, and gives what the exception handler was told, the end of the loop included. */
async function reports_of(
  main: () => Promise<unknown>,
  options: asyncio.RunOptions = DEBUG,
): Promise<ExceptionContext[]> {
  let reports: ExceptionContext[] = [];
  await asyncio.run(async () => {
    reports = collect_reports();
    await main();
  }, options);
  return reports;
}

/** What is written to the console's warnings about one thing meanwhile; on a busy machine any step may take long. */
async function warnings_of(name: string, run: () => Promise<unknown>): Promise<string[]> {
  const { warn } = console;
  const warnings: string[] = [];
  console.warn = (text: string) => warnings.push(text);
  try {
    await run();
  } finally {
    console.warn = warn;
  }
  return warnings.filter((text) => text.includes(name));
}

function block(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

// Slow steps

Deno.test("debug mode warns of a task that ran for long between two waits, by its name and with the time", async () => {
  const warnings = await warnings_of("slow", () =>
    asyncio.run(async () => {
      asyncio.get_running_loop().slow_callback_duration = 0.05;
      await asyncio.create_task(async () => {
        await asyncio.sleep(0);
        block(60);
        await asyncio.sleep(0);
      }, { name: "slow" });
    }, DEBUG));
  const durations = warnings.map((text) =>
    Number(text.match(/^Executing <Task "slow" pending, waits for .*> took (.*) seconds$/)?.[1])
  );
  assert(durations.some((seconds) => seconds >= 0.06), warnings.join("\n"));
});

Deno.test("debug mode warns of a slow first and last step of a task, and of one that ends with a foreign promise", async () => {
  const bodies: Record<string, () => Promise<void>> = {
    first: async () => {
      block(60);
      await asyncio.sleep(0);
    },
    last: async () => {
      await asyncio.sleep(0);
      block(60);
    },
    foreign: async () => {
      block(60);
      await new Promise((resolve) => setTimeout(resolve, 1));
    },
  };
  for (const [name, body] of Object.entries(bodies)) {
    const warnings = await warnings_of(`"${name}"`, () =>
      asyncio.run(async () => {
        asyncio.get_running_loop().slow_callback_duration = 0.05;
        await asyncio.create_task(body, { name });
      }, DEBUG));
    assert(warnings.length >= 1, name);
  }
});

Deno.test("debug mode warns of a slow callback once, and of nothing that is fast, or that waits for long", async () => {
  const warnings = await warnings_of("slow_callback", () =>
    asyncio.run(async () => {
      const loop = asyncio.get_running_loop();
      loop.slow_callback_duration = 0.05;
      loop.call_soon(function slow_callback() {
        block(60);
      });
      await asyncio.sleep(0.08);
    }, DEBUG));
  assertEquals(warnings.length, 1, warnings.join("\n"));
  assertMatch(warnings[0], /^Executing <Handle slow_callback> took \d+\.\d{3} seconds$/);
});

Deno.test("without debug mode, and after it was switched off, nothing slow is warned of", async () => {
  for (const debug of [false, true]) {
    const warnings = await warnings_of("", () =>
      asyncio.run(async () => {
        const loop = asyncio.get_running_loop();
        loop.slow_callback_duration = 0.005;
        loop.set_debug(false);
        await asyncio.sleep(0);
        block(10);
        await asyncio.sleep(0);
      }, { debug }));
    assertEquals(warnings, []);
  }
});

Deno.test("debug mode leaves the loop as it was when it is switched off", async () => {
  await asyncio.run(() => {
    const loop = asyncio.get_running_loop();
    const names = Object.keys(loop).toSorted();
    for (const enabled of [true, true, false, false, true, false]) {
      loop.set_debug(enabled);
      assertEquals(loop.get_debug(), enabled);
    }
    assertEquals(Object.keys(loop).toSorted(), names);
    assertEquals(Object.keys(loop._resources), []);
  }, { debug: false });
});

Deno.test("tasks, queues and timers run in the same order with debug mode as without", async () => {
  const order = async (debug: boolean) => {
    const words: string[] = [];
    await asyncio.run(async () => {
      const queue = new asyncio.Queue<number>(1);
      const lock = new asyncio.Lock();
      const worker = (name: string) => async () => {
        for (let i = 0; i < 4; i++) {
          await asyncio.async_with(lock, async () => {
            words.push(`${name}${i}`);
            await asyncio.sleep(0);
          });
          await queue.put(i);
        }
      };
      const reader = async () => {
        for (let i = 0; i < 8; i++) words.push(`got ${await queue.get()}`);
      };
      asyncio.get_running_loop().call_soon(() => words.push("soon"));
      await asyncio.gather(worker("a"), worker("b"), reader);
    }, { debug });
    return words;
  };
  assertEquals(await order(true), await order(false));
});

// What was forgotten

Deno.test("debug mode reports a coroutine that was never awaited, by its name, with the calls that made it", async () => {
  const forgotten = asyncio.coroutine(async function forgotten() {});
  const kept: unknown[] = [];
  const reports = await reports_of(async () => {
    kept.push(forgotten());
    await forgotten();
    await asyncio.create_task(forgotten());
    forgotten().close();
  });
  assertEquals(reports.map(({ message }) => message), ["coroutine 'forgotten' was never awaited"]);
  assertMatch(reports[0].source_traceback!, /debug_test\.ts:\d+:\d+/);
  assert(!reports[0].source_traceback!.includes("/lib/"), reports[0].source_traceback);
});

Deno.test("without debug mode no coroutine is reported, and nothing that was left open", async () => {
  const forgotten = asyncio.coroutine(async () => {});
  const reports = await reports_of(async () => {
    forgotten();
    await asyncio.start_server(() => {}, "127.0.0.1", 0);
  }, { debug: false });
  assertEquals(reports, []);
});

Deno.test("debug mode reports a task that swallowed its cancellation, and none that threw it on or took it back", async () => {
  const bodies: Record<string, (task: () => asyncio.Task<unknown>) => Promise<unknown>> = {
    swallows: () => asyncio.sleep(60).catch(() => {}),
    throws_on: async () => await asyncio.sleep(60),
    takes_back: (task) => asyncio.sleep(60).catch(() => void task().uncancel()),
    fails: () => asyncio.sleep(60).catch(() => Promise.reject(new Error("cleanup"))),
  };
  for (const [name, body] of Object.entries(bodies)) {
    const reports = await reports_of(async () => {
      const task: asyncio.Task<unknown> = asyncio.create_task(() => body(() => task), { name });
      await asyncio.sleep(0);
      task.cancel();
      await asyncio.wait([task]);
      if (!task.cancelled()) task.exception();
    });
    assertEquals(
      reports.map(({ message }) => message.split(",")[0]),
      name === "swallows" ? ["Task was cancelled"] : [],
      name,
    );
    if (name === "swallows") assertMatch(reports[0].source_traceback!, /debug_test\.ts/);
  }
});

Deno.test("debug mode reports no swallowed cancellation of a timeout or a task group, which take it back themselves", async () => {
  const reports = await reports_of(async () => {
    await asyncio.create_task(() => error_of(asyncio.wait_for(() => asyncio.sleep(60), 0.001)));
    await asyncio.create_task(() =>
      error_of(asyncio.async_with(new asyncio.TaskGroup(), async (group) => {
        group.create_task(() => Promise.reject(new Error("child")));
        await asyncio.sleep(60);
      }))
    );
  });
  assertEquals(reports, []);
});

Deno.test("debug mode tells of a task that was destroyed while it was pending where it was made", async () => {
  const loop = asyncio.new_event_loop();
  loop.set_debug(true);
  const reports = collect_reports(loop);
  const task = loop.create_task(() => asyncio.sleep(60), { name: "lost" });
  await loop.run_until_complete(() => asyncio.sleep(0));
  loop.close();
  assertEquals(reports.map(({ message }) => message), ["Task was destroyed but it is pending!"]);
  assertEquals(reports[0].task === task, true);
  assertMatch(reports[0].source_traceback!, /debug_test\.ts/);
});

Deno.test("debug mode reports at the end of run() the connections, servers and processes that were left open", async () => {
  async function leaks() {
    const server = await asyncio.start_server(
      async (reader, writer) => {
        await reader.read();
        writer.close();
      },
      "127.0.0.1",
      0,
    );
    const [host, port] = server.sockets[0].getsockname() as [string, number];
    const [, writer] = await asyncio.open_connection(host, port);
    const process = await asyncio.create_subprocess_exec("sleep", "60");
    return { server, writer, process };
  }
  let left: Awaited<ReturnType<typeof leaks>>;
  const reports = await reports_of(async () => void (left = await leaks()));
  // The end of the loop has killed it, which takes a moment.
  while (left!.process.returncode === null) await new Promise((resolve) => setTimeout(resolve, 1));
  const messages = reports.map(({ message }) => message).toSorted();
  assert(messages.length >= 3);
  assertMatch(messages[0], /^unclosed <Process \d+ running>$/);
  assertMatch(messages[1], /^unclosed <Server serving sockets=/);
  // The server may have accepted its side of the connection already.
  for (const message of messages.slice(2)) {
    assertMatch(message, /^unclosed <Transport open to 127\.0\.0\.1,\d+ buffered=0>$/);
  }
  for (const { source_traceback } of reports) assertMatch(source_traceback!, /at (async )?leaks .*debug_test\.ts/);
});

Deno.test("debug mode reports nothing that was closed", async () => {
  const reports = await reports_of(async () => {
    await using server = await asyncio.start_server(async (reader) => void await reader.read(), "127.0.0.1", 0);
    const [host, port] = server.sockets[0].getsockname() as [string, number];
    const [, writer] = await asyncio.open_connection(host, port);
    writer.close();
    await writer.wait_closed();
    const process = await asyncio.create_subprocess_exec("true");
    await process.wait();
  });
  assertEquals(reports, []);
});

Deno.test("the default exception handler prints where a thing was made", async () => {
  const { code, stderr } = await run_program(`
    const forgotten = asyncio.coroutine(async function forgotten() {});
    async function forgetful() { forgotten(); }
    await asyncio.run(forgetful, { debug: true });
  `);
  assertEquals(code, 0);
  assertMatch(
    stderr,
    /^coroutine 'forgotten' was never awaited\nCreated at \(innermost call first\):\n +at forgetful \(/,
  );
});

// How it is switched on

const ASKS =
  `console.log(asyncio.new_event_loop().get_debug()); asyncio.run(() => console.log(asyncio.get_running_loop().get_debug()));`;

async function output_with(permissions: readonly string[], env: Record<string, string>): Promise<string> {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    const library = new URL("../mod.ts", import.meta.url).href;
    await Deno.writeTextFile(file, `import * as asyncio from ${JSON.stringify(library)};\n${ASKS}`);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-prompt", ...permissions, file],
      env: { NO_COLOR: "1", ...env },
    }).output();
    // On a busy machine any step may be slow.
    const complaints = new TextDecoder().decode(stderr).split("\n").filter((line) => !line.startsWith("Executing"));
    return new TextDecoder().decode(stdout) + complaints.join("\n");
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("ASYNCIO_DEBUG=1 switches debug mode on where it may be read, and is not asked for where it may not", async () => {
  assertEquals(await output_with(["--allow-env=ASYNCIO_DEBUG"], { ASYNCIO_DEBUG: "1" }), "true\ntrue\n");
  assertEquals(await output_with(["--allow-env"], { ASYNCIO_DEBUG: "" }), "false\nfalse\n");
  assertEquals(await output_with([], { ASYNCIO_DEBUG: "1" }), "false\nfalse\n");
});
