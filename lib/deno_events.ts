/**
 * The event loop with its connections.
 *
 * @module
 */

import { BaseEventLoop, type EventLoopOptions } from "./base_events.ts";
import { start_driven, type SubprocessTransport } from "./base_subprocess.ts";
import { set_loop_factory } from "./_context.ts";
import { check_datagram, type DatagramOptions, type DatagramTransport, open_endpoint } from "./datagrams.ts";
import type { DatagramAddress, Network, RawConn } from "./_deno.ts";
import { SYSTEM_NETWORK } from "./_deno_net.ts";
import {
  check_callable,
  check_number,
  check_options,
  RuntimeError,
  SendfileNotAvailableError,
  shown,
} from "./exceptions.ts";
import { Attempt } from "./_connecting.ts";
import { Call, type Future } from "./futures.ts";
import {
  type AddressInfo,
  check_getaddrinfo,
  check_getnameinfo,
  type GetAddrInfoOptions,
  type NameInfoFlag,
} from "./_name_resolution.ts";
import { type BaseProtocol, check_protocol, type DatagramProtocol, type SubprocessProtocol } from "./protocols.ts";
import type { Server } from "./servers.ts";
import {
  check_accepted,
  check_open_connection,
  check_open_unix_connection,
  check_pipe,
  check_start_server,
  check_start_tls,
  check_start_unix_server,
  type ConnectAcceptedOptions,
  type ConnectOptions,
  type OpenConnectionOptions,
  type StartServerOptions,
  type StartTlsOptions,
  type StartUnixServerOptions,
} from "./_stream_options.ts";
import {
  check_shell,
  check_subprocess,
  split_arguments,
  type SubprocessProtocolOptions,
} from "./_subprocess_options.ts";
import { ReadableConn, WritableConn } from "./_web_conns.ts";
import { listen_tcp, open_over, serve } from "./streams.ts";
import type { TlsClientOptions, TlsServerOptions } from "./_tls.ts";
import { Transport } from "./transports.ts";

/**
 * Options of `EventLoop.create_connection()`.
 */
export type CreateConnectionOptions = Omit<OpenConnectionOptions, "limit">;

/**
 * Options of `EventLoop.create_unix_connection()`.
 */
export type CreateUnixConnectionOptions = Omit<ConnectOptions, "limit">;

/**
 * Options of `EventLoop.create_server()`.
 */
export type CreateServerOptions = Omit<StartServerOptions, "limit">;

/**
 * Options of `EventLoop.create_unix_server()`.
 */
export type CreateUnixServerOptions = Omit<StartUnixServerOptions, "limit">;

/**
 * Options of `EventLoop.start_tls()`.
 */
export interface LoopStartTlsOptions extends StartTlsOptions {
  /**
   * Whether this side answers the handshake.
   *
   * @default the side that was connected to does
   */
  readonly server_side?: boolean;
}

/**
 * Options of `EventLoop.sendfile()`.
 */
export interface SendfileOptions {
  /**
   * Sends through the library's buffer, the only way there is on Deno; `false` fails.
   *
   * @default true
   */
  readonly fallback?: boolean;
}

/**
 * What `EventLoop.sendfile()` needs of a file; a `Deno.FsFile` has it.
 */
export interface SeekableFile {
  /** Reads once; `null` at the end. */
  read(array: Uint8Array): Promise<number | null>;
  /** Moves to an offset in bytes from the beginning, for `whence` 0. */
  seek(offset: number, whence: 0): Promise<number>;
}

/** A transport and its protocol, as the calls that make connections give them. */
export type Connected<P extends BaseProtocol> = [transport: Transport, protocol: P];

/** Bytes of a file that are sent at a time. */
const FILE_CHUNK_SIZE = 64 * 1024;

/**
 * A loop that runs tasks and callbacks.
 *
 * The default loop (`get_event_loop()`) is always at work. One that `new_event_loop()` makes is at work only while
 * `run_forever()` or `run_until_complete()` is.
 *
 * Differs from asyncio: what blocks there returns a promise here. There are no methods for file descriptors.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const loop = asyncio.new_event_loop();
 * console.log(await loop.run_until_complete(() => asyncio.sleep(0.01, "done"))); // done
 * loop.close();
 * ```
 */
