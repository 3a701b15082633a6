/**
 * The writing end of a stream.
 *
 * @module
 */

import type { EventLoop } from "./deno_events.ts";
import { INSPECT } from "./constants.ts";
import { current_loop } from "./_context.ts";
import { CancelledError, check_loop, check_options, shown } from "./exceptions.ts";
import { Call, Future } from "./futures.ts";
import { creation_of } from "./_observers.ts";
import type { StreamReader } from "./stream_reader.ts";
import { check_start_tls, type CloseOptions, type StartTlsOptions, type StreamStatistics } from "./_stream_options.ts";
import type { TlsClientOptions, TlsServerOptions } from "./_tls.ts";
import { Transport } from "./transports.ts";
import type { ExtraInfo } from "./trsock.ts";
import { WritableConn } from "./_web_conns.ts";

/** A connection that was forgotten is closed; Deno itself keeps a socket whose object was collected. */
const forgotten = new FinalizationRegistry<{ readonly transport: Transport; readonly loop: EventLoop }>(
  ({ transport, loop }) => {
    if (transport.is_closing()) return;
    loop.call_exception_handler({
      message: "Unclosed StreamWriter was forgotten; its connection is closed",
      transport,
      source_traceback: creation_of(transport),
    });
    transport.close();
  },
);

function watch_for_loss(writer: StreamWriter, transport: Transport, loop: EventLoop): void {
  forgotten.register(writer, { transport, loop });
}

/**
 * The writing end of a stream.
 *
 * Whoever has it closes it, with `close()` and `wait_closed()` or with `await using`; that closes the connection, the
 * reader's end included.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * async function send(writer: asyncio.StreamWriter) {
 *   writer.write("hello\n");
 *   await writer.drain();
 *   writer.close();
 *   await writer.wait_closed();
 * }
 *
 * await using server = await asyncio.start_server((_reader, writer) => send(writer), "127.0.0.1", 0);
 * const [host, port] = server.sockets[0].getsockname() as [string, number];
 * const [reader, writer] = await asyncio.open_connection(host, port);
 * console.log(new TextDecoder().decode(await reader.readline())); // hello
 * writer.close();
 * await writer.wait_closed();
 * ```
 */
export class StreamWriter {
  readonly #transport: Transport;
  readonly #reader: StreamReader | null;
  readonly #loop: EventLoop;
  #writable: WritableStream<Uint8Array | string> | null = null;

  /**
   * Made by `open_connection()` and `start_server()`.
   *
   * @internal
   */
  constructor(transport: Transport, reader: StreamReader | null, loop: EventLoop) {
    this.#transport = transport;
    this.#reader = reader;
    this.#loop = loop;
    if (reader === null) return;
    // Whoever has the reader has the connection, even if the writer was dropped.
    reader._writer = this;
    watch_for_loss(this, transport, loop);
  }

  /**
   * A writer over a web stream, so that files, compression and HTTP bodies get `write()` and `drain()` too.
   *
   * The writer locks the stream and owns it: `close()` closes it, `abort()` aborts it.
   *
   * Differs from asyncio: there is no such method.
   *
   * @param stream The web stream.
   * @param options The loop that the writer's waits belong to.
   * @returns The writer.
   * @throws {TypeError} If `stream` is no `WritableStream`, or is locked.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const gzip = new CompressionStream("gzip");
   * const zipped = new Response(gzip.readable).bytes();
   * const writer = asyncio.StreamWriter.to(gzip.writable);
   * await writer.send("hello");
   * writer.close();
   * await writer.wait_closed();
   * console.log((await zipped).length > 5); // true
   * ```
   */
  static to(stream: WritableStream<Uint8Array<ArrayBuffer>>, options?: { readonly loop?: EventLoop }): StreamWriter {
    if (!(stream instanceof WritableStream)) {
      throw new TypeError(`"stream" must be a WritableStream, got ${shown(stream)}`);
    }
    check_options(options, ["loop"]);
    check_loop(options?.loop);
    const loop = options?.loop ?? current_loop();
    return new StreamWriter(new Transport(loop, new WritableConn(stream)), null, loop);
  }

  /** What carries the bytes; it has the write buffer and its limits. */
  get transport(): Transport {
    return this.#transport;
  }

  /**
   * Has bytes sent. It never waits: what the connection does not take at once is buffered without bound, so follow it
   * with `drain()`. The bytes are copied, so the array may be changed afterwards.
   *
   * After `close()`, and after the connection broke, they are dropped; `drain()` tells of the latter.
   *
   * @param data The bytes, or a string, which is sent as UTF-8.
   * @throws {TypeError} If `data` is neither.
   * @throws {RuntimeError} After `write_eof()`.
   */
  write(data: Uint8Array | string): void {
    this.#transport.write(data);
  }

