import asyncio

from helpers import attempt, cancelled_with, outcome_of, ticks, turns


async def a_lock_goes_from_hand_to_hand_in_the_order_of_the_requests(print):
    lock = asyncio.Lock()

    async def work(name):
        async with lock:
            print(name, "in")
            await asyncio.sleep(0)
            print(name, "out")

    ticks(print, 8)
    await asyncio.gather(*[work(name) for name in "abc"])
    print(lock.locked())


async def acquire_of_a_free_lock_gives_nobody_else_a_turn(print):
    lock = asyncio.Lock()
    asyncio.get_running_loop().call_soon(print, "soon")
    print(lock.locked(), await lock.acquire(), lock.locked())
    lock.release()
    print(lock.locked())
    await asyncio.sleep(0)


async def a_lock_that_is_free_cannot_be_released(print):
    lock = asyncio.Lock()
    print(attempt(lock.release))
    await lock.acquire()
    lock.release()
    print(attempt(lock.release))


async def a_lock_is_released_however_its_block_ends(print):
    lock = asyncio.Lock()

    async def fail():
        async with lock:
            print(lock.locked())
            raise ValueError("body")

    print(await outcome_of(fail()), lock.locked())


async def one_who_is_cancelled_in_line_leaves_it(print):
    lock = asyncio.Lock()
    await lock.acquire()

    async def work(name):
        await cancelled_with(lock.acquire(), print, name)
        print(name, "has it")
        lock.release()

    tasks = [asyncio.create_task(work(name)) for name in "abc"]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.sleep(0)
    lock.release()
    await asyncio.wait(tasks)
    print(lock.locked())


async def one_who_is_cancelled_when_its_turn_came_passes_it_on(print):
    lock = asyncio.Lock()
    await lock.acquire()

    async def work(name):
        await cancelled_with(lock.acquire(), print, name)
        print(name, "has it")
        lock.release()

    tasks = [asyncio.create_task(work(name)) for name in "ab"]
    await asyncio.sleep(0)
    lock.release()
    tasks[0].cancel()
    await asyncio.wait(tasks)
    print(lock.locked())


async def a_lock_released_to_one_who_is_cancelled_is_free(print):
    lock = asyncio.Lock()
    await lock.acquire()
    task = asyncio.create_task(lock.acquire())
    await asyncio.sleep(0)
    lock.release()
    task.cancel()
    await outcome_of(task)
    print(task.cancelled(), lock.locked(), await lock.acquire())


async def who_comes_while_somebody_is_woken_waits_behind(print):
    lock = asyncio.Lock()
    await lock.acquire()

    async def work(name):
        async with lock:
            print(name)

    task = asyncio.create_task(work("first in line"))
    await asyncio.sleep(0)
    lock.release()
    print(lock.locked())
    await work("later")
    await task


async def who_releases_and_asks_again_waits_behind(print):
    lock = asyncio.Lock()

    async def work(name):
        for _ in range(2):
            async with lock:
                print(name)

    await asyncio.gather(work("a"), work("b"))


async def an_event_that_is_set_lets_everybody_through_at_once(print):
    event = asyncio.Event()
    print(event.is_set())
    event.set()
    asyncio.get_running_loop().call_soon(print, "soon")
    print(event.is_set(), await event.wait())
    await asyncio.sleep(0)


async def set_wakes_all_who_wait_in_their_order(print):
    event = asyncio.Event()

    async def wait(name):
        print(name, await event.wait())

    tasks = [asyncio.create_task(wait(name)) for name in "abc"]
    await asyncio.sleep(0)
    ticks(print, 3)
    event.set()
    await asyncio.wait(tasks)
    await asyncio.sleep(0)


async def an_event_cleared_at_once_still_wakes_those_who_waited(print):
    event = asyncio.Event()

    async def wait(name):
        print(name, await event.wait(), event.is_set())

    task = asyncio.create_task(wait("before"))
    await asyncio.sleep(0)
    event.set()
    event.clear()
    later = asyncio.create_task(wait("after"))
    await turns(3)
    print(task.done(), later.done())
    event.set()
    await later


async def one_who_is_cancelled_does_not_keep_the_others_from_being_woken(print):
    event = asyncio.Event()

    async def wait(name):
        await cancelled_with(event.wait(), print, name)
        print(name, "woken")

    tasks = [asyncio.create_task(wait(name)) for name in "ab"]
    await asyncio.sleep(0)
    tasks[0].cancel()
    event.set()
    await asyncio.wait(tasks)


async def one_who_is_cancelled_after_the_event_was_set_is_cancelled(print):
    event = asyncio.Event()
    task = asyncio.create_task(event.wait())
    await asyncio.sleep(0)
    event.set()
    task.cancel("late")
    print(await outcome_of(task))


async def cancellations_and_releases_in_every_order_leave_the_lock_usable(print):
    for order in ["rc", "cr", "r.c", "c.r"]:
        lock = asyncio.Lock()
        await lock.acquire()

        async def work(name):
            async with lock:
                print(name)

        tasks = [asyncio.create_task(work(name)) for name in "abc"]
        await asyncio.sleep(0)
        for step in order:
            if step == "r":
                lock.release()
            elif step == "c":
                tasks[0].cancel()
            else:
                await asyncio.sleep(0)
        await asyncio.wait(tasks)
        print(order, tasks[0].cancelled(), lock.locked())
