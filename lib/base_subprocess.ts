/**
 * Programs beside this one: what a `Process` and a protocol's transport share, and that transport.
 *
 * @module
 */

import { Attempt } from "./_connecting.ts";
import { INSPECT } from "./constants.ts";
import type { ChildProcess, RawProcess, Signal } from "./_deno.ts";
import type { EventLoop } from "./deno_events.ts";
import { Handle } from "./events.ts";
import { shown } from "./exceptions.ts";
import type { Future } from "./futures.ts";
import { type BaseProtocol, Protocol, SubprocessProtocol } from "./protocols.ts";
import { check_signal } from "./_signals.ts";
import type { SubprocessPlan } from "./_subprocess_options.ts";
import { Transport } from "./transports.ts";
import { ReadableConn } from "./_web_conns.ts";

/**
 * Starts a program, and gives what is made of it; `prepare` is called before, and gives what makes it. Cancelled, it has
 * `give_up` called with what was made all the same: nobody has it, so nobody can end it.
 */
export function start_program<T>(
  loop: EventLoop,
  plan: SubprocessPlan,
  prepare: () => (raw: RawProcess) => T | Promise<T>,
  give_up: (made: T) => void,
): Future<T> {
  loop._check_closed();
  return new Attempt<T>(
    loop,
    async (signal) => {
      const make = prepare();
      const spawning = loop._processes.spawn(plan.spawn, signal);
      return await make(await (loop._outside?.during(spawning) ?? spawning));
    },
    give_up,
    plan.signal,
    null,
    "program" in plan.spawn.command ? `spawn ${plan.spawn.command.program}` : "spawn a shell",
  );
}

/** A program that was started: how it ends, and what it is sent. */
export class Program {
  readonly #loop: EventLoop;
  readonly #raw: RawProcess;
  /** Stops listening to the abort signal. */
  #unlisten: () => void = () => {};
  /** `null` while it runs. */
  returncode: number | null = null;

  /**
   * @param signal Terminates it when it aborts.
   * @param on_ended Called once by the loop, when it has ended.
   */
  constructor(loop: EventLoop, raw: RawProcess, signal: AbortSignal | undefined, on_ended: () => void) {
    this.#loop = loop;
    this.#raw = raw;
    const ended = (returncode: number) => {
      this.returncode = returncode;
      this.#unlisten();
      on_ended();
    };
    raw.ended.then(
      (returncode) => loop._deliver(ended, returncode),
      (exception) => {
        loop.call_exception_handler({ message: "Cannot tell how a process ended; its return code is 255", exception });
        loop._deliver(ended, 255);
      },
    );
    if (signal === undefined) return;
    const on_abort = () => this.end("SIGTERM");
    signal.addEventListener("abort", on_abort, { once: true });
    this.#unlisten = () => signal.removeEventListener("abort", on_abort);
    if (signal.aborted) on_abort();
  }

  get pid(): number {
    return this.#raw.pid;
  }

  send_signal(signal: Signal): void {
    check_signal(signal);
    this.#raw.kill(signal);
  }

  /** Where nobody would hear that this process may not do that. */
  end(signal: Signal): void {
    try {
      this.#raw.kill(signal);
    } catch (exception) {
      this.#loop.call_exception_handler({ message: `Cannot end process ${this.pid}`, exception });
    }
  }

  /** Nobody will go on with it. */
  give_up(): void {
    this.#unlisten();
    this.end("SIGKILL");
  }
}

/** The end of a pipe, whose calls are the process's. */
class PipeProtocol extends Protocol {
  readonly #received: (data: Uint8Array<ArrayBuffer>) => void;
  readonly #lost: (error: unknown) => void;
  readonly #protocol_of: () => BaseProtocol;

  constructor(
    received: (data: Uint8Array<ArrayBuffer>) => void,
    lost: (error: unknown) => void,
    protocol_of: () => BaseProtocol,
  ) {
    super();
    this.#received = received;
    this.#lost = lost;
    this.#protocol_of = protocol_of;
  }

  override data_received(data: Uint8Array<ArrayBuffer>): void {
    this.#received(data);
  }

  override connection_lost(error: unknown): void {
    this.#lost(error);
  }

  override pause_writing(): void {
    this.#protocol_of().pause_writing();
  }

  override resume_writing(): void {
    this.#protocol_of().resume_writing();
  }
}

