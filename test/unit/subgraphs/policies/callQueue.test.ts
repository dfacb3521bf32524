import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { CallQueueObserver } from '../../../../gateway/subgraphs/policies/callQueue.ts';
import { openQueue, TestCall, unbound } from './callQueueFixture.ts';

describe('queued calls', () => {
  test('start by rank, then by deadline, then in the order of arrival', async () => {
    const { log, calls, enter, end } = openQueue({ total: 1 });
    enter('first');
    enter('background', { rank: 3 });
    enter('critical', { rank: 1 });
    enter('later');
    enter('critical, and soon', { rank: 1, earliestDeadline: 10 });
    enter('later still');
    enter('soon', { earliestDeadline: 10 });
    for (let turn = 0; turn < 6; turn++) await end(calls.get(log.at(-1) as string) as TestCall);
    expect(log).toEqual([
      'first',
      'soon',
      'later',
      'later still',
      'critical, and soon',
      'critical',
      'background',
    ]);
  });

  test('are not overtaken by a call that arrives while a slot is free', async () => {
    const { log, queue, enter } = openQueue({ total: 1 });
    enter('first');
    enter('second');
    queue.release(false);
    enter('third');
    await null;
    expect(log).toEqual(['first', 'second']);
  });

  test('start as soon as the limit is raised', async () => {
    const { log, queue, enter, end } = openQueue({ total: 1 });
    const first = enter('first');
    enter('second');
    enter('third');
    queue.limits = unbound;
    await end(first);
    expect(log).toEqual(['first', 'second', 'third']);
  });

  test('that become more urgent move ahead', async () => {
    const { log, queue, enter, end } = openQueue({ total: 1 });
    const first = enter('first');
    const raised = enter('raised', { rank: 3 });
    enter('second', { rank: 2 });
    queue.reprioritize(raised, () => {
      raised.urgency = { ...raised.urgency, rank: 0, isDeferred: false };
    });
    await end(first);
    expect(log).toEqual(['first', 'raised']);
  });

  test('that were removed never start', async () => {
    const { log, queue, enter, end } = openQueue({ total: 1 });
    const first = enter('first');
    const left = enter('left');
    queue.remove(left);
    await end(first);
    enter('second');
    expect(log).toEqual(['first', 'second']);
    expect(queue.length).toBe(0);
  });
});

describe('deferred calls', () => {
  test('leave slots for calls of first responses', () => {
    const { log, enter } = openQueue({ total: 2, deferred: 1 });
    enter('deferred', { rank: 1 });
    enter('another', { rank: 1 });
    enter('primary');
    expect(log).toEqual(['deferred']);
  });

  test('are not delayed by calls of first responses that wait for connections', async () => {
    const { log, enter } = openQueue({ total: 2, primary: 1, deferred: 1 });
    enter('primary');
    enter('another');
    enter('deferred', { rank: 1 });
    await null;
    expect(log).toEqual(['primary', 'deferred']);
  });
});

describe('a full queue', () => {
  test.each([
    ['the one that comes, where it is the least urgent', 3, 'new dropped: full'],
    ['the one that came last of the least urgent', 2, 'new dropped: full'],
    ['one that waits, where that is the least urgent', 1, 'normal dropped: full'],
  ])('drops %s', (_, rank, dropped) => {
    const { log, queue, enter } = openQueue({ total: 1, queued: 2 });
    enter('first');
    enter('normal', { rank: 2 });
    enter('primary');
    enter('new', { rank });
    expect(log).toEqual(['first', dropped]);
    expect(queue.length).toBe(2);
  });

  test('of length 0 drops every call that would have to wait', () => {
    const { log, enter } = openQueue({ total: 1, queued: 0 });
    enter('first');
    enter('second');
    expect(log).toEqual(['first', 'second dropped: full']);
  });
});

test('the observer gets the calls that wait, and no others', async () => {
  const seen: unknown[] = [];
  const observer: CallQueueObserver = {
    onWait: (subgraph) => seen.push(subgraph),
    onWaitEnd: ({ outcome, priority, waitedMs }) => seen.push([outcome, priority, waitedMs]),
  };
  const { queue, clock, enter, end } = openQueue({ total: 1, queued: 2 }, observer);
  const first = enter('first');
  const left = enter('left', { priority: 'critical', rank: 1 });
  enter('second');
  clock.now = 5;
  enter('third', { priority: 'background', rank: 3 });
  queue.remove(left);
  clock.now = 7;
  await end(first);
  expect(seen).toEqual([
    'reviews',
    'reviews',
    'reviews',
    ['full', 'background', 0],
    ['left', 'critical', 5],
    ['sent', 'primary', 7],
  ]);
});

type Step =
  | {
      readonly do: 'enter';
      readonly rank: number;
      readonly earliestDeadline: number;
      readonly isDeferred: boolean;
    }
  | { readonly do: 'end'; readonly which: number }
  | { readonly do: 'leave'; readonly which: number }
  | { readonly do: 'raise'; readonly which: number; readonly rank: number }
  | { readonly do: 'turn' };
