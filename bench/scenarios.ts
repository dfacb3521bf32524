import type { OperationName } from './operations.ts';
import { apolloGateway } from './targets/apolloGateway.ts';
import { floor, floorMerged } from './targets/floor.ts';
import { hiveGateway, hiveGatewayRouterRuntime } from './targets/hiveGateway.ts';
import { mercurius } from './targets/mercurius.ts';
import type { Target } from './targets/target.ts';
import { tracedTributary, tributary } from './targets/tributary.ts';

const slowShipping = { subgraph: 'inventory', text: 'shippingEstimate', delayMs: 2000 };

const everyTarget = [
  floorMerged,
  floor,
  tributary,
  hiveGatewayRouterRuntime,
  hiveGateway,
  apolloGateway,
  mercurius,
];

interface ScenarioBase {
  readonly name: string;
  readonly sharing: boolean;
  readonly targets: readonly Target[];
}

const tracedTargets = [
  tributary,
  tracedTributary('tributary-sampled', 0.01),
  tracedTributary('tributary-traced', 1),
];

/** Equal requests over a fixed number of connections. */
export interface ThroughputScenario extends ScenarioBase {
  readonly kind: 'throughput';
  readonly operation: OperationName;
  readonly connections: number;
}

/** Compares the time to the first payload of an operation whose deferred field is slow with that of the operation
 *  without the field. */
export interface DeferScenario extends ScenarioBase {
  readonly kind: 'defer';
  readonly prompt: OperationName;
  readonly deferred: OperationName;
  readonly requestsPerSecond: number;
  readonly slow: { readonly subgraph: string; readonly text: string; readonly delayMs: number };
}

export type Scenario = ThroughputScenario | DeferScenario;

export const scenarios: readonly Scenario[] = [
  {
    name: 'big',
    kind: 'throughput',
    operation: 'big',
    connections: 50,
    sharing: false,
    targets: everyTarget,
  },
  {
    name: 'big-shared',
    kind: 'throughput',
    operation: 'big',
    connections: 50,
    sharing: true,
    targets: everyTarget,
  },
  {
    name: 'small',
    kind: 'throughput',
    operation: 'small',
    connections: 50,
    sharing: false,
    targets: everyTarget,
  },
  {
    name: 'big-traced',
    kind: 'throughput',
    operation: 'big',
    connections: 50,
    sharing: false,
    targets: tracedTargets,
  },
  {
    name: 'small-traced',
    kind: 'throughput',
    operation: 'small',
    connections: 50,
    sharing: false,
    targets: tracedTargets,
  },
  {
    name: 'defer',
    kind: 'defer',
    prompt: 'prompt',
    deferred: 'deferred',
    requestsPerSecond: 50,
    sharing: true,
    slow: slowShipping,
    targets: [tributary],
  },
  {
    name: 'defer-unshared',
    kind: 'defer',
    prompt: 'prompt',
    deferred: 'deferred',
    requestsPerSecond: 50,
    sharing: false,
    slow: slowShipping,
    targets: [tributary],
  },
];
