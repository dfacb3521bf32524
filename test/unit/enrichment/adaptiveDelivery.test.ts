import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  AdaptiveDelivery,
  type AdaptiveDeliveryOptions,
} from '../../../gateway/enrichment/adaptiveDelivery.ts';
import type { DeliveryMode, EnrichmentRule } from '../../../gateway/operation/enrichmentRule.ts';

const window = 60_000;
const budget = 100;
const never = Number.POSITIVE_INFINITY;

const rule: EnrichmentRule = { coordinate: 'Product.similar', budgetMs: budget, priority: 'NORMAL' };

function open(options: Partial<AdaptiveDeliveryOptions> = {}) {
  const clock = { ms: 0 };
  const delivery = new AdaptiveDelivery({
    mode: 'adaptive',
    window,
    minSamples: 20,
    inlineBelow: 0.5,
    inlineUntil: 0.8,
    deferredBelow: 0.05,
    deferredUntil: 0.2,
    defaultBudgetMs: 100,
    now: () => clock.ms,
    ...options,
  });
  const modeFor = (budgetMs = budget): DeliveryMode => delivery.deliveryModeOf(rule, budgetMs);
  /** Records a latency `times` times. Returns the modes that follow, without repetitions. */
  const record = (times: number, latencyMs: number): DeliveryMode[] => {
    const modes: DeliveryMode[] = [];
    for (let done = 0; done < times; done += 1) {
      delivery.recordLatency(rule, latencyMs);
      if (modes.at(-1) !== modeFor()) modes.push(modeFor());
    }
    return modes;
  };
  return { delivery, clock, modeFor, record };
}

describe('AdaptiveDelivery gives a field', () => {
  test('its budget until it has minSamples latencies', () => {
    const { modeFor, record } = open();
    expect(modeFor()).toBe('budgeted');
    expect(record(19, 10)).toEqual(['budgeted']);
    expect(record(1, 10)).toEqual(['inline']);
  });

  test('`inline` while 95 % of its latencies are within inlineUntil of the budget', () => {
    const { record } = open();
    record(100, 40);
    expect(record(400, 75)).toEqual(['inline']);
    // 5 % of 526 are 26.
    expect(record(25, 90)).toEqual(['inline']);
    expect(record(5, 90)).toEqual(['inline', 'budgeted']);
  });

  test('no `inline` when its latencies are within the budget but not within inlineBelow of it', () => {
    expect(open().record(200, 60)).toEqual(['budgeted']);
  });

  test('no `inline` when 2 % of its latencies exceed the budget', () => {
    const { record } = open();
    for (let round = 0; round < 50; round += 1) {
      record(1, 2_000);
      expect(record(49, 10)).toEqual(['budgeted']);
    }
  });

  test('its budget after `inline` when more than 3 % of its latencies exceed the budget', () => {
    const { record } = open();
    record(100, 10);
    expect(record(3, never)).toEqual(['inline']);
    expect(record(1, never)).toEqual(['budgeted']);
  });

  test('`deferred` when nearly all latencies exceed the budget, until more than deferredUntil are within it', () => {
    const { record } = open();
    expect(record(100, 2_000)).toEqual(['budgeted', 'deferred']);
    expect(record(25, 60)).toEqual(['deferred']);
    expect(record(1, 60)).toEqual(['budgeted']);
  });

  test('`deferred` when it is always abandoned', () => {
    expect(open().record(20, never)).toEqual(['budgeted', 'deferred']);
  });

  test('`deferred` directly after `inline`', () => {
    const { delivery, clock, record, modeFor } = open();
    expect(record(100, 10)).toEqual(['budgeted', 'inline']);
    clock.ms = window / 2;
    for (let done = 0; done < 100; done += 1) delivery.recordLatency(rule, never);
    clock.ms = window;
    expect(modeFor()).toBe('deferred');
  });

  test('no mode that it left within the last window', () => {
    const { clock, record, modeFor } = open();
    record(100, 10);
    clock.ms = 10_000;
    record(4, never);
    expect(modeFor()).toBe('budgeted');
    clock.ms = 69_999;
    record(100, 10);
    expect(modeFor()).toBe('budgeted');
    clock.ms = 70_000;
    expect(modeFor()).toBe('inline');
  });

  test('its budget after a window without latencies', () => {
    const { clock, record, modeFor } = open();
    record(1_000, 2_000);
    clock.ms = window - 1;
    expect(modeFor()).toBe('deferred');
    clock.ms = window;
    expect(modeFor()).toBe('budgeted');
  });

  test('the same mode while the sketch drops half of its samples and gets new ones', () => {
    const { clock, record } = open();
    // Exactly minSamples in a window.
    for (let sample = 0; sample < 200; sample += 1) {
      clock.ms += window / 20;
      const modes = record(1, 2_000);
      if (sample >= 20) expect(modes).toEqual(['deferred']);
    }
  });

  test('a mode of its own for each budget', () => {
    const { record, modeFor } = open();
    record(100, 100);
    expect([modeFor(1_000), modeFor(150), modeFor(50), modeFor(0)]).toEqual([
      'inline',
      'budgeted',
      'deferred',
      'deferred',
    ]);
    // The modes of the budgets do not affect each other.
    expect([modeFor(1_000), modeFor(150), modeFor(50), modeFor(0)]).toEqual([
      'inline',
      'budgeted',
      'deferred',
      'deferred',
    ]);
  });

  test('never `deferred` with deferredBelow: 0, and never `inline` with inlineBelow: 0', () => {
    const slow = open({ deferredBelow: 0 });
    expect(slow.record(100, never)).toEqual(['budgeted']);
    const quick = open({ inlineBelow: 0 });
    expect(quick.record(100, 0.01)).toEqual(['budgeted']);
  });

  test('a mode that does not depend on other fields', () => {
    const { delivery, record } = open();
    record(100, 2_000);
    const other: EnrichmentRule = { ...rule, coordinate: 'Product.badges' };
    expect(delivery.deliveryModeOf(other, budget)).toBe('budgeted');
  });
});

