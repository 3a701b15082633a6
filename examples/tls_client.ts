// Sends the lines of standard input to a TLS server, and prints the line that comes back for each.
//
//   echo hello | deno run --allow-net --allow-read=ca.pem examples/tls_client.ts host port [ca_file]
//
// With a file of certificates in PEM, only the authorities in it are trusted, and otherwise those that Deno trusts. The
// first line it prints is what TLS agreed on. `tls_server.ts` is a server for it.

import * as asyncio from "../mod.ts";
import { run_program, UsageError, whole_number } from "./_command_line.ts";

const USAGE = "deno run --allow-net --allow-read=ca_file examples/tls_client.ts host port [ca_file]";

/** Seconds for the connection with its handshake, and for each answer. */
const PATIENCE = 5;

async function main(args: readonly string[]): Promise<void> {
  const [host, port_text, ca_file] = args;
  if (host === undefined || port_text === undefined) throw new UsageError("host and port are needed");
  const port = whole_number("port", port_text, 1, 65535);
  const ssl = ca_file === undefined ? true : { caCerts: [await Deno.readTextFile(ca_file)] };
  const [reader, writer] = await asyncio.open_connection(host, port, { ssl, timeout: PATIENCE });
  const [input] = asyncio.stdio();
  try {
    console.log(agreement(writer));
    for await (const line of input) console.log(await ask(reader, writer, new TextDecoder().decode(line).trimEnd()));
  } finally {
    // Over TLS that says goodbye, so that the server can tell the end from a connection that somebody cut.
    writer.close();
    await writer.wait_closed();
  }
}

/** What TLS agreed on, in a line. */
function agreement(writer: asyncio.StreamWriter): string {
  const { version, cipher, peercert } = writer.get_extra_info("ssl_object")!;
  return `${version}, ${cipher[0]}, certificate of ${peercert?.subject.CN ?? "nobody"} until ${peercert?.valid_to}`;
}

async function ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: string): Promise<string> {
  try {
    return await asyncio.async_with(asyncio.timeout(PATIENCE), async () => {
      await writer.send(`${line}\n`);
      return new TextDecoder().decode(await reader.readuntil("\n")).trimEnd();
    });
  } catch (error) {
    if (error instanceof asyncio.TimeoutError) throw new Error(`No answer within ${PATIENCE} s to "${line}"`);
    if (error instanceof asyncio.IncompleteReadError) {
      throw new Error(`The server hung up before it answered "${line}"`);
    }
    throw error;
  }
}

if (import.meta.main) await run_program(USAGE, () => asyncio.run(() => main(Deno.args)));
