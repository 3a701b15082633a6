/**
 * What CPython did in the random programs, as it is kept in `recorded/`: a line with the hash of the transcript for each
 * program, in a file for each kind, and some whole transcripts in `examples.txt`.
 *
 * @module
 */

import { make_program } from "./generator.ts";
import type { Kind, Program } from "./program.ts";

/** Programs of each kind. */
const PROGRAMS = 1200;

/** How many of each kind have their whole transcript in `examples.txt`. */
export const EXAMPLES = 3;

function file_of(name: string): URL {
  return new URL(`recorded/${name}.txt`, import.meta.url);
}

/** The programs of a kind, by their numbers. */
export function programs_of(kind: Kind): Program[] {
  return Array.from({ length: PROGRAMS }, (_, seed) => make_program(kind, seed));
}

/** FNV-1a over the code units: short, and enough to tell an accident. */
export function hash_of(lines: readonly string[]): string {
  const text = lines.join("\n");
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/** Tells whether the programs are those that were recorded. */
function header_of(kind: Kind, programs: readonly Program[]): string {
  return `${kind}: ${programs.length} programs ${hash_of(programs.map((program) => JSON.stringify(program)))}`;
}

/** Writes the hashes of a kind's transcripts. */
export async function write_hashes(kind: Kind, programs: readonly Program[], hashes: readonly string[]): Promise<void> {
  const lines = hashes.map((hash, seed) => `${seed} ${hash}`);
  await Deno.writeTextFile(file_of(kind), [header_of(kind, programs), ...lines].join("\n") + "\n");
}

/** Reads them; throws if they are of other programs. */
export function read_hashes(kind: Kind, programs: readonly Program[]): string[] {
  const [header, ...lines] = Deno.readTextFileSync(file_of(kind)).trimEnd().split("\n");
  if (header !== header_of(kind, programs)) {
    throw new Error(`The programs are not those that were recorded: run "deno task parity:record"`);
  }
  return lines.map((line) => line.split(" ")[1]);
}

/** Writes whole transcripts under names. */
export async function write_examples(examples: ReadonlyMap<string, readonly string[]>): Promise<void> {
  const sections = Array.from(examples, ([name, lines]) => [`## ${name}`, ...lines].join("\n"));
  await Deno.writeTextFile(file_of("examples"), sections.join("\n\n") + "\n");
}

/** Reads the whole transcripts. */
export function read_examples(): Map<string, string> {
  const sections = Deno.readTextFileSync(file_of("examples")).trimEnd().split(/(?:^|\n\n)## /).slice(1);
  return new Map(sections.map((section) => {
    const end = section.indexOf("\n");
    return [section.slice(0, end), section.slice(end + 1)];
  }));
}
