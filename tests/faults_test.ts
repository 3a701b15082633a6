// What can go wrong with a connection, and that every call comes to an end then: the table of faults.

import { connect, createServer, type Socket } from "node:net";
import { assert, assertEquals, assertInstanceOf, assertMatch } from "@std/assert";
import * as asyncio from "../mod.ts";
import { certificates } from "./_certificates.ts";
import { error_of, spawn_program } from "./_helpers.ts";
import {
  for_turns,
  LOOPBACK,
  MIB,
  pattern,
  port_of,
  same_bytes,
  type Streams,
  text,
  until,
  with_node_peer,
  with_pair,
} from "./_streams.ts";

/** Seconds that anything here may take. */
const BOUND = 10;

type Kind = "TCP" | "TLS";
const KINDS: readonly Kind[] = ["TCP", "TLS"];

/** A client whose connection goes through a relay, which can break it. */
interface Breakable {
  readonly client: Streams;
  readonly server: Streams;
  /** The relay stops passing on what the client sends. */
  clog(): void;
  /** Both ends get a reset. */
  reset(): void;
  /** The client gets the end of the connection, in the middle of everything; over TLS that is no goodbye. */
  cut(): void;
}

async function with_breakable(kind: Kind, body: (breakable: Breakable) => Promise<void>): Promise<void> {
  const { ca, server: identity } = await certificates();
  const accepted = new asyncio.Future<{ streams: Streams }>();
  const server = await asyncio.start_server(
    (reader, writer) => accepted.set_result({ streams: [reader, writer] }),
    LOOPBACK,
    0,
    kind === "TLS" ? { ssl: identity } : {},
  );
  let sockets: [down: Socket, up: Socket] | null = null;
  const relay = createServer({ allowHalfOpen: true }, (down) => {
    const up = connect({ host: LOOPBACK, port: port_of(server), allowHalfOpen: true });
    sockets = [down, up];
    for (const socket of sockets) socket.on("error", () => {});
    down.pipe(up);
    up.pipe(down);
  });
  await new Promise<void>((resolve) => relay.listen(0, LOOPBACK, resolve));
  const { port } = relay.address() as { port: number };
  const client = await asyncio.open_connection(LOOPBACK, port, kind === "TLS" ? { ssl: { caCerts: [ca] } } : {});
  const { streams } = await accepted;
  try {
    await body({
      client,
      server: streams,
      clog: () => void sockets![0].unpipe().pause(),
      reset: () => sockets!.forEach((socket) => socket.resetAndDestroy()),
      cut: () => {
        sockets![1].unpipe();
        sockets![0].end();
      },
    });
  } finally {
    for (const [, writer] of [client, streams]) writer.abort();
    for (const socket of sockets!) socket.destroy();
    await new Promise<void>((resolve) => relay.close(() => resolve()));
    await server.shutdown({ timeout: 0 });
  }
}

/** The error of a call, or `null`; fails if the call does not end. */
async function end_of(call: () => PromiseLike<unknown>): Promise<unknown> {
  try {
    await asyncio.wait_for(async () => void await call(), BOUND);
    return null;
  } catch (error) {
    assert(!(error instanceof asyncio.TimeoutError), "the call does not end");
    return error;
  }
}

function assert_loss(error: unknown): void {
  assert(
    error instanceof asyncio.ConnectionResetError || error instanceof asyncio.BrokenPipeError,
    `a lost connection, got ${String(error)}`,
  );
}

// A reset before, during and after each call

const READS: readonly [name: string, read: (reader: asyncio.StreamReader) => PromiseLike<unknown>][] = [
  ["read()", (reader) => reader.read()],
  ["read(1)", (reader) => reader.read(1)],
  ["readline()", (reader) => reader.readline()],
  ["readexactly()", (reader) => reader.readexactly(9)],
  ["readuntil()", (reader) => reader.readuntil("never")],
  ["lines()", (reader) => reader.lines().next()],
  ["frames()", (reader) => reader.frames().next()],
  ["peek()", (reader) => reader.peek(9, { at_least: 9 })],
  ["wait_eof()", (reader) => reader.wait_eof()],
  ["readable", (reader) => reader.readable.getReader({ mode: "byob" }).read(new Uint8Array(9), { min: 9 })],
  ["pipe()", async (reader) => {
    await using writer = asyncio.StreamWriter.to(new WritableStream());
    await asyncio.pipe(reader, writer);
  }],
];

