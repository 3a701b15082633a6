import { assertEquals, assertInstanceOf, assertMatch } from "@std/assert";
import * as asyncio from "../../mod.ts";
import { certificates } from "../_certificates.ts";
import { error_of } from "../_helpers.ts";
import { bytes, joined, LOOPBACK, MIB, type Streams, text } from "../_streams.ts";
import { close, find_program, Folder, free_port, missing_of, output_of, Peer, peer_test } from "./_peers.ts";

/** Debian keeps the server's programs out of the way, by version. */
function folders(): string[] {
  try {
    return [...Deno.readDirSync("/usr/lib/postgresql")].map(({ name }) => `/usr/lib/postgresql/${name}/bin`);
  } catch {
    return [];
  }
}

const initdb = find_program("initdb", folders());
const postgres = find_program("postgres", folders());

/** The server refuses to be root. */
const NOBODY = 65534;
const is_root = Deno.uid() === 0;
const setpriv = find_program("setpriv");

function missing(): string | null {
  if (initdb === null || postgres === null) return "PostgreSQL is not installed";
  if (is_root && setpriv === null) return "PostgreSQL refuses root, and setpriv is not installed";
  return missing_of("openssl");
}

/** A command as somebody who is not root. */
function unprivileged(program: string, args: readonly string[]): [program: string, args: string[]] {
  if (!is_root) return [program, [...args]];
  return [setpriv!, [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", program, ...args]];
}

async function own(path: string, mode: number): Promise<void> {
  await Deno.chmod(path, mode);
  if (is_root) await Deno.chown(path, NOBODY, NOBODY);
}

/** Makes a database cluster that trusts everybody, with the server's certificate in it. */
async function make(folder: string): Promise<void> {
  await own(folder, 0o700);
  const args = ["-D", `${folder}/data`, "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"];
  const [program, all] = unprivileged(initdb!, args);
  await output_of(program, all, { cwd: folder });
  const { server } = await certificates();
  for (const [name, content] of [["server.pem", server.cert], ["server.key", server.key]]) {
    await Deno.writeTextFile(`${folder}/${name}`, content);
    await own(`${folder}/${name}`, 0o600);
  }
}

async function start(folder: string, ssl: boolean): Promise<[Peer, number]> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const port = free_port();
    const settings = {
      listen_addresses: LOOPBACK,
      port,
      unix_socket_directories: folder,
      fsync: "off",
      ssl: ssl ? "on" : "off",
      ssl_cert_file: `${folder}/server.pem`,
      ssl_key_file: `${folder}/server.key`,
    };
    const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    // On SIGQUIT it ends at once, and takes its children with it.
    const peer = new Peer(...unprivileged(postgres!, ["-D", `${folder}/data`, ...args]), {
      cwd: folder,
      signal: "SIGQUIT",
    });
    try {
      await peer.until_line("stderr", /ready to accept connections/);
      return [peer, port];
    } catch {
      // Somebody else took the port in between.
      await peer[Symbol.asyncDispose]();
    }
  }
  throw new Error("Cannot start PostgreSQL");
}

// The protocol: a message is its kind, its length with the four bytes of that, and its content.

function message(kind: string, ...parts: Uint8Array[]): Uint8Array {
  const content = joined(parts);
  return joined([bytes(kind), int32(4 + content.length), content]);
}

function int32(...values: number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * values.length));
  values.forEach((value, i) => view.setInt32(4 * i, value));
  return new Uint8Array(view.buffer);
}

const SSL_REQUEST = int32(8, 80877103);
const STARTUP = message("", int32(196608), bytes("user\0tester\0database\0postgres\0\0"));

interface Message {
  readonly kind: string;
  readonly content: Uint8Array;
}

async function receive(reader: asyncio.StreamReader): Promise<Message> {
  const head = await reader.readexactly(5);
  const length = new DataView(head.buffer, head.byteOffset).getInt32(1);
  return { kind: text(head.subarray(0, 1)), content: await reader.readexactly(length - 4) };
}

/** All messages until the server is ready for the next query. */
async function until_ready(reader: asyncio.StreamReader, messages: Message[] = []): Promise<Message[]> {
  do messages.push(await receive(reader)); while (messages.at(-1)!.kind !== "Z");
  return messages;
}

