/**
 * What carries datagrams: a transport owns a socket, the datagrams that wait to be sent, and their flow control.
 *
 * @module
 */

import type { EventLoop } from "./deno_events.ts";
import { check_flag, to_bytes, write_limits_of } from "./_bytes.ts";
import { Attempt } from "./_connecting.ts";
import { DEFAULT_HIGH_WATER, INSPECT } from "./constants.ts";
import {
  type AddressFamily,
  type DatagramAddress,
  family_of,
  named_error,
  NotSupported,
  type RawDatagramSocket,
  shown_address,
} from "./_deno.ts";
import { check_options, ClosedResourceError, shown } from "./exceptions.ts";
import { Future } from "./futures.ts";
import { Line, Place, signal_of } from "./_line.ts";
import { type BaseProtocol, check_protocol, type DatagramProtocol } from "./protocols.ts";
import type { Step } from "./_scopes.ts";
import { Fifo } from "./_stores.ts";
import { check_family, check_port, type WriteBufferLimits } from "./_stream_options.ts";
import { TransportSocket } from "./trsock.ts";

/** Bytes that a datagram which waits counts for beside its own, as in asyncio: many empty ones are not nothing. */
const HEADER_SIZE = 8;

/**
 * Options of `EventLoop.create_datagram_endpoint()`.
 */
export interface DatagramOptions {
  /**
   * The kind of address to use. Without any address, it alone tells what to open.
   *
   * @default both
   */
  readonly family?: AddressFamily;
  /**
   * Whether datagrams may be sent to broadcast addresses.
   *
   * @default false
   */
  readonly allow_broadcast?: boolean;
  /** Refused if true: Deno cannot share the port of a datagram socket. */
  readonly reuse_port?: false;
}

/** What `DatagramTransport.get_extra_info()` knows, by key. */
export interface DatagramExtraInfo {
  /** This side's address. */
  readonly sockname: DatagramAddress;
  /** The address that it was opened to. */
  readonly peername: DatagramAddress | null;
  /** Both addresses, and their family. */
  readonly socket: TransportSocket;
}

interface Outgoing {
  readonly bytes: Uint8Array;
  readonly addr: DatagramAddress;
  /** Of whoever waits for it to leave; `null` if nobody does. */
  readonly sent: Future<void> | null;
}

/**
 * A socket for datagrams; `create_datagram_endpoint()` makes it, and a `DatagramProtocol` is what it calls.
 *
 * It owns the socket: `close()` and `abort()` free it. Datagrams leave one after the other, in the order of the calls.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const loop = asyncio.get_event_loop();
 * const [transport] = await loop.create_datagram_endpoint(() => new asyncio.DatagramProtocol(), ["127.0.0.1", 0]);
 * const [host, port] = transport.get_extra_info("sockname");
 * console.log(host, port > 0); // 127.0.0.1 true
 * transport.sendto("hello", [host, port]);
 * transport.close();
 * ```
 */
export class DatagramTransport {
  readonly #loop: EventLoop;
  readonly #raw: RawDatagramSocket;
  readonly #socket: TransportSocket;
  readonly #peer: DatagramAddress | null;
  /** Closing: what was handed over still leaves. */
  #state: "open" | "closing" | "closed" = "open";
  #protocol: BaseProtocol;

  readonly #queue: Fifo<Outgoing> = new Fifo<Outgoing>();
  #size = 0;
  /** The one that the system is at work on. */
  #leaving: Outgoing | null = null;
  #high = DEFAULT_HIGH_WATER;
  #low = DEFAULT_HIGH_WATER / 4;
  #paused = false;
  #sent_count = 0;
  /** What ended it. */
  #error: unknown = null;
  readonly #closings: Line<void> = new Line<void>({ ready: () => true, take: () => {}, left: () => {} });

