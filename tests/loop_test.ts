import { assert, assertEquals, assertInstanceOf, assertMatch, assertStrictEquals, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";
import { collect_reports, error_of, run_program, run_virtual, Transcript } from "./_helpers.ts";

const virtual_loop = () => asyncio.new_event_loop({ clock: new asyncio.VirtualClock() });

Deno.test("call_soon() calls in order, with the arguments, in the next iteration, and cancel() takes a call back", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const loop = asyncio.get_running_loop();
    loop.call_soon((a, b) => log(a + b), "a", "b");
    const handle = loop.call_soon(log, "cancelled");
    loop.call_soon(() => {
      log("first");
      loop.call_soon(log, "next iteration");
    });
    loop.call_soon(log, "second");
    handle.cancel();
    handle.cancel();
    assertEquals([text(), handle.cancelled()], ["", true]);
    await asyncio.sleep(1);
    assertEquals(text(), "ab first second next iteration");
  });
});

Deno.test("call_later() and call_at() call in the order of their deadlines, equal ones in the order of the calls", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const loop = asyncio.get_running_loop();
    const handles = [3, 1, 2, 1].map((delay, i) => loop.call_later(delay, log, `${delay}#${i}`));
    loop.call_at(1, log, "1#4");
    loop.call_later(-1, log, "past");
    assertEquals(handles.map((handle) => handle.when()), [3, 1, 2, 1]);
    handles[2].cancel();
    await asyncio.sleep(5);
    assertEquals(text(), "past 1#1 1#3 1#4 3#0");
  });
});

Deno.test("many timers, half of them cancelled, fire in order", async () => {
  await run_virtual(async () => {
    const loop = asyncio.get_running_loop();
    const fired: number[] = [];
    const handles = Array.from({ length: 1000 }, (_, i) => {
      const when = (i * 7919) % 1000;
      return loop.call_later(when, () => fired.push(when));
    });
    for (const handle of handles) if (handle.when() % 4 !== 0) handle.cancel();
    await asyncio.sleep(2000);
    assertEquals(fired, Array.from({ length: 250 }, (_, i) => 4 * i));
  });
});

Deno.test("a timer of the machine's clock is never early, and equal deadlines keep their order", async () => {
  await asyncio.run(async () => {
    const loop = asyncio.get_running_loop();
    const { log, text } = new Transcript();
    const when = loop.time() + 0.0105;
    let early = false;
    for (const name of ["a", "b", "c"]) {
      loop.call_at(when, () => {
        if (loop.time() < when - 1e-5) early = true;
        log(name);
      });
    }
    loop.call_at(when - 0.0007, log, "before");
    await asyncio.sleep(0.02);
    assertEquals([text(), early], ["before a b c", false]);
  });
});

Deno.test("the calls that schedule refuse wrong arguments", async () => {
  await run_virtual(() => {
    // deno-lint-ignore no-explicit-any
    const loop = asyncio.get_running_loop() as any;
    assertThrows(() => loop.call_soon(1), TypeError, '"callback" must be a function, got 1');
    assertThrows(() => loop.call_later(null, () => {}), TypeError, "delay must not be None");
    assertThrows(() => loop.call_at(null, () => {}), TypeError, "when cannot be None");
    assertThrows(() => loop.call_later("1", () => {}), TypeError, '"delay" must be a number, got "1"');
    assertThrows(() => loop.call_later(NaN, () => {}), RangeError);
    assertThrows(() => loop.set_exception_handler(1), TypeError, "A callable object or null is expected, got 1");
    assertThrows(() => loop.set_task_factory(1), TypeError, '"factory" must be a function or null, got 1');
  });
});

Deno.test("run_until_complete() gives a result or throws its error, and may be called again", async () => {
  const loop = virtual_loop();
  assertEquals(await loop.run_until_complete(() => asyncio.sleep(1, "one")), "one");
  assertEquals((await error_of(loop.run_until_complete(() => Promise.reject(new RangeError("no"))))).message, "no");
  assertEquals(await loop.run_until_complete(Promise.resolve("promise")), "promise");
  const future = loop.create_future<string>();
  loop.call_later(1, () => future.set_result("future"));
  assertEquals(await loop.run_until_complete(future), "future");
  assertEquals(loop.time(), 2);
  loop.close();
});

