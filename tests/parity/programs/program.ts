/**
 * A program over one lock or queue: some tasks, each with a list of steps. interpreter.ts and interpreter.py run it.
 *
 * @module
 */

export const KINDS = [
  "Lock",
  "Semaphore",
  "BoundedSemaphore",
  "Event",
  "Condition",
  "Barrier",
  "Queue",
  "LifoQueue",
  "PriorityQueue",
] as const;

export type Kind = typeof KINDS[number];

/** How the time of a step is limited. */
export interface Limit {
  /** `task`: `wait_for()` of a task that was made for it; `call`: of the library's call itself, not of a function. */
  readonly how: "timeout" | "wait_for" | "task" | "call";
  readonly seconds: number;
  /** For how many turns a task runs before it is waited for. */
  readonly turns?: number;
}

export interface Step {
  readonly does: string;
  /** How often, how long, how many, whom, which item. */
  readonly n?: number;
  readonly limit?: Limit;
  /** Left to a callback of the loop. */
  readonly soon?: boolean;
  /** What is done inside. */
  readonly steps?: readonly Step[];
}

export interface Script {
  /** A task that is cancelled goes on with its next step, or else ends; after other errors each goes on. */
  readonly goes_on: boolean;
  readonly steps: readonly Step[];
}

export interface Program {
  readonly kind: Kind;
  /** Permits, parties or places for items. */
  readonly size: number;
  readonly tasks: readonly Script[];
}

/** The name of a task. */
export function name_of(who: number): string {
  return String.fromCharCode(65 + who);
}

/** The program as text, to be read. */
export function describe({ kind, size, tasks }: Program): string {
  const lines = [`${kind}(${size})`];
  tasks.forEach(({ goes_on, steps }, who) => {
    lines.push(`${name_of(who)}${goes_on ? ", which goes on after a cancellation" : ""}:`);
    describe_steps(steps, "  ", lines);
  });
  return lines.join("\n");
}

function describe_steps(steps: readonly Step[], indent: string, lines: string[]): void {
  for (const { does, n, limit, soon, steps: block } of steps) {
    const what = n === undefined ? does : `${does} ${does === "cancel" ? name_of(n) : n}`;
    const turns = limit?.turns === undefined ? "" : ` after ${limit.turns} turns`;
    const limited = limit === undefined ? "" : `, ${limit.how} ${limit.seconds}${turns}`;
    lines.push(`${indent}${soon ? "soon " : ""}${what}${limited}`);
    describe_steps(block ?? [], indent + "  ", lines);
  }
}
