/**
 * Connecting and listening through Deno.
 *
 * @module
 */

import type { RawConn, RawListener } from "./_deno.ts";

/**
 * Connects over TCP. Small writes leave at once, as in asyncio: Nagle's delay is switched off.
 *
 * If `signal` aborts, nothing stays open: a connection that was made all the same is closed.
 */
export async function connect_tcp(host: string, port: number, signal: AbortSignal): Promise<RawConn> {
  let conn: Deno.TcpConn;
  try {
    conn = await Deno.connect({ hostname: host, port, signal });
  } catch (error) {
    throw signal.aborted ? signal.reason : named(error, `connect to ${shown_address(host, port)}`);
  }
  if (signal.aborted) {
    conn.close();
    throw signal.reason;
  }
  return without_delay(conn);
}

/** Nagle's algorithm makes a second small write wait until the peer has acknowledged the first, 40 ms on Linux. */
function without_delay(conn: Deno.TcpConn): RawConn {
  try {
    conn.setNoDelay(true);
  } catch {
    // The peer is gone already on some systems; whoever reads or writes hears of it.
  }
  return conn;
}

/**
 * Listens on TCP ports, one for each host; `null` is all of the machine's addresses. Port 0 takes free ones. If one of
 * them cannot be had, none stays open.
 */
export function listen_tcp(hosts: readonly (string | null)[], port: number, backlog: number): RawListener[] {
  const listeners: RawListener[] = [];
  try {
    for (const host of hosts) {
      if (host !== null) listeners.push(listen(host, port, backlog));
      else listeners.push(listen_everywhere(port, backlog));
    }
  } catch (error) {
    for (const listener of listeners) listener.close();
    throw error;
  }
  return listeners;
}

/** On Linux a socket bound to `::` takes IPv4 connections as well; a machine without IPv6 has only `0.0.0.0`. */
function listen_everywhere(port: number, backlog: number): RawListener {
  try {
    return listen("::", port, backlog);
  } catch (error) {
    const code = (error as { code?: unknown } | null)?.code;
    if (code !== "EAFNOSUPPORT" && code !== "EADDRNOTAVAIL") throw error;
    return listen("0.0.0.0", port, backlog);
  }
}

function listen(host: string, port: number, backlog: number): RawListener {
  let listener: Deno.TcpListener;
  try {
    listener = Deno.listen({ hostname: host, port, tcpBacklog: backlog });
  } catch (error) {
    throw named(error, `listen on ${shown_address(host, port)}`);
  }
  return {
    addr: listener.addr,
    accept: async () => without_delay(await listener.accept()),
    close: () => listener.close(),
  };
}

/**
 * The same error with the address in its text: Deno's class and code, so that `instanceof` works as a Deno user writes
 * it. A missing permission is passed through as it is; its text says which flag to give.
 */
function named(error: unknown, what: string): unknown {
  if (!(error instanceof Error) || error instanceof Deno.errors.NotCapable) return error;
  const constructor = error.constructor as new (message: string, options: ErrorOptions) => Error;
  const renamed = new constructor(`Cannot ${what}: ${error.message}`, { cause: error });
  const code = (error as { code?: unknown }).code;
  if (code !== undefined) Object.assign(renamed, { code });
  return renamed;
}

function shown_address(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
