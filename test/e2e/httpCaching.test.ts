import { describe, expect, test } from '@jest/globals';
import type { ResponseCaching } from '../../gateway/response/responseCaching.ts';
import { exchange, type RawRequest, type RawResponse } from '../harness/rawHttp.ts';
import {
  ScriptedPayloads,
  type ScriptedServer,
  singleOutcome,
  startScriptedServer,
} from '../harness/scriptedServer.ts';

const json = { 'content-type': 'application/json' };
const hello = JSON.stringify({ query: '{ greeting }' });
const data = '{"greeting":"hello"}';
const fresh: ResponseCaching = { cacheControl: 'public, max-age=15', age: '5', vary: undefined };
const stale = { tributary: { stale: [{ path: ['greeting'], ageMs: 20, reason: 'error' }] } };
const cacheable = { 'cache-control': 'public, max-age=15', age: '5', vary: 'accept' };
const notCacheable = { 'cache-control': 'no-store' };

const asPost: RawRequest = { headers: json, body: hello };
const asGet: RawRequest = {
  method: 'GET',
  path: `/graphql?query=${encodeURIComponent('{ greeting }')}`,
  headers: json,
};

type Overrides = Parameters<typeof startScriptedServer>[1];

function startServer(caching: ResponseCaching | undefined, overrides?: Overrides): Promise<ScriptedServer> {
  return startScriptedServer(() => singleOutcome(data, { caching, extensions: stale }), overrides);
}

