/**
 * Names and addresses, in the shapes of Python's `socket.getaddrinfo()` and `socket.getnameinfo()`.
 *
 * @module
 */

import {
  type AddressFamily,
  type DatagramAddress,
  family_of,
  is_address,
  name_error,
  named_error,
  type Network,
  NotSupported,
} from "./_deno.ts";
import { check_options, shown } from "./exceptions.ts";
import { check_family, check_port } from "./_stream_options.ts";

/** What a socket carries. */
export type SocketType = "SOCK_STREAM" | "SOCK_DGRAM" | "SOCK_RAW";

/** The protocol of a socket; `"IPPROTO_IP"` is none in particular. */
export type SocketProtocol = "IPPROTO_TCP" | "IPPROTO_UDP" | "IPPROTO_IP";

/** An address that a host and a port stand for, with the kind of socket to use it with. */
export type AddressInfo = [
  family: AddressFamily,
  type: SocketType,
  proto: SocketProtocol,
  canonname: string,
  sockaddr: DatagramAddress,
];

/**
 * Options of `EventLoop.getaddrinfo()`.
 */
export interface GetAddrInfoOptions {
  /**
   * The kind of address.
   *
   * @default both
   */
  readonly family?: AddressFamily;
  /**
   * The kind of socket.
   *
   * @default all
   */
  readonly type?: SocketType;
  /**
   * The protocol of the socket.
   *
   * @default that of its type
   */
  readonly proto?: SocketProtocol;
  /**
   * `"AI_PASSIVE"`: without a host, the addresses to listen on; `"AI_NUMERICHOST"`: the host is an address, look nothing
   * up; `"AI_NUMERICSERV"`: the port is a number.
   *
   * @default none
   */
  readonly flags?: readonly ("AI_PASSIVE" | "AI_NUMERICHOST" | "AI_NUMERICSERV")[];
}

/**
 * What `EventLoop.getnameinfo()` is to do: `"NI_NUMERICHOST"` gives the address, `"NI_NUMERICSERV"` the port's number,
 * `"NI_NAMEREQD"` fails if the address has no name.
 */
export type NameInfoFlag = "NI_NUMERICHOST" | "NI_NUMERICSERV" | "NI_NAMEREQD";

const ADDRESS_FLAGS = ["AI_PASSIVE", "AI_NUMERICHOST", "AI_NUMERICSERV"];
const NAME_FLAGS = ["NI_NUMERICHOST", "NI_NUMERICSERV", "NI_NAMEREQD"];

/** In the system's order. */
const KINDS: readonly (readonly [SocketType, SocketProtocol])[] = [
  ["SOCK_STREAM", "IPPROTO_TCP"],
  ["SOCK_DGRAM", "IPPROTO_UDP"],
  ["SOCK_RAW", "IPPROTO_IP"],
];

/** A look-up whose arguments are checked. */
export function check_getaddrinfo(
  host: unknown,
  port: unknown,
  options: GetAddrInfoOptions,
): (network: Network) => Promise<AddressInfo[]> {
  if (host !== null && typeof host !== "string") {
    throw new TypeError(`"host" must be a string or null, got ${shown(host)}`);
  }
  if (host === "") throw new RangeError('"host" must not be empty');
  check_options(options, ["family", "type", "proto", "flags"]);
  const { family, type, proto, flags = [] } = options;
  check_family(family);
  check_one_of("type", type, KINDS.map(([each]) => each));
  check_one_of("proto", proto, KINDS.map(([, each]) => each));
  check_flags("flags", flags, ADDRESS_FLAGS);
  const number = port_of(port);
  if (host === null && port === null) throw name_error("EAI_NONAME", "Name or service not known: there is neither");
  // A raw socket goes with any protocol, as in the system.
  const kinds = KINDS.filter(([each, its_proto]) =>
    (type === undefined || type === each) && (proto === undefined || proto === its_proto || each === "SOCK_RAW")
  );
  if (kinds.length === 0) throw new RangeError(`"type" ${shown(type)} has no "proto" ${shown(proto)}`);
  return async (network) => {
    const addresses = host === null
      ? flags.includes("AI_PASSIVE") ? ["0.0.0.0", "::"] : ["::1", "127.0.0.1"]
      : await look_up(network, host, flags.includes("AI_NUMERICHOST"));
    const wanted = addresses.filter((address) => family === undefined || family_of(address) === family);
    if (wanted.length === 0) {
      throw name_error("EAI_ADDRFAMILY", `Cannot look up ${shown(host)}: it has no address of family ${family}`);
    }
    return wanted.flatMap((address) =>
      kinds.map((
        [type, its_proto],
      ): AddressInfo => [family_of(address), type, proto ?? its_proto, "", [address, number]])
    );
  };
}

