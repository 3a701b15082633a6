// A server that sends every line back, over TLS, with a certificate that it makes when it starts.
//
//   deno run --allow-net --allow-run=openssl --allow-read=/tmp --allow-write=/tmp examples/tls_server.ts [host] [port]
//
// `openssl` makes the certificate, in a folder of its own under /tmp (where TMPDIR is set: there, and with that folder in
// the permissions). The certificate is for `localhost` and the loopback addresses, and good for a day. Clients have to
// trust its authority, whose file the server prints:
//
//   echo hello | deno run --allow-net --allow-read examples/tls_client.ts localhost 8443 /tmp/tls_server_.../ca.pem
//
// Ctrl-C ends it and removes the folder.

import * as asyncio from "../mod.ts";
import { run_program, show_address, whole_number } from "./_command_line.ts";

const USAGE = "deno run --allow-net --allow-run=openssl --allow-read=/tmp --allow-write=/tmp " +
  "examples/tls_server.ts [host=127.0.0.1] [port=8443]";

/** Seconds that a client gets for its handshake: the 60 of the library are for slow lines. */
const HANDSHAKE_PATIENCE = 10;

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
const ONE_DAY = ["-days", "1"];

/** Serves one client until it stops sending. */
export async function echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter): Promise<void> {
  const peer = show_address(writer.get_extra_info("peername"));
  const tls = writer.get_extra_info("ssl_object")!;
  console.log(`${peer} connected: ${tls.version}, ${tls.cipher[0]}, asked for ${tls.server_hostname ?? "no name"}`);
  try {
    for await (const line of reader) {
      writer.write(line);
      await writer.drain();
    }
  } catch (error) {
    if (error instanceof asyncio.LimitOverrunError) writer.write("error: the line is too long\n");
    else if (!is_hangup(error)) throw error;
  } finally {
    console.log(`${peer} left`);
  }
}

/** Whether the peer went away. With TLS that is also to close the connection without saying so first. */
function is_hangup(error: unknown): boolean {
  return error instanceof asyncio.ConnectionResetError || error instanceof asyncio.BrokenPipeError ||
    error instanceof Deno.errors.UnexpectedEof;
}

/**
 * Makes an authority, `ca.pem`, and a certificate that it signed. A certificate that signs itself would be simpler, but
 * not every client takes one that is its own authority.
 */
export async function make_certificate(folder: string): Promise<{ cert: string; key: string }> {
  const config = "[req]\ndistinguished_name=name\n[name]\n" +
    "[authority]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n" +
    "[server]\nbasicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n";
  await Deno.writeTextFile(`${folder}/openssl.conf`, config);
  const file = (name: string) => `${folder}/${name}`;
  const settings = ["-config", file("openssl.conf")];
  const authority = ["-keyout", file("ca.key"), "-out", file("ca.pem"), "-subj", "/CN=authority of tls_server.ts"];
  await openssl("req", "-x509", ...NEW_KEY, ...ONE_DAY, ...settings, "-extensions", "authority", ...authority);
  const request = ["-keyout", file("server.key"), "-out", file("server.csr"), "-subj", "/CN=localhost"];
  await openssl("req", ...NEW_KEY, ...settings, ...request);
  const signer = ["-CA", file("ca.pem"), "-CAkey", file("ca.key"), "-CAcreateserial"];
  const extensions = ["-extfile", file("openssl.conf"), "-extensions", "server"];
  const files = ["-in", file("server.csr"), "-out", file("server.pem")];
  await openssl("x509", "-req", ...files, ...signer, ...extensions, ...ONE_DAY);
  return { cert: await Deno.readTextFile(file("server.pem")), key: await Deno.readTextFile(file("server.key")) };
}

async function openssl(...args: string[]): Promise<void> {
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command("openssl", { args, stdin: "null", stdout: "null", stderr: "piped" }).output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error("Cannot make a certificate: the program openssl is not installed");
  }
  if (output.success) return;
  throw new Error(`Cannot make a certificate: openssl ${args[0]}: ${new TextDecoder().decode(output.stderr).trim()}`);
}

async function main(args: readonly string[]): Promise<void> {
  const [host = "127.0.0.1", port_text = "8443"] = args;
  const port = whole_number("port", port_text, 0, 65535);
  // Handshakes that fail are the clients' affair: a line for each, instead of where in the library it was noticed.
  asyncio.get_running_loop().set_exception_handler((_loop, { message, exception }) => {
    console.error(`${message}: ${exception instanceof Error ? exception.message : exception}`);
  });
  const folder = await Deno.makeTempDir({ prefix: "tls_server_" });
  try {
    const ssl = await make_certificate(folder);
    await using server = await asyncio.start_server(echo, host, port, {
      ssl,
      ssl_handshake_timeout: HANDSHAKE_PATIENCE,
    });
    for (const socket of server.sockets) console.log(`Serving on ${show_address(socket.getsockname())}`);
    console.log(`Authority: ${folder}/ca.pem`);
    await server.wait_closed();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) await run_program(USAGE, () => asyncio.run(() => main(Deno.args)));
