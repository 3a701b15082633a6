import asyncio

from helpers import attempt, cancelled_with, kind, outcome_of, turns


async def it_lets_so_many_through_at_a_time(print):
    semaphore = asyncio.Semaphore(2)

    async def work(name):
        async with semaphore:
            print(name, "in", semaphore.locked())
            await asyncio.sleep(0)
            print(name, "out")

    await asyncio.gather(*[work(name) for name in "abcd"])
    print(semaphore.locked())


async def acquire_gives_nobody_else_a_turn_while_permits_are_left(print):
    semaphore = asyncio.Semaphore()
    asyncio.get_running_loop().call_soon(print, "soon")
    print(await semaphore.acquire(), semaphore.locked())
    semaphore.release()
    semaphore.release()
    print(await semaphore.acquire(), await semaphore.acquire(), semaphore.locked())
    await asyncio.sleep(0)


async def a_value_below_zero_is_refused_and_zero_is_locked(print):
    print(attempt(lambda: asyncio.Semaphore(-1)))
    print(asyncio.Semaphore(0).locked())


async def a_bounded_one_takes_no_more_permits_than_it_gave(print):
    semaphore = asyncio.BoundedSemaphore(1)
    print(attempt(semaphore.release))
    await semaphore.acquire()
    print(semaphore.release(), attempt(semaphore.release))
    print(attempt(lambda: asyncio.BoundedSemaphore(-1)))


async def those_in_line_are_served_in_the_order_of_their_coming(print):
    semaphore = asyncio.Semaphore(0)

    async def work(name):
        await semaphore.acquire()
        print(name)

    tasks = [asyncio.create_task(work(name)) for name in "abc"]
    await asyncio.sleep(0)
    semaphore.release()
    semaphore.release()
    await turns(2)
    print(semaphore.locked())
    semaphore.release()
    await asyncio.wait(tasks)


async def who_comes_while_somebody_is_woken_waits_behind(print):
    semaphore = asyncio.Semaphore(0)

    async def work(name):
        await semaphore.acquire()
        print(name)

    task = asyncio.create_task(work("first in line"))
    await asyncio.sleep(0)
    semaphore.release()
    print(semaphore.locked())
    later = asyncio.create_task(work("later"))
    await turns(3)
    print(task.done(), later.done())
    semaphore.release()
    await later


async def one_who_is_cancelled_in_line_leaves_it(print):
    semaphore = asyncio.Semaphore(0)

    async def work(name):
        await cancelled_with(semaphore.acquire(), print, name)
        print(name, "has it")

    tasks = [asyncio.create_task(work(name)) for name in "ab"]
    await asyncio.sleep(0)
    tasks[0].cancel()
    semaphore.release()
    await asyncio.wait(tasks)
    print(semaphore.locked())


async def one_who_is_cancelled_when_its_turn_came_passes_the_permit_on(print):
    semaphore = asyncio.Semaphore(0)

    async def work(name):
        await cancelled_with(semaphore.acquire(), print, name)
        print(name, "has it")

    tasks = [asyncio.create_task(work(name)) for name in "ab"]
    await asyncio.sleep(0)
    semaphore.release()
    tasks[0].cancel()
    await asyncio.wait(tasks)
    print(semaphore.locked())


async def a_permit_given_to_one_who_is_cancelled_alone_is_not_lost(print):
    semaphore = asyncio.Semaphore(0)
    task = asyncio.create_task(semaphore.acquire())
    await asyncio.sleep(0)
    semaphore.release()
    task.cancel()
    print(kind(await outcome_of(task)), semaphore.locked(), await semaphore.acquire())


async def two_permits_for_two_who_are_cancelled_go_to_the_next_two(print):
    semaphore = asyncio.Semaphore(0)

    async def work(name):
        await cancelled_with(semaphore.acquire(), print, name)
        print(name, "has it")

    tasks = [asyncio.create_task(work(name)) for name in "abcd"]
    await asyncio.sleep(0)
    semaphore.release()
    semaphore.release()
    tasks[0].cancel()
    tasks[1].cancel()
    print(len((await asyncio.wait(tasks, timeout=0.05))[0]), semaphore.locked())


async def who_releases_and_asks_again_waits_behind(print):
    semaphore = asyncio.Semaphore(1)

    async def work(name):
        for _ in range(3):
            async with semaphore:
                print(name)
                await asyncio.sleep(0)

    await asyncio.gather(work("a"), work("b"))


async def a_deadline_in_line_costs_no_permit(print):
    semaphore = asyncio.Semaphore(1)
    await semaphore.acquire()
    print(await outcome_of(asyncio.wait_for(semaphore.acquire(), 0.01)))
    semaphore.release()
    print(semaphore.locked(), await asyncio.wait_for(semaphore.acquire(), 0.01))


async def permits_set_free_in_the_same_turn_go_by_the_order_of_the_line(print):
    semaphore = asyncio.Semaphore(1)

    async def work(name, count):
        async with semaphore:
            print(name, "in")
            await turns(count)
        print(name, "out")
        async with semaphore:
            print(name, "again")

    await asyncio.gather(work("a", 0), work("b", 2), work("c", 1), work("d", 0))


async def a_cancelled_one_at_the_front_does_not_hold_up_those_behind_it(print):
    semaphore = asyncio.Semaphore(1)

    async def work(name):
        async with semaphore:
            await cancelled_with(asyncio.sleep(0.02), print, name)
            print(name)

    tasks = [asyncio.create_task(work(name)) for name in "abcd"]
    await turns(2)
    tasks[1].cancel()
    tasks[0].cancel()
    print(len((await asyncio.wait(tasks))[0]), semaphore.locked())


async def release_then_cancel_then_acquire_in_one_turn_keeps_the_line(print):
    semaphore = asyncio.Semaphore(0)

    async def work(name):
        await cancelled_with(semaphore.acquire(), print, name)
        print(name, "has it")

    tasks = [asyncio.create_task(work(name)) for name in "abc"]
    await asyncio.sleep(0)
    semaphore.release()
    tasks[0].cancel()
    asyncio.get_running_loop().call_later(0.01, semaphore.release)
    asyncio.get_running_loop().call_later(0.02, semaphore.release)
    await work("main")
    print(len((await asyncio.wait(tasks, timeout=0.05))[0]), semaphore.locked())
