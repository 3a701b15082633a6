/**
 * Running tests: each on a loop of its own, in virtual time, over a network in memory.
 *
 * @module
 */

import { type Clock, VirtualClock } from "./clocks.ts";
import { current_loop } from "./_context.ts";
import { new_event_loop } from "./deno_events.ts";
import { declare_test, type TestDefinition } from "./_deno_test.ts";
import { check_callable, check_number, check_options, shown, TimeoutError } from "./exceptions.ts";
import type { Future } from "./futures.ts";
import { assert_no_leaks } from "./leaks.ts";
import { memory_network, MemoryNetwork, type MemoryNetworkOptions } from "./memory_networks.ts";
import { check_size } from "./memory_pairs.ts";
import { run } from "./runners.ts";
import { create_task, type Task } from "./tasks.ts";

/**
 * What a test is run with.
 */
export interface TestKit {
  /** The loop's clock; `null` for the machine's. */
  readonly clock: Clock | null;
  /** The loop's network; `null` for the machine's. */
  readonly network: MemoryNetwork | null;
  /** What the order of tasks, and the network's numbers, are drawn with; `null` if no seed was asked for. */
  readonly seed: number | null;
}

/** `TestKit` as it is if the options leave clock and network as they are by default. */
export interface VirtualTestKit extends TestKit {
  /** A virtual clock that began at 0. */
  readonly clock: VirtualClock;
  /** A network in memory. */
  readonly network: MemoryNetwork;
}

/**
 * Options of `run_test()`.
 */
export interface RunTestOptions {
  /**
   * The loop's clock; `null` for the machine's.
   *
   * @default a virtual clock for each run
   */
  readonly clock?: Clock | null;
  /**
   * The loop's network, or the options of one that is made for each run; `null` for the machine's.
   *
   * @default a network in memory
   */
  readonly network?: MemoryNetwork | MemoryNetworkOptions | null;
  /**
   * Has the order of tasks that are ready at the same time drawn with this number, see `new_event_loop()`, and with it
   * what a network does that has no seed of its own.
   *
   * @default no other order, unless there are several runs
   */
  readonly seed?: number;
  /**
   * How often it is run: with the seed, or 1, and with the numbers after that.
   *
   * @default 1
   */
  readonly runs?: number;
  /**
   * Seconds of the loop's clock after which it has failed if it still runs. In virtual time, a test whose tasks all
   * wait for each other gets there at once.
   *
   * @default 86400
   */
  readonly timeout?: number;
  /**
   * Whether it fails if it leaves something behind, see `assert_no_leaks()`.
   *
   * @default true
   */
  readonly leaks?: boolean;
  /**
   * The loop's debug mode.
   *
   * @default what the loop starts with
   */
  readonly debug?: boolean;
}

/**
 * Options of `test()`.
 */
export interface TestOptions extends RunTestOptions {
  /**
   * Whether it is left out.
   *
   * @default false
   */
  readonly ignore?: boolean;
  /**
   * Whether all others are left out.
   *
   * @default false
   */
  readonly only?: boolean;
  /**
   * Where it is declared.
   *
   * @default Deno.test
   */
  readonly register?: (test: TestDefinition) => unknown;
}

const RUN_OPTIONS = ["clock", "network", "seed", "runs", "timeout", "leaks", "debug"];
const A_DAY = 86400;
/** How often a test that has taken too long is cancelled before it is left to itself, and how many seconds apart: arbitrary. */
const MAX_CANCELS = 10;
const CANCEL_INTERVAL = 1;

/** Options with a clock and a network that `fn` can do with as with those it would have by default. */
type Default = { readonly clock?: VirtualClock; readonly network?: MemoryNetwork | MemoryNetworkOptions };

