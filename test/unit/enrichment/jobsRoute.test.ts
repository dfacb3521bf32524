import { describe, expect, test } from '@jest/globals';
import type { JobAdmin, JobQuery, RetryResult } from '../../../gateway/enrichment/jobs/jobAdmin.ts';
import { addJobsRoute } from '../../../gateway/enrichment/jobsRoute.ts';
import { GatewayError } from '../../../gateway/errors.ts';
import { startScriptedServer } from '../../harness/scriptedServer.ts';

const failed = {
  id: 'a.1',
  state: 'failed',
  coordinates: ['Product.reviews'],
  attempts: 5,
  error: 'It is down.',
  ageMs: 1_000,
} as const;

async function start(result: RetryResult | Error = 'retried') {
  const calls: (JobQuery | string)[] = [];
  const jobs: JobAdmin = {
    list: async (query) => {
      calls.push(query);
      if (result instanceof Error) throw result;
      return [failed];
    },
    retry: async (id) => {
      calls.push(id);
      if (result instanceof Error) throw result;
      return result;
    },
  };
  const server = await startScriptedServer(undefined, {
    addAdminRoutes: (routes) => addJobsRoute(routes, jobs),
  });
  return {
    calls,
    send: async (path: string, init: RequestInit = {}) => {
      const response = await fetch(`${server.adminUrl}${path}`, init);
      expect(response.headers.get('cache-control')).toBe('no-store');
      return { status: response.status, body: await response.json() };
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

test('both routes answer 503 when the job store is not available', async () => {
  const cause = new Error('connect ECONNREFUSED');
  await using server = await start(new GatewayError('OVERLOADED', 'Ask again.', { cause }));
  const refused = { status: 503, body: { error: 'Ask again. Cause: connect ECONNREFUSED' } };
  expect(await server.send('/jobs')).toEqual(refused);
  expect(await server.send('/jobs/a.1/retry', { method: 'POST' })).toEqual(refused);
});

test('both routes answer 500 after a fault of the gateway', async () => {
  await using server = await start(new TypeError('run is undefined'));
  const refused = { status: 500, body: { error: 'Internal server error' } };
  expect(await server.send('/jobs')).toEqual(refused);
  expect(await server.send('/jobs/a.1/retry', { method: 'POST' })).toEqual(refused);
});

describe('GET /jobs', () => {
  test.each([
    ['/jobs', { state: undefined, limit: 100 }],
    ['/jobs?state=failed', { state: 'failed', limit: 100 }],
    ['/jobs?state=waiting&limit=7', { state: 'waiting', limit: 7 }],
  ])('%s lists jobs', async (path, query) => {
    await using server = await start();
    expect(await server.send(path)).toEqual({ status: 200, body: { jobs: [failed] } });
    expect(server.calls).toEqual([query]);
  });

  test.each([
    ['/jobs?state=done', 'state is "done"; expected waiting or failed.'],
    ['/jobs?state=failed&state=waiting', 'state is ["failed","waiting"]; expected waiting or failed.'],
    ['/jobs?limit=0', 'limit is "0"; expected a number from 1 to 1000.'],
    ['/jobs?limit=1001', 'limit is "1001"; expected a number from 1 to 1000.'],
    ['/jobs?limit=many', 'limit is "many"; expected a number from 1 to 1000.'],
  ])('%s is refused with 400', async (path, error) => {
    await using server = await start();
    expect(await server.send(path)).toEqual({ status: 400, body: { error } });
    expect(server.calls).toEqual([]);
  });
});

describe('POST /jobs/:id/retry', () => {
  test.each<[RetryResult, number, unknown]>([
    ['retried', 202, { id: 'a.1', state: 'waiting' }],
    ['unknown', 404, { error: expect.stringMatching(/^There is no job a\.1\. .*maxmemory-policy/) }],
    ['not failed', 409, { error: 'Job a.1 has not failed: it is running, or waits for its next attempt.' }],
    ['busy', 503, { error: expect.stringContaining('try again later') }],
  ])('answers the result %j with status %d', async (result, status, body) => {
    await using server = await start(result);
    expect(await server.send('/jobs/a.1/retry', { method: 'POST' })).toEqual({ status, body });
    expect(server.calls).toEqual(['a.1']);
  });
});
