import { z } from 'zod';
import { batchingSection } from './sections/batching.ts';
import { cacheSection } from './sections/cache.ts';
import { contractsSection } from './sections/contracts.ts';
import { deliverySection } from './sections/delivery.ts';
import { enrichmentSection } from './sections/enrichment.ts';
import { extensionsSection } from './sections/extensions.ts';
import { httpSection } from './sections/http.ts';
import { limitsSection } from './sections/limits.ts';
import { adminSection, listenSection } from './sections/listen.ts';
import { overloadSection } from './sections/overload.ts';
import { overrideSection } from './sections/override.ts';
import { planningSection } from './sections/planning.ts';
import { redisSection } from './sections/redis.ts';
import { securitySection } from './sections/security.ts';
import { subgraphsSection } from './sections/subgraphs.ts';
import { subscriptionsSection } from './sections/subscriptions.ts';
import { supergraphSection } from './sections/supergraph.ts';
import { telemetrySection } from './sections/telemetry.ts';
import { workersSection, workerTimeoutSection } from './sections/workers.ts';

/** The schema of the configuration. `checkCrossSectionRules.ts` has the rules that concern several sections. */
export const gatewaySchema = z.strictObject({
  listen: listenSection.prefault({}),
  admin: adminSection.prefault({}),
  supergraph: supergraphSection,
  subgraphs: subgraphsSection.prefault({}),
  batching: batchingSection.prefault({}),
  cache: cacheSection.prefault({}),
  redis: redisSection.prefault({}),
  enrichment: enrichmentSection.prefault({}),
  overload: overloadSection.prefault({}),
  limits: limitsSection.prefault({}),
  planning: planningSection.prefault({}),
  override: overrideSection.prefault({}),
  http: httpSection.prefault({}),
  delivery: deliverySection.prefault({}),
  subscriptions: subscriptionsSection.prefault({}),
  security: securitySection.prefault({}),
  telemetry: telemetrySection.prefault({}),
  contracts: contractsSection.prefault({}),
  extensions: extensionsSection.prefault([]),
  workers: workersSection.prefault(1),
  workerTimeout: workerTimeoutSection.prefault('30s'),
});

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends (...parameters: never[]) => unknown
    ? T
    : T extends object
      ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
      : T;

/** The configuration as written in a file or by library users. Only `supergraph` is required. A duration is text with a
 *  unit or a number of milliseconds; a size is text with a unit or a number of bytes. */
export type GatewayOptions = DeepReadonly<z.input<typeof gatewaySchema>>;

/** The parsed configuration: complete and frozen, with durations in milliseconds and sizes in bytes. A `GatewayConfig` is
 *  also a valid `GatewayOptions`. Read `subgraphs` with `subgraphPolicyOf`. */
export type GatewayConfig = DeepReadonly<z.output<typeof gatewaySchema>>;
