// In random programs each lock and queue does, step by step, what CPython 3.13 did; see ../README.md.

import { assertEquals } from "@std/assert";
import { make_program } from "./generator.ts";
import { transcript_of } from "./interpreter.ts";
import { describe, KINDS, type Program } from "./program.ts";
import { EXAMPLES, hash_of, programs_of, read_examples, read_hashes } from "./recordings.ts";

/** A program takes some tenths of a millisecond. After this many, its tasks wake each other for ever. */
const TOO_LONG = 20_000;

/** How many programs that went wrong are told in full. */
const TOLD = 3;

/** What happens when a program runs; `null` if it does not end. */
async function transcript_in_time(program: Program): Promise<readonly string[] | null> {
  const { promise, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(() => resolve(null), TOO_LONG);
  try {
    return await Promise.race([transcript_of(program), promise]);
  } catch (error) {
    return [`It fails: ${error}`];
  } finally {
    clearTimeout(timer);
  }
}

for (const kind of KINDS) {
  const programs = programs_of(kind);
  Deno.test(`programs: ${kind} does in ${programs.length} random programs what it did in CPython`, async () => {
    const recorded = read_hashes(kind, programs);
    const wrong: string[] = [];
    for (const [seed, program] of programs.entries()) {
      const lines = await transcript_in_time(program);
      if (lines !== null && hash_of(lines) === recorded[seed]) continue;
      const happened = lines === null ? "It does not end." : `What happens here:\n${lines.join("\n")}`;
      wrong.push(`${kind} ${seed}: ${describe(program)}\n\n${happened}`);
      if (lines === null) break;
    }
    if (wrong.length === 0) return;
    throw new Error(
      `${wrong.length} programs went another way than in CPython; ` +
        `"deno task parity:record ${kind} <number>" shows where\n\n${wrong.slice(0, TOLD).join("\n\n")}`,
    );
  });
}

Deno.test("programs: whole transcripts are those of CPython", async () => {
  const recorded = read_examples();
  assertEquals(recorded.size, KINDS.length * EXAMPLES);
  for (const kind of KINDS) {
    for (let seed = 0; seed < EXAMPLES; seed++) {
      const lines = await transcript_of(make_program(kind, seed));
      assertEquals(lines.join("\n"), recorded.get(`${kind} ${seed}`));
    }
  }
});
