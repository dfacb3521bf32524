import type { GraphChange } from '../checkSteps.ts';
import { locateDefinition } from '../diff/locateCoordinate.ts';
import type { Finding } from '../finding.ts';
import { defaultGatewaySettings, type GatewaySettings } from '../gatewaySettings.ts';
import { pairOperations } from '../graph/checkPlanCompatibility.ts';
import type { PlannedGraph } from '../graph/planConsumerOperations.ts';
import { type RuleId, ruleOf } from '../rules.ts';
import { evaluateCacheContract } from './evaluateCacheContract.ts';
import { evaluateCostLimit } from './evaluateCostLimit.ts';
import { evaluateEnrichmentBudgets } from './evaluateEnrichmentBudgets.ts';
import { evaluateEnrichmentContract } from './evaluateEnrichmentContract.ts';
import { evaluateGatewayConfig } from './evaluateGatewayConfig.ts';
import { evaluateLatencySlo } from './evaluateLatencySlo.ts';
import { evaluateMayDefer } from './evaluateMayDefer.ts';
import { createServedGraph } from './servedGraph.ts';

/** Whether a check with these settings finds everything that the rule is about. */
export function isFullyEvaluated(rule: RuleId, { locate, stepLatencyMs }: GatewaySettings): boolean {
  switch (ruleOf(rule).needs) {
    case 'step latency':
      return stepLatencyMs !== undefined;
    case 'gateway configuration':
      return locate !== undefined;
    default:
      return true;
  }
}

/** Reports where the graph violates what was agreed on besides the schema: caching, deferral, latency and cost. Violations
 *  are `breaking` when the change causes them or nothing is known of the time before. */
export function evaluateContractTerms({
  changes,
  gateway,
  next,
  operations,
  gatewaySettings = defaultGatewaySettings,
}: Omit<GraphChange, 'old'>): readonly Finding[] {
  const [before, after] = [
    gateway && createServedGraph(gateway, gatewaySettings),
    createServedGraph(next, gatewaySettings),
  ];
  const reported = new Set(
    changes.flatMap(({ rule, coordinate }) => (rule === 'cached-made-public' ? (coordinate ?? []) : [])),
  );
  const isAlreadyReported = ({ rule, coordinate = '' }: Finding): boolean =>
    rule === 'cache-contract' && (reported.has(coordinate) || reported.has(coordinate.split('.')[0] ?? ''));
  return [
    ...evaluateCacheContract(before, after, operations).filter((finding) => !isAlreadyReported(finding)),
    ...evaluateEnrichmentContract(before, after, operations),
    ...evaluateEnrichmentBudgets(before, after, operations),
    ...evaluateMayDefer(after, operations),
    ...evaluateGatewayConfig(before, after),
    ...evaluateCostLimit(before, after, operations),
    ...evaluateLatencies(gateway, next, gatewaySettings.stepLatencyMs),
  ].map((finding) => withLocation(finding, changes, next));
}

function evaluateLatencies(
  gateway: PlannedGraph | undefined,
  next: PlannedGraph,
  stepLatencyMs: number | undefined,
): readonly Finding[] {
  if (stepLatencyMs === undefined) return [];
  const old = gateway ?? { ...next, plans: new Map() };
  return pairOperations(old, next).flatMap((pair) => evaluateLatencySlo({ ...pair, stepLatencyMs }) ?? []);
}

/** Adds the location of the change at the same coordinate, or else of the definition. */
function withLocation(finding: Finding, changes: readonly Finding[], { graph }: PlannedGraph): Finding {
  const { coordinate, location, subgraph } = finding;
  if (location !== undefined || coordinate === undefined) return finding;
  const change = changes.find(
    (candidate) => candidate.coordinate === coordinate && candidate.location !== undefined,
  );
  if (change !== undefined) return { ...finding, subgraph: change.subgraph, location: change.location };
  const contracts = [...graph.contracts.values()];
  for (const contract of contracts.filter(({ name }) => subgraph === undefined || name === subgraph)) {
    const found = locateDefinition(contract, coordinate);
    if (found !== undefined) return { ...finding, subgraph: contract.name, location: found };
  }
  return finding;
}
