import * as asyncio from "../../../mod.ts";
import { attempt, cancelled_with, outcome_of, type Print, turns } from "../helpers.ts";

const notify = (condition: asyncio.Condition, count = 1) =>
  asyncio.async_with(condition, () => condition.notify(count));

export async function wait_gives_the_lock_away_and_has_it_again_afterwards(print: Print) {
  const condition = new asyncio.Condition();
  const task = asyncio.create_task(() =>
    asyncio.async_with(condition, async () => {
      print("waits", condition.locked());
      print("woken", await condition.wait(), condition.locked());
    })
  );
  await asyncio.sleep(0);
  print(condition.locked());
  await notify(condition);
  await task;
  print(condition.locked());
}

/** A task that says its name once it was notified. */
function wait_in(condition: asyncio.Condition, name: string, print: Print) {
  return asyncio.create_task(() =>
    asyncio.async_with(condition, async () => {
      await condition.wait();
      print(name);
    })
  );
}

export async function notify_wakes_so_many_in_the_order_of_their_coming(print: Print) {
  const condition = new asyncio.Condition();
  const tasks = [..."abcd"].map((name) => wait_in(condition, name, print));
  await asyncio.sleep(0);
  await notify(condition);
  await turns(4);
  print("one");
  await notify(condition, 2);
  await turns(6);
  print("two");
  await asyncio.async_with(condition, () => condition.notify_all());
  await asyncio.wait(tasks);
}

export async function those_who_are_notified_wait_for_the_lock(print: Print) {
  const condition = new asyncio.Condition();
  const tasks = [..."ab"].map((name) => wait_in(condition, name, print));
  await asyncio.sleep(0);
  await asyncio.async_with(condition, async () => {
    condition.notify_all();
    await turns(3);
    print("still mine");
  });
  await asyncio.wait(tasks);
}

export async function wait_and_notify_need_the_lock(print: Print) {
  const condition = new asyncio.Condition();
  print(await outcome_of(condition.wait()));
  print(attempt(() => condition.notify()));
  print(attempt(() => condition.notify_all()));
  print(attempt(() => condition.release()));
  print(await outcome_of(condition.wait_for(() => false)));
  print(await outcome_of(condition.wait_for(() => "true at once")));
}

export async function wait_for_looks_again_whenever_it_is_notified(print: Print) {
  const condition = new asyncio.Condition();
  let stock = 0;
  const enough = () => {
    print("looks", stock);
    return stock >= 2 && "enough";
  };
  const task = asyncio.create_task(() => asyncio.async_with(condition, () => condition.wait_for(enough)));
  await asyncio.sleep(0);
  for (let i = 0; i < 2; i++) {
    stock += 1;
    await notify(condition);
    await turns(3);
  }
  print(await task);
}

export async function a_predicate_that_raises_ends_wait_for(print: Print) {
  const condition = new asyncio.Condition();
  const fail = () => {
    throw new RangeError("predicate");
  };
  await asyncio.async_with(condition, async () => {
    print(await outcome_of(condition.wait_for(fail)), condition.locked());
  });
}

export async function one_who_is_cancelled_has_the_lock_again_before_it_hears_of_it(print: Print) {
  const condition = new asyncio.Condition();
  const task = asyncio.create_task(() =>
    asyncio.async_with(condition, async () => {
      try {
        await condition.wait();
      } finally {
        print("locked", condition.locked());
      }
    })
  );
  await asyncio.sleep(0);
  await asyncio.async_with(condition, async () => {
    task.cancel("while waiting");
    await turns(3);
    print(task.done());
  });
  print(await outcome_of(task));
}

export async function one_who_is_cancelled_while_it_waits_for_the_lock_again_gets_the_last_error(print: Print) {
  const condition = new asyncio.Condition();
  const task = asyncio.create_task(() => asyncio.async_with(condition, async () => void await condition.wait()));
  await asyncio.sleep(0);
  await asyncio.async_with(condition, async () => {
    task.cancel("first");
    await turns(2);
    task.cancel("second");
    await turns(2);
  });
  print(await outcome_of(task));
  print(task.cancelling(), condition.locked());
}

/** A task that says whether it was notified or cancelled. */
function wait_or_be_cancelled(condition: asyncio.Condition, name: string, print: Print) {
  return asyncio.create_task(() =>
    asyncio.async_with(condition, async () => {
      await cancelled_with(condition.wait(), print, name);
      print(name, "woken");
    })
  );
}

export async function one_who_is_cancelled_after_it_was_notified_passes_the_notification_on(print: Print) {
  const condition = new asyncio.Condition();
  const tasks = [..."ab"].map((name) => wait_or_be_cancelled(condition, name, print));
  await asyncio.sleep(0);
  await notify(condition);
  tasks[0].cancel();
  print((await asyncio.wait(tasks, { timeout: 0.05 }))[0].size);
}

export async function one_who_is_cancelled_while_notified_and_waiting_for_the_lock(print: Print) {
  const condition = new asyncio.Condition();
  const tasks = [..."ab"].map((name) => wait_or_be_cancelled(condition, name, print));
  await asyncio.sleep(0);
  await asyncio.async_with(condition, async () => {
    condition.notify();
    await turns(2);
    tasks[0].cancel();
    await turns(2);
  });
  print((await asyncio.wait(tasks, { timeout: 0.05 }))[0].size);
}

export async function notify_passes_over_one_who_was_cancelled_before(print: Print) {
  const condition = new asyncio.Condition();
  const tasks = [..."ab"].map((name) => wait_or_be_cancelled(condition, name, print));
  await asyncio.sleep(0);
  tasks[0].cancel();
  await notify(condition);
  print((await asyncio.wait(tasks, { timeout: 0.05 }))[0].size);
}

export async function several_conditions_can_share_a_lock(print: Print) {
  const lock = new asyncio.Lock();
  const [a, b] = [new asyncio.Condition(lock), new asyncio.Condition(lock)];
  await asyncio.async_with(a, () => {
    print(b.locked(), lock.locked());
    b.notify_all();
  });
  print(a.locked(), await b.acquire(), a.locked());
  a.release();
}

export async function a_wait_can_have_a_deadline(print: Print) {
  const condition = new asyncio.Condition();
  await asyncio.async_with(condition, async () => {
    print(await outcome_of(asyncio.wait_for(() => condition.wait(), 0.01)), condition.locked());
  });
  print(condition.locked());
}
