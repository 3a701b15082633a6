import asyncio

from helpers import attempt, cancelled_with, kind, outcome_of, turns


async def _after(count, result):
    await turns(count)
    if isinstance(result, Exception):
        raise result
    return result


async def _group(body):
    async with asyncio.TaskGroup() as group:
        return await body(group)


async def it_waits_for_all_its_tasks(print):
    async def body(group):
        tasks = [group.create_task(_after(count, name)) for count, name in [(3, "a"), (1, "b")]]
        print([task.done() for task in tasks])
        return tasks

    print([task.result() for task in await _group(body)])


async def a_child_that_fails_cancels_its_siblings_and_the_body(print):
    async def body(group):
        group.create_task(cancelled_with(asyncio.sleep(10), print, "sibling"))
        group.create_task(_after(1, ValueError("child")))
        await cancelled_with(asyncio.sleep(10), print, "body")

    print(await outcome_of(_group(body)))
    print(asyncio.current_task().cancelling())


async def a_child_that_fails_while_the_group_waits_cancels_its_siblings(print):
    async def body(group):
        group.create_task(cancelled_with(asyncio.sleep(10), print, "sibling"))
        group.create_task(_after(2, ValueError("child")))

    print(await outcome_of(_group(body)))


async def errors_of_several_children_come_out_in_the_order_of_their_coming(print):
    async def cleaning(error):
        try:
            await asyncio.sleep(10)
        finally:
            raise error

    async def body(group):
        group.create_task(cleaning(ValueError("cleaning up")))
        group.create_task(_after(0, TypeError("first")))
        group.create_task(_after(0, RuntimeError("second")))
        await asyncio.sleep(10)

    print(await outcome_of(_group(body)))


async def a_body_that_fails_cancels_the_children(print):
    async def body(group):
        group.create_task(cancelled_with(asyncio.sleep(10), print, "child"))
        await asyncio.sleep(0)
        raise ValueError("body")

    print(await outcome_of(_group(body)))


async def errors_of_the_body_come_behind_those_of_the_children(print):
    async def body(group):
        group.create_task(_after(0, TypeError("child")))
        await outcome_of(asyncio.sleep(10))
        raise ValueError("body")

    print(await outcome_of(_group(body)))


async def a_child_that_is_cancelled_is_no_error(print):
    async def body(group):
        child = group.create_task(cancelled_with(asyncio.sleep(10), print, "child"))
        other = group.create_task(_after(3, "other"))
        await asyncio.sleep(0)
        child.cancel()
        return other

    print((await _group(body)).result())


async def a_cancellation_from_outside_ends_children_and_group(print):
    async def body(group):
        group.create_task(cancelled_with(asyncio.sleep(10), print, "child"))
        await cancelled_with(asyncio.sleep(10), print, "body")

    task = asyncio.create_task(_group(body))
    await turns(2)
    task.cancel("outside")
    print(await outcome_of(task))
    print(task.cancelled(), task.cancelling())


async def a_cancellation_from_outside_while_the_group_waits(print):
    async def body(group):
        group.create_task(cancelled_with(asyncio.sleep(10), print, "child"))

    task = asyncio.create_task(_group(body))
    await turns(2)
    task.cancel("outside")
    print(await outcome_of(task))


async def a_childs_error_wins_over_a_cancellation_from_outside(print):
    async def child():
        try:
            await asyncio.sleep(10)
        finally:
            raise ValueError("child")

    async def work():
        async def body(group):
            group.create_task(child())
            await asyncio.sleep(10)

        print(await outcome_of(_group(body)))
        print(asyncio.current_task().cancelling())
        await cancelled_with(asyncio.sleep(0), print, "at the next wait")

    task = asyncio.create_task(work())
    await turns(2)
    task.cancel()
    print(kind(await outcome_of(task)))


