import asyncio

from helpers import attempt, kind, outcome_of, turns


async def _within(timeout, body):
    async with timeout:
        return await body()


def _sleeper(delay):
    return lambda: asyncio.sleep(delay, "slept")


async def a_body_that_is_late_is_cancelled_and_the_error_is_a_timeout(print):
    timeout = asyncio.timeout(0.01)
    error = await outcome_of(_within(timeout, _sleeper(10)))
    print(error, kind(error.__cause__), timeout.expired())
    print(asyncio.current_task().cancelling())


async def a_body_that_is_in_time_knows_of_nothing(print):
    timeout = asyncio.timeout(10)
    print(await _within(timeout, _sleeper(0.01)), timeout.expired())


async def timeout_at_takes_the_time_of_the_loop(print):
    deadline = asyncio.get_running_loop().time() + 0.01
    timeout = asyncio.timeout_at(deadline)
    print(timeout.when() == deadline)
    print(await outcome_of(_within(timeout, _sleeper(10))))
    print(timeout.when() == deadline, timeout.expired())


async def none_is_no_deadline(print):
    for timeout in [asyncio.timeout(None), asyncio.timeout_at(None)]:
        print(timeout.when(), await _within(timeout, _sleeper(0.01)), timeout.expired())


async def without_time_even_a_sleep_of_zero_is_cancelled(print):
    for delay in [0, -1]:
        timeout = asyncio.timeout(delay)
        print(kind(await outcome_of(_within(timeout, _sleeper(0)))), timeout.expired())


async def without_time_a_body_that_waits_for_nothing_still_ends_well(print):
    async def body():
        return "at once"

    timeout = asyncio.timeout(0)
    print(await _within(timeout, body), timeout.expired())


async def an_error_of_the_body_comes_out_as_it_is(print):
    async def fail(delay):
        await outcome_of(asyncio.sleep(delay))
        raise ValueError("own")

    early, late = asyncio.timeout(10), asyncio.timeout(0.01)
    print(await outcome_of(_within(early, lambda: fail(0))), early.expired())
    print(await outcome_of(_within(late, lambda: fail(10))), late.expired())
    print(asyncio.current_task().cancelling())


async def a_body_that_swallows_the_cancellation_ends_well_though_expired(print):
    async def body():
        await outcome_of(asyncio.sleep(10))
        await asyncio.sleep(0)
        return "went on"

    timeout = asyncio.timeout(0.01)
    print(await _within(timeout, body), timeout.expired(), asyncio.current_task().cancelling())


async def reschedule_moves_the_deadline_both_ways(print):
    async def body():
        timeout.reschedule(asyncio.get_running_loop().time() + 10)
        await asyncio.sleep(0.02)
        print("still in time")
        timeout.reschedule(None)
        print(timeout.when())
        timeout.reschedule(asyncio.get_running_loop().time() - 1)
        print(timeout.expired())
        await asyncio.sleep(10)

    timeout = asyncio.timeout(0.01)
    print(await outcome_of(_within(timeout, body)))


async def it_can_be_changed_only_while_its_body_runs(print):
    timeout = asyncio.timeout(0)
    print(attempt(lambda: timeout.reschedule(None)))

    async def body():
        await outcome_of(asyncio.sleep(10))
        print(attempt(lambda: timeout.reschedule(None)))

    await _within(timeout, body)
    print(attempt(lambda: timeout.reschedule(None)))
    in_time = asyncio.timeout(10)
    await _within(in_time, _sleeper(0))
    print(attempt(lambda: in_time.reschedule(None)))


async def it_can_be_entered_once(print):
    timeout = asyncio.timeout(10)

    async def body():
        return await outcome_of(_within(timeout, _sleeper(0)))

    print(await _within(timeout, body))
    print(await outcome_of(_within(timeout, _sleeper(0))))


async def of_two_nested_ones_the_one_that_expires_is_the_one_that_raises(print):
    async def body():
        print("inner", kind(await outcome_of(_within(inner, _sleeper(10)))))
        await asyncio.sleep(0)
        return "went on"

    for inner_delay, outer_delay in [(0.01, 10), (10, 0.01)]:
        inner, outer = asyncio.timeout(inner_delay), asyncio.timeout(outer_delay)
        print(await outcome_of(_within(outer, body)))
        print(inner.expired(), outer.expired(), asyncio.current_task().cancelling())


async def when_both_have_expired_the_outer_one_wins(print):
    now = asyncio.get_running_loop().time()
    inner, outer = asyncio.timeout_at(now), asyncio.timeout_at(now)

    async def body():
        error = await outcome_of(_within(inner, _sleeper(10)))
        print("inner", kind(error))
        raise error

    print(kind(await outcome_of(_within(outer, body))))
    print(inner.expired(), outer.expired(), asyncio.current_task().cancelling())


async def a_cancellation_from_outside_is_no_timeout(print):
    timeout = asyncio.timeout(10)
    task = asyncio.create_task(_within(timeout, _sleeper(10)))
    await asyncio.sleep(0)
    task.cancel("outside")
    print(await outcome_of(task))
    print(timeout.expired(), task.cancelled())


async def a_cancellation_from_outside_wins_over_one_that_comes_with_it(print):
    async def body():
        await asyncio.sleep(10)

    async def work():
        try:
            await _within(timeout, body)
        finally:
            print(timeout.expired(), asyncio.current_task().cancelling())

    timeout = asyncio.timeout(None)
    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    timeout.reschedule(asyncio.get_running_loop().time() - 1)
    asyncio.get_running_loop().call_soon(task.cancel)
    print(kind(await outcome_of(task)))


async def a_request_swallowed_before_does_not_count(print):
    async def work():
        await outcome_of(asyncio.sleep(10))
        print(asyncio.current_task().cancelling())
        print(kind(await outcome_of(_within(asyncio.timeout(0.01), _sleeper(10)))))
        print(asyncio.current_task().cancelling())

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await task


async def it_works_in_the_cleaning_up_of_a_cancelled_task(print):
    async def work():
        try:
            await asyncio.sleep(10)
        finally:
            print(kind(await outcome_of(_within(asyncio.timeout(0.01), _sleeper(10)))))

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    print(kind(await outcome_of(task)), task.cancelling())


async def a_cancelled_error_of_the_bodys_own_is_no_timeout(print):
    async def body():
        raise asyncio.CancelledError("own")

    timeout = asyncio.timeout(10)
    print(await outcome_of(_within(timeout, body)), timeout.expired())


async def a_task_goes_on_as_before_once_its_timeout_was_caught(print):
    async def work():
        for _ in range(2):
            print(kind(await outcome_of(_within(asyncio.timeout(0.01), _sleeper(10)))))
        await turns(2)
        return asyncio.current_task().cancelling()

    print(await asyncio.create_task(work()))


async def around_a_task_group_it_cancels_all_of_it(print):
    async def child(name):
        try:
            await asyncio.sleep(10)
        finally:
            print(name)

    async def body():
        async with asyncio.TaskGroup() as group:
            group.create_task(child("child"))

    print(await outcome_of(_within(asyncio.timeout(0.01), body)))
    print(asyncio.current_task().cancelling())
