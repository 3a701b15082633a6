/**
 * Bytes of a fixed layout, as in Python's `struct`, and frames: bytes behind their length.
 *
 * Reading them is `StreamReader.read_struct()` and `read_frame()`; this room makes the bytes, and takes them apart.
 *
 * @module
 */

import { type Bytes, check_flag, to_bytes } from "./_bytes.ts";
import { check_number, check_options, shown } from "./exceptions.ts";

// What a format means to the type checker

/**
 * What each code gives.
 *
 * @internal
 */
export interface Codes {
  readonly b: number;
  readonly B: number;
  readonly h: number;
  readonly H: number;
  readonly i: number;
  readonly I: number;
  readonly l: number;
  readonly L: number;
  readonly q: bigint;
  readonly Q: bigint;
  readonly f: number;
  readonly d: number;
  readonly s: Uint8Array<ArrayBuffer>;
  readonly "?": boolean;
}

/**
 * What each code takes, where that is more than it gives.
 *
 * @internal
 */
export interface Takes extends Omit<Codes, "q" | "Q" | "s"> {
  readonly q: bigint | number;
  readonly Q: bigint | number;
  readonly s: Uint8Array | string;
}

/** @internal */
export type Digit = "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9";

/**
 * A tuple of as many as the count says; without a count, one.
 *
 * @internal
 */
export type Repeated<T, Count extends string, R extends T[] = []> = Count extends "" ? [T]
  : `${R["length"]}` extends Count ? R
  : Repeated<T, Count, [...R, T]>;

/**
 * The tuple of a format that is taken character by character; `N` has the digits in front.
 *
 * @internal
 */
export type Items<
  T extends { readonly [C in keyof Codes]: unknown },
  F extends string,
  R extends unknown[],
  N extends string,
> = F extends `${infer C}${infer Rest}` ? C extends Digit ? Items<T, Rest, R, `${N}${C}`>
  : C extends "s" ? Items<T, Rest, [...R, T["s"]], "">
  : C extends keyof Codes ? Items<T, Rest, [...R, ...Repeated<T[C], N>], "">
  : Items<T, Rest, R, "">
  : R;

/**
 * A value out of a struct: a number, a bigint for 64 bits, a boolean or bytes.
 */
export type StructValue = number | bigint | boolean | Uint8Array<ArrayBuffer>;

/**
 * A value for a struct.
 */
export type StructArgument = number | bigint | boolean | Uint8Array | string;

/**
 * The tuple of values that a format stands for: `[number, bigint]` for `"!HQ"`; of a format that is not a literal, an
 * array.
 *
 * @typeParam F The format.
 */
export type StructValues<F extends string> = string extends F ? StructValue[] : Items<Codes, F, [], "">;

/**
 * The tuple of values that a format takes.
 *
 * @typeParam F The format.
 */
export type StructArguments<F extends string> = string extends F ? StructArgument[] : Items<Takes, F, [], "">;

// Layouts

/** How a number is read and written, and its bounds where it is an integer. */
interface Kind {
  readonly size: number;
  readonly least?: number | bigint;
  readonly most?: number | bigint;
  readonly get: (view: DataView, at: number, little_endian: boolean) => StructValue;
  readonly set: (view: DataView, at: number, value: never, little_endian: boolean) => void;
}

