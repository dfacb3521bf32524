import { LRUCache } from 'lru-cache';
import type { IncrementalFormat } from '../../operation/request.ts';
import { type MediaRange, parseMediaRanges } from './mediaType.ts';

export type SingleMediaType = 'application/json' | 'application/graphql-response+json';

/** What a client's `Accept` header lets us answer. */
export interface AcceptedAnswers {
  /** For an answer in one piece; `undefined` when the client takes no JSON. */
  readonly single: SingleMediaType | undefined;
  /** For an answer in several payloads; `undefined` when the client takes one complete answer only. */
  readonly incremental: IncrementalFormat | undefined;
  /** Whether the client is a browser that would rather have a page. */
  readonly prefersHtml: boolean;
}

// Few clients, few headers: parsing each once is enough, and a client that varies its header gains nothing.
const parsedHeaders = new LRUCache<string, AcceptedAnswers>({ max: 100 });

/** Chooses the forms of an answer by quality, then by how exactly a type is named, then by order. Without
 *  the header, and for a wildcard, it is `application/json`: only a client that names multipart gets it. */
export function negotiate(accept: string | undefined): AcceptedAnswers {
  const header = accept ?? '';
  let answers = parsedHeaders.get(header);
  if (answers === undefined) {
    answers = chooseAnswers(header);
    parsedHeaders.set(header, answers);
  }
  return answers;
}

function chooseAnswers(header: string): AcceptedAnswers {
  const ranges = parseMediaRanges(header.trim() === '' ? '*/*' : header);
  const html = matchType(ranges, 'text', 'html');
  const json = matchType(ranges, 'application', 'json');
  const graphqlResponse = matchType(ranges, 'application', 'graphql-response+json');
  return {
    single: chooseSingle(json, graphqlResponse),
    incremental: chooseIncremental(ranges),
    prefersHtml: html !== undefined && [json, graphqlResponse].every((other) => isBetter(html, other)),
  };
}

interface Match {
  readonly quality: number;
  /** 2 for a type named in full, 1 for `type/*`, 0 for a full wildcard. */
  readonly exactness: number;
  readonly order: number;
}

function chooseSingle(
  json: Match | undefined,
  graphqlResponse: Match | undefined,
): SingleMediaType | undefined {
  if (json === undefined && graphqlResponse === undefined) return undefined;
  if (graphqlResponse !== undefined && isBetter(graphqlResponse, json))
    return 'application/graphql-response+json';
  return 'application/json';
}

function isBetter(match: Match, other: Match | undefined): boolean {
  if (other === undefined) return true;
  if (match.quality !== other.quality) return match.quality > other.quality;
  if (match.exactness !== other.exactness) return match.exactness > other.exactness;
  return match.order < other.order;
}

/** The most exact range that covers the type decides; a quality of 0 refuses it. */
function matchType(ranges: readonly MediaRange[], type: string, subtype: string): Match | undefined {
  let best: Match | undefined;
  for (const [order, range] of ranges.entries()) {
    const exactness = coverage(range, type, subtype);
    if (exactness === undefined || !takesUtf8(range)) continue;
    if (best === undefined || exactness > best.exactness) best = { quality: range.quality, exactness, order };
  }
  return best !== undefined && best.quality > 0 ? best : undefined;
}

function coverage(range: MediaRange, type: string, subtype: string): number | undefined {
  if (range.type === '*' && range.subtype === '*') return 0;
  if (range.type !== type) return undefined;
  if (range.subtype === '*') return 1;
  return range.subtype === subtype ? 2 : undefined;
}

function takesUtf8(range: MediaRange): boolean {
  const charset = range.parameters.get('charset')?.toLowerCase();
  return charset === undefined || charset === '*' || charset === 'utf-8' || charset === 'utf8';
}

interface IncrementalMatch {
  readonly format: IncrementalFormat;
  readonly quality: number;
  readonly namesFormat: boolean;
}

function chooseIncremental(ranges: readonly MediaRange[]): IncrementalFormat | undefined {
  let best: IncrementalMatch | undefined;
  for (const range of ranges) {
    const match = matchIncremental(range);
    if (match === undefined) continue;
    if (
      best === undefined ||
      match.quality > best.quality ||
      (match.quality === best.quality && match.namesFormat && !best.namesFormat)
    ) {
      best = match;
    }
  }
  return best?.format;
}

function matchIncremental(range: MediaRange): IncrementalMatch | undefined {
  const { type, subtype, parameters, quality } = range;
  if (type !== 'multipart' || (subtype !== 'mixed' && subtype !== '*') || quality === 0) return undefined;
  const specifications = ['deferSpec', 'incrementalSpec', 'subscriptionSpec'] as const;
  const named = specifications.filter((name) => parameters.has(name.toLowerCase()));
  // A client that names no format is urql, which drops the errors of completed fragments in the newer one.
  if (named.length === 0) return { format: 'deferSpec=20220824', quality, namesFormat: false };
  const values = new Set(named.map((name) => `${name}=${parameters.get(name.toLowerCase())}`));
  if (values.has('incrementalSpec=v0.2'))
    return { format: 'incrementalSpec=v0.2', quality, namesFormat: true };
  if (values.has('deferSpec=20220824')) return { format: 'deferSpec=20220824', quality, namesFormat: true };
  return undefined;
}
