import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import type { Network } from "../lib/_deno.ts";
import { SYSTEM_NETWORK } from "../lib/_deno_net.ts";
import * as asyncio from "../mod.ts";
import { certificates } from "./_certificates.ts";
import { assert_linear, collect_reports, error_of, run_program, run_virtual, Transcript } from "./_helpers.ts";
import { FakeConn, for_turns, LOOPBACK, port_of, text, until, with_bare_peer, with_pair } from "./_streams.ts";

/** Keeps the processor busy. */
function busy(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

function address_of(server: asyncio.Server): [string, number] {
  return server.sockets[0].getsockname() as [string, number];
}

Deno.test("a read that is cancelled while data arrives loses none, though its task is on its way to its end", async () => {
  // Cause: data was delivered while the last step's code still had microtasks to go.
  await asyncio.run(async () => {
    const total = 4_000_000;
    await using server = await asyncio.start_server(
      async (_reader, writer) => {
        for (let sent = 0; sent < total; sent += 50_000) {
          writer.write(new Uint8Array(50_000));
          await writer.drain();
          await asyncio.sleep(0);
        }
      },
      "127.0.0.1",
      0,
    );
    const [reader, writer] = await asyncio.open_connection(...address_of(server));
    let received = 0;
    while (!reader.at_eof()) {
      const task = asyncio.create_task(() => reader.read(30_000));
      await asyncio.sleep(0);
      task.cancel();
      await asyncio.wait([task]);
      if (!task.cancelled()) received += task.result().length;
    }
    assertEquals(received, total);
    writer.close();
  });
});

Deno.test("close() does not let its waiters overtake the code that called it", async () => {
  // Cause: the end of a connection was delivered at once, as if no code of the program were running.
  await asyncio.run(async () => {
    const { log, text } = new Transcript();
    const nested = async () => {
      await null;
      await null;
    };
    await using server = await asyncio.start_server(() => {}, "127.0.0.1", 0);
    const [, writer] = await asyncio.open_connection(...address_of(server));
    const waiter = asyncio.create_task(async () => {
      await writer.wait_closed();
      log("closed");
    });
    await asyncio.sleep(0);
    writer.close();
    await nested();
    log("first");
    await nested();
    log("second");
    await waiter;
    assertEquals(text(), "first second closed");
  });
});

Deno.test("a leftover wait, such as the loser of a Promise.race(), does not swallow a cancellation", async () => {
  // Cause: any wait of the task counted as the one that would hear of it.
  await run_virtual(async () => {
    const lost = async (cancels: () => void) => {
      await Promise.race([asyncio.sleep(60), asyncio.sleep(1)]);
      cancels();
      await asyncio.sleep(0);
    };
    const oneself = asyncio.create_task(() => lost(() => void asyncio.current_task()!.cancel()));
    await asyncio.wait([oneself]);
    assert(oneself.cancelled());

    const { promise, resolve } = Promise.withResolvers<void>();
    const foreign = asyncio.create_task(async () => {
      await Promise.race([asyncio.sleep(60), asyncio.sleep(1)]);
      await promise;
      await asyncio.sleep(0);
    });
    await asyncio.sleep(2);
    foreign.cancel();
    resolve();
    await asyncio.wait([foreign]);
    assert(foreign.cancelled());
  });
});

Deno.test("timers do not wait for many steps of a task that keeps the processor busy", async () => {
  // Cause: the loop looked at the clock at every eighth iteration, whatever these cost.
  await asyncio.run(async () => {
    let steps = 0;
    const timer = asyncio.create_task(async () => {
      await asyncio.sleep(0.01);
      return steps;
    });
    await asyncio.sleep(0);
    for (; steps < 30 && !timer.done(); steps++) {
      busy(15);
      await asyncio.sleep(0);
    }
    assert(await timer <= 6, `the timer waited for ${await timer} steps`);
  });
});

Deno.test("code that run() left behind gets an error from a closed loop, and does not hang", async () => {
  // Cause: a closed loop took steps and timers that nobody would ever run.
  const { promise, resolve } = Promise.withResolvers<unknown[]>();
  await asyncio.run(() => {
    setTimeout(async () => {
      const calls = [
        () => asyncio.sleep(0),
        () => asyncio.sleep(1),
        () => asyncio.open_connection("127.0.0.1", 1),
        () => asyncio.start_server(() => {}, "127.0.0.1", 0),
        () => asyncio.create_task(() => {}),
        () => asyncio.async_with(asyncio.timeout(1), () => {}),
      ];
      const errors: unknown[] = [];
      for (const call of calls) errors.push(String(await error_of((async () => void await call())())));
      errors.push(await asyncio.gather(Promise.resolve(7)));
      resolve(errors);
    }, 1);
  });
  const closed = "RuntimeError: Event loop is closed";
  assertEquals(await promise, [closed, closed, closed, closed, closed, closed, [7]]);
});

Deno.test("wait_closed() notices a peer that broke the connection, without a read and without close()", async () => {
  // Cause: nothing read from the connection, and only a read tells of its end.
  const { stdout } = await run_program(`
    import { createServer } from "node:net";
    const server = createServer((socket) => setTimeout(() => socket.resetAndDestroy(), 50)).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    await asyncio.run(async () => {
      const [reader, writer] = await asyncio.open_connection("127.0.0.1", server.address().port);
      await asyncio.wait_for(writer.wait_closed(), 10);
      console.log("closed", writer.is_closing(), String(reader.exception()).slice(0, 15));
    });
    server.close();
  `);
  assertEquals(stdout, "closed true ConnectionReset\n");
});

Deno.test("the default loop cannot be closed by its own task", async () => {
  // Cause: a loop that Deno drives did not count as running.
  const loop = asyncio.get_event_loop();
  const error = await asyncio.create_task(async () => await error_of(Promise.try(() => loop.close())));
  assertEquals(error.message, "Cannot close a running event loop");
  await asyncio.sleep(0);
});

Deno.test("wait_closed() ends although the writer's loop was closed meanwhile, and all that was written arrives", async () => {
  // Cause: what ends after its loop had been closed was put on that loop's queue.
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const loop = asyncio.new_event_loop();
  const [, writer] = await loop.run_until_complete(() => asyncio.open_connection("127.0.0.1", listener.addr.port));
  const conn = await listener.accept();
  const size = 16 * 1024 * 1024;
  writer.write(new Uint8Array(size));
  const closed = writer.wait_closed();
  loop.close();
  let received = 0;
  const buffer = new Uint8Array(1024 * 1024);
  for (let count = await conn.read(buffer); count !== null; count = await conn.read(buffer)) received += count;
  await closed;
  assertEquals(received, size);
  conn.close();
  listener.close();
});

Deno.test("a task that is cancelled in sleep(0) hears of it when it would have gone on", async () => {
  // Cause: the cancellation put it at the end of the queue. CPython prints in this order.
  await asyncio.run(async () => {
    const { log, text } = new Transcript();
    const cancelled = asyncio.create_task(() => asyncio.sleep(0).catch(() => log("cancelled")));
    const other = asyncio.create_task(async () => {
      await asyncio.sleep(0);
      log("other");
    });
    await asyncio.sleep(0);
    cancelled.cancel();
    await asyncio.wait([cancelled, other]);
    assertEquals(text(), "cancelled other");
  });
});

Deno.test("a callback that is due already runs in the next iteration, though tasks never let the loop rest", async () => {
  // Cause: it was left to a timer of Deno's.
  await asyncio.run(async () => {
    const { log, text } = new Transcript();
    const loop = asyncio.get_running_loop();
    loop.call_later(0, () => log("due"));
    loop.call_at(loop.time() - 1, () => log("past"));
    for (let turn = 0; turn < 3; turn++) {
      log(turn);
      await asyncio.sleep(0);
    }
    // CPython prints these in this order.
    assertEquals(text(), "0 1 past due 2");
  });
});

Deno.test("waits for the end of a connection or a server that are cancelled leave nothing behind", async () => {
  // Cause: each left a callback in a list until the end. A full heap would show it late; the reprs tell at once.
  await asyncio.run(async () => {
    await using server = await asyncio.start_server(() => {}, "127.0.0.1", 0);
    const [, writer] = await asyncio.open_connection(...address_of(server));
    for (let i = 0; i < 20; i++) {
      for (const waiter of [writer.wait_closed(), server.wait_closed()]) {
        waiter.cancel();
        await asyncio.wait([waiter]);
      }
    }
    assertEquals(writer.transport._end_is_awaited, false);
    writer.close();
  });
});

Deno.test("wrong arguments are refused with an error that names them", async () => {
  // deno-lint-ignore no-explicit-any
  const wrong = (value: unknown) => value as any;
  const work = async () => {};
  const cases: [call: () => unknown, kind: typeof TypeError | typeof RangeError, text: string][] = [
    [() => asyncio.create_task(work, wrong("name")), TypeError, '"options" must be an object, got "name"'],
    [() => asyncio.create_task(work, wrong({ nmae: "x" })), TypeError, 'Unknown option "nmae"'],
    [() => asyncio.create_task(work, wrong({ context: 5 })), TypeError, '"context" must be a function, got 5'],
    [() => new asyncio.Task(work, wrong({ loop: 5 })), TypeError, '"loop" must be an EventLoop, got 5'],
    [() => asyncio.ensure_future(work, wrong({ loop: 5 })), TypeError, '"loop" must be an EventLoop, got 5'],
    [() => asyncio.wait([asyncio.sleep(0)], wrong(5)), TypeError, '"options" must be an object, got 5'],
    [() => asyncio.wait([asyncio.sleep(0)], wrong({ retrun_when: "x" })), TypeError, 'Unknown option "retrun_when"'],
    [() => asyncio.as_completed([], wrong(5)), TypeError, '"options" must be an object, got 5'],
    [() => asyncio.gather(work, wrong({ return_exception: true })), TypeError, 'Unknown option "return_exception"'],
    [() => asyncio.all_tasks(wrong(5)), TypeError, '"loop" must be an EventLoop, got 5'],
    [() => asyncio.current_task(wrong(5)), TypeError, '"loop" must be an EventLoop, got 5'],
    [() => new asyncio.Runner(wrong(5)), TypeError, '"options" must be an object, got 5'],
    [() => new asyncio.Runner(wrong({ debug: "x" })), TypeError, '"debug" must be a boolean, got "x"'],
    [() => asyncio.new_event_loop(wrong(5)), TypeError, '"options" must be an object, got 5'],
    [() => asyncio.new_event_loop(wrong({ clock: 5 })), TypeError, '"clock" must have time() and set_timer(), got 5'],
    [() => new asyncio.Future(wrong({ loop: 5 })), TypeError, '"loop" must be an EventLoop, got 5'],
    [() => new asyncio.Future().set_exception(5), TypeError, '"exception" must be an error, got 5'],
    [() => new asyncio.StreamReader(wrong({ loop: 5 })), TypeError, '"loop" must be an EventLoop, got 5'],
    [() => asyncio.create_eager_task_factory(wrong(5)), TypeError, '"constructor" must be a function, got 5'],
    [() => asyncio.get_event_loop().call_exception_handler(wrong(5)), TypeError, '"context" must be an object, got 5'],
    [() => asyncio.get_event_loop().call_soon_in(work, wrong(5), {}), TypeError, '"args" must be an array, got 5'],
    [() => new asyncio.ExceptionGroup("m", wrong(5)), TypeError, '"exceptions" must be an array, got 5'],
    [() => new asyncio.ExceptionGroup("m", [1]).split(wrong(5)), TypeError, '"condition" must be a function, got 5'],
    [() => asyncio.start_server(work, [], 0), RangeError, '"host" must name an address'],
    [
      () => asyncio.start_server(work, null, 0, wrong({ start_serving: "x" })),
      TypeError,
      '"start_serving" must be a boolean',
    ],
    [() => asyncio.open_connection("", 1), RangeError, '"host" must not be empty'],
  ];
  for (const [call, kind, text] of cases) assertThrows(call, kind, text);
  const factory = await error_of(asyncio.run(work, wrong({ loop_factory: () => 5 })));
  assertEquals(factory.message, '"loop_factory" must give an EventLoop, got 5');
});

Deno.test("the types of get_extra_info(), gather() and as_completed() tell what comes at run time", async () => {
  await asyncio.run(async () => {
    await using server = await asyncio.start_server(() => {}, "127.0.0.1", 0);
    const [, writer] = await asyncio.open_connection(...address_of(server));
    const peer: asyncio.SocketAddress | null = writer.get_extra_info("peername", "unknown");
    assert(Array.isArray(peer));
    const key: string = "peername";
    const value: unknown = writer.get_extra_info(key);
    assertEquals(value, peer);
    writer.close();
    const options: asyncio.GatherOptions = {};
    const [one]: [number] = await asyncio.gather(() => asyncio.sleep(0, 1), options);
    assertEquals(one, 1);
    const results: (number | string)[] = [];
    const task = asyncio.create_task(() => asyncio.sleep(0, 1));
    for await (const each of asyncio.as_completed([task, () => asyncio.sleep(0, "s")])) results.push(each.result());
    assertEquals(results.map(String).sort(), ["1", "s"]);
  });
});

Deno.test("a time limit reaches a library call that was made before it, and passed as it is", async () => {
  // Cause: what a call of several waits waits for belongs to the scope it was made in, and the timeout came later.
  await run_virtual(async () => {
    const loop = asyncio.get_running_loop();
    const lock = new asyncio.Lock();
    await lock.acquire();
    const condition = new asyncio.Condition();
    const never = new asyncio.Future<void>();
    const calls: (() => asyncio.Future<unknown>)[] = [
      () => new asyncio.Barrier(2).wait(),
      () => asyncio.async_with(lock, () => {}),
      () => asyncio.async_with(condition, () => condition.wait()),
      () => asyncio.async_with(condition, () => condition.wait_for(() => false)),
      () => asyncio.wait([never]),
      () => asyncio.wait_for(new asyncio.Event().wait(), 60),
    ];
    for (const call of calls) {
      const start = loop.time();
      assertInstanceOf(await error_of(asyncio.wait_for(call(), 1)), asyncio.TimeoutError);
      const early = call();
      assertInstanceOf(await error_of(asyncio.async_with(asyncio.timeout(1), () => early)), asyncio.TimeoutError);
      const earlier = call();
      assertEquals(await asyncio.async_with(asyncio.move_on_after(1), () => earlier), undefined);
      assertEquals(loop.time() - start, 3);
      assert(early.cancelled() && earlier.cancelled());
    }
    assertEquals([condition.locked(), never.done()], [false, false]);
  });
});

Deno.test("a task is cancelled once, though it waits for a call both inside of it and through wait_for()", async () => {
  // Cause: that call is reached in two ways.
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const foreign = Promise.withResolvers<void>();
    const task = asyncio.create_task(async () => {
      const call = asyncio.async_with(new asyncio.Lock(), async () => {
        await foreign.promise;
        for (let i = 0; i < 3; i++) await asyncio.sleep(1).then(() => log("slept"), () => log("cancelled"));
      });
      await asyncio.wait_for(call, 60);
    });
    await asyncio.sleep(1);
    task.cancel();
    foreign.resolve();
    await task;
    assertEquals(text(), "cancelled slept slept");
  });
});

