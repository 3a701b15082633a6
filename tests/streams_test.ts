import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import type { RawConn } from "../lib/_deno.ts";
import * as asyncio from "../mod.ts";
import { certificates } from "./_certificates.ts";
import { assert_linear, error_of, run_program } from "./_helpers.ts";
import {
  bytes,
  FakeConn,
  for_turns,
  joined,
  LOOPBACK,
  MIB,
  pattern,
  port_of,
  read_all,
  same_bytes,
  text,
  until,
  with_bare_peer,
  with_node_peer,
  with_pair,
} from "./_streams.ts";

/** More than the kernel takes for a peer that does not read. */
const TOO_MUCH = 16 * MIB;

function transport_over(conn: RawConn): asyncio.Transport {
  return new asyncio.Transport(asyncio.get_event_loop(), conn);
}

// Both ways

Deno.test("what one end writes is what the other end reads", async () => {
  await with_pair(async ([reader, writer], [peer_reader, peer_writer]) => {
    writer.write("hello ");
    writer.write(bytes("world\n"));
    assertEquals(text(await peer_reader.readline()), "hello world\n");
    peer_writer.writelines(["a", bytes("b"), "c\n"]);
    assertEquals(text(await reader.readline()), "abc\n");
  });
});

Deno.test("an exchange of two small writes and an answer takes no 40 ms, from either end", async () => {
  await with_pair(async (client, server) => {
    for (const [[reader, writer], [peer_reader, peer_writer]] of [[client, server], [server, client]]) {
      const start = performance.now();
      for (let i = 0; i < 20; i++) {
        writer.write("1");
        await writer.drain();
        await for_turns(1);
        writer.write("2");
        await peer_reader.readexactly(2);
        peer_writer.write("3");
        await reader.readexactly(1);
      }
      // Nagle's algorithm would make it 20 times 40 ms.
      assert(performance.now() - start < 600, `took ${performance.now() - start} ms`);
    }
  });
});

Deno.test("the end that wrote its end first still reads what the other one sends", async () => {
  await with_pair(async ([reader, writer], [peer_reader, peer_writer]) => {
    writer.write("question");
    writer.write_eof();
    assertEquals(text(await peer_reader.read()), "question");
    peer_writer.write("answer");
    peer_writer.write_eof();
    assertEquals(text(await reader.read()), "answer");
    writer.close();
    peer_writer.close();
    await Promise.all([writer.wait_closed(), peer_writer.wait_closed()]);
  });
});

Deno.test("the accepting end can write its end first, too", async () => {
  await with_pair(async ([reader, writer], [peer_reader, peer_writer]) => {
    peer_writer.write_eof();
    assertEquals((await reader.read()).length, 0);
    assert(reader.at_eof());
    writer.write("still here");
    writer.close();
    assertEquals(text(await peer_reader.read()), "still here");
    await writer.wait_closed();
  });
});

// write_eof()

Deno.test("write_eof() twice, or after close(), does nothing", async () => {
  const conn = new FakeConn();
  const transport = transport_over(conn);
  assert(transport.can_write_eof());
  transport.write_eof();
  transport.write_eof();
  assertEquals(conn.calls, ["closeWrite"]);
  transport.close();
  transport.write_eof();
  // The end of data leaves before the connection does.
  await for_turns(1);
  assertEquals(conn.calls, ["closeWrite", "close"]);
  const closed = new FakeConn();
  const other = transport_over(closed);
  other.close();
  other.write_eof();
  await other._wait_closed();
  assertEquals(closed.calls, ["close"]);
});

Deno.test("write() after write_eof() is a RuntimeError, even of no bytes", () => {
  const transport = transport_over(new FakeConn());
  transport.write_eof();
  for (const data of ["x", ""]) {
    assertThrows(() => transport.write(data), asyncio.RuntimeError, "Cannot call write() after write_eof()");
  }
  transport.close();
});