export class EventLoop extends BaseEventLoop {
  /**
   * What the loop's streams connect and listen with.
   *
   * @internal
   */
  readonly _network: Network = this._network_over(SYSTEM_NETWORK);

  /**
   * Connects over TCP, and has a protocol driven.
   *
   * @param protocol_factory Makes the protocol once the connection is there.
   * @param host A name or an address; `null` is this machine.
   * @param port 1 to 65535.
   * @param options As those of `open_connection()`.
   * @returns A future of the transport and the protocol, whose `connection_made()` was called.
   * @throws As `open_connection()`.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const loop = asyncio.get_event_loop();
   * await using server = await loop.create_server(() => new asyncio.Protocol(), "127.0.0.1", 0);
   * const [host, port] = server.sockets[0].getsockname() as [string, number];
   * const [transport, protocol] = await loop.create_connection(() => new asyncio.Protocol(), host, port);
   * console.log(transport.get_protocol() === protocol); // true
   * transport.close();
   * ```
   */
  create_connection<P extends BaseProtocol>(
    protocol_factory: () => P,
    host?: string | null,
    port?: number | null,
    options: CreateConnectionOptions = {},
  ): Future<Connected<P>> {
    check_callable("protocol_factory", protocol_factory);
    const plan = check_open_connection(host, port, options, []);
    return open_over(this, plan, (transport) => driven(transport, protocol_factory));
  }

  /**
   * Connects to a unix socket, and has a protocol driven.
   *
   * @param protocol_factory Makes the protocol once the connection is there.
   * @param path The socket's file.
   * @param options As those of `open_unix_connection()`.
   * @returns A future of the transport and the protocol.
   * @throws As `open_unix_connection()`.
   */
  create_unix_connection<P extends BaseProtocol>(
    protocol_factory: () => P,
    path?: string | null,
    options: CreateUnixConnectionOptions = {},
  ): Future<Connected<P>> {
    check_callable("protocol_factory", protocol_factory);
    const plan = check_open_unix_connection(path, options, []);
    return open_over(this, plan, (transport) => driven(transport, protocol_factory));
  }

  /**
   * Listens on a TCP port, and has a protocol driven for each connection.
   *
   * @param protocol_factory Makes the protocol of a connection. If it throws, that connection is aborted, and the error
   * goes to the exception handler.
   * @param host A name or an address, or a list of them; `null` and `""` are all of this machine's.
   * @param port 0 to 65535; 0 takes a free one, which `server.sockets` tells.
   * @param options As those of `start_server()`.
   * @returns A future of the server; whoever gets it closes it.
   * @throws As `start_server()`.
   */
  create_server(
    protocol_factory: () => BaseProtocol,
    host: string | readonly string[] | null | undefined,
    port: number,
    options: CreateServerOptions = {},
  ): Future<Server> {
    check_callable("protocol_factory", protocol_factory);
    const plan = check_start_server(host, port, options, []);
    return serve(IGNORED, plan, this, listen_tcp(this, host, port, plan.backlog, options), (transport) => {
      driven(transport, protocol_factory);
      return null;
    });
  }

  /**
   * Listens on a unix socket, and has a protocol driven for each connection.
   *
   * @param protocol_factory Makes the protocol of a connection; see `create_server()`.
   * @param path The socket's file.
   * @param options As those of `start_unix_server()`.
   * @returns A future of the server; whoever gets it closes it.
   * @throws As `start_unix_server()`.
   */
  create_unix_server(
    protocol_factory: () => BaseProtocol,
    path: string,
    options: CreateUnixServerOptions = {},
  ): Future<Server> {
    check_callable("protocol_factory", protocol_factory);
    const plan = check_start_unix_server(path, options, []);
    const listen = async () => [await this._network.listen_unix(path)];
    return serve(IGNORED, plan, this, listen, (transport) => {
      driven(transport, protocol_factory);
      return null;
    });
  }

