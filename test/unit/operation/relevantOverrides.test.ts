import { describe, expect, test } from '@jest/globals';
import { buildSchema } from 'graphql';
import { listOverrideSets } from '../../../gateway/operation/overrideDecision.ts';
import { overridesToWarm } from '../../../gateway/operation/relevantOverrides.ts';

const apiSchema = buildSchema('type Query { price: Int stock: Int name: String }');

const supergraphWith = (labels: Record<string, string>) => ({
  apiSchema,
  overrides: new Map(Object.entries(labels).map(([field, label]) => [`Query.${field}`, [label]])),
});

const before = supergraphWith({ price: 'percent(5)', stock: 'beta' });

test.each([
  ['without labels gets one plan', {}, '{price}', ['percent(5)'], [[]]],
  ['gets the labels that were on', { price: 'percent(5)' }, '{price}', ['percent(5)'], [['percent(5)']]],
  ['gets none of those that were off', { price: 'percent(5)' }, '{price}', [], [[]]],
  [
    'is planned both ways for a label that is new',
    { price: 'percent(25)' },
    '{price}',
    [],
    [[], ['percent(25)']],
  ],
  [
    'keeps what it has when another percentage comes',
    { price: 'percent(25)', stock: 'beta' },
    '{price stock}',
    ['beta', 'percent(5)'],
    [['beta'], ['beta', 'percent(25)']],
  ],
  [
    'is not planned twice for labels of fields that it does not select',
    { price: 'percent(25)' },
    '{name}',
    [],
    [[]],
  ],
  [
    'that is invalid on the new schema is planned without labels',
    { price: 'percent(5)' },
    '{gone}',
    [],
    [[]],
  ],
])('overridesToWarm for an operation %s', (_, labels, operation, overrides, expected) => {
  expect(overridesToWarm(supergraphWith(labels), before, operation, overrides)).toEqual(expected);
});

describe('listOverrideSets', () => {
  test.each([
    ['no label', [], [[]]],
    ['one label', ['percent(5)'], [[], ['percent(5)']]],
    [
      'percentages, of which a request has all that are larger',
      ['percent(5)', 'percent(50)', 'percent(50.0)', 'percent(7)'],
      [
        [],
        ['percent(50)', 'percent(50.0)'],
        ['percent(50)', 'percent(50.0)', 'percent(7)'],
        ['percent(5)', 'percent(50)', 'percent(50.0)', 'percent(7)'],
      ],
    ],
    [
      'names, which are switched one by one',
      ['beta', 'new', 'percent(5)'],
      [
        [],
        ['percent(5)'],
        ['beta'],
        ['beta', 'percent(5)'],
        ['new'],
        ['new', 'percent(5)'],
        ['beta', 'new'],
        ['beta', 'new', 'percent(5)'],
      ],
    ],
    [
      'many names, of which each is switched alone',
      ['a', 'b', 'c', 'd'],
      [[], ['a'], ['b'], ['c'], ['d'], ['a', 'b', 'c', 'd']],
    ],
  ])('has the sets that can be active for one request, for %s', (_, labels, sets) => {
    expect(listOverrideSets(labels)).toEqual(sets);
  });
});
