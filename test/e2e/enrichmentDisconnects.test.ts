import { describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { type EnrichedBody, startEnrichedShop } from '../harness/enrichedShop.ts';
import { FakeTimers } from '../harness/fakeTimers.ts';
import { readEvents } from '../harness/readEvents.ts';
import { startDedicatedRedis } from '../harness/redis.ts';

const query = '{ top { id advice { text } } }';
const whole = { data: { top: { id: '1', advice: { text: 'about 1' } } } };
const tokenOf = ({ extensions }: EnrichedBody) => extensions?.tributary?.enrichment?.token;

describe('A client that disconnects', () => {
  test('before the first response cancels its subgraph calls', async () => {
    await using shop = await startEnrichedShop({ enrichment: { budget: '10s' } });
    shop.advice.hold('Product.advice');
    const controller = new AbortController();
    const answer = shop.gateway.execute(query, { signal: controller.signal });
    await shop.advice.waitForCalls(1);
    controller.abort();
    await expect(answer).rejects.toThrow();
    expect(await shop.advice.calls[0]?.ended).toBe(false);
  });

  test('after the first response does not cancel the pending fields, which reach the cache', async () => {
    await using shop = await startEnrichedShop({
      config: { cache: { rules: { 'Product.advice': { maxAge: '60s' } } } },
    });
    const gate = shop.advice.hold('Product.advice');
    const controller = new AbortController();
    const { body } = await shop.gateway.execute(query, { signal: controller.signal });
    controller.abort();
    await shop.advice.waitForCalls(1);
    gate.open();
    expect(await shop.advice.calls[0]?.ended).toBe(true);
    await shop.fetchUpdates(tokenOf(body as EnrichedBody));
    expect([await shop.execute(query), shop.advice.calls.length]).toEqual([whole, 1]);
  });

  test('after the first payload of a stream cancels its subgraph calls', async () => {
    await using shop = await startEnrichedShop();
    shop.advice.hold('Product.advice');
    const answer = await shop.gateway.executeIncrementally(query, { headers: { 'tributary-defer': 'auto' } });
    await answer.next();
    await shop.advice.waitForCalls(1);
    await answer[Symbol.asyncDispose]();
    expect(await shop.advice.calls[0]?.ended).toBe(false);
  });

  test('from a stream does not cancel the fields that its token belongs to', async () => {
    await using shop = await startEnrichedShop();
    const gate = shop.advice.hold('Product.advice');
    const related = shop.advice.hold('Product.related');
    const answer = await shop.gateway.executeIncrementally(
      '{ top { advice { text } ... @defer { related { id } } } }',
    );
    const [first = {}] = (await answer.next()) as readonly EnrichedBody[];
    await answer[Symbol.asyncDispose]();
    gate.open();
    const updates = await shop.fetchUpdates(tokenOf(first));
    expect(updates.map(({ data }) => data)).toEqual([{ text: 'about 1' }]);
    related.open();
  });
});

describe('A gateway that drains', () => {
  const events = { headers: { accept: 'text/event-stream' } };

  test('fetches pending fields, and serves new and existing subscriptions meanwhile', async () => {
    await using shop = await startEnrichedShop({ config: { listen: { port: 0, drainTimeout: 60_000 } } });
    const gate = shop.advice.hold('Product.advice');
    const token = tokenOf(await shop.execute(query));
    await shop.advice.waitForCalls(1);
    const url = new URL(`/enrichments/${token}`, shop.gateway.url);
    const subscription = await fetch(url, events);
    const closed = shop.gateway.close();
    expect(await (await shop.pollUpdates(token)).json()).toEqual({ updates: [], hasNext: true });
    const later = await fetch(url, events);
    gate.open();
    for (const text of await Promise.all([subscription.text(), later.text()])) {
      expect(readEvents(text).map(({ event }) => event)).toEqual(['next', 'complete']);
    }
    await closed;
    await expect(shop.pollUpdates(token)).rejects.toThrow();
  });

  test('gives requests and jobs drainTimeout together, and logs the fields that are still pending', async () => {
    const lines: Readonly<Record<string, unknown>>[] = [];
    const logger = pino({ level: 'warn', base: null }, { write: (line) => lines.push(JSON.parse(line)) });
    const timers = new FakeTimers();
    const drainTimeout = 2_345;
    await using shop = await startEnrichedShop({
      config: { listen: { port: 0, drainTimeout } },
      dependencies: { logger, timers },
    });
    shop.advice.hold('Product.advice');
    const token = tokenOf(await shop.execute(query));
    await shop.advice.waitForCalls(1);
    shop.catalog.hold('Query.top');
    const request = shop.execute('{ top { name } }').catch(() => undefined);
    await shop.catalog.waitForCalls(2);
    const closed = shop.gateway.close();
    expect((await shop.pollUpdates(token)).status).toBe(200);
    await timers.waitForTimer(drainTimeout);
    timers.fire(drainTimeout);
    // The requests have used up the time of the jobs.
    await timers.waitForTimer(0);
    timers.fire(0);
    await closed;
    expect(lines).toEqual([
      expect.objectContaining({
        fields: { 'Product.advice': 1 },
        msg: 'This process stops before it has fetched all pending enrichments (listen.drainTimeout)',
      }),
    ]);
    await request;
  });

  test('with Redis ends subscriptions at once, so that clients reconnect to another process', async () => {
    await using redis = await startDedicatedRedis();
    await using shop = await startEnrichedShop({
      config: { listen: { port: 0, drainTimeout: 60_000 }, redis: { url: redis.url } },
    });
    const gate = shop.advice.hold('Product.advice');
    const token = tokenOf(await shop.execute(query));
    await shop.advice.waitForCalls(1);
    const subscription = await fetch(new URL(`/enrichments/${token}`, shop.gateway.url), events);
    const closed = shop.gateway.close();
    // Without `complete`, the client reconnects.
    expect(readEvents(await subscription.text())).toEqual([]);
    gate.open();
    expect(await shop.advice.calls[0]?.ended).toBe(true);
    await closed;
  });
});
