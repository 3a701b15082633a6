import * as asyncio from "../../../mod.ts";
import { kind, outcome_of, type Print } from "../helpers.ts";

type Streams = [asyncio.StreamReader, asyncio.StreamWriter];
type Address = [host: string, port: number];

const address_of = (server: asyncio.Server) => server.sockets[0].getsockname() as Address;

/** Both ends of a connection, each a reader and a writer. */
async function pair(body: (client: Streams, server: Streams) => void | Promise<void>): Promise<void> {
  const accepted = new asyncio.Future<Streams>();
  const server = await asyncio.start_server((...streams) => accepted.set_result(streams), "127.0.0.1", 0);
  const client = await asyncio.open_connection(...address_of(server));
  try {
    await body(client, await accepted);
  } finally {
    for (const [, writer] of [client, await accepted]) writer.transport.abort();
    server.close();
    await server.wait_closed();
  }
}

export async function lines_go_there_and_back(print: Print) {
  await pair(async ([reader, writer], [server_reader, server_writer]) => {
    writer.write("hello\nworld\n");
    await writer.drain();
    print(await server_reader.readline(), await server_reader.readline());
    server_writer.writelines(["a", "b", "c\n"]);
    print(await reader.readuntil("c\n"));
  });
}

export async function close_is_the_peers_end_of_file(print: Print) {
  await pair(async ([, writer], [server_reader]) => {
    writer.write("last words");
    print(writer.is_closing());
    writer.close();
    print(writer.is_closing());
    await writer.wait_closed();
    print(await server_reader.read(), server_reader.at_eof());
    print(await server_reader.read(10), await server_reader.readline());
  });
}

export async function half_closed_it_still_reads(print: Print) {
  await pair(async ([reader, writer], [server_reader, server_writer]) => {
    print(writer.can_write_eof());
    writer.write("question");
    writer.write_eof();
    writer.write_eof();
    print(await server_reader.read());
    server_writer.write("answer");
    server_writer.close();
    print(await reader.read());
    print(kind(await outcome_of(Promise.try(() => writer.write("too late")))));
  });
}

export async function readexactly_over_a_connection_that_ends_raises_with_what_came(print: Print) {
  await pair(async ([reader], [, server_writer]) => {
    server_writer.write("abc");
    server_writer.close();
    const error = await outcome_of(reader.readexactly(5)) as asyncio.IncompleteReadError;
    print(error, error.partial);
  });
}

export async function a_separator_split_over_two_writes_is_found(print: Print) {
  await pair(async ([, writer], [server_reader]) => {
    writer.write("one\r");
    await writer.drain();
    const task = asyncio.create_task(() => server_reader.readuntil("\r\n"));
    await asyncio.sleep(0.02);
    print(task.done());
    writer.write("\ntwo");
    print(await task, await server_reader.readexactly(3));
  });
}

export async function a_read_with_a_deadline_loses_nothing(print: Print) {
  await pair(async ([, writer], [server_reader]) => {
    writer.write("par");
    print(kind(await outcome_of(asyncio.wait_for(() => server_reader.readline(), 0.02))));
    writer.write("tial\n");
    print(await server_reader.readline());
  });
}

export async function large_data_arrives_whole_through_back_pressure(print: Print) {
  await pair(async ([, writer], [server_reader]) => {
    const sender = asyncio.create_task(async () => {
      for (let i = 0; i < 32; i++) {
        writer.write(new Uint8Array(65536).fill(120));
        await writer.drain();
      }
      writer.close();
    });
    const data = await server_reader.read();
    await sender;
    print(data.length, data.filter((byte) => byte === 120).length);
  });
}

export async function drain_waits_while_the_peer_does_not_read(print: Print) {
  await pair(async ([, writer], [server_reader]) => {
    print(writer.transport.get_write_buffer_limits());
    writer.write(new Uint8Array(32 * 1024 * 1024));
    print(kind(await outcome_of(asyncio.wait_for(() => writer.drain(), 0.05))));
    const task = asyncio.create_task(() => writer.drain());
    await server_reader.readexactly(32 * 1024 * 1024);
    await task;
    print(writer.transport.get_write_buffer_size());
  });
}

