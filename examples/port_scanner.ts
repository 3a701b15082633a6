// Finds out which TCP ports of a host accept connections.
//
//   deno run --allow-net examples/port_scanner.ts host [first-last] [limit] [timeout]

import * as asyncio from "../mod.ts";
import { run_program, UsageError, whole_number } from "./_command_line.ts";

const USAGE = "deno run --allow-net examples/port_scanner.ts host [first-last=1-1024] [limit=100] [timeout=1]\n" +
  "  limit    how many connections are tried at a time\n" +
  "  timeout  seconds for each";

export interface ScanOptions {
  /** How many connections are tried at a time. */
  readonly limit: number;
  /** Seconds for each. */
  readonly timeout: number;
}

/** The open ones among some ports, in rising order. */
export async function scan(host: string, ports: Iterable<number>, options: ScanOptions): Promise<number[]> {
  const open: number[] = [];
  // All workers take from one iterator, so that each port is tried by one of them.
  const rest = ports[Symbol.iterator]();
  async function work() {
    for (let next = rest.next(); !next.done; next = rest.next()) {
      if (await is_open(host, next.value, options.timeout)) open.push(next.value);
    }
  }
  await asyncio.async_with(new asyncio.TaskGroup(), (group) => {
    for (let i = 0; i < options.limit; i++) group.create_task(work);
  });
  return open.sort((a, b) => a - b);
}

async function is_open(host: string, port: number, timeout: number): Promise<boolean> {
  try {
    const [_reader, writer] = await asyncio.wait_for(() => asyncio.open_connection(host, port), timeout);
    writer.close();
    return true;
  } catch (error) {
    if (error instanceof asyncio.ConnectionRefusedError || error instanceof asyncio.TimeoutError) return false;
    throw error;
  }
}

function* range(first: number, last: number): Generator<number> {
  for (let port = first; port <= last; port++) yield port;
}

async function main(args: readonly string[]): Promise<void> {
  const [host, ports = "1-1024", limit_text = "100", timeout_text = "1"] = args;
  if (host === undefined) throw new UsageError("host is missing");
  const [first_text, last_text = first_text] = ports.split("-", 2);
  const first = whole_number("first port", first_text, 1, 65535);
  const last = whole_number("last port", last_text, first, 65535);
  const limit = whole_number("limit", limit_text, 1, 10_000);
  const timeout = Number(timeout_text);
  if (!(timeout > 0)) throw new UsageError(`timeout must be a number above 0, got "${timeout_text}"`);

  const open = await scan(host, range(first, last), { limit, timeout });
  for (const port of open) console.log(`${port} open`);
  console.log(`${open.length} of ${last - first + 1} ports of ${host} are open`);
}

if (import.meta.main) await run_program(USAGE, () => asyncio.run(() => main(Deno.args)));
