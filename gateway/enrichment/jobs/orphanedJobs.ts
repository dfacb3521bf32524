import { readFields } from '../../redis/streamProbe.ts';
import type { DueRunOutcome, FinalFailure, QueuedJobRun } from './jobQueue.ts';
import { unansweredResult } from './jobRunner.ts';
import { readRedisLog, reclaimRun } from './jobScripts.ts';
import type { ResumeRun } from './jobStore.ts';
import type { ProcessHeartbeat } from './processHeartbeat.ts';
import type { RedisJobContext } from './redisJobContext.ts';
import type { ReplicatedRuns } from './replicatedRuns.ts';
import { type LogEntry, sequenceNumberOf, UpdateLog } from './updateLog.ts';

interface OrphanedJobsOptions extends RedisJobContext {
  readonly heartbeat: ProcessHeartbeat;
  readonly replicated: ReplicatedRuns;
}

/** A run whose owners have died more often than this becomes a dead letter: it may be what kills them. */
const maxOwnerDeaths = 3;

/** Reclaims the runs of processes whose heartbeat has expired. Runs of live processes are left alone. */
export class OrphanedJobs {
  readonly #options: OrphanedJobsOptions;
  #resume: ResumeRun | undefined;

  constructor(options: OrphanedJobsOptions) {
    this.#options = options;
  }

  /** Starts reclaiming. `resume` returns false when the job pool is full. */
  start(resume: ResumeRun): void {
    this.#resume = resume;
  }

  stop(): void {
    this.#resume = undefined;
  }

  /** Handles a run that is due. */
  async handle(run: QueuedJobRun): Promise<DueRunOutcome> {
    try {
      return await this.#decide(run);
    } catch (error) {
      this.#options.onFailure(error instanceof Error ? error : new Error(String(error)));
      return 'postponed';
    }
  }

  async #decide(run: QueuedJobRun): Promise<DueRunOutcome> {
    const { processId, redis, keys, heartbeat, replicated, observer } = this.#options;
    if (run.failure !== undefined) return { failure: run.failure };
    if (replicated.has(run.id)) return 'postponed';
    const reply = await redis.sendCommand('hgetall', [keys.run(run.id)]);
    if (redis.isClosed || this.#resume === undefined) return 'postponed';
    const hash = readHash(reply);
    const owner = hash.get('owner');
    if (owner === undefined) {
      // All tokens have expired. If the process that created the run is alive, it still runs the job, and removes it.
      if (!(await heartbeat.isDead(run.createdBy))) return 'postponed';
      observer.onSettled({ priority: run.job.priority, outcome: 'expired' });
      return 'done';
    }
    if (hash.get('state') === 'failed') {
      // Its process may have died before it has moved the run to the dead letters.
      const page = await readRedisLog(redis, keys, run.id);
      return page === undefined ? 'postponed' : { failure: readFailure(hash, page.updates) };
    }
    if (hash.get('state') !== 'open') return 'done';
    const isOwnedElsewhere = owner !== '' && owner !== processId;
    if (isOwnedElsewhere && !(await heartbeat.isDead(owner))) return 'postponed';
    const ownerDeaths = await redis.runScript(reclaimRun, [keys.run(run.id)], [owner, processId]);
    if (ownerDeaths !== undefined && ownerDeaths !== null) {
      await this.#restore(run, hash, Number(ownerDeaths));
    }
    return 'postponed';
  }

  /** Continues a run that this process has reclaimed. */
  async #restore(run: QueuedJobRun, hash: ReadonlyMap<string, string>, ownerDeaths: number): Promise<void> {
    const { redis, keys, replicated, memory, observer } = this.#options;
    const page = await readRedisLog(redis, keys, run.id);
    if (page === undefined) return;
    const { id, job, createdAt } = run;
    const pendingFields = job.fields.filter(({ key }) => !hash.has(`field:${key}`));
    const pendingKeys = pendingFields.map(({ key }) => key);
    const isRetried = hash.get('retried') === '1';
    memory.restore({ id, job }, new UpdateLog(pendingKeys, page.updates), createdAt, isRetried);
    const lastUpdate = page.updates.at(-1);
    const writtenUpTo = lastUpdate === undefined ? 0 : sequenceNumberOf(lastUpdate);
    const restored = replicated.add(run, isRetried, writtenUpTo);
    const failedAttempts = Number(hash.get('attempts') ?? 0);
    if (ownerDeaths > maxOwnerDeaths) {
      for (const field of pendingFields) memory.publish(id, unansweredResult(field));
      const error = `${ownerDeaths} processes died while they ran this job.`;
      replicated.settle(restored, {
        kind: 'failed',
        failedKeys: pendingKeys,
        attempts: failedAttempts,
        error,
      });
      observer.onSettled({ priority: job.priority, outcome: 'failed' });
      return;
    }
    const resumedFrom = isRetried ? 'dead letter' : 'dead process';
    if (this.#resume?.({ id, job, pendingKeys, failedAttempts, resumedFrom }) === true) return;
    // The job pool of this process is full; another process may have room.
    restored.writer.recordEnd({ kind: 'released' });
    await restored.writer.write();
    replicated.release(restored);
  }
}

function readFailure(hash: ReadonlyMap<string, string>, updates: readonly LogEntry[]): FinalFailure {
  return {
    failedKeys: updates.filter(({ isFailure }) => isFailure).map(({ key }) => key),
    attempts: Number(hash.get('attempts')),
    error: hash.get('error') ?? '',
  };
}

/** The fields of a hash, from the reply to `HGETALL`: an object, or an array in which names and values alternate, by
 *  the version of the protocol. */
function readHash(reply: unknown): ReadonlyMap<string, string> {
  if (typeof reply !== 'object' || reply === null) return new Map();
  return readFields(Array.isArray(reply) ? reply : Object.entries(reply).flat());
}
