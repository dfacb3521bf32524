import { describe, expect, test } from '@jest/globals';
import type { CacheAdmin, CacheEntryView } from '../../../gateway/cache/cacheAdministration.ts';
import { addCacheRoutes } from '../../../gateway/cache/cacheRoutes.ts';
import { startScriptedServer } from '../../harness/scriptedServer.ts';

const nothingStored: CacheAdmin = {
  invalidate: async () => ({ kind: 'done', deleted: 0, isPending: false }),
  entriesOf: async () => ({ kind: 'entries', entries: [], isComplete: true }),
  ruleReports: () => [],
};

async function start(cache: Partial<CacheAdmin> | undefined) {
  const server = await startScriptedServer(undefined, {
    addAdminRoutes: (routes) =>
      addCacheRoutes(routes, {
        cache: cache === undefined ? undefined : { ...nothingStored, ...cache },
        bodySize: 200,
      }),
  });
  const send = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`${server.adminUrl}${path}`, init);
    return { status: response.status, headers: response.headers, body: await response.json() };
  };
  return {
    send,
    invalidate: (body: BodyInit, contentType = 'application/json') =>
      send('/cache/invalidate', { method: 'POST', headers: { 'content-type': contentType }, body }),
    entry: (parameters: Record<string, string>) => send(`/cache/entry?${new URLSearchParams(parameters)}`),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

describe('POST /cache/invalidate', () => {
  test('passes the body to the cache and returns the number of deleted entries', async () => {
    const bodies: unknown[] = [];
    await using server = await start({
      invalidate: async (body) => {
        bodies.push(body);
        return { kind: 'done', deleted: 3, isPending: true };
      },
    });
    const { status, headers, body } = await server.invalidate('{"tags":["é"]}');
    expect([status, body]).toEqual([200, { deleted: 3, pending: true }]);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(bodies).toEqual([{ tags: ['é'] }]);
  });

  test('reports all problems of the body', async () => {
    await using server = await start({
      invalidate: async () => ({
        kind: 'invalid',
        reasons: ['tags: expected a list', '"typ" is not known'],
      }),
    });
    const { status, body } = await server.invalidate('{"tags":1,"typ":2}');
    expect([status, body]).toEqual([
      400,
      {
        error: 'tags: expected a list; "typ" is not known',
        reasons: ['tags: expected a list', '"typ" is not known'],
      },
    ]);
  });

  test.each([
    [503, 'unavailable', 'no supergraph is loaded'],
    [404, 'unused', 'the supergraph has no cache rule'],
  ] as const)('answers %i with the reason if the cache is %s because %s', async (expected, kind, reason) => {
    await using server = await start({ invalidate: async () => ({ kind, reason }) });
    const { status, body } = await server.invalidate('{}');
    expect([status, body]).toEqual([expected, { error: reason }]);
  });

  test.each([
    [
      'text that is no JSON',
      '{"tags": [}',
      'application/json',
      400,
      /not valid JSON: unexpected "}" at position 10/,
    ],
    ['nothing', '', 'application/json', 400, /unexpected end of the text/],
    ['a body that is too large', `"${'x'.repeat(199)}"`, 'application/json', 413, /larger than 200 bytes/],
    ['bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'application/json', 400, /not valid UTF-8/],
    ['a text', '{"tags":["a"]}', 'text/plain', 415, /Send a JSON object .*application\/json/],
    ['a form', 'tags=a', 'application/x-www-form-urlencoded', 415, /Send a JSON object/],
    ['what has no readable content-type', '{"tags":["a"]}', 'json', 415, /Send a JSON object/],
  ])('rejects %s, and deletes nothing', async (_, body, contentType, status, error) => {
    const bodies: unknown[] = [];
    await using server = await start({
      invalidate: async (given) => {
        bodies.push(given);
        return { kind: 'done', deleted: 1, isPending: false };
      },
    });
    const answer = await server.invalidate(body, contentType);
    expect([answer.status, answer.body]).toEqual([status, { error: expect.stringMatching(error) }]);
    expect(bodies).toEqual([]);
  });

  test('rejects a request without a body', async () => {
    await using server = await start({});
    const { status, body } = await server.send('/cache/invalidate', { method: 'POST' });
    expect([status, body]).toEqual([415, { error: expect.stringContaining('Send a JSON object') }]);
  });

  test('lists the supported compressions in the response to an unsupported one', async () => {
    await using server = await start({});
    const { status, body } = await server.send('/cache/invalidate', {
      method: 'POST',
      headers: { 'content-type': 'application/json; charset=utf-8', 'content-encoding': 'compress' },
      body: '{}',
    });
    expect([status, body]).toEqual([415, { error: expect.stringContaining('gzip, br, zstd or deflate') }]);
  });
});

describe('GET /cache/entry', () => {
  const stored: CacheEntryView = {
    key: '1:abc',
    from: 'memory',
    subgraphs: ['products'],
    types: ['Product'],
    tags: ['sale'],
    storedAt: '2026-01-01T00:00:00.000Z',
    ageMs: 1,
    freshForMs: 2,
    staleWhileRevalidateForMs: 3,
    staleIfErrorForMs: 4,
    bytes: 5,
    value: { name: 'Table' },
  };

  async function startWithEntries() {
    const requested: unknown[] = [];
    const server = await start({
      entriesOf: async (entity, limit) => {
        requested.push([entity, limit]);
        return { kind: 'entries', entries: [stored], isComplete: false };
      },
    });
    return { ...server, requested, [Symbol.asyncDispose]: server[Symbol.asyncDispose] };
  }

  test.each([
    [{ type: 'Product', id: '1' }, { __typename: 'Product', id: '1' }, 100],
    [
      { type: 'Product', sku: 'a b&c', brand: 'é', limit: '7' },
      { __typename: 'Product', sku: 'a b&c', brand: 'é' },
      7,
    ],
    [{ entity: '{"__typename":"Product","id":1}', limit: '1000' }, { __typename: 'Product', id: 1 }, 1_000],
    [{ entity: '{"__typename":"A","b":{"c":"1"}}' }, { __typename: 'A', b: { c: '1' } }, 100],
  ])('reads the entity from %j', async (parameters, entity, limit) => {
    await using server = await startWithEntries();
    const { status, headers, body } = await server.entry(parameters as Record<string, string>);
    expect([status, body]).toEqual([200, { entity, entries: [stored], complete: false }]);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(server.requested).toEqual([[entity, limit]]);
  });

  test.each<[string, unknown[]]>([
    ['', [expect.stringContaining('name the entity: ?type=Product&id=1')]],
    ['?type=Product', [expect.stringContaining('the key of Product is missing;')]],
    ['?id=1', [expect.stringContaining('name the entity')]],
    ['?type=Product&__typename=User&id=1', ['__typename is not allowed here; use type']],
    ['?type=Product&id=1&id=2', ['id must be given only once']],
    ['?entity={', [expect.stringContaining('entity is not valid JSON;')]],
    [
      '?entity={}&type=Product&id=1',
      ['entity is the whole representation; remove type, id, or move them into it'],
    ],
    ['?type=Product&id=1&limit=0', ['limit is "0"; expected a number from 1 to 1000']],
    ['?type=Product&id=1&limit=1001', ['limit is "1001"; expected a number from 1 to 1000']],
    [
      '?limit=ten',
      ['limit is "ten"; expected a number from 1 to 1000', expect.stringContaining('name the entity')],
    ],
  ])('reports the problems of %j', async (search, reasons) => {
    await using server = await startWithEntries();
    const { status, body } = await server.send(`/cache/entry${search}`);
    expect([status, body]).toEqual([400, { error: expect.any(String), reasons }]);
    expect(server.requested).toEqual([]);
  });

  test('reports the problems that the cache finds in an entity', async () => {
    await using server = await start({
      entriesOf: async () => ({ kind: 'invalid', reasons: ['Prodct is no type of the supergraph.'] }),
    });
    const { status, body } = await server.entry({ type: 'Prodct', id: '1' });
    expect([status, body]).toEqual([
      400,
      { error: 'Prodct is no type of the supergraph.', reasons: ['Prodct is no type of the supergraph.'] },
    ]);
  });

  test('answers 404 if the cache has no entry', async () => {
    await using server = await start({});
    const { status, body } = await server.entry({ type: 'Product', id: '1' });
    expect([status, body]).toEqual([
      404,
      { error: 'The cache has no entry for {"__typename":"Product","id":"1"}.' },
    ]);
  });

  test.each([
    [503, 'unavailable', 'no supergraph is loaded'],
    [404, 'unused', 'the supergraph has no cache rule'],
  ] as const)('answers %i with the reason if the cache is %s because %s', async (expected, kind, reason) => {
    await using server = await start({ entriesOf: async () => ({ kind, reason }) });
    const { status, body } = await server.entry({ type: 'Product', id: '1' });
    expect([status, body]).toEqual([expected, { error: reason }]);
  });
});

test('GET /cache/rules returns the reports of the rules', async () => {
  await using server = await start({ ruleReports: () => [{ rule: 'Product' }] as never });
  const { status, headers, body } = await server.send('/cache/rules');
  expect([status, body]).toEqual([200, { rules: [{ rule: 'Product' }] }]);
  expect(headers.get('cache-control')).toBe('no-store');
});

test('the cache routes say how to enable a disabled cache', async () => {
  await using server = await start(undefined);
  const answers = [
    await server.invalidate('{}'),
    await server.entry({ type: 'Product', id: '1' }),
    await server.send('/cache/rules'),
  ];
  const off = { error: 'The cache is disabled. Set cache.enabled: true in the configuration to enable it.' };
  expect(answers.map(({ status, body }) => [status, body])).toEqual(answers.map(() => [404, off]));
});

test('other routes of the admin listener keep their own error handling', async () => {
  await using server = await start({});
  const { status, headers } = await server.send('/plan');
  expect([status, headers.get('cache-control')]).toEqual([400, null]);
});
