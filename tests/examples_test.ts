import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";
import { scan } from "../examples/port_scanner.ts";
import { RedisClient, RedisError, type Reply } from "../examples/redis_client.ts";
import { connect as connect_redis, type Received, RespParser } from "../examples/redis_protocol.ts";
import { HOST, output_of, Program, text_of } from "./_programs.ts";

const decoder = new TextDecoder();

function port_of(server: asyncio.Server): number {
  return (server.sockets[0].getsockname() as [string, number])[1];
}

// The article's programs: the expected texts are what CPython 3.13 prints for the article's own.

const HELLO = "Hello, world!\nGoodbye, world!\n";
const GATHER =
  "Hello from coroutine 1!\nHello from coroutine 2!\nGoodbye from coroutine 1!\nGoodbye from coroutine 2!\n";
const CONCURRENT = "Coroutine 1\nCoroutine 2\nCoroutine 1 done\nCoroutine 2 done\n";

/** What demo.ts prints, without what the HTTP server says and a digit of the time. */
function steady(printed: string): string {
  return printed
    .replace(/took 2\.\d s/, "took 2.n s")
    .replace(/(400 Bad Request\r\n)[^]*?\n(?=\n=== )/, "$1");
}

const DEMO = `
=== hello.ts: one coroutine
${HELLO}
=== gather.ts: two coroutines, of one and of two seconds
${GATHER}(both together took 2.n s)

=== concurrent.ts: two coroutines of one second each
${CONCURRENT}
=== read_write.ts: to an HTTP server, which refuses a greeting that is no request
Received: HTTP/1.1 400 Bad Request\r

=== send_data.ts: to a line server
(the server received "Hello, world!\\n")
`;

Deno.test("the article's programs print what they print in CPython, by themselves and all in demo.ts, with no permission they do not need", async () => {
  // They sleep for whole seconds, so they do it side by side.
  const [hello, gather, concurrent, demo] = await Promise.all([
    output_of("article/hello.ts"),
    output_of("article/gather.ts"),
    output_of("article/concurrent.ts"),
    output_of("demo.ts", [], HOST),
  ]);
  assertEquals([hello, gather, concurrent], [HELLO, GATHER, CONCURRENT]);
  assertEquals(steady(demo), DEMO);
});

Deno.test("article/read_write.ts sends its greeting and prints the first 100 bytes of the answer", async () => {
  const greetings: string[] = [];
  await using server = await asyncio.start_server(
    async (reader, writer) => {
      greetings.push(decoder.decode(await reader.readexactly(13)));
      writer.write(`${"x".repeat(98)}\r\nrest`);
    },
    HOST,
    0,
  );
  const port = port_of(server);
  const printed = await output_of("article/read_write.ts", [HOST, String(port)], `${HOST}:${port}`);
  assertEquals(printed, `Received: ${"x".repeat(98)}\r\n\n`);
  assertEquals(greetings, ["Hello, world!"]);
});

Deno.test("article/read_write.ts prints the refusal of a real HTTP server", async () => {
  await using server = Deno.serve({ hostname: HOST, port: 0, onListen: () => {} }, () => new Response("Hello!"));
  const port = server.addr.port;
  const printed = await output_of("article/read_write.ts", [HOST, String(port)], `${HOST}:${port}`);
  assertMatch(printed, /^Received: HTTP\/1\.1 400 Bad Request\r\n/);
});

Deno.test("article/send_data.ts sends its line, ends the connection and prints nothing", async () => {
  const received = Promise.withResolvers<string>();
  await using server = await asyncio.start_server(
    async (reader) => received.resolve(decoder.decode(await reader.read())),
    HOST,
    0,
  );
  const port = port_of(server);
  assertEquals(await output_of("article/send_data.ts", [HOST, String(port)], `${HOST}:${port}`), "");
  assertEquals(await received.promise, "Hello, world!\n");
});

// Pictures

