import { expect, test } from '@jest/globals';
import type { EnrichedBody, Update } from '../harness/enrichedShop.ts';
import { startInlineGateway } from '../harness/inlineGateway.ts';
import { readEvents } from '../harness/readEvents.ts';

test('a further attempt at an enrichment job uses the progressive overrides of the first response', async () => {
  // Only the first request is in the 50 % that get the field from the new subgraph.
  const positions = [0.1];
  await using gateway = await startInlineGateway({
    subgraphs: [
      {
        name: 'catalog',
        sdl: 'type Query { top: Product } type Product @key(fields: "id") { id: ID! }',
        resolvers: { Query: { top: () => ({ id: '1' }) } },
      },
      {
        name: 'advice',
        sdl: 'type Product @key(fields: "id") { id: ID! advice: String }',
        resolvers: { Product: { advice: () => 'old' } },
      },
      {
        name: 'newAdvice',
        sdl: 'type Product @key(fields: "id") { id: ID! advice: String @override(from: "advice", label: "percent(50)") }',
        resolvers: { Product: { advice: () => 'new' } },
      },
    ],
    config: {
      enrichment: {
        mode: 'always',
        budget: '0ms',
        fields: { 'Product.advice': {} },
        jobs: { backoff: { base: '1ms', max: '1ms' } },
      },
    },
    dependencies: { random: () => positions.shift() ?? 0.9 },
  });
  const { calls } = gateway.subgraph('newAdvice');
  gateway
    .subgraph('newAdvice')
    .answerWith(() => (calls.length === 1 ? { kind: 'json', body: {}, status: 503 } : undefined));
  const { body } = await gateway.execute('{ top { id advice } }');
  const token = (body as EnrichedBody).extensions?.tributary?.enrichment?.token;
  const response = await fetch(new URL(`/enrichments/${token}`, gateway.url), {
    headers: { accept: 'text/event-stream' },
  });
  const updates = readEvents(await response.text()).slice(0, -1);
  expect(updates.map(({ data }) => JSON.parse(data) as Update)).toMatchObject([
    { data: 'new', errors: null },
  ]);
  expect([calls.length, gateway.subgraph('advice').calls.length]).toEqual([2, 0]);
});
