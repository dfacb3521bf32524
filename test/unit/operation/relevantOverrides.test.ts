import { expect, test } from '@jest/globals';
import { buildSchema } from 'graphql';
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
