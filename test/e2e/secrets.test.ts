import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { findConfigProblems, parseConfig } from '../../gateway/config/parseConfig.ts';
import { printConfig } from '../../gateway/config/printConfig.ts';
import type { ApolloServerPlugin, GatewayContext, GatewayOptions } from '../../gateway/gateway.ts';
import { createLogger } from '../../gateway/telemetry/logger.ts';
import { Changes } from '../harness/changes.ts';
import { type CannedAnswer, type InlineGateway, startInlineGateway } from '../harness/inlineGateway.ts';
import { loopbackCertificate } from '../harness/loopbackCertificate.ts';
import { type OtlpCollector, startOtlpCollector } from '../harness/otlpCollector.ts';
import { exchange, type RawRequest, type RawResponse } from '../harness/rawHttp.ts';
import { connectRedis, type DedicatedRedisServer, startDedicatedRedis } from '../harness/redis.ts';
import { operationRequest, reserveStream } from '../harness/singleConnection.ts';
import { createTemporaryDirectory } from '../harness/suiteResources.ts';
import { startTokenIssuer, type TokenIssuer } from '../harness/tokenIssuer.ts';
import { Peer } from '../harness/webSocketPeer.ts';

/** Texts that stand nowhere else, by name. Each is a secret, or personal data, at one place where the gateway gets it. */
const canaries = new Map<string, string>();

/** Creates the canary of this name. */
function plant(name: string): string {
  const text = `canary-of-the-${name.replaceAll(' ', '-')}`;
  canaries.set(name, text);
  return text;
}

/** The names of the canaries in a text, also where they are encoded as in a URL or in base64. */
function canariesIn(text: string): string[] {
  const isThere = (canary: string) =>
    text.includes(canary) || text.includes(Buffer.from(canary).toString('base64').slice(0, -4));
  return Array.from(canaries).flatMap(([name, canary]) => (isThere(canary) ? [name] : []));
}

const extension = `
export default ({ token }) => ({
  name: 'login',
  requestContext({ headers }) {
    if (headers.get('x-fail') === 'extension') throw new Error('cannot log in with ' + token);
    if (headers.get('x-fail') === 'value') throw { token };
    return {};
  },
  subgraphHeaders({ headers }) {
    headers.set('x-login', token);
  },
});`;

const plugin: ApolloServerPlugin<GatewayContext> = {
  requestDidStart: async () => ({
    didResolveOperation: async ({ request }) => {
      if (request.http?.headers.get('x-fail') === 'plugin') throw new Error(plant('plugin'));
    },
  }),
};

const logLines: string[] = [];
const logged = new Changes();

/** Resolves when the log has a line with this text. */
function waitForLine(text: string): Promise<void> {
  return logged.until(() => logLines.some((line) => line.includes(text)));
}

const destination = {
  write(line: string): void {
    logLines.push(line);
    logged.notify();
  },
};

let directory: string;
let issuer: TokenIssuer;
let token: string;
let redis: DedicatedRedisServer;
let collector: OtlpCollector;
let registry: Server;
let supergraph = '';
let config: Partial<GatewayOptions>;
let gateway: InlineGateway;

