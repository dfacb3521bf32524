import { describe, expect, test } from '@jest/globals';
import { type EnrichedBody, startEnrichedShop } from '../harness/enrichedShop.ts';
import { readEvents } from '../harness/eventStreams.ts';

const query = '{ top { id advice { text } } }';
const whole = { data: { top: { id: '1', advice: { text: 'about 1' } } } };
const tokenOf = ({ extensions }: EnrichedBody) => extensions?.tributary?.enrichment?.token;

describe('a client that leaves', () => {
  test('before the first answer ends the calls that were made for it', async () => {
    await using shop = await startEnrichedShop({ enrichment: { budget: '10s' } });
    shop.advice.hold('Product.advice');
    const controller = new AbortController();
    const asked = shop.gateway.ask(query, { signal: controller.signal });
    await shop.advice.called(1);
    controller.abort();
    await expect(asked).rejects.toThrow();
    expect(await shop.advice.calls[0]?.ended).toBe(false);
  });

  test('after the first answer leaves the rest to go on, into the cache', async () => {
    await using shop = await startEnrichedShop({
      config: { cache: { rules: { 'Product.advice': { maxAge: '60s' } } } },
    });
    const gate = shop.advice.hold('Product.advice');
    const controller = new AbortController();
    const { body } = await shop.gateway.ask(query, { signal: controller.signal });
    controller.abort();
    await shop.advice.called(1);
    gate.open();
    expect(await shop.advice.calls[0]?.ended).toBe(true);
    await shop.pickUp(tokenOf(body as EnrichedBody));
    expect([await shop.ask(query), shop.advice.calls.length]).toEqual([whole, 1]);
  });

  test('after the first payload of a stream ends the calls that were made for it', async () => {
    await using shop = await startEnrichedShop();
    shop.advice.hold('Product.advice');
    const answer = await shop.gateway.defer(query, { headers: { 'tributary-defer': 'auto' } });
    await answer.next();
    await shop.advice.called(1);
    await answer[Symbol.asyncDispose]();
    expect(await shop.advice.calls[0]?.ended).toBe(false);
  });

  test('that has a token as well leaves what it leads to', async () => {
    await using shop = await startEnrichedShop();
    const gate = shop.advice.hold('Product.advice');
    const related = shop.advice.hold('Product.related');
    const answer = await shop.gateway.defer('{ top { advice { text } ... @defer { related { id } } } }');
    const [first = {}] = (await answer.next()) as readonly EnrichedBody[];
    await answer[Symbol.asyncDispose]();
    gate.open();
    const updates = await shop.pickUp(tokenOf(first));
    expect(updates.map(({ data }) => data)).toEqual([{ text: 'about 1' }]);
    related.open();
  });
});

describe('a gateway that drains', () => {
  test('lets go of those who follow, and finishes what is late', async () => {
    await using shop = await startEnrichedShop({
      config: { listen: { port: 0, drainTimeout: 5_000 } },
    });
    const gate = shop.advice.hold('Product.advice');
    const token = tokenOf(await shop.ask(query));
    await shop.advice.called(1);
    const following = await fetch(new URL(`/enrichments/${token}`, shop.gateway.url), {
      headers: { accept: 'text/event-stream' },
    });
    const closed = shop.gateway.close();
    // They are told to come back: to another process, where there is one.
    expect(readEvents(await following.text())).toEqual([]);
    gate.open();
    expect(await shop.advice.calls[0]?.ended).toBe(true);
    await closed;
  });
});
