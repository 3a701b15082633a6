import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";
import { certificates } from "./_certificates.ts";
import { collect_reports, error_of } from "./_helpers.ts";
import { for_turns, LOOPBACK, MIB, pattern, port_of, read_all, same_bytes, text, until } from "./_streams.ts";

/** Notes each call of its methods. */
class Recorder extends asyncio.Protocol {
  readonly calls: string[] = [];
  readonly lost = new asyncio.Future<{ error: unknown }>();
  readonly keeps_open: boolean;
  transport!: asyncio.Transport;
  received = "";

  constructor(keeps_open = false) {
    super();
    this.keeps_open = keeps_open;
  }
  override connection_made(transport: asyncio.Transport) {
    this.transport = transport;
    this.calls.push("made");
  }
  override data_received(data: Uint8Array) {
    if (this.calls.at(-1) !== "data") this.calls.push("data");
    this.received += text(data);
  }
  override eof_received() {
    this.calls.push("eof");
    return this.keeps_open;
  }
  override connection_lost(error: unknown) {
    this.calls.push(`lost ${error === null ? "None" : (error as Error).name}`);
    this.lost.set_result({ error });
  }
  override pause_writing() {
    this.calls.push("pause");
  }
  override resume_writing() {
    this.calls.push("resume");
  }
}

class Echo extends asyncio.Protocol {
  #transport!: asyncio.Transport;
  override connection_made(transport: asyncio.Transport) {
    this.#transport = transport;
  }
  override data_received(data: Uint8Array) {
    this.#transport.write(data);
  }
}

const loop_of = () => asyncio.get_event_loop();

/** A protocol's end of a connection, and a bare one as its peer. */
async function with_protocol<P extends asyncio.BaseProtocol>(
  make: () => P,
  body: (protocol: P, transport: asyncio.Transport, peer: Deno.TcpConn) => Promise<void>,
): Promise<void> {
  using listener = Deno.listen({ hostname: LOOPBACK, port: 0 });
  const accepting = listener.accept();
  const [transport, protocol] = await loop_of().create_connection(make, LOOPBACK, listener.addr.port);
  using peer = await accepting;
  try {
    await body(protocol, transport, peer);
  } finally {
    transport.abort();
    await for_turns(2);
  }
}

Deno.test("a protocol is told of its connection, its data, the end of data and its end, in this order and once", async () => {
  await with_protocol(() => new Recorder(), async (protocol, transport, peer) => {
    assertStrictEquals(protocol.transport, transport);
    assertStrictEquals(transport.get_protocol(), protocol);
    await peer.write(new TextEncoder().encode("hello"));
    await until(() => protocol.received === "hello", "it came");
    await peer.closeWrite();
    assertEquals(await protocol.lost, { error: null });
    transport.close();
    transport.abort();
    await for_turns(5);
    assertEquals(protocol.calls, ["made", "data", "eof", "lost None"]);
  });
});

Deno.test("a protocol whose eof_received() gives true goes on writing", async () => {
  await with_protocol(() => new Recorder(true), async (protocol, transport, peer) => {
    await peer.closeWrite();
    await until(() => protocol.calls.includes("eof"), "the end came");
    assertEquals([transport.is_closing(), transport.is_reading()], [false, false]);
    transport.write("still here");
    transport.close();
    assertEquals(text(await read_all(peer)), "still here");
    await protocol.lost;
    assertEquals(protocol.calls, ["made", "eof", "lost None"]);
  });
});

Deno.test("close() gives a protocol nothing more of what comes, sends what was written, and then tells it", async () => {
  await with_protocol(() => new Recorder(), async (protocol, transport, peer) => {
    const data = pattern(4 * MIB);
    transport.write(data);
    transport.close();
    await peer.write(new TextEncoder().encode("too late"));
    assert(same_bytes(await read_all(peer), data));
    await protocol.lost;
    assertEquals(protocol.calls.filter((call) => call === "data"), []);
    assertEquals(protocol.calls.at(-1), "lost None");
  });
});

