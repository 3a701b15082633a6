import { assert, assertEquals, assertInstanceOf, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { TlsEngine } from "../lib/_tls_engine.ts";
import * as asyncio from "../mod.ts";
import { certificates } from "./_certificates.ts";
import { collect_reports, error_of } from "./_helpers.ts";
import { LOOPBACK, MIB, pattern, port_of, same_bytes, text, until } from "./_streams.ts";

/** A TLS server that echoes until the end of data. */
async function echo_server(
  options: Partial<asyncio.TlsServerOptions> = {},
  more: asyncio.StartServerOptions = {},
): Promise<asyncio.Server> {
  const { server } = await certificates();
  return await asyncio.start_server(
    async (reader, writer) => {
      for (;;) {
        const data = await reader.read(65536);
        if (data.length === 0) break;
        await writer.send(data);
      }
    },
    LOOPBACK,
    0,
    { ssl: { ...server, ...options }, ...more },
  );
}

async function connect(
  server: asyncio.Server,
  ssl: asyncio.TlsClientOptions = {},
  options: asyncio.OpenConnectionOptions = {},
): Promise<[asyncio.StreamReader, asyncio.StreamWriter]> {
  const { ca } = await certificates();
  return await asyncio.open_connection(LOOPBACK, port_of(server), { ssl: { caCerts: [ca], ...ssl }, ...options });
}

Deno.test("TLS: this version of Deno has the engine that the library would like to use", async () => {
  const { of } = TlsEngine;
  const found: boolean[] = [];
  TlsEngine.of = (socket) => {
    const engine = of(socket);
    found.push(engine !== null);
    return engine;
  };
  try {
    await using server = await echo_server();
    const [reader, writer] = await connect(server);
    await writer.send("x");
    assertEquals(text(await reader.readexactly(1)), "x");
    writer.close();
    await writer.wait_closed();
  } finally {
    TlsEngine.of = of;
  }
  assertEquals(found, [true, true]);
});

Deno.test("TLS: bytes that the engine does not take do not count as written", async () => {
  const { of } = TlsEngine;
  const engines: TlsEngine[] = [];
  TlsEngine.of = (socket) => {
    const engine = of(socket)!;
    engines.push(engine);
    return engine;
  };
  try {
    await using server = await echo_server();
    const [reader, writer] = await connect(server);
    await writer.send("x");
    assertEquals(text(await reader.readexactly(1)), "x");
    // The client is done with its handshake before the server is.
    const { encrypt } = engines[0];
    engines[0].encrypt = () => 0;
    writer.write("lost");
    await assertRejects(async () => await writer.flush(), Deno.errors.Interrupted);
    engines[0].encrypt = encrypt;
    writer.abort();
    await writer.wait_closed().catch(() => {});
  } finally {
    TlsEngine.of = of;
  }
});

Deno.test("TLS: a record that cannot be decrypted is an error on both sides", async () => {
  const { ca, server: identity } = await certificates();
  const failed = new asyncio.Future<{ error: unknown }>();
  const server = await asyncio.start_server(
    async (reader, writer) => {
      await writer.send("x");
      failed.set_result({ error: await error_of(reader.read()) });
      writer.abort();
    },
    LOOPBACK,
    0,
    { ssl: identity },
  );
  const [reader, writer] = await asyncio.open_connection(LOOPBACK, port_of(server), { ssl: { caCerts: [ca] } });
  assertEquals(text(await reader.readexactly(1)), "x");
  const record = new Uint8Array([23, 3, 3, 0, 40, ...new Uint8Array(40)]);
  await (writer.get_extra_info("conn") as Deno.TcpConn).write(record);
  assertMatch(String((await failed).error), /^InvalidData: TLS: cannot decrypt/);
  // The peer says why it goes.
  assertMatch(String(await error_of(reader.read())), /^InvalidData: TLS: .*alert/);
  writer.abort();
  await writer.wait_closed().catch(() => {});
  await server.shutdown({ timeout: 0 });
});

Deno.test("TLS: what is written comes back, both ways at once", async () => {
  await using server = await echo_server();
  const [reader, writer] = await connect(server);
  const data = pattern(3 * MIB + 7);
  const sending = asyncio.create_task(async () => {
    await writer.send(data);
    writer.write_eof();
  });
  assert(same_bytes(await reader.read(), data));
  await sending;
  writer.close();
  await writer.wait_closed();
});

for (const size of [1, 16 * 1024, 65536, 5 * MIB]) {
  Deno.test(`TLS: ${size} bytes written right before close() all arrive, then the end`, async () => {
    const { server: identity } = await certificates();
    const data = pattern(size);
    await using server = await asyncio.start_server(
      (_reader, writer) => {
        writer.write(data);
        writer.close();
      },
      LOOPBACK,
      0,
      { ssl: identity },
    );
    const [reader, writer] = await connect(server);
    assert(same_bytes(await reader.read(), data));
    writer.close();
    await writer.wait_closed();
  });
}

Deno.test("TLS: the connection tells what was agreed on", async () => {
  const { client, ca } = await certificates();
  const seen = new asyncio.Future<{ writer: asyncio.StreamWriter }>();
  const { server: identity } = await certificates();
  await using server = await asyncio.start_server(
    (_reader, writer) => seen.set_result({ writer }),
    LOOPBACK,
    0,
    { ssl: { ...identity, alpnProtocols: ["b/1", "a/1"], caCerts: [ca] } },
  );
  const [, writer] = await connect(server, { ...client, alpnProtocols: ["a/1", "b/1"] }, {
    server_hostname: "localhost",
  });
  const info = writer.get_extra_info("ssl_object")!;
  assertEquals([info.alpn_protocol, info.version, info.server_hostname], ["b/1", "TLSv1.3", "localhost"]);
  assertEquals(writer.get_extra_info("cipher"), ["TLS_AES_256_GCM_SHA384", "TLSv1.3", 256]);
  assertEquals(writer.get_extra_info("peercert")?.subject.CN, "server");
  assertEquals(writer.get_extra_info("alpn_protocol"), "b/1");
  assertEquals(writer.get_extra_info("peername"), [LOOPBACK, port_of(server)]);
  assertEquals(typeof (writer.get_extra_info("conn") as Deno.TcpConn).setNoDelay, "function");
  const { writer: theirs } = await seen;
  assertEquals(theirs.get_extra_info("peercert")?.subject.CN, "client");
  assertEquals(theirs.get_extra_info("ssl_object")?.server_hostname, "localhost");
  theirs.close();
  writer.close();
  await writer.wait_closed();
});

Deno.test("TLS: a side that is the last to say goodbye does say it, whatever it waited for before", async () => {
  // Cause: node:tls destroyed the socket before it had passed the goodbye on, if it was ended in the phase of timers.
  const { server: identity } = await certificates();
  const pauses = [
    () => asyncio.sleep(0.002),
    () => new Promise((resolve) => setTimeout(resolve, 2)),
    () => new Promise((resolve) => setImmediate(resolve)),
  ];
  for (const pause of pauses) {
    await using server = await asyncio.start_server(
      async (reader, writer) => {
        const question = await reader.read();
        await pause();
        await writer.send(`you said ${text(question)}`);
      },
      LOOPBACK,
      0,
      { ssl: identity },
    );
    const [reader, writer] = await connect(server);
    writer.write("hello");
    writer.write_eof();
    assertEquals(text(await reader.read()), "you said hello");
    writer.close();
    await writer.wait_closed();
  }
});

Deno.test("TLS: one half can be closed, and the other goes on", async () => {
  const { server: identity } = await certificates();
  await using server = await asyncio.start_server(
    async (reader, writer) => {
      const question = await reader.read();
      await writer.send(`you said ${text(question)}`);
    },
    LOOPBACK,
    0,
    { ssl: identity },
  );
  const [reader, writer] = await connect(server);
  assertEquals(writer.can_write_eof(), true);
  writer.write("hello");
  writer.write_eof();
  assertEquals(text(await reader.read()), "you said hello");
  writer.close();
  await writer.wait_closed();
});

for (
  const [what, identity, name, code] of [
    ["an unknown authority", "stranger", "localhost", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
    ["a certificate for another name", "other", "localhost", "ERR_TLS_CERT_ALTNAME_INVALID"],
    ["a certificate that is over", "expired", "localhost", "CERT_HAS_EXPIRED"],
  ] as const
) {
  Deno.test(`TLS: open_connection() refuses ${what}, and the server reports it once`, async () => {
    const ids = await certificates();
    const reports = collect_reports(asyncio.get_event_loop());
    const server = await echo_server(ids[identity]);
    const error = await error_of(connect(server, {}, { server_hostname: name }));
    assertInstanceOf(error, Deno.errors.InvalidData);
    assertEquals(error.code, code, error.message);
    await server.shutdown({ timeout: 0 });
    asyncio.get_event_loop().set_exception_handler(null);
    assert(reports.length <= 1, Deno.inspect(reports));
  });
}

Deno.test("TLS: any name will do if the caller says so, but not any authority", async () => {
  const ids = await certificates();
  await using server = await echo_server(ids.other);
  for (
    const [ssl, server_hostname] of [[{}, ""], [{ unsafelyDisableHostnameVerification: true }, "localhost"]] as const
  ) {
    const [reader, writer] = await connect(server, ssl, { server_hostname });
    await writer.send("x");
    assertEquals(text(await reader.read(1)), "x");
    writer.close();
    await writer.wait_closed();
  }
});

Deno.test("TLS: a server with caCerts refuses a client that shows no certificate of theirs", async () => {
  const { ca, client, stranger } = await certificates();
  const loop = asyncio.get_event_loop();
  const reports = collect_reports(loop);
  const server = await echo_server({ caCerts: [ca] });
  for (const shown of [{}, stranger]) {
    const error = await error_of((async () => {
      // In TLS 1.3 a client learns of it only when it reads.
      const [reader, writer] = await connect(server, shown);
      writer.write("x");
      try {
        await reader.readexactly(1);
      } finally {
        writer.abort();
      }
    })());
    assertInstanceOf(error, Error);
  }
  const [reader, writer] = await connect(server, client);
  await writer.send("x");
  assertEquals(text(await reader.read(1)), "x");
  writer.close();
  await writer.wait_closed();
  await server.shutdown();
  loop.set_exception_handler(null);
  assertEquals(reports.length, 2);
  for (const { message, exception } of reports) {
    assert(message.startsWith("SSL handshake failed, peer 127.0.0.1:"), message);
    assertInstanceOf(exception, Deno.errors.InvalidData);
  }
});

Deno.test("TLS: garbage instead of a handshake is reported with the peer, and the server goes on", async () => {
  const loop = asyncio.get_event_loop();
  const reports = collect_reports(loop);
  const server = await echo_server();
  const plain = await Deno.connect({ hostname: LOOPBACK, port: port_of(server) });
  await plain.write(new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n"));
  while (await plain.read(new Uint8Array(100)) !== null);
  plain.close();
  const [reader, writer] = await connect(server);
  await writer.send("x");
  assertEquals(text(await reader.read(1)), "x");
  writer.close();
  await writer.wait_closed();
  await server.shutdown();
  loop.set_exception_handler(null);
  assertEquals(reports.length, 1);
  assertInstanceOf(reports[0].exception, Deno.errors.InvalidData);
});

Deno.test("TLS: a handshake that never ends is given up on both sides, and holds up nobody", async () => {
  // On a busy machine, an honest handshake may take long. So time passes only when the test says so.
  const clock = new asyncio.VirtualClock({ autojump: false });
  const loop_factory = () => asyncio.new_event_loop({ clock });
  await asyncio.run(async () => {
    const reports = collect_reports();
    const server = await echo_server({}, { ssl_handshake_timeout: 60 });
    const silent = await Deno.connect({ hostname: LOOPBACK, port: port_of(server) });
    const [reader, writer] = await connect(server);
    await writer.send("x");
    assertEquals(text(await reader.read(1)), "x");
    clock.jump(60);
    assertEquals(await silent.read(new Uint8Array(1)), null);
    silent.close();
    await writer.send("y");
    assertEquals(text(await reader.read(1)), "y");
    writer.close();
    await writer.wait_closed();
    await server.shutdown();
    assertEquals(reports.length, 1);
    assertInstanceOf(reports[0].exception, asyncio.ConnectionAbortedError);
  }, { loop_factory });

  await asyncio.run(async () => {
    using listener = Deno.listen({ hostname: LOOPBACK, port: 0 });
    const opening = asyncio.open_connection(LOOPBACK, listener.addr.port, { ssl: true, ssl_handshake_timeout: 60 });
    using conn = await listener.accept();
    // The client's hello: the handshake is under way.
    assert(await conn.read(new Uint8Array(4096)) !== null);
    clock.jump(60);
    const error = await error_of(opening);
    assertInstanceOf(error, asyncio.ConnectionAbortedError);
    assertEquals(error.message, "SSL handshake is taking longer than 60 seconds: aborting the connection");
    await read_to_end(conn);
  }, { loop_factory });
});

async function read_to_end(conn: Deno.Conn): Promise<void> {
  while (await conn.read(new Uint8Array(4096)) !== null);
}

Deno.test("TLS: a cancelled handshake leaves nothing open", async () => {
  using listener = Deno.listen({ hostname: LOOPBACK, port: 0 });
  const task = asyncio.create_task(() => asyncio.open_connection(LOOPBACK, listener.addr.port, { ssl: true }));
  using conn = await listener.accept();
  // The client's hello: the handshake is under way.
  assert(await conn.read(new Uint8Array(4096)) !== null);
  task.cancel();
  await assertRejects(() => Promise.resolve(task), asyncio.CancelledError);
  await read_to_end(conn);
});

/** A TLS server whose connection ends without goodbye after its greeting. */
async function with_truncating_server(body: (port: number) => Promise<void>): Promise<void> {
  const { server: identity } = await certificates();
  const server = await asyncio.start_server(
    async (_reader, writer) => {
      writer.write("hello");
      await writer.flush();
      (writer.get_extra_info("conn") as Deno.TcpConn).close();
    },
    LOOPBACK,
    0,
    { ssl: identity },
  );
  await body(port_of(server));
  await server.shutdown({ timeout: 0 });
}

Deno.test("TLS: an end without goodbye is an error, behind the bytes that came before it", async () => {
  const { ca } = await certificates();
  await with_truncating_server(async (port) => {
    const [reader, writer] = await asyncio.open_connection(LOOPBACK, port, { ssl: { caCerts: [ca] } });
    assertEquals(text(await reader.readexactly(5)), "hello");
    const error = await error_of(reader.read());
    assertInstanceOf(error, Deno.errors.UnexpectedEof);
    assertEquals(error.message, "The peer closed the connection without sending TLS close_notify");
    writer.abort();
    await writer.wait_closed();
  });
});

Deno.test("TLS: suppress_ragged_eofs takes an end without goodbye for the end", async () => {
  const { ca } = await certificates();
  await with_truncating_server(async (port) => {
    const ssl = { caCerts: [ca], suppress_ragged_eofs: true };
    const [reader, writer] = await asyncio.open_connection(LOOPBACK, port, { ssl });
    assertEquals(text(await reader.read()), "hello");
    writer.close();
    await writer.wait_closed();
  });
});

Deno.test("TLS: a server reads only what is asked for: a client that sends more has to wait", async () => {
  const { server: identity } = await certificates();
  const taken = new asyncio.Future<{ reader: asyncio.StreamReader; writer: asyncio.StreamWriter }>();
  await using server = await asyncio.start_server(
    (reader, writer) => taken.set_result({ reader, writer }),
    LOOPBACK,
    0,
    { ssl: identity },
  );
  const [, writer] = await connect(server);
  const data = pattern(64 * 1024);
  let sent = 0;
  const flooding = asyncio.create_task(async () => {
    for (let i = 0; i < 1024; i++) {
      await writer.send(data);
      sent += data.length;
    }
  });
  const { reader, writer: theirs } = await taken;
  let before = -1;
  // Until the kernel's buffers are full: then nothing moves any more.
  while (sent !== before) {
    before = sent;
    await asyncio.sleep(0.1);
  }
  assert(sent < 32 * MIB, `${sent} bytes were taken`);
  assert(same_bytes(await reader.readexactly(data.length), data));
  flooding.cancel();
  await asyncio.wait([flooding]);
  writer.abort();
  theirs.abort();
});

Deno.test("TLS: close() to a peer that does not read gives up after ssl_shutdown_timeout", async () => {
  const { server: identity } = await certificates();
  const taken = new asyncio.Future<{ writer: asyncio.StreamWriter }>();
  await using server = await asyncio.start_server((_reader, writer) => taken.set_result({ writer }), LOOPBACK, 0, {
    ssl: identity,
  });
  const [, writer] = await connect(server, {}, { ssl_shutdown_timeout: 0.05 });
  const { writer: theirs } = await taken;
  writer.write(new Uint8Array(16 * MIB));
  writer.close();
  const error = await error_of(writer.wait_closed());
  assertInstanceOf(error, asyncio.TimeoutError);
  assertEquals(error.message, "SSL shutdown timed out");
  theirs.abort();
});

Deno.test("TLS: data, goodbye and end that come together with the end of the handshake are just that", async () => {
  const { server: ssl } = await certificates();
  const received = new asyncio.Queue<string>();
  await using server = await asyncio.start_server(
    async (reader) => {
      try {
        received.put_nowait(text(await reader.read()));
      } catch (error) {
        received.put_nowait(String(error));
      }
    },
    LOOPBACK,
    0,
    { ssl },
  );
  // What is between them passes on the client's greeting, and all else only once the client is gone.
  await using between = await asyncio.start_server(
    async (reader, writer) => {
      const [from_server, to_server] = await asyncio.open_connection(LOOPBACK, port_of(server));
      await to_server.send(await reader.read(65536));
      const answers = asyncio.create_task(async () => {
        for (;;) {
          const data = await from_server.read(65536);
          if (data.length === 0) break;
          await writer.send(data);
        }
      });
      to_server.write(await reader.read());
      to_server.write_eof();
      await asyncio.wait([answers]);
      to_server.close();
    },
    LOOPBACK,
    0,
  );
  for (const data of ["", "hello"]) {
    // Its close() waits for a server's tickets, which do not come here, but no longer than this.
    const [, writer] = await connect(between, {}, { ssl_shutdown_timeout: 0.05 });
    writer.write(data);
    writer.close();
    await writer.wait_closed();
    assertEquals(await asyncio.wait_for(() => received.get(), 10), data);
  }
});

Deno.test("a TLS server notices at once that a client went away during its handshake", async () => {
  const { server: ssl } = await certificates();
  await asyncio.run(async () => {
    const reports = new asyncio.Queue<string>();
    asyncio.get_running_loop().set_exception_handler((_loop, { exception }) => reports.put_nowait(String(exception)));
    await using server = await asyncio.start_server(() => {}, LOOPBACK, 0, { ssl, ssl_handshake_timeout: 5 });
    const conn = await Deno.connect({ hostname: LOOPBACK, port: port_of(server) });
    conn.close();
    const report = await asyncio.wait_for(() => reports.get(), 10);
    assertEquals(report, "UnexpectedEof: The peer closed the connection during the TLS handshake");
  });
});

// start_tls()

/** A server that speaks plain lines, and goes on over TLS when asked to. */
async function upgrading_server(): Promise<asyncio.Server> {
  const { server: identity } = await certificates();
  return await asyncio.start_server(
    async (reader, writer) => {
      writer.write("220 plain\r\n");
      for await (const line of reader) {
        const word = text(line).trim();
        writer.write(`250 ${word}\r\n`);
        if (word === "STARTTLS") await writer.start_tls(identity);
      }
    },
    LOOPBACK,
    0,
  );
}

Deno.test("start_tls() goes on over TLS, on both sides", async () => {
  const { ca } = await certificates();
  await using server = await upgrading_server();
  const [reader, writer] = await asyncio.open_connection("localhost", port_of(server));
  assertEquals(text(await reader.readline()), "220 plain\r\n");
  writer.write("STARTTLS\r\n");
  assertEquals(text(await reader.readline()), "250 STARTTLS\r\n");
  assertEquals(writer.get_extra_info("ssl_object"), null);
  await writer.start_tls({ caCerts: [ca] });
  assertEquals(writer.get_extra_info("ssl_object")?.version, "TLSv1.3");
  for (let i = 0; i < 3; i++) {
    await writer.send(`line ${i}\r\n`);
    assertEquals(text(await reader.readline()), `250 line ${i}\r\n`);
  }
  writer.close();
  await writer.wait_closed();
});

Deno.test("start_tls() refuses bytes that came before it, and a pending read, and touches nothing", async () => {
  const { ca } = await certificates();
  await using server = await asyncio.start_server(
    async (reader, writer) => {
      await reader.readline();
      writer.write("220 ok\r\nINJECT\r\n");
      await reader.readline();
      writer.write("still here\r\n");
    },
    LOOPBACK,
    0,
  );
  const [reader, writer] = await asyncio.open_connection(LOOPBACK, port_of(server));
  writer.write("go\r\n");
  assertEquals(text(await reader.readline()), "220 ok\r\n");
  const error = await error_of(writer.start_tls({ caCerts: [ca] }));
  assertInstanceOf(error, asyncio.RuntimeError);
  assertEquals(error.message, "Cannot start TLS: 8 bytes that came before it are in the reader's buffer");
  assertEquals(text(await reader.readline()), "INJECT\r\n");
  const reading = reader.readline();
  const pending = await error_of(writer.start_tls({ caCerts: [ca] }));
  assertEquals(pending.message, "Cannot start TLS: a call is waiting for incoming data, in readline()");
  await writer.send("go on\r\n");
  assertEquals(text(await reading), "still here\r\n");
  writer.close();
  await writer.wait_closed();
});

Deno.test("start_tls() takes over the read that a cancelled call left behind", async () => {
  const { ca } = await certificates();
  await using server = await upgrading_server();
  const [reader, writer] = await asyncio.open_connection(LOOPBACK, port_of(server));
  await reader.readline();
  await writer.send("STARTTLS\r\n");
  await reader.readline();
  await error_of(asyncio.wait_for(() => reader.readline(), 0.01));
  await writer.start_tls({ caCerts: [ca] });
  await writer.send("x\r\n");
  assertEquals(text(await reader.readline()), "250 x\r\n");
  writer.close();
  await writer.wait_closed();
});

Deno.test("start_tls() that fails, or is cancelled, closes the connection", async () => {
  await using server = await asyncio.start_server(
    async (reader, writer) => {
      await reader.read(1);
      await writer.send("this is no TLS\r\n");
      await reader.read();
    },
    LOOPBACK,
    0,
  );
  {
    const [, writer] = await asyncio.open_connection(LOOPBACK, port_of(server));
    const error = await error_of(writer.start_tls(true));
    assertInstanceOf(error, Deno.errors.InvalidData);
    assertEquals(writer.is_closing(), true);
    await writer.wait_closed();
  }
  using listener = Deno.listen({ hostname: LOOPBACK, port: 0 });
  const [, writer] = await asyncio.open_connection(LOOPBACK, listener.addr.port);
  using conn = await listener.accept();
  const task = asyncio.create_task(() => writer.start_tls(true));
  await conn.read(new Uint8Array(4096));
  task.cancel();
  await asyncio.wait([task]);
  assertEquals([task.cancelled(), writer.is_closing()], [true, true]);
  await read_to_end(conn);
});

Deno.test("start_tls() sends what was written meanwhile over TLS", async () => {
  const { ca } = await certificates();
  await using server = await upgrading_server();
  const [reader, writer] = await asyncio.open_connection(LOOPBACK, port_of(server));
  await reader.readline();
  await writer.send("STARTTLS\r\n");
  await reader.readline();
  const starting = asyncio.create_task(() => writer.start_tls({ caCerts: [ca] }));
  await asyncio.sleep(0);
  writer.write("early\r\n");
  await starting;
  assertEquals(text(await reader.readline()), "250 early\r\n");
  writer.close();
  await writer.wait_closed();
});

Deno.test("TLS options are checked by name and value", async () => {
  // deno-lint-ignore no-explicit-any
  const open = asyncio.open_connection as (...args: any[]) => unknown;
  const { server: identity } = await certificates();
  const cases: [unknown[], new () => Error, string][] = [
    [[LOOPBACK, 1, { ssl: false }], TypeError, '"ssl" must be true or an object'],
    [[LOOPBACK, 1, { ssl: { ca: "x" } }], TypeError, 'Unknown option "ssl.ca": known are "caCerts"'],
    [[LOOPBACK, 1, { ssl: { caCerts: "x" } }], TypeError, '"ssl.caCerts" must be an array of strings, got "x"'],
    [[LOOPBACK, 1, { ssl: { cert: "x" } }], TypeError, '"ssl" must have both "cert" and "key", or neither'],
    [[LOOPBACK, 1, { server_hostname: "x" }], RangeError, "server_hostname is only meaningful with ssl"],
    [[LOOPBACK, 1, { ssl_handshake_timeout: 1 }], RangeError, "ssl_handshake_timeout is only meaningful with ssl"],
    [
      [LOOPBACK, 1, { ssl: true, ssl_handshake_timeout: 0 }],
      RangeError,
      "ssl_handshake_timeout should be a positive number, got 0",
    ],
    [
      [LOOPBACK, 1, { ssl: true, ssl_shutdown_timeout: -1 }],
      RangeError,
      "ssl_shutdown_timeout should be a positive number, got -1",
    ],
  ];
  for (const [args, error_class, message] of cases) assertThrows(() => open(...args), error_class, message);
  assertThrows(
    () => asyncio.start_server(() => {}, LOOPBACK, 0, { ssl: true as unknown as asyncio.TlsServerOptions }),
    TypeError,
    '"ssl" must be an object with a certificate and its key, { cert, key }, got true',
  );
  assertThrows(
    () => asyncio.start_server(() => {}, LOOPBACK, 0, { ssl: { cert: identity.cert } as asyncio.TlsServerOptions }),
    TypeError,
    '"ssl.key" must be a string in PEM, got undefined',
  );
});

Deno.test("TLS: nothing is left open after many connections that end in every way", async () => {
  const open_files = () => [...Deno.readDirSync("/proc/self/fd")].length;
  const loop = asyncio.get_event_loop();
  collect_reports(loop);
  const server = await echo_server();
  const before = open_files();
  for (let i = 0; i < 20; i++) {
    const [reader, writer] = await connect(server);
    if (i % 4 === 0) writer.abort();
    else if (i % 4 === 1) writer.close();
    else if (i % 4 === 2) {
      writer.write_eof();
      await reader.read();
      writer.close();
    } else {
      writer.write(new Uint8Array(MIB));
      writer.abort();
    }
    await writer.wait_closed();
  }
  await until(() => open_files() <= before, "all sockets are closed");
  await server.shutdown();
  loop.set_exception_handler(null);
});
