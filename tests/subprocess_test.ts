import { assert, assertEquals, assertInstanceOf, assertMatch, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";
import { collect_reports, error_of, run_program } from "./_helpers.ts";

const { DEVNULL, PIPE, STDOUT } = asyncio.subprocess;
const IS_LINUX = Deno.build.os === "linux";
const decoder = new TextDecoder();

function sh(text: string, options: asyncio.SubprocessOptions = {}): asyncio.Future<asyncio.Process> {
  return asyncio.create_subprocess_exec("sh", "-c", text, options);
}

/** The targets of this process's open descriptors that are pipes. */
function pipes(): string[] {
  const found: string[] = [];
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      const target = Deno.readLinkSync(`/proc/self/fd/${name}`);
      if (target.startsWith("pipe:")) found.push(target);
    } catch {
      // The descriptor of the listing itself.
    }
  }
  return found.toSorted();
}

/** The state of a process, as `ps` shows it; `null` if there is none. */
function state_of(pid: number): string | null {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/stat`).match(/\) (\w)/)![1];
  } catch {
    return null;
  }
}

/** Waits for what a signal or a closed pipe brings about elsewhere. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await asyncio.sleep(0.005);
}

/** Fails if a test leaves a pipe open. */
function pipes_test(promise: string, fn: () => Promise<void>): void {
  Deno.test(promise, async () => {
    if (!IS_LINUX) return await fn();
    const before = pipes();
    await fn();
    await until(() => pipes().length <= before.length);
    assertEquals(pipes(), before);
  });
}

// communicate()

pipes_test("Process.communicate() takes 64 MiB from both pipes at once while it feeds 16 MiB", async () => {
  const size = 64 << 20;
  const process = await sh(
    `head -c ${size} /dev/zero >&2 & head -c ${size} /dev/zero; wait; wc -c`,
    { stdin: PIPE, stdout: PIPE, stderr: PIPE },
  );
  const [stdout, stderr] = await process.communicate(new Uint8Array(16 << 20));
  assertEquals(stderr!.length, size);
  assertEquals(decoder.decode(stdout!.subarray(size)).trim(), String(16 << 20));
  assertEquals(process.returncode, 0);
});

pipes_test("Process.communicate() that is cancelled leaves the process running and loses no byte", async () => {
  for (const options of [{}, { max_bytes: 1000 }, { max_bytes: 1000, drain: true }]) {
    await using process = await sh("echo one; sleep 0.2; echo two", { stdin: PIPE, stdout: PIPE, stderr: PIPE });
    const call = process.communicate(null, options);
    await asyncio.sleep(0.05);
    call.cancel();
    assertInstanceOf(await error_of(call), asyncio.CancelledError);
    await until(() => process.stdout!.buffered === 4);
    assertEquals(decoder.decode((await process.communicate(null, options))[0]!), "one\ntwo\n");
    assertEquals(process.returncode, 0);
  }
});

pipes_test("Process.communicate() that is cancelled by a timeout leaves no zombie", async () => {
  let pid = 0;
  const error = await error_of(asyncio.async_with(asyncio.timeout(0.05), async () => {
    await using process = await asyncio.create_subprocess_exec("sleep", "60", { stdin: PIPE, stdout: PIPE });
    pid = process.pid;
    await process.communicate("x");
  }));
  assertInstanceOf(error, asyncio.TimeoutError);
  if (IS_LINUX) assertEquals(state_of(pid), null);
});

pipes_test("Process.communicate() throws LimitOverrunError beyond max_bytes and keeps what came", async () => {
  await using process = await sh("printf 0123456789; exec sleep 60", { stdout: PIPE, stderr: PIPE });
  const error = await error_of(process.communicate(null, { max_bytes: 4 }));
  assertInstanceOf(error, asyncio.LimitOverrunError);
  assertEquals([error.message, error.consumed], ["Output is longer than 4 bytes", 4]);
  assertEquals(process.returncode, null);
  assertEquals(decoder.decode(await process.stdout!.readexactly(10)), "0123456789");
});

pipes_test("Process.communicate() with drain keeps the first max_bytes and drops the rest", async () => {
  const process = await sh("head -c 10000000 /dev/zero; printf abc >&2", { stdout: PIPE, stderr: PIPE });
  const [stdout, stderr] = await process.communicate(null, { max_bytes: 5, drain: true });
  assertEquals(stdout, new Uint8Array(5));
  assertEquals(decoder.decode(stderr!), "abc");
  assertEquals(process.returncode, 0);
});

pipes_test("Process.communicate() takes output of exactly max_bytes", async () => {
  const process = await sh("printf abc", { stdout: PIPE });
  assertEquals(decoder.decode((await process.communicate(null, { max_bytes: 3 }))[0]!), "abc");
});

pipes_test("Process.communicate() reports nothing of an input that is not wanted", async () => {
  await asyncio.run(async () => {
    const reports = collect_reports();
    const process = await asyncio.create_subprocess_exec("true", { stdin: PIPE });
    assertEquals(await process.communicate(new Uint8Array(1 << 20)), [null, null]);
    assertEquals(process.stdin!.is_closing(), true);
    assertEquals(reports, []);
  });
});

pipes_test("Process.communicate() refuses input without a pipe, and an output that another task reads", async () => {
  await using process = await sh("read line", { stdin: PIPE, stdout: PIPE });
  const reading = process.stdout!.read();
  assertInstanceOf(await error_of(process.communicate()), asyncio.RuntimeError);
  reading.cancel();
  const other = await sh("exit 0");
  assertThrows(() => other.communicate("x"), asyncio.RuntimeError, "stdin is not a pipe");
  assertThrows(() => other.communicate(null, { max_bytes: -1 }), RangeError);
  assertThrows(() => other.communicate(null, { maxBytes: 1 } as never), TypeError, "Unknown option");
  assertThrows(() => process.communicate(1 as never), TypeError);
  await other.wait();
});

// wait()

pipes_test("Process.wait() does not wait for a pipe that another process has inherited", async () => {
  await using process = await sh("sleep 60 & echo $!", { stdout: PIPE, stderr: PIPE });
  const grandchild = Number(decoder.decode(await process.stdout!.readline()));
  assertEquals(await process.wait(), 0);
  if (IS_LINUX) assert(!["Z", null].includes(state_of(grandchild)));
  assertEquals(process.stdout!.at_eof(), false);
  Deno.kill(grandchild, "SIGKILL");
  assertEquals(await process.stdout!.read(), new Uint8Array());
});

pipes_test("await using lets go of a pipe that another process has inherited", async () => {
  let grandchild = 0;
  {
    await using process = await sh("sleep 60 & echo $!", { stdout: PIPE, stderr: PIPE });
    grandchild = Number(decoder.decode(await process.stdout!.readline()));
    await process.wait();
  }
  Deno.kill(grandchild, "SIGKILL");
});

pipes_test("a pipe that nobody reads is freed when the process has ended", async () => {
  const process = await sh("echo out; echo err >&2", { stdin: PIPE, stdout: PIPE, stderr: PIPE });
  assertEquals(await process.wait(), 0);
  await until(() => process.stdout!.buffered === 4 && process.stderr!.buffered === 4);
});

Deno.test("1,000 short processes, 32 at a time, leave no zombie and no descriptor", async () => {
  const before = IS_LINUX ? pipes() : [];
  const pids: number[] = [];
  const limit = new asyncio.Semaphore(32);
  await asyncio.run(async () => {
    await asyncio.async_with(new asyncio.TaskGroup(), (group) => {
      for (let i = 0; i < 1000; i++) {
        group.create_task(() =>
          asyncio.async_with(limit, async () => {
            const process = await asyncio.create_subprocess_exec("cat", { stdin: PIPE, stdout: PIPE, stderr: PIPE });
            pids.push(process.pid);
            const [stdout] = await process.communicate(String(i));
            assertEquals([decoder.decode(stdout!), process.returncode], [String(i), 0]);
          })
        );
      }
    });
    assertEquals(asyncio.get_running_loop()._resources.size, 0);
  });
  if (!IS_LINUX) return;
  assertEquals(pids.filter((pid) => state_of(pid) === "Z"), []);
  assertEquals(pipes(), before);
});

Deno.test({
  name: "Process.returncode of a signal that has no name is its number below 0",
  ignore: !IS_LINUX,
  // Deno keeps its record of a child that such a signal ended.
  sanitizeResources: false,
  async fn() {
    const process = await sh("kill -34 $$");
    assertEquals(await process.wait(), -34);
    process.kill();
  },
});

// The end

pipes_test("Process.send_signal(), terminate() and kill() do nothing once the process has ended", async () => {
  const process = await sh("exit 2");
  await process.wait();
  process.send_signal("SIGHUP");
  process.terminate();
  process.kill();
  assertEquals(await process.shutdown(), 2);
});

pipes_test("Process.send_signal() refuses what is no signal", async () => {
  await using process = await asyncio.create_subprocess_exec("sleep", "60");
  assertThrows(() => process.send_signal("SIGNONE" as never), RangeError, '"SIGNONE"');
  assertThrows(() => process.send_signal(9 as never), TypeError, '"SIGTERM"');
});

pipes_test("Process.shutdown() kills a process that ignores SIGTERM after its grace", async () => {
  const process = await sh("trap '' TERM; echo ready; while :; do sleep 0.01; done", { stdout: PIPE });
  await process.stdout!.readline();
  assertEquals(await process.shutdown({ grace: 0.05 }), -9);
});

pipes_test("Process.shutdown() leaves the last words to be read", async () => {
  const process = await sh("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done", { stdout: PIPE });
  await process.stdout!.readline();
  assertEquals(await process.shutdown({ grace: null }), 3);
  assertEquals(decoder.decode(await process.stdout!.read()), "bye\n");
});

pipes_test("Process.shutdown() that is cancelled kills the process", async () => {
  const process = await sh("trap '' TERM; echo ready; while :; do sleep 0.01; done", { stdout: PIPE });
  await process.stdout!.readline();
  assertInstanceOf(await error_of(asyncio.wait_for(process.shutdown({ grace: null }), 0.05)), asyncio.TimeoutError);
  assertEquals(process.returncode, -9);
  assertThrows(() => process.shutdown({ grace: -1 }), RangeError);
});

pipes_test("await using ends a process that does not read, although its block was cancelled", async () => {
  const codes: (number | null)[] = [];
  const scope = asyncio.move_on_after(0.05);
  await asyncio.async_with(scope, async () => {
    const process = await asyncio.create_subprocess_exec("sleep", "60", { stdin: PIPE, stdout: PIPE, stderr: PIPE });
    try {
      await using _process = process;
      process.stdin!.write(new Uint8Array(1 << 20));
      await process.stdin!.drain();
    } finally {
      codes.push(process.returncode);
    }
  });
  assertEquals([scope.cancelled_caught, codes], [true, [-15]]);
});

pipes_test("async_with() ends the process too", async () => {
  const process = await asyncio.create_subprocess_exec("sleep", "60", { stdout: PIPE });
  assertEquals(await asyncio.async_with(process, ({ returncode }) => returncode), null);
  assertEquals(process.returncode, -15);
});

pipes_test("the end of run() kills the processes that are left", async () => {
  const process = await asyncio.run(async () =>
    [await asyncio.create_subprocess_exec("sleep", "60", { stdin: PIPE, stdout: PIPE, stderr: PIPE })] as const
  );
  // The loop is closed, and what waits there is served by the default one.
  assertEquals(await process[0].wait(), -9);
});

pipes_test("stdin is closed when the process has ended", async () => {
  const process = await sh("exit 0", { stdin: PIPE });
  await process.wait();
  assertEquals(process.stdin!.is_closing(), true);
  process.stdin!.write("too late");
  await until(() => process.stdin!.transport.get_write_buffer_size() === 0);
  assertInstanceOf(await error_of(process.stdin!.drain()), asyncio.ConnectionResetError);
  await process.stdin!.wait_closed();
});

Deno.test("a Process prints its number and how it ended", async () => {
  const process = await sh("exit 3");
  assertEquals(Deno.inspect(process), `<Process ${process.pid} running>`);
  await process.wait();
  assertEquals(Deno.inspect(process), `<Process ${process.pid} returncode=3>`);
});

// Starting

pipes_test("stderr: STDOUT keeps the order of thousands of writes to both outputs", async () => {
  const text = "i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); echo $i >&2; i=$((i+1)); done";
  const expected = Array.from({ length: 3000 }, (_, i) => `${i}\n`).join("");
  for (const start of [sh, asyncio.create_subprocess_shell]) {
    const process = await start(text, { stdout: PIPE, stderr: STDOUT });
    const [stdout, stderr] = await process.communicate();
    assertEquals([decoder.decode(stdout!) === expected, stderr, process.stderr], [true, null, null]);
  }
});

pipes_test("stderr: STDOUT gives the program the shell's place, its number and its signals", async () => {
  await using process = await asyncio.create_subprocess_exec("sh", "-c", "echo $$; exec sleep 60", {
    stdout: PIPE,
    stderr: STDOUT,
  });
  assertEquals(Number(decoder.decode(await process.stdout!.readline())), process.pid);
  process.send_signal("SIGINT");
  assertEquals(await process.wait(), -2);
});

pipes_test("create_subprocess_exec() names the program that is missing, merged outputs or not", async () => {
  for (const options of [{ stdin: PIPE, stdout: PIPE }, { stdin: PIPE, stdout: PIPE, stderr: STDOUT }]) {
    const error = await error_of(asyncio.create_subprocess_exec("no_such_program", options));
    assertInstanceOf(error, Deno.errors.NotFound);
    assertMatch(error.message, /'no_such_program'/);
    const denied = await error_of(asyncio.create_subprocess_exec("/etc/passwd", options));
    assertInstanceOf(denied, Deno.errors.PermissionDenied);
    assertMatch(denied.message, /'\/etc\/passwd'/);
    const folder = await error_of(asyncio.create_subprocess_exec("true", { ...options, cwd: "/no/such" }));
    assertInstanceOf(folder, Deno.errors.NotFound);
    assertMatch(folder.message, /No such cwd '\/no\/such'/);
  }
});

pipes_test("a shell is found although env has no PATH", async () => {
  for (const stderr of [null, STDOUT]) {
    const process = await asyncio.create_subprocess_shell("echo $A", { env: { A: "1" }, stdout: PIPE, stderr });
    assertEquals(decoder.decode((await process.communicate())[0]!), "1\n");
  }
});

pipes_test("create_subprocess_exec() that is cancelled ends what was started", async () => {
  const call = asyncio.create_subprocess_exec("sleep", "60", { stdin: PIPE, stdout: PIPE, stderr: STDOUT });
  call.cancel();
  assertInstanceOf(await error_of(call), asyncio.CancelledError);
  const plain = asyncio.create_subprocess_exec("sleep", "60", { stdin: PIPE, stdout: PIPE, stderr: PIPE });
  plain.cancel();
  assertInstanceOf(await error_of(plain), asyncio.CancelledError);
});

pipes_test("the signal option terminates the process; aborted before, nothing is started", async () => {
  const controller = new AbortController();
  const process = await asyncio.create_subprocess_exec("sleep", "60", { signal: controller.signal, stdout: PIPE });
  controller.abort(new Error("enough"));
  assertEquals(await process.wait(), -15);
  const late = asyncio.create_subprocess_exec("sleep", "60", { signal: controller.signal, stdout: PIPE });
  assertEquals((await error_of(late)).message, "enough");
});

Deno.test("start_new_session runs the process in a session of its own", async () => {
  if (!IS_LINUX) return;
  for (const [start_new_session, own] of [[true, true], [false, false]]) {
    await using process = await asyncio.create_subprocess_exec("sleep", "60", { start_new_session });
    const session = Number(Deno.readTextFileSync(`/proc/${process.pid}/stat`).split(") ")[1].split(" ")[3]);
    assertEquals(session === process.pid, own);
  }
});

Deno.test("create_subprocess_exec() and create_subprocess_shell() refuse what they do not know", () => {
  const execute = asyncio.create_subprocess_exec as (...args: unknown[]) => unknown;
  assertThrows(() => execute(1), TypeError, '"program"');
  assertThrows(() => execute("true", 1), TypeError, "argument");
  assertThrows(() => execute("true", {}, "x"), TypeError, "argument");
  assertThrows(() => execute("true", { stdout: "piped" }), TypeError, '"stdout"');
  assertThrows(() => execute("true", { stdout: STDOUT }), RangeError, "STDOUT");
  assertThrows(() => execute("true", { stdin: -4 }), RangeError, '"stdin"');
  assertThrows(() => execute("true", { stderr: 1.5 }), RangeError, '"stderr"');
  assertThrows(() => execute("true", { cwd: 1 }), TypeError, '"cwd"');
  assertThrows(() => execute("true", { env: { A: 1 } }), TypeError, '"env.A"');
  assertThrows(() => execute("true", { uid: "root" }), TypeError, '"uid"');
  assertThrows(() => execute("true", { limit: 0 }), RangeError, '"limit"');
  assertThrows(() => execute("true", { signal: 1 }), TypeError, '"signal"');
  assertThrows(() => execute("true", { close_fds: true }), TypeError, 'Unknown option "close_fds"');
  assertThrows(() => asyncio.create_subprocess_shell(1 as never), TypeError, "cmd must be a string");
});

pipes_test("a descriptor that is not open is refused by the start", async () => {
  assertInstanceOf(await error_of(sh("exit 0", { stdin: PIPE, stdout: 9999 })), Error);
});

pipes_test("stderr: STDOUT goes where an inherited output goes", async () => {
  const program = `
    const { PIPE, STDOUT } = asyncio.subprocess;
    const process = await asyncio.create_subprocess_shell("echo out; echo err >&2", { stderr: STDOUT });
    await process.wait();`;
  assertEquals(await run_program(program), { code: 0, stdout: "out\nerr\n", stderr: "" });
});

Deno.test("DEVNULL gives no input and takes any output", async () => {
  const process = await asyncio.create_subprocess_exec("cat", { stdin: DEVNULL, stdout: DEVNULL, stderr: DEVNULL });
  assertEquals([process.stdin, process.stdout, process.stderr, await process.wait()], [null, null, null, 0]);
});

// Permissions

/** Runs a program that may do only what `flags` say; gives what it printed. */
async function output_with(flags: readonly string[], text: string): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    const library = new URL("../mod.ts", import.meta.url).href;
    await Deno.writeTextFile(`${folder}/main.ts`, `import * as asyncio from ${JSON.stringify(library)};\n${text}`);
    const process = await asyncio.create_subprocess_exec(
      Deno.execPath(),
      "run",
      "--quiet",
      "--no-prompt",
      "--no-config",
      ...flags,
      `${folder}/main.ts`,
      { stdin: DEVNULL, stdout: PIPE, stderr: PIPE },
    );
    const [stdout, stderr] = await process.communicate();
    assertEquals([decoder.decode(stderr!), process.returncode], ["", 0]);
    return decoder.decode(stdout!);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const TRY_ALL = `
  const { PIPE, STDOUT } = asyncio.subprocess;
  const calls = [
    () => asyncio.create_subprocess_exec("cat", { stdin: PIPE, stdout: PIPE }),
    () => asyncio.create_subprocess_exec("cat", { stdin: PIPE, stdout: PIPE, stderr: STDOUT }),
    () => asyncio.create_subprocess_shell("cat", { stdin: PIPE, stdout: PIPE }),
    () => asyncio.create_subprocess_shell("cat", { stdin: PIPE, stdout: PIPE, stderr: STDOUT }),
  ];
  await asyncio.run(async () => {
    for (const call of calls) {
      try {
        const process = await call();
        await process.communicate();
        console.log("started");
      } catch (error) {
        console.log(error.name);
      }
    }
    console.log(asyncio.get_running_loop()._resources.size);
  });`;

Deno.test("without --allow-run nothing is started, nothing stays open, and Deno's NotCapable tells", async () => {
  assertEquals(await output_with([], TRY_ALL), "NotCapable\n".repeat(4) + "0\n");
});

Deno.test("--allow-run for a program is enough for it, but not for a shell or merged outputs", async () => {
  assertEquals(await output_with(["--allow-run=cat"], TRY_ALL), "started\n" + "NotCapable\n".repeat(3) + "0\n");
});

Deno.test("--allow-run for the shell alone is enough for the shell, however it is named", async () => {
  for (const shell of ["sh", "/bin/sh"]) {
    const printed = await output_with([`--allow-run=${shell}`], TRY_ALL);
    assert(printed.startsWith("NotCapable\nstarted\nstarted\nstarted\n"), printed);
  }
});
