import cluster, { type Worker } from 'node:cluster';
import { EventEmitter, once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { superviseWorkers } from '../../../gateway/cli/superviseWorkers.ts';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import type { GatewayConfig } from '../../../gateway/config/schema.ts';
import { MetricsExportFeature } from '../../../gateway/metricsExport/metricsExportFeature.ts';
import { createLogger } from '../../../gateway/telemetry/logger.ts';
import { MetricsDirectory } from '../../../gateway/telemetry/metricsDirectory.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

let otherExitListeners: ReadonlySet<unknown>;

beforeEach(() => {
  otherExitListeners = new Set(process.listeners('exit'));
});

// A supervisor removes its directory when its process exits. Here, the processes of all tests are one.
afterEach(() => {
  jest.restoreAllMocks();
  for (const listener of process.listeners('exit')) {
    if (otherExitListeners.has(listener)) continue;
    process.off('exit', listener);
    listener(0);
  }
});

async function listen(): Promise<Server> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const config = parseConfig({
  supergraph: { file: 'supergraph.graphql' },
  listen: { port: 0, shutdownDelay: '0s' },
  admin: { port: 0 },
  workers: 2,
});

/** Emits what a worker of `node:cluster` emits. */
class FakeWorker extends EventEmitter {
  readonly id: number | undefined;
  readonly process: { readonly pid: number | undefined; readonly kill: (signal: string) => void };
  readonly received: { readonly kind: string }[] = [];
  responds = true;
  drains = true;

  private constructor(pid: number | undefined) {
    super();
    this.id = pid;
    this.process = { pid, kill: (signal) => void this.emit('exit', null, signal) };
  }

  /** A worker that has not started until `start` is called. */
  static starting(pid: number): FakeWorker {
    return new FakeWorker(pid);
  }

  static listening(pid: number): FakeWorker {
    const worker = new FakeWorker(pid);
    process.nextTick(() => {
      worker.start();
      worker.emit('message', { kind: 'tributary:ready' });
      worker.emit('message', { kind: 'tributary:listening', url: 'http://a', adminUrl: 'http://b' });
    });
    return worker;
  }

  /** Node.js emits no `exit` for a process that it could not create. */
  static failing(): FakeWorker {
    const worker = new FakeWorker(undefined);
    process.nextTick(() => worker.emit('error', new Error('spawn node EAGAIN')));
    return worker;
  }

  start(): void {
    this.emit('message', { kind: 'tributary:started' });
  }

  isConnected(): boolean {
    return this.process.pid !== undefined;
  }

  send(message: { readonly kind: string }): void {
    this.received.push(message);
    if (message.kind === 'tributary:ping' && this.responds) this.emit('message', { kind: 'tributary:pong' });
    if (message.kind === 'tributary:drain' && this.drains) this.emit('exit', 0, null);
  }
}

const killed = {
  worker: '1',
  pid: 1,
  signal: 'SIGKILL',
  earlyExits: 1,
  delayMs: 0,
  msg: 'A worker has exited, and is replaced',
};

function failWithoutMemory(): never {
  throw new Error('spawn ENOMEM');
}

/** The supervisor with these workers, in the order in which it starts them. */
function supervise(...forks: readonly (() => FakeWorker)[]) {
  return superviseWith(config, ...forks);
}

function superviseWith(config: GatewayConfig, ...forks: readonly (() => FakeWorker)[]) {
  const workers: FakeWorker[] = [];
  const lines: Readonly<Record<string, unknown>>[] = [];
  const started = Promise.withResolvers<void>();
  const allForked = Promise.withResolvers<void>();
  const remaining = [...forks];
  jest.spyOn(cluster, 'setupPrimary').mockImplementation(() => {});
  jest.spyOn(cluster, 'fork').mockImplementation(() => {
    const fork = remaining.shift() as () => FakeWorker;
    if (remaining.length === 0) allForked.resolve();
    const worker = fork();
    workers.push(worker);
    return worker as unknown as Worker;
  });
  jest.spyOn(console, 'log').mockImplementation(() => started.resolve());
  const log = createLogger('info', {
    write: (line) => {
      const { level: _, time: __, ...fields } = JSON.parse(line);
      lines.push(fields);
    },
  });
  const timers = new FakeTimers();
  const code = superviseWorkers(2, config, { log, timers });
  return { workers, lines, code, timers, started: started.promise, allForked: allForked.promise };
}

test('a worker that cannot be started is started again with backoff, and does not hold up the end', async () => {
  const { workers, lines, code, started, allForked } = supervise(
    () => FakeWorker.listening(1),
    () => FakeWorker.listening(2),
    FakeWorker.failing,
    failWithoutMemory,
    () => FakeWorker.listening(3),
  );
  await started;
  workers[0]?.emit('exit', null, 'SIGKILL');
  await allForked;
  process.emit('SIGTERM', 'SIGTERM');
  expect(await code).toBe(0);
  const retry = (message: string, earlyExits: number) => ({
    err: expect.objectContaining({ message }),
    earlyExits,
    delayMs: expect.any(Number),
    msg: 'A worker could not be started, and is replaced',
  });
  expect(lines).toEqual([killed, retry('spawn node EAGAIN', 2), retry('spawn ENOMEM', 3)]);
});

test('a worker that does not respond for `workerTimeout` is killed and replaced, which the metrics count', async () => {
  const writes: unknown[] = [];
  jest.spyOn(MetricsDirectory.prototype, 'write').mockImplementation(async (worker, sequence, snapshot) => {
    const [{ name, values }] = JSON.parse(snapshot).metrics;
    const counts = values.map(({ labels, value }: { labels: { reason: string }; value: number }) => [
      labels.reason,
      value,
    ]);
    writes.push([worker, sequence, name, Object.fromEntries(counts)]);
  });
  const { workers, lines, code, timers, started, allForked } = supervise(
    () => FakeWorker.listening(1),
    () => FakeWorker.listening(2),
    () => FakeWorker.listening(3),
  );
  await started;
  const check = () => timers.fire(config.workerTimeout / 5);
  for (let count = 0; count < 10; count++) check();
  const [stopped] = workers as [FakeWorker];
  stopped.responds = false;
  for (let count = 0; count < 5; count++) check();
  expect([lines, workers.length]).toEqual([[], 2]);
  check();
  await allForked;
  process.emit('SIGTERM', 'SIGTERM');
  expect(await code).toBe(0);
  const msg = 'A worker does not respond, and is killed (workerTimeout)';
  expect(lines).toEqual([{ worker: '1', pid: 1, limitMs: 30_000, msg }, killed]);
  const pings = workers.map(
    ({ received }) => received.filter(({ kind }) => kind === 'tributary:ping').length,
  );
  expect(pings).toEqual([11, 16, 0]);
  const name = 'tributary_worker_replacements_total';
  expect(writes).toEqual([
    ['0', 1, name, { exited: 0, unresponsive: 0, not_started: 0 }],
    ['0', 2, name, { exited: 0, unresponsive: 1, not_started: 0 }],
  ]);
});

test('a signal to the whole process group that ends a starting worker first is no failure of the worker', async () => {
  const { workers, lines, code, allForked } = supervise(
    () => FakeWorker.listening(1),
    () => FakeWorker.starting(2),
  );
  await allForked;
  await waitForTurns();
  workers[1]?.emit('exit', null, 'SIGINT');
  process.emit('SIGINT', 'SIGINT');
  expect(await code).toBe(0);
  expect(lines).toEqual([]);
});

test.each([
  ['a worker that receives no messages', false],
  ['a worker that loads its gateway', true],
])('%s has a minute to start, although `workerTimeout` is shorter', async (_, receivesMessages) => {
  const { workers, lines, code, timers, allForked } = supervise(
    () => FakeWorker.listening(1),
    () => FakeWorker.starting(2),
  );
  await allForked;
  await waitForTurns();
  const [, slow] = workers as [FakeWorker, FakeWorker];
  slow.responds = false;
  if (receivesMessages) slow.start();
  for (let count = 0; count < 10; count++) timers.fire(config.workerTimeout / 5);
  expect(lines).toEqual([]);
  timers.fire(config.workerTimeout / 5);
  expect(await code).toBe(1);
  const worker = { worker: '2', pid: 2 };
  expect(lines).toEqual([
    { ...worker, limitMs: 60_000, msg: 'A worker has not started in time, and is killed (workerTimeout)' },
    { ...worker, signal: 'SIGKILL', msg: 'A worker was killed before all had started: the gateway ends' },
  ]);
});

test('a worker that does not drain in time is killed, and one that is killed meanwhile loses requests, too: the exit code is 1', async () => {
  const { workers, lines, code, timers, started } = supervise(
    () => FakeWorker.listening(1),
    () => FakeWorker.listening(2),
  );
  await started;
  for (const worker of workers) worker.drains = false;
  process.emit('SIGTERM', 'SIGTERM');
  await timers.waitForTimer(config.listen.drainTimeout + 10_000);
  workers[0]?.emit('exit', null, 'SIGSEGV');
  timers.fire(config.listen.drainTimeout + 10_000);
  expect(await code).toBe(1);
  expect(lines).toEqual([
    {
      worker: '1',
      pid: 1,
      signal: 'SIGSEGV',
      msg: 'A worker was killed with its requests while the gateway shut down',
    },
    {
      worker: '2',
      pid: 2,
      limitMs: config.listen.drainTimeout + 10_000,
      msg: 'A worker has not ended in time, and is killed with its requests (listen.drainTimeout)',
    },
  ]);
});

test('all ports that are not available are reported at once', async () => {
  const servers = await Promise.all([1, 2].map(() => listen()));
  const [port, adminPort] = servers.map((server) => (server.address() as AddressInfo).port);
  const options = {
    ...config,
    listen: { ...config.listen, port: Number(port) },
    admin: { ...config.admin, port: Number(adminPort) },
  };
  try {
    await expect(superviseWith(options).code).rejects.toThrow(
      `127.0.0.1:${port} is in use. End the process that listens there, or choose another port with listen.port or --port.
127.0.0.1:${adminPort} is in use. End the process that listens there, or choose another port with admin.port or --admin-port.`,
    );
  } finally {
    for (const server of servers) server.close();
  }
});

test('a worker gets the configuration when it has started, and is killed at a stop signal before that', async () => {
  const { workers, code, allForked } = supervise(
    () => FakeWorker.starting(1),
    () => FakeWorker.starting(2),
  );
  await allForked;
  workers[0]?.start();
  process.emit('SIGTERM', 'SIGTERM');
  expect(await code).toBe(0);
  expect(workers.map(({ received }) => received.map(({ kind }) => kind))).toEqual([
    ['tributary:configuration', 'tributary:announce', 'tributary:drain'],
    [],
  ]);
  expect(workers[0]?.received[0]).toEqual({ kind: 'tributary:configuration', config });
});

test('exports the last counts of the supervisor while the workers drain', async () => {
  const exported = Promise.withResolvers<void>();
  jest.spyOn(MetricsExportFeature.prototype, 'close').mockImplementation(async () => exported.resolve());
  const telemetry = { otlp: { endpoint: 'http://127.0.0.1:9' }, metrics: { otlp: true } };
  const { workers, code, started } = superviseWith(
    parseConfig({ ...config, telemetry }),
    () => FakeWorker.listening(1),
    () => FakeWorker.listening(2),
  );
  await started;
  for (const worker of workers) worker.drains = false;
  process.emit('SIGTERM', 'SIGTERM');
  await exported.promise;
  for (const worker of workers) worker.emit('exit', 0, null);
  expect(await code).toBe(0);
});

test.each([
  ['the system has too many processes', FakeWorker.failing, 'spawn node EAGAIN'],
  ['there is no memory', failWithoutMemory, 'spawn ENOMEM'],
])('all workers end when one cannot be started at first, because %s', async (_, fork, reason) => {
  const { lines, code } = supervise(() => FakeWorker.listening(1), fork);
  expect(await code).toBe(1);
  const err = expect.objectContaining({ message: reason });
  expect(lines).toEqual([{ err, msg: 'A worker could not be started: the gateway ends' }]);
});
