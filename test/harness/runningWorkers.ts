import process from 'node:process';
import { expect } from '@jest/globals';
import type { GatewayOptions } from '../../gateway/gateway.ts';
import { type GatewayProcess, startGatewayProcess } from './gatewayProcess.ts';
import { RawConnection, type RawRequest, type RawResponse } from './rawHttp.ts';
import { openingRequest } from './singleConnection.ts';
import { createTemporaryDirectory } from './suiteResources.ts';
import { demoSupergraphFile } from './testGateway.ts';

export interface RunningWorkers extends GatewayProcess {
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
    "if (isMainThread && cluster.isWorker) process.on('SIGURG', () => { console.error(`worker ${cluster.worker.id} is blocked.`); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); });",
)}`;

/** For tests in which time does not pass: a supervisor with this `workerTimeout` checks its workers after SIGURG only, and
 *  reports how many times each of them has answered. */
export const endlessTimeout = '500h';
const checkOnSignal = `--import data:text/javascript,${encodeURIComponent(
  "import cluster from 'node:cluster'; import { isMainThread } from 'node:worker_threads';" +
    'if (isMainThread && cluster.isPrimary) { const { setTimeout } = globalThis; const counts = {};' +
    "globalThis.setTimeout = (run, ms, ...more) => ms === 3.6e8 ? { unref: () => process.once('SIGURG', run) } : setTimeout(run, ms, ...more);" +
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a template string of the supervisor
    "cluster.on('message', ({ id }, { kind }) => { if (kind === 'tributary:pong') console.error(`worker ${id} has answered ${counts[id] = (counts[id] ?? 0) + 1} checks.`); }); }",
)}`;

export async function startWorkers(
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

export async function processIdsOf(
  { waitForOutput }: GatewayProcess,
  worker: string,
): Promise<{ own: number; supervisor: number }> {
  const [, own, supervisor] = await waitForOutput(new RegExp(`worker ${worker} is (\\d+) below (\\d+)\\.`));
  return { own: Number(own), supervisor: Number(supervisor) };
}

/** Kills a worker and waits for its replacement. */
export async function crash(gateway: GatewayProcess, worker: string): Promise<void> {
  const { own: pid } = await processIdsOf(gateway, worker);
  process.kill(pid, 'SIGKILL');
  await gateway.waitForOutput(new RegExp(`"worker":"${worker}","pid":${pid},.*A worker has exited`));
}

export function ownerOf(id: string): string {
  return /\.(\d+)$/.exec(id)?.[1] ?? '';
}

/** A connection to this worker, and the token of a stream reserved on the connection, which names the worker. */
export async function connectTo(
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

export async function sendTo(
  gateway: GatewayProcess,
  worker: string,
  request: RawRequest,
): Promise<RawResponse> {
  const { connection } = await connectTo(gateway, worker);
  await using _ = connection;
  connection.send(request);
  return await connection.readResponse();
}

/** Opens a stream of one worker on a connection to another worker. */
export async function open(gateway: GatewayProcess, token: string, worker: string): Promise<RawConnection> {
  const { connection } = await connectTo(gateway, worker);
  connection.send(openingRequest(token));
  expect((await connection.readHead()).status).toBe(200);
  expect(await connection.readChunk()).toBe(':\n\n');
  return connection;
}
