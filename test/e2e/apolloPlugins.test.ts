import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { ApolloServerPluginUsageReporting } from '@apollo/server/plugin/usageReporting';
import { describe, expect, jest, test } from '@jest/globals';
import { GraphQLError } from 'graphql';
import type { ApolloServerPlugin, GatewayContext } from '../../gateway/gateway.ts';
import { createLogger } from '../../gateway/telemetry/logger.ts';
import { FakeTimers } from '../harness/fakeTimers.ts';
import { Gate } from '../harness/gate.ts';
import { postJson } from '../harness/postJson.ts';
import { exchangeJson } from '../harness/rawHttp.ts';
import {
  ScriptedEvents,
  ScriptedPayloads,
  singleOutcome,
  startScriptedServer,
} from '../harness/scriptedServer.ts';
import { transports } from '../harness/transports.ts';

type Plugin = ApolloServerPlugin<GatewayContext>;

const greeting = { query: '{ greeting }' };

function unauthenticated(): GraphQLError {
  return new GraphQLError('Who are you?', { extensions: { code: 'UNAUTHENTICATED' } });
}

const hooks: readonly [string, Plugin, string][] = [
  [
    'its operation is known',
    { requestDidStart: async () => ({ didResolveOperation: async () => Promise.reject(unauthenticated()) }) },
    'UNAUTHENTICATED',
  ],
  // The message of Apollo Server for any failure of a plugin.
  [
    'a request begins',
    { requestDidStart: async () => Promise.reject(unauthenticated()) },
    'INTERNAL_SERVER_ERROR',
  ],
];

const operations = [
  '{ greeting }',
  '{ greeting ... @defer { node { id } } }',
  'mutation { greet(name: "a") }',
  'subscription { greetings }',
];

describe.each(hooks)('a plugin that refuses when %s', (_, plugin, code) => {
  test.each(transports)('is obeyed by %s, for every kind of operation', async (_name, ask) => {
    await using server = await startScriptedServer(() => singleOutcome('{}'), { plugins: [plugin] });
    const codes: unknown[] = [];
    for (const query of operations) {
      // The second time, the operation is already validated.
      codes.push(await ask(server.url, { query }), await ask(server.url, { query }));
    }
    const isRefused = (given: unknown) => given === code || given === 'BAD_REQUEST';
    expect(codes.map((given) => isRefused(given) || given)).toEqual(codes.map(() => true));
    expect(codes.slice(0, 4)).toEqual([code, code, code, code]);
    expect(server.receivedOperations).toHaveLength(0);
  });
});

test('a plugin whose header cannot be sent fails the response, and leaves no subscription or execution behind', async () => {
  const plugin: Plugin = {
    requestDidStart: async () => ({
      willSendResponse: async ({ response }) => {
        response.http.headers.set('x-note', '5 €');
      },
    }),
  };
  const subscription = new ScriptedEvents();
  const payloads = new ScriptedPayloads();
  payloads.push([{ data: {}, hasNext: true }]);
  await using server = await startScriptedServer(
    ({ document }) =>
      document.loc?.source.body.startsWith('subscription') ? subscription.outcome : payloads.outcome,
    { plugins: [plugin] },
  );
  const statusOf = async (accept: string, query: string): Promise<number> => {
    const response = await postJson(server.url, { query }, { accept });
    await response.text();
    return response.status;
  };
  expect([
    await statusOf('multipart/mixed;subscriptionSpec=1.0', 'subscription { greetings }'),
    await statusOf('multipart/mixed;deferSpec=20220824', '{ greeting ... @defer { node { id } } }'),
  ]).toEqual([500, 500]);
  await Promise.all([subscription.returned, payloads.returned]);
});

