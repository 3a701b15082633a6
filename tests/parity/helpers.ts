// What the TypeScript programs share; helpers.py is the twin.

import * as asyncio from "../../mod.ts";

/** Takes what a scenario prints: a line a call, the values with a space between. */
export type Print = (...values: unknown[]) => void;

/** Python's names of the classes that have another one here. */
const PYTHON_NAMES: Readonly<Record<string, string>> = {
  AggregateError: "ExceptionGroup",
  BrokenPipe: "BrokenPipeError",
  ConnectionAborted: "ConnectionAbortedError",
  ConnectionRefused: "ConnectionRefusedError",
  ConnectionReset: "ConnectionResetError",
  Error: "Exception",
  NotFound: "FileNotFoundError",
  PermissionDenied: "PermissionError",
  RangeError: "ValueError",
};

/** The class alone, under Python's name, where the text is each language's own; a result as it is. */
export function kind(error: unknown): unknown {
  return error instanceof Error ? PYTHON_NAMES[error.name] ?? error.name : error;
}

/** One form for both languages: truth values and `None` as Python's, tuples as lists, errors by class and text. */
export function show(value: unknown, nested = false): string {
  if (value instanceof asyncio.ExceptionGroup) return `${show_error(value)} ${show(value.exceptions)}`;
  if (value instanceof Error) return show_error(value);
  if (typeof value === "string") return nested ? `'${value}'` : value;
  if (typeof value === "number") return String(Number.isInteger(value) ? value : Number(value.toPrecision(6)));
  if (Array.isArray(value)) return `[${value.map((each) => show(each, true)).join(", ")}]`;
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (value instanceof Uint8Array) return `b'${Array.from(value, show_byte).join("")}'`;
  throw new TypeError(`Cannot show ${Deno.inspect(value)}`);
}

function show_error(error: Error): string {
  // Where a text names an argument behind asyncio's words, that is this library's addition.
  const text = error.message.replace(/: "\w+" is .*$/, "").replace(/<.*>/, "<...>");
  return String(kind(error)) + (text === "" ? "" : `: ${text}`);
}

function show_byte(byte: number): string {
  const known: Readonly<Record<number, string>> = { 9: "\\t", 10: "\\n", 13: "\\r", 39: "\\'", 92: "\\\\" };
  if (byte in known) return known[byte];
  return byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
}

/** What a call returns or throws. */
export function attempt(fn: () => unknown): unknown {
  try {
    return fn();
  } catch (error) {
    return error;
  }
}

/** What an awaitable ends with. */
export async function outcome_of(awaitable: PromiseLike<unknown>): Promise<unknown> {
  try {
    return await awaitable;
  } catch (error) {
    return error;
  }
}

/** Prints the number of each of the loop's next iterations. */
export function ticks(print: Print, count: number): void {
  const loop = asyncio.get_running_loop();
  const tick = (number: number) => {
    print(number);
    if (number < count) loop.call_soon(tick, number + 1);
  };
  loop.call_soon(tick, 1);
}

/** Lets the loop run so many iterations. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await asyncio.sleep(0);
}

/** Awaits; says a word if that is cancelled, and passes the cancellation on. */
export async function cancelled_with<T>(awaitable: PromiseLike<T>, print: Print, word: string): Promise<T> {
  try {
    return await awaitable;
  } catch (error) {
    if (error instanceof asyncio.CancelledError) print(word);
    throw error;
  }
}
