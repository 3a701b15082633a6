/**
 * Protocols: objects whose methods a transport calls, in place of streams that are read and written.
 *
 * @module
 */

import { shown } from "./exceptions.ts";
import type { Transport } from "./transports.ts";

/**
 * What all protocols have. The methods do nothing here; override those that matter.
 *
 * Of each connection `connection_made()` is called once, and `connection_lost()` once after it. All are called by the
 * loop, in no task; what they throw goes to the loop's exception handler, and ends the connection if it came from a method
 * that data came to.
 */
export class BaseProtocol {
  /**
   * Called when the connection is made.
   *
   * @param _transport What carries the bytes; keep it to write.
   */
  connection_made(_transport: Transport): void {}

  /**
   * Called when the connection is gone, and nothing will be called after it.
   *
   * @param _error What broke it; `null` if either side closed it.
   */
  connection_lost(_error: unknown): void {}

  /** Called when more waits to be sent than the high-water mark: stop writing. `resume_writing()` follows. */
  pause_writing(): void {}

  /** Called when no more waits to be sent than the low-water mark, after `pause_writing()`: go on. */
  resume_writing(): void {}
}

/**
 * A protocol that is given the bytes as they come.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * class Echo extends asyncio.Protocol {
 *   #transport!: asyncio.Transport;
 *   override connection_made(transport: asyncio.Transport) {
 *     this.#transport = transport;
 *   }
 *   override data_received(data: Uint8Array) {
 *     this.#transport.write(data);
 *   }
 * }
 *
 * const loop = asyncio.get_event_loop();
 * await using server = await loop.create_server(() => new Echo(), "127.0.0.1", 0);
 * const [host, port] = server.sockets[0].getsockname() as [string, number];
 * const [reader, writer] = await asyncio.open_connection(host, port);
 * await writer.send("hello\n");
 * console.log(new TextDecoder().decode(await reader.readline())); // hello
 * writer.close();
 * await writer.wait_closed();
 * ```
 */
export class Protocol extends BaseProtocol {
  /**
   * Called with what has arrived.
   *
   * @param _data The bytes, which are the protocol's own; how they were divided by the sender cannot be told.
   */
  data_received(_data: Uint8Array<ArrayBuffer>): void {}

  /**
   * Called when the peer will send no more.
   *
   * @returns True to go on writing; otherwise the transport closes.
   */
  eof_received(): boolean | void {}
}

/**
 * A protocol that brings its own buffer, into which the system reads: nothing is copied.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * class Counter extends asyncio.BufferedProtocol {
 *   readonly #buffer = new Uint8Array(64 * 1024);
 *   count = 0;
 *   override get_buffer() {
 *     return this.#buffer;
 *   }
 *   override buffer_updated(size: number) {
 *     this.count += size;
 *   }
 * }
 * console.log(new Counter().count); // 0
 * ```
 */
export class BufferedProtocol extends BaseProtocol {
  /**
   * Called for the array to read into. Until `buffer_updated()` it belongs to the system.
   *
   * @param _size_hint How many bytes would do; -1 if that is not known.
   * @returns An array that is not empty.
   */
  get_buffer(_size_hint: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(64 * 1024);
  }

  /**
   * Called when bytes were read into the array.
   *
   * @param _size How many, from its beginning.
   */
  buffer_updated(_size: number): void {}

  /**
   * Called when the peer will send no more.
   *
   * @returns True to go on writing; otherwise the transport closes.
   */
  eof_received(): boolean | void {}
}

/** Throws unless `value` is a protocol. */
export function check_protocol(name: string, value: unknown): void {
  if (!(value instanceof BaseProtocol)) throw new TypeError(`"${name}" must be a BaseProtocol, got ${shown(value)}`);
}
