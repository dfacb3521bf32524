import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AggregatorRegistry, type Registry } from 'prom-client';

/** Metrics as JSON. */
export type MetricsSnapshot = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

/** The counts of one worker. */
interface WorkerFile {
  readonly metrics: MetricsSnapshot;
}

/** The counts of workers that have ended, together. */
interface EndedWorkersFile extends WorkerFile {
  readonly workers: readonly string[];
}

/** Merges metrics of several processes: counts are added up, gauges by the `aggregator` of each. */
export function mergeMetrics(snapshots: readonly MetricsSnapshot[]): Registry {
  return AggregatorRegistry.aggregate(snapshots.map((snapshot) => [...snapshot]));
}

/** The last known counts of each worker, in files of a directory that all workers share: they stay in the sum when the
 *  worker has ended. The name of a file has a number that grows, so that no writer replaces newer counts by older ones. */
export class MetricsDirectory {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Stores the counts of a worker. `sequence`: greater for newer counts. */
  async write(worker: string, sequence: number, metrics: MetricsSnapshot): Promise<void> {
    await this.#write(`worker-${worker}-${sequence}.json`, { metrics: countsOf(metrics) });
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
        const files = await Promise.all(latest.map(({ name }) => this.#read<WorkerFile>(name)));
        return [together, ...files].map(({ metrics }) => metrics);
      } catch (error) {
        // A file was replaced meanwhile.
        if (attempt === 3 || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
  }

  /** Adds the counts of a worker that has ended to those of all others that have. To be called by one process only. */
  async fold(worker: string): Promise<void> {
    const { ended, workers } = await this.#list();
    const together = await this.#readEnded(ended?.name);
    const [latest] = latestOf(workers.filter((file) => file.worker === worker));
    if (latest === undefined || together.workers.includes(worker)) return;
    const { metrics } = await this.#read<WorkerFile>(latest.name);
    await this.#write(`ended-${(ended?.sequence ?? 0) + 1}.json`, {
      workers: [...together.workers, worker],
      metrics: await mergeMetrics([together.metrics, metrics]).getMetricsAsJSON(),
    });
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

  async #readEnded(name: string | undefined): Promise<EndedWorkersFile> {
    return name === undefined ? { workers: [], metrics: [] } : this.#read<EndedWorkersFile>(name);
  }

  async #read<Content>(name: string): Promise<Content> {
    return JSON.parse(await readFile(join(this.#directory, name), 'utf8')) as Content;
  }

  /** No reader sees a part of the file. */
  async #write(name: string, content: WorkerFile | EndedWorkersFile): Promise<void> {
    const temporary = join(this.#directory, `${randomUUID()}.tmp`);
    await writeFile(temporary, JSON.stringify(content));
    await rename(temporary, join(this.#directory, name));
  }

  #remove(name: string): Promise<void> {
    return rm(join(this.#directory, name), { force: true });
  }
}

/** What stays true when the process has ended: not its gauges. */
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
