import { expect, test } from '@jest/globals';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import { schemaHeadersOf } from '../../../gateway/config/schemaHeadersOf.ts';

const headers = { authorization: 'Bearer key' };
const config = parseConfig({
  supergraph: {
    subgraphs: [
      { name: 'a', url: 'http://a:1/graphql', headers },
      { name: 'b', url: 'http://b' },
    ],
  },
});

test.each([
  ['a', 'http://a:1/graphql', headers],
  ['a', 'http://a:1/other', headers],
  ['a', 'http://a:2/graphql', undefined],
  ['a', 'https://a:1/graphql', undefined],
  ['b', 'http://b', undefined],
  ['c', 'http://a:1/graphql', undefined],
])(
  'the schema of subgraph %s at %s is fetched with the headers of its origin only',
  (name, url, expected) => {
    expect(schemaHeadersOf(config, { name, url })).toEqual(expected);
  },
);

test('a configuration without subgraphs to compose has no headers for schemas', () => {
  const composed = parseConfig({ supergraph: { url: 'http://cdn', headers } });
  expect(schemaHeadersOf(composed, { name: 'a', url: 'http://cdn' })).toBeUndefined();
});
