import type { GraphQLSchema } from 'graphql';
import type { GraphChange } from '../checkSteps.ts';
import type { ConsumerOperation } from '../contractStore.ts';
import { ancestorsOf } from '../diff/elements.ts';
import { createFinding, type Deployment, type Finding } from '../finding.ts';
import {
  checkPlanCompatibility,
  fetchesOf,
  type PlanCompatibility,
  pairOperations,
} from '../graph/checkPlanCompatibility.ts';
import { type ContractGraph, newHints } from '../graph/composeGraph.ts';
import { determineDeployment, lifecycleOf } from '../graph/determineDeployment.ts';
import type { ConsumerPlan, PlannedGraph } from '../graph/planConsumerOperations.ts';
import { subgraphSchemaOf } from '../graph/subgraphSchema.ts';
import { supergraphMetadataOf } from '../graph/supergraphMetadata.ts';
import { attributeBreakages } from './attributeBreakages.ts';
import type { Breakage } from './breakage.ts';
import { classifyByConsumers } from './classifyByConsumers.ts';
import { DeployedCauses } from './deployedCauses.ts';
import { evaluateContractTerms } from './evaluateContractTerms.ts';
import { evaluatePlanCost } from './evaluatePlanCost.ts';
import {
  findBreakagesAfterRollout,
  findNullableInputs,
  type PlannedValues,
} from './findBreakagesAfterRollout.ts';
import {
  addSentence,
  affectedOperation,
  joinMessages,
  markUnchanged,
  operationReference,
} from './operationFindings.ts';
import { OperationUsageIndex } from './operationUsageIndex.ts';

/** Rates changes by their consequences for known consumers and for a rollout. A change that breaks operations is
 *  `breaking` and names them and the rollout order. A change that could only break unknown consumers is `dangerous`. */
export function evaluateChange({
  changes,
  old,
  running,
  gateway = old,
  next,
  operations,
  gatewaySettings,
  isRollout = false,
}: GraphChange): readonly Finding[] {
  const before = running === undefined ? gateway : (old ?? gateway);
  const termFindings = evaluateContractTerms({ changes, gateway: before, next, operations, gatewaySettings });
  const failed = (operation: ConsumerOperation, after: ConsumerPlan) => {
    // The graph of the gateways may fail to compose although that of the subgraphs composes.
    const isBroken = !isRollout || (gateway === undefined && old?.plans.get(operation)?.kind === 'planned');
    return failedOperationFindings(operation, after).map((finding) =>
      isBroken ? finding : markUnchanged(finding),
    );
  };
  const subgraphs = old?.graph ?? (running && { contracts: running });
  if (subgraphs === undefined || gateway === undefined) {
    const isFirst = subgraphs === undefined && gateway === undefined;
    return [
      ...(isFirst ? classifyInitialChanges(changes, next, operations) : changes),
      ...[...next.plans].flatMap(([operation, after]) => failed(operation, after)),
      ...termFindings,
    ];
  }
  const schemas = { old: apiOf(gateway), next: apiOf(next) };
  const breakages = [
    ...breakagesAfterRollout(gateway, next),
    ...checkPlanCompatibility(gateway, subgraphs, next).flatMap(breakagesOf),
  ];
  const attribution = attributeBreakages(changes, breakages, schemas);
  const causes =
    running === undefined
      ? undefined
      : new DeployedCauses(gateway.graph.contracts, running, next.graph.contracts);
  return [
    ...classifyChanges(changes, breakages, attribution.byChange, schemas, operations),
    ...newHints(old?.graph ?? gateway.graph, next.graph),
    ...unattributedBreakageFindings(attribution.unattributed, causes),
    ...pairOperations(gateway, next).flatMap(({ operation, before, after }) =>
      before?.kind === 'planned' || after === undefined
        ? []
        : failed(operation, after).map((finding) => withEarlierProblems(finding, before, after)),
    ),
    ...(before === undefined ? [] : pairOperations(before, next)).flatMap(
      (pair) => evaluatePlanCost(pair) ?? [],
    ),
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
    classifyByConsumers(change, {
      breakages: [],
      deployment: undefined,
      users: usage.usersOf(change),
      schemas,
    }),
  );
}

/** Rates changes by the breakages that they cause. `byChange`: those of `breakages` that have a cause. */
function classifyChanges(
  changes: readonly Finding[],
  breakages: readonly Breakage[],
  byChange: ReadonlyMap<Finding, readonly Breakage[]>,
  schemas: { readonly old: GraphQLSchema; readonly next: GraphQLSchema },
  operations: readonly ConsumerOperation[],
): readonly Finding[] {
  const usage = new OperationUsageIndex(operations, [schemas.old, schemas.next]);
  const brokenOperations = new Set(breakages.map(({ operation }) => operation));
  const attributed = Map.groupBy(new Set([...byChange.values()].flat()), ({ subgraph }) => subgraph);
  const lost = new Set(
    breakages.flatMap(({ phase, coordinates }) => (phase === 'after rollout' ? coordinates : [])),
  );
  return changes.map((change) => {
    const own = byChange.get(change) ?? [];
    return classifyByConsumers(change, {
      breakages: own,
      deployment: deploymentOf(change, own, attributed.get(change.subgraph) ?? [], lost),
      users: usage.usersOf(change),
      schemas,
      brokenOperations,
    });
  });
}

/** What breaks in operations that work now, in whichever order the versions are rolled out. */
function breakagesAfterRollout(gateway: PlannedGraph, next: PlannedGraph): readonly Breakage[] {
  const [oldApi, nextApi] = [apiOf(gateway), apiOf(next)];
  if (oldApi === nextApi) return [];
  const served = () => supergraphMetadataOf(next.graph);
  return pairOperations(gateway, next).flatMap(({ operation, before, after }) =>
    before?.kind === 'planned' && after !== undefined
      ? findBreakagesAfterRollout(
          operation,
          after,
          oldApi,
          nextApi,
          served,
          plannedValuesOf(after, next.graph),
        )
      : [],
  );
}

