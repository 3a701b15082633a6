/**
 * Errors that nobody asked for: they are reported when their future is collected, and at the latest when its loop ends.
 *
 * @module
 */

import type { EventLoop } from "./deno_events.ts";
import type { Future } from "./futures.ts";

/** What is kept of a future apart from the future itself, so that the watch does not keep it alive. */
interface Entry {
  readonly errors: UnretrievedErrors;
  readonly future: WeakRef<Future<unknown>>;
  readonly key: "future" | "task";
  readonly description: string;
  readonly exception: unknown;
}

const collected = new FinalizationRegistry<Entry>((entry) => entry.errors.report(entry));

export class UnretrievedErrors {
  readonly #loop: EventLoop;
  readonly #entries = new Set<Entry>();
  readonly #entry_of = new WeakMap<Future<unknown>, Entry>();

  constructor(loop: EventLoop) {
    this.#loop = loop;
  }

  watch(future: Future<unknown>, key: "future" | "task", description: string, exception: unknown): void {
    const entry = { errors: this, future: new WeakRef(future), key, description, exception };
    // Finalizers do not run at the end of the process, and the default loop is never closed.
    if (this.#entries.size === 0) globalThis.addEventListener("unload", this.report_all);
    this.#entries.add(entry);
    this.#entry_of.set(future, entry);
    collected.register(future, entry, future);
  }

  unwatch(future: Future<unknown>): void {
    const entry = this.#entry_of.get(future);
    if (entry === undefined) return;
    this.#remove(entry);
    this.#entry_of.delete(future);
    collected.unregister(future);
  }

  readonly report_all = (): void => {
    for (const entry of this.#entries) this.report(entry);
  };

  report(entry: Entry): void {
    if (!this.#remove(entry)) return;
    this.#loop.call_exception_handler({
      message: `${entry.key === "task" ? "Task" : "Future"} exception was never retrieved`,
      exception: entry.exception,
      [entry.key]: entry.future.deref() ?? entry.description,
    });
  }

  #remove(entry: Entry): boolean {
    if (!this.#entries.delete(entry)) return false;
    if (this.#entries.size === 0) globalThis.removeEventListener("unload", this.report_all);
    return true;
  }
}
