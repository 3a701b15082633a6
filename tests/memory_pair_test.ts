import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";
import type { RawConn } from "../lib/_deno.ts";
import { error_of, run_virtual, Transcript } from "./_helpers.ts";
import { bytes, for_turns, pattern, read_all, same_bytes, text } from "./_streams.ts";

const { check_stream_contract, memory_pair, random_sizes } = asyncio.testing;
type MemoryPairOptions = asyncio.testing.MemoryPairOptions;

/** The connections under a pair, to which no stream does anything. */
async function with_conns(
  body: (client: RawConn, server: RawConn, pair: asyncio.testing.MemoryPair) => Promise<void>,
  options: MemoryPairOptions = {},
): Promise<void> {
  const conns: RawConn[] = [];
  const keep = (conn: RawConn) => {
    conns.push(conn);
    return conn;
  };
  await using pair = memory_pair({ ...options, wrap: keep });
  await body(conns[0], conns[1], pair);
}

// The connections behave as Deno's own

Deno.test("a memory connection reads what is there, up to the array's length, and null at the end", async () => {
  await with_conns(async (client, server) => {
    await client.write(bytes("hello"));
    const array = new Uint8Array(3);
    assertEquals([await server.read(array), text(array)], [3, "hel"]);
    assertEquals([await server.read(array), text(array.subarray(0, 2))], [2, "lo"]);
    assertEquals(await server.read(new Uint8Array(0)), 0);
    await client.closeWrite();
    assertEquals([await server.read(array), await server.read(array)], [null, null]);
  });
});

Deno.test("reads of a memory connection that are made at once are served in their order", async () => {
  await with_conns(async (client, server) => {
    const arrays = [new Uint8Array(2), new Uint8Array(2)];
    const reads = arrays.map((array) => server.read(array));
    await client.write(bytes("abcd"));
    assertEquals(await Promise.all(reads), [2, 2]);
    assertEquals(arrays.map(text), ["ab", "cd"]);
  });
});

Deno.test("a write of a memory connection takes what fits, and waits while nothing does", async () => {
  await with_conns(async (client, server) => {
    assertEquals(await client.write(bytes("0123456")), 4);
    let taken: number | null = null;
    const writing = client.write(bytes("456")).then((count) => taken = count);
    await for_turns(5);
    assertEquals(taken, null);
    const array = new Uint8Array(10);
    assertEquals([await server.read(array), text(array.subarray(0, 4))], [4, "0123"]);
    assertEquals(await writing, 3);
  }, { capacity: 4 });
});

Deno.test("a write of a memory connection sends what its array holds when it runs, as Deno's does", async () => {
  await with_conns(async (client, server) => {
    const data = bytes("before");
    const writing = client.write(data);
    data.set(bytes("after!"));
    await writing;
    const array = new Uint8Array(10);
    assertEquals(text(array.subarray(0, await server.read(array) ?? 0)), "after!");
  });
});

Deno.test("close() of a memory connection interrupts what waits, takes nothing of it, and ends the peer's reads", async () => {
  await with_conns(async (client, server) => {
    const operations = [client.read(new Uint8Array(1)), client.write(bytes("lost"))];
    client.close();
    for (const operation of operations) assertInstanceOf(await error_of(operation), Deno.errors.Interrupted);
    assertEquals(await server.read(new Uint8Array(1)), null);
  });
});

Deno.test("operations on a memory connection after close() are BadResource", async () => {
  await with_conns(async (client) => {
    client.close();
    assertInstanceOf(await error_of(client.read(new Uint8Array(1))), Deno.errors.BadResource);
    assertInstanceOf(await error_of(client.write(bytes("x"))), Deno.errors.BadResource);
    assertInstanceOf(await error_of(client.closeWrite()), Deno.errors.BadResource);
    assertThrows(() => client.close(), Deno.errors.BadResource);
  });
});

Deno.test("a memory connection's write after its own closeWrite() is BrokenPipe; closeWrite() again is fine", async () => {
  await with_conns(async (client) => {
    await client.closeWrite();
    await client.closeWrite();
    assertInstanceOf(await error_of(client.write(bytes("x"))), Deno.errors.BrokenPipe);
  });
});

