import type { RetryingRedisClient } from '../../redis/retryingRedisClient.ts';
import type { JobKeys } from './jobKeys.ts';
import type { JobObserver } from './jobObserver.ts';
import type { DueRunOutcome, QueuedJobRun } from './jobQueue.ts';
import { unansweredResult } from './jobRunner.ts';
import { sequenceNumberOf } from './jobRunWriter.ts';
import { reclaimRun } from './jobScripts.ts';
import type { ResumableJobRun } from './jobStore.ts';
import type { MemoryJobStore } from './memoryJobStore.ts';
import type { ProcessHeartbeat } from './processHeartbeat.ts';
import { readRedisFields } from './readRedisFields.ts';
import { readRedisLog } from './readRedisLog.ts';
import type { ReplicatedRuns } from './replicatedRuns.ts';
import { UpdateLog } from './updateLog.ts';

interface OrphanedJobsOptions {
  readonly processId: string;
  readonly redis: RetryingRedisClient;
  readonly keys: JobKeys;
  readonly heartbeat: ProcessHeartbeat;
  readonly replicated: ReplicatedRuns;
  readonly memory: MemoryJobStore;
  readonly observer: JobObserver;
  /** It is tried again. */
  onFailure(failure: Error): void;
}

/** A work that kills whoever does it would go round for as long as somebody wants it. Most processes die for other
 *  reasons. */
const maxOwnerDeaths = 3;

/** What becomes of works that were not done in time: those of processes that live are left to them, and this process
 *  goes on with those of others. */
export class OrphanedJobs {
  readonly #options: OrphanedJobsOptions;
  #resume: ((work: ResumableJobRun) => boolean) | undefined;

  constructor(options: OrphanedJobsOptions) {
    this.#options = options;
  }

  /** From now on works without a process are handed to `adopt`; it returns false where there is no room for one. */
  start(adopt: (work: ResumableJobRun) => boolean): void {
    this.#resume = adopt;
  }

  stop(): void {
    this.#resume = undefined;
  }

  async handle(work: QueuedJobRun): Promise<DueRunOutcome> {
    try {
      return await this.#decide(work);
    } catch (error) {
      this.#options.onFailure(error instanceof Error ? error : new Error(String(error)));
      return 'later';
    }
  }

  /** Whose is it? */
  async #decide(work: QueuedJobRun): Promise<DueRunOutcome> {
    const { processId, redis, keys, heartbeat, replicated, observer } = this.#options;
    if (work.failure !== undefined) return { failed: work.failure.error };
    if (replicated.has(work.id)) return 'later';
    const reply = await redis.sendCommand('hgetall', [keys.run(work.id)]);
    if (redis.isClosed || this.#resume === undefined) return 'later';
    const state = readRedisFields(reply);
    const owner = state.get('owner');
    if (owner === undefined) {
      // That one still works on what nobody can pick up any more, and ends it.
      if (!(await heartbeat.isDead(work.createdBy))) return 'later';
      observer.onSettled({ priority: work.job.priority, outcome: 'unwanted' });
      return 'done';
    }
    if (state.get('state') !== 'open') return 'done';
    const isOthers = owner !== '' && owner !== processId;
    if (isOthers && !(await heartbeat.isDead(owner))) return 'later';
    const taken = await redis.runScript(reclaimRun, [keys.run(work.id)], [owner, processId]);
    if (taken !== undefined && taken !== null) await this.#reclaim(work, state, Number(taken));
    return 'later';
  }

  /** This process has taken a work over. */
  async #reclaim(work: QueuedJobRun, state: ReadonlyMap<string, string>, deaths: number): Promise<void> {
    const { redis, keys, replicated, memory, observer } = this.#options;
    const page = await readRedisLog(redis, keys, work.id);
    if (page === undefined) return;
    const { id, job, createdAt } = work;
    const missing = job.fields.map(({ key }) => key).filter((key) => !state.has(`place:${key}`));
    const isRetried = state.get('retried') === '1';
    memory.restore({ id, job }, new UpdateLog(missing, page.updates), createdAt, isRetried);
    const last = page.updates.at(-1);
    const taken = replicated.add(work, isRetried, last === undefined ? 0 : sequenceNumberOf(last));
    const attempts = Number(state.get('attempts') ?? 0);
    if (deaths > maxOwnerDeaths) {
      for (const place of job.fields)
        if (missing.includes(place.key)) memory.publish(id, unansweredResult(place));
      const error = `${deaths} processes have died while they worked on it.`;
      replicated.settle(taken, { kind: 'failed', failedKeys: missing, attempts, error });
      observer.onSettled({ priority: job.priority, outcome: 'failed' });
      return;
    }
    const isAdopted = this.#resume?.({
      id,
      job,
      pendingKeys: missing,
      failedAttempts: attempts,
      resumedFrom: isRetried ? 'put aside' : 'dead process',
    });
    if (isAdopted === true) return;
    // No room: others may have some.
    taken.writer.recordEnd({ kind: 'left' });
    await taken.writer.write();
    replicated.release(taken);
  }
}