Deno.test("a task that is cancelled twice in sleep(0) hears the second text, as in any step that is on its way", async () => {
  // Cause: it kept the first. CPython tells the last.
  await run_virtual(async () => {
    const task = asyncio.create_task(() => asyncio.sleep(0));
    await asyncio.sleep(0);
    task.cancel("first");
    task.cancel("second");
    assertEquals((await error_of(task)).message, "second");
  });
});
/** A client's connection to a peer that says nothing, with `start_tls()` under way once the peer has its first bytes. */
async function with_endless_handshake(
  body: (writer: asyncio.StreamWriter, securing: asyncio.Future<void>) => Promise<void>,
): Promise<void> {
  await with_bare_peer(async ([, writer], peer) => {
    const securing = writer.start_tls(true, { server_hostname: "localhost" });
    assert(await peer.read(new Uint8Array(4096)) !== null);
    await body(writer, securing);
  });
}

Deno.test("start_tls() that is cancelled right after its connection was aborted ends, and the process lives", async () => {
  // Cause: the connection was closed a second time in a listener of the abort signal, where an error ends the process.
  await with_endless_handshake(async (writer, securing) => {
    writer.abort();
    securing.cancel();
    assertInstanceOf(await error_of(securing), asyncio.CancelledError);
    await writer.wait_closed();
  });
});

