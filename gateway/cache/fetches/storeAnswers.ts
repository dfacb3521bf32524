import type { CachedContribution } from '../../execution/cachingContribution.ts';
import { stringifyToTextInSlices } from '../../json/stringifyInSlices.ts';
import type { SlicedTask } from '../../time/slicedTask.ts';
import { decideStorage, type StorageDecision } from '../rules/storageDecision.ts';
import type { CacheWrite, ReadVersion } from '../store/cacheStore.ts';
import { customTag, subgraphTag } from '../tags/tagNames.ts';
import type { CachePlan } from './cachePlans.ts';
import type { FetchCache } from './fetchCache.ts';
import type { AnsweredResult, CacheableItem, ItemAnswer } from './itemizedCall.ts';

export interface AnsweredItem {
  readonly item: CacheableItem;
  readonly answer: ItemAnswer;
}

interface StoreAnswersOptions {
  readonly cache: FetchCache;
  readonly subgraph: string;
  /** The client that private values belong to. */
  readonly identity: string | undefined;
  readonly result: AnsweredResult;
  readonly items: readonly AnsweredItem[];
  /** Whether the answer has errors that belong to no single item. */
  readonly hasGeneralErrors: boolean;
  readonly since: ReadVersion;
}

/** Stores a subgraph's answers. It must run before anything changes their values. Returns for each item how long the
 *  client may cache it, or `undefined` if it was not stored. */
export function* storeAnswers({
  cache,
  subgraph,
  identity,
  result,
  items,
  hasGeneralErrors,
  since,
}: StoreAnswersOptions): SlicedTask<readonly (CachedContribution | undefined)[]> {
  const { options } = cache;
  const contributions: (CachedContribution | undefined)[] = [];
  let writes: CacheWrite[] = [];
  const decisions = new Map<CachePlan, Map<string, StorageDecision>>();
  const now = options.now();
  for (const [position, { item, answer }] of items.entries()) {
    if (position % itemsPerSlice === itemsPerSlice - 1) {
      flushWrites();
      yield;
    }
    const decision = decisionFor(item, answer);
    item.plan.isStorable = decision.kind === 'stored';
    if (decision.kind !== 'stored') {
      if (decision.kind === 'invalid') options.onInvalidMetadata(subgraph, decision.reason);
      options.observer.onNotStored({ subgraph, type: item.type, reason: decision.kind });
      contributions.push(undefined);
      continue;
    }
    const { lifetime, ageMs, scope, tags } = decision;
    if (scope === 'PRIVATE') item.plan.mayBePrivate = true;
    const value = yield* stringifyToTextInSlices(answer.value);
    if (value.length > options.maxEntrySize) {
      item.plan.isStorable = false;
      options.observer.onNotStored({ subgraph, type: item.type, reason: 'too large' });
      contributions.push(undefined);
      continue;
    }
    const valueTags = yield* item.tagsOf(answer.value);
    writes.push({
      key: item.keyOf(scope),
      value,
      storedAt: now - ageMs,
      freshUntil: now + lifetime.freshMs,
      staleWhileRevalidateUntil: now + lifetime.revalidateMs,
      staleIfErrorUntil: now + lifetime.fallbackMs,
      tags: [subgraphTag(subgraph), ...valueTags, ...tags.map(customTag)],
    });
    options.observer.onStored({ subgraph, type: item.type, bytes: Buffer.byteLength(value) });
    contributions.push({
      kind: 'cached',
      scope,
      ageMs,
      freshForMs: lifetime.freshMs,
      headers: options.headerNames(subgraph, scope),
    });
  }
  flushWrites();
  return contributions;

  function flushWrites(): void {
    if (writes.length > 0) cache.store.setMany(writes, since);
    writes = [];
  }

  /** Decides once for all items of a plan that differ in nothing that matters. */
  function decisionFor({ plan }: CacheableItem, { value, errors }: ItemAnswer): StorageDecision {
    const hasErrors = hasGeneralErrors || errors.length > 0 || value === undefined;
    const isNull = value === null;
    const memoKey = `${hasErrors} ${isNull}`;
    let decisionsOfPlan = decisions.get(plan);
    if (decisionsOfPlan === undefined) {
      decisionsOfPlan = new Map();
      decisions.set(plan, decisionsOfPlan);
    }
    let decision = decisionsOfPlan.get(memoKey);
    if (decision === undefined) {
      const { cacheControl, age, extensions } = result.metadata ?? noCacheMetadata;
      decision = decideStorage(
        plan.rule,
        { headers: { cacheControl, age }, extensions, hasErrors, isNull },
        { nullMaxAgeMs: options.nullMaxAgeMs, tagLimits: options.tagLimits, identity },
      );
      decisionsOfPlan.set(memoKey, decision);
    }
    return decision;
  }
}

const noCacheMetadata = { cacheControl: undefined, age: undefined, extensions: undefined };

const itemsPerSlice = 100;
