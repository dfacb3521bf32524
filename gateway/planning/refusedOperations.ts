import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { GatewayError } from '../errors.ts';

interface RefusedOperationsOptions {
  readonly maxEntries: number;
  /** How long one is kept: the machine may have been busy with something else when it was tried. */
  readonly ttlMs: number;
}

/** Operations that went beyond a limit of planning, and the error for whoever sends one again: finding out a
 *  second time would cost as much as the first time. Holds a hash of each, not the text. */
export class RefusedOperations {
  readonly #errors: LRUCache<string, GatewayError>;

  constructor({ maxEntries, ttlMs }: RefusedOperationsOptions) {
    this.#errors = new LRUCache({ max: maxEntries, ttl: ttlMs });
  }

  find(key: string): GatewayError | undefined {
    return this.#errors.size === 0 ? undefined : this.#errors.get(hash(key));
  }

  add(key: string, error: GatewayError): void {
    this.#errors.set(hash(key), error);
  }
}

function hash(key: string): string {
  return createHash('sha256').update(key).digest('base64');
}
