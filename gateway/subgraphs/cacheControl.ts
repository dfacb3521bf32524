import { truncate } from '../json/truncate.ts';

/** What a subgraph's `Cache-Control` and `Age` allow (RFC 9111, RFC 5861). The gateway is a shared cache. A response with
 *  `refused` or `invalid` headers must not be stored; `invalid` ones cannot be parsed. */
type ResponseCacheControl =
  | AllowedCaching
  | { readonly kind: 'refused' | 'invalid'; readonly reason: string };

export interface AllowedCaching {
  readonly kind: 'allowed';
  /** Counted from the generation of the response; `undefined` if not specified. */
  readonly maxAgeMs: number | undefined;
  /** In addition to `maxAgeMs`; `undefined` if not specified. */
  readonly staleWhileRevalidateMs: number | undefined;
  readonly staleIfErrorMs: number | undefined;
  readonly isPrivate: boolean;
  /** The age of the response when it arrived. */
  readonly ageMs: number;
}

/** Header values. Lines of the same name are joined by commas. */
export interface CachingHeaders {
  readonly cacheControl: string | undefined;
  readonly age: string | undefined;
}

/** Larger numbers are reduced to this one (RFC 9111, 1.2.2). */
const maxDeltaSeconds = 2 ** 31 - 1;

/** Directives with a number of seconds. */
const secondsDirectives = ['max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error'] as const;
type SecondsDirective = (typeof secondsDirectives)[number];

/** Parses the caching headers of a response. `ignoresNoStore`: `no-store` does not count. Ambiguous headers are invalid: not
 *  storing a value costs a call, and storing it for too long can make it wrong. */
export function readCacheControl(
  { cacheControl, age }: CachingHeaders,
  ignoresNoStore = false,
): ResponseCacheControl {
  const directives = parseDirectives(cacheControl ?? '');
  if (directives === undefined) return invalid(`Cache-Control: ${shorten(cacheControl)} cannot be parsed`);
  const seconds = new Map<SecondsDirective, number>();
  const flags = new Set<string>();
  for (const { name, value } of directives) {
    const known = secondsDirectives.find((directive) => directive === name);
    if (known === undefined) {
      flags.add(name);
      continue;
    }
    const number = parseSeconds(value);
    if (number === undefined)
      return invalid(`Cache-Control: ${name} is ${shorten(value)}, not a number of seconds`);
    if ((seconds.get(known) ?? number) !== number)
      return invalid(`Cache-Control has two different values of ${name}`);
    seconds.set(known, number);
  }
  // RFC 9111 lets a cache ignore a list of fields that would weaken the directive (`no-cache="set-cookie"`).
  if (flags.has('no-store') && !ignoresNoStore) return refuse('Cache-Control: no-store');
  // Such a response may only be stored for revalidation, which GraphQL does not have.
  if (flags.has('no-cache')) return refuse('Cache-Control: no-cache');
  const ageSeconds = parseSeconds((age ?? '0').split(',')[0]?.trim());
  // RFC 9111, 5.1, says to ignore an invalid `Age`. But a value of unknown age could be served for too long.
  if (ageSeconds === undefined) return invalid(`Age: ${shorten(age)} is not a number of seconds`);

  const maxAge = seconds.get('s-maxage') ?? seconds.get('max-age');
  const forbidsStale = flags.has('must-revalidate') || flags.has('proxy-revalidate');
  // `s-maxage` forbids it too, unless a `stale-` directive allows it: RFC 9111, 5.2.2.10, and RFC 5861, 3.
  const unspecified = seconds.has('s-maxage') ? 0 : undefined;
  const stale = (name: SecondsDirective): number | undefined =>
    forbidsStale ? 0 : toMilliseconds(seconds.get(name) ?? unspecified);
  return {
    kind: 'allowed',
    maxAgeMs: toMilliseconds(maxAge),
    staleWhileRevalidateMs: stale('stale-while-revalidate'),
    staleIfErrorMs: stale('stale-if-error'),
    isPrivate: flags.has('private'),
    ageMs: ageSeconds * 1_000,
  };
}

function toMilliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1_000;
}

function parseSeconds(value: string | undefined): number | undefined {
  return value !== undefined && /^\d+$/.test(value) ? Math.min(Number(value), maxDeltaSeconds) : undefined;
}

interface Directive {
  /** In lower case. */
  readonly name: string;
  /** Without quotes. */
  readonly value: string | undefined;
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
// No two repetitions match the same character, so a long header cannot cause backtracking.
const listElement = new RegExp(
  `[ \\t]*(?:(${token})(?:=(?:(${token})|"((?:[^"\\\\]|\\\\.)*)"))?[ \\t]*)?(,|$)`,
  'y',
);

/** `undefined` if the text is not a list of directives. */
function parseDirectives(text: string): Directive[] | undefined {
  const directives: Directive[] = [];
  listElement.lastIndex = 0;
  while (listElement.lastIndex < text.length) {
    const match = listElement.exec(text);
    if (match === null) return undefined;
    const [, name, unquoted, quoted] = match;
    // Empty list elements are ignored (RFC 9110, 5.6.1).
    if (name === undefined) continue;
    directives.push({ name: name.toLowerCase(), value: unquoted ?? quoted?.replace(/\\(.)/g, '$1') });
  }
  return directives;
}

function refuse(reason: string): ResponseCacheControl {
  return { kind: 'refused', reason };
}

function invalid(reason: string): ResponseCacheControl {
  return { kind: 'invalid', reason };
}

function shorten(value: string | undefined): string {
  if (value === undefined) return 'without a value';
  return JSON.stringify(truncate(value, 60));
}
