import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { chooseFuzzSeeds } from '../harness/fuzzSeeds.ts';
import { clients, startProtectedShop } from '../harness/protectedShop.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';

const { first, count, timeoutMs } = chooseFuzzSeeds({ perRun: 12, pool: 120, long: 600 });

const cached = { maxAge: '1m', staleWhileRevalidate: '1m' };
const shop = await startProtectedShop({
  config: {
    batching: { acrossRequests: true },
    cache: { rules: { 'subgraph:catalog': cached, 'subgraph:reviews': cached } },
    enrichment: { mode: 'never' },
  },
});
disposeAfterSuite(shop);

// Operations of `broken` fail as a whole.
const loggedIn = Object.keys(clients).filter((client) => client !== 'broken');
const everyone = ['', ...loggedIn];
const buyers = ['accountant', 'manager'];

/** The fields of a product: their values, and who may read them. */
const productFields: readonly (readonly [text: string, value: unknown, readers: readonly string[]])[] = [
  ['owner { name }', { name: 'Ada' }, everyone],
  ['stock', 3, everyone],
  ['label', 'blue', everyone],
  ['hint', 'buy', loggedIn],
  ['secretLabel', 'red', loggedIn],
  ['grade', 'A', loggedIn],
  ['cost', 7, buyers],
  ['discount', 14, buyers],
  ['price', '9 €', ['accountant']],
  ['code', 'c0de', ['coder']],
];

const visible = (readers: readonly string[], client: string, value: unknown): unknown =>
  readers.includes(client) ? value : null;

/** Root fields, each with what a client gets. */
const rootFields: readonly (readonly [
  text: string,
  expected: (client: string) => Record<string, unknown>,
])[] = [
  ['me { name }', (client) => ({ me: visible(loggedIn, client, { name: 'Ada' }) })],
  ['vault { content }', (client) => ({ vault: visible(['keeper'], client, { content: 'gold' }) })],
  [
    'media { title reviews }',
    (client) => {
      const reviews = visible(['keeper'], client, ['fine']);
      return {
        media: [
          { title: visible(loggedIn, client, 'Emma'), reviews },
          { title: 'Alien', reviews },
          visible(['keeper'], client, { title: 'Untitled', reviews }),
        ],
      };
    },
  ],
];

const operation = fc.record({
  fields: fc.subarray([...productFields], { minLength: 1 }),
  roots: fc.subarray([...rootFields]),
});

const request = fc.record({
  client: fc.constantFrom(...everyone),
  isSecond: fc.boolean(),
  /** How many of the earlier requests are answered before this one is sent. */
  awaited: fc.nat(4),
});

/** A coordinate that is held until several requests are sent, so that they meet in flight. */
const held = fc.constantFrom('Product.hint', 'Product.stock', 'Query.product', undefined);
const sentWhileHeld = 4;

test(
  'Clients get exactly what they may read, and nothing that another one has fetched, in any interleaving with shared calls and cache',
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.tuple(operation, operation),
        fc.array(request, { minLength: 2, maxLength: 12 }),
        held,
        async (id, operations, requests, coordinate) => {
          const gate = coordinate === undefined ? undefined : subgraphOf(coordinate).hold(coordinate);
          const answers: Promise<unknown>[] = [];
          const expected: unknown[] = [];
          for (const { client, isSecond, awaited } of requests) {
            if (answers.length === sentWhileHeld) gate?.open();
            if (gate === undefined || answers.length >= sentWhileHeld) {
              await Promise.all(answers.slice(0, awaited));
            }
            const { fields, roots } = operations[isSecond ? 1 : 0];
            const texts = [...fields, ...roots].map(([text]) => text);
            const query = `query ($id: ID!) { product(id: $id) { ${texts.slice(0, fields.length).join(' ')} } ${texts.slice(fields.length).join(' ')} }`;
            answers.push(
              shop.execute(query, client === '' ? undefined : client, { id }).then(({ body }) => body.data),
            );
            expected.push({
              product: Object.fromEntries(
                fields.map(([text, value, readers]) => [text.split(' ')[0], visible(readers, client, value)]),
              ),
              ...Object.assign({}, ...roots.map(([, dataOf]) => dataOf(client))),
            });
          }
          gate?.open();
          expect(await Promise.all(answers)).toEqual(expected);
          shop.takeCalls();
        },
      ),
      { seed: first, numRuns: count, endOnFailure: true },
    );
  },
  timeoutMs,
);

function subgraphOf(coordinate: string) {
  return coordinate === 'Query.product' ? shop.catalog : shop.reviews;
}
