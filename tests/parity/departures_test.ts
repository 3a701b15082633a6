// Where this library departs from CPython 3.13 on purpose: README.md has the table, and this file a test for each line.

import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import * as asyncio from "../../mod.ts";
import { collect_reports, error_of, run_virtual } from "../_helpers.ts";
import { bytes, port_of, text, with_node_peer } from "../_streams.ts";
import { outcome_of, turns } from "./helpers.ts";

Deno.test("departure: a plain catch sees CancelledError, which is an Error", () => {
  assertInstanceOf(new asyncio.CancelledError("why"), Error);
});

Deno.test("departure: the await of a foreign promise is not interrupted, and the next library wait is", async () => {
  await run_virtual(async () => {
    const foreign = Promise.withResolvers<string>();
    const task = asyncio.create_task(async () => {
      const result = await foreign.promise;
      await asyncio.sleep(0);
      return result;
    });
    await asyncio.sleep(0);
    task.cancel();
    await turns(3);
    assert(!task.done());
    foreign.resolve("came");
    assertInstanceOf(await error_of(task), asyncio.CancelledError);
  });
});

Deno.test("departure: a library call has started when it returns, not when it is awaited", async () => {
  await run_virtual(async () => {
    const queue = new asyncio.Queue<string>();
    const first = queue.get();
    const second = asyncio.create_task(() => queue.get());
    await asyncio.sleep(0);
    queue.put_nowait("a");
    queue.put_nowait("b");
    assertEquals([await second, await first], ["b", "a"]);
  });
});

Deno.test("departure: a wrong argument is refused by the call, not by the await", () => {
  assertThrows(() => asyncio.wait([]), RangeError);
  assertThrows(() => asyncio.sleep(NaN), RangeError);
  assertThrows(() => new asyncio.StreamReader().readuntil(""), RangeError);
});

Deno.test("departure: a promise is no coroutine, and is taken where any awaitable is", async () => {
  await run_virtual(async () => {
    assertThrows(() => asyncio.create_task(Promise.resolve(1) as never), TypeError, "create_task(() => work(1))");
    assertEquals(await asyncio.gather(Promise.resolve(1), asyncio.wait_for(Promise.resolve(2), 1)), [1, 2]);
  });
});

Deno.test("departure: run() of something else is a TypeError", async () => {
  assertInstanceOf(await error_of(asyncio.run("text" as never)), TypeError);
});

Deno.test("departure: outside of run() the default loop runs tasks, timeouts and groups", async () => {
  assertEquals(await asyncio.create_task(() => 1), 1);
  assertEquals(asyncio.get_running_loop(), asyncio.get_event_loop());
  assertEquals(await asyncio.async_with(asyncio.timeout(10), () => 2), 2);
  assertEquals(await asyncio.async_with(new asyncio.TaskGroup(), () => 3), 3);
});

Deno.test("departure: two run() calls go on side by side, each on its loop", async () => {
  const work = async () => {
    await turns(3);
    return asyncio.get_running_loop();
  };
  const [a, b] = await Promise.all([asyncio.run(work), asyncio.run(work)]);
  assert(a !== b && a.is_closed() && b.is_closed());
});

Deno.test("departure: a result that is awaitable is unwrapped unless something holds it", async () => {
  await run_virtual(async () => {
    const inner = asyncio.create_task(() => "inner");
    const queue = new asyncio.Queue<asyncio.Task<string> | [asyncio.Task<string>]>();
    queue.put_nowait(inner);
    queue.put_nowait([inner]);
    assertEquals(await queue.get(), "inner");
    assertEquals((await queue.get() as [asyncio.Task<string>])[0], inner);
  });
});

Deno.test("departure: an eager task that never waits is done a microtask later", async () => {
  await run_virtual(async () => {
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory);
    const task = asyncio.create_task(() => "at once");
    assert(!task.done());
    for (let i = 0; i < 3; i++) await Promise.resolve();
    assertEquals(task.result(), "at once");
  });
});

Deno.test("departure: an eager task has its name from the start, as in CPython 3.14", async () => {
  await run_virtual(async () => {
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory);
    assertEquals(await asyncio.create_task(() => asyncio.current_task()!.get_name(), { name: "named" }), "named");
  });
});

Deno.test("departure: a timeout cancels the waits of its own body only, not another branch of the task", async () => {
  await run_virtual(async () => {
    const expiring = asyncio.async_with(asyncio.timeout(1), () => asyncio.sleep(10));
    const [error, other] = await Promise.all([outcome_of(expiring), asyncio.sleep(5, "other")]);
    assertInstanceOf(error, asyncio.TimeoutError);
    assertEquals(other, "other");
  });
});

