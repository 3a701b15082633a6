/** What std's helpers cost, where they do the same job. Usage: tasks_std.ts CASE COUNT SECONDS */
import { deadline, delay, pooledMap } from "@std/async";
import { type Body, measure } from "./_measure.ts";

async function work(): Promise<number> {
  return await 1;
}

const bodies: Record<string, Body> = {
  async ten_at_a_time(count) {
    for await (const _ of pooledMap(10, Array.from({ length: count }), work)) { /* Only count. */ }
  },
  async sleeps(count) {
    await Promise.all(Array.from({ length: count }, () => delay(1)));
  },
  async wait_for(count) {
    for (let i = 0; i < count; i++) await deadline(work(), 60_000);
  },
};

await measure(bodies);
