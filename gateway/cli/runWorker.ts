import type { GatewayConfig } from '../config/schema.ts';
import { runGateway } from './runGateway.ts';
import { Shutdown } from './shutdown.ts';
import { isWorkerMessage, type MessageFromWorker } from './workerMessages.ts';
import { withWorkerPorts } from './workerPorts.ts';
import { readWorkerIdentity } from './workersDirectory.ts';

/** Runs the gateway in a worker process until the supervisor, or a SIGTERM to this process, shuts it down. SIGINT and
 *  SIGHUP are ignored, because a terminal sends them to the supervisor too. When the supervisor exits, Node's cluster
 *  module ends the worker. Resolves with the exit code. `onReady`: called when the first supergraph is in use. */
export async function runWorker(config: GatewayConfig, onReady: () => void): Promise<number> {
  const shutdown = new Shutdown(config.listen.shutdownDelay);
  const mayListenUnready = Promise.withResolvers<void>();
  process.on('SIGINT', () => {}).on('SIGHUP', () => {});
  process.on('SIGTERM', () => shutdown.request());
  process.on('message', (message) => {
    if (!isWorkerMessage(message)) return;
    if (message.kind === 'tributary:listen') mayListenUnready.resolve();
    if (message.kind === 'tributary:announce') shutdown.request();
    if (message.kind === 'tributary:drain') shutdown.skipDelay();
  });
  return runGateway(withWorkerPorts(config), shutdown, {
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
  process.send?.(message);
}
