import type { RetryingRedisClient } from '../../redis/retryingRedisClient.ts';
import type { JobAdmin, JobQuery, JobView, RetryResult } from './jobAdmin.ts';
import type { JobKeys } from './jobKeys.ts';
import type { JobQueue } from './jobQueue.ts';
import { reopenRun } from './jobScripts.ts';
import { jobViewOf } from './jobViewOf.ts';

interface RedisJobAdminOptions {
  readonly redis: Pick<RetryingRedisClient, 'sendCommand' | 'runScript'>;
  readonly keys: JobKeys;
  readonly queue: Pick<JobQueue, 'get' | 'list' | 'retry'>;
  /** Milliseconds that Redis keeps a work from its newest token on. */
  readonly retentionMs: number;
  /** The clock, in milliseconds. */
  readonly now: () => number;
}

/** The jobs of all processes, for operators. */
export class RedisJobAdmin implements JobAdmin {
  readonly #options: RedisJobAdminOptions;

  constructor(options: RedisJobAdminOptions) {
    this.#options = options;
  }

  async list({ state, limit }: JobQuery): Promise<readonly JobView[]> {
    const waiting = state === 'failed' ? [] : await this.#listWaiting(limit);
    const failed = state === 'waiting' ? [] : await this.#listFailed(limit);
    return [...waiting, ...failed].sort((one, other) => one.ageMs - other.ageMs);
  }

  async retry(id: string): Promise<RetryResult> {
    const { redis, keys, queue, retentionMs } = this.#options;
    const found = await queue.get(id);
    if (found === undefined) return 'unknown';
    if (!found.isFailed) return 'not failed';
    const { run } = found;
    const all = run.job.fields.map(({ key }) => key);
    const open = run.failure?.failedKeys ?? all;
    const others = all.filter((key) => !open.includes(key));
    const args = [id, retentionMs, open.length, ...open, ...others];
    if (Number(await redis.runScript(reopenRun, keys.ofRun(id), args)) !== 1) return 'not failed';
    return (await queue.retry(run)) ? 'retried' : 'not failed';
  }

  async #listFailed(limit: number): Promise<readonly JobView[]> {
    const { queue, now } = this.#options;
    const works = await queue.list('failed', limit);
    return works.map((work) => jobViewOf('failed', work, work.failure, now()));
  }

  async #listWaiting(limit: number): Promise<readonly JobView[]> {
    const { redis, keys, queue, now } = this.#options;
    const works = await queue.list('waiting', limit);
    return Promise.all(
      works.map(async (work) => {
        const reply = await redis.sendCommand('hmget', [keys.run(work.id), 'attempts', 'error']);
        const [attempts, error] = Array.isArray(reply) ? reply.map((value) => String(value ?? '')) : [];
        const failed = Number(attempts ?? 0);
        const failure = failed === 0 ? undefined : { attempts: failed, error: error ?? '' };
        return jobViewOf('waiting', work, failure, now());
      }),
    );
  }
}