Deno.test("write_eof() reaches the peer after all that was written, also if close() follows at once", async () => {
  const conn = new FakeConn(0);
  const transport = transport_over(conn);
  transport.write("abc");
  transport.write_eof();
  transport.close();
  assertEquals([conn.writes.map(text), conn.calls], [["abc"], []]);
  await conn.take(1);
  assertEquals([conn.writes.map(text), conn.calls], [["abc", "bc"], []]);
  await conn.take();
  assertEquals(conn.calls, ["closeWrite", "close"]);
  await transport._wait_closed();
});

// write()

Deno.test("write() of no bytes does nothing", async () => {
  const conn = new FakeConn();
  const transport = transport_over(conn);
  transport.write("");
  transport.write(new Uint8Array(0));
  await transport._drain();
  await for_turns(2);
  assertEquals(conn.writes, []);
  transport.close();
});

Deno.test("write() after close() is dropped without an error", async () => {
  await with_pair(async ([_, writer], [peer_reader]) => {
    writer.write("before");
    writer.close();
    writer.write("after");
    await writer.wait_closed();
    writer.write("long after");
    assertEquals(text(await peer_reader.read()), "before");
  });
});

Deno.test("bytes are sent as they were at the call of write()", async () => {
  await with_pair(async ([_, writer], [peer_reader]) => {
    const data = pattern(MIB);
    const expected = data.slice();
    writer.write(data);
    data.fill(0);
    await writer.drain();
    data.fill(1);
    assert(same_bytes(await peer_reader.readexactly(MIB), expected));
    const view = bytes("-abc-").subarray(1, 4);
    writer.write(view);
    view.fill(0);
    assertEquals(text(await peer_reader.readexactly(3)), "abc");
  });
});

Deno.test("small writes of one step leave in one write of the connection", async () => {
  const conn = new FakeConn();
  const transport = transport_over(conn);
  const parts: Uint8Array[] = [];
  for (let i = 0; i < 5000; i++) {
    const part = bytes(`${i},`);
    parts.push(part);
    transport.write(part);
  }
  assertEquals(transport.get_write_buffer_size(), joined(parts).length);
  await until(() => transport.get_write_buffer_size() === 0, "all is written");
  assertEquals(conn.writes.length, 1);
  assert(same_bytes(conn.writes[0], joined(parts)));
  transport.close();
});

Deno.test("what is written while the connection is busy waits for it, and then leaves at once", async () => {
  const conn = new FakeConn(0);
  const transport = transport_over(conn);
  transport.write("first");
  await until(() => conn.is_writing, "the first write is made");
  for (const part of ["a", "b", "c"]) {
    transport.write(part);
    await for_turns(1);
  }
  assertEquals(conn.writes.map(text), ["first"]);
  await conn.take();
  assertEquals(conn.writes.map(text), ["first", "abc"]);
  await conn.take();
  transport.close();
  await transport._wait_closed();
});

Deno.test("a connection that takes a few bytes at a time gets each byte once, in order", async () => {
  const conn = new FakeConn(7);
  const transport = transport_over(conn);
  const sent: Uint8Array[] = [];
  for (let i = 0; i < 50; i++) {
    const data = pattern(i * 3);
    sent.push(data);
    transport.write(data);
    if (i % 7 === 0) await transport._drain();
    if (i % 5 === 0) await for_turns(1);
  }
  transport.close();
  await transport._wait_closed();
  assert(same_bytes(joined(conn.writes.map((each) => each.subarray(0, 7))), joined(sent)));
});

Deno.test("100 000 writes of one byte cost as much each as 12 500", async () => {
  await assert_linear(async (count) => {
    const conn = new FakeConn(0);
    const transport = transport_over(conn);
    transport.write("x");
    await until(() => conn.is_writing, "the first write is made");
    for (let i = 0; i < count; i++) transport.write("x");
    await conn.take();
    assertEquals(conn.writes[1].length, count);
    transport.abort();
  }, 100_000);
});

