/**
 * What the calls that make streams may be asked for, checked in one place.
 *
 * @module
 */

import { check_flag, check_limit } from "./_bytes.ts";
import type { Securing, Target } from "./_connecting.ts";
import {
  DEFAULT_BACKLOG,
  DEFAULT_HAPPY_EYEBALLS_DELAY,
  DEFAULT_LIMIT,
  DEFAULT_SSL_HANDSHAKE_TIMEOUT,
  DEFAULT_SSL_SHUTDOWN_TIMEOUT,
} from "./constants.ts";
import { type AddressFamily, NotSupported, type RawConn } from "./_deno.ts";
import { check_number, check_options, shown } from "./exceptions.ts";
import { signal_of } from "./_line.ts";
import { check_tls_client, check_tls_server, type TlsClientOptions, type TlsServerOptions } from "./_tls.ts";

/**
 * Time limits of TLS.
 */
export interface SslTimeouts {
  /**
   * Seconds that a TLS handshake may take.
   *
   * @default 60
   */
  readonly ssl_handshake_timeout?: number;
  /**
   * Seconds that the end of a TLS connection may take, with what is still to be sent.
   *
   * @default 30
   */
  readonly ssl_shutdown_timeout?: number;
}

/**
 * Options of `StreamWriter.start_tls()`.
 */
export interface StartTlsOptions extends SslTimeouts {
  /**
   * The name that the server's certificate has to be for; `""` takes any.
   *
   * @default the host that the connection was made to
   */
  readonly server_hostname?: string;
}

/**
 * Options of both `open_connection()` and `open_unix_connection()`.
 */
export interface ConnectOptions extends SslTimeouts {
  /**
   * How many bytes the reader's search for a separator may look through.
   *
   * @default 65536
   */
  readonly limit?: number;
  /** TLS: `true`, or an object of options. The call then ends when the handshake has. */
  readonly ssl?: true | TlsClientOptions;
  /**
   * The name that the server's certificate has to be for; `""` takes any.
   *
   * @default the host
   */
  readonly server_hostname?: string;
  /** A connection to go on with instead of making one; it belongs to the streams from then on, even if the call fails. */
  readonly sock?: RawConn;
  /**
   * Seconds until the attempt, its TLS handshake included, ends with a `TimeoutError`; `null` for no limit but the
   * system's own.
   *
   * @default null
   */
  readonly timeout?: number | null;
  /** Ends the attempt when it aborts, with its reason; it has no effect on a connection that was made. */
  readonly signal?: AbortSignal;
}

/**
 * Options of `open_connection()`.
 */
export interface OpenConnectionOptions extends ConnectOptions {
  /**
   * The kind of address to use.
   *
   * @default both
   */
  readonly family?: AddressFamily;
  /**
   * Of a host with several addresses: seconds until the next one is tried beside the one before. `null` waits until that
   * has failed, as asyncio does.
   *
   * @default 0.25
   */
  readonly happy_eyeballs_delay?: number | null;
  /**
   * How many addresses of the kind that the system prefers are tried before one of the other kind; 0 keeps the system's
   * order.
   *
   * @default 1, or 0 without `happy_eyeballs_delay`
   */
  readonly interleave?: number;
  /**
   * Fails with an `ExceptionGroup` of what happened at each address, instead of one error that names them all.
   *
   * @default false
   */
  readonly all_errors?: boolean;
  /** Refused: Deno cannot bind a connection to an address of this machine. */
  readonly local_addr?: never;
}

/**
 * Options of both `start_server()` and `start_unix_server()`.
 */
export interface ServeOptions extends SslTimeouts {
  /**
   * How many bytes a search for a separator may look through, in each connection's reader.
   *
   * @default 65536
   */
  readonly limit?: number;
  /**
   * How many connections the kernel queues before they are accepted; for a unix socket, Deno decides.
   *
   * @default 100
   */
  readonly backlog?: number;
  /** TLS: the certificate and its key, and what else there is. A connection is handed over after its handshake. */
  readonly ssl?: TlsServerOptions;
  /**
   * Accepts connections at once; otherwise `start_serving()` or `serve_forever()` begins.
   *
   * @default true
   */
  readonly start_serving?: boolean;
  /**
   * How many connections may be open at a time; those beyond it wait to be accepted.
   *
   * @default Infinity
   */
  readonly max_connections?: number;
}

/**
 * Options of `start_server()`.
 */
