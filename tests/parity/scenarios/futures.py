import asyncio

from helpers import attempt, kind, outcome_of, ticks


async def a_pending_future_has_neither_result_nor_exception(print):
    future = asyncio.Future()
    print(future.done(), future.cancelled())
    print(attempt(future.result))
    print(attempt(future.exception))


async def a_future_takes_one_outcome_only(print):
    future = asyncio.Future()
    future.set_result(42)
    print(future.result(), future.exception(), future.done())
    print(kind(attempt(lambda: future.set_result(1))))
    print(kind(attempt(lambda: future.set_exception(ValueError("no")))))
    print(future.cancel(), future.cancelled(), future.result())


async def an_exception_is_the_same_object_however_it_is_asked_for(print):
    future = asyncio.Future()
    error = ValueError("boom")
    future.set_exception(error)
    print(future.exception() is error, attempt(future.result) is error, await outcome_of(future) is error)
    print(error)


async def set_exception_makes_an_instance_of_a_class(print):
    future = asyncio.Future()
    future.set_exception(RuntimeError)
    print(future.exception())


async def a_cancelled_future_raises_its_message_whenever_it_is_asked(print):
    future = asyncio.Future()
    print(future.cancel("why"), future.cancel("again"))
    print(future.cancelled(), future.done())
    print(attempt(future.result))
    print(attempt(future.exception))
    print(await outcome_of(future))


async def done_callbacks_run_in_the_next_iteration_in_the_order_they_were_added(print):
    future = asyncio.Future()
    for name in ["a", "b", "c"]:
        future.add_done_callback(lambda done, name=name: print(name, done is future))
    ticks(print, 3)
    future.set_result(None)
    print("set")
    await asyncio.sleep(0)
    future.add_done_callback(lambda done: print("late"))
    print("added")
    await asyncio.sleep(0)
    print("end")


async def remove_done_callback_tells_how_often_it_was_there(print):
    future = asyncio.Future()

    def callback(done):
        print("called")

    print(future.remove_done_callback(callback))
    future.add_done_callback(callback)
    future.add_done_callback(lambda done: print("other"))
    future.add_done_callback(callback)
    print(future.remove_done_callback(callback))
    future.add_done_callback(callback)
    future.set_result(None)
    await asyncio.sleep(0)


async def a_callback_that_removes_another_comes_too_late_once_both_are_due(print):
    future = asyncio.Future()

    def second(done):
        print("second")

    future.add_done_callback(lambda done: print("removed", done.remove_done_callback(second)))
    future.add_done_callback(second)
    future.set_result(None)
    await asyncio.sleep(0)


async def a_callback_that_raises_is_reported_and_the_others_run(print):
    def report(loop, context):
        print("reported", context["exception"])

    asyncio.get_running_loop().set_exception_handler(report)
    future = asyncio.Future()

    def fail(done):
        raise ValueError("in a callback")

    future.add_done_callback(fail)
    future.add_done_callback(lambda done: print("next"))
    future.set_result(None)
    await asyncio.sleep(0)
    print("end")


async def awaiting_a_future_that_is_done_gives_nobody_else_a_turn(print):
    future = asyncio.Future()
    future.set_result("result")
    asyncio.get_running_loop().call_soon(print, "soon")
    print(await future)
    print(await future)
    await asyncio.sleep(0)


async def all_who_await_a_future_get_the_same_exception_in_the_order_of_their_coming(print):
    future = asyncio.Future()
    error = ValueError("shared")

    async def wait(name):
        print(name, await outcome_of(future) is error)

    tasks = [asyncio.create_task(wait(name)) for name in ["a", "b", "c"]]
    await asyncio.sleep(0)
    future.set_exception(error)
    for task in tasks:
        await task


async def cancelling_one_who_awaits_a_future_cancels_the_future_for_all(print):
    future = asyncio.Future()

    async def wait(name):
        print(name, await outcome_of(future))

    a, b = asyncio.create_task(wait("a")), asyncio.create_task(wait("b"))
    await asyncio.sleep(0)
    print(a.cancel("why"), future.cancelled())
    await a
    await b
    print(a.cancelling(), b.cancelling())


async def a_future_cancelled_by_itself_cancels_the_task_that_awaits_it(print):
    future = asyncio.Future()

    async def wait():
        await future

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    future.cancel("by itself")
    print(await outcome_of(task))
    print(task.cancelled(), task.cancelling())


async def ensure_future_leaves_futures_as_they_are(print):
    future = asyncio.Future()

    async def work():
        return "worked"

    task = asyncio.create_task(work())
    print(asyncio.ensure_future(future) is future, asyncio.ensure_future(task) is task)
    print(asyncio.isfuture(future), asyncio.isfuture(task), asyncio.isfuture(work))
    print(await asyncio.ensure_future(work()), await task)
    print(kind(attempt(lambda: asyncio.ensure_future(5))))
    print(asyncio.wrap_future(future) is future)


async def a_future_nobody_asked_is_not_reported_once_its_exception_was_seen(print):
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: print("reported", context["message"]))
    future = loop.create_future()
    future.set_exception(ValueError("seen"))
    print(future.exception())
    print(future.get_loop() is loop)
