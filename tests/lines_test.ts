import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import * as asyncio from "../mod.ts";
import { assert_linear, error_of, run_virtual } from "./_helpers.ts";
import { bytes, joined, MIB, pattern, text, with_pair } from "./_streams.ts";

function fed(...chunks: (string | Uint8Array)[]): asyncio.StreamReader {
  const reader = new asyncio.StreamReader();
  for (const chunk of chunks) reader.feed_data(chunk);
  return reader;
}

async function collect<T>(lines: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

const CASES: [content: string, options: Omit<asyncio.LinesOptions, "encoding">, expected: string[]][] = [
  ["a\nb\n", {}, ["a", "b"]],
  ["a\r\n\r\n\nb", {}, ["a", "", "", "b"]],
  ["a\r\n\r\n\nb", { keep_ends: true }, ["a\r\n", "\r\n", "\n", "b"]],
  ["a\rb\r\r\n\r", {}, ["a\rb\r", "\r"]],
  ["", {}, []],
  ["\n", {}, [""]],
  // The end does not count.
  ["abcd\r\nabcd\nabcd", { limit: 4 }, ["abcd", "abcd", "abcd"]],
  ["abcd\r\nx\n", { limit: 4, keep_ends: true, overlong: "split" }, ["abcd\r\n", "x\n"]],
  ["abcde\nx\n", { limit: 4, overlong: "truncate" }, ["abcd", "x"]],
  ["abcdefghijkl\r\nx\n", { limit: 4, overlong: "truncate", keep_ends: true }, ["abcd", "x\n"]],
  ["x\nabcdef", { limit: 4, overlong: "truncate" }, ["x", "abcd"]],
  ["abcd\r", { limit: 4, overlong: "truncate" }, ["abcd"]],
  ["abcd\r\rx\ny\n", { limit: 4, overlong: "truncate" }, ["abcd", "y"]],
  ["abcdef\nx\n", { limit: 4, overlong: "split" }, ["abcd", "ef", "x"]],
  ["abcdefgh\r\nx\n", { limit: 4, overlong: "split" }, ["abcd", "efgh", "x"]],
  ["abcdefgh\r\nx\n", { limit: 4, overlong: "split", keep_ends: true }, ["abcd", "efgh\r\n", "x\n"]],
  ["abcd\r", { limit: 4, overlong: "split" }, ["abcd", "\r"]],
  ["☃☃\n", { limit: 4, overlong: "split" }, ["☃", "☃"]],
  ["☃☃\nx\n", { limit: 4, overlong: "truncate" }, ["☃", "x"]],
  ["ab☃\nx\n", { limit: 4, overlong: "split" }, ["ab", "☃", "x"]],
  ["☃☃☃\nx\n", { limit: 1, overlong: "split" }, ["☃", "☃", "☃", "x"]],
  ["☃☃\nx\n", { limit: 2, overlong: "truncate" }, ["☃", "x"]],
  ["𝄞𝄞𝄞\n", { limit: 9, overlong: "split" }, ["𝄞𝄞", "𝄞"]],
];
for (const [content, options, expected] of CASES) {
  const shown = `${JSON.stringify(content)}, ${Deno.inspect(options)}`;
  Deno.test(`StreamReader.lines() of ${shown} gives ${JSON.stringify(expected)} wherever it is cut`, async () => {
    const whole = bytes(content);
    for (let cut = 0; cut <= whole.length; cut++) {
      const reader = new asyncio.StreamReader();
      const reading = collect(reader.lines({ ...options, encoding: "utf-8" }));
      for (const part of [whole.subarray(0, cut), whole.subarray(cut)]) {
        reader.feed_data(part);
        await asyncio.sleep(0);
      }
      reader.feed_eof();
      assertEquals(await reading, expected, `cut at ${cut}`);
      if (!content.includes("☃") && !content.includes("𝄞")) {
        const other = fed(whole);
        other.feed_eof();
        assertEquals((await collect(other.lines(options))).map(text), expected);
      }
    }
  });
}

Deno.test("StreamReader.lines() of a line beyond the limit throws LimitOverrunError and keeps every byte", async () => {
  const reader = fed("abcdef\r\nrest\n");
  const lines = reader.lines({ limit: 4 });
  const error = await error_of(lines.next());
  assertInstanceOf(error, asyncio.LimitOverrunError);
  assertEquals([error.message, error.consumed], ["Separator is found, but chunk is longer than limit", 6]);
  assertEquals(text(await reader.readexactly(error.consumed)), "abcdef");
  assertEquals(text((await lines.next()).value!), "");
  assertEquals(text((await lines.next()).value!), "rest");
});

Deno.test("StreamReader.lines() throws once a line cannot end within the limit any more, and not before", async () => {
  const reader = fed("abcd\r");
  const reading = reader.lines({ limit: 4 }).next();
  await asyncio.sleep(0);
  assert(!(reading as asyncio.Future<unknown>).done());
  reader.feed_data("\r");
  const error = await error_of(reading);
  assertInstanceOf(error, asyncio.LimitOverrunError);
  assertEquals([error.message, error.consumed], ["Separator is not found, and chunk exceed the limit", 5]);
  assertEquals(reader.buffered, 6);
});

Deno.test("StreamReader.lines() takes its limit from the reader, and Infinity for none", async () => {
  const reader = new asyncio.StreamReader({ limit: 3 });
  reader.feed_data("abcd\n");
  assertInstanceOf(await error_of(reader.lines().next()), asyncio.LimitOverrunError);
  reader.feed_data(new Uint8Array(MIB));
  reader.feed_eof();
  assertEquals((await collect(reader.lines({ limit: Infinity }))).map((line) => line.length), [4, MIB]);
});

Deno.test("StreamReader.lines() keeps no more than the limit while it drops the rest of a line", async () => {
  const reader = new asyncio.StreamReader();
  const next = reader.lines({ limit: 100, overlong: "truncate" }).next();
  for (let i = 0; i < 100; i++) {
    reader.feed_data(new Uint8Array(50_000).fill(65));
    await asyncio.sleep(0);
    assert(reader.buffered <= 102, String(reader.buffered));
  }
  reader.feed_data("\nnext\n");
  assertEquals(text((await next).value!), "A".repeat(100));
  assertEquals(text(await reader.readline()), "next\n");
});

Deno.test("a cancelled next() while a line is truncated leaves the beginning of it, and the next one goes on", async () => {
  for (const rest of ["\n", "\r\n", "more\n", "more\r\n"]) {
    const reader = fed("abcdefgh");
    const lines = reader.lines({ limit: 4, overlong: "truncate" });
    const next = lines.next() as asyncio.Future<unknown>;
    await asyncio.sleep(0);
    next.cancel();
    reader.feed_data(rest);
    reader.feed_data("x\n");
    reader.feed_eof();
    assertEquals((await collect(lines)).map(text), ["abcd", "x"]);
  }
});

Deno.test("a for await over StreamReader.lines() that is left leaves the rest in the buffer", async () => {
  for (const [options, rest] of [[{}, "b\nc\n"], [{ overlong: "split", limit: 1 }, "b\nc\n"]] as const) {
    const reader = fed("a\nb\nc\n");
    for await (const line of reader.lines(options)) if (text(line) === "a") break;
    reader.feed_eof();
    assertEquals(text(await reader.read()), rest);
  }
  const reader = fed("ab☃b\n");
  for await (const piece of reader.lines({ overlong: "split", limit: 4, encoding: "utf-8" })) {
    assertEquals(piece, "ab");
    break;
  }
  reader.feed_eof();
  assertEquals(text(await reader.read()), "☃b\n");
});

Deno.test("a next() of StreamReader's iterators that wait_for() gives up takes nothing", async () => {
  await run_virtual(async () => {
    const reader = fed("a");
    for (const lines of [reader.lines(), reader[Symbol.asyncIterator]()]) {
      assertInstanceOf(await error_of(asyncio.wait_for(lines.next(), 1)), asyncio.TimeoutError);
    }
    reader.feed_data("b\n");
    assertEquals(text(await reader.readline()), "ab\n");
  });
});

Deno.test("StreamReader.lines() throws the stream's error after the lines before it", async () => {
  const reader = fed("a\nb");
  const broken = new Error("broken");
  reader.set_exception(broken);
  const lines = reader.lines({ encoding: "utf-8" });
  assertEquals((await lines.next()).value, "a");
  assertStrictEquals(await error_of(lines.next()), broken);
  assertEquals(reader.buffered, 1);
});

Deno.test("StreamReader.lines() decodes other encodings too, across pieces", async () => {
  // "あい" twice in Shift_JIS.
  const reader = fed(Uint8Array.of(0x82, 0xa0, 0x82, 0xa2, 10, 0x82, 0xa0, 0x82, 0xa2, 10));
  reader.feed_eof();
  const lines = reader.lines({ encoding: "shift_jis", limit: 3, overlong: "split" });
  assertEquals((await collect(lines)).join("|"), "あ|い|あ|い");
  const truncated = fed(Uint8Array.of(0x82, 0xa0, 0x82, 0xa2, 10, 65, 10));
  truncated.feed_eof();
  assertEquals(await collect(truncated.lines({ encoding: "shift_jis", limit: 3, overlong: "truncate" })), ["あ", "A"]);
  const latin = fed(Uint8Array.of(0xe9, 10));
  latin.feed_eof();
  assertEquals(await collect(latin.lines({ encoding: "latin1" })), ["é"]);
});

Deno.test("StreamReader.lines() drops a mark of the order of bytes at the beginning, and nowhere else", async () => {
  const reader = fed("\ufeffa\n\ufeffb\n");
  reader.feed_eof();
  assertEquals(await collect(reader.lines({ encoding: "utf-8" })), ["a", "\ufeffb"]);
});

Deno.test("StreamReader.lines() gives a replacement character for what is no UTF-8, in its own line only", async () => {
  const reader = fed(Uint8Array.of(0xe2, 0x98, 10, 0x83, 10, 65, 10));
  reader.feed_eof();
  assertEquals(await collect(reader.lines({ encoding: "utf-8" })), ["\ufffd", "\ufffd", "A"]);
});

Deno.test("StreamReader.lines()'s argument errors name the argument and the value", () => {
  // deno-lint-ignore no-explicit-any
  const reader = new asyncio.StreamReader() as any;
  const cases: [options: unknown, new (...args: never[]) => Error, string][] = [
    [{ limit: 0 }, RangeError, '"limit" must be above 0, got 0'],
    [{ limit: "1" }, TypeError, '"limit" must be a number, got "1"'],
    [{ overlong: "cut" }, RangeError, '"overlong" must be "error", "truncate" or "split", got "cut"'],
    [{ overlong: true }, TypeError, '"overlong" must be "error", "truncate" or "split", got true'],
    [{ keep_ends: 1 }, TypeError, '"keep_ends" must be a boolean, got 1'],
    [{ encoding: 8 }, TypeError, '"encoding" must be a string, got 8'],
    [{ encoding: "utf-9" }, RangeError, '"encoding" must be a label that TextDecoder takes, got "utf-9"'],
    [{ encoding: "utf-16" }, RangeError, '"encoding" must be one in which the byte 10 ends a line, got "utf-16"'],
    [
      { keepends: true },
      TypeError,
      'Unknown option "keepends": known are "limit", "overlong", "keep_ends", "encoding"',
    ],
    [null, TypeError, '"options" must be an object, got null'],
  ];
  for (const [options, error_class, message] of cases) {
    assertThrows(() => reader.lines(options), error_class, message);
  }
});

/** The lines of a whole content. */
function expected_lines(content: string, options: asyncio.LinesOptions): string[] {
  const lines: string[] = [];
  const limit = options.encoding === "utf-8" ? Math.max(options.limit!, 4) : options.limit!;
  for (const [line, body, end] of content.matchAll(/([^\n]*?)(\r?\n|$)/g)) {
    if (line === "") continue;
    const kept = options.keep_ends ? end : "";
    if (body.length <= limit) lines.push(body + kept);
    else if (options.overlong === "truncate") lines.push(body.slice(0, limit));
    else {
      for (let at = 0; at < body.length; at += limit) {
        lines.push(body.slice(at, at + limit) + (at + limit >= body.length ? kept : ""));
      }
    }
  }
  return lines;
}

/** Content, and where it is cut. */
const chunked = (unit: fc.Arbitrary<string>) =>
  fc.record({
    content: fc.string({ unit, maxLength: 60 }),
    cuts: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 }),
  });

