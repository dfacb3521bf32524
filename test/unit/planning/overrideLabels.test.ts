import { expect, test } from '@jest/globals';
import { listOverrideLabels, readOverrideLabels } from '../../../gateway/planning/overrideLabels.ts';
import { composeSubgraphs, federatedSubgraph } from '../../harness/composeSubgraphs.ts';
import { people } from '../../harness/peopleSubgraphs.ts';

async function read(...sdls: readonly [string, string][]): Promise<Record<string, readonly string[]>> {
  const sdl = await composeSubgraphs(sdls.map(([name, text]) => federatedSubgraph(name, text)));
  return Object.fromEntries([...readOverrideLabels(sdl)].sort(([a], [b]) => (a < b ? -1 : 1)));
}

test('a supergraph without progressive @override has no override labels', async () => {
  expect(readOverrideLabels(await composeSubgraphs(people))).toEqual(new Map());
  const plain = await read(
    ['a', 'type Query { t: T } type T @key(fields: "id") { id: ID! x: Int }'],
    ['b', 'type T @key(fields: "id") { id: ID! x: Int @override(from: "a") }'],
  );
  expect(plain).toEqual({});
});

test('an override label applies to its own field and to no other field of the type', async () => {
  const labels = await read(
    ['a', 'type Query { t: T } type T @key(fields: "id") { id: ID! x: Int y: Int z: Int }'],
    [
      'b',
      'type T @key(fields: "id") { id: ID! x: Int @override(from: "a", label: "one") y: Int @override(from: "a", label: "two") }',
    ],
  );
  expect(labels).toEqual({ 'T.x': ['one'], 'T.y': ['two'] });
});

test('an override label applies to fields that require its field directly or indirectly', async () => {
  const sdl = await composeSubgraphs([
    federatedSubgraph(
      'a',
      'type Query { t: T } type T @key(fields: "id") { id: ID! u: U w: Int } type U @key(fields: "id") { id: ID! x: Int }',
    ),
    federatedSubgraph('b', 'type U @key(fields: "id") { id: ID! x: Int @override(from: "a", label: "one") }'),
    federatedSubgraph(
      'c',
      'type T @key(fields: "id") { id: ID! u: U @external far: Int @requires(fields: "u { id }") further: Int } type U @key(fields: "id") { id: ID! }',
    ),
    federatedSubgraph(
      'd',
      'type T @key(fields: "id") { id: ID! far: Int @external last: Int @requires(fields: "far") }',
    ),
  ]);
  // The composer refuses such a requirement, so that the supergraph is changed afterwards.
  const labels = readOverrideLabels(sdl.replace('requires: "u { id }"', 'requires: "u { id x }"'));
  expect([...labels.keys()].sort()).toEqual(['T.far', 'T.last', 'U.x']);
});

test('an override label of a key field applies to every field of the type', async () => {
  const labels = await read(
    ['a', 'type Query { t: T } type T @key(fields: "id") @key(fields: "sku") { id: ID! sku: ID! x: Int }'],
    ['b', 'type T @key(fields: "id") { id: ID! sku: ID! @override(from: "a", label: "one") y: Int }'],
  ).catch((error: unknown) => String(error));
  expect(labels).toMatchObject({ T: ['one'], 'T.x': ['one'], 'T.y': ['one'], 'T.id': ['one'] });
});

test('an override label applies to the same field of related interfaces and object types', async () => {
  const labels = await read(
    [
      'a',
      'type Query { i: I t: T } interface I { id: ID! x: Int } type T implements I @key(fields: "id") { id: ID! x: Int y: Int } type V implements I { id: ID! x: Int }',
    ],
    ['b', 'type T @key(fields: "id") { id: ID! x: Int @override(from: "a", label: "one") }'],
  );
  expect(labels).toEqual({ 'I.x': ['one'], 'T.x': ['one'], 'V.x': ['one'] });
});

test('an override label applies to fields that get the value of its field from context', async () => {
  const sdl = await composeSubgraphs([
    federatedSubgraph(
      'a',
      'type Query { u: U } type U @key(fields: "id") @context(name: "user") { id: ID! locale: String! t: T } type T @key(fields: "id") { id: ID! text(locale: String @fromContext(field: "$user { locale }")): String plain: String }',
    ),
    federatedSubgraph('b', 'type U @key(fields: "id") { id: ID! other: Int }'),
  ]);
  const labels = readOverrideLabels(
    sdl.replace(
      /locale: String! @join__field\(graph: A\)/,
      'locale: String! @join__field(graph: A, overrideLabel: "one") @join__field(graph: B, override: "a", overrideLabel: "one")',
    ),
  );
  expect([...labels.keys()].sort()).toEqual(['T.text', 'U.locale']);
  expect(listOverrideLabels(labels)).toEqual(['one']);
});
