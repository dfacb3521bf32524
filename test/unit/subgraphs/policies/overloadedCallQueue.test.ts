import { describe, expect, test } from '@jest/globals';
import { openQueue, type TestCall } from './callQueueFixture.ts';

describe('an overloaded queue', () => {
  function openOverloaded() {
    const fixture = openQueue({ total: 1 }, undefined, 100);
    const { clock, enter, end, calls, log } = fixture;
    const running = enter('running');
    /** Ends the call that is under way, so that the next one starts. */
    const next = async (): Promise<void> => {
      const name = log.findLast((line) => !line.includes('dropped')) as string;
      await end(calls.get(name) as TestCall);
    };
    return { ...fixture, running, next, advance: (ms: number) => (clock.now += ms) };
  }

  test('starts calls in the order of arrival while its wait is short', async () => {
    const { enter, next, advance, log } = openOverloaded();
    enter('first');
    advance(50);
    enter('second');
    advance(50);
    await next();
    expect(log).toEqual(['running', 'first']);
  });

  test('starts the newest call first, and drops calls that waited longer than its limit', async () => {
    const { enter, next, advance, log } = openOverloaded();
    enter('oldest');
    advance(60);
    enter('older');
    advance(41);
    enter('newest');
    await next();
    await next();
    expect(log).toEqual(['running', 'oldest dropped: queue time', 'newest', 'older']);
  });

  test('drops none, and keeps their order, while the event loop of the gateway itself is saturated', async () => {
    const { enter, next, advance, clock, log } = openOverloaded();
    clock.utilization = 0.99;
    enter('oldest');
    advance(60);
    enter('older');
    advance(41);
    enter('newest');
    await next();
    expect(log).toEqual(['running', 'oldest']);

    // The time counts from when the event loop is free again.
    clock.utilization = 0.5;
    advance(99);
    await next();
    expect(log).toEqual(['running', 'oldest', 'older']);
    advance(2);
    await next();
    expect(log).toEqual(['running', 'oldest', 'older', 'newest dropped: queue time']);
  });

  test('does not drop deferred calls', async () => {
    const { enter, next, advance, log } = openOverloaded();
    enter('deferred', { isDeferred: true, rank: 6 });
    enter('primary');
    advance(101);
    await next();
    expect(log).toEqual(['running', 'primary dropped: queue time', 'deferred']);
  });

  test('starts deferred calls in the order of arrival', async () => {
    const { enter, next, advance, log } = openOverloaded();
    for (const name of ['overdue', 'overdue, too']) enter(name, { isDeferred: false, rank: 2 });
    for (const name of ['deferred', 'later']) enter(name, { isDeferred: true, rank: 2 });
    advance(101);
    enter('newest', { isDeferred: false, rank: 2 });
    for (let turn = 0; turn < 3; turn++) await next();
    expect(log).toEqual([
      'running',
      'overdue dropped: queue time',
      'overdue, too dropped: queue time',
      'deferred',
      'later',
      'newest',
    ]);
  });

  test('starts urgent calls in the order of arrival and drops none of them while only others wait long', async () => {
    const { enter, next, advance, log } = openOverloaded();
    const background = { rank: 2, isDeferred: false };
    for (const name of ['overdue', 'second']) enter(name, background);
    advance(80);
    enter('urgent');
    advance(80);
    enter('later urgent');
    enter('newest', background);
    await next();
    await next();
    await next();
    expect(log).toEqual([
      'running',
      'overdue dropped: queue time',
      'second dropped: queue time',
      'urgent',
      'later urgent',
      'newest',
    ]);
  });

  test('keeps the order of arrival however long it is not empty, if no call waits too long', async () => {
    const { enter, next, advance, log } = openOverloaded();
    enter('call 0');
    for (let n = 1; n < 5; n++) {
      advance(90);
      enter(`call ${n}`);
      await next();
    }
    expect(log).toEqual(['running', 'call 0', 'call 1', 'call 2', 'call 3']);
  });

  test('is no longer overloaded once it was empty', async () => {
    const { enter, next, advance, log } = openOverloaded();
    enter('first');
    advance(90);
    await next();
    enter('second');
    enter('third');
    advance(90);
    await next();
    expect(log).toEqual(['running', 'first', 'second']);
  });

  test('serves each rank at times, however many urgent calls arrive', async () => {
    const { enter, next, log } = open2();
    for (const rank of [1, 2]) enter(`rank ${rank}`, { rank, isDeferred: false });
    for (let n = 0; n < 70; n++) {
      enter(`urgent ${n}`);
      await next();
    }
    const turns = ['rank 1', 'rank 2'].map((name) => log.indexOf(name));
    expect(turns.every((turn) => turn > 0)).toBe(true);
    expect(log.filter((name) => name.startsWith('urgent')).length).toBeGreaterThanOrEqual(67);
  });

  /** With a limit that these calls do not reach. */
  function open2() {
    const fixture = openQueue({ total: 1 });
    fixture.enter('running');
    const next = (): Promise<void> =>
      fixture.end(fixture.calls.get(fixture.log.at(-1) as string) as TestCall);
    return { ...fixture, next };
  }
});