/** The caching headers of a response. */
function cachingHeadersOf({ headers }: RawResponse): Record<string, string> {
  return Object.fromEntries(
    ['cache-control', 'age', 'vary'].flatMap((name) => {
      const value = headers.get(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** A plugin that sets these headers on every response. */
function pluginWith(own: Readonly<Record<string, string>>): Overrides {
  return {
    plugins: [
      {
        requestDidStart: () =>
          Promise.resolve({
            willSendResponse: ({ response }) => {
              for (const [name, value] of Object.entries(own)) response.http.headers.set(name, value);
              return Promise.resolve();
            },
          }),
      },
    ],
  };
}

describe('a cacheable response', () => {
  test('has caching headers and lists its stale values, for new and for validated operations', async () => {
    await using server = await startServer(fresh);
    for (let round = 0; round < 2; round++) {
      const response = await exchange(server.url, asPost);
      expect(cachingHeadersOf(response)).toEqual(cacheable);
      expect(response.body).toBe(`{"data":${data},"extensions":${JSON.stringify(stale)}}`);
    }
  });

  test('has the same caching headers over GET every time', async () => {
    await using server = await startServer(fresh);
    for (let round = 0; round < 2; round++) {
      const response = await exchange(server.url, asGet);
      expect([response.status, cachingHeadersOf(response)]).toEqual([200, cacheable]);
      expect(response.body).toBe(`{"data":${data},"extensions":${JSON.stringify(stale)}}`);
    }
  });

  test('has the same caching headers for a client that accepts only multipart', async () => {
    await using server = await startServer(fresh);
    const response = await exchange(server.url, {
      ...asPost,
      headers: { ...json, accept: 'multipart/mixed' },
    });
    expect(cachingHeadersOf(response)).toEqual(cacheable);
    expect(response.body).toContain(`{"data":${data},"extensions":${JSON.stringify(stale)},"hasNext":false}`);
  });

  test('has no age header when the age is unknown', async () => {
    await using server = await startServer({ ...fresh, age: undefined });
    expect(cachingHeadersOf(await exchange(server.url, asPost))).toEqual({
      'cache-control': 'public, max-age=15',
      vary: 'accept',
    });
  });

  test.each([
    ['all', ['*'], 'accept, authorization, x-user'],
    ['some', ['https://shop.example'], 'origin, accept, authorization, x-user'],
  ])(
    'lists every header that it depends on in vary when CORS allows %s origins',
    async (_, origins, vary) => {
      await using server = await startServer(
        { ...fresh, vary: 'authorization, x-user' },
        { security: { cors: { origins } } },
      );
      for (const request of [asPost, asPost, asGet]) {
        const response = await exchange(server.url, {
          ...request,
          headers: { ...json, origin: 'https://shop.example' },
        });
        expect(cachingHeadersOf(response)).toEqual({ ...cacheable, vary });
      }
    },
  );
});

test('a cacheable response with a cookie is private, unless a plugin has set cache-control', async () => {
  const cookie = { 'set-cookie': 'session=1' };
  await using server = await startServer(fresh, pluginWith(cookie));
  expect(cachingHeadersOf(await exchange(server.url, asGet))).toEqual({
    ...cacheable,
    'cache-control': 'private, max-age=15',
  });
  const own = { 'cache-control': 'public, max-age=1' };
  await using other = await startServer(fresh, pluginWith({ ...cookie, ...own }));
  expect(cachingHeadersOf(await exchange(other.url, asGet))).toEqual({ vary: 'accept', ...own });
});

describe('a response that is not cacheable', () => {
  test('has cache-control no-store over POST and GET, for new and for validated operations', async () => {
    await using server = await startServer(undefined, {
      security: { cors: { origins: ['https://shop.example'] } },
    });
    for (const request of [asPost, asPost, asGet]) {
      expect(cachingHeadersOf(await exchange(server.url, request))).toEqual({
        ...notCacheable,
        vary: 'origin',
      });
    }
  });

  test('is the response to a batch, which lists the stale values of each operation', async () => {
    await using server = await startServer(fresh, { limits: { batchedOperations: 2 } });
    const response = await exchange(server.url, { headers: json, body: `[${hello},${hello}]` });
    expect(cachingHeadersOf(response)).toEqual(notCacheable);
    const one = { data: JSON.parse(data) as unknown, extensions: stale };
    expect(JSON.parse(response.body)).toEqual([one, one]);
  });

  test('is a response in several payloads', async () => {
    const payloads = new ScriptedPayloads();
    payloads.push([{ data: {}, hasNext: true }, { hasNext: false }]);
    await using server = await startScriptedServer(() => payloads.outcome);
    const response = await exchange(server.url, {
      ...asPost,
      headers: { ...json, accept: 'multipart/mixed' },
    });
    expect(cachingHeadersOf(response)).toEqual(notCacheable);
  });

  test('is a response to which a plugin added an error', async () => {
    await using server = await startServer(fresh, {
      plugins: [
        {
          requestDidStart: () =>
            Promise.resolve({
              willSendResponse: ({ response: { body } }) => {
                if (body.kind === 'single') body.singleResult.errors = [{ message: 'no' }];
                return Promise.resolve();
              },
            }),
        },
      ],
    });
    const response = await exchange(server.url, asPost);
    expect(JSON.parse(response.body)).toMatchObject({ errors: [{ message: 'no' }], extensions: stale });
    expect(cachingHeadersOf(response)).toEqual(notCacheable);
  });

  test('is a response whose status a plugin changed', async () => {
    await using server = await startServer(fresh, {
      plugins: [
        {
          requestDidStart: () =>
            Promise.resolve({
              willSendResponse: ({ response }) => {
                response.http.status = 402;
                return Promise.resolve();
              },
            }),
        },
      ],
    });
    const response = await exchange(server.url, asPost);
    expect([response.status, cachingHeadersOf(response)]).toEqual([402, notCacheable]);
  });
});

describe('a caching header of a plugin', () => {
  test('is kept when it is cache-control, and vary is added', async () => {
    const own = { 'cache-control': 'private, max-age=1' };
    await using server = await startServer({ ...fresh, vary: 'x-user' }, pluginWith(own));
    expect(cachingHeadersOf(await exchange(server.url, asPost))).toEqual({ ...own, vary: 'accept, x-user' });
  });

  test.each([
    ['X-Shop, Accept', 'origin, x-shop, accept, x-user'],
    ['*', '*'],
  ])('is merged with the other values when it is vary: %s', async (vary, joined) => {
    await using server = await startServer(
      { ...fresh, vary: 'x-user' },
      { ...pluginWith({ vary }), security: { cors: { origins: ['https://shop.example'] } } },
    );
    expect(cachingHeadersOf(await exchange(server.url, asPost))).toEqual({ ...cacheable, vary: joined });
  });
});
