import { describe, expect, test } from '@jest/globals';
import type { GatewayDependencies, GatewayOptions } from '../../gateway/gateway.ts';
import { createLogger } from '../../gateway/telemetry/logger.ts';
import { type InlineGateway, startInlineGateway } from '../harness/inlineGateway.ts';
import { exchange, exchangeJson } from '../harness/rawHttp.ts';
import { transports } from '../harness/transports.ts';

const query = '{ price }';

function start(
  rate: NonNullable<GatewayOptions['limits']>['rate'],
  config: Partial<GatewayOptions> = {},
  dependencies: GatewayDependencies = {},
): Promise<InlineGateway> {
  return startInlineGateway({
    subgraphs: [
      {
        name: 'shop',
        sdl: 'type Query { price: Int product: Product } type Product { id: ID }',
        resolvers: { Query: { price: () => 5 } },
      },
    ],
    config: {
      limits: { batchedOperations: 10, rate },
      security: { identity: { header: 'x-user' } },
      ...config,
    },
    dependencies,
  });
}

describe('a client that has sent too many operations', () => {
  test('gets RATE_LIMITED over every transport, until its window ends', async () => {
    await using gateway = await start({ cost: transports.length, window: '1h' });
    for (const [name, send] of transports) {
      expect([name, await send(gateway.url, { query })]).not.toEqual([name, 'RATE_LIMITED']);
    }
    for (const [name, send] of transports) {
      expect([name, await send(gateway.url, { query })]).toEqual([name, 'RATE_LIMITED']);
    }
    expect(gateway.subgraph('shop').calls).toHaveLength(transports.length);
    const { body } = await exchange(gateway.adminUrl, { method: 'GET', path: '/metrics' });
    expect(body).toContain(`\ntributary_rate_limited_total ${transports.length}\n`);
  });

  test('gets 429 with the standard header fields, which admitted responses have too', async () => {
    await using gateway = await start({ cost: 3, window: '1h' });
    const answers = [
      await exchangeJson(gateway.url, { query }),
      await exchangeJson(gateway.url, { query }, { accept: 'text/event-stream' }),
      await exchangeJson(gateway.url, { query }, { accept: 'multipart/mixed;deferSpec=20220824' }),
      await exchangeJson(gateway.url, { query }),
      await exchangeJson(gateway.url, { query }, { accept: 'text/event-stream' }),
    ];
    for (const [index, { status, headers, body }] of answers.entries()) {
      const isLimited = index >= 3;
      expect(status).toBe(index === 3 ? 429 : 200);
      expect(headers.get('ratelimit-policy')).toBe('"default";q=3;w=3600');
      const [, remaining, seconds] = /^"default";r=(\d+);t=(\d+)$/.exec(headers.get('ratelimit') ?? '') ?? [];
      expect(Number(remaining)).toBe(Math.max(0, 2 - index));
      expect(Number(seconds)).toBeGreaterThan(0);
      expect(Number(seconds)).toBeLessThanOrEqual(3_600);
      expect(headers.get('retry-after')).toBe(isLimited ? seconds : undefined);
      if (isLimited) expect(body).toMatch(/"retryAfterMs":\d+,"code":"RATE_LIMITED"/);
    }
  });

  test('gets the header fields only with operations that were counted', async () => {
    await using gateway = await start({ cost: 2, window: '1h' });
    const expensive = `{ ${['a', 'b', 'c'].map((alias) => `${alias}: product { id }`).join(' ')} }`;
    const answers = [];
    for (const text of ['{', '{ unknown }', expensive, query])
      answers.push(await exchangeJson(gateway.url, { query: text }));
    expect(answers.map(({ status, headers }) => [status, headers.has('ratelimit')])).toEqual([
      [400, false],
      [400, false],
      [400, false],
      [200, true],
    ]);
    expect(answers[2]?.body).toContain('limits.rate.cost');
  });

  test('has spent nothing for operations with an invalid text, but for those with invalid variables', async () => {
    await using gateway = await start({ cost: 2, window: '1h' });
    const withVariable = 'query($is: Boolean!) { price @include(if: $is) }';
    const statuses: number[] = [];
    for (const body of [
      { query: '{' },
      { query: '{ unknown }' },
      { query: withVariable, variables: { is: 1 } },
      { query: withVariable },
      { query },
    ])
      statuses.push((await exchangeJson(gateway.url, body)).status);
    expect(statuses).toEqual([400, 400, 400, 400, 429]);
  });

  test('spends the limit once for each operation of a batch', async () => {
    await using gateway = await start({ cost: 3, window: '1h' });
    const { body } = await exchangeJson(gateway.url, [{ query }, { query }]);
    expect(JSON.parse(body)).toEqual([{ data: { price: 5 } }, { data: { price: 5 } }]);
    const second = await exchangeJson(gateway.url, [{ query }, { query }]);
    expect([second.status, second.headers.get('ratelimit-policy')]).toEqual([429, '"default";q=3;w=3600']);
    expect(JSON.parse(second.body)).toEqual([
      { data: { price: 5 } },
      {
        errors: [expect.objectContaining({ extensions: expect.objectContaining({ code: 'RATE_LIMITED' }) })],
      },
    ]);
  });
});

