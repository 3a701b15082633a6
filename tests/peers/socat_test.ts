import { assert, assertEquals } from "@std/assert";
import * as asyncio from "../../mod.ts";
import { certificates } from "../_certificates.ts";
import { LOOPBACK, MIB, pattern, port_of, same_bytes, type Streams, text } from "../_streams.ts";
import { close, Folder, free_port, missing_of, Peer, peer_test } from "./_peers.ts";

/** Reads all, and answers only then. */
async function count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter): Promise<void> {
  const data = await reader.read();
  await writer.send(`${data.length} bytes`);
}

const DATA = pattern(3 * MIB);

/** Gives a peer all the data and the end, and takes its answer. */
async function ask(peer: Peer): Promise<string> {
  await peer.say(DATA);
  await peer.end_input();
  const { code, stdout, stderr } = await peer.end();
  assertEquals([code, stderr], [0, ""]);
  return stdout;
}

/** Writes and reads at once, then closes the half. */
async function exchange([reader, writer]: Streams): Promise<void> {
  const sending = asyncio.create_task(async () => {
    await writer.send(DATA);
    writer.write_eof();
  });
  assert(same_bytes(await reader.read(), DATA));
  await sending;
  await close(writer);
}

/** What comes back from it; socat's own `PIPE` blocks for ever when it is full. */
const ECHO = "EXEC:cat";

/** Starts socat, and waits until it listens. */
async function socat(...addresses: string[]): Promise<[Peer, RegExpMatchArray]> {
  const peer = new Peer("socat", ["-d", "-d", ...addresses]);
  return [peer, await peer.until_line("stderr", /listening on .*[ :](\S+)/)];
}

peer_test("nc -N closes its half, and gets the answer", missing_of("nc"), async () => {
  await using server = await asyncio.start_server(count, LOOPBACK, 0);
  await using peer = new Peer("nc", ["-N", LOOPBACK, `${port_of(server)}`]);
  assertEquals(await ask(peer), `${DATA.length} bytes`);
});

peer_test("nc -U closes its half of a unix socket, and gets the answer", missing_of("nc"), async () => {
  await using folder = new Folder();
  await using _server = await asyncio.start_unix_server(count, `${folder.path}/s`);
  await using peer = new Peer("nc", ["-N", "-U", `${folder.path}/s`]);
  assertEquals(await ask(peer), `${DATA.length} bytes`);
});

peer_test("nc -l: lines go both ways, and the end too", missing_of("nc"), async () => {
  const port = free_port();
  await using peer = new Peer("nc", ["-N", "-v", "-l", LOOPBACK, `${port}`]);
  await peer.until_line("stderr", /^Listening/);
  const [reader, writer] = await asyncio.open_connection(LOOPBACK, port);
  await writer.send("to nc\n");
  assertEquals(text(await peer.stdout.readline()), "to nc\n");
  await peer.say("from nc\n");
  assertEquals(text(await reader.readline()), "from nc\n");
  await peer.end_input();
  assertEquals((await reader.read()).length, 0);
  await writer.send("still open\n");
  await close(writer);
  assertEquals((await peer.end()).stdout, "still open\n");
});

peer_test("socat echoes over TCP, half-close included", missing_of("socat"), async () => {
  const [peer, [, port]] = await socat(`TCP-LISTEN:0,bind=${LOOPBACK}`, ECHO);
  await using _peer = peer;
  await exchange(await asyncio.open_connection(LOOPBACK, Number(port)));
});

peer_test("socat echoes over a unix socket, half-close included", missing_of("socat"), async () => {
  await using folder = new Folder();
  const path = `${folder.path}/s`;
  const [peer] = await socat(`UNIX-LISTEN:${path}`, ECHO);
  await using _peer = peer;
  await exchange(await asyncio.open_unix_connection(path));
});

peer_test("socat is a client of a unix socket", missing_of("socat"), async () => {
  await using folder = new Folder();
  await using _server = await asyncio.start_unix_server(count, `${folder.path}/s`);
  await using peer = new Peer("socat", ["-t", "5", "-", `UNIX-CONNECT:${folder.path}/s`]);
  assertEquals(await ask(peer), `${DATA.length} bytes`);
});

peer_test(
  "socat makes a plain server of a TLS one: its half-close is a goodbye",
  missing_of("socat", "openssl"),
  async () => {
    const { server: identity, folder } = await certificates();
    await using server = await asyncio.start_server(count, LOOPBACK, 0, { ssl: identity });
    const target = `OPENSSL:localhost:${port_of(server)},pf=ip4,cafile=${folder}/ca.pem`;
    const [peer, [, port]] = await socat("-t", "5", `TCP-LISTEN:0,bind=${LOOPBACK}`, target);
    await using _peer = peer;
    const [reader, writer] = await asyncio.open_connection(LOOPBACK, Number(port));
    await writer.send(DATA);
    writer.write_eof();
    assertEquals(text(await reader.read()), `${DATA.length} bytes`);
    await close(writer);
  },
);
