import { expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { anonymousClient } from '../../../../gateway/admission/identity.ts';
import { createEnrichmentJob } from '../../../../gateway/enrichment/responses/createEnrichmentJob.ts';
import type { ClientIdentity } from '../../../../gateway/execution/requestContext.ts';
import { parseExactJson } from '../../../../gateway/json/exactJson.ts';

const document = parse('{ product { advice } }');

type JobOptions = Parameters<typeof createEnrichmentJob>[0];

function requestOf(client: Partial<ClientIdentity>): JobOptions['request'] {
  return {
    document,
    operationName: undefined,
    variables: {},
    headers: new Map(),
    caller: { ...anonymousClient, ...client },
    incrementalFormat: undefined,
    requestId: 'r1',
    signal: new AbortController().signal,
  };
}

function jobOf(client: Partial<ClientIdentity>, traceparent?: string, options: Partial<JobOptions> = {}) {
  return createEnrichmentJob({
    operation: { enrichments: [] } as never,
    request: requestOf(client),
    headers: [],
    claims: client.claims,
    snapshot: { tree: '{"product":{"id":"1"}}' } as never,
    pending: [],
    traceparent,
    ...options,
  });
}

test('a job stores the identity of its client and the claims that subgraphs get, and no token', () => {
  const client = {
    identity: 'u1',
    claims: { sub: 'u1', scope: 'read' },
    tokenOwner: 'token canary',
    expiresAt: 1,
  };
  const job = JSON.parse(JSON.stringify(jobOf(client)));
  expect(job.caller).toEqual({ identity: 'u1', claims: { sub: 'u1', scope: 'read' } });
  expect(JSON.stringify(job)).not.toContain('canary');
});

test('jobs of different clients are never equal, even if their headers and data are', () => {
  const clients = [
    {},
    { identity: 'u1' },
    { identity: 'u2' },
    { identity: 'u1', claims: { scope: 'read' } },
    { identity: 'u1', claims: { scope: 'write' } },
  ];
  const ids = clients.map((client) => jobOf(client).id);
  expect(new Set(ids).size).toBe(clients.length);
  expect(jobOf({ identity: 'u1' }).id).toBe(ids[1]);
});

test('jobs are equal only if their data, their partition, their headers and those of their subgraphs are', () => {
  const snapshotOf = (tree: string, remainingSteps: readonly number[]) => ({ tree, remainingSteps }) as never;
  const computed = (value: string): Partial<JobOptions> => ({
    subgraphHeaders: [['products', { pairs: ['x-user', value], text: value } as never]],
  });
  const different: readonly Partial<JobOptions>[] = [
    {},
    { snapshot: snapshotOf('{"product":{"id":"1"}}', [1]) },
    { snapshot: snapshotOf('{"product":{"id":"2"}}', [1]) },
    { snapshot: snapshotOf('{"product":{"id":"1"}}', [2]) },
    { headers: [['authorization', 'a']] },
    { headers: [['authorization', 'b']] },
    computed('a'),
    computed('b'),
    { partition: '1' },
    { partition: '2' },
    { pending: [{ path: ['product', 'advice'], group: 1 } as never] },
  ];
  const ids = () => different.map((options) => jobOf({ identity: 'u1' }, undefined, options).id);
  expect(new Set(ids()).size).toBe(different.length);
  expect(ids()).toEqual(ids());
});

test('a job carries the trace of its request, and is equal to the same job of another trace', () => {
  const traceparents = [undefined, ...['1', '2'].map((id) => `00-${id.repeat(32)}-${id.repeat(16)}-01`)];
  const jobs = traceparents.map((traceparent) => jobOf({ identity: 'u1' }, traceparent));
  expect(jobs.map((job) => JSON.parse(JSON.stringify(job)).traceparent)).toEqual(traceparents);
  expect(new Set(jobs.map(({ id, size }) => `${id} ${size}`)).size).toBe(1);
});

test('a job keeps all digits of the numbers in its variables when a queue parses it', () => {
  const variables = parseExactJson('{"n":9007199254740993}') as JobOptions['request']['variables'];
  const request = { ...requestOf({}), variables };
  const job = JSON.parse(JSON.stringify(jobOf({}, undefined, { request })));
  expect(job.operation.variables).toBe('{"n":9007199254740993}');
});
