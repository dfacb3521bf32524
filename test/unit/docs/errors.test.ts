import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ApolloServerErrorCode, ApolloServerValidationErrorCode } from '@apollo/server/errors';
import { describe, expect, test } from '@jest/globals';
import { CloseCode } from 'graphql-ws';
import { errorCodes } from '../../../gateway/errors.ts';
import { exchange, RawConnection, type RawRequest } from '../../harness/rawHttp.ts';
import { FakeSupergraphView, startScriptedServer } from '../../harness/scriptedServer.ts';

const page = await readFile(join(import.meta.dirname, '../../../docs/errors.md'), 'utf8');

/** The first two columns of the tables in the section with this heading. */
function tableUnder(heading: string): Map<string, number> {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
  const rows = section.matchAll(/^\| `?([A-Z0-9_]+)`? \|(?: (\d+) \|)?/gm);
  return new Map(Array.from(rows, ([, first = '', second]) => [first, Number(second)]));
}

const gatewayCodes = tableUnder('Codes of the gateway');
const otherCodes = tableUnder('Codes of GraphQL and Apollo Server');

describe('docs/errors.md', () => {
  test("lists exactly the gateway's codes, with their statuses", () => {
    const inCode = Object.entries(errorCodes).map(([code, { status }]) => [code, status] as const);
    expect(gatewayCodes).toEqual(new Map(inCode));
  });

  test('lists the codes of Apollo Server that are not codes of the gateway', () => {
    const expected = Object.keys(ApolloServerErrorCode).filter((code) => !gatewayCodes.has(code));
    expect([...otherCodes.keys()].sort()).toEqual(expected.sort());
    expect(page).toContain(ApolloServerValidationErrorCode.INTROSPECTION_DISABLED);
  });

  test('lists the close codes of WebSockets', async () => {
    // The WebSocket library closes with this code itself.
    const codes = new Set<number>([1009]);
    const folder = join(import.meta.dirname, '../../../gateway/transport/websocket');
    for await (const file of glob('*.ts', { cwd: folder })) {
      const source = await readFile(join(folder, file), 'utf8');
      for (const [, name = ''] of source.matchAll(/\bCloseCode\.(\w+)/g))
        codes.add(CloseCode[name as keyof typeof CloseCode]);
      for (const [, code] of source.matchAll(/\bclose\((\d+),/g)) codes.add(Number(code));
    }
    const listed = [...tableUnder('Close codes of WebSockets').keys()].map(Number);
    expect(listed).toEqual([...codes].sort((a, b) => a - b));
  });
});

const operation = (body: object): RawRequest => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});
const unknownHash = { persistedQuery: { version: 1, sha256Hash: 'a'.repeat(64) } };

describe('the statuses of docs/errors.md', () => {
  test.each([
    ['GRAPHQL_PARSE_FAILED', operation({ query: '{' })],
    ['GRAPHQL_VALIDATION_FAILED', operation({ query: '{ nothing }' })],
    ['GRAPHQL_VALIDATION_FAILED', operation({ query: '{ __schema { queryType { name } } }' })],
    ['OPERATION_RESOLUTION_FAILURE', operation({ query: 'query A { greeting }', operationName: 'B' })],
    ['OPERATION_RESOLUTION_FAILURE', operation({ query: 'query A { greeting } query B { greeting }' })],
    ['OPERATION_TOO_COMPLEX', operation({ query: `{ ${'node { '.repeat(101)} id ${'} '.repeat(102)}` })],
  ] as const)('are what a client gets: %s', async (code, request) => {
    await using server = await startScriptedServer();
    const { status, body } = await exchange(server.url, request);
    const answer = JSON.parse(body) as { errors: { extensions: { code: string } }[] };
    expect([answer.errors[0]?.extensions.code, status]).toEqual([
      code,
      otherCodes.get(code) ?? gatewayCodes.get(code),
    ]);
  });

  test('equal the statuses of persisted queries', async () => {
    await using server = await startScriptedServer();
    await using closed = await startScriptedServer(undefined, {
      persistedQueries: { isEnabled: false, shared: undefined },
    });
    const request = operation({ extensions: unknownHash });
    const answers = [await exchange(server.url, request), await exchange(closed.url, request)];
    expect(answers.map(({ status, body }) => [JSON.parse(body).errors[0].extensions.code, status])).toEqual([
      // Unlike for an id of a trusted document.
      ['PERSISTED_QUERY_NOT_FOUND', 200],
      ['PERSISTED_QUERY_NOT_SUPPORTED', otherCodes.get('PERSISTED_QUERY_NOT_SUPPORTED')],
    ]);
  });

  test('equal the statuses that a client receives without a supergraph', async () => {
    await using server = await startScriptedServer(undefined, { supergraphs: new FakeSupergraphView() });
    const { status } = await exchange(server.url, operation({ query: '{ greeting }' }));
    expect(status).toBe(gatewayCodes.get('SUPERGRAPH_UNAVAILABLE'));
  });

  test('equal the statuses of rejected HTTP requests', async () => {
    await using server = await startScriptedServer();
    const json = { 'content-type': 'application/json' };
    const events = { accept: 'text/event-stream' };
    const { body: token } = await exchange(server.url, { method: 'PUT' });
    const opened = { ...events, 'x-graphql-event-stream-token': token };
    await using stream = await RawConnection.open(server.url);
    stream.send({ method: 'GET', headers: opened });
    await stream.readHead();
    const requests: RawRequest[] = [
      { method: 'POST', headers: json, body: '{' },
      { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{}' },
      { method: 'POST', headers: json, body: '[{ "query": "{ greeting }" }]' },
      {
        method: 'GET',
        headers: {
          connection: 'upgrade',
          upgrade: 'websocket',
          'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
          'sec-websocket-version': '13',
          origin: 'https://other.test',
        },
      },
      { method: 'GET', headers: { ...events, 'x-graphql-event-stream-token': 'none' } },
      { method: 'PATCH', headers: json, body: '{}' },
      {
        method: 'GET',
        path: `/graphql?query=${encodeURIComponent('mutation { greet(name: "a") }')}`,
        headers: { 'apollo-require-preflight': '1' },
      },
      { ...operation({ query: '{ greeting }' }), headers: { ...json, accept: 'image/png' } },
      { method: 'GET', headers: opened },
      { method: 'POST', headers: json, body: ' '.repeat(1_000_001) },
      { method: 'POST', headers: { 'content-type': 'application/xml' }, body: '<a/>' },
      { method: 'POST', headers: { ...json, expect: 'something' }, body: '{}' },
      { method: 'POST', headers: { ...json, 'x-long': 'y'.repeat(20_000) }, body: '{}' },
    ];
    const statuses: number[] = [];
    for (const request of requests) {
      const { status, body } = await exchange(server.url, request);
      expect([request, JSON.parse(body)]).toEqual([
        request,
        { errors: [expect.objectContaining({ extensions: { code: 'BAD_REQUEST' } })] },
      ]);
      statuses.push(status);
    }
    expect(statuses).toEqual([400, 400, 400, 403, 404, 405, 405, 406, 409, 413, 415, 417, 431]);
    const listed = [...tableUnder('BAD_REQUEST by status').keys()].map(Number);
    expect(listed).toEqual([...new Set(statuses)]);
  });
});
