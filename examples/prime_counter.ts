// Counts prime numbers on all cores, and tells how much faster that is than on one.
//
//   deno run examples/prime_counter.ts [limit] [threads]

import * as asyncio from "../mod.ts";
import { run_program, whole_number } from "./_command_line.ts";

const USAGE = "deno run examples/prime_counter.ts [limit=4000000] [threads=all cores]\n" +
  "  limit    numbers below it are looked at\n" +
  "  threads  how many work at a time";

/** More parts than threads: large numbers take longer, and a thread that is done early takes the next part. */
const PARTS_PER_THREAD = 8;

/** The number of primes from `first` up to `end`. It is sent to a thread, so all that it needs is inside. */
function count_primes(first: number, end: number): number {
  let count = 0;
  for (let n = Math.max(first, 2); n < end; n++) {
    let prime = true;
    for (let divisor = 2; prime && divisor * divisor <= n; divisor++) prime = n % divisor !== 0;
    if (prime) count++;
  }
  return count;
}

/** The number of primes below `limit`, counted in parts by some threads. */
export async function count_in_threads(limit: number, threads: number): Promise<number> {
  await using pool = new asyncio.ThreadPoolExecutor({ max_workers: threads });
  asyncio.get_running_loop().set_default_executor(pool);
  const parts = threads * PARTS_PER_THREAD;
  const bounds = Array.from({ length: parts + 1 }, (_, index) => Math.floor(index * limit / parts));
  const counts = await asyncio.gather(
    ...bounds.slice(1).map((end, index) => asyncio.to_thread(count_primes, bounds[index], end)),
  );
  return counts.reduce((sum, each) => sum + each, 0);
}

async function timed<T>(fn: () => Promise<T>): Promise<[result: T, seconds: number]> {
  const start = performance.now();
  return [await fn(), (performance.now() - start) / 1000];
}

async function main(args: readonly string[]): Promise<void> {
  const [limit_text = "4000000", threads_text = String(navigator.hardwareConcurrency)] = args;
  const limit = whole_number("limit", limit_text, 1, 1_000_000_000);
  const threads = whole_number("threads", threads_text, 1, 1000);
  const [, one] = await timed(() => count_in_threads(limit, 1));
  const [count, all] = await timed(() => count_in_threads(limit, threads));
  console.log(`${count} primes below ${limit}`);
  console.log(`1 thread:  ${one.toFixed(2)} s`);
  console.log(`${threads} threads: ${all.toFixed(2)} s, ${(one / all).toFixed(2)} times as fast`);
}

if (import.meta.main) await run_program(USAGE, () => asyncio.run(() => main(Deno.args)));
