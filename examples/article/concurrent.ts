// Two coroutines that sleep at the same time.
//
//   deno run examples/article/concurrent.ts

import * as asyncio from "../../mod.ts";

async function coroutine_1() {
  console.log("Coroutine 1");
  await asyncio.sleep(1);
  console.log("Coroutine 1 done");
}

async function coroutine_2() {
  console.log("Coroutine 2");
  await asyncio.sleep(1);
  console.log("Coroutine 2 done");
}

const loop = asyncio.get_event_loop();
await loop.run_until_complete(asyncio.gather(coroutine_1, coroutine_2));
