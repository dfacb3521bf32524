import { createHash } from 'node:crypto';
import { ApolloServer } from '@apollo/server';
import { describe, expect, jest, test } from '@jest/globals';
import { readManifests } from '../../../gateway/admission/documents/documentManifest.ts';
import { TrustedDocuments } from '../../../gateway/admission/documents/trustedDocuments.ts';
import { runToCompletion } from '../../../gateway/time/slicedTask.ts';
import { exchange, exchangeJson, type RawResponse } from '../../harness/rawHttp.ts';
import { type ScriptedServer, startScriptedServer } from '../../harness/scriptedServer.ts';
import { bodyTransports, type OperationBody, transports } from '../../harness/transports.ts';

const text = 'query Greeting($name: String) {\n  greeting(name: $name)\n}';
const sha256 = createHash('sha256').update(text).digest('hex');
const other = '{ node { id } }';
const otherHash = createHash('sha256').update(other).digest('hex');
const hashed = (sha256Hash: string) => ({ extensions: { persistedQuery: { version: 1, sha256Hash } } });

function documents(mode: 'prefer' | 'require'): TrustedDocuments {
  const map = {
    greeting: text,
    greet: 'mutation { greet(name: "a") }',
    deep: `{ ${'node { '.repeat(9)} id ${'}'.repeat(9)} }`,
  };
  const result = runToCompletion(readManifests([{ path: 'a.json', text: JSON.stringify(map) }]));
  if (!('manifest' in result)) throw new Error(JSON.stringify(result.problems));
  return new TrustedDocuments(mode, result.manifest);
}

const start = (mode: 'prefer' | 'require' | 'off') =>
  startScriptedServer(undefined, {
    ...(mode === 'off' ? {} : { trustedDocuments: documents(mode) }),
    limits: { depth: 6, batchedOperations: 10 },
  });

const post = (server: ScriptedServer, body: unknown): Promise<RawResponse> => exchangeJson(server.url, body);

const get = (server: ScriptedServer, parameters: ConstructorParameters<typeof URLSearchParams>[0]) =>
  exchange(server.url, {
    method: 'GET',
    path: `/graphql?${new URLSearchParams(parameters)}`,
    headers: { 'apollo-require-preflight': 'yes' },
  });

const errorOf = ({ status, body }: RawResponse): unknown => {
  const [error] = JSON.parse(body).errors ?? [];
  return [status, error?.extensions.code, error?.message];
};

/** A transport returns the code of the first error, and nothing of an answer. */
const isAnswer = (result: unknown) =>
  result === undefined || (result as { type?: string } | undefined)?.type === 'next';

const named: [string, OperationBody][] = [
  ['documentId', { documentId: 'greeting' }],
  ['documentId with the prefixed hash', { documentId: `sha256:${sha256}` }],
  ['id', { id: 'greeting' }],
  ["doc_id, and Relay's absent text", { doc_id: 'greeting', query: null }],
  ['an id as the hash of a persisted query', hashed('greeting')],
  ['the hash of its text', hashed(sha256)],
];

