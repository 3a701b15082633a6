import * as asyncio from "../../../mod.ts";
import { attempt, kind, outcome_of, type Print, turns } from "../helpers.ts";

function fed(chunks: readonly string[], options?: { readonly eof?: boolean; readonly limit?: number }) {
  const reader = new asyncio.StreamReader({ limit: options?.limit });
  for (const chunk of chunks) reader.feed_data(chunk);
  if (options?.eof ?? true) reader.feed_eof();
  return reader;
}

export async function read_gives_what_is_there_up_to_its_argument(print: Print) {
  const reader = fed(["hello", " world"], { eof: false });
  print(await reader.read(3), await reader.read(100));
  reader.feed_eof();
  print(await reader.read(10), await reader.read(0), reader.at_eof());
}

export async function read_of_nothing_waits_for_nothing(print: Print) {
  const reader = fed([], { eof: false });
  print(await reader.read(0), await reader.readexactly(0));
}

export async function read_without_an_argument_goes_on_to_the_end(print: Print) {
  const reader = fed(["a\n"], { eof: false });
  const task = asyncio.create_task(() => reader.read());
  await asyncio.sleep(0);
  reader.feed_data("b");
  await turns(2);
  print(task.done());
  reader.feed_eof();
  print(await task, await reader.read());
}

export async function a_read_that_waits_goes_on_when_something_comes(print: Print) {
  const reader = fed([], { eof: false });
  const task = asyncio.create_task(() => reader.read(2));
  await turns(2);
  reader.feed_data("abc");
  print(task.done());
  print(await task, await reader.read(2));
}

export async function readline_gives_lines_with_their_end_and_the_rest(print: Print) {
  const reader = fed(["first\nsec", "ond\n\nlast"]);
  const lines: Uint8Array[] = [];
  for (let i = 0; i < 5; i++) lines.push(await reader.readline());
  print(lines, reader.at_eof());
}

export async function a_line_that_comes_in_pieces_is_one(print: Print) {
  const reader = fed([], { eof: false });
  const task = asyncio.create_task(() => reader.readline());
  for (const piece of ["a", "b", "c\nd"]) {
    await asyncio.sleep(0);
    reader.feed_data(piece);
  }
  print(await task);
  print(await reader.read(10));
}

export async function lines_can_be_iterated_over(print: Print) {
  for await (const line of fed(["one\ntwo\n", "rest"])) print(line);
}

export async function readexactly_waits_for_so_many_and_takes_no_more(print: Print) {
  const reader = fed(["ab"], { eof: false });
  const task = asyncio.create_task(() => reader.readexactly(5));
  await asyncio.sleep(0);
  reader.feed_data("cd");
  await turns(2);
  print(task.done());
  reader.feed_data("efg");
  print(await task, await reader.read(10));
}

/** The error of a read that met the end. */
const incomplete = async (read: PromiseLike<unknown>) => await outcome_of(read) as asyncio.IncompleteReadError;
/** The error of a read that met the limit. */
const overrun = async (read: PromiseLike<unknown>) => await outcome_of(read) as asyncio.LimitOverrunError;

export async function readexactly_at_the_end_raises_with_what_came_and_keeps_nothing(print: Print) {
  const reader = fed(["abc"]);
  let error = await incomplete(reader.readexactly(5));
  print(error, error.partial, error.expected);
  print(await reader.read(), reader.at_eof());
  error = await incomplete(reader.readexactly(1));
  print(error, error.partial);
  print(attempt(() => reader.readexactly(-1)));
}

export async function readuntil_takes_up_to_the_separator(print: Print) {
  const reader = fed(["a--b--c"]);
  print(await reader.readuntil("--"), await reader.readuntil("--"));
  const error = await incomplete(reader.readuntil("--"));
  print(error, error.partial, error.expected);
  print(await reader.read());
}

export async function a_separator_may_be_split_anywhere(print: Print) {
  const data = "one<sep>two<sep>";
  for (let at = 1; at < data.length; at++) {
    const reader = fed([], { eof: false });
    const task = asyncio.create_task(() => reader.readuntil("<sep>"));
    await asyncio.sleep(0);
    reader.feed_data(data.slice(0, at));
    await turns(2);
    reader.feed_data(data.slice(at));
    print(await task, await reader.readuntil("<sep>"));
  }
}

export async function a_separator_that_comes_byte_by_byte_is_found(print: Print) {
  const reader = fed([], { eof: false });
  const task = asyncio.create_task(() => reader.readuntil("aab"));
  for (const byte of "aaabaab") {
    reader.feed_data(byte);
    await turns(2);
    print(task.done());
  }
  print(await task, await reader.readuntil("aab"));
}

