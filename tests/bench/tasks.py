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


async def queue_hand_over():
    queue = asyncio.Queue(1)

    async def consume():
        for _ in range(COUNT):
            await queue.get()

    consumer = asyncio.create_task(consume())
    for i in range(COUNT):
        await queue.put(i)
    await consumer


async def queue_put_and_get():
    queue = asyncio.Queue()
    for i in range(COUNT):
        await queue.put(i)
        await queue.get()


async def lock():
    lock = asyncio.Lock()
    for _ in range(COUNT):
        await lock.acquire()
        lock.release()


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
    await measure("queue hand-over", COUNT, queue_hand_over)
    await measure("queue put and get without waiting", COUNT, queue_put_and_get)
    await measure("lock without contention", COUNT, lock)

    sleepers = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(100_000)]
    await asyncio.sleep(0)

    async def cancel():
        for task in sleepers:
            task.cancel()
        await asyncio.wait(sleepers)

    await measure("cancel of 100,000 sleeping tasks", 100_000, cancel)
    await measure("timeout", COUNT, timeout)
    await measure("task group of 50,000", COUNT, group)


asyncio.run(main())
print(json.dumps(results))
