// Serves the files of a folder over HTTP/1.1.
//
//   deno run --allow-net --allow-read=folder examples/file_server.ts [folder] [host] [port] [timeout]
//
// It knows GET and HEAD, parts of files (`Range`), connections that are used again, and `index.html`. Nothing outside of the
// folder is served: neither by `..` in any spelling nor by a symbolic link that leads out of it. Ctrl-C ends it.

import * as asyncio from "../mod.ts";
import { run_program, show_address, UsageError, whole_number } from "./_command_line.ts";

const USAGE = "deno run --allow-net --allow-read=folder examples/file_server.ts " +
  "[folder=.] [host=127.0.0.1] [port=8000] [timeout=10]\n" +
  "  timeout  seconds for a client to send a request, and to take each 64 KiB of the answer";

const LONGEST_HEAD = 16 * 1024;
/** Bytes that are read from a file at a time. */
const PART_SIZE = 64 * 1024;
const MOST_CONNECTIONS = 1000;
/** Seconds that a client gets to take the last answer, before the connection is reset. */
const LINGER = 1;

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  gif: "image/gif",
  htm: "text/html; charset=utf-8",
  html: "text/html; charset=utf-8",
  jpeg: "image/jpeg",
  jpg: "image/jpeg",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  md: "text/markdown; charset=utf-8",
  mjs: "text/javascript; charset=utf-8",
  pdf: "application/pdf",
  png: "image/png",
  svg: "image/svg+xml",
  txt: "text/plain; charset=utf-8",
  wasm: "application/wasm",
  webp: "image/webp",
  xml: "application/xml",
};

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  206: "Partial Content",
  301: "Moved Permanently",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  416: "Range Not Satisfiable",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  505: "HTTP Version Not Supported",
};

/** A request that is not answered with a file. */
class HttpError extends Error {
  constructor(readonly status: number, readonly headers: Readonly<Record<string, string>> = {}) {
    super(REASONS[status]);
  }
}

interface Request {
  readonly method: string;
  readonly target: string;
  readonly headers: Headers;
  /** Whether another request may follow on the connection. */
  readonly keep_alive: boolean;
}

/** Serves the files of one folder. */
export class FileServer {
  readonly #root: string;
  readonly #timeout: number;

  /** `root` is the folder's path without symbolic links, `timeout` is in seconds. */
  constructor(root: string, timeout: number) {
    this.#root = root;
    this.#timeout = timeout;
  }

