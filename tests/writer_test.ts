// What the writer has beyond asyncio's.

import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { unsent } from "../lib/_context.ts";
import * as asyncio from "../mod.ts";
import { error_of, run_program, run_virtual } from "./_helpers.ts";
import {
  bytes,
  FakeConn,
  for_turns,
  LOOPBACK,
  MIB,
  pattern,
  read_all,
  same_bytes,
  text,
  with_bare_peer,
  with_node_peer,
  with_pair,
} from "./_streams.ts";

function writer_over(conn: FakeConn): asyncio.StreamWriter {
  const loop = asyncio.get_event_loop();
  return new asyncio.StreamWriter(new asyncio.Transport(loop, conn), null, loop);
}

Deno.test("send() writes and drains", async () => {
  const conn = new FakeConn(0);
  const writer = writer_over(conn);
  const sending = asyncio.create_task(() => writer.send(new Uint8Array(100_000)));
  await for_turns(2);
  assertEquals([conn.writes.length, sending.done()], [1, false]);
  while (conn.is_writing) await conn.take();
  await sending;
  writer.abort();
  await assertRejects(async () => await writer.send("x"), asyncio.ConnectionResetError, "Connection lost");
});

/** Holds the clock that tells how long an answer was put off; the function that is returned moves it by a millisecond. */
function held_clock(): { tick(): void } & Disposable {
  const { now } = Date;
  let time = now();
  Date.now = () => time;
  return { tick: () => void time++, [Symbol.dispose]: () => void (Date.now = now) };
}

Deno.test("drain() puts nothing off for longer than a millisecond of work", async () => {
  await with_bare_peer(async ([reader, writer], peer) => {
    using clock = held_clock();
    await peer.write(bytes("1\n2\n3\n4\n"));
    const put_off: boolean[] = [];
    for (let i = 0; i < 3; i++) {
      writer.write(await reader.readline());
      if (i === 2) clock.tick();
      await writer.drain();
      put_off.push(writer.transport._has_waiting);
    }
    assertEquals(put_off, [true, true, false]);
  });
});

Deno.test("drain() sends the answer to the only request at once, and the answers to several that came together in one", async () => {
  await with_bare_peer(async ([reader, writer], peer) => {
    using _ = held_clock();
    const buffer = new Uint8Array(100);
    await peer.write(bytes("1\n2\n3\n4\n"));
    const waiting: number[] = [];
    for (let i = 0; i < 4; i++) {
      writer.write(await reader.readline());
      await writer.drain();
      waiting.push(writer.transport.get_write_buffer_size());
    }
    // The last one's answer takes them all along; that it was taken is known a moment later.
    assertEquals(waiting.slice(0, 3), [2, 4, 6]);
    assertEquals(await peer.read(buffer), 8);
  });
});

Deno.test("drain() with input left to read sends what is written once the code waits for something else", async () => {
  await with_bare_peer(async ([reader, writer], peer) => {
    await peer.write(bytes("1\n2\n"));
    await reader.readline();
    writer.write("answer");
    await writer.drain();
    assertEquals(writer.transport.get_write_buffer_size(), 6);
    const buffer = new Uint8Array(100);
    const [count] = await Promise.all([peer.read(buffer), asyncio.sleep(0)]);
    assertEquals(count, 6);
    assertEquals(reader.buffered, 2);
  });
});

Deno.test("what drain() left for later is sent when the program exits before", async () => {
  using listener = Deno.listen({ hostname: LOOPBACK, port: 0 });
  const code = `
    import * as asyncio from ${JSON.stringify(new URL("../mod.ts", import.meta.url).href)};
    const [reader, writer] = await asyncio.open_connection("127.0.0.1", ${listener.addr.port});
    await reader.readline();
    writer.write("answer");
    await writer.drain();
    if (writer.transport.get_write_buffer_size() !== 6) console.log("sent before");
    Deno.exit(3);
  `;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-net", "--no-check", `data:text/typescript,${encodeURIComponent(code)}`],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  using peer = await listener.accept();
  await peer.write(bytes("1\n2\n"));
  const buffer = new Uint8Array(100);
  assertEquals(await peer.read(buffer), 6);
  const { code: status, stdout, stderr } = await child.output();
  assertEquals([status, text(stdout), text(stderr)], [3, "", ""]);
});

