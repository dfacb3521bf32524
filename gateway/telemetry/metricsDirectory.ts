import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { resolveInSlices } from '../time/slicedTask.ts';
import { mergeMetrics } from './mergeMetrics.ts';
import { type MetricsSnapshot, parseMetrics, stringifyMetrics } from './metricsSnapshot.ts';
import { limitOperations } from './operationLabels.ts';

/** The metrics of one worker. */
export interface WorkerSnapshot {
  /** Greater for newer counts. */
  readonly sequence: number;
  readonly metrics: MetricsSnapshot;
}

/** The counts of workers that have ended, together. */
interface EndedWorkers {
  readonly workers: readonly string[];
  readonly metrics: MetricsSnapshot;
}

/** The last known counts of each worker, in files of a directory that all workers share: they stay in the sum when the
 *  worker has ended. The name of a file has a number that grows, so that no writer replaces newer counts by older ones. */
export class MetricsDirectory {
  readonly #directory: string;
  readonly #maxOperations: number;
  /** Ends with the last call of `fold`. Never rejects. */
  #folding = Promise.resolve();

  /** `maxOperations`: how many names of operations the counts of all workers that have ended may have together, where
   *  clients choose the names. */
  constructor(directory: string, maxOperations = Number.POSITIVE_INFINITY) {
    this.#directory = directory;
    this.#maxOperations = maxOperations;
  }

  /** Stores the counts of a worker. `snapshot`: the text of its `WorkerSnapshot` with this `sequence`. */
  async write(worker: string, sequence: number, snapshot: string): Promise<void> {
    await this.#write(`worker-${worker}-${sequence}.json`, snapshot);
    const older = (await this.#list()).workers.filter(
      (file) => file.worker === worker && file.sequence < sequence,
    );
    await Promise.all(older.map(({ name }) => this.#remove(name)));
  }

  /** The counts of all workers except these. */
  async read(except: ReadonlySet<string>): Promise<readonly MetricsSnapshot[]> {
    for (let attempt = 0; ; attempt++) {
      try {
        const { ended, workers } = await this.#list();
        const together = await this.#readEnded(ended?.name);
        const skipped = new Set([...except, ...together.workers]);
        const latest = latestOf(workers.filter(({ worker }) => !skipped.has(worker)));
        const files = await Promise.all(latest.map(({ name }) => this.#readWorker(name)));
        return [together.metrics, ...files];
      } catch (error) {
        // A file was replaced meanwhile.
        if (attempt === 3 || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
  }

  /** Adds the counts of a worker that has ended to those of all others that have. To be called by one process only. */
  fold(worker: string): Promise<void> {
    // Each call replaces the file of the one before.
    const folded = this.#folding.then(() => this.#fold(worker));
    this.#folding = folded.catch(() => {});
    return folded;
  }

  async #fold(worker: string): Promise<void> {
    const { ended, workers } = await this.#list();
    const together = await this.#readEnded(ended?.name);
    const [latest] = latestOf(workers.filter((file) => file.worker === worker));
    if (latest === undefined || together.workers.includes(worker)) return;
    const both = [together.metrics, await this.#readWorker(latest.name)];
    const merging = mergeMetrics(limitOperations(both, this.#maxOperations));
    const metrics = await (await resolveInSlices(merging)).getMetricsAsJSON();
    const content: EndedWorkers = { workers: [...together.workers, worker], metrics };
    await this.#write(`ended-${(ended?.sequence ?? 0) + 1}.json`, await stringifyMetrics(content));
    // Readers that have listed the files before read them again.
    const old = workers.filter((file) => file.worker === worker).map(({ name }) => name);
    await Promise.all(
      [...old, ...(ended === undefined ? [] : [ended.name])].map((name) => this.#remove(name)),
    );
  }

  async #list() {
    const names = await readdir(this.#directory);
    const workers = names.flatMap((name) => {
      const [, worker = '', sequence] = /^worker-(\d+)-(\d+)\.json$/.exec(name) ?? [];
      return sequence === undefined ? [] : [{ name, worker, sequence: Number(sequence) }];
    });
    const ended = names.flatMap((name) => {
      const [, sequence] = /^ended-(\d+)\.json$/.exec(name) ?? [];
      return sequence === undefined ? [] : [{ name, sequence: Number(sequence) }];
    });
    return { workers, ended: ended.sort((a, b) => b.sequence - a.sequence)[0] };
  }

  async #readEnded(name: string | undefined): Promise<EndedWorkers> {
    return name === undefined ? { workers: [], metrics: [] } : ((await this.#read(name)) as EndedWorkers);
  }

  async #readWorker(name: string): Promise<MetricsSnapshot> {
    return countsOf(((await this.#read(name)) as WorkerSnapshot).metrics);
  }

  async #read(name: string): Promise<unknown> {
    return parseMetrics(await readFile(join(this.#directory, name)));
  }

  /** No reader sees a part of the file. */
  async #write(name: string, content: string): Promise<void> {
    const temporary = join(this.#directory, `${randomUUID()}.tmp`);
    try {
      await writeFile(temporary, content);
      await rename(temporary, join(this.#directory, name));
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {});
      throw error;
    }
  }

  #remove(name: string): Promise<void> {
    return rm(join(this.#directory, name), { force: true });
  }
}

/** The metrics that are still valid when the process has ended. Gauges are not. */
function countsOf(metrics: MetricsSnapshot): MetricsSnapshot {
  return metrics.filter(({ type }) => ['counter', 'histogram'].includes(String(type)));
}

function latestOf<File extends { readonly worker: string; readonly sequence: number }>(
  files: readonly File[],
): readonly File[] {
  const latest = new Map<string, File>();
  for (const file of files) {
    if (file.sequence > (latest.get(file.worker)?.sequence ?? -1)) latest.set(file.worker, file);
  }
  return [...latest.values()];
}
