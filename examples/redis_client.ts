// A small Redis client, as a module and as a program.
//
//   deno run --allow-net examples/redis_client.ts host port command [argument...]

import * as asyncio from "../mod.ts";
import { run_program, UsageError, whole_number } from "./_command_line.ts";

const USAGE = "deno run --allow-net examples/redis_client.ts host port command [argument...]\n" +
  "  for example 127.0.0.1 6379 SET key value";

/** What a server answers: simple strings, integers, bulk strings as bytes, nil, arrays; in arrays, errors as well. */
export type Reply = string | number | bigint | Uint8Array | null | RedisError | Reply[];

/** An answer that says that the command failed; its text begins with a code, as in "WRONGTYPE Operation against ...". */
export class RedisError extends Error {
  override name = "RedisError";
}

/** A connection to a Redis server. Several tasks may use it at the same time. */
export class RedisClient {
  readonly #reader: asyncio.StreamReader;
  readonly #writer: asyncio.StreamWriter;
  /** Commands that were sent and not answered; the server answers in their order. */
  readonly #unanswered: asyncio.Future<Reply>[] = [];
  readonly #receiving: asyncio.Task<void>;

  private constructor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) {
    this.#reader = reader;
    this.#writer = writer;
    this.#receiving = asyncio.create_task(() => this.#receive(), { name: "redis replies" });
  }

  /** Connects; whoever gets the client closes it, best with `await using`. */
  static async connect(host: string, port: number): Promise<RedisClient> {
    return new RedisClient(...await asyncio.open_connection(host, port));
  }

  /**
   * Sends a command at once, without waiting for the answers to earlier ones. An answer that is an error is thrown. A
   * caller that is cancelled or times out does not disturb the others: the answer is dropped when it comes.
   */
  command(...args: readonly (string | Uint8Array | number)[]): asyncio.Future<Reply> {
    const answer = asyncio.get_running_loop().create_future<Reply>();
    if (this.#receiving.done()) {
      answer.set_exception(new asyncio.ConnectionResetError("Cannot send a command: the connection is closed"));
      return answer;
    }
    this.#unanswered.push(answer);
    this.#writer.write(`*${args.length}\r\n`);
    for (const arg of args) {
      const bytes = arg instanceof Uint8Array ? arg : new TextEncoder().encode(String(arg));
      this.#writer.writelines([`$${bytes.length}\r\n`, bytes, "\r\n"]);
    }
    return answer;
  }

  /** Sends several commands together, and gives all the answers; errors stand among them. */
  async pipeline(commands: readonly (readonly (string | Uint8Array | number)[])[]): Promise<Reply[]> {
    const answers = commands.map((args) => this.command(...args));
    return await asyncio.gather(...answers, { return_exceptions: true }) as Reply[];
  }

  async ping(): Promise<string> {
    return await this.command("PING") as string;
  }

  async set(key: string, value: string | Uint8Array | number): Promise<void> {
    await this.command("SET", key, value);
  }

  /** The bytes of a value; `null` if there is none. */
  async get(key: string): Promise<Uint8Array | null> {
    return await this.command("GET", key) as Uint8Array | null;
  }

  /** Ends the connection; commands without an answer fail. */
  async close(): Promise<void> {
    this.#writer.close();
    await this.#writer.wait_closed();
    await this.#receiving;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #receive(): Promise<void> {
    let end: unknown = new asyncio.ConnectionResetError("The connection to the Redis server has ended");
    try {
      while (true) {
        const reply = await this.#read_reply();
        const answer = this.#unanswered.shift();
        if (answer === undefined || answer.done()) continue;
        if (reply instanceof RedisError) answer.set_exception(reply);
        else answer.set_result(reply);
      }
    } catch (error) {
      if (!(error instanceof asyncio.IncompleteReadError)) end = error;
      if (error instanceof asyncio.CancelledError) throw error;
    } finally {
      this.#writer.close();
      for (const answer of this.#unanswered) {
        if (!answer.done()) answer.set_exception(end);
      }
    }
  }

  async #read_reply(): Promise<Reply> {
    const line = new TextDecoder().decode(await this.#reader.readuntil("\r\n")).slice(0, -2);
    const rest = line.slice(1);
    switch (line[0]) {
      case "+":
        return rest;
      case "-":
        return new RedisError(rest);
      case ":":
        return Number.isSafeInteger(Number(rest)) ? Number(rest) : BigInt(rest);
      case "$": {
        if (rest === "-1") return null;
        const bytes = await this.#reader.readexactly(Number(rest) + 2);
        return bytes.subarray(0, -2);
      }
      case "*": {
        if (rest === "-1") return null;
        const items: Reply[] = [];
        for (let i = Number(rest); i > 0; i--) items.push(await this.#read_reply());
        return items;
      }
      default:
        throw new Error(`Cannot understand what the server sent: "${line}"`);
    }
  }
}

/** A reply as text for people. */
export function format_reply(reply: Reply, indent = ""): string {
  if (reply === null) return "(nil)";
  if (reply instanceof Uint8Array) return new TextDecoder().decode(reply);
  if (reply instanceof RedisError) return `(error) ${reply.message}`;
  if (!Array.isArray(reply)) return typeof reply === "string" ? reply : `(integer) ${reply}`;
  if (reply.length === 0) return "(empty array)";
  return reply.map((item, i) => `${i === 0 ? "" : indent}${i + 1}) ${format_reply(item, `${indent}   `)}`).join("\n");
}

async function main(args: readonly string[]): Promise<void> {
  const [host, port, ...command] = args;
  if (port === undefined || command.length === 0) throw new UsageError("host, port and a command are needed");
  await using client = await RedisClient.connect(host, whole_number("port", port, 1, 65535));
  console.log(format_reply(await client.command(...command)));
}

if (import.meta.main) await run_program(USAGE, () => asyncio.run(() => main(Deno.args)));
