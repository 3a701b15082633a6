/**
 * Numbers that more than one room needs. Each is asyncio's own unless its comment says otherwise.
 *
 * @module
 */

/** Bytes that a separator search may buffer before it gives up. */
export const DEFAULT_LIMIT = 64 * 1024;

/** Bytes waiting to be sent above which `drain()` waits. */
export const DEFAULT_HIGH_WATER = 64 * 1024;

/** Connections the kernel queues for a server that has not accepted them yet. */
export const DEFAULT_BACKLOG = 100;

/** Seconds a server stops accepting after it ran out of descriptors or memory. */
export const ACCEPT_RETRY_DELAY = 1;

/** Seconds a callback may run before debug mode reports it. */
export const SLOW_CALLBACK_DURATION = 0.1;

/** The method with which an object prints itself in Deno. */
export const INSPECT: unique symbol = Symbol.for("Deno.customInspect");
