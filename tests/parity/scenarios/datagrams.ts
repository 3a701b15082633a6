import * as asyncio from "../../../mod.ts";
import { attempt, kind, outcome_of, type Print } from "../helpers.ts";

type Opened = [transport: asyncio.DatagramTransport, protocol: Recorder];

/** Keeps what it was called with, and lets one wait for it. */
class Recorder extends asyncio.DatagramProtocol {
  readonly events: unknown[] = [];
  readonly #news = new asyncio.Event();

  #note(event: unknown): void {
    this.events.push(event);
    this.#news.set();
  }

  override connection_made(): void {
    this.#note("made");
  }

  override datagram_received(data: Uint8Array, _addr: asyncio.DatagramAddress): void {
    this.#note(data);
  }

  override error_received(): void {
    this.#note("error");
  }

  override connection_lost(error: unknown): void {
    this.#note(["lost", error]);
  }

  async until(count: number): Promise<unknown[]> {
    while (this.events.length < count) {
      this.#news.clear();
      await asyncio.wait_for(() => this.#news.wait(), 10);
    }
    return this.events;
  }
}

function open(
  local_addr: asyncio.DatagramAddress | null = null,
  remote_addr: asyncio.DatagramAddress | null = null,
  options: asyncio.DatagramOptions = {},
): asyncio.Future<Opened> {
  return asyncio.get_running_loop().create_datagram_endpoint(() => new Recorder(), local_addr, remote_addr, options);
}

/** What it ends with, or throws at the call. */
const outcome_of_open = (...args: Parameters<typeof open>) => outcome_of(Promise.try(() => open(...args)));

const address = (transport: asyncio.DatagramTransport) => transport.get_extra_info("sockname");

/** Two transports with their protocols; the second has the first for its remote address. */
async function pair(body: (server: Opened, client: Opened) => void | Promise<void>): Promise<void> {
  const server = await open(["127.0.0.1", 0]);
  const client = await open(null, address(server[0]));
  try {
    await body(server, client);
  } finally {
    server[0].abort();
    client[0].abort();
  }
}

export async function a_protocol_is_told_of_its_transport_before_the_call_ends(print: Print) {
  await pair(([, at_server], [client, at_client]) => {
    print(at_server.events, at_client.events);
    print(client.get_protocol() === at_client, client.is_closing());
  });
}

export async function datagrams_go_there_and_back_and_keep_their_bounds(print: Print) {
  await pair(async ([server, at_server], [client, at_client]) => {
    for (const data of ["one", "two", "three"]) client.sendto(data);
    print(await at_server.until(4));
    server.sendto("back", address(client));
    print(await at_client.until(2));
  });
}

export async function an_empty_datagram_arrives(print: Print) {
  await pair(async ([, at_server], [client]) => {
    client.sendto("");
    client.sendto("next");
    print(await at_server.until(3));
  });
}

export async function both_ends_know_their_addresses(print: Print) {
  await pair(([server], [client]) => {
    print(address(server)[0], server.get_extra_info("peername"));
    print(address(client)[0], String(client.get_extra_info("peername")) === String(address(server)));
    print(client.get_extra_info("socket").family === "AF_INET", client.get_extra_info("none", "fallback"));
  });
}

export async function with_a_remote_address_there_is_no_other(print: Print) {
  await pair(async ([server, at_server], [client]) => {
    print(kind(attempt(() => client.sendto("x", ["127.0.0.1", 1]))));
    client.sendto("by its address", address(server));
    client.sendto("by none", null);
    print(await at_server.until(3), client.is_closing());
  });
}

export async function strangers_are_not_heard_by_who_has_a_remote_address(print: Print) {
  await pair(async ([server], [client, at_client]) => {
    const [stranger] = await open(["127.0.0.1", 0]);
    stranger.sendto("from a stranger", address(client));
    await asyncio.sleep(0.01);
    server.sendto("from the peer", address(client));
    print(await at_client.until(2));
    stranger.close();
  });
}

export async function close_calls_connection_lost_once(print: Print) {
  await pair(async ([, at_server], [client, at_client]) => {
    client.sendto("last words");
    client.close();
    client.close();
    print(client.is_closing(), at_client.events);
    print(await at_client.until(2));
    client.abort();
    await asyncio.sleep(0.01);
    print(at_client.events, await at_server.until(2));
  });
}

export async function abort_calls_connection_lost_once(print: Print) {
  await pair(async (_, [client, at_client]) => {
    client.abort();
    print(client.is_closing(), at_client.events);
    print(await at_client.until(2));
    client.close();
    await asyncio.sleep(0.01);
    print(at_client.events);
  });
}

