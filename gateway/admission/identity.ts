/** `cache.identity` of the configuration. */
interface IdentitySource {
  readonly header?: string | undefined;
  readonly jwtClaim?: string | undefined;
}

/** Whose a request is, for keys of private values; `undefined` for nobody's. `headers` has lower case names.
 *
 *  A token is read without a look at its signature: a claim that somebody made up leads to a key that has the
 *  token as well where `authorization` is forwarded, and something in front of the gateway must check it where it
 *  is not. */
export function identityOf(
  source: IdentitySource | undefined,
  headers: ReadonlyMap<string, string>,
): string | undefined {
  if (source?.header !== undefined) return nonEmpty(headers.get(source.header));
  if (source?.jwtClaim === undefined) return undefined;
  const [, token] = /^bearer +(\S+)$/i.exec(headers.get('authorization')?.trim() ?? '') ?? [];
  return token === undefined ? undefined : claimOf(token, source.jwtClaim);
}

/** Texts and numbers only: `1` and `"1"` are one identity to whoever issues tokens, lists and objects are none. */
function claimOf(token: string, claim: string): string | undefined {
  const parts = token.split('.');
  if (parts.length !== 3) return undefined;
  try {
    const payload: unknown = JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString('utf8'));
    if (typeof payload !== 'object' || payload === null || !Object.hasOwn(payload, claim)) return undefined;
    const value = (payload as Record<string, unknown>)[claim];
    return typeof value === 'string' || typeof value === 'number' ? nonEmpty(String(value)) : undefined;
  } catch {
    return undefined;
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  const trimmed = text?.trim();
  return trimmed === '' ? undefined : trimmed;
}