Deno.test("a connection that is aborted with something left for later is not kept until the program exits", async () => {
  const before = unsent.size;
  await with_bare_peer(async ([reader, writer], peer) => {
    await peer.write(bytes("1\n2\n"));
    await reader.readline();
    writer.send("answer");
    assertEquals(unsent.size, before + 1);
    writer.abort();
    await writer.wait_closed();
  });
  assertEquals(unsent.size, before);
});

Deno.test("flush() waits until all has left, where drain() does not", async () => {
  const conn = new FakeConn(0);
  const writer = writer_over(conn);
  await writer.flush();
  writer.write("hello");
  await writer.drain();
  const flushing = [1, 2, 3].map(() => asyncio.create_task(() => writer.flush()));
  await for_turns(2);
  assertEquals(flushing.map((task) => task.done()), [false, false, false]);
  flushing[1].cancel();
  await conn.take(2);
  await for_turns(2);
  assertEquals(flushing.map((task) => task.done()), [false, true, false]);
  await conn.take();
  await asyncio.gather(flushing[0], flushing[2]);
  writer.close();
});

Deno.test("flush() fails with the connection's error if that breaks, and if it is closed under it", async () => {
  const broken = new FakeConn(0);
  const writer = writer_over(broken);
  writer.write("hello");
  const flushing = asyncio.create_task(() => error_of(writer.flush()));
  await for_turns(2);
  await broken.fail(new asyncio.BrokenPipeError("gone"));
  assertInstanceOf(await flushing, asyncio.BrokenPipeError);
  assertInstanceOf(await error_of(writer.flush()), asyncio.BrokenPipeError);
  writer.abort();
  const other = writer_over(new FakeConn(0));
  other.write("hello");
  const waiting = asyncio.create_task(() => error_of(other.flush()));
  await for_turns(2);
  other.abort();
  assertInstanceOf(await waiting, asyncio.ConnectionResetError);
});

Deno.test("statistics() counts bytes both ways, stalls and the most that waited", async () => {
  await with_pair(async ([reader, writer], [their_reader, their_writer]) => {
    assertEquals(writer.statistics(), { bytes_written: 0, bytes_read: 0, stalls: 0, peak_buffer_size: 0 });
    writer.write("hello");
    await writer.flush();
    their_writer.write("good day");
    await their_writer.flush();
    await reader.readexactly(3);
    await their_reader.readexactly(5);
    assertEquals(writer.statistics(), { bytes_written: 5, bytes_read: 8, stalls: 0, peak_buffer_size: 5 });
    assert(Object.isFrozen(writer.statistics()));
  });
  const writer = writer_over(new FakeConn(0));
  for (let i = 0; i < 3; i++) writer.write(new Uint8Array(40_000));
  const { stalls, peak_buffer_size } = writer.statistics();
  assertEquals([stalls, peak_buffer_size], [1, 120_000]);
  writer.abort();
});

// close({ linger })

Deno.test("close() with input unread and linger delivers the last bytes, and then ends with the peer", async () => {
  await with_bare_peer(async ([, writer], peer) => {
    await peer.write(bytes("never read"));
    const data = pattern(2 * MIB);
    writer.write(data);
    writer.close({ linger: 60 });
    assert(same_bytes(await read_all(peer), data));
    let closed = false;
    const waiting = writer.wait_closed().then(() => closed = true);
    await for_turns(5);
    assertEquals(closed, false);
    await peer.closeWrite();
    await waiting;
  });
});

Deno.test("close() with linger gives up on a peer that neither reads nor ends", async () => {
  await with_bare_peer(async ([, writer]) => {
    writer.close({ linger: 0.02 });
    await writer.wait_closed();
  });
  await with_bare_peer(async ([, writer]) => {
    writer.write(new Uint8Array(16 * MIB));
    writer.close({ linger: 0.02 });
    await writer.wait_closed().catch(() => {});
    assertEquals(writer.transport.get_write_buffer_size(), 0);
  });
});

