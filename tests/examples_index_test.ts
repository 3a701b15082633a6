// Holds the folder of examples against what the tests run, and against its README.

import { assert, assertEquals } from "@std/assert";

/** The programs, as paths below `examples/`; files that begin with `_` are what they share. */
const PROGRAMS = [...names_in("examples"), ...names_in("examples/article").map((name) => `article/${name}`)].toSorted();

function names_in(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => /^[^_].*\.ts$/.test(name));
}

Deno.test("every program of the examples is run as a process by a test that names it", async () => {
  const run = new Set<string>();
  for (const name of names_in("tests")) {
    const code = await Deno.readTextFile(`tests/${name}`);
    const calls = /\b(?:new Program|output_of)\(\s*"([\w/]+\.ts)"|\bnew URL\("\.\.\/examples\/([\w/]+\.ts)"/g;
    for (const [, program, file] of code.matchAll(calls)) run.add(program ?? file);
  }
  assert(PROGRAMS.length > 20);
  assertEquals(PROGRAMS.filter((path) => !run.has(path)), []);
});

Deno.test("examples/README.md has every program, with the commands at its head", async () => {
  const rows = (await Deno.readTextFile("examples/README.md")).matchAll(
    /^\| \[`([^`]+)`\]\(\1\) +\| .*? \| (.*?) +\|$/gm,
  );
  const told = Object.fromEntries(
    [...rows].map(([, path, cell]) => [path, cell.replaceAll("\\|", "|").slice(1, -1).split("`<br>`")]),
  );
  const expected: Record<string, string[]> = {};
  for (const path of PROGRAMS) {
    const [head] = (await Deno.readTextFile(`examples/${path}`)).match(/^(?:\/\/.*\n)+/)!;
    const commands = [...head.matchAll(/^\/\/ {3}(.*deno run .*)$/gm)].map(([, command]) => command);
    // A file whose head shows another program's command as well shows its own first.
    expected[path] = commands.filter((command) => command.includes(`examples/${path}`));
    assert(expected[path].length > 0, path);
  }
  assertEquals(told, expected);
});
