/**
 * A network in memory: what a loop connects and listens with, in a test.
 *
 * @module
 */

import type { LoopNetwork } from "./base_events.ts";
import type { EventLoop } from "./deno_events.ts";
import { INSPECT } from "./constants.ts";
import {
  type Address,
  type AddressFamily,
  AddrInUse,
  ConnectionAbortedError,
  ConnectionRefusedError,
  named_error,
  type Network,
  NotFound,
  type RawConn,
  type RawListener,
  shown_address,
} from "./_deno.ts";
import { check_callable, check_number, check_options, RuntimeError, shown } from "./exceptions.ts";
import { memory_conns, type MemoryConn, type Wire, type WireSettings } from "./_memory_conn.ts";
import { MemoryListener } from "./_memory_listener.ts";
import { check_end, check_size, type MemoryEndStatistics, type PairEnd, sizes, statistics_of } from "./memory_pairs.ts";
import { Random } from "./_random.ts";

/** A number, or the least and the most that the network's seed draws it from. */
export type Drawn = number | readonly [least: number, most: number];

/**
 * Options of `memory_network()`.
 */
export interface MemoryNetworkOptions {
  /**
   * Another number draws others from the ranges that options give. What befalls a connection does not depend on those
   * beside it.
   *
   * @default 1
   */
  readonly seed?: number;
  /**
   * How long what is sent is on its way, in seconds of the loop's clock. To connect takes it twice.
   *
   * @default 0
   */
  readonly latency?: Drawn;
  /**
   * How many bytes a read gives at most; a function is asked for each read.
   *
   * @default Infinity
   */
  readonly chunk_size?: Drawn | (() => number);
  /**
   * How many bytes a write takes at most; a function is asked for each write.
   *
   * @default Infinity
   */
  readonly write_size?: Drawn | (() => number);
  /**
   * How many bytes that an end wrote may wait for the other to read them.
   *
   * @default 65536
   */
  readonly capacity?: number;
  /**
   * The addresses of names, the preferred one first. There is always `localhost`, 127.0.0.1.
   *
   * @default no other names
   */
  readonly hosts?: Readonly<Record<string, readonly string[]>>;
  /** Called with each connection as it is made: to break it later, or behind some byte. */
  readonly on_connect?: (link: MemoryLink) => unknown;
}

/**
 * What an address of the network is like; see `MemoryNetwork.route()`.
 */
export interface RouteOptions {
  /**
   * Whether it answers: `"refuses"` as if nobody listened, `"silent"` is never heard of.
   *
   * @default "answers"
   */
  readonly fate?: "answers" | "refuses" | "silent";
  /**
   * How long the way there is, and the way back, in seconds.
   *
   * @default that of the network
   */
  readonly latency?: Drawn;
}

/**
 * Where `MemoryLink.reset()` and `MemoryLink.vanish()` break a connection.
 */
export interface BreakOptions {
  /**
   * Whose bytes are counted.
   *
   * @default "client"
   */
  readonly from?: PairEnd;
  /**
   * Breaks it once that end has sent so many bytes, counted from its beginning, and they have arrived.
   *
   * @default at once
   */
  readonly after_bytes?: number;
}

/** The first of the ports that clients, and servers on port 0, are given. */
const FIRST_FREE_PORT = 49152;

/**
 * A connection of a memory network, seen from in between.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * // The connection breaks in the middle of the word.
 * const network = asyncio.testing.memory_network({ on_connect: (link) => link.reset({ after_bytes: 3 }) });
 * await asyncio.testing.run_test(async () => {
 *   const server = await asyncio.start_server(async (reader) => {
 *     const error = await reader.readline().catch((error) => error);
 *     console.log(error instanceof asyncio.ConnectionResetError); // true
 *   }, "127.0.0.1", 80);
 *   const [, writer] = await asyncio.open_connection("127.0.0.1", 80);
 *   writer.write("hello\n");
 *   await writer.wait_closed().catch(() => {});
 *   await server.shutdown();
 * }, { network });
 * ```
 */
export class MemoryLink {
  /** The client's address, as Deno gives it. */
  readonly client: Address;
  /** The server's address. */
  readonly server: Address;
  readonly #wires: Readonly<Record<PairEnd, Wire>>;
  readonly #wake: () => void;