/** Starts a server from which the gateway loads the supergraph. */
async function startRegistry(): Promise<string> {
  registry = createServer((_, response) => response.end(supergraph));
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(registry.address() as AddressInfo).port}/supergraph`;
}

beforeAll(async () => {
  directory = createTemporaryDirectory();
  const write = async (name: string, text: string): Promise<string> => {
    await writeFile(join(directory, name), text);
    return join(directory, name);
  };
  canaries.set('TLS key', loopbackCertificate.key.split('\n')[1] as string);
  issuer = await startTokenIssuer();
  token = await issuer.sign({ sub: 'ada', email: plant('claim') });
  for (const [index, part] of token.split('.').entries()) canaries.set(`token, part ${index}`, part);
  collector = await startOtlpCollector();
  const password = plant('Redis password');
  redis = await startDedicatedRedis(['--requirepass', password]);
  config = {
    supergraph: {
      url: `${await startRegistry()}?key=${plant('address of the supergraph')}`,
      headers: { authorization: plant('header for the supergraph') },
      pollInterval: '100ms',
    },
    redis: {
      url: redis.url.replace('redis://', `redis://:${password}@`),
      reconnect: { minDelay: '5ms', maxDelay: '20ms' },
    },
    security: {
      jwt: {
        issuers: [
          {
            jwks: `${issuer.jwks}?key=${plant('address of the keys')}`,
            headers: { 'x-api-key': plant('header for the keys') },
          },
        ],
        cookie: 'session',
        refreshInterval: '1s',
      },
    },
    subgraphs: {
      all: {
        headers: {
          rules: [
            { set: 'x-gateway-key', value: plant('header rule') },
            { set: 'x-email', claim: 'email' },
          ],
        },
        retry: { enabled: false },
        breaker: { enabled: false },
        signing: { secret: plant('signing secret') },
        subscription: { protocol: 'sse' },
        tls: {
          cert: await write('cert.pem', loopbackCertificate.cert),
          key: await write('key.pem', loopbackCertificate.key),
        },
      },
    },
    extensions: [
      {
        module: await write('extension.mjs', extension),
        options: { token: plant('option of an extension') },
      },
    ],
    cache: { rules: { 'User.name': { maxAge: '1m', scope: 'PRIVATE' } } },
    enrichment: { mode: 'always', budget: '0ms', fields: { 'User.tip': {} }, jobs: { attempts: 1 } },
    subscriptions: { reconnect: { attempts: 0 } },
    telemetry: {
      logLevel: 'trace',
      metrics: { otlp: true, operationNames: 'all' },
      otlp: {
        endpoint: collector.endpoint,
        headers: { 'x-key': plant('header for the collector') },
        documents: true,
      },
    },
    contracts: { guard: 'off', record: { enabled: true, directory: join(directory, 'recorded') } },
  };
  gateway = await startInlineGateway({
    subgraphs: [
      {
        name: 'accounts',
        sdl: `
          type Query { user(id: ID, note: String, age: Int): User }
          type Subscription { changed(note: String): User }
          type User @key(fields: "id") { id: ID! }
        `,
        resolvers: { Query: { user: (_: never, { id }: { id: string }) => ({ id }) } },
      },
      {
        name: 'profiles',
        sdl: 'type User @key(fields: "id") { id: ID! name: String tip: String }',
        resolvers: { User: { name: () => plant('cached value'), tip: () => 'sleep' } },
      },
    ],
    transformSupergraph: (sdl) => {
      supergraph = sdl;
      return sdl;
    },
    config,
    dependencies: {
      logger: createLogger('trace', destination),
      plugins: [plugin],
    },
  });
});

afterAll(async () => {
  await gateway?.close();
  await Promise.all([issuer, redis, collector].map((server) => server?.[Symbol.asyncDispose]()));
  registry?.close();
});

const json = { 'content-type': 'application/json', accept: 'application/json' };

/** Sends a request with a token and a cookie. Returns status, headers and body as one text. */
async function send(body: object | string, headers: RawRequest['headers'] = {}): Promise<string> {
  const own = { ...json, authorization: `Bearer ${token}`, cookie: `other=${plant('cookie')}` };
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return textOf(await exchange(gateway.url, { headers: { ...own, ...headers }, body: text }));
}

function textOf({ status, headers, body }: RawResponse): string {
  return [status, ...Array.from(headers, ([name, value]) => `${name}: ${value}`), body].join('\n');
}

/** `id`: makes the user another one, whose name is not cached. */
function createOperation(selection = 'name tip', id = '') {
  return {
    query: `query($note: String) { user(id: "${plant('literal')}${id}", note: $note) { ${selection} } }`,
    variables: { note: plant('variable') },
  };
}

const subscription = { query: `subscription { changed(note: "${plant('literal')}") { id } }` };

/** Checks that a text has none of the canaries except those that are data for the client. */
function expectNoCanaries(text: string, allowed: readonly string[] = []): void {
  expect(canariesIn(text).filter((name) => !allowed.includes(name))).toEqual([]);
}

