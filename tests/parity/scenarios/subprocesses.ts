import fs from "node:fs";
import * as asyncio from "../../../mod.ts";
import { attempt, kind, outcome_of, type Print } from "../helpers.ts";

const { DEVNULL, PIPE, STDOUT } = asyncio.subprocess;

function sh(text: string, options: asyncio.SubprocessOptions = {}): asyncio.Future<asyncio.Process> {
  return asyncio.create_subprocess_exec("sh", "-c", text, options);
}

function bytes(size: number): Uint8Array {
  return new Uint8Array(size).fill(120);
}

export async function the_return_code_is_the_exit_code(print: Print) {
  for (const text of ["exit 0", "exit 1", "exit 7", "exit 130", "exit 255"]) {
    const process = await sh(text);
    const before = process.returncode;
    print(before, await process.wait(), process.returncode);
  }
}

export async function the_return_code_of_a_signal_is_its_number_below_zero(print: Print) {
  let process = await asyncio.create_subprocess_exec("sleep", "60");
  process.terminate();
  print(await process.wait());
  process = await asyncio.create_subprocess_exec("sleep", "60");
  process.kill();
  print(await process.wait());
  process = await asyncio.create_subprocess_exec("sleep", "60");
  process.send_signal("SIGHUP");
  print(await process.wait());
  process = await sh("kill -USR1 $$");
  print(await process.wait());
}

export async function a_process_may_catch_the_request_to_terminate(print: Print) {
  const process = await sh("trap 'echo caught; exit 5' TERM; echo ready; while :; do sleep 0.02; done", {
    stdout: PIPE,
  });
  print(await process.stdout!.readline());
  process.terminate();
  print(await process.communicate(), process.returncode);
}

export async function wait_gives_the_same_to_everybody_and_again(print: Print) {
  const process = await sh("sleep 0.05; exit 3");
  print(await asyncio.gather(process.wait(), process.wait()));
  print(await process.wait());
}

export async function a_cancelled_wait_leaves_the_process_alone(print: Print) {
  const process = await sh("read line; exit 4", { stdin: PIPE });
  print(kind(await outcome_of(asyncio.wait_for(process.wait(), 0.05))), process.returncode);
  process.stdin!.write("go\n");
  print(await process.wait());
}

export async function communicate_gives_both_outputs(print: Print) {
  const process = await sh("echo out; echo err >&2; exit 3", { stdout: PIPE, stderr: PIPE });
  print(process.stdin);
  print(await process.communicate(), process.returncode);
}

export async function communicate_gives_none_for_what_is_no_pipe(print: Print) {
  let process = await sh("echo out; echo err >&2", { stdout: PIPE, stderr: DEVNULL });
  print(process.stderr);
  print(await process.communicate());
  process = await sh("exit 0");
  print(await process.communicate(), process.stdin, process.stdout, process.stderr);
}

export async function communicate_feeds_and_reads_at_once(print: Print) {
  const process = await asyncio.create_subprocess_exec("cat", { stdin: PIPE, stdout: PIPE });
  const [stdout, stderr] = await process.communicate(bytes(1_000_000));
  print(stdout!.length, stderr, process.returncode);
}

export async function communicate_without_input_closes_stdin(print: Print) {
  const process = await asyncio.create_subprocess_exec("cat", { stdin: PIPE, stdout: PIPE });
  print(await process.communicate(), process.stdin!.is_closing());
}

export async function communicate_does_not_mind_a_process_that_does_not_read(print: Print) {
  let process = await sh("exec <&-; echo done; exit 6", { stdin: PIPE, stdout: PIPE });
  print(await process.communicate(bytes(1_000_000)), process.returncode);
  process = await asyncio.create_subprocess_exec("true", { stdin: PIPE });
  print(await process.communicate(bytes(1_000_000)), process.returncode);
}

export async function communicate_again_gives_nothing_more(print: Print) {
  const process = await sh("echo once", { stdout: PIPE });
  print(await process.communicate());
  print(await process.communicate());
}

