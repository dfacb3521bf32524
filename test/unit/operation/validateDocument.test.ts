import { expect, test } from '@jest/globals';
import { buildSchema, parse } from 'graphql';
import { validateDocument } from '../../../gateway/operation/validateDocument.ts';

const schema = buildSchema(`
  type Query { tick: Tick }
  type Subscription { tick: Tick }
  type Tick { at: Int }
`);

function messagesOf(text: string): readonly string[] {
  return validateDocument(schema, parse(text)).map(({ message }) => message);
}

const refused = (name: string): string =>
  `@${name} is not allowed on the root field of a subscription, because a subscription always has exactly one.`;

test.each([
  ['subscription ($on: Boolean!) { tick @include(if: $on) { at } }', ['include']],
  ['subscription { tick @skip(if: true) { at } }', ['skip']],
  ['subscription ($on: Boolean!) { ... @skip(if: $on) { tick { at } } }', ['skip']],
  [
    'subscription ($on: Boolean!) { ...A } fragment A on Subscription { ...A tick @skip(if: $on) { at } }',
    ['skip'],
  ],
  ['query A { tick { at } } subscription B($on: Boolean!) { tick @include(if: $on) { at } }', ['include']],
])('a subscription has no conditions at its root: %s', (text, names) => {
  expect(messagesOf(text)).toEqual(names.map(refused));
});

test.each([
  'subscription ($on: Boolean!) { tick { at @include(if: $on) } }',
  'query ($on: Boolean!) { tick @include(if: $on) { at } }',
  'subscription { tick { at } }',
])('other conditions are allowed: %s', (text) => {
  expect(messagesOf(text)).toEqual([]);
});

test('other rules apply as well', () => {
  expect(messagesOf('subscription { tick { at } other: tick { at } }')).toEqual([
    'Anonymous Subscription must select only one top level field.',
  ]);
});
