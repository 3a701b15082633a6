import asyncio
import signal
from asyncio.subprocess import DEVNULL, STDOUT

from helpers import attempt, kind, outcome_of


class _Recorder(asyncio.SubprocessProtocol):
    """Notes the calls of its methods; those with data of one pipe as one, until another comes."""

    def __init__(self):
        self.calls = []
        self.data = {1: b"", 2: b""}
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        self.calls.append("made")

    def pipe_data_received(self, fd, data):
        self.data[fd] += data
        if self.calls[-1] != f"data {fd}":
            self.calls.append(f"data {fd}")

    def pipe_connection_lost(self, fd, error):
        self.calls.append(f"pipe {fd} {kind(error)}")

    def process_exited(self):
        self.calls.append(f"exited {self.transport.get_returncode()}")

    def connection_lost(self, error):
        self.calls.append(f"lost {kind(error)}")
        self.done.set_result(self.transport.get_returncode())

    def pause_writing(self):
        self.calls.append("pause")

    def resume_writing(self):
        self.calls.append("resume")


async def _sh(text, **options):
    loop = asyncio.get_running_loop()
    return await loop.subprocess_exec(_Recorder, "sh", "-c", text, **options)


async def _until(condition):
    while not condition():
        await asyncio.sleep(0.002)


async def a_protocol_is_told_of_data_pipes_exit_and_at_last_its_end(print):
    transport, protocol = await _sh("cat; echo oh >&2; exit 3")
    print(protocol.calls, protocol.transport is transport, transport.get_protocol() is protocol)
    print(transport.get_returncode(), transport.get_pid() > 0)
    stdin = transport.get_pipe_transport(0)
    stdin.write(b"hello ")
    await _until(lambda: protocol.data[1] == b"hello ")
    stdin.write(b"world")
    stdin.close()
    print(await protocol.done, protocol.data[1], protocol.data[2])
    print(sorted(set(protocol.calls[1:-1])), protocol.calls[-1])
    transport.close()


async def a_shell_runs_a_command(print):
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.subprocess_shell(_Recorder, "echo out; echo err >&2; exit 4")
    transport.get_pipe_transport(0).close()
    print(await protocol.done, protocol.data[1], protocol.data[2])
    transport.close()


async def the_return_code_is_the_exit_code(print):
    for code in [0, 1, 7, 130, 255]:
        transport, protocol = await _sh(f"exit {code}", stdin=None, stdout=None, stderr=None)
        print(transport.get_returncode(), await protocol.done, transport.get_returncode(), protocol.calls)
        transport.close()


async def without_pipes_there_are_no_transports_for_them(print):
    transport, protocol = await _sh("exit 0", stdin=None, stdout=DEVNULL, stderr=None)
    print([transport.get_pipe_transport(fd) for fd in range(3)])
    print(transport.get_pipe_transport(7))
    print(await protocol.done, protocol.calls)
    transport.close()


async def all_streams_are_pipes_unless_something_else_is_said(print):
    transport, protocol = await _sh("exit 0")
    print([transport.get_pipe_transport(fd) is None for fd in range(3)])
    await protocol.done
    transport.close()


async def a_signal_is_the_return_code_below_zero(print):
    ends = [
        lambda transport: transport.kill(),
        lambda transport: transport.terminate(),
        lambda transport: transport.send_signal(signal.SIGHUP),
    ]
    for end in ends:
        transport, protocol = await asyncio.get_running_loop().subprocess_exec(_Recorder, "sleep", "60")
        end(transport)
        print(await protocol.done, f"exited {transport.get_returncode()}" in protocol.calls, protocol.calls[-1])
        transport.close()


async def close_closes_the_pipes_and_kills_the_program(print):
    transport, protocol = await _sh("echo ready; exec sleep 60")
    await _until(lambda: protocol.data[1] == b"ready\n")
    print(transport.is_closing())
    transport.close()
    transport.close()
    print(transport.is_closing())
    print(await protocol.done, protocol.calls)


async def close_after_the_end_does_nothing(print):
    transport, protocol = await _sh("exit 7", stdin=None, stdout=None, stderr=None)
    await protocol.done
    print(transport.is_closing(), transport.close(), transport.is_closing())
    print(transport.get_returncode(), protocol.calls)


async def standard_error_may_come_with_standard_output(print):
    transport, protocol = await _sh("cat; echo err >&2; echo out", stderr=STDOUT)
    print(transport.get_pipe_transport(1) is None, transport.get_pipe_transport(2) is None)
    transport.get_pipe_transport(0).write(b"in ")
    transport.get_pipe_transport(0).write_eof()
    print(await protocol.done, protocol.data[1], protocol.data[2])
    transport.close()