export async function a_cancelled_communicate_leaves_the_process_running(print: Print) {
  const process = await asyncio.create_subprocess_exec("sleep", "60", { stdout: PIPE });
  print(kind(await outcome_of(asyncio.wait_for(process.communicate(), 0.05))), process.returncode);
  process.kill();
  print(await process.wait());
}

export async function the_shell_runs_a_command(print: Print) {
  let process = await asyncio.create_subprocess_shell("echo $((1 + 2)) | cat; exit 4", { stdout: PIPE });
  print(await process.communicate(), process.returncode);
  process = await asyncio.create_subprocess_shell("no_such_command_at_all", { stderr: DEVNULL });
  print(await process.wait());
}

export async function the_outputs_merge_in_the_order_in_which_they_were_written(print: Print) {
  const text = "for i in 1 2 3; do echo out $i; echo err $i >&2; done; exit 2";
  let process = await sh(text, { stdout: PIPE, stderr: STDOUT });
  print(process.stderr);
  print(await process.communicate(), process.returncode);
  process = await asyncio.create_subprocess_shell(text, { stdout: PIPE, stderr: STDOUT });
  print(await process.communicate(), process.returncode);
}

export async function without_an_output_both_merge_into_nothing(print: Print) {
  const process = await sh("echo out; echo err >&2", { stdout: DEVNULL, stderr: STDOUT });
  print(await process.communicate(), process.stdout, process.stderr);
}

export async function a_missing_program_is_found_by_the_start(print: Print) {
  const execute = asyncio.create_subprocess_exec;
  print(kind(await outcome_of(execute("no_such_program"))));
  print(kind(await outcome_of(execute("/no/such/program"))));
  print(kind(await outcome_of(execute("no_such_program", { stdout: PIPE, stderr: STDOUT }))));
  print(kind(await outcome_of(execute("/no/such", { stdin: PIPE, stdout: PIPE, stderr: STDOUT }))));
}

export async function what_is_no_program_is_found_by_the_start(print: Print) {
  const execute = asyncio.create_subprocess_exec;
  print(kind(await outcome_of(execute("/etc/passwd"))));
  print(kind(await outcome_of(execute("/etc/passwd", { stdout: PIPE, stderr: STDOUT }))));
  print(kind(await outcome_of(execute("/etc"))));
  print(kind(await outcome_of(execute("/etc", { stdout: PIPE, stderr: STDOUT }))));
}

export async function a_missing_folder_is_found_by_the_start(print: Print) {
  print(kind(await outcome_of(asyncio.create_subprocess_exec("true", { cwd: "/no/such/folder" }))));
}

export async function arguments_are_passed_as_they_are(print: Print) {
  const args = ["a b", "$HOME", "'", '"', "", "*", "ä\n"];
  let process = await asyncio.create_subprocess_exec("printf", "[%s]", ...args, { stdout: PIPE });
  print(await process.communicate());
  process = await asyncio.create_subprocess_exec("printf", "[%s]", ...args, { stdout: PIPE, stderr: STDOUT });
  print(await process.communicate());
}

export async function env_is_the_whole_environment(print: Print) {
  let process = await asyncio.create_subprocess_exec("/usr/bin/env", {
    env: { A: "1", B: "two words" },
    stdout: PIPE,
  });
  print(await process.communicate());
  process = await asyncio.create_subprocess_shell("echo $A-$HOME", { env: { A: "1" }, stdout: PIPE });
  print(await process.communicate());
}

export async function cwd_is_where_it_runs(print: Print) {
  const process = await asyncio.create_subprocess_exec("pwd", { cwd: "/usr", stdout: PIPE });
  print(await process.communicate());
}

export async function lines_go_to_and_fro(print: Print) {
  const process = await asyncio.create_subprocess_exec("cat", { stdin: PIPE, stdout: PIPE });
  for (const line of ["one\n", "two\n"]) {
    process.stdin!.write(line);
    await process.stdin!.drain();
    print(await process.stdout!.readline());
  }
  process.stdin!.close();
  print(await process.stdout!.read(), await process.wait());
}

