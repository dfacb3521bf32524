import { readFileSync } from 'node:fs';
import { Supergraph } from '@apollo/federation-internals';
import { describe, expect, test } from '@jest/globals';
import { graphql, lexicographicSortSchema, parse, printSchema, subscribe, validate } from 'graphql';
import { demoSupergraphFile } from '../../../subgraphs/shared/composeDemo.ts';
import { buildMonolith, createContext, createStore, type DemoStore } from '../../harness/monolithSchema.ts';
import { readDemoOperations } from '../../harness/readDemoOperations.ts';

const apiSchema = Supergraph.build(readFileSync(demoSupergraphFile, 'utf8')).apiSchema().toGraphQLJSSchema();
const monolith = buildMonolith();
const now = () => new Date('2026-03-01T12:00:00Z');

test('the monolith has the API schema of the gateway', () => {
  expect(printSchema(lexicographicSortSchema(monolith))).toBe(
    printSchema(lexicographicSortSchema(apiSchema)),
  );
});

/** The intended errors of demo operations. Operations that are not listed have none. */
const expectedErrors: Readonly<Record<string, readonly string[]>> = {
  contentFeed: ['The loyalty ledger cannot be reached for this account'],
  failingFields: [
    'The loyalty ledger cannot be reached for this account',
    'Cannot return null for non-nullable field Warranty.contact.',
  ],
};

describe.each(readDemoOperations())('the demo operation $name', ({ name, source, variables, kind }) => {
  test('is valid for the API schema', () => {
    expect(validate(apiSchema, parse(source))).toEqual([]);
  });

  if (kind === 'subscription') return;

  test('gets its response from the monolith', async () => {
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

test('a new store does not contain the changes of earlier mutations', async () => {
  const source = '{ product(id: "p12") { reviewCount } }';
  const ask = (store = createStore()) =>
    graphql({ schema: monolith, source, contextValue: createContext(store) });
  const store = createStore();
  const before = await ask(store);
  store.reviews.addReview({ productId: 'p12', authorId: 'a1', rating: 1, title: null, body: 'No.' });

  expect(await ask()).toEqual(before);
  expect(await ask(store)).not.toEqual(before);
});

describe('subscriptions of the monolith', () => {
  /** Resolves to the first event of the demo operation after `act`, with fields of other subgraphs. */
  async function readFirstEvent(name: string, store: DemoStore, act: () => void): Promise<unknown> {
    const operation = readDemoOperations().find((candidate) => candidate.name === name);
    if (operation === undefined) throw new Error(`No demo operation is named ${name}.`);
    const stream = await subscribe({
      schema: monolith,
      document: parse(operation.source),
      variableValues: operation.variables,
      contextValue: createContext(store),
    });
    if (!(Symbol.asyncIterator in stream))
      throw new Error('The monolith refused the subscription.', { cause: stream.errors });
    act();
    const { value } = await stream.next();
    await stream.return?.();
    return value;
  }

  test('reviewAdded streams only reviews of the requested product', async () => {
    const store = createStore({ now });
    const review = { authorId: 'a2', rating: 4, title: null };
    const event = await readFirstEvent('reviewAdded', store, () => {
      store.reviews.addReview({ ...review, productId: 'p1', body: 'Not asked for.' });
      store.reviews.addReview({ ...review, productId: 'p12', body: 'Good.' });
    });
    const reviewsNow = store.reviews.listReviewsOfProduct('p12');
    const average = reviewsNow.reduce((sum, { rating }) => sum + rating, 0) / reviewsNow.length;

    expect(event).toEqual({
      data: {
        reviewAdded: {
          id: 'r2402',
          rating: 4,
          body: 'Good.',
          author: { username: 'brisk-curlew', displayName: 'Brisk Curlew' },
          product: { name: 'Stockpot, 28 cm', averageRating: Math.round(average * 10) / 10 },
        },
      },
    });
    expect(store.reviews.reviewAdded.subscriberCount).toBe(0);
  });

  test('stockChanged streams the previous and the current stock', async () => {
    const store = createStore({ now });
    const event = await readFirstEvent('stockChanged', store, () => {
      const record = store.inventory.findStock('2000000055433', 'LEJ');
      if (record !== null) store.inventory.changeStock(record, 2);
    });

    expect(event).toEqual({
      data: {
        stockChanged: {
          previous: 30,
          current: 2,
          at: '2026-03-01T12:00:00.000Z',
          item: {
            quantity: 2,
            reorder: 38,
            warehouse: { city: 'Leipzig' },
            product: { id: 'p1', name: 'Cast-Iron Skillet, 24 cm', inStock: true },
          },
        },
      },
    });
    expect(store.inventory.stockChanged.subscriberCount).toBe(0);
  });
});
