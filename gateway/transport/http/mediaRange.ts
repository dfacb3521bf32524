/** A media type or media range with its parameters, as in `Content-Type` and `Accept`. */
export interface MediaRange {
  /** In lower case; `*` in a range. */
  readonly type: string;
  readonly subtype: string;
  /** Names in lower case, values unquoted, without `q`. A repeated name is ignored. */
  readonly parameters: ReadonlyMap<string, string>;
  /** 0 to 1. */
  readonly quality: number;
}

const token = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

/** Parses the media ranges of an `Accept` header, in their order. Skips invalid entries. */
export function parseMediaRanges(header: string): MediaRange[] {
  return splitOutsideQuotes(header, ',')
    .map(parseMediaRange)
    .filter((range) => range !== undefined);
}

/** Parses a media type or range; `undefined` when the text is invalid. */
export function parseMediaRange(text: string): MediaRange | undefined {
  const [essence = '', ...attributes] = splitOutsideQuotes(text, ';');
  const [type = '', subtype = '', ...extra] = essence.toLowerCase().split('/');
  if (extra.length > 0 || !token.test(type) || !token.test(subtype)) return undefined;
  const parameters = new Map<string, string>();
  let quality = 1;
  for (const attribute of attributes) {
    const equals = attribute.indexOf('=');
    if (equals < 1) continue;
    const name = attribute.slice(0, equals).trim().toLowerCase();
    const value = unquote(attribute.slice(equals + 1).trim());
    if (name === 'q') quality = parseQuality(value);
    else if (!parameters.has(name)) parameters.set(name, value);
  }
  return { type, subtype, parameters, quality };
}

function splitOutsideQuotes(text: string, separator: ',' | ';'): string[] {
  if (!text.includes('"')) return text.split(separator).map((piece) => piece.trim());
  const pieces: string[] = [];
  let start = 0;
  let isQuoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') isQuoted = !isQuoted;
    else if (character === '\\' && isQuoted) at++;
    else if (character === separator && !isQuoted) {
      pieces.push(text.slice(start, at).trim());
      start = at + 1;
    }
  }
  pieces.push(text.slice(start).trim());
  return pieces;
}

function unquote(value: string): string {
  if (value.length < 2 || !value.startsWith('"') || !value.endsWith('"')) return value;
  return value.slice(1, -1).replace(/\\(.)/g, '$1');
}

function parseQuality(text: string): number {
  const quality = Number(text);
  return text === '' || Number.isNaN(quality) ? 1 : Math.min(1, Math.max(0, quality));
}