Deno.test("departure: seen from outside, cancelling() does not count what the task's own timeouts ask", async () => {
  await run_virtual(async () => {
    const seen: number[] = [];
    const task = asyncio.create_task(() =>
      asyncio.async_with(asyncio.timeout(1), async () => {
        await outcome_of(asyncio.sleep(10));
        seen.push(task.cancelling());
        await asyncio.sleep(1);
      })
    );
    await asyncio.sleep(1.5);
    assertEquals([...seen, task.cancelling()], [1, 0]);
    await task;
  });
});

Deno.test("departure: a cancellation on its way when a timeout is entered does not come out as a timeout", async () => {
  await run_virtual(async () => {
    const task = asyncio.create_task(async () => {
      asyncio.current_task()!.cancel("earlier");
      await asyncio.async_with(asyncio.timeout(0), () => asyncio.sleep(10));
    });
    assertInstanceOf(await error_of(task), asyncio.CancelledError);
  });
});

Deno.test("departure: an error of a body whose time is up has no TimeoutError in its chain", async () => {
  await run_virtual(async () => {
    const error = await error_of(asyncio.async_with(asyncio.timeout(1), async () => {
      await outcome_of(asyncio.sleep(10));
      throw new RangeError("own");
    }));
    assertEquals([error.message, error.cause], ["own", undefined]);
  });
});

Deno.test("departure: a task group does not repeat a cancellation that was swallowed before it", async () => {
  await run_virtual(async () => {
    const task = asyncio.create_task(async () => {
      await outcome_of(asyncio.sleep(10));
      const group = asyncio.async_with(new asyncio.TaskGroup(), (group) => {
        group.create_task(() => Promise.reject(new RangeError("child")));
      });
      assertInstanceOf(await error_of(group), asyncio.ExceptionGroup);
      await asyncio.sleep(0);
      return asyncio.current_task()!.cancelling();
    });
    await asyncio.sleep(0);
    task.cancel();
    assertEquals(await task, 1);
  });
});

Deno.test("departure: a task group cancels its tasks in the order in which they were made", async () => {
  await run_virtual(async () => {
    const order: number[] = [];
    const group = asyncio.async_with(new asyncio.TaskGroup(), (group) => {
      for (let i = 0; i < 20; i++) {
        group.create_task(() => asyncio.sleep(10).finally(() => order.push(i)));
      }
      group.create_task(() => Promise.reject(new RangeError("child")));
    });
    await error_of(group);
    assertEquals(order, Array.from({ length: 20 }, (_, i) => i));
  });
});

Deno.test("departure: TaskGroup.cancel() is there, as in CPython 3.15", async () => {
  await run_virtual(async () => {
    await asyncio.async_with(new asyncio.TaskGroup(), (group) => {
      group.create_task(() => asyncio.sleep(10));
      group.cancel();
    });
  });
});

Deno.test("departure: a cancelled task or gather gives its message to everybody who asks", async () => {
  await run_virtual(async () => {
    const task = asyncio.create_task(() => asyncio.sleep(10));
    await asyncio.sleep(0);
    task.cancel("why");
    for (let i = 0; i < 2; i++) assertEquals((await error_of(task)).message, "why");

    const late = asyncio.create_task(() => asyncio.sleep(10));
    const done = asyncio.create_task(() => "done");
    const gathered = asyncio.gather(late, done, { return_exceptions: true });
    await turns(2);
    gathered.cancel("why");
    assertEquals((await error_of(gathered)).message, "why");
  });
});

Deno.test("departure: work that fails behind a shield that was cancelled is reported if nobody asks", async () => {
  const reports = await run_virtual(async () => {
    const reports = collect_reports();
    const outer = asyncio.shield(async () => {
      await asyncio.sleep(1);
      throw new RangeError("late");
    });
    outer.cancel();
    await asyncio.sleep(2);
    return reports;
  });
  assertEquals(reports.map(({ exception }) => (exception as Error).message), ["late"]);
});

Deno.test("departure: timers of one deadline run in the order in which they were set", async () => {
  await run_virtual(async () => {
    const loop = asyncio.get_running_loop();
    const order: number[] = [];
    const when = loop.time() + 1;
    for (let i = 0; i < 50; i++) loop.call_at(when, () => order.push(i));
    await asyncio.sleep(2);
    assertEquals(order, Array.from({ length: 50 }, (_, i) => i));
  });
});

Deno.test("departure: equal items of a priority queue keep their order", () => {
  const queue = new asyncio.PriorityQueue<{ rank: number; name: number }>(0, { compare: (a, b) => a.rank - b.rank });
  for (let name = 0; name < 20; name++) queue.put_nowait({ rank: 1, name });
  assertEquals(Array.from({ length: 20 }, () => queue.get_nowait().name), Array.from({ length: 20 }, (_, i) => i));
});