for (const kind of KINDS) {
  for (const [name, read] of READS) {
    Deno.test(`${kind}: a reset before or during ${name} fails it, and every read after it, with ConnectionResetError`, async () => {
      for (const when of ["before", "during"] as const) {
        await with_breakable(kind, async ({ client: [reader, writer], reset }) => {
          if (when === "before") reset();
          const ending = end_of(() => read(reader));
          if (when === "during") {
            await for_turns(2);
            reset();
          }
          assertInstanceOf(await ending, asyncio.ConnectionResetError);
          assertInstanceOf(await end_of(() => reader.read()), asyncio.ConnectionResetError);
          assert_loss(await end_of(() => writer.drain()));
          assertEquals(await end_of(() => writer.wait_closed()), null);
        });
      }
    });
  }

  Deno.test(`${kind}: what came before a reset is read first`, async () => {
    await with_breakable(kind, async ({ client: [reader], server: [, peer_writer], reset }) => {
      peer_writer.write("a\nbc");
      await reader.peek(4, { at_least: 4 });
      reset();
      assertEquals(text(await reader.readline()), "a\n");
      assertInstanceOf(await end_of(() => reader.readline()), asyncio.ConnectionResetError);
      assertEquals(text(await reader.readexactly(2)), "bc");
      assertInstanceOf(await end_of(() => reader.read()), asyncio.ConnectionResetError);
    });
  });

  for (const name of ["drain", "flush", "send", "pipe", "writable"] as const) {
    Deno.test(`${kind}: a reset fails ${name}() of a writer whose peer does not read`, async () => {
      await with_breakable(kind, async ({ client: [, writer], clog, reset }) => {
        clog();
        const data = new Uint8Array(16 * MIB);
        const source = new asyncio.StreamReader();
        source.feed_data(data);
        source.feed_eof();
        const ending = end_of(() => {
          if (name === "send") return writer.send(data);
          if (name === "pipe") return asyncio.pipe(source, writer);
          if (name === "writable") return writer.writable.getWriter().write(data);
          writer.write(data);
          return writer[name]();
        });
        const closing = end_of(() => writer.wait_closed());
        await until(() => writer.statistics().bytes_written > 0, "something was sent");
        await for_turns(5);
        reset();
        const error = await ending;
        assert_loss(error);
        writer.close();
        assert_loss(await closing);
        assertEquals(await end_of(() => writer.wait_closed()), await closing);
        assertEquals(writer.transport.get_write_buffer_size(), 0);
      });
    });
  }

  Deno.test(`${kind}: a reset before write(), drain(), flush(), write_eof() and close() hangs none of them`, async () => {
    for (const first of ["write", "write_eof", "close", "wait_closed"] as const) {
      await with_breakable(kind, async ({ client: [, writer], reset }) => {
        const closing = first === "wait_closed" ? end_of(() => writer.wait_closed()) : null;
        reset();
        if (first === "write") writer.write("lost?");
        if (first === "write_eof") writer.write_eof();
        if (first === "close") writer.close();
        for (const call of [() => writer.drain(), () => writer.flush()]) {
          const error = await end_of(call);
          if (error !== null) assert_loss(error);
        }
        writer.write_eof();
        writer.close();
        const ends = [await end_of(() => writer.wait_closed()), await end_of(() => writer.wait_closed())];
        assertEquals(ends[0], ends[1]);
        if (closing !== null) assertEquals(await closing, null);
      });
    }
  });

  Deno.test(`${kind}: close() under way ends when the peer resets, and tells that bytes were lost`, async () => {
    await with_breakable(kind, async ({ client: [, writer], clog, reset }) => {
      clog();
      writer.write(new Uint8Array(16 * MIB));
      writer.close();
      const ending = end_of(() => writer.wait_closed());
      await until(() => writer.statistics().bytes_written > 0, "something was sent");
      await for_turns(5);
      reset();
      assert_loss(await ending);
    });
  });

  Deno.test(`${kind}: either side may close its half first, and both get everything`, async () => {
    for (const first of [0, 1]) {
      await with_breakable(kind, async ({ client, server }) => {
        const [own, peer] = first === 0 ? [client, server] : [server, client];
        own[1].write("question");
        own[1].write_eof();
        assertEquals(text(await peer[0].read()), "question");
        peer[1].write(pattern(MIB));
        peer[1].write_eof();
        assert(same_bytes(await own[0].read(), pattern(MIB)));
        for (const [, writer] of [own, peer]) {
          writer.close();
          assertEquals(await end_of(() => writer.wait_closed()), null);
        }
      });
    }
  });
}

