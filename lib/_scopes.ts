/**
 * Who waits for what: the one structure that cancellation follows.
 *
 * JavaScript cannot throw into a suspended function, but whoever owns the awaited thing can reject it. So each task is
 * a tree of scopes, and each `await` of a future in it is a `Wait` in the list of its scope. To cancel a scope is to
 * cancel the futures that are waited for in it and below; if there is none just now, the next wait is the one that throws.
 *
 * A scope hangs in the list of the one around it only while there is something to cancel in it, so to cancel costs as
 * much as what is cancelled. Rejected: one list for the whole tree. A task that had 20,000 calls time out, those of one
 * `Promise.all()`, walked through it for 23 seconds. The tree of a task hangs in the scope of the task's group, which
 * `CancelScope`s follow.
 *
 * @module
 */

import { Chained, type Receiver } from "./_chained.ts";
import type { EventLoop } from "./deno_events.ts";
import { CancelledError, thrown_by_loop } from "./exceptions.ts";
import type { Task } from "./tasks.ts";

/**
 * A piece of work on a loop's ready queue.
 *
 * @internal
 */
export interface Step {
  /** Does the work, and tells what code it set going, which the loop lets come to rest before the next step. */
  _run(): Strand | null;
  /** The step itself, where debug mode has put another around it. */
  readonly _inner?: Step;
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
  /** Whether it is the task's own code that ends it. */
  _is_of(root: Scope): boolean;
  /** A waiter was cancelled after the outcome was set, and will not get it. */
  _lose(): void;
  /** Whether a cancellation of the scope gets to the code behind the future by itself. */
  _hears_of(scope: Scope): boolean;
  /** Hands the outcome to whoever awaits. */
  _pass_on(receiver: Receiver): void;
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
  /** The waits of its own code, a doubly linked list. */
  first_wait: Wait | null = null;
  /** How many requests to cancel it were made, by its manager or to its task, and not taken back. */
  cancel_requests = 0;
  /** How many requests to cancel it were made to the call that it is the scope of: to its manager, from outside. */
  call_requests = 0;
  /** On a root: the code that ran last has begun to wait. */
  rests = false;
  /** Its code has ended. */
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
  /** Of the abort signal, if somebody asked for it. */
  #controller: AbortController | null = null;
  /** In whose list it is; there, its neighbours. */
  #above: Scope | null = null;
  #next: Scope | null = null;
  #previous: Scope | null = null;
  #first_below: Scope | null = null;
  #last_below: Scope | null = null;

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

