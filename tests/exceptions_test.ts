import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import * as asyncio from "../mod.ts";

const type_error = new TypeError("type");
const range_error = new RangeError("range");
const inner = new asyncio.ExceptionGroup("inner", [type_error, range_error]);
const group = new asyncio.ExceptionGroup("outer", [inner, new TypeError("second")]);

/** The group as nested lists of messages. */
function shape(error: unknown): unknown {
  return error instanceof asyncio.ExceptionGroup ? error.exceptions.map(shape) : (error as Error | null)?.message;
}

Deno.test("an ExceptionGroup is an AggregateError with asyncio's text, and not empty", () => {
  assertInstanceOf(group, AggregateError);
  assertEquals([group.name, group.message], ["ExceptionGroup", "outer (2 sub-exceptions)"]);
  assertEquals(new asyncio.ExceptionGroup("one", [type_error]).message, "one (1 sub-exception)");
  assertStrictEquals(group.exceptions, group.errors);
  assertThrows(() => new asyncio.ExceptionGroup("none", []), RangeError, '"exceptions" is empty');
});

Deno.test("split() parts a group by class or by function, and keeps the nesting", () => {
  const [match, rest] = group.split(TypeError);
  assertEquals([shape(match), shape(rest)], [[["type"], "second"], [["range"]]]);
  assertEquals(match!.message, "outer (2 sub-exceptions)");
  assertEquals(rest!.message, "outer (1 sub-exception)");
  const [none, all] = group.split((error) => error === 1);
  assertEquals([none, shape(all)], [null, shape(group)]);
  assertEquals(group.split(asyncio.ExceptionGroup), [group, null]);
});

Deno.test("subgroup() keeps what matches, or gives null", () => {
  assertEquals(shape(group.subgroup((error) => error === range_error)), [["range"]]);
  assertEquals(group.subgroup(SyntaxError), null);
  assertStrictEquals(group.subgroup(Error), group);
});

Deno.test("derive() of a subclass decides what split() makes, and stack and cause are kept", () => {
  class Special extends asyncio.ExceptionGroup {
    override derive(exceptions: readonly unknown[]) {
      return new Special("special", exceptions);
    }
  }
  const special = new Special("special", [type_error, range_error]);
  special.cause = "cause";
  const [match, rest] = special.split(RangeError);
  for (const part of [match!, rest!]) {
    assertInstanceOf(part, Special);
    assertEquals([part.cause, part.stack], ["cause", special.stack]);
  }
});

Deno.test("each error carries its name, its message and its data", () => {
  const partial = new Uint8Array([1, 2, 3]);
  const incomplete = new asyncio.IncompleteReadError(partial, 5);
  assertEquals(incomplete.message, "3 bytes read on a total of 5 expected bytes");
  assertEquals([incomplete.partial, incomplete.expected], [partial, 5]);
  assertEquals(
    new asyncio.IncompleteReadError(partial, null).message,
    "3 bytes read on a total of undefined expected bytes",
  );
  const overrun = new asyncio.LimitOverrunError("too long", 7);
  assertEquals([overrun.message, overrun.consumed], ["too long", 7]);
  const classes = { ...asyncio } as Record<string, unknown>;
  for (
    const name of ["CancelledError", "InvalidStateError", "TimeoutError", "RuntimeError", "KeyboardInterrupt"] as const
  ) {
    const error = new asyncio[name]("text", { cause: 1 });
    assert(error instanceof Error && error instanceof (classes[name] as ErrorConstructor));
    assertEquals([error.name, error.message, error.cause], [name, "text", 1]);
  }
});
