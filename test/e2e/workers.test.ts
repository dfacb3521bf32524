import { copyFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { GatewayOptions } from '../../gateway/gateway.ts';
import type { InsightsData } from '../../gateway/insights/insightsData.ts';
import { readSubscriptionCallback } from '../harness/callbackUpstream.ts';
import { type GatewayProcess, noKeepAlive, startGatewayProcess } from '../harness/gatewayProcess.ts';
import { startOtlpCollector } from '../harness/otlpCollector.ts';
import { exchange, RawConnection, type RawRequest, type RawResponse } from '../harness/rawHttp.ts';
import { hang, json, type ScriptedSubgraph, startScriptedSubgraph } from '../harness/scriptedSubgraph.ts';
import { endingRequest, openingRequest, operationRequest, rejectionOf } from '../harness/singleConnection.ts';
import { createTemporaryDirectory } from '../harness/suiteResources.ts';
import { demoSupergraphFile } from '../harness/testGateway.ts';

interface RunningWorkers extends GatewayProcess {
  /** The directory of the gateway's temporary files. */
  readonly folder: string;
}

/** A module that reports the name of each worker, its process id and that of the supervisor, but not of its threads. */
const reportWorkers = `--import data:text/javascript,${encodeURIComponent(
  "import cluster from 'node:cluster'; import { isMainThread } from 'node:worker_threads';" +
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a template string of the worker process
    'if (isMainThread && cluster.isWorker) console.error(`worker ${cluster.worker.id} is ${process.pid} below ${process.ppid}.`)',
)}`;

/** A module that reports a full heap after SIGUSR2, so that the worker sheds requests. */
const fillHeapOnSignal = `--import data:text/javascript,${encodeURIComponent(
  "import v8 from 'node:v8'; import { syncBuiltinESMExports } from 'node:module'; import { isMainThread } from 'node:worker_threads';" +
    "if (isMainThread) process.on('SIGUSR2', () => { v8.getHeapStatistics = () => ({ used_heap_size: 2 ** 40, heap_size_limit: 2 ** 40 }); syncBuiltinESMExports(); });",
)}`;

/** A module that ends each worker after this one as soon as it starts. */
const endWorkersAfter = (last: number): string =>
  `--import data:text/javascript,${encodeURIComponent(
    `import cluster from 'node:cluster'; if (cluster.isWorker && cluster.worker.id > ${last}) process.exit(7)`,
  )}`;

/** A module that blocks the event loop of a worker after SIGURG. */
const blockOnSignal = `--import data:text/javascript,${encodeURIComponent(
  "import cluster from 'node:cluster'; import { isMainThread } from 'node:worker_threads';" +
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a template string of the worker process
    "if (isMainThread && cluster.isWorker) process.on('SIGURG', () => { console.error(`worker ${cluster.worker.id} is blocked.`); for (;;); });",
)}`;

/** For tests in which time does not pass: a supervisor with this `workerTimeout` checks its workers after SIGURG only, and
 *  reports how many times each of them has answered. */
const endlessTimeout = '500h';
const checkOnSignal = `--import data:text/javascript,${encodeURIComponent(
  "import cluster from 'node:cluster'; import { isMainThread } from 'node:worker_threads';" +
    'if (isMainThread && cluster.isPrimary) { const { setTimeout } = globalThis; const counts = {};' +
    "globalThis.setTimeout = (run, ms, ...more) => ms === 3.6e8 ? { unref: () => process.once('SIGURG', run) } : setTimeout(run, ms, ...more);" +
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a template string of the supervisor
    "cluster.on('message', ({ id }, { kind }) => { if (kind === 'tributary:pong') console.error(`worker ${id} has answered ${counts[id] = (counts[id] ?? 0) + 1} checks.`); }); }",
)}`;

async function startWorkers(
  config: Partial<
    Pick<
      GatewayOptions,
      'cache' | 'limits' | 'overload' | 'subgraphs' | 'supergraph' | 'telemetry' | 'workerTimeout'
    >
  > = {},
  workers = 2,
): Promise<RunningWorkers> {
  const folder = createTemporaryDirectory();
  const running = await startGatewayProcess(
    {
      workers,
      // Longer than the timeout of a test.
      listen: { drainTimeout: '1h' },
      supergraph: { file: demoSupergraphFile, watch: false },
      telemetry: { logLevel: 'error' },
      contracts: { guard: 'off' },
      ...config,
      // Workers are identified by the streams reserved on their connections.
      limits: { eventStreamsPerClient: 20_000, ...config.limits },
    },
    {
      TMPDIR: folder,
      NODE_OPTIONS: [
        reportWorkers,
        fillHeapOnSignal,
        blockOnSignal,
        checkOnSignal,
        endWorkersAfter(workers + 2),
      ].join(' '),
    },
  );
  return { ...running, folder };
}

async function processIdsOf(
  { waitForOutput }: GatewayProcess,
  worker: string,
): Promise<{ own: number; supervisor: number }> {
  const [, own, supervisor] = await waitForOutput(new RegExp(`worker ${worker} is (\\d+) below (\\d+)\\.`));
  return { own: Number(own), supervisor: Number(supervisor) };
}

/** Kills a worker and waits for its replacement. */
async function crash(gateway: GatewayProcess, worker: string): Promise<void> {
  const { own: pid } = await processIdsOf(gateway, worker);
  process.kill(pid, 'SIGKILL');
  await gateway.waitForOutput(new RegExp(`"worker":"${worker}","pid":${pid},.*A worker has exited`));
}

function ownerOf(id: string): string {
  return /\.(\d+)$/.exec(id)?.[1] ?? '';
}

/** A connection to this worker, and the token of a stream reserved on the connection, which names the worker. */
async function connectTo(
  { url }: GatewayProcess,
  worker: string,
): Promise<{ connection: RawConnection; token: string }> {
  for (;;) {
    const connection = await RawConnection.open(url);
    connection.send({ method: 'PUT' });
    const { body: token } = await connection.readResponse();
    if (ownerOf(token) === worker) return { connection, token };
    await connection[Symbol.asyncDispose]();
  }
}

async function sendTo(gateway: GatewayProcess, worker: string, request: RawRequest): Promise<RawResponse> {
  const { connection } = await connectTo(gateway, worker);
  await using _ = connection;
  connection.send(request);
  return await connection.readResponse();
}

/** Opens a stream of one worker on a connection to another worker. */
async function open(gateway: GatewayProcess, token: string, worker: string): Promise<RawConnection> {
  const { connection } = await connectTo(gateway, worker);
  connection.send(openingRequest(token));
  expect((await connection.readHead()).status).toBe(200);
  expect(await connection.readChunk()).toBe(':\n\n');
  return connection;
}

/** Reads until the text has arrived; returns everything read. */
async function readUntil(connection: RawConnection, text: string): Promise<void> {
  let read = '';
  while (!read.includes(text)) read += await connection.readChunk();
}

const subscription = 'subscription { reviewAdded { body } }';

/** Sends operations, each on a connection of its own, until the returned function is called. It returns the outcomes. */
function keepSending({ url }: GatewayProcess): () => Promise<Set<string>> {
  const outcomes = new Set<string>();
  let isStopped = false;
  const send = async (): Promise<void> => {
    while (!isStopped) {
      try {
        const { status, body } = await exchange(url, {
          headers: { 'content-type': 'application/json' },
          body: '{"query":"{ __typename }"}',
        });
        outcomes.add(`${status} ${body}`);
      } catch (error) {
        outcomes.add((error as NodeJS.ErrnoException).code ?? 'connection ended');
      }
    }
  };
  const senders = Array.from({ length: 3 }, send);
  return async () => {
    isStopped = true;
    await Promise.all(senders);
    return outcomes;
  };
}

// One gateway for these tests in their order, because each worker takes a second of CPU time to start. The first test
// ends worker 1, which worker 3 replaces, and the second one ends worker 2, which worker 4 replaces.
describe('a worker that dies', () => {
  let reviews: ScriptedSubgraph;
  let gateway: RunningWorkers;
  beforeAll(async () => {
    reviews = await startScriptedSubgraph();
    reviews.setDefaultScript(json({ data: null }));
    gateway = await startWorkers({
      subgraphs: { reviews: { url: reviews.url, subscription: { protocol: 'http_callback' } } },
    });
  });
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
    await reviews.close();
  });

  /** Ends a worker while operations are sent, and waits for its replacement. Every operation must be answered, or its
   *  connection must end: a worker without a supergraph must not answer. */
  const replace = async (worker: string, replacement: string, whileReplaced: () => Promise<void>) => {
    const stopSending = keepSending(gateway);
    await crash(gateway, worker);
    await whileReplaced();
    const { connection } = await connectTo(gateway, replacement);
    await connection[Symbol.asyncDispose]();
    const outcomes = await stopSending();
    for (const lost of ['ECONNRESET', 'connection ended']) outcomes.delete(lost);
    expect([...outcomes]).toEqual(['200 {"data":{"__typename":"Query"}}']);
  };

  // A supervisor that accepts a connection for a worker that has just died keeps it open and unanswered.
  test('had accepted connections of other workers itself, without its supervisor', async () => {
    const { connection, token } = await connectTo(gateway, '1');
    await using _ = connection;
    const { supervisor } = await processIdsOf(gateway, '1');
    process.kill(supervisor, 'SIGSTOP');
    try {
      expect((await sendTo(gateway, '2', endingRequest(token, 'a'))).status).toBe(200);
    } finally {
      process.kill(supervisor, 'SIGCONT');
    }
  });

  test('ends its single connections, which accept requests at any worker until then, and is replaced by one with the configuration of the start', async () => {
    await writeFile(gateway.configFile, 'listen: { port: http }');
    const { connection, token } = await connectTo(gateway, '1');
    await using _ = connection;
    await using events = await open(gateway, token, '2');
    for (const worker of ['1', '2']) {
      expect(
        (await sendTo(gateway, worker, operationRequest(token, { query: '{ __typename }' }, worker))).status,
      ).toBe(202);
      await readUntil(events, `event: complete\ndata: {"id":"${worker}"}\n\n`);
      expect(
        (await sendTo(gateway, worker, operationRequest(token, { query: subscription }, 's'))).status,
      ).toBe(202);
      expect((await sendTo(gateway, worker, endingRequest(token, 's'))).status).toBe(200);
      expect((await sendTo(gateway, worker, openingRequest(token))).status).toBe(409);
    }
    await replace('1', '3', async () => {
      await events.waitForClose();
      for (const request of [
        openingRequest(token),
        operationRequest(token, { query: '{ __typename }' }, 'a'),
        endingRequest(token, 'a'),
      ]) {
        expect(rejectionOf(await sendTo(gateway, '2', request))).toEqual([404, 'BAD_REQUEST']);
      }
    });
  });

  test('ends its callback subscriptions, which get events that any worker receives until then, and is replaced', async () => {
    const { connection: client } = await connectTo(gateway, '2');
    await using _ = client;
    const before = reviews.requests.length;
    client.send({
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify({ query: subscription }),
    });
    await reviews.waitForRequests(before + 1);
    const callback = readSubscriptionCallback(reviews.requests[before]);
    expect(ownerOf(callback.subscriptionId)).toBe('2');
    const sendCallback = (worker: string, action: string, more: object = {}) =>
      sendTo(gateway, worker, {
        path: new URL(callback.callbackUrl).pathname,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          kind: 'subscription',
          action,
          id: callback.subscriptionId,
          verifier: callback.verifier,
          ...more,
        }),
      });
    for (const worker of ['3', '2']) {
      expect((await sendCallback(worker, 'check')).status).toBe(204);
      const payload = { data: { reviewAdded: { body: `by ${worker}` } } };
      expect((await sendCallback(worker, 'next', { payload })).status).toBe(200);
    }
    expect((await client.readHead()).status).toBe(200);
    await readUntil(client, 'by 2');
    expect((await sendCallback('3', 'check', { verifier: 'another' })).status).toBe(401);
    await replace('2', '4', async () => {
      await client.waitForClose();
      const { status, body } = await sendCallback('3', 'check');
      expect([status, body]).toEqual([
        404,
        '{"error":"No subscription has this id, or the subscription has ended."}',
      ]);
    });
  });

  test('is replaced later and later while workers end as soon as they start', async () => {
    await crash(gateway, '3');
    await gateway.waitForOutput(
      /"exitCode":7,"earlyExits":4,"delayMs":\d+,"msg":"A worker has exited, and is replaced"/,
    );
    const { status } = await sendTo(gateway, '4', { method: 'GET', path: '/health/ready' });
    expect(status).toBe(200);
    expect(await gateway.stop()).toBe(0);
  });
});

