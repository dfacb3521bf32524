import { describe, expect, test } from '@jest/globals';
import { GatewayError } from '../../gateway/errors.ts';
import { FakeTimers } from '../harness/fakeTimers.ts';
import { exchange, RawConnection, type RawRequest } from '../harness/rawHttp.ts';
import {
  ScriptedEvents,
  ScriptedPayloads,
  singleOutcome,
  startScriptedServer,
} from '../harness/scriptedServer.ts';

function postRequest(body: unknown, accept = 'text/event-stream'): RawRequest {
  return { headers: { 'content-type': 'application/json', accept }, body: JSON.stringify(body) };
}

const hello = { query: '{ greeting }' };
const subscription = { query: 'subscription { greetings }' };

function events(...payloads: unknown[]): string {
  return payloads.map((payload) => `event: next\ndata: ${JSON.stringify(payload)}\n\n`).join('');
}

const complete = 'event: complete\ndata:\n\n';

const head = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  'content-encoding': 'none',
  connection: 'keep-alive',
};

function headOf(headers: ReadonlyMap<string, string>): Record<string, string | undefined> {
  return Object.fromEntries(Object.keys(head).map((name) => [name, headers.get(name)]));
}

describe('a client of server-sent events', () => {
  test('gets the same single event when a query is sent again', async () => {
    await using server = await startScriptedServer();
    for (let round = 0; round < 2; round++) {
      const { status, headers, body } = await exchange(server.url, postRequest(hello));
      expect([status, headOf(headers), headers.has('content-length')]).toEqual([200, head, false]);
      expect(body).toBe(`:\n\n${events({ data: { greeting: 'hello' } })}${complete}`);
    }
    expect(server.receivedOperations).toHaveLength(2);
  });

  test('gets the response to a mutation as one event', async () => {
    await using server = await startScriptedServer(() => singleOutcome('{"greet":"done"}'));
    const { body } = await exchange(server.url, postRequest({ query: 'mutation { greet(name: "a") }' }));
    expect(body).toBe(`:\n\n${events({ data: { greet: 'done' } })}${complete}`);
  });

  test('gets a response of several buffers as one event', async () => {
    await using server = await startScriptedServer(() => {
      const outcome = singleOutcome('');
      if (outcome.kind !== 'single') throw new Error('singleOutcome returned another outcome.');
      return {
        ...outcome,
        data: { takeWrapped: () => [Buffer.from('{"data":'), Buffer.from('{}}')] } as never,
      };
    });
    const { body } = await exchange(server.url, postRequest(hello));
    expect(body).toBe(`:\n\nevent: next\ndata: {"data":{}}\n\n${complete}`);
  });

  test('gets the rejection of an operation as an event, because it takes an error status for a network failure', async () => {
    await using server = await startScriptedServer(undefined, { limits: { depth: 1 } });
    const bodies = [{ query: '{ nothing }' }, { query: '{ node { node { id } } }' }, { query: '{' }, []];
    for (const refused of bodies) {
      const { status, body } = await exchange(server.url, postRequest(refused));
      expect([status, body]).toEqual([
        200,
        expect.stringMatching(/^:\n\nevent: next\ndata: \{"errors":\[.+\]\}\n\nevent: complete\ndata:\n\n$/),
      ]);
    }
    expect(server.receivedOperations).toHaveLength(0);
  });

  test('gets the rejection of its body as an event', async () => {
    await using server = await startScriptedServer();
    const bodies = [
      ['{', 'The request body is not valid JSON'],
      [' '.repeat(1_000_001), 'The request body is larger than 1000000 bytes'],
    ] as const;
    for (const [text, message] of bodies) {
      const { status, body } = await exchange(server.url, { ...postRequest(hello), body: text });
      expect([status, body.startsWith(':\n\nevent: next\ndata: {"errors":[')]).toEqual([200, true]);
      expect(body).toContain(message);
    }
  });

  test('gets the rejection of the HTTP request as a status', async () => {
    await using server = await startScriptedServer();
    const request = {
      ...postRequest(hello),
      headers: { 'content-type': 'text/json', accept: 'text/event-stream' },
    };
    expect((await exchange(server.url, request)).status).toBe(415);
  });

  test('gets incremental payloads as events', async () => {
    const payloads = [
      { data: { greeting: 'hello' }, hasNext: true },
      { incremental: [{ data: { node: null }, path: [] }], hasNext: false },
    ];
    await using server = await startScriptedServer(({ incrementalFormat }) => {
      const scripted = new ScriptedPayloads();
      expect(incrementalFormat).toBe('deferSpec=20220824');
      for (const payload of payloads) scripted.push([payload]);
      return scripted.outcome;
    });
    const query = '{ greeting ... @defer { node { id } } }';
    const { headers, body } = await exchange(server.url, postRequest({ query }));
    expect(headOf(headers)).toEqual(head);
    expect(body).toBe(`:\n\n${events(...payloads)}${complete}`);
  });

  test('gets the error of failed incremental payloads and the end', async () => {
    await using server = await startScriptedServer(() => {
      const scripted = new ScriptedPayloads();
      scripted.push([{ data: {}, hasNext: true }]);
      scripted.push(new GatewayError('DEADLINE_EXCEEDED', 'Too late.'));
      return scripted.outcome;
    });
    const { body } = await exchange(server.url, postRequest({ query: '{ ... @defer { greeting } }' }));
    const errors = [{ message: 'Too late.', extensions: { code: 'DEADLINE_EXCEEDED' } }];
    expect(body).toBe(`:\n\n${events({ data: {}, hasNext: true }, { errors, hasNext: false })}${complete}`);
  });

  test('can send any operation by GET with a header that requires a preflight', async () => {
    const scripted = new ScriptedEvents();
    scripted.push({ data: { greetings: 'one' } });
    scripted.push('end');
    let asks = 0;
    await using server = await startScriptedServer(() =>
      asks++ === 0 ? scripted.outcome : singleOutcome('{}'),
    );
    const get = (query: string, own: Record<string, string>) =>
      exchange(server.url, {
        method: 'GET',
        path: `/graphql?${new URLSearchParams({ query, variables: '{"a":1}' })}`,
        headers: { accept: 'text/event-stream', ...own },
      });
    const preflighted = { 'apollo-require-preflight': 'yes' };
    expect((await get(subscription.query, preflighted)).body).toBe(
      `:\n\n${events({ data: { greetings: 'one' } })}${complete}`,
    );
    expect(server.receivedOperations[0]?.variables).toEqual({ a: 1 });
    // Refused although its text has been validated before, with a status after which an EventSource does not reconnect.
    expect((await get(subscription.query, {})).status).toBe(400);
    expect((await get(subscription.query, {})).body).toContain('potential Cross-Site Request Forgery');
    const mutation = 'mutation { greet(name: "a") }';
    await exchange(server.url, postRequest({ query: mutation }));
    expect((await get(mutation, preflighted)).body).toContain('GET requests only support query operations');
    expect(server.receivedOperations).toHaveLength(2);
  });

  test.each([
    ['a mutation', 'mutation { greet(name: "a") }', 405],
    ['an invalid operation', 'subscription { nothing }', 400],
    ['an operation beyond the limits', '{ node { node { id } } }', 400],
  ])(
    'gets the status of a refusal for %s by GET, because an EventSource reconnects after an event',
    async (_, query, status) => {
      await using server = await startScriptedServer(undefined, { limits: { depth: 1 } });
      const { status: received, headers } = await exchange(server.url, {
        method: 'GET',
        path: `/graphql?${new URLSearchParams({ query })}`,
        headers: { accept: 'text/event-stream', 'sec-fetch-site': 'same-origin' },
      });
      expect([received, headers.get('content-type')]).toEqual([status, 'application/json; charset=utf-8']);
    },
  );
});

