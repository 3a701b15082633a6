// Holds the public names against CPython 3.13's; see parity/README.md.

import { assertEquals } from "@std/assert";
import * as asyncio from "../mod.ts";
import cpython_names from "./parity/cpython_names.json" with { type: "json" };
import { ABSENT, ADDED, type Group } from "./parity/exports.ts";

const CPYTHON: Readonly<Record<string, readonly string[] | null>> = cpython_names;
const HERE: Readonly<Record<string, unknown>> = asyncio;

/** Attributes that are there only once an instance is made. */
const SAMPLES: Readonly<Record<string, object>> = {
  IncompleteReadError: new asyncio.IncompleteReadError(new Uint8Array(0), 1),
  LimitOverrunError: new asyncio.LimitOverrunError("", 0),
};

const names_of = (groups: readonly Group[]) => groups.flatMap(({ names }) => names).toSorted();

/** The members of CPython's class that the class of the same name lacks here. */
function missing_members(class_name: string): string[] {
  const here = SAMPLES[class_name] ?? (HERE[class_name] as { readonly prototype: object }).prototype;
  return CPYTHON[class_name]!.filter((member) => !(member in here)).map((member) => `${class_name}.${member}`);
}

Deno.test("every name of CPython's asyncio is exported or has a reason why it is not", () => {
  const absent = Object.keys(CPYTHON).filter((name) => !(name in HERE));
  const incomplete = Object.keys(CPYTHON).filter((name) => CPYTHON[name] !== null && name in HERE);
  assertEquals([...absent, ...incomplete.flatMap(missing_members)].toSorted(), names_of(ABSENT));
});

Deno.test("every exported value that CPython's asyncio lacks has an origin", () => {
  assertEquals(Object.keys(HERE).filter((name) => !(name in CPYTHON)).toSorted(), names_of(ADDED));
});

Deno.test("every reason says whether a name comes later or has no meaning on Deno", () => {
  for (const { why } of ABSENT) assertEquals(/^(?:not there yet|no meaning on Deno): ./.test(why), true, why);
});
