import type { CachedContribution } from '../../execution/cachingContribution.ts';
import type { FetchCall, FetchResult } from '../../execution/fetchCall.ts';
import type { RequestContext } from '../../execution/requestContext.ts';
import { parseExactJson } from '../../json/exactJson.ts';
import type { CacheEntry, CacheResults } from '../store/cacheStore.ts';
import { FetchKeys } from './cacheKey.ts';
import type { CachePlan, CachePlans } from './cachePlans.ts';
import type { FetchCache } from './fetchCache.ts';
import { assembleRoot, isOfType, mayHaveCachedItems, typenameOf } from './itemizedCall.ts';
import { mergeContributions } from './resolution.ts';

/** More items are resolved by a `CachedRequest`, which pauses. */
const maxItems = 200;

/** A call whose items are all cacheable, and are looked up under one key each. */
interface PlainCall {
  readonly call: FetchCall;
  /** A plan for all entities, or one for each root field. */
  readonly plans: readonly CachePlan[];
  readonly itemCount: number;
}

interface PlainLookup {
  readonly calls: readonly PlainCall[];
  /** The keys of the first call in the order of its items, then the keys of the second, and so on. */
  readonly keys: readonly string[];
}

/** The lookup of calls that are all plain; `undefined` for other calls. */
export function plainLookupOf(
  calls: readonly FetchCall[],
  plans: CachePlans,
  cache: FetchCache,
): PlainLookup | undefined {
  const keys: string[] = [];
  const plainCalls: PlainCall[] = [];
  for (const call of calls) {
    const start = keys.length;
    const plansOfCall = mayHaveCachedItems(call) ? addKeys(call, plans, cache, keys) : undefined;
    if (plansOfCall === undefined) return undefined;
    plainCalls.push({ call, plans: plansOfCall, itemCount: keys.length - start });
  }
  return { calls: plainCalls, keys };
}

/** Adds the keys of a plain call to `keys`. Returns its plans; `undefined` if the call is not plain. */
function addKeys(
  call: FetchCall,
  plans: CachePlans,
  { options: { ignoredHeaders } }: FetchCache,
  keys: string[],
): readonly CachePlan[] | undefined {
  const { shape, requestContext, representations } = call;
  if (shape.isEntityFetch) {
    const plan = plans.planOf(shape);
    if (keys.length + representations.length > maxItems || !isPlain(plan, requestContext)) return undefined;
    const fetchKeys = new FetchKeys(call, shape, plan, ignoredHeaders);
    const { scope } = plan.rule;
    for (const representation of representations) {
      keys.push(fetchKeys.keyFor(scope, { kind: 'entity', representation }));
    }
    return [plan];
  }
  const items = plans.rootPartitionOf(shape)?.items ?? [];
  if (items.length === 0 || keys.length + items.length > maxItems) return undefined;
  const plansOfItems: CachePlan[] = [];
  for (const { shape: itemShape, responseName } of items) {
    const plan = plans.planOf(itemShape);
    if (!isPlain(plan, requestContext)) return undefined;
    const fetchKeys = new FetchKeys(call, itemShape, plan, ignoredHeaders);
    keys.push(fetchKeys.keyFor(plan.rule.scope, { kind: 'root', field: responseName ?? '*' }));
    plansOfItems.push(plan);
  }
  return plansOfItems;
}

function isPlain(
  plan: ReturnType<CachePlans['planOf']>,
  { identity }: Pick<RequestContext, 'identity'>,
): plan is CachePlan {
  if (!plan.isCacheable) return false;
  // A private entry of the client would be looked up too.
  if (plan.rule.scope === 'PUBLIC') return !plan.mayBePrivate || identity === undefined;
  return identity !== undefined;
}

/** The results of calls whose entries are all fresh: one for each call; `undefined` if an entry is missing, stale or
 *  damaged. The fast path of `CachedRequest` for what a warm cache has: nothing is fetched, refreshed or awaited, and
 *  no object is created for an item besides its value. `bench/cached.ts` measures it.
 *
 *  `entries`: those of `keys`. */
