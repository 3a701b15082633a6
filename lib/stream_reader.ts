/**
 * Reading a stream of bytes by line, by count and up to a separator.
 *
 * @module
 */

import { type Bytes, check_limit, check_size, to_bytes } from "./_bytes.ts";
import { current_loop } from "./_context.ts";
import type { EventLoop } from "./deno_events.ts";
import { DEFAULT_LIMIT, INSPECT } from "./constants.ts";
import { check_loop, check_number, check_options, shown } from "./exceptions.ts";
import { Future } from "./futures.ts";
import { Intake, type ReadSource } from "./_intake.ts";
import { LineQuery, type LinesOptions } from "./_lines.ts";
import {
  Asked,
  FrameQuery,
  LINE_FEED,
  Next,
  PeekQuery,
  ReadAll,
  ReadExactly,
  ReadInto,
  ReadSome,
  ReadUntil,
  type RepeatedQuery,
  separators_of,
  StructQuery,
} from "./_requests.ts";
import { check_frame_options, DEFAULT_FRAME_SIZE, type FrameOptions, Layout, type StructValues } from "./structs.ts";
import { readable_of, WebSource } from "./web_streams.ts";

export type { ReadSource };

/**
 * Options of `new StreamReader()` and `StreamReader.from()`.
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

/**
 * Options of the reads up to a separator.
 */
export interface ReadUntilOptions {
  /**
   * How many bytes may come before the separator; `Infinity` for no limit.
   *
   * @default the reader's limit
   */
  readonly limit?: number;
}

/**
 * Options of `peek()`.
 */
export interface PeekOptions {
  /**
   * For how many bytes to wait, unless the stream ends before.
   *
   * @default 1
   */
  readonly at_least?: number;
}

/**
 * Options of `read_frame()` and `frames()`.
 */
export interface ReadFrameOptions extends FrameOptions {
  /**
   * How many bytes a frame may have behind its length; `Infinity` for no limit.
   *
   * @default the reader's limit
   */
  readonly max_size?: number;
}

