import { expect, test } from '@jest/globals';
import type { GraphQLObjectType } from 'graphql';
import { shapeData } from '../../../gateway/response/shapeData.ts';
import { runToCompletion } from '../../../gateway/time/slicedTask.ts';
import { normalizeText, schemaOf } from '../../harness/normalize.ts';

const schema = schemaOf('type Query { items: [Item] } type Item { code: Int! }');
const { root } = normalizeText(schema, '{ items { code } }');

test.each([
  ['a forbidden null', null],
  ['an invalid value', 'x'],
])('a response whose errors alone exceed the size of a response ends at the limit: %s', (_, code) => {
  const queryType = schema.getQueryType() as GraphQLObjectType;
  const shape = (count: number) => {
    const tree = { items: new Array(count).fill({ code }) };
    return runToCompletion(shapeData(schema, root, queryType, tree, [], { maxBytes: 10_000 }));
  };
  expect(shape(50).errors.length).toBeGreaterThanOrEqual(50);
  expect(() => shape(500)).toThrow('The response exceeds 10000 bytes (limits.responseSize).');
});
