/**
 * Bytes that have arrived and were not read yet. Pure: it knows nothing of streams.
 *
 * One contiguous array, filled at the end and taken from the front. The system reads straight into its free end. What is
 * taken is a view of the array wherever that is cheap to keep, so that it is not copied at all; the part that was handed
 * out is never written again, and when the free end runs out the rest moves to a new array.
 *
 * @module
 */

/** Where a separator was found: the offsets of its first byte and of the byte after its last. */
export interface Match {
  readonly start: number;
  readonly end: number;
}

/**
 * A view keeps its whole array alive. Of a large one, a small part is copied instead; otherwise that would be a waste: in
 * Deno a new array of any size costs about a microsecond, which is ten views.
 */
const LARGE_ARRAY = 256 * 1024;
const LEAST_SHARE = 1 / 16;

const LEAST_CAPACITY = 1024;
const EMPTY = new Uint8Array(0);

export class ByteBuffer {
  #bytes: Uint8Array<ArrayBuffer> = EMPTY;
  #start = 0;
  #end = 0;
  /** Views of the front were handed out, so it must not be written again. */
  #shared = false;
  /** The free end is being filled by the system, so the array must stay where it is. */
  #lent = false;
  /** The view of the array that was searched last. */
  #searched: Uint8Array = EMPTY;

  /** How many bytes are waiting. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Copies bytes to the end. */
  append(data: Uint8Array): void {
    // The free end is not free while it is lent.
    if (this.#lent) this.#move(this.length + data.length);
    else this.#make_room(data.length, data.length);
    this.#bytes.set(data, this.#end);
    this.#end += data.length;
  }

  /** Lends the free end, at least `least` bytes, to be filled; `commit()` ends the loan. A new array has `fresh` bytes. */
  lend(least: number, fresh: number = least): Uint8Array<ArrayBuffer> {
    this.#make_room(least, fresh);
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
    const bytes = this.#bytes;
    if (bytes.length > LARGE_ARRAY && count < LEAST_SHARE * bytes.length) {
      const copy = bytes.slice(start, end);
      this.skip(count);
      return copy;
    }
    this.#shared = true;
    this.#start = end;
    return bytes.subarray(start, end);
  }

  /** Copies bytes from the front, which stay. */
  peek(count: number): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(this.#start, this.#start + count);
  }

  /** A look at bytes at the front, which stay: a view that is not to be kept. */
  look(count: number): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#start + count);
  }

  /** The byte at an offset from the front. */
  byte_at(offset: number): number {
    return this.#bytes[this.#start + offset];
  }

  /** Copies bytes to the front. */
  prepend(data: Uint8Array): void {
    // What was handed out lies before the front.
    if (this.#shared || this.#start < data.length) this.#make_room_in_front(data.length);
    this.#start -= data.length;
    this.#bytes.set(data, this.#start);
  }

  /** Drops the bytes from one offset up to another. */
  cut(from: number, to: number): void {
    // The free end has to stay where it is while it is lent.
    if (this.#lent) this.#move(this.length);
    this.#bytes.copyWithin(this.#start + from, this.#start + to, this.#end);
    this.#end -= to - from;
  }

  /** Gives an empty buffer's array up for good, if it is lent with its free end: that may be filled later. */
  abandon(): void {
    this.#lent = false;
    this.shrink();
  }

  /** Drops bytes from the front. */
  skip(count: number): void {
    this.#start += count;
    if (this.#start === this.#end && !this.#lent && !this.#shared) this.#start = this.#end = 0;
  }

  /** Frees the array if nothing waits in it. */
  shrink(): void {
    if (this.length > 0 || this.#lent) return;
    this.#bytes = this.#searched = EMPTY;
    this.#start = this.#end = 0;
    this.#shared = false;
  }

  /** How much the array can hold without growing. */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** Finds the separator whose match ends first, and of these the shortest; looks at bytes from `from` up to `to`. */
  find(separators: readonly Uint8Array[], from: number, to: number = this.length): Match | null {
    let best: Match | null = null;
    for (const separator of separators) {
      // What ends later than the best match is of no interest, and to look for it would search the rest again each time.
      const start = this.#index_of(separator, from, best === null ? to : best.end);
      if (start === -1) continue;
      const end = start + separator.length;
      if (best === null || end < best.end || (end === best.end && start > best.start)) best = { start, end };
    }
    return best;
  }

  #index_of(separator: Uint8Array, from: number, to: number): number {
    const start = this.#start;
    const bytes = this.#up_to(start + to);
    const first_byte = separator[0];
    for (let at = bytes.indexOf(first_byte, start + from); at !== -1; at = bytes.indexOf(first_byte, at + 1)) {
      let matched = 1;
      while (matched < separator.length && bytes[at + matched] === separator[matched]) matched++;
      if (matched === separator.length) return at - start;
    }
    return -1;
  }

  /** The array up to an offset. Lines that came together are all searched for in one view: to make one takes longer. */
  #up_to(end: number): Uint8Array {
    if (this.#searched.length !== end) this.#searched = this.#bytes.subarray(0, end);
    return this.#searched;
  }

  #make_room(size: number, fresh: number): void {
    if (this.#bytes.length - this.#end >= size) return;
    const length = this.length;
    // Moved to the front, the bytes may leave room enough; but only if that is rare enough to be cheap.
    if (this.#shared || this.#bytes.length - length < size || this.#start < length) {
      return this.#move(Math.max(length + fresh, 2 * length, LEAST_CAPACITY));
    }
    this.#bytes.copyWithin(0, this.#start, this.#end);
    this.#start = 0;
    this.#end = length;
  }

  /** As much room as there are bytes, in front and behind: so that as many have to come before all move again. */
  #make_room_in_front(size: number): void {
    const length = this.length;
    const room = Math.max(size, length, LEAST_CAPACITY / 4);
    this.#move(room + 2 * length, room);
  }

  /** Moves all to a new array, behind some free room if it is to have that in front. */
  #move(capacity: number, front = 0): void {
    const length = this.length;
    const moved = new Uint8Array(capacity);
    moved.set(this.#bytes.subarray(this.#start, this.#end), front);
    this.#bytes = moved;
    this.#searched = EMPTY;
    this.#start = front;
    this.#end = front + length;
    this.#shared = false;
  }
}
