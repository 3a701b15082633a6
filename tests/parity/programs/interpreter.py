"""Runs the programs that it reads as JSON, and prints their transcripts as JSON; interpreter.ts is the twin."""

import asyncio
import heapq
import inspect
import json
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parent.parent))

from helpers import attempt, show


class OrderedTimer(asyncio.TimerHandle):
    """A timer that runs after those that were set before it for the same time."""

    count = 0

    def __init__(self, *args):
        super().__init__(*args)
        OrderedTimer.count += 1
        self.order = OrderedTimer.count

    def __lt__(self, other):
        return (self._when, self.order) < (other._when, other.order)


class VirtualLoop(asyncio.BaseEventLoop):
    """A loop without a selector, whose clock jumps to the next timer once nothing is left to run."""

    def __init__(self):
        super().__init__()
        self._now = 0
        self._selector = self

    def time(self):
        return self._now

    def select(self, timeout):
        if timeout is None:
            raise RuntimeError("The program waits for ever")
        self._now += timeout
        return []

    def _process_events(self, events):
        pass

    def call_at(self, when, callback, *args, context=None):
        timer = OrderedTimer(when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True
        return timer


class LockUse:
    """For semaphores as well."""

    def __init__(self, lock):
        self.lock = lock

    def state(self):
        return [self.lock.locked(), getattr(self.lock, "_value", 0)]

    async def acquire(self, step, run):
        return await self.lock.acquire()

    def release(self, step, run):
        return self.lock.release()

    async def with_(self, step, run):
        async with self.lock as entered:
            await run()
        return entered


class EventUse:
    def __init__(self):
        self.event = asyncio.Event()

    def state(self):
        return [self.event.is_set()]

    async def wait(self, step, run):
        return await self.event.wait()

    def set(self, step, run):
        return self.event.set()

    def clear(self, step, run):
        return self.event.clear()


class ConditionUse(LockUse):
    """Those that wait for goods take them."""

    def __init__(self):
        super().__init__(asyncio.Condition())
        self.goods = 0

    def state(self):
        return [self.lock.locked(), self.goods]

    async def wait(self, step, run):
        return await self.lock.wait()

    async def wait_for(self, step, run):
        def takes():
            taken = self.goods >= step["n"]
            if taken:
                self.goods -= step["n"]
            return taken

        return await self.lock.wait_for(takes)

    def put(self, step, run):
        self.goods += step["n"]
        return self.lock.notify(step["n"])

    def notify(self, step, run):
        return self.lock.notify(step["n"])

    def notify_all(self, step, run):
        return self.lock.notify_all()


class BarrierUse:
    def __init__(self, parties):
        self.barrier = asyncio.Barrier(parties)

    def state(self):
        return [self.barrier.n_waiting, self.barrier.broken]

    async def wait(self, step, run):
        return await self.barrier.wait()

    async def reset(self, step, run):
        return await self.barrier.reset()

    async def abort(self, step, run):
        return await self.barrier.abort()

    async def with_(self, step, run):
        async with self.barrier as number:
            await run()
        return number


class QueueUse:
    def __init__(self, queue):
        self.queue = queue

    def state(self):
        return [self.queue.qsize(), self.queue.full()]

    async def put(self, step, run):
        return await self.queue.put(step["n"])

    async def get(self, step, run):
        return await self.queue.get()

    async def join(self, step, run):
        return await self.queue.join()

    def put_nowait(self, step, run):
        return self.queue.put_nowait(step["n"])

    def get_nowait(self, step, run):
        return self.queue.get_nowait()

    def task_done(self, step, run):
        return self.queue.task_done()

    def shutdown(self, step, run):
        return self.queue.shutdown(immediate=step["n"] == 1)


def use_of(kind, size):
    if kind in ("Semaphore", "BoundedSemaphore"):
        return LockUse(getattr(asyncio, kind)(size))
    if kind in ("Queue", "LifoQueue", "PriorityQueue"):
        return QueueUse(getattr(asyncio, kind)(size))
    if kind == "Barrier":
        return BarrierUse(size)
    return {"Lock": lambda: LockUse(asyncio.Lock()), "Event": EventUse, "Condition": ConditionUse}[kind]()


class Run:
    """One run of a program."""

    def __init__(self, program):
        self.program = program
        self.use = use_of(program["kind"], program["size"])
        self.lines = []
        self.tasks = []
        self.cancels = 0

    def note(self, who, *words):
        time = int(asyncio.get_running_loop().time())
        self.lines.append(" ".join([str(time), who, *words, "|", *map(show, self.use.state())]))

    async def main(self):
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        scripts = self.program["tasks"]
        for number, script in enumerate(scripts):
            self.tasks.append(asyncio.create_task(self.play(chr(65 + number), script)))
        await asyncio.sleep(100)
        # Whoever still waits does so for ever: it is cancelled, and what it then does is to be seen as well.
        for _ in range(50):
            stuck = [task for task in self.tasks if not task.done()]
            if not stuck:
                break
            self.note("stuck", str(len(stuck)))
            if isinstance(self.use, ConditionUse) and self.use.lock.locked():
                self.use.lock.release()
            for task in stuck:
                task.cancel("stuck")
            await asyncio.sleep(100)
        else:
            raise RuntimeError("The program waits for ever")
        for number in range(len(scripts)):
            try:
                outcome = await self.tasks[number]
            except asyncio.CancelledError as error:
                outcome = error
            self.note(chr(65 + number), "ends:", show(outcome))

    async def play(self, who, script):
        for step in script["steps"]:
            try:
                await self.perform(who, step)
            except asyncio.CancelledError:
                if not script["goes_on"]:
                    raise
            except Exception:
                pass

    async def steps(self, who, steps):
        for step in steps:
            await self.perform(who, step)

    async def perform(self, who, step):
        does = step["does"]
        if step.get("soon"):
            asyncio.get_running_loop().call_soon(self.perform_soon, who, step)
            return
        try:
            if does == "pair":
                self.note(who, "acquire:", show(await self.limited(who, step, "acquire")))
                try:
                    await self.steps(who, step["steps"])
                finally:
                    self.use.lock.release()
                result = None
            else:
                result = await self.limited(who, step, does)
        except BaseException as error:
            self.note(who, f"{does}:", show(error))
            raise
        self.note(who, f"{does}:", show(result))

    def perform_soon(self, who, step):
        outcome = attempt(lambda: self.start(who, step, step["does"]))
        self.note(who, f"soon {step['does']}:", show(outcome))

    async def limited(self, who, step, does):
        limit = step.get("limit")
        if limit is None:
            return await self.act(who, step, does)
        seconds = limit["seconds"]
        if limit["how"] == "timeout":
            async with asyncio.timeout(seconds):
                return await self.act(who, step, does)
        if limit["how"] != "task":
            return await asyncio.wait_for(self.act(who, step, does), seconds)
        task = asyncio.create_task(self.act(who, step, does))
        self.tasks.append(task)
        try:
            for _ in range(limit["turns"]):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            task.cancel()
            raise
        return await asyncio.wait_for(task, seconds)

    async def act(self, who, step, does):
        result = self.start(who, step, does)
        return await result if inspect.isawaitable(result) else result

    def start(self, who, step, does):
        """What the step does, if it does not wait; otherwise something to await."""
        if does == "turns":
            return self.turns(who, step["n"])
        if does == "sleep":
            return asyncio.sleep(step["n"])
        if does == "cancel":
            self.cancels += 1
            return self.tasks[step["n"]].cancel(f"#{self.cancels}")
        method = getattr(self.use, "with_" if does == "with" else does)
        return method(step, lambda: self.steps(who, step["steps"]))

    async def turns(self, who, count):
        for _ in range(count):
            await asyncio.sleep(0)
            self.note(who, "turn")


def transcript(program):
    run = Run(program)
    asyncio.run(run.main(), loop_factory=VirtualLoop)
    return run.lines


print(json.dumps([transcript(each) for each in json.load(sys.stdin)]))
