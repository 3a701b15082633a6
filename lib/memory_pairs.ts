/**
 * Two streams that are connected in memory, and all that may befall a connection on request.
 *
 * @module
 */

import { current_loop } from "./_context.ts";
import type { EventLoop } from "./deno_events.ts";
import { DEFAULT_LIMIT, INSPECT } from "./constants.ts";
import type { RawConn } from "./_deno.ts";
import { check_callable, check_number, check_options, RuntimeError, shown } from "./exceptions.ts";
import { memory_conns, type MemoryConn, type Wire, type WireSettings } from "./_memory_conn.ts";
import { Random } from "./_random.ts";
import { StreamReader } from "./stream_reader.ts";
import { StreamWriter } from "./stream_writer.ts";
import { Transport } from "./transports.ts";

/** One of the two ends of a pair. */
export type PairEnd = "client" | "server";

/** One end of a connection. */
export type Streams = readonly [reader: StreamReader, writer: StreamWriter];

/**
 * How one end of a pair behaves.
 */
export interface MemoryEndOptions {
  /**
   * How many bytes that this end wrote may wait for the other to read them, as in a kernel's buffers.
   *
   * @default 65536
   */
  readonly capacity?: number;
  /**
   * How many bytes a read of this end gives at most; a function is asked for each read, see `random_sizes()`.
   *
   * @default Infinity
   */
  readonly chunk_size?: number | (() => number);
  /**
   * How many bytes a write of this end takes at most; a function is asked for each write.
   *
   * @default Infinity
   */
  readonly write_size?: number | (() => number);
  /**
   * How long what this end writes is on its way, in seconds of the loop's clock.
   *
   * @default 0
   */
  readonly latency?: number;
}

/**
 * Options of `memory_pair()`; those of an end stand for both.
 */
export interface MemoryPairOptions extends MemoryEndOptions {
  /** What is different at the client's end. */
  readonly client?: MemoryEndOptions;
  /** What is different at the server's end. */
  readonly server?: MemoryEndOptions;
  /**
   * How many bytes a reader's search for a separator may look through.
   *
   * @default 65536
   */
  readonly limit?: number;
  /**
   * Puts something between an end's connection and its streams, such as one that fails at the third write.
   *
   * @default the connection itself
   */
  readonly wrap?: (conn: RawConn, end: PairEnd) => RawConn;
}

/**
 * What went through one end of a pair.
 */
export interface MemoryEndStatistics {
  /** Bytes that its connection took. */
  readonly bytes_written: number;
  /** Bytes that its connection gave. */
  readonly bytes_read: number;
  /** Writes that ended with bytes taken. */
  readonly writes: number;
  /** Reads that ended, with bytes, the end or an error. */
  readonly reads: number;
  /** Bytes that it wrote and the other end has not read. */
  readonly in_flight: number;
  /** Whether its writes take nothing. */
  readonly clogged: boolean;
}

const END_OPTIONS = ["capacity", "chunk_size", "write_size", "latency"];

/**
 * Two connected streams; `memory_pair()` makes one.
 *
 * The ends are a `StreamReader` and a `StreamWriter` each, the same classes as over a socket, and what is under them does
 * what a TCP socket does on Linux: buffers are bounded, so writes block; a write may take a part; the first write to a
 * peer that has closed is lost, the next one is a `BrokenPipeError`.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await using pair = asyncio.testing.memory_pair();
 * const [reader] = pair.client;
 * const [, writer] = pair.server;
 * writer.write("both halves\n");
 * pair.reset("server");
 * try {
 *   console.log((await reader.readline()).length);
 * } catch (error) {
 *   console.log(error instanceof asyncio.ConnectionResetError); // true: nothing had left yet
 * }
 * ```
 */
export class MemoryPair implements AsyncDisposable {
  /** The client's reader and writer. */
  readonly client: Streams;
  /** The server's reader and writer. */
  readonly server: Streams;
  readonly #conns: Readonly<Record<PairEnd, MemoryConn>>;
  /** What each end writes to. */
  readonly #wires: Readonly<Record<PairEnd, Wire>>;
  readonly #wake: () => void;

