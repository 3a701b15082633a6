/**
 * Python's asyncio for Deno, name for name.
 *
 * Tasks that can be cancelled, although they are plain async functions; timeouts that stop the work; task groups; and
 * TCP connections as a `StreamReader` and a `StreamWriter` with back-pressure. Deno's own event loop does the waiting.
 *
 * Names, arguments and behaviour are those of CPython 3.13's `asyncio`. Keyword arguments become one last options
 * object, times are in seconds, and `None` is `null`. Where a symbol departs from that, its page says "Differs from
 * asyncio:".
 *
 * A coroutine is a function: `create_task(() => work(1))`. JavaScript starts an async function when it is called, and a
 * promise cannot be cancelled, so a promise is not taken in its place.
 *
 * @example
 * ```ts
 * import * as asyncio from "@asyncio/deno";
 *
 * await asyncio.run(async () => {
 *   await using server = await asyncio.start_server(async (reader, writer) => {
 *     for await (const line of reader) writer.write(line);
 *   }, "127.0.0.1", 0);
 *   const [host, port] = server.sockets[0].getsockname() as [string, number];
 *
 *   const [reader, writer] = await asyncio.open_connection(host, port);
 *   writer.write("hello\n");
 *   await writer.drain();
 *   console.log(new TextDecoder().decode(await reader.readline())); // hello
 *   writer.close();
 *   await writer.wait_closed();
 * });
 * ```
 *
 * @module
 */

