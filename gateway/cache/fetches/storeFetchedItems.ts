import type { CachedContribution } from '../../execution/cachingContribution.ts';
import type { CompletedResult } from '../../execution/fetchCall.ts';
import { stringifyToTextInSlices } from '../../json/stringifyInSlices.ts';
import { getOrInsertComputed } from '../../sharing/getOrInsertComputed.ts';
import type { SlicedTask } from '../../time/slicedTask.ts';
import type { NotStoredReason } from '../cacheMetrics.ts';
import { decideStorage, type StorageDecision } from '../rules/storageDecision.ts';
import type { CacheWrite, ReadVersion } from '../store/cacheStore.ts';
import { customTag, subgraphTag } from '../tags/tagNames.ts';
import type { CachePlan } from './cachePlans.ts';
import type { FetchCache } from './fetchCache.ts';
import type { CacheableItem, ItemResult } from './itemizedCall.ts';

export interface FetchedItem {
  readonly item: CacheableItem;
  readonly result: ItemResult;
  /** Whether a stale value can replace an invalid one, so that it is validated even if it must not be stored. */
  readonly isReplaceable: boolean;
}

/** The outcome of storing one item. `invalid`: the schema forbids the value, which is a failure of the subgraph. */
type StorageOutcome =
  | { readonly kind: 'stored'; readonly contribution: CachedContribution }
  | { readonly kind: 'not stored' | 'invalid' };

interface StoreFetchedItemsOptions {
  readonly cache: FetchCache;
  readonly subgraph: string;
  /** The client that private values belong to. */
  readonly identity: string | undefined;
  readonly result: CompletedResult;
  readonly items: readonly FetchedItem[];
  /** Whether the response has errors that belong to no single item. */
  readonly hasGeneralErrors: boolean;
  readonly since: ReadVersion;
}

/** Stores the fetched values that the schema allows. It must run before anything changes the values.
 *  Returns the outcome for each item. */
export function storeFetchedItems(options: StoreFetchedItemsOptions): SlicedTask<readonly StorageOutcome[]> {
  return new FetchedItemStorage(options).run();
}

class FetchedItemStorage {
  readonly #options: StoreFetchedItemsOptions;
  readonly #now: number;
  readonly #decisions = new Map<CachePlan, Map<string, StorageDecision>>();
  readonly #storedPlans = new Set<CachePlan>();
  #writes: CacheWrite[] = [];

  constructor(options: StoreFetchedItemsOptions) {
    this.#options = options;
    this.#now = options.cache.options.now();
  }

  *run(): SlicedTask<readonly StorageOutcome[]> {
    const { items } = this.#options;
    const outcomes: StorageOutcome[] = [];
    for (const [position, fetchedItem] of items.entries()) {
      if (position % itemsPerSlice === itemsPerSlice - 1) {
        this.#flushWrites();
        yield;
      }
      outcomes.push(yield* this.#store(fetchedItem));
    }
    this.#flushWrites();
    for (const { item } of items) item.plan.isStorable = this.#storedPlans.has(item.plan);
    return outcomes;
  }

  *#store({ item, result, isReplaceable }: FetchedItem): SlicedTask<StorageOutcome> {
    const decision = this.#decisionFor(item, result);
    if (decision.kind === 'errors') {
      // A requested field that is missing without an error is as invalid as one of the wrong type.
      const isMissing =
        result.value === undefined && result.errors.length === 0 && !this.#options.hasGeneralErrors;
      return isMissing
        ? this.#reject(item, 'schema violation', 'the response has no value and no error')
        : this.#reject(item, 'errors', decision.reason);
    }
    if (decision.kind !== 'stored' && !isReplaceable)
      return this.#reject(item, decision.kind, decision.reason);
    // The text comes first: its length limits the time that the validation takes.
    const text = yield* stringifyToTextInSlices(result.value);
    const isTooLarge = text.length > this.#options.cache.options.maxEntrySize;
    const invalidField = isTooLarge ? undefined : item.findInvalidIn(result.value);
    if (invalidField !== undefined)
      return this.#reject(item, 'schema violation', `the schema forbids the value of ${invalidField}`);
    if (decision.kind !== 'stored') return this.#reject(item, decision.kind, decision.reason);
    if (isTooLarge) return this.#reject(item, 'too large', 'the value is larger than cache.maxEntrySize');
    return this.#write(item, text, yield* item.tagsOf(result.value), decision);
  }

  #write(
    item: CacheableItem,
    value: string,
    valueTags: readonly string[],
    { lifetime, ageMs, scope, tags }: Extract<StorageDecision, { kind: 'stored' }>,
  ): StorageOutcome {
    const { cache, subgraph } = this.#options;
    const { plan, type } = item;
    if (scope === 'PRIVATE') plan.mayBePrivate = true;
    this.#storedPlans.add(plan);
    const now = this.#now;
    this.#writes.push({
      key: item.keyOf(scope),
      value,
      storedAt: now - ageMs,
      freshUntil: now + lifetime.freshMs,
      staleWhileRevalidateUntil: now + lifetime.revalidateMs,
      staleIfErrorUntil: now + lifetime.fallbackMs,
      tags: [subgraphTag(subgraph), ...valueTags, ...tags.map(customTag)],
    });
    plan.usage.onStored();
    cache.options.observer.onStored({ subgraph, type, bytes: Buffer.byteLength(value) });
    const headers = cache.options.headerNames(subgraph, scope);
    return {
      kind: 'stored',
      contribution: { kind: 'cached', scope, ageMs, freshForMs: lifetime.freshMs, headers },
    };
  }

  #reject({ type, plan }: CacheableItem, kind: NotStoredReason, reason: string): StorageOutcome {
    const { cache, subgraph } = this.#options;
    cache.options.observer.onNotStored({ subgraph, type, reason: kind });
    plan.usage.onNotStored(reason, kind === 'errors' ? 'info' : 'warn', 1);
    return { kind: kind === 'schema violation' ? 'invalid' : 'not stored' };
  }

  #flushWrites(): void {
    const { cache, since } = this.#options;
    if (this.#writes.length > 0) cache.store.setMany(this.#writes, since);
    this.#writes = [];
  }

  /** Decides once for all items of a plan that differ in nothing that matters. */
  #decisionFor({ plan }: CacheableItem, { value, errors }: ItemResult): StorageDecision {
    const { cache, subgraph, identity, result, hasGeneralErrors } = this.#options;
    const hasErrors = hasGeneralErrors || errors.length > 0 || value === undefined;
    const isNull = value === null;
    const decisions = getOrInsertComputed(this.#decisions, plan, () => new Map());
    return getOrInsertComputed(decisions, `${hasErrors} ${isNull}`, () => {
      const { cacheControl, age, extensions, hasCookies = false } = result.metadata ?? noCacheMetadata;
      const { nullMaxAgeMs, tagLimits, ignoresNoStore } = cache.options;
      return decideStorage(
        plan.rule,
        { headers: { cacheControl, age }, extensions, hasErrors, isNull, hasCookies },
        { nullMaxAgeMs, tagLimits, ignoresNoStore: ignoresNoStore(subgraph), identity },
      );
    });
  }
}

const noCacheMetadata = {
  cacheControl: undefined,
  age: undefined,
  extensions: undefined,
  hasCookies: undefined,
};

const itemsPerSlice = 100;
