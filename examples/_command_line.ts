// What the example programs share: reading arguments, and telling of errors in one line.

import { ExceptionGroup, KeyboardInterrupt, type SocketAddress } from "../mod.ts";

/** A mistake in the arguments. */
export class UsageError extends Error {}

/** Reads an argument that must be a whole number. */
export function whole_number(name: string, text: string, lowest: number, highest: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (value >= lowest && value <= highest) return value;
  throw new UsageError(`${name} must be a whole number from ${lowest} to ${highest}, got "${text}"`);
}

/** An address as text. */
export function show_address(address: SocketAddress | null): string {
  return address === null || typeof address === "string" ? String(address) : address.join(":");
}

/** Runs a program to its end, and turns errors into a line on standard error and an exit code. */
export async function run_program(usage: string, main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    Deno.exitCode = exit_code(usage, error);
  }
}

function exit_code(usage: string, error: unknown): number {
  // 128 and the number of SIGINT, as shells count it.
  if (error instanceof KeyboardInterrupt) return 130;
  if (error instanceof UsageError) {
    console.error(`error: ${error.message}\nusage: ${usage}`);
    return 2;
  }
  if (error instanceof ExceptionGroup) return exit_code(usage, error.exceptions[0]);
  console.error(`error: ${error instanceof Error ? error.message : error}`);
  return 1;
}
