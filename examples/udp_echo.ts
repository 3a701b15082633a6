// A server that sends every datagram back, and its client, which asks again when nothing comes.
//
//   deno run --allow-net examples/udp_echo.ts serve [host] [port]
//   deno run --allow-net examples/udp_echo.ts ask [host] [port] [text...]
//
// Ctrl-C ends the server.

import * as asyncio from "../mod.ts";
import { run_program, show_address, UsageError, whole_number } from "./_command_line.ts";

const USAGE = "deno run --allow-net examples/udp_echo.ts serve|ask [host=127.0.0.1] [port=8888] [text...]";

/** How often a datagram is sent, and the seconds that each time an answer may take. */
const TRIES = 3;
const PATIENCE = 1;

/** Sends back what comes until the endpoint is closed. */
export async function echo(endpoint: asyncio.DatagramEndpoint): Promise<void> {
  for await (const [data, addr] of endpoint) {
    try {
      await endpoint.send(data, addr);
    } catch (error) {
      // One client that cannot be reached is no reason to leave the others.
      if (error instanceof asyncio.CancelledError || error instanceof asyncio.ClosedResourceError) throw error;
      console.error(`error: ${error instanceof Error ? error.message : error}`);
    }
  }
}

/** Sends a text until it comes back. */
export async function ask(endpoint: asyncio.DatagramEndpoint, text: string): Promise<string> {
  for (let i = 0; i < TRIES; i++) {
    await endpoint.send(text);
    const answer = await asyncio.async_with(asyncio.move_on_after(PATIENCE), async () => {
      for (;;) {
        const [data] = await endpoint.recv();
        const received = new TextDecoder().decode(data);
        // The answer to an earlier one may have come late, or twice.
        if (received === text) return received;
      }
    });
    if (answer !== undefined) return answer;
  }
  throw new Error(`No answer to "${text}" within ${TRIES} tries of ${PATIENCE} s`);
}

async function main([mode, host = "127.0.0.1", port = "8888", ...texts]: readonly string[]): Promise<void> {
  if (mode === "serve") {
    const local_addr = [host, whole_number("port", port, 0, 65535)] as const;
    await using endpoint = await asyncio.open_datagram({ local_addr });
    console.log(`Serving on ${show_address(endpoint.get_extra_info("sockname"))}`);
    await echo(endpoint);
  } else if (mode === "ask") {
    const remote_addr = [host, whole_number("port", port, 1, 65535)] as const;
    await using endpoint = await asyncio.open_datagram({ remote_addr });
    for (const text of texts.length > 0 ? texts : ["Hello, world!"]) console.log(await ask(endpoint, text));
  } else {
    throw new UsageError(`the first argument must be "serve" or "ask", got "${mode ?? ""}"`);
  }
}

if (import.meta.main) await run_program(USAGE, () => asyncio.run(() => main(Deno.args)));