/**
 * A program that runs beside this one, and whose protocol is told what it does; made by `loop.subprocess_exec()` and
 * `loop.subprocess_shell()`.
 *
 * Whoever gets it sees to its end: `close()` kills what still runs, as does the end of the event loop. When the program
 * has ended, the pipe to its standard input is closed.
 *
 * Differs from asyncio: a program that closes its standard input and runs on is noticed only when more is written to it; a
 * signal for a program that has ended is nothing.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const ended = new asyncio.Future<number | null>();
 * class Sorter extends asyncio.SubprocessProtocol {
 *   #transport!: asyncio.SubprocessTransport;
 *   override connection_made(transport: asyncio.SubprocessTransport) {
 *     this.#transport = transport;
 *   }
 *   override pipe_data_received(fd: number, data: Uint8Array) {
 *     console.log(fd, new TextDecoder().decode(data)); // 1 one, two
 *   }
 *   override connection_lost() {
 *     ended.set_result(this.#transport.get_returncode());
 *   }
 * }
 * const [transport] = await asyncio.get_event_loop().subprocess_exec(() => new Sorter(), "sort");
 * const stdin = transport.get_pipe_transport(0)!;
 * stdin.write("two\none\n");
 * stdin.close();
 * console.log(await ended); // 0
 * transport.close();
 * ```
 */
export class SubprocessTransport {
  readonly #loop: EventLoop;
  readonly #child: ChildProcess;
  readonly #program: Program;
  readonly #pipes: ReadonlyMap<number, Transport>;
  /** The descriptors of the pipes that were not lost yet. */
  readonly #connected: Set<number>;
  #protocol: SubprocessProtocol;
  #closed = false;

  /**
   * Made by `loop.subprocess_exec()` and `loop.subprocess_shell()`.
   *
   * @internal
   */
  constructor(loop: EventLoop, raw: RawProcess, signal: AbortSignal | undefined, protocol: SubprocessProtocol) {
    this.#loop = loop;
    this.#child = raw.child;
    this.#protocol = protocol;
    loop._resources.add(this);
    this.#call(protocol.connection_made, this);
    const { stdin, stdout, stderr } = raw;
    const conns = [
      stdin,
      stdout && new ReadableConn(stdout, loop),
      stderr && new ReadableConn(stderr, loop),
    ];
    const pipes = new Map(conns.flatMap((conn, fd) => conn === null ? [] : [[fd, new Transport(loop, conn)]]));
    this.#pipes = pipes;
    this.#connected = new Set(pipes.keys());
    for (const [fd, pipe] of pipes) {
      const received = (data: Uint8Array<ArrayBuffer>) => this.#call(this.#protocol.pipe_data_received, fd, data);
      const lost = (error: unknown) => this.#pipe_lost(fd, error);
      pipe._drive(new PipeProtocol(received, lost, () => this.#protocol), fd !== 0);
    }
    this.#program = new Program(loop, raw, signal, () => this.#exited());
  }

  /**
   * Calls a method of the protocol in one of the loop's next turns, as asyncio does: what the protocol does in it cannot
   * disturb a pipe, and what it throws ends nothing.
   */
  #call<A extends unknown[]>(method: (...args: A) => void, ...args: A): void {
    this.#loop._push(new Handle(this.#loop, method.bind(this.#protocol), args, false));
  }

  #pipe_lost(fd: number, error: unknown): void {
    this.#connected.delete(fd);
    this.#call(this.#protocol.pipe_connection_lost, fd, error);
    this.#try_finish();
  }

