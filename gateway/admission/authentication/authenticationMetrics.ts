import type { Registry } from 'prom-client';
import { incrementCount, registerCounter, zeroCounts } from '../../telemetry/registerCounter.ts';
import type { RemoteKeySet } from './remoteKeySet.ts';
import { type TokenRefusalReason, tokenRefusalReasons } from './tokenRefusal.ts';

/** Metrics of verifying tokens. */
export class AuthenticationMetrics {
  readonly #refused = zeroCounts<TokenRefusalReason | 'keys_unavailable'>([
    ...tokenRefusalReasons,
    'keys_unavailable',
  ]);

  constructor(registry: Registry, keySets: readonly Pick<RemoteKeySet, 'name' | 'failureCount'>[]) {
    registerCounter(registry, {
      name: 'tributary_jwt_refused_total',
      help: 'Requests that were refused because of their token, by reason.',
      labelNames: ['reason'],
      read: (set) => {
        for (const [reason, count] of this.#refused) set({ reason }, count);
      },
    });
    registerCounter(registry, {
      name: 'tributary_jwks_failures_total',
      help: 'Failed attempts to fetch the keys of an issuer of tokens.',
      labelNames: ['jwks'],
      read: (set) => {
        for (const { name, failureCount } of keySets) set({ jwks: name }, failureCount);
      },
    });
  }

  onRefused(reason: TokenRefusalReason | 'keys_unavailable'): void {
    incrementCount(this.#refused, reason, 1);
  }
}
