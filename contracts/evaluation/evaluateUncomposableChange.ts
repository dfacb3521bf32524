import type { UncomposableChange } from '../checkSteps.ts';
import { readSubgraphVersion } from '../diff/subgraphVersion.ts';
import type { Deployment, Finding } from '../finding.ts';
import { fetchesOf } from '../graph/checkPlanCompatibility.ts';
import { CrossVersionPlanCheck, changedSubgraphs } from '../graph/crossVersionPlanCheck.ts';
import { determineDeployment, lifecycleOf } from '../graph/determineDeployment.ts';
import type { FetchProblem } from '../graph/fetchProblem.ts';
import { quotedNamesIn } from '../graph/locateInContract.ts';
import type { PlannedGraph } from '../graph/planConsumerOperations.ts';
import { attributeBreakages } from './attributeBreakages.ts';
import type { Breakage } from './breakage.ts';
import { classifyByConsumers } from './classifyByConsumers.ts';
import { markUnchanged } from './operationFindings.ts';
import { OperationUsageIndex } from './operationUsageIndex.ts';

/** Rates changes that do not compose. Gateways keep the old supergraph, so its plans that the new subgraphs do not serve
 *  break as soon as these are deployed. */
export function evaluateUncomposableChange(change: UncomposableChange): readonly Finding[] {
  const { changes, gateway, next, compositionFindings, operations, earlierCompositionFindings = [] } = change;
  const earlier = new Set(earlierCompositionFindings.map(refusalKey));
  const refusals = mergeUnreachable(
    compositionFindings.filter((refusal) => !isAlreadyReported(refusal, changes)),
  ).map((refusal) => (earlier.has(refusalKey(refusal)) ? markUnchanged(refusal) : refusal));
  if (gateway === undefined) return [...changes, ...refusals];
  const schemas = { old: gateway.graph.supergraph.apiSchema, next: undefined };
  const startable = changedSubgraphs(gateway.graph.contracts, next).filter((name) => {
    const contract = next.get(name);
    // A subgraph with an invalid schema does not start, so no plan reaches it.
    return contract === undefined || 'schema' in readSubgraphVersion(contract);
  });
  const breakages = findOldPlanBreakages(gateway, next, startable);
  const usage = new OperationUsageIndex(operations, [schemas.old]);
  const { byChange } = attributeBreakages(changes, breakages, schemas);
  const classified = changes.map((finding) => {
    const own = byChange.get(finding) ?? [];
    const deployment = deploymentOf(finding, own, compositionFindings);
    return classifyByConsumers(finding, {
      breakages: own,
      deployment,
      users: usage.usersOf(finding),
      schemas,
    });
  });
  return [...classified, ...refusals];
}

/** Equal for findings that say the same. Locations are not compared, because lines move. */
function refusalKey({ rule, coordinate, message }: Finding): string {
  return JSON.stringify([rule, coordinate, message.replace(/ \(see also .*\)$/, '')]);
}

/** The composer reports an invalid subgraph in the same words as the parser and the subgraph library. */
function isAlreadyReported({ rule, subgraph, message }: Finding, changes: readonly Finding[]): boolean {
  if (rule !== 'composition-error') return false;
  return changes.some(
    (change) =>
      (change.rule === 'subgraph-invalid' || change.rule === 'subgraph-unparseable') &&
      change.subgraph === subgraph &&
      message.includes(messageWithoutFile(change)),
  );
}

/** The message without the file name at its beginning. */
function messageWithoutFile({ message }: Finding): string {
  return message.slice(message.indexOf(': ') + 2);
}

interface OldPlanBreakage extends Breakage {
  readonly kind: FetchProblem['kind'];
}

/** The rollout order of a change. That nothing composes yet does not matter, unless this change is the reason. */
function deploymentOf(
  change: Finding,
  breakages: readonly OldPlanBreakage[],
  refusals: readonly Finding[],
): Deployment | undefined {
  const { subgraph } = change;
  if (breakages.length === 0 || subgraph === undefined) return undefined;
  const isFixedByUpdate = breakages.every(({ kind }) => fixedByGatewayUpdate.has(kind));
  const isRefused = !isFixedByUpdate || refusals.some((refusal) => concernsChange(refusal, change));
  const deployment = determineDeployment({
    subgraph,
    lifecycle: lifecycleOf(change),
    oldPlanProblems: breakages,
    newPlanProblems: [],
    isRefused,
  });
  return isRefused ? deployment : { ...deployment, steps: [composeFirstStep, ...deployment.steps] };
}

/** Problems that end when gateways know the change, with any supergraph. For other problems only new
 *  plans could show another way to the data, and there are none. */
const fixedByGatewayUpdate: ReadonlySet<FetchProblem['kind']> = new Set(['missing input', 'unknown value']);

const composeFirstStep =
  'Correct what the composer refuses and check again. Until then there is no supergraph to publish.';

/** Whether a composition error names the changed element: an enum value by its enum, an argument by its field. */
function concernsChange(refusal: Finding, { coordinate, rule }: Finding): boolean {
  if (coordinate === undefined) return true;
  const [type = '', member] = coordinate.replace(/\(.*/, '').split('.');
  const names = [
    coordinate,
    member === undefined || rule.startsWith('enum-value-') ? type : `${type}.${member}`,
  ];
  const named = [refusal.coordinate ?? '', ...quotedNamesIn(refusal.message)];
  return named.some((name) => names.includes(name) || names.includes(name.replace(/\(.*/, '')));
}

function findOldPlanBreakages(
  gateway: PlannedGraph,
  next: UncomposableChange['next'],
  changed: readonly string[],
): readonly OldPlanBreakage[] {
  const check = new CrossVersionPlanCheck(gateway.graph, { contracts: next });
  return changed.flatMap((subgraph) =>
    [...gateway.plans].flatMap(([operation, plan]) =>
      check.check(fetchesOf(plan), subgraph, operation).map(
        ({ kind, message, coordinates }): OldPlanBreakage => ({
          kind,
          operation,
          subgraph,
          phase: 'old gateways',
          message,
          coordinates,
        }),
      ),
    ),
  );
}

/** Merges satisfiability errors: one missing key makes every field unreachable that was reached by it. */
function mergeUnreachable(refusals: readonly Finding[]): readonly Finding[] {
  const unreachable = refusals.filter(({ message }) => message.startsWith('SATISFIABILITY_ERROR'));
  const [first, ...others] = unreachable;
  if (first === undefined || others.length === 0) return refusals;
  const fields = new Set(others.flatMap(({ coordinate }) => coordinate ?? []));
  const merged = {
    ...first,
    message: `${first.message}\nThese fields cannot be reached on every path either: ${[...fields].join(', ')}.`,
  };
  return [...refusals.filter((finding) => !unreachable.includes(finding)), merged];
}
