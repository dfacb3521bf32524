import type { GatewayConfig } from '../config/schema.ts';
import type { Addresses } from './addresses.ts';
import { exitCode } from './exitCode.ts';
import { runGateway } from './runGateway.ts';
import { Shutdown } from './shutdown.ts';
import {
  type AnnounceMessage,
  type DrainMessage,
  isWorkerMessage,
  type ListeningMessage,
} from './workerMessages.ts';
import { readWorkerIdentity } from './workersDirectory.ts';

/** Runs the gateway in a worker process until the supervisor, or a SIGTERM to this process, shuts it down. SIGINT and
 *  SIGHUP are ignored, because a terminal sends them to the supervisor too. When the supervisor exits, Node's cluster module ends the
 *  worker. */
export async function runWorker(config: GatewayConfig): Promise<number> {
  const shutdown = new Shutdown(config.listen.shutdownDelay);
  process.on('SIGINT', () => {}).on('SIGHUP', () => {});
  process.on('SIGTERM', () => shutdown.request());
  process.on('message', (message) => {
    if (isWorkerMessage<AnnounceMessage>(message, 'tributary:announce')) shutdown.request();
    if (isWorkerMessage<DrainMessage>(message, 'tributary:drain')) shutdown.skipDelay();
  });
  const onListening = ({ url, adminUrl }: Addresses): void => {
    process.send?.({ kind: 'tributary:listening', url, adminUrl } satisfies ListeningMessage);
  };
  await runGateway(config, shutdown, onListening, { worker: readWorkerIdentity() });
  return exitCode.success;
}
