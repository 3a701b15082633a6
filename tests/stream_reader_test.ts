import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";
import { assert_linear, collect_reports, error_of } from "./_helpers.ts";
import {
  bytes,
  for_turns,
  MIB,
  pattern,
  same_bytes,
  text,
  until,
  with_bare_peer,
  with_node_peer,
  with_pair,
} from "./_streams.ts";

function fed(...chunks: string[]): asyncio.StreamReader {
  const reader = new asyncio.StreamReader();
  for (const chunk of chunks) reader.feed_data(chunk);
  return reader;
}

function ended(...chunks: string[]): asyncio.StreamReader {
  const reader = fed(...chunks);
  reader.feed_eof();
  return reader;
}

const SEVERAL_KINDS: [name: string, read: (reader: asyncio.StreamReader) => asyncio.Future<Uint8Array>][] = [
  ["read", (reader) => reader.read(10)],
  ["readline", (reader) => reader.readline()],
  ["readexactly", (reader) => reader.readexactly(3)],
  ["readuntil", (reader) => reader.readuntil("\n")],
];

// read()

Deno.test("StreamReader.read(n) gives what is there, up to n, and leaves the rest", async () => {
  const reader = fed("hello world");
  assertEquals(text(await reader.read(5)), "hello");
  assertEquals(text(await reader.read(100)), " world");
});

Deno.test("StreamReader.read(n) waits until something has come, and no longer", async () => {
  const reader = fed();
  const reading = reader.read(100);
  await for_turns(2);
  assert(!reading.done());
  reader.feed_data("ab");
  reader.feed_data("cd");
  assertEquals(text(await reading), "abcd");
});

Deno.test("StreamReader.read() collects everything up to the end", async () => {
  const reader = fed("one ");
  const reading = reader.read();
  reader.feed_data("two ");
  await for_turns(1);
  assert(!reading.done());
  reader.feed_data("three");
  reader.feed_eof();
  assertEquals(text(await reading), "one two three");
  assertEquals((await reader.read()).length, 0);
});

Deno.test("StreamReader.read(0) gives no bytes at once, whatever is buffered", async () => {
  assertEquals((await fed().read(0)).length, 0);
  const reader = fed("abc");
  assertEquals((await reader.read(0)).length, 0);
  assertEquals(text(await reader.read(3)), "abc");
});

Deno.test("StreamReader gives no bytes at the end, every time", async () => {
  const reader = ended();
  for (let i = 0; i < 3; i++) {
    assertEquals((await reader.read(10)).length, 0);
    assertEquals((await reader.readline()).length, 0);
  }
});

Deno.test("what StreamReader.read() gives is the caller's own", async () => {
  const reader = fed("abcdef");
  const first = await reader.read(3);
  reader.feed_data("ghi");
  first.fill(0);
  assertEquals(text(await reader.read(100)), "defghi");
});

Deno.test("StreamReader.feed_data() copies what it is given", async () => {
  const reader = fed();
  const data = bytes("abc");
  reader.feed_data(data);
  data.fill(0);
  assertEquals(text(await reader.read(3)), "abc");
});

// readline()

Deno.test("StreamReader.readline() gives lines with their ends, and the last one without", async () => {
  const reader = ended("one\ntw", "o\n\nthree");
  assertEquals(text(await reader.readline()), "one\n");
  assertEquals(text(await reader.readline()), "two\n");
  assertEquals(text(await reader.readline()), "\n");
  assertEquals(text(await reader.readline()), "three");
  assertEquals(text(await reader.readline()), "");
});

Deno.test("StreamReader.readline() of a line beyond the limit throws LimitOverrunError and keeps every byte", async () => {
  const reader = new asyncio.StreamReader({ limit: 4 });
  reader.feed_data("123456\nrest\n");
  const error = await error_of(reader.readline());
  assertInstanceOf(error, asyncio.LimitOverrunError);
  assertEquals(error.message, "Separator is found, but chunk is longer than limit");
  assertEquals(error.consumed, 6);
  assertEquals(text(await reader.readexactly(error.consumed + 1)), "123456\n");
  assertEquals(text(await reader.readline()), "rest\n");
});

Deno.test("StreamReader.readline() takes a line that is exactly as long as the limit, and none that is longer", async () => {
  const reader = new asyncio.StreamReader({ limit: 3 });
  reader.feed_data("abc\nabcd\n");
  assertEquals(text(await reader.readline()), "abc\n");
  assertInstanceOf(await error_of(reader.readline()), asyncio.LimitOverrunError);
});

// readexactly()

