// Every example of the documentation runs to its end and leaves nothing open. `deno check --doc` checks their types.
//
// `deno test --doc` starts a runtime for each example, which takes ten times as long as to run it; here all share one.

import { assert, assertEquals } from "@std/assert";
import { run_program } from "./_helpers.ts";

const ROOT = new URL("../", import.meta.url);
const LIBRARY = new URL("mod.ts", ROOT).href;
const IMPORT = 'import * as asyncio from "@asyncio/deno";';

interface Example {
  readonly name: string;
  readonly code: string;
}

/** The examples of a file: blocks of TypeScript in its text, or in its doc comments, unless they say `ignore`. */
function examples_of(path: string): Example[] {
  const examples: Example[] = [];
  let code: string[] | null = null;
  let begins = 0;
  Deno.readTextFileSync(new URL(path, ROOT)).split("\n").forEach((line, at) => {
    const text = path.endsWith(".md") ? line : line.replace(/^ *\* ?/, "");
    if (code === null) {
      if (text !== "```ts" || text === line && !path.endsWith(".md")) return;
      [code, begins] = [[], at + 2];
    } else if (text === "```") {
      examples.push({ name: `${path}:${begins}`, code: code.join("\n") });
      code = null;
    } else {
      code.push(text);
    }
  });
  assert(code === null, `An example of ${path} does not end`);
  return examples;
}

const rooms = Array.from(Deno.readDirSync(new URL("lib", ROOT)), ({ name }) => `lib/${name}`).sort();
const examples = ["README.md", "mod.ts", ...rooms].flatMap(examples_of);

Deno.test("the documentation has examples", () => {
  const blocks = ["README.md", "mod.ts", ...rooms]
    .map((path) => Deno.readTextFileSync(new URL(path, ROOT)).match(/^ *(\* )?```ts$/gm)?.length ?? 0);
  assert(examples.length > 100 && examples.length === blocks.reduce((sum, count) => sum + count));
});

for (const { name, code } of examples) {
  Deno.test(`the example of ${name} runs to its end`, async () => {
    // This process has to keep its standard input.
    if (code.includes("asyncio.stdio()")) {
      const { code: exit_code, stderr } = await run_program(code.replace(IMPORT, ""));
      return assertEquals([exit_code, stderr], [0, ""]);
    }
    const file = await Deno.makeTempFile({ prefix: name.replaceAll(/\W/g, "_"), suffix: ".ts" });
    try {
      await Deno.writeTextFile(file, code.replaceAll('"@asyncio/deno"', JSON.stringify(LIBRARY)));
      await import(`file://${file}`);
    } finally {
      await Deno.remove(file);
    }
  });
}
