/**
 * Writes the documentation of all symbols as pages with a search, to `docs/reference/index.html`.
 *
 *   deno run --allow-read --allow-write --allow-run=deno docs/reference.ts
 *
 * @module
 */

const ROOT = new URL("../", import.meta.url);

/** Writes the pages into a folder; what is in it already stays, unless a page has its name. */
export async function write_reference(folder: string): Promise<void> {
  const copy = await Deno.makeTempDir({ prefix: "reference" });
  try {
    // `deno doc` leaves out what is marked `@ignore`, but shows what is `@internal`.
    await Deno.mkdir(`${copy}/lib`);
    for (const path of ["mod.ts", ...[...Deno.readDirSync(new URL("lib", ROOT))].map(({ name }) => `lib/${name}`)]) {
      const code = await Deno.readTextFile(new URL(path, ROOT));
      await Deno.writeTextFile(`${copy}/${path}`, code.replaceAll("@internal", "@ignore"));
    }
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["doc", "--quiet", "--html", "--name=asyncio for Deno", "--output=reference", "mod.ts"],
      cwd: copy,
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    await move_pages(`${copy}/reference`, folder, copy);
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
}

/** Moves the pages, and has their links to sources lead to this repository's files, and their imports name the package. */
async function move_pages(from: string, to: string, copy: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  const escaped = (text: string) => text.replaceAll("/", "&#x2F;");
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) {
      await move_pages(`${from}/${name}`, `${to}/${name}`, copy);
      continue;
    }
    const text = await Deno.readTextFile(`${from}/${name}`);
    await Deno.writeTextFile(
      `${to}/${name}`,
      text.replaceAll(`file://${copy}/`, ROOT.href)
        .replaceAll(escaped(`file://${copy}/`), escaped(ROOT.href))
        .replaceAll("from &quot;.&quot;", "from &quot;@asyncio/deno&quot;"),
    );
  }
}

if (import.meta.main) await write_reference(new URL("reference", import.meta.url).pathname);
