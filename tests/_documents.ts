// The programs in the documents: finds them in the Markdown, and runs them as a reader would.

import { find_python } from "./parity/python.ts";

/** A program of a document, with the same in Python where that is beside it, and what both print. */
export interface Sample {
  readonly document: string;
  /** The heading above it. */
  readonly heading: string;
  /** The line of its first character. */
  readonly line: number;
  readonly typescript: string;
  readonly python: string | null;
  readonly output: string;
}

export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  /** `null` if it ran out of time. */
  readonly code: number | null;
}

/** Far more than any of them takes, so that one that hangs fails. */
export const TIME_LIMIT_MS = 30_000;

/** A command in the first line of a program, where it needs more than `deno run main.ts`. */
const COMMAND = /^\/\/ (deno (?:run|test) .*)\n/;

interface Block {
  readonly heading: string;
  readonly line: number;
  readonly language: string;
  readonly text: string;
  /** Whether nothing but empty lines is between it and the block before. */
  readonly follows: boolean;
}

function blocks_of(text: string): Block[] {
  const blocks: Block[] = [];
  let heading = "";
  let follows = false;
  let open: { language: string; line: number; lines: string[] } | null = null;
  for (const [index, line] of text.split("\n").entries()) {
    if (open !== null) {
      if (line !== "```") {
        open.lines.push(line);
        continue;
      }
      blocks.push({ ...open, heading, follows, text: open.lines.map((each) => each + "\n").join("") });
      open = null;
      follows = true;
    } else if (line.startsWith("```")) {
      open = { language: line.slice(3), line: index + 2, lines: [] };
    } else if (line.trim() !== "") {
      heading = line.match(/^#+ (.*)/)?.[1] ?? heading;
      follows = false;
    }
  }
  if (open !== null) throw new Error(`A block that begins in line ${open.line} has no end`);
  return blocks;
}

/** The blocks of one language, whatever stands beside them. */
export async function blocks_in(document: string, language: string): Promise<string[]> {
  const text = await Deno.readTextFile(document);
  return blocks_of(text).filter((block) => block.language === language).map((block) => block.text);
}

/**
 * The programs of a document. A block of Python belongs to the program right below it, a block of `text` is what the
 * program right above it prints; one without prints nothing. All other blocks are commands and diagrams.
 */
export async function samples_of(document: string): Promise<Sample[]> {
  const blocks = blocks_of(await Deno.readTextFile(document));
  return blocks.flatMap((block, index) => {
    if (block.language !== "ts") return [];
    const [before, after] = [blocks[index - 1], blocks[index + 1]];
    return {
      document,
      heading: block.heading,
      line: block.line,
      typescript: block.text,
      python: block.follows && before.language === "python" ? before.text : null,
      output: after?.follows && after.language === "text" ? after.text : "",
    };
  });
}

/** The command of a program, with its permissions: `["deno", "run", ..., "main.ts"]`. */
export function command_of(sample: Sample): string[] {
  return (sample.typescript.match(COMMAND)?.[1] ?? "deno run main.ts").split(" ");
}

/** Runs a program in a folder of its own with the command it names, and with no other permission. */
export async function run_typescript(sample: Sample): Promise<Outcome> {
  const [, verb, ...args] = command_of(sample);
  const config = new URL("../deno.json", import.meta.url).pathname;
  const common = ["--quiet", "--no-prompt", "--no-check", `--config=${config}`];
  return await run_in_folder(args.at(-1)!, sample.typescript, Deno.execPath(), [verb, ...common, ...args]);
}

export async function run_python(python: string, program: string): Promise<Outcome> {
  return await run_in_folder("main.py", program, python, ["-B", "main.py"]);
}

async function run_in_folder(file: string, program: string, command: string, args: string[]): Promise<Outcome> {
  const folder = await Deno.makeTempDir({ prefix: "document" });
  try {
    await Deno.writeTextFile(`${folder}/${file}`, program);
    const process = new Deno.Command(command, {
      args,
      cwd: folder,
      env: { NO_COLOR: "1", PYTHONUTF8: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    let is_late = false;
    const timer = setTimeout(() => {
      is_late = true;
      try {
        process.kill("SIGKILL");
      } catch {
        // It has ended; another that it started keeps its output open.
      }
    }, TIME_LIMIT_MS);
    const { stdout, stderr, code } = await process.output();
    clearTimeout(timer);
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { stdout: text(stdout), stderr: text(stderr), code: is_late ? null : code };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A Python 3.13, where there is one. */
export const PYTHON_3_13: string | null = await find_python().catch(() => null);
