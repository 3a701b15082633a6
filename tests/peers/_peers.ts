// Programs that nobody here wrote, started by a test, stopped by their own handle, and bounded in time.

import * as asyncio from "../../mod.ts";
import { LOOPBACK } from "../_streams.ts";

/** Seconds after which a test fails and its peers are killed; they take a fraction of that. */
const LIMIT = 20;

/** Seconds that a peer has to end by itself. */
const PATIENCE = 5;

const decoder = new TextDecoder();
const running = new Set<Peer>();

/** A test that needs a peer: where it is `missing`, the name says so and the test is skipped. */
export function peer_test(promise: string, missing: string | null, body: () => Promise<void>): void {
  Deno.test({
    name: missing === null ? promise : `${promise} (skipped: ${missing})`,
    ignore: missing !== null,
    fn: async () => {
      // A wait for a process cannot be cancelled; it ends with the process.
      const guard = setTimeout(() => running.forEach((peer) => peer.kill("SIGKILL")), LIMIT * 1000);
      try {
        await asyncio.wait_for(body, LIMIT);
      } finally {
        clearTimeout(guard);
      }
    },
  });
}

/** Where a program is; `null` if it is not installed. Servers are often outside of a user's PATH. */
export function find_program(name: string, more: readonly string[] = ["/usr/local/sbin", "/usr/sbin"]): string | null {
  for (const folder of [...(Deno.env.get("PATH") ?? "").split(":"), ...more]) {
    try {
      if (Deno.statSync(`${folder}/${name}`).isFile) return `${folder}/${name}`;
    } catch {
      // Not there.
    }
  }
  return null;
}

/** Why a test that needs these programs has to be skipped; `null` if they are all there. */
export function missing_of(...names: string[]): string | null {
  const missing = names.filter((name) => find_program(name) === null);
  return missing.length === 0 ? null : `${missing.join(" and ")} ${missing.length > 1 ? "are" : "is"} not installed`;
}

export interface PeerOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  /** What asks it to end. */
  readonly signal?: Deno.Signal;
}

/** A program that runs. What it prints is kept until somebody reads it, so it never has to wait. */
export class Peer implements AsyncDisposable {
  readonly stdout: asyncio.StreamReader = new asyncio.StreamReader();
  readonly stderr: asyncio.StreamReader = new asyncio.StreamReader();
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #name: string;
  readonly #signal: Deno.Signal;
  readonly #ended: Promise<unknown>;

  constructor(program: string, args: readonly string[], { cwd, env, signal = "SIGTERM" }: PeerOptions = {}) {
    this.#name = program;
    this.#signal = signal;
    this.#process = new Deno.Command(find_program(program) ?? program, {
      args: [...args],
      cwd,
      env,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    running.add(this);
    this.#ended = Promise.all([
      feed(this.#process.stdout, this.stdout),
      feed(this.#process.stderr, this.stderr),
      this.#process.status,
    ]);
  }

  /** Gives it input. */
  async say(data: string | Uint8Array): Promise<void> {
    await this.#input.write(typeof data === "string" ? new TextEncoder().encode(data) : data);
  }

  /** Tells it that there is no more input. */
  async end_input(): Promise<void> {
    await this.#input.close().catch(() => {});
  }

  /** Reads what it prints up to a line that matches, and gives the match. */
  async until_line(stream: "stdout" | "stderr", wanted: RegExp): Promise<RegExpMatchArray> {
    let seen = "";
    for await (const line of this[stream]) {
      const match = decoder.decode(line).match(wanted);
      if (match !== null) return match;
      seen += decoder.decode(line);
    }
    throw new Error(`${this.#name} ended before it printed ${wanted}:\n${seen}${await this.#rest()}`);
  }

  kill(signal: Deno.Signal): void {
    try {
      this.#process.kill(signal);
    } catch {
      // It has ended.
    }
  }

  /** Whether it still runs, `seconds` from now. */
  async runs_for(seconds: number): Promise<boolean> {
    const ended = this.#process.status.then(() => false);
    return await Promise.race([ended, asyncio.sleep(seconds).then(() => true)]);
  }

  /** Waits for its end, which it comes to by itself; gives its exit code and what it printed and nobody has read. */
  async end(): Promise<{ code: number; stdout: string; stderr: string }> {
    const { code } = await this.#process.status;
    await this.#ended;
    return { code, stdout: decoder.decode(await this.stdout.read()), stderr: decoder.decode(await this.stderr.read()) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill(this.#signal);
    const timer = setTimeout(() => this.kill("SIGKILL"), PATIENCE * 1000);
    await this.end_input();
    await this.#ended;
    clearTimeout(timer);
    running.delete(this);
  }

  async #rest(): Promise<string> {
    return decoder.decode(await this.stderr.read());
  }
}

async function feed(stream: ReadableStream<Uint8Array>, reader: asyncio.StreamReader): Promise<void> {
  for await (const chunk of stream) reader.feed_data(chunk);
  reader.feed_eof();
}

/** Runs a program to its end, which has to be a good one; gives what it printed. */
export async function output_of(program: string, args: readonly string[], options: PeerOptions = {}): Promise<string> {
  await using peer = new Peer(program, args, options);
  await peer.end_input();
  const { code, stdout, stderr } = await peer.end();
  if (code !== 0) throw new Error(`${program} ${args.join(" ")}: exit code ${code}\n${stderr}`);
  return stdout;
}

/** A port that nobody listens on just now. */
export function free_port(): number {
  using listener = Deno.listen({ hostname: LOOPBACK, port: 0 });
  return listener.addr.port;
}

/** A folder that goes at the end of its block. */
export class Folder implements AsyncDisposable {
  readonly path: string;

  constructor() {
    this.path = Deno.makeTempDirSync({ prefix: "peers" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** Closes a writer, and waits until that is done. */
export async function close(writer: asyncio.StreamWriter): Promise<void> {
  writer.close();
  await writer.wait_closed();
}
