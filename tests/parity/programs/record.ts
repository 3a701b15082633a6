/**
 * Has CPython run the random programs; for `deno task parity:record`.
 *
 * @module
 */

import { run_script } from "../python.ts";
import { make_program } from "./generator.ts";
import { transcript_of } from "./interpreter.ts";
import { describe, type Kind, KINDS, type Program } from "./program.ts";
import { EXAMPLES, hash_of, programs_of, write_examples, write_hashes } from "./recordings.ts";

type Transcript = readonly string[];

async function cpython_transcripts(python: string, programs: readonly Program[]): Promise<readonly Transcript[]> {
  return await run_script(python, "programs/interpreter.py", [], JSON.stringify(programs)) as Transcript[];
}

/** Records all programs; gives their number. */
export async function record_programs(python: string): Promise<number> {
  const examples = new Map<string, Transcript>();
  let count = 0;
  for (const kind of KINDS) {
    const programs = programs_of(kind);
    const transcripts = await cpython_transcripts(python, programs);
    const hashes = transcripts.map(hash_of);
    // What happens in another order the next time shows nothing.
    const again = (await cpython_transcripts(python, programs)).map(hash_of);
    const unsteady = hashes.findIndex((hash, seed) => hash !== again[seed]);
    if (unsteady >= 0) throw new Error(`Cannot record ${kind} ${unsteady}: its two runs went different ways`);
    await write_hashes(kind, programs, hashes);
    for (let seed = 0; seed < EXAMPLES; seed++) examples.set(`${kind} ${seed}`, transcripts[seed]);
    count += programs.length;
  }
  await write_examples(examples);
  return count;
}

/** What happens in CPython in one program, and, where it differs, here. */
export async function compare_program(python: string, kind: string, seed: number): Promise<string> {
  if (!(KINDS as readonly string[]).includes(kind)) {
    throw new RangeError(`There is no kind "${kind}": ${KINDS.join(", ")}`);
  }
  if (!Number.isInteger(seed)) throw new RangeError(`A program has a whole number, got ${seed}`);
  const program = make_program(kind as Kind, seed);
  const [theirs] = await cpython_transcripts(python, [program]);
  const ours = await transcript_of(program);
  const lines = [describe(program), ""];
  for (let i = 0; i < Math.max(theirs.length, ours.length); i++) {
    if (theirs[i] === ours[i]) lines.push(`         ${ours[i]}`);
    else lines.push(`CPython: ${theirs[i] ?? ""}`, `here:    ${ours[i] ?? ""}`);
  }
  return lines.join("\n");
}
