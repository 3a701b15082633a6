import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ByteBuffer } from "../lib/_byte_buffer.ts";
import { bytes, joined, pattern, same_bytes, text } from "./_streams.ts";

Deno.test("ByteBuffer gives bytes back in the order in which they came", () => {
  const buffer = new ByteBuffer();
  buffer.append(bytes("abc"));
  buffer.append(bytes("def"));
  assertEquals(text(buffer.take(4)), "abcd");
  buffer.append(bytes("ghi"));
  assertEquals(text(buffer.take(5)), "efghi");
  assertEquals(buffer.length, 0);
});

Deno.test("ByteBuffer.take() of everything gives an array that later bytes do not change", () => {
  const buffer = new ByteBuffer();
  const data = pattern(64 * 1024);
  buffer.append(data);
  const taken = buffer.take(data.length);
  buffer.append(new Uint8Array(64 * 1024));
  assert(same_bytes(taken, data));
});

Deno.test("ByteBuffer keeps bytes that are added while its free end is lent", () => {
  const buffer = new ByteBuffer();
  buffer.append(bytes("ab"));
  const lent = buffer.lend(4096);
  buffer.append(bytes("cd"));
  lent.set(bytes("ef"));
  buffer.commit(lent, 2);
  assertEquals(text(buffer.take(6)), "abcdef");
});

Deno.test("ByteBuffer.shrink() frees the array, but not one that is lent or has bytes", () => {
  const buffer = new ByteBuffer();
  buffer.append(pattern(1000));
  buffer.shrink();
  assert(buffer.capacity >= 1000);
  buffer.skip(1000);
  const lent = buffer.lend(10);
  buffer.shrink();
  assert(buffer.capacity > 0);
  buffer.commit(lent, 0);
  buffer.shrink();
  assertEquals(buffer.capacity, 0);
});

Deno.test("ByteBuffer.find() does not see bytes beyond its end", () => {
  const buffer = new ByteBuffer();
  buffer.append(bytes("ab\n"));
  buffer.skip(3);
  buffer.append(bytes("x"));
  assertEquals(buffer.find([bytes("\n")], 0), null);
});

Deno.test("ByteBuffer.prepend() puts bytes in front, and writes over none that were handed out", () => {
  const buffer = new ByteBuffer();
  buffer.append(pattern(4096));
  const taken = buffer.take(2000);
  buffer.prepend(bytes("cd"));
  buffer.prepend(bytes("ab"));
  assert(same_bytes(taken, pattern(4096).subarray(0, 2000)));
  assertEquals(text(buffer.take(4)), "abcd");
  assert(same_bytes(buffer.take(2096), pattern(4096).subarray(2000)));
});

Deno.test("ByteBuffer.abandon() has nothing to do any more with an array that is lent", () => {
  const buffer = new ByteBuffer();
  const lent = buffer.lend(100);
  buffer.abandon();
  buffer.append(bytes("abc"));
  lent.fill(0);
  assertEquals(text(buffer.take(3)), "abc");
});

Deno.test("ByteBuffer.find() looks no further than it is told", () => {
  const buffer = new ByteBuffer();
  buffer.append(bytes("abc\n"));
  assertEquals(buffer.find([bytes("\n")], 0, 3), null);
  assertEquals(buffer.find([bytes("\n")], 0, 4), { start: 3, end: 4 });
});

const FIND_CASES: [content: string, separators: string[], from: number, found: [number, number] | null][] = [
  ["abc", ["b"], 0, [1, 2]],
  ["abc", ["b"], 2, null],
  ["", ["b"], 0, null],
  ["ab", ["abc"], 0, null],
  ["aaab", ["aab"], 0, [1, 4]],
  ["xaxb", ["xb"], 0, [2, 4]],
  ["abc", ["bc", "b"], 0, [1, 2]],
  ["abc", ["abc", "c", "bc"], 0, [2, 3]],
  ["ab--cd", ["cd", "b-"], 0, [1, 3]],
  ["ab", ["b", "a"], 0, [0, 1]],
];
for (const [content, separators, from, found] of FIND_CASES) {
  const shown = found === null ? "nothing" : `${found[0]} to ${found[1]}`;
  Deno.test(`ByteBuffer.find() of ${JSON.stringify(separators)} in "${content}" from ${from} gives ${shown}`, () => {
    const buffer = new ByteBuffer();
    buffer.append(bytes(`??${content}`));
    buffer.skip(2);
    const match = buffer.find(separators.map(bytes), from);
    assertEquals(match === null ? null : [match.start, match.end], found);
  });
}

