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
  const adaptation = new AdaptiveDelivery({
    mode: 'adaptive',
    window,
    minSamples: 20,
    inlineBelow: 0.5,
    inlineUntil: 0.8,
    lateBelow: 0.05,
    lateUntil: 0.2,
    defaultBudgetMs: 100,
    now: () => clock.ms,
    ...options,
  });
  const way = (budgetMs = budget): DeliveryMode => adaptation.deliveryModeOf(rule, budgetMs);
  /** Observes a latency so many times; the ways after each, without those that repeat. */
  const take = (times: number, latencyMs: number): DeliveryMode[] => {
    const ways: DeliveryMode[] = [];
    for (let done = 0; done < times; done += 1) {
      adaptation.recordLatency(rule, latencyMs);
      if (ways.at(-1) !== way()) ways.push(way());
    }
    return ways;
  };
  return { adaptation, clock, way, take };
}

describe('a field', () => {
  test('of which too little is known has its budget', () => {
    const { way, take } = open();
    expect(way()).toBe('budget');
    expect(take(19, 10)).toEqual(['budget']);
    expect(take(1, 10)).toEqual(['inline']);
  });

  test('that is quick is fetched inline until it is no longer', () => {
    const { take } = open();
    take(100, 40);
    expect(take(400, 75)).toEqual(['inline']);
    // 5 % of 526 are 26.
    expect(take(25, 90)).toEqual(['inline']);
    expect(take(5, 90)).toEqual(['inline', 'budget']);
  });

  test('that is quick but not well within its budget is not fetched inline', () => {
    expect(open().take(200, 60)).toEqual(['budget']);
  });

  test('of which a few are beyond the budget is not fetched inline, whatever the others do', () => {
    const { take } = open();
    for (let round = 0; round < 50; round += 1) {
      take(1, 2_000);
      expect(take(49, 10)).toEqual(['budget']);
    }
  });

  test('that was fetched inline is so no longer once a few are beyond the budget', () => {
    const { take } = open();
    take(100, 10);
    expect(take(3, never)).toEqual(['inline']);
    expect(take(1, never)).toEqual(['budget']);
  });

  test('that hardly ever makes it is not waited for until it does again', () => {
    const { take } = open();
    expect(take(100, 2_000)).toEqual(['budget', 'late']);
    expect(take(25, 60)).toEqual(['late']);
    expect(take(1, 60)).toEqual(['budget']);
  });

  test('that is given up each time is not waited for', () => {
    expect(open().take(20, never)).toEqual(['budget', 'late']);
  });

  test('may turn from one way to the other at once', () => {
    const { adaptation, clock, take, way } = open();
    expect(take(100, 10)).toEqual(['budget', 'inline']);
    clock.ms = window / 2;
    for (let done = 0; done < 100; done += 1) adaptation.recordLatency(rule, never);
    clock.ms = window;
    expect(way()).toBe('late');
  });

  test('that was left on one way is not on it again for a window', () => {
    const { clock, take, way } = open();
    take(100, 10);
    clock.ms = 10_000;
    take(4, never);
    expect(way()).toBe('budget');
    clock.ms = 69_999;
    take(100, 10);
    expect(way()).toBe('budget');
    clock.ms = 70_000;
    expect(way()).toBe('inline');
  });

  test('of which nothing was heard for a window has its budget again', () => {
    const { clock, take, way } = open();
    take(1_000, 2_000);
    clock.ms = window - 1;
    expect(way()).toBe('late');
    clock.ms = window;
    expect(way()).toBe('budget');
  });

  test('keeps its way while half of the samples are forgotten and come again', () => {
    const { clock, take } = open();
    // As many as are needed in a whole window, with nothing to spare.
    for (let sample = 0; sample < 200; sample += 1) {
      clock.ms += window / 20;
      const ways = take(1, 2_000);
      if (sample >= 20) expect(ways).toEqual(['late']);
    }
  });

  test('has a way for each budget that requests bring', () => {
    const { take, way } = open();
    take(100, 100);
    expect([way(1_000), way(150), way(50), way(0)]).toEqual(['inline', 'budget', 'late', 'late']);
    // They are not mixed up.
    expect([way(1_000), way(150), way(50), way(0)]).toEqual(['inline', 'budget', 'late', 'late']);
  });

  test('that is never late with a limit of 0, and never inline', () => {
    const slow = open({ lateBelow: 0 });
    expect(slow.take(100, never)).toEqual(['budget']);
    const quick = open({ inlineBelow: 0 });
    expect(quick.take(100, 0.01)).toEqual(['budget']);
  });

  test('is known apart from others', () => {
    const { adaptation, take } = open();
    take(100, 2_000);
    const other: EnrichmentRule = { ...rule, coordinate: 'Product.badges' };
    expect(adaptation.deliveryModeOf(other, budget)).toBe('budget');
  });
});

