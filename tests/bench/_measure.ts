// What the programs that measure tasks share: one case a process, timed until the time is up.
import process from "node:process";

/** Starts the clock anew: what came before was preparation. */
export type Started = () => void;

/** Does something `count` times. */
export type Body = (count: number, started: Started) => Promise<unknown>;

async function once(body: Body, count: number): Promise<{ wall: number; cpu: number }> {
  let start = performance.now();
  let cpu = process.cpuUsage();
  await body(count, () => {
    start = performance.now();
    cpu = process.cpuUsage();
  });
  const wall = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  return { wall: wall * 1e6 / count, cpu: (user + system) * 1e3 / count };
}

/**
 * Runs the case that the arguments CASE COUNT SECONDS name: once for the compiler, then until SECONDS are over. Prints
 * the medians of the nanoseconds for each operation, by the clock and of processor time, as JSON.
 */
export async function measure(bodies: Readonly<Record<string, Body>>): Promise<void> {
  const [name, count, seconds] = [Deno.args[0], Number(Deno.args[1]), Number(Deno.args[2])];
  await once(bodies[name], count);
  const runs: { wall: number; cpu: number }[] = [];
  const start = performance.now();
  do runs.push(await once(bodies[name], count)); while (performance.now() - start < seconds * 1000);
  const middle = runs.length >> 1;
  const median = (key: "wall" | "cpu") => runs.map((run) => run[key]).sort((a, b) => a - b)[middle];
  console.log(JSON.stringify({ value: median("wall"), cpu: median("cpu") }));
}
