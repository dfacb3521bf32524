import type { GraphQLFormattedError } from 'graphql';
import type { ResponsePath } from '../../errors.ts';
import { isLaterId } from '../../redis/streamIds.ts';
import type { FieldResult } from '../enrichmentJob.ts';

/** An update without `hasNext`, which depends on when the log is read. */
interface LoggedUpdate {
  readonly cursor: string;
  readonly path: ResponsePath;
  readonly data: unknown;
  readonly errors: readonly GraphQLFormattedError[] | null;
}

export interface LogPage {
  readonly updates: readonly LoggedUpdate[];
  /** Number of fields that have no update yet. */
  readonly remaining: number;
}

/** The result of a field in a log. */
export interface LogEntry extends LoggedUpdate {
  readonly key: string;
  /** A retryable failure: a successful result of another process may replace it. */
  readonly isFailure: boolean;
  /** Bytes of the update as JSON text. */
  readonly size: number;
}

/** The updates of one run: at most one for each field, in the order in which they arrived. Cursors are Redis stream ids
 *  that count from 1, so that a log that is written to Redis again has the same cursors. */
export class UpdateLog {
  readonly #entries = new Map<string, LogEntry>();
  readonly #pendingKeys: Set<string>;
  #lastSequenceNumber = 0;
  #size = 0;

  /** `pendingKeys`: keys of the fields that have no update yet. */
  constructor(pendingKeys: Iterable<string>, entries: readonly LogEntry[] = []) {
    this.#pendingKeys = new Set(pendingKeys);
    for (const entry of entries) {
      this.#put(entry);
      this.#lastSequenceNumber = sequenceNumberOf(entry);
    }
  }

  get entries(): readonly LogEntry[] {
    return [...this.#entries.values()];
  }

  get pendingKeys(): readonly string[] {
    return [...this.#pendingKeys];
  }

  /** Bytes of all updates as JSON text. */
  get size(): number {
    return this.#size;
  }

  /** Returns false if the field has its update. */
  append({ key, path, data, errors: errorsOrNone, isRetryable }: FieldResult): boolean {
    if (!this.#pendingKeys.delete(key)) return false;
    this.#lastSequenceNumber += 1;
    const errors = errorsOrNone ?? null;
    this.#put({
      key,
      cursor: `${this.#lastSequenceNumber}-0`,
      path,
      data,
      errors,
      isFailure: isRetryable,
      size: Buffer.byteLength(JSON.stringify({ path, data, errors })),
    });
    return true;
  }

  /** Lets these fields get another update, which replaces the one that they have. */
  reopen(keys: readonly string[]): void {
    for (const key of keys) this.#pendingKeys.add(key);
  }

  /** The updates after a cursor. `upTo`: as if the log ended with the update of this sequence number. */
  pageAfter(cursor: string, upTo = Number.POSITIVE_INFINITY): LogPage {
    const entries = this.entries.filter((entry) => sequenceNumberOf(entry) <= upTo);
    return {
      updates: entries.filter((entry) => isLaterId(entry.cursor, cursor)),
      remaining: this.#pendingKeys.size + this.#entries.size - entries.length,
    };
  }

  /** Adds the entry at the end, and removes the field's older one. */
  #put(entry: LogEntry): void {
    this.#size += entry.size - (this.#entries.get(entry.key)?.size ?? 0);
    this.#entries.delete(entry.key);
    this.#entries.set(entry.key, entry);
  }
}

export function sequenceNumberOf({ cursor }: Pick<LogEntry, 'cursor'>): number {
  return Number.parseInt(cursor, 10);
}
