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

/** Seconds a TLS handshake may take. */
export const DEFAULT_SSL_HANDSHAKE_TIMEOUT = 60;

/** Seconds the end of a TLS connection may take. */
export const DEFAULT_SSL_SHUTDOWN_TIMEOUT = 30;

/** Seconds until the next address of a host is tried beside the one before; asyncio tries one after another. */
export const DEFAULT_HAPPY_EYEBALLS_DELAY = 0.25;

/** Seconds that a server which is left gives its handlers to end. */
export const DEFAULT_SHUTDOWN_TIMEOUT = 1;

/** Seconds a process has to end by itself after SIGTERM; asyncio has no such number, and this one is arbitrary. */
export const DEFAULT_PROCESS_GRACE = 5;

/** Seconds a server stops accepting after it ran out of descriptors or memory. */
export const ACCEPT_RETRY_DELAY = 1;

/** Seconds that `run()` gives the threads at its end, as in asyncio. */
export const THREAD_JOIN_TIMEOUT = 300;

/** Seconds a callback may run before debug mode reports it. */
export const SLOW_CALLBACK_DURATION = 0.1;

/** The method with which an object prints itself in Deno. */
export const INSPECT: unique symbol = Symbol.for("Deno.customInspect");
