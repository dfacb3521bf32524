import { expect, test } from '@jest/globals';
import {
  customTag,
  entityTagOf,
  parseTag,
  subgraphTag,
  typeTag,
  unknownEntityTag,
} from '../../../../gateway/cache/tags/tagNames.ts';
import { entityTag } from '../../../harness/entityTag.ts';

test.each<[string, Record<string, unknown>, Record<string, unknown>]>([
  ['a number and its text', { id: 1 }, { id: '1' }],
  ['true and its text', { id: true }, { id: 'true' }],
  ['fields in another order', { sku: 'a', id: 1 }, { id: '1', sku: 'a' }],
  [
    'fields in another order within others',
    { vendor: { name: 'b', code: 2 } },
    { vendor: { code: '2', name: 'b' } },
  ],
  [
    'fields in another order within lists',
    { parts: [{ b: 1, a: 2 }, 3] },
    { parts: [{ a: '2', b: '1' }, '3'] },
  ],
])('%s have the same entity tag', (_, one, other) => {
  expect(entityTag('Product', one)).toBe(entityTag('Product', other));
});

test('an entity tag contains the type and the canonical key', () => {
  expect(entityTag('Product', { vendor: { code: 2 }, id: null })).toBe(
    'entity:["Product",{"id":null,"vendor":{"code":"2"}}]',
  );
});

test('different things have different tags, even if their names contain separators', () => {
  const names = ['', 'a', 'a"', 'a\\', 'a\0', 'a\\u0000', '\ud800', '\udc00', '\ufffd', 'a","b', 'a:b', ' a'];
  const tags = names.flatMap((name) => [
    subgraphTag(name),
    typeTag(name),
    customTag(name),
    unknownEntityTag(name),
    unknownEntityTag('', [name]),
    unknownEntityTag(name, ['x']),
    unknownEntityTag('', [name, 'y']),
    entityTag(name, {}),
    entityTag(name, { id: '' }),
    entityTag('', { [`${name}-`]: '' }),
    entityTag('', { id: `-${name}` }),
    entityTag('', { id: [`-${name}`] }),
    entityTag('', { id: { [name]: '-' } }),
  ]);
  tags.push(
    entityTag('a', { id: null }),
    entityTag('a', { id: 'null' }),
    entityTag('a', { id: ['1', '2'] }),
    entityTag('a', { id: ['1,2'] }),
    entityTag('a', { id: '1,2' }),
  );
  // As bytes, where halves of characters would all be one.
  expect(new Set(tags.map((tag) => Buffer.from(tag).toString('latin1'))).size).toBe(tags.length);
  expect(tags.filter((tag) => tag.includes('\0'))).toEqual([]);
});

test('the tag of an unknown entity does not depend on the order of its known keys', () => {
  expect(unknownEntityTag('A', ['{ id }', '{ sku }'])).toBe(unknownEntityTag('A', ['{ sku }', '{ id }']));
});

test('different long keys have different short tags', () => {
  const [one, other] = ['a', 'b'].map((last) => entityTag('Product', { id: `${'x'.repeat(10_000)}${last}` }));
  expect(one?.length).toBeLessThan(100);
  expect(one).not.toBe(other);
  expect(one).toBe(entityTagOf('Product', `{"id":"${'x'.repeat(10_000)}a"}`));
});

test.each(['products', 'a:b', 'a "b" \\ c', 'naïve 漢', 'line\nend', '\ud800', ''])(
  'parseTag returns the name %j from the tags that contain it',
  (name) => {
    expect([subgraphTag, typeTag, customTag].map((tagOf) => parseTag(tagOf(name)))).toEqual([
      { kind: 'subgraph', name },
      { kind: 'type', name },
      { kind: 'custom', name },
    ]);
  },
);

test.each([
  entityTag('Product', { id: '1' }),
  entityTag('Product', { id: 'x'.repeat(1_000) }),
  unknownEntityTag('Product', ['id']),
  'type',
  'type:"',
  'constructor:a',
  'sale',
  '',
])('parseTag returns undefined for %j, which is not a tag with one name', (tag) => {
  expect(parseTag(tag)).toBeUndefined();
});