Deno.test("close() refuses a wrong linger by name and value", () => {
  const writer = writer_over(new FakeConn());
  assertThrows(() => writer.close({ linger: -1 }), RangeError, '"linger" must be 0 or more, got -1');
  // deno-lint-ignore no-explicit-any
  assertThrows(() => writer.close({ linger: "1" } as any), TypeError, '"linger" must be a number, got "1"');
  assertEquals(writer.is_closing(), false);
  writer.close();
});

Deno.test("abort() drops what was not sent, and the peer sees the end", async () => {
  await with_node_peer(async ([, writer], peer) => {
    const ended = new Promise<void>((resolve) => peer.once("close", () => resolve()));
    peer.resume();
    writer.write(new Uint8Array(16 * MIB));
    writer.abort();
    await writer.wait_closed();
    await ended;
  });
});

// Web streams

Deno.test("writable sends what is written to it, and its close() ends this half only", async () => {
  await with_pair(async ([reader, writer], [their_reader, their_writer]) => {
    assertEquals(writer.writable, writer.writable);
    const to = writer.writable.getWriter();
    await to.write("hello ");
    await to.write(bytes("world"));
    await to.close();
    assertEquals(text(await their_reader.read()), "hello world");
    await their_writer.send("answer\n");
    assertEquals(text(await reader.readline()), "answer\n");
    assertEquals(writer.is_closing(), false);
  });
});

Deno.test("writable waits as long as the peer does not read, and abort() of it ends the connection", async () => {
  await with_pair(async ([, writer], [their_reader]) => {
    const to = writer.writable.getWriter();
    let sent = 0;
    const flooding = (async () => {
      for (; sent < 64; sent++) await to.write(pattern(MIB));
    })();
    flooding.catch(() => {});
    await asyncio.sleep(0.1);
    assert(sent < 64, "nobody waited");
    await to.abort("enough");
    await assertRejects(() => flooding);
    assertEquals(writer.is_closing(), true);
    await error_of(their_reader.read().then((data) => Promise.reject(new Error(String(data.length)))));
  });
});

Deno.test("StreamWriter.to() writes to a web stream, waits for it, and closes it", async () => {
  const chunks: string[] = [];
  const gate = Promise.withResolvers<void>();
  const writer = asyncio.StreamWriter.to(
    new WritableStream<Uint8Array<ArrayBuffer>>({
      async write(chunk) {
        await gate.promise;
        chunks.push(text(chunk));
      },
      close: () => void chunks.push("closed"),
    }),
  );
  writer.transport.set_write_buffer_limits({ high: 0 });
  writer.write("a");
  writer.write("b");
  const draining = asyncio.create_task(() => writer.drain());
  await for_turns(3);
  assertEquals(draining.done(), false);
  gate.resolve();
  await draining;
  await writer.send("c");
  writer.close();
  await writer.wait_closed();
  assertEquals(chunks, ["ab", "c", "closed"]);
  assertEquals(writer.get_extra_info("peername"), null);
});

Deno.test("StreamWriter.to() passes errors of the web stream on: of a write to drain(), of its close to wait_closed()", async () => {
  const failing = asyncio.StreamWriter.to(
    new WritableStream({
      write() {
        throw new RangeError("full");
      },
    }),
  );
  failing.write("x");
  await assertRejects(async () => await failing.flush(), RangeError, "full");
  failing.close();
  await assertRejects(async () => await failing.wait_closed(), RangeError, "full");
  const unclosable = asyncio.StreamWriter.to(
    new WritableStream({
      close() {
        throw new RangeError("cannot close");
      },
    }),
  );
  await unclosable.send("x");
  unclosable.close();
  await assertRejects(async () => await unclosable.wait_closed(), RangeError, "cannot close");
  // deno-lint-ignore no-explicit-any
  assertThrows(() => asyncio.StreamWriter.to({} as any), TypeError, '"stream" must be a WritableStream, got');
});

