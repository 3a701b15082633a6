/**
 * For tests of code that uses streams: connections in memory, and the contract that every stream keeps.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * // A minute of travel in each direction takes no time on a virtual clock.
 * const clock = new asyncio.VirtualClock();
 * await asyncio.run(async () => {
 *   await using pair = asyncio.testing.memory_pair({ latency: 60 });
 *   pair.client[1].write("ping\n");
 *   pair.server[1].write(await pair.server[0].readline());
 *   console.log(new TextDecoder().decode(await pair.client[0].readline()).trim(), clock.time()); // ping 120
 * }, { loop_factory: () => asyncio.new_event_loop({ clock }) });
 * ```
 *
 * @module
 */

export type { ConnectedPair } from "./_contract.ts";
export {
  memory_pair,
  type MemoryEndOptions,
  type MemoryEndStatistics,
  MemoryPair,
  type MemoryPairOptions,
  type PairEnd,
  random_sizes,
  type Streams,
} from "./memory_pairs.ts";
export { check_stream_contract, type ContractTest, type StreamContractOptions } from "./stream_contract.ts";
