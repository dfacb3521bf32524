import type { EnrichmentJob } from '../enrichmentJob.ts';
import type { EnrichmentPriority } from '../enrichmentRule.ts';
import { JobWork, type JobWorkParts } from './jobWork.ts';
import type { OpenWork } from './lateStore.ts';

/** Who may be dropped for whom: nobody for something less important. */
const droppable: Readonly<Record<EnrichmentPriority, readonly EnrichmentPriority[]>> = {
  CRITICAL: ['BACKGROUND', 'NORMAL'],
  NORMAL: ['BACKGROUND', 'NORMAL'],
  BACKGROUND: ['BACKGROUND'],
};

export interface WorkPoolBounds {
  /** Most works. */
  readonly most: number;
  /** Most bytes of their jobs. */
  readonly mostBytes: number;
}

/** The works of one process, bounded. */
export class WorkPool {
  readonly #parts: JobWorkParts;
  readonly #bounds: WorkPoolBounds;
  readonly #works = new Map<string, JobWork>();
  readonly #byJob = new Map<string, JobWork>();
  /** Those between two attempts, by how long they have been there. */
  readonly #waiting = {
    CRITICAL: new Set<JobWork>(),
    NORMAL: new Set<JobWork>(),
    BACKGROUND: new Set<JobWork>(),
  } satisfies Record<EnrichmentPriority, Set<JobWork>>;
  readonly #untilQuiet: (() => void)[] = [];
  #bytes = 0;

  constructor(bounds: WorkPoolBounds, parts: Omit<JobWorkParts, 'onWaiting' | 'onEnd'>) {
    this.#bounds = bounds;
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

  /** Whether there is room for a job, if need be by dropping the oldest that wait and are not more important: background
   *  ones first. Where even that would not be enough, none is dropped. */
  makeRoom({ priority, size }: Pick<EnrichmentJob, 'priority' | 'size'>): boolean {
    const { most, mostBytes } = this.#bounds;
    let [works, bytes] = [this.#works.size + 1, this.#bytes + size];
    const isRoom = (): boolean => works <= most && bytes <= mostBytes;
    const victims: JobWork[] = [];
    for (const oldest of this.#droppableFor(priority)) {
      if (isRoom()) break;
      victims.push(oldest);
      works -= 1;
      bytes -= oldest.job.size;
    }
    if (!isRoom()) return false;
    for (const victim of victims) victim.drop('no room');
    return true;
  }

  add(work: Omit<OpenWork, 'from'>): JobWork {
    const added = new JobWork(work, this.#parts);
    this.#works.set(added.id, added);
    this.#bytes += added.job.size;
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

  *#droppableFor(priority: EnrichmentPriority): Generator<JobWork, void, void> {
    for (const victims of droppable[priority]) yield* this.#waiting[victims];
  }

  #noteWaiting(work: JobWork): void {
    const waiting = this.#waiting[work.job.priority];
    if (work.isWaiting) waiting.add(work);
    else waiting.delete(work);
    this.#tellQuiet();
  }

  #remove(work: JobWork): void {
    this.#works.delete(work.id);
    this.#bytes -= work.job.size;
    if (this.#byJob.get(work.job.id) === work) this.#byJob.delete(work.job.id);
    this.#waiting[work.job.priority].delete(work);
    this.#tellQuiet();
  }

  #tellQuiet(): void {
    if (!this.#isQuiet) return;
    for (const resolve of this.#untilQuiet.splice(0)) resolve();
  }
}
