// Tables of a report, for the console and for the README.
import { advantage, type CaseFigures, cpu_advantage, median_of, OWN, type Report } from "./figures.ts";
import { LABELS } from "./peers.ts";

/** Rows of cells, the first of which is the case's name. */
export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A figure as short as it may be: three digits that count, all of those before the point. */
export function figure(value: number | null): string {
  if (value === null) return "-";
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** The sides of these cases besides the own one, in the order of the columns. */
export function other_sides(cases: readonly CaseFigures[]): string[] {
  return Object.keys(LABELS).filter((key) => key !== OWN && cases.some(({ values }) => values[key] !== undefined));
}

function table_of(
  title: string,
  cases: readonly CaseFigures[],
  row: (subject: CaseFigures, sides: string[]) => string[],
) {
  const sides = other_sides(cases);
  const head = [title, "unit", LABELS[OWN], ...sides.map((side) => `to ${LABELS[side]}`)];
  return { title, head, rows: cases.map((subject) => row(subject, sides)) };
}

/** For each group the figures, and the processor time where it was measured. Sides are ratios, above 1 if this is better. */
export function tables(report: Report): Table[] {
  const result: Table[] = [];
  for (const [group, cases] of Map.groupBy(report.cases, ({ group }) => group)) {
    result.push(table_of(group, cases, (subject, sides) => [
      subject.name,
      subject.unit,
      figure(median_of(subject.values[OWN])),
      ...sides.map((side) => figure(advantage(subject, side))),
    ]));
    const with_cpu = cases.filter(({ cpu }) => median_of(cpu[OWN]) !== null);
    if (with_cpu.length === 0) continue;
    result.push(table_of(`${group}: processor time`, with_cpu, (subject, sides) => [
      subject.name,
      cpu_unit(subject.unit),
      figure(median_of(subject.cpu[OWN])),
      ...sides.map((side) => figure(cpu_advantage(subject, side))),
    ]));
  }
  return result;
}

function cpu_unit(unit: string): string {
  if (unit.startsWith("ns")) return unit;
  return unit === "MiB/s" ? "µs/MiB" : "µs each";
}

/** Columns aligned with spaces. */
export function text_of({ head, rows }: Table): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  const line = (row: readonly string[]) =>
    row.map((cell, column) => column < 2 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])).join("  ");
  return [line(head), ...rows.map(line)].map((text) => text.trimEnd()).join("\n");
}

/** A table of Markdown, as `deno fmt` writes it. */
export function markdown_of({ head, rows }: Table): string {
  const widths = head.map((_, column) => Math.max(3, ...[head, ...rows].map((row) => row[column].length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`;
  return [line(head), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...rows.map(line)].join("\n");
}

/** What the tables stand under: what was measured, where, and what was left out. */
export function preamble({ when, machine, rounds, seconds, sides, skipped }: Report): string {
  const versions = [...new Set(Object.values(sides))].join("; ");
  return [
    `${when.slice(0, 10)}, ${machine}; ${versions}; medians of ${rounds} round${
      rounds === 1 ? "" : "s"
    } of ${seconds} s.`,
    ...skipped.map((line) => `Skipped: ${line}.`),
  ].join("\n");
}
