// What the tests of datagrams share.

import type { DatagramAddress, RawDatagramSocket } from "../lib/_deno.ts";
import * as asyncio from "../mod.ts";

export const HOST = "127.0.0.1";

/** Waits until a condition holds; fails when it does not for long. */
export async function eventually(condition: () => boolean, seconds = 10): Promise<void> {
  for (const end = performance.now() + seconds * 1000; !condition();) {
    if (performance.now() > end) throw new Error(`It did not come true within ${seconds} s: ${condition}`);
    await asyncio.sleep(0.001);
  }
}

/** A socket whose every answer the test gives. */
export class FakeSocket implements RawDatagramSocket {
  readonly localAddr: Deno.NetAddr = { transport: "udp", hostname: HOST, port: 5000 };
  on_datagram: RawDatagramSocket["on_datagram"] = () => {};
  on_error: RawDatagramSocket["on_error"] = () => {};
  /** What it was asked to send. */
  readonly asked: string[] = [];
  /** How often it was closed. */
  closed = 0;
  #answer: ((error: unknown) => void) | null = null;

  send(data: Uint8Array, _addr: DatagramAddress): Promise<void> {
    this.asked.push(new TextDecoder().decode(data));
    return new Promise((resolve, reject) => {
      this.#answer = (error) => error === undefined ? resolve() : reject(error);
    });
  }

  /** Has the last send end, with an error if there is one. */
  answer(error?: unknown): void {
    this.#answer!(error);
  }

  get_extra_info(): undefined {}

  close(): void {
    this.closed++;
  }
}
