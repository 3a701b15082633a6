import { assert, assertEquals, assertInstanceOf, assertMatch } from "@std/assert";
import * as asyncio from "../../mod.ts";
import { certificates } from "../_certificates.ts";
import { collect_reports, error_of } from "../_helpers.ts";
import { bytes, LOOPBACK, MIB, pattern, port_of, same_bytes, type Streams, text } from "../_streams.ts";
import { close, Folder, missing_of, Peer, peer_test } from "./_peers.ts";

const missing = missing_of("openssl");

// openssl s_client, to our server

/** An echoing server. */
async function echo_server(options: Partial<asyncio.TlsServerOptions> = {}): Promise<asyncio.Server> {
  const { server } = await certificates();
  const echo = async (reader: asyncio.StreamReader, writer: asyncio.StreamWriter) =>
    void await asyncio.pipe(reader, writer);
  return await asyncio.start_server(echo, LOOPBACK, 0, { ssl: { ...server, ...options } });
}

async function s_client(server: asyncio.Server, ...args: string[]): Promise<Peer> {
  const { folder } = await certificates();
  const where = ["-connect", `${LOOPBACK}:${port_of(server)}`, "-servername", "localhost"];
  const trust = ["-CAfile", "ca.pem", "-verify_return_error", "-verify_hostname", "localhost"];
  return new Peer("openssl", ["s_client", ...where, ...trust, ...args], { cwd: folder });
}

for (const version of ["tls1_2", "tls1_3"]) {
  peer_test(`openssl s_client -${version}: 1 MiB goes to the server and comes back`, missing, async () => {
    await using server = await echo_server();
    await using client = await s_client(server, "-quiet", `-${version}`);
    const data = pattern(MIB);
    const saying = client.say(data);
    assert(same_bytes(await client.stdout.readexactly(data.length), data));
    await saying;
  });
}

peer_test(
  "openssl s_client: the keys may change in the middle, once on both sides and once on its own",
  missing,
  async () => {
    await using server = await echo_server();
    await using client = await s_client(server, "-tls1_3");
    // Its input is commands too: K asks for new keys on both sides, k changes its own.
    for (const [command, line] of [["", "one"], ["K\n", "two"], ["k\n", "three"]]) {
      if (command !== "") {
        await client.say(command);
        await client.until_line("stderr", /^KEYUPDATE/);
      }
      await client.say(`${line}\n`);
      await client.until_line("stdout", new RegExp(`^${line}\\s`));
    }
  },
);

peer_test("openssl s_client: what was agreed on is the same on both sides", missing, async () => {
  const { ca } = await certificates();
  const seen = new asyncio.Future<{ writer: asyncio.StreamWriter }>();
  const { server: identity } = await certificates();
  await using server = await asyncio.start_server(
    async (reader, writer) => {
      seen.set_result({ writer });
      await reader.read();
    },
    LOOPBACK,
    0,
    { ssl: { ...identity, caCerts: [ca], alpnProtocols: ["b/1", "a/1"] } },
  );
  await using client = await s_client(server, "-alpn", "a/1,b/1", "-cert", "client.pem", "-key", "client.key");
  assertMatch((await client.until_line("stdout", /^ALPN protocol: (.*)/))[1], /^b\/1/);
  const { writer } = await seen;
  const { alpn_protocol, server_hostname, peercert } = writer.get_extra_info("ssl_object")!;
  assertEquals([alpn_protocol, server_hostname, peercert?.subject.CN], ["b/1", "localhost", "client"]);
  // At the end of its input it says goodbye, which ends the handler.
  await client.end_input();
  assertEquals((await client.end()).code, 0);
});

peer_test(
  "openssl s_client: without the certificate that is demanded it is refused, and the server tells why",
  missing,
  async () => {
    const { ca } = await certificates();
    const loop = asyncio.get_event_loop();
    const reports = collect_reports(loop);
    const server = await echo_server({ caCerts: [ca] });
    try {
      for (const shown of [[], ["-cert", "stranger.pem", "-key", "stranger.key"]]) {
        await using client = await s_client(server, "-quiet", ...shown);
        const { code, stderr } = await client.end();
        assertEquals(code === 0, false, stderr);
      }
      await using client = await s_client(server, "-quiet", "-no_ign_eof", "-cert", "client.pem", "-key", "client.key");
      await client.say("hello\n");
      assertEquals(text(await client.stdout.readline()), "hello\n");
      await client.end_input();
      assertEquals((await client.end()).code, 0);
    } finally {
      await server.shutdown();
      loop.set_exception_handler(null);
    }
    assertEquals(reports.length, 2, Deno.inspect(reports));
    for (const { exception } of reports) assertInstanceOf(exception, Deno.errors.InvalidData);
  },
);

