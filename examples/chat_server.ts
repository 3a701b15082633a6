// A chat server for `nc` or `telnet`: the first line is a name, every other line goes to everybody else.
//
//   deno run --allow-net examples/chat_server.ts [host] [port]
//
// Ctrl-C tells the clients and ends it.

import * as asyncio from "../mod.ts";
import { run_program, show_address, whole_number } from "./_command_line.ts";

const USAGE = "deno run --allow-net examples/chat_server.ts [host=127.0.0.1] [port=8888]";
const LONGEST_LINE = 4096;
const LONGEST_NAME = 32;
/** Bytes that may wait for a client; one that does not read, or not fast enough, is disconnected beyond that. */
const MOST_UNREAD = 1024 * 1024;
/** Seconds that clients get to take the last words when the server ends. */
const FAREWELL = 1;

/** The clients that have a name, and what happens among them. */
export class ChatRoom {
  readonly #members = new Map<string, asyncio.StreamWriter>();

  /** Serves one client until it leaves; for `start_server()`. */
  readonly serve = async (reader: asyncio.StreamReader, writer: asyncio.StreamWriter): Promise<void> => {
    let name: string | null = null;
    try {
      writer.write("Your name?\n");
      name = this.#enter(text_of(await reader.readline()), writer);
      if (name === null) return;
      for await (const line of reader) {
        const text = text_of(line);
        if (text !== "") this.tell_all(`${name}: ${text}`, writer);
      }
    } catch (error) {
      if (error instanceof asyncio.LimitOverrunError) writer.write("* That line is too long\n");
      else if (!(error instanceof asyncio.ConnectionResetError)) throw error;
    } finally {
      if (name !== null && this.#members.delete(name)) this.tell_all(`* ${name} left`);
    }
  };

  /** Sends a line to every member but one. */
  tell_all(text: string, except?: asyncio.StreamWriter): void {
    for (const writer of this.#members.values()) {
      if (writer === except) continue;
      // No `drain()`: it would have everybody wait for the slowest.
      writer.write(`${text}\n`);
      if (writer.transport.get_write_buffer_size() > MOST_UNREAD) writer.transport.abort();
    }
  }

  #enter(name: string, writer: asyncio.StreamWriter): string | null {
    const refusal = name === ""
      ? "A name is needed"
      : name.length > LONGEST_NAME
      ? "That name is too long"
      : this.#members.has(name)
      ? "That name is taken"
      : null;
    if (refusal !== null) {
      writer.write(`* ${refusal}\n`);
      return null;
    }
    const others = [...this.#members.keys()];
    writer.write(others.length > 0 ? `* Here are ${others.join(", ")}\n` : "* Nobody else is here\n");
    this.tell_all(`* ${name} joined`);
    this.#members.set(name, writer);
    return name;
  }
}

function text_of(line: Uint8Array): string {
  // Control characters could rewrite the other clients' terminals.
  // deno-lint-ignore no-control-regex
  return new TextDecoder().decode(line).replace(/[\x00-\x1f\x7f-\x9f]/g, "").trim();
}

async function main(args: readonly string[]): Promise<void> {
  const [host = "127.0.0.1", port = "8888"] = args;
  const room = new ChatRoom();
  await using server = await asyncio.start_server(room.serve, host, whole_number("port", port, 0, 65535), {
    limit: LONGEST_LINE,
  });
  for (const socket of server.sockets) console.log(`Serving on ${show_address(socket.getsockname())}`);
  try {
    await server.wait_closed();
  } finally {
    room.tell_all("* The server ends");
    server.close();
    server.close_clients();
    // The end of the block disconnects those that still have not taken the last words.
    await asyncio.wait([server.wait_closed()], { timeout: FAREWELL });
  }
}

if (import.meta.main) await run_program(USAGE, () => asyncio.run(() => main(Deno.args)));
