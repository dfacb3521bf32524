import { expect, test } from '@jest/globals';
import { turnEnd } from '../../../gateway/time/turnEnd.ts';

test('all callers wait for the end of the turn', async () => {
  const order: string[] = [];
  const first = turnEnd().then(() => order.push('first'));
  const second = turnEnd().then(() => order.push('second'));
  await microtasks();
  order.push('other work of the turn');
  await Promise.all([first, second]);
  expect(order).toEqual(['other work of the turn', 'first', 'second']);
});

test('the sixteenth caller ends the wait of all, and the next one waits again', async () => {
  const left: number[] = [];
  for (let caller = 1; caller <= 17; caller += 1) void turnEnd().then(() => left.push(caller));
  await microtasks();
  expect(left).toEqual(Array.from({ length: 16 }, (_, index) => index + 1));
  await new Promise((resolve) => setImmediate(resolve));
  expect(left.at(-1)).toBe(17);
});

/** More microtasks than a settled promise needs to call its listeners. */
async function microtasks(): Promise<void> {
  for (let count = 0; count < 10; count += 1) await undefined;
}