Deno.test("write() and writelines() refuse what is neither bytes nor a string", () => {
  const writer = new asyncio.StreamWriter(transport_over(new FakeConn()), null, asyncio.get_event_loop());
  // deno-lint-ignore no-explicit-any
  const untyped = writer as any;
  assertThrows(() => untyped.write(5), TypeError, '"data" must be a Uint8Array or a string, got 5');
  assertThrows(() => untyped.write([1]), TypeError, '"data" must be a Uint8Array or a string, got [object Array]');
  assertThrows(() => untyped.writelines("ab"), TypeError, '"list" must be an iterable of bytes or strings, got "ab"');
  assertThrows(() => untyped.writelines(null), TypeError, '"list" must be an iterable of bytes or strings, got null');
  writer.close();
});

// Flow control

Deno.test("drain() goes on at once while no more than the high-water mark waits", async () => {
  const conn = new FakeConn(0);
  const transport = transport_over(conn);
  transport.set_write_buffer_limits({ high: 10 });
  transport.write("0123456789");
  const draining = transport._drain();
  assert(draining.done());
  assertEquals(conn.writes.map(text), ["0123456789"]);
  transport.abort();
  await transport._wait_closed();
});

for (const method of ["write", "writelines"] as const) {
  Deno.test(`drain() after ${method}() beyond the high-water mark waits until the low one is reached`, async () => {
    const conn = new FakeConn(0);
    const transport = transport_over(conn);
    const writer = new asyncio.StreamWriter(transport, null, asyncio.get_event_loop());
    transport.set_write_buffer_limits({ high: 10, low: 4 });
    if (method === "write") writer.write("0123456789a");
    else writer.writelines(["01234", "56789", "a"]);
    const draining = writer.drain();
    await conn.take(6);
    assert(!draining.done(), "5 bytes are left");
    await conn.take(1);
    assert(draining.done(), "4 bytes are left");
    await draining;
    transport.abort();
    await transport._wait_closed();
  });
}

Deno.test("drain() with a high-water mark of 0 waits until the kernel took everything", async () => {
  const conn = new FakeConn(0);
  const transport = transport_over(conn);
  transport.set_write_buffer_limits({ high: 0 });
  assertEquals(transport.get_write_buffer_limits(), [0, 0]);
  transport.write("abc");
  const draining = transport._drain();
  await conn.take(2);
  assert(!draining.done());
  await conn.take(1);
  assert(draining.done());
  transport.close();
  await transport._wait_closed();
});

Deno.test("several drains at once all go on; a cancelled one does not disturb the others", async () => {
  const conn = new FakeConn(0);
  const transport = transport_over(conn);
  transport.set_write_buffer_limits({ high: 2 });
  transport.write("abc");
  const drains = [1, 2, 3].map(() => transport._drain());
  drains[1].cancel();
  await conn.take();
  await Promise.all([drains[0], drains[2]]);
  assert(drains[1].cancelled());
  transport.close();
  await transport._wait_closed();
});

Deno.test("drain() to a real peer waits while it does not read, and goes on when it does", async () => {
  await with_bare_peer(async ([_, writer], peer) => {
    writer.write(new Uint8Array(TOO_MUCH));
    const draining = writer.drain();
    await assertRejects(() => asyncio.wait_for(asyncio.shield(draining), 0.05).then(), asyncio.TimeoutError);
    const reading = read_all(peer);
    await draining;
    assert(writer.transport.get_write_buffer_size() <= 16 * 1024);
    writer.close();
    await writer.wait_closed();
    assertEquals((await reading).length, TOO_MUCH);
  });
});

Deno.test("set_write_buffer_limits() takes what asyncio takes, with its defaults", () => {
  const transport = transport_over(new FakeConn());
  assertEquals(transport.get_write_buffer_limits(), [16384, 65536]);
  transport.set_write_buffer_limits({ high: 101 });
  assertEquals(transport.get_write_buffer_limits(), [25, 101]);
  transport.set_write_buffer_limits({ low: 5 });
  assertEquals(transport.get_write_buffer_limits(), [5, 20]);
  transport.set_write_buffer_limits();
  assertEquals(transport.get_write_buffer_limits(), [16384, 65536]);
  const refuse = (limits: unknown, error_class: new () => Error, message: string) =>
    assertThrows(() => transport.set_write_buffer_limits(limits as { high: number }), error_class, message);
  refuse({ high: 1, low: 2 }, RangeError, "high (1) must be >= low (2) must be >= 0");
  refuse({ high: -1 }, RangeError, "high (-1) must be >= low (-1) must be >= 0");
  refuse({ high: 5, low: -1 }, RangeError, "high (5) must be >= low (-1) must be >= 0");
  refuse({ high: "5" }, TypeError, '"high" must be a number, got "5"');
  assertEquals(transport.get_write_buffer_limits(), [16384, 65536]);
  transport.close();
});

