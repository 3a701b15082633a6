// The transport and its protocol, over real sockets of this machine.

import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { SYSTEM_NETWORK } from "../lib/_deno_net.ts";
import type { RawDatagramSocket } from "../lib/_deno.ts";
import * as asyncio from "../mod.ts";
import { eventually, FakeSocket, HOST } from "./_datagrams.ts";
import { run_virtual } from "./_helpers.ts";

const decoder = new TextDecoder();

/** Keeps what it was called with. */
class Recorder extends asyncio.DatagramProtocol {
  readonly events: string[] = [];
  readonly errors: unknown[] = [];
  readonly senders: asyncio.DatagramAddress[] = [];
  transport!: asyncio.DatagramTransport;

  override connection_made(transport: asyncio.DatagramTransport): void {
    this.transport = transport;
    this.events.push("made");
  }

  override datagram_received(data: Uint8Array, addr: asyncio.DatagramAddress): void {
    this.events.push(`"${decoder.decode(data)}"`);
    this.senders.push(addr);
  }

  override error_received(error: unknown): void {
    this.events.push("error");
    this.errors.push(error);
  }

  override connection_lost(error: unknown): void {
    this.events.push(`lost ${error}`);
  }

  override pause_writing(): void {
    this.events.push("pause");
  }

  override resume_writing(): void {
    this.events.push("resume");
  }
}

type Opened = [asyncio.DatagramTransport, Recorder];

const loop = () => asyncio.get_event_loop();
const receiver = (host = HOST) => loop().create_datagram_endpoint(() => new Recorder(), [host, 0]);
const sender = (to: asyncio.DatagramTransport, options?: asyncio.DatagramOptions) =>
  loop().create_datagram_endpoint(() => new Recorder(), null, address_of(to), options);
const address_of = (transport: asyncio.DatagramTransport) => transport.get_extra_info("sockname");

/** A receiver and a sender to it. */
async function with_pair(body: (receiver: Opened, sender: Opened) => Promise<void>): Promise<void> {
  const receiving = await receiver();
  const sending = await sender(receiving[0]);
  try {
    await body(receiving, sending);
  } finally {
    receiving[0].abort();
    sending[0].abort();
  }
}

Deno.test("create_datagram_endpoint() gives a transport and its protocol, which has been told of it", async () => {
  await with_pair(async ([server, at_server], [client, at_client]) => {
    assertEquals([at_server.events, at_client.events], [["made"], ["made"]]);
    assertStrictEquals(at_client.transport, client);
    assertStrictEquals(client.get_protocol(), at_client);
    client.sendto("ping");
    await eventually(() => at_server.senders.length === 1);
    server.sendto(new Uint8Array([112, 111, 110, 103]), at_server.senders[0]);
    await eventually(() => at_client.events.length === 2);
    assertEquals([at_server.events[1], at_client.events[1]], ['"ping"', '"pong"']);
    assertEquals([at_server.senders, at_client.senders], [[address_of(client)], [address_of(server)]]);
  });
});

Deno.test("DatagramTransport.get_extra_info() knows both addresses and their family", async () => {
  await with_pair(async ([server], [client]) => {
    const [host, port] = address_of(server);
    assertEquals([host, server.get_extra_info("peername")], [HOST, null]);
    assert(port > 0);
    assertEquals(client.get_extra_info("peername"), [HOST, port]);
    const socket = client.get_extra_info("socket");
    assertEquals([socket.family, socket.getsockname()], ["AF_INET", address_of(client)]);
    assertEquals([client.get_extra_info("conn"), client.get_extra_info("none", 1)], [null, 1]);
    assert(client.get_extra_info("dgram") !== null);
    await Promise.resolve();
  });
});

