import type { GatewayConfig } from '../config/schema.ts';
import type { Addresses } from './addresses.ts';
import { exitCode } from './exitCode.ts';
import { runGateway } from './runGateway.ts';
import { type DrainMessage, isWorkerMessage, type ListeningMessage } from './workerMessages.ts';
import { readWorkerIdentity } from './workersDirectory.ts';

/** The gateway in one of several processes, until the supervisor says that it shall drain; a SIGTERM to this
 *  process alone does the same. SIGINT is left to the supervisor, since a terminal sends it to all of them.
 *  When the supervisor is gone, Node's cluster module ends the process by itself. */
export async function runWorker(config: GatewayConfig): Promise<number> {
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  process.on('SIGINT', () => {});
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
