import { fullJitterMs } from '../../time/backoffDelayMs.ts';
import { RatioBudget } from '../../time/ratioBudget.ts';
import type { AttemptEnd } from './call.ts';

/** `connection`: no response, or only a part of one. `timeout`: the attempt timeout passed. */
type RetryReason = 'connection' | 'timeout' | 429 | 502 | 503 | 504;

export interface RetrySettings {
  /** Maximum number of attempts for one call, the first one included. */
  readonly attempts: number;
  /** Milliseconds. */
  readonly minDelay: number;
  readonly maxDelay: number;
  /** Most retries, as a part of the calls of the last 10 s. */
  readonly budgetRatio: number;
  readonly on: readonly RetryReason[];
}

interface RetryPolicyOptions {
  readonly settings: RetrySettings;
  /** Milliseconds on a monotonic clock. */
  now(): number;
  /** Milliseconds since 1970, for `Retry-After` with a date. */
  wallClock(): number;
  /** From 0 up to 1. */
  random(): number;
  /** A `Retry-After` that is neither a number of seconds nor a date. */
  onMalformedRetryAfter(value: string): void;
}

/** Decides whether and when a failed call is sent again: exponential backoff with full jitter, within the deadline, and
 *  within a budget, so that a subgraph that fails in part does not get more load. */
export class RetryPolicy {
  readonly #options: RetryPolicyOptions;
  readonly #budget: RatioBudget;

  constructor(options: RetryPolicyOptions) {
    this.#options = options;
    this.#budget = new RatioBudget(options.settings.budgetRatio, options.now);
  }

  /** A call is sent for the first time. */
  onCall(now: number): void {
    this.#budget.recordFirstAttempt(now);
  }

  get hasBudget(): boolean {
    return !this.#budget.isSpent;
  }

  /** Takes a retry from the budget if the call may be sent again.
   *  @param attempts how often the call was sent.
   *  @param remainingMs the time until the last deadline of its waiters.
   *  @param canFailOver another endpoint is healthy. The first retry after a refused or lost connection is then free: it
   *  replaces the call that the first endpoint did not serve, and adds none.
   *  @returns the delay in milliseconds, or `undefined`. */
  takeRetry(end: AttemptEnd, attempts: number, remainingMs: number, canFailOver = false): number | undefined {
    const { settings, random } = this.#options;
    const reason = retryReasonOf(end);
    if (reason === undefined || !settings.on.includes(reason) || attempts >= settings.attempts)
      return undefined;
    const requestedMs = this.#requestedDelayMs(end);
    // 429 without a time to come back at is no invitation to come back.
    if (reason === 429 && requestedMs === undefined) return undefined;
    const delayMs = Math.max(requestedMs ?? 0, fullJitterMs(attempts, settings, random));
    if (delayMs >= remainingMs) return undefined;
    const isFree = canFailOver && attempts === 1 && reason === 'connection' && end.status === undefined;
    return isFree || this.#budget.tryTake() ? delayMs : undefined;
  }

  /** Takes a retry from the budget for a call whose idle connection was lost, which is sent again at once. */
  takeResend(): boolean {
    return this.#budget.tryTake();
  }

  #requestedDelayMs({ retryAfter, status }: AttemptEnd): number | undefined {
    if (retryAfter === undefined || (status !== 429 && status !== 503)) return undefined;
    const delayMs = parseRetryAfter(retryAfter, this.#options.wallClock());
    if (delayMs === undefined) this.#options.onMalformedRetryAfter(retryAfter);
    return delayMs;
  }
}

/** The subgraph says that it has too much to do, or did not respond in time. */
export function isOverload({ result, status }: AttemptEnd): boolean {
  return status === 429 || status === 503 || (result instanceof Error && result.code === 'SUBGRAPH_TIMEOUT');
}

function retryReasonOf({ result, status }: AttemptEnd): RetryReason | undefined {
  if (status === 429 || status === 502 || status === 503 || status === 504) return status;
  if (!(result instanceof Error)) return undefined;
  if (result.code === 'SUBGRAPH_TIMEOUT') return 'timeout';
  // Any other status, such as 500, is a response of the subgraph.
  const hasResponse = status !== undefined && status >= 300;
  return result.code === 'SUBGRAPH_UNREACHABLE' && !hasResponse ? 'connection' : undefined;
}

const httpDate = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** The delay in a `Retry-After` header (RFC 9110, 10.2.3), in milliseconds; `undefined` if it is malformed. */
export function parseRetryAfter(value: string, wallClockMs: number): number | undefined {
  const text = value.trim();
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  const date = httpDate.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - wallClockMs);
}
