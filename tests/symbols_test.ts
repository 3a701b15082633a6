// The documentation of what mod.ts exports, as `deno doc` sees it.

import { assert, assertEquals } from "@std/assert";

interface JsDoc {
  readonly doc?: string;
  readonly tags?: readonly { readonly kind: string; readonly doc?: string }[];
}

interface Member {
  readonly name: string;
  readonly jsDoc?: JsDoc;
  readonly accessibility?: string;
}

interface Declaration {
  readonly kind: string;
  readonly jsDoc?: JsDoc;
  readonly def?: {
    readonly methods?: readonly Member[];
    readonly properties?: readonly Member[];
    readonly elements?: readonly Exported[];
  };
}

/** All declarations of one name: the overloads of a function, or a single one. */
interface Exported {
  readonly name: string;
  readonly declarations: readonly Declaration[];
}

async function exported(): Promise<Exported[]> {
  const command = new Deno.Command(Deno.execPath(), { args: ["doc", "--json", "mod.ts"], stderr: "null" });
  const { stdout } = await command.output();
  const { nodes } = JSON.parse(new TextDecoder().decode(stdout)) as { nodes: Record<string, { symbols: Exported[] }> };
  const inside = (symbol: Exported): Exported[] => [
    symbol,
    ...symbol.declarations.flatMap(({ def }) => def?.elements ?? [])
      .map((each) => ({ ...each, name: `${symbol.name}.${each.name}` })),
  ];
  return Object.values(nodes).flatMap(({ symbols }) => symbols).flatMap(inside);
}

const SYMBOLS = await exported();

const is_told = (jsDoc?: JsDoc) => (jsDoc?.doc ?? "").trim() !== "";
/** Examples that `deno test --doc` runs. */
const has_example = (jsDoc?: JsDoc) =>
  (jsDoc?.tags ?? []).some(({ kind, doc }) => kind === "example" && /```ts\n/.test(doc ?? ""));

/** Error classes that are Deno's own, which are constants here. */
const is_class = (name: string, kind: string) => kind === "class" || kind === "variable" && name.endsWith("Error");

Deno.test("every exported symbol has a description", () => {
  assert(SYMBOLS.length > 150);
  const lacking = SYMBOLS.filter(({ declarations }) => !declarations.some(({ jsDoc }) => is_told(jsDoc)));
  assertEquals(lacking.map(({ name }) => name), []);
});

Deno.test("every exported function and class has an example that runs", () => {
  const runs = SYMBOLS.filter(({ name, declarations }) =>
    declarations.some(({ kind }) => kind === "function" || is_class(name, kind))
  );
  assert(runs.length > 80);
  const lacking = runs.filter(({ declarations }) => !declarations.some(({ jsDoc }) => has_example(jsDoc)));
  assertEquals(lacking.map(({ name }) => name), []);
});

Deno.test("every public method and property of an exported class has a description", () => {
  const lacking: string[] = [];
  for (const { name, declarations } of SYMBOLS) {
    for (const { kind, def } of declarations) {
      if (kind !== "class") continue;
      const members = [...def?.methods ?? [], ...def?.properties ?? []]
        // `name` of an error is its class's, and those in brackets are the language's own.
        .filter((member) => !/^(_|\[|name$)/.test(member.name) && member.accessibility !== "private");
      const told = new Set(members.filter(({ jsDoc }) => is_told(jsDoc)).map((member) => member.name));
      lacking.push(...members.filter((member) => !told.has(member.name)).map((member) => `${name}.${member.name}`));
    }
  }
  assertEquals(lacking, []);
});
