import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";
import type { RawConn, RawListener } from "../lib/_deno.ts";
import { SYSTEM_NETWORK } from "../lib/_deno_net.ts";
import { collect_reports, error_of, run_virtual } from "./_helpers.ts";
import { bytes, FakeConn, for_turns, LOOPBACK, MIB, port_of, read_all, text, until } from "./_streams.ts";

async function echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter): Promise<void> {
  for await (const line of reader) writer.write(line);
}

function connect(server: asyncio.Server): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: LOOPBACK, port: port_of(server) });
}

async function read_text(conn: Deno.TcpConn): Promise<string> {
  return text(await read_all(conn));
}

// Handlers

Deno.test("a server serves several clients at once", async () => {
  await using server = await asyncio.start_server(echo, LOOPBACK, 0);
  await asyncio.gather(...[1, 2, 3, 4, 5].map((n) => async () => {
    const [reader, writer] = await asyncio.open_connection(LOOPBACK, port_of(server));
    for (let i = 0; i < 5; i++) {
      writer.write(`${n}:${i}\n`);
      assertEquals(text(await reader.readline()), `${n}:${i}\n`);
      await asyncio.sleep(0);
    }
    writer.close();
    await writer.wait_closed();
  }));
});

Deno.test("when an async handler ends, what it wrote is flushed and its connection closed", async () => {
  await using server = await asyncio.start_server(
    async (_reader, writer) => {
      await asyncio.sleep(0);
      writer.write(new Uint8Array(MIB));
    },
    LOOPBACK,
    0,
  );
  using conn = await connect(server);
  assertEquals((await read_all(conn)).length, MIB);
});

Deno.test("a plain callback leaves the connection to whoever it gave it to", async () => {
  const writers: asyncio.StreamWriter[] = [];
  await using server = await asyncio.start_server((_reader, writer) => void writers.push(writer), LOOPBACK, 0);
  using conn = await connect(server);
  await until(() => writers.length === 1, "the client is connected");
  await for_turns(5);
  assert(!writers[0].is_closing());
  writers[0].write("later");
  writers[0].close();
  assertEquals(await read_text(conn), "later");
});

for (const kind of ["an async handler", "a plain callback"]) {
  Deno.test(`${kind} that throws is reported once with the peer's address, and its connection closed`, async () => {
    await asyncio.run(async () => {
      const reports = collect_reports();
      const failure = new Error("handler failed");
      const callback = kind === "an async handler"
        ? async (_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) => {
          writer.write("so far");
          await asyncio.sleep(0);
          throw failure;
        }
        : (_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) => {
          writer.write("so far");
          throw failure;
        };
      const server = await asyncio.start_server(callback, LOOPBACK, 0);
      using conn = await connect(server);
      assertEquals(await read_text(conn), "so far");
      server.close();
      await server.wait_closed();
      assertEquals(reports.length, 1);
      assertStrictEquals(reports[0].exception, failure);
      const port = (conn.localAddr as Deno.NetAddr).port;
      assertEquals(reports[0].message, `Unhandled exception in client_connected_cb, peer ${LOOPBACK}:${port}`);
    });
  });
}

Deno.test("a handler that is cancelled closes its connection, and is not reported", async () => {
  await asyncio.run(async () => {
    const reports = collect_reports();
    let handler: asyncio.Task<unknown> | null = null;
    const server = await asyncio.start_server(
      async (reader, writer) => {
        writer.write("hello");
        handler = asyncio.current_task();
        await reader.read();
      },
      LOOPBACK,
      0,
    );
    using conn = await connect(server);
    await until(() => handler !== null, "the handler runs");
    handler!.cancel();
    assertEquals(await read_text(conn), "hello");
    server.close();
    await server.wait_closed();
    assertEquals(reports, []);
  });
});