export interface StartServerOptions extends ServeOptions {
  /**
   * The kind of address to listen on.
   *
   * @default both
   */
  readonly family?: AddressFamily;
  /**
   * Lets several processes listen on the same port. Deno needs `--unstable-net` for it.
   *
   * @default false
   */
  readonly reuse_port?: boolean;
}

/**
 * Options of `start_unix_server()`.
 */
export interface StartUnixServerOptions extends ServeOptions {
  /**
   * Deno removes the socket's file when the server is closed, so only `true` can be had.
   *
   * @default true
   */
  readonly cleanup_socket?: true;
}

/**
 * What a connection has done so far.
 */
export interface StreamStatistics {
  /** Bytes that the kernel has taken. */
  readonly bytes_written: number;
  /** Bytes that have arrived. */
  readonly bytes_read: number;
  /** How often more than the high-water mark was waiting, so that `drain()` had to wait. */
  readonly stalls: number;
  /** The most bytes that ever waited to be sent. */
  readonly peak_buffer_size: number;
}

/**
 * Options of `close()`.
 */
export interface CloseOptions {
  /**
   * Seconds to wait for the peer's end of data, reading and dropping what still comes: to close with input unread makes
   * the system send a reset, on which a peer may lose the last bytes it was sent. It also bounds how long bytes that the
   * peer does not read are kept; then the connection is aborted.
   *
   * @default 0, which closes as soon as all has left
   */
  readonly linger?: number;
}

/**
 * How much may wait to be sent, in bytes.
 */
export interface WriteBufferLimits {
  /**
   * Above it `drain()` waits; with 0 it waits until the kernel has taken everything.
   *
   * @default 65536, or four times `low`
   */
  readonly high?: number;
  /**
   * At or below it, `drain()` goes on.
   *
   * @default a quarter of `high`
   */
  readonly low?: number;
}

const SSL_KEYS = ["ssl", "ssl_handshake_timeout", "ssl_shutdown_timeout"];
const CONNECT_KEYS = [...SSL_KEYS, "server_hostname", "sock", "timeout", "signal"];
const TCP_KEYS = ["family", "happy_eyeballs_delay", "interleave", "all_errors", "local_addr"];
const SERVE_KEYS = ["backlog", ...SSL_KEYS, "start_serving", "max_connections"];

/** A call that connects, as it was asked for. */
export interface ConnectPlan {
  readonly target: Target;
  readonly securing: Securing | null;
  readonly shutdown_timeout: number;
  readonly limit: number;
  readonly signal: AbortSignal | undefined;
  readonly timeout: number | null;
  /** The name for a later `start_tls()`. */
  readonly host: string | null;
}

/** A call that serves, as it was asked for. */
export interface ServePlan {
  readonly securing: Securing | null;
  readonly shutdown_timeout: number;
  readonly limit: number;
  readonly backlog: number;
  readonly start_serving: boolean;
  readonly max_connections: number;
}

export function check_open_connection(
  host: unknown,
  port: unknown,
  options: OpenConnectionOptions,
  stream_keys: readonly string[] = ["limit"],
): ConnectPlan {
  check_options(options, [...stream_keys, ...CONNECT_KEYS, ...TCP_KEYS]);
  const { sock, family, happy_eyeballs_delay = DEFAULT_HAPPY_EYEBALLS_DELAY, all_errors = false } = options;
  const interleave = options.interleave ?? (happy_eyeballs_delay === null ? 0 : 1);
  if (options.local_addr !== undefined && options.local_addr !== null) {
    throw new NotSupported(
      `Cannot connect from "local_addr" ${shown(options.local_addr)}: Deno chooses the local address`,
    );
  }
  if (happy_eyeballs_delay !== null) check_at_least("happy_eyeballs_delay", happy_eyeballs_delay, 0);
  check_whole("interleave", interleave, 0);
  check_family(family);
  check_flag("all_errors", all_errors);
  const has_host = host !== undefined && host !== null;
  if (sock !== undefined) {
    check_sock(sock);
    if (has_host || (port !== undefined && port !== null)) {
      throw new RangeError("host/port and sock can not be specified at the same time");
    }
    return connect_plan({ kind: "given", conn: sock }, null, options);
  }
  if (port === undefined || port === null) {
    if (has_host) throw new TypeError(`"port" must be a number, got ${shown(port)}`);
    throw new RangeError("host and port was not specified and no sock specified");
  }
  check_host(host);
  if (host === "") throw new RangeError('"host" must not be empty');
  check_port(port, 1);
  const name = host as string | null ?? "localhost";
  const target = {
    kind: "tcp",
    host: name,
    port: port as number,
    family: family ?? null,
    delay: happy_eyeballs_delay,
    interleave,
    all_errors,
  } as const;
  return connect_plan(target, name, options);
}

