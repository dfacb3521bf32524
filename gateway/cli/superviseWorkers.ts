import cluster, { type Worker } from 'node:cluster';
import { printAddresses } from './addresses.ts';
import { exitCode } from './exitCode.ts';
import { listenForStopSignals } from './stopSignals.ts';
import { type DrainMessage, isWorkerMessage, type ListeningMessage } from './workerMessages.ts';
import { createWorkersDirectory } from './workersDirectory.ts';
import { flagsWithYoungGeneration } from './youngGeneration.ts';

// A worker that dies is replaced, but a gateway that keeps dying must be seen by whoever watches this process.
const maxRestarts = 10;
const restartWindowMs = 60_000;
/** What a worker gets on top of its drain timeout before it is killed. */
const killGraceMs = 5_000;

/** Runs `count` processes that share the listeners. Resolves with the exit code when the last one is gone:
 *  after a signal, when one cannot start, or when too many have died. Errors: `CommandError`. */
export function superviseWorkers(count: number, drainTimeoutMs: number): Promise<number> {
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

  const stopAll = (exit: number) => {
    if (code !== undefined) return;
    code = exit;
    for (const worker of liveWorkers()) drain(worker);
    setTimeout(killAll, drainTimeoutMs + killGraceMs).unref();
  };

  const onExit = (worker: Worker, exit: number | null, signal: string | null) => {
    const hadStarted = listening.delete(worker);
    if (code === undefined) {
      const reason = signal ?? `exit code ${exit}`;
      if (!hadStarted) stopAll(exit ?? exitCode.failed);
      else if (isRestartAllowed(restarts)) {
        console.error(`Worker ${worker.process.pid} ended (${reason}); another one takes its place.`);
        startWorker();
      } else {
        console.error(
          `Worker ${worker.process.pid} ended (${reason}), after ${maxRestarts} others within a minute.`,
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

  const ignoreSignals = listenForStopSignals({
    onStop: () => stopAll(exitCode.success),
    onForcedStop: () => {
      killAll();
      process.exit(exitCode.failed);
    },
  });
  for (let index = 0; index < count; index++) startWorker();
  return ended;
}

function liveWorkers(): Worker[] {
  return Object.values(cluster.workers ?? {}).filter(
    (worker) => worker !== undefined && !worker.isDead(),
  ) as Worker[];
}

function drain(worker: Worker): void {
  // A worker that is about to die has no channel any more.
  if (worker.isConnected()) worker.send({ kind: 'tributary:drain' } satisfies DrainMessage, () => {});
}

function killAll(): void {
  for (const worker of liveWorkers()) worker.process.kill('SIGKILL');
}

/** Whether one more restart is within the limit; counts it. `restarts` holds the times of the last ones. */
function isRestartAllowed(restarts: number[]): boolean {
  const now = performance.now();
  while (restarts[0] !== undefined && now - restarts[0] > restartWindowMs) restarts.shift();
  restarts.push(now);
  return restarts.length <= maxRestarts;
}
