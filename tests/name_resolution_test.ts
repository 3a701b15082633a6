import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { SYSTEM_NETWORK } from "../lib/_deno_net.ts";
import * as asyncio from "../mod.ts";
import { run_virtual } from "./_helpers.ts";
import { PYTHON, test_with } from "./_programs.ts";

const HOST = "127.0.0.1";
const decoder = new TextDecoder();
const loop = () => asyncio.get_event_loop();

/** Every kind of socket at an address, in the system's order. */
const all_kinds = (family: asyncio.AddressFamily, host: string, port: number): asyncio.AddressInfo[] => [
  [family, "SOCK_STREAM", "IPPROTO_TCP", "", [host, port]],
  [family, "SOCK_DGRAM", "IPPROTO_UDP", "", [host, port]],
  [family, "SOCK_RAW", "IPPROTO_IP", "", [host, port]],
];

Deno.test("getaddrinfo() of an address gives it with each kind of socket", async () => {
  assertEquals(await loop().getaddrinfo(HOST, 80), all_kinds("AF_INET", HOST, 80));
  assertEquals(await loop().getaddrinfo("::1", "443"), all_kinds("AF_INET6", "::1", 443));
  assertEquals(await loop().getaddrinfo(HOST, null), all_kinds("AF_INET", HOST, 0));
});

Deno.test("getaddrinfo() gives only what family, type and proto allow", async () => {
  const kinds = async (options: asyncio.GetAddrInfoOptions) =>
    (await loop().getaddrinfo(HOST, 80, options)).map(([family, type, proto]) => `${family} ${type} ${proto}`);
  assertEquals(await kinds({ type: "SOCK_DGRAM" }), ["AF_INET SOCK_DGRAM IPPROTO_UDP"]);
  assertEquals(await kinds({ proto: "IPPROTO_TCP" }), [
    "AF_INET SOCK_STREAM IPPROTO_TCP",
    "AF_INET SOCK_RAW IPPROTO_TCP",
  ]);
  assertEquals(await kinds({ family: "AF_INET", type: "SOCK_STREAM" }), ["AF_INET SOCK_STREAM IPPROTO_TCP"]);
  const error = await assertRejects(() => loop().getaddrinfo(HOST, 80, { family: "AF_INET6" }));
  assertEquals(code_of(error), "EAI_ADDRFAMILY");
  assertThrows(
    () => loop().getaddrinfo(HOST, 80, { type: "SOCK_STREAM", proto: "IPPROTO_UDP" }),
    RangeError,
    '"type" "SOCK_STREAM" has no "proto" "IPPROTO_UDP"',
  );
});

const code_of = (error: unknown) => (error as { code?: unknown } | null)?.code;

Deno.test("getaddrinfo() without a host is this machine, or all of its addresses with AI_PASSIVE", async () => {
  const hosts = async (options: asyncio.GetAddrInfoOptions) =>
    (await loop().getaddrinfo(null, 80, { type: "SOCK_DGRAM", ...options })).map(([, , , , [host]]) => host);
  assertEquals(await hosts({}), ["::1", HOST]);
  assertEquals(await hosts({ flags: ["AI_PASSIVE"] }), ["0.0.0.0", "::"]);
  assertEquals(await hosts({ flags: ["AI_PASSIVE"], family: "AF_INET6" }), ["::"]);
  const error = assertThrows(() => loop().getaddrinfo(null, null));
  assertEquals(code_of(error), "EAI_NONAME");
});

Deno.test("getaddrinfo() looks a name up, and with AI_NUMERICHOST does not", async () => {
  const found = await loop().getaddrinfo("localhost", 80, { family: "AF_INET", type: "SOCK_STREAM" });
  assertEquals(found, [["AF_INET", "SOCK_STREAM", "IPPROTO_TCP", "", [HOST, 80]]]);
  const numeric = await assertRejects(() => loop().getaddrinfo("localhost", 80, { flags: ["AI_NUMERICHOST"] }));
  assertEquals(code_of(numeric), "EAI_NONAME");
  const unknown = await assertRejects(() => loop().getaddrinfo("no.such.invalid", 80), Error);
  assertEquals([code_of(unknown), unknown.message], [
    "EAI_NONAME",
    'Cannot look up "no.such.invalid": Name or service not known',
  ]);
});

Deno.test("what only looks like an address is none", async () => {
  for (const host of ["999.1.1.1", "1:2", "::x", "1.2.3.4.5"]) {
    const error = await assertRejects(() => loop().getaddrinfo(host, 80), Error);
    assertEquals([host, code_of(error)], [host, "EAI_NONAME"]);
  }
  assertEquals((await loop().getaddrinfo("fe80::1%lo", 80)).length, 3);
});

