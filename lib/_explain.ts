/**
 * What a run prints of its tasks unasked: on a signal, and when they can never go on.
 *
 * Deno dispatches `beforeunload` when it has nothing left to do, and ends the process unless a listener gave it something:
 * then it is certain. But it does not while a module awaits at its top level, as programs do with `run()`. Without a listener
 * for a signal it ends such a program with "Top-level await promise never resolved", and runs no more code, neither for
 * `unload` nor for Node's `exit`; with one, and `run()` has one for Ctrl-C, it waits for ever, as CPython does. Nor does it
 * tell code whether anything else keeps it alive. So there it has to be inferred: in debug mode, from the loop being at rest
 * with no timer, connection or promise that could wake its tasks. A function that Deno calls, such as a handler of requests,
 * still might, which is why the text does not say "for ever", and why it is not printed without debug mode.
 *
 * @module
 */

import { run_in_scope } from "./_context.ts";
import type { Signal } from "./_deno.ts";
import type { EventLoop } from "./deno_events.ts";
import type { Future } from "./futures.ts";
import { Task } from "./tasks.ts";
import { awaited_of } from "./_wait_graph.ts";
import { capture_tasks, tree_of } from "./tools.ts";

const STUCK = "Nothing is left to run, so these tasks wait for ever:";
const IDLE = "Nothing that the loop knows of will wake these tasks:";

/** Begins to watch a run; gives what ends that. */
export function explain_run(loop: EventLoop, dump_on: Signal | undefined): () => void {
  // Whatever calls this, it is none of the tasks.
  const picture = () => run_in_scope(loop._scope, () => tree_of(capture_tasks(loop)));
  const print = (title: string) => console.error(`${title}\n${picture()}`);
  const stop_listening = dump_on === undefined
    ? null
    : loop._signals.listen(dump_on, () => print(`Tasks, because of ${dump_on}:`));
  let explained = false;
  const explain = (title: string) => {
    if (explained) return;
    explained = true;
    print(title);
  };
  const on_beforeunload = () => {
    if (!loop._tasks.is_empty) explain(STUCK);
  };
  globalThis.addEventListener("beforeunload", on_beforeunload);
  const debug = loop._debug;
  if (debug !== null) {
    debug.on_stuck = () => {
      if ([...loop._tasks].every((task) => waits_inside(task, loop))) explain(IDLE);
    };
  }
  return () => {
    stop_listening?.();
    globalThis.removeEventListener("beforeunload", on_beforeunload);
    if (debug !== null) debug.on_stuck = null;
  };
}

/** Whether only other code of the loop can end all that a task waits for. */
function waits_inside(task: Future<unknown>, loop: EventLoop): boolean {
  const awaited = awaited_of(task);
  return awaited.length > 0 && awaited.every((each) => ends_inside(each, loop));
}

function ends_inside(future: Future<unknown>, loop: EventLoop): boolean {
  // Each task of the loop is looked at by itself.
  if (future instanceof Task) return future.get_loop() === loop;
  const purpose = future._purpose;
  if (purpose === null || purpose.external) return false;
  return purpose.futures === undefined ? purpose.until === undefined : waits_inside(future, loop);
}
