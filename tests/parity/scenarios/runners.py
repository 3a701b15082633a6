import asyncio

from helpers import attempt, kind, outcome_of, turns


def run_gives_the_result_or_raises_the_error(print):
    async def work(fails):
        await asyncio.sleep(0)
        if fails:
            raise ValueError("failed")
        return "result"

    print(asyncio.run(work(False)), attempt(lambda: asyncio.run(work(True))))


def run_cannot_be_called_from_a_running_loop(print):
    async def nothing():
        pass

    async def work():
        inner = nothing()
        print(attempt(lambda: asyncio.run(inner)))
        inner.close()

    asyncio.run(work())


def run_cancels_what_is_left_and_waits_for_it(print):
    async def left(name):
        try:
            await asyncio.sleep(10)
        finally:
            await turns(2)
            print(name, "ended")

    async def work():
        tasks.append(asyncio.create_task(left("a")))
        await asyncio.sleep(0)
        print("main ends")

    tasks = []
    asyncio.run(work())
    print(tasks[0].cancelled())


def errors_of_what_was_left_are_reported(print):
    def report(loop, context):
        print(context["message"], context["exception"])

    async def left():
        try:
            await asyncio.sleep(10)
        finally:
            raise ValueError("cleaning up failed")

    async def work():
        asyncio.get_running_loop().set_exception_handler(report)
        tasks.append(asyncio.create_task(left()))
        await asyncio.sleep(0)

    tasks = []
    asyncio.run(work())


def what_was_left_is_cancelled_when_the_main_one_failed_too(print):
    async def left():
        print(kind(await outcome_of(asyncio.sleep(10))))

    async def work():
        tasks.append(asyncio.create_task(left()))
        await asyncio.sleep(0)
        raise ValueError("main")

    tasks = []
    print(attempt(lambda: asyncio.run(work())))


def a_main_task_that_cancels_itself_is_cancelled(print):
    async def work():
        asyncio.current_task().cancel("itself")
        await asyncio.sleep(10)

    print(attempt(lambda: asyncio.run(work())))


def run_takes_the_loop_of_a_factory_and_closes_it(print):
    loops = []

    def factory():
        loops.append(asyncio.new_event_loop())
        return loops[0]

    async def work():
        return asyncio.get_running_loop() is loops[0] and asyncio.get_running_loop().get_debug()

    print(asyncio.run(work(), debug=True, loop_factory=factory))
    print(len(loops), loops[0].is_closed())


def a_runner_runs_several_on_one_loop(print):
    async def work(name):
        return name, asyncio.get_running_loop() is runner.get_loop()

    with asyncio.Runner() as runner:
        print(runner.run(work("a")), runner.run(work("b")))
        loop = runner.get_loop()
        print(loop.is_running(), loop.is_closed())
    print(loop.is_closed())


def tasks_of_one_run_go_on_in_the_next(print):
    async def ticker():
        for count in range(3):
            print("tick", count)
            await asyncio.sleep(0)

    async def work():
        await asyncio.sleep(0)

    async def first():
        asyncio.create_task(ticker())
        await work()

    with asyncio.Runner() as runner:
        runner.run(first())
        print("between")
        runner.run(work())


def a_closed_runner_is_of_no_use(print):
    async def work():
        pass

    runner = asyncio.Runner()
    runner.get_loop()
    runner.close()
    runner.close()
    print(attempt(runner.get_loop))
    coroutine = work()
    print(attempt(lambda: runner.run(coroutine)))
    coroutine.close()


def a_runner_cannot_run_inside_of_itself(print):
    async def nothing():
        pass

    async def work():
        inner = nothing()
        print(attempt(lambda: runner.run(inner)))
        inner.close()

    with asyncio.Runner() as runner:
        runner.run(work())


def run_until_complete_ends_with_its_future(print):
    loop = asyncio.new_event_loop()

    async def fail():
        raise ValueError("failed")

    future = loop.create_future()
    loop.call_soon(future.set_result, "result")
    print(loop.run_until_complete(future))
    print(attempt(lambda: loop.run_until_complete(fail())))
    print(loop.is_running(), loop.is_closed())
    loop.close()


def a_loop_stopped_before_the_end_says_so(print):
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    loop.call_soon(loop.stop)
    print(attempt(lambda: loop.run_until_complete(future)))
    loop.close()


def stop_lets_what_is_ready_run_and_keeps_the_rest(print):
    loop = asyncio.new_event_loop()

    def first():
        print("first")
        loop.stop()
        loop.call_soon(print, "third")

    loop.call_soon(first)
    loop.call_soon(print, "second")
    loop.run_forever()
    print("stopped")
    loop.stop()
    loop.run_forever()
    print("stopped again")
    loop.close()


def stop_before_the_start_runs_one_iteration(print):
    loop = asyncio.new_event_loop()

    def callback():
        print("once")
        loop.call_soon(print, "never")

    loop.call_soon(callback)
    loop.stop()
    loop.run_forever()
    print("stopped")
    loop.close()


def a_closed_loop_refuses_everything(print):
    async def work():
        pass

    loop = asyncio.new_event_loop()
    loop.close()
    loop.close()
    coroutine = work()
    print(loop.is_closed())
    print(attempt(lambda: loop.call_soon(print)))
    print(attempt(lambda: loop.call_later(1, print)))
    print(attempt(loop.run_forever))
    print(attempt(lambda: loop.run_until_complete(coroutine)))
    coroutine.close()


def a_running_loop_can_neither_be_closed_nor_run_again(print):
    loop = asyncio.new_event_loop()

    async def work():
        print(loop.is_running(), attempt(loop.close))
        print(attempt(loop.run_forever))

    loop.run_until_complete(work())
    loop.close()


def two_loops_cannot_run_one_inside_the_other(print):
    outer, inner = asyncio.new_event_loop(), asyncio.new_event_loop()

    async def work():
        print(attempt(inner.run_forever))

    outer.run_until_complete(work())
    outer.close()
    inner.close()
