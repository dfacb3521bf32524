import type { CancelTimer, Timers } from '../../time/timers.ts';
import type { FoundToken, TokenRecord } from './lateStore.ts';

export interface TokenTableOptions {
  /** Milliseconds that a token is good for. */
  readonly expireAfter: number;
  readonly timers: Timers;
}

interface KeptToken extends FoundToken {
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

  add({ tokenHash, identityHash }: TokenRecord, workId: string): void {
    const { expireAfter, timers } = this.#options;
    const cancelExpiry = timers.after(expireAfter, () => this.#remove(tokenHash));
    this.#tokens.set(tokenHash, { workId, identityHash, cancelExpiry });
    const hashes = this.#ofWork.get(workId);
    if (hashes === undefined) this.#ofWork.set(workId, new Set([tokenHash]));
    else hashes.add(tokenHash);
  }

  find(tokenHash: string): FoundToken | undefined {
    return this.#tokens.get(tokenHash);
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