Deno.test("DatagramTransport.sendto() has datagrams leave in the order of the calls, whatever their sizes", async () => {
  await with_pair(async ([, at_server], [client]) => {
    const sizes = Array.from({ length: 60 }, (_, i) => i % 3 === 0 ? 0 : i % 3 === 1 ? 1500 : 10);
    const expected = sizes.map((size, i) => size === 0 ? "" : `${i}`.padEnd(size, "."));
    for (const text of expected) client.sendto(text);
    await eventually(() => at_server.senders.length === expected.length);
    assertEquals(at_server.events.slice(1), expected.map((text) => `"${text}"`));
  });
});

Deno.test("DatagramTransport.sendto() sends the bytes that were there at the call", async () => {
  await with_pair(async ([, at_server], [client]) => {
    const data = new TextEncoder().encode("first");
    for (let i = 0; i < 3; i++) client.sendto(data);
    data.fill(120);
    await eventually(() => at_server.senders.length === 3);
    assertEquals(at_server.events.slice(1), ['"first"', '"first"', '"first"']);
  });
});

Deno.test("DatagramTransport.sendto() with a remote address takes no other", async () => {
  await with_pair(async ([server, at_server], [client]) => {
    const [host, port] = address_of(server);
    const other = port === 1 ? 2 : 1;
    const error = assertThrows(() => client.sendto("x", [host, other]), RangeError);
    assertEquals(error.message, `Invalid address: must be null or ${HOST}:${port}, got ${HOST}:${other}`);
    client.sendto("a", [host, port]);
    client.sendto("b", null);
    await eventually(() => at_server.senders.length === 2);
    assertEquals(at_server.events.slice(1), ['"a"', '"b"']);
  });
});

Deno.test("DatagramTransport.sendto() names an argument that is wrong", async () => {
  const [transport] = await receiver();
  const addr = address_of(transport);
  assertThrows(() => transport.sendto("x"), TypeError, '"addr" must be [host, port]: there is no remote address');
  assertThrows(() => transport.sendto(5 as never, addr), TypeError, '"data" must be a Uint8Array or a string, got 5');
  assertThrows(() => transport.sendto("x", [HOST] as never), TypeError, '"addr" must be [host, port]');
  assertThrows(() => transport.sendto("x", [HOST, 65536]), RangeError, '"port" must be a whole number from 1 to 65535');
  assertThrows(() => transport.sendto("x", ["", 1]), RangeError, 'The host of "addr" must not be empty');
  transport.close();
});

Deno.test("an endpoint with a remote address receives from nobody else", async () => {
  await with_pair(async ([server], [client, at_client]) => {
    const [stranger] = await sender(client);
    stranger.sendto("from a stranger");
    const [other, at_other] = await receiver();
    // When this has arrived, what was sent to the client before has too.
    stranger.close();
    server.sendto("from the peer", address_of(client));
    server.sendto("done", address_of(other));
    await eventually(() => at_other.senders.length === 1 && at_client.senders.length > 0);
    assertEquals(at_client.events, ["made", '"from the peer"']);
    other.close();
  });
});

Deno.test("a datagram that is too long is an error_received(), and the next one leaves", async () => {
  await with_pair(async ([, at_server], [client, at_client]) => {
    client.sendto(new Uint8Array(65508));
    client.sendto("short");
    await eventually(() => at_server.senders.length === 1 && at_client.errors.length === 1);
    assertEquals(at_client.events, ["made", "error"]);
    const [error] = at_client.errors as [Error & { code: string }];
    assertEquals([error.code, client.is_closing()], ["EMSGSIZE", false]);
    assertEquals(error.message, `Cannot send to ${address_of(at_server.transport).join(":")}: Message too long`);
  });
});

Deno.test("the longest datagram that there is arrives whole", async () => {
  await with_pair(async ([, at_server], [client]) => {
    client.sendto("x".repeat(65507));
    await eventually(() => at_server.senders.length === 1);
    assertEquals(at_server.events[1].length, 65507 + 2);
  });
});

