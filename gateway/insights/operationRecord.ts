import type { ResponseEnd } from '../execution/executionObserver.ts';
import { truncate } from '../json/truncate.ts';
import type { CanonicalOperation } from '../operation/canonicalizeOperation.ts';
import type { AnswerTimings } from './answerTimes.ts';
import type { OperationInsights } from './insightsData.ts';
import { OperationAnswers, type OperationState } from './operationState.ts';
import { type DescribedOperation, describePlan, signatureOf } from './planDescription.ts';
import { PlanRecord, type RecordReference } from './planRecord.ts';
import { RecentWindow } from './recentWindow.ts';

/** Half of what counts as recent. */
const windowMs = 5 * 60_000;

/** Further plans of an operation replace the one that was used longest ago, but at most one in `minReplacementGapMs`: plans
 *  that are replaced all the time would say little. */
const maxPlansPerOperation = 4;
const minReplacementGapMs = 10_000;

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
  /** By signature, the newest last. */
  readonly #plans = new Map<string, PlanRecord>();
  #planReplacedAt = Number.NEGATIVE_INFINITY;
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

  /** The record for the answers of a plan. While there is no room for one more plan, they count for the operation only. */
  planOf(operation: DescribedOperation): PlanRecord {
    const { now } = this.#options;
    const plan = describePlan(operation);
    const signature = signatureOf(plan);
    const known = this.#plans.get(signature);
    if (known !== undefined) return known;
    const isShown = this.#makeRoom(now());
    const record = new PlanRecord(operation, {
      plan,
      windowMs,
      now,
      onAnswer: (timings, end, at) => {
        this.#addAnswer(timings, end, at);
        // The next request of the plan gets a record that is shown.
        if (!isShown && this.#hasRoom(at)) record.evict();
      },
    });
    if (isShown) this.#plans.set(signature, record);
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
      text: truncate(operation.text, maxTextLength),
      since: dateOf(this.#window.since),
      lastUsedAt: dateOf(this.#lastUsedAt),
      answers,
      plans: [...this.#plans.values()].reverse().map((plan) => plan.state(samples)),
    };
  }

  #hasRoom(now: number): boolean {
    return this.#plans.size < maxPlansPerOperation || now - this.#planReplacedAt >= minReplacementGapMs;
  }

  /** Evicts a plan, if there are too many. Returns false while none may be replaced. */
  #makeRoom(now: number): boolean {
    if (!this.#hasRoom(now)) return false;
    if (this.#plans.size < maxPlansPerOperation) return true;
    const [signature, record] = [...this.#plans].reduce((one, other) =>
      other[1].lastUsedAt < one[1].lastUsedAt ? other : one,
    );
    this.#planReplacedAt = now;
    record.evict();
    return this.#plans.delete(signature);
  }

  #addAnswer(timings: AnswerTimings, end: ResponseEnd, at: number): void {
    this.#lastUsedAt = at;
    this.uses += 1;
    this.#window.at(at).add(timings, end);
    this.#options.onAnswer(timings, end);
  }
}
