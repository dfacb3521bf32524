import { GatewayError } from '../../errors.ts';
import { isRedisError, RedisFailure } from '../../redis/redisFailure.ts';
import {
  type JobAdmin,
  type JobQuery,
  type JobView,
  jobViewOf,
  newestOfEachState,
  type RetryResult,
} from './jobAdmin.ts';
import { reopenRun } from './jobScripts.ts';
import type { RedisJobContext } from './redisJobContext.ts';

interface RedisJobAdminOptions extends Pick<RedisJobContext, 'keys' | 'retentionMs' | 'now'> {
  readonly redis: Pick<RedisJobContext['redis'], 'sendCommand' | 'runScript' | 'probe'>;
  readonly queue: Pick<RedisJobContext['queue'], 'get' | 'list' | 'retry'>;
}

/** The jobs of all processes, for operators. */
export class RedisJobAdmin implements JobAdmin {
  readonly #options: RedisJobAdminOptions;

  constructor(options: RedisJobAdminOptions) {
    this.#options = options;
  }

  list({ state, limit }: JobQuery): Promise<readonly JobView[]> {
    return this.#rejectAsOverloaded(async () => {
      const waiting = state === 'failed' ? [] : await this.#listWaiting(limit);
      const failed = state === 'waiting' ? [] : await this.#listFailed(limit);
      return newestOfEachState([...waiting, ...failed], { limit });
    });
  }

  retry(id: string): Promise<RetryResult> {
    return this.#rejectAsOverloaded(() => this.#retry(id));
  }

  async #retry(id: string): Promise<RetryResult> {
    const { redis, keys, queue, retentionMs } = this.#options;
    const found = await queue.get(id);
    if (found === undefined) return 'unknown';
    if (!found.isFailed) return 'not failed';
    const { run } = found;
    const allKeys = run.job.fields.map(({ key }) => key);
    const failedKeys = run.failure?.failedKeys ?? allKeys;
    const otherKeys = allKeys.filter((key) => !failedKeys.includes(key));
    const args = [id, retentionMs, failedKeys.length, ...failedKeys, ...otherKeys];
    if (Number(await redis.runScript(reopenRun, keys.ofRun(id), args)) !== 1) return 'not failed';
    return (await queue.retry(run)) ? 'retried' : 'not failed';
  }

  async #listFailed(limit: number): Promise<readonly JobView[]> {
    const { queue, now } = this.#options;
    const runs = await queue.list('failed', limit);
    return runs.map((run) => jobViewOf('failed', run, run.failure, now()));
  }

  async #listWaiting(limit: number): Promise<readonly JobView[]> {
    const { redis, keys, queue, now } = this.#options;
    const runs = await queue.list('waiting', limit);
    return Promise.all(
      runs.map(async (run) => {
        const reply = await redis.sendCommand('hmget', [keys.run(run.id), 'attempts', 'error']);
        const [attempts, error] = Array.isArray(reply) ? reply.map((value) => String(value ?? '')) : [];
        const failedAttempts = Number(attempts ?? 0);
        const failure = failedAttempts === 0 ? undefined : { attempts: failedAttempts, error: error ?? '' };
        return jobViewOf('waiting', run, failure, now());
      }),
    );
  }

  /** Rejects with `OVERLOADED` if Redis is not reached, or refuses a command, for example because of its password. */
  async #rejectAsOverloaded<Answer>(read: () => Promise<Answer>): Promise<Answer> {
    const { redis, keys } = this.#options;
    // The queue has a connection without timeouts, and would wait until Redis, or its master of a Cluster, answers again.
    const failure = await redis.probe(keys.queueProbe);
    if (failure !== undefined) throw overloadedError(failure);
    try {
      return await read();
    } catch (error) {
      throw isRedisError(error) ? overloadedError(new RedisFailure(error)) : error;
    }
  }
}

function overloadedError({ kind, cause }: RedisFailure): GatewayError {
  const message = `Redis does not give access to enrichment jobs (${kind}). Try again later.`;
  return new GatewayError('OVERLOADED', message, { cause });
}
