import { expect, test } from '@jest/globals';
import { buildSchema, parse } from 'graphql';
import type { ConsumerOperation } from '../../../../contracts/contractStore.ts';
import { type ChangeEvidence, classifyChange } from '../../../../contracts/evaluation/classifyChange.ts';
import type { Finding } from '../../../../contracts/finding.ts';

const location = { file: 'contracts/operations/shop/page.graphql', line: 1, column: 1 };
const page: ConsumerOperation = {
  consumer: 'shop',
  name: 'Page',
  document: parse('query Page { shelf }'),
  location,
  slo: {},
};
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
  const trouble = {
    operation: page,
    phase: 'old gateways',
    subgraph: 'shelves',
    message: 'no',
    coordinates: ['Query.shelf'],
  } as const;
  expect(messageFor({ breakages: [trouble], deployment: { order: 'gateway first', steps: [] } })).toBe(
    'Changed.',
  );
});

function messageFor(evidence: Partial<ChangeEvidence>): string {
  const schemas = { old, next };
  return classifyChange(change, { breakages: [], deployment: undefined, users: [page], schemas, ...evidence })
    .message;
}
