import { describe, expect, test } from '@jest/globals';
import { ShopClock } from '../harness/cachedShop.ts';
import { type EnrichedBody, type EnrichedShop, startEnrichedShop } from '../harness/enrichedShop.ts';

const query = '{ top { rating advice { text } } }';
const whole = { data: { top: { rating: 2, advice: { text: 'about 1' } } } };
/** Its primary data needs nothing of the subgraph that has the advice. */
const alone = '{ top { id advice { text } } }';
const fields = { 'Product.advice': {} };
const enrichmentOf = ({ extensions }: EnrichedBody) => extensions?.tributary?.enrichment;

const wayOf = async (shop: EnrichedShop): Promise<string | undefined> => {
  const metrics = await (await fetch(`${shop.gateway.adminUrl}/metrics`)).text();
  return /tributary_enrichment_delivery_mode\{coordinate="Product.advice",mode="(\w+)"\} 1/.exec(
    metrics,
  )?.[1];
};

/** Answers that each leave without the advice, which then comes after its budget. */
async function askInVain(shop: EnrichedShop, times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    const gate = shop.advice.hold('Product.advice');
    const first = await shop.execute(alone);
    gate.open();
    await shop.fetchUpdates(enrichmentOf(first)?.token);
  }
}

describe('in adaptive mode', () => {
  test('a field that is well inside its budget is fetched with the primary data', async () => {
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
      // One for what is waited for, and one for what may come late.
      expect(shop.advice.calls).toHaveLength(2 * (time + 1));
    }
    expect(await wayOf(shop)).toBe('inline');
    expect([await shop.execute(query), shop.advice.calls.length]).toEqual([whole, 11]);
  });

  describe('a field that was fetched so and begins to hang', () => {
    /** However slow the machine is, the field is soon known to be quick enough. */
    const startInline = async (asked: string): Promise<EnrichedShop> => {
      const adaptation = { minSamples: 5, inlineBelow: 1, inlineUntil: 1 };
      const shop = await startEnrichedShop({
        // A machine that stands still for so long would take it for a field that hangs.
        enrichment: { mode: 'adaptive', budget: '3s', fields, adaptation },
      });
      while ((await wayOf(shop)) !== 'inline') await shop.execute(asked);
      return shop;
    };

    test('holds up no answer where it has a fetch of its own', async () => {
      await using shop = await startInline(alone);
      const gate = shop.advice.hold('Product.advice');
      const first = await shop.execute(alone);
      expect([first.data, enrichmentOf(first)?.pending]).toEqual([
        { top: { id: '1', advice: null } },
        [{ path: ['top', 'advice'], reason: 'budget' }],
      ]);
      gate.open();
      const updates = await shop.fetchUpdates(enrichmentOf(first)?.token);
      expect(updates.map(({ data }) => data)).toEqual([{ text: 'about 1' }]);
    });

    test('in one call with primary data holds up a handful, and none once that is known', async () => {
      await using shop = await startInline(query);
      // What comes at once tells how the field is fetched.
      const before = shop.advice.calls.length;
      await shop.execute(query);
      expect(shop.advice.calls.length - before).toBe(1);
      const gate = shop.advice.hold('Product.advice');
      const heldUp: Promise<EnrichedBody>[] = [];
      while ((await wayOf(shop)) === 'inline') {
        heldUp.push(...Array.from({ length: 4 }, () => shop.execute(query)));
        // Has a fetch of its own: it leaves at the end of its budget, and theirs is over by then.
        await shop.execute(alone);
      }
      const first = await shop.execute(query);
      expect([first.data, enrichmentOf(first)?.pending]).toEqual([
        { top: { rating: 2, advice: null } },
        [{ path: ['top', 'advice'], reason: 'budget' }],
      ]);
      gate.open();
      expect(await Promise.all(heldUp)).toEqual(heldUp.map(() => whole));
    });
  });

  test('a field that hardly ever makes its budget is not waited for', async () => {
    await using shop = await startEnrichedShop({
      enrichment: { mode: 'adaptive', budget: '100ms', fields, adaptation: { minSamples: 3 } },
    });
    await askInVain(shop, 3);
    expect(await wayOf(shop)).toBe('deferred');
    const gate = shop.advice.hold('Product.advice');
    const first = await shop.execute(alone);
    gate.open();
    expect([first.data, enrichmentOf(first)?.pending]).toEqual([
      { top: { id: '1', advice: null } },
      [{ path: ['top', 'advice'], reason: 'budget' }],
    ]);
    const updates = await shop.fetchUpdates(enrichmentOf(first)?.token);
    expect(updates.map(({ data }) => data)).toEqual([{ text: 'about 1' }]);
  });

  test('so is one whose late answers are all equal, and are finished once', async () => {
    await using shop = await startEnrichedShop({
      enrichment: { mode: 'adaptive', budget: '20ms', fields, adaptation: { minSamples: 10 } },
    });
    const gate = shop.advice.hold('Product.advice');
    const answers = await Promise.all(Array.from({ length: 10 }, () => shop.execute(alone)));
    gate.open();
    for (const answer of answers) await shop.fetchUpdates(enrichmentOf(answer)?.token);
    expect([await wayOf(shop), shop.advice.calls.length]).toEqual(['deferred', 1]);
  });

  test('it is waited for again once it makes its budget, also where an older value stands in', async () => {
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
    await shop.execute(alone);
    clock.advanceSeconds(10);
    const gate = shop.advice.hold('Product.advice');
    const stale = await shop.execute(alone);
    gate.open();
    expect(stale.extensions?.tributary?.stale).toHaveLength(1);
    // Learnt once the fetch that goes on has ended.
    while ((await wayOf(shop)) !== 'deferred') await shop.advice.calls.at(-1)?.ended;
    clock.advanceSeconds(10);
    const again = await shop.execute(alone);
    expect(again.extensions?.tributary?.stale).toHaveLength(1);
    let way = await wayOf(shop);
    for (let tries = 0; way === 'deferred' && tries < 500; tries++) way = await wayOf(shop);
    expect(way).toBe('budgeted');
  });

  test('it is waited for again once it makes its budget', async () => {
    await using shop = await startEnrichedShop({
      enrichment: {
        mode: 'adaptive',
        budget: '3s',
        bounds: { max: '3s' },
        fields,
        adaptation: { minSamples: 1, deferredBelow: 0.5, deferredUntil: 0.5 },
      },
    });
    await askInVain(shop, 1);
    expect(await wayOf(shop)).toBe('deferred');
    let answer = await shop.execute(alone);
    while (enrichmentOf(answer) !== undefined) {
      // A machine that stands still for its budget makes it late once more.
      await shop.fetchUpdates(enrichmentOf(answer)?.token);
      answer = await shop.execute(alone);
    }
    expect(answer).toEqual({ data: { top: { id: '1', advice: { text: 'about 1' } } } });
  });

  test('nothing is done before enough is known, and with `always` nothing ever', async () => {
    for (const enrichment of [
      { mode: 'adaptive' as const, adaptation: { minSamples: 1000 } },
      { mode: 'always' as const, adaptation: { minSamples: 1 } },
    ]) {
      await using shop = await startEnrichedShop({ enrichment: { budget: '10s', fields, ...enrichment } });
      for (let time = 0; time < 3; time++) expect(await shop.execute(query)).toEqual(whole);
      expect([await wayOf(shop), shop.advice.calls.length]).toEqual(['budgeted', 6]);
    }
  });
});
