/**
 * Hooks for what happens in a program: tasks that start and end, connections that open and close. Without an instrument they
 * cost nothing.
 *
 * There is no hook for each step of a task: it would be a test for each `await`, whether or not anybody listens.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * {
 *   using _instrument = asyncio.tracing.add_instrument({
 *     task_done: (task) => console.log(`${task.get_name()} is done`),
 *   });
 *   await asyncio.run(() => asyncio.create_task(async () => {}, { name: "work" })); // work is done, Task-1 is done
 * }
 * ```
 *
 * @module
 */

import { telemetry_tracer } from "./_deno_process.ts";
import type { ContextRunner } from "./events.ts";
import { shown } from "./exceptions.ts";
import { Observer } from "./_observers.ts";
import type { Task } from "./tasks.ts";
import type { Transport } from "./transports.ts";

/**
 * What is told of. Each hook is called at once, in the code that caused it, so it must not wait. What a hook throws goes to the
 * loop's exception handler, and stops nothing.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const connections: asyncio.tracing.Instrument = {
 *   connection_opened: (transport) => console.log("to", transport.get_extra_info("peername")),
 *   connection_closed: (transport) => console.log("no more to", transport.get_extra_info("peername")),
 * };
 * const remover = asyncio.tracing.add_instrument(connections);
 * remover.remove();
 * ```
 */
export interface Instrument {
  /**
   * A task was made; it runs later, or never if it is cancelled before. Called in the code that made it.
   *
   * @param task The task.
   * @returns Nothing, or a function that calls the one it is given: the task runs in the asynchronous context of that call.
   */
  // deno-lint-ignore no-explicit-any
  task_created?(task: Task<any>): ContextRunner | void;
  /**
   * The body of a task is about to begin. Called in the task.
   *
   * @param task The task.
   */
  // deno-lint-ignore no-explicit-any
  task_started?(task: Task<any>): void;
  /**
   * A task has ended, in whatever way.
   *
   * @param task The task.
   */
  // deno-lint-ignore no-explicit-any
  task_done?(task: Task<any>): void;
  /**
   * A connection, or the pipe to a process, is there: it was made, or accepted. With TLS, the handshake is over, except that
   * of `start_tls()`.
   *
   * @param transport The connection.
   */
  connection_opened?(transport: Transport): void;
  /**
   * A connection is closed, and was freed.
   *
   * @param transport The connection.
   */
  connection_closed?(transport: Transport): void;
}

/**
 * Takes an instrument away, by `remove()` or at the end of a `using` block.
 */
export interface InstrumentRemover extends Disposable {
  /** Takes the instrument away; doing it again does nothing. */
  remove(): void;
}

const HOOKS = ["task_created", "task_started", "task_done", "connection_opened", "connection_closed"] as const;

/**
 * Has an instrument told of all tasks and connections from now on, of every loop of this thread.
 *
 * @param instrument The hooks.
 * @returns What takes it away.
 * @throws {TypeError} If `instrument` is no object, or a hook is no function.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * let running = 0;
 * using _instrument = asyncio.tracing.add_instrument({
 *   task_started: () => console.log(++running, "tasks run"),
 *   task_done: () => running--,
 * });
 * await asyncio.run(() => asyncio.gather(() => asyncio.sleep(0.01), () => asyncio.sleep(0.01)));
 * ```
 */
export function add_instrument(instrument: Instrument): InstrumentRemover {
  if (typeof instrument !== "object" || instrument === null) {
    throw new TypeError(`"instrument" must be an object, got ${shown(instrument)}`);
  }
  for (const hook of HOOKS) {
    const value = instrument[hook];
    if (value !== undefined && typeof value !== "function") {
      throw new TypeError(`"${hook}" must be a function, got ${shown(value)}`);
    }
  }
  // The same one may be added twice, and then is told twice.
  const added: Instrument = Object.fromEntries(
    HOOKS.flatMap((hook) => instrument[hook] === undefined ? [] : [[hook, instrument[hook].bind(instrument)]]),
  );
  const observer = Observer.get();
  observer.add(added);
  const remove = () => observer.remove(added);
  return { remove, [Symbol.dispose]: remove };
}

/**
 * What is used of an OpenTelemetry `Tracer`, as the package `@opentelemetry/api` and Deno itself have it.
 */
