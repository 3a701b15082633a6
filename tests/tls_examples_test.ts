// The examples of TLS, each as a process, against each other and against CPython's asyncio.

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import * as asyncio from "../mod.ts";
import { certificates } from "./_certificates.ts";
import { HOST, OPENSSL, output_of, Process, Program, PYTHON, test_with } from "./_programs.ts";
import { port_of, text } from "./_streams.ts";

const TEMPORARY = ["--allow-read=/tmp", "--allow-write=/tmp"];
const TLS_SERVER = { permissions: ["--allow-run=openssl", ...TEMPORARY] };

/** A program in Python; the first line it prints is its port. */
async function python_server(program: string, ...args: string[]): Promise<[Process, number]> {
  const server = new Process(PYTHON!, ["-u", "-c", program, ...args]);
  return [server, Number(await server.line())];
}

// TLS

const PYTHON_TLS_CLIENT = `
import asyncio, ssl, sys
async def main():
    context = ssl.create_default_context(cafile=sys.argv[2])
    reader, writer = await asyncio.open_connection("localhost", int(sys.argv[1]), ssl=context)
    for line in [b"one\\n", b"two\\n"]:
        writer.write(line)
        print((await reader.readline()).decode(), end="")
    print(writer.get_extra_info("peercert")["subject"])
    writer.close()
    await writer.wait_closed()
asyncio.run(main())
`;

const PYTHON_TLS_SERVER = `
import asyncio, ssl, sys
async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()
async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1])
    await server.serve_forever()
asyncio.run(main())
`;

test_with(
  { openssl: OPENSSL },
  "tls_client.ts gets its lines back from tls_server.ts, which removes its folder at the end",
  async () => {
    await using server = new Program("tls_server.ts", [HOST, "0"], `${HOST}:0`, TLS_SERVER);
    const port = await server.port();
    const authority = (await server.line()).replace("Authority: ", "");
    const allowed = { permissions: [`--allow-read=${authority}`], stdin: { text: "one\nzwölf\n3" } };
    const args = ["localhost", String(port), authority];
    const printed = (await output_of("tls_client.ts", args, "localhost,127.0.0.1,[::1]", allowed)).split("\n");
    assertMatch(printed[0], /^TLSv1\.3, TLS_\w+, certificate of localhost until .+ GMT$/);
    assertEquals(printed.slice(1), ["one", "zwölf", "3", ""]);
    assertMatch(await server.line(), /connected: TLSv1\.3, TLS_\w+, asked for localhost$/);
    assertMatch(await server.line(), /left$/);

    // Without the authority, its certificate is nobody's.
    await using stranger = new Program("tls_client.ts", ["localhost", String(port)], "localhost,127.0.0.1,[::1]", {
      stdin: { text: "one\n" },
    });
    const { stdout, stderr, code } = await stranger.end();
    assertEquals([stdout, code], ["", 1]);
    assertMatch(stderr, /^error: Cannot connect to localhost:\d+: TLS: unable to verify the first certificate\n$/);

    server.interrupt();
    assertEquals((await server.end()).code, 130);
    await assertRejects(() => Deno.stat(authority), Deno.errors.NotFound);
  },
);

test_with({ openssl: OPENSSL, python3: PYTHON }, "tls_server.ts serves a client on CPython's asyncio", async () => {
  await using server = new Program("tls_server.ts", [HOST, "0"], `${HOST}:0`, TLS_SERVER);
  const port = await server.port();
  const authority = (await server.line()).replace("Authority: ", "");
  await using client = new Process(PYTHON!, ["-c", PYTHON_TLS_CLIENT, String(port), authority]);
  assertEquals(await client.end(), { stdout: "one\ntwo\n((('commonName', 'localhost'),),)\n", stderr: "", code: 0 });
  server.interrupt();
  assertEquals((await server.end()).stderr, "");
});

test_with({ openssl: OPENSSL, python3: PYTHON }, "tls_client.ts talks to a server on CPython's asyncio", async () => {
  const { folder } = await certificates();
  const [server, port] = await python_server(PYTHON_TLS_SERVER, `${folder}/server.pem`, `${folder}/server.key`);
  await using _server = server;
  const printed = await output_of("tls_client.ts", [HOST, String(port), `${folder}/ca.pem`], `${HOST}:${port}`, {
    permissions: [`--allow-read=${folder}`],
    stdin: { text: "one\ntwo\n" },
  });
  assertMatch(printed, /^TLSv1\.3, TLS_\w+, certificate of server until .+ GMT\nONE\nTWO\n$/);
});

