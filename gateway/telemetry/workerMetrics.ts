import { MetricsDirectory, type MetricsSnapshot, mergeMetrics } from './metricsDirectory.ts';
import { writeMetrics } from './writeMetrics.ts';

/** The other processes that share the port of this one. */
export interface OtherWorkers {
  readonly worker: { readonly name: string; readonly directory: string };
  handle(name: string, handler: (body: string) => Promise<string>): void;
  callOthers(name: string, body?: string): Promise<WorkerAnswers>;
}

export interface WorkerAnswers {
  /** By worker. */
  readonly answers: ReadonlyMap<string, string>;
  /** How many workers are there, but did not answer in time. */
  readonly silent: number;
}

interface NumberedSnapshot {
  readonly sequence: number;
  readonly metrics: MetricsSnapshot;
}

/** The metrics of all workers together. What a scrape has counted is stored, so that no later scrape, of whichever worker,
 *  counts less. */
export class WorkerMetrics {
  readonly #workers: OtherWorkers;
  readonly #readOwn: () => Promise<MetricsSnapshot>;
  readonly #directory: MetricsDirectory;
  #sequence = 0;

  constructor(workers: OtherWorkers, readOwn: () => Promise<MetricsSnapshot>) {
    this.#workers = workers;
    this.#readOwn = readOwn;
    this.#directory = new MetricsDirectory(workers.worker.directory);
    workers.handle('metrics', async () => JSON.stringify(await this.#take()));
  }

  /** The metrics of all workers in Prometheus' text format. */
  async text(): Promise<string> {
    const [own, { answers }] = await Promise.all([this.#take(), this.#workers.callOthers('metrics')]);
    const snapshots = new Map([[this.#workers.worker.name, own]]);
    for (const [worker, answer] of answers) snapshots.set(worker, JSON.parse(answer) as NumberedSnapshot);
    await Promise.all(Array.from(snapshots, ([worker, snapshot]) => this.#store(worker, snapshot)));
    const others = await this.#directory.read(new Set(snapshots.keys()));
    const merged = mergeMetrics([...Array.from(snapshots.values(), ({ metrics }) => metrics), ...others]);
    return writeMetrics(merged);
  }

  /** Stores the final counts of this worker. */
  async close(): Promise<void> {
    // The supervisor was killed, and the directory is removed.
    await this.#store(this.#workers.worker.name, await this.#take()).catch(() => undefined);
  }

  async #take(): Promise<NumberedSnapshot> {
    const metrics = await this.#readOwn();
    this.#sequence += 1;
    return { sequence: this.#sequence, metrics };
  }

  #store(worker: string, { sequence, metrics }: NumberedSnapshot): Promise<void> {
    return this.#directory.write(worker, sequence, metrics);
  }
}
