import { describe, expect, test } from '@jest/globals';
import { buildSchema, type GraphQLObjectType, parse, printType, validate, validateSchema } from 'graphql';
import { anonymousClient } from '../../../../gateway/admission/identity.ts';
import type { EnrichmentUpdate } from '../../../../gateway/enrichment/deferredEnrichments.ts';
import {
  addEnrichmentSubscription,
  isEnrichmentSubscription,
  type SubscribeWithToken,
  subscribeToEnrichment,
} from '../../../../gateway/enrichment/responses/enrichmentSubscription.ts';
import type { OperationRequest } from '../../../../gateway/operation/operationRequest.ts';

const extend = (sdl: string) => addEnrichmentSubscription(buildSchema(sdl));

function extended(sdl = 'type Query { a: Int }') {
  const result = extend(sdl);
  if ('conflict' in result) throw new Error(result.conflict);
  expect(validateSchema(result.schema)).toEqual([]);
  return result.schema;
}

describe('the schema of a graph with enrichments', () => {
  test('gets a subscription type if it has none', () => {
    const schema = extended();
    expect(printType(schema.getSubscriptionType() as GraphQLObjectType)).toContain(
      'enrichment(token: ID!): EnrichmentUpdate!',
    );
    expect(schema.getType('JSON')).toBeDefined();
  });

  test('gets a field on its subscription type, also under another name of the type', () => {
    const schema = extended(
      'schema { query: Query subscription: Live } type Query { a: Int } type Live { b: Int }',
    );
    const root = schema.getSubscriptionType();
    expect([root?.name, Object.keys(root?.getFields() ?? {})]).toEqual(['Live', ['b', 'enrichment']]);
  });

  test('uses the JSON scalar of the graph', () => {
    const schema = extended('type Query { a: JSON } "Ours." scalar JSON');
    expect(schema.getType('JSON')?.description).toBe('Ours.');
  });

  test.each([
    ['Subscription.enrichment', 'type Query { a: Int } type Subscription { enrichment: Int }'],
    ['Subscription', 'schema { query: Query } type Query { a: Subscription } type Subscription { b: Int }'],
    ['EnrichmentUpdate', 'type Query { a: EnrichmentUpdate } type EnrichmentUpdate { b: Int }'],
    ['JSON', 'type Query { a: JSON } type JSON { b: Int }'],
  ])('gets no field when the graph uses %s for something else', (conflict, sdl) => {
    expect(extend(sdl)).toEqual({ conflict });
  });
});

function requestOf(query: string, options: Partial<OperationRequest> = {}): OperationRequest {
  return {
    document: parse(query),
    operationName: undefined,
    variables: {},
    headers: new Map(),
    caller: anonymousClient,
    incrementalFormat: undefined,
    requestId: 'r',
    signal: new AbortController().signal,
    ...options,
  };
}

describe('isEnrichmentSubscription', () => {
  const schema = extended('type Query { a: Int } type Subscription { b: Int }');

  test.each([
    ['subscription { enrichment(token: "t") { data } }', true],
    ['subscription { later: enrichment(token: "t") { data } }', true],
    ['subscription { ... { enrichment(token: "t") { data } } }', true],
    [
      'subscription { ... on Subscription { ...F } } fragment F on Subscription { enrichment(token: "t") { data } }',
      true,
    ],
    ['subscription { ...F } fragment F on Subscription { enrichment(token: "t") { data } }', true],
    [
      'subscription { ...F } fragment F on Subscription { ...G } fragment G on Subscription { enrichment(token: "t") { data } }',
      true,
    ],
    ['subscription { b }', false],
    ['subscription { enrichment: b }', false],
    ['{ a }', false],
  ])('%s: %s', (query, expected) => {
    const request = requestOf(query);
    expect(validate(schema, request.document)).toEqual([]);
    expect(isEnrichmentSubscription(request)).toBe(expected);
  });

  test('checks the operation with the given name', () => {
    const query = 'subscription A { b } subscription B { enrichment(token: "t") { data } }';
    expect(
      ['A', 'B'].map((operationName) => isEnrichmentSubscription(requestOf(query, { operationName }))),
    ).toEqual([false, true]);
  });
});

async function* give(...updates: EnrichmentUpdate[]) {
  yield* updates;
}

const updateOf = (cursor: string, hasNext: boolean): EnrichmentUpdate => ({
  path: ['product', 'reviews', 0],
  label: null,
  data: { text: cursor },
  errors: null,
  hasNext,
  cursor,
});

describe('the events of Subscription.enrichment', () => {
  const schema = extended();
  const query = 'subscription ($token: ID!) { later: enrichment(token: $token) { path data hasNext } }';
  const subscribe = (subscribeWithToken: SubscribeWithToken, options: Partial<OperationRequest> = {}) =>
    subscribeToEnrichment(
      schema,
      requestOf(query, { variables: { token: 't' }, ...options }),
      subscribeWithToken,
    );

  test('are the updates with the selected fields, each with its cursor', async () => {
    const calls: unknown[][] = [];
    const { events } = await subscribe(
      async (...call) => {
        calls.push(call);
        return give(updateOf('1-0', true), updateOf('1-1', false));
      },
      { resumeAfter: '0-0' },
    );
    const received = [];
    for await (const { text, cursor } of events) received.push([JSON.parse(text), cursor]);
    expect(calls).toEqual([['t', '0-0']]);
    expect(received).toEqual(
      [
        { cursor: '1-0', hasNext: true },
        { cursor: '1-1', hasNext: false },
      ].map(({ cursor, hasNext }) => [
        {
          data: { later: { path: ['product', 'reviews', 0], data: { text: cursor }, hasNext } },
          extensions: { tributary: { cursor } },
        },
        cursor,
      ]),
    );
  });

  test('do not begin for an unknown token', async () => {
    await expect(subscribe(async () => undefined)).rejects.toMatchObject({ code: 'ENRICHMENT_EXPIRED' });
  });

  test('do not begin with invalid variables', async () => {
    await expect(subscribe(async () => give(), { variables: {} })).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
    });
  });

  test('end at once for a client that disconnects while its token is looked up', async () => {
    const client = new AbortController();
    let isReturned = false;
    const endless: AsyncIterableIterator<EnrichmentUpdate> = {
      next: () => new Promise(() => {}),
      return: async () => {
        isReturned = true;
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]: () => endless,
    };
    const subscribeWithToken: SubscribeWithToken = async () => {
      client.abort();
      return endless;
    };
    await subscribe(subscribeWithToken, { signal: client.signal });
    expect(isReturned).toBe(true);
  });

  test.each(['the client leaves', 'its reader returns'])('end when %s', async (how) => {
    const controller = new AbortController();
    const returned = Promise.withResolvers<void>();
    const endless: AsyncIterableIterator<EnrichmentUpdate> = {
      next: () => returned.promise.then(() => ({ done: true, value: undefined })),
      return: async () => {
        returned.resolve();
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]: () => endless,
    };
    const { events } = await subscribe(async () => endless, { signal: controller.signal });
    const iterator = events[Symbol.asyncIterator]();
    const next = iterator.next();
    if (how === 'the client leaves') controller.abort();
    else await iterator.return?.();
    expect(await next).toMatchObject({ done: true });
  });
});