Deno.test("StreamReader.readexactly() waits for all of it", async () => {
  const reader = fed("ab");
  const reading = reader.readexactly(5);
  reader.feed_data("cd");
  await for_turns(1);
  assert(!reading.done());
  reader.feed_data("efg");
  assertEquals(text(await reading), "abcde");
  assertEquals(text(await reader.readexactly(2)), "fg");
});

Deno.test("StreamReader.readexactly() throws IncompleteReadError at EOF and keeps what came", async () => {
  const reader = ended("abc");
  const error = await error_of(reader.readexactly(5));
  assertInstanceOf(error, asyncio.IncompleteReadError);
  assertEquals(error.message, "3 bytes read on a total of 5 expected bytes");
  assertEquals([text(error.partial), error.expected], ["abc", 5]);
  assert(reader.at_eof());
});

Deno.test("StreamReader.readexactly(0) gives no bytes at once", async () => {
  assertEquals((await fed().readexactly(0)).length, 0);
});

// readuntil()

Deno.test("StreamReader.readuntil() throws IncompleteReadError at EOF and keeps what came", async () => {
  const error = await error_of(ended("abc").readuntil("\r\n"));
  assertInstanceOf(error, asyncio.IncompleteReadError);
  assertEquals(error.message, "3 bytes read on a total of undefined expected bytes");
  assertEquals([text(error.partial), error.expected], ["abc", null]);
});

const UNTIL_CASES: [content: string, separators: string[], expected: string][] = [
  ["a\r\nb", ["\r\n"], "a\r\n"],
  ["key=value;x", ["=", ";"], "key="],
  ["one;two=", ["=", ";"], "one;"],
  // All end at the same byte; the shortest leaves the most before it, which only the limit can tell.
  ["xyEND", ["D", "ND", "END"], "xyEND"],
  // The longer one begins earlier, but ends later.
  ["a--|--b", ["--|--", "|"], "a--|"],
  ["aab", ["ab", "aab"], "aab"],
  ["snowman ☃!", ["☃"], "snowman ☃"],
];
for (const [content, separators, expected] of UNTIL_CASES) {
  const shown = JSON.stringify(separators);
  Deno.test(`StreamReader.readuntil(${shown}) finds ${JSON.stringify(expected)} wherever the chunks are cut`, async () => {
    const whole = bytes(content);
    for (let cut = 0; cut <= whole.length; cut++) {
      for (let second = cut; second <= whole.length; second++) {
        const reader = new asyncio.StreamReader();
        reader.feed_data(whole.subarray(0, cut));
        const reading = reader.readuntil(separators);
        reader.feed_data(whole.subarray(cut, second));
        reader.feed_data(whole.subarray(second));
        assertEquals(text(await reading), expected, `cut at ${cut} and ${second}`);
        reader.feed_eof();
        assertEquals(text(await reader.read()), content.slice(expected.length));
      }
    }
  });
}

Deno.test("StreamReader.readuntil() counts the limit up to the shortest separator that ends first", async () => {
  const reader = new asyncio.StreamReader({ limit: 3 });
  reader.feed_data("aaabcd");
  const error = await error_of(reader.readuntil(["d", "bcd", "cd"]));
  assertInstanceOf(error, asyncio.LimitOverrunError);
  assertEquals(error.consumed, 5);
  assertEquals(text(await reader.readuntil("bcd")), "aaabcd");
});

Deno.test("StreamReader.readuntil() takes a mix of bytes and strings as separators", async () => {
  const reader = fed("a\0b;");
  assertEquals(text(await reader.readuntil([";", Uint8Array.of(0)])), "a\0");
  assertEquals(text(await reader.readuntil(bytes(";"))), "b;");
});

Deno.test("StreamReader.readuntil() without a separator within the limit tells how much to take, and keeps it", async () => {
  const reader = new asyncio.StreamReader({ limit: 3 });
  reader.feed_data("abcde\r");
  const error = await error_of(reader.readuntil("\r\n"));
  assertInstanceOf(error, asyncio.LimitOverrunError);
  assertEquals(error.message, "Separator is not found, and chunk exceed the limit");
  assertEquals(error.consumed, 5);
  assertEquals(text(await reader.readexactly(error.consumed)), "abcde");
  reader.feed_data("\n");
  assertEquals(text(await reader.readuntil("\r\n")), "\r\n");
});

Deno.test("StreamReader.readuntil() goes beyond no limit when the limit is Infinity", async () => {
  const reader = new asyncio.StreamReader({ limit: Infinity });
  reader.feed_data(new Uint8Array(MIB).fill(65));
  const reading = reader.readline();
  assert(!reading.done());
  reader.feed_data("\n");
  assertEquals((await reading).length, MIB + 1);
});

