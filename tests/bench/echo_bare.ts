/** The limit: an echo server on nothing but Deno.Conn. Prints its port; ends when its standard input does. */
const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
console.log(listener.addr.port);

async function echo(conn: Deno.TcpConn): Promise<void> {
  conn.setNoDelay(true);
  const buffer = new Uint8Array(64 * 1024);
  try {
    for (;;) {
      const count = await conn.read(buffer);
      if (count === null) break;
      for (let sent = 0; sent < count;) sent += await conn.write(buffer.subarray(sent, count));
    }
  } catch {
    // The load ends its connections as it likes.
  } finally {
    conn.close();
  }
}

Deno.stdin.read(new Uint8Array(1)).then(() => Deno.exit());
for await (const conn of listener) echo(conn);
