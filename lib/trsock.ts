/**
 * Sockets and connections as asyncio shows them.
 *
 * @module
 */

import { INSPECT } from "./constants.ts";
import { type Address, type AddressFamily, type RawConn, shown_address } from "./_deno.ts";
import type { TlsClientOptions, TlsInfo, TlsServerOptions } from "./_tls.ts";

/**
 * An address as asyncio shows it: host and port, or the path of a unix socket.
 */
export type SocketAddress = readonly [host: string, port: number] | string;

/**
 * A socket's addresses.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const server = await asyncio.start_server(() => {}, "127.0.0.1", 0);
 * const [host, port] = server.sockets[0].getsockname();
 * console.log(host, Number(port) > 0, server.sockets[0].family); // 127.0.0.1 true AF_INET
 * server.close();
 * await server.wait_closed();
 * ```
 */
export class TransportSocket {
  readonly #local: Address;
  readonly #remote: Address | null;

  /**
   * Made by transports and servers.
   *
   * @internal
   */
  constructor(local: Address, remote: Address | null) {
    this.#local = local;
    this.#remote = remote;
  }

  /** The kind of address: `"AF_INET"`, `"AF_INET6"` or `"AF_UNIX"`. */
  get family(): AddressFamily | "AF_UNIX" {
    if (!("hostname" in this.#local)) return "AF_UNIX";
    return this.#local.hostname.includes(":") ? "AF_INET6" : "AF_INET";
  }

  /**
   * This side's address.
   *
   * @returns Host and port, or a path.
   */
  getsockname(): SocketAddress {
    return to_socket_address(this.#local)!;
  }

  /**
   * The peer's address.
   *
   * @returns Host and port, or a path; `null` for a socket that listens.
   */
  getpeername(): SocketAddress | null {
    return this.#remote === null ? null : to_socket_address(this.#remote);
  }

  /** @ignore */
  [INSPECT](): string {
    const peer = this.getpeername();
    return `<TransportSocket ${this.family} ${String(this.getsockname())}${
      peer === null ? "" : ` to ${String(peer)}`
    }>`;
  }
}

function to_socket_address(address: Address): SocketAddress | null {
  if ("hostname" in address) return [address.hostname, address.port];
  return "path" in address ? address.path : null;
}

/**
 * What `get_extra_info()` knows, by key.
 */
export interface ExtraInfo {
  /** The peer's address. */
  readonly peername: SocketAddress | null;
  /** This side's address. */
  readonly sockname: SocketAddress;
  /** Both addresses, and their family. */
  readonly socket: TransportSocket;
  /** Deno's own connection, the one under TLS if there is TLS; whoever uses it answers for what the library then sees. */
  readonly conn: RawConn;
  /** Of a TLS connection, the options it was made with. */
  readonly sslcontext: TlsClientOptions | TlsServerOptions | null;
  /** Of a TLS connection, what both sides agreed on. */
  readonly ssl_object: TlsInfo | null;
  /** The certificate that the peer showed, as `node:tls` gives it. */
  readonly peercert: TlsInfo["peercert"];
  /** The name of the cipher, the protocol version it belongs to, and the bits of its key if known. */
  readonly cipher: TlsInfo["cipher"] | null;
  /** The protocol that both sides chose by ALPN. */
  readonly alpn_protocol: string | null;
}

/** A peer in a text. */
export function shown_peer(peer: SocketAddress | null): string {
  if (peer === null) return "unknown";
  return typeof peer === "string" ? peer : shown_address(peer[0], peer[1]);
}
