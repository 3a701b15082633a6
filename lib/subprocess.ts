/**
 * Programs that run beside this one, with their standard streams as a writer and readers.
 *
 * @module
 */

import type { AsyncContextManager } from "./async_with.ts";
import type { EventLoop } from "./deno_events.ts";
import { type Bytes, check_flag, check_number_at_least, to_bytes } from "./_bytes.ts";
import { Program, start_program } from "./base_subprocess.ts";
import { DEFAULT_PROCESS_GRACE, INSPECT } from "./constants.ts";
import { current_loop } from "./_context.ts";
import { BrokenPipeError, ConnectionResetError, type RawProcess, type Signal, type SpawnPlan } from "./_deno.ts";
import { check_options, LimitOverrunError, RuntimeError } from "./exceptions.ts";
import { Call, Future, shielded } from "./futures.ts";
import { Line, Place } from "./_line.ts";
import { StreamReader } from "./stream_reader.ts";
import { StreamWriter } from "./stream_writer.ts";
import {
  check_shell,
  check_subprocess,
  DEVNULL,
  PIPE,
  split_arguments,
  STDOUT,
  type SubprocessOptions,
  type SubprocessPlan,
} from "./_subprocess_options.ts";
import { Transport } from "./transports.ts";
import { gather } from "./waiting.ts";
import { WebSource } from "./web_streams.ts";

export { DEVNULL, PIPE, STDOUT, type SubprocessOptions };

/** Bytes that `communicate()` takes at once: as many as a reader reads of the system at most. */
const CHUNK_SIZE = 256 * 1024;

/**
 * Options of `Process.communicate()`.
 */
export interface CommunicateOptions {
  /**
   * How many bytes of each output to keep at most.
   *
   * @default Infinity
   */
  readonly max_bytes?: number;
  /**
   * Whether to read and drop what goes beyond `max_bytes`, rather than to fail.
   *
   * @default false
   */
  readonly drain?: boolean;
}

/**
 * Options of `Process.shutdown()`.
 */
export interface ProcessShutdownOptions {
  /**
   * Seconds that the process has to end by itself after SIGTERM; `null` for as long as it likes.
   *
   * @default 5
   */
  readonly grace?: number | null;
}

/** A pipe from a process, which tells when it is at its end, and so was freed. */
class OutputPipe extends WebSource {
  readonly #on_end: () => void;

  constructor(stream: ReadableStream<Uint8Array>, loop: EventLoop, on_end: () => void) {
    super(stream, loop);
    this.#on_end = on_end;
  }

  override async _read(array: Uint8Array): Promise<number | null> {
    let count: number | null = null;
    try {
      count = await super._read(array);
    } finally {
      if (count === null) this.#on_end();
    }
    return count;
  }

  override async _release(): Promise<void> {
    this.#on_end();
    await super._release();
  }
}

/**
 * A program that runs beside this one.
 *
 * Whoever starts it sees to its end: by `communicate()` or `wait()`, by `shutdown()`, or with `await using`, which
 * terminates it, and kills it after a while. When the event loop is closed, as `run()` does at its end, a process that is
 * still running is killed. Processes of the default loop go on when Deno ends. The system keeps nothing of one that has
 * ended, waited for or not.
 *
 * When it has ended, `stdin` is closed, and of `stdout` and `stderr` what is left is read ahead, up to the `limit`: pipes
 * that nobody reads are freed so. One that another process has inherited stays open until that one closes it as well;
 * until then it keeps Deno alive, unless it is let go by `await using` or the end of the loop.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const { PIPE } = asyncio.subprocess;
 * await using process = await asyncio.create_subprocess_exec("sort", { stdin: PIPE, stdout: PIPE });
 * process.stdin!.write("two\none\n");
 * process.stdin!.close();
 * for await (const line of process.stdout!.lines({ encoding: "utf-8" })) console.log(line); // one, two
 * console.log(await process.wait()); // 0
 * ```
 */
