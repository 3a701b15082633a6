// Connections: a server of each side, and a load of another process.
import type { Bench, Case, Setting } from "./cases.ts";
import type { Sample } from "./figures.ts";
import type { Side } from "./peers.ts";
import { cpu_time, file_limit, Program, resident_memory } from "./processes.ts";
import { certificates } from "../_certificates.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
/** The connections of the memory case; files that a process needs besides. */
const [IDLE, SPARE_FILES] = [10_000, 200];

type Transport = "tcp" | "unix" | "tls";

interface StreamCase {
  readonly group?: string;
  readonly name: string;
  /** The server's service, and the load's mode unless that is another. */
  readonly service: "echo" | "lines" | "frames" | "sink" | "source";
  readonly mode?: "connect" | "idle";
  readonly transport?: Transport;
  readonly connections: number;
  readonly size: number;
  readonly depth?: number;
  readonly sides?: readonly string[];
  readonly chart?: boolean;
}

function size_of(bytes: number): string {
  return bytes >= MIB ? `${bytes / MIB} MiB` : bytes >= KIB ? `${bytes / KIB} KiB` : `${bytes} B`;
}

function connections_of(count: number): string {
  return `${count.toLocaleString("en-US")} connection${count === 1 ? "" : "s"}`;
}

function echo(size: number, connections: number, chart: boolean, transport: Transport = "tcp"): StreamCase {
  const name = `${{ tcp: "", unix: "unix ", tls: "TLS " }[transport]}echo of ${size_of(size)}`;
  return { name: `${name}, ${connections_of(connections)}`, service: "echo", transport, connections, size, chart };
}

function bulk(service: "sink" | "source", transport: Transport): StreamCase {
  const name = `${transport === "tls" ? "TLS " : ""}bulk ${service === "sink" ? "in" : "out"}`;
  return { name, service, transport, connections: 1, size: 64 * KIB, chart: true };
}

/** Where the growth is looked at, few sides are enough. */
const FEW = ["asyncio", "bare", "node", "cpython", "uvloop"];

const STREAMS: readonly StreamCase[] = [
  ...[64, KIB, 64 * KIB, MIB].flatMap((size) =>
    [1, 50, 1_000].map((connections) =>
      echo(size, connections, connections === 50 || (connections === 1 && size === KIB))
    )
  ),
  {
    name: "lines of 64 B, 32 in flight, 50 connections",
    service: "lines",
    connections: 50,
    size: 64,
    depth: 32,
    chart: true,
  },
  {
    name: "frames of 64 B, 32 in flight, 50 connections",
    service: "frames",
    connections: 50,
    size: 64,
    depth: 32,
    chart: true,
  },
  bulk("sink", "tcp"),
  bulk("source", "tcp"),
  echo(KIB, 1, false, "tls"),
  echo(KIB, 50, true, "tls"),
  bulk("sink", "tls"),
  bulk("source", "tls"),
  echo(KIB, 1, false, "unix"),
  echo(KIB, 50, true, "unix"),
  { name: "connect, exchange 1 KiB, close", service: "echo", mode: "connect", connections: 16, size: KIB, chart: true },
  {
    name: `memory, ${IDLE.toLocaleString("en-US")} idle connections`,
    service: "echo",
    mode: "idle",
    connections: IDLE,
    size: 1,
    chart: true,
  },
  ...[10, 100, 1_000, 10_000].map((connections): StreamCase => ({
    ...echo(64, connections, false),
    group: "growth of connections",
    sides: FEW,
    name: `${connections_of(connections)}, echo of 64 B`,
  })),
];

let sockets = 0;

/** The server's arguments, and where the load finds it once it has printed its port or path. */
async function place(transport: Transport, { folder }: Setting): Promise<[string[], (printed: string) => string]> {
  if (transport === "tcp") return [[], (port) => port];
  if (transport === "unix") return [[`${folder}/${sockets++}.sock`], (path) => path];
  const { folder: files } = await certificates();
  return [[`${files}/server.pem`, `${files}/server.key`], (port) => `tls:${port}:${files}/ca.pem`];
}

