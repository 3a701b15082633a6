import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { AsyncLocalStorage } from "node:async_hooks";
import * as asyncio from "../mod.ts";
import { current_observer } from "../lib/_context.ts";
import { collect_reports, error_of } from "./_helpers.ts";

/** An instrument that notes what it is told. */
function noting(): { readonly notes: string[]; readonly instrument: asyncio.tracing.Instrument } {
  const notes: string[] = [];
  const task = (what: string) => (task: asyncio.Task<unknown>) => void notes.push(`${what} ${task.get_name()}`);
  const connection = (what: string) => (transport: asyncio.Transport) =>
    void notes.push(`${what} ${transport._is_server_side ? "server" : "client"}`);
  const instrument = {
    task_created: task("created"),
    task_started: task("started"),
    task_done: task("done"),
    connection_opened: connection("opened"),
    connection_closed: connection("closed"),
  };
  return { notes, instrument };
}

Deno.test("an instrument is told of tasks that are made, start and end, in that order", async () => {
  const { notes, instrument } = noting();
  using _instrument = asyncio.tracing.add_instrument(instrument);
  await asyncio.run(async () => {
    asyncio.current_task()!.set_name("main");
    const work = asyncio.create_task(async () => {}, { name: "work" });
    const fails = asyncio.create_task(() => Promise.reject(new Error("no")), { name: "fails" });
    const never = asyncio.create_task(async () => {}, { name: "never" });
    never.cancel();
    await asyncio.gather(work, fails, never, { return_exceptions: true });
  });
  assertMatch(notes[0], /^created Task-\d+$/);
  assertMatch(notes[1], /^started Task-\d+$/);
  assertEquals(notes.slice(2), [
    "created work",
    "created fails",
    "created never",
    "started work",
    "done work",
    "started fails",
    "done fails",
    "done never",
    "done main",
  ]);
});

Deno.test("an instrument is told of connections that are opened and closed, with the peer's address", async () => {
  const { notes, instrument } = noting();
  const peers: unknown[] = [];
  using _instrument = asyncio.tracing.add_instrument(instrument);
  using _second = asyncio.tracing.add_instrument({
    connection_opened: (transport) => peers.push(transport.get_extra_info("peername")),
  });
  await asyncio.run(async () => {
    await using server = await asyncio.start_server(async (reader) => void await reader.read(), "127.0.0.1", 0);
    const address = server.sockets[0].getsockname() as [string, number];
    const [, writer] = await asyncio.open_connection(...address);
    const sockname = writer.get_extra_info("sockname");
    writer.close();
    await writer.wait_closed();
    await server.shutdown();
    assertEquals(peers.length, 2);
    assert(
      peers.some((peer) => String(peer) === String(address)) && peers.some((peer) => String(peer) === String(sockname)),
    );
  });
  assertEquals(notes.filter((note) => /opened|closed/.test(note)).toSorted(), [
    "closed client",
    "closed server",
    "opened client",
    "opened server",
  ]);
});

Deno.test("an instrument that was removed is told of nothing more, and nothing is left of it", async () => {
  const { notes, instrument } = noting();
  const before = current_observer();
  const remover = asyncio.tracing.add_instrument(instrument);
  remover.remove();
  remover.remove();
  assert(current_observer() === before);
  {
    const other = noting();
    using _other = asyncio.tracing.add_instrument(other.instrument);
    remover.remove();
    await asyncio.run(async () => {});
    assertEquals(other.notes.length, 3);
  }
  await asyncio.run(async () => {});
  assertEquals(notes, []);
});

Deno.test("a task runs in the context that task_created() gave, inside of the one that its maker gave", async () => {
  const outer = new AsyncLocalStorage<string>();
  const inner = new AsyncLocalStorage<string>();
  using _instrument = asyncio.tracing.add_instrument({
    task_created: (task) => (fn) => inner.run(`${outer.getStore() ?? "none"}/${task.get_name()}`, fn),
  });
  await asyncio.run(async () => {
    const seen = async () => {
      await asyncio.sleep(0);
      return inner.getStore();
    };
    const plain = asyncio.create_task(seen, { name: "plain" });
    const given = asyncio.create_task(seen, { name: "given", context: (fn) => outer.run("outer", fn) });
    assertEquals(await asyncio.gather(plain, given), ["none/plain", "outer/given"]);
  });
});

