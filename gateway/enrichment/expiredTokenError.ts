import { GatewayError } from '../errors.ts';

/** For a token that is unknown, malformed, somebody else's or too old: who asks cannot tell which, so that nobody learns
 *  which ones there are. */
export function expiredTokenError(): GatewayError {
  return new GatewayError(
    'ENRICHMENT_EXPIRED',
    'This token leads to nothing (any more): it has expired, is none, or is not yours. Send the operation again.',
  );
}
