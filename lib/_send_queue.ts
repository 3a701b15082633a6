/**
 * Bytes on their way out. Pure: it knows nothing of connections.
 *
 * Those that the system is sending are in one array, which must not change until all of it has left; those that came
 * since are in another, and leave together when it is their turn.
 *
 * @module
 */

/** Arrays up to this size are kept for the next bytes. */
const KEPT_ARRAY_SIZE = 64 * 1024;
const FIRST_ARRAY_SIZE = 1024;
const NOTHING = new Uint8Array(0);

export class SendQueue {
  /** How many bytes have not left. */
  size = 0;
  #waiting: Uint8Array = NOTHING;
  #waiting_size = 0;
  /** What is being sent, up to `#sending_size`, `#sent` of it already done. */
  #sending: Uint8Array | null = null;
  #sending_size = 0;
  #sent = 0;
  /** The array of bytes that have left, for the next ones. */
  #spare: Uint8Array | null = null;

  /** Whether the system is at work on it. */
  get is_sending(): boolean {
    return this.#sending !== null;
  }

  /** Whether bytes wait for their turn. */
  get has_waiting(): boolean {
    return this.#waiting_size > 0;
  }

  /** Copies bytes to the end. */
  append(bytes: Uint8Array): void {
    const needed = this.#waiting_size + bytes.length;
    if (needed > this.#waiting.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.#waiting_size, FIRST_ARRAY_SIZE));
      if (this.#waiting_size > 0) grown.set(this.#waiting.subarray(0, this.#waiting_size));
      this.#waiting = grown;
    }
    this.#waiting.set(bytes, this.#waiting_size);
    this.#waiting_size = needed;
    this.size += bytes.length;
  }

  /** What is to be sent next; `null` if nothing waits, or the system is at work. */
  begin(): Uint8Array | null {
    if (this.#sending !== null || this.#waiting_size === 0) return null;
    this.#sending = this.#waiting;
    this.#sending_size = this.#waiting_size;
    this.#sent = 0;
    this.#waiting = this.#spare ?? NOTHING;
    this.#waiting_size = 0;
    this.#spare = null;
    return this.#sending.subarray(0, this.#sending_size);
  }

  /** So many bytes have left: gives the rest of what is being sent, or `null` if that was all. */
  advance(count: number): Uint8Array | null {
    const array = this.#sending!;
    this.size -= count;
    this.#sent += count;
    if (this.#sent < this.#sending_size) return array.subarray(this.#sent, this.#sending_size);
    this.#sending = null;
    if (array.length <= KEPT_ARRAY_SIZE) {
      if (this.#waiting.length === 0) this.#waiting = array;
      else this.#spare = array;
    }
    return null;
  }

  /** Drops everything. */
  clear(): void {
    this.size = this.#waiting_size = 0;
    this.#sending = null;
  }
}
