/**
 * One thread, and one job for it.
 *
 * A thread is a worker of `node:worker_threads`, which in Deno is a web worker underneath. A bare `Worker` starts in half
 * the time, but keeps the process alive until it is terminated, so that none could be kept for the next job; and it says
 * nothing when it ends by `close()` or `Deno.exit()`, so that a job would wait for ever.
 *
 * @module
 */

import type { Worker } from "node:worker_threads";
import type { EventLoop } from "./deno_events.ts";
import { type Envelope, type Order, type Reply, revive, type Target, thread_url } from "./_deno_thread.ts";
import { BrokenWorkerThread } from "./exceptions.ts";
import { Future } from "./futures.ts";
import type { Purpose } from "./_purpose.ts";
import type { CapacityLimiter } from "./limiters.ts";

/** How a job is to be run. */
export interface JobOptions {
  readonly transfer?: readonly Transferable[];
  readonly signal?: AbortSignal;
  readonly limiter?: CapacityLimiter;
  readonly cancellable?: boolean;
}

/** Who runs jobs. */
export interface JobOwner {
  /** Nobody waits for the job any more. */
  _abandoned(job: Job<unknown>): void;
}

/** A call of a function in a thread, as the future of its outcome. */
export class Job<T> extends Future<T> {
  readonly #owner: JobOwner;
  readonly target: Target;
  readonly options: JobOptions;
  #args: readonly unknown[];
  #transfer: readonly Transferable[];
  #stop_listening: (() => void) | null = null;

  constructor(loop: EventLoop, owner: JobOwner, target: Target, args: readonly unknown[], options: JobOptions) {
    super({ loop });
    this.#owner = owner;
    this.target = target;
    this.options = options;
    this.#args = args;
    this.#transfer = options.transfer ?? [];
    const signal = options.signal;
    if (signal === undefined) return;
    const on_abort = () => {
      if (this.done()) return;
      this._finish(undefined, signal.reason ?? new DOMException("The signal has been aborted", "AbortError"), false);
      this.#abandon();
    };
    if (signal.aborted) {
      on_abort();
    } else {
      signal.addEventListener("abort", on_abort, { once: true });
      this.#stop_listening = () => signal.removeEventListener("abort", on_abort);
    }
  }

  override get _purpose(): Purpose {
    return { call: "a thread", external: true };
  }

  /** Takes the arguments as they are now: a job that waits is not to see what becomes of them. */
  pack(): void {
    const { args, transfer } = structuredClone({ args: this.#args, transfer: this.#transfer }, {
      transfer: [...this.#transfer],
    });
    this.#args = args;
    this.#transfer = transfer;
  }

  /** Hands the arguments to a worker. */
  send(worker: Worker): void {
    const envelope: Envelope<Order> = new Map([["message", { target: this.target, args: this.#args }]]);
    worker.postMessage(envelope, this.#transfer as never[]);
    this.#args = this.#transfer = [];
  }

  override cancel(message?: string): boolean {
    if (!super.cancel(message)) return false;
    this.#abandon();
    return true;
  }

  #abandon(): void {
    this.#release();
    this.#owner._abandoned(this as Job<unknown>);
  }

  #release(): void {
    this.#stop_listening?.();
    this.#stop_listening = null;
    this.#args = this.#transfer = [];
  }

  /** Ends it as the thread says; what nobody waits for any more is dropped. */
  end(reply: Reply): void {
    if (reply.kind === "result") this.#deliver(reply.value as T, undefined);
    else this.fail(revive(reply.error));
  }

  fail(error: unknown): void {
    this.#deliver(undefined, error ?? new Error(`Thrown: ${error}`));
  }

  #deliver(result: T | undefined, error: unknown): void {
    this.#release();
    this.get_loop()._deliver(() => {
      if (!this.done()) this._finish(result, error, false);
    }, undefined);
  }
}

/** Who has threads. */
export interface ThreadOwner {
  /** The thread is about to end, and must get no job any more. */
  _dying(thread: Thread): void;
  /** The thread has done a job. */
  _freed(thread: Thread, job: Job<unknown>): void;
  /** The thread is no more; it had a job or none. */
  _ended(thread: Thread, job: Job<unknown> | null): void;
}

/** A worker that does one job at a time. Without one it does not keep the process alive. */
export class Thread {
  readonly name: string;
  readonly #owner: ThreadOwner;
  readonly #worker: Worker;
  #job: Job<unknown> | null = null;
  #terminated = false;
  #dying = false;
  /** What nobody caught in it. */
  #error: unknown = undefined;
  /** The loop of its last job, which hears of an error that comes after it. */
  #loop: EventLoop | null = null;

  constructor(name: string, owner: ThreadOwner) {
    this.name = name;
    this.#owner = owner;
    // Loading it takes a few milliseconds, which programs without threads need not spend.
    const { SHARE_ENV, Worker } = globalThis.process.getBuiltinModule("node:worker_threads");
    // A copy of the environment would ask for leave to read it.
    this.#worker = new Worker(thread_url(), { name, env: SHARE_ENV as unknown as Record<string, string> });
    this.#worker.on("message", (envelope: Envelope<Reply>) => this.#hear(envelope.get("message")!));
    this.#worker.on("error", (error) => this.#error ??= error);
    this.#worker.on("exit", () => this.#end());
    this.#worker.unref();
  }

  get job(): Job<unknown> | null {
    return this.#job;
  }

  /**
   * Starts a job.
   *
   * @throws {DOMException} If the arguments cannot be cloned; the thread is free then.
   */
  run(job: Job<unknown>): void {
    job.send(this.#worker);
    this.#job = job;
    this.#loop = job.get_loop();
    this.#worker.ref();
  }

  /** Ends it, in the middle of a job as well. */
  terminate(): void {
    if (this.#terminated) return;
    this.#terminated = true;
    // Whoever waits for its end is not to be left waiting by the end of the process.
    if (this.#job === null) this.#worker.ref();
    this.#worker.terminate();
  }

  #hear(reply: Reply): void {
    const job = this.#job;
    if (reply.kind === "dying") {
      this.#dying = true;
      this.#error = revive(reply.error);
      this.#owner._dying(this);
    } else if (job !== null && !this.#dying) {
      this.#job = null;
      this.#worker.unref();
      this.#owner._freed(this, job);
      job.end(reply);
    }
  }

  #end(): void {
    const job = this.#job;
    const error = this.#error;
    this.#job = null;
    this.#owner._ended(this, job);
    if (job !== null) {
      const why = this.#terminated ? "was terminated" : error === undefined ? "ended itself" : "ended with an error";
      const message = `Cannot finish "${job.target.name}": its thread "${this.name}" ${why}`;
      const text = error instanceof Error ? `: ${error.message}` : "";
      job.fail(new BrokenWorkerThread(message + text, error === undefined ? undefined : { cause: error }));
    } else if (error !== undefined) {
      this.#loop?.call_exception_handler({ message: `Unhandled error in thread "${this.name}"`, exception: error });
    }
  }
}
