import asyncio

from helpers import kind, outcome_of, turns


async def _after(count, result):
    await turns(count)
    if isinstance(result, Exception):
        raise result
    return result


def _tasks(*results):
    return [asyncio.create_task(_after(count, result)) for count, result in enumerate(results)]


def _sizes(sets):
    done, pending = sets
    return [len(done), len(pending)]


async def all_completed_raises_nothing_and_sorts_them_out(print):
    tasks = _tasks("a", ValueError("b"), "c")
    done, pending = await asyncio.wait(tasks)
    print(len(done), len(pending), [task in done for task in tasks])
    print(tasks[0].result(), tasks[1].exception(), tasks[2].result())


async def first_completed_returns_at_the_first(print):
    tasks = _tasks("a", "b", "c")
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    print(tasks[0] in done, len(done) + len(pending))
    await asyncio.wait(pending)


async def first_exception_passes_over_results_and_cancellations(print):
    tasks = _tasks("a", "b", ValueError("c"), "d", "e", "f")
    tasks[1].cancel()
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    print([task in done for task in tasks[:3]], tasks[5] in pending)
    await asyncio.wait(pending)


async def first_exception_without_one_waits_for_all(print):
    print(_sizes(await asyncio.wait(_tasks("a", "b"), return_when=asyncio.FIRST_EXCEPTION)))


async def its_timeout_cancels_nothing_and_raises_nothing(print):
    async def slow():
        await asyncio.sleep(0.06)
        return "slow"

    tasks = [*_tasks("a"), asyncio.create_task(slow())]
    print(_sizes(await asyncio.wait(tasks, timeout=0.02)))
    print(tasks[1].cancelled(), await tasks[1])
    print(_sizes(await asyncio.wait(tasks, timeout=0)))


async def to_cancel_the_wait_cancels_none_of_the_futures(print):
    async def wait():
        await asyncio.wait(tasks)

    tasks = [asyncio.create_task(_after(6, "a"))]
    waiter = asyncio.create_task(wait())
    await turns(2)
    waiter.cancel("only the wait")
    print(await outcome_of(waiter))
    print(tasks[0].done(), await tasks[0])


async def those_that_are_done_before_are_returned_without_waiting_for_the_loop(print):
    future = asyncio.Future()
    future.set_result(1)
    asyncio.get_running_loop().call_soon(print, "soon")
    print(_sizes(await asyncio.wait([future, future])))
    print("awaited")
    await asyncio.sleep(0)


async def what_ends_together_is_returned_together(print):
    futures = [asyncio.Future() for _ in range(3)]

    def end_two():
        futures[0].set_result(1)
        futures[2].set_exception(ValueError("no"))

    asyncio.get_running_loop().call_soon(end_two)
    done, pending = await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    print([future in done for future in futures], futures[2].exception())


async def it_refuses_nothing_coroutines_and_unknown_conditions(print):
    async def work():
        pass

    print(await outcome_of(asyncio.wait([])))
    coroutine = work()
    print(await outcome_of(asyncio.wait([coroutine])))
    coroutine.close()
    print(kind(await outcome_of(asyncio.wait([asyncio.Future()], return_when="SOME"))))
    print(kind(await outcome_of(asyncio.wait(asyncio.Future()))))
