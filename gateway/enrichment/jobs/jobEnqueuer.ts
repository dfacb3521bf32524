import { withTimeout } from '../../time/withTimeout.ts';
import { joinRun } from './jobScripts.ts';
import type { TokenRecord } from './jobStore.ts';
import type { RedisJobContext } from './redisJobContext.ts';
import type { RedisTokens } from './redisTokens.ts';
import type { ReplicatedRun, ReplicatedRuns } from './replicatedRuns.ts';

interface JobEnqueuerOptions extends RedisJobContext {
  readonly tokens: RedisTokens;
  readonly replicated: ReplicatedRuns;
  /** How long a response waits for Redis. */
  readonly timeoutMs: number;
}

/** After as many timeouts in a row, no response waits until Redis takes something in time. */
const maxTimeoutsInRow = 3;

/** Publishes runs and tokens in Redis while a response waits, up to a timeout. */
export class JobEnqueuer {
  readonly #options: JobEnqueuerOptions;
  #timeoutsInRow = 0;

  constructor(options: JobEnqueuerOptions) {
    this.#options = options;
  }

  /** Resolves with the id of the run that the token belongs to: another process's run, if that process runs an equal
   *  job and Redis answers in time. */
  async enqueue(run: ReplicatedRun, token: TokenRecord): Promise<string> {
    let hasTimedOut = false;
    const published = this.#publish(run, token).then(async (otherRunId) => {
      if (otherRunId === undefined) return run.id;
      if (!hasTimedOut && (await this.#joinOther(run, token, otherRunId, () => hasTimedOut))) {
        return otherRunId;
      }
      run.writer.forceCreate();
      await run.writer.write();
      return run.id;
    });
    run.published = published;
    const runId = await this.#waitFor(published);
    if (runId !== undefined) return runId;
    hasTimedOut = true;
    this.#options.observer.onNotPersisted({ reason: 'redis' });
    return run.id;
  }

  /** Publishes another token of a run. */
  async join(run: ReplicatedRun, token: TokenRecord): Promise<void> {
    await this.#waitFor(this.#publishToken(run, token).then(() => run.id));
  }

  /** Resolves with `undefined` after the timeout. */
  async #waitFor(published: Promise<string>): Promise<string | undefined> {
    const { timeoutMs, timers } = this.#options;
    const startedAt = timers.now();
    void published.then(() => {
      if (timers.now() - startedAt <= timeoutMs) this.#timeoutsInRow = 0;
    });
    const waitMs = this.#timeoutsInRow < maxTimeoutsInRow ? timeoutMs : 0;
    const runId = await withTimeout(waitMs, published, timers);
    if (runId === undefined) this.#timeoutsInRow += 1;
    return runId;
  }

  /** Takes one round trip. Resolves with the id of another process's run of an equal job. The queue is not waited for: clients
   *  do not need it, and its command, on another connection, is sent before the response. */
  async #publish(run: ReplicatedRun, token: TokenRecord): Promise<string | undefined> {
    const { tokens, replicated } = this.#options;
    const published = Promise.all([run.writer.create(), tokens.write(token, run.id)]);
    void replicated.enqueue(run);
    const [otherRunId] = await published;
    return otherRunId;
  }

  async #publishToken(run: ReplicatedRun, token: TokenRecord): Promise<void> {
    const { memory, tokens } = this.#options;
    const written = tokens.write(token, run.id);
    // Until then, the token may be moved to another process's run.
    await run.published;
    const runId = (await memory.findToken(token.tokenHash))?.runId;
    if (runId === run.id) {
      run.writer.extendExpiry();
      await Promise.all([written, run.writer.write()]);
    } else if (runId !== undefined) {
      await written;
      await tokens.write(token, runId);
    }
  }

  async #joinOther(
    run: ReplicatedRun,
    token: TokenRecord,
    otherRunId: string,
    hasTimedOut: () => boolean,
  ): Promise<boolean> {
    const { redis, keys, memory, tokens, replicated, retentionMs } = this.#options;
    const [joined] = await Promise.all([
      redis.runScript(joinRun, keys.ofRun(otherRunId), [otherRunId, retentionMs]),
      tokens.write(token, otherRunId),
    ]);
    // After the timeout, clients may be subscribed to this run, which then must stay. There must be no `await` from
    // here to the return.
    if (Number(joined) !== 1 || hasTimedOut()) {
      void tokens.write(token, run.id);
      return false;
    }
    memory.moveTokens(run.id, otherRunId);
    void replicated.dequeue(run);
    replicated.release(run);
    return true;
  }
}
