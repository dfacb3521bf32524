import cluster, { type Worker } from 'node:cluster';
import type { GatewayConfig } from '../config/schema.ts';
import { MetricsDirectory } from '../telemetry/metricsDirectory.ts';
import { backoffDelayMs } from '../time/backoffDelayMs.ts';
import { type Addresses, printAddresses } from './addresses.ts';
import { exitCode } from './exitCode.ts';
import { Shutdown, shutDownAtStopSignals } from './shutdown.ts';
import { isWorkerMessage, type MessageToWorker } from './workerMessages.ts';
import { chooseWorkerPorts } from './workerPorts.ts';
import { createWorkersDirectory, workersDirectoryOf } from './workersDirectory.ts';
import { flagsWithYoungGeneration, memoryEnvironment } from './youngGeneration.ts';

/** A worker that exits within this time of its start is replaced with backoff. */
const earlyExitMs = 60_000;
const restartBackoff = { minDelay: 100, maxDelay: 30_000 };
/** Time after which no scrape stores counts of a worker that has ended. */
const foldDelayMs = 30_000;
/** Time after the drain timeout until a worker is killed. */
const killGraceMs = 5_000;

interface WorkerStatus {
  readonly startedAt: number;
  /** How many workers in this one's place have exited early, one after the other. */
  readonly earlyExits: number;
  /** Set while the worker accepts connections. */
  addresses: Addresses | undefined;
  /** Whether the worker has a supergraph. */
  isReady: boolean;
  /** Whether the worker accepts no connections, because it has no supergraph. */
  isWaiting: boolean;
  /** Whether the supervisor ends the worker to replace it. */
  isRetired: boolean;
}

/** Runs `count` worker processes that share the listeners. A worker that exits is replaced. Resolves with the exit code
 *  when the last one has exited: after a stop signal, or when a worker exits before all have started.
 *  @throws {CommandError} when the directory for the workers' sockets cannot be created, and when a port is not
 *  available. */
export async function superviseWorkers(count: number, config: GatewayConfig): Promise<number> {
  const environment = {
    ...memoryEnvironment,
    ...createWorkersDirectory(),
    ...(await chooseWorkerPorts(config)),
  };
  const metricsDirectory = new MetricsDirectory(workersDirectoryOf(environment));
  const { promise: ended, resolve: end } = Promise.withResolvers<number>();
  const workers = new Map<Worker, WorkerStatus>();
  let hasStarted = false;
  let code: number | undefined;

  cluster.setupPrimary({ execArgv: flagsWithYoungGeneration() });
  // Where workers cannot share the port by themselves (see `httpListener.ts`), they share the listening socket. When
  // the supervisor deals out connections, those that it sends to a dying worker are never answered and never closed.
  cluster.schedulingPolicy = cluster.SCHED_NONE;

  const startWorker = (earlyExits: number): void => {
    if (shutdown.isRequested) return;
    const worker = cluster.fork(environment);
    const status: WorkerStatus = {
      startedAt: performance.now(),
      earlyExits,
      addresses: undefined,
      isReady: false,
      isWaiting: false,
      isRetired: false,
    };
    workers.set(worker, status);
    worker.on('message', (message: unknown) => {
      if (!isWorkerMessage(message)) return;
      if (message.kind === 'tributary:waiting') status.isWaiting = true;
      if (message.kind === 'tributary:ready') status.isReady = true;
      if (message.kind === 'tributary:listening') {
        status.isWaiting = false;
        status.addresses = message;
      }
      chooseListeners();
      announce();
    });
    // Sending to a worker that has just ended fails. Its `exit` event follows.
    worker.on('error', () => {});
    worker.on('exit', (exit, signal) => onExit(worker, status, exit, signal));
  };

  /** Lets one worker listen while no worker has a supergraph, so that the health routes answer. It is replaced when
   *  another worker listens with a supergraph: it would reject its part of the requests. */
  const chooseListeners = (): void => {
    if (shutdown.isRequested) return;
    const all = [...workers].filter(([, { isRetired }]) => !isRetired);
    const listening = all.filter(([, { addresses }]) => addresses !== undefined);
    const [waiting] = all;
    if (listening.some(([, { isReady }]) => isReady)) {
      for (const [worker, status] of listening) {
        if (status.isReady) continue;
        status.isRetired = true;
        send(worker, { kind: 'tributary:drain' });
      }
    } else if (waiting !== undefined && all.every(([, { isWaiting }]) => isWaiting)) {
      send(waiting[0], { kind: 'tributary:listen' });
    }
  };

  const announce = (): void => {
    const all = [...workers.values()];
    const addresses = all.find((status) => status.addresses !== undefined)?.addresses;
    const isStarting = all.some((status) => status.addresses === undefined && !status.isWaiting);
    if (hasStarted || isStarting || addresses === undefined) return;
    hasStarted = true;
    printAddresses(addresses, count);
  };

  const onExit = (worker: Worker, status: WorkerStatus, exit: number | null, signal: string | null): void => {
    workers.delete(worker);
    setTimeout(() => metricsDirectory.fold(String(worker.id)).catch(() => {}), foldDelayMs).unref();
    if (shutdown.isRequested) finishWithoutWorkers();
    else if (status.isRetired) startWorker(0);
    else if (hasStarted) replace(worker, status, signal ?? `exit code ${exit}`);
    else stopAll(exit ?? exitCode.failed);
    chooseListeners();
  };

  const replace = ({ process }: Worker, { startedAt, earlyExits }: WorkerStatus, reason: string): void => {
    const exits = performance.now() - startedAt < earlyExitMs ? earlyExits + 1 : 0;
    if (exits <= 1) {
      console.error(`Worker ${process.pid} exited (${reason}); starting a new one.`);
      startWorker(exits);
      return;
    }
    const delayMs = backoffDelayMs(exits - 1, restartBackoff);
    console.error(
      `Worker ${process.pid} exited (${reason}); starting a new one in ${delayMs} ms, because ${exits} workers in a row exited within a minute of their start.`,
    );
    setTimeout(() => startWorker(exits), delayMs);
  };

  const shutdown = new Shutdown(config.listen.shutdownDelay);
  void shutdown.requested.then(() => {
    for (const worker of workers.keys()) send(worker, { kind: 'tributary:announce' });
    finishWithoutWorkers();
  });
  void shutdown.due.then(() => {
    for (const worker of workers.keys()) send(worker, { kind: 'tributary:drain' });
    setTimeout(killAll, config.listen.drainTimeout + killGraceMs).unref();
  });

  const stopAll = (exit: number): void => {
    code = exit;
    shutdown.skipDelay();
  };

  const finishWithoutWorkers = (): void => {
    if (workers.size > 0) return;
    ignoreSignals();
    end(code ?? exitCode.success);
  };

  const killAll = (): void => {
    for (const worker of workers.keys()) worker.process.kill('SIGKILL');
  };

  const ignoreSignals = shutDownAtStopSignals(shutdown, () => {
    killAll();
    process.exit(exitCode.failed);
  });
  for (let index = 0; index < count; index++) startWorker(0);
  return ended;
}

function send(worker: Worker, message: MessageToWorker): void {
  // A worker that is exiting has no channel.
  if (worker.isConnected()) worker.send(message, () => {});
}