  /**
   * Made by `memory_pair()`.
   *
   * @internal
   */
  constructor(loop: EventLoop, options: MemoryPairOptions) {
    // A connection reads as its own end says, from the wire that the other end writes to.
    const [client, server] = (["client", "server"] as const).map((end) => end_settings(options, end));
    const { conns, wires, wake } = memory_conns(loop, [
      { ...client, chunk_size: server.chunk_size },
      { ...server, chunk_size: client.chunk_size },
    ]);
    this.#conns = { client: conns[0], server: conns[1] };
    this.#wires = { client: wires[0], server: wires[1] };
    this.#wake = wake;
    const wrap = options.wrap ?? ((conn: RawConn) => conn);
    const limit = options.limit ?? DEFAULT_LIMIT;
    this.client = streams_over(wrap(conns[0], "client"), limit, loop);
    this.server = streams_over(wrap(conns[1], "server"), limit, loop);
  }

  /**
   * Has an end's writes take nothing, until `unclog()`. What it wrote before still arrives.
   *
   * @param end Whose writes.
   */
  clog(end: PairEnd): void {
    this.#wire(end).clogged = true;
  }

  /**
   * Has an end's writes go on.
   *
   * @param end Whose writes.
   */
  unclog(end: PairEnd): void {
    this.#wire(end).clogged = false;
    this.#wake();
  }

  /**
   * Breaks the connection, as a reset that comes from an end: that end is aborted, and what it still had to send is
   * dropped. The other end can read what had arrived; then its reads throw `ConnectionResetError`. A write of it that waits
   * throws that too, later ones `BrokenPipeError`.
   *
   * @param end Where the reset comes from.
   * @throws {RuntimeError} If that end is closed already.
   */
  reset(end: PairEnd): void {
    this.#leave(end, "reset");
  }

  /**
   * Has an end be gone without a word, as a machine that lost its power: it is aborted, but the other end's reads never
   * end, and its writes block once the buffer is full.
   *
   * @param end Which end is gone.
   * @throws {RuntimeError} If that end is closed already.
   */
  vanish(end: PairEnd): void {
    this.#leave(end, "vanish");
  }

  /**
   * What went through an end until now.
   *
   * @param end Which end.
   * @returns A snapshot.
   */
  statistics(end: PairEnd): MemoryEndStatistics {
    this.#wire(end);
    return statistics_of(this.#wires, end);
  }

  /** Aborts both ends and waits until they are closed; what was not read is dropped. */
  async [Symbol.asyncDispose](): Promise<void> {
    const writers = [this.client[1], this.server[1]];
    for (const writer of writers) writer.transport.abort();
    // An error of the connection is no news to whoever throws it away.
    for (const writer of writers) await writer.wait_closed().catch(() => {});
  }

  /** @ignore */
  [INSPECT](): string {
    const sides = (["client", "server"] as const).map((end) => `${end} in_flight=${this.#wires[end].buffered}`);
    return `<MemoryPair ${sides.join(" ")}>`;
  }

  #leave(end: PairEnd, how: "reset" | "vanish"): void {
    this.#wire(end);
    const [, { transport }] = this[end];
    try {
      this.#conns[end][how]();
    } catch (cause) {
      throw new RuntimeError(`Cannot ${how} the ${end}: it is closed`, { cause });
    }
    // It finds its connection closed, and takes it for its own doing.
    transport.abort();
  }

  #wire(end: PairEnd): Wire {
    return this.#wires[check_end(end)];
  }
}

/** What went through an end; `wires` are what each end writes to. */
export function statistics_of(wires: Readonly<Record<PairEnd, Wire>>, end: PairEnd): MemoryEndStatistics {
  const out = wires[end];
  const back = wires[end === "client" ? "server" : "client"];
  return Object.freeze({
    bytes_written: out.bytes_written,
    bytes_read: back.bytes_read,
    writes: out.writes,
    reads: back.reads,
    in_flight: out.buffered,
    clogged: out.clogged,
  });
}

