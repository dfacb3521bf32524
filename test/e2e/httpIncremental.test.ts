import type { ApolloServerPlugin, GraphQLRequestListener } from '@apollo/server';
import { describe, expect, test } from '@jest/globals';
import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { GatewayContext } from '../../gateway/gateway.ts';
import { parseExactJson } from '../../gateway/json/exactJson.ts';
import type { IncrementalFormat } from '../../gateway/operation/operationRequest.ts';
import type { RequestSignal } from '../../gateway/time/requestAbort.ts';
import { startInlineGateway } from '../harness/inlineGateway.ts';
import {
  collectPayloads,
  exchange,
  MultipartReader,
  mergePayloads,
  RawConnection,
} from '../harness/rawHttp.ts';
import {
  ScriptedEvents,
  ScriptedPayloads,
  singleOutcome,
  startScriptedServer,
} from '../harness/scriptedServer.ts';

const query = '{ greeting ... @defer(label: "late") { node { name } } }';
const body = JSON.stringify({ query });

function deferring(accept: string): { headers: Record<string, string>; body: string } {
  return { headers: { 'content-type': 'application/json', accept }, body };
}

const legacy = [
  { data: { greeting: 'hello' }, hasNext: true },
  { incremental: [{ data: { node: { name: 'n' } }, path: [], label: 'late' }], hasNext: false },
];
const current = [
  { data: { greeting: 'hello' }, pending: [{ id: '0', path: [], label: 'late' }], hasNext: true },
  { incremental: [{ id: '0', data: { node: { name: 'n' } } }], completed: [{ id: '0' }], hasNext: false },
];
const payloadsOf = (format: IncrementalFormat | undefined): object[] =>
  format === 'incrementalSpec=v0.2' ? current : legacy;

