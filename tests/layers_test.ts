import { assertEquals } from "@std/assert";

/** The rooms from the ground up: a file may import, at run time, only from the lines above its own. */
const LEVELS: readonly (readonly string[])[] = [
  [
    "constants",
    "exceptions",
    "_byte_buffer",
    "_random",
    "_send_queue",
    "_read_size",
    "_later",
    "_deno_context",
    "_tls_engine",
    "_deno",
    "_deno_thread",
  ],
  ["_context"],
  ["_chained", "_outbox"],
  ["_scopes", "_stores", "events", "_bytes", "clocks", "_idle", "_outside", "_deno_test", "_observers"],
  ["_scheduler", "_unretrieved", "futures", "coroutines", "structs", "protocols"],
  [
    "_timers",
    "_signals",
    "tasks",
    "async_with",
    "_done_futures",
    "_requests",
    "trsock",
    "_tls",
    "_purpose",
    "_debug",
  ],
  ["_line", "timeouts", "taskgroups", "cancel_scopes", "_tls_conn"],
  ["_shuffle", "locks", "memory_streams", "limiters"],
  ["_connecting", "_lines", "_intake", "web_streams", "_memory_conn", "_memory_listener", "_driver", "_wait_graph"],
  ["tools"],
  ["graph", "_explain"],
  ["transports", "_web_conns"],
  ["waiting", "stream_reader", "queues", "semaphores", "barriers", "_stream_options", "_subprocess_options", "signals"],
  ["stream_writer", "base_subprocess", "datagrams", "_name_resolution"],
  ["servers", "pipes", "subprocess", "datagram_endpoints"],
  ["streams", "_deno_process", "_deno_datagrams", "memory_pairs", "_contract", "_thread"],
  ["memory_networks", "leaks", "_contract_reads", "_contract_writes", "_contract_ends"],
  ["stream_contract"],
  ["_deno_net", "threads", "tracing"],
  ["base_events"],
  ["deno_events"],
  ["runners"],
  ["test_runs"],
  ["testing"],
];

/** The only files that may write `Deno.`; all but the first call it. */
const MAY_NAME_DENO = [
  "_deno",
  "_deno_context",
  "_deno_datagrams",
  "_deno_net",
  "_deno_process",
  "_deno_thread",
  "_deno_test",
];

interface Module {
  readonly specifier: string;
  readonly dependencies?: readonly { readonly specifier: string; readonly code?: { readonly specifier?: string } }[];
}

async function modules(): Promise<Module[]> {
  const command = new Deno.Command(Deno.execPath(), { args: ["info", "--json", "mod.ts"], stderr: "null" });
  const { stdout } = await command.output();
  return JSON.parse(new TextDecoder().decode(stdout)).modules;
}

function room(specifier: string): string | null {
  return specifier.match(/\/lib\/(\w+)\.ts$/)?.[1] ?? null;
}

Deno.test("run-time imports in lib/ point downward, and every room has its level", async () => {
  const level_of = new Map(LEVELS.flatMap((names, level) => names.map((name) => [name, level] as const)));
  const wrong: string[] = [];
  for (const module of await modules()) {
    const from = room(module.specifier);
    if (from === null) continue;
    if (!level_of.has(from)) wrong.push(`${from} has no level`);
    for (const dependency of module.dependencies ?? []) {
      const to = room(dependency.code?.specifier ?? "");
      if (to !== null && !(level_of.get(to)! < level_of.get(from)!)) wrong.push(`${from} imports ${to}`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("mod.ts and lib/ import only relative files and node: built-ins", async () => {
  const wrong: string[] = [];
  for (const module of await modules()) {
    for (const { specifier } of module.dependencies ?? []) {
      if (!/^(\.\.?\/|node:)/.test(specifier)) wrong.push(`${module.specifier} imports ${specifier}`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("only the rooms that touch the system write Deno.", async () => {
  const wrong: string[] = [];
  for await (const entry of Deno.readDir("lib")) {
    const name = entry.name.replace(/\.ts$/, "");
    if (MAY_NAME_DENO.includes(name)) continue;
    const code = (await Deno.readTextFile(`lib/${entry.name}`)).replace(/\/\*[\s\S]*?\*\/|\/\/.*|"[^"]*"/g, "");
    if (/\bDeno\./.test(code)) wrong.push(entry.name);
  }
  assertEquals(wrong, []);
});

Deno.test("only _context.ts has module-level state that changes", async () => {
  const wrong: string[] = [];
  for await (const entry of Deno.readDir("lib")) {
    if (entry.name === "_context.ts") continue;
    const code = await Deno.readTextFile(`lib/${entry.name}`);
    if (/^(export )?(let|var) /m.test(code)) wrong.push(entry.name);
  }
  assertEquals(wrong, []);
});

Deno.test("CONTRIBUTING.md shows these levels, and the rooms that may write Deno.", async () => {
  const text = await Deno.readTextFile("CONTRIBUTING.md");
  const names_in = (line: string) => [...line.matchAll(/`(\w+)`/g)].map(([, name]) => name);
  const rows = [...text.matchAll(/^\| +(\d+) +\| (.*) \|$/gm)];
  assertEquals(
    rows.map(([, level, rooms]) => [Number(level), ...names_in(rooms)]),
    LEVELS.map((row, n) => [n, ...row]),
  );
  assertEquals(names_in(text.match(/^Only (.*?)\s+write\s+`Deno\.`/ms)![1]), MAY_NAME_DENO);
});
