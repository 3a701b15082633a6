/**
 * For tests of programs: time that jumps, a network in memory, other orders of tasks, what was left behind, and the
 * contract that every stream keeps.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * // A minute of travel in each direction takes no time, and the test no port.
 * await asyncio.testing.run_test(async ({ clock }) => {
 *   const server = await asyncio.start_server(async (reader, writer) => {
 *     writer.write(await reader.readline());
 *   }, "10.0.0.1", 7);
 *   const [reader, writer] = await asyncio.open_connection("10.0.0.1", 7);
 *   writer.write("ping\n");
 *   // Two minutes to connect, two for the line and its echo.
 *   console.log(new TextDecoder().decode(await reader.readline()).trim(), clock.time()); // ping 240
 *   writer.close();
 *   await server.shutdown();
 * }, { network: { latency: 60 } });
 * ```
 *
 * @module
 */

export type { ConnectedPair } from "./_contract.ts";
export type { TestDefinition } from "./_deno_test.ts";
export { assert_no_leaks } from "./leaks.ts";
export {
  type BreakOptions,
  type Drawn,
  memory_network,
  MemoryLink,
  MemoryNetwork,
  type MemoryNetworkOptions,
  type RouteOptions,
} from "./memory_networks.ts";
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
export {
  run_test,
  type RunTestOptions,
  test,
  type TestKit,
  type TestOptions,
  type VirtualTestKit,
  wait_all_tasks_blocked,
} from "./test_runs.ts";
