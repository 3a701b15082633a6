import asyncio

from helpers import attempt, kind, outcome_of, turns


def _fed(*chunks, eof=True, limit=65536):
    reader = asyncio.StreamReader(limit)
    for chunk in chunks:
        reader.feed_data(chunk)
    if eof:
        reader.feed_eof()
    return reader


async def read_gives_what_is_there_up_to_its_argument(print):
    reader = _fed(b"hello", b" world", eof=False)
    print(await reader.read(3), await reader.read(100))
    reader.feed_eof()
    print(await reader.read(10), await reader.read(0), reader.at_eof())


async def read_of_nothing_waits_for_nothing(print):
    reader = _fed(eof=False)
    print(await reader.read(0), await reader.readexactly(0))


async def read_without_an_argument_goes_on_to_the_end(print):
    reader = _fed(b"a\n", eof=False)
    task = asyncio.create_task(reader.read())
    await asyncio.sleep(0)
    reader.feed_data(b"b")
    await turns(2)
    print(task.done())
    reader.feed_eof()
    print(await task, await reader.read())


async def a_read_that_waits_goes_on_when_something_comes(print):
    reader = _fed(eof=False)
    task = asyncio.create_task(reader.read(2))
    await turns(2)
    reader.feed_data(b"abc")
    print(task.done())
    print(await task, await reader.read(2))


async def readline_gives_lines_with_their_end_and_the_rest(print):
    reader = _fed(b"first\nsec", b"ond\n\nlast")
    print([await reader.readline() for _ in range(5)], reader.at_eof())


async def a_line_that_comes_in_pieces_is_one(print):
    reader = _fed(eof=False)
    task = asyncio.create_task(reader.readline())
    for piece in [b"a", b"b", b"c\nd"]:
        await asyncio.sleep(0)
        reader.feed_data(piece)
    print(await task)
    print(await reader.read(10))


async def lines_can_be_iterated_over(print):
    async for line in _fed(b"one\ntwo\n", b"rest"):
        print(line)


async def readexactly_waits_for_so_many_and_takes_no_more(print):
    reader = _fed(b"ab", eof=False)
    task = asyncio.create_task(reader.readexactly(5))
    await asyncio.sleep(0)
    reader.feed_data(b"cd")
    await turns(2)
    print(task.done())
    reader.feed_data(b"efg")
    print(await task, await reader.read(10))


async def readexactly_at_the_end_raises_with_what_came_and_keeps_nothing(print):
    reader = _fed(b"abc")
    error = await outcome_of(reader.readexactly(5))
    print(error, error.partial, error.expected)
    print(await reader.read(), reader.at_eof())
    error = await outcome_of(reader.readexactly(1))
    print(error, error.partial)
    print(await outcome_of(reader.readexactly(-1)))


async def readuntil_takes_up_to_the_separator(print):
    reader = _fed(b"a--b--c")
    print(await reader.readuntil(b"--"), await reader.readuntil(b"--"))
    error = await outcome_of(reader.readuntil(b"--"))
    print(error, error.partial, error.expected)
    print(await reader.read())


async def a_separator_may_be_split_anywhere(print):
    data = b"one<sep>two<sep>"
    for at in range(1, len(data)):
        reader = _fed(eof=False)
        task = asyncio.create_task(reader.readuntil(b"<sep>"))
        await asyncio.sleep(0)
        reader.feed_data(data[:at])
        await turns(2)
        reader.feed_data(data[at:])
        print(await task, await reader.readuntil(b"<sep>"))


async def a_separator_that_comes_byte_by_byte_is_found(print):
    reader = _fed(eof=False)
    task = asyncio.create_task(reader.readuntil(b"aab"))
    for byte in b"aaabaab":
        reader.feed_data(bytes([byte]))
        await turns(2)
        print(task.done())
    print(await task, await reader.readuntil(b"aab"))


async def of_several_separators_the_first_to_end_counts(print):
    reader = _fed(b"a\r\nb\nc\rd")
    for _ in range(3):
        print(await reader.readuntil((b"\r\n", b"\n", b"\r")))
    print(kind(await outcome_of(reader.readuntil((b"\r\n", b"\n")))))


