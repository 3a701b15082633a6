"""Runs the Python programs of the themes named as arguments, and prints what they printed as JSON; see record.ts."""

import asyncio
import importlib.util
import inspect
import json
import pathlib
import sys

import helpers

HERE = pathlib.Path(__file__).parent


def load(theme):
    spec = importlib.util.spec_from_file_location(theme, HERE / "scenarios" / f"{theme}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(scenario):
    lines = []

    def print(*values):
        lines.append(" ".join(helpers.show(value) for value in values))

    # A plain function makes its own loops.
    if inspect.iscoroutinefunction(scenario):
        asyncio.run(scenario(print))
    else:
        scenario(print)
    return lines


def scenarios(module):
    return {
        name: each
        for name, each in vars(module).items()
        if inspect.isfunction(each) and each.__module__ == module.__name__ and not name.startswith("_")
    }


# Some attributes are there only once an instance is made.
SAMPLES = {
    "Condition": asyncio.Condition,
    "IncompleteReadError": lambda: asyncio.IncompleteReadError(b"", 1),
    "LimitOverrunError": lambda: asyncio.LimitOverrunError("", 0),
}


def public_names():
    """Every name of asyncio, and the public methods and attributes of those that are classes."""
    # What all classes have, exceptions and Python's own helpers is not asyncio's.
    common = set(dir(object)) | set(dir(OSError)) | {"mro"}
    names = {}
    for name in sorted(asyncio.__all__):
        value = getattr(asyncio, name)
        if not inspect.isclass(value):
            names[name] = None
            continue
        members = dir(SAMPLES[name]() if name in SAMPLES else value)
        names[name] = sorted(each for each in members if not each.startswith("_") and each not in common)
    return names


transcripts = {
    theme: {name: run(each) for name, each in scenarios(load(theme)).items()} for theme in sys.argv[1:]
}
print(json.dumps({"version": sys.version.split()[0], "transcripts": transcripts, "names": public_names()}))
