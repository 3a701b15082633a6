// Every call that waits, cancelled after every step of the loop that it may be in: nothing is lost, left open or reported.

import { assert, assertEquals } from "@std/assert";
import * as asyncio from "../mod.ts";
import { certificates } from "./_certificates.ts";
import { collect_reports } from "./_helpers.ts";
import { for_turns, joined, LOOPBACK, MIB, pattern, port_of, same_bytes, type Streams } from "./_streams.ts";

/** Seconds that anything may take. */
const BOUND = 10;

/** More steps than any of the calls takes. */
const MANY_STEPS = 3000;

/** The first steps are iterations of the loop; then every step is a turn, in which the system gets its say. */
const ITERATIONS = 12;

/** All of these are tried always. */
const DENSE_STEPS = 24;

function step(number: number): PromiseLike<void> {
  return number < ITERATIONS ? asyncio.sleep(0) : for_turns(1);
}

/** One try of a call. */
interface Try {
  readonly call: () => PromiseLike<unknown>;
  /** What makes the call end by itself. */
  readonly trigger?: () => unknown;
  /** What has to hold afterwards; it frees what is left. */
  readonly check: (outcome: Outcome) => Promise<void>;
}

type Outcome = { readonly cancelled: true } | { readonly cancelled: false; readonly result: unknown };

/** What the tries of one call share. */
interface Ground extends AsyncDisposable {
  try(): Promise<Try>;
  /**
   * Of the later steps only some are tried: much is sent, in a turn for each piece, or others that are tried after each
   * step wait in the same way.
   */
  readonly sparse?: boolean;
}

