import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import * as asyncio from "../mod.ts";
import { error_of, run_virtual } from "./_helpers.ts";
import { bytes, joined, MIB, pattern, same_bytes, text, with_pair } from "./_streams.ts";

function fed(...chunks: (string | Uint8Array)[]): asyncio.StreamReader {
  const reader = new asyncio.StreamReader();
  for (const chunk of chunks) reader.feed_data(chunk);
  return reader;
}

Deno.test("StreamReader.read_frame() gives what is behind the length, and leaves the rest", async () => {
  const reader = fed(asyncio.pack_frame("one"), asyncio.pack_frame(""), asyncio.pack_frame("two"), "rest");
  const frames: string[] = [];
  for (let i = 0; i < 3; i++) frames.push(text((await reader.read_frame())!));
  assertEquals(frames, ["one", "", "two"]);
  assertEquals(text(await reader.read(10)), "rest");
});

Deno.test("StreamReader.read_frame() that is cancelled at any byte has taken nothing", async () => {
  const frame = asyncio.pack_frame("hello", { size: 2 });
  for (let cut = 0; cut < frame.length; cut++) {
    const reader = new asyncio.StreamReader();
    const reading = reader.read_frame({ size: 2 });
    reader.feed_data(frame.subarray(0, cut));
    await asyncio.sleep(0);
    assert(reading.cancel());
    assertEquals(reader.buffered, cut);
    reader.feed_data(frame.subarray(cut));
    assertEquals(text((await reader.read_frame({ size: 2 }))!), "hello");
  }
});

Deno.test("StreamReader.read_frame() throws IncompleteReadError at EOF within a frame, with the length in partial", async () => {
  const frame = asyncio.pack_frame("hello");
  for (let cut = 1; cut < frame.length; cut++) {
    const reader = fed(frame.subarray(0, cut));
    reader.feed_eof();
    const error = await error_of(reader.read_frame());
    assertInstanceOf(error, asyncio.IncompleteReadError);
    assert(same_bytes(error.partial, frame.subarray(0, cut)));
    assertEquals([error.expected, reader.at_eof()], [cut < 4 ? 4 : 9, true]);
  }
});

Deno.test("StreamReader.read_frame() of a frame beyond max_size throws at once and keeps every byte", async () => {
  const reader = fed(Uint8Array.of(0, 0, 1, 1));
  const error = await error_of(reader.read_frame({ max_size: 256 }));
  assertInstanceOf(error, asyncio.LimitOverrunError);
  assertEquals(error.message, 'Frame of 257 bytes is longer than "max_size", which is 256');
  assertEquals([error.consumed, reader.buffered], [261, 4]);
  reader.feed_data(new Uint8Array(257));
  reader.feed_data(asyncio.pack_frame("next"));
  await reader.readexactly(error.consumed);
  assertEquals(text((await reader.read_frame())!), "next");
});

Deno.test("StreamReader.read_frame() is bounded by the reader's limit unless max_size says otherwise", async () => {
  const reader = new asyncio.StreamReader({ limit: 10 });
  reader.feed_data(asyncio.pack_frame("01234567890"));
  assertInstanceOf(await error_of(reader.read_frame()), asyncio.LimitOverrunError);
  assertEquals(text((await reader.read_frame({ max_size: Infinity }))!), "01234567890");
  reader.feed_data(asyncio.pack_frame("0123456789"));
  assertEquals(text((await reader.read_frame())!), "0123456789");
});

Deno.test("StreamReader.read_frame() of a length of 8 bytes that no memory holds is a LimitOverrunError", async () => {
  const reader = fed(new Uint8Array(8).fill(255));
  assertInstanceOf(await error_of(reader.read_frame({ size: 8, max_size: Infinity })), asyncio.LimitOverrunError);
});

Deno.test("StreamReader.read_frame() throws the connection's error and keeps what came before it", async () => {
  const reader = fed(asyncio.pack_frame("hello").subarray(0, 6));
  const broken = new Error("broken");
  reader.set_exception(broken);
  assertStrictEquals(await error_of(reader.read_frame()), broken);
  assertEquals(reader.buffered, 6);
});

Deno.test("for await over StreamReader.frames() ends at a clean end, and throws at one within a frame", async () => {
  const got: string[] = [];
  const reader = fed(asyncio.pack_frame("a"), asyncio.pack_frame(""), asyncio.pack_frame("b"));
  reader.feed_eof();
  for await (const frame of reader.frames()) got.push(text(frame));
  assertEquals(got, ["a", "", "b"]);

  const torn = fed(asyncio.pack_frame("a"), Uint8Array.of(0));
  torn.feed_eof();
  const frames = torn.frames();
  assertEquals(text((await frames.next()).value!), "a");
  assertInstanceOf(await error_of(frames.next()), asyncio.IncompleteReadError);
  assertEquals(await frames.next(), { done: true, value: undefined });
});

