// The examples of proxies, HTTP and standard input, each as a process, against peers that are not this library's.

import { createServer } from "node:net";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { parse_range, segments_of } from "../examples/file_server.ts";
import { reply } from "../examples/socks5_proxy.ts";
import * as asyncio from "../mod.ts";
import { certificates } from "./_certificates.ts";
import { CURL, curl, HOST, OPENSSL, Program, test_with } from "./_programs.ts";
import { bytes, pattern, port_of, same_bytes, type Streams, text } from "./_streams.ts";

async function unused_port(): Promise<number> {
  await using server = await asyncio.start_server(() => {}, HOST, 0);
  return port_of(server);
}

// Usage

for (
  const [path, args, message] of [
    ["tls_client.ts", [HOST], "host and port are needed"],
    ["tls_server.ts", [HOST, "x"], 'port must be a whole number from 0 to 65535, got "x"'],
    ["starttls_client.ts", [], "host is missing"],
    ["tcp_proxy.ts", [HOST], "host and port are needed"],
    ["http_client.ts", ["example"], 'url must be a URL, got "example"'],
    ["file_server.ts", [".", HOST, "0", "-1"], 'timeout must be a number above 0, got "-1"'],
    ["socks5_proxy.ts", [HOST, "70000"], 'port must be a whole number from 0 to 65535, got "70000"'],
    ["grep.ts", ["("], "Invalid regular expression: /(/u: Unterminated group"],
    ["grep.ts", ["-i"], "pattern is missing"],
  ] as const
) {
  Deno.test(`${[path, ...args].join(" ")} ends with the mistake, its usage and code 2`, async () => {
    await using program = new Program(path, args);
    const { stderr, code } = await program.end();
    assertEquals([stderr.split("\n")[0], code], [`error: ${message}`, 2]);
    assertMatch(stderr, /\nusage: deno run /);
  });
}

// TCP proxy

test_with(
  { curl: CURL },
  "tcp_proxy.ts passes a request of curl on and tells how many bytes went each way",
  async () => {
    const body = "x".repeat(1_000_000);
    await using server = Deno.serve({ hostname: HOST, port: 0, onListen: () => {} }, () => new Response(body));
    await using proxy = new Program("tcp_proxy.ts", [HOST, String(server.addr.port), "0"], HOST);
    const port = await proxy.port();
    const { stdout, code } = await curl(`http://${HOST}:${port}/`);
    assertEquals([code, stdout.length], [0, body.length]);
    assertMatch(await proxy.line(), new RegExp(`: connected to ${HOST}:${server.addr.port}$`));
    const [, sent, received] = (await proxy.line()).match(/: (\d+) bytes sent, (\d+) bytes received$/)!.map(Number);
    assert(sent > 50 && sent < 500 && received > 1_000_000 && received < 1_000_500);
  },
);

Deno.test("tcp_proxy.ts passes each end of data on by itself, and on Ctrl-C lets a connection end", async () => {
  const data = pattern(300_000);
  await using server = await asyncio.start_server(
    async (reader, writer) => {
      // The answer begins after the end of the question.
      const question = await reader.read();
      await writer.send(question);
    },
    HOST,
    0,
  );
  await using proxy = new Program("tcp_proxy.ts", [HOST, String(port_of(server)), "0"], HOST);
  const port = await proxy.port();
  const [reader, writer] = await asyncio.open_connection(HOST, port);
  await writer.send(data.subarray(0, 1000));
  const peer = (await proxy.line()).replace(/ connected to .*/, "");
  proxy.interrupt();
  // It no longer listens once it has taken note of it.
  await refused(port);
  await writer.send(data.subarray(1000));
  writer.write_eof();
  assert(same_bytes(await reader.read(), data));
  writer.close();
  await writer.wait_closed();
  // It may still have taken one of those that looked whether it listens.
  let line: string;
  do line = await proxy.line(); while (!line.startsWith(peer));
  assertEquals(line, `${peer} 300000 bytes sent, 300000 bytes received`);
  const { stdout, stderr, code } = await proxy.end();
  assertEquals([stdout.includes(peer), stderr, code], [false, "", 130]);
});