const urgency = { rank: fc.nat(3), earliestDeadline: fc.nat(3), isDeferred: fc.boolean() };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('enter' as const), ...urgency }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('end', 'end', 'leave'), which: fc.nat(20) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('raise' as const), which: fc.nat(20), rank: fc.nat(3) }),
  },
  { weight: 2, arbitrary: fc.constant<Step>({ do: 'turn' }) },
);
const limits = fc.record({
  total: fc.integer({ min: 1, max: 4 }),
  primary: fc.integer({ min: 1, max: 3 }),
  deferred: fc.integer({ min: 1, max: 3 }),
  queued: fc.nat(4),
});

test('for any sequence of events the queue respects its limits, loses no call, and starts the most urgent one first', async () => {
  const property = fc.asyncProperty(limits, fc.array(step, { maxLength: 60 }), async (bounds, steps) => {
    const { queue, enter, log } = openQueue(bounds);
    const calls: TestCall[] = [];
    const left = new Set<TestCall>();
    const waiting = (): TestCall[] => calls.filter((call) => call.state === 'new' && !left.has(call));
    const running = (isDeferred: boolean): number =>
      calls.filter((call) => call.state === 'under way' && call.isDeferred === isDeferred).length;
    const mayBegin = ({ isDeferred }: TestCall): boolean =>
      running(false) + running(true) < bounds.total &&
      running(isDeferred) < (isDeferred ? bounds.deferred : bounds.primary);
    const before = (one: TestCall, other: TestCall): number =>
      one.rank - other.rank ||
      one.earliestDeadline - other.earliestDeadline ||
      calls.indexOf(one) - calls.indexOf(other);
    const name = (): string => `call ${calls.length}`;
    /** Who has to begin, one after the other, now that there is time. */
    const turn = async (): Promise<void> => {
      const expected: TestCall[] = [];
      const logged = log.length;
      const saved = waiting();
      for (;;) {
        const [next] = saved.filter((call) => call.state === 'new' && mayBegin(call)).sort(before);
        if (next === undefined) break;
        next.state = 'under way';
        expected.push(next);
      }
      for (const call of expected) call.state = 'new';
      await null;
      expect(log.slice(logged)).toEqual(expected.map((call) => call.name));
    };

    for (const one of steps) {
      const open = waiting();
      if (one.do === 'enter') {
        const call = new TestCall('', { priority: 'primary', ...one }, []);
        const mayNow = open.length === 0 && mayBegin(call);
        calls.push(enter(name(), one));
        const all = [...open, calls.at(-1) as TestCall];
        const dropped = all.filter(({ state }) => state === 'dropped');
        if (mayNow) expect(calls.at(-1)?.state).toBe('under way');
        else expect(dropped).toEqual(all.length > bounds.queued ? all.sort(before).slice(-1) : []);
      } else if (one.do === 'end') {
        const under = calls.filter(({ state }) => state === 'under way');
        const call = under[one.which % under.length];
        if (call === undefined) continue;
        call.state = 'over';
        queue.release(call.isDeferred);
      } else if (one.do === 'turn') await turn();
      else {
        const call = open[one.which % open.length];
        if (call === undefined) continue;
        if (one.do === 'raise') {
          queue.reprioritize(call, () => {
            call.urgency = { ...call.urgency, rank: one.rank, isDeferred: one.rank > 0 };
          });
        } else {
          queue.remove(call);
          left.add(call);
        }
      }
      expect(queue.length).toBe(waiting().length);
      expect(running(false)).toBeLessThanOrEqual(bounds.primary);
      expect(running(true)).toBeLessThanOrEqual(bounds.deferred);
      expect(running(true) + running(false)).toBeLessThanOrEqual(bounds.total);
    }
    for (;;) {
      await turn();
      const under = calls.find(({ state }) => state === 'under way');
      if (under === undefined) break;
      under.state = 'over';
      queue.release(under.isDeferred);
    }
    expect(waiting()).toEqual([]);
  });
  await fc.assert(property, { numRuns: 500 });
});

describe('a call that would miss its deadline', () => {
  test('is dropped when it arrives', () => {
    const { queue, enter, log } = openQueue({ total: 1 });
    queue.onServiceTime(false, 100);
    enter('running');
    enter('in time', { latestDeadline: 100 });
    enter('too late', { latestDeadline: 199 });
    enter('just in time', { latestDeadline: 300 });
    expect(log).toEqual(['running', 'too late dropped: deadline']);
  });

  test('is queued while the time of a call is unknown', () => {
    const { enter, log, queue } = openQueue({ total: 1 });
    enter('running');
    enter('waiting', { latestDeadline: 1 });
    expect([log, queue.length]).toEqual([['running'], 1]);
  });
});
