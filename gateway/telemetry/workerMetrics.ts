import { messageOf } from '../errors.ts';
import { resolveInSlices } from '../time/slicedTask.ts';
import { mergeMetrics } from './mergeMetrics.ts';
import { MetricsDirectory, type WorkerSnapshot } from './metricsDirectory.ts';
import { type MetricsSnapshot, parseMetrics, stringifyMetrics } from './metricsSnapshot.ts';
import { ProblemLog, type ProblemLogOptions } from './problemLog.ts';
import { writeMetrics } from './writeMetrics.ts';

/** The other processes that share the port of this one. */
export interface OtherWorkers {
  readonly worker: { readonly name: string; readonly directory: string };
  handle(name: string, handler: (body: string) => Promise<string>): void;
  /** `only`: the names of the workers to call; all when omitted. */
  callOthers(name: string, body?: string, only?: ReadonlySet<string>): Promise<WorkerAnswers>;
}

export interface WorkerAnswers {
  /** By worker. */
  readonly answers: ReadonlyMap<string, string>;
  /** How many workers are there, but did not answer in time. */
  readonly silent: number;
}

export interface WorkerMetricsOptions extends Pick<ProblemLogOptions, 'log' | 'now'> {
  readonly workers: OtherWorkers;
}

/** The metrics of all workers together. What a scrape has counted is stored, so that no later scrape, of whichever worker,
 *  counts less. */
export class WorkerMetrics {
  readonly #workers: OtherWorkers;
  readonly #readOwn: () => Promise<MetricsSnapshot>;
  readonly #directory: MetricsDirectory;
  readonly #problems: ProblemLog<'metrics'>;
  #sequence = 0;

  constructor({ workers, log, now }: WorkerMetricsOptions, readOwn: () => Promise<MetricsSnapshot>) {
    this.#workers = workers;
    this.#readOwn = readOwn;
    this.#directory = new MetricsDirectory(workers.worker.directory);
    const message = 'The metrics of the workers cannot be stored: the counts of a worker that ends are lost';
    this.#problems = new ProblemLog({ log, now, message });
    workers.handle('metrics', async () => stringifyMetrics(await this.#take()));
  }

  /** The metrics of all workers in Prometheus' text format. */
  async text(): Promise<string> {
    const [own, { answers }] = await Promise.all([this.#take(), this.#workers.callOthers('metrics')]);
    const { name } = this.#workers.worker;
    const snapshots = new Map([[name, own]]);
    const stored = [this.#store(name, own.sequence, await stringifyMetrics(own))];
    for (const [worker, answer] of answers) {
      const snapshot = (await parseMetrics(Buffer.from(answer))) as WorkerSnapshot;
      snapshots.set(worker, snapshot);
      stored.push(this.#store(worker, snapshot.sequence, answer));
    }
    await Promise.all(stored);
    const others = await this.#directory.read(new Set(snapshots.keys()));
    const all = [...Array.from(snapshots.values(), ({ metrics }) => metrics), ...others];
    return writeMetrics(await resolveInSlices(mergeMetrics(all)));
  }

  /** Stores the final counts of this worker. */
  async close(): Promise<void> {
    const own = await this.#take();
    // The supervisor was killed, and the directory is removed.
    await this.#directory
      .write(this.#workers.worker.name, own.sequence, await stringifyMetrics(own))
      .catch(() => undefined);
  }

  /** Never rejects: without space on the disk, a scrape still has the counts of the workers that run. */
  #store(worker: string, sequence: number, snapshot: string): Promise<void> {
    const { directory } = this.#workers.worker;
    return this.#directory
      .write(worker, sequence, snapshot)
      .catch((error: unknown) => this.#problems.report('metrics', messageOf(error), { directory }));
  }

  async #take(): Promise<WorkerSnapshot> {
    const metrics = await this.#readOwn();
    this.#sequence += 1;
    return { sequence: this.#sequence, metrics };
  }
}