function apiOf({ graph }: PlannedGraph): GraphQLSchema {
  return graph.supergraph.apiSchema;
}

/** A supergraph has the strictest type of an input of all subgraphs that have it. A gateway passes null on. */
function plannedValuesOf(planned: ConsumerPlan, { contracts }: ContractGraph): PlannedValues {
  const requests = () => fetchesOf(planned);
  // Plans may select a field of an interface from its types.
  const memberOf = (coordinate: string): string => coordinate.replace(/^\w+/, '');
  return {
    requests,
    acceptNull: (input) =>
      planned.kind === 'planned' &&
      requests().every(({ subgraph, document }) => {
        const contract = contracts.get(subgraph);
        if (contract === undefined) return true;
        return findNullableInputs(document, subgraphSchemaOf(contract)).every(
          (coordinate) => memberOf(coordinate) !== memberOf(input),
        );
      }),
  };
}

function breakagesOf({
  operation,
  subgraph,
  oldPlanProblems,
  lastingProblems,
  newPlanProblems,
}: PlanCompatibility): readonly Breakage[] {
  const breakages = (phase: Breakage['phase'], problems: PlanCompatibility['oldPlanProblems']) =>
    problems.map(({ message, coordinates }) => ({ operation, subgraph, phase, message, coordinates }));
  return [
    ...breakages('after rollout', lastingProblems),
    ...breakages('old gateways', oldPlanProblems),
    ...breakages('new gateways', newPlanProblems),
  ];
}

/** The rollout order of a change. All changes of a subgraph are rolled out with one version of it, so breakages of the
 *  others count, except for what a breakage after the rollout already says: that element is lost in any order.
 *  `attributed`: the breakages in the subgraph that changes cause. */
function deploymentOf(
  change: Finding,
  own: readonly Breakage[],
  attributed: readonly Breakage[],
  lost: ReadonlySet<string>,
): Deployment | undefined {
  const { subgraph } = change;
  if (own.length === 0 || subgraph === undefined) return undefined;
  const ownMessages = new Set(own.map(({ message }) => message));
  // The running version has no new element, only what contains it.
  const known = (coordinate: string) =>
    coordinate === change.coordinate && change.rule.endsWith('-added')
      ? (ancestorsOf(coordinate)[0] ?? coordinate)
      : coordinate;
  const problemsIn = (phase: Breakage['phase']) =>
    attributed
      .filter(
        (breakage) =>
          breakage.phase === phase &&
          (ownMessages.has(breakage.message) ||
            breakage.coordinates.some((coordinate) => !lost.has(coordinate))),
      )
      .map(({ message, coordinates }) => ({ message, coordinates: coordinates.map(known) }));
  return determineDeployment({
    subgraph,
    lifecycle: lifecycleOf(change),
    quotable: ownMessages,
    oldPlanProblems: problemsIn('old gateways'),
    newPlanProblems: problemsIn('new gateways'),
    isRefused: own.some(({ phase }) => phase === 'after rollout'),
  });
}

/** Breakages that no change explains. */
function unattributedBreakageFindings(
  breakages: readonly Breakage[],
  causes: DeployedCauses | undefined,
): readonly Finding[] {
  const byOperation = Map.groupBy(breakages, ({ operation }) => operation);
  return [...byOperation].map(([operation, own]) => {
    const finding = brokenOperationFinding(operation, own);
    return causes?.mark(finding, own) ?? finding;
  });
}

function failedOperationFindings(operation: ConsumerOperation, after: ConsumerPlan): readonly Finding[] {
  if (after.kind === 'planned') return [];
  const [first] = after.problems;
  const finding = brokenOperationFinding(operation, after.problems);
  return [{ ...finding, location: first?.location ?? operation.location }];
}

/** Problems that the operation did not have before are none that a waiver of an earlier change covers. */
function withEarlierProblems(
  finding: Finding,
  before: ConsumerPlan | undefined,
  after: ConsumerPlan,
): Finding {
  if (before?.kind !== 'failed' || after.kind !== 'failed') return finding;
  const known = new Set(before.problems.map(({ message }) => message));
  if (!after.problems.every(({ message }) => known.has(message))) return finding;
  return {
    ...finding,
    // The change may have added the operation. A finding with another severity says that the problem is old.
    message:
      finding.severity === 'breaking'
        ? addSentence(finding.message, 'It fails with the earlier graph, too.')
        : finding.message,
    earlierProblems: after.problems.map(({ coordinates }) => coordinates),
  };
}

function brokenOperationFinding(
  operation: ConsumerOperation,
  problems: readonly Pick<Breakage, 'message' | 'coordinates'>[],
): Finding {
  const reason = joinMessages(problems.map(({ message }) => message));
  const unknown = problems
    .filter(({ message }) => message.startsWith('Unknown directive'))
    .flatMap(({ coordinates }) => coordinates);
  return createFinding('operation-broken', {
    severity: 'breaking',
    message: `${operation.consumer}/${operation.name} fails with this graph: ${reason}`,
    advice:
      unknown.length === 0
        ? 'Change the graph so that the operation works, or update the operation if its consumer has changed it.'
        : `If the client itself applies ${[...new Set(unknown)].join(' and ')}, and does not send it, put the operation into the store as it is sent. Otherwise define and compose it in the graph.`,
    ...operationReference(operation),
    affects: [affectedOperation(operation, reason)],
  });
}
