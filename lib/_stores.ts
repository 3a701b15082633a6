/**
 * What holds a queue's items, and the order of a priority queue. Nothing here waits.
 *
 * @module
 */

import { shown } from "./exceptions.ts";

/** What holds a queue's items; each kind gives them back in its own order. A call that throws leaves it as it was. */
export interface Store<T> {
  readonly size: number;
  put(item: T): void;
  /** Gives an item; only called if there is one. */
  get(): T;
}

/** Items in front of a FIFO's first that may be empty before they are cut off. An arbitrary number. */
const KEPT_FRONT = 1024;

/**
 * First in, first out: an array whose front is cut off now and then. `Array.shift()` moves all items of a long one. The
 * array is kept when the last item leaves: to let it grow again costs more than to put and get an item.
 */
export class Fifo<T> implements Store<T> {
  #items: (T | undefined)[] = [];
  #first = 0;
  #end = 0;

  get size(): number {
    return this.#end - this.#first;
  }

  put(item: T): void {
    this.#items[this.#end++] = item;
  }

  get(): T {
    const item = this.#items[this.#first] as T;
    this.#items[this.#first++] = undefined;
    if (this.#first === this.#end) {
      this.#first = this.#end = 0;
      if (this.#items.length > KEPT_FRONT) this.#items = [];
    } else if (this.#first > KEPT_FRONT && 2 * this.#first > this.#end) {
      this.#items = this.#items.slice(this.#first, this.#end);
      this.#end -= this.#first;
      this.#first = 0;
    }
    return item;
  }
}

/** Last in, first out. */
export class Lifo<T> implements Store<T> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  put(item: T): void {
    this.#items.push(item);
  }

  get(): T {
    return this.#items.pop() as T;
  }
}

interface Entry<T> {
  readonly item: T;
  /** When it came; it decides between equals. */
  readonly order: number;
}

/** Smallest first, and of equals the one that came first: a binary heap. It is changed once nothing can fail any more. */
export class Heap<T> implements Store<T> {
  readonly #entries: Entry<T>[] = [];
  readonly #compare: (a: T, b: T) => number;
  #last_order = 0;

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#entries.length;
  }

  put(item: T): void {
    const entries = this.#entries;
    const entry = { item, order: this.#last_order + 1 };
    // With nothing to compare it with, an item that has no order is found by comparing it with itself.
    if (entries.length === 0) this.#is_before(entry, entry);
    const holes = [entries.length];
    for (let at = entries.length; at > 0;) {
      at = (at - 1) >> 1;
      if (!this.#is_before(entry, entries[at])) break;
      holes.push(at);
    }
    this.#last_order++;
    this.#fill(holes, entry);
  }

  get(): T {
    const entries = this.#entries;
    const first = entries[0];
    const size = entries.length - 1;
    const last = entries[size];
    const holes = [0];
    for (let at = 0, child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && this.#is_before(entries[child + 1], entries[child])) child++;
      if (!this.#is_before(entries[child], last)) break;
      holes.push(child);
      at = child;
    }
    entries.pop();
    if (size > 0) this.#fill(holes, last);
    return first.item;
  }

  /** Moves each entry along the path to the place before its own, and puts `entry` at the end of the path. */
  #fill(holes: readonly number[], entry: Entry<T>): void {
    const entries = this.#entries;
    for (let i = 1; i < holes.length; i++) entries[holes[i - 1]] = entries[holes[i]];
    entries[holes[holes.length - 1]] = entry;
  }

  #is_before(a: Entry<T>, b: Entry<T>): boolean {
    const difference = this.#compare(a.item, b.item);
    if (typeof difference !== "number" || Number.isNaN(difference)) {
      throw new TypeError(`"compare" must return a number, got ${shown(difference)}`);
    }
    return difference < 0 || (difference === 0 && a.order < b.order);
  }
}

/**
 * Python's order of numbers, strings and dates, and of arrays of these, which compare like tuples: the first items that
 * differ decide, so what comes after them need not be comparable.
 */
export function compare_values(a: unknown, b: unknown): number {
  if (Array.isArray(a) && Array.isArray(b)) {
    const length = Math.min(a.length, b.length);
    for (let i = 0; i < length; i++) {
      // In front, what has no order would be in the way of every other array.
      if (Object.is(a[i], b[i]) && !(i === 0 && spoils_order(a[i]))) continue;
      const difference = compare_values(a[i], b[i]);
      if (difference !== 0) return difference;
    }
    return a.length - b.length;
  }
  if (typeof a === "string" && typeof b === "string") return compare_strings(a, b);
  const x = as_number(a);
  const y = as_number(b);
  if (x === null || y === null || (a instanceof Date) !== (b instanceof Date)) {
    throw new TypeError(`Cannot compare ${shown(a)} with ${shown(b)}: give the queue a "compare" option`);
  }
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Whether it is NaN or an invalid date, or an array with one in front. */
function spoils_order(value: unknown): boolean {
  if (Array.isArray(value)) return spoils_order(value[0]);
  return (typeof value === "number" || value instanceof Date) && as_number(value) === null;
}

/** What stands for a number in a comparison; `null` for what has no order, NaN and invalid dates included. */
function as_number(value: unknown): number | bigint | null {
  if (typeof value === "bigint") return value;
  const number = value instanceof Date ? value.getTime() : typeof value === "boolean" ? Number(value) : value;
  return typeof number === "number" && !Number.isNaN(number) ? number : null;
}

/** By code points, as in Python. JavaScript's `<` compares UTF-16 units, and puts an emoji before U+FFFD. */
function compare_strings(a: string, b: string): number {
  if (a === b) return 0;
  let at = 0;
  while (at < a.length && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  // If a surrogate pair starts one unit before, that is where the characters differ.
  const start = at > 0 && (a.charCodeAt(at - 1) & 0xfc00) === 0xd800 ? at - 1 : at;
  return code_point(a, start) - code_point(b, start) || code_point(a, at) - code_point(b, at);
}

/** -1 behind the end, which comes before every character. */
function code_point(text: string, at: number): number {
  return text.codePointAt(at) ?? -1;
}
