import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import * as asyncio from "../../mod.ts";
import { certificates } from "../_certificates.ts";
import { error_of } from "../_helpers.ts";
import { bytes, LOOPBACK, MIB, pattern, same_bytes, type Streams, text } from "../_streams.ts";
import { close, find_program, Folder, free_port, missing_of, Peer, peer_test } from "./_peers.ts";

type Reply = string | number | Uint8Array | null | Reply[];

interface Redis {
  readonly peer: Peer;
  readonly port: number;
  readonly socket: string;
  /** 0 if it was built without TLS. */
  readonly tls_port: number;
}

/** Asked to listen nowhere, one that knows the option says so and ends; one that does not complains. */
function knows_tls(): boolean {
  const program = find_program("redis-server");
  if (program === null) return false;
  const { stdout } = new Deno.Command(program, { args: ["--port", "0", "--tls-port", "0"] }).outputSync();
  return text(stdout).includes("not listen anywhere");
}

const has_tls = knows_tls();

async function start(folder: string): Promise<Redis> {
  const identities = (await certificates()).folder;
  const files = ["cert-file", "server.pem", "key-file", "server.key", "ca-cert-file", "ca.pem"];
  for (let attempt = 0; attempt < 5; attempt++) {
    const [port, tls_port] = [free_port(), has_tls ? free_port() : 0];
    const socket = `${folder}/redis.sock`;
    const tls = [
      ["--tls-port", `${tls_port}`],
      ...[0, 2, 4].map((i) => [`--tls-${files[i]}`, `${identities}/${files[i + 1]}`]),
    ];
    const args = ["--bind", LOOPBACK, "--port", `${port}`, "--unixsocket", socket, "--dir", folder];
    args.push("--save", "", "--appendonly", "no", ...(has_tls ? tls.flat() : []));
    const peer = new Peer("redis-server", args);
    try {
      await peer.until_line("stdout", /Ready to accept connections/);
      return { peer, port, tls_port, socket };
    } catch {
      // Somebody else took one of the ports in between.
      await peer[Symbol.asyncDispose]();
    }
  }
  throw new Error("Cannot start redis-server");
}

const WAYS: Readonly<Record<string, (redis: Redis) => PromiseLike<Streams>>> = {
  "TCP": ({ port }) => asyncio.open_connection(LOOPBACK, port),
  "a unix socket": ({ socket }) => asyncio.open_unix_connection(socket),
  "TLS": async ({ tls_port }) => {
    const { ca, client } = await certificates();
    return await asyncio.open_connection("localhost", tls_port, { ssl: { caCerts: [ca], ...client } });
  },
};

/** A test over each way to the server; it may connect often. */
function redis_test(promise: string, body: (connect: () => PromiseLike<Streams>) => Promise<void>): void {
  for (const [way, connect] of Object.entries(WAYS)) {
    const missing = missing_of("redis-server", "openssl") ??
      (way === "TLS" && !has_tls ? "redis-server has no TLS" : null);
    peer_test(`Redis over ${way}: ${promise}`, missing, async () => {
      await using folder = new Folder();
      const redis = await start(folder.path);
      await using _peer = redis.peer;
      await body(() => connect(redis));
    });
  }
}

function send(writer: asyncio.StreamWriter, ...command: (string | Uint8Array)[]): void {
  writer.write(`*${command.length}\r\n`);
  for (const word of command) {
    const data = typeof word === "string" ? bytes(word) : word;
    writer.writelines([`$${data.length}\r\n`, data, "\r\n"]);
  }
}

async function reply(reader: asyncio.StreamReader): Promise<Reply> {
  const line = text(await reader.readuntil("\r\n"));
  const [kind, rest] = [line[0], line.slice(1, -2)];
  switch (kind) {
    case "+":
      return rest;
    case ":":
      return Number(rest);
    case "$":
      if (rest === "-1") return null;
      return (await reader.readexactly(Number(rest) + 2)).subarray(0, -2);
    case "*": {
      const replies: Reply[] = [];
      for (let left = Number(rest); left > 0; left--) replies.push(await reply(reader));
      return replies;
    }
    default:
      throw new Error(`Redis said ${line}`);
  }
}

