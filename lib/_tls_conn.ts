/**
 * TLS over any connection.
 *
 * It stands on `node:tls`, for both sides. Rejected: `Deno.startTls()` and `Deno.listenTls()`. Those cannot be a server on
 * a connection that is open already, cannot show a certificate after an upgrade, cannot switch off Nagle's delay on a
 * server, and keep the socket, and its descriptor, for as long as the peer likes when they are closed during a handshake
 * or with bytes unsent. Here the socket under TLS stays the library's own, so `close()` frees it at once, and TLS goes over
 * unix sockets too.
 *
 * The handshake goes through the streams of `node:tls`; from then on, bytes go to its engine and come from it at once: see
 * `_tls_engine.ts`.
 *
 * Flow control is this room's as well: `node:tls` takes whatever comes, so the connection is read only while a handshake
 * is under way or somebody waits for data.
 *
 * @module
 */

import type { Duplex } from "node:stream";
import type { PeerCertificate, TLSSocket } from "node:tls";
import { ByteBuffer } from "./_byte_buffer.ts";
import type { Bytes } from "./_bytes.ts";
import {
  type Address,
  InterruptedError,
  InvalidData,
  is_deno_error,
  is_own_close,
  type RawConn,
  UnexpectedEof,
} from "./_deno.ts";
import { ReadSize } from "./_read_size.ts";
import { context_of, texts_of, type Tls, type TlsClientOptions, type TlsInfo, type TlsServerOptions } from "./_tls.ts";
import { TlsEngine } from "./_tls_engine.ts";

/** Which side of a handshake this is, and what it brings. */
export type TlsSide =
  | { readonly server: false; readonly options: TlsClientOptions; readonly server_hostname: string }
  | { readonly server: true; readonly options: TlsServerOptions };

/**
 * Makes a connection secure. It owns the connection from the call on: if the handshake fails, or `signal` aborts, it is
 * closed.
 *
 * @param early A read of the connection that is still under way; what it brings belongs to the handshake.
 */
export async function secure(
  conn: RawConn,
  side: TlsSide,
  signal: AbortSignal,
  early: Promise<Uint8Array | null> | null = null,
): Promise<RawConn> {
  let secured: TlsConn;
  try {
    // Loaded when they are first needed.
    const [tls, stream] = await Promise.all([import("node:tls"), import("node:stream")]);
    signal.throwIfAborted();
    secured = new TlsConn(conn, side, early, tls, stream.Duplex);
  } catch (error) {
    release(conn);
    throw error;
  }
  const on_abort = () => secured.close();
  signal.addEventListener("abort", on_abort, { once: true });
  try {
    await secured.handshake;
    signal.throwIfAborted();
    return secured;
  } catch (error) {
    secured.close();
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener("abort", on_abort);
  }
}

/** Bytes that are encrypted at a time: more would hold up the loop, and be in memory twice. */
const MAX_WRITE_SIZE = 256 * 1024;

/** Milliseconds that a client waits for a server's tickets; they take as long as an answer would, if there are any. */
const TICKETS_TIMEOUT = 1000;

const ENDED_IN_HANDSHAKE = "The peer closed the connection during the TLS handshake";

interface PendingRead {
  readonly array: Uint8Array;
  readonly resolve: (count: number | null) => void;
  readonly reject: (error: unknown) => void;
}

class TlsConn implements RawConn {
  readonly handshake: Promise<void>;
  readonly #conn: RawConn;
  /** The write that is under way, or was the last. It never fails. */
  #sending: Promise<void> = Promise.resolve();
  /** How many writes are under way, or wait for that. */
  #sends = 0;
  readonly #side: TlsSide;
  readonly #duplex: Duplex;
  /** The connection ended during the handshake. */
  readonly #on_lost: () => void;
  /** `null` until the handshake is done. */
  #socket: TLSSocket | null = null;
  #state: "handshake" | "open" | "closed" = "handshake";
  /** In place of the streams, once the handshake is done. */
  #engine: TlsEngine | null = null;

