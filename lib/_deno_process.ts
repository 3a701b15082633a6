/**
 * What the library asks of the process it runs in, and of the system's other processes.
 *
 * @module
 */

import type { Processes, RawConn, RawProcess, RawStdio, Signal, SpawnPlan } from "./_deno.ts";
import { NotSupported } from "./_deno.ts";
import { RuntimeError } from "./exceptions.ts";

/** The exit code of a program that Ctrl-C ended: 128 and the signal's number. */
const INTERRUPTED = 130;

/** Whether an environment variable is set and not empty; false where it may not be read. It never asks the user. */
export function env_flag(name: string): boolean {
  if (Deno.permissions.querySync({ name: "env", variable: name }).state !== "granted") return false;
  return Boolean(Deno.env.get(name));
}

/** The runtime's own OpenTelemetry tracer; `null` if telemetry is off. */
export function telemetry_tracer(): unknown {
  const tracer = Deno.telemetry.tracerProvider.getTracer("asyncio");
  try {
    // Deno tells in no other way. A span that does not end is not exported.
    tracer.startSpan("probe");
    return tracer;
  } catch {
    return null;
  }
}

/**
 * Calls `fn` on Ctrl-C, which tells whether it was for it. The second time that it was, the process ends.
 *
 * Returns a function that stops listening. A listener does not keep the process alive, and needs no permission.
 */
export function on_interrupt(fn: () => boolean): () => void {
  let count = 0;
  const listener = () => {
    if (fn() && ++count > 1) Deno.exit(INTERRUPTED);
  };
  Deno.addSignalListener("SIGINT", listener);
  return () => Deno.removeSignalListener("SIGINT", listener);
}

/** Standard input and output in one. To close it closes the input, which ends a read that waits, and leaves the output. */
export function stdio(): RawConn {
  return {
    localAddr: null,
    remoteAddr: null,
    read: (array) => Deno.stdin.read(array),
    write: (array) => Deno.stdout.write(array),
    closeWrite: () => Promise.resolve(),
    close: () => Deno.stdin.close(),
  };
}

/** The processes and signals of the system. */
export const SYSTEM_PROCESSES: Processes = { spawn, on_signal };

// Programs

/** The descriptor of this process's standard output. */
const STANDARD_OUTPUT = 1;

/** As many bytes as a pipe holds: what is written beyond that has to wait for the reader anyway. */
const PIPE_SIZE = 64 * 1024;

/** The pipe to a process's standard input. */
class InputPipe implements RawConn {
  readonly localAddr = null;
  readonly remoteAddr = null;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  #ended = false;

  constructor(stream: WritableStream<Uint8Array>) {
    this.#writer = stream.getWriter();
    // Told by the next write.
    this.#writer.closed.catch(() => {});
  }

  read(): Promise<number | null> {
    return Promise.resolve(null);
  }

  async write(array: Uint8Array): Promise<number> {
    const part = array.subarray(0, PIPE_SIZE);
    await this.#writer.write(part);
    return part.length;
  }

  closeWrite(): Promise<void> {
    this.#ended = true;
    return this.#writer.close();
  }

