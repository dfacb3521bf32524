import { expect, test } from '@jest/globals';
import { exchangeJson } from '../../harness/rawHttp.ts';
import { FakeSupergraphView, startScriptedServer, supergraphOf } from '../../harness/scriptedServer.ts';

test.each([
  ['mutation', 'application/json', 400],
  ['subscription', 'application/json', 400],
  ['subscription', 'text/event-stream', 200],
])('a %s that the schema has no type for is not valid, with accept: %s', async (kind, accept, status) => {
  const supergraphs = new FakeSupergraphView(supergraphOf('type Query { greeting: String }'));
  await using server = await startScriptedServer(undefined, { supergraphs });
  const response = await exchangeJson(server.url, { query: `${kind} { greet }` }, { accept });
  expect(response.status).toBe(status);
  expect(response.body).toContain(`"The ${kind} operation is not supported by the schema."`);
  expect(response.body).toContain('"GRAPHQL_VALIDATION_FAILED"');
  expect([server.receivedOperations, server.logLines]).toEqual([[], []]);
});
