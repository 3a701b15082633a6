import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import * as fc from "fast-check";
import { interleaved } from "../lib/_connecting.ts";
import type { Network, RawConn } from "../lib/_deno.ts";
import { SYSTEM_NETWORK } from "../lib/_deno_net.ts";
import * as asyncio from "../mod.ts";
import { error_of, run_virtual } from "./_helpers.ts";
import { FakeConn, LOOPBACK, port_of, text } from "./_streams.ts";

// The race, over a network of the test's making

/** What happens at an address: after so many seconds it answers, or refuses. */
type Fate = { readonly after: number; readonly refuses?: boolean };

interface Tried {
  readonly address: string;
  readonly at: number;
  readonly conn: FakeConn;
  aborted: boolean;
}

/** A network in which a host has these addresses. */
function network_of(fates: Readonly<Record<string, Fate>>, tried: Tried[]): Network {
  return {
    ...SYSTEM_NETWORK,
    resolve: () => Promise.resolve(Object.keys(fates)),
    async connect_tcp(address, port, signal): Promise<RawConn> {
      const loop = asyncio.get_running_loop();
      const entry = { address, at: loop.time(), conn: new FakeConn(), aborted: false };
      tried.push(entry);
      signal.addEventListener("abort", () => entry.aborted = true);
      const { after, refuses } = fates[address];
      await new Promise<void>((resolve) => loop.call_later(after, resolve));
      if (signal.aborted) throw signal.reason;
      if (refuses) {
        throw Object.assign(
          new Deno.errors.ConnectionRefused(`Cannot connect to ${address}:${port}: Connection refused`),
          { code: "ECONNREFUSED" },
        );
      }
      return entry.conn;
    },
  };
}

/** Connects in that network, in virtual time. */
function race<T>(
  fates: Readonly<Record<string, Fate>>,
  options: asyncio.OpenConnectionOptions,
  body: (opening: asyncio.Future<[asyncio.StreamReader, asyncio.StreamWriter]>, tried: Tried[]) => Promise<T>,
): Promise<T> {
  return run_virtual(async () => {
    const tried: Tried[] = [];
    Object.assign(asyncio.get_running_loop(), { _network: network_of(fates, tried) });
    return await body(asyncio.open_connection("host.example", 80, options), tried);
  });
}

const starts = (tried: readonly Tried[]) => tried.map(({ address, at }) => `${address} at ${at}`);

Deno.test("open_connection() tries addresses of both kinds in turn, a quarter of a second apart, and takes the first that answers", async () => {
  const fates = { "1::1": { after: 9 }, "1::2": { after: 9 }, "10.0.0.1": { after: 0.3 }, "10.0.0.2": { after: 9 } };
  await race(fates, {}, async (opening, tried) => {
    const [, writer] = await opening;
    assertEquals(asyncio.get_running_loop().time(), 0.55);
    assertEquals(starts(tried), ["1::1 at 0", "10.0.0.1 at 0.25", "1::2 at 0.5"]);
    assertStrictEquals(writer.get_extra_info("conn"), tried[1].conn);
    assertEquals(tried.map(({ aborted }) => aborted), [true, false, true]);
    writer.close();
  });
});

Deno.test("open_connection() goes on to the next address at once when one fails", async () => {
  const fates = { "1::1": { after: 0.1, refuses: true }, "10.0.0.1": { after: 0.1 } };
  await race(fates, {}, async (opening, tried) => {
    await opening;
    assertEquals(starts(tried), ["1::1 at 0", "10.0.0.1 at 0.1"]);
  });
});

Deno.test("open_connection() without happy_eyeballs_delay tries one address after the other", async () => {
  const fates = { "1::1": { after: 5, refuses: true }, "1::2": { after: 5 }, "10.0.0.1": { after: 0 } };
  await race(fates, { happy_eyeballs_delay: null }, async (opening, tried) => {
    await opening;
    assertEquals(starts(tried), ["1::1 at 0", "1::2 at 5"]);
  });
});

Deno.test("open_connection() names every address it tried, with the class of the last failure", async () => {
  const fates = { "1::1": { after: 0, refuses: true }, "10.0.0.1": { after: 0, refuses: true } };
  await race(fates, {}, async (opening) => {
    const error = await error_of(opening);
    assertInstanceOf(error, asyncio.ConnectionRefusedError);
    assertEquals(
      error.message,
      "Cannot connect to host.example:80: Multiple exceptions: 1::1:80: Connection refused, 10.0.0.1:80: Connection refused",
    );
    assertEquals([error.code, error.cause.errors.length], ["ECONNREFUSED", 2]);
  });
});

