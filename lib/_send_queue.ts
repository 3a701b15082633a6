/**
 * Bytes on their way out. Pure: it knows nothing of connections.
 *
 * They are copied into arrays, which the system is given one at a time: one must not change until all of it has left. The
 * arrays belong to a pool. So a connection with nothing to send holds none, and since most writes leave at once, all
 * connections take turns with a few arrays that stay in the processor's cache.
 *
 * @module
 */

/** Sizes of arrays, and how many of each the pool keeps. The largest is as much as the system is given at a time. */
const SIZES: readonly (readonly [size: number, kept: number])[] = [[2 * 1024, 256], [16 * 1024, 64], [256 * 1024, 16]];
const LARGEST = SIZES.at(-1)![0];

/** Arrays of some sizes that were used and will be again: a new one is allocated and filled with zeros. */
export class ArrayPool {
  readonly #arrays: readonly Uint8Array[][] = SIZES.map(() => []);

  /** An array with room for so many bytes, or one of the largest. */
  take(size: number): Uint8Array {
    let kind = 0;
    while (kind < SIZES.length - 1 && SIZES[kind][0] < size) kind++;
    return this.#arrays[kind].pop() ?? new Uint8Array(SIZES[kind][0]);
  }

  give(array: Uint8Array): void {
    const kind = SIZES.findIndex(([size]) => size === array.length);
    if (this.#arrays[kind].length < SIZES[kind][1]) this.#arrays[kind].push(array);
  }
}

export class SendQueue {
  readonly #pool: ArrayPool;
  /** How many bytes have not left. */
  size = 0;
  /** What is being sent, up to `#sending_size`, `#sent` of it already done. */
  #sending: Uint8Array | null = null;
  #sending_size = 0;
  #sent = 0;
  /** What waits: full arrays, and behind them one that is not. */
  readonly #full: Uint8Array[] = [];
  #last: Uint8Array | null = null;
  #last_size = 0;

  constructor(pool: ArrayPool) {
    this.#pool = pool;
  }

  /** Whether the system is at work on it. */
  get is_sending(): boolean {
    return this.#sending !== null;
  }

  /** Whether bytes wait for their turn. */
  get has_waiting(): boolean {
    return this.#last !== null || this.#full.length > 0;
  }

  /** Copies bytes to the end. */
  append(bytes: Uint8Array): void {
    this.size += bytes.length;
    let rest = bytes;
    for (;;) {
      const last = this.#make_room(rest.length);
      const room = last.length - this.#last_size;
      if (rest.length <= room) {
        last.set(rest, this.#last_size);
        this.#last_size += rest.length;
        return;
      }
      last.set(rest.subarray(0, room), this.#last_size);
      this.#full.push(last);
      this.#last = null;
      rest = rest.subarray(room);
    }
  }

  /** The array that is not full; it is exchanged for a larger one when more comes than it has room for. */
  #make_room(size: number): Uint8Array {
    const last = this.#last;
    if (last === null) this.#last_size = 0;
    const needed = this.#last_size + size;
    if (last !== null && (last.length === LARGEST || needed <= last.length)) return last;
    const taken = this.#pool.take(needed);
    if (last !== null) {
      taken.set(last.subarray(0, this.#last_size));
      this.#pool.give(last);
    }
    return this.#last = taken;
  }

  /** What is to be sent next; `null` if nothing waits, or the system is at work. */
  begin(): Uint8Array | null {
    if (this.#sending !== null) return null;
    let array = this.#full.shift() ?? null;
    if (array !== null) this.#sending_size = array.length;
    else {
      if (this.#last === null) return null;
      array = this.#last;
      this.#sending_size = this.#last_size;
      this.#last = null;
    }
    this.#sending = array;
    this.#sent = 0;
    return array.subarray(0, this.#sending_size);
  }

  /** So many bytes have left: gives the rest of what is being sent, or `null` if that was all. */
  advance(count: number): Uint8Array | null {
    const array = this.#sending!;
    this.size -= count;
    this.#sent += count;
    if (this.#sent < this.#sending_size) return array.subarray(this.#sent, this.#sending_size);
    this.#sending = null;
    this.#pool.give(array);
    return null;
  }

  /** Drops everything. What the system is at work on it may still read, so that array is not used again. */
  clear(): void {
    this.size = this.#full.length = 0;
    this.#last = this.#sending = null;
  }
}
