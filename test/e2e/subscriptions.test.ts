import { describe, expect, test } from '@jest/globals';
import type { ExecutionResult } from 'graphql';
import { createClient } from 'graphql-sse';
import { createClient as createSocketClient } from 'graphql-ws';
import { pino } from 'pino';
import { WebSocket } from 'ws';
import { postJson } from '../harness/postJson.ts';
import { exchange, RawConnection } from '../harness/rawHttp.ts';
import { scrapeSample } from '../harness/scrapeSample.ts';
import { openStream, operationRequest, reserveStream } from '../harness/singleConnection.ts';
import { startTestGateway, subscribed, type TestGateway } from '../harness/testGateway.ts';

/** A demo whose subgraphs use WebSockets for subscriptions. */
function start(): Promise<TestGateway> {
  return startTestGateway({ config: { subgraphs: { all: { subscription: { path: '/ws' } } } } });
}

/** One client's subscription over server-sent events. */
function subscribe({ url }: TestGateway, query: string, headers: Record<string, string> = {}) {
  const client = createClient({ url, headers, retryAttempts: 0 });
  const events = client.iterate({ query });
  return {
    next: async (): Promise<ExecutionResult> => (await events.next()).value,
    leave: async (): Promise<void> => {
      await events.return?.();
      client.dispose();
    },
  };
}

async function ask({ url }: Pick<TestGateway, 'url'>, query: string): Promise<unknown> {
  const response = await postJson(url, { query });
  return response.json();
}

const review = (body: string) =>
  `mutation { addReview(input: { productId: "p77", authorId: "a117", rating: 4, body: "${body}" }) { __typename } }`;

const whole = 'subscription { reviewAdded { body product { name inStock } author { displayName } } }';