Deno.test("the first write to a memory connection whose peer has closed is taken, the next one is BrokenPipe", async () => {
  await with_conns(async (client, server) => {
    server.close();
    assertEquals(await client.write(bytes("lost")), 4);
    for (let i = 0; i < 2; i++) {
      assertInstanceOf(await error_of(client.write(bytes("x"))), Deno.errors.BrokenPipe);
    }
    await client.closeWrite();
    assertEquals(await client.read(new Uint8Array(1)), null);
  });
});

Deno.test("a memory connection's write to a peer that closed with unread bytes is BrokenPipe at once", async () => {
  await with_conns(async (client, server) => {
    await client.write(bytes("full"));
    const blocked = client.write(bytes("x"));
    await for_turns(2);
    server.close();
    assertInstanceOf(await error_of(blocked), Deno.errors.BrokenPipe);
  }, { capacity: 4 });
});

Deno.test("what a memory connection took before close() still arrives", async () => {
  await with_conns(async (client, server) => {
    await client.write(bytes("bye"));
    client.close();
    assertEquals(text(await read_all(server)), "bye");
  });
});

// Sizes

Deno.test("chunk_size and write_size cut what reads give and writes take, at the end they are given for", async () => {
  await with_conns(async (client, server, pair) => {
    assertEquals(await client.write(bytes("0123456789")), 2);
    assertEquals(await server.write(bytes("0123456789")), 10);
    const array = new Uint8Array(10);
    assertEquals([await server.read(array), await client.read(array), await client.read(array)], [2, 3, 3]);
    assertEquals(pair.statistics("client"), {
      bytes_written: 2,
      bytes_read: 6,
      writes: 1,
      reads: 2,
      in_flight: 0,
      clogged: false,
    });
    assertEquals(pair.statistics("server").in_flight, 4);
  }, { client: { write_size: 2, chunk_size: 3 } });
});

Deno.test("random_sizes() gives the same sizes for the same seed, from 1 to the largest", () => {
  const draw = (seed?: number) => {
    const next = random_sizes(5, seed);
    return Array.from({ length: 200 }, () => next());
  };
  assertEquals(draw(), draw(1));
  assert(String(draw(1)) !== String(draw(2)));
  assertEquals([...new Set(draw())].toSorted(), [1, 2, 3, 4, 5]);
});

Deno.test("16 MiB pass through a small buffer whose size is no power of two", async () => {
  await using pair = memory_pair({ capacity: 100_003, chunk_size: random_sizes(70_000) });
  const data = pattern(16 * 1024 * 1024);
  pair.client[1].write(data);
  pair.client[1].close();
  assert(same_bytes(await pair.server[0].read(), data));
});

// Time

Deno.test("what is written with latency is there after that time of the loop's clock, and so is the end", async () => {
  await run_virtual(async () => {
    const loop = asyncio.get_running_loop();
    await using pair = memory_pair({ latency: 30, server: { latency: 3600 } });
    pair.client[1].write("there");
    assertEquals([text(await pair.server[0].readexactly(5)), loop.time()], ["there", 30]);
    pair.server[1].write("back");
    pair.server[1].close();
    assertEquals([text(await pair.client[0].readexactly(4)), loop.time()], ["back", 3630]);
    assertEquals([(await pair.client[0].read()).length, loop.time()], [0, 3630]);
  });
});

Deno.test("latency does not make a wire slower: what is written while something travels arrives as much later", async () => {
  await run_virtual(async () => {
    const loop = asyncio.get_running_loop();
    await using pair = memory_pair({ latency: 10 });
    const { log, text: transcript } = new Transcript();
    asyncio.create_task(async () => {
      for (let i = 0; i < 3; i++) {
        pair.client[1].write(`${i}\n`);
        await asyncio.sleep(1);
      }
      pair.client[1].close();
    });
    for await (const line of pair.server[0]) log(`${text(line).trim()}@${loop.time()}`);
    log(`end@${loop.time()}`);
    assertEquals(transcript(), "0@10 1@11 2@12 end@13");
  });
});