function open_files(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

function within<T>(call: () => PromiseLike<T>): Promise<T> {
  return Promise.resolve(asyncio.wait_for(async () => await call(), BOUND));
}

/** Tries the call with a cancellation after each number of steps, until it ends before. */
async function cancel_everywhere(ground: Ground): Promise<void> {
  const loop = asyncio.get_running_loop();
  const reports = collect_reports(loop);
  // The first one loads what is loaded once, and shows that the call ends by itself.
  await attempt(ground, Infinity);
  const before = open_files();
  let steps = 0;
  while (!await attempt(ground, steps)) {
    steps += ground.sparse === true && steps > DENSE_STEPS ? Math.floor(steps / 4) : 1;
    assert(steps < MANY_STEPS, "the call does not end by itself");
    const deadline = performance.now() + BOUND * 1000;
    while (open_files() > before) {
      assert(performance.now() < deadline, `${open_files() - before} descriptors are left after ${steps} steps`);
      await for_turns(1);
    }
  }
  assertEquals(reports, [], `after ${steps} steps`);
  assert(steps > 0, "the call was never cancelled");
}

/** Whether the call ended before it was cancelled. */
async function attempt(ground: Ground, steps: number): Promise<boolean> {
  const { call, trigger, check } = await ground.try();
  const task = asyncio.create_task(async () => ({ result: await call() }));
  for (let i = 0; i < steps && !task.done(); i++) {
    // Some cancellations come before there is anything to answer with, and some after.
    if (i === 2) trigger?.();
    await step(i);
  }
  if (steps === Infinity) assert(task.done());
  if (steps <= 2) trigger?.();
  const ended = task.done();
  task.cancel();
  await within(() => asyncio.wait([task]));
  try {
    await check(task.cancelled() ? { cancelled: true } : { cancelled: false, result: task.result().result });
  } catch (cause) {
    throw new Error(`Cancelled after ${steps} steps: ${(cause as Error).message}`, { cause });
  }
  return ended;
}

function check(name: string, make: () => Promise<Ground>): void {
  Deno.test(`${name}: a cancellation after any step loses nothing and leaves nothing`, async () => {
    await asyncio.run(async () => {
      await using ground = await make();
      await cancel_everywhere(ground);
    });
  });
}

// Connecting

function aborted_if_made({ cancelled, ...outcome }: Outcome): Promise<void> {
  if (!cancelled) (outcome as { result: Streams }).result[1].abort();
  return Promise.resolve();
}

async function connecting(
  serve: () => PromiseLike<asyncio.Server>,
  open: (server: asyncio.Server) => PromiseLike<Streams>,
): Promise<Ground> {
  const server = await serve();
  return {
    try: () => Promise.resolve({ call: () => open(server), check: aborted_if_made }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Ends with its connection. */
async function until_end(reader: asyncio.StreamReader): Promise<void> {
  await reader.read().catch(() => {});
}

/** Of the options of TLS, a server's and a client's. */
async function tls_options(): Promise<[server: asyncio.TlsServerOptions, client: asyncio.TlsClientOptions]> {
  const { server, ca } = await certificates();
  return [server, { caCerts: [ca] }];
}

check("open_connection()", () =>
  connecting(
    () => asyncio.start_server(until_end, LOOPBACK, 0),
    (server) => asyncio.open_connection(LOOPBACK, port_of(server)),
  ));

check("open_connection() to a name with several addresses", () =>
  connecting(
    () => asyncio.start_server(until_end, null, 0),
    (server) => asyncio.open_connection("localhost", port_of(server), { happy_eyeballs_delay: 0 }),
  ));

check("open_connection() over TLS", async () => {
  const [identity, ssl] = await tls_options();
  const ground = await connecting(
    () => asyncio.start_server(until_end, LOOPBACK, 0, { ssl: identity }),
    (server) => asyncio.open_connection(LOOPBACK, port_of(server), { ssl }),
  );
  const loop = asyncio.get_running_loop();
  return {
    ...ground,
    async try() {
      // A server reports every handshake that fails.
      loop.set_exception_handler((loop, context) => {
        if (!context.message.startsWith("SSL handshake failed")) loop.default_exception_handler(context);
      });
      return await ground.try();
    },
  };
});

check("open_unix_connection()", async () => {
  const folder = await Deno.makeTempDir();
  const ground = await connecting(
    () => asyncio.start_unix_server(until_end, `${folder}/socket`),
    () => asyncio.open_unix_connection(`${folder}/socket`),
  );
  return {
    ...ground,
    async [Symbol.asyncDispose]() {
      await ground[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
});

for (const [name, secure] of [["start_server()", false], ["start_server() over TLS", true]] as const) {
  check(name, async () => {
    const [identity] = await tls_options();
    return {
      try: () =>
        Promise.resolve({
          call: () => asyncio.start_server(until_end, "localhost", 0, secure ? { ssl: identity } : {}),
          async check(outcome) {
            if (!outcome.cancelled) await (outcome.result as asyncio.Server).shutdown();
          },
        }),
      async [Symbol.asyncDispose]() {},
    };
  });
}

// Connections

interface Pairs extends AsyncDisposable {
  pair(): Promise<[client: Streams, server: Streams]>;
}

async function pairs(secure: boolean): Promise<Pairs> {
  const [identity, ssl] = await tls_options();
  const accepted = new asyncio.Queue<{ streams: Streams }>();
  const server = await asyncio.start_server(
    (reader, writer) => accepted.put_nowait({ streams: [reader, writer] }),
    LOOPBACK,
    0,
    secure ? { ssl: identity } : {},
  );
  return {
    async pair() {
      const client = await asyncio.open_connection(LOOPBACK, port_of(server), secure ? { ssl } : {});
      return [client, (await accepted.get()).streams];
    },
    async [Symbol.asyncDispose]() {
      await server.shutdown({ timeout: 0 });
    },
  };
}

/** Unix sockets hold little, so that little has to wait. */
async function narrow_pairs(secure: boolean): Promise<Pairs> {
  const [identity, ssl] = await tls_options();
  const folder = await Deno.makeTempDir();
  const path = `${folder}/socket`;
  const accepted = new asyncio.Queue<{ streams: Streams }>();
  const server = await asyncio.start_unix_server(
    (reader, writer) => accepted.put_nowait({ streams: [reader, writer] }),
    path,
    secure ? { ssl: identity } : {},
  );
  return {
    async pair() {
      const options = secure ? { ssl, server_hostname: "localhost" } : {};
      const client = await asyncio.open_unix_connection(path, options);
      return [client, (await accepted.get()).streams];
    },
    async [Symbol.asyncDispose]() {
      await server.shutdown({ timeout: 0 });
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Both ends have said all. */
async function close_both([[, writer], [, peer_writer]]: readonly [Streams, Streams]): Promise<void> {
  for (const each of [writer, peer_writer]) each.close();
  await within(() => writer.wait_closed());
  await within(() => peer_writer.wait_closed());
}

const LINES = new TextEncoder().encode("first\nsecond\nthird\n");
const FRAMES = Uint8Array.of(0, 0, 0, 3, 1, 2, 3, 0, 0, 0, 1, 9);

/** All reads wait in one way. Tried after each step are one that takes what is there and one that waits for more. */
const DENSE_READS: readonly string[] = ["readinto()", "readexactly()"];

/** What the calls are tried on; the result of each as the bytes that it took. */
const READS: readonly [
  name: string,
  data: Uint8Array<ArrayBuffer>,
  read: (reader: asyncio.StreamReader) => PromiseLike<unknown>,
  taken: (result: unknown) => Uint8Array,
][] = [
  ["read()", LINES, (reader) => reader.read(), same],
  ["read(5)", LINES, (reader) => reader.read(5), same],
  ["readinto()", LINES, read_into, same],
  ["readline()", LINES, (reader) => reader.readline(), same],
  ["readexactly()", LINES, (reader) => reader.readexactly(8), same],
  ["readuntil()", LINES, (reader) => reader.readuntil("nd\n"), same],
  ["lines()", LINES, (reader) => reader.lines({ keep_ends: true }).next(), value],
  [
    "frames()",
    FRAMES,
    (reader) => reader.frames().next(),
    (result) => joined([Uint8Array.of(0, 0, 0, 3), value(result)]),
  ],
  [
    "read_frame()",
    FRAMES,
    (reader) => reader.read_frame(),
    (result) => joined([Uint8Array.of(0, 0, 0, 3), same(result)]),
  ],
  ["read_struct()", FRAMES, (reader) => reader.read_struct(">I"), () => Uint8Array.of(0, 0, 0, 3)],
  ["peek()", LINES, (reader) => reader.peek(8, { at_least: 8 }), () => new Uint8Array(0)],
  ["wait_eof()", LINES, (reader) => reader.wait_eof(), () => new Uint8Array(0)],
];

async function read_into(reader: asyncio.StreamReader): Promise<Uint8Array> {
  const array = new Uint8Array(8);
  return array.subarray(0, await reader.readinto(array));
}

function same(result: unknown): Uint8Array {
  return result as Uint8Array;
}

function value(result: unknown): Uint8Array {
  return (result as IteratorYieldResult<Uint8Array>).value;
}

for (const secure of [false, true]) {
  const kind = secure ? "TLS" : "TCP";

  for (const [name, data, read, taken] of READS) {
    check(`${kind}: ${name}`, async () => {
      const made = await pairs(secure);
      return {
        sparse: !DENSE_READS.includes(name),
        async try() {
          const [client, server] = await made.pair();
          const [reader] = client;
          return {
            call: () => read(reader),
            async trigger() {
              // In two pieces, so that a call can be cancelled with a part of its answer there.
              await server[1].send(data.subarray(0, 2));
              await for_turns(2);
              server[1].write(data.subarray(2));
              server[1].write_eof();
            },
            async check(outcome) {
              const first = outcome.cancelled ? new Uint8Array(0) : taken(outcome.result);
              assertEquals(joined([first, await within(() => reader.read())]), data);
              client[1].write("still usable");
              client[1].write_eof();
              assertEquals((await within(() => server[0].read())).length, 12);
              await close_both([client, server]);
            },
          };
        },
        [Symbol.asyncDispose]: made[Symbol.asyncDispose],
      };
    });
  }

  const DATA = pattern(MIB);
  for (const name of ["drain", "flush", "send"] as const) {
    check(`${kind}: ${name}() of a writer whose peer reads late`, async () => {
      const made = await narrow_pairs(secure);
      return {
        sparse: true,
        async try() {
          const pair = await made.pair();
          const [[, writer], [peer_reader]] = pair;
          let received: Promise<Uint8Array> | null = null;
          const receive = () => received ??= Promise.resolve(peer_reader.read());
          let sent = false;
          return {
            call() {
              sent = true;
              if (name === "send") return writer.send(DATA);
              writer.write(DATA);
              return writer[name]();
            },
            trigger: () => void receive(),
            async check() {
              writer.write("more");
              writer.write_eof();
              const data = await within(receive);
              assertEquals(data.length, (sent ? DATA.length : 0) + 4);
              assert(!sent || same_bytes(data.subarray(0, DATA.length), DATA));
              await close_both(pair);
            },
          };
        },
        [Symbol.asyncDispose]: made[Symbol.asyncDispose],
      };
    });
  }

  check(`${kind}: wait_closed()`, async () => {
    const made = await pairs(secure);
    return {
      async try() {
        const pair = await made.pair();
        const [[, writer], [peer_reader]] = pair;
        return {
          call: () => writer.wait_closed(),
          trigger() {
            writer.write(LINES);
            writer.close();
          },
          async check() {
            assertEquals(await within(() => peer_reader.read()), LINES);
            await close_both(pair);
          },
        };
      },
      [Symbol.asyncDispose]: made[Symbol.asyncDispose],
    };
  });

  check(`${kind}: pipe()`, async () => {
    const made = await pairs(secure);
    const data = pattern(MIB);
    return {
      sparse: true,
      async try() {
        const source = await made.pair();
        const target = await made.pair();
        const received = asyncio.create_task(() => target[1][0].read());
        const [reader] = source[0];
        const [, writer] = target[0];
        return {
          call: () => asyncio.pipe(reader, writer),
          trigger() {
            source[1][1].write(data);
            source[1][1].write_eof();
          },
          async check({ cancelled }) {
            if (cancelled) await within(() => asyncio.pipe(reader, writer));
            assert(same_bytes(await within(() => received), data));
            await close_both(source);
            await close_both(target);
          },
        };
      },
      [Symbol.asyncDispose]: made[Symbol.asyncDispose],
    };
  });
}

for (const side of ["client", "server"] as const) {
  check(`start_tls() of the ${side}`, async () => {
    const made = await pairs(false);
    const [identity, ssl] = await tls_options();
    return {
      async try() {
        const [client, server] = await made.pair();
        const secure_client = () => client[1].start_tls(ssl);
        const secure_server = () => server[1].start_tls(identity);
        const [call, answer] = side === "client" ? [secure_client, secure_server] : [secure_server, secure_client];
        const [own, peer] = side === "client" ? [client, server] : [server, client];
        const answering = asyncio.create_task(async () => await answer());
        return {
          call,
          async check({ cancelled }) {
            if (cancelled && own[1].is_closing()) {
              await within(() => own[1].wait_closed());
              assertEquals((await within(() => own[0].read())).length, 0);
              // The peer may have been done; then it hears of it when it reads.
              await within(() => asyncio.wait([answering]));
              if (answering.exception() === null) await within(() => until_end(peer[0]));
            } else if (cancelled) {
              // Before its first step: nothing was touched.
              await within(() => call());
              await within(() => answering);
            } else {
              await within(() => answering);
              own[1].write("x");
              assertEquals((await within(() => peer[0].readexactly(1))).length, 1);
            }
            for (const [, writer] of [own, peer]) writer.abort();
          },
        };
      },
      [Symbol.asyncDispose]: made[Symbol.asyncDispose],
    };
  });
}

// Servers

check("serve_forever()", () =>
  Promise.resolve({
    async try() {
      const server = await asyncio.start_server(until_end, LOOPBACK, 0, { start_serving: false });
      return {
        // It always ends with a cancellation, so that one is turned into a result.
        call: () => server.serve_forever(),
        trigger: () => server.close(),
        async check() {
          assertEquals(server.is_serving(), false);
          server.close();
          await within(() => server.wait_closed());
        },
      };
    },
    async [Symbol.asyncDispose]() {},
  }));

check("shutdown()", () =>
  Promise.resolve({
    async try() {
      let ended = 0;
      const server = await asyncio.start_server(
        async (reader) => {
          try {
            await reader.read();
          } finally {
            ended++;
          }
        },
        LOOPBACK,
        0,
      );
      const [reader, writer] = await asyncio.open_connection(LOOPBACK, port_of(server));
      await writer.send("x");
      await for_turns(3);
      let called = false;
      return {
        call() {
          called = true;
          return server.shutdown({ timeout: null });
        },
        trigger: () => writer.write_eof(),
        async check() {
          if (!called) server.close();
          await within(() => server.wait_closed());
          assertEquals(ended, 1);
          await within(() => until_end(reader));
          writer.abort();
        },
      };
    },
    async [Symbol.asyncDispose]() {},
  }));

for (const secure of [false, true]) {
  check(`a server's next connection, ${secure ? "TLS" : "TCP"}`, async () => {
    const [identity, ssl] = await tls_options();
    const server = await asyncio.start_server(null, LOOPBACK, 0, secure ? { ssl: identity } : {});
    const connections = server[Symbol.asyncIterator]();
    return {
      sparse: secure,
      try() {
        let opening: Promise<{ streams: Streams }>;
        const open = async () => ({
          streams: await asyncio.open_connection(LOOPBACK, port_of(server), secure ? { ssl } : {}),
        });
        return Promise.resolve({
          call: () => connections.next(),
          trigger: () => void (opening = open()),
          async check(outcome) {
            const { streams: [, writer] } = await within(() => opening);
            const next = outcome.cancelled ? await within(() => connections.next()) : outcome.result;
            await writer.send("x");
            const [peer_reader, peer_writer] = (next as IteratorYieldResult<Streams>).value;
            assertEquals((await within(() => peer_reader.readexactly(1))).length, 1);
            for (const each of [writer, peer_writer]) each.abort();
          },
        });
      },
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  });
}
