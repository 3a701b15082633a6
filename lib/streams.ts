/**
 * Connections as a reader and a writer.
 *
 * @module
 */

import type { EventLoop } from "./deno_events.ts";
import { Attempt, connect, where_of } from "./_connecting.ts";
import { current_loop } from "./_context.ts";
import { type AddressFamily, named_error, type RawListener, shown_address } from "./_deno.ts";
import { check_callable } from "./exceptions.ts";
import { Call, type Future } from "./futures.ts";
import { from_here } from "./_observers.ts";
import { type ClientConnectedCallback, Server } from "./servers.ts";
import {
  check_open_connection,
  check_open_unix_connection,
  check_start_server,
  check_start_unix_server,
  type ConnectOptions,
  type ConnectPlan,
  type OpenConnectionOptions,
  type ServePlan,
  type StartServerOptions,
  type StartUnixServerOptions,
} from "./_stream_options.ts";
import { StreamReader } from "./stream_reader.ts";
import { StreamWriter } from "./stream_writer.ts";
import { check_texts } from "./_tls.ts";
import { Transport } from "./transports.ts";

function make_streams(transport: Transport, limit: number, loop: EventLoop): [StreamReader, StreamWriter] {
  const reader = new StreamReader({ limit, loop });
  reader._set_source(transport);
  return [reader, new StreamWriter(transport, reader, loop)];
}

function open(plan: ConnectPlan): Future<[StreamReader, StreamWriter]> {
  const loop = current_loop();
  return open_over(loop, plan, (transport) => make_streams(transport, plan.limit, loop));
}

/**
 * What `make` makes of the transport over what a plan connects to. Cancelled, it closes a connection that was made all the
 * same.
 */
export function open_over<T>(
  loop: EventLoop,
  plan: ConnectPlan,
  make: (transport: Transport) => T,
  is_server_side: boolean = false,
): Future<T> {
  loop._check_closed();
  const { target, securing, shutdown_timeout, signal, timeout, host } = plan;
  let made: Transport | null = null;
  return new Attempt<T>(
    loop,
    async (signal) => {
      const transport = made = new Transport(loop, await connect(loop, target, securing, signal), is_server_side);
      transport._host = host;
      transport._set_shutdown_timeout(shutdown_timeout);
      try {
        return make(transport);
      } catch (error) {
        transport.abort();
        throw error;
      }
    },
    () => made!.abort(),
    signal,
    timeout === null
      ? null
      : { seconds: timeout, text: `Cannot connect to ${where_of(target)}: it took longer than ${timeout} seconds` },
    `connect to ${where_of(target)}`,
  );
}

/**
 * Connects over TCP.
 *
 * Whoever gets the writer closes it. Small writes leave at once (TCP_NODELAY is set). If the call is cancelled or its
 * signal aborts, nothing stays open.
 *
 * @param host A name or an address; `null` is this machine.
 * @param port 1 to 65535.
 * @param options The reader's limit, and a signal.
 * @returns A future of a reader and a writer.
 * @throws {TypeError} If an argument has the wrong type, or an option is unknown.
 * @throws {RangeError} If `port` or `limit` is out of range.
 * @throws {ConnectionRefusedError} If nobody listens there; and Deno's other errors, each with the address in its text.
 * @throws {Deno.errors.NotCapable} Without `--allow-net` for the address.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await using server = await asyncio.start_server(async (reader, writer) => {
 *   writer.write(await reader.read(100));
 * }, "127.0.0.1", 0);
 * const [host, port] = server.sockets[0].getsockname() as [string, number];
 *
 * const [reader, writer] = await asyncio.open_connection(host, port);
 * writer.write("ping");
 * await writer.drain();
 * console.log(new TextDecoder().decode(await reader.read(100))); // ping
 * writer.close();
 * await writer.wait_closed();
 * ```
 */
export function open_connection(
  host?: string | null,
  port?: number | null,
  options: OpenConnectionOptions = {},
): Future<[StreamReader, StreamWriter]> {
  return open(check_open_connection(host, port, options));
}

/**
 * Connects to a unix socket.
 *
 * Whoever gets the writer closes it. If the call is cancelled or its signal aborts, nothing stays open.
 *
 * @param path The socket's file; `null` with the option `sock`.
 * @param options The reader's limit, TLS, a time limit and a signal.
 * @returns A future of a reader and a writer.
 * @throws {TypeError} If an argument has the wrong type, or an option is unknown.
 * @throws {RangeError} If one is out of range, or options do not go together.
 * @throws {Deno.errors.NotFound} If there is no such file; and Deno's other errors, each with the path in its text.
 * @throws {Deno.errors.NotCapable} Without `--allow-read` and `--allow-write` for the path.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const path = await Deno.makeTempDir() + "/echo.sock";
 * await using server = await asyncio.start_unix_server(async (reader, writer) => {
 *   writer.write(await reader.readline());
 * }, path);
 * const [reader, writer] = await asyncio.open_unix_connection(path);
 * await writer.send("hello\n");
 * console.log(new TextDecoder().decode(await reader.readline())); // hello
 * writer.close();
 * await writer.wait_closed();
 * console.log(server.is_serving()); // true
 * ```
 */
export function open_unix_connection(
  path?: string | null,
  options: ConnectOptions = {},
): Future<[StreamReader, StreamWriter]> {
  return open(check_open_unix_connection(path, options));
}