// pipe()

Deno.test("pipe() copies everything, passes the end on, and closes nothing", async () => {
  await with_pair(async ([reader, writer], [their_reader, their_writer]) => {
    const data = pattern(3 * MIB + 1);
    const echoing = asyncio.create_task(() => asyncio.pipe(their_reader, their_writer));
    const sending = asyncio.create_task(async () => {
      await writer.send(data);
      writer.write_eof();
    });
    assert(same_bytes(await reader.read(), data));
    await sending;
    assertEquals(await echoing, data.length);
    assertEquals([writer.is_closing(), their_writer.is_closing()], [false, false]);
  });
});

Deno.test("pipe() reads no faster than the peer takes", async () => {
  await with_pair(async ([, writer], [their_reader]) => {
    let given = 0;
    const source = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull(controller) {
        given++;
        controller.enqueue(pattern(MIB));
      },
    });
    const piping = asyncio.create_task(() => asyncio.pipe(asyncio.StreamReader.from(source), writer));
    let before = -1;
    while (given !== before) {
      before = given;
      await asyncio.sleep(0.05);
    }
    assert(given < 64, `${given} MiB were read`);
    piping.cancel();
    await asyncio.wait([piping]);
    assertEquals(piping.cancelled(), true);
    await their_reader.readexactly(MIB);
  });
});

Deno.test("pipe() fails with the error of either side, and refuses what is no stream", async () => {
  await with_node_peer(async ([reader, writer], peer) => {
    peer.resetAndDestroy();
    await assertRejects(async () => await asyncio.pipe(reader, writer), asyncio.ConnectionResetError);
  });
  const reader = new asyncio.StreamReader();
  // deno-lint-ignore no-explicit-any
  assertThrows(() => asyncio.pipe(5 as any, 5 as any), TypeError, '"reader" must be a StreamReader, got 5');
  // deno-lint-ignore no-explicit-any
  assertThrows(() => asyncio.pipe(reader, 5 as any), TypeError, '"writer" must be a StreamWriter, got 5');
});

// Forgotten connections

Deno.test("a connection whose reader and writer were forgotten is reported and closed", async () => {
  const { stdout, stderr } = await run_program(`
    const server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const accepting = server.accept();
    const open = async () => { await asyncio.open_connection("127.0.0.1", server.addr.port); };
    await open();
    const peer = await accepting;
    const end = peer.read(new Uint8Array(1));
    const timer = setInterval(() => globalThis.gc(), 5);
    console.log(await end);
    clearInterval(timer);
    peer.close();
    server.close();
  `);
  assertEquals(stdout, "null\n");
  assert(stderr.includes("Unclosed StreamWriter was forgotten; its connection is closed"), stderr);
});

Deno.test("a connection of which only the reader is kept stays open", async () => {
  const { stdout, stderr } = await run_program(`
    const server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const accepting = server.accept();
    const open = async () => (await asyncio.open_connection("127.0.0.1", server.addr.port))[0];
    const reader = await open();
    const peer = await accepting;
    for (let i = 0; i < 20; i++) {
      globalThis.gc();
      await asyncio.sleep(0.002);
    }
    await peer.write(new TextEncoder().encode("hello\\n"));
    console.log((await reader.readline()).length);
    peer.close();
    server.close();
    Deno.exit(0);
  `);
  assertEquals([stdout, stderr], ["6\n", ""]);
});

Deno.test("StreamWriter.to() waits for a slow web stream as long as it takes: only TLS has a time limit at its end", async () => {
  await run_virtual(async () => {
    let written = 0;
    const writer = asyncio.StreamWriter.to(
      new WritableStream<Uint8Array<ArrayBuffer>>({
        async write(chunk) {
          await asyncio.sleep(100);
          written += chunk.length;
        },
      }),
    );
    writer.write("slow");
    writer.close();
    await writer.wait_closed();
    assertEquals(written, 4);
  });
});
