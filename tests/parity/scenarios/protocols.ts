import { createServer, type Socket } from "node:net";
import * as asyncio from "../../../mod.ts";
import { attempt, kind, outcome_of, type Print } from "../helpers.ts";

type Address = [host: string, port: number];
type Ended = asyncio.BaseProtocol & { transport: asyncio.Transport; readonly lost: asyncio.Future<unknown[]> };

const LARGE = 16 * 1024 * 1024;
const decoder = new TextDecoder();

/** Notes the calls of its methods, those with data as one until another comes, and how their data begins. */
class Recorder extends asyncio.Protocol {
  readonly calls: string[] = [];
  readonly lost = new asyncio.Future<unknown[]>();
  readonly #keeps_open: boolean;
  transport!: asyncio.Transport;
  received = "";
  size = 0;

  constructor(keeps_open = false) {
    super();
    this.#keeps_open = keeps_open;
  }
  override connection_made(transport: asyncio.Transport) {
    this.transport = transport;
    this.calls.push("made");
  }
  override data_received(data: Uint8Array) {
    if (this.size < 100) this.received += decoder.decode(data.subarray(0, 100 - this.size));
    this.size += data.length;
    if (this.calls.at(-1) !== "data") this.calls.push("data");
  }
  override eof_received() {
    this.calls.push("eof");
    return this.#keeps_open;
  }
  override connection_lost(error: unknown) {
    this.calls.push("lost");
    this.lost.set_result([kind(error)]);
  }
  override pause_writing() {
    this.calls.push("pause");
  }
  override resume_writing() {
    this.calls.push("resume");
  }
}

const recorder = () => new Recorder();
const bytes = (text: string) => new TextEncoder().encode(text);
const address_of = (server: asyncio.Server) => server.sockets[0].getsockname() as Address;
const is_same = (first: unknown, second: unknown) => String(first) === String(second);

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await asyncio.sleep(0.002);
}

/** Both ends of a connection, as protocols. */
async function pair<C extends Ended, S extends Ended>(
  make_client: () => C,
  make_server: () => S,
  body: (client: C, server: S) => Promise<void>,
): Promise<void> {
  const loop = asyncio.get_running_loop();
  const accepted = new asyncio.Future<[S]>();
  const make = () => {
    const protocol = make_server();
    if (!accepted.done()) accepted.set_result([protocol]);
    return protocol;
  };
  const server = await loop.create_server(make, "127.0.0.1", 0);
  const [, client] = await loop.create_connection(make_client, ...address_of(server));
  const [peer] = await accepted;
  await until(() => peer.transport !== undefined);
  try {
    await body(client, peer);
  } finally {
    for (const protocol of [client, peer]) if (!protocol.lost.done()) protocol.transport.abort();
    server.close();
    await server.wait_closed();
  }
}

/** What the exception handler is told: the message and the names of what comes with it. */
function reports(): unknown[][] {
  const told: unknown[][] = [];
  asyncio.get_running_loop().set_exception_handler((_loop, context) => {
    told.push([context.message, kind(context.exception), Object.keys(context).sort()]);
  });
  return told;
}

export async function each_side_is_told_of_its_connection_its_data_and_its_end(print: Print) {
  await pair(recorder, recorder, async (client, server) => {
    print(client.calls, server.calls);
    client.transport.write("question");
    await until(() => server.received === "question");
    server.transport.write("answer");
    await until(() => client.received === "answer");
    client.transport.close();
    print(await client.lost, await server.lost);
    print(client.calls);
    print(server.calls);
  });
}

export async function the_protocol_is_made_once_the_connection_is_there(print: Print) {
  const made: string[] = [];
  const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = free.addr;
  free.close();
  const make = () => {
    made.push("made");
    return new Recorder();
  };
  const loop = asyncio.get_running_loop();
  print(kind(await outcome_of(loop.create_connection(make, "127.0.0.1", port))), made);
}

export async function a_factory_that_fails_rejects_the_call(print: Print) {
  await pair(recorder, recorder, async (client) => {
    const fail = () => {
      throw new RangeError("no protocol");
    };
    const loop = asyncio.get_running_loop();
    const address = client.transport.get_extra_info("peername") as Address;
    print(await outcome_of(loop.create_connection(fail, ...address)));
  });
}

