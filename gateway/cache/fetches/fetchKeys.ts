import type { CacheScope } from '../../execution/cachingContribution.ts';
import type { FetchCall } from '../../execution/fetchCall.ts';
import { serializeVariables } from '../../execution/fetchCall.ts';
import { type CacheKeyTarget, createCacheKeyBuilder } from '../cacheKey.ts';
import { selectKeyHeaders } from '../rules/keyHeaders.ts';
import type { CachePlan } from './cachePlans.ts';

type KeyBuilder = (target: CacheKeyTarget) => string;

/** The keys of one call. */
export class FetchKeys {
  readonly #call: FetchCall;
  readonly #plan: CachePlan;
  readonly #ignoredHeaders: ReadonlySet<string>;
  readonly #builderByScope = new Map<CacheScope, KeyBuilder>();

  constructor(call: FetchCall, plan: CachePlan, ignoredHeaders: ReadonlySet<string>) {
    this.#call = call;
    this.#plan = plan;
    this.#ignoredHeaders = ignoredHeaders;
  }

  /** The key of a value of this scope. A private one needs the scope's identity. */
  keyFor(scope: CacheScope, target: CacheKeyTarget): string {
    let keyOf = this.#builderByScope.get(scope);
    if (keyOf === undefined) {
      keyOf = this.#createBuilder(scope);
      this.#builderByScope.set(scope, keyOf);
    }
    return keyOf(target);
  }

  #createBuilder(scope: CacheScope): KeyBuilder {
    const { shape, requestContext: request } = this.#call;
    return createCacheKeyBuilder({
      subgraph: shape.subgraph,
      shape: this.#plan.operationText,
      variables: serializeVariables(this.#call, (name) => name),
      schema: this.#plan.fingerprint,
      headers: selectKeyHeaders(request.headersFor(shape.subgraph).pairs, scope, this.#ignoredHeaders),
      identity: scope === 'PRIVATE' ? request.identity : undefined,
    });
  }
}