async def a_childs_error_and_a_cancellation_in_one_turn(print):
    async def child():
        await future
        raise ValueError("child")

    async def work():
        async def body(group):
            group.create_task(child())

        try:
            await _group(body)
        finally:
            print(asyncio.current_task().cancelling())

    future = asyncio.Future()
    task = asyncio.create_task(work())
    await turns(2)
    future.set_result(None)
    task.cancel("same turn")
    print(await outcome_of(task))


async def nested_groups_fail_from_the_inside_out(print):
    async def body(outer):
        outer.create_task(cancelled_with(asyncio.sleep(10), print, "outer child"))

        async def inner_body(inner):
            inner.create_task(_after(1, ValueError("inner child")))
            await cancelled_with(asyncio.sleep(10), print, "inner body")

        await _group(inner_body)

    print(await outcome_of(_group(body)))
    print(asyncio.current_task().cancelling())


async def an_error_in_the_outer_group_cancels_the_inner_one(print):
    async def body(outer):
        outer.create_task(_after(2, ValueError("outer child")))

        async def inner_body(inner):
            inner.create_task(cancelled_with(asyncio.sleep(10), print, "inner child"))
            await cancelled_with(asyncio.sleep(10), print, "inner body")

        print("inner", kind(await outcome_of(_group(inner_body))))
        await cancelled_with(asyncio.sleep(0), print, "never")

    print(await outcome_of(_group(body)))


async def the_error_of_an_inner_group_can_be_caught_in_the_outer_one(print):
    async def body(outer):
        other = outer.create_task(_after(5, "unharmed"))

        async def inner_body(inner):
            inner.create_task(_after(0, ValueError("inner")))

        print(await outcome_of(_group(inner_body)))
        return other

    print((await _group(body)).result())


async def children_may_make_more_children(print):
    async def body(group):
        async def child(depth):
            print(depth)
            if depth:
                group.create_task(child(depth - 1))

        group.create_task(child(3))

    await _group(body)
    print("end")


async def tasks_can_be_made_only_between_entry_and_end(print):
    async def nothing():
        pass

    def make():
        coroutine = nothing()
        try:
            group.create_task(coroutine)
        finally:
            coroutine.close()

    group = asyncio.TaskGroup()
    print(attempt(make))
    async with group:
        pass
    print(attempt(make))


async def no_task_can_be_made_while_the_group_shuts_down(print):
    async def never():
        print("never")

    async def body(group):
        async def child():
            try:
                await asyncio.sleep(10)
            finally:
                coroutine = never()
                print(attempt(lambda: group.create_task(coroutine)))
                coroutine.close()

        group.create_task(child())
        group.create_task(_after(0, ValueError("child")))

    print(await outcome_of(_group(body)))


async def a_group_can_be_entered_once(print):
    group = asyncio.TaskGroup()

    async def enter():
        async with group:
            return "entered"

    print(await outcome_of(enter()))
    print(await outcome_of(enter()))


async def an_empty_group_ends_at_once(print):
    asyncio.get_running_loop().call_soon(print, "soon")

    async def body(group):
        return "result"

    print(await _group(body))
    await asyncio.sleep(0)


async def requests_that_were_open_before_stay_open(print):
    async def work():
        await outcome_of(asyncio.sleep(10))
        print(asyncio.current_task().cancelling())

        async def body(group):
            return group.create_task(_after(2, "child"))

        print((await _group(body)).result())
        print(asyncio.current_task().cancelling())

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await task


async def a_body_that_swallows_the_cancellation_does_not_save_the_group(print):
    async def body(group):
        group.create_task(_after(0, ValueError("child")))
        await outcome_of(asyncio.sleep(10))
        print("swallowed")
        return "result"

    print(await outcome_of(_group(body)))
    print(asyncio.current_task().cancelling())


async def children_have_names(print):
    async def body(group):
        async def child():
            return asyncio.current_task().get_name()

        return group.create_task(child(), name="child")

    print((await _group(body)).result())
