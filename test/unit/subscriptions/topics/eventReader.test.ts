import { expect, test } from '@jest/globals';
import { type OperationDefinitionNode, parse } from 'graphql';
import { TypeConditions } from '../../../../gateway/execution/typeConditions.ts';
import { readSupergraphNames } from '../../../../gateway/planning/supergraphNames.ts';
import { EventReader } from '../../../../gateway/subscriptions/topics/eventReader.ts';
import { TopicSchema } from '../../../../gateway/subscriptions/topics/topicSchema.ts';

const document = parse(`
  type Query { product: Product }
  interface Place { label: String }
  type Room implements Place { label: String floor: Int }
  type Yard implements Place { label: String area: Int }
  type Maker { code: String country: String }
  type Product { id: ID data: Data maker: Maker makers: [Maker] place: Place }
  scalar Data
`);
const reader = new EventReader(new TopicSchema(document), new TypeConditions(readSupergraphNames(document)));

/** The selected data of a product, and the paths of the fields that it lacks. */
function read(selection: string, value: Readonly<Record<string, unknown>>) {
  const { selectionSet } = parse(`{ ${selection} }`).definitions[0] as OperationDefinitionNode;
  const { data, missing } = reader.read(selectionSet, value, 'Product');
  return { data, missing: missing.map(({ path }) => path.join('.')) };
}

test.each([
  [
    'merges the selections of an object that is selected twice',
    '... { maker { code } makers { code } } maker { country } makers { country }',
    { maker: { code: 'a', country: 'NL' }, makers: [{ code: 'b', country: 'DE' }, null] },
    { maker: { code: 'a', country: 'NL' }, makers: [{ code: 'b', country: 'DE' }, null] },
    [],
  ],
  [
    'lacks what elements of a list lack, at their positions',
    'makers { code }',
    { makers: [{ code: 'a' }, {}, null] },
    { makers: [{ code: 'a' }, {}, null] },
    ['makers.1.code'],
  ],
  [
    'lacks a list with an element that is no object',
    'makers { code }',
    { makers: [{ code: 'a' }, 'm'] },
    {},
    ['makers'],
  ],
  ['lacks an object that is a text', 'maker { code }', { maker: 'm' }, {}, ['maker']],
  [
    'lacks all fields of fragments on an object of an unknown type',
    'place { label ... on Room { floor } ... on Yard { area } }',
    { place: { label: 'a', floor: 1 } },
    { place: { label: 'a' } },
    ['place.floor', 'place.area'],
  ],
  [
    'has the fields of fragments without a type, and lacks those within fragments on an unknown type',
    'place { ... { label } ... on Room { ... { floor } } }',
    { place: { label: 'a', floor: 1 } },
    { place: { label: 'a' } },
    ['place.floor'],
  ],
  ['has null for an object', 'maker { code }', { maker: null }, { maker: null }, []],
  [
    'has the type of an object only where it is known',
    'maker { __typename } place { __typename }',
    { maker: {}, place: {} },
    { maker: { __typename: 'Maker' }, place: {} },
    ['place.__typename'],
  ],
  ['lacks fields that Object.prototype has', 'toString', {}, {}, ['toString']],
])('an event %s', (_, selection, value, data, missing) => {
  expect(read(selection, value)).toEqual({ data, missing });
});

test('a value of an event is copied, because the event is shared', () => {
  const value = { data: { a: 1 } };
  const { data } = read('data', value);
  expect(data).toEqual(value);
  expect(data.data).not.toBe(value.data);
});

test('an object with the response name `__proto__` changes no prototype', () => {
  const { data, missing } = read('__proto__: maker { code }', { maker: { code: 'a' } });
  expect([JSON.stringify(data), missing]).toEqual(['{"__proto__":{"code":"a"}}', []]);
  expect(Object.hasOwn(Object.prototype, 'code')).toBe(false);
});
