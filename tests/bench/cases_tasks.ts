// Tasks, timers and what goes between tasks: one process for each case, side and round.
import type { Case } from "./cases.ts";
import { output } from "./processes.ts";

const PYTHON = ["cpython", "uvloop"];
const ALL = ["asyncio", ...PYTHON];

interface TaskCase {
  readonly name: string;
  /** The case's name in the programs. */
  readonly key: string;
  readonly count: number;
  /** The sides besides this library and Python's that have such a thing. */
  readonly also?: readonly string[];
  readonly without?: readonly string[];
  readonly chart?: boolean;
}

const TASKS: readonly TaskCase[] = [
  { name: "create a task and await it", key: "create_and_await", count: 50_000, also: ["bare"], chart: true },
  { name: "gather of 50,000", key: "gather", count: 50_000, also: ["bare"], chart: true },
  { name: "task group of 50,000", key: "task_group", count: 50_000, chart: true },
  { name: "cancel of 100,000 tasks", key: "cancel", count: 100_000, chart: true },
  { name: "20,000 tasks, 10 at a time", key: "ten_at_a_time", count: 20_000, also: ["std"], chart: true },
  { name: "sleep(0)", key: "sleep_0", count: 50_000, also: ["bare"], chart: true },
  { name: "100,000 timers of 1 ms", key: "timers", count: 100_000, also: ["bare"], chart: true },
  { name: "100,000 tasks that sleep 1 ms", key: "sleeps", count: 100_000, also: ["std"] },
  { name: "timeout", key: "timeout", count: 50_000, chart: true },
  { name: "wait_for", key: "wait_for", count: 50_000, also: ["std"], chart: true },
  { name: "await a done future", key: "done_future", count: 50_000, also: ["bare"] },
  { name: "await a pending future", key: "pending_future", count: 50_000 },
  { name: "hand over between two tasks", key: "hand_over", count: 50_000 },
  { name: "queue hand-over", key: "queue_hand_over", count: 50_000, chart: true },
  { name: "queue put and get, no waiting", key: "queue_put_and_get", count: 50_000 },
  { name: "lock without contention", key: "lock", count: 50_000, chart: true },
  { name: "lock, two tasks contend", key: "contended_lock", count: 50_000 },
  { name: "memory object stream hand-over", key: "memory_stream", count: 50_000, also: ["bare"], without: PYTHON },
];

function task_case(group: string, { name, key, count, also = [], without = [], chart }: TaskCase): Case {
  const sides = [...ALL.filter((side) => !without.includes(side)), ...also];
  return {
    group,
    name,
    unit: "ns each",
    better: "less",
    chart,
    // The programs warm up by themselves.
    warm_up: false,
    takes: (side) => side.tasks !== undefined && sides.includes(side.key),
    open: (side, { seconds }) =>
      Promise.resolve({
        round: async () => JSON.parse(await output(60 + 2 * seconds, side.tasks!, key, String(count), String(seconds))),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
  };
}

function grouped(count: number): string {
  return count.toLocaleString("en-US");
}

/** All cases of this room. */
export const task_cases: readonly Case[] = [
  ...TASKS.map((entry) => task_case("tasks", entry)),
  ...[100, 1_000, 10_000, 100_000].map((count) =>
    task_case("growth of tasks", { name: `${grouped(count)} tasks at once`, key: "tasks_at_once", count, chart: false })
  ),
];
