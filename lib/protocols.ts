/**
 * Protocols: objects whose methods a transport calls, in place of streams that are read and written.
 *
 * @module
 */

import type { DatagramAddress } from "./_deno.ts";
import type { DatagramTransport } from "./datagrams.ts";
import { shown } from "./exceptions.ts";
import type { SubprocessTransport } from "./base_subprocess.ts";
import type { Transport } from "./transports.ts";

/**
 * What all protocols have. The methods do nothing here; override those that matter.
 *
 * Of each connection `connection_made()` is called once, and `connection_lost()` once after it. All are called by the
 * loop, in no task; what they throw goes to the loop's exception handler, and ends the connection if it came from a method
 * that data came to.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * class Gate extends asyncio.Protocol {
 *   readonly lost = new asyncio.Future<unknown>();
 *   override connection_made(transport: asyncio.Transport) {
 *     transport.close();
 *   }
 *   override connection_lost(error: unknown) {
 *     this.lost.set_result(error);
 *   }
 * }
 *
 * const loop = asyncio.get_event_loop();
 * await using server = await loop.create_server(() => new Gate(), "127.0.0.1", 0);
 * const [host, port] = server.sockets[0].getsockname() as [string, number];
 * const [, gate] = await loop.create_connection(() => new Gate(), host, port);
 * console.log(gate instanceof asyncio.BaseProtocol, await gate.lost); // true null
 * ```
 */
export class BaseProtocol {
  /**
   * Called when the connection is made.
   *
   * Differs from asyncio: what it throws is reported with the transport and the protocol, as with the other methods.
   *
   * @param _transport What carries the bytes; keep it to write.
   */
  connection_made(_transport: Transport | SubprocessTransport | DatagramTransport): void {}

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
   * Differs from asyncio: it is called before there is something to read.
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

/**
 * A protocol that is given datagrams; see `EventLoop.create_datagram_endpoint()`.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * class Echo extends asyncio.DatagramProtocol {
 *   #transport!: asyncio.DatagramTransport;
 *   override connection_made(transport: asyncio.DatagramTransport) {
 *     this.#transport = transport;
 *   }
 *   override datagram_received(data: Uint8Array, addr: asyncio.DatagramAddress) {
 *     this.#transport.sendto(data, addr);
 *   }
 * }
 *
 * const loop = asyncio.get_event_loop();
 * const [transport] = await loop.create_datagram_endpoint(() => new Echo(), ["127.0.0.1", 0]);
 * await using client = await asyncio.open_datagram({ remote_addr: transport.get_extra_info("sockname") });
 * await client.send("hello");
 * const [data] = await client.recv();
 * console.log(new TextDecoder().decode(data)); // hello
 * transport.close();
 * ```
 */
export class DatagramProtocol extends BaseProtocol {
  /**
   * Called with each datagram. What it throws goes to the loop's exception handler, and the next one comes all the same.
   *
   * @param _data The bytes, which are the protocol's own. There may be none: an empty datagram is one.
   * @param _addr Who sent it.
   */
  datagram_received(_data: Uint8Array<ArrayBuffer>, _addr: DatagramAddress): void {}

  /**
   * Called when one could not be sent, or received; the transport stays open.
   *
   * @param _error Why.
   */
  error_received(_error: unknown): void {}
}

/**
 * A protocol that is told what a program does; see `loop.subprocess_exec()`.
 *
 * Its `connection_made()` gets a `SubprocessTransport`. Then `pipe_data_received()`, `pipe_connection_lost()` for each pipe
 * and `process_exited()` come in the order in which these things happen, so output may come after the exit. At last, when
 * the program has ended and all of its pipes are gone, `connection_lost(null)` is called, once. What a method throws goes
 * to the loop's exception handler, and ends nothing.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const done = new asyncio.Future<void>();
 * class Printer extends asyncio.SubprocessProtocol {
 *   override pipe_data_received(fd: number, data: Uint8Array) {
 *     console.log(fd, new TextDecoder().decode(data)); // 1 hello
 *   }
 *   override connection_lost() {
 *     done.set_result();
 *   }
 * }
 * const loop = asyncio.get_event_loop();
 * const [transport] = await loop.subprocess_exec(() => new Printer(), "echo", "hello");
 * await done;
 * console.log(transport.get_returncode()); // 0
 * ```
 */
export class SubprocessProtocol extends BaseProtocol {
  /**
   * Called with what the program wrote.
   *
   * @param _fd To which of its descriptors: 1 is standard output, 2 is standard error.
   * @param _data The bytes, which are the protocol's own; how they were divided cannot be told.
   */
  pipe_data_received(_fd: number, _data: Uint8Array<ArrayBuffer>): void {}

  /**
   * Called when a pipe is gone.
   *
   * @param _fd The program's descriptor: 0, 1 or 2.
   * @param _error What broke it; `null` if either side closed it.
   */
  pipe_connection_lost(_fd: number, _error: unknown): void {}

  /** Called when the program has ended; `get_returncode()` of the transport tells how. */
  process_exited(): void {}
}

/** Throws unless `value` is a protocol. */
export function check_protocol(name: string, value: unknown): void {
  if (!(value instanceof BaseProtocol)) throw new TypeError(`"${name}" must be a BaseProtocol, got ${shown(value)}`);
}
