import type { GatewayConfig } from '../config/schema.ts';
import { runGateway } from './runGateway.ts';
import { Shutdown } from './shutdown.ts';
import { isForOtherListener } from './stopSignals.ts';
import { isWorkerMessage, type MessageFromWorker } from './workerMessages.ts';
import { withWorkerPorts } from './workerPorts.ts';
import { readWorkerIdentity } from './workersDirectory.ts';

/** Runs the gateway in a worker process until the supervisor, or a SIGTERM or SIGUSR2 to this process, shuts it down.
 *  SIGINT and SIGHUP are ignored, because a terminal sends them to the supervisor too. When the supervisor exits, Node's
 *  cluster module ends the worker. Resolves with the exit code. `onReady`: called when the first supergraph is in use. */
export async function runWorker(configFile: string | undefined, onReady: () => void): Promise<number> {
  const configuration = Promise.withResolvers<GatewayConfig>();
  const mayListenUnready = Promise.withResolvers<void>();
  let shutdown = new Shutdown(0);
  process.on('SIGINT', () => {}).on('SIGHUP', () => {});
  process.on('message', (message) => {
    if (!isWorkerMessage(message)) return;
    // The first message. Others may be handled before the promise has called what waits for it.
    if (message.kind === 'tributary:configuration') {
      shutdown = new Shutdown(message.config.listen.shutdownDelay);
      configuration.resolve(message.config);
    }
    if (message.kind === 'tributary:ping') report({ kind: 'tributary:pong' });
    if (message.kind === 'tributary:listen') mayListenUnready.resolve();
    if (message.kind === 'tributary:announce') shutdown.request();
    if (message.kind === 'tributary:drain') shutdown.skipDelay();
  });
  report({ kind: 'tributary:started' });
  const config = await configuration.promise;
  const stop = (signal: NodeJS.Signals) => {
    if (!isForOtherListener(signal)) shutdown.request();
  };
  process.on('SIGTERM', stop).on('SIGUSR2', stop);
  return runGateway(withWorkerPorts(config), shutdown, {
    configFile,
    onReady: () => {
      onReady();
      report({ kind: 'tributary:ready' });
    },
    onListening: ({ url, adminUrl }) => report({ kind: 'tributary:listening', url, adminUrl }),
    // The other workers serve meanwhile: they must not be reported as not ready.
    onFatalError: () => shutdown.skipDelay(),
    dependencies: {
      worker: readWorkerIdentity(),
      waitToListenUnready: () => {
        report({ kind: 'tributary:waiting' });
        return mayListenUnready.promise;
      },
    },
  });
}

function report(message: MessageFromWorker): void {
  // Without a supervisor this fails, and Node's cluster module is about to end the worker.
  process.send?.(message, undefined, undefined, () => {});
}
