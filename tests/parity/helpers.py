"""What the Python programs share; helpers.ts is the twin."""

import asyncio
import re


def show(value, nested=False):
    """One form for both languages: truth values and None as Python's, tuples as lists, errors by class and text."""
    if isinstance(value, BaseException):
        text = re.sub("<.*>", "<...>", str(value))
        shown = type(value).__name__ + (": " + text if text else "")
        if isinstance(value, BaseExceptionGroup):
            shown += " " + show(list(value.exceptions))
        return shown
    if isinstance(value, str):
        return f"'{value}'" if nested else value
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(show(each, True) for each in value) + "]"
    if value is None or isinstance(value, (bool, int)):
        return str(value)
    if isinstance(value, bytes):
        return repr(value)
    raise TypeError(f"Cannot show a {type(value).__name__}")


def kind(error):
    """The class alone, where the text is each language's own; a result as it is."""
    return type(error).__name__ if isinstance(error, BaseException) else error


def attempt(function):
    """What a call returns or raises."""
    try:
        return function()
    except BaseException as error:
        return error


async def outcome_of(awaitable):
    """What an awaitable ends with."""
    try:
        return await awaitable
    except BaseException as error:
        return error


def ticks(print, count):
    """Prints the number of each of the loop's next iterations."""
    loop = asyncio.get_running_loop()

    def tick(number):
        print(number)
        if number < count:
            loop.call_soon(tick, number + 1)

    loop.call_soon(tick, 1)


async def turns(count):
    """Lets the loop run so many iterations."""
    for _ in range(count):
        await asyncio.sleep(0)


async def cancelled_with(awaitable, print, word):
    """Awaits; says a word if that is cancelled, and passes the cancellation on."""
    try:
        return await awaitable
    except asyncio.CancelledError:
        print(word)
        raise
