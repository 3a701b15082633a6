/**
 * Sockets for datagrams, through `node:dgram`.
 *
 * Deno's own `Deno.listenDatagram()` is there only with a flag. What `node:dgram` is on Deno 2.9, as measured:
 *
 * - It looks a host up before it uses it, always a turn later, where what Deno throws is caught by nobody and ends the
 *   process. So it is given a look-up that answers at once, and then `bind()` throws to its caller.
 * - It does not connect a socket. So there are no errors that only a connected one hears of, and datagrams of any sender
 *   come in.
 * - All that it tells of a failed send is that it failed, save for one that was too long.
 * - What came is in an array of 64 KiB of its own, so what is kept is copied.
 *
 * @module
 */

import type { Socket } from "node:dgram";
import { type DatagramAddress, named_error, type RawDatagramSocket, shown_address } from "./_deno.ts";

/** Answers at once: all that is asked for is an address, or a name that the system will look up itself. */
function no_lookup(host: string, ...rest: unknown[]): void {
  const callback = rest.at(-1) as (error: null, address: string, family: number) => void;
  callback(null, host, host.includes(":") ? 6 : 4);
}

/** Makes a socket; if that fails, none is left. */
export async function bind_datagram(
  local: DatagramAddress,
  remote: DatagramAddress | null,
  allow_broadcast: boolean,
): Promise<RawDatagramSocket> {
  // Loaded when it is first needed: few programs send datagrams.
  const { createSocket } = await import("node:dgram");
  const [address, port] = local;
  const socket = createSocket({ type: address.includes(":") ? "udp6" : "udp4", lookup: no_lookup });
  let failure: unknown = null;
  const on_bind_error = (error: unknown) => failure = error;
  socket.once("error", on_bind_error);
  try {
    socket.bind({ port, address });
    if (failure !== null) throw named_error(of_deno(failure), `Cannot bind to ${shown_address(address, port)}`);
    if (remote !== null) check_permitted(remote);
    if (allow_broadcast) socket.setBroadcast(true);
  } catch (error) {
    socket.close();
    throw error;
  }
  socket.off("error", on_bind_error);
  return new NodeDatagramSocket(socket);
}

class NodeDatagramSocket implements RawDatagramSocket {
  readonly #socket: Socket;
  readonly localAddr: Deno.NetAddr;
  on_datagram: RawDatagramSocket["on_datagram"] = () => {};
  on_error: RawDatagramSocket["on_error"] = () => {};

  constructor(socket: Socket) {
    const { address, port } = socket.address();
    this.#socket = socket;
    this.localAddr = { transport: "udp", hostname: address, port };
    // What a closed socket still reports of itself has no sender.
    socket.on("message", (data, from) => from && this.on_datagram(new Uint8Array(data), [from.address, from.port]));
    socket.on("error", (error) => this.on_error(of_deno(error)));
  }

  get_extra_info(name: string): unknown {
    return name === "dgram" ? this.#socket : undefined;
  }

  send(data: Uint8Array, addr: DatagramAddress): Promise<void> {
    const [host, port] = addr;
    return new Promise((resolve, reject) => {
      this.#socket.send(data, port, host, (error) => {
        if (error === null || error === undefined) resolve();
        else reject(send_error(error, addr));
      });
    });
  }

  close(): void {
    this.#socket.close();
  }
}

/** The class that Deno has for an error of node's; the error itself where there is none. */
function of_deno(error: unknown): unknown {
  const code = (error as { code?: unknown } | null)?.code;
  const constructor = code === "EADDRINUSE"
    ? Deno.errors.AddrInUse
    : code === "EADDRNOTAVAIL"
    ? Deno.errors.AddrNotAvailable
    : code === "EACCES"
    ? Deno.errors.PermissionDenied
    : null;
  if (constructor === null) return error;
  return Object.assign(new constructor((error as Error).message, { cause: error }), { code });
}

function send_error(error: Error, addr: DatagramAddress): unknown {
  const { code } = error as { code?: unknown };
  const where = `Cannot send to ${shown_address(...addr)}`;
  if (code === "EMSGSIZE") return Object.assign(new Error(`${where}: Message too long`, { cause: error }), { code });
  if (net_permission("querySync", addr) !== "granted") return not_permitted(addr);
  return Object.assign(new Error(`${where}: the system refused it`, { cause: error }), { code });
}

/** Asks the user where Deno would. */
function check_permitted(addr: DatagramAddress): void {
  if (net_permission("requestSync", addr) !== "granted") throw not_permitted(addr);
}

function net_permission(method: "querySync" | "requestSync", addr: DatagramAddress): Deno.PermissionState {
  return Deno.permissions[method]({ name: "net", host: shown_address(...addr) }).state;
}

/** In Deno's own words, which do not reach the caller of `node:dgram`. */
function not_permitted(addr: DatagramAddress): Error {
  return new Deno.errors.NotCapable(
    `Requires net access to "${shown_address(...addr)}", run again with the --allow-net flag`,
  );
}
