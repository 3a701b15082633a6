import asyncio

from helpers import attempt, cancelled_with, outcome_of, turns


async def _notify(condition, count=1):
    async with condition:
        condition.notify(count)


async def wait_gives_the_lock_away_and_has_it_again_afterwards(print):
    condition = asyncio.Condition()

    async def wait():
        async with condition:
            print("waits", condition.locked())
            print("woken", await condition.wait(), condition.locked())

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    print(condition.locked())
    await _notify(condition)
    await task
    print(condition.locked())


async def notify_wakes_so_many_in_the_order_of_their_coming(print):
    condition = asyncio.Condition()

    async def wait(name):
        async with condition:
            await condition.wait()
            print(name)

    tasks = [asyncio.create_task(wait(name)) for name in "abcd"]
    await asyncio.sleep(0)
    await _notify(condition)
    await turns(4)
    print("one")
    await _notify(condition, 2)
    await turns(6)
    print("two")
    async with condition:
        condition.notify_all()
    await asyncio.wait(tasks)


async def those_who_are_notified_wait_for_the_lock(print):
    condition = asyncio.Condition()

    async def wait(name):
        async with condition:
            await condition.wait()
            print(name)

    tasks = [asyncio.create_task(wait(name)) for name in "ab"]
    await asyncio.sleep(0)
    async with condition:
        condition.notify_all()
        await turns(3)
        print("still mine")
    await asyncio.wait(tasks)


async def wait_and_notify_need_the_lock(print):
    condition = asyncio.Condition()
    print(await outcome_of(condition.wait()))
    print(attempt(condition.notify))
    print(attempt(condition.notify_all))
    print(attempt(condition.release))
    print(await outcome_of(condition.wait_for(lambda: False)))
    print(await outcome_of(condition.wait_for(lambda: "true at once")))


async def wait_for_looks_again_whenever_it_is_notified(print):
    condition = asyncio.Condition()
    stock = 0

    def enough():
        print("looks", stock)
        return stock >= 2 and "enough"

    async def wait():
        async with condition:
            return await condition.wait_for(enough)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    for _ in range(2):
        stock += 1
        await _notify(condition)
        await turns(3)
    print(await task)


async def a_predicate_that_raises_ends_wait_for(print):
    condition = asyncio.Condition()

    def fail():
        raise ValueError("predicate")

    async with condition:
        print(await outcome_of(condition.wait_for(fail)), condition.locked())


async def one_who_is_cancelled_has_the_lock_again_before_it_hears_of_it(print):
    condition = asyncio.Condition()

    async def wait():
        async with condition:
            try:
                await condition.wait()
            finally:
                print("locked", condition.locked())

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    async with condition:
        task.cancel("while waiting")
        await turns(3)
        print(task.done())
    print(await outcome_of(task))


async def one_who_is_cancelled_while_it_waits_for_the_lock_again_gets_the_last_error(print):
    condition = asyncio.Condition()

    async def wait():
        async with condition:
            await condition.wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    async with condition:
        task.cancel("first")
        await turns(2)
        task.cancel("second")
        await turns(2)
    print(await outcome_of(task))
    print(task.cancelling(), condition.locked())


async def one_who_is_cancelled_after_it_was_notified_passes_the_notification_on(print):
    condition = asyncio.Condition()

    async def wait(name):
        async with condition:
            await cancelled_with(condition.wait(), print, name)
            print(name, "woken")

    tasks = [asyncio.create_task(wait(name)) for name in "ab"]
    await asyncio.sleep(0)
    await _notify(condition)
    tasks[0].cancel()
    print(len((await asyncio.wait(tasks, timeout=0.05))[0]))


async def one_who_is_cancelled_while_notified_and_waiting_for_the_lock(print):
    condition = asyncio.Condition()

    async def wait(name):
        async with condition:
            await cancelled_with(condition.wait(), print, name)
            print(name, "woken")

    tasks = [asyncio.create_task(wait(name)) for name in "ab"]
    await asyncio.sleep(0)
    async with condition:
        condition.notify()
        await turns(2)
        tasks[0].cancel()
        await turns(2)
    print(len((await asyncio.wait(tasks, timeout=0.05))[0]))


async def notify_passes_over_one_who_was_cancelled_before(print):
    condition = asyncio.Condition()

    async def wait(name):
        async with condition:
            await cancelled_with(condition.wait(), print, name)
            print(name, "woken")

    tasks = [asyncio.create_task(wait(name)) for name in "ab"]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await _notify(condition)
    print(len((await asyncio.wait(tasks, timeout=0.05))[0]))


async def several_conditions_can_share_a_lock(print):
    lock = asyncio.Lock()
    a, b = asyncio.Condition(lock), asyncio.Condition(lock)
    async with a:
        print(b.locked(), lock.locked())
        b.notify_all()
    print(a.locked(), await b.acquire(), a.locked())
    a.release()


async def a_wait_can_have_a_deadline(print):
    condition = asyncio.Condition()
    async with condition:
        print(await outcome_of(asyncio.wait_for(condition.wait(), 0.01)), condition.locked())
    print(condition.locked())
