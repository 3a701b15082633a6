// Gets a URL with HTTP/1.1 and writes the body to standard output.
//
//   deno run --allow-net --allow-read=ca.pem examples/http_client.ts url [ca_file]
//
// With a file of certificates in PEM, only the authorities in it are trusted, and otherwise those that Deno trusts. It
// follows redirects, and ends with code 1 if the answer is an error.

import * as asyncio from "../mod.ts";
import { run_program, UsageError } from "./_command_line.ts";

const USAGE = "deno run --allow-net --allow-read=ca_file examples/http_client.ts url [ca_file]";

/** Seconds for the connection, and for each part of the answer. */
const PATIENCE = 30;
const MOST_REDIRECTS = 5;
/** Bytes that are taken at a time. */
const PART_SIZE = 64 * 1024;
const BLANK_LINE = ["\r\n\r\n", "\n\n"];

/** An answer. The body is read from the connection as it is iterated over, and the connection closed at its end. */
export interface Response {
  readonly url: URL;
  readonly status: number;
  readonly reason: string;
  readonly headers: Headers;
  readonly body: AsyncGenerator<Uint8Array, void>;
}

/** Gets a URL; whoever gets the answer reads the body or ends it with `body.return()`. */
export async function get(url: URL, ssl: true | asyncio.TlsClientOptions = true): Promise<Response> {
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    const response = await get_once(url, ssl);
    const location = response.headers.get("location");
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response;
    await response.body.return();
    url = new URL(location, url);
  }
  throw new Error(`There are more than ${MOST_REDIRECTS} redirects`);
}

async function get_once(url: URL, ssl: true | asyncio.TlsClientOptions): Promise<Response> {
  const is_secure = url.protocol === "https:";
  if (!is_secure && url.protocol !== "http:") throw new Error(`Cannot get ${url}: only http and https are supported`);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port || (is_secure ? 443 : 80));
  const [reader, writer] = await asyncio.open_connection(host, port, {
    timeout: PATIENCE,
    ...(is_secure ? { ssl } : {}),
  });
  try {
    // Without an "Accept-Encoding", nothing comes compressed.
    const lines = [
      `GET ${url.pathname}${url.search} HTTP/1.1`,
      `Host: ${url.host}`,
      "Accept: */*",
      "Connection: close",
    ];
    await writer.send(`${lines.join("\r\n")}\r\n\r\n`);
    const { status, reason, headers } = await read_head(reader);
    return { url, status, reason, headers, body: closing(read_body(reader, status, headers), writer) };
  } catch (error) {
    writer.abort();
    throw error;
  }
}

async function read_head(reader: asyncio.StreamReader): Promise<Pick<Response, "status" | "reason" | "headers">> {
  for (;;) {
    const head = new TextDecoder("latin1").decode(await patiently(() => reader.readuntil(BLANK_LINE)));
    const [status_line, ...lines] = head.trimEnd().split(/\r?\n/);
    const match = status_line.match(/^HTTP\/1\.[01] (\d{3})(?: (.*))?$/);
    if (match === null) throw new Error(`Not an answer of HTTP/1.1: ${JSON.stringify(status_line.slice(0, 80))}`);
    const status = Number(match[1]);
    // Those below 200 only announce the answer.
    if (status >= 200) return { status, reason: match[2] ?? "", headers: parse_headers(lines) };
  }
}

function parse_headers(lines: readonly string[]): Headers {
  const headers = new Headers();
  for (const line of lines) {
    const match = line.match(/^([^:\s]+):[ \t]*(.*?)[ \t]*$/);
    if (match === null) throw new Error(`Cannot understand the header line ${JSON.stringify(line.slice(0, 80))}`);
    headers.append(match[1], match[2]);
  }
  return headers;
}

/** Passes a body on, and closes its connection at the end, however that comes. */
async function* closing(body: AsyncGenerator<Uint8Array, void>, writer: asyncio.StreamWriter) {
  try {
    yield* body;
  } finally {
    writer.abort();
  }
}

async function* read_body(reader: asyncio.StreamReader, status: number, headers: Headers) {
  if (status === 204 || status === 304) return;
  const encoding = headers.get("transfer-encoding")?.toLowerCase();
  const length = headers.get("content-length");
  if (encoding === "chunked") yield* read_chunks(reader);
  else if (encoding !== undefined) throw new Error(`Cannot read the transfer encoding "${encoding}"`);
  else if (length !== null) yield* read_counted(reader, whole(length, 10));
  else yield* read_rest(reader);
}

/** A body in pieces, each after its length in hexadecimal; one of length 0 ends it, and trailers may follow. */
async function* read_chunks(reader: asyncio.StreamReader) {
  for (;;) {
    const line = new TextDecoder().decode(await patiently(() => reader.readuntil("\n")));
    const size = whole(line.split(";", 1)[0].trim(), 16);
    if (size === 0) break;
    yield* read_counted(reader, size);
    const end = new TextDecoder().decode(await patiently(() => reader.readuntil("\n")));
    if (end.trimEnd() !== "") throw new Error("A chunk is longer than it says");
  }
  while (new TextDecoder().decode(await patiently(() => reader.readuntil("\n"))).trimEnd() !== "");
}

async function* read_counted(reader: asyncio.StreamReader, length: number) {
  for (let left = length; left > 0;) {
    const part = await patiently(() => reader.read(Math.min(left, PART_SIZE)));
    if (part.length === 0) throw new Error(`The server hung up ${left} bytes before the end`);
    left -= part.length;
    yield part;
  }
}

/** Without a length, the end of the connection is the end of the body. Over TLS, a cut connection is an error. */
async function* read_rest(reader: asyncio.StreamReader) {
  for (;;) {
    const part = await patiently(() => reader.read(PART_SIZE));
    if (part.length === 0) return;
    yield part;
  }
}

function whole(text: string, base: 10 | 16): number {
  const value = (base === 10 ? /^\d+$/ : /^[\da-f]+$/i).test(text) ? parseInt(text, base) : NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new Error(`Cannot understand the length ${JSON.stringify(text)}`);
}

async function patiently<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await asyncio.wait_for(read, PATIENCE);
  } catch (error) {
    if (error instanceof asyncio.TimeoutError) throw new Error(`Nothing came for ${PATIENCE} s`);
    if (error instanceof asyncio.IncompleteReadError) throw new Error("The server hung up in the middle of its answer");
    throw error;
  }
}

async function main(args: readonly string[]): Promise<void> {
  const [text, ca_file] = args;
  if (text === undefined) throw new UsageError("url is missing");
  if (!URL.canParse(text)) throw new UsageError(`url must be a URL, got "${text}"`);
  const ssl = ca_file === undefined ? true : { caCerts: [await Deno.readTextFile(ca_file)] };
  const { status, reason, body } = await get(new URL(text), ssl);
  const [, output] = asyncio.stdio();
  // No faster than whoever reads the output takes it.
  for await (const part of body) await output.send(part);
  await output.flush();
  if (status >= 400) throw new Error(`The answer is ${status} ${reason}`.trimEnd());
}

if (import.meta.main) await run_program(USAGE, () => asyncio.run(() => main(Deno.args)));
