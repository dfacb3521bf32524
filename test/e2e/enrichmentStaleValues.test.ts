import { describe, expect, test } from '@jest/globals';
import { ShopClock } from '../harness/cachedShop.ts';
import { enrichmentOf, startEnrichedShop } from '../harness/enrichedShop.ts';

const query = '{ top { id advice { text } } }';
const longBudget = { 'tributary-budget': '10s' };

/** A shop with advice in its cache that is ten seconds old, and no longer fresh. */
async function startStaleShop(rule: Readonly<Record<string, string>>) {
  const clock = new ShopClock();
  const shop = await startEnrichedShop({
    config: { cache: { rules: { 'Product.advice': { maxAge: '5s', ...rule } } } },
    dependencies: { now: clock.now },
  });
  await shop.execute(query, longBudget);
  clock.advanceSeconds(10);
  return { shop, clock };
}

describe('A stale value at the end of a budget', () => {
  test('is in the first response, with its age and without a token', async () => {
    const { shop } = await startStaleShop({ staleIfError: '60s' });
    await using _ = shop;
    const gate = shop.advice.hold('Product.advice');
    expect(await shop.execute(query)).toEqual({
      data: { top: { id: '1', advice: { text: 'about 1' } } },
      extensions: {
        tributary: {
          stale: [{ path: ['top', 'advice'], ageMs: 10_000, reason: 'budget' }],
        },
      },
    });
    gate.open();
  });

  test('is replaced in the cache by the value that arrives afterwards', async () => {
    const { shop } = await startStaleShop({ staleIfError: '60s' });
    await using _ = shop;
    const gate = shop.advice.hold('Product.advice');
    await shop.execute(query);
    await shop.advice.waitForCalls(2);
    gate.open();
    expect(await shop.advice.calls[1]?.ended).toBe(true);
    let answer = await shop.execute(query);
    while (answer.extensions !== undefined) answer = await shop.execute(query);
    expect([answer.data, shop.advice.calls.length]).toEqual([
      { top: { id: '1', advice: { text: 'about 1' } } },
      2,
    ]);
  });

  test('is counted with the outcome `stale`', async () => {
    const { shop } = await startStaleShop({ staleIfError: '60s' });
    await using _ = shop;
    const gate = shop.advice.hold('Product.advice');
    await shop.execute(query);
    const metrics = await (await fetch(`${shop.gateway.adminUrl}/metrics`)).text();
    expect(metrics).toContain(
      'tributary_enrichment_answers_total{coordinate="Product.advice",outcome="stale"} 1',
    );
    gate.open();
  });

  test('is not used without staleIfError: the field is pending', async () => {
    const { shop } = await startStaleShop({});
    await using _ = shop;
    const gate = shop.advice.hold('Product.advice');
    const first = await shop.execute(query);
    expect([first.data, enrichmentOf(first)?.pending, first.extensions?.tributary?.stale]).toEqual([
      { top: { id: '1', advice: null } },
      [{ path: ['top', 'advice'], reason: 'budget' }],
      undefined,
    ]);
    gate.open();
  });

  test('is not used within the budget', async () => {
    const { shop } = await startStaleShop({ staleIfError: '60s' });
    await using _ = shop;
    expect([await shop.execute(query, longBudget), shop.advice.calls.length]).toEqual([
      { data: { top: { id: '1', advice: { text: 'about 1' } } } },
      2,
    ]);
  });
});

test('a stale value is not in an update: nothing waits for the end of a budget any more', async () => {
  const clock = new ShopClock();
  await using shop = await startEnrichedShop({
    config: { cache: { rules: { 'subgraph:catalog': { maxAge: '5s', staleIfError: '60s' } } } },
    dependencies: { now: clock.now },
  });
  const related = '{ top { id related { name } } }';
  await shop.execute(related, longBudget);
  clock.advanceSeconds(10);
  shop.catalog.answerWith(({ variables }) =>
    variables.representations === undefined
      ? undefined
      : { kind: 'json', body: { data: { _entities: [{ __typename: 'Product', name: 'New Pot' }] } } },
  );
  const gate = shop.advice.hold('Product.related');
  const first = await shop.execute(related);
  gate.open();
  expect(await shop.fetchUpdates(enrichmentOf(first)?.token)).toMatchObject([
    { path: ['top', 'related'], data: [{ name: 'New Pot' }] },
  ]);
});

test('a fresh cached value is in the first response of a request with a budget of 0 ms', async () => {
  await using shop = await startEnrichedShop({
    config: {
      cache: { rules: { 'Product.advice': { maxAge: '60s' }, 'Product.related': { maxAge: '60s' } } },
    },
  });
  const all = '{ top { advice { text } related { id advice { author } } } }';
  const expected = await shop.execute(all, longBudget);
  shop.advice.answerWith(() => ({ kind: 'hang' }));
  expect(await shop.execute(all)).toEqual(expected);
  expect(expected.extensions).toBeUndefined();
});
