import { operationNumber } from './closedLoop.ts';
import { type OperationName, operationText, withoutDefer } from './operations.ts';
import { referenceAnswer } from './reference.ts';
import { wideOperation } from './subgraphs/wide.ts';
import { apolloGateway } from './targets/apolloGateway.ts';
import { floor, floorMerged } from './targets/floor.ts';
import { hiveGateway, hiveGatewayRouterRuntime } from './targets/hiveGateway.ts';
import { mercurius } from './targets/mercurius.ts';
import type { Target } from './targets/target.ts';
import {
  plainTributary,
  restartedTributary,
  startedTributary,
  tracedTributary,
  tributary,
  tributaryWithWorkers,
} from './targets/tributary.ts';

interface ScenarioBase {
  readonly name: string;
  readonly sharing: boolean;
  readonly targets: readonly Target[];
}

interface Operation {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>>;
  /** The `data` of every response, with all payloads merged. */
  readonly expected: unknown;
}

/** Requests over a fixed number of connections. */
export interface ThroughputScenario extends ScenarioBase {
  readonly kind: 'throughput';
  operation(): Operation;
  readonly connections: number;
  readonly burstConnections?: number;
  /** Whether each request has an `authorization` of its own, which must reach the subgraphs. */
  readonly identities?: boolean;
  /** The number of different texts of the operation, in turn. */
  readonly operations?: number;
  /** The time that every response of a subgraph takes. */
  readonly subgraphLatencyMs?: number;
  /** The number of subgraphs of the graph in `subgraphs/wide.ts`, instead of the usual four. */
  readonly wideSubgraphs?: number;
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

/** The time from the start of a process until it is ready, with a large generated graph. */
export interface StartScenario extends ScenarioBase {
  readonly kind: 'start';
  readonly subgraphs: number;
  readonly types: number;
}

type Scenario = ThroughputScenario | DeferScenario | StartScenario;

const everyTarget = [
  floorMerged,
  floor,
  tributary,
  hiveGatewayRouterRuntime,
  hiveGateway,
  apolloGateway,
  mercurius,
];
const latencyTargets = [floorMerged, tributary, hiveGatewayRouterRuntime];
const tracedTargets = [
  tributary,
  tracedTributary('tributary-sampled', 0.01),
  tracedTributary('tributary-traced', 1),
];
const usualConnections = 50;
const manyConnections = 500;
const slowShipping = { subgraph: 'inventory', text: 'shippingEstimate', delayMs: 2000 };

export const scenarios: readonly Scenario[] = [
  throughput('big', 'big', everyTarget),
  throughput('unique', 'big', everyTarget, { sharing: true, identities: true }),
  throughput('small', 'small', everyTarget),
  throughput('shared', 'big', everyTarget, { sharing: true }),
  throughput('big-traced', 'big', tracedTargets),
  throughput('small-traced', 'small', tracedTargets),
  throughput('latency-50', 'big', latencyTargets, { subgraphLatencyMs: 4 }),
  throughput('latency-500', 'big', latencyTargets, { subgraphLatencyMs: 4, connections: manyConnections }),
  throughput('latency-burst', 'big', latencyTargets, {
    subgraphLatencyMs: 4,
    burstConnections: manyConnections - usualConnections,
  }),
  throughput('defer-cost', 'deferredHop', [plainTributary, tributary]),
  ...[false, true].map(
    (sharing): DeferScenario => ({
      name: sharing ? 'defer' : 'defer-unshared',
      kind: 'defer',
      prompt: 'prompt',
      deferred: 'deferred',
      requestsPerSecond: 50,
      sharing,
      slow: slowShipping,
      targets: [tributary],
    }),
  ),
  {
    name: 'start',
    kind: 'start',
    subgraphs: 20,
    types: 1000,
    sharing: true,
    targets: [startedTributary, restartedTributary, hiveGatewayRouterRuntime, apolloGateway],
  },
  ...[10, 100, 1000, 10_000].map((first) =>
    throughput(`growth-representations-${first}`, 'catalog', [floorMerged, tributary], {
      connections: 10,
      operation: () => operation('catalog', { first }),
    }),
  ),
  ...[4, 20, 100].map((subgraphs) =>
    throughput(`growth-subgraphs-${subgraphs}`, 'small', [tributary], {
      // With more clients, requests would be shed: one to 100 subgraphs takes 9 ms of CPU.
      connections: 10,
      wideSubgraphs: subgraphs,
      operation: () => wideOperation(subgraphs),
    }),
  ),
  ...[10, 100, 1000, 5000].map((connections) =>
    throughput(`growth-clients-${connections}`, 'small', [floorMerged, tributary], { connections }),
  ),
  throughput('operations-5000', 'small', [tributary], {
    operations: 5000,
    operation: () => {
      const { query, expected } = operation('small');
      return { query: query.replace('query Small', `query Small${operationNumber}`), expected };
    },
  }),
  ...[1, 2].map((workers) =>
    throughput(`growth-workers-${workers}`, 'big', [{ ...tributaryWithWorkers(workers), name: 'tributary' }]),
  ),
];

function throughput(
  name: string,
  operationName: OperationName,
  targets: readonly Target[],
  settings: Partial<ThroughputScenario> = {},
): ThroughputScenario {
  return {
    name,
    kind: 'throughput',
    operation: () => operation(operationName),
    connections: usualConnections,
    sharing: false,
    targets,
    ...settings,
  };
}

function operation(name: OperationName, variables?: Readonly<Record<string, unknown>>): Operation {
  const query = operationText(name);
  // The reference does not support `@defer`, which does not change the merged response.
  const expected = referenceAnswer(withoutDefer(query), variables);
  return { query, expected, ...(variables === undefined ? {} : { variables }) };
}

/** The scenarios of these names. A name may end with `*`.
 *  @throws if a name is unknown */
export function selectScenarios(names: string | undefined): readonly Scenario[] {
  if (names === undefined) return scenarios;
  return names.split(',').flatMap((name) => {
    const prefix = name.endsWith('*') ? name.slice(0, -1) : undefined;
    const found = scenarios.filter((scenario) =>
      prefix === undefined ? scenario.name === name : scenario.name.startsWith(prefix),
    );
    if (found.length > 0) return found;
    throw new Error(`Unknown scenario ${name}; choose from ${scenarios.map((one) => one.name).join(', ')}`);
  });
}
