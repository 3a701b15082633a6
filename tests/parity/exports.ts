/**
 * What CPython's asyncio has and this library lacks, with the reason; and what this library has beyond it, with where it
 * comes from. `exports_test.ts` holds both against the names that `parity:record` took from CPython.
 *
 * @module
 */

/** Names that share a reason or an origin. */
export interface Group {
  readonly why: string;
  readonly names: readonly string[];
}

/** Names of `asyncio.__all__`, and members of its classes as `Class.member`, that are absent. */
export const ABSENT: readonly Group[] = [
  {
    why: "no meaning on Deno: one class carries both directions",
    names: ["BaseTransport", "ReadTransport", "WriteTransport"],
  },
  {
    why: "no meaning on Deno: a reader pulls bytes out of its transport, and no protocol is between them",
    names: ["StreamReaderProtocol"],
  },
  {
    why: "no meaning on Deno: it reaps its children itself; removed from CPython in 3.14",
    names: [
      "AbstractChildWatcher",
      "FastChildWatcher",
      "MultiLoopChildWatcher",
      "PidfdChildWatcher",
      "SafeChildWatcher",
      "ThreadedChildWatcher",
      "get_child_watcher",
      "set_child_watcher",
    ],
  },
  {
    why: "no meaning on Deno: there is one runtime loop; deprecated in CPython 3.14",
    names: [
      "AbstractEventLoopPolicy",
      "DefaultEventLoopPolicy",
      "get_event_loop_policy",
      "set_event_loop_policy",
    ],
  },
  {
    why: "no meaning on Deno: there is one class of loops, EventLoop",
    names: ["AbstractEventLoop", "BaseEventLoop", "SelectorEventLoop"],
  },
  { why: "no meaning on Deno: there is one class of servers, Server", names: ["AbstractServer"] },
  {
    why: "no meaning on Deno: file descriptors cannot be watched",
    names: ["EventLoop.add_reader", "EventLoop.add_writer", "EventLoop.remove_reader", "EventLoop.remove_writer"],
  },
  {
    why: "no meaning on Deno: there are no bare sockets",
    names: [
      "EventLoop.sock_accept",
      "EventLoop.sock_connect",
      "EventLoop.sock_recv",
      "EventLoop.sock_recv_into",
      "EventLoop.sock_recvfrom",
      "EventLoop.sock_recvfrom_into",
      "EventLoop.sock_sendall",
      "EventLoop.sock_sendfile",
      "EventLoop.sock_sendto",
    ],
  },
  {
    why: "no meaning on Deno: threads share no objects, so none can reach into another's loop",
    names: ["run_coroutine_threadsafe", "EventLoop.call_soon_threadsafe"],
  },
  {
    why: "no meaning on Deno: the engine gives no hook for async generators",
    names: ["EventLoop.shutdown_asyncgens"],
  },
  {
    why: "no meaning on Deno: the engine does not show a suspended function's frames",
    names: ["Task.get_stack", "Task.print_stack"],
  },
  {
    why: "no meaning on Deno: a context is the function that runs code in it, and only its maker has it",
    names: ["Handle.get_context", "Task.get_context", "TimerHandle.get_context"],
  },
  {
    why: "no meaning on Deno: a reader asks for bytes itself, so it has no transport to hold back",
    names: ["StreamReader.set_transport"],
  },
  {
    why: "no meaning on Deno: any function is a coroutine function; deprecated in CPython 3.14",
    names: ["iscoroutinefunction"],
  },
  {
    why: "no meaning on Deno: private to CPython, although in its __all__",
    names: [
      "_enter_task",
      "_get_running_loop",
      "_leave_task",
      "_register_task",
      "_set_running_loop",
      "_unregister_task",
    ],
  },
];

/** Exported values that are no names of `asyncio.__all__`. */
export const ADDED: readonly Group[] = [
  {
    why: "Python's builtins, which asyncio's programs use",
    names: [
      "BrokenPipeError",
      "ConnectionAbortedError",
      "ConnectionRefusedError",
      "ConnectionResetError",
      "ExceptionGroup",
      "KeyboardInterrupt",
      "RuntimeError",
    ],
  },
  { why: "asyncio, where it is in a module of its own", names: ["TransportSocket"] },
  { why: "asyncio, where it is a module", names: ["subprocess"] },
  {
    why: "CPython 3.14's asyncio: the call graph",
    names: [
      "capture_call_graph",
      "format_call_graph",
      "future_add_to_awaited_by",
      "future_discard_from_awaited_by",
      "print_call_graph",
    ],
  },
  {
    why: "CPython 3.14, where they are `python -m asyncio ps` and `pstree`: what every task waits for",
    names: ["capture_tasks", "ps", "pstree"],
  },
  { why: "Trio, where they are instruments of `trio.run()`: hooks for tasks, and OpenTelemetry", names: ["tracing"] },
  { why: "this library: Python's `async with` and `async def`", names: ["Coroutine", "async_with", "coroutine"] },
  { why: "this library: frames, and Python's `struct`, for what streams carry", names: ["pack_frame", "pack_struct"] },
  {
    why: "this library: from stream to stream, and the streams of the process, which take more steps in asyncio",
    names: ["pipe", "stdio"],
  },
  { why: "this library: streams in memory for tests, as Trio's `testing`", names: ["testing"] },
  { why: "this library: datagrams without a protocol", names: ["DatagramEndpoint", "open_datagram"] },
  { why: "this library: a clock for tests, as Trio's MockClock", names: ["VirtualClock"] },
  {
    why: "AnyIO and Trio: cancel scopes",
    names: [
      "CancelScope",
      "current_effective_deadline",
      "fail_after",
      "move_on_after",
    ],
  },
  { why: "Trio: cancel scopes with a moment for a deadline", names: ["fail_at", "move_on_at"] },
  {
    why: "AnyIO: memory object streams",
    names: [
      "BrokenResourceError",
      "ClosedResourceError",
      "EndOfStream",
      "MemoryObjectReceiveStream",
      "MemoryObjectSendStream",
      "WouldBlock",
      "create_memory_object_stream",
    ],
  },
  { why: "Python's concurrent.futures, which asyncio's programs use", names: ["ThreadPoolExecutor"] },
  {
    why: "AnyIO: options of to_thread and to_process, and a worker that ended",
    names: ["BrokenWorkerThread", "run_in_thread"],
  },
  { why: "AnyIO and Trio, where it is `open_signal_receiver`: signals, one after the other", names: ["signals"] },
  { why: "AnyIO and Trio: limits", names: ["BusyResourceError", "CapacityLimiter", "ResourceGuard"] },
];
