/**
 * How many bytes to ask the system for, and into what array: little while a connection idles, since a read that waits pins
 * its array, and more while reads fill what they are given.
 *
 * @module
 */

import type { ByteBuffer } from "./_byte_buffer.ts";
import type { Bytes } from "./_bytes.ts";

const MIN_READ_SIZE = 1024;
const MAX_READ_SIZE = 256 * 1024;

/**
 * The first array of a connection is small, since it may stay its only one. The next ones are larger, and serve many reads:
 * to make one costs a microsecond, and a quarter of a nanosecond for each of its bytes.
 */
const FIRST_ARRAY = MIN_READ_SIZE;
const GROWTH = 4;
const LARGEST_SHARED_ARRAY = 16 * 1024;

export class ReadSize {
  #bytes = MIN_READ_SIZE;

  /** The free end of a buffer, for a read; `missing` tells how many bytes are known to be missing. */
  lend(buffer: ByteBuffer, missing = 0): Bytes {
    if (buffer.length === 0 && buffer.capacity > Math.max(this.#bytes, LARGEST_SHARED_ARRAY)) buffer.shrink();
    const size = Math.max(this.#bytes, Math.min(missing, MAX_READ_SIZE));
    const fresh = Math.max(
      size,
      Math.min(missing, 2 * MAX_READ_SIZE),
      Math.min(GROWTH * buffer.capacity || FIRST_ARRAY, LARGEST_SHARED_ARRAY),
    );
    // A short free end is not worth a read of its own.
    return buffer.lend(size / 2, fresh);
  }

  /** A read brought so many of the bytes that it had room for. */
  adapt(count: number, room: number): void {
    if (count === room && count >= this.#bytes) this.#bytes = Math.min(4 * this.#bytes, MAX_READ_SIZE);
    else if (4 * count < this.#bytes) this.#bytes = Math.max(this.#bytes / 2, MIN_READ_SIZE);
  }
}
