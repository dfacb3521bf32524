import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { GatewayOptions } from '../../gateway/gateway.ts';
import { type InlineGateway, startInlineGateway } from '../harness/inlineGateway.ts';
import { downloadTimeoutMs, type RedisServer, startRedis } from '../harness/redis.ts';
import { longRedisTimeouts } from '../harness/redisStoreFixture.ts';
import {
  runAfter,
  type Script,
  type ScriptedSubgraph,
  startScriptedSubgraph,
  text,
} from '../harness/scriptedSubgraph.ts';
import { Peer } from '../harness/webSocketPeer.ts';

const long = '9007199254740993';
const decimal = '0.1000000000000000055';

let accounts: ScriptedSubgraph;
let limits: ScriptedSubgraph;

beforeAll(async () => {
  [accounts, limits] = await Promise.all([startScriptedSubgraph(), startScriptedSubgraph()]);
});
afterAll(() => Promise.all([accounts.close(), limits.close()]));

function startGateway(config: Partial<GatewayOptions> = {}): Promise<InlineGateway> {
  return startInlineGateway({
    addressOf: async (name) => (name === 'accounts' ? accounts : limits).url,
    config,
    subgraphs: [
      {
        name: 'accounts',
        sdl: `
          scalar Long
          scalar Decimal
          scalar Any
          type Query {
            account(number: Long, id: ID, ratio: Float, any: Any, count: Int): Account
            accounts: [Account!]!
            node: Account
          }
          type Subscription { changed(number: Long): Account }
          type Account @key(fields: "number") @context(name: "account") {
            number: Long! id: ID owner: [ID!] ratio: Float balance: Decimal any: Any
          }
        `,
      },
      {
        name: 'limits',
        sdl: `
          scalar Long
          scalar Decimal
          scalar Any
          type Query { limits: Int }
          type Account @key(fields: "number") {
            number: Long!
            balance: Decimal @external
            limit: Decimal
            risk: Any @requires(fields: "balance")
            advice(of: Long): Any
            graph: Query
          }
        `,
      },
    ],
  });
}

const account = (number: string) =>
  `{"__typename":"Account","number":${number},"id":${long},"owner":[${long},"a"],"ratio":${decimal},"balance":${decimal},"any":{"a":[-${long},1]}}`;

/** Answers each representation with the number in it. */
const answerEntities: Script = (exchange) => {
  const numbers = [...exchange.request.body.matchAll(/"number":(\d+)/g)].map(([, number]) => number);
  const entities = numbers.map(
    (number) => `{"__typename":"Account","limit":${number}.5,"risk":{"of":${number}},"advice":[${number}]}`,
  );
  return text(`{"data":{"_entities":[${entities}]}}`)(exchange);
};

async function post({ url }: Pick<InlineGateway, 'url'>, query: string, variables = '{}'): Promise<string> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: `{"query":${JSON.stringify(query)},"variables":${variables}}`,
  });
  return response.text();
}