  /**
   * Opens a socket for datagrams, and has a protocol called. With `local_addr` it receives there, from anybody; with
   * `remote_addr` it sends to that address, and receives from no other.
   *
   * A program needs `--allow-net` for the address that it binds to as well; see `open_datagram()`, which does without a
   * protocol.
   *
   * Differs from asyncio: a socket is never connected on Deno. What others send to one with a `remote_addr` is dropped by
   * the library; that nobody listens at the other end, nobody hears; and without a `local_addr`, for a peer on another
   * machine, `"sockname"` is `0.0.0.0` or `::`. There are no unix sockets, no ports that are shared, and no `sock`, `proto`
   * and `flags`.
   *
   * @param protocol_factory Makes the protocol once there is a socket.
   * @param local_addr The address of this machine to receive at; port 0 takes a free one.
   * @param remote_addr The only address to send to and to receive from.
   * @param options The family, and whether broadcasts may be sent.
   * @returns A future of the transport and the protocol, whose `connection_made()` was called. If it is cancelled, nothing
   * stays open.
   * @throws {TypeError} If an argument has the wrong type, or an option is unknown.
   * @throws {RangeError} If one is out of range, there is neither an address nor a family, or the addresses have no family
   * in common.
   * @throws {Deno.errors.AddrInUse} If the port is taken; and Deno's other errors, each with the address in its text.
   * @throws {Deno.errors.NotCapable} Without `--allow-net` for the addresses.
   * @throws {Deno.errors.NotSupported} For the path of a unix socket, and for `reuse_port`.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const received = new asyncio.Future<string>();
   * class Receiver extends asyncio.DatagramProtocol {
   *   override datagram_received(data: Uint8Array) {
   *     received.set_result(new TextDecoder().decode(data));
   *   }
   * }
   * const loop = asyncio.get_event_loop();
   * const [receiver] = await loop.create_datagram_endpoint(() => new Receiver(), ["127.0.0.1", 0]);
   * const address = receiver.get_extra_info("sockname");
   * const [sender] = await loop.create_datagram_endpoint(() => new asyncio.DatagramProtocol(), null, address);
   * sender.sendto("hello");
   * console.log(await received); // hello
   * sender.close();
   * receiver.close();
   * ```
   */
  create_datagram_endpoint<P extends DatagramProtocol>(
    protocol_factory: () => P,
    local_addr: DatagramAddress | null = null,
    remote_addr: DatagramAddress | null = null,
    options: DatagramOptions = {},
  ): Future<[transport: DatagramTransport, protocol: P]> {
    check_callable("protocol_factory", protocol_factory);
    const plan = check_datagram(local_addr, remote_addr, options);
    return open_endpoint(this, plan, protocol_factory, (transport, protocol) => [transport, protocol]);
  }

  /**
   * Finds the addresses that a host and a port stand for.
   *
   * Differs from asyncio: constants are strings. An address of IPv6 is `[host, port]` too. `canonname` is always empty, and
   * a port is not known by the name of its service.
   *
   * @param host A name or an address, which is looked up nowhere; `null` is this machine.
   * @param port 0 to 65535, as a number or its digits; `null` is 0.
   * @param options The family, type and protocol to find, and flags.
   * @returns A future of `[family, type, proto, canonname, [address, port]]`, in the order of the system's preference.
   * @throws {TypeError} If an argument has the wrong type, or an option is unknown.
   * @throws {RangeError} If `port` is out of range, or `type` and `proto` do not go together.
   * @throws {Error} With the code `EAI_NONAME` if nobody knows the name, `EAI_ADDRFAMILY` if it has no such address,
   * `EAI_SERVICE` for the name of a service.
   * @throws {Deno.errors.NotCapable} Without `--allow-net` for the name.
   * @throws {Deno.errors.NotSupported} For another flag.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const found = await asyncio.get_event_loop().getaddrinfo("127.0.0.1", 80, { type: "SOCK_STREAM" });
   * console.log(found); // [["AF_INET", "SOCK_STREAM", "IPPROTO_TCP", "", ["127.0.0.1", 80]]]
   * ```
   */
  getaddrinfo(
    host: string | null,
    port: number | string | null,
    options: GetAddrInfoOptions = {},
  ): Future<AddressInfo[]> {
    const look_up = check_getaddrinfo(host, port, options);
    this._check_closed();
    return new Attempt(this, () => look_up(this._network), NOTHING_TO_FREE);
  }