Deno.test("start_tls() whose connection is aborted tells so", async () => {
  await with_endless_handshake(async (writer, securing) => {
    writer.abort();
    assertInstanceOf(await error_of(securing), asyncio.ConnectionAbortedError);
  });
});

Deno.test("a read that begins during start_tls() waits for it, and gets what came over TLS", async () => {
  // Cause: it read the bare connection, took bytes of the handshake from TLS and gave them to the program.
  const { ca, server: identity } = await certificates();
  await with_pair(async ([reader, writer], [, peer_writer]) => {
    const securing = writer.start_tls({ caCerts: [ca] }, { server_hostname: "localhost" });
    await for_turns(3);
    const reading = reader.readline();
    const ending = asyncio.create_task(() => reader.wait_eof());
    await peer_writer.start_tls(identity);
    await securing;
    await peer_writer.send("hello\n");
    assertEquals(text(await reading), "hello\n");
    peer_writer.close();
    await ending;
  });
});

Deno.test("a read that begins during a start_tls() that fails is at the end", async () => {
  await with_bare_peer(async ([reader, writer], peer) => {
    const securing = writer.start_tls(true, { server_hostname: "localhost" });
    assert(await peer.read(new Uint8Array(4096)) !== null);
    const reading = reader.read();
    writer.abort();
    assertInstanceOf(await error_of(securing), asyncio.ConnectionAbortedError);
    assertEquals((await reading).length, 0);
  });
});