export class Process implements AsyncContextManager<Process>, AsyncDisposable {
  readonly #loop: EventLoop;
  readonly #program: Program;
  readonly #pipes = new Set<OutputPipe>();
  readonly #waiters: Line<number> = new Line<number>({
    call: "wait",
    of: this,
    external: true,
    ready: () => true,
    take: () => this.returncode!,
    left: () => {},
  });

  /** Writes to its standard input; `null` unless that is a pipe. */
  readonly stdin: StreamWriter | null;
  /** Reads its standard output; `null` unless that is a pipe. */
  readonly stdout: StreamReader | null;
  /** Reads its standard error; `null` unless that is a pipe. With `STDOUT` it comes with `stdout`. */
  readonly stderr: StreamReader | null;
  /** Its number. It may be another process's once this one has ended. */
  readonly pid: number;

  /**
   * Made by `create_subprocess_exec()` and `create_subprocess_shell()`.
   *
   * @internal
   */
  constructor(loop: EventLoop, raw: RawProcess, { limit, signal }: Pick<SubprocessPlan, "limit" | "signal">) {
    this.#loop = loop;
    this.pid = raw.pid;
    this.stdin = raw.stdin === null ? null : new StreamWriter(new Transport(loop, raw.stdin), null, loop);
    this.stdout = this.#reader_of(raw.stdout, limit);
    this.stderr = this.#reader_of(raw.stderr, limit);
    loop._resources.add(this);
    this.#program = new Program(loop, raw, signal, () => this.#ended());
  }

  #reader_of(stream: ReadableStream<Uint8Array> | null, limit: number): StreamReader | null {
    if (stream === null) return null;
    const pipe: OutputPipe = new OutputPipe(stream, this.#loop, () => {
      this.#pipes.delete(pipe);
      this.#forget();
    });
    this.#pipes.add(pipe);
    const reader = new StreamReader({ limit, loop: this.#loop });
    reader._set_source(pipe);
    return reader;
  }

  #ended(): void {
    // What was written still leaves, should somebody have inherited the other end.
    this.stdin?.close();
    this.#forget();
    if (!this.#loop.is_closed()) {
      // Somebody has to notice the end of the pipes, so that they are freed.
      const wanted = () => this.#pipes.size > 0;
      this.stdout?._watch(wanted);
      this.stderr?._watch(wanted);
    }
    this.#waiters.wake_all();
  }

  /** Nothing is left for the loop to end. */
  #forget(): void {
    if (this.returncode !== null && this.#pipes.size === 0) this.#loop._resources.delete(this);
  }

  async #release(): Promise<void> {
    this.stdin?.abort();
    await Promise.allSettled([...this.#pipes].map((pipe) => pipe._release()));
  }

  /**
   * Nobody will go on with it.
   *
   * @internal
   */
  _loop_closed(): void {
    this.#program.give_up();
    this.#release();
  }

  /**
   * How it ended: `null` while it runs, its exit code, or below 0 the number of the signal that ended it.
   */
  get returncode(): number | null {
    return this.#program.returncode;
  }

  /**
   * Waits until it has ended.
   *
   * It waits for the process alone, not for its pipes, which others may have inherited. A process that writes into a pipe
   * that nobody reads does not end; use `communicate()` then.
   *
   * Differs from asyncio: CPython 3.13 waits for the pipes too.
   *
   * @returns A future of the return code; to cancel it leaves the process alone. Calling it again gives the same.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const process = await asyncio.create_subprocess_shell("exit 3");
   * console.log(process.returncode, await process.wait(), process.returncode); // null 3 3
   * ```
   */
  wait(): Future<number> {
    const { returncode } = this;
    if (returncode === null) {
      const place = new Place<number>(this.#loop, this.#waiters);
      this.#loop._outside?.during_future(place);
      return place;
    }
    const future = new Future<number>({ loop: this.#loop });
    future.set_result(returncode);
    return future;
  }

  /**
   * Sends it a signal. Once it has ended nothing happens.
   *
   * Differs from asyncio: CPython 3.13 raises `ProcessLookupError` once the process and its pipes have ended.
   *
   * @param signal The signal, such as `"SIGHUP"`. On Windows every one of them kills it.
   * @throws {TypeError} If `signal` is no string.
   * @throws {RangeError} If there is no such signal.
   * @throws {Deno.errors.PermissionDenied} If the process runs as another user.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const process = await asyncio.create_subprocess_exec("sleep", "60");
   * process.send_signal("SIGHUP");
   * console.log(await process.wait()); // -1
   * ```
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
   * Talks to it once: writes the input and closes `stdin`, reads `stdout` and `stderr` to their ends, and waits until it
   * has ended; all of it at once, so that no full pipe stops either side. That it does not want the input is no error.
   *
   * To cancel it leaves the process running: what was read is back in the readers' buffers, and what was to be written
   * still leaves, so that it can be called again, without input. To have the process ended too, use `await using`.
   *
   * Differs from asyncio: `max_bytes` and `drain`, and input for a process without a pipe is an error.
   *
   * @param input The bytes, or a string, which is sent as UTF-8; `null` for none.
   * @param options How much to keep.
   * @returns A future of what it wrote to `stdout` and `stderr`; `null` for what is no pipe.
   * @throws {TypeError} If an argument has the wrong type.
   * @throws {RangeError} If `max_bytes` is below 0.
   * @throws {RuntimeError} If there is input, but `stdin` is no pipe; or if another task reads an output.
   * @throws {LimitOverrunError} If an output is longer than `max_bytes`. What came is back in the readers' buffers; the
   * process still runs.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const { PIPE } = asyncio.subprocess;
   * const process = await asyncio.create_subprocess_exec("tr", "a-z", "A-Z", { stdin: PIPE, stdout: PIPE });
   * const [stdout, stderr] = await process.communicate("hello");
   * console.log(new TextDecoder().decode(stdout!), stderr, process.returncode); // HELLO null 0
   * ```
   */
  communicate(
    input: Uint8Array | string | null = null,
    options?: CommunicateOptions,
  ): Future<[stdout: Uint8Array<ArrayBuffer> | null, stderr: Uint8Array<ArrayBuffer> | null]> {
    check_options(options, ["max_bytes", "drain"]);
    const { max_bytes = Infinity, drain = false } = options ?? {};
    check_number_at_least("max_bytes", max_bytes, 0);
    check_flag("drain", drain);
    const bytes = input === null ? null : to_bytes("input", input);
    const { stdin, stdout, stderr } = this;
    if (bytes !== null && stdin === null) throw new RuntimeError("Cannot communicate input: stdin is not a pipe");
    return new Call(async () => {
      const output = (reader: StreamReader | null) =>
        new Call(() => reader === null ? null : collect(reader, max_bytes, drain));
      const parts = [output(stdout), output(stderr), new Call(() => feed(stdin, bytes))] as const;
      // Not `Promise.all()`: what the call waits for must be the library's, lest a cancellation come twice.
      try {
        const [out, err] = await gather(...parts);
        await this.wait();
        return [out, err];
      } catch (error) {
        for (const part of parts) part.cancel();
        await shielded(async () => void await gather(...parts, { return_exceptions: true }));
        throw error;
      }
    });
  }

  /**
   * Ends it: closes `stdin`, sends SIGTERM, and after a while SIGKILL. What it writes on its way out can still be read.
   *
   * Only the process itself is ended, not those that it has started.
   *
   * Differs from asyncio: there is no such method.
   *
   * @param options How much time it has.
   * @returns A future of the return code. To cancel it kills the process.
   * @throws {TypeError} If `grace` is not a number.
   * @throws {RangeError} If it is below 0.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const process = await asyncio.create_subprocess_exec("sleep", "3600");
   * console.log(await process.shutdown({ grace: 10 })); // -15
   * ```
   */
  shutdown(options?: ProcessShutdownOptions): Future<number> {
    check_options(options, ["grace"]);
    const grace = options?.grace === undefined ? DEFAULT_PROCESS_GRACE : options.grace;
    if (grace !== null) check_number_at_least("grace", grace, 0);
    return new Call(async () => {
      if (this.returncode !== null) return this.returncode;
      this.stdin?.close();
      this.terminate();
      const timer = grace === null || grace === Infinity ? null : this.#loop._call_later(grace, () => this.kill());
      try {
        return await this.wait();
      } catch (error) {
        this.kill();
        await shielded(async () => void await this.wait());
        throw error;
      } finally {
        timer?.cancel();
      }
    });
  }

  /**
   * Has nothing to do; called by `async_with()`.
   *
   * @returns The process itself.
   */
  __aenter__(): this {
    return this;
  }

  /**
   * Ends the process and lets go of its pipes; called by `async_with()`.
   *
   * @param _error What the body threw, or `null`.
   */
  async __aexit__(_error: unknown): Promise<void> {
    await this[Symbol.asyncDispose]();
  }

  /**
   * At the end of an `await using` block, ends the process as `shutdown()` does, even if the block was cancelled, and lets
   * go of its pipes; what is buffered can still be read.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await shielded(async () => {
      try {
        await this.shutdown();
      } finally {
        await this.#release();
      }
    });
  }

  /** @ignore */
  [INSPECT](): string {
    return `<Process ${this.pid} ${this.returncode === null ? "running" : `returncode=${this.returncode}`}>`;
  }
}

/** Writes the input, if there is one, and the end of data. */
async function feed(stdin: StreamWriter | null, input: Uint8Array | null): Promise<void> {
  if (stdin === null) return;
  try {
    if (input !== null) stdin.write(input);
    await stdin.drain();
  } catch (error) {
    if (!(error instanceof BrokenPipeError || error instanceof ConnectionResetError)) throw error;
  }
  stdin.close();
}

/**
 * Reads to the end. If it does not get there, what came is back in the buffer.
 *
 * In chunks also without a bound: `read()` prepares for much at once, which takes longer than to start a process.
 */
async function collect(reader: StreamReader, max_bytes: number, drain: boolean): Promise<Bytes> {
  const chunks: Bytes[] = [];
  let size = 0;
  try {
    for (;;) {
      const data = await reader.read(CHUNK_SIZE);
      if (data.length === 0) return joined(chunks, size);
      const kept = drain ? data.slice(0, max_bytes - size) : data;
      size += kept.length;
      if (kept.length > 0) chunks.push(kept);
      if (size > max_bytes) throw new LimitOverrunError(`Output is longer than ${max_bytes} bytes`, max_bytes);
    }
  } catch (error) {
    reader.unread(joined(chunks, size));
    throw error;
  }
}

function joined(chunks: readonly Bytes[], size: number): Bytes {
  const all = new Uint8Array(size);
  let end = 0;
  for (const chunk of chunks) {
    all.set(chunk, end);
    end += chunk.length;
  }
  return all;
}

function create(command: SpawnPlan["command"], options: SubprocessOptions): Future<Process> {
  const plan = check_subprocess(command, options);
  const loop = current_loop();
  return start_program(loop, plan, () => (raw) => new Process(loop, raw, plan), (process) => process._loop_closed());
}

/**
 * Starts a program.
 *
 * Its arguments are passed as they are: no shell looks at them. A program without a `/` is looked for in the `PATH` of the
 * `env` it is given, or else of this process. Whoever gets the process sees to its end; see `Process`.
 *
 * With `stdout: PIPE, stderr: STDOUT` it is started through `sh`, whose place it takes, as Deno cannot give a program one
 * pipe twice; so that takes `--allow-run` for `sh`, and on Windows it is not supported.
 *
 * Differs from asyncio: what `text` and its like are refused with is a `RangeError`; a missing program is Deno's
 * `NotFound`, as is a missing `cwd`.
 *
 * @param program The program, by its name, its path or a file URL.
 * @param args Its arguments; behind them the options.
 * @returns A future of the process. To cancel it ends a process that was started all the same.
 * @throws {TypeError} If an argument has the wrong type, or an option is unknown.
 * @throws {RangeError} If one is out of range.
 * @throws {Deno.errors.NotFound} If there is no such program, or no such `cwd`.
 * @throws {Deno.errors.PermissionDenied} If it may not be executed.
 * @throws {Deno.errors.NotCapable} Without `--allow-run` for the program.
 * @throws The reason of `signal`, if that aborted before.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const { PIPE } = asyncio.subprocess;
 * const process = await asyncio.create_subprocess_exec("echo", "$HOME is no variable here", { stdout: PIPE });
 * const [stdout] = await process.communicate();
 * console.log(new TextDecoder().decode(stdout!)); // $HOME is no variable here
 * ```
 */
export function create_subprocess_exec(
  program: string | URL,
  ...args: readonly string[] | readonly [...string[], SubprocessOptions]
): Future<Process> {
  return create(...split_arguments(program, args));
}

/**
 * Has a shell run a command: `sh -c` or, on Windows, `cmd /c`.
 *
 * What is put into the text of a command has to be quoted as the shell wants it; better is `create_subprocess_exec()`,
 * where nothing has to be. Signals go to the shell, which may have started others. Whoever gets the process sees to its
 * end; see `Process`.
 *
 * @param cmd The text of the command.
 * @param options As of `create_subprocess_exec()`.
 * @returns A future of the process. To cancel it ends a process that was started all the same.
 * @throws {TypeError} If an argument has the wrong type, or an option is unknown.
 * @throws {RangeError} If one is out of range.
 * @throws {Deno.errors.NotFound} If there is no such `cwd`.
 * @throws {Deno.errors.NotCapable} Without `--allow-run` for the shell.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const { PIPE, STDOUT } = asyncio.subprocess;
 * const process = await asyncio.create_subprocess_shell("echo out; echo err >&2; exit 3", {
 *   stdout: PIPE,
 *   stderr: STDOUT,
 * });
 * const [stdout] = await process.communicate();
 * console.log(new TextDecoder().decode(stdout!).split("\n"), process.returncode); // [ "out", "err", "" ] 3
 * ```
 */
export function create_subprocess_shell(cmd: string, options: SubprocessOptions = {}): Future<Process> {
  return create(check_shell(cmd), options);
}
