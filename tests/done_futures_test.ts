import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import * as asyncio from "@asyncio/deno";

/** Calls that need not wait, and what they give. */
const CALLS: readonly (readonly [name: string, call: () => asyncio.Future<unknown>, result: unknown])[] = [
  ["Lock.acquire()", () => new asyncio.Lock().acquire(), true],
  ["Semaphore.acquire()", () => new asyncio.Semaphore(1).acquire(), true],
  ["Queue.put()", () => new asyncio.Queue<number>().put(1), undefined],
  ["Queue.join()", () => new asyncio.Queue<number>().join(), undefined],
  ["Lock.__aenter__()", () => new asyncio.Lock().__aenter__(), null],
  ["Queue.get()", () => {
    const queue = new asyncio.Queue<string>();
    queue.put_nowait("item");
    return queue.get();
  }, "item"],
];

for (const [name, call, result] of CALLS) {
  Deno.test(`${name} that need not wait gives a future with everything that a future has`, async () => {
    await asyncio.run(async () => {
      const future = call();
      assert(asyncio.isfuture(future) && future instanceof asyncio.Future);
      assertEquals([future.done(), future.cancelled(), future.cancel(), future.exception()], [
        true,
        false,
        false,
        null,
      ]);
      assertEquals([future.result(), await future], [result, result]);
      assertEquals(await future.then((value) => [value]), [result]);
      assertEquals(await future.catch(() => "unused"), result);
      assertEquals(await future.finally(() => {}), result);
      assertStrictEquals(future.get_loop(), asyncio.get_running_loop());
      assertThrows(() => future.set_result(1), asyncio.InvalidStateError);
      assertThrows(() => future.set_exception(new Error()), asyncio.InvalidStateError);
      assertEquals(
        `${Object.prototype.toString.call(future)} ${Deno.inspect(future).split(" ")[0]}`,
        "[object Future] <Future",
      );
      assertEquals(await asyncio.create_task(() => future), result);
      assertEquals(await asyncio.create_task(future), result);
      assertEquals(await asyncio.shield(future), result);
      assertEquals(await asyncio.wait_for(future, 1), result);
      assertEquals(await asyncio.gather(future, call()), [result, result]);
      const [done, pending] = await asyncio.wait([future]);
      assertEquals([done.has(future), pending.size], [true, 0]);
    });
  });

  Deno.test(`a callback added to the future of ${name} gets that future, through the loop`, async () => {
    await asyncio.run(async () => {
      const future = call();
      const heard: unknown[] = [];
      future.add_done_callback((each) => heard.push(each));
      const unheard = () => heard.push("removed");
      assertEquals(future.remove_done_callback(unheard), 0);
      assertEquals(heard.length, 0);
      await asyncio.sleep(0);
      assertEquals(heard.length, 1);
      assertStrictEquals(heard[0], future);
    });
  });

  Deno.test(`as_completed() gives as many results as there were calls of ${name}`, async () => {
    await asyncio.run(async () => {
      let count = 0;
      for await (const future of asyncio.as_completed([call(), call(), call()])) {
        assertEquals(future.result(), result);
        count++;
      }
      assertEquals(count, 3);
    });
  });
}