Deno.test("pause_writing() and resume_writing() come in pairs, around the marks", async () => {
  await with_protocol(() => new Recorder(), async (protocol, transport, peer) => {
    for (let i = 0; i < 3; i++) {
      transport.write(new Uint8Array(8 * MIB));
      assertEquals(protocol.calls.at(-1), "pause");
      const array = new Uint8Array(MIB);
      for (let count = 0; count < 8 * MIB;) count += (await peer.read(array))!;
      await until(() => protocol.calls.at(-1) === "resume", "all was taken");
    }
    assertEquals(protocol.calls, ["made", "pause", "resume", "pause", "resume", "pause", "resume"]);
  });
});

Deno.test("pause_reading() holds back what comes, also what was on its way, and resume_reading() gives it in order", async () => {
  await with_protocol(() => new Recorder(), async (protocol, transport, peer) => {
    transport.pause_reading();
    transport.pause_reading();
    assertEquals(transport.is_reading(), false);
    await peer.write(new TextEncoder().encode("one "));
    await asyncio.sleep(0.01);
    await peer.write(new TextEncoder().encode("two"));
    await asyncio.sleep(0.01);
    assertEquals(protocol.received, "");
    transport.resume_reading();
    transport.resume_reading();
    await until(() => protocol.received === "one two", "it came");
    transport.pause_reading();
    await peer.closeWrite();
    await asyncio.sleep(0.01);
    assertEquals(protocol.calls, ["made", "data"]);
    transport.resume_reading();
    await protocol.lost;
    assertEquals(protocol.calls, ["made", "data", "eof", "lost None"]);
  });
});

Deno.test("resume_reading() with a pause_reading() right behind it gives nothing of what was held back", async () => {
  await with_protocol(() => new Recorder(), async (protocol, transport, peer) => {
    transport.pause_reading();
    await peer.write(new TextEncoder().encode("held"));
    await asyncio.sleep(0.01);
    transport.resume_reading();
    transport.pause_reading();
    await asyncio.sleep(0.001);
    assertEquals(protocol.received, "");
    transport.resume_reading();
    await until(() => protocol.received === "held", "it came");
  });
});

Deno.test("a reset reaches connection_lost() as the error, once", async () => {
  const { createServer } = await import("node:net");
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.resetAndDestroy());
  });
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
  const { port } = server.address() as { port: number };
  const [transport, protocol] = await loop_of().create_connection(() => new Recorder(), LOOPBACK, port);
  transport.write("x");
  const { error } = await protocol.lost;
  assertInstanceOf(error, asyncio.ConnectionResetError);
  assertEquals(protocol.calls, ["made", "lost ConnectionReset"]);
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

Deno.test("an error thrown by data_received() is reported and ends the connection with it", async () => {
  const reports = collect_reports(loop_of());
  const broken = new RangeError("broken");
  class Broken extends Recorder {
    override data_received(): void {
      throw broken;
    }
  }
  await with_protocol(() => new Broken(), async (protocol, _transport, peer) => {
    await peer.write(new Uint8Array(1));
    assertStrictEquals((await protocol.lost).error, broken);
  });
  loop_of().set_exception_handler(null);
  assertEquals(reports.map(({ message }) => message), ["Fatal error: protocol.data_received() call failed."]);
  assertStrictEquals(reports[0].exception, broken);
});

Deno.test("a BufferedProtocol is read into its own array", async () => {
  class Buffered extends asyncio.BufferedProtocol {
    readonly buffer = new Uint8Array(8);
    received = "";
    readonly hints: number[] = [];
    override get_buffer(size_hint: number) {
      this.hints.push(size_hint);
      return this.buffer;
    }
    override buffer_updated(size: number) {
      this.received += text(this.buffer.subarray(0, size));
    }
  }
  await with_protocol(() => new Buffered(), async (protocol, _transport, peer) => {
    await peer.write(new TextEncoder().encode("a long text, longer than that"));
    await until(() => protocol.received === "a long text, longer than that", "all came");
    assert(protocol.hints.length >= 4);
  });
  const reports = collect_reports(loop_of());
  class Empty extends Buffered {
    override get_buffer() {
      return new Uint8Array(0);
    }
  }
  await with_protocol(() => new Empty(), async (_protocol, transport) => {
    await until(() => transport.is_closing(), "it gave up");
  });
  loop_of().set_exception_handler(null);
  assertEquals((reports[0].exception as Error).message, "get_buffer() returned an empty buffer");
});

