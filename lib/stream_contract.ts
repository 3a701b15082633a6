/**
 * The promises of a byte stream, as a test suite for any kind of stream.
 *
 * @module
 */

import { async_with } from "./async_with.ts";
import type { Capability, ConnectedPair, Ends, Promised } from "./_contract.ts";
import { delivery, ENDS } from "./_contract_ends.ts";
import { integrity, READS } from "./_contract_reads.ts";
import { WRITES } from "./_contract_writes.ts";
import { DEFAULT_LIMIT } from "./constants.ts";
import { check_callable, check_number, check_options, TimeoutError } from "./exceptions.ts";
import type { PairEnd } from "./memory_pairs.ts";
import { timeout } from "./timeouts.ts";

/**
 * A test that the suite declares; `Deno.test` takes it as it is.
 */
export interface ContractTest {
  /** The kind of stream and the promise; for an ignored one also what the kind lacks. */
  readonly name: string;
  /** Whether the kind lacks what the promise needs. */
  readonly ignore: boolean;
  /** Holds the stream to the promise; its error names it. */
  readonly fn: () => Promise<void>;
}

/**
 * Options of `check_stream_contract()`.
 */
export interface StreamContractOptions {
  /** Called with each test, such as `Deno.test`. */
  readonly test: (test: ContractTest) => unknown;
  /**
   * Runs the body of a test, such as on a loop with a virtual clock.
   *
   * @default calls it
   */
  readonly run?: (body: () => Promise<void>) => PromiseLike<void>;
  /**
   * Whether one end can stop writing and go on reading.
   *
   * @default true
   */
  readonly half_close?: boolean;
  /**
   * Whether pairs have `reset()`.
   *
   * @default false
   */
  readonly reset?: boolean;
  /**
   * Whether a write to a peer that has closed fails in the end; over TLS, Deno's does not.
   *
   * @default true
   */
  readonly detects_loss?: boolean;
  /**
   * How many bytes are sent in the tests of order and delivery.
   *
   * @default [1, 1000, 65536, 1048576, 16777216]
   */
  readonly sizes?: readonly number[];
  /**
   * More bytes than leave to a peer that does not read: what all buffers on the way hold, and 2 KiB.
   *
   * @default 16777216
   */
  readonly flood?: number;
  /**
   * The limit of the pairs' readers.
   *
   * @default 65536
   */
  readonly limit?: number;
  /**
   * Seconds after which a test that still waits has failed.
   *
   * @default 30
   */
  readonly bound?: number;
}

const MIB = 1024 * 1024;
const SIZES: readonly number[] = [1, 1000, 64 * 1024, MIB, 16 * MIB];

/** What is told of a kind that lacks something. */
const LACKS: Readonly<Record<Capability, string>> = {
  half_close: "it does not half-close",
  reset: "its pairs have no reset()",
  detects_loss: "its writes do not fail when the peer is gone",
};

/**
 * Declares one test for each promise that a byte stream makes: order, ends of data, cancellation, flow control, closing,
 * and broken connections.
 *
 * Every promise is held twice on fresh pairs, first by the client's end and then by the server's. Whatever waits longer
 * than `bound` has failed, so a stream that hangs does not hang the suite. A promise that needs what the kind lacks shows
 * as an ignored test, with the reason in its name.
 *
 * @param kind What the stream is, such as `"TCP"`; the names of the tests begin with it.
 * @param make Makes a connected pair, which is disposed of after its test.
 * @param options Where to declare the tests, and what the kind can.
 * @throws {TypeError} If an option is unknown or has the wrong type.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * const { check_stream_contract, memory_pair } = asyncio.testing;
 * const tests: asyncio.testing.ContractTest[] = [];
 * // In a test file: { test: Deno.test }
 * check_stream_contract("memory", () => memory_pair(), { test: (test) => tests.push(test) });
 * console.log(tests.length > 40); // true
 * await tests.find(({ name }) => name.includes("read() reads to the end"))!.fn();
 * ```
 */
export function check_stream_contract(
  kind: string,
  make: () => ConnectedPair | PromiseLike<ConnectedPair>,
  options: StreamContractOptions,
): void {
  check_callable("make", make);
  check_options(options, [
    "test",
    "run",
    "half_close",
    "reset",
    "detects_loss",
    "sizes",
    "flood",
    "limit",
    "bound",
  ]);
  check_callable("test", options.test);
  const { run = (body) => body(), sizes = SIZES, flood = 16 * MIB, limit = DEFAULT_LIMIT, bound = 30 } = options;
  for (const [name, value] of Object.entries({ flood, limit, bound })) check_number(name, value);
  const can: Readonly<Record<Capability, boolean>> = {
    half_close: options.half_close ?? true,
    reset: options.reset ?? false,
    detects_loss: options.detects_loss ?? true,
  };

  async function hold(promised: Promised, own: PairEnd): Promise<void> {
    await using pair = await make();
    const peer: PairEnd = own === "client" ? "server" : "client";
    const [reader, writer] = pair[own];
    const [peer_reader, peer_writer] = pair[peer];
    const reset_by_peer = () => pair.reset?.(peer);
    const ends: Ends = { reader, writer, peer_reader, peer_writer, flood, limit, reset_by_peer };
    const deadline = timeout(bound);
    try {
      await async_with(deadline, () => promised.check(ends));
      // What hung may have swallowed that it was cancelled.
      if (deadline.expired()) throw new TimeoutError();
    } catch (error) {
      const reason = error instanceof TimeoutError ? `Still waiting after ${bound} seconds` : message_of(error);
      throw new Error(`${kind} breaks "${promised.name}", at the ${own}'s end: ${reason}`, { cause: error });
    }
  }

  for (const promised of [...sizes.map(integrity), ...READS, ...WRITES, ...sizes.map(delivery), ...ENDS]) {
    const lacking = promised.needs === undefined || can[promised.needs] ? null : LACKS[promised.needs];
    options.test({
      name: `${kind}: ${promised.name}${lacking === null ? "" : ` (ignored: ${lacking})`}`,
      ignore: lacking !== null,
      fn: async () => {
        for (const own of ["client", "server"] as const) await run(() => hold(promised, own));
      },
    });
  }
}

function message_of(error: unknown): string {
  return error instanceof Error ? `${error.name === "Error" ? "" : `${error.name}: `}${error.message}` : String(error);
}
