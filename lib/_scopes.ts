/**
 * Who waits for what: the one structure that cancellation follows.
 *
 * JavaScript cannot throw into a suspended function, but whoever owns the awaited thing can reject it. So each task is
 * a tree of scopes, and each `await` of a future in it is a `Wait` in the list of the tree's root. To cancel a scope is
 * to cancel the futures that it waits for; if there is none just now, the next wait is the one that throws.
 *
 * @module
 */

import type { EventLoop } from "./deno_events.ts";
import { CancelledError } from "./exceptions.ts";
import type { Task } from "./tasks.ts";

/**
 * A piece of work on a loop's ready queue.
 *
 * @internal
 */
export interface Step {
  /** Does the work, and tells what code it set going, which the loop lets come to rest before the next step. */
  _run(): Strand | null;
}

/**
 * Code that a step set going.
 *
 * @internal
 */
export interface Strand {
  /** Whether it has come to rest: it ended, or it waits for a future. */
  readonly _settled: boolean;
}

/** Code of which nothing is known, so that only a turn of Deno's own loop tells that its microtasks are done. */
export const UNKNOWN_STRAND: Strand = { _settled: false };

/** What a `Wait` needs of the future it waits for. */
export interface Awaitable {
  /** Cancels the future; false if it was done. */
  cancel(message?: string): boolean;
  /** Whether it ended by being cancelled. */
  cancelled(): boolean;
  /** Whether a cancellation of the scope has to reach it through those who await it in there. */
  _links(scope: Scope): boolean;
  /** Whether it is the task's own code that ends it. */
  _is_of(root: Scope): boolean;
  /** A waiter was cancelled after the outcome was set, and will not get it. */
  _lose(): void;
  /** Hands the outcome to whoever awaits. */
  // deno-lint-ignore no-explicit-any
  _pass_on(resolve: (value: any) => void, reject: (error: unknown) => void): void;
}

/**
 * What a `CancelScope` tells the scope it controls.
 *
 * @internal
 */
export interface Control {
  /** Every wait inside is cancelled, not just one. */
  readonly _cancels: boolean;
  /** Cancelled `CancelScope`s around it do not reach inside. */
  readonly _shields: boolean;
  readonly _message: string | undefined;
  /** When it will be cancelled. */
  readonly deadline: number;
}

/** Only shields; for the library's own cleanup. */
export const SHIELD: Control = { _cancels: false, _shields: true, _message: undefined, deadline: Infinity };

/**
 * A part of a task that can be cancelled by itself. The root of the tree is the task's own.
 *
 * @internal
 */
export class Scope implements Strand {
  readonly loop: EventLoop;
  readonly parent: Scope | null;
  /** The task's own scope, or the outermost one where there is no task. */
  readonly root: Scope;
  /** The task, on a root that has one. */
  readonly task: Task<unknown> | null;
  /** On a root: the waits of the whole tree, a doubly linked list. */
  first_wait: Wait | null = null;
  /** How many requests to cancel this very scope were made and not taken back. */
  cancel_requests = 0;
  /** On a root: the code that ran last has begun to wait. */
  rests = false;
  /** On a root: its code has ended. */
  finished = false;
  /** A cancellation found nothing to cancel, so the next wait inside delivers it. */
  must_cancel = false;
  cancel_message: string | undefined = undefined;
  /** The `CancelScope` of this scope, if it is one's. */
  control: Control | null = null;
  /** On a task's root: the scope of the group that the task belongs to; if that cancels always, so it does here. */
  outer: Scope | null = null;
  /** Its cancellation does not take the place of an outcome that was set before. */
  spares_outcomes = false;
  /** On a root: the abort signals that somebody asked for, made only then. */
  #signals: { scope: Scope; controller: AbortController }[] | null = null;

  constructor(loop: EventLoop, parent: Scope | null, task: Task<unknown> | null) {
    this.loop = loop;
    this.parent = parent;
    this.root = parent === null ? this : parent.root;
    this.task = task;
  }

  /**
   * Code that waited before, such as the loser of a `Promise.race()`, may do so still: what counts is a wait of the code
   * that ran last.
   */
  get _settled(): boolean {
    return this.rests || this.finished;
  }

  /** Cancels every wait inside; with none, marks the scope so that the next one is cancelled. */
  cancel(message: string | undefined): void {
    let reached = false;
    this.cancel_message = message;
    const root = this.root;
    for (let wait = this.root.first_wait; wait !== null; wait = wait.next) {
      if (!this.contains(wait.scope!) || !wait.future._links(this)) continue;
      reached = true;
      wait.cancel(this, message);
    }
    // The code that ran last runs now, or waits for something foreign: it is to hear of it too.
    if (!reached || !root.rests) this.must_cancel = true;
    this.#abort_signals(() => true);
  }

