// Datagrams without a protocol.

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { SYSTEM_NETWORK } from "../lib/_deno_net.ts";
import * as asyncio from "../mod.ts";
import { eventually, FakeSocket, HOST } from "./_datagrams.ts";
import { run_virtual } from "./_helpers.ts";

const text = ([data]: asyncio.Datagram) => new TextDecoder().decode(data);
const bytes = (text: string) => new TextEncoder().encode(text);
const open = (options: Partial<asyncio.OpenDatagramOptions> = {}) =>
  asyncio.open_datagram({ local_addr: [HOST, 0], ...options });
const open_to = (to: asyncio.DatagramEndpoint) => asyncio.open_datagram({ remote_addr: to.get_extra_info("sockname") });

Deno.test("what one endpoint sends, the other receives, with the sender's address", async () => {
  await using server = await open();
  await using client = await open_to(server);
  await client.send("ping");
  const [data, addr] = await server.recv();
  assertEquals([data, addr], [bytes("ping"), client.get_extra_info("sockname")]);
  await server.send(bytes("pong"), addr);
  assertEquals(text(await client.recv()), "pong");
  assertEquals(client.get_extra_info("peername"), server.get_extra_info("sockname"));
});

Deno.test("an empty datagram is one", async () => {
  await using server = await open();
  await using client = await open_to(server);
  await client.send("");
  await client.send(new Uint8Array());
  assertEquals([(await server.recv())[0].length, (await server.recv())[0].length], [0, 0]);
});

Deno.test("recv() gives an array of the caller's own, no larger than the datagram", async () => {
  await using server = await open();
  await server.send("abc", server.get_extra_info("sockname"));
  const [data] = await server.recv();
  assertEquals([data.constructor, data.buffer.byteLength], [Uint8Array, 3]);
});

Deno.test("several that wait in recv() get a datagram each, in the order of their coming", async () => {
  await using server = await open();
  await using client = await open_to(server);
  const receiving = [server.recv(), server.recv(), server.recv()];
  for (const each of ["a", "b", "c"]) await client.send(each);
  assertEquals((await Promise.all(receiving)).map(text), ["a", "b", "c"]);
});

Deno.test("a recv() that is cancelled, or runs out of time, loses nothing", async () => {
  await using server = await open();
  await using client = await open_to(server);
  await assertRejects(() => asyncio.wait_for(() => server.recv(), 0.001), asyncio.TimeoutError);
  const cancelled = server.recv();
  const next = server.recv();
  await client.send("first");
  await client.send("second");
  cancelled.cancel();
  assertEquals([text(await next), text(await server.recv())], ["first", "second"]);
  assert(cancelled.cancelled());
});

Deno.test("the turn of a recv() that is cancelled when it has come is the next one's", async () => {
  await with_fake({}, async (endpoint, socket) => {
    const [first, second] = [endpoint.recv(), endpoint.recv()];
    await asyncio.sleep(0.001);
    const cancelling = asyncio.create_task(() => {
      socket.on_datagram(bytes("x"), [HOST, 9]);
      first.cancel();
    });
    await cancelling;
    assertEquals(text(await asyncio.wait_for(second, 1)), "x");
    assert(first.cancelled());
  });
});

Deno.test("whatever recv() calls are cancelled, each datagram goes to one of the others, in order", async () => {
  const step = fc.constantFrom("recv", "arrive", "cancel", "turn");
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.infiniteStream(fc.nat()), async (steps, numbers) => {
      await with_fake({}, async (endpoint, socket) => {
        const pending: asyncio.Future<asyncio.Datagram>[] = [];
        const got: string[] = [];
        let arrived = 0;
        for (const step of steps) {
          if (step === "arrive") {
            socket.on_datagram(bytes(`${arrived++}`), [HOST, 9]);
          } else if (step === "recv") {
            const receiving = endpoint.recv();
            receiving.add_done_callback(() => receiving.cancelled() || got.push(text(receiving.result())));
            pending.push(receiving);
          } else if (step === "turn") {
            await asyncio.sleep(0);
          } else if (pending.length > 0) {
            pending[numbers.next().value! % pending.length].cancel();
          }
        }
        await asyncio.sleep(0.001);
        for (const each of pending) each.cancel();
        await asyncio.sleep(0.001);
        while (endpoint.statistics().queue_size > 0) got.push(text(await endpoint.recv()));
        assertEquals(got, Array.from({ length: arrived }, (_, i) => `${i}`));
      });
    }),
    { numRuns: 200 },
  );
});

Deno.test("a signal ends recv() with its reason, and takes nothing", async () => {
  await using server = await open();
  const controller = new AbortController();
  const receiving = server.recv({ signal: controller.signal });
  controller.abort(new Error("enough"));
  await assertRejects(() => receiving, Error, "enough");
  await assertRejects(() => server.recv({ signal: controller.signal }), Error, "enough");
  await server.send("x", server.get_extra_info("sockname"));
  assertEquals(text(await server.recv()), "x");
});

