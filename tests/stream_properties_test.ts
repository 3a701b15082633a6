import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import * as asyncio from "../mod.ts";
import { run_virtual } from "./_helpers.ts";
import { bytes, joined, pattern, same_bytes, text, with_pair } from "./_streams.ts";

type ReadKind =
  | { readonly kind: "read"; readonly size: number }
  | { readonly kind: "readexactly"; readonly size: number }
  | { readonly kind: "readline" }
  | { readonly kind: "read all" }
  | { readonly kind: "readuntil"; readonly separators: readonly string[] };

/** Few letters, so that separators are frequent and overlap. */
const content = fc.string({ unit: fc.constantFrom("a", "b", "\n", "\r"), maxLength: 60 });

const read_kind: fc.Arbitrary<ReadKind> = fc.oneof(
  fc.record({ kind: fc.constant("read" as const), size: fc.integer({ min: 0, max: 12 }) }),
  fc.record({ kind: fc.constant("readexactly" as const), size: fc.integer({ min: 0, max: 12 }) }),
  fc.record({ kind: fc.constant("readline" as const) }),
  fc.record({
    kind: fc.constant("readuntil" as const),
    separators: fc.array(
      fc.string({ unit: fc.constantFrom("a", "b", "\n", "\r"), minLength: 1, maxLength: 3 }),
      { minLength: 1, maxLength: 3 },
    ),
  }),
);

/** What a read gave, and whether the end came too early for it. */
interface Outcome {
  readonly got: string;
  readonly incomplete: boolean;
}

function start(reader: asyncio.StreamReader, step: ReadKind): asyncio.Future<Uint8Array> {
  if (step.kind === "read") return reader.read(step.size);
  if (step.kind === "readexactly") return reader.readexactly(step.size);
  if (step.kind === "readline") return reader.readline();
  if (step.kind === "readuntil") return reader.readuntil(step.separators);
  return reader.read();
}

async function outcome_of(reading: PromiseLike<Uint8Array>): Promise<Outcome> {
  try {
    return { got: text(await reading), incomplete: false };
  } catch (error) {
    if (!(error instanceof asyncio.IncompleteReadError)) throw error;
    return { got: text(error.partial), incomplete: true };
  }
}

/** What a read of the rest of the content has to give; `read()` may give less, but something. */
function expected(rest: string, step: ReadKind): Outcome {
  if (step.kind === "read") return { got: rest.slice(0, step.size), incomplete: false };
  if (step.kind === "readexactly") return { got: rest.slice(0, step.size), incomplete: rest.length < step.size };
  if (step.kind === "read all") return { got: rest, incomplete: false };
  const separators = step.kind === "readline" ? ["\n"] : step.separators;
  for (let end = 1; end <= rest.length; end++) {
    if (separators.some((each: string) => rest.slice(0, end).endsWith(each))) {
      return { got: rest.slice(0, end), incomplete: false };
    }
  }
  return { got: rest, incomplete: step.kind === "readuntil" };
}

async function check_reads(reader: asyncio.StreamReader, whole: string, reads: readonly ReadKind[]): Promise<void> {
  let rest = whole;
  for (const step of [...reads, { kind: "read all" } as const]) {
    const outcome = await outcome_of(start(reader, step));
    const wanted = expected(rest, step);
    if (step.kind === "read") {
      assert(wanted.got.startsWith(outcome.got) && (outcome.got !== "" || wanted.got === ""), JSON.stringify(outcome));
    } else {
      assertEquals(outcome, wanted);
    }
    rest = rest.slice(outcome.got.length);
  }
  assert(reader.at_eof());
}

/** Content cut into chunks, and how long to wait before each comes. */
const chunks = fc.tuple(content, fc.array(fc.tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 0, max: 3 }))))
  .map(
    ([whole, cuts]) => {
      const parts: { data: string; delay: number }[] = [];
      let at = 0;
      for (const [size, delay] of cuts) {
        parts.push({ data: whole.slice(at, at + size), delay });
        at += size;
      }
      parts.push({ data: whole.slice(at), delay: 0 });
      return { whole, parts };
    },
  );

