import asyncio

from helpers import cancelled_with, kind, outcome_of, turns


def _be_eager():
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)


async def they_go_on_in_turn_after_their_first_wait(print):
    async def work(name):
        for count in range(3):
            print(name, count)
            await asyncio.sleep(0)
        return name

    _be_eager()
    tasks = [asyncio.create_task(work(name)) for name in "ab"]
    print("made")
    print([await task for task in tasks])


async def gather_starts_its_coroutines_inside_the_call(print):
    async def work(name):
        print(name)
        await asyncio.sleep(0)
        return name

    _be_eager()
    gathered = asyncio.gather(work("a"), work("b"))
    print("made")
    print(await gathered)


async def a_group_starts_its_tasks_inside_the_call_and_waits_for_them(print):
    async def work(name, count):
        print(name, "starts")
        await turns(count)
        print(name, "ends")

    _be_eager()
    async with asyncio.TaskGroup() as group:
        group.create_task(work("a", 2))
        group.create_task(work("b", 1))
        print("made")
    print("end")


async def a_task_made_inside_of_another_is_the_current_one_until_it_waits(print):
    async def inner(outer_task):
        print("inner", asyncio.current_task() is outer_task)
        await asyncio.sleep(0)
        print("inner", asyncio.current_task() is outer_task)

    async def outer():
        me = asyncio.current_task()
        task = asyncio.create_task(inner(me))
        print("outer", asyncio.current_task() is me)
        await task
        print("outer", asyncio.current_task() is me)

    _be_eager()
    await asyncio.create_task(outer())


async def one_that_waits_is_among_all_tasks(print):
    async def work():
        await asyncio.sleep(0)

    _be_eager()
    task = asyncio.create_task(work())
    print(task in asyncio.all_tasks(), len(asyncio.all_tasks()))
    await task
    print(task in asyncio.all_tasks())


async def one_that_fails_after_its_first_wait_fails_its_group(print):
    async def fail():
        await asyncio.sleep(0)
        raise ValueError("failed")

    async def work():
        async with asyncio.TaskGroup() as group:
            group.create_task(cancelled_with(asyncio.sleep(10), print, "sibling"))
            group.create_task(fail())

    _be_eager()
    print(await outcome_of(work()))


async def one_that_awaits_another_is_cancelled_through_it(print):
    async def outer(task):
        await cancelled_with(task, print, "outer")

    _be_eager()
    inner = asyncio.create_task(cancelled_with(asyncio.sleep(10), print, "inner"))
    task = asyncio.create_task(outer(inner))
    task.cancel()
    print(kind(await outcome_of(task)), inner.cancelled())
