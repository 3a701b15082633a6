/**
 * What a byte stream promises to those who write.
 *
 * @module
 */

import {
  bytes,
  close_both,
  expect,
  expect_bytes,
  expect_equal,
  expect_error,
  expect_throws,
  flood,
  in_background,
  pattern,
  type Promised,
  steps,
  text,
} from "./_contract.ts";
import { CancelledError, RuntimeError, TimeoutError } from "./exceptions.ts";
import { shield, wait_for } from "./waiting.ts";

/** Long enough to see that something waits. */
const A_MOMENT = 0.02;

export const WRITES: readonly Promised[] = [
  {
    name: "many small writes arrive in order",
    async check({ writer, peer_reader }) {
      let sent = "";
      for (let i = 0; i < 300; i++) {
        const piece = `${i},`;
        sent += piece;
        writer.write(i % 2 === 0 ? piece : bytes(piece));
        if (i % 50 === 0) await writer.drain();
        if (i % 70 === 0) await steps(3);
      }
      expect_equal(text(await peer_reader.readexactly(sent.length)), sent, "what was read");
    },
  },
  {
    name: "writelines() sends its pieces as one write() would",
    async check({ writer, peer_reader }) {
      writer.writelines(["a", bytes("b"), "", "ç\n"]);
      expect_equal(text(await peer_reader.readline()), "abç\n", "what was read");
    },
  },
  {
    name: "write() of no bytes sends nothing",
    async check({ writer, peer_reader }) {
      writer.write("");
      writer.write(new Uint8Array(0));
      await writer.drain();
      expect_equal(writer.transport.get_write_buffer_size(), 0, "the write buffer's size");
      writer.write("x");
      writer.write("");
      writer.close();
      expect_equal(text(await peer_reader.read()), "x", "what was read");
    },
  },
  {
    name: "an array that is changed after write() is sent as it was",
    async check({ writer, peer_reader }) {
      const data = pattern(2000);
      const expected = data.slice();
      writer.write(data);
      data.fill(0);
      await writer.drain();
      data.fill(1);
      expect_bytes(await peer_reader.readexactly(2000), expected, "what was read");
    },
  },
  {
    name: "write() of a view sends the view only",
    async check({ writer, peer_reader }) {
      writer.write(bytes("-abc-").subarray(1, 4));
      writer.close();
      expect_equal(text(await peer_reader.read()), "abc", "what was read");
    },
  },
  {
    name: "write() refuses what is neither bytes nor a string, and sends nothing of it",
    async check({ writer, peer_reader }) {
      for (const wrong of [5, null, [1], {}]) {
        expect_throws(() => writer.write(wrong as unknown as string), TypeError, `write(${JSON.stringify(wrong)})`);
      }
      writer.write("right");
      writer.close();
      expect_equal(text(await peer_reader.read()), "right", "what was read");
    },
  },
  {
    name: "drain() goes on at once if nothing waits to be sent",
    async check({ writer }) {
      await writer.drain();
      await writer.drain();
    },
  },
  {
    name: "to a peer that reads, all that was written leaves",
    async check({ writer, peer_reader }) {
      writer.write(pattern(3000));
      expect_bytes(await peer_reader.readexactly(3000), pattern(3000), "what was read");
      writer.transport.set_write_buffer_limits({ high: 0 });
      await writer.drain();
      expect_equal(writer.transport.get_write_buffer_size(), 0, "the write buffer's size");
    },
  },
  {
    name: "drain() waits while the peer does not read, and goes on when it does",
    async check(ends) {
      const { writer, peer_reader } = ends;
      const draining = flood(ends);
      await expect_error(wait_for(shield(draining), A_MOMENT), TimeoutError, "drain() to a peer that does not read");
      const reading = in_background(() => peer_reader.readexactly(ends.flood));
      await draining;
      expect(writer.transport.get_write_buffer_size() <= 256, "at most the low-water mark to be left in the buffer");
      expect_bytes(await reading, pattern(ends.flood), "what was read");
    },
  },
  {
    name: "writelines() makes drain() wait as write() does",
    async check({ writer, peer_reader, flood }) {
      writer.transport.set_write_buffer_limits({ high: 1024 });
      writer.writelines([pattern(flood), "end"]);
      const draining = writer.drain();
      await expect_error(wait_for(shield(draining), A_MOMENT), TimeoutError, "drain() to a peer that does not read");
      await Promise.all([draining, peer_reader.readexactly(flood + 3)]);
    },
  },
  {
    name: "drain() with a high-water mark of 0 waits until everything was taken",
    async check({ writer, peer_reader, flood }) {
      writer.transport.set_write_buffer_limits({ high: 0 });
      writer.write(pattern(flood));
      const reading = in_background(() => peer_reader.readexactly(flood));
      await writer.drain();
      expect_equal(writer.transport.get_write_buffer_size(), 0, "the write buffer's size");
      await reading;
    },
  },
  {
    name: "several drains at once all go on",
    async check(ends) {
      const drains = [flood(ends), ends.writer.drain(), ends.writer.drain(), ends.writer.drain()];
      await steps(4);
      expect(drains.every((draining) => !draining.done()), "all of them to wait");
      await Promise.all([...drains, ends.peer_reader.readexactly(ends.flood)]);
    },
  },
  {
    name: "a drain() that is cancelled disturbs no other and loses nothing",
    async check(ends) {
      const first = flood(ends);
      const second = ends.writer.drain();
      await steps(4);
      first.cancel();
      await expect_error(first, CancelledError, "the cancelled drain()");
      const [received] = await Promise.all([ends.peer_reader.readexactly(ends.flood), second]);
      expect_bytes(received, pattern(ends.flood), "what was read");
    },
  },
  {
    name: "raising the limits lets a drain() that waits go on",
    async check(ends) {
      const draining = flood(ends);
      await steps(4);
      expect(!draining.done(), "drain() to wait");
      ends.writer.transport.set_write_buffer_limits({ low: ends.flood, high: 2 * ends.flood });
      await draining;
    },
  },
  {
    name: "set_write_buffer_limits() takes asyncio's limits, and refuses others",
    check({ writer: { transport } }) {
      transport.set_write_buffer_limits({ high: 101 });
      expect_equal(String(transport.get_write_buffer_limits()), "25,101", "the limits");
      transport.set_write_buffer_limits({ low: 5 });
      expect_equal(String(transport.get_write_buffer_limits()), "5,20", "the limits");
      expect_throws(() => transport.set_write_buffer_limits({ high: 1, low: 2 }), RangeError, "a low above high");
      expect_equal(String(transport.get_write_buffer_limits()), "5,20", "the limits");
      return Promise.resolve();
    },
  },
  {
    name: "both ends can send more than fits at once, if both read",
    async check(ends) {
      const { reader, writer, peer_reader, peer_writer, flood } = ends;
      const exchange = async (from: typeof reader, to: typeof writer) => {
        to.write(pattern(flood));
        const [received] = await Promise.all([from.readexactly(flood), to.drain()]);
        expect_bytes(received, pattern(flood), "what was read");
      };
      await Promise.all([exchange(reader, writer), exchange(peer_reader, peer_writer)]);
    },
  },
  {
    name: "questions and answers alternate",
    async check({ reader, writer, peer_reader, peer_writer }) {
      for (let i = 0; i < 100; i++) {
        writer.write(`question ${i}\n`);
        await writer.drain();
        peer_writer.write(`answer to ${text(await peer_reader.readline())}`);
        await peer_writer.drain();
        expect_equal(text(await reader.readline()), `answer to question ${i}\n`, "the answer");
      }
    },
  },
  // The end of what one side writes
  {
    name: "can_write_eof() says that write_eof() works",
    needs: "half_close",
    check({ writer }) {
      expect_equal(writer.can_write_eof(), true, "can_write_eof()");
      return Promise.resolve();
    },
  },
  {
    name: "write_eof() ends what the peer reads, and its answer still arrives",
    needs: "half_close",
    async check(ends) {
      const { reader, writer, peer_reader, peer_writer } = ends;
      writer.write("question");
      writer.write_eof();
      expect_equal(text(await peer_reader.read()), "question", "the question");
      peer_writer.write("answer");
      peer_writer.write_eof();
      expect_equal(text(await reader.read()), "answer", "the answer");
      await close_both(ends);
    },
  },
  {
    name: "write_eof() of the peer leaves the own writes alone, and both ends may do it",
    needs: "half_close",
    async check(ends) {
      const { reader, writer, peer_reader, peer_writer } = ends;
      peer_writer.write_eof();
      expect_equal((await reader.read()).length, 0, "what came before the end");
      writer.write("still here");
      await writer.drain();
      writer.write_eof();
      expect_equal(text(await peer_reader.read()), "still here", "what was read");
      await close_both(ends);
    },
  },
  {
    name: "write_eof() of both ends at once lets both read to the end",
    needs: "half_close",
    async check(ends) {
      for (const writer of [ends.writer, ends.peer_writer]) {
        writer.write("bye");
        writer.write_eof();
      }
      const all = await Promise.all([ends.reader.read(), ends.peer_reader.read()]);
      expect_equal(all.map(text).join(" "), "bye bye", "what was read");
      await close_both(ends);
    },
  },
  {
    name: "write_eof() comes after all that was written, however much",
    needs: "half_close",
    async check({ writer, peer_reader, flood }) {
      writer.write(pattern(flood));
      writer.write_eof();
      expect_bytes(await peer_reader.read(), pattern(flood), "what was read");
    },
  },
  {
    name: "write() and writelines() after write_eof() are RuntimeErrors, even of no bytes",
    needs: "half_close",
    async check({ writer, peer_reader }) {
      writer.write_eof();
      for (const data of ["x", ""]) {
        expect_throws(() => writer.write(data), RuntimeError, `write("${data}")`);
        expect_throws(() => writer.writelines([data]), RuntimeError, `writelines(["${data}"])`);
      }
      expect_equal((await peer_reader.read()).length, 0, "what was read");
    },
  },
  {
    name: "write_eof() twice does what once does",
    needs: "half_close",
    async check({ writer, peer_reader }) {
      writer.write("x");
      writer.write_eof();
      writer.write_eof();
      expect_equal(text(await peer_reader.read()), "x", "what was read");
      writer.write_eof();
    },
  },
];
