import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";
import { error_of, run_virtual, Transcript } from "./_helpers.ts";

Deno.test("calling a coroutine function starts nothing; awaiting the call does, in the caller's own task", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const work = asyncio.coroutine(async function work(name: string) {
      log(name);
      await asyncio.sleep(1);
      return [asyncio.current_task()];
    });
    assertEquals(work.name, "work");
    const call = work("started");
    await asyncio.sleep(1);
    assertEquals(text(), "");
    const [task] = await call;
    assertEquals([text(), task === asyncio.current_task()], ["started", true]);
  });
});

Deno.test("a coroutine can be used once, whoever takes it", async () => {
  await run_virtual(async () => {
    const work = asyncio.coroutine(async function work() {});
    const call = work();
    await call;
    for (const again of [call, asyncio.create_task(call), asyncio.wait_for(call, 1)]) {
      const error = await error_of(again);
      assertInstanceOf(error, asyncio.RuntimeError);
      assertEquals(error.message, 'cannot reuse already awaited coroutine "work"');
    }
  });
});

Deno.test("close() gives a coroutine up", async () => {
  await run_virtual(async () => {
    const call = asyncio.coroutine(async function work() {})();
    call.close();
    call.close();
    assertEquals((await error_of(call)).message, 'Cannot start coroutine "work": it was closed');
    assertEquals(Deno.inspect(call), "<Coroutine work closed>");
  });
});

Deno.test("an error of a coroutine comes out of its await, one thrown before its first wait too", async () => {
  const work = asyncio.coroutine((): Promise<void> => {
    throw new RangeError("at once");
  });
  assertEquals((await error_of(work())).message, "at once");
});

Deno.test("cancelling a task reaches the coroutine that it awaits", async () => {
  await run_virtual(async () => {
    const work = asyncio.coroutine(() => asyncio.sleep(3600));
    const task = asyncio.create_task(async () => await work());
    await asyncio.sleep(1);
    task.cancel("why");
    assertEquals((await error_of(task)).message, "why");
  });
});

Deno.test("iscoroutine() knows coroutine objects from functions, futures and promises", () => {
  const work = asyncio.coroutine(async () => {});
  const call = work();
  assertEquals([call, work, async () => {}, Promise.resolve(), null].map(asyncio.iscoroutine), [
    true,
    false,
    false,
    false,
    false,
  ]);
  call.close();
  // deno-lint-ignore no-explicit-any
  assertThrows(() => asyncio.coroutine(1 as any), TypeError, '"fn" must be a function, got 1');
});
