import {
  decodeJwt,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose';
import { LRUCache } from 'lru-cache';
import { deepFreeze } from '../../json/deepFreeze.ts';
import type { VerifiedToken } from '../identity.ts';
import type { RemoteKeySet } from './remoteKeySet.ts';
import { TokenRefusal, type TokenRefusalReason } from './tokenRefusal.ts';

/** An issuer whose tokens are accepted (`security.jwt.issuers`). */
interface TokenIssuer {
  readonly keys: Pick<RemoteKeySet, 'fetchNewerThan' | 'keyOf' | 'version'>;
  /** The exact value of `iss`; empty if it is not checked. */
  readonly issuer: string;
  /** One of them must be in `aud`; empty if it is not checked. */
  readonly audiences: readonly string[];
  /** All of them must be in the token. */
  readonly requiredClaims: readonly string[];
  readonly algorithms: readonly string[];
}

interface TokenVerifierOptions {
  /** If there are several, each has an `issuer` of its own. */
  readonly issuers: readonly TokenIssuer[];
  readonly clockToleranceMs: number;
  /** Milliseconds since 1970. */
  now(): number;
}

/** A token that was found valid, for as long as the issuer has the same keys. */
interface CachedToken extends VerifiedToken {
  readonly issuer: TokenIssuer;
  readonly keysVersion: number;
}

/** Characters of all cached tokens: some ten thousand tokens of usual size. */
const maxCachedCharacters = 10_000_000;

/** Verifies tokens, and remembers the valid ones: a token that is sent again costs a lookup. */
export class TokenVerifier {
  readonly #options: TokenVerifierOptions;
  readonly #cached = new LRUCache<string, CachedToken>({
    maxSize: maxCachedCharacters,
    sizeCalculation: (_, text) => text.length,
  });

  constructor(options: TokenVerifierOptions) {
    this.#options = options;
  }

  /** Returns the token at once if it is known to be valid. Rejects with a `TokenRefusal`, a `KeysUnavailableError` of the
   *  issuer's keys, or an unexpected error. */
  verify(text: string): VerifiedToken | Promise<VerifiedToken> {
    const cached = this.#cached.get(text);
    if (cached === undefined) return this.#verify(text);
    const { issuer, keysVersion, expiresAt } = cached;
    const isValid =
      keysVersion === issuer.keys.version && (expiresAt === undefined || this.#options.now() < expiresAt);
    if (isValid) return cached;
    this.#cached.delete(text);
    return this.#verify(text);
  }

  async #verify(text: string): Promise<VerifiedToken> {
    try {
      const issuer = this.#issuerOf(text);
      const verified = await this.#verifyWith(issuer, text);
      this.#cached.set(text, verified);
      return verified;
    } catch (error) {
      const reason = reasonOf(error);
      if (reason === undefined) throw error;
      const isMissing = reason === 'missing_claim' && error instanceof errors.JWTClaimValidationFailed;
      throw new TokenRefusal(reason, isMissing ? ` Required: ${error.claim}.` : '');
    }
  }

  /** Which keys the token must be verified with. Nothing in it is trusted yet: `jwtVerify` checks the issuer again. */
  #issuerOf(text: string): TokenIssuer {
    const { iss } = decodeJwt(text);
    const issuer = this.#options.issuers.find(
      (candidate) => candidate.issuer === '' || candidate.issuer === iss,
    );
    if (issuer === undefined) throw new TokenRefusal('unknown_issuer');
    return issuer;
  }

  async #verifyWith(tokenIssuer: TokenIssuer, text: string): Promise<CachedToken> {
    const { keys, issuer, audiences, requiredClaims, algorithms } = tokenIssuer;
    const { clockToleranceMs, now } = this.#options;
    const options: JWTVerifyOptions = {
      algorithms: [...algorithms],
      requiredClaims: [...requiredClaims],
      clockTolerance: clockToleranceMs / 1_000,
      currentDate: new Date(now()),
      ...(issuer === '' ? {} : { issuer }),
      ...(audiences.length === 0 ? {} : { audience: [...audiences] }),
    };
    // The keys may change while the signature is verified: then the cached token is verified again.
    let keysVersion = keys.version;
    const getKey: JWTVerifyGetKey = async (...query) => {
      const { key, version } = await keys.keyOf(...query);
      keysVersion = version;
      return key;
    };
    const verifySignature = () => this.#verifySignature(text, getKey, options);
    const { payload } = await verifySignature().catch(async (error: unknown) => {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
      if (!(await keys.fetchNewerThan(keysVersion))) throw error;
      keysVersion = keys.version;
      return verifySignature();
    });
    const claims = withExactIntegers(payload, text);
    const expiresAt = claims.exp === undefined ? undefined : claims.exp * 1_000 + clockToleranceMs;
    return { text, claims: deepFreeze(claims), expiresAt, issuer: tokenIssuer, keysVersion };
  }

  async #verifySignature(text: string, getKey: JWTVerifyGetKey, options: JWTVerifyOptions) {
    try {
      return await jwtVerify(text, getKey, options);
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      // The token does not say which of the keys has signed it.
      for await (const key of error) {
        try {
          return await jwtVerify(text, key, options);
        } catch (failure) {
          if (!(failure instanceof errors.JWSSignatureVerificationFailed)) throw failure;
        }
      }
      throw new errors.JWSSignatureVerificationFailed();
    }
  }
}

/** `JSON.parse` rounds integers beyond 2^53, such as 64-bit ids: two users would have one identity. The claims of the token
 *  with such integers as texts. */
function withExactIntegers(claims: JWTPayload, token: string): JWTPayload {
  const json = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
  if (!/\d{16}/.test(json)) return claims;
  const exact: JWTPayload = JSON.parse(json, exactInteger as (key: string, value: unknown) => unknown);
  // These were checked, and are numbers.
  const times = Object.fromEntries(Object.entries(claims).filter(([name]) => timeClaims.has(name)));
  return { ...exact, ...times };
}

const timeClaims: ReadonlySet<string> = new Set(['exp', 'nbf', 'iat']);

function exactInteger(_key: string, value: unknown, { source }: { readonly source?: string }): unknown {
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? source : value;
}

/** Why a token is refused; `undefined` for an error that is not about the token. */
function reasonOf(error: unknown): TokenRefusalReason | undefined {
  if (error instanceof TokenRefusal) return error.reason;
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWTClaimValidationFailed) return reasonOfClaim(error);
  if (error instanceof errors.JOSEAlgNotAllowed) return 'algorithm';
  if (error instanceof errors.JWKSNoMatchingKey) return 'unknown_key';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature';
  // A key that cannot be used, such as one that is too short, is no key of the issuer.
  if (error instanceof errors.JWKSInvalid || error instanceof TypeError) return 'unknown_key';
  return error instanceof errors.JOSEError ? 'malformed' : undefined;
}

function reasonOfClaim({ claim, reason }: errors.JWTClaimValidationFailed): TokenRefusalReason {
  if (claim === 'aud') return 'audience';
  if (claim === 'iss') return 'unknown_issuer';
  if (reason === 'missing') return 'missing_claim';
  return claim === 'nbf' && reason === 'check_failed' ? 'not_yet_valid' : 'claims';
}
