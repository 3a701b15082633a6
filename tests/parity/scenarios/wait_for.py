import asyncio

from helpers import cancelled_with, kind, outcome_of, ticks, turns


async def _refuse(awaitable, print):
    """Awaits, and turns a cancellation into a result."""
    try:
        return await awaitable
    except asyncio.CancelledError:
        print("cancelled")
        return "all the same"


async def a_result_in_time_is_passed_on(print):
    print(await asyncio.wait_for(asyncio.sleep(0.01, "result"), 10))
    print(await asyncio.wait_for(asyncio.sleep(0, "result"), None))


async def too_late_it_cancels_the_work_and_raises(print):
    task = asyncio.create_task(cancelled_with(asyncio.sleep(10), print, "cancelled"))
    error = await outcome_of(asyncio.wait_for(task, 0.02))
    print(error, kind(error.__cause__))
    print(task.cancelled(), asyncio.current_task().cancelling())


async def it_waits_until_the_work_has_cleaned_up(print):
    async def work():
        try:
            await asyncio.sleep(10)
        finally:
            await asyncio.sleep(0.02)
            print("cleaned up")

    print(await outcome_of(asyncio.wait_for(work(), 0.01)))


async def work_that_refuses_to_be_cancelled_has_its_result_returned(print):
    print(await asyncio.wait_for(_refuse(asyncio.sleep(10), print), 0.01))
    print(await asyncio.wait_for(asyncio.create_task(_refuse(asyncio.sleep(10), print)), 0.01))
    print(asyncio.current_task().cancelling())


async def an_error_while_the_work_cleans_up_comes_out(print):
    async def work():
        try:
            await asyncio.sleep(10)
        finally:
            raise ValueError("cleaning up failed")

    print(await outcome_of(asyncio.wait_for(work(), 0.01)))
    print(await outcome_of(asyncio.wait_for(asyncio.create_task(work()), 0.01)))


async def errors_of_the_work_are_passed_on(print):
    async def fail(error):
        await asyncio.sleep(0)
        raise error

    print(await outcome_of(asyncio.wait_for(fail(ValueError("own")), 10)))
    print(await outcome_of(asyncio.wait_for(fail(asyncio.TimeoutError("own timeout")), 10)))
    print(await outcome_of(asyncio.wait_for(fail(asyncio.CancelledError("own cancellation")), 10)))


async def without_time_a_coroutine_does_not_start(print):
    async def work():
        print("never")

    for timeout in [0, -1]:
        print(await outcome_of(asyncio.wait_for(work(), timeout)))


async def without_time_what_is_done_has_its_outcome_passed_on(print):
    good, bad = asyncio.Future(), asyncio.Future()
    good.set_result("result")
    bad.set_exception(ValueError("error"))
    for timeout in [0, -1]:
        print(await asyncio.wait_for(good, timeout), await outcome_of(asyncio.wait_for(bad, timeout)))


async def without_time_a_running_task_is_cancelled_and_waited_for(print):
    async def work():
        try:
            await asyncio.sleep(10)
        finally:
            await turns(2)
            print("cleaned up")

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    ticks(print, 6)
    print(await outcome_of(asyncio.wait_for(task, 0)))
    print(task.cancelled())
    await turns(6)


async def cancelling_it_from_outside_is_no_timeout(print):
    task = asyncio.create_task(cancelled_with(asyncio.sleep(10), print, "work"))
    waiter = asyncio.create_task(asyncio.wait_for(task, 10))
    await turns(2)
    waiter.cancel("outside")
    print(await outcome_of(waiter))
    print(task.cancelled(), waiter.cancelled())


async def a_cancellation_in_the_turn_in_which_the_work_ended_wins(print):
    future = asyncio.Future()
    waiter = asyncio.create_task(asyncio.wait_for(future, 10))
    await asyncio.sleep(0)
    future.set_result("lost")
    waiter.cancel("same turn")
    print(await outcome_of(waiter))


async def a_cancellation_that_the_work_swallows_leaves_its_result(print):
    waiter = asyncio.create_task(asyncio.wait_for(_refuse(asyncio.sleep(10), print), 10))
    await asyncio.sleep(0)
    waiter.cancel()
    print(await outcome_of(waiter), waiter.cancelling())


async def shielded_work_outlives_the_timeout(print):
    task = asyncio.create_task(asyncio.sleep(0.06, "result"))
    print(await outcome_of(asyncio.wait_for(asyncio.shield(task), 0.01)))
    print(task.done(), await task)


async def the_inner_of_two_ends_first_if_its_time_is_shorter(print):
    async def inner(inner_timeout):
        print("inner", await outcome_of(asyncio.wait_for(asyncio.sleep(10), inner_timeout)))
        return "went on"

    print(await asyncio.wait_for(inner(0.01), 10))
    print(await outcome_of(asyncio.wait_for(inner(10), 0.01)))


async def a_future_that_is_cancelled_by_another_hand_cancels_the_waiter(print):
    future = asyncio.Future()
    asyncio.get_running_loop().call_soon(future.cancel, "another hand")
    print(await outcome_of(asyncio.wait_for(future, 10)))
