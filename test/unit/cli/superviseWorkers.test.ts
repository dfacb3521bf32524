import cluster, { type Worker } from 'node:cluster';
import { EventEmitter } from 'node:events';
import { afterEach, expect, jest, test } from '@jest/globals';
import { superviseWorkers } from '../../../gateway/cli/superviseWorkers.ts';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import { MetricsDirectory } from '../../../gateway/telemetry/metricsDirectory.ts';
import { createManualTimers } from '../../harness/manualTimers.ts';

afterEach(() => {
  jest.restoreAllMocks();
});

const config = parseConfig({
  supergraph: { file: 'supergraph.graphql' },
  listen: { port: 0, shutdownDelay: '0s' },
  admin: { port: 0 },
  workers: 2,
});

/** Emits what a worker of `node:cluster` emits. */
class FakeWorker extends EventEmitter {
  readonly process: { readonly pid: number | undefined; readonly kill: (signal: string) => void };
  readonly received: { readonly kind: string }[] = [];
  responds = true;

  private constructor(pid: number | undefined) {
    super();
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
    if (message.kind === 'tributary:drain') this.emit('exit', 0, null);
  }
}

function failWithoutMemory(): never {
  throw new Error('spawn ENOMEM');
}

/** The supervisor with these workers, in the order in which it starts them. */
function supervise(...forks: readonly (() => FakeWorker)[]) {
  const workers: FakeWorker[] = [];
  const errors: unknown[] = [];
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
  jest.spyOn(console, 'error').mockImplementation((line: unknown) => void errors.push(line));
  const timers = createManualTimers();
  const code = superviseWorkers(2, config, timers);
  return { workers, errors, code, timers, started: started.promise, allForked: allForked.promise };
}

test('a worker that cannot be started is started again with backoff, and does not hold up the end', async () => {
  const { workers, errors, code, started, allForked } = supervise(
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
  const retry = (reason: string, count: number) =>
    expect.stringMatching(
      new RegExp(
        `^A worker could not be started \\(${reason}\\); starting a new one in \\d+ ms, because ${count} workers in a row ran for less than a minute\\.$`,
      ),
    );
  expect(errors).toEqual([
    'Worker 1 exited (SIGKILL); starting a new one.',
    retry('spawn node EAGAIN', 2),
    retry('spawn ENOMEM', 3),
  ]);
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
  const { workers, errors, code, timers, started, allForked } = supervise(
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
  expect([errors, workers.length]).toEqual([[], 2]);
  check();
  await allForked;
  process.emit('SIGTERM', 'SIGTERM');
  expect(await code).toBe(0);
  expect(errors).toEqual([
    'Worker 1 has not responded for 30s (workerTimeout); it is killed.',
    'Worker 1 exited (SIGKILL); starting a new one.',
  ]);
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

test.each([
  ['the system has too many processes', FakeWorker.failing, 'spawn node EAGAIN'],
  ['there is no memory', failWithoutMemory, 'spawn ENOMEM'],
])('all workers end when one cannot be started at first, because %s', async (_, fork, reason) => {
  const { errors, code } = supervise(() => FakeWorker.listening(1), fork);
  expect(await code).toBe(1);
  expect(errors).toEqual([`A worker could not be started (${reason}).`]);
});