Deno.test("departure: readline() on an overlong line throws LimitOverrunError and leaves the buffer", async () => {
  await run_virtual(async () => {
    const reader = new asyncio.StreamReader({ limit: 4 });
    reader.feed_data("too long\nshort\n");
    const error = await error_of(reader.readline());
    assertInstanceOf(error, asyncio.LimitOverrunError);
    assertEquals([error.consumed, text(await reader.read(100))], [8, "too long\nshort\n"]);
  });
});

Deno.test("departure: an error of the stream is thrown once what came before it was read", async () => {
  await run_virtual(async () => {
    const reader = new asyncio.StreamReader();
    reader.feed_data("line\nrest");
    reader.set_exception(new RangeError("broken"));
    assertEquals(text(await reader.readline()), "line\n");
    assertEquals((await error_of(reader.readexactly(5))).message, "broken");
    assertEquals(text(await reader.read(100)), "rest");
    assertEquals((await error_of(reader.read(100))).message, "broken");
  });
});

Deno.test("departure: feeding a reader after its end is a RuntimeError, and text is fed as UTF-8", () => {
  const reader = new asyncio.StreamReader();
  reader.feed_data("ü");
  reader.feed_eof();
  assertThrows(() => reader.feed_data(bytes("more")), asyncio.RuntimeError);
});

Deno.test("departure: when an async handler ends, its connection is flushed and closed", async () => {
  await asyncio.run(async () => {
    await using server = await asyncio.start_server(
      async (reader, writer) => {
        writer.write(await reader.readline());
      },
      "127.0.0.1",
      0,
    );
    const [reader, writer] = await asyncio.open_connection("127.0.0.1", port_of(server));
    writer.write("and that is all\n");
    assertEquals(text(await reader.read()), "and that is all\n");
    writer.close();
    await writer.wait_closed();
  });
});

Deno.test("departure: wait_closed() does not fail if the peer broke off after everything had been sent", async () => {
  await asyncio.run(() =>
    with_node_peer(async ([reader, writer], peer) => {
      writer.write("all of it");
      await writer.drain();
      peer.resetAndDestroy();
      await outcome_of(reader.read());
      writer.close();
      await writer.wait_closed();
    })
  );
});

Deno.test("departure: wait() waits for the process alone, not for a pipe that another one holds", async () => {
  await using process = await asyncio.create_subprocess_shell("sleep 60 & echo $!", {
    stdout: asyncio.subprocess.PIPE,
  });
  const grandchild = Number(text(await process.stdout!.readline()));
  assertEquals(await process.wait(), 0);
  Deno.kill(grandchild, "SIGKILL");
});

Deno.test("departure: a signal for a process that has ended is nothing", async () => {
  const process = await asyncio.create_subprocess_shell("exit 1");
  await process.wait();
  process.kill();
});

Deno.test("departure: communicate() does not drop input for a process without a pipe", async () => {
  const process = await asyncio.create_subprocess_shell("exit 0");
  assertThrows(() => process.communicate("input"), asyncio.RuntimeError);
  await process.wait();
});

Deno.test("departure: a process that is left is killed with the loop, not once it is collected", async () => {
  const [process] = await asyncio.run(async () => [await asyncio.create_subprocess_exec("sleep", "60")]);
  assertEquals(await process.wait(), -9);
});

Deno.test("departure: a signal handler may be async", async () => {
  await run_virtual(() => {
    const loop = asyncio.get_running_loop();
    loop.add_signal_handler("SIGUSR2", async () => {});
    assertEquals(loop.remove_signal_handler("SIGUSR2"), true);
  });
});

Deno.test("departure: shield() does not protect a library call that the task has made before, but a function", async () => {
  await run_virtual(async () => {
    const ends: boolean[] = [];
    for (const how of ["a call", "a function"]) {
      const barrier = new asyncio.Barrier(2);
      const task = asyncio.create_task(async () => {
        await asyncio.shield(how === "a call" ? barrier.wait() : () => barrier.wait());
      });
      await asyncio.sleep(1);
      task.cancel();
      await asyncio.wait([task]);
      await asyncio.sleep(1);
      ends.push(barrier.n_waiting === 1);
      await barrier.abort();
    }
    assertEquals(ends, [false, true]);
  });
});

Deno.test("departure: wait_for() of what is done as its time passes gives the result", async () => {
  await run_virtual(async () => {
    const future = new asyncio.Future<string>();
    asyncio.get_running_loop().call_later(1, () => future.set_result("just in time"));
    assertEquals(await asyncio.wait_for(future, 1), "just in time");
  });
});