  /**
   * Made by the network.
   *
   * @internal
   */
  constructor(client: Address, server: Address, wires: Readonly<Record<PairEnd, Wire>>, wake: () => void) {
    this.client = client;
    this.server = server;
    this.#wires = wires;
    this.#wake = wake;
  }

  /**
   * Breaks the connection with a reset that both ends hear of. What had arrived can still be read.
   *
   * @param options Where.
   * @throws {TypeError} If an option is unknown or has the wrong type.
   * @throws {RangeError} If `after_bytes` is not a whole number of 0 or more.
   */
  reset(options?: BreakOptions): void {
    this.#break("cut", options);
  }

  /**
   * Loses all that is sent from now on, both ways, without a word: reads never end, writes block once the buffers are
   * full.
   *
   * @param options Where.
   * @throws {TypeError} If an option is unknown or has the wrong type.
   * @throws {RangeError} If `after_bytes` is not a whole number of 0 or more.
   */
  vanish(options?: BreakOptions): void {
    this.#break("lost", options);
  }

  /**
   * Has an end's writes take nothing, until `unclog()`.
   *
   * @param end Whose writes.
   */
  clog(end: PairEnd): void {
    this.#wires[check_end(end)].clogged = true;
  }

  /**
   * Has an end's writes go on.
   *
   * @param end Whose writes.
   */
  unclog(end: PairEnd): void {
    this.#wires[check_end(end)].clogged = false;
    this.#wake();
  }

