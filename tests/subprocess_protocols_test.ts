import { assert, assertEquals, assertInstanceOf, assertMatch, assertStrictEquals, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";
import { collect_reports, error_of } from "./_helpers.ts";

const { DEVNULL, STDOUT } = asyncio.subprocess;
const IS_LINUX = Deno.build.os === "linux";
const decoder = new TextDecoder();
const loop_of = () => asyncio.get_event_loop();

/** Notes each call of its methods; of data only the text. */
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
    this.calls.push(`pipe ${fd} lost ${error === null ? "None" : (error as Error).name}`);
  }
  override process_exited() {
    this.calls.push(`exited ${this.transport.get_returncode()}`);
  }
  override connection_lost(error: unknown) {
    this.calls.push(`lost ${error === null ? "None" : (error as Error).name}`);
    this.done.set_result(this.transport.get_returncode());
  }
  override pause_writing() {
    this.calls.push("pause");
  }
  override resume_writing() {
    this.calls.push("resume");
  }
}

function sh(text: string, options: asyncio.SubprocessProtocolOptions = {}) {
  return loop_of().subprocess_exec(() => new Recorder(), "sh", "-c", text, options);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await asyncio.sleep(0.002);
}

/** The number of this process's open descriptors that are pipes. */
function pipes(): number {
  let count = 0;
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      if (Deno.readLinkSync(`/proc/self/fd/${name}`).startsWith("pipe:")) count++;
    } catch {
      // The descriptor of the listing itself.
    }
  }
  return count;
}

/** Fails if a test leaves a pipe open. */
function pipes_test(promise: string, fn: () => Promise<void>): void {
  Deno.test(promise, async () => {
    if (!IS_LINUX) return await fn();
    const before = pipes();
    await fn();
    await until(() => pipes() <= before);
  });
}

pipes_test("a program's protocol is told of all it does, and at last that it is over", async () => {
  const [transport, protocol] = await sh("cat; echo oh >&2; exit 3");
  assertEquals(protocol.calls, ["made"]);
  assertStrictEquals(protocol.transport, transport);
  assertStrictEquals(transport.get_protocol(), protocol);
  assertEquals([transport.get_returncode(), transport.is_closing()], [null, false]);
  const stdin = transport.get_pipe_transport(0)!;
  stdin.write("hello ");
  await until(() => protocol.data[1] === "hello ");
  stdin.write("world");
  await until(() => protocol.data[1] === "hello world");
  stdin.close();
  assertEquals(await protocol.done, 3);
  assertEquals(protocol.data, { 1: "hello world", 2: "oh\n" });
  assertEquals(protocol.calls.toSorted(), [
    "data 1",
    "data 2",
    "exited 3",
    "lost None",
    "made",
    "pipe 0 lost None",
    "pipe 1 lost None",
    "pipe 2 lost None",
  ]);
  assertEquals([protocol.calls[0], protocol.calls.at(-1)], ["made", "lost None"]);
  transport.close();
  assertEquals(transport.is_closing(), true);
});

pipes_test("connection_lost() waits for the exit, although all pipes are gone", async () => {
  const [, protocol] = await sh("exec <&- >&- 2>&-; sleep 0.03; exit 4");
  protocol.transport.get_pipe_transport(0)!.close();
  assertEquals(await protocol.done, 4);
  assertEquals(protocol.calls.slice(-2), ["exited 4", "lost None"]);
});

pipes_test("connection_lost() waits for a pipe that another program has inherited", async () => {
  const [, protocol] = await sh("(sleep 0.05; echo late) & exit 5", { stdin: null, stderr: null });
  assertEquals(await protocol.done, 5);
  assertEquals(protocol.calls, ["made", "exited 5", "data 1", "pipe 1 lost None", "lost None"]);
});