Deno.test("TLS: a peer that goes without close_notify fails every kind of read, behind what came before", async () => {
  for (const [name, read] of READS) {
    await with_breakable("TLS", async ({ client: [reader], server: [, peer_writer], cut }) => {
      peer_writer.write("before");
      assertEquals(text(await reader.readexactly(6)), "before");
      const ending = end_of(() => read(reader));
      await for_turns(2);
      cut();
      assertInstanceOf(await ending, Deno.errors.UnexpectedEof, name);
    });
  }
});

Deno.test("start_tls() ends when the peer resets before, at or during the handshake", async () => {
  for (const when of ["before", "at once", "during"] as const) {
    await with_node_peer(async ([reader, writer], peer) => {
      if (when === "before") peer.resetAndDestroy();
      const ending = end_of(() => writer.start_tls(true, { server_hostname: "localhost" }));
      if (when === "at once") peer.resetAndDestroy();
      if (when === "during") peer.once("data", () => peer.resetAndDestroy());
      assertInstanceOf(await ending, Error);
      assertEquals(writer.is_closing(), true);
      assertEquals(await end_of(() => writer.wait_closed()), null);
      await end_of(() => reader.read());
    });
  }
});

// Handshakes

for (const how of ["ssl", "start_tls()"]) {
  Deno.test(`a handshake with a peer that sends garbage, or nothing, ends on the server's side: ${how}`, async () => {
    const { server: identity } = await certificates();
    const loop = asyncio.get_event_loop();
    const cases: [send: string, kind: new () => Error][] = [
      ["GET / HTTP/1.0\r\n\r\n", Deno.errors.InvalidData],
      ["x", Deno.errors.InvalidData],
      ["", asyncio.ConnectionAbortedError],
    ];
    for (const [send, kind] of cases) {
      const told = new asyncio.Future<unknown>();
      loop.set_exception_handler((_loop, { exception }) => told.set_result(exception));
      const ssl_handshake_timeout = send === "" ? 0.05 : 5;
      const server = await asyncio.start_server(
        async (_reader, writer) => await writer.start_tls(identity, { ssl_handshake_timeout }),
        LOOPBACK,
        0,
        how === "ssl" ? { ssl: identity, ssl_handshake_timeout } : {},
      );
      const [reader, writer] = await asyncio.open_connection(LOOPBACK, port_of(server));
      writer.write(send);
      assertInstanceOf(await asyncio.wait_for(told, BOUND), kind);
      await end_of(() => reader.read());
      writer.close();
      server.close();
      assertEquals(await end_of(() => server.wait_closed()), null);
      loop.set_exception_handler(null);
    }
  });

  Deno.test(`a handshake with a server that sends garbage, goes, or says nothing, ends on the client's side: ${how}`, async () => {
    const cases: [answer: (writer: asyncio.StreamWriter) => void, kind: new () => Error][] = [
      [(writer) => writer.write("HTTP/1.1 400 Bad Request\r\n\r\n"), Deno.errors.InvalidData],
      [(writer) => writer.write_eof(), Deno.errors.UnexpectedEof],
      [() => {}, asyncio.ConnectionAbortedError],
    ];
    for (const [answer, kind] of cases) {
      await using server = await asyncio.start_server(
        async (reader, writer) => {
          answer(writer);
          await reader.read();
        },
        LOOPBACK,
        0,
      );
      const limits = { ssl_handshake_timeout: kind === asyncio.ConnectionAbortedError ? 0.05 : 5 };
      const error = await end_of(async () => {
        if (how === "ssl") return await asyncio.open_connection(LOOPBACK, port_of(server), { ssl: true, ...limits });
        await using writer = (await asyncio.open_connection(LOOPBACK, port_of(server)))[1];
        await writer.start_tls(true, limits);
      });
      assertInstanceOf(error, kind);
    }
  });
}

