import type { EnrichmentPriority } from '../../operation/enrichmentRule.ts';
import { TransientMap } from '../../sharing/transientMap.ts';
import type { EnrichmentJob } from '../enrichmentJob.ts';
import type { UnfinishedJobRun } from './jobRun.ts';
import { JobRunner, type JobRunnerDependencies } from './jobRunner.ts';

/** The priorities of the jobs that a new job can evict, in order: never a more important one. */
const evictable: Readonly<Record<EnrichmentPriority, readonly EnrichmentPriority[]>> = {
  CRITICAL: ['BACKGROUND', 'NORMAL'],
  NORMAL: ['BACKGROUND', 'NORMAL'],
  BACKGROUND: ['BACKGROUND'],
};

interface JobPoolLimits {
  readonly maxRuns: number;
  /** Maximum size of their jobs together. */
  readonly maxBytes: number;
}

/** The unfinished job runs of one process, bounded. */
export class JobPool {
  readonly #dependencies: JobRunnerDependencies;
  readonly #limits: JobPoolLimits;
  readonly #runners = new TransientMap<string, JobRunner>();
  readonly #byJobId = new TransientMap<string, JobRunner>();
  /** Runners between two attempts, the longest waiting first. */
  readonly #waiting = {
    CRITICAL: new Set<JobRunner>(),
    NORMAL: new Set<JobRunner>(),
    BACKGROUND: new Set<JobRunner>(),
  } satisfies Record<EnrichmentPriority, Set<JobRunner>>;
  readonly #onceIdle: (() => void)[] = [];
  #bytes = 0;

  constructor(limits: JobPoolLimits, dependencies: Omit<JobRunnerDependencies, 'onStateChange' | 'onEnd'>) {
    this.#limits = limits;
    this.#dependencies = {
      ...dependencies,
      onStateChange: (runner) => this.#updateWaiting(runner),
      onEnd: (runner) => this.#remove(runner),
    };
  }

  get size(): number {
    return this.#runners.size;
  }

  /** How long the oldest run has been in this process, in milliseconds; 0 without a run. */
  get oldestAgeMs(): number {
    const [oldest] = this.#runners.values();
    return oldest === undefined ? 0 : this.#dependencies.timers.now() - oldest.startedAt;
  }

  has(runId: string): boolean {
    return this.#runners.get(runId) !== undefined;
  }

  /** The newest run of an equal job. */
  findEqual(jobId: string): JobRunner | undefined {
    return this.#byJobId.get(jobId);
  }

  /** Makes room for a job: evicts the longest waiting runs that are not more important, background jobs first. Returns
   *  false, and evicts none, if that would not be enough. */
  makeRoom({ priority, size }: Pick<EnrichmentJob, 'priority' | 'size'>): boolean {
    const { maxRuns, maxBytes } = this.#limits;
    let [runs, bytes] = [this.#runners.size + 1, this.#bytes + size];
    const hasRoom = (): boolean => runs <= maxRuns && bytes <= maxBytes;
    const victims: JobRunner[] = [];
    for (const runner of this.#evictableFor(priority)) {
      if (hasRoom()) break;
      victims.push(runner);
      runs -= 1;
      bytes -= runner.job.size;
    }
    if (!hasRoom()) return false;
    for (const victim of victims) victim.drop('evicted');
    return true;
  }

  add(run: UnfinishedJobRun): JobRunner {
    const runner = new JobRunner(run, this.#dependencies);
    this.#runners.set(runner.id, runner);
    this.#bytes += runner.job.size;
    this.#byJobId.set(runner.job.id, runner);
    return runner;
  }

  /** Resolves when no attempt is running. */
  whenIdle(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => this.#onceIdle.push(resolve));
  }

  /** Releases all runs. Returns the number of pending fields by coordinate. */
  releaseAll(): ReadonlyMap<string, number> {
    const pending = new Map<string, number>();
    for (const runner of [...this.#runners.values()]) {
      for (const { coordinate } of runner.pendingFields) {
        pending.set(coordinate, (pending.get(coordinate) ?? 0) + 1);
      }
      runner.release();
    }
    return pending;
  }

  get #isIdle(): boolean {
    const waiting = Object.values(this.#waiting).reduce((sum, { size }) => sum + size, 0);
    return this.#runners.size === waiting;
  }

  *#evictableFor(priority: EnrichmentPriority): Generator<JobRunner, void, void> {
    for (const victimPriority of evictable[priority]) yield* this.#waiting[victimPriority];
  }

  #updateWaiting(runner: JobRunner): void {
    const waiting = this.#waiting[runner.job.priority];
    if (runner.isWaiting) waiting.add(runner);
    else waiting.delete(runner);
    this.#notifyIfIdle();
  }

  #remove(runner: JobRunner): void {
    this.#runners.delete(runner.id);
    this.#bytes -= runner.job.size;
    if (this.#byJobId.get(runner.job.id) === runner) this.#byJobId.delete(runner.job.id);
    this.#waiting[runner.job.priority].delete(runner);
    this.#notifyIfIdle();
  }

  #notifyIfIdle(): void {
    if (!this.#isIdle) return;
    for (const resolve of this.#onceIdle.splice(0)) resolve();
  }
}
