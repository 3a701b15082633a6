/**
 * Random programs. A number makes the same one each time.
 *
 * What is random is when tasks meet. So times are whole seconds, waits are few turns of the loop, and much is done to the
 * same task in one step: above all it is cancelled in the very turn in which something wakes it.
 *
 * Left out is what this library does otherwise on purpose; see the departures in ../README.md:
 *
 * - A library call has started when it returns. So none is given to `wait_for(..., 0)`, which in Python never starts it;
 *   and in a block that is given to `wait_for()` there is no timeout, which here would be older than the one around it.
 * - A task that cancels itself enters no `timeout(0)`, which would turn that cancellation into a timeout, and no timeout
 *   at all over a condition, whose `wait()` may throw so late that any does.
 * - No two items of a queue are equal, since a `PriorityQueue` here keeps the order of equals.
 * - Nobody asks for `cancelling()`, which counts a timeout's own requests elsewhere.
 *
 * @module
 */

import { type Kind, KINDS, type Limit, type Program, type Script, type Step } from "./program.ts";
import { Random } from "./random.ts";

/** What can be done to a kind of lock or queue. */
interface Vocabulary {
  readonly sizes: readonly number[];
  /** What the tasks of a program do most, if that is not the same in all. */
  readonly moods?: readonly Mood[];
  /** A step that may wait. */
  use(writer: Writer): Step;
  /** Steps that wake others, and seldom wait. */
  wake(writer: Writer): readonly Step[];
}

type Weights = readonly (readonly [weight: number, does: string])[];

interface Mood {
  readonly use: Weights;
  readonly wake: Weights;
  /** The first task fills the queue. */
  readonly starts_full?: boolean;
}

/** What is the same in all tasks of a program. */
interface Setting {
  readonly random: Random;
  readonly vocabulary: Vocabulary;
  readonly mood: Mood;
  readonly size: number;
  readonly count: number;
  /** Whether a task may cancel itself. */
  readonly cancels_itself: boolean;
  /** Whether a line forms at once: all but the last task begin with what may wait. */
  readonly crowd: boolean;
}

/** Writes one task's script. */
class Writer {
  readonly random: Random;
  readonly mood: Mood;
  readonly #setting: Setting;
  readonly #who: number;
  #items: number;
  /** How many blocks are around the step that is written. */
  depth = 0;
  /** Whether one of them is a call that is given to `wait_for()`. */
  #inside_call = false;

  constructor(setting: Setting, who: number) {
    this.random = setting.random;
    this.mood = setting.mood;
    this.#setting = setting;
    this.#who = who;
    this.#items = who;
  }

