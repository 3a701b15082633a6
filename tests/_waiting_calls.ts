// What every call that waits in line promises; the tests of locks and of queues declare it for each of theirs.

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";
import { collect_reports, error_of, run_virtual, Transcript } from "./_helpers.ts";

/** Declares a test that the program's transcript is the expected one, which CPython 3.13 printed for its twin. */
export function same_as_cpython(
  name: string,
  program: (transcript: Transcript) => Promise<unknown>,
  expected: string,
): void {
  Deno.test(name, async () => {
    const transcript = new Transcript();
    await run_virtual(async () => {
      await program(transcript);
      await asyncio.sleep(0.01);
    });
    assertEquals(transcript.text(), expected);
  });
}

/** Makes a task of a call, that notes how it ends, and lets it run up to its wait. In an array: a promise unwraps it. */
export async function spawn(
  name: string,
  call: () => unknown,
  log: (word: unknown) => void,
): Promise<[asyncio.Task<void>]> {
  const task = asyncio.create_task(() => catching(name, call, log));
  await asyncio.sleep(0);
  return [task];
}

/** Notes how a call ends, in the words of the Python twins. */
export async function catching(name: string, call: () => unknown, log: (word: unknown) => void): Promise<void> {
  try {
    log(`${name}=${await call() ?? null}`);
  } catch (error) {
    const { name: kind, message } = error as Error;
    log(`${name}:${kind === "CancelledError" ? `cancelled${message}` : kind}`);
  }
}

/** Something that is waited for. */
export interface Waited {
  /** The call. It has to wait until `wake()`. */
  call(options?: asyncio.AcquireOptions): asyncio.Future<unknown>;
  /** Has one caller's turn come. */
  wake(): void;
  /** `wake()` has the turn of all come, and stays in force. */
  readonly wakes_all?: boolean;
  /** The turn is lost if nobody waits for it. */
  readonly keeps_no_turn?: boolean;
}

/** A signal that counts its listeners. */
function counted_signal() {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const { addEventListener, removeEventListener } = AbortSignal.prototype;
  const abort = (reason: unknown) => {
    // A listener for one event is gone once that came.
    listeners = 0;
    controller.abort(reason);
  };
  Object.assign(signal, {
    addEventListener(...args: Parameters<typeof addEventListener>) {
      listeners++;
      addEventListener.apply(signal, args);
    },
    removeEventListener(...args: Parameters<typeof removeEventListener>) {
      if (!signal.aborted) listeners--;
      removeEventListener.apply(signal, args);
    },
  });
  return { signal, abort, count: () => listeners };
}