Deno.test("a pair with latency works on the machine's clock, and leaves no timer", async () => {
  await using pair = memory_pair({ latency: 0.002 });
  pair.client[1].write("x");
  assertEquals((await pair.server[0].readexactly(1)).length, 1);
  // Still on its way when the pair is disposed of.
  pair.server[1].write("y");
  await pair.server[1].drain();
  await for_turns(2);
});

Deno.test("two tasks that feed each other over a pair do not starve timers", async () => {
  await using pair = memory_pair();
  const bounce = async ([reader, writer]: asyncio.testing.Streams) => {
    for (;;) writer.write(await reader.read(1));
  };
  const tasks = [pair.client, pair.server].map((end) => asyncio.create_task(() => bounce(end)));
  pair.client[1].write("ball");
  await asyncio.sleep(0.005);
  for (const task of tasks) task.cancel();
  await asyncio.wait(tasks);
});

Deno.test("the same program takes the same steps in every run, on either clock", async () => {
  async function program(): Promise<string> {
    const { log, text: transcript } = new Transcript();
    await using pair = memory_pair({ capacity: 16, chunk_size: random_sizes(7), write_size: random_sizes(5, 9) });
    await asyncio.gather(
      ...[pair.client, pair.server].map(([reader, writer], end) => async () => {
        writer.write(pattern(100));
        writer.write_eof();
        for (let part = await reader.read(100); part.length > 0; part = await reader.read(100)) {
          log(`${end}:${part.length}`);
          if (part.length % 3 === 0) await asyncio.sleep(0);
        }
      }),
    );
    return transcript();
  }
  const first = await asyncio.run(program);
  for (let i = 0; i < 5; i++) assertEquals(await asyncio.run(program), first);
  assertEquals(await run_virtual(program), first);
});

// What may befall it

Deno.test("clog() has an end's writes take nothing, until unclog()", async () => {
  await using pair = memory_pair();
  const [, writer] = pair.client;
  writer.transport.set_write_buffer_limits({ high: 0 });
  writer.write("before");
  await writer.drain();
  pair.clog("client");
  assert(pair.statistics("client").clogged);
  writer.write("after");
  const draining = writer.drain();
  assertEquals(text(await pair.server[0].read(100)), "before");
  await for_turns(5);
  assert(!draining.done());
  assertEquals(pair.statistics("client").bytes_written, 6);
  pair.unclog("client");
  await draining;
  assertEquals(text(await pair.server[0].read(100)), "after");
});

Deno.test("close() of a clogged end waits, and abort() settles it", async () => {
  await using pair = memory_pair();
  const [, writer] = pair.server;
  pair.clog("server");
  writer.write("never");
  writer.close();
  await assertRejects(() => asyncio.wait_for(writer.wait_closed(), 0.01).then(), asyncio.TimeoutError);
  writer.transport.abort();
  await writer.wait_closed();
  assertEquals((await pair.client[0].read()).length, 0);
});

Deno.test("after reset() the peer reads what had arrived, then fails; its writes fail; the end itself is closed", async () => {
  await with_conns(async (client, server, pair) => {
    await client.write(bytes("arrived"));
    const blocked = server.write(pattern(100_000)).then(() => server.write(pattern(100)));
    await for_turns(2);
    pair.reset("client");
    assertInstanceOf(await error_of(blocked), Deno.errors.ConnectionReset);
    const array = new Uint8Array(100);
    assertEquals(await server.read(array), 7);
    for (let i = 0; i < 2; i++) assertInstanceOf(await error_of(server.read(array)), Deno.errors.ConnectionReset);
    assertInstanceOf(await error_of(server.write(bytes("x"))), Deno.errors.BrokenPipe);
    assert(pair.client[1].is_closing());
    await pair.client[1].wait_closed();
    assertEquals((await pair.client[0].read()).length, 0);
    assertThrows(() => pair.reset("client"), asyncio.RuntimeError, "Cannot reset the client: it is closed");
  });
});

