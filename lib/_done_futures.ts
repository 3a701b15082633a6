/**
 * Futures that are done as they are made: what a call gives that need not wait.
 *
 * `await` takes a native promise as it is, at a sixth of what a call of `then()` costs. So all calls whose result tells
 * nothing, such as `lock.acquire()` and `queue.put()`, give the same promise, which has the methods of a future: there is
 * nothing in it to cancel, and no wait to record. One for each call would have to be given these methods, which costs
 * more than `then()` does.
 *
 * @module
 */

import { check_callable } from "./exceptions.ts";
import { type DoneCallbackOptions, Future } from "./futures.ts";

/** A future of `result`, which may be the same for every call. */
export function done_future<T>(result: T): Future<T> {
  if (result === undefined) return DONE as Future<unknown> as Future<T>;
  if (result === true) return DONE_TRUE as Future<unknown> as Future<T>;
  if (result === null) return DONE_NULL as Future<unknown> as Future<T>;
  return make_done(result);
}

/** The same, but a future of its own where it is one that calls share: for what counts futures. */
export function unshared<A>(awaitable: A): A | Future<undefined | null | true> {
  const shared = [DONE, DONE_TRUE, DONE_NULL].find((each) => each as unknown === awaitable);
  return shared === undefined ? awaitable : make_done(shared.result());
}

function make_done<T>(result: T): Future<T> {
  const future = new Future<T>();
  future._finish(result, undefined, false);
  return future;
}

/** A native promise with the methods of a future of the calling code's loop. */
function make_shared<T extends undefined | null | true>(result: T): Future<T> {
  // `await` calls no `then()` of a promise whose constructor is `Promise`.
  const methods: Record<PropertyKey, unknown> = Object.create(Future.prototype, { constructor: { value: Promise } });
  for (const key of Reflect.ownKeys(Future.prototype)) {
    const { value, get } = Object.getOwnPropertyDescriptor(Future.prototype, key)!;
    if (get !== undefined) Object.defineProperty(methods, key, { get: () => get.call(make_done(result)) });
    else if (key !== "constructor") methods[key] = (...args: unknown[]) => value.apply(make_done(result), args);
  }
  for (const key of ["then", "catch", "finally"] as const) methods[key] = Promise.prototype[key];
  const shared = Object.setPrototypeOf(Promise.resolve(result), methods) as Future<T>;
  // Callbacks get what they were added to.
  methods.add_done_callback = (fn: (future: Future<T>) => unknown, options?: DoneCallbackOptions) => {
    check_callable("fn", fn);
    make_done(result).add_done_callback(() => fn(shared), options);
  };
  methods._on_done = (fn: (future: Future<T>) => void) => make_done(result)._on_done(() => fn(shared));
  return shared;
}

const DONE = make_shared(undefined);
const DONE_TRUE = make_shared(true);
const DONE_NULL = make_shared(null);