Deno.test("tls_server.ts says so if openssl is not installed, and leaves no folder behind", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const program = new URL("../examples/tls_server.ts", import.meta.url).href;
    const args = ["run", "-q", "--no-config", "--no-prompt", "--allow-net", "--allow-run=openssl", ...TEMPORARY];
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [...args, program, HOST, "0"],
      env: { PATH: folder, TMPDIR: folder, NO_COLOR: "1" },
    }).output();
    assertEquals([code, text(stderr)], [1, "error: Cannot make a certificate: the program openssl is not installed\n"]);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name.startsWith("tls_")), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

// STARTTLS

const PYTHON_STARTTLS_SERVER = `
import asyncio, ssl, sys
async def serve(reader, writer):
    writer.write(b"220 mail.example ready\\r\\n")
    secure = False
    while line := await reader.readline():
        command = line.decode().strip()
        if command.startswith("EHLO"):
            writer.write(b"250-mail.example\\r\\n250-SIZE 1000\\r\\n" + (b"250 AUTH PLAIN\\r\\n" if secure else b"250 STARTTLS\\r\\n"))
        elif command == "STARTTLS":
            writer.write(b"220 go ahead\\r\\n")
            await writer.drain()
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(sys.argv[1], sys.argv[2])
            await writer.start_tls(context)
            secure = True
        elif command == "QUIT":
            writer.write(b"221 bye\\r\\n")
            break
    writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1])
    await server.serve_forever()
asyncio.run(main())
`;

/** A mail server that offers `capabilities`, and sends `after` behind its answer to STARTTLS. */
async function mail_server(capabilities: string, after = ""): Promise<asyncio.Server> {
  const { server: identity } = await certificates();
  return await asyncio.start_server(
    async (reader, writer) => {
      writer.write("220 mail.example ready\r\n");
      try {
        for await (const line of reader) {
          const command = text(line).trim();
          const is_secure = writer.get_extra_info("ssl_object") !== null;
          if (command === "EHLO localhost") {
            writer.write(`250-mail.example\r\n250 ${is_secure ? "AUTH PLAIN" : capabilities}\r\n`);
          } else if (command === "STARTTLS") {
            writer.write(`220 go ahead\r\n${after}`);
            await writer.start_tls(identity);
          } else {
            writer.write("221 bye\r\n");
            break;
          }
        }
      } catch {
        // The client did not like what it heard.
      }
    },
    HOST,
    0,
  );
}

async function starttls_client(port: number): Promise<{ stdout: string; stderr: string; code: number }> {
  const { folder } = await certificates();
  await using client = new Program("starttls_client.ts", [HOST, String(port), `${folder}/ca.pem`], `${HOST}:${port}`, {
    permissions: [`--allow-read=${folder}`],
  });
  return await client.end();
}

test_with({ openssl: OPENSSL }, "starttls_client.ts tells what a server can do before and after STARTTLS", async () => {
  await using server = await mail_server("STARTTLS");
  const { stdout, stderr, code } = await starttls_client(port_of(server));
  assertEquals([stderr, code], ["", 0]);
  assertMatch(stdout, /^Without TLS: STARTTLS\nTLSv1\.3, TLS_\w+\nWith TLS: AUTH PLAIN\n$/);
});

test_with(
  { openssl: OPENSSL, python3: PYTHON },
  "starttls_client.ts talks to a server on CPython's asyncio",
  async () => {
    const { folder } = await certificates();
    const [server, port] = await python_server(PYTHON_STARTTLS_SERVER, `${folder}/server.pem`, `${folder}/server.key`);
    await using _server = server;
    const { stdout, stderr, code } = await starttls_client(port);
    assertEquals([stderr, code], ["", 0]);
    assertMatch(stdout, /^Without TLS: SIZE 1000, STARTTLS\nTLSv1\.3, TLS_\w+\nWith TLS: SIZE 1000, AUTH PLAIN\n$/);
  },
);

for (
  const [promise, capabilities, after, message] of [
    ["without STARTTLS", "SIZE 1000", "", `${HOST} does not offer STARTTLS`],
    [
      "that lets words before TLS pass for words over TLS",
      "STARTTLS",
      "250 AUTH PLAIN\r\n",
      "Cannot start TLS: 16 bytes that came before it are in the reader's buffer",
    ],
  ] as const
) {
  test_with({ openssl: OPENSSL }, `starttls_client.ts goes no further with a server ${promise}`, async () => {
    await using server = await mail_server(capabilities, after);
    const { stderr, code } = await starttls_client(port_of(server));
    assertEquals([stderr, code], [`error: ${message}\n`, 1]);
  });
}