describe('subscriptions', () => {
  test('with a condition at their root field are refused, and so is another operation of the document', async () => {
    await using gateway = await start();
    const subscription = 'subscription B($on: Boolean!) { reviewAdded @include(if: $on) { body } }';
    for (const [query, accept] of [
      [subscription, 'text/event-stream'],
      [`query A { topProducts { name } } ${subscription}`, 'application/json'],
    ] as const) {
      const response = await postJson(
        gateway.url,
        {
          query,
          operationName: accept === 'text/event-stream' ? 'B' : 'A',
          variables: { on: true },
        },
        { accept },
      );
      expect(response.status).toBe(accept === 'text/event-stream' ? 200 : 400);
      const column = query.indexOf('@include') + 1;
      expect(await response.text()).toContain(
        `"message":"@include is not allowed on the root field of a subscription, because a subscription always has exactly one.","locations":[{"line":1,"column":${column}}],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}`,
      );
    }
  });

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

  test('go to any instance of a subgraph that has several, so that a client finds a running one', async () => {
    let url = '';
    await using gateway = await startTestGateway({
      config: ({ all }) => {
        url = all.find(({ name }) => name === 'reviews')?.url ?? '';
        return {
          subgraphs: {
            all: { subscription: { protocol: 'graphql_ws', path: '/ws' } },
            // Nothing listens on port 1.
            reviews: { urls: ['http://127.0.0.1:1/graphql', url] },
          },
        };
      },
    });
    let client = subscribe(gateway, 'subscription { reviewAdded { body } }');
    let event = client.next();
    const isRefused = () =>
      Promise.race([
        subscribed(gateway, 1).then(() => false),
        event.then(({ errors }) => errors !== undefined),
      ]);
    while (await isRefused()) {
      await client.leave();
      client = subscribe(gateway, 'subscription { reviewAdded { body } }');
      event = client.next();
    }
    // To the subgraph itself: a mutation is sent once, perhaps to the other instance.
    await ask({ url }, review('one'));
    expect(await event).toEqual({ data: { reviewAdded: { body: 'one' } } });
    await client.leave();
  });

  test('are interrupted and then end with an error when their subgraph stops, which metrics count', async () => {
    await using gateway = await startTestGateway({
      config: {
        subgraphs: { all: { subscription: { protocol: 'graphql_ws', path: '/ws' } } },
        subscriptions: {
          interruptions: 'reported',
          reconnect: { attempts: 1, minDelay: '1ms', maxDelay: '1ms' },
        },
      },
    });
    const client = subscribe(gateway, 'subscription { reviewAdded { body } }');
    const first = client.next();
    await subscribed(gateway, 1);
    await gateway.subgraphs.all.find(({ name }) => name === 'reviews')?.close();
    const unreachable = { errors: [{ extensions: { code: 'SUBGRAPH_UNREACHABLE' } }] };
    expect(await first).toMatchObject(unreachable);
    expect(await client.next()).toMatchObject(unreachable);
    const countOf = (name: string): Promise<number> =>
      scrapeSample(
        gateway.adminUrl,
        `tributary_subscription_${name}_total{subgraph="reviews",code="SUBGRAPH_UNREACHABLE"}`,
      );
    expect(await countOf('interruptions')).toBe(1);
    expect(await countOf('failures')).toBe(1);
    await client.leave();
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

  test('does not share the events of an urgent client with those of a client that can wait', async () => {
    await using gateway = await start();
    const clients = ['background', 'critical'].map((priority) =>
      subscribe(gateway, whole, { 'tributary-priority': priority }),
    );
    const events = clients.map((client) => client.next());
    await subscribed(gateway, 2);
    await ask(gateway, review('one'));
    expect(await Promise.all(events)).toMatchObject([
      { data: { reviewAdded: { body: 'one' } } },
      { data: { reviewAdded: { body: 'one' } } },
    ]);
    for (const client of clients) await client.leave();
  });

  test('shares one subscription at the subgraph between clients of all transports', async () => {
    await using gateway = await start();
    const socketClient = createSocketClient({
      url: gateway.url.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      retryAttempts: 0,
    });
    const overSocket = socketClient.iterate({ query: whole });
    const firstOverSocket = overSocket.next();
    await subscribed(gateway, 1);

    // The head of a stream is sent when its subscription has begun.
    const json = { 'content-type': 'application/json' };
    const body = JSON.stringify({ query: whole });
    await using events = await RawConnection.open(gateway.url);
    events.send({ headers: { ...json, accept: 'text/event-stream' }, body });
    await using parts = await RawConnection.open(gateway.url);
    const accept = 'multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json;q=0.9';
    parts.send({ headers: { ...json, accept }, body });
    await Promise.all([events.readHead(), parts.readHead()]);
    const token = await reserveStream(gateway.url);
    await using stream = await openStream(gateway.url, token);
    expect((await exchange(gateway.url, operationRequest(token, { query: whole }))).status).toBe(202);

    await ask(gateway, review('one'));
    const { value: first } = await firstOverSocket;
    expect(first).toMatchObject({ data: { reviewAdded: { body: 'one' } } });
    const payload = JSON.stringify(first);
    const untilPayload = async (connection: RawConnection): Promise<void> => {
      while ((await connection.readChunk())?.includes(payload) === false);
    };
    await Promise.all([events, parts, stream].map(untilPayload));
    expect(
      gateway.subgraphs.reviews.requests.recent.filter(({ transport }) => transport === 'websocket'),
    ).toHaveLength(1);
    await socketClient.dispose();
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
  test.each([
    ['with', 'adaptive'],
    ['without', 'never'],
  ] as const)(
    '%s enrichments detects the subscription protocol of a subgraph before a client subscribes',
    async (_, mode) => {
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
      const config = { enrichment: { mode }, subgraphs: { all: { subscription: { path: '/ws' } } } };
      await using _gateway = await startTestGateway({ config, dependencies: { logger } });
      await all.promise;
      expect(Object.fromEntries(found)).toEqual({ inventory: 'graphql_ws', reviews: 'graphql_ws' });
    },
  );
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
