import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { describe, expect, test } from '@jest/globals';
import type { InsightsData } from '../../gateway/insights/insightsData.ts';
import type { GatewayProcess } from '../harness/gatewayProcess.ts';
import { startOtlpCollector } from '../harness/otlpCollector.ts';
import { exchange, RawConnection, type RawResponse } from '../harness/rawHttp.ts';
import {
  connectTo,
  crash,
  open,
  ownerOf,
  processIdsOf,
  sendTo,
  startWorkers,
} from '../harness/runningWorkers.ts';
import { hang, json, startScriptedSubgraph } from '../harness/scriptedSubgraph.ts';

describe('the admin listener with several workers', () => {
  /** Sends requests of one kind, each on a connection to any worker. */
  const sendAll = async (
    { url }: GatewayProcess,
    count: number,
    operation: string | readonly object[],
    { accept = 'application/json', method = 'POST' } = {},
  ): Promise<void> => {
    const body = JSON.stringify(typeof operation === 'string' ? { query: operation } : operation);
    const send = (): Promise<RawResponse> =>
      exchange(url, {
        method,
        headers: { 'content-type': 'application/json', accept },
        ...(method === 'POST' ? { body } : {}),
      });
    for (let sent = 0; sent < count; sent += 20) await Promise.all(Array.from({ length: 20 }, send));
  };

  /** A new connection each time: any worker answers. */
  const scrape = async ({ adminUrl }: GatewayProcess): Promise<Record<string, number>> => {
    const { body } = await exchange(adminUrl, { method: 'GET', path: '/metrics' });
    const samples = body.matchAll(
      /^tributary_requests_total\{operation="(.*)",type="(.*)",outcome="(.*)"\} ([1-9]\d*)$/gm,
    );
    return Object.fromEntries(
      Array.from(samples, ([, operation, type, outcome, count]) => [
        `${operation} ${type} ${outcome}`,
        Number(count),
      ]),
    );
  };

  /** How often the operation was executed, in a connection to any worker, and how many workers say so. */
  const readInsights = async ({ adminUrl }: GatewayProcess): Promise<unknown> => {
    const { body } = await exchange(adminUrl, { method: 'GET', path: '/insights/data' });
    const { workers, operations } = JSON.parse(body) as InsightsData;
    const counts = operations.map(({ name, count, errors }) => [name, [count, errors]] as const);
    return { workers, counts: Object.fromEntries(counts) };
  };

  // One gateway and one test for all of this, because each worker takes a second of CPU time to start.
  test('adds up the metrics and insights of all workers exactly, metrics also of one that was killed, and changes the log level of all; their sockets are in a private directory and removed on shutdown, which ends streams at once and exports the metrics of each', async () => {
    await using collector = await startOtlpCollector();
    await using subgraph = await startScriptedSubgraph();
    subgraph.setDefaultScript((exchange) => {
      const { query } = JSON.parse(exchange.request.body) as { query: string };
      const product = { __typename: 'Product', id: 'p1', name: 'Pan' };
      if (query.includes('reviewCount')) exchange.respond({ status: 500, body: '' });
      else if (query.includes('review(id')) hang(exchange);
      else if (query.includes('voteHelpful')) json({ data: { voteHelpful: null } })(exchange);
      else if (query.includes('account')) json({ data: { account: null } })(exchange);
      else if (query.includes('_entities')) json({ data: { _entities: [{ averageRating: 4 }] } })(exchange);
      else if (query.includes('product')) json({ data: { product } })(exchange);
      else if (query.includes('subscription')) json({ data: null })(exchange);
      else exchange.respond({ status: 500, body: '' });
    });
    const { url } = subgraph;
    const config = {
      telemetry: {
        logLevel: 'warn',
        otlp: { endpoint: collector.endpoint, sampleRatio: 0 },
        metrics: { operationNames: 'all', otlp: true },
      },
      overload: { eventLoopDelay: 0, memory: 0.99 },
      cache: { rules: { 'Query.product': { maxAge: '1h' } } },
      // In each worker, of which only the clients with this header get beyond it.
      limits: { batchedOperations: 2, rate: { cost: 2_400, window: '1h', key: 'header:x-client' } },
      subgraphs: {
        accounts: { url },
        products: { url },
        // Prevents probing for the protocol of subscriptions.
        inventory: { url, subscription: { protocol: 'http_callback' } },
        reviews: { url, subscription: { protocol: 'http_callback' } },
      },
    } as const;
    await using gateway = await startWorkers(config, 3);
    const [directory = '', ...others] = await readdir(gateway.folder);
    expect(others).toEqual([]);
    expect((await stat(join(gateway.folder, directory))).mode & 0o777).toBe(0o700);
    const sockets = ['1', '2', '3', 'worker-0-1.json'];
    expect((await readdir(join(gateway.folder, directory))).sort()).toEqual(sockets);
    const { connection, token } = await connectTo(gateway, '1');
    await using _ = connection;
    await using events = await open(gateway, token, '3');
    const headers = { 'content-type': 'application/json' };
    for (const worker of ['1', '3', '3'])
      await sendTo(gateway, worker, { headers, body: '{"query":"query Own { __typename }"}' });
    // A cost of 1,221.
    const limited =
      'query Limited { account(id: "a") { reviews { product { reviews { product { reviews { id } } } } } } }';
    for (const worker of ['1', '2', '3', '1', '2', '3', '3']) {
      const body = JSON.stringify({ query: limited });
      await sendTo(gateway, worker, { headers: { ...headers, 'x-client': 'web' }, body });
    }
    for (let n = 0; n < 8; n++) {
      await using connection = await RawConnection.open(gateway.url);
      const arrived = subgraph.waitForRequests(subgraph.requests.length + 1);
      connection.send({
        headers,
        body: JSON.stringify({ query: `query Aborted { review(id: "${n}") { id } }` }),
      });
      await arrived;
    }

    await sendAll(gateway, 80, 'query Plain { __typename }');
    await sendAll(gateway, 40, 'query Cached { product(id: "p1") { name } }');
    await sendAll(gateway, 20, 'query Deferred { product(id: "p1") { id ... @defer { averageRating } } }', {
      accept: 'multipart/mixed;deferSpec=20220824',
    });
    await sendAll(gateway, 20, 'mutation Vote { voteHelpful(reviewId: "r1") { id } }');
    await sendAll(gateway, 20, 'query Partial { product(id: "p1") { name } warehouse(code: "w") { code } }');
    await sendAll(gateway, 20, 'query Late { product(id: "p1") { id ... @defer { reviewCount } } }', {
      accept: 'multipart/mixed;deferSpec=20220824',
    });
    const batched = { query: 'query Batched { __typename }' };
    await sendAll(gateway, 20, [batched, batched]);
    await sendAll(gateway, 20, 'query Failed { warehouses { code } }');
    await sendAll(gateway, 60, 'query Wrong { wrong }');
    await sendAll(gateway, 20, '', { method: 'PATCH' });
    const streams = Array.from({ length: 20 }, async () => {
      await using connection = await RawConnection.open(gateway.url);
      connection.send({
        headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
        body: '{"query":"subscription Watch { reviewAdded { body } }"}',
      });
      expect((await connection.readHead()).status).toBe(200);
    });
    await Promise.all(streams);
    for (const worker of ['1', '2', '3']) process.kill((await processIdsOf(gateway, worker)).own, 'SIGUSR2');
    await gateway.waitForOutput(/(?:"shed":\["background","normal"\][\s\S]*?){3}/);
    await sendAll(gateway, 20, 'query Shed { __typename }');
    const expected = {
      'Own query ok': 3,
      'Limited query ok': 3,
      'Limited query limited': 4,
      'Aborted query aborted': 8,
      'Vote mutation ok': 20,
      'Partial query partial': 20,
      'Late query partial': 20,
      'Batched query ok': 40,
      'Plain query ok': 80,
      'Cached query ok': 40,
      'Deferred query ok': 20,
      'Failed query error': 20,
      'Watch subscription ok': 20,
      'other unknown refused': 80,
      'other unknown shed': 20,
    };
    // Some clients have left, which their workers notice a moment later.
    const haveAllLeft = (counts: Record<string, number>): boolean =>
      counts['Watch subscription ok'] === 20 && counts['Aborted query aborted'] === 8;
    while (!haveAllLeft(await scrape(gateway)));
    for (let scrapes = 0; scrapes < 8; scrapes++) expect(await scrape(gateway)).toEqual(expected);
    for (let reads = 0; reads < 4; reads++)
      expect(await readInsights(gateway)).toEqual({
        workers: { answered: 3, running: 3 },
        counts: {
          Own: [3, 0],
          Limited: [3, 0],
          Aborted: [8, 0],
          Vote: [20, 0],
          Partial: [20, 20],
          Late: [20, 20],
          Batched: [40, 0],
          Plain: [80, 0],
          Cached: [40, 0],
          Deferred: [20, 0],
          Failed: [20, 20],
        },
      });
    await crash(gateway, '2');
    for (let scrapes = 0; scrapes < 8; scrapes++) expect(await scrape(gateway)).toEqual(expected);

    const levelOf = async (): Promise<unknown> =>
      JSON.parse((await exchange(gateway.adminUrl, { method: 'GET', path: '/log-level' })).body);
    expect(await levelOf()).toEqual({ level: 'warn', configured: 'warn' });
    const changed = await exchange(gateway.adminUrl, {
      method: 'PUT',
      path: '/log-level',
      headers,
      body: '{"level":"info"}',
    });
    expect([changed.status, JSON.parse(changed.body)]).toEqual([200, { level: 'info', configured: 'warn' }]);
    for (let reads = 0; reads < 8; reads++)
      expect(await levelOf()).toEqual({ level: 'info', configured: 'warn' });

    const code = gateway.stop();
    let last = await events.readChunk();
    // Heartbeats, if the test took long.
    while (last === ':\n\n') last = await events.readChunk();
    expect(last).toBeUndefined();
    expect(await code).toBe(0);
    expect(await readdir(gateway.folder)).toEqual([]);
    // The last point of each worker is that of its end.
    const exported = collector.points
      .filter(
        ({ name, attributes }) =>
          name === 'tributary.requests' &&
          attributes['graphql.operation.name'] === 'Own' &&
          attributes['tributary.outcome'] === 'ok',
      )
      .map(({ resource, value }) => [ownerOf(String(resource['service.instance.id'])), value] as const);
    expect(Object.fromEntries(exported)).toEqual({ 1: 1, 3: 2 });
    const replaced = collector.points
      .filter(({ name }) => name === 'tributary.worker_replacements')
      .map(({ resource, attributes, value }) => {
        const exporter = ownerOf(String(resource['service.instance.id']));
        return [`${exporter} ${attributes['tributary.reason']}`, value] as const;
      });
    // The supervisor is 0.
    expect(Object.fromEntries(replaced)).toEqual({ '0 exited': 1, '0 unresponsive': 0, '0 not_started': 0 });
  });
});
