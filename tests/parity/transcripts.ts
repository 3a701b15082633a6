/**
 * The recorded transcripts: a text file for each theme, in which a line `## name` begins each scenario.
 *
 * @module
 */

function file_of(theme: string): URL {
  return new URL(`scenarios/${theme}.txt`, import.meta.url);
}

/** Writes a theme's transcripts, in the order of the programs. */
export async function write_transcripts(
  theme: string,
  transcripts: ReadonlyMap<string, readonly string[]>,
): Promise<void> {
  const sections = Array.from(transcripts, ([name, lines]) => [`## ${name}`, ...lines].join("\n"));
  await Deno.writeTextFile(file_of(theme), sections.join("\n\n") + "\n");
}

/** Reads a theme's transcripts. */
export function read_transcripts(theme: string): Map<string, readonly string[]> {
  const sections = Deno.readTextFileSync(file_of(theme)).trimEnd().split(/(?:^|\n\n)## /).slice(1);
  return new Map(sections.map((section) => {
    const [name, ...lines] = section.split("\n");
    return [name, lines];
  }));
}