  /**
   * Has several pieces sent, as one `write()` of all would.
   *
   * @param list The pieces.
   * @throws {TypeError} If one of them is neither bytes nor a string; the ones before it are sent.
   */
  writelines(list: Iterable<Uint8Array | string>): void {
    this.#transport.writelines(list);
  }

  /**
   * Has bytes sent, and waits until it is time to send more: `write()` and `drain()` in one.
   *
   * Differs from asyncio: there is no such method.
   *
   * @param data The bytes, or a string, which is sent as UTF-8.
   * @returns A future; to cancel it does not take the bytes back.
   * @throws {TypeError} If `data` is neither.
   * @throws {RuntimeError} After `write_eof()`.
   * @throws The connection's error, if it broke.
   * @throws {ConnectionResetError} If it was closed.
   */
  send(data: Uint8Array | string): Future<void> {
    this.#transport.write(data);
    return this.drain();
  }

  /**
   * Waits until the kernel has taken all that was written; `drain()` only waits until it is time to write more.
   *
   * Differs from asyncio: there is no such method.
   *
   * @returns A future; to cancel it loses nothing.
   * @throws The connection's error, if it broke.
   * @throws {ConnectionResetError} If it was closed.
   */
  flush(): Future<void> {
    return this.#transport.flush();
  }

