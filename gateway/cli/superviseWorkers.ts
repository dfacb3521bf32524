import cluster, { type Worker } from 'node:cluster';
import { randomUUID } from 'node:crypto';
import type { GatewayConfig } from '../config/schema.ts';
import type { Feature } from '../feature.ts';
import { createConfiguredLogger, type Logger } from '../telemetry/logger.ts';
import { MetricsDirectory } from '../telemetry/metricsDirectory.ts';
import { maxOperationNames } from '../telemetry/operationLabels.ts';
import { backoffDelayMs } from '../time/backoffDelayMs.ts';
import { systemTimers, type Timers } from '../time/timers.ts';
import type { GatewayAddresses } from '../transport/http/mountedGateway.ts';
import { exitCode } from './exitCode.ts';
import { printAddresses } from './printAddresses.ts';
import { forcedStopMessage, Shutdown, shutDownAtStopSignals } from './shutdown.ts';
import { isStopSignal } from './stopSignals.ts';
import { type ReplacementReason, SupervisorMetrics, supervisorName } from './supervisorMetrics.ts';
import { isWorkerMessage, type MessageFromWorker, type MessageToWorker } from './workerMessages.ts';
import { chooseWorkerPorts } from './workerPorts.ts';
import { createWorkersDirectory, workersDirectoryOf } from './workersDirectory.ts';
import { flagsWithYoungGeneration, memoryEnvironment } from './youngGeneration.ts';

/** A worker that exits within this time of its start is replaced with backoff. */
const earlyExitMs = 60_000;
const restartBackoff = { minDelay: 100, maxDelay: 30_000 };
/** Time after which no scrape stores counts of a worker that has ended. */
const foldDelayMs = 30_000;
/** Time within which all processes of a group notice a signal, on a busy machine, too. */
const groupSignalMs = 500;
/** Time after the drain timeout until a worker is killed. If requests have used up the drain timeout, each step of the
 *  shutdown still has a second or two: jobs and invalidations that Redis does not take, extensions, traces, metrics. */
const killGraceMs = 10_000;
/** How often the supervisor checks a worker within `workerTimeout`. Checks are counted, and not the time since a response:
 *  when the whole machine has stood still, no worker is at fault. */
const checksPerTimeout = 5;
/** The log lines about workers that the supervisor kills. */
const unresponsive = 'A worker does not respond, and is killed (workerTimeout)';
const unstarted = 'A worker has not started in time, and is killed (workerTimeout)';
const undrained = 'A worker has not ended in time, and is killed with its requests (listen.drainTimeout)';
/** A worker has at least this time to start, because all of them may start at once on a busy machine. */
const minStartTimeoutMs = 60_000;

interface WorkerStatus {
  readonly startedAt: number;
  /** How many workers in this one's place have exited early or could not be started, one after the other. */
  readonly earlyExits: number;
  /** Whether the worker receives messages. */
  hasStarted: boolean;
  /** Set while the worker accepts connections. */
  addresses: GatewayAddresses | undefined;
  /** Whether the worker has a supergraph. */
  isReady: boolean;
  /** Whether the worker accepts no connections, because it has no supergraph. */
  isWaiting: boolean;
  /** Whether the supervisor ends the worker to replace it. */
  isRetired: boolean;
  /** Checks since the worker has last answered. */
  unansweredChecks: number;
  /** Whether the supervisor has killed the worker, because it does not respond. */
  isUnresponsive: boolean;
}

/** Why a worker is replaced, and the log line about it. */
interface WorkerEnd {
  readonly reason: ReplacementReason;
  readonly fields: object;
  readonly message: string;
}

/** Runs `count` worker processes that share the listeners. A worker that exits is replaced. Resolves with the exit code
 *  when the last one has exited: after a stop signal, or when a worker exits or cannot be started before all have started.
 *  @throws {CommandError} when the directory for the workers' sockets cannot be created, and when a port is not
 *  available. */
export async function superviseWorkers(
  count: number,
  config: GatewayConfig,
  { log, timers = systemTimers }: { readonly log?: Logger; readonly timers?: Timers } = {},
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
  const supervisor = new WorkerSupervisor({
    count,
    config,
    environment,
    log: log ?? (await createConfiguredLogger(config.telemetry)),
    timers,
  });
  return supervisor.run();
}

interface WorkerSupervisorOptions {
  readonly count: number;
  readonly config: GatewayConfig;
  readonly environment: NodeJS.ProcessEnv;
  readonly log: Logger;
  readonly timers: Timers;
}

class WorkerSupervisor {
  readonly #count: number;
  readonly #config: GatewayConfig;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #log: Logger;
  readonly #metricsDirectory: MetricsDirectory;
  readonly #timers: Timers;
  readonly #shutdown: Shutdown;
  readonly #metrics: SupervisorMetrics;
  readonly #workers = new Map<Worker, WorkerStatus>();
  readonly #ended = Promise.withResolvers<void>();
  #hasStarted = false;
  #code: number = exitCode.success;