describe('an operation with @defer', () => {
  test.each([
    [
      'multipart/mixed;deferSpec=20220824,application/graphql-response+json,application/json;q=0.9',
      'deferSpec=20220824',
    ],
    [
      'multipart/mixed;incrementalSpec=v0.2,application/graphql-response+json,application/json;q=0.9',
      'incrementalSpec=v0.2',
    ],
    [
      'application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed',
      'deferSpec=20220824',
    ],
    ['multipart/mixed', 'deferSpec=20220824'],
    ['multipart/mixed; boundary=graphql; deferSpec="20220824"', 'deferSpec=20220824'],
    ['application/json, multipart/mixed;q=0.1;incrementalSpec="v0.2"', 'incrementalSpec=v0.2'],
  ] as const)('is answered for accept %s in the format %s', async (accept, format) => {
    await using server = await startScriptedServer((request) => {
      const payloads = new ScriptedPayloads();
      for (const payload of payloadsOf(request.incrementalFormat)) payloads.push([payload]);
      return payloads.outcome;
    });
    expect(await collectPayloads(server.url, deferring(accept))).toEqual({
      status: 200,
      contentType: `multipart/mixed; boundary="-"; ${format}`,
      payloads: payloadsOf(format),
    });
    expect(server.receivedOperations[0]?.incrementalFormat).toBe(format);
    expect(mergePayloads(payloadsOf(format))).toEqual({ data: { greeting: 'hello', node: { name: 'n' } } });
  });

  test.each([
    'application/json',
    'application/graphql-response+json',
    '*/*',
    'multipart/mixed;subscriptionSpec=1.0, application/json',
    'multipart/mixed;q=0, application/json',
  ])('is answered with a complete response, not rejected, for accept %s', async (accept) => {
    await using server = await startScriptedServer((request) =>
      singleOutcome(JSON.stringify({ incremental: request.incrementalFormat ?? null })),
    );
    const response = await exchange(server.url, deferring(accept));
    expect([response.status, response.body]).toEqual([200, '{"data":{"incremental":null}}']);
  });

  test('ends with the connection and without an error in the middle of the body when the client sends malformed HTTP', async () => {
    const payloads = new ScriptedPayloads();
    await using server = await startScriptedServer(() => payloads.outcome);
    await using connection = await RawConnection.open(server.url);
    connection.send(deferring('multipart/mixed'));
    payloads.push([legacy[0]]);
    await connection.readHead();
    await connection.readChunk();
    connection.socket.write('no HTTP\r\n\r\n');
    await payloads.returned;
    await expect(connection.readChunk()).rejects.toThrow(/unread: $/);
  });

  test('is encoded as exactly these bytes', async () => {
    const payloads = new ScriptedPayloads();
    for (const payload of legacy) payloads.push([payload]);
    await using server = await startScriptedServer(() => payloads.outcome);
    const { headers, body: bytes } = await exchange(
      server.url,
      deferring('multipart/mixed;deferSpec=20220824'),
    );
    expect(headers.get('transfer-encoding')).toBe('chunked');
    expect(headers.get('content-length')).toBeUndefined();
    expect(headers.get('cache-control')).toBe('no-store');
    expect(bytes).toBe(
      '\r\n---\r\ncontent-type: application/json; charset=utf-8\r\n\r\n{"data":{"greeting":"hello"},"hasNext":true}\r\n---\r\n' +
        'content-type: application/json; charset=utf-8\r\n\r\n{"incremental":[{"data":{"node":{"name":"n"}},"path":[],"label":"late"}],"hasNext":false}\r\n-----\r\n',
    );
  });

  test('sends each batch in one write before the next batch is requested', async () => {
    const payloads = new ScriptedPayloads();
    await using server = await startScriptedServer(() => payloads.outcome);
    await using connection = await RawConnection.open(server.url);
    connection.send(deferring('multipart/mixed'));
    payloads.push([
      { data: { greeting: 'hello' }, hasNext: true },
      { incremental: [], hasNext: true },
    ]);
    await connection.readHead();
    const reader = new MultipartReader();
    expect(reader.read((await connection.readChunk()) ?? '')).toEqual([
      { data: { greeting: 'hello' }, hasNext: true },
      { incremental: [], hasNext: true },
    ]);
    payloads.push([{ hasNext: false }]);
    expect(reader.read((await connection.readChunk()) ?? '')).toEqual([{ hasNext: false }]);
    expect(await connection.readChunk()).toBeUndefined();
    reader.assertClosed();
  });

  test('leaves the connection usable for the next request', async () => {
    await using server = await startScriptedServer(() => {
      const payloads = new ScriptedPayloads();
      for (const payload of legacy) payloads.push([payload]);
      return payloads.outcome;
    });
    await using connection = await RawConnection.open(server.url);
    const bodies: string[] = [];
    for (let round = 0; round < 2; round++) {
      connection.send(deferring('multipart/mixed'));
      bodies.push((await connection.readResponse()).body);
    }
    expect(bodies[1]).toBe(bodies[0]);
  });
});

