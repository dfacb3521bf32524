import { describe, expect, test } from '@jest/globals';
import { LoadShedder } from '../../../gateway/admission/loadShedder.ts';
import { ProcessLoad } from '../../../gateway/admission/processLoad.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';

const priorities = ['background', 'normal', 'critical'] as const;
const limits = { eventLoopDelay: 200, memory: 0.9 };
const idle = { eventLoopDelayMs: 1, memory: 0.1 };
const delayed = { eventLoopDelayMs: 201, memory: 0.1 };

/** What is shed after each of these samples. */
function shedAfter(samples: readonly (typeof idle)[], ownLimits = limits) {
  const timers = new FakeTimers();
  let sample = idle;
  let collections = 0;
  const load = { start: () => {}, readSample: () => sample, stop: () => {} };
  const collect = () => {
    collections += 1;
  };
  const shedder = new LoadShedder({ limits: ownLimits, timers, load, collect, onReport: () => {} });
  shedder.start();
  const after = samples.map((next) => {
    sample = next;
    timers.advance(500);
    return priorities.filter((priority) => shedder.shedReasonOf(priority) !== undefined);
  });
  const reason = shedder.shedReasonOf('background');
  shedder.stop();
  return { after, reason, pendingTimers: timers.pendingCount, collections };
}