  /**
   * What went through an end until now.
   *
   * @param end Which end.
   * @returns A snapshot.
   */
  statistics(end: PairEnd): MemoryEndStatistics {
    return statistics_of(this.#wires, check_end(end));
  }

  /** @ignore */
  [INSPECT](): string {
    return `<MemoryLink ${shown_end(this.client)} to ${shown_end(this.server)}>`;
  }

  #break(how: "cut" | "lost", options: BreakOptions = {}): void {
    check_options(options, ["from", "after_bytes"]);
    const { from = "client", after_bytes } = options;
    check_end(from);
    if (after_bytes === undefined) {
      for (const wire of Object.values(this.#wires)) wire.sever(how);
      return;
    }
    check_number("after_bytes", after_bytes);
    if (!Number.isInteger(after_bytes) || after_bytes < 0) {
      throw new RangeError(`"after_bytes" must be a whole number of 0 or more, got ${shown(after_bytes)}`);
    }
    this.#wires[from].break_behind(after_bytes, how);
  }
}

/**
 * A network in memory; `memory_network()` makes one.
 *
 * Programs use it through the calls that they use always: `open_connection()`, `start_server()`, the loop's
 * `create_connection()`, `create_server()` and the others, by host and port or by path. Every address is a machine of
 * its own that can be listened on. A loop is given it by `new_event_loop({ network })`, or by `testing.test()`.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const network = asyncio.testing.memory_network({ latency: 0.05, hosts: { "echo.test": ["2001:db8::1", "10.0.0.1"] }
 * }); network.route("2001:db8::1", { fate: "silent" });
 * await asyncio.testing.run_test(async ({ clock }) => {
 *   await using server = await asyncio.start_server(async (reader, writer) => {
 *     writer.write(await reader.readline());
 *   }, "10.0.0.1", 7);
 *   const [reader, writer] = await asyncio.open_connection("echo.test", 7);
 *   writer.write("hello\n");
 *   await reader.readline();
 *   // A quarter of a second for the silent address, two ways to connect, one there, one back.
 *   console.log(clock.time().toFixed(2), server.is_serving()); // 0.45 true
 *   writer.close();
 * }, { network });
 * ```
 */
export class MemoryNetwork implements LoopNetwork {
  readonly #options: MemoryNetworkOptions;
  readonly #seed: number;
  readonly #routes = new Map<string, RouteOptions>();
  /** By address and port, or by path; several where a port is shared. */
  readonly #listeners = new Map<string, MemoryListener[]>();
  readonly #links = new Map<MemoryLink, readonly MemoryConn[]>();
  readonly #faults: Error[] = [];
  #links_made = 0;
  #last_port = FIRST_FREE_PORT - 1;
  #loop: EventLoop | null = null;

  /**
   * Made by `memory_network()`.
   *
   * @internal
   */
  constructor(options: MemoryNetworkOptions) {
    this.#options = options;
    this.#seed = options.seed ?? 1;
  }

  /** The connections of which an end is open, in the order in which they were made. */
  get links(): readonly MemoryLink[] {
    return [...this.#links.keys()];
  }

  /**
   * Says what an address is like from now on. Connections that were made stay as they are.
   *
   * @param address An IP address, not a name.
   * @param options Whether it answers, and how far it is; what is left out is as in the rest of the network.
   * @throws {TypeError} If an option is unknown or has the wrong type.
   * @throws {RangeError} If `latency` is below 0.
   */
  route(address: string, options: RouteOptions = {}): void {
    if (typeof address !== "string") throw new TypeError(`"address" must be a string, got ${shown(address)}`);
    check_options(options, ["fate", "latency"]);
    const { fate = "answers", latency } = options;
    if (!["answers", "refuses", "silent"].includes(fate)) {
      throw new TypeError(`"fate" must be "answers", "refuses" or "silent", got ${shown(fate)}`);
    }
    if (latency !== undefined) check_latency(latency);
    this.#routes.set(address, options);
  }

  /**
   * Has the next accepts fail, on whatever socket they are: out of descriptors (`"EMFILE"`), where the connection
   * waits for another accept, or because the connection is gone already (`"ECONNABORTED"`).
   *
   * @param count How many.
   * @param code Why.
   * @throws {RangeError} If `count` is not a whole number above 0.
   */
  fail_accepts(count: number, code: "EMFILE" | "ECONNABORTED" = "EMFILE"): void {
    check_size("count", count);
    if (code !== "EMFILE" && code !== "ECONNABORTED") {
      throw new TypeError(`"code" must be "EMFILE" or "ECONNABORTED", got ${shown(code)}`);
    }
    for (let i = 0; i < count; i++) {
      const error = code === "EMFILE"
        ? new Error("Too many open files (os error 24)")
        : new ConnectionAbortedError("Software caused connection abort (os error 103)");
      this.#faults.push(Object.assign(error, { code }));
    }
  }

  /** @ignore */
  [INSPECT](): string {
    return `<MemoryNetwork listening=${this.#listeners.size} links=${this.#links.size} seed=${this.#seed}>`;
  }

  /**
   * Gives it to a loop; what it does not do itself, such as standard input, is the machine's.
   *
   * @internal
   */
  _open(loop: EventLoop, system: Network): Network {
    if (this.#loop !== null && !this.#loop.is_closed()) {
      throw new RuntimeError("Cannot give the network to a second loop: the first is not closed");
    }
    this.#loop = loop;
    return {
      ...system,
      resolve: (host, _port, family) => this.#resolve(host, family),
      connect_tcp: async (host, port, signal) => {
        const where = shown_address(host, port);
        const route = this.#routes.get(host) ?? {};
        const find = () =>
          route.fate === "refuses" ? undefined : this.#find([where, shown_address(wildcard(host), port), `*:${port}`]);
        const client: Address = {
          transport: "tcp",
          hostname: host.includes(":") ? "::1" : "127.0.0.1",
          port: this.#free_port(),
        };
        return await this.#connect(find, client, { transport: "tcp", hostname: host, port }, route, signal)
          .catch((error) => {
            throw signal.aborted ? error : named_error(error, `Cannot connect to ${where}`);
          });
      },
      connect_unix: async (path, signal) => {
        const text = `unix socket ${JSON.stringify(path)}`;
        const server = unix_address(path);
        return await this.#connect(() => this.#find([text]), unix_address(null), server, null, signal)
          .catch((error) => {
            throw signal.aborted ? error : named_error(error, `Cannot connect to ${text}`);
          });
      },
      listen_tcp: (host, port, backlog, reuse_port) => {
        const chosen = port === 0 ? this.#free_port() : port;
        const key = host === null ? `*:${chosen}` : shown_address(host, chosen);
        return this.#listen(key, { transport: "tcp", hostname: host ?? "::", port: chosen }, backlog, reuse_port);
      },
      // deno-lint-ignore require-await -- an error is to reject
      listen_unix: async (path) =>
        this.#listen(`unix socket ${JSON.stringify(path)}`, unix_address(path), UNIX_BACKLOG, false),
    };
  }

  async #resolve(host: string, family: AddressFamily | null): Promise<readonly string[]> {
    await new Promise<void>((resolve) => void this.#loop!._call_soon(resolve));
    const is_address = /^[\d.]+$/.test(host) || host.includes(":");
    const { hosts = {} } = this.#options;
    const known = Object.hasOwn(hosts, host) ? hosts[host] : host === "localhost" ? ["127.0.0.1"] : [];
    const found = is_address ? [host] : known;
    if (found.length === 0) throw Object.assign(new Error("Name or service not known"), { code: "EAI_NONAME" });
    const wanted = found.filter((each) => family === null || each.includes(":") === (family === "AF_INET6"));
    if (wanted.length > 0) return wanted;
    throw Object.assign(new Error(`It has no address of family ${family}`), { code: "EAI_ADDRFAMILY" });
  }

  #find(keys: readonly string[]): MemoryListener | undefined {
    const key = keys.find((each) => this.#listeners.has(each));
    if (key === undefined) return undefined;
    // Those that share a port take turns.
    const sharing = this.#listeners.get(key)!;
    sharing.push(sharing.shift()!);
    return sharing[0];
  }

  /** `route` is `null` where there is no way to go. */
  async #connect(
    find: () => MemoryListener | undefined,
    client: Address,
    server: Address,
    route: RouteOptions | null,
    signal: AbortSignal,
  ): Promise<RawConn> {
    const random = new Random(this.#seed + 1009 * ++this.#links_made);
    const latency = route === null ? () => 0 : drawn(route.latency ?? this.#options.latency ?? 0, random);
    await this.#pass(route?.fate === "silent" ? Infinity : latency() + latency(), signal);
    let listener = find();
    while (listener !== undefined) {
      await listener.room();
      signal.throwIfAborted();
      if (!listener.is_closed) break;
      listener = find();
    }
    if (listener === undefined) throw route === null ? no_file() : refused();
    const settings = this.#settings(random, latency);
    const { conns, wires, wake } = memory_conns(this.#loop!, [settings, settings], [client, server]);
    const link = new MemoryLink(client, server, { client: wires[0], server: wires[1] }, wake);
    this.#links.set(link, conns);
    for (const conn of conns) {
      conn.on_closed = () => conns.every((each) => each.is_closed) && this.#links.delete(link);
    }
    this.#options.on_connect?.(link);
    listener.connected(conns[1]);
    return conns[0];
  }

  /** Waits in the loop's time, and for one turn at least. */
  #pass(seconds: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const loop = this.#loop!;
      const timer = seconds === Infinity
        ? null
        : seconds === 0
        ? loop._call_soon(() => done())
        : loop._call_later(seconds, () => done());
      const on_abort = () => {
        timer?.cancel();
        reject(signal.reason);
      };
      const done = () => {
        signal.removeEventListener("abort", on_abort);
        resolve();
      };
      signal.addEventListener("abort", on_abort, { once: true });
    });
  }

  #settings(random: Random, latency: () => number): WireSettings {
    const { capacity = 64 * 1024, chunk_size = Infinity, write_size = Infinity } = this.#options;
    return {
      capacity,
      chunk_size: drawn_sizes("chunk_size", chunk_size, random),
      write_size: drawn_sizes("write_size", write_size, random),
      latency,
    };
  }

  #listen(key: string, addr: Address, backlog: number, reuse_port: boolean): RawListener {
    const sharing = this.#listeners.get(key) ?? [];
    if (sharing.length > 0 && !reuse_port) {
      const error = Object.assign(new AddrInUse("Address already in use (os error 98)"), { code: "EADDRINUSE" });
      throw named_error(error, `Cannot listen on ${key}`);
    }
    const listener = new MemoryListener(addr, backlog, () => this.#faults.shift() ?? null, () => {
      sharing.splice(sharing.indexOf(listener), 1);
      if (sharing.length === 0) this.#listeners.delete(key);
    });
    sharing.push(listener);
    this.#listeners.set(key, sharing);
    return listener;
  }

  #free_port(): number {
    this.#last_port = this.#last_port >= 65535 ? FIRST_FREE_PORT : this.#last_port + 1;
    return this.#last_port;
  }
}

