import asyncio
import contextlib
import socket

from helpers import attempt, kind, outcome_of


class _Recorder(asyncio.DatagramProtocol):
    """Keeps what it was called with, and lets one wait for it."""

    def __init__(self):
        self.events = []
        self.news = asyncio.Event()

    def _note(self, event):
        self.events.append(event)
        self.news.set()

    def connection_made(self, transport):
        self._note("made")

    def datagram_received(self, data, addr):
        self._note(data)

    def error_received(self, exc):
        self._note("error")

    def connection_lost(self, exc):
        self._note(["lost", exc])

    async def until(self, count):
        while len(self.events) < count:
            self.news.clear()
            await asyncio.wait_for(self.news.wait(), 10)
        return self.events


def _open(local_addr=None, remote_addr=None, **options):
    return asyncio.get_running_loop().create_datagram_endpoint(_Recorder, local_addr, remote_addr, **options)


def _address(transport):
    return transport.get_extra_info("sockname")


@contextlib.asynccontextmanager
async def _pair():
    """Two transports with their protocols; the second has the first for its remote address."""
    server = await _open(("127.0.0.1", 0))
    client = await _open(None, _address(server[0]))
    try:
        yield server, client
    finally:
        server[0].abort()
        client[0].abort()


async def a_protocol_is_told_of_its_transport_before_the_call_ends(print):
    async with _pair() as ((server, at_server), (client, at_client)):
        print(at_server.events, at_client.events)
        print(client.get_protocol() is at_client, client.is_closing())


async def datagrams_go_there_and_back_and_keep_their_bounds(print):
    async with _pair() as ((server, at_server), (client, at_client)):
        for data in [b"one", b"two", b"three"]:
            client.sendto(data)
        print(await at_server.until(4))
        server.sendto(b"back", _address(client))
        print(await at_client.until(2))


async def an_empty_datagram_arrives(print):
    async with _pair() as ((server, at_server), (client, at_client)):
        client.sendto(b"")
        client.sendto(b"next")
        print(await at_server.until(3))


async def both_ends_know_their_addresses(print):
    async with _pair() as ((server, _), (client, _)):
        print(_address(server)[0], server.get_extra_info("peername"))
        print(_address(client)[0], client.get_extra_info("peername") == _address(server))
        print(client.get_extra_info("socket").family == socket.AF_INET, client.get_extra_info("none", "fallback"))


async def with_a_remote_address_there_is_no_other(print):
    async with _pair() as ((server, at_server), (client, _)):
        print(kind(attempt(lambda: client.sendto(b"x", ("127.0.0.1", 1)))))
        client.sendto(b"by its address", _address(server))
        client.sendto(b"by none", None)
        print(await at_server.until(3), client.is_closing())


async def strangers_are_not_heard_by_who_has_a_remote_address(print):
    async with _pair() as ((server, _), (client, at_client)):
        stranger, _ = await _open(("127.0.0.1", 0))
        stranger.sendto(b"from a stranger", _address(client))
        await asyncio.sleep(0.01)
        server.sendto(b"from the peer", _address(client))
        print(await at_client.until(2))
        stranger.close()


async def close_calls_connection_lost_once(print):
    async with _pair() as ((_, at_server), (client, at_client)):
        client.sendto(b"last words")
        client.close()
        client.close()
        print(client.is_closing(), at_client.events)
        print(await at_client.until(2))
        client.abort()
        await asyncio.sleep(0.01)
        print(at_client.events, await at_server.until(2))


async def abort_calls_connection_lost_once(print):
    async with _pair() as ((_, _), (client, at_client)):
        client.abort()
        print(client.is_closing(), at_client.events)
        print(await at_client.until(2))
        client.close()
        await asyncio.sleep(0.01)
        print(at_client.events)


async def what_is_sent_after_close_is_dropped(print):
    async with _pair() as ((_, at_server), (client, at_client)):
        client.close()
        client.sendto(b"too late")
        await asyncio.sleep(0.01)
        print(at_client.events, at_server.events)


async def nothing_is_received_after_close(print):
    async with _pair() as ((server, at_server), (client, _)):
        client.sendto(b"before")
        await at_server.until(2)
        server.close()
        client.sendto(b"after")
        print(await at_server.until(3))
        await asyncio.sleep(0.01)
        print(at_server.events)


async def one_that_is_too_long_is_an_error_and_the_transport_stays_open(print):
    async with _pair() as ((_, at_server), (client, at_client)):
        client.sendto(bytes(70000))
        print(await at_client.until(2), client.is_closing())
        client.sendto(b"short")
        print(await at_server.until(2))


async def a_protocol_that_raises_is_reported_and_goes_on(print):
    reported = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: reported.append(context["exception"]))

    class Failing(_Recorder):
        def datagram_received(self, data, addr):
            super().datagram_received(data, addr)
            raise Exception("cannot take it")

    server, at_server = await loop.create_datagram_endpoint(Failing, ("127.0.0.1", 0))
    client, _ = await _open(None, _address(server))
    client.sendto(b"one")
    client.sendto(b"two")
    print(await at_server.until(3), reported, server.is_closing())
    server.close()
    client.close()


async def limits_of_the_write_buffer(print):
    async with _pair() as ((server, _), _):
        print(server.get_write_buffer_limits(), server.get_write_buffer_size())
        server.set_write_buffer_limits(high=100)
        print(server.get_write_buffer_limits())
        server.set_write_buffer_limits(low=100)
        print(server.get_write_buffer_limits())
        print(attempt(lambda: server.set_write_buffer_limits(high=1, low=2)))


async def an_endpoint_needs_an_address_or_a_family(print):
    print(await outcome_of(_open()))
    transport, _ = await _open(family=socket.AF_INET)
    print(transport.get_extra_info("peername"))
    transport.close()


async def what_is_no_address_is_refused(print):
    for addr in [5, "host", ("127.0.0.1",), ("127.0.0.1", 1, 2)]:
        print(kind(await outcome_of(_open(addr))))
    print(kind(await outcome_of(_open(("127.0.0.1", 0), ("::1", 9)))))
    server, _ = await _open(("127.0.0.1", 0))
    print(isinstance(await outcome_of(_open(_address(server))), OSError))
    server.close()


async def an_address_stands_for_itself_with_each_kind_of_socket(print):
    loop = asyncio.get_running_loop()
    for family, type, _, canonname, sockaddr in await loop.getaddrinfo("127.0.0.1", 80):
        print(family.name, type.name, [canonname], sockaddr)
    for options in [{"type": socket.SOCK_DGRAM}, {"family": socket.AF_INET, "type": socket.SOCK_STREAM}]:
        print([found[1].name for found in await loop.getaddrinfo("127.0.0.1", "80", **options)])
    print(isinstance(await outcome_of(loop.getaddrinfo("no.such.invalid", 80)), OSError))


async def no_host_is_this_machine_and_all_of_it_with_ai_passive(print):
    loop = asyncio.get_running_loop()
    for flags in [0, socket.AI_PASSIVE]:
        found = await loop.getaddrinfo(None, 80, type=socket.SOCK_STREAM, flags=flags)
        print([sockaddr[:2] for *_, sockaddr in found])


async def names_by_their_numbers(print):
    loop = asyncio.get_running_loop()
    print(await loop.getnameinfo(("127.0.0.1", 54321), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV))
    print((await loop.getnameinfo(("127.0.0.1", 54321)))[1])
    print(isinstance(await outcome_of(loop.getnameinfo(("localhost", 80))), OSError))
