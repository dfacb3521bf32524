import type { ClientIdentity } from '../execution/requestContext.ts';

/** `security.identity` of the configuration. */
interface IdentitySource {
  readonly header?: string | undefined;
  readonly claim?: string | undefined;
}

/** Reads who sent a request: the only code that decides it. `headers` has lower case names; `address` is the client's end
 *  of the connection. */
export type ReadIdentity = (
  headers: ReadonlyMap<string, string>,
  address: string | undefined,
) => ClientIdentity;

export function createIdentityReader(source: IdentitySource | undefined): ReadIdentity {
  return (headers, address) => {
    const identity = source && identityOf(source, headers);
    if (identity !== undefined) {
      const owner = `identity ${identity}`;
      return { identity, tokenOwner: owner, clientKey: owner };
    }
    const authorization = nonEmpty(headers.get('authorization'));
    return {
      identity,
      tokenOwner: authorization && `authorization ${authorization}`,
      clientKey: `address ${address}`,
    };
  };
}

/** The signature of a token is not verified. Something in front of the gateway must verify it, unless `authorization` is
 *  forwarded: then the token itself is part of the keys of private values. */
function identityOf(source: IdentitySource, headers: ReadonlyMap<string, string>): string | undefined {
  if (source.header !== undefined) return nonEmpty(headers.get(source.header));
  if (source.claim === undefined) return undefined;
  const [, token] = /^bearer +(\S+)$/i.exec(headers.get('authorization')?.trim() ?? '') ?? [];
  return token === undefined ? undefined : claimOf(token, source.claim);
}

/** Strings and numbers only: `1` and `"1"` are one identity to issuers of tokens; lists and objects are none. */
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
