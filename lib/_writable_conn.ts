/**
 * A web stream as the end of a connection that bytes go into.
 *
 * @module
 */

import type { RawConn } from "./_deno.ts";

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
