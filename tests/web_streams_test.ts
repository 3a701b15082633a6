import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import * as asyncio from "../mod.ts";
import { error_of, run_virtual } from "./_helpers.ts";
import { bytes, for_turns, joined, MIB, pattern, same_bytes, text, with_node_peer, with_pair } from "./_streams.ts";

function fed(...chunks: string[]): asyncio.StreamReader {
  const reader = new asyncio.StreamReader();
  for (const chunk of chunks) reader.feed_data(chunk);
  return reader;
}

/** A web stream of chunks, that notes what is done to it. */
function stream_of(chunks: readonly unknown[], calls: string[] = []): ReadableStream<Uint8Array<ArrayBuffer>> {
  const rest = [...chunks];
  return new ReadableStream<unknown>({
    pull(controller) {
      calls.push("pull");
      if (rest.length === 0) controller.close();
      else controller.enqueue(rest.shift());
    },
    cancel(reason) {
      calls.push(`cancel ${reason instanceof Error ? reason.name : reason}`);
    },
  }, { highWaterMark: 0 }) as ReadableStream<Uint8Array<ArrayBuffer>>;
}

// StreamReader.readable

Deno.test("StreamReader.readable gives what the reader would, and its end", async () => {
  const reader = fed("hello ");
  const all = new Response(reader.readable).text();
  await for_turns(2);
  reader.feed_data("world");
  reader.feed_eof();
  assertEquals(await all, "hello world");
  assert(reader.at_eof());
});

Deno.test("StreamReader.readable asks for bytes only when somebody reads from it", async () => {
  await with_pair(async ([_, writer], [reader]) => {
    writer.write("hello");
    await writer.drain();
    const { readable } = reader;
    await for_turns(5);
    assertEquals(reader.buffered, 0);
    const web = readable.getReader();
    assertEquals(text((await web.read()).value!), "hello");
    writer.write("again");
    await writer.drain();
    await for_turns(5);
    // No read of the stream was begun, so the reader's own comes first.
    web.releaseLock();
    assertEquals(text(await reader.read(10)), "again");
  });
});

Deno.test("StreamReader.readable fills the array of a reader that brings one", async () => {
  const reader = fed("abcdef");
  const web = reader.readable.getReader({ mode: "byob" });
  assertEquals(text((await web.read(new Uint8Array(4))).value!), "abcd");
  const waiting = web.read(new Uint16Array(1), { min: 1 });
  assertEquals(text(new Uint8Array((await waiting).value!.buffer)), "ef");
  const ended = web.read(new Uint8Array(4));
  await for_turns(2);
  reader.feed_eof();
  assertEquals((await ended).done, true);
});

Deno.test("what StreamReader.readable gives may be transferred: the reader goes on", async () => {
  const reader = fed("a".repeat(5000));
  const web = reader.readable.getReader();
  const { value } = await web.read();
  structuredClone(value, { transfer: [value!.buffer] });
  reader.feed_data("next");
  assertEquals(text((await web.read()).value!), "next");
});

Deno.test("StreamReader.readable fails with the connection's error after what came before it", async () => {
  await with_node_peer(async ([reader], peer) => {
    const web = reader.readable.getReader();
    const first = web.read();
    peer.write("abc");
    assertEquals(text((await first).value!), "abc");
    const second = web.read();
    peer.resetAndDestroy();
    const error = await error_of(second);
    assertInstanceOf(error, asyncio.ConnectionResetError);
    assertStrictEquals(reader.exception(), error);
  });
});

Deno.test("cancel() of StreamReader.readable stops reading, keeps the bytes and the connection", async () => {
  await with_pair(async ([client_reader, client], [reader, writer]) => {
    const { readable } = reader;
    assertStrictEquals(reader.readable, readable);
    const web = readable.getReader();
    const waiting = web.read();
    await for_turns(2);
    await web.cancel("enough");
    assertEquals((await waiting).done, true);
    client.write("for the reader");
    assertEquals(text(await reader.readexactly(14)), "for the reader");
    writer.write("still there");
    assertEquals(text(await client_reader.readexactly(11)), "still there");
    assert(reader.readable !== readable);
    client.write("a second one");
    client.close();
    assertEquals(await new Response(reader.readable).text(), "a second one");
  });
});

Deno.test("cancel() of StreamReader.readable in the moment in which bytes come loses none", async () => {
  for (let turns = 0; turns < 4; turns++) {
    await asyncio.run(async () => {
      const reader = fed();
      const web = reader.readable.getReader();
      const waiting = web.read();
      await asyncio.sleep(0);
      reader.feed_data("abc");
      for (let i = 0; i < turns; i++) await Promise.resolve();
      web.cancel();
      const { value } = await waiting;
      reader.feed_eof();
      assertEquals(text(value ?? new Uint8Array()) + text(await reader.read()), "abc");
    });
  }
});

