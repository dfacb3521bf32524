import { hash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { GraphQLSchema, parse } from 'graphql';
import { ValidatedOperationCache } from '../../../gateway/admission/validatedOperationCache.ts';
import { GatewayError } from '../../../gateway/errors.ts';
import type { Supergraph } from '../../../gateway/supergraph/supergraph.ts';
import { Gate } from '../../harness/gate.ts';
import { postJson } from '../../harness/postJson.ts';
import {
  FakeSupergraphView,
  singleOutcome,
  startScriptedServer,
  supergraphOf,
  testSdl,
} from '../../harness/scriptedServer.ts';
import { WeakList } from '../../harness/weakList.ts';

const supergraph = { id: 'one' } as Supergraph;
const text = 'query A { a } query B { b }';
const document = parse(text);

const sha256Hash = 'hash of the text';
const persisted = { persistedQuery: { version: 1, sha256Hash } };

function knowing(hasPersistedQueries = true): ValidatedOperationCache {
  const findText = (hash: string) => new Map([[sha256Hash, text]]).get(hash);
  const known = new ValidatedOperationCache(2, 1000, hasPersistedQueries ? { findText } : undefined);
  known.add(text, document, supergraph);
  return known;
}

describe('ValidatedOperationCache', () => {
  test('finds a validated operation by its text, with the name and variables of the request', () => {
    expect(knowing().find({ query: text, operationName: 'A', variables: { x: 1 } }, supergraph)).toEqual({
      document,
      operationName: 'A',
      name: 'A',
      variables: { x: 1 },
      kind: 'query',
    });
  });

  test('finds a validated operation when the request has unrelated extensions, as Apollo Client sends them', () => {
    const body = {
      query: text,
      operationName: 'B',
      extensions: { clientLibrary: { name: '@apollo/client' } },
    };
    expect(knowing().find(body, supergraph)).toEqual({
      document,
      operationName: 'B',
      name: 'B',
      variables: {},
      kind: 'query',
    });
  });

  test('finds a validated operation by the hash of its text, when a client has registered it', () => {
    const body = { operationName: 'A', variables: { x: 1 }, extensions: persisted };
    const found = { document, operationName: 'A', name: 'A', variables: { x: 1 }, kind: 'query' };
    expect(knowing().find(body, supergraph)).toEqual(found);
    expect(knowing().find({ ...body, query: null }, supergraph)).toEqual(found);
    expect(knowing(false).find(body, supergraph)).toBeUndefined();
  });

  test('holds no operation after clear, so that it does not keep an old supergraph in memory', () => {
    const known = knowing();
    known.clear();
    expect(known.find({ query: text, operationName: 'A' }, supergraph)).toBeUndefined();
  });

  test.each([
    ['an unknown text', { query: '{ a }' }],
    ['no text', { operationName: 'A' }],
    ['a text with its hash', { query: text, operationName: 'A', extensions: persisted }],
    ['an empty text with a hash', { query: '', operationName: 'A', extensions: persisted }],
    ...[undefined, 'other', { toString: () => sha256Hash }].map((hash): [string, object] => [
      `the hash ${String(hash)}, ${typeof hash}`,
      { operationName: 'A', extensions: { persistedQuery: { version: 1, sha256Hash: hash } } },
    ]),
    [
      'a hash of another version',
      { operationName: 'A', extensions: { persistedQuery: { version: 2, sha256Hash } } },
    ],
    ['an operation name that is not in the text', { query: text, operationName: 'C' }],
    ['several operations without an operation name', { query: text }],
    ['variables that are not an object', { query: text, operationName: 'A', variables: [] }],
    ['an operation name that is not a string', { query: text, operationName: 1 }],
    ['extensions that are not an object', { query: text, operationName: 'A', extensions: 'x' }],
    ['a batch', [{ query: text, operationName: 'A' }]],
  ])('leaves the request to Apollo Server for %s', (_, body) => {
    expect(knowing().find(body, supergraph)).toBeUndefined();
  });

  test('does not find an operation that was validated for another supergraph', () => {
    const body = { query: text, operationName: 'A' };
    expect(knowing().find(body, { id: 'two' } as Supergraph)).toBeUndefined();
    expect(knowing().find(body, undefined)).toBeUndefined();
  });

  test.each([
    ['the texts are too long', ['x'.repeat(990)]],
    ['there are too many', ['x', 'y']],
  ])('evicts the least recently used operation when %s', (_, others) => {
    const known = knowing();
    for (const other of others) known.add(other, document, supergraph);
    expect(known.find({ query: text, operationName: 'A' }, supergraph)).toBeUndefined();
  });
});

describe('executing a validated operation', () => {
  test('fails once for an unexpected error: the operation is not executed again, because a mutation may have been applied', async () => {
    let isBroken = false;
    await using server = await startScriptedServer(() => {
      if (isBroken) throw new Error('broken');
      return singleOutcome('{"greet":"hello"}');
    });
    const greet = async (): Promise<number> => {
      const response = await postJson(server.url, { query: 'mutation { greet(name: "A") }' });
      await response.text();
      return response.status;
    };
    expect(await greet()).toBe(200);
    isBroken = true;
    expect(await greet()).toBe(500);
    expect(server.receivedOperations).toHaveLength(2);
  });

  test('returns the error of Apollo Server when the operation was rejected before execution', async () => {
    let isRefused = false;
    await using server = await startScriptedServer(() => {
      if (isRefused) throw new GatewayError('OPERATION_TOO_COMPLEX', 'Too much.');
      return singleOutcome('{"greeting":"hello"}');
    });
    const ask = async (): Promise<unknown> => {
      const response = await postJson(server.url, { query: '{ greeting }' });
      return [response.status, await response.json()];
    };
    expect(await ask()).toEqual([200, { data: { greeting: 'hello' } }]);
    isRefused = true;
    expect(await ask()).toEqual([
      400,
      { errors: [{ message: 'Too much.', extensions: { code: 'OPERATION_TOO_COMPLEX' } }] },
    ]);
  });

  test('does not keep a supergraph in memory that was replaced while the text of an operation was read from Redis', async () => {
    const replaced = new WeakList();
    const createReplaced = (): Supergraph => {
      const created = supergraphOf(testSdl);
      return { ...created, apiSchema: replaced.add(new GraphQLSchema(created.apiSchema.toConfig())) };
    };
    const supergraphs = new FakeSupergraphView(createReplaced());
    const gate = new Gate();
    const get = async () => {
      await gate.pass();
      return '{ greeting }';
    };
    await using server = await startScriptedServer(undefined, {
      supergraphs,
      persistedQueries: { isEnabled: true, shared: { get, set: () => {} } },
    });
    const persistedQuery = { version: 1, sha256Hash: hash('sha256', '{ greeting }', 'hex') };
    const responding = postJson(server.url, { extensions: { persistedQuery } });
    await gate.waitForArrivals();
    supergraphs.set(supergraphOf(testSdl, 'second'));
    gate.open();
    expect(await (await responding).json()).toEqual({ data: { greeting: 'hello' } });
    expect(await replaced.countRemaining()).toBe(0);
  });
});
