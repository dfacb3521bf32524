import { stat } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { type Exchange, json, reset, runAfter } from '../../harness/scriptedSubgraph.ts';
import { createClientFixture, deadlineMs, describeFailure, ok, okResponse } from './clientFixture.ts';
import { subgraph } from './subgraphPerTest.ts';

describe('a request to a subgraph', () => {
  test('has the body, the forwarded headers, the ids and the remaining time', async () => {
    await using under = createClientFixture(subgraph.url);
    subgraph.enqueueScripts(json(ok));

    const answer = under.send({
      body: '{"query":"{größe}"}',
      headers: { key: 'k', pairs: ['authorization', 'Bearer a'] },
      traceHeaders: [
        'traceparent',
        '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        'tracestate',
        'vendor=1',
      ],
      deadline: under.clock.now() + 1234.9,
    });

    expect(await answer.outcome).toEqual(okResponse);
    const [request] = subgraph.requests;
    expect({
      ...request,
      headers: Object.fromEntries(request!.headers),
      connectionClosed: undefined,
    }).toEqual({
      method: 'POST',
      path: '/graphql',
      body: '{"query":"{größe}"}',
      connection: 1,
      connectionClosed: undefined,
      headers: {
        host: new URL(subgraph.url).host,
        connection: 'keep-alive',
        'content-type': 'application/json',
        'content-length': '21',
        accept: 'application/graphql-response+json, application/json;q=0.9',
        'x-request-id': 'request-1',
        authorization: 'Bearer a',
        'tributary-deadline-ms': '1234',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        tracestate: 'vendor=1',
      },
    });
  });

  test('never has a remaining time of 0', async () => {
    await using under = createClientFixture(subgraph.url);
    subgraph.enqueueScripts(json(ok));

    await under.send({ deadline: under.clock.now() + 0.3 }).outcome;

    expect(subgraph.requests[0]!.headers.get('tributary-deadline-ms')).toBe('1');
  });

  test('accepts compression of a subgraph whose address is not a loopback address', async () => {
    // Connects to this machine, too.
    await using under = createClientFixture(subgraph.url.replace('127.0.0.1', '0.0.0.0'));
    subgraph.enqueueScripts(json(ok));

    await under.send().outcome;

    expect(subgraph.requests[0]!.headers.get('accept-encoding')).toBe('gzip, br');
  });

  test('uses another connection when the last one is older than its limit', async () => {
    await using under = createClientFixture(subgraph.url, { at: { connections: 1, maxConnectionAgeMs: 1 } });
    subgraph.setDefaultScript(json(ok));

    // The age is measured by a timer of the real clock.
    while (subgraph.requests.at(-1)?.connection !== 2) expect(await under.send().outcome).toEqual(okResponse);

    const used = subgraph.requests.map((request) => request.connection);
    expect(used).toEqual(used.toSorted());
  });

  test('reuses an idle connection', async () => {
    await using under = createClientFixture(subgraph.url, { at: { connections: 1 } });
    subgraph.setDefaultScript(json(ok));

    await under.send().outcome;
    await under.send().outcome;

    expect(subgraph.requests.map((request) => request.connection)).toEqual([1, 1]);
  });

  test('waits for a free connection if all are in use', async () => {
    await using under = createClientFixture(subgraph.url, { at: { connections: 1 } });
    const first = Promise.withResolvers<void>();
    subgraph.enqueueScripts(runAfter(first.promise, json({ data: { n: 1 } })), json({ data: { n: 2 } }));

    const answers = [under.send({ body: '1' }), under.send({ body: '2' })];
    await subgraph.waitForRequests(1);
    expect(subgraph.requests.length).toBe(1);
    first.resolve();

    expect(
      (await Promise.all(answers.map((answer) => answer.outcome))).map((one) => 'data' in one && one.data),
    ).toEqual([{ n: 1 }, { n: 2 }]);
    expect(subgraph.requests.map(({ connection, body }) => ({ connection, body }))).toEqual([
      { connection: 1, body: '1' },
      { connection: 1, body: '2' },
    ]);
  });
});