Deno.test("a task that is cancelled while it waits for StreamReader.readable does not break it", async () => {
  await run_virtual(async () => {
    const reader = fed();
    const web = reader.readable.getReader();
    const task = asyncio.create_task(async () => {
      const { value } = await web.read();
      await asyncio.sleep(1);
      return value;
    });
    await asyncio.sleep(1);
    task.cancel();
    reader.feed_data("abc");
    assertInstanceOf(await error_of(task), asyncio.CancelledError);
    reader.feed_data("def");
    assertEquals(text((await web.read()).value!), "def");
  });
});

Deno.test("StreamReader.readable of some MiB over TCP arrives byte by byte", async () => {
  const data = pattern(8 * MIB);
  await with_pair(async ([_, writer], [reader]) => {
    writer.write(data);
    writer.close();
    assert(same_bytes(await new Response(reader.readable).bytes(), data));
  });
});

Deno.test("a read while StreamReader.readable waits is refused, and the web stream goes on", async () => {
  const reader = fed();
  const web = reader.readable.getReader();
  const waiting = web.read();
  await for_turns(1);
  const error = await error_of(reader.readline());
  assertEquals(
    error.message,
    "readline() called while another coroutine is already waiting for incoming data, in readable()",
  );
  reader.feed_data("abc");
  assertEquals(text((await waiting).value!), "abc");
});

// StreamReader.from()

Deno.test("StreamReader.from() reads any web stream by line, by count and up to the end", async () => {
  const stream = stream_of(["one\ntw", "o\nthree", "", " four"].map(bytes));
  const reader = asyncio.StreamReader.from(stream);
  assertEquals(text(await reader.readline()), "one\n");
  assertEquals(text(await reader.readexactly(3)), "two");
  assertEquals(text(await reader.read()), "\nthree four");
  assert(reader.at_eof());
  assert(!stream.locked);
});

Deno.test("StreamReader.from() asks the stream for a chunk only when the buffer has too little", async () => {
  const calls: string[] = [];
  const reader = asyncio.StreamReader.from(stream_of(["a\nb\n", "c\n"].map(bytes), calls));
  await for_turns(2);
  assertEquals(calls, []);
  await reader.readline();
  await reader.readline();
  assertEquals(calls, ["pull"]);
  assertEquals(text(await reader.readline()), "c\n");
  assertEquals(calls, ["pull", "pull"]);
});

Deno.test("StreamReader.from() keeps what a chunk has beyond what was asked for", async () => {
  const data = pattern(MIB);
  const reader = asyncio.StreamReader.from(stream_of([data, bytes("end")]));
  assert(same_bytes(await reader.readexactly(1000), data.subarray(0, 1000)));
  assert(reader.buffered < 64 * 1024);
  assert(same_bytes(await reader.readexactly(MIB - 1000), data.subarray(1000)));
  assertEquals(text(await reader.read()), "end");
});

Deno.test("StreamReader.from() takes its limit and loop", async () => {
  const reader = asyncio.StreamReader.from(stream_of([bytes("abcdef\n")]), { limit: 3 });
  assertInstanceOf(await error_of(reader.readline()), asyncio.LimitOverrunError);
  await reader[Symbol.asyncDispose]();
});

Deno.test("StreamReader.from() survives reads that are cancelled, and the stream's own code is not cancelled", async () => {
  await run_virtual(async () => {
    let pulls = 0;
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
      async pull(controller) {
        pulls++;
        await asyncio.sleep(10);
        controller.enqueue(bytes("abc\n"));
      },
    }, { highWaterMark: 0 });
    await using reader = asyncio.StreamReader.from(stream);
    for (let i = 0; i < 3; i++) {
      assertInstanceOf(await error_of(asyncio.wait_for(() => reader.readline(), 1)), asyncio.TimeoutError);
    }
    assertEquals(text(await reader.readline()), "abc\n");
    assertEquals(pulls, 1);
  });
});

