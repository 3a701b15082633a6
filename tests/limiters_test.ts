import { assertEquals, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";
import { error_of, run_virtual, Transcript } from "./_helpers.ts";
import { check_waiting_call } from "./_waiting_calls.ts";

Deno.test("CapacityLimiter lets as many through as it has tokens, the others in their order", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const limiter = new asyncio.CapacityLimiter(2);
    await asyncio.gather(...[1, 2, 3, 4].map((n) => () =>
      asyncio.async_with(limiter, async () => {
        log(`in${n}`);
        await asyncio.sleep(n);
        log(`out${n}`);
      })
    ));
    assertEquals(text(), "in1 in2 out1 in3 out2 in4 out3 out4");
    assertEquals([limiter.borrowed_tokens, limiter.available_tokens], [0, 2]);
  });
});

Deno.test("a borrower has one token at a time, and only a borrower gives one back", async () => {
  await run_virtual(async () => {
    const limiter = new asyncio.CapacityLimiter(3);
    await limiter.acquire();
    assertThrows(() => limiter.acquire(), asyncio.RuntimeError, "already");
    assertThrows(() => limiter.acquire_nowait(), asyncio.RuntimeError, "already");
    await limiter.acquire_on_behalf_of("job 1");
    assertEquals(limiter.statistics().borrowers, [asyncio.current_task(), "job 1"]);
    limiter.release();
    assertThrows(() => limiter.release(), asyncio.RuntimeError, "has no token");
    limiter.release_on_behalf_of("job 1");
    assertThrows(() => limiter.release_on_behalf_of("job 1"), asyncio.RuntimeError, '"job 1" has no token');
  });
});

Deno.test("a token that was given back is set aside for the one who waits, who cannot be overtaken", async () => {
  await run_virtual(async () => {
    const limiter = new asyncio.CapacityLimiter(1);
    limiter.acquire_on_behalf_of_nowait("a");
    const waiting = limiter.acquire_on_behalf_of("b");
    limiter.release_on_behalf_of("a");
    assertThrows(() => limiter.acquire_on_behalf_of_nowait("c"), asyncio.WouldBlock);
    await waiting;
    assertEquals(limiter.statistics(), { borrowed_tokens: 1, total_tokens: 1, borrowers: ["b"], tasks_waiting: 0 });
  });
});

Deno.test("one who is cancelled after its turn came gives the token to the next", async () => {
  await run_virtual(async () => {
    const limiter = new asyncio.CapacityLimiter(1);
    limiter.acquire_on_behalf_of_nowait("a");
    const first = asyncio.create_task(() => limiter.acquire_on_behalf_of("b"));
    const second = asyncio.create_task(() => limiter.acquire_on_behalf_of("c"));
    await asyncio.sleep(0);
    limiter.release_on_behalf_of("a");
    first.cancel();
    await second;
    assertEquals([first.cancelled(), limiter.statistics().borrowers], [true, ["c"]]);
    limiter.release_on_behalf_of("c");
    assertEquals(limiter.available_tokens, 1);
  });
});

Deno.test("the number of tokens can be changed while tasks wait", async () => {
  await run_virtual(async () => {
    const limiter = new asyncio.CapacityLimiter(0);
    const waiting = ["a", "b", "c"].map((name) => limiter.acquire_on_behalf_of(name));
    await asyncio.sleep(1);
    limiter.total_tokens = 2;
    await asyncio.sleep(1);
    assertEquals(waiting.map((each) => each.done()), [true, true, false]);
    limiter.total_tokens = 1;
    assertEquals(limiter.available_tokens, -1);
    limiter.release_on_behalf_of("a");
    await asyncio.sleep(1);
    assertEquals(waiting[2].done(), false);
    limiter.release_on_behalf_of("b");
    await waiting[2];
    limiter.total_tokens = Infinity;
    limiter.acquire_on_behalf_of_nowait("d");
  });
});

Deno.test("a signal ends the wait for a token with its reason", async () => {
  await run_virtual(async () => {
    const limiter = new asyncio.CapacityLimiter(0);
    const controller = new AbortController();
    const waiting = limiter.acquire(controller);
    controller.abort(new RangeError("enough"));
    assertEquals((await error_of(waiting)).message, "enough");
    assertEquals(limiter.statistics().tasks_waiting, 0);
    assertEquals((await error_of(limiter.acquire(controller))).message, "enough");
  });
});

check_waiting_call("CapacityLimiter.acquire_on_behalf_of()", () => {
  const limiter = new asyncio.CapacityLimiter(1);
  limiter.acquire_on_behalf_of_nowait("first");
  return {
    call: (options) => limiter.acquire_on_behalf_of(Symbol("borrower"), options),
    wake: () => limiter.release_on_behalf_of(limiter.statistics().borrowers[0]),
  };
});

Deno.test("a borrower that waits twice gets one token; the second wait fails if its turn comes before that is back", async () => {
  // Cause: both succeeded with one token, which only one could give back.
  await run_virtual(async () => {
    const limiter = new asyncio.CapacityLimiter(2);
    for (const name of ["x", "y"]) limiter.acquire_on_behalf_of_nowait(name);
    const waiting = ["b", "b", "c"].map((name) => limiter.acquire_on_behalf_of(name));
    limiter.release_on_behalf_of("x");
    limiter.release_on_behalf_of("y");
    const error = await error_of(waiting[1]);
    assertEquals(error.message, 'Cannot acquire: "b" has a token of this CapacityLimiter already');
    await waiting[0];
    await waiting[2];
    assertEquals(limiter.statistics().borrowers, ["b", "c"]);
    const later = [limiter.acquire_on_behalf_of("d"), limiter.acquire_on_behalf_of("d")];
    limiter.release_on_behalf_of("b");
    await later[0];
    limiter.release_on_behalf_of("d");
    await later[1];
    for (const name of ["c", "d"]) limiter.release_on_behalf_of(name);
    assertEquals(limiter.available_tokens, 2);
  });
});

Deno.test("CapacityLimiter refuses numbers that are none, and acquire() outside of a task", () => {
  assertThrows(() => new asyncio.CapacityLimiter(-1), RangeError, "got -1");
  assertThrows(() => new asyncio.CapacityLimiter(1.5), RangeError, "got 1.5");
  // @ts-expect-error A string is no number.
  assertThrows(() => new asyncio.CapacityLimiter("1"), TypeError, '"total_tokens" must be a number, got "1"');
  assertThrows(() => new asyncio.CapacityLimiter(1).acquire(), asyncio.RuntimeError, "acquire_on_behalf_of()");
});

Deno.test("ResourceGuard has a second user fail at once, until the first has left", () => {
  const guard = new asyncio.ResourceGuard("reading from");
  {
    using first = guard.enter();
    assertThrows(() => guard.enter(), asyncio.BusyResourceError, "Another task is already reading from this resource");
    first[Symbol.dispose]();
    using _second = guard.enter();
    // Disposed of twice, the first use does not end the second's.
    first[Symbol.dispose]();
    assertThrows(() => guard.enter(), asyncio.BusyResourceError);
  }
  guard.enter()[Symbol.dispose]();
});
