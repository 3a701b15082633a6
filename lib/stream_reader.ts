/**
 * Reading a stream of bytes by line, by count and up to a separator.
 *
 * @module
 */

import { ByteBuffer } from "./_byte_buffer.ts";
import { current_loop } from "./_context.ts";
import type { EventLoop } from "./base_events.ts";
import { DEFAULT_LIMIT, INSPECT } from "./constants.ts";
import {
  check_loop,
  check_number,
  check_options,
  IncompleteReadError,
  LimitOverrunError,
  RuntimeError,
  shown,
} from "./exceptions.ts";
import { Future } from "./futures.ts";
import type { Step, Strand } from "./_scopes.ts";
import { to_bytes } from "./transports.ts";

/** Bytes as the library hands them out: an array of the caller's own. */
type Bytes = Uint8Array<ArrayBuffer>;

/**
 * Where a reader takes its bytes from.
 *
 * @internal
 */
export interface ReadSource {
  /** Reads once; `null` at the end. */
  _read(array: Uint8Array): Promise<number | null>;
  /** Told of a failed read; whether it was the end after all. */
  _ended_read(error: unknown): boolean;
}

/**
 * Options of `new StreamReader()`.
 */
export interface StreamReaderOptions {
  /**
   * How many bytes a search for a separator may look through; `Infinity` for no limit.
   *
   * @default 65536
   */
  readonly limit?: number;
  /**
   * The loop that the reader's waits belong to.
   *
   * @default the loop of the calling code
   */
  readonly loop?: EventLoop;
}

/** Bytes per read of the system while a connection idles: a read that waits pins an array of twice the size. */
const MIN_READ_SIZE = 2 * 1024;
const MAX_READ_SIZE = 256 * 1024;

const LINE_FEED = [Uint8Array.of(10)];

/**
 * A read that waits. When something has arrived it looks, in a step of the loop, whether that is enough, and only then
 * takes it out of the buffer; its waiter goes on in the same step. So a read that is cancelled has taken nothing.
 */
abstract class Request extends Future<Bytes> implements Step {
  readonly #reader: StreamReader;
  readonly name: string;
  /** The step that will look is on its way. */
  woken = false;

  constructor(reader: StreamReader, loop: EventLoop, name: string) {
    super({ loop });
    this.#reader = reader;
    this.name = name;
  }

  /** Takes the answer out of the buffer, or throws; `null` while more has to come. */
  abstract answer(buffer: ByteBuffer, eof: boolean): Bytes | null;

  /** How many bytes are known to be missing, so that a large read need not come in small pieces. */
  missing(_buffer: ByteBuffer): number {
    return 0;
  }

  _run(): Strand | null {
    return this.#reader._serve(this);
  }
}

class ReadSome extends Request {
  readonly #most: number;

  constructor(reader: StreamReader, loop: EventLoop, most: number) {
    super(reader, loop, "read");
    this.#most = most;
  }

