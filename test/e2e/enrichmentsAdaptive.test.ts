import { describe, expect, test } from '@jest/globals';
import { type EnrichedBody, type EnrichedShop, startEnrichedShop } from '../harness/enrichedShop.ts';

const query = '{ top { rating advice { text } } }';
const whole = { data: { top: { rating: 2, advice: { text: 'about 1' } } } };
/** Its primary data needs nothing of the subgraph that has the advice. */
const alone = '{ top { id advice { text } } }';
const fields = { 'Product.advice': {} };
const enrichmentOf = ({ extensions }: EnrichedBody) => extensions?.tributary?.enrichment;

const wayOf = async (shop: EnrichedShop): Promise<string | undefined> => {
  const metrics = await (await fetch(`${shop.gateway.adminUrl}/metrics`)).text();
  return /tributary_enrichment_way\{coordinate="Product.advice",way="(\w+)"\} 1/.exec(metrics)?.[1];
};

/** Answers that each leave without the advice, which then comes after its budget. */
async function askInVain(shop: EnrichedShop, times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    const gate = shop.advice.hold('Product.advice');
    const first = await shop.ask(alone);
    gate.open();
    await shop.pickUp(enrichmentOf(first)?.token);
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
      expect(await shop.ask(query)).toEqual(whole);
      // One for what is waited for, and one for what may come late.
      expect(shop.advice.calls).toHaveLength(2 * (time + 1));
    }
    expect(await wayOf(shop)).toBe('inline');
    expect([await shop.ask(query), shop.advice.calls.length]).toEqual([whole, 11]);
  });

  describe('a field that was fetched so and begins to hang', () => {
    /** However slow the machine is, the field is soon known to be quick enough. */
    const startInline = async (asked: string): Promise<EnrichedShop> => {
      const adaptation = { minSamples: 5, inlineBelow: 1, inlineUntil: 1 };
      const shop = await startEnrichedShop({
        // A machine that stands still for so long would take it for a field that hangs.
        enrichment: { mode: 'adaptive', budget: '3s', fields, adaptation },
      });
      while ((await wayOf(shop)) !== 'inline') await shop.ask(asked);
      return shop;
    };

    test('holds up no answer where it has a fetch of its own', async () => {
      await using shop = await startInline(alone);
      const gate = shop.advice.hold('Product.advice');
      const first = await shop.ask(alone);
      expect([first.data, enrichmentOf(first)?.pending]).toEqual([
        { top: { id: '1', advice: null } },
        [{ path: ['top', 'advice'], reason: 'budget' }],
      ]);
      gate.open();
      const updates = await shop.pickUp(enrichmentOf(first)?.token);
      expect(updates.map(({ data }) => data)).toEqual([{ text: 'about 1' }]);
    });

    test('in one call with primary data holds up a handful, and none once that is known', async () => {
      await using shop = await startInline(query);
      // What comes at once tells how the field is fetched.
      const before = shop.advice.calls.length;
      await shop.ask(query);
      expect(shop.advice.calls.length - before).toBe(1);
      const gate = shop.advice.hold('Product.advice');
      const heldUp = Array.from({ length: 5 }, () => shop.ask(query));
      while ((await wayOf(shop)) === 'inline');
      const first = await shop.ask(query);
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
    expect(await wayOf(shop)).toBe('late');
    // Its subgraph would answer within the budget now, but is asked only once the primary data is there.
    const first = await shop.ask(alone);
    expect([first.data, enrichmentOf(first)?.pending]).toEqual([
      { top: { id: '1', advice: null } },
      [{ path: ['top', 'advice'], reason: 'budget' }],
    ]);
    const updates = await shop.pickUp(enrichmentOf(first)?.token);
    expect(updates.map(({ data }) => data)).toEqual([{ text: 'about 1' }]);
  });

  test('it is waited for again once it makes its budget', async () => {
    await using shop = await startEnrichedShop({
      enrichment: {
        mode: 'adaptive',
        budget: '500ms',
        fields,
        adaptation: { minSamples: 2, lateBelow: 0.5, lateUntil: 0.5 },
      },
    });
    await askInVain(shop, 2);
    expect(await wayOf(shop)).toBe('late');
    let answer = await shop.ask(alone);
    while (enrichmentOf(answer) !== undefined) {
      // A machine that stands still for its budget makes it late once more.
      await shop.pickUp(enrichmentOf(answer)?.token);
      answer = await shop.ask(alone);
    }
    expect(answer).toEqual({ data: { top: { id: '1', advice: { text: 'about 1' } } } });
  });

  test('nothing is done before enough is known, and with `always` nothing ever', async () => {
    for (const enrichment of [
      { mode: 'adaptive' as const, adaptation: { minSamples: 1000 } },
      { mode: 'always' as const, adaptation: { minSamples: 1 } },
    ]) {
      await using shop = await startEnrichedShop({ enrichment: { budget: '10s', fields, ...enrichment } });
      for (let time = 0; time < 3; time++) expect(await shop.ask(query)).toEqual(whole);
      expect([await wayOf(shop), shop.advice.calls.length]).toEqual(['budget', 6]);
    }
  });
});
