import { describe, expect, test } from '@jest/globals';
import type { FetchError } from '../../../gateway/execution/fetchCall.ts';
import type { FetchShape } from '../../../gateway/execution/fetchShape.ts';
import { entityShape, rootShape, rulesOf } from '../cache/rules/composed.ts';
import { cachedUnderTest, type UnderTest } from './cachedUnderTest.ts';

const { rules } = await rulesOf({
  products: `
    type Query { news: String @cached(maxAge: "10s", staleIfError: "1m") }
    type Product @key(fields: "id") @cached(maxAge: "10s", staleIfError: "1m") { id: ID! name: String }
  `,
});
const names = entityShape('products', '... on Product { name }');
const news = rootShape('products', '{ news }');
const broken: FetchError = { entry: { message: 'broken' }, entity: undefined, path: [] };
const denied: FetchError = {
  entry: { message: 'denied', extensions: { code: 'FORBIDDEN' } },
  entity: 0,
  path: [],
};

/** Has stored `data`, which is stale by now. */
function stale(shape: FetchShape, data: unknown, ids?: readonly string[]): UnderTest {
  const under = cachedUnderTest(rules);
  under.ask(shape, ids);
  under.subgraphs.asked[0]?.answer(data);
  under.clock.now += 20_000;
  return under;
}

describe('a stale value does not stand for', () => {
  test.each([
    ['a failure of everything', [denied, broken]],
    ['a failure of its own', [denied, { ...broken, entity: 0 }]],
  ])('what is denied, beside %s', (_, errors) => {
    const under = stale(names, [{ name: 'old' }], ['1']);
    const asked = under.ask(names, ['1']);
    under.subgraphs.asked[1]?.answer([null], {}, errors);
    expect(asked.result).toMatchObject({ data: [null], errors, stale: undefined });
  });

  test('a new one that came with an error of something else', () => {
    const under = stale(news, { news: 'old' });
    const asked = under.ask(news);
    under.subgraphs.asked[1]?.answer({ news: 'new' }, {}, [broken]);
    expect(asked.result).toMatchObject({ data: { news: 'new' }, errors: [broken], stale: undefined });
  });
});
