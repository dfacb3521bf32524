import { afterEach, describe, expect, test } from '@jest/globals';
import {
  fetchSubgraphSdl,
  SchemaRefusedError,
} from '../../../gateway/supergraph/sources/fetchSubgraphSdl.ts';
import { UnavailableError } from '../../../gateway/supergraph/sources/httpRequest.ts';
import { createIntrospectionSource } from '../../../gateway/supergraph/sources/introspectionSource.ts';
import { SupergraphRefusedError } from '../../../gateway/supergraph/supergraphRefusedError.ts';
import { federationLink } from '../../harness/composeSubgraphs.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { recordSource } from '../../harness/recordSource.ts';
import { type SdlServer, serveSdl } from '../../harness/serveSdl.ts';

const perTest: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of perTest.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

const pollIntervalMs = 1_000;

async function serve(sdl: string, port?: number): Promise<SdlServer> {
  const server = await serveSdl(sdl, port);
  perTest.push(server);
  return server;
}

type Options = Parameters<typeof createIntrospectionSource>[0];
type Compose = NonNullable<Options['compose']>;
type FetchSdl = NonNullable<Options['fetchSdl']>;

/** Each poll ends by setting the timer for the next one, so that tests can await its end. */
async function start(servers: Record<string, string>, compose?: Compose, fetchSdl?: FetchSdl) {
  const timers = new FakeTimers();
  const source = createIntrospectionSource({
    subgraphs: Object.entries(servers).map(([name, url]) => ({ name, url })),
    pollIntervalMs,
    timers,
    ...(compose === undefined ? {} : { compose }),
    ...(fetchSdl === undefined ? {} : { fetchSdl }),
  });
  const recorded = recordSource(source);
  perTest.push({ [Symbol.asyncDispose]: () => source.stop() });
  await source.start(recorded);
  await timers.waitForTimer(pollIntervalMs);
  const look = async () => {
    timers.fire(pollIntervalMs);
    await timers.waitForTimer(pollIntervalMs);
    return recorded.drain();
  };
  return { ...recorded, timers, look };
}

const join: Compose = async (subgraphs) => subgraphs.map(({ name, sdl }) => `${name}=${sdl}`).join(' ');

