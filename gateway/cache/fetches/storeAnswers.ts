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

/** What an answer was worth, per unit: how long the client may keep it, or `undefined` where it was not stored. */
type ItemContributions = readonly (CachedContribution | undefined)[];

/** Stores what a subgraph answered, before anybody writes into it. */
export function* storeAnswers(
  cache: FetchCache,
  subgraph: string,
  identity: string | undefined,
  result: AnsweredResult,
  units: readonly AnsweredItem[],
  hasGeneralErrors: boolean,
  since: ReadVersion,
): SlicedTask<ItemContributions> {
  const { options } = cache;
  const parts: (CachedContribution | undefined)[] = [];
  let writes: CacheWrite[] = [];
  const storages = new Map<CachePlan, Map<string, StorageDecision>>();
  const now = options.now();
  for (const [number, { item, answer }] of units.entries()) {
    if (number % itemsPerSlice === itemsPerSlice - 1) {
      write();
      yield;
    }
    const storage = storageFor(item, answer);
    item.plan.isStorable = storage.isStored;
    if (!storage.isStored) {
      if (storage.hasInvalidMetadata) options.onInvalidMetadata(subgraph, storage.reason);
      parts.push(undefined);
      continue;
    }
    const { lifetime, ageMs, scope, tags } = storage;
    if (scope === 'PRIVATE') item.plan.mayBePrivate = true;
    const value = yield* stringifyToTextInSlices(answer.value);
    if (value.length > options.maxEntrySize) {
      item.plan.isStorable = false;
      options.observer.onNotStored({ subgraph, type: item.type, reason: 'too large', count: 1 });
      parts.push(undefined);
      continue;
    }
    const ofValue = yield* item.tagsOf(answer.value);
    const storedAt = now - ageMs;
    writes.push({
      key: item.keyOf(scope),
      value,
      storedAt,
      freshUntil: now + lifetime.freshMs,
      staleWhileRevalidateUntil: now + lifetime.revalidateMs,
      staleIfErrorUntil: now + lifetime.fallbackMs,
      tags: [subgraphTag(subgraph), ...ofValue, ...tags.map(customTag)],
    });
    options.observer.onStored({ subgraph, type: item.type, bytes: Buffer.byteLength(value) });
    parts.push({
      kind: 'cached',
      scope,
      ageMs,
      freshForMs: lifetime.freshMs,
      headers: options.headerNames(subgraph, scope),
    });
  }
  write();
  return parts;

  function write(): void {
    if (writes.length > 0) cache.store.setMany(writes, since);
    writes = [];
  }

  /** The same for most units of an answer. */
  function storageFor(unit: CacheableItem, { value, errors }: ItemAnswer): StorageDecision {
    const hasErrors = hasGeneralErrors || errors.length > 0 || value === undefined;
    const kind = `${hasErrors} ${value === null}`;
    let ofPlan = storages.get(unit.plan);
    if (ofPlan === undefined) {
      ofPlan = new Map();
      storages.set(unit.plan, ofPlan);
    }
    let storage = ofPlan.get(kind);
    if (storage === undefined) {
      const { cacheControl, age, extensions } = result.metadata ?? noCacheMetadata;
      storage = decideStorage(
        unit.plan.rule,
        { headers: { cacheControl, age }, extensions, hasErrors, isNull: value === null },
        { nullMaxAgeMs: options.nullMaxAgeMs, tagLimits: options.tagLimits, identity },
      );
      ofPlan.set(kind, storage);
    }
    if (!storage.isStored) {
      const reason = storage.hasInvalidMetadata ? 'mistake' : hasErrors ? 'errors' : 'refused';
      options.observer.onNotStored({ subgraph, type: unit.type, reason, count: 1 });
    }
    return storage;
  }
}

const noCacheMetadata = { cacheControl: undefined, age: undefined, extensions: undefined };

/** Long lists pause after so many. */
const itemsPerSlice = 100;
