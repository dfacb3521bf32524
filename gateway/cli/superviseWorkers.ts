import cluster, { type Worker } from 'node:cluster';
import type { GatewayConfig } from '../config/schema.ts';
import { printAddresses } from './addresses.ts';
import { exitCode } from './exitCode.ts';
import { Shutdown, shutDownAtStopSignals } from './shutdown.ts';
import {
  type AnnounceMessage,
  type DrainMessage,
  isWorkerMessage,
  type ListeningMessage,
} from './workerMessages.ts';
import { createWorkersDirectory } from './workersDirectory.ts';
import { flagsWithYoungGeneration } from './youngGeneration.ts';

// A worker that exits is replaced. After too many restarts the supervisor exits, so that its operator or orchestrator
// detects the failure.
const maxRestarts = 10;
const restartWindowMs = 60_000;
/** Time after the drain timeout until a worker is killed. */
const killGraceMs = 5_000;

/** Runs `count` worker processes that share the listeners. Resolves with the exit code when the last one has exited: after
 *  a stop signal, when a worker cannot start, or after too many restarts.
 *  @throws {CommandError} when the directory for the workers' sockets cannot be created. */
export function superviseWorkers(count: number, { listen }: GatewayConfig): Promise<number> {
  const { promise: ended, resolve: end } = Promise.withResolvers<number>();
  const restarts: number[] = [];
  const listening = new Set<Worker>();
  let isAnnounced = false;
  let code: number | undefined;

  cluster.setupPrimary({ execArgv: flagsWithYoungGeneration() });
  const environment = createWorkersDirectory();

  const startWorker = () => {
    const worker = cluster.fork(environment);
    worker.on('message', (message: unknown) => {
      if (!isWorkerMessage<ListeningMessage>(message, 'tributary:listening')) return;
      listening.add(worker);
      if (isAnnounced || listening.size < count) return;
      isAnnounced = true;
      printAddresses(message, count);
    });
    // The primary may send a listening socket to a worker that has just ended. Its `exit` event follows.
    worker.on('error', () => {});
    worker.on('exit', (exit, signal) => onExit(worker, exit, signal));
  };

  const shutdown = new Shutdown(listen.shutdownDelay);
  void shutdown.requested.then(() => {
    code ??= exitCode.success;
    for (const worker of liveWorkers()) send(worker, { kind: 'tributary:announce' });
  });
  void shutdown.due.then(() => {
    for (const worker of liveWorkers()) send(worker, { kind: 'tributary:drain' });
    setTimeout(killAll, listen.drainTimeout + killGraceMs).unref();
  });

  const stopAll = (exit: number) => {
    code ??= exit;
    shutdown.skipDelay();
  };

  const onExit = (worker: Worker, exit: number | null, signal: string | null) => {
    const hadStarted = listening.delete(worker);
    if (code === undefined) {
      const reason = signal ?? `exit code ${exit}`;
      if (!hadStarted) stopAll(exit ?? exitCode.failed);
      else if (isRestartAllowed(restarts)) {
        console.error(`Worker ${worker.process.pid} exited (${reason}); starting a new one.`);
        startWorker();
      } else {
        console.error(
          `Worker ${worker.process.pid} exited (${reason}) after ${maxRestarts} restarts within a minute; stopping.`,
        );
        stopAll(exitCode.failed);
      }
    }
    if (liveWorkers().length === 0) finish();
  };

  const finish = () => {
    ignoreSignals();
    end(code ?? exitCode.failed);
  };

  const ignoreSignals = shutDownAtStopSignals(shutdown, () => {
    killAll();
    process.exit(exitCode.failed);
  });
  for (let index = 0; index < count; index++) startWorker();
  return ended;
}

function liveWorkers(): Worker[] {
  return Object.values(cluster.workers ?? {}).filter(
    (worker) => worker !== undefined && !worker.isDead(),
  ) as Worker[];
}

function send(worker: Worker, message: AnnounceMessage | DrainMessage): void {
  // A worker that is exiting has no channel.
  if (worker.isConnected()) worker.send(message, () => {});
}

function killAll(): void {
  for (const worker of liveWorkers()) worker.process.kill('SIGKILL');
}

/** Records a restart, and returns whether it is within the limit. `restarts`: times of recent restarts. */
function isRestartAllowed(restarts: number[]): boolean {
  const now = performance.now();
  while (restarts[0] !== undefined && now - restarts[0] > restartWindowMs) restarts.shift();
  restarts.push(now);
  return restarts.length <= maxRestarts;
}