const CHUNKS: [chunk: unknown, shown: string][] = [
  ["text", '"text"'],
  [5, "5"],
  [null, "null"],
  [[1, 2], "[object Array]"],
  [new ArrayBuffer(2), "[object ArrayBuffer]"],
  [new Uint16Array(2), "[object Uint16Array]"],
];
for (const [chunk, shown] of CHUNKS) {
  Deno.test(`StreamReader.from() throws a TypeError for the chunk ${shown}, after what came before it`, async () => {
    const calls: string[] = [];
    const stream = stream_of([bytes("abc"), chunk], calls);
    const reader = asyncio.StreamReader.from(stream);
    const error = await error_of(reader.readline());
    assertInstanceOf(error, TypeError);
    assertEquals(error.message, `A chunk of the stream must be a Uint8Array, got ${shown}`);
    assertEquals(text(await reader.read(10)), "abc");
    assertStrictEquals(await error_of(reader.read(10)), error);
    assertEquals([calls.at(-1), stream.locked], ["cancel TypeError", false]);
  });
}

Deno.test("StreamReader.from() throws the stream's error, whatever it is, and unlocks it", async () => {
  for (const reason of [new RangeError("broken"), "a text", undefined]) {
    const stream = new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(reason) });
    const reader = asyncio.StreamReader.from(stream);
    const error = await error_of(reader.readline());
    if (reason === undefined) assertEquals(error.message, "Cannot read from the stream: it failed without a reason");
    else assertStrictEquals(error, reason);
    assert(!stream.locked);
    await reader[Symbol.asyncDispose]();
  }
});

Deno.test("StreamReader.from() refuses what is no ReadableStream, and one that is locked", () => {
  // deno-lint-ignore no-explicit-any
  const from = asyncio.StreamReader.from as any;
  assertThrows(() => from("text"), TypeError, '"stream" must be a ReadableStream, got "text"');
  assertThrows(() => from(null), TypeError, '"stream" must be a ReadableStream, got null');
  const stream = stream_of([]);
  stream.getReader();
  assertThrows(() => from(stream), TypeError, 'Cannot read from "stream": it is locked');
  const free = stream_of([]);
  assertThrows(() => from(free, { limit: 0 }), RangeError, '"limit" must be above 0, got 0');
  assert(!free.locked);
});

Deno.test("await using a StreamReader.from() cancels the stream and unlocks it; what is buffered stays", async () => {
  const calls: string[] = [];
  const stream = stream_of(["a\nb\n", "c\n"].map(bytes), calls);
  const reader = asyncio.StreamReader.from(stream);
  await reader.readline();
  await reader[Symbol.asyncDispose]();
  await reader[Symbol.asyncDispose]();
  assertEquals(calls, ["pull", "cancel undefined"]);
  assert(!stream.locked);
  assertEquals(text(await reader.read()), "b\n");
});

Deno.test("a read that waits when its StreamReader.from() is disposed of gets the end of the stream", async () => {
  const reader = asyncio.StreamReader.from(new ReadableStream<Uint8Array>());
  const reading = reader.readline();
  await for_turns(1);
  await reader[Symbol.asyncDispose]();
  assertEquals((await reading).length, 0);
  assert(reader.at_eof());
});

Deno.test("disposing of a StreamReader.from() throws what the stream's cancel() throws, and unlocks it all the same", async () => {
  const broken = new Error("broken");
  const stream = new ReadableStream<Uint8Array>({ cancel: () => Promise.reject(broken) });
  const reader = asyncio.StreamReader.from(stream);
  assertStrictEquals(await error_of(reader[Symbol.asyncDispose]()), broken);
  assert(!stream.locked);
});

Deno.test("disposing of any other reader does nothing", async () => {
  await with_pair(async ([_, writer], [reader]) => {
    await reader[Symbol.asyncDispose]();
    writer.write("abc\n");
    assertEquals(text(await reader.readline()), "abc\n");
  });
});

Deno.test("chunks of any size, read by calls that are cancelled, come out of readable and from() byte by byte", async () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 9000 }), { maxLength: 8 });
  const reads = fc.array(fc.record({ size: fc.integer({ min: 1, max: 9000 }), patience: fc.option(fc.nat(2)) }), {
    minLength: 1,
    maxLength: 10,
  });
  await fc.assert(
    fc.asyncProperty(sizes, reads, async (sizes, reads) => {
      await run_virtual(async () => {
        const chunks = sizes.map((size, i) => pattern(size).map((byte) => byte + i));
        const inner = asyncio.StreamReader.from(stream_of(chunks));
        const reader = asyncio.StreamReader.from(inner.readable);
        const got: Uint8Array[] = [];
        for (let i = 0; !reader.at_eof(); i++) {
          const { size, patience } = reads[i % reads.length];
          try {
            got.push(await asyncio.wait_for(reader.read(size), patience));
          } catch (error) {
            assertInstanceOf(error, asyncio.TimeoutError);
            await asyncio.sleep(1);
          }
        }
        assert(same_bytes(joined(got), joined(chunks)));
      });
    }),
    { numRuns: 200 },
  );
});