peer_test("openssl s_client that is killed is an error for who reads, not an end", missing, async () => {
  const { server: identity } = await certificates();
  const greeted = new asyncio.Future<void>();
  const seen = new asyncio.Future<unknown>();
  await using server = await asyncio.start_server(
    async (reader) => {
      await reader.readline();
      greeted.set_result();
      seen.set_result(await error_of(reader.read()));
    },
    LOOPBACK,
    0,
    { ssl: identity },
  );
  await using client = await s_client(server, "-quiet");
  await client.say("hello\n");
  await greeted;
  client.kill("SIGKILL");
  const error = await seen;
  // The system sends a reset for a process that had not read everything.
  assert(error instanceof Deno.errors.UnexpectedEof || error instanceof asyncio.ConnectionResetError, String(error));
});

// openssl s_server, and our client

/** A server on a free port, which it tells. `-rev` gives lines back in reverse. */
async function s_server(...args: string[]): Promise<[Peer, number]> {
  const { folder } = await certificates();
  const identity = ["-cert", `${folder}/server.pem`, "-key", `${folder}/server.key`];
  const cwd = args.includes("-HTTP") ? args.pop() : folder;
  const peer = new Peer("openssl", ["s_server", "-accept", `${LOOPBACK}:0`, ...identity, ...args], { cwd });
  return [peer, Number((await peer.until_line("stdout", /^ACCEPT .*:(\d+)/))[1])];
}

async function connect(port: number, more: asyncio.TlsClientOptions = {}): Promise<Streams> {
  const { ca } = await certificates();
  const ssl = { caCerts: [ca], ...more };
  return await asyncio.open_connection(LOOPBACK, port, { ssl, server_hostname: "localhost" });
}

for (const [args, version] of [["-tls1_2", "TLSv1.2"], ["-tls1_3", "TLSv1.3"], ["-no_tls1_3", "TLSv1.2"]]) {
  peer_test(`openssl s_server ${args}: the client speaks ${version}, lines both ways`, missing, async () => {
    const [peer, port] = await s_server(args, "-rev", "-alpn", "b/1,a/1");
    await using _peer = peer;
    const [reader, writer] = await connect(port, { alpnProtocols: ["a/1", "b/1"] });
    const { version: agreed, alpn_protocol } = writer.get_extra_info("ssl_object")!;
    assertEquals([agreed, alpn_protocol], [version, "b/1"]);
    for (let i = 0; i < 100; i++) {
      await writer.send(`${i} hello\n`);
      assertEquals(text(await reader.readline()), `olleh ${[...`${i}`].toReversed().join("")}\n`);
    }
    await close(writer);
  });
}

peer_test(
  "openssl s_server that is killed is an error for who reads, behind what came before it",
  missing,
  async () => {
    const [peer, port] = await s_server("-rev");
    await using _peer = peer;
    const [reader, writer] = await connect(port);
    await writer.send("hello\n");
    assertEquals(text(await reader.readexactly(3)), "oll");
    await asyncio.sleep(0.02);
    peer.kill("SIGKILL");
    assertEquals(text(await reader.readline()), "eh\n");
    assertInstanceOf(await error_of(reader.read()), Deno.errors.UnexpectedEof);
    writer.abort();
    await writer.wait_closed();
  },
);

peer_test("openssl s_server demands a certificate, and gets it", missing, async () => {
  const { client, folder } = await certificates();
  const [peer, port] = await s_server("-rev", "-Verify", "1", "-CAfile", `${folder}/ca.pem`, "-verify_return_error");
  await using _peer = peer;
  for (const version of [1, 2]) {
    const [reader, writer] = await connect(port, client);
    await writer.send(`${version}x\n`);
    assertEquals(text(await reader.readline()), `x${version}\n`);
    await close(writer);
  }
  // In TLS 1.3 a client learns of the refusal only when it reads.
  const error = await error_of((async () => {
    const [reader, writer] = await connect(port);
    try {
      await reader.readexactly(1);
    } finally {
      writer.abort();
    }
  })());
  assertInstanceOf(error, Deno.errors.InvalidData);
  assertMatch(error.message, /certificate ?required/i);
});

peer_test("openssl s_server -HTTP: a file of 5 MiB that ends with the connection is whole", missing, async () => {
  await using folder = new Folder();
  const data = pattern(5 * MIB);
  await Deno.writeFile(`${folder.path}/large`, data);
  const [peer, port] = await s_server("-HTTP", folder.path);
  await using _peer = peer;
  const [reader, writer] = await connect(port);
  // Its answer is the file, whose first lines ought to be the headers.
  await writer.send(bytes("GET /large HTTP/1.0\r\n\r\n"));
  assert(same_bytes(await reader.read(), data));
  await close(writer);
});