describe.each(['prefer', 'require'] as const)('a trusted document in the mode %s', (mode) => {
  test.each(named)('is executed over every transport by %s', async (_, body) => {
    await using server = await start(mode);
    for (const [name, send] of transports) {
      // The protocol of WebSockets requires text, and a query string has no null.
      const { query: _absent, ...sendable } = body as Readonly<Record<string, unknown>>;
      expect([name, isAnswer(await send(server.url, sendable))]).toEqual([name, true]);
    }
    await post(server, body);
    expect(server.receivedOperations).toHaveLength(transports.length + 1);
    for (const { document } of server.receivedOperations) {
      expect(document.loc?.source.body).toBe(text);
    }
  });

  test('is executed with its variables, name and extensions', async () => {
    await using server = await start(mode);
    const body = {
      documentId: 'greeting',
      operationName: 'Greeting',
      variables: { name: 'Ada' },
      extensions: { tributary: { cursor: '7-0' } },
    };
    await post(server, body);
    await post(server, body);
    await get(server, {
      ...body,
      variables: JSON.stringify(body.variables),
      extensions: JSON.stringify(body.extensions),
    });
    expect(
      server.receivedOperations.map(({ operationName, variables, resumeAfter }) => [
        operationName,
        variables,
        resumeAfter,
      ]),
    ).toEqual(Array.from({ length: 3 }, () => ['Greeting', { name: 'Ada' }, '7-0']));
  });

  test('is executed in a batch', async () => {
    await using server = await start(mode);
    const { body } = await post(server, [{ documentId: 'greeting' }, hashed(sha256), { query: text }]);
    expect(JSON.parse(body)).toEqual(Array.from({ length: 3 }, () => ({ data: { greeting: 'hello' } })));
  });

  test('is named by its number in a batch if its id is unknown', async () => {
    await using server = await start(mode);
    const { body } = await post(server, [{ documentId: 'greeting' }, { documentId: 'unknown' }]);
    const [{ message, extensions }] = JSON.parse(body).errors;
    expect([message, extensions]).toEqual([
      expect.stringMatching(/^Operation 2 of the batch: No trusted document has this id\./),
      { code: 'PERSISTED_QUERY_NOT_FOUND' },
    ]);
  });

  test('bypasses Apollo Server when it is sent again, by POST and by GET', async () => {
    await using server = await start(mode);
    const apollo = jest.spyOn(ApolloServer.prototype, 'executeHTTPGraphQLRequest');
    apollo.mockClear();
    const first = await post(server, { documentId: 'greeting' });
    expect(apollo).toHaveBeenCalledTimes(1);
    for (const body of [{ documentId: 'greeting' }, { id: 'greeting' }, hashed(sha256)]) {
      expect((await post(server, body)).body).toBe(first.body);
      const parameters = Object.entries(body).map(
        ([name, value]) =>
          [name, typeof value === 'string' ? value : JSON.stringify(value)] as [string, string],
      );
      const { status, headers, body: answer } = await get(server, parameters);
      expect([status, headers.get('content-type'), answer]).toEqual([
        200,
        first.headers.get('content-type'),
        first.body,
      ]);
    }
    expect(apollo).toHaveBeenCalledTimes(1);
  });

  test('is refused by GET with deeply nested extensions', async () => {
    await using server = await start(mode);
    // With a key that is a number, JSON.stringify recurses.
    const extensions = `{"1":${'['.repeat(8000)}${']'.repeat(8000)}}`;
    // Not encoded, because the text would be longer than a request line may be.
    const answer = await exchange(server.url, {
      method: 'GET',
      path: `/graphql?documentId=greeting&extensions=${extensions}`,
      headers: { 'apollo-require-preflight': 'yes' },
    });
    expect(errorOf(answer)).toEqual([
      400,
      'BAD_REQUEST',
      'The extensions are nested more than 100 levels deep.',
    ]);
  });

  test('is no mutation by GET', async () => {
    await using server = await start(mode);
    await post(server, { documentId: 'greet' });
    expect((await get(server, { documentId: 'greet' })).status).toBe(405);
    expect(server.receivedOperations).toHaveLength(1);
  });

  test('is refused beyond the limits', async () => {
    await using server = await start(mode);
    for (const [name, send] of transports) {
      expect([name, await send(server.url, { documentId: 'deep' })]).toEqual([name, 'OPERATION_TOO_COMPLEX']);
    }
    expect(server.receivedOperations).toHaveLength(0);
  });

  test.each(['documentId', 'id', 'doc_id'])(
    'is not found by an unknown %s over any transport',
    async (name) => {
      await using server = await start(mode);
      for (const [transport, send] of transports) {
        const code = await send(server.url, { [name]: 'none' });
        expect([transport, code]).toEqual([transport, 'PERSISTED_QUERY_NOT_FOUND']);
      }
      expect(errorOf(await post(server, { [name]: 'none' }))).toEqual([
        400,
        'PERSISTED_QUERY_NOT_FOUND',
        expect.stringMatching(/^No trusted document has this id\. Send an id of the manifest /),
      ]);
    },
  );

  test('is not found by an unknown hash with the answer for automatic persisted queries', async () => {
    await using server = await start(mode);
    expect(errorOf(await post(server, hashed(otherHash)))).toEqual([
      200,
      'PERSISTED_QUERY_NOT_FOUND',
      'PersistedQueryNotFound',
    ]);
  });

  test('has an id that is one text', async () => {
    await using server = await start(mode);
    const refused = [400, 'BAD_REQUEST', 'The id of a document must be one text (`documentId`).'];
    expect([
      errorOf(await post(server, { documentId: 5 })),
      errorOf(await post(server, { documentId: ['greeting'] })),
      errorOf(
        await get(server, [
          ['documentId', 'greeting'],
          ['documentId', 'greet'],
        ]),
      ),
    ]).toEqual([refused, refused, refused]);
  });

  test.each([{ id: '' }, { doc_id: null, query: null }])(
    'is not named by an empty id, and the error says that there is no operation: %j',
    async (body) => {
      await using server = await start(mode);
      expect(errorOf(await post(server, body))).toEqual([
        400,
        'BAD_REQUEST',
        'GraphQL operations must contain a non-empty `query` or a `persistedQuery` extension.',
      ]);
    },
  );

  test('is replaced with the manifest', async () => {
    const trusted = documents(mode);
    await using server = await startScriptedServer(undefined, { trustedDocuments: trusted });
    await post(server, { documentId: 'greeting' });
    const changed = runToCompletion(readManifests([{ path: 'a.json', text: '{"new": "{ greeting }"}' }]));
    trusted.replace((changed as Extract<typeof changed, { manifest: unknown }>).manifest);
    expect([
      (await post(server, { documentId: 'new' })).body,
      errorOf(await post(server, { documentId: 'greeting' })),
    ]).toEqual(['{"data":{"greeting":"hello"}}', [400, 'PERSISTED_QUERY_NOT_FOUND', expect.any(String)]]);
  });
});

