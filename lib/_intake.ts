/**
 * What has arrived for a `StreamReader`, the one request that waits for it, and the reads of the system that bring more.
 *
 * @module
 */

import { ByteBuffer } from "./_byte_buffer.ts";
import type { Bytes } from "./_bytes.ts";
import type { EventLoop } from "./deno_events.ts";
import { RuntimeError } from "./exceptions.ts";
import { Future } from "./futures.ts";
import { Line, Place } from "./_line.ts";
import { ReadSize } from "./_read_size.ts";
import { type Answerer, MORE, ReadInto, type Request } from "./_requests.ts";
import type { Strand } from "./_scopes.ts";

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
  /** Lets go of what it reads from, for a reader that owns it. */
  _release?(): Promise<void>;
}

/**
 * It asks its source for more only when a request finds too little, or when somebody waits for the end; one read at a time.
 * That read cannot be taken back, so it outlives a request that was cancelled, and what it brings serves the next.
 */
export class Intake implements Answerer {
  readonly #loop: EventLoop;
  readonly #limit: number;
  readonly #buffer = new ByteBuffer();
  #source: ReadSource | null = null;
  #eof = false;
  #error: unknown = undefined;
  #request: Request<unknown> | null = null;
  /** Whether somebody waits for the end of the connection. */
  #watched: (() => boolean) | null = null;
  /** Those who wait for the end of the stream, once there was one. */
  #ends: Line<void> | null = null;
  /** All that comes is dropped; reads get the end of the stream. */
  #discards = false;
  #on_discarded: (() => void) | null = null;
  /** The array that the system is reading into; it outlives a cancelled request, and serves the next. */
  #lent: Bytes | null = null;
  /** Whose array that is, if it is not the buffer's. */
  #lender: ReadInto | null = null;
  /** The read of the system that is, or was last, in flight. */
  #reading: Promise<number | null> | null = null;
  #on_read!: (count: number | null) => void;
  #on_read_error!: (error: unknown) => void;
  readonly #read_size = new ReadSize();
  /** How many bytes have come from the source. */
  received = 0;

  constructor(loop: EventLoop, limit: number) {
    this.#loop = loop;
    this.#limit = limit;
    this.#listen();
  }

  /** Gives it what it reads from. */
  set_source(source: ReadSource): void {
    this.#source = source;
    this.#go_on();
    this.#read_ahead();
  }

  /** What it reads from. */
  get source(): ReadSource | null {
    return this.#source;
  }

  /** How many bytes have arrived and were not taken yet. */
  get length(): number {
    return this.#buffer.length;
  }

  /** The error that ended the stream; `undefined` if none did. */
  get error(): unknown {
    return this.#error;
  }

  /** Whether the end of the stream has come, or passes for it. */
  get eof(): boolean {
    return this.#eof || this.#discards;
  }

  /** The name of the read that waits. */
  get reading(): string | null {
    return this.#request === null || this.#request.done() ? null : this.#request.name;
  }

