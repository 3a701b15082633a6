/**
 * What the promises of a byte stream are written with.
 *
 * @module
 */

import { shown } from "./exceptions.ts";
import type { PairEnd, Streams } from "./memory_pairs.ts";
import type { StreamReader } from "./stream_reader.ts";
import type { StreamWriter } from "./stream_writer.ts";
import { create_task, sleep, type Task } from "./tasks.ts";

/**
 * Two ends of one connection, for `check_stream_contract()`. A `MemoryPair` is one.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const pair: asyncio.testing.ConnectedPair = asyncio.testing.memory_pair();
 * console.log(pair.client.length, pair.server.length); // 2 2
 * await pair[Symbol.asyncDispose]();
 * ```
 */
export interface ConnectedPair extends AsyncDisposable {
  /** The reader and the writer of the end that connected. */
  readonly client: Streams;
  /** The reader and the writer of the end that accepted. */
  readonly server: Streams;
  /**
   * Breaks the connection with a reset that comes from an end; only for kinds with the capability `reset`.
   *
   * @param end Where the reset comes from.
   */
  reset?(end: PairEnd): unknown;
}

/** What some kinds of streams can and others cannot. */
export type Capability = "half_close" | "reset" | "detects_loss";

/** What a promise may use: an end, called "own", and its peer. */
export interface Ends {
  readonly reader: StreamReader;
  readonly writer: StreamWriter;
  readonly peer_reader: StreamReader;
  readonly peer_writer: StreamWriter;
  /** More bytes than a peer that does not read lets leave. */
  readonly flood: number;
  /** The limit of both readers. */
  readonly limit: number;
  /** Breaks the connection from the peer's end. */
  reset_by_peer(): unknown;
}

/** One promise: how it is called, what it takes, and the code that holds a stream to it. */
export interface Promised {
  readonly name: string;
  readonly needs?: Capability;
  readonly check: (ends: Ends) => Promise<void>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

export function text(data: Uint8Array): string {
  return decoder.decode(data);
}

/** After so many bytes a pattern begins again. */
const PERIOD = 65536;

/** Bytes in which every position can be told from its neighbours. */
export function pattern(length: number): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(length);
  const reckoned = Math.min(length, PERIOD);
  for (let i = 0; i < reckoned; i++) data[i] = (i * 31 + (i >> 8) * 17) & 0xff;
  // To copy is far cheaper, and the suite sends hundreds of mebibytes.
  for (let done = PERIOD; done < length; done *= 2) data.copyWithin(done, 0, done);
  return data;
}

/** Lets some steps of the loop pass; nothing may depend on how many. */
export async function steps(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await sleep(0);
}

/** Tries to write more than a peer that does not read lets leave; the future of a `drain()` that waits. */
export function flood({ writer, flood }: Ends): ReturnType<StreamWriter["drain"]> {
  writer.transport.set_write_buffer_limits({ high: 1024 });
  writer.write(pattern(flood));
  return writer.drain();
}

/** Reads something without anybody waiting for it yet; an error waits, too. */
export function in_background<T>(body: () => PromiseLike<T>): Task<T> {
  const task = create_task(async () => await body());
  task.add_done_callback(() => {
    if (!task.cancelled()) task.exception();
  });
  return task;
}

export async function close_both({ writer, peer_writer }: Ends): Promise<void> {
  writer.close();
  peer_writer.close();
  await writer.wait_closed();
  await peer_writer.wait_closed();
}

/** Throws unless a condition holds; `what` says what was expected. */
export function expect(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`Expected ${what}`);
}

/** Throws unless both are the same text, number or boolean. */
export function expect_equal<T extends string | number | boolean | null>(actual: T, expected: T, what: string): void {
  if (!Object.is(actual, expected)) throw new Error(`Expected ${what} to be ${cut(expected)}, got ${cut(actual)}`);
}

/** Throws unless both arrays hold the same bytes, and says where they part. */
export function expect_bytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  const common = Math.min(actual.length, expected.length);
  for (let i = common_words(actual, expected); i < common; i++) {
    if (actual[i] !== expected[i]) {
      throw new Error(`Expected ${what} to be the same bytes: byte ${i} of ${expected.length} differs`);
    }
  }
  expect_equal(actual.length, expected.length, `the number of bytes of ${what}`);
}

/** How many bytes at the beginning are the same, in words of four: to look at each byte takes four times as long. */
function common_words(a: Uint8Array, b: Uint8Array): number {
  if (a.byteOffset % 4 !== 0 || b.byteOffset % 4 !== 0) return 0;
  const count = Math.min(a.length, b.length) >> 2;
  const [x, y] = [a, b].map((each) => new Int32Array(each.buffer, each.byteOffset, count));
  let i = 0;
  while (i < count && x[i] === y[i]) i++;
  return 4 * i;
}

/** Throws unless an awaitable fails with an error of a class; gives the error. */
export async function expect_error<E extends Error>(
  awaitable: PromiseLike<unknown>,
  // deno-lint-ignore no-explicit-any
  error_class: new (...args: any[]) => E,
  what: string,
): Promise<E> {
  let result: unknown;
  try {
    result = await awaitable;
  } catch (error) {
    if (error instanceof error_class) return error;
    throw new Error(`Expected ${what} to throw ${error_class.name}, got ${String(error)}`, { cause: error });
  }
  throw new Error(`Expected ${what} to throw ${error_class.name}, got ${shown(result)}`);
}

/** Throws unless a function throws an error of a class. */
export function expect_throws(
  fn: () => unknown,
  // deno-lint-ignore no-explicit-any
  error_class: new (...args: any[]) => Error,
  what: string,
): void {
  try {
    fn();
  } catch (error) {
    if (error instanceof error_class) return;
    throw new Error(`Expected ${what} to throw ${error_class.name}, got ${String(error)}`, { cause: error });
  }
  throw new Error(`Expected ${what} to throw ${error_class.name}, got no error`);
}

/** Whether a future, or a promise that became one, ends with a result; its error is swallowed. */
export async function succeeds(awaitable: PromiseLike<unknown>): Promise<boolean> {
  try {
    await awaitable;
    return true;
  } catch {
    return false;
  }
}

function cut(value: unknown): string {
  const whole = shown(value);
  return whole.length > 200 ? `${whole.slice(0, 200)}...` : whole;
}
