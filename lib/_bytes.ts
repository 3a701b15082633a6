/**
 * What the rooms that handle bytes share: their type, and the checks of arguments that concern them.
 *
 * @module
 */

import { DEFAULT_HIGH_WATER } from "./constants.ts";
import { check_number, shown } from "./exceptions.ts";
import type { WriteBufferLimits } from "./_stream_options.ts";

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

/** The marks of flow control that these limits mean, in bytes; what is left out is made of the other one, as in asyncio. */
export function write_limits_of(limits: WriteBufferLimits): [low: number, high: number] {
  const high = limits.high ?? (limits.low === undefined ? DEFAULT_HIGH_WATER : 4 * limits.low);
  const low = limits.low ?? Math.floor(high / 4);
  check_number("high", high);
  check_number("low", low);
  if (!(high >= low && low >= 0)) throw new RangeError(`high (${high}) must be >= low (${low}) must be >= 0`);
  return [low, high];
}