export function check_open_unix_connection(
  path: unknown,
  options: ConnectOptions,
  stream_keys: readonly string[] = ["limit"],
): ConnectPlan {
  check_options(options, [...stream_keys, ...CONNECT_KEYS]);
  const { sock, ssl, server_hostname } = options;
  if (ssl !== undefined && server_hostname === undefined) {
    throw new RangeError("you have to pass server_hostname when using ssl");
  }
  if (sock !== undefined) {
    check_sock(sock);
    if (path !== undefined && path !== null) {
      throw new RangeError("path and sock can not be specified at the same time");
    }
    return connect_plan({ kind: "given", conn: sock }, null, options);
  }
  if (path === undefined || path === null) throw new RangeError("no path and sock were specified");
  check_path(path);
  return connect_plan({ kind: "unix", path: path as string }, null, options);
}

function connect_plan(target: Target, host: string | null, options: ConnectOptions): ConnectPlan {
  const { ssl, server_hostname, timeout = null } = options;
  const shutdown_timeout = check_ssl_timeouts(options, ssl !== undefined);
  if (server_hostname !== undefined) {
    if (ssl === undefined) throw new RangeError("server_hostname is only meaningful with ssl");
    check_server_hostname(server_hostname);
  }
  if (timeout !== null) check_at_least("timeout", timeout, 0);
  const name = server_hostname ?? host;
  if (ssl !== undefined && name === null) {
    throw new RangeError("You must set server_hostname when using ssl without a host");
  }
  return {
    target,
    securing: ssl === undefined ? null : {
      side: { server: false, options: check_tls_client(ssl), server_hostname: name! },
      handshake_timeout: options.ssl_handshake_timeout ?? DEFAULT_SSL_HANDSHAKE_TIMEOUT,
    },
    shutdown_timeout,
    limit: limit_of(options),
    signal: signal_of(options),
    timeout,
    host,
  };
}

/**
 * Options of `EventLoop.connect_accepted_socket()`.
 */
export interface ConnectAcceptedOptions extends SslTimeouts {
  /** TLS: the certificate and its key. */
  readonly ssl?: TlsServerOptions;
}

export function check_accepted(sock: unknown, options: ConnectAcceptedOptions): ConnectPlan {
  check_options(options, SSL_KEYS);
  check_sock(sock);
  const { ssl } = options;
  const shutdown_timeout = check_ssl_timeouts(options, ssl !== undefined);
  const plan = { ...check_pipe(sock as RawConn), shutdown_timeout };
  if (ssl === undefined) return plan;
  const handshake_timeout = options.ssl_handshake_timeout ?? DEFAULT_SSL_HANDSHAKE_TIMEOUT;
  return { ...plan, securing: { side: { server: true, options: check_tls_server(ssl) }, handshake_timeout } };
}

/** The plan of a connection that is there. */
export function check_pipe(conn: RawConn): ConnectPlan {
  return connect_plan({ kind: "given", conn }, null, {});
}

export function check_start_tls(
  ssl: unknown,
  options: StartTlsOptions,
  is_server: boolean,
  host: string | null,
): Securing {
  check_options(options, ["server_hostname", "ssl_handshake_timeout", "ssl_shutdown_timeout"]);
  check_ssl_timeouts(options, true);
  const handshake_timeout = options.ssl_handshake_timeout ?? DEFAULT_SSL_HANDSHAKE_TIMEOUT;
  if (options.server_hostname !== undefined) check_server_hostname(options.server_hostname);
  if (is_server) return { side: { server: true, options: check_tls_server(ssl) }, handshake_timeout };
  const client = check_tls_client(ssl);
  const server_hostname = options.server_hostname ?? host;
  if (server_hostname === null) throw new RangeError("You must set server_hostname when using ssl without a host");
  return { side: { server: false, options: client, server_hostname }, handshake_timeout };
}

