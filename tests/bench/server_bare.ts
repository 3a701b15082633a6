/** The limit: servers on nothing but Deno.Conn. Usage: server_bare.ts SERVICE TRANSPORT [PATH | CERTIFICATE KEY] */

type Service = (conn: Deno.Conn) => Promise<void>;

const SIZE = 64 * 1024;

async function write_all(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
}

/** Sends back what is complete; `complete` tells how many of the bytes are. What is left over leads the next read. */
async function echo_complete(conn: Deno.Conn, complete: (bytes: Uint8Array) => number): Promise<void> {
  const buffer = new Uint8Array(SIZE);
  let kept = 0;
  for (;;) {
    const count = await conn.read(buffer.subarray(kept));
    if (count === null) break;
    const end = complete(buffer.subarray(0, kept + count));
    await write_all(conn, buffer.subarray(0, end));
    buffer.copyWithin(0, end, kept + count);
    kept += count - end;
  }
}

const services: Record<string, Service> = {
  async echo(conn) {
    const buffer = new Uint8Array(SIZE);
    for (;;) {
      const count = await conn.read(buffer);
      if (count === null) break;
      for (let sent = 0; sent < count;) sent += await conn.write(buffer.subarray(sent, count));
    }
  },
  lines: (conn) =>
    echo_complete(conn, (bytes) => {
      let end = 0;
      for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, end)) end = at + 1;
      return end;
    }),
  frames: (conn) =>
    echo_complete(conn, (bytes) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      let end = 0;
      while (end + 4 <= bytes.length && end + 4 + view.getUint32(end) <= bytes.length) end += 4 + view.getUint32(end);
      return end;
    }),
  async sink(conn) {
    const buffer = new Uint8Array(SIZE);
    while (await conn.read(buffer) !== null) { /* Only read. */ }
  },
  async source(conn) {
    const data = new Uint8Array(SIZE);
    for (;;) await write_all(conn, data);
  },
};

const [service, transport, first, second] = Deno.args;

async function serve(conn: Deno.Conn): Promise<void> {
  try {
    if ("setNoDelay" in conn) (conn as Deno.TcpConn).setNoDelay(true);
    await services[service](conn);
  } catch {
    // The load ends its connections as it likes.
  } finally {
    conn.close();
  }
}

function listen(): Deno.Listener {
  const address = { hostname: "127.0.0.1", port: 0, tcpBacklog: 1024 };
  if (transport === "unix") return Deno.listen({ transport: "unix", path: first });
  if (transport === "tcp") return Deno.listen(address);
  return Deno.listenTls({ ...address, cert: Deno.readTextFileSync(first), key: Deno.readTextFileSync(second) });
}

Deno.stdin.read(new Uint8Array(1)).then(() => Deno.exit());
const listener = listen();
console.log(transport === "unix" ? first : (listener.addr as Deno.NetAddr).port);
for await (const conn of listener) serve(conn);
