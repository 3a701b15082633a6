/**
 * What the library asks of the process it runs in.
 *
 * @module
 */

import type { RawConn } from "./_deno.ts";

/** The exit code of a program that Ctrl-C ended: 128 and the signal's number. */
const INTERRUPTED = 130;

/** Whether an environment variable is set and not empty; false where it may not be read. It never asks the user. */
export function env_flag(name: string): boolean {
  if (Deno.permissions.querySync({ name: "env", variable: name }).state !== "granted") return false;
  return Boolean(Deno.env.get(name));
}

/**
 * Calls `fn` on Ctrl-C. The second time the process ends.
 *
 * Returns a function that stops listening. A listener does not keep the process alive, and needs no permission.
 */
export function on_interrupt(fn: () => void): () => void {
  let count = 0;
  const listener = () => {
    if (++count > 1) Deno.exit(INTERRUPTED);
    fn();
  };
  Deno.addSignalListener("SIGINT", listener);
  return () => Deno.removeSignalListener("SIGINT", listener);
}

/** Standard input and output in one. To close it closes the input, which ends a read that waits, and leaves the output. */
export function stdio(): RawConn {
  return {
    localAddr: null,
    remoteAddr: null,
    read: (array) => Deno.stdin.read(array),
    write: (array) => Deno.stdout.write(array),
    closeWrite: () => Promise.resolve(),
    close: () => Deno.stdin.close(),
  };
}
