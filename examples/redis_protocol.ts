// A Redis client again, as a protocol: the transport calls it with what arrives. Beside answers it hears what is published.
//
//   deno run --allow-net examples/redis_protocol.ts host port command [argument...]
//   deno run --allow-net examples/redis_protocol.ts host port SUBSCRIBE channel [channel...]

import * as asyncio from "../mod.ts";
import { run_program, UsageError, whole_number } from "./_command_line.ts";
import { format_reply, RedisError, type Reply } from "./redis_client.ts";

const USAGE = "deno run --allow-net examples/redis_protocol.ts host port command [argument...]\n" +
  "  for example 127.0.0.1 6379 SET key value\n" +
  "  or          127.0.0.1 6379 SUBSCRIBE news";

const NEWLINE = 10;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** An answer, or what the server sends unasked. */
export interface Received {
  readonly is_push: boolean;
  readonly reply: Reply;
}

interface Item {
  readonly kind: string;
  readonly value: Reply;
  /** For what consists of others: how many of them follow. */
  readonly count: number;
  /** Where the next one begins. */
  readonly end: number;
}

/**
 * Understands version 3 of Redis's protocol, in pieces of any size. Truth values come as 1 and 0, and maps as arrays of
 * keys and values in turn, as version 2 has them.
 */
export class RespParser {
  /** What was not understood yet. */
  #chunks: Uint8Array[] = [];
  #size = 0;
  /** As long as there is less than that, there is no need to look. */
  #needed = 1;
  /** Arrays that are not complete, the innermost last. */
  readonly #open: { readonly kind: string; readonly items: Reply[]; missing: number }[] = [];

  /** Takes bytes, and gives what they complete. */
  feed(data: Uint8Array): Received[] {
    this.#chunks.push(data);
    this.#size += data.length;
    if (this.#size < this.#needed) return [];
    const bytes = joined(this.#chunks, this.#size);
    const received: Received[] = [];
    let start = 0;
    for (let item = this.#next(bytes, start); item !== null; item = this.#next(bytes, start)) {
      start = item.end;
      const whole = this.#placed(item);
      if (whole !== null) received.push(whole);
    }
    this.#chunks = [bytes.subarray(start)];
    this.#size = bytes.length - start;
    return received;
  }

  /** The item that begins at `start`; `null` if it is not all there. */
  #next(bytes: Uint8Array, start: number): Item | null {
    const newline = bytes.indexOf(NEWLINE, start);
    if (newline === -1) {
      this.#needed = bytes.length - start + 1;
      return null;
    }
    const line = decoder.decode(bytes.subarray(start, newline - 1));
    const [kind, rest, end] = [line[0], line.slice(1), newline + 1];
    const simple = (value: Reply): Item => ({ kind, value, count: 0, end });
    switch (kind) {
      case "+":
        return simple(rest);
      case "-":
        return simple(new RedisError(rest));
      case ":":
      case "(":
        return simple(Number.isSafeInteger(Number(rest)) ? Number(rest) : BigInt(rest));
      case ",":
        return simple(Number(rest.replace("inf", "Infinity")));
      case "#":
        return simple(rest === "t" ? 1 : 0);
      case "_":
        return simple(null);
      case "$":
      case "=":
      case "!": {
        if (rest === "-1") return simple(null);
        const body_end = end + size_of(line);
        if (bytes.length < body_end + 2) {
          this.#needed = body_end + 2 - start;
          return null;
        }
        const body = bytes.slice(end, body_end);
        return { ...simple(kind === "!" ? new RedisError(decoder.decode(body)) : body), end: body_end + 2 };
      }
      case "*":
      case "~":
      case ">":
        return rest === "-1" ? simple(null) : { ...simple([]), count: size_of(line) };
      case "%":
        return { ...simple([]), count: 2 * size_of(line) };
      default:
        throw new Error(`Cannot understand what the server sent: "${line}"`);
    }
  }

  /** Puts an item where it belongs; gives the outermost array once that is complete. */
  #placed({ kind, value, count }: Item): Received | null {
    if (count > 0) {
      this.#open.push({ kind, items: [], missing: count });
      return null;
    }
    for (let innermost = this.#open.at(-1); innermost !== undefined; innermost = this.#open.at(-1)) {
      innermost.items.push(value);
      if (--innermost.missing > 0) return null;
      ({ kind, items: value } = this.#open.pop()!);
    }
    return { is_push: kind === ">", reply: value };
  }
}

function size_of(line: string): number {
  if (!/^.\d+$/.test(line)) throw new Error(`Cannot understand what the server sent: "${line}"`);
  return Number(line.slice(1));
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  if (chunks.length === 1) return chunks[0];
  const all = new Uint8Array(size);
  let end = 0;
  for (const chunk of chunks) {
    all.set(chunk, end);
    end += chunk.length;
  }
  return all;
}

/** A connection to a Redis server of version 6 or later. Several tasks may use it at the same time. */
export class RedisProtocol extends asyncio.Protocol {
  readonly #parser = new RespParser();
  /** Commands that were sent and not answered; the server answers in their order. */
  readonly #unanswered: asyncio.Future<Reply>[] = [];
  readonly #channels = new Map<string, asyncio.Queue<Uint8Array>>();
  readonly #writable = new asyncio.Event();
  #transport: asyncio.Transport | null = null;