describe('a response and the log have no secret when a request', () => {
  test.each<[string, string, () => Promise<string>]>([
    ['succeeds', '"data":{"user":{"name"', () => send(createOperation())],
    ['gets a value from the cache', '"data":{"user":{"name"', () => send(createOperation())],
    ['has a syntax error', 'GRAPHQL_PARSE_FAILED', () => send({ query: `{ a(b: "${plant('literal')}" }` })],
    ['is invalid', 'VALIDATION_FAILED', () => send({ query: `{ user(id: "${plant('literal')}") { x } }` })],
    ['is not JSON', 'BAD_REQUEST', () => send(`{"query": ${plant('body')}`)],
    [
      'has a forged token',
      '401',
      () => send({}, { authorization: `Bearer ${token}${plant('forged token')}` }),
    ],
    ['has another token', '401', () => send({}, { authorization: `Bearer ${plant('opaque token')}` })],
    [
      'has a token in a cookie',
      '401',
      () => send({}, { authorization: '', cookie: `session=${plant('cookie')}` }),
    ],
    [
      'fails in an extension that throws a value',
      '500',
      () => send(createOperation(), { 'x-fail': 'value' }),
    ],
    [
      'is an event stream',
      'GRAPHQL_VALIDATION_FAILED',
      async () => {
        const { query } = createOperation('x');
        const reserved = await reserveStream(gateway.url, { authorization: `Bearer ${token}` });
        const request = operationRequest(reserved, { query }, '1', { authorization: `Bearer ${token}` });
        await exchange(gateway.url, request);
        return send({ query });
      },
    ],
    [
      'opens a WebSocket and renews its token',
      '4403',
      async () => {
        const parameters = { authorization: `Bearer ${token}`, password: plant('connection parameter') };
        await using peer = await Peer.ready(gateway.url, parameters);
        peer.subscribe(createOperation('x').query);
        const answer = await peer.next();
        peer.send({ type: 'ping', payload: { authorization: `Bearer ${plant('renewed token')}` } });
        return JSON.stringify([answer, await peer.closed]);
      },
    ],
  ])('%s', async (_, expected, step) => {
    const start = logLines.length;
    const result = await step();
    expect(result).toContain(expected);
    expectNoCanaries(result, result.includes('"data"') ? ['cached value'] : []);
    expectNoCanaries(logLines.slice(start).join(''));
  });
});

test.each([
  ['an Apollo Server plugin', 'plugin', 'plugin'],
  ['an extension', 'extension', 'option of an extension'],
])('the message of an error that %s throws is in the log only', async (_, failure, name) => {
  const start = logLines.length;
  const result = await send(createOperation(), { 'x-fail': failure });
  expect(result.startsWith('500\n')).toBe(true);
  expectNoCanaries(result);
  expect(canariesIn(logLines.slice(start).join(''))).toEqual([name]);
  logLines.length = start;
});

describe.each(['accounts', 'profiles'])(
  'a response and the log have no secret of the subgraph %s when it',
  (name) => {
    test.each<[string, () => CannedAnswer]>([
      [
        'has an error',
        () => {
          const extensions = { code: plant('code of a subgraph'), detail: plant('extension of a subgraph') };
          return {
            kind: 'json',
            body: { errors: [{ message: plant('message of a subgraph'), extensions }] },
          };
        },
      ],
      [
        'responds with another status',
        () => ({ kind: 'json', status: 500, body: { a: plant('subgraph body') } }),
      ],
      ['does not send JSON', () => ({ kind: 'text', body: `{"data": ${plant('subgraph body')}` })],
      [
        'sends a redirect',
        () => ({ kind: 'json', status: 302, body: {}, headers: { location: `/${plant('location')}` } }),
      ],
      [
        'sends invalid headers',
        () => {
          const headers = { 'cache-control': `max-age=${plant('header')}`, 'retry-after': plant('header') };
          return { kind: 'json', status: 503, body: {}, headers };
        },
      ],
      [
        'sends a value of another type',
        () => {
          const user = { __typename: 'User', id: { a: plant('value') }, name: { a: plant('value') } };
          return { kind: 'json', body: { data: { user, _entities: [user] } } };
        },
      ],
      ['breaks the connection', () => ({ kind: 'reset' })],
    ])('%s', async (condition, answer) => {
      const start = logLines.length;
      gateway.subgraph(name).answerWith(answer);
      const results = [
        await send(createOperation('name tip', condition)),
        await send(subscription, { accept: 'text/event-stream' }),
        await send(subscription, { accept: 'multipart/mixed;subscriptionSpec=1.0' }),
      ];
      gateway.subgraph(name).answerWith(undefined);
      expect(results.filter((result) => !/"code":"\w+"/.test(result))).toEqual([]);
      expectNoCanaries(results.join('\n'), ['cached value']);
      expectNoCanaries(logLines.slice(start).join(''));
    });
  },
);