  /**
   * Waits until it is time to write more.
   *
   * It first offers all that is buffered to the kernel. But little of it, while input that came before is still to be read,
   * leaves with the answers to that: once the code waits or ends, or at the first `drain()` after a millisecond. So answers
   * to lines that came together leave together. If more than the high-water mark (64 KiB) is left, it waits until no more
   * than the low-water mark (16 KiB) is. So to a peer that reads, everything is on its way afterwards; it does not mean that
   * the peer has it.
   *
   * @returns A future; to cancel it loses nothing.
   * @throws The connection's error, if it broke.
   * @throws {ConnectionResetError} If it was closed.
   */
  drain(): Future<void> {
    const reader = this.#reader;
    const error = reader?.exception() ?? null;
    if (error === null) return this.#transport._drain(reader !== null && reader.buffered > 0);
    this.#transport._told = true;
    const failed = new Future<void>({ loop: this.#loop });
    failed.set_exception(error);
    return failed;
  }

  /** Tells the peer that nothing more will come, once all has left. Reading goes on. Doing it again does nothing. */
  write_eof(): void {
    this.#transport.write_eof();
  }

  /**
   * Tells whether `write_eof()` works here.
   *
   * @returns True.
   */
  can_write_eof(): boolean {
    return this.#transport.can_write_eof();
  }

  /**
   * Closes the connection once all that was written has left. Closing again does nothing.
   *
   * With TLS it says goodbye to the peer, and gives up after the `ssl_shutdown_timeout`. Without it, and without `linger`,
   * a peer that does not read keeps the connection open: put a timeout around `wait_closed()`, then `abort()`.
   *
   * @param options How long to wait for the peer's end of data.
   * @throws {TypeError} If `linger` is not a number.
   * @throws {RangeError} If it is below 0.
   */
  close(options?: CloseOptions): void {
    const reader = this.#reader;
    this.#transport._close(options, reader === null ? null : (ended) => reader._discard(ended));
  }

  /**
   * Closes the connection at once; what the kernel has not taken is dropped.
   *
   * Differs from asyncio: there it is only on the transport.
   */
  abort(): void {
    this.#transport.abort();
  }

  /**
   * Goes on over TLS, on the side that the connection was made on: a client asks, a server answers.
   *
   * It first sends what was written before, and all that is written until that has left; what is written during the
   * handshake is sent over TLS. No read may be
   * pending, and nothing may be left in the reader's buffer: bytes that came before TLS must not be taken for safe ones. A
   * read that begins meanwhile waits for the handshake.
   * If the handshake fails or the call is cancelled, the connection is closed.
   *
   * Differs from asyncio: bytes in the buffer are refused.
   *
   * @param ssl `true` or a client's options; on a server's side, its certificate and key.
   * @param options The name to check, and time limits.
   * @returns A future.
   * @throws {TypeError} If an argument has the wrong type.
   * @throws {RuntimeError} If a read is pending, or bytes are buffered; the connection stays as it was.
   * @throws {Deno.errors.InvalidData} If the certificate is not accepted, or the peer does not speak TLS.
   * @throws {ConnectionAbortedError} If the handshake takes too long.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * async function upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) {
   *   writer.write("STARTTLS\r\n");
   *   await reader.readline();
   *   await writer.start_tls(true, { server_hostname: "mail.example.com" });
   *   console.log(writer.get_extra_info("ssl_object")?.version); // TLSv1.3
   * }
   * console.log(typeof upgrade); // function
   * ```
   */
  start_tls(ssl: true | TlsClientOptions | TlsServerOptions, options: StartTlsOptions = {}): Future<void> {
    const transport = this.#transport;
    const reader = this.#reader;
    const securing = check_start_tls(ssl, options, transport._is_server_side, transport._host);
    return new Call(async () => {
      // It has to be seen before the wait as well, so that nothing is touched if it cannot be.
      reader?._check_no_input();
      // Others may write meanwhile; nothing of theirs may come in between the handshake's bytes.
      do await transport.flush(); while (transport.get_write_buffer_size() > 0);
      const early = reader?._hand_over() ?? null;
      try {
        await transport._start_tls(securing, early, options.ssl_shutdown_timeout);
      } finally {
        reader?._set_source(transport);
      }
    });
  }

  /**
   * Tells whether the connection is closed, or about to be.
   *
   * @returns True after `close()`.
   */
  is_closing(): boolean {
    return this.#transport.is_closing();
  }

  /**
   * Waits until the connection is closed, by `close()` or because the peer broke it. It can be called often, and before
   * `close()`; to notice the peer, the reader then reads ahead within its limit.
   *
   * To a peer that does not read, bytes that were written may never leave: put a timeout around it, then `abort()`.
   *
   * Differs from asyncio: it does not fail if the peer went away after everything had been handed over.
   *
   * @returns A future.
   * @throws The connection's error, if it kept something that was written from being sent.
   */
  wait_closed(): Future<void> {
    const closed = this.#transport._wait_closed();
    const transport = this.#transport;
    if (transport._end_is_awaited) this.#reader?._watch(() => transport._end_is_awaited);
    return closed;
  }

  /**
   * What is known of the connection.
   *
   * @param name `"peername"`, `"sockname"`, `"socket"` or `"conn"`; with TLS also `"sslcontext"`, `"ssl_object"`,
   * `"peercert"`, `"cipher"` and `"alpn_protocol"`.
   * @returns The value; `null` for what this connection does not have.
   */
  get_extra_info<K extends keyof ExtraInfo>(name: K, fallback?: unknown): ExtraInfo[K];
  /**
   * What is known of the connection.
   *
   * @param name Any name.
   * @param fallback What to return for an unknown name.
   * @returns The value, or the fallback; `null` if there is none.
   */
  get_extra_info(name: string, fallback?: unknown): unknown;
  get_extra_info(name: string, fallback: unknown = null): unknown {
    return this.#transport.get_extra_info(name, fallback);
  }

  /**
   * The writing half as a web stream. To close it sends the end of data, as `write_eof()` does, and reading goes on; to
   * abort it aborts the connection. Made when it is first asked for.
   *
   * Differs from asyncio: there is no such property.
   */
  get writable(): WritableStream<Uint8Array | string> {
    return this.#writable ??= new WritableStream<Uint8Array | string>({
      write: async (chunk) => await this.send(chunk),
      close: async () => {
        this.write_eof();
        await this.flush();
      },
      // The stream calls its sink's own abort() only after a write that is under way, which may wait for the peer.
      start: ({ signal }) => signal.addEventListener("abort", () => this.abort()),
    });
  }

  /**
   * What broke the connection. After everything was handed over it may break without `wait_closed()` failing.
   *
   * Differs from asyncio: there is no such method.
   *
   * @returns The error; `null` if nothing did.
   */
  exception(): unknown {
    return this.#reader?.exception() ?? this.#transport._error ?? null;
  }

  /**
   * What the connection has done so far.
   *
   * Differs from asyncio: there is no such method.
   *
   * @returns Counts since the connection was made; with TLS, of the bytes inside it.
   */
  statistics(): StreamStatistics {
    return Object.freeze({ ...this.#transport._statistics, bytes_read: this.#reader?._bytes_read ?? 0 });
  }

  /**
   * Closes the connection at the end of an `await using` block, and waits until it is closed.
   *
   * @throws What `wait_closed()` does, unless a call before has thrown: the error of the block is not to be hidden.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    try {
      await this.wait_closed();
    } catch (error) {
      if (!this.#transport._told || error instanceof CancelledError) throw error;
    }
  }

  /** @ignore */
  [INSPECT](): string {
    const info = this.#transport;
    return `<StreamWriter ${info.is_closing() ? "closing" : "open"} to ${String(info.get_extra_info("peername"))}>`;
  }
}
