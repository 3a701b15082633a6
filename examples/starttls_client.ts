// Asks a mail server what it can do, before and after the connection is made secure with STARTTLS.
//
//   deno run --allow-net --allow-read=ca.pem examples/starttls_client.ts host [port] [ca_file]
//
// With a file of certificates in PEM, only the authorities in it are trusted, and otherwise those that Deno trusts.

import * as asyncio from "../mod.ts";
import { run_program, UsageError, whole_number } from "./_command_line.ts";

const USAGE = "deno run --allow-net --allow-read=ca_file examples/starttls_client.ts host [port=587] [ca_file]";

/** What this side calls itself. A mail server that delivers onward would want its real name. */
const OWN_NAME = "localhost";
/** Seconds for the connection, for each answer and for the handshake. */
const PATIENCE = 10;
/** RFC 5321 allows 512 bytes; servers send more. */
const LONGEST_LINE = 4096;
const MOST_LINES = 100;

/** An answer: a code, and a text in one or more lines. */
export interface Reply {
  readonly code: number;
  readonly lines: readonly string[];
}

/** A conversation with a mail server. */
export class SmtpClient {
  readonly #reader: asyncio.StreamReader;
  readonly #writer: asyncio.StreamWriter;

  private constructor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) {
    this.#reader = reader;
    this.#writer = writer;
  }

  /** Connects and hears the greeting; whoever gets the client closes it, best with `await using`. */
  static async connect(host: string, port: number): Promise<SmtpClient> {
    const client = new SmtpClient(
      ...await asyncio.open_connection(host, port, { timeout: PATIENCE, limit: LONGEST_LINE }),
    );
    try {
      await client.#expect(220, "the greeting");
      return client;
    } catch (error) {
      client.#writer.abort();
      throw error;
    }
  }

  /** Introduces itself; gives what the server can do. */
  async ehlo(): Promise<readonly string[]> {
    const reply = await this.command(`EHLO ${OWN_NAME}`, 250);
    // The first line is the server's name.
    return reply.lines.slice(1);
  }

  /** Makes the connection secure. All that was heard before is void then: anybody could have said it. */
  async start_tls(ssl: true | asyncio.TlsClientOptions): Promise<void> {
    await this.command("STARTTLS", 220);
    // The name that the certificate has to be for is the host that was connected to. Bytes that a third party put
    // behind the answer, to be taken for the first words over TLS, would be an error here.
    await this.#writer.start_tls(ssl, { ssl_handshake_timeout: PATIENCE });
  }

  /** What TLS agreed on; `null` without it. */
  get tls(): asyncio.TlsInfo | null {
    return this.#writer.get_extra_info("ssl_object") ?? null;
  }

  /** Sends a command, and throws unless the answer has the code that it should. */
  async command(text: string, code: number): Promise<Reply> {
    await this.#writer.send(`${text}\r\n`);
    return await this.#expect(code, `the answer to ${text}`);
  }

  /** Ends the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#writer.close();
    try {
      await this.#writer.wait_closed();
    } catch {
      // Whoever sent what did not arrive has waited in vain for the answer, and thrown what went wrong.
    }
  }

  async #expect(code: number, what: string): Promise<Reply> {
    let reply: Reply;
    try {
      reply = await asyncio.wait_for(() => this.#read_reply(), PATIENCE);
    } catch (error) {
      if (error instanceof asyncio.TimeoutError) throw new Error(`${what} did not come within ${PATIENCE} s`);
      if (error instanceof asyncio.IncompleteReadError) throw new Error(`The server hung up before ${what}`);
      throw error;
    }
    if (reply.code === code) return reply;
    throw new Error(`${what} should be ${code}, got ${reply.code} ${reply.lines.join(" / ")}`);
  }

  /** A hyphen after the code says that more lines follow: `250-SIZE 1000`, `250 HELP`. */
  async #read_reply(): Promise<Reply> {
    const lines: string[] = [];
    while (lines.length < MOST_LINES) {
      const line = new TextDecoder().decode(await this.#reader.readuntil("\n")).trimEnd();
      const match = line.match(/^(\d{3})(?:([ -])(.*))?$/);
      if (match === null) throw new Error(`Cannot understand what the server sent: ${JSON.stringify(line)}`);
      lines.push(match[3] ?? "");
      if (match[2] !== "-") return { code: Number(match[1]), lines };
    }
    throw new Error(`The answer has more than ${MOST_LINES} lines`);
  }
}

async function main(args: readonly string[]): Promise<void> {
  const [host, port_text = "587", ca_file] = args;
  if (host === undefined) throw new UsageError("host is missing");
  const port = whole_number("port", port_text, 1, 65535);
  const ssl = ca_file === undefined ? true : { caCerts: [await Deno.readTextFile(ca_file)] };

  await using client = await SmtpClient.connect(host, port);
  const plain = await client.ehlo();
  console.log(`Without TLS: ${plain.join(", ")}`);
  if (!plain.some((each) => each.toUpperCase() === "STARTTLS")) throw new Error(`${host} does not offer STARTTLS`);
  await client.start_tls(ssl);
  console.log(`${client.tls!.version}, ${client.tls!.cipher[0]}`);
  const secure = await client.ehlo();
  console.log(`With TLS: ${secure.join(", ")}`);
  await client.command("QUIT", 221);
}

if (import.meta.main) await run_program(USAGE, () => asyncio.run(() => main(Deno.args)));
