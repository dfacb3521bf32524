import { type CacheKeyTarget, cacheKeysOf } from '../cache/cacheKey.ts';
import type { CacheScope } from '../cache/rules/cacheRule.ts';
import { keyHeaders } from '../cache/rules/keyHeaders.ts';
import type { FetchCall } from '../execution/fetchCall.ts';
import { variablesText } from '../execution/fetchCall.ts';
import type { CachePlan } from './cachePlans.ts';

type KeyOf = (target: CacheKeyTarget) => string;

/** The keys of one call. */
export class FetchKeys {
  readonly #call: FetchCall;
  readonly #plan: CachePlan;
  readonly #ignoredHeaders: ReadonlySet<string>;
  readonly #byScope = new Map<CacheScope, KeyOf>();

  constructor(call: FetchCall, plan: CachePlan, ignoredHeaders: ReadonlySet<string>) {
    this.#call = call;
    this.#plan = plan;
    this.#ignoredHeaders = ignoredHeaders;
  }

  /** The key of a value of this scope. A private one needs the scope's identity. */
  of(scope: CacheScope, target: CacheKeyTarget): string {
    let keyOf = this.#byScope.get(scope);
    if (keyOf === undefined) {
      keyOf = this.#make(scope);
      this.#byScope.set(scope, keyOf);
    }
    return keyOf(target);
  }

  #make(scope: CacheScope): KeyOf {
    const { shape, scope: request } = this.#call;
    return cacheKeysOf({
      subgraph: shape.subgraph,
      shape: this.#plan.text,
      variables: variablesText(this.#call, (name) => name),
      schema: this.#plan.fingerprint,
      headers: keyHeaders(request.headersFor(shape.subgraph).pairs, scope, this.#ignoredHeaders),
      identity: scope === 'PRIVATE' ? request.identity : undefined,
    });
  }
}
