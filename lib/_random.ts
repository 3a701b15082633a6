/**
 * Numbers at random that are the same in every run: for tests, not for secrets.
 *
 * @module
 */

/** A sequence of numbers; the seed tells which. */
export class Random {
  #state: number;

  constructor(seed: number) {
    // All of the seed counts, a fraction and what is above 32 bits too.
    const [low, high] = new Uint32Array(new Float64Array([seed]).buffer);
    this.#state = low ^ Math.imul(high, 0x9e3779b1);
  }

  /** The next whole number, from 0 to 2 ** 32 - 1. */
  next(): number {
    // Mulberry32: short, and even enough for tests.
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** The next whole number from `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + this.next() % (most - least + 1);
  }

  /** The next number from 0 up to, and without, 1. */
  fraction(): number {
    return this.next() / 2 ** 32;
  }

  /** Puts an array into another order. */
  shuffle<T>(array: T[]): void {
    for (let i = array.length - 1; i > 0; i--) {
      const j = this.between(0, i);
      [array[i], array[j]] = [array[j], array[i]];
    }
  }
}
