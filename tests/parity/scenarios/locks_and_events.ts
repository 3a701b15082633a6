import * as asyncio from "../../../mod.ts";
import { attempt, cancelled_with, outcome_of, type Print, ticks, turns } from "../helpers.ts";

export async function a_lock_goes_from_hand_to_hand_in_the_order_of_the_requests(print: Print) {
  const lock = new asyncio.Lock();
  const work = (name: string) => () =>
    asyncio.async_with(lock, async () => {
      print(name, "in");
      await asyncio.sleep(0);
      print(name, "out");
    });
  ticks(print, 8);
  await asyncio.gather(...[..."abc"].map(work));
  print(lock.locked());
}

export async function acquire_of_a_free_lock_gives_nobody_else_a_turn(print: Print) {
  const lock = new asyncio.Lock();
  asyncio.get_running_loop().call_soon(print, "soon");
  print(lock.locked(), await lock.acquire(), lock.locked());
  lock.release();
  print(lock.locked());
  await asyncio.sleep(0);
}

export async function a_lock_that_is_free_cannot_be_released(print: Print) {
  const lock = new asyncio.Lock();
  print(attempt(() => lock.release()));
  await lock.acquire();
  lock.release();
  print(attempt(() => lock.release()));
}

export async function a_lock_is_released_however_its_block_ends(print: Print) {
  const lock = new asyncio.Lock();
  const fail = () =>
    asyncio.async_with(lock, () => {
      print(lock.locked());
      throw new RangeError("body");
    });
  print(await outcome_of(fail()), lock.locked());
}

export async function one_who_is_cancelled_in_line_leaves_it(print: Print) {
  const lock = new asyncio.Lock();
  await lock.acquire();
  const work = (name: string) => async () => {
    await cancelled_with(lock.acquire(), print, name);
    print(name, "has it");
    lock.release();
  };
  const tasks = [..."abc"].map((name) => asyncio.create_task(work(name)));
  await asyncio.sleep(0);
  tasks[0].cancel();
  await asyncio.sleep(0);
  lock.release();
  await asyncio.wait(tasks);
  print(lock.locked());
}

export async function one_who_is_cancelled_when_its_turn_came_passes_it_on(print: Print) {
  const lock = new asyncio.Lock();
  await lock.acquire();
  const work = (name: string) => async () => {
    await cancelled_with(lock.acquire(), print, name);
    print(name, "has it");
    lock.release();
  };
  const tasks = [..."ab"].map((name) => asyncio.create_task(work(name)));
  await asyncio.sleep(0);
  lock.release();
  tasks[0].cancel();
  await asyncio.wait(tasks);
  print(lock.locked());
}

export async function a_lock_released_to_one_who_is_cancelled_is_free(print: Print) {
  const lock = new asyncio.Lock();
  await lock.acquire();
  const task = asyncio.create_task(() => lock.acquire());
  await asyncio.sleep(0);
  lock.release();
  task.cancel();
  await outcome_of(task);
  print(task.cancelled(), lock.locked(), await lock.acquire());
}

export async function who_comes_while_somebody_is_woken_waits_behind(print: Print) {
  const lock = new asyncio.Lock();
  await lock.acquire();
  const work = (name: string) => asyncio.async_with(lock, () => print(name));
  const task = asyncio.create_task(() => work("first in line"));
  await asyncio.sleep(0);
  lock.release();
  print(lock.locked());
  await work("later");
  await task;
}

export async function who_releases_and_asks_again_waits_behind(print: Print) {
  const lock = new asyncio.Lock();
  const work = (name: string) => async () => {
    for (let i = 0; i < 2; i++) await asyncio.async_with(lock, () => print(name));
  };
  await asyncio.gather(work("a"), work("b"));
}

export async function an_event_that_is_set_lets_everybody_through_at_once(print: Print) {
  const event = new asyncio.Event();
  print(event.is_set());
  event.set();
  asyncio.get_running_loop().call_soon(print, "soon");
  print(event.is_set(), await event.wait());
  await asyncio.sleep(0);
}

export async function set_wakes_all_who_wait_in_their_order(print: Print) {
  const event = new asyncio.Event();
  const wait = (name: string) => async () => print(name, await event.wait());
  const tasks = [..."abc"].map((name) => asyncio.create_task(wait(name)));
  await asyncio.sleep(0);
  ticks(print, 3);
  event.set();
  await asyncio.wait(tasks);
  await asyncio.sleep(0);
}

export async function an_event_cleared_at_once_still_wakes_those_who_waited(print: Print) {
  const event = new asyncio.Event();
  const wait = (name: string) => async () => print(name, await event.wait(), event.is_set());
  const task = asyncio.create_task(wait("before"));
  await asyncio.sleep(0);
  event.set();
  event.clear();
  const later = asyncio.create_task(wait("after"));
  await turns(3);
  print(task.done(), later.done());
  event.set();
  await later;
}

export async function one_who_is_cancelled_does_not_keep_the_others_from_being_woken(print: Print) {
  const event = new asyncio.Event();
  const wait = (name: string) => async () => {
    await cancelled_with(event.wait(), print, name);
    print(name, "woken");
  };
  const tasks = [..."ab"].map((name) => asyncio.create_task(wait(name)));
  await asyncio.sleep(0);
  tasks[0].cancel();
  event.set();
  await asyncio.wait(tasks);
}

export async function one_who_is_cancelled_after_the_event_was_set_is_cancelled(print: Print) {
  const event = new asyncio.Event();
  const task = asyncio.create_task(() => event.wait());
  await asyncio.sleep(0);
  event.set();
  task.cancel("late");
  print(await outcome_of(task));
}

export async function cancellations_and_releases_in_every_order_leave_the_lock_usable(print: Print) {
  for (const order of ["rc", "cr", "r.c", "c.r"]) {
    const lock = new asyncio.Lock();
    await lock.acquire();
    const work = (name: string) => () => asyncio.async_with(lock, () => print(name));
    const tasks = [..."abc"].map((name) => asyncio.create_task(work(name)));
    await asyncio.sleep(0);
    for (const step of order) {
      if (step === "r") lock.release();
      else if (step === "c") tasks[0].cancel();
      else await asyncio.sleep(0);
    }
    await asyncio.wait(tasks);
    print(order, tasks[0].cancelled(), lock.locked());
  }
}
