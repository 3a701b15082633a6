import asyncio

from helpers import attempt, cancelled_with, kind, outcome_of, ticks, turns


async def _after(count, result):
    await turns(count)
    if isinstance(result, Exception):
        raise result
    return result


async def results_stand_in_the_order_of_the_arguments(print):
    async def work(name, count):
        await turns(count)
        print(name)
        return name

    print(await asyncio.gather(work("a", 3), work("b", 1), work("c", 2)))


async def the_first_exception_comes_out_and_the_others_go_on(print):
    async def work(name, count):
        await turns(count)
        print(name)

    other = asyncio.create_task(work("other", 3))
    print(await outcome_of(asyncio.gather(other, _after(1, ValueError("first")), _after(2, ValueError("second")))))
    print(other.done())
    await other


async def with_return_exceptions_they_stand_among_the_results(print):
    results = await asyncio.gather(
        _after(2, "a"), _after(1, ValueError("b")), _after(0, "c"), return_exceptions=True
    )
    print(results)


async def a_cancelled_child_counts_as_one_that_raised(print):
    child = asyncio.create_task(_after(5, "child"))
    other = asyncio.create_task(_after(2, "other"))
    gathered = asyncio.gather(child, other)
    await asyncio.sleep(0)
    child.cancel("child only")
    print(await outcome_of(gathered))
    print(gathered.cancelled(), other.done(), await other)


async def a_cancelled_child_among_the_results(print):
    child = asyncio.create_task(_after(5, "child"))
    gathered = asyncio.gather(child, _after(1, "other"), return_exceptions=True)
    await asyncio.sleep(0)
    child.cancel()
    print(await gathered)


async def cancelling_it_cancels_all_children_and_waits_for_them(print):
    async def work(name):
        try:
            await asyncio.sleep(10)
        finally:
            await asyncio.sleep(0)
            print(name)

    gathered = asyncio.gather(work("a"), work("b"))
    await asyncio.sleep(0)
    print(gathered.cancel("all"), gathered.done())
    print(await outcome_of(gathered))
    print(gathered.cancel())


async def cancelling_it_is_a_cancellation_even_with_return_exceptions(print):
    gathered = asyncio.gather(_after(0, "a"), _after(5, "b"), return_exceptions=True)
    await turns(3)
    gathered.cancel("all")
    print(await outcome_of(gathered))


async def children_that_swallow_it_do_not_save_it(print):
    async def stubborn(name):
        await outcome_of(asyncio.sleep(10))
        print(name)
        return name

    a, b = asyncio.create_task(stubborn("a")), asyncio.create_task(stubborn("b"))
    gathered = asyncio.gather(a, b)
    await asyncio.sleep(0)
    gathered.cancel()
    print(await outcome_of(gathered))
    print(a.result(), b.result())


async def cancelling_the_task_that_awaits_it_reaches_the_children(print):
    async def parent():
        await cancelled_with(
            asyncio.gather(*[cancelled_with(asyncio.sleep(10), print, name) for name in "ab"]), print, "parent"
        )

    task = asyncio.create_task(parent())
    await turns(2)
    task.cancel("from above")
    print(await outcome_of(task))
    print(task.cancelled())


async def without_arguments_it_is_done_at_once(print):
    gathered = asyncio.gather()
    print(await gathered)
    print(gathered.cancel())


async def an_argument_given_twice_runs_once_and_stands_twice(print):
    async def work():
        print("once")
        return "result"

    coroutine = work()
    task = asyncio.create_task(_after(0, "task"))
    print(await asyncio.gather(coroutine, task, coroutine, task))


async def with_all_done_already_its_result_comes_without_a_turn_in_between(print):
    future = asyncio.Future()
    future.set_result(1)
    ticks(print, 2)
    gathered = asyncio.gather(future, future)
    print(gathered.done())
    print(await gathered)
    await turns(2)


async def errors_that_come_after_the_first_are_not_reported(print):
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: print("reported", context["message"]))
    failing = asyncio.create_task(_after(2, ValueError("late")))
    print(await outcome_of(asyncio.gather(_after(0, ValueError("early")), failing)))
    await turns(4)
    print(failing.done())


async def gathers_can_be_nested(print):
    inner = asyncio.gather(_after(1, ValueError("inner")), _after(2, "b"))
    print(await asyncio.gather(inner, _after(0, "c"), asyncio.gather(), return_exceptions=True))


async def the_error_of_a_child_that_was_done_before_comes_out_like_any_other(print):
    future = asyncio.Future()
    future.set_exception(ValueError("before"))
    print(await outcome_of(asyncio.gather(future, _after(1, "other"))))


async def it_takes_awaitables_only(print):
    print(kind(attempt(lambda: asyncio.gather(1, 2))))
