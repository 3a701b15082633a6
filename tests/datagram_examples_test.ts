// The examples of datagrams, each as a process, against peers that are not this library's.

import { createSocket, type Socket } from "node:dgram";
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { DnsError, MalformedError, pack_name, pack_query, parse_answer } from "../examples/dns_client.ts";
import * as asyncio from "../mod.ts";
import { HOST, output_of, Program } from "./_programs.ts";

const bytes = (...parts: (number | string | Uint8Array)[]) =>
  new Uint8Array(parts.flatMap((part) => {
    return typeof part === "number" ? [part] : [...(typeof part === "string" ? new TextEncoder().encode(part) : part)];
  }));

/** A peer that does with each datagram what `answer` says; it gives what to send back. */
class Peer implements AsyncDisposable {
  readonly #socket: Socket = createSocket("udp4");
  readonly received: Uint8Array[] = [];

  constructor(answer: (data: Uint8Array, count: number) => readonly Uint8Array[]) {
    this.#socket.on("message", (data, { port, address }) => {
      this.received.push(new Uint8Array(data));
      for (const each of answer(new Uint8Array(data), this.received.length)) this.#socket.send(each, port, address);
    });
  }

  listen(port = 0): Promise<number> {
    return new Promise((resolve) => this.#socket.bind(port, HOST, () => resolve(this.#socket.address().port)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(resolve));
  }
}

for (
  const [path, args, message] of [
    ["udp_echo.ts", [], 'the first argument must be "serve" or "ask", got ""'],
    ["udp_echo.ts", ["serve", HOST, "x"], 'port must be a whole number from 0 to 65535, got "x"'],
    ["udp_echo.ts", ["ask", HOST, "0"], 'port must be a whole number from 1 to 65535, got "0"'],
    ["dns_client.ts", ["example.com"], "name and server are needed"],
    ["dns_client.ts", ["a..b", HOST], 'name must be a domain name, got "a..b"'],
  ] as const
) {
  Deno.test(`${[path, ...args].join(" ")} ends with the mistake, its usage and code 2`, async () => {
    await using program = new Program(path, args);
    const { stderr, code } = await program.end();
    assertEquals([stderr.split("\n")[0], code], [`error: ${message}`, 2]);
    assertMatch(stderr, /\nusage: deno run /);
  });
}

Deno.test("udp_echo.ts prints each text that its server sends back; Ctrl-C ends the server", async () => {
  await using server = new Program("udp_echo.ts", ["serve", HOST, "0"], HOST);
  const port = await server.port();
  assertEquals(await output_of("udp_echo.ts", ["ask", HOST, `${port}`, "one", "zwölf", ""], HOST), "one\nzwölf\n\n");
  server.interrupt();
  assertEquals((await server.end()).code, 130);
});

Deno.test("udp_echo.ts asks again when nothing comes, and takes no other answer", async () => {
  await using peer = new Peer((data, count) => count === 1 ? [bytes("something else")] : [bytes("stray"), data]);
  const port = await peer.listen();
  assertEquals(await output_of("udp_echo.ts", ["ask", HOST, `${port}`, "hello"], HOST), "hello\n");
  assertEquals(peer.received, [bytes("hello"), bytes("hello")]);
});

Deno.test("udp_echo.ts and dns_client.ts give up with a line on standard error and code 1", async () => {
  await using peer = new Peer(() => []);
  const port = await peer.listen();
  await using echo = new Program("udp_echo.ts", ["ask", HOST, `${port}`, "hello"], HOST);
  await using dns = new Program("dns_client.ts", ["example.test", HOST, `${port}`], HOST);
  assertEquals(await echo.end(), {
    stdout: "",
    stderr: 'error: No answer to "hello" within 3 tries of 1 s\n',
    code: 1,
  });
  assertEquals(await dns.end(), { stdout: "", stderr: "error: no answer within 3 tries of 1 s\n", code: 1 });
});

// DNS

const POINTER_TO_QUESTION = [0xc0, 12] as const;

/** An answer to a query: flags, how many records, and these. */
function reply(query: Uint8Array, flags: number, ...records: Uint8Array[]): Uint8Array {
  const header = asyncio.pack_struct("!6H", query[0] << 8 | query[1], flags, 1, records.length, 0, 0);
  return bytes(header, query.subarray(12), ...records);
}

function record(type: number, data: Uint8Array, ttl = 300): Uint8Array {
  return bytes(...POINTER_TO_QUESTION, asyncio.pack_struct("!HHIH", type, 1, ttl, data.length), data);
}

const A = record(1, bytes(192, 0, 2, 1));
const AAAA = record(28, bytes(0x20, 1, 0x0d, 0xb8, ...Array(11).fill(0), 1), 60);
const type_of = (query: Uint8Array) => query.at(-3);
const answer_to = (query: Uint8Array) => reply(query, 0x8180, type_of(query) === 28 ? AAAA : A);

