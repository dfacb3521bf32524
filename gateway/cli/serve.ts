import cluster from 'node:cluster';
import { availableParallelism } from 'node:os';
import { type ConfigOverrides, loadConfig } from '../config/loadConfig.ts';
import type { GatewayConfig } from '../config/schema.ts';
import { printAddresses } from './addresses.ts';
import { exitCode } from './exitCode.ts';
import { runGateway } from './runGateway.ts';
import { runWorker } from './runWorker.ts';
import { Shutdown, shutDownAtStopSignals } from './shutdown.ts';
import { superviseWorkers } from './superviseWorkers.ts';
import { collectAloneOnOneCore, restartWithYoungGeneration } from './youngGeneration.ts';

export interface ServeOptions extends ConfigOverrides {
  readonly config?: string | undefined;
}

/** Runs the gateway until a stop signal arrives. Resolves with the exit code. */
export async function serve({ config: file, ...overrides }: ServeOptions): Promise<number> {
  const config = loadConfig({ file, overrides, env: process.env });
  collectAloneOnOneCore();
  if (cluster.isWorker) return runWorker(config);
  const workers = config.workers === 'auto' ? availableParallelism() : config.workers;
  if (workers > 1) return superviseWorkers(workers, config);
  restartWithYoungGeneration();
  return serveInProcess(config);
}

/** Runs the gateway in this process until a stop signal arrives and it is drained. */
async function serveInProcess(config: GatewayConfig): Promise<number> {
  const shutdown = new Shutdown(config.listen.shutdownDelay);
  const removeSignalListeners = shutDownAtStopSignals(shutdown, () => process.exit(exitCode.failed));
  try {
    return await runGateway(config, shutdown, {
      onListening: printAddresses,
      onFatalError: () => shutdown.request(),
    });
  } finally {
    removeSignalListeners();
  }
}