  answer(buffer: ByteBuffer, eof: boolean): Bytes | null {
    return buffer.length > 0 || eof ? buffer.take(Math.min(this.#most, buffer.length)) : null;
  }
}

class ReadAll extends Request {
  answer(buffer: ByteBuffer, eof: boolean): Bytes | null {
    return eof ? buffer.take(buffer.length) : null;
  }

  override missing(): number {
    return MAX_READ_SIZE;
  }
}

class ReadExactly extends Request {
  readonly #count: number;

  constructor(reader: StreamReader, loop: EventLoop, count: number) {
    super(reader, loop, "readexactly");
    this.#count = count;
  }

  answer(buffer: ByteBuffer, eof: boolean): Bytes | null {
    if (buffer.length >= this.#count) return buffer.take(this.#count);
    if (eof) throw new IncompleteReadError(buffer.take(buffer.length), this.#count);
    return null;
  }

  override missing(buffer: ByteBuffer): number {
    return this.#count - buffer.length;
  }
}

class ReadUntil extends Request {
  readonly #separators: readonly Uint8Array[];
  readonly #limit: number;
  /** Whether the end of the stream ends the last one as well. */
  readonly #eof_ends: boolean;
  /** How much of a separator may stand at the end of what was searched. */
  readonly #overlap: number;
  /** What was searched once is not searched again. */
  #searched = 0;

  constructor(
    reader: StreamReader,
    loop: EventLoop,
    name: string,
    separators: readonly Uint8Array[],
    limit: number,
    eof_ends: boolean,
  ) {
    super(reader, loop, name);
    this.#separators = separators;
    this.#limit = limit;
    this.#eof_ends = eof_ends;
    this.#overlap = separators.reduce((most, each) => Math.max(most, each.length - 1), 0);
  }

  answer(buffer: ByteBuffer, eof: boolean): Bytes | null {
    const match = buffer.find(this.#separators, this.#searched);
    if (match !== null) {
      if (match.start > this.#limit) {
        throw new LimitOverrunError("Separator is found, but chunk is longer than limit", match.start);
      }
      return buffer.take(match.end);
    }
    this.#searched = Math.max(0, buffer.length - this.#overlap);
    if (this.#searched > this.#limit) {
      throw new LimitOverrunError("Separator is not found, and chunk exceed the limit", this.#searched);
    }
    if (!eof) return null;
    const rest = buffer.take(buffer.length);
    if (this.#eof_ends) return rest;
    throw new IncompleteReadError(rest, null);
  }
}

/**
 * The reading end of a stream.
 *
 * It reads from the connection only when somebody asks, and asks it for no more than one read at a time. Bytes that
 * arrive for a read that was cancelled are kept for the next one: no byte is lost, whenever a read is cancelled. An
 * error of the connection is thrown once the bytes before it have been read.
 *
 * It also works on its own, with `feed_data()` and `feed_eof()`. One caller may read at a time. What a read gives is the
 * caller's own, and later reads do not change it; but it may be a view of a larger `ArrayBuffer`, so copy it before you
 * transfer that.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const reader = new asyncio.StreamReader();
 * reader.feed_data("first\nsecond\n");
 * reader.feed_eof();
 * for await (const line of reader) console.log(new TextDecoder().decode(line).trimEnd());
 * ```
 */
export class StreamReader {
  readonly #loop: EventLoop;
  readonly #limit: number;
  readonly #buffer = new ByteBuffer();
  #source: ReadSource | null = null;
  #eof = false;
  #error: unknown = undefined;
  #request: Request | null = null;
  /** Whether somebody waits for the end of the connection. */
  #watched: (() => boolean) | null = null;
  /** The array that the system is reading into; it outlives a cancelled request, and serves the next. */
  #lent: Bytes | null = null;
  #read_size = MIN_READ_SIZE;

  /**
   * Makes a reader without a connection.
   *
   * @param options Its limit and loop.
   * @throws {RangeError} If `limit` is not above 0.
   */
  constructor(options?: StreamReaderOptions) {
    check_options(options, ["limit", "loop"]);
    check_loop(options?.loop);
    const limit = options?.limit ?? DEFAULT_LIMIT;
    check_number("limit", limit);
    if (limit <= 0) throw new RangeError(`"limit" must be above 0, got ${limit}`);
    this.#limit = limit;
    this.#loop = options?.loop ?? current_loop();
  }

  /**
   * Reads what is there.
   *
   * With `n` above 0 it waits only until something has arrived. What exceeds `n` stays in the buffer.
   *
   * @param n How many bytes at most; below 0 reads until the end of the stream.
   * @returns A future of the bytes; empty at the end of the stream, and for `n` 0.
   * @throws {TypeError} If `n` is not a number.
   * @throws The connection's error, once all bytes before it have been read.
   */
  read(n: number = -1): Future<Uint8Array<ArrayBuffer>> {
    check_size("n", n);
    if (n === 0) return this.#nothing();
    return this.#start(n < 0 ? new ReadAll(this, this.#loop, "read") : new ReadSome(this, this.#loop, n));
  }

  /**
   * Reads one line, with its `\n`.
   *
   * Differs from asyncio: a line that is longer than the limit stays in the buffer, and the error is a
   * `LimitOverrunError` with `consumed`; asyncio drops the line and throws `ValueError`.
   *
   * @returns A future of the line; at the end of the stream of what was left, or of no bytes.
   * @throws {LimitOverrunError} If no `\n` came within the limit.
   * @throws The connection's error, if it came before the `\n`; the bytes stay in the buffer.
   */
  readline(): Future<Uint8Array<ArrayBuffer>> {
    return this.#start(new ReadUntil(this, this.#loop, "readline", LINE_FEED, this.#limit, true));
  }

  /**
   * Reads so many bytes and no fewer.
   *
   * @param n How many bytes.
   * @returns A future of the bytes.
   * @throws {TypeError} If `n` is not a number.
   * @throws {RangeError} If `n` is below 0 or not whole.
   * @throws {IncompleteReadError} If the stream ended before; `partial` has what came, which is no longer in the buffer.
   * @throws The connection's error, if it came before; the bytes stay in the buffer.
   */
  readexactly(n: number): Future<Uint8Array<ArrayBuffer>> {
    check_size("n", n);
    if (n < 0) throw new RangeError(`readexactly size can not be less than zero: "n" is ${n}`);
    if (n === 0) return this.#nothing();
    return this.#start(new ReadExactly(this, this.#loop, n));
  }

  /**
   * Reads up to a separator, and the separator with it.
   *
   * Of several separators, the match that ends first counts, and of those the shortest. The limit bounds the bytes
   * before the separator.
   *
   * @param separator One separator, or an array of them; strings are taken as UTF-8.
   * @returns A future of the bytes.
   * @throws {TypeError} If `separator` is neither bytes nor a string.
   * @throws {RangeError} If it is empty.
   * @throws {LimitOverrunError} If it did not come within the limit; the bytes stay in the buffer.
   * @throws {IncompleteReadError} If the stream ended before; `partial` has what came, which is no longer in the buffer.
   * @throws The connection's error, if it came before; the bytes stay in the buffer.
   */
  readuntil(
    separator: Uint8Array | string | readonly (Uint8Array | string)[] = "\n",
  ): Future<Uint8Array<ArrayBuffer>> {
    const separators = (Array.isArray(separator) ? separator : [separator]).map((each) => to_bytes("separator", each));
    if (separators.length === 0) throw new RangeError("Separator should contain at least one element");
    if (separators.some((each) => each.length === 0)) {
      throw new RangeError("Separator should be at least one-byte string");
    }
    return this.#start(new ReadUntil(this, this.#loop, "readuntil", separators, this.#limit, false));
  }

  /**
   * Tells whether the stream has ended and all of it was read. The end is noticed by reading.
   *
   * @returns True at the end.
   */
  at_eof(): boolean {
    return this.#eof && this.#buffer.length === 0;
  }

  /**
   * The error that ended the stream.
   *
   * @returns The error, or `null`.
   */
  exception(): unknown {
    return this.#error ?? null;
  }

  /**
   * Ends the stream with an error, which reads throw once they have read what came before.
   *
   * @param exception The error.
   * @throws {TypeError} If it is `undefined` or `null`.
   */
  set_exception(exception: unknown): void {
    if (exception === undefined || exception === null) {
      throw new TypeError(`"exception" must be an error, got ${shown(exception)}`);
    }
    this.#error = exception;
    this.#go_on();
  }

  /**
   * Adds bytes, as if they had come from a connection. They are copied.
   *
   * @param data The bytes, or a string, which is taken as UTF-8.
   * @throws {TypeError} If `data` is neither.
   * @throws {RuntimeError} After `feed_eof()`.
   */
  feed_data(data: Uint8Array | string): void {
    const bytes = to_bytes("data", data);
    if (this.#eof) throw new RuntimeError("feed_data after feed_eof");
    if (bytes.length === 0) return;
    this.#buffer.append(bytes);
    this.#go_on();
  }

  /** Ends the stream. */
  feed_eof(): void {
    this.#eof = true;
    this.#go_on();
  }

  /**
   * Reads line by line until the end of the stream; a loop that is left leaves the rest in the buffer.
   *
   * @returns An iterator of lines, each with its `\n`; the last one may lack it.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array<ArrayBuffer>> {
    return {
      next: async () => {
        const value = await this.readline();
        return value.length === 0 ? { done: true, value: undefined } : { done: false, value };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** @ignore */
  [INSPECT](): string {
    const parts = ["<StreamReader", `buffered=${this.#buffer.length}`];
    if (this.#eof) parts.push("eof");
    if (this.#error !== undefined) parts.push(`exception=${String(this.#error)}`);
    if (this.#request !== null && !this.#request.done()) parts.push(`in ${this.#request.name}()`);
    return `${parts.join(" ")}>`;
  }

  /**
   * Gives the reader the connection it reads from.
   *
   * @internal
   */
  _set_source(source: ReadSource): void {
    this.#source = source;
  }

  /**
   * Ends a request if that is possible now, or else reads on.
   *
   * @internal
   */
  _serve(request: Request): Strand | null {
    request.woken = false;
    if (request.done()) return null;
    let bytes: Bytes | null = null;
    let error = this.#error;
    try {
      bytes = request.answer(this.#buffer, this.#eof);
    } catch (cause) {
      error = cause;
    }
    if (bytes !== null) {
      this.#request = null;
      return request._finish(bytes, undefined, true);
    }
    if (error !== undefined) {
      this.#request = null;
      return request._finish(undefined, error, true);
    }
    this.#fill(request.missing(this.#buffer));
    return null;
  }

  #nothing(): Future<Bytes> {
    const future = new Future<Bytes>({ loop: this.#loop });
    future.set_result(new Uint8Array(0));
    return future;
  }

  #start(request: Request): Future<Bytes> {
    const pending = this.#request;
    if (pending !== null && !pending.done()) {
      request.set_exception(
        new RuntimeError(
          `${request.name}() called while another coroutine is already waiting for incoming data, in ${pending.name}()`,
        ),
      );
      return request;
    }
    this.#request = request;
    this._serve(request);
    return request;
  }

  /** Something has arrived, or nothing will any more. If the caller was cancelled, that is the next one's. */
  #go_on(): void {
    const request = this.#request;
    if (request === null || request.woken || request.done()) return;
    request.woken = true;
    this.#loop._push(request);
  }

  /**
   * Reads ahead, within the limit, as long as `wanted()`: somebody waits for the end of the connection, which only a read
   * notices.
   *
   * @internal
   */
  _watch(wanted: () => boolean): void {
    this.#watched = wanted;
    this.#read_ahead();
  }

  #read_ahead(): void {
    if (this.#watched === null) return;
    if (!this.#watched()) this.#watched = null;
    else if (this.#buffer.length < this.#limit) this.#fill(0);
  }

  #fill(missing: number): void {
    const source = this.#source;
    if (source === null || this.#lent !== null || this.#eof || this.#error !== undefined) return;
    const buffer = this.#buffer;
    if (buffer.length === 0 && buffer.capacity > 4 * this.#read_size) buffer.shrink();
    const size = Math.max(this.#read_size, Math.min(missing, MAX_READ_SIZE));
    // A short free end is not worth a read of its own; a fresh array serves several reads.
    const lent = buffer.lend(size / 2, 2 * size);
    this.#lent = lent;
    source._read(lent).then(this.#on_read, this.#on_read_error);
  }

  readonly #on_read = (count: number | null): void => this.#loop._deliver(this.#filled, count);

  readonly #filled = (count: number | null): void => {
    const lent = this.#lent!;
    this.#lent = null;
    if (lent.buffer.detached) {
      this.#error ??= new RuntimeError("Cannot read on: the buffer of bytes that were read before was transferred");
      return this.#go_on();
    }
    this.#buffer.commit(lent, count ?? 0);
    if (count === null) this.#eof = true;
    else if (count === lent.length && count >= this.#read_size) {
      this.#read_size = Math.min(4 * this.#read_size, MAX_READ_SIZE);
    } else if (4 * count < this.#read_size) this.#read_size = Math.max(this.#read_size / 2, MIN_READ_SIZE);
    this.#go_on();
    this.#read_ahead();
  };

  readonly #on_read_error = (error: unknown): void => {
    const ended = this.#source!._ended_read(error);
    this.#loop._deliver(() => {
      if (ended) return this.#filled(null);
      this.#error = error;
      this.#filled(0);
    }, undefined);
  };
}

function check_size(name: string, n: unknown): void {
  check_number(name, n);
  if (!Number.isInteger(n)) throw new RangeError(`"${name}" must be a whole number, got ${shown(n)}`);
}