test('no route of the admin listener has a secret', async () => {
  const plan = `/plan?operation=${encodeURIComponent('{ user { name } }')}`;
  const paths = [
    '/metrics',
    '/supergraph',
    '/subgraphs',
    '/jobs',
    '/contracts',
    plan,
    '/cache/rules',
    '/insights/data',
    '/log-level',
    '/nothing',
  ];
  const responses = await Promise.all(
    paths.map((path) => exchange(gateway.adminUrl, { method: 'GET', path })),
  );
  expect(responses.map(({ status }) => status)).toEqual([...paths.slice(1).map(() => 200), 404]);
  expect(responses[3]?.body).toContain('"state":"failed"');
  expectNoCanaries(responses.map(textOf).join('\n'));
  const path = `/cache/entry?type=User&id=${plant('literal')}`;
  const entry = await exchange(gateway.adminUrl, { method: 'GET', path });
  expectNoCanaries(entry.body, ['cached value', 'literal']);
  expectNoCanaries(textOf(await exchange(gateway.url, { method: 'GET', path: '/health/ready' })));
});

test('the log has no secret when everything that the gateway depends on fails', async () => {
  const messages = [
    'The supergraph could not be read from its source. The gateway retries.',
    'The keys of an issuer of tokens cannot be fetched',
    'Changed certificate files cannot be used',
    'The cache store has a problem',
    'Spans are dropped: the collector does not take them',
  ];
  const areLogged = Promise.all(messages.map(waitForLine));
  registry.close();
  registry.closeAllConnections();
  issuer.answerWith((response) => response.writeHead(500).end(plant('response of the issuer')));
  collector.handleWith((response) => response.writeHead(400).end(plant('response of the collector')));
  await send(createOperation());
  await writeFile(join(directory, 'key.pem'), loopbackCertificate.key.slice(0, 150));
  const client = connectRedis(redis.url.replace('redis://', `redis://:${plant('Redis password')}@`));
  /** How many connections Redis has; 0 until one of them waits for jobs, which is the last one to be ready. */
  const countConnections = async (): Promise<number> => {
    const list = String(await client.call('CLIENT', 'LIST'));
    return list.includes('cmd=bzpopmin') ? list.split('\n').length : 0;
  };
  const connections = await countConnections();
  await client.call('CONFIG', 'SET', 'requirepass', 'other');
  await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await areLogged;
  // Otherwise the gateway waits for its connections to Redis when it closes.
  await client.call('CONFIG', 'SET', 'requirepass', plant('Redis password'));
  while ((await countConnections()) < connections);
  client.disconnect();
  expect(logLines.join('')).toContain('WRONGPASS');
  expectNoCanaries(logLines.join(''));
});

test('neither spans, nor exported metrics, nor recorded operations have a secret', async () => {
  // At the latest, what is exported and recorded is written when the gateway closes.
  await gateway.close();
  const exported = collector.bodies.map((body) => body.toString()).join('\n');
  const parts = ['user(id: "", note: $note)', 'tributary.requests'];
  expect(parts.filter((part) => !exported.includes(part))).toEqual([]);
  expectNoCanaries(exported);
  const entries = await readdir(join(directory, 'recorded'), { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  expect(files).not.toEqual([]);
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  expectNoCanaries([...files, ...texts].join('\n'));
});

describe('a configuration with secrets', () => {
  const options = () => ({ ...config, extensions: config.extensions as never });

  test('is printed without them', () => {
    const printed = printConfig(parseConfig(options()));
    expect(printed).toContain('x-gateway-key');
    expectNoCanaries(printed);
  });

  test('has problems without them, for a secret in any section', () => {
    const problems = misplacements(options()).map((invalid) => findConfigProblems(invalid));
    expect(problems.length).toBeGreaterThan(30);
    expect(problems.filter((found) => found.length === 0)).toEqual([]);
    expectNoCanaries(JSON.stringify(problems));
  });
});

/** Copies of a value, in each of which a section or list is replaced by one of the canaries in it. */
function misplacements(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  const texts = Array.from(canaries.values()).filter((canary) => JSON.stringify(value).includes(canary));
  const inside = Object.entries(value).flatMap(([key, child]) =>
    misplacements(child).map((misplaced) =>
      Array.isArray(value) ? value.with(Number(key), misplaced) : { ...value, [key]: misplaced },
    ),
  );
  return [...texts, ...inside];
}
