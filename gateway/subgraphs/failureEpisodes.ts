import type { Logger } from '../telemetry/logger.ts';
import { isWithin } from '../time/isWithin.ts';
import type { SubgraphCallEvent } from './httpSubgraphClient.ts';

interface FailureEpisodesOptions {
  readonly log: Pick<Logger, 'warn' | 'info'>;
  /** Milliseconds since 1970. */
  now(): number;
  /** How late the gateway's own event loop is. */
  eventLoopDelayMs(): number;
}

type FailedCall = Pick<SubgraphCallEvent, 'status' | 'requestId' | 'isComplete' | 'failure'>;

/** A time in which calls of one subgraph fail. */
interface Episode {
  readonly startedAt: number;
  lastFailureAt: number;
  loggedAt: number;
  readonly failures: Map<string, number>;
}

/** An episode ends with the first call that succeeds this long after the last failure. */
export const recoveryMs = 10_000;
export const reminderMs = 60_000;

/** From this delay of the gateway's event loop on, the gateway itself may be why a call failed. */
const longDelayMs = 100;

/** Outcomes of calls for which their subgraph may be the reason, unlike a failed extension or a forbidden header. */
const failureOutcomes: ReadonlySet<string> = new Set([
  'http_error',
  'timeout',
  'unreachable',
  'invalid_response',
  'error',
  'deadline_exceeded',
]);

/** Logs when a subgraph begins to fail, once for each further reason and once a minute while it fails, and when it has
 *  recovered, instead of a line for each call. */
export class FailureEpisodes {
  readonly #options: FailureEpisodesOptions;
  readonly #episodes = new Map<string, Episode>();

  constructor(options: FailureEpisodesOptions) {
    this.#options = options;
  }

  onCall(subgraph: string, outcome: string, event: FailedCall): void {
    if (outcome === 'ok') {
      if (this.#episodes.size > 0) this.#onSuccess(subgraph);
      return;
    }
    // The gateway, or an extension, took too long to read the response.
    const isLateReading = outcome === 'deadline_exceeded' && event.isComplete;
    if (failureOutcomes.has(outcome) && !isLateReading) this.#onFailure(subgraph, outcome, event);
  }

  #onFailure(subgraph: string, reason: string, { status, requestId, failure }: FailedCall): void {
    const { log, now, eventLoopDelayMs } = this.#options;
    const describeCall = () => {
      const delayMs = Math.round(eventLoopDelayMs());
      const delay = delayMs < longDelayMs ? {} : { eventLoopDelayMs: delayMs };
      return { subgraph, reason, status, ...failure?.describe(), requestId, ...delay };
    };
    const at = now();
    const episode = this.#episodes.get(subgraph);
    if (episode === undefined) {
      const failures = new Map([[reason, 1]]);
      this.#episodes.set(subgraph, { startedAt: at, lastFailureAt: at, loggedAt: at, failures });
      log.warn(describeCall(), 'A subgraph has begun to fail');
      return;
    }
    episode.lastFailureAt = at;
    const count = episode.failures.get(reason) ?? 0;
    episode.failures.set(reason, count + 1);
    if (count > 0 && isWithin(reminderMs, episode.loggedAt, at)) return;
    episode.loggedAt = at;
    log.warn({ ...describeCall(), ...describe(episode) }, 'A subgraph is still failing');
  }

  #onSuccess(subgraph: string): void {
    const episode = this.#episodes.get(subgraph);
    if (episode === undefined) return;
    if (isWithin(recoveryMs, episode.lastFailureAt, this.#options.now())) return;
    this.#episodes.delete(subgraph);
    const endedAt = new Date(episode.lastFailureAt).toISOString();
    this.#options.log.info({ subgraph, ...describe(episode), endedAt }, 'A subgraph has recovered');
  }
}

function describe({ startedAt, failures }: Episode) {
  return {
    startedAt: new Date(startedAt).toISOString(),
    count: [...failures.values()].reduce((sum, count) => sum + count, 0),
    failures: Object.fromEntries(failures),
  };
}