Deno.test("a handshake that fails makes room for the next connection of a full server", async () => {
  const { ca, server: identity } = await certificates();
  const loop = asyncio.get_event_loop();
  let reports = 0;
  loop.set_exception_handler(() => void reports++);
  const server = await asyncio.start_server(
    async (reader, writer) => await writer.send(await reader.read()),
    LOOPBACK,
    0,
    {
      ssl: identity,
      max_connections: 1,
    },
  );
  const bad = await Promise.all([1, 2, 3].map(() => asyncio.open_connection(LOOPBACK, port_of(server))));
  const asking = asyncio.create_task(async () => {
    const [reader, writer] = await asyncio.open_connection(LOOPBACK, port_of(server), { ssl: { caCerts: [ca] } });
    writer.write("x");
    writer.write_eof();
    const answer = text(await reader.read());
    writer.close();
    await writer.wait_closed();
    return answer;
  });
  for (const [reader, writer] of bad) {
    assertEquals(asking.done(), false);
    writer.write("no handshake");
    writer.write_eof();
    await end_of(() => reader.read());
    writer.close();
  }
  assertEquals(await asyncio.wait_for(asking, BOUND), "x");
  assertEquals(reports, 3);
  server.close();
  assertEquals(await end_of(() => server.wait_closed()), null);
  loop.set_exception_handler(null);
});

Deno.test("shutdown() ends handshakes that are under way, without a report", async () => {
  const { server: identity } = await certificates();
  const loop = asyncio.get_event_loop();
  const reports: unknown[] = [];
  loop.set_exception_handler((_loop, { exception }) => void reports.push(exception));
  const server = await asyncio.start_server(() => {}, LOOPBACK, 0, { ssl: identity });
  const clients = await Promise.all([1, 2, 3].map(() => asyncio.open_connection(LOOPBACK, port_of(server))));
  await for_turns(5);
  assertEquals(await end_of(() => server.shutdown()), null);
  for (const [reader, writer] of clients) {
    await end_of(() => reader.read());
    writer.close();
  }
  assertEquals(reports, []);
  loop.set_exception_handler(null);
});

// No connection at all

Deno.test("a name that is not known and a port where nobody listens fail with what they are, also with TLS", async () => {
  const unused = Deno.listen({ hostname: LOOPBACK, port: 0 });
  const { port } = unused.addr;
  unused.close();
  for (const options of [{}, { ssl: true } as const]) {
    const unknown = await error_of(asyncio.open_connection("no-such-host.invalid", 80, options));
    assertMatch(unknown.message, /^Cannot connect to no-such-host.invalid:80: /);
    const refused = await error_of(asyncio.open_connection(LOOPBACK, port, options));
    assertInstanceOf(refused, asyncio.ConnectionRefusedError);
  }
});

