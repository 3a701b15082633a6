// Each scenario prints here what its Python twin printed on CPython 3.13; see README.md.

import { assert, assertEquals } from "@std/assert";
import * as asyncio from "../../mod.ts";
import { run_virtual } from "../_helpers.ts";
import { type Print, show } from "./helpers.ts";
import { type Theme, THEMES } from "./themes.ts";
import { read_transcripts } from "./transcripts.ts";

async function transcript_of(scenario: (print: Print) => unknown, { runs }: Theme): Promise<string[]> {
  const lines: string[] = [];
  const print: Print = (...values) => void lines.push(values.map((value) => show(value)).join(" "));
  const main = async () => void await scenario(print);
  if (runs === "outside of a loop") await main();
  else if (runs === "on the machine's clock") await asyncio.run(main);
  else await run_virtual(main);
  return lines;
}

for (const theme of THEMES) {
  const recorded = read_transcripts(theme.name);
  Deno.test(`${theme.name}: every scenario has a twin in the other language and a transcript`, () => {
    const python = Deno.readTextFileSync(new URL(`scenarios/${theme.name}.py`, import.meta.url));
    const python_names = Array.from(python.matchAll(/^(?:async )?def ([a-z]\w*)/gm), ([, name]) => name);
    assertEquals(Object.keys(theme.scenarios).sort(), python_names.sort());
    assertEquals([...recorded.keys()].sort(), python_names);
  });

  for (const [name, lines] of recorded) {
    Deno.test(`${theme.name}: ${name.replaceAll("_", " ")}`, async () => {
      const scenario = theme.scenarios[name];
      assert(scenario !== undefined, "It has no TypeScript twin");
      assertEquals((await transcript_of(scenario, theme)).join("\n"), lines.join("\n"));
    });
  }
}
