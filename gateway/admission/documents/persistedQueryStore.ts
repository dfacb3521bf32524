import { hash } from 'node:crypto';
import { TextSizedCache } from '../textSizedCache.ts';
import type { SharedPersistedQueries } from './sharedPersistedQueries.ts';

interface PersistedQueryStoreOptions {
  /** Size of the part in this process, in characters. */
  readonly textCacheSize: number;
  /** What all processes share; `undefined` if each has its own texts. */
  readonly shared: Pick<SharedPersistedQueries, 'get' | 'set'> | undefined;
  /** @throws for an operation text beyond the limits. */
  readonly checkText: (text: string) => void;
}

/** The texts of automatic persisted queries, as Apollo Server stores and finds them: valid operations only. Its keys are `apq:`
 *  and the hash. */
export class PersistedQueryStore extends TextSizedCache<string> {
  readonly #options: PersistedQueryStoreOptions;

  constructor(options: PersistedQueryStoreOptions) {
    super(options.textCacheSize, (text) => text.length);
    this.#options = options;
  }

  /** A text that this process knows already. */
  findText(sha256: string): string | undefined {
    return this.find(`apq:${sha256}`);
  }

  override async get(key: string): Promise<string | undefined> {
    const { shared } = this.#options;
    const local = this.find(key);
    if (local !== undefined || shared === undefined) return local;
    const sha256 = key.slice('apq:'.length);
    // Nothing is stored under any other name.
    if (!/^[0-9a-f]{64}$/.test(sha256)) return undefined;
    const text = await shared.get(sha256);
    if (text === undefined || !this.#isAcceptable(text, sha256)) return undefined;
    await super.set(key, text);
    return text;
  }

  override set(key: string, text: string): Promise<void> {
    this.#options.shared?.set(key.slice('apq:'.length), text, !this.has(key));
    return super.set(key, text);
  }

  /** Write access to Redis must not be enough to replace an operation, or to exceed the limits. */
  #isAcceptable(text: string, sha256: string): boolean {
    if (hash('sha256', text, 'hex') !== sha256) return false;
    try {
      this.#options.checkText(text);
      return true;
    } catch {
      return false;
    }
  }
}
