// The arguments of the measurement.
import { parseArgs } from "node:util";

/** What was asked for. */
export interface Options {
  readonly rounds: number;
  readonly seconds: number;
  /** The cases, by `group: name`. */
  readonly only: RegExp;
  /** The sides, by key. */
  readonly sides: RegExp;
  readonly json?: string;
  readonly svg?: string;
  readonly markdown: boolean;
  /** A JSON file of an earlier run, which is shown instead of measuring. */
  readonly from?: string;
  /** Whether to name the cases and the sides only. */
  readonly list: boolean;
}

/** The help text. */
export const USAGE = `deno task bench [options]
  --rounds=5       rounds, of which the medians are shown
  --seconds=1      the length of one measurement
  --only=<regex>   the cases, by "group: name"
  --sides=<regex>  the sides, by key; this library is always there
  --json=<file>    writes all figures
  --svg=<file>     writes the chart
  --markdown       prints the tables as Markdown
  --from=<file>    shows what --json wrote instead of measuring
  --list           names the cases and the sides`;

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Infinity)) throw new RangeError(`Cannot take --${name}: "${text}" is not above 0`);
  return value;
}

/** Reads the arguments; throws a `TypeError` or `RangeError` for those that it does not know. */
export function parse_options(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string", default: "5" },
      seconds: { type: "string", default: "1" },
      only: { type: "string", default: "" },
      sides: { type: "string", default: "" },
      json: { type: "string" },
      svg: { type: "string" },
      markdown: { type: "boolean", default: false },
      from: { type: "string" },
      list: { type: "boolean", default: false },
    },
  });
  const rounds = positive("rounds", values.rounds);
  if (!Number.isInteger(rounds)) throw new RangeError(`Cannot take --rounds: "${values.rounds}" is not an integer`);
  return {
    ...values,
    rounds,
    seconds: positive("seconds", values.seconds),
    only: new RegExp(values.only),
    sides: new RegExp(values.sides),
  };
}
