// Two coroutines side by side: together they take as long as the longer one.
//
//   deno run examples/article/gather.ts

import * as asyncio from "../../mod.ts";

async function my_coroutine1() {
  console.log("Hello from coroutine 1!");
  await asyncio.sleep(1);
  console.log("Goodbye from coroutine 1!");
}

async function my_coroutine2() {
  console.log("Hello from coroutine 2!");
  await asyncio.sleep(2);
  console.log("Goodbye from coroutine 2!");
}

const loop = asyncio.get_event_loop();
await loop.run_until_complete(asyncio.gather(my_coroutine1, my_coroutine2));
loop.close();
