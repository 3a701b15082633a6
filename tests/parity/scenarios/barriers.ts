import * as asyncio from "../../../mod.ts";
import { attempt, kind, outcome_of, type Print, turns } from "../helpers.ts";

export async function all_go_on_when_the_last_has_come(print: Print) {
  const barrier = new asyncio.Barrier(3);
  const work = (name: string) => async () => {
    print(name, "comes", barrier.n_waiting);
    const index = await barrier.wait();
    print(name, "goes on", index);
  };
  print(barrier.parties, barrier.n_waiting, barrier.broken);
  await asyncio.gather(...[..."abc"].map(work));
  print(barrier.n_waiting, barrier.broken);
}

export async function it_takes_at_least_one(print: Print) {
  print(attempt(() => new asyncio.Barrier(0)), attempt(() => new asyncio.Barrier(-1)));
  const barrier = new asyncio.Barrier(1);
  print(await barrier.wait(), await barrier.wait());
}

export async function as_a_block_it_gives_the_number_of_each(print: Print) {
  const barrier = new asyncio.Barrier(2);
  const work = (name: string) => () => asyncio.async_with(barrier, (index) => print(name, index));
  await asyncio.gather(work("a"), work("b"));
}

export async function it_can_be_used_round_after_round(print: Print) {
  const barrier = new asyncio.Barrier(2);
  const indices: number[] = [];
  const work = async () => {
    for (let i = 0; i < 3; i++) indices.push(await barrier.wait());
  };
  await asyncio.gather(work, () => work());
  print(indices.sort(), barrier.n_waiting);
}

export async function those_who_come_while_it_empties_wait_for_the_next_round(print: Print) {
  const barrier = new asyncio.Barrier(2);
  const work = async (name: string) => {
    await barrier.wait();
    print(name);
  };
  const first = [..."ab"].map((name) => asyncio.create_task(() => work(name)));
  await asyncio.sleep(0);
  const third = asyncio.create_task(() => work("c"));
  await asyncio.wait(first);
  await turns(4);
  print(third.done(), barrier.n_waiting);
  await work("d");
  await third;
}

export async function one_who_is_cancelled_leaves_and_breaks_nothing(print: Print) {
  const barrier = new asyncio.Barrier(2);
  const task = asyncio.create_task(() => barrier.wait());
  await asyncio.sleep(0);
  print(barrier.n_waiting);
  task.cancel();
  print(kind(await outcome_of(task)), barrier.n_waiting, barrier.broken);
  print((await asyncio.gather(barrier.wait(), barrier.wait())).sort());
}

export async function reset_ends_the_waits_and_leaves_it_usable(print: Print) {
  const barrier = new asyncio.Barrier(3);
  const tasks = [0, 1].map(() => asyncio.create_task(() => barrier.wait()));
  await asyncio.sleep(0);
  await barrier.reset();
  print((await Promise.all(tasks.map(outcome_of))).map(kind));
  print(barrier.broken, barrier.n_waiting);
  print((await asyncio.gather(...[0, 1, 2].map(() => barrier.wait()))).sort());
}

export async function reset_with_nobody_there_changes_nothing(print: Print) {
  const barrier = new asyncio.Barrier(1);
  await barrier.reset();
  print(barrier.broken, barrier.n_waiting, await barrier.wait());
}

export async function one_who_comes_back_after_a_reset_is_counted_anew(print: Print) {
  const barrier = new asyncio.Barrier(2);
  const task = asyncio.create_task(async () => {
    print(await outcome_of(barrier.wait()));
    return await barrier.wait();
  });
  await asyncio.sleep(0);
  await barrier.reset();
  await turns(4);
  print(barrier.n_waiting);
  print([await barrier.wait(), await task].sort());
}

export async function abort_breaks_it_for_good(print: Print) {
  const barrier = new asyncio.Barrier(2);
  const task = asyncio.create_task(() => barrier.wait());
  await asyncio.sleep(0);
  await barrier.abort();
  print(await outcome_of(task));
  print(await outcome_of(barrier.wait()));
  print(barrier.broken, barrier.n_waiting);
}

export async function a_reset_mends_what_was_aborted(print: Print) {
  const barrier = new asyncio.Barrier(1);
  await barrier.abort();
  print(barrier.broken);
  await barrier.reset();
  print(barrier.broken, await barrier.wait());
}

export async function a_deadline_of_one_lets_the_others_wait_on(print: Print) {
  const barrier = new asyncio.Barrier(2);
  const task = asyncio.create_task(() => barrier.wait());
  await asyncio.sleep(0);
  print(await outcome_of(asyncio.wait_for(() => new asyncio.Barrier(2).wait(), 0.01)));
  print(task.done(), barrier.n_waiting);
  print([await barrier.wait(), await task].sort());
}

export async function a_reset_while_it_empties_ends_nobodys_round(print: Print) {
  const barrier = new asyncio.Barrier(3);
  const results: string[] = [];
  const work = (resets: boolean) => async () => {
    try {
      await barrier.wait();
      if (resets) await barrier.reset();
      results.push("through");
    } catch {
      results.push("broken");
    }
  };
  await asyncio.gather(work(false), work(false), work(true));
  print(results.sort(), barrier.broken, barrier.n_waiting);
  print((await asyncio.gather(...[0, 1, 2].map(() => barrier.wait()))).sort());
}

export async function an_abort_while_others_wait_for_the_next_round_reaches_them(print: Print) {
  const barrier = new asyncio.Barrier(2);
  const work = (name: string) => async () => print(name, kind(await outcome_of(barrier.wait())));
  const first = [..."ab"].map((name) => asyncio.create_task(work(name)));
  await asyncio.sleep(0);
  const third = asyncio.create_task(work("c"));
  await turns(6);
  await barrier.abort();
  await asyncio.wait([...first, third]);
  print(barrier.broken);
}

export async function one_who_is_cancelled_as_the_last_one_comes(print: Print) {
  const barrier = new asyncio.Barrier(2);
  const work = (name: string) => async () => print(name, kind(await outcome_of(barrier.wait())));
  const a = asyncio.create_task(work("a"));
  await asyncio.sleep(0);
  const b = asyncio.create_task(work("b"));
  a.cancel();
  await asyncio.wait([a, b], { timeout: 0.02 });
  print(a.done(), b.done(), barrier.n_waiting);
  b.cancel();
  await asyncio.wait([b]);
}

export async function one_who_is_cancelled_after_the_last_one_came(print: Print) {
  const barrier = new asyncio.Barrier(2);
  const work = (name: string) => async () => print(name, kind(await outcome_of(barrier.wait())));
  const a = asyncio.create_task(work("a"));
  await asyncio.sleep(0);
  const b = asyncio.create_task(work("b"));
  await asyncio.sleep(0);
  a.cancel();
  await asyncio.wait([a, b], { timeout: 0.05 });
  print(a.done(), b.done(), barrier.n_waiting, barrier.broken);
}
