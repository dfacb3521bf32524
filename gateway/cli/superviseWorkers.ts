import cluster, { type Worker } from 'node:cluster';
import { formatDuration } from '../config/duration.ts';
import type { GatewayConfig } from '../config/schema.ts';
import { messageOf } from '../errors.ts';
import { MetricsDirectory } from '../telemetry/metricsDirectory.ts';
import { maxOperationNames } from '../telemetry/operationLabels.ts';
import { backoffDelayMs } from '../time/backoffDelayMs.ts';
import { systemTimers, type Timers } from '../time/timers.ts';
import { type Addresses, printAddresses } from './addresses.ts';
import { exitCode } from './exitCode.ts';
import { Shutdown, shutDownAtStopSignals } from './shutdown.ts';
import { type ReplacementReason, SupervisorMetrics } from './supervisorMetrics.ts';
import { isWorkerMessage, type MessageFromWorker, type MessageToWorker } from './workerMessages.ts';
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
/** How often the supervisor checks a worker within `workerTimeout`. Checks are counted, and not the time since a response:
 *  when the whole machine has stood still, no worker is at fault. */
const checksPerTimeout = 5;

interface WorkerStatus {
  readonly startedAt: number;
  /** How many workers in this one's place have exited early or could not be started, one after the other. */
  readonly earlyExits: number;
  /** Whether the worker receives messages. */
  hasStarted: boolean;
  /** Set while the worker accepts connections. */
  addresses: Addresses | undefined;
  /** Whether the worker has a supergraph. */
  isReady: boolean;
  /** Whether the worker accepts no connections, because it has no supergraph. */
  isWaiting: boolean;
  /** Whether the supervisor ends the worker to replace it. */
  isRetired: boolean;
  /** Checks since the worker has last answered. */
  unansweredChecks: number;
}

/** Runs `count` worker processes that share the listeners. A worker that exits is replaced. Resolves with the exit code
 *  when the last one has exited: after a stop signal, or when a worker exits or cannot be started before all have started.
 *  @throws {CommandError} when the directory for the workers' sockets cannot be created, and when a port is not
 *  available. */
export async function superviseWorkers(
  count: number,
  config: GatewayConfig,
  timers: Timers = systemTimers,
): Promise<number> {
  const environment = {
    ...memoryEnvironment,
    ...createWorkersDirectory(),
    ...(await chooseWorkerPorts(config)),
  };
  // Workers accept the connections of their Unix sockets themselves, and those of clients, too, where they cannot share the
  // port by themselves (see `httpListener.ts`). When the supervisor deals out connections, those that it sends to a dying
  // worker are never answered and never closed. `setupPrimary` reads the policy.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  // Options of extensions can have values that JSON cannot represent, such as `.inf`.
  cluster.setupPrimary({ execArgv: flagsWithYoungGeneration(), serialization: 'advanced' });
  return new WorkerSupervisor(count, config, environment, timers).run();
}

class WorkerSupervisor {
  readonly #count: number;
  readonly #config: GatewayConfig;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #metricsDirectory: MetricsDirectory;
  readonly #timers: Timers;
  readonly #shutdown: Shutdown;
  readonly #metrics: SupervisorMetrics;
  readonly #workers = new Map<Worker, WorkerStatus>();
  readonly #ended = Promise.withResolvers<void>();
  #hasStarted = false;
  #code: number = exitCode.success;