async function ask([reader, writer]: Streams, ...command: (string | Uint8Array)[]): Promise<Reply> {
  send(writer, ...command);
  await writer.drain();
  return await reply(reader);
}

redis_test("1,000 commands sent at once are answered in their order", async (connect) => {
  const [reader, writer] = await connect();
  for (let i = 0; i < 1000; i++) send(writer, "ECHO", `${i}`);
  for (let i = 0; i < 1000; i++) assertEquals(text(await reply(reader) as Uint8Array), `${i}`);
  await close(writer);
});

redis_test("values of 2 MiB go there and come back", async (connect) => {
  const streams = await connect();
  const value = pattern(2 * MIB);
  for (const key of ["a", "b", "c"]) assertEquals(await ask(streams, "SET", key, value), "OK");
  const values = await ask(streams, "MGET", "a", "b", "c", "none") as Uint8Array[];
  assertEquals(values[3], null);
  assert(values.slice(0, 3).every((each) => same_bytes(each, value)));
  await close(streams[1]);
});

redis_test("a subscriber that waits gets what is published, in its order", async (connect) => {
  const [subscriber, publisher] = [await connect(), await connect()];
  assertEquals((await ask(subscriber, "SUBSCRIBE", "news") as Reply[])[2], 1);
  const heard = asyncio.create_task(async () => {
    const messages: string[] = [];
    while (messages.length < 100) {
      const [, , message] = await reply(subscriber[0]) as [unknown, unknown, Uint8Array];
      messages.push(text(message));
    }
    return messages;
  });
  for (let i = 0; i < 100; i++) assertEquals(await ask(publisher, "PUBLISH", "news", `${i}`), 1);
  assertEquals(await heard, Array.from({ length: 100 }, (_, i) => `${i}`));
  for (const [, writer] of [subscriber, publisher]) await close(writer);
});

redis_test("a wait that is cancelled loses nothing, and the connection stays usable", async (connect) => {
  const [streams, other] = [await connect(), await connect()];
  const [reader, writer] = streams;
  send(writer, "BLPOP", "list", "0");
  await writer.drain();
  assertInstanceOf(await error_of(asyncio.wait_for(() => reply(reader), 0.02)), asyncio.TimeoutError);
  // The command goes on at the server; its answer is the next one's.
  assertEquals(await ask(other, "RPUSH", "list", "late"), 1);
  assertEquals((await reply(reader) as Uint8Array[]).map(text), ["list", "late"]);
  assertEquals(await ask(streams, "PING"), "PONG");

  // In the middle of a large value: what had come is still there.
  const value = pattern(2 * MIB);
  await ask(other, "SET", "large", value);
  send(writer, "GET", "large");
  await writer.drain();
  assertEquals(text(await reader.readuntil("\r\n")), `$${value.length}\r\n`);
  const reading = asyncio.create_task(() => reader.readexactly(value.length + 2 + 1));
  await asyncio.sleep(0.02);
  reading.cancel();
  await asyncio.wait([reading]);
  assertEquals(reading.cancelled(), true);
  assert(same_bytes((await reader.readexactly(value.length + 2)).subarray(0, -2), value));
  assertEquals(await ask(streams, "PING"), "PONG");
  for (const each of [writer, other[1]]) await close(each);
});

redis_test("a connection that the server ends comes to its end", async (connect) => {
  const [streams, other] = [await connect(), await connect()];
  const id = await ask(streams, "CLIENT", "ID") as number;
  const reading = asyncio.create_task(() => error_or_end(streams[0]));
  assertEquals(await ask(other, "CLIENT", "KILL", "ID", `${id}`), 1);
  // Over TLS, Redis does not say goodbye.
  const ended = await reading;
  assert(ended === "end" || ended instanceof Deno.errors.UnexpectedEof, String(ended));
  for (const [, writer] of [streams, other]) await close(writer);
});

async function error_or_end(reader: asyncio.StreamReader): Promise<unknown> {
  try {
    assertEquals((await reader.read()).length, 0);
    return "end";
  } catch (error) {
    return error;
  }
}
