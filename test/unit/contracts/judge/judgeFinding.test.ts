import { expect, test } from '@jest/globals';
import { buildSchema, parse } from 'graphql';
import type { ConsumerOperation } from '../../../../gateway/contracts/contractStore.ts';
import type { Finding } from '../../../../gateway/contracts/finding.ts';
import { type FindingEvidence, judgeFinding } from '../../../../gateway/contracts/judge/judgeFinding.ts';

const place = { file: 'contracts/operations/shop/page.graphql', line: 1, column: 1 };
const page: ConsumerOperation = {
  consumer: 'shop',
  name: 'Page',
  document: parse('query Page { shelf }'),
  place,
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

test('operations go on working only where that is known', () => {
  expect(said({ inTrouble: new Set() })).toBe(
    'Changed. (operations of known consumers use it, and go on working)',
  );
  // By another change.
  expect(said({ inTrouble: new Set([page]) })).toBe('Changed. (operations of known consumers use it)');
  expect(said({})).toBe('Changed. (operations of known consumers use it)');
  expect(said({ inTrouble: new Set(), schemas: { old, next: undefined } })).toBe(
    'Changed. (operations of known consumers use it)',
  );
  expect(said({ users: [] })).toBe('Changed. (no operation of a known consumer uses it)');
});

test('an operation that breaks by the change itself says so, and nothing else', () => {
  const trouble = {
    operation: page,
    phase: 'old gateways',
    subgraph: 'shelves',
    message: 'no',
    coordinates: ['Query.shelf'],
  } as const;
  expect(said({ troubles: [trouble], deployment: { order: 'gateway first', steps: [] } })).toBe('Changed.');
});

function said(evidence: Partial<FindingEvidence>): string {
  const schemas = { old, next };
  return judgeFinding(change, { troubles: [], deployment: undefined, users: [page], schemas, ...evidence })
    .message;
}
