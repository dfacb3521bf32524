import type { ResponseEnd } from '../execution/executionObserver.ts';
import type { CanonicalOperation } from '../operation/canonicalizeOperation.ts';
import type { AnswerTimings } from './answerTimes.ts';
import type { OperationInsights } from './insightsData.ts';
import { OperationAnswers, type OperationState } from './operationState.ts';
import { type DescribedOperation, describePlan, signatureOf } from './planDescription.ts';
import { PlanRecord, type RecordReference } from './planRecord.ts';
import { RecentWindow } from './recentWindow.ts';

/** Half of what counts as recent. */
const windowMs = 5 * 60_000;

/** Further plans of an operation replace the one that was used longest ago. */
const maxPlansPerOperation = 4;

const maxTextLength = 10_000;

const usedMs = 60_000;
const usedOnceMs = 10_000;

interface OperationRecordOptions {
  readonly operation: CanonicalOperation;
  readonly name: string | undefined;
  readonly kind: OperationInsights['kind'];
  /** Milliseconds on a monotonic clock. */
  now(): number;
  /** Milliseconds since 1970. */
  wallClock(): number;
  onAnswer(timings: AnswerTimings, end: ResponseEnd): void;
}

/** What is known of one operation, from all clients together. Holds neither identities nor values of variables. */
export class OperationRecord {
  readonly reference: RecordReference<OperationRecord> = { record: this };
  /** Its answers. */
  uses = 0;
  readonly #options: OperationRecordOptions;
  readonly #window: RecentWindow<OperationAnswers>;
  /** By signature, the one used longest ago first. */
  readonly #plans = new Map<string, PlanRecord>();
  #lastUsedAt: number;

  constructor(options: OperationRecordOptions) {
    this.#options = options;
    this.#window = new RecentWindow(windowMs, options.now(), () => new OperationAnswers());
    this.#lastUsedAt = options.now();
  }

  get plans(): Iterable<PlanRecord> {
    return this.#plans.values();
  }

  /** The time that its answers took together, in milliseconds. */
  get totalMs(): number {
    return this.#window.all.reduce((sum, { completion }) => sum + completion.sumMs, 0);
  }

  /** Whether the operation was used lately. One that was used only once may never be used again. */
  isInUse(now: number): boolean {
    return now - this.#lastUsedAt < (this.uses > 1 ? usedMs : usedOnceMs);
  }

  /** The record makes room for another one. */
  evict(): void {
    this.reference.record = undefined;
    for (const plan of this.#plans.values()) plan.evict();
  }

  planOf(operation: DescribedOperation): PlanRecord {
    const { now } = this.#options;
    const plan = describePlan(operation);
    const signature = signatureOf(plan);
    let record = this.#plans.get(signature);
    if (record === undefined) {
      record = new PlanRecord(operation, {
        plan,
        windowMs,
        now,
        onAnswer: (timings, end, at) => this.#addAnswer(timings, end, at),
      });
    } else this.#plans.delete(signature);
    // At the end again: it is the one that was used last.
    this.#plans.set(signature, record);
    if (this.#plans.size > maxPlansPerOperation) {
      const [oldest] = this.#plans.keys();
      this.#plans.delete(oldest as string);
    }
    return record;
  }

  /** `samples`: how many samples each plan has at most. */
  state(samples?: number): OperationState {
    const { operation, name = null, kind, now, wallClock } = this.#options;
    const answers = new OperationAnswers();
    for (const recent of this.#window.all) answers.merge(recent);
    const dateOf = (at: number): number => wallClock() - (now() - at);
    return {
      id: operation.hash,
      name,
      kind,
      text:
        operation.text.length > maxTextLength ? `${operation.text.slice(0, maxTextLength)}…` : operation.text,
      since: dateOf(this.#window.since),
      lastUsedAt: dateOf(this.#lastUsedAt),
      answers,
      plans: [...this.#plans.values()].reverse().map((plan) => plan.state(samples)),
    };
  }

  #addAnswer(timings: AnswerTimings, end: ResponseEnd, at: number): void {
    this.#lastUsedAt = at;
    this.uses += 1;
    this.#window.at(at).add(timings, end);
    this.#options.onAnswer(timings, end);
  }
}