/** Waits until nobody listens on a port any more. */
async function refused(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    try {
      const [, writer] = await asyncio.open_connection(HOST, port);
      writer.abort();
    } catch (error) {
      if (error instanceof asyncio.ConnectionRefusedError) return;
      throw error;
    }
    await asyncio.sleep(0.02);
  }
  throw new Error(`Somebody still listens on ${port}`);
}

Deno.test("tcp_proxy.ts hangs up on a client whose server breaks the connection, or cannot be reached", async () => {
  // The library cannot reset a connection, node:net can.
  const server = createServer((socket) => socket.on("error", () => {}).once("data", () => socket.resetAndDestroy()));
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const { port: server_port } = server.address() as { port: number };
  await using proxy = new Program("tcp_proxy.ts", [HOST, String(server_port), "0"], HOST);
  const port = await proxy.port();

  const [reader, writer] = await asyncio.open_connection(HOST, port);
  await writer.send("first\n");
  assertEquals(await reader.read(), bytes(""));
  writer.close();
  assertMatch(await proxy.line(), /: connected to /);
  assertMatch(await proxy.line(), /: 6 bytes sent, 0 bytes received \(.*reset.*\)$/i);
  await new Promise<void>((resolve) => server.close(() => resolve()));

  const [late_reader, late_writer] = await asyncio.open_connection(HOST, port);
  assertEquals(await late_reader.read(), bytes(""));
  late_writer.close();
  assertMatch(await proxy.line(), /: Cannot connect to .*Connection refused/);
});

// HTTP client

async function http_output(url: string, permissions: string[] = [], ...args: string[]) {
  await using client = new Program("http_client.ts", [url, ...args], HOST, { permissions });
  return await client.end();
}

/** Answers every request with the same bytes, and then hangs up. */
function answering(answer: string): asyncio.Future<asyncio.Server> {
  return asyncio.start_server(
    async (reader, writer) => {
      await reader.readuntil("\r\n\r\n");
      writer.write(answer);
    },
    HOST,
    0,
  );
}

Deno.test("http_client.ts gets counted and chunked bodies of a real server, follows redirects, and tells of errors", async () => {
  const large = "0123456789".repeat(50_000);
  await using server = Deno.serve({ hostname: HOST, port: 0, onListen: () => {} }, (request) => {
    const { pathname, search } = new URL(request.url);
    if (pathname === "/counted") return new Response(large + search);
    if (pathname === "/chunked") return new Response(new Blob([large]).stream());
    if (pathname === "/moved") return new Response(null, { status: 302, headers: { Location: "counted?it" } });
    if (pathname === "/round") return new Response(null, { status: 301, headers: { Location: "/round" } });
    return new Response("no such page\n", { status: 404 });
  });
  const url = `http://${HOST}:${server.addr.port}`;
  const fine = (stdout: string) => ({ stdout, stderr: "", code: 0 });
  const [counted, chunked, moved, round, missing] = await Promise.all(
    ["counted?x=1", "chunked", "moved", "round", "none"].map((path) => http_output(`${url}/${path}`)),
  );
  assertEquals(counted, fine(`${large}?x=1`));
  assertEquals(chunked, fine(large));
  assertEquals(moved, fine(`${large}?it`));
  assertEquals(round, { stdout: "", stderr: "error: There are more than 5 redirects\n", code: 1 });
  assertEquals(missing, { stdout: "no such page\n", stderr: "error: The answer is 404 Not Found\n", code: 1 });
});

