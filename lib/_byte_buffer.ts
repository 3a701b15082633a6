/**
 * Bytes that have arrived and were not read yet. Pure: it knows nothing of streams.
 *
 * One contiguous array, filled at the end and taken from the front. The system reads straight into its free end, so a
 * byte is copied once when it is taken, and at most once more, on average, when the array grows.
 *
 * @module
 */

/** Where a separator was found: the offsets of its first byte and of the byte after its last. */
export interface Match {
  readonly start: number;
  readonly end: number;
}

/** From this size on, a whole array is handed over instead of copied, if at least half of it is used. */
const HAND_OVER_SIZE = 16 * 1024;

const EMPTY = new Uint8Array(0);

export class ByteBuffer {
  #bytes: Uint8Array<ArrayBuffer> = EMPTY;
  #start = 0;
  #end = 0;
  /** The free end is being filled by the system, so the array must stay where it is. */
  #lent = false;

  /** How many bytes are waiting. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Copies bytes to the end. */
  append(data: Uint8Array): void {
    // The free end is not free while it is lent.
    if (this.#lent) this.#move(this.length + data.length);
    else this.#make_room(data.length);
    this.#bytes.set(data, this.#end);
    this.#end += data.length;
  }

  /** Puts bytes back in front of what is waiting. */
  prepend(data: Uint8Array): void {
    if (data.length <= this.#start) {
      this.#start -= data.length;
      this.#bytes.set(data, this.#start);
      return;
    }
    const joined = new Uint8Array(data.length + this.length);
    joined.set(data);
    joined.set(this.#bytes.subarray(this.#start, this.#end), data.length);
    this.#bytes = joined;
    this.#start = 0;
    this.#end = joined.length;
  }

  /** Lends the free end, at least `size` bytes, to be filled; `commit()` ends the loan. */
  lend(size: number): Uint8Array<ArrayBuffer> {
    this.#make_room(size);
    this.#lent = true;
    return this.#bytes.subarray(this.#end);
  }

  /** Takes the lent array back, with so many bytes filled in. */
  commit(lent: Uint8Array<ArrayBuffer>, filled: number): void {
    this.#lent = false;
    // Bytes that were added meanwhile moved to another array.
    if (lent.buffer === this.#bytes.buffer) this.#end += filled;
    else this.append(lent.subarray(0, filled));
  }

  /** Takes bytes from the front; they are the caller's own. */
  take(count: number): Uint8Array<ArrayBuffer> {
    const start = this.#start;
    const end = start + count;
    if (end === this.#end && !this.#lent && count >= HAND_OVER_SIZE && 2 * count >= this.#bytes.length) {
      const whole = this.#bytes.subarray(start, end);
      this.#bytes = EMPTY;
      this.#start = this.#end = 0;
      return whole;
    }
    const copy = this.#bytes.slice(start, end);
    this.skip(count);
    return copy;
  }

  /** Drops bytes from the front. */
  skip(count: number): void {
    this.#start += count;
    if (this.#start === this.#end && !this.#lent) this.#start = this.#end = 0;
  }

  /** Frees the array if nothing waits in it. */
  shrink(): void {
    if (this.length > 0 || this.#lent) return;
    this.#bytes = EMPTY;
    this.#start = this.#end = 0;
  }

  /** How much the array can hold without growing. */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** Finds the separator whose match ends first, and of these the shortest; looks at bytes from `from` on. */
  find(separators: readonly Uint8Array[], from: number): Match | null {
    let best: Match | null = null;
    for (const separator of separators) {
      // What ends later than the best match is of no interest, and to look for it would search the rest again each time.
      const start = this.#index_of(separator, from, best === null ? this.length : best.end);
      if (start === -1) continue;
      const end = start + separator.length;
      if (best === null || end < best.end || (end === best.end && start > best.start)) best = { start, end };
    }
    return best;
  }

  #index_of(separator: Uint8Array, from: number, to: number): number {
    const bytes = this.#bytes.subarray(this.#start, this.#start + to);
    const first_byte = separator[0];
    for (let at = bytes.indexOf(first_byte, from); at !== -1; at = bytes.indexOf(first_byte, at + 1)) {
      let matched = 1;
      while (matched < separator.length && bytes[at + matched] === separator[matched]) matched++;
      if (matched === separator.length) return at;
    }
    return -1;
  }

  #make_room(size: number): void {
    if (this.#bytes.length - this.#end >= size) return;
    const length = this.length;
    // Moved to the front, the bytes may leave room enough; but only if that is rare enough to be cheap.
    if (this.#bytes.length - length < size || this.#start < length) {
      return this.#move(Math.max(length + size, 2 * length));
    }
    this.#bytes.copyWithin(0, this.#start, this.#end);
    this.#start = 0;
    this.#end = length;
  }

  #move(capacity: number): void {
    const length = this.length;
    const moved = new Uint8Array(capacity);
    moved.set(this.#bytes.subarray(this.#start, this.#end));
    this.#bytes = moved;
    this.#start = 0;
    this.#end = length;
  }
}
