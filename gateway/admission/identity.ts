import type { GatewayConfig } from '../config/schema.ts';
import type { Claims, ClientIdentity } from '../execution/requestContext.ts';
import { isObject } from '../json/isObject.ts';
import { scopesOf } from '../operation/authorization/authorizer.ts';
import { addressKey } from './addressKey.ts';

export type { ClientIdentity };

/** A token whose signature and claims were verified. */
export interface VerifiedToken {
  readonly text: string;
  readonly claims: Claims;
  /** When the token is no longer accepted, in milliseconds since 1970; `undefined` for a token without `exp`. */
  readonly expiresAt: number | undefined;
}

/** Reads who sent a request: the only code that decides it. `headers` has lower case names; `address` is the client's end
 *  of the connection; `token` is `undefined` for a request without one. */
export type ReadIdentity = (
  headers: ReadonlyMap<string, string>,
  address: string | undefined,
  token?: VerifiedToken,
) => ClientIdentity;

/** The client of a request that was not authenticated, such as one that a test makes. */
export const anonymousClient: ClientIdentity = {
  identity: undefined,
  tokenOwner: undefined,
  clientKey: 'address undefined',
};

export function createIdentityReader({
  header,
  claim = 'sub',
}: NonNullable<GatewayConfig['security']['identity']> = {}): ReadIdentity {
  return (headers, address, token) => {
    const named = header === undefined ? undefined : nonEmpty(headers.get(header));
    const identity = header === undefined && token !== undefined ? identityOf(token.claims, claim) : named;
    const owner = identity === undefined ? undefined : `identity ${identity}`;
    const client: ClientIdentity = {
      identity,
      tokenOwner: owner ?? credentialsOf(headers, token),
      clientKey: owner ?? addressKey(address),
    };
    return token === undefined ? client : { ...client, claims: token.claims, expiresAt: token.expiresAt };
  };
}

/** Client headers that decide whose private values a request may read. */
export function identityHeadersOf({
  identity,
  jwt,
}: Pick<GatewayConfig['security'], 'identity' | 'jwt'>): readonly string[] {
  if (identity?.header !== undefined) return [identity.header];
  if (jwt === undefined) return ['authorization'];
  return jwt.cookie === '' ? [jwt.header] : [jwt.header, 'cookie'];
}

const isOptionalName = (value: unknown): boolean =>
  value === undefined || (typeof value === 'string' && value !== '');
const clientChecks = {
  identity: [isOptionalName, 'non-empty text or undefined'],
  tokenOwner: [isOptionalName, 'non-empty text or undefined'],
  clientKey: [(value) => typeof value === 'string', 'text'],
  claims: [(value) => value === undefined || isObject(value), 'an object or undefined'],
  expiresAt: [(value) => value === undefined || typeof value === 'number', 'a number or undefined'],
} as const satisfies Record<keyof ClientIdentity, readonly [(value: unknown) => boolean, string]>;
const checkedMembers = Object.keys(clientChecks) as readonly (keyof ClientIdentity)[];

/** Checks what an application's function returns. The `null` or the empty text of clients that are not logged in, for example,
 *  would be an identity that all of these clients share.
 *  The returned function throws a `TypeError` that names the mistake. */
export function checkIdentities(readIdentity: ReadIdentity): ReadIdentity {
  return (headers, address, token) => {
    const client: unknown = readIdentity(headers, address, token);
    if (client instanceof Promise) {
      client.catch(() => undefined);
      throw new TypeError('readIdentity is synchronous, but it returned a promise.');
    }
    if (!isObject(client)) throw new TypeError('readIdentity returned something that is not an object.');
    for (const name of checkedMembers) {
      const [isValid, expected] = clientChecks[name];
      if (!isValid(client[name]))
        throw new TypeError(`readIdentity returned an object whose \`${name}\` is not ${expected}.`);
    }
    return client as unknown as ClientIdentity;
  };
}

/** Whether a token may replace another one of the same client, such as one that expires soon. */
export function isSameClient(left: ClientIdentity, right: ClientIdentity): boolean {
  return (
    left.identity !== undefined &&
    left.identity === right.identity &&
    left.claims?.iss === right.claims?.iss &&
    left.claims?.sub === right.claims?.sub
  );
}

/** Whether a token grants all scopes of the earlier one of its client. */
export function hasScopesOf({ claims }: ClientIdentity, earlier: ClientIdentity): boolean {
  return scopesOf(earlier.claims).isSubsetOf(scopesOf(claims));
}

/** The claim together with the issuer: two issuers may give the same name to different users. Strings and numbers only:
 *  `1` and `"1"` are one identity to issuers of tokens; lists and objects are none. */
function identityOf(claims: Claims, claim: string): string | undefined {
  const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  const text = typeof value === 'string' || typeof value === 'number' ? nonEmpty(String(value)) : undefined;
  return text === undefined ? undefined : JSON.stringify([claims.iss ?? null, text]);
}

function credentialsOf(
  headers: ReadonlyMap<string, string>,
  token: VerifiedToken | undefined,
): string | undefined {
  if (token !== undefined) return `token ${token.text}`;
  const authorization = nonEmpty(headers.get('authorization'));
  return authorization && `authorization ${authorization}`;
}

function nonEmpty(text: string | undefined): string | undefined {
  const trimmed = text?.trim();
  return trimmed === '' ? undefined : trimmed;
}
