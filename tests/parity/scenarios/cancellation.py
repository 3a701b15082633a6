import asyncio

from helpers import attempt, cancelled_with, outcome_of, ticks, turns


async def a_task_cancelled_before_it_started_never_runs(print):
    async def work():
        print("never")

    task = asyncio.create_task(work())
    print(task.cancel("too early"), task.done(), task.cancelling())
    print(await outcome_of(task))
    print(task.cancelled(), task.cancel())


async def the_message_travels_to_whoever_awaits_the_task(print):
    async def work():
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError as error:
            print("inside", error)
            raise

    for message in ["why", None]:
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel(message)
        print("outside", await outcome_of(task))


async def a_task_that_swallows_its_cancellation_goes_on_and_returns(print):
    async def work():
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            print("swallowed")
        await asyncio.sleep(0)
        return "result"

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    print(await task, task.cancelled(), task.cancelling())


async def two_requests_before_the_first_is_delivered_are_one_error(print):
    async def work():
        for _ in range(2):
            try:
                await asyncio.sleep(0.01)
                print("slept")
            except asyncio.CancelledError as error:
                print(error)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    print(task.cancel("first"), task.cancel("second"), task.cancelling())
    await task
    print(task.cancelling())


async def a_second_request_interrupts_the_cleaning_up(print):
    async def work():
        try:
            await cancelled_with(asyncio.sleep(10), print, "first")
        finally:
            await cancelled_with(asyncio.sleep(10), print, "second")

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel("one")
    await asyncio.sleep(0)
    print(task.done())
    task.cancel("two")
    print(await outcome_of(task))


async def an_error_while_cleaning_up_takes_the_place_of_the_cancellation(print):
    async def work():
        try:
            await asyncio.sleep(10)
        finally:
            raise ValueError("cleaning up failed")

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    print(await outcome_of(task))
    print(task.cancelled(), task.cancelling())


async def a_task_that_cancels_itself_hears_of_it_at_its_next_wait(print):
    async def work():
        print(asyncio.current_task().cancel("self"))
        print("still running")
        await asyncio.sleep(10)
        print("never")

    task = asyncio.create_task(work())
    print(await outcome_of(task))


async def a_task_that_cancels_itself_and_then_returns_is_cancelled(print):
    async def work():
        await asyncio.sleep(0)
        asyncio.current_task().cancel("late")
        return "lost"

    task = asyncio.create_task(work())
    print(await outcome_of(task))
    print(task.cancelled())


async def a_task_that_cancels_itself_and_then_fails_has_failed(print):
    async def work():
        asyncio.current_task().cancel()
        raise ValueError("stronger")

    task = asyncio.create_task(work())
    print(await outcome_of(task))
    print(task.cancelled(), task.cancelling())


async def a_cancelled_task_that_awaits_another_cancels_it_too(print):
    async def inner():
        await cancelled_with(asyncio.sleep(10), print, "inner")

    async def outer():
        await cancelled_with(task, print, "outer")

    task = asyncio.create_task(inner())
    waiter = asyncio.create_task(outer())
    await turns(2)
    waiter.cancel("through both")
    print(await outcome_of(waiter))
    print(task.cancelled(), task.cancelling(), waiter.cancelling())


async def if_the_awaited_task_swallows_it_the_cancelled_one_gets_a_result(print):
    async def inner():
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            return "swallowed"

    async def outer():
        return await task

    task = asyncio.create_task(inner())
    waiter = asyncio.create_task(outer())
    await turns(2)
    waiter.cancel()
    print(await outcome_of(waiter), waiter.cancelled(), waiter.cancelling())


async def cancelling_an_awaited_task_cancels_the_one_that_awaits_it(print):
    async def inner():
        await asyncio.sleep(10)

    async def outer():
        await cancelled_with(task, print, "outer")

    task = asyncio.create_task(inner())
    waiter = asyncio.create_task(outer())
    await turns(2)
    task.cancel("inner only")
    print(await outcome_of(waiter))
    print(waiter.cancelled(), waiter.cancelling())