Deno.test("getaddrinfo() keeps the order of the system's preference", async () => {
  await run_virtual(async () => {
    const look_up = () => Promise.resolve(["2001:db8::1", "192.0.2.1", "2001:db8::2"]);
    Object.assign(asyncio.get_running_loop(), { _network: { ...SYSTEM_NETWORK, look_up } });
    const hosts = async (family?: asyncio.AddressFamily) =>
      (await asyncio.get_running_loop().getaddrinfo("host.example", 1, { family, type: "SOCK_RAW" }))
        .map(([, , , , [host]]) => host);
    assertEquals(await hosts(), ["2001:db8::1", "192.0.2.1", "2001:db8::2"]);
    assertEquals(await hosts("AF_INET6"), ["2001:db8::1", "2001:db8::2"]);
  });
});

Deno.test("getaddrinfo() names an argument that is wrong", () => {
  const call = (...args: unknown[]) => () => (loop().getaddrinfo as (...args: unknown[]) => unknown)(...args);
  assertThrows(call(5, 80), TypeError, '"host" must be a string or null, got 5');
  assertThrows(call(undefined, 80), TypeError, '"host" must be a string or null, got undefined');
  assertThrows(call("", 80), RangeError, '"host" must not be empty');
  assertThrows(call(HOST, 65536), RangeError, '"port" must be a whole number from 0 to 65535, got 65536');
  assertThrows(call(HOST, "65536"), RangeError, '"port" must be a whole number from 0 to 65535');
  assertThrows(call(HOST, true), TypeError, '"port" must be a number, got true');
  assertEquals(code_of(assertThrows(call(HOST, "http"), Error, 'Cannot look up service "http"')), "EAI_SERVICE");
  assertThrows(call(HOST, 80, { family: 2 }), TypeError, '"family" must be "AF_INET" or "AF_INET6", got 2');
  assertThrows(call(HOST, 80, { type: "stream" }), TypeError, '"type" must be one of "SOCK_STREAM", "SOCK_DGRAM"');
  assertThrows(call(HOST, 80, { proto: 6 }), TypeError, '"proto" must be one of "IPPROTO_TCP", "IPPROTO_UDP"');
  assertThrows(call(HOST, 80, { flags: "AI_PASSIVE" }), TypeError, '"flags" must be an array of strings');
  assertThrows(call(HOST, 80, { flags: [1] }), TypeError, '"flags" must be an array of strings, got 1');
  assertThrows(call(HOST, 80, { flags: ["AI_CANONNAME"] }), Deno.errors.NotSupported, 'Cannot use flag "AI_CANONNAME"');
  assertThrows(call(HOST, 80, { flag: [] }), TypeError, 'Unknown option "flag"');
});

Deno.test("getnameinfo() gives names, or the numbers that the flags ask for", async () => {
  assertEquals(await loop().getnameinfo([HOST, 54321], ["NI_NUMERICHOST", "NI_NUMERICSERV"]), [HOST, "54321"]);
  const [host, service] = await loop().getnameinfo([HOST, 54321]);
  assertEquals([host.length > 0, host === HOST, service], [true, false, "54321"]);
  assertEquals(await loop().getnameinfo([HOST, 80], ["NI_NUMERICSERV"]), [host, "80"]);
  assertEquals((await loop().getnameinfo([HOST, 80], ["NI_NUMERICHOST"]))[0], HOST);
});

Deno.test("getnameinfo() gives the numbers of an address without a name, and fails with NI_NAMEREQD", async () => {
  await run_virtual(async () => {
    const loop = asyncio.get_running_loop();
    Object.assign(loop, { _network: { ...SYSTEM_NETWORK, name_of: () => Promise.resolve(null) } });
    assertEquals(await loop.getnameinfo(["192.0.2.1", 80]), ["192.0.2.1", "80"]);
    const error = await assertRejects(() => loop.getnameinfo(["192.0.2.1", 80], ["NI_NAMEREQD"]), Error);
    assertEquals([code_of(error), error.message], [
      "EAI_NONAME",
      'Cannot find the name of "192.0.2.1": Name or service not known',
    ]);
    assertEquals(await loop.getnameinfo(["192.0.2.1", 80], ["NI_NAMEREQD", "NI_NUMERICHOST"]), ["192.0.2.1", "80"]);
  });
});

