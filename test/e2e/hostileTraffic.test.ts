import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { startInlineGateway } from '../harness/inlineGateway.ts';
import { exchange } from '../harness/rawHttp.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';
import { startTokenIssuer } from '../harness/tokenIssuer.ts';
import { type OperationBody, transports } from '../harness/transports.ts';
import { Peer } from '../harness/webSocketPeer.ts';

const json = { 'content-type': 'application/json', accept: 'application/json' };
const mostOperations = 50;
const polluted = '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}';

const issuer = disposeAfterSuite(await startTokenIssuer());
const gateway = await startInlineGateway({
  subgraphs: [
    {
      name: 'items',
      sdl: `
        scalar Anything
        type Query { item: Item echo(text: String, anything: Anything): Anything }
        type Subscription { changed: Item }
        type Item @key(fields: "id") { id: ID! name: String item: Item }
      `,
      resolvers: {
        Query: {
          item: () => ({ id: '1' }),
          echo: (_: never, { text, anything }: { text?: string; anything?: unknown }) => anything ?? text,
        },
      },
    },
    {
      name: 'notes',
      sdl: 'scalar Anything type Item @key(fields: "id") { id: ID! note: Anything }',
      resolvers: { Item: { note: () => JSON.parse(polluted) } },
    },
  ],
  // The limits are the defaults.
  config: {
    limits: { batchedOperations: mostOperations },
    security: { jwt: { issuers: [{ jwks: issuer.jwks, issuer: 'https://login.test/' }] } },
    subgraphs: {
      all: {
        headers: {
          rules: [
            { set: 'x-inherited', claim: 'toString' },
            { set: 'x-prototype', claim: '__proto__' },
            { set: 'x-constructor', claim: 'constructor' },
          ],
        },
      },
    },
    subscriptions: { topics: { 'Subscription.changed': { topic: 'changed' } } },
    enrichment: { mode: 'always', budget: '0ms', fields: { 'Item.note': {} } },
  },
});
disposeAfterSuite(gateway);

beforeEach(() => gateway.reset());