Deno.test("StreamReader.readline() and readuntil() take a limit of their own, and the reader's otherwise", async () => {
  const reader = new asyncio.StreamReader({ limit: 3 });
  reader.feed_data("abcdef\nabcdef;");
  for (const options of [undefined, {}, { limit: undefined }]) {
    assertInstanceOf(await error_of(reader.readline(options)), asyncio.LimitOverrunError);
  }
  assertInstanceOf(await error_of(reader.readline({ limit: 5 })), asyncio.LimitOverrunError);
  assertEquals(text(await reader.readline({ limit: 6 })), "abcdef\n");
  assertInstanceOf(await error_of(reader.readuntil(";")), asyncio.LimitOverrunError);
  assertEquals(text(await reader.readuntil(";", { limit: Infinity })), "abcdef;");
});

// peek() and unread()

Deno.test("StreamReader.peek(n) gives what is there, up to n, and leaves it", async () => {
  const reader = fed("hello");
  assertEquals(text(await reader.peek(3)), "hel");
  assertEquals(text(await reader.peek(100)), "hello");
  assertEquals(reader.buffered, 5);
  assertEquals(text(await reader.read(10)), "hello");
  reader.feed_eof();
  assertEquals((await reader.peek(1)).length, 0);
});

Deno.test("StreamReader.peek(n) waits until something has come, or as much as at_least says", async () => {
  const reader = fed();
  const looking = reader.peek(5);
  await for_turns(2);
  assert(!looking.done());
  reader.feed_data("ab");
  assertEquals(text(await looking), "ab");
  const longer = reader.peek(5, { at_least: 4 });
  reader.feed_data("c");
  await for_turns(2);
  assert(!longer.done());
  reader.feed_data("def");
  assertEquals(text(await longer), "abcde");
  const beyond = reader.peek(10, { at_least: 10 });
  reader.feed_eof();
  assertEquals(text(await beyond), "abcdef");
});

Deno.test("StreamReader.peek(0) gives no bytes at once", async () => {
  assertEquals((await fed().peek(0)).length, 0);
});

Deno.test("what StreamReader.peek() gives is a copy", async () => {
  const reader = fed("a".repeat(5000));
  (await reader.peek(5000)).fill(0);
  assertEquals(text(await reader.read(5000)), "a".repeat(5000));
});

Deno.test("StreamReader.peek() throws the connection's error if too little came before it", async () => {
  const reader = fed("ab");
  const broken = new Error("broken");
  reader.set_exception(broken);
  assertEquals(text(await reader.peek(5)), "ab");
  assertStrictEquals(await error_of(reader.peek(5, { at_least: 3 })), broken);
});

Deno.test("StreamReader.unread() puts bytes in front, also at the end of the stream", async () => {
  const reader = fed("cd");
  reader.unread("b");
  reader.unread(bytes("a"));
  reader.unread("");
  assertEquals(reader.buffered, 4);
  reader.feed_eof();
  assertEquals(text(await reader.read()), "abcd");
  assert(reader.at_eof());
  reader.unread("again");
  assert(!reader.at_eof());
  assertEquals(text(await reader.readline()), "again");
  assert(reader.at_eof());
});

Deno.test("StreamReader.unread() copies what it is given", async () => {
  const reader = fed();
  const data = bytes("abc");
  reader.unread(data);
  data.fill(0);
  assertEquals(text(await reader.read(3)), "abc");
});

Deno.test("StreamReader.unread() is found by a read that waits, although it has looked further already", async () => {
  const reader = fed("abc");
  const reading = reader.readline();
  await for_turns(1);
  reader.unread("x\n");
  assertEquals(text(await reading), "x\n");
  const lines = reader.lines();
  const next = lines.next();
  await for_turns(1);
  reader.unread("y\n");
  assertEquals(text((await next).value!), "y");
  assertEquals(reader.buffered, 3);
});

// wait_eof()

Deno.test("StreamReader.wait_eof() resolves at the end, for everybody, and leaves the bytes", async () => {
  const reader = fed("abc");
  const waiting = [reader.wait_eof(), reader.wait_eof()];
  await for_turns(2);
  assert(!waiting[0].done());
  const reading = reader.readexactly(5);
  reader.feed_data("de");
  assertEquals(text(await reading), "abcde");
  reader.feed_data("rest");
  reader.feed_eof();
  await asyncio.gather(...waiting);
  await reader.wait_eof();
  assertEquals(text(await reader.read()), "rest");
});

Deno.test("StreamReader.wait_eof() throws the error that ends the stream, before or after", async () => {
  const reader = fed("abc");
  const waiting = reader.wait_eof();
  const broken = new Error("broken");
  reader.set_exception(broken);
  assertStrictEquals(await error_of(waiting), broken);
  assertStrictEquals(await error_of(reader.wait_eof()), broken);
  assertEquals(text(await reader.read(3)), "abc");
});

