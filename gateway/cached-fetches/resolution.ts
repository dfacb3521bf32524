import { type CacheScope, strictestScope } from '../cache/rules/cacheRule.ts';
import type { CachedPart } from '../cache/rules/responseCaching.ts';
import type { GatewayError } from '../errors.ts';
import type { FetchError, FetchResult, Staleness } from '../execution/fetchCall.ts';
import type { SlicedWork } from '../time/inSlices.ts';
import type { CallUnits, UnitAnswer } from './cacheUnits.ts';
import { ageOf, type EntryReading, partOf } from './entryReading.ts';

/** What became of one unit. */
export type Resolution =
  | {
      readonly kind: 'entry';
      readonly reading: EntryReading;
      readonly reason: Staleness['reason'] | undefined;
    }
  | {
      readonly kind: 'answer';
      readonly answer: UnitAnswer;
      readonly part: CachedPart | undefined;
      readonly isEscapeFree: boolean;
    }
  | { readonly kind: 'failed'; readonly error: GatewayError };

export interface Joining {
  readonly call: CallUnits;
  readonly resolutions: readonly Resolution[];
  /** Errors that are of no single unit. */
  readonly general: readonly FetchError[];
  readonly now: number;
  headerNames(scope: CacheScope): readonly string[];
}

/** The result of a call as if everything had been fetched. */
export function* joinResolutions(joining: Joining): SlicedWork<FetchResult> {
  const { call, resolutions, general, now } = joining;
  const [first] = resolutions;
  if (
    first?.kind === 'failed' &&
    resolutions.every((one) => one.kind === 'failed' && one.error === first.error)
  ) {
    return { kind: 'failed', error: first.error };
  }
  const values: unknown[] = resolutions.map((one) => (one.kind === 'answer' ? one.answer.value : undefined));
  let isEscapeFree = yield* readEntries(resolutions, values);
  const errors: FetchError[] = [...general];
  const stale = new Map<number | string, Staleness>();
  const parts: (CachedPart | undefined)[] = [];
  for (const [place, one] of resolutions.entries()) {
    if (place % unitsPerPause === unitsPerPause - 1) yield;
    if (one.kind === 'entry') {
      parts.push(partOf(one.reading, now, joining.headerNames(one.reading.scope)));
      if (one.reason !== undefined) {
        stale.set(call.nameOf(place), { ageMs: ageOf(one.reading, now), reason: one.reason });
      }
    } else if (one.kind === 'answer') {
      parts.push(one.part);
      isEscapeFree &&= one.isEscapeFree;
      for (const error of one.answer.errors) errors.push(call.place(error, place));
    } else {
      parts.push(undefined);
      const name = call.nameOf(place);
      const path = typeof name === 'string' ? [name] : [];
      errors.push(call.place({ entry: one.error, entity: undefined, path }, place));
    }
  }
  return {
    kind: 'answered',
    data: call.join(values),
    errors,
    isEscapeFree,
    answer: undefined,
    caching: joinParts(parts),
    stale: stale.size === 0 ? undefined : stale,
  };
}

/** How long what consists of these parts may be kept; `undefined` where one of them may not. */
export function joinParts(parts: readonly (CachedPart | undefined)[]): CachedPart | undefined {
  const [first] = parts;
  if (first === undefined) return undefined;
  let { scope, ageMs, leftMs, headers } = first;
  for (const part of parts) {
    if (part === undefined) return undefined;
    scope = strictestScope(scope, part.scope);
    ageMs = Math.max(ageMs, part.ageMs);
    leftMs = Math.min(leftMs, part.leftMs);
    if (part.headers !== headers) headers = [...new Set([...headers, ...part.headers])];
  }
  return { kind: 'cached', scope, ageMs, leftMs, headers };
}

/** Puts the values of entries into their places. Whether no string in them has an escape sequence. Many small texts
 *  are parsed as one. */
function* readEntries(resolutions: readonly Resolution[], values: unknown[]): SlicedWork<boolean> {
  let isEscapeFree = true;
  let places: number[] = [];
  let text = '';
  for (const [place, one] of resolutions.entries()) {
    if (one.kind !== 'entry') continue;
    text += text === '' ? one.reading.entry.value : `,${one.reading.entry.value}`;
    places.push(place);
    if (text.length < portion) continue;
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
const portion = 64 * 1024;
/** Long lists pause after so many. */
const unitsPerPause = 500;
