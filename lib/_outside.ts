/**
 * What is under way outside of a loop: so that a clock that jumps does not time out what the machine is still at.
 *
 * A loop keeps this account only where its clock is not the machine's own, so it costs others nothing.
 *
 * @module
 */

import type { OutsideWork } from "./clocks.ts";
import type { Network, RawConn, RawListener } from "./_deno.ts";
import type { Task } from "./tasks.ts";

const NONE: readonly object[] = [];

/** A loop's account of the work outside of it. */
export class Outside implements OutsideWork {
  readonly #tasks: () => Iterable<Task<unknown>>;
  readonly #uncertain = new Set<object>();
  operations = 0;

  constructor(tasks: () => Iterable<Task<unknown>>) {
    this.#tasks = tasks;
  }

  /** Notes an operation that ends by itself. */
  async during<T>(operation: Promise<T>): Promise<T> {
    this.operations++;
    try {
      return await operation;
    } finally {
      this.operations--;
    }
  }

  /** The same for a future, whose waiters are not to wait longer. */
  during_future(future: { done(): boolean; _on_done(fn: () => void): void }): void {
    if (future.done()) return;
    this.operations++;
    future._on_done(() => void this.operations--);
  }

  /** Notes a wait that may or may not be for something outside. */
  perhaps_during(promise: PromiseLike<unknown>): void {
    const wait = {};
    const end = () => void this.#uncertain.delete(wait);
    this.#uncertain.add(wait);
    promise.then(end, end);
  }

  get uncertain(): readonly object[] {
    let found: object[] | null = null;
    for (const task of this.#tasks()) {
      const { _scope: scope } = task;
      if (!scope._settled && !scope.waits_for_others) (found ??= [...this.#uncertain]).push(task);
    }
    return found ?? (this.#uncertain.size === 0 ? NONE : [...this.#uncertain]);
  }
}

/** A network whose operations are noted. */
export function watched_network(network: Network, outside: Outside): Network {
  const watched_listener = (listener: RawListener): RawListener => ({
    addr: listener.addr,
    accept: async () => {
      const accepting = listener.accept();
      // Nobody may ever come.
      outside.perhaps_during(accepting);
      return new WatchedConn(await accepting, outside);
    },
    close: () => listener.close(),
  });
  return {
    ...network,
    resolve: (...args) => outside.during(network.resolve(...args)),
    connect_tcp: async (...args) => new WatchedConn(await outside.during(network.connect_tcp(...args)), outside),
    connect_unix: async (...args) => new WatchedConn(await outside.during(network.connect_unix(...args)), outside),
    listen_tcp: (...args) => watched_listener(network.listen_tcp(...args)),
    listen_unix: async (...args) => watched_listener(await outside.during(network.listen_unix(...args))),
  };
}

class WatchedConn implements RawConn {
  readonly #conn: RawConn;
  readonly #outside: Outside;

  constructor(conn: RawConn, outside: Outside) {
    this.#conn = conn;
    this.#outside = outside;
  }

  get localAddr(): RawConn["localAddr"] {
    return this.#conn.localAddr;
  }

  get remoteAddr(): RawConn["remoteAddr"] {
    return this.#conn.remoteAddr;
  }

  read(array: Uint8Array): Promise<number | null> {
    return this.#outside.during(this.#conn.read(array));
  }

  write(array: Uint8Array): Promise<number> {
    return this.#outside.during(this.#conn.write(array));
  }

  closeWrite(): Promise<void> {
    return this.#outside.during(this.#conn.closeWrite());
  }

  close(): void {
    this.#conn.close();
  }

  get_extra_info(name: string): unknown {
    return name === "conn" ? this.#conn : this.#conn.get_extra_info?.(name);
  }
}
