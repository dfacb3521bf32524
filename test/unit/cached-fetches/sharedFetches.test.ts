import { describe, expect, test } from '@jest/globals';
import { turns } from '../../harness/clock.ts';
import { entityShape, rulesOf } from '../cache/rules/composed.ts';
import { type AskedCall, cachedUnderTest, type UnderTest } from './cachedUnderTest.ts';

const { rules } = await rulesOf({
  products: `
    type Query { hits: Int }
    type Product @key(fields: "id") @cached(maxAge: "10s", staleWhileRevalidate: "20s", staleIfError: "1m") {
      id: ID!
      name: String
    }
  `,
});
const names = entityShape('products', '... on Product { name }');
const named = (...list: string[]): { name: string }[] => list.map((name) => ({ name }));

function at(under: UnderTest, place: number): AskedCall {
  const call = under.subgraphs.asked[place];
  if (call === undefined) throw new Error(`The subgraph was asked ${under.subgraphs.asked.length} times.`);
  return call;
}

describe('who has waited for nothing', () => {
  test('asks in the order of his own representations', async () => {
    const under = cachedUnderTest(rules);
    under.ask(names, ['2', '1']);
    const other = under.ask(names, ['1', '2']);
    at(under, 0).answer(named('two', 'one'), { cacheControl: 'no-store' });
    await turns();
    expect(at(under, 1).asked).toEqual(['1', '2']);
    at(under, 1).answer(named('one', 'two'));
    expect(other.data).toEqual(named('one', 'two'));
  });
});
