import { assert, assertEquals, assertMatch } from "@std/assert";
import * as asyncio from "../../mod.ts";
import { certificates } from "../_certificates.ts";
import { LOOPBACK, MIB, pattern, same_bytes, type Streams, text } from "../_streams.ts";
import { get, read_message } from "./_http.ts";
import { close, Folder, free_port, missing_of, Peer, peer_test } from "./_peers.ts";

const LARGE = pattern(5 * MIB);

interface Nginx {
  readonly plain: number;
  readonly tls: number;
  /** Demands a client's certificate. */
  readonly strict: number;
}

function configuration(folder: string, ports: Nginx, certificates: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const site = `
    ssl_certificate ${certificates}/server.pem;
    ssl_certificate_key ${certificates}/server.key;
    root ${folder}/www;
    location /chunked/ {
      alias ${folder}/www/;
      # What is looked through for includes has no length beforehand.
      ssi on;
      ssi_types application/octet-stream;
    }`;
  return `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  default_type application/octet-stream;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(" ")}
  server {
    listen ${LOOPBACK}:${ports.plain};
    listen ${LOOPBACK}:${ports.tls} ssl;
    ${site}
  }
  server {
    listen ${LOOPBACK}:${ports.strict} ssl;
    ssl_client_certificate ${certificates}/ca.pem;
    ssl_verify_client on;
    ${site}
  }
}
`;
}

/** Starts nginx and waits until it takes connections. */
async function start(folder: string): Promise<[Peer, Nginx]> {
  await Deno.mkdir(`${folder}/www`);
  await Deno.writeTextFile(`${folder}/www/small`, "hello");
  await Deno.writeFile(`${folder}/www/large`, LARGE);
  const { folder: identities } = await certificates();
  for (let attempt = 0; attempt < 5; attempt++) {
    const ports = { plain: free_port(), tls: free_port(), strict: free_port() };
    await Deno.writeTextFile(`${folder}/nginx.conf`, configuration(folder, ports, identities));
    const peer = new Peer("nginx", ["-p", folder, "-c", `${folder}/nginx.conf`, "-e", "stderr"]);
    do {
      try {
        for (const port of Object.values(ports)) (await Deno.connect({ hostname: LOOPBACK, port })).close();
        return [peer, ports];
      } catch (error) {
        if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      }
    } while (await peer.runs_for(0.01));
    // Somebody else took one of the ports in between.
    await peer[Symbol.asyncDispose]();
  }
  throw new Error("Cannot start nginx");
}

function nginx_test(promise: string, body: (nginx: Nginx) => Promise<void>): void {
  peer_test(`nginx: ${promise}`, missing_of("nginx", "openssl"), async () => {
    await using folder = new Folder();
    const [peer, ports] = await start(folder.path);
    await using _peer = peer;
    await body(ports);
  });
}

async function connect_tls(port: number, more: asyncio.TlsClientOptions = {}): Promise<Streams> {
  const { ca } = await certificates();
  return await asyncio.open_connection(LOOPBACK, port, {
    ssl: { caCerts: [ca], alpnProtocols: ["http/1.1"], ...more },
    server_hostname: "localhost",
  });
}

for (const kind of ["plain", "tls"] as const) {
  const connect = (nginx: Nginx, more?: asyncio.TlsClientOptions) =>
    kind === "plain" ? asyncio.open_connection(LOOPBACK, nginx.plain) : connect_tls(nginx.tls, more);

  nginx_test(`${kind}, one connection serves many requests, large ones by length and in chunks`, async (nginx) => {
    const streams = await connect(nginx);
    const { length } = LARGE;
    for (
      const [path, size] of [["/small", 5], ["/large", length], ["/chunked/large", length], ["/small", 5]] as const
    ) {
      const { line, headers, body } = await get(streams, path);
      assertEquals([line, body.length, headers.get("connection")], ["HTTP/1.1 200 OK", size, "keep-alive"]);
      assertEquals(headers.get("transfer-encoding") === "chunked", path === "/chunked/large");
      assert(size === 5 ? text(body) === "hello" : same_bytes(body, LARGE));
    }
    await close(streams[1]);
  });

  nginx_test(`${kind}, requests that are sent at once are answered in their order`, async (nginx) => {
    const [reader, writer] = await connect(nginx);
    const paths = Array.from({ length: 50 }, (_, i) => i % 2 === 0 ? "/small" : "/missing");
    writer.writelines(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`));
    for (const path of paths) {
      const { line } = await read_message(reader);
      assertEquals(line, path === "/small" ? "HTTP/1.1 200 OK" : "HTTP/1.1 404 Not Found");
    }
    await close(writer);
  });

  nginx_test(`${kind}, a body that lasts to the end of the connection is whole`, async (nginx) => {
    const streams = await connect(nginx);
    const { headers, body } = await get(streams, "/large", "close");
    assertEquals(headers.get("connection"), "close");
    assert(same_bytes(body, LARGE));
    assertEquals(streams[0].at_eof(), true);
    await close(streams[1]);
  });

  nginx_test(`${kind}, an answer comes after this side has closed its half`, async (nginx) => {
    // To a client that has said goodbye, nginx does not say it.
    const [reader, writer] = await connect(nginx, { suppress_ragged_eofs: true });
    writer.write("GET /small HTTP/1.1\r\nHost: localhost\r\n\r\n");
    writer.write_eof();
    assertEquals(text((await read_message(reader)).body), "hello");
    assertEquals((await reader.read()).length, 0);
    await close(writer);
  });

  nginx_test(`${kind}, a download that is given up in the middle leaves nothing behind`, async (nginx) => {
    const [reader, writer] = await connect(nginx);
    await writer.send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await reader.readexactly(MIB);
    await close(writer);
    const streams = await connect(nginx);
    assertEquals(text((await get(streams, "/small")).body), "hello");
    streams[1].abort();
    await streams[1].wait_closed();
  });
}

nginx_test("TLS and ALPN are agreed on as both sides say", async (nginx) => {
  const [, writer] = await connect_tls(nginx.tls);
  assertEquals(writer.get_extra_info("alpn_protocol"), "http/1.1");
  assertMatch(writer.get_extra_info("ssl_object")!.version, /^TLSv1\.[23]$/);
  assertEquals(writer.get_extra_info("peercert")?.subject.CN, "server");
  await close(writer);
});

nginx_test(
  "a client's certificate is shown where it is demanded, and missed or refused where it is wrong",
  async (nginx) => {
    const { client, stranger } = await certificates();
    const cases = [
      [client, "HTTP/1.1 200 OK", "hello"],
      [{}, "HTTP/1.1 400 Bad Request", "No required SSL certificate was sent"],
      [stranger, "HTTP/1.1 400 Bad Request", "The SSL certificate error"],
    ] as const;
    for (const [shown, line, part] of cases) {
      const streams = await connect_tls(nginx.strict, shown);
      const answer = await get(streams, "/small", "close");
      assertEquals([answer.line, text(answer.body).includes(part)], [line, true]);
      await close(streams[1]);
    }
  },
);
