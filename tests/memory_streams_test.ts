import { assert, assertEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import * as asyncio from "../mod.ts";
import { error_of, run_virtual, Transcript } from "./_helpers.ts";

Deno.test("a memory object stream of size 0 has each send() wait for a receive()", async () => {
  await run_virtual(async () => {
    const { log, text } = new Transcript();
    const [send, receive] = asyncio.create_memory_object_stream<number>();
    const sender = asyncio.create_task(async () => {
      for (const item of [1, 2]) {
        await send.send(item);
        log(`sent${item}`);
      }
      send.close();
    });
    await asyncio.sleep(5);
    log("wait");
    for await (const item of receive) {
      log(`got${item}`);
      await asyncio.sleep(1);
    }
    await sender;
    assertEquals(text(), "wait got1 sent1 got2 sent2");
  });
});

Deno.test("a buffer of two takes two items before send() waits, and keeps their order", async () => {
  await run_virtual(async () => {
    const [send, receive] = asyncio.create_memory_object_stream<number>(2);
    await send.send(1);
    await send.send(2);
    const third = send.send(3);
    await asyncio.sleep(1);
    assertEquals([third.done(), send.statistics().tasks_waiting_send], [false, 1]);
    assertEquals([await receive.receive(), await receive.receive(), await receive.receive()], [1, 2, 3]);
    await third;
    assertEquals(receive.statistics(), {
      current_buffer_used: 0,
      max_buffer_size: 2,
      open_send_streams: 1,
      open_receive_streams: 1,
      tasks_waiting_send: 0,
      tasks_waiting_receive: 0,
    });
  });
});

Deno.test("receivers get what is left, then EndOfStream, once the last clone of the sending end is closed", async () => {
  await run_virtual(async () => {
    const [send, receive] = asyncio.create_memory_object_stream<string>(5);
    const clone = send.clone();
    send.send_nowait("a");
    send.close();
    const waiting = asyncio.create_task(async () => [await receive.receive(), await error_of(receive.receive())]);
    await asyncio.sleep(1);
    assert(!waiting.done());
    clone.close();
    const [item, error] = await waiting;
    assertEquals([item, error.name], ["a", "EndOfStream"]);
    assertThrows(() => receive.receive_nowait(), asyncio.EndOfStream);
  });
});

Deno.test("senders get BrokenResourceError once the last receiving end is closed, those that wait too", async () => {
  await run_virtual(async () => {
    const [send, receive] = asyncio.create_memory_object_stream<number>();
    const clone = receive.clone();
    const waiting = asyncio.create_task(async () => await error_of(send.send(1)));
    await asyncio.sleep(1);
    receive.close();
    await asyncio.sleep(1);
    assert(!waiting.done());
    clone.close();
    assertEquals((await waiting).name, "BrokenResourceError");
    assertThrows(() => send.send_nowait(1), asyncio.BrokenResourceError);
  });
});

Deno.test("an end that you closed yourself says so; the nowait calls say that they would have to wait", async () => {
  await run_virtual(async () => {
    const [send, receive] = asyncio.create_memory_object_stream<number>();
    assertThrows(() => send.send_nowait(1), asyncio.WouldBlock);
    assertThrows(() => receive.receive_nowait(), asyncio.WouldBlock);
    send.close();
    send.close();
    receive.close();
    assertEquals((await error_of(send.send(1))).name, "ClosedResourceError");
    assertEquals((await error_of(receive.receive())).name, "ClosedResourceError");
    assertThrows(() => send.clone(), asyncio.ClosedResourceError);
    assertThrows(() => receive.clone(), asyncio.ClosedResourceError);
  });
});

Deno.test("falsy items arrive as they are", async () => {
  await run_virtual(async () => {
    const [send, receive] = asyncio.create_memory_object_stream<unknown>(Infinity);
    for (const item of [0, "", null, undefined, false]) send.send_nowait(item);
    send.close();
    const items: unknown[] = [];
    for await (const item of receive) items.push(item);
    assertEquals(items, [0, "", null, undefined, false]);
  });
});

Deno.test("an item for a receiver that is cancelled in the same turn goes to the next receiver", async () => {
  await run_virtual(async () => {
    const [send, receive] = asyncio.create_memory_object_stream<string>();
    const first = asyncio.create_task(() => receive.receive());
    const second = asyncio.create_task(() => receive.receive());
    await asyncio.sleep(0);
    send.send_nowait("item");
    first.cancel();
    assertEquals(await second, "item");
    assert(first.cancelled());
  });
});

Deno.test("a signal ends a send() and a receive() that wait, with its reason, and nothing is sent", async () => {
  await run_virtual(async () => {
    const [send, receive] = asyncio.create_memory_object_stream<number>();
    const controller = new AbortController();
    const calls = [send.send(1, controller), send.send(2)];
    controller.abort(new RangeError("enough"));
    assertEquals((await error_of(calls[0])).message, "enough");
    assertEquals(await receive.receive(), 2);
    await calls[1];
    assertEquals((await error_of(receive.receive(controller))).message, "enough");
  });
});

Deno.test("create_memory_object_stream() refuses a size that is no size", () => {
  assertThrows(() => asyncio.create_memory_object_stream(-1), RangeError, "got -1");
  assertThrows(() => asyncio.create_memory_object_stream(1.5), RangeError, "got 1.5");
  // @ts-expect-error A string is no size.
  assertThrows(() => asyncio.create_memory_object_stream("1"), TypeError, '"max_buffer_size" must be a number');
});

Deno.test("whatever is cancelled and when, every item that was sent is received once, in each sender's order", async () => {
  const delays = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 12 });
  const worker = fc.record({ delays, cancel_at: fc.option(fc.integer({ min: 0, max: 12 }), { nil: null }) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(worker, { minLength: 1, maxLength: 3 }),
      fc.array(worker, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 0, max: 2 }),
      async (senders, receivers, size) => {
        const sent = new Set<string>();
        const maybe_sent = new Set<string>();
        const got: string[] = [];
        await run_virtual(async () => {
          const [send, receive] = asyncio.create_memory_object_stream<string>(size);
          const tasks = senders.map(({ delays, cancel_at }, sender) => {
            const end = send.clone();
            const task = asyncio.create_task(async () => {
              for (const [number, delay] of delays.entries()) {
                await asyncio.sleep(delay);
                const item = `${sender}:${number}`;
                maybe_sent.add(item);
                await end.send(item);
                sent.add(item);
              }
            });
            task.add_done_callback(() => end.close());
            if (cancel_at !== null) asyncio.get_running_loop().call_later(cancel_at, () => task.cancel());
            return task;
          });
          send.close();
          const takers = receivers.map(({ delays, cancel_at }) => {
            const task = asyncio.create_task(async () => {
              for (let i = 0;; i++) {
                await asyncio.sleep(delays[i % delays.length]);
                try {
                  got.push(await receive.receive());
                } catch (error) {
                  if (error instanceof asyncio.EndOfStream) return;
                  throw error;
                }
              }
            });
            if (cancel_at !== null) asyncio.get_running_loop().call_later(cancel_at, () => task.cancel());
            return task;
          });
          // One that is never cancelled takes what the others leave, so that everybody comes to an end.
          takers.push(asyncio.create_task(async () => {
            for await (const item of receive) got.push(item);
          }));
          await asyncio.wait([...tasks, ...takers]);
        });
        assertEquals(got.length, new Set(got).size);
        for (const item of sent) assert(got.includes(item), `${item} was sent and not received`);
        for (const item of got) assert(maybe_sent.has(item));
      },
    ),
    { numRuns: 500 },
  );
});
