import asyncio
import contextlib
import socket

from helpers import kind, outcome_of


@contextlib.asynccontextmanager
async def _pair():
    """Both ends of a connection, each a reader and a writer."""
    accepted = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(lambda *streams: accepted.set_result(streams), "127.0.0.1", 0)
    client = await asyncio.open_connection(*server.sockets[0].getsockname())
    try:
        yield client, await accepted
    finally:
        for _, writer in [client, await accepted]:
            writer.transport.abort()
        server.close()
        await server.wait_closed()


async def lines_go_there_and_back(print):
    async with _pair() as ((reader, writer), (server_reader, server_writer)):
        writer.write(b"hello\nworld\n")
        await writer.drain()
        print(await server_reader.readline(), await server_reader.readline())
        server_writer.writelines([b"a", b"b", b"c\n"])
        print(await reader.readuntil(b"c\n"))


async def close_is_the_peers_end_of_file(print):
    async with _pair() as ((reader, writer), (server_reader, server_writer)):
        writer.write(b"last words")
        print(writer.is_closing())
        writer.close()
        print(writer.is_closing())
        await writer.wait_closed()
        print(await server_reader.read(), server_reader.at_eof())
        print(await server_reader.read(10), await server_reader.readline())


async def half_closed_it_still_reads(print):
    async with _pair() as ((reader, writer), (server_reader, server_writer)):
        print(writer.can_write_eof())
        writer.write(b"question")
        writer.write_eof()
        writer.write_eof()
        print(await server_reader.read())
        server_writer.write(b"answer")
        server_writer.close()
        print(await reader.read())
        print(kind(await outcome_of(_write(writer))))


async def _write(writer):
    writer.write(b"too late")


async def readexactly_over_a_connection_that_ends_raises_with_what_came(print):
    async with _pair() as ((reader, writer), (server_reader, server_writer)):
        server_writer.write(b"abc")
        server_writer.close()
        error = await outcome_of(reader.readexactly(5))
        print(error, error.partial)


async def a_separator_split_over_two_writes_is_found(print):
    async with _pair() as ((reader, writer), (server_reader, server_writer)):
        writer.write(b"one\r")
        await writer.drain()
        task = asyncio.create_task(server_reader.readuntil(b"\r\n"))
        await asyncio.sleep(0.02)
        print(task.done())
        writer.write(b"\ntwo")
        print(await task, await server_reader.readexactly(3))


async def a_read_with_a_deadline_loses_nothing(print):
    async with _pair() as ((reader, writer), (server_reader, server_writer)):
        writer.write(b"par")
        print(kind(await outcome_of(asyncio.wait_for(server_reader.readline(), 0.02))))
        writer.write(b"tial\n")
        print(await server_reader.readline())


async def large_data_arrives_whole_through_back_pressure(print):
    async with _pair() as ((reader, writer), (server_reader, server_writer)):
        async def send():
            for _ in range(32):
                writer.write(b"x" * 65536)
                await writer.drain()
            writer.close()

        sender = asyncio.create_task(send())
        data = await server_reader.read()
        await sender
        print(len(data), data.count(b"x"))


async def drain_waits_while_the_peer_does_not_read(print):
    async with _pair() as ((reader, writer), (server_reader, server_writer)):
        print(list(writer.transport.get_write_buffer_limits()))
        writer.write(b"x" * (32 * 1024 * 1024))
        print(kind(await outcome_of(asyncio.wait_for(writer.drain(), 0.05))))
        task = asyncio.create_task(writer.drain())
        await server_reader.readexactly(32 * 1024 * 1024)
        await task
        print(writer.transport.get_write_buffer_size())


async def a_refused_connection_says_so(print):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    print(kind(await outcome_of(asyncio.open_connection("127.0.0.1", port))))


async def after_close_writing_is_without_effect(print):
    async with _pair() as ((reader, writer), (server_reader, server_writer)):
        writer.write(b"kept")
        writer.close()
        writer.close()
        writer.write(b"dropped")
        await writer.wait_closed()
        print(await server_reader.read())


async def both_ends_know_each_other(print):
    async with _pair() as ((reader, writer), (server_reader, server_writer)):
        peername, sockname = writer.get_extra_info("peername"), writer.get_extra_info("sockname")
        print(peername[0], server_writer.get_extra_info("sockname") == peername)
        print(server_writer.get_extra_info("peername") == sockname)
        print(writer.get_extra_info("no such thing"), writer.get_extra_info("no such thing", "fallback"))


async def a_server_that_is_closed_accepts_no_more_and_keeps_what_it_has(print):
    async def echo(reader, writer):
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    print(server.is_serving(), len(server.sockets))
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"before\n")
    print(await reader.readline())
    server.close()
    print(server.is_serving(), len(server.sockets))
    await asyncio.sleep(0.02)
    print(kind(await outcome_of(asyncio.open_connection(*address))))
    writer.write(b"after\n")
    print(await reader.readline())
    waiter = asyncio.create_task(server.wait_closed())
    await asyncio.sleep(0.02)
    print(waiter.done())
    writer.close()
    await writer.wait_closed()
    await waiter
    print("closed")


async def serve_forever_ends_with_a_cancellation(print):
    for close in [True, False]:
        server = await asyncio.start_server(lambda *streams: None, "127.0.0.1", 0, start_serving=False)
        print(server.is_serving())
        task = asyncio.create_task(server.serve_forever())
        await asyncio.sleep(0.01)
        print(server.is_serving(), kind(await outcome_of(server.serve_forever())) if close else None)
        if close:
            server.close()
        else:
            task.cancel("by its task")
        print(kind(await outcome_of(task)), server.is_serving())


async def as_a_block_a_server_closes_at_the_end(print):
    server = await asyncio.start_server(lambda *streams: None, "127.0.0.1", 0)
    async with server as entered:
        print(entered is server, server.is_serving())
    print(server.is_serving(), len(server.sockets))


async def close_clients_ends_what_a_server_accepted(print):
    async def wait(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(wait, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    await asyncio.sleep(0.02)
    server.close()
    server.close_clients()
    print(await reader.read())
    await server.wait_closed()
    writer.close()
    await writer.wait_closed()
    print("closed")


async def a_handler_that_fails_is_reported(print):
    async def fail(reader, writer):
        await reader.readline()
        raise ValueError("handler")

    reported = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: reported.done() or reported.set_result(context["exception"])
    )
    server = await asyncio.start_server(fail, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"\n")
    print(await reported)
    print(await reader.read())
    writer.close()
    server.close()
    await server.wait_closed()