  #exited(): void {
    this.#call(this.#protocol.process_exited);
    // Deno does not tell when the other end of a pipe is closed. What was written still leaves, should somebody have
    // inherited it.
    this.#pipes.get(0)?.close();
    this.#try_finish();
  }

  #try_finish(): void {
    if (this.#program.returncode === null || this.#connected.size > 0) return;
    this.#loop._resources.delete(this);
    this.#call(this.#protocol.connection_lost, null);
  }

  /**
   * Nobody will go on with it.
   *
   * @internal
   */
  _loop_closed(): void {
    this.#closed = true;
    this.#program.give_up();
    for (const pipe of this.#pipes.values()) pipe.abort();
  }

  /**
   * What is known of the program.
   *
   * @param name `"subprocess"`, for the `Deno.ChildProcess`.
   * @returns It; its streams belong to the transport.
   */
  get_extra_info(name: "subprocess"): ChildProcess;
  /**
   * What is known of the program.
   *
   * @param name Any name.
   * @param fallback What to return for an unknown name.
   * @returns The value, or the fallback; `null` if there is none.
   */
  get_extra_info(name: string, fallback?: unknown): unknown;
  get_extra_info(name: string, fallback: unknown = null): unknown {
    return name === "subprocess" ? this.#child : fallback;
  }

  /**
   * The protocol that this transport calls.
   *
   * @returns The protocol.
   */
  get_protocol(): SubprocessProtocol {
    return this.#protocol;
  }

  /**
   * Has another protocol called of what happens from now on; its `connection_made()` is not.
   *
   * @param protocol The protocol.
   * @throws {TypeError} If it is no `SubprocessProtocol`.
   */
  set_protocol(protocol: SubprocessProtocol): void {
    check_subprocess_protocol("protocol", protocol);
    this.#protocol = protocol;
  }

  /**
   * The number of the process. It may be another process's once this one has ended.
   *
   * @returns The number.
   */
  get_pid(): number {
    return this.#program.pid;
  }

  /**
   * How the program ended.
   *
   * @returns `null` while it runs, its exit code, or below 0 the number of the signal that ended it.
   */
  get_returncode(): number | null {
    return this.#program.returncode;
  }

  /**
   * The transport of a pipe to the program; one may write to 0, and pause the reading of 1 and 2.
   *
   * @param fd The program's descriptor: 0, 1 or 2.
   * @returns The transport; `null` if that is no pipe. With `STDOUT`, standard error comes with 1.
   */
  get_pipe_transport(fd: number): Transport | null {
    return this.#pipes.get(fd) ?? null;
  }

  /**
   * Sends it a signal. Once it has ended nothing happens.
   *
   * @param signal The signal, such as `"SIGHUP"`. On Windows every one of them kills it.
   * @throws {TypeError} If `signal` is no string.
   * @throws {RangeError} If there is no such signal.
   * @throws {Deno.errors.PermissionDenied} If the process runs as another user.
   */
  send_signal(signal: Signal): void {
    this.#program.send_signal(signal);
  }

  /** Asks it to end, with SIGTERM. On Windows that kills it. */
  terminate(): void {
    this.#program.send_signal("SIGTERM");
  }

  /** Kills it, with SIGKILL. */
  kill(): void {
    this.#program.send_signal("SIGKILL");
  }

  /**
   * Tells whether it was closed.
   *
   * @returns True after `close()`.
   */
  is_closing(): boolean {
    return this.#closed;
  }

  /**
   * Kills the program if it still runs, and closes the pipes; the protocol is told of all of it. Closing again does
   * nothing.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // First, lest the program take the end of its input for a reason to end by itself.
    if (this.#program.returncode === null) this.#program.end("SIGKILL");
    for (const pipe of this.#pipes.values()) pipe.close();
  }

  /** @ignore */
  [INSPECT](): string {
    const { pid, returncode } = this.#program;
    const state = returncode === null ? "running" : `returncode=${returncode}`;
    return `<SubprocessTransport${this.#closed ? " closed" : ""} pid=${pid} ${state}>`;
  }
}

function check_subprocess_protocol(name: string, value: unknown): void {
  if (value instanceof SubprocessProtocol) return;
  throw new TypeError(`"${name}" must be a SubprocessProtocol, got ${shown(value)}`);
}

/** Starts a program whose protocol is told what it does. The protocol comes first: if there is none, nothing is started. */
export function start_driven<P extends SubprocessProtocol>(
  loop: EventLoop,
  plan: SubprocessPlan,
  protocol_factory: () => P,
): Future<[transport: SubprocessTransport, protocol: P]> {
  const prepare = () => {
    const protocol = protocol_factory();
    check_subprocess_protocol("protocol_factory()", protocol);
    return async (raw: RawProcess): Promise<[SubprocessTransport, P]> => {
      const transport = new SubprocessTransport(loop, raw, plan.signal, protocol);
      // Not before `connection_made()` was called, which is first in the queue.
      await new Promise<void>((resolve) => loop._push(new Handle(loop, resolve, [], false)));
      return [transport, protocol];
    };
  };
  return start_program(loop, plan, prepare, ([transport]) => transport._loop_closed());
}
