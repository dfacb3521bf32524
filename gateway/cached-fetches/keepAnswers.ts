import type { CachedPart } from '../cache/rules/responseCaching.ts';
import { type Storage, storageOf } from '../cache/rules/storageOf.ts';
import type { CacheWrite, ReadStart } from '../cache/store/cacheStore.ts';
import { ownTag, subgraphTag } from '../cache/tags/tagNames.ts';
import { textInSlices } from '../json/stringifyInSlices.ts';
import type { SlicedWork } from '../time/inSlices.ts';
import type { CachePlan } from './cachePlans.ts';
import type { Answered, CacheUnit, UnitAnswer } from './cacheUnits.ts';
import type { FetchCache } from './fetchCache.ts';

export interface KeptUnit {
  readonly unit: CacheUnit;
  readonly answer: UnitAnswer;
}

/** What an answer was worth, per unit: how long the client may keep it, or `undefined` where it was not stored. */
export type KeptParts = readonly (CachedPart | undefined)[];

/** Stores what a subgraph answered, before anybody writes into it. */
export function* keepAnswers(
  cache: FetchCache,
  subgraph: string,
  identity: string | undefined,
  result: Answered,
  units: readonly KeptUnit[],
  hasGeneralErrors: boolean,
  since: ReadStart,
): SlicedWork<KeptParts> {
  const { options } = cache;
  const parts: (CachedPart | undefined)[] = [];
  let writes: CacheWrite[] = [];
  const storages = new Map<CachePlan, Map<string, Storage>>();
  const now = options.now();
  for (const [number, { unit, answer }] of units.entries()) {
    if (number % unitsPerPause === unitsPerPause - 1) {
      write();
      yield;
    }
    const storage = storageFor(unit, answer);
    unit.plan.isStorable = storage.isStored;
    if (!storage.isStored) {
      if (storage.isMistake) options.onMistake(subgraph, storage.reason);
      parts.push(undefined);
      continue;
    }
    const { lifetime, ageMs, scope, tags } = storage;
    if (scope === 'PRIVATE') unit.plan.mayBePrivate = true;
    const value = yield* textInSlices(answer.value);
    if (value.length > options.maxEntrySize) {
      unit.plan.isStorable = false;
      options.observer.onNotStored({ subgraph, type: unit.type, reason: 'too large', count: 1 });
      parts.push(undefined);
      continue;
    }
    const ofValue = yield* unit.tagsOf(answer.value);
    const storedAt = now - ageMs;
    writes.push({
      key: unit.keyOf(scope),
      value,
      storedAt,
      freshUntil: now + lifetime.freshMs,
      staleWhileRevalidateUntil: now + lifetime.revalidateMs,
      staleIfErrorUntil: now + lifetime.fallbackMs,
      tags: [subgraphTag(subgraph), ...ofValue, ...tags.map(ownTag)],
    });
    options.observer.onStored({ subgraph, type: unit.type, bytes: Buffer.byteLength(value) });
    parts.push({
      kind: 'cached',
      scope,
      ageMs,
      leftMs: lifetime.freshMs,
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
  function storageFor(unit: CacheUnit, { value, errors }: UnitAnswer): Storage {
    const hasErrors = hasGeneralErrors || errors.length > 0 || value === undefined;
    const kind = `${hasErrors} ${value === null}`;
    let ofPlan = storages.get(unit.plan);
    if (ofPlan === undefined) {
      ofPlan = new Map();
      storages.set(unit.plan, ofPlan);
    }
    let storage = ofPlan.get(kind);
    if (storage === undefined) {
      const { cacheControl, age, extensions } = result.answer ?? nothingSaid;
      storage = storageOf(
        unit.plan.rule,
        { headers: { cacheControl, age }, extensions, hasErrors, isNull: value === null },
        { nullMaxAgeMs: options.nullMaxAgeMs, tagLimits: options.tagLimits, identity },
      );
      ofPlan.set(kind, storage);
    }
    if (!storage.isStored) {
      const reason = storage.isMistake ? 'mistake' : hasErrors ? 'errors' : 'refused';
      options.observer.onNotStored({ subgraph, type: unit.type, reason, count: 1 });
    }
    return storage;
  }
}

const nothingSaid = { cacheControl: undefined, age: undefined, extensions: undefined };

/** Long lists pause after so many. */
const unitsPerPause = 100;