Deno.test("for await gives datagrams, loses none when it is left, and ends with close()", async () => {
  await using server = await open();
  const addr = server.get_extra_info("sockname");
  for (const each of ["a", "b", "c"]) await server.send(each, addr);
  for await (const datagram of server) {
    assertEquals(text(datagram), "a");
    break;
  }
  const got: string[] = [];
  for await (const datagram of server) {
    got.push(text(datagram));
    if (got.length === 2) setTimeout(() => server.close(), 2);
  }
  assertEquals(got, ["b", "c"]);
});

Deno.test("beyond max_queue_size datagrams are dropped and counted, the newest ones", async () => {
  await using server = await open({ max_queue_size: 2 });
  await using client = await open_to(server);
  for (const each of ["a", "b", "c", "d"]) await client.send(each);
  await eventually(() => server.statistics().datagrams_dropped === 2);
  assertEquals(server.statistics(), {
    datagrams_sent: 0,
    datagrams_received: 2,
    datagrams_dropped: 2,
    queue_size: 2,
    peak_queue_size: 2,
  });
  assertEquals([text(await server.recv()), text(await server.recv())], ["a", "b"]);
  await client.send("e");
  assertEquals(text(await server.recv()), "e");
  assertEquals([client.statistics().datagrams_sent, server.statistics().queue_size], [5, 0]);
});

Deno.test("send() fails with its own datagram's error, and the endpoint goes on", async () => {
  await using server = await open();
  const addr = server.get_extra_info("sockname");
  const error = await assertRejects(() => server.send(new Uint8Array(70000), addr), Error, "Message too long");
  assertEquals((error as Error & { code?: string }).code, "EMSGSIZE");
  await assertRejects(() => server.send("x", ["no.such.invalid", 9]), Error, "Cannot send to no.such.invalid:9");
  await server.send("x", addr);
  assertEquals(text(await server.recv()), "x");
  assertThrows(() => server.send("x"), TypeError, "there is no remote address");
});

Deno.test("close() ends what waits with ClosedResourceError, and what comes after it", async () => {
  const server = await open();
  await server.send("never received", server.get_extra_info("sockname"));
  await eventually(() => server.statistics().queue_size === 1);
  await server.recv();
  const receiving = server.recv();
  server.close();
  server.close();
  assert(server.is_closing());
  await assertRejects(() => receiving, asyncio.ClosedResourceError, "Cannot receive: the endpoint is closed");
  await assertRejects(() => server.recv(), asyncio.ClosedResourceError);
  await assertRejects(() => server.send("x", [HOST, 9]), asyncio.ClosedResourceError, "Cannot send");
  await server.wait_closed();
  await server.wait_closed();
});

Deno.test("close() drops what was not received", async () => {
  await with_fake({}, async (endpoint, socket) => {
    socket.on_datagram(bytes("x"), [HOST, 9]);
    assertEquals(endpoint.statistics().queue_size, 1);
    endpoint.close();
    await assertRejects(() => endpoint.recv(), asyncio.ClosedResourceError);
    for await (const _ of endpoint) throw new Error("It is closed");
  });
});

Deno.test("close() has what was handed to send() leave first; abort() fails it", async () => {
  await with_fake({}, async (endpoint, socket) => {
    const sending = [endpoint.send("a", [HOST, 9]), endpoint.send("b", [HOST, 9])];
    endpoint.close();
    assertEquals(socket.closed, 0);
    socket.answer();
    await sending[0];
    socket.answer();
    await sending[1];
    await endpoint.wait_closed();
    assertEquals([socket.asked, socket.closed], [["a", "b"], 1]);
  });
  await with_fake({}, async (endpoint, socket) => {
    const sending = [endpoint.send("a", [HOST, 9]), endpoint.send("b", [HOST, 9])];
    endpoint.abort();
    for (const each of sending) await assertRejects(() => each, asyncio.ClosedResourceError, "closed meanwhile");
    await endpoint.wait_closed();
    assertEquals([socket.asked, socket.closed], [["a"], 1]);
  });
});

Deno.test("a send() that is cancelled was sent all the same, and holds up none", async () => {
  await with_fake({}, async (endpoint, socket) => {
    const sending = [endpoint.send("a", [HOST, 9]), endpoint.send("b", [HOST, 9]), endpoint.send("c", [HOST, 9])];
    sending[0].cancel();
    sending[1].cancel();
    for (let i = 0; i < 3; i++) {
      socket.answer(i === 1 ? new Error("nobody asks") : undefined);
      await asyncio.sleep(0.001);
    }
    await sending[2];
    assertEquals([socket.asked, endpoint.statistics().datagrams_sent], [["a", "b", "c"], 2]);
  });
});

