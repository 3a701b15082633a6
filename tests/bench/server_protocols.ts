/** Servers on this library's protocols. Usage: server_protocols.ts SERVICE TRANSPORT [PATH | CERTIFICATE KEY] */
import * as asyncio from "../../mod.ts";

const NEWLINE = 10;

class Echo extends asyncio.Protocol {
  protected transport!: asyncio.Transport;

  override connection_made(transport: asyncio.Transport) {
    this.transport = transport;
  }
  override data_received(data: Uint8Array) {
    this.transport.write(data);
  }
  override pause_writing() {
    this.transport.pause_reading();
  }
  override resume_writing() {
    this.transport.resume_reading();
  }
}

/** Sends back the lines that are complete. */
class Lines extends Echo {
  readonly #kept: Uint8Array[] = [];

  override data_received(data: Uint8Array) {
    const end = data.lastIndexOf(NEWLINE) + 1;
    if (end > 0) {
      for (const part of this.#kept.splice(0)) this.transport.write(part);
      this.transport.write(data.subarray(0, end));
    }
    if (end < data.length) this.#kept.push(data.subarray(end));
  }
}

const protocols: Record<string, new () => asyncio.Protocol> = { echo: Echo, lines: Lines };
const [service, transport, first, second] = Deno.args;

async function start(): Promise<asyncio.Server> {
  const loop = asyncio.get_running_loop();
  const make = () => new protocols[service]();
  const backlog = 1024;
  if (transport === "unix") return await loop.create_unix_server(make, first, { backlog });
  if (transport === "tcp") return await loop.create_server(make, "127.0.0.1", 0, { backlog });
  const ssl = { cert: Deno.readTextFileSync(first), key: Deno.readTextFileSync(second) };
  return await loop.create_server(make, "127.0.0.1", 0, { backlog, ssl });
}

Deno.stdin.read(new Uint8Array(1)).then(() => Deno.exit());
await asyncio.run(async () => {
  const server = await start();
  console.log(transport === "unix" ? first : (server.sockets[0].getsockname() as [string, number])[1]);
  await server.serve_forever();
});
