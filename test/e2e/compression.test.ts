import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import type { Transform } from 'node:stream';
import {
  brotliDecompressSync,
  createBrotliDecompress,
  createGunzip,
  createZstdDecompress,
  gunzipSync,
  zstdDecompressSync,
} from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import type { CompressionOptions } from '../../gateway/transport/http/compression.ts';
import { FakeTimers } from '../harness/fakeTimers.ts';
import {
  ScriptedEvents,
  ScriptedPayloads,
  type ScriptedServer,
  singleOutcome,
  startScriptedServer,
} from '../harness/scriptedServer.ts';

const codings = ['gzip', 'br', 'zstd'] as const;
type Coding = (typeof codings)[number];
const decompress = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync };
const createDecompressor: Record<Coding, () => Transform> = {
  gzip: createGunzip,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
};

type Overrides = NonNullable<Parameters<typeof startScriptedServer>[1]>;

function start(
  script: Parameters<typeof startScriptedServer>[0],
  compression: Partial<CompressionOptions> = {},
  overrides: Overrides = {},
): Promise<ScriptedServer> {
  return startScriptedServer(script, {
    ...overrides,
    listen: {
      compression: { enabled: true, minSize: 1024, subscriptions: false, crossOrigin: false, ...compression },
    },
  });
}

interface Sent {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: string;
}

/** Sends a request, by default an operation, and returns the head of the response. */
async function send(
  url: string,
  { path, method, headers, query = '{ greeting }' }: Sent,
): Promise<IncomingMessage> {
  const sent = request(new URL(path ?? '/graphql', url), {
    method: method ?? (path === undefined ? 'POST' : 'GET'),
    headers: { 'content-type': 'application/json', ...headers },
    agent: false,
  });
  sent.on('error', () => undefined);
  sent.end(path === undefined ? JSON.stringify({ query }) : undefined);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}

async function receive(url: string, sent: Sent): Promise<{ headers: IncomingHttpHeaders; body: Buffer }> {
  const response = await send(url, sent);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { headers: response.headers, body: Buffer.concat(chunks) };
}

