// Ten thousand connections open at once on one server.

import { assert, assertEquals } from "@std/assert";
import * as asyncio from "../mod.ts";
import { text } from "./_streams.ts";

const CONNECTIONS = 10_000;

/** A process needs some for itself. */
const DESCRIPTORS = CONNECTIONS + 500;

/** Seconds, on a machine that has other things to do. */
const BOUND = 90;

/** Of 10,000 open connections, bytes of memory of one in the server's process. */
const MOST_PER_CONNECTION = 24 * 1024;

/** What may be left of it once all are closed: the runtime gives memory back late, and keeps some for the next. */
const MOST_LEFT = 64 * 1024 * 1024;

/** A program that may open many files; it tells and is told by lines. */
function spawn_program(program: string): Deno.ChildProcess {
  const library = new URL("../mod.ts", import.meta.url).href;
  const prelude = `
    import * as asyncio from ${JSON.stringify(library)};
    const [stdin, stdout] = asyncio.stdio();
    const tell = (word: unknown) => stdout.send(JSON.stringify(word) + "\\n");
    const told = async () => new TextDecoder().decode(await stdin.readline()).trim();
    const { gc } = globalThis as unknown as { gc: () => void };
    /** Memory in use, once what is garbage is collected. */
    const memory = async () => {
      for (let i = 0; i < 5; i++) {
        gc();
        await asyncio.sleep(0.02);
      }
      const { heapUsed, external } = Deno.memoryUsage();
      return heapUsed + external;
    };
  `;
  return new Deno.Command("sh", {
    args: [
      "-c",
      `ulimit -n ${DESCRIPTORS}; exec "$0" eval --ext=ts --v8-flags=--expose-gc "$1"`,
      Deno.execPath(),
      prelude + program,
    ],
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

/** The server listens on two addresses, so that no port number runs short. */
const SERVER = `
  const before = await memory();
  let [open, most, reports] = [0, 0, 0];
  asyncio.get_event_loop().set_exception_handler(() => void reports++);
  const server = await asyncio.start_server(async (reader, writer) => {
    most = Math.max(most, ++open);
    for await (const line of reader) await writer.send(line);
    open--;
  }, ["127.0.0.1", "127.0.0.2"], 0, { backlog: 4096 });
  await tell(server.sockets.map((socket) => socket.getsockname()));
  await told();
  await tell({ open, most, used: await memory() - before });
  await told();
  server.close();
  await server.wait_closed();
  await tell({ open, reports, left: await memory() - before });
  stdout.close();
`;

const CLIENT = `
  const addresses = JSON.parse(await told()) as [string, number][];
  const count = Number(await told());
  const streams: [asyncio.StreamReader, asyncio.StreamWriter][] = [];
  const limit = new asyncio.Semaphore(200);
  await asyncio.async_with(new asyncio.TaskGroup(), (group) => {
    for (let i = 0; i < count; i++) {
      group.create_task(() => asyncio.async_with(limit, async () => {
        streams[i] = await asyncio.open_connection(...addresses[i % addresses.length]);
      }));
    }
  });
  let wrong = 0;
  const ask = async (i: number) => {
    const [reader, writer] = streams[i];
    const line = "hello " + i + "\\n";
    await writer.send(line);
    if (new TextDecoder().decode(await reader.readline()) !== line) wrong++;
  };
  await asyncio.gather(...streams.map((_, i) => () => ask(i)));
  await tell({ open: streams.length, wrong });
  await told();
  for (const [, writer] of streams) writer.write_eof();
  let rest = 0;
  await asyncio.gather(...streams.map(([reader, writer]) => async () => {
    rest += (await reader.read()).length;
    writer.close();
    await writer.wait_closed();
  }));
  await tell({ rest });
  stdout.close();
`;

async function hard_limit(): Promise<number> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", "ulimit -Hn"] }).output();
  const limit = text(stdout).trim();
  return limit === "unlimited" ? Infinity : Number(limit);
}

const limit = Deno.build.os === "windows" ? 0 : await hard_limit();
const too_low = limit < DESCRIPTORS;
const name = "10,000 connections are open at once, echo, and are closed: nothing is lost, and memory comes back";

Deno.test({
  name: too_low ? `${name} (ignored: a process may open ${limit} files here, it takes ${DESCRIPTORS})` : name,
  ignore: too_low,
  async fn() {
    const processes = [spawn_program(SERVER), spawn_program(CLIENT)];
    const [server, client] = processes.map((process) => {
      const reader = asyncio.StreamReader.from(process.stdout);
      const writer = asyncio.StreamWriter.to(process.stdin);
      return {
        tell: (word: unknown) => writer.send(`${typeof word === "string" ? word : JSON.stringify(word)}\n`),
        told: async () => JSON.parse(text(await reader.readline())),
        async end() {
          writer.close();
          await writer.wait_closed();
          await reader.read();
          return (await process.status).code;
        },
      };
    });
    try {
      await asyncio.async_with(asyncio.timeout(BOUND), async () => {
        await client.tell(await server.told());
        await client.tell(CONNECTIONS);
        assertEquals(await client.told(), { open: CONNECTIONS, wrong: 0 });
        await server.tell("count");
        const { open, most, used } = await server.told();
        assertEquals([open, most], [CONNECTIONS, CONNECTIONS]);
        assert(used < CONNECTIONS * MOST_PER_CONNECTION, `a connection takes ${Math.round(used / CONNECTIONS)} bytes`);
        await client.tell("close");
        assertEquals(await client.told(), { rest: 0 });
        await server.tell("close");
        const { open: still_open, reports, left } = await server.told();
        assertEquals([still_open, reports], [0, 0]);
        assert(left < MOST_LEFT && left < used / 2, `${left} bytes are left of ${used}`);
        assertEquals([await server.end(), await client.end()], [0, 0]);
      });
    } catch (error) {
      for (const process of processes) {
        try {
          process.kill("SIGKILL");
        } catch {
          // It has ended.
        }
      }
      throw error;
    }
  },
});
