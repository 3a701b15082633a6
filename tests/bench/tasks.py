"""What tasks cost: prints nanoseconds for each operation as JSON. The twin of tasks.ts."""
import asyncio
import json
import time

COUNT = 50_000
results = {}


async def measure(name, count, body):
    start = time.perf_counter()
    await body()
    results[name] = (time.perf_counter() - start) * 1e9 / count


async def work():
    return 1


async def create_and_await():
    for _ in range(COUNT):
        await asyncio.create_task(work())


async def gather():
    await asyncio.gather(*[work() for _ in range(COUNT)])


async def sleep():
    for _ in range(COUNT):
        await asyncio.sleep(0)


async def done_future():
    future = asyncio.get_running_loop().create_future()
    future.set_result(1)
    for _ in range(COUNT):
        await future


async def pending_future():
    loop = asyncio.get_running_loop()
    for _ in range(COUNT):
        future = loop.create_future()
        loop.call_soon(future.set_result, 1)
        await future


async def hand_over():
    loop = asyncio.get_running_loop()
    turn, back = loop.create_future(), loop.create_future()

    async def other():
        nonlocal turn
        for _ in range(COUNT):
            await turn
            turn = loop.create_future()
            back.set_result(None)

    task = asyncio.create_task(other())
    for _ in range(COUNT):
        waiter = back
        turn.set_result(None)
        await waiter
        back = loop.create_future()
    await task


async def timeout():
    for _ in range(COUNT):
        async with asyncio.timeout(60):
            pass


async def group():
    async with asyncio.TaskGroup() as group:
        for _ in range(COUNT):
            group.create_task(work())


async def main():
    await measure("create_task and await", COUNT, create_and_await)
    await measure("gather of 50,000", COUNT, gather)
    await measure("sleep(0)", COUNT, sleep)
    await measure("await a done future", COUNT, done_future)
    await measure("await a pending future", COUNT, pending_future)
    await measure("hand over between two tasks", COUNT, hand_over)
    await measure("timeout", COUNT, timeout)
    await measure("task group of 50,000", COUNT, group)


asyncio.run(main())
print(json.dumps(results))