Deno.test("what an instrument throws is reported, and neither keeps a task from running nor another instrument from hearing", async () => {
  const { notes, instrument } = noting();
  const fail = () => {
    throw new Error("hook");
  };
  await asyncio.run(async () => {
    const reports = collect_reports();
    using _failing = asyncio.tracing.add_instrument({ task_created: fail, task_started: fail, task_done: fail });
    using _runner = asyncio.tracing.add_instrument({ task_created: () => fail });
    using _forgetful = asyncio.tracing.add_instrument({ task_created: () => () => undefined as never });
    using _instrument = asyncio.tracing.add_instrument(instrument);
    assertEquals(await asyncio.create_task(() => asyncio.sleep(0, "result"), { name: "work" }), "result");
    assertEquals(notes, ["created work", "started work", "done work"]);
    assertEquals(reports.length, 4);
    assertEquals(new Set(reports.map(({ message }) => message)), new Set(["Exception in an instrument"]));
  });
});

Deno.test("add_instrument() and open_telemetry() refuse what they cannot use", () => {
  assertThrows(() => asyncio.tracing.add_instrument(null as never), TypeError, '"instrument" must be an object');
  assertThrows(
    () => asyncio.tracing.add_instrument({ task_done: 1 as never }),
    TypeError,
    '"task_done" must be a function',
  );
  assertThrows(
    () => asyncio.tracing.open_telemetry({} as never),
    TypeError,
    '"tracer" must be an OpenTelemetry Tracer',
  );
});

// OpenTelemetry

interface FakeSpan extends asyncio.tracing.Span {
  readonly name: string;
  readonly parent: string | null;
  readonly options: asyncio.tracing.SpanOptions;
  readonly told: unknown[];
}

/** Spans as OpenTelemetry makes them; `spans` has those that ended. */
function fake_tracer() {
  const active = new AsyncLocalStorage<FakeSpan>();
  const ended: FakeSpan[] = [];
  const startSpan = (name: string, options: asyncio.tracing.SpanOptions = {}): FakeSpan => {
    const told: unknown[] = [];
    const span: FakeSpan = {
      name,
      parent: active.getStore()?.name ?? null,
      options,
      told,
      setStatus: (status) => told.push(status),
      setAttribute: (key, value) => told.push([key, value]),
      recordException: (error) => told.push(error.message),
      end: () => void ended.push(span),
    };
    return span;
  };
  const startActiveSpan = <R>(name: string, options: asyncio.tracing.SpanOptions, fn: (span: FakeSpan) => R): R => {
    const span = startSpan(name, options);
    return active.run(span, () => fn(span));
  };
  return { startSpan, startActiveSpan, active, ended };
}

Deno.test("open_telemetry() makes a span for each task, inside the one that was active where the task was made", async () => {
  const tracer = fake_tracer();
  using _instrument = asyncio.tracing.add_instrument(asyncio.tracing.open_telemetry(tracer));
  await asyncio.run(async () => {
    const inner = async () => {
      await asyncio.sleep(0.001);
      assertEquals(tracer.active.getStore()!.name, "inner");
    };
    await asyncio.create_task(async () => {
      const child = asyncio.create_task(inner, { name: "inner" });
      await asyncio.sleep(0);
      await tracer.startActiveSpan("block", {}, async (span) => {
        await asyncio.create_task(async () => {}, { name: "in block" });
        span.end();
      });
      await child;
    }, { name: "outer" });
  });
  const main = tracer.ended.at(-1)!.name;
  assertEquals(tracer.ended.map(({ name, parent }) => [name, parent]), [
    ["in block", "block"],
    ["block", "outer"],
    ["inner", "outer"],
    ["outer", main],
    [main, null],
  ]);
});

