import * as asyncio from "../../../mod.ts";
import { attempt, cancelled_with, kind, outcome_of, type Print, ticks, turns } from "../helpers.ts";

export async function items_come_out_first_in_first_out(print: Print) {
  const queue = new asyncio.Queue<number>();
  for (const item of [3, 1, 2]) queue.put_nowait(item);
  print(queue.qsize(), queue.empty(), queue.full(), queue.maxsize);
  print([await queue.get(), await queue.get(), await queue.get()], queue.empty());
}

export async function last_in_first_out(print: Print) {
  const queue = new asyncio.LifoQueue<number>();
  for (const item of [3, 1, 2]) await queue.put(item);
  print([queue.get_nowait(), queue.get_nowait(), queue.get_nowait()]);
}

export async function smallest_first(print: Print) {
  const queue = new asyncio.PriorityQueue<[number, string]>();
  for (const item of [[2, "b"], [1, "z"], [1, "a"], [3, "c"]] as [number, string][]) await queue.put(item);
  print([await queue.get(), await queue.get(), await queue.get(), await queue.get()]);
}

export function the_nowait_calls_raise_where_the_others_would_wait(print: Print) {
  const queue = new asyncio.Queue<string>(1);
  print(attempt(() => queue.get_nowait()));
  queue.put_nowait("a");
  print(queue.full(), attempt(() => queue.put_nowait("b")));
  print(queue.get_nowait(), queue.full());
}

export async function put_and_get_give_nobody_else_a_turn_if_they_need_not_wait(print: Print) {
  const queue = new asyncio.Queue<string>();
  asyncio.get_running_loop().call_soon(print, "soon");
  print(await queue.put("a"), await queue.get());
  await asyncio.sleep(0);
}

export async function a_full_queue_holds_its_putters_back_in_their_order(print: Print) {
  const queue = new asyncio.Queue<string>(1);
  const put = (item: string) => async () => {
    await queue.put(item);
    print("put", item);
  };
  const tasks = [..."abc"].map((item) => asyncio.create_task(put(item)));
  await turns(2);
  ticks(print, 8);
  for (let i = 0; i < 3; i++) {
    print("got", await queue.get());
    await asyncio.sleep(0);
  }
  await asyncio.wait(tasks);
  await turns(4);
}

export async function getters_are_served_in_their_order(print: Print) {
  const queue = new asyncio.Queue<number>();
  const get = (name: string) => async () => print(name, await queue.get());
  const tasks = [..."abc"].map((name) => asyncio.create_task(get(name)));
  await asyncio.sleep(0);
  for (let item = 0; item < 3; item++) queue.put_nowait(item);
  print(queue.qsize());
  await asyncio.wait(tasks);
}

export async function an_item_for_one_who_was_woken_can_be_taken_by_another(print: Print) {
  const queue = new asyncio.Queue<number>();
  const task = asyncio.create_task(async () => print("waited for", await queue.get()));
  await asyncio.sleep(0);
  queue.put_nowait(1);
  print("taken", queue.get_nowait());
  await turns(2);
  print(task.done());
  queue.put_nowait(2);
  await task;
}

export async function one_who_is_cancelled_when_its_item_came_loses_nothing(print: Print) {
  const queue = new asyncio.Queue<string>();
  const get = (name: string) => async () => print(name, await cancelled_with(queue.get(), print, name));
  const tasks = [..."ab"].map((name) => asyncio.create_task(get(name)));
  await asyncio.sleep(0);
  queue.put_nowait("item");
  tasks[0].cancel();
  await asyncio.wait(tasks);
  print(queue.qsize());
}

export async function an_item_whose_only_getter_is_cancelled_stays(print: Print) {
  const queue = new asyncio.Queue<string>();
  const task = asyncio.create_task(() => queue.get());
  await asyncio.sleep(0);
  queue.put_nowait("item");
  task.cancel();
  print(kind(await outcome_of(task)), queue.qsize(), await queue.get());
}

export async function one_who_is_cancelled_in_line_to_put_puts_nothing(print: Print) {
  const queue = new asyncio.Queue<string>(1);
  queue.put_nowait("first");
  const tasks = ["cancelled", "second"].map((item) => asyncio.create_task(() => queue.put(item)));
  await asyncio.sleep(0);
  tasks[0].cancel();
  print(await queue.get(), await queue.get());
  print(kind(await outcome_of(tasks[0])), queue.empty());
}

export async function one_who_is_cancelled_when_a_place_came_free_passes_it_on(print: Print) {
  const queue = new asyncio.Queue<string>(1);
  queue.put_nowait("first");
  const put = (item: string) => async () => {
    await cancelled_with(queue.put(item), print, item);
    print("put", item);
  };
  const tasks = [..."ab"].map((item) => asyncio.create_task(put(item)));
  await asyncio.sleep(0);
  print(queue.get_nowait());
  tasks[0].cancel();
  await asyncio.wait(tasks);
  print(queue.get_nowait(), queue.empty());
}

export async function a_deadline_of_get_loses_nothing(print: Print) {
  const queue = new asyncio.Queue<string>();
  print(await outcome_of(asyncio.wait_for(() => queue.get(), 0.01)));
  queue.put_nowait("item");
  print(await asyncio.wait_for(() => queue.get(), 0.01));
}

