// How many connections a server takes, who gets them, and how it ends.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";
import { collect_reports } from "./_helpers.ts";
import { for_turns, LOOPBACK, port_of, read_all, type Streams, text, until } from "./_streams.ts";

async function close_all(...writers: readonly asyncio.StreamWriter[]): Promise<void> {
  for (const writer of writers) writer.close();
  await asyncio.gather(...writers.map((writer) => writer.wait_closed()), { return_exceptions: true });
}

// Iteration

Deno.test("for await over a server gives each connection once, in order, and ends when the server is closed", async () => {
  const server = await asyncio.start_server(null, LOOPBACK, 0);
  const clients: Streams[] = [];
  for (let i = 0; i < 5; i++) {
    const client = await asyncio.open_connection(LOOPBACK, port_of(server));
    client[1].write(`${i}\n`);
    clients.push(client);
  }
  const seen: string[] = [];
  for await (const [reader, writer] of server) {
    seen.push(text(await reader.readline()).trim());
    writer.close();
    if (seen.length === 5) server.close();
  }
  assertEquals(seen, ["0", "1", "2", "3", "4"]);
  await server.wait_closed();
  await close_all(...clients.map(([, writer]) => writer));
});

Deno.test("leaving the loop over a server closes neither the server nor the connection, and the next loop goes on", async () => {
  await using server = await asyncio.start_server(null, LOOPBACK, 0);
  const [, first] = await asyncio.open_connection(LOOPBACK, port_of(server));
  const [, second] = await asyncio.open_connection(LOOPBACK, port_of(server));
  const taken: asyncio.StreamWriter[] = [];
  for (let i = 0; i < 2; i++) {
    for await (const [, writer] of server) {
      taken.push(writer);
      break;
    }
  }
  assertEquals([server.is_serving(), taken.map((writer) => writer.is_closing())], [true, [false, false]]);
  await close_all(first, second, ...taken);
});

Deno.test("a cancelled wait for the next connection loses none", async () => {
  await using server = await asyncio.start_server(null, LOOPBACK, 0);
  const iterator = server[Symbol.asyncIterator]();
  const waiting = asyncio.create_task(async () => ({ result: await iterator.next() }));
  await asyncio.sleep(0);
  waiting.cancel();
  await asyncio.wait([waiting]);
  const [, client] = await asyncio.open_connection(LOOPBACK, port_of(server));
  assertEquals(waiting.cancelled(), true);
  const { value } = await iterator.next();
  assertEquals(value![1].get_extra_info("peername"), client.get_extra_info("sockname"));
  await close_all(client, value![1]);
});

Deno.test("close() ends every wait for a connection, and aborts those that nobody took", async () => {
  const server = await asyncio.start_server(null, LOOPBACK, 0);
  const client = await Deno.connect({ hostname: LOOPBACK, port: port_of(server) });
  await until(() => Deno.inspect(server).includes("connections=1"), "the server has accepted");
  server.close();
  assertEquals(await server[Symbol.asyncIterator]().next(), { done: true, value: undefined });
  assertEquals((await read_all(client)).length, 0);
  client.close();
  await server.wait_closed();
});

Deno.test("a server with a callback cannot be iterated over", async () => {
  await using server = await asyncio.start_server(() => {}, LOOPBACK, 0);
  assertThrows(() => server[Symbol.asyncIterator](), asyncio.RuntimeError, "it has a client_connected_cb");
});

// max_connections

Deno.test("max_connections: those beyond it wait to be accepted, and come when one has gone", async () => {
  const open = new Set<asyncio.StreamWriter>();
  let most = 0;
  const server = await asyncio.start_server(
    async (reader, writer) => {
      open.add(writer);
      most = Math.max(most, open.size);
      await writer.send("welcome\n");
      await reader.read();
      open.delete(writer);
    },
    LOOPBACK,
    0,
    { max_connections: 2 },
  );
  const clients = await asyncio.gather(
    ...Array.from({ length: 6 }, () => () => asyncio.open_connection(LOOPBACK, port_of(server))),
  );
  await until(() => open.size === 2, "two are there");
  await for_turns(20);
  assertEquals(open.size, 2);
  for (const [reader, writer] of clients) {
    assertEquals(text(await reader.readline()), "welcome\n");
    await close_all(writer);
  }
  assertEquals(most, 2);
  await server.shutdown();
});