describe('the introspection source', () => {
  test('composes at the start with Apollo Gateway', async () => {
    const a = await serve(`${federationLink} type Query { a: Int }`);
    const b = await serve(`${federationLink} type Query { b: Int }`);
    const source = await start({ a: a.url, b: b.url });
    expect(source.drain()).toEqual([
      { sdl: expect.stringContaining(`@join__graph(name: "b", url: "${b.url}")`) },
    ]);
  });

  test('sends the headers of a subgraph to it, and none of them to the composer', async () => {
    const a = await serve('1');
    const composed: unknown[] = [];
    const timers = new FakeTimers();
    const source = createIntrospectionSource({
      subgraphs: [{ name: 'a', url: a.url }],
      accessOf: () => ({ headers: { Authorization: 'Bearer key' } }),
      pollIntervalMs,
      timers,
      compose: async (subgraphs) => {
        composed.push(...subgraphs);
        return 'sdl';
      },
    });
    perTest.push({ [Symbol.asyncDispose]: () => source.stop() });
    await source.start(recordSource(source));
    expect([a.headers.authorization, composed]).toEqual([
      'Bearer key',
      [{ name: 'a', url: a.url, sdl: '1' }],
    ]);
  });

  test('composes again only when a subgraph has changed', async () => {
    const a = await serve('1');
    let compositions = 0;
    const source = await start({ a: a.url }, (subgraphs, signal) => {
      compositions += 1;
      return join(subgraphs, signal);
    });
    expect(source.drain()).toEqual([{ sdl: 'a=1' }]);
    expect(await source.look()).toEqual([]);
    a.sdl = '2';
    expect(await source.look()).toEqual([{ sdl: 'a=2' }]);
    expect(await source.look()).toEqual([]);
    expect(compositions).toBe(2);
  });

  test('names a subgraph that is down at the start, and waits for it', async () => {
    const a = await serve('1');
    const b = await serveSdl('1');
    await b[Symbol.asyncDispose]();
    const port = Number(new URL(b.url).port);
    const source = await start({ a: a.url, b: `${b.url}?key=secret` }, join);
    expect(source.drain()).toEqual([
      {
        problem: `the schema of subgraph "b" could not be fetched from ${b.url}?key=***: connect ECONNREFUSED 127.0.0.1:${port}`,
      },
    ]);
    expect(await source.look()).toEqual([]);
    await serve('1', port);
    expect(await source.look()).toEqual([{ sdl: 'a=1 b=1' }]);
  });

  test('reports an outage once, however its errors differ, and another one again', async () => {
    const failures: Error[] = [
      new SchemaRefusedError(200, ['internal error 4711']),
      new SchemaRefusedError(200, ['internal error 4712']),
      new SchemaRefusedError(401, ['no']),
      new UnavailableError('connect ECONNREFUSED'),
      new UnavailableError('no response within 10000 ms'),
    ];
    const source = await start({ a: 'http://a.example/' }, join, async () => {
      throw failures.shift();
    });
    const reported = (reason: string) => [
      { problem: `the schema of subgraph "a" could not be fetched from http://a.example/: ${reason}` },
    ];
    expect([
      source.drain(),
      await source.look(),
      await source.look(),
      await source.look(),
      await source.look(),
    ]).toEqual([
      reported('the response (status 200) has errors: internal error 4711'),
      [],
      reported('the response (status 401) has errors: no'),
      reported('connect ECONNREFUSED'),
      [],
    ]);
  });

  test('detects a change that happened while another subgraph was down', async () => {
    const a = await serve('1');
    const b = await serve('1');
    const source = await start({ a: a.url, b: b.url }, join);
    expect(source.drain()).toEqual([{ sdl: 'a=1 b=1' }]);
    a.sdl = '2';
    b.answer = { status: 503, body: 'busy' };
    expect(await source.look()).toEqual([
      {
        problem: `the schema of subgraph "b" could not be fetched from ${b.url}: the response (status 503) is not JSON`,
      },
    ]);
    b.sdl = '1';
    expect(await source.look()).toEqual([{ sdl: 'a=2 b=1' }]);
  });

  test('says what to do about a server that is no subgraph, and about one without TLS', async () => {
    const a = await serve('1');
    const message = 'Cannot query field "_service" on type "Query".';
    a.answer = { status: 400, body: JSON.stringify({ errors: [{ message }] }) };
    const https = a.url.replace('http:', 'https:');
    const problem = (url: string, reason: string) => ({
      problem: `the schema of subgraph "a" could not be fetched from ${url}: ${reason}`,
    });
    expect((await start({ a: a.url }, join)).drain()).toEqual([
      problem(
        a.url,
        `the response (status 400) has errors: ${message} Its schema has no field \`_service\`: build it with a library for subgraphs, such as @apollo/subgraph`,
      ),
    ]);
    expect((await start({ a: https }, join)).drain()).toEqual([
      problem(https, 'the server does not use TLS at this port'),
    ]);
  });

  test('reports the SDL again when a subgraph is back unchanged', async () => {
    const a = await serve('1');
    const source = await start({ a: a.url }, join);
    expect(source.drain()).toEqual([{ sdl: 'a=1' }]);
    a.answer = { status: 200, body: '{"data":{}}' };
    expect(await source.look()).toEqual([
      {
        problem: `the schema of subgraph "a" could not be fetched from ${a.url}: the response (status 200) has no SDL at data._service.sdl`,
      },
    ]);
    a.sdl = '1';
    expect(await source.look()).toEqual([{ sdl: 'a=1' }]);
  });

  test('reports a composition error as a refusal, once, and composes again when a subgraph has changed', async () => {
    const a = await serve('bad');
    let compositions = 0;
    const source = await start({ a: a.url }, async (subgraphs, signal) => {
      compositions += 1;
      if (subgraphs.some(({ sdl }) => sdl === 'bad')) throw new SupergraphRefusedError('it is bad');
      return join(subgraphs, signal);
    });
    expect(source.drain()).toEqual([{ refusal: 'it is bad' }]);
    expect(await source.look()).toEqual([]);
    expect(compositions).toBe(1);
    a.sdl = 'good';
    expect(await source.look()).toEqual([{ sdl: 'a=good' }]);
  });

  test('ends a composition that takes longer than five minutes, and composes the same SDLs again after a while', async () => {
    const a = await serve('1');
    const compositionMs = 5 * 60_000;
    let composed = 0;
    let hangs = false;
    const source = await start({ a: a.url }, async (_, signal) => {
      composed += 1;
      if (!hangs) return `${composed}`;
      return await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
      });
    });
    const poll = async () => {
      source.timers.fire(pollIntervalMs);
      await source.timers.waitForTimer(compositionMs);
    };
    const end = async () => {
      source.timers.fire(compositionMs);
      await source.timers.waitForTimer(pollIntervalMs);
    };
    await source.timers.waitForTimer(compositionMs);
    hangs = true;
    a.sdl = '2';
    await poll();
    await end();
    expect(source.drain()).toEqual([
      { sdl: '1' },
      {
        problem:
          'the composition of the subgraphs has not ended within 5 minutes. Compose them outside of the gateway (tributary compose), and set supergraph.file or supergraph.url',
      },
    ]);
    expect([await source.look(), composed]).toEqual([[], 2]);
    // A subgraph that has changed is composed at once.
    a.sdl = '3';
    await poll();
    await end();
    expect([source.drain(), composed]).toEqual([[], 3]);
    hangs = false;
    // After a delay with a random part.
    let events: unknown[] = [];
    while (composed === 3) events = await source.look();
    expect(events).toEqual([{ sdl: '4' }]);
  });

  test('leaves no timer and reports nothing after it is stopped', async () => {
    const a = await serve('1');
    const source = await start({ a: a.url }, join);
    await source.source.stop();
    expect(source.timers.pendingMs()).toEqual([]);
  });
});