describe('a plugin that does not start', () => {
  const post = async (url: string): Promise<unknown> => {
    const response = await postJson(url, greeting);
    const { errors } = await response.json();
    return errors === undefined ? response.status : [response.status, errors[0].extensions.code];
  };
  const readiness = async (url: string): Promise<unknown> => {
    const response = await fetch(`${url}/health/ready`);
    const { reasons } = await response.json();
    return [response.status, reasons];
  };
  const logLine = 'A plugin of Apollo Server has not started';

  /** A plugin that starts when its first attempts have failed. */
  class Connecting implements Plugin {
    readonly stops: string[] = [];
    readonly #failures: Error[];
    attempts = 0;

    constructor(...failures: Error[]) {
      this.#failures = failures;
    }

    async serverWillStart() {
      this.attempts += 1;
      const failure = this.#failures.shift();
      if (failure !== undefined) throw failure;
      return { serverWillStop: async () => void this.stops.push('stopped') };
    }
  }

  test('because it fails is started again, and the gateway is not ready until it has started', async () => {
    const timers = new FakeTimers();
    const refused = new Error('Connection refused.');
    const failing = new Connecting(refused, refused);
    const other = new Connecting();
    const startupDidFail = jest.fn(async (_: { error: Error }) => Promise.reject(new Error('no report')));
    await using server = await startScriptedServer(() => singleOutcome('{"greeting":"hello"}'), {
      plugins: [other, failing, { startupDidFail }],
      timers,
    });
    const notReady = [
      503,
      [{ code: 'PLUGIN_NOT_STARTED', message: 'plugins[1] (Connecting): Connection refused.' }],
    ];
    expect(await readiness(server.adminUrl)).toEqual(notReady);
    expect(await post(server.url)).toEqual([503, 'SUPERGRAPH_UNAVAILABLE']);
    const retry = (minMs: number, maxMs: number) =>
      timers.fire(timers.pendingMs().find((ms) => ms >= minMs && ms <= maxMs) as number);
    retry(250, 500);
    expect(await readiness(server.adminUrl)).toEqual(notReady);
    retry(500, 1_000);
    expect(await post(server.url)).toBe(200);
    expect(await readiness(server.adminUrl)).toStrictEqual([200, undefined]);
    expect([other.attempts, failing.attempts]).toEqual([1, 3]);
    expect(startupDidFail.mock.calls).toEqual([[{ error: refused }]]);
    expect(server.logLines).toEqual([logLine, 'A plugin of Apollo Server failed in startupDidFail']);
    await server.close();
    expect([other.stops, failing.stops]).toEqual([['stopped'], ['stopped']]);
  });

  test('because it does not end is no reason to wait for long, and ends with the gateway', async () => {
    const timers = new FakeTimers();
    const other = new Connecting();
    await using server = await startScriptedServer(() => singleOutcome('{"greeting":"hello"}'), {
      plugins: [{ serverWillStart: () => new Promise(() => {}) }, other],
      timers,
    });
    const answered = post(server.url);
    expect(await readiness(server.adminUrl)).toEqual([
      503,
      [{ code: 'PLUGIN_NOT_STARTED', message: 'The plugins of Apollo Server have not started yet.' }],
    ]);
    timers.fire(10_000);
    expect(await answered).toEqual([503, 'SUPERGRAPH_UNAVAILABLE']);
    expect(await post(server.url)).toEqual([503, 'SUPERGRAPH_UNAVAILABLE']);
    await server.close();
    expect([server.logLines, other.stops]).toEqual([[logLine], ['stopped']]);
  });

  test('is neither started again nor reported when the gateway has closed', async () => {
    const timers = new FakeTimers();
    const failing = new Connecting(new Error('Connection refused.'));
    const connection = Promise.withResolvers<void>();
    const server = await startScriptedServer(undefined, {
      plugins: [failing, { serverWillStart: () => connection.promise }],
      timers,
    });
    await readiness(server.adminUrl);
    await server.close();
    connection.reject(new Error('Too late.'));
    await connection.promise.catch(() => {});
    expect([failing.attempts, timers.pendingMs(), server.logLines]).toEqual([1, [], [logLine]]);
  });

  test('because it does not fit the others keeps the gateway from being ready, with the reason', async () => {
    const plugins: Plugin[] = [
      { serverWillStart: async () => ({ schemaDidLoadOrUpdate: () => failToRead() }) },
    ];
    await using server = await startScriptedServer(undefined, { plugins });
    const message = "plugins: An error was thrown from an 'onSchemaLoadOrUpdate' listener: Not this schema.";
    expect(await readiness(server.adminUrl)).toEqual([503, [{ code: 'PLUGIN_NOT_STARTED', message }]]);
    expect(await post(server.url)).toEqual([503, 'SUPERGRAPH_UNAVAILABLE']);
  });

  function failToRead(): never {
    throw new Error('Not this schema.');
  }
});

test.each<[string, Plugin]>([
  [
    'fails to stop',
    { serverWillStart: async () => ({ drainServer: async () => Promise.reject(new Error('not now')) }) },
  ],
  [
    'does not end stopping',
    { serverWillStart: async () => ({ serverWillStop: () => new Promise(() => {}) }) },
  ],
])('a plugin that %s does not keep the server from closing, and is in the log', async (_, plugin) => {
  const server = await startScriptedServer(() => singleOutcome('{}'), {
    plugins: [plugin],
    drainTimeout: 10,
  });
  await server.close();
  expect(server.logLines).toEqual(['Apollo Server plugins could not be stopped']);
});

test('a plugin that does not end stopping has what the running requests have left of the drain timeout', async () => {
  const running = new Gate();
  const timers = new FakeTimers();
  const server = await startScriptedServer(
    async () => {
      await running.pass();
      return singleOutcome('{}');
    },
    {
      plugins: [{ serverWillStart: async () => ({ serverWillStop: () => new Promise(() => {}) }) }],
      drainTimeout: 60_000,
      timers,
    },
  );
  const answered = postJson(server.url, greeting);
  await running.waitForArrivals();
  const closed = server.close();
  timers.after(20_000, () => {});
  timers.fire(20_000);
  running.open();
  await answered;
  await timers.waitForTimer(40_000);
  timers.fire(40_000);
  await closed;
  expect(server.logLines).toEqual(['Apollo Server plugins could not be stopped']);
});