async function look_up(network: Network, host: string, numeric: boolean): Promise<readonly string[]> {
  if (numeric && !is_address(host)) {
    throw name_error(
      "EAI_NONAME",
      `Cannot look up ${shown(host)}: it is no address, and "AI_NUMERICHOST" asks for one`,
    );
  }
  try {
    return await network.look_up(host);
  } catch (error) {
    throw named_error(error, `Cannot look up ${shown(host)}`);
  }
}

function port_of(port: unknown): number {
  if (port === null) return 0;
  const number = typeof port === "string" && /^\d+$/.test(port) ? Number(port) : port;
  if (typeof number === "string") {
    throw name_error("EAI_SERVICE", `Cannot look up service ${shown(port)}: Deno knows ports by their numbers`);
  }
  check_port(number, 0);
  return number as number;
}

/** A search for names whose arguments are checked. */
export function check_getnameinfo(
  sockaddr: unknown,
  flags: unknown,
): (network: Network) => Promise<[host: string, service: string]> {
  if (!Array.isArray(sockaddr) || sockaddr.length !== 2 || typeof sockaddr[0] !== "string") {
    throw new TypeError(`"sockaddr" must be [host, port], got ${shown(sockaddr)}`);
  }
  const [address, port] = sockaddr as [string, number];
  check_port(port, 0);
  check_flags("flags", flags, NAME_FLAGS);
  const has = (flag: NameInfoFlag) => (flags as NameInfoFlag[]).includes(flag);
  if (!is_address(address)) {
    throw name_error("EAI_NONAME", `Cannot find the name of ${shown(address)}: it is no address`);
  }
  return async (network) => {
    if (has("NI_NUMERICHOST") && has("NI_NUMERICSERV")) return [address, String(port)];
    let found: readonly [string, string] | null;
    try {
      found = await network.name_of(address, port);
    } catch (error) {
      throw named_error(error, `Cannot find the name of ${shown(address)}`);
    }
    if (found === null && has("NI_NAMEREQD") && !has("NI_NUMERICHOST")) {
      throw name_error("EAI_NONAME", `Cannot find the name of ${shown(address)}: Name or service not known`);
    }
    return [
      found === null || has("NI_NUMERICHOST") ? address : found[0],
      found === null || has("NI_NUMERICSERV") ? String(port) : found[1],
    ];
  };
}

function check_one_of(name: string, value: unknown, known: readonly string[]): void {
  if (value === undefined || known.includes(value as string)) return;
  throw new TypeError(`"${name}" must be one of ${known.map(shown).join(", ")}, got ${shown(value)}`);
}

function check_flags(name: string, flags: unknown, known: readonly string[]): void {
  if (!Array.isArray(flags)) throw new TypeError(`"${name}" must be an array of strings, got ${shown(flags)}`);
  for (const flag of flags) {
    if (known.includes(flag)) continue;
    if (typeof flag !== "string") throw new TypeError(`"${name}" must be an array of strings, got ${shown(flag)}`);
    throw new NotSupported(`Cannot use flag ${shown(flag)}: Deno has ${known.map(shown).join(", ")}`);
  }
}
