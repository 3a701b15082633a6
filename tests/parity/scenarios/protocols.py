import asyncio
import contextlib
import socket
import struct

from helpers import attempt, kind, outcome_of

LARGE = 16 * 1024 * 1024


class _Recorder(asyncio.Protocol):
    """Notes the calls of its methods, those with data as one until another comes, and how their data begins."""

    def __init__(self, keeps_open=False):
        self.calls = []
        self.received = b""
        self.size = 0
        self.keeps_open = keeps_open
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        self.calls.append("made")

    def data_received(self, data):
        self.received += data[: 100 - self.size] if self.size < 100 else b""
        self.size += len(data)
        if self.calls[-1] != "data":
            self.calls.append("data")

    def eof_received(self):
        self.calls.append("eof")
        return self.keeps_open

    def connection_lost(self, error):
        self.calls.append("lost")
        self.lost.set_result([kind(error)])

    def pause_writing(self):
        self.calls.append("pause")

    def resume_writing(self):
        self.calls.append("resume")


async def _until(condition):
    while not condition():
        await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def _pair(make_client=_Recorder, make_server=_Recorder):
    """Both ends of a connection, as protocols."""
    loop = asyncio.get_running_loop()
    accepted = loop.create_future()

    def make():
        protocol = make_server()
        if not accepted.done():
            accepted.set_result(protocol)
        return protocol

    server = await loop.create_server(make, "127.0.0.1", 0)
    transport, client = await loop.create_connection(make_client, *server.sockets[0].getsockname())
    peer = await accepted
    await _until(lambda: hasattr(peer, "transport"))
    try:
        yield client, peer
    finally:
        for protocol in (client, peer):
            if not protocol.lost.done():
                protocol.transport.abort()
        server.close()
        await server.wait_closed()


def _reports():
    """What the exception handler is told: the message and the names of what comes with it."""
    reports = []
    handler = lambda loop, context: reports.append([context["message"], kind(context["exception"]), sorted(context)])
    asyncio.get_running_loop().set_exception_handler(handler)
    return reports


async def each_side_is_told_of_its_connection_its_data_and_its_end(print):
    async with _pair() as (client, server):
        print(client.calls, server.calls)
        client.transport.write(b"question")
        await _until(lambda: server.received == b"question")
        server.transport.write(b"answer")
        await _until(lambda: client.received == b"answer")
        client.transport.close()
        print(await client.lost, await server.lost)
        print(client.calls)
        print(server.calls)


async def the_protocol_is_made_once_the_connection_is_there(print):
    made = []
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    loop = asyncio.get_running_loop()
    print(kind(await outcome_of(loop.create_connection(lambda: made.append("made"), "127.0.0.1", port))), made)


async def a_factory_that_fails_rejects_the_call(print):
    async with _pair() as (client, _):
        def fail():
            raise ValueError("no protocol")

        loop = asyncio.get_running_loop()
        print(await outcome_of(loop.create_connection(fail, *client.transport.get_extra_info("peername"))))


async def eof_received_that_gives_false_closes_the_transport(print):
    async with _pair() as (client, server):
        client.transport.write_eof()
        print(await server.lost, server.calls, server.transport.is_closing())
        print(await client.lost, client.calls)


async def eof_received_that_gives_true_keeps_writing_possible(print):
    async with _pair(make_server=lambda: _Recorder(True)) as (client, server):
        print(client.transport.can_write_eof())
        client.transport.write(b"question")
        client.transport.write_eof()
        client.transport.write_eof()
        await _until(lambda: "eof" in server.calls)
        print(server.received, server.transport.is_closing())
        server.transport.write(b"answer")
        server.transport.close()
        print(await client.lost, client.received)
        print(client.calls, server.calls)


async def write_after_write_eof_raises(print):
    async with _pair(make_server=lambda: _Recorder(True)) as (client, _):
        client.transport.write_eof()
        print(attempt(lambda: client.transport.write(b"x")))
        print(client.transport.is_closing())


async def write_takes_bytes_alone(print):
    async with _pair() as (client, server):
        print(kind(attempt(lambda: client.transport.write(1))))
        print(kind(attempt(lambda: client.transport.writelines(1))))
        client.transport.writelines([b"a", b"", b"bc"])
        await _until(lambda: server.received == b"abc")
        print(client.transport.is_closing(), client.calls)


async def close_sends_what_was_written(print):
    async with _pair() as (client, server):
        client.transport.write(b"x" * LARGE)
        client.transport.close()
        print(client.transport.is_closing(), client.transport.is_reading())
        client.transport.close()
        await _until(lambda: server.size == LARGE)
        print(await client.lost)
        print([each for each in client.calls if each not in ("pause", "resume")])


