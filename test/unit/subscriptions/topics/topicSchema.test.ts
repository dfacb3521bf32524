import { expect, test } from '@jest/globals';
import { parse, print } from 'graphql';
import { TopicSchema } from '../../../../gateway/subscriptions/topics/topicSchema.ts';
import type { Supergraph } from '../../../../gateway/supergraph/supergraph.ts';
import { supergraphOf, testSdl } from '../../../harness/scriptedServer.ts';

test('reads a supergraph only once when its document was attached', () => {
  let reads = 0;
  const supergraph: Supergraph = Object.defineProperty({ ...supergraphOf(testSdl) }, 'sdl', {
    get: () => {
      reads += 1;
      return testSdl;
    },
  });
  TopicSchema.attach(supergraph, parse(testSdl));
  expect(TopicSchema.of(supergraph)).toBe(TopicSchema.of(supergraph));
  expect(reads).toBe(0);
});

test('the keys of a type are those with which the subgraph itself can resolve it', () => {
  const schema = new TopicSchema(
    parse(`
      enum join__Graph {
        STOCK @join__graph(name: "stock", url: "")
        OTHER @join__graph(name: "other", url: "")
      }
      type Product
        @join__type(graph: STOCK, key: "id")
        @join__type(graph: STOCK, key: "sku", resolvable: false)
        @join__type(graph: OTHER, key: "upc")
        @join__type(graph: STOCK, key: "maker { code }")
      { id: ID! makers: [Maker!]! }
      type Maker @join__type(graph: STOCK) { code: ID }
    `),
  );
  const keysOf = (subgraph: string, type: string) =>
    schema.keysOf(subgraph, type).map((key) => print(key).replaceAll(/\s+/g, ' '));
  expect(keysOf('stock', 'Product')).toEqual(['{ id }', '{ maker { code } }']);
  expect(keysOf('other', 'Product')).toEqual(['{ upc }']);
  expect([keysOf('stock', 'Maker'), keysOf('stock', 'Unknown')]).toEqual([[], []]);
  for (let reads = 0; reads < 2; reads++) {
    expect(schema.fieldTypeOf('Product', 'makers')).toBe('Maker');
    expect(schema.fieldTypeOf('Product', 'unknown')).toBeUndefined();
    expect(schema.fieldTypeOf('Unknown', 'id')).toBeUndefined();
  }
});