export async function eof_received_that_gives_false_closes_the_transport(print: Print) {
  await pair(recorder, recorder, async (client, server) => {
    client.transport.write_eof();
    print(await server.lost, server.calls, server.transport.is_closing());
    print(await client.lost, client.calls);
  });
}

export async function eof_received_that_gives_true_keeps_writing_possible(print: Print) {
  await pair(recorder, () => new Recorder(true), async (client, server) => {
    print(client.transport.can_write_eof());
    client.transport.write("question");
    client.transport.write_eof();
    client.transport.write_eof();
    await until(() => server.calls.includes("eof"));
    print(bytes(server.received), server.transport.is_closing());
    server.transport.write("answer");
    server.transport.close();
    print(await client.lost, bytes(client.received));
    print(client.calls, server.calls);
  });
}

export async function write_after_write_eof_raises(print: Print) {
  await pair(recorder, () => new Recorder(true), async (client) => {
    client.transport.write_eof();
    print(attempt(() => client.transport.write("x")));
    print(client.transport.is_closing());
    await asyncio.sleep(0);
  });
}

export async function write_takes_bytes_alone(print: Print) {
  await pair(recorder, recorder, async (client, server) => {
    print(kind(attempt(() => client.transport.write(1 as never))));
    print(kind(attempt(() => client.transport.writelines(1 as never))));
    client.transport.writelines(["a", "", "bc"]);
    await until(() => server.received === "abc");
    print(client.transport.is_closing(), client.calls);
  });
}

export async function close_sends_what_was_written(print: Print) {
  await pair(recorder, recorder, async (client, server) => {
    client.transport.write(new Uint8Array(LARGE));
    client.transport.close();
    print(client.transport.is_closing(), client.transport.is_reading());
    client.transport.close();
    await until(() => server.size === LARGE);
    print(await client.lost);
    print(client.calls.filter((each) => each !== "pause" && each !== "resume"));
  });
}

export async function abort_drops_what_was_written(print: Print) {
  await pair(recorder, recorder, async (client, server) => {
    server.transport.pause_reading();
    client.transport.write(new Uint8Array(LARGE));
    print(client.transport.get_write_buffer_size() > 0);
    client.transport.abort();
    print(client.transport.is_closing(), client.transport.get_write_buffer_size());
    client.transport.abort();
    client.transport.close();
    print(await client.lost);
    server.transport.resume_reading();
    await server.lost;
    print(server.size < LARGE);
  });
}

export async function write_after_close_and_abort_is_dropped(print: Print) {
  await pair(recorder, recorder, async (client, server) => {
    client.transport.write("last");
    client.transport.close();
    print(attempt(() => client.transport.write("late")));
    await server.lost;
    print(bytes(server.received));
    client.transport.abort();
    print(attempt(() => client.transport.write("later")), attempt(() => client.transport.write_eof()));
    await client.lost;
    print(client.calls, server.calls);
  });
}

export async function connection_lost_is_given_what_broke_the_connection(print: Print) {
  // Deno itself has no way to reset a connection.
  const accepted = new asyncio.Future<[Socket]>();
  const server = createServer((socket) => accepted.set_result([socket]));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const [transport, client] = await asyncio.get_running_loop().create_connection(recorder, "127.0.0.1", port);
  const [socket] = await accepted;
  socket.resetAndDestroy();
  print(await client.lost, client.calls, transport.is_closing());
  await new Promise((resolve) => server.close(resolve));
}

export async function the_limits_of_the_write_buffer_depend_on_each_other(print: Print) {
  await pair(recorder, recorder, async ({ transport }) => {
    print(transport.get_write_buffer_limits());
    transport.set_write_buffer_limits({ high: 400 });
    print(transport.get_write_buffer_limits());
    transport.set_write_buffer_limits({ low: 100 });
    print(transport.get_write_buffer_limits());
    transport.set_write_buffer_limits({ high: 0 });
    print(transport.get_write_buffer_limits());
    print(attempt(() => transport.set_write_buffer_limits({ high: 10, low: 20 })));
    print(attempt(() => transport.set_write_buffer_limits({ high: -1 })));
    transport.set_write_buffer_limits();
    print(transport.get_write_buffer_limits());
    await asyncio.sleep(0);
  });
}