Deno.test("departure: a program that closes its standard input is noticed at the next write", async () => {
  const lost = new asyncio.Future<unknown[]>();
  const ready = new asyncio.Future<void>();
  class Watcher extends asyncio.SubprocessProtocol {
    override pipe_data_received() {
      ready.set_result();
    }
    override pipe_connection_lost(fd: number, error: unknown) {
      if (fd === 0) lost.set_result([error]);
    }
  }
  const loop = asyncio.get_event_loop();
  const command = "exec <&-; echo ready; exec sleep 60";
  const [transport] = await loop.subprocess_shell(() => new Watcher(), command, { stderr: null });
  await ready;
  await asyncio.sleep(0.01);
  assertEquals(lost.done(), false);
  transport.get_pipe_transport(0)!.write("x");
  assertInstanceOf((await lost)[0], asyncio.BrokenPipeError);
  transport.close();
  while (transport.get_returncode() === null) await asyncio.sleep(0.002);
});

Deno.test("departure: get_buffer() is called before there is something to read", async () => {
  const asked = new asyncio.Future<void>();
  class Asked extends asyncio.BufferedProtocol {
    override get_buffer(size_hint: number) {
      if (!asked.done()) asked.set_result();
      return super.get_buffer(size_hint);
    }
  }
  const loop = asyncio.get_event_loop();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [transport] = await loop.create_connection(() => new Asked(), "127.0.0.1", listener.addr.port);
  await asked;
  transport.abort();
});

Deno.test("departure: what connection_made() throws is reported with the transport and the protocol", async () => {
  await asyncio.run(async () => {
    const reports = collect_reports();
    class Failing extends asyncio.Protocol {
      override connection_made() {
        throw new RangeError("made");
      }
    }
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const loop = asyncio.get_running_loop();
    const [transport, protocol] = await loop.create_connection(() => new Failing(), "127.0.0.1", listener.addr.port);
    assertEquals(reports.map(({ message }) => message), ["protocol.connection_made() failed"]);
    assert(reports[0].transport === transport && reports[0].protocol === protocol);
    transport.abort();
  });
});

Deno.test("departure: a raised limit of the write buffer is heeded at once", async () => {
  const calls: string[] = [];
  class Noting extends asyncio.Protocol {
    override pause_writing() {
      calls.push("pause");
    }
    override resume_writing() {
      calls.push("resume");
    }
  }
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepting = listener.accept();
  const loop = asyncio.get_event_loop();
  const [transport] = await loop.create_connection(() => new Noting(), "127.0.0.1", listener.addr.port);
  using _peer = await accepting;
  transport.set_write_buffer_limits({ high: 1 });
  transport.write(new Uint8Array(1000));
  transport.set_write_buffer_limits({ high: 10_000 });
  assertEquals(calls, ["pause", "resume"]);
  transport.abort();
});

Deno.test("departure: nobody hears that nobody receives datagrams at the remote address", async () => {
  const unused = await asyncio.open_datagram({ local_addr: ["127.0.0.1", 0] });
  const remote_addr = unused.get_extra_info("sockname");
  unused.close();
  await unused.wait_closed();
  await using endpoint = await asyncio.open_datagram({ remote_addr });
  for (let i = 0; i < 3; i++) await endpoint.send("anybody?");
  await asyncio.sleep(0.01);
  assertEquals([endpoint.is_closing(), endpoint.statistics().datagrams_sent], [false, 3]);
});

Deno.test("departure: a datagram without an address is refused by the call, and the transport stays open", async () => {
  const loop = asyncio.get_event_loop();
  const [transport] = await loop.create_datagram_endpoint(() => new asyncio.DatagramProtocol(), ["127.0.0.1", 0]);
  assertThrows(() => transport.sendto("x"), TypeError);
  assert(!transport.is_closing());
  transport.close();
});

Deno.test("departure: a burst of datagrams waits for the system, and counts for flow control", async () => {
  const loop = asyncio.get_event_loop();
  const [transport] = await loop.create_datagram_endpoint(() => new asyncio.DatagramProtocol(), ["127.0.0.1", 0]);
  for (let i = 0; i < 3; i++) transport.sendto("12345", transport.get_extra_info("sockname"));
  assertEquals(transport.get_write_buffer_size(), 39);
  transport.close();
});

Deno.test("departure: getaddrinfo() does not know services by name, and gives addresses of IPv6 as pairs", async () => {
  const loop = asyncio.get_event_loop();
  assertThrows(() => loop.getaddrinfo("::1", "http"), Error);
  const [[, , , , sockaddr]] = await loop.getaddrinfo("::1", 80);
  assertEquals(sockaddr, ["::1", 80]);
});