Deno.test("run_forever() runs until stop(), and stop() before it runs one iteration", async () => {
  const loop = virtual_loop();
  const { log, text } = new Transcript();
  loop.call_later(1, () => {
    loop.call_soon(log, "next");
    log("stopping");
    loop.stop();
    loop.stop();
  });
  await loop.run_forever();
  assertEquals(text(), "stopping");
  loop.call_soon(() => {
    log("again");
    loop.call_soon(log, "third");
  });
  loop.stop();
  await loop.run_forever();
  assertEquals([text(), loop.is_running()], ["stopping next again", false]);
  loop.stop();
  await loop.run_forever();
  assertEquals(text(), "stopping next again third");
  loop.close();
});

Deno.test("what the last step scheduled together with the end of run_until_complete() still runs", async () => {
  const loop = virtual_loop();
  const { log, text } = new Transcript();
  const main = loop.create_task(() => asyncio.sleep(1));
  const running = loop.run_until_complete(main);
  main.add_done_callback(() => log("callback"));
  await running;
  assertEquals(text(), "callback");
  loop.close();
});

Deno.test("stop() during run_until_complete() is an error", async () => {
  const loop = virtual_loop();
  const error = await error_of(loop.run_until_complete(async () => {
    loop.stop();
    await asyncio.sleep(3600);
  }));
  assertInstanceOf(error, asyncio.RuntimeError);
  assertEquals(error.message, "Event loop stopped before Future completed.");
  const reports = collect_reports(loop);
  loop.close();
  assertEquals(reports.map(({ message }) => message), ["Task was destroyed but it is pending!"]);
});

Deno.test("a loop that runs cannot be run or closed", async () => {
  const loop = virtual_loop();
  const running = loop.run_until_complete(() => asyncio.sleep(1));
  assertEquals(loop.is_running(), true);
  for (const again of [loop.run_forever(), loop.run_until_complete(() => {})]) {
    const error = await error_of(again);
    assertInstanceOf(error, asyncio.RuntimeError);
    assertEquals(error.message, "This event loop is already running");
  }
  assertThrows(() => loop.close(), asyncio.RuntimeError, "Cannot close a running event loop");
  await running;
  loop.close();
});

Deno.test("code that a loop runs cannot run another loop", async () => {
  const other = asyncio.new_event_loop();
  await run_virtual(async () => {
    const error = await error_of(other.run_until_complete(() => {}));
    assertInstanceOf(error, asyncio.RuntimeError);
    assertEquals(error.message, "Cannot run the event loop while another loop is running");
    assertEquals((await error_of(other.run_forever())).message, error.message);
  });
  other.close();
});

Deno.test("a closed loop refuses work, and closing it again does nothing", async () => {
  const loop = asyncio.new_event_loop();
  loop.call_later(3600, () => {});
  loop.close();
  loop.close();
  assertEquals([loop.is_closed(), loop.is_running()], [true, false]);
  const closed = "Event loop is closed";
  assertThrows(() => loop.call_soon(() => {}), asyncio.RuntimeError, closed);
  assertThrows(() => loop.call_later(1, () => {}), asyncio.RuntimeError, closed);
  assertThrows(() => loop.call_at(1, () => {}), asyncio.RuntimeError, closed);
  assertThrows(() => loop.create_task(() => {}), asyncio.RuntimeError, closed);
  assertEquals((await error_of(loop.run_forever())).message, closed);
  assertEquals((await error_of(loop.run_until_complete(() => {}))).message, closed);
});

Deno.test("a loop is at work only while it is run", async () => {
  const loop = asyncio.new_event_loop();
  const { log, text } = new Transcript();
  loop.call_soon(log, "soon");
  loop.call_later(0, log, "later");
  const task = loop.create_task(() => log("task"));
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(text(), "");
  await loop.run_until_complete(task);
  assertMatch(text(), /^soon (later )?task/);
  loop.close();
});

Deno.test("the default loop is at work without being run", async () => {
  const task = asyncio.create_task(async () => {
    await asyncio.sleep(0.001);
    return asyncio.get_running_loop() === asyncio.get_event_loop();
  });
  assertEquals(await task, true);
  assertEquals(await Promise.all([asyncio.sleep(0.001, 1), asyncio.gather(() => 2)]), [1, [2]]);
});

