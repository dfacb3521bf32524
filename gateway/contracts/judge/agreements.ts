import type { Finding } from '../finding.ts';
import { pairOperations } from '../graph/checkPlanContracts.ts';
import { placeOfDefinition } from '../graph/placeInContract.ts';
import type { PlannedGraph } from '../graph/planConsumers.ts';
import type { GraphChange } from '../parts.ts';
import { type Serving, unknownServing } from '../serving.ts';
import { judgeCacheContract } from './cacheContract.ts';
import { judgeEnrichmentContract } from './enrichmentContract.ts';
import { judgeGatewayConfig } from './gatewayConfig.ts';
import { judgeLatency } from './latencySlo.ts';
import { judgeMayDefer } from './mayDefer.ts';
import { servedGraph } from './servedGraph.ts';

/** Rules about what was agreed on besides that operations work. What the change makes so is `breaking`. */
export const agreements: ReadonlySet<string> = new Set([
  'cache-contract',
  'enrichment-contract',
  'gateway-config-outdated',
  'latency-slo',
  'slo-unmatched',
  'staleness-slo',
]);

const byConfig: ReadonlySet<string> = new Set([
  'enrichment-contract',
  'gateway-config-outdated',
  'slo-unmatched',
  'staleness-slo',
]);

/** Whether a check that knows this of the gateways finds all that the rule is about. */
export function findsAllOf(rule: string, { placeOf, stepLatencyMs }: Serving): boolean {
  if (rule === 'latency-slo') return stepLatencyMs !== undefined;
  return !byConfig.has(rule) || placeOf !== undefined;
}

/** What was agreed on about caching, about what may come late and about latency, and is not so with the graph. `breaking`
 *  where the change is what makes it so, or nothing is known of before. */
export function judgeAgreements({
  changes,
  gateway,
  next,
  operations,
  serving = unknownServing,
}: Omit<GraphChange, 'old'>): readonly Finding[] {
  const [before, after] = [gateway && servedGraph(gateway, serving), servedGraph(next, serving)];
  const told = new Set(
    changes.flatMap(({ rule, coordinate }) => (rule === 'cached-made-public' ? (coordinate ?? []) : [])),
  );
  const isTold = ({ rule, coordinate = '' }: Finding): boolean =>
    rule === 'cache-contract' && (told.has(coordinate) || told.has(coordinate.split('.')[0] ?? ''));
  return [
    ...judgeCacheContract(before, after, operations).filter((finding) => !isTold(finding)),
    ...judgeEnrichmentContract(before, after, operations),
    ...judgeMayDefer(after, operations),
    ...judgeGatewayConfig(before, after),
    ...latencies(gateway, next, serving.stepLatencyMs),
  ].map((finding) => withPlace(finding, changes, next));
}

function latencies(
  gateway: PlannedGraph | undefined,
  next: PlannedGraph,
  stepLatencyMs: number | undefined,
): readonly Finding[] {
  if (stepLatencyMs === undefined) return [];
  const old = gateway ?? { ...next, plans: new Map() };
  return pairOperations(old, next).flatMap((pair) => judgeLatency({ ...pair, stepLatencyMs }) ?? []);
}

/** Where the change is that is to blame, or else where the part is defined. */
function withPlace(finding: Finding, changes: readonly Finding[], { graph }: PlannedGraph): Finding {
  const { coordinate, place, subgraph } = finding;
  if (place !== undefined || coordinate === undefined) return finding;
  const change = changes.find((one) => one.coordinate === coordinate && one.place !== undefined);
  if (change !== undefined) return { ...finding, subgraph: change.subgraph, place: change.place };
  const contracts = [...graph.contracts.values()];
  for (const contract of contracts.filter(({ name }) => subgraph === undefined || name === subgraph)) {
    const found = placeOfDefinition(contract, coordinate);
    if (found !== undefined) return { ...finding, subgraph: contract.name, place: found };
  }
  return finding;
}