const BYTE: Kind = {
  size: 1,
  least: -0x80,
  most: 0x7f,
  get: (view, at) => view.getInt8(at),
  set: (view, at, value) => view.setInt8(at, value),
};
const UNSIGNED_BYTE: Kind = {
  size: 1,
  least: 0,
  most: 0xff,
  get: (view, at) => view.getUint8(at),
  set: (view, at, value) => view.setUint8(at, value),
};
const SHORT: Kind = {
  size: 2,
  least: -0x8000,
  most: 0x7fff,
  get: (view, at, little_endian) => view.getInt16(at, little_endian),
  set: (view, at, value, little_endian) => view.setInt16(at, value, little_endian),
};
const UNSIGNED_SHORT: Kind = {
  size: 2,
  least: 0,
  most: 0xffff,
  get: (view, at, little_endian) => view.getUint16(at, little_endian),
  set: (view, at, value, little_endian) => view.setUint16(at, value, little_endian),
};
const INT: Kind = {
  size: 4,
  least: -0x80000000,
  most: 0x7fffffff,
  get: (view, at, little_endian) => view.getInt32(at, little_endian),
  set: (view, at, value, little_endian) => view.setInt32(at, value, little_endian),
};
const UNSIGNED_INT: Kind = {
  size: 4,
  least: 0,
  most: 0xffffffff,
  get: (view, at, little_endian) => view.getUint32(at, little_endian),
  set: (view, at, value, little_endian) => view.setUint32(at, value, little_endian),
};
const LONG: Kind = {
  size: 8,
  least: -(2n ** 63n),
  most: 2n ** 63n - 1n,
  get: (view, at, little_endian) => view.getBigInt64(at, little_endian),
  set: (view, at, value, little_endian) => view.setBigInt64(at, BigInt(value), little_endian),
};
const UNSIGNED_LONG: Kind = {
  size: 8,
  least: 0n,
  most: 2n ** 64n - 1n,
  get: (view, at, little_endian) => view.getBigUint64(at, little_endian),
  set: (view, at, value, little_endian) => view.setBigUint64(at, BigInt(value), little_endian),
};
const FLOAT: Kind = {
  size: 4,
  get: (view, at, little_endian) => view.getFloat32(at, little_endian),
  set: (view, at, value, little_endian) => view.setFloat32(at, value, little_endian),
};
const DOUBLE: Kind = {
  size: 8,
  get: (view, at, little_endian) => view.getFloat64(at, little_endian),
  set: (view, at, value, little_endian) => view.setFloat64(at, value, little_endian),
};
const BOOLEAN: Kind = {
  size: 1,
  get: (view, at) => view.getUint8(at) !== 0,
  set: (view, at, value) => view.setUint8(at, Number(value)),
};
/** Bytes and padding are no numbers: their count is their size. */
const STRING: Kind = { size: 1, get: () => 0, set: () => {} };
const PADDING: Kind = { size: 1, get: () => 0, set: () => {} };

const KINDS: ReadonlyMap<string, Kind> = new Map([
  ["b", BYTE],
  ["B", UNSIGNED_BYTE],
  ["h", SHORT],
  ["H", UNSIGNED_SHORT],
  ["i", INT],
  ["I", UNSIGNED_INT],
  ["l", INT],
  ["L", UNSIGNED_INT],
  ["q", LONG],
  ["Q", UNSIGNED_LONG],
  ["f", FLOAT],
  ["d", DOUBLE],
  ["s", STRING],
  ["x", PADDING],
  ["?", BOOLEAN],
]);

const PLATFORM_IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
const LITTLE_ENDIAN: ReadonlyMap<string, boolean> = new Map([
  ["<", true],
  [">", false],
  ["!", false],
  ["=", PLATFORM_IS_LITTLE_ENDIAN],
]);

/** The engine makes no larger arrays on some systems. */
const MOST_SIZE = 2 ** 31 - 1;

/** Several values of one kind in a row. */
interface Run {
  readonly code: string;
  readonly kind: Kind;
  readonly count: number;
}

/** A format, taken apart. */
export class Layout {
  readonly format: string;
  /** How many bytes it takes. */
  readonly size: number;
  readonly #little_endian: boolean;
  readonly #runs: readonly Run[];
  /** How many values it has. */
  readonly #values: number;

