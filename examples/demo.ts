// Runs the programs in examples/article one after the other, against servers of its own.
//
//   deno run --allow-net examples/demo.ts

import * as asyncio from "../mod.ts";
import { main as read_write } from "./article/read_write.ts";
import { send_data } from "./article/send_data.ts";

const HOST = "127.0.0.1";

function heading(text: string) {
  console.log(`\n=== ${text}`);
}

/** Serves until the server is closed, and hands over the first line that a client sends. */
async function serve_lines(on_start: (server: asyncio.Server) => void, on_line: (line: string) => void): Promise<void> {
  const server = await asyncio.start_server(
    async (reader) => on_line(new TextDecoder().decode(await reader.readline())),
    HOST,
    0,
  );
  on_start(server);
  await server.wait_closed();
}

// The programs close their loop, as they do in Python; `run()` gives the line server another one.
const started = Promise.withResolvers<asyncio.Server>();
const received = Promise.withResolvers<string>();
const line_server_ended = asyncio.run(() => serve_lines(started.resolve, received.resolve));
const line_server = await started.promise;
const [, line_port] = line_server.sockets[0].getsockname() as [string, number];

const http_server = Deno.serve({ hostname: HOST, port: 0, onListen: () => {} }, () => new Response("Hello!\n"));

heading("hello.ts: one coroutine");
// An import runs the program.
await import("./article/hello.ts");

heading("gather.ts: two coroutines, of one and of two seconds");
const begin = performance.now();
await import("./article/gather.ts");
console.log(`(both together took ${((performance.now() - begin) / 1000).toFixed(1)} s)`);

heading("concurrent.ts: two coroutines of one second each");
await import("./article/concurrent.ts");

heading("read_write.ts: to an HTTP server, which refuses a greeting that is no request");
let loop = asyncio.get_event_loop();
await loop.run_until_complete(() => read_write(HOST, http_server.addr.port));
loop.close();

heading("send_data.ts: to a line server");
loop = asyncio.get_event_loop();
await loop.run_until_complete(() => send_data(HOST, line_port));
loop.close();

console.log(`(the server received ${JSON.stringify(await received.promise)})`);

line_server.close();
await line_server_ended;
await http_server.shutdown();