Deno.test("a server that is full can be closed", async () => {
  const server = await asyncio.start_server((reader) => reader.read(), LOOPBACK, 0, { max_connections: 1 });
  const [, writer] = await asyncio.open_connection(LOOPBACK, port_of(server));
  await until(() => Deno.inspect(server).includes("connections=1"), "the server has accepted");
  const late = await Deno.connect({ hostname: LOOPBACK, port: port_of(server) });
  server.close();
  await close_all(writer);
  await server.wait_closed();
  late.close();
});

// shutdown()

Deno.test("shutdown() lets a handler end by itself within the time", async () => {
  let ended = false;
  const server = await asyncio.start_server(
    async (reader, writer) => {
      await writer.send("started\n");
      await reader.readline();
      await writer.send("done\n");
      ended = true;
    },
    LOOPBACK,
    0,
  );
  const [reader, writer] = await asyncio.open_connection(LOOPBACK, port_of(server));
  await reader.readline();
  const ending = asyncio.create_task(() => server.shutdown({ timeout: 60 }));
  await asyncio.sleep(0);
  assertEquals(server.is_serving(), false);
  await writer.send("go on\n");
  assertEquals(text(await reader.read()), "done\n");
  await close_all(writer);
  await ending;
  assertEquals(ended, true);
});

Deno.test("shutdown() cancels the handlers that are left when the time is up, and aborts their connections", async () => {
  const ends: string[] = [];
  const server = await asyncio.start_server(
    async (reader) => {
      try {
        await reader.read();
      } catch (error) {
        ends.push((error as Error).name);
        throw error;
      }
    },
    LOOPBACK,
    0,
  );
  const clients = await asyncio.gather(
    ...Array.from({ length: 3 }, () => () => asyncio.open_connection(LOOPBACK, port_of(server))),
  );
  await until(() => Deno.inspect(server).includes("connections=3"), "all are accepted");
  await server.shutdown({ timeout: 0.01 });
  assertEquals(ends, ["CancelledError", "CancelledError", "CancelledError"]);
  for (const [reader] of clients) assertEquals((await reader.read().catch(() => [])).length, 0);
  await close_all(...clients.map(([, writer]) => writer));
});

Deno.test("shutdown() that is cancelled ends its time at once", async () => {
  const server = await asyncio.start_server((reader) => reader.read(), LOOPBACK, 0);
  const [, writer] = await asyncio.open_connection(LOOPBACK, port_of(server));
  await until(() => Deno.inspect(server).includes("connections=1"), "it is accepted");
  const ending = asyncio.create_task(() => server.shutdown({ timeout: null }));
  await asyncio.sleep(0);
  ending.cancel();
  await assertRejects(() => Promise.resolve(ending), asyncio.CancelledError);
  await server.wait_closed();
  await close_all(writer);
});

Deno.test("shutdown() refuses wrong options by name and value", async () => {
  await using server = await asyncio.start_server(() => {}, LOOPBACK, 0);
  assertThrows(() => server.shutdown({ timeout: -1 }), RangeError, '"timeout" must be 0 or more, got -1');
  // deno-lint-ignore no-explicit-any
  assertThrows(() => server.shutdown({ timeout: "1" } as any), TypeError, '"timeout" must be a number, got "1"');
  // deno-lint-ignore no-explicit-any
  assertThrows(() => server.shutdown({ grace: 1 } as any), TypeError, 'Unknown option "grace"');
});

Deno.test("start_server() listens on every address of a name, each once", async () => {
  await using server = await asyncio.start_server(() => {}, ["localhost", "127.0.0.1"], 0);
  const hosts = server.sockets.map((socket) => (socket.getsockname() as [string, number])[0]);
  assert(hosts.includes("127.0.0.1"));
  assertEquals(new Set(hosts).size, hosts.length);
});

Deno.test("start_server() with reuse_port says that Deno needs a flag for it", async () => {
  await assertRejects(
    async () => await asyncio.start_server(() => {}, LOOPBACK, 0, { reuse_port: true }),
    Deno.errors.NotSupported,
    'Cannot listen with "reuse_port": Deno needs --unstable-net for it',
  );
});

Deno.test("a callback's connection error after the handler ended is nobody's business: nothing is reported", async () => {
  const loop = asyncio.get_event_loop();
  const reports = collect_reports(loop);
  const server = await asyncio.start_server((_reader, writer) => writer.send("x".repeat(100)), LOOPBACK, 0);
  const [, writer] = await asyncio.open_connection(LOOPBACK, port_of(server));
  writer.abort();
  await server.shutdown();
  loop.set_exception_handler(null);
  assertEquals(reports, []);
});
