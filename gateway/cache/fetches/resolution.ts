import type { GatewayError } from '../../errors.ts';
import type { CachedContribution, CacheScope } from '../../execution/cachingContribution.ts';
import type { FetchError, FetchResult, Staleness } from '../../execution/fetchCall.ts';
import type { SlicedTask } from '../../time/slicedTask.ts';
import { strictestScope } from '../rules/cacheRule.ts';
import { ageOf, contributionOf, type EffectiveEntry } from './effectiveEntry.ts';
import type { ItemAnswer, ItemizedCall } from './itemizedCall.ts';

/** What became of one unit. */
export type Resolution =
  | {
      readonly kind: 'entry';
      readonly effectiveEntry: EffectiveEntry;
      readonly reason: Staleness['reason'] | undefined;
    }
  | {
      readonly kind: 'answer';
      readonly answer: ItemAnswer;
      readonly contribution: CachedContribution | undefined;
      readonly isEscapeFree: boolean;
    }
  | { readonly kind: 'failed'; readonly error: GatewayError };

interface AssembleResultOptions {
  readonly itemizedCall: ItemizedCall;
  readonly resolutions: readonly Resolution[];
  /** Errors that are of no single unit. */
  readonly generalErrors: readonly FetchError[];
  readonly now: number;
  headerNames(scope: CacheScope): readonly string[];
}

/** The result of a call as if everything had been fetched. */
export function* assembleResult(joining: AssembleResultOptions): SlicedTask<FetchResult> {
  const { itemizedCall, resolutions, generalErrors, now } = joining;
  const [first] = resolutions;
  if (
    first?.kind === 'failed' &&
    resolutions.every((one) => one.kind === 'failed' && one.error === first.error)
  ) {
    return { kind: 'failed', error: first.error };
  }
  const values: unknown[] = resolutions.map((one) => (one.kind === 'answer' ? one.answer.value : undefined));
  let isEscapeFree = yield* parseEntries(resolutions, values);
  const errors: FetchError[] = [...generalErrors];
  const stale = new Map<number | string, Staleness>();
  const parts: (CachedContribution | undefined)[] = [];
  for (const [place, one] of resolutions.entries()) {
    if (place % itemsPerSlice === itemsPerSlice - 1) yield;
    if (one.kind === 'entry') {
      parts.push(contributionOf(one.effectiveEntry, now, joining.headerNames(one.effectiveEntry.scope)));
      if (one.reason !== undefined) {
        stale.set(itemizedCall.responseKeyOf(place), {
          ageMs: ageOf(one.effectiveEntry, now),
          reason: one.reason,
        });
      }
    } else if (one.kind === 'answer') {
      parts.push(one.contribution);
      isEscapeFree &&= one.isEscapeFree;
      for (const error of one.answer.errors) errors.push(itemizedCall.toCallError(error, place));
    } else {
      parts.push(undefined);
      const name = itemizedCall.responseKeyOf(place);
      const path = typeof name === 'string' ? [name] : [];
      errors.push(itemizedCall.toCallError({ entry: one.error, entityIndex: undefined, path }, place));
    }
  }
  return {
    kind: 'answered',
    data: itemizedCall.assemble(values),
    errors,
    isEscapeFree,
    metadata: undefined,
    caching: mergeContributions(parts),
    stale: stale.size === 0 ? undefined : stale,
  };
}

/** How long what consists of these parts may be kept; `undefined` where one of them may not. */
export function mergeContributions(
  parts: readonly (CachedContribution | undefined)[],
): CachedContribution | undefined {
  const [first] = parts;
  if (first === undefined) return undefined;
  let { scope, ageMs, freshForMs, headers } = first;
  for (const part of parts) {
    if (part === undefined) return undefined;
    scope = strictestScope(scope, part.scope);
    ageMs = Math.max(ageMs, part.ageMs);
    freshForMs = Math.min(freshForMs, part.freshForMs);
    if (part.headers !== headers) headers = [...new Set([...headers, ...part.headers])];
  }
  return { kind: 'cached', scope, ageMs, freshForMs, headers };
}

/** Puts the values of entries into their places. Whether no string in them has an escape sequence. Many small texts
 *  are parsed as one. */
function* parseEntries(resolutions: readonly Resolution[], values: unknown[]): SlicedTask<boolean> {
  let isEscapeFree = true;
  let places: number[] = [];
  let text = '';
  for (const [place, one] of resolutions.entries()) {
    if (one.kind !== 'entry') continue;
    text += text === '' ? one.effectiveEntry.entry.value : `,${one.effectiveEntry.entry.value}`;
    places.push(place);
    if (text.length < parseBatchLength) continue;
    read();
    yield;
  }
  read();
  return isEscapeFree;

  function read(): void {
    if (places.length === 0) return;
    if (text.includes('\\')) isEscapeFree = false;
    const parsed = JSON.parse(`[${text}]`) as unknown[];
    for (const [index, place] of places.entries()) values[place] = parsed[index];
    places = [];
    text = '';
  }
}

/** Characters that are parsed at once. */
const parseBatchLength = 64 * 1024;
/** Long lists pause after so many. */
const itemsPerSlice = 500;
