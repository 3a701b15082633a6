// Every program in README.md, PORTING.md and COOKBOOK.md runs, within its time, and prints what the document says.

import { assert, assertEquals } from "@std/assert";
import * as asyncio from "../mod.ts";
import {
  blocks_in,
  command_of,
  PYTHON_3_13,
  run_python,
  run_typescript,
  type Sample,
  samples_of,
  TIME_LIMIT_MS,
} from "./_documents.ts";
import { OPENSSL, test_with } from "./_programs.ts";
import { ABSENT } from "./parity/exports.ts";

/** For a program that has ended while another that it started keeps its output open. */
const TEST_LIMIT_MS = 2 * TIME_LIMIT_MS;

const DOCUMENTS = ["README.md", "PORTING.md", "COOKBOOK.md"];

/** The other programs that a program starts, as its permissions tell. */
function needed_by(sample: Sample): Record<string, string | null> {
  return command_of(sample).includes("--allow-run=openssl") ? { openssl: OPENSSL } : {};
}

for (const document of DOCUMENTS) {
  for (const sample of await samples_of(document)) {
    const place = `${document}, line ${sample.line}, "${sample.heading}":`;

    test_with(needed_by(sample), `${place} the program prints what is shown`, async () => {
      const { stdout, stderr, code } = await run_typescript(sample);
      // What `deno test` prints has times in it.
      const printed = command_of(sample)[1] === "test" ? "" : stdout;
      assertEquals({ printed, stderr, code }, { printed: sample.output, stderr: "", code: 0 }, stderr);
    }, TEST_LIMIT_MS);

    const python = sample.python;
    if (python === null) continue;
    const needed = { ...needed_by(sample), "Python 3.13": PYTHON_3_13 };
    test_with(needed, `${place} CPython prints the same for the program above it`, async () => {
      const { stdout, stderr, code } = await run_python(PYTHON_3_13!, python);
      assertEquals({ stdout, stderr, code }, { stdout: sample.output, stderr: "", code: 0 }, stderr);
    }, TEST_LIMIT_MS);
  }
}

Deno.test("the documents have programs, and none that is exempt from running", async () => {
  for (const document of DOCUMENTS) {
    const text = await Deno.readTextFile(document);
    const languages = [...text.matchAll(/^ *```(.+)$/gm)].map(([, language]) => language);
    // `ts ignore` is the program that imports by URL, which url_import_test.ts runs.
    const exempt = languages.filter((language) => !["ts", "python", "text", "sh"].includes(language));
    assertEquals(exempt, document === "README.md" ? ["ts ignore"] : [], document);
    assert(languages.includes("ts"), document);
  }
});

Deno.test("every task that a document's commands name is there, and so is every file", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile("deno.json"));
  for (const document of [...DOCUMENTS, "CONTRIBUTING.md", "examples/README.md", "tests/bench/README.md"]) {
    const text = await Deno.readTextFile(document);
    for (const [, task] of text.matchAll(/\bdeno(?:@\S+)? task ([\w:]+)/g)) {
      assert(task in tasks, `${document} names the task ${task}`);
    }
    const commands = (await blocks_in(document, "sh")).join("");
    for (const [path] of commands.matchAll(/\b(?:examples|tests|lib)\/[\w/]+\.ts\b/g)) {
      assert((await Deno.stat(path)).isFile, `${document} names ${path}`);
    }
  }
});

Deno.test("every link from a document to a file leads to one, and to a heading that is there", async () => {
  for (const document of [...DOCUMENTS, "CONTRIBUTING.md", "examples/README.md", "tests/parity/README.md"]) {
    const text = await Deno.readTextFile(document);
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path, anchor] = target.split("#");
      // Drawn by the measurements, and not before.
      if (path.endsWith("chart.svg")) continue;
      const file = path === "" ? document : new URL(path, `file:///${document}`).pathname.slice(1);
      const info = await Deno.stat(file).catch(() => null);
      assert(info !== null, `${document} links to ${target}`);
      if (anchor !== undefined) assert((await anchors_of(file)).has(anchor), `${document} links to ${target}`);
    }
  }
});

/** The anchors of a document's headings, as they are made of their texts. */
async function anchors_of(document: string): Promise<Set<string>> {
  const headings = (await Deno.readTextFile(document)).matchAll(/^#+ (.*)$/gm);
  const anchor = (text: string) => text.toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-");
  return new Set([...headings].map(([, text]) => anchor(text)));
}

Deno.test("README.md names everything that mod.ts exports", async () => {
  const text = await Deno.readTextFile("README.md");
  assertEquals(Object.keys(asyncio).filter((name) => !new RegExp(`\`${name}\\b`).test(text)), []);
});

Deno.test("PORTING.md says of every name of CPython's that is absent why it is", async () => {
  const text = await Deno.readTextFile("PORTING.md");
  for (const name of ABSENT.flatMap(({ names }) => names).filter((name) => !name.startsWith("_"))) {
    // A method stands there under its own name, or under its class's.
    assert(text.includes(`\`${name}\``) || text.includes(`.${name.split(".").at(-1)}()\``), `PORTING.md lacks ${name}`);
  }
});