Deno.test("any reads of any chunks give the bytes that a search in the whole content gives", async () => {
  await fc.assert(
    fc.asyncProperty(chunks, fc.array(read_kind, { maxLength: 12 }), async ({ whole, parts }, reads) => {
      await run_virtual(async () => {
        const reader = new asyncio.StreamReader();
        const feeding = asyncio.create_task(async () => {
          for (const { data, delay } of parts) {
            if (delay > 0) await asyncio.sleep(delay - 1);
            reader.feed_data(data);
          }
          reader.feed_eof();
        });
        await check_reads(reader, whole, reads);
        await feeding;
      });
    }),
    { numRuns: 500 },
  );
});

Deno.test("any reads of any writes over TCP give the bytes that a search in the whole content gives", async () => {
  await fc.assert(
    fc.asyncProperty(chunks, fc.array(read_kind, { maxLength: 12 }), async ({ whole, parts }, reads) => {
      await with_pair(async ([_, writer], [reader]) => {
        const writing = asyncio.create_task(async () => {
          for (const { data, delay } of parts) {
            for (let i = 0; i < delay; i++) await asyncio.sleep(0);
            writer.write(data);
            if (delay === 1) await writer.drain();
          }
          writer.close();
        });
        await check_reads(reader, whole, reads);
        await writing;
      });
    }),
    { numRuns: 300 },
  );
});

/** A read, and how it is given up: `moment` is a number of turns, or of the clock's units. */
interface CancelledRead {
  readonly read: ReadKind;
  readonly way: typeof WAYS[number];
  readonly moment: number;
  /** Something comes in the very step that gives the read up. */
  readonly arrives: boolean;
}

const WAYS = ["not", "task", "task, unawaited", "future", "wait_for", "wait_for a function", "timeout"] as const;

const cancelled_reads: fc.Arbitrary<CancelledRead[]> = fc.array(
  fc.record({
    read: read_kind,
    way: fc.constantFrom(...WAYS),
    moment: fc.integer({ min: 0, max: 4 }),
    arrives: fc.boolean(),
  }),
  { maxLength: 25 },
);

/** Gives reads up in many ways; everything that reads did give must be the content, byte by byte. */
class Canceller {
  readonly #reader: asyncio.StreamReader;
  /** Seconds that a moment is long. */
  readonly #unit: number;
  readonly #parts: string[];
  readonly #arrive: (data: string) => void;
  readonly #end: () => void;
  #got = "";

  constructor(
    reader: asyncio.StreamReader,
    unit: number,
    parts: readonly { data: string }[],
    arrive: (data: string) => void,
    end: () => void,
  ) {
    this.#reader = reader;
    this.#unit = unit;
    this.#parts = parts.map(({ data }) => data);
    this.#arrive = arrive;
    this.#end = end;
  }