async function feed(reader: asyncio.StreamReader, content: Uint8Array, cuts: readonly number[]): Promise<void> {
  for (let at = 0, i = 0; at < content.length; i++) {
    const size = cuts[i % cuts.length];
    reader.feed_data(content.subarray(at, at + size));
    at += size;
    await asyncio.sleep(size % 3);
  }
  reader.feed_eof();
}

Deno.test("lines in any chunks, with any limit, read by calls that are cancelled at any moment, are those of the whole", async () => {
  const options = fc.record({
    limit: fc.integer({ min: 1, max: 12 }),
    overlong: fc.constantFrom("truncate" as const, "split" as const),
    keep_ends: fc.boolean(),
    encoding: fc.constantFrom("utf-8", "latin1", undefined),
  });
  const patience = fc.array(fc.option(fc.integer({ min: 0, max: 3 })), { minLength: 1, maxLength: 10 });
  const content = chunked(fc.constantFrom("a", "b", "c", "\n", "\r"));
  await fc.assert(
    fc.asyncProperty(content, options, patience, async ({ content, cuts }, options, patience) => {
      await run_virtual(async () => {
        const reader = new asyncio.StreamReader();
        const feeding = asyncio.create_task(() => feed(reader, bytes(content), cuts));
        const lines = reader.lines(options as { encoding: string }) as AsyncIterator<string | Uint8Array>;
        const got: string[] = [];
        for (let i = 0;; i++) {
          try {
            const { done, value } = await asyncio.wait_for(lines.next(), patience[i % patience.length] ?? null);
            if (done) break;
            got.push(typeof value === "string" ? value : text(value));
          } catch (error) {
            assertInstanceOf(error, asyncio.TimeoutError);
            await asyncio.sleep(1);
          }
        }
        await feeding;
        assertEquals(got, expected_lines(content, options));
      });
    }),
    { numRuns: 500 },
  );
});