Deno.test("open_connection() with all_errors fails with a group of what happened at each address", async () => {
  for (const fates of [{ "1::1": 1, "10.0.0.1": 1 }, { "10.0.0.1": 1 }]) {
    const refusing = Object.fromEntries(Object.keys(fates).map((address) => [address, { after: 0, refuses: true }]));
    await race(refusing, { all_errors: true }, async (opening) => {
      const error = await error_of(opening);
      assertInstanceOf(error, asyncio.ExceptionGroup);
      assert(error.message.startsWith("create_connection failed"));
      assertEquals(error.exceptions.length, Object.keys(fates).length);
    });
  }
});

Deno.test("open_connection() that is cancelled, aborted or out of time ends every attempt, and closes what is made all the same", async () => {
  const fates = { "1::1": { after: 5 }, "10.0.0.1": { after: 5 } };
  const check = (tried: readonly Tried[]) => assertEquals(tried.map(({ aborted }) => aborted), [true, true]);
  await race(fates, {}, async (opening, tried) => {
    await asyncio.sleep(1);
    opening.cancel();
    await assertRejects(() => opening, asyncio.CancelledError);
    check(tried);
  });
  const controller = new AbortController();
  await race(fates, { signal: controller.signal }, async (opening, tried) => {
    await asyncio.sleep(1);
    controller.abort(new RangeError("enough"));
    await assertRejects(() => opening, RangeError, "enough");
    check(tried);
  });
  await race(fates, { timeout: 2 }, async (opening, tried) => {
    await assertRejects(
      () => opening,
      asyncio.TimeoutError,
      "Cannot connect to host.example:80: it took longer than 2 seconds",
    );
    assertEquals(asyncio.get_running_loop().time(), 2);
    check(tried);
  });
});

Deno.test("a connection that is made in the very turn in which open_connection() is cancelled is closed", async () => {
  await race({ "10.0.0.1": { after: 1 } }, {}, async (opening, tried) => {
    asyncio.get_running_loop().call_later(1, () => asyncio.get_running_loop().call_soon(() => opening.cancel()));
    const [result] = await asyncio.gather(opening, { return_exceptions: true });
    if (result instanceof Error) {
      await asyncio.sleep(1);
      assertEquals([tried[0].aborted || tried[0].conn.calls.includes("close")], [true]);
    }
  });
});

Deno.test("Interleaving keeps every address and the order of each kind", () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6());
  fc.assert(fc.property(fc.uniqueArray(address, { minLength: 1 }), fc.integer({ min: 1, max: 4 }), (all, count) => {
    const mixed = interleaved(all, count);
    assertEquals(mixed.toSorted(), all.toSorted());
    for (const is_kind of [(each: string) => each.includes(":"), (each: string) => !each.includes(":")]) {
      assertEquals(mixed.filter(is_kind), all.filter(is_kind));
    }
    const preferred = all.filter((each) => each.includes(":") === all[0].includes(":"));
    assertEquals(mixed.slice(0, Math.min(count, preferred.length)), preferred.slice(0, count));
  }));
});

// Names and addresses, over the system's network

Deno.test("open_connection() connects to a name, an IPv4 and an IPv6 address", async () => {
  await using server = await asyncio.start_server((_reader, writer) => writer.close(), ["127.0.0.1", "::1"], 0);
  for (const socket of server.sockets) {
    const [host, port] = socket.getsockname() as [string, number];
    const [reader, writer] = await asyncio.open_connection(host, port);
    assertEquals((await reader.read()).length, 0);
    assertEquals(writer.get_extra_info("socket").family, host === "::1" ? "AF_INET6" : "AF_INET");
    writer.close();
    await writer.wait_closed();
  }
  const [, port] = server.sockets[0].getsockname() as [string, number];
  const [, writer] = await asyncio.open_connection("localhost", port, { family: "AF_INET" });
  writer.close();
  await writer.wait_closed();
});

Deno.test("open_connection() says so when a name is not known, or has no address of the wanted kind", async () => {
  const unknown = await error_of(asyncio.open_connection("nosuch.invalid", 80));
  assertEquals([unknown.message, unknown.code], [
    "Cannot connect to nosuch.invalid:80: Name or service not known",
    "EAI_NONAME",
  ]);
  const kind = await error_of(asyncio.open_connection(LOOPBACK, 80, { family: "AF_INET6" }));
  assertEquals(kind.message, `Cannot connect to ${LOOPBACK}:80: It has no address of family AF_INET6`);
  const server = await error_of(asyncio.start_server(() => {}, "nosuch.invalid", 0));
  assertEquals(server.message, "Cannot listen on nosuch.invalid:0: Name or service not known");
});

