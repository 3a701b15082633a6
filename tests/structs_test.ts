import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import * as asyncio from "../mod.ts";
import { Layout } from "../lib/structs.ts";
import { error_of } from "./_helpers.ts";
import { bytes, same_bytes, text } from "./_streams.ts";

/** What CPython 3.13's `struct.pack()` makes of values, and `struct.unpack()` of that. */
const RECORDED: [format: string, values: asyncio.StructArgument[], packed: string, unpacked: asyncio.StructValue[]][] =
  [
    ["!IHB", [1, 2, 3], "00000001000203", [1, 2, 3]],
    ["<IHB", [16909060, 1286, 7], "04030201060507", [16909060, 1286, 7]],
    [">IHB", [16909060, 1286, 7], "01020304050607", [16909060, 1286, 7]],
    ["=IHB", [16909060, 1286, 7], "04030201060507", [16909060, 1286, 7]],
    ["!bB", [-128, 255], "80ff", [-128, 255]],
    ["!hH", [-32768, 65535], "8000ffff", [-32768, 65535]],
    ["!iI", [-2147483648, 4294967295], "80000000ffffffff", [-2147483648, 4294967295]],
    ["!lL", [-1, 4294967295], "ffffffffffffffff", [-1, 4294967295]],
    ["!qQ", [-9223372036854775808n, 18446744073709551615n], "8000000000000000ffffffffffffffff", [
      -9223372036854775808n,
      18446744073709551615n,
    ]],
    ["<qQ", [-2n, 258n], "feffffffffffffff0201000000000000", [-2n, 258n]],
    ["!fd", [1.5, -0.1], "3fc00000bfb999999999999a", [1.5, -0.1]],
    ["<fd", [0.10000000149011612, 1e+308], "cdcccc3da0c8eb85f3cce17f", [0.10000000149011612, 1e+308]],
    ["!d", [Infinity], "7ff0000000000000", [Infinity]],
    ["!??", [true, false], "0100", [true, false]],
    ["!3h", [1, -2, 3], "0001fffe0003", [1, -2, 3]],
    ["!4s", [Uint8Array.of(97, 98)], "61620000", [Uint8Array.of(97, 98, 0, 0)]],
    ["!2s", [Uint8Array.of(97, 98, 99, 100)], "6162", [Uint8Array.of(97, 98)]],
    ["!0s", [Uint8Array.of(97, 98, 99)], "", [Uint8Array.of()]],
    ["!s", [Uint8Array.of(120)], "78", [Uint8Array.of(120)]],
    ["!xBxx", [9], "00090000", [9]],
    ["!2x3Bx", [1, 2, 3], "000001020300", [1, 2, 3]],
    ["! I  H\tB\n", [1, 2, 3], "00000001000203", [1, 2, 3]],
    ["!", [], "", []],
    ["!0h", [], "", []],
    ["<BHIQ", [1, 2, 3, 4n], "010200030000000400000000000000", [1, 2, 3, 4n]],
    [">10sH", [Uint8Array.of(48, 49, 50, 51, 52, 53, 54, 55, 56, 57), 1], "303132333435363738390001", [
      Uint8Array.of(48, 49, 50, 51, 52, 53, 54, 55, 56, 57),
      1,
    ]],
    ["!0xB", [1], "01", [1]],
    ["!2?2s2B", [true, true, Uint8Array.of(0, 255), 0, 255], "010100ff00ff", [
      true,
      true,
      Uint8Array.of(0, 255),
      0,
      255,
    ]],
    ["!f", [3.4028234663852886e+38], "7f7fffff", [3.4028234663852886e+38]],
    ["!f", [1e-45], "00000001", [1.401298464324817e-45]],
  ];
for (const [format, values, packed, unpacked] of RECORDED) {
  Deno.test(`pack_struct(${JSON.stringify(format)}) of ${Deno.inspect(values)} and read_struct() are as in CPython`, async () => {
    const data = asyncio.pack_struct(format, ...values);
    assertEquals(data.toHex(), packed);
    const reader = new asyncio.StreamReader();
    reader.feed_data(data);
    reader.feed_data("rest");
    assertEquals(await reader.read_struct(format), unpacked);
    assertEquals(text(await reader.read(10)), "rest");
  });
}

Deno.test("pack_struct() without an order is as with =, and takes strings for s and numbers for q", () => {
  assertEquals(asyncio.pack_struct("BHQ", 1, 2, 3), asyncio.pack_struct("=BHQ", 1, 2, 3n));
  assertEquals(asyncio.pack_struct("!4sQ", "☃", 2 ** 60).toHex(), "e29883001000000000000000");
});

