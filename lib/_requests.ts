/**
 * The questions that a `StreamReader` is asked, each with what it takes out of the buffer as its answer.
 *
 * @module
 */

import type { ByteBuffer } from "./_byte_buffer.ts";
import type { Bytes } from "./_bytes.ts";
import type { EventLoop } from "./deno_events.ts";
import { IncompleteReadError, LimitOverrunError } from "./exceptions.ts";
import { Future } from "./futures.ts";
import type { Purpose } from "./_purpose.ts";
import type { Step, Strand } from "./_scopes.ts";
import { type Layout, read_length, type StructValue } from "./structs.ts";

/** An answer that cannot be given yet. */
export const MORE: unique symbol = Symbol("more has to come");

/** What ends a read, and how much of it may stand at the end of what was searched. */
export interface Separators {
  readonly all: readonly Uint8Array[];
  readonly overlap: number;
}

export function separators_of(all: readonly Uint8Array[]): Separators {
  return { all, overlap: Math.max(...all.map((each) => each.length)) - 1 };
}

export const LINE_FEED: Separators = separators_of([Uint8Array.of(10)]);

/** What is asked for. It takes its answer out of the buffer all at once, so that a call that is cancelled took nothing. */
export interface Query<T> {
  /** Takes the answer, or throws and takes nothing, or tells that more has to come. */
  answer(buffer: ByteBuffer, eof: boolean): T | typeof MORE;
  /** How many bytes are known to be missing, so that a large read need not come in small pieces. */
  missing(buffer: ByteBuffer): number;
}

/** Who answers requests. */
export interface Answerer {
  /** What the bytes come from. */
  readonly source: unknown;
  _serve(request: Request<unknown>): Strand | null;
  /** Puts in front again what was not for anybody. */
  unread(bytes: Uint8Array): void;
}

/**
 * A read that waits. When something has arrived it looks, in a step of the loop, whether that is enough, and only then
 * takes it out of the buffer; its waiter goes on in the same step. So a read that is cancelled has taken nothing.
 */
export abstract class Request<T> extends Future<T> implements Step, Query<T> {
  readonly _answerer: Answerer;
  readonly name: string;
  /** The step that will look is on its way. */
  woken = false;

  constructor(reader: Answerer, loop: EventLoop, name: string) {
    super({ loop });
    this._answerer = reader;
    this.name = name;
  }

  abstract answer(buffer: ByteBuffer, eof: boolean): T | typeof MORE;

  missing(_buffer: ByteBuffer): number {
    return 0;
  }

  /** Bytes are about to be put in front of what it has looked at. */
  restart(): void {}

  override get _purpose(): Purpose {
    return { call: this.name, of: this._answerer.source, external: true };
  }

  _run(): Strand | null {
    return this._answerer._serve(this);
  }
}

export class ReadSome extends Request<Bytes> {
  readonly #most: number;

  constructor(reader: Answerer, loop: EventLoop, most: number) {
    super(reader, loop, "read");
    this.#most = most;
  }