Deno.test("getnameinfo() names an argument that is wrong", () => {
  const call = (...args: unknown[]) => () => (loop().getnameinfo as (...args: unknown[]) => unknown)(...args);
  assertThrows(call(HOST), TypeError, '"sockaddr" must be [host, port]');
  assertThrows(call([HOST, "80"]), TypeError, '"port" must be a number, got "80"');
  assertThrows(call([HOST, -1]), RangeError, '"port" must be a whole number from 0 to 65535, got -1');
  assertThrows(call([HOST, 80], ["NI_DGRAM"]), Deno.errors.NotSupported, 'Cannot use flag "NI_DGRAM"');
  assertThrows(call([HOST, 80], 5), TypeError, '"flags" must be an array of strings, got 5');
  assertEquals(code_of(assertThrows(call(["localhost", 80]), Error, "it is no address")), "EAI_NONAME");
});

Deno.test("a look-up that is cancelled ends at once", async () => {
  await run_virtual(async () => {
    const loop = asyncio.get_running_loop();
    const never = () => new Promise<never>(() => {});
    Object.assign(loop, { _network: { ...SYSTEM_NETWORK, look_up: never, name_of: never } });
    await assertRejects(() => asyncio.wait_for(() => loop.getaddrinfo("host.example", 1), 1), asyncio.TimeoutError);
    await assertRejects(() => asyncio.wait_for(() => loop.getnameinfo([HOST, 1]), 1), asyncio.TimeoutError);
    assertEquals(loop.time(), 2);
  });
});

Deno.test("a closed loop looks nothing up", async () => {
  const other = asyncio.new_event_loop();
  await other.run_until_complete(() => asyncio.sleep(0));
  other.close();
  assertThrows(() => other.getaddrinfo(HOST, 1), asyncio.RuntimeError, "Event loop is closed");
  assertThrows(() => other.getnameinfo([HOST, 1]), asyncio.RuntimeError, "Event loop is closed");
});

Deno.test("without --allow-net for the name or address, a look-up fails with NotCapable; an address needs none", async () => {
  const library = new URL("../mod.ts", import.meta.url).href;
  const source = `import * as asyncio from ${JSON.stringify(library)};
    const loop = asyncio.get_event_loop();
    const report = (error: Error) => console.log(error.name, error.message);
    await loop.getaddrinfo("localhost", 80).catch(report);
    await loop.getnameinfo(["127.0.0.1", 80]).catch(report);
    console.log((await loop.getaddrinfo("127.0.0.1", 80)).length);`;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-q",
      "--no-prompt",
      "--no-config",
      "--no-check",
      `data:text/typescript,${encodeURIComponent(source)}`,
    ],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const requires = (where: string) =>
    `NotCapable Requires net access to "${where}", run again with the --allow-net flag\n`;
  assertEquals(decoder.decode(stderr), "");
  assertEquals(decoder.decode(stdout), `${requires("localhost")}${requires("127.0.0.1:80")}3\n`);
});

test_with({ python3: PYTHON }, "getaddrinfo() and getnameinfo() find what CPython's find", async () => {
  const program = `
import socket, json
infos = [("127.0.0.1", 80, {}), ("::1", 80, {}), ("127.0.0.1", None, {"type": socket.SOCK_DGRAM})]
names = [[int(flag) for flag in (socket.NI_NUMERICHOST | socket.NI_NUMERICSERV, 0)]]
def info(host, port, options):
    found = socket.getaddrinfo(host, port, **options)
    return [[f.name, t.name, {6: "IPPROTO_TCP", 17: "IPPROTO_UDP", 0: "IPPROTO_IP"}[p], c, list(a[:2])] for f, t, p, c, a in found]
print(json.dumps([[info(*each) for each in infos], [socket.getnameinfo(("127.0.0.1", 54321), flag) for flag in names[0]]]))
`;
  const { stdout } = await new Deno.Command(PYTHON!, { args: ["-c", program] }).output();
  const [infos, names] = JSON.parse(decoder.decode(stdout));
  assertEquals(
    await Promise.all([
      loop().getaddrinfo(HOST, 80),
      loop().getaddrinfo("::1", 80),
      loop().getaddrinfo(HOST, null, { type: "SOCK_DGRAM" }),
    ]),
    infos,
  );
  assertEquals(
    await Promise.all([
      loop().getnameinfo([HOST, 54321], ["NI_NUMERICHOST", "NI_NUMERICSERV"]),
      loop().getnameinfo([HOST, 54321]),
    ]),
    names,
  );
  assert(infos[0].length > 0);
});
