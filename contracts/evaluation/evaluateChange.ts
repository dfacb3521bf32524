import type { GraphQLSchema } from 'graphql';
import type { GraphChange } from '../checkDependencies.ts';
import type { ConsumerOperation } from '../contractStore.ts';
import { createFinding, type Finding } from '../finding.ts';
import { type PlanCompatibility, pairOperations } from '../graph/checkPlanCompatibility.ts';
import { newHints } from '../graph/composeGraph.ts';
import { determineDeployment } from '../graph/determineDeployment.ts';
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
  const agreed = evaluateContractTerms({ changes, gateway, next, operations, gatewaySettings });
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
      ...agreed,
    ];
  }
  const schemas = { old: apiOf(gateway), next: apiOf(next) };
  const pairs = pairOperations(gateway, next);
  const contracts = checkRolloutCompatibility(old, gateway, next);
  const troubles = [
    ...pairs.flatMap(({ operation, before, after }) =>
      before?.kind === 'planned' && after !== undefined
        ? findBreakagesAfterRollout(operation, after, schemas.old, schemas.next)
        : [],
    ),
    ...contracts.flatMap(breakagesOf),
  ];
  const uses = new OperationUsageIndex(operations, [schemas.old, schemas.next]);
  const { byChange, unattributed } = attributeBreakages(changes, troubles, schemas);
  const inTrouble = new Set(troubles.map(({ operation }) => operation));
  const judged = changes.map((change) => {
    const own = byChange.get(change) ?? [];
    return classifyChange(change, {
      breakages: own,
      deployment: deploymentOf(change, own, contracts),
      users: uses.usersOf(change),
      schemas,
      brokenOperations: inTrouble,
    });
  });
  return [
    ...judged,
    ...newHints(old.graph, next.graph),
    ...unattributedBreakageFindings(unattributed),
    ...pairs.flatMap(({ operation, before, after }) =>
      before?.kind === 'planned' || after === undefined ? [] : failed(operation, after),
    ),
    ...pairs.flatMap((pair) => evaluatePlanCost(pair) ?? []),
    ...agreed,
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
  const uses = new OperationUsageIndex(operations, [schemas.next]);
  return changes.map((change) =>
    classifyChange(change, { breakages: [], deployment: undefined, users: uses.usersOf(change), schemas }),
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
  const troubles = (phase: Breakage['phase'], problems: PlanCompatibility['oldPlanProblems']) =>
    problems.map(({ message, coordinates }) => ({ operation, subgraph, phase, message, coordinates }));
  return [...troubles('old gateways', oldPlanProblems), ...troubles('new gateways', newPlanProblems)];
}

function deploymentOf(
  change: Finding,
  troubles: readonly Breakage[],
  contracts: readonly PlanCompatibility[],
) {
  const { subgraph } = change;
  if (troubles.length === 0 || subgraph === undefined) return undefined;
  const operations = new Set(troubles.map(({ operation }) => operation));
  const concerned = contracts.filter((one) => one.subgraph === subgraph && operations.has(one.operation));
  return determineDeployment({
    subgraph,
    oldPlanProblems: concerned.flatMap(({ oldPlanProblems }) => oldPlanProblems),
    newPlanProblems: concerned.flatMap(({ newPlanProblems }) => newPlanProblems),
    isRefused: troubles.some(({ phase }) => phase === 'after rollout'),
  });
}

/** Breakages that no change explains. */
function unattributedBreakageFindings(troubles: readonly Breakage[]): readonly Finding[] {
  const byOperation = Map.groupBy(troubles, ({ operation }) => operation);
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
    message: `${operation.consumer}/${operation.name} does not work with this graph: ${reason}`,
    advice: 'Change the graph so that it works, or change the operation where its consumer has changed it.',
    ...operationReference(operation),
    affects: [affectedOperation(operation, reason)],
  });
}