Deno.test("StreamReader.wait_eof() notices the end of a connection that nobody reads from", async () => {
  await with_pair(async ([_, writer], [reader]) => {
    const waiting = reader.wait_eof();
    writer.write("last words");
    await writer.drain();
    await until(() => reader.buffered === 10, "the bytes have come");
    assert(!waiting.done() && !reader.at_eof());
    writer.close();
    await waiting;
    assertEquals(text(await reader.read()), "last words");
    assert(reader.at_eof());
  });
});

Deno.test("StreamReader.wait_eof() reads ahead up to the limit, and goes on when somebody reads", async () => {
  await with_pair(async ([_, writer], [reader]) => {
    const size = 4 * MIB;
    const waiting = reader.wait_eof();
    writer.write(new Uint8Array(size));
    writer.close();
    await until(() => reader.buffered >= 64 * 1024, "the limit is reached");
    await for_turns(20);
    assert(reader.buffered <= 64 * 1024 + 512 * 1024, String(reader.buffered));
    let count = 0;
    while (count < size) {
      // What is buffered is read without a read of the system; the rest comes by reading ahead.
      await until(() => reader.buffered > 0, "more has come");
      count += (await reader.read(reader.buffered)).length;
    }
    await waiting;
  });
});

Deno.test("a cancelled StreamReader.wait_eof() loses nothing", async () => {
  await with_pair(async ([_, writer], [reader]) => {
    const waiting = reader.wait_eof();
    await for_turns(2);
    waiting.cancel();
    await assertRejects(() => waiting.then(), asyncio.CancelledError);
    writer.write("abc\n");
    assertEquals(text(await reader.readline()), "abc\n");
    writer.close();
    await asyncio.wait_for(reader.wait_eof(), 5);
  });
});

// What other rooms of the library need

/** A source whose every read a test answers. */
class FakeSource {
  readonly reads: { array: Uint8Array; resolve: (count: number | null) => void; reject: (error: unknown) => void }[] =
    [];

  _read(array: Uint8Array): Promise<number | null> {
    return new Promise((resolve, reject) => this.reads.push({ array, resolve, reject }));
  }

  _ended_read(error: unknown): boolean {
    return error === "own close";
  }

  async answer(data: string | null): Promise<void> {
    const { array, resolve } = this.reads.shift()!;
    if (data !== null) array.set(bytes(data));
    resolve(data?.length ?? null);
    await for_turns(1);
  }
}

function sourced(): [asyncio.StreamReader, FakeSource] {
  const reader = new asyncio.StreamReader();
  const source = new FakeSource();
  reader._set_source(source);
  return [reader, source];
}

Deno.test("StreamReader._hand_over() gives nothing if nothing is in flight", async () => {
  const [reader, source] = sourced();
  assertEquals(reader._hand_over(), null);
  // Until it has a source again, nothing is read.
  const reading = reader.read(10);
  assertEquals(source.reads.length, 0);
  reader._set_source(source);
  await for_turns(1);
  await source.answer("ab");
  await reading;
  assertEquals(reader._hand_over(), null);
});

Deno.test("StreamReader._hand_over() gives the read in flight, and the next one goes to the new source", async () => {
  for (const answer of ["secret", null]) {
    const [reader, source] = sourced();
    reader.read(10).cancel();
    const handed = reader._hand_over()!;
    const next = new FakeSource();
    reader._set_source(next);
    const reading = reader.read(10);
    assertEquals([source.reads.length, next.reads.length], [1, 1]);
    await next.answer("new");
    assertEquals(text(await reading), "new");
    const another = reader.read(10);
    await source.answer(answer);
    const bytes = await handed;
    assertEquals(bytes === null ? null : text(bytes), answer);
    await next.answer("more");
    assertEquals(text(await another), "more");
    assertEquals(reader._hand_over(), null);
  }
});

Deno.test("StreamReader._hand_over() gives the error of the read in flight, or the end if it was one", async () => {
  const [reader, source] = sourced();
  reader.read(10).cancel();
  const handed = reader._hand_over()!;
  const broken = new Error("broken");
  source.reads[0].reject(broken);
  assertStrictEquals(await error_of(handed), broken);
  assertEquals(reader.exception(), null);
  reader._set_source(source);
  reader.read(10).cancel();
  const other = reader._hand_over()!;
  source.reads[1].reject("own close");
  assertEquals(await other, null);
});