pipes_test("a program without pipes has no transports for them", async () => {
  const [transport, protocol] = await loop_of().subprocess_shell(() => new Recorder(), "exit 7", {
    stdin: null,
    stdout: DEVNULL,
    stderr: null,
    start_new_session: true,
  });
  assertEquals([0, 1, 2, 3].map((fd) => transport.get_pipe_transport(fd)), [null, null, null, null]);
  assertEquals(await protocol.done, 7);
  assertEquals(protocol.calls, ["made", "exited 7", "lost None"]);
  transport.close();
  transport.close();
  assertEquals(protocol.calls.length, 3);
});

pipes_test("standard error comes with standard output, in its order, if it is STDOUT", async () => {
  const [transport, protocol] = await sh("cat; echo err >&2; echo out", { stderr: STDOUT });
  assertEquals([transport.get_pipe_transport(1) === null, transport.get_pipe_transport(2)], [false, null]);
  const stdin = transport.get_pipe_transport(0)!;
  stdin.write("in ");
  stdin.write_eof();
  assertEquals(await protocol.done, 0);
  assertEquals(protocol.data, { 1: "in err\nout\n", 2: "" });
});

pipes_test("a signal is the return code, below 0", async () => {
  const ways: [(transport: asyncio.SubprocessTransport) => void, number][] = [
    [(transport) => transport.kill(), -9],
    [(transport) => transport.terminate(), -15],
    [(transport) => transport.send_signal("SIGHUP"), -1],
    [(transport) => transport.close(), -9],
  ];
  for (const [end, returncode] of ways) {
    const [transport, protocol] = await loop_of().subprocess_exec(() => new Recorder(), "sleep", "60");
    end(transport);
    assertEquals(await protocol.done, returncode);
    // It is gone, so there is nothing to signal.
    transport.kill();
  }
});

pipes_test("close() closes the pipes and kills the program, and the protocol is told", async () => {
  const [transport, protocol] = await sh("echo ready; exec sleep 60");
  await until(() => protocol.data[1] !== "");
  transport.close();
  transport.close();
  assertEquals(transport.is_closing(), true);
  assertEquals(await protocol.done, -9);
  assertEquals(protocol.calls.slice(0, 5), [
    "made",
    "data 1",
    "pipe 0 lost None",
    "pipe 1 lost None",
    "pipe 2 lost None",
  ]);
  assertEquals(protocol.calls.slice(5), ["exited -9", "lost None"]);
});

pipes_test("a program that writes into a pipe that was closed here gets a broken pipe", async () => {
  // The system closes its end a moment later.
  const text = "trap '' PIPE; read line; while echo a 2>/dev/null; do :; done; echo broken >&2; cat >&2";
  const [transport, protocol] = await sh(text);
  transport.get_pipe_transport(1)!.close();
  await until(() => protocol.calls.includes("pipe 1 lost None"));
  transport.get_pipe_transport(0)!.write("go\n");
  await until(() => protocol.data[2] !== "");
  assertEquals(protocol.data, { 1: "", 2: "broken\n" });
  transport.close();
  assertEquals(await protocol.done, -9);
});

pipes_test("input that a program does not want breaks the pipe, and ends nothing else", async () => {
  const [transport, protocol] = await sh("exec <&-; echo ready; sleep 0.03; echo still here");
  await until(() => protocol.data[1] !== "");
  transport.get_pipe_transport(0)!.write(new Uint8Array(1 << 20));
  assertEquals(await protocol.done, 0);
  assertEquals(protocol.data[1], "ready\nstill here\n");
  assert(protocol.calls.includes("pipe 0 lost BrokenPipe"), String(protocol.calls));
});

pipes_test("pause_writing() and resume_writing() tell of a program that does not read", async () => {
  const [transport, protocol] = await sh("read line; wc -c");
  const stdin = transport.get_pipe_transport(0)!;
  stdin.write("\n");
  stdin.write(new Uint8Array(1 << 20));
  assertEquals(protocol.calls, ["made", "pause"]);
  await until(() => protocol.calls.includes("resume"));
  stdin.write_eof();
  assertEquals(stdin.is_closing(), true);
  assertEquals(await protocol.done, 0);
  assertEquals(protocol.data[1].trim(), String(1 << 20));
  assertEquals(protocol.calls.filter((call) => call === "pause" || call === "resume"), ["pause", "resume"]);
});

