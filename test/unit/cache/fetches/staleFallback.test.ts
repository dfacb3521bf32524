import { describe, expect, test } from '@jest/globals';
import type { FetchError } from '../../../../gateway/execution/fetchCall.ts';
import type { FetchShape } from '../../../../gateway/execution/fetchShape.ts';
import { readRulesOf, rootShape } from '../../../harness/cachedSubgraphs.ts';
import { type CachedFetchesFixture, createCachedFetchesFixture, names } from './cachedFetchesFixture.ts';

const { rules } = await readRulesOf({
  products: `
    type Query { news: String @cached(maxAge: "10s", staleIfError: "1m") }
    type Product @key(fields: "id") @cached(maxAge: "10s", staleIfError: "1m") { id: ID! name: String }
  `,
});
const news = rootShape('products', '{ news }');
const broken: FetchError = { entry: { message: 'broken' }, entityIndex: undefined, path: [] };
const denied: FetchError = {
  entry: { message: 'denied', extensions: { code: 'FORBIDDEN' } },
  entityIndex: 0,
  path: [],
};

/** Creates a fixture whose cache has `data` as a stale value. */
function stale(shape: FetchShape, data: unknown, ids?: readonly string[]): CachedFetchesFixture {
  const fixture = createCachedFetchesFixture(rules);
  fixture.fetch(shape, ids);
  fixture.subgraphs.calls[0]?.answer(data);
  fixture.clock.now += 20_000;
  return fixture;
}

describe('A stale value is not served', () => {
  test.each([
    ['a general failure', [denied, broken]],
    ['a failure of the same entity', [denied, { ...broken, entityIndex: 0 }]],
  ])('for an entity that was denied, beside %s', (_, errors) => {
    const fixture = stale(names, [{ name: 'old' }], ['1']);
    const request = fixture.fetch(names, ['1']);
    fixture.subgraphs.calls[1]?.answer([null], {}, errors);
    expect(request.result).toMatchObject({ data: [null], errors, stale: undefined });
  });

  test('instead of a new value beside an unrelated error', () => {
    const fixture = stale(news, { news: 'old' });
    const request = fixture.fetch(news);
    fixture.subgraphs.calls[1]?.answer({ news: 'new' }, {}, [broken]);
    expect(request.result).toMatchObject({ data: { news: 'new' }, errors: [broken], stale: undefined });
  });
});

test('A general error is not returned if stale values replace everything that is missing', () => {
  const fixture = stale(names, [{ name: 'old' }], ['1']);
  const request = fixture.fetch(names, ['1']);
  fixture.subgraphs.calls[1]?.answer([null], {}, [broken]);
  expect(request.result).toMatchObject({ data: [{ name: 'old' }], errors: [] });
});

test('A general error is returned beside a stale value if another value is missing', () => {
  const fixture = stale(names, [{ name: 'old' }], ['1']);
  const request = fixture.fetch(names, ['1', '2']);
  fixture.subgraphs.calls[1]?.answer([null, null], {}, [broken]);
  expect(request.result).toMatchObject({ data: [{ name: 'old' }, null], errors: [broken] });
});

test('A stale value is served instead of a value that is nested too deep to be stored', () => {
  const fixture = stale(news, { news: 'old' });
  const request = fixture.fetch(news);
  // With a key that is a number, JSON.stringify recurses.
  const deep = JSON.parse(`{"1":${'['.repeat(10_000)}${']'.repeat(10_000)}}`);
  fixture.subgraphs.calls[1]?.answer({ news: deep });
  expect(request.result).toMatchObject({
    data: { news: 'old' },
    errors: [],
    stale: new Map([['news', { ageMs: 20_000, reason: 'error' }]]),
  });
});