  /** Done when the server has agreed to the version of the protocol. */
  greeting!: asyncio.Future<Reply>;
  /** Done when the connection is gone. */
  readonly closed = new asyncio.Future<void>();

  override connection_made(transport: asyncio.Transport) {
    this.#transport = transport;
    this.#writable.set();
    // In version 3 messages differ from answers, so that a connection with subscriptions takes all commands.
    this.greeting = this.command("HELLO", 3);
  }

  override data_received(data: Uint8Array) {
    for (const { is_push, reply } of this.#parser.feed(data)) {
      if (is_push) this.#push_received(reply as Reply[]);
      else this.#answer(reply);
    }
  }

  override connection_lost(error: unknown) {
    this.#transport = null;
    const reason = error ?? new asyncio.ConnectionResetError("The connection to the Redis server has ended");
    for (const answer of this.#unanswered.splice(0)) if (!answer.done()) answer.set_exception(reason);
    for (const messages of this.#channels.values()) messages.shutdown();
    // Who waits to write is to find that out.
    this.#writable.set();
    this.closed.set_result();
  }

  override pause_writing() {
    this.#writable.clear();
  }

  override resume_writing() {
    this.#writable.set();
  }

  /** Waits until it is time for more commands; whoever sends thousands should. */
  async ready(): Promise<void> {
    await this.#writable.wait();
  }

  /**
   * Sends a command at once, without waiting for the answers to earlier ones. An answer that is an error is thrown. A
   * caller that is cancelled or times out does not disturb the others: the answer is dropped when it comes.
   */
  command(...args: readonly (string | Uint8Array | number)[]): asyncio.Future<Reply> {
    const answer = new asyncio.Future<Reply>();
    if (this.#transport === null || this.#transport.is_closing()) {
      answer.set_exception(new asyncio.ConnectionResetError("Cannot send a command: the connection is closed"));
      return answer;
    }
    this.#unanswered.push(answer);
    const parts: (string | Uint8Array)[] = [`*${args.length}\r\n`];
    for (const arg of args) {
      const bytes = arg instanceof Uint8Array ? arg : encoder.encode(String(arg));
      parts.push(`$${bytes.length}\r\n`, bytes, "\r\n");
    }
    this.#transport.writelines(parts);
    return answer;
  }

  /** What is published on a channel from now on. The queue is shut down when the connection ends. */
  async subscribe(channel: string): Promise<asyncio.Queue<Uint8Array>> {
    let messages = this.#channels.get(channel);
    if (messages === undefined) {
      messages = new asyncio.Queue<Uint8Array>();
      this.#channels.set(channel, messages);
    }
    await this.command("SUBSCRIBE", channel);
    return messages;
  }

  close(): void {
    this.#transport?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.closed;
  }

  #push_received([kind, channel, content]: Reply[]) {
    const name = decoder.decode(kind as Uint8Array);
    if (name === "message") {
      this.#channels.get(decoder.decode(channel as Uint8Array))?.put_nowait(content as Uint8Array);
    } else if (name === "subscribe") this.#answer(content);
  }

  #answer(reply: Reply) {
    const answer = this.#unanswered.shift();
    if (answer === undefined || answer.done()) return;
    if (reply instanceof RedisError) answer.set_exception(reply);
    else answer.set_result(reply);
  }
}

/** Connects; whoever gets it closes it, best with `await using`. */
export async function connect(host: string, port: number): Promise<RedisProtocol> {
  const [transport, protocol] = await asyncio.get_running_loop().create_connection(
    () => new RedisProtocol(),
    host,
    port,
  );
  try {
    await protocol.greeting;
  } catch (error) {
    transport.abort();
    throw error;
  }
  return protocol;
}

async function print_messages(redis: RedisProtocol, channel: string): Promise<void> {
  const messages = await redis.subscribe(channel);
  console.log(`listening on ${channel}`);
  for await (const message of messages) console.log(`${channel}: ${decoder.decode(message)}`);
}

async function main(args: readonly string[]): Promise<void> {
  const [host, port, ...command] = args;
  if (port === undefined || command.length === 0) throw new UsageError("host, port and a command are needed");
  const [name, ...channels] = command;
  const subscribes = name.toUpperCase() === "SUBSCRIBE";
  if (subscribes && channels.length === 0) throw new UsageError("SUBSCRIBE needs a channel");
  await using redis = await connect(host, whole_number("port", port, 1, 65535));
  if (!subscribes) return console.log(format_reply(await redis.command(...command)));
  await asyncio.async_with(new asyncio.TaskGroup(), (group) => {
    for (const channel of channels) group.create_task(() => print_messages(redis, channel));
  });
}

if (import.meta.main) await run_program(USAGE, () => asyncio.run(() => main(Deno.args)));
