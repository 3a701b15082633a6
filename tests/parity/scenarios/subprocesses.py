import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT

from helpers import attempt, kind, outcome_of


def _sh(text, **options):
    return asyncio.create_subprocess_exec("sh", "-c", text, **options)


async def the_return_code_is_the_exit_code(print):
    for text in ["exit 0", "exit 1", "exit 7", "exit 130", "exit 255"]:
        process = await _sh(text)
        before = process.returncode
        print(before, await process.wait(), process.returncode)


async def the_return_code_of_a_signal_is_its_number_below_zero(print):
    process = await asyncio.create_subprocess_exec("sleep", "60")
    process.terminate()
    print(await process.wait())
    process = await asyncio.create_subprocess_exec("sleep", "60")
    process.kill()
    print(await process.wait())
    process = await asyncio.create_subprocess_exec("sleep", "60")
    process.send_signal(signal.SIGHUP)
    print(await process.wait())
    process = await _sh("kill -USR1 $$")
    print(await process.wait())


async def a_process_may_catch_the_request_to_terminate(print):
    process = await _sh("trap 'echo caught; exit 5' TERM; echo ready; while :; do sleep 0.02; done", stdout=PIPE)
    print(await process.stdout.readline())
    process.terminate()
    print(await process.communicate(), process.returncode)


async def wait_gives_the_same_to_everybody_and_again(print):
    process = await _sh("sleep 0.05; exit 3")
    print(await asyncio.gather(process.wait(), process.wait()))
    print(await process.wait())


async def a_cancelled_wait_leaves_the_process_alone(print):
    process = await _sh("read line; exit 4", stdin=PIPE)
    print(kind(await outcome_of(asyncio.wait_for(process.wait(), 0.05))), process.returncode)
    process.stdin.write(b"go\n")
    print(await process.wait())


async def communicate_gives_both_outputs(print):
    process = await _sh("echo out; echo err >&2; exit 3", stdout=PIPE, stderr=PIPE)
    print(process.stdin)
    print(await process.communicate(), process.returncode)


async def communicate_gives_none_for_what_is_no_pipe(print):
    process = await _sh("echo out; echo err >&2", stdout=PIPE, stderr=DEVNULL)
    print(process.stderr)
    print(await process.communicate())
    process = await _sh("exit 0")
    print(await process.communicate(), process.stdin, process.stdout, process.stderr)


async def communicate_feeds_and_reads_at_once(print):
    process = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
    stdout, stderr = await process.communicate(b"x" * 1_000_000)
    print(len(stdout), stderr, process.returncode)


async def communicate_without_input_closes_stdin(print):
    process = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
    print(await process.communicate(), process.stdin.is_closing())


async def communicate_does_not_mind_a_process_that_does_not_read(print):
    process = await _sh("exec <&-; echo done; exit 6", stdin=PIPE, stdout=PIPE)
    print(await process.communicate(b"x" * 1_000_000), process.returncode)
    process = await asyncio.create_subprocess_exec("true", stdin=PIPE)
    print(await process.communicate(b"x" * 1_000_000), process.returncode)


async def communicate_again_gives_nothing_more(print):
    process = await _sh("echo once", stdout=PIPE)
    print(await process.communicate())
    print(await process.communicate())


async def a_cancelled_communicate_leaves_the_process_running(print):
    process = await asyncio.create_subprocess_exec("sleep", "60", stdout=PIPE)
    print(kind(await outcome_of(asyncio.wait_for(process.communicate(), 0.05))), process.returncode)
    process.kill()
    print(await process.wait())


async def the_shell_runs_a_command(print):
    process = await asyncio.create_subprocess_shell("echo $((1 + 2)) | cat; exit 4", stdout=PIPE)
    print(await process.communicate(), process.returncode)
    process = await asyncio.create_subprocess_shell("no_such_command_at_all", stderr=DEVNULL)
    print(await process.wait())


async def the_outputs_merge_in_the_order_in_which_they_were_written(print):
    text = "for i in 1 2 3; do echo out $i; echo err $i >&2; done; exit 2"
    process = await _sh(text, stdout=PIPE, stderr=STDOUT)
    print(process.stderr)
    print(await process.communicate(), process.returncode)
    process = await asyncio.create_subprocess_shell(text, stdout=PIPE, stderr=STDOUT)
    print(await process.communicate(), process.returncode)


async def without_an_output_both_merge_into_nothing(print):
    process = await _sh("echo out; echo err >&2", stdout=DEVNULL, stderr=STDOUT)
    print(await process.communicate(), process.stdout, process.stderr)


async def a_missing_program_is_found_by_the_start(print):
    print(kind(await outcome_of(asyncio.create_subprocess_exec("no_such_program"))))
    print(kind(await outcome_of(asyncio.create_subprocess_exec("/no/such/program"))))
    print(kind(await outcome_of(asyncio.create_subprocess_exec("no_such_program", stdout=PIPE, stderr=STDOUT))))
    print(kind(await outcome_of(asyncio.create_subprocess_exec("/no/such", stdin=PIPE, stdout=PIPE, stderr=STDOUT))))