describe('workers that do not respond', () => {
  test('are replaced when they are stopped and when their event loop is blocked, and get no probe of the admin listener meanwhile; the metrics count it', async () => {
    await using gateway = await startWorkers({ workerTimeout: endlessTimeout });
    const { own: stopped, supervisor } = await processIdsOf(gateway, '1');
    const { own: blocked } = await processIdsOf(gateway, '2');
    /** Checks until a worker that does not answer is killed. The other one answers each check. */
    const checkUntilKilled = async (pid: number, other: string): Promise<void> => {
      for (let checks = 1; checks <= 5; checks++) {
        process.kill(supervisor, 'SIGURG');
        await gateway.waitForOutput(new RegExp(`worker ${other} has answered ${checks} checks\\.`));
      }
      process.kill(supervisor, 'SIGURG');
      await gateway.waitForOutput(
        new RegExp(
          `"pid":${pid},"limitMs":1800000000,"msg":"A worker does not respond, [\\s\\S]*"pid":${pid},"signal":"SIGKILL",.*A worker has exited`,
        ),
      );
    };
    process.kill(stopped, 'SIGSTOP');
    const probes = Array.from({ length: 20 }, () =>
      exchange(gateway.adminUrl, { method: 'GET', path: '/health/live' }),
    );
    expect((await Promise.all(probes)).map(({ status }) => status)).toEqual(probes.map(() => 200));
    await checkUntilKilled(stopped, '2');
    await gateway.waitForOutput(/worker 2 has answered 6 checks\./);
    await sendTo(gateway, '3', {});
    process.kill(blocked, 'SIGURG');
    // It might answer the first check.
    await gateway.waitForOutput(/worker 2 is blocked\./);
    await checkUntilKilled(blocked, '3');
    const { connection } = await connectTo(gateway, '4');
    await connection[Symbol.asyncDispose]();
    const metrics = await (await fetch(`${gateway.adminUrl}/metrics`, { headers: noKeepAlive })).text();
    expect(metrics.match(/^tributary_worker_replacements_total.*/gm)).toEqual([
      'tributary_worker_replacements_total{reason="exited"} 0',
      'tributary_worker_replacements_total{reason="unresponsive"} 2',
      'tributary_worker_replacements_total{reason="not_started"} 0',
    ]);
  });
});