Deno.test("a client that resets its connection ends its handler, and no other", async () => {
  await asyncio.run(async () => {
    const reports = collect_reports();
    const server = await asyncio.start_server(echo, LOOPBACK, 0);
    const { connect: node_connect } = await import("node:net");
    const socket = node_connect(port_of(server), LOOPBACK);
    await new Promise((resolve) => socket.once("connect", resolve));
    await until(() => Deno.inspect(server).includes("connections=1"), "it is accepted");
    using other = await connect(server);
    socket.resetAndDestroy();
    await until(() => reports.length === 1, "the handler has ended");
    assertInstanceOf(reports[0].exception, asyncio.ConnectionResetError);
    await other.write(bytes("ping\n"));
    await other.closeWrite();
    assertEquals(await read_text(other), "ping\n");
    server.close();
    await server.wait_closed();
  });
});

// close() and wait_closed()

Deno.test("Server.wait_closed() waits for the clients of a closed server", async () => {
  const server = await asyncio.start_server(echo, LOOPBACK, 0);
  const conn = await connect(server);
  await until(() => Deno.inspect(server).includes("connections=1"), "the client is connected");
  server.close();
  const waiting = server.wait_closed();
  await for_turns(5);
  assert(!waiting.done());
  await conn.write(bytes("still served\n"));
  await conn.closeWrite();
  assertEquals(await read_text(conn), "still served\n");
  conn.close();
  await waiting;
  await server.wait_closed();
});

Deno.test("Server.wait_closed() of an open server without clients waits for close()", async () => {
  const server = await asyncio.start_server(echo, LOOPBACK, 0);
  const waiting = server.wait_closed();
  const cancelled = server.wait_closed();
  await for_turns(5);
  assert(!waiting.done());
  cancelled.cancel();
  server.close();
  server.close();
  await waiting;
});

Deno.test("Server.wait_closed() waits for close() when the last client has gone", async () => {
  const server = await asyncio.start_server(echo, LOOPBACK, 0);
  const conn = await connect(server);
  await until(() => Deno.inspect(server).includes("connections=1"), "the client is connected");
  const waiting = server.wait_closed();
  conn.close();
  await until(() => Deno.inspect(server).includes("connections=0"), "the client is gone");
  await for_turns(2);
  assert(!waiting.done());
  server.close();
  await waiting;
});

Deno.test("the port can be bound again after Server.wait_closed()", async () => {
  let server = await asyncio.start_server(echo, LOOPBACK, 0);
  const port = port_of(server);
  for (let i = 0; i < 5; i++) {
    server.close();
    await server.wait_closed();
    server = await asyncio.start_server(echo, LOOPBACK, port);
    (await connect(server)).close();
  }
  await server[Symbol.asyncDispose]();
});

Deno.test("a closed server has no sockets, serves nobody and cannot start again", async () => {
  const server = await asyncio.start_server(echo, LOOPBACK, 0);
  const port = port_of(server);
  assert(server.is_serving());
  server.close();
  assertEquals([server.is_serving(), server.sockets], [false, []]);
  await server.wait_closed();
  await assertRejects(() => Deno.connect({ hostname: LOOPBACK, port }), Deno.errors.ConnectionRefused);
  const closed = "server <Server closed sockets=[] connections=0> is closed";
  assertThrows(() => server.start_serving(), asyncio.RuntimeError, closed);
  assertThrows(() => server.serve_forever(), asyncio.RuntimeError, closed);
});

Deno.test("Server.close_clients() closes every connection after what was written to it", async () => {
  const server = await asyncio.start_server(
    async (reader, writer) => {
      writer.write("bye");
      await reader.read();
    },
    LOOPBACK,
    0,
  );
  const conns = [await connect(server), await connect(server)];
  await until(() => Deno.inspect(server).includes("connections=2"), "both are connected");
  server.close();
  server.close_clients();
  for (const conn of conns) {
    assertEquals(await read_text(conn), "bye");
    conn.close();
  }
  await server.wait_closed();
});

Deno.test("Server.abort_clients() ends connections whose peers do not read", async () => {
  const server = await asyncio.start_server(
    async (reader, writer) => {
      writer.write(new Uint8Array(16 * MIB));
      writer.close();
      await reader.read();
    },
    LOOPBACK,
    0,
  );
  using _conn = await connect(server);
  await until(() => Deno.inspect(server).includes("connections=1"), "the client is connected");
  server.close();
  await assertRejects(() => asyncio.wait_for(server.wait_closed(), 0.05).then(), asyncio.TimeoutError);
  server.abort_clients();
  await server.wait_closed();
});

