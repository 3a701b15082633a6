/**
 * Web streams: as the source of a `StreamReader`, and as another face of one.
 *
 * @module
 */

import type { ByteBuffer } from "./_byte_buffer.ts";
import type { Bytes } from "./_bytes.ts";
import type { EventLoop } from "./deno_events.ts";
import { run_in_scope } from "./_context.ts";
import { shown } from "./exceptions.ts";
import type { Future } from "./futures.ts";
import type { ReadSource } from "./_intake.ts";
import { MORE, type Query } from "./_requests.ts";

/** The most that a web stream is given at once, if its consumer brings no array of its own. */
const CHUNK_SIZE = 64 * 1024;

/** Takes bytes from a web stream, which it locks. What a chunk has beyond what was asked for is kept. */
export class WebSource implements ReadSource {
  readonly #loop: EventLoop;
  /** `null` once the stream has ended, or was let go. */
  #reader: ReadableStreamDefaultReader<unknown> | null;
  #rest: Uint8Array | null = null;

  constructor(stream: ReadableStream<unknown>, loop: EventLoop) {
    if (!(stream instanceof ReadableStream)) {
      throw new TypeError(`"stream" must be a ReadableStream, got ${shown(stream)}`);
    }
    if (stream.locked) throw new TypeError('Cannot read from "stream": it is locked');
    this.#loop = loop;
    this.#reader = stream.getReader();
  }

  /** The stream's own code must not belong to whoever reads just now: it would be cancelled with that task. */
  _read(array: Uint8Array): Promise<number | null> {
    const reading = run_in_scope(this.#loop._scope, () => this.#read(array));
    this.#loop._outside?.perhaps_during(reading);
    return reading;
  }

  _ended_read(): boolean {
    return false;
  }

  /** Cancels the stream, and lets it go. */
  async _release(reason?: unknown): Promise<void> {
    const reader = this.#reader;
    if (reader === null) return;
    this.#reader = this.#rest = null;
    try {
      await reader.cancel(reason);
    } finally {
      reader.releaseLock();
    }
  }

  async #read(array: Uint8Array): Promise<number | null> {
    const chunk = this.#rest ?? await this.#next();
    if (chunk === null) return null;
    if (chunk.length <= array.length) {
      this.#rest = null;
      array.set(chunk);
      return chunk.length;
    }
    array.set(chunk.subarray(0, array.length));
    this.#rest = chunk.subarray(array.length);
    return array.length;
  }

  /** A chunk that is not empty, or `null` at the end. */
  async #next(): Promise<Uint8Array | null> {
    const reader = this.#reader;
    while (reader !== null) {
      let result: ReadableStreamReadResult<unknown>;
      try {
        result = await reader.read();
      } catch (error) {
        this.#let_go(reader);
        throw error ?? new Error("Cannot read from the stream: it failed without a reason");
      }
      if (result.done) {
        this.#let_go(reader);
        return null;
      }
      const { value } = result;
      if (!(value instanceof Uint8Array)) {
        const error = new TypeError(`A chunk of the stream must be a Uint8Array, got ${shown(value)}`);
        // Nobody will read on, and this error is the one to tell.
        await this._release(error).catch(() => {});
        throw error;
      }
      if (value.length > 0) return value;
    }
    return null;
  }

  #let_go(reader: ReadableStreamDefaultReader<unknown>): void {
    this.#reader = null;
    reader.releaseLock();
  }
}

/** Puts what is there into a web stream, as the step that takes it out of the buffer: nothing is lost in between. */
class PullQuery implements Query<void> {
  readonly #controller: ReadableByteStreamController;

  constructor(controller: ReadableByteStreamController) {
    this.#controller = controller;
  }

  answer(buffer: ByteBuffer, eof: boolean): void | typeof MORE {
    const controller = this.#controller;
    const request = controller.byobRequest;
    if (buffer.length === 0) {
      if (!eof) return MORE;
      controller.close();
      request?.respond(0);
    } else if (request === null) {
      // A copy: the web stream takes the whole ArrayBuffer away.
      const size = Math.min(buffer.length, CHUNK_SIZE);
      controller.enqueue(buffer.peek(size));
      buffer.skip(size);
    } else {
      const view = request.view as Uint8Array;
      const size = Math.min(buffer.length, view.byteLength);
      new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(buffer.peek(size));
      buffer.skip(size);
      request.respond(size);
    }
  }

  missing(): number {
    return this.#controller.byobRequest?.view?.byteLength ?? 0;
  }
}

/** A web stream that asks for bytes when somebody asks it; `ended` is told when it was cancelled. */
export function readable_of(ask: (query: Query<void>) => Future<void>, cancelled: () => void): ReadableStream<Bytes> {
  let asked: Future<void> | null = null;
  return new ReadableStream({
    type: "bytes",
    pull(controller) {
      const future = asked = ask(new PullQuery(controller));
      // Not awaited: the web stream would break if the task that reads from it now were cancelled.
      return new Promise<void>((resolve, reject) => {
        if (future.done()) future._pass_on({ resolve, reject });
        else future._on_done(() => future._pass_on({ resolve, reject }));
      });
    },
    cancel() {
      asked?.cancel();
      cancelled();
    },
  });
}
