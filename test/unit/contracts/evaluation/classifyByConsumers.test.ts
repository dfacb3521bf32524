import { expect, test } from '@jest/globals';
import { buildSchema, parse } from 'graphql';
import type { ConsumerOperation } from '../../../../contracts/contractStore.ts';
import type { Breakage } from '../../../../contracts/evaluation/breakage.ts';
import {
  type ChangeEvidence,
  classifyByConsumers,
} from '../../../../contracts/evaluation/classifyByConsumers.ts';
import type { Finding } from '../../../../contracts/finding.ts';

const location = { file: 'contracts/operations/shop/page.graphql', line: 1, column: 1 };
const page: ConsumerOperation = {
  consumer: 'shop',
  name: 'Page',
  document: parse('query Page { shelf }'),
  location,
  slo: {},
};
const list: ConsumerOperation = { ...page, name: 'List' };
const change: Finding = {
  rule: 'field-type-changed',
  severity: 'breaking',
  message: 'Changed.',
  subgraph: 'shelves',
  coordinate: 'Query.shelf',
};
const [old, next] = [buildSchema('type Query { shelf: ID }'), buildSchema('type Query { shelf: String }')];

test('the message says that operations keep working only if that is known', () => {
  expect(messageFor({ brokenOperations: new Set() })).toBe(
    'Changed. (operations of known consumers use it, and keep working)',
  );
  // Broken by another change.
  expect(messageFor({ brokenOperations: new Set([page]) })).toBe(
    'Changed. (operations of known consumers use it)',
  );
  expect(messageFor({})).toBe('Changed. (operations of known consumers use it)');
  expect(messageFor({ brokenOperations: new Set(), schemas: { old, next: undefined } })).toBe(
    'Changed. (operations of known consumers use it)',
  );
  expect(messageFor({ users: [] })).toBe('Changed. (no operation of a known consumer uses it)');
});

test('an operation that the change breaks after the rollout has only that reason', () => {
  const breakages = [breakageIn('old gateways')];
  expect(messageFor({ breakages, deployment: { order: 'gateway first', steps: [] } })).toBe('Changed.');
});

type Case = readonly [
  name: string,
  change: Partial<Finding>,
  evidence: Partial<ChangeEvidence>,
  severity: Finding['severity'],
  reasons?: readonly string[],
];

const [wide, narrow] = ['a: ID b: ID', 'a: ID'].map((fields) =>
  buildSchema(
    `type Query { a: Shelf } type Shelf { ${fields} } type Mutation { ${fields} } type Subscription { ${fields} }`,
  ),
);
const fewerFields = { users: [], schemas: { old: wide, next: narrow } };
const unused = { users: [] };
const sameApi = { schemas: { old, next: old } };
const breakageIn = (phase: Breakage['phase'], message = 'it fails'): Breakage => ({
  operation: page,
  phase,
  subgraph: 'shelves',
  message,
  coordinates: ['Query.shelf'],
});
const uses = ['uses Query.shelf'];

