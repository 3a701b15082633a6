/**
 * What a byte stream promises to those who read.
 *
 * @module
 */

import {
  bytes,
  close_both,
  type Ends,
  expect,
  expect_bytes,
  expect_equal,
  expect_error,
  pattern,
  type Promised,
  steps,
  text,
} from "./_contract.ts";
import { CancelledError, IncompleteReadError, LimitOverrunError, RuntimeError } from "./exceptions.ts";
import type { Future } from "./futures.ts";
import { sleep } from "./tasks.ts";

type ReadCall = (ends: Ends) => Future<Uint8Array<ArrayBuffer>>;

/** Each way to read the line "0123456\r\n". */
const READ_CALLS: readonly (readonly [name: string, read: ReadCall])[] = [
  ["readline()", ({ reader }) => reader.readline()],
  ["readexactly()", ({ reader }) => reader.readexactly(9)],
  ["readuntil() of two bytes", ({ reader }) => reader.readuntil("\r\n")],
  ["readuntil() of several separators", ({ reader }) => reader.readuntil(["6\r\n", "\n\n", "\r\n"])],
];
const LINE = "0123456\r\n";

/** Bytes are received in full and in order, however many they are. */
export function integrity(size: number): Promised {
  return {
    name: `${size} bytes arrive in order and unchanged`,
    async check({ reader, peer_writer }) {
      const data = pattern(size);
      peer_writer.write(data);
      const received = new Uint8Array(size);
      let at = 0;
      while (at < size) {
        const part = await reader.read(1 + at % 100_000);
        expect(part.length > 0, `${size} bytes before the end, got ${at}`);
        received.set(part, at);
        at += part.length;
      }
      expect_bytes(received, data, "what was read");
    },
  };
}

const splits: readonly Promised[] = READ_CALLS.map(([name, read]) => ({
  name: `${name} gives the same wherever its bytes are split`,
  async check(ends) {
    for (let split = 0; split <= LINE.length; split++) {
      const reading = read(ends);
      ends.peer_writer.write(LINE.slice(0, split));
      await ends.peer_writer.drain();
      await steps(4);
      ends.peer_writer.write(LINE.slice(split));
      expect_equal(text(await reading), LINE, `the answer, split at ${split}`);
    }
  },
}));

/** After `k` steps of the loop, or after a time, since what is on its way may not depend on steps. */
const moments: readonly (() => Promise<void>)[] = [
  ...Array.from({ length: 12 }, (_, k) => () => steps(k)),
  ...Array.from({ length: 4 }, (_, k) => async () => {
    await sleep(0.001 * (k + 1));
    await steps(k);
  }),
];

const cancellable: typeof READ_CALLS = [["read()", ({ reader }) => reader.read(4)], ...READ_CALLS];

const cancellations: readonly Promised[] = cancellable.map(([name, read]) => ({
  name: `${name} that is cancelled at any moment loses nothing`,
  async check(ends) {
    let sent = "";
    let received = "";
    for (const pass of moments) {
      ends.peer_writer.write(LINE);
      sent += LINE;
      const reading = read(ends);
      await pass();
      reading.cancel();
      try {
        received += text(await reading);
      } catch (error) {
        if (!(error instanceof CancelledError)) throw error;
      }
    }
    received += text(await ends.reader.readexactly(sent.length - received.length));
    expect_equal(received, sent, "what all reads gave together");
  },
}));

