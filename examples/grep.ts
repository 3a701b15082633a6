// Prints the lines of standard input that match a regular expression, each as soon as it has come.
//
//   tail -f file | deno run examples/grep.ts [-i] [-v] pattern
//
// The pattern is JavaScript's. `-i` ignores case, `-v` prints the lines that do not match. Like grep, it ends with code 0 if
// a line was printed, 1 if none was, and 2 if the pattern is wrong.

import * as asyncio from "../mod.ts";
import { run_program, UsageError } from "./_command_line.ts";

const USAGE = "deno run examples/grep.ts [-i] [-v] pattern";
const LINE_FEED = 10;

/** Copies the lines that `wanted` takes; tells whether there was one. */
async function grep(wanted: (line: string) => boolean): Promise<boolean> {
  const [reader, writer] = asyncio.stdio({ limit: Infinity });
  let found = false;
  try {
    for await (const line of reader) {
      const has_end = line.at(-1) === LINE_FEED;
      if (!wanted(new TextDecoder().decode(has_end ? line.subarray(0, -1) : line))) continue;
      found = true;
      // The bytes as they came: they need not be UTF-8.
      writer.write(line);
      if (!has_end) writer.write("\n");
      // Whoever reads sees the line now, not when enough of them have come.
      await writer.flush();
    }
  } finally {
    // A read of standard input that is still under way would keep the process alive.
    writer.close();
  }
  return found;
}

async function main(args: readonly string[]): Promise<void> {
  const options = args.filter((arg) => /^-[iv]+$/.test(arg)).join("");
  const rest = args.filter((arg) => !/^-[iv]+$/.test(arg));
  if (rest.length !== 1) {
    throw new UsageError(rest.length === 0 ? "pattern is missing" : "there is more than a pattern");
  }
  const pattern = compiled(rest[0], options.includes("i") ? "ui" : "u");
  const inverted = options.includes("v");
  try {
    Deno.exitCode = await grep((line) => pattern.test(line) !== inverted) ? 0 : 1;
  } catch (error) {
    // As in `grep | head -1`: nobody wants to see more.
    if (!(error instanceof asyncio.BrokenPipeError)) throw error;
  }
}

function compiled(pattern: string, flags: string): RegExp {
  try {
    return new RegExp(pattern, flags);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

if (import.meta.main) await run_program(USAGE, () => asyncio.run(() => main(Deno.args)));