Deno.test("start_tls() does not begin its handshake amid what another task writes just before", async () => {
  // Cause: it waited once until all had left, and not for what was written between that and its own next step.
  const conn = new FakeConn(0);
  const [, writer] = await asyncio.open_connection(null, null, { sock: conn });
  writer.write("before");
  const other = asyncio.create_task(async () => {
    await writer.flush();
    await writer.send("just before");
  });
  await for_turns(1);
  const securing = writer.start_tls(true, { server_hostname: "localhost" });
  await conn.take();
  await for_turns(20);
  assertEquals(conn.writes.map(text), ["before", "just before"]);
  await conn.take(4);
  await conn.take();
  await until(() => conn.writes.length === 4, "the handshake begins");
  assertEquals(text(conn.writes[2]), " before");
  // A record of the handshake.
  assertEquals(conn.writes[3][0], 22);
  await other;
  securing.cancel();
  await error_of(securing);
});

Deno.test("open_connection() closes the loser of a race in which both succeed in one turn", async () => {
  // Cause: a connection that was made, and not yet told of, when another won was dropped without being closed.
  await run_virtual(async () => {
    const conns: FakeConn[] = [];
    const made = Promise.withResolvers<void>();
    const network: Partial<Network> = {
      resolve: () => Promise.resolve(["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
      async connect_tcp() {
        await made.promise;
        const conn = new FakeConn();
        conns.push(conn);
        return conn;
      },
    };
    Object.assign(asyncio.get_running_loop(), { _network: { ...SYSTEM_NETWORK, ...network } });
    const opening = asyncio.open_connection("several.example", 80, { happy_eyeballs_delay: 0 });
    await asyncio.sleep(1);
    made.resolve();
    const [, writer] = await opening;
    assertEquals(conns.map(({ calls }) => calls), [[], ["close"], ["close"]]);
    writer.close();
    await writer.wait_closed();
  });
});

Deno.test("max_connections holds for all sockets of a server together", async () => {
  // Cause: each socket was accepting already when one of them filled the last place.
  let open = 0;
  let most = 0;
  let served = 0;
  const server = await asyncio.start_server(
    async (reader) => {
      most = Math.max(most, ++open);
      await reader.read();
      open--;
      served++;
    },
    ["127.0.0.1", "127.0.0.2", "127.0.0.3"],
    0,
    { max_connections: 1 },
  );
  const addresses = server.sockets.map((socket) => socket.getsockname() as [string, number]);
  const clients = await Promise.all(addresses.map((address) => asyncio.open_connection(...address)));
  await until(() => open === 1, "one is served");
  await for_turns(20);
  for (const [, writer] of clients) writer.write_eof();
  await until(() => served === 3, "all were served");
  assertEquals([most, served], [1, 3]);
  for (const [, writer] of clients) writer.close();
  await server.shutdown();
});

for (const how of ["ssl", "ssl with caCerts", "start_tls()"]) {
  Deno.test(`a peer that goes in good order before its TLS handshake is done ends the handshake: a server's ${how}`, async () => {
    // Cause: node:tls does not tell a server of it, so the connection was kept until ssl_handshake_timeout.
    const { server: identity, ca } = await certificates();
    const loop = asyncio.get_event_loop();
    const told = new asyncio.Future<unknown>();
    loop.set_exception_handler((_loop, { exception }) => told.set_result(exception));
    const ssl = how === "ssl" ? identity : { ...identity, caCerts: [ca] };
    const server = await asyncio.start_server(
      async (_reader, writer) => await writer.start_tls(identity),
      LOOPBACK,
      0,
      how === "start_tls()" ? {} : { ssl },
    );
    const [reader, writer] = await asyncio.open_connection(LOOPBACK, port_of(server));
    writer.write_eof();
    await reader.read();
    assertInstanceOf(await told, Deno.errors.UnexpectedEof);
    writer.close();
    server.close();
    await server.wait_closed();
    loop.set_exception_handler(null);
  });
}

Deno.test("a timeout or scope reaches a call of several waits that was made before it, as it does a future", async () => {
  // Cause: code that awaited a call of its own task was not linked to it, since the task's cancellation reaches both.
  await run_virtual(async () => {
    const condition = new asyncio.Condition();
    await condition.acquire();
    assertEquals((await error_of(asyncio.wait_for(condition.wait(), 1))).name, "TimeoutError");
    assert(condition.locked());
    condition.release();

    const { log, text } = new Transcript();
    const lock = new asyncio.Lock();
    const holding = asyncio.async_with(lock, async () => {
      try {
        await asyncio.sleep(3600);
      } finally {
        await asyncio.sleep(1);
        log(`left at ${asyncio.get_running_loop().time()}`);
      }
    });
    const scope = asyncio.move_on_after(5);
    await asyncio.async_with(scope, () => asyncio.async_with(new asyncio.CancelScope(), () => holding));
    assertEquals([text(), scope.cancelled_caught, holding.cancelled()], ["left at 7", true, true]);

    // What cancels both does so once.
    const task = asyncio.create_task(async () => {
      const sleeping = asyncio.async_with(lock, () => asyncio.sleep(3600));
      await asyncio.async_with(asyncio.timeout(100), () => sleeping).catch((error) => log((error as Error).name));
      await asyncio.sleep(1);
      log("went on");
    });
    await asyncio.sleep(1);
    task.cancel();
    await task;
    assertEquals(text(), "left at 7 CancelledError went on");
  });
});

Deno.test("cancel() of a call is not swallowed by a scope inside that is cancelled as well", async () => {
  // Cause: only requests to a task, and those of timeouts and groups, were counted.
  await run_virtual(async () => {
    const inner = asyncio.move_on_after(1);
    const call = asyncio.async_with(new asyncio.Lock(), async () => {
      await asyncio.async_with(inner, async () => {
        try {
          await asyncio.sleep(3600);
        } finally {
          await asyncio.async_with(new asyncio.CancelScope({ shield: true }), () => asyncio.sleep(10));
        }
      });
      return "went on";
    });
    await asyncio.sleep(5);
    call.cancel();
    assertEquals((await error_of(call)).name, "CancelledError");
    assertEquals([inner.cancelled_caught, asyncio.get_running_loop().time()], [false, 5]);
  });
});

Deno.test("gather() ends when a child throws what is no error", async () => {
  // Cause: only an error could end its future, so that it waited for ever.
  await run_virtual(async () => {
    const reports = collect_reports();
    for (const thrown of ["text", 5, RangeError]) {
      assertEquals(await error_of(asyncio.gather(() => asyncio.sleep(1), () => Promise.reject(thrown))), thrown);
    }
    assertEquals((await error_of(asyncio.gather(() => Promise.reject(null)))).message, "Thrown: null");
    assertEquals(reports, []);
  });
});

Deno.test("open_connection() throws the reason of its signal, be it an error or not", async () => {
  // Cause: only an error could end its future; the listener threw, which ended the process.
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  for (const reason of ["a text", RangeError, new RangeError("enough")]) {
    const already = { signal: AbortSignal.abort(reason) };
    assertEquals(await error_of(asyncio.open_connection("127.0.0.1", listener.addr.port, already)), reason);
    const controller = new AbortController();
    const opening = asyncio.open_connection("127.0.0.1", listener.addr.port, { signal: controller.signal });
    controller.abort(reason);
    assertEquals(await error_of(opening), reason);
  }
  await asyncio.sleep(0.01);
});

Deno.test("to cancel one of many blocks of a task costs no more than the block", async () => {
  // Cause: the waits of a task were one list, and its signals another.
  await assert_linear((size) =>
    run_virtual(async () => {
      const blocks = Array.from({ length: size }, () => asyncio.wait_for(() => asyncio.sleep(3600), 1).catch(() => {}));
      await Promise.all(blocks);
    }), 8_000);
  await assert_linear((size) =>
    run_virtual(async () => {
      const read_signal = () => void asyncio.current_task()!.signal;
      for (let i = 0; i < size; i++) await asyncio.async_with(asyncio.timeout(1), read_signal);
    }), 8_000);
});

Deno.test("many waits with one signal cost no more each than a few", async () => {
  // Cause: each had a listener of its own, and Deno looks through all of them to add one and to take one away.
  await assert_linear((size) =>
    run_virtual(async () => {
      const queue = new asyncio.Queue<number>();
      const { signal } = new AbortController();
      const waiting = Array.from({ length: size }, () => queue.get({ signal }));
      for (let i = 0; i < size; i++) queue.put_nowait(i);
      await waiting[size - 1];
    }), 16_000);
});

Deno.test("a signal that somebody waited with does not keep the process alive", async () => {
  const { code, stdout, stderr } = await run_program(`
    const queue = new asyncio.Queue<number>();
    const signal = AbortSignal.timeout(30_000);
    const waiting = [queue.get({ signal }), queue.get({ signal })];
    queue.put_nowait(1);
    queue.put_nowait(2);
    console.log(await Promise.all(waiting));
    Deno.unrefTimer(setTimeout(() => { console.log("still alive"); Deno.exit(1); }, 10_000));
  `);
  assertEquals([code, stdout.trim(), stderr], [0, "[ 1, 2 ]", ""]);
});
