import { assertEquals, assertMatch } from "@std/assert";
import * as asyncio from "../mod.ts";
import { supervise } from "../examples/supervisor.ts";

const { DEVNULL, PIPE } = asyncio.subprocess;
const decoder = new TextDecoder();

/** The example in a process of its own, which supervises a shell. */
function start(command: string): asyncio.Future<asyncio.Process> {
  const file = new URL("../examples/supervisor.ts", import.meta.url).pathname;
  const args = ["run", "--quiet", "--no-config", "--no-prompt", "--allow-run", file, "sh", "-c", command];
  return asyncio.create_subprocess_exec(Deno.execPath(), ...args, { stdin: DEVNULL, stdout: PIPE, stderr: PIPE });
}

async function line_of(process: asyncio.Process): Promise<string> {
  return decoder.decode(await process.stdout!.readline());
}

Deno.test("supervisor.ts starts a program that fails again, with delays that double, and ends when it succeeds", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using process = await start(`cd ${folder}; echo >>runs; test $(wc -l <runs) = 4 || exit 7`);
    const [stdout, stderr] = await process.communicate();
    const steady = decoder.decode(stdout!).replaceAll(/Process \d+/g, "Process N");
    const failed = (delay: number) => `Process N failed with code 7; the next one starts in ${delay} s\n`;
    assertEquals(
      steady,
      [failed(0.1), failed(0.2), failed(0.4)].map((line) => `Process N runs\n${line}`).join("") + "Process N runs\n",
    );
    assertEquals([decoder.decode(stderr!), process.returncode], ["", 0]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`supervisor.ts ends its program, and then itself, on ${signal}`, async () => {
    await using process = await start("trap 'echo cleaned up; exit 0' TERM; echo up; while :; do sleep 0.01; done");
    // Which of the two processes writes first is chance.
    const lines = [await line_of(process), await line_of(process)].toSorted();
    assertMatch(lines.join(""), /^Process \d+ runs\nup\n$/);
    process.send_signal(signal);
    const [stdout] = await process.communicate();
    assertEquals(decoder.decode(stdout!), `Stopping, because of ${signal}\ncleaned up\n`);
    assertEquals(process.returncode, 0);
  });
}

Deno.test("supervisor.ts tells of a program that is missing, and of its usage", async () => {
  const file = new URL("../examples/supervisor.ts", import.meta.url).pathname;
  for (const [args, code, text] of [[["no_such_program"], 1, "'no_such_program'"], [[], 2, "usage: "]] as const) {
    const command = ["run", "--quiet", "--no-config", "--no-prompt", "--allow-run", file, ...args];
    const process = await asyncio.create_subprocess_exec(Deno.execPath(), ...command, { stderr: PIPE });
    const [, stderr] = await process.communicate();
    assertEquals([process.returncode, decoder.decode(stderr!).includes(text)], [code, true]);
  }
});

Deno.test("supervise() begins with the shortest delay again after a healthy run, and can be cancelled", async () => {
  const lines: string[] = [];
  const { log } = console;
  console.log = (line: string) => void lines.push(line.replace(/Process \d+/, "N"));
  try {
    const back_off = { shortest: 0.01, longest: 0.02, healthy: 0 };
    const task = asyncio.create_task(() => supervise("sh", ["-c", "kill -9 $$"], back_off));
    await asyncio.sleep(0.2);
    task.cancel();
    await asyncio.wait([task]);
    assertEquals(task.cancelled(), true);
  } finally {
    console.log = log;
  }
  assertEquals(lines.slice(0, 4), [
    "N runs",
    "N was ended by signal 9; the next one starts in 0.01 s",
    "N runs",
    "N was ended by signal 9; the next one starts in 0.01 s",
  ]);
});
