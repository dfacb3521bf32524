import type { GatewayOptions } from '../../gateway/gateway.ts';
import type { Target } from '../targets/target.ts';
import { configuredTributary } from '../targets/tributary.ts';

/** The longest time of a subgraph call. */
const attemptTimeoutMs = 3_000;

/** The longest time of a request, and of one attempt at its pending fields. */
export const deadlineMs = 4_000;

const jobs: NonNullable<GatewayOptions['enrichment']>['jobs'] = {
  attempts: 2,
  backoff: { base: 100, max: 500 },
};

/** Tributary with enrichments in these modes. With Redis, enrichment jobs are durable. */
export function tributaryTargets(redisUrl: string): readonly Target[] {
  return [
    enrichedTributary('always', { enrichment: { mode: 'always', jobs } }),
    enrichedTributary('always-redis', {
      enrichment: { mode: 'always', jobs },
      redis: { url: redisUrl },
    }),
    enrichedTributary('adaptive', { enrichment: { mode: 'adaptive', jobs } }),
  ];
}

function enrichedTributary(name: string, config: Pick<GatewayOptions, 'enrichment' | 'redis'>): Target {
  return configuredTributary(`tributary-${name}`, ({ sharing }) => ({
    batching: { acrossRequests: sharing },
    // Each call that takes 2 s occupies a connection.
    subgraphs: {
      all: { connections: 512, timeouts: { attempt: attemptTimeoutMs, deadline: deadlineMs } },
    },
    ...config,
  }));
}