for (
  const [promise, answer, stdout, error] of [
    ["a body that ends with the connection", "HTTP/1.0 200 OK\r\n\r\nto the end", "to the end", null],
    [
      "chunks with extensions and trailers",
      chunked_answer("3;a=b\r\none\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n"),
      "one0123456789",
      null,
    ],
    [
      "an answer after an announcement",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
      "ok",
      null,
    ],
    ["no body where there cannot be one", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "", null],
    [
      "a short body",
      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
      "short",
      "The server hung up 4 bytes before the end",
    ],
    ["a chunk that is too long", chunked_answer("3\r\nfour\r\n0\r\n\r\n"), "fou", "A chunk is longer than it says"],
    ["a chunk without a length", chunked_answer("-1\r\n"), "", 'Cannot understand the length "-1"'],
    ["half an answer", "HTTP/1.1 200 OK\r\nContent-", "", "The server hung up in the middle of its answer"],
    ["something else", "220 mail.example ready\r\n\r\n", "", 'Not an answer of HTTP/1.1: "220 mail.example ready"'],
  ] as const
) {
  Deno.test(`http_client.ts gets ${promise}${error === null ? "" : ", and ends with code 1"}`, async () => {
    await using server = await answering(answer);
    assertEquals(await http_output(`http://${HOST}:${port_of(server)}/`), {
      stdout,
      stderr: error === null ? "" : `error: ${error}\n`,
      code: error === null ? 0 : 1,
    });
  });
}

function chunked_answer(body: string): string {
  return `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`;
}

test_with({ openssl: OPENSSL }, "http_client.ts gets a page over https from a real server", async () => {
  const { folder, server: identity } = await certificates();
  await using server = Deno.serve(
    { hostname: HOST, port: 0, onListen: () => {}, ...identity },
    () => new Response("safe"),
  );
  const got = await http_output(`https://${HOST}:${server.addr.port}/`, [`--allow-read=${folder}`], `${folder}/ca.pem`);
  assertEquals(got, { stdout: "safe", stderr: "", code: 0 });
});

// File server

/** A folder to serve, and a secret beside it. */
async function with_files(fn: (url: string, program: Program, port: number) => Promise<void>, timeout = "10") {
  const outside = await Deno.makeTempDir();
  try {
    const folder = `${outside}/www`;
    await Deno.mkdir(`${folder}/sub dir`, { recursive: true });
    await Deno.mkdir(`${outside}/www-other`);
    await Deno.writeTextFile(`${outside}/secret.txt`, "secret");
    await Deno.writeTextFile(`${outside}/www-other/secret.txt`, "secret");
    await Deno.writeTextFile(`${folder}/a.txt`, "0123456789");
    await Deno.writeTextFile(`${folder}/index.html`, "<p>index");
    await Deno.writeTextFile(`${folder}/sub dir/index.html`, "<p>sub");
    await Deno.writeFile(`${folder}/large.bin`, pattern(20_000_000));
    await Deno.symlink(`${outside}/secret.txt`, `${folder}/link.txt`);
    await Deno.symlink("../www-other", `${folder}/other`);
    await Deno.symlink("a.txt", `${folder}/same.txt`);
    await using server = new Program("file_server.ts", [folder, HOST, "0", timeout], `${HOST}:0`, {
      // More than it needs, so that what is refused is refused by the program.
      permissions: [`--allow-read=${outside}`],
    });
    const port = await server.port();
    await fn(`http://${HOST}:${port}`, server, port);
    server.interrupt();
    const { stderr, code } = await server.end();
    assertEquals([stderr, code], ["", 130]);
  } finally {
    await Deno.remove(outside, { recursive: true });
  }
}

