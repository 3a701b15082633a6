import { assert, assertEquals, assertInstanceOf, assertMatch } from "@std/assert";
import * as asyncio from "../../mod.ts";
import { certificates } from "../_certificates.ts";
import { error_of } from "../_helpers.ts";
import { bytes, LOOPBACK, MIB, pattern, port_of, same_bytes, type Streams, text } from "../_streams.ts";
import { close, find_program, Folder, missing_of, Peer, peer_test } from "./_peers.ts";

const SCRIPT = new URL("python_peer.py", import.meta.url).pathname;
const DATA = pattern(16 * MIB);

/** A Python whose writers have `start_tls()`: the one that the environment variable PYTHON names, or one in the PATH. */
function find_python(): string | null {
  const named = Deno.env.get("PYTHON");
  for (const name of named ? [named] : ["python3.13", "python3"]) {
    if (find_program(name, [""]) === null) continue;
    const script = "import sys; sys.version_info >= (3, 11) and print(sys.executable)";
    // What is in the PATH may only stand for a Python that is not there.
    const { stdout } = new Deno.Command(name, { args: ["-c", script], stderr: "null" }).outputSync();
    if (stdout.length > 0) return text(stdout).trim();
  }
  return null;
}

const python = find_python();
const missing = python === null ? "no Python 3.11 or later is installed" : missing_of("openssl");

type Way = "tcp" | "unix" | "tls";
const WAYS: readonly Way[] = ["tcp", "unix", "tls"];

/** The folder that both sides share. */
async function shared(folder: string): Promise<void> {
  const { ca, server } = await certificates();
  await Deno.writeTextFile(`${folder}/ca.pem`, ca);
  await Deno.writeTextFile(`${folder}/server.pem`, server.cert);
  await Deno.writeTextFile(`${folder}/server.key`, server.key);
}

function start(...args: string[]): Peer {
  return new Peer(python!, ["-B", SCRIPT, ...args]);
}

// Python serves

interface Server {
  readonly peer: Peer;
  connect(): PromiseLike<Streams>;
}

function server_test(promise: string, ways: readonly Way[], body: (server: Server, way: Way) => Promise<void>): void {
  for (const way of ways) {
    peer_test(`Python's asyncio serves over ${way}: ${promise}`, missing, async () => {
      await using folder = new Folder();
      await shared(folder.path);
      const { ca } = await certificates();
      await using peer = start("serve", folder.path, way);
      const [, port] = await peer.until_line("stdout", /^port (\d+)/);
      const connect = () =>
        way === "unix"
          ? asyncio.open_unix_connection(`${folder.path}/python.sock`)
          : asyncio.open_connection("localhost", Number(port), way === "tls" ? { ssl: { caCerts: [ca] } } : {});
      await body({ peer, connect }, way);
    });
  }
}

async function echo([reader, writer]: Streams, data: Uint8Array): Promise<void> {
  const sending = asyncio.create_task(async () => {
    writer.write(`echo ${data.length}\n`);
    await writer.send(data);
  });
  assert(same_bytes(await reader.readexactly(data.length), data));
  await sending;
}

server_test("16 MiB each way, small pieces, and the end", WAYS, async ({ peer, connect }) => {
  const streams = await connect();
  await echo(streams, DATA);
  for (let i = 0; i < 100; i++) await echo(streams, bytes("hello"));
  await close(streams[1]);
  await peer.until_line("stdout", /^end/);
});

server_test("the answer comes after this side has closed its half", ["tcp", "unix"], async ({ connect }) => {
  const [reader, writer] = await connect();
  writer.write("count\n");
  await writer.send(DATA);
  writer.write_eof();
  assertEquals(text(await reader.read()), `${DATA.length}\n`);
  await close(writer);
});

server_test("start_tls() in the middle of a conversation", ["tcp"], async ({ peer, connect }) => {
  const { ca } = await certificates();
  const [reader, writer] = await connect();
  await echo([reader, writer], bytes("plain"));
  await writer.send("tls\n");
  assertEquals(text(await reader.readline()), "ok\n");
  await writer.start_tls({ caCerts: [ca] });
  await echo([reader, writer], DATA);
  await close(writer);
  await peer.until_line("stdout", /^end/);
});

server_test("it breaks the connection, and both reading and writing tell", WAYS, async ({ connect }, way) => {
  const [reader, writer] = await connect();
  await writer.send("abort\n");
  if (way === "unix") assertEquals((await reader.read()).length, 0);
  else assertInstanceOf(await error_of(reader.read()), asyncio.ConnectionResetError);
  const error = await error_of((async () => {
    for (;;) await writer.send(DATA);
  })());
  assert(error instanceof asyncio.ConnectionResetError || error instanceof asyncio.BrokenPipeError, String(error));
  writer.abort();
  await error_of(writer.wait_closed()).catch(() => {});
});

server_test("it hears of a connection that this side aborts", WAYS, async ({ peer, connect }) => {
  const [reader, writer] = await connect();
  writer.write("echo 1000000000\n");
  writer.write(DATA);
  await reader.readexactly(MIB);
  writer.abort();
  await writer.wait_closed();
  await peer.until_line("stdout", /^broken (ConnectionResetError|BrokenPipeError|IncompleteReadError)/);
});

// Python calls

/** The server's side of python_peer.py's conversations. */
async function serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter): Promise<void> {
  const { server } = await certificates();
  for (;;) {
    const [word, count] = text(await reader.readline()).trim().split(" ");
    switch (word) {
      case "echo":
        for (let left = Number(count); left > 0;) {
          const data = await reader.read(Math.min(left, 65536));
          await writer.send(data);
          left -= data.length;
        }
        break;
      case "count":
        await writer.send(`${(await reader.read()).length}\n`);
        return;
      case "tls":
        await writer.send("ok\n");
        await writer.start_tls(server);
        break;
      case "abort":
        return writer.abort();
      default:
        return;
    }
  }
}

for (const way of WAYS) {
  peer_test(`Python's asyncio calls over ${way}: echoes, half-close, start_tls() and breaks`, missing, async () => {
    await using folder = new Folder();
    await shared(folder.path);
    const { server: identity } = await certificates();
    const ends: unknown[] = [];
    const handler = async (reader: asyncio.StreamReader, writer: asyncio.StreamWriter) => {
      ends.push(await serve_one(reader, writer).catch((error) => error));
    };
    await using server = way === "unix"
      ? await asyncio.start_unix_server(handler, `${folder.path}/deno.sock`)
      : await asyncio.start_server(handler, LOOPBACK, 0, way === "tls" ? { ssl: identity } : {});
    await using peer = start("call", folder.path, way, ...(way === "unix" ? [] : [`${port_of(server)}`]));
    const { code, stdout, stderr } = await peer.end();
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, /^(broken (ConnectionResetError|BrokenPipeError)\n)?done\n$/);
    await server.shutdown();
    const last = ends.pop();
    assert(way === "unix" || last instanceof asyncio.ConnectionResetError, Deno.inspect(last));
    assert(ends.every((end) => end === undefined), Deno.inspect(ends));
  });
}
