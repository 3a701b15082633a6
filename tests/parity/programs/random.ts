/**
 * Numbers that look random and are the same for the same seed, on every machine.
 *
 * @module
 */

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** A whole number of 32 bits: Mulberry32, of which neighbouring seeds give unlike numbers. */
  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let bits = this.#state;
    bits = Math.imul(bits ^ (bits >>> 15), bits | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return (bits ^ (bits >>> 14)) >>> 0;
  }

  /** A whole number; both bounds may come. */
  between(least: number, most: number): number {
    return least + this.#next() % (most - least + 1);
  }

  /** True in so many of a hundred cases. */
  chance(percent: number): boolean {
    return this.between(1, 100) <= percent;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.between(0, from.length - 1)];
  }

  /** One of several, each as often as its weight has it. */
  weighted<T>(from: readonly (readonly [weight: number, value: T])[]): T {
    let at = this.between(1, from.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, value] of from) {
      at -= weight;
      if (at <= 0) return value;
    }
    throw new RangeError("Cannot choose from nothing");
  }
}