describe('one client', () => {
  const statuses = async (gateway: InlineGateway, requests: readonly Readonly<Record<string, string>>[]) => {
    const answers: number[] = [];
    for (const headers of requests)
      answers.push((await exchangeJson(gateway.url, { query }, headers)).status);
    return answers;
  };

  test('is an identity, and without one an address', async () => {
    await using gateway = await start({ cost: 1, window: '1h' });
    const ada = { 'x-user': 'ada' };
    expect(await statuses(gateway, [ada, ada, { 'x-user': 'ben' }, {}, {}])).toEqual([
      200, 429, 200, 200, 429,
    ]);
  });

  test('is an address with `key: address`, even with an identity', async () => {
    await using gateway = await start({ cost: 1, window: '1h', key: 'address' });
    expect(await statuses(gateway, [{ 'x-user': 'ada' }, { 'x-user': 'ben' }])).toEqual([200, 429]);
  });

  test('is an IPv6 network of 64 bits with `key: address`', async () => {
    const listen = { host: '127.0.0.1', port: 0, trustedProxies: ['127.0.0.0/8'] };
    await using gateway = await start({ cost: 1, window: '1h', key: 'address' }, { listen });
    const addresses = ['2001:db8::1', '2001:db8::2:3:4:5', '2001:db8:0:1::1'];
    const requests = addresses.map((address) => ({ 'x-forwarded-for': address }));
    expect(await statuses(gateway, requests)).toEqual([200, 429, 200]);
  });

  test('is the value of a header with `key: header:NAME`, and an address without the header', async () => {
    await using gateway = await start({ cost: 1, window: '1h', key: 'header:X-Api-Key' });
    const one = { 'x-api-key': '1' };
    expect(await statuses(gateway, [one, one, { 'x-api-key': '2' }, {}, {}])).toEqual([
      200, 429, 200, 200, 429,
    ]);
  });
});

test('without a rate limit, responses have no RateLimit header fields', async () => {
  await using gateway = await start({ cost: 0 });
  const { status, headers } = await exchangeJson(gateway.url, { query });
  expect([status, headers.has('ratelimit'), headers.has('ratelimit-policy')]).toEqual([200, false, false]);
});

test('a process counts alone while Redis cannot be used, and logs one warning', async () => {
  const warnings: unknown[] = [];
  const logger = createLogger('warn', {
    write: (line: string) => {
      const { level, msg, problem } = JSON.parse(line);
      if (msg.startsWith('Rate limits')) warnings.push({ level, msg, problem });
    },
  });
  const redis = { url: 'redis://127.0.0.1:1' };
  await using gateway = await start({ cost: 2, window: '1h' }, { redis }, { logger });
  const statuses: number[] = [];
  for (let count = 0; count < 3; count++) statuses.push((await exchangeJson(gateway.url, { query })).status);
  expect(statuses).toEqual([200, 200, 429]);
  const msg = 'Rate limits are counted by this process alone, because Redis cannot be used';
  expect(warnings).toEqual([{ level: 40, msg, problem: 'redis' }]);
});
