import type { Registry } from 'prom-client';
import { LabeledCounter } from '../../telemetry/labeledCounter.ts';
import { registerCounter } from '../../telemetry/registerCounter.ts';
import type { RemoteKeySet } from './remoteKeySet.ts';
import { type TokenRefusalReason, tokenRefusalReasons } from './tokenRefusal.ts';

/** Metrics of verifying tokens. */
export class AuthenticationMetrics {
  readonly #refused: LabeledCounter;

  constructor(registry: Registry, keySets: readonly Pick<RemoteKeySet, 'name' | 'failureCount'>[]) {
    this.#refused = new LabeledCounter(
      registry,
      'tributary_jwt_refused_total',
      ['reason'],
      'Requests that were refused because of their token, by reason.',
      { firsts: [...tokenRefusalReasons, 'keys_unavailable'] },
    );
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
    this.#refused.increment(reason);
  }
}