Deno.test("set_protocol() changes who is called, between the kinds of protocol too", async () => {
  await with_protocol(() => new Recorder(), async (protocol, transport, peer) => {
    await peer.write(new TextEncoder().encode("a"));
    await until(() => protocol.received === "a", "it came");
    const other = new Recorder();
    transport.set_protocol(other);
    await peer.write(new TextEncoder().encode("b"));
    await until(() => other.received === "b", "it came");
    await peer.closeWrite();
    await other.lost;
    assertEquals([protocol.calls, other.calls], [["made", "data"], ["data", "eof", "lost None"]]);
  });
});

Deno.test("create_server() drives a protocol for each connection, over TCP, unix sockets and TLS", async () => {
  const { ca, server: identity } = await certificates();
  const folder = await Deno.makeTempDir();
  const loop = loop_of();
  const plain = await loop.create_server(() => new Echo(), LOOPBACK, 0);
  const secure = await loop.create_server(() => new Echo(), LOOPBACK, 0, { ssl: identity });
  const unix = await loop.create_unix_server(() => new Echo(), `${folder}/s`);
  const clients = [
    await loop.create_connection(() => new Recorder(), LOOPBACK, port_of(plain)),
    await loop.create_connection(() => new Recorder(), LOOPBACK, port_of(secure), { ssl: { caCerts: [ca] } }),
    await loop.create_unix_connection(() => new Recorder(), `${folder}/s`),
  ];
  for (const [transport, protocol] of clients) {
    transport.write("hello");
    await until(() => protocol.received === "hello", "it came back");
    transport.close();
    await protocol.lost;
    assertEquals(protocol.calls, ["made", "data", "lost None"]);
  }
  for (const server of [plain, secure, unix]) {
    assertThrows(() => server[Symbol.asyncIterator](), asyncio.RuntimeError);
    await server.shutdown();
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a protocol_factory that throws ends that connection only, and is reported", async () => {
  const loop = loop_of();
  const reports = collect_reports(loop);
  let first = true;
  const server = await loop.create_server(
    () => {
      if (!first) return new Echo();
      first = false;
      throw new RangeError("not yet");
    },
    LOOPBACK,
    0,
  );
  using refused = await Deno.connect({ hostname: LOOPBACK, port: port_of(server) });
  assertEquals((await read_all(refused)).length, 0);
  const [reader, writer] = await asyncio.open_connection(LOOPBACK, port_of(server));
  await writer.send("x");
  assertEquals(text(await reader.read(1)), "x");
  writer.close();
  await writer.wait_closed();
  await server.shutdown();
  await assertRejects(
    async () => {
      await using server = await asyncio.start_server(() => {}, LOOPBACK, 0);
      await loop.create_connection(
        () => {
          throw new RangeError("never");
        },
        LOOPBACK,
        port_of(server),
      );
    },
    RangeError,
    "never",
  );
  loop.set_exception_handler(null);
  assertEquals(reports.map(({ message }) => message), ["Exception in protocol_factory"]);
});

Deno.test("connect_accepted_socket() drives a protocol over a connection that Deno accepted", async () => {
  using listener = Deno.listen({ hostname: LOOPBACK, port: 0 });
  const accepting = listener.accept();
  const [reader, writer] = await asyncio.open_connection(LOOPBACK, listener.addr.port);
  const [transport] = await loop_of().connect_accepted_socket(() => new Echo(), await accepting);
  await writer.send("hello");
  assertEquals(text(await reader.readexactly(5)), "hello");
  writer.close();
  await writer.wait_closed();
  await until(() => transport.is_closing(), "it saw the end");
});

Deno.test("loop.start_tls() goes on over TLS on both sides, with the read that was under way", async () => {
  const { ca, server: identity } = await certificates();
  const loop = loop_of();
  class Upgrading extends Recorder {
    override data_received(data: Uint8Array) {
      super.data_received(data);
      if (text(data) === "STARTTLS") {
        this.transport.write("OK");
        loop.start_tls(this.transport, new Secure(this.transport), identity);
      }
    }
  }
  class Secure extends asyncio.Protocol {
    readonly #transport: asyncio.Transport;
    constructor(transport: asyncio.Transport) {
      super();
      this.#transport = transport;
    }
    override data_received(data: Uint8Array) {
      this.#transport.write(`secure ${text(data)}`);
    }
  }
  const server = await loop.create_server(() => new Upgrading(), LOOPBACK, 0);
  const [transport, plain] = await loop.create_connection(() => new Recorder(), "localhost", port_of(server));
  transport.write("STARTTLS");
  await until(() => plain.received === "OK", "it agreed");
  const secure = new Recorder();
  assertStrictEquals(await loop.start_tls(transport, secure, { caCerts: [ca] }), transport);
  transport.write("hello");
  await until(() => secure.received === "secure hello", "it answered");
  assertEquals(transport.get_extra_info("ssl_object")?.version, "TLSv1.3");
  transport.close();
  await secure.lost;
  await server.shutdown();
  // deno-lint-ignore no-explicit-any
  assertThrows(() => loop.start_tls({} as any, secure, true), TypeError, "is not supported by start_tls()");
});

Deno.test("loop.start_tls() takes what was held back while reading was paused, and resume_reading() goes on over TLS", async () => {
  const { ca, server: identity } = await certificates();
  await with_protocol(() => new Recorder(), async (protocol, transport, peer) => {
    transport.pause_reading();
    using secure = await Deno.startTls(peer, { hostname: "localhost", caCerts: [ca] });
    const handshake = secure.handshake();
    await asyncio.sleep(0.01);
    await loop_of().start_tls(transport, protocol, identity, { server_side: true });
    await handshake;
    await secure.write(new TextEncoder().encode("hello"));
    transport.resume_reading();
    await until(() => protocol.received === "hello", "it came");
    assertEquals(protocol.calls, ["made", "data"]);
  });
});

Deno.test("sendfile() sends a part of a file, and says what it cannot do", async () => {
  const path = await Deno.makeTempFile();
  const data = pattern(300_000);
  await Deno.writeFile(path, data);
  using file = await Deno.open(path);
  await with_protocol(() => new Recorder(), async (_protocol, transport, peer) => {
    const loop = loop_of();
    const reading = read_all(peer);
    assertEquals(await loop.sendfile(transport, file), 300_000);
    assertEquals(await loop.sendfile(transport, file, 299_000), 1000);
    assertEquals(await loop.sendfile(transport, file, 5, 10), 10);
    assertThrows(
      () => loop.sendfile(transport, file, -1),
      RangeError,
      "offset must be a non-negative integer (got -1)",
    );
    assertThrows(() => loop.sendfile(transport, file, 0, 0), RangeError, "count must be a positive integer (got 0)");
    assertThrows(
      () => loop.sendfile(transport, file, 0, null, { fallback: false }),
      asyncio.SendfileNotAvailableError,
    );
    transport.close();
    assertThrows(() => loop.sendfile(transport, file), asyncio.RuntimeError, "Transport is closing");
    assert(same_bytes(await reading, new Uint8Array([...data, ...data.subarray(299_000), ...data.subarray(5, 15)])));
  });
  await Deno.remove(path);
});

Deno.test("connect_read_pipe() and connect_write_pipe() drive protocols over web streams", async () => {
  const loop = loop_of();
  const through = new TransformStream<Uint8Array, Uint8Array>();
  const [, receiver] = await loop.connect_read_pipe(() => new Recorder(), through);
  const [transport, sender] = await loop.connect_write_pipe(() => new Recorder(), through);
  assertEquals(transport.is_reading(), false);
  transport.write("hello ");
  transport.write("world");
  transport.close();
  await Promise.all([sender.lost, receiver.lost]);
  assertEquals([receiver.received, receiver.calls], ["hello world", ["made", "data", "eof", "lost None"]]);
  assertEquals(sender.calls, ["made", "lost None"]);

  let cancelled = false;
  const endless = new ReadableStream<Uint8Array>({ cancel: () => void (cancelled = true) });
  const [reading, reader] = await loop.connect_read_pipe(() => new Recorder(), endless);
  reading.close();
  await reader.lost;
  assertEquals(cancelled, true);
  const failing = new ReadableStream<Uint8Array>({
    pull() {
      throw new RangeError("broken");
    },
  });
  const [, told] = await loop.connect_read_pipe(() => new Recorder(), failing);
  assertInstanceOf((await told.lost).error, RangeError);
  assertThrows(
    // deno-lint-ignore no-explicit-any
    () => loop.connect_read_pipe(() => new Recorder(), 5 as any),
    TypeError,
    '"pipe" must be a ReadableStream',
  );
});

Deno.test("the calls refuse what is no protocol, by name and value", async () => {
  const loop = loop_of();
  assertThrows(
    // deno-lint-ignore no-explicit-any
    () => loop.create_connection(5 as any, LOOPBACK, 80),
    TypeError,
    '"protocol_factory" must be a function',
  );
  assertThrows(
    // deno-lint-ignore no-explicit-any
    () => loop.create_connection(() => new Echo(), LOOPBACK, 80, { limit: 5 } as any),
    TypeError,
    'Unknown option "limit"',
  );
  await using server = await asyncio.start_server(() => {}, LOOPBACK, 0);
  // deno-lint-ignore no-explicit-any
  const error = await error_of(loop.create_connection(() => ({}) as any, LOOPBACK, port_of(server)));
  assertEquals(error.message, '"protocol_factory()" must be a BaseProtocol, got [object Object]');
  const [, writer] = await asyncio.open_connection(LOOPBACK, port_of(server));
  assertEquals([writer.transport.get_protocol(), writer.transport.is_reading()], [null, false]);
  assertThrows(() => writer.transport.set_protocol(new Echo()), asyncio.RuntimeError, "the transport carries streams");
  writer.abort();
});

Deno.test("what was read for one protocol is copied into the smaller buffer of the next", async () => {
  class Small extends asyncio.BufferedProtocol {
    readonly hints: number[] = [];
    readonly #buffer = new Uint8Array(4);
    received = "";
    override get_buffer(size_hint: number) {
      this.hints.push(size_hint);
      return this.#buffer;
    }
    override buffer_updated(size: number) {
      this.received += text(this.#buffer.subarray(0, size));
    }
  }
  await with_protocol(() => new Recorder(), async (_protocol, transport, peer) => {
    const second = new Small();
    // The read for the first is under way.
    transport.set_protocol(second);
    await peer.write(new TextEncoder().encode("hello world"));
    await until(() => second.received === "hello world", "it came");
    assertEquals(second.hints, [11, 7, 3, -1]);
    const third = new Recorder();
    third.calls.push("set");
    transport.set_protocol(third);
    await peer.write(new TextEncoder().encode("bye"));
    await until(() => third.received === "bye", "it came");
    assertEquals([third.calls, second.received], [["set", "data"], "hello world"]);
  });
});

Deno.test("write_eof() closes a pipe that is only written to, once all has left", async () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const reading = new Response(readable).text();
  const [transport, protocol] = await loop_of().connect_write_pipe(() => new Recorder(), writable);
  transport.write("hello");
  transport.write_eof();
  assertEquals(transport.is_closing(), true);
  transport.write("late");
  assertEquals(await reading, "hello");
  assertEquals(await protocol.lost, { error: null });
  assertEquals(protocol.calls, ["made", "lost None"]);
});
