/**
 * Runs the programs of `generator.ts` and tells what happened, line by line; interpreter.py is the twin.
 *
 * @module
 */

import * as asyncio from "../../../mod.ts";
import { run_virtual } from "../../_helpers.ts";
import { attempt, show } from "../helpers.ts";
import { type Kind, name_of, type Program, type Script, type Step } from "./program.ts";

/** What a step does: gives the library's own future where it waits. `run` plays the steps of the step's block. */
type Act = (step: Step, run: () => Promise<void>) => unknown;

/** What the steps are done to. */
interface Use {
  readonly acts: Readonly<Record<string, Act>>;
  state(): readonly unknown[];
}

function lock_acts(lock: asyncio.Lock | asyncio.Semaphore | asyncio.Condition): Use["acts"] {
  return {
    acquire: () => lock.acquire(),
    release: () => lock.release(),
    with: (_, run) =>
      asyncio.async_with(lock as asyncio.AsyncContextManager<null>, async (entered) => {
        await run();
        return entered;
      }),
  };
}

function lock_use(lock: asyncio.Lock | asyncio.Semaphore): Use {
  return {
    acts: lock_acts(lock),
    state: () => [lock.locked(), lock instanceof asyncio.Semaphore ? lock._value : 0],
  };
}

function event_use(event: asyncio.Event): Use {
  return {
    acts: { wait: () => event.wait(), set: () => event.set(), clear: () => event.clear() },
    state: () => [event.is_set()],
  };
}

/** Those that wait for goods take them. */
function condition_use(condition: asyncio.Condition): Use {
  let goods = 0;
  return {
    acts: {
      ...lock_acts(condition),
      wait: () => condition.wait(),
      wait_for: ({ n }) =>
        condition.wait_for(() => {
          const taken = goods >= n!;
          if (taken) goods -= n!;
          return taken;
        }),
      put: ({ n }) => {
        goods += n!;
        condition.notify(n);
      },
      notify: ({ n }) => condition.notify(n),
      notify_all: () => condition.notify_all(),
    },
    state: () => [condition.locked(), goods],
  };
}

function barrier_use(barrier: asyncio.Barrier): Use {
  return {
    acts: {
      wait: () => barrier.wait(),
      reset: () => barrier.reset(),
      abort: () => barrier.abort(),
      with: (_, run) =>
        asyncio.async_with(barrier, async (number) => {
          await run();
          return number;
        }),
    },
    state: () => [barrier.n_waiting, barrier.broken],
  };
}

function queue_use(queue: asyncio.Queue<number>): Use {
  return {
    acts: {
      put: ({ n }) => queue.put(n!),
      get: () => queue.get(),
      join: () => queue.join(),
      put_nowait: ({ n }) => queue.put_nowait(n!),
      get_nowait: () => queue.get_nowait(),
      task_done: () => queue.task_done(),
      shutdown: ({ n }) => queue.shutdown({ immediate: n === 1 }),
    },
    state: () => [queue.qsize(), queue.full()],
  };
}

const USES: Readonly<Record<Kind, (size: number) => Use>> = {
  Lock: () => lock_use(new asyncio.Lock()),
  Semaphore: (value) => lock_use(new asyncio.Semaphore(value)),
  BoundedSemaphore: (value) => lock_use(new asyncio.BoundedSemaphore(value)),
  Event: () => event_use(new asyncio.Event()),
  Condition: () => condition_use(new asyncio.Condition()),
  Barrier: (parties) => barrier_use(new asyncio.Barrier(parties)),
  Queue: (maxsize) => queue_use(new asyncio.Queue(maxsize)),
  LifoQueue: (maxsize) => queue_use(new asyncio.LifoQueue(maxsize)),
  PriorityQueue: (maxsize) => queue_use(new asyncio.PriorityQueue(maxsize)),
};

/** One run of a program. */
class Run {
  readonly lines: string[] = [];
  readonly #program: Program;
  readonly #use: Use;
  readonly #tasks: asyncio.Task<unknown>[] = [];
  #cancels = 0;

  constructor(program: Program) {
    this.#program = program;
    this.#use = USES[program.kind](program.size);
  }

