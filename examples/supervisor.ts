// Runs a program, and starts it again whenever it fails: at once a little later, then after twice as long each time.
//
//   deno run --allow-run examples/supervisor.ts program [argument...]
//
// SIGTERM and Ctrl-C end it; the program is asked to end before, and killed if it takes too long.

import * as asyncio from "../mod.ts";
import { run_program, UsageError } from "./_command_line.ts";

const USAGE = "deno run --allow-run examples/supervisor.ts program [argument...]";

/** When to start a program again; times in seconds. */
export interface BackOff {
  /** The first delay. */
  readonly shortest: number;
  /** Where doubling it ends. */
  readonly longest: number;
  /** A program that ran for so long did not fail at its start: it begins with the first delay again. */
  readonly healthy: number;
}

const BACK_OFF: BackOff = { shortest: 0.1, longest: 30, healthy: 10 };

/** Runs a program until it succeeds, or the task is cancelled. */
export async function supervise(
  program: string,
  args: readonly string[],
  { shortest, longest, healthy }: BackOff = BACK_OFF,
): Promise<void> {
  const loop = asyncio.get_running_loop();
  for (let delay = shortest;; delay = Math.min(2 * delay, longest)) {
    const started = loop.time();
    {
      // In its own session, so that Ctrl-C does not reach it: the end of this block, also after a cancellation, ends it.
      await using process = await asyncio.create_subprocess_exec(program, ...args, { start_new_session: true });
      console.log(`Process ${process.pid} runs`);
      const returncode = await process.wait();
      if (returncode === 0) return;
      if (loop.time() - started >= healthy) delay = shortest;
      console.log(`Process ${process.pid} ${how_it_ended(returncode)}; the next one starts in ${delay} s`);
    }
    await asyncio.sleep(delay);
  }
}

function how_it_ended(returncode: number): string {
  return returncode < 0 ? `was ended by signal ${-returncode}` : `failed with code ${returncode}`;
}

async function main([program, ...args]: readonly string[]): Promise<void> {
  if (program === undefined) throw new UsageError("a program is needed");
  const supervisor = asyncio.create_task(() => supervise(program, args));
  const loop = asyncio.get_running_loop();
  for (const signal of Deno.build.os === "windows" ? ["SIGINT"] as const : ["SIGINT", "SIGTERM"] as const) {
    loop.add_signal_handler(signal, () => {
      console.log(`Stopping, because of ${signal}`);
      supervisor.cancel();
    });
  }
  await asyncio.wait([supervisor]);
  if (!supervisor.cancelled()) supervisor.result();
}

if (import.meta.main) await run_program(USAGE, () => asyncio.run(() => main(Deno.args)));
