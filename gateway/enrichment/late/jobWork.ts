import { GatewayError } from '../../errors.ts';
import type { Timers } from '../../time/timers.ts';
import type {
  EnrichmentJob,
  EnrichmentPlace,
  EnrichmentRun,
  EnrichmentRunner,
  PlaceResult,
} from '../enrichmentJob.ts';
import { type Backoff, backoffAfter } from './backoff.ts';
import type { LateObserver, WorkOutcome } from './lateObserver.ts';
import type { LateStore, OpenWork, WorkEnd } from './lateStore.ts';
import type { RetryBudget } from './retryBudget.ts';
import type { EndTurn, WorkTurns } from './workTurns.ts';

/** What all works of a process share. */
export interface JobWorkParts {
  readonly store: Pick<LateStore, 'publish' | 'noteFailure' | 'isWanted' | 'settle'>;
  readonly runner: EnrichmentRunner;
  /** Milliseconds that an attempt may take, the first excepted. */
  readonly deadline: number;
  readonly attempts: number;
  readonly backoff: Backoff;
  readonly budget: RetryBudget;
  readonly turns: WorkTurns;
  readonly timers: Timers;
  readonly random: () => number;
  readonly observer: LateObserver;
  /** A fault of the gateway's own. */
  onFault(fault: unknown, workId: string): void;
  /** Whether it only waits has changed. */
  onWaiting(work: JobWork): void;
  /** Nothing more is done for it here. */
  onEnd(work: JobWork): void;
}

interface MissingPlace {
  readonly place: EnrichmentPlace;
  /** What the last attempt brought, if anything. */
  failure: PlaceResult | undefined;
}

/** One job's way through its attempts: each is for the places that are still missing, whose results are published as
 *  they come, failing ones only with the last attempt. */
export class JobWork {
  readonly id: string;
  readonly job: EnrichmentJob;
  readonly #parts: JobWorkParts;
  readonly #missing = new Map<string, MissingPlace>();
  #attempts: number;
  #run: EnrichmentRun | undefined;
  #isWaiting = false;
  #hasEnded = false;
  #stopWaiting: () => void = () => {};
  #endTurn: EndTurn = () => {};

  constructor({ id, job, missing, attempts }: Omit<OpenWork, 'from'>, parts: JobWorkParts) {
    this.id = id;
    this.job = job;
    this.#parts = parts;
    this.#attempts = attempts;
    const places = new Set(missing);
    for (const place of job.places) {
      if (places.has(place.key)) this.#missing.set(place.key, { place, failure: undefined });
    }
  }

  /** Between two attempts, or before the first one here: nothing is under way that would be lost with it. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** Those that had no result yet. */
  get missing(): readonly EnrichmentPlace[] {
    return Array.from(this.#missing.values(), ({ place }) => place);
  }

  /** Its first attempt is under way. */
  begin(run: EnrichmentRun): void {
    void this.#attempt(run);
  }

  /** Its next attempt is made when it is its turn. */
  queue(): void {
    this.#setWaiting(true);
    this.#awaitTurn();
  }

  /** Ends it without another attempt: who follows it gets what failed last. */
  drop(outcome: 'no room' | 'unwanted'): void {
    if (this.#hasEnded) return;
    this.#publishFailures();
    this.#end({ kind: 'dropped' }, outcome);
  }

  /** Leaves it to other processes. */
  leave(): void {
    this.#run?.cancel();
    this.#end({ kind: 'left' });
  }

  /** Forgets it: another work is in its place. */
  discard(): void {
    this.#run?.cancel();
    this.#end();
  }

  async #attempt(run: EnrichmentRun): Promise<void> {
    this.#run = run;
    for (const missing of this.#missing.values()) missing.failure = undefined;
    try {
      await run.results((result) => this.#take(result));
    } catch (fault) {
      if (!this.#hasEnded) this.#parts.onFault(fault, this.id);
    }
    this.#run = undefined;
    this.#endTurn();
    if (this.#hasEnded) return;
    if (this.#missing.size === 0) this.#end({ kind: 'done' }, 'done');
    else this.#goOnAfterFailure();
  }

  #take(result: PlaceResult): void {
    const missing = this.#missing.get(result.key);
    if (this.#hasEnded || missing === undefined) return;
    if (result.isRetryable) {
      missing.failure = result;
      return;
    }
    this.#missing.delete(result.key);
    this.#parts.store.publish(this.id, result);
  }

  #goOnAfterFailure(): void {
    const { store, budget, attempts, backoff, timers, random, observer } = this.#parts;
    if (this.job.snapshot === undefined) {
      this.#publishFailures();
      this.#end({ kind: 'dropped' }, 'too large');
      return;
    }
    this.#attempts += 1;
    const failure = { attempts: this.#attempts, error: this.#describeFailure() };
    if (this.#attempts >= attempts || !budget.take()) {
      const keys = [...this.#missing.keys()];
      this.#publishFailures();
      this.#end({ kind: 'failed', keys, ...failure }, 'failed');
      return;
    }
    observer.onRetry({ priority: this.job.priority });
    store.noteFailure(this.id, failure);
    this.#setWaiting(true);
    this.#stopWaiting = timers.after(backoffAfter(this.#attempts, backoff, random), () => this.#awaitTurn());
  }

  #awaitTurn(): void {
    this.#stopWaiting = () => {};
    this.#endTurn = this.#parts.turns.take(this.job.priority, () => void this.#tryAgain());
  }

  async #tryAgain(): Promise<void> {
    const { store, runner, deadline } = this.#parts;
    const isWanted = await store.isWanted(this.id);
    if (this.#hasEnded) return;
    if (!isWanted) {
      this.drop('unwanted');
      return;
    }
    this.#setWaiting(false);
    await this.#attempt(runner.run({ ...this.job, places: this.missing }, deadline));
  }

  #publishFailures(): void {
    for (const { place, failure } of this.#missing.values()) {
      this.#parts.store.publish(this.id, failure ?? unfinished(place));
    }
  }

  #describeFailure(): string {
    const [first] = this.#missing.values();
    const message = first?.failure?.errors?.[0]?.message;
    return message ?? 'The attempt ended without a result.';
  }

  #setWaiting(isWaiting: boolean): void {
    this.#isWaiting = isWaiting;
    this.#parts.onWaiting(this);
  }

  #end(end?: WorkEnd, outcome?: WorkOutcome): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#stopWaiting();
    this.#endTurn();
    const { store, observer, onEnd } = this.#parts;
    if (end !== undefined) store.settle(this.id, end);
    if (outcome !== undefined) observer.onSettled({ priority: this.job.priority, outcome });
    onEnd(this);
  }
}

/** What stands in the place of a result that no attempt has brought. */
export function unfinished({ key, path }: EnrichmentPlace): PlaceResult {
  const error = new GatewayError('INTERNAL_SERVER_ERROR', 'This part of the answer could not be fetched.', {
    path,
  });
  return { key, path, data: null, errors: [error.toFormatted()], isRetryable: true };
}
