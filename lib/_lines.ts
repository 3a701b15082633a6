/**
 * What `StreamReader.lines()` asks its reader for, again and again.
 *
 * @module
 */

import type { ByteBuffer } from "./_byte_buffer.ts";
import { type Bytes, check_flag, check_limit } from "./_bytes.ts";
import { check_options, shown } from "./exceptions.ts";
import { LINE_FEED, MORE, type RepeatedQuery, separator_is_late, separator_is_missing } from "./_requests.ts";

/**
 * Options of `StreamReader.lines()`.
 */
export interface LinesOptions {
  /**
   * How many bytes a line may have before its end; `Infinity` for no limit.
   *
   * @default the reader's limit
   */
  readonly limit?: number;
  /**
   * What becomes of a line beyond the limit:
   *
   * - `"error"`: `next()` throws a `LimitOverrunError`, and the line stays in the buffer.
   * - `"truncate"`: its first `limit` bytes are given, and the rest is dropped, up to the end of the line. Meanwhile no
   *   more of it is kept than that.
   * - `"split"`: it is given in pieces of `limit` bytes, the last of which may be shorter.
   *
   * @default "error"
   */
  readonly overlong?: "error" | "truncate" | "split";
  /**
   * Leaves the `\n` or `\r\n` at the end of each line that has one. What was cut off has none.
   *
   * @default false
   */
  readonly keep_ends?: boolean;
  /**
   * Gives strings instead of bytes: `"utf-8"`, or another label that `TextDecoder` takes and in which the byte 10 is
   * always the end of a line, as it is in all but UTF-16.
   *
   * @default bytes
   */
  readonly encoding?: string;
}

const CARRIAGE_RETURN = 13;

/** The longest character of UTF-8, in bytes. */
const LONGEST_CHARACTER = 4;

/**
 * Takes one line after the other. It keeps nothing of a line between two calls, so that whatever else reads from the buffer
 * in between finds all of it there; of a line that is being truncated, its beginning.
 */
export class LineQuery implements RepeatedQuery<Bytes | string> {
  readonly #limit: number;
  readonly #overlong: "error" | "truncate" | "split";
  readonly #keep_ends: boolean;
  readonly #decoder: LineDecoder | null;
  /** What was searched once is not searched again. */
  #searched = 0;