/**
 * Listens on a TCP port, and calls a function for each connection.
 *
 * Whoever gets the server closes it. While a handler runs, the connection is its own; see `ClientConnectedCallback` for
 * what happens when it ends.
 *
 * Differs from asyncio: when an async handler ends, its connection is closed.
 *
 * @param client_connected_cb Called with a reader and a writer.
 * @param host A name or an address, or a list of them; `null` and `""` are all of this machine's.
 * @param port 0 to 65535; 0 takes a free one, which `server.sockets` tells.
 * @param options The readers' limit, the backlog, and whether to accept at once.
 * @returns A future of the server.
 * @throws {TypeError} If an argument has the wrong type, or an option is unknown.
 * @throws {RangeError} If `port`, `limit` or `backlog` is out of range.
 * @throws {Deno.errors.AddrInUse} If the port is taken.
 * @throws {Deno.errors.NotCapable} Without `--allow-net` for the address.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const server = await asyncio.start_server(async (reader, writer) => {
 *   for await (const line of reader) writer.write(line);
 * }, "127.0.0.1", 0);
 * console.log(server.sockets[0].getsockname());
 * server.close();
 * await server.wait_closed();
 * ```
 */
export function start_server(
  client_connected_cb: ClientConnectedCallback | null,
  host: string | readonly string[] | null | undefined,
  port: number,
  options: StartServerOptions = {},
): Future<Server> {
  const plan = check_start_server(host, port, options);
  if (client_connected_cb !== null) check_callable("client_connected_cb", client_connected_cb);
  const loop = current_loop();
  const { limit } = plan;
  return serve(
    client_connected_cb,
    plan,
    loop,
    listen_tcp(loop, host, port, plan.backlog, options),
    (transport) => make_streams(transport, limit, loop),
  );
}

/** Listens for all hosts. */
export function listen_tcp(
  loop: EventLoop,
  host: string | readonly string[] | null | undefined,
  port: number,
  backlog: number,
  { family = null, reuse_port = false }: { readonly family?: AddressFamily | null; readonly reuse_port?: boolean },
): () => Promise<RawListener[]> {
  const hosts = Array.isArray(host) ? host as readonly string[] : [host as string | null | undefined];
  return async () => {
    const addresses = await addresses_of(loop, hosts, port, family);
    return opened(addresses, (address) => loop._network.listen_tcp(address, port, backlog, reuse_port));
  };
}

/** Where to listen for each host; `null` is everywhere. A host that may only be used by its name stays a name. */
async function addresses_of(
  loop: EventLoop,
  hosts: readonly (string | null | undefined)[],
  port: number,
  family: AddressFamily | null,
): Promise<Set<string | null>> {
  const addresses = new Set<string | null>();
  for (const host of hosts) {
    if (!host) {
      addresses.add(family === null ? null : family === "AF_INET" ? "0.0.0.0" : "::");
      continue;
    }
    try {
      for (const address of await loop._network.resolve(host, port, family) ?? [host]) addresses.add(address);
    } catch (error) {
      throw named_error(error, `Cannot listen on ${shown_address(host, port)}`);
    }
  }
  return addresses;
}

/** A listener for each address. If one of them cannot be had, none stays open. */
function opened(addresses: Iterable<string | null>, listen: (address: string | null) => RawListener): RawListener[] {
  const listeners: RawListener[] = [];
  try {
    for (const address of addresses) listeners.push(listen(address));
  } catch (error) {
    for (const listener of listeners) listener.close();
    throw error;
  }
  return listeners;
}

/**
 * Listens on a unix socket, and calls a function for each connection.
 *
 * A socket file that nobody listens on any more is replaced. The file is removed when the server is closed.
 *
 * Differs from asyncio: when an async handler ends, its connection is closed; a socket that somebody listens on is not
 * taken over.
 *
 * @param client_connected_cb Called with a reader and a writer; `null` to iterate over the server instead.
 * @param path The socket's file.
 * @param options The readers' limit, TLS, and whether to accept at once.
 * @returns A future of the server.
 * @throws {TypeError} If an argument has the wrong type, or an option is unknown.
 * @throws {RangeError} If one is out of range.
 * @throws {Deno.errors.AddrInUse} If somebody listens there.
 * @throws {Deno.errors.NotCapable} Without `--allow-read` and `--allow-write` for the path.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const path = await Deno.makeTempDir() + "/server.sock";
 * const server = await asyncio.start_unix_server(() => {}, path);
 * console.log(server.sockets[0].getsockname() === path); // true
 * server.close();
 * await server.wait_closed();
 * ```
 */
export function start_unix_server(
  client_connected_cb: ClientConnectedCallback | null,
  path: string,
  options: StartUnixServerOptions = {},
): Future<Server> {
  const plan = check_start_unix_server(path, options);
  if (client_connected_cb !== null) check_callable("client_connected_cb", client_connected_cb);
  const loop = current_loop();
  const { limit } = plan;
  const listen = async () => [await loop._network.listen_unix(path)];
  return serve(client_connected_cb, plan, loop, listen, (transport) => make_streams(transport, limit, loop));
}

/** A server whose connections get what `make` makes of them: streams for the callback or the iteration, or a protocol. */
export function serve(
  callback: ClientConnectedCallback | null,
  plan: ServePlan,
  loop: EventLoop,
  listen: () => Promise<RawListener[]>,
  make: (transport: Transport) => [StreamReader, StreamWriter] | null,
): Future<Server> {
  const start = async () => {
    loop._check_closed();
    if (plan.securing !== null) await check_texts(plan.securing.side.options);
    const work = new Attempt(loop, listen, (listeners) => listeners.forEach((listener) => listener.close()));
    const server = new Server(loop, await work, plan, callback, make);
    try {
      if (plan.start_serving) await server.start_serving();
    } catch (error) {
      server.close();
      throw error;
    }
    return server;
  };
  return from_here(() => new Call(start));
}
