/**
 * What the rooms that handle bytes share: their type, and the checks of arguments that concern them.
 *
 * @module
 */

import { check_number, shown } from "./exceptions.ts";

/** Bytes as the library hands them out: an array of the caller's own. */
export type Bytes = Uint8Array<ArrayBuffer>;

const encoder = new TextEncoder();

/** Turns what a caller gives into bytes; strings become UTF-8. */
export function to_bytes(name: string, data: unknown): Uint8Array {
  if (data instanceof Uint8Array) return data;
  if (typeof data === "string") return encoder.encode(data);
  throw new TypeError(`"${name}" must be a Uint8Array or a string, got ${shown(data)}`);
}

/** Throws unless `value` is a whole number. */
export function check_size(name: string, value: unknown): void {
  check_number(name, value);
  if (!Number.isInteger(value)) throw new RangeError(`"${name}" must be a whole number, got ${shown(value)}`);
}

/** Throws unless `value` is a number above 0; `Infinity` is one. */
export function check_limit(name: string, value: unknown): void {
  check_number(name, value);
  if (value as number <= 0) throw new RangeError(`"${name}" must be above 0, got ${value}`);
}

/** Throws unless `value` is a number of at least `lowest`; `Infinity` is one. */
export function check_number_at_least(name: string, value: unknown, lowest: number): void {
  check_number(name, value);
  if (value as number < lowest) throw new RangeError(`"${name}" must be ${lowest} or more, got ${value}`);
}

/** Throws unless `value` is a boolean, or left out. */
export function check_flag(name: string, value: unknown): void {
  if (value === undefined || typeof value === "boolean") return;
  throw new TypeError(`"${name}" must be a boolean, got ${shown(value)}`);
}