test_with(
  { curl: CURL },
  "file_server.ts gives curl files, their types, parts of them, and uses connections again",
  async () => {
    await with_files(async (url, server) => {
      const format = ["-w", "|%{http_code} %{content_type} %{size_download}"];
      const get = async (...args: string[]) => (await curl(...format, ...args)).stdout;
      assertEquals(await get(`${url}/a.txt?x#y`), "0123456789|200 text/plain; charset=utf-8 10");
      assertEquals(await server.line().then((line) => line.replace(/^\S+ /, "")), 'GET "/a.txt?x" 200');
      assertEquals(await get(`${url}/`), "<p>index|200 text/html; charset=utf-8 8");
      assertEquals(await get(`${url}/same.txt`), "0123456789|200 text/plain; charset=utf-8 10");
      assertEquals(await get("-L", `${url}/sub%20dir`), "<p>sub|200 text/html; charset=utf-8 6");
      assertEquals(await get("-r", "2-4", `${url}/a.txt`), "234|206 text/plain; charset=utf-8 3");
      assertEquals(await get("-r", "-3", `${url}/a.txt`), "789|206 text/plain; charset=utf-8 3");
      assertEquals(
        await get("-r", "10-", `${url}/a.txt`),
        "416 Range Not Satisfiable\n|416 text/plain; charset=utf-8 26",
      );
      assertEquals(await get("-d", "x=1", `${url}/a.txt`), "405 Method Not Allowed\n|405 text/plain; charset=utf-8 23");
      const head = (await curl("--head", `${url}/a.txt`)).stdout;
      assertMatch(head, /^HTTP\/1\.1 200 OK\r\n[^]*\r\nContent-Length: 10\r\n/);
      const twice = await curl(
        "-o",
        "/dev/null",
        "-o",
        "/dev/null",
        "-w",
        "%{num_connects}",
        `${url}/a.txt`,
        `${url}/a.txt`,
      );
      assertEquals(twice.stdout, "10");
      const fetched = await (await fetch(`${url}/large.bin`)).bytes();
      assert(same_bytes(fetched, pattern(20_000_000)));
    });
  },
);

test_with({ curl: CURL }, "file_server.ts gives nothing outside of its folder, however it is spelled", async () => {
  await with_files(async (url) => {
    const paths = [
      "/../secret.txt",
      "/%2e%2e/secret.txt",
      "/.%2E/secret.txt",
      "/..%2fsecret.txt",
      "/%2e%2e%2fsecret.txt",
    ];
    paths.push("/sub%20dir/../../secret.txt", "/..\\secret.txt", "/..%5csecret.txt", "//etc/passwd", "/%2fetc/passwd");
    paths.push("/link.txt", "/other/secret.txt", "/other/", "/../www-other/secret.txt", "/a.txt/", "/none");
    const codes = await Promise.all(paths.map(async (path) => {
      const { stdout } = await curl("--path-as-is", "-w", "|%{http_code}", url + path);
      return [path, stdout];
    }));
    assertEquals(codes, paths.map((path) => [path, "404 Not Found\n|404"]));
    // A proxy's spelling, and what is no path at all.
    const target = (target: string) => curl("--request-target", target, "-o", "/dev/null", "-w", "%{http_code}", url);
    const answers = await Promise.all(
      ["http://x/a.txt", "http://x/../secret.txt", "/etc/../a.txt", "etc", "/%zz", "/%00", "*"].map(target),
    );
    assertEquals(answers.map(({ stdout }) => stdout), ["200", "404", "404", "400", "400", "400", "400"]);
  });
});

