/**
 * When what was written leaves: once the code that wrote it rests, if nothing else has it leave before.
 *
 * @module
 */

import { unsent } from "./_context.ts";
import type { EventLoop } from "./deno_events.ts";
import type { Step } from "./_scopes.ts";

/** A connection with a write buffer. */
export interface Sender {
  /** Hands what waits to the kernel, unless it still works on the write before. */
  _flush(): void;
  /** Bytes wait. */
  readonly _has_waiting: boolean;
}

const RESOLVED = Promise.resolve();

/** The connections of a loop that were written to. */
export class Outbox implements Step {
  readonly #loop: EventLoop;
  #senders: Sender[] = [];
  /** When the first of them was put off, in milliseconds; 0 if none was. */
  #put_off_at = 0;

  constructor(loop: EventLoop) {
    this.#loop = loop;
  }

  /** A connection was written to: it is flushed once the running code rests, at the latest. */
  add(sender: Sender): void {
    // Most writes are followed by a drain(), which leaves nothing to do: only a microtask later the loop is asked.
    if (this.#senders.push(sender) === 1) RESOLVED.then(this.#ask);
  }

  /** One that was added could be flushed now, and is not; but once something was put off for a millisecond, all are. */
  put_off(): void {
    const now = Date.now();
    if (this.#put_off_at === 0) {
      this.#put_off_at = now;
      // The program may exit before.
      unsent.add(this);
    } else if (now !== this.#put_off_at) {
      this._flush_all();
    }
  }

  readonly #ask = (): void => {
    if (this.#senders.some((each) => each._has_waiting)) this.#loop._push(this);
    else this._flush_all();
  };

  _run(): null {
    this._flush_all();
    return null;
  }

  _flush_all(): void {
    const senders = this.#senders;
    this.#senders = [];
    if (this.#put_off_at !== 0) {
      this.#put_off_at = 0;
      unsent.delete(this);
    }
    for (const each of senders) each._flush();
  }
}