describe('incremental payloads that fail', () => {
  test('before the first one are answered with a complete error response', async () => {
    const payloads = new ScriptedPayloads();
    payloads.push(new Error('internal'));
    await using server = await startScriptedServer(() => payloads.outcome);
    const response = await exchange(
      server.url,
      deferring('multipart/mixed, application/graphql-response+json'),
    );
    expect([response.status, response.headers.get('content-type'), JSON.parse(response.body)]).toEqual([
      500,
      'application/graphql-response+json; charset=utf-8',
      { errors: [{ message: 'Internal server error', extensions: { code: 'INTERNAL_SERVER_ERROR' } }] },
    ]);
    expect(server.logLines).toEqual(['A request failed with an unexpected error']);
  });

  test.each(['multipart/mixed;deferSpec=20220824', 'multipart/mixed;incrementalSpec=v0.2'])(
    'after the first one end the body with the error in a last payload (%s)',
    async (accept) => {
      await using server = await startScriptedServer((request) => {
        const payloads = new ScriptedPayloads();
        payloads.push([payloadsOf(request.incrementalFormat)[0]]);
        payloads.push(new Error('internal'));
        return payloads.outcome;
      });
      const { payloads } = await collectPayloads(server.url, deferring(accept));
      expect(payloads.slice(1)).toEqual([
        {
          errors: [{ message: 'Internal server error', extensions: { code: 'INTERNAL_SERVER_ERROR' } }],
          hasNext: false,
        },
      ]);
    },
  );

  test('by ending although more were announced end the body with hasNext false', async () => {
    const payloads = new ScriptedPayloads();
    payloads.push([legacy[0]]);
    payloads.push('end');
    await using server = await startScriptedServer(() => payloads.outcome);
    expect((await collectPayloads(server.url, deferring('multipart/mixed'))).payloads).toEqual([
      legacy[0],
      { hasNext: false },
    ]);
  });

  test('are ended without being requested when a plugin throws after execution', async () => {
    const payloads = new ScriptedPayloads();
    await using server = await startScriptedServer(() => payloads.outcome, {
      plugins: [
        {
          requestDidStart: async () => ({
            willSendResponse: async () => {
              throw new Error('plugin');
            },
          }),
        },
      ],
    });
    const response = await exchange(server.url, deferring('multipart/mixed, application/json'));
    await payloads.returned;
    expect([response.status, payloads.pullCount]).toEqual([500, 0]);
  });
});