describe('An inline field that becomes overdue', () => {
  /** With so many samples that a few more change no share. */
  const openBusy = () => {
    const opened = open();
    opened.record(6_000, 10);
    expect(opened.modeFor()).toBe('inline');
    /** Records `times` answers whose budget ends before the field is ready. Returns the mode after each. */
    const overdue = (times: number, overMs = budget): DeliveryMode[] =>
      Array.from({ length: times }, () => {
        opened.delivery.recordOverdue(rule, overMs);
        return opened.modeFor();
      });
    return { ...opened, overdue };
  };

  test('leaves `inline` after five answers in a row, before their latencies are known', () => {
    const { delivery, overdue } = openBusy();
    expect(overdue(5)).toEqual(['inline', 'inline', 'inline', 'inline', 'budgeted']);
    expect(delivery.snapshot()).toMatchObject([{ samples: 6_000, shareWithinBudget: 1 }]);
  });

  test('leaves `inline` after five answers in a row, also if each latency is known before the next one', () => {
    const { delivery, overdue } = openBusy();
    const modes = Array.from({ length: 5 }, () => {
      const [mode] = overdue(1);
      delivery.recordLatency(rule, 2_000);
      return mode;
    });
    expect(modes).toEqual(['inline', 'inline', 'inline', 'inline', 'budgeted']);
  });

  test('has each latency counted once, when it is known', () => {
    const { delivery, overdue } = openBusy();
    overdue(5);
    for (let answer = 0; answer < 5; answer += 1) delivery.recordLatency(rule, 2_000);
    expect(delivery.snapshot()).toMatchObject([{ deliveryMode: 'budgeted', samples: 6_005 }]);
  });

  test('does not return to `inline` for a window, and then only with low latencies', () => {
    const { clock, overdue, record, modeFor } = openBusy();
    overdue(5);
    clock.ms = window - 1;
    record(20, 10);
    expect(modeFor()).toBe('budgeted');
    clock.ms = window;
    expect(modeFor()).toBe('inline');
    // The score starts at zero again.
    expect(overdue(4)).not.toContain('budgeted');
  });

  test('leaves `inline` also with answers in time in between, unless nearly all are in time', () => {
    const answersUntilLeft = (inTime: number): number => {
      const { delivery, overdue } = openBusy();
      for (let answers = 0; answers < 10_000; answers += inTime + 1) {
        if (overdue(1).includes('budgeted')) return answers;
        for (let done = 0; done < inTime; done += 1) delivery.recordLatency(rule, 10);
      }
      return Number.POSITIVE_INFINITY;
    };
    expect([1, 9, 32, 99].map(answersUntilLeft)).toEqual([10, 80, never, never]);
  });

  test('stays `inline` for requests with a longer budget', () => {
    const { overdue, modeFor } = openBusy();
    expect([modeFor(50), modeFor(1_000)]).toEqual(['inline', 'inline']);
    overdue(5);
    expect([modeFor(50), modeFor(100), modeFor(1_000)]).toEqual(['budgeted', 'budgeted', 'inline']);
  });

  test('keeps its mode when it is not inline, or has no latencies', () => {
    const { delivery, record, modeFor } = open();
    delivery.recordOverdue(rule, budget);
    record(10, 60);
    for (let answer = 0; answer < 10; answer += 1) delivery.recordOverdue(rule, budget);
    expect([modeFor(), delivery.snapshot()]).toMatchObject(['budgeted', [{ samples: 10 }]]);
    // The overdue answers do not count later.
    expect(record(1_000, 10).at(-1)).toBe('inline');
    const slow = open();
    slow.record(100, 2_000);
    for (let answer = 0; answer < 10; answer += 1) slow.delivery.recordOverdue(rule, budget);
    expect(slow.modeFor()).toBe('deferred');
  });
});

test('AdaptiveDelivery with mode `always` gives every field its budget, and records latencies', () => {
  const { delivery, record } = open({ mode: 'always' });
  expect(record(100, 2_000)).toEqual(['budgeted']);
  expect(delivery.snapshot()).toMatchObject([
    { deliveryMode: 'budgeted', samples: 100, shareWithinBudget: 0 },
  ]);
});