/** The first column of each row that a query gives. */
async function query([reader, writer]: Streams, sql: string): Promise<string[]> {
  await writer.send(message("Q", bytes(`${sql}\0`)));
  const rows = (await until_ready(reader)).filter(({ kind }) => kind === "D");
  // A row: the number of columns in two bytes, then the length of each in four, and its text.
  return rows.map(({ content }) => text(content.subarray(6)));
}

/** Starts the session; gives what a cancellation of its queries has to say. */
async function log_in([reader, writer]: Streams): Promise<Uint8Array> {
  await writer.send(STARTUP);
  const messages = await until_ready(reader);
  assertEquals(messages[0], { kind: "R", content: int32(0) });
  return messages.find(({ kind }) => kind === "K")!.content;
}

async function log_out([, writer]: Streams): Promise<void> {
  writer.write(message("X"));
  await close(writer);
}

/** A connection that has gone over to TLS as PostgreSQL's clients do: asked for, then answered with one byte. */
async function connect_tls(port: number): Promise<Streams> {
  const { ca } = await certificates();
  const [reader, writer] = await asyncio.open_connection("localhost", port);
  await writer.send(SSL_REQUEST);
  assertEquals(text(await reader.readexactly(1)), "S");
  await writer.start_tls({ caCerts: [ca] });
  return [reader, writer];
}

peer_test(
  "PostgreSQL: a connection is upgraded to TLS, and serves queries, long ones and cancelled ones",
  missing(),
  async () => {
    await using folder = new Folder();
    await make(folder.path);
    {
      const [peer, port] = await start(folder.path, true);
      await using _peer = peer;
      const streams = await connect_tls(port);
      const key = await log_in(streams);
      const in_use = "select ssl and version like 'TLSv1.%' from pg_stat_ssl where pid = pg_backend_pid()";
      assertEquals(await query(streams, in_use), ["t"]);
      assertEquals(await query(streams, "select n from generate_series(1, 1000) n"), numbers(1000));
      assertEquals((await query(streams, `select repeat('x', ${3 * MIB})`))[0].length, 3 * MIB);
      assertEquals(await query(streams, `select length('${"y".repeat(2 * MIB)}')`), [`${2 * MIB}`]);

      // The wait is cancelled here, then the query there; the connection goes on with what comes.
      const answer: Message[] = [];
      await streams[1].send(message("Q", bytes("select pg_sleep(60)\0")));
      assertInstanceOf(
        await error_of(asyncio.wait_for(() => until_ready(streams[0], answer), 0.02)),
        asyncio.TimeoutError,
      );
      const [reader, writer] = await connect_tls(port);
      await writer.send(message("", int32(80877102), key));
      assertEquals((await reader.read()).length, 0);
      await close(writer);
      assertEquals((await until_ready(streams[0], answer)).map(({ kind }) => kind), ["T", "E", "Z"]);
      assertEquals(await query(streams, "select 'still here'"), ["still here"]);
      await log_out(streams);

      const refused = await asyncio.open_connection("localhost", port);
      await refused[1].send(SSL_REQUEST);
      assertEquals(text(await refused[0].readexactly(1)), "S");
      const error = await error_of(refused[1].start_tls(true));
      assertInstanceOf(error, Deno.errors.InvalidData);
      assertEquals(refused[1].is_closing(), true);
    }
    {
      const [peer, port] = await start(folder.path, false);
      await using _peer = peer;
      const [reader, writer] = await asyncio.open_connection(LOOPBACK, port);
      await writer.send(SSL_REQUEST);
      assertEquals(text(await reader.readexactly(1)), "N");
      await log_in([reader, writer]);
      assertEquals(await query([reader, writer], "select 6 * 7"), ["42"]);
      await log_out([reader, writer]);

      const streams = await asyncio.open_unix_connection(`${folder.path}/.s.PGSQL.${port}`);
      await log_in(streams);
      assertMatch((await query(streams, "select version()"))[0], /^PostgreSQL \d/);
      await log_out(streams);
    }
  },
);

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${i + 1}`);
}