/** A server with its load, which is started anew for each round. */
class StreamBench implements Bench {
  readonly #server: Program;
  readonly #load: readonly string[];
  readonly #subject: StreamCase;
  readonly #seconds: number;

  private constructor(server: Program, load: readonly string[], subject: StreamCase, seconds: number) {
    this.#server = server;
    this.#load = load;
    this.#subject = subject;
    this.#seconds = seconds;
  }

  static async start(side: Side, subject: StreamCase, setting: Setting): Promise<StreamBench> {
    const { service, mode = service, transport = "tcp", connections, size, depth = 1 } = subject;
    const [files, target_of] = await place(transport, setting);
    const server = new Program(side.server!, service, transport, ...files);
    try {
      const target = target_of(await server.line(20));
      const command = transport === "tls" ? setting.peers.tls_load : setting.peers.load;
      const load = [...command, mode, target, ...[connections, size, depth, setting.seconds].map(String)];
      return new StreamBench(server, load, subject, setting.seconds);
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  async round(): Promise<Sample> {
    const memory = await resident_memory(this.#server.pid);
    await using load = new Program(this.#load);
    // Ten thousand connections of a slow server take their time.
    const ready = await load.line(60);
    if (ready !== "ready") throw new Error(`the load said "${ready}"`);
    if (this.#subject.mode === "idle") return await this.#memory(memory);
    const before = await cpu_time(this.#server.pid);
    await load.go();
    const [count, seconds] = (await load.line(20 + this.#seconds)).split(" ").map(Number);
    const after = await cpu_time(this.#server.pid);
    if (count === 0) throw new Error("nothing came back in time");
    const units = is_bulk(this.#subject) ? count / MIB : count;
    return { value: units / seconds, cpu: before === null || after === null ? undefined : (after - before) / units };
  }

  async #memory(before: number | null): Promise<Sample> {
    // What is collected soon is no cost.
    await new Promise((resolve) => setTimeout(resolve, 500));
    const after = await resident_memory(this.#server.pid);
    if (before === null || after === null) throw new Error("no /proc here");
    return { value: (after - before) / KIB / this.#subject.connections };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

function is_bulk({ service }: StreamCase): boolean {
  return service === "sink" || service === "source";
}

function unit_of(subject: StreamCase): string {
  if (subject.mode === "idle") return "KiB each";
  if (subject.mode === "connect") return "conn./s";
  if (is_bulk(subject)) return "MiB/s";
  return subject.service === "echo" ? "exch./s" : `${subject.service}/s`;
}

async function unfit({ connections, transport }: StreamCase): Promise<string | null> {
  if (transport === "tls") {
    const made = await certificates().then(() => true, () => false);
    if (!made) return "no openssl for the certificates";
  }
  const limit = await file_limit();
  if (limit !== null && limit < connections + SPARE_FILES) return `"ulimit -Hn" is ${limit}, too low`;
  return null;
}

function stream_case(subject: StreamCase): Case {
  const { group = "streams", name, service, sides, chart, transport = "tcp", mode } = subject;
  const idle = mode === "idle";
  return {
    group,
    name,
    unit: unit_of(subject),
    better: idle ? "less" : "more",
    chart,
    warm_up: !idle,
    unfit: () => unfit(subject),
    takes: (side) =>
      side.server !== undefined && (side.services?.includes(service) ?? true) &&
      (side.key !== "std" || transport === "tcp") && (sides?.includes(side.key) ?? true),
    open: async (side, setting) => {
      if (!idle) return await StreamBench.start(side, subject, setting);
      // Memory that was used once is not given back: a new server for each round.
      return {
        async round() {
          await using bench = await StreamBench.start(side, subject, setting);
          return await bench.round();
        },
        [Symbol.asyncDispose]: () => Promise.resolve(),
      };
    },
  };
}

/** All cases of this room. */
export const stream_cases: readonly Case[] = STREAMS.map(stream_case);