/** Reads a compressed body as it arrives. */
class DecodedBody {
  text = '';
  readonly #decoder: Transform;
  constructor(response: IncomingMessage) {
    const coding = response.headers['content-encoding'] as Coding;
    this.#decoder = response.pipe(createDecompressor[coding]());
    this.#decoder.setEncoding('utf8').on('data', (text: string) => {
      this.text += text;
    });
  }

  /** Resolves when the decoded text contains `part`. */
  async includes(part: string): Promise<void> {
    while (!this.text.includes(part)) await once(this.#decoder, 'data');
  }

  async end(): Promise<string> {
    if (!this.#decoder.readableEnded) await once(this.#decoder, 'end');
    return this.text;
  }
}

const long = 'hello, '.repeat(1000);

describe('a complete response', () => {
  test.each([
    ['of 2 kB', 2_000],
    ['of 100 kB, in a thread,', 100_000],
    ['of 1.2 MB, while it is sent,', 1_200_000],
  ])('%s is compressed in each coding that a client may accept', async (_, size) => {
    const greeting = `{"greeting":"${'hello, '.repeat(size / 7)}"}`;
    await using server = await start(() => singleOutcome(greeting));
    const plain = await receive(server.url, {});
    expect([plain.headers['content-encoding'], plain.headers.vary]).toStrictEqual([undefined, undefined]);
    for (const coding of codings) {
      const { headers, body } = await receive(server.url, { headers: { 'accept-encoding': coding } });
      expect([headers['content-encoding'], headers.vary]).toEqual([coding, 'accept-encoding']);
      if (size < 1_000_000) expect(headers['content-length']).toBe(String(body.length));
      expect(body.length).toBeLessThan(plain.body.length / 10);
      expect(decompress[coding](body).equals(plain.body)).toBe(true);
    }
  });

  test('below minSize is compressed only for a client that accepts nothing else', async () => {
    await using server = await start(undefined);
    const small = await receive(server.url, { headers: { 'accept-encoding': 'gzip' } });
    expect([small.headers['content-encoding'], String(small.body)]).toEqual([
      undefined,
      '{"data":{"greeting":"hello"}}',
    ]);
    const required = await receive(server.url, { headers: { 'accept-encoding': 'gzip, identity;q=0' } });
    expect(required.headers['content-encoding']).toBe('gzip');
    expect(String(gunzipSync(required.body))).toBe('{"data":{"greeting":"hello"}}');
  });

  test('names accept-encoding in vary when caches may store it, for any size', async () => {
    const caching = { cacheControl: 'public, max-age=15', age: '5', vary: undefined };
    await using server = await start(() => singleOutcome('{"greeting":"hello"}', { caching }));
    expect((await receive(server.url, {})).headers.vary).toBe('accept-encoding, accept');
  });

  test.each([
    [{ etag: '"1"' }, 'gzip', 'W/"1"'],
    [{ etag: 'W/"1"' }, 'gzip', 'W/"1"'],
    [{ 'cache-control': 'public, no-transform', etag: '"1"' }, undefined, '"1"'],
  ])('with %j of a plugin has the content coding %s and the ETag %s', async (own, coding, etag) => {
    await using server = await start(
      () => singleOutcome(`{"greeting":"${long}"}`),
      {},
      {
        plugins: [
          {
            requestDidStart: async () => ({
              willSendResponse: async ({ response }) => {
                for (const [name, value] of Object.entries(own)) response.http.headers.set(name, value);
              },
            }),
          },
        ],
      },
    );
    const { headers } = await receive(server.url, { headers: { 'accept-encoding': 'gzip' } });
    expect([headers['content-encoding'], headers.etag]).toEqual([coding, etag]);
  });

  test.each([
    'multipart/mixed;deferSpec=20220824',
    'multipart/mixed;subscriptionSpec=1.0',
    'text/event-stream',
  ])('in the form of %s is compressed as a whole', async (accept) => {
    await using server = await start(() => singleOutcome(`{"greeting":"${long}"}`));
    const plain = await receive(server.url, { headers: { accept } });
    const { headers, body } = await receive(server.url, { headers: { accept, 'accept-encoding': 'br' } });
    expect(headers['content-encoding']).toBe('br');
    expect(String(brotliDecompressSync(body))).toBe(String(plain.body));
  });

  test('of the admin listener is compressed, and HEAD has the same headers', async () => {
    await using server = await start(undefined, { minSize: 100 });
    const headers = { 'accept-encoding': 'zstd' };
    const plain = await receive(server.adminUrl, { path: '/supergraph' });
    const get = await receive(server.adminUrl, { path: '/supergraph', headers });
    const head = await receive(server.adminUrl, { path: '/supergraph', headers, method: 'HEAD' });
    expect(get.headers['content-encoding']).toBe('zstd');
    expect(String(zstdDecompressSync(get.body))).toBe(String(plain.body));
    for (const name of ['content-encoding', 'content-length', 'vary']) {
      expect([name, head.headers[name]]).toEqual([name, get.headers[name]]);
    }
  });
});

describe('a stream', () => {
  const forms = [
    ['multipart/mixed;deferSpec=20220824', '\r\n---\r\n'],
    ['text/event-stream', '\n\n'],
  ] as const;
  test.each(codings.flatMap((coding) => forms.map(([accept, end]) => [coding, accept, end] as const)))(
    'in %s as %s can be decoded up to each payload that was sent',
    async (coding, accept, end) => {
      const payloads = new ScriptedPayloads();
      await using server = await start(() => payloads.outcome);
      payloads.push([{ data: { greeting: long }, hasNext: true }]);
      const response = await send(server.url, { headers: { accept, 'accept-encoding': coding } });
      expect(response.headers['content-encoding']).toBe(coding);
      const body = new DecodedBody(response);
      for (const payload of ['first', 'second']) {
        await body.includes(`"hasNext":true}${end}`);
        payloads.push([{ incremental: [{ data: { name: payload }, path: [] }], hasNext: true }]);
        await body.includes(`"name":"${payload}"`);
      }
      payloads.push([{ incremental: [{ data: { name: `last ${long}` }, path: [] }], hasNext: false }]);
      expect((await body.end()).endsWith(`last ${long}"},"path":[]}],"hasNext":false}\r\n-----\r\n`)).toBe(
        accept.startsWith('multipart'),
      );
      expect(body.text).toContain(`last ${long}`);
    },
  );

  test('with a payload above 1 MB is compressed, and so is an error that ends it', async () => {
    const payloads = new ScriptedPayloads();
    await using server = await start(() => payloads.outcome);
    payloads.push([{ data: { greeting: 'x'.repeat(2_000_000) }, hasNext: true }]);
    const headers = { accept: 'multipart/mixed;deferSpec=20220824', 'accept-encoding': 'gzip' };
    const body = new DecodedBody(await send(server.url, { headers }));
    await body.includes(`${'x'.repeat(100)}"},"hasNext":true}`);
    payloads.push(new Error('broken'));
    expect(await body.end()).toMatch(/"INTERNAL_SERVER_ERROR"\}\}\],"hasNext":false\}\r\n-----\r\n$/);
  });

  test('ends as its format requires when the gateway shuts down', async () => {
    const payloads = new ScriptedPayloads();
    await using server = await start(() => payloads.outcome, {}, { drainTimeout: 1 });
    payloads.push([{ data: { greeting: 'hello' }, hasNext: true }]);
    const headers = { accept: 'multipart/mixed;deferSpec=20220824', 'accept-encoding': 'gzip' };
    const body = new DecodedBody(await send(server.url, { headers }));
    await body.includes('hello');
    await server.close();
    expect(await body.end()).toMatch(/"SHUTTING_DOWN"\}\}\],"hasNext":false\}\r\n-----\r\n$/);
  });

  test('ends when its client disconnects', async () => {
    const payloads = new ScriptedPayloads();
    await using server = await start(() => payloads.outcome);
    payloads.push([{ data: { greeting: 'hello' }, hasNext: true }]);
    const headers = { accept: 'multipart/mixed;deferSpec=20220824', 'accept-encoding': 'gzip' };
    const response = await send(server.url, { headers });
    await new DecodedBody(response).includes('hello');
    response.destroy();
    await payloads.returned;
  });

  test.each(['text/event-stream', 'multipart/mixed;subscriptionSpec=1.0'])(
    'of a subscription as %s is compressed, with its heartbeats, only if configured',
    async (accept) => {
      const sent = {
        headers: { accept, 'accept-encoding': 'gzip' },
        query: 'subscription { greetings }',
      };
      const events = new ScriptedEvents();
      await using plain = await start(() => events.outcome);
      const uncompressed = await send(plain.url, sent);
      expect(uncompressed.headers['content-encoding']).not.toBe('gzip');
      uncompressed.destroy();

      const more = new ScriptedEvents();
      const timers = new FakeTimers();
      await using server = await start(() => more.outcome, { subscriptions: true }, { timers });
      const body = new DecodedBody(await send(server.url, sent));
      await body.includes(accept.startsWith('text') ? ':\n\n' : '{}');
      more.push({ data: { greetings: 'one' } });
      await body.includes('one');
      const { length } = body.text;
      timers.fire(60_000);
      const heartbeat = accept.startsWith('text') ? ':\n\n' : '{}';
      while (!body.text.slice(length).includes(heartbeat)) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      more.push('end');
      await body.end();
    },
  );
});
