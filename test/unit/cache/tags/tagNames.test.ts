import { expect, test } from '@jest/globals';
import {
  customTag,
  entityTag,
  entityTagOf,
  subgraphTag,
  typeTag,
  unknownEntityTag,
} from '../../../../gateway/cache/tags/tagNames.ts';

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
])('%s are the same entity', (_, one, other) => {
  expect(entityTag('Product', one)).toBe(entityTag('Product', other));
});

test('the text of an entity tag', () => {
  expect(entityTag('Product', { vendor: { code: 2 }, id: null })).toBe(
    'entity:["Product",{"id":null,"vendor":{"code":"2"}}]',
  );
});

test('different things have different tags, whatever their names hold', () => {
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

test('the order of known keys does not matter', () => {
  expect(unknownEntityTag('A', ['{ id }', '{ sku }'])).toBe(unknownEntityTag('A', ['{ sku }', '{ id }']));
});

test('long keys have short tags, which differ as they do', () => {
  const [one, other] = ['a', 'b'].map((last) => entityTag('Product', { id: `${'x'.repeat(10_000)}${last}` }));
  expect(one?.length).toBeLessThan(100);
  expect(one).not.toBe(other);
  expect(one).toBe(entityTagOf('Product', `{"id":"${'x'.repeat(10_000)}a"}`));
});