  /** Runs all, and gives what was read in the end. */
  async run(reads: readonly CancelledRead[]): Promise<string> {
    const unawaited: asyncio.Task<Uint8Array>[] = [];
    for (const step of reads) {
      const { way, moment } = step;
      if (way === "not") {
        // Some of the content has to be on its way, or the read would wait for ever.
        this.#next();
        this.#next();
        if (step.read.kind === "read") {
          await this.#take(asyncio.wait_for(start(this.#reader, step.read), 5 * this.#unit));
        }
      } else if (way === "task" || way === "task, unawaited") {
        const task = asyncio.create_task(() => start(this.#reader, step.read));
        await this.#wait(step);
        if (!task.cancel() || way === "task") await this.#take(task);
        else unawaited.push(task);
      } else if (way === "future") {
        const reading = start(this.#reader, step.read);
        await this.#wait(step);
        if (!reading.cancel()) await this.#take(reading);
      } else {
        const timer = this.#later(step);
        const timeout = moment * this.#unit;
        if (way === "wait_for") await this.#take(asyncio.wait_for(start(this.#reader, step.read), timeout));
        else if (way === "wait_for a function") {
          await this.#take(asyncio.wait_for(() => start(this.#reader, step.read), timeout));
        } else {
          await this.#take(
            asyncio.async_with(asyncio.timeout(timeout), async () => await start(this.#reader, step.read)),
          );
        }
        timer?.cancel();
      }
    }
    while (this.#parts.length > 0) this.#next();
    this.#end();
    await this.#take(this.#reader.read());
    for (const task of unawaited) {
      await task.catch(() => {});
      assert(task.cancelled());
    }
    return this.#got;
  }

  #next(): void {
    const data = this.#parts.shift();
    if (data !== undefined) this.#arrive(data);
  }

  async #wait(step: CancelledRead): Promise<void> {
    for (let i = 0; i < step.moment; i++) {
      if (i === 2) this.#next();
      await asyncio.sleep(0);
    }
    if (step.arrives) this.#next();
  }

  /** Has something come at about the time at which the deadline passes. */
  #later(step: CancelledRead): asyncio.TimerHandle | null {
    if (!step.arrives) return null;
    return asyncio.get_event_loop().call_later(step.moment * this.#unit, () => this.#next());
  }

  async #take(reading: PromiseLike<Uint8Array>): Promise<void> {
    try {
      this.#got += (await outcome_of(reading)).got;
    } catch (error) {
      if (!(error instanceof asyncio.CancelledError || error instanceof asyncio.TimeoutError)) throw error;
    }
  }
}

Deno.test("reads that are cancelled at any moment lose no byte, double none and keep the order", async () => {
  await fc.assert(
    fc.asyncProperty(chunks, cancelled_reads, async ({ whole, parts }, reads) => {
      await run_virtual(async () => {
        const reader = new asyncio.StreamReader();
        const canceller = new Canceller(reader, 1, parts, (data) => reader.feed_data(data), () => reader.feed_eof());
        assertEquals(await canceller.run(reads), whole);
      });
    }),
    { numRuns: 2000 },
  );
});

Deno.test("reads over TCP that are cancelled at any moment lose no byte, double none and keep the order", async () => {
  await fc.assert(
    fc.asyncProperty(chunks, cancelled_reads, async ({ whole, parts }, reads) => {
      await with_pair(async ([_, writer], [reader]) => {
        const send = (data: string) => {
          writer.write(data);
          writer.drain();
        };
        const canceller = new Canceller(reader, 0.0003, parts, send, () => writer.close());
        assertEquals(await canceller.run(reads), whole);
      });
    }),
    { numRuns: 300 },
  );
});

Deno.test("a large stream over TCP, read in pieces with tiny timeouts, arrives byte by byte", async () => {
  const data = bytes(Array.from({ length: 60_000 }, (_, i) => `line ${i}\n`).join(""));
  await with_pair(async ([_, writer], [reader]) => {
    const writing = asyncio.create_task(async () => {
      for (let at = 0; at < data.length; at += 10_007) {
        writer.write(data.subarray(at, at + 10_007));
        await writer.drain();
        if (at % 3 === 0) await asyncio.sleep(0.0005);
      }
      writer.close();
    });
    const got: Uint8Array[] = [];
    for (let i = 0; !reader.at_eof(); i++) {
      try {
        const reading = i % 2 === 0 ? reader.readexactly(1 + (i * 7919) % 5000) : reader.read(3000);
        got.push(await asyncio.wait_for(reading, (i % 5) * 0.0002));
      } catch (error) {
        if (error instanceof asyncio.IncompleteReadError) got.push(error.partial);
        else assert(error instanceof asyncio.TimeoutError, String(error));
      }
    }
    await writing;
    assertEquals(text(joined(got)) === text(data), true);
  });
});

Deno.test("peek() and unread() between reads that are cancelled lose no byte, double none and keep the order", async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("peek" as const), size: fc.integer({ min: 0, max: 12 }) }),
    fc.record({ kind: fc.constant("unread" as const), size: fc.integer({ min: 0, max: 12 }) }),
    fc.record({ kind: fc.constant("read" as const), read: read_kind, moment: fc.integer({ min: 0, max: 3 }) }),
  );
  await fc.assert(
    fc.asyncProperty(chunks, fc.array(step, { maxLength: 25 }), async ({ whole, parts }, steps) => {
      await run_virtual(async () => {
        const reader = new asyncio.StreamReader();
        const feeding = asyncio.create_task(async () => {
          for (const { data, delay } of parts) {
            await asyncio.sleep(delay);
            reader.feed_data(data);
          }
          reader.feed_eof();
        });
        let got = "";
        for (const step of steps) {
          if (step.kind === "unread") {
            const from = Math.max(0, got.length - step.size);
            reader.unread(got.slice(from));
            got = got.slice(0, from);
            continue;
          }
          try {
            if (step.kind === "peek") {
              const seen = text(await asyncio.wait_for(reader.peek(step.size), 1));
              assert(whole.startsWith(got + seen) && seen.length <= step.size);
              assert(seen !== "" || step.size === 0 || reader.at_eof());
            } else {
              got += (await outcome_of(asyncio.wait_for(start(reader, step.read), step.moment))).got;
            }
          } catch (error) {
            if (!(error instanceof asyncio.TimeoutError)) throw error;
          }
        }
        await feeding;
        await reader.wait_eof();
        assertEquals(reader.buffered, bytes(whole.slice(got.length)).length);
        assertEquals(got + text(await reader.read()), whole);
      });
    }),
    { numRuns: 1000 },
  );
});