Deno.test("a program that may only use a name connects by that name", async () => {
  await using server = await asyncio.start_server((_reader, writer) => writer.write("hello"), LOOPBACK, 0);
  const port = port_of(server);
  const program = `
    import * as asyncio from ${JSON.stringify(new URL("../mod.ts", import.meta.url).href)};
    const [, writer] = await asyncio.open_connection("localhost", ${port});
    writer.close();
    await writer.wait_closed();
    try {
      await asyncio.open_connection("localhost", ${port}, { family: "AF_INET" });
    } catch (error) {
      console.log(error.name);
    }
  `;
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/main.ts`, program);
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--quiet", "--no-check", `--allow-net=localhost:${port}`, `${folder}/main.ts`],
  }).output();
  await Deno.remove(folder, { recursive: true });
  assertEquals([text(stdout), text(stderr)], ["NotCapable\n", ""]);
});

// sock

Deno.test("open_connection() goes on with a connection it is given, which then is its own", async () => {
  await using server = await asyncio.start_server(
    async (reader, writer) => {
      writer.write(await reader.readline());
    },
    LOOPBACK,
    0,
  );
  const sock = await Deno.connect({ hostname: LOOPBACK, port: port_of(server) });
  const [reader, writer] = await asyncio.open_connection(null, null, { sock });
  await writer.send("hello\n");
  assertEquals(text(await reader.readline()), "hello\n");
  writer.close();
  await writer.wait_closed();
  const given = new FakeConn();
  const reason = new Error("no");
  await assertRejects(
    () => asyncio.open_connection(null, null, { sock: given, signal: AbortSignal.abort(reason) }),
    Error,
    "no",
  );
  assertEquals(given.calls, ["close"]);
});

// Unix sockets

async function with_folder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("unix: a server answers, tells its path, and its file goes with it", async () => {
  await with_folder(async (folder) => {
    const path = `${folder}/s`;
    const server = await asyncio.start_unix_server(async (reader, writer) => {
      writer.write(await reader.readline());
    }, path);
    assertEquals([server.sockets[0].getsockname(), server.sockets[0].family], [path, "AF_UNIX"]);
    const [reader, writer] = await asyncio.open_unix_connection(path);
    assertEquals(writer.get_extra_info("peername"), path);
    await writer.send("hello\n");
    assertEquals(text(await reader.read()), "hello\n");
    writer.close();
    await writer.wait_closed();
    server.close();
    await server.wait_closed();
    await assertRejects(() => Deno.lstat(path), Deno.errors.NotFound);
  });
});

Deno.test("unix: a file that a dead server left is replaced, but not a living server's, and no other file", async () => {
  await with_folder(async (folder) => {
    const path = `${folder}/s`;
    const program = `const l = Deno.listen({ transport: "unix", path: ${JSON.stringify(path)} });
      console.log("up"); Deno.kill(Deno.pid, "SIGKILL"); l;`;
    await new Deno.Command(Deno.execPath(), { args: ["eval", program], stderr: "null", stdout: "null" }).output();
    assert((await Deno.lstat(path)).isSocket);
    const server = await asyncio.start_unix_server(() => {}, path);
    const error = await error_of(asyncio.start_unix_server(() => {}, path));
    assertInstanceOf(error, Deno.errors.AddrInUse);
    assert(error.message.includes(JSON.stringify(path)), error.message);
    await server.shutdown({ timeout: 0 });
    await Deno.writeTextFile(path, "mine");
    assertInstanceOf(await error_of(asyncio.start_unix_server(() => {}, path)), Deno.errors.AddrInUse);
    assertEquals(await Deno.readTextFile(path), "mine");
  });
});

Deno.test("unix: the calls refuse wrong arguments, and name the path that cannot be reached", async () => {
  // deno-lint-ignore no-explicit-any
  const open = asyncio.open_unix_connection as (...args: any[]) => Promise<unknown>;
  // deno-lint-ignore no-explicit-any
  const start = asyncio.start_unix_server as (...args: any[]) => Promise<unknown>;
  const cases: [() => Promise<unknown>, new (...args: never[]) => Error, string][] = [
    [() => open(), RangeError, "no path and sock were specified"],
    [() => open("x", { sock: new FakeConn() }), RangeError, "path and sock can not be specified at the same time"],
    [() => open(5), TypeError, '"path" must be a string, got 5'],
    [() => open("x", { ssl: true }), RangeError, "you have to pass server_hostname when using ssl"],
    [() => open("x", { family: "AF_INET" }), TypeError, 'Unknown option "family"'],
    [() => start(() => {}, ""), RangeError, '"path" must not be empty'],
    [() => start(() => {}, "x", { cleanup_socket: false }), Deno.errors.NotSupported, "Cannot keep the socket's file"],
    [() => open("/nosuch/s"), Deno.errors.NotFound, 'Cannot connect to unix socket "/nosuch/s": '],
    [() => start(() => {}, "/nosuch/s"), Deno.errors.NotFound, 'Cannot listen on unix socket "/nosuch/s": '],
  ];
  for (const [call, error_class, message] of cases) {
    await assertRejects(async () => await call(), error_class as new () => Error, message);
  }
});