Deno.test("a for await over StreamReader.frames() that is left leaves the rest in the buffer", async () => {
  const reader = fed(asyncio.pack_frame("a"), asyncio.pack_frame("b"));
  for await (const _ of reader.frames()) break;
  assertEquals(text((await reader.read_frame())!), "b");
});

Deno.test("StreamReader.read_frame() of a large frame over TCP arrives byte by byte", async () => {
  const data = pattern(8 * MIB);
  await with_pair(async ([_, writer], [reader]) => {
    writer.write(asyncio.pack_frame(data));
    writer.close();
    assert(same_bytes((await reader.read_frame({ max_size: data.length }))!, data));
    assertEquals(await reader.read_frame(), null);
  });
});

Deno.test("StreamReader.read_frame()'s argument errors name the argument and the value", () => {
  // deno-lint-ignore no-explicit-any
  const reader = new asyncio.StreamReader() as any;
  const cases: [options: unknown, new (...args: never[]) => Error, string][] = [
    [{ size: 5 }, RangeError, '"size" must be 1, 2, 4 or 8, got 5'],
    [{ max_size: -1 }, RangeError, '"max_size" must be 0 or more, got -1'],
    [{ max_size: "1" }, TypeError, '"max_size" must be a number, got "1"'],
    [{ little_endian: "yes" }, TypeError, '"little_endian" must be a boolean, got "yes"'],
    [{ limit: 5 }, TypeError, 'Unknown option "limit": known are "size", "little_endian", "max_size"'],
    [5, TypeError, '"options" must be an object, got 5'],
  ];
  for (const [options, error_class, message] of cases) {
    assertThrows(() => reader.read_frame(options), error_class, message);
    assertThrows(() => reader.frames(options), error_class, message);
  }
});

Deno.test("frames in any chunks, read by calls that are cancelled at any moment, arrive whole and in order", async () => {
  const bodies = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 12 });
  const options = fc.record({ size: fc.constantFrom(1, 2, 4, 8), little_endian: fc.boolean() });
  const cuts = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 20 });
  // How long each call is waited for; `null` is until it ends.
  const patience = fc.array(fc.option(fc.integer({ min: 0, max: 3 })), { minLength: 1, maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(
      bodies,
      options,
      cuts,
      patience,
      fc.boolean(),
      async (bodies, options, cuts, patience, iterates) => {
        await run_virtual(async () => {
          const whole = joined(bodies.map((body) => asyncio.pack_frame(body, options as asyncio.FrameOptions)));
          const reader = new asyncio.StreamReader();
          const feeding = asyncio.create_task(async () => {
            for (let at = 0, i = 0; at < whole.length; i++) {
              const size = cuts[i % cuts.length];
              reader.feed_data(whole.subarray(at, at + size));
              at += size;
              await asyncio.sleep(size % 3);
            }
            reader.feed_eof();
          });
          const frames = reader.frames(options as asyncio.FrameOptions);
          const got: Uint8Array[] = [];
          for (let i = 0;; i++) {
            const next = iterates ? frames.next() : reader.read_frame(options as asyncio.FrameOptions);
            try {
              const result = await asyncio.wait_for(
                next as PromiseLike<unknown>,
                patience[i % patience.length] ?? null,
              );
              const frame = iterates ? (result as IteratorResult<Uint8Array>).value : result as Uint8Array | null;
              if (frame === null || frame === undefined) break;
              got.push(frame);
            } catch (error) {
              assertInstanceOf(error, asyncio.TimeoutError);
              // With no patience at all it would go on for ever.
              await asyncio.sleep(1);
            }
          }
          await feeding;
          assertEquals(got, bodies);
        });
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("a written pack_frame() and a read_frame() are a conversation", async () => {
  await with_pair(async ([client_reader, client], [server_reader, server]) => {
    const serving = asyncio.create_task(async () => {
      for await (const frame of server_reader.frames()) server.write(asyncio.pack_frame(frame.toReversed()));
    });
    client.write(asyncio.pack_frame("abc"));
    assertEquals(await client_reader.read_frame(), bytes("cba"));
    client.write_eof();
    await serving;
  });
});
