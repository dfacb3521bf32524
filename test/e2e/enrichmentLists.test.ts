import { readFile, writeFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import { type EnrichedBody, enrichmentOf, startEnrichedShop, type Update } from '../harness/enrichedShop.ts';
import { startInlineGateway } from '../harness/inlineGateway.ts';
import { readEvents } from '../harness/readEvents.ts';

test('an answer with 1,500 pending list elements lists 1,000 of them, and each gets one update', async () => {
  const count = 1_500;
  await using gateway = await startInlineGateway({
    subgraphs: [
      {
        name: 'catalog',
        sdl: 'type Query { products: [Product!]! } type Product @key(fields: "id") { id: ID! }',
        resolvers: {
          Query: { products: () => Array.from({ length: count }, (_, index) => ({ id: String(index) })) },
        },
      },
      {
        name: 'advice',
        sdl: 'type Product @key(fields: "id") { id: ID! advice: String }',
        resolvers: { Product: { advice: ({ id }: { id: string }) => `about ${id}` } },
      },
    ],
    config: { enrichment: { mode: 'always', budget: '0ms', fields: { 'Product.advice': {} } } },
  });
  const { body } = await gateway.execute('{ products { advice } }');
  const enrichment = enrichmentOf(body as EnrichedBody);
  expect(enrichment?.pending).toHaveLength(1_000);
  expect(enrichment).toMatchObject({ pendingOmitted: count - 1_000 });
  const response = await fetch(new URL(`/enrichments/${enrichment?.token}`, gateway.url), {
    headers: { accept: 'text/event-stream' },
  });
  const events = readEvents(await response.text());
  const updates = events.slice(0, -1).map(({ data }) => JSON.parse(data) as Update);
  expect(new Set(updates.map(({ path }) => path.join('.'))).size).toBe(count);
  expect(updates.every(({ path, data }) => data === `about ${path[1]}`)).toBe(true);
  expect(updates.map(({ hasNext }) => hasNext).lastIndexOf(true)).toBe(count - 2);
  expect([updates.length, new Set(updates.map(({ cursor }) => cursor)).size]).toEqual([count, count]);
});

test('pending fields arrive although the supergraph changes meanwhile', async () => {
  let switches = 0;
  const switched = Promise.withResolvers<void>();
  const logger = pino(
    { level: 'info' },
    {
      write: (line) => {
        if (line.includes('A new supergraph is in use') && ++switches === 2) switched.resolve();
      },
    },
  );
  await using shop = await startEnrichedShop({ isWatching: true, dependencies: { logger } });
  const gate = shop.advice.hold('Product.advice');
  const query = '{ top { id advice { text } } }';
  const token = enrichmentOf(await shop.execute(query))?.token;
  await shop.advice.waitForCalls(1);
  const { supergraphFile } = shop.gateway;
  await writeFile(supergraphFile, `${await readFile(supergraphFile, 'utf8')}\n# Another one.\n`);
  await switched.promise;
  const second = await shop.execute(query);
  gate.open();
  for (const issued of [token, enrichmentOf(second)?.token]) {
    expect((await shop.fetchUpdates(issued)).map(({ data }) => data)).toEqual([{ text: 'about 1' }]);
  }
});
