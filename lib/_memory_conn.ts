/**
 * A pair of connections in memory that behaves as Deno's sockets do, down to their errors.
 *
 * Each direction is a `Wire`: the bounded buffer that a kernel would have. Operations end in a later turn of Deno's loop,
 * as those of a socket do, and always in the same order: a turn looks at one wire, then at the other, and on each first at
 * reads, then at writes. A turn that is due keeps the loop busy, so a virtual clock does not jump past it.
 *
 * Where systems differ, this is what TCP does on Linux:
 *
 * - bytes of a write are taken when the write ends, not when it begins, and a `close()` before that takes none;
 * - the first write to a peer that has closed is taken and lost, the next one is a broken pipe; had the peer left bytes
 *   unread, the first is one already;
 * - a reset leaves what had arrived readable, drops what was on its way, and every read behind that fails with it (a
 *   socket gives the error once, then the end).
 *
 * @module
 */

import type { EventLoop } from "./deno_events.ts";
import {
  type Address,
  BadResourceError,
  BrokenPipeError,
  ConnectionResetError,
  InterruptedError,
  type RawConn,
} from "./_deno.ts";
import type { TimerHandle } from "./events.ts";
import { type Step, UNKNOWN_STRAND } from "./_scopes.ts";

/** How a wire and its two ends behave, with nothing left open. */
export interface WireSettings {
  readonly capacity: number;
  /** Most bytes of the next read, of the next write. */
  readonly chunk_size: () => number;
  readonly write_size: () => number;
  /** Seconds that the next bytes, or the end, are on their way at least: they do not overtake those before. */
  readonly latency: () => number;
}

interface Read {
  readonly array: Uint8Array;
  readonly resolve: (count: number | null) => void;
  readonly reject: (error: unknown) => void;
}

/** A write, or with `null` for an array the end of all writes. */
interface Write {
  readonly array: Uint8Array | null;
  readonly resolve: (count: number) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * How the bytes of a wire end: in order, by a reset, or for now not at all. `cut` is a reset that comes from the network,
 * `lost` the moment from which on it passes nothing on.
 */
type End = "none" | "eof" | "reset" | "cut" | "lost";

/** Where a wire breaks by itself: behind so many bytes, and how. */
interface Break {
  readonly bytes: number;
  readonly end: "cut" | "lost";
}

/**
 * Where what is written goes: to the peer; to nobody, since it has closed; or into the dark, where nobody says so.
 */
type Receiver = "there" | "closed" | "refusing" | "vanished";

/** Has a wire looked at in the next turn of Deno's loop. */
class Turns {
  readonly #loop: EventLoop;
  readonly #run: () => void;
  #due = false;

  constructor(loop: EventLoop, run: () => void) {
    this.#loop = loop;
    this.#run = run;
  }

  request(): void {
    if (this.#due) return;
    this.#due = true;
    if (!this.#loop.is_closed()) this.#loop._resources.add(this);
    this.#push();
  }

  /** The turn that was due went with the loop; one of the loop that takes its place will do. */
  _loop_closed(): void {
    this.#push();
  }

  #push(): void {
    // Behind code of which nothing is known the loop takes a new turn, and it is not idle until then.
    this.#loop._push(BARRIER);
    this.#loop._push(this.#step);
  }

  readonly #step: Step = {
    _run: () => {
      this.#due = false;
      this.#loop._resources.delete(this);
      this.#run();
      return null;
    },
  };
}

const BARRIER: Step = { _run: () => UNKNOWN_STRAND };

/** One direction of a pair. */
export class Wire {
  readonly #loop: EventLoop;
  readonly #settings: WireSettings;
  readonly #request_turn: () => void;
  /** A ring: `#stored` bytes from `#head` on, of which the first `#arrived` can be read. */
  #ring = new Uint8Array(0);
  #head = 0;
  #stored = 0;
  #arrived = 0;
  /** What is on its way, with latency: bytes, or an end, and when it will be there. */
  readonly #on_the_way: { readonly bytes: number; readonly end: End; readonly due: number }[] = [];
  #timer: TimerHandle | null = null;
  #end: End = "none";
  readonly #reads: Read[] = [];
  readonly #writes: Write[] = [];
  #eof_written = false;
  #receiver: Receiver = "there";
  #break: Break | null = null;

