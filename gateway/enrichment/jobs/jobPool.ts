import type { EnrichmentPriority } from '../../operation/enrichmentRule.ts';
import type { EnrichmentJob } from '../enrichmentJob.ts';
import { JobRunner, type JobRunnerDependencies } from './jobRunner.ts';
import type { ResumableJobRun } from './jobStore.ts';

/** Who may be dropped for whom: nobody for something less important. */
const evictable: Readonly<Record<EnrichmentPriority, readonly EnrichmentPriority[]>> = {
  CRITICAL: ['BACKGROUND', 'NORMAL'],
  NORMAL: ['BACKGROUND', 'NORMAL'],
  BACKGROUND: ['BACKGROUND'],
};

interface JobPoolLimits {
  /** Most works. */
  readonly maxRuns: number;
  /** Most bytes of their jobs. */
  readonly maxBytes: number;
}

/** The works of one process, bounded. */
export class JobPool {
  readonly #dependencies: JobRunnerDependencies;
  readonly #limits: JobPoolLimits;
  readonly #runners = new Map<string, JobRunner>();
  readonly #byJobId = new Map<string, JobRunner>();
  /** Those between two attempts, by how long they have been there. */
  readonly #waiting = {
    CRITICAL: new Set<JobRunner>(),
    NORMAL: new Set<JobRunner>(),
    BACKGROUND: new Set<JobRunner>(),
  } satisfies Record<EnrichmentPriority, Set<JobRunner>>;
  readonly #onceIdle: (() => void)[] = [];
  #bytes = 0;

  constructor(bounds: JobPoolLimits, parts: Omit<JobRunnerDependencies, 'onWaitingChange' | 'onEnd'>) {
    this.#limits = bounds;
    this.#dependencies = {
      ...parts,
      onWaitingChange: (work) => this.#updateWaiting(work),
      onEnd: (work) => this.#remove(work),
    };
  }

  get size(): number {
    return this.#runners.size;
  }

  has(workId: string): boolean {
    return this.#runners.has(workId);
  }

  /** Id of the work for an equal job. */
  findEqual(jobId: string): string | undefined {
    return this.#byJobId.get(jobId)?.id;
  }

  /** Whether there is room for a job, if need be by dropping the oldest that wait and are not more important: background
   *  ones first. Where even that would not be enough, none is dropped. */
  makeRoom({ priority, size }: Pick<EnrichmentJob, 'priority' | 'size'>): boolean {
    const { maxRuns, maxBytes } = this.#limits;
    let [works, bytes] = [this.#runners.size + 1, this.#bytes + size];
    const isRoom = (): boolean => works <= maxRuns && bytes <= maxBytes;
    const victims: JobRunner[] = [];
    for (const oldest of this.#evictableFor(priority)) {
      if (isRoom()) break;
      victims.push(oldest);
      works -= 1;
      bytes -= oldest.job.size;
    }
    if (!isRoom()) return false;
    for (const victim of victims) victim.drop('no room');
    return true;
  }

  add(work: Omit<ResumableJobRun, 'resumedFrom'>): JobRunner {
    const added = new JobRunner(work, this.#dependencies);
    this.#runners.set(added.id, added);
    this.#bytes += added.job.size;
    this.#byJobId.set(added.job.id, added);
    return added;
  }

  /** Resolves when no attempt is under way. */
  whenIdle(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => this.#onceIdle.push(resolve));
  }

  /** Lets go of all. Returns how many places had no result yet, by the coordinates of their fields. */
  releaseAll(): ReadonlyMap<string, number> {
    const left = new Map<string, number>();
    for (const work of [...this.#runners.values()]) {
      for (const { coordinate } of work.pendingFields) left.set(coordinate, (left.get(coordinate) ?? 0) + 1);
      work.release();
    }
    return left;
  }

  get #isIdle(): boolean {
    const waiting = Object.values(this.#waiting).reduce((sum, { size }) => sum + size, 0);
    return this.#runners.size === waiting;
  }

  *#evictableFor(priority: EnrichmentPriority): Generator<JobRunner, void, void> {
    for (const victims of evictable[priority]) yield* this.#waiting[victims];
  }

  #updateWaiting(work: JobRunner): void {
    const waiting = this.#waiting[work.job.priority];
    if (work.isWaiting) waiting.add(work);
    else waiting.delete(work);
    this.#notifyIfIdle();
  }

  #remove(work: JobRunner): void {
    this.#runners.delete(work.id);
    this.#bytes -= work.job.size;
    if (this.#byJobId.get(work.job.id) === work) this.#byJobId.delete(work.job.id);
    this.#waiting[work.job.priority].delete(work);
    this.#notifyIfIdle();
  }

  #notifyIfIdle(): void {
    if (!this.#isIdle) return;
    for (const resolve of this.#onceIdle.splice(0)) resolve();
  }
}
