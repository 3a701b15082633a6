/** The same load as load.c, for machines without a C compiler. Usage: load.ts PORT CONNECTIONS SIZE SECONDS */
const [port, connections, size, seconds] = Deno.args.map(Number);
const message = new Uint8Array(size).fill(120);
const start = performance.now();
const end = start + seconds * 1000;
let exchanges = 0;

async function exchange(): Promise<void> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  conn.setNoDelay(true);
  const scratch = new Uint8Array(1 << 20);
  while (performance.now() < end) {
    for (let sent = 0; sent < size;) sent += await conn.write(message.subarray(sent));
    for (let missing = size; missing > 0;) {
      const count = await conn.read(scratch);
      if (count === null) throw new Error("The server closed the connection");
      missing -= count;
    }
    exchanges++;
  }
}

await Promise.all(Array.from({ length: connections }, exchange));
console.log((exchanges / (performance.now() - start) * 1000).toFixed(1));
