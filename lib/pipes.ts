/**
 * From one stream to another, and the streams of the process.
 *
 * @module
 */

import { check_limit } from "./_bytes.ts";
import { current_loop } from "./_context.ts";
import { DEFAULT_LIMIT } from "./constants.ts";
import { check_options, shown } from "./exceptions.ts";
import { Call, type Future } from "./futures.ts";
import { StreamReader } from "./stream_reader.ts";
import { StreamWriter } from "./stream_writer.ts";
import { Transport } from "./transports.ts";

/** Bytes per turn: as many as a reader reads of the system at most. */
const PIPE_SIZE = 256 * 1024;

/**
 * Copies everything that comes out of a reader into a writer, and then passes the end of data on with `write_eof()`.
 *
 * It reads no faster than the writer's peer takes the bytes. Neither stream is closed: for a proxy, run one in each
 * direction, and close both writers when both are done.
 *
 * Differs from asyncio: there is no such function.
 *
 * @param reader Where the bytes come from; nobody else may read from it meanwhile.
 * @param writer Where they go to.
 * @returns A future of the number of bytes. To cancel it loses none: what was taken out of the reader is in the writer.
 * @throws {TypeError} If an argument is not a stream of this library.
 * @throws The error of either connection; then the end of data is not passed on.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const reader = new asyncio.StreamReader();
 * reader.feed_data("hello");
 * reader.feed_eof();
 * const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
 * const text = new Response(readable).text();
 * const writer = asyncio.StreamWriter.to(writable);
 * console.log(await asyncio.pipe(reader, writer)); // 5
 * writer.close();
 * console.log(await text); // hello
 * ```
 */
export function pipe(reader: StreamReader, writer: StreamWriter): Future<number> {
  if (!(reader instanceof StreamReader)) throw new TypeError(`"reader" must be a StreamReader, got ${shown(reader)}`);
  if (!(writer instanceof StreamWriter)) throw new TypeError(`"writer" must be a StreamWriter, got ${shown(writer)}`);
  return new Call(async () => {
    let count = 0;
    for (;;) {
      const data = await reader.read(PIPE_SIZE);
      if (data.length === 0) break;
      count += data.length;
      writer.write(data);
      await writer.drain();
    }
    if (writer.can_write_eof()) writer.write_eof();
    await writer.flush();
    return count;
  });
}

/**
 * Options of `stdio()`.
 */
export interface StdioOptions {
  /**
   * How many bytes the reader's search for a separator may look through.
   *
   * @default 65536
   */
  readonly limit?: number;
}

/**
 * Standard input as a reader and standard output as a writer.
 *
 * Nothing is read of standard input before somebody reads. Closing the writer ends the reader and closes standard input;
 * standard output stays open for `console.log()`. Call it once: two readers would take each other's bytes.
 *
 * Differs from asyncio: there it takes `connect_read_pipe()` and `connect_write_pipe()`.
 *
 * @param options The reader's limit.
 * @returns The reader and the writer.
 * @throws {TypeError} If `limit` is not a number.
 * @throws {RangeError} If it is not above 0.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const [reader, writer] = asyncio.stdio();
 * writer.write("ready\n");
 * await writer.flush();
 * console.log(reader.at_eof(), writer.is_closing()); // false false
 * ```
 */
export function stdio(options?: StdioOptions): [reader: StreamReader, writer: StreamWriter] {
  check_options(options, ["limit"]);
  const limit = options?.limit ?? DEFAULT_LIMIT;
  check_limit("limit", limit);
  const loop = current_loop();
  const reader = new StreamReader({ limit, loop });
  const transport = new Transport(loop, loop._network.stdio());
  reader._set_source(transport);
  return [reader, new StreamWriter(transport, reader, loop)];
}