describe('a subscription over server-sent events', () => {
  test('starts at once and sends every event as it arrives', async () => {
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome);
    await using connection = await RawConnection.open(server.url);
    connection.send(postRequest(subscription));
    const { status, headers } = await connection.readHead();
    expect([status, headOf(headers)]).toEqual([200, head]);
    expect(await connection.readChunk()).toBe(':\n\n');
    for (const greetings of ['one', 'two']) {
      scripted.push({ data: { greetings } });
      expect(await connection.readChunk()).toBe(events({ data: { greetings } }));
    }
    scripted.push('end');
    expect(await connection.readChunk()).toBe(complete);
    expect(await connection.readChunk()).toBeUndefined();
  });

  test('is sent as events to a client that prefers JSON or multipart for other responses', async () => {
    const scripted = new ScriptedEvents();
    scripted.push('end');
    await using server = await startScriptedServer(() => scripted.outcome);
    const accept =
      'application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed';
    const { headers, body } = await exchange(server.url, postRequest(subscription, accept));
    expect([headOf(headers), body]).toEqual([head, `:\n\n${complete}`]);
  });

  test.each(['application/json', '*/*', 'multipart/mixed, application/json'])(
    'is rejected for a client that accepts %s',
    async (accept) => {
      await using server = await startScriptedServer();
      const { status, body } = await exchange(server.url, postRequest(subscription, accept));
      expect([status, JSON.parse(body)]).toEqual([
        400,
        {
          errors: [
            {
              message: expect.stringContaining('Accept text/event-stream'),
              extensions: { code: 'BAD_REQUEST' },
            },
          ],
        },
      ]);
      expect(server.receivedOperations).toHaveLength(0);
    },
  );

  test('gets a comment one heartbeat interval after the last event, and only then', async () => {
    const timers = new FakeTimers();
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome, {
      timers,
      heartbeatIntervalMs: 1000,
    });
    await using connection = await RawConnection.open(server.url);
    connection.send(postRequest(subscription));
    await connection.readHead();
    await connection.readChunk();
    timers.advance(900);
    scripted.push({ data: {} });
    await connection.readChunk();
    timers.advance(999);
    timers.advance(1);
    expect(await connection.readChunk()).toBe(':\n\n');
    timers.advance(999);
    scripted.push('end');
    expect(await connection.readChunk()).toBe(complete);
    expect(timers.pendingCount).toBe(0);
  });

  test('sends cursors as event ids, and resumes after last-event-id', async () => {
    const scripted = new ScriptedEvents();
    scripted.push({ data: {} }, '7-0');
    scripted.push('end');
    await using server = await startScriptedServer(() => scripted.outcome);
    const request = postRequest(subscription);
    const headers = { ...request.headers, 'last-event-id': '6-0' };
    const { body } = await exchange(server.url, { ...request, headers });
    expect(body).toBe(`:\n\nid: 7-0\n${events({ data: {} })}${complete}`);
    expect(server.receivedOperations[0]?.resumeAfter).toBe('6-0');
  });

  test('takes an empty last-event-id for none, as an EventSource does, and resumes after the cursor of the operation', async () => {
    await using server = await startScriptedServer(() => {
      const scripted = new ScriptedEvents();
      scripted.push('end');
      return scripted.outcome;
    });
    for (const extensions of [undefined, { tributary: { cursor: '6-0' } }]) {
      const request = postRequest({ ...subscription, extensions });
      await exchange(server.url, { ...request, headers: { ...request.headers, 'last-event-id': '' } });
    }
    expect(server.receivedOperations.map(({ resumeAfter }) => resumeAfter)).toEqual([undefined, '6-0']);
  });

  test('ends with the error of its events', async () => {
    const scripted = new ScriptedEvents();
    scripted.push(new GatewayError('SUBGRAPH_UNREACHABLE', 'Gone.'));
    await using server = await startScriptedServer(() => scripted.outcome);
    const { body } = await exchange(server.url, postRequest(subscription));
    const errors = [{ message: 'Gone.', extensions: { code: 'SUBGRAPH_UNREACHABLE' } }];
    expect(body).toBe(`:\n\n${events({ errors })}${complete}`);
  });

  test('ends and releases everything when the client disconnects', async () => {
    const timers = new FakeTimers();
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome, { timers });
    const connection = await RawConnection.open(server.url);
    connection.send(postRequest(subscription));
    await connection.readHead();
    await connection.readChunk();
    await connection[Symbol.asyncDispose]();
    await scripted.returned;
    await server.close();
    expect([timers.pendingCount, server.supergraphs.leases.get('first')]).toEqual([0, 0]);
  });

  test('ends without a complete event when the server shuts down, so that the client subscribes again', async () => {
    const scripted = new ScriptedEvents();
    const server = await startScriptedServer(() => scripted.outcome, { drainTimeout: 60_000 });
    await using connection = await RawConnection.open(server.url);
    connection.send(postRequest(subscription));
    await connection.readHead();
    await connection.readChunk();
    await server.close();
    expect(await connection.readChunk()).toBeUndefined();
    await scripted.returned;
  });

  test('is rejected while the server shuts down', async () => {
    const scripted = new ScriptedEvents();
    const entered = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const server = await startScriptedServer(
      async () => {
        entered.resolve();
        await gate.promise;
        return scripted.outcome;
      },
      { drainTimeout: 60_000 },
    );
    const response = exchange(server.url, postRequest(subscription));
    await entered.promise;
    const closed = server.close();
    gate.resolve();
    expect((await response).status).toBe(503);
    await scripted.returned;
    await closed;
  });
});
