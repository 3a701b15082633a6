// As much of HTTP/1.1 as the tests need: a client's side and a server's.

import type { StreamReader, StreamWriter } from "../../mod.ts";
import { joined, text } from "../_streams.ts";

export interface Head {
  /** `GET / HTTP/1.1` or `HTTP/1.1 200 OK`. */
  readonly line: string;
  readonly headers: ReadonlyMap<string, string>;
}

export interface Message extends Head {
  readonly body: Uint8Array;
}

/** `null` at the end of the connection. */
export async function read_head(reader: StreamReader): Promise<Head | null> {
  const first = text(await reader.readline()).trimEnd();
  if (first === "") return null;
  const headers = new Map<string, string>();
  for (;;) {
    const line = text(await reader.readline()).trimEnd();
    if (line === "") return { line: first, headers };
    const colon = line.indexOf(":");
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
}

/** A body by its length, in chunks or, if `to_end`, up to the end of the connection. */
export async function read_body(reader: StreamReader, head: Head, to_end = false): Promise<Uint8Array> {
  if (head.headers.get("transfer-encoding") === "chunked") return await read_chunks(reader);
  if (to_end) return await reader.read();
  return await reader.readexactly(Number(head.headers.get("content-length") ?? 0));
}

async function read_chunks(reader: StreamReader): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const size = parseInt(text(await reader.readline()), 16);
    parts.push(await reader.readexactly(size));
    await reader.readuntil("\r\n");
    if (size === 0) return joined(parts);
  }
}

/** Asks for a path, and reads the answer. */
export async function get(
  [reader, writer]: readonly [StreamReader, StreamWriter],
  path: string,
  connection: "keep-alive" | "close" = "keep-alive",
): Promise<Message> {
  await writer.send(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: ${connection}\r\n\r\n`);
  return await read_message(reader, connection === "close");
}

export async function read_message(reader: StreamReader, to_end = false): Promise<Message> {
  const head = await read_head(reader);
  if (head === null) throw new Error("The connection ended before the answer");
  return { ...head, body: await read_body(reader, head, to_end) };
}

/** Answers requests with the bodies that came, until the client has no more. `asked` hears of each head. */
export async function echo_bodies(
  reader: StreamReader,
  writer: StreamWriter,
  asked: (head: Head) => void,
): Promise<void> {
  for (;;) {
    const head = await read_head(reader);
    if (head === null) return;
    asked(head);
    if (head.headers.get("expect") === "100-continue") await writer.send("HTTP/1.1 100 Continue\r\n\r\n");
    const body = await read_body(reader, head);
    writer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
    await writer.send(body);
  }
}
