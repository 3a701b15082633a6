/**
 * What a byte stream promises when it ends: closed by its own end, by the peer, or broken.
 *
 * @module
 */

import {
  close_both,
  type Ends,
  expect,
  expect_bytes,
  expect_equal,
  expect_error,
  flood,
  in_background,
  pattern,
  type Promised,
  steps,
  succeeds,
  text,
} from "./_contract.ts";
import { BrokenPipeError, ConnectionResetError } from "./_deno.ts";
import { TimeoutError } from "./exceptions.ts";
import { create_task, sleep } from "./tasks.ts";
import { wait_for } from "./waiting.ts";

const A_MOMENT = 0.02;

/** A peer that is gone is noticed after so many writes at most. */
const MANY_WRITES = 1000;

/** Everything that was written before `close()` arrives. */
export function delivery(size: number): Promised {
  return {
    name: `close() after a write() of ${size} bytes delivers all of them, then the end`,
    async check({ writer, peer_reader }) {
      const data = pattern(size);
      writer.write(data);
      writer.close();
      const [received] = await Promise.all([peer_reader.read(), writer.wait_closed()]);
      expect_bytes(received, data, "what was read");
      expect_equal(peer_reader.at_eof(), true, "at_eof()");
    },
  };
}

/** Writes until `drain()` tells that the peer is gone; throws if it never does. */
async function loss_of({ writer }: Ends): Promise<unknown> {
  for (let i = 0; i < MANY_WRITES; i++) {
    writer.write("are you there?\n");
    try {
      await writer.drain();
    } catch (error) {
      return error;
    }
    // The first steps go to streams that know at once, the time to those whose system has to tell them.
    await sleep(i < 10 ? 0 : 0.001);
  }
  throw new Error(`Expected drain() to tell within ${MANY_WRITES} writes that the peer is gone`);
}

function expect_loss(error: unknown): void {
  expect(
    error instanceof ConnectionResetError || error instanceof BrokenPipeError,
    `ConnectionResetError or BrokenPipeError, got ${String(error)}`,
  );
}

