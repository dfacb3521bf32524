import type { EnrichmentPriority } from '../enrichmentRule.ts';
import { JobWork, type JobWorkParts } from './jobWork.ts';
import type { OpenWork } from './lateStore.ts';

/** Who may be dropped for whom: nobody for something less important. */
const droppable: Readonly<Record<EnrichmentPriority, readonly EnrichmentPriority[]>> = {
  CRITICAL: ['BACKGROUND', 'NORMAL'],
  NORMAL: ['BACKGROUND', 'NORMAL'],
  BACKGROUND: ['BACKGROUND'],
};

/** The works of one process, bounded. */
export class WorkPool {
  readonly #parts: JobWorkParts;
  readonly #most: number;
  readonly #works = new Map<string, JobWork>();
  readonly #byJob = new Map<string, JobWork>();
  /** Those between two attempts, by how long they have been there. */
  readonly #waiting = {
    CRITICAL: new Set<JobWork>(),
    NORMAL: new Set<JobWork>(),
    BACKGROUND: new Set<JobWork>(),
  } satisfies Record<EnrichmentPriority, Set<JobWork>>;
  readonly #untilQuiet: (() => void)[] = [];

  constructor(most: number, parts: Omit<JobWorkParts, 'onWaiting' | 'onEnd'>) {
    this.#most = most;
    this.#parts = {
      ...parts,
      onWaiting: (work) => this.#noteWaiting(work),
      onEnd: (work) => this.#remove(work),
    };
  }

  get size(): number {
    return this.#works.size;
  }

  has(workId: string): boolean {
    return this.#works.has(workId);
  }

  /** Id of the work for an equal job. */
  equalTo(jobId: string): string | undefined {
    return this.#byJob.get(jobId)?.id;
  }

  /** Whether there is room for one more, if need be by dropping the oldest that waits and is not more important:
   *  background ones first. */
  makeRoom(priority: EnrichmentPriority): boolean {
    if (this.#works.size < this.#most) return true;
    for (const victims of droppable[priority]) {
      const [oldest] = this.#waiting[victims];
      if (oldest === undefined) continue;
      oldest.drop('no room');
      return true;
    }
    return false;
  }

  add(work: Omit<OpenWork, 'from'>): JobWork {
    const added = new JobWork(work, this.#parts);
    this.#works.set(added.id, added);
    this.#byJob.set(added.job.id, added);
    return added;
  }

  /** Resolves when no attempt is under way. */
  quiet(): Promise<void> {
    if (this.#isQuiet) return Promise.resolve();
    return new Promise((resolve) => this.#untilQuiet.push(resolve));
  }

  /** Lets go of all. Returns how many places had no result yet, by the coordinates of their fields. */
  leaveAll(): ReadonlyMap<string, number> {
    const left = new Map<string, number>();
    for (const work of [...this.#works.values()]) {
      for (const { coordinate } of work.missing) left.set(coordinate, (left.get(coordinate) ?? 0) + 1);
      work.leave();
    }
    return left;
  }

  get #isQuiet(): boolean {
    const waiting = Object.values(this.#waiting).reduce((sum, { size }) => sum + size, 0);
    return this.#works.size === waiting;
  }

  #noteWaiting(work: JobWork): void {
    const waiting = this.#waiting[work.job.priority];
    if (work.isWaiting) waiting.add(work);
    else waiting.delete(work);
    this.#tellQuiet();
  }

  #remove(work: JobWork): void {
    this.#works.delete(work.id);
    if (this.#byJob.get(work.job.id) === work) this.#byJob.delete(work.job.id);
    this.#waiting[work.job.priority].delete(work);
    this.#tellQuiet();
  }

  #tellQuiet(): void {
    if (!this.#isQuiet) return;
    for (const resolve of this.#untilQuiet.splice(0)) resolve();
  }
}
