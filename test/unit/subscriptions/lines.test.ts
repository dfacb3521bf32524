import { expect, test } from '@jest/globals';
import { Lines } from '../../../gateway/subscriptions/lines.ts';
import { turns } from '../../harness/clock.ts';

/** Writes down whose turn it is. */
function linesOf(bounds: { readonly waiting: number; readonly bytes: number }) {
  const lines = new Lines(bounds);
  const log: string[] = [];
  return {
    log,
    enter: (name: string, key = 'a') => {
      const place = lines.enter(key);
      const wait = () => place.turn().then((may) => void log.push(may ? name : `not ${name}`));
      return { ...place, wait };
    },
  };
}

test('turns come in the order in which the places were taken, as those before leave', async () => {
  const { log, enter } = linesOf({ waiting: 10, bytes: 10 });
  const [one, two, three] = [enter('one'), enter('two'), enter('three')];
  void three.wait();
  void two.wait();
  await turns();
  expect(log).toEqual([]);
  one.leave();
  one.leave();
  await turns();
  expect(log).toEqual(['two']);
  two.leave();
  await turns();
  expect(log).toEqual(['two', 'three']);
});

test('who leaves from the middle holds up nobody', async () => {
  const { log, enter } = linesOf({ waiting: 10, bytes: 10 });
  const [one, two, three] = [enter('one'), enter('two'), enter('three')];
  void three.wait();
  two.leave();
  one.leave();
  await turns();
  expect(log).toEqual(['three']);
});

test('so many wait besides the first, in each line', async () => {
  const { log, enter } = linesOf({ waiting: 2, bytes: 10 });
  for (const name of ['one', 'two', 'three']) void enter(name).wait();
  const fourth = enter('four');
  void fourth.wait();
  void enter('other', 'b').wait();
  await turns();
  expect(log.toSorted()).toEqual(['not four', 'one', 'other']);
  fourth.leave();
});

test('so many bytes wait besides those of the first, and what is small is known only at its turn', async () => {
  const { log, enter } = linesOf({ waiting: 10, bytes: 3000 });
  const [one, two, three, four] = [enter('one'), enter('two'), enter('three'), enter('four')];
  expect([one.hold(100_000), two.hold(3000), three.hold(1025), four.hold(1024)]).toEqual([
    true,
    true,
    false,
    true,
  ]);
  three.leave();
  void four.wait();
  await turns();
  expect(log).toEqual(['not four']);
  four.leave();
  void two.wait();
  one.leave();
  await turns();
  expect(log).toEqual(['not four', 'two']);
});
