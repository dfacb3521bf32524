import { describe, expect, test } from '@jest/globals';
import { EventQueue, type OverflowPolicy } from '../../../gateway/subscriptions/eventQueue.ts';

interface Entry {
  readonly text: string;
  readonly size: number;
  readonly isNotice: boolean;
}

const event = (text: string, size = 1): Entry => ({ text, size, isNotice: false });
const notice = (text: string): Entry => ({ text, size: 1_000, isNotice: true });

/** A queue of three events and 100 bytes. With `reports`, a notice replaces dropped events. */
function createQueue(policy: OverflowPolicy, reports = true) {
  let dropped = 0;
  const queue = new EventQueue<Entry>({ maxEvents: 3, maxBytes: 100, policy }, () => {
    dropped += 1;
    return reports ? notice(`dropped ${dropped}`) : undefined;
  });
  return {
    queue,
    droppedCount: () => dropped,
    push: (...entries: readonly Entry[]) => entries.map((entry) => queue.push(entry, policy)),
    shiftAll: () => {
      const texts: string[] = [];
      for (let entry = queue.shift(); entry !== undefined; entry = queue.shift()) texts.push(entry.text);
      return texts;
    },
  };
}

test('A queue with the policy `close` refuses the event that exceeds its number or its bytes', () => {
  const byNumber = createQueue('close');
  expect(byNumber.push(event('1'), event('2'), event('3'), event('4'))).toEqual([true, true, true, false]);
  const byBytes = createQueue('close');
  expect(byBytes.push(event('1', 50), event('2', 50), event('3', 1))).toEqual([true, true, false]);
});

test('A single event fits into a queue, however large it is and grows', () => {
  for (const policy of ['close', 'drop-oldest'] as const) {
    const { queue, push, shiftAll } = createQueue(policy);
    expect([push(event('1', 101)), queue.growNewest(500, policy)]).toEqual([[true], true]);
    expect(shiftAll()).toEqual(['1']);
  }
});

test('An event that grows drops older ones', () => {
  const { queue, push, shiftAll } = createQueue('drop-oldest', false);
  push(event('1', 40), event('2', 40));
  queue.growNewest(30, 'drop-oldest');
  expect(shiftAll()).toEqual(['2']);
});

test('A queue with the policy `wait` accepts everything, and is full from its limits on until half of it is read', () => {
  const { queue, push } = createQueue('wait');
  const states: (readonly [boolean, boolean])[] = [];
  const record = (): void => void states.push([queue.isFull, queue.isHalfEmpty]);
  for (const text of ['1', '2', '3', '4']) {
    push(event(text, 10));
    record();
  }
  for (let count = 0; count < 3; count++) {
    queue.shift();
    record();
  }
  const [full, half] = [
    [true, false],
    [false, true],
  ];
  expect(states).toEqual([half, [false, false], full, full, full, [false, false], half]);
  push(event('5', 90));
  expect([queue.isFull, queue.isHalfEmpty]).toEqual(full);
});

describe('A queue with the policy `drop-oldest`', () => {
  test('has room again for what was read and dropped, in number and in bytes', () => {
    const { push, shiftAll, droppedCount } = createQueue('drop-oldest', false);
    push(event('1', 60), event('2', 60));
    expect([shiftAll(), droppedCount()]).toEqual([['2'], 1]);
    push(event('3', 60), event('4', 40), event('5', 0));
    expect([shiftAll(), droppedCount()]).toEqual([['3', '4', '5'], 1]);
  });

  test('has one notice in place of adjacent dropped events', () => {
    const { push, shiftAll, droppedCount } = createQueue('drop-oldest');
    push(...['1', '2', '3', '4', '5'].map((text) => event(text)));
    expect([shiftAll(), droppedCount()]).toEqual([['dropped 1', '3', '4', '5'], 2]);
  });

  test('never drops a notice, and keeps the last of those that become adjacent', () => {
    const { push, shiftAll } = createQueue('drop-oldest');
    push(event('1'), notice('a'), notice('b'), event('2'), event('3'), event('4'));
    expect(shiftAll()).toEqual(['b', '2', '3', '4']);
    push(event('1'), notice('a'), event('2'), notice('b'), event('3'), event('4'), event('5'));
    expect(shiftAll()).toEqual(['b', '3', '4', '5']);
  });

  test('does not count notices', () => {
    const { queue, push, shiftAll, droppedCount } = createQueue('drop-oldest');
    push(notice('a'), event('1'), event('2'), notice('b'), event('3'));
    expect([shiftAll(), droppedCount(), queue.isHalfEmpty]).toEqual([['a', '1', '2', 'b', '3'], 0, true]);
  });
});

test('A cleared queue is empty and has all of its room', () => {
  const { queue, push, shiftAll } = createQueue('close');
  push(event('1', 50), event('2', 50), event('3', 0));
  queue.clear();
  expect(queue.isEmpty).toBe(true);
  expect(push(event('4', 50), event('5', 50), event('6', 0))).toEqual([true, true, true]);
  expect(shiftAll()).toEqual(['4', '5', '6']);
});
