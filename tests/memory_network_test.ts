import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import * as asyncio from "../mod.ts";
import { certificates } from "./_certificates.ts";
import { collect_reports, error_of } from "./_helpers.ts";
import { joined, pattern, port_of, same_bytes, text } from "./_streams.ts";

const { memory_network, run_test } = asyncio.testing;
type MemoryLink = asyncio.testing.MemoryLink;

/** Sends back what comes, to the end. */
async function echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter): Promise<void> {
  for (let chunk = await reader.read(100); chunk.length > 0; chunk = await reader.read(100)) await writer.send(chunk);
}

Deno.test("streams connect and listen in a memory network by host and port, unchanged", async () => {
  await run_test(async ({ network }) => {
    const server = await asyncio.start_server(echo, "10.0.0.1", 0);
    const port = port_of(server);
    const [reader, writer] = await asyncio.open_connection("10.0.0.1", port);
    assertEquals(writer.get_extra_info("peername"), ["10.0.0.1", port]);
    assertEquals(writer.get_extra_info("sockname")?.[0], "127.0.0.1");
    await writer.send("hello");
    assertEquals(text(await reader.readexactly(5)), "hello");
    assertEquals(network.links.length, 1);
    assertEquals(network.links[0].statistics("client").bytes_read, 5);
    writer.close();
    await writer.wait_closed();
    await server.shutdown();
    assertEquals(network.links, []);
  });
});

Deno.test("protocols connect and listen in a memory network, by create_connection() and create_server()", async () => {
  await run_test(async () => {
    const loop = asyncio.get_running_loop();
    class Upper extends asyncio.Protocol {
      #transport!: asyncio.Transport;
      override connection_made(transport: asyncio.Transport) {
        this.#transport = transport;
      }
      override data_received(data: Uint8Array) {
        this.#transport.write(text(data).toUpperCase());
      }
    }
    const answer = new asyncio.Future<string>();
    class Client extends asyncio.Protocol {
      override data_received(data: Uint8Array) {
        answer.set_result(text(data));
      }
    }
    const server = await loop.create_server(() => new Upper(), "::1", 0);
    const [transport] = await loop.create_connection(() => new Client(), "::1", port_of(server));
    transport.write("shout");
    assertEquals(await answer, "SHOUT");
    transport.close();
    await server.shutdown();
  });
});

Deno.test("a memory network has unix sockets of its own, by path", async () => {
  await run_test(async () => {
    const path = "/nowhere/echo.sock";
    assertInstanceOf(await error_of(asyncio.open_unix_connection(path)), Deno.errors.NotFound);
    const server = await asyncio.start_unix_server(echo, path);
    assertInstanceOf(await error_of(asyncio.start_unix_server(echo, path)), Deno.errors.AddrInUse);
    const [reader, writer] = await asyncio.open_unix_connection(path);
    await writer.send("hello");
    assertEquals(text(await reader.readexactly(5)), "hello");
    assertEquals(writer.get_extra_info("peername"), path);
    writer.close();
    await server.shutdown();
    assertInstanceOf(await error_of(asyncio.open_unix_connection(path)), Deno.errors.NotFound);
  });
});

Deno.test("a server on all addresses of a memory network answers at each, one on an address at that only", async () => {
  await run_test(async () => {
    const everywhere = await asyncio.start_server(echo, null, 80);
    const only = await asyncio.start_server(echo, "10.0.0.1", 81);
    for (const host of ["10.0.0.1", "10.9.9.9", "2001:db8::1", "localhost"]) {
      const [, writer] = await asyncio.open_connection(host, 80);
      writer.close();
    }
    const error = await error_of(asyncio.open_connection("10.0.0.2", 81));
    assertInstanceOf(error, asyncio.ConnectionRefusedError);
    assertEquals(error.message, "Cannot connect to 10.0.0.2:81: Connection refused (os error 111)");
    assertInstanceOf(await error_of(asyncio.start_server(echo, "10.0.0.1", 81)), Deno.errors.AddrInUse);
    await everywhere.shutdown();
    await only.shutdown();
  });
});

Deno.test("latency of a memory network is virtual time, exact, and twice to connect", async () => {
  await run_test(async ({ clock }) => {
    const server = await asyncio.start_server(echo, "10.0.0.1", 7);
    const [reader, writer] = await asyncio.open_connection("10.0.0.1", 7);
    assertEquals(clock.time(), 120);
    writer.write("hello");
    await reader.readexactly(5);
    assertEquals(clock.time(), 240);
    writer.close();
    await server.shutdown();
  }, { network: { latency: 60 } });
});

