/**
 * What a program says about TLS, and what it is told.
 *
 * @module
 */

import type { PeerCertificate, SecureContext, SecureContextOptions } from "node:tls";
import { InvalidData } from "./_deno.ts";
import { shown } from "./exceptions.ts";

/**
 * TLS on the side that connects. The names are those of `Deno.connectTls()`.
 */
export interface TlsClientOptions {
  /**
   * Certificates of authorities to trust, in PEM.
   *
   * @default those that Deno trusts
   */
  readonly caCerts?: readonly string[];
  /** This side's certificate chain, in PEM, for servers that ask for one. */
  readonly cert?: string;
  /** The certificate's private key, in PEM. */
  readonly key?: string;
  /** Protocols to offer, the preferred one first. */
  readonly alpnProtocols?: readonly string[];
  /**
   * Takes a certificate whatever name it is for; it still has to come from a trusted authority.
   *
   * @default false
   */
  readonly unsafelyDisableHostnameVerification?: boolean;
  /**
   * Takes the end of the connection for the end of the data, although the peer did not say so. An attacker can end a
   * connection; so only where the data tell by themselves that they are complete.
   *
   * @default false
   */
  readonly suppress_ragged_eofs?: boolean;
}

/**
 * TLS on the side that is connected to. The names are those of `Deno.listenTls()`.
 */
export interface TlsServerOptions {
  /** The certificate chain, in PEM. */
  readonly cert: string;
  /** The certificate's private key, in PEM. */
  readonly key: string;
  /** Protocols to choose from, the preferred one first. */
  readonly alpnProtocols?: readonly string[];
  /** Certificates of authorities, in PEM: clients then have to show a certificate of one of them. */
  readonly caCerts?: readonly string[];
  /**
   * Takes the end of the connection for the end of the data, although the peer did not say so.
   *
   * @default false
   */
  readonly suppress_ragged_eofs?: boolean;
}

/**
 * What is known of a TLS connection; `get_extra_info("ssl_object")`.
 */
export interface TlsInfo {
  /** The protocol that both sides agreed on; `null` if none was offered. */
  readonly alpn_protocol: string | null;
  /** The version, such as `"TLSv1.3"`. */
  readonly version: string;
  /** The cipher's name, the protocol version it belongs to, and the bits of its key if known. */
  readonly cipher: readonly [name: string, version: string, bits: number | null];
  /** The name that the client asked for; `null` if it asked for none. */
  readonly server_hostname: string | null;
  /** The peer's certificate; `null` if it showed none. */
  readonly peercert: PeerCertificate | null;
}

const CLIENT_KEYS = [
  "caCerts",
  "cert",
  "key",
  "alpnProtocols",
  "unsafelyDisableHostnameVerification",
  "suppress_ragged_eofs",
];
const SERVER_KEYS = ["cert", "key", "alpnProtocols", "caCerts", "suppress_ragged_eofs"];

const DEFAULTS: TlsClientOptions = Object.freeze({});

/** Throws unless `ssl` are a client's options; `true` stands for the defaults. */
export function check_tls_client(ssl: unknown): TlsClientOptions {
  if (ssl === true) return DEFAULTS;
  check_tls(ssl, CLIENT_KEYS, 'true or an object such as { caCerts: ["..."] }');
  const { cert, key } = ssl as TlsClientOptions;
  if ((cert === undefined) !== (key === undefined)) {
    throw new TypeError(`"ssl" must have both "cert" and "key", or neither`);
  }
  return ssl as TlsClientOptions;
}

/** Throws unless `ssl` are a server's options. */
export function check_tls_server(ssl: unknown): TlsServerOptions {
  check_tls(ssl, SERVER_KEYS, "an object with a certificate and its key, { cert, key }");
  for (const name of ["cert", "key"]) {
    const value = (ssl as Record<string, unknown>)[name];
    if (typeof value !== "string") throw new TypeError(`"ssl.${name}" must be a string in PEM, got ${shown(value)}`);
  }
  return ssl as TlsServerOptions;
}

function check_tls(ssl: unknown, known: readonly string[], wanted: string): void {
  if (typeof ssl !== "object" || ssl === null) throw new TypeError(`"ssl" must be ${wanted}, got ${shown(ssl)}`);
  for (const [key, value] of Object.entries(ssl)) {
    if (value === undefined) continue;
    if (!known.includes(key)) {
      throw new TypeError(`Unknown option "ssl.${key}": known are ${known.map((each) => `"${each}"`).join(", ")}`);
    }
    if (key === "caCerts" || key === "alpnProtocols") {
      if (!Array.isArray(value) || value.some((each) => typeof each !== "string")) {
        throw new TypeError(`"ssl.${key}" must be an array of strings, got ${shown(value)}`);
      }
    } else if (key === "cert" || key === "key") {
      if (typeof value !== "string") throw new TypeError(`"ssl.${key}" must be a string in PEM, got ${shown(value)}`);
    } else if (typeof value !== "boolean") {
      throw new TypeError(`"ssl.${key}" must be a boolean, got ${shown(value)}`);
    }
  }
}

/** Throws unless the texts of the options can be read; otherwise only a connection would show it. */
export async function check_texts(options: TlsClientOptions | TlsServerOptions): Promise<void> {
  const tls = await import("node:tls");
  try {
    context_of(tls, options);
  } catch (cause) {
    throw new InvalidData(`Cannot use "ssl": ${(cause as Error).message}`, { cause });
  }
}

/** The module, which is loaded when it is first needed: that takes 30 ms. */
export type Tls = typeof import("node:tls");

const contexts = new WeakMap<TlsClientOptions | TlsServerOptions, SecureContext>();

/** To read the texts takes half a millisecond, so those who share the options share what was read. */
export function context_of(tls: Tls, options: TlsClientOptions | TlsServerOptions): SecureContext {
  let context = contexts.get(options);
  if (context === undefined) contexts.set(options, context = tls.createSecureContext(texts_of(options)));
  return context;
}

/** The options as `node:tls` takes them. */
export function texts_of({ cert, key, caCerts }: TlsClientOptions | TlsServerOptions): SecureContextOptions {
  // Of one text with several certificates, only the first would count.
  const ca = caCerts?.flatMap((text) => text.match(CERTIFICATE) ?? [text]);
  return { cert, key, ...(ca === undefined ? {} : { ca }) };
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