async def of_separators_that_end_together_the_shortest_counts(print):
    reader = _fed(b"abcd!efg")
    print(await reader.readuntil((b"bcd!", b"d!", b"!")), await reader.readuntil((b"efg", b"fg")))


async def separators_of_no_bytes_are_refused(print):
    reader = _fed(b"abc")
    print(await outcome_of(reader.readuntil(b"")))
    print(await outcome_of(reader.readuntil(())))


async def what_stands_before_a_separator_may_be_as_long_as_the_limit(print):
    reader = _fed(b"abcd\nabcde\n", limit=4)
    print(await reader.readuntil())
    error = await outcome_of(reader.readuntil())
    print(error, error.consumed)
    print(await reader.read(100))


async def a_search_without_a_hit_ends_at_the_limit_and_keeps_the_bytes(print):
    reader = _fed(b"abcdefg", eof=False, limit=4)
    error = await outcome_of(reader.readuntil(b"--"))
    print(error, error.consumed)
    print(await reader.readexactly(error.consumed), await reader.read(100))


async def the_limit_is_exceeded_while_more_comes(print):
    reader = _fed(eof=False, limit=4)
    task = asyncio.create_task(reader.readuntil(b"\n"))
    for _ in range(3):
        await asyncio.sleep(0)
        reader.feed_data(b"ab")
    error = await outcome_of(task)
    print(kind(error), error.consumed, await reader.read(100))


async def reads_by_count_know_no_limit(print):
    reader = _fed(b"abcdefghij", limit=3)
    print(await reader.readexactly(8), await reader.read())
    print(kind(attempt(lambda: asyncio.StreamReader(limit=0))))


async def at_eof_means_that_the_end_came_and_all_was_read(print):
    reader = _fed(b"a", eof=False)
    print(reader.at_eof())
    reader.feed_eof()
    print(reader.at_eof())
    await reader.read()
    print(reader.at_eof())


async def nothing_can_be_fed_after_the_end(print):
    reader = _fed(b"a")
    print(kind(attempt(lambda: reader.feed_data(b"b"))) in ("AssertionError", "RuntimeError"))


async def an_exception_wakes_the_reader_and_every_later_read_raises_it(print):
    reader = _fed(eof=False)
    print(reader.exception())
    task = asyncio.create_task(reader.read(10))
    await asyncio.sleep(0)
    error = ValueError("broken")
    reader.set_exception(error)
    print(await outcome_of(task) is error, reader.exception() is error)
    for read in [reader.read, reader.readline, reader.readuntil, lambda: reader.readexactly(1)]:
        print(await outcome_of(read()))


async def a_cancelled_read_takes_nothing_with_it(print):
    reader = _fed(eof=False)
    for _ in range(2):
        task = asyncio.create_task(reader.readexactly(4))
        await asyncio.sleep(0)
        reader.feed_data(b"ab")
        task.cancel()
        print(kind(await outcome_of(task)))
    print(await reader.read(10))


async def an_exception_set_after_the_reader_was_cancelled_hurts_nobody(print):
    reader = _fed(eof=False)
    task = asyncio.create_task(reader.readline())
    await asyncio.sleep(0)
    task.cancel()
    reader.set_exception(ValueError("late"))
    print(kind(await outcome_of(task)), reader.exception())


async def two_cannot_wait_for_the_same_bytes(print):
    reader = _fed(eof=False)
    task = asyncio.create_task(reader.read(1))
    await asyncio.sleep(0)
    print(kind(await outcome_of(reader.readline())))
    reader.feed_data(b"x")
    print(await task)


async def a_read_with_a_deadline_leaves_the_bytes_to_the_next(print):
    reader = _fed(b"par", eof=False)
    print(kind(await outcome_of(asyncio.wait_for(reader.readline(), 0.01))))
    reader.feed_data(b"tial\n")
    print(await reader.readline())


async def a_reader_that_finds_its_answer_gives_nobody_else_a_turn(print):
    reader = _fed(b"one\ntwo\n")
    asyncio.get_running_loop().call_soon(print, "soon")
    print(await reader.readline(), await reader.readexactly(4))
    await asyncio.sleep(0)