Deno.test("what a literal format gives and takes is a tuple to the type checker", async () => {
  const reader = new asyncio.StreamReader();
  reader.feed_data(asyncio.pack_struct("!H2q 3s?x", 1, 2n, 3, "abc", true));
  const values = await reader.read_struct("!H2q 3s?x");
  const typed: [number, bigint, bigint, Uint8Array<ArrayBuffer>, boolean] = values;
  assertEquals(typed, [1, 2n, 3n, bytes("abc"), true]);
  const refused = [
    // @ts-expect-error a string for a number
    () => asyncio.pack_struct("!H", "1"),
    // @ts-expect-error too few
    () => asyncio.pack_struct("!HH", 1),
    // @ts-expect-error too many
    () => asyncio.pack_struct("!x", 1),
  ];
  for (const call of refused) assertThrows(call, TypeError);
});

Deno.test("struct formats and values that are wrong are refused by name and value", () => {
  const known = "known are b B h H i I l L q Q f d s x ?, after one of < > ! =";
  // deno-lint-ignore no-explicit-any
  const pack = asyncio.pack_struct as any;
  // deno-lint-ignore no-explicit-any
  const reader = new asyncio.StreamReader() as any;
  const cases: [() => unknown, new (...args: never[]) => Error, string][] = [
    [() => pack("!k", 1), RangeError, `Unknown character "k" in "format" "!k": ${known}`],
    [() => pack("@H", 1), RangeError, `Unknown character "@" in "format" "@H": ${known}`],
    [() => pack("H!", 1), RangeError, `Unknown character "!" in "format" "H!": ${known}`],
    [() => pack("3 h", 1), RangeError, `Unknown character " " in "format" "3 h": ${known}`],
    [() => pack("!3"), RangeError, '"format" must not end with a count, got "!3"'],
    [() => pack("99999999999x"), RangeError, '"format" must be of no more than 2147483647 bytes, got "99999999999x"'],
    [() => pack(5), TypeError, '"format" must be a string, got 5'],
    [() => reader.read_struct(null), TypeError, '"format" must be a string, got null'],
    [() => reader.read_struct("!k"), RangeError, `Unknown character "k" in "format" "!k": ${known}`],
    [() => pack("!HH", 1), TypeError, 'pack_struct() takes 2 values for "!HH", got 1'],
    [() => pack("!H", 70000), RangeError, '"values[0]" must be 0 to 65535 for "H", got 70000'],
    [() => pack("!Hb", 1, 200), RangeError, '"values[1]" must be -128 to 127 for "b", got 200'],
    [() => pack("!H", 1.5), RangeError, '"values[0]" must be a whole number for "H", got 1.5'],
    [() => pack("!H", NaN), RangeError, '"values[0]" must be a whole number for "H", got NaN'],
    [() => pack("!H", 1n), TypeError, '"values[0]" must be a number for "H", got 1'],
    [() => pack("!q", "1"), TypeError, '"values[0]" must be a number or a bigint for "q", got "1"'],
    [() => pack("!Q", -1), RangeError, '"values[0]" must be 0 to 18446744073709551615 for "Q", got -1'],
    [() => pack("!f", 1e39), RangeError, '"values[0]" must be in the range of 32-bit floats for "f", got 1e+39'],
    [() => pack("!d", "1"), TypeError, '"values[0]" must be a number for "d", got "1"'],
    [() => pack("!?", 1), TypeError, '"values[0]" must be a boolean for "?", got 1'],
    [() => pack("!2s", 5), TypeError, '"values[0]" must be a Uint8Array or a string, got 5'],
  ];
  for (const [call, error_class, message] of cases) assertThrows(call, error_class, message);
});

Deno.test("StreamReader.read_struct() takes all of it or nothing", async () => {
  const reader = new asyncio.StreamReader();
  const reading = reader.read_struct("!HH");
  reader.feed_data(Uint8Array.of(0, 1, 0));
  await asyncio.sleep(0);
  assert(!reading.done());
  reading.cancel();
  assertEquals(reader.buffered, 3);
  reader.feed_data(Uint8Array.of(2));
  assertEquals(await reader.read_struct("!HH"), [1, 2]);
  reader.feed_data("abc");
  reader.feed_eof();
  const error = await error_of(reader.read_struct("!HH"));
  assert(error instanceof asyncio.IncompleteReadError);
  assertEquals([text(error.partial), error.expected], ["abc", 4]);
});

