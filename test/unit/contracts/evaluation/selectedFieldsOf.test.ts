import { expect, test } from '@jest/globals';
import { buildSchema, parse } from 'graphql';
import { selectedFieldsOf } from '../../../../contracts/evaluation/selectedFieldsOf.ts';

const schema = buildSchema('type Query { me: User! } type User { id: ID! friend: User best: User! }');

test('selectedFieldsOf visits a fragment that spreads itself once', () => {
  const text =
    'query Cyc { me { ...A } } fragment A on User { id friend { ...A } ...B } fragment B on User { ...A }';
  expect(selectedFieldsOf(schema, parse(text))).toEqual([
    field('Query', 'me', false),
    field('User', 'id', false),
    field('User', 'friend', true),
  ]);
});

test('selectedFieldsOf takes linear time for fragments that spread each other twice', () => {
  const fragments = Array.from(
    { length: 60 },
    (_, index) => `fragment F${index} on User { ...F${index + 1} ...F${index + 1} }`,
  );
  const text = `query Deep { me { ...F0 } } ${fragments.join(' ')} fragment F60 on User { id }`;
  expect(selectedFieldsOf(schema, parse(text))).toEqual([
    field('Query', 'me', false),
    field('User', 'id', false),
  ]);
});

test('selectedFieldsOf reports a field as nullable only if it is nullable at every use, also inside fragments', () => {
  const text = 'query Twice { me { friend { ...A } best { ...A } } } fragment A on User { id }';
  expect(selectedFieldsOf(schema, parse(text)).at(-1)).toEqual(field('User', 'best', false));
  expect(selectedFieldsOf(schema, parse(text)).find(({ fieldName }) => fieldName === 'id')).toEqual(
    field('User', 'id', false),
  );
});

test('selectedFieldsOf says from which fields __typename is selected, also by fragments', () => {
  const text = 'query Named { me { friend { ...A } best { id } } } fragment A on User { ... { __typename } }';
  expect(
    selectedFieldsOf(schema, parse(text)).map(({ fieldName, isTypeNamed }) => [fieldName, isTypeNamed]),
  ).toEqual([
    ['me', false],
    ['friend', true],
    ['best', false],
    ['id', false],
  ]);
});

function field(typeName: string, fieldName: string, canBeNull: boolean) {
  return { typeName, fieldName, coordinate: `${typeName}.${fieldName}`, canBeNull, isTypeNamed: false };
}