/** The buffer's contents as one plain array. */
class Model {
  content: Uint8Array = new Uint8Array(0);
  lent: Uint8Array<ArrayBuffer> | null = null;

  find(separators: readonly Uint8Array[], from: number): [number, number] | null {
    let best: [number, number] | null = null;
    for (let end = from + 1; end <= this.content.length && best === null; end++) {
      for (const separator of separators) {
        const start = end - separator.length;
        if (start < from || !same_bytes(this.content.slice(start, end), separator)) continue;
        if (best === null || start > best[0]) best = [start, end];
      }
    }
    return best;
  }
}

Deno.test("ByteBuffer does what a plain array would, in any order of calls", () => {
  const few = fc.uint8Array({ max: 2, maxLength: 40 });
  const action = fc.oneof(
    fc.record({ kind: fc.constant("append" as const), data: few }),
    fc.record({ kind: fc.constant("append_many" as const), size: fc.integer({ min: 0, max: 40_000 }) }),
    fc.record({ kind: fc.constant("take" as const), share: fc.integer({ min: 0, max: 4 }) }),
    fc.record({ kind: fc.constant("skip" as const), share: fc.integer({ min: 0, max: 4 }) }),
    fc.record({ kind: fc.constant("lend" as const), size: fc.integer({ min: 1, max: 5000 }) }),
    fc.record({ kind: fc.constant("commit" as const), data: few }),
    fc.record({ kind: fc.constant("shrink" as const) }),
    fc.record({ kind: fc.constant("prepend" as const), data: few }),
    fc.record({ kind: fc.constant("prepend" as const), data: fc.constant(pattern(3000)) }),
    fc.record({
      kind: fc.constant("cut" as const),
      from: fc.integer({ min: 0, max: 4 }),
      to: fc.integer({ min: 0, max: 4 }),
    }),
    fc.record({ kind: fc.constant("peek" as const), share: fc.integer({ min: 0, max: 4 }) }),
    fc.record({
      kind: fc.constant("find" as const),
      separators: fc.array(fc.uint8Array({ max: 2, minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 3 }),
      from: fc.integer({ min: 0, max: 30 }),
    }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const buffer = new ByteBuffer();
      const model = new Model();
      const taken: [Uint8Array, Uint8Array][] = [];
      for (const step of actions) {
        if (step.kind === "append" || step.kind === "append_many") {
          const data = step.kind === "append" ? step.data : pattern(step.size);
          buffer.append(data);
          model.content = joined([model.content, data]);
        } else if (step.kind === "take" || step.kind === "skip") {
          const count = Math.floor((model.content.length * step.share) / 4);
          if (step.kind === "skip") buffer.skip(count);
          else taken.push([buffer.take(count), model.content.slice(0, count)]);
          model.content = model.content.slice(count);
        } else if (step.kind === "prepend") {
          buffer.prepend(step.data);
          model.content = joined([step.data, model.content]);
        } else if (step.kind === "cut") {
          const [from, to] = [Math.min(step.from, step.to), Math.max(step.from, step.to)].map((share) =>
            Math.floor((model.content.length * share) / 4)
          );
          buffer.cut(from, to);
          model.content = joined([model.content.slice(0, from), model.content.slice(to)]);
        } else if (step.kind === "peek") {
          const count = Math.floor((model.content.length * step.share) / 4);
          taken.push([buffer.peek(count), model.content.slice(0, count)]);
          if (count > 0) assertEquals(buffer.byte_at(count - 1), model.content[count - 1]);
        } else if (step.kind === "lend") {
          if (model.lent !== null) continue;
          model.lent = buffer.lend(step.size);
          assert(model.lent.length >= step.size);
        } else if (step.kind === "commit") {
          if (model.lent === null) continue;
          const data = step.data.subarray(0, model.lent.length);
          model.lent.set(data);
          buffer.commit(model.lent, data.length);
          model.lent = null;
          model.content = joined([model.content, data]);
        } else if (step.kind === "shrink") {
          buffer.shrink();
        } else {
          const from = Math.min(step.from, model.content.length);
          const match = buffer.find(step.separators, from);
          const expected = model.content.length > 200 ? undefined : model.find(step.separators, from);
          if (expected !== undefined) assertEquals(match && [match.start, match.end], expected);
        }
        assertEquals(buffer.length, model.content.length);
      }
      if (model.lent !== null) buffer.commit(model.lent, 0);
      taken.push([buffer.take(buffer.length), model.content]);
      for (const [got, expected] of taken) assert(same_bytes(got, expected));
    }),
    { numRuns: 1000 },
  );
});
