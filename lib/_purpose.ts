/**
 * What a wait is for. Nothing of it is noted while a program runs: a future that is asked follows the references that it
 * has anyway, to the lock, the connection or the timer that will end it.
 *
 * @module
 */

import type { EventLoop } from "./deno_events.ts";
import { Future } from "./futures.ts";

/** What ends a future, for the picture of what a program waits for. */
export interface Purpose {
  /** The call that gave the future, such as `"acquire"`. */
  readonly call: string;
  /** What the call was made on. It prints itself. */
  readonly of?: unknown;
  /** The futures that have to end before. */
  readonly futures?: Iterable<Future<unknown>>;
  /** The loop's time at which it ends. */
  readonly until?: number;
  /** Whether what ends it may come from outside of the loop: the system, a thread, or code of which nothing is known. */
  readonly external?: boolean;
}

/** A future that a library call waits for inside, and that knows what for. */
export class Signpost<T> extends Future<T> {
  readonly #purpose: Purpose;

  constructor(purpose: Purpose, loop?: EventLoop) {
    super({ loop });
    this.#purpose = purpose;
  }

  override get _purpose(): Purpose {
    return this.#purpose;
  }
}
