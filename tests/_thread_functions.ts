// Functions that threads_test.ts has called in threads by the name of this module.

import * as asyncio from "../mod.ts";

const FACTOR = 3;

export function times_three(n: number): number {
  return n * FACTOR;
}

/** The library works in a thread as well. */
export async function sleep_in_thread(value: string): Promise<[value: string, task: string | undefined]> {
  return await asyncio.run(async () => [await asyncio.sleep(0.001, value), asyncio.current_task()?.get_name()]);
}

export default function named_default(): string {
  return "default";
}

export const number = 5;