/** A program of which at most 64 files can be open. */
function spawn_limited(program: string): Deno.ChildProcess {
  const library = new URL("../mod.ts", import.meta.url).href;
  return new Deno.Command("sh", {
    args: [
      "-c",
      'ulimit -n 64; exec "$0" eval --ext=ts "$1"',
      Deno.execPath(),
      `import * as asyncio from "${library}";\n${program}`,
    ],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function output_of(child: Deno.ChildProcess): Promise<[code: number, stdout: string, stderr: string]> {
  const { code, stdout, stderr } = await child.output();
  return [code, text(stdout), text(stderr)];
}

const EXHAUST = `
  const files: Deno.FsFile[] = [];
  const exhaust = () => {
    for (;;) {
      try {
        files.push(Deno.openSync("/dev/null"));
      } catch {
        return;
      }
    }
  };
  const relieve = () => files.splice(0).forEach((file) => file.close());
`;

Deno.test("a server that has no descriptors left says so, waits, survives and serves again", async () => {
  const child = spawn_limited(`${EXHAUST}
    const loop = asyncio.get_event_loop();
    const reported = new asyncio.Event();
    const reports: string[] = [];
    loop.set_exception_handler((_loop, { message, exception }) => {
      reports.push(message + ": " + (exception as { code?: string }).code);
      reported.set();
    });
    const server = await asyncio.start_server(async (reader, writer) => {
      await writer.send(await reader.readline());
    }, "127.0.0.1", 0);
    const [, port] = server.sockets[0].getsockname() as [string, number];
    const ask = async () => {
      const [reader, writer] = await asyncio.open_connection("127.0.0.1", port);
      writer.write("x\\n");
      const answer = new TextDecoder().decode(await reader.readline());
      writer.close();
      await writer.wait_closed();
      return answer;
    };
    console.log((await ask()).trim());
    exhaust();
    // Room for the client's end alone.
    files.pop()!.close();
    const asking = asyncio.create_task(ask);
    await reported.wait();
    relieve();
    console.log((await asking).trim());
    console.log((await ask()).trim());
    console.log(reports[0], reports.length < 4, server.is_serving());
    await server.shutdown();
  `);
  assertEquals(await output_of(child), [0, "x\nx\nx\nException in accept(): EMFILE true true\n", ""]);
});

Deno.test("open_connection() that has no descriptors left fails with EMFILE, and works once there are some", async () => {
  await using server = await asyncio.start_server(async (reader) => void await reader.read(), LOOPBACK, 0);
  const child = spawn_limited(`${EXHAUST}
    const [, first] = await asyncio.open_connection("127.0.0.1", ${port_of(server)});
    exhaust();
    for (let i = 0; i < 3; i++) {
      console.log(await asyncio.open_connection("127.0.0.1", ${port_of(server)}).catch((error) => error.code));
    }
    relieve();
    const [, second] = await asyncio.open_connection("127.0.0.1", ${port_of(server)});
    for (const writer of [first, second]) {
      writer.close();
      await writer.wait_closed();
    }
    console.log("end");
  `);
  assertEquals(await output_of(child), [0, "EMFILE\nEMFILE\nEMFILE\nend\n", ""]);
});

Deno.test("a writer whose peer's process was killed while it did not read is told so", async () => {
  const child = spawn_program(`
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    console.log(listener.addr.port);
    await listener.accept();
    setInterval(() => {}, 1000);
  `);
  const lines = asyncio.StreamReader.from(child.stdout);
  const port = Number(text(await lines.readline()));
  const [, writer] = await asyncio.open_connection(LOOPBACK, port);
  const ending = end_of(() => writer.send(new Uint8Array(16 * MIB)));
  await until(() => writer.statistics().bytes_written > 0, "something was sent");
  child.kill("SIGKILL");
  assert_loss(await ending);
  writer.close();
  assert_loss(await end_of(() => writer.wait_closed()));
  await child.status;
  await child.stderr.cancel();
  await lines[Symbol.asyncDispose]();
});

// Handlers and servers

for (const kind of KINDS) {
  for (const fate of ["throws", "returns early", "is cancelled"] as const) {
    Deno.test(`${kind}: a handler that ${fate} closes its connection, and the server goes on`, async () => {
      const { ca, server: identity } = await certificates();
      const loop = asyncio.get_event_loop();
      const reports: unknown[] = [];
      loop.set_exception_handler((_loop, { exception }) => void reports.push(exception));
      const failure = new Error("the handler's own");
      let count = 0;
      const server = await asyncio.start_server(
        async (reader, writer) => {
          if (++count > 1) return void await writer.send(await reader.readline());
          await writer.send("greeting");
          if (fate === "throws") throw failure;
          if (fate === "is cancelled") {
            asyncio.current_task()!.cancel();
            await reader.read();
          }
        },
        LOOPBACK,
        0,
        kind === "TLS" ? { ssl: identity } : {},
      );
      const options = kind === "TLS" ? { ssl: { caCerts: [ca] } } : {};
      const [reader, writer] = await asyncio.open_connection(LOOPBACK, port_of(server), options);
      assertEquals(text(await asyncio.wait_for(reader.read(), BOUND)), "greeting");
      writer.close();
      assertEquals(await end_of(() => writer.wait_closed()), null);
      const [next_reader, next_writer] = await asyncio.open_connection(LOOPBACK, port_of(server), options);
      next_writer.write("again\n");
      assertEquals(text(await asyncio.wait_for(next_reader.read(), BOUND)), "again\n");
      next_writer.close();
      server.close();
      assertEquals(await end_of(() => server.wait_closed()), null);
      assertEquals(reports, fate === "throws" ? [failure] : []);
      loop.set_exception_handler(null);
    });
  }

  Deno.test(`${kind}: connections live on when their server is closed, and wait_closed() waits for them`, async () => {
    await with_breakable(kind, async ({ client: [reader, writer], server: [peer_reader, peer_writer] }) => {
      const own = new asyncio.Future<{ streams: Streams }>();
      const { ca, server: identity } = await certificates();
      const second = await asyncio.start_server(
        (reader, writer) => own.set_result({ streams: [reader, writer] }),
        LOOPBACK,
        0,
        kind === "TLS" ? { ssl: identity } : {},
      );
      const options = kind === "TLS" ? { ssl: { caCerts: [ca] } } : {};
      const [late_reader, late_writer] = await asyncio.open_connection(LOOPBACK, port_of(second), options);
      const { streams } = await own;
      second.close();
      const closing = asyncio.create_task(() => second.wait_closed());
      streams[1].write("still here");
      assertEquals(text(await late_reader.readexactly(10)), "still here");
      assertEquals(closing.done(), false);
      late_writer.close();
      assertEquals((await streams[0].read()).length, 0);
      streams[1].close();
      assertEquals(await end_of(() => closing), null);
      // The other server's connection is none of its business.
      writer.write("x");
      assertEquals(text(await peer_reader.readexactly(1)), "x");
      peer_writer.write("y");
      assertEquals(text(await reader.readexactly(1)), "y");
    });
  });
}

// Written, then closed

type Pair = (body: (client: Streams, server: Streams) => Promise<void>) => Promise<void>;

async function with_unix_pair(body: Parameters<Pair>[0]): Promise<void> {
  const folder = await Deno.makeTempDir();
  const accepted = new asyncio.Future<{ streams: Streams }>();
  const server = await asyncio.start_unix_server(
    (reader, writer) => accepted.set_result({ streams: [reader, writer] }),
    `${folder}/socket`,
  );
  const client = await asyncio.open_unix_connection(`${folder}/socket`);
  try {
    await body(client, (await accepted).streams);
  } finally {
    client[1].abort();
    await server.shutdown({ timeout: 0 });
    await Deno.remove(folder, { recursive: true });
  }
}

const PAIRS: readonly [kind: string, with_pair: Pair][] = [
  ["TCP", with_pair],
  ["unix", with_unix_pair],
  ["TLS", (body) => with_breakable("TLS", ({ client, server }) => body(client, server))],
];

for (const [kind, with_streams] of PAIRS) {
  for (const side of ["client", "server"]) {
    Deno.test(`${kind}: 16 MiB that the ${side} wrote before close() all arrive, to a peer that starts to read late`, async () => {
      await with_streams(async (client, server) => {
        const [[, writer], [reader]] = side === "client" ? [client, server] : [server, client];
        const data = pattern(16 * MIB);
        writer.write(data);
        writer.close();
        const closing = end_of(() => writer.wait_closed());
        await for_turns(20);
        assert(same_bytes(await reader.read(), data));
        assertEquals(await closing, null);
      });
    });
  }
}
