import { expect, test } from '@jest/globals';
import { waitToWrite } from '../../../gateway/transport/http/waitToWrite.ts';

const size = 16 * 1024;

test('small responses wait for the end of the turn', async () => {
  const order: string[] = [];
  const first = waitToWrite(size)?.then(() => order.push('first'));
  const second = waitToWrite(size)?.then(() => order.push('second'));
  await microtasks();
  order.push('other work of the turn');
  await Promise.all([first, second]);
  expect(order).toEqual(['other work of the turn', 'first', 'second']);
});

test('the sixteenth response ends the wait of all, and the next one waits again', async () => {
  const left: number[] = [];
  for (let response = 1; response <= 17; response += 1)
    void waitToWrite(size)?.then(() => left.push(response));
  await microtasks();
  expect(left).toEqual(Array.from({ length: 16 }, (_, index) => index + 1));
  await new Promise((resolve) => setImmediate(resolve));
  expect(left.at(-1)).toBe(17);
});

test('a large response does not wait', () => {
  expect(waitToWrite(size + 1)).toBeUndefined();
});

/** More microtasks than a settled promise needs to call its listeners. */
async function microtasks(): Promise<void> {
  for (let count = 0; count < 10; count += 1) await undefined;
}