  /**
   * Finds the names of an address and of the service at its port.
   *
   * Differs from asyncio: flags are strings. Where the address has no name, the service is given as its number.
   *
   * @param sockaddr The address and the port.
   * @param flags `"NI_NUMERICHOST"` gives the address, `"NI_NUMERICSERV"` the number of the port, `"NI_NAMEREQD"` fails if
   * the address has no name.
   * @returns A future of the host's name, or its address if it has none, and of the service's, or its number.
   * @throws {TypeError} If an argument has the wrong type.
   * @throws {RangeError} If the port is out of range.
   * @throws {Error} With the code `EAI_NONAME` if it is no address, or has no name and needs one.
   * @throws {Deno.errors.NotCapable} Without `--allow-net` for the address and port.
   * @throws {Deno.errors.NotSupported} For another flag.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const loop = asyncio.get_event_loop();
   * console.log(await loop.getnameinfo(["127.0.0.1", 80], ["NI_NUMERICHOST", "NI_NUMERICSERV"])); // ["127.0.0.1", "80"]
   * ```
   */
  getnameinfo(
    sockaddr: DatagramAddress,
    flags: readonly NameInfoFlag[] = [],
  ): Future<[host: string, service: string]> {
    const find = check_getnameinfo(sockaddr, flags);
    this._check_closed();
    return new Attempt(this, () => find(this._network), NOTHING_TO_FREE);
  }

  /**
   * Has a protocol driven over a connection that was accepted elsewhere, as by `Deno.listen()`.
   *
   * @param protocol_factory Makes the protocol.
   * @param sock The connection; it belongs to the transport from then on, even if the call fails.
   * @param options TLS, as a server.
   * @returns A future of the transport and the protocol.
   * @throws {TypeError} If an argument has the wrong type.
   */
  connect_accepted_socket<P extends BaseProtocol>(
    protocol_factory: () => P,
    sock: RawConn,
    options: ConnectAcceptedOptions = {},
  ): Future<Connected<P>> {
    check_callable("protocol_factory", protocol_factory);
    return open_over(this, check_accepted(sock, options), (transport) => driven(transport, protocol_factory), true);
  }

  /**
   * Has a protocol driven by what comes out of a pipe.
   *
   * @param protocol_factory Makes the protocol.
   * @param pipe A web stream, or what has one as `readable`: `Deno.stdin`, a file, a child's output. It is locked, and
   * cancelled when the transport closes.
   * @returns A future of the transport and the protocol.
   * @throws {TypeError} If `pipe` is no such stream.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const received = new asyncio.Future<string>();
   * class Printer extends asyncio.Protocol {
   *   override data_received(data: Uint8Array) {
   *     received.set_result(new TextDecoder().decode(data));
   *   }
   * }
   * await asyncio.get_event_loop().connect_read_pipe(() => new Printer(), new Response("hello").body!);
   * console.log(await received); // hello
   * ```
   */
  connect_read_pipe<P extends BaseProtocol>(
    protocol_factory: () => P,
    pipe: ReadableStream<Uint8Array> | { readonly readable: ReadableStream<Uint8Array> },
  ): Future<Connected<P>> {
    check_callable("protocol_factory", protocol_factory);
    const stream = pipe instanceof ReadableStream ? pipe : (pipe as { readonly readable?: unknown } | null)?.readable;
    if (!(stream instanceof ReadableStream)) {
      throw new TypeError(`"pipe" must be a ReadableStream, or have one as "readable", got ${shown(pipe)}`);
    }
    const conn = new ReadableConn(stream, this);
    return open_over(this, check_pipe(conn), (transport) => driven(transport, protocol_factory));
  }