Deno.test("DatagramTransport.close() has what was handed over leave, then calls connection_lost() once", async () => {
  await with_pair(async ([, at_server], [client, at_client]) => {
    for (let i = 0; i < 20; i++) client.sendto(`${i}`);
    client.close();
    client.close();
    assert(client.is_closing());
    client.sendto("too late");
    await eventually(() => at_client.events.includes("lost null"));
    client.abort();
    await eventually(() => at_server.senders.length === 20);
    assertEquals(at_server.events.at(-1), '"19"');
    await asyncio.sleep(0.005);
    assertEquals(at_client.events, ["made", "lost null"]);
    assertEquals(at_server.senders.length, 20);
  });
});

Deno.test("DatagramTransport.abort() drops what has not left, and calls connection_lost() once", async () => {
  await with_pair(async ([, at_server], [client, at_client]) => {
    for (let i = 0; i < 20; i++) client.sendto(`${i}`);
    assert(client.get_write_buffer_size() > 0);
    client.abort();
    client.abort();
    assertEquals(client.get_write_buffer_size(), 0);
    await eventually(() => at_client.events.length === 2);
    await asyncio.sleep(0.005);
    assertEquals(at_client.events, ["made", "lost null"]);
    assert(at_server.senders.length <= 1);
  });
});

Deno.test("nothing is received after close(), and nothing after connection_lost()", async () => {
  await with_pair(async ([server, at_server], [client]) => {
    client.sendto("before");
    await eventually(() => at_server.senders.length === 1);
    server.close();
    client.sendto("after");
    await asyncio.sleep(0.005);
    assertEquals(at_server.events, ["made", '"before"', "lost null"]);
  });
});

Deno.test("pause_writing() is called above the high-water mark and resume_writing() at the low one, in turn", async () => {
  await with_pair(async ([, at_server], [client, at_client]) => {
    client.set_write_buffer_limits({ high: 100, low: 50 });
    assertEquals(client.get_write_buffer_limits(), [50, 100]);
    for (let i = 0; i < 4; i++) client.sendto("0123456789");
    assertEquals([client.get_write_buffer_size(), at_client.events], [72, ["made"]]);
    for (let i = 0; i < 4; i++) client.sendto("0123456789");
    assertEquals([client.get_write_buffer_size(), at_client.events], [144, ["made", "pause"]]);
    await eventually(() => client.get_write_buffer_size() === 0);
    await eventually(() => at_client.events.length === 3);
    assertEquals(at_client.events, ["made", "pause", "resume"]);
    await eventually(() => at_server.senders.length === 8);
  });
});

Deno.test("DatagramTransport.set_write_buffer_limits() takes asyncio's defaults, and refuses a low above a high", async () => {
  const [transport] = await receiver();
  assertEquals(transport.get_write_buffer_limits(), [16384, 65536]);
  transport.set_write_buffer_limits({ low: 10 });
  assertEquals(transport.get_write_buffer_limits(), [10, 40]);
  const error = assertThrows(() => transport.set_write_buffer_limits({ high: 1, low: 2 }), RangeError);
  assertEquals(error.message, "high (1) must be >= low (2) must be >= 0");
  transport.close();
});

Deno.test("a protocol whose method throws is reported, and called again", async () => {
  const reported: asyncio.ExceptionContext[] = [];
  loop().set_exception_handler((_loop, context) => reported.push(context));
  try {
    class Failing extends Recorder {
      override datagram_received(data: Uint8Array, addr: asyncio.DatagramAddress) {
        super.datagram_received(data, addr);
        throw new Error("cannot take it");
      }
    }
    const [server, protocol] = await loop().create_datagram_endpoint(() => new Failing(), [HOST, 0]);
    const [client] = await sender(server);
    client.sendto("a");
    client.sendto("b");
    await eventually(() => protocol.senders.length === 2);
    assertEquals(reported.map(({ message }) => message), Array(2).fill("protocol.datagram_received() failed"));
    assertStrictEquals(reported[0].transport, server);
    assertStrictEquals(reported[0].protocol, protocol);
    server.close();
    client.close();
  } finally {
    loop().set_exception_handler(null);
  }
});