Deno.test("set_event_loop() replaces the default loop, and a closed one is replaced on the next use", async () => {
  const before = asyncio.get_event_loop();
  const loop = asyncio.new_event_loop();
  asyncio.set_event_loop(loop);
  assertStrictEquals(asyncio.get_event_loop(), loop);
  assertEquals(await asyncio.create_task(() => asyncio.get_running_loop() === loop), true);
  loop.close();
  const next = asyncio.get_event_loop();
  assert(next !== loop && !next.is_closed());
  // deno-lint-ignore no-explicit-any
  assertThrows(() => asyncio.set_event_loop(1 as any), TypeError, '"loop" must be an EventLoop or null');
  asyncio.set_event_loop(null);
  assert(asyncio.get_event_loop() !== next);
  asyncio.set_event_loop(before);
});

Deno.test("an error in a callback goes to the exception handler with the callback's name and its handle", async () => {
  await run_virtual(async () => {
    const loop = asyncio.get_running_loop();
    const reports = collect_reports(loop);
    const boom = new Error("boom");
    const handle = loop.call_soon(function bad() {
      throw boom;
    });
    loop.call_later(1, async function later() {
      await asyncio.sleep(1);
      throw boom;
    });
    await asyncio.sleep(3);
    assertEquals(reports.map(({ message }) => message), ["Exception in callback bad", "Exception in callback later"]);
    assertStrictEquals(reports[0].exception, boom);
    assertStrictEquals(reports[0].handle, handle);
    assert(loop.get_exception_handler() !== null);
    loop.set_exception_handler(null);
    assertEquals(loop.get_exception_handler(), null);
  });
});

Deno.test("the default exception handler prints the context, and one that throws falls back to it", async () => {
  const { code, stderr } = await run_program(`
    await asyncio.run(() => {
      const loop = asyncio.get_running_loop();
      loop.call_exception_handler({ message: "Plain", exception: new Error("first"), task: asyncio.current_task() });
      loop.set_exception_handler(() => { throw new Error("handler's own"); });
      loop.call_exception_handler({ message: "Second" });
    });`);
  assertEquals(code, 0);
  assertMatch(stderr, /^Plain\ntask: <Task "Task-1" pending.*> \n Error: first\n/);
  for (const text of ["Unhandled error in exception handler", "handler's own", "Second"]) assert(stderr.includes(text));
});

Deno.test("debug mode reports slow callbacks and coroutines that were never awaited", async () => {
  const { stdout, stderr } = await run_program(`
    const { gc } = globalThis as any;
    const forgotten = asyncio.coroutine(async function forgotten_work() {});
    await asyncio.run(async () => {
      const loop = asyncio.get_running_loop();
      console.log(loop.get_debug());
      loop.slow_callback_duration = 0.01;
      loop.call_soon(function slow() { const end = performance.now() + 20; while (performance.now() < end); });
      loop.call_soon(function quick() {});
      (() => void forgotten())();
      for (let i = 0; i < 5; i++) { await asyncio.sleep(0.005); gc(); }
    }, { debug: true });`);
  assertEquals(stdout, "true\n");
  assertMatch(stderr, /Executing <Handle slow> took 0\.\d+ seconds/);
  assert(stderr.includes("coroutine 'forgotten_work' was never awaited"), stderr);
  assert(!stderr.includes("quick"), stderr);
});

Deno.test("ASYNCIO_DEBUG switches debug mode on only where it may be read", async () => {
  const { stdout } = await run_program(`
    Deno.env.set("ASYNCIO_DEBUG", "1");
    const seen = [asyncio.new_event_loop().get_debug()];
    Deno.permissions.revokeSync({ name: "env" });
    seen.push(asyncio.new_event_loop().get_debug());
    console.log(seen.join());`);
  assertEquals(stdout, "true,false\n");
});

Deno.test("closing a loop drops its timers, so that nothing keeps the process alive", async () => {
  const loop = asyncio.new_event_loop();
  loop.call_later(3600, () => {});
  await loop.run_until_complete(() => {});
  loop.close();
});

Deno.test("a loop prints its state", () => {
  const loop = asyncio.new_event_loop();
  assertEquals(Deno.inspect(loop), "<EventLoop running=false closed=false debug=false>");
  loop.close();
  assertEquals(Deno.inspect(loop), "<EventLoop running=false closed=true debug=false>");
});

Deno.test("a virtual clock lets hours pass at once, in a fixed order", async () => {
  const clock = new asyncio.VirtualClock();
  const { log, text } = new Transcript();
  await asyncio.run(async () => {
    await asyncio.gather(...[3600, 60, 7200].map((delay) => async () => {
      await asyncio.sleep(delay);
      log(clock.time());
    }));
  }, { loop_factory: () => asyncio.new_event_loop({ clock }) });
  assertEquals(text(), "60 3600 7200");
});
