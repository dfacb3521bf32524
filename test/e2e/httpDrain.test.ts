import { describe, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { createLogger } from '../../gateway/telemetry/logger.ts';
import { OperationLabels } from '../../gateway/telemetry/operationLabels.ts';
import { RequestRecorder } from '../../gateway/telemetry/requestRecorder.ts';
import type { RequestSignal } from '../../gateway/time/requestAbort.ts';
import { startInlineGateway } from '../harness/inlineGateway.ts';
import { exchange, MultipartReader, RawConnection } from '../harness/rawHttp.ts';
import {
  ScriptedEvents,
  ScriptedPayloads,
  type ScriptedServer,
  singleOutcome,
  startScriptedServer,
} from '../harness/scriptedServer.ts';

const operation = {
  headers: { 'content-type': 'application/json', accept: 'multipart/mixed, application/json' },
  body: '{"query":"{ greeting }"}',
};
const shuttingDown = {
  errors: [{ message: 'The gateway is shutting down.', extensions: { code: 'SHUTTING_DOWN' } }],
};
const ready = { method: 'GET', path: '/health/ready' };

/** A server whose first request waits until the test releases it. */
async function startHolding(
  drainTimeout: number,
): Promise<{ server: ScriptedServer; entered: Promise<RequestSignal>; release: () => void }> {
  const entered = Promise.withResolvers<RequestSignal>();
  const gate = Promise.withResolvers<void>();
  let count = 0;
  const server = await startScriptedServer(
    async ({ signal }) => {
      if (count++ > 0) return singleOutcome('"next"');
      entered.resolve(signal);
      await Promise.race([
        gate.promise,
        new Promise<void>((resolve) => signal.addEventListener('abort', resolve)),
      ]);
      if (signal.aborted) throw signal.reason;
      return singleOutcome('"held"');
    },
    { drainTimeout },
  );
  return { server, entered: entered.promise, release: gate.resolve };
}

describe('a server that will shut down', () => {
  test('is not ready, serves requests and subscriptions, and closes their connections', async () => {
    const events = new ScriptedEvents();
    const server = await startScriptedServer(({ document }) =>
      document.loc?.source.body.startsWith('subscription') === true
        ? events.outcome
        : singleOutcome('"served"'),
    );
    await using idle = await RawConnection.open(server.url);
    server.announceShutdown();
    const readiness = await exchange(server.url, ready);
    expect([readiness.status, JSON.parse(readiness.body).reasons[0].code]).toEqual([503, 'DRAINING']);
    idle.send(operation);
    for (const response of [await idle.readResponse(), await exchange(server.url, operation)]) {
      expect([response.body, response.headers.get('connection')]).toEqual(['{"data":"served"}', 'close']);
    }
    await using subscriber = await RawConnection.open(server.url);
    subscriber.send({
      headers: { ...operation.headers, accept: 'text/event-stream' },
      body: '{"query":"subscription { greetings }"}',
    });
    events.push({ data: { greetings: 'one' } });
    expect((await subscriber.readHead()).status).toBe(200);
    let read = '';
    while (!read.includes('one')) read += await subscriber.readChunk();
    await server.close();
    await events.returned;
  });
});

describe('a server that shuts down', () => {
  test('is not ready at once, completes running requests and closes their connections', async () => {
    const { server, entered, release } = await startHolding(60_000);
    const held = exchange(server.url, operation);
    await entered;
    const closed = server.close();
    const readiness = await exchange(server.url, ready);
    expect([readiness.status, JSON.parse(readiness.body).reasons]).toEqual([503, [{ code: 'DRAINING' }]]);
    const meanwhile = await exchange(server.url, operation);
    expect([meanwhile.body, meanwhile.headers.get('connection')]).toEqual(['{"data":"next"}', 'close']);
    release();
    const last = await held;
    expect([last.body, last.headers.get('connection')]).toEqual(['{"data":"held"}', 'close']);
    await closed;
    await expect(exchange(server.url, operation)).rejects.toThrow('ECONNREFUSED');
  });

  test('refuses a subscription, which does not count as one that began', async () => {
    const entered = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const registry = new Registry();
    const server = await startScriptedServer(
      async ({ document }) => {
        if (document.loc?.source.body.startsWith('subscription') === true)
          return new ScriptedEvents().outcome;
        entered.resolve();
        await gate.promise;
        return singleOutcome('"held"');
      },
      {
        recorder: new RequestRecorder({
          registry,
          labels: new OperationLabels({ mode: 'off', isTrusted: () => false }),
          log: createLogger('silent'),
          logsRequests: false,
          clientHeaders: { clientNameHeaders: [], clientVersionHeaders: [] },
          countStreams: () => 0,
        }),
      },
    );
    const held = exchange(server.url, operation);
    await entered.promise;
    const closed = server.close();
    const refused = await exchange(server.url, {
      headers: { ...operation.headers, accept: 'text/event-stream' },
      body: '{"query":"subscription { greetings }"}',
    });
    expect([refused.status, JSON.parse(refused.body).errors[0].extensions.code]).toEqual([
      503,
      'SHUTTING_DOWN',
    ]);
    gate.resolve();
    await held;
    await closed;
    const counts = await registry.getSingleMetricAsString('tributary_requests_total');
    const counted = Array.from(
      counts.matchAll(/type="subscription",outcome="(\w+)"\} 1$/gm),
      ([, outcome]) => outcome,
    );
    expect(counted).toEqual(['error']);
  });

  test('closes an idle connection without waiting for it', async () => {
    const server = await startScriptedServer(undefined, { drainTimeout: 60_000 });
    await using connection = await RawConnection.open(server.url);
    connection.send(operation);
    await connection.readResponse();
    await server.close();
    await connection.waitForClose();
  });

  test('aborts running requests after the drain timeout', async () => {
    const { server, entered } = await startHolding(1);
    const held = exchange(server.url, operation);
    const signal = await entered;
    await server.close();
    expect(signal.aborted).toBe(true);
    const { status, headers, body } = await held;
    expect([status, headers.get('retry-after'), JSON.parse(body)]).toEqual([503, '1', shuttingDown]);
  });

  test('answers operations that it knows, and operations that it does not, with 503 after the drain timeout', async () => {
    await using gateway = await startInlineGateway({
      subgraphs: [{ name: 'one', sdl: 'type Query { known: Int unknown: Int }' }],
      config: { listen: { port: 0, drainTimeout: 1 } },
    });
    await gateway.execute('{ known }');
    const subgraph = gateway.subgraph('one');
    subgraph.answerWith(() => ({ kind: 'hang' }));
    const held = ['{ known }', '{ unknown }'].map((query) =>
      exchange(gateway.url, { ...operation, body: JSON.stringify({ query }) }),
    );
    await subgraph.waitForCalls(3);
    await gateway.close();
    const answers = await Promise.all(held);
    expect(
      answers.map(({ status, headers, body }) => [status, headers.get('retry-after'), JSON.parse(body)]),
    ).toEqual([0, 1].map(() => [503, '1', shuttingDown]));
  });

  test('ends an incomplete multipart stream with its closing delimiter', async () => {
    const payloads = new ScriptedPayloads();
    payloads.push([{ data: { greeting: 'hello' }, hasNext: true }]);
    const server = await startScriptedServer(() => payloads.outcome, { drainTimeout: 1 });
    await using connection = await RawConnection.open(server.url);
    connection.send(operation);
    await connection.readHead();
    const reader = new MultipartReader();
    reader.read((await connection.readChunk()) ?? '');
    await server.close();
    expect(reader.read((await connection.readChunk()) ?? '')).toEqual([
      {
        ...shuttingDown,
        hasNext: false,
      },
    ]);
    expect(await connection.readChunk()).toBeUndefined();
    reader.assertClosed();
    await payloads.returned;
  });

  test('accepts a second call of close', async () => {
    const server = await startScriptedServer();
    await Promise.all([server.close(), server.close()]);
    await expect(exchange(server.url, operation)).rejects.toThrow('ECONNREFUSED');
  });
});