export function check_start_server(
  host: unknown,
  port: unknown,
  options: StartServerOptions,
  stream_keys: readonly string[] = ["limit"],
): ServePlan {
  for (const each of Array.isArray(host) ? host : [host]) check_host(each);
  if (Array.isArray(host) && host.length === 0) throw new RangeError('"host" must name an address: the list is empty');
  check_port(port, 0);
  check_options(options, [...stream_keys, ...SERVE_KEYS, "family", "reuse_port"]);
  check_family(options.family);
  check_flag("reuse_port", options.reuse_port);
  return serve_plan(options);
}

export function check_start_unix_server(
  path: unknown,
  options: StartUnixServerOptions,
  stream_keys: readonly string[] = ["limit"],
): ServePlan {
  check_options(options, [...stream_keys, ...SERVE_KEYS, "cleanup_socket"]);
  check_path(path);
  if (options.cleanup_socket !== undefined && options.cleanup_socket !== true) {
    throw new NotSupported(
      `Cannot keep the socket's file with "cleanup_socket" ${shown(options.cleanup_socket)}: Deno removes it`,
    );
  }
  return serve_plan(options);
}

function serve_plan(options: ServeOptions): ServePlan {
  const { ssl, backlog = DEFAULT_BACKLOG, start_serving = true, max_connections = Infinity } = options;
  check_whole("backlog", backlog, 1);
  check_flag("start_serving", start_serving);
  if (max_connections !== Infinity) check_whole("max_connections", max_connections, 1);
  const shutdown_timeout = check_ssl_timeouts(options, ssl !== undefined);
  return {
    securing: ssl === undefined ? null : {
      side: { server: true, options: check_tls_server(ssl) },
      handshake_timeout: options.ssl_handshake_timeout ?? DEFAULT_SSL_HANDSHAKE_TIMEOUT,
    },
    shutdown_timeout,
    limit: limit_of(options),
    backlog,
    start_serving,
    max_connections,
  };
}

/** Checks both limits, and gives back the one that stays in force. */
function check_ssl_timeouts(options: SslTimeouts, has_ssl: boolean): number {
  for (const name of ["ssl_handshake_timeout", "ssl_shutdown_timeout"] as const) {
    const value = options[name];
    if (value === undefined) continue;
    if (!has_ssl) throw new RangeError(`${name} is only meaningful with ssl`);
    check_number(name, value);
    if (value <= 0) throw new RangeError(`${name} should be a positive number, got ${value}`);
  }
  return options.ssl_shutdown_timeout ?? DEFAULT_SSL_SHUTDOWN_TIMEOUT;
}

function check_sock(sock: unknown): void {
  const methods = ["read", "write", "closeWrite", "close"];
  if (methods.some((name) => typeof (sock as Record<string, unknown> | null)?.[name] !== "function")) {
    throw new TypeError(`"sock" must have read(), write(), closeWrite() and close(), got ${shown(sock)}`);
  }
}

function check_host(host: unknown): void {
  if (host !== undefined && host !== null && typeof host !== "string") {
    throw new TypeError(`"host" must be a string or null, got ${shown(host)}`);
  }
}

export function check_port(port: unknown, lowest: number): void {
  check_number("port", port);
  if (!Number.isInteger(port) || port as number < lowest || port as number > 65535) {
    throw new RangeError(`"port" must be a whole number from ${lowest} to 65535, got ${shown(port)}`);
  }
}

function check_path(path: unknown): void {
  if (typeof path !== "string") throw new TypeError(`"path" must be a string, got ${shown(path)}`);
  if (path === "") throw new RangeError('"path" must not be empty');
}

function check_server_hostname(name: unknown): void {
  if (typeof name !== "string") throw new TypeError(`"server_hostname" must be a string, got ${shown(name)}`);
}

export function check_family(family: unknown): void {
  if (family !== undefined && family !== "AF_INET" && family !== "AF_INET6") {
    throw new TypeError(`"family" must be "AF_INET" or "AF_INET6", got ${shown(family)}`);
  }
}

function check_at_least(name: string, value: unknown, lowest: number): void {
  check_number(name, value);
  if (value as number < lowest) throw new RangeError(`"${name}" must be ${lowest} or more, got ${value}`);
}

function check_whole(name: string, value: unknown, lowest: number): void {
  check_at_least(name, value, lowest);
  if (!Number.isInteger(value)) throw new RangeError(`"${name}" must be a whole number, got ${value}`);
}

function limit_of({ limit = DEFAULT_LIMIT }: { readonly limit?: number }): number {
  check_limit("limit", limit);
  return limit;
}
