import asyncio

from helpers import attempt, cancelled_with, kind, outcome_of, ticks, turns


async def items_come_out_first_in_first_out(print):
    queue = asyncio.Queue()
    for item in [3, 1, 2]:
        queue.put_nowait(item)
    print(queue.qsize(), queue.empty(), queue.full(), queue.maxsize)
    print([await queue.get() for _ in range(3)], queue.empty())


async def last_in_first_out(print):
    queue = asyncio.LifoQueue()
    for item in [3, 1, 2]:
        await queue.put(item)
    print([queue.get_nowait() for _ in range(3)])


async def smallest_first(print):
    queue = asyncio.PriorityQueue()
    for item in [(2, "b"), (1, "z"), (1, "a"), (3, "c")]:
        await queue.put(item)
    print([await queue.get() for _ in range(4)])


async def the_nowait_calls_raise_where_the_others_would_wait(print):
    queue = asyncio.Queue(1)
    print(attempt(queue.get_nowait))
    queue.put_nowait("a")
    print(queue.full(), attempt(lambda: queue.put_nowait("b")))
    print(queue.get_nowait(), queue.full())


async def put_and_get_give_nobody_else_a_turn_if_they_need_not_wait(print):
    queue = asyncio.Queue()
    asyncio.get_running_loop().call_soon(print, "soon")
    print(await queue.put("a"), await queue.get())
    await asyncio.sleep(0)


async def a_full_queue_holds_its_putters_back_in_their_order(print):
    queue = asyncio.Queue(1)

    async def put(item):
        await queue.put(item)
        print("put", item)

    tasks = [asyncio.create_task(put(item)) for item in "abc"]
    await turns(2)
    ticks(print, 8)
    for _ in range(3):
        print("got", await queue.get())
        await asyncio.sleep(0)
    await asyncio.wait(tasks)
    await turns(4)


async def getters_are_served_in_their_order(print):
    queue = asyncio.Queue()

    async def get(name):
        print(name, await queue.get())

    tasks = [asyncio.create_task(get(name)) for name in "abc"]
    await asyncio.sleep(0)
    for item in range(3):
        queue.put_nowait(item)
    print(queue.qsize())
    await asyncio.wait(tasks)


async def an_item_for_one_who_was_woken_can_be_taken_by_another(print):
    queue = asyncio.Queue()

    async def get():
        print("waited for", await queue.get())

    task = asyncio.create_task(get())
    await asyncio.sleep(0)
    queue.put_nowait(1)
    print("taken", queue.get_nowait())
    await turns(2)
    print(task.done())
    queue.put_nowait(2)
    await task


async def one_who_is_cancelled_when_its_item_came_loses_nothing(print):
    queue = asyncio.Queue()

    async def get(name):
        print(name, await cancelled_with(queue.get(), print, name))

    tasks = [asyncio.create_task(get(name)) for name in "ab"]
    await asyncio.sleep(0)
    queue.put_nowait("item")
    tasks[0].cancel()
    await asyncio.wait(tasks)
    print(queue.qsize())


async def an_item_whose_only_getter_is_cancelled_stays(print):
    queue = asyncio.Queue()
    task = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.put_nowait("item")
    task.cancel()
    print(kind(await outcome_of(task)), queue.qsize(), await queue.get())


async def one_who_is_cancelled_in_line_to_put_puts_nothing(print):
    queue = asyncio.Queue(1)
    queue.put_nowait("first")
    tasks = [asyncio.create_task(queue.put(item)) for item in ["cancelled", "second"]]
    await asyncio.sleep(0)
    tasks[0].cancel()
    print(await queue.get(), await queue.get())
    print(kind(await outcome_of(tasks[0])), queue.empty())


async def one_who_is_cancelled_when_a_place_came_free_passes_it_on(print):
    queue = asyncio.Queue(1)
    queue.put_nowait("first")

    async def put(item):
        await cancelled_with(queue.put(item), print, item)
        print("put", item)

    tasks = [asyncio.create_task(put(item)) for item in "ab"]
    await asyncio.sleep(0)
    print(queue.get_nowait())
    tasks[0].cancel()
    await asyncio.wait(tasks)
    print(queue.get_nowait(), queue.empty())


async def a_deadline_of_get_loses_nothing(print):
    queue = asyncio.Queue()
    print(await outcome_of(asyncio.wait_for(queue.get(), 0.01)))
    queue.put_nowait("item")
    print(await asyncio.wait_for(queue.get(), 0.01))