Deno.test("deadlock.ts shows who waits for which lock and who has it, and ends the deadlock by cancelling one task", async () => {
  const printed = await output_of("deadlock.ts");
  assertEquals(
    printed.replace(/#\d/g, "#n").replace(/\d\.\d{3} s/g, "t"),
    `Task "Task-1" runs
Task "alice" waits t for acquire() of #n <Lock locked waiters=1>, held by Task "bob"
└── Task "bob" waits t for acquire() of #n <Lock locked waiters=1>, held by Task "alice"
    └── Task "alice": a cycle
Cycle: "alice" → "bob" → "alice"
bob: transferred
alice: cancelled
`,
  );
});

// Echo

Deno.test("echo_client.ts prints each line that echo_server.ts sends back; Ctrl-C ends the server", async () => {
  await using server = new Program("echo_server.ts", [HOST, "0"], `${HOST}:0`);
  const port = await server.port();
  const printed = await output_of("echo_client.ts", [HOST, String(port), "one", "zwölf", "3"], `${HOST}:${port}`);
  assertEquals(printed, "one\nzwölf\n3\n");
  assertMatch(await server.line(), /^127\.0\.0\.1:\d+ connected$/);
  assertMatch(await server.line(), /^127\.0\.0\.1:\d+ left$/);

  // A client that stays does not keep the server from ending.
  const [reader, writer] = await asyncio.open_connection(HOST, port);
  assertMatch(await server.line(), /connected$/);
  server.interrupt();
  assertEquals((await server.end()).code, 130);
  assertEquals(await reader.read(), new Uint8Array());
  writer.close();
  await writer.wait_closed();
});

Deno.test("echo_server.ts tells a client whose line is too long, and hangs up", async () => {
  await using server = new Program("echo_server.ts", [HOST, "0"], `${HOST}:0`);
  const [reader, writer] = await asyncio.open_connection(HOST, await server.port());
  writer.write("x".repeat(70_000));
  assertEquals(text_of(await reader.readline()), "error: the line is too long");
  writer.close();
  await writer.wait_closed();
});

Deno.test("echo_client.ts ends with a line on standard error and code 1 if nobody listens", async () => {
  const port = await unused_port();
  await using client = new Program("echo_client.ts", [HOST, String(port)], `${HOST}:${port}`);
  assertEquals(await client.end(), {
    stdout: "",
    stderr: `error: Cannot connect to ${HOST}:${port}: Connection refused (os error 111)\n`,
    code: 1,
  });
});

for (
  const [path, args, message] of [
    ["echo_server.ts", [HOST, "65536"], 'port must be a whole number from 0 to 65535, got "65536"'],
    ["echo_client.ts", [HOST, "http"], 'port must be a whole number from 1 to 65535, got "http"'],
    ["chat_server.ts", [HOST, "-1"], 'port must be a whole number from 0 to 65535, got "-1"'],
    ["port_scanner.ts", [], "host is missing"],
    ["port_scanner.ts", [HOST, "9-7"], 'last port must be a whole number from 9 to 65535, got "7"'],
    ["port_scanner.ts", [HOST, "7-9", "10", "soon"], 'timeout must be a number above 0, got "soon"'],
    ["redis_client.ts", [HOST, "6379"], "host, port and a command are needed"],
    ["redis_protocol.ts", [HOST, "6379"], "host, port and a command are needed"],
    ["redis_protocol.ts", [HOST, "6379", "subscribe"], "SUBSCRIBE needs a channel"],
  ] as const
) {
  Deno.test(`${[path, ...args].join(" ")} ends with the mistake, its usage and code 2`, async () => {
    await using program = new Program(path, args);
    const { stderr, code } = await program.end();
    assertEquals(stderr.split("\n")[0], `error: ${message}`);
    assertMatch(stderr, /\nusage: deno run /);
    assertEquals(code, 2);
  });
}

// Chat

/** A client of the chat. */
class Chatter implements AsyncDisposable {
  readonly #reader: asyncio.StreamReader;
  readonly #writer: asyncio.StreamWriter;

  private constructor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) {
    this.#reader = reader;
    this.#writer = writer;
  }

  /** Joins; gives the client and what it was told. */
  static async join(port: number, name: string): Promise<[chatter: Chatter, welcome: string]> {
    const chatter = new Chatter(...await asyncio.open_connection(HOST, port));
    assertEquals(await chatter.hear(), "Your name?");
    chatter.say(name);
    return [chatter, await chatter.hear()];
  }

  say(line: string): void {
    this.#writer.write(`${line}\n`);
  }

  /** The next line; empty at the end. */
  async hear(): Promise<string> {
    return text_of(await this.#reader.readline());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#writer.close();
    await this.#writer.wait_closed();
  }
}

Deno.test("chat_server.ts passes what one of three clients says on to the two others, and tells who comes and goes", async () => {
  await using server = new Program("chat_server.ts", [HOST, "0"], `${HOST}:0`);
  const port = await server.port();
  const [ann, ann_welcome] = await Chatter.join(port, "ann");
  await using _ann = ann;
  assertEquals(ann_welcome, "* Nobody else is here");
  const [bob, bob_welcome] = await Chatter.join(port, "bob\r");
  await using _bob = bob;
  assertEquals([bob_welcome, await ann.hear()], ["* Here are ann", "* bob joined"]);
  const [cid, cid_welcome] = await Chatter.join(port, "cid");
  assertEquals(cid_welcome, "* Here are ann, bob");
  assertEquals([await ann.hear(), await bob.hear()], ["* cid joined", "* cid joined"]);

  bob.say("hi");
  assertEquals([await ann.hear(), await cid.hear()], ["bob: hi", "bob: hi"]);
  cid.say("\x1b[2Jbye");
  assertEquals([await ann.hear(), await bob.hear()], ["cid: [2Jbye", "cid: [2Jbye"]);
  await cid[Symbol.asyncDispose]();
  assertEquals([await ann.hear(), await bob.hear()], ["* cid left", "* cid left"]);

  const [late, refusal] = await Chatter.join(port, "ann");
  await using _late = late;
  assertEquals([refusal, await late.hear()], ["* That name is taken", ""]);

  server.interrupt();
  assertEquals(await Promise.all([ann.hear(), bob.hear()]), ["* The server ends", "* The server ends"]);
  assertEquals(await Promise.all([ann.hear(), bob.hear()]), ["", ""]);
  assertEquals(await server.end(), { stdout: "", stderr: "", code: 130 });
});

Deno.test("chat_server.ts does not let a client that never reads stop the others, and disconnects it in the end", async () => {
  await using server = new Program("chat_server.ts", [HOST, "0"], `${HOST}:0`);
  const port = await server.port();
  const [slow] = await Chatter.join(port, "slow");
  await using _slow = slow;
  const [ann] = await Chatter.join(port, "ann");
  await using _ann = ann;
  const [bob] = await Chatter.join(port, "bob");
  await using _bob = bob;
  assertEquals(await ann.hear(), "* bob joined");

  // Bob keeps up: he hears each round before the next. What the kernel holds for the slow one is a few MiB.
  const text = "x".repeat(4000);
  let slow_left = false;
  for (let round = 0; round < 1000 && !slow_left; round++) {
    for (let i = 0; i < 64; i++) ann.say(text);
    for (let heard = 0; heard < 64;) {
      const line = await bob.hear();
      if (line === "* slow left") slow_left = true;
      else assertEquals([line, ++heard], [`ann: ${text}`, heard]);
    }
  }
  assert(slow_left);
  server.interrupt();
  assertEquals((await server.end()).code, 130);
});

// Scanner

/** Three ports in a row, the one in the middle closed. */
function listen_around_closed_port(): [Deno.Listener, Deno.Listener, number] {
  for (let attempt = 0; attempt < 100; attempt++) {
    const listeners: Deno.TcpListener[] = [Deno.listen({ hostname: HOST, port: 0 })];
    const first = listeners[0].addr.port;
    try {
      for (const port of [first + 1, first + 2]) listeners.push(Deno.listen({ hostname: HOST, port }));
      listeners[1].close();
      return [listeners[0], listeners[2], first];
    } catch {
      for (const listener of listeners) listener.close();
    }
  }
  throw new Error("Cannot find three free ports in a row");
}

async function unused_port(): Promise<number> {
  await using server = await asyncio.start_server(() => {}, HOST, 0);
  return port_of(server);
}

Deno.test("port_scanner.ts prints exactly the open ports of a range, in order", async () => {
  const [low, high, first] = listen_around_closed_port();
  using _low = low;
  using _high = high;
  const printed = await output_of("port_scanner.ts", [HOST, `${first}-${first + 2}`, "2", "10"], HOST);
  assertEquals(printed, `${first} open\n${first + 2} open\n2 of 3 ports of ${HOST} are open\n`);
});

Deno.test("port_scanner.ts tries each port once however many workers there are, and gives the open ones in order", async () => {
  const servers = await Promise.all([1, 2, 3].map(() => asyncio.start_server(async () => {}, HOST, 0)));
  try {
    const open = servers.map(port_of).sort((a, b) => a - b);
    const given = [open[2], await unused_port(), open[0], open[1]];
    for (const limit of [1, 2, 10]) assertEquals(await scan(HOST, given, { limit, timeout: 10 }), open);
  } finally {
    for (const server of servers) server.close();
    for (const server of servers) await server.wait_closed();
  }
});

Deno.test("port_scanner.ts without permission for the network says so, and ends with code 1", async () => {
  await using program = new Program("port_scanner.ts", [HOST, "1"]);
  const { stdout, stderr, code } = await program.end();
  assertEquals([stdout, code], ["", 1]);
  assertMatch(stderr, /^error: Requires net access to "127\.0\.0\.1:1"/);
});

// Redis

function has_redis(): boolean {
  try {
    return new Deno.Command("redis-server", { args: ["--version"], stdout: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

/** A Redis server with nothing in it. */
class RedisServer implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly port: number;

  private constructor(process: Deno.ChildProcess, port: number) {
    this.#process = process;
    this.port = port;
  }

  static async start(): Promise<RedisServer> {
    for (let attempt = 0; attempt < 5; attempt++) {
      const port = await unused_port();
      const process = new Deno.Command("redis-server", {
        args: ["--port", String(port), "--bind", HOST, "--save", "", "--appendonly", "no"],
        stdin: "null",
        stdout: "piped",
        stderr: "null",
      }).spawn();
      let log = "";
      for await (const chunk of process.stdout.values({ preventCancel: true })) {
        log += decoder.decode(chunk, { stream: true });
        if (log.includes("Ready to accept connections")) return new RedisServer(process, port);
      }
      // Somebody else took the port in between.
      await process.status;
    }
    throw new Error("Cannot start redis-server");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#process.status;
    await this.#process.stdout.cancel();
  }
}

const redis_present = has_redis();

function redis_test(promise: string, fn: (server: RedisServer) => Promise<void>): void {
  Deno.test({
    name: redis_present ? promise : `${promise} (ignored: redis-server is not installed)`,
    ignore: !redis_present,
    async fn() {
      await using server = await RedisServer.start();
      await fn(server);
    },
  });
}

redis_test("RedisClient sets and gets any bytes, and gives null for what is not there", async (server) => {
  await using client = await RedisClient.connect(HOST, server.port);
  assertEquals(await client.ping(), "PONG");
  const every_byte = Uint8Array.from({ length: 70_000 }, (_, i) => i % 256);
  for (const value of [every_byte, new TextEncoder().encode("$3\r\n\r\n"), new Uint8Array()]) {
    await client.set("key", value);
    assertEquals(await client.get("key"), value);
  }
  assertEquals(await client.get("none"), null);
});

redis_test("RedisClient answers a pipeline in its order, errors among the answers", async (server) => {
  await using client = await RedisClient.connect(HOST, server.port);
  const replies = await client.pipeline([
    ["SET", "word", "one"],
    ["INCR", "word"],
    ["GET", "word"],
    ["RPUSH", "list", "a", "b"],
    ["LRANGE", "list", 0, -1],
    ["LRANGE", "none", 0, -1],
    ["INCRBY", "count", "9007199254740993"],
    ["EVAL", "return {1, {'two', false}, redis.error_reply('ERR three')}", 0],
  ]);
  const bytes = (text: string) => new TextEncoder().encode(text);
  const expected: Reply[] = [
    "OK",
    "RedisError: ERR value is not an integer or out of range",
    bytes("one"),
    2,
    [bytes("a"), bytes("b")],
    [],
    9007199254740993n,
    [1, [bytes("two"), null], "RedisError: ERR three"],
  ];
  const errors_as_text = (reply: Reply): Reply =>
    Array.isArray(reply) ? reply.map(errors_as_text) : reply instanceof RedisError ? String(reply) : reply;
  assertEquals(replies.map(errors_as_text), expected);

  const many = await client.pipeline(Array.from({ length: 5000 }, () => ["INCR", "counter"]));
  assertEquals(many, Array.from({ length: 5000 }, (_, i) => i + 1));
});

redis_test("RedisClient throws what the server answers with an error, and works on", async (server) => {
  await using client = await RedisClient.connect(HOST, server.port);
  const error = await assertRejects(async () => await client.command("NONSENSE"), RedisError);
  assertMatch(error.message, /^ERR unknown command/);
  assertEquals(await client.ping(), "PONG");
});

redis_test("RedisClient gives the right answers to the others when a caller is cancelled", async (server) => {
  await using client = await RedisClient.connect(HOST, server.port);
  const cancelled = client.command("ECHO", "cancelled");
  const others = Promise.all([client.command("ECHO", "second"), client.command("ECHO", "third")]);
  cancelled.cancel();
  assertEquals((await others).map((reply) => decoder.decode(reply as Uint8Array)), ["second", "third"]);
});

redis_test("RedisClient fails commands without an answer, and later ones, when the server hangs up", async (server) => {
  await using client = await RedisClient.connect(HOST, server.port);
  await using other = await RedisClient.connect(HOST, server.port);
  const id = await client.command("CLIENT", "ID") as number;
  const waiting = client.command("BLPOP", "none", 0);
  await other.command("CLIENT", "KILL", "ID", id);
  await assertRejects(async () => await waiting, asyncio.ConnectionResetError);
  await assertRejects(async () => await client.ping(), asyncio.ConnectionResetError);
});

redis_test("redis_client.ts prints the reply for people, and an error on standard error", async (server) => {
  const run = (...command: string[]) =>
    output_of("redis_client.ts", [HOST, String(server.port), ...command], `${HOST}:${server.port}`);
  assertEquals(await run("SET", "key", "value"), "OK\n");
  assertEquals(await run("GET", "key"), "value\n");
  assertEquals(await run("GET", "none"), "(nil)\n");
  assertEquals(await run("RPUSH", "list", "a", "b"), "(integer) 2\n");
  assertEquals(
    await run("EVAL", "return {1, {'x', 'y'}, {}}", "0"),
    "1) (integer) 1\n2) 1) x\n   2) y\n3) (empty array)\n",
  );
  await using wrong = new Program(
    "redis_client.ts",
    [HOST, String(server.port), "INCR", "key"],
    `${HOST}:${server.port}`,
  );
  assertEquals(await wrong.end(), {
    stdout: "",
    stderr: "error: ERR value is not an integer or out of range\n",
    code: 1,
  });
});

Deno.test("RespParser understands every type, in pieces of any size", () => {
  const text = "+OK\r\n-ERR no\r\n:7\r\n(9007199254740993\r\n,1.5\r\n,-inf\r\n#t\r\n_\r\n$-1\r\n$2\r\n\r\n\r\n" +
    "=7\r\ntxt:abc\r\n!3\r\nBAD\r\n*0\r\n*-1\r\n%1\r\n+a\r\n*2\r\n:1\r\n~1\r\n:2\r\n>2\r\n+message\r\n:3\r\n";
  const bytes = (text: string) => new TextEncoder().encode(text);
  const expected: Reply[] = [
    "OK",
    "RedisError: ERR no",
    7,
    9007199254740993n,
    1.5,
    -Infinity,
    1,
    null,
    null,
    bytes("\r\n"),
    bytes("txt:abc"),
    "RedisError: BAD",
    [],
    null,
    ["a", [1, [2]]],
    ["message", 3],
  ];
  const data = bytes(text);
  for (let size = 1; size <= data.length; size++) {
    const parser = new RespParser();
    const received: Received[] = [];
    for (let i = 0; i < data.length; i += size) received.push(...parser.feed(data.slice(i, i + size)));
    const replies = received.map(({ reply }) => reply instanceof RedisError ? String(reply) : reply);
    assertEquals(replies, expected, `pieces of ${size}`);
    assertEquals(received.map(({ is_push }) => is_push).indexOf(true), expected.length - 1);
  }
  assertThrows(() => new RespParser().feed(bytes("?\r\n")), Error, 'Cannot understand what the server sent: "?"');
  assertThrows(() => new RespParser().feed(bytes("$x\r\n")), Error, 'Cannot understand what the server sent: "$x"');
});

redis_test(
  "RedisProtocol answers commands in their order, errors among the answers, and large values",
  async (server) => {
    await using redis = await connect_redis(HOST, server.port);
    const value = Uint8Array.from({ length: 2_000_000 }, (_, i) => i % 251);
    const answers = await asyncio.gather(
      redis.command("SET", "key", value),
      redis.command("INCR", "key"),
      redis.command("GET", "key"),
      redis.command("GET", "none"),
      { return_exceptions: true },
    );
    assertEquals([answers[0], String(answers[1]), answers[3]], [
      "OK",
      "RedisError: ERR value is not an integer or out of range",
      null,
    ]);
    assertEquals(answers[2], value);
    const counts: asyncio.Future<Reply>[] = [];
    for (let i = 0; i < 5000; i++) {
      await redis.ready();
      counts.push(redis.command("INCR", "counter"));
    }
    assertEquals(await asyncio.gather(...counts), counts.map((_, i) => i + 1));
  },
);

redis_test("RedisProtocol gives what is published, and takes commands meanwhile", async (server) => {
  await using redis = await connect_redis(HOST, server.port);
  await using other = await connect_redis(HOST, server.port);
  const [news, weather] = [await redis.subscribe("news"), await redis.subscribe("weather")];
  for (let i = 0; i < 100; i++) assertEquals(await other.command("PUBLISH", "news", i), 1);
  await other.command("PUBLISH", "weather", "sunny");
  assertEquals(await redis.command("ECHO", "still here"), new TextEncoder().encode("still here"));
  for (let i = 0; i < 100; i++) assertEquals(decoder.decode(await news.get()), String(i));
  assertEquals(decoder.decode(await weather.get()), "sunny");
});

redis_test("RedisProtocol fails commands and subscriptions when the server hangs up", async (server) => {
  await using redis = await connect_redis(HOST, server.port);
  await using other = await connect_redis(HOST, server.port);
  const news = await redis.subscribe("news");
  const id = await redis.command("CLIENT", "ID") as number;
  const waiting = redis.command("BLPOP", "none", 0);
  await other.command("CLIENT", "KILL", "ID", id);
  await assertRejects(async () => await waiting, asyncio.ConnectionResetError);
  await assertRejects(async () => await redis.command("PING"), asyncio.ConnectionResetError);
  await assertRejects(async () => await news.get(), asyncio.QueueShutDown);
});

redis_test("redis_protocol.ts prints a reply, and what is published until Ctrl-C", async (server) => {
  const [address, port] = [`${HOST}:${server.port}`, String(server.port)];
  assertEquals(await output_of("redis_protocol.ts", [HOST, port, "SET", "key", "value"], address), "OK\n");
  assertEquals(await output_of("redis_protocol.ts", [HOST, port, "GET", "key"], address), "value\n");
  await using wrong = new Program("redis_protocol.ts", [HOST, port, "INCR", "key"], address);
  const error = "error: ERR value is not an integer or out of range\n";
  assertEquals(await wrong.end(), { stdout: "", stderr: error, code: 1 });

  await using listener = new Program("redis_protocol.ts", [HOST, port, "subscribe", "news"], address);
  assertEquals(await listener.line(), "listening on news");
  await using redis = await connect_redis(HOST, server.port);
  for (const word of ["one", "two"]) {
    await redis.command("PUBLISH", "news", word);
    assertEquals(await listener.line(), `news: ${word}`);
  }
  listener.interrupt();
  assertEquals((await listener.end()).code, 130);
});

Deno.test("prime_counter.ts counts the primes, tells the times, and needs no permission", async () => {
  const printed = await output_of("prime_counter.ts", ["10000", "2"]);
  assertMatch(
    printed,
    /^1229 primes below 10000\n1 thread: +\d+\.\d\d s\n2 threads: \d+\.\d\d s, \d+\.\d\d times as fast\n$/,
  );
});
