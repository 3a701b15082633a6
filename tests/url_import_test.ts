import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { blocks_in } from "./_documents.ts";

const PROGRAM = `
await asyncio.run(async () => {
  await using server = await asyncio.start_server(async (reader, writer) => {
    writer.write(await reader.readline());
  }, "127.0.0.1", 0);
  const [host, port] = server.sockets[0].getsockname() as [string, number];
  const [reader, writer] = await asyncio.open_connection(host, port);
  writer.write("hello\\n");
  const line = new TextDecoder().decode(await reader.readline());
  console.log(await asyncio.to_thread((text: string) => text.trim(), line));
  writer.close();
  await writer.wait_closed();
});
`;

/** Serves the repository's files, and `main.ts`, over http while `fn` runs; `requested` are those that were asked for. */
async function serving(fn: (port: number, folder: string, requested: string[]) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const requested: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const path = new URL(request.url).pathname;
    if (path === "/main.ts") return typescript(await Deno.readTextFile(`${folder}/main.ts`));
    requested.push(path);
    if (path === "/mod.js") {
      return new Response(await Deno.readTextFile("mod.js"), { headers: { "content-type": "text/javascript" } });
    }
    if (!/^\/(mod\.ts|lib\/\w+\.ts)$/.test(path)) return new Response(null, { status: 404 });
    return typescript(await Deno.readTextFile(`.${path}`));
  });
  try {
    const { port } = server.addr;
    await Deno.writeTextFile(
      `${folder}/main.ts`,
      `import * as asyncio from "http://127.0.0.1:${port}/mod.ts";${PROGRAM}`,
    );
    await fn(port, folder, requested);
  } finally {
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
}

function typescript(text: string): Response {
  return new Response(text, { headers: { "content-type": "application/typescript" } });
}

async function run_deno(folder: string, ...args: string[]): Promise<[code: number, stdout: string, stderr: string]> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: folder,
    clearEnv: true,
    env: { DENO_DIR: `${folder}/cache`, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return [code, text(stdout), text(stderr)];
}

Deno.test("mod.ts works imported by an http URL into an empty folder, with --allow-net alone", async () => {
  await serving(async (port, folder) => {
    // Deno asks for leave to import from a host it does not know; that is no permission of the program.
    const [code, stdout, stderr] = await run_deno(
      folder,
      "run",
      "--no-prompt",
      "--allow-net",
      `--allow-import=127.0.0.1:${port}`,
      "main.ts",
    );
    assertEquals([code, stdout], [0, "hello\n"], stderr);
  });
});

Deno.test("a program run from a URL imports mod.ts by URL, with --allow-net alone", async () => {
  await serving(async (port, folder) => {
    const [code, stdout, stderr] = await run_deno(
      folder,
      "run",
      "--no-prompt",
      "--allow-net",
      `http://127.0.0.1:${port}/main.ts`,
    );
    assertEquals([code, stdout], [0, "hello\n"], stderr);
  });
});

Deno.test("mod.ts imported by an http URL passes the type check of a project without a configuration", async () => {
  await serving(async (port, folder) => {
    const [code, , stderr] = await run_deno(folder, "check", `--allow-import=127.0.0.1:${port}`, "main.ts");
    assertEquals(code, 0, stderr);
  });
});

Deno.test("mod.js is all of it in one request, with the types of mod.ts", async () => {
  await serving(async (port, folder, requested) => {
    const main = `${folder}/main.ts`;
    await Deno.writeTextFile(main, (await Deno.readTextFile(main)).replace("mod.ts", "mod.js"));
    const may_import = `--allow-import=127.0.0.1:${port}`;
    const [code, stdout, stderr] = await run_deno(folder, "run", "--no-prompt", "--allow-net", may_import, "main.ts");
    assertEquals([code, stdout, requested], [0, "hello\n", ["/mod.js"]], stderr);
    assertEquals((await run_deno(folder, "check", may_import, "main.ts"))[0], 0);
    await Deno.writeTextFile(main, `import { sleep } from "http://127.0.0.1:${port}/mod.js"; await sleep("long");`);
    const [failure, , message] = await run_deno(folder, "check", may_import, "main.ts");
    assertEquals(failure, 1);
    assertStringIncludes(message, "Argument of type 'string' is not assignable to parameter of type 'number'");
  });
});

Deno.test("mod.js is what `deno task bundle` makes of mod.ts", async () => {
  const made = await Deno.makeTempFile();
  try {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", "bundle", `--outfile=${made}`],
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    assert(await Deno.readTextFile(made) === await Deno.readTextFile("mod.js"), "run: deno task bundle");
  } finally {
    await Deno.remove(made);
  }
});

/** The first program of the README, at a port that is free, and the arguments of the command that runs it. */
async function first_program(): Promise<{ program: string; args: string[]; output: string }> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [program] = await blocks_in("README.md", "ts ignore");
  assertStringIncludes(program, "8888");
  const commands = (await blocks_in("README.md", "sh")).join("").split("\n");
  const [command] = commands.filter((each) => each.startsWith("deno run"));
  return {
    program: program.replaceAll("8888", String(listener.addr.port)),
    args: command.split(" ").slice(1),
    output: (await blocks_in("README.md", "text"))[0],
  };
}

Deno.test("the README's first program runs in an empty folder with the README's command", async () => {
  await serving(async (port, folder) => {
    const { program, args, output } = await first_program();
    const here = `127.0.0.1:${port}`;
    assertStringIncludes(program, "https://example.com/asyncio/mod.ts");
    await Deno.writeTextFile(`${folder}/main.ts`, program.replace("https://example.com/asyncio", `http://${here}`));
    const [code, stdout, stderr] = await run_deno(folder, ...args.map((arg) => arg.replace("example.com", here)));
    assertEquals([code, stdout], [0, output], stderr);
  });
});

Deno.test("the README's first program runs with a copy on the disk, and without --allow-import", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/asyncio/lib`, { recursive: true });
    await Deno.copyFile("mod.ts", `${folder}/asyncio/mod.ts`);
    for await (const { name } of Deno.readDir("lib")) {
      await Deno.copyFile(`lib/${name}`, `${folder}/asyncio/lib/${name}`);
    }
    const { program, args, output } = await first_program();
    await Deno.writeTextFile(`${folder}/main.ts`, program.replace("https://example.com/asyncio/", "./asyncio/"));
    const less = args.filter((arg) => !arg.startsWith("--allow-import"));
    const [code, stdout, stderr] = await run_deno(folder, ...less);
    assertEquals([code, stdout], [0, output], stderr);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