Deno.test("open_telemetry() says of a task's span how the task ended", async () => {
  const tracer = fake_tracer();
  using _instrument = asyncio.tracing.add_instrument(asyncio.tracing.open_telemetry(tracer));
  await asyncio.run(async () => {
    await error_of(asyncio.create_task(() => Promise.reject(new Error("boom")), { name: "failed" }));
    const task = asyncio.create_task(() => asyncio.sleep(60), { name: "cancelled" });
    await asyncio.sleep(0);
    task.cancel();
    await error_of(task);
  });
  const told = Object.fromEntries(tracer.ended.map((span) => [span.name, span.told]));
  assertEquals(told["failed"], ["boom", { code: 2, message: "boom" }]);
  assertEquals(told["cancelled"], [["asyncio.task.outcome", "cancelled"]]);
});

Deno.test("open_telemetry() makes a span for each connection over a socket, with the peer's address", async () => {
  const tracer = fake_tracer();
  using _instrument = asyncio.tracing.add_instrument(asyncio.tracing.open_telemetry(tracer));
  let address: [string, number];
  await asyncio.run(async () => {
    await using server = await asyncio.start_server(async (reader) => void await reader.read(), "127.0.0.1", 0);
    address = server.sockets[0].getsockname() as [string, number];
    await asyncio.create_task(async () => {
      const [, writer] = await asyncio.open_connection(...address);
      writer.close();
      await writer.wait_closed();
    }, { name: "client" });
    const gzip = new CompressionStream("gzip");
    const writer = asyncio.StreamWriter.to(gzip.writable);
    writer.abort();
    await gzip.readable.cancel().catch(() => {});
  });
  const spans = tracer.ended.filter(({ name }) => name === "connection");
  const client = spans.find(({ options }) => options.kind === 2)!;
  const server = spans.find(({ options }) => options.kind === 1)!;
  assertEquals(spans.length, 2);
  assertEquals(client.parent, "client");
  assertEquals(client.options.attributes, {
    "network.peer.address": address![0],
    "network.peer.port": address![1],
  });
  assertEquals(server.options.attributes!["network.peer.address"], "127.0.0.1");
});

const TRACED = `
  using _instrument = asyncio.tracing.add_instrument(asyncio.tracing.open_telemetry());
  await asyncio.run(async () => {
    await using server = await asyncio.start_server(async (reader) => void await reader.read(), "127.0.0.1", 0);
    const [host, port] = server.sockets[0].getsockname() as [string, number];
    await asyncio.create_task(async () => {
      const [, writer] = await asyncio.open_connection(host, port);
      await asyncio.create_task(() => asyncio.sleep(0.001), { name: "inner" });
      writer.close();
      await writer.wait_closed();
    }, { name: "outer" });
  });
`;

async function traced(env: Record<string, string>): Promise<{ code: number; output: string }> {
  const library = new URL("../mod.ts", import.meta.url).href;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--ext=ts", `import * as asyncio from ${JSON.stringify(library)};\n${TRACED}`],
    env: { NO_COLOR: "1", OTEL_DENO: "false", ...env },
  }).output();
  return { code, output: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

Deno.test("Deno's own telemetry exports a span for each task and connection, with their parents", async () => {
  const { code, output } = await traced({ OTEL_DENO: "true", OTEL_EXPORTER_OTLP_PROTOCOL: "console" });
  assertEquals(code, 0, output);
  const spans = [...output.matchAll(/^SPAN (\S+) \[(\w+)\/(\w+)\] (\w+) .*\n((?: {2}.*\n?)*)/gm)].map(
    ([, name, trace, id, kind, details]) => ({ name, trace, id, kind, details }),
  );
  const parent = ({ details }: { details: string }) =>
    spans.find(({ id }) => id === details.match(/parent: (\w+)/)?.[1])?.name ?? null;
  const by_name = (name: string) => spans.find((span) => span.name === name)!;
  assertEquals([parent(by_name("inner")), parent(by_name("outer"))], ["outer", "Task-1"]);
  assertEquals(parent(by_name("Task-1")), null);
  const client = spans.find(({ name, kind }) => name === "connection" && kind === "Client")!;
  assertEquals(parent(client), "outer");
  assertMatch(client.details, /network\.peer\.address: 127\.0\.0\.1\n {2}network\.peer\.port: \d+/);
  assertEquals(new Set(spans.map(({ trace }) => trace)).size, 1);
});

Deno.test("open_telemetry() without a tracer does nothing where Deno's telemetry is off", async () => {
  assertEquals(await traced({}), { code: 0, output: "" });
});
