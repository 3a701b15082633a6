// Asks a DNS server for the addresses of a name: over UDP, again when no answer comes, and over TCP when the answer was cut.
//
//   deno run --allow-net examples/dns_client.ts <name> <server> [port]

import * as asyncio from "../mod.ts";
import { run_program, UsageError, whole_number } from "./_command_line.ts";

const USAGE = "deno run --allow-net examples/dns_client.ts <name> <server> [port=53]";

/** How often a question is sent, and the seconds that each time an answer may take. */
const TRIES = 3;
const PATIENCE = 1;

const TYPES = { A: 1, CNAME: 5, AAAA: 28 } as const;
const CLASS_IN = 1;

/** Bits of a header: this is an answer, it was cut, and recursion is wanted. */
const ANSWER = 0x8000;
const CUT = 0x0200;
const RECURSION = 0x0100;

const ERRORS = [
  "",
  "the question is malformed",
  "the server failed",
  "there is no such name",
  "it is not supported",
  "the server refuses",
];

/** One thing that a server knows of a name. */
export interface Answer {
  readonly name: string;
  readonly type: keyof typeof TYPES;
  /** Seconds for which it may be kept. */
  readonly ttl: number;
  /** An address, or another name. */
  readonly value: string;
}

/** The server's answer is an error, or none at all. */
export class DnsError extends Error {
  override name = "DnsError";
}

/** What comes is no DNS message. */
export class MalformedError extends DnsError {}

/** A question as bytes. */
export function pack_query(id: number, name: string, type: "A" | "AAAA"): Uint8Array {
  const header = asyncio.pack_struct("!6H", id, RECURSION, 1, 0, 0, 0);
  const question = asyncio.pack_struct("!2H", TYPES[type], CLASS_IN);
  return joined([header, pack_name(name), question]);
}

/** A name as DNS writes it: each label behind its length, and an empty one at the end. */
export function pack_name(name: string): Uint8Array {
  // The URL parser turns a name with other letters into the ASCII form that DNS knows.
  const url = `http://${name}/`;
  const ascii = /^[\p{L}\p{M}\p{N}.-]*[^\0-\x7f][\p{L}\p{M}\p{N}.-]*$/u.test(name) && URL.canParse(url)
    ? new URL(url).hostname
    : name;
  const labels = ascii.replace(/\.$/, "").split(".");
  if (labels.some((label) => !/^[\w-]{1,63}$/.test(label)) || ascii.length > 253) {
    throw new UsageError(`name must be a domain name, got "${name}"`);
  }
  return joined([...labels.map((label) => asyncio.pack_frame(label, { size: 1 })), new Uint8Array(1)]);
}

/** What a message says, if it is the answer to this question; `null` if it is of something else. */
export function parse_answer(message: Uint8Array, query: Uint8Array): { cut: boolean; answers: Answer[] } | null {
  const reader = new MessageReader(message);
  const [id, flags, questions, count] = [reader.u16(), reader.u16(), reader.u16(), reader.u16()];
  reader.skip(4);
  const is_ours = id === (query[0] << 8 | query[1]) && (flags & ANSWER) !== 0;
  // A server that found nothing to read in a question does not repeat it.
  if (!is_ours || questions > 1 || (questions === 1 && !repeats(message, query))) return null;
  const error = flags & 0x0f;
  if (error !== 0) throw new DnsError(ERRORS[error] ?? `the server says error ${error}`);
  if (questions === 1) reader.skip(query.length - 12);
  const answers: Answer[] = [];
  const cut = (flags & CUT) !== 0;
  // What is left of a message that was cut may end in the middle of a record.
  for (let i = 0; i < count && !cut; i++) {
    const answer = reader.answer();
    if (answer !== null) answers.push(answer);
  }
  return { cut, answers };
}

/** Whether an answer has the question in it, in whatever case its letters are. */
function repeats(message: Uint8Array, query: Uint8Array): boolean {
  const lower = (byte: number) => byte >= 65 && byte <= 90 ? byte + 32 : byte;
  return query.every((byte, i) => i < 12 || (i < message.length && lower(byte) === lower(message[i])));
}

class MessageReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  u8(): number {
    return this.take(1)[0];
  }

  u16(): number {
    return this.u8() << 8 | this.u8();
  }

  skip(count: number): void {
    this.take(count);
  }

  take(count: number): Uint8Array {
    const end = this.#at + count;
    if (end > this.#bytes.length) throw new MalformedError("the answer ends too soon");
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  /** A name; instead of what was written before, there is a pointer to it. */
  name(): string {
    const labels: string[] = [];
    let back: number | null = null;
    let start = this.#at;
    for (;;) {
      const length = this.u8();
      if (length === 0) break;
      if (length < 64) {
        labels.push(new TextDecoder().decode(this.take(length)));
        continue;
      }
      const target = (length & 0x3f) << 8 | this.u8();
      // Each has to point to before what it is part of, so they come to an end.
      if (length < 0xc0 || target >= start) throw new MalformedError("a name in the answer points nowhere");
      back ??= this.#at;
      this.#at = start = target;
    }
    if (back !== null) this.#at = back;
    return labels.join(".");
  }

  /** A record; `null` for one of a type that is not known here. */
  answer(): Answer | null {
    const name = this.name();
    const [type, , ttl, length] = [this.u16(), this.u16(), this.u16() * 65536 + this.u16(), this.u16()];
    const end = this.#at + length;
    let answer: Answer | null = null;
    if (type === TYPES.A && length === 4) answer = { name, type: "A", ttl, value: this.take(4).join(".") };
    else if (type === TYPES.AAAA && length === 16) answer = { name, type: "AAAA", ttl, value: ipv6(this.take(16)) };
    else if (type === TYPES.CNAME) answer = { name, type: "CNAME", ttl, value: this.name() };
    else this.take(length);
    if (this.#at !== end) throw new MalformedError("a record in the answer has a wrong length");
    return answer;
  }
}

/** The URL parser knows how an address is shortened. */
function ipv6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i] << 8 | bytes[2 * i + 1]).toString(16));
  return new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

/** Asks one question, as often as it takes. Questions may be asked side by side over endpoints of their own. */
export async function ask(server: asyncio.DatagramAddress, name: string, type: "A" | "AAAA"): Promise<Answer[]> {
  // A number, and a port, that nobody can guess: who could would answer in the server's place.
  const [id] = crypto.getRandomValues(new Uint16Array(1));
  const query = pack_query(id, name, type);
  await using endpoint = await asyncio.open_datagram({ remote_addr: server });
  for (let i = 0; i < TRIES; i++) {
    await endpoint.send(query);
    const reply = await asyncio.async_with(asyncio.move_on_after(PATIENCE), () => matching(endpoint, query));
    if (reply?.cut) return await ask_over_tcp(server, query);
    if (reply !== undefined) return reply.answers;
  }
  throw new DnsError(`no answer within ${TRIES} tries of ${PATIENCE} s`);
}

async function matching(endpoint: asyncio.DatagramEndpoint, query: Uint8Array) {
  for (;;) {
    const [data] = await endpoint.recv();
    try {
      const reply = parse_answer(data, query);
      if (reply !== null) return reply;
    } catch (error) {
      // Anybody can send anything under the server's address; the real answer may still come.
      if (!(error instanceof MalformedError)) throw error;
    }
  }
}

async function ask_over_tcp([host, port]: asyncio.DatagramAddress, query: Uint8Array): Promise<Answer[]> {
  return await asyncio.async_with(asyncio.timeout(TRIES * PATIENCE), async () => {
    const [reader, writer] = await asyncio.open_connection(host, port);
    await using _ = writer;
    await writer.send(asyncio.pack_frame(query, { size: 2 }));
    const message = await reader.read_frame({ size: 2 });
    const reply = message === null ? null : parse_answer(message, query);
    if (reply === null) throw new DnsError("the server gave no answer over TCP");
    return reply.answers;
  });
}

async function main([name, server, port = "53"]: readonly string[]): Promise<void> {
  if (name === undefined || server === undefined) throw new UsageError("name and server are needed");
  const address = [server, whole_number("port", port, 1, 65535)] as const;
  pack_name(name);
  const types = ["A", "AAAA"] as const;
  const found = await asyncio.gather(...types.map((type) => () => ask(address, name, type)));
  // Both questions have the same answers about other names.
  const lines = new Set(found.flat().map(({ name, type, ttl, value }) => `${name} ${type} ${value} (${ttl} s)`));
  if (lines.size === 0) console.log(`${name} has no address`);
  for (const line of lines) console.log(line);
}

if (import.meta.main) await run_program(USAGE, () => asyncio.run(() => main(Deno.args)));
