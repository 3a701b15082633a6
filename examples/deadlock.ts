// Two tasks take two locks, each in its own order, and so wait for each other. The main task notices, prints who waits for what,
// and ends the deadlock by cancelling one of them.
//
//   deno run examples/deadlock.ts

import * as asyncio from "../mod.ts";

const savings = new asyncio.Lock();
const checking = new asyncio.Lock();

async function transfer(from: asyncio.Lock, to: asyncio.Lock): Promise<void> {
  await asyncio.async_with(from, async () => {
    await asyncio.sleep(0.01); // long enough for the other one to take its first lock
    await asyncio.async_with(to, () => console.log(`${asyncio.current_task()!.get_name()}: transferred`));
  });
}

/** Looks for tasks that wait for each other, until there are some. */
async function find_deadlock(): Promise<readonly asyncio.Task<unknown>[]> {
  for (;;) {
    const stuck = asyncio.capture_tasks().find(({ cycle }) => cycle !== null);
    if (stuck !== undefined) return stuck.cycle!;
    await asyncio.sleep(0.02);
  }
}

async function main(): Promise<void> {
  const transfers = [
    asyncio.create_task(() => transfer(savings, checking), { name: "alice" }),
    asyncio.create_task(() => transfer(checking, savings), { name: "bob" }),
  ];
  const [victim] = await find_deadlock();
  asyncio.pstree();
  victim.cancel();
  await asyncio.gather(...transfers, { return_exceptions: true });
  console.log(`${victim.get_name()}: cancelled`);
}

// In debug mode, locks know which task has them.
if (import.meta.main) await asyncio.run(main, { debug: true });