Deno.test("a reset travels as long as bytes do, and overtakes none that had arrived", async () => {
  await run_virtual(async () => {
    const loop = asyncio.get_running_loop();
    await using pair = memory_pair({ latency: 5 });
    pair.client[1].write("one");
    await asyncio.sleep(6);
    pair.client[1].write("on its way");
    await pair.client[1].drain();
    await asyncio.sleep(1);
    pair.reset("client");
    assertEquals(text(await pair.server[0].readexactly(3)), "one");
    assertInstanceOf(await error_of(pair.server[0].read(1)), asyncio.ConnectionResetError);
    assertEquals(loop.time(), 12);
  });
});

Deno.test("after vanish() the peer's reads never end, and its writes block once the buffer is full", async () => {
  await run_virtual(async () => {
    await using pair = memory_pair({ capacity: 1000 });
    const [reader, writer] = pair.client;
    pair.server[1].write("last words");
    await reader.readexactly(4);
    pair.vanish("server");
    assertEquals(text(await reader.readexactly(6)), " words");
    await assertRejects(() => asyncio.wait_for(reader.read(1), 3600).then(), asyncio.TimeoutError);
    writer.transport.set_write_buffer_limits({ high: 0 });
    writer.write(pattern(1000));
    await writer.drain();
    writer.write("x");
    await assertRejects(() => asyncio.wait_for(writer.drain(), 3600).then(), asyncio.TimeoutError);
    writer.close();
    await assertRejects(() => asyncio.wait_for(writer.wait_closed(), 3600).then(), asyncio.TimeoutError);
    writer.transport.abort();
    await writer.wait_closed();
    await pair.server[1].wait_closed();
  });
});

Deno.test("a pair that is disposed of ends everybody who waits", async () => {
  const pair = memory_pair({ capacity: 10 });
  const reading = pair.client[0].read(1);
  pair.server[1].write(pattern(100_000));
  pair.clog("server");
  const closing = pair.server[1].wait_closed();
  await pair[Symbol.asyncDispose]();
  await closing;
  assert((await reading).length <= 1);
  await pair[Symbol.asyncDispose]();
});

Deno.test("what is written before the loop ends is taken, as by a socket", async () => {
  let pair!: asyncio.testing.MemoryPair;
  await asyncio.run(() => {
    pair = memory_pair({ latency: 1 });
    pair.client[1].write("last");
    return Promise.resolve();
  });
  await pair.client[1].wait_closed();
  assertEquals(pair.statistics("client").bytes_written, 4);
});

Deno.test("memory_pair() refuses wrong options by name and value, and prints itself in one line", async () => {
  // deno-lint-ignore no-explicit-any
  const make = memory_pair as (options: any) => unknown;
  assertThrows(() => make({ chunksize: 1 }), TypeError, 'Unknown option "chunksize"');
  assertThrows(() => make({ client: { limit: 1 } }), TypeError, 'Unknown option "limit"');
  assertThrows(() => make({ chunk_size: 0 }), RangeError, '"chunk_size" must be a whole number above 0, got 0');
  assertThrows(() => make({ capacity: Infinity }), RangeError, '"capacity" must be a whole number above 0');
  assertThrows(() => make({ server: { latency: -1 } }), RangeError, '"latency" must be 0 or more, got -1');
  assertThrows(() => make({ latency: "1" }), TypeError, '"latency" must be a number, got "1"');
  assertThrows(() => make({ wrap: 1 }), TypeError, '"wrap" must be a function, got 1');
  await using pair = memory_pair();
  // deno-lint-ignore no-explicit-any
  assertThrows(() => pair.clog("left" as any), TypeError, '"end" must be "client" or "server", got "left"');
  assertEquals(Deno.inspect(pair), "<MemoryPair client in_flight=0 server in_flight=0>");
  assertEquals(pair.client[1].get_extra_info("peername"), pair.server[1].get_extra_info("sockname"));
});

// The suite finds what is broken