export async function of_several_separators_the_first_to_end_counts(print: Print) {
  const reader = fed(["a\r\nb\nc\rd"]);
  for (let i = 0; i < 3; i++) print(await reader.readuntil(["\r\n", "\n", "\r"]));
  print(kind(await outcome_of(reader.readuntil(["\r\n", "\n"]))));
}

export async function of_separators_that_end_together_the_shortest_counts(print: Print) {
  const reader = fed(["abcd!efg"]);
  print(await reader.readuntil(["bcd!", "d!", "!"]), await reader.readuntil(["efg", "fg"]));
}

export function separators_of_no_bytes_are_refused(print: Print) {
  const reader = fed(["abc"]);
  print(attempt(() => reader.readuntil("")));
  print(attempt(() => reader.readuntil([])));
}

export async function what_stands_before_a_separator_may_be_as_long_as_the_limit(print: Print) {
  const reader = fed(["abcd\nabcde\n"], { limit: 4 });
  print(await reader.readuntil());
  const error = await overrun(reader.readuntil());
  print(error, error.consumed);
  print(await reader.read(100));
}

export async function a_search_without_a_hit_ends_at_the_limit_and_keeps_the_bytes(print: Print) {
  const reader = fed(["abcdefg"], { eof: false, limit: 4 });
  const error = await overrun(reader.readuntil("--"));
  print(error, error.consumed);
  print(await reader.readexactly(error.consumed), await reader.read(100));
}

export async function the_limit_is_exceeded_while_more_comes(print: Print) {
  const reader = fed([], { eof: false, limit: 4 });
  const task = asyncio.create_task(() => reader.readuntil("\n"));
  for (let i = 0; i < 3; i++) {
    await asyncio.sleep(0);
    reader.feed_data("ab");
  }
  const error = await overrun(task);
  print(kind(error), error.consumed, await reader.read(100));
}

export async function reads_by_count_know_no_limit(print: Print) {
  const reader = fed(["abcdefghij"], { limit: 3 });
  print(await reader.readexactly(8), await reader.read());
  print(kind(attempt(() => new asyncio.StreamReader({ limit: 0 }))));
}

export async function at_eof_means_that_the_end_came_and_all_was_read(print: Print) {
  const reader = fed(["a"], { eof: false });
  print(reader.at_eof());
  reader.feed_eof();
  print(reader.at_eof());
  await reader.read();
  print(reader.at_eof());
}

export function nothing_can_be_fed_after_the_end(print: Print) {
  const reader = fed(["a"]);
  print(["AssertionError", "RuntimeError"].includes(String(kind(attempt(() => reader.feed_data("b"))))));
}

export async function an_exception_wakes_the_reader_and_every_later_read_raises_it(print: Print) {
  const reader = fed([], { eof: false });
  print(reader.exception());
  const task = asyncio.create_task(() => reader.read(10));
  await asyncio.sleep(0);
  const error = new RangeError("broken");
  reader.set_exception(error);
  print(await outcome_of(task) === error, reader.exception() === error);
  for (const read of ["read", "readline", "readuntil"] as const) print(await outcome_of(reader[read]()));
  print(await outcome_of(reader.readexactly(1)));
}

export async function a_cancelled_read_takes_nothing_with_it(print: Print) {
  const reader = fed([], { eof: false });
  for (let i = 0; i < 2; i++) {
    const task = asyncio.create_task(() => reader.readexactly(4));
    await asyncio.sleep(0);
    reader.feed_data("ab");
    task.cancel();
    print(kind(await outcome_of(task)));
  }
  print(await reader.read(10));
}

export async function an_exception_set_after_the_reader_was_cancelled_hurts_nobody(print: Print) {
  const reader = fed([], { eof: false });
  const task = asyncio.create_task(() => reader.readline());
  await asyncio.sleep(0);
  task.cancel();
  reader.set_exception(new RangeError("late"));
  print(kind(await outcome_of(task)), reader.exception());
}

export async function two_cannot_wait_for_the_same_bytes(print: Print) {
  const reader = fed([], { eof: false });
  const task = asyncio.create_task(() => reader.read(1));
  await asyncio.sleep(0);
  print(kind(await outcome_of(reader.readline())));
  reader.feed_data("x");
  print(await task);
}

export async function a_read_with_a_deadline_leaves_the_bytes_to_the_next(print: Print) {
  const reader = fed(["par"], { eof: false });
  print(kind(await outcome_of(asyncio.wait_for(() => reader.readline(), 0.01))));
  reader.feed_data("tial\n");
  print(await reader.readline());
}

export async function a_reader_that_finds_its_answer_gives_nobody_else_a_turn(print: Print) {
  const reader = fed(["one\ntwo\n"]);
  asyncio.get_running_loop().call_soon(print, "soon");
  print(await reader.readline(), await reader.readexactly(4));
  await asyncio.sleep(0);
}
