/**
 * Servers on this library's streams. Usage: server_asyncio.ts read|readinto SERVICE TRANSPORT [PATH | CERTIFICATE KEY]
 */
import * as asyncio from "../../mod.ts";

type Service = (reader: asyncio.StreamReader, writer: asyncio.StreamWriter) => Promise<void>;

const SIZE = 64 * 1024;
const services: Record<string, Service> = {
  async echo(reader, writer) {
    for (;;) {
      const data = await reader.read(SIZE);
      if (data.length === 0) break;
      writer.write(data);
      await writer.drain();
    }
  },
  async lines(reader, writer) {
    for (;;) {
      const line = await reader.readline();
      if (line.length === 0) break;
      writer.write(line);
      await writer.drain();
    }
  },
  async frames(reader, writer) {
    for (;;) {
      const head = await reader.readexactly(4);
      const body = await reader.readexactly(new DataView(head.buffer, head.byteOffset).getUint32(0));
      writer.write(head);
      writer.write(body);
      await writer.drain();
    }
  },
  async sink(reader) {
    while ((await reader.read(SIZE)).length > 0) { /* Only read. */ }
  },
  async source(_reader, writer) {
    const data = new Uint8Array(SIZE);
    for (;;) {
      writer.write(data);
      await writer.drain();
    }
  },
};

/** The services that read straight into an array of their own. */
const readinto_services: typeof services = {
  async echo(reader, writer) {
    const buffer = new Uint8Array(SIZE);
    for (let count; (count = await reader.readinto(buffer)) > 0;) {
      writer.write(buffer.subarray(0, count));
      await writer.drain();
    }
  },
  async sink(reader) {
    const buffer = new Uint8Array(SIZE);
    while (await reader.readinto(buffer) > 0) { /* Only read. */ }
  },
};

const [style, service, transport, first, second] = Deno.args;
const serve_connection = (style === "readinto" ? readinto_services : services)[service];

async function serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter): Promise<void> {
  try {
    await serve_connection(reader, writer);
  } catch {
    // The load ends its connections as it likes.
  }
}

async function start(): Promise<asyncio.Server> {
  const backlog = 1024;
  if (transport === "unix") return await asyncio.start_unix_server(serve, first, { backlog });
  if (transport === "tcp") return await asyncio.start_server(serve, "127.0.0.1", 0, { backlog });
  const ssl = { cert: Deno.readTextFileSync(first), key: Deno.readTextFileSync(second) };
  return await asyncio.start_server(serve, "127.0.0.1", 0, { backlog, ssl });
}

Deno.stdin.read(new Uint8Array(1)).then(() => Deno.exit());
await asyncio.run(async () => {
  const server = await start();
  console.log(transport === "unix" ? first : (server.sockets[0].getsockname() as [string, number])[1]);
  await server.serve_forever();
});
