import type { GatewayConfig } from '../../config/schema.ts';
import type { ClientIdentity } from '../../execution/requestContext.ts';
import type { ResponseCaching } from '../../response/responseCaching.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { CancelTimer } from '../../time/timers.ts';
import type { ReadIdentity } from '../identity.ts';
import type { TokenRefusal } from './tokenRefusal.ts';

/** Finds out who sends a request, once for each request of every transport. Later stages read the result. */
export interface Authentication {
  /** The client of a request: at once, unless its token has to be verified. `headers` has lower case names; `address` is
   *  the client's end of the connection.
   *  @throws {HttpError} (or rejects with one) 401 `UNAUTHENTICATED` for a token that is invalid, or missing although it is
   *  required; 503 `AUTHENTICATION_UNAVAILABLE` if no token can be verified. */
  authenticate(
    headers: ReadonlyMap<string, string>,
    address: string | undefined,
  ): ClientIdentity | Promise<ClientIdentity>;
  /** Calls `onExpired` when the client's token expires. Returns a function that stops watching. */
  watchExpiry(client: ClientIdentity, onExpired: (refusal: TokenRefusal) => void): CancelTimer;
  /** The caching headers of a response to the client: caches in front of the gateway verify no token. */
  restrictCaching(client: ClientIdentity, caching: ResponseCaching): ResponseCaching;
  /** The header, in lower case, from which tokens are read; `undefined` if no token is verified. */
  readonly tokenHeader: string | undefined;
  /** As of a feature. */
  readonly readinessNotes?: readonly { readonly code: string; readonly message: string }[];
  onListening?(): void;
  close?(): Promise<void>;
}

/** Authentication without tokens: by `security.identity.header`, or by nothing. */
export class HeaderAuthentication implements Authentication {
  readonly authenticate: ReadIdentity;
  readonly tokenHeader = undefined;

  constructor(readIdentity: ReadIdentity) {
    this.authenticate = readIdentity;
  }

  watchExpiry(..._: Parameters<Authentication['watchExpiry']>): CancelTimer {
    return watchNothing;
  }

  restrictCaching(_: ClientIdentity, caching: ResponseCaching): ResponseCaching {
    return caching;
  }
}

/** A function that stops watching a token which never expires. */
export const watchNothing: CancelTimer = () => undefined;

/** Warns of issuers without `audiences`, whose tokens for every other application are accepted. */
export function warnAboutAudiences({ jwt }: GatewayConfig['security'], log: Logger): void {
  const options = (jwt?.issuers ?? []).flatMap(({ audiences }, index) =>
    audiences.length > 0 ? [] : [`security.jwt.issuers[${index}].audiences`],
  );
  if (options.length === 0) return;
  log.warn({ options }, 'Tokens that an issuer made for other applications are accepted: set audiences');
}