/** Declares the tests of one call. */
export function check_waiting_call(name: string, make: () => Waited): void {
  /** What an `AbortController` may be given: thrown as it is, whatever it is. */
  const REASONS = [new RangeError("enough"), "a text", RangeError, new asyncio.CancelledError("theirs")];

  const in_loop = (promise: string, body: (waited: Waited) => Promise<void>) =>
    Deno.test(`${name} ${promise}`, async () => {
      await run_virtual(async () => {
        const reports = collect_reports();
        await body(make());
        assertEquals(reports, []);
      });
    });

  const settle = async () => {
    for (let i = 0; i < 30; i++) await asyncio.sleep(0);
  };

  /** Another caller gets what is there to get. */
  async function check_is_usable(waited: Waited): Promise<void> {
    const other = asyncio.create_task(() => waited.call());
    await settle();
    if (!other.done()) waited.wake();
    await settle();
    assert(other.done());
    await other;
  }

  in_loop("waits until its turn comes", async (waited) => {
    const task = asyncio.create_task(() => waited.call());
    await settle();
    assertEquals(task.done(), false);
    waited.wake();
    await settle();
    assertEquals(task.done(), true);
    await task;
  });

  in_loop("throws the reason of a signal that is aborted already, and takes nothing", async (waited) => {
    for (const reason of REASONS) {
      assertStrictEquals(await error_of(waited.call({ signal: AbortSignal.abort(reason) })), reason);
    }
    if (!waited.keeps_no_turn) waited.wake();
    assertStrictEquals(await error_of(waited.call({ signal: AbortSignal.abort(REASONS[0]) })), REASONS[0]);
    await check_is_usable(waited);
  });

  in_loop("throws the reason of a signal that aborts while it waits, and leaves the line", async (waited) => {
    for (const reason of REASONS) {
      const { signal, abort, count } = counted_signal();
      const task = asyncio.create_task(async () => assertStrictEquals(await error_of(waited.call({ signal })), reason));
      await settle();
      assertEquals([task.done(), count()], [false, 1]);
      abort(reason);
      await settle();
      assertEquals([task.done(), count()], [true, 0]);
      await task;
    }
    await check_is_usable(waited);
  });

  in_loop("throws the reason of a signal that aborts after it was woken, and passes the turn on", async (waited) => {
    const { signal, abort, count } = counted_signal();
    const first = asyncio.create_task(() => error_of(waited.call({ signal })));
    await settle();
    const second = asyncio.create_task(() => waited.call());
    await settle();
    waited.wake();
    abort(REASONS[0]);
    assertStrictEquals(await first, REASONS[0]);
    await settle();
    assertEquals([second.done(), count()], [true, 0]);
    await second;
  });

  in_loop("that is cancelled after it was woken passes the turn on", async (waited) => {
    const { signal, count } = counted_signal();
    const first = asyncio.create_task(() => waited.call({ signal }));
    await settle();
    const second = asyncio.create_task(() => waited.call());
    await settle();
    waited.wake();
    first.cancel("now");
    assertEquals((await error_of(first)).message, "now");
    await settle();
    assertEquals([second.done(), first.cancelled(), count()], [true, true, 0]);
    await second;
  });

  in_loop("that is cancelled while it waits leaves the line and its signal", async (waited) => {
    const { signal, abort, count } = counted_signal();
    const task = asyncio.create_task(() => waited.call({ signal }));
    await settle();
    task.cancel();
    abort("too late");
    await error_of(task);
    assertEquals([task.cancelled(), count()], [true, 0]);
    await check_is_usable(waited);
  });

  in_loop("hears of a cancellation that comes behind the abort of its signal", async (waited) => {
    const { signal, abort } = counted_signal();
    const task = asyncio.create_task(() => waited.call({ signal }));
    await settle();
    abort("first");
    task.cancel("second");
    assertEquals((await error_of(task)).message, "second");
    await check_is_usable(waited);
  });

  in_loop("that got its turn does not listen to its signal any more", async (waited) => {
    const { signal, abort, count } = counted_signal();
    const task = asyncio.create_task(() => waited.call({ signal }));
    await settle();
    waited.wake();
    await task;
    assertEquals(count(), 0);
    abort(REASONS[0]);
    await settle();
  });

  in_loop("serves its callers in the order of their coming, past those who gave up", async (waited) => {
    const { signal, abort } = counted_signal();
    const served: number[] = [];
    const tasks: asyncio.Task<void>[] = [];
    for (let i = 0; i < 6; i++) {
      tasks.push(asyncio.create_task(async () => {
        await waited.call(i === 3 ? { signal } : undefined);
        served.push(i);
      }));
      await settle();
    }
    tasks[0].cancel();
    tasks[2].cancel();
    abort("enough");
    for (let i = 0; i < (waited.wakes_all ? 1 : 3); i++) {
      waited.wake();
      await settle();
    }
    const ends = await asyncio.gather(...tasks, { return_exceptions: true });
    assertEquals([served, ends.filter((end) => end !== undefined).length], [[1, 4, 5], 3]);
  });

  in_loop("works around a timeout, which takes nothing", async (waited) => {
    const error = await error_of(asyncio.wait_for(() => waited.call(), 1));
    assert(error instanceof asyncio.TimeoutError);
    await check_is_usable(waited);
  });

  in_loop("is reached by the timeout or scope that waits for it, though it was called before", async (waited) => {
    const called: asyncio.Future<unknown>[] = [];
    called.push(waited.call());
    assertEquals((await error_of(asyncio.wait_for(called[0], 1))).name, "TimeoutError");
    called.push(waited.call());
    await asyncio.sleep(1);
    const scope = asyncio.move_on_after(1);
    await asyncio.async_with(scope, () => asyncio.async_with(new asyncio.CancelScope(), () => called[1]));
    assertEquals([scope.cancelled_caught, called.map((each) => each.cancelled())], [true, [true, true]]);
    await check_is_usable(waited);
  });

  Deno.test(`${name} refuses options that are no object, and a signal that is none, by name and value`, () => {
    const { call } = make();
    for (const signal of [null, 1, "x", new AbortController()]) {
      const text = `"signal" must be an AbortSignal, got ${
        typeof signal === "string" ? '"x"' : signal === null || signal === 1 ? signal : "[object AbortController]"
      }`;
      assertThrows(() => call({ signal: signal as unknown as AbortSignal }), TypeError, text);
    }
    assertThrows(
      () => call(5 as unknown as asyncio.AcquireOptions),
      TypeError,
      '"options" must be an object, got 5',
    );
    assertThrows(() => call(AbortSignal.abort() as asyncio.AcquireOptions), TypeError, "as in { signal }");
    assertThrows(
      () => call({ sginal: AbortSignal.abort() } as asyncio.AcquireOptions),
      TypeError,
      'Unknown option "sginal": known are "signal"',
    );
  });

  Deno.test(`${name} works outside of a task`, async () => {
    const waited = make();
    const waiting = waited.call();
    await asyncio.sleep(0.001);
    assertEquals(waiting.done(), false);
    waited.wake();
    await waiting;
    asyncio.get_event_loop().close();
  });
}