export async function the_output_can_be_read_after_the_end(print: Print) {
  const process = await sh("echo last words; exit 1", { stdout: PIPE });
  print(await process.wait());
  print(await process.stdout!.read(), process.stdout!.at_eof());
}

export async function no_input_is_the_end_of_data(print: Print) {
  const process = await asyncio.create_subprocess_exec("cat", { stdin: DEVNULL, stdout: PIPE });
  print(await process.communicate(), process.returncode);
}

export async function write_eof_ends_the_input(print: Print) {
  const process = await asyncio.create_subprocess_exec("cat", { stdin: PIPE, stdout: PIPE });
  print(process.stdin!.can_write_eof());
  process.stdin!.write("all");
  process.stdin!.write_eof();
  print(await process.stdout!.read(), await process.wait());
}

export async function options_for_text_are_refused(print: Print) {
  const refusal = (fn: (...args: never[]) => unknown, options: Readonly<Record<string, unknown>>) =>
    print(attempt(() => fn("true" as never, options as never)));
  const [execute, shell] = [asyncio.create_subprocess_exec, asyncio.create_subprocess_shell];
  refusal(execute, { universal_newlines: true });
  refusal(execute, { shell: true });
  refusal(execute, { bufsize: 4096 });
  refusal(execute, { text: true });
  refusal(execute, { encoding: "utf-8" });
  refusal(execute, { errors: "strict" });
  refusal(shell, { universal_newlines: true });
  refusal(shell, { shell: false });
  refusal(shell, { bufsize: 4096 });
  refusal(shell, { text: true });
  const harmless = { text: false, bufsize: 0, encoding: null, shell: false };
  print(await (await execute("true", harmless as asyncio.SubprocessOptions)).wait());
}

export async function an_open_file_takes_the_output(print: Print) {
  const file = fs.openSync("/dev/null", "w");
  const process = await sh("echo out; echo err >&2", { stdout: file, stderr: STDOUT });
  print(process.stdout, process.stderr, await process.wait());
  fs.closeSync(file);
}

export async function a_signal_handler_runs_in_the_loop_with_its_arguments(print: Print) {
  const loop = asyncio.get_running_loop();
  const came = new asyncio.Event();
  const handler = (...args: unknown[]) => {
    print("handler", args);
    came.set();
  };
  print(loop.add_signal_handler("SIGUSR2", handler, 1, "two"));
  Deno.kill(Deno.pid, "SIGUSR2");
  await came.wait();
  print(loop.remove_signal_handler("SIGUSR2"), loop.remove_signal_handler("SIGUSR2"));
}

export async function a_signal_handler_replaces_the_one_before(print: Print) {
  const loop = asyncio.get_running_loop();
  const came = new asyncio.Event();
  loop.add_signal_handler("SIGUSR2", print, "first");
  loop.add_signal_handler("SIGUSR2", () => came.set());
  Deno.kill(Deno.pid, "SIGUSR2");
  await came.wait();
  print("second");
  loop.remove_signal_handler("SIGUSR2");
}

export function a_signal_that_cannot_be_caught_is_refused(print: Print) {
  const loop = asyncio.get_running_loop();
  print(kind(attempt(() => loop.add_signal_handler("SIGKILL", print))));
  print(kind(attempt(() => loop.add_signal_handler("SIGSTOP", print))));
  print(loop.remove_signal_handler("SIGHUP"));
}

export async function a_signal_handler_that_raises_goes_to_the_exception_handler(print: Print) {
  const loop = asyncio.get_running_loop();
  const heard = loop.create_future<unknown>();
  loop.set_exception_handler((_loop, context) => heard.set_result([context.exception]));
  loop.add_signal_handler("SIGUSR2", () => {
    throw new RangeError("bad");
  });
  Deno.kill(Deno.pid, "SIGUSR2");
  print((await heard as unknown[])[0]);
  loop.remove_signal_handler("SIGUSR2");
}
