import { describe, expect, test } from '@jest/globals';
import { ShopClock } from '../harness/cachedShop.ts';
import {
  type EnrichedBody,
  type EnrichedShop,
  enrichmentOf,
  startEnrichedShop,
} from '../harness/enrichedShop.ts';

const query = '{ top { rating advice { text } } }';
const whole = { data: { top: { rating: 2, advice: { text: 'about 1' } } } };
/** An operation whose primary data comes from another subgraph than the enrichment. */
const separateQuery = '{ top { id advice { text } } }';
const fields = { 'Product.advice': {} };

const deliveryModeOf = async (shop: EnrichedShop): Promise<string | undefined> => {
  const metrics = await (await fetch(`${shop.gateway.adminUrl}/metrics`)).text();
  return /tributary_enrichment_delivery_mode\{coordinate="Product.advice",mode="(\w+)"\} 1/.exec(
    metrics,
  )?.[1];
};

/** Sends operations whose enrichment is ready only after its budget. */
async function exceedBudget(shop: EnrichedShop, times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    const gate = shop.advice.hold('Product.advice');
    const first = await shop.execute(separateQuery);
    gate.open();
    await shop.fetchUpdates(enrichmentOf(first)?.token);
  }
}

describe('In adaptive mode', () => {
  test('a field that is well within its budget is fetched in one call with the primary data', async () => {
    await using shop = await startEnrichedShop({
      enrichment: {
        mode: 'adaptive',
        budget: '10m',
        bounds: { max: '10m' },
        fields,
        adaptation: { minSamples: 5 },
      },
    });
    for (let time = 0; time < 5; time++) {
      expect(await shop.execute(query)).toEqual(whole);
      // One call for the primary data, and one for the enrichment.
      expect(shop.advice.calls).toHaveLength(2 * (time + 1));
    }
    expect(await deliveryModeOf(shop)).toBe('inline');
    expect([await shop.execute(query), shop.advice.calls.length]).toEqual([whole, 11]);
  });

  describe('an inline field that begins to hang', () => {
    /** Thresholds for which the field is inline even on a slow machine. */
    const startInline = async (operation: string): Promise<EnrichedShop> => {
      const adaptation = { minSamples: 5, inlineBelow: 1, inlineUntil: 1 };
      const shop = await startEnrichedShop({
        // Longer than a slow machine stands still.
        enrichment: { mode: 'adaptive', budget: '3s', fields, adaptation },
      });
      while ((await deliveryModeOf(shop)) !== 'inline') await shop.execute(operation);
      return shop;
    };

    test.concurrent('delays no answer beyond its budget when it has a call of its own', async () => {
      await using shop = await startInline(separateQuery);
      const gate = shop.advice.hold('Product.advice');
      const first = await shop.execute(separateQuery);
      expect([first.data, enrichmentOf(first)?.pending]).toEqual([
        { top: { id: '1', advice: null } },
        [{ path: ['top', 'advice'], reason: 'budget' }],
      ]);
      gate.open();
      const updates = await shop.fetchUpdates(enrichmentOf(first)?.token);
      expect(updates.map(({ data }) => data)).toEqual([{ text: 'about 1' }]);
    });

    test.concurrent('delays a few answers that fetch it in one call with primary data, until it leaves `inline`', async () => {
      await using shop = await startInline(query);
      // One call: the field is inline.
      const before = shop.advice.calls.length;
      await shop.execute(query);
      expect(shop.advice.calls.length - before).toBe(1);
      const gate = shop.advice.hold('Product.advice');
      const delayed: Promise<EnrichedBody>[] = [];
      while ((await deliveryModeOf(shop)) === 'inline') {
        delayed.push(...Array.from({ length: 4 }, () => shop.execute(query)));
        // This answer leaves at the end of its budget, when those of the others have ended too.
        await shop.execute(separateQuery);
      }
      const first = await shop.execute(query);
      expect([first.data, enrichmentOf(first)?.pending]).toEqual([
        { top: { rating: 2, advice: null } },
        [{ path: ['top', 'advice'], reason: 'budget' }],
      ]);
      gate.open();
      // Operations that began later, on a slow machine, found the field no longer inline.
      const inline = (await Promise.all(delayed)).filter((answer) => enrichmentOf(answer) === undefined);
      expect(inline.length).toBeGreaterThan(0);
      expect(inline).toEqual(inline.map(() => whole));
    });
  });

  test('an answer does not wait for a field that is never within its budget', async () => {
    await using shop = await startEnrichedShop({
      enrichment: { mode: 'adaptive', budget: '100ms', fields, adaptation: { minSamples: 3 } },
    });
    await exceedBudget(shop, 3);
    expect(await deliveryModeOf(shop)).toBe('deferred');
    const gate = shop.advice.hold('Product.advice');
    const first = await shop.execute(separateQuery);
    gate.open();
    expect([first.data, enrichmentOf(first)?.pending]).toEqual([
      { top: { id: '1', advice: null } },
      [{ path: ['top', 'advice'], reason: 'budget' }],
    ]);
    const updates = await shop.fetchUpdates(enrichmentOf(first)?.token);
    expect(updates.map(({ data }) => data)).toEqual([{ text: 'about 1' }]);
  });

  test('a field becomes deferred also when all its answers are equal and share one job', async () => {
    await using shop = await startEnrichedShop({
      enrichment: { mode: 'adaptive', budget: '20ms', fields, adaptation: { minSamples: 10 } },
    });
    const gate = shop.advice.hold('Product.advice');
    const answers = await Promise.all(Array.from({ length: 10 }, () => shop.execute(separateQuery)));
    gate.open();
    for (const answer of answers) await shop.fetchUpdates(enrichmentOf(answer)?.token);
    expect([await deliveryModeOf(shop), shop.advice.calls.length]).toEqual(['deferred', 1]);
  });

  test.concurrent('a deferred field is awaited again when the refreshes behind stale values are within its budget', async () => {
    const clock = new ShopClock();
    await using shop = await startEnrichedShop({
      config: { cache: { rules: { 'Product.advice': { maxAge: '5s', staleIfError: '1h' } } } },
      enrichment: {
        mode: 'adaptive',
        budget: '3s',
        bounds: { max: '3s' },
        fields,
        adaptation: { minSamples: 1, deferredBelow: 0.6, deferredUntil: 0.6 },
      },
      dependencies: { now: clock.now },
    });
    await shop.execute(separateQuery);
    clock.advanceSeconds(10);
    const gate = shop.advice.hold('Product.advice');
    const stale = await shop.execute(separateQuery);
    gate.open();
    expect(stale.extensions?.tributary?.stale).toHaveLength(1);
    // The latency is recorded when the refresh has ended.
    while ((await deliveryModeOf(shop)) !== 'deferred') await shop.advice.calls.at(-1)?.ended;
    clock.advanceSeconds(10);
    const again = await shop.execute(separateQuery);
    expect(again.extensions?.tributary?.stale).toHaveLength(1);
    let mode = await deliveryModeOf(shop);
    for (let tries = 0; mode === 'deferred' && tries < 500; tries++) mode = await deliveryModeOf(shop);
    expect(mode).toBe('budgeted');
  });

  test.concurrent('a deferred field is awaited again when it is within its budget', async () => {
    await using shop = await startEnrichedShop({
      enrichment: {
        mode: 'adaptive',
        budget: '3s',
        bounds: { max: '3s' },
        fields,
        adaptation: { minSamples: 1, deferredBelow: 0.5, deferredUntil: 0.5 },
      },
    });
    await exceedBudget(shop, 1);
    expect(await deliveryModeOf(shop)).toBe('deferred');
    let answer = await shop.execute(separateQuery);
    while (enrichmentOf(answer) !== undefined) {
      // On a machine that stands still, the field exceeds its budget again.
      await shop.fetchUpdates(enrichmentOf(answer)?.token);
      answer = await shop.execute(separateQuery);
    }
    expect(answer).toEqual({ data: { top: { id: '1', advice: { text: 'about 1' } } } });
  });

  test('every field keeps its budget until it has minSamples latencies, and always with mode `always`', async () => {
    for (const enrichment of [
      { mode: 'adaptive' as const, adaptation: { minSamples: 1000 } },
      { mode: 'always' as const, adaptation: { minSamples: 1 } },
    ]) {
      await using shop = await startEnrichedShop({ enrichment: { budget: '10s', fields, ...enrichment } });
      for (let time = 0; time < 3; time++) expect(await shop.execute(query)).toEqual(whole);
      expect([await deliveryModeOf(shop), shop.advice.calls.length]).toEqual(['budgeted', 6]);
    }
  });
});
