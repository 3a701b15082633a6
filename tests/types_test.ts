// What compiles and what does not: `deno check` is the test, and a `@ts-expect-error` without an error fails it.

import { assertEquals } from "@std/assert";
import * as asyncio from "../mod.ts";
import { run_virtual } from "./_helpers.ts";

/** True only if both types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

function check<_T extends true>(): void {}

async function work(n: number): Promise<number> {
  await asyncio.sleep(0);
  return n;
}

Deno.test("a promise where a coroutine is expected does not compile", async () => {
  await run_virtual(async () => {
    const refused: (() => unknown)[] = [
      // @ts-expect-error a promise already runs and cannot be cancelled
      () => asyncio.create_task(work(1)),
      // @ts-expect-error the same in a group
      () => new asyncio.TaskGroup().create_task(work(1)),
      // @ts-expect-error the same in a task
      () => new asyncio.Task(work(1)),
      // @ts-expect-error and as a main coroutine
      () => asyncio.run(work(1)),
      // @ts-expect-error one future is no iterable
      () => asyncio.wait(new asyncio.Future<number>()),
      // @ts-expect-error a task's coroutine sets its result
      (task: asyncio.Task<number>) => task.set_result(1).anything,
    ];
    assertEquals(refused.length, 6);
    assertEquals(await asyncio.create_task(() => work(1)), 1);
  });
});

Deno.test("gather() infers the tuple of its results", async () => {
  await run_virtual(async () => {
    const results = await asyncio.gather(() => work(1), asyncio.sleep(0, "text"), Promise.resolve(true));
    check<Same<typeof results, [number, string, boolean]>>();
    const [number, text, flag] = results;
    assertEquals([number.toFixed(1), text.toUpperCase(), !flag], ["1.0", "TEXT", false]);
    const list = await asyncio.gather(...[1, 2].map((n) => () => work(n)));
    check<Same<typeof list, number[]>>();
    assertEquals(list, [1, 2]);
    const with_errors = await asyncio.gather(() => work(1), () => "two", { return_exceptions: true });
    check<Same<typeof with_errors, [number | Error, string | Error]>>();
    assertEquals(with_errors, [1, "two"]);
    const without = await asyncio.gather(() => work(1), () => "two", { return_exceptions: false });
    assertEquals(without, [1, "two"]);
  });
});

Deno.test("every way of waiting knows the type of its result", async () => {
  await run_virtual(async () => {
    const task = asyncio.create_task(() => work(1));
    check<Same<typeof task, asyncio.Task<number>>>();
    const waited = await asyncio.wait_for(() => work(2), 1);
    check<Same<typeof waited, number>>();
    const shielded = await asyncio.shield(task);
    check<Same<typeof shielded, number>>();
    const block = await asyncio.async_with(asyncio.timeout(1), (deadline) => deadline.when());
    check<Same<typeof block, number | null>>();
    const [done] = await asyncio.wait([task]);
    check<Same<typeof done, Set<asyncio.Task<number>>>>();
    for await (const each of asyncio.as_completed([task])) {
      const result = each.result();
      check<Same<typeof result, number>>();
      assertEquals([result, done.has(each as asyncio.Future<number> as asyncio.Task<number>)], [1, true]);
    }
    const promise: Promise<number> = task;
    assertEquals([await promise, waited, shielded, block], [1, 2, 1, 1]);
    const nothing = asyncio.sleep(0);
    check<Same<typeof nothing, asyncio.Future<void>>>();
    await nothing;
  });
});
