import { describe, expect, test } from '@jest/globals';
import type { ApolloServerPlugin, GatewayContext } from '../../gateway/gateway.ts';
import { exchange, MultipartReader, RawConnection } from '../harness/rawHttp.ts';
import {
  FakeSupergraphView,
  ScriptedEvents,
  ScriptedPayloads,
  singleOutcome,
  startScriptedServer,
  supergraphOf,
  testSdl,
} from '../harness/scriptedServer.ts';

const headers = { 'content-type': 'application/json', accept: 'multipart/mixed, application/json' };
const operation = { headers, body: '{"query":"{ greeting }"}' };
const next = supergraphOf(`${testSdl}\n# next`, 'next');

/** The leases at each call of the pipeline, and after the response. */
async function leasesOf(
  request: { readonly headers: Record<string, string>; readonly body: string },
  respond: Parameters<typeof startScriptedServer>[0],
): Promise<unknown[]> {
  const during: unknown[] = [];
  const supergraphs = new FakeSupergraphView(supergraphOf(testSdl));
  await using server = await startScriptedServer(
    (...parameters) => {
      during.push(Object.fromEntries(supergraphs.leases));
      return (respond as NonNullable<typeof respond>)(...parameters);
    },
    { supergraphs, limits: { batchedOperations: 10 } },
  );
  await exchange(server.url, request);
  // A request ends one turn of the event loop after its last write.
  await server.close();
  return [...during, Object.fromEntries(supergraphs.leases)];
}

describe('the lease on the supergraph of an operation', () => {
  test('is held until the response is sent', async () => {
    expect(await leasesOf(operation, () => singleOutcome('{}'))).toEqual([{ first: 1 }, { first: 0 }]);
  });

  test('is taken once for all operations of a batch', async () => {
    const batch = { headers, body: '[{"query":"{ greeting }"},{"query":"{ a: greeting }"}]' };
    expect(await leasesOf(batch, () => singleOutcome('{}'))).toEqual([
      { first: 1 },
      { first: 1 },
      { first: 0 },
    ]);
  });

  test('is released when execution fails', async () => {
    const fail = () => Promise.reject(new Error('broken'));
    expect(await leasesOf(operation, fail)).toEqual([{ first: 1 }, { first: 0 }]);
  });

  test('is released when incremental payloads fail', async () => {
    const payloads = new ScriptedPayloads();
    payloads.push([{ data: {}, hasNext: true }]);
    payloads.push(new Error('broken'));
    expect(await leasesOf(operation, () => payloads.outcome)).toEqual([{ first: 1 }, { first: 0 }]);
  });

  test('is not held after an invalid operation', async () => {
    expect(await leasesOf({ headers, body: '{"query":"{ none }"}' }, () => singleOutcome('{}'))).toEqual([
      { first: 0 },
    ]);
  });

  test('is held in the same way for a validated operation, also when the operation fails', async () => {
    const supergraphs = new FakeSupergraphView(supergraphOf(testSdl));
    const during: unknown[] = [];
    let isFailing = false;
    await using server = await startScriptedServer(
      () => {
        during.push(Object.fromEntries(supergraphs.leases));
        if (isFailing) throw new Error('broken');
        return singleOutcome('{}');
      },
      { supergraphs },
    );
    await exchange(server.url, operation);
    await exchange(server.url, operation);
    isFailing = true;
    await exchange(server.url, operation);
    await server.close();
    expect(during.every((leases) => JSON.stringify(leases) === '{"first":1}')).toBe(true);
    expect(during.length).toBeGreaterThanOrEqual(3);
    expect(Object.fromEntries(supergraphs.leases)).toEqual({ first: 0 });
  });

  test('is held until the last payload, even when another supergraph is in use by then', async () => {
    const payloads = new ScriptedPayloads();
    payloads.push([{ data: {}, hasNext: true }]);
    const supergraphs = new FakeSupergraphView(supergraphOf(testSdl));
    await using server = await startScriptedServer(() => payloads.outcome, { supergraphs });
    await using connection = await RawConnection.open(server.url);
    connection.send(operation);
    await connection.readHead();
    const reader = new MultipartReader();
    reader.read((await connection.readChunk()) ?? '');
    supergraphs.set(next);
    expect(Object.fromEntries(supergraphs.leases)).toEqual({ first: 1 });
    payloads.push([{ hasNext: false }]);
    reader.read((await connection.readChunk()) ?? '');
    await server.close();
    expect(Object.fromEntries(supergraphs.leases)).toEqual({ first: 0 });
  });

  test('is released when the client disconnects', async () => {
    const payloads = new ScriptedPayloads();
    payloads.push([{ data: {}, hasNext: true }]);
    const supergraphs = new FakeSupergraphView(supergraphOf(testSdl));
    await using server = await startScriptedServer(() => payloads.outcome, { supergraphs });
    {
      await using connection = await RawConnection.open(server.url);
      connection.send(operation);
      await connection.readHead();
    }
    await payloads.returned;
    await server.close();
    expect(Object.fromEntries(supergraphs.leases)).toEqual({ first: 0 });
  });

  test('is not held by a subscription, which continues on each new supergraph', async () => {
    const events = new ScriptedEvents();
    events.push({ data: { greetings: 'one' } });
    const supergraphs = new FakeSupergraphView(supergraphOf(testSdl));
    await using server = await startScriptedServer(() => events.outcome, { supergraphs });
    await using connection = await RawConnection.open(server.url);
    connection.send({
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: '{"query":"subscription { greetings }"}',
    });
    await connection.readHead();
    let text = '';
    while (!text.includes('one')) text += (await connection.readChunk()) ?? '';
    expect(Object.fromEntries(supergraphs.leases)).toEqual({ first: 0 });
  });
});

test('plugins see each supergraph once', async () => {
  const seen: string[] = [];
  const plugin: ApolloServerPlugin<GatewayContext> = {
    serverWillStart: async () => ({
      schemaDidLoadOrUpdate: ({ coreSupergraphSdl }) => void seen.push(coreSupergraphSdl as string),
    }),
  };
  await using server = await startScriptedServer(() => singleOutcome('{}'), { plugins: [plugin] });
  await exchange(server.url, operation);
  server.supergraphs.set(next);
  await exchange(server.url, operation);
  expect(seen).toEqual([testSdl, next.sdl]);
});
