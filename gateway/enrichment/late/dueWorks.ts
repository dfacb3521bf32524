import type { PatientRedis } from '../../redis/patientRedis.ts';
import { unfinished } from './jobWork.ts';
import type { LateKeys } from './lateKeys.ts';
import type { LateObserver } from './lateObserver.ts';
import type { DueVerdict, QueuedWork } from './lateQueue.ts';
import { takeOver } from './lateScripts.ts';
import type { OpenWork } from './lateStore.ts';
import type { MemoryLateStore } from './memoryLateStore.ts';
import type { ProcessLife } from './processLife.ts';
import { readRedisFields } from './redisFields.ts';
import { readRedisLog } from './redisLog.ts';
import type { SharedWorks } from './sharedWorks.ts';
import { UpdateLog } from './updateLog.ts';
import { numberOf } from './workWriter.ts';

export interface DueWorksOptions {
  readonly processId: string;
  readonly redis: PatientRedis;
  readonly keys: LateKeys;
  readonly life: ProcessLife;
  readonly shared: SharedWorks;
  readonly memory: MemoryLateStore;
  readonly observer: LateObserver;
  /** It is tried again. */
  onFailure(failure: Error): void;
}

/** A work that kills whoever does it would go round for as long as somebody wants it. Most processes die for other
 *  reasons. */
const mostDeaths = 3;

/** What becomes of works that were not done in time: those of processes that live are left to them, and this process
 *  goes on with those of others. */
export class DueWorks {
  readonly #options: DueWorksOptions;
  #adopt: ((work: OpenWork) => boolean) | undefined;

  constructor(options: DueWorksOptions) {
    this.#options = options;
  }

  /** From now on works without a process are handed to `adopt`; it returns false where there is no room for one. */
  start(adopt: (work: OpenWork) => boolean): void {
    this.#adopt = adopt;
  }

  stop(): void {
    this.#adopt = undefined;
  }

  async handle(work: QueuedWork): Promise<DueVerdict> {
    try {
      return await this.#decide(work);
    } catch (error) {
      this.#options.onFailure(error instanceof Error ? error : new Error(String(error)));
      return 'later';
    }
  }

  /** Whose is it? */
  async #decide(work: QueuedWork): Promise<DueVerdict> {
    const { processId, redis, keys, life, shared, observer } = this.#options;
    if (work.failure !== undefined) return { failed: work.failure.error };
    if (shared.has(work.id)) return 'later';
    const reply = await redis.ask('hgetall', [keys.work(work.id)]);
    if (redis.isClosed || this.#adopt === undefined) return 'later';
    const state = readRedisFields(reply);
    const owner = state.get('owner');
    if (owner === undefined) {
      // That one still works on what nobody can pick up any more, and ends it.
      if (!(await life.isDead(work.begunBy))) return 'later';
      observer.onSettled({ priority: work.job.priority, outcome: 'unwanted' });
      return 'done';
    }
    if (state.get('state') !== 'open') return 'done';
    const isOthers = owner !== '' && owner !== processId;
    if (isOthers && !(await life.isDead(owner))) return 'later';
    const taken = await redis.run(takeOver, [keys.work(work.id)], [owner, processId]);
    if (taken !== undefined && taken !== null) await this.#goOn(work, state, Number(taken));
    return 'later';
  }

  /** This process has taken a work over. */
  async #goOn(work: QueuedWork, state: ReadonlyMap<string, string>, deaths: number): Promise<void> {
    const { redis, keys, shared, memory, observer } = this.#options;
    const page = await readRedisLog(redis, keys, work.id);
    if (page === undefined) return;
    const { id, job, begunAt } = work;
    const missing = job.places.map(({ key }) => key).filter((key) => !state.has(`place:${key}`));
    const isRetried = state.get('retried') === '1';
    memory.restore({ id, job }, new UpdateLog(missing, page.updates), begunAt, isRetried);
    const last = page.updates.at(-1);
    const taken = shared.add(work, isRetried, last === undefined ? 0 : numberOf(last));
    const attempts = Number(state.get('attempts') ?? 0);
    if (deaths > mostDeaths) {
      for (const place of job.places) if (missing.includes(place.key)) memory.publish(id, unfinished(place));
      const error = `${deaths} processes have died while they worked on it.`;
      shared.settle(taken, { kind: 'failed', keys: missing, attempts, error });
      observer.onSettled({ priority: job.priority, outcome: 'failed' });
      return;
    }
    const isAdopted = this.#adopt?.({
      id,
      job,
      missing,
      attempts,
      from: isRetried ? 'put aside' : 'dead process',
    });
    if (isAdopted === true) return;
    // No room: others may have some.
    taken.writer.end({ kind: 'left' });
    await taken.writer.write();
    shared.release(taken);
  }
}