describe('a number with more digits than a JavaScript number', () => {
  let gateway: InlineGateway;
  beforeAll(async () => {
    gateway = await startGateway({ subgraphs: { accounts: { subscription: { protocol: 'sse' } } } });
  });
  afterAll(() => gateway.close());
  afterEach(() => {
    accounts.setDefaultScript(text('{"data":{"account":null,"accounts":[]}}'));
    limits.setDefaultScript(answerEntities);
  });

  const operation =
    'query ($n: Long, $id: ID, $r: Float, $any: Any) { account(number: $n, id: $id, ratio: $r, any: $any) { number } }';
  const variables = `{"n":${long},"id":-${long},"r":${decimal},"any":{"a":[${decimal}]}}`;

  test('reaches the subgraph unchanged in variables of a POST and of a GET request', async () => {
    accounts.setDefaultScript(text('{"data":{"account":null}}'));
    const expected = `"variables":${variables}`;
    expect(await post(gateway, operation, variables)).toBe('{"data":{"account":null}}');
    expect(accounts.requests.at(-1)?.body).toContain(expected);
    const search = new URLSearchParams({ query: operation, variables });
    const response = await fetch(`${gateway.url}?${search}`, {
      headers: { 'apollo-require-preflight': '1' },
    });
    expect(await response.text()).toBe('{"data":{"account":null}}');
    expect(accounts.requests.at(-1)?.body).toContain(expected);
  });

  test('reaches the subgraph unchanged in variables of a WebSocket', async () => {
    accounts.setDefaultScript(text('{"data":{"account":null}}'));
    await using peer = await Peer.ready(gateway.url);
    const payload = `{"query":${JSON.stringify(operation)},"variables":${variables}}`;
    peer.send(`{"id":"1","type":"subscribe","payload":${payload}}`);
    expect(await peer.next()).toMatchObject({ payload: { data: { account: null } } });
    expect(accounts.requests.at(-1)?.body).toContain(`"variables":${variables}`);
  });

  test('reaches the client unchanged in an event, and the subgraph in the variables of the subscription', async () => {
    const event = `event: next\ndata: {"data":{"changed":${account(long)}}}\n\nevent: complete\n\n`;
    accounts.setDefaultScript(text(event, 'text/event-stream'));
    const response = await fetch(gateway.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: `{"query":"subscription ($n: Long) { changed(number: $n) { number limit } }","variables":{"n":${long}}}`,
    });
    expect(await response.text()).toContain(`{"number":${long},"limit":${long}.5}`);
    expect(accounts.requests.at(-1)?.body).toContain(`"variables":{"n":${long}}`);
  });

  test('is still checked against the type of its variable', async () => {
    const query = 'query ($n: Int, $ok: Boolean = true) { account(count: $n) @skip(if: $ok) { number } }';
    expect(await post(gateway, query, `{"n":${long}}`)).toContain(
      `Int cannot represent non 32-bit signed integer value: ${long}`,
    );
  });

  test('reaches the client unchanged, as an ID and a Float by the rules of these types', async () => {
    accounts.setDefaultScript(text(`{"data":{"account":${account(long)}}}`));
    const fields = 'number id owner ratio balance any';
    const expected = `{"number":${long},"id":"${long}","owner":["${long}","a"],"ratio":0.1,"balance":${decimal},"any":{"a":[-${long},1]}}`;
    expect(await post(gateway, `{ account { ${fields} } }`)).toBe(`{"data":{"account":${expected}}}`);
    // With an error, the response is shaped by the interpreter.
    accounts.setDefaultScript(
      text(
        `{"errors":[{"message":"m","path":["accounts"]}],"data":{"accounts":null,"account":${account(long)}}}`,
      ),
    );
    expect(await post(gateway, `{ account { ${fields} } accounts { id } }`)).not.toContain(expected);
    accounts.setDefaultScript(text(`{"data":{"account":${account(long).replace('"a"', 'null')}}}`));
    expect(await post(gateway, `{ account { ${fields.replace('owner', '')} ratio owner } }`)).toContain(
      `"number":${long},"id":"${long}","ratio":0.1,"balance":${decimal},"any":{"a":[-${long},1]},"owner":null`,
    );
  });

  test.each([
    ['an object', '{"account":NUMBER,"accounts":[]}', undefined],
    [
      'an object whose only selected field may be null',
      '{"node":NUMBER,"account":null,"accounts":[]}',
      undefined,
    ],
    ['an element of a list', '{"account":null,"accounts":[NUMBER]}', undefined],
    ['a list', '{"account":null,"accounts":NUMBER}', undefined],
    ['the data of a response', 'NUMBER', undefined],
    ['an entity', '{"account":{"__typename":"Account","number":1},"accounts":[]}', '{"_entities":[NUMBER]}'],
    [
      'an object of the root type, whose fields are fetched from the root of another subgraph',
      '{"account":{"__typename":"Account","number":1},"accounts":[],"node":null}',
      '{"_entities":[{"graph":NUMBER}]}',
    ],
    ['the entities', '{"account":{"__typename":"Account","number":1},"accounts":[]}', '{"_entities":NUMBER}'],
  ])('is an error like any other number in place of %s', async (_, data, entities) => {
    const query =
      '{ node { __typename } account { id balance limit advice graph { node { id } } } accounts { balance } }';
    const answerWith = (number: string): Promise<string> => {
      const respond = (json: string) => text(`{"data":${json.replace('NUMBER', number)}}`);
      accounts.setDefaultScript(respond(data));
      limits.setDefaultScript(entities === undefined ? answerEntities : respond(entities));
      return post(gateway, query);
    };
    const expected = await answerWith('5');
    const actual = await answerWith(long);
    expect(actual).toBe(expected);
    expect(expected).toContain('"errors"');
  });

  test('reaches the client unchanged in a response that is parsed in slices', async () => {
    const many = Array.from({ length: 5000 }, () => account(long)).join();
    accounts.setDefaultScript(text(`{"data":{"accounts":[${many}]}}`));
    const one = `{"number":${long},"balance":${decimal}}`;
    expect(await post(gateway, '{ accounts { number balance } }')).toBe(
      `{"data":{"accounts":[${Array.from({ length: 5000 }, () => one).join()}]}}`,
    );
  });

  test('is a key of an entity with all its digits', async () => {
    accounts.setDefaultScript(
      text(`{"data":{"accounts":[${account(long)},${account('9007199254740992')}]}}`),
    );
    limits.setDefaultScript(answerEntities);
    expect(await post(gateway, '{ accounts { limit risk } }')).toBe(
      `{"data":{"accounts":[{"limit":${long}.5,"risk":{"of":${long}}},{"limit":9007199254740992.5,"risk":{"of":9007199254740992}}]}}`,
    );
    const bodies = limits.requests.map(({ body }) => body).join();
    expect(bodies).toContain(`"number":${long}`);
    expect(bodies).toContain('"number":9007199254740992');
    expect(bodies).toContain(`"balance":${decimal}`);
  });

  test('is unchanged for several clients that share a request', async () => {
    accounts.setDefaultScript(text(`{"data":{"accounts":[${account(long)}]}}`));
    limits.setDefaultScript(answerEntities);
    const answers = await Promise.all(
      ['', 'any'].map((field) => post(gateway, `{ accounts { limit advice ${field} } }`)),
    );
    const shared = `"limit":${long}.5,"advice":[${long}]`;
    expect(answers).toEqual([
      `{"data":{"accounts":[{${shared}}]}}`,
      `{"data":{"accounts":[{${shared},"any":{"a":[-${long},1]}}]}}`,
    ]);
  });
});