Deno.test("StreamReader._hand_over() refuses while somebody waits, and with bytes in the buffer", async () => {
  const [reader, source] = sourced();
  const reading = reader.readline();
  const refusal = "Cannot start TLS: a call is waiting for incoming data, in readline()";
  assertThrows(() => reader._hand_over(), asyncio.RuntimeError, refusal);
  assertThrows(() => reader._check_no_input(), asyncio.RuntimeError, refusal);
  await source.answer("ab\ncd");
  assertEquals(text(await reading), "ab\n");
  assertThrows(
    () => reader._hand_over(),
    asyncio.RuntimeError,
    "Cannot start TLS: 2 bytes that came before it are in the reader's buffer",
  );
  await reader.read(2);
  reader._check_no_input();
  assertEquals(reader._bytes_read, 5);
  const waiting = reader.wait_eof();
  assertThrows(() => reader._hand_over(), asyncio.RuntimeError, "in wait_eof()");
  waiting.cancel();
  await for_turns(1);
  assert(reader._hand_over() !== null);
});

Deno.test("StreamReader._discard() drops all that is there and comes, and tells of the end once", async () => {
  const [reader, source] = sourced();
  const reading = reader.readexactly(5);
  await source.answer("ab");
  let ended = 0;
  reader._discard(() => ended++);
  const error = await error_of(reading);
  assertInstanceOf(error, asyncio.IncompleteReadError);
  assertEquals([error.partial.length, reader.buffered], [0, 0]);
  for (let i = 0; i < 5; i++) await source.answer("more");
  reader.feed_data("fed");
  reader.unread("back");
  assertEquals([reader.buffered, ended], [0, 0]);
  assertEquals((await reader.read()).length, 0);
  assertEquals((await reader.readline()).length, 0);
  await source.answer(null);
  assertEquals([ended, source.reads.length, reader.at_eof()], [1, 0, true]);
  reader.feed_eof();
  assertEquals(ended, 1);
});

Deno.test("StreamReader._discard() tells of the end at once if it has come, and of an error", async () => {
  let ended = 0;
  const at_end = fed("abc");
  at_end.feed_eof();
  at_end._discard(() => ended++);
  assertEquals([ended, at_end.buffered], [1, 0]);
  const [reader, source] = sourced();
  reader._discard(() => ended++);
  source.reads[0].reject(new Error("broken"));
  await for_turns(1);
  assertEquals(ended, 2);
  assertEquals((await reader.read()).length, 0);
});

Deno.test("StreamReader._discard() takes what a large peer sends, without keeping it", async () => {
  await with_pair(async ([_, writer], [reader]) => {
    writer.write(new Uint8Array(8 * MIB));
    writer.close();
    const { promise, resolve } = Promise.withResolvers<void>();
    reader._discard(resolve);
    await promise;
    assertEquals(reader.buffered, 0);
  });
});

// The end and errors

Deno.test("StreamReader.at_eof() is true once the end has come and all was read", async () => {
  const reader = fed("ab");
  assert(!reader.at_eof());
  reader.feed_eof();
  assert(!reader.at_eof());
  await reader.read(1);
  assert(!reader.at_eof());
  await reader.read(1);
  assert(reader.at_eof());
});

Deno.test("StreamReader delivers what is buffered before an error", async () => {
  const reader = fed("line\nabc");
  const broken = new Error("broken");
  reader.set_exception(broken);
  assertEquals(text(await reader.readline()), "line\n");
  assertStrictEquals(await error_of(reader.readexactly(5)), broken);
  assertStrictEquals(await error_of(reader.readline()), broken);
  assertEquals(text(await reader.read(100)), "abc");
  for (let i = 0; i < 2; i++) assertStrictEquals(await error_of(reader.read(100)), broken);
  assertStrictEquals(reader.exception(), broken);
});