describe('AdaptiveDelivery.snapshot', () => {
  test('describes each field for its own budget, sorted by coordinate', () => {
    const { delivery } = open({ defaultBudgetMs: 500 });
    const other: EnrichmentRule = { coordinate: 'Product.badges', budgetMs: undefined, priority: 'NORMAL' };
    for (let done = 0; done < 50; done += 1) {
      delivery.recordLatency(rule, done < 10 ? 80 : never);
      delivery.recordLatency(other, 100);
    }
    const [badges, similar] = delivery.snapshot();
    expect(badges).toEqual({
      coordinate: 'Product.badges',
      budgetMs: 500,
      deliveryMode: 'inline',
      samples: 50,
      shareWithinBudget: 1,
      p50Ms: badges?.p95Ms,
      p95Ms: expect.closeTo(100, -1),
    });
    expect(similar).toEqual({
      coordinate: 'Product.similar',
      budgetMs: 100,
      deliveryMode: 'budgeted',
      samples: 50,
      shareWithinBudget: 0.2,
      p50Ms: null,
      p95Ms: null,
    });
    expect(JSON.parse(JSON.stringify(delivery.snapshot()))).toEqual(delivery.snapshot());
  });

  test('shows the mode of the next request, and changes no mode', () => {
    const { delivery, modeFor, record } = open();
    expect(record(50, 5)).toContain('inline');
    const recordWithoutRequest = (times: number, latencyMs: number): void => {
      for (let done = 0; done < times; done += 1) delivery.recordLatency(rule, latencyMs);
    };
    recordWithoutRequest(5, 2_000);
    expect(delivery.snapshot()).toMatchObject([{ deliveryMode: 'budgeted' }]);
    recordWithoutRequest(1_000, 5);
    expect(modeFor()).toBe('inline');
  });

  test('uses the latest rule of a field, and omits fields without latencies in the window', () => {
    const { delivery, clock, record } = open();
    record(20, 80);
    delivery.recordLatency({ ...rule, budgetMs: 70 }, 80);
    expect(delivery.snapshot()).toMatchObject([{ budgetMs: 70, samples: 21 }]);
    clock.ms = window;
    expect(delivery.snapshot()).toEqual([]);
  });

  test('has at most 1,000 fields', () => {
    const { delivery } = open();
    for (let field = 0; field < 1_100; field += 1) {
      delivery.recordLatency({ ...rule, coordinate: `Product.f${field}` }, 10);
    }
    expect(delivery.snapshot()).toHaveLength(1_000);
  });
});

describe('AdaptiveDelivery does not flap', () => {
  const steps = fc.array(
    fc.record({
      passMs: fc.integer({ min: 0, max: 20_000 }),
      times: fc.integer({ min: 1, max: 60 }),
      latency: fc.constantFrom(5, 45, 55, 75, 95, 120, 2_000, never),
      overdue: fc.integer({ min: 0, max: 6 }),
    }),
    { maxLength: 60 },
  );

  test('for any latencies: a mode that was left is not entered again for a window', () => {
    let changes = 0;
    fc.assert(
      fc.property(steps, (all) => {
        const { delivery, clock, record } = open();
        const leftAt = new Map<DeliveryMode, number>();
        let last: DeliveryMode = 'budgeted';
        for (const { passMs, times, latency, overdue } of all) {
          clock.ms += passMs;
          for (let done = 0; done < overdue; done += 1) delivery.recordOverdue(rule, budget);
          for (const next of record(times, latency)) {
            if (next === last) continue;
            changes += 1;
            leftAt.set(last, clock.ms);
            if (next !== 'budgeted') {
              expect(clock.ms - (leftAt.get(next) ?? Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(
                window,
              );
            }
            last = next;
          }
        }
      }),
      { numRuns: 200 },
    );
    // The generated steps do change modes.
    expect(changes).toBeGreaterThan(0);
  });

  test('for latencies between both limits: the mode does not change', () => {
    const withinBoth = fc.array(fc.double({ min: 53, max: 76, noNaN: true }), { maxLength: 2_000 });
    fc.assert(
      fc.property(withinBoth, fc.boolean(), (latencies, isQuickBefore) => {
        const { delivery, record, modeFor } = open();
        if (isQuickBefore) record(20, 10);
        const before = isQuickBefore ? 'inline' : 'budgeted';
        for (const latency of latencies) {
          delivery.recordLatency(rule, latency);
          expect(modeFor()).toBe(before);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('for any constant mixture of low and high latencies: the mode settles', () => {
    const shareOfQuick = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(shareOfQuick, fc.integer(), (quick, seed) => {
        const { delivery, clock, modeFor } = open();
        const random = randomFrom(seed);
        let changes = 0;
        let last: DeliveryMode = 'budgeted';
        // Ten windows, with 500 requests each.
        for (let sample = 0; sample < 5_000; sample += 1) {
          clock.ms += window / 500;
          delivery.recordLatency(rule, random() < quick ? 20 : 2_000);
          if (modeFor() !== last) changes += 1;
          last = modeFor();
        }
        expect(changes).toBeLessThanOrEqual(20);
      }),
      { numRuns: 40 },
    );
  });
});

/** Numbers from 0 to 1 (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
