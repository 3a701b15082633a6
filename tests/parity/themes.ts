/**
 * The themes: for each, `scenarios/` has a Python file, its TypeScript twin and the transcripts.
 *
 * @module
 */

import type { Print } from "./helpers.ts";
import * as barriers from "./scenarios/barriers.ts";
import * as callbacks from "./scenarios/callbacks.ts";
import * as cancellation from "./scenarios/cancellation.ts";
import * as conditions from "./scenarios/conditions.ts";
import * as datagrams from "./scenarios/datagrams.ts";
import * as eager_tasks from "./scenarios/eager_tasks.ts";
import * as futures from "./scenarios/futures.ts";
import * as gather from "./scenarios/gather.ts";
import * as locks_and_events from "./scenarios/locks_and_events.ts";
import * as protocols from "./scenarios/protocols.ts";
import * as queues from "./scenarios/queues.ts";
import * as runners from "./scenarios/runners.ts";
import * as semaphores from "./scenarios/semaphores.ts";
import * as shield_and_as_completed from "./scenarios/shield_and_as_completed.ts";
import * as stream_reader from "./scenarios/stream_reader.ts";
import * as subprocess_protocols from "./scenarios/subprocess_protocols.ts";
import * as subprocesses from "./scenarios/subprocesses.ts";
import * as taskgroups from "./scenarios/taskgroups.ts";
import * as tasks from "./scenarios/tasks.ts";
import * as tcp_streams from "./scenarios/tcp_streams.ts";
import * as timeouts from "./scenarios/timeouts.ts";
import * as wait from "./scenarios/wait.ts";
import * as wait_for from "./scenarios/wait_for.ts";

/** A file of scenarios, and how they are run here. */
export interface Theme {
  readonly name: string;
  readonly scenarios: Readonly<Record<string, (print: Print) => unknown>>;
  readonly runs: "on the virtual clock" | "on the machine's clock" | "outside of a loop";
}

const VIRTUAL = "on the virtual clock";

export const THEMES: readonly Theme[] = [
  { name: "futures", scenarios: futures, runs: VIRTUAL },
  { name: "tasks", scenarios: tasks, runs: VIRTUAL },
  { name: "eager_tasks", scenarios: eager_tasks, runs: VIRTUAL },
  { name: "cancellation", scenarios: cancellation, runs: VIRTUAL },
  { name: "gather", scenarios: gather, runs: VIRTUAL },
  { name: "wait", scenarios: wait, runs: VIRTUAL },
  { name: "wait_for", scenarios: wait_for, runs: VIRTUAL },
  { name: "shield_and_as_completed", scenarios: shield_and_as_completed, runs: VIRTUAL },
  { name: "timeouts", scenarios: timeouts, runs: VIRTUAL },
  { name: "taskgroups", scenarios: taskgroups, runs: VIRTUAL },
  { name: "locks_and_events", scenarios: locks_and_events, runs: VIRTUAL },
  { name: "conditions", scenarios: conditions, runs: VIRTUAL },
  { name: "semaphores", scenarios: semaphores, runs: VIRTUAL },
  { name: "barriers", scenarios: barriers, runs: VIRTUAL },
  { name: "queues", scenarios: queues, runs: VIRTUAL },
  { name: "callbacks", scenarios: callbacks, runs: VIRTUAL },
  { name: "runners", scenarios: runners, runs: "outside of a loop" },
  { name: "stream_reader", scenarios: stream_reader, runs: VIRTUAL },
  { name: "subprocesses", scenarios: subprocesses, runs: "on the machine's clock" },
  { name: "subprocess_protocols", scenarios: subprocess_protocols, runs: "on the machine's clock" },
  { name: "protocols", scenarios: protocols, runs: "on the machine's clock" },
  { name: "tcp_streams", scenarios: tcp_streams, runs: "on the machine's clock" },
  { name: "datagrams", scenarios: datagrams, runs: "on the machine's clock" },
];
