import type { GatewayConfig } from '../../config/schema.ts';
import type { ClientIdentity } from '../../execution/requestContext.ts';
import { asPrivate, type ResponseCaching } from '../../response/responseCaching.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import type { ReadIdentity } from '../identity.ts';
import { type Authentication, watchNothing } from './authentication.ts';
import { AuthenticationMetrics } from './authenticationMetrics.ts';
import { KeysUnavailableError, RemoteKeySet } from './remoteKeySet.ts';
import { createTokenReader, type ReadToken } from './tokenReader.ts';
import { keysUnavailableError, TokenRefusal } from './tokenRefusal.ts';
import { TokenVerifier } from './tokenVerifier.ts';

/** The longest time between two checks of a token that a stream depends on. A timer for the whole remaining time would fire
 *  too late after the machine was suspended, or the clock was set forward. */
const maxCheckIntervalMs = 60_000;

interface TokenAuthenticationOptions {
  readonly jwt: NonNullable<GatewayConfig['security']['jwt']>;
  readonly readIdentity: ReadIdentity;
  readonly timers: Timers;
  /** Milliseconds since 1970. */
  now(): number;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, 'registry'>;
}

/** Authentication by tokens that issuers have signed (`security.jwt`). */
export class TokenAuthentication implements Authentication {
  readonly tokenHeader: string;
  readonly #options: TokenAuthenticationOptions;
  readonly #keySets: readonly RemoteKeySet[];
  readonly #verifier: TokenVerifier;
  readonly #readToken: ReadToken;
  readonly #metrics: AuthenticationMetrics;

  constructor(options: TokenAuthenticationOptions) {
    const { jwt, timers, log, now, metrics } = options;
    this.#options = options;
    this.tokenHeader = jwt.header;
    const issuers = jwt.issuers.map(({ jwks, headers, ...issuer }) => ({
      ...issuer,
      keys: new RemoteKeySet({
        url: jwks,
        headers,
        refreshIntervalMs: jwt.refreshInterval,
        timers,
        log,
      }),
    }));
    this.#keySets = issuers.map(({ keys }) => keys);
    this.#verifier = new TokenVerifier({ issuers, clockToleranceMs: jwt.clockTolerance, now });
    this.#readToken = createTokenReader(jwt);
    this.#metrics = new AuthenticationMetrics(metrics.registry, this.#keySets);
  }

  /** Starts to fetch the keys. */
  onListening(): void {
    for (const keys of this.#keySets) keys.start();
  }

  async close(): Promise<void> {
    for (const keys of this.#keySets) keys.stop();
  }

  /** Issuers whose tokens cannot be verified. */
  get readinessNotes(): readonly { readonly code: string; readonly message: string }[] {
    return this.#keySets.flatMap(({ hasKeys, name }) =>
      hasKeys
        ? []
        : [
            {
              code: 'AUTHENTICATION_UNAVAILABLE',
              message: `The keys of ${name} could not be fetched yet: its tokens are refused with 503 (security.jwt).`,
            },
          ],
    );
  }

  authenticate(
    headers: ReadonlyMap<string, string>,
    address: string | undefined,
  ): ClientIdentity | Promise<ClientIdentity> {
    const { readIdentity, jwt } = this.#options;
    const text = this.#readToken(headers);
    if (text === undefined) {
      if (jwt.required) throw this.#refuse(new TokenRefusal('missing', this.#advice));
      return readIdentity(headers, address);
    }
    const token = this.#verifier.verify(text);
    if (!(token instanceof Promise)) return readIdentity(headers, address, token);
    return token.then(
      (verified) => readIdentity(headers, address, verified),
      (error: unknown) => {
        throw this.#refuse(error);
      },
    );
  }

  watchExpiry({ expiresAt }: ClientIdentity, onExpired: (refusal: TokenRefusal) => void): CancelTimer {
    if (expiresAt === undefined) return watchNothing;
    const { timers, now } = this.#options;
    let cancel = watchNothing;
    const checkLater = (remainingMs: number): void => {
      cancel = timers.after(Math.min(Math.max(0, Math.ceil(remainingMs)), maxCheckIntervalMs), check);
    };
    const check = (): void => {
      const remainingMs = expiresAt - now();
      if (remainingMs > 0) checkLater(remainingMs);
      else onExpired(new TokenRefusal('expired', ' Send the operation again with a new one.'));
    };
    // The first check is a timer, too: the caller has no function to stop it before this one returns.
    checkLater(expiresAt - now());
    return () => cancel();
  }

  restrictCaching({ claims }: ClientIdentity, caching: ResponseCaching): ResponseCaching {
    const { header, cookie } = this.#options.jwt;
    const { cacheControl, age, vary } = claims === undefined ? caching : asPrivate(caching);
    const names = [...(vary === undefined ? [] : [vary]), header, ...(cookie === '' ? [] : ['cookie'])];
    return { cacheControl, age, vary: names.join(', ') };
  }

  get #advice(): string {
    const { header, cookie } = this.#options.jwt;
    const place = header === 'authorization' ? '`authorization: Bearer …`' : `the header ${header}`;
    return ` Send it as ${place}${cookie === '' ? '' : `, or in the cookie ${cookie}`}.`;
  }

  /** Counts a refusal; returns the error for the client. */
  #refuse(error: unknown): unknown {
    if (error instanceof TokenRefusal) {
      this.#metrics.onRefused(error.reason);
      return error.toHttpError();
    }
    if (!(error instanceof KeysUnavailableError)) return error;
    this.#metrics.onRefused('keys_unavailable');
    return keysUnavailableError();
  }
}
