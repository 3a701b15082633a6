import asyncio

from helpers import attempt, kind, outcome_of, turns


async def all_go_on_when_the_last_has_come(print):
    barrier = asyncio.Barrier(3)

    async def work(name):
        print(name, "comes", barrier.n_waiting)
        index = await barrier.wait()
        print(name, "goes on", index)

    print(barrier.parties, barrier.n_waiting, barrier.broken)
    await asyncio.gather(*[work(name) for name in "abc"])
    print(barrier.n_waiting, barrier.broken)


async def it_takes_at_least_one(print):
    print(attempt(lambda: asyncio.Barrier(0)), attempt(lambda: asyncio.Barrier(-1)))
    barrier = asyncio.Barrier(1)
    print(await barrier.wait(), await barrier.wait())


async def as_a_block_it_gives_the_number_of_each(print):
    barrier = asyncio.Barrier(2)

    async def work(name):
        async with barrier as index:
            print(name, index)

    await asyncio.gather(work("a"), work("b"))


async def it_can_be_used_round_after_round(print):
    barrier = asyncio.Barrier(2)
    indices = []

    async def work():
        for _ in range(3):
            indices.append(await barrier.wait())

    await asyncio.gather(work(), work())
    print(sorted(indices), barrier.n_waiting)


async def those_who_come_while_it_empties_wait_for_the_next_round(print):
    barrier = asyncio.Barrier(2)

    async def work(name):
        await barrier.wait()
        print(name)

    first = [asyncio.create_task(work(name)) for name in "ab"]
    await asyncio.sleep(0)
    third = asyncio.create_task(work("c"))
    await asyncio.wait(first)
    await turns(4)
    print(third.done(), barrier.n_waiting)
    await work("d")
    await third


async def one_who_is_cancelled_leaves_and_breaks_nothing(print):
    barrier = asyncio.Barrier(2)
    task = asyncio.create_task(barrier.wait())
    await asyncio.sleep(0)
    print(barrier.n_waiting)
    task.cancel()
    print(kind(await outcome_of(task)), barrier.n_waiting, barrier.broken)
    print(sorted(await asyncio.gather(barrier.wait(), barrier.wait())))


async def reset_ends_the_waits_and_leaves_it_usable(print):
    barrier = asyncio.Barrier(3)
    tasks = [asyncio.create_task(barrier.wait()) for _ in range(2)]
    await asyncio.sleep(0)
    await barrier.reset()
    print([kind(await outcome_of(task)) for task in tasks])
    print(barrier.broken, barrier.n_waiting)
    print(sorted(await asyncio.gather(*[barrier.wait() for _ in range(3)])))


async def reset_with_nobody_there_changes_nothing(print):
    barrier = asyncio.Barrier(1)
    await barrier.reset()
    print(barrier.broken, barrier.n_waiting, await barrier.wait())


async def one_who_comes_back_after_a_reset_is_counted_anew(print):
    barrier = asyncio.Barrier(2)

    async def work():
        print(await outcome_of(barrier.wait()))
        return await barrier.wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await barrier.reset()
    await turns(4)
    print(barrier.n_waiting)
    print(sorted([await barrier.wait(), await task]))


async def abort_breaks_it_for_good(print):
    barrier = asyncio.Barrier(2)
    task = asyncio.create_task(barrier.wait())
    await asyncio.sleep(0)
    await barrier.abort()
    print(await outcome_of(task))
    print(await outcome_of(barrier.wait()))
    print(barrier.broken, barrier.n_waiting)


async def a_reset_mends_what_was_aborted(print):
    barrier = asyncio.Barrier(1)
    await barrier.abort()
    print(barrier.broken)
    await barrier.reset()
    print(barrier.broken, await barrier.wait())


async def a_deadline_of_one_lets_the_others_wait_on(print):
    barrier = asyncio.Barrier(2)
    task = asyncio.create_task(barrier.wait())
    await asyncio.sleep(0)
    print(await outcome_of(asyncio.wait_for(asyncio.Barrier(2).wait(), 0.01)))
    print(task.done(), barrier.n_waiting)
    print(sorted([await barrier.wait(), await task]))


async def a_reset_while_it_empties_ends_nobodys_round(print):
    barrier = asyncio.Barrier(3)
    results = []

    async def work(resets):
        try:
            await barrier.wait()
            if resets:
                await barrier.reset()
            results.append("through")
        except asyncio.BrokenBarrierError:
            results.append("broken")

    await asyncio.gather(work(False), work(False), work(True))
    print(sorted(results), barrier.broken, barrier.n_waiting)
    print(sorted(await asyncio.gather(*[barrier.wait() for _ in range(3)])))


async def an_abort_while_others_wait_for_the_next_round_reaches_them(print):
    barrier = asyncio.Barrier(2)

    async def work(name):
        print(name, kind(await outcome_of(barrier.wait())))

    first = [asyncio.create_task(work(name)) for name in "ab"]
    await asyncio.sleep(0)
    third = asyncio.create_task(work("c"))
    await turns(6)
    await barrier.abort()
    await asyncio.wait([*first, third])
    print(barrier.broken)


async def one_who_is_cancelled_as_the_last_one_comes(print):
    barrier = asyncio.Barrier(2)

    async def work(name):
        print(name, kind(await outcome_of(barrier.wait())))

    a = asyncio.create_task(work("a"))
    await asyncio.sleep(0)
    b = asyncio.create_task(work("b"))
    a.cancel()
    await asyncio.wait([a, b], timeout=0.02)
    print(a.done(), b.done(), barrier.n_waiting)
    b.cancel()
    await asyncio.wait([b])


async def one_who_is_cancelled_after_the_last_one_came(print):
    barrier = asyncio.Barrier(2)

    async def work(name):
        result = await outcome_of(barrier.wait())
        print(name, kind(result))

    a = asyncio.create_task(work("a"))
    await asyncio.sleep(0)
    b = asyncio.create_task(work("b"))
    await asyncio.sleep(0)
    a.cancel()
    await asyncio.wait([a, b], timeout=0.05)
    print(a.done(), b.done(), barrier.n_waiting, barrier.broken)