Deno.test("open_connection() goes to the address that answers first, over a memory network with several addresses", async () => {
  const network = memory_network({ latency: 0.01, hosts: { "host.test": ["1::1", "10.0.0.1", "1::2", "10.0.0.2"] } });
  network.route("1::1", { fate: "silent" });
  network.route("10.0.0.1", { latency: 10 });
  network.route("1::2", { fate: "refuses", latency: 0.05 });
  await run_test(async ({ clock }) => {
    const server = await asyncio.start_server(() => {}, ["10.0.0.2", "10.0.0.1"], 80);
    const [, writer] = await asyncio.open_connection("host.test", 80);
    // Two delays of a quarter of a second, a refusal after 0.1, and two ways.
    assertEquals(clock.time().toFixed(6), "0.620000");
    assertEquals(writer.get_extra_info("peername"), ["10.0.0.2", 80]);
    writer.close();
    server.abort_clients();
    await server.shutdown();
    assertEquals(network.links, []);
  }, { network });
});

Deno.test("a name that a memory network does not know fails as an unknown name does", async () => {
  await run_test(async () => {
    assertEquals((await error_of(asyncio.open_connection("nowhere.test", 80))).code, "EAI_NONAME");
    const options = { family: "AF_INET6" } as const;
    assertEquals((await error_of(asyncio.open_connection("localhost", 80, options))).code, "EAI_ADDRFAMILY");
  });
});

Deno.test("a client waits while the backlog is full, and a server that closes resets those it did not accept", async () => {
  await run_test(async ({ clock }) => {
    const server = await asyncio.start_server(null, "10.0.0.1", 80, { backlog: 2, start_serving: false });
    const open = () => asyncio.open_connection("10.0.0.1", 80);
    const [first] = await open();
    await open();
    assertInstanceOf(await error_of(asyncio.wait_for(open(), 60)), asyncio.TimeoutError);
    assertEquals(clock.time(), 60);
    server.close();
    assertInstanceOf(await error_of(first.read()), asyncio.ConnectionResetError);
    assertInstanceOf(await error_of(open()), asyncio.ConnectionRefusedError);
  }, { leaks: false });
});

Deno.test("a server over a memory network survives running out of descriptors, and a connection that is gone", async () => {
  await run_test(async ({ clock, network }) => {
    const reports = collect_reports();
    network.fail_accepts(2);
    network.fail_accepts(1, "ECONNABORTED");
    const server = await asyncio.start_server(echo, "10.0.0.1", 80);
    const [lost] = await asyncio.open_connection("10.0.0.1", 80);
    const [reader, writer] = await asyncio.open_connection("10.0.0.1", 80);
    await writer.send("hello");
    assertEquals(text(await reader.readexactly(5)), "hello");
    assertEquals(clock.time(), 2);
    assertEquals(reports.map(({ exception }) => (exception as { code: string }).code), [
      "EMFILE",
      "EMFILE",
      "ECONNABORTED",
    ]);
    assertInstanceOf(await error_of(lost.read()), asyncio.ConnectionResetError);
    writer.close();
    await server.shutdown();
  }, { leaks: false });
});

/** A connection of which the network does something, and how its server's handler fared. */
async function broken(
  do_to: (link: MemoryLink) => void,
  body: (
    client: [asyncio.StreamReader, asyncio.StreamWriter],
    server: [asyncio.StreamReader, asyncio.StreamWriter],
    link: MemoryLink,
  ) => Promise<void>,
  latency = 0,
): Promise<void> {
  const network = memory_network({ on_connect: do_to, latency });
  await run_test(async () => {
    const accepted = new asyncio.Future<{ streams: [asyncio.StreamReader, asyncio.StreamWriter] }>();
    const server = await asyncio.start_server(
      (reader, writer) => accepted.set_result({ streams: [reader, writer] }),
      "10.0.0.1",
      80,
    );
    const client = await asyncio.open_connection("10.0.0.1", 80);
    const { streams } = await accepted;
    await body(client, streams, network.links[0]);
    client[1].abort();
    server.abort_clients();
    server.close();
  }, { network });
}

