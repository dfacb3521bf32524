import type { GraphQLSchema } from 'graphql';
import type { GraphChange } from '../checkDependencies.ts';
import type { ConsumerOperation } from '../contractStore.ts';
import { createFinding, type Finding } from '../finding.ts';
import { type PlanCompatibility, pairOperations } from '../graph/checkPlanCompatibility.ts';
import { newHints } from '../graph/composeGraph.ts';
import { determineDeployment, lifecycleOf } from '../graph/determineDeployment.ts';
import type { ConsumerPlan, PlannedGraph } from '../graph/planConsumerOperations.ts';
import { attributeBreakages } from './attributeBreakages.ts';
import type { Breakage } from './breakage.ts';
import { checkRolloutCompatibility } from './checkRolloutCompatibility.ts';
import { classifyChange } from './classifyChange.ts';
import { evaluateContractTerms } from './evaluateContractTerms.ts';
import { evaluatePlanCost } from './evaluatePlanCost.ts';
import { findBreakagesAfterRollout } from './findBreakagesAfterRollout.ts';
import { affectedOperation, markUnchanged, operationReference } from './operationFindings.ts';
import { OperationUsageIndex } from './operationUsageIndex.ts';

/** Rates changes by their consequences for known consumers and for a rollout. A change that breaks operations is
 *  `breaking` and names them and the rollout order. A change that could only break unknown consumers is `dangerous`. */
export function evaluateChange({
  changes,
  old,
  gateway = old,
  next,
  operations,
  gatewaySettings,
  isRollout = false,
}: GraphChange): readonly Finding[] {
  const termFindings = evaluateContractTerms({ changes, gateway, next, operations, gatewaySettings });
  const failed = (operation: ConsumerOperation, after: ConsumerPlan) => {
    // The graph of the gateways may fail to compose although that of the subgraphs composes.
    const isBroken = !isRollout || (gateway === undefined && old?.plans.get(operation)?.kind === 'planned');
    return failedOperationFindings(operation, after).map((finding) =>
      isBroken ? finding : markUnchanged(finding),
    );
  };
  if (old === undefined || gateway === undefined) {
    const isFirst = old === undefined && gateway === undefined;
    return [
      ...(isFirst ? classifyInitialChanges(changes, next, operations) : changes),
      ...[...next.plans].flatMap(([operation, after]) => failed(operation, after)),
      ...termFindings,
    ];
  }
  const schemas = { old: apiOf(gateway), next: apiOf(next) };
  const pairs = pairOperations(gateway, next);
  const compatibilities = checkRolloutCompatibility(old, gateway, next);
  const breakages = [
    ...pairs.flatMap(({ operation, before, after }) =>
      before?.kind === 'planned' && after !== undefined
        ? findBreakagesAfterRollout(operation, after, schemas.old, schemas.next)
        : [],
    ),
    ...compatibilities.flatMap(breakagesOf),
  ];
  const usage = new OperationUsageIndex(operations, [schemas.old, schemas.next]);
  const { byChange, unattributed } = attributeBreakages(changes, breakages, schemas);
  const brokenOperations = new Set(breakages.map(({ operation }) => operation));
  const classified = changes.map((change) => {
    const own = byChange.get(change) ?? [];
    return classifyChange(change, {
      breakages: own,
      deployment: deploymentOf(change, own, compatibilities),
      users: usage.usersOf(change),
      schemas,
      brokenOperations,
    });
  });
  return [
    ...classified,
    ...newHints(old.graph, next.graph),
    ...unattributedBreakageFindings(unattributed),
    ...pairs.flatMap(({ operation, before, after }) =>
      before?.kind === 'planned' || after === undefined ? [] : failed(operation, after),
    ),
    ...pairs.flatMap((pair) => evaluatePlanCost(pair) ?? []),
    ...termFindings,
  ];
}

/** Rates changes without a baseline: there are no earlier plans that could break. Operations that fail now are
 *  reported separately. */
function classifyInitialChanges(
  changes: readonly Finding[],
  next: PlannedGraph,
  operations: readonly ConsumerOperation[],
): readonly Finding[] {
  const schemas = { old: undefined, next: apiOf(next) };
  const usage = new OperationUsageIndex(operations, [schemas.next]);
  return changes.map((change) =>
    classifyChange(change, { breakages: [], deployment: undefined, users: usage.usersOf(change), schemas }),
  );
}

function apiOf({ graph }: PlannedGraph): GraphQLSchema {
  return graph.supergraph.apiSchema;
}

function breakagesOf({
  operation,
  subgraph,
  oldPlanProblems,
  newPlanProblems,
}: PlanCompatibility): readonly Breakage[] {
  const breakages = (phase: Breakage['phase'], problems: PlanCompatibility['oldPlanProblems']) =>
    problems.map(({ message, coordinates }) => ({ operation, subgraph, phase, message, coordinates }));
  return [...breakages('old gateways', oldPlanProblems), ...breakages('new gateways', newPlanProblems)];
}

function deploymentOf(
  change: Finding,
  breakages: readonly Breakage[],
  compatibilities: readonly PlanCompatibility[],
) {
  const { subgraph } = change;
  if (breakages.length === 0 || subgraph === undefined) return undefined;
  const operations = new Set(breakages.map(({ operation }) => operation));
  const relevant = compatibilities.filter(
    (one) => one.subgraph === subgraph && operations.has(one.operation),
  );
  return determineDeployment({
    subgraph,
    lifecycle: lifecycleOf(change),
    quotable: new Set(breakages.map(({ message }) => message)),
    oldPlanProblems: relevant.flatMap(({ oldPlanProblems }) => oldPlanProblems),
    newPlanProblems: relevant.flatMap(({ newPlanProblems }) => newPlanProblems),
    isRefused: breakages.some(({ phase }) => phase === 'after rollout'),
  });
}

/** Breakages that no change explains. */
function unattributedBreakageFindings(breakages: readonly Breakage[]): readonly Finding[] {
  const byOperation = Map.groupBy(breakages, ({ operation }) => operation);
  return [...byOperation].map(([operation, own]) =>
    brokenOperationFinding(operation, [...new Set(own.map(({ message }) => message))].join('; ')),
  );
}

function failedOperationFindings(operation: ConsumerOperation, after: ConsumerPlan): readonly Finding[] {
  if (after.kind === 'planned') return [];
  const [first] = after.problems;
  const reason = after.problems.map(({ message }) => message).join('; ');
  return [{ ...brokenOperationFinding(operation, reason), location: first?.location ?? operation.location }];
}

function brokenOperationFinding(operation: ConsumerOperation, reason: string): Finding {
  return createFinding('operation-broken', {
    severity: 'breaking',
    message: `${operation.consumer}/${operation.name} fails with this graph: ${reason}`,
    advice:
      'Change the graph so that the operation works, or update the operation if its consumer has changed it.',
    ...operationReference(operation),
    affects: [affectedOperation(operation, reason)],
  });
}
