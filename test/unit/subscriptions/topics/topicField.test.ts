import { expect, test } from '@jest/globals';
import { parse } from 'graphql';
import {
  findUnknownTopicFields,
  type TopicFields,
} from '../../../../gateway/subscriptions/topics/topicField.ts';

const document = parse(`
  schema { query: Query subscription: Events }
  type Query { ping: Int }
  type Events { stockChanged(warehouse: ID): Product! all: [Product] any: [Product]! count: Int anything: Thing }
  type Product { id: ID }
  union Thing = Product
`);

const unknown = (fields: TopicFields) => findUnknownTopicFields(fields, document);
const feed = { topic: 't', filter: {} };

test('accepts topic fields whose type is an object', () => {
  const fed = { topic: 't', filter: { warehouse: 'warehouse.id' } };
  expect(unknown({ 'Events.stockChanged': fed, 'Events.anything': feed })).toEqual([]);
});

test('reports topic fields and arguments that the supergraph lacks', () => {
  expect(
    unknown({
      'Subscription.stockChanged': feed,
      'Events.stokChanged': feed,
      'Events.all': feed,
      'Events.any': feed,
      'Events.count': feed,
      'Events.stockChanged': { topic: 't', filter: { warehose: 'id' } },
    }),
  ).toEqual([
    'subscriptions.topics["Subscription.stockChanged"]: there is no subscription field Subscription.stockChanged',
    'subscriptions.topics["Events.stokChanged"]: there is no subscription field Events.stokChanged; did you mean `Events.stockChanged`?',
    'subscriptions.topics["Events.all"]: a topic feeds only fields whose type is an object, interface or union',
    'subscriptions.topics["Events.any"]: a topic feeds only fields whose type is an object, interface or union',
    'subscriptions.topics["Events.count"]: a topic feeds only fields whose type is an object, interface or union',
    'subscriptions.topics["Events.stockChanged"]: there is no argument warehose; did you mean `warehouse`?',
  ]);
});

test('reports topic fields of a supergraph without subscriptions', () => {
  const fields = { 'Subscription.stockChanged': feed };
  expect(findUnknownTopicFields(fields, parse('schema { query: Query } type Query { ping: Int }'))).toEqual([
    'subscriptions.topics["Subscription.stockChanged"]: there is no subscription field Subscription.stockChanged',
  ]);
});
