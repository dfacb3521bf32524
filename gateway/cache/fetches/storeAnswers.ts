import type { CachedContribution } from '../../execution/cachingContribution.ts';
import { stringifyToTextInSlices } from '../../json/stringifyInSlices.ts';
import type { SlicedTask } from '../../time/slicedTask.ts';
import type { NotStoredReason } from '../cacheMetrics.ts';
import { decideStorage, type StorageDecision } from '../rules/storageDecision.ts';
import type { CacheWrite, ReadVersion } from '../store/cacheStore.ts';
import { customTag, subgraphTag } from '../tags/tagNames.ts';
import type { CachePlan } from './cachePlans.ts';
import type { FetchCache } from './fetchCache.ts';
import type { AnsweredResult, CacheableItem, ItemAnswer } from './itemizedCall.ts';

export interface AnsweredItem {
  readonly item: CacheableItem;
  readonly answer: ItemAnswer;
  /** Whether a stale value can replace an invalid one, so that it is validated even if it must not be stored. */
  readonly isReplaceable: boolean;
}

/** The outcome of storing one item. `invalid`: the schema forbids the value, which is a failure of the subgraph. */
type StorageOutcome =
  | { readonly kind: 'stored'; readonly contribution: CachedContribution }
  | { readonly kind: 'not stored' | 'invalid' };

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

/** Stores a subgraph's answers as far as the schema allows their values. It must run before anything changes the values.
 *  Returns the outcome for each item. */
export function* storeAnswers({
  cache,
  subgraph,
  identity,
  result,
  items,
  hasGeneralErrors,
  since,
}: StoreAnswersOptions): SlicedTask<readonly StorageOutcome[]> {
  const { options } = cache;
  const outcomes: StorageOutcome[] = [];
  let writes: CacheWrite[] = [];
  const decisions = new Map<CachePlan, Map<string, StorageDecision>>();
  const now = options.now();
  for (const [position, { item, answer, isReplaceable }] of items.entries()) {
    if (position % itemsPerSlice === itemsPerSlice - 1) {
      flushWrites();
      yield;
    }
    const decision = decisionFor(item, answer);
    const { plan } = item;
    plan.isStorable = decision.kind === 'stored';
    if (decision.kind === 'errors') {
      // A requested field that is missing without an error is as invalid as one of the wrong type.
      const isMissing = answer.value === undefined && answer.errors.length === 0 && !hasGeneralErrors;
      if (isMissing) reject(item, 'schema violation', 'the answer has no value and no error');
      else reject(item, 'errors', decision.reason);
      continue;
    }
    if (decision.kind !== 'stored' && !isReplaceable) {
      reject(item, decision.kind, decision.reason);
      continue;
    }
    // The text comes first: its length limits the time that the validation takes.
    const value = yield* stringifyToTextInSlices(answer.value);
    const isTooLarge = value.length > options.maxEntrySize;
    const invalidField = isTooLarge ? undefined : item.findInvalidIn(answer.value);
    if (invalidField !== undefined) {
      plan.isStorable = false;
      reject(item, 'schema violation', `the schema forbids the value of ${invalidField}`);
      continue;
    }
    if (decision.kind !== 'stored') {
      reject(item, decision.kind, decision.reason);
      continue;
    }
    if (isTooLarge) {
      plan.isStorable = false;
      reject(item, 'too large', 'the value is larger than cache.maxEntrySize');
      continue;
    }
    const { lifetime, ageMs, scope, tags } = decision;
    if (scope === 'PRIVATE') plan.mayBePrivate = true;
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
    plan.usage.onStored();
    options.observer.onStored({ subgraph, type: item.type, bytes: Buffer.byteLength(value) });
    outcomes.push({
      kind: 'stored',
      contribution: {
        kind: 'cached',
        scope,
        ageMs,
        freshForMs: lifetime.freshMs,
        headers: options.headerNames(subgraph, scope),
      },
    });
  }
  flushWrites();
  return outcomes;

  function reject({ type, plan }: CacheableItem, kind: NotStoredReason, reason: string): void {
    options.observer.onNotStored({ subgraph, type, reason: kind });
    plan.usage.onNotStored(reason, kind === 'errors' ? 'info' : 'warn', 1);
    outcomes.push({ kind: kind === 'schema violation' ? 'invalid' : 'not stored' });
  }

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
      const { cacheControl, age, extensions, hasCookies = false } = result.metadata ?? noCacheMetadata;
      decision = decideStorage(
        plan.rule,
        { headers: { cacheControl, age }, extensions, hasErrors, isNull, hasCookies },
        {
          nullMaxAgeMs: options.nullMaxAgeMs,
          tagLimits: options.tagLimits,
          ignoresNoStore: options.ignoresNoStore(subgraph),
          identity,
        },
      );
      decisionsOfPlan.set(memoKey, decision);
    }
    return decision;
  }
}

const noCacheMetadata = {
  cacheControl: undefined,
  age: undefined,
  extensions: undefined,
  hasCookies: undefined,
};

const itemsPerSlice = 100;