/**
 * Waits until every other task of the loop waits as well: nothing is ready to run.
 *
 * It comes before the jumps of a virtual clock. Of several calls, the one with the shortest `cushion` ends first, and
 * those with the same end together. What is under way outside of the loop, such as a read of a socket, is no work of
 * the loop; `cushion` is for that.
 *
 * @param cushion How long the loop has to be without work, in seconds of the machine's clock.
 * @returns A future that is done then.
 * @throws {TypeError} If `cushion` is not a number.
 * @throws {RangeError} If it is below 0.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(async () => {
 *   const lock = new asyncio.Lock();
 *   await lock.acquire();
 *   const task = asyncio.create_task(() => lock.acquire());
 *   await asyncio.testing.wait_all_tasks_blocked();
 *   console.log(task); // <Task "Task-2" pending, waits for <Lock ...>>
 *   lock.release();
 *   await task;
 * });
 * ```
 */
export function wait_all_tasks_blocked(cushion: number = 0): Future<void> {
  check_number("cushion", cushion);
  if (!(cushion >= 0 && cushion < Infinity)) throw new RangeError(`"cushion" must be 0 or more, got ${cushion}`);
  return current_loop()._idle_for(cushion);
}

/**
 * Runs a test on a loop of its own: in virtual time, over a network in memory, and looks for what it left behind.
 *
 * A test that takes too long is cancelled, also if it catches that and waits again. One that nobody can end, as it waits for
 * a promise that is not this library's, fails all the same, and is left to itself.
 *
 * With `seed` or `runs`, tasks that are ready at the same time go on in another order; the error of a test that fails
 * names the seed, and with it the test fails again.
 *
 * @param fn The test; it is given its clock and its network.
 * @param options What is different.
 * @returns A promise of its result, of the last run.
 * @throws {TypeError} If an option is unknown or has the wrong type.
 * @throws {TimeoutError} If it still waits after `timeout`; the text names its tasks.
 * @throws What the test throws; with a seed, an `Error` that names it, with that as its `cause`.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.testing.run_test(async ({ clock }) => {
 *   await asyncio.sleep(3600);
 *   console.log(clock.time()); // 3600
 * });
 * ```
 */
export function run_test<T>(
  fn: (kit: VirtualTestKit) => T | PromiseLike<T>,
  options?: RunTestOptions & Default,
): Promise<T>;
/**
 * Runs a test on a loop with another clock or another network, such as the machine's.
 *
 * @param fn The test.
 * @param options What is different.
 * @returns A promise of its result.
 */
export function run_test<T>(fn: (kit: TestKit) => T | PromiseLike<T>, options: RunTestOptions): Promise<T>;
export async function run_test<T>(
  fn: (kit: VirtualTestKit) => T | PromiseLike<T>,
  options: RunTestOptions = {},
): Promise<T> {
  check_callable("fn", fn);
  check_options(options, RUN_OPTIONS);
  check_values(options);
  const { seed, runs = 1 } = options;
  if (seed === undefined && runs === 1) return await run_once(fn, options, null);
  const first = seed ?? 1;
  for (let each = first;; each++) {
    try {
      const result = await run_once(fn, options, each);
      if (each === first + runs - 1) return result;
    } catch (cause) {
      const text = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
      throw new Error(`Failed with { seed: ${each} }: ${text}`, { cause });
    }
  }
}

/**
 * Declares a test to `deno test` that `run_test()` runs, with Deno's sanitizers on.
 *
 * @param name What it promises.
 * @param fn The test; it is given its clock and its network.
 * @param options What is different.
 * @throws {TypeError} If an option is unknown or has the wrong type.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * // In a test file, without the last option.
 * const tests: asyncio.testing.TestDefinition[] = [];
 * const register = (test: asyncio.testing.TestDefinition) => tests.push(test);
 * asyncio.testing.test("a server echoes lines, however they are cut", async () => {
 *   const server = await asyncio.start_server(async (reader, writer) => {
 *     for await (const line of reader) writer.write(line);
 *   }, "10.0.0.1", 7);
 *   const [reader, writer] = await asyncio.open_connection("10.0.0.1", 7);
 *   writer.write("one\ntwo\n");
 *   writer.write_eof();
 *   console.log(new TextDecoder().decode(await reader.read()) === "one\ntwo\n"); // true
 *   writer.close();
 *   await server.shutdown();
 * }, { network: { chunk_size: [1, 3], write_size: [1, 3] }, runs: 10, register });
 * await tests[0].fn();
 * ```
 */
