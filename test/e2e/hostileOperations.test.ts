import { describe, expect, test } from '@jest/globals';
import { exchange } from '../harness/rawHttp.ts';
import { singleOutcome, startScriptedServer } from '../harness/scriptedServer.ts';
import { bodyTransports, type OperationBody, transports } from '../harness/transports.ts';

const deep = `{ ${'node { '.repeat(8)} id ${'}'.repeat(8)} }`;
const aliases = `{ ${Array.from({ length: 8 }, (_, index) => `a${index}: greeting`).join(' ')} }`;
const tokens = `{ ${'greeting '.repeat(60)} }`;
const unknownHash = { version: 1, sha256Hash: '0'.repeat(64) };

const operations: [string, OperationBody, string][] = [
  ['is nested too deeply', { query: deep }, 'OPERATION_TOO_COMPLEX'],
  ['has too many aliases', { query: aliases }, 'OPERATION_TOO_COMPLEX'],
  ['has too many tokens', { query: tokens }, 'OPERATION_TOO_COMPLEX'],
  [
    'has variables that are nested too deeply',
    { query: '{ greeting }', variables: { a: [[[[[[[[[]]]]]]]]] } },
    'OPERATION_TOO_COMPLEX',
  ],
  [
    'has a name that is too long',
    { query: `query ${'x'.repeat(1_001)} { greeting }` },
    'OPERATION_TOO_COMPLEX',
  ],
  ['has a syntax error', { query: '{ greeting' }, 'GRAPHQL_PARSE_FAILED'],
  ['is invalid', { query: '{ nothing }' }, 'GRAPHQL_VALIDATION_FAILED'],
  ['introspects', { query: '{ __schema { types { name } } }' }, 'GRAPHQL_VALIDATION_FAILED'],
  [
    'names a missing operation',
    { query: 'query A { greeting }', operationName: 'B' },
    'OPERATION_RESOLUTION_FAILURE',
  ],
  [
    'has only an unregistered hash',
    { extensions: { persistedQuery: unknownHash } },
    'PERSISTED_QUERY_NOT_FOUND',
  ],
  [
    'has a hash that does not match its text',
    { query: '{ greeting }', extensions: { persistedQuery: unknownHash } },
    'BAD_REQUEST',
  ],
  [
    'has a persisted query of another version',
    { query: '{ greeting }', extensions: { persistedQuery: { version: 2 } } },
    'BAD_REQUEST',
  ],
];

function startStrict() {
  return startScriptedServer(() => singleOutcome('{}'), {
    limits: { depth: 6, aliases: 6, tokens: 50, bodySize: 2000 },
  });
}

describe.each(operations)('an operation that %s', (_, body, code) => {
  test.each(transports)(
    'is rejected over %s with the same code as over every other transport',
    async (_name, send) => {
      await using server = await startStrict();
      // Sent twice: the gateway remembers accepted operations, and must not remember this one.
      expect([await send(server.url, body), await send(server.url, body)]).toEqual([code, code]);
      expect(server.receivedOperations).toHaveLength(0);
    },
  );
});

describe('a request whose rejection depends on the transport', () => {
  const large = { query: `{ greeting } # ${'x'.repeat(3000)}` };
  const batch = [{ query: '{ greeting }' }];

  test.each([
    ['POST', bodyTransports.post, 'BAD_REQUEST', 'BAD_REQUEST'],
    ['server-sent events by POST', bodyTransports.events, 'BAD_REQUEST', 'BAD_REQUEST'],
    ["Apollo's multipart protocol", bodyTransports.parts, 'BAD_REQUEST', 'BAD_REQUEST'],
    ['WebSocket', bodyTransports.socket, 1009, 4400],
    ['a single connection event stream', bodyTransports.sharedStream, 'BAD_REQUEST', 'BAD_REQUEST'],
  ] as const)('is rejected over %s when it is too large or a batch', async (_, send, tooLarge, tooMany) => {
    await using server = await startStrict();
    expect([await send(server.url, large), await send(server.url, batch)]).toEqual([tooLarge, tooMany]);
    expect(server.receivedOperations).toHaveLength(0);
  });
});

describe('a request that a page of another site can make a browser send', () => {
  const accepts = [
    'application/json',
    '*/*',
    'text/event-stream',
    'multipart/mixed;subscriptionSpec=1.0',
    'multipart/mixed;subscriptionSpec=1.0, application/json',
    'text/event-stream, multipart/mixed',
  ];
  const operations = ['{ greeting }', 'mutation { greet(name: "a") }', 'subscription { greetings }'];
  const requests = accepts.flatMap((accept) => operations.map((query): [string, string] => [accept, query]));

  test.each(requests)('is not executed when it accepts %s: %s', async (accept, query) => {
    await using server = await startScriptedServer(() => singleOutcome('{}'));
    const origin = 'https://elsewhere.example';
    const path = `/graphql?${new URLSearchParams({ query })}`;
    const bodies = [(await exchange(server.url, { method: 'GET', path, headers: { accept, origin } })).body];
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      undefined,
    ]) {
      const headers = { accept, origin, ...(type !== undefined && { 'content-type': type }) };
      const body = JSON.stringify({ query });
      bodies.push((await exchange(server.url, { headers, body })).body);
    }
    // Server-sent events report the error in the body only. Forms with files are refused before anything else.
    for (const body of bodies)
      expect(body).toMatch(/Cross-Site Request Forgery|accepts no file uploads \(multipart\/form-data\)/);
    expect(server.receivedOperations).toHaveLength(0);
  });
});
