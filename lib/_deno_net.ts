/**
 * Connecting and listening through Deno.
 *
 * @module
 */

import {
  type AddressFamily,
  family_of,
  is_address,
  name_error,
  named_error,
  type Network,
  NotSupported,
  type RawConn,
  type RawListener,
  shown_address,
} from "./_deno.ts";
import { bind_datagram } from "./_deno_datagrams.ts";
import { stdio } from "./_deno_process.ts";

/** The network of the machine. */
export const SYSTEM_NETWORK: Network = {
  resolve,
  connect_tcp,
  connect_unix,
  listen_tcp,
  listen_unix,
  bind_datagram,
  look_up,
  name_of,
  stdio,
};

/** An address needs no look-up. A program that was permitted a name and not its addresses connects by name. */
async function resolve(host: string, port: number, family: AddressFamily | null): Promise<readonly string[] | null> {
  const found = await look_up_if_permitted(host);
  if (found === null && family !== null) {
    throw new Deno.errors.NotCapable(
      `Requires net access to "${host}" to choose a "family", run again with --allow-net`,
    );
  }
  if (found === null) return null;
  // With a family, Deno's own error about an address says which flag to give.
  if (family === null) return is_address(host) || found.every((address) => may_connect(address, port)) ? found : null;
  const wanted = found.filter((address) => family_of(address) === family);
  if (wanted.length > 0) return wanted;
  throw name_error("EAI_ADDRFAMILY", `It has no address of family ${family}`);
}

function may_connect(address: string, port: number): boolean {
  return Deno.permissions.querySync({ name: "net", host: shown_address(address, port) }).state === "granted";
}

async function look_up(host: string): Promise<readonly string[]> {
  const found = await look_up_if_permitted(host);
  if (found === null) throw not_permitted(host);
  return found;
}

/** An error of node's has no word of Deno's about the flag to give. */
function not_permitted(host: string): Error {
  return new Deno.errors.NotCapable(`Requires net access to "${host}", run again with the --allow-net flag`);
}

/** The addresses that the system knows for a name; `null` if it may not be looked up. */
async function look_up_if_permitted(host: string): Promise<readonly string[] | null> {
  if (is_address(host)) return [host];
  // Loaded when it is first needed: most programs that connect at all connect to an address or a name, but not at start.
  const { lookup } = await import("node:dns");
  return await new Promise((resolve, reject) => {
    lookup(host, { all: true, order: "verbatim" }, (cause, found) => {
      if (cause === null || cause === undefined) return resolve([...new Set(found.map(({ address }) => address))]);
      const code = (cause as { code?: string }).code;
      if (code === "EPERM") return resolve(null);
      if (code === "ENOTFOUND") reject(name_error("EAI_NONAME", "Name or service not known", cause));
      else reject(Object.assign(new Error(cause.message, { cause }), { code }));
    });
  });
}

async function name_of(address: string, port: number): Promise<readonly [host: string, service: string] | null> {
  const { lookupService } = await import("node:dns");
  return await new Promise((resolve, reject) => {
    lookupService(address, port, (cause, host, service) => {
      if (cause === null || cause === undefined) return resolve([host, service]);
      const { code } = cause;
      if (code === "ENOTFOUND") resolve(null);
      else if (code === "EPERM") reject(not_permitted(shown_address(address, port)));
      else reject(Object.assign(new Error(cause.message, { cause }), { code }));
    });
  });
}

/** Small writes leave at once, as in asyncio: Nagle's delay is switched off. */
async function connect_tcp(host: string, port: number, signal: AbortSignal): Promise<RawConn> {
  return without_delay(
    await opened(Deno.connect({ hostname: host, port, signal }), signal, () => shown_address(host, port)),
  );
}

function connect_unix(path: string, signal: AbortSignal): Promise<RawConn> {
  return opened(Deno.connect({ transport: "unix", path }), signal, () => `unix socket ${JSON.stringify(path)}`);
}

/** A connection that is made although the attempt was given up is closed. */
async function opened<C extends Deno.Conn>(attempt: Promise<C>, signal: AbortSignal, where: () => string): Promise<C> {
  let conn: C;
  try {
    conn = await attempt;
  } catch (error) {
    throw signal.aborted ? signal.reason : named_error(error, `Cannot connect to ${where()}`);
  }
  if (signal.aborted) {
    conn.close();
    throw signal.reason;
  }
  return conn;
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

function listen_tcp(host: string | null, port: number, backlog: number, reuse_port: boolean): RawListener {
  // Without the flag, to ask for it ends the process; this function is there only with it.
  if (reuse_port && typeof Deno.listenDatagram !== "function") {
    throw new NotSupported('Cannot listen with "reuse_port": Deno needs --unstable-net for it');
  }
  if (host !== null) return listen(host, port, backlog, reuse_port);
  // On Linux a socket bound to `::` takes IPv4 connections as well; a machine without IPv6 has only `0.0.0.0`.
  try {
    return listen("::", port, backlog, reuse_port);
  } catch (error) {
    const code = (error as { code?: unknown } | null)?.code;
    if (code !== "EAFNOSUPPORT" && code !== "EADDRNOTAVAIL") throw error;
    return listen("0.0.0.0", port, backlog, reuse_port);
  }
}

function listen(host: string, port: number, backlog: number, reuse_port: boolean): RawListener {
  let listener: Deno.TcpListener;
  try {
    listener = Deno.listen({ hostname: host, port, tcpBacklog: backlog, ...(reuse_port ? { reusePort: true } : {}) });
  } catch (error) {
    throw named_error(error, `Cannot listen on ${shown_address(host, port)}`);
  }
  return {
    addr: listener.addr,
    accept: () => listener.accept().then(without_delay),
    close: () => listener.close(),
  };
}

/** A socket file that a server left behind when it died is replaced; one that somebody listens on is not. */
async function listen_unix(path: string): Promise<RawListener> {
  try {
    return Deno.listen({ transport: "unix", path });
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse) || !await is_stale(path)) {
      throw named_error(error, `Cannot listen on unix socket ${JSON.stringify(path)}`);
    }
  }
  Deno.removeSync(path);
  return Deno.listen({ transport: "unix", path });
}

async function is_stale(path: string): Promise<boolean> {
  if (!Deno.lstatSync(path).isSocket) return false;
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return false;
  } catch (error) {
    return error instanceof Deno.errors.ConnectionRefused;
  }
}