Deno.test("raising the limits lets a drain() that waits go on, lowering them makes the next one wait", async () => {
  const conn = new FakeConn(0);
  const transport = transport_over(conn);
  transport.set_write_buffer_limits({ high: 2 });
  transport.write("abc");
  const draining = transport._drain();
  transport.set_write_buffer_limits({ high: 100 });
  await draining;
  transport.set_write_buffer_limits({ high: 2 });
  const waiting = transport._drain();
  assert(!waiting.done());
  await conn.take();
  await waiting;
  transport.close();
  await transport._wait_closed();
});

// Broken connections

Deno.test("a failing write ends every drain() with the connection's own error, and drops what waits", async () => {
  const conn = new FakeConn(0);
  const transport = transport_over(conn);
  transport.set_write_buffer_limits({ high: 2 });
  transport.write("abc");
  const drains = [transport._drain(), transport._drain()];
  const reset = new asyncio.ConnectionResetError("reset by the test");
  await conn.fail(reset);
  for (const draining of drains) assertStrictEquals(await error_of(draining), reset);
  transport.write("dropped");
  assertEquals(transport.get_write_buffer_size(), 0);
  assertStrictEquals(await error_of(transport._drain()), reset);
  transport.close();
  for (let i = 0; i < 2; i++) assertStrictEquals(await error_of(transport._wait_closed()), reset);
  assertEquals(conn.calls, ["close"]);
});

Deno.test("drain() after the peer's reset fails with the reset", async () => {
  await with_node_peer(async ([reader, writer], peer) => {
    peer.resetAndDestroy();
    const error = await error_of(reader.read(1));
    assertInstanceOf(error, asyncio.ConnectionResetError);
    assertStrictEquals(await error_of(writer.drain()), error);
  });
});

Deno.test("drain() that waits when the peer resets fails, and so does wait_closed(), since bytes were lost", async () => {
  await with_node_peer(async ([_, writer], peer) => {
    peer.pause();
    writer.write(new Uint8Array(TOO_MUCH));
    const draining = writer.drain();
    await for_turns(5);
    assert(!draining.done());
    peer.resetAndDestroy();
    const error = await error_of(draining);
    assert(error instanceof asyncio.ConnectionResetError || error instanceof asyncio.BrokenPipeError, String(error));
    writer.close();
    assertStrictEquals(await error_of(writer.wait_closed()), error);
  });
});

Deno.test("wait_closed() does not fail if the peer reset after everything had been handed over", async () => {
  await with_node_peer(async ([reader, writer], peer) => {
    writer.write("all of it");
    await writer.drain();
    await until(() => writer.transport.get_write_buffer_size() === 0, "all is sent");
    peer.resetAndDestroy();
    assertInstanceOf(await error_of(reader.read(1)), asyncio.ConnectionResetError);
    writer.close();
    await writer.wait_closed();
  });
});

Deno.test("drain() on a transport that is closed is a ConnectionResetError", async () => {
  await with_pair(async ([_, writer]) => {
    writer.close();
    await writer.wait_closed();
    const error = await error_of(writer.drain());
    assertInstanceOf(error, asyncio.ConnectionResetError);
    assertEquals(error.message, "Connection lost");
  });
});

Deno.test("abort() ends a drain() that waits with ConnectionResetError", async () => {
  const conn = new FakeConn(0);
  const transport = transport_over(conn);
  transport.set_write_buffer_limits({ high: 0 });
  transport.write("abc");
  const draining = transport._drain();
  transport.abort();
  const error = await error_of(draining);
  assertInstanceOf(error, asyncio.ConnectionResetError);
  assertEquals(error.message, "Connection lost");
  assertEquals(conn.calls, ["close"]);
  await transport._wait_closed();
});

