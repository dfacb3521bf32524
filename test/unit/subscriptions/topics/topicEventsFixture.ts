import { afterAll } from '@jest/globals';
import { loadTopicShop, openTopicShop } from '../../../harness/topicShop.ts';

export const supergraph = await loadTopicShop();
afterAll(() => supergraph.planner.close());

export const fields = {
  'Subscription.stockChanged': {
    topic: 'stock',
    filter: { warehouse: 'warehouse.id', level: 'level', sizes: 'sizes' },
  },
  'Subscription.arrived': { topic: 'arrived', filter: { at: 'at' } },
  'Subscription.moved': { topic: 'moved', filter: {} },
  'Subscription.lineChanged': { topic: 'line', filter: {} },
};
export const open = () => openTopicShop(supergraph, { fields });
type Shop = ReturnType<typeof open>;

/** Returns what a client of this operation receives for an event, and the requests to subgraphs. */
export async function send(query: string, event: object, topic = 'stock', shop: Shop = open()) {
  const client = await shop.subscribe(query);
  shop.bus.publish(topic, event);
  const { data, errors } = await client.next();
  await client.leave();
  return { data, errors, calls: shop.calls };
}

export const product = (more: object = {}) => ({ __typename: 'Product', id: '1', ...more });