async def what_is_no_program_is_found_by_the_start(print):
    print(kind(await outcome_of(asyncio.create_subprocess_exec("/etc/passwd"))))
    print(kind(await outcome_of(asyncio.create_subprocess_exec("/etc/passwd", stdout=PIPE, stderr=STDOUT))))
    print(kind(await outcome_of(asyncio.create_subprocess_exec("/etc"))))
    print(kind(await outcome_of(asyncio.create_subprocess_exec("/etc", stdout=PIPE, stderr=STDOUT))))


async def a_missing_folder_is_found_by_the_start(print):
    print(kind(await outcome_of(asyncio.create_subprocess_exec("true", cwd="/no/such/folder"))))


async def arguments_are_passed_as_they_are(print):
    args = ["a b", "$HOME", "'", '"', "", "*", "ä\n"]
    process = await asyncio.create_subprocess_exec("printf", "[%s]", *args, stdout=PIPE)
    print(await process.communicate())
    process = await asyncio.create_subprocess_exec("printf", "[%s]", *args, stdout=PIPE, stderr=STDOUT)
    print(await process.communicate())


async def env_is_the_whole_environment(print):
    process = await asyncio.create_subprocess_exec("/usr/bin/env", env={"A": "1", "B": "two words"}, stdout=PIPE)
    print(await process.communicate())
    process = await asyncio.create_subprocess_shell("echo $A-$HOME", env={"A": "1"}, stdout=PIPE)
    print(await process.communicate())


async def cwd_is_where_it_runs(print):
    process = await asyncio.create_subprocess_exec("pwd", cwd="/usr", stdout=PIPE)
    print(await process.communicate())


async def lines_go_to_and_fro(print):
    process = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
    for line in [b"one\n", b"two\n"]:
        process.stdin.write(line)
        await process.stdin.drain()
        print(await process.stdout.readline())
    process.stdin.close()
    print(await process.stdout.read(), await process.wait())


async def the_output_can_be_read_after_the_end(print):
    process = await _sh("echo last words; exit 1", stdout=PIPE)
    print(await process.wait())
    print(await process.stdout.read(), process.stdout.at_eof())


async def no_input_is_the_end_of_data(print):
    process = await asyncio.create_subprocess_exec("cat", stdin=DEVNULL, stdout=PIPE)
    print(await process.communicate(), process.returncode)


async def write_eof_ends_the_input(print):
    process = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
    print(process.stdin.can_write_eof())
    process.stdin.write(b"all")
    process.stdin.write_eof()
    print(await process.stdout.read(), await process.wait())


async def options_for_text_are_refused(print):
    async def refusal(function, *args, **options):
        print(await outcome_of(function(*args, **options)))

    execute, shell = asyncio.create_subprocess_exec, asyncio.create_subprocess_shell
    await refusal(execute, "true", universal_newlines=True)
    await refusal(execute, "true", shell=True)
    await refusal(execute, "true", bufsize=4096)
    await refusal(execute, "true", text=True)
    await refusal(execute, "true", encoding="utf-8")
    await refusal(execute, "true", errors="strict")
    await refusal(shell, "true", universal_newlines=True)
    await refusal(shell, "true", shell=False)
    await refusal(shell, "true", bufsize=4096)
    await refusal(shell, "true", text=True)
    process = await execute("true", text=False, bufsize=0, encoding=None, shell=False)
    print(await process.wait())


async def an_open_file_takes_the_output(print):
    with open(os.devnull, "w") as file:
        process = await _sh("echo out; echo err >&2", stdout=file.fileno(), stderr=STDOUT)
        print(process.stdout, process.stderr, await process.wait())


async def a_signal_handler_runs_in_the_loop_with_its_arguments(print):
    loop = asyncio.get_running_loop()
    came = asyncio.Event()

    def handler(*args):
        print("handler", args)
        came.set()

    print(loop.add_signal_handler(signal.SIGUSR2, handler, 1, "two"))
    os.kill(os.getpid(), signal.SIGUSR2)
    await came.wait()
    print(loop.remove_signal_handler(signal.SIGUSR2), loop.remove_signal_handler(signal.SIGUSR2))


async def a_signal_handler_replaces_the_one_before(print):
    loop = asyncio.get_running_loop()
    came = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR2, print, "first")
    loop.add_signal_handler(signal.SIGUSR2, came.set)
    os.kill(os.getpid(), signal.SIGUSR2)
    await came.wait()
    print("second")
    loop.remove_signal_handler(signal.SIGUSR2)


async def a_signal_that_cannot_be_caught_is_refused(print):
    loop = asyncio.get_running_loop()
    print(kind(attempt(lambda: loop.add_signal_handler(signal.SIGKILL, print))))
    print(kind(attempt(lambda: loop.add_signal_handler(signal.SIGSTOP, print))))
    print(loop.remove_signal_handler(signal.SIGHUP))


async def a_signal_handler_that_raises_goes_to_the_exception_handler(print):
    loop = asyncio.get_running_loop()
    heard = loop.create_future()
    loop.set_exception_handler(lambda _loop, context: heard.set_result(context["exception"]))

    def handler():
        raise ValueError("bad")

    loop.add_signal_handler(signal.SIGUSR2, handler)
    os.kill(os.getpid(), signal.SIGUSR2)
    print(await heard)
    loop.remove_signal_handler(signal.SIGUSR2)