Deno.test("a reader that waits when this side closes is at its end", async () => {
  await with_pair(async ([reader, writer]) => {
    const reading = reader.read(10);
    await for_turns(2);
    writer.close();
    assertEquals((await reading).length, 0);
    assert(reader.at_eof());
    await writer.wait_closed();
    assertEquals((await reader.read(10)).length, 0);
  });
});

Deno.test("close() of a connection whose Deno.Conn the user has closed does not fail", async () => {
  await with_pair(async ([reader, writer]) => {
    writer.get_extra_info("conn").close();
    writer.close();
    await writer.wait_closed();
    assertEquals((await reader.read(1)).length, 0);
  });
});

// close() and wait_closed()

Deno.test("wait_closed() to a peer that never reads can be timed out, and abort() settles it", async () => {
  await with_bare_peer(async ([_, writer]) => {
    writer.write(new Uint8Array(TOO_MUCH));
    writer.close();
    const waiting = writer.wait_closed();
    await assertRejects(() => asyncio.wait_for(writer.wait_closed(), 0.2).then(), asyncio.TimeoutError);
    assert(!waiting.done());
    writer.transport.abort();
    await waiting;
    await writer.wait_closed();
  });
});

Deno.test("wait_closed() gives the same to every caller, one before close() included", async () => {
  await with_pair(async ([_, writer]) => {
    const before = asyncio.create_task(() => writer.wait_closed());
    await for_turns(2);
    assert(!before.done());
    assert(!writer.is_closing());
    writer.close();
    writer.close();
    assert(writer.is_closing());
    const other = asyncio.create_task(() => writer.wait_closed());
    await Promise.all([before, other, writer.wait_closed()]);
    await writer.wait_closed();
  });
});

for (const size of [1, 1024, 64 * 1024, MIB, 16 * MIB]) {
  Deno.test(`write() of ${size} bytes, then close(), reaches a bare peer in full, then its end`, async () => {
    await with_bare_peer(async ([_, writer], peer) => {
      const data = pattern(size);
      writer.write(data);
      writer.close();
      const [received] = await Promise.all([read_all(peer), writer.wait_closed()]);
      assert(same_bytes(received, data));
    });
  });

  Deno.test(`write() of ${size} bytes, then close(), reaches a reader in full, then its end`, async () => {
    await with_pair(async ([_, writer], [peer_reader]) => {
      const data = pattern(size);
      writer.write(data);
      writer.close();
      const [received] = await Promise.all([peer_reader.read(), writer.wait_closed()]);
      assert(same_bytes(received, data));
      assert(peer_reader.at_eof());
    });
  });
}

Deno.test("a program that closes and ends delivers everything written before", async () => {
  using listener = Deno.listen({ hostname: LOOPBACK, port: 0 });
  const accepting = listener.accept();
  const running = run_program(`
    await asyncio.run(async () => {
      const [, writer] = await asyncio.open_connection("${LOOPBACK}", ${listener.addr.port});
      writer.write(new Uint8Array(${8 * MIB}));
      writer.close();
    });
  `);
  using peer = await accepting;
  assertEquals((await read_all(peer)).length, 8 * MIB);
  assertEquals((await running).code, 0);
});

Deno.test("await using closes a StreamWriter at the end of its block, with all that was written", async () => {
  await with_bare_peer(async ([_, writer], peer) => {
    {
      await using scoped = writer;
      scoped.write("bye");
    }
    assert(writer.is_closing());
    assertEquals(text(await read_all(peer)), "bye");
  });
});

// get_extra_info()

