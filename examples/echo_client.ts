// Sends lines to a server and prints the line that comes back for each.
//
//   deno run --allow-net examples/echo_client.ts [host] [port] [line...]

import * as asyncio from "../mod.ts";
import { run_program, whole_number } from "./_command_line.ts";

const USAGE = "deno run --allow-net examples/echo_client.ts [host=127.0.0.1] [port=8888] [line...]";

/** Seconds for the connection, and for each answer. */
const PATIENCE = 5;

async function main(args: readonly string[]): Promise<void> {
  const [host = "127.0.0.1", port = "8888", ...given] = args;
  const lines = given.length > 0 ? given : ["Hello, world!"];
  const [reader, writer] = await connect(host, whole_number("port", port, 1, 65535));
  try {
    for (const line of lines) console.log(await ask(reader, writer, line));
  } finally {
    writer.close();
    await writer.wait_closed();
  }
}

async function connect(host: string, port: number): Promise<[asyncio.StreamReader, asyncio.StreamWriter]> {
  try {
    return await asyncio.wait_for(() => asyncio.open_connection(host, port), PATIENCE);
  } catch (error) {
    if (!(error instanceof asyncio.TimeoutError)) throw error;
    throw new Error(`${host} did not accept a connection within ${PATIENCE} s`);
  }
}

async function ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: string): Promise<string> {
  try {
    return await asyncio.async_with(asyncio.timeout(PATIENCE), async () => {
      writer.write(`${line}\n`);
      await writer.drain();
      const answer = await reader.readuntil("\n");
      return new TextDecoder().decode(answer).trimEnd();
    });
  } catch (error) {
    if (error instanceof asyncio.TimeoutError) throw new Error(`No answer within ${PATIENCE} s to "${line}"`);
    if (error instanceof asyncio.IncompleteReadError) {
      throw new Error(`The server hung up before it answered "${line}"`);
    }
    throw error;
  }
}

if (import.meta.main) await run_program(USAGE, () => asyncio.run(() => main(Deno.args)));