async def abort_drops_what_was_written(print):
    async with _pair() as (client, server):
        server.transport.pause_reading()
        client.transport.write(b"x" * LARGE)
        print(client.transport.get_write_buffer_size() > 0)
        client.transport.abort()
        print(client.transport.is_closing(), client.transport.get_write_buffer_size())
        client.transport.abort()
        client.transport.close()
        print(await client.lost)
        server.transport.resume_reading()
        await server.lost
        print(server.size < LARGE)


async def write_after_close_and_abort_is_dropped(print):
    async with _pair() as (client, server):
        client.transport.write(b"last")
        client.transport.close()
        print(attempt(lambda: client.transport.write(b"late")))
        await server.lost
        print(server.received)
        client.transport.abort()
        print(attempt(lambda: client.transport.write(b"later")), attempt(client.transport.write_eof))
        await client.lost
        print(client.calls, server.calls)


async def connection_lost_is_given_what_broke_the_connection(print):
    async with _pair() as (client, server):
        sock = server.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.transport.abort()
        print(await client.lost, client.calls, client.transport.is_closing())


async def the_limits_of_the_write_buffer_depend_on_each_other(print):
    async with _pair() as (client, _):
        transport = client.transport
        print(transport.get_write_buffer_limits())
        transport.set_write_buffer_limits(high=400)
        print(transport.get_write_buffer_limits())
        transport.set_write_buffer_limits(low=100)
        print(transport.get_write_buffer_limits())
        transport.set_write_buffer_limits(high=0)
        print(transport.get_write_buffer_limits())
        print(attempt(lambda: transport.set_write_buffer_limits(high=10, low=20)))
        print(attempt(lambda: transport.set_write_buffer_limits(high=-1)))
        transport.set_write_buffer_limits()
        print(transport.get_write_buffer_limits())


async def pause_writing_and_resume_writing_come_in_pairs(print):
    async with _pair() as (client, server):
        client.transport.set_write_buffer_limits(high=1000, low=500)
        for i in range(1, 4):
            server.transport.pause_reading()
            client.transport.write(b"x" * LARGE)
            client.transport.write(b"x" * LARGE)
            print(client.calls)
            server.transport.resume_reading()
            await _until(lambda: server.size == 2 * i * LARGE and client.calls[-1] == "resume")
        print(client.calls)


async def a_lower_limit_pauses_at_once(print):
    async with _pair() as (client, server):
        server.transport.pause_reading()
        client.transport.set_write_buffer_limits(high=2 * LARGE)
        client.transport.write(b"x" * LARGE)
        print(client.calls)
        client.transport.set_write_buffer_limits(high=1000)
        print(client.calls)
        client.transport.abort()
        print(await client.lost, client.calls)


async def pause_reading_holds_back_data_and_its_end(print):
    async with _pair() as (client, server):
        print(server.transport.is_reading())
        server.transport.pause_reading()
        server.transport.pause_reading()
        print(server.transport.is_reading())
        client.transport.write(b"data")
        client.transport.close()
        await client.lost
        await asyncio.sleep(0.02)
        print(server.calls)
        server.transport.resume_reading()
        server.transport.resume_reading()
        print(await server.lost, server.calls, server.received)
        print(server.transport.is_reading())


async def a_protocol_may_pause_its_reading_in_data_received(print):
    class Careful(_Recorder):
        def data_received(self, data):
            super().data_received(data)
            self.transport.pause_reading()

    async with _pair(make_server=Careful) as (client, server):
        client.transport.write(b"one ")
        await _until(lambda: server.received == b"one ")
        client.transport.write(b"two")
        await asyncio.sleep(0.02)
        print(server.received, server.transport.is_reading())
        server.transport.resume_reading()
        await _until(lambda: server.received == b"one two")
        print(server.transport.is_reading())


class _Buffered(asyncio.BufferedProtocol):
    def __init__(self):
        self.buffer = bytearray(4)
        self.calls = []
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport

    def get_buffer(self, size_hint):
        self.calls.append(f"get {size_hint}")
        return self.buffer

    def buffer_updated(self, size):
        self.calls.append(bytes(self.buffer[:size]))

    def eof_received(self):
        self.calls.append("eof")

    def connection_lost(self, error):
        self.lost.set_result([kind(error)])


async def a_buffered_protocol_is_told_what_is_in_its_buffer(print):
    async with _pair(make_server=_Buffered) as (client, server):
        client.transport.write(b"hello world")
        await _until(lambda: b"rld" in server.calls)
        client.transport.write_eof()
        print(await server.lost)
        print([each for each in server.calls if each != "get -1"], "get -1" in server.calls)