  /** A write that waits for the reader cannot be taken back: the pipe is freed once the reader reads, or has ended. */
  close(): void {
    if (!this.#ended) this.#writer.abort().catch(() => {});
    this.#writer.releaseLock();
  }
}

/**
 * Runs a program with its two outputs in one pipe. Deno has no such pipe, but a shell has; it becomes the program, so the
 * identifier, the signals and the exit code are the program's own.
 *
 * That the program cannot be started would be an exit code of the shell, so it looks first, and tells on the pipe that was
 * to be standard error. That one ends when the program takes the shell's place, or when the shell does.
 */
const MERGER = `
case $1 in
*/*)
  [ -e "$1" ] || { echo missing >&2; exit 127; }
  [ -x "$1" ] && [ ! -d "$1" ] || { echo denied >&2; exit 126; } ;;
*) command -v -- "$1" >/dev/null 2>&1 || { echo missing >&2; exit 127; } ;;
esac
exec "$@" 2>&1
`;

const ON_WINDOWS = Deno.build.os === "windows";

async function spawn(plan: SpawnPlan, signal: AbortSignal): Promise<RawProcess> {
  signal.throwIfAborted();
  const { command, stdout } = plan;
  if (plan.stderr === "stdout" && stdout === "piped") return await spawn_merged(plan, signal);
  const stderr = plan.stderr !== "stdout" ? plan.stderr : stdout === "inherit" ? STANDARD_OUTPUT : stdout;
  if (!("shell" in command)) return start(plan, command.program, command.args, stderr);
  if (ON_WINDOWS) return start(plan, "cmd", cmd_arguments(command.shell), stderr);
  return start(plan, shell_path(), ["-c", command.shell], stderr);
}

async function spawn_merged(plan: SpawnPlan, signal: AbortSignal): Promise<RawProcess> {
  const { command } = plan;
  if (ON_WINDOWS) {
    if ("shell" in command) return start(plan, "cmd", cmd_arguments(`(${command.shell}) 2>&1`), "null");
    throw new NotSupported(
      'Cannot merge the outputs of a program on Windows: use create_subprocess_shell(), or "stdout" other than PIPE',
    );
  }
  const shell = shell_path();
  if ("shell" in command) return await start_merged(plan, shell, [shell, "-c", command.shell], signal);
  const program = command.program instanceof URL ? file_path(command.program) : command.program;
  return await start_merged(plan, shell, [program, ...command.args], signal);
}

/** As Node has it: with /s, cmd takes off only the outermost quotes, whatever is in between. */
function cmd_arguments(text: string): string[] {
  return ["/d", "/s", "/c", `"${text}"`];
}

/**
 * The shell by a path that the program may run it by. A bare "sh" would be searched for in the `PATH` that the child is
 * given, which may have none.
 */
function shell_path(): string {
  const may_run = (command: string) => Deno.permissions.querySync({ name: "run", command }).state === "granted";
  return ["/bin/sh", "/usr/bin/sh"].find(may_run) ?? "sh";
}

function file_path(url: URL): string {
  if (url.protocol !== "file:") throw new TypeError(`"program" must be a file URL, got "${url}"`);
  return decodeURIComponent(url.pathname);
}

function start(plan: SpawnPlan, program: string | URL, args: readonly string[], stderr: RawStdio): RawProcess {
  return new Child(spawn_child(plan, program, args, stderr), plan);
}

function spawn_child(
  { command, stdin, stdout, cwd, env, uid, gid, new_session }: SpawnPlan,
  program: string | URL,
  args: readonly string[],
  stderr: RawStdio,
): Deno.ChildProcess {
  const options = {
    args: [...args],
    stdin,
    stdout,
    stderr,
    cwd,
    env: env === undefined ? undefined : { ...env },
    clearEnv: env !== undefined,
    uid,
    gid,
    detached: new_session,
    windowsRawArguments: "shell" in command,
  };
  // Deno's types do not tell that a stream may be a file descriptor.
  return new Deno.Command(program, options as Deno.CommandOptions).spawn();
}

async function start_merged(
  plan: SpawnPlan,
  shell: string,
  command: readonly string[],
  signal: AbortSignal,
): Promise<RawProcess> {
  const child = spawn_child(plan, shell, ["-c", MERGER, "sh", ...command], "piped");
  const process = new Child(child, plan);
  const end = () => process.kill("SIGKILL");
  signal.addEventListener("abort", end, { once: true });
  try {
    const problem = (await child.stderr.text()).trim();
    if (problem === "" && !signal.aborted) return process;
    await process.discard();
    signal.throwIfAborted();
    throw problem === "missing"
      ? Object.assign(new Deno.errors.NotFound(`Failed to spawn '${command[0]}': entity not found`), { code: "ENOENT" })
      : Object.assign(
        new Deno.errors.PermissionDenied(`Failed to spawn '${command[0]}': Permission denied (os error 13)`),
        { code: "EACCES" },
      );
  } finally {
    signal.removeEventListener("abort", end);
  }
}

class Child implements RawProcess {
  readonly child: Deno.ChildProcess;
  readonly pid: number;
  readonly stdin: RawConn | null;
  readonly stdout: ReadableStream<Uint8Array> | null;
  readonly stderr: ReadableStream<Uint8Array> | null;
  readonly ended: Promise<number>;
  #has_ended = false;

  constructor(child: Deno.ChildProcess, plan: SpawnPlan) {
    this.child = child;
    this.pid = child.pid;
    this.stdin = plan.stdin === "piped" ? new InputPipe(child.stdin) : null;
    this.stdout = plan.stdout === "piped" ? child.stdout : null;
    this.stderr = plan.stderr === "piped" ? child.stderr : null;
    this.ended = child.status.then(returncode_of, unnamed_signal).finally(() => this.#has_ended = true);
  }

  /** Lets go of a process that is to be ended already. */
  async discard(): Promise<void> {
    this.stdin?.close();
    await this.stdout?.cancel();
    await this.ended;
  }

  kill(signal: Signal): void {
    if (this.#has_ended) return;
    try {
      this.child.kill(signal);
    } catch (error) {
      // It has ended, and this process has not heard of it yet.
      if (error instanceof Deno.errors.NotFound) return;
      if (!(error instanceof TypeError)) throw error;
      check_known(signal, error);
    }
  }
}

function returncode_of({ code, signal }: Deno.CommandStatus): number {
  return signal === null ? code : 128 - code;
}

/** Deno fails on a signal that it has no name for, such as those of POSIX's real-time range, and tells only its number. */
function unnamed_signal(error: unknown): number {
  const number = error instanceof TypeError ? error.message.match(/^Invalid signal: (\d+)$/)?.[1] : undefined;
  if (number === undefined) throw error;
  return -Number(number);
}

// Signals

/** Those that Deno itself acts on, whoever else listens. */
const TAKEN: Readonly<Record<string, string>> = {
  SIGUSR1: "it starts Deno's inspector, which listens on port 9229; use SIGUSR2",
};

function on_signal(signal: Signal, fn: () => void): () => void {
  try {
    Deno.addSignalListener(signal, fn);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    if (error.message.startsWith("Binding to signal")) {
      throw new RuntimeError(`sig ${signal} cannot be caught`, { cause: error });
    }
    check_known(signal, error);
    throw error;
  }
  if (signal in TAKEN) console.warn(`A handler of ${signal} is not alone: ${TAKEN[signal]}`);
  return () => Deno.removeSignalListener(signal, fn);
}

function check_known(signal: Signal, error: TypeError): void {
  if (!error.message.startsWith("Invalid signal")) return;
  throw new RangeError(`"signal" must be the name of a signal, got "${signal}"`, { cause: error });
}