Deno.test("a connection that a memory network resets behind a byte gives what came before, then fails at both ends", async () => {
  for (const latency of [0, 1]) {
    await broken((link) => link.reset({ after_bytes: 3 }), async (client, server) => {
      client[1].write("hello");
      assertEquals(text(await server[0].readexactly(3)), "hel");
      assertInstanceOf(await error_of(server[0].read(1)), asyncio.ConnectionResetError);
      assertInstanceOf(await error_of(client[0].read(1)), asyncio.ConnectionResetError);
    }, latency);
  }
});

Deno.test("a connection that a memory network resets at a time wakes reads and writes at both ends", async () => {
  await broken(() => {}, async (client, server, link) => {
    asyncio.get_running_loop().call_later(60, () => link.reset());
    client[1].write(pattern(1 << 20));
    const errors = await asyncio.gather(
      () => error_of(client[1].drain()),
      () => error_of(client[0].read(1)),
    );
    for (const error of errors) assertInstanceOf(error, asyncio.ConnectionResetError);
    assertEquals(asyncio.get_running_loop().time(), 60);
    const read = await error_of(server[0].readexactly(1 << 20));
    assertInstanceOf(read, asyncio.ConnectionResetError);
  });
});

Deno.test("a connection that vanishes in a memory network tells nobody: reads hang, writes block at last", async () => {
  for (const latency of [0, 1]) {
    await broken((link) => link.vanish({ after_bytes: 3 }), async (client, server, link) => {
      client[1].write("hello");
      assertEquals(text(await server[0].readexactly(3)), "hel");
      assertInstanceOf(await error_of(asyncio.wait_for(server[0].read(1), 3600)), asyncio.TimeoutError);
      server[1].write("answer");
      assertInstanceOf(await error_of(asyncio.wait_for(client[0].read(1), 3600)), asyncio.TimeoutError);
      client[1].write(pattern(1 << 20));
      assertInstanceOf(await error_of(asyncio.wait_for(client[1].drain(), 3600)), asyncio.TimeoutError);
      assert(link.statistics("client").bytes_written < 1 << 20);
    }, latency);
  }
});

Deno.test("an end that a memory network clogs writes nothing until it is let go", async () => {
  await broken((link) => link.clog("client"), async (client, server, link) => {
    client[1].write("hello");
    assertInstanceOf(await error_of(asyncio.wait_for(server[0].read(1), 3600)), asyncio.TimeoutError);
    link.unclog("client");
    assertEquals(text(await server[0].readexactly(5)), "hello");
  });
});

Deno.test("TLS goes over a memory network", async () => {
  const { ca, server: { cert, key } } = await certificates();
  await run_test(async () => {
    const server = await asyncio.start_server(echo, "127.0.0.1", 443, { ssl: { cert, key } });
    const [reader, writer] = await asyncio.open_connection("localhost", 443, { ssl: { caCerts: [ca] } });
    await writer.send("secret");
    assertEquals(text(await reader.readexactly(6)), "secret");
    writer.close();
    await writer.wait_closed();
    await server.shutdown();
  });
});

Deno.test("TLS over a memory network says goodbye at whichever end closes, so that the peer's reads come to their end", async () => {
  const { ca, server: { cert, key } } = await certificates();
  for (const end of ["client", "server"]) {
    await run_test(async () => {
      const accepted = new asyncio.Future<{ streams: [asyncio.StreamReader, asyncio.StreamWriter] }>();
      const server = await asyncio.start_server(
        (reader, writer) => accepted.set_result({ streams: [reader, writer] }),
        "127.0.0.1",
        443,
        { ssl: { cert, key } },
      );
      const client = await asyncio.open_connection("localhost", 443, { ssl: { caCerts: [ca] } });
      const { streams } = await accepted;
      const [[, writer], [reader, peer]] = end === "client" ? [client, streams] : [streams, client];
      writer.write("goodbye");
      writer.close();
      assertEquals(text(await reader.read()), "goodbye");
      peer.close();
      await peer.wait_closed();
      await server.shutdown();
    });
  }
});

