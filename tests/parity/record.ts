/**
 * Records what CPython prints for the Python programs, and the names of its asyncio.
 *
 * Needs a Python 3.13: the one that the environment variable PYTHON names, or else `python3.13`, or else `python3`.
 *
 * @module
 */

import { write_transcripts } from "./transcripts.ts";
import { THEMES } from "./themes.ts";

const WANTED = "3.13";

interface Recording {
  readonly version: string;
  readonly transcripts: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  readonly names: unknown;
}

async function output_of(command: string, args: readonly string[]): Promise<string | null> {
  try {
    const { success, stdout } = await new Deno.Command(command, {
      args: [...args],
      stdin: "null",
      stderr: "inherit",
    }).output();
    return success ? new TextDecoder().decode(stdout) : null;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

async function find_python(): Promise<string> {
  const named = Deno.env.get("PYTHON");
  const candidates = named ? [named] : ["python3.13", "python3"];
  const found: string[] = [];
  for (const command of candidates) {
    const version = (await output_of(command, ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]))?.trim();
    if (version === WANTED) return command;
    found.push(`${command} is ${version ?? "not there"}`);
  }
  throw new Error(
    `Cannot record: a Python ${WANTED} is needed, and ${found.join(", ")}; set PYTHON to the path of one`,
  );
}

async function record(python: string): Promise<Recording> {
  const script = new URL("record.py", import.meta.url).pathname;
  // -B: no folders of compiled files beside the programs.
  const text = await output_of(python, ["-B", script, ...THEMES.map(({ name }) => name)]);
  if (text === null) throw new Error(`Cannot record: ${python} failed`);
  return JSON.parse(text);
}

if (import.meta.main) {
  const python = await find_python();
  const first = await record(python);
  console.log(`Recording with CPython ${first.version}`);
  // What is printed in another order the next time shows nothing.
  const second = await record(python);
  for (const { name } of THEMES) {
    for (const [scenario, lines] of Object.entries(first.transcripts[name])) {
      if (lines.join("\n") !== second.transcripts[name][scenario].join("\n")) {
        throw new Error(`Cannot record "${scenario}" in ${name}: its two runs printed different things`);
      }
    }
  }
  let count = 0;
  for (const { name } of THEMES) {
    await write_transcripts(name, new Map(Object.entries(first.transcripts[name])));
    count += Object.keys(first.transcripts[name]).length;
  }
  await Deno.writeTextFile(
    new URL("cpython_names.json", import.meta.url),
    JSON.stringify(first.names, null, 2) + "\n",
  );
  console.log(`${count} scenarios in ${THEMES.length} themes`);
}