Deno.test("split lines of any characters are whole characters, and all of the content", async () => {
  const content = chunked(fc.constantFrom("a", "é", "☃", "𝄞", "\n"));
  const limits = fc.integer({ min: 1, max: 9 });
  await fc.assert(
    fc.asyncProperty(content, limits, fc.boolean(), async ({ content, cuts }, limit, truncates) => {
      await run_virtual(async () => {
        const reader = new asyncio.StreamReader();
        const feeding = asyncio.create_task(() => feed(reader, bytes(content), cuts));
        const overlong = truncates ? "truncate" : "split";
        const pieces = await collect(reader.lines({ limit, overlong, keep_ends: true, encoding: "utf-8" }));
        await feeding;
        for (const piece of pieces) {
          assert(!piece.includes("\ufffd"));
          const body = piece.replace("\n", "");
          assert(bytes(body).length <= Math.max(limit, 4), piece);
        }
        if (!truncates) return assertEquals(pieces.join(""), content);
        const lines = content.split("\n");
        if (lines.at(-1) === "") lines.pop();
        assertEquals(pieces.length, lines.length);
        for (const [i, line] of lines.entries()) assert(line.startsWith(pieces[i].replace("\n", "")));
      });
    }),
    { numRuns: 500 },
  );
});

Deno.test("any bytes at all, split as UTF-8, lose none and never divide a character that is one", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 1, max: 6 }), async (data, limit) => {
      const reader = new asyncio.StreamReader();
      reader.feed_data(data);
      reader.feed_eof();
      const lines = reader.lines({ limit, overlong: "split", encoding: "utf-8", keep_ends: true });
      // Ended by hand, to see what each call takes.
      let before = reader.buffered;
      for (let next = await lines.next(); !next.done; next = await lines.next()) {
        assert(reader.buffered < before);
        before = reader.buffered;
      }
      assertEquals(reader.buffered, 0);
    }),
    { numRuns: 500 },
  );
});

Deno.test("StreamReader.lines() of a buffer of many pieces costs the same for each", async () => {
  await assert_linear(async (size) => {
    const reader = fed(new Uint8Array(size).fill(65));
    reader.feed_eof();
    let count = 0;
    for await (const piece of reader.lines({ limit: 100, overlong: "split" })) count += piece.length;
    assertEquals(count, size);
  }, 2 * MIB);
});

Deno.test("StreamReader.lines() over TCP truncates a line of some MiB", async () => {
  await with_pair(async ([_, writer], [reader]) => {
    writer.write(joined([pattern(4 * MIB).map((byte) => byte === 10 ? 11 : byte), bytes("\nlast\n")]));
    writer.close();
    const lines = await collect(reader.lines({ overlong: "truncate", limit: 1000 }));
    assertEquals(lines.map((line) => line.length), [1000, 4]);
  });
});
