import type { GraphQLFormattedError } from 'graphql';
import type { ResponsePath } from '../../errors.ts';
import { isLaterId } from '../../redis/streamIds.ts';
import type { FieldResult } from '../enrichmentJob.ts';

/** An update as it is kept: whether more follow depends on when it is read. */
interface LoggedUpdate {
  readonly cursor: string;
  readonly path: ResponsePath;
  readonly data: unknown;
  readonly errors: readonly GraphQLFormattedError[] | null;
}

export interface LogPage {
  readonly updates: readonly LoggedUpdate[];
  /** Places whose update is still to come. */
  readonly remaining: number;
}

/** The result of a place, as it stands in a log. */
export interface LogEntry extends LoggedUpdate {
  readonly key: string;
  /** Its last attempt failed: a good result of somebody else would be better. */
  readonly isFailure: boolean;
  /** Bytes as JSON text. */
  readonly size: number;
}

/** The updates of one job: at most one per place, in the order in which they came. Their cursors are ids of a stream,
 *  and count: a log that is written again elsewhere has the same ones. */
export class UpdateLog {
  readonly #entries = new Map<string, LogEntry>();
  readonly #pendingKeys: Set<string>;
  #lastSequenceNumber = 0;
  #size = 0;

  /** `missing`: the keys of the places that are to come. `entries`: what is there already. */
  constructor(missing: Iterable<string>, entries: readonly LogEntry[] = []) {
    this.#pendingKeys = new Set(missing);
    for (const entry of entries) {
      this.#put(entry);
      this.#lastSequenceNumber = Number.parseInt(entry.cursor, 10);
    }
  }

  get entries(): readonly LogEntry[] {
    return [...this.#entries.values()];
  }

  get pendingKeys(): readonly string[] {
    return [...this.#pendingKeys];
  }

  /** Bytes of its updates as JSON text. */
  get size(): number {
    return this.#size;
  }

  /** `undefined` for a place that has had its result. */
  append({ key, path, data, errors: failures, isRetryable }: FieldResult): LogEntry | undefined {
    if (!this.#pendingKeys.delete(key)) return undefined;
    this.#lastSequenceNumber += 1;
    const errors = failures ?? null;
    const entry = {
      key,
      cursor: `${this.#lastSequenceNumber}-0`,
      path,
      data,
      errors,
      isFailure: isRetryable,
      size: Buffer.byteLength(JSON.stringify({ path, data, errors })),
    };
    this.#put(entry);
    return entry;
  }

  /** These places get another update, which replaces the one they have. */
  reopen(keys: readonly string[]): void {
    for (const key of keys) this.#pendingKeys.add(key);
  }

  /** What comes after a cursor. */
  pageAfter(cursor: string): LogPage {
    return {
      updates: this.entries.filter((entry) => isLaterId(entry.cursor, cursor)),
      remaining: this.#pendingKeys.size,
    };
  }

  /** To the end: it takes the place of an older one that comes earlier. */
  #put(entry: LogEntry): void {
    this.#size += entry.size - (this.#entries.get(entry.key)?.size ?? 0);
    this.#entries.delete(entry.key);
    this.#entries.set(entry.key, entry);
  }
}