  /**
   * Has a protocol write to a pipe; of its methods, those about writing and the connection are called.
   *
   * @param protocol_factory Makes the protocol.
   * @param pipe A web stream, or what has one as `writable`: `Deno.stdout`, a file, a child's input. It is locked, and
   * closed when the transport closes.
   * @returns A future of the transport and the protocol.
   * @throws {TypeError} If `pipe` is no such stream.
   */
  connect_write_pipe<P extends BaseProtocol>(
    protocol_factory: () => P,
    pipe: WritableStream<Uint8Array> | { readonly writable: WritableStream<Uint8Array> },
  ): Future<Connected<P>> {
    check_callable("protocol_factory", protocol_factory);
    const stream = pipe instanceof WritableStream ? pipe : (pipe as { readonly writable?: unknown } | null)?.writable;
    if (!(stream instanceof WritableStream)) {
      throw new TypeError(`"pipe" must be a WritableStream, or have one as "writable", got ${shown(pipe)}`);
    }
    const conn = new WritableConn(stream);
    return open_over(this, check_pipe(conn), (transport) => {
      return driven(transport, protocol_factory, false);
    });
  }

  /**
   * Starts a program, and has a protocol told what it does.
   *
   * Its arguments are passed as they are: no shell looks at them. Whoever gets the transport sees to its end; see
   * `SubprocessTransport`. For a process with streams there is `create_subprocess_exec()`.
   *
   * @param protocol_factory Makes the protocol, before the program is started.
   * @param program The program, by its name, its path or a file URL.
   * @param args Its arguments; behind them the options.
   * @returns A future of the transport and the protocol, whose `connection_made()` was called. To cancel it ends a program
   * that was started all the same.
   * @throws As `create_subprocess_exec()`, and what `protocol_factory` throws.
   *
   * @example
   * ```ts
   * import * as asyncio from "@asyncio/deno";
   *
   * const exited = new asyncio.Future<void>();
   * class Watcher extends asyncio.SubprocessProtocol {
   *   override process_exited() {
   *     exited.set_result();
   *   }
   * }
   * const loop = asyncio.get_event_loop();
   * const [transport] = await loop.subprocess_exec(() => new Watcher(), "sh", "-c", "exit 3", { stdin: null });
   * await exited;
   * console.log(transport.get_returncode()); // 3
   * transport.close();
   * ```
   */
  subprocess_exec<P extends SubprocessProtocol>(
    protocol_factory: () => P,
    program: string | URL,
    ...args: readonly string[] | readonly [...string[], SubprocessProtocolOptions]
  ): Future<[transport: SubprocessTransport, protocol: P]> {
    check_callable("protocol_factory", protocol_factory);
    const [command, options] = split_arguments(program, args);
    return start_driven(this, check_subprocess(command, options, "protocol"), protocol_factory);
  }

  /**
   * Has a shell run a command, and a protocol told what it does; see `subprocess_exec()` and `create_subprocess_shell()`.
   *
   * @param protocol_factory Makes the protocol, before the shell is started.
   * @param cmd The text of the command.
   * @param options As of `subprocess_exec()`.
   * @returns A future of the transport and the protocol.
   * @throws As `create_subprocess_shell()`, and what `protocol_factory` throws.
   */
  subprocess_shell<P extends SubprocessProtocol>(
    protocol_factory: () => P,
    cmd: string,
    options: SubprocessProtocolOptions = {},
  ): Future<[transport: SubprocessTransport, protocol: P]> {
    check_callable("protocol_factory", protocol_factory);
    const command = check_shell(cmd);
    return start_driven(this, check_subprocess(command, options, "protocol"), protocol_factory);
  }