Deno.test("DatagramTransport.set_protocol() has another protocol called from then on", async () => {
  await with_pair(async ([server, at_server], [client]) => {
    const next = new Recorder();
    server.set_protocol(next);
    assertStrictEquals(server.get_protocol(), next);
    client.sendto("x");
    await eventually(() => next.senders.length === 1);
    assertEquals([at_server.events, next.events], [["made"], ['"x"']]);
    assertThrows(() => server.set_protocol({} as never), TypeError, '"protocol" must be a BaseProtocol');
  });
});

Deno.test("create_datagram_endpoint() names an argument that is wrong, before anything is opened", () => {
  const open = (...args: unknown[]) => () =>
    (loop().create_datagram_endpoint as (...args: unknown[]) => unknown)(() => new Recorder(), ...args);
  assertThrows(open(), RangeError, "unexpected address family");
  assertThrows(open(5), TypeError, '"local_addr" must be [host, port] (a 2-tuple is expected), got 5');
  assertThrows(open(null, "host"), TypeError, '"remote_addr" must be [host, port] (a 2-tuple is expected)');
  assertThrows(open([HOST]), TypeError, "2-tuple is expected");
  assertThrows(open([5, 5]), TypeError, "2-tuple is expected");
  assertThrows(open(["", 5]), RangeError, 'The host of "local_addr" must not be empty');
  assertThrows(open([HOST, 70000]), RangeError, '"port" must be a whole number from 0 to 65535, got 70000');
  assertThrows(open(null, [HOST, 0]), RangeError, '"port" must be a whole number from 1 to 65535, got 0');
  assertThrows(open([HOST, 0], null, { family: "AF_UNIX" }), TypeError, '"family" must be "AF_INET" or "AF_INET6"');
  assertThrows(open([HOST, 0], null, { allow_broadcast: 1 }), TypeError, '"allow_broadcast" must be a boolean');
  assertThrows(open([HOST, 0], null, { sock: 1 }), TypeError, 'Unknown option "sock"');
  assertThrows(open("/tmp/socket"), Deno.errors.NotSupported, "Deno has no datagrams over unix sockets");
  assertThrows(open([HOST, 0], null, { reuse_port: true }), Deno.errors.NotSupported, 'Cannot bind with "reuse_port"');
  assertThrows(() => loop().create_datagram_endpoint(5 as never, [HOST, 0]), TypeError, '"protocol_factory"');
});

Deno.test("create_datagram_endpoint() refuses addresses of two kinds, and a family that an address has not", async () => {
  const open = (local: string, remote: string, family?: asyncio.AddressFamily) =>
    loop().create_datagram_endpoint(() => new Recorder(), [local, 0], [remote, 9], { family });
  const error = await assertRejects(() => open(HOST, "::1"), RangeError);
  assertEquals(error.message, "can not get address information: 127.0.0.1:0 and [::1]:9 are of two kinds");
  await assertRejects(
    () => open(HOST, HOST, "AF_INET6"),
    Error,
    "Cannot bind to 127.0.0.1:0: It has no address of family AF_INET6",
  );
});

Deno.test("create_datagram_endpoint() fails with Deno's error and the address when it cannot bind, and leaves nothing open", async () => {
  const [first] = await receiver();
  const [host, port] = address_of(first);
  const error = await assertRejects(
    () => loop().create_datagram_endpoint(() => new Recorder(), [host, port]),
    Deno.errors.AddrInUse,
  );
  assert(error.message.startsWith(`Cannot bind to ${host}:${port}: `), error.message);
  assertEquals((error as Error & { code?: string }).code, "EADDRINUSE");
  await assertRejects(
    () => loop().create_datagram_endpoint(() => new Recorder(), ["192.0.2.1", 0]),
    Deno.errors.AddrNotAvailable,
    "Cannot bind to 192.0.2.1:0: ",
  );
  first.close();
});

