/**
 * Finds a Python, and runs it.
 *
 * @module
 */

const WANTED = "3.13";

/** What a program prints; `null` if there is none of that name, or it failed. */
export async function output_of(command: string, args: readonly string[], input = ""): Promise<string | null> {
  try {
    const child = new Deno.Command(command, {
      args: [...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const [{ success, stdout }] = await Promise.all([
      child.output(),
      // One that fails does not read to the end.
      new Blob([input]).stream().pipeTo(child.stdin).catch(() => {}),
    ]);
    return success ? new TextDecoder().decode(stdout) : null;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** The Python that the environment variable PYTHON names, or else `python3.13`, or else `python3`. */
export async function find_python(): Promise<string> {
  const named = Deno.env.get("PYTHON");
  const candidates = named ? [named] : ["python3.13", "python3"];
  const found: string[] = [];
  for (const command of candidates) {
    const version = (await output_of(command, ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]))?.trim();
    if (version === WANTED) return command;
    found.push(`${command} is ${version ?? "not there"}`);
  }
  throw new Error(
    `Cannot record: a Python ${WANTED} is needed, and ${found.join(", ")}; set PYTHON to the path of one`,
  );
}

/** Runs one of this folder's scripts, and gives what it printed, which is JSON. */
export async function run_script(
  python: string,
  script: string,
  args: readonly string[],
  input = "",
): Promise<unknown> {
  const path = new URL(script, import.meta.url).pathname;
  // -B: no folders of compiled files beside the programs.
  const text = await output_of(python, ["-B", path, ...args], input);
  if (text === null) throw new Error(`Cannot record: ${python} failed`);
  return JSON.parse(text);
}
