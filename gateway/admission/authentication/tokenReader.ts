import type { GatewayConfig } from '../../config/schema.ts';

/** Reads the token of a request, which is not verified yet: from the header, or else from the cookie. An empty text for a
 *  bearer token that is no token; `undefined` for a request without one. `headers` has lower case names. */
export type ReadToken = (headers: ReadonlyMap<string, string>) => string | undefined;

export function createTokenReader({
  header,
  cookie,
}: Pick<NonNullable<GatewayConfig['security']['jwt']>, 'header' | 'cookie'>): ReadToken {
  const fromHeader = header === 'authorization' ? bearerToken : tokenWithOptionalScheme;
  return (headers) => {
    const token = fromHeader(headers.get(header)?.trim());
    if (token !== undefined || cookie === '') return token;
    return cookieValue(headers.get('cookie'), cookie);
  };
}

/** Other schemes, such as `Basic`, are not about tokens: the subgraphs may check them. */
function bearerToken(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const match = /^bearer(?:\s+(.*))?$/is.exec(value);
  return match === null ? undefined : (match[1] ?? '');
}

function tokenWithOptionalScheme(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : (bearerToken(value) ?? value);
}

/** The first cookie of this name: browsers send the one with the most specific path first. */
function cookieValue(header: string | undefined, name: string): string | undefined {
  for (const pair of header?.split(';') ?? []) {
    const equals = pair.indexOf('=');
    if (equals === -1 || pair.slice(0, equals).trim() !== name) continue;
    const value = pair
      .slice(equals + 1)
      .trim()
      .replace(/^"(.*)"$/, '$1');
    return value === '' ? undefined : value;
  }
  return undefined;
}
