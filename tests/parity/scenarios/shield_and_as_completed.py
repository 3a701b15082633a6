import asyncio

from helpers import cancelled_with, kind, outcome_of, turns


async def _after(delay, result):
    await asyncio.sleep(delay)
    if isinstance(result, Exception):
        raise result
    return result


async def shield_passes_results_and_errors_on(print):
    print(await asyncio.shield(_after(0, "result")))
    print(await outcome_of(asyncio.shield(_after(0, ValueError("error")))))


async def to_cancel_a_shield_leaves_the_work_going(print):
    task = asyncio.create_task(_after(0.02, "result"))
    outer = asyncio.shield(task)
    print(outer.cancel("outer"), task.cancelled())
    print(await outcome_of(outer))
    print(await task)


async def to_cancel_who_awaits_a_shield_leaves_the_work_going(print):
    async def wait():
        await asyncio.shield(task)

    task = asyncio.create_task(_after(0.02, "result"))
    waiter = asyncio.create_task(wait())
    await asyncio.sleep(0)
    waiter.cancel("waiter")
    print(await outcome_of(waiter))
    print(task.cancelling(), await task)


async def shielded_work_that_is_cancelled_cancels_the_shield(print):
    task = asyncio.create_task(_after(10, "result"))
    outer = asyncio.shield(task)
    await asyncio.sleep(0)
    task.cancel("inner")
    print(kind(await outcome_of(outer)), outer.cancelled())


async def what_is_done_needs_no_shield(print):
    future = asyncio.Future()
    future.set_result(1)
    print(asyncio.shield(future) is future)


async def one_shield_in_front_of_a_gather_protects_all_of_it(print):
    gathered = asyncio.gather(_after(0.01, "a"), _after(0.02, "b"))
    outer = asyncio.shield(gathered)
    await asyncio.sleep(0)
    outer.cancel()
    print(kind(await outcome_of(outer)), await gathered)


async def a_gather_of_shields_is_cancelled_without_them(print):
    tasks = [asyncio.create_task(_after(0.01, name)) for name in "ab"]
    gathered = asyncio.gather(*[asyncio.shield(task) for task in tasks])
    await asyncio.sleep(0)
    gathered.cancel()
    print(kind(await outcome_of(gathered)), [await task for task in tasks])


async def as_completed_gives_the_tasks_themselves_in_the_order_of_their_end(print):
    tasks = [asyncio.create_task(_after(delay, delay)) for delay in [0.06, 0.02, 0.04]]
    async for task in asyncio.as_completed(tasks):
        print(tasks.index(task), task.result())


async def a_plain_loop_over_as_completed_gives_futures_of_the_next_results(print):
    for coroutine in asyncio.as_completed([_after(0.04, "b"), _after(0.02, "a")]):
        print(await coroutine)


async def as_completed_gives_errors_in_their_turn(print):
    tasks = [asyncio.create_task(_after(0.02, ValueError("failed"))), asyncio.create_task(_after(0.04, "good"))]
    async for task in asyncio.as_completed(tasks):
        print(task.exception())
    for coroutine in asyncio.as_completed(tasks):
        print(await outcome_of(coroutine))


async def as_completed_gives_up_when_the_time_is_over_and_cancels_nothing(print):
    tasks = [asyncio.create_task(_after(delay, delay)) for delay in [0.02, 0.1]]
    try:
        async for task in asyncio.as_completed(tasks, timeout=0.05):
            print(task.result())
    except asyncio.TimeoutError as error:
        print(kind(error))
    print(tasks[1].done(), await tasks[1])


async def every_further_result_of_as_completed_is_then_a_timeout(print):
    for coroutine in asyncio.as_completed([_after(0.04, "a"), _after(0.04, "b")], timeout=0.01):
        print(kind(await outcome_of(coroutine)))


async def as_completed_without_awaitables_gives_nothing(print):
    async for task in asyncio.as_completed([]):
        print("never")
    print(len(list(asyncio.as_completed([], timeout=1))))


async def as_completed_gives_what_came_twice_once(print):
    task = asyncio.create_task(_after(0, "once"))
    async for each in asyncio.as_completed([task, task]):
        print(each is task)


async def a_loop_over_as_completed_that_is_left_leaves_the_rest_running(print):
    tasks = [asyncio.create_task(_after(delay, delay)) for delay in [0.01, 0.03]]
    iterator = asyncio.as_completed(tasks)
    async for task in iterator:
        print(task.result())
        break
    print(tasks[1].done())
    async for task in iterator:
        print(task.result())


async def futures_of_as_completed_can_be_awaited_at_the_same_time(print):
    coroutines = list(asyncio.as_completed([_after(0.04, "b"), _after(0.02, "a")]))
    print(await asyncio.gather(*coroutines))


async def what_as_completed_waits_for_may_be_cancelled(print):
    tasks = [asyncio.create_task(cancelled_with(asyncio.sleep(10), print, name)) for name in "ab"]
    await turns(1)
    tasks[1].cancel()
    async for task in asyncio.as_completed(tasks):
        print(tasks.index(task), task.cancelled())
        tasks[0].cancel()
