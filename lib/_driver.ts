/**
 * What drives a protocol: it reads the connection and calls the protocol's methods.
 *
 * @module
 */

import { ByteBuffer } from "./_byte_buffer.ts";
import type { EventLoop } from "./deno_events.ts";
import { RuntimeError } from "./exceptions.ts";
import { ReadSize } from "./_read_size.ts";
import { type BaseProtocol, BufferedProtocol, type Protocol } from "./protocols.ts";
import type { Transport } from "./transports.ts";

export class Driver {
  readonly #loop: EventLoop;
  readonly #transport: Transport;
  #protocol: BaseProtocol;
  /** Whether this is a pipe that is only written to. */
  #writes_only = false;
  /** Whether bytes are asked for; `ended` when none will come any more. */
  #reading: "yes" | "paused" | "ended" = "yes";
  readonly #buffer = new ByteBuffer();
  /** The array that the system is reading into. */
  #lent: Uint8Array<ArrayBuffer> | null = null;
  /** Whose array that is; `null` if it is the driver's own. */
  #lender: BufferedProtocol | null = null;
  #in_flight: Promise<number | null> | null = null;
  /** What was read while reading was paused: a count, or `null` for the end. */
  #held: number | null | undefined = undefined;
  readonly #read_size = new ReadSize();
  #on_read!: (count: number | null) => void;
  #on_error!: (error: unknown) => void;

  constructor(loop: EventLoop, transport: Transport, protocol: BaseProtocol) {
    this.#loop = loop;
    this.#transport = transport;
    this.#protocol = protocol;
    this.#listen();
  }

  /** Tells the protocol of its connection, and begins to read if there is anything to. */
  start(reads: boolean): void {
    if (!reads) {
      this.#writes_only = true;
      this.#reading = "ended";
    }
    this.#call("connection_made", () => this.#protocol.connection_made(this.#transport));
    this.fill();
  }

  get protocol(): BaseProtocol {
    return this.#protocol;
  }

  set protocol(protocol: BaseProtocol) {
    this.#protocol = protocol;
    this.fill();
  }

  get writes_only(): boolean {
    return this.#writes_only;
  }

  get is_reading(): boolean {
    return this.#reading === "yes" && !this.#transport.is_closing();
  }

  pause_reading(): void {
    if (this.#reading === "yes") this.#reading = "paused";
  }

  resume_reading(): void {
    if (this.#reading !== "paused") return;
    this.#reading = "yes";
    // Not at once: the caller may be in the middle of something.
    if (this.#held !== undefined) this.#loop._call_soon(this.#give_held);
    else this.fill();
  }

  /** Unless reading was paused again meanwhile, or TLS has taken it. */
  readonly #give_held = (): void => {
    const held = this.#held;
    if (held === undefined || this.#reading !== "yes") return;
    this.#held = undefined;
    this.#dispatch(held);
  };

  pause_writing(): void {
    this.#call("pause_writing", () => this.#protocol.pause_writing());
  }

  resume_writing(): void {
    this.#call("resume_writing", () => this.#protocol.resume_writing());
  }

  /** The connection is gone. */
  lost(error: unknown): void {
    this.#reading = "ended";
    this.#call("connection_lost", () => this.#protocol.connection_lost(error));
  }

  /** Lets go of the connection before TLS: gives the read that is under way, whose bytes belong to the handshake. */
  hand_over(): Promise<Uint8Array | null> | null {
    const [lent, in_flight] = [this.#lent, this.#in_flight];
    this.#listen();
    this.#lent = this.#in_flight = null;
    this.#held = undefined;
    this.#buffer.abandon();
    if (lent === null || in_flight === null) return null;
    const early = in_flight.then((count) => count === null ? null : lent.slice(0, count));
    // It may fail before the handshake comes to it.
    early.catch(() => {});
    return early;
  }

  /** Has the system read, unless it does already, or nobody wants it. */
  fill(): void {
    if (this.#reading !== "yes" || this.#lent !== null || this.#held !== undefined || this.#transport._is_busy) return;
    let array: Uint8Array<ArrayBuffer>;
    const protocol = this.#protocol;
    if (protocol instanceof BufferedProtocol) {
      try {
        array = protocol.get_buffer(-1);
        check_room(array);
      } catch (error) {
        return this.#fail("get_buffer", error);
      }
      this.#lender = protocol;
    } else {
      this.#lender = null;
      array = this.#read_size.lend(this.#buffer);
    }
    this.#lent = array;
    this.#in_flight = this.#transport._read(array);
    this.#in_flight.then(this.#on_read, this.#on_error);
  }

  /** Hears from now on of the reads that begin from now on, and of no others. */
  #listen(): void {
    const on_read = (count: number | null) => {
      if (this.#on_read === on_read) this.#loop._deliver(this.#filled, count);
    };
    this.#on_read = on_read;
    this.#on_error = (error) => {
      if (this.#on_read === on_read) this.#transport._ended_read(error);
    };
  }

  readonly #filled = (count: number | null): void => {
    if (this.#reading === "paused" && !this.#transport.is_closing()) this.#held = count;
    else this.#dispatch(count);
  };

  #dispatch(count: number | null): void {
    const lent = this.#lent!;
    const lender = this.#lender;
    this.#lent = this.#in_flight = null;
    const protocol = this.#protocol;
    let bytes: Uint8Array<ArrayBuffer> | null = null;
    if (lender === null) {
      this.#buffer.commit(lent, count ?? 0);
      bytes = this.#buffer.take(count ?? 0);
    } else if (lender !== protocol) bytes = lent.slice(0, count ?? 0);
    // As in asyncio, what comes after close() is dropped.
    if (this.#transport.is_closing()) return;
    if (count === null) return this.#end();
    if (lender === null) this.#read_size.adapt(count, lent.length);
    const is_buffered = protocol instanceof BufferedProtocol;
    try {
      if (!is_buffered) (protocol as Protocol).data_received(bytes!);
      else if (bytes === null) protocol.buffer_updated(count);
      else feed(protocol, bytes);
    } catch (error) {
      return this.#fail(is_buffered ? "buffer_updated" : "data_received", error);
    }
    this.#transport._offer(false);
    this.fill();
  }

  #end(): void {
    this.#reading = "ended";
    let keeps_open: boolean | void;
    try {
      keeps_open = (this.#protocol as Protocol).eof_received?.();
    } catch (error) {
      return this.#fail("eof_received", error);
    }
    if (!keeps_open) this.#transport.close();
  }

  /** A method that data came to has failed: what it would do next cannot be known. */
  #fail(method: string, exception: unknown): void {
    this.#reading = "ended";
    this.#report(`Fatal error: protocol.${method}() call failed.`, exception);
    this.#transport._force_close(exception);
  }

  #call(method: string, call: () => void): void {
    try {
      call();
    } catch (exception) {
      this.#report(`protocol.${method}() failed`, exception);
    }
  }

  #report(message: string, exception: unknown): void {
    this.#loop.call_exception_handler({
      message,
      exception,
      transport: this.#transport,
      protocol: this.#protocol,
    });
  }
}

function check_room(array: Uint8Array): void {
  if (array.length === 0) throw new RuntimeError("get_buffer() returned an empty buffer");
}

/** Copies into a protocol's buffer what was read for the one before it. */
function feed(protocol: BufferedProtocol, bytes: Uint8Array): void {
  for (let start = 0; start < bytes.length;) {
    const array = protocol.get_buffer(bytes.length - start);
    check_room(array);
    const part = bytes.subarray(start, start + array.length);
    array.set(part);
    start += part.length;
    protocol.buffer_updated(part.length);
  }
}
