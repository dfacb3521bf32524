import { expect, test } from '@jest/globals';
import { parseTag } from '../../../../gateway/cache/tags/namedTag.ts';
import {
  customTag,
  entityTag,
  subgraphTag,
  typeTag,
  unknownEntityTag,
} from '../../../../gateway/cache/tags/tagNames.ts';

test.each(['products', 'a:b', 'a "b" \\ c', 'naïve 漢', 'line\nend', '\ud800', ''])(
  'the name %j comes out of tags as it went in',
  (name) => {
    expect([subgraphTag, typeTag, customTag].map((tagOf) => parseTag(tagOf(name)))).toEqual([
      { kind: 'subgraph', name },
      { kind: 'type', name },
      { kind: 'own', name },
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
])('%j is no tag of one name', (tag) => {
  expect(parseTag(tag)).toBeUndefined();
});
