// Passes connections on to another server, both ways, and tells how many bytes went through each.
//
//   deno run --allow-net examples/tcp_proxy.ts host port [listen_port] [listen_host]
//
// Ctrl-C stops listening, gives the connections that are open a few seconds to end, and then ends them.

import * as asyncio from "../mod.ts";
import { run_program, show_address, UsageError, whole_number } from "./_command_line.ts";

const USAGE = "deno run --allow-net examples/tcp_proxy.ts host port [listen_port=8888] [listen_host=127.0.0.1]";

/** Seconds for the connection onward. */
const PATIENCE = 10;
/** Seconds that connections get to end after Ctrl-C. */
const GRACE = 5;

type Streams = readonly [reader: asyncio.StreamReader, writer: asyncio.StreamWriter];

/**
 * Copies both ways until both sides have ended. The end of one direction is passed on as such, and the other one goes on:
 * a client may send its request, end its side, and then read the answer. Neither connection is closed.
 */
export async function relay(client: Streams, server: Streams): Promise<void> {
  // If one direction fails, the group cancels the other: there is nobody left to talk to.
  await asyncio.async_with(new asyncio.TaskGroup(), (group) => {
    group.create_task(() => asyncio.pipe(client[0], server[1]), { name: "upstream" });
    group.create_task(() => asyncio.pipe(server[0], client[1]), { name: "downstream" });
  });
}

/** Relays until both sides have ended or one of them breaks, closes both, and gives a line about it. */
export async function relay_and_close(client: Streams, server: Streams): Promise<string> {
  let outcome = "";
  try {
    await relay(client, server);
  } catch (error) {
    if (error instanceof asyncio.CancelledError) throw error;
    outcome = ` (${error instanceof asyncio.ExceptionGroup ? message_of(error.exceptions[0]) : message_of(error)})`;
    // There is nobody left to take what still waits. (Deno cannot reset a connection, so the other side sees an end.)
    for (const [, writer] of [client, server]) writer.abort();
  } finally {
    for (const [, writer] of [client, server]) writer.close();
  }
  const [sent, received] = [server, client].map(([, writer]) => writer.statistics().bytes_written);
  return `${sent} bytes sent, ${received} bytes received${outcome}`;
}

export function message_of(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Gives what `start_server()` calls for each client. */
function passing_on_to(host: string, port: number): asyncio.ClientConnectedCallback {
  return async (reader: asyncio.StreamReader, writer: asyncio.StreamWriter): Promise<void> => {
    const peer = show_address(writer.get_extra_info("peername"));
    let onward: Streams;
    try {
      onward = await asyncio.open_connection(host, port, { timeout: PATIENCE });
    } catch (error) {
      if (error instanceof asyncio.CancelledError) throw error;
      console.log(`${peer}: ${message_of(error)}`);
      writer.abort();
      return;
    }
    console.log(`${peer}: connected to ${host}:${port}`);
    try {
      console.log(`${peer}: ${await relay_and_close([reader, writer], onward)}`);
    } catch (error) {
      console.log(`${peer}: ended with the proxy`);
      throw error;
    }
  };
}

async function main(args: readonly string[]): Promise<void> {
  const [host, port_text, listen_text = "8888", listen_host = "127.0.0.1"] = args;
  if (host === undefined || port_text === undefined) throw new UsageError("host and port are needed");
  const pass_on = passing_on_to(host, whole_number("port", port_text, 1, 65535));
  const listen_port = whole_number("listen_port", listen_text, 0, 65535);
  const server = await asyncio.start_server(pass_on, listen_host, listen_port);
  for (const socket of server.sockets) console.log(`Serving on ${show_address(socket.getsockname())}`);
  try {
    await server.wait_closed();
  } finally {
    await server.shutdown({ timeout: GRACE });
  }
}

if (import.meta.main) await run_program(USAGE, () => asyncio.run(() => main(Deno.args)));