Deno.test("dns_client.ts prints the addresses of a name, of both kinds, and the names on the way", async () => {
  const alias = record(5, bytes(5, "other", ...POINTER_TO_QUESTION));
  await using peer = new Peer((query) => [reply(query, 0x8180, alias, type_of(query) === 28 ? AAAA : A)]);
  const port = await peer.listen();
  const printed = await output_of("dns_client.ts", ["example.test", HOST, `${port}`], HOST);
  assertEquals(printed.trimEnd().split("\n").sort(), [
    "example.test A 192.0.2.1 (300 s)",
    "example.test AAAA 2001:db8::1 (60 s)",
    "example.test CNAME other.example.test (300 s)",
  ]);
});

Deno.test("dns_client.ts asks again, and takes no answer but its own", async () => {
  const seen = new Map<number, number>();
  await using peer = new Peer((query) => {
    const type = type_of(query)!;
    seen.set(type, (seen.get(type) ?? 0) + 1);
    if (seen.get(type) === 1) return [];
    const other = query.with(0, query[0] ^ 1);
    return [
      bytes("?"),
      answer_to(other),
      answer_to(pack_query(query[0] << 8 | query[1], "other.test", "A")),
      answer_to(query),
    ];
  });
  const port = await peer.listen();
  const printed = await output_of("dns_client.ts", ["example.test", HOST, `${port}`], HOST);
  assertEquals(printed.trimEnd().split("\n").sort(), [
    "example.test A 192.0.2.1 (300 s)",
    "example.test AAAA 2001:db8::1 (60 s)",
  ]);
  assertEquals([seen.get(1), seen.get(28)], [2, 2]);
});

Deno.test("dns_client.ts asks over TCP when an answer was cut", async () => {
  await using server = await asyncio.start_server(
    async (reader, writer) => {
      for await (const query of reader.frames({ size: 2 })) {
        writer.write(
          asyncio.pack_frame(answer_to(query), { size: 2 }),
        );
      }
    },
    HOST,
    0,
  );
  const [, port] = server.sockets[0].getsockname() as [string, number];
  await using peer = new Peer((query) => [reply(query, 0x8380)]);
  await peer.listen(port);
  const printed = await output_of("dns_client.ts", ["example.test", HOST, `${port}`], HOST);
  assertMatch(printed, /A 192\.0\.2\.1/);
});

Deno.test("dns_client.ts tells what the server says is wrong, and that a name has no address", async () => {
  await using none = new Peer((query) => [reply(query, 0x8180)]);
  assertEquals(
    await output_of("dns_client.ts", ["example.test", HOST, `${await none.listen()}`], HOST),
    "example.test has no address\n",
  );
  await using refusing = new Peer((query) => [reply(query, 0x8183)]);
  await using program = new Program("dns_client.ts", ["no.such.test", HOST, `${await refusing.listen()}`], HOST);
  assertEquals(await program.end(), { stdout: "", stderr: "error: there is no such name\n", code: 1 });
});

Deno.test("pack_query() writes a question as RFC 1035 has it", () => {
  const question = [7, ..."example".split("").map((c) => c.charCodeAt(0)), 3, 99, 111, 109, 0, 0, 28, 0, 1];
  assertEquals([...pack_query(0x1234, "example.com", "AAAA")], [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...question]);
  assertEquals(pack_name("example.com."), pack_name("example.com"));
  assertEquals(new TextDecoder().decode(pack_name("bücher.example").subarray(1, 14)), "xn--bcher-kva");
  assertEquals(pack_name("1"), bytes(1, "1", 0));
  for (
    const name of [
      "",
      ".",
      "a..b",
      "a b",
      "a/b",
      "a@b",
      "a:1",
      "ü/b",
      `${"a".repeat(64)}.test`,
      `${"a.".repeat(127)}aa`,
    ]
  ) {
    assertThrows(() => pack_name(name), Error, "name must be a domain name");
  }
});

Deno.test("parse_answer() refuses a message that ends too soon, or whose names go round in circles", () => {
  const query = pack_query(1, "example.test", "A");
  const whole = answer_to(query);
  assertEquals(parse_answer(whole, query)!.answers.length, 1);
  for (let size = 12; size < whole.length; size++) {
    // Without the whole question it is the answer to another one.
    if (size < query.length) assertEquals(parse_answer(whole.subarray(0, size), query), null);
    else assertThrows(() => parse_answer(whole.subarray(0, size), query), MalformedError);
  }
  const start = query.length;
  const circle = (...name: number[]) =>
    reply(query, 0x8180, bytes(...name, asyncio.pack_struct("!HHIH", 1, 1, 0, 4), 1, 2, 3, 4));
  assertThrows(() => parse_answer(circle(0xc0, start), query), MalformedError, "points nowhere");
  assertThrows(() => parse_answer(circle(1, 97, 0xc0, start), query), MalformedError, "points nowhere");
  assertThrows(() => parse_answer(circle(0xff, 0xff), query), MalformedError, "points nowhere");
  assertThrows(() => parse_answer(circle(0x80, 0), query), MalformedError, "points nowhere");
  assertThrows(() => parse_answer(reply(query, 0x8185), query), DnsError, "the server refuses");
  assertThrows(
    () => parse_answer(reply(query, 0x8180, record(5, bytes(1, 97, 0, 0))), query),
    MalformedError,
    "wrong length",
  );
  assertEquals(
    parse_answer(reply(query, 0x8180, record(16, bytes(3, "abc")), A), query)!.answers.map(({ type }) => type),
    ["A"],
  );
});