export async function join_waits_until_every_item_is_done(print: Print) {
  const queue = new asyncio.Queue<string>();
  for (const item of "abc") queue.put_nowait(item);
  const worker = asyncio.create_task(async () => {
    for (;;) {
      const item = await queue.get();
      await asyncio.sleep(0);
      print("done", item);
      queue.task_done();
    }
  });
  await queue.join();
  print("joined", queue.empty());
  worker.cancel();
  print(kind(await outcome_of(worker)));
}

export async function join_of_a_queue_that_had_nothing_is_over_at_once(print: Print) {
  const queue = new asyncio.Queue<void>();
  asyncio.get_running_loop().call_soon(print, "soon");
  await queue.join();
  print("joined");
  await asyncio.sleep(0);
}

export function task_done_can_be_called_once_an_item(print: Print) {
  const queue = new asyncio.Queue<string>();
  print(attempt(() => queue.task_done()));
  queue.put_nowait("item");
  queue.task_done();
  print(attempt(() => queue.task_done()), queue.qsize());
}

export async function several_can_join(print: Print) {
  const queue = new asyncio.Queue<string>();
  queue.put_nowait("item");
  const join = (name: string) => async () => {
    await queue.join();
    print(name);
  };
  const tasks = [..."ab"].map((name) => asyncio.create_task(join(name)));
  await turns(2);
  queue.get_nowait();
  queue.task_done();
  await asyncio.wait(tasks);
}

export async function a_queue_that_is_shut_down_gives_what_it_has_and_takes_nothing(print: Print) {
  const queue = new asyncio.Queue<string>();
  queue.put_nowait("a");
  queue.put_nowait("b");
  queue.shutdown();
  print(await outcome_of(queue.put("c")), attempt(() => queue.put_nowait("c")));
  print(await queue.get(), queue.get_nowait());
  print(await outcome_of(queue.get()), attempt(() => queue.get_nowait()));
  queue.task_done();
  queue.task_done();
  await queue.join();
  print("joined");
}

export async function shutdown_wakes_getters_and_putters(print: Print) {
  const [empty, full] = [new asyncio.Queue<string>(), new asyncio.Queue<string>(1)];
  full.put_nowait("first");
  const tasks = [asyncio.create_task(() => empty.get()), asyncio.create_task(() => full.put("second"))];
  await asyncio.sleep(0);
  empty.shutdown();
  full.shutdown();
  print((await Promise.all(tasks.map(outcome_of))).map(kind), full.get_nowait());
}

export async function at_once_it_drops_what_it_has(print: Print) {
  const queue = new asyncio.Queue<string>(2);
  queue.put_nowait("a");
  queue.put_nowait("b");
  const putter = asyncio.create_task(() => queue.put("c"));
  const joiner = asyncio.create_task(() => queue.join());
  await asyncio.sleep(0);
  queue.shutdown({ immediate: true });
  print(queue.qsize(), kind(await outcome_of(putter)), kind(await outcome_of(queue.get())));
  await joiner;
  print("joined", kind(attempt(() => queue.task_done())));
}

export async function join_after_a_shutdown_at_once_waits_for_what_was_taken_before(print: Print) {
  const queue = new asyncio.Queue<string>();
  queue.put_nowait("a");
  queue.put_nowait("b");
  print(await queue.get());
  queue.shutdown({ immediate: true });
  const joiner = asyncio.create_task(() => queue.join());
  await turns(3);
  print(joiner.done());
  queue.task_done();
  await joiner;
  print("joined");
}

export function a_second_shutdown_at_once_drops_what_the_first_one_left(print: Print) {
  const queue = new asyncio.Queue<string>();
  queue.put_nowait("a");
  queue.shutdown();
  print(queue.qsize());
  queue.shutdown({ immediate: true });
  print(queue.qsize(), kind(attempt(() => queue.get_nowait())));
}

export async function a_producer_and_a_consumer_alternate_over_a_queue_of_one(print: Print) {
  const queue = new asyncio.Queue<number | null>(1);
  async function produce() {
    for (let item = 0; item < 4; item++) {
      await queue.put(item);
      print("put", item);
    }
    await queue.put(null);
  }
  async function consume() {
    for (let item = await queue.get(); item !== null; item = await queue.get()) print("got", item);
  }
  await asyncio.gather(produce, consume);
}

export function a_maxsize_of_zero_or_less_is_no_bound(print: Print) {
  const queue = new asyncio.Queue<number>(-1);
  for (let item = 0; item < 10; item++) queue.put_nowait(item);
  print(queue.full(), queue.qsize(), queue.maxsize);
}

export async function a_priority_queue_that_is_full_lets_the_putter_in_before_the_next_get(print: Print) {
  const queue = new asyncio.PriorityQueue<number>(2);
  queue.put_nowait(3);
  queue.put_nowait(2);
  const task = asyncio.create_task(() => queue.put(1));
  await asyncio.sleep(0);
  print(await queue.get());
  await task;
  print(await queue.get(), await queue.get());
}
