// Values that travel with code: in the engine's own context, and where that is not as expected, in AsyncLocalStorage.

import { assertEquals, assertThrows } from "@std/assert";
import { AsyncLocalStorage } from "node:async_hooks";
import { find_contexts } from "../lib/_deno_context.ts";
import * as asyncio from "../mod.ts";
import { text } from "./_streams.ts";

// deno-lint-ignore no-explicit-any
const CORE = (Deno as any)[(Deno as any).internal].core;

const KINDS = [
  ["the engine's context", find_contexts()],
  ["AsyncLocalStorage", find_contexts(null)],
] as const;

Deno.test("this version of Deno has what the fast way needs, and without it there is the other", () => {
  assertEquals(KINDS.map(([, contexts]) => contexts.constructor.name), ["EngineContexts", "StorageContexts"]);
});

for (const [name, contexts] of KINDS) {
  Deno.test(`${name}: a value is there behind every kind of wait, and nowhere else`, async () => {
    const variable = contexts.variable<string>();
    const seen: unknown[] = [];
    const look = () => void seen.push(variable.get());
    const waits: (() => Promise<void>)[] = [
      () => Promise.resolve(),
      () => new Promise((resolve) => queueMicrotask(resolve)),
      () => new Promise((resolve) => setTimeout(resolve)),
      () => new Promise((resolve) => setImmediate(resolve)),
      () => Deno.stat(".").then(() => {}),
    ];
    for (const wait of waits) {
      const inside = variable.run("inside", async () => {
        await wait();
        look();
        await variable.run("nested", async () => {
          await wait();
          look();
        });
        look();
      });
      look();
      await inside;
      look();
    }
    assertEquals(seen, waits.flatMap(() => [undefined, "inside", "nested", "inside", undefined]));
  });

  Deno.test(`${name}: callbacks have the value of the code that gave them`, async () => {
    const variable = contexts.variable<number>();
    const seen: unknown[] = [];
    await new Promise<void>((resolve) => {
      variable.run(1, () => {
        setTimeout(() => {
          seen.push(variable.get());
          resolve();
        });
      });
    });
    assertEquals(seen, [1]);
  });

  Deno.test(`${name}: what throws leaves the caller's value as it was`, () => {
    const variable = contexts.variable<number>();
    variable.run(1, () => {
      assertThrows(() =>
        variable.run(2, () => {
          throw new Error("inside");
        })
      );
      assertEquals(variable.get(), 1);
    });
    assertEquals(variable.get(), undefined);
  });

  Deno.test(`${name}: variables and the program's own storages leave each other alone`, async () => {
    const [one, other, storage] = [
      contexts.variable<number>(),
      contexts.variable<number>(),
      new AsyncLocalStorage<string>(),
    ];
    const all = () => [one.get(), other.get(), storage.getStore()];
    await one.run(1, () =>
      storage.run("a", () =>
        other.run(2, async () => {
          assertEquals(all(), [1, 2, "a"]);
          await null;
          assertEquals(all(), [1, 2, "a"]);
          storage.exit(() => assertEquals(all(), [1, 2, undefined]));
          await storage.run("b", async () => {
            await null;
            assertEquals(all(), [1, 2, "b"]);
          });
          one.run(3, () => assertEquals(all(), [3, 2, "a"]));
          assertEquals(all(), [1, 2, "a"]);
        })));
    assertEquals(all(), [undefined, undefined, undefined]);
  });

  Deno.test(`${name}: what was captured brings the whole context back, and only for the call`, () => {
    const [variable, storage] = [contexts.variable<number>(), new AsyncLocalStorage<string>()];
    const all = () => [variable.get(), storage.getStore()];
    const inside = variable.run(1, () => storage.run("a", () => contexts.capture()));
    variable.run(2, () => {
      assertEquals(contexts.run_in(inside, all), [1, "a"]);
      assertEquals(all(), [2, undefined]);
      assertThrows(() =>
        contexts.run_in(inside, () => {
          throw new Error("inside");
        })
      );
      assertEquals(all(), [2, undefined]);
    });
  });
}

Deno.test("contexts that are not as expected are left alone", () => {
  const { getAsyncContext, setAsyncContext, AsyncVariable } = CORE;
  class Dropping extends AsyncVariable {
    enter(value: unknown) {
      setAsyncContext(undefined);
      return super.enter(value);
    }
  }
  class InMaps {
    enter(value: unknown) {
      setAsyncContext(new Map([[this, value]]));
    }
    get() {
      return getAsyncContext()?.get(this);
    }
  }
  const broken = [
    {},
    { getAsyncContext, setAsyncContext, AsyncVariable: Dropping },
    { getAsyncContext, setAsyncContext, AsyncVariable: InMaps },
    { getAsyncContext, setAsyncContext: () => {}, AsyncVariable },
    { getAsyncContext: () => undefined, setAsyncContext, AsyncVariable },
  ];
  const before = getAsyncContext();
  for (const core of broken) {
    assertEquals(find_contexts(core).constructor.name, "StorageContexts");
    setAsyncContext(before);
  }
});

Deno.test("a program's own storage goes with the code into tasks, callbacks and groups, and a task's into it", async () => {
  const storage = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  await asyncio.run(async () => {
    await storage.run("outer", async () => {
      const task = asyncio.create_task(async () => {
        seen.push(storage.getStore());
        await asyncio.sleep(0);
        seen.push(storage.getStore());
        await storage.run("inner", async () => {
          await asyncio.sleep(0);
          seen.push(storage.getStore(), asyncio.current_task() === task);
        });
      });
      await task;
      asyncio.get_running_loop().call_soon(() => seen.push(storage.getStore()));
      await asyncio.sleep(0);
    });
    seen.push(storage.getStore());
  });
  assertEquals(seen, ["outer", "outer", "inner", true, "outer", undefined]);
});

const PROGRAM = `
const { getBuiltinModule } = process;
process.getBuiltinModule = (name) => {
  console.log("loads", name);
  return getBuiltinModule(name);
};
const asyncio = await import(${JSON.stringify(new URL("../mod.ts", import.meta.url).href)});
await asyncio.run(async () => {
  const seen = [];
  try {
    await asyncio.async_with(asyncio.timeout(0.01), () => asyncio.sleep(10));
  } catch (error) {
    seen.push(error.name);
  }
  await asyncio.async_with(new asyncio.TaskGroup(), async (group) => {
    for (const name of ["a", "b"]) {
      group.create_task(async () => {
        await new Promise((resolve) => setTimeout(resolve));
        seen.push(asyncio.current_task().get_name());
      }, { name });
    }
  });
  console.log(seen.join(" "));
});
`;

Deno.test("without Deno's own functions the library works all the same", async () => {
  const hide = "Object.defineProperty(Deno, Deno.internal, { value: undefined });";
  const printed = await Promise.all(["", hide].map(async (before) => {
    const command = new Deno.Command(Deno.execPath(), { args: ["eval", before + PROGRAM], stderr: "piped" });
    const { stdout, stderr } = await command.output();
    return [text(stdout), text(stderr)];
  }));
  assertEquals(printed, [["TimeoutError a b\n", ""], ["loads node:async_hooks\nTimeoutError a b\n", ""]]);
});