  constructor(format: string) {
    if (typeof format !== "string") throw new TypeError(`"format" must be a string, got ${shown(format)}`);
    this.format = format;
    const order = LITTLE_ENDIAN.get(format[0]);
    this.#little_endian = order ?? PLATFORM_IS_LITTLE_ENDIAN;
    const runs: Run[] = [];
    let size = 0;
    let values = 0;
    for (const [part, digits, code] of format.slice(order === undefined ? 0 : 1).matchAll(/\s+|(\d*)([^]?)/g)) {
      if (part === "" || code === undefined) continue;
      const kind = KINDS.get(code);
      if (kind === undefined) throw new RangeError(describe_bad_format(format, code));
      const count = digits === "" ? 1 : Number(digits);
      size += count * kind.size;
      if (size > MOST_SIZE) {
        throw new RangeError(`"format" must be of no more than ${MOST_SIZE} bytes, got ${shown(format)}`);
      }
      if (kind === STRING) values++;
      else if (kind !== PADDING) values += count;
      runs.push({ code, kind, count });
    }
    this.size = size;
    this.#runs = runs;
    this.#values = values;
  }

  /** Makes the bytes of values. */
  pack(values: readonly unknown[]): Bytes {
    if (values.length !== this.#values) {
      throw new TypeError(`pack_struct() takes ${this.#values} values for "${this.format}", got ${values.length}`);
    }
    const bytes = new Uint8Array(this.size);
    const view = new DataView(bytes.buffer);
    let at = 0;
    let next = 0;
    for (const { code, kind, count } of this.#runs) {
      if (kind === STRING) {
        const data = to_bytes(`values[${next}]`, values[next++]);
        bytes.set(data.length > count ? data.subarray(0, count) : data, at);
      } else if (kind !== PADDING) {
        for (let i = 0; i < count; i++) {
          check_value(`values[${next}]`, values[next], code, kind);
          kind.set(view, at + i * kind.size, values[next++] as never, this.#little_endian);
        }
      }
      at += count * kind.size;
    }
    return bytes;
  }

  /** Takes so many bytes apart; what is cut out of them is a copy. */
  unpack(bytes: Uint8Array): StructValue[] {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const values: StructValue[] = [];
    let at = 0;
    for (const { kind, count } of this.#runs) {
      if (kind === STRING) values.push(new Uint8Array(bytes.subarray(at, at + count)));
      else if (kind !== PADDING) {
        for (let i = 0; i < count; i++) values.push(kind.get(view, at + i * kind.size, this.#little_endian));
      }
      at += count * kind.size;
    }
    return values;
  }
}

function describe_bad_format(format: string, code: string): string {
  if (code === "") return `"format" must not end with a count, got ${shown(format)}`;
  const known = [...KINDS.keys()].join(" ");
  return `Unknown character ${shown(code)} in "format" ${shown(format)}: known are ${known}, after one of < > ! =`;
}

function check_value(name: string, value: unknown, code: string, kind: Kind): void {
  if (kind === BOOLEAN) {
    if (typeof value !== "boolean") throw new TypeError(`"${name}" must be a boolean for "?", got ${shown(value)}`);
  } else if (kind.least === undefined) {
    if (typeof value !== "number") throw new TypeError(`"${name}" must be a number for "${code}", got ${shown(value)}`);
    if (kind === FLOAT && Number.isFinite(value) && !Number.isFinite(Math.fround(value))) {
      throw new RangeError(`"${name}" must be in the range of 32-bit floats for "f", got ${value}`);
    }
  } else {
    const wide = typeof kind.least === "bigint";
    if (typeof value !== "number" && !(wide && typeof value === "bigint")) {
      throw new TypeError(`"${name}" must be a number${wide ? " or a bigint" : ""} for "${code}", got ${shown(value)}`);
    }
    if (typeof value === "number" && !Number.isInteger(value)) {
      throw new RangeError(`"${name}" must be a whole number for "${code}", got ${value}`);
    }
    if (value < kind.least || value > kind.most!) {
      throw new RangeError(`"${name}" must be ${kind.least} to ${kind.most} for "${code}", got ${value}`);
    }
  }
}

/**
 * Makes bytes of values in a fixed layout, as Python's `struct.pack()`.
 *
 * A format begins with the order of bytes: `>` or `!` for big-endian (the network's), `<` for little-endian, `=` or
 * nothing for the machine's. Then comes a character for each value, and white space wherever you like:
 *
 * | character | value           | bytes |
 * | --------- | --------------- | ----- |
 * | `b` `B`   | number          | 1     |
 * | `h` `H`   | number          | 2     |
 * | `i` `I`   | number          | 4     |
 * | `l` `L`   | number          | 4     |
 * | `q` `Q`   | bigint          | 8     |
 * | `f`       | number          | 4     |
 * | `d`       | number          | 8     |
 * | `?`       | boolean         | 1     |
 * | `s`       | bytes           | 1     |
 * | `x`       | none: a zero    | 1     |
 *
 * Capital letters are unsigned. A number in front repeats what follows: `3h` is three values; but `10s` is one value of
 * 10 bytes, which is cut, or filled up with zeros, if it has another length.
 *
 * Python's `struct` differs: without an order its sizes are the machine's, with padding between; here they are as with `=`.
 *
 * @typeParam F The format.
 * @param format The layout.
 * @param values As many as it takes. For `q` and `Q` a number will do; for `s` a string, which is taken as UTF-8.
 * @returns The bytes.
 * @throws {TypeError} If a value is of another type, or their number is not that of the format.
 * @throws {RangeError} If a value is out of its range, or the format is none.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const header = asyncio.pack_struct("!BHQ", 1, 512, 7n);
 * console.log(header.length); // 11
 *
 * const reader = new asyncio.StreamReader();
 * reader.feed_data(header);
 * console.log(await reader.read_struct("!BHQ")); // [1, 512, 7n]
 * ```
 */
export function pack_struct<F extends string>(format: F, ...values: StructArguments<F>): Uint8Array<ArrayBuffer> {
  return new Layout(format).pack(values);
}

// Frames

/**
 * How the length in front of a frame is written.
 */
export interface FrameOptions {
  /**
   * How many bytes the length takes.
   *
   * @default 4
   */
  readonly size?: 1 | 2 | 4 | 8;
  /**
   * Its lowest byte comes first.
   *
   * @default false
   */
  readonly little_endian?: boolean;
}

/** How many bytes a length takes that is not told. */
export const DEFAULT_FRAME_SIZE = 4;

/** Throws unless both are what they should be. */
export function check_frame_options({ size, little_endian }: FrameOptions): void {
  if (size !== undefined) {
    check_number("size", size);
    if (![1, 2, 4, 8].includes(size)) throw new RangeError(`"size" must be 1, 2, 4 or 8, got ${size}`);
  }
  check_flag("little_endian", little_endian);
}

/** The length that these bytes are; beyond 2 ** 53, about that. */
export function read_length(prefix: Uint8Array, little_endian: boolean): number {
  let length = 0;
  const last = prefix.length - 1;
  for (let i = 0; i <= last; i++) length = 256 * length + prefix[little_endian ? last - i : i];
  return length;
}

/**
 * Puts the length of bytes in front of them, for `StreamReader.read_frame()` at the other end.
 *
 * @param data The bytes, or a string, which is taken as UTF-8.
 * @param options How the length is written.
 * @returns The length and the bytes.
 * @throws {TypeError} If `data` is neither, or an option has the wrong type or is unknown.
 * @throws {RangeError} If `size` is not 1, 2, 4 or 8, or too small for the length.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * console.log(asyncio.pack_frame("hello", { size: 2 })); // Uint8Array(7) [0, 5, 104, 101, 108, 108, 111]
 * ```
 */
export function pack_frame(data: Uint8Array | string, options?: FrameOptions): Uint8Array<ArrayBuffer> {
  const bytes = to_bytes("data", data);
  check_options(options, ["size", "little_endian"]);
  const { size = DEFAULT_FRAME_SIZE, little_endian = false } = options ?? {};
  check_frame_options({ size, little_endian });
  if (bytes.length >= 256 ** size) {
    throw new RangeError(
      `"data" must be shorter than ${256 ** size} bytes for a "size" of ${size}, got ${bytes.length}`,
    );
  }
  const frame = new Uint8Array(size + bytes.length);
  let rest = bytes.length;
  for (let i = 0; i < size; i++) {
    frame[little_endian ? i : size - 1 - i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  frame.set(bytes, size);
  return frame;
}
