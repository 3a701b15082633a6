// A server that sends every line back.
//
//   deno run --allow-net examples/echo_server.ts [host] [port]
//
// Ctrl-C ends it.

import * as asyncio from "../mod.ts";
import { run_program, show_address, whole_number } from "./_command_line.ts";

const USAGE = "deno run --allow-net examples/echo_server.ts [host=127.0.0.1] [port=8888]";

/** Serves one client until it stops sending. */
export async function echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter): Promise<void> {
  const peer = show_address(writer.get_extra_info("peername"));
  console.log(`${peer} connected`);
  try {
    for await (const line of reader) {
      writer.write(line);
      // A client that sends without reading is not read from either, so it cannot fill the memory.
      await writer.drain();
    }
  } catch (error) {
    if (error instanceof asyncio.LimitOverrunError) writer.write("error: the line is too long\n");
    else if (!(error instanceof asyncio.ConnectionResetError || error instanceof asyncio.BrokenPipeError)) throw error;
  } finally {
    console.log(`${peer} left`);
  }
}

async function main(args: readonly string[]): Promise<void> {
  const [host = "127.0.0.1", port = "8888"] = args;
  // At the end of the block, also after Ctrl-C, the server is closed and the clients that are left are disconnected.
  await using server = await asyncio.start_server(echo, host, whole_number("port", port, 0, 65535));
  for (const socket of server.sockets) console.log(`Serving on ${show_address(socket.getsockname())}`);
  // Unlike `serve_forever()`, this does not wait for the clients to leave once it is cancelled.
  await server.wait_closed();
}

if (import.meta.main) await run_program(USAGE, () => asyncio.run(() => main(Deno.args)));