// Starting

Deno.test("a server with start_serving false accepts nobody until start_serving()", async () => {
  const server = await asyncio.start_server(echo, LOOPBACK, 0, { start_serving: false });
  assert(!server.is_serving());
  using conn = await connect(server);
  await conn.write(bytes("early\n"));
  await conn.closeWrite();
  await for_turns(10);
  assertEquals(Deno.inspect(server).includes("connections=0"), true);
  await server.start_serving();
  await server.start_serving();
  assert(server.is_serving());
  assertEquals(await read_text(conn), "early\n");
  server.close();
  await server.wait_closed();
});

Deno.test("a server that never served can be closed", async () => {
  const server = await asyncio.start_server(echo, LOOPBACK, 0, { start_serving: false });
  server.close();
  await server.wait_closed();
});

Deno.test("serve_forever() that is cancelled closes the server, waits for its clients and is cancelled", async () => {
  await asyncio.run(async () => {
    const server = await asyncio.start_server(echo, LOOPBACK, 0, { start_serving: false });
    const task = asyncio.create_task(() => server.serve_forever());
    using conn = await connect(server);
    await until(() => Deno.inspect(server).includes("connections=1"), "the client is connected");
    task.cancel();
    await for_turns(5);
    assert(!server.is_serving());
    assert(!task.done());
    await conn.closeWrite();
    await assertRejects(() => task.then(), asyncio.CancelledError);
    assert(task.cancelled());
    await server.wait_closed();
  });
});

Deno.test("serve_forever() ends with CancelledError when the server is closed", async () => {
  await asyncio.run(async () => {
    const server = await asyncio.start_server(echo, LOOPBACK, 0);
    const task = asyncio.create_task(() => server.serve_forever());
    await asyncio.sleep(0);
    server.close();
    await assertRejects(() => task.then(), asyncio.CancelledError);
  });
});

Deno.test("serve_forever() twice at once is a RuntimeError", async () => {
  await asyncio.run(async () => {
    const server = await asyncio.start_server(echo, LOOPBACK, 0);
    const serving = server.serve_forever();
    const error = await error_of(Promise.try(() => server.serve_forever()));
    assertInstanceOf(error, asyncio.RuntimeError);
    assert(error.message.endsWith("is already being awaited on serve_forever()"), error.message);
    serving.cancel();
    await assertRejects(() => serving.then(), asyncio.CancelledError);
  });
});

Deno.test("await using closes a server, and aborts what is left", async () => {
  let port: number;
  {
    await using server = await asyncio.start_server(
      async (reader) => void await reader.read(),
      LOOPBACK,
      0,
    );
    port = port_of(server);
    using conn = await connect(server);
    await until(() => Deno.inspect(server).includes("connections=1"), "the client is connected");
    void conn;
  }
  using _listener = Deno.listen({ hostname: LOOPBACK, port });
});

Deno.test("async_with(server) serves, and closes at the end", async () => {
  const server = await asyncio.start_server(echo, LOOPBACK, 0, { start_serving: false });
  const answer = await asyncio.async_with(server, async (entered) => {
    assertStrictEquals(entered, server);
    assert(server.is_serving());
    using conn = await connect(server);
    await conn.write(bytes("ping\n"));
    await conn.closeWrite();
    return await read_text(conn);
  });
  assertEquals(answer, "ping\n");
  assert(!server.is_serving());
  await server.wait_closed();
});

Deno.test("a server's loop is the one it was started on", async () => {
  await asyncio.run(async () => {
    await using server = await asyncio.start_server(echo, LOOPBACK, 0);
    assertStrictEquals(server.get_loop(), asyncio.get_running_loop());
  });
});

// Addresses

for (const host of [null, ""]) {
  Deno.test(`start_server() on host ${JSON.stringify(host)} listens on all of the machine's addresses`, async () => {
    await using server = await asyncio.start_server(echo, host, 0);
    assertEquals(server.sockets.length, 1);
    using conn = await connect(server);
    await conn.write(bytes("ping\n"));
    await conn.closeWrite();
    assertEquals(await read_text(conn), "ping\n");
  });
}

