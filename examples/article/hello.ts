// A coroutine that prints, waits for a second and prints again.
//
//   deno run examples/article/hello.ts

import * as asyncio from "../../mod.ts";

async function my_coroutine() {
  console.log("Hello, world!");
  await asyncio.sleep(1);
  console.log("Goodbye, world!");
}

const loop = asyncio.get_event_loop();
await loop.run_until_complete(my_coroutine);
loop.close();
