import type { GatewayError } from '../../errors.ts';
import type { CachedContribution, CacheScope } from '../../execution/cachingContribution.ts';
import type { FetchError, FetchResult, Staleness } from '../../execution/fetchCall.ts';
import { parseExactJson } from '../../json/exactJson.ts';
import type { SlicedTask } from '../../time/slicedTask.ts';
import { strictestScope } from '../rules/cacheRule.ts';
import { ageOf, contributionOf, type EffectiveEntry } from './effectiveEntry.ts';
import type { ItemizedCall, ItemResult } from './itemizedCall.ts';

/** How one item was resolved. */
export type Resolution =
  | {
      readonly kind: 'entry';
      readonly effectiveEntry: EffectiveEntry;
      readonly reason: Staleness['reason'] | undefined;
    }
  | {
      readonly kind: 'fetched';
      readonly result: ItemResult;
      readonly contribution: CachedContribution | undefined;
      readonly isEscapeFree: boolean;
    }
  | { readonly kind: 'failed'; readonly error: GatewayError };

interface AssembleResultOptions {
  readonly itemizedCall: ItemizedCall;
  readonly resolutions: readonly Resolution[];
  /** Errors that belong to no single item. */
  readonly generalErrors: readonly FetchError[];
  readonly now: number;
  headerNames(scope: CacheScope): readonly string[];
}

/** Assembles the result that the call would have if all items had been fetched. */
export function* assembleResult({
  itemizedCall,
  resolutions,
  generalErrors,
  now,
  headerNames,
}: AssembleResultOptions): SlicedTask<FetchResult> {
  const [first] = resolutions;
  if (
    first?.kind === 'failed' &&
    resolutions.every((resolution) => resolution.kind === 'failed' && resolution.error === first.error)
  ) {
    return { kind: 'failed', error: first.error };
  }
  const values: unknown[] = resolutions.map((resolution) =>
    resolution.kind === 'fetched' ? resolution.result.value : undefined,
  );
  let isEscapeFree = yield* parseEntries(resolutions, values);
  const errors: FetchError[] = [...generalErrors];
  const stale = new Map<number | string, Staleness>();
  const contributions: (CachedContribution | undefined)[] = [];
  for (const [index, resolution] of resolutions.entries()) {
    if (index % itemsPerSlice === itemsPerSlice - 1) yield;
    if (resolution.kind === 'entry') {
      contributions.push(
        contributionOf(resolution.effectiveEntry, now, headerNames(resolution.effectiveEntry.scope)),
      );
      if (resolution.reason !== undefined) {
        stale.set(itemizedCall.responseKeyOf(index), {
          ageMs: ageOf(resolution.effectiveEntry, now),
          reason: resolution.reason,
        });
      }
    } else if (resolution.kind === 'fetched') {
      contributions.push(resolution.contribution);
      isEscapeFree &&= resolution.isEscapeFree;
      for (const error of resolution.result.errors) errors.push(itemizedCall.toCallError(error, index));
    } else {
      contributions.push(undefined);
      const name = itemizedCall.responseKeyOf(index);
      const path = typeof name === 'string' ? [name] : [];
      errors.push(itemizedCall.toCallError({ entry: resolution.error, entityIndex: undefined, path }, index));
    }
  }
  return {
    kind: 'completed',
    data: itemizedCall.assemble(values),
    errors,
    isEscapeFree,
    metadata: undefined,
    caching: mergeContributions(contributions),
    stale: stale.size === 0 ? undefined : stale,
  };
}

/** The strictest of the contributions; `undefined` if one of the values must not be cached. */
export function mergeContributions(
  contributions: readonly (CachedContribution | undefined)[],
): CachedContribution | undefined {
  const [first] = contributions;
  if (first === undefined) return undefined;
  let { scope, ageMs, freshForMs, headers } = first;
  for (const contribution of contributions) {
    if (contribution === undefined) return undefined;
    scope = strictestScope(scope, contribution.scope);
    ageMs = Math.max(ageMs, contribution.ageMs);
    freshForMs = Math.min(freshForMs, contribution.freshForMs);
    if (contribution.headers !== headers) headers = [...new Set([...headers, ...contribution.headers])];
  }
  return { kind: 'cached', scope, ageMs, freshForMs, headers };
}

/** Writes the values of entries to `values`. Returns whether no string in them has an escape sequence. Small texts are
 *  parsed together, which is faster. */
function* parseEntries(resolutions: readonly Resolution[], values: unknown[]): SlicedTask<boolean> {
  let isEscapeFree = true;
  let indexes: number[] = [];
  let text = '';
  let copiedLength = 0;
  for (const [index, resolution] of resolutions.entries()) {
    if (resolution.kind !== 'entry') continue;
    const { parsed, value } = resolution.effectiveEntry.entry;
    if (parsed !== undefined) {
      values[index] = parsed.copy();
      isEscapeFree &&= parsed.isEscapeFree;
      copiedLength += value.length;
    } else {
      text += text === '' ? value : `,${value}`;
      indexes.push(index);
    }
    if (text.length + copiedLength < parseBatchLength) continue;
    copiedLength = 0;
    parseBatch();
    yield;
  }
  parseBatch();
  return isEscapeFree;

  function parseBatch(): void {
    if (indexes.length === 0) return;
    if (text.includes('\\')) isEscapeFree = false;
    const parsed = parseExactJson(`[${text}]`) as unknown[];
    for (const [position, index] of indexes.entries()) values[index] = parsed[position];
    indexes = [];
    text = '';
  }
}

/** In characters. */
const parseBatchLength = 64 * 1024;
const itemsPerSlice = 500;
