import { describe, expect, test } from '@jest/globals';
import type { IncrementalFormat } from '../../gateway/operation/operationRequest.ts';
import {
  collectPayloads,
  exchange,
  MultipartReader,
  mergePayloads,
  RawConnection,
} from '../harness/rawHttp.ts';
import { ScriptedPayloads, singleOutcome, startScriptedServer } from '../harness/scriptedServer.ts';

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
  ] as const)('is answered for accept %s as %s', async (accept, format) => {
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
  ])('is answered in one piece, never refused, for accept %s', async (accept) => {
    await using server = await startScriptedServer((request) =>
      singleOutcome(JSON.stringify({ incremental: request.incrementalFormat ?? null })),
    );
    const answered = await exchange(server.url, deferring(accept));
    expect([answered.status, answered.body]).toEqual([200, '{"data":{"incremental":null}}']);
  });

  test('is broken off without a word in the middle when the client sends bytes that are no HTTP', async () => {
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

  test('has exactly these bytes', async () => {
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

  test('shows each batch to the client before the next is made, in one write', async () => {
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

  test('leaves the connection usable', async () => {
    await using server = await startScriptedServer(() => {
      const payloads = new ScriptedPayloads();
      for (const payload of legacy) payloads.push([payload]);
      return payloads.outcome;
    });
    await using connection = await RawConnection.open(server.url);
    const bodies: string[] = [];
    for (let round = 0; round < 2; round++) {
      connection.send(deferring('multipart/mixed'));
      bodies.push((await connection.readAnswer()).body);
    }
    expect(bodies[1]).toBe(bodies[0]);
  });
});

describe('payloads that fail', () => {
  test('before the first one are an error in one piece', async () => {
    const payloads = new ScriptedPayloads();
    payloads.push(new Error('internal'));
    await using server = await startScriptedServer(() => payloads.outcome);
    const answered = await exchange(
      server.url,
      deferring('multipart/mixed, application/graphql-response+json'),
    );
    expect([answered.status, answered.headers.get('content-type'), JSON.parse(answered.body)]).toEqual([
      500,
      'application/graphql-response+json; charset=utf-8',
      { errors: [{ message: 'Internal server error', extensions: { code: 'INTERNAL_SERVER_ERROR' } }] },
    ]);
    expect(server.logLines).toEqual(['A request failed with an unexpected error']);
  });

  test.each(['multipart/mixed;deferSpec=20220824', 'multipart/mixed;incrementalSpec=v0.2'])(
    'later end the body properly, with the error in a last payload (%s)',
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

  test('by ending while more was promised end the body properly', async () => {
    const payloads = new ScriptedPayloads();
    payloads.push([legacy[0]]);
    payloads.push('end');
    await using server = await startScriptedServer(() => payloads.outcome);
    expect((await collectPayloads(server.url, deferring('multipart/mixed'))).payloads).toEqual([
      legacy[0],
      { hasNext: false },
    ]);
  });

  test('with the whole request, when a plugin throws after execution, are ended', async () => {
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
    const answered = await exchange(server.url, deferring('multipart/mixed, application/json'));
    await payloads.returned;
    expect([answered.status, payloads.pullCount]).toEqual([500, 0]);
  });
});

describe('a client that leaves', () => {
  test('between payloads ends them at once, and their signal', async () => {
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

  test('before the first payload ends the work through the signal', async () => {
    const entered = Promise.withResolvers<AbortSignal>();
    const payloads = new ScriptedPayloads();
    await using server = await startScriptedServer(async ({ signal }) => {
      entered.resolve(signal);
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
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

  test('with a second, pipelined request waiting ends that one too', async () => {
    const signals: AbortSignal[] = [];
    const both = Promise.withResolvers<void>();
    await using server = await startScriptedServer(async ({ signal }) => {
      signals.push(signal);
      if (signals.length === 2) both.resolve();
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
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
          signal.aborted || new Promise((resolve) => signal.addEventListener('abort', resolve)),
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

  test('gets an operation without @defer in one part', async () => {
    await using server = await startScriptedServer(() =>
      singleOutcome('{"greeting":"hello"}', { extensions: { note: 1 } }),
    );
    expect(await collectPayloads(server.url, only('{ greeting }'))).toEqual({
      status: 200,
      contentType: 'multipart/mixed; boundary="-"; deferSpec=20220824',
      payloads: [{ data: { greeting: 'hello' }, extensions: { note: 1 }, hasNext: false }],
    });
  });

  test('gets a refusal as JSON with its status', async () => {
    await using server = await startScriptedServer();
    const answered = await exchange(server.url, only('{'));
    expect([answered.status, answered.headers.get('content-type')]).toEqual([
      400,
      'application/json; charset=utf-8',
    ]);
  });
});