export function resultsOfFreshEntries(
  cache: FetchCache,
  { calls }: PlainLookup,
  entries: CacheResults,
  plans: CachePlans,
): readonly FetchResult[] | undefined {
  const now = cache.options.now();
  const results: FetchResult[] = [];
  let start = 0;
  for (const plainCall of calls) {
    const end = start + plainCall.itemCount;
    const contribution = contributionOf(cache, plainCall, entries, start, now);
    const read = contribution && readValues(entries, start, end);
    if (read === undefined) return undefined;
    const { shape } = plainCall.call;
    const partition = shape.isEntityFetch ? undefined : plans.rootPartitionOf(shape);
    results.push({
      kind: 'completed',
      data: partition === undefined ? read.values : assembleRoot(read.values, partition),
      errors: [],
      isEscapeFree: read.isEscapeFree,
      metadata: undefined,
      caching: contribution,
      stale: undefined,
    });
    start = end;
  }
  return results;
}

/** Settles the calls with their results, and counts the hits. */
export function settleFreshHits(
  { options: { observer } }: FetchCache,
  { calls }: PlainLookup,
  results: readonly FetchResult[],
  onCallDone: () => void,
): void {
  for (const { call, plans, itemCount } of calls) {
    for (const plan of plans) plan.usage.onLookup('hits', itemCount / plans.length);
    call.span?.onLookup(itemCount, 0, 0);
    const { subgraph, isEntityFetch } = call.shape;
    const onHits = (type: string, hits: number): void =>
      observer.onLookup({ subgraph, type, hits, stale: 0, misses: 0, durationMs: 0 });
    if (isEntityFetch) countByType(call.representations, onHits);
    else onHits(plans[0]?.rootType ?? '', itemCount);
  }
  for (const [index, { call }] of calls.entries()) call.settle(results[index] as FetchResult, onCallDone);
}

/** Calls `onCounted` for each sequence of representations of one type: most calls have one type. */
function countByType(
  representations: readonly string[],
  onCounted: (type: string, count: number) => void,
): void {
  for (let start = 0, end = 0; start < representations.length; start = end) {
    const type = typenameOf(representations[start] ?? '');
    do end += 1;
    while (end < representations.length && isOfType(representations[end] ?? '', type));
    onCounted(type, end - start);
  }
}

/** The strictest contribution of a call's entries, from index `start`; `undefined` if one of them is not fresh. */
function contributionOf(
  { options }: FetchCache,
  { call, plans, itemCount }: PlainCall,
  entries: CacheResults,
  start: number,
  now: number,
): CachedContribution | undefined {
  const contributions: CachedContribution[] = [];
  const entriesPerPlan = itemCount / plans.length;
  let next = start;
  for (const { rule } of plans) {
    let ageMs = 0;
    let freshForMs = Number.POSITIVE_INFINITY;
    for (let count = 0; count < entriesPerPlan; count++) {
      const entry = entries[next++];
      if (entry === undefined) return undefined;
      const age = now - entry.storedAt;
      // As `selectEntry` limits it.
      const freshFor = Math.min(entry.freshUntil - now, rule.lifetime.freshMs - age);
      if (freshFor <= 0) return undefined;
      if (age > ageMs) ageMs = age;
      if (freshFor < freshForMs) freshForMs = freshFor;
    }
    const headers = options.headerNames(call.shape.subgraph, rule.scope);
    contributions.push({ kind: 'cached', scope: rule.scope, ageMs, freshForMs, headers });
  }
  return contributions.length === 1 ? contributions[0] : mergeContributions(contributions);
}

/** `undefined` if a value is damaged. */
function readValues(
  entries: CacheResults,
  start: number,
  end: number,
): { readonly values: readonly unknown[]; readonly isEscapeFree: boolean } | undefined {
  const values: unknown[] = [];
  let isEscapeFree = true;
  const unparsed: number[] = [];
  let text = '';
  for (let index = start; index < end; index++) {
    const { parsed, value } = entries[index] as CacheEntry;
    if (parsed !== undefined) {
      values.push(parsed.copy());
      if (!parsed.isEscapeFree) isEscapeFree = false;
    } else {
      unparsed.push(values.length);
      values.push(undefined);
      text += text === '' ? value : `,${value}`;
    }
  }
  if (unparsed.length === 0) return { values, isEscapeFree };
  const texts = parseValues(text);
  if (texts === undefined) return undefined;
  for (const [position, index] of unparsed.entries()) values[index] = texts[position];
  return { values, isEscapeFree: isEscapeFree && !text.includes('\\') };
}

function parseValues(text: string): readonly unknown[] | undefined {
  try {
    return parseExactJson(`[${text}]`) as unknown[];
  } catch {
    return undefined;
  }
}