afterEach(() => {
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

function list(count: number, element: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => element(index)).join(' ');
}

const tooComplex = 'OPERATION_TOO_COMPLEX';

/** Attacks with operations. Each has the code of its rejection; `undefined` if it is executed like any other operation. */
const attacks: readonly [string, OperationBody, string | undefined][] = [
  [
    'whose fragments expand to 2^40 fields',
    {
      query: `{ ...F0 } ${list(40, (i) => `fragment F${i} on Query { ...F${i + 1} ...F${i + 1} }`)} fragment F40 on Query { echo }`,
    },
    tooComplex,
  ],
  ['with 10,000 aliases', { query: `{ ${list(10_000, (i) => `a${i}: echo`)} }` }, tooComplex],
  ['nested 1,000 levels deep', { query: `{ ${'item { '.repeat(1000)} id ${'}'.repeat(1001)}` }, tooComplex],
  [
    'with a literal that is nested 1,000 levels deep',
    { query: `{ echo(anything: ${'['.repeat(1000)}${']'.repeat(1000)}) }` },
    tooComplex,
  ],
  [
    'with a variable that is nested 1,000 levels deep',
    {
      query: 'query ($a: Anything) { echo(anything: $a) }',
      variables: { a: JSON.parse('['.repeat(1000) + ']'.repeat(1000)) },
    },
    tooComplex,
  ],
  ['of 2 MB', { query: `{ echo } #${'x'.repeat(2_000_000)}` }, 'BAD_REQUEST'],
  ['with the alias __proto__', { query: '{ __proto__: echo constructor: echo toString: echo }' }, undefined],
  [
    'with the variable __proto__',
    JSON.parse(
      '{"query":"query ($__proto__: String) { echo(text: $__proto__) }","variables":{"__proto__":"a"}}',
    ),
    undefined,
  ],
  [
    'that needs a variable which every object inherits',
    { query: 'query ($constructor: String!) { echo(text: $constructor) }', variables: {} },
    'BAD_USER_INPUT',
  ],
  [
    'with the key __proto__ in a variable',
    JSON.parse(
      `{"query":"query ($a: Anything) { echo(anything: $a) }","variables":{"a":${polluted}},"extensions":${polluted}}`,
    ),
    undefined,
  ],
  [
    'whose name is one that every object inherits',
    { query: 'query A { echo } query B { echo }', operationName: 'constructor' },
    'OPERATION_RESOLUTION_FAILURE',
  ],
  [
    'with the hash __proto__',
    { query: '{ echo }', extensions: { persistedQuery: { version: 1, sha256Hash: '__proto__' } } },
    'BAD_REQUEST',
  ],
];

/** Requests that are rejected for another reason over one transport: their target, or their message, is too large. */
const otherCodes: Readonly<Record<string, unknown>> = {
  'of 2 MB over WebSocket': 1009,
  'with 10,000 aliases over GET': 'BAD_REQUEST',
  'with 10,000 aliases over server-sent events by GET': 'BAD_REQUEST',
};

describe.each(attacks)('an operation %s', (attack, body, expected) => {
  test.each(transports)(
    'has the same result over %s as over every other transport',
    async (transport, send) => {
      const code = await send(gateway.url, body);
      // Over WebSocket, the first message of an operation without errors.
      const isResult = typeof code === 'object' && code !== null && 'type' in code && code.type === 'next';
      const exception = otherCodes[`${attack} over ${transport}`];
      expect(isResult ? undefined : code).toBe(exception ?? expected);
      if (code !== undefined && !isResult) expect(gateway.subgraph('items').calls).toEqual([]);
    },
  );

  test('has the same result in a batch', async () => {
    const batch = attack === 'of 2 MB' ? [body] : [body, { query: '{ __typename }' }];
    const response = await exchange(gateway.url, { headers: json, body: JSON.stringify(batch) });
    const result = JSON.parse(response.body);
    // Beyond a limit, the whole batch is rejected.
    const { errors } = Array.isArray(result) ? result[0] : result;
    expect(errors?.[0].extensions.code).toBe(expected);
  });
});

describe('the data of a subgraph', () => {
  const body = `{"data":{"echo":${polluted},"__proto__":{"echo":1}},"__proto__":{"errors":[{"message":"a"}]},"extensions":${polluted}}`;

  test('with the key __proto__ is sent unchanged', async () => {
    gateway.subgraph('items').answerWith(() => ({ kind: 'text', body }));
    const answer = await exchange(gateway.url, { headers: json, body: '{"query":"{ echo }"}' });
    expect(answer.body).toBe(`{"data":{"echo":${polluted}}}`);
  });

  test('with the key __proto__ is sent unchanged in an update of an enrichment job', async () => {
    const gate = gateway.subgraph('notes').hold('Item.note');
    const { body: first } = await exchange(gateway.url, {
      headers: json,
      body: '{"query":"{ item { note } }"}',
    });
    const { token } = JSON.parse(first).extensions.tributary.enrichment;
    gate.open();
    const updates = await fetch(new URL(`/enrichments/${token}`, gateway.url), {
      headers: { accept: 'text/event-stream' },
    });
    expect(await updates.text()).toContain(`"data":${polluted}`);
  });
});

test('claims that every object inherits are sent to subgraphs only if the token has them', async () => {
  const [without, own] = await Promise.all([
    issuer.sign({ sub: 'ada' }),
    issuer.sign(JSON.parse('{"sub":"ada","__proto__":"a","constructor":{"prototype":1}}')),
  ]);
  for (const [index, token] of [without, own].entries()) {
    await gateway.execute(`{ echo(text: "${index}") }`, { headers: { authorization: `Bearer ${token}` } });
  }
  const names = ['x-inherited', 'x-prototype', 'x-constructor'];
  expect(
    gateway.subgraph('items').calls.map(({ headers }) => names.map((name) => headers[name])),
  ).toStrictEqual([
    [undefined, undefined, undefined],
    [undefined, 'a', '{"prototype":1}'],
  ]);
});

describe('a forged token or id', () => {
  const ids = [
    '00000000-0000-4000-8000-000000000000',
    '__proto__',
    'constructor',
    'x'.repeat(200),
    '%00',
    '..%2f',
  ];
  const message = (action: string) =>
    JSON.stringify({ kind: 'subscription', action, id: '1', verifier: 'v' });
  const streamHeader = 'x-graphql-event-stream-token';

  test.each(ids)('is refused by every route: %j', async (id) => {
    const operation = JSON.stringify({ query: '{ echo }', extensions: { operationId: '1' } });
    const requests = [
      { headers: { ...json, [streamHeader]: id }, body: operation },
      { method: 'GET', headers: { accept: 'text/event-stream', [streamHeader]: id } },
      { method: 'DELETE', path: '/graphql?operationId=1', headers: { [streamHeader]: id } },
      { method: 'GET', path: `/enrichments/${id}` },
      { method: 'GET', path: `/enrichments/${id}`, headers: { accept: 'text/event-stream' } },
      ...['check', 'next', 'complete'].map((action) => ({
        path: `/callback/${id}`,
        headers: json,
        body: message(action),
      })),
    ];
    const responses = await Promise.all(requests.map((request) => exchange(gateway.url, request)));
    expect(responses.map(({ status }) => status)).toEqual(requests.map(() => 404));
    expect(gateway.subgraph('items').calls).toEqual([]);
  });
});

/** Counts the turns of the event loop until a promise resolves. */
async function countTurns(promise: Promise<unknown>): Promise<number> {
  let turns = 0;
  let isDone = false;
  const count = (): void => {
    turns += 1;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  await promise.finally(() => {
    isDone = true;
  });
  return turns;
}

describe('the event loop runs other tasks between', () => {
  let clock: ReturnType<typeof jest.spyOn>;

  beforeEach(() => {
    // Each look at the clock finds the turn used up, so that work pauses wherever it can, however fast the machine is.
    const now = performance.now.bind(performance);
    let looks = 0;
    clock = jest.spyOn(performance, 'now').mockImplementation(() => now() + 11 * looks++);
  });
  afterEach(() => {
    clock.mockRestore();
  });

  test('the messages of a WebSocket', async () => {
    await using peer = await Peer.ready(gateway.url);
    const count = 500;
    for (let i = 0; i < count; i++) peer.send({ type: 'ping' });
    const receiveAll = async (): Promise<void> => {
      for (let i = 0; i < count; i++) expect(await peer.next()).toEqual({ type: 'pong' });
    };
    expect(await countTurns(receiveAll())).toBeGreaterThanOrEqual(count);
  });

  test('the operations of a batch', async () => {
    const batch = Array.from({ length: mostOperations }, (_, i) => ({ query: `{ a${i}: nothing }` }));
    const response = exchange(gateway.url, { headers: json, body: JSON.stringify(batch) });
    expect(await countTurns(response)).toBeGreaterThanOrEqual(mostOperations);
    expect(JSON.parse((await response).body)).toHaveLength(mostOperations);
  });
});

describe('a connection that sends very many requests at once', () => {
  /** What the connection receives until the gateway closes it. */
  async function receiveAfter(requests: number): Promise<string> {
    const flood = connect({ host: '127.0.0.1', port: Number(new URL(gateway.url).port) });
    await once(flood, 'connect');
    const request =
      'POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 26\r\n\r\n';
    let received = '';
    flood.on('error', () => undefined).on('data', (bytes) => (received += bytes));
    flood.write(`${request}{"query":"{ __typename }"}`.repeat(requests));
    await once(flood, 'close');
    return received;
  }

  test('is closed, and others get responses', async () => {
    expect((await receiveAfter(500)).split('HTTP/1.1 200').length).toBeLessThan(130);
    expect((await gateway.execute('{ echo }')).status).toBe(200);
  });

  test('gets OVERLOADED with retry-after for the first request that is refused', async () => {
    const received = await receiveAfter(150);
    const refusal = received.slice(received.indexOf('HTTP/1.1 503'));
    expect(refusal).toMatch(/\r\nretry-after: 1\r\n(.*\r\n)*\r\n\{.*"OVERLOADED"/);
    expect(refusal).not.toContain('HTTP/1.1 200');
  });
});
