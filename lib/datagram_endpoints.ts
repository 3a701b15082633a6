/**
 * Datagrams without a protocol: an endpoint that is sent to and received from.
 *
 * @module
 */

import { check_size } from "./_bytes.ts";
import { current_loop } from "./_context.ts";
import { INSPECT } from "./constants.ts";
import {
  check_datagram,
  type DatagramExtraInfo,
  type DatagramOptions,
  type DatagramTransport,
  open_endpoint,
} from "./datagrams.ts";
import type { DatagramAddress } from "./_deno.ts";
import { ClosedResourceError } from "./exceptions.ts";
import type { Future } from "./futures.ts";
import { Gate } from "./_line.ts";
import { DatagramProtocol } from "./protocols.ts";
import { Fifo } from "./_stores.ts";

const OPTION_KEYS = ["local_addr", "remote_addr", "max_queue_size", "signal"];

/** Datagrams that may wait to be received. An arbitrary number. */
const DEFAULT_MAX_QUEUE_SIZE = 1024;

/**
 * Options of `open_datagram()`.
 */
export interface OpenDatagramOptions extends DatagramOptions {
  /** The address of this machine to receive at; port 0 takes a free one. Left out, it is one that reaches the peer. */
  readonly local_addr?: DatagramAddress | null;
  /** The only address to send to and to receive from. */
  readonly remote_addr?: DatagramAddress | null;
  /**
   * How many datagrams may wait to be received. Those that come beyond it are dropped, and counted.
   *
   * @default 1024
   */
  readonly max_queue_size?: number;
  /** Ends the attempt when it aborts, with its reason; it has no effect on an endpoint that was opened. */
  readonly signal?: AbortSignal;
}

/**
 * Options of `DatagramEndpoint.recv()`.
 */
export interface ReceiveOptions {
  /** Ends the wait when it aborts, with its reason. */
  readonly signal?: AbortSignal;
}

/** A datagram, and who sent it. */
export type Datagram = [data: Uint8Array<ArrayBuffer>, addr: DatagramAddress];

/**
 * What an endpoint has done so far.
 */
export interface DatagramStatistics {
  /** Datagrams that the system has taken. Whether they arrived is not known. */
  readonly datagrams_sent: number;
  /** Datagrams that have come, without those that were dropped. */
  readonly datagrams_received: number;
  /** Datagrams that were dropped because too many waited. Those that the system dropped are not known. */
  readonly datagrams_dropped: number;
  /** Datagrams that wait to be received. */
  readonly queue_size: number;
  /** The most that ever waited. */
  readonly peak_queue_size: number;
}

/** What the transport calls, and those who wait for it. */
class Inbox extends DatagramProtocol {
  readonly max_size: number;
  readonly queue: Fifo<Datagram> = new Fifo<Datagram>();
  received = 0;
  dropped = 0;
  peak_size = 0;
  /** The endpoint was closed on this side. */
  closed = false;
  /** What broke it. */
  error: unknown = undefined;
  transport!: DatagramTransport;
  readonly receivers: Gate = new Gate({
    call: "recv",
    of: this,
    open: () => this.#has_news(),
    ready: () => this.#has_news(),
    left: (woken) => {
      if (woken && this.#has_news()) this.receivers.wake_next();
    },
  });

  constructor(max_size: number) {
    super();
    this.max_size = max_size;
  }

  #has_news(): boolean {
    return this.queue.size > 0 || this.closed || this.error !== undefined;
  }

  /** @ignore */
  [INSPECT](): string {
    return this.transport[INSPECT]();
  }

  override connection_made(transport: DatagramTransport): void {
    this.transport = transport;
  }

  override datagram_received(data: Uint8Array<ArrayBuffer>, addr: DatagramAddress): void {
    if (this.queue.size >= this.max_size) {
      this.dropped++;
      return;
    }
    this.received++;
    this.queue.put([data, addr]);
    if (this.queue.size > this.peak_size) this.peak_size = this.queue.size;
    this.receivers.wake_next();
  }