/** A connection that hands everything on; the broken ones override one thing. */
class Through implements RawConn {
  readonly conn: RawConn;
  readonly localAddr: asyncio.Address | null;
  readonly remoteAddr: asyncio.Address | null;

  constructor(conn: RawConn) {
    this.conn = conn;
    this.localAddr = conn.localAddr;
    this.remoteAddr = conn.remoteAddr;
  }
  read(array: Uint8Array): Promise<number | null> {
    return this.conn.read(array);
  }
  write(array: Uint8Array): Promise<number> {
    return this.conn.write(array);
  }
  closeWrite(): Promise<void> {
    return this.conn.closeWrite();
  }
  close(): void {
    this.conn.close();
  }
}

/** The last byte of a write is on its way for a moment longer, and a close() in that moment loses it. */
class DropsLastByteOnClose extends Through {
  #sending: Promise<unknown> = Promise.resolve();
  override async write(array: Uint8Array): Promise<number> {
    await this.#sending;
    const last = array.slice(-1);
    for (let at = 0; at < array.length - 1;) at += await this.conn.write(array.subarray(at, array.length - 1));
    this.#sending = asyncio.sleep(0).then(() => this.conn.write(last)).catch(() => {});
    return array.length;
  }
  override async closeWrite(): Promise<void> {
    await this.#sending;
    await super.closeWrite();
  }
}

class ReordersWrites extends Through {
  override write(array: Uint8Array): Promise<number> {
    return this.conn.write(array.slice(0, 100).toReversed());
  }
}

class NeverReportsEof extends Through {
  override async read(array: Uint8Array): Promise<number | null> {
    return await this.conn.read(array) ?? await new Promise<never>(() => {});
  }
}

/** It takes everything at once, and never tells that it could not send it. */
class TakesEverything extends Through {
  readonly #parts: Uint8Array[] = [];
  #sending: Promise<void> | null = null;
  override write(array: Uint8Array): Promise<number> {
    this.#parts.push(array.slice());
    this.#sending ??= this.#send();
    return Promise.resolve(array.length);
  }
  override async closeWrite(): Promise<void> {
    await this.#sending;
    await super.closeWrite();
  }
  override close(): void {
    const sending = this.#sending ?? Promise.resolve();
    sending.catch(() => {}).then(() => super.close()).catch(() => {});
  }
  async #send(): Promise<void> {
    try {
      for (let part = this.#parts.shift(); part !== undefined; part = this.#parts.shift()) {
        for (let at = 0; at < part.length;) at += await this.conn.write(part.subarray(at));
      }
    } catch {
      // It never says so.
    }
    this.#sending = null;
  }
}

class HidesLoss extends Through {
  override write(array: Uint8Array): Promise<number> {
    return this.conn.write(array).catch(() => array.length);
  }
}

/** What a cancelled read would have got is gone, as with a promise that lost a race. */
class LosesCancelledReads extends asyncio.StreamReader {
  readonly #reader: asyncio.StreamReader;
  #abandoned: asyncio.Future<unknown> | null = null;

  constructor(reader: asyncio.StreamReader) {
    super();
    this.#reader = reader;
  }

  override read(n?: number) {
    return this.#losing(this.#reader.read(n));
  }
  override readline() {
    return this.#losing(this.#reader.readline());
  }
  override readexactly(n: number) {
    return this.#losing(this.#reader.readexactly(n));
  }
  override readuntil(separator?: string | Uint8Array | readonly (string | Uint8Array)[]) {
    return this.#losing(this.#reader.readuntil(separator));
  }
  override [Symbol.asyncIterator]() {
    return this.#reader[Symbol.asyncIterator]();
  }
  override at_eof() {
    return this.#reader.at_eof();
  }
  override exception() {
    return this.#reader.exception();
  }

  #losing(reading: asyncio.Future<Uint8Array<ArrayBuffer>>): asyncio.Future<Uint8Array<ArrayBuffer>> {
    const abandoned = this.#abandoned;
    this.#abandoned = reading;
    if (abandoned === null || !abandoned.cancelled()) return reading;
    return asyncio.create_task(async () => (await reading).slice(1));
  }
}