async def a_buffered_protocol_without_room_fails_its_connection(print):
    class Full(_Buffered):
        def get_buffer(self, size_hint):
            return bytearray(0)

    reports = _reports()
    async with _pair(make_server=Full) as (client, server):
        client.transport.write(b"x")
        print(await server.lost)
        print(*reports)


async def set_protocol_has_another_one_called(print):
    async with _pair() as (client, server):
        first, second = server, _Recorder()
        client.transport.write(b"one")
        await _until(lambda: first.received == b"one")
        transport = first.transport
        transport.set_protocol(second)
        print(transport.get_protocol() is second)
        second.calls.append("set")
        client.transport.write(b"two")
        await _until(lambda: second.received == b"two")
        client.transport.close()
        print(await second.lost, first.calls, second.calls)


async def a_buffered_protocol_may_follow_a_plain_one(print):
    async with _pair() as (client, server):
        transport, second = server.transport, _Buffered()
        client.transport.write(b"one")
        await _until(lambda: server.received == b"one")
        transport.set_protocol(second)
        client.transport.write(b"two")
        await _until(lambda: b"two" in second.calls)
        third = _Recorder()
        third.calls.append("set")
        transport.set_protocol(third)
        client.transport.write(b"three")
        await _until(lambda: third.received == b"three")
        print(b"two" in second.calls, third.calls)


async def an_error_of_data_received_is_reported_and_ends_the_connection(print):
    class Failing(_Recorder):
        def data_received(self, data):
            raise ValueError("cannot parse")

    reports = _reports()
    async with _pair(make_server=Failing) as (client, server):
        client.transport.write(b"x")
        print(await server.lost, await client.lost)
        print(*reports)
        print(server.calls)


async def an_error_of_eof_received_is_reported_and_ends_the_connection(print):
    class Failing(_Recorder):
        def eof_received(self):
            raise ValueError("not yet")

    reports = _reports()
    async with _pair(make_server=Failing) as (client, server):
        client.transport.write_eof()
        print(await server.lost)
        print(*reports)


async def an_error_of_buffer_updated_is_reported_and_ends_the_connection(print):
    class Failing(_Buffered):
        def buffer_updated(self, size):
            raise ValueError("too much")

    reports = _reports()
    async with _pair(make_server=Failing) as (client, server):
        client.transport.write(b"x")
        print(await server.lost)
        print(*reports)


async def an_error_of_pause_writing_or_resume_writing_is_reported_and_ends_nothing(print):
    class Failing(_Recorder):
        def pause_writing(self):
            super().pause_writing()
            raise ValueError("pause")

        def resume_writing(self):
            super().resume_writing()
            raise ValueError("resume")

    reports = _reports()
    async with _pair(make_client=Failing) as (client, server):
        client.transport.write(b"x" * LARGE)
        await _until(lambda: client.calls[-1] == "resume" and server.size == LARGE)
        for report in reports:
            print(*report)
        print(client.transport.is_closing())


async def an_error_of_connection_made_leaves_the_connection_as_it_is(print):
    class Failing(_Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            raise ValueError("made")

    reports = _reports()
    async with _pair(make_server=Failing) as (client, server):
        client.transport.write(b"x")
        await _until(lambda: server.received == b"x")
        print(server.calls, server.transport.is_closing(), len(reports))


async def an_error_of_connection_lost_is_reported_once(print):
    class Failing(_Recorder):
        def connection_lost(self, error):
            super().connection_lost(error)
            raise ValueError("lost")

    reports = _reports()
    async with _pair(make_server=Failing) as (client, server):
        client.transport.close()
        print(await server.lost)
        await asyncio.sleep(0.01)
        print(server.calls, len(reports))


async def an_accepted_connection_is_driven_as_a_servers_is(print):
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        transport, client = await loop.create_connection(_Recorder, *listener.getsockname())
        sock, _ = listener.accept()
        sock.setblocking(False)
        accepted, server = await loop.connect_accepted_socket(_Recorder, sock)
    print(accepted.get_protocol() is server, server.calls)
    peername = accepted.get_extra_info("peername")
    print(list(peername) == list(transport.get_extra_info("sockname")))
    transport.write(b"x")
    transport.close()
    print(await server.lost, server.calls, server.received, await client.lost)


async def a_transport_knows_both_addresses(print):
    async with _pair() as (client, server):
        print(client.transport.get_extra_info("peername") == server.transport.get_extra_info("sockname"))
        print(client.transport.get_extra_info("sockname") == server.transport.get_extra_info("peername"))
        print(client.transport.get_extra_info("peername")[0])
        print(client.transport.get_extra_info("nothing"), client.transport.get_extra_info("nothing", 7))