describe('a field that is fetched inline and becomes overdue', () => {
  /** As on a busy day: a handful more or less changes no share. */
  const openBusy = () => {
    const opened = open();
    opened.take(6_000, 10);
    expect(opened.way()).toBe('inline');
    /** So many answers for which the budget ends first; the ways after each. */
    const overdue = (times: number, overMs = budget): DeliveryMode[] =>
      Array.from({ length: times }, () => {
        opened.adaptation.recordOverdue(rule, overMs);
        return opened.way();
      });
    return { ...opened, overdue };
  };

  test('is so no longer after a handful in a row, whose latencies nobody knows yet', () => {
    const { adaptation, overdue } = openBusy();
    expect(overdue(5)).toEqual(['inline', 'inline', 'inline', 'inline', 'budget']);
    expect(adaptation.snapshot()).toMatchObject([{ samples: 6_000, shareWithinBudget: 1 }]);
  });

  test('has each latency counted once, when it comes', () => {
    const { adaptation, overdue } = openBusy();
    overdue(5);
    for (let answer = 0; answer < 5; answer += 1) adaptation.recordLatency(rule, 2_000);
    expect(adaptation.snapshot()).toMatchObject([{ way: 'budget', samples: 6_005 }]);
  });

  test('is not so again for a window, and then only if it has been quick', () => {
    const { clock, overdue, take, way } = openBusy();
    overdue(5);
    clock.ms = window - 1;
    take(100, 10);
    expect(way()).toBe('budget');
    clock.ms = window;
    expect(way()).toBe('inline');
    // What was before does not add up with what comes now.
    expect(overdue(4)).not.toContain('budget');
  });

  test('with others in time in between is so no longer either, unless these are nearly all', () => {
    const answersUntilLeft = (inTime: number): number => {
      const { adaptation, overdue } = openBusy();
      for (let answers = 0; answers < 10_000; answers += inTime + 1) {
        if (overdue(1).includes('budget')) return answers;
        for (let done = 0; done < inTime; done += 1) adaptation.recordLatency(rule, 10);
      }
      return Number.POSITIVE_INFINITY;
    };
    expect([1, 9, 32, 99].map(answersUntilLeft)).toEqual([10, 80, never, never]);
  });

  test('is so still for requests that wait longer', () => {
    const { overdue, way } = openBusy();
    expect([way(50), way(1_000)]).toEqual(['inline', 'inline']);
    overdue(5);
    expect([way(50), way(100), way(1_000)]).toEqual(['budget', 'budget', 'inline']);
  });

  test('is what it was where it is not fetched inline, or nothing is known of it', () => {
    const { adaptation, take, way } = open();
    adaptation.recordOverdue(rule, budget);
    take(10, 60);
    for (let answer = 0; answer < 10; answer += 1) adaptation.recordOverdue(rule, budget);
    expect([way(), adaptation.snapshot()]).toMatchObject(['budget', [{ samples: 10 }]]);
    // None of that is held against it.
    expect(take(1_000, 10).at(-1)).toBe('inline');
  });
});

test('with the mode always, every field has its budget, and latencies are observed', () => {
  const { adaptation, take } = open({ mode: 'always' });
  expect(take(100, 2_000)).toEqual(['budget']);
  expect(adaptation.snapshot()).toMatchObject([{ way: 'budget', samples: 100, shareWithinBudget: 0 }]);
});