function losing_pair(): asyncio.testing.ConnectedPair {
  const pair = small_pair();
  return {
    client: [new LosesCancelledReads(pair.client[0]), pair.client[1]],
    server: [new LosesCancelledReads(pair.server[0]), pair.server[1]],
    reset: (end) => pair.reset(end),
    [Symbol.asyncDispose]: () => pair[Symbol.asyncDispose](),
  };
}

/** The promises that a kind of pair breaks, without the kind's name. */
async function broken_promises(make: () => asyncio.testing.ConnectedPair): Promise<string[]> {
  const tests: asyncio.testing.ContractTest[] = [];
  check_stream_contract("broken", make, {
    test: (test) => tests.push(test),
    run: (body) => run_virtual(body),
    reset: true,
    sizes: [1, 1000],
    flood: 16 * 1024,
    limit: 4096,
  });
  const broken: string[] = [];
  for (const { name, fn } of tests) {
    try {
      await fn();
    } catch (error) {
      const promised = name.replace("broken: ", "");
      assert((error as Error).message.startsWith(`broken breaks "${promised}", at the client's end: `), String(error));
      broken.push(promised);
    }
  }
  return broken;
}

const small_pair = (options?: MemoryPairOptions) => memory_pair({ capacity: 4096, limit: 4096, ...options });

const broken_pair = (Broken: new (conn: RawConn) => RawConn) => () => small_pair({ wrap: (conn) => new Broken(conn) });

const READ_CALLS = [
  "read()",
  "readline()",
  "readexactly()",
  "readuntil() of two bytes",
  "readuntil() of several separators",
];

/** A defect, a pair that has it, and the promises that it breaks: all of them, or some. */
const DEFECTS: readonly [
  defect: string,
  make: () => asyncio.testing.ConnectedPair,
  broken: { readonly exactly: readonly string[] } | { readonly among_others: readonly string[] },
][] = [
  ["no defect", small_pair, { exactly: [] }],
  [
    "a connection that drops the last byte on close",
    broken_pair(DropsLastByteOnClose),
    {
      exactly: [
        "read() reads to the end",
        "lines, counted bytes and separators follow each other in one stream",
        "readline() gives a last line that lacks its end",
        "for await gives each line, the last one without its end included",
        "readexactly() throws IncompleteReadError at the end, with what came",
        "readuntil() throws IncompleteReadError at the end, with what came",
        "write() of no bytes sends nothing",
        "write() of a view sends the view only",
        "write() refuses what is neither bytes nor a string, and sends nothing of it",
        "close() after a write() of 1 bytes delivers all of them, then the end",
        "close() after a write() of 1000 bytes delivers all of them, then the end",
        "close() again does nothing",
        "close(), then write_eof(), does nothing more",
        "write() after close() is dropped without an error",
        "wait_closed() that is cancelled changes nothing",
        "await using closes at the end of the block, with all that was written",
        "what the peer sent before it closed is read in full",
        "close() with a drain() that waits still delivers everything, and settles the drain()",
        "what the peer sent before it went is read, even after drain() has failed",
      ],
    },
  ],
  [
    "a connection that mixes up what it writes",
    broken_pair(ReordersWrites),
    {
      among_others: [
        "1000 bytes arrive in order and unchanged",
        "many small writes arrive in order",
        "writelines() sends its pieces as one write() would",
        "questions and answers alternate",
        "write_eof() comes after all that was written, however much",
      ],
    },
  ],
  [
    "a connection that never reports its end",
    broken_pair(NeverReportsEof),
    {
      among_others: [
        "reads at the end give no bytes, again and again",
        "at_eof() is false while bytes are left, and true once all were read",
        "write_eof() ends what the peer reads, and its answer still arrives",
        "close() after a write() of 1000 bytes delivers all of them, then the end",
        "close() with unread bytes ends the peer's reads, with the end or an error",
        "abort() drops what waits, and the peer sees the end or an error",
      ],
    },
  ],
  [
    "a connection without back-pressure, which hides that it failed",
    broken_pair(TakesEverything),
    {
      exactly: [
        "drain() waits while the peer does not read, and goes on when it does",
        "writelines() makes drain() wait as write() does",
        "several drains at once all go on",
        "a drain() that is cancelled disturbs no other and loses nothing",
        "raising the limits lets a drain() that waits go on",
        "abort() drops what waits, and the peer sees the end or an error",
        "wait_closed() to a peer that does not read can be timed out, and abort() settles it",
        "drain() tells the writer of a peer that is gone",
        "what the peer sent before it went is read, even after drain() has failed",
        "a drain() that waits fails when the peer closes, and wait_closed() fails since bytes were lost",
        "a drain() that waits fails when the connection is reset, and wait_closed() fails since bytes were lost",
        "wait_closed() fails if bytes were lost, also when a read has told of the reset since",
      ],
    },
  ],
  [
    "a connection whose writes never fail",
    broken_pair(HidesLoss),
    {
      exactly: [
        "drain() tells the writer of a peer that is gone",
        "what the peer sent before it went is read, even after drain() has failed",
        "a drain() that waits fails when the peer closes, and wait_closed() fails since bytes were lost",
        "a drain() that waits fails when the connection is reset, and wait_closed() fails since bytes were lost",
        "wait_closed() fails if bytes were lost, also when a read has told of the reset since",
      ],
    },
  ],
  [
    "a reader that loses bytes of a cancelled read",
    losing_pair,
    {
      exactly: [
        ...READ_CALLS.map((name) => `${name} that is cancelled at any moment loses nothing`),
        "a read that follows a cancelled one at once gets its bytes",
        "bytes that arrived before a reset are read before it is told",
      ],
    },
  ],
];

