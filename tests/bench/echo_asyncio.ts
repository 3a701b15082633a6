/** An echo server on this library's streams. Prints its port; ends when its standard input does. */
import * as asyncio from "../../mod.ts";

async function echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter): Promise<void> {
  try {
    for (;;) {
      const data = await reader.read(64 * 1024);
      if (data.length === 0) break;
      writer.write(data);
      await writer.drain();
    }
  } catch {
    // The load ends its connections as it likes.
  }
}

Deno.stdin.read(new Uint8Array(1)).then(() => Deno.exit());
await asyncio.run(async () => {
  const server = await asyncio.start_server(echo, "127.0.0.1", 0);
  console.log((server.sockets[0].getsockname() as [string, number])[1]);
  await server.serve_forever();
});