describe('an Apollo Server plugin', () => {
  /** Records the hooks of a request. A class with a private member, as some plugins are. */
  class Recorder implements ApolloServerPlugin<GatewayContext> {
    readonly #calls: unknown[] = [];
    readonly fails: boolean;

    constructor(fails = false) {
      this.fails = fails;
    }

    get calls(): readonly unknown[] {
      return this.#calls;
    }

    async requestDidStart(): Promise<GraphQLRequestListener<GatewayContext>> {
      const record = async (...call: unknown[]) => void this.#calls.push(call);
      return {
        executionDidStart: async () => ({ executionDidEnd: () => record('executionDidEnd') }),
        willSendResponse: async ({ response: { body } }) => {
          await record('willSendResponse', body.kind);
          if (body.kind !== 'incremental') return;
          const results: unknown[] = [];
          for await (const result of body.subsequentResults) results.push(result);
          await record('subsequentResults', body.initialResult.hasNext, results);
        },
        didEncounterSubsequentErrors: (_, errors) =>
          record('didEncounterSubsequentErrors', errors[0] instanceof GraphQLError, errors[0]?.message),
        willSendSubsequentPayload: async ({ operation, response: { body } }, payload) => {
          await record('willSendSubsequentPayload', operation?.operation, body.kind, payload);
          if (this.fails) throw new Error('secret');
        },
      };
    }
  }

  const before = [['executionDidEnd'], ['willSendResponse', 'incremental'], ['subsequentResults', true, []]];

  test('sees each payload after the first before it is sent, and its errors', async () => {
    const payloads = new ScriptedPayloads();
    const recorder = new Recorder();
    await using server = await startScriptedServer(() => payloads.outcome, { plugins: [recorder] });
    const connection = await RawConnection.open(server.url);
    connection.send(deferring('multipart/mixed'));
    payloads.push([legacy[0]]);
    await connection.readHead();
    expect(await connection.readChunk()).toContain('"greeting":"hello"');
    expect(recorder.calls).toEqual(before);
    // Two payloads in one write, of which one has a number that a JavaScript number would round.
    const failed = parseExactJson(
      '{"incremental":[{"data":null,"path":["node"],"errors":[{"message":"No."}]}],"extensions":{"n":9007199254740993},"hasNext":true}',
    );
    payloads.push([failed, legacy[1]]);
    payloads.push('end');
    expect(await connection.readChunk()).toContain('"hasNext":false');
    const kind = ['willSendSubsequentPayload', 'query', 'incremental'];
    expect(recorder.calls.slice(3)).toEqual([
      ['didEncounterSubsequentErrors', true, 'No.'],
      [...kind, failed],
      [...kind, legacy[1]],
    ]);
    await connection[Symbol.asyncDispose]();
  });

  test('that fails for a payload is logged, and the client gets the payload', async () => {
    const payloads = new ScriptedPayloads();
    for (const payload of current) payloads.push([payload]);
    payloads.push('end');
    const recorder = new Recorder(true);
    await using server = await startScriptedServer(() => payloads.outcome, { plugins: [recorder] });
    const accept = 'multipart/mixed;incrementalSpec=v0.2';
    expect(await collectPayloads(server.url, deferring(accept))).toEqual({
      status: 200,
      contentType: `multipart/mixed; boundary="-"; incrementalSpec=v0.2`,
      payloads: current,
    });
    expect(recorder.calls.at(-1)).toEqual(['willSendSubsequentPayload', 'query', 'incremental', current[1]]);
    expect(server.logLines).toEqual(['An Apollo Server plugin failed with an unexpected error']);
  });

  test('gets the errors of the first payload before the response is sent, each with its path, over every transport', async () => {
    const seen: unknown[] = [];
    const plugin: ApolloServerPlugin<GatewayContext> = {
      requestDidStart: async () => ({
        didEncounterErrors: async ({ errors }) => {
          const codes = errors.map(({ message, path, extensions }) => [message, path, extensions.code]);
          seen.push(['didEncounterErrors', ...codes]);
        },
        willSendResponse: async ({ errors, response: { body: sent } }) => {
          const initial = sent.kind === 'incremental' ? sent.initialResult.errors : undefined;
          seen.push(['willSendResponse', errors?.length, initial]);
        },
      }),
    };
    await using gateway = await startInlineGateway({
      subgraphs: [
        {
          name: 'one',
          sdl: 'type Query { broken: String }',
          resolvers: { Query: { broken: () => Promise.reject(new Error('No.')) } },
        },
        { name: 'two', sdl: 'type Query { later: String }' },
      ],
      dependencies: { plugins: [plugin] },
    });
    const text = '{ broken ... @defer { later } }';
    const { payloads } = await collectPayloads(gateway.url, {
      ...deferring('multipart/mixed'),
      body: JSON.stringify({ query: text }),
    });
    const [error] = (payloads[0] as { errors: [GraphQLFormattedError] }).errors;
    const { message, path, extensions } = error;
    expect(path).toEqual(['broken']);
    const expected = [
      ['didEncounterErrors', [message, path, extensions?.code]],
      ['willSendResponse', 1, [error]],
    ];
    expect(seen).toEqual(expected);
    const events = await exchange(gateway.url, {
      ...deferring('text/event-stream'),
      body: JSON.stringify({ query: text }),
    });
    expect(events.body).toContain(JSON.stringify(payloads[0]));
    const client = createClient({
      url: gateway.url.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      retryAttempts: 0,
    });
    const results: unknown[] = [];
    for await (const result of client.iterate({ query: text })) results.push(result);
    await client.dispose();
    expect(results).toEqual(payloads);
    expect(seen).toEqual([...expected, ...expected, ...expected]);
  });

  test('sees a subscription as one response, and nothing of a response whose client has left', async () => {
    const recorder = new Recorder();
    const left = new ScriptedPayloads();
    left.push([legacy[0]]);
    await using server = await startScriptedServer(
      ({ document }) => {
        if (!JSON.stringify(document).includes('greetings')) return left.outcome;
        const events = new ScriptedEvents();
        events.push({ data: { greetings: 'a' } });
        events.push('end');
        return events.outcome;
      },
      { plugins: [recorder] },
    );
    const { body: events } = await exchange(server.url, {
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: '{"query":"subscription { greetings }"}',
    });
    expect(events).toContain('"greetings":"a"');
    expect(recorder.calls).toEqual([['executionDidEnd'], ['willSendResponse', 'single']]);
    const connection = await RawConnection.open(server.url);
    connection.send(deferring('multipart/mixed'));
    await connection.readHead();
    await connection[Symbol.asyncDispose]();
    await left.returned;
    expect(recorder.calls.slice(2)).toEqual(before);
  });

  test('sees the same over event streams and WebSockets', async () => {
    const recorder = new Recorder();
    await using server = await startScriptedServer(
      () => {
        const payloads = new ScriptedPayloads();
        for (const payload of legacy) payloads.push([payload]);
        payloads.push('end');
        return payloads.outcome;
      },
      { plugins: [recorder] },
    );
    const events = await exchange(server.url, deferring('text/event-stream'));
    expect(events.body).toContain('"hasNext":false');
    const client = createClient({
      url: server.url.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      retryAttempts: 0,
    });
    const results: unknown[] = [];
    for await (const result of client.iterate({ query })) results.push(result);
    await client.dispose();
    expect(results).toHaveLength(2);
    const once = [...before, ['willSendSubsequentPayload', 'query', 'incremental', legacy[1]]];
    expect(recorder.calls).toEqual([...once, ...once]);
  });
});