describe('a stored number with more digits than a JavaScript number', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  }, downloadTimeoutMs);
  afterAll(async () => {
    await redis[Symbol.asyncDispose]();
  });

  test('is unchanged in the cache, in memory and in Redis', async () => {
    const rules = { 'subgraph:accounts': { maxAge: '1h' }, 'subgraph:limits': { maxAge: '1h' } };
    // On a busy machine, Redis must not seem slow.
    const timeouts = { ...longRedisTimeouts, read: '1m' } as const;
    const config = { cache: { rules }, redis: { url: redis.url, keyPrefix: randomUUID(), timeouts } };
    await using first = await startGateway(config);
    await using second = await startGateway(config);
    limits.setDefaultScript(answerEntities);
    const countCalls = () => accounts.requests.length + limits.requests.length;
    let isShared = false;
    // With other numbers while a gateway is not connected to Redis yet, or Redis does not have the values yet.
    for (let number = BigInt(long); !isShared; number += 2n) {
      accounts.setDefaultScript(text(`{"data":{"account":${account(`${number}`)}}}`));
      const query = `{ account(number: ${number}) { number balance limit } }`;
      const expected = `{"data":{"account":{"number":${number},"balance":${decimal},"limit":${number}.5}}}`;
      expect(await post(first, query)).toBe(expected);
      const calls = countCalls();
      for (const gateway of [first, first, second]) expect(await post(gateway, query)).toBe(expected);
      isShared = countCalls() === calls;
    }
  });

  test('is unchanged in the update of a deferred enrichment, whose variables have one too', async () => {
    const config = {
      enrichment: { mode: 'always', fields: { 'Account.advice': { budget: '1ms' } } },
      redis: { url: redis.url, keyPrefix: randomUUID() },
    } as const;
    await using gateway = await startGateway(config);
    const arrived = Promise.withResolvers<void>();
    accounts.setDefaultScript(text(`{"data":{"account":${account(long)}}}`));
    limits.setDefaultScript(runAfter(arrived.promise, answerEntities));
    const first = await post(
      gateway,
      'query ($n: Long) { account(number: $n) { number advice(of: $n) } }',
      `{"n":${long}}`,
    );
    expect(first).toContain(`"data":{"account":{"number":${long},"advice":null}}`);
    const [, token] = /"token":"([^"]+)"/.exec(first) ?? [];
    arrived.resolve();
    const updates = await fetch(new URL(`/enrichments/${token}`, gateway.url), {
      headers: { accept: 'text/event-stream' },
    });
    expect(await updates.text()).toContain(`"data":[${long}]`);
    expect(limits.requests.at(-1)?.body).toContain(`"n":${long}`);
  });
});