Deno.test("get_extra_info() knows both addresses, the socket and the Deno.Conn", async () => {
  await with_bare_peer(async ([_, writer], peer) => {
    const peername = [LOOPBACK, (peer.localAddr as Deno.NetAddr).port] as const;
    const sockname = [LOOPBACK, (peer.remoteAddr as Deno.NetAddr).port] as const;
    assertEquals(writer.get_extra_info("peername"), peername);
    assertEquals(writer.get_extra_info("sockname"), sockname);
    const socket = writer.get_extra_info("socket");
    assertInstanceOf(socket, asyncio.TransportSocket);
    assertEquals([socket.family, socket.getsockname(), socket.getpeername()], ["AF_INET", sockname, peername]);
    assertEquals(Deno.inspect(socket), `<TransportSocket AF_INET ${sockname} to ${peername}>`);
    assertEquals((writer.get_extra_info("conn").localAddr as Deno.NetAddr).port, sockname[1]);
    writer.close();
    await writer.wait_closed();
    assertEquals(writer.get_extra_info("peername"), peername);
    assertEquals(Deno.inspect(writer), `<StreamWriter closing to ${peername}>`);
  });
});

Deno.test("get_extra_info() of an unknown name is the fallback, or null", () => {
  const transport = transport_over(new FakeConn());
  const writer = new asyncio.StreamWriter(transport, null, asyncio.get_event_loop());
  for (const name of ["sslcontext", "toString", "constructor"]) {
    assertEquals(writer.get_extra_info(name), null);
    assertEquals(writer.get_extra_info(name, "fallback"), "fallback");
  }
  writer.close();
});

// open_connection()

/** A port on which nobody listens. */
function free_port(): number {
  using listener = Deno.listen({ hostname: LOOPBACK, port: 0 });
  return listener.addr.port;
}

Deno.test("open_connection() to a port where nobody listens is Deno's ConnectionRefused with the address", async () => {
  assertStrictEquals(asyncio.ConnectionRefusedError, Deno.errors.ConnectionRefused);
  const port = free_port();
  const error = await error_of(asyncio.open_connection(LOOPBACK, port));
  assertInstanceOf(error, Deno.errors.ConnectionRefused);
  assertEquals(error.code, "ECONNREFUSED");
  assert(error.message.startsWith(`Cannot connect to ${LOOPBACK}:${port}: `), error.message);
  assertInstanceOf(error.cause, Deno.errors.ConnectionRefused);
});

Deno.test("open_connection() to null connects to this machine", async () => {
  await using server = await asyncio.start_server(
    async (_reader, writer) => {
      writer.write("here");
      await writer.drain();
    },
    "localhost",
    0,
  );
  const [reader, writer] = await asyncio.open_connection(null, port_of(server));
  assertEquals(text(await reader.read()), "here");
  writer.close();
  await writer.wait_closed();
});

Deno.test("open_connection() gives its limit to the reader", async () => {
  await using server = await asyncio.start_server(
    async (_reader, writer) => {
      writer.write("12345678\n");
      await writer.drain();
    },
    LOOPBACK,
    0,
  );
  const [reader, writer] = await asyncio.open_connection(LOOPBACK, port_of(server), { limit: 4 });
  assertInstanceOf(await error_of(reader.readline()), asyncio.LimitOverrunError);
  writer.close();
  await writer.wait_closed();
});

