import { expect, test } from '@jest/globals';
import { KeyedQueue, type QueueLimits } from '../../../gateway/subscriptions/keyedQueue.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

/** A queue that logs whose turn it is. */
function createLoggedQueue(limits: QueueLimits) {
  const queue = new KeyedQueue(limits);
  const log: string[] = [];
  return {
    log,
    enqueue: (name: string, key = 'a') => {
      const slot = queue.enqueue(key);
      const wait = () =>
        slot.waitForTurn().then((isAdmitted) => void log.push(isAdmitted ? name : `not ${name}`));
      return { ...slot, wait };
    },
  };
}

test('members take turns in the order in which they begin to wait', async () => {
  const { log, enqueue } = createLoggedQueue({ maxWaiting: 10, maxBytes: 10 });
  const [one, two, three] = [enqueue('one'), enqueue('two'), enqueue('three')];
  void three.wait();
  void two.wait();
  await waitForTurns();
  expect(log).toEqual(['three']);
  three.release();
  three.release();
  await waitForTurns();
  expect(log).toEqual(['three', 'two']);
  two.release();
  void one.wait();
  await waitForTurns();
  expect(log).toEqual(['three', 'two', 'one']);
});

test('members that have left need no room, however long the queue is never empty', async () => {
  const { log, enqueue } = createLoggedQueue({ maxWaiting: 1, maxBytes: 2_000 });
  const names = ['1', '2', '3', '4', '5'];
  let current = enqueue('first');
  for (const name of names) {
    const next = enqueue(name);
    expect(next.addBytes(2_000)).toBe(true);
    void next.wait();
    current.release();
    await waitForTurns();
    current = next;
  }
  expect(log).toEqual(names);
});

test('20 members of a queue take their turn in one turn of the event loop', async () => {
  const queue = new KeyedQueue({ maxWaiting: 100, maxBytes: 10 });
  const taken = { together: 0, 'one after the other': 0 };
  const take = async (key: keyof typeof taken): Promise<void> => {
    const slot = queue.enqueue(key);
    await slot.waitForTurn();
    taken[key] += 1;
    slot.release();
    if (key !== 'together' && taken[key] < 50) await take(key);
  };
  for (let count = 0; count < 50; count++) void take('together');
  void take('one after the other');
  const seen: object[] = [];
  for (let turn = 0; turn < 2; turn++) {
    // The queues began to wait for this turn before.
    await waitForTurns();
    seen.push({ ...taken });
  }
  expect(seen).toEqual([
    { together: 40, 'one after the other': 40 },
    { together: 50, 'one after the other': 50 },
  ]);
});

test('a member that leaves from the middle does not delay the others', async () => {
  const { log, enqueue } = createLoggedQueue({ maxWaiting: 10, maxBytes: 10 });
  const [one, two, three] = [enqueue('one'), enqueue('two'), enqueue('three')];
  for (const slot of [one, two, three]) void slot.wait();
  two.release();
  one.release();
  await waitForTurns();
  expect(log).toEqual(['one', 'three']);
});

test('each queue refuses members beyond maxWaiting, not counting the first', async () => {
  const { log, enqueue } = createLoggedQueue({ maxWaiting: 2, maxBytes: 10 });
  for (const name of ['one', 'two', 'three']) void enqueue(name).wait();
  const fourth = enqueue('four');
  void fourth.wait();
  void enqueue('other', 'b').wait();
  await waitForTurns();
  expect(log.toSorted()).toEqual(['not four', 'one', 'other']);
  fourth.release();
});

test('each queue refuses bytes beyond maxBytes, not counting the first member; small members are checked when they wait for their turn', async () => {
  const { log, enqueue } = createLoggedQueue({ maxWaiting: 10, maxBytes: 3000 });
  const [one, two, three, four] = [enqueue('one'), enqueue('two'), enqueue('three'), enqueue('four')];
  expect([one.addBytes(100_000), two.addBytes(3000), three.addBytes(1025), four.addBytes(1024)]).toEqual([
    true,
    true,
    false,
    true,
  ]);
  three.release();
  void one.wait();
  void four.wait();
  await waitForTurns();
  expect(log.toSorted()).toEqual(['not four', 'one']);
  four.release();
  void two.wait();
  one.release();
  await waitForTurns();
  expect(log.at(-1)).toBe('two');
});