async def cancelling_reaches_the_innermost_of_a_chain_first(print):
    async def link(depth):
        try:
            await (asyncio.create_task(link(depth - 1)) if depth else asyncio.sleep(10))
        finally:
            print(depth)

    task = asyncio.create_task(link(3))
    await turns(5)
    ticks(print, 6)
    task.cancel()
    print(await outcome_of(task))


async def a_cancellation_after_the_result_was_set_wins_and_leaves_the_future_its_result(print):
    future = asyncio.Future()

    async def work():
        return await future

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    future.set_result("kept")
    print(task.cancel("later"))
    print(await outcome_of(task))
    print(future.result(), future.cancelled())


async def a_cancellation_after_the_awaited_task_ended_wins_too(print):
    async def inner():
        await asyncio.sleep(0)
        return "kept"

    async def outer():
        return await task

    task = asyncio.create_task(inner())
    waiter = asyncio.create_task(outer())
    task.add_done_callback(lambda done: waiter.cancel("in the callback"))
    print(await outcome_of(waiter))
    print(task.result())


async def cancelling_counts_requests_and_uncancel_takes_them_back(print):
    async def work():
        await outcome_of(asyncio.sleep(10))
        await outcome_of(asyncio.sleep(10))

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    print(task.cancelling(), task.uncancel())
    task.cancel()
    await asyncio.sleep(0)
    print(task.cancelling(), task.cancel(), task.cancelling())
    print(task.uncancel(), task.uncancel(), task.uncancel())
    await task
    print(task.cancelling())


async def uncancel_takes_back_a_request_that_was_not_delivered(print):
    future = asyncio.Future()

    async def work():
        return await future

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    future.set_result("result")
    task.cancel()
    print(task.uncancel())
    print(await task)


async def a_task_done_already_cannot_be_cancelled(print):
    async def work():
        return "result"

    task = asyncio.create_task(work())
    print(await task, task.cancel("late"), task.cancelled(), task.cancelling())


async def a_task_can_tell_its_own_cancellation_from_that_of_what_it_awaits(print):
    async def sleeper():
        await asyncio.sleep(10)

    async def work(task):
        try:
            await task
        except asyncio.CancelledError:
            print("own" if asyncio.current_task().cancelling() else "other")

    for own in [True, False]:
        task = asyncio.create_task(sleeper())
        worker = asyncio.create_task(work(task))
        await turns(2)
        (worker if own else task).cancel()
        await worker


async def tasks_cancelled_together_end_in_the_order_of_the_calls(print):
    async def work(name):
        await cancelled_with(asyncio.sleep(10), print, name)

    tasks = [asyncio.create_task(work(name)) for name in "abc"]
    await asyncio.sleep(0)
    for task in reversed(tasks):
        task.add_done_callback(lambda done: print("done"))
        task.cancel()
    await asyncio.wait(tasks)


async def a_stubborn_task_needs_one_request_for_each_wait(print):
    async def work():
        count = 0
        while count < 3:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                count += 1
                print(count)
        return "gave up"

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    print(task.result(), task.cancelling())


async def cancelling_a_sleep_lets_nobody_wait_for_its_timer(print):
    async def work():
        await asyncio.sleep(3600)

    task = asyncio.create_task(work())
    await asyncio.sleep(0.01)
    task.cancel()
    ticks(print, 4)
    print(await outcome_of(task))
    await turns(3)


async def cancellation_ends_the_finally_blocks_from_the_inside_out(print):
    async def deep(depth):
        try:
            if depth:
                await deep(depth - 1)
            else:
                await asyncio.sleep(10)
        finally:
            await asyncio.sleep(0)
            print(depth)

    task = asyncio.create_task(deep(3))
    await asyncio.sleep(0)
    task.cancel()
    print(await outcome_of(task))
    print(attempt(task.result))
