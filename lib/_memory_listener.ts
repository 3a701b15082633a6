/**
 * A socket in memory that is listened on.
 *
 * @module
 */

import { type Address, BadResourceError, ConnectionAbortedError, type RawConn, type RawListener } from "./_deno.ts";
import type { MemoryConn } from "./_memory_conn.ts";

/** Listens in a memory network. */
export class MemoryListener implements RawListener {
  readonly addr: Address;
  readonly #backlog: number;
  /** Tells the error that the next accept fails with, if it is to. */
  readonly #fault: () => Error | null;
  readonly #on_close: () => void;
  /** Connections that nobody has accepted. */
  readonly #arrived: MemoryConn[] = [];
  #accepting: PromiseWithResolvers<RawConn> | null = null;
  /** Clients that wait for room. */
  readonly #knocking: (() => void)[] = [];
  #is_closed = false;

  constructor(addr: Address, backlog: number, fault: () => Error | null, on_close: () => void) {
    this.addr = addr;
    this.#backlog = backlog;
    this.#fault = fault;
    this.#on_close = on_close;
  }

  get is_closed(): boolean {
    return this.#is_closed;
  }

  /** Until there is room for one more: a kernel leaves a client without an answer, which then asks again. */
  async room(): Promise<void> {
    while (!this.#is_closed && this.#arrived.length >= this.#backlog) {
      await new Promise<void>((resolve) => this.#knocking.push(resolve));
    }
  }

  connected(conn: MemoryConn): void {
    this.#arrived.push(conn);
    this.#serve();
  }

  accept(): Promise<RawConn> {
    if (this.#is_closed) return Promise.reject(listener_closed());
    this.#accepting = Promise.withResolvers();
    const { promise } = this.#accepting;
    this.#serve();
    return promise;
  }

  #serve(): void {
    if (this.#accepting === null || this.#arrived.length === 0) return;
    const { resolve, reject } = this.#accepting;
    this.#accepting = null;
    const error = this.#fault();
    if (error === null || error instanceof ConnectionAbortedError) {
      const conn = this.#arrived.shift()!;
      this.#knocking.shift()?.();
      if (error === null) return resolve(conn);
      conn.reset();
    }
    reject(error!);
  }

  close(): void {
    if (this.#is_closed) throw listener_closed();
    this.#is_closed = true;
    this.#on_close();
    this.#accepting?.reject(listener_closed());
    this.#accepting = null;
    for (const conn of this.#arrived.splice(0)) conn.reset();
    for (const knock of this.#knocking.splice(0)) knock();
  }
}

const listener_closed = () => new BadResourceError("Listener has been closed");