/** As many connections as Linux lets wait for a unix socket's accept by default. */
const UNIX_BACKLOG = 128;

/**
 * Makes a network in memory, for programs under test: no port, no permission, no real time.
 *
 * What it does to the bytes is drawn by its seed, so it is the same in every run. It behaves as TCP does on Linux: see
 * `MemoryPair`. A client waits while the server's backlog is full; the backlog of a server that closes is reset.
 *
 * @param options What it does to the bytes, and its names.
 * @returns The network, for one loop at a time.
 * @throws {TypeError} If an option is unknown or has the wrong type.
 * @throws {RangeError} If a size is not a whole number above 0, or a latency below 0.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * // Reads give one to three bytes at a time: does the server put its lines together?
 * const network = asyncio.testing.memory_network({ chunk_size: [1, 3], seed: 7 });
 * await asyncio.run(async () => {
 *   await using server = await asyncio.start_server(async (reader, writer) => {
 *     writer.write(await reader.readline());
 *   }, "10.0.0.1", 80);
 *   const [reader, writer] = await asyncio.open_connection("10.0.0.1", 80);
 *   writer.write("in pieces\n");
 *   console.log(new TextDecoder().decode(await reader.read()).trim(), server.is_serving()); // in pieces true
 *   writer.close();
 * }, { loop_factory: () => asyncio.new_event_loop({ network, clock: new asyncio.VirtualClock() }) });
 * ```
 */