  /**
   * Goes on over TLS. What was written before is sent first; a read that is under way belongs to the handshake.
   *
   * Differs from asyncio: it is the same transport before and after. One that carries streams is refused: for these there
   * is `StreamWriter.start_tls()`.
   *
   * @param transport The transport.
   * @param protocol The protocol to drive from then on; its `connection_made()` is not called.
   * @param ssl `true` or a client's options; as a server, the certificate and its key.
   * @param options Which side this is, the name to check, and time limits.
   * @returns A future of the transport.
   * @throws {TypeError} If an argument has the wrong type.
   * @throws {Deno.errors.InvalidData} If the certificate is not accepted, or the peer does not speak TLS; then the
   * connection is closed.
   * @throws {ConnectionAbortedError} If the handshake takes too long.
   */
  start_tls(
    transport: Transport,
    protocol: BaseProtocol,
    ssl: true | TlsClientOptions | TlsServerOptions,
    options: LoopStartTlsOptions = {},
  ): Future<Transport> {
    if (!(transport instanceof Transport) || transport.get_protocol() === null) {
      throw new TypeError(`transport ${shown(transport)} is not supported by start_tls()`);
    }
    check_protocol("protocol", protocol);
    const { server_side = transport._is_server_side, ...rest } = options;
    const securing = check_start_tls(ssl, rest, server_side, transport._host);
    return new Call(async () => {
      do await transport.flush(); while (transport.get_write_buffer_size() > 0);
      const starting = transport._start_tls(securing, transport._hand_over() ?? null, options.ssl_shutdown_timeout);
      // What comes over TLS is for the new one, however soon it comes.
      transport.set_protocol(protocol);
      await starting;
      return transport;
    });
  }

  /**
   * Sends a file.
   *
   * Differs from asyncio: Deno cannot have the kernel do it, so the bytes go through the transport's buffer.
   *
   * @param transport Where to send it.
   * @param file The file; its position moves as bytes are read.
   * @param offset Where to begin, in bytes.
   * @param count How many bytes; `null` for all.
   * @param options Whether the buffer may be used.
   * @returns A future of the number of bytes that were sent.
   * @throws {RangeError} If `offset` is below 0, or `count` not above 0.
   * @throws {RuntimeError} If the transport is closing.
   * @throws {SendfileNotAvailableError} If `fallback` is false.
   */
  sendfile(
    transport: Transport,
    file: SeekableFile,
    offset: number = 0,
    count: number | null = null,
    options: SendfileOptions = {},
  ): Future<number> {
    if (!(transport instanceof Transport)) {
      throw new TypeError(`"transport" must be a Transport, got ${shown(transport)}`);
    }
    check_options(options, ["fallback"]);
    check_number("offset", offset);
    if (!Number.isInteger(offset) || offset < 0) {
      throw new RangeError(`offset must be a non-negative integer (got ${offset})`);
    }
    if (count !== null) {
      check_number("count", count);
      if (!Number.isInteger(count) || count <= 0) {
        throw new RangeError(`count must be a positive integer (got ${count})`);
      }
    }
    if (transport.is_closing()) throw new RuntimeError("Transport is closing");
    if (options.fallback === false) {
      throw new SendfileNotAvailableError(`sendfile syscall is not available for transport ${shown(transport)}`);
    }
    return new Call(async () => {
      await file.seek(offset, 0);
      const array = new Uint8Array(FILE_CHUNK_SIZE);
      let sent = 0;
      while (count === null || sent < count) {
        const size = await file.read(count === null ? array : array.subarray(0, count - sent));
        if (size === null) break;
        transport.write(array.subarray(0, size));
        await transport._drain();
        sent += size;
      }
      return sent;
    });
  }
}

/** What is looked up belongs to nobody, so there is nothing to let go of. */
const NOTHING_TO_FREE = (): void => {};

/** Stands where a server of protocols has no callback, so that it cannot be iterated over. */
const IGNORED = (): void => {};

function driven<P extends BaseProtocol>(
  transport: Transport,
  protocol_factory: () => P,
  reads: boolean = true,
): Connected<P> {
  const protocol = protocol_factory();
  check_protocol("protocol_factory()", protocol);
  transport._drive(protocol, reads);
  return [transport, protocol];
}

/**
 * Makes a loop that is at work only while it is run.
 *
 * @param options Its clock, its network, and the order of its tasks.
 * @returns The loop; whoever makes it closes it.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const loop = asyncio.new_event_loop();
 * await loop.run_until_complete(() => asyncio.sleep(0.01));
 * loop.close();
 * ```
 */
export function new_event_loop(options?: EventLoopOptions): EventLoop {
  return new EventLoop(options);
}

set_loop_factory(() => new EventLoop());