for (const [name, read] of SEVERAL_KINDS) {
  Deno.test(`StreamReader.set_exception() ends a ${name}() that waits`, async () => {
    const reader = fed();
    const reading = read(reader);
    const broken = new Error("broken");
    reader.set_exception(broken);
    assertStrictEquals(await error_of(reading), broken);
  });

  Deno.test(`a second read while ${name}() waits fails and takes nothing from the first`, async () => {
    const reader = fed();
    const reading = read(reader);
    const error = await error_of(reader.readexactly(2));
    assertInstanceOf(error, asyncio.RuntimeError);
    assertEquals(
      error.message,
      `readexactly() called while another coroutine is already waiting for incoming data, in ${name}()`,
    );
    reader.feed_data("ab\n");
    assertEquals(text(await reading), "ab\n");
  });

  Deno.test(`a cancelled ${name}() leaves what comes to the next read`, async () => {
    const reader = fed();
    const reading = read(reader);
    reading.cancel();
    await assertRejects(() => reading.then(), asyncio.CancelledError);
    reader.feed_data("ab\n");
    assertEquals(text(await read(reader)), "ab\n");
  });

  Deno.test(`a ${name}() cancelled in the turn in which its data came gives it back in front`, async () => {
    await asyncio.run(async () => {
      const reader = fed();
      const task = asyncio.create_task(() => read(reader));
      await asyncio.sleep(0);
      reader.feed_data("ab\n");
      reader.feed_data("cd\n");
      task.cancel();
      await assertRejects(() => task.then(), asyncio.CancelledError);
      reader.feed_eof();
      assertEquals(text(await reader.read()), "ab\ncd\n");
    });
  });

  Deno.test(`a read that starts before a cancelled ${name}() has given back its data gets it first`, async () => {
    await asyncio.run(async () => {
      const reader = fed();
      const task = asyncio.create_task(() => read(reader));
      await asyncio.sleep(0);
      reader.feed_data("ab\n");
      reader.feed_data("cd\n");
      task.cancel();
      assertEquals(text(await reader.readline()), "ab\n");
      assertEquals(text(await reader.readline()), "cd\n");
      await asyncio.wait([task]);
      assert(task.cancelled());
    });
  });
}

Deno.test("a read that starts before a cancelled one has given back all there is does not wait for more", async () => {
  await asyncio.run(async () => {
    const reader = fed();
    const task = asyncio.create_task(() => reader.read(10));
    await asyncio.sleep(0);
    reader.feed_data("ab");
    task.cancel();
    assertEquals(text(await asyncio.wait_for(reader.read(10), 5)), "ab");
  });
});

Deno.test("an IncompleteReadError that its cancelled waiter did not get gives back what came, and is not reported", async () => {
  let reports: asyncio.ExceptionContext[] = [];
  await asyncio.run(async () => {
    reports = collect_reports();
    const reader = fed("abc");
    const task = asyncio.create_task(() => reader.readexactly(5));
    await asyncio.sleep(0);
    reader.feed_eof();
    task.cancel();
    await assertRejects(() => task.then(), asyncio.CancelledError);
    assertEquals(text(await reader.read(10)), "abc");
  });
  assertEquals(reports, []);
});

Deno.test("a read that two tasks await is cancelled with one of them, and takes nothing", async () => {
  await asyncio.run(async () => {
    const reader = fed();
    const reading = reader.read(10);
    const tasks = [1, 2].map(() => asyncio.create_task(async () => await reading));
    await asyncio.sleep(0);
    reader.feed_data("ab");
    tasks[0].cancel();
    await asyncio.wait(tasks);
    assertEquals(tasks.map((task) => task.cancelled()), [true, true]);
    assertEquals(text(await reader.read(10)), "ab");
  });
});

Deno.test("two reads that are answered at once may be awaited in any order", async () => {
  const reader = fed("abcd");
  const first = reader.readexactly(2);
  const second = reader.readexactly(2);
  assertEquals(text(await second), "cd");
  assertEquals(text(await first), "ab");
});

Deno.test("readexactly(5) with 3 bytes buffered when the peer resets throws the reset, and keeps the bytes", async () => {
  await with_node_peer(async ([reader], peer) => {
    const reading = reader.readexactly(5);
    peer.write("abc");
    await until(() => Deno.inspect(reader).includes("buffered=3"), "the bytes have come");
    peer.resetAndDestroy();
    const error = await error_of(reading);
    assertInstanceOf(error, asyncio.ConnectionResetError);
    assertEquals(error.code, "ECONNRESET");
    assertEquals(text(await reader.read(10)), "abc");
    assertStrictEquals(await error_of(reader.read(10)), error);
  });
});

// Iteration

Deno.test("for await over a StreamReader gives its lines until the end", async () => {
  const lines: string[] = [];
  for await (const line of ended("a\nb\n", "\nc")) lines.push(text(line));
  assertEquals(lines, ["a\n", "b\n", "\n", "c"]);
});

Deno.test("a for await over a StreamReader that is left leaves the rest in the buffer", async () => {
  const reader = ended("a\nb\nc\n");
  for await (const line of reader) if (text(line) === "a\n") break;
  assertEquals(text(await reader.read()), "b\nc\n");
});

Deno.test("for await over a StreamReader throws the stream's error after the lines before it", async () => {
  const reader = fed("a\n");
  const broken = new Error("broken");
  reader.set_exception(broken);
  const lines: string[] = [];
  const error = await error_of((async () => {
    for await (const line of reader) lines.push(text(line));
  })());
  assertStrictEquals(error, broken);
  assertEquals(lines, ["a\n"]);
});

// Arguments

