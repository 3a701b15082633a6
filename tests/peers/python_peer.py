"""
A client or a server of Python's asyncio, for python_test.ts, which has the other side of each conversation.

    python_peer.py serve <folder> (tcp | unix | tls)
    python_peer.py call <folder> (tcp | unix | tls) <port>

A client's lines:

    echo <n>    then n bytes: they come back
    count       then all up to the end of data: their number comes back
    tls         "ok" comes back, then both sides go on over TLS
    abort       the connection breaks, whatever is still on its way

The folder has the certificates, and the unix socket.
"""

import asyncio
import socket
import ssl
import struct
import sys

LIMIT = 15
SIZE = 16 * 1024 * 1024
DATA = bytes((i * 31 + (i >> 8) * 17) & 0xFF for i in range(65536)) * (SIZE // 65536)

_, ROLE, FOLDER, WAY, *MORE = sys.argv

server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server_context.load_cert_chain(f"{FOLDER}/server.pem", f"{FOLDER}/server.key")
client_context = ssl.create_default_context(cafile=f"{FOLDER}/ca.pem")


def say(*words):
    print(*words, flush=True)


def reset(writer):
    """The peer's kernel hears of it as a reset, not as an end."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def serve_one(reader, writer):
    try:
        while line := await reader.readline():
            match line.decode().split():
                case ["echo", count]:
                    left = int(count)
                    while left > 0:
                        data = await reader.read(min(left, 65536))
                        if not data:
                            raise asyncio.IncompleteReadError(b"", left)
                        writer.write(data)
                        await writer.drain()
                        left -= len(data)
                case ["count"]:
                    writer.write(b"%d\n" % len(await reader.read()))
                    await writer.drain()
                    break
                case ["tls"]:
                    writer.write(b"ok\n")
                    await writer.drain()
                    await writer.start_tls(server_context)
                case ["abort"]:
                    return reset(writer)
        say("end")
        writer.close()
        await writer.wait_closed()
    except (OSError, asyncio.IncompleteReadError) as error:
        say("broken", type(error).__name__)
        writer.transport.abort()


async def serve():
    if WAY == "unix":
        server = await asyncio.start_unix_server(serve_one, f"{FOLDER}/python.sock")
        say("port", 0)
    else:
        context = server_context if WAY == "tls" else None
        server = await asyncio.start_server(serve_one, "127.0.0.1", 0, ssl=context)
        say("port", server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def connect():
    if WAY == "unix":
        return await asyncio.open_unix_connection(f"{FOLDER}/deno.sock")
    if WAY == "tls":
        return await asyncio.open_connection("localhost", int(MORE[0]), ssl=client_context)
    return await asyncio.open_connection("127.0.0.1", int(MORE[0]))


async def echo(reader, writer, data):
    async def send():
        writer.write(b"echo %d\n" % len(data))
        writer.write(data)
        await writer.drain()

    received, _ = await asyncio.gather(reader.readexactly(len(data)), send())
    assert received == data, "other bytes came back"


async def call():
    reader, writer = await connect()
    await echo(reader, writer, DATA)
    for _ in range(100):
        await echo(reader, writer, b"hello")
    if WAY == "tls":
        # An end of data is the end of the connection in Python's TLS.
        assert not writer.can_write_eof()
    else:
        writer.write(b"count\n")
        writer.write(DATA)
        writer.write_eof()
        assert await reader.read() == b"%d\n" % SIZE
    writer.close()
    await writer.wait_closed()

    if WAY == "tcp":
        reader, writer = await connect()
        await echo(reader, writer, b"plain")
        writer.write(b"tls\n")
        assert await reader.readline() == b"ok\n"
        await writer.start_tls(client_context, server_hostname="localhost")
        await echo(reader, writer, DATA)
        assert writer.get_extra_info("ssl_object").version() == "TLSv1.3"
        writer.close()
        await writer.wait_closed()

    reader, writer = await connect()
    writer.write(b"abort\n")
    writer.write(DATA)
    try:
        await writer.drain()
        assert await reader.read() == b""
    except OSError as error:
        say("broken", type(error).__name__)
    writer.transport.abort()

    # And the other way round: the server hears of it.
    reader, writer = await connect()
    await echo(reader, writer, b"hello")
    reset(writer)
    say("done")


async def main():
    async with asyncio.timeout(LIMIT):
        await (serve() if ROLE == "serve" else call())


asyncio.run(main())
