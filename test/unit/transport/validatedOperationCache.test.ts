import { describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { ValidatedOperationCache } from '../../../gateway/admission/validatedOperationCache.ts';
import { GatewayError } from '../../../gateway/errors.ts';
import type { Supergraph } from '../../../gateway/supergraph/supergraph.ts';
import { singleOutcome, startScriptedServer } from '../../harness/scriptedServer.ts';

const supergraph = { id: 'one' } as Supergraph;
const text = 'query A { a } query B { b }';
const document = parse(text);

function knowing(): ValidatedOperationCache {
  const known = new ValidatedOperationCache(1000);
  known.add(text, document, supergraph);
  return known;
}

describe('an operation that was found valid before', () => {
  test('is found by its text, with what the request says about it', () => {
    expect(knowing().find({ query: text, operationName: 'A', variables: { x: 1 } }, supergraph)).toEqual({
      document,
      operationName: 'A',
      variables: { x: 1 },
      kind: 'query',
    });
  });

  test('is found where a client adds an extension of its own, as Apollo Client does', () => {
    const body = {
      query: text,
      operationName: 'B',
      extensions: { clientLibrary: { name: '@apollo/client' } },
    };
    expect(knowing().find(body, supergraph)).toEqual({
      document,
      operationName: 'B',
      variables: {},
      kind: 'query',
    });
  });

  test('is not known any more when another supergraph takes over, so that it keeps nothing of the old one', () => {
    const known = knowing();
    known.clear();
    expect(known.find({ query: text, operationName: 'A' }, supergraph)).toBeUndefined();
  });

  test.each([
    ['a text that is not known', { query: '{ a }' }],
    ['no text', { operationName: 'A' }],
    [
      'a persisted query',
      { query: text, operationName: 'A', extensions: { persistedQuery: { version: 1 } } },
    ],
    ['a name that leads to no operation', { query: text, operationName: 'C' }],
    ['several operations and no name', { query: text }],
    ['variables that are no object', { query: text, operationName: 'A', variables: [] }],
    ['a name that is no text', { query: text, operationName: 1 }],
    ['extensions that are no object', { query: text, operationName: 'A', extensions: 'x' }],
    ['a batch', [{ query: text, operationName: 'A' }]],
  ])('is left to Apollo Server for %s', (_, body) => {
    expect(knowing().find(body, supergraph)).toBeUndefined();
  });

  test('is validated again for another supergraph', () => {
    const body = { query: text, operationName: 'A' };
    expect(knowing().find(body, { id: 'two' } as Supergraph)).toBeUndefined();
    expect(knowing().find(body, undefined)).toBeUndefined();
  });

  test('is forgotten when other texts need the room', () => {
    const known = knowing();
    known.add('x'.repeat(990), document, supergraph);
    expect(known.find({ query: text, operationName: 'A' }, supergraph)).toBeUndefined();
  });
});

describe('an answer that fails in a way nobody foresaw', () => {
  test('is not tried again: a mutation may have been applied', async () => {
    let isBroken = false;
    await using server = await startScriptedServer(() => {
      if (isBroken) throw new Error('broken');
      return singleOutcome('{"greet":"hello"}');
    });
    const greet = async (): Promise<number> => {
      const response = await fetch(server.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: 'mutation { greet(name: "A") }' }),
      });
      await response.text();
      return response.status;
    };
    expect(await greet()).toBe(200);
    isBroken = true;
    expect(await greet()).toBe(500);
    expect(server.receivedOperations).toHaveLength(2);
  });

  test('is formed by Apollo Server where nothing was executed', async () => {
    let isRefused = false;
    await using server = await startScriptedServer(() => {
      if (isRefused) throw new GatewayError('OPERATION_TOO_COMPLEX', 'Too much.');
      return singleOutcome('{"greeting":"hello"}');
    });
    const ask = async (): Promise<unknown> => {
      const response = await fetch(server.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: '{ greeting }' }),
      });
      return [response.status, await response.json()];
    };
    expect(await ask()).toEqual([200, { data: { greeting: 'hello' } }]);
    isRefused = true;
    expect(await ask()).toEqual([
      400,
      { errors: [{ message: 'Too much.', extensions: { code: 'OPERATION_TOO_COMPLEX' } }] },
    ]);
  });
});