export async function pause_writing_and_resume_writing_come_in_pairs(print: Print) {
  await pair(recorder, recorder, async (client, server) => {
    client.transport.set_write_buffer_limits({ high: 1000, low: 500 });
    for (let i = 1; i < 4; i++) {
      server.transport.pause_reading();
      client.transport.write(new Uint8Array(LARGE));
      client.transport.write(new Uint8Array(LARGE));
      print(client.calls);
      server.transport.resume_reading();
      await until(() => server.size === 2 * i * LARGE && client.calls.at(-1) === "resume");
    }
    print(client.calls);
  });
}

export async function a_lower_limit_pauses_at_once(print: Print) {
  await pair(recorder, recorder, async (client, server) => {
    server.transport.pause_reading();
    client.transport.set_write_buffer_limits({ high: 2 * LARGE });
    client.transport.write(new Uint8Array(LARGE));
    print(client.calls);
    client.transport.set_write_buffer_limits({ high: 1000 });
    print(client.calls);
    client.transport.abort();
    print(await client.lost, client.calls);
  });
}

export async function pause_reading_holds_back_data_and_its_end(print: Print) {
  await pair(recorder, recorder, async (client, server) => {
    print(server.transport.is_reading());
    server.transport.pause_reading();
    server.transport.pause_reading();
    print(server.transport.is_reading());
    client.transport.write("data");
    client.transport.close();
    await client.lost;
    await asyncio.sleep(0.02);
    print(server.calls);
    server.transport.resume_reading();
    server.transport.resume_reading();
    print(await server.lost, server.calls, bytes(server.received));
    print(server.transport.is_reading());
  });
}

export async function a_protocol_may_pause_its_reading_in_data_received(print: Print) {
  class Careful extends Recorder {
    override data_received(data: Uint8Array) {
      super.data_received(data);
      this.transport.pause_reading();
    }
  }
  await pair(recorder, () => new Careful(), async (client, server) => {
    client.transport.write("one ");
    await until(() => server.received === "one ");
    client.transport.write("two");
    await asyncio.sleep(0.02);
    print(bytes(server.received), server.transport.is_reading());
    server.transport.resume_reading();
    await until(() => server.received === "one two");
    print(server.transport.is_reading());
  });
}

class Buffered extends asyncio.BufferedProtocol {
  readonly buffer = new Uint8Array(4);
  readonly calls: (string | Uint8Array)[] = [];
  readonly lost = new asyncio.Future<unknown[]>();
  transport!: asyncio.Transport;

  override connection_made(transport: asyncio.Transport) {
    this.transport = transport;
  }
  override get_buffer(size_hint: number) {
    this.calls.push(`get ${size_hint}`);
    return this.buffer;
  }
  override buffer_updated(size: number) {
    this.calls.push(this.buffer.slice(0, size));
  }
  override eof_received() {
    this.calls.push("eof");
  }
  override connection_lost(error: unknown) {
    this.lost.set_result([kind(error)]);
  }
  has(text: string): boolean {
    return this.calls.some((each) => typeof each !== "string" && decoder.decode(each) === text);
  }
}

const buffered = () => new Buffered();

export async function a_buffered_protocol_is_told_what_is_in_its_buffer(print: Print) {
  await pair(recorder, buffered, async (client, server) => {
    client.transport.write("hello world");
    await until(() => server.has("rld"));
    client.transport.write_eof();
    print(await server.lost);
    print(server.calls.filter((each) => each !== "get -1"), server.calls.includes("get -1"));
  });
}

export async function a_buffered_protocol_without_room_fails_its_connection(print: Print) {
  class Full extends Buffered {
    override get_buffer() {
      return new Uint8Array(0);
    }
  }
  const told = reports();
  await pair(recorder, () => new Full(), async (client, server) => {
    client.transport.write("x");
    print(await server.lost);
    print(...told);
  });
}

export async function set_protocol_has_another_one_called(print: Print) {
  await pair(recorder, recorder, async (client, first) => {
    const second = new Recorder();
    client.transport.write("one");
    await until(() => first.received === "one");
    const { transport } = first;
    transport.set_protocol(second);
    print(transport.get_protocol() === second);
    second.calls.push("set");
    client.transport.write("two");
    await until(() => second.received === "two");
    client.transport.close();
    print(await second.lost, first.calls, second.calls);
  });
}