Deno.test("file_server.ts answers what is wrong, and gives up clients that neither send nor take in time", async () => {
  await with_files(async (_url, _server, port) => {
    const ask = async (request: string) => {
      const [reader, writer] = await asyncio.open_connection(HOST, port);
      await writer.send(request);
      const answer = text(await reader.read());
      writer.close();
      return answer.split("\r\n")[0];
    };
    assertEquals(await ask("GET / HTTP/1.1\r\n\r\n"), "HTTP/1.1 400 Bad Request");
    assertEquals(await ask("nonsense\r\n\r\n"), "HTTP/1.1 400 Bad Request");
    assertEquals(await ask("GET / HTTP/2.0\r\n\r\n"), "HTTP/1.1 505 HTTP Version Not Supported");
    assertEquals(
      await ask(`GET / HTTP/1.1\r\nX: ${"x".repeat(20_000)}`),
      "HTTP/1.1 431 Request Header Fields Too Large",
    );
    assertEquals(await ask("GET / HTTP/1.0\r\n\r\n"), "HTTP/1.1 200 OK");
    assertEquals(await ask("GET / HTTP/1.1\r\nHos"), "HTTP/1.1 408 Request Timeout");

    // It asks for far more than the kernel keeps, and reads none of it.
    const [reader, writer] = await asyncio.open_connection(HOST, port);
    await writer.send("GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n");
    await reader.readuntil("\r\n\r\n");
    await asyncio.sleep(1.5);
    const rest = await reader.read().then((data) => data.length, (error) => error as Error);
    assert(rest instanceof asyncio.ConnectionResetError || (typeof rest === "number" && rest < 20_000_000));
    writer.abort();
  }, "0.5");
});

Deno.test("file_server.ts understands paths and ranges", () => {
  assertEquals(segments_of("/a/b%20c?d/e"), ["a", "b c"]);
  assertEquals(segments_of("HTTPS://host:1/a"), ["a"]);
  for (const path of ["/..", "/a/%2E%2e", "/a/.", "/%2e", "/a%2fb", "/a%5Cb"]) {
    assertThrows(() => segments_of(path), Error, "Not Found");
  }
  for (const path of ["", "a", "http://host", "/%", "/%ff", "/a%00"]) {
    assertThrows(() => segments_of(path), Error, "Bad Request");
  }
  assertEquals(parse_range(null, 10), null);
  assertEquals(parse_range("bytes=0-0", 10), [0, 1]);
  assertEquals(parse_range("bytes=5-99", 10), [5, 10]);
  assertEquals(parse_range("bytes=-99", 10), [0, 10]);
  for (const text of ["bytes=-", "bytes=5-4", "bytes=0-1,3-4", "lines=1-2"]) assertEquals(parse_range(text, 10), null);
  for (const text of ["bytes=10-", "bytes=-0", "bytes=99999999999999999999-"]) {
    assertThrows(() => parse_range(text, 10), Error, "Range Not Satisfiable");
  }
});

// SOCKS5

test_with({ curl: CURL }, "socks5_proxy.ts takes curl to names, IPv4 and IPv6 addresses", async () => {
  await using server = Deno.serve({ hostname: "::", port: 0, onListen: () => {} }, () => new Response("through"));
  const port = server.addr.port;
  await using proxy = new Program("socks5_proxy.ts", [HOST, "0"], `${HOST},localhost,[::1]`);
  const through = ["--socks5-hostname", `${HOST}:${await proxy.port()}`];
  for (const host of ["localhost", HOST, "[::1]"]) {
    assertEquals(await curl(...through, `http://${host}:${port}/`), { stdout: "through", stderr: "", code: 0 });
    assertMatch(await proxy.line(), /: connected to \S+$/);
    assertMatch(await proxy.line(), /: \d+ bytes sent, \d+ bytes received$/);
  }
  const refused = await curl(...through, `http://${HOST}:${await unused_port()}/`);
  // 97 is curl's code for a proxy that refuses.
  assertEquals([refused.code, refused.stdout], [97, ""]);
  assertMatch(refused.stderr, /\(5\)/);
});