  #early: Promise<Uint8Array | null> | null;
  /** What `node:tls` is given are views of it: it keeps them until it has come to them. */
  readonly #buffer = new ByteBuffer();
  readonly #read_size = new ReadSize();
  #lent: Bytes | null = null;
  /** `node:tls` asked for more; a read of the connection is under way. */
  #hungry = false;
  #reading = false;
  /** Decrypted and not read yet; `#taken` bytes of the first are. */
  readonly #chunks: Uint8Array[] = [];
  #taken = 0;
  #pending: PendingRead | null = null;
  /** The peer's end of data: it said so, or its connection ended. */
  #eof: "no" | "said" | "ragged" = "no";
  #error: unknown = undefined;
  #write_error: unknown = undefined;
  /** Whether anything came after the handshake, and who waits for that. */
  #heard = false;
  #on_heard: (() => void) | null = null;

  constructor(
    conn: RawConn,
    side: TlsSide,
    early: Promise<Uint8Array | null> | null,
    tls: Tls,
    duplex: typeof Duplex,
  ) {
    this.#conn = conn;
    this.#side = side;
    this.#early = early;
    this.#duplex = new duplex({
      allowHalfOpen: true,
      read: () => {
        this.#hungry = true;
        this.#pump();
      },
      write: (chunk: Uint8Array, _encoding, done) => void this.#send(chunk).then(() => done()),
      final: (done) => {
        this.#conn.closeWrite().then(() => done(), () => done());
      },
      destroy: (_error, done) => {
        // A server of node:tls does this while its goodbye is on its way out. A socket takes that as it is written, other
        // connections a turn later.
        this.#sending.then(() => this.#free());
        done(null);
      },
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.handshake = promise;
    const on_error = (error: unknown) => {
      this.#error ??= translated(error);
      reject(this.#error);
      this.#fail();
    };
    this.#on_lost = () => on_error(new UnexpectedEof(ENDED_IN_HANDSHAKE, { cause: this.#write_error }));
    // A server of node:tls that does not accept a certificate closes the connection without a word.
    const on_close = () => on_error(new InvalidData("TLS: the peer's certificate was not accepted"));
    const on_secure = (socket: TLSSocket) => {
      this.#socket = socket;
      if (this.#state === "handshake") this.#state = "open";
      // The engine is at work just now; in a microtask it is not.
      queueMicrotask(() => {
        if (this.#state === "open") this.#leave_streams(socket);
        resolve();
      });
    };
    this.#duplex.on("error", on_error);
    this.#duplex.once("close", on_close);
    if (side.server) {
      accept(
        tls,
        this.#duplex,
        side.options,
        (socket) => this.#listen(socket, on_error),
        on_secure,
        on_error,
      );
    } else {
      const socket = connect(tls, this.#duplex, side.options, side.server_hostname);
      this.#listen(socket, on_error);
      socket.once("secureConnect", () => on_secure(socket));
    }
  }

  /** From here on the engine does without the streams of `node:tls`. */
  #leave_streams(socket: TLSSocket): void {
    const engine = TlsEngine.of(socket);
    if (engine === null) return;
    this.#engine = engine;
    engine.listen((bytes) => bytes === null ? this.#end("said") : this.#receive(bytes));
    // What came with the handshake stands in the streams, in front.
    while (socket.read() !== null);
    while (this.#duplex.read() !== null);
    this.#send_encrypted();
  }

  /** Sends what the engine has to say by itself, such as a server's tickets. */
  #send_encrypted(): void {
    const bytes = this.#engine!.take_encrypted();
    if (bytes.length > 0) this.#send(bytes);
  }

  #listen(socket: TLSSocket, on_error: (error: unknown) => void): void {
    socket.on("error", on_error);
    // On the server's side, this is where node:tls tells of what goes wrong later.
    socket.on("_tlsError", on_error);
    socket.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    socket.on("end", () => this.#end("said"));
  }

  get localAddr(): Address | null {
    return this.#conn.localAddr;
  }

  get remoteAddr(): Address | null {
    return this.#conn.remoteAddr;
  }

  get_extra_info(name: string): unknown {
    switch (name) {
      case "conn":
        return this.#conn.get_extra_info?.("conn") ?? this.#conn;
      case "sslcontext":
        return this.#side.options;
      case "ssl_object":
        return this.#info();
      case "peercert":
        return this.#info().peercert;
      case "cipher":
        return this.#info().cipher;
      case "alpn_protocol":
        return this.#info().alpn_protocol;
    }
  }

  #known: TlsInfo | null = null;

  #info(): TlsInfo {
    if (this.#known !== null) return this.#known;
    const socket = this.#socket!;
    const cipher = socket.getCipher();
    const certificate = socket.getPeerCertificate() as PeerCertificate | null;
    const name = this.#side.server ? (socket as { servername?: unknown }).servername : this.#side.server_hostname;
    return this.#known = {
      alpn_protocol: socket.alpnProtocol || null,
      version: socket.getProtocol() ?? "unknown",
      cipher: [cipher?.name ?? "unknown", cipher?.version ?? "unknown", key_bits(cipher?.name)],
      server_hostname: typeof name === "string" && name !== "" ? name : null,
      peercert: certificate === null || Object.keys(certificate).length === 0 ? null : certificate,
    };
  }

  // Reading

  read(array: Uint8Array): Promise<number | null> {
    if (this.#chunks.length > 0) return Promise.resolve(this.#take(array));
    if (this.#eof === "said") return Promise.resolve(null);
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#state === "closed") return Promise.reject(new InterruptedError("operation canceled"));
    return new Promise((resolve, reject) => {
      this.#pending = { array, resolve, reject };
      this.#pump();
    });
  }

  #take(array: Uint8Array): number {
    let count = 0;
    while (count < array.length && this.#chunks.length > 0) {
      const chunk = this.#chunks[0];
      const part = chunk.subarray(this.#taken, this.#taken + array.length - count);
      array.set(part, count);
      count += part.length;
      this.#taken += part.length;
      if (this.#taken < chunk.length) break;
      this.#chunks.shift();
      this.#taken = 0;
    }
    return count;
  }

  #receive(chunk: Uint8Array): void {
    const pending = this.#pending;
    this.#chunks.push(chunk);
    if (pending === null) return;
    this.#pending = null;
    pending.resolve(this.#take(pending.array));
  }

  #end(how: "said" | "ragged"): void {
    if (this.#eof !== "no") return;
    this.#eof = how;
    if (how === "ragged" && this.#side.options.suppress_ragged_eofs !== true) {
      this.#error ??= new UnexpectedEof("The peer closed the connection without sending TLS close_notify");
      return this.#fail();
    }
    this.#eof = "said";
    this.#pending?.resolve(null);
    this.#pending = null;
  }

  /** The error is for whoever reads or writes next. */
  #fail(): void {
    if (this.#error === undefined) return;
    this.#pending?.reject(this.#error);
    this.#pending = null;
  }

  /** Reads the connection, if TLS can use more and somebody waits for it. */
  #pump(): void {
    if ((!this.#hungry && this.#engine === null) || this.#reading || this.#eof !== "no") return;
    if (this.#state === "closed") return;
    if (this.#state === "open" && this.#pending === null && this.#on_heard === null) return;
    this.#hungry = false;
    this.#reading = true;
    const early = this.#early;
    this.#early = null;
    if (early !== null) early.then(this.#on_bytes, this.#on_read_error);
    else {
      this.#lent = this.#read_size.lend(this.#buffer);
      this.#conn.read(this.#lent).then(this.#on_read, this.#on_read_error);
    }
  }

  readonly #on_read = (count: number | null): void => {
    const lent = this.#lent!;
    if (this.#engine !== null) {
      // The engine copies them.
      this.#buffer.commit(lent, 0);
      if (count !== null) this.#read_size.adapt(count, lent.length);
      return this.#on_bytes(count === null ? null : lent.subarray(0, count));
    }
    this.#buffer.commit(lent, count ?? 0);
    if (count === null) return this.#on_bytes(null);
    this.#read_size.adapt(count, lent.length);
    this.#on_bytes(this.#buffer.take(count));
  };

  readonly #on_bytes = (bytes: Uint8Array | null): void => {
    this.#reading = false;
    if (this.#state === "closed") return;
    if (this.#state === "open") {
      this.#heard = true;
      this.#on_heard?.();
    }
    if (this.#engine !== null) {
      if (bytes === null) {
        // A goodbye that came with the handshake may still be on its way through the streams, for a tick.
        this.#reading = true;
        // deno-lint-ignore no-process-global
        process.nextTick(() => {
          if (this.#state === "open") this.#end("ragged");
        });
        return;
      }
      this.#engine.decrypt(bytes);
      if (this.#error !== undefined || this.#eof !== "no") this.#send_encrypted();
      return this.#pump();
    }
    if (bytes !== null) {
      this.#duplex.push(bytes);
      return;
    }
    // If the peer said goodbye, or ended the handshake, that was in the bytes before; node:tls tells of each a turn after
    // it was given them.
    setImmediate(() => this.#state === "handshake" ? setImmediate(this.#on_end) : this.#on_end());
  };

  readonly #on_end = (): void => {
    if (this.#state === "open") this.#end("ragged");
    // A server of node:tls would wait on.
    else if (this.#state === "handshake") this.#on_lost();
    this.#duplex.push(null);
  };

  readonly #on_read_error = (error: unknown): void => {
    this.#reading = false;
    if (this.#state === "closed") return;
    this.#error ??= error;
    this.#fail();
    this.#duplex.destroy(error as Error);
  };

  // Writing

  write(array: Uint8Array): Promise<number> {
    const failure = this.#write_error ?? this.#error;
    if (failure !== undefined) return Promise.reject(failure);
    if (this.#state === "closed") return Promise.reject(new InterruptedError("operation canceled"));
    if (this.#engine !== null) {
      const count = this.#engine.encrypt(array);
      if (count === 0) return Promise.reject(new InterruptedError("operation canceled"));
      return this.#send(this.#engine.take_encrypted()).then(() => {
        if (this.#write_error !== undefined) throw this.#write_error;
        return count;
      });
    }
    const bytes = array.length > MAX_WRITE_SIZE ? array.subarray(0, MAX_WRITE_SIZE) : array;
    return new Promise((resolve, reject) => {
      this.#socket!.write(bytes, (error) => {
        const failure = this.#write_error ?? this.#error;
        if (failure !== undefined) reject(failure);
        else if (error === null || error === undefined) resolve(bytes.length);
        else reject(translated(error));
      });
    });
  }

  /** Sends encrypted bytes behind those before. It never fails. */
  #send(bytes: Uint8Array): Promise<void> {
    return this.#sending = this.#send_behind(this.#sends++ > 0 ? this.#sending : null, bytes);
  }

  async #send_behind(before: Promise<void> | null, bytes: Uint8Array): Promise<void> {
    if (before !== null) await before;
    try {
      for (let sent = 0; sent < bytes.length && this.#write_error === undefined;) {
        sent += await this.#conn.write(sent === 0 ? bytes : bytes.subarray(sent));
      }
    } catch (error) {
      // node:tls is not told: it would end the reading side too, where there may be bytes from before the peer went.
      this.#write_error = error;
    }
    this.#sends--;
  }

  closeWrite(): Promise<void> {
    if (this.#engine !== null) {
      this.#engine.end();
      this.#send_encrypted();
      return this.#sending;
    }
    return new Promise((resolve) => {
      const socket = this.#socket!;
      socket.once("close", () => resolve());
      // Where the peer has said goodbye before, node:tls destroys the socket a tick after its end, and with it the goodbye
      // that it has not passed on yet. It does so in microtasks: those that start in one are all done before the tick.
      queueMicrotask(() => socket.end(() => resolve()));
    });
  }

  /**
   * The goodbye of TLS. It does not wait for the peer's, since one half may be closed before the other.
   *
   * Right behind the handshake a server of TLS 1.3 sends tickets for later connections. To close with these unread makes
   * the system send a reset, on which the peer loses what is still on its way to it. So a client that has not heard
   * anything yet hears them first.
   */
  async goodbye(): Promise<void> {
    await this.closeWrite();
    await this.#sending;
    if (this.#side.server || this.#heard || this.#state === "closed" || this.#socket!.getProtocol() !== "TLSv1.3") {
      return;
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, TICKETS_TIMEOUT);
      this.#on_heard = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#pump();
    });
  }

  close(): void {
    if (this.#state === "closed") return;
    this.#free();
    this.#socket?.destroy();
    this.#duplex.destroy();
  }

  #free(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    release(this.#conn);
    this.#pending?.reject(this.#error ?? new InterruptedError("operation canceled"));
    this.#pending = null;
    this.#on_heard?.();
  }
}

/** Closes a connection that its former owner may have closed already: a stream that is aborted during its handshake. */
function release(conn: RawConn): void {
  try {
    conn.close();
  } catch (error) {
    if (!is_own_close(error)) throw error;
  }
}

const IP_ADDRESS = /^[\d.]+$|:/;

/** A client's end of TLS on a connection. */
function connect(tls: Tls, duplex: Duplex, options: TlsClientOptions, server_hostname: string): TLSSocket {
  const any_name = server_hostname === "" || options.unsafelyDisableHostnameVerification === true;
  return tls.connect({
    socket: duplex,
    secureContext: context_of(tls, options),
    ALPNProtocols: options.alpnProtocols as string[] | undefined,
    // A certificate may name an address, but a client cannot ask for one.
    ...(IP_ADDRESS.test(server_hostname) || any_name ? { host: server_hostname } : { servername: server_hostname }),
    ...(any_name ? { checkServerIdentity: () => undefined } : {}),
  });
}

/** A server's end of TLS on a connection. */
function accept(
  tls: Tls,
  duplex: Duplex,
  options: TlsServerOptions,
  on_socket: (socket: TLSSocket) => void,
  on_secure: (socket: TLSSocket) => void,
  on_error: (error: unknown) => void,
): void {
  const ALPNProtocols = options.alpnProtocols as string[] | undefined;
  if (options.caCerts === undefined) {
    const socket = new tls.TLSSocket(duplex as never, {
      isServer: true,
      secureContext: context_of(tls, options),
      ALPNProtocols,
    });
    on_socket(socket);
    socket.once("secure", () => on_secure(socket));
    return;
  }
  // Only a server of node:tls checks what the client shows. It need not listen: connections can be given to it.
  const server = new tls.Server({ ...texts_of(options), ALPNProtocols, requestCert: true, rejectUnauthorized: true });
  server.once("secureConnection", (socket) => {
    on_socket(socket);
    on_secure(socket);
  });
  server.once("tlsClientError", on_error);
  server.emit("connection", duplex);
}

/** The size of the key is part of most names. */
function key_bits(cipher: string | undefined): number | null {
  if (cipher === undefined) return null;
  if (cipher.includes("CHACHA20")) return 256;
  const match = cipher.match(/AES_?(\d+)/);
  return match === null ? null : Number(match[1]);
}

/** An error of node:tls as Deno's own TLS would give it: a rejected certificate, or bytes that are no TLS, are invalid data. */
function translated(error: unknown): unknown {
  const { code, message } = error as { code?: string; message: string };
  if (code === undefined || is_deno_error(error)) return error;
  if (message.includes("before secure TLS connection")) {
    return new UnexpectedEof(ENDED_IN_HANDSHAKE, { cause: error });
  }
  const text = message.replace(`${code}: `, "").replace(/ \(SSL routines.*\)$/, "");
  return Object.assign(new InvalidData(`TLS: ${text}`, { cause: error }), { code });
}
