/** What a subgraph's `Cache-Control` and `Age` allow (RFC 9111, RFC 5861). The gateway is a shared cache. */
type AnswerCacheControl =
  | AllowedCaching
  /** Not to be kept. `isMistake`: since the headers make no sense, which somebody should be told. */
  | { readonly kind: 'refused'; readonly reason: string; readonly hasInvalidHeaders: boolean };

export interface AllowedCaching {
  readonly kind: 'allowed';
  /** From when the answer was made; `undefined` where nothing is said. */
  readonly maxAgeMs: number | undefined;
  /** Longer than that; `undefined` where nothing is said. */
  readonly staleWhileRevalidateMs: number | undefined;
  readonly staleIfErrorMs: number | undefined;
  readonly isPrivate: boolean;
  /** How old the answer was when it came. */
  readonly ageMs: number;
}

/** Values of the headers; lines of the same name joined by commas. */
export interface CachingHeaders {
  readonly cacheControl: string | undefined;
  readonly age: string | undefined;
}

/** Larger numbers are taken for this one (RFC 9111, 1.2.2). */
const maxDeltaSeconds = 2 ** 31 - 1;

/** Directives that have a number of seconds. */
const secondsDirectives = ['max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error'] as const;
type SecondsDirective = (typeof secondsDirectives)[number];

/** Anything that could be read in two ways is refused: a value that is not kept costs a call, one that is kept too
 *  long may be wrong. */
export function readCacheControl({ cacheControl, age }: CachingHeaders): AnswerCacheControl {
  const directives = parseDirectives(cacheControl ?? '');
  if (directives === undefined)
    return refuseInvalid(`Cache-Control: ${shorten(cacheControl)} cannot be read`);
  const seconds = new Map<SecondsDirective, number>();
  const flags = new Set<string>();
  for (const { name, value } of directives) {
    const known = secondsDirectives.find((one) => one === name);
    if (known === undefined) {
      flags.add(name);
      continue;
    }
    const number = parseSeconds(value);
    if (number === undefined)
      return refuseInvalid(`Cache-Control: ${name} is ${shorten(value)}, no number of seconds`);
    if ((seconds.get(known) ?? number) !== number)
      return refuseInvalid(`Cache-Control has two values of ${name}`);
    seconds.set(known, number);
  }
  // A list of fields behind it (`no-cache="set-cookie"`) would make it weaker; RFC 9111 lets a cache pass over that.
  if (flags.has('no-store')) return refuse('Cache-Control: no-store');
  // To be kept only for asking whether it is still right, which GraphQL has no way for.
  if (flags.has('no-cache')) return refuse('Cache-Control: no-cache');
  const ageSeconds = parseSeconds((age ?? '0').split(',')[0]?.trim());
  // To be passed over, says RFC 9111, 5.1. But a value whose age is not known could be served for too long.
  if (ageSeconds === undefined) return refuseInvalid(`Age: ${shorten(age)} is no number of seconds`);

  const maxAge = seconds.get('s-maxage') ?? seconds.get('max-age');
  const forbidsStale = flags.has('must-revalidate') || flags.has('proxy-revalidate');
  // `s-maxage` forbids it too, unless the next directive allows it: RFC 9111, 5.2.2.10, and RFC 5861, 3.
  const unsaid = seconds.has('s-maxage') ? 0 : undefined;
  const stale = (name: SecondsDirective): number | undefined =>
    forbidsStale ? 0 : toMilliseconds(seconds.get(name) ?? unsaid);
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
// No two repetitions can take the same character: a header of any length is read in one go.
const listElement = new RegExp(
  `[ \\t]*(?:(${token})(?:=(?:(${token})|"((?:[^"\\\\]|\\\\.)*)"))?[ \\t]*)?(,|$)`,
  'y',
);

/** `undefined` for what is no list of directives. */
function parseDirectives(text: string): Directive[] | undefined {
  const directives: Directive[] = [];
  listElement.lastIndex = 0;
  while (listElement.lastIndex < text.length) {
    const match = listElement.exec(text);
    if (match === null) return undefined;
    const [, name, plain, quoted] = match;
    // Empty elements of a list count for nothing (RFC 9110, 5.6.1).
    if (name === undefined) continue;
    directives.push({ name: name.toLowerCase(), value: plain ?? quoted?.replace(/\\(.)/g, '$1') });
  }
  return directives;
}

function refuse(reason: string): AnswerCacheControl {
  return { kind: 'refused', reason, hasInvalidHeaders: false };
}

function refuseInvalid(reason: string): AnswerCacheControl {
  return { kind: 'refused', reason, hasInvalidHeaders: true };
}

function shorten(value: string | undefined): string {
  if (value === undefined) return 'without a value';
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
}
