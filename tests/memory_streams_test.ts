import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import * as asyncio from "../mod.ts";
import { assert_linear, error_of, run_virtual, Transcript } from "./_helpers.ts";
import { check_waiting_call } from "./_waiting_calls.ts";

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

check_waiting_call("MemoryObjectReceiveStream.receive()", () => {
  const [send, receive] = asyncio.create_memory_object_stream<string>(Infinity);
  return { call: (options) => receive.receive(options), wake: () => send.send_nowait("item") };
});

Deno.test("send() throws the reason of its signal, whatever it is, and sends nothing", async () => {
  // Cause: only an error could end the future of a call that need not wait.
  await run_virtual(async () => {
    const [send, receive] = asyncio.create_memory_object_stream<number>(1);
    for (const reason of ["a text", RangeError, new RangeError("enough")]) {
      assertStrictEquals(await error_of(send.send(1, { signal: AbortSignal.abort(reason) })), reason);
      assertStrictEquals(await error_of(receive.receive({ signal: AbortSignal.abort(reason) })), reason);
    }
    send.send_nowait(2);
    const controller = new AbortController();
    const sending = send.send(3, { signal: controller.signal });
    controller.abort("a text");
    assertEquals([await error_of(sending), await receive.receive()], ["a text", 2]);
    assertThrows(() => receive.receive_nowait(), asyncio.WouldBlock);
    // deno-lint-ignore no-explicit-any
    const wrong = (signal: unknown): any => ({ signal });
    assertThrows(() => send.send(1, wrong("x")), TypeError, '"signal" must be an AbortSignal, got "x"');
  });
});

Deno.test("an item that a receiver got at once does not let in another sender's, of which nobody has heard", async () => {
  // Cause: a receiver took in the next sender's item before it took its own out.
  await run_virtual(async () => {
    for (const size of [0, 1]) {
      const [send, receive] = asyncio.create_memory_object_stream<number>(size);
      const receiving = receive.receive();
      for (let i = 0; i <= size; i++) send.send_nowait(i);
      const sending = send.send(9);
      assertEquals(await receiving, 0);
      await asyncio.sleep(1);
      assertEquals([sending.done(), receive.statistics().current_buffer_used], [false, size]);
      receive.close();
      assertEquals((await error_of(sending)).name, "BrokenResourceError");
    }
  });
});

Deno.test("send() whose item was received says so, although its signal aborts, its time is up or it is cancelled then", async () => {
  // Cause: it said that the item was not sent, and to send it again would have doubled it.
  await run_virtual(async () => {
    const [send, receive] = asyncio.create_memory_object_stream<number>();
    const controller = new AbortController();
    // Before the deadline, in the same turn.
    asyncio.get_running_loop().call_later(5, () => assertEquals(receive.receive_nowait(), 2));
    const sending = [
      send.send(0, { signal: controller.signal }),
      send.send(1),
      asyncio.wait_for(send.send(2), 5),
    ];
    await asyncio.sleep(1);
    assertEquals(receive.receive_nowait(), 0);
    controller.abort("too late");
    assertEquals(receive.receive_nowait(), 1);
    assertEquals(sending[1].cancel(), false);
    assertEquals(await asyncio.gather(...sending), [undefined, undefined, undefined]);
    // The task itself hears of its cancellation.
    const task = asyncio.create_task(() => send.send(3));
    await asyncio.sleep(1);
    assertEquals(receive.receive_nowait(), 3);
    task.cancel();
    await asyncio.wait([task]);
    assert(task.cancelled());
  });
});

Deno.test("to close a receiving end ends its calls that wait, and those alone; what was handed over is not lost", async () => {
  // Cause: they waited on, for ever if nothing more was sent.
  await run_virtual(async () => {
    const [send, receive] = asyncio.create_memory_object_stream<string>();
    const clone = receive.clone();
    const first = receive.receive();
    const second = receive.receive();
    const iterating = asyncio.create_task(async () => {
      for await (const item of receive) assertEquals(item, "none");
    });
    const other = clone.receive();
    await asyncio.sleep(1);
    send.send_nowait("a");
    receive.close();
    assertEquals(await first, "a");
    for (const each of [second, iterating]) {
      const error = await error_of(each);
      assertEquals([error.name, error.message], [
        "ClosedResourceError",
        "Cannot receive: this end was closed meanwhile",
      ]);
    }
    send.send_nowait("b");
    assertEquals(await other, "b");
    assertEquals(receive.statistics().tasks_waiting_receive, 0);
  });
});

Deno.test("what a send() waits with is sent although its end is closed meanwhile", async () => {
  await run_virtual(async () => {
    const [send, receive] = asyncio.create_memory_object_stream<string>();
    const sending = send.send("last");
    send.close();
    assertEquals(await receive.receive(), "last");
    await sending;
    assertEquals((await error_of(receive.receive())).name, "EndOfStream");
  });
});

Deno.test("for await over a stream of tasks gives the tasks, and leaving it closes nothing", async () => {
  // Cause: the iterator awaited what it gave.
  await run_virtual(async () => {
    const [send, receive] = asyncio.create_memory_object_stream<asyncio.Task<string>>(Infinity);
    const tasks = ["one", "two"].map((name) => asyncio.create_task(() => asyncio.sleep(1, name)));
    for (const task of tasks) send.send_nowait(task);
    for await (const task of receive) {
      assertStrictEquals<unknown>(task, tasks[0]);
      break;
    }
    assertEquals(receive.statistics().current_buffer_used, 1);
    for await (const task of receive) {
      assertStrictEquals<unknown>(task, tasks[1]);
      send.close();
    }
    await asyncio.gather(...tasks);
  });
});

Deno.test("a long buffer costs as much per item as a short one", async () => {
  await assert_linear((size) =>
    run_virtual(async () => {
      const [send, receive] = asyncio.create_memory_object_stream<number>(Infinity);
      for (let i = 0; i < size; i++) send.send_nowait(i);
      send.close();
      let sum = 0;
      for await (const item of receive) sum += item;
      assertEquals(sum, size * (size - 1) / 2);
    }), 400_000);
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