/**
 * The reading end of a stream.
 *
 * It reads from the connection only when somebody asks, and asks it for no more than one read at a time. Bytes that
 * arrive for a read that was cancelled are kept for the next one: no byte is lost, whenever a read is cancelled. An
 * error of the connection is thrown once the bytes before it have been read.
 *
 * It also works on its own, with `feed_data()` and `feed_eof()`. One caller may read at a time. What a read gives is the
 * caller's own, and later reads do not change it; but it may be a view of a larger `ArrayBuffer`, of up to 256 KiB. So copy
 * a small part that you keep for long, and before you transfer that.
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
  readonly #intake: Intake;
  /**
   * The writer of the same connection, which is not to be collected as long as this is in use.
   *
   * @internal
   */
  _writer: unknown = null;
  #readable: ReadableStream<Bytes> | null = null;
  /** The layout that was read last, for the next. */
  #layout: Layout | null = null;
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
    check_limit("limit", limit);
    this.#limit = limit;
    this.#loop = options?.loop ?? current_loop();
    this.#intake = new Intake(this.#loop, limit);
  }

  /**
   * Makes a reader of a web stream, such as the body of a response, a file or a process's output.
   *
   * It locks the stream, and asks it for a chunk only when a read finds too little in the buffer; what a chunk has beyond
   * that is kept. `await using`, or `reader[Symbol.asyncDispose]()`, cancels the stream and unlocks it; a stream that
   * ended, or failed, is unlocked by itself.
   *
   * Differs from asyncio: there is no such method.
   *
   * @param stream A stream of `Uint8Array`s. With a chunk of another type the reader ends, with a `TypeError`.
   * @param options The reader's limit and loop.
   * @returns The reader.
   * @throws {TypeError} If `stream` is no `ReadableStream`, or is locked.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const response = new Response("one\ntwo\n");
   * await using reader = asyncio.StreamReader.from(response.body!);
   * for await (const line of reader.lines({ encoding: "utf-8" })) console.log(line); // one, two
   * ```
   */
  static from(stream: ReadableStream<Uint8Array>, options?: StreamReaderOptions): StreamReader {
    const reader = new StreamReader(options);
    reader.#intake.set_source(new WebSource(stream, reader.#loop));
    return reader;
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
    return this.#intake.start(
      n < 0 ? new ReadAll(this.#intake, this.#loop, "read") : new ReadSome(this.#intake, this.#loop, n),
    );
  }

  /**
   * Reads what is there into an array of the caller's. Where nothing is buffered, the system reads straight into it, so that
   * nothing is allocated or copied: the fastest way to receive much.
   *
   * The array is the reader's until the future is done, and after a cancellation until the next read is. What came for a
   * cancelled call is not lost: the next read gives it.
   *
   * Differs from asyncio: there is no such method; it is named like that of Python's `io` module.
   *
   * @param array The array to fill from its start; as many bytes as it has are read at most.
   * @returns A future of how many bytes were read; 0 at the end of the stream, and for an empty array.
   * @throws {TypeError} If `array` is no `Uint8Array`.
   * @throws The connection's error, once all bytes before it have been read.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const reader = new asyncio.StreamReader();
   * reader.feed_data("hello");
   * const array = new Uint8Array(1024);
   * const count = await reader.readinto(array);
   * console.log(new TextDecoder().decode(array.subarray(0, count))); // hello
   * ```
   */
  readinto(array: Uint8Array): Future<number> {
    if (!(array instanceof Uint8Array)) throw new TypeError(`"array" must be a Uint8Array, got ${shown(array)}`);
    if (array.length > 0) return this.#intake.start(new ReadInto(this.#intake, this.#loop, array));
    const future = new Future<number>({ loop: this.#loop });
    future.set_result(0);
    return future;
  }

  /**
   * Reads one line, with its `\n`.
   *
   * Differs from asyncio: a line that is longer than the limit stays in the buffer, and the error is a
   * `LimitOverrunError` with `consumed`; asyncio drops the line and throws `ValueError`. The limit can be given for this
   * call alone.
   *
   * @param options The limit.
   * @returns A future of the line; at the end of the stream of what was left, or of no bytes.
   * @throws {TypeError} If `limit` is not a number.
   * @throws {RangeError} If `limit` is not above 0.
   * @throws {LimitOverrunError} If no `\n` came within the limit.
   * @throws The connection's error, if it came before the `\n`; the bytes stay in the buffer.
   */
  readline(options?: ReadUntilOptions): Future<Uint8Array<ArrayBuffer>> {
    const limit = options === undefined ? this.#limit : this.#limit_of(options);
    return this.#intake.start(new ReadUntil(this.#intake, this.#loop, "readline", LINE_FEED, limit, true));
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
    return this.#intake.start(new ReadExactly(this.#intake, this.#loop, n));
  }

  /**
   * Reads up to a separator, and the separator with it.
   *
   * Of several separators, the match that ends first counts, and of those the shortest. The limit bounds the bytes
   * before the separator.
   *
   * Differs from asyncio: the limit can be given for this call alone.
   *
   * @param separator One separator, or an array of them; strings are taken as UTF-8.
   * @param options The limit.
   * @returns A future of the bytes.
   * @throws {TypeError} If `separator` is neither bytes nor a string, or `limit` is not a number.
   * @throws {RangeError} If it is empty, or `limit` is not above 0.
   * @throws {LimitOverrunError} If it did not come within the limit; the bytes stay in the buffer.
   * @throws {IncompleteReadError} If the stream ended before; `partial` has what came, which is no longer in the buffer.
   * @throws The connection's error, if it came before; the bytes stay in the buffer.
   */
  readuntil(
    separator: Uint8Array | string | readonly (Uint8Array | string)[] = "\n",
    options?: ReadUntilOptions,
  ): Future<Uint8Array<ArrayBuffer>> {
    const separators = (Array.isArray(separator) ? separator : [separator]).map((each) => to_bytes("separator", each));
    if (separators.length === 0) throw new RangeError("Separator should contain at least one element");
    if (separators.some((each) => each.length === 0)) {
      throw new RangeError("Separator should be at least one-byte string");
    }
    const limit = options === undefined ? this.#limit : this.#limit_of(options);
    return this.#intake.start(
      new ReadUntil(this.#intake, this.#loop, "readuntil", separators_of(separators), limit, false),
    );
  }

  /**
   * Reads so many bytes as a format says, and takes them apart, as Python's `struct.unpack()`. `pack_struct()` tells of
   * formats, and makes such bytes.
   *
   * All or nothing: a call that is cancelled has taken no byte.
   *
   * Differs from asyncio: there is no such method.
   *
   * @typeParam F The format.
   * @param format The layout, such as `"!HQ"`.
   * @returns A future of the values: numbers, bigints for `q` and `Q`, booleans for `?`, bytes for `s`.
   * @throws {TypeError} If `format` is not a string.
   * @throws {RangeError} If it is no format.
   * @throws {IncompleteReadError} If the stream ended before; `partial` has what came, which is no longer in the buffer.
   * @throws The connection's error, if it came before; the bytes stay in the buffer.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const reader = new asyncio.StreamReader();
   * reader.feed_data(asyncio.pack_struct("!H4s", 7, "ping"));
   * const [number, name] = await reader.read_struct("!H4s");
   * console.log(number, new TextDecoder().decode(name)); // 7 ping
   * ```
   */
  read_struct<F extends string>(format: F): Future<StructValues<F>> {
    if (this.#layout?.format !== format) this.#layout = new Layout(format);
    const query = new StructQuery(this.#layout);
    return this.#intake.start(new Asked(this.#intake, this.#loop, "read_struct", query)) as Future<unknown> as Future<
      StructValues<F>
    >;
  }

  /**
   * Reads a frame: a length, and so many bytes behind it. `pack_frame()` makes such bytes.
   *
   * All or nothing: a call that is cancelled has taken no byte, neither of the length nor of what follows.
   *
   * Differs from asyncio: there is no such method.
   *
   * @param options How the length is written, and how large it may be.
   * @returns A future of the bytes behind the length; of `null` if the stream ended where a frame would begin.
   * @throws {TypeError} If an option has the wrong type or is unknown.
   * @throws {RangeError} If `size` is not 1, 2, 4 or 8, or `max_size` is below 0.
   * @throws {LimitOverrunError} If the length is above `max_size`; it stays in the buffer, and `consumed` counts it too.
   * @throws {IncompleteReadError} If the stream ended within the frame; `partial` has what came, the length included,
   * which is no longer in the buffer.
   * @throws The connection's error, if it came before; the bytes stay in the buffer.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const reader = new asyncio.StreamReader();
   * reader.feed_data(asyncio.pack_frame("hello"));
   * reader.feed_eof();
   * console.log(new TextDecoder().decode(await reader.read_frame() ?? undefined)); // hello
   * console.log(await reader.read_frame()); // null
   * ```
   */
  read_frame(options?: ReadFrameOptions): Future<Uint8Array<ArrayBuffer> | null> {
    return this.#intake.start(new Asked(this.#intake, this.#loop, "read_frame", this.#frame_query(options)));
  }

  /**
   * Reads frame by frame, each as `read_frame()` does, until the stream ends where a frame would begin. A loop that is
   * left leaves the rest in the buffer, and a `next()` that is cancelled takes nothing.
   *
   * Differs from asyncio: there is no such method.
   *
   * @param options How the length is written, and how large it may be.
   * @returns An iterator of the bytes behind each length. Its `next()` throws what `read_frame()` would.
   * @throws {TypeError} If an option has the wrong type or is unknown.
   * @throws {RangeError} If `size` is not 1, 2, 4 or 8, or `max_size` is below 0.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const reader = new asyncio.StreamReader();
   * for (const word of ["one", "two"]) reader.feed_data(asyncio.pack_frame(word, { size: 2 }));
   * reader.feed_eof();
   * for await (const frame of reader.frames({ size: 2 })) console.log(new TextDecoder().decode(frame)); // one, two
   * ```
   */
  frames(options?: ReadFrameOptions): AsyncIterableIterator<Uint8Array<ArrayBuffer>, undefined> {
    return this.#iterate("frames", this.#frame_query(options));
  }

  /**
   * Looks at what comes next, which stays in the buffer.
   *
   * It waits until something has arrived, and gives no more than there is, as Python's `BufferedReader.peek()`. So to look
   * for more in a loop does not wait, and ends never; `at_least` waits.
   *
   * Differs from asyncio: there is no such method.
   *
   * @param n How many bytes at most.
   * @param options For how many to wait.
   * @returns A future of a copy of the bytes; empty at the end of the stream, and for `n` 0.
   * @throws {TypeError} If `n` or `at_least` is not a number.
   * @throws {RangeError} If `n` is below 0 or not whole, or `at_least` is not 1 to `n`.
   * @throws The connection's error, if it came before enough bytes had; those stay in the buffer.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const reader = new asyncio.StreamReader();
   * reader.feed_data("GET / HTTP/1.1\r\n");
   * const [first] = await reader.peek(1);
   * console.log(first === 0x16 ? "TLS" : "plain", reader.buffered); // plain 16
   * ```
   */
  peek(n: number, options?: PeekOptions): Future<Uint8Array<ArrayBuffer>> {
    check_size("n", n);
    if (n < 0) throw new RangeError(`"n" must be 0 or more, got ${n}`);
    check_options(options, ["at_least"]);
    const at_least = options?.at_least ?? Math.min(1, n);
    check_size("at_least", at_least);
    if (at_least > n || (at_least < 1 && n > 0)) {
      throw new RangeError(`"at_least" must be 1 to "n", which is ${n}, got ${at_least}`);
    }
    if (n === 0) return this.#nothing();
    return this.#intake.start(new Asked(this.#intake, this.#loop, "peek", new PeekQuery(at_least, n)));
  }

  /**
   * Puts bytes back, in front of all that is in the buffer. They need not be those that were read. It can be done at the
   * end of the stream too, where the next read gives them. They are copied, and no limit holds.
   *
   * Differs from asyncio: there is no such method.
   *
   * @param data The bytes, or a string, which is taken as UTF-8.
   * @throws {TypeError} If `data` is neither.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const reader = new asyncio.StreamReader();
   * reader.feed_data("key: value\n");
   * const key = await reader.readuntil(":");
   * reader.unread(key);
   * console.log(new TextDecoder().decode(await reader.readline())); // key: value
   * ```
   */
  unread(data: Uint8Array | string): void {
    this.#intake.unread(to_bytes("data", data));
  }

  /** How many bytes have arrived and were not read yet. */
  get buffered(): number {
    return this.#intake.length;
  }

  /**
   * Tells whether the stream has ended and all of it was read. The end is noticed by reading, or by `wait_eof()`.
   *
   * @returns True at the end.
   */
  at_eof(): boolean {
    return this.#intake.eof && this.#intake.length === 0;
  }

  /**
   * Waits until the stream has ended. What arrives meanwhile stays in the buffer, to be read.
   *
   * It is no read: any number of tasks may wait, while another one reads. To notice the end it reads ahead, up to the
   * reader's limit. When so much is buffered it waits until somebody has read of it: that more has come is no error, and
   * whether the one who reads keeps up is chance. So where nobody reads, put a timeout around it.
   *
   * Differs from asyncio: there is no such method.
   *
   * @returns A future; to cancel it loses nothing.
   * @throws The connection's error, if it ended with one. Bytes that came before are still in the buffer.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const reader = new asyncio.StreamReader();
   * reader.feed_data("the last words");
   * asyncio.get_event_loop().call_later(0.01, () => reader.feed_eof());
   * await reader.wait_eof();
   * console.log(reader.buffered, reader.at_eof()); // 14 false
   * ```
   */
  wait_eof(): Future<void> {
    return this.#intake.wait_eof();
  }

  /**
   * The error that ended the stream.
   *
   * @returns The error, or `null`.
   */
  exception(): unknown {
    return this.#intake.error ?? null;
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
    this.#intake.fail(exception);
  }

  /**
   * Adds bytes, as if they had come from a connection. They are copied.
   *
   * @param data The bytes, or a string, which is taken as UTF-8.
   * @throws {TypeError} If `data` is neither.
   * @throws {RuntimeError} After `feed_eof()`.
   */
  feed_data(data: Uint8Array | string): void {
    this.#intake.feed(to_bytes("data", data));
  }

  /** Ends the stream. */
  feed_eof(): void {
    this.#intake.feed_eof();
  }

  /**
   * Reads line by line until the end of the stream; a loop that is left leaves the rest in the buffer.
   *
   * @returns An iterator of lines, each with its `\n`; the last one may lack it.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array<ArrayBuffer>, undefined> {
    return this.lines({ keep_ends: true });
  }

  /**
   * Reads line by line until the end of the stream, as strings.
   *
   * A loop that is left leaves the rest in the buffer, and a `next()` that is cancelled takes nothing. A mark of the order
   * of bytes at the beginning is dropped; bytes that mean nothing in the encoding become `"\ufffd"`. With UTF-8 no
   * character is divided where a line is cut: a piece may be up to three bytes shorter than the limit, and a limit below 4
   * counts as 4.
   *
   * Differs from asyncio: there is no such method.
   *
   * @param options The encoding, the limit, what becomes of lines beyond it, and whether ends stay.
   * @returns An iterator of lines; without their ends, unless `keep_ends` is set.
   * @throws {TypeError} If an option has the wrong type or is unknown.
   * @throws {RangeError} If `limit` is not above 0, or `overlong` or `encoding` is not one of those there are.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const reader = new asyncio.StreamReader();
   * reader.feed_data("short\r\nvery long\n");
   * reader.feed_eof();
   * const lines = reader.lines({ encoding: "utf-8", limit: 5, overlong: "truncate" });
   * for await (const line of lines) console.log(line); // short, very
   * ```
   */
  lines(options: LinesOptions & { readonly encoding: string }): AsyncIterableIterator<string, undefined>;
  /**
   * Reads line by line until the end of the stream, as bytes.
   *
   * Ends are removed, `\n` as well as `\r\n`, unless `keep_ends` is set; a plain `for await` over the reader keeps them, as
   * asyncio's. A loop that is left leaves the rest in the buffer, and a `next()` that is cancelled takes nothing.
   *
   * Differs from asyncio: there is no such method.
   *
   * @param options The limit, what becomes of lines beyond it, and whether ends stay.
   * @returns An iterator of lines. Its `next()` throws `LimitOverrunError` for a line beyond the limit, which stays in the
   * buffer, unless `overlong` is set; and the connection's error, if it came before the end of a line.
   * @throws {TypeError} If an option has the wrong type or is unknown.
   * @throws {RangeError} If `limit` is not above 0, or `overlong` is not one of those there are.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const reader = new asyncio.StreamReader();
   * reader.feed_data("a,b\r\n");
   * reader.feed_eof();
   * for await (const line of reader.lines()) console.log(line); // Uint8Array(3) [97, 44, 98]
   * ```
   */
  lines(
    options?: LinesOptions & { readonly encoding?: undefined },
  ): AsyncIterableIterator<Uint8Array<ArrayBuffer>, undefined>;
  lines(options?: LinesOptions): AsyncIterableIterator<Bytes | string, undefined> {
    return this.#iterate("lines", new LineQuery(options, this.#limit));
  }

  /**
   * The same stream as a web stream of bytes, for all that takes one.
   *
   * It reads only when somebody reads from it, straight into the array of a reader that brings one ("byob"). It ends as
   * the stream does, or fails with the connection's error. To cancel it stops reading, but does not close the connection,
   * and what is in the buffer stays there for this reader.
   *
   * It is the same object each time, until it was cancelled. While it waits for bytes nobody else may read.
   *
   * Differs from asyncio: there is no such property. A task that waits for a web stream waits for a promise, which cannot
   * be cancelled.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const reader = new asyncio.StreamReader();
   * reader.feed_data("hello");
   * reader.feed_eof();
   * console.log(await new Response(reader.readable).text()); // hello
   * ```
   */
  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#readable ??= readable_of(
      (query) => this.#intake.start(new Asked(this.#intake, this.#loop, "readable", query)),
      () => this.#readable = null,
    );
  }

  /**
   * At the end of an `await using` block, a reader that `StreamReader.from()` made cancels its web stream and unlocks it.
   * What is buffered can still be read. For other readers nothing happens: the writer closes the connection.
   *
   * @throws What the web stream's own `cancel()` fails with.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#intake.source?._release?.();
  }

  /** @ignore */
  [INSPECT](): string {
    const { length, eof, error, reading } = this.#intake;
    const parts = ["<StreamReader", `buffered=${length}`];
    if (eof) parts.push("eof");
    if (error !== undefined) parts.push(`exception=${String(error)}`);
    if (reading !== null) parts.push(`in ${reading}()`);
    return `${parts.join(" ")}>`;
  }

  /**
   * Gives the reader the connection it reads from.
   *
   * @internal
   */
  _set_source(source: ReadSource): void {
    this.#intake.set_source(source);
  }

  /**
   * How many bytes have come from the connection.
   *
   * @internal
   */
  get _bytes_read(): number {
    return this.#intake.received;
  }

  /**
   * Throws if the connection cannot become another one now: somebody waits for bytes, or some are buffered. Those would
   * pass for what came after.
   *
   * @internal
   */
  _check_no_input(): void {
    this.#intake.check_no_input();
  }

  /**
   * Lets go of the connection, which is about to become another one: gives the read of the system that a cancelled call
   * left behind, or `null` if there is none. Its bytes, or `null` for the end, are the caller's; what is asked for from
   * now on waits for `_set_source()`.
   *
   * @internal
   * @throws {RuntimeError} As `_check_no_input()`.
   */
  _hand_over(): Promise<Uint8Array | null> | null {
    return this.#intake.hand_over();
  }

  /**
   * Has all that is buffered, and all that still comes, dropped; reads get the end of the stream. Calls `ended` once that
   * has come, or an error. To be called once.
   *
   * @internal
   */
  _discard(ended: () => void): void {
    this.#intake.discard(ended);
  }

  /**
   * Reads ahead, within the limit, as long as `wanted()`: somebody waits for the end of the connection, which only a read
   * notices.
   *
   * @internal
   */
  _watch(wanted: () => boolean): void {
    this.#intake.watch(wanted);
  }

  #limit_of(options: ReadUntilOptions): number {
    check_options(options, ["limit"]);
    if (options.limit === undefined) return this.#limit;
    check_limit("limit", options.limit);
    return options.limit;
  }

  #frame_query(options: ReadFrameOptions | undefined): FrameQuery {
    check_options(options, ["size", "little_endian", "max_size"]);
    const { size = DEFAULT_FRAME_SIZE, little_endian = false, max_size = this.#limit } = options ?? {};
    check_frame_options({ size, little_endian });
    check_number("max_size", max_size);
    if (max_size < 0) throw new RangeError(`"max_size" must be 0 or more, got ${max_size}`);
    return new FrameQuery(size, little_endian, max_size);
  }

  #iterate<T>(name: string, query: RepeatedQuery<T>): AsyncIterableIterator<T, undefined> {
    return {
      next: () => this.#intake.start(new Next(this.#intake, this.#loop, name, query)),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  #nothing(): Future<Bytes> {
    const future = new Future<Bytes>({ loop: this.#loop });
    future.set_result(new Uint8Array(0));
    return future;
  }
}