describe('workers without a supergraph', () => {
  test('let one of them report why the gateway is not ready, and the metrics of all, serve when they have a supergraph, and end without sockets when their supervisor is killed', async () => {
    const folder = createTemporaryDirectory();
    const file = join(folder, 'supergraph.graphql');
    await writeFile(file, 'type Query { greeting: String }');
    await using gateway = await startWorkers({ supergraph: { file } });
    const { origin } = new URL(gateway.url);
    const readiness = async () => {
      const response = await fetch(`${origin}/health/ready`, { headers: noKeepAlive });
      return [response.status, await response.text()] as const;
    };
    expect(await readiness()).toEqual([503, expect.stringContaining('SUPERGRAPH_UNAVAILABLE')]);
    // The other one has only the socket for workers.
    const { body } = await exchange(gateway.adminUrl, { method: 'GET', path: '/insights/data' });
    expect(JSON.parse(body).workers).toEqual({ answered: 2, running: 2 });
    await copyFile(demoSupergraphFile, file);
    // The worker that listened may be replaced, which ends its connections.
    while ((await readiness().catch(() => [0]))[0] !== 200);
    await gateway.kill();
    expect(await readdir(gateway.folder)).toEqual([]);
  });
});

describe('the Unix sockets of the workers', () => {
  test.each([
    ['whose path is too long', `/tmp/${'a'.repeat(80)}`, 'its path is too long'],
    ['that does not exist', '/nonexistent', 'ENOENT: no such file or directory, .+'],
  ])('cannot be created in a directory %s', async (_, TMPDIR, problem) => {
    const config = { workers: 2, supergraph: { file: demoSupergraphFile } };
    await expect(startGatewayProcess(config, { TMPDIR })).rejects.toThrow(
      new RegExp(`The workers cannot create their sockets in ${TMPDIR}: ${problem}\\. Set TMPDIR to`),
    );
  });
});

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
    await using gateway = await startWorkers(config, 4);
    const [directory = '', ...others] = await readdir(gateway.folder);
    expect(others).toEqual([]);
    expect((await stat(join(gateway.folder, directory))).mode & 0o777).toBe(0o700);
    expect((await readdir(join(gateway.folder, directory))).sort()).toEqual([
      '1',
      '2',
      '3',
      '4',
      'worker-0-1.json',
    ]);
    const { connection, token } = await connectTo(gateway, '1');
    await using _ = connection;
    await using events = await open(gateway, token, '3');
    const headers = { 'content-type': 'application/json' };
    for (const worker of ['1', '3', '3'])
      await sendTo(gateway, worker, { headers, body: '{"query":"query Own { __typename }"}' });
    // A cost of 1,221.
    const limited =
      'query Limited { account(id: "a") { reviews { product { reviews { product { reviews { id } } } } } } }';
    for (const worker of ['1', '2', '3', '4', '1', '2', '3', '4', '4']) {
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
    for (const worker of ['1', '2', '3', '4'])
      process.kill((await processIdsOf(gateway, worker)).own, 'SIGUSR2');
    await gateway.waitForOutput(/(?:"shed":\["background","normal"\][\s\S]*?){4}/);
    await sendAll(gateway, 20, 'query Shed { __typename }');
    const expected = {
      'Own query ok': 3,
      'Limited query ok': 4,
      'Limited query limited': 5,
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
        workers: { answered: 4, running: 4 },
        counts: {
          Own: [3, 0],
          Limited: [4, 0],
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
