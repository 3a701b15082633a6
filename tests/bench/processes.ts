// Processes of the measurement: each is bounded in time and ended by its own handle.
import { TextLineStream } from "@std/streams";

/** Waits at most so many seconds. What is waited for goes on, unless its owner ends it. */
export async function within<T>(seconds: number, what: string, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`No answer from ${what} within ${seconds} s`)), seconds * 1000);
  promise.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A command without the folders, for messages. */
function name_of(words: readonly string[]): string {
  return words.map((word) => word.split("/").at(-1)).join(" ");
}

/** A process that is talked to by lines, and ends when its standard input does. */
export class Program implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #errors: Promise<string>;
  readonly #name: string;

  constructor(command: readonly string[], ...args: readonly string[]) {
    const [program, ...rest] = command;
    this.#name = name_of([...command, ...args]);
    this.#process = new Deno.Command(program, {
      args: [...rest, ...args],
      env: { NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    const text: ReadableStream<string> = this.#process.stdout.pipeThrough(new TextDecoderStream());
    this.#lines = text.pipeThrough<string>(new TextLineStream()).getReader();
    this.#errors = new Response(this.#process.stderr).text();
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** The next line it prints. */
  async line(seconds: number): Promise<string> {
    const { value } = await within(seconds, this.#name, this.#lines.read());
    if (value !== undefined) return value;
    const [last] = (await within(5, this.#name, this.#errors)).trim().split("\n").slice(-1);
    throw new Error(`${this.#name} ended: ${last}`);
  }

  /** Tells it to go on. */
  async go(): Promise<void> {
    await this.#input.write(new Uint8Array([10]));
  }

  /** Ends it: by the end of its input, or if that does not help within two seconds, by force. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    try {
      await within(2, this.#name, this.#process.status);
    } catch {
      this.#process.kill("SIGKILL");
      await this.#process.status;
    }
    await this.#lines.cancel().catch(() => {});
    await this.#errors.catch(() => {});
  }
}

/** What a program prints, without the last line's end. It is killed after so many seconds. */
export async function output(seconds: number, command: readonly string[], ...args: readonly string[]): Promise<string> {
  const [program, ...rest] = command;
  const process = new Deno.Command(program, {
    args: [...rest, ...args],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const ended = process.output();
  try {
    const { code, stdout, stderr } = await within(seconds, name_of([...command, ...args]), ended);
    if (code === 0) return new TextDecoder().decode(stdout).trim();
    const [last] = new TextDecoder().decode(stderr).trim().split("\n").slice(-1);
    throw new Error(`${name_of([...command, ...args])} ended with ${code}: ${last}`);
  } catch (error) {
    try {
      process.kill("SIGKILL");
    } catch {
      // It had ended.
    }
    await ended;
    throw error;
  }
}

/** Whether a program is there and does that. */
export async function works(command: readonly string[], ...args: readonly string[]): Promise<boolean> {
  return await output(20, command, ...args).then(() => true, () => false);
}

let ticks_a_second: Promise<number> | null = null;

/** The processor time that a process has spent so far, all threads, in microseconds; `null` where there is no /proc. */
export async function cpu_time(pid: number): Promise<number | null> {
  ticks_a_second ??= output(5, ["getconf"], "CLK_TCK").then(Number, () => 100);
  try {
    const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
    // The second field, the name in parentheses, may have spaces.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 1e6 / await ticks_a_second;
  } catch {
    return null;
  }
}

/** The memory of a process that is in RAM, in bytes; `null` where there is no /proc. */
export async function resident_memory(pid: number): Promise<number | null> {
  try {
    const status = await Deno.readTextFile(`/proc/${pid}/status`);
    return Number(status.match(/^VmRSS:\s+(\d+) kB$/m)![1]) * 1024;
  } catch {
    return null;
  }
}

/** How many files a process may open; `null` where that is not known. */
export async function file_limit(): Promise<number | null> {
  try {
    const limits = await Deno.readTextFile("/proc/self/limits");
    const [, hard] = limits.match(/^Max open files\s+\S+\s+(\S+)/m)!;
    return hard === "unlimited" ? Infinity : Number(hard);
  } catch {
    return null;
  }
}
