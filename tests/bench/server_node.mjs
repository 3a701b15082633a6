// @ts-check
// Servers on node:net and node:tls, for Node and for Deno; plain JavaScript, since not every Node reads TypeScript.
// Usage: server_node.mjs SERVICE TRANSPORT [PATH | CERTIFICATE KEY]
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import net from "node:net";
import process from "node:process";
import tls from "node:tls";

const SIZE = 64 * 1024;

/**
 * Sends back what is complete; `complete` tells how many of the bytes are.
 *
 * @param {net.Socket} socket
 * @param {(bytes: Buffer) => number} complete
 */
function echo_complete(socket, complete) {
  /** @type {Buffer} */
  let kept = Buffer.alloc(0);
  socket.on("data", (/** @type {Buffer} */ chunk) => {
    const bytes = kept.length === 0 ? chunk : Buffer.concat([kept, chunk]);
    const end = complete(bytes);
    kept = bytes.subarray(end);
    if (end > 0 && !socket.write(bytes.subarray(0, end))) socket.pause();
  });
  socket.on("drain", () => socket.resume());
}

/** @type {Record<string, (socket: net.Socket) => void>} */
const services = {
  echo: (socket) => void socket.pipe(socket),
  lines: (socket) => echo_complete(socket, (bytes) => bytes.lastIndexOf(10) + 1),
  frames: (socket) =>
    echo_complete(socket, (bytes) => {
      let end = 0;
      while (end + 4 <= bytes.length && end + 4 + bytes.readUInt32BE(end) <= bytes.length) {
        end += 4 + bytes.readUInt32BE(end);
      }
      return end;
    }),
  sink: (socket) => void socket.resume(),
  source(socket) {
    const data = Buffer.alloc(SIZE);
    const pump = () => {
      while (!socket.destroyed && socket.write(data)) { /* Until the buffer is full. */ }
    };
    socket.on("drain", pump);
    pump();
  },
};

const [service, transport, first, second] = process.argv.slice(2);

/** @param {net.Socket} socket */
function serve(socket) {
  // The load ends its connections as it likes.
  socket.on("error", () => socket.destroy());
  services[service](socket);
}

const server = transport === "tls"
  ? tls.createServer({ noDelay: true, cert: readFileSync(first), key: readFileSync(second) }, serve)
  : net.createServer({ noDelay: true }, serve);
if (transport === "unix") server.listen(first, 1024, () => console.log(first));
else {
  server.listen(0, "127.0.0.1", 1024, () => console.log(/** @type {net.AddressInfo} */ (server.address()).port));
}
process.stdin.on("end", () => process.exit());
process.stdin.resume();