  /** Serves one client; for `start_server()`. */
  readonly serve = async (reader: asyncio.StreamReader, writer: asyncio.StreamWriter): Promise<void> => {
    try {
      while (await this.#answer_next(reader, writer));
      // A client may still be sending what was not read; a reset could overtake the answer.
      writer.close({ linger: LINGER });
      await writer.wait_closed();
    } catch (error) {
      // A client that takes nothing, or that is gone; or a file that shrank: no answer is better than a wrong one.
      writer.abort();
      if (!is_hangup(error)) throw error;
    }
  };

  /** Reads a request and answers it; tells whether another one may follow. */
  async #answer_next(reader: asyncio.StreamReader, writer: asyncio.StreamWriter): Promise<boolean> {
    let request: Request | null = null;
    try {
      request = await this.#read_request(reader);
      if (request === null) return false;
      if (request.method !== "GET" && request.method !== "HEAD") throw new HttpError(405, { Allow: "GET, HEAD" });
      await this.#send_file(request, await this.#find(request.target), writer);
      return request.keep_alive;
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      const text = `${error.status} ${error.message}\n`;
      const keep_alive = request?.keep_alive ?? false;
      this.#send_head(request, writer, error.status, keep_alive, {
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Length": String(text.length),
        ...error.headers,
      });
      if (request?.method !== "HEAD") writer.write(text);
      await this.#in_time(() => writer.drain());
      return keep_alive;
    }
  }

  /** `null` if the client has no more requests. */
  async #read_request(reader: asyncio.StreamReader): Promise<Request | null> {
    let head: Uint8Array;
    try {
      head = await this.#in_time(() => reader.readuntil("\r\n\r\n"));
    } catch (error) {
      if (error instanceof asyncio.LimitOverrunError) throw new HttpError(431);
      if (error instanceof asyncio.IncompleteReadError) {
        if (error.partial.length === 0) return null;
        throw new HttpError(400);
      }
      if (error instanceof asyncio.TimeoutError) throw new HttpError(408);
      throw error;
    }
    return parse_request(new TextDecoder("latin1").decode(head));
  }

  /** The path of the file that a request is for. */
  async #find(target: string): Promise<string> {
    const path = segments_of(target);
    const is_folder_name = target.split("?", 1)[0].endsWith("/");
    try {
      const found = await this.#inside([this.#root, ...path]);
      const info = await Deno.stat(found);
      if (info.isFile && !is_folder_name) return found;
      if (!info.isDirectory) throw new HttpError(404);
      // With the slash, relative links in the page lead to the folder's files.
      if (!is_folder_name) throw new HttpError(301, { Location: `/${path.map(encodeURIComponent).join("/")}/` });
      const index = await this.#inside([found, "index.html"]);
      // Only plain files: to open a named pipe would wait until somebody writes to it.
      if ((await Deno.stat(index)).isFile) return index;
    } catch (error) {
      if (error instanceof HttpError) throw error;
      if (!is_no_such_file(error)) throw error;
    }
    throw new HttpError(404);
  }

  /**
   * A path without symbolic links, which has to be inside the folder. Whoever can change the folder while the server runs
   * could still replace the file by a link before it is opened; `--allow-read=folder` is the fence against that.
   */
  async #inside(segments: readonly string[]): Promise<string> {
    const path = await Deno.realPath(segments.join("/"));
    if (path === this.#root || path.startsWith(this.#root === "/" ? "/" : `${this.#root}/`)) return path;
    throw new HttpError(404);
  }

  async #send_file(request: Request, path: string, writer: asyncio.StreamWriter): Promise<void> {
    using file = await open_file(path);
    const { size, mtime } = await file.stat();
    const range = request.headers.has("if-range") ? null : parse_range(request.headers.get("range"), size);
    const [first, end] = range ?? [0, size];
    const extension = path.slice(path.lastIndexOf("/") + 1).match(/\.(\w+)$/)?.[1].toLowerCase() ?? "";
    this.#send_head(request, writer, range === null ? 200 : 206, request.keep_alive, {
      "Accept-Ranges": "bytes",
      "Content-Length": String(end - first),
      ...(range === null ? {} : { "Content-Range": `bytes ${first}-${end - 1}/${size}` }),
      "Content-Type": CONTENT_TYPES[extension] ?? "application/octet-stream",
      ...(mtime === null ? {} : { "Last-Modified": mtime.toUTCString() }),
    });
    if (request.method === "GET") {
      if (first > 0) await file.seek(first, Deno.SeekMode.Start);
      const array = new Uint8Array(Math.min(PART_SIZE, end - first));
      for (let left = end - first; left > 0;) {
        const count = await file.read(array.subarray(0, Math.min(left, array.length)));
        if (count === null) throw new asyncio.ConnectionAbortedError(`${path} has become shorter`);
        left -= count;
        writer.write(array.subarray(0, count));
        await this.#in_time(() => writer.drain());
      }
    }
    await this.#in_time(() => writer.drain());
  }

  #send_head(
    request: Request | null,
    writer: asyncio.StreamWriter,
    status: number,
    keep_alive: boolean,
    headers: Readonly<Record<string, string>>,
  ): void {
    const peer = show_address(writer.get_extra_info("peername"));
    // As JSON, a target cannot bring control characters into a terminal.
    console.log(`${peer} ${request === null ? "?" : `${request.method} ${JSON.stringify(request.target)}`} ${status}`);
    const connection = keep_alive ? "keep-alive" : "close";
    const all = { Date: new Date().toUTCString(), Connection: connection, ...headers };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    writer.writelines([`HTTP/1.1 ${status} ${REASONS[status]}\r\n`, ...lines, "\r\n"]);
  }

  /** Whoever sends or takes too slowly does not keep a connection for ever. */
  #in_time<T>(wait: () => Promise<T>): Promise<T> {
    return asyncio.wait_for(wait, this.#timeout);
  }
}