const KEPT_READS = ["read", "readexactly", "readuntil", "readinto", "lines", "peek", "unread"] as const;

/** Reads in many ways, and keeps every array that it was given, with where in the stream that begins. */
class Keeper {
  readonly #reader: asyncio.StreamReader;
  readonly #lines: AsyncIterator<Uint8Array, undefined>;
  readonly kept: [data: Uint8Array, at: number][] = [];
  readonly peeked: [data: Uint8Array, at: number][] = [];
  at = 0;

  constructor(reader: asyncio.StreamReader) {
    this.#reader = reader;
    this.#lines = reader.lines({ keep_ends: true, limit: 10, overlong: "split" });
  }

  /** `patience` is after how many turns it gives up. */
  async take(kind: typeof KEPT_READS[number], size: number, patience: number | null = null): Promise<void> {
    if (kind === "unread") return this.#unread(size);
    const reading = asyncio.create_task(() => this.#start(kind, size));
    if (patience !== null) {
      for (let i = 0; i < patience; i++) await asyncio.sleep(0);
      reading.cancel();
    }
    let data: Uint8Array;
    try {
      data = await reading;
    } catch (error) {
      if (error instanceof asyncio.CancelledError) return;
      if (!(error instanceof asyncio.IncompleteReadError)) throw error;
      data = error.partial;
    }
    if (kind === "peek") this.peeked.push([data, this.at]);
    else this.#keep(data);
  }

  async #start(kind: typeof KEPT_READS[number], size: number): Promise<Uint8Array> {
    const reader = this.#reader;
    if (kind === "read") return await reader.read(size);
    if (kind === "readexactly") return await reader.readexactly(size);
    if (kind === "readuntil") return await reader.readuntil(["\r", "ab"], { limit: Infinity });
    if (kind === "peek") return await reader.peek(size);
    if (kind === "lines") return (await this.#lines.next()).value ?? new Uint8Array(0);
    const array = new Uint8Array(size);
    return array.subarray(0, await reader.readinto(array));
  }

  #keep(data: Uint8Array): void {
    this.kept.push([data, this.at]);
    this.at += data.length;
  }

  #unread(size: number): void {
    const [data, at] = this.kept.pop() ?? [new Uint8Array(0), 0];
    this.at = at;
    const part = data.slice(-size);
    this.#keep(data.subarray(0, data.length - part.length));
    this.#reader.unread(part);
    part.fill(0);
  }
}

Deno.test("what reads gave stays as it was, whatever comes, is read or is put in front later", async () => {
  const size = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 12_000 }));
  const step_size = fc.integer({ min: 400, max: 4000 });
  const patience = fc.option(fc.integer({ min: 0, max: 4 }), { freq: 2 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(size, { minLength: 1, maxLength: 8 }),
      fc.array(fc.tuple(fc.constantFrom(...KEPT_READS), size, patience), { maxLength: 25 }),
      fc.tuple(step_size, step_size),
      async (writes, steps, [write_size, chunk_size]) => {
        await asyncio.run(async () => {
          const whole = pattern(writes.reduce((sum, each) => sum + each));
          const settings = { client: { write_size }, server: { chunk_size }, capacity: 8192 };
          await using pair = asyncio.testing.memory_pair(settings);
          const [[_, writer], [reader]] = [pair.client, pair.server];
          const writing = asyncio.create_task(async () => {
            let at = 0;
            for (const each of writes) {
              const data = whole.slice(at, at += each);
              writer.write(data);
              data.fill(0);
              if (each % 2 === 0) await writer.drain();
            }
            writer.write_eof();
          });
          const keeper = new Keeper(reader);
          for (const step of steps) await keeper.take(...step);
          while (!reader.at_eof()) await keeper.take("read", 5000);
          await writing;
          assertEquals(keeper.at, whole.length);
          for (const [data, at] of [...keeper.kept, ...keeper.peeked]) {
            assert(same_bytes(data, whole.subarray(at, at + data.length)), `${data.length} bytes from ${at}`);
          }
        });
      },
    ),
    { numRuns: 100 },
  );
});
