/**
 * Side by side: this library, a bare Deno.Conn loop, node:net, CPython's asyncio, uvloop and std, all in one run. What is
 * measured and what the columns mean is told in the README beside this file; the options in options.ts.
 *
 * deno task bench [--rounds=5] [--seconds=1] [--only=<regex>] [--sides=<regex>] [--json=<file>] [--svg=<file>]
 */
import { cpus } from "node:os";
import { run_case } from "./cases.ts";
import { startup_cases } from "./cases_startup.ts";
import { stream_cases } from "./cases_streams.ts";
import { task_cases } from "./cases_tasks.ts";
import { chart_of } from "./chart.ts";
import type { CaseFigures, Report } from "./figures.ts";
import { type Options, parse_options, USAGE } from "./options.ts";
import { find_peers } from "./peers.ts";
import { markdown_of, preamble, tables, text_of } from "./table.ts";

const cases = [...stream_cases, ...task_cases, ...startup_cases];

async function run(options: Options): Promise<Report> {
  const { rounds, seconds } = options;
  const folder = await Deno.makeTempDir({ prefix: "bench" });
  try {
    const peers = await find_peers(options.sides, folder);
    const skipped: string[] = [];
    const tell = (line: string) => {
      skipped.push(line);
      console.error(`skipped: ${line}`);
    };
    peers.skipped.forEach(tell);
    const figures: CaseFigures[] = [];
    const chosen = cases.filter(({ group, name }) => options.only.test(`${group}: ${name}`));
    for (const [index, subject] of chosen.entries()) {
      console.error(`${index + 1}/${chosen.length} ${subject.name}`);
      const result = await run_case(subject, { peers, rounds, seconds, folder }, tell);
      if (result !== null) figures.push(result);
    }
    return {
      when: new Date().toISOString(),
      machine: `${navigator.hardwareConcurrency} x ${cpus()[0]?.model ?? Deno.build.arch}, ${Deno.build.os}`,
      rounds,
      seconds,
      sides: Object.fromEntries(peers.sides.map(({ key, about }) => [key, about])),
      skipped,
      cases: figures,
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function show(report: Report, { json, svg, markdown }: Options): Promise<void> {
  if (markdown) console.log([preamble(report), ...tables(report).map(markdown_of)].join("\n\n"));
  else console.log(`\n${[preamble(report), ...tables(report).map(text_of)].join("\n\n")}`);
  if (json !== undefined) await Deno.writeTextFile(json, JSON.stringify(report, null, 2) + "\n");
  if (svg !== undefined) await Deno.writeTextFile(svg, chart_of(report));
}

async function list(options: Options): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "bench" });
  const { sides, skipped } = await find_peers(options.sides, folder).finally(() =>
    Deno.remove(folder, { recursive: true })
  );
  for (const { key, label, about } of sides) console.log(`side ${key}: ${label} (${about})`);
  for (const line of skipped) console.log(`skipped: ${line}`);
  for (const { group, name } of cases) console.log(`${group}: ${name}`);
}

async function main(): Promise<void> {
  let options: Options;
  try {
    options = parse_options(Deno.args);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    Deno.exit(2);
  }
  if (options.list) await list(options);
  else if (options.from !== undefined) await show(JSON.parse(await Deno.readTextFile(options.from)), options);
  else await show(await run(options), options);
  // The certificates' folder goes with the process.
  Deno.exit();
}

await main();