  /** Adds bytes at the end. */
  feed(bytes: Uint8Array): void {
    if (this.#eof) throw new RuntimeError("feed_data after feed_eof");
    if (bytes.length === 0 || this.#discards) return;
    this.#buffer.append(bytes);
    this.#go_on();
  }

  /** Puts bytes in front. */
  unread(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.#discards) return;
    this.#request?.restart();
    this.#buffer.prepend(bytes);
    this.#go_on();
  }

  /** Ends the stream. */
  feed_eof(): void {
    this.#eof = true;
    this.#tell_end();
  }

  /** Ends the stream with an error. */
  fail(error: unknown): void {
    this.#error = error;
    this.#tell_end();
  }

  /** See `StreamReader.wait_eof()`. */
  wait_eof(): Future<void> {
    if (this.#ended()) {
      const future = new Future<void>({ loop: this.#loop });
      future._finish(undefined, this.#error, false);
      return future;
    }
    this.#ends ??= new Line<void>({
      call: "wait_eof",
      of: this.#source,
      external: true,
      ready: () => this.#ended(),
      take: () => {
        if (this.#error !== undefined) throw this.#error;
      },
      left: () => {},
    });
    const place = new Place<void>(this.#loop, this.#ends);
    this.#read_ahead();
    return place;
  }

  /** See `StreamReader._check_no_input()`. */
  check_no_input(): void {
    const waiting = this.#waiting_call();
    if (waiting !== null) {
      throw new RuntimeError(`Cannot start TLS: a call is waiting for incoming data, in ${waiting}()`);
    }
    const { length } = this.#buffer;
    if (length > 0) {
      throw new RuntimeError(`Cannot start TLS: ${length} bytes that came before it are in the reader's buffer`);
    }
  }

  /** See `StreamReader._hand_over()`. */
  hand_over(): Promise<Uint8Array | null> | null {
    this.check_no_input();
    const [lent, source] = [this.#lent, this.#source];
    // A read that begins during the handshake waits for it; it must not take the handshake's bytes.
    this.#source = null;
    if (lent === null || source === null) return null;
    this.#lent = this.#lender = null;
    this.#buffer.abandon();
    this.#listen();
    const early = this.#reading!.then((count) => count === null ? null : lent.slice(0, count), (error) => {
      if (source._ended_read(error)) return null;
      throw error;
    });
    // It may fail before the handshake comes to it.
    early.catch(() => {});
    return early;
  }

  /** See `StreamReader._discard()`. */
  discard(ended: () => void): void {
    this.#discards = true;
    this.#buffer.skip(this.#buffer.length);
    if (this.#ended()) return ended();
    this.#on_discarded = ended;
    this.#go_on();
    this.#fill(0);
  }

  /** Reads ahead, within the limit, as long as `wanted()`. */
  watch(wanted: () => boolean): void {
    this.#watched = wanted;
    this.#read_ahead();
  }

  /** Ends a request if that is possible now, or else reads on. */
  _serve(request: Request<unknown>): Strand | null {
    request.woken = false;
    if (request.done()) return null;
    let answer: unknown = MORE;
    let error = this.#error;
    try {
      answer = request.answer(this.#buffer, this.#eof || this.#discards);
    } catch (cause) {
      error = cause;
    }
    if (answer !== MORE) {
      this.#request = null;
      // There may be room for more now.
      if (this.#watched !== null || this.#ends !== null) this.#read_ahead();
      return request._finish(answer, undefined, true);
    }
    if (error !== undefined) {
      this.#request = null;
      return request._finish(undefined, error, true);
    }
    this.#fill(request.missing(this.#buffer));
    return null;
  }

  /** Has a request answered: at once, if what it asks for is there, and otherwise once it has come. */
  start<T>(request: Request<T>): Future<T> {
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

  /** The name of the call that waits for bytes, or for their end. */
  #waiting_call(): string | null {
    if (this.#request !== null && !this.#request.done()) return this.#request.name;
    return this.#ends !== null && this.#ends.length > 0 ? "wait_eof" : null;
  }

  /** Something has arrived, or nothing will any more. If the caller was cancelled, that is the next one's. */
  #go_on(): void {
    const request = this.#request;
    if (request === null || request.woken || request.done()) return;
    request.woken = true;
    this.#loop._push(request);
  }

  #ended(): boolean {
    return this.#eof || this.#error !== undefined;
  }

  #tell_end(): void {
    this.#go_on();
    this.#ends?.wake_all();
    const on_discarded = this.#on_discarded;
    this.#on_discarded = null;
    on_discarded?.();
  }

  #read_ahead(): void {
    if (this.#watched !== null && !this.#watched()) this.#watched = null;
    if (this.#watched === null && (this.#ends === null || this.#ends.length === 0)) return;
    const room = this.#limit - this.#buffer.length;
    if (room > 0) this.#fill(0, room);
  }

  /** Has the system read, `most` bytes at most, unless it does already. */
  #fill(missing: number, most: number = Infinity): void {
    const source = this.#source;
    if (source === null || this.#lent !== null || this.#ended()) return;
    const buffer = this.#buffer;
    const request = this.#request;
    if (request instanceof ReadInto && buffer.length === 0 && !request.done() && most === Infinity) {
      request.is_lent = true;
      this.#lender = request;
      return this.#read(source, request.array as Bytes);
    }
    let lent = this.#read_size.lend(buffer, missing);
    if (lent.length > most) lent = lent.subarray(0, Math.ceil(most));
    this.#read(source, lent);
  }

  /** What was read into a caller's array is for that call, unless it was cancelled, or something was put in front. */
  #take_back(lender: ReadInto, count: number): void {
    this.#lender = null;
    lender.is_lent = false;
    if (count === 0) return;
    if (lender.done() || this.#buffer.length > 0) this.#buffer.append(lender.array.subarray(0, count));
    else lender.filled = count;
  }

  #read(source: ReadSource, lent: Bytes): void {
    this.#lent = lent;
    this.#reading = source._read(lent);
    this.#reading.then(this.#on_read, this.#on_read_error);
  }

  /** Hears from now on of the reads that begin from now on, and of no others. */
  #listen(): void {
    const on_read = (count: number | null) => {
      if (this.#on_read === on_read) this.#loop._deliver(this.#filled, count);
    };
    this.#on_read = on_read;
    this.#on_read_error = (error) => {
      if (this.#on_read !== on_read) return;
      const ended = this.#source!._ended_read(error);
      this.#loop._deliver(() => {
        if (ended) return this.#filled(null);
        this.#error = error;
        this.#filled(0);
      }, undefined);
    };
  }

  readonly #filled = (count: number | null): void => {
    const lent = this.#lent!;
    this.#lent = null;
    if (lent.buffer.detached) {
      this.#error ??= new RuntimeError("Cannot read on: the buffer of bytes that were read before was transferred");
      return this.#tell_end();
    }
    const buffer = this.#buffer;
    const lender = this.#lender;
    if (lender === null) {
      buffer.commit(lent, count ?? 0);
      if (count !== null) this.#read_size.adapt(count, lent.length);
    } else {
      this.#take_back(lender, count ?? 0);
    }
    this.received += count ?? 0;
    if (this.#discards) buffer.skip(buffer.length);
    if (count === null) this.#eof = true;
    if (this.#ended()) return this.#tell_end();
    this.#go_on();
    if (this.#discards) this.#fill(0);
    else this.#read_ahead();
  };
}