  constructor(options: LinesOptions | undefined, limit: number) {
    check_options(options, ["limit", "overlong", "keep_ends", "encoding"]);
    const { overlong = "error", keep_ends, encoding } = options ?? {};
    check_limit("limit", options?.limit ?? limit);
    if (overlong !== "error" && overlong !== "truncate" && overlong !== "split") {
      throw new (typeof overlong === "string" ? RangeError : TypeError)(
        `"overlong" must be "error", "truncate" or "split", got ${shown(overlong)}`,
      );
    }
    check_flag("keep_ends", keep_ends);
    this.#limit = Math.ceil(options?.limit ?? limit);
    this.#overlong = overlong;
    this.#keep_ends = keep_ends ?? false;
    this.#decoder = encoding === undefined ? null : new LineDecoder(encoding);
    // Each piece has to have room for a character.
    if (this.#decoder?.is_utf8 && overlong !== "error") this.#limit = Math.max(this.#limit, LONGEST_CHARACTER);
  }

  restart(): void {
    this.#searched = 0;
  }

  missing(): number {
    return 0;
  }

  answer(buffer: ByteBuffer, eof: boolean): Bytes | string | null | typeof MORE {
    // The end of a line within the limit is among these bytes.
    const bound = Math.min(buffer.length, this.#limit + 2);
    const match = buffer.find(LINE_FEED.all, this.#searched, bound);
    if (match !== null) {
      const length = without_return(buffer, match.start);
      if (length <= this.#limit) return this.#take_line(buffer, length, match.end);
    } else if (!this.#is_overlong(buffer, eof)) {
      this.#searched = bound;
      if (!eof) return MORE;
      return buffer.length === 0 ? null : this.#take_line(buffer, buffer.length, buffer.length);
    }
    if (this.#overlong === "split") return this.#take_piece(buffer, eof);
    if (this.#overlong === "truncate") return this.#truncate(buffer, eof);
    const late = buffer.find(LINE_FEED.all, this.#searched);
    if (late !== null) throw separator_is_late(without_return(buffer, late.start));
    throw separator_is_missing(eof ? buffer.length : without_return(buffer, buffer.length));
  }

  /** Whether a line whose `\n` is not among the first bytes is too long. */
  #is_overlong(buffer: ByteBuffer, eof: boolean): boolean {
    const beyond = buffer.length - this.#limit;
    // A `\r` may turn out to be a part of the end.
    return beyond > 1 || (beyond === 1 && (eof || without_return(buffer, buffer.length) > this.#limit));
  }

  #take_line(buffer: ByteBuffer, length: number, end: number): Bytes | string {
    const count = this.#keep_ends ? end : length;
    if (this.#decoder !== null) {
      // A string needs no bytes of its own, so the buffer's array stays in use.
      const text = this.#decoder.decode(buffer.look(count));
      buffer.skip(end);
      return text;
    }
    const bytes = buffer.take(count);
    buffer.skip(end - count);
    return bytes;
  }

  #take_piece(buffer: ByteBuffer, eof: boolean): Bytes | string | null | typeof MORE {
    const bytes = buffer.take(this.#cut(buffer));
    if (this.#decoder === null) return bytes;
    const text = this.#decoder.decode(bytes, "more follows");
    if (text !== "") return text;
    this.#searched = 0;
    return this.answer(buffer, eof);
  }

  /** Drops what comes, until the end of the line does. */
  #truncate(buffer: ByteBuffer, eof: boolean): Bytes | string | typeof MORE {
    const match = buffer.find(LINE_FEED.all, this.#searched);
    if (match === null && !eof) {
      // Two bytes beyond the limit: so that after a cancelled call, too, one sees that the line is too long.
      const kept = Math.min(this.#limit + 2, buffer.length);
      buffer.cut(kept, buffer.length);
      this.#searched = kept;
      return MORE;
    }
    const end = match?.end ?? buffer.length;
    const length = this.#cut(buffer);
    const bytes = buffer.take(length);
    buffer.skip(end - length);
    return this.#decoder === null ? bytes : this.#decoder.decode(bytes, "truncated");
  }

  /** Where to cut a line that is too long: at the limit, or before the character of UTF-8 that it would divide. */
  #cut(buffer: ByteBuffer): number {
    const limit = this.#limit;
    if (!this.#decoder?.is_utf8) return limit;
    let start = limit;
    while (limit - start < LONGEST_CHARACTER - 1 && is_continuation(buffer.byte_at(start))) start--;
    // Otherwise it is not UTF-8 at all.
    return start + character_size(buffer.byte_at(start)) > limit ? start : limit;
  }
}

/** The length without a `\r` at its end. */
function without_return(buffer: ByteBuffer, length: number): number {
  return length > 0 && buffer.byte_at(length - 1) === CARRIAGE_RETURN ? length - 1 : length;
}

function is_continuation(byte: number): boolean {
  return (byte & 0b1100_0000) === 0b1000_0000;
}

/** How many bytes the character has that begins so; 1 if none does. */
function character_size(byte: number): number {
  if (byte < 0xc2 || byte > 0xf4) return 1;
  return byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/** Decodes lines and pieces of them; a mark of the order of bytes goes only from the front of the first. */
class LineDecoder {
  readonly is_utf8: boolean;
  #decoder: TextDecoder;
  #is_first = true;

  constructor(encoding: string) {
    if (typeof encoding !== "string") throw new TypeError(`"encoding" must be a string, got ${shown(encoding)}`);
    try {
      this.#decoder = new TextDecoder(encoding);
    } catch (error) {
      throw new RangeError(`"encoding" must be a label that TextDecoder takes, got ${shown(encoding)}`, {
        cause: error,
      });
    }
    if (this.#decoder.encoding.startsWith("utf-16")) {
      throw new RangeError(`"encoding" must be one in which the byte 10 ends a line, got ${shown(encoding)}`);
    }
    this.is_utf8 = this.#decoder.encoding === "utf-8";
  }

  /** Decodes a line, or a part of one behind which it goes on, or behind which nothing of it counts. */
  decode(bytes: Uint8Array, part?: "more follows" | "truncated"): string {
    // A part of a line in UTF-8 consists of whole characters.
    const stream = part !== undefined && !this.is_utf8;
    const text = this.#decoder.decode(bytes, { stream });
    if (this.#is_first && !stream || stream && part === "truncated") {
      this.#is_first = false;
      this.#decoder = new TextDecoder(this.#decoder.encoding, { ignoreBOM: true });
    }
    return text;
  }
}
