import * as asyncio from "../../../mod.ts";
import { attempt, kind, outcome_of, type Print } from "../helpers.ts";

const { DEVNULL, STDOUT } = asyncio.subprocess;
const decoder = new TextDecoder();

/** Notes the calls of its methods; those with data of one pipe as one, until another comes. */
class Recorder extends asyncio.SubprocessProtocol {
  readonly calls: string[] = [];
  readonly data: Record<number, string> = { 1: "", 2: "" };
  readonly done = new asyncio.Future<number | null>();
  transport!: asyncio.SubprocessTransport;

  override connection_made(transport: asyncio.SubprocessTransport) {
    this.transport = transport;
    this.calls.push("made");
  }
  override pipe_data_received(fd: number, data: Uint8Array) {
    this.data[fd] += decoder.decode(data);
    if (this.calls.at(-1) !== `data ${fd}`) this.calls.push(`data ${fd}`);
  }
  override pipe_connection_lost(fd: number, error: unknown) {
    this.calls.push(`pipe ${fd} ${kind(error) ?? "None"}`);
  }
  override process_exited() {
    this.calls.push(`exited ${this.transport.get_returncode()}`);
  }
  override connection_lost(error: unknown) {
    this.calls.push(`lost ${kind(error) ?? "None"}`);
    this.done.set_result(this.transport.get_returncode());
  }
  override pause_writing() {
    this.calls.push("pause");
  }
  override resume_writing() {
    this.calls.push("resume");
  }
}

const recorder = () => new Recorder();
const bytes = (text: string) => new TextEncoder().encode(text);

function sh(text: string, options: asyncio.SubprocessProtocolOptions = {}) {
  return asyncio.get_running_loop().subprocess_exec(recorder, "sh", "-c", text, options);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await asyncio.sleep(0.002);
}

export async function a_protocol_is_told_of_data_pipes_exit_and_at_last_its_end(print: Print) {
  const [transport, protocol] = await sh("cat; echo oh >&2; exit 3");
  print(protocol.calls, protocol.transport === transport, transport.get_protocol() === protocol);
  print(transport.get_returncode(), transport.get_pid() > 0);
  const stdin = transport.get_pipe_transport(0)!;
  stdin.write("hello ");
  await until(() => protocol.data[1] === "hello ");
  stdin.write("world");
  stdin.close();
  print(await protocol.done, bytes(protocol.data[1]), bytes(protocol.data[2]));
  print([...new Set(protocol.calls.slice(1, -1))].sort(), protocol.calls.at(-1));
  transport.close();
}

export async function a_shell_runs_a_command(print: Print) {
  const loop = asyncio.get_running_loop();
  const [transport, protocol] = await loop.subprocess_shell(recorder, "echo out; echo err >&2; exit 4");
  transport.get_pipe_transport(0)!.close();
  print(await protocol.done, bytes(protocol.data[1]), bytes(protocol.data[2]));
  transport.close();
}

export async function the_return_code_is_the_exit_code(print: Print) {
  for (const code of [0, 1, 7, 130, 255]) {
    const [transport, protocol] = await sh(`exit ${code}`, { stdin: null, stdout: null, stderr: null });
    print(transport.get_returncode(), await protocol.done, transport.get_returncode(), protocol.calls);
    transport.close();
  }
}

export async function without_pipes_there_are_no_transports_for_them(print: Print) {
  const [transport, protocol] = await sh("exit 0", { stdin: null, stdout: DEVNULL, stderr: null });
  print([0, 1, 2].map((fd) => transport.get_pipe_transport(fd)));
  print(transport.get_pipe_transport(7));
  print(await protocol.done, protocol.calls);
  transport.close();
}

export async function all_streams_are_pipes_unless_something_else_is_said(print: Print) {
  const [transport, protocol] = await sh("exit 0");
  print([0, 1, 2].map((fd) => transport.get_pipe_transport(fd) === null));
  await protocol.done;
  transport.close();
}

export async function a_signal_is_the_return_code_below_zero(print: Print) {
  const ends: ((transport: asyncio.SubprocessTransport) => void)[] = [
    (transport) => transport.kill(),
    (transport) => transport.terminate(),
    (transport) => transport.send_signal("SIGHUP"),
  ];
  for (const end of ends) {
    const [transport, protocol] = await asyncio.get_running_loop().subprocess_exec(recorder, "sleep", "60");
    end(transport);
    const returncode = await protocol.done;
    print(returncode, protocol.calls.includes(`exited ${returncode}`), protocol.calls.at(-1));
    transport.close();
  }
}

export async function close_closes_the_pipes_and_kills_the_program(print: Print) {
  const [transport, protocol] = await sh("echo ready; exec sleep 60");
  await until(() => protocol.data[1] === "ready\n");
  print(transport.is_closing());
  transport.close();
  transport.close();
  print(transport.is_closing());
  print(await protocol.done, protocol.calls);
}

export async function close_after_the_end_does_nothing(print: Print) {
  const [transport, protocol] = await sh("exit 7", { stdin: null, stdout: null, stderr: null });
  await protocol.done;
  print(transport.is_closing(), transport.close(), transport.is_closing());
  print(transport.get_returncode(), protocol.calls);
}

export async function standard_error_may_come_with_standard_output(print: Print) {
  const [transport, protocol] = await sh("cat; echo err >&2; echo out", { stderr: STDOUT });
  print(transport.get_pipe_transport(1) === null, transport.get_pipe_transport(2) === null);
  transport.get_pipe_transport(0)!.write("in ");
  transport.get_pipe_transport(0)!.write_eof();
  print(await protocol.done, bytes(protocol.data[1]), bytes(protocol.data[2]));
  transport.close();
}

