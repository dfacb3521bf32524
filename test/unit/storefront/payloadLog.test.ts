import { describe, expect, jest, test } from '@jest/globals';
import { measureLoad } from '../../../storefront/page/measureLoad.ts';
import { PayloadLog } from '../../../storefront/page/payloadLog.ts';
import type { FieldOutcome } from '../../../storefront/page/productParts.ts';

const everything = { stock: {}, reviews: [], averageRating: 4, reviewCount: 1, recommended: [] };

/** A log on a clock that the test sets, in milliseconds. */
function startLog() {
  let now = 1000;
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  const log = new PayloadLog();
  log.startAttempt();
  return {
    log,
    setTime: (ms: number) => {
      now = 1000 + ms;
    },
  };
}

function summaryOf({ field, outcome }: FieldOutcome): string {
  return `${field} ${outcome}`;
}

const pendingStock = {
  data: { product: { ...everything, stock: null } },
  extensions: {
    tributary: { enrichment: { token: 't', pending: [{ path: ['product', 'stock'], reason: 'budget' }] } },
  },
};

describe('PayloadLog', () => {
  test('records when payloads arrive and what is new in them', () => {
    const { log, setTime } = startLog();
    setTime(80);
    log.recordPayload(pendingStock);
    expect([log.stateOf('stock'), log.stateOf('rating')]).toEqual(['pending', 'arrived']);
    setTime(1500);
    log.recordPayload({ data: { product: everything } });
    log.end();
    const { payloads, isComplete } = log.getSnapshot();
    expect(isComplete).toBe(true);
    expect(payloads.map(({ afterMs, outcomes }) => [afterMs, outcomes.map(summaryOf)])).toEqual([
      [
        80,
        [
          'product arrived',
          'stock pending',
          'reviews arrived',
          'averageRating arrived',
          'reviewCount arrived',
          'recommended arrived',
        ],
      ],
      [1500, ['stock arrived']],
    ]);
    expect(measureLoad(log.getSnapshot())).toEqual({ visibleMs: 80, completeMs: 1500 });
  });

  test('shows payloads that arrive together as one', () => {
    const { log, setTime } = startLog();
    setTime(80);
    log.recordPayload({ data: { product: { name: 'Pan' } }, hasNext: true });
    setTime(130);
    log.recordPayload({ incremental: [{ data: { stock: {} } }], hasNext: true });
    setTime(181);
    log.recordPayload({ incremental: [{ data: { recommended: [] } }], hasNext: false });
    expect(log.getSnapshot().payloads.map(({ afterMs, outcomes }) => [afterMs, outcomes.length])).toEqual([
      [80, 2],
      [181, 1],
    ]);
    expect(measureLoad(log.getSnapshot())).toEqual({ visibleMs: 80 });
  });

  test('keeps what arrived, and what failed, while a retry is under way', () => {
    const { log, setTime } = startLog();
    setTime(50);
    const errors = [{ path: ['product', 'stock'], message: 'down' }];
    log.recordPayload({ data: { product: { ...everything, stock: null } }, errors });
    log.end();
    log.startAttempt();
    setTime(2500);
    log.recordPayload(pendingStock);
    expect([log.stateOf('stock'), log.getSnapshot().isComplete]).toEqual(['failed', false]);
    setTime(2600);
    log.recordFailure();
    setTime(4000);
    log.recordEvent('stock', 'stock');
    log.recordEvent('stock', 'stock');
    expect(log.stateOf('stock')).toBe('arrived');
    const summary = log
      .getSnapshot()
      .payloads.map(({ afterMs, attempt, isFailure, outcomes }) => [
        afterMs,
        attempt,
        isFailure,
        outcomes.length,
      ]);
    expect(summary).toStrictEqual([
      [50, 1, undefined, 6],
      [2600, 2, true, 0],
      [4000, 2, undefined, 1],
    ]);
  });

  test('keeps the newest of the attempts that brought nothing, and what arrived before and after them', () => {
    const { log, setTime } = startLog();
    const errors = [{ path: ['product', 'stock'], message: 'down' }];
    const failed = { data: { product: { ...everything, stock: null } }, errors };
    for (let attempt = 0; attempt < 4; attempt++) {
      if (attempt > 0) log.startAttempt();
      setTime(1000 * attempt);
      if (attempt === 2) log.recordFailure();
      else log.recordPayload(failed);
    }
    const attempts = () => log.getSnapshot().payloads.map(({ attempt }) => attempt);
    expect(attempts()).toEqual([1, 4]);
    log.startAttempt();
    setTime(5000);
    log.recordPayload({ data: { product: everything } });
    expect(attempts()).toEqual([1, 4, 5]);
  });

  test('measures a product that does not exist as complete', () => {
    const { log, setTime } = startLog();
    setTime(40);
    log.recordPayload({ data: { product: null } });
    expect(measureLoad(log.getSnapshot())).toEqual({ visibleMs: 40 });
    log.end();
    expect(measureLoad(log.getSnapshot())).toEqual({ visibleMs: 40, completeMs: 40 });
  });

  test('measures nothing before the first payload', () => {
    expect(measureLoad(startLog().log.getSnapshot())).toEqual({});
  });
});
