/**
 * The options of subprocesses, checked.
 *
 * @module
 */

import { check_flag, check_limit, check_size } from "./_bytes.ts";
import { DEFAULT_LIMIT } from "./constants.ts";
import type { RawStdio, SpawnPlan } from "./_deno.ts";
import { check_options, shown } from "./exceptions.ts";

/**
 * A pipe to this process. Given as `stdin`, `stdout` or `stderr`.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const { PIPE } = asyncio.subprocess;
 * const process = await asyncio.create_subprocess_exec("echo", "hello", { stdout: PIPE });
 * console.log(new TextDecoder().decode(await process.stdout!.readline())); // hello
 * ```
 */
export const PIPE: -1 = -1;
/**
 * Where standard output goes to. Given as `stderr`.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const { PIPE, STDOUT } = asyncio.subprocess;
 * await using process = await asyncio.create_subprocess_shell("echo oh >&2", { stdout: PIPE, stderr: STDOUT });
 * console.log(new TextDecoder().decode(await process.stdout!.readline())); // oh
 * ```
 */
export const STDOUT: -2 = -2;
/**
 * Nothing: to read from it gives the end of data, and what is written to it is dropped.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const { DEVNULL } = asyncio.subprocess;
 * const process = await asyncio.create_subprocess_exec("cat", { stdin: DEVNULL, stdout: DEVNULL });
 * console.log(await process.wait()); // 0
 * ```
 */
export const DEVNULL: -3 = -3;

/**
 * Options of `create_subprocess_exec()` and `create_subprocess_shell()`.
 *
 * Differs from asyncio: of the options of Python's `Popen` there are those that Deno has. There are no `text`,
 * `encoding` and their like in either; `reader.lines({ encoding })` gives text.
 */
export interface SubprocessOptions {
  /**
   * Standard input: `PIPE`, `DEVNULL`, `null` for this process's own, or an open file's descriptor, which stays open here.
   *
   * @default null
   */
  readonly stdin?: number | null;
  /**
   * Standard output, as `stdin`.
   *
   * @default null
   */
  readonly stdout?: number | null;
  /**
   * Standard error, as `stdin`; or `STDOUT` for what standard output is, so that both come in the order in which they were
   * written.
   *
   * @default null
   */
  readonly stderr?: number | null;
  /**
   * How many bytes the readers' search for a separator may look through.
   *
   * @default 65536
   */
  readonly limit?: number;
  /**
   * The folder to run it in.
   *
   * @default this process's own
   */
  readonly cwd?: string | URL | null;
  /**
   * Its whole environment: what is not there is not inherited. The program is looked for in its `PATH`.
   *
   * @default this process's own
   */
  readonly env?: Readonly<Record<string, string>> | null;
  /** The number of the user that it runs as; not on Windows. */
  readonly uid?: number;
  /** The number of the group that it runs as; not on Windows. */
  readonly gid?: number;
  /**
   * Has it run in a session of its own: Ctrl-C in the terminal does not reach it.
   *
   * @default false
   */
  readonly start_new_session?: boolean;
  /** When it aborts, the process is terminated, as by `terminate()`; before it was started, it is not started. */
  readonly signal?: AbortSignal;
}

/**
 * Options of `EventLoop.subprocess_exec()` and `subprocess_shell()`: all streams are pipes unless something else is said.
 */
export interface SubprocessProtocolOptions extends Omit<SubprocessOptions, "limit" | "stdin" | "stdout" | "stderr"> {
  /**
   * Standard input: `PIPE`, `DEVNULL`, `null` for this process's own, or an open file's descriptor, which stays open here.
   *
   * @default PIPE
   */
  readonly stdin?: number | null;
  /**
   * Standard output, as `stdin`.
   *
   * @default PIPE
   */
  readonly stdout?: number | null;
  /**
   * Standard error, as `stdin`; or `STDOUT` for what standard output is, so that both come in the order in which they were
   * written.
   *
   * @default PIPE
   */
  readonly stderr?: number | null;
}

/** What `asyncio` refuses, for which function, and in which words. */
const REFUSED: readonly (readonly [option: string, accepted: (value: unknown) => boolean, message: string])[] = [
  ["universal_newlines", (value) => !value, "universal_newlines must be False"],
  ["bufsize", (value) => value === 0, "bufsize must be 0"],
  ["text", (value) => !value, "text must be False"],
  ["encoding", (value) => value === null, "encoding must be None"],
  ["errors", (value) => value === null, "errors must be None"],
];