pipes_test("pause_reading() of a pipe holds the program back, and resume_reading() loses nothing", async () => {
  const [transport, protocol] = await sh("head -c 1000000 /dev/zero; echo done >&2");
  const stdout = transport.get_pipe_transport(1)!;
  stdout.pause_reading();
  const before = protocol.data[1].length;
  await asyncio.sleep(0.02);
  assertEquals([protocol.data[1].length, protocol.data[2]], [before, ""]);
  stdout.resume_reading();
  assertEquals(await protocol.done, 0);
  assertEquals([protocol.data[1].length, protocol.data[2]], [1_000_000, "done\n"]);
});

pipes_test("set_protocol() has another one told from then on, without connection_made()", async () => {
  const [transport, first] = await sh("cat");
  const second = new Recorder();
  second.transport = transport;
  transport.set_protocol(second);
  assertStrictEquals(transport.get_protocol(), second);
  const stdin = transport.get_pipe_transport(0)!;
  stdin.write("x");
  stdin.close();
  assertEquals(await second.done, 0);
  assertEquals([first.calls, second.data[1]], [["made"], "x"]);
  assertThrows(
    () => transport.set_protocol(new asyncio.Protocol() as never),
    TypeError,
    "must be a SubprocessProtocol",
  );
});

pipes_test("what a method throws is reported, and ends nothing", async () => {
  await asyncio.run(async () => {
    const reports = collect_reports();
    class Failing extends Recorder {
      override pipe_data_received(fd: number, data: Uint8Array) {
        super.pipe_data_received(fd, data);
        throw new RangeError("data");
      }
      override process_exited() {
        throw new RangeError("exited");
      }
    }
    const loop = asyncio.get_running_loop();
    const [, protocol] = await loop.subprocess_exec(() => new Failing(), "echo", "x", { stdin: null, stderr: null });
    assertEquals(await protocol.done, 0);
    assertEquals(protocol.data[1], "x\n");
    assertEquals(reports.map(({ message }) => message).toSorted(), [
      "Exception in callback pipe_data_received",
      "Exception in callback process_exited",
    ]);
  });
});

pipes_test("a factory that fails, or makes no such protocol, starts nothing", async () => {
  const loop = loop_of();
  const marker = await Deno.makeTempFile();
  try {
    const command = `rm ${marker}`;
    const fail = () => {
      throw new RangeError("no");
    };
    assertInstanceOf(await error_of(loop.subprocess_shell(fail, command)), RangeError);
    const wrong = () => new asyncio.Protocol() as unknown as asyncio.SubprocessProtocol;
    assertInstanceOf(await error_of(loop.subprocess_shell(wrong, command)), TypeError);
    await asyncio.sleep(0.02);
    assertEquals((await Deno.stat(marker)).isFile, true);
  } finally {
    await Deno.remove(marker);
  }
});

Deno.test("subprocess_exec() and subprocess_shell() refuse what makes no sense", () => {
  const loop = loop_of();
  const make = () => new Recorder();
  assertThrows(() => loop.subprocess_exec(null as never, "true"), TypeError, "protocol_factory");
  assertThrows(() => loop.subprocess_exec(make, 1 as never), TypeError, '"program" must be a string or a URL');
  assertThrows(() => loop.subprocess_exec(make, "true", 1 as never), TypeError, "must be a string, got 1");
  assertThrows(() => loop.subprocess_shell(make, ["ls"] as never), TypeError, "cmd must be a string");
  assertThrows(() => loop.subprocess_exec(make, "true", { limit: 1 } as never), TypeError, "limit");
  assertThrows(() => loop.subprocess_exec(make, "true", { stdin: STDOUT }), RangeError, '"stdin" cannot be STDOUT');
  assertThrows(() => loop.subprocess_exec(make, "true", { shell: true } as never), RangeError, "shell must be False");
  assertThrows(() => loop.subprocess_shell(make, "true", { shell: false } as never), RangeError, "shell must be True");
  assertThrows(() => loop.subprocess_shell(make, "true", { bufsize: 1 } as never), RangeError, "bufsize must be 0");
});

