import type { CancelTimer, Timers } from '../../time/timers.ts';
import type { FoundToken, TokenRecord } from './lateStore.ts';

export interface TokenTableOptions {
  /** Milliseconds that a token is good for. */
  readonly expireAfter: number;
  readonly timers: Timers;
  /** The clock, in milliseconds. */
  readonly now: () => number;
}

/** A token that is good for a while yet. */
export interface LiveToken extends TokenRecord {
  readonly workId: string;
  readonly expiresInMs: number;
}

interface KeptToken extends FoundToken {
  readonly expiresAt: number;
  readonly cancelExpiry: CancelTimer;
}

/** The tokens of this process that have not expired. */
export class TokenTable {
  readonly #options: TokenTableOptions;
  readonly #tokens = new Map<string, KeptToken>();
  readonly #ofWork = new Map<string, Set<string>>();

  constructor(options: TokenTableOptions) {
    this.#options = options;
  }

  /** A token that is there already leads to this work from now on. */
  add({ tokenHash, identityHash }: TokenRecord, workId: string): void {
    const { expireAfter, timers, now } = this.#options;
    this.#remove(tokenHash);
    const cancelExpiry = timers.after(expireAfter, () => this.#remove(tokenHash));
    this.#tokens.set(tokenHash, { workId, identityHash, expiresAt: now() + expireAfter, cancelExpiry });
    const hashes = this.#ofWork.get(workId);
    if (hashes === undefined) this.#ofWork.set(workId, new Set([tokenHash]));
    else hashes.add(tokenHash);
  }

  find(tokenHash: string): FoundToken | undefined {
    return this.#tokens.get(tokenHash);
  }

  all(): readonly LiveToken[] {
    const now = this.#options.now();
    return Array.from(this.#tokens, ([tokenHash, { workId, identityHash, expiresAt }]) => ({
      tokenHash,
      identityHash,
      workId,
      expiresInMs: expiresAt - now,
    }));
  }

  /** Whether any leads to this work. */
  leadTo(workId: string): boolean {
    return this.#ofWork.has(workId);
  }

  clear(): void {
    for (const { cancelExpiry } of this.#tokens.values()) cancelExpiry();
    this.#tokens.clear();
    this.#ofWork.clear();
  }

  #remove(tokenHash: string): void {
    const token = this.#tokens.get(tokenHash);
    if (token === undefined) return;
    token.cancelExpiry();
    this.#tokens.delete(tokenHash);
    const hashes = this.#ofWork.get(token.workId);
    hashes?.delete(tokenHash);
    if (hashes?.size === 0) this.#ofWork.delete(token.workId);
  }
}