  /**
   * Made by `create_datagram_endpoint()`.
   *
   * @internal
   */
  constructor(loop: EventLoop, raw: RawDatagramSocket, peer: DatagramAddress | null, protocol: BaseProtocol) {
    this.#loop = loop;
    this.#raw = raw;
    this.#peer = peer;
    this.#protocol = protocol;
    const remote = peer === null ? null : { transport: "udp", hostname: peer[0], port: peer[1] } as const;
    this.#socket = new TransportSocket(raw.localAddr, remote);
    raw.on_datagram = this.#on_datagram;
    raw.on_error = (error) => loop._deliver(this.#on_error, error);
    loop._resources.add(this);
    this.#call("connection_made", () => protocol.connection_made(this));
  }

  /** @internal */
  _loop_closed(): void {
    this.close();
  }

  /**
   * What is known of the socket.
   *
   * @param name `"sockname"`, `"peername"` or `"socket"`.
   * @returns The value.
   */
  get_extra_info<K extends keyof DatagramExtraInfo>(name: K, fallback?: unknown): DatagramExtraInfo[K];
  /**
   * What is known of the socket.
   *
   * @param name Any name. `"dgram"` gives the `Socket` of `node:dgram`, with what is not here, such as multicast; whoever
   * uses it answers for what the library then sees.
   * @param fallback What to return for an unknown name.
   * @returns The value, or the fallback; `null` if there is none.
   */
  get_extra_info(name: string, fallback?: unknown): unknown;
  get_extra_info(name: string, fallback: unknown = null): unknown {
    if (name === "sockname") return this.#socket.getsockname();
    if (name === "peername") return this.#socket.getpeername();
    if (name === "socket") return this.#socket;
    return this.#raw.get_extra_info(name) ?? fallback;
  }

  /**
   * Tells whether it is closed, or about to be.
   *
   * @returns True after `close()` and `abort()`.
   */
  is_closing(): boolean {
    return this.#state !== "open";
  }

  /**
   * The protocol that this transport calls.
   *
   * @returns The protocol.
   */
  get_protocol(): BaseProtocol {
    return this.#protocol;
  }

  /**
   * Has another protocol called from now on; its `connection_made()` is not.
   *
   * @param protocol The protocol.
   * @throws {TypeError} If it is no protocol.
   */
  set_protocol(protocol: BaseProtocol): void {
    check_protocol("protocol", protocol);
    this.#protocol = protocol;
  }

  // Sending

  /**
   * Has a datagram sent, without waiting. After `close()` it does nothing.
   *
   * That it could not be sent, `error_received()` tells. That it did not arrive, nobody does.
   *
   * Differs from asyncio: no `error_received()` tells that nobody listens at the other end, since a socket on Deno is never
   * connected. And a datagram without an address is a `TypeError` at the call, where asyncio closes the transport.
   *
   * @param data The bytes, or a string, which is sent as UTF-8. An empty one is sent too.
   * @param addr Whom to send it to; a name is looked up. Left out, it is the remote address.
   * @throws {TypeError} If an argument has the wrong type, or there is no address.
   * @throws {RangeError} If there is a remote address, and `addr` is another.
   */
  sendto(data: Uint8Array | string, addr: DatagramAddress | null = null): void {
    this.#hand_over(data, addr, null);
  }

  /**
   * Has a datagram sent; the future is done once the system has taken it.
   *
   * @internal
   */
  _send(data: Uint8Array | string, addr: DatagramAddress | null): Future<void> {
    const sent = new Future<void>({ loop: this.#loop });
    this.#hand_over(data, addr, sent);
    return sent;
  }

  #hand_over(data: Uint8Array | string, addr: DatagramAddress | null, sent: Future<void> | null): void {
    const bytes = to_bytes("data", data);
    const checked = this.#checked(addr);
    if (this.is_closing()) {
      sent?._fail(this.#error ?? new ClosedResourceError("Cannot send: the endpoint is closed"));
      return;
    }
    // The caller may go on to write to its array before it is this one's turn.
    this.#queue.put({ bytes: bytes.slice(), addr: checked, sent });
    this.#size += bytes.length + HEADER_SIZE;
    if (this.#leaving === null) this.#send_next();
    if (this.#size > this.#high) this.#pause();
  }

  #checked(addr: DatagramAddress | null): DatagramAddress {
    const peer = this.#peer;
    if (addr === null || addr === undefined) {
      if (peer === null) throw new TypeError('"addr" must be [host, port]: there is no remote address');
      return peer;
    }
    check_addr("addr", addr, 1);
    if (peer !== null && !is_same(addr, peer)) {
      throw new RangeError(`Invalid address: must be null or ${shown_address(...peer)}, got ${shown_address(...addr)}`);
    }
    return peer ?? addr;
  }

  /** One at a time: of several under way, Deno may let a later one leave first. */
  #send_next(): void {
    if (this.#queue.size === 0) {
      this.#leaving = null;
      if (this.#state === "closing") this.#free(null);
      return;
    }
    const { bytes, addr } = this.#leaving = this.#queue.get();
    this.#raw.send(bytes, addr).then(this.#on_sent, this.#on_send_error);
  }

  readonly #on_sent = (): void => {
    if (this.#leaving === null) return;
    const { sent } = this.#leaving;
    this.#sent_count++;
    this.#left();
    if (sent !== null) this.#loop._deliver(() => sent.done() || sent._finish(undefined, undefined, false), undefined);
  };

  readonly #on_send_error = (error: unknown): void => {
    if (this.#leaving === null) return;
    const { sent } = this.#leaving;
    this.#left();
    this.#loop._deliver(() => {
      if (sent === null) this.#call("error_received", () => this.#receiver.error_received(error));
      else if (!sent.done()) sent._fail(error);
    }, undefined);
  };

  #left(): void {
    this.#size -= this.#leaving!.bytes.length + HEADER_SIZE;
    if (this.#paused && this.#size <= this.#low) this.#loop._deliver(this.#resume, undefined);
    this.#send_next();
  }

  /**
   * How much waits to be sent.
   *
   * @returns The number of bytes that the system has not taken, with 8 more for each datagram.
   */
  get_write_buffer_size(): number {
    return this.#size;
  }

  /**
   * The limits of flow control.
   *
   * @returns The low and the high limit, in bytes.
   */
  get_write_buffer_limits(): [low: number, high: number] {
    return [this.#low, this.#high];
  }

  /**
   * Sets the limits of flow control: with more than `high` waiting, the protocol's `pause_writing()` is called, and with
   * no more than `low` after that its `resume_writing()`.
   *
   * @param limits In bytes; what is left out takes its default.
   * @throws {TypeError} If one is not a number.
   * @throws {RangeError} If `high` is below `low`, or `low` below 0.
   */
  set_write_buffer_limits(limits: WriteBufferLimits = {}): void {
    const [low, high] = write_limits_of(limits);
    this.#high = high;
    this.#low = low;
    if (this.#size > high) this.#pause();
    else if (this.#size <= low) this.#resume();
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#call("pause_writing", () => this.#protocol.pause_writing());
  }

  readonly #resume = (): void => {
    if (!this.#paused || this.#size > this.#low || this.#state === "closed") return;
    this.#paused = false;
    this.#call("resume_writing", () => this.#protocol.resume_writing());
  };

  // Receiving

  get #receiver(): DatagramProtocol {
    return this.#protocol as DatagramProtocol;
  }

  readonly #on_datagram = (data: Uint8Array<ArrayBuffer>, addr: DatagramAddress): void => {
    // The system would keep them from a socket that is connected.
    if (this.#peer !== null && !is_same(addr, this.#peer)) return;
    this.#loop._deliver(this.#dispatch, { data, addr });
  };

  readonly #dispatch = ({ data, addr }: { data: Uint8Array<ArrayBuffer>; addr: DatagramAddress }): void => {
    // As in asyncio, what comes after close() is dropped.
    if (this.#state === "open") {
      this.#call("datagram_received", () => this.#receiver.datagram_received(data, addr));
    }
  };

  readonly #on_error = (error: unknown): void => {
    if (this.#state === "open") this.#call("error_received", () => this.#receiver.error_received(error));
  };

  /**
   * How many datagrams the system has taken.
   *
   * @internal
   */
  get _sent_count(): number {
    return this.#sent_count;
  }

  // Ending

  /** Frees the socket once all that was handed over has left. Closing again does nothing. */
  close(): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    if (this.#leaving === null) this.#free(null);
  }

  /** Frees the socket at once; what has not left is dropped. */
  abort(): void {
    if (this.#state !== "closed") this.#free(null);
  }

  /**
   * `abort()` because of an error, which the protocol is told of.
   *
   * @internal
   */
  _force_close(error: unknown): void {
    if (this.#state !== "closed") this.#free(error);
  }

  /**
   * Waits until the socket was freed.
   *
   * @internal
   */
  _wait_closed(): Future<void> {
    if (this.#state !== "closed") return new Place(this.#loop, this.#closings);
    const done = new Future<void>({ loop: this.#loop });
    done.set_result(undefined);
    return done;
  }

  #free(error: unknown): void {
    this.#state = "closed";
    this.#error = error;
    const unsent = this.#leaving === null ? [] : [this.#leaving];
    while (this.#queue.size > 0) unsent.push(this.#queue.get());
    this.#leaving = null;
    this.#size = 0;
    this.#loop._resources.delete(this);
    this.#raw.close();
    this.#loop._push(this.#end_step(unsent, error));
  }

  #end_step(unsent: readonly Outgoing[], error: unknown): Step {
    return {
      _run: () => {
        const failure = error ?? new ClosedResourceError("Cannot send: the endpoint was closed meanwhile");
        for (const { sent } of unsent) if (sent?.done() === false) sent._fail(failure);
        this.#closings.wake_all();
        this.#call("connection_lost", () => this.#protocol.connection_lost(error));
        return null;
      },
    };
  }

  #call(method: string, call: () => void): void {
    try {
      call();
    } catch (exception) {
      this.#loop.call_exception_handler({
        message: `protocol.${method}() failed`,
        exception,
        transport: this,
        protocol: this.#protocol,
      });
    }
  }

  /** @ignore */
  [INSPECT](): string {
    return `<DatagramTransport ${this._describe()} buffered=${this.#size}>`;
  }

  /** @internal */
  _describe(): string {
    const to = this.#peer === null ? "" : ` to ${shown_address(...this.#peer)}`;
    return `${this.#state} at ${shown_address(...this.get_extra_info("sockname"))}${to}`;
  }
}

/** What an endpoint was asked for. */
export interface DatagramPlan {
  readonly local: DatagramAddress | null;
  readonly remote: DatagramAddress | null;
  readonly family: AddressFamily | null;
  readonly allow_broadcast: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Checks what an endpoint is asked for. */
export function check_datagram(
  local_addr: unknown,
  remote_addr: unknown,
  options: DatagramOptions & { readonly signal?: AbortSignal },
  more_keys: readonly string[] = [],
): DatagramPlan {
  check_options(options ?? null, ["family", "allow_broadcast", "reuse_port", ...more_keys]);
  const { family, allow_broadcast } = options;
  check_family(family);
  check_flag("allow_broadcast", allow_broadcast);
  check_flag("reuse_port", options.reuse_port);
  // With a flag that is a boolean, the compiler knows of none but false.
  if (options.reuse_port as boolean | undefined) {
    throw new NotSupported('Cannot bind with "reuse_port": Deno has it for TCP alone');
  }
  const local = checked_addr("local_addr", local_addr, 0);
  const remote = checked_addr("remote_addr", remote_addr, 1);
  if (local === null && remote === null && family === undefined) throw new RangeError("unexpected address family");
  return {
    local,
    remote,
    family: family ?? null,
    allow_broadcast: allow_broadcast ?? false,
    signal: signal_of(options),
  };
}

function checked_addr(name: string, addr: unknown, lowest_port: number): DatagramAddress | null {
  if (addr === undefined || addr === null) return null;
  check_addr(name, addr, lowest_port);
  return addr as DatagramAddress;
}

function check_addr(name: string, addr: unknown, lowest_port: number): void {
  if (typeof addr === "string" && addr.includes("/")) {
    throw new NotSupported(`Cannot use "${name}" ${shown(addr)}: Deno has no datagrams over unix sockets`);
  }
  if (!Array.isArray(addr) || addr.length !== 2 || typeof addr[0] !== "string") {
    throw new TypeError(`"${name}" must be [host, port] (a 2-tuple is expected), got ${shown(addr)}`);
  }
  if (addr[0] === "") throw new RangeError(`The host of "${name}" must not be empty`);
  check_port(addr[1], lowest_port);
}

/**
 * Opens a socket and has a protocol called. If the call is cancelled, or its signal aborts, nothing stays open.
 *
 * @param make_protocol Makes the protocol once there is a socket.
 * @param make Makes what the future is of; it cannot fail.
 */
export function open_endpoint<P extends BaseProtocol, T>(
  loop: EventLoop,
  plan: DatagramPlan,
  make_protocol: () => P,
  make: (transport: DatagramTransport, protocol: P) => T,
): Future<T> {
  loop._check_closed();
  let made: DatagramTransport | null = null;
  return new Attempt(
    loop,
    async (signal) => {
      const [raw, remote] = await bind(loop, plan, signal);
      try {
        signal.throwIfAborted();
        const protocol = make_protocol();
        check_protocol("protocol_factory()", protocol);
        made = new DatagramTransport(loop, raw, remote, protocol);
        return make(made, protocol);
      } catch (error) {
        raw.close();
        throw error;
      }
    },
    () => made!.abort(),
    plan.signal,
  );
}

/** A socket at the first address that can be had, and the remote address of its family. */
async function bind(
  loop: EventLoop,
  { local, remote, family, allow_broadcast }: DatagramPlan,
  signal: AbortSignal,
): Promise<[RawDatagramSocket, DatagramAddress | null]> {
  const locals = local === null ? null : await addresses_of(loop, local, family, "bind to");
  const remotes = remote === null ? null : await addresses_of(loop, remote, family, "send to");
  signal.throwIfAborted();
  const families = new Set((locals ?? remotes)?.map(([host]) => family_of(host)) ?? [family!]);
  let first_error: unknown = undefined;
  for (const each of families) {
    const of_family = (addresses: DatagramAddress[] | null) => addresses?.find(([host]) => family_of(host) === each);
    const to = of_family(remotes) ?? null;
    if (remotes !== null && to === null) continue;
    const at = of_family(locals) ?? own_address(each, to);
    try {
      return [await loop._network.bind_datagram(at, to, allow_broadcast), to];
    } catch (error) {
      first_error ??= error;
    }
  }
  throw first_error ?? new RangeError(
    `can not get address information: ${shown_address(...local!)} and ${shown_address(...remote!)} are of two kinds`,
  );
}

/**
 * Where to bind with no address of one's own. With a peer on this machine that is the loopback address, as a socket that
 * the system connects would have: no other machine reaches it, and it needs no more permission than the peer's.
 */
function own_address(family: AddressFamily, remote: DatagramAddress | null): DatagramAddress {
  const host = remote === null ? null : normal(remote[0]);
  if (host !== null && /^(127\.|::1$)/.test(host)) return [family === "AF_INET" ? "127.0.0.1" : "::1", 0];
  return [family === "AF_INET" ? "0.0.0.0" : "::", 0];
}

async function addresses_of(
  loop: EventLoop,
  [host, port]: DatagramAddress,
  family: AddressFamily | null,
  what: string,
): Promise<DatagramAddress[]> {
  const where = `Cannot ${what} ${shown_address(host, port)}`;
  // Where only the name is permitted there are no addresses to tell datagrams of the peer from those of others.
  const found = await loop._network.resolve(host, port, family).then(
    (found) => found ?? loop._network.look_up(host),
    (error) => {
      throw named_error(error, where);
    },
  );
  return found.map((address) => [address, port]);
}

/** Whether two addresses are one, however they are spelled. */
function is_same(one: DatagramAddress, other: DatagramAddress): boolean {
  return one[1] === other[1] && (one[0] === other[0] || normal(one[0]) === normal(other[0]));
}

/** An address as the system spells it; what is sent to no address in particular goes to this machine. */
function normal(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (!host.includes(":")) return host;
  const plain = host.replace(/%.*$/, "");
  const spelled = URL.canParse(`udp://[${plain}]`) ? new URL(`udp://[${plain}]`).hostname.slice(1, -1) : plain;
  return spelled === "::" ? "::1" : spelled;
}
