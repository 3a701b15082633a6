import asyncio
import contextvars

from helpers import attempt, kind, outcome_of, ticks, turns


async def tasks_start_in_the_next_iteration_in_the_order_they_were_made(print):
    async def work(name):
        print(name)

    ticks(print, 2)
    tasks = [asyncio.create_task(work(name)) for name in ["a", "b"]]
    print("made")
    await asyncio.sleep(0)
    print(tasks[0].done(), tasks[1].done())


async def a_task_has_a_name_that_can_be_changed(print):
    async def work():
        return asyncio.current_task().get_name()

    named = asyncio.create_task(work(), name="worker")
    unnamed = asyncio.create_task(work())
    print(named.get_name(), unnamed.get_name().startswith("Task-"))
    unnamed.set_name("renamed")
    print(await named, await unnamed)


async def a_task_gives_its_result_or_exception_once_it_is_done(print):
    async def work(fails):
        await asyncio.sleep(0)
        if fails:
            raise ValueError("failed")
        return "worked"

    good, bad = asyncio.create_task(work(False)), asyncio.create_task(work(True))
    print(attempt(good.result), attempt(good.exception))
    print(await outcome_of(good), await outcome_of(bad))
    print(good.result(), good.exception(), bad.exception())
    print(bad.exception() is attempt(bad.result))


async def nobody_but_its_coroutine_ends_a_task(print):
    async def work():
        await asyncio.sleep(0)
        return "own result"

    task = asyncio.create_task(work())
    print(attempt(lambda: task.set_result("other")))
    print(attempt(lambda: task.set_exception(ValueError("other"))))
    print(await task)


async def a_task_cannot_await_itself(print):
    async def work():
        await task

    task = asyncio.create_task(work())
    print(await outcome_of(task))


async def several_tasks_that_await_one_get_the_same_exception(print):
    async def fail():
        await asyncio.sleep(0)
        raise ValueError("shared")

    failing = asyncio.create_task(fail())

    async def wait(name):
        print(name, await outcome_of(failing) is failing.exception())

    await asyncio.gather(wait("a"), wait("b"))
    print(await outcome_of(failing))


async def done_callbacks_and_those_who_await_a_task_go_on_in_the_order_of_their_coming(print):
    async def work():
        await turns(2)
        return "result"

    task = asyncio.create_task(work())

    async def wait(name):
        print(name, await task)

    task.add_done_callback(lambda done: print("before", done.result()))
    waiters = [asyncio.create_task(wait(name)) for name in ["a", "b"]]
    await asyncio.sleep(0)
    task.add_done_callback(lambda done: print("after", done is task))
    for waiter in waiters:
        await waiter


async def current_task_is_the_running_one_and_none_in_a_callback(print):
    main = asyncio.current_task()

    async def work():
        print(asyncio.current_task() is task)
        await asyncio.sleep(0)
        print(asyncio.current_task() is task, asyncio.current_task() is main)

    task = asyncio.create_task(work())
    asyncio.get_running_loop().call_soon(lambda: print(asyncio.current_task()))
    await task
    print(asyncio.current_task() is main)


async def all_tasks_has_those_that_are_not_done(print):
    async def work(count):
        await turns(count)

    short, long = asyncio.create_task(work(0)), asyncio.create_task(work(3))
    print(len(asyncio.all_tasks()), short in asyncio.all_tasks())
    await short
    print(len(asyncio.all_tasks()), short in asyncio.all_tasks(), asyncio.current_task() in asyncio.all_tasks())
    await long
    print(len(asyncio.all_tasks()))


async def a_coroutine_that_raises_cancelled_error_ends_its_task_as_cancelled(print):
    async def work():
        raise asyncio.CancelledError("on its own")

    task = asyncio.create_task(work())
    print(await outcome_of(task))
    print(task.cancelled(), task.cancelling())


async def only_a_coroutine_can_become_a_task(print):
    print(kind(attempt(lambda: asyncio.create_task("text"))))
    print(kind(attempt(lambda: asyncio.create_task(None))))


async def a_task_runs_in_the_context_of_the_call_that_made_it(print):
    variable = contextvars.ContextVar("variable", default="default")

    async def work(name):
        print(name, variable.get())
        await asyncio.sleep(0)
        print(name, variable.get())

    context = contextvars.copy_context()
    context.run(variable.set, "inner")
    inner = context.run(lambda: asyncio.create_task(work("made inside")))
    outer = asyncio.create_task(work("made outside"))
    context.run(lambda: asyncio.get_running_loop().call_soon(lambda: print("callback", variable.get())))
    future = asyncio.Future()
    context.run(lambda: future.add_done_callback(lambda done: print("done callback", variable.get())))
    future.set_result(None)
    await inner
    await outer


async def an_eager_task_runs_up_to_its_first_wait_inside_create_task(print):
    async def work(name):
        print(name, "starts", asyncio.current_task() is main)
        await asyncio.sleep(0)
        print(name, "goes on")
        return name

    main = asyncio.current_task()
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    first = asyncio.create_task(work("first"))
    print("made first", first.done(), asyncio.current_task() is main)
    second = asyncio.create_task(work("second"), name="named")
    print("made second", second.get_name())
    print(await second, await first)


async def an_eager_task_can_be_cancelled_at_its_first_wait(print):
    async def work():
        print("starts")
        await asyncio.sleep(10)

    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    task = asyncio.create_task(work())
    print(task.cancel("why"))
    print(await outcome_of(task))


async def a_task_factory_makes_the_tasks_of_its_loop(print):
    loop = asyncio.get_running_loop()

    def factory(loop, coro, **options):
        print("factory")
        return asyncio.Task(coro, loop=loop, **options)

    async def work():
        return "worked"

    loop.set_task_factory(factory)
    print(loop.get_task_factory() is factory)
    print(await asyncio.create_task(work()), await asyncio.ensure_future(work()))
    loop.set_task_factory(None)
    print(await asyncio.create_task(work()), loop.get_task_factory())
    print(kind(attempt(lambda: loop.set_task_factory(1))))


async def sleep_gives_its_second_argument_and_refuses_nan(print):
    print(await asyncio.sleep(0, "at once"), await asyncio.sleep(0.01, "later"), await asyncio.sleep(-1))
    try:
        await asyncio.sleep(float("nan"))
    except ValueError as error:
        print(error)


async def sleeping_tasks_wake_in_the_order_of_their_deadlines(print):
    async def work(delay):
        await asyncio.sleep(delay)
        print(delay)

    await asyncio.gather(work(0.06), work(0.02), work(0), work(0.04))