Deno.test("StreamReader's argument errors name the argument and the value", () => {
  // deno-lint-ignore no-explicit-any
  const reader = new asyncio.StreamReader() as any;
  const cases: [() => unknown, new (...args: never[]) => Error, string][] = [
    [() => reader.read("5"), TypeError, '"n" must be a number, got "5"'],
    [() => reader.read(1.5), RangeError, '"n" must be a whole number, got 1.5'],
    [() => reader.read(null), TypeError, '"n" must be a number, got null'],
    [() => reader.readexactly(NaN), RangeError, '"n" must not be NaN'],
    [() => reader.readexactly(-1), RangeError, 'readexactly size can not be less than zero: "n" is -1'],
    [() => reader.readexactly(), TypeError, '"n" must be a number, got undefined'],
    [() => reader.readuntil(""), RangeError, "Separator should be at least one-byte string"],
    [() => reader.readuntil([]), RangeError, "Separator should contain at least one element"],
    [() => reader.readuntil(["a", ""]), RangeError, "Separator should be at least one-byte string"],
    [() => reader.readuntil(10), TypeError, '"separator" must be a Uint8Array or a string, got 10'],
    [() => reader.readline({ limit: -1 }), RangeError, '"limit" must be above 0, got -1'],
    [() => reader.readline({ limit: null }), TypeError, '"limit" must be a number, got null'],
    [() => reader.readline(5), TypeError, '"options" must be an object, got 5'],
    [() => reader.readuntil("x", { limit: NaN }), RangeError, '"limit" must not be NaN'],
    [() => reader.readuntil("x", { limits: 5 }), TypeError, 'Unknown option "limits": known are "limit"'],
    [() => reader.peek(), TypeError, '"n" must be a number, got undefined'],
    [() => reader.peek(-1), RangeError, '"n" must be 0 or more, got -1'],
    [() => reader.peek(1.5), RangeError, '"n" must be a whole number, got 1.5'],
    [() => reader.peek(3, { at_least: 4 }), RangeError, '"at_least" must be 1 to "n", which is 3, got 4'],
    [() => reader.peek(3, { at_least: 0 }), RangeError, '"at_least" must be 1 to "n", which is 3, got 0'],
    [() => reader.unread(5), TypeError, '"data" must be a Uint8Array or a string, got 5'],
    [() => reader.feed_data([1]), TypeError, '"data" must be a Uint8Array or a string, got [object Array]'],
    [() => reader.set_exception(null), TypeError, '"exception" must be an error, got null'],
    [() => new asyncio.StreamReader({ limit: 0 }), RangeError, '"limit" must be above 0, got 0'],
    // deno-lint-ignore no-explicit-any
    [() => new asyncio.StreamReader({ limit: "9" as any }), TypeError, '"limit" must be a number, got "9"'],
  ];
  for (const [call, error_class, message] of cases) assertThrows(call, error_class, message);
});

Deno.test("StreamReader.feed_data() after feed_eof() is a RuntimeError; no bytes are no data", () => {
  const reader = ended();
  assertThrows(() => reader.feed_data("x"), asyncio.RuntimeError, "feed_data after feed_eof");
});

Deno.test("a StreamReader prints what it holds and what waits for it", async () => {
  const reader = fed("abc");
  assertEquals(Deno.inspect(reader), "<StreamReader buffered=3>");
  const reading = reader.readline();
  assertEquals(Deno.inspect(reader), "<StreamReader buffered=3 in readline()>");
  reader.feed_eof();
  await reading;
  assertEquals(Deno.inspect(reader), "<StreamReader buffered=0 eof>");
});

// Cost

Deno.test("StreamReader.readline() of 10 MiB in small chunks costs as much per byte as a short line", async () => {
  const chunk = new Uint8Array(64).fill(65);
  await assert_linear(async (size) => {
    const reader = new asyncio.StreamReader({ limit: Infinity });
    const reading = reader.readline();
    for (let i = 0; i < size; i += chunk.length) reader.feed_data(chunk);
    reader.feed_data("\n");
    assertEquals((await reading).length, size + 1);
  }, 10 * MIB);
});

Deno.test("StreamReader.readuntil() of many short pieces costs the same with a separator that never comes", async () => {
  await assert_linear(async (size) => {
    const reader = new asyncio.StreamReader();
    reader.feed_data(bytes("1234567\n".repeat(size / 8)));
    for (let i = 0; i < size / 8; i++) await reader.readuntil(["\n", "\r"]);
  }, 512 * 1024);
});