Deno.test("start_server() on a list of hosts listens on each, with a limit and a backlog for all", async () => {
  const messages: string[] = [];
  await using server = await asyncio.start_server(
    async (reader, writer) => {
      messages.push((await error_of(reader.readline())).name);
      writer.write("done");
    },
    ["127.0.0.1", "127.0.0.2"],
    0,
    { limit: 3, backlog: 5 },
  );
  assertEquals(server.sockets.map((socket) => (socket.getsockname() as [string, number])[0]), [
    "127.0.0.1",
    "127.0.0.2",
  ]);
  for (const socket of server.sockets) {
    assertEquals([socket.family, socket.getpeername()], ["AF_INET", null]);
    const [hostname, port] = socket.getsockname() as [string, number];
    using conn = await Deno.connect({ hostname, port });
    await conn.write(bytes("too long\n"));
    assertEquals(await read_text(conn), "done");
  }
  assertEquals(messages, ["LimitOverrunError", "LimitOverrunError"]);
});

Deno.test("start_server() on a port that is taken is Deno's AddrInUse with the address, and leaves nothing open", async () => {
  using listener = Deno.listen({ hostname: LOOPBACK, port: 0 });
  const { port } = listener.addr;
  const error = await error_of(asyncio.start_server(echo, ["127.0.0.2", LOOPBACK], port));
  assertInstanceOf(error, Deno.errors.AddrInUse);
  assertEquals(error.code, "EADDRINUSE");
  assert(error.message.startsWith(`Cannot listen on ${LOOPBACK}:${port}: `), error.message);
});

Deno.test("start_server() refuses wrong arguments by name and value", () => {
  // deno-lint-ignore no-explicit-any
  const start = asyncio.start_server as (...args: any[]) => unknown;
  const cases: [unknown[], new () => Error, string][] = [
    [[undefined, LOOPBACK, 0], TypeError, '"client_connected_cb" must be a function, got undefined'],
    [[echo, 5, 0], TypeError, '"host" must be a string or null, got 5'],
    [[echo, [LOOPBACK, 5], 0], TypeError, '"host" must be a string or null, got 5'],
    [[echo, LOOPBACK, -1], RangeError, '"port" must be a whole number from 0 to 65535, got -1'],
    [[echo, LOOPBACK, 65536], RangeError, '"port" must be a whole number from 0 to 65535, got 65536'],
    [[echo, LOOPBACK], TypeError, '"port" must be a number, got undefined'],
    [
      [echo, LOOPBACK, 0, { keep_alive: true }],
      TypeError,
      'Unknown option "keep_alive": known are "limit", "backlog", "ssl"',
    ],
    [[echo, LOOPBACK, 0, { limit: -1 }], RangeError, '"limit" must be above 0, got -1'],
    [[echo, LOOPBACK, 0, { backlog: 0 }], RangeError, '"backlog" must be 1 or more, got 0'],
    [[echo, LOOPBACK, 0, { backlog: "5" }], TypeError, '"backlog" must be a number, got "5"'],
    [[echo, LOOPBACK, 0, { max_connections: 0 }], RangeError, '"max_connections" must be 1 or more, got 0'],
    [[echo, LOOPBACK, 0, { family: 4 }], TypeError, '"family" must be "AF_INET" or "AF_INET6", got 4'],
    [[echo, LOOPBACK, 0, { reuse_port: 1 }], TypeError, '"reuse_port" must be a boolean, got 1'],
    [[echo, LOOPBACK, 0, { start_serving: 1 }], TypeError, '"start_serving" must be a boolean, got 1'],
  ];
  for (const [args, error_class, message] of cases) {
    assertThrows(() => start(...args), error_class, message, Deno.inspect(args));
  }
});

// Failing accepts

/** A listener that a test makes fail. */
class FakeListener implements RawListener {
  readonly addr: Deno.Addr = { transport: "tcp", hostname: LOOPBACK, port: 1 };
  /** The times at which it was asked for a connection. */
  readonly asked: number[] = [];
  #answer = Promise.withResolvers<RawConn>();

  accept(): Promise<RawConn> {
    this.asked.push(asyncio.get_running_loop().time());
    this.#answer = Promise.withResolvers();
    return this.#answer.promise;
  }

