import type { DocumentNode } from 'graphql';
import type { ResponseEnd } from '../execution/executionObserver.ts';
import { canonicalizeOperation } from '../operation/canonicalizeOperation.ts';
import type { OperationRequest } from '../operation/operationRequest.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { AnswerTimings } from './answerTimes.ts';
import { OperationRecord } from './operationRecord.ts';
import type { PlanRecord, RecordReference } from './planRecord.ts';

interface OperationTableOptions {
  readonly maxOperations: number;
  /** Documents that were not seen before and are recorded per second: clients choose how many they send. */
  readonly maxNewDocumentsPerSecond: number;
  /** Milliseconds on a monotonic clock. */
  now(): number;
  /** Milliseconds since 1970. */
  wallClock(): number;
  onAnswer(timings: AnswerTimings, end: ResponseEnd): void;
}

interface KnownPlan {
  readonly operation: RecordReference<OperationRecord>;
  readonly plan: RecordReference<PlanRecord>;
}

/** The operations that are recorded: a bounded number, of which those in use stay. */
export class OperationTable {
  readonly #options: OperationTableOptions;
  /** By name and hash. The first ones were considered for eviction longest ago, or never. */
  readonly #records = new Map<string, OperationRecord>();
  readonly #plans = new WeakMap<PreparedOperation, KnownPlan>();
  readonly #ofDocuments = new WeakMap<DocumentNode, Map<string, RecordReference<OperationRecord>>>();
  #replacedAt = Number.NEGATIVE_INFINITY;
  #newDocuments = 0;
  #secondBeganAt: number;
  #unrecorded = 0;

  constructor(options: OperationTableOptions) {
    this.#options = options;
    this.#secondBeganAt = options.now();
  }

  /** Requests whose operation was not recorded. */
  get unrecorded(): number {
    return this.#unrecorded;
  }

  /** Each operation by its key, which is the same in all processes. */
  get operations(): ReadonlyMap<string, OperationRecord> {
    return this.#records;
  }

  /** The record for the answers of an operation. `undefined` if too many others are in use, or are new. */
  planOf(
    operation: PreparedOperation,
    request: Pick<OperationRequest, 'document' | 'operationName'>,
  ): PlanRecord | undefined {
    const known = this.#plans.get(operation);
    if (known?.operation.record !== undefined && known.plan.record !== undefined) return known.plan.record;
    const record = this.#operationOf(operation, request);
    if (record === undefined) {
      this.#unrecorded += 1;
      return undefined;
    }
    const plan = record.planOf(operation);
    this.#plans.set(operation, { operation: record.reference, plan: plan.reference });
    return plan;
  }

  #operationOf(
    { kind }: PreparedOperation,
    { document, operationName = '' }: Pick<OperationRequest, 'document' | 'operationName'>,
  ): OperationRecord | undefined {
    let ofDocument = this.#ofDocuments.get(document);
    const known = ofDocument?.get(operationName)?.record;
    if (known !== undefined) return known;
    if (!this.#takeNewDocument()) return undefined;
    const operation = canonicalizeOperation(document, operationName === '' ? undefined : operationName);
    const { onAnswer, now, wallClock } = this.#options;
    const key = `${operation.label} ${operation.hash}`;
    let record = this.#records.get(key);
    if (record === undefined) {
      if (!this.#makeRoom()) return undefined;
      const name = operation.label === 'Anonymous' ? undefined : operation.label;
      record = new OperationRecord({ operation, name, kind, now, wallClock, onAnswer });
      this.#records.set(key, record);
    }
    if (ofDocument === undefined) {
      ofDocument = new Map();
      this.#ofDocuments.set(document, ofDocument);
    }
    ofDocument.set(operationName, record.reference);
    return record;
  }

  /** Evicts an operation that is no longer used, if the table is full. One that is in use gives way at most once per second:
   *  records that are replaced all the time would say little, and each fills the heap with what its answers had left. */
  #makeRoom(): boolean {
    if (this.#records.size < this.#options.maxOperations) return true;
    const now = this.#options.now();
    const considered = [...this.#records.entries().take(maxConsidered)];
    const unused = considered.find(([, record]) => !record.isInUse(now));
    const evicted = unused ?? considered.reduce(leastUsed);
    for (const [key, record] of considered) {
      this.#records.delete(key);
      // After all others.
      this.#records.set(key, record);
    }
    if (unused === undefined) {
      if (now - this.#replacedAt < minReplacementGapMs) return false;
      this.#replacedAt = now;
    }
    const [key, record] = evicted;
    record.evict();
    return this.#records.delete(key);
  }

  #takeNewDocument(): boolean {
    const now = this.#options.now();
    if (now - this.#secondBeganAt >= 1_000) {
      this.#secondBeganAt = now;
      this.#newDocuments = 0;
    }
    this.#newDocuments += 1;
    return this.#newDocuments <= this.#options.maxNewDocumentsPerSecond;
  }
}

type Entry = [string, OperationRecord];

function leastUsed(one: Entry, other: Entry): Entry {
  return other[1].uses < one[1].uses ? other : one;
}

/** Bounds the time that one new operation takes. */
const maxConsidered = 16;

const minReplacementGapMs = 1_000;