  /** Of what could not be sent its sender hears; so this is about receiving, and there is no other way to tell of it. */
  override error_received(error: unknown): void {
    this.transport._force_close(error);
  }

  override connection_lost(error: unknown): void {
    if (error === null) this.closed = true;
    else this.error = error;
    this.receivers.wake_all();
  }

  take(): Datagram {
    if (this.closed) throw new ClosedResourceError("Cannot receive: the endpoint is closed");
    if (this.queue.size > 0) return this.queue.get();
    throw this.error;
  }

  close(): void {
    this.closed = true;
    this.receivers.wake_all();
  }
}

/**
 * A socket for datagrams, to send to and to receive from; `open_datagram()` makes it.
 *
 * Whoever has it closes it. A datagram is whole or not there: what one `send()` was given is what one `recv()` gives. It
 * may be lost, come twice, or after a later one.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await using server = await asyncio.open_datagram({ local_addr: ["127.0.0.1", 0] });
 * await using client = await asyncio.open_datagram({ remote_addr: server.get_extra_info("sockname") });
 * await client.send("ping");
 * for await (const [data, addr] of server) {
 *   await server.send(data, addr);
 *   break;
 * }
 * const [data] = await client.recv();
 * console.log(new TextDecoder().decode(data)); // ping
 * ```
 */
export class DatagramEndpoint implements AsyncDisposable {
  readonly #inbox: Inbox;
  readonly #transport: DatagramTransport;

  /** Made by `open_datagram()`. @internal */
  constructor(transport: DatagramTransport, inbox: unknown) {
    this.#transport = transport;
    this.#inbox = inbox as Inbox;
  }

  /**
   * Sends a datagram, and waits until the system has taken it.
   *
   * @param data The bytes, or a string, which is sent as UTF-8. An empty one is sent too.
   * @param addr Whom to send it to; a name is looked up. Left out, it is the remote address.
   * @returns A future; to cancel it takes nothing back. That the datagram was sent does not say that it arrived.
   * @throws {TypeError} If an argument has the wrong type, or there is no address.
   * @throws {RangeError} If there is a remote address, and `addr` is another.
   * @throws {ClosedResourceError} If the endpoint is closed, before or meanwhile.
   * @throws {Deno.errors.NotCapable} Without `--allow-net` for the address.
   * @throws What broke the endpoint; an error with the code `EMSGSIZE` if it is too long, or `UNKNOWN` if Deno does not tell why it failed.
   */
  send(data: Uint8Array | string, addr: DatagramAddress | null = null): Future<void> {
    return this.#transport._send(data, addr);
  }

  /**
   * Receives a datagram, once there is one.
   *
   * @param options A signal that ends the wait.
   * @returns A future of the bytes, which are the caller's own, and of the sender's address. To cancel it loses nothing:
   * the next call gets the datagram.
   * @throws {TypeError} If the signal is not an `AbortSignal`.
   * @throws {ClosedResourceError} If the endpoint is closed, before or meanwhile.
   * @throws What broke the endpoint, once all that had come before is received.
   */
  recv(options?: ReceiveOptions): Future<Datagram> {
    return this.#inbox.receivers.enter(() => this.#inbox.take(), options);
  }

  /**
   * Receives datagrams until the endpoint is closed.
   *
   * @returns An iterator of datagrams. To leave the loop loses nothing, and closes nothing.
   * @throws What broke the endpoint.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Datagram, undefined> {
    const inbox = this.#inbox;
    return {
      next: () =>
        inbox.receivers.enter<IteratorResult<Datagram, undefined>>(() => {
          return inbox.closed ? { done: true, value: undefined } : { done: false, value: inbox.take() };
        }, undefined),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
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
   * @param name Any name; see `DatagramTransport.get_extra_info()`.
   * @param fallback What to return for an unknown name.
   * @returns The value, or the fallback; `null` if there is none.
   */
  get_extra_info(name: string, fallback?: unknown): unknown;
  get_extra_info(name: string, fallback?: unknown): unknown {
    return this.#transport.get_extra_info(name, fallback);
  }