export function memory_network(options: MemoryNetworkOptions = {}): MemoryNetwork {
  check_options(options, ["seed", "latency", "chunk_size", "write_size", "capacity", "hosts", "on_connect"]);
  const { seed, latency, chunk_size, write_size, capacity, hosts = {}, on_connect } = options;
  if (seed !== undefined) check_number("seed", seed);
  if (latency !== undefined) check_latency(latency);
  const random = new Random(0);
  if (chunk_size !== undefined) drawn_sizes("chunk_size", chunk_size, random);
  if (write_size !== undefined) drawn_sizes("write_size", write_size, random);
  if (capacity !== undefined) check_size("capacity", capacity);
  if (on_connect !== undefined) check_callable("on_connect", on_connect);
  for (const [name, addresses] of Object.entries(hosts)) {
    if (!Array.isArray(addresses)) throw new TypeError(`"hosts" must have arrays, got ${name}: ${shown(addresses)}`);
  }
  return new MemoryNetwork(options);
}

function range(value: Drawn): readonly [number, number] {
  return typeof value === "number" ? [value, value] : value;
}

function check_latency(latency: Drawn): void {
  const [least, most] = range(latency);
  for (const each of [least, most]) {
    check_number("latency", each);
    if (!(each >= 0 && each < Infinity)) throw new RangeError(`"latency" must be 0 or more, got ${each}`);
  }
  if (least > most) throw new RangeError(`"latency" must begin with the least, got ${shown(latency)}`);
}

function drawn(latency: Drawn, random: Random): () => number {
  const [least, most] = range(latency);
  return least === most ? () => least : () => least + (most - least) * random.fraction();
}

function drawn_sizes(name: string, size: Drawn | (() => number), random: Random): () => number {
  if (!Array.isArray(size)) return sizes(name, size as number | (() => number));
  const [least, most] = size as readonly [number, number];
  check_size(name, least);
  check_size(name, most);
  if (least > most) throw new RangeError(`"${name}" must begin with the least, got ${shown(size)}`);
  return () => random.between(least, most);
}

function wildcard(host: string): string {
  return host.includes(":") ? "::" : "0.0.0.0";
}

function unix_address(path: string | null): Address {
  // Deno gives a client no path, which its types do not tell.
  return { transport: "unix", path } as Address;
}

function shown_end(address: Address): string {
  return "hostname" in address
    ? shown_address(address.hostname, address.port)
    : String((address as { path: unknown }).path);
}

const no_file = () => Object.assign(new NotFound("No such file or directory (os error 2)"), { code: "ENOENT" });
const refused = () =>
  Object.assign(new ConnectionRefusedError("Connection refused (os error 111)"), { code: "ECONNREFUSED" });
