import type { GatewayConfig } from '../config/schema.ts';
import type { Addresses } from './addresses.ts';
import { exitCode } from './exitCode.ts';
import { runGateway } from './runGateway.ts';
import { type DrainMessage, isWorkerMessage, type ListeningMessage } from './workerMessages.ts';
import { readWorkerIdentity } from './workersDirectory.ts';

/** Runs the gateway in a worker process until the supervisor sends a drain message, or this process receives SIGTERM.
 *  SIGINT and SIGHUP are ignored, because a terminal sends them to the supervisor too. When the supervisor exits, Node's cluster module
 *  ends the worker. */
export async function runWorker(config: GatewayConfig): Promise<number> {
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  process.on('SIGINT', () => {}).on('SIGHUP', () => {});
  process.on('SIGTERM', () => stop());
  process.on('message', (message) => {
    if (isWorkerMessage<DrainMessage>(message, 'tributary:drain')) stop();
  });
  const onListening = ({ url, adminUrl }: Addresses): void => {
    process.send?.({ kind: 'tributary:listening', url, adminUrl } satisfies ListeningMessage);
  };
  await runGateway(config, stopped, onListening, { worker: readWorkerIdentity() });
  return exitCode.success;
}
