// Who is compared with whom, and what of it is there.
import { output, works } from "./processes.ts";

/** One of the programs that do the same job. */
export interface Side {
  readonly key: string;
  /** The heading of its column. */
  readonly label: string;
  /** With the version, for the head of the report. */
  readonly about: string;
  /** The command of its server; SERVICE TRANSPORT and files come behind it. */
  readonly server?: readonly string[];
  /** The services that its server has. @default all */
  readonly services?: readonly string[];
  /** The command that measures a case of tasks; CASE COUNT SECONDS come behind it. */
  readonly tasks?: readonly string[];
  /** An empty program, and one that only imports what asyncio needs. */
  readonly startup?: { readonly empty: readonly string[]; readonly full: readonly string[] };
}

/** The sides of this machine, and what is missing. */
export interface Peers {
  readonly sides: readonly Side[];
  /** The command of the load over TCP and unix sockets. */
  readonly load: readonly string[];
  /** The command of the load over TLS. */
  readonly tls_load: readonly string[];
  readonly skipped: readonly string[];
}

/** The columns of the tables, in their order. */
export const LABELS: Readonly<Record<string, string>> = {
  asyncio: "this",
  one_file: "this mod.js",
  readinto: "this readinto",
  protocols: "this prot.",
  bare: "bare Deno",
  node_deno: "Deno node:net",
  node: "Node",
  cpython: "CPython",
  cpython_protocols: "CPython prot.",
  uvloop: "uvloop",
  uvloop_protocols: "uvloop prot.",
  std: "@std",
};

function path(file: string): string {
  return new URL(file, import.meta.url).pathname;
}

function deno(file: string): readonly string[] {
  return [Deno.execPath(), "run", "--quiet", "--allow-all", path(file)];
}

function deno_sides(): Side[] {
  const version = `Deno ${Deno.version.deno}`;
  const script = (file: string) => [Deno.execPath(), "run", "--quiet", "--no-config", path(file)];
  return [
    {
      key: "asyncio",
      label: LABELS.asyncio,
      about: version,
      server: [...deno("server_asyncio.ts"), "read"],
      tasks: deno("tasks.ts"),
      startup: { empty: script("startup_empty.ts"), full: script("../../mod.ts") },
    },
    {
      key: "one_file",
      label: LABELS.one_file,
      about: version,
      startup: { empty: script("startup_empty.ts"), full: script("../../mod.js") },
    },
    {
      key: "readinto",
      label: LABELS.readinto,
      about: version,
      server: [...deno("server_asyncio.ts"), "readinto"],
      services: ["echo", "sink"],
    },
    {
      key: "protocols",
      label: LABELS.protocols,
      about: version,
      server: deno("server_protocols.ts"),
      services: ["echo", "lines"],
    },
    {
      key: "bare",
      label: LABELS.bare,
      about: version,
      server: deno("server_bare.ts"),
      tasks: deno("tasks_bare.ts"),
    },
    { key: "node_deno", label: LABELS.node_deno, about: version, server: deno("server_node.mjs") },
    {
      key: "std",
      label: LABELS.std,
      about: import.meta.resolve("@std/async").match(/deno-std[@/][\d.]+/)?.[0].replace("/", "@") ?? "std",
      server: deno("server_std.ts"),
      services: ["lines"],
      tasks: deno("tasks_std.ts"),
    },
  ];
}

function python_sides(kind: "cpython" | "uvloop", program: string, about: string): Side[] {
  const loop = kind === "cpython" ? "asyncio" : "uvloop";
  return [
    {
      key: kind,
      label: LABELS[kind],
      about,
      server: [program, path("server.py"), loop, "streams"],
      tasks: [program, path("tasks.py"), loop],
      startup: { empty: [program, "-c", "pass"], full: [program, "-c", `import asyncio, ${loop}`] },
    },
    {
      key: `${kind}_protocols`,
      label: LABELS[`${kind}_protocols`],
      about,
      server: [program, path("server.py"), loop, "protocols"],
    },
  ];
}

/** The first of the Pythons that can do that. */
async function find_python(statement: string, ...more: readonly string[]): Promise<string | null> {
  for (const program of [Deno.env.get("PYTHON"), "python3.13", "python3", ...more]) {
    if (program && await works([program], "-c", statement)) return program;
  }
  return null;
}

async function compiled_load(folder: string): Promise<readonly string[] | null> {
  const program = `${folder}/load`;
  return await works(["cc"], "-O2", "-o", program, path("load.c")) ? [program] : null;
}

/** Looks for the sides whose key `wanted` matches; the own side is always there. `folder` is for a compiled program. */
export async function find_peers(wanted: RegExp, folder: string): Promise<Peers> {
  const skipped: string[] = [];
  const is_wanted = (key: string) => key === "asyncio" || wanted.test(key);
  const sides = deno_sides();
  const [cpython, uvloop, node, load] = await Promise.all([
    is_wanted("cpython") ? find_python("import asyncio; asyncio.timeout") : null,
    // Debian's package of uvloop goes with Debian's Python.
    is_wanted("uvloop") ? find_python("import uvloop, asyncio; asyncio.timeout", "/usr/bin/python3") : null,
    // Where there is no Node, Deno takes the name for itself.
    is_wanted("node") ? works(["node"], "-e", "process.exit(process.versions.deno ? 1 : 0)") : false,
    compiled_load(folder),
  ]);
  if (node) {
    const about = `Node ${(await output(20, ["node"], "--version")).slice(1)}`;
    sides.push({ key: "node", label: LABELS.node, about, server: ["node", path("server_node.mjs")] });
  } else if (is_wanted("node")) skipped.push("Node: not there");
  if (cpython !== null) {
    const version = await output(20, [cpython], "-c", "import platform; print(platform.python_version())");
    sides.push(...python_sides("cpython", cpython, `CPython ${version}`));
  } else if (is_wanted("cpython")) {
    skipped.push("CPython 3.11 or later: not there (the environment variable PYTHON may name one)");
  }
  if (uvloop !== null) {
    const statement = "import platform, uvloop; print(uvloop.__version__, 'on CPython', platform.python_version())";
    sides.push(...python_sides("uvloop", uvloop, `uvloop ${await output(20, [uvloop], "-c", statement)}`));
  } else if (is_wanted("uvloop")) skipped.push("uvloop: not there (on Debian: apt install python3-uvloop)");
  if (load === null) skipped.push("cc: not there, so the load comes from Deno and may be the bottleneck");
  const order = Object.keys(LABELS);
  return {
    sides: sides.filter((side) => is_wanted(side.key)).sort((a, b) => order.indexOf(a.key) - order.indexOf(b.key)),
    load: load ?? deno("load.ts"),
    tls_load: deno("load.ts"),
    skipped,
  };
}
