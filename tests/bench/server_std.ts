/** An echo of lines on std's TextLineStream. Usage: server_std.ts lines tcp */
import { TextLineStream } from "@std/streams";

const encoder = new TextEncoder();

async function serve(conn: Deno.TcpConn): Promise<void> {
  conn.setNoDelay(true);
  const writer = conn.writable.getWriter();
  try {
    const lines = conn.readable.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
    for await (const line of lines) await writer.write(encoder.encode(`${line}\n`));
    await writer.close();
  } catch {
    // The load ends its connections as it likes.
  }
}

Deno.stdin.read(new Uint8Array(1)).then(() => Deno.exit());
const listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1024 });
console.log(listener.addr.port);
for await (const conn of listener) serve(conn);