Deno.test("open_connection() refuses wrong arguments by name and value", () => {
  // deno-lint-ignore no-explicit-any
  const open = asyncio.open_connection as (...args: any[]) => unknown;
  const cases: [unknown[], new () => Error, string][] = [
    [[LOOPBACK, 1, { flags: 1 }], TypeError, 'Unknown option "flags": known are "limit", "ssl"'],
    [[LOOPBACK, 1, { family: 4 }], TypeError, '"family" must be "AF_INET" or "AF_INET6", got 4'],
    [[LOOPBACK, 1, { interleave: -1 }], RangeError, '"interleave" must be 0 or more, got -1'],
    [[LOOPBACK, 1, { happy_eyeballs_delay: "1" }], TypeError, '"happy_eyeballs_delay" must be a number, got "1"'],
    [[LOOPBACK, 1, { all_errors: 1 }], TypeError, '"all_errors" must be a boolean, got 1'],
    [[LOOPBACK, 1, { timeout: -1 }], RangeError, '"timeout" must be 0 or more, got -1'],
    [[LOOPBACK, 1, { sock: {} }], TypeError, '"sock" must have read(), write(), closeWrite() and close(), got'],
    [
      [LOOPBACK, 1, { local_addr: ["127.0.0.2", 0] }],
      Deno.errors.NotSupported,
      'Cannot connect from "local_addr" [object Array]: Deno chooses the local address',
    ],
    [[], RangeError, "host and port was not specified and no sock specified"],
    [[LOOPBACK, 1, null], TypeError, '"options" must be an object, got null'],
    [[LOOPBACK, 1, { limit: 0 }], RangeError, '"limit" must be above 0, got 0'],
    [[LOOPBACK, 1, { signal: 5 }], TypeError, '"signal" must be an AbortSignal, got 5'],
    [[LOOPBACK, 0], RangeError, '"port" must be a whole number from 1 to 65535, got 0'],
    [[LOOPBACK, 65536], RangeError, '"port" must be a whole number from 1 to 65535, got 65536'],
    [[LOOPBACK, 1.5], RangeError, '"port" must be a whole number from 1 to 65535, got 1.5'],
    [[LOOPBACK, "80"], TypeError, '"port" must be a number, got "80"'],
    [[LOOPBACK], TypeError, '"port" must be a number, got undefined'],
    [[80, 80], TypeError, '"host" must be a string or null, got 80'],
  ];
  for (const [args, error_class, message] of cases) assertThrows(() => open(...args), error_class, message);
});

Deno.test("open_connection() with a signal that is already aborted connects nowhere and throws its reason", async () => {
  const reason = new Error("no");
  assertStrictEquals(
    await error_of(asyncio.open_connection(LOOPBACK, free_port(), { signal: AbortSignal.abort(reason) })),
    reason,
  );
  const error = await error_of(asyncio.open_connection(LOOPBACK, 1, { signal: AbortSignal.abort(null) }));
  assertEquals(error.name, "AbortError");
});

/** A listener that accepts nothing, and whose queue is full, so that further attempts wait. */
async function with_full_backlog(body: (port: number) => Promise<void>): Promise<void> {
  using listener = Deno.listen({ hostname: LOOPBACK, port: 0, tcpBacklog: 1 });
  const port = listener.addr.port;
  const attempts = new AbortController();
  const connections: Deno.TcpConn[] = [];
  const opened: Promise<unknown>[] = [];
  for (let i = 0; i < 4; i++) {
    opened.push(
      Deno.connect({ hostname: LOOPBACK, port, signal: attempts.signal }).then(
        (conn) => connections.push(conn),
        () => {},
      ),
    );
  }
  try {
    await until(() => connections.length >= 2, "the backlog is full");
    await body(port);
  } finally {
    attempts.abort();
    await Promise.all(opened);
    for (const conn of connections) conn.close();
  }
}

Deno.test("open_connection() whose signal aborts while it connects throws the reason", async () => {
  await with_full_backlog(async (port) => {
    const controller = new AbortController();
    const opening = asyncio.open_connection(LOOPBACK, port, { signal: controller.signal });
    await for_turns(3);
    assert(!opening.done());
    controller.abort(new RangeError("enough"));
    await assertRejects(() => opening.then(), RangeError, "enough");
  });
});

Deno.test("open_connection() that is cancelled while it connects leaves nothing open", async () => {
  await with_full_backlog(async (port) => {
    const task = asyncio.create_task(() => asyncio.open_connection(LOOPBACK, port));
    await for_turns(3);
    assert(!task.done());
    task.cancel();
    await assertRejects(() => task.then(), asyncio.CancelledError);
    await assertRejects(
      () => asyncio.wait_for(asyncio.open_connection(LOOPBACK, port), 0.02).then(),
      asyncio.TimeoutError,
    );
  });
});

Deno.test("open_connection() that is cancelled at any moment leaves nothing open", async () => {
  const server = await asyncio.start_server(async (reader) => void await reader.read(), LOOPBACK, 0);
  let made = 0;
  for (let turns = 0; turns < 40; turns++) {
    const task = asyncio.create_task(() => asyncio.open_connection(LOOPBACK, port_of(server)));
    await for_turns(turns % 8);
    for (let i = 0; i < turns; i++) await null;
    task.cancel();
    try {
      const [, writer] = await task;
      made++;
      writer.close();
      await writer.wait_closed();
    } catch (error) {
      assertInstanceOf(error, asyncio.CancelledError);
    }
  }
  assert(made < 40, "some were cancelled in time");
  server.close();
  // It waits for the end of every connection that reached the server.
  await asyncio.wait_for(server.wait_closed(), 10);
});

