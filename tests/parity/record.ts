/**
 * Records what CPython prints for the Python programs, the names of its asyncio, and what it does in random programs.
 *
 * Needs a Python 3.13: the one that the environment variable PYTHON names, or else `python3.13`, or else `python3`. With
 * a kind and a number as arguments, it records nothing, and shows what CPython does in that random program.
 *
 * @module
 */

import { compare_program, record_programs } from "./programs/record.ts";
import { find_python, run_script } from "./python.ts";
import { write_transcripts } from "./transcripts.ts";
import { THEMES } from "./themes.ts";

interface Recording {
  readonly version: string;
  readonly transcripts: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  readonly names: unknown;
}

async function record(python: string): Promise<Recording> {
  return await run_script(python, "record.py", THEMES.map(({ name }) => name)) as Recording;
}

async function record_scenarios(python: string): Promise<void> {
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

if (import.meta.main) {
  const python = await find_python();
  if (Deno.args.length > 0) {
    console.log(await compare_program(python, Deno.args[0], Number(Deno.args[1])));
  } else {
    await record_scenarios(python);
    console.log(`${await record_programs(python)} random programs`);
  }
}
