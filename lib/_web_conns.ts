/**
 * Web streams as connections in one direction.
 *
 * @module
 */

import type { EventLoop } from "./deno_events.ts";
import { InterruptedError, NotSupported, type RawConn } from "./_deno.ts";
import { WebSource } from "./web_streams.ts";

/** Reads a `ReadableStream`. There is nothing to write. */
export class ReadableConn implements RawConn {
  readonly localAddr = null;
  readonly remoteAddr = null;
  readonly #source: WebSource;
  #closed = Promise.withResolvers<never>();

  constructor(stream: ReadableStream<unknown>, loop: EventLoop) {
    this.#source = new WebSource(stream, loop);
    this.#closed.promise.catch(() => {});
  }

  read(array: Uint8Array): Promise<number | null> {
    return Promise.race([this.#source._read(array), this.#closed.promise]);
  }

  write(): Promise<number> {
    return Promise.reject(new NotSupported("Cannot write to a stream that is read"));
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.#closed.reject(new InterruptedError("operation canceled"));
    this.#source._release().catch(() => {});
  }
}

/** Writes to a `WritableStream`. There is nothing to read. */
export class WritableConn implements RawConn {
  readonly localAddr = null;
  readonly remoteAddr = null;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  #ended = false;

  constructor(stream: WritableStream<Uint8Array>) {
    this.#writer = stream.getWriter();
    // Told by the next write.
    this.#writer.closed.catch(() => {});
  }

  read(): Promise<number | null> {
    return Promise.resolve(null);
  }

  async write(array: Uint8Array): Promise<number> {
    // The stream may keep what it is given, and the array is used again.
    await this.#writer.write(array.slice());
    return array.length;
  }

  /** A web stream has no half to close, but to abort it would drop what its sink has not written. */
  goodbye(): Promise<void> {
    if (this.#ended) return this.#writer.closed;
    return this.closeWrite();
  }

  closeWrite(): Promise<void> {
    this.#ended = true;
    return this.#writer.close();
  }

  close(): void {
    if (!this.#ended) this.#writer.abort().catch(() => {});
    this.#writer.releaseLock();
  }
}
