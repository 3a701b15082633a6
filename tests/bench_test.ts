import { assert, assertAlmostEquals, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { type Case, run_case } from "./bench/cases.ts";
import { chart_of, position } from "./bench/chart.ts";
import { add_sample, advantage, type CaseFigures, cpu_advantage, median, median_of, ratio } from "./bench/figures.ts";
import type { Report } from "./bench/figures.ts";
import { parse_options } from "./bench/options.ts";
import type { Side } from "./bench/peers.ts";
import { figure, markdown_of, tables, text_of } from "./bench/table.ts";

function figures_of(more: Partial<CaseFigures> = {}): CaseFigures {
  return { group: "g", name: "a <case>", unit: "ns each", better: "less", chart: true, values: {}, cpu: {}, ...more };
}

function report_of(...cases: CaseFigures[]): Report {
  const sides = { asyncio: "Deno 2", cpython: "CPython 3" };
  return { when: "2025-01-31T00:00:00Z", machine: "one", rounds: 3, seconds: 1, sides, skipped: [], cases };
}

async function bench(env: Record<string, string>, ...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const program = new URL("bench/bench.ts", import.meta.url).pathname;
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", program, "--rounds=1", ...args],
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
  });
  const { code, stdout, stderr } = await command.output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assertEquals(code, 0, err);
  return { stdout: out, stderr: err };
}

Deno.test("median() is the middle one, the mean of two, and null of none", () => {
  const table: [number[], number | null][] = [[[], null], [[3], 3], [[10, 9], 9.5], [[10, 9, 100], 10]];
  for (const [values, expected] of table) assertEquals(median(values), expected, String(values));
  assertEquals(median_of([null, 4, null]), 4);
  assertEquals(median_of(undefined), null);
});

Deno.test("ratio() divides round by round, and leaves out rounds that failed on a side", () => {
  assertEquals(ratio([10, 100, 30], [5, 50, 10]), 2);
  assertEquals(ratio([10, null, 30], [5, 1, null]), 2);
  assertEquals(ratio([10, 10], [0, 5]), 2);
  assertEquals(ratio([1], undefined), null);
});

Deno.test("advantage() is above 1 where this library is better, for rates and for times", () => {
  const values = { asyncio: [20], bare: [10] };
  assertEquals(advantage(figures_of({ better: "more", values }), "bare"), 2);
  assertEquals(advantage(figures_of({ better: "less", values }), "bare"), 0.5);
  assertEquals(cpu_advantage(figures_of({ better: "more", cpu: values }), "bare"), 0.5);
  assertEquals(advantage(figures_of({ values }), "cpython"), null);
});

Deno.test("add_sample() keeps the rounds of all sides side by side", () => {
  const figures = figures_of();
  add_sample(figures, "asyncio", { value: 1, cpu: 2 });
  add_sample(figures, "asyncio", null);
  add_sample(figures, "asyncio", { value: 3 });
  assertEquals(figures.values, { asyncio: [1, null, 3] });
  assertEquals(figures.cpu, { asyncio: [2, null, null] });
});

Deno.test("figure() shows the digits that count", () => {
  const table: [number | null, string][] = [[null, "-"], [0.5, "0.50"], [12.34, "12.3"], [12345.6, "12,346"]];
  for (const [value, expected] of table) assertEquals(figure(value), expected);
});

Deno.test("tables() has a column for each side that took part, and one table more for processor time", () => {
  const values = { asyncio: [10, 12, 11], cpython: [20, 24, 22], bare: [5, 6, 5.5] };
  const report = report_of(figures_of({ values, cpu: { asyncio: [4], cpython: [6] } }));
  const [times, cpu] = tables(report);
  assertEquals(times.head, ["g", "unit", "this", "to bare Deno", "to CPython"]);
  assertEquals(times.rows, [["a <case>", "ns each", "11.0", "0.50", "2.00"]]);
  assertEquals(cpu.rows, [["a <case>", "ns each", "4.00", "-", "1.50"]]);
  assertEquals(text_of(times).split("\n")[1], "a <case>  ns each  11.0          0.50        2.00");
  assertEquals(markdown_of({ title: "g", head: ["g", "this"], rows: [["case", "1"]] }).split("\n"), [
    "| g    | this |",
    "| ---- | ---- |",
    "| case | 1    |",
  ]);
});

