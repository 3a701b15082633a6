// Programs in processes of their own: the examples, and the peers they are tried against.

import { assertEquals, assertMatch } from "@std/assert";
import * as asyncio from "../mod.ts";

export const HOST = "127.0.0.1";
const decoder = new TextDecoder();

export interface ProgramOptions {
  /** Permissions beside that for the network. */
  readonly permissions?: readonly string[];
  /**
   * What standard input gives; with `"piped"`, what `type()` is called with.
   *
   * @default nothing
   */
  readonly stdin?: { readonly text: string } | "piped";
}

/** A process whose output is read as it comes. A test that fails leaves none behind. */
export class Process implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>> | null;
  readonly #stdout = new asyncio.StreamReader({ limit: Infinity });
  readonly #ended: Promise<unknown>;
  #stderr = "";

  constructor(command: string, args: readonly string[], stdin: ProgramOptions["stdin"] = undefined) {
    this.#process = new Deno.Command(command, {
      args: [...args],
      env: { NO_COLOR: "1" },
      stdin: stdin === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#stdin = stdin === undefined ? null : this.#process.stdin.getWriter();
    const read_stdout = async () => {
      for await (const chunk of this.#process.stdout) this.#stdout.feed_data(chunk);
      this.#stdout.feed_eof();
    };
    const read_stderr = async () => void (this.#stderr = await new Response(this.#process.stderr).text());
    this.#ended = Promise.all([read_stdout(), read_stderr()]);
    if (typeof stdin === "object") this.type(stdin.text).then(() => this.end_input());
  }

  /** The next line it prints. */
  async line(): Promise<string> {
    return text_of(await asyncio.wait_for(() => this.#stdout.readline(), 20));
  }

  async type(text: string): Promise<void> {
    await this.#stdin!.write(new TextEncoder().encode(text)).catch(() => {});
  }

  async end_input(): Promise<void> {
    await this.#stdin?.close().catch(() => {});
  }

  interrupt(): void {
    this.#process.kill("SIGINT");
  }

  /** Waits for its end; gives what it had still to print, and its exit code. */
  async end(): Promise<{ stdout: string; stderr: string; code: number }> {
    const { code } = await asyncio.wait_for(this.#process.status, 30);
    await this.#ended;
    return { stdout: decoder.decode(await this.#stdout.read()), stderr: this.#stderr, code };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.end_input();
    await this.#process.status;
    await this.#ended;
  }
}

/** A program of the examples in a process of its own, without the project's configuration, as after a URL import. */
export class Program extends Process {
  constructor(
    path: string,
    args: readonly string[] = [],
    allow_net: string | null = null,
    options: ProgramOptions = {},
  ) {
    const permissions = [...(allow_net === null ? [] : [`--allow-net=${allow_net}`]), ...options.permissions ?? []];
    const file = new URL(`../examples/${path}`, import.meta.url).href;
    super(
      Deno.execPath(),
      ["run", "--quiet", "--no-config", "--no-prompt", ...permissions, file, ...args],
      options.stdin,
    );
  }

  /** The port that a server says it serves on. */
  async port(): Promise<number> {
    const line = await this.line();
    assertMatch(line, /^Serving on 127\.0\.0\.1:\d+$/);
    return Number(line.split(":")[1]);
  }
}

/** Runs a program that ends by itself and is to succeed; gives what it printed. */
export async function output_of(
  path: string,
  args: readonly string[] = [],
  allow_net: string | null = null,
  options: ProgramOptions = {},
): Promise<string> {
  await using program = new Program(path, args, allow_net, options);
  const { stdout, stderr, code } = await program.end();
  assertEquals({ stderr, code }, { stderr: "", code: 0 });
  return stdout;
}

export function text_of(line: Uint8Array): string {
  return decoder.decode(line).replace(/\r?\n$/, "");
}

function runs(command: string, ...args: string[]): boolean {
  try {
    return new Deno.Command(command, { args, stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

export const CURL: string | null = runs("curl", "--version") ? "curl" : null;
export const OPENSSL: string | null = runs("openssl", "version") ? "openssl" : null;
/** One whose asyncio has `StreamWriter.start_tls()`: the one that the variable PYTHON names, or else what there is. */
export const PYTHON: string | null =
  [Deno.env.get("PYTHON") ?? "python3.13", "python3"].find((python) =>
    runs(python, "-c", "import ssl, sys; sys.exit(sys.version_info < (3, 11))")
  ) ?? null;

/**
 * A test that is ignored, and says so, where a program is missing. One that takes longer than `timeout` milliseconds fails;
 * with 0 it may take any time.
 */
export function test_with(
  needed: Readonly<Record<string, string | null>>,
  promise: string,
  fn: () => Promise<void>,
  timeout: number = 0,
): void {
  const missing = Object.keys(needed).filter((name) => needed[name] === null);
  Deno.test({
    name: missing.length === 0 ? promise : `${promise} (ignored: ${missing.join(" and ")} not installed)`,
    ignore: missing.length > 0,
    timeout,
    fn,
  });
}

/** What curl prints; it knows of no proxy but those in `args`. */
export async function curl(...args: string[]): Promise<{ stdout: string; stderr: string; code: number }> {
  const { stdout, stderr, code } = await new Deno.Command("curl", {
    args: ["-q", "--silent", "--show-error", "--max-time", "20", ...args],
    env: { PATH: Deno.env.get("PATH") ?? "" },
    clearEnv: true,
    stdin: "null",
  }).output();
  return { stdout: decoder.decode(stdout), stderr: decoder.decode(stderr), code };
}
