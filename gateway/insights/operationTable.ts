import type { DocumentNode } from 'graphql';
import type { ResponseEnd } from '../execution/executionObserver.ts';
import { canonicalizeOperation } from '../operation/canonicalizeOperation.ts';
import type { OperationRequest } from '../operation/operationRequest.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { AnswerTimings } from './answerTimes.ts';
import { OperationRecord } from './operationRecord.ts';
import type { PlanRecord } from './planRecord.ts';

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
  readonly operation: OperationRecord;
  readonly plan: PlanRecord;
}

/** The operations that are recorded: a bounded number, of which those in use stay. */
export class OperationTable {
  readonly #options: OperationTableOptions;
  /** By name and hash. The first ones were considered for eviction longest ago. */
  readonly #records = new Map<string, OperationRecord>();
  readonly #plans = new WeakMap<PreparedOperation, KnownPlan>();
  readonly #keys = new WeakMap<DocumentNode, Map<string, OperationRecord>>();
  #newDocuments = 0;
  #secondBeganAt: number;
  #unrecorded = 0;

  constructor(options: OperationTableOptions) {
    this.#options = options;
    this.#secondBeganAt = options.now();
  }

  get size(): number {
    return this.#records.size;
  }

  /** Requests whose operation was not recorded. */
  get unrecorded(): number {
    return this.#unrecorded;
  }

  /** Each operation by its key, which is the same in all processes. */
  get operations(): ReadonlyMap<string, OperationRecord> {
    return this.#records;
  }

  /** The record for the answers of an operation. `undefined` if too many new operations arrive. */
  planOf(
    operation: PreparedOperation,
    request: Pick<OperationRequest, 'document' | 'operationName'>,
  ): PlanRecord | undefined {
    const known = this.#plans.get(operation);
    if (known !== undefined && !known.operation.isEvicted) return known.plan;
    const record = this.#operationOf(operation, request);
    if (record === undefined) {
      this.#unrecorded += 1;
      return undefined;
    }
    const plan = record.planOf(operation);
    this.#plans.set(operation, { operation: record, plan });
    return plan;
  }

  #operationOf(
    { kind }: PreparedOperation,
    { document, operationName = '' }: Pick<OperationRequest, 'document' | 'operationName'>,
  ): OperationRecord | undefined {
    let ofDocument = this.#keys.get(document);
    const known = ofDocument?.get(operationName);
    if (known !== undefined && !known.isEvicted) return known;
    if (!this.#takeNewDocument()) return undefined;
    const operation = canonicalizeOperation(document, operationName === '' ? undefined : operationName);
    const { onAnswer, now, wallClock } = this.#options;
    const key = `${operation.label} ${operation.hash}`;
    let record = this.#records.get(key);
    if (record === undefined) {
      const name = operation.label === 'Anonymous' ? undefined : operation.label;
      record = new OperationRecord({ operation, name, kind, now, wallClock, onAnswer });
      this.#evictForOne();
      this.#records.set(key, record);
    }
    if (ofDocument === undefined) {
      ofDocument = new Map();
      this.#keys.set(document, ofDocument);
    }
    ofDocument.set(operationName, record);
    return record;
  }

  /** Makes room as the clock algorithm does: an operation that was used since the last time has another turn. */
  #evictForOne(): void {
    if (this.#records.size < this.#options.maxOperations) return;
    let turns = maxSecondChances;
    for (const [key, record] of this.#records) {
      const isUsed = record.usesSinceCheck > 1;
      record.usesSinceCheck = 0;
      this.#records.delete(key);
      if (!isUsed || turns-- === 0) {
        record.isEvicted = true;
        return;
      }
      this.#records.set(key, record);
    }
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

/** Bounds the time that one new operation takes. */
const maxSecondChances = 16;