Deno.test("an endpoint that is broken gives what had come, then says by what, to everybody", async () => {
  await with_fake({}, async (endpoint, socket) => {
    const broken = new Deno.errors.ConnectionReset("the network is gone");
    socket.on_datagram(bytes("before"), [HOST, 9]);
    const sending = endpoint.send("x", [HOST, 9]);
    socket.on_error(broken);
    assertStrictEquals(await assertRejects(() => sending), broken);
    assertEquals(text(await endpoint.recv()), "before");
    for (let i = 0; i < 2; i++) assertStrictEquals(await assertRejects(() => endpoint.recv()), broken);
    assertStrictEquals(await assertRejects(() => endpoint.send("y", [HOST, 9])), broken);
    assertStrictEquals(
      await assertRejects(async () => {
        for await (const _ of endpoint);
      }),
      broken,
    );
    assert(
      Deno.inspect(endpoint).startsWith("<DatagramEndpoint broken by ConnectionReset: the network is gone, closed"),
    );
    endpoint.close();
    await endpoint.wait_closed();
    assertEquals(socket.closed, 1);
  });
});

Deno.test("a recv() that waits when the endpoint breaks hears of it", async () => {
  await with_fake({}, async (endpoint, socket) => {
    const receiving = endpoint.recv();
    socket.on_error(new Error("broken"));
    await assertRejects(() => receiving, Error, "broken");
  });
});

Deno.test("await using closes the endpoint, and waits until it is", async () => {
  let left: asyncio.DatagramEndpoint;
  {
    await using endpoint = await open();
    left = endpoint;
  }
  assertEquals([left.is_closing(), /closed/.test(Deno.inspect(left))], [true, true]);
});

Deno.test("open_datagram() ends with its signal's reason, before and meanwhile, and leaves nothing open", async () => {
  await assertRejects(() => open({ signal: AbortSignal.abort(new Error("no")) }), Error, "no");
  const controller = new AbortController();
  const opening = open({ signal: controller.signal });
  controller.abort(new Error("no more"));
  await assertRejects(() => opening, Error, "no more");
  const after = new AbortController();
  await using endpoint = await open({ signal: after.signal });
  after.abort();
  await endpoint.send("x", endpoint.get_extra_info("sockname"));
  assertEquals(text(await endpoint.recv()), "x");
});

Deno.test("open_datagram() names an option that is wrong", () => {
  const opening = (options: unknown) => () => asyncio.open_datagram(options as asyncio.OpenDatagramOptions);
  assertThrows(opening({}), RangeError, "unexpected address family");
  assertThrows(opening(undefined), TypeError, '"options" must be an object, got null');
  assertThrows(opening([HOST, 1]), TypeError, 'Unknown option "0"');
  assertThrows(opening({ local_addr: [HOST, 0], port: 5 }), TypeError, 'Unknown option "port"');
  assertThrows(opening({ local_addr: [HOST, 0], max_queue_size: 0 }), RangeError, '"max_queue_size" must be 1 or more');
  assertThrows(opening({ local_addr: [HOST, 0], max_queue_size: 1.5 }), RangeError, "must be a whole number");
  assertThrows(opening({ local_addr: [HOST, 0], signal: 5 }), TypeError, '"signal" must be an AbortSignal');
});

Deno.test("a DatagramEndpoint prints its state, its addresses and what waits", async () => {
  await using server = await open();
  await using client = await open_to(server);
  const [at, from] = [server, client].map((each) => each.get_extra_info("sockname").join(":"));
  await client.send("x");
  await eventually(() => server.statistics().queue_size === 1);
  assertEquals(Deno.inspect(server), `<DatagramEndpoint open at ${at} queued=1>`);
  assertEquals(Deno.inspect(client), `<DatagramEndpoint open at ${from} to ${at} queued=0>`);
});

Deno.test("tasks that send and receive side by side lose nothing on the way to themselves", async () => {
  await using server = await open();
  await using client = await open_to(server);
  const echo = asyncio.create_task(async () => {
    for await (const [data, addr] of server) await server.send(data, addr);
  });
  const got = new Set<string>();
  for (let round = 0; round < 20; round++) {
    const sending = Array.from({ length: 10 }, (_, i) => () => client.send(`${round}.${i}`));
    await asyncio.gather(...sending);
    for (let i = 0; i < 10; i++) got.add(text(await asyncio.wait_for(() => client.recv(), 10)));
  }
  assertEquals(got.size, 200);
  server.close();
  await echo;
});

function with_fake(
  options: Partial<asyncio.OpenDatagramOptions>,
  body: (endpoint: asyncio.DatagramEndpoint, socket: FakeSocket) => Promise<void>,
): Promise<void> {
  return run_virtual(async () => {
    const socket = new FakeSocket();
    const network = { ...SYSTEM_NETWORK, bind_datagram: () => Promise.resolve(socket) };
    Object.assign(asyncio.get_running_loop(), { _network: network });
    const endpoint = await open(options);
    await body(endpoint, socket);
    endpoint.abort();
  });
}
