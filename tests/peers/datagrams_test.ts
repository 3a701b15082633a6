import { assertEquals } from "@std/assert";
import * as asyncio from "../../mod.ts";
import { eventually } from "../_datagrams.ts";
import { PYTHON } from "../_programs.ts";
import { LOOPBACK } from "../_streams.ts";
import { free_port, missing_of, Peer, peer_test } from "./_peers.ts";

const text = ([data]: asyncio.Datagram) => new TextDecoder().decode(data);
const no_python = PYTHON === null ? "python3 is not installed" : null;

const PYTHON_SERVER = `
import asyncio

class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport
    def datagram_received(self, data, addr):
        self.transport.sendto(data, addr)

async def main():
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Echo, ("127.0.0.1", 0))
    print("port", transport.get_extra_info("sockname")[1], flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
`;

const PYTHON_CLIENT = `
import asyncio, sys

class Client(asyncio.DatagramProtocol):
    def __init__(self):
        self.received = asyncio.Queue()
    def datagram_received(self, data, addr):
        self.received.put_nowait(data)

async def main():
    loop = asyncio.get_running_loop()
    transport, client = await loop.create_datagram_endpoint(Client, remote_addr=("127.0.0.1", int(sys.argv[1])))
    for data in [b"hello", b"x" * 60000]:
        transport.sendto(data)
        print(len(data), await client.received.get() == data)
    transport.close()

asyncio.run(main())
`;

peer_test(
  "an echo server on CPython's asyncio gives back what an endpoint sends, of every size",
  no_python,
  async () => {
    await using peer = new Peer(PYTHON!, ["-c", PYTHON_SERVER]);
    const [, port] = await peer.until_line("stdout", /^port (\d+)/);
    await using client = await asyncio.open_datagram({ remote_addr: [LOOPBACK, Number(port)] });
    for (const size of [1, 1500, 65507]) {
      await client.send(new Uint8Array(size).fill(size % 251));
      const [data, addr] = await client.recv();
      assertEquals([data.length, data.at(-1), addr], [size, size % 251, [
        LOOPBACK,
        Number(port),
      ]]);
    }
  },
);

peer_test(
  "a client on CPython's asyncio gets back what it sends to a protocol",
  no_python,
  async () => {
    class Echo extends asyncio.DatagramProtocol {
      #transport!: asyncio.DatagramTransport;
      override connection_made(transport: asyncio.DatagramTransport) {
        this.#transport = transport;
      }
      override datagram_received(data: Uint8Array, addr: asyncio.DatagramAddress) {
        this.#transport.sendto(data, addr);
      }
    }
    const [transport] = await asyncio.get_running_loop().create_datagram_endpoint(() => new Echo(), [LOOPBACK, 0]);
    try {
      await using peer = new Peer(PYTHON!, ["-c", PYTHON_CLIENT, `${transport.get_extra_info("sockname")[1]}`]);
      const { code, stdout, stderr } = await peer.end();
      assertEquals([code, stderr, stdout], [0, "", "5 True\n60000 True\n"]);
    } finally {
      transport.close();
    }
  },
);

peer_test("nc -u sends lines to an endpoint, and prints its answers", missing_of("nc"), async () => {
  await using server = await asyncio.open_datagram({ local_addr: [LOOPBACK, 0] });
  await using peer = new Peer("nc", ["-u", LOOPBACK, `${server.get_extra_info("sockname")[1]}`]);
  await peer.say(new TextEncoder().encode("question\n"));
  const datagram = await server.recv();
  assertEquals(text(datagram), "question\n");
  await server.send("answer\n", datagram[1]);
  await peer.until_line("stdout", /^answer/);
});

peer_test("socat gives every datagram back to the endpoint that sent it", missing_of("socat"), async () => {
  const port = free_port();
  await using peer = new Peer("socat", ["-d", "-d", `UDP4-RECVFROM:${port},bind=${LOOPBACK},fork`, "EXEC:cat"]);
  await peer.until_line("stderr", /receiving on|starting|fork/i);
  await using client = await asyncio.open_datagram({ remote_addr: [LOOPBACK, port] });
  // There is no word from it that it receives: ask until it answers.
  const asking = asyncio.create_task(async () => {
    for (;;) {
      await client.send("echo");
      await asyncio.sleep(0.1);
    }
  });
  assertEquals(text(await client.recv()), "echo");
  asking.cancel();
});

peer_test("what socat sends from two ports comes with two addresses", missing_of("socat"), async () => {
  await using server = await asyncio.open_datagram({ local_addr: [LOOPBACK, 0] });
  const to = `UDP4-SENDTO:${LOOPBACK}:${server.get_extra_info("sockname")[1]}`;
  for (const word of ["one", "two"]) {
    await using peer = new Peer("socat", ["-u", "-", to]);
    await peer.say(new TextEncoder().encode(word));
    await peer.end_input();
    await peer.end();
  }
  await eventually(() => server.statistics().queue_size === 2);
  const [one, two] = [await server.recv(), await server.recv()];
  assertEquals([text(one), text(two), one[1][1] === two[1][1]], ["one", "two", false]);
});