  #abort_signals(reaches: (scope: Scope) => boolean): void {
    const signals = this.root.#signals;
    if (signals === null) return;
    const aborts = ({ scope }: { scope: Scope }) => this.contains(scope) && reaches(scope);
    this.root.#signals = signals.filter((entry) => !aborts(entry));
    for (const entry of signals) {
      if (aborts(entry)) entry.controller.abort(new CancelledError(this.message));
    }
  }

  /** Takes back a cancellation of this scope that was not delivered yet. */
  forget_cancel(): void {
    this.must_cancel = false;
    for (let wait = this.root.first_wait; wait !== null; wait = wait.next) wait.forget_cancel(this);
  }

  contains(scope: Scope): boolean {
    for (let each: Scope | null = scope; each !== null; each = each.parent) {
      if (each === this) return true;
    }
    return false;
  }

  /** The scope, itself or one around it, that has a cancellation still to deliver. */
  pending_cancel(): Scope | null {
    let shielded = false;
    for (let each: Scope | null = this as Scope; each !== null; each = each.parent) {
      if (each.must_cancel) return each;
      const control = each.control;
      if (control !== null) {
        if (control._cancels && !shielded) return each;
        if (control._shields) shielded = true;
      }
      if (each.outer !== null && !shielded) return each.outer.#cancelling();
    }
    return null;
  }

  /** The scope, itself or one around it up to a shield, whose `CancelScope` is cancelled. */
  #cancelling(): Scope | null {
    for (let each: Scope | null = this as Scope; each !== null; each = each.parent ?? each.outer) {
      if (each.control?._cancels) return each;
      if (each.control?._shields) return null;
    }
    return null;
  }

  /** Cancels the waits inside that a cancelled `CancelScope` reaches; for when one, or a shield, has changed. */
  redeliver(): void {
    for (let wait = this.root.first_wait; wait !== null; wait = wait.next) {
      const pending = this.contains(wait.scope!) ? wait.scope!.#cancelling() : null;
      if (pending !== null && wait.future._links(pending)) wait.cancel(pending, pending.control!._message);
    }
    this.#abort_signals((scope) => scope.pending_cancel() !== null);
  }

  /** The text of its cancellation. */
  get message(): string | undefined {
    return this.control?._cancels ? this.control._message : this.cancel_message;
  }

  /** How many requests to cancel this scope, or one around it, are open. */
  open_requests(): number {
    let count = 0;
    for (let each: Scope | null = this as Scope; each !== null; each = each.parent) count += each.cancel_requests;
    return count;
  }

  /**
   * How many requests to cancel the scopes around this one are open. A block compares it with the number at its entry to
   * tell its own cancellation from an outsider's. It is not the task's total: a timeout in another branch of the task is
   * no outsider here.
   */
  outside_requests(): number {
    return this.parent === null ? 0 : this.parent.open_requests();
  }

  /** The same without a request that is still to be delivered, which will be news to a block that is entered now. */
  delivered_outside_requests(): number {
    return this.outside_requests() - (this.pending_cancel() === null ? 0 : 1);
  }

  /** A signal that aborts when this scope, or one around it, is cancelled. */
  signal(): AbortSignal {
    const known = this.root.#signals?.find((entry) => entry.scope === this);
    if (known !== undefined) return known.controller.signal;
    const pending = this.pending_cancel();
    if (pending !== null) return AbortSignal.abort(new CancelledError(pending.message));
    const controller = new AbortController();
    (this.root.#signals ??= []).push({ scope: this, controller });
    return controller.signal;
  }
}

/** One `await` of a future that was pending: from the call of `then()` until the outcome is handed over. */
export class Wait implements Step {
  readonly future: Awaitable;
  readonly scope: Scope | undefined;
  // deno-lint-ignore no-explicit-any
  readonly #resolve: (value: any) => void;
  readonly #reject: (error: unknown) => void;
  #linked = false;
  /** The scope whose cancellation the future did not take, because it was done; the waiter is to hear of it. */
  #cancelled_by: Scope | null = null;
  #cancel_message: string | undefined = undefined;
  next: Wait | null = null;
  #previous: Wait | null = null;

  constructor(
    future: Awaitable,
    scope: Scope | undefined,
    // deno-lint-ignore no-explicit-any
    resolve: (value: any) => void,
    reject: (error: unknown) => void,
  ) {
    this.future = future;
    this.scope = scope;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Puts the wait into its root's list, and delivers a cancellation that was pending there. */
  link(scope: Scope): void {
    const root = scope.root;
    const first = root.first_wait;
    this.next = first;
    if (first !== null) first.#previous = this;
    root.first_wait = this;
    // The task's own code that this waits for may be running.
    if (!this.future._is_of(root)) root.rests = true;
    this.#linked = true;
    const pending = scope.pending_cancel();
    if (pending === null || !this.future._links(pending)) return;
    pending.must_cancel = false;
    this.cancel(pending, pending.message);
  }

  /** Cancels the future, or else has the cancellation take the place of its outcome. */
  cancel(scope: Scope, message: string | undefined): void {
    if (this.future.cancel(message) || scope.spares_outcomes) return;
    this.#cancelled_by = scope;
    this.#cancel_message = message;
  }

  /** Takes back a cancellation by `scope` that was not delivered yet. */
  forget_cancel(scope: Scope): void {
    if (this.#cancelled_by === scope) this.#cancelled_by = null;
  }

  #unlink(root: Scope): void {
    if (this.#previous === null) root.first_wait = this.next;
    else this.#previous.next = this.next;
    if (this.next !== null) this.next.#previous = this.#previous;
    this.next = this.#previous = null;
    this.#linked = false;
  }

  /** Hands the future's outcome over. A cancellation that came after it was set, and before now, takes its place. */
  _run(): Strand | null {
    const scope = this.scope;
    if (scope === undefined) {
      this.future._pass_on(this.#resolve, this.#reject);
      return UNKNOWN_STRAND;
    }
    if (this.#linked) this.#unlink(scope.root);
    scope.root.rests = false;
    if (this.#cancelled_by === null || this.future.cancelled()) {
      this.future._pass_on(this.#resolve, this.#reject);
    } else {
      this.future._lose();
      this.#reject(new CancelledError(this.#cancel_message));
    }
    return scope.root;
  }
}
