import { LRUCache } from 'lru-cache';
import type { IncrementalFormat } from '../../operation/operationRequest.ts';
import { type MediaRange, parseMediaRanges } from './mediaRange.ts';

export type SingleMediaType = 'application/json' | 'application/graphql-response+json';

type SubscriptionMediaType = 'text/event-stream' | 'multipart/mixed;subscriptionSpec=1.0';

/** The response formats that a client's `Accept` header allows. */
export interface AcceptedFormats {
  /** For a complete response; `undefined` when the client accepts no JSON. */
  readonly single: SingleMediaType | undefined;
  /** For a response in several payloads, as parts or as events; `undefined` when the client accepts only complete
   *  responses. */
  readonly incremental: IncrementalFormat | undefined;
  /** Whether every response is sent as server-sent events. */
  readonly prefersEvents: boolean;
  /** For the events of a subscription; `undefined` when the client accepts no subscription. */
  readonly subscription: SubscriptionMediaType | undefined;
  /** Whether the client is a browser that prefers an HTML page. */
  readonly prefersHtml: boolean;
}

// Few distinct headers occur. The size is fixed, so that a client with ever new headers cannot use up memory.
const formatsByHeader = new LRUCache<string, AcceptedFormats>({ max: 100 });

// Of the last request: nearly always the same. To look up a new text, V8 first interns it.
let lastHeader = '';
let lastFormats: AcceptedFormats | undefined;

/** Chooses response formats by quality, then by how exactly a type is named, then by order. Without the header, and for a
 *  wildcard, the format is `application/json`: only a client that names multipart or events gets them. */
export function negotiateFormats(accept: string | undefined): AcceptedFormats {
  const header = accept ?? '';
  if (lastFormats !== undefined && header === lastHeader) return lastFormats;
  let formats = formatsByHeader.get(header);
  if (formats === undefined) {
    formats = chooseFormats(header);
    formatsByHeader.set(header, formats);
  }
  lastHeader = header;
  lastFormats = formats;
  return formats;
}

function chooseFormats(header: string): AcceptedFormats {
  const ranges = parseMediaRanges(header.trim() === '' ? '*/*' : header);
  const html = matchType(ranges, 'text', 'html');
  const json = matchType(ranges, 'application', 'json');
  const graphqlResponse = matchType(ranges, 'application', 'graphql-response+json');
  const multipart = chooseIncremental(ranges);
  const events = matchEvents(ranges);
  const prefersEvents =
    events !== undefined && [json, graphqlResponse, multipart].every((other) => isBetter(events, other));
  return {
    single: chooseSingle(json, graphqlResponse),
    incremental: prefersEvents ? (events.format ?? multipart?.format ?? defaultFormat) : multipart?.format,
    prefersEvents,
    subscription: chooseSubscription(ranges, events),
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

/** The most exact range that matches the type decides; a quality of 0 excludes the type. */
function matchType(ranges: readonly MediaRange[], type: string, subtype: string): Match | undefined {
  let best: Match | undefined;
  for (const [order, range] of ranges.entries()) {
    const exactness = exactnessOf(range, type, subtype);
    if (exactness === undefined || !acceptsUtf8(range)) continue;
    if (best === undefined || exactness > best.exactness) best = { quality: range.quality, exactness, order };
  }
  return best !== undefined && best.quality > 0 ? best : undefined;
}

function exactnessOf(range: MediaRange, type: string, subtype: string): number | undefined {
  if (range.type === '*' && range.subtype === '*') return 0;
  if (range.type !== type) return undefined;
  if (range.subtype === '*') return 1;
  return range.subtype === subtype ? 2 : undefined;
}

function acceptsUtf8(range: MediaRange): boolean {
  const charset = range.parameters.get('charset')?.toLowerCase();
  return charset === undefined || charset === '*' || charset === 'utf-8' || charset === 'utf8';
}

/** A match of a stream's media type. `format` is `undefined` when the range names no format. */
interface StreamMatch extends Match {
  readonly format: IncrementalFormat | undefined;
}

// Among known clients, only urql names no format. It ignores the errors of completed fragments in the newer format.
const defaultFormat: IncrementalFormat = 'deferSpec=20220824';

function chooseIncremental(
  ranges: readonly MediaRange[],
): (StreamMatch & { readonly format: IncrementalFormat }) | undefined {
  let best: StreamMatch | undefined;
  for (const [order, range] of ranges.entries()) {
    const match = matchStream(range, order, 'multipart', 'mixed');
    if (match === undefined || (match.format === undefined && namesSpecification(range))) continue;
    if (
      best === undefined ||
      match.quality > best.quality ||
      (match.quality === best.quality && match.format !== undefined && best.format === undefined)
    ) {
      best = match;
    }
  }
  return best && { ...best, format: best.format ?? defaultFormat };
}

function matchEvents(ranges: readonly MediaRange[]): StreamMatch | undefined {
  let best: StreamMatch | undefined;
  for (const [order, range] of ranges.entries()) {
    const match = matchStream(range, order, 'text', 'event-stream');
    if (match !== undefined && range.subtype !== '*' && isBetter(match, best)) best = match;
  }
  return best;
}

/** Chooses Apollo's multipart protocol only when the client names it, because other clients misread its heartbeats. Prefers
 *  events when the client has no preference. */
function chooseSubscription(
  ranges: readonly MediaRange[],
  events: Match | undefined,
): SubscriptionMediaType | undefined {
  let best: Match | undefined;
  for (const [order, range] of ranges.entries()) {
    const match = matchStream(range, order, 'multipart', 'mixed');
    const isNamed = range.parameters.get('subscriptionspec') === '1.0';
    if (match !== undefined && isNamed && isBetter(match, best)) best = match;
  }
  if (events !== undefined && isBetter(events, best)) return 'text/event-stream';
  return best === undefined ? undefined : 'multipart/mixed;subscriptionSpec=1.0';
}

function matchStream(
  range: MediaRange,
  order: number,
  type: string,
  subtype: string,
): StreamMatch | undefined {
  const exactness = exactnessOf(range, type, subtype);
  if (exactness === undefined || exactness === 0 || range.quality === 0) return undefined;
  return { quality: range.quality, exactness, order, format: namedFormat(range) };
}

function namedFormat({ parameters }: MediaRange): IncrementalFormat | undefined {
  if (parameters.get('incrementalspec') === 'v0.2') return 'incrementalSpec=v0.2';
  return parameters.get('deferspec') === '20220824' ? 'deferSpec=20220824' : undefined;
}

function namesSpecification({ parameters }: MediaRange): boolean {
  return ['deferspec', 'incrementalspec', 'subscriptionspec'].some((name) => parameters.has(name));
}
