"""Servers on asyncio, of CPython or of uvloop.

Usage: server.py asyncio|uvloop streams|protocols SERVICE TRANSPORT [PATH | CERTIFICATE KEY]
"""
import asyncio
import os
import resource
import ssl
import struct
import sys
import threading

SIZE = 64 * 1024
LOOP, STYLE, SERVICE, TRANSPORT, *FILES = sys.argv[1:]


async def echo(reader, writer):
    while data := await reader.read(SIZE):
        writer.write(data)
        await writer.drain()


async def lines(reader, writer):
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()


async def frames(reader, writer):
    while True:
        head = await reader.readexactly(4)
        body = await reader.readexactly(struct.unpack(">I", head)[0])
        writer.write(head)
        writer.write(body)
        await writer.drain()


async def sink(reader, writer):
    while await reader.read(SIZE):
        pass


async def source(reader, writer):
    data = bytes(SIZE)
    while True:
        for _ in range(64):
            writer.write(data)
            await writer.drain()
        # drain() may never give way, and then the end of a TLS connection goes unnoticed.
        await asyncio.sleep(0)


async def serve(reader, writer):
    try:
        await globals()[SERVICE](reader, writer)
    except (OSError, EOFError):
        pass
    finally:
        writer.close()


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


class Complete(Echo):
    """Sends back what is complete."""

    kept = b""

    def data_received(self, data):
        data = self.kept + data if self.kept else data
        end = self.complete(data)
        self.kept = data[end:]
        if end:
            self.transport.write(data[:end])


class Lines(Complete):
    def complete(self, data):
        return data.rfind(b"\n") + 1


class Frames(Complete):
    def complete(self, data):
        end = 0
        while end + 4 <= len(data):
            length = 4 + struct.unpack_from(">I", data, end)[0]
            if end + length > len(data):
                break
            end += length
        return end


class Sink(asyncio.Protocol):
    pass


class Source(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.paused = self.lost = False
        self.data = bytes(SIZE)
        asyncio.get_running_loop().call_soon(self.pump)

    def pump(self):
        while not self.paused and not self.lost and not self.transport.is_closing():
            self.transport.write(self.data)
            if not self.paused:
                # Others, and the end of the connection, get their turn.
                asyncio.get_running_loop().call_soon(self.pump)
                break

    def pause_writing(self):
        self.paused = True

    def resume_writing(self):
        self.paused = False
        self.pump()

    def connection_lost(self, exc):
        self.lost = True


PROTOCOLS = {"echo": Echo, "lines": Lines, "frames": Frames, "sink": Sink, "source": Source}


async def start():
    loop = asyncio.get_running_loop()
    options = {"backlog": 1024}
    if TRANSPORT == "tls":
        options["ssl"] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        options["ssl"].load_cert_chain(*FILES)
    if TRANSPORT == "unix":
        if STYLE == "streams":
            return await asyncio.start_unix_server(serve, FILES[0], **options)
        return await loop.create_unix_server(PROTOCOLS[SERVICE], FILES[0], **options)
    if STYLE == "streams":
        return await asyncio.start_server(serve, "127.0.0.1", 0, **options)
    return await loop.create_server(PROTOCOLS[SERVICE], "127.0.0.1", 0, **options)


async def main():
    # What the load leaves behind is no news.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    server = await start()
    print(FILES[0] if TRANSPORT == "unix" else server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
threading.Thread(target=lambda: (sys.stdin.read(1), os._exit(0)), daemon=True).start()
if LOOP == "uvloop":
    import uvloop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
asyncio.run(main())
