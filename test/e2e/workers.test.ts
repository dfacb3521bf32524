import { copyFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readSubscriptionCallback } from '../harness/callbackUpstream.ts';
import { type GatewayProcess, noKeepAlive, startGatewayProcess } from '../harness/gatewayProcess.ts';
import { exchange, type RawConnection } from '../harness/rawHttp.ts';
import {
  connectTo,
  crash,
  endlessTimeout,
  open,
  ownerOf,
  processIdsOf,
  type RunningWorkers,
  sendTo,
  startWorkers,
} from '../harness/runningWorkers.ts';
import { json, type ScriptedSubgraph, startScriptedSubgraph } from '../harness/scriptedSubgraph.ts';
import { endingRequest, openingRequest, operationRequest, rejectionOf } from '../harness/singleConnection.ts';
import { createTemporaryDirectory } from '../harness/suiteResources.ts';
import { demoSupergraphFile } from '../harness/testGateway.ts';

/** Reads until the text has arrived. */
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
