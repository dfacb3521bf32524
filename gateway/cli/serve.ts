import cluster from 'node:cluster';
import { type ConfigOverrides, loadConfig } from '../config/loadConfig.ts';
import type { GatewayConfig } from '../config/schema.ts';
import { createConfiguredLogger } from '../telemetry/logger.ts';
import { availableCores } from './availableCores.ts';
import { shareSmallBlocks } from './bufferPool.ts';
import { exitCode } from './exitCode.ts';
import { keepIdleHeap } from './idleHeap.ts';
import { printAddresses } from './printAddresses.ts';
import { runGateway } from './runGateway.ts';
import { runWorker } from './runWorker.ts';
import { forcedStopMessage, Shutdown, shutDownAtStopSignals } from './shutdown.ts';
import { collectAloneOnOneCore } from './singleCore.ts';
import { superviseWorkers } from './superviseWorkers.ts';
import { adaptYoungCollections } from './youngCollections.ts';
import {
  createObjectsInYoungGeneration,
  growYoungGenerationAtOnce,
  limitYoungGenerationOfThreads,
  restartWithYoungGeneration,
} from './youngGeneration.ts';

interface ServeOptions extends ConfigOverrides {
  readonly config?: string | undefined;
}

/** Runs the gateway until a stop signal arrives. Resolves with the exit code. `onReady`: called when the first supergraph is
 *  in use, in a process that serves requests. */
export async function serve(
  { config: file, ...overrides }: ServeOptions,
  onReady: () => void,
): Promise<number> {
  tuneMemory();
  if (cluster.isWorker) return runWorker(file, onReady);
  const config = loadConfig({ file, overrides, env: process.env });
  const workers = config.workers === 'auto' ? availableCores() : config.workers;
  if (workers > 1) return superviseWorkers(workers, config);
  restartWithYoungGeneration();
  return serveInProcess(config, file, onReady);
}

/** Sets how Node and V8 use the memory of a server. Each function says why. */
function tuneMemory(): void {
  createObjectsInYoungGeneration();
  growYoungGenerationAtOnce();
  limitYoungGenerationOfThreads();
  keepIdleHeap();
  shareSmallBlocks();
  collectAloneOnOneCore();
  adaptYoungCollections();
}

/** Runs the gateway in this process until a stop signal arrives and it is drained. */
async function serveInProcess(
  config: GatewayConfig,
  configFile: string | undefined,
  onReady: () => void,
): Promise<number> {
  const shutdown = new Shutdown(config.listen.shutdownDelay);
  const logger = await createConfiguredLogger(config.telemetry);
  const removeSignalListeners = shutDownAtStopSignals(shutdown, () => {
    logger.warn(forcedStopMessage);
    process.exit(exitCode.failed);
  });
  try {
    return await runGateway(config, shutdown, {
      configFile,
      onListening: printAddresses,
      onReady,
      onFatalError: () => shutdown.request(),
      dependencies: { logger },
    });
  } finally {
    removeSignalListeners();
  }
}
