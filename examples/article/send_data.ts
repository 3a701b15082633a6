// Sends a line to a server and closes the connection.
//
//   deno run --allow-net examples/article/send_data.ts [host] [port]

import * as asyncio from "../../mod.ts";

export async function send_data(host: string, port: number): Promise<void> {
  const [_reader, writer] = await asyncio.open_connection(host, port);
  writer.write("Hello, world!\n");
  await writer.drain();
  writer.close();
  await writer.wait_closed();
}

if (import.meta.main) {
  const [host = "localhost", port = "12345"] = Deno.args;
  const loop = asyncio.get_event_loop();
  await loop.run_until_complete(() => send_data(host, Number(port)));
}