export async function a_refused_connection_says_so(print: Print) {
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  taken.close();
  print(kind(await outcome_of(asyncio.open_connection("127.0.0.1", port))));
}

export async function after_close_writing_is_without_effect(print: Print) {
  await pair(async ([, writer], [server_reader]) => {
    writer.write("kept");
    writer.close();
    writer.close();
    writer.write("dropped");
    await writer.wait_closed();
    print(await server_reader.read());
  });
}

export async function both_ends_know_each_other(print: Print) {
  await pair(([, writer], [, server_writer]) => {
    const [peername, sockname] = [writer.get_extra_info("peername")!, writer.get_extra_info("sockname")];
    print(peername[0], String(server_writer.get_extra_info("sockname")) === String(peername));
    print(String(server_writer.get_extra_info("peername")) === String(sockname));
    print(writer.get_extra_info("no such thing"), writer.get_extra_info("no such thing", "fallback"));
  });
}

export async function a_server_that_is_closed_accepts_no_more_and_keeps_what_it_has(print: Print) {
  async function echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) {
    for await (const line of reader) {
      writer.write(line);
      await writer.drain();
    }
    writer.close();
  }
  const server = await asyncio.start_server(echo, "127.0.0.1", 0);
  const address = address_of(server);
  print(server.is_serving(), server.sockets.length);
  const [reader, writer] = await asyncio.open_connection(...address);
  writer.write("before\n");
  print(await reader.readline());
  server.close();
  print(server.is_serving(), server.sockets.length);
  await asyncio.sleep(0.02);
  print(kind(await outcome_of(asyncio.open_connection(...address))));
  writer.write("after\n");
  print(await reader.readline());
  const waiter = asyncio.create_task(() => server.wait_closed());
  await asyncio.sleep(0.02);
  print(waiter.done());
  writer.close();
  await writer.wait_closed();
  await waiter;
  print("closed");
}

export async function serve_forever_ends_with_a_cancellation(print: Print) {
  for (const close of [true, false]) {
    const server = await asyncio.start_server(() => {}, "127.0.0.1", 0, { start_serving: false });
    print(server.is_serving());
    const task = asyncio.create_task(() => server.serve_forever());
    await asyncio.sleep(0.01);
    const again = () => outcome_of(Promise.try(() => server.serve_forever()));
    print(server.is_serving(), close ? kind(await again()) : null);
    if (close) server.close();
    else task.cancel("by its task");
    print(kind(await outcome_of(task)), server.is_serving());
  }
}

export async function as_a_block_a_server_closes_at_the_end(print: Print) {
  const server = await asyncio.start_server(() => {}, "127.0.0.1", 0);
  await asyncio.async_with(server, (entered) => print(entered === server, server.is_serving()));
  print(server.is_serving(), server.sockets.length);
}

export async function close_clients_ends_what_a_server_accepted(print: Print) {
  const wait = async (reader: asyncio.StreamReader, writer: asyncio.StreamWriter) => {
    await reader.read();
    writer.close();
  };
  const server = await asyncio.start_server(wait, "127.0.0.1", 0);
  const [reader, writer] = await asyncio.open_connection(...address_of(server));
  await asyncio.sleep(0.02);
  server.close();
  server.close_clients();
  print(await reader.read());
  await server.wait_closed();
  writer.close();
  await writer.wait_closed();
  print("closed");
}

export async function a_handler_that_fails_is_reported(print: Print) {
  const reported = new asyncio.Future<unknown[]>();
  asyncio.get_running_loop().set_exception_handler((_loop, { exception }) => {
    if (!reported.done()) reported.set_result([exception]);
  });
  const fail = async (reader: asyncio.StreamReader) => {
    await reader.readline();
    throw new RangeError("handler");
  };
  const server = await asyncio.start_server(fail, "127.0.0.1", 0);
  const [reader, writer] = await asyncio.open_connection(...address_of(server));
  writer.write("\n");
  print(...await reported);
  print(await reader.read());
  writer.close();
  server.close();
  await server.wait_closed();
}
