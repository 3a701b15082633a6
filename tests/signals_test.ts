import { AsyncLocalStorage } from "node:async_hooks";
import { assert, assertEquals, assertInstanceOf, assertMatch, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";
import { collect_reports, error_of, run_program } from "./_helpers.ts";

function send(signal: asyncio.Signal): void {
  Deno.kill(Deno.pid, signal);
}

/** Whether anybody in a loop listens to a signal. */
function listens(loop: asyncio.EventLoop, signal: asyncio.Signal): boolean {
  return loop._signals.handles(signal);
}

// Handlers

Deno.test("EventLoop.add_signal_handler() calls the handler on every signal until it is removed", async () => {
  await asyncio.run(async () => {
    const loop = asyncio.get_running_loop();
    const queue = new asyncio.Queue<number>();
    let count = 0;
    loop.add_signal_handler("SIGUSR2", () => queue.put_nowait(++count));
    for (let i = 1; i <= 3; i++) {
      send("SIGUSR2");
      assertEquals(await queue.get(), i);
    }
    assertEquals(loop.remove_signal_handler("SIGUSR2"), true);
    assertEquals(listens(loop, "SIGUSR2"), false);
  });
});

Deno.test("a signal handler runs outside of every task, in the context of the code that added it", async () => {
  await asyncio.run(async () => {
    const loop = asyncio.get_running_loop();
    const storage = new AsyncLocalStorage<string>();
    const seen = loop.create_future<unknown[]>();
    storage.run("adder", () =>
      loop.add_signal_handler("SIGUSR2", () => {
        seen.set_result([storage.getStore(), asyncio.current_task(), asyncio.get_running_loop() === loop]);
      }));
    send("SIGUSR2");
    assertEquals(await seen, ["adder", null, true]);
  });
});

Deno.test("a signal handler that is async and fails is reported", async () => {
  await asyncio.run(async () => {
    const loop = asyncio.get_running_loop();
    const reports = collect_reports();
    loop.add_signal_handler("SIGUSR2", async function on_usr2() {
      await asyncio.sleep(0);
      throw new Error("late");
    });
    send("SIGUSR2");
    while (reports.length === 0) await asyncio.sleep(0.001);
    assertEquals(reports[0].message, "Exception in callback on_usr2");
    assertEquals((reports[0].exception as Error).message, "late");
  });
});

Deno.test("the end of the loop removes its signal handlers", async () => {
  const inner = await asyncio.run(() => {
    const loop = asyncio.get_running_loop();
    loop.add_signal_handler("SIGUSR2", () => {});
    loop.add_signal_handler("SIGHUP", () => {});
    return [loop];
  });
  assertEquals([listens(inner[0], "SIGUSR2"), listens(inner[0], "SIGHUP")], [false, false]);
  assertThrows(() => inner[0].add_signal_handler("SIGUSR2", () => {}), asyncio.RuntimeError, "closed");
});

Deno.test("EventLoop.add_signal_handler() refuses what is no signal, or cannot be caught", () => {
  const loop = asyncio.new_event_loop();
  const add = (signal: unknown) => loop.add_signal_handler(signal as asyncio.Signal, () => {});
  assertThrows(() => add("SIGKILL"), asyncio.RuntimeError, "sig SIGKILL cannot be caught");
  assertThrows(() => add("SIGSTOP"), asyncio.RuntimeError, "sig SIGSTOP cannot be caught");
  assertThrows(() => add("SIGNONE"), RangeError, '"SIGNONE"');
  assertThrows(() => add(15), TypeError, 'such as "SIGTERM"');
  assertThrows(() => loop.add_signal_handler("SIGHUP", null as never), TypeError, '"callback"');
  assertThrows(() => loop.remove_signal_handler(15 as never), TypeError);
  assertEquals(loop.remove_signal_handler("SIGKILL"), false);
  loop.close();
});

Deno.test("a handler of SIGUSR1 warns that Deno starts its inspector", () => {
  const warnings: unknown[] = [];
  const { warn } = console;
  console.warn = (text: unknown) => void warnings.push(text);
  try {
    const loop = asyncio.new_event_loop();
    loop.add_signal_handler("SIGUSR1", () => {});
    loop.add_signal_handler("SIGUSR2", () => {});
    loop.close();
  } finally {
    console.warn = warn;
  }
  assertEquals(warnings.length, 1);
  assertMatch(String(warnings[0]), /^A handler of SIGUSR1 is not alone: it starts Deno's inspector/);
});

Deno.test("a signal handler keeps the process alive while run_forever() is at work, and may end it", async () => {
  const program = `
    const loop = asyncio.new_event_loop();
    loop.add_signal_handler("SIGTERM", () => loop.stop());
    new Deno.Command("sh", { args: ["-c", "sleep 0.2; kill -TERM " + Deno.pid] }).spawn().unref();
    await loop.run_forever();
    loop.close();
    console.log("stopped");`;
  assertEquals(await run_program(program), { code: 0, stdout: "stopped\n", stderr: "" });
});

Deno.test("a signal handler of the default loop does not keep the process alive", async () => {
  const program = `asyncio.get_event_loop().add_signal_handler("SIGTERM", () => {}); console.log("done");`;
  assertEquals(await run_program(program), { code: 0, stdout: "done\n", stderr: "" });
});

Deno.test("a handler of SIGINT takes the place of what run() does on Ctrl-C, until it is removed", async () => {
  const program = `
    try {
      await asyncio.run(async () => {
        const loop = asyncio.get_running_loop();
        const queue = new asyncio.Queue();
        loop.add_signal_handler("SIGINT", () => queue.put_nowait("handled"));
        for (let i = 0; i < 3; i++) {
          Deno.kill(Deno.pid, "SIGINT");
          console.log(await queue.get());
        }
        loop.remove_signal_handler("SIGINT");
        const signals = asyncio.signals("SIGINT");
        Deno.kill(Deno.pid, "SIGINT");
        console.log((await signals.next()).value);
        await signals.return();
        Deno.kill(Deno.pid, "SIGINT");
        await asyncio.sleep(60);
      });
    } catch (error) {
      console.log(error.name);
    }`;
  const { code, stdout, stderr } = await run_program(program);
  assertEquals([code, stdout, stderr], [0, "handled\nhandled\nhandled\nSIGINT\nKeyboardInterrupt\n", ""]);
});

// signals()

Deno.test("signals() gives the names as they come, those too that came while nobody waited", async () => {
  await asyncio.run(async () => {
    const loop = asyncio.get_running_loop();
    const names: string[] = [];
    const signals = asyncio.signals("SIGUSR2", "SIGHUP");
    send("SIGUSR2");
    await asyncio.sleep(0.02);
    send("SIGHUP");
    send("SIGHUP");
    await asyncio.sleep(0.02);
    for await (const name of signals) {
      names.push(name);
      if (name === "SIGHUP") break;
    }
    assertEquals(names, ["SIGUSR2", "SIGHUP"]);
    assertEquals([listens(loop, "SIGUSR2"), listens(loop, "SIGHUP"), loop._resources.size], [false, false, 0]);
    assertEquals(await signals.next(), { done: true, value: undefined });
  });
});

Deno.test("signals() that several listen to tells each of them, and a handler too", async () => {
  await asyncio.run(async () => {
    const handled = new asyncio.Event();
    asyncio.get_running_loop().add_signal_handler("SIGHUP", () => handled.set());
    await using first = asyncio.signals("SIGHUP");
    await using second = asyncio.signals("SIGHUP", "SIGUSR2");
    const both = [first.next(), second.next()];
    send("SIGHUP");
    assertEquals((await Promise.all(both)).map(({ value }) => value), ["SIGHUP", "SIGHUP"]);
    await handled.wait();
  });
});

Deno.test("signals() shares the signals among those who wait for the same iterator", async () => {
  await asyncio.run(async () => {
    await using signals = asyncio.signals("SIGHUP", "SIGUSR2");
    const [first, second, third] = [signals.next(), signals.next(), signals.next()];
    send("SIGHUP");
    assertEquals((await first).value, "SIGHUP");
    second.cancel();
    send("SIGUSR2");
    assertEquals((await third).value, "SIGUSR2");
    assertInstanceOf(await error_of(second), asyncio.CancelledError);
  });
});

Deno.test("signals() stops listening when the wait is cancelled, and listens again at the next one", async () => {
  await asyncio.run(async () => {
    const loop = asyncio.get_running_loop();
    const signals = asyncio.signals("SIGHUP");
    assert(listens(loop, "SIGHUP"));
    const task = asyncio.create_task(async () => {
      for await (const name of signals) console.log(name);
    });
    await asyncio.sleep(0);
    task.cancel();
    assertInstanceOf(await error_of(task), asyncio.CancelledError);
    assertEquals([listens(loop, "SIGHUP"), loop._resources.size], [false, 0]);
    assertEquals(Deno.inspect(signals), "<signals SIGHUP paused waiting=0>");
    const next = signals.next();
    send("SIGHUP");
    assertEquals(await next, { done: false, value: "SIGHUP" });
    await signals.return();
    assertEquals(listens(loop, "SIGHUP"), false);
  });
});

Deno.test("signals() ends for those who wait when it is closed, or the loop is", async () => {
  await asyncio.run(async () => {
    const signals = asyncio.signals("SIGHUP");
    const waiting = [signals.next(), signals.next()];
    await signals.return();
    assertEquals((await Promise.all(waiting)).map(({ done }) => done), [true, true]);
  });
  const waiting = await asyncio.run(() => [asyncio.signals("SIGHUP").next()]);
  assertEquals(await waiting[0], { done: true, value: undefined });
});

Deno.test("signals() refuses what it cannot listen to, and then listens to nothing", () => {
  const loop = asyncio.get_event_loop();
  assertThrows(() => asyncio.signals(), TypeError, "needs the name");
  assertThrows(() => asyncio.signals("SIGHUP", "SIGKILL"), asyncio.RuntimeError);
  assertThrows(() => asyncio.signals("SIGHUP", "SIGNONE" as never), RangeError);
  assertThrows(() => asyncio.signals("SIGHUP", 1 as never), TypeError);
  assertEquals(listens(loop, "SIGHUP"), false);
});

Deno.test("signals() keeps the process alive while somebody waits", async () => {
  const program = `
    new Deno.Command("sh", { args: ["-c", "sleep 0.2; kill -TERM " + Deno.pid] }).spawn().unref();
    for await (const name of asyncio.signals("SIGTERM", "SIGINT")) {
      console.log(name);
      break;
    }
    asyncio.signals("SIGTERM");`;
  assertEquals(await run_program(program), { code: 0, stdout: "SIGTERM\n", stderr: "" });
});
