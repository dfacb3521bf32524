import { describe, expect, test } from '@jest/globals';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import {
  RespondPolicies,
  ResponseHeaderCollector,
  type ResponseHeaderMap,
} from '../../../gateway/execution/responseHeaderCollector.ts';
import { pickResponseHeaders } from '../../../gateway/subgraphs/pickResponseHeaders.ts';

const config = parseConfig({
  supergraph: { file: 'a' },
  subgraphs: {
    all: {
      headers: {
        respond: [
          'set-cookie',
          'x-last',
          { name: 'x-first', merge: 'first' },
          { name: 'x-all', merge: 'append' },
        ],
      },
    },
    plain: { headers: { respond: ['x-last'] } },
  },
});
const policies = RespondPolicies.of(config) as RespondPolicies;

function collect(...responses: readonly (readonly string[])[]): Record<string, string | string[]> {
  const target: ResponseHeaderMap = new Map();
  const headers = new ResponseHeaderCollector(policies, target);
  for (const pairs of responses) headers.collect('reviews', pairs);
  return Object.fromEntries(target);
}

describe('the headers of several subgraph responses', () => {
  test.each<[string, readonly (readonly string[])[], Record<string, string | string[]>]>([
    [
      'last',
      [
        ['x-last', '1'],
        ['x-last', '2'],
      ],
      { 'x-last': '2' },
    ],
    [
      'first',
      [
        ['x-first', '1'],
        ['x-first', '2'],
      ],
      { 'x-first': '1' },
    ],
    [
      'append',
      [
        ['x-all', '1'],
        ['x-all', '2'],
        ['x-all', '1'],
      ],
      { 'x-all': '1, 2' },
    ],
    [
      'append, of values that contain the separator',
      [
        ['x-all', 'a, b'],
        ['x-all', 'a, b'],
        ['x-all', 'a'],
        ['x-all', 'b, c'],
      ],
      { 'x-all': 'a, b, b, c' },
    ],
    [
      'append, of values that begin like others',
      [
        ['x-all', 'en-US'],
        ['x-all', 'en'],
      ],
      { 'x-all': 'en-US, en' },
    ],
    [
      'cookies',
      [
        ['set-cookie', 'a=1', 'set-cookie', 'b=2'],
        ['set-cookie', 'a=1'],
        ['set-cookie', 'c=3, 4'],
      ],
      { 'set-cookie': ['a=1', 'b=2', 'c=3, 4'] },
    ],
    ['a header that is not named', [['x-other', '1']], {}],
  ])('are merged: %s', (_merge, responses, expected) => {
    expect(collect(...responses)).toEqual(expected);
  });

  test('are dropped beyond 16 KB in total', () => {
    const large = 'x'.repeat(10_000);
    expect(collect(['set-cookie', `a=${large}`], ['set-cookie', `b=${large}`], ['x-last', '1'])).toEqual({
      'set-cookie': [`a=${large}`],
      'x-last': '1',
    });
  });

  test('count for this limit as they are sent: without replaced values and repeated ones', () => {
    const [cookie, one, two] = [`a=${'x'.repeat(5_000)}`, '1'.repeat(10_000), '2'.repeat(10_000)];
    const repeated = Array.from({ length: 4 }, () => ['set-cookie', cookie]);
    expect(collect(...repeated, ['x-last', one], ['x-last', two], ['x-all', '1'])).toEqual({
      'set-cookie': [cookie],
      'x-last': two,
      'x-all': '1',
    });
  });

  test('count for this limit together with those of the other operations of a batch', () => {
    const target: ResponseHeaderMap = new Map();
    for (const name of ['a', 'b']) {
      const cookie = `${name}=${'x'.repeat(10_000)}`;
      new ResponseHeaderCollector(policies, target).collect('reviews', ['set-cookie', cookie]);
    }
    expect(target.get('set-cookie')).toHaveLength(1);
  });

  test('keep the calls of requests apart only where cookies are sent to clients', () => {
    const [one, other] = [1, 2].map(() => new ResponseHeaderCollector(policies, new Map())) as [
      ResponseHeaderCollector,
      ResponseHeaderCollector,
    ];
    expect([one.partitionOf('plain'), other.partitionOf('plain')]).toEqual(['', '']);
    expect(one.partitionOf('reviews')).toBe(one.partitionOf('reviews'));
    expect(one.partitionOf('reviews')).not.toBe(other.partitionOf('reviews'));
  });

  test.each([
    ['what is left of its time', { age: '20' }, { ageMs: 20_000, freshForMs: 40_000, scope: 'PUBLIC' }],
    ['a cookie', { hasCookies: true }, { ageMs: 0, freshForMs: 60_000, scope: 'PRIVATE' }],
  ])('limit the caching of the response to %s', (_, more, expected) => {
    const config = parseConfig({
      supergraph: { file: 'a' },
      subgraphs: { reviews: { headers: { forward: ['x-region'], respond: ['cache-control'] } } },
    });
    const headers = new ResponseHeaderCollector(RespondPolicies.of(config) as RespondPolicies, new Map());
    const caching = { cacheControl: 'max-age=60', age: undefined, hasCookies: undefined, ...more };
    expect(headers.cachingOf('reviews', caching)).toEqual({
      kind: 'cached',
      headers: ['x-region'],
      ...expected,
    });
    expect(headers.cachingOf('products', caching)).toBeUndefined();
  });

  test('cost nothing where none is sent to clients', () => {
    expect(RespondPolicies.of(parseConfig({ supergraph: { file: 'a' } }))).toBeUndefined();
  });
});

describe('the headers of one subgraph response', () => {
  const names = ['set-cookie', 'x-a', 'x-b'];

  test.each<[string, Parameters<typeof pickResponseHeaders>[0], readonly string[] | undefined]>([
    ['without a named header', { 'x-c': '1' }, undefined],
    ['with several lines', { 'x-a': ['1', '2'] as unknown as string }, ['x-a', '1, 2']],
    ['with several cookies', { 'set-cookie': ['a=1', 'b=2'] }, ['set-cookie', 'a=1', 'set-cookie', 'b=2']],
    ['with a header of the connection', { 'x-a': '1', 'x-b': '2', connection: 'close, X-A' }, ['x-b', '2']],
    ['with a value that no header can have', { 'x-a': 'a\r\nb', 'x-b': 'ключ' }, undefined],
  ])('%s', (_title, headers, expected) => {
    expect(pickResponseHeaders(headers, names)).toEqual(expected);
  });
});
