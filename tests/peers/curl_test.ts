import { assert, assertEquals } from "@std/assert";
import * as asyncio from "../../mod.ts";
import { certificates } from "../_certificates.ts";
import { LOOPBACK, MIB, pattern, port_of, same_bytes } from "../_streams.ts";
import { echo_bodies, type Head } from "./_http.ts";
import { Folder, missing_of, output_of, peer_test } from "./_peers.ts";

interface Site {
  readonly url: string;
  readonly folder: string;
  /** The heads of the requests that came. */
  readonly heads: readonly Head[];
  /** Runs curl; gives what it printed. */
  curl(...args: string[]): Promise<string>;
}

/** A test of an HTTP server over plain TCP and over TLS; the latter wants to see a certificate. */
function curl_test(promise: string, body: (site: Site) => Promise<void>): void {
  for (const scheme of ["http", "https"] as const) {
    peer_test(`curl over ${scheme}: ${promise}`, missing_of("curl", "openssl"), async () => {
      const { server: identity, ca, folder: identities } = await certificates();
      const heads: Head[] = [];
      await using folder = new Folder();
      await using server = await asyncio.start_server(
        (reader, writer) => echo_bodies(reader, writer, (head) => heads.push(head)),
        LOOPBACK,
        0,
        scheme === "http" ? {} : { ssl: { ...identity, caCerts: [ca], alpnProtocols: ["http/1.1"] } },
      );
      const files = { "--cacert": "ca.pem", "--cert": "client.pem", "--key": "client.key" };
      const trust = Object.entries(files).flatMap(([option, name]) => [option, `${identities}/${name}`]);
      const url = `${scheme}://${LOOPBACK}:${port_of(server)}/`;
      const always = ["--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time", "10"];
      const curl = (...args: string[]) =>
        output_of("curl", [...always, ...(scheme === "https" ? trust : []), ...args], { cwd: folder.path });
      await body({ url, folder: folder.path, heads, curl });
    });
  }
}

curl_test("an upload of 3 MiB that asks first comes back whole", async ({ url, folder, heads, curl }) => {
  const data = pattern(3 * MIB);
  await Deno.writeFile(`${folder}/sent`, data);
  const by_length = await curl("-H", "Expect: 100-continue", "-T", "sent", "-o", "got", "-w", "%{http_code}", url);
  assertEquals(by_length, "200");
  assert(same_bytes(await Deno.readFile(`${folder}/got`), data));
  const chunked = ["-H", "Transfer-Encoding: chunked", "-H", "Expect: 100-continue"];
  assertEquals(await curl(...chunked, "-T", "sent", "-o", "got2", "-w", "%{http_code}", url), "200");
  assert(same_bytes(await Deno.readFile(`${folder}/got2`), data));
  assertEquals(heads.map(({ headers }) => headers.get("expect")), ["100-continue", "100-continue"]);
  assertEquals(heads[0].headers.get("content-length"), `${3 * MIB}`);
  assertEquals(heads[1].headers.get("transfer-encoding"), "chunked");
});

curl_test("several requests use one connection", async ({ url, heads, curl }) => {
  const requests = [1, 2, 3].flatMap((i) => [url + i, "-o", "/dev/null"]);
  assertEquals(await curl("-d", "hello", "-w", "%{num_connects} ", ...requests), "1 0 0 ");
  assertEquals(heads.map(({ line }) => line), [1, 2, 3].map((i) => `POST /${i} HTTP/1.1`));
});

curl_test("side by side, each gets its own", async ({ url, curl }) => {
  const names = Array.from({ length: 8 }, (_, i) => `client ${i}`);
  assertEquals(await Promise.all(names.map((name) => curl("-d", name, url))), names);
});
