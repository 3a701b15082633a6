"""An echo server on CPython's asyncio streams. Prints its port; ends when its standard input does."""
import asyncio
import os
import sys
import threading


async def echo(reader, writer):
    try:
        while data := await reader.read(64 * 1024):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


threading.Thread(target=lambda: (sys.stdin.read(1), os._exit(0)), daemon=True).start()
asyncio.run(main())