Deno.test("a connection made in the turn in which its task is cancelled is closed", async () => {
  await asyncio.run(async () => {
    using listener = Deno.listen({ hostname: LOOPBACK, port: 0 });
    const opening = asyncio.open_connection(LOOPBACK, listener.addr.port);
    const task = asyncio.create_task(() => opening);
    opening.add_done_callback(() => task.cancel());
    // Awaited from inside, so that the callback comes before the task's own wait.
    using peer = await listener.accept();
    await assertRejects(() => task.then(), asyncio.CancelledError);
    assert(!opening.cancelled());
    assertEquals(await peer.read(new Uint8Array(1)), null);
  });
});

Deno.test("a signal that aborts after open_connection() has ended changes nothing", async () => {
  await using server = await asyncio.start_server(
    async (reader, writer) => {
      writer.write(await reader.readline());
      await writer.drain();
    },
    LOOPBACK,
    0,
  );
  const controller = new AbortController();
  const [reader, writer] = await asyncio.open_connection(LOOPBACK, port_of(server), { signal: controller.signal });
  controller.abort();
  writer.write("still\n");
  assertEquals(text(await reader.readline()), "still\n");
  writer.close();
  await writer.wait_closed();
});

Deno.test("without --allow-net, open_connection() and start_server() throw Deno's NotCapable and the program ends", async () => {
  const program = `
    import * as asyncio from ${JSON.stringify(new URL("../mod.ts", import.meta.url).href)};
    await asyncio.run(async () => {
      for (const call of [
        () => asyncio.open_connection("127.0.0.1", 9),
        () => asyncio.start_server(() => {}, "127.0.0.1", 0),
      ]) {
        try {
          await call();
          console.log("no error");
        } catch (error) {
          console.log(error instanceof Deno.errors.NotCapable, error.message.includes("--allow-net"));
        }
      }
    });
    console.log("end");
  `;
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(path, program);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--no-prompt", "--no-config", path],
      env: { NO_COLOR: "1" },
    }).output();
    assertEquals(text(stdout).trim().split("\n"), ["true true", "true true", "end"], text(stderr));
    assertEquals(code, 0);
  } finally {
    await Deno.remove(path);
  }
});

for (const secure of [false, true]) {
  const kind = secure ? "TLS" : "TCP";
  Deno.test(`${kind}: no more than the limit and one read is taken ahead from a peer that floods a slow reader`, async () => {
    const { ca, server: identity } = await certificates();
    const limit = 64 * 1024;
    let sent = 0;
    const server = await asyncio.start_server(
      async (_reader, writer) => {
        for (const data = new Uint8Array(MIB); sent < 256; sent++) await writer.send(data);
      },
      LOOPBACK,
      0,
      secure ? { ssl: identity } : {},
    );
    const [reader, writer] = await asyncio.open_connection(LOOPBACK, port_of(server), {
      limit,
      ...(secure ? { ssl: { caCerts: [ca] } } : {}),
    });
    // Somebody waits for the end, which has the reader read ahead.
    const waiting = asyncio.create_task(() => writer.wait_closed());
    for (let i = 0; i < 10; i++) {
      await reader.readexactly(100_000);
      let before = -1;
      while (reader.buffered !== before) {
        before = reader.buffered;
        await asyncio.sleep(0.005);
      }
      // The read that brought the last of these bytes may have brought half a MiB; beyond the limit, none is made ahead.
      assert(reader.buffered <= limit + 512 * 1024, `${reader.buffered} bytes are buffered`);
    }
    assert(sent < 64, `${sent} MiB were taken`);
    waiting.cancel();
    writer.abort();
    await server.shutdown({ timeout: 0 });
  });
}