export { async_with, type AsyncContextManager } from "./lib/async_with.ts";
export { Barrier } from "./lib/barriers.ts";
export type { BaseEventLoop, EventLoopOptions, LoopNetwork } from "./lib/base_events.ts";
export { SubprocessTransport } from "./lib/base_subprocess.ts";
export {
  CancelScope,
  type CancelScopeOptions,
  current_effective_deadline,
  fail_after,
  fail_at,
  move_on_after,
  move_on_at,
} from "./lib/cancel_scopes.ts";
export { type Clock, type OutsideWork, VirtualClock, type VirtualClockOptions } from "./lib/clocks.ts";
export { type AwaitableLike, Coroutine, coroutine, type CoroutineLike, iscoroutine } from "./lib/coroutines.ts";
export {
  type Datagram,
  DatagramEndpoint,
  type DatagramStatistics,
  open_datagram,
  type OpenDatagramOptions,
  type ReceiveOptions,
} from "./lib/datagram_endpoints.ts";
export { type DatagramExtraInfo, type DatagramOptions, DatagramTransport } from "./lib/datagrams.ts";
export {
  type Address,
  type AddressFamily,
  BrokenPipeError,
  type ChildProcess,
  ConnectionAbortedError,
  ConnectionRefusedError,
  ConnectionResetError,
  type DatagramAddress,
  type RawConn,
  type Signal,
} from "./lib/_deno.ts";
export {
  type CallFrame,
  type CallGraphOptions,
  capture_call_graph,
  format_call_graph,
  type FrameCallGraphEntry,
  future_add_to_awaited_by,
  future_discard_from_awaited_by,
  type FutureCallGraph,
  print_call_graph,
  type PrintCallGraphOptions,
} from "./lib/graph.ts";
export {
  type CallOptions,
  type ContextRunner,
  type ExceptionContext,
  type ExceptionHandler,
  get_event_loop,
  get_running_loop,
  Handle,
  set_event_loop,
  TimerHandle,
} from "./lib/events.ts";
export {
  type Connected,
  type CreateConnectionOptions,
  type CreateServerOptions,
  type CreateUnixConnectionOptions,
  type CreateUnixServerOptions,
  EventLoop,
  type LoopStartTlsOptions,
  new_event_loop,
  type SeekableFile,
  type SendfileOptions,
} from "./lib/deno_events.ts";
export {
  BrokenBarrierError,
  BrokenResourceError,
  BrokenWorkerThread,
  BusyResourceError,
  CancelledError,
  ClosedResourceError,
  EndOfStream,
  type ErrorCondition,
  ExceptionGroup,
  IncompleteReadError,
  InvalidStateError,
  KeyboardInterrupt,
  LimitOverrunError,
  QueueEmpty,
  QueueFull,
  QueueShutDown,
  RuntimeError,
  SendfileNotAvailableError,
  TimeoutError,
  WouldBlock,
} from "./lib/exceptions.ts";
export { type DoneCallbackOptions, Future, type FutureOptions, isfuture, wrap_future } from "./lib/futures.ts";
export { CapacityLimiter, type CapacityLimiterStatistics, type LimiterOptions, ResourceGuard } from "./lib/limiters.ts";
export { type AcquireOptions, Condition, Event, Lock } from "./lib/locks.ts";
export { pipe, stdio, type StdioOptions } from "./lib/pipes.ts";
export { LifoQueue, PriorityQueue, type PriorityQueueOptions, Queue, type QueueShutdownOptions } from "./lib/queues.ts";
export {
  create_memory_object_stream,
  MemoryObjectReceiveStream,
  MemoryObjectSendStream,
  type MemoryObjectStreamStatistics,
  type MemoryStreamOptions,
} from "./lib/memory_streams.ts";
export {
  type AddressInfo,
  type GetAddrInfoOptions,
  type NameInfoFlag,
  type SocketProtocol,
  type SocketType,
} from "./lib/_name_resolution.ts";
export { BaseProtocol, BufferedProtocol, DatagramProtocol, Protocol, SubprocessProtocol } from "./lib/protocols.ts";
export { run, Runner, type RunOptions } from "./lib/runners.ts";
export { BoundedSemaphore, Semaphore } from "./lib/semaphores.ts";
export { type ClientConnectedCallback, Server, type ShutdownOptions } from "./lib/servers.ts";
export type { LinesOptions } from "./lib/_lines.ts";
export {
  type PeekOptions,
  type ReadFrameOptions,
  type ReadUntilOptions,
  StreamReader,
  type StreamReaderOptions,
} from "./lib/stream_reader.ts";
export { type SignalIterator, signals } from "./lib/signals.ts";
export {
  type FrameOptions,
  pack_frame,
  pack_struct,
  type StructArgument,
  type StructArguments,
  type StructValue,
  type StructValues,
} from "./lib/structs.ts";
export {
  type CloseOptions,
  type ConnectAcceptedOptions,
  type ConnectOptions,
  type OpenConnectionOptions,
  type ServeOptions,
  type SslTimeouts,
  type StartServerOptions,
  type StartTlsOptions,
  type StartUnixServerOptions,
  type StreamStatistics,
  type WriteBufferLimits,
} from "./lib/_stream_options.ts";
export { StreamWriter } from "./lib/stream_writer.ts";
export { open_connection, open_unix_connection, start_server, start_unix_server } from "./lib/streams.ts";
/** Programs beside this one; here are `PIPE`, `STDOUT` and `DEVNULL`. */
export * as subprocess from "./lib/subprocess.ts";
export {
  type CommunicateOptions,
  create_subprocess_exec,
  create_subprocess_shell,
  type Process,
  type ProcessShutdownOptions,
  type SubprocessOptions,
} from "./lib/subprocess.ts";
export type { SubprocessProtocolOptions } from "./lib/_subprocess_options.ts";
export { TaskGroup, type TaskStatus } from "./lib/taskgroups.ts";
export {
  all_tasks,
  create_eager_task_factory,
  create_task,
  current_task,
  eager_task_factory,
  ensure_future,
  type EnsureFutureOptions,
  type NewTaskOptions,
  sleep,
  Task,
  type TaskFactory,
  type TaskOptions,
} from "./lib/tasks.ts";
/** For tests of code that uses streams. */
export * as testing from "./lib/testing.ts";
export {
  type ExecutorShutdownOptions,
  type ModuleFunction,
  run_in_thread,
  type RunInThreadOptions,
  type ThreadFunction,
  ThreadPoolExecutor,
  type ThreadPoolExecutorOptions,
  to_thread,
} from "./lib/threads.ts";
export {
  capture_tasks,
  type PrintTasksOptions,
  ps,
  pstree,
  type TaskRecord,
  type TaskState,
  type TextSink,
  type WaitRecord,
} from "./lib/tools.ts";
/** Hooks for what happens in a program, and OpenTelemetry. */
export * as tracing from "./lib/tracing.ts";
export { Timeout, timeout, timeout_at } from "./lib/timeouts.ts";
export type { TlsClientOptions, TlsInfo, TlsServerOptions } from "./lib/_tls.ts";
export { Transport } from "./lib/transports.ts";
export { type ExtraInfo, type SocketAddress, TransportSocket } from "./lib/trsock.ts";
export {
  ALL_COMPLETED,
  as_completed,
  type AsCompletedOptions,
  type CompletedFuture,
  type CompletionIterator,
  FIRST_COMPLETED,
  FIRST_EXCEPTION,
  gather,
  type GatherOptions,
  type ResultOf,
  type Results,
  type ResultsOrErrors,
  shield,
  wait,
  wait_for,
  type WaitOptions,
} from "./lib/waiting.ts";