for (const [defect, make, expected] of DEFECTS) {
  Deno.test(`check_stream_contract() names what is broken by ${defect}`, async () => {
    const broken = await broken_promises(make);
    if ("exactly" in expected) assertEquals(broken, expected.exactly);
    else assertEquals(expected.among_others.filter((promised) => !broken.includes(promised)), []);
  });
}

function declared(options: Partial<asyncio.testing.StreamContractOptions> = {}): asyncio.testing.ContractTest[] {
  const tests: asyncio.testing.ContractTest[] = [];
  check_stream_contract("kind", small_pair, { test: (test) => tests.push(test), ...options });
  return tests;
}

Deno.test("check_stream_contract() shows a promise that a kind cannot keep as an ignored test, with the reason", () => {
  const ignored = (options: Partial<asyncio.testing.StreamContractOptions>) =>
    declared(options).filter(({ ignore }) => ignore).map(({ name }) => name.replace(/^.* \((ignored: .*)\)$/, "$1"));
  const count = (reasons: readonly string[]) =>
    Object.fromEntries(reasons.map((reason) => [reason, reasons.filter((each) => each === reason).length]));
  assertEquals(ignored({ reset: true }), []);
  assertEquals(count(ignored({ half_close: false, detects_loss: false })), {
    "ignored: it does not half-close": 8,
    "ignored: its pairs have no reset()": 6,
    "ignored: its writes do not fail when the peer is gone": 3,
  });
});

Deno.test("check_stream_contract() declares more than forty promises, no two by the same name", () => {
  const names = declared().map(({ name }) => name);
  assert(names.length - 10 > 40, `${names.length} with five sizes twice`);
  assertEquals(new Set(names).size, names.length);
});

Deno.test("check_stream_contract() refuses wrong options by name and value", () => {
  // deno-lint-ignore no-explicit-any
  const check = check_stream_contract as (...args: any[]) => unknown;
  assertThrows(() => check("kind", 5, { test: () => {} }), TypeError, '"make" must be a function, got 5');
  assertThrows(() => check("kind", small_pair, {}), TypeError, '"test" must be a function, got undefined');
  assertThrows(() => check("kind", small_pair, { test: () => {}, halfclose: 1 }), TypeError, 'option "halfclose"');
  assertThrows(() => check("kind", small_pair, { test: () => {}, flood: "1" }), TypeError, '"flood" must be a number');
});
