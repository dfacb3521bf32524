import { GatewayError } from '../../errors.ts';
import { toHttpError } from '../errorResponse.ts';
import { HttpError } from '../httpError.ts';

/** What a client gets to know about a refused token, by the reason in `extensions.reason` and in the metrics. The token, and
 *  what it contains, is never repeated. */
const messages = {
  missing: 'The request has no token, and this gateway needs one.',
  malformed: 'The token is not a signed JWT.',
  algorithm: 'The token is signed with an algorithm that is not allowed.',
  unknown_issuer: 'The token is from an issuer that is not accepted (iss).',
  unknown_key: 'The token is signed with a key that its issuer does not publish.',
  signature: 'The signature of the token is wrong.',
  expired: 'The token has expired (exp).',
  not_yet_valid: 'The token is not valid yet (nbf).',
  audience: 'The token is for another audience (aud).',
  missing_claim: 'The token lacks a required claim.',
  claims: 'A claim of the token has the wrong type.',
} as const;

export type TokenRefusalReason = keyof typeof messages;

export const tokenRefusalReasons = Object.keys(messages) as TokenRefusalReason[];

/** Refuses a request because of its token, or because it has none. */
export class TokenRefusal extends GatewayError {
  readonly reason: TokenRefusalReason;

  constructor(reason: TokenRefusalReason, advice = '') {
    super('UNAUTHENTICATED', `${messages[reason]}${advice}`, { extensions: { reason } });
    this.name = 'TokenRefusal';
    this.reason = reason;
  }

  toHttpError(): HttpError {
    return toHttpError(this);
  }
}

/** No token can be verified, because the keys of its issuer could never be fetched. The client is not at fault. */
export function keysUnavailableError(): HttpError {
  return new HttpError(
    503,
    'The gateway cannot verify tokens at present, because it could not fetch the keys of their issuer. Try again later.',
    { code: 'AUTHENTICATION_UNAVAILABLE' },
  );
}
