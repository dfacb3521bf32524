import { getOrInsertComputed } from '../../sharing/getOrInsertComputed.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import type { FoundToken, TokenRecord } from './jobStore.ts';

interface TokenTableOptions {
  readonly expireAfterMs: number;
  readonly timers: Timers;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** A token that has not expired. */
export interface LiveToken extends TokenRecord {
  readonly runId: string;
  readonly expiresInMs: number;
}

interface StoredToken extends FoundToken {
  readonly expiresAt: number;
  readonly cancelExpiry: CancelTimer;
}

/** The tokens that this process issued and that have not expired. */
export class TokenTable {
  readonly #options: TokenTableOptions;
  readonly #tokens = new Map<string, StoredToken>();
  readonly #hashesByRun = new Map<string, Set<string>>();

  constructor(options: TokenTableOptions) {
    this.#options = options;
  }

  /** Assigns a token to a run. Replaces the run of a known token. */
  add({ tokenHash, ownerHash, traceparent }: TokenRecord, runId: string): void {
    const { expireAfterMs, timers, now } = this.#options;
    this.#remove(tokenHash);
    const cancelExpiry = timers.after(expireAfterMs, () => this.#remove(tokenHash));
    const expiresAt = now() + expireAfterMs;
    this.#tokens.set(tokenHash, { runId, ownerHash, traceparent, expiresAt, cancelExpiry });
    getOrInsertComputed(this.#hashesByRun, runId, () => new Set()).add(tokenHash);
  }

  /** Assigns the tokens of a run to another one. */
  move(runId: string, otherRunId: string): void {
    for (const token of this.of(runId)) this.add(token, otherRunId);
  }

  find(tokenHash: string): FoundToken | undefined {
    return this.#tokens.get(tokenHash);
  }

  all(): readonly LiveToken[] {
    return [...this.#hashesByRun.keys()].flatMap((runId) => this.of(runId));
  }

  /** The tokens of a run. */
  of(runId: string): readonly LiveToken[] {
    const now = this.#options.now();
    return Array.from(this.#hashesByRun.get(runId) ?? [], (tokenHash) => {
      const { ownerHash, traceparent, expiresAt } = this.#tokens.get(tokenHash) as StoredToken;
      return { tokenHash, ownerHash, traceparent, runId, expiresInMs: expiresAt - now };
    });
  }

  hasTokenFor(runId: string): boolean {
    return this.#hashesByRun.has(runId);
  }

  removeAllOf(runId: string): void {
    for (const { tokenHash } of this.of(runId)) this.#remove(tokenHash);
  }

  close(): void {
    for (const { cancelExpiry } of this.#tokens.values()) cancelExpiry();
  }

  #remove(tokenHash: string): void {
    const token = this.#tokens.get(tokenHash);
    if (token === undefined) return;
    token.cancelExpiry();
    this.#tokens.delete(tokenHash);
    const hashes = this.#hashesByRun.get(token.runId);
    hashes?.delete(tokenHash);
    if (hashes?.size === 0) this.#hashesByRun.delete(token.runId);
  }
}
