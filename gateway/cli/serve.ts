import cluster from 'node:cluster';
import { availableParallelism } from 'node:os';
import { type ConfigOverrides, loadConfig } from '../config/loadConfig.ts';
import { runWorker } from './runWorker.ts';
import { serveInProcess } from './serveInProcess.ts';
import { superviseWorkers } from './superviseWorkers.ts';
import { restartWithYoungGeneration } from './youngGeneration.ts';

export interface ServeOptions extends ConfigOverrides {
  readonly config?: string | undefined;
}

/** Runs the gateway until it is told to stop; resolves with the exit code. */
export async function serve({ config: file, ...overrides }: ServeOptions): Promise<number> {
  const config = loadConfig({ file, overrides, env: process.env });
  if (cluster.isWorker) return runWorker(config);
  const workers = config.workers === 'auto' ? availableParallelism() : config.workers;
  if (workers > 1) return superviseWorkers(workers, config.listen.drainTimeout);
  restartWithYoungGeneration();
  return serveInProcess(config);
}