  constructor(count: number, config: GatewayConfig, environment: NodeJS.ProcessEnv, timers: Timers) {
    this.#timers = timers;
    this.#count = count;
    this.#config = config;
    this.#environment = environment;
    const clientsChooseNames = config.telemetry.metrics.operationNames === 'all';
    this.#metricsDirectory = new MetricsDirectory(
      workersDirectoryOf(environment),
      clientsChooseNames ? maxOperationNames : undefined,
    );
    this.#metrics = new SupervisorMetrics(this.#metricsDirectory, timers);
    this.#shutdown = new Shutdown(config.listen.shutdownDelay);
  }

  /** Resolves with the exit code of this process. */
  async run(): Promise<number> {
    const ignoreSignals = shutDownAtStopSignals(this.#shutdown, () => {
      this.#killAll();
      process.exit(exitCode.failed);
    });
    void this.#shutdown.requested.then(() => {
      for (const [worker, { hasStarted }] of this.#workers) if (!hasStarted) worker.process.kill('SIGKILL');
      this.#sendAll({ kind: 'tributary:announce' });
      this.#endWithoutWorkers();
    });
    void this.#shutdown.due.then(() => {
      this.#sendAll({ kind: 'tributary:drain' });
      systemTimers.after(this.#config.listen.drainTimeout + killGraceMs, () => this.#killAll());
    });
    for (let index = 0; index < this.#count; index++) this.#startWorker(0);
    if (this.#config.workerTimeout > 0) this.#checkLater();
    await this.#ended.promise;
    ignoreSignals();
    return this.#code;
  }

  #startWorker(earlyExits: number): void {
    if (this.#shutdown.isRequested) return;
    const status: WorkerStatus = {
      startedAt: performance.now(),
      earlyExits,
      hasStarted: false,
      addresses: undefined,
      isReady: false,
      isWaiting: false,
      isRetired: false,
      unansweredChecks: 0,
    };
    let worker: Worker;
    try {
      worker = cluster.fork(this.#environment);
    } catch (error) {
      // Without memory, for example. With too many processes or open files, the worker emits `error`.
      this.#onStartFailure(status, error);
      return;
    }
    this.#workers.set(worker, status);
    worker.on('message', (message: unknown) => {
      if (isWorkerMessage(message)) this.#onMessage(worker, status, message);
    });
    worker.on('error', (error) => {
      // Sending to a worker that has just ended fails, and its `exit` event follows. Without a process id, the process was
      // never created, and no `exit` event follows.
      if (worker.process.pid !== undefined || !this.#workers.delete(worker)) return;
      this.#onStartFailure(status, error);
    });
    worker.on('exit', (code, signal) => this.#onExit(worker, status, code, signal));
  }

  #checkLater(): void {
    this.#timers.after(this.#config.workerTimeout / checksPerTimeout, () => {
      for (const [worker, status] of this.#workers) if (status.hasStarted) this.#check(worker, status);
      this.#checkLater();
    });
  }

  /** Kills a worker that does not respond: it is stopped, or its event loop is blocked. The system still sends it
   *  connections. */
  #check(worker: Worker, status: WorkerStatus): void {
    status.unansweredChecks += 1;
    // One message at a time, so that none pile up for a worker that reads nothing.
    if (status.unansweredChecks === 1) send(worker, { kind: 'tributary:ping' });
    if (status.unansweredChecks !== checksPerTimeout + 1) return;
    const limit = formatDuration(this.#config.workerTimeout);
    console.error(
      `Worker ${worker.process.pid} has not responded for ${limit} (workerTimeout); it is killed.`,
    );
    worker.process.kill('SIGKILL');
  }

  #onMessage(worker: Worker, status: WorkerStatus, message: MessageFromWorker | MessageToWorker): void {
    status.unansweredChecks = 0;
    if (message.kind === 'tributary:pong') return;
    if (message.kind === 'tributary:started') {
      status.hasStarted = true;
      send(worker, { kind: 'tributary:configuration', config: this.#config });
    }
    if (message.kind === 'tributary:waiting') status.isWaiting = true;
    if (message.kind === 'tributary:ready') status.isReady = true;
    if (message.kind === 'tributary:listening') {
      status.isWaiting = false;
      status.addresses = message;
    }
    this.#chooseListeners();
    this.#announce();
  }

  /** Lets one worker listen while no worker has a supergraph, so that the health routes answer. It is replaced when
   *  another worker listens with a supergraph: it would reject its part of the requests. */
  #chooseListeners(): void {
    if (this.#shutdown.isRequested) return;
    const all = [...this.#workers].filter(([, { isRetired }]) => !isRetired);
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
  }

  /** Prints the addresses once, when all workers listen or wait for a supergraph. */
  #announce(): void {
    const all = [...this.#workers.values()];
    const addresses = all.find((status) => status.addresses !== undefined)?.addresses;
    const isStarting = all.some((status) => status.addresses === undefined && !status.isWaiting);
    if (this.#hasStarted || isStarting || addresses === undefined) return;
    this.#hasStarted = true;
    printAddresses(addresses, this.#count);
  }

  #onExit(worker: Worker, status: WorkerStatus, code: number | null, signal: string | null): void {
    this.#workers.delete(worker);
    const fold = () => this.#metricsDirectory.fold(String(worker.id)).catch(() => {});
    setTimeout(fold, foldDelayMs).unref();
    const message = `Worker ${worker.process.pid} exited (${signal ?? `exit code ${code}`})`;
    const reason = status.unansweredChecks > checksPerTimeout ? 'unresponsive' : 'exited';
    this.#onEnd(status, message, code ?? exitCode.failed, reason);
  }

  #onStartFailure(status: WorkerStatus, error: unknown): void {
    const message = `A worker could not be started (${messageOf(error)})`;
    if (!this.#hasStarted) console.error(`${message}.`);
    this.#onEnd(status, message, exitCode.failed, 'not_started');
  }

  #onEnd(status: WorkerStatus, message: string, code: number, reason: ReplacementReason): void {
    if (this.#shutdown.isRequested) this.#endWithoutWorkers();
    else if (status.isRetired) this.#startWorker(0);
    else if (this.#hasStarted) {
      this.#metrics.countReplacement(reason);
      this.#replace(status, message);
    } else this.#stopAll(code);
    this.#chooseListeners();
  }

  #replace({ startedAt, earlyExits }: WorkerStatus, message: string): void {
    const exits = performance.now() - startedAt < earlyExitMs ? earlyExits + 1 : 0;
    if (exits <= 1) {
      console.error(`${message}; starting a new one.`);
      this.#startWorker(exits);
      return;
    }
    const delayMs = backoffDelayMs(exits - 1, restartBackoff);
    console.error(
      `${message}; starting a new one in ${delayMs} ms, because ${exits} workers in a row ran for less than a minute.`,
    );
    setTimeout(() => this.#startWorker(exits), delayMs);
  }

  #stopAll(code: number): void {
    this.#code = code;
    this.#shutdown.skipDelay();
  }

  #endWithoutWorkers(): void {
    if (this.#workers.size === 0) this.#ended.resolve();
  }

  #sendAll(message: MessageToWorker): void {
    for (const worker of this.#workers.keys()) send(worker, message);
  }

  #killAll(): void {
    for (const worker of this.#workers.keys()) worker.process.kill('SIGKILL');
  }
}

function send(worker: Worker, message: MessageToWorker): void {
  // A worker that is exiting has no channel.
  if (worker.isConnected()) worker.send(message, () => {});
}