describe('an operation that is no trusted document', () => {
  const sent: [string, OperationBody][] = [
    ['by text', { query: other }],
    ['by text, with the id of a trusted document', { query: other, documentId: 'greeting' }],
    ['by text and hash', { query: other, ...hashed(otherHash) }],
    ['by text, with the hash of a trusted document', { query: other, ...hashed(sha256) }],
    ['as a text with a syntax error', { query: `${text} }` }],
  ];

  test.each(sent)('is refused over every transport with require, and not registered: %s', async (_, body) => {
    await using server = await start('require');
    for (const [name, send] of transports) {
      expect([name, await send(server.url, body)]).toEqual([name, 'PERSISTED_QUERY_NOT_ALLOWED']);
    }
    const message =
      'The operation is not one of the trusted documents, and no other is allowed (security.trustedDocuments). Add it to the manifest.';
    expect(errorOf(await post(server, body))).toEqual([400, 'PERSISTED_QUERY_NOT_ALLOWED', message]);
    expect(errorOf(await post(server, [{ documentId: 'greeting' }, body]))).toEqual([
      400,
      'PERSISTED_QUERY_NOT_ALLOWED',
      `Operation 2 of the batch: ${message}`,
    ]);
    expect(errorOf(await post(server, hashed(otherHash)))).toEqual([
      200,
      'PERSISTED_QUERY_NOT_FOUND',
      expect.any(String),
    ]);
    expect(server.receivedOperations).toHaveLength(0);
  });

  test('is refused with require, however its query string is written', async () => {
    await using server = await start('require');
    const statuses = [
      await get(server, [
        ['query', other],
        ['id', 'greeting'],
        ['id', 'greet'],
      ]),
      await get(server, [
        ['query', text],
        ['query', other],
      ]),
      await get(server, { query: other, variables: '{' }),
      await get(server, { query: other, extensions: '5' }),
      await post(server, { query: { kind: 'Document' }, documentId: 'none' }),
      await post(server, [[{ query: other }]]),
    ].map(({ status }) => status);
    expect(statuses).toEqual([400, 400, 400, 400, 400, 400]);
    expect(server.receivedOperations).toHaveLength(0);
  });

  test('is too complex before it is compared with the documents', async () => {
    await using server = await start('require');
    const deep = `{ ${'node { '.repeat(8)} id ${'}'.repeat(8)} }`;
    expect(errorOf(await post(server, { query: deep }))).toEqual([
      400,
      'OPERATION_TOO_COMPLEX',
      expect.any(String),
    ]);
  });

  test('is executed and registered with prefer', async () => {
    await using server = await start('prefer');
    const registered = { query: other, ...hashed(otherHash) };
    for (const body of [{ query: other }, { query: other, id: 'none' }, registered, hashed(otherHash)]) {
      expect((await post(server, body)).status).toBe(200);
    }
    expect(server.receivedOperations).toHaveLength(4);
  });

  test('is executed with the mode off, which ignores ids', async () => {
    await using server = await start('off');
    expect((await post(server, { query: other, documentId: 5, id: 'greeting' })).status).toBe(200);
    expect(errorOf(await post(server, { documentId: 'greeting' }))).toEqual([
      400,
      'BAD_REQUEST',
      expect.any(String),
    ]);
    expect(await bodyTransports.socket(server.url, { documentId: 'greeting' })).toBe('BAD_REQUEST');
  });
});

describe('the text of a trusted document with require', () => {
  test.each<[string, OperationBody]>([
    ['alone', { query: text }],
    ['in another format, with comments', { query: `# Shop\n${text.replaceAll('\n', ' ')} # end` }],
    ['with its hash', { query: text, ...hashed(sha256) }],
    [
      'with an id in place of the hash, as a client sends it after a miss',
      { query: text, ...hashed('greeting') },
    ],
  ])('is executed over every transport: %s', async (_, body) => {
    await using server = await start('require');
    for (const [name, send] of transports) {
      expect([name, isAnswer(await send(server.url, body))]).toEqual([name, true]);
    }
    expect(server.receivedOperations.map(({ document }) => document.loc?.source.body)).toEqual(
      transports.map(() => text),
    );
  });
});

test.each<[string, Readonly<Record<string, unknown>>]>([
  ['an empty id', { id: '' }],
  ['an unknown id beside the hash of an automatic persisted query', { id: 'a', ...hashed(otherHash) }],
  ['the text of a document in another form', { query: `${text} ` }],
])('with prefer, the operation stays what it is for %s', (_, body) => {
  const checkText = (): never => {
    throw new Error('The text is not read here.');
  };
  expect(documents('prefer').resolve(body, checkText)).toBe(body);
});
