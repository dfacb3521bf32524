import { describe, expect, test } from '@jest/globals';
import { createClient } from 'graphql-sse';
import { pino } from 'pino';
import { startTestGateway, type TestGateway } from '../harness/testGateway.ts';

/** A demo whose subgraphs use WebSockets for subscriptions. */
function start(): Promise<TestGateway> {
  return startTestGateway({ config: { subgraphs: { all: { subscription: { path: '/ws' } } } } });
}

/** One client's subscription over server-sent events. */
function subscribe({ url }: TestGateway, query: string) {
  const client = createClient({ url, retryAttempts: 0 });
  const events = client.iterate({ query });
  return {
    next: async (): Promise<unknown> => (await events.next()).value,
    leave: async (): Promise<void> => {
      await events.return?.();
      client.dispose();
    },
  };
}

async function ask({ url }: TestGateway, query: string): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  });
  return response.json();
}

const review = (body: string) =>
  `mutation { addReview(input: { productId: "p77", authorId: "a117", rating: 4, body: "${body}" }) { __typename } }`;

/** Resolves when the subgraph has `count` subscriptions. */
function subscribed({ subgraphs }: TestGateway, count: number): Promise<void> {
  return subgraphs.reviews.requests.waitUntil(
    ({ recent }) =>
      recent.filter(({ transport, outcome }) => transport === 'websocket' && outcome === 'pending').length ===
      count,
  );
}

const whole = 'subscription { reviewAdded { body product { name inStock } author { displayName } } }';

describe('subscriptions', () => {
  test('completes the events of one subgraph with the fields of four subgraphs', async () => {
    await using gateway = await start();
    const client = subscribe(gateway, whole);
    const first = client.next();
    await subscribed(gateway, 1);
    await ask(gateway, review('one'));
    await ask(gateway, review('two'));
    const complete = (body: string) => ({
      data: {
        reviewAdded: {
          body,
          product: { name: 'Hammock Canopy, 2P', inStock: false },
          author: { displayName: 'Quiet Vole' },
        },
      },
    });
    expect([await first, await client.next()]).toEqual([complete('one'), complete('two')]);
    await client.leave();
    await subscribed(gateway, 0);
  });

  test('shares one subscription at the subgraph between equal subscriptions', async () => {
    await using gateway = await start();
    const clients = [subscribe(gateway, whole), subscribe(gateway, whole)];
    const events = clients.map((client) => client.next());
    await subscribed(gateway, 1);
    const { total } = gateway.subgraphs.accounts.requests.counts;
    await ask(gateway, review('one'));
    await Promise.all(events);
    expect(gateway.subgraphs.accounts.requests.counts.total).toBe(total + 1);
    await clients[0]?.leave();
    const next = clients[1]?.next();
    await ask(gateway, review('two'));
    expect(await next).toMatchObject({ data: { reviewAdded: { body: 'two' } } });
    await clients[1]?.leave();
    await subscribed(gateway, 0);
  });

  test('reports errors of fields that an event lacks, and continues', async () => {
    await using gateway = await start();
    const client = subscribe(
      gateway,
      'subscription { reviewAdded { body product { name stock { total } } } }',
    );
    const first = client.next();
    await subscribed(gateway, 1);
    gateway.subgraphs.inventory.faults.replace({ targets: { 'Product.stock': { errorRate: 1 } } });
    await ask(gateway, review('one'));
    expect(await first).toMatchObject({
      data: { reviewAdded: { body: 'one', product: { stock: null } } },
      errors: [{ path: ['reviewAdded', 'product', 'stock'] }],
    });
    gateway.subgraphs.inventory.faults.replace({ targets: {} });
    await ask(gateway, review('two'));
    expect(await client.next()).toMatchObject({
      data: { reviewAdded: { product: { stock: { total: 0 } } } },
    });
    await client.leave();
  });
});

describe('a starting gateway', () => {
  test('detects the subscription protocol of a subgraph before a client subscribes', async () => {
    const found = new Map<string, string>();
    const all = Promise.withResolvers<void>();
    const logger = pino(
      { base: null },
      {
        write: (line: string) => {
          const { protocol, subgraph } = JSON.parse(line);
          if (protocol !== undefined) found.set(subgraph, protocol);
          if (found.size === 2) all.resolve();
        },
      },
    );
    const config = { subgraphs: { all: { subscription: { path: '/ws' } } } };
    await using _gateway = await startTestGateway({ config, dependencies: { logger } });
    await all.promise;
    expect(Object.fromEntries(found)).toEqual({ inventory: 'graphql_ws', reviews: 'graphql_ws' });
  });
});

describe('a closing gateway', () => {
  // Without `complete`, so that the client reconnects to another process.
  test('ends the streams of subscriptions at once, so that clients reconnect elsewhere', async () => {
    const gateway = await start();
    const client = subscribe(gateway, whole);
    const first = expect(client.next()).rejects.toThrow('Connection closed');
    await subscribed(gateway, 1);
    await gateway.close();
    await first;
  });
});
