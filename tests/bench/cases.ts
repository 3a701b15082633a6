// What a case is, and how the rounds of one are run.
import { add_sample, type Better, type CaseFigures, type Sample } from "./figures.ts";
import type { Peers, Side } from "./peers.ts";

/** What all cases share. */
export interface Setting {
  readonly peers: Peers;
  readonly rounds: number;
  /** The length of one measurement. */
  readonly seconds: number;
  /** For sockets and the like. */
  readonly folder: string;
}

/** One side of a case, ready to be measured. */
export interface Bench extends AsyncDisposable {
  round(): Promise<Sample>;
}

/** One thing to measure, on every side that can do it. */
export interface Case {
  readonly group: string;
  readonly name: string;
  readonly unit: string;
  readonly better: Better;
  /** Whether it is in the chart. */
  readonly chart?: boolean;
  /** Whether a first round goes unmeasured, for the compiler. */
  readonly warm_up: boolean;
  /** Why this machine cannot do it; `null` if it can. */
  unfit?(setting: Setting): Promise<string | null>;
  /** `false` for sides that have no such thing. */
  takes(side: Side): boolean;
  open(side: Side, setting: Setting): Promise<Bench>;
}

/** Told as a case goes on: lines that the user has to see. */
export type Tell = (line: string) => void;

/**
 * Runs all rounds of a case. Every round goes through all sides, each time from another one on, so that all see the same
 * machine. A side that fails twice running is given up.
 */
export async function run_case(subject: Case, setting: Setting, tell: Tell): Promise<CaseFigures | null> {
  const { group, name, unit, better, chart = false } = subject;
  const reason = await subject.unfit?.(setting) ?? null;
  if (reason !== null) {
    tell(`${name}: ${reason}`);
    return null;
  }
  const figures: CaseFigures = { group, name, unit, better, chart, values: {}, cpu: {} };
  const sides = setting.peers.sides.filter((side) => subject.takes(side));
  await using stack = new AsyncDisposableStack();
  const open = async (side: Side) => {
    try {
      return { side, bench: stack.use(await subject.open(side, setting)), failures: 0 };
    } catch (error) {
      tell(`${name}, ${side.label}: ${(error as Error).message}`);
      return null;
    }
  };
  const benches = (await Promise.all(sides.map(open))).filter((bench) => bench !== null);
  for (let round = subject.warm_up ? -1 : 0; round < setting.rounds; round++) {
    for (let i = 0; i < benches.length; i++) {
      const entry = benches[(i + Math.max(round, 0)) % benches.length];
      if (entry.failures >= 2) continue;
      let sample: Sample | null = null;
      try {
        sample = await entry.bench.round();
        entry.failures = 0;
      } catch (error) {
        entry.failures++;
        tell(`${name}, ${entry.side.label}: ${(error as Error).message}`);
      }
      if (round >= 0) add_sample(figures, entry.side.key, sample);
    }
  }
  return figures;
}
