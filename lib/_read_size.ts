/**
 * How many bytes to ask the system for: little while a connection idles, since a read that waits pins its array, and more
 * while reads fill what they are given.
 *
 * @module
 */

/** A read that waits pins an array of twice this size. */
const MIN_READ_SIZE = 2 * 1024;
/** Bytes that one read of the system is given room for at most. */
export const MAX_READ_SIZE = 256 * 1024;

export class ReadSize {
  bytes = MIN_READ_SIZE;

  /** A read brought so many of the bytes that it had room for. */
  adapt(count: number, room: number): void {
    if (count === room && count >= this.bytes) this.bytes = Math.min(4 * this.bytes, MAX_READ_SIZE);
    else if (4 * count < this.bytes) this.bytes = Math.max(this.bytes / 2, MIN_READ_SIZE);
  }
}