Deno.test("create_datagram_endpoint() with a family alone opens a socket that sends to any address", async () => {
  const [server, at_server] = await receiver();
  const [client] = await loop().create_datagram_endpoint(() => new Recorder(), null, null, { family: "AF_INET" });
  assertEquals(address_of(client)[0], "0.0.0.0");
  client.sendto("x", address_of(server));
  await eventually(() => at_server.senders.length === 1);
  server.close();
  client.close();
});

Deno.test("names are looked up, in remote_addr and by sendto()", async () => {
  const [server, at_server] = await receiver();
  const [, port] = address_of(server);
  const [client] = await loop().create_datagram_endpoint(() => new Recorder(), null, ["localhost", port], {
    family: "AF_INET",
  });
  assertEquals(client.get_extra_info("peername"), [HOST, port]);
  client.sendto("by the peer's name");
  server.sendto("by a name", ["localhost", port]);
  await eventually(() => at_server.senders.length === 2);
  await assertRejects(
    () => loop().create_datagram_endpoint(() => new Recorder(), null, ["no.such.invalid", 9]),
    Error,
    "Cannot send to no.such.invalid:9: Name or service not known",
  );
  server.close();
  client.close();
});

Deno.test("a broadcast is sent with allow_broadcast, and is an error_received() without", async () => {
  const broadcast = "127.255.255.255";
  const open = (allow_broadcast: boolean) =>
    loop().create_datagram_endpoint(() => new Recorder(), [HOST, 0], null, { allow_broadcast });
  const [refused, at_refused] = await open(false);
  refused.sendto("x", [broadcast, 9]);
  await eventually(() => at_refused.errors.length === 1);
  assertEquals((at_refused.errors[0] as Error).message, `Cannot send to ${broadcast}:9: the system refused it`);
  const [allowed, at_allowed] = await open(true);
  allowed.sendto("x", [broadcast, 9]);
  await eventually(() => allowed.get_write_buffer_size() === 0);
  await asyncio.sleep(0.001);
  assertEquals(at_allowed.errors, []);
  refused.close();
  allowed.close();
});

const HAS_IPV6 = (() => {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
})();

Deno.test({
  name: `IPv6 works, and an address is the same however it is spelled${HAS_IPV6 ? "" : " (ignored: there is no IPv6)"}`,
  ignore: !HAS_IPV6,
  fn: async () => {
    const [server, at_server] = await receiver("::1");
    const [, port] = address_of(server);
    const [client, at_client] = await loop().create_datagram_endpoint(
      () => new Recorder(),
      null,
      ["0:0:0:0:0:0:0:1", port],
    );
    assertEquals([address_of(client)[0], client.get_extra_info("socket").family], ["::1", "AF_INET6"]);
    client.sendto("there", ["::1", port]);
    await eventually(() => at_server.senders.length === 1);
    server.sendto("back", at_server.senders[0]);
    await eventually(() => at_client.senders.length === 1);
    assertEquals(at_client.events, ["made", '"back"']);
    server.close();
    client.close();
  },
});

Deno.test("a call of create_datagram_endpoint() that is cancelled leaves nothing open", async () => {
  for (let microtasks = 0; microtasks < 12; microtasks++) {
    const opening = receiver();
    for (let i = 0; i < microtasks; i++) await null;
    opening.cancel();
    await opening.catch(() => {});
    if (!opening.cancelled()) opening.result()[0].close();
  }
  const opening = receiver();
  await asyncio.sleep(0.002);
  if (!opening.cancel()) opening.result()[0].close();
});

Deno.test("a protocol factory that throws, or gives no protocol, fails the call and leaves nothing open", async () => {
  const failing = () => {
    throw new Error("no protocol today");
  };
  await assertRejects(() => loop().create_datagram_endpoint(failing, [HOST, 0]), Error, "no protocol today");
  await assertRejects(
    () => loop().create_datagram_endpoint(() => ({}) as never, [HOST, 0]),
    TypeError,
    '"protocol_factory()" must be a BaseProtocol',
  );
});

