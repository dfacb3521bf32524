import { describe, expect, test } from '@jest/globals';
import { GraphQLError } from 'graphql';
import type { ApolloServerPlugin, GatewayContext } from '../../gateway/gateway.ts';
import { Gate } from '../harness/gate.ts';
import { createManualTimers } from '../harness/manualTimers.ts';
import {
  ScriptedEvents,
  ScriptedPayloads,
  singleOutcome,
  startScriptedServer,
} from '../harness/scriptedServer.ts';
import { transports } from '../harness/transports.ts';

type Plugin = ApolloServerPlugin<GatewayContext>;

function unauthenticated(): GraphQLError {
  return new GraphQLError('Who are you?', { extensions: { code: 'UNAUTHENTICATED' } });
}

const hooks: readonly [string, Plugin, string][] = [
  [
    'its operation is known',
    { requestDidStart: async () => ({ didResolveOperation: async () => Promise.reject(unauthenticated()) }) },
    'UNAUTHENTICATED',
  ],
  // The message of Apollo Server for any failure of a plugin.
  [
    'a request begins',
    { requestDidStart: async () => Promise.reject(unauthenticated()) },
    'INTERNAL_SERVER_ERROR',
  ],
];

const operations = [
  '{ greeting }',
  '{ greeting ... @defer { node { id } } }',
  'mutation { greet(name: "a") }',
  'subscription { greetings }',
];

describe.each(hooks)('a plugin that refuses when %s', (_, plugin, code) => {
  test.each(transports)('is obeyed by %s, for every kind of operation', async (_name, ask) => {
    await using server = await startScriptedServer(() => singleOutcome('{}'), { plugins: [plugin] });
    const codes: unknown[] = [];
    for (const query of operations) {
      // The second time, the operation is already validated.
      codes.push(await ask(server.url, { query }), await ask(server.url, { query }));
    }
    const isRefused = (given: unknown) => given === code || given === 'BAD_REQUEST';
    expect(codes.map((given) => isRefused(given) || given)).toEqual(codes.map(() => true));
    expect(codes.slice(0, 4)).toEqual([code, code, code, code]);
    expect(server.receivedOperations).toHaveLength(0);
  });
});

test('a plugin whose header cannot be sent fails the response, and leaves no subscription or execution behind', async () => {
  const plugin: Plugin = {
    requestDidStart: async () => ({
      willSendResponse: async ({ response }) => {
        response.http.headers.set('x-note', '5 €');
      },
    }),
  };
  const subscription = new ScriptedEvents();
  const payloads = new ScriptedPayloads();
  payloads.push([{ data: {}, hasNext: true }]);
  await using server = await startScriptedServer(
    ({ document }) =>
      document.loc?.source.body.startsWith('subscription') ? subscription.outcome : payloads.outcome,
    { plugins: [plugin] },
  );
  const statusOf = async (accept: string, query: string): Promise<number> => {
    const headers = { 'content-type': 'application/json', accept };
    const response = await fetch(server.url, { method: 'POST', headers, body: JSON.stringify({ query }) });
    await response.text();
    return response.status;
  };
  expect([
    await statusOf('multipart/mixed;subscriptionSpec=1.0', 'subscription { greetings }'),
    await statusOf('multipart/mixed;deferSpec=20220824', '{ greeting ... @defer { node { id } } }'),
  ]).toEqual([500, 500]);
  await Promise.all([subscription.returned, payloads.returned]);
});

test.each<[string, Plugin]>([
  [
    'fails to stop',
    { serverWillStart: async () => ({ drainServer: async () => Promise.reject(new Error('not now')) }) },
  ],
  [
    'does not end stopping',
    { serverWillStart: async () => ({ serverWillStop: () => new Promise(() => {}) }) },
  ],
])('a plugin that %s does not keep the server from closing, and is in the log', async (_, plugin) => {
  const server = await startScriptedServer(() => singleOutcome('{}'), {
    plugins: [plugin],
    drainTimeout: 10,
  });
  // Apollo Server starts with the first request.
  await fetch(server.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"query":"{ greeting }"}',
  });
  await server.close();
  expect(server.logLines).toEqual(['Apollo Server plugins could not be stopped']);
});

test('a plugin that does not end stopping has what the running requests have left of the drain timeout', async () => {
  const running = new Gate();
  const timers = createManualTimers();
  const server = await startScriptedServer(
    async () => {
      await running.pass();
      return singleOutcome('{}');
    },
    {
      plugins: [{ serverWillStart: async () => ({ serverWillStop: () => new Promise(() => {}) }) }],
      drainTimeout: 60_000,
      timers,
    },
  );
  const answered = fetch(server.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"query":"{ greeting }"}',
  });
  await running.waitForArrivals();
  const closed = server.close();
  timers.after(20_000, () => {});
  timers.fire(20_000);
  running.open();
  await answered;
  await timers.waitForTimer(40_000);
  timers.fire(40_000);
  await closed;
  expect(server.logLines).toEqual(['Apollo Server plugins could not be stopped']);
});
