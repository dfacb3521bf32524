import { GatewayError } from '../errors.ts';

/** For a token that is unknown, malformed, expired or another client's. The message does not say which: otherwise
 *  clients could find out which tokens exist. */
export function expiredTokenError(): GatewayError {
  return new GatewayError(
    'ENRICHMENT_EXPIRED',
    'The enrichment token has expired, is unknown, or belongs to another client. Send the operation again.',
  );
}