Deno.test("socks5_proxy.ts answers each kind of failure with its code, and hangs up", async () => {
  await using proxy = new Program("socks5_proxy.ts", [HOST, "0"], `${HOST},host.invalid`);
  const port = await proxy.port();
  const closed = await unused_port();
  const [high, low] = [closed >> 8, closed & 0xff];
  const name = (text: string) => [3, text.length, ...bytes(text)];
  const failures: [what: string, sent: number[], answer: number[]][] = [
    ["no method that will do", [5, 1, 2], [5, 0xff]],
    ["refused", [5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, high, low], [5, 0, ...reply(5, "0.0.0.0", 0)]],
    ["BIND", [5, 1, 0, 5, 2, 0, 1, 127, 0, 0, 1, 0, 80], [5, 0, ...reply(7, "0.0.0.0", 0)]],
    ["an address of no known type", [5, 1, 0, 5, 1, 0, 9], [5, 0, ...reply(8, "0.0.0.0", 0)]],
    ["a host that is not permitted", [5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 9, 0, 80], [5, 0, ...reply(2, "0.0.0.0", 0)]],
    ["a name that does not exist", [5, 1, 0, 5, 1, 0, ...name("host.invalid"), 0, 80], [
      5,
      0,
      ...reply(4, "0.0.0.0", 0),
    ]],
    ["no name", [5, 1, 0, 5, 1, 0, 3, 0, 0, 80], [5, 0, ...reply(1, "0.0.0.0", 0)]],
    ["another version", [4, 1, 0, 80, 127, 0, 0, 1, 0], []],
  ];
  for (const [what, sent, answer] of failures) {
    const [reader, writer]: Streams = await asyncio.open_connection(HOST, port);
    await writer.send(Uint8Array.from(sent));
    assertEquals([what, ...await reader.read()], [what, ...answer]);
    writer.close();
    await writer.wait_closed();
  }
});

Deno.test("socks5_proxy.ts writes addresses as the protocol has them", () => {
  assertEquals([...reply(0, "1.2.3.4", 258)], [5, 0, 0, 1, 1, 2, 3, 4, 1, 2]);
  assertEquals([...reply(0, "2001:db8::1", 1)].slice(4), [
    0x20,
    1,
    0x0d,
    0xb8,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    1,
    0,
    1,
  ]);
  assertEquals([...reply(0, "::ffff:1.2.3.4", 1)].slice(14, 20), [0xff, 0xff, 1, 2, 3, 4]);
  assertEquals([...reply(0, "::", 1)].slice(4, 20), new Array(16).fill(0));
});

// grep

Deno.test("grep.ts prints each line that matches as soon as it has come, and ends with the input", async () => {
  await using grep = new Program("grep.ts", ["-i", "o+n?e"], null, { stdin: "piped" });
  for (const [typed, printed] of [["zero\ntwo ONE\n", "two ONE"], ["oe\nbe", "oe"], ["\nönoe\n", "önoe"]]) {
    await grep.type(typed);
    assertEquals(await grep.line(), printed);
  }
  await grep.type("no\nlast one");
  await grep.end_input();
  assertEquals(await grep.end(), { stdout: "last one\n", stderr: "", code: 0 });
});

for (
  const [args, input, stdout, code] of [
    [["x"], "one\ntwo\n", "", 1],
    [["x"], "", "", 1],
    [["-v", "one"], "one\n\ntwo\n", "\ntwo\n", 0],
    [["-iv", "^ONE$"], "one\r\none\n", "one\r\n", 0],
    [["x"], `${"x".repeat(200_000)}\n`, `${"x".repeat(200_000)}\n`, 0],
  ] as const
) {
  Deno.test(`grep.ts ${args.join(" ")} with ${input.length} characters ends with code ${code}`, async () => {
    await using grep = new Program("grep.ts", args, null, { stdin: { text: input } });
    assertEquals(await grep.end(), { stdout, stderr: "", code });
  });
}

Deno.test("grep.ts ends on Ctrl-C while it waits for input", async () => {
  await using grep = new Program("grep.ts", ["x"], null, { stdin: "piped" });
  await grep.type("x\n");
  assertEquals(await grep.line(), "x");
  grep.interrupt();
  assertEquals(await grep.end(), { stdout: "", stderr: "", code: 130 });
});