  async answer(conn: RawConn): Promise<void> {
    this.#answer.resolve(conn);
    await for_turns(1);
  }

  async fail(error: Error): Promise<void> {
    this.#answer.reject(error);
    await for_turns(1);
  }

  close(): void {
    this.#answer.reject(new Deno.errors.BadResource("Listener has been closed"));
  }
}

/** A server of the running loop that accepts from the test's listener. */
async function serve_fake(
  listener: FakeListener,
  callback: asyncio.ClientConnectedCallback = () => {},
): Promise<asyncio.Server> {
  Object.assign(asyncio.get_running_loop(), { _network: { ...SYSTEM_NETWORK, listen_tcp: () => listener } });
  return await asyncio.start_server(callback, LOOPBACK, 0);
}

function too_many_files(): Error {
  return Object.assign(new Error("Too many open files (os error 24)"), { code: "EMFILE" });
}

Deno.test("a server that runs out of descriptors reports it, waits a second, and goes on", async () => {
  await run_virtual(async () => {
    const reports = collect_reports();
    const listener = new FakeListener();
    const accepted: asyncio.StreamWriter[] = [];
    const server = await serve_fake(listener, (_reader, writer) => accepted.push(writer));
    for (let i = 0; i < 3; i++) {
      await listener.fail(too_many_files());
      await asyncio.sleep(1.5);
    }
    assertEquals(listener.asked, [0, 1, 2.5, 4]);
    assertEquals(reports.map((report) => report.message), Array(3).fill("Exception in accept()"));
    await listener.answer(new FakeConn());
    await for_turns(2);
    assertEquals(accepted.length, 1);
    server.close();
    accepted[0].close();
    await server.wait_closed();
  });
});

Deno.test("a connection that was gone before it was accepted does not pause the server", async () => {
  await run_virtual(async () => {
    const reports = collect_reports();
    const listener = new FakeListener();
    const server = await serve_fake(listener);
    await listener.fail(new asyncio.ConnectionAbortedError("gone"));
    assertEquals(listener.asked, [0, 0]);
    assertEquals(reports.length, 1);
    server.close();
    await server.wait_closed();
  });
});

Deno.test("a server that is closed while it pauses does not wait for the pause to end", async () => {
  await run_virtual(async () => {
    collect_reports();
    const loop = asyncio.get_running_loop();
    const listener = new FakeListener();
    const server = await serve_fake(listener);
    await listener.fail(too_many_files());
    server.close();
    await server.wait_closed();
    assertEquals(loop.time(), 0);
    assertEquals(listener.asked.length, 1);
  });
});

Deno.test("a connection that arrives while the server closes is closed unseen", async () => {
  await run_virtual(async () => {
    const listener = new FakeListener();
    let seen = 0;
    const server = await serve_fake(listener, () => seen++);
    const conn = new FakeConn();
    const answering = listener.answer(conn);
    server.close();
    await answering;
    await server.wait_closed();
    assertEquals([seen, conn.calls], [0, ["close"]]);
  });
});

Deno.test("a server prints its state, sockets and connections", async () => {
  const server = await asyncio.start_server(echo, LOOPBACK, 0);
  assertEquals(Deno.inspect(server), `<Server serving sockets=[["${LOOPBACK}",${port_of(server)}]] connections=0>`);
  server.close();
  await server.wait_closed();
});

Deno.test("a program whose main coroutine returns with a server and a connection open ends by itself", async () => {
  const program = `
    import * as asyncio from ${JSON.stringify(new URL("../mod.ts", import.meta.url).href)};
    await asyncio.run(async () => {
      const server = await asyncio.start_server((reader) => void reader.read(1), "127.0.0.1", 0);
      const [host, port] = server.sockets[0].getsockname() as [string, number];
      const [reader, writer] = await asyncio.open_connection(host, port);
      void reader.read(1);
      writer.write("last words");
    });
    console.log("end");
  `;
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/main.ts`, program);
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--allow-net", `${folder}/main.ts`],
      stderr: "inherit",
      signal: AbortSignal.timeout(20_000),
    }).output();
    assertEquals([code, new TextDecoder().decode(stdout)], [0, "end\n"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