  #note(who: string, ...words: string[]): void {
    const time = asyncio.get_running_loop().time();
    this.lines.push([time, who, ...words, "|", ...this.#use.state().map((each) => show(each))].join(" "));
  }

  async main(): Promise<void> {
    asyncio.get_running_loop().set_exception_handler(() => {});
    const scripts = this.#program.tasks;
    scripts.forEach((script, who) => {
      this.#tasks.push(asyncio.create_task(() => this.#play(name_of(who), script)));
    });
    await asyncio.sleep(100);
    // Whoever still waits does so for ever: it is cancelled, and what it then does is to be seen as well.
    for (let round = 0;; round++) {
      const stuck = this.#tasks.filter((task) => !task.done());
      if (stuck.length === 0) break;
      if (round === 50) throw new asyncio.RuntimeError("The program waits for ever");
      this.#note("stuck", String(stuck.length));
      if (this.#program.kind === "Condition" && this.#use.state()[0]) {
        this.#use.acts.release({ does: "release" }, NOTHING);
      }
      for (const task of stuck) task.cancel("stuck");
      await asyncio.sleep(100);
    }
    for (let who = 0; who < scripts.length; who++) {
      let outcome: unknown;
      try {
        outcome = await this.#tasks[who];
      } catch (error) {
        outcome = error;
      }
      this.#note(name_of(who), "ends:", show(outcome));
    }
  }

  async #play(who: string, { goes_on, steps }: Script): Promise<void> {
    for (const step of steps) {
      try {
        await this.#perform(who, step);
      } catch (error) {
        if (error instanceof asyncio.CancelledError && !goes_on) throw error;
      }
    }
  }

  async #steps(who: string, steps: readonly Step[]): Promise<void> {
    for (const step of steps) await this.#perform(who, step);
  }

  async #perform(who: string, step: Step): Promise<void> {
    const { does } = step;
    if (step.soon) return void asyncio.get_running_loop().call_soon(() => this.#perform_soon(who, step));
    let result: unknown = null;
    try {
      if (does === "pair") {
        this.#note(who, "acquire:", show(await this.#limited(who, step, "acquire")));
        try {
          await this.#steps(who, step.steps!);
        } finally {
          this.#use.acts.release(step, NOTHING);
        }
      } else {
        result = await this.#limited(who, step, does);
      }
    } catch (error) {
      this.#note(who, `${does}:`, show(error));
      throw error;
    }
    this.#note(who, `${does}:`, show(result));
  }

  #perform_soon(who: string, step: Step): void {
    const outcome = attempt(() => this.#act(who, step, step.does));
    this.#note(who, `soon ${step.does}:`, show(outcome));
  }

  async #limited(who: string, step: Step, does: string): Promise<unknown> {
    const { limit } = step;
    const act = () => this.#act(who, step, does);
    if (limit === undefined) return await act();
    const { how, seconds } = limit;
    if (how === "timeout") return await asyncio.async_with(asyncio.timeout(seconds), act);
    if (how === "wait_for") return await asyncio.wait_for(async () => await act(), seconds);
    if (how === "call") return await asyncio.wait_for(act() as asyncio.Future<unknown>, seconds);
    const task = asyncio.create_task(async () => await act());
    this.#tasks.push(task);
    try {
      for (let i = 0; i < limit.turns!; i++) await asyncio.sleep(0);
    } catch (error) {
      task.cancel();
      throw error;
    }
    return await asyncio.wait_for(task, seconds);
  }

  #act(who: string, step: Step, does: string): unknown {
    if (does === "turns") return this.#turns(who, step.n!);
    if (does === "sleep") return asyncio.sleep(step.n!);
    if (does === "cancel") return this.#tasks[step.n!].cancel(`#${++this.#cancels}`);
    return this.#use.acts[does](step, () => this.#steps(who, step.steps!));
  }

  async #turns(who: string, count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      await asyncio.sleep(0);
      this.#note(who, "turn");
    }
  }
}

const NOTHING = async () => {};

/** What happens when a program runs. */
export async function transcript_of(program: Program): Promise<string[]> {
  const run = new Run(program);
  await run_virtual(() => run.main());
  return run.lines;
}