async def write_eof_closes_the_pipe(print):
    transport, protocol = await _sh("cat; sleep 0.05")
    stdin = transport.get_pipe_transport(0)
    print(stdin.can_write_eof())
    stdin.write(b"x" * 300000)
    stdin.write_eof()
    print(stdin.is_closing())
    print(attempt(lambda: stdin.write(b"late")))
    print(await protocol.done, len(protocol.data[1]))
    print("pipe 0 None" in protocol.calls)
    transport.close()


async def a_program_that_writes_to_a_pipe_closed_here_gets_an_error(print):
    transport, protocol = await _sh("trap '' PIPE; read line; while echo a 2>/dev/null; do :; done; echo broken >&2; cat >&2")
    transport.get_pipe_transport(1).close()
    await _until(lambda: "pipe 1 None" in protocol.calls)
    transport.get_pipe_transport(0).write(b"go\n")
    await _until(lambda: protocol.data[2] != b"")
    print(protocol.data[1], protocol.data[2])
    transport.close()
    print(await protocol.done)


async def input_that_nobody_reads_breaks_its_pipe_alone(print):
    transport, protocol = await _sh("read line; exec <&-; echo closed; sleep 0.05; echo still here")
    stdin = transport.get_pipe_transport(0)
    stdin.write(b"\n" + b"x" * 1000000)
    print(protocol.calls)
    print(await protocol.done, protocol.data[1])
    print("pipe 0 BrokenPipeError" in protocol.calls)
    transport.close()


async def pause_writing_and_resume_writing_tell_of_a_program_that_does_not_read(print):
    transport, protocol = await _sh("sleep 0.05; wc -c")
    stdin = transport.get_pipe_transport(0)
    stdin.write(b"x" * 1000000)
    print(protocol.calls)
    await _until(lambda: "resume" in protocol.calls)
    stdin.close()
    print(await protocol.done, protocol.data[1].strip())
    print([each for each in protocol.calls if each in ("pause", "resume")])
    transport.close()


async def connection_lost_waits_for_pipes_that_others_hold(print):
    transport, protocol = await _sh("(sleep 0.1; echo late) & exit 5", stdin=None, stderr=None)
    print(await protocol.done, protocol.calls)
    transport.close()


async def connection_lost_waits_for_the_exit(print):
    transport, protocol = await _sh("exec >&- 2>&-; sleep 0.1; exit 6", stdin=None)
    print(await protocol.done, sorted(protocol.calls[1:3]), protocol.calls[3:])
    transport.close()


async def a_program_that_is_not_there_is_an_error_of_the_call(print):
    loop = asyncio.get_running_loop()
    made = []

    def make():
        made.append(_Recorder())
        return made[0]

    print(kind(await outcome_of(loop.subprocess_exec(make, "no-such-program"))))
    print(len(made), made[0].calls)


async def set_protocol_has_another_one_told(print):
    transport, first = await _sh("cat", stderr=None)
    second = _Recorder()
    second.calls.append("set")
    second.transport = transport
    transport.set_protocol(second)
    print(transport.get_protocol() is second)
    transport.get_pipe_transport(0).write(b"x")
    await _until(lambda: second.data[1] == b"x")
    transport.get_pipe_transport(0).close()
    print(await second.done, first.calls, sorted(second.calls))
    transport.close()


async def an_error_of_a_method_is_reported_as_one_of_a_callback_and_ends_nothing(print):
    class Failing(_Recorder):
        def pipe_data_received(self, fd, data):
            super().pipe_data_received(fd, data)
            raise ValueError("data")

        def process_exited(self):
            super().process_exited()
            raise ValueError("exited")

    reports = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: reports.append(context))
    transport, protocol = await loop.subprocess_exec(Failing, "echo", "hello", stdin=None, stderr=None)
    print(await protocol.done, protocol.data[1])
    for each in sorted(reports, key=lambda each: str(each["exception"])):
        print(" ".join(each["message"].split()[:3]), each["exception"], sorted(each))
    transport.close()


async def what_makes_no_sense_is_refused(print):
    loop = asyncio.get_running_loop()
    for name, value in [("universal_newlines", True), ("shell", True), ("bufsize", 1), ("text", True)]:
        print(await outcome_of(loop.subprocess_exec(_Recorder, "true", **{name: value})))
    print(await outcome_of(loop.subprocess_exec(_Recorder, "true", encoding="utf-8")))
    print(await outcome_of(loop.subprocess_exec(_Recorder, "true", errors="strict")))
    print(await outcome_of(loop.subprocess_shell(_Recorder, "true", shell=False)))