  /**
   * What it has done so far.
   *
   * @returns The numbers.
   */
  statistics(): DatagramStatistics {
    const { received, dropped, queue, peak_size } = this.#inbox;
    return {
      datagrams_sent: this.#transport._sent_count,
      datagrams_received: received,
      datagrams_dropped: dropped,
      queue_size: queue.size,
      peak_queue_size: peak_size,
    };
  }

  /**
   * Tells whether it is closed, or about to be.
   *
   * @returns True after `close()` and `abort()`, and once it is broken.
   */
  is_closing(): boolean {
    return this.#transport.is_closing();
  }

  /** Closes it: what was handed to `send()` still leaves, what was not received is dropped. Again, it does nothing. */
  close(): void {
    if (this.#inbox.error === undefined) this.#inbox.close();
    this.#transport.close();
  }

  /** Closes it at once: what has not left is dropped. */
  abort(): void {
    if (this.#inbox.error === undefined) this.#inbox.close();
    this.#transport.abort();
  }

  /**
   * Waits until the socket was freed.
   *
   * @returns A future; whatever befell the endpoint, it does not fail.
   */
  wait_closed(): Future<void> {
    return this.#transport._wait_closed();
  }

  /** Closes it at the end of an `await using` block, and waits until it is. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.wait_closed();
  }

  /** @ignore */
  [INSPECT](): string {
    const state = this.#inbox.error === undefined ? "" : `broken by ${String(this.#inbox.error)}, `;
    return `<DatagramEndpoint ${state}${this.#transport._describe()} queued=${this.#inbox.queue.size}>`;
  }
}

/**
 * Opens a socket for datagrams.
 *
 * With `local_addr` it receives there, from anybody; with `remote_addr` it sends to that address, and receives from no
 * other; with both, it does so from there. Nothing says that anybody is at the other end: use a time limit, and send again.
 *
 * A program needs `--allow-net` for the address that it binds to as well. Without `local_addr` that is port 0 of
 * `127.0.0.1` or `[::1]` for a peer on this machine, and of `0.0.0.0` or `[::]` for others.
 *
 * It is not in asyncio, which has datagrams with a protocol alone: `EventLoop.create_datagram_endpoint()`.
 *
 * @param options The addresses, and how many datagrams may wait.
 * @returns A future of the endpoint; whoever gets it closes it. If it is cancelled, nothing stays open.
 * @throws {TypeError} If an option has the wrong type, or is unknown.
 * @throws {RangeError} If one is out of range, there is neither an address nor a family, or the addresses have no family
 * in common.
 * @throws {Deno.errors.AddrInUse} If the port is taken; and Deno's other errors, each with the address in its text.
 * @throws {Deno.errors.NotCapable} Without `--allow-net` for the addresses.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await using endpoint = await asyncio.open_datagram({ local_addr: ["127.0.0.1", 0] });
 * await endpoint.send("to myself", endpoint.get_extra_info("sockname"));
 * const [data, addr] = await asyncio.wait_for(() => endpoint.recv(), 5);
 * console.log(new TextDecoder().decode(data), addr[0]); // to myself 127.0.0.1
 * ```
 */
export function open_datagram(options: OpenDatagramOptions): Future<DatagramEndpoint> {
  const { local_addr, remote_addr, max_queue_size = DEFAULT_MAX_QUEUE_SIZE } = options ?? {};
  const plan = check_datagram(local_addr, remote_addr, options, OPTION_KEYS);
  check_size("max_queue_size", max_queue_size);
  if (max_queue_size < 1) throw new RangeError(`"max_queue_size" must be 1 or more, got ${max_queue_size}`);
  const inbox = new Inbox(max_queue_size);
  return open_endpoint(current_loop(), plan, () => inbox, (transport) => new DatagramEndpoint(transport, inbox));
}
