import { expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { findSubscribableSubgraphs } from '../../../gateway/subscriptions/findSubscribableSubgraphs.ts';
import { loadSupergraphInProcess } from '../../harness/loadSupergraphInProcess.ts';
import { composeOnce } from '../../harness/shared/compositions.ts';

test('findSubscribableSubgraphs returns the subgraphs with a subscription field that no topic feeds', async () => {
  const sdls = {
    news: 'type Query { ping: Int } type Subscription { news: String }',
    stock: 'type Query { pong: Int } type Subscription { stock: Int price: Int }',
    plain: 'type Query { name: String }',
  };
  const composed = await composeOnce(
    Object.entries(sdls).map(([name, sdl]) => ({ name, url: `http://${name}.test`, sdl })),
  );
  if ('errors' in composed) throw new Error(JSON.stringify(composed.errors));
  const supergraph = await loadSupergraphInProcess(composed.sdl);
  try {
    const found = (...fed: string[]) => [
      ...findSubscribableSubgraphs(parse(supergraph.sdl), Object.fromEntries(fed.map((name) => [name, {}]))),
    ];
    expect(found()).toEqual(['news', 'stock']);
    expect(found('Subscription.stock')).toEqual(['news', 'stock']);
    expect(found('Subscription.stock', 'Subscription.price')).toEqual(['news']);
    expect(found('Subscription.stock', 'Subscription.price', 'Subscription.news')).toEqual([]);
  } finally {
    await supergraph.planner.close();
  }
});