  get #around(): Scope | null {
    return this.parent ?? this.outer;
  }

  /** There is something to cancel in it: puts it into the list of the scope around it, and so on up. */
  attach(): void {
    let each = this as Scope;
    for (let above = each.#around; above !== null && each.#above === null; above = each.#around) {
      each.#above = above;
      each.#previous = above.#last_below;
      if (each.#previous === null) above.#first_below = each;
      else each.#previous.#next = each;
      above.#last_below = each;
      each = above;
    }
  }

  /** Makes it, the root of a task, one of the task's group. */
  join(group: Scope): void {
    this.outer = group;
    // A task that started at once may wait already.
    this.attach();
    this.detach();
  }

  /** Something in it is over: takes it out of the list if that was the last, and so on up. */
  detach(): void {
    let each = this as Scope;
    while (each.first_wait === null && each.#first_below === null && each.#controller === null) {
      const above = each.#above;
      if (above === null) return;
      if (each.#previous === null) above.#first_below = each.#next;
      else each.#previous.#next = each.#next;
      if (each.#next === null) above.#last_below = each.#previous;
      else each.#next.#previous = each.#previous;
      each.#above = each.#next = each.#previous = null;
      each = above;
    }
  }

  /** Its code has ended, and does not need the signal any more. */
  end(): void {
    this.finished = true;
    if (this.#controller === null) return;
    this.#controller = null;
    this.detach();
  }

  /** Itself, and the scopes below with something to cancel; `with_tasks`: in the tasks of its groups too. */
  #active(with_tasks: boolean): Scope[] {
    const found: Scope[] = [];
    let each = this as Scope;
    for (;;) {
      found.push(each);
      let next = each.#first_below;
      for (;;) {
        while (next !== null && next.parent === null && !with_tasks) next = next.#next;
        if (next !== null) break;
        if (each === this) return found;
        next = each.#next;
        each = each.#above!;
      }
      each = next;
    }
  }

  /** All that its code waits for. */
  all_waited(): Awaitable[] {
    const found: Awaitable[] = [];
    for (const scope of this.#active(false)) {
      for (let wait = scope.first_wait; wait !== null; wait = wait.next) found.push(wait.future);
    }
    return found;
  }

  /** Something that its code waits for. */
  get waited(): Awaitable | null {
    return this.#active(false).find((each) => each.first_wait !== null)?.first_wait?.future ?? null;
  }

  /** Whether its code waits for something that the code does not end by itself, as the body of a block is. */
  get waits_for_others(): boolean {
    return this.#active(false).some((each) => {
      for (let wait = each.first_wait; wait !== null; wait = wait.next) {
        if (!wait.future._is_of(this.root)) return true;
      }
      return false;
    });
  }

  /** Cancels every wait inside; with none, marks the scope so that the next one is cancelled. */
  cancel(message: string | undefined): void {
    let reached = false;
    this.cancel_message = message;
    const active = this.#active(false);
    for (const scope of active) {
      for (let wait = scope.first_wait; wait !== null; wait = wait.next) {
        if (wait.cancel(this, message)) reached = true;
      }
    }
    // The code that ran last runs now, or waits for something foreign: it is to hear of it too.
    if (!reached || !this.root.rests) this.must_cancel = true;
    for (const scope of active) scope.#abort_signal(message);
  }

  /** Comes after all else: a listener may do anything. */
  #abort_signal(message: string | undefined): void {
    const controller = this.#controller;
    if (controller === null) return;
    this.#controller = null;
    this.detach();
    controller.abort(new CancelledError(message));
  }

  /** Takes back a cancellation of this scope that was not delivered yet. */
  forget_cancel(): void {
    this.must_cancel = false;
    for (const scope of this.#active(false)) {
      for (let wait = scope.first_wait; wait !== null; wait = wait.next) wait.forget_cancel(this);
    }
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
      if (each.outer !== null && !shielded) return each.outer.cancelled_scope();
    }
    return null;
  }

  /**
   * The scope, itself or one around it up to a shield, whose `CancelScope` is cancelled. Around the scopes of a task are
   * those of its group.
   */
  cancelled_scope(): Scope | null {
    for (let each: Scope | null = this as Scope; each !== null; each = each.#around) {
      if (each.control?._cancels) return each;
      if (each.control?._shields) return null;
    }
    return null;
  }

  /** Cancels the waits inside that a cancelled `CancelScope` reaches; for when one, or a shield, has changed. */
  redeliver(): void {
    if (this.cancelled_scope() === null) return;
    const active = this.#active(true);
    for (const scope of active) {
      const cancelled = scope.cancelled_scope();
      if (cancelled === null) continue;
      for (let wait = scope.first_wait; wait !== null; wait = wait.next) wait.cancel(cancelled, cancelled.message);
    }
    for (const scope of active) {
      const cancelled = scope.cancelled_scope();
      if (cancelled !== null) scope.#abort_signal(cancelled.message);
    }
  }

  /** The text of its cancellation. */
  get message(): string | undefined {
    return this.control?._cancels ? this.control._message : this.cancel_message;
  }

  /** How many requests to cancel this scope, or one around it, are open. */
  open_requests(): number {
    let count = this.cancelled_scope() === null ? 0 : 1;
    for (let each: Scope | null = this as Scope; each !== null; each = each.parent) {
      count += each.cancel_requests + each.call_requests;
    }
    return count;
  }

  /**
   * How many requests to cancel the scopes around this one its code has heard of. A block notes the number at its entry,
   * and tells its own cancellation from an outsider's by `asked_from_outside()`. It is not the task's total: a timeout in
   * another branch of the task is no outsider here.
   */
  heard_requests(): number {
    let count = 0;
    for (let each = this.parent; each !== null; each = each.parent) {
      const requests = each.cancel_requests + each.call_requests;
      // One that is still to be delivered will be news to a block that is entered now.
      count += each.must_cancel && requests > 0 ? requests - 1 : requests;
    }
    return count;
  }

  /** Whether somebody outside, too, wants the block of this scope to end; `heard` is the number at its entry. */
  asked_from_outside(heard: number): boolean {
    return this.has_new_requests(heard) ||
      (!this.control?._shields && (this.#around?.cancelled_scope() ?? null) !== null);
  }

  /** The same for requests that are delivered only once. */
  has_new_requests(heard: number): boolean {
    let count = this.call_requests;
    for (let each = this.parent; each !== null; each = each.parent) count += each.cancel_requests + each.call_requests;
    return count > heard;
  }

  /** A signal that aborts when this scope, or one around it, is cancelled. */
  signal(): AbortSignal {
    if (this.#controller !== null) return this.#controller.signal;
    const pending = this.pending_cancel();
    if (pending !== null) return AbortSignal.abort(new CancelledError(pending.message));
    // Code that its block left behind: nobody would let go of the signal.
    if (this.finished && this.parent !== null) return this.parent.signal();
    this.#controller = new AbortController();
    this.attach();
    return this.#controller.signal;
  }
}

/** One `await` of a future that was pending: from the call of `then()` until the outcome is handed over. */
export class Wait extends Chained implements Step {
  readonly future: Awaitable;
  readonly scope: Scope | undefined;
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
    on_fulfilled: ((value: any) => unknown) | null | undefined,
    on_rejected: ((error: unknown) => unknown) | null | undefined,
  ) {
    super(on_fulfilled, on_rejected);
    this.future = future;
    this.scope = scope;
  }

  /** Puts the wait into its scope's list, and delivers a cancellation that was pending there. */
  link(scope: Scope): void {
    const first = scope.first_wait;
    this.next = first;
    if (first !== null) first.#previous = this;
    scope.first_wait = this;
    scope.attach();
    const { root } = scope;
    // The task's own code that this waits for may be running.
    if (!this.future._is_of(root)) root.rests = true;
    this.#linked = true;
    const pending = scope.pending_cancel();
    if (pending === null || !this.cancel(pending, pending.message)) return;
    // In another task, what has to be delivered once is for the code there.
    if (pending.root === scope.root) pending.must_cancel = false;
  }

  /**
   * Cancels the future, or else has the cancellation take the place of its outcome; false if that is for the code behind
   * the future to do.
   */
  cancel(scope: Scope, message: string | undefined): boolean {
    if (this.future._hears_of(scope)) return false;
    if (!this.future.cancel(message) && !scope.spares_outcomes) {
      this.#cancelled_by = scope;
      this.#cancel_message = message;
    }
    return true;
  }

  /** Takes back a cancellation by `scope` that was not delivered yet. */
  forget_cancel(scope: Scope): void {
    if (this.#cancelled_by === scope) this.#cancelled_by = null;
  }

  #unlink(scope: Scope): void {
    if (this.#previous === null) scope.first_wait = this.next;
    else this.#previous.next = this.next;
    if (this.next !== null) this.next.#previous = this.#previous;
    this.next = this.#previous = null;
    this.#linked = false;
    if (scope.first_wait === null) scope.detach();
  }

  /** Hands the future's outcome over. A cancellation that came after it was set, and before now, takes its place. */
  _run(): Strand | null {
    const scope = this.scope;
    if (scope === undefined) {
      this.future._pass_on(this);
      return UNKNOWN_STRAND;
    }
    if (this.#linked) this.#unlink(scope);
    scope.root.rests = false;
    if (this.#cancelled_by === null || this.future.cancelled()) {
      this.future._pass_on(this);
    } else {
      this.future._lose();
      this.reject(thrown_by_loop(this.#cancel_message));
    }
    return scope.root;
  }
}
