// A SOCKS5 proxy (RFC 1928) for the command CONNECT, without authentication.
//
//   deno run --allow-net examples/socks5_proxy.ts [host] [port]
//   curl --socks5-hostname 127.0.0.1:1080 https://example.com/
//
// Anybody who reaches the port may use it, so it listens on this machine only unless told otherwise. Where it connects to
// can be limited by `--allow-net=127.0.0.1:1080,example.com`; other destinations are then refused. Ctrl-C ends it.

import * as asyncio from "../mod.ts";
import { run_program, show_address, whole_number } from "./_command_line.ts";
import { message_of, relay_and_close } from "./tcp_proxy.ts";

const USAGE = "deno run --allow-net examples/socks5_proxy.ts [host=127.0.0.1] [port=1080]";

/** Seconds for a client to say what it wants, and for the connection onward. */
const PATIENCE = 10;
/** Seconds that a client gets to take a refusal, before the connection is reset. */
const LINGER = 1;

const VERSION = 5;
const NO_AUTHENTICATION = 0;
const NO_ACCEPTABLE_METHOD = 0xff;
const CONNECT = 1;
const IPV4 = 1;
const NAME = 3;
const IPV6 = 4;

const REPLIES = {
  succeeded: 0,
  general_failure: 1,
  not_allowed: 2,
  network_unreachable: 3,
  host_unreachable: 4,
  connection_refused: 5,
  command_not_supported: 7,
  address_type_not_supported: 8,
} as const;

/** A request that cannot be fulfilled, and the bytes that say so. */
class Refusal extends Error {
  constructor(message: string, readonly answer: Uint8Array, options?: ErrorOptions) {
    super(message, options);
  }
}

function refusal(code: number, message: string, options?: ErrorOptions): Refusal {
  return new Refusal(message, reply(code, "0.0.0.0", 0), options);
}

/** Serves one client; for `start_server()`. */
export async function serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter): Promise<void> {
  const peer = show_address(writer.get_extra_info("peername"));
  try {
    const [host, port] = await asyncio.wait_for(() => read_request(reader, writer), PATIENCE);
    const [onward_reader, onward_writer] = await connect(host, port);
    writer.write(reply(REPLIES.succeeded, ...onward_writer.get_extra_info("sockname") as [string, number]));
    console.log(`${peer}: connected to ${host}:${port}`);
    console.log(`${peer}: ${await relay_and_close([reader, writer], [onward_reader, onward_writer])}`);
  } catch (error) {
    if (error instanceof asyncio.CancelledError) throw error;
    console.log(`${peer}: ${message_of(error)}`);
    if (error instanceof Refusal) writer.write(error.answer);
    // What the client sent meanwhile is read and dropped: a reset could overtake the refusal.
    writer.close({ linger: LINGER });
    await writer.wait_closed();
  }
}

/** Agrees on the way to log in, which is none, and reads where the client wants to go. */
async function read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter): Promise<[string, number]> {
  const [version, method_count] = await reader.readexactly(2);
  if (version !== VERSION) throw new Error(`Not SOCKS5: the first byte is ${version}`);
  const methods = await reader.readexactly(method_count);
  if (!methods.includes(NO_AUTHENTICATION)) {
    throw new Refusal("The client insists on authentication", Uint8Array.of(VERSION, NO_ACCEPTABLE_METHOD));
  }
  writer.write(Uint8Array.of(VERSION, NO_AUTHENTICATION));

  const [request_version, command, , type] = await reader.readexactly(4);
  if (request_version !== VERSION) throw refusal(REPLIES.general_failure, `The request has version ${request_version}`);
  // What follows is known only for these types.
  const host = await read_host(reader, type);
  const port_bytes = await reader.readexactly(2);
  const port = port_bytes[0] * 256 + port_bytes[1];
  if (command !== CONNECT) throw refusal(REPLIES.command_not_supported, `Command ${command} is not supported`);
  if (host === "" || port === 0) throw refusal(REPLIES.general_failure, "The request names no host or port 0");
  return [host, port];
}

async function read_host(reader: asyncio.StreamReader, type: number): Promise<string> {
  switch (type) {
    case IPV4:
      return (await reader.readexactly(4)).join(".");
    case IPV6: {
      const bytes = await reader.readexactly(16);
      const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i] * 256 + bytes[2 * i + 1]).toString(16));
      return groups.join(":");
    }
    case NAME: {
      const [length] = await reader.readexactly(1);
      return new TextDecoder().decode(await reader.readexactly(length));
    }
  }
  throw refusal(REPLIES.address_type_not_supported, `Address type ${type} is not supported`);
}

async function connect(host: string, port: number): Promise<[asyncio.StreamReader, asyncio.StreamWriter]> {
  try {
    return await asyncio.open_connection(host, port, { timeout: PATIENCE });
  } catch (error) {
    if (error instanceof asyncio.CancelledError) throw error;
    throw refusal(reply_code(error), message_of(error), { cause: error });
  }
}

/** What SOCKS5 calls the reason for which a connection could not be made. */
function reply_code(error: unknown): number {
  if (error instanceof asyncio.ConnectionRefusedError) return REPLIES.connection_refused;
  if (error instanceof Deno.errors.NotCapable) return REPLIES.not_allowed;
  if (error instanceof asyncio.TimeoutError) return REPLIES.host_unreachable;
  switch ((error as { code?: unknown } | null)?.code) {
    case "ENETUNREACH":
      return REPLIES.network_unreachable;
    case "EHOSTUNREACH":
    case "ETIMEDOUT":
    case "EAI_NONAME":
    case "EAI_AGAIN":
      return REPLIES.host_unreachable;
  }
  return REPLIES.general_failure;
}

/** A reply; the address is the one from which the proxy has connected. */
export function reply(code: number, host: string, port: number): Uint8Array {
  const is_ipv6 = host.includes(":");
  const address = is_ipv6 ? ipv6_bytes(host) : host.split(".").map(Number);
  return Uint8Array.of(VERSION, code, 0, is_ipv6 ? IPV6 : IPV4, ...address, port >> 8, port & 0xff);
}

function ipv6_bytes(address: string): number[] {
  // A URL writes every address in hexadecimal, also `::ffff:1.2.3.4`.
  const [head, tail] = new URL(`http://[${address.replace(/%.*/, "")}]`).hostname.slice(1, -1).split("::");
  const groups = (text = "") => text === "" ? [] : text.split(":").map((group) => parseInt(group, 16));
  const [first, last] = [groups(head), groups(tail)];
  const zeros = new Array<number>(8 - first.length - last.length).fill(0);
  return [...first, ...zeros, ...last].flatMap((group) => [group >> 8, group & 0xff]);
}

async function main(args: readonly string[]): Promise<void> {
  const [host = "127.0.0.1", port = "1080"] = args;
  await using server = await asyncio.start_server(serve, host, whole_number("port", port, 0, 65535));
  for (const socket of server.sockets) console.log(`Serving on ${show_address(socket.getsockname())}`);
  await server.wait_closed();
}

if (import.meta.main) await run_program(USAGE, () => asyncio.run(() => main(Deno.args)));