describe('the load shedder', () => {
  test('sheds one more priority at each sample above a limit, critical last', () => {
    expect(shedAfter([idle, delayed, delayed, delayed, delayed])).toEqual({
      after: [[], ['background'], ['background', 'normal'], [...priorities], [...priorities]],
      reason: 'event_loop',
      pendingTimers: 0,
      collections: 0,
    });
  });

  test('sheds nothing at the limits', () => {
    const atLimits = { eventLoopDelayMs: 200, memory: 0.9 };
    expect(shedAfter([atLimits, atLimits]).after).toEqual([[], []]);
  });

  test('has the delay of the event loop of the newest sample, or how late the next one is', () => {
    const timers = new FakeTimers();
    const load = { start: () => {}, readSample: () => delayed, stop: () => {} };
    const shedder = new LoadShedder({ limits, timers, load, onReport: () => {} });
    const delays = [shedder.eventLoopDelayMs];
    const record = () => void delays.push(shedder.eventLoopDelayMs);
    shedder.start();
    timers.fire(500);
    record();
    timers.after(3_000, record);
    timers.fire(3_000);
    expect(delays).toEqual([0, 201, 2_500]);
    shedder.stop();
  });

  test('serves one more priority after four calm samples in a row', () => {
    const calm = { eventLoopDelayMs: 160, memory: 0.1 };
    const shed = ['background', 'normal'];
    expect(shedAfter([delayed, delayed, calm, calm, calm, calm, calm, calm, calm, calm]).after).toEqual([
      ['background'],
      ...[shed, shed, shed, shed],
      ...[['background'], ['background'], ['background'], ['background']],
      [],
    ]);
  });

  test('changes nothing between the two thresholds, and counts calm samples anew after it', () => {
    const between = { eventLoopDelayMs: 161, memory: 0.1 };
    const { after } = shedAfter([delayed, idle, idle, idle, between, idle, idle, idle, idle]);
    expect(after).toEqual([...Array.from({ length: 8 }, () => ['background']), []]);
  });

  test('counts calm samples anew after an overload', () => {
    const { after } = shedAfter([delayed, idle, idle, idle, delayed, idle, idle, idle, idle]);
    const shed = ['background', 'normal'];
    expect(after.slice(4)).toEqual([shed, shed, shed, shed, ['background']]);
  });

  test('is calm at any load of what has no limit', () => {
    const withoutDelay = { eventLoopDelayMs: 10_000, memory: 0.1 };
    const withoutMemory = { eventLoopDelayMs: 1, memory: 1 };
    const full = { eventLoopDelayMs: 1, memory: 0.95 };
    const calm = (sample: typeof idle) => new Array<typeof idle>(4).fill(sample);
    const own = { eventLoopDelay: 0, memory: 0.9 };
    const firstAndLast = ({ after }: ReturnType<typeof shedAfter>) => [after[0], after.at(-1)];
    expect(firstAndLast(shedAfter([full, ...calm(withoutDelay)], own))).toEqual([['background'], []]);
    expect(
      firstAndLast(shedAfter([delayed, ...calm(withoutMemory)], { eventLoopDelay: 200, memory: 1 })),
    ).toEqual([['background'], []]);
  });

  test('reports each further priority of an overload that swings once, and its end after a minute without one', () => {
    const timers = new FakeTimers();
    let sample = idle;
    const load = { start: () => {}, readSample: () => sample, stop: () => {} };
    const reports: number[] = [];
    const onReport = (shed: readonly unknown[]): void => void reports.push(shed.length);
    const shedder = new LoadShedder({ limits, timers, load, onReport });
    const spend = (ms: number, next: typeof idle): void => {
      sample = next;
      timers.advance(ms);
    };
    shedder.start();
    spend(60_000, idle);
    for (let swing = 0; swing < 100; swing++) {
      spend(500, delayed);
      spend(5_000, idle);
    }
    expect(reports).toEqual([1]);
    spend(5_000, delayed);
    expect(reports).toEqual([1, 2, 3]);
    // Two seconds for each priority, and the minute begins with the last one.
    spend(65_000, idle);
    expect(reports).toEqual([1, 2, 3]);
    spend(500, idle);
    expect(reports).toEqual([1, 2, 3, 0]);
    spend(120_000, idle);
    expect(reports).toEqual([1, 2, 3, 0]);
    spend(500, delayed);
    expect(reports).toEqual([1, 2, 3, 0, 1]);
    shedder.stop();
  });

  test('sheds for memory, and says so', () => {
    const full = { eventLoopDelayMs: 1, memory: 0.91 };
    expect(shedAfter([full, full])).toMatchObject({
      after: [['background'], ['background', 'normal']],
      reason: 'memory',
    });
  });

  test('collects the heap every ten seconds while memory sheds requests and V8 has collected nothing', () => {
    const full = { eventLoopDelayMs: 1, memory: 0.91 };
    const between = { eventLoopDelayMs: 1, memory: 0.8 };
    const nearlyTen = Array.from({ length: 19 }, () => between);
    expect(shedAfter([full, between, ...nearlyTen]).collections).toBe(0);
    expect(shedAfter([full, between, ...nearlyTen, between]).collections).toBe(1);
    expect(shedAfter([full, between, ...nearlyTen, ...nearlyTen, between, between]).collections).toBe(2);
  });

  test.each([
    ['V8 has collected', { eventLoopDelayMs: 1, memory: 0.91 }, { eventLoopDelayMs: 1, memory: 0.79 }],
    [
      'the event loop sheds requests',
      { eventLoopDelayMs: 201, memory: 0.8 },
      { eventLoopDelayMs: 201, memory: 0.8 },
    ],
    ['no memory is missing', { eventLoopDelayMs: 170, memory: 0.5 }, { eventLoopDelayMs: 170, memory: 0.5 }],
  ])('does not collect the heap while %s', (_, first, second) => {
    const many = Array.from({ length: 30 }, () => [first, second]).flat();
    const full = { eventLoopDelayMs: 1, memory: 0.91 };
    expect(shedAfter([full, ...many]).collections).toBe(0);
  });

  test('does not collect the heap when memory sheds no requests any more', () => {
    const full = { eventLoopDelayMs: 1, memory: 0.91 };
    const nearlyFull = { eventLoopDelayMs: 1, memory: 0.73 };
    const calm = Array.from({ length: 4 }, () => idle);
    expect(shedAfter([full, ...calm, ...Array.from({ length: 30 }, () => nearlyFull)])).toMatchObject({
      reason: undefined,
      collections: 0,
    });
  });

  test.each([
    [{ eventLoopDelay: 0, memory: 0.9 }, delayed],
    [
      { eventLoopDelay: 200, memory: 1 },
      { eventLoopDelayMs: 1, memory: 1 },
    ],
  ])('ignores a limit that is off: %j', (own, sample) => {
    expect(shedAfter([sample, sample], own).after).toEqual([[], []]);
  });

  test.each([
    ['measures the load while it runs', limits, ['started', 'stopped'], 1],
    ['measures nothing when both limits are off', { eventLoopDelay: 0, memory: 1 }, ['stopped'], 0],
  ])('%s', (_, ownLimits, expected, timerCount) => {
    const timers = new FakeTimers();
    const calls: string[] = [];
    const load = {
      start: () => calls.push('started'),
      readSample: () => delayed,
      stop: () => calls.push('stopped'),
    };
    const shedder = new LoadShedder({ limits: ownLimits, timers, load, onReport: () => {} });
    shedder.start();
    expect(timers.pendingCount).toBe(timerCount);
    shedder.stop();
    expect([calls, timers.pendingCount]).toEqual([expected, 0]);
  });
});

test('the load of the process has the used share of the heap, and a delay that counts each interval for as long as it took', () => {
  const timers = new FakeTimers();
  const load = new ProcessLoad(timers);
  load.start();
  // No interval has ended.
  expect(load.readSample().eventLoopDelayMs).toBe(0);
  timers.fire(20);
  timers.fire(20);
  // The event loop is blocked.
  timers.after(310, () => {});
  timers.fire(310);
  timers.fire(20);
  const { eventLoopDelayMs, memory } = load.readSample();
  expect(eventLoopDelayMs).toBeCloseTo((20 * 0 + 20 * 0 + 310 * 290) / 350, 6);
  expect(memory).toBeGreaterThan(0);
  expect(memory).toBeLessThan(1);
  timers.fire(20);
  expect(load.readSample().eventLoopDelayMs).toBe(0);
  load.stop();
  expect(timers.pendingMs()).toEqual([]);
});

test('the load of the process is measured in real time', async () => {
  const load = new ProcessLoad();
  load.start();
  try {
    const end = performance.now() + 100;
    while (performance.now() < end);
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(load.readSample().eventLoopDelayMs).toBeGreaterThan(30);
  } finally {
    load.stop();
  }
});