Deno.test("the close of a loop closes its datagram transports", async () => {
  const other = asyncio.new_event_loop();
  const [transport, protocol] = await other.run_until_complete(() =>
    other.create_datagram_endpoint(() => new Recorder(), [HOST, 0])
  );
  other.close();
  assert(transport.is_closing());
  await eventually(() => protocol.events.includes("lost null"));
  assertThrows(() => other.create_datagram_endpoint(() => new Recorder(), [HOST, 0]), asyncio.RuntimeError);
});

Deno.test("a DatagramTransport prints its state, its addresses and what waits", async () => {
  await with_pair(async ([server], [client]) => {
    const [to, at] = [address_of(server).join(":"), address_of(client).join(":")];
    client.sendto("12345");
    assertEquals(Deno.inspect(client), `<DatagramTransport open at ${at} to ${to} buffered=13>`);
    await eventually(() => client.get_write_buffer_size() === 0);
    assertEquals(Deno.inspect(server), `<DatagramTransport open at ${to} buffered=0>`);
    server.abort();
    assertEquals(Deno.inspect(server), `<DatagramTransport closed at ${to} buffered=0>`);
  });
});

// What no real socket can be made to do

function with_fake(body: (socket: FakeSocket, opened: Opened) => Promise<void>): Promise<void> {
  return run_virtual(async () => {
    const loop = asyncio.get_running_loop();
    const socket = new FakeSocket();
    const bind_datagram = () => Promise.resolve<RawDatagramSocket>(socket);
    Object.assign(loop, { _network: { ...SYSTEM_NETWORK, bind_datagram } });
    await body(socket, await loop.create_datagram_endpoint(() => new Recorder(), [HOST, 0]));
  });
}

Deno.test("a failure to receive is an error_received(), and the transport stays open", async () => {
  await with_fake(async (socket, [transport, protocol]) => {
    const error = new Deno.errors.ConnectionRefused("nobody there");
    socket.on_error(error);
    socket.on_datagram(new Uint8Array([65]), [HOST, 9]);
    await asyncio.sleep(0.001);
    assertEquals(protocol.events, ["made", "error", '"A"']);
    assertStrictEquals(protocol.errors[0], error);
    transport.close();
    socket.on_error(error);
    await asyncio.sleep(0);
    assertEquals([protocol.errors.length, socket.closed], [1, 1]);
  });
});

Deno.test("one datagram at a time is given to the system, and one that fails holds up none", async () => {
  await with_fake(async (socket, [transport, protocol]) => {
    for (const text of ["a", "b", "c"]) transport.sendto(text, [HOST, 9]);
    assertEquals(socket.asked, ["a"]);
    socket.answer(new Error("refused"));
    await asyncio.sleep(0);
    assertEquals([socket.asked, protocol.events], [["a", "b"], ["made", "error"]]);
    socket.answer();
    await asyncio.sleep(0);
    transport.close();
    assertEquals([socket.asked, socket.closed], [["a", "b", "c"], 0]);
    socket.answer();
    await asyncio.sleep(0.001);
    assertEquals([socket.closed, protocol.events], [1, ["made", "error", "lost null"]]);
  });
});

Deno.test("a loop keeps no transport that is closed", async () => {
  await with_fake(async (_, [transport]) => {
    const { _resources } = asyncio.get_running_loop();
    assert(_resources.has(transport));
    transport.close();
    assert(!_resources.has(transport));
    await asyncio.sleep(0);
  });
});