test.each<Case>([
  ['a used part of the API', {}, {}, 'dangerous', uses],
  ['an unused part of the API', {}, unused, 'dangerous'],
  ['an unused part, in a way that breaks no client', { severity: 'dangerous' }, unused, 'safe'],
  ['a used part, in a way that breaks no client', { severity: 'dangerous' }, {}, 'dangerous', uses],
  ['what clients do not see', {}, sameApi, 'safe'],
  ['a safe change', { severity: 'safe' }, {}, 'safe'],
  ['a mistake', { severity: 'misuse' }, { ...unused, ...sameApi }, 'misuse'],
  ['no new graph', {}, { ...unused, schemas: { old, next: undefined } }, 'dangerous'],
  ['no old graph', {}, { ...unused, schemas: { old: undefined, next } }, 'dangerous'],
  ['a rule that decides alone', { rule: 'cached-made-public' }, { ...unused, ...sameApi }, 'breaking'],
  ['less protection', { rule: 'authenticated-removed', severity: 'dangerous' }, unused, 'dangerous'],
  ['other protection of an unused part', { rule: 'requires-scopes-changed' }, unused, 'safe'],
  ['other protection of a used part', { rule: 'requires-scopes-changed' }, {}, 'dangerous', uses],
  ['what only plans use', { rule: 'key-removed' }, {}, 'safe'],
  [
    'what only plans use, without a new graph',
    { rule: 'key-removed' },
    { schemas: { old, next: undefined } },
    'dangerous',
  ],
  ['a new optional input', { rule: 'input-field-added', severity: 'dangerous' }, {}, 'safe'],
  ['a new required input', { rule: 'input-field-added' }, {}, 'dangerous', uses],
  [
    'another default that is used',
    { rule: 'argument-default-changed', severity: 'dangerous' },
    {},
    'dangerous',
    ['may get the new default value of Query.shelf'],
  ],
  ['another default that is not used', { rule: 'argument-default-changed' }, unused, 'safe'],
  [
    'a removed type with fewer fields elsewhere',
    { rule: 'type-removed', coordinate: 'Shelf' },
    fewerFields,
    'dangerous',
  ],
  [
    'a root type with fewer fields elsewhere',
    { rule: 'mutation-type-changed', coordinate: 'Mutation' },
    fewerFields,
    'dangerous',
  ],
  [
    'a root type of subscriptions with fewer fields elsewhere',
    { rule: 'subscription-type-changed', coordinate: 'Subscription' },
    fewerFields,
    'dangerous',
  ],
  [
    'a type whose members are reported themselves',
    { rule: 'type-kind-changed', coordinate: 'Shelf' },
    fewerFields,
    'safe',
  ],
  [
    'a removed subgraph whose fields are gone',
    { rule: 'subgraph-removed', coordinate: undefined },
    unused,
    'dangerous',
  ],
  [
    'a removed subgraph whose fields others serve',
    { rule: 'subgraph-removed', coordinate: undefined },
    { ...unused, ...sameApi },
    'safe',
  ],
  [
    'a plan that fails in any order',
    { rule: 'key-removed' },
    { breakages: [breakageIn('old gateways')], deployment: { order: 'expand and contract', steps: [] } },
    'breaking',
    ['while gateways have the old supergraph: it fails'],
  ],
  [
    'a plan that fails if the subgraph is first',
    { rule: 'key-removed' },
    { breakages: [breakageIn('new gateways')], deployment: { order: 'gateway first', steps: [] } },
    'dangerous',
    ['while the old subgraph runs: it fails'],
  ],
  [
    'a plan that fails if the gateway is first',
    { rule: 'key-added', severity: 'safe' },
    { breakages: [breakageIn('new gateways')], deployment: { order: 'subgraph first', steps: [] } },
    'safe',
    ['while the old subgraph runs: it fails'],
  ],
  [
    'a new subgraph',
    { rule: 'subgraph-added', severity: 'safe' },
    { breakages: [breakageIn('new gateways')] },
    'safe',
    ['until the subgraph runs: it fails'],
  ],
  [
    'a new subgraph that breaks an operation for good',
    { rule: 'subgraph-added', severity: 'safe' },
    { breakages: [breakageIn('after rollout')] },
    'safe',
    ['it fails'],
  ],
  [
    'breakages in several phases',
    {},
    {
      breakages: [
        breakageIn('old gateways'),
        breakageIn('after rollout', 'a'),
        breakageIn('after rollout', 'b'),
      ],
    },
    'dangerous',
    ['a; b'],
  ],
  [
    'another default that breaks one of two users',
    { rule: 'argument-default-changed' },
    { users: [page, list], breakages: [breakageIn('after rollout')] },
    'dangerous',
    ['it fails', 'may get the new default value of Query.shelf'],
  ],
  [
    'another type that breaks one of two users',
    {},
    { users: [page, list], breakages: [breakageIn('after rollout')] },
    'dangerous',
    ['it fails'],
  ],
])('%s is rated by its consequences', (_, details, evidence, severity, ...[reasons]) => {
  const found = classify({ ...change, ...details }, evidence);
  expect([found.severity, found.affects?.map(({ reason }) => reason), found.deployment]).toEqual([
    severity,
    reasons,
    evidence.deployment,
  ]);
});

test.each([
  ['Nothing to do.', undefined, true],
  ['Nothing to do.', 'subgraph first', false],
  ['Roll the subgraph out before gateways get the new supergraph.', undefined, true],
  ['Roll the subgraph out before gateways get the new supergraph.', 'subgraph first', true],
  ['Roll the subgraph out before gateways get the new supergraph.', 'gateway first', false],
  ['Roll the subgraph out before gateways get the new supergraph.', 'expand and contract', false],
  ['Give gateways the new supergraph first: old plans lack it.', 'gateway first', true],
  ['Give gateways the new supergraph first: old plans lack it.', 'expand and contract', false],
  ['Deprecate the field if it is not.', 'expand and contract', true],
  ['Deprecate the field if it is not.', 'gateway first', false],
  ['Keep it.', 'expand and contract', true],
] as const)('the advice "%s" with the rollout order "%s" stays: %s', (advice, order, stays) => {
  const deployment = order && { order, steps: [] };
  const breakages = order === undefined ? [] : [breakageIn('new gateways')];
  const found = classify({ ...change, advice }, { breakages, deployment });
  expect(found.advice).toBe(
    stays ? advice : 'Follow the rollout steps: in another order, operations fail for some time.',
  );
});

test('only the message of a change that breaks less than it could is amended', () => {
  expect(classify({ ...change, severity: 'dangerous' }, {}).message).toBe('Changed.');
  expect(classify(change, sameApi).message).toBe('Changed.');
});

function messageFor(evidence: Partial<ChangeEvidence>): string {
  return classify(change, evidence).message;
}

function classify(finding: Finding, evidence: Partial<ChangeEvidence>): Finding {
  const schemas = { old, next };
  return classifyByConsumers(finding, {
    breakages: [],
    deployment: undefined,
    users: [page],
    schemas,
    ...evidence,
  });
}