export function test(name: string, fn: (kit: VirtualTestKit) => unknown, options?: TestOptions & Default): void;
/**
 * Declares a test with another clock or another network, such as the machine's.
 *
 * @param name What it promises.
 * @param fn The test.
 * @param options What is different.
 */
export function test(name: string, fn: (kit: TestKit) => unknown, options: TestOptions): void;
export function test(name: string, fn: (kit: VirtualTestKit) => unknown, options: TestOptions = {}): void {
  if (typeof name !== "string" || name === "") throw new TypeError(`"name" must be a text, got ${shown(name)}`);
  check_callable("fn", fn);
  check_options(options, [...RUN_OPTIONS, "ignore", "only", "register"]);
  const { ignore = false, only = false, register = declare_test, ...rest } = options;
  check_callable("register", register);
  check_values(rest);
  register({
    name,
    ignore,
    only,
    sanitizeOps: true,
    sanitizeResources: true,
    sanitizeExit: true,
    fn: async () => void await run_test(fn, rest as RunTestOptions & Default),
  });
}

function check_values({ network, seed, runs, timeout, leaks }: RunTestOptions): void {
  if (seed !== undefined) check_number("seed", seed);
  if (runs !== undefined) check_size("runs", runs);
  if (timeout !== undefined) {
    check_number("timeout", timeout);
    if (!(timeout > 0)) throw new RangeError(`"timeout" must be above 0, got ${timeout}`);
  }
  if (leaks !== undefined && typeof leaks !== "boolean") {
    throw new TypeError(`"leaks" must be a boolean, got ${shown(leaks)}`);
  }
  if (network && !(network instanceof MemoryNetwork)) memory_network(network);
}

async function run_once<T>(
  fn: (kit: VirtualTestKit) => T | PromiseLike<T>,
  options: RunTestOptions,
  seed: number | null,
): Promise<T> {
  const { clock = new VirtualClock(), network: given = {}, timeout = A_DAY, leaks = true, debug } = options;
  const network = given === null || given instanceof MemoryNetwork
    ? given
    : memory_network({ ...(seed === null ? {} : { seed }), ...given });
  // As the overloads have it, a test that is promised a virtual clock and a memory network has them.
  const kit = Object.freeze({ clock, network, seed }) as VirtualTestKit;
  const body = leaks ? () => assert_no_leaks(() => fn(kit)) : async () => await fn(kit);
  const { promise: given_up, reject: give_up } = Promise.withResolvers<never>();
  const running = run(() => limited(body, timeout, give_up), {
    ...(debug === undefined ? {} : { debug }),
    loop_factory: () =>
      new_event_loop({
        ...(clock === null ? {} : { clock }),
        ...(network === null ? {} : { network }),
        ...(seed === null ? {} : { order_seed: seed }),
      }),
  });
  return await Promise.race([running, given_up]);
}

/**
 * Runs a test, and says what its tasks wait for if it takes too long: by `give_up` if it does not end even so, as it waits
 * for a promise that is not this library's, or always goes on.
 */
async function limited<T>(
  body: () => PromiseLike<T>,
  timeout: number,
  give_up: (error: TimeoutError) => void,
): Promise<T> {
  const loop = current_loop();
  const task: Task<T> = create_task(async () => await body(), { name: "test" });
  let waiting: string | null = null;
  let cancels = 0;
  const on_timeout = () => {
    waiting ??= [...loop._tasks].filter((each) => each !== main).map((each) => each._describe()).join("\n  ");
    if (cancels++ === MAX_CANCELS) return give_up(timed_out());
    // Code that swallows the cancellation, and waits again, is to hear of it again.
    timer = loop._call_later(CANCEL_INTERVAL, on_timeout);
    task.cancel();
  };
  let timer = loop._call_later(timeout, on_timeout);
  const [main] = loop._tasks;
  const timed_out = (cause?: unknown) =>
    new TimeoutError(`Still waiting after ${timeout} seconds:\n  ${waiting}`, { cause });
  try {
    await task;
  } catch (error) {
    throw waiting === null ? error : timed_out(error);
  } finally {
    timer.cancel();
  }
  if (waiting !== null) throw timed_out();
  return task.result();
}