  answer(buffer: ByteBuffer, eof: boolean): Bytes | typeof MORE {
    return buffer.length > 0 || eof ? buffer.take(Math.min(this.#most, buffer.length)) : MORE;
  }
}

/** Fills an array of the caller's; the system does so itself, where nothing is buffered. */
export class ReadInto extends Request<number> {
  readonly array: Uint8Array;
  /** The system reads into the array: until that ends, nothing else may. */
  is_lent = false;
  /** How many bytes the system has put there. */
  filled: number | null = null;

  constructor(reader: Answerer, loop: EventLoop, array: Uint8Array) {
    super(reader, loop, "readinto");
    this.array = array;
  }

  override cancel(message?: string): boolean {
    if (!super.cancel(message)) return false;
    this.restart();
    return true;
  }

  /** What the system has read comes behind what is put in front, so it is for the buffer again. */
  override restart(): void {
    const { filled } = this;
    if (filled === null) return;
    this.filled = null;
    this._answerer.unread(this.array.subarray(0, filled));
  }

  answer(buffer: ByteBuffer, eof: boolean): number | typeof MORE {
    if (this.is_lent) return MORE;
    if (this.filled !== null) return this.filled;
    if (buffer.length === 0) return eof ? 0 : MORE;
    const count = Math.min(this.array.length, buffer.length);
    this.array.set(buffer.look(count));
    buffer.skip(count);
    return count;
  }
}

export class ReadAll extends Request<Bytes> {
  answer(buffer: ByteBuffer, eof: boolean): Bytes | typeof MORE {
    return eof ? buffer.take(buffer.length) : MORE;
  }

  /** Nobody knows; as much again keeps the reads few. */
  override missing(buffer: ByteBuffer): number {
    return buffer.length;
  }
}

export class ReadExactly extends Request<Bytes> {
  readonly #count: number;

  constructor(reader: Answerer, loop: EventLoop, count: number) {
    super(reader, loop, "readexactly");
    this.#count = count;
  }

  answer(buffer: ByteBuffer, eof: boolean): Bytes | typeof MORE {
    if (buffer.length >= this.#count) return buffer.take(this.#count);
    if (eof) throw new IncompleteReadError(buffer.take(buffer.length), this.#count);
    return MORE;
  }

  override missing(buffer: ByteBuffer): number {
    return this.#count - buffer.length;
  }
}

export class ReadUntil extends Request<Bytes> {
  readonly #separators: Separators;
  readonly #limit: number;
  /** Whether the end of the stream ends the last one as well. */
  readonly #eof_ends: boolean;
  /** What was searched once is not searched again. */
  #searched = 0;

  constructor(
    reader: Answerer,
    loop: EventLoop,
    name: string,
    separators: Separators,
    limit: number,
    eof_ends: boolean,
  ) {
    super(reader, loop, name);
    this.#separators = separators;
    this.#limit = limit;
    this.#eof_ends = eof_ends;
  }

  answer(buffer: ByteBuffer, eof: boolean): Bytes | typeof MORE {
    const match = buffer.find(this.#separators.all, this.#searched);
    if (match !== null) {
      if (match.start > this.#limit) throw separator_is_late(match.start);
      return buffer.take(match.end);
    }
    this.#searched = Math.max(0, buffer.length - this.#separators.overlap);
    if (this.#searched > this.#limit) throw separator_is_missing(this.#searched);
    if (!eof) return MORE;
    const rest = buffer.take(buffer.length);
    if (this.#eof_ends) return rest;
    throw new IncompleteReadError(rest, null);
  }

  override restart(): void {
    this.#searched = 0;
  }
}

/** The separator is there, but too late. */
export function separator_is_late(consumed: number): LimitOverrunError {
  return new LimitOverrunError("Separator is found, but chunk is longer than limit", consumed);
}

/** The separator is not there, and has no room any more. */
export function separator_is_missing(consumed: number): LimitOverrunError {
  return new LimitOverrunError("Separator is not found, and chunk exceed the limit", consumed);
}

/** A request for what a query asks for. */
export class Asked<T> extends Request<T> {
  readonly #query: Query<T>;

  constructor(reader: Answerer, loop: EventLoop, name: string, query: Query<T>) {
    super(reader, loop, name);
    this.#query = query;
  }

  answer(buffer: ByteBuffer, eof: boolean): T | typeof MORE {
    return this.#query.answer(buffer, eof);
  }

  override missing(buffer: ByteBuffer): number {
    return this.#query.missing(buffer);
  }
}

/** A query that can be asked again and again; `null` is the end. */
export interface RepeatedQuery<T> extends Query<T | null> {
  /** Forgets how far it has looked. */
  restart(): void;
}

/**
 * The next of an iteration. It is a request itself, and not code that waits for one: so `wait_for(lines.next(), 1)` can
 * cancel it, where a promise would go on and take what nobody gets.
 */
export class Next<T> extends Request<IteratorResult<T, undefined>> {
  readonly #query: RepeatedQuery<T>;

  constructor(reader: Answerer, loop: EventLoop, name: string, query: RepeatedQuery<T>) {
    super(reader, loop, name);
    this.#query = query;
    query.restart();
  }

  answer(buffer: ByteBuffer, eof: boolean): IteratorResult<T, undefined> | typeof MORE {
    const value = this.#query.answer(buffer, eof);
    if (value === MORE) return MORE;
    return value === null ? { done: true, value: undefined } : { done: false, value };
  }

  override missing(buffer: ByteBuffer): number {
    return this.#query.missing(buffer);
  }

  override restart(): void {
    this.#query.restart();
  }
}

/** A look at the first bytes, which stay. */
export class PeekQuery implements Query<Bytes> {
  readonly #least: number;
  readonly #most: number;

  constructor(least: number, most: number) {
    this.#least = least;
    this.#most = most;
  }

  answer(buffer: ByteBuffer, eof: boolean): Bytes | typeof MORE {
    return buffer.length >= this.#least || eof ? buffer.peek(Math.min(this.#most, buffer.length)) : MORE;
  }

  missing(buffer: ByteBuffer): number {
    return this.#least - buffer.length;
  }
}

/** A length, and so many bytes behind it; `null` at the end of the stream. */
export class FrameQuery implements RepeatedQuery<Bytes> {
  readonly #size: number;
  readonly #little_endian: boolean;
  readonly #max_size: number;

  constructor(size: number, little_endian: boolean, max_size: number) {
    this.#size = size;
    this.#little_endian = little_endian;
    // Beyond that a length is not exact, and no memory would do.
    this.#max_size = Math.min(max_size, Number.MAX_SAFE_INTEGER);
  }

  answer(buffer: ByteBuffer, eof: boolean): Bytes | null | typeof MORE {
    const length = this.#length(buffer);
    if (length !== null && length > this.#max_size) {
      throw new LimitOverrunError(
        `Frame of ${length} bytes is longer than "max_size", which is ${this.#max_size}`,
        this.#size + length,
      );
    }
    if (length !== null && buffer.length >= this.#size + length) {
      buffer.skip(this.#size);
      return buffer.take(length);
    }
    if (!eof) return MORE;
    if (buffer.length === 0) return null;
    throw new IncompleteReadError(buffer.take(buffer.length), this.#size + (length ?? 0));
  }

  missing(buffer: ByteBuffer): number {
    return this.#size + (this.#length(buffer) ?? 0) - buffer.length;
  }

  restart(): void {}

  #length(buffer: ByteBuffer): number | null {
    return buffer.length < this.#size ? null : read_length(buffer.look(this.#size), this.#little_endian);
  }
}

/** Values of a fixed layout. */
export class StructQuery implements Query<StructValue[]> {
  readonly #layout: Layout;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  answer(buffer: ByteBuffer, eof: boolean): StructValue[] | typeof MORE {
    const { size } = this.#layout;
    if (buffer.length >= size) {
      const values = this.#layout.unpack(buffer.look(size));
      buffer.skip(size);
      return values;
    }
    if (eof) throw new IncompleteReadError(buffer.take(buffer.length), size);
    return MORE;
  }

  missing(buffer: ByteBuffer): number {
    return this.#layout.size - buffer.length;
  }
}
