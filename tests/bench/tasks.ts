/** What tasks cost with this library. Usage: tasks.ts CASE COUNT SECONDS. The twin of tasks.py. */
import * as asyncio from "../../mod.ts";
import { type Body, measure } from "./_measure.ts";

async function work(): Promise<number> {
  return await 1;
}

async function tasks_at_once(count: number): Promise<void> {
  await asyncio.wait(Array.from({ length: count }, () => asyncio.create_task(() => asyncio.sleep(0))));
}

const bodies: Record<string, Body> = {
  async create_and_await(count) {
    for (let i = 0; i < count; i++) await asyncio.create_task(work);
  },
  async gather(count) {
    // A function each: what is given twice is run once.
    await asyncio.gather(...Array.from({ length: count }, () => () => work()));
  },
  async task_group(count) {
    await asyncio.async_with(new asyncio.TaskGroup(), (group) => {
      for (let i = 0; i < count; i++) group.create_task(work);
    });
  },
  async cancel(count, started) {
    const sleepers = Array.from({ length: count }, () => asyncio.create_task(() => asyncio.sleep(3600)));
    await asyncio.sleep(0);
    started();
    for (const task of sleepers) task.cancel();
    await asyncio.wait(sleepers);
  },
  async ten_at_a_time(count) {
    const semaphore = new asyncio.Semaphore(10);
    await asyncio.async_with(new asyncio.TaskGroup(), (group) => {
      for (let i = 0; i < count; i++) group.create_task(() => asyncio.async_with(semaphore, work));
    });
  },
  async sleep_0(count) {
    for (let i = 0; i < count; i++) await asyncio.sleep(0);
  },
  async timers(count) {
    const loop = asyncio.get_running_loop();
    const done = loop.create_future<void>();
    let missing = count;
    const fire = () => {
      if (--missing === 0) done.set_result(undefined);
    };
    for (let i = 0; i < count; i++) loop.call_later(0.001, fire);
    await done;
  },
  async sleeps(count) {
    await asyncio.wait(Array.from({ length: count }, () => asyncio.create_task(() => asyncio.sleep(0.001))));
  },
  async timeout(count) {
    for (let i = 0; i < count; i++) await asyncio.async_with(asyncio.timeout(60), () => {});
  },
  async wait_for(count) {
    for (let i = 0; i < count; i++) await asyncio.wait_for(work, 60);
  },
  async done_future(count) {
    const future = new asyncio.Future<number>();
    future.set_result(1);
    for (let i = 0; i < count; i++) await future;
  },
  async pending_future(count) {
    const loop = asyncio.get_running_loop();
    for (let i = 0; i < count; i++) {
      const future = loop.create_future<number>();
      loop.call_soon((result: number) => future.set_result(result), 1);
      await future;
    }
  },
  async hand_over(count) {
    let turn = new asyncio.Future<void>();
    let back = new asyncio.Future<void>();
    const other = asyncio.create_task(async () => {
      for (let i = 0; i < count; i++) {
        await turn;
        turn = new asyncio.Future<void>();
        back.set_result(undefined);
      }
    });
    for (let i = 0; i < count; i++) {
      const waiter = back;
      turn.set_result(undefined);
      await waiter;
      back = new asyncio.Future<void>();
    }
    await other;
  },
  async queue_hand_over(count) {
    const queue = new asyncio.Queue<number>(1);
    const consumer = asyncio.create_task(async () => {
      for (let i = 0; i < count; i++) await queue.get();
    });
    for (let i = 0; i < count; i++) await queue.put(i);
    await consumer;
  },
  async queue_put_and_get(count) {
    const queue = new asyncio.Queue<number>();
    for (let i = 0; i < count; i++) {
      await queue.put(i);
      await queue.get();
    }
  },
  async lock(count) {
    const lock = new asyncio.Lock();
    for (let i = 0; i < count; i++) {
      await lock.acquire();
      lock.release();
    }
  },
  async contended_lock(count) {
    const lock = new asyncio.Lock();
    const worker = async () => {
      for (let i = 0; i < count / 2; i++) {
        await lock.acquire();
        await asyncio.sleep(0);
        lock.release();
      }
    };
    await asyncio.wait([asyncio.create_task(worker), asyncio.create_task(worker)]);
  },
  async memory_stream(count) {
    const [send, receive] = asyncio.create_memory_object_stream<number>(0);
    const consumer = asyncio.create_task(async () => {
      for (let i = 0; i < count; i++) await receive.receive();
    });
    for (let i = 0; i < count; i++) await send.send(i);
    await consumer;
    send.close();
    receive.close();
  },
  tasks_at_once,
};

await asyncio.run(() => measure(bodies));
