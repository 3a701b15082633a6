/**
 * Side by side: this library, a bare Deno.Conn loop, and CPython's asyncio where `python3` (or the program named by the
 * environment variable PYTHON) is there. Every round runs every case of every side, so that all see the same machine;
 * the table has medians, and ratios above 1 where this library is faster.
 *
 * deno task bench [--rounds=5] [--seconds=1]
 */

const HERE = new URL(".", import.meta.url);
const ROUNDS = option("rounds", 5);
const SECONDS = option("seconds", 1);
const ECHO_CASES = [[1, 1024], [50, 1024]] as const;

function option(name: string, value: number): number {
  const given = Deno.args.find((arg) => arg.startsWith(`--${name}=`))?.split("=")[1];
  return given === undefined ? value : Number(given);
}

function path(file: string): string {
  return new URL(file, HERE).pathname;
}

async function output(program: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args }).output();
  if (code !== 0) {
    throw new Error(`${program} ${args.join(" ")} ended with ${code}: ${new TextDecoder().decode(stderr)}`);
  }
  return new TextDecoder().decode(stdout).trim();
}

async function available(program: string, ...args: string[]): Promise<boolean> {
  return await output(program, ...args).then(() => true, () => false);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Rounds of figures, by case and side. */
class Figures {
  readonly #rounds = new Map<string, Map<string, number[]>>();

  add(name: string, side: string, value: number): void {
    const sides = this.#rounds.getOrInsertComputed(name, () => new Map());
    sides.getOrInsertComputed(side, () => []).push(value);
  }

  cases(): string[] {
    return [...this.#rounds.keys()];
  }

  median(name: string, side: string): number | null {
    const values = this.#rounds.get(name)?.get(side);
    return values === undefined ? null : median(values);
  }

  /** The median over the rounds of `side` divided by `other`, round by round. */
  ratio(name: string, side: string, other: string): number | null {
    const sides = this.#rounds.get(name);
    const [a, b] = [sides?.get(side), sides?.get(other)];
    return a === undefined || b === undefined ? null : median(a.map((value, round) => value / b[round]));
  }
}

/** A server of its own process, which ends when its standard input does. */
class EchoServer implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly port: number;

  private constructor(process: Deno.ChildProcess, port: number) {
    this.#process = process;
    this.port = port;
  }

  static async start(program: string, ...args: string[]): Promise<EchoServer> {
    const process = new Deno.Command(program, { args, stdin: "piped", stdout: "piped", stderr: "null" }).spawn();
    const reader = process.stdout.getReader();
    const { value } = await reader.read();
    reader.releaseLock();
    return new EchoServer(process, Number(new TextDecoder().decode(value)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stdin.close();
    await this.#process.stdout.cancel();
    await this.#process.status;
  }
}

async function load_program(): Promise<string[]> {
  const program = `${await Deno.makeTempDir()}/load`;
  if (await available("cc", "-O2", "-o", program, path("load.c"))) return [program];
  console.log("cc: not there, so the load comes from Deno and may be the bottleneck");
  return [Deno.execPath(), "run", "--allow-net", path("load.ts")];
}

async function python_program(): Promise<string | null> {
  for (const program of [Deno.env.get("PYTHON"), "python3.13", "python3"]) {
    if (program !== undefined && await available(program, "-c", "import asyncio; asyncio.timeout")) {
      console.log(`CPython: ${await output(program, "--version")}`);
      return program;
    }
  }
  console.log("CPython: not there, so its columns are empty");
  return null;
}

function cell(value: number | null, digits: number): string {
  return (value === null ? "-" : value.toFixed(digits)).padStart(12);
}

async function bench_tasks(python: string | null): Promise<void> {
  const figures = new Figures();
  for (let round = 0; round < ROUNDS; round++) {
    const sides: [string, string[]][] = [["asyncio", [Deno.execPath(), "run", "--allow-env", path("tasks.ts")]]];
    if (python !== null) sides.push(["CPython", [python, path("tasks.py")]]);
    for (const [side, [program, ...args]] of sides) {
      for (const [name, value] of Object.entries(JSON.parse(await output(program, ...args)))) {
        figures.add(name, side, value as number);
      }
    }
  }
  console.log(`\n${"ns for each".padEnd(36)}${"this".padStart(12)}${"CPython".padStart(12)}${"ratio".padStart(12)}`);
  for (const name of figures.cases()) {
    console.log(
      name.padEnd(36) + cell(figures.median(name, "asyncio"), 0) + cell(figures.median(name, "CPython"), 0) +
        cell(figures.ratio(name, "CPython", "asyncio"), 2),
    );
  }
}

async function bench_echo(python: string | null): Promise<void> {
  const figures = new Figures();
  const [load, ...load_args] = await load_program();
  await using bare = await EchoServer.start(Deno.execPath(), "run", "--allow-net", path("echo_bare.ts"));
  await using own = await EchoServer.start(Deno.execPath(), "run", "--allow-net", path("echo_asyncio.ts"));
  await using other = python === null ? null : await EchoServer.start(python, path("echo.py"));
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [connections, size] of ECHO_CASES) {
      for (const [side, server] of [["bare", bare], ["asyncio", own], ["CPython", other]] as const) {
        if (server === null) continue;
        const args = [server.port, connections, size, SECONDS].map(String);
        const rate = Number(await output(load, ...load_args, ...args));
        // The first round is for the compiler.
        if (round > 0) figures.add(`echo of ${size} B, ${connections} connections`, side, rate);
      }
    }
  }
  console.log(
    `\n${"exchanges a second".padEnd(36)}${"this".padStart(12)}${"bare".padStart(12)}${"CPython".padStart(12)}` +
      `${"to bare".padStart(12)}${"to CPython".padStart(12)}`,
  );
  for (const name of figures.cases()) {
    console.log(
      name.padEnd(36) + ["asyncio", "bare", "CPython"].map((side) => cell(figures.median(name, side), 0)).join("") +
        cell(figures.ratio(name, "asyncio", "bare"), 2) + cell(figures.ratio(name, "asyncio", "CPython"), 2),
    );
  }
}

const python = await python_program();
await bench_tasks(python);
await bench_echo(python);