export interface Tracer {
  /**
   * Makes a span inside the active one.
   *
   * @param name Its name.
   * @param options Its kind and attributes.
   * @returns The span.
   */
  startSpan(name: string, options?: SpanOptions): Span;
  /**
   * Makes a span inside the active one, and calls a function in whose asynchronous context it is active.
   *
   * @param name Its name.
   * @param options Its kind and attributes.
   * @param fn The function.
   * @returns What the function returns.
   */
  startActiveSpan<R>(name: string, options: SpanOptions, fn: (span: Span) => R): R;
}

/**
 * What is used of OpenTelemetry's `SpanOptions`.
 */
export interface SpanOptions {
  /** What it is a span of: 0 for something inside of the program, 1 for a server's side, 2 for a client's. */
  readonly kind?: number;
  /** What is to be known of it. */
  readonly attributes?: Readonly<Record<string, string | number>>;
}

/**
 * What is used of an OpenTelemetry `Span`.
 */
export interface Span {
  /**
   * Says how it ended.
   *
   * @param status Its code, 0 for nothing said and 2 for an error; and the error's text.
   */
  setStatus(status: { code: number; message?: string }): unknown;
  /**
   * Says more of it.
   *
   * @param key The name of the attribute.
   * @param value Its value.
   */
  setAttribute(key: string, value: string): unknown;
  /**
   * Notes an error.
   *
   * @param exception The error.
   */
  recordException(exception: Error): unknown;
  /** Ends it. */
  end(): void;
}

const SERVER_SIDE = 1;
const CLIENT_SIDE = 2;
const STATUS_ERROR = 2;

/**
 * An instrument that makes OpenTelemetry spans: one for each task, inside the span that was active where the task was made;
 * and one for each connection over a socket, from when it is open until it is closed, with the peer's address.
 *
 * A task's span is active in its code, so spans of `fetch()` and of the program itself are inside it. Deno makes and exports
 * spans when the environment variable `OTEL_DENO` is `true`; without, and without a tracer of an SDK, the instrument has no
 * hooks, and costs nothing.
 *
 * @param tracer What makes the spans, such as `trace.getTracer("my-program")` of `@opentelemetry/api`; left out, Deno's own.
 * @returns The instrument, for `add_instrument()`.
 * @throws {TypeError} If `tracer` is none.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * using _instrument = asyncio.tracing.add_instrument(asyncio.tracing.open_telemetry());
 * await asyncio.run(() => asyncio.create_task(() => asyncio.sleep(0.01), { name: "work" }));
 * ```
 */
export function open_telemetry(tracer?: Tracer): Instrument {
  if (tracer === undefined) {
    const own = telemetry_tracer() as Tracer | null;
    return own === null ? {} : open_telemetry(own);
  }
  if (typeof tracer?.startSpan !== "function" || typeof tracer.startActiveSpan !== "function") {
    throw new TypeError(`"tracer" must be an OpenTelemetry Tracer, got ${shown(tracer)}`);
  }
  const spans = new WeakMap<object, Span>();
  return {
    task_created(task) {
      return (fn) =>
        tracer.startActiveSpan(task.get_name(), {}, (span) => {
          spans.set(task, span);
          return fn();
        });
    },
    task_done(task) {
      const span = spans.get(task);
      if (span === undefined) return;
      const error = task._error;
      if (task.cancelled()) span.setAttribute("asyncio.task.outcome", "cancelled");
      if (error !== undefined) {
        if (error instanceof Error) span.recordException(error);
        span.setStatus({ code: STATUS_ERROR, message: error instanceof Error ? error.message : String(error) });
      }
      span.end();
    },
    connection_opened(transport) {
      const attributes = peer_of(transport);
      if (attributes === null) return;
      const kind = transport._is_server_side ? SERVER_SIDE : CLIENT_SIDE;
      spans.set(transport, tracer.startSpan("connection", { kind, attributes }));
    },
    connection_closed(transport) {
      const span = spans.get(transport);
      if (span === undefined) return;
      const error = transport._error;
      if (error !== undefined) span.setStatus({ code: STATUS_ERROR, message: String(error) });
      span.end();
    },
  };
}

/** OpenTelemetry's names for the two sides of a connection; `null` if it has no sockets. */
function peer_of(transport: Transport): Record<string, string | number> | null {
  if (transport.get_extra_info("socket") === null) return null;
  const peername: unknown = transport.get_extra_info("peername");
  if (Array.isArray(peername)) return { "network.peer.address": String(peername[0]), "network.peer.port": peername[1] };
  return { "network.peer.address": String(peername ?? "") };
}