export async function a_buffered_protocol_may_follow_a_plain_one(print: Print) {
  await pair(recorder, recorder, async (client, server) => {
    const { transport } = server;
    const second = new Buffered();
    client.transport.write("one");
    await until(() => server.received === "one");
    transport.set_protocol(second);
    client.transport.write("two");
    await until(() => second.has("two"));
    const third = new Recorder();
    third.calls.push("set");
    transport.set_protocol(third);
    client.transport.write("three");
    await until(() => third.received === "three");
    print(second.has("two"), third.calls);
  });
}

export async function an_error_of_data_received_is_reported_and_ends_the_connection(print: Print) {
  class Failing extends Recorder {
    override data_received() {
      throw new RangeError("cannot parse");
    }
  }
  const told = reports();
  await pair(recorder, () => new Failing(), async (client, server) => {
    client.transport.write("x");
    print(await server.lost, await client.lost);
    print(...told);
    print(server.calls);
  });
}

export async function an_error_of_eof_received_is_reported_and_ends_the_connection(print: Print) {
  class Failing extends Recorder {
    override eof_received(): boolean {
      throw new RangeError("not yet");
    }
  }
  const told = reports();
  await pair(recorder, () => new Failing(), async (client, server) => {
    client.transport.write_eof();
    print(await server.lost);
    print(...told);
  });
}

export async function an_error_of_buffer_updated_is_reported_and_ends_the_connection(print: Print) {
  class Failing extends Buffered {
    override buffer_updated() {
      throw new RangeError("too much");
    }
  }
  const told = reports();
  await pair(recorder, () => new Failing(), async (client, server) => {
    client.transport.write("x");
    print(await server.lost);
    print(...told);
  });
}

export async function an_error_of_pause_writing_or_resume_writing_is_reported_and_ends_nothing(print: Print) {
  class Failing extends Recorder {
    override pause_writing() {
      super.pause_writing();
      throw new RangeError("pause");
    }
    override resume_writing() {
      super.resume_writing();
      throw new RangeError("resume");
    }
  }
  const told = reports();
  await pair(() => new Failing(), recorder, async (client, server) => {
    client.transport.write(new Uint8Array(LARGE));
    await until(() => client.calls.at(-1) === "resume" && server.size === LARGE);
    for (const report of told) print(...report);
    print(client.transport.is_closing());
  });
}

export async function an_error_of_connection_made_leaves_the_connection_as_it_is(print: Print) {
  class Failing extends Recorder {
    override connection_made(transport: asyncio.Transport) {
      super.connection_made(transport);
      throw new RangeError("made");
    }
  }
  const told = reports();
  await pair(recorder, () => new Failing(), async (client, server) => {
    client.transport.write("x");
    await until(() => server.received === "x");
    print(server.calls, server.transport.is_closing(), told.length);
  });
}

export async function an_error_of_connection_lost_is_reported_once(print: Print) {
  class Failing extends Recorder {
    override connection_lost(error: unknown) {
      super.connection_lost(error);
      throw new RangeError("lost");
    }
  }
  const told = reports();
  await pair(recorder, () => new Failing(), async (client, server) => {
    client.transport.close();
    print(await server.lost);
    await asyncio.sleep(0.01);
    print(server.calls, told.length);
  });
}

export async function an_accepted_connection_is_driven_as_a_servers_is(print: Print) {
  const loop = asyncio.get_running_loop();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepting = listener.accept();
  const [transport, client] = await loop.create_connection(recorder, "127.0.0.1", listener.addr.port);
  const [accepted, server] = await loop.connect_accepted_socket(recorder, await accepting);
  print(accepted.get_protocol() === server, server.calls);
  print(is_same(accepted.get_extra_info("peername"), transport.get_extra_info("sockname")));
  transport.write("x");
  transport.close();
  print(await server.lost, server.calls, bytes(server.received), await client.lost);
}

export async function a_transport_knows_both_addresses(print: Print) {
  await pair(recorder, recorder, async (client, server) => {
    const of = (protocol: Recorder, name: string) => protocol.transport.get_extra_info(name);
    print(is_same(of(client, "peername"), of(server, "sockname")));
    print(is_same(of(client, "sockname"), of(server, "peername")));
    print((of(client, "peername") as Address)[0]);
    print(of(client, "nothing"), client.transport.get_extra_info("nothing", 7));
    await asyncio.sleep(0);
  });
}