export const ENDS: readonly Promised[] = [
  {
    name: "close() again does nothing",
    async check({ writer, peer_reader }) {
      writer.write("x");
      for (let i = 0; i < 3; i++) writer.close();
      expect_equal(text(await peer_reader.read()), "x", "what was read");
      await writer.wait_closed();
      writer.close();
      await writer.wait_closed();
    },
  },
  {
    name: "close(), then write_eof(), does nothing more",
    async check({ writer, peer_reader }) {
      writer.write("x");
      writer.close();
      writer.write_eof();
      expect_equal(text(await peer_reader.read()), "x", "what was read");
      await writer.wait_closed();
      writer.write_eof();
    },
  },
  {
    name: "write_eof(), then close(), delivers everything",
    needs: "half_close",
    async check({ writer, peer_reader, flood }) {
      writer.write(pattern(flood));
      writer.write_eof();
      writer.close();
      const [received] = await Promise.all([peer_reader.read(), writer.wait_closed()]);
      expect_bytes(received, pattern(flood), "what was read");
    },
  },
  {
    name: "write() after close() is dropped without an error",
    async check({ writer, peer_reader }) {
      writer.write("before");
      writer.close();
      writer.write("after");
      await writer.wait_closed();
      writer.write("long after");
      expect_equal(text(await peer_reader.read()), "before", "what was read");
    },
  },
  {
    name: "drain() after the connection was closed is a ConnectionResetError",
    async check({ writer }) {
      writer.close();
      await writer.wait_closed();
      await expect_error(writer.drain(), ConnectionResetError, "drain()");
    },
  },
  {
    name: "is_closing() is true from close() on",
    async check({ writer, peer_writer }) {
      expect_equal(writer.is_closing(), false, "is_closing() of an open stream");
      writer.close();
      expect_equal(writer.is_closing(), true, "is_closing() after close()");
      expect_equal(peer_writer.is_closing(), false, "is_closing() of the peer");
      await writer.wait_closed();
      expect_equal(writer.is_closing(), true, "is_closing() in the end");
    },
  },
  {
    name: "wait_closed() gives the same to every task, again and again",
    async check({ writer }) {
      writer.write("x");
      writer.close();
      await Promise.all([create_task(() => writer.wait_closed()), create_task(() => writer.wait_closed())]);
      await writer.wait_closed();
      await writer.wait_closed();
    },
  },
  {
    name: "wait_closed() before close() waits for it",
    async check({ writer }) {
      const waiting = create_task(() => writer.wait_closed());
      await steps(10);
      expect(!waiting.done(), "wait_closed() to wait");
      expect_equal(writer.is_closing(), false, "is_closing()");
      writer.close();
      await waiting;
    },
  },
  {
    name: "wait_closed() that is cancelled changes nothing",
    async check({ writer, peer_reader }) {
      const waiting = writer.wait_closed();
      await steps(4);
      waiting.cancel();
      writer.write("x");
      writer.close();
      await writer.wait_closed();
      expect_equal(text(await peer_reader.read()), "x", "what was read");
    },
  },
  {
    name: "wait_closed() does not fail when the peer closed in good order first",
    async check({ reader, writer, peer_reader, peer_writer }) {
      writer.write("x");
      expect_equal(text(await peer_reader.readexactly(1)), "x", "what was read");
      peer_writer.close();
      await peer_writer.wait_closed();
      expect_equal((await reader.read()).length, 0, "what was read");
      writer.close();
      await writer.wait_closed();
    },
  },
  {
    name: "both ends can close at once",
    async check(ends) {
      ends.writer.write("x");
      ends.peer_writer.write("y");
      const reads = [ends.reader.readexactly(1), ends.peer_reader.readexactly(1)];
      await Promise.all(reads);
      await close_both(ends);
    },
  },
  {
    name: "await using closes at the end of the block, with all that was written",
    async check({ writer, peer_reader }) {
      const reading = in_background(() => peer_reader.read());
      {
        await using scoped = writer;
        scoped.write("bye");
      }
      expect_equal(writer.is_closing(), true, "is_closing()");
      expect_equal(text(await reading), "bye", "what was read");
    },
  },
  {
    name: "what the peer sent before it closed is read in full",
    async check({ reader, peer_writer }) {
      peer_writer.write(pattern(500));
      peer_writer.close();
      await peer_writer.wait_closed();
      await steps(4);
      for (let at = 0; at < 500; at += 100) {
        expect_bytes(await reader.readexactly(100), pattern(500).subarray(at, at + 100), `bytes from ${at} on`);
      }
      expect_equal((await reader.read()).length, 0, "what was read then");
    },
  },
  {
    name: "close() with unread bytes ends the peer's reads, with the end or an error",
    async check({ writer, peer_reader, peer_writer }) {
      peer_writer.write("nobody reads this");
      await peer_writer.drain();
      writer.close();
      await writer.wait_closed();
      await succeeds(peer_reader.read());
    },
  },
  // abort()
  {
    name: "abort() drops what waits, and the peer sees the end or an error",
    async check(ends) {
      const draining = flood(ends);
      await steps(4);
      ends.writer.transport.abort();
      await expect_error(draining, ConnectionResetError, "drain() that waits");
      const reading = in_background(() => ends.peer_reader.read());
      if (await succeeds(reading)) expect(reading.result().length < ends.flood, "some bytes to be dropped");
    },
  },
  {
    name: "abort() settles wait_closed(), before and after, and reads are at the end",
    async check({ reader, writer }) {
      const before = in_background(() => writer.wait_closed());
      const reading = reader.read(1);
      await steps(4);
      writer.transport.abort();
      await before;
      await writer.wait_closed();
      expect_equal((await reading).length, 0, "what the read gives");
      expect_equal(writer.is_closing(), true, "is_closing()");
      writer.transport.abort();
      writer.close();
    },
  },
  {
    name: "wait_closed() to a peer that does not read can be timed out, and abort() settles it",
    async check(ends) {
      const { writer } = ends;
      await expect_error(wait_for(flood(ends), A_MOMENT), TimeoutError, "drain()");
      writer.close();
      const waiting = in_background(() => writer.wait_closed());
      await expect_error(wait_for(writer.wait_closed(), A_MOMENT), TimeoutError, "wait_closed()");
      expect(!waiting.done(), "the other wait_closed() to wait");
      writer.transport.abort();
      await succeeds(waiting);
      await succeeds(writer.wait_closed());
    },
  },
  {
    name: "close() with a drain() that waits still delivers everything, and settles the drain()",
    async check(ends) {
      const draining = flood(ends);
      await steps(4);
      ends.writer.close();
      const [received] = await Promise.all([
        ends.peer_reader.read(),
        ends.writer.wait_closed(),
        succeeds(draining),
      ]);
      expect_bytes(received, pattern(ends.flood), "what was read");
    },
  },
  // A peer that is gone
  {
    name: "drain() tells the writer of a peer that is gone",
    needs: "detects_loss",
    async check(ends) {
      ends.peer_writer.close();
      await ends.peer_writer.wait_closed();
      const error = await loss_of(ends);
      expect_loss(error);
      ends.writer.write("dropped");
      expect(await ends.writer.drain().then(() => false, (again) => again === error), "the same error again");
      ends.writer.close();
      await succeeds(ends.writer.wait_closed());
    },
  },
  {
    name: "what the peer sent before it went is read, even after drain() has failed",
    needs: "detects_loss",
    async check(ends) {
      ends.peer_writer.write("last words");
      ends.peer_writer.close();
      expect_equal(text(await ends.reader.readexactly(5)), "last ", "what was read before");
      expect_loss(await loss_of(ends));
      expect_equal(text(await ends.reader.readexactly(5)), "words", "what was read then");
    },
  },
  {
    name: "a drain() that waits fails when the peer closes, and wait_closed() fails since bytes were lost",
    needs: "detects_loss",
    async check(ends) {
      const draining = flood(ends);
      await steps(4);
      expect(!draining.done(), "drain() to wait");
      ends.peer_writer.transport.abort();
      const error = await draining.then(() => undefined, (error) => error);
      expect_loss(error);
      ends.writer.close();
      for (let i = 0; i < 2; i++) {
        expect(await ends.writer.wait_closed().then(() => false, (again) => again === error), "the same error again");
      }
    },
  },
  // A reset
  {
    name: "a read that waits when the connection is reset throws ConnectionResetError, and so do later ones",
    needs: "reset",
    async check(ends) {
      const reading = in_background(() => ends.reader.read(1));
      await steps(4);
      await ends.reset_by_peer();
      const error = await expect_error(reading, ConnectionResetError, "read()");
      for (const later of [() => ends.reader.read(1), () => ends.reader.readline(), () => ends.reader.readexactly(2)]) {
        expect(await later().then(() => false, (again) => again === error), "the same error again");
      }
      expect(ends.reader.exception() === error, "exception() to be that error");
    },
  },
  {
    name: "bytes that arrived before a reset are read before it is told",
    needs: "reset",
    async check(ends) {
      ends.peer_writer.write("head:rest\nand");
      // The reader has them all, which no reset can take back.
      expect_equal(text(await ends.reader.readuntil(":")), "head:", "the head");
      const waiting = ends.reader.readexactly(1000);
      await wait_for(waiting, A_MOMENT).catch(() => {});
      await ends.reset_by_peer();
      expect_equal(text(await ends.reader.readline()), "rest\n", "the line");
      await expect_error(ends.reader.readexactly(5), ConnectionResetError, "readexactly(5) with 3 bytes left");
      expect_equal(text(await ends.reader.read(3)), "and", "what is left");
      await expect_error(ends.reader.read(3), ConnectionResetError, "read()");
    },
  },
  {
    name: "a drain() that waits fails when the connection is reset, and wait_closed() fails since bytes were lost",
    needs: "reset",
    async check(ends) {
      const draining = flood(ends);
      await steps(4);
      await ends.reset_by_peer();
      const error = await draining.then(() => undefined, (error) => error);
      expect_loss(error);
      ends.writer.close();
      for (let i = 0; i < 2; i++) {
        expect(await ends.writer.wait_closed().then(() => false, (again) => again === error), "the same error again");
      }
    },
  },
  {
    name: "wait_closed() fails if bytes were lost, also when a read has told of the reset since",
    needs: "reset",
    async check(ends) {
      const draining = flood(ends);
      const reading = in_background(() => ends.reader.read(1));
      await steps(4);
      await ends.reset_by_peer();
      expect_loss(await draining.then(() => undefined, (error) => error));
      await expect_error(reading, ConnectionResetError, "read()");
      ends.writer.close();
      expect(!await succeeds(ends.writer.wait_closed()), "wait_closed() to fail");
    },
  },
  {
    name: "wait_closed() before close() ends when the connection is reset",
    needs: "reset",
    async check(ends) {
      const waiting = in_background(() => ends.writer.wait_closed());
      await steps(4);
      await ends.reset_by_peer();
      await succeeds(waiting);
      expect_equal(ends.writer.is_closing(), true, "is_closing()");
    },
  },
  {
    name: "wait_closed() does not fail if the reset came after everything had arrived",
    needs: "reset",
    async check(ends) {
      ends.writer.write("all of it");
      expect_equal(text(await ends.peer_reader.readexactly(9)), "all of it", "what was read");
      await ends.reset_by_peer();
      await expect_error(ends.reader.read(1), ConnectionResetError, "read()");
      ends.writer.close();
      await ends.writer.wait_closed();
    },
  },
  // What is known of it
  {
    name: "get_extra_info() knows the addresses and the socket, also after close()",
    async check({ writer }) {
      const socket = writer.get_extra_info("socket");
      const sockname = String(writer.get_extra_info("sockname"));
      const peername = String(writer.get_extra_info("peername"));
      expect_equal(String(socket.getsockname()), sockname, "getsockname() of the socket");
      expect_equal(String(socket.getpeername()), peername, "getpeername() of the socket");
      writer.close();
      await writer.wait_closed();
      expect_equal(String(writer.get_extra_info("sockname")), sockname, '"sockname" after close()');
      expect_equal(String(writer.get_extra_info("peername")), peername, '"peername" after close()');
    },
  },
  {
    name: "get_extra_info() of an unknown name is the fallback, or null",
    check({ writer }) {
      for (const name of ["no such thing", "toString", "constructor"]) {
        expect_equal(writer.get_extra_info(name) as string | null, null, `"${name}"`);
        expect_equal(writer.get_extra_info(name, "fallback") as string, "fallback", `"${name}" with a fallback`);
      }
      return Promise.resolve();
    },
  },
];