async def join_waits_until_every_item_is_done(print):
    queue = asyncio.Queue()

    async def work():
        while True:
            item = await queue.get()
            await asyncio.sleep(0)
            print("done", item)
            queue.task_done()

    for item in "abc":
        queue.put_nowait(item)
    worker = asyncio.create_task(work())
    await queue.join()
    print("joined", queue.empty())
    worker.cancel()
    print(kind(await outcome_of(worker)))


async def join_of_a_queue_that_had_nothing_is_over_at_once(print):
    queue = asyncio.Queue()
    asyncio.get_running_loop().call_soon(print, "soon")
    await queue.join()
    print("joined")
    await asyncio.sleep(0)


async def task_done_can_be_called_once_an_item(print):
    queue = asyncio.Queue()
    print(attempt(queue.task_done))
    queue.put_nowait("item")
    queue.task_done()
    print(attempt(queue.task_done), queue.qsize())


async def several_can_join(print):
    queue = asyncio.Queue()
    queue.put_nowait("item")

    async def join(name):
        await queue.join()
        print(name)

    tasks = [asyncio.create_task(join(name)) for name in "ab"]
    await turns(2)
    queue.get_nowait()
    queue.task_done()
    await asyncio.wait(tasks)


async def a_queue_that_is_shut_down_gives_what_it_has_and_takes_nothing(print):
    queue = asyncio.Queue()
    queue.put_nowait("a")
    queue.put_nowait("b")
    queue.shutdown()
    print(await outcome_of(queue.put("c")), attempt(lambda: queue.put_nowait("c")))
    print(await queue.get(), queue.get_nowait())
    print(await outcome_of(queue.get()), attempt(queue.get_nowait))
    queue.task_done()
    queue.task_done()
    await queue.join()
    print("joined")


async def shutdown_wakes_getters_and_putters(print):
    empty, full = asyncio.Queue(), asyncio.Queue(1)
    full.put_nowait("first")
    tasks = [asyncio.create_task(empty.get()), asyncio.create_task(full.put("second"))]
    await asyncio.sleep(0)
    empty.shutdown()
    full.shutdown()
    print([kind(await outcome_of(task)) for task in tasks], full.get_nowait())


async def at_once_it_drops_what_it_has(print):
    queue = asyncio.Queue(2)
    queue.put_nowait("a")
    queue.put_nowait("b")
    putter = asyncio.create_task(queue.put("c"))
    joiner = asyncio.create_task(queue.join())
    await asyncio.sleep(0)
    queue.shutdown(immediate=True)
    print(queue.qsize(), kind(await outcome_of(putter)), kind(await outcome_of(queue.get())))
    await joiner
    print("joined", kind(attempt(queue.task_done)))


async def join_after_a_shutdown_at_once_waits_for_what_was_taken_before(print):
    queue = asyncio.Queue()
    queue.put_nowait("a")
    queue.put_nowait("b")
    print(await queue.get())
    queue.shutdown(immediate=True)
    joiner = asyncio.create_task(queue.join())
    await turns(3)
    print(joiner.done())
    queue.task_done()
    await joiner
    print("joined")


async def a_second_shutdown_at_once_drops_what_the_first_one_left(print):
    queue = asyncio.Queue()
    queue.put_nowait("a")
    queue.shutdown()
    print(queue.qsize())
    queue.shutdown(immediate=True)
    print(queue.qsize(), kind(attempt(queue.get_nowait)))


async def a_producer_and_a_consumer_alternate_over_a_queue_of_one(print):
    queue = asyncio.Queue(1)

    async def produce():
        for item in range(4):
            await queue.put(item)
            print("put", item)
        await queue.put(None)

    async def consume():
        while (item := await queue.get()) is not None:
            print("got", item)

    await asyncio.gather(produce(), consume())


async def a_maxsize_of_zero_or_less_is_no_bound(print):
    queue = asyncio.Queue(-1)
    for item in range(10):
        queue.put_nowait(item)
    print(queue.full(), queue.qsize(), queue.maxsize)


async def a_priority_queue_that_is_full_lets_the_putter_in_before_the_next_get(print):
    queue = asyncio.PriorityQueue(2)
    queue.put_nowait(3)
    queue.put_nowait(2)
    task = asyncio.create_task(queue.put(1))
    await asyncio.sleep(0)
    print(await queue.get())
    await task
    print(await queue.get(), await queue.get())