describe('a client that disconnects', () => {
  test('between two payloads ends the payloads at once and aborts their signal', async () => {
    const payloads = new ScriptedPayloads();
    payloads.push([legacy[0]]);
    await using server = await startScriptedServer(() => payloads.outcome);
    const connection = await RawConnection.open(server.url);
    connection.send(deferring('multipart/mixed'));
    await connection.readHead();
    await connection.readChunk();
    await connection[Symbol.asyncDispose]();
    await payloads.returned;
    expect(server.receivedOperations[0]?.signal.aborted).toBe(true);
    expect(server.logLines).toEqual([]);
  });

  test('before the first payload ends the execution through its signal', async () => {
    const entered = Promise.withResolvers<RequestSignal>();
    const payloads = new ScriptedPayloads();
    await using server = await startScriptedServer(async ({ signal }) => {
      entered.resolve(signal);
      await new Promise<void>((resolve) => signal.addEventListener('abort', resolve));
      return payloads.outcome;
    });
    const connection = await RawConnection.open(server.url);
    connection.send(deferring('multipart/mixed'));
    await entered.promise;
    await connection[Symbol.asyncDispose]();
    await payloads.returned;
    expect(payloads.pullCount).toBe(0);
    expect(server.logLines).toEqual([]);
  });

  test('ends its pipelined requests too', async () => {
    const signals: RequestSignal[] = [];
    const both = Promise.withResolvers<void>();
    await using server = await startScriptedServer(async ({ signal }) => {
      signals.push(signal);
      if (signals.length === 2) both.resolve();
      await new Promise<void>((resolve) => signal.addEventListener('abort', resolve));
      return singleOutcome('null');
    });
    const connection = await RawConnection.open(server.url);
    connection.send(deferring('application/json'));
    connection.send(deferring('application/json'));
    await both.promise;
    await connection[Symbol.asyncDispose]();
    await Promise.all(
      signals.map(
        async (signal) =>
          signal.aborted || new Promise<void>((resolve) => signal.addEventListener('abort', resolve)),
      ),
    );
    expect(signals.map((signal) => signal.aborted)).toEqual([true, true]);
  });
});

describe('a client that accepts only multipart', () => {
  const only = (text: string): object => ({
    headers: { 'content-type': 'application/json', accept: 'multipart/mixed;deferSpec=20220824' },
    body: JSON.stringify({ query: text }),
  });

  test('gets the response to an operation without @defer in one part', async () => {
    await using server = await startScriptedServer(() =>
      singleOutcome('{"greeting":"hello"}', { extensions: { note: 1 } }),
    );
    expect(await collectPayloads(server.url, only('{ greeting }'))).toEqual({
      status: 200,
      contentType: 'multipart/mixed; boundary="-"; deferSpec=20220824',
      payloads: [{ data: { greeting: 'hello' }, extensions: { note: 1 }, hasNext: false }],
    });
  });

  test('gets an error as JSON with its status', async () => {
    await using server = await startScriptedServer();
    const response = await exchange(server.url, only('{'));
    expect([response.status, response.headers.get('content-type')]).toEqual([
      400,
      'application/json; charset=utf-8',
    ]);
  });
});
