"""What tasks cost with asyncio. Usage: tasks.py asyncio|uvloop CASE COUNT SECONDS. The twin of tasks.ts."""
import asyncio
import json
import statistics
import sys
import time


async def work():
    return 1


async def create_and_await(count, started):
    for _ in range(count):
        await asyncio.create_task(work())


async def gather(count, started):
    await asyncio.gather(*[work() for _ in range(count)])


async def task_group(count, started):
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(work())


async def cancel(count, started):
    sleepers = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(count)]
    await asyncio.sleep(0)
    started()
    for task in sleepers:
        task.cancel()
    await asyncio.wait(sleepers)


async def ten_at_a_time(count, started):
    semaphore = asyncio.Semaphore(10)

    async def limited():
        async with semaphore:
            await work()

    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(limited())


async def sleep_0(count, started):
    for _ in range(count):
        await asyncio.sleep(0)


async def timers(count, started):
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    missing = count

    def fire():
        nonlocal missing
        missing -= 1
        if missing == 0:
            done.set_result(None)

    for _ in range(count):
        loop.call_later(0.001, fire)
    await done


async def sleeps(count, started):
    await asyncio.wait([asyncio.create_task(asyncio.sleep(0.001)) for _ in range(count)])


async def timeout(count, started):
    for _ in range(count):
        async with asyncio.timeout(60):
            pass


async def wait_for(count, started):
    for _ in range(count):
        await asyncio.wait_for(work(), 60)


async def done_future(count, started):
    future = asyncio.get_running_loop().create_future()
    future.set_result(1)
    for _ in range(count):
        await future


async def pending_future(count, started):
    loop = asyncio.get_running_loop()
    for _ in range(count):
        future = loop.create_future()
        loop.call_soon(future.set_result, 1)
        await future


async def hand_over(count, started):
    loop = asyncio.get_running_loop()
    turn, back = loop.create_future(), loop.create_future()

    async def other():
        nonlocal turn
        for _ in range(count):
            await turn
            turn = loop.create_future()
            back.set_result(None)

    task = asyncio.create_task(other())
    for _ in range(count):
        waiter = back
        turn.set_result(None)
        await waiter
        back = loop.create_future()
    await task


async def queue_hand_over(count, started):
    queue = asyncio.Queue(1)

    async def consume():
        for _ in range(count):
            await queue.get()

    consumer = asyncio.create_task(consume())
    for i in range(count):
        await queue.put(i)
    await consumer


async def queue_put_and_get(count, started):
    queue = asyncio.Queue()
    for i in range(count):
        await queue.put(i)
        await queue.get()


async def lock(count, started):
    lock = asyncio.Lock()
    for _ in range(count):
        await lock.acquire()
        lock.release()


async def contended_lock(count, started):
    lock = asyncio.Lock()

    async def worker():
        for _ in range(count // 2):
            await lock.acquire()
            await asyncio.sleep(0)
            lock.release()

    await asyncio.wait([asyncio.create_task(worker()), asyncio.create_task(worker())])


async def tasks_at_once(count, started):
    await asyncio.wait([asyncio.create_task(asyncio.sleep(0)) for _ in range(count)])


async def once(body, count):
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()

    def started():
        nonlocal wall, cpu
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()

    await body(count, started)
    return (time.perf_counter_ns() - wall) / count, (time.process_time_ns() - cpu) / count


async def main(name, count, seconds):
    body = globals()[name]
    await once(body, count)
    runs = []
    start = time.perf_counter()
    while not runs or time.perf_counter() - start < seconds:
        runs.append(await once(body, count))
    wall, cpu = (statistics.median_high(column) for column in zip(*runs))
    print(json.dumps({"value": wall, "cpu": cpu}))


if sys.argv[1] == "uvloop":
    import uvloop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
asyncio.run(main(sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
