// Sends a greeting to a server and prints the beginning of what it answers.
//
//   deno run --allow-net examples/article/read_write.ts [host] [port]

import * as asyncio from "../../mod.ts";

async function read_data(reader: asyncio.StreamReader) {
  const data = await reader.read(100);
  console.log("Received:", new TextDecoder().decode(data));
}

async function write_data(writer: asyncio.StreamWriter) {
  writer.write("Hello, world!");
  await writer.drain();
}

export async function main(host: string, port: number): Promise<void> {
  const [reader, writer] = await asyncio.open_connection(host, port);
  await write_data(writer);
  await read_data(reader);
  writer.close();
}

if (import.meta.main) {
  const [host = "google.com", port = "80"] = Deno.args;
  const loop = asyncio.get_event_loop();
  await loop.run_until_complete(() => main(host, Number(port)));
  loop.close();
}