Deno.test("chart_of() draws a bar for each ratio, right of 1 where this library is better", () => {
  const better = figures_of({ values: { asyncio: [10], cpython: [20] } });
  const worse = figures_of({ name: "worse", values: { asyncio: [20], cpython: [10], bare: [1] } });
  const hidden = figures_of({ name: "hidden", chart: false, values: better.values });
  const svg = chart_of(report_of(better, worse, hidden, figures_of({ name: "alone", values: { asyncio: [1] } })));
  assertMatch(svg, /^<svg [^]*<\/svg>\n$/);
  assertMatch(svg, /prefers-color-scheme:dark/);
  assert(svg.includes("a &lt;case&gt;") && !svg.includes("hidden") && !svg.includes("alone"));
  const bars = [...svg.matchAll(/<rect class="(\w+)" x="([\d.]+)" y="\d+" width="[\d.]+" height="7"/g)];
  const drawn = bars.map(([, side, x]) => [side, Number(x)]);
  assertEquals(drawn, [["cpython", position(1)], ["bare", position(0.05)], ["cpython", position(0.5)]]);
});

Deno.test("position() is logarithmic, and cut at the ends of the scale", () => {
  assertAlmostEquals(position(2) - position(1), position(1) - position(0.5), 0.2);
  assertEquals([position(0.001), position(1000)], [position(0.1), position(10)]);
});

Deno.test("parse_options() has defaults, and refuses what makes no sense", () => {
  const { rounds, seconds, markdown, only } = parse_options(["--only=echo"]);
  assertEquals([rounds, seconds, markdown, only.source], [5, 1, false, "echo"]);
  assertThrows(() => parse_options(["--rounds=0"]), RangeError, 'Cannot take --rounds: "0" is not above 0');
  assertThrows(() => parse_options(["--rounds=1.5"]), RangeError, "not an integer");
  assertThrows(() => parse_options(["--round=1"]), TypeError);
});

Deno.test("run_case() gives every side its round, tells what failed, and gives up a side that keeps failing", async () => {
  const [log, told]: string[][] = [[], []];
  const sides: Side[] = ["asyncio", "bare", "node"].map((key) => ({ key, label: key, about: key }));
  const subject: Case = {
    ...figures_of(),
    warm_up: true,
    takes: ({ key }) => key !== "node",
    open: ({ key }) =>
      Promise.resolve({
        round() {
          log.push(key);
          return key === "bare" ? Promise.reject(new Error("broken")) : Promise.resolve({ value: 7 });
        },
        [Symbol.asyncDispose]: () => Promise.resolve(void log.push(`end of ${key}`)),
      }),
  };
  const peers = { sides, load: [], tls_load: [], skipped: [] };
  const figures = await run_case(subject, { peers, rounds: 2, seconds: 1, folder: "" }, (line) => told.push(line));
  assertEquals(log, ["asyncio", "bare", "asyncio", "bare", "asyncio", "end of bare", "end of asyncio"]);
  assertEquals(figures?.values, { asyncio: [7, 7], bare: [null] });
  assertEquals(told, ["a <case>, bare: broken", "a <case>, bare: broken"]);
});

Deno.test("bench.ts prints tables, and writes figures and chart that can be shown again", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const [json, svg] = [`${folder}/bench.json`, `${folder}/chart.svg`];
    const only = "--only=^streams: (echo of 64 B, 1 conn|lines)|lock without";
    const { stdout } = await bench({}, "--seconds=0.05", "--sides=^bare$", only, `--json=${json}`, `--svg=${svg}`);
    assertMatch(stdout, /^echo of 64 B, 1 connection +exch\.\/s +[\d,.]+ +[\d.]+$/m);
    assertMatch(stdout, /^lock without contention +ns each +[\d,.]+/m);
    const report: Report = JSON.parse(await Deno.readTextFile(json));
    assertEquals(report.cases.map(({ name }) => name), [
      "echo of 64 B, 1 connection",
      "lines of 64 B, 32 in flight, 50 connections",
      "lock without contention",
    ]);
    for (const { values } of report.cases) assert(median_of(values.asyncio)! > 0);
    assertMatch(await Deno.readTextFile(svg), /^<svg /);
    const again = await bench({}, `--from=${json}`, "--markdown");
    assertMatch(again.stdout, /^\| echo of 64 B, 1 connection +\| exch\.\/s \| /m);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("bench.ts says what is missing on a machine that has only Deno, and measures all the same", async () => {
  const missing = { PATH: "/nowhere", PYTHON: "" };
  const { stdout, stderr } = await bench(
    missing,
    "--seconds=0.05",
    "--sides=^(cpython|node)$",
    "--only=^streams: echo of 64 B, 1 conn",
  );
  for (const name of ["cc", "CPython", "Node"]) assertMatch(stderr, new RegExp(`^skipped: ${name}.*: not there`, "m"));
  assertMatch(stdout, /^echo of 64 B, 1 connection +exch\.\/s +[\d,.]+$/m);
});