Deno.test("what a send ends with after abort() is nobody's concern", async () => {
  await with_fake(async (socket, [transport, protocol]) => {
    transport.sendto("a", [HOST, 9]);
    transport.sendto("b", [HOST, 9]);
    transport.abort();
    socket.answer(new Error("closed"));
    await asyncio.sleep(0.001);
    assertEquals([protocol.events, socket.asked, socket.closed], [["made", "lost null"], ["a"], 1]);
  });
});

// Permissions

/** What a program prints that runs with these permissions; a socket left open would keep it from ending. */
async function printed(permissions: readonly string[], text: string): Promise<string[]> {
  const library = new URL("../mod.ts", import.meta.url).href;
  const source = `import * as asyncio from ${JSON.stringify(library)};
    const loop = asyncio.get_event_loop();
    const protocol = () => new asyncio.DatagramProtocol();
    const report = (error: Error) => console.log(error.name, error.message);
    ${text}`;
  const { stdout, stderr, code } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-q",
      "--no-prompt",
      "--no-config",
      "--no-check",
      ...permissions,
      `data:text/typescript,${encodeURIComponent(source)}`,
    ],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  assertEquals([decoder.decode(stderr), code], ["", 0]);
  return decoder.decode(stdout).trimEnd().split("\n");
}

const requires = (where: string) => `NotCapable Requires net access to "${where}", run again with the --allow-net flag`;

Deno.test("without --allow-net for an address, opening fails with Deno's NotCapable, and nothing stays open", async () => {
  const text = `
    await loop.create_datagram_endpoint(protocol, ["127.0.0.1", 0]).catch(report);
    await loop.create_datagram_endpoint(protocol, null, ["127.0.0.1", 9]).catch(report);
    await asyncio.open_datagram({ remote_addr: ["192.0.2.1", 53] }).catch(report);
    await asyncio.open_datagram({ remote_addr: ["localhost", 9] }).catch(report);`;
  assertEquals(await printed([], text), [
    requires("127.0.0.1:0"),
    requires("127.0.0.1:0"),
    requires("0.0.0.0:0"),
    requires("localhost"),
  ]);
  const remote = `await loop.create_datagram_endpoint(protocol, null, ["127.0.0.1", 9]).catch(report);`;
  assertEquals(await printed(["--allow-net=127.0.0.1:0"], remote), [requires("127.0.0.1:9")]);
});

Deno.test("--allow-net for the addresses is all that datagrams need, and sendto() elsewhere is an error_received()", async () => {
  const text = `
    class Protocol extends asyncio.DatagramProtocol {
      override datagram_received(data: Uint8Array) { console.log(new TextDecoder().decode(data)); }
      override error_received(error: Error) { report(error); transport.close(); }
    }
    const [transport] = await loop.create_datagram_endpoint(() => new Protocol(), ["127.0.0.1", 0]);
    await using client = await asyncio.open_datagram({ remote_addr: transport.get_extra_info("sockname") });
    await client.send("hello");
    await asyncio.sleep(0.05);
    transport.sendto("x", ["192.0.2.1", 9]);`;
  assertEquals(await printed(["--allow-net=127.0.0.1"], text), ["hello", requires("192.0.2.1:9")]);
});

Deno.test("to import the library loads neither node:dgram nor node:dns", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", "mod.ts"], stderr: "null" })
    .output();
  const { modules } = JSON.parse(decoder.decode(stdout)) as {
    modules: { dependencies?: { specifier: string; isDynamic?: boolean; code?: unknown }[] }[];
  };
  const eager = modules.flatMap(({ dependencies = [] }) => dependencies)
    .filter(({ specifier, isDynamic, code }) =>
      /^node:(dgram|dns)$/.test(specifier) && code !== undefined && !isDynamic
    );
  assertEquals(eager, []);
});

Deno.test("DatagramProtocol's methods do nothing, so that one overrides what matters", () => {
  const protocol = new asyncio.DatagramProtocol();
  assertInstanceOf(protocol, asyncio.BaseProtocol);
  protocol.datagram_received(new Uint8Array(), [HOST, 1]);
  protocol.error_received(new Error());
});
