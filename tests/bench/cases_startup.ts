// What a program pays before its first line.
import type { Case } from "./cases.ts";
import { median } from "./figures.ts";
import { output } from "./processes.ts";

const ROUND_TRIPS_A_SECOND = 5;

async function milliseconds(command: readonly string[]): Promise<number> {
  const start = performance.now();
  await output(20, command);
  return performance.now() - start;
}

function startup_case(name: string, over_empty: boolean): Case {
  return {
    group: "start-up",
    name,
    unit: "ms",
    better: "less",
    chart: over_empty,
    warm_up: true,
    takes: (side) => side.startup !== undefined,
    open: (side, { seconds }) =>
      Promise.resolve({
        async round() {
          const [full, empty]: number[][] = [[], []];
          for (let i = 0; i < Math.max(1, seconds * ROUND_TRIPS_A_SECOND); i++) {
            full.push(await milliseconds(side.startup!.full));
            if (over_empty) empty.push(await milliseconds(side.startup!.empty));
          }
          return { value: over_empty ? median(full)! - median(empty)! : median(full)! };
        },
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
  };
}

/** All cases of this room. */
export const startup_cases: readonly Case[] = [
  startup_case("start, import, end", false),
  startup_case("import over an empty script", true),
];