describe('what is known', () => {
  test('is told by coordinate, for the budget of each field', () => {
    const { adaptation } = open({ defaultBudgetMs: 500 });
    const other: EnrichmentRule = { coordinate: 'Product.badges', budgetMs: undefined, priority: 'NORMAL' };
    for (let done = 0; done < 50; done += 1) {
      adaptation.recordLatency(rule, done < 10 ? 80 : never);
      adaptation.recordLatency(other, 100);
    }
    const [badges, similar] = adaptation.snapshot();
    expect(badges).toEqual({
      coordinate: 'Product.badges',
      budgetMs: 500,
      way: 'inline',
      samples: 50,
      shareWithinBudget: 1,
      p50Ms: badges?.p95Ms,
      p95Ms: expect.closeTo(100, -1),
    });
    expect(similar).toEqual({
      coordinate: 'Product.similar',
      budgetMs: 100,
      way: 'budget',
      samples: 50,
      shareWithinBudget: 0.2,
      p50Ms: null,
      p95Ms: null,
    });
    expect(JSON.parse(JSON.stringify(adaptation.snapshot()))).toEqual(adaptation.snapshot());
  });

  test('is left out where nothing is known any more, and follows a rule that changes', () => {
    const { adaptation, clock, take } = open();
    take(20, 80);
    adaptation.recordLatency({ ...rule, budgetMs: 70 }, 80);
    expect(adaptation.snapshot()).toMatchObject([{ budgetMs: 70, samples: 21 }]);
    clock.ms = window;
    expect(adaptation.snapshot()).toEqual([]);
  });

  test('is bounded', () => {
    const { adaptation } = open();
    for (let field = 0; field < 1_100; field += 1) {
      adaptation.recordLatency({ ...rule, coordinate: `Product.f${field}` }, 10);
    }
    expect(adaptation.snapshot()).toHaveLength(1_000);
  });
});

describe('no flapping', () => {
  const steps = fc.array(
    fc.record({
      passMs: fc.integer({ min: 0, max: 20_000 }),
      times: fc.integer({ min: 1, max: 60 }),
      latency: fc.constantFrom(5, 45, 55, 75, 95, 120, 2_000, never),
      overdue: fc.integer({ min: 0, max: 6 }),
    }),
    { maxLength: 60 },
  );

  test('whatever latencies do, a way that was left is not taken again for a window', () => {
    let changes = 0;
    fc.assert(
      fc.property(steps, (all) => {
        const { adaptation, clock, take } = open();
        const leftAt = new Map<DeliveryMode, number>();
        let last: DeliveryMode = 'budget';
        for (const { passMs, times, latency, overdue } of all) {
          clock.ms += passMs;
          for (let done = 0; done < overdue; done += 1) adaptation.recordOverdue(rule, budget);
          for (const next of take(times, latency)) {
            if (next === last) continue;
            changes += 1;
            leftAt.set(last, clock.ms);
            if (next !== 'budget') {
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
    // The steps are such that there is something to see.
    expect(changes).toBeGreaterThan(0);
  });

  test('latencies that stay within a pair of limits change nothing', () => {
    const withinBoth = fc.array(fc.double({ min: 53, max: 76, noNaN: true }), { maxLength: 2_000 });
    fc.assert(
      fc.property(withinBoth, fc.boolean(), (latencies, isQuickBefore) => {
        const { adaptation, take, way } = open();
        if (isQuickBefore) take(20, 10);
        const before = isQuickBefore ? 'inline' : 'budget';
        for (const latency of latencies) {
          adaptation.recordLatency(rule, latency);
          expect(way()).toBe(before);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('a steady mixture, however near to a limit, settles', () => {
    const shareOfQuick = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(shareOfQuick, fc.integer(), (quick, seed) => {
        const { adaptation, clock, way } = open();
        const random = randomFrom(seed);
        let changes = 0;
        let last: DeliveryMode = 'budget';
        // Ten windows, with 500 requests each.
        for (let sample = 0; sample < 5_000; sample += 1) {
          clock.ms += window / 500;
          adaptation.recordLatency(rule, random() < quick ? 20 : 2_000);
          if (way() !== last) changes += 1;
          last = way();
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