  script(): Script {
    const { crowd, count, vocabulary, size } = this.#setting;
    const fills = this.#who === 0 && this.mood.starts_full ? size : 0;
    const first: Step[] = Array.from({ length: fills }, () => ({ does: "put_nowait", n: this.item() }));
    if (crowd && this.#who < count - 1) first.push(vocabulary.use(this));
    return { goes_on: this.random.chance(50), steps: [...first, ...this.#steps(1, 4)] };
  }

  #steps(least: number, most: number): Step[] {
    const steps: Step[] = [];
    for (let i = this.random.between(least, most); i > 0; i--) steps.push(...this.#next());
    return steps;
  }

  #next(): readonly Step[] {
    const { random } = this;
    return random.weighted<() => readonly Step[]>([
      [46, () => [this.#setting.vocabulary.use(this)]],
      [26, () => this.#burst()],
      [22, () => [this.stay()]],
      [6, () => this.cancels(1)],
    ])();
  }

  /** Some turns, or some time. */
  stay(): Step {
    const { random } = this;
    return random.chance(60) ? { does: "turns", n: random.between(1, 3) } : { does: "sleep", n: random.between(1, 3) };
  }

  /** Somebody is woken and somebody cancelled within one step, in any order; often both are the same task. */
  #burst(): readonly Step[] {
    const wake = () => this.#setting.vocabulary.wake(this);
    return this.random.weighted<() => readonly Step[]>([
      [4, () => [...wake(), ...this.cancels(1)]],
      [3, () => [...this.cancels(1), ...wake()]],
      [2, () => [...wake(), ...this.cancels(2)]],
      [2, () => [...this.cancels(1), ...wake(), ...this.cancels(1)]],
      [2, () => [...wake(), ...wake(), ...this.cancels(1)]],
      [1, () => [...wake(), { does: "turns", n: 1 }, ...this.cancels(1)]],
    ])();
  }

  /** Others are cancelled, or one of them twice. */
  cancels(times: number): Step[] {
    const { count, cancels_itself } = this.#setting;
    const { random } = this;
    const somebody = () => {
      // The first of all is likely to be the first in line, and thus the one that is woken.
      if (random.chance(35)) return this.#who === 0 ? 1 : 0;
      return (this.#who + random.between(cancels_itself ? 0 : 1, count - 1)) % count;
    };
    const first = somebody();
    return Array.from({ length: times }, (_, i) => ({
      does: "cancel",
      n: i === 0 || random.chance(50) ? first : somebody(),
      ...this.soon(),
    }));
  }

  /** For a step that does not wait. */
  soon(): { readonly soon?: true } {
    return this.random.chance(10) ? { soon: true } : {};
  }

  limit(): { readonly limit?: Limit } {
    const { random } = this;
    const { cancels_itself, vocabulary } = this.#setting;
    if (random.chance(50) || this.#inside_call || cancels_itself && vocabulary === CONDITION) return {};
    const how = random.pick(["timeout", "timeout", "wait_for", "call", "task"] as const);
    const seconds = random.between(0, 3);
    if (how === "task") return { limit: { how, seconds, turns: random.between(0, 2) } };
    const at_once = how === "wait_for" || how === "timeout" && !cancels_itself;
    return { limit: { how, seconds: at_once ? seconds : Math.max(seconds, 1) } };
  }

  /** A block, at times of no steps, and its limit. */
  block(): { readonly limit?: Limit; readonly steps: readonly Step[] } {
    const limit = this.limit();
    const was_inside_call = this.#inside_call;
    this.#inside_call ||= limit.limit?.how === "call";
    this.depth++;
    const steps = this.#steps(0, 2);
    this.depth--;
    this.#inside_call = was_inside_call;
    return { ...limit, steps };
  }

  /** An item for a queue, unlike every other of the program, in no order. */
  item(): number {
    this.#items += this.#setting.count;
    return this.random.between(1, 3) * 100 + this.#items;
  }
}

/** Acquires and releases around a block, by `async with` or by hand. */
function lock_block(writer: Writer): Step {
  return { does: writer.random.pick(["with", "pair"]), ...writer.block() };
}

function locks(sizes: readonly number[]): Vocabulary {
  return {
    sizes,
    use: (writer) => {
      const { random } = writer;
      if (writer.depth === 0 && random.chance(92)) return lock_block(writer);
      // Inside of a `Lock` that is for ever, unless somebody cancels it.
      if (writer.depth === 1 && random.chance(20)) return lock_block(writer);
      if (writer.depth > 0 && random.chance(80)) return writer.stay();
      return random.chance(50) ? { does: "release", ...writer.soon() } : { does: "acquire", ...writer.limit() };
    },
    wake: (writer) => {
      const { random } = writer;
      if (writer.depth > 0) return random.chance(20) ? [{ does: "release", ...writer.soon() }] : [];
      if (random.chance(25)) return [{ does: "release", ...writer.soon() }];
      const steps = [writer.stay(), ...random.chance(40) ? writer.cancels(1) : []];
      return [{ does: random.pick(["with", "pair"]), steps }];
    },
  };
}

const EVENT: Vocabulary = {
  sizes: [0],
  use: (writer) =>
    writer.random.chance(65)
      ? { does: "wait", ...writer.limit() }
      : { does: writer.random.pick(["set", "clear", "clear"]), ...writer.soon() },
  wake: (writer) => {
    const set: Step = { does: "set", ...writer.soon() };
    return writer.random.chance(40) ? [set] : [set, { does: "clear", ...writer.soon() }];
  },
};

const CONDITION: Vocabulary = {
  sizes: [0],
  use: (writer) => {
    const { random } = writer;
    const wait = (): Step =>
      random.chance(50)
        ? { does: "wait", ...writer.limit() }
        : { does: "wait_for", n: random.between(1, 2), ...writer.limit() };
    if (writer.depth > 0 || random.chance(4)) return wait();
    return random.chance(40) ? lock_block(writer) : { does: random.pick(["with", "pair"]), steps: [wait()] };
  },
  wake: (writer) => {
    const { random } = writer;
    const does = random.weighted([[3, "notify"], [3, "put"], [1, "notify_all"]]);
    const notify: Step = { does, ...does === "notify_all" ? {} : { n: random.between(1, 2) }, ...writer.soon() };
    if (writer.depth > 0 || random.chance(5)) return [notify];
    return [{ does: "with", steps: [notify, ...random.chance(40) ? writer.cancels(1) : []] }];
  },
};

const BARRIER: Vocabulary = {
  sizes: [1, 2, 2, 2, 3, 3, 4],
  use: (writer) => {
    const does = writer.random.weighted([[7, "wait"], [2, "with"], [1, "reset"], [1, "abort"]]);
    if (does === "with" && writer.depth < 2) return { does, ...writer.block() };
    return { does: does === "with" ? "wait" : does, ...writer.limit() };
  },
  // Whoever comes last does not wait.
  wake: ({ random }) => [{ does: random.weighted([[6, "wait"], [1, "reset"], [1, "abort"]]) }],
};

const QUEUE: Vocabulary = {
  sizes: [0, 1, 1, 1, 1, 2, 2, 3],
  moods: [
    // Those who take wait for items.
    { use: [[16, "get"], [2, "put"], [1, "join"]], wake: [[16, "put_nowait"], [1, "get_nowait"], [1, "shutdown"]] },
    // Those who put wait for room.
    {
      use: [[16, "put"], [2, "get"], [1, "join"]],
      wake: [[16, "get_nowait"], [1, "put_nowait"], [1, "shutdown"]],
      starts_full: true,
    },
    {
      use: [[4, "join"], [3, "put"], [3, "get"]],
      wake: [[8, "task_done"], [5, "put_nowait"], [3, "get_nowait"], [1, "shutdown"]],
    },
  ],
  use: (writer) => {
    const does = writer.random.weighted(writer.mood.use);
    return { does, ...does === "put" ? { n: writer.item() } : {}, ...writer.limit() };
  },
  wake: (writer) => {
    const does = writer.random.weighted(writer.mood.wake);
    const n = does === "put_nowait" ? writer.item() : does === "shutdown" ? writer.random.between(0, 1) : undefined;
    return [{ does, ...n === undefined ? {} : { n }, ...writer.soon() }];
  },
};

const VOCABULARIES: Readonly<Record<Kind, Vocabulary>> = {
  Lock: locks([0]),
  Semaphore: locks([0, 1, 1, 2, 2, 3]),
  BoundedSemaphore: locks([1, 1, 2, 2, 3]),
  Event: EVENT,
  Condition: CONDITION,
  Barrier: BARRIER,
  Queue: QUEUE,
  LifoQueue: QUEUE,
  PriorityQueue: QUEUE,
};

/** The program of a number. */
export function make_program(kind: Kind, seed: number): Program {
  const random = new Random(seed * KINDS.length + KINDS.indexOf(kind));
  const vocabulary = VOCABULARIES[kind];
  const setting = {
    random,
    vocabulary,
    mood: random.pick(vocabulary.moods ?? [{ use: [], wake: [] }]),
    size: random.pick(vocabulary.sizes),
    count: random.pick([2, 3, 3, 4, 4, 5, 5, 6]),
    cancels_itself: random.chance(20),
    crowd: random.chance(50),
  };
  const tasks = Array.from({ length: setting.count }, (_, who) => new Writer(setting, who).script());
  return { kind, size: setting.size, tasks };
}
