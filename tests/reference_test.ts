// The pages that `deno task docs` writes.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { write_reference } from "../docs/reference.ts";
import * as asyncio from "../mod.ts";

async function files_below(folder: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) paths.push(...(await files_below(`${folder}/${name}`)).map((path) => `${name}/${path}`));
    else paths.push(name);
  }
  return paths;
}

/** Where a page's links lead to, as paths from the folder of all pages. */
function links_of(page: string, html: string): string[] {
  const targets = [...html.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, target]) => target.replaceAll("&#x2F;", "/"));
  return targets.filter((target) => !/^(?:https?:|#)/.test(target))
    .map((target) => new URL(target, `file:///${page}`).pathname.slice(1).replace(/^$|\/$/, "$&index.html"));
}

Deno.test("the reference has a page for every exported name, in its search too, and none for internals", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await write_reference(folder);
    const files = new Set(await files_below(folder));
    for (const name of Object.keys(asyncio)) assert(files.has(`~/${name}.html`), name);
    assertEquals([...files].filter((path) => /\._[a-z]/.test(path)), []);

    const index = await Deno.readTextFile(`${folder}/search_index.js`);
    for (const name of Object.keys(asyncio)) assertStringIncludes(index, `"name":"${name}"`);
    assertStringIncludes(await Deno.readTextFile(`${folder}/index.html`), "name for name");
    const page = await Deno.readTextFile(`${folder}/~/StreamReader.html`);
    assertStringIncludes(page, "readexactly");
    assertStringIncludes(page, "import { StreamReader } from &quot;@asyncio/deno&quot;;");

    const pages = [...files].filter((path) => path.endsWith(".html"));
    const root = new URL("../", import.meta.url).pathname.slice(1);
    const broken = new Set<string>();
    for (const page of pages) {
      for (const target of links_of(page, await Deno.readTextFile(`${folder}/${page}`))) {
        const is_source = target.startsWith(root) && Deno.statSync(`/${target}`).isFile;
        if (!is_source && !files.has(decodeURIComponent(target))) broken.add(`${page}: ${target}`);
      }
    }
    assertEquals([...broken], []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
