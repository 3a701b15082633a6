import { Buffer } from "node:buffer";
import { createServer, type Socket } from "node:net";
import type { RawConn } from "../lib/_deno.ts";
export { bytes, pattern, text } from "../lib/_contract.ts";
import * as asyncio from "../mod.ts";

export const LOOPBACK = "127.0.0.1";
export const MIB = 1024 * 1024;

/** A reader and a writer. */
export type Streams = [asyncio.StreamReader, asyncio.StreamWriter];

/** Comparison of large arrays, which an assertion would print. */
export function same_bytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function port_of(server: asyncio.Server): number {
  return (server.sockets[0].getsockname() as [string, number])[1];
}

/** Polls until a condition holds; gives up after some seconds, with a text. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Waited in vain until ${what}`);
    await asyncio.sleep(0);
  }
}

/** Polls for as long as something should not happen. */
export async function for_turns(turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Both ends of a connection, each the library's; all is aborted at the end. */
export async function with_pair(body: (client: Streams, server: Streams) => Promise<void>): Promise<void> {
  const accepted = new asyncio.Future<{ streams: Streams }>();
  const server = await asyncio.start_server(
    (reader, writer) => accepted.set_result({ streams: [reader, writer] }),
    LOOPBACK,
    0,
  );
  const client = await asyncio.open_connection(LOOPBACK, port_of(server));
  try {
    await body(client, (await accepted).streams);
  } finally {
    client[1].transport.abort();
    await server.shutdown({ timeout: 0 });
  }
}

/** The library's end of a connection, and a bare one as its peer. */
export async function with_bare_peer(body: (streams: Streams, peer: Deno.TcpConn) => Promise<void>): Promise<void> {
  using listener = Deno.listen({ hostname: LOOPBACK, port: 0 });
  const accepting = listener.accept();
  const streams = await asyncio.open_connection(LOOPBACK, listener.addr.port);
  using peer = await accepting;
  try {
    await body(streams, peer);
  } finally {
    streams[1].transport.abort();
    await streams[1].wait_closed().catch(() => {});
  }
}

/** The library's end of a connection, and a peer that can break it with a reset. */
export async function with_node_peer(body: (streams: Streams, peer: Socket) => Promise<void>): Promise<void> {
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer((socket) => {
    socket.on("error", () => {});
    accepted.resolve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
  const [reader, writer] = await asyncio.open_connection(LOOPBACK, (server.address() as { port: number }).port);
  const peer = await accepted.promise;
  try {
    await body([reader, writer], peer);
  } finally {
    writer.transport.abort();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    peer.destroy();
    await closed;
  }
}

/** Reads a bare connection to its end. */
export async function read_all(conn: { read(array: Uint8Array): Promise<number | null> }): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const array = new Uint8Array(256 * 1024);
  for (let count = await conn.read(array); count !== null; count = await conn.read(array)) {
    parts.push(array.slice(0, count));
  }
  return joined(parts);
}

/** A connection whose every write a test lets through. */
export class FakeConn implements RawConn {
  readonly localAddr: Deno.Addr = { transport: "tcp", hostname: LOOPBACK, port: 1 };
  readonly remoteAddr: Deno.Addr = { transport: "tcp", hostname: LOOPBACK, port: 2 };
  /** What each call of `write()` was given, copied at the call. */
  readonly writes: Uint8Array[] = [];
  /** What the calls of everything else were. */
  readonly calls: string[] = [];
  /** How many bytes a call of `write()` takes; 0 has it wait for `take()`. */
  readonly capacity: number;
  #waiting: { array: Uint8Array; resolve: (count: number) => void; reject: (error: unknown) => void } | null = null;

  constructor(capacity = Infinity) {
    this.capacity = capacity;
  }

  read(): Promise<number | null> {
    return Promise.resolve(null);
  }

  write(array: Uint8Array): Promise<number> {
    this.writes.push(array.slice());
    if (this.capacity > 0) return Promise.resolve(Math.min(array.length, this.capacity));
    return new Promise((resolve, reject) => this.#waiting = { array, resolve, reject });
  }

  /** Lets the write that waits take so many bytes; all if left out. */
  async take(count?: number): Promise<void> {
    const { array, resolve } = this.#waiting!;
    this.#waiting = null;
    resolve(count ?? array.length);
    await for_turns(1);
  }

  async fail(error: Error): Promise<void> {
    const { reject } = this.#waiting!;
    this.#waiting = null;
    reject(error);
    await for_turns(1);
  }

  get is_writing(): boolean {
    return this.#waiting !== null;
  }

  closeWrite(): Promise<void> {
    this.calls.push("closeWrite");
    return Promise.resolve();
  }

  close(): void {
    this.calls.push("close");
    this.#waiting?.reject(new Deno.errors.Interrupted("operation canceled"));
    this.#waiting = null;
  }
}