/** Throws unless it names an end. */
export function check_end(end: PairEnd): PairEnd {
  if (end === "client" || end === "server") return end;
  throw new TypeError(`"end" must be "client" or "server", got ${shown(end)}`);
}

/**
 * Makes two streams that are connected in memory: a connection for tests, without a port and without waiting.
 *
 * It needs no permission, and runs on the virtual clock: with `latency`, hours of travel take no time. Everything happens
 * in the same order in every run. Whoever makes it disposes of it.
 *
 * @param options What the connection does to the bytes.
 * @returns Both ends, and the means to break them.
 * @throws {TypeError} If an option is unknown or has the wrong type.
 * @throws {RangeError} If a size is not a whole number above 0, or the latency below 0.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * // A server's handler, tested with a client whose every read gives a single byte.
 * async function echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) {
 *   for await (const line of reader) writer.write(line);
 *   writer.close();
 * }
 *
 * await using pair = asyncio.testing.memory_pair({ client: { chunk_size: 1 } });
 * const task = asyncio.create_task(() => echo(...pair.server));
 * const [reader, writer] = pair.client;
 * writer.write("hello\n");
 * writer.write_eof();
 * console.log(new TextDecoder().decode(await reader.read())); // hello
 * await task;
 * ```
 */
export function memory_pair(options: MemoryPairOptions = {}): MemoryPair {
  check_options(options, [...END_OPTIONS, "client", "server", "limit", "wrap"]);
  check_options(options.client, END_OPTIONS);
  check_options(options.server, END_OPTIONS);
  if (options.wrap !== undefined) check_callable("wrap", options.wrap);
  return new MemoryPair(current_loop(), options);
}

/**
 * Sizes at random, the same in every run: for `chunk_size` and `write_size`.
 *
 * @param most The largest size; the smallest is 1.
 * @param seed Another number gives other sizes.
 * @returns A function that gives the next size.
 * @throws {RangeError} If `most` is not a whole number above 0.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const { memory_pair, random_sizes } = asyncio.testing;
 * await using pair = memory_pair({ chunk_size: random_sizes(5), write_size: random_sizes(7, 2) });
 * pair.client[1].write("in pieces\n");
 * console.log((await pair.server[0].readline()).length); // 10
 * ```
 */
export function random_sizes(most: number, seed: number = 1): () => number {
  check_size("most", most);
  check_number("seed", seed);
  const random = new Random(seed);
  return () => random.between(1, most);
}

function streams_over(conn: RawConn, limit: number, loop: EventLoop): Streams {
  const transport = new Transport(loop, conn);
  const reader = new StreamReader({ limit, loop });
  reader._set_source(transport);
  return [reader, new StreamWriter(transport, reader, loop)];
}

function end_settings(options: MemoryPairOptions, end: PairEnd): WireSettings {
  const {
    capacity = options.capacity ?? 64 * 1024,
    chunk_size = options.chunk_size ?? Infinity,
    write_size = options.write_size ?? Infinity,
    latency = options.latency ?? 0,
  } = options[end] ?? {};
  check_size("capacity", capacity);
  check_number("latency", latency);
  if (!(latency >= 0 && latency < Infinity)) throw new RangeError(`"latency" must be 0 or more, got ${latency}`);
  return {
    capacity,
    chunk_size: sizes("chunk_size", chunk_size),
    write_size: sizes("write_size", write_size),
    latency: () => latency,
  };
}

/** A function that gives the next size. */
export function sizes(name: string, size: number | (() => number)): () => number {
  if (typeof size === "function") return () => check_size(name, size());
  if (size !== Infinity) check_size(name, size);
  return () => size;
}

/** Throws unless it is a number of bytes. */
export function check_size(name: string, size: number): number {
  check_number(name, size);
  if (!Number.isInteger(size) || size < 1) {
    throw new RangeError(`"${name}" must be a whole number above 0, got ${shown(size)}`);
  }
  return size;
}