describe('fetchSubgraphSdl', () => {
  const signal = new AbortController().signal;

  test('fails without a response in time', async () => {
    const a = await serve('1');
    a.answer = 'never';
    await expect(
      fetchSubgraphSdl({ name: 'a', url: a.url }, signal, { limits: { timeoutMs: 50, maxBytes: 100 } }),
    ).rejects.toThrow('no response within 50 ms');
  });

  test('reads a response with a byte order mark, as responses to operations are read', async () => {
    const a = await serve('');
    a.answer = { status: 200, body: '\ufeff{"data":{"_service":{"sdl":"scalar A"}}}' };
    await expect(fetchSubgraphSdl({ name: 'a', url: a.url }, signal)).resolves.toBe('scalar A');
  });

  test('cuts the texts of errors, which the subgraph chooses', async () => {
    const a = await serve('');
    a.answer = { status: 500, body: JSON.stringify({ errors: [{ message: 'x'.repeat(1_000_000) }] }) };
    const failed = fetchSubgraphSdl({ name: 'a', url: a.url }, signal);
    await expect(failed).rejects.toThrow(/^the response \(status 500\) has errors: x{999}…$/);
  });

  test('names the address of a redirect, which it does not follow', async () => {
    const a = await serve('');
    a.answer = { status: 307, body: '', location: '/graphql/?key=secret' };
    await expect(fetchSubgraphSdl({ name: 'a', url: a.url }, signal)).rejects.toThrow(
      `the response (status 307) is a redirect to ${a.url}/?key=***. Set the url of the subgraph to that address`,
    );
  });

  test('fails when the response is too large', async () => {
    const a = await serve('x'.repeat(1_000));
    await expect(
      fetchSubgraphSdl({ name: 'a', url: a.url }, signal, { limits: { timeoutMs: 10_000, maxBytes: 100 } }),
    ).rejects.toThrow('the response is larger than 100 bytes');
  });
});
