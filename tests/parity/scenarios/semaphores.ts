import * as asyncio from "../../../mod.ts";
import { attempt, cancelled_with, kind, outcome_of, type Print, turns } from "../helpers.ts";

export async function it_lets_so_many_through_at_a_time(print: Print) {
  const semaphore = new asyncio.Semaphore(2);
  const work = (name: string) => () =>
    asyncio.async_with(semaphore, async () => {
      print(name, "in", semaphore.locked());
      await asyncio.sleep(0);
      print(name, "out");
    });
  await asyncio.gather(...[..."abcd"].map(work));
  print(semaphore.locked());
}

export async function acquire_gives_nobody_else_a_turn_while_permits_are_left(print: Print) {
  const semaphore = new asyncio.Semaphore();
  asyncio.get_running_loop().call_soon(print, "soon");
  print(await semaphore.acquire(), semaphore.locked());
  semaphore.release();
  semaphore.release();
  print(await semaphore.acquire(), await semaphore.acquire(), semaphore.locked());
  await asyncio.sleep(0);
}

export function a_value_below_zero_is_refused_and_zero_is_locked(print: Print) {
  print(attempt(() => new asyncio.Semaphore(-1)));
  print(new asyncio.Semaphore(0).locked());
}

export async function a_bounded_one_takes_no_more_permits_than_it_gave(print: Print) {
  const semaphore = new asyncio.BoundedSemaphore(1);
  print(attempt(() => semaphore.release()));
  await semaphore.acquire();
  print(semaphore.release(), attempt(() => semaphore.release()));
  print(attempt(() => new asyncio.BoundedSemaphore(-1)));
}

/** A task that says its name once it has a permit. */
function acquire_in(semaphore: asyncio.Semaphore, name: string, print: Print) {
  return asyncio.create_task(async () => {
    await semaphore.acquire();
    print(name);
  });
}

export async function those_in_line_are_served_in_the_order_of_their_coming(print: Print) {
  const semaphore = new asyncio.Semaphore(0);
  const tasks = [..."abc"].map((name) => acquire_in(semaphore, name, print));
  await asyncio.sleep(0);
  semaphore.release();
  semaphore.release();
  await turns(2);
  print(semaphore.locked());
  semaphore.release();
  await asyncio.wait(tasks);
}

export async function who_comes_while_somebody_is_woken_waits_behind(print: Print) {
  const semaphore = new asyncio.Semaphore(0);
  const task = acquire_in(semaphore, "first in line", print);
  await asyncio.sleep(0);
  semaphore.release();
  print(semaphore.locked());
  const later = acquire_in(semaphore, "later", print);
  await turns(3);
  print(task.done(), later.done());
  semaphore.release();
  await later;
}

/** A task that says whether it got a permit or was cancelled. */
function acquire_or_be_cancelled(semaphore: asyncio.Semaphore, name: string, print: Print) {
  return asyncio.create_task(async () => {
    await cancelled_with(semaphore.acquire(), print, name);
    print(name, "has it");
  });
}

export async function one_who_is_cancelled_in_line_leaves_it(print: Print) {
  const semaphore = new asyncio.Semaphore(0);
  const tasks = [..."ab"].map((name) => acquire_or_be_cancelled(semaphore, name, print));
  await asyncio.sleep(0);
  tasks[0].cancel();
  semaphore.release();
  await asyncio.wait(tasks);
  print(semaphore.locked());
}

export async function one_who_is_cancelled_when_its_turn_came_passes_the_permit_on(print: Print) {
  const semaphore = new asyncio.Semaphore(0);
  const tasks = [..."ab"].map((name) => acquire_or_be_cancelled(semaphore, name, print));
  await asyncio.sleep(0);
  semaphore.release();
  tasks[0].cancel();
  await asyncio.wait(tasks);
  print(semaphore.locked());
}

export async function a_permit_given_to_one_who_is_cancelled_alone_is_not_lost(print: Print) {
  const semaphore = new asyncio.Semaphore(0);
  const task = asyncio.create_task(() => semaphore.acquire());
  await asyncio.sleep(0);
  semaphore.release();
  task.cancel();
  print(kind(await outcome_of(task)), semaphore.locked(), await semaphore.acquire());
}

export async function two_permits_for_two_who_are_cancelled_go_to_the_next_two(print: Print) {
  const semaphore = new asyncio.Semaphore(0);
  const tasks = [..."abcd"].map((name) => acquire_or_be_cancelled(semaphore, name, print));
  await asyncio.sleep(0);
  semaphore.release();
  semaphore.release();
  tasks[0].cancel();
  tasks[1].cancel();
  print((await asyncio.wait(tasks, { timeout: 0.05 }))[0].size, semaphore.locked());
}

export async function who_releases_and_asks_again_waits_behind(print: Print) {
  const semaphore = new asyncio.Semaphore(1);
  const work = (name: string) => async () => {
    for (let i = 0; i < 3; i++) {
      await asyncio.async_with(semaphore, async () => {
        print(name);
        await asyncio.sleep(0);
      });
    }
  };
  await asyncio.gather(work("a"), work("b"));
}

export async function a_deadline_in_line_costs_no_permit(print: Print) {
  const semaphore = new asyncio.Semaphore(1);
  await semaphore.acquire();
  print(await outcome_of(asyncio.wait_for(() => semaphore.acquire(), 0.01)));
  semaphore.release();
  print(semaphore.locked(), await asyncio.wait_for(() => semaphore.acquire(), 0.01));
}

export async function permits_set_free_in_the_same_turn_go_by_the_order_of_the_line(print: Print) {
  const semaphore = new asyncio.Semaphore(1);
  const work = (name: string, count: number) => async () => {
    await asyncio.async_with(semaphore, async () => {
      print(name, "in");
      await turns(count);
    });
    print(name, "out");
    await asyncio.async_with(semaphore, () => print(name, "again"));
  };
  await asyncio.gather(work("a", 0), work("b", 2), work("c", 1), work("d", 0));
}

export async function a_cancelled_one_at_the_front_does_not_hold_up_those_behind_it(print: Print) {
  const semaphore = new asyncio.Semaphore(1);
  const work = (name: string) => () =>
    asyncio.async_with(semaphore, async () => {
      await cancelled_with(asyncio.sleep(0.02), print, name);
      print(name);
    });
  const tasks = [..."abcd"].map((name) => asyncio.create_task(work(name)));
  await turns(2);
  tasks[1].cancel();
  tasks[0].cancel();
  print((await asyncio.wait(tasks))[0].size, semaphore.locked());
}

export async function release_then_cancel_then_acquire_in_one_turn_keeps_the_line(print: Print) {
  const semaphore = new asyncio.Semaphore(0);
  const tasks = [..."abc"].map((name) => acquire_or_be_cancelled(semaphore, name, print));
  await asyncio.sleep(0);
  semaphore.release();
  tasks[0].cancel();
  asyncio.get_running_loop().call_later(0.01, () => semaphore.release());
  asyncio.get_running_loop().call_later(0.02, () => semaphore.release());
  await cancelled_with(semaphore.acquire(), print, "main");
  print("main", "has it");
  print((await asyncio.wait(tasks, { timeout: 0.05 }))[0].size, semaphore.locked());
}
