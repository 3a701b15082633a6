// The figures of a run and what is made of them.

/** One measurement: the case's own figure, and microseconds of the server's processor time for each unit of work. */
export interface Sample {
  readonly value: number;
  readonly cpu?: number;
}

/** Whether a greater figure is the better one. */
export type Better = "more" | "less";

/** What all rounds of a case gave; the same form as in the JSON file. */
export interface CaseFigures {
  readonly group: string;
  readonly name: string;
  readonly unit: string;
  readonly better: Better;
  /** Whether it is in the chart. */
  readonly chart: boolean;
  /** By side, a figure a round; `null` where the round failed. */
  readonly values: Record<string, (number | null)[]>;
  /** By side, the processor time of one unit of work, in microseconds (in nanoseconds where the unit is ns). */
  readonly cpu: Record<string, (number | null)[]>;
}

/** A whole run, as it is written to JSON. */
export interface Report {
  readonly when: string;
  readonly machine: string;
  readonly rounds: number;
  readonly seconds: number;
  /** Name and version of every side that took part, by key. */
  readonly sides: Record<string, string>;
  /** What was left out, and why. */
  readonly skipped: string[];
  readonly cases: CaseFigures[];
}

/** The side whose figures the others are compared with. */
export const OWN = "asyncio";

/** The middle one; `null` for none. */
export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median of the rounds that did not fail. */
export function median_of(rounds: readonly (number | null)[] | undefined): number | null {
  return median((rounds ?? []).filter((value) => value !== null));
}

/** The median of `a` divided by `b`, round by round: what slows a whole round down cancels out. */
export function ratio(
  a: readonly (number | null)[] | undefined,
  b: readonly (number | null)[] | undefined,
): number | null {
  const quotients: number[] = [];
  (a ?? []).forEach((value, round) => {
    const other = b?.[round] ?? null;
    // A processor time below the clock's tick is no figure.
    if (value !== null && other !== null && value > 0 && other > 0) quotients.push(value / other);
  });
  return median(quotients);
}

/** How many times as good as `side` the own side is; above 1 where it is better. */
export function advantage({ values, better }: CaseFigures, side: string): number | null {
  return better === "more" ? ratio(values[OWN], values[side]) : ratio(values[side], values[OWN]);
}

/** The same for processor time: above 1 where the own side spends less. */
export function cpu_advantage({ cpu }: CaseFigures, side: string): number | null {
  return ratio(cpu[side], cpu[OWN]);
}

/** Adds the figures of one round. A round that failed is `null`, so that rounds stay side by side. */
export function add_sample(figures: CaseFigures, side: string, sample: Sample | null): void {
  (figures.values[side] ??= []).push(sample?.value ?? null);
  (figures.cpu[side] ??= []).push(sample?.cpu ?? null);
}
