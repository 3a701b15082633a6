/**
 * TLS without streams: bytes in, bytes out, at once.
 *
 * Behind a socket of `node:tls` over a stream of JavaScript stands an engine that encrypts and decrypts what it is given,
 * and does no input or output of its own. The streams of Node around it, one for each side, are two thirds of what an
 * exchange costs, and a turn of Deno's loop for each write. They do the handshake; from then on this talks to the engine
 * itself. It is no interface that Deno promises: where it is not as expected, the streams go on.
 *
 * @module
 */

import type { TLSSocket } from "node:tls";

/** What Deno calls a `TLSWrap`. */
interface Handle {
  onread: unknown;
  /** Has `onread` called with what was decrypted, during `readBuffer()`; with nothing at the end. */
  readStart(): number;
  /** Takes encrypted bytes. */
  readBuffer(bytes: Uint8Array): void;
  /** Encrypts bytes, and only then calls methods of the request; 0 if it could. */
  writeBuffer(request: object, bytes: Uint8Array): number;
  /** Encrypts the goodbye. */
  shutdown(request: object): number;
  /** What was encrypted and has to be sent. */
  drainEncOut(): Uint8Array;
}

const METHODS = ["readStart", "readBuffer", "writeBuffer", "shutdown", "drainEncOut"] as const;

/** Who hears of a write that is done; here nobody. */
const REQUEST = { oncomplete(): void {} };

const NO_BYTES = new Uint8Array();

/** It takes no more bytes at a time. */
const MAX_PLAIN_SIZE = 48 * 1024;

/** The end of a TLS connection, without the connection. */
export class TlsEngine {
  readonly #handle: Handle;
  /** The methods of the handle itself, over which `node:tls` has put others that go on to its streams. */
  readonly #native: Handle;

  private constructor(handle: Handle) {
    this.#handle = handle;
    this.#native = Object.getPrototypeOf(handle);
  }

  /** The engine of a socket whose handshake is done; `null` if it has none that is as expected. */
  static of(socket: TLSSocket): TlsEngine | null {
    const handle = (socket as unknown as { _handle?: Partial<Handle> | null })._handle;
    const native = handle && Object.getPrototypeOf(handle) as Partial<Handle>;
    if (!native || METHODS.some((name) => typeof native[name] !== "function")) return null;
    return new TlsEngine(handle as Handle);
  }

  /** Has `on_plain` called from now on with what is decrypted, and with `null` at the goodbye. */
  listen(on_plain: (bytes: Uint8Array | null) => void): void {
    this.#handle.onread = (buffer: ArrayBuffer | undefined) =>
      on_plain(buffer === undefined ? null : new Uint8Array(buffer));
    this.#native.readStart.call(this.#handle);
  }

  /** Takes bytes of the peer, which may be used again. */
  decrypt(bytes: Uint8Array): void {
    this.#native.readBuffer.call(this.#handle, bytes);
  }

  /** Encrypts bytes, as many as it takes at a time; none once `node:tls` has taken it down. */
  encrypt(bytes: Uint8Array): number {
    const taken = bytes.length > MAX_PLAIN_SIZE ? bytes.subarray(0, MAX_PLAIN_SIZE) : bytes;
    const status = this.#native.writeBuffer.call(this.#handle, REQUEST, taken);
    return status === 0 ? taken.length : 0;
  }

  /** Encrypts the goodbye. */
  end(): void {
    this.#native.shutdown.call(this.#handle, REQUEST);
  }

  /** What has to be sent to the peer. */
  take_encrypted(): Uint8Array {
    const bytes = this.#native.drainEncOut.call(this.#handle);
    return bytes instanceof Uint8Array ? bytes : NO_BYTES;
  }
}