  constructor({ count, config, environment, log, timers }: WorkerSupervisorOptions) {
    this.#log = log;
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
      this.#log.warn(forcedStopMessage);
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
      const limitMs = this.#config.listen.drainTimeout + killGraceMs;
      this.#timers.after(limitMs, () => {
        for (const [worker, status] of this.#workers) this.#kill(worker, status, limitMs, undrained);
      });
    });
    for (let index = 0; index < this.#count; index++) this.#startWorker(0);
    if (this.#config.workerTimeout > 0) this.#checkLater();
    const metricsExport = await this.#exportMetrics();
    await this.#shutdown.requested;
    // Nothing is counted any more. A collector that hangs delays the end only if it takes longer than the workers.
    await Promise.all([metricsExport?.close?.(0), this.#ended.promise]);
    ignoreSignals();
    return this.#code;
  }

  /** Exports what the supervisor counts, as each worker does with its own metrics. */
  async #exportMetrics(): Promise<Feature | undefined> {
    if (!this.#config.telemetry.metrics.otlp) return undefined;
    const { MetricsExportFeature } = await import('../metricsExport/metricsExportFeature.ts');
    return new MetricsExportFeature({
      config: this.#config,
      log: this.#log,
      metrics: this.#metrics,
      timers: this.#timers,
      now: Date.now,
      identity: { instanceId: randomUUID(), workerName: supervisorName },
    });
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
      isUnresponsive: false,
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
      for (const [worker, status] of this.#workers) this.#check(worker, status);
      this.#checkLater();
    });
  }

  /** Kills a worker that does not respond: it is stopped, or its event loop is blocked. The system still sends it
   *  connections. */
  #check(worker: Worker, status: WorkerStatus): void {
    status.unansweredChecks += 1;
    // One message at a time, so that none pile up for a worker that reads nothing.
    if (status.unansweredChecks === 1 && status.hasStarted) send(worker, { kind: 'tributary:ping' });
    const { workerTimeout } = this.#config;
    // To load the gateway blocks the event loop of the worker, too.
    const isStarting = status.addresses === undefined && !status.isWaiting;
    const limitMs = isStarting ? Math.max(workerTimeout, minStartTimeoutMs) : workerTimeout;
    if (status.isUnresponsive || status.unansweredChecks * workerTimeout <= limitMs * checksPerTimeout)
      return;
    this.#kill(worker, status, limitMs, isStarting ? unstarted : unresponsive);
  }

  #kill(worker: Worker, status: WorkerStatus, limitMs: number, message: string): void {
    status.isUnresponsive = true;
    this.#log.error({ ...identify(worker), limitMs }, message);
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
    // A worker that has not started handles no signals. One to the whole process group, such as that of Ctrl-C, may end it
    // before this process notices the signal.
    if (isStopSignal(signal)) setTimeout(() => this.#onExited(worker, status, code, signal), groupSignalMs);
    else this.#onExited(worker, status, code, signal);
  }

  #onExited(worker: Worker, status: WorkerStatus, code: number | null, signal: string | null): void {
    const fields = { ...identify(worker), ...(signal === null ? { exitCode: code } : { signal }) };
    // A worker that exits by itself has written why.
    if (this.#shutdown.isRequested) {
      // This process, or a signal to the whole group, ends those that have not started.
      if (status.hasStarted && code !== 0 && !isStopSignal(signal)) {
        if (this.#code === exitCode.success) this.#code = exitCode.failed;
        if (signal !== null && !status.isUnresponsive)
          this.#log.error(fields, 'A worker was killed with its requests while the gateway shut down');
      }
    } else if (signal !== null && !this.#hasStarted)
      this.#log.error(fields, 'A worker was killed before all had started: the gateway ends');
    const reason = status.isUnresponsive ? 'unresponsive' : 'exited';
    this.#onEnd(status, { reason, fields, message: 'A worker has exited, and is replaced' }, code);
  }

  #onStartFailure(status: WorkerStatus, error: unknown): void {
    const fields = { err: error };
    if (!this.#hasStarted) this.#log.error(fields, 'A worker could not be started: the gateway ends');
    const message = 'A worker could not be started, and is replaced';
    this.#onEnd(status, { reason: 'not_started', fields, message }, exitCode.failed);
  }

  #onEnd(status: WorkerStatus, end: WorkerEnd, code: number | null): void {
    if (this.#shutdown.isRequested) this.#endWithoutWorkers();
    else if (status.isRetired) this.#startWorker(0);
    else if (this.#hasStarted) {
      this.#metrics.countReplacement(end.reason);
      this.#replace(status, end);
    } else this.#stopAll(code ?? exitCode.failed);
    this.#chooseListeners();
  }

  #replace({ startedAt, earlyExits }: WorkerStatus, { fields, message }: WorkerEnd): void {
    const exits = performance.now() - startedAt < earlyExitMs ? earlyExits + 1 : 0;
    const delayMs = exits <= 1 ? 0 : backoffDelayMs(exits - 1, restartBackoff);
    this.#log.error({ ...fields, earlyExits: exits, delayMs }, message);
    if (delayMs === 0) this.#startWorker(exits);
    else setTimeout(() => this.#startWorker(exits), delayMs);
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

/** The fields of a log line about a worker. */
function identify({ id, process: { pid } }: Worker) {
  return { worker: String(id), pid };
}

function send(worker: Worker, message: MessageToWorker): void {
  // A worker that is exiting has no channel.
  if (worker.isConnected()) worker.send(message, () => {});
}