/** What a server got of lines that a client sent, with the times. */
async function transcript(options: asyncio.testing.MemoryNetworkOptions): Promise<string> {
  return await run_test(async ({ clock }) => {
    const words: string[] = [];
    const server = await asyncio.start_server(
      async (reader) => {
        for (let chunk = await reader.read(100); chunk.length > 0; chunk = await reader.read(100)) {
          words.push(`${clock.time()}: ${chunk.length}`);
        }
      },
      "10.0.0.1",
      80,
    );
    const clients = [1, 2, 3].map((number) => async () => {
      const [, writer] = await asyncio.open_connection("10.0.0.1", 80);
      for (let i = 0; i < 10; i++) await writer.send(pattern(number * 20));
      writer.close();
      await writer.wait_closed();
    });
    await asyncio.gather(...clients);
    server.close();
    await server.wait_closed();
    return words.join("\n");
  }, { network: options });
}

Deno.test("the same seed gives the same trace over a memory network, another seed another", async () => {
  const options = { latency: [0.01, 0.1], chunk_size: [1, 30], write_size: [1, 30] } as const;
  const first = await transcript({ ...options, seed: 5 });
  assert(first.split("\n").length > 60);
  assertEquals(await transcript({ ...options, seed: 5 }), first);
  assert(await transcript({ ...options, seed: 6 }) !== first);
});

Deno.test("a protocol over a memory network delivers everything, in order, under any chunking and latency", async () => {
  const size = fc.integer({ min: 1, max: 40 });
  const range = fc.tuple(size, size).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
  const latency = fc.constantFrom(0, 1, [0, 1] as const, [0.5, 60] as const);
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        seed: fc.integer(),
        latency,
        chunk_size: range,
        write_size: range,
        capacity: fc.integer({ min: 1, max: 200 }),
      }),
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 6 }),
      async (network, frames) => {
        await run_test(async () => {
          const server = await asyncio.start_server(
            async (reader, writer) => {
              for (;;) {
                const frame = await reader.read_frame().catch(() => null);
                if (frame === null) break;
                writer.write(asyncio.pack_frame(frame));
                await writer.drain();
              }
            },
            "10.0.0.1",
            80,
          );
          const [reader, writer] = await asyncio.open_connection("10.0.0.1", 80);
          const sending = asyncio.create_task(async () => {
            for (const frame of frames) {
              writer.write(asyncio.pack_frame(frame));
              await writer.drain();
            }
            writer.write_eof();
          });
          const got: Uint8Array[] = [];
          for (let i = 0; i < frames.length; i++) got.push((await reader.read_frame())!);
          await sending;
          assertEquals(got.map((frame) => frame.length), frames.map((frame) => frame.length));
          assert(same_bytes(joined(got), joined(frames)));
          writer.close();
          await writer.wait_closed();
          await server.shutdown();
        }, { network, seed: network.seed });
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("a memory network serves one loop at a time, and the next one afterwards", async () => {
  const network = memory_network();
  const loop = asyncio.new_event_loop({ network });
  assertThrows(() => asyncio.new_event_loop({ network }), asyncio.RuntimeError, "the first is not closed");
  loop.close();
  await run_test(() => {}, { network });
});

Deno.test("a memory network refuses wrong arguments by name and value", () => {
  const wrong = (options: unknown) => () => memory_network(options as asyncio.testing.MemoryNetworkOptions);
  assertThrows(wrong({ delay: 1 }), TypeError, '"delay"');
  assertThrows(wrong({ seed: "1" }), TypeError, '"seed" must be a number');
  assertThrows(wrong({ latency: -1 }), RangeError, '"latency" must be 0 or more, got -1');
  assertThrows(wrong({ latency: [2, 1] }), RangeError, '"latency" must begin with the least');
  assertThrows(wrong({ chunk_size: 0 }), RangeError, '"chunk_size" must be a whole number above 0, got 0');
  assertThrows(wrong({ write_size: [0, 4] }), RangeError, '"write_size" must be a whole number above 0, got 0');
  assertThrows(wrong({ write_size: [5, 4] }), RangeError, '"write_size" must begin with the least');
  assertThrows(wrong({ hosts: { a: "1.1.1.1" } }), TypeError, '"hosts" must have arrays, got a');
  assertThrows(wrong({ on_connect: 1 }), TypeError, '"on_connect"');
  const network = memory_network();
  assertThrows(() => network.route("10.0.0.1", { fate: "gone" as "silent" }), TypeError, '"fate" must be');
  assertThrows(() => network.fail_accepts(0), RangeError, '"count" must be a whole number above 0, got 0');
  assertThrows(() => network.fail_accepts(1, "EIO" as "EMFILE"), TypeError, '"code" must be');
  assertThrows(() => asyncio.new_event_loop({ network: {} as typeof network }), TypeError, '"network" must be');
});
