import type { PatientRedis } from '../../redis/patientRedis.ts';
import type { JobAdmin, JobQuery, JobView, RetryVerdict } from './jobAdmin.ts';
import type { LateKeys } from './lateKeys.ts';
import type { LateQueue } from './lateQueue.ts';
import { reopenWork } from './lateScripts.ts';
import { viewOf } from './viewOf.ts';

export interface RedisJobsOptions {
  readonly redis: Pick<PatientRedis, 'ask' | 'run'>;
  readonly keys: LateKeys;
  readonly queue: Pick<LateQueue, 'get' | 'list' | 'retry'>;
  /** Milliseconds that Redis keeps a work from its newest token on. */
  readonly keepFor: number;
  /** The clock, in milliseconds. */
  readonly now: () => number;
}

/** The jobs of all processes, for operators. */
export class RedisJobs implements JobAdmin {
  readonly #options: RedisJobsOptions;

  constructor(options: RedisJobsOptions) {
    this.#options = options;
  }

  async list({ state, limit }: JobQuery): Promise<readonly JobView[]> {
    const waiting = state === 'failed' ? [] : await this.#listWaiting(limit);
    const failed = state === 'waiting' ? [] : await this.#listFailed(limit);
    return [...waiting, ...failed].sort((one, other) => one.ageMs - other.ageMs);
  }

  async retry(id: string): Promise<RetryVerdict> {
    const { redis, keys, queue, keepFor } = this.#options;
    const found = await queue.get(id);
    if (found === undefined) return 'unknown';
    if (!found.isFailed) return 'not failed';
    const { work } = found;
    const all = work.job.places.map(({ key }) => key);
    const open = work.failure?.keys ?? all;
    const others = all.filter((key) => !open.includes(key));
    const args = [id, keepFor, open.length, ...open, ...others];
    if (Number(await redis.run(reopenWork, keys.ofWork(id), args)) !== 1) return 'not failed';
    return (await queue.retry(work)) ? 'retried' : 'not failed';
  }

  async #listFailed(limit: number): Promise<readonly JobView[]> {
    const { queue, now } = this.#options;
    const works = await queue.list('failed', limit);
    return works.map((work) => viewOf('failed', work, work.failure, now()));
  }

  async #listWaiting(limit: number): Promise<readonly JobView[]> {
    const { redis, keys, queue, now } = this.#options;
    const works = await queue.list('waiting', limit);
    return Promise.all(
      works.map(async (work) => {
        const reply = await redis.ask('hmget', [keys.work(work.id), 'attempts', 'error']);
        const [attempts, error] = Array.isArray(reply) ? reply.map((value) => String(value ?? '')) : [];
        const failed = Number(attempts ?? 0);
        const failure = failed === 0 ? undefined : { attempts: failed, error: error ?? '' };
        return viewOf('waiting', work, failure, now());
      }),
    );
  }
}