  clogged = false;
  bytes_written = 0;
  bytes_read = 0;
  reads = 0;
  writes = 0;

  constructor(loop: EventLoop, settings: WireSettings, request_turn: () => void) {
    this.#loop = loop;
    this.#settings = settings;
    this.#request_turn = request_turn;
  }

  /** How many bytes were written and not read. */
  get buffered(): number {
    return this.#stored;
  }

  // The end that reads

  read(array: Uint8Array): Promise<number | null> {
    return new Promise((resolve, reject) => {
      this.#reads.push({ array, resolve, reject });
      this.#request_turn();
    });
  }

  /** Whoever reads has closed, or has vanished. */
  end_reading(as: "closed" | "vanished"): void {
    // A kernel that has to throw bytes away says so at once.
    if (this.#receiver === "there") this.#receiver = as === "closed" && this.#stored > 0 ? "refusing" : as;
    this.#drop(as === "closed" ? 0 : this.#stored);
    reject_all(this.#reads, interrupted);
    this.#request_turn();
  }

  // The end that writes

  write(array: Uint8Array | null): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#writes.push({ array, resolve, reject });
      this.#request_turn();
    });
  }

  /** Whoever writes has closed (`"eof"`), broken (`"reset"`) or left (`"none"`). What was taken still arrives, but for a reset. */
  end_writing(end: End): void {
    reject_all(this.#writes, interrupted);
    if (end === "reset") this.#drop(this.#arrived);
    if (end !== "none" && !(end === "eof" && this.#eof_written)) this.#send(0, end);
    this.#eof_written = true;
    this.#request_turn();
  }

  /** A reset has come from the other side: nothing that is written arrives any more. */
  break_writing(): void {
    reject_all(this.#writes, reset_by_peer);
    this.#receiver = "refusing";
    this.#drop(0);
  }

  // The network between them

  /** What arrived can be read, then comes a reset (`cut`), or nothing (`lost`); both ends go on without having closed. */
  sever(how: "cut" | "lost"): void {
    this.#drop(this.#arrived);
    if (how === "cut") {
      if (this.#end === "none") this.#end = "reset";
      reject_all(this.#writes, reset_by_peer);
      this.#receiver = "refusing";
    } else if (this.#receiver === "there") {
      this.#receiver = "vanished";
    }
    this.#request_turn();
  }

  /** Has the wire break behind the byte of this number, once that has arrived. */
  break_behind(bytes: number, end: "cut" | "lost"): void {
    this.#break = { bytes, end };
    if (this.bytes_written >= bytes) this.#break_now();
  }

  #break_now(): void {
    const { end } = this.#break!;
    this.#break = null;
    this.#send(0, end);
    if (this.#receiver === "there") this.#receiver = "vanished";
  }

  // Turns

  /** Ends what can be ended now; true if that lets more be ended in the next turn. */
  turn(): boolean {
    const taken = this.#serve_reads();
    const given = this.#serve_writes();
    return (taken && this.#writes.length > 0) || (given && this.#reads.length > 0) || this.#can_read();
  }

  #can_read(): boolean {
    return this.#reads.length > 0 && (this.#arrived > 0 || this.#end !== "none");
  }

  #serve_reads(): boolean {
    let taken = false;
    while (this.#can_read()) {
      const { array, resolve, reject } = this.#reads.shift()!;
      this.reads++;
      if (array.length === 0) {
        resolve(0);
      } else if (this.#arrived > 0) {
        const count = Math.min(array.length, this.#arrived, this.#settings.chunk_size());
        this.#take(array, count);
        taken = true;
        resolve(count);
      } else if (this.#end === "eof") {
        resolve(null);
      } else {
        reject(reset_by_peer());
      }
    }
    return taken;
  }

  #serve_writes(): boolean {
    let given = false;
    while (this.#writes.length > 0) {
      const { array, resolve, reject } = this.#writes[0];
      if (this.#receiver === "refusing") {
        if (array === null) resolve(0);
        else reject(broken_pipe());
      } else if (this.clogged) {
        break;
      } else if (array === null) {
        if (!this.#eof_written) this.#send(0, "eof");
        this.#eof_written = given = true;
        resolve(0);
      } else if (this.#eof_written) {
        reject(broken_pipe());
      } else {
        const room = this.#receiver === "closed" ? array.length : this.#settings.capacity - this.#stored;
        const left = this.#break === null ? Infinity : this.#break.bytes - this.bytes_written;
        const count = Math.min(array.length, room, left, this.#settings.write_size());
        if (count === 0 && array.length > 0) break;
        this.writes++;
        this.bytes_written += count;
        if (this.#receiver === "closed") this.#receiver = "refusing";
        else if (count > 0) this.#give(array.subarray(0, count));
        if (count === left) this.#break_now();
        given = true;
        resolve(count);
      }
      this.#writes.shift();
    }
    return given;
  }

  #give(bytes: Uint8Array): void {
    const { capacity } = this.#settings;
    if (this.#ring.length === 0) this.#ring = new Uint8Array(capacity);
    const at = (this.#head + this.#stored) % capacity;
    const first = Math.min(bytes.length, capacity - at);
    this.#ring.set(bytes.subarray(0, first), at);
    this.#ring.set(bytes.subarray(first), 0);
    this.#stored += bytes.length;
    this.#send(bytes.length, "none");
  }

  #take(array: Uint8Array, count: number): void {
    const first = Math.min(count, this.#ring.length - this.#head);
    array.set(this.#ring.subarray(this.#head, this.#head + first));
    array.set(this.#ring.subarray(0, count - first), first);
    this.#head = (this.#head + count) % this.#ring.length;
    this.#stored -= count;
    this.#arrived -= count;
    this.bytes_read += count;
  }

  /** Drops all but the first `kept` bytes; nothing is on its way any more. */
  #drop(kept: number): void {
    this.#stored = kept;
    this.#arrived = Math.min(this.#arrived, kept);
    this.#on_the_way.length = 0;
    this.#timer?.cancel();
    this.#timer = null;
  }

  // Latency

  #send(bytes: number, end: End): void {
    if (this.#receiver === "vanished") return;
    // A loop that was closed has no time any more, and nobody who would notice.
    const latency = this.#loop.is_closed() ? 0 : this.#settings.latency();
    if (latency === 0 && this.#on_the_way.length === 0) return this.#arrive(bytes, end);
    if (this.#receiver !== "there") return;
    this.#on_the_way.push({ bytes, end, due: this.#loop.time() + latency });
    this.#set_timer();
  }

  #arrive(bytes: number, end: End): void {
    this.#arrived += bytes;
    if (end === "cut" || end === "lost") return this.on_break(end);
    // An end that closes behind a reset, as it has heard of it too, has nothing more to say.
    if (end !== "none" && this.#end !== "reset") this.#end = end;
    if (end === "reset") this.on_reset();
  }

  /** The place where the wire breaks has come to its end: the connection is severed. */
  on_break: (how: "cut" | "lost") => void = () => {};

  /** A reset has arrived: the other direction is broken as well. */
  on_reset: () => void = () => {};

  #set_timer(): void {
    if (this.#timer !== null || this.#on_the_way.length === 0) return;
    this.#timer = this.#loop._call_at(this.#on_the_way[0].due, () => {
      this.#timer = null;
      const now = this.#loop.time();
      while (this.#on_the_way.length > 0 && this.#on_the_way[0].due <= now) {
        const { bytes, end } = this.#on_the_way.shift()!;
        this.#arrive(bytes, end);
      }
      this.#set_timer();
      this.#request_turn();
    });
  }
}

/** One end of a pair. */
export class MemoryConn implements RawConn {
  readonly localAddr: Address;
  readonly remoteAddr: Address;
  readonly #incoming: Wire;
  readonly #outgoing: Wire;
  #state: "open" | "closed" = "open";
  on_closed: () => void = () => {};

  constructor(incoming: Wire, outgoing: Wire, local: Address, remote: Address) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.localAddr = local;
    this.remoteAddr = remote;
  }

  read(array: Uint8Array): Promise<number | null> {
    if (this.#state === "closed") return Promise.reject(bad_resource());
    return array.length === 0 ? Promise.resolve(0) : this.#incoming.read(array);
  }

  write(array: Uint8Array): Promise<number> {
    return this.#state === "closed" ? Promise.reject(bad_resource()) : this.#outgoing.write(array);
  }

  async closeWrite(): Promise<void> {
    if (this.#state === "closed") throw bad_resource();
    await this.#outgoing.write(null);
  }

  close(): void {
    this.#leave("eof", "closed");
  }

  /** Closes with a reset: the peer reads what had arrived, then fails. */
  reset(): void {
    this.#leave("reset", "closed");
  }

  /** Closes without a word to the peer. */
  vanish(): void {
    this.#leave("none", "vanished");
  }

  #leave(end: End, as: "closed" | "vanished"): void {
    if (this.#state === "closed") throw bad_resource();
    this.#state = "closed";
    this.#outgoing.end_writing(end);
    this.#incoming.end_reading(as);
    this.on_closed();
  }

  get is_closed(): boolean {
    return this.#state === "closed";
  }
}

/**
 * Makes two connections that are each other's peers.
 *
 * @param loop On whose turns, and by whose clock, they work.
 * @param settings How what the first writes behaves, then what the second writes.
 * @param addresses Of the first and of the second.
 * @returns The connections, and what each writes.
 */
export function memory_conns(
  loop: EventLoop,
  settings: readonly [WireSettings, WireSettings],
  addresses: readonly [Address, Address] = NOWHERE,
): { readonly conns: readonly [MemoryConn, MemoryConn]; readonly wires: readonly [Wire, Wire]; wake(): void } {
  const turns = new Turns(loop, () => {
    const goes_on = wires.map((wire) => wire.turn());
    if (goes_on.includes(true)) turns.request();
  });
  const wake = () => turns.request();
  const wires = [new Wire(loop, settings[0], wake), new Wire(loop, settings[1], wake)] as const;
  wires[0].on_reset = () => wires[1].break_writing();
  wires[1].on_reset = () => wires[0].break_writing();
  for (const wire of wires) wire.on_break = (how) => wires.forEach((each) => each.sever(how));
  const conns = [
    new MemoryConn(wires[1], wires[0], addresses[0], addresses[1]),
    new MemoryConn(wires[0], wires[1], addresses[1], addresses[0]),
  ] as const;
  return { conns, wires, wake };
}

const NOWHERE: readonly [Address, Address] = [
  { transport: "tcp", hostname: "memory", port: 1 },
  { transport: "tcp", hostname: "memory", port: 2 },
];

function reject_all(waiting: (Read | Write)[], error: () => Error): void {
  for (const { reject } of waiting.splice(0)) reject(error());
}

const interrupted = () => new InterruptedError("operation canceled");
const bad_resource = () => new BadResourceError("Bad resource ID");
const reset_by_peer = () =>
  Object.assign(new ConnectionResetError("Connection reset by peer (os error 104)"), { code: "ECONNRESET" });
const broken_pipe = () => new BrokenPipeError("Broken pipe (os error 32)");