export async function what_is_sent_after_close_is_dropped(print: Print) {
  await pair(async ([, at_server], [client, at_client]) => {
    client.close();
    client.sendto("too late");
    await asyncio.sleep(0.01);
    print(at_client.events, at_server.events);
  });
}

export async function nothing_is_received_after_close(print: Print) {
  await pair(async ([server, at_server], [client]) => {
    client.sendto("before");
    await at_server.until(2);
    server.close();
    client.sendto("after");
    print(await at_server.until(3));
    await asyncio.sleep(0.01);
    print(at_server.events);
  });
}

export async function one_that_is_too_long_is_an_error_and_the_transport_stays_open(print: Print) {
  await pair(async ([, at_server], [client, at_client]) => {
    client.sendto(new Uint8Array(70000));
    print(await at_client.until(2), client.is_closing());
    client.sendto("short");
    print(await at_server.until(2));
  });
}

export async function a_protocol_that_raises_is_reported_and_goes_on(print: Print) {
  const reported: unknown[] = [];
  const loop = asyncio.get_running_loop();
  loop.set_exception_handler((_loop, { exception }) => reported.push(exception));
  class Failing extends Recorder {
    override datagram_received(data: Uint8Array, addr: asyncio.DatagramAddress): void {
      super.datagram_received(data, addr);
      throw new Error("cannot take it");
    }
  }
  const [server, at_server] = await loop.create_datagram_endpoint(() => new Failing(), ["127.0.0.1", 0]);
  const [client] = await open(null, address(server));
  client.sendto("one");
  client.sendto("two");
  print(await at_server.until(3), reported, server.is_closing());
  server.close();
  client.close();
}

export async function limits_of_the_write_buffer(print: Print) {
  await pair(([server]) => {
    print(server.get_write_buffer_limits(), server.get_write_buffer_size());
    server.set_write_buffer_limits({ high: 100 });
    print(server.get_write_buffer_limits());
    server.set_write_buffer_limits({ low: 100 });
    print(server.get_write_buffer_limits());
    print(attempt(() => server.set_write_buffer_limits({ high: 1, low: 2 })));
  });
}

export async function an_endpoint_needs_an_address_or_a_family(print: Print) {
  print(await outcome_of_open());
  const [transport] = await open(null, null, { family: "AF_INET" });
  print(transport.get_extra_info("peername"));
  transport.close();
}

export async function what_is_no_address_is_refused(print: Print) {
  for (const addr of [5, "host", ["127.0.0.1"], ["127.0.0.1", 1, 2]]) {
    print(kind(await outcome_of_open(addr as unknown as asyncio.DatagramAddress)));
  }
  print(kind(await outcome_of_open(["127.0.0.1", 0], ["::1", 9])));
  const [server] = await open(["127.0.0.1", 0]);
  print((await outcome_of_open(address(server))) instanceof Deno.errors.AddrInUse);
  server.close();
}

export async function an_address_stands_for_itself_with_each_kind_of_socket(print: Print) {
  const loop = asyncio.get_running_loop();
  for (const [family, type, , canonname, sockaddr] of await loop.getaddrinfo("127.0.0.1", 80)) {
    print(family, type, [canonname], sockaddr);
  }
  for (const options of [{ type: "SOCK_DGRAM" }, { family: "AF_INET", type: "SOCK_STREAM" }] as const) {
    print((await loop.getaddrinfo("127.0.0.1", "80", options)).map(([, type]) => type));
  }
  print((await outcome_of(loop.getaddrinfo("no.such.invalid", 80))) instanceof Error);
}

export async function no_host_is_this_machine_and_all_of_it_with_ai_passive(print: Print) {
  const loop = asyncio.get_running_loop();
  for (const flags of [[], ["AI_PASSIVE"]] as const) {
    const found = await loop.getaddrinfo(null, 80, { type: "SOCK_STREAM", flags });
    print(found.map(([, , , , sockaddr]) => sockaddr));
  }
}

export async function names_by_their_numbers(print: Print) {
  const loop = asyncio.get_running_loop();
  print(await loop.getnameinfo(["127.0.0.1", 54321], ["NI_NUMERICHOST", "NI_NUMERICSERV"]));
  print((await loop.getnameinfo(["127.0.0.1", 54321]))[1]);
  print((await outcome_of(Promise.try(() => loop.getnameinfo(["localhost", 80])))) instanceof Error);
}
