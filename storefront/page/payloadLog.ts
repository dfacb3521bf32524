import { ApolloLink } from '@apollo/client';
import { tap } from 'rxjs';
import { type FieldOutcome, fieldsOf, outcomesOf, type PartName } from './productParts.ts';

/** A payload of the product page, or the failure of its request. */
export interface LoggedPayload {
  /** Milliseconds since the page began to load. */
  readonly afterMs: number;
  /** 1 for the first request, more for retries. */
  readonly attempt: number;
  readonly outcomes: readonly FieldOutcome[];
  /** The request ended without a response, or in the middle of it. */
  readonly isFailure?: true;
}

export interface PayloadLogSnapshot {
  readonly payloads: readonly LoggedPayload[];
  /** Whether no more payloads follow, except for those of a retry. */
  readonly isComplete: boolean;
}

/** Payloads that arrive so soon after another one are shown as one. */
const togetherMs = 50;

/** Records when the payloads of one load of the product page arrive, retries included. A query carries the log in its
 *  context as `payloadLog`. */
export class PayloadLog {
  #snapshot: PayloadLogSnapshot = { payloads: [], isComplete: false };
  #startedAt = 0;
  #attempt = 0;
  /** The newest outcome of each field. */
  readonly #outcomes = new Map<string, FieldOutcome['outcome']>();
  readonly #listeners = new Set<() => void>();

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly getSnapshot = (): PayloadLogSnapshot => this.#snapshot;

  startAttempt(): void {
    if (this.#attempt === 0) this.#startedAt = performance.now();
    this.#attempt += 1;
    this.#set({ isComplete: false });
  }

  recordPayload(payload: unknown): void {
    this.#record(outcomesOf(payload));
  }

  /** A subscription delivered a field. */
  recordEvent(field: string, part: PartName): void {
    this.#record([{ part, field, outcome: 'arrived' }]);
  }

  recordFailure(): void {
    this.#add({ outcomes: [], isFailure: true });
    this.end();
  }

  end(): void {
    this.#set({ isComplete: true });
  }

  /** A part has failed if one of its fields has, and has arrived if all of them have. */
  stateOf(part: PartName): FieldOutcome['outcome'] {
    const outcomes = fieldsOf(part).map((field) => this.#outcomes.get(field) ?? 'pending');
    if (outcomes.includes('failed')) return 'failed';
    return outcomes.includes('pending') ? 'pending' : 'arrived';
  }

  /** Fields that arrived before are not listed again, and a field that has failed is not pending any more. */
  #record(outcomes: readonly FieldOutcome[]): void {
    const news = outcomes.filter(({ field, outcome }) => {
      const former = this.#outcomes.get(field);
      return former !== 'arrived' && !(former === 'failed' && outcome === 'pending');
    });
    for (const { field, outcome } of news) this.#outcomes.set(field, outcome);
    if (news.some(({ outcome }) => outcome !== 'pending')) this.#add({ outcomes: news });
  }

  /** Of attempts that brought nothing, only the newest is stored: a tab may try again for days. */
  #add(payload: Pick<LoggedPayload, 'outcomes' | 'isFailure'>): void {
    const afterMs = Math.round(performance.now() - this.#startedAt);
    const { payloads } = this.#snapshot;
    const last = payloads.at(-1);
    if (last !== undefined && last.attempt === this.#attempt && afterMs - last.afterMs <= togetherMs) {
      const joined = { ...last, ...payload, outcomes: [...last.outcomes, ...payload.outcomes] };
      this.#set({ payloads: [...payloads.slice(0, -1), joined] });
    } else {
      const stored = hasArrival(payload)
        ? payloads
        : payloads.filter((former) => former.attempt === this.#attempt || hasArrival(former));
      this.#set({ payloads: [...stored, { afterMs, attempt: this.#attempt, ...payload }] });
    }
  }

  #set(change: Partial<PayloadLogSnapshot>): void {
    this.#snapshot = { ...this.#snapshot, ...change };
    for (const listener of this.#listeners) listener();
  }
}

function hasArrival({ outcomes }: Pick<LoggedPayload, 'outcomes'>): boolean {
  return outcomes.some(({ outcome }) => outcome === 'arrived');
}

/** Reports each payload to the log of the operation, if it has one, when the network delivers it. The cache and React
 *  come later and may combine several payloads. */
export const payloadLogLink = new ApolloLink((operation, forward) => {
  const log: unknown = operation.getContext().payloadLog;
  if (!(log instanceof PayloadLog)) return forward(operation);
  log.startAttempt();
  return forward(operation).pipe(
    tap({
      next: (payload) => log.recordPayload(payload),
      error: () => log.recordFailure(),
      complete: () => log.end(),
    }),
  );
});