export async function write_eof_closes_the_pipe(print: Print) {
  const [transport, protocol] = await sh("cat; sleep 0.05");
  const stdin = transport.get_pipe_transport(0)!;
  print(stdin.can_write_eof());
  stdin.write("x".repeat(300000));
  stdin.write_eof();
  print(stdin.is_closing());
  print(attempt(() => stdin.write("late")));
  print(await protocol.done, protocol.data[1].length);
  print(protocol.calls.includes("pipe 0 None"));
  transport.close();
}

export async function a_program_that_writes_to_a_pipe_closed_here_gets_an_error(print: Print) {
  const text = "trap '' PIPE; read line; while echo a 2>/dev/null; do :; done; echo broken >&2; cat >&2";
  const [transport, protocol] = await sh(text);
  transport.get_pipe_transport(1)!.close();
  await until(() => protocol.calls.includes("pipe 1 None"));
  transport.get_pipe_transport(0)!.write("go\n");
  await until(() => protocol.data[2] !== "");
  print(bytes(protocol.data[1]), bytes(protocol.data[2]));
  transport.close();
  print(await protocol.done);
}

export async function input_that_nobody_reads_breaks_its_pipe_alone(print: Print) {
  const [transport, protocol] = await sh("read line; exec <&-; echo closed; sleep 0.05; echo still here");
  const stdin = transport.get_pipe_transport(0)!;
  stdin.write("\n" + "x".repeat(1000000));
  print(protocol.calls);
  print(await protocol.done, bytes(protocol.data[1]));
  print(protocol.calls.includes("pipe 0 BrokenPipeError"));
  transport.close();
}

export async function pause_writing_and_resume_writing_tell_of_a_program_that_does_not_read(print: Print) {
  const [transport, protocol] = await sh("sleep 0.05; wc -c");
  const stdin = transport.get_pipe_transport(0)!;
  stdin.write("x".repeat(1000000));
  print(protocol.calls);
  await until(() => protocol.calls.includes("resume"));
  stdin.close();
  print(await protocol.done, bytes(protocol.data[1].trim()));
  print(protocol.calls.filter((each) => each === "pause" || each === "resume"));
  transport.close();
}

export async function connection_lost_waits_for_pipes_that_others_hold(print: Print) {
  const [transport, protocol] = await sh("(sleep 0.1; echo late) & exit 5", { stdin: null, stderr: null });
  print(await protocol.done, protocol.calls);
  transport.close();
}

export async function connection_lost_waits_for_the_exit(print: Print) {
  const [transport, protocol] = await sh("exec >&- 2>&-; sleep 0.1; exit 6", { stdin: null });
  print(await protocol.done, protocol.calls.slice(1, 3).sort(), protocol.calls.slice(3));
  transport.close();
}

export async function a_program_that_is_not_there_is_an_error_of_the_call(print: Print) {
  const loop = asyncio.get_running_loop();
  const made: Recorder[] = [];
  const make = () => {
    made.push(new Recorder());
    return made[0];
  };
  print(kind(await outcome_of(loop.subprocess_exec(make, "no-such-program"))));
  print(made.length, made[0].calls);
}

export async function set_protocol_has_another_one_told(print: Print) {
  const [transport, first] = await sh("cat", { stderr: null });
  const second = new Recorder();
  second.calls.push("set");
  second.transport = transport;
  transport.set_protocol(second);
  print(transport.get_protocol() === second);
  transport.get_pipe_transport(0)!.write("x");
  await until(() => second.data[1] === "x");
  transport.get_pipe_transport(0)!.close();
  print(await second.done, first.calls, second.calls.sort());
  transport.close();
}

export async function an_error_of_a_method_is_reported_as_one_of_a_callback_and_ends_nothing(print: Print) {
  class Failing extends Recorder {
    override pipe_data_received(fd: number, data: Uint8Array) {
      super.pipe_data_received(fd, data);
      throw new RangeError("data");
    }
    override process_exited() {
      super.process_exited();
      throw new RangeError("exited");
    }
  }
  const loop = asyncio.get_running_loop();
  const told: [exception: string, message: string, keys: string[]][] = [];
  loop.set_exception_handler((_loop, context) => {
    told.push([(context.exception as Error).message, String(context.message), Object.keys(context).sort()]);
  });
  const make = () => new Failing();
  const [transport, protocol] = await loop.subprocess_exec(make, "echo", "hello", { stdin: null, stderr: null });
  print(await protocol.done, bytes(protocol.data[1]));
  for (const [exception, message, keys] of told.sort()) {
    print(message.split(/\s/).slice(0, 3).join(" "), new RangeError(exception), keys);
  }
  transport.close();
}

export async function what_makes_no_sense_is_refused(print: Print) {
  const loop = asyncio.get_running_loop();
  const refused = async (call: () => PromiseLike<unknown>) => print(await outcome_of(Promise.try(call)));
  for (const options of [{ universal_newlines: true }, { shell: true }, { bufsize: 1 }, { text: true }]) {
    await refused(() => loop.subprocess_exec(recorder, "true", options as never));
  }
  await refused(() => loop.subprocess_exec(recorder, "true", { encoding: "utf-8" } as never));
  await refused(() => loop.subprocess_exec(recorder, "true", { errors: "strict" } as never));
  await refused(() => loop.subprocess_shell(recorder, "true", { shell: false } as never));
}