const KNOWN: readonly string[] = [
  "stdin",
  "stdout",
  "stderr",
  "cwd",
  "env",
  "uid",
  "gid",
  "start_new_session",
  "signal",
];

/** What is to be started, and what concerns this side alone. */
export interface SubprocessPlan {
  readonly spawn: SpawnPlan;
  readonly limit: number;
  readonly signal: AbortSignal | undefined;
}

/** Checks a program and its arguments, and takes the options from the end of these. */
export function split_arguments(
  program: unknown,
  args: readonly unknown[],
): [command: SpawnPlan["command"], options: SubprocessOptions] {
  if (typeof program !== "string" && !(program instanceof URL)) {
    throw new TypeError(`"program" must be a string or a URL, got ${shown(program)}`);
  }
  const last = args.at(-1);
  const has_options = typeof last === "object" && last !== null;
  const texts = has_options ? args.slice(0, -1) : args;
  for (const each of texts) {
    if (typeof each !== "string") throw new TypeError(`An argument of a program must be a string, got ${shown(each)}`);
  }
  return [{ program, args: texts as readonly string[] }, has_options ? last as SubprocessOptions : {}];
}

/** Checks the text of a shell's command. */
export function check_shell(cmd: unknown): SpawnPlan["command"] {
  if (typeof cmd !== "string") throw new TypeError(`cmd must be a string, got ${shown(cmd)}`);
  return { shell: cmd };
}

/** Checks the options: those for a process with streams, or those for a protocol, where what is left out is a pipe. */
export function check_subprocess(
  command: SpawnPlan["command"],
  options: SubprocessOptions,
  style: "streams" | "protocol" = "streams",
): SubprocessPlan {
  check_refused(options, "shell" in command);
  const more = style === "streams" ? ["limit"] : [];
  check_options(options, [...KNOWN, ...more, "shell", ...REFUSED.map(([name]) => name)]);
  const fallback = style === "streams" ? null : PIPE;
  const { limit = DEFAULT_LIMIT, uid, gid, start_new_session = false, signal } = options;
  check_limit("limit", limit);
  if (uid !== undefined) check_size("uid", uid);
  if (gid !== undefined) check_size("gid", gid);
  check_flag("start_new_session", start_new_session);
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`"signal" must be an AbortSignal, got ${shown(signal)}`);
  }
  const spawn: SpawnPlan = {
    command,
    stdin: check_stdio("stdin", options.stdin, fallback),
    stdout: check_stdio("stdout", options.stdout, fallback),
    stderr: options.stderr === STDOUT ? "stdout" : check_stdio("stderr", options.stderr, fallback),
    cwd: check_cwd(options.cwd),
    env: check_env(options.env),
    uid,
    gid,
    new_session: start_new_session,
  };
  return { spawn, limit, signal };
}

function check_refused(options: unknown, shell: boolean): void {
  if (typeof options !== "object" || options === null) return;
  const given = options as Readonly<Record<string, unknown>>;
  if (given.shell !== undefined && Boolean(given.shell) !== shell) {
    throw new RangeError(shell ? "shell must be True" : "shell must be False");
  }
  for (const [name, accepted, message] of REFUSED) {
    if (given[name] !== undefined && !accepted(given[name])) throw new RangeError(message);
  }
}

function check_stdio(name: string, value: number | null | undefined, fallback: number | null): RawStdio {
  value = value === undefined ? fallback : value;
  if (value === null) return "inherit";
  if (value === PIPE) return "piped";
  if (value === DEVNULL) return "null";
  if (value === STDOUT) throw new RangeError(`"${name}" cannot be STDOUT: only "stderr" can`);
  check_size(name, value);
  if (value < 0) throw new RangeError(`"${name}" must be PIPE, DEVNULL, null or a file descriptor, got ${value}`);
  return value;
}

function check_cwd(cwd: string | URL | null | undefined): string | URL | undefined {
  if (cwd === null || cwd === undefined) return undefined;
  if (typeof cwd === "string" || cwd instanceof URL) return cwd;
  throw new TypeError(`"cwd" must be a string or a URL, got ${shown(cwd)}`);
}

function check_env(env: Readonly<Record<string, string>> | null | undefined): SpawnPlan["env"] {
  if (env === null || env === undefined) return undefined;
  if (typeof env !== "object") throw new TypeError(`"env" must be an object, got ${shown(env)}`);
  for (const [name, value] of Object.entries(env)) {
    if (typeof value !== "string") throw new TypeError(`"env.${name}" must be a string, got ${shown(value)}`);
  }
  return env;
}
