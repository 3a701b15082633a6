/** What Deno's own promises and timers cost, where they do the same job. Usage: tasks_bare.ts CASE COUNT SECONDS */
import { setImmediate } from "node:timers";
import { type Body, measure } from "./_measure.ts";

async function work(): Promise<number> {
  return await 1;
}

const bodies: Record<string, Body> = {
  async create_and_await(count) {
    for (let i = 0; i < count; i++) await work();
  },
  async gather(count) {
    await Promise.all(Array.from({ length: count }, work));
  },
  async sleep_0(count) {
    for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
  },
  async timers(count) {
    const { promise, resolve } = Promise.withResolvers<void>();
    let missing = count;
    const fire = () => {
      if (--missing === 0) resolve();
    };
    for (let i = 0; i < count; i++) setTimeout(fire, 1);
    await promise;
  },
  async done_future(count) {
    const promise = Promise.resolve(1);
    for (let i = 0; i < count; i++) await promise;
  },
  async memory_stream(count) {
    const { readable, writable } = new TransformStream<number, number>();
    const [reader, writer] = [readable.getReader(), writable.getWriter()];
    const consume = async () => {
      for (let i = 0; i < count; i++) await reader.read();
    };
    const consumer = consume();
    for (let i = 0; i < count; i++) await writer.write(i);
    await consumer;
  },
};

await measure(bodies);