function is_hangup(error: unknown): boolean {
  return error instanceof asyncio.TimeoutError || error instanceof asyncio.ConnectionResetError ||
    error instanceof asyncio.BrokenPipeError || error instanceof asyncio.ConnectionAbortedError;
}

function is_no_such_file(error: unknown): boolean {
  // Without the permission for it, a link that leads elsewhere is not followed in the first place.
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory ||
    error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable ||
    error instanceof Deno.errors.FilesystemLoop || (error as { code?: unknown } | null)?.code === "ENAMETOOLONG";
}

async function open_file(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path);
  } catch (error) {
    if (is_no_such_file(error)) throw new HttpError(404);
    throw error;
  }
}

function parse_request(text: string): Request {
  const [request_line, ...lines] = text.replace(/^(?:\r\n)+/, "").trimEnd().split("\r\n");
  const match = request_line.match(/^([A-Z]+) (\S+) HTTP\/(\d)\.(\d)$/);
  if (match === null) throw new HttpError(400);
  const [, method, target, major, minor] = match;
  if (major !== "1") throw new HttpError(505);
  const headers = new Headers();
  for (const line of lines) {
    const header = line.match(/^([^:\s]+):[ \t]*(.*?)[ \t]*$/);
    if (header === null) throw new HttpError(400);
    try {
      headers.append(header[1], header[2]);
    } catch {
      throw new HttpError(400);
    }
  }
  if (minor !== "0" && !headers.has("host")) throw new HttpError(400);
  const connection = (headers.get("connection") ?? "").toLowerCase().split(/\s*,\s*/);
  // A body is not read, so what follows it could not be told from it.
  const has_body = headers.has("transfer-encoding") || (headers.get("content-length") ?? "0") !== "0";
  const wants_more = minor === "0" ? connection.includes("keep-alive") : !connection.includes("close");
  return { method, target, headers, keep_alive: wants_more && !has_body };
}

/** The names of the folders and the file on the way from the root; nothing in them leads up or elsewhere. */
export function segments_of(target: string): string[] {
  // A proxy sends the whole URL.
  const path = target.replace(/^https?:\/\/[^/?#]*/i, "").split(/[?#]/, 1)[0];
  if (!path.startsWith("/")) throw new HttpError(400);
  let segments: string[];
  try {
    // Divided before it is decoded: `%2f` is part of a name, and no file has such a name.
    segments = path.split("/").map(decodeURIComponent).filter((segment) => segment !== "");
  } catch {
    throw new HttpError(400);
  }
  for (const segment of segments) {
    if (segment.includes("\0")) throw new HttpError(400);
    if (segment === "." || segment === ".." || /[/\\]/.test(segment)) throw new HttpError(404);
  }
  return segments;
}

/** The first byte and the one after the last; `null` for the whole file, which is also the answer to several ranges. */
export function parse_range(header: string | null, size: number): [first: number, end: number] | null {
  const match = header?.match(/^bytes=(\d*)-(\d*)$/);
  if (match === undefined || match === null || match[0] === "bytes=-") return null;
  const [, from, to] = match;
  const first = from === "" ? Math.max(0, size - Number(to)) : Number(from);
  const end = from === "" || to === "" ? size : Math.min(size, Number(to) + 1);
  if (from !== "" && to !== "" && Number(to) < first) return null;
  if (first >= end) throw new HttpError(416, { "Content-Range": `bytes */${size}` });
  return [first, end];
}

async function main(args: readonly string[]): Promise<void> {
  const [folder = ".", host = "127.0.0.1", port_text = "8000", timeout_text = "10"] = args;
  const port = whole_number("port", port_text, 0, 65535);
  const timeout = Number(timeout_text);
  if (!(timeout > 0)) throw new UsageError(`timeout must be a number above 0, got "${timeout_text}"`);
  const files = new FileServer(await Deno.realPath(folder), timeout);
  await using server = await asyncio.start_server(files.serve, host, port, {
    limit: LONGEST_HEAD,
    max_connections: MOST_CONNECTIONS,
  });
  for (const socket of server.sockets) console.log(`Serving on ${show_address(socket.getsockname())}`);
  await server.wait_closed();
}

if (import.meta.main) await run_program(USAGE, () => asyncio.run(() => main(Deno.args)));
