import asyncio

from helpers import attempt, kind, ticks, turns


async def call_soon_runs_in_the_order_of_the_calls_with_its_arguments(print):
    loop = asyncio.get_running_loop()
    loop.call_soon(print, "a", 1)
    loop.call_soon(print, "b", 2)
    print("scheduled")
    await asyncio.sleep(0)
    print("end")


async def what_a_callback_schedules_runs_in_the_next_iteration(print):
    loop = asyncio.get_running_loop()

    def first():
        print("first")
        loop.call_soon(print, "third")

    loop.call_soon(first)
    loop.call_soon(print, "second")
    ticks(print, 3)
    await turns(3)


async def a_callback_that_was_cancelled_does_not_run(print):
    loop = asyncio.get_running_loop()
    soon = loop.call_soon(print, "soon")
    later = loop.call_later(0.01, print, "later")
    at = loop.call_at(loop.time() + 0.01, print, "at")
    print(soon.cancelled(), later.cancelled())
    for handle in [soon, later, at]:
        handle.cancel()
        handle.cancel()
    print(soon.cancelled(), later.cancelled(), at.cancelled())
    await asyncio.sleep(0.02)


async def a_callback_can_cancel_one_that_is_due_in_the_same_iteration(print):
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda: second.cancel())
    second = loop.call_soon(print, "second")
    loop.call_soon(print, "third")
    await asyncio.sleep(0)


async def call_later_runs_in_the_order_of_the_deadlines(print):
    loop = asyncio.get_running_loop()
    for delay in [0.06, 0.02, 0.04]:
        loop.call_later(delay, print, delay)
    await asyncio.sleep(0.1)


async def call_at_takes_the_time_of_the_loop_and_tells_it(print):
    loop = asyncio.get_running_loop()
    when = loop.time() + 0.02
    handle = loop.call_at(when, print, "at")
    loop.call_later(0.01, print, "before")
    print(handle.when() == when)
    await asyncio.sleep(0.05)
    print(loop.time() >= when)


async def a_deadline_that_is_past_is_due_in_the_next_iteration(print):
    loop = asyncio.get_running_loop()
    loop.call_soon(print, "ready")
    loop.call_at(loop.time() - 2, print, "past")
    loop.call_later(-1, print, "below zero")
    await asyncio.sleep(0.01)


async def call_later_with_zero_comes_behind_what_was_ready_before(print):
    loop = asyncio.get_running_loop()
    loop.call_soon(print, "ready")
    loop.call_later(0, print, "later")
    await asyncio.sleep(0.01)


async def an_error_in_a_callback_goes_to_the_exception_handler_and_the_loop_goes_on(print):
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: print("reported", context["exception"]))

    def fail():
        raise ValueError("in a callback")

    loop.call_soon(fail)
    loop.call_later(0.01, fail)
    loop.call_soon(print, "next")
    await asyncio.sleep(0.03)
    print("end")


async def an_exception_handler_is_set_asked_for_and_taken_back(print):
    loop = asyncio.get_running_loop()

    def handler(loop, context):
        print(context["message"], context.get("exception"))

    print(loop.get_exception_handler())
    loop.set_exception_handler(handler)
    print(loop.get_exception_handler() is handler)
    loop.call_exception_handler({"message": "by hand", "exception": ValueError("error")})
    loop.call_exception_handler({"message": "without an exception"})
    loop.set_exception_handler(None)
    print(loop.get_exception_handler())
    print(kind(attempt(lambda: loop.set_exception_handler(1))))


async def a_future_set_by_a_callback_wakes_its_waiter_behind_what_was_ready(print):
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_soon(future.set_result, "result")
    loop.call_soon(print, "ready before")
    print(await future)


async def tasks_and_callbacks_share_one_queue(print):
    loop = asyncio.get_running_loop()

    async def work(name):
        print(name)
        await asyncio.sleep(0)
        print(name, "again")

    loop.call_soon(print, "1")
    a = asyncio.create_task(work("a"))
    loop.call_soon(print, "2")
    b = asyncio.create_task(work("b"))
    loop.call_soon(print, "3")
    await a
    await b


async def a_time_is_no_less_than_the_one_before(print):
    loop = asyncio.get_running_loop()
    before = loop.time()
    await asyncio.sleep(0.01)
    print(loop.time() - before >= 0.009)


async def none_is_no_time(print):
    loop = asyncio.get_running_loop()
    print(attempt(lambda: loop.call_later(None, print)))
    print(attempt(lambda: loop.call_at(None, print)))


async def debug_mode_can_be_switched(print):
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    print(loop.get_debug())
    loop.set_debug(False)
    print(loop.get_debug(), loop.is_running(), loop.is_closed())
