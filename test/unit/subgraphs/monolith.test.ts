import { readFileSync } from 'node:fs';
import { Supergraph } from '@apollo/federation-internals';
import { describe, expect, test } from '@jest/globals';
import { graphql, lexicographicSortSchema, parse, printSchema, subscribe, validate } from 'graphql';
import { demoSupergraphFile } from '../../../subgraphs/shared/composeDemo.ts';
import { buildMonolith, createContext, createStore } from '../../differential/monolith.ts';
import { readDemoOperations } from '../../differential/readDemoOperations.ts';

const apiSchema = Supergraph.build(readFileSync(demoSupergraphFile, 'utf8')).apiSchema().toGraphQLJSSchema();
const monolith = buildMonolith();
const now = () => new Date('2026-03-01T12:00:00Z');

test('has the schema that clients of the gateway see', () => {
  expect(printSchema(lexicographicSortSchema(monolith))).toBe(
    printSchema(lexicographicSortSchema(apiSchema)),
  );
});

/** The errors that a demo operation ends in by design; those not listed have none. */
const expectedErrors: Readonly<Record<string, readonly string[]>> = {
  contentFeed: ['The loyalty ledger cannot be reached for this account'],
  failingFields: [
    'The loyalty ledger cannot be reached for this account',
    'Cannot return null for non-nullable field Warranty.contact.',
  ],
};

describe.each(readDemoOperations())('$name', ({ name, source, variables, kind }) => {
  test('is valid for the API schema', () => {
    expect(validate(apiSchema, parse(source))).toEqual([]);
  });

  if (kind === 'subscription') return;

  test('is answered by the monolith', async () => {
    const contextValue = createContext(createStore({ now }), 'a11');
    const { data, errors = [] } = await graphql({
      schema: monolith,
      source,
      variableValues: variables,
      contextValue,
    });

    expect(data).not.toBeNull();
    expect([...new Set(errors.map(({ message }) => message))]).toEqual(expectedErrors[name] ?? []);
  });
});

test('answers from a fresh store as if no mutation had ever run', async () => {
  const source = '{ product(id: "p12") { reviewCount } }';
  const ask = (store = createStore()) =>
    graphql({ schema: monolith, source, contextValue: createContext(store) });
  const store = createStore();
  const before = await ask(store);
  store.reviews.addReview({ productId: 'p12', authorId: 'a1', rating: 1, title: null, body: 'No.' });

  expect(await ask()).toEqual(before);
  expect(await ask(store)).not.toEqual(before);
});

test('streams the reviews of the product that was asked for, with fields of other subgraphs', async () => {
  const store = createStore({ now });
  const stream = await subscribe({
    schema: monolith,
    document: parse(
      'subscription { reviewAdded(productId: "p2") { rating createdAt product { name } author { displayName } } }',
    ),
    contextValue: createContext(store),
  });
  if (!(Symbol.asyncIterator in stream)) throw new Error('Refused', { cause: stream.errors });
  store.reviews.addReview({
    productId: 'p1',
    authorId: 'a1',
    rating: 1,
    title: null,
    body: 'Not asked for.',
  });
  store.reviews.addReview({ productId: 'p2', authorId: 'a2', rating: 4, title: null, body: 'Good.' });

  expect(await stream.next()).toEqual({
    done: false,
    value: {
      data: {
        reviewAdded: {
          rating: 4,
          createdAt: '2026-03-01T12:00:00.000Z',
          product: { name: 'Cast-Iron Skillet, 28 cm' },
          author: { displayName: 'Brisk Curlew' },
        },
      },
    },
  });
  await stream.return?.();
  expect(store.reviews.reviewAdded.subscriberCount).toBe(0);
});