pipes_test("a program that is not there rejects the call, and nothing is told", async () => {
  const protocol = new Recorder();
  const error = await error_of(loop_of().subprocess_exec(() => protocol, "no-such-program"));
  assertInstanceOf(error, Deno.errors.NotFound);
  assertEquals(protocol.calls, []);
});

pipes_test("a call that is cancelled ends the program, which was started already", async () => {
  for (let i = 0; i < 20; i++) {
    const protocol = new Recorder();
    const call = loop_of().subprocess_exec(() => protocol, "sleep", "60");
    for (let turn = 0; turn < i % 5; turn++) await asyncio.sleep(0);
    if (!call.cancel()) {
      const [transport] = await call;
      transport.close();
    }
    assertEquals(await protocol.done, -9);
  }
});

pipes_test("the signal terminates the program when it aborts", async () => {
  const controller = new AbortController();
  const [, protocol] = await sh("exec sleep 60", { signal: controller.signal });
  controller.abort();
  assertEquals(await protocol.done, -15);
});

pipes_test("the end of the loop kills a program, and its protocol is told", async () => {
  const protocol = new Recorder();
  let transport: asyncio.SubprocessTransport;
  await asyncio.run(async () => {
    [transport] = await asyncio.get_running_loop().subprocess_exec(() => protocol, "sleep", "60");
  });
  await until(() => protocol.calls.at(-1) === "lost None");
  assertEquals(transport!.get_returncode(), -9);
  assertEquals(transport!.is_closing(), true);
});

pipes_test("a call that is under way as the loop ends leaves no program behind", async () => {
  for (let turns = 0; turns < 5; turns++) {
    const protocol = new Recorder();
    await asyncio.run(async () => {
      const call = asyncio.get_running_loop().subprocess_exec(() => protocol, "sleep", "60");
      call.catch(() => {});
      for (let i = 0; i < turns; i++) await asyncio.sleep(0);
    });
    await until(() => protocol.calls.at(-1) === "lost None");
  }
});

pipes_test("a transport shows its process, and gives Deno's own object", async () => {
  const [transport, protocol] = await sh("exec sleep 60");
  assertMatch(Deno.inspect(transport), /^<SubprocessTransport pid=\d+ running>$/);
  assertEquals(transport.get_extra_info("subprocess").pid, transport.get_pid());
  assertEquals([transport.get_extra_info("other"), transport.get_extra_info("other", 1)], [null, 1]);
  transport.close();
  await protocol.done;
  assertMatch(Deno.inspect(transport), /^<SubprocessTransport closed pid=\d+ returncode=-9>$/);
});

Deno.test("a program with a protocol takes --allow-run alone, and lets Deno end", async () => {
  const library = new URL("../mod.ts", import.meta.url).href;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(
      file,
      `import * as asyncio from ${JSON.stringify(library)};
      class Printer extends asyncio.SubprocessProtocol {
        override pipe_data_received(fd: number, data: Uint8Array) { console.log(fd, new TextDecoder().decode(data)); }
        override connection_lost(error: unknown) { console.log("lost", error); }
      }
      const loop = asyncio.get_event_loop();
      const [transport] = await loop.subprocess_exec(() => new Printer(), "cat", "-");
      transport.get_pipe_transport(0)!.write("hello");
      transport.get_pipe_transport(0)!.write_eof();`,
    );
    const args = ["run", "--no-prompt", "--quiet", "--allow-run=cat", file];
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, env: { NO_COLOR: "1" } }).output();
    assertEquals([decoder.decode(stdout), decoder.decode(stderr)], ["1 hello\nlost null\n", ""]);
  } finally {
    await Deno.remove(file);
  }
});