Deno.test("StreamReader.readexactly() of many small pieces out of a large buffer costs the same for each", async () => {
  const data = pattern(8 * MIB);
  await assert_linear(async (size) => {
    const reader = new asyncio.StreamReader();
    reader.feed_data(data.subarray(0, size));
    for (let at = 0; at < size; at += 64) {
      const piece = await reader.readexactly(64);
      if (at === 0) assert(same_bytes(piece, data.subarray(0, 64)));
    }
  }, 8 * MIB);
});

Deno.test("StreamReader.unread() of many small pieces costs the same for each, whatever is buffered", async () => {
  await assert_linear((size) => {
    const reader = new asyncio.StreamReader();
    reader.feed_data(new Uint8Array(size));
    for (let i = 0; i < size; i += 64) reader.unread(new Uint8Array(64));
    assertEquals(reader.buffered, 2 * size);
    return Promise.resolve();
  }, MIB / 2);
});

Deno.test("StreamReader.unread() in turn with reads and new data costs the same for each", async () => {
  await assert_linear(async (size) => {
    const reader = new asyncio.StreamReader();
    reader.feed_data(new Uint8Array(size));
    for (let i = 0; i < size; i += 512) {
      const piece = await reader.readexactly(64 + i % 64);
      reader.unread(piece.subarray(32));
      reader.feed_data(piece.subarray(0, 32));
    }
    assertEquals(reader.buffered, size);
  }, MIB / 2);
});

Deno.test("StreamReader.readinto() fills the caller's array, from the buffer or straight from the connection", async () => {
  await with_bare_peer(async ([reader], peer) => {
    const array = new Uint8Array(10);
    await peer.write(bytes("hello, world"));
    await reader.peek(1);
    assertEquals(await reader.readinto(array), 10);
    assertEquals(text(array), "hello, wor");
    assertEquals(await reader.readinto(array), 2);
    assertEquals(text(array), "ldllo, wor");

    const waiting = reader.readinto(array.subarray(5));
    await peer.write(bytes("abc"));
    assertEquals(await waiting, 3);
    assertEquals(text(array), "ldlloabcor");
    assertEquals(reader.buffered, 0);

    await peer.closeWrite();
    assertEquals(await reader.readinto(array), 0);
    assertEquals(await reader.readinto(array), 0);
    assertEquals(reader.at_eof(), true);
  });
});

Deno.test("StreamReader.readinto() that is cancelled leaves what comes to the next read", async () => {
  await with_bare_peer(async ([reader], peer) => {
    const first = reader.readinto(new Uint8Array(4));
    first.cancel();
    await assertRejects(async () => await first, asyncio.CancelledError);
    await peer.write(bytes("one\ntwo\n"));
    assertEquals(text(await reader.readline()), "one\n");
    assertEquals(text(await reader.readline()), "two\n");
    const second = reader.readinto(new Uint8Array(4));
    second.cancel();
    await peer.write(bytes("three"));
    const array = new Uint8Array(9);
    assertEquals(await reader.readinto(array), 4);
    assertEquals(text(array.subarray(0, 4)), "thre");
  });
});

Deno.test("StreamReader.readinto() gives what was put in front of what the system was reading, first", async () => {
  await with_bare_peer(async ([reader], peer) => {
    const array = new Uint8Array(100);
    const waiting = reader.readinto(array);
    reader.unread("before ");
    await peer.write(bytes("after"));
    assertEquals(text(array.subarray(0, await waiting)), "before after");
  });
});

Deno.test("StreamReader.readinto() gives what was put in front of what the system has read, first", async () => {
  for (let turns = 0; turns < 8; turns++) {
    await asyncio.run(async () => {
      await using pair = asyncio.testing.memory_pair();
      const [reader] = pair.client;
      const array = new Uint8Array(100);
      const waiting = reader.readinto(array);
      await asyncio.sleep(0);
      pair.server[1].write("after");
      for (let i = 0; i < turns; i++) await asyncio.sleep(0);
      const was_done = waiting.done();
      reader.unread("before ");
      assertEquals(text(array.subarray(0, await waiting)), was_done ? "after" : "before after");
    });
  }
});

Deno.test("StreamReader.readinto() refuses what is no array, and reads nothing into an empty one", async () => {
  const reader = new asyncio.StreamReader();
  // deno-lint-ignore no-explicit-any
  assertThrows(() => reader.readinto("x" as any), TypeError, '"array" must be a Uint8Array, got "x"');
  assertEquals(await reader.readinto(new Uint8Array(0)), 0);
  reader.feed_data("ab");
  const array = new Uint8Array(1);
  assertEquals([await reader.readinto(array), text(array)], [1, "a"]);
  reader.set_exception(new Error("broken"));
  assertEquals([await reader.readinto(array), text(array)], [1, "b"]);
  await assertRejects(async () => await reader.readinto(array), Error, "broken");
});