export const READS: readonly Promised[] = [
  {
    name: "read(n) gives at least one byte and at most n",
    async check({ reader, peer_writer }) {
      peer_writer.write("0123456789");
      let received = "";
      while (received.length < 10) {
        const part = await reader.read(3);
        expect(part.length >= 1 && part.length <= 3, `1 to 3 bytes, got ${part.length}`);
        received += text(part);
      }
      expect_equal(received, "0123456789", "what was read");
    },
  },
  {
    name: "read() reads to the end",
    async check({ reader, peer_writer }) {
      peer_writer.write("one ");
      await peer_writer.drain();
      await steps(4);
      peer_writer.write("two");
      peer_writer.close();
      expect_equal(text(await reader.read()), "one two", "what was read");
    },
  },
  {
    name: "read(0) and readexactly(0) give nothing and take nothing",
    async check({ reader, peer_writer }) {
      peer_writer.write("abc");
      expect_equal((await reader.read(0)).length, 0, "the length");
      expect_equal((await reader.readexactly(0)).length, 0, "the length");
      expect_equal(text(await reader.readexactly(3)), "abc", "what was read then");
    },
  },
  ...splits,
  {
    name: "readuntil() of several separators stops at the one that ends first",
    async check({ reader, peer_writer }) {
      peer_writer.write("a;b\r\nc");
      for (const part of ["a;", "b\r\n"]) expect_equal(text(await reader.readuntil(["\r\n", ";"])), part, "the part");
    },
  },
  {
    name: "lines, counted bytes and separators follow each other in one stream",
    async check({ reader, peer_writer }) {
      peer_writer.write("line\n\0\0\0body;rest");
      peer_writer.close();
      expect_equal(text(await reader.readline()), "line\n", "the line");
      expect_equal(text(await reader.readexactly(4)), "\0\0\0b", "the counted bytes");
      expect_equal(text(await reader.readuntil(";")), "ody;", "what ends with a separator");
      expect_equal(text(await reader.read()), "rest", "the rest");
    },
  },
  {
    name: "readline() gives a last line that lacks its end",
    async check({ reader, peer_writer }) {
      peer_writer.write("first\nlast");
      peer_writer.close();
      for (const line of ["first\n", "last", ""]) expect_equal(text(await reader.readline()), line, "the line");
    },
  },
  {
    name: "for await gives each line, the last one without its end included",
    async check({ reader, peer_writer }) {
      peer_writer.write("a\n\nb");
      peer_writer.close();
      const lines: string[] = [];
      for await (const line of reader) lines.push(text(line));
      expect_equal(lines.join("|"), "a\n|\n|b", "the lines");
    },
  },
  {
    name: "readexactly() throws IncompleteReadError at the end, with what came",
    async check({ reader, peer_writer }) {
      peer_writer.write("abc");
      peer_writer.close();
      const error = await expect_error(reader.readexactly(5), IncompleteReadError, "readexactly(5)");
      expect_equal(text(error.partial), "abc", "its partial");
      expect_equal(error.expected, 5, "its expected");
      expect_equal((await reader.read()).length, 0, "the bytes that are left");
    },
  },
  {
    name: "readuntil() throws IncompleteReadError at the end, with what came",
    async check({ reader, peer_writer }) {
      peer_writer.write("abc");
      peer_writer.close();
      const error = await expect_error(reader.readuntil(";"), IncompleteReadError, "readuntil()");
      expect_equal(text(error.partial), "abc", "its partial");
      expect_equal((await reader.read()).length, 0, "the bytes that are left");
    },
  },
  {
    name: "reads at the end give no bytes, again and again",
    async check({ reader, peer_writer }) {
      peer_writer.close();
      for (let i = 0; i < 3; i++) {
        expect_equal((await reader.read(10)).length, 0, "what read(10) gives");
        expect_equal((await reader.read()).length, 0, "what read() gives");
        expect_equal((await reader.readline()).length, 0, "what readline() gives");
        await expect_error(reader.readexactly(1), IncompleteReadError, "readexactly(1)");
      }
    },
  },
  {
    name: "at_eof() is false while bytes are left, and true once all were read",
    async check({ reader, peer_writer }) {
      expect_equal(reader.at_eof(), false, "at_eof() of an open stream");
      peer_writer.write("ab");
      peer_writer.close();
      await reader.readexactly(1);
      expect_equal(reader.at_eof(), false, "at_eof() with a byte left");
      await reader.read();
      expect_equal(reader.at_eof(), true, "at_eof() at the end");
    },
  },
  {
    name: "a line beyond the limit is a LimitOverrunError, and its bytes stay",
    async check({ reader, peer_writer, limit }) {
      const data = pattern(limit + 100).map((byte) => byte === 10 ? 11 : byte);
      peer_writer.write(data);
      await expect_error(reader.readline(), LimitOverrunError, "readline()");
      expect_bytes(await reader.readexactly(data.length), data, "what was read then");
    },
  },
  {
    name: "a second read at the same time is refused, and does not disturb the first",
    async check({ reader, peer_writer }) {
      const first = reader.readline();
      const error = await expect_error(reader.readexactly(3), RuntimeError, "the second read");
      expect(/readexactly.*readline/.test(error.message), `an error that names both calls, got "${error.message}"`);
      peer_writer.write("whole\n");
      expect_equal(text(await first), "whole\n", "the line");
    },
  },
  ...cancellations,
  {
    name: "a read that follows a cancelled one at once gets its bytes",
    async check({ reader, peer_writer }) {
      const cancelled = reader.readexactly(100);
      await steps(2);
      cancelled.cancel();
      const reading = reader.readline();
      peer_writer.write("line\n");
      expect_equal(text(await reading), "line\n", "the line");
    },
  },
  {
    name: "what a read gave is not changed by later reads",
    async check({ reader, peer_writer }) {
      const parts: Uint8Array[] = [];
      for (let i = 0; i < 20; i++) {
        peer_writer.write(bytes(String.fromCharCode(65 + i).repeat(100)));
        parts.push(await reader.readexactly(100));
      }
      const kept = parts.map((part) => text(part).replace(/^(.)\1{99}$/, "$1")).join("");
      expect_equal(kept, "ABCDEFGHIJKLMNOPQRST", "the first letters of all reads");
    },
  },
  {
    name: "a read that waits while its own end closes is at the end",
    async check(ends) {
      const reading = ends.reader.read(10);
      await steps(4);
      ends.writer.close();
      expect_equal((await reading).length, 0, "what it gives");
      await close_both(ends);
    },
  },
];
