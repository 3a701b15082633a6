/**
 * The same load as load.c, for machines without a C compiler, and for TLS. What it does, and its words on the way, are
 * told there. Here TARGET may also be `tls:PORT:FILE`, where FILE has the certificate of the authority.
 *
 * Usage: load.ts MODE TARGET CONNECTIONS SIZE DEPTH SECONDS
 */

const BLOCK = 64 * 1024;
const [mode, target, ...numbers] = Deno.args;
const [connections, size, depth, seconds] = numbers.map(Number);
let count = 0;
let ending = false;

async function dial(): Promise<Deno.Conn> {
  if (target.startsWith("/")) return await Deno.connect({ transport: "unix", path: target });
  if (target.startsWith("tls:")) {
    const [, port, file] = target.split(":");
    const conn = await Deno.connectTls({
      hostname: "127.0.0.1",
      port: Number(port),
      caCerts: [Deno.readTextFileSync(file)],
    });
    await conn.handshake();
    return conn;
  }
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: Number(target) });
  conn.setNoDelay(true);
  return conn;
}

/** `messages` of them in a row. */
function bytes_of(messages: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(messages * size).fill(120);
  for (let at = 0; at < bytes.length; at += size) {
    if (mode === "lines") bytes[at + size - 1] = 10;
    if (mode === "frames") new DataView(bytes.buffer).setUint32(at, size - 4);
  }
  return bytes;
}

async function write_all(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
}

async function read_exactly(conn: Deno.Conn, scratch: Uint8Array, bytes: number): Promise<void> {
  for (let missing = bytes; missing > 0;) {
    const got = await conn.read(scratch.subarray(0, Math.min(missing, scratch.length)));
    if (got === null) throw new Error("The server closed the connection");
    missing -= got;
  }
}

/** A smallest message there and back: after it the server has accepted. */
async function prime(conn: Deno.Conn): Promise<void> {
  const message = mode === "frames" ? [0, 0, 0, 1, 120] : mode === "lines" ? [10] : [120];
  await write_all(conn, new Uint8Array(message));
  await read_exactly(conn, new Uint8Array(5), message.length);
}

async function exchange(conn: Deno.Conn): Promise<void> {
  const scratch = new Uint8Array(256 * 1024);
  const block = bytes_of(depth);
  let sending = write_all(conn, block);
  let received = 0;
  while (!ending) {
    const got = await conn.read(scratch);
    if (got === null) throw new Error("The server closed the connection");
    received += got;
    count += got / size;
    const complete = Math.floor(received / size);
    received -= complete * size;
    if (complete > 0) sending = sending.then(() => write_all(conn, block.subarray(0, complete * size)));
  }
}

async function drown(conn: Deno.Conn): Promise<void> {
  const block = new Uint8Array(BLOCK);
  while (!ending) count += await conn.write(block);
  // Not every server answers the end of TLS in kind; the last bytes may then be on their way still.
  if (target.startsWith("tls:")) return;
  await conn.closeWrite();
  while (await conn.read(block) !== null) { /* The server ends when it has read all. */ }
}

async function drink(conn: Deno.Conn): Promise<void> {
  const scratch = new Uint8Array(256 * 1024);
  while (!ending) count += await conn.read(scratch) ?? 0;
}

async function reconnect(): Promise<void> {
  const message = bytes_of(1);
  const scratch = new Uint8Array(size);
  while (!ending) {
    using conn = await dial();
    await write_all(conn, message);
    await read_exactly(conn, scratch, size);
    count++;
  }
}

const conns: Deno.Conn[] = [];
for (let i = 0; mode !== "connect" && i < connections; i++) {
  const conn = await dial();
  if (mode !== "sink" && mode !== "source") await prime(conn);
  conns.push(conn);
}
const input = new Uint8Array(1);
console.log("ready");
if (await Deno.stdin.read(input) === null) Deno.exit();

const start = performance.now();
let work: Promise<unknown> = Promise.resolve();
if (mode === "connect") work = Promise.all(Array.from({ length: connections }, reconnect));
else if (mode === "sink") work = Promise.all(conns.map(drown));
else if (mode === "source") work = Promise.all(conns.map(drink));
else if (mode !== "idle") work = Promise.all(conns.map(exchange));
work.catch((error) => {
  console.error(String(error));
  Deno.exit(1);
});
if (mode !== "idle") await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
ending = true;
if (mode === "sink") await work;
console.log(`${count.toFixed(3)} ${((performance.now() - start) / 1000).toFixed(6)}`);
while (await Deno.stdin.read(input) !== null) { /* Until its end. */ }
Deno.exit();
