/** What tasks cost: prints nanoseconds for each operation as JSON. The twin of tasks.py. */
import * as asyncio from "../../mod.ts";

const COUNT = 50_000;
const results: Record<string, number> = {};

async function measure(name: string, count: number, body: () => Promise<unknown>): Promise<void> {
  const start = performance.now();
  await body();
  results[name] = (performance.now() - start) * 1e6 / count;
}

async function work(): Promise<number> {
  return await 1;
}

async function all(): Promise<void> {
  await measure("create_task and await", COUNT, async () => {
    for (let i = 0; i < COUNT; i++) await asyncio.create_task(work);
  });
  await measure("gather of 50,000", COUNT, async () => {
    await asyncio.gather(...Array.from({ length: COUNT }, () => () => work()));
  });
  await measure("sleep(0)", COUNT, async () => {
    for (let i = 0; i < COUNT; i++) await asyncio.sleep(0);
  });
  await measure("await a done future", COUNT, async () => {
    const future = new asyncio.Future<number>();
    future.set_result(1);
    for (let i = 0; i < COUNT; i++) await future;
  });
  await measure("await a pending future", COUNT, async () => {
    const loop = asyncio.get_running_loop();
    for (let i = 0; i < COUNT; i++) {
      const future = loop.create_future<number>();
      loop.call_soon((result: number) => future.set_result(result), 1);
      await future;
    }
  });
  await measure("hand over between two tasks", COUNT, async () => {
    let turn = new asyncio.Future<void>();
    const other = asyncio.create_task(async () => {
      for (let i = 0; i < COUNT; i++) {
        await turn;
        turn = new asyncio.Future<void>();
        back.set_result(undefined);
      }
    });
    let back = new asyncio.Future<void>();
    for (let i = 0; i < COUNT; i++) {
      const waiter = back;
      turn.set_result(undefined);
      await waiter;
      back = new asyncio.Future<void>();
    }
    await other;
  });
  await measure("queue hand-over", COUNT, async () => {
    const queue = new asyncio.Queue<number>(1);
    const consumer = asyncio.create_task(async () => {
      for (let i = 0; i < COUNT; i++) await queue.get();
    });
    for (let i = 0; i < COUNT; i++) await queue.put(i);
    await consumer;
  });
  await measure("queue put and get without waiting", COUNT, async () => {
    const queue = new asyncio.Queue<number>();
    for (let i = 0; i < COUNT; i++) {
      await queue.put(i);
      await queue.get();
    }
  });
  await measure("lock without contention", COUNT, async () => {
    const lock = new asyncio.Lock();
    for (let i = 0; i < COUNT; i++) {
      await lock.acquire();
      lock.release();
    }
  });
  const sleepers = Array.from({ length: 100_000 }, () => asyncio.create_task(() => asyncio.sleep(3600)));
  await asyncio.sleep(0);
  await measure("cancel of 100,000 sleeping tasks", 100_000, async () => {
    for (const task of sleepers) task.cancel();
    await asyncio.wait(sleepers);
  });
  await measure("timeout", COUNT, async () => {
    for (let i = 0; i < COUNT; i++) await asyncio.async_with(asyncio.timeout(60), () => {});
  });
  await measure("task group of 50,000", COUNT, async () => {
    await asyncio.async_with(new asyncio.TaskGroup(), (group) => {
      for (let i = 0; i < COUNT; i++) group.create_task(() => work());
    });
  });
}

// The first round is for the compiler.
await asyncio.run(all);
await asyncio.run(all);
console.log(JSON.stringify(results));