describe('after an idle connection was closed by the subgraph', () => {
  test('a query is sent again', async () => {
    await using under = createClientFixture(subgraph.url, { at: { connections: 1 } });
    subgraph.enqueueScripts(json(ok), reset, json({ data: { ok: 'again' } }));

    await under.send().outcome;

    expect(await under.send({ body: 'second' }).outcome).toEqual({ ...okResponse, data: { ok: 'again' } });
    expect(subgraph.requests.map(({ body, connection }) => ({ body, connection }))).toEqual([
      { body: '{"query":"{ok}"}', connection: 1 },
      { body: 'second', connection: 1 },
      { body: 'second', connection: 2 },
    ]);
  });

  test('a query is sent twice at most', async () => {
    await using under = createClientFixture(subgraph.url, { at: { connections: 1 } });
    subgraph.enqueueScripts(json(ok), reset, reset, json(ok));

    await under.send().outcome;

    expect(await describeFailure(under.send())).toMatchObject({ code: 'SUBGRAPH_UNREACHABLE' });
    expect(subgraph.requests.length).toBe(3);
  });

  test('a mutation is never sent again', async () => {
    await using under = createClientFixture(subgraph.url, { at: { connections: 1 } });
    subgraph.enqueueScripts(json(ok), reset, json(ok));

    await under.send().outcome;

    expect(await describeFailure(under.send({ kind: 'mutation' }))).toMatchObject({
      code: 'SUBGRAPH_UNREACHABLE',
    });
    expect(subgraph.requests.length).toBe(2);
  });

  test.each([
    ['query', 'before it is read', setImmediate],
    ['mutation', 'before it is read', setImmediate],
    ['query', 'when it is written to', (run: () => void) => void stat('.', run)],
    ['mutation', 'when it is written to', (run: () => void) => void stat('.', run)],
  ] as const)(
    'a %s that the subgraph cannot have got, because each idle connection is reset %s, gets its response',
    async (kind, _, enterTurn) => {
      await using under = createClientFixture(subgraph.url, {
        at: { connections: 3, retry: { attempts: 1, minDelay: 1, maxDelay: 1, budgetRatio: 0, on: [] } },
      });
      const idle: Exchange[] = [];
      subgraph.setDefaultScript((exchange) => {
        idle.push(exchange);
        if (idle.length >= 3) for (const each of idle) void json(ok)(each);
      });
      const bodies = ['1', '2', '3'];
      await Promise.all(bodies.map((body) => under.send({ body }).outcome));
      subgraph.setDefaultScript(json(ok));
      await new Promise<void>((resolve) => enterTurn(() => resolve()));

      for (const exchange of idle) exchange.reset();
      expect(await under.send({ kind, body: '4' }).outcome).toEqual(okResponse);
      expect(subgraph.requests.map(({ body, connection }) => [body, connection])).toEqual([
        ...bodies.map((body, index) => [body, index + 1]),
        ['4', 4],
      ]);
    },
  );

  test('a query is not sent again once its response has started', async () => {
    await using under = createClientFixture(subgraph.url, { at: { connections: 1 } });
    subgraph.enqueueScripts(json(ok), (exchange) => {
      exchange.write('HTTP/1.1 200 OK\r\ncontent-le');
      exchange.end();
    });
    subgraph.setDefaultScript(json(ok));

    await under.send().outcome;

    expect(await describeFailure(under.send())).toMatchObject({ code: 'SUBGRAPH_UNREACHABLE' });
    expect(subgraph.requests.length).toBe(2);
  });
});

describe('a closed client', () => {
  test('fails calls under way, refuses later ones and leaves no connection open', async () => {
    await using under = createClientFixture(subgraph.url, { at: { connections: 1 } });
    const running = under.send({ body: '1' });
    const queued = under.send({ body: '2' });
    await subgraph.waitForRequests(1);

    await under.client.close();

    const failure = {
      code: 'SUBGRAPH_UNREACHABLE',
      subgraph: 'reviews',
      extensions: {},
      cause: 'the client was closed',
    };
    expect(await describeFailure(running)).toEqual(failure);
    expect(await describeFailure(queued)).toEqual(failure);
    expect(await describeFailure(under.send())).toEqual(failure);
    await subgraph.requests[0]!.connectionClosed;
    expect(subgraph.openConnections).toBe(0);
    expect(under.clock.pendingCount).toBe(0);
  });

  test('does not call a cancelled receiver, not even to refuse its request', async () => {
    await using under = createClientFixture(subgraph.url);
    const refused = under.send({ deadline: under.clock.now() - 1 });
    refused.cancel();
    const running = under.send({ deadline: under.clock.now() + deadlineMs });
    running.cancel();

    await under.client.close();

    expect([refused.callCount(), running.callCount()]).toEqual([0, 0]);
  });
});