describe('Apollo Server plugins of a library user', () => {
  test('can read the context and change errors and extensions', async () => {
    await using server = await startScriptedServer(undefined, {
      plugins: [
        {
          requestDidStart: async ({ contextValue }) => ({
            willSendResponse: async ({ response }) => {
              if (response.body.kind === 'single') {
                response.body.singleResult.extensions = { seen: contextValue.client.requestId };
              }
            },
          }),
        },
      ],
    });
    const { body } = await exchangeJson(server.url, greeting, { 'x-request-id': 'r1' });
    expect(body).toBe('{"data":{"greeting":"hello"},"extensions":{"seen":"r1"}}');
  });

  test('can replace the errors of a response, as `formatError` of Apollo Server does', async () => {
    const plugin: Plugin = {
      requestDidStart: async () => ({
        async willSendResponse({ response: { body } }) {
          if (body.kind !== 'single') return;
          const { errors = [] } = body.singleResult;
          body.singleResult.errors = errors.map(({ message }) => ({ message: `Sorry: ${message}` }));
        },
      }),
    };
    const outcome = singleOutcome('{"greeting":null}', { errors: [{ message: 'no', path: ['greeting'] }] });
    await using server = await startScriptedServer(() => outcome, { plugins: [plugin] });
    const bodies: string[] = [];
    for (const query of ['{ greeting }', '{ greting }', '{']) {
      const { body } = await exchangeJson(server.url, { query });
      bodies.push(body);
    }
    expect(bodies).toEqual([
      '{"errors":[{"message":"Sorry: no"}],"data":{"greeting":null}}',
      '{"errors":[{"message":"Sorry: Cannot query field \\"greting\\" on type \\"Query\\"."}]}',
      '{"errors":[{"message":"Sorry: Syntax Error: Expected Name, found <EOF>."}]}',
    ]);
  });

  test('report operations to GraphOS if one is that for usage reporting', async () => {
    const reported = Promise.withResolvers<string>();
    const graphos = createServer(async (request, response) => {
      reported.resolve(gunzipSync(await buffer(request)).toString());
      response.end();
    });
    await once(graphos.listen(0, '127.0.0.1'), 'listening');
    const endpointUrl = `http://127.0.0.1:${(graphos.address() as AddressInfo).port}`;
    process.env.APOLLO_KEY = 'service:shop:key';
    process.env.APOLLO_GRAPH_REF = 'shop@current';
    const plugin = ApolloServerPluginUsageReporting({ sendReportsImmediately: true, endpointUrl });
    await using server = await startScriptedServer(undefined, { plugins: [plugin] });
    await exchangeJson(server.url, { query: 'query Hello { greeting }' });
    const report = await reported.promise;
    expect(report).toContain('shop@current');
    expect(report).toContain('# Hello\nquery Hello{greeting}');
    graphos.close();
  });

  test('log texts, errors and fields with a message, at each level', async () => {
    const lines: unknown[] = [];
    const logger = createLogger('debug', {
      write: (text) => {
        const { time, ...line } = JSON.parse(text);
        lines.push(line);
      },
    });
    const plugin: Plugin = {
      requestDidStart: async ({ logger: { debug, info, warn, error } }) => {
        debug('details');
        info({ msg: 'Reports are sent', interval: 10 });
        warn(Object.assign(new Error('slow'), { secret: 'canary' }));
        error({ error: new Error('no') });
      },
    };
    await using server = await startScriptedServer(undefined, { plugins: [plugin], log: logger });
    await exchangeJson(server.url, greeting);
    const stack = expect.any(String);
    expect(lines).toEqual([
      { level: 20, msg: 'details' },
      { level: 30, interval: 10, msg: 'Reports are sent' },
      {
        level: 40,
        err: { type: 'Error', message: 'slow', stack },
        msg: 'A plugin of Apollo Server reports an error',
      },
      {
        level: 50,
        error: { type: 'Error', message: 'no', stack },
        msg: 'A plugin of Apollo Server reports',
      },
    ]);
  });
});

describe('a plugin that sets an invalid response header', () => {
  test('fails only that request and not the process', async () => {
    let isBroken = true;
    await using server = await startScriptedServer(undefined, {
      plugins: [
        {
          requestDidStart: async () => ({
            willSendResponse: async ({ response }) => {
              if (isBroken) response.http.headers.set('x-broken', 'line\nbreak');
            },
          }),
        },
      ],
    });
    const broken = await exchangeJson(server.url, greeting);
    isBroken = false;
    const next = await exchangeJson(server.url, greeting);
    expect([broken.status, next.status]).toEqual([500, 200]);
    expect(server.logLines).toEqual(['A request failed with an unexpected error']);
  });
});