Deno.test("unpack() of what pack() made gives the values, for any format", () => {
  const item = fc.oneof(
    fc.record({ code: fc.constant("b"), value: fc.integer({ min: -128, max: 127 }) }),
    fc.record({ code: fc.constantFrom("H"), value: fc.integer({ min: 0, max: 65535 }) }),
    fc.record({ code: fc.constantFrom("i", "l"), value: fc.integer() }),
    fc.record({ code: fc.constantFrom("I", "L"), value: fc.integer({ min: 0, max: 2 ** 32 - 1 }) }),
    fc.record({ code: fc.constant("q"), value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) }),
    fc.record({ code: fc.constant("Q"), value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
    fc.record({ code: fc.constant("f"), value: fc.float() }),
    fc.record({ code: fc.constant("d"), value: fc.double() }),
    fc.record({ code: fc.constant("?"), value: fc.boolean() }),
    fc.uint8Array({ maxLength: 12 }).map((value) => ({ code: `${value.length}s`, value })),
    fc.nat(4).map((count) => ({ code: `${count}x`, value: undefined })),
  );
  fc.assert(
    fc.property(fc.constantFrom("<", ">", "!", "=", ""), fc.array(item), (order, items) => {
      const layout = new Layout(order + items.map(({ code }) => code).join(" "));
      const values = items.flatMap(({ value }) => value === undefined ? [] : [value]);
      const data = layout.pack(values);
      assertEquals(data.length, layout.size);
      const back = layout.unpack(data);
      assertEquals(back.length, values.length);
      for (const [i, value] of values.entries()) {
        if (value instanceof Uint8Array) assert(same_bytes(back[i] as Uint8Array, value));
        else assert(Object.is(back[i], value));
      }
    }),
  );
});

Deno.test("what read_struct() gives as bytes is the caller's own", async () => {
  const reader = new asyncio.StreamReader();
  reader.feed_data("abcdabcd");
  const [first] = await reader.read_struct("4s");
  first.fill(0);
  assertEquals(text(await reader.read(10)), "abcd");
});

// Frames

const FRAMES: [data: string, options: asyncio.FrameOptions | undefined, packed: string][] = [
  ["hello", undefined, "0000000568656c6c6f"],
  ["", undefined, "00000000"],
  ["ab", { size: 1 }, "026162"],
  ["ab", { size: 2, little_endian: true }, "02006162"],
  ["ab", { size: 4, little_endian: true }, "020000006162"],
  ["ab", { size: 8 }, "00000000000000026162"],
  ["ab", { size: 8, little_endian: true }, "02000000000000006162"],
  ["☃", { size: 2 }, "0003e29883"],
];
for (const [data, options, packed] of FRAMES) {
  Deno.test(`pack_frame(${JSON.stringify(data)}, ${Deno.inspect(options)}) is what read_frame() reads`, async () => {
    assertEquals(asyncio.pack_frame(data, options).toHex(), packed);
    const reader = new asyncio.StreamReader();
    reader.feed_data(Uint8Array.fromHex(packed));
    reader.feed_eof();
    assertEquals(text((await reader.read_frame(options))!), data);
    assertEquals(await reader.read_frame(options), null);
  });
}

Deno.test("pack_frame() writes lengths of many bytes", () => {
  for (const little_endian of [false, true]) {
    const length = 0x012345;
    const frame = asyncio.pack_frame(new Uint8Array(length), { little_endian });
    assertEquals(new DataView(frame.buffer).getUint32(0, little_endian), length);
  }
});

Deno.test("pack_frame() refuses what it cannot do by name and value", () => {
  // deno-lint-ignore no-explicit-any
  const pack = asyncio.pack_frame as any;
  const cases: [() => unknown, new (...args: never[]) => Error, string][] = [
    [() => pack(5), TypeError, '"data" must be a Uint8Array or a string, got 5'],
    [() => pack("", { size: 3 }), RangeError, '"size" must be 1, 2, 4 or 8, got 3'],
    [() => pack("", { size: "4" }), TypeError, '"size" must be a number, got "4"'],
    [() => pack("", { little_endian: 1 }), TypeError, '"little_endian" must be a boolean, got 1'],
    [() => pack("", { big_endian: true }), TypeError, 'Unknown option "big_endian": known are "size", "little_endian"'],
    [
      () => pack(new Uint8Array(300), { size: 1 }),
      RangeError,
      '"data" must be shorter than 256 bytes for a "size" of 1, got 300',
    ],
  ];
  for (const [call, error_class, message] of cases) assertThrows(call, error_class, message);
  assertEquals(asyncio.pack_frame(new Uint8Array(255), { size: 1 }).length, 256);
});
