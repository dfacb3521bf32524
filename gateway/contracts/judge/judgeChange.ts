import type { GraphQLSchema } from 'graphql';
import type { ConsumerOperation } from '../contractStore.ts';
import type { Finding } from '../finding.ts';
import { type PlanContract, pairOperations } from '../graph/checkPlanContracts.ts';
import { newHints } from '../graph/composeGraph.ts';
import { deploymentFor } from '../graph/deploymentFor.ts';
import type { PlannedConsumer, PlannedGraph } from '../graph/planConsumers.ts';
import type { GraphChange } from '../parts.ts';
import { affected, atOperation } from './affected.ts';
import { judgeAgreements } from './agreements.ts';
import { asBefore } from './asBefore.ts';
import { blame } from './blame.ts';
import { endTroubles } from './endTroubles.ts';
import { judgeFinding } from './judgeFinding.ts';
import { judgeHint } from './judgeHint.ts';
import { OperationUses } from './operationUses.ts';
import { planContractsBetween } from './planContractsBetween.ts';
import { judgePlanCost } from './planCost.ts';
import type { Trouble } from './trouble.ts';

/** What changes mean for the consumers that there are and for a rollout: what breaks operations is `breaking`, with
 *  them and with the order that it takes; what would break somebody whom nobody knows is `dangerous`. */
export function judgeChange({
  changes,
  old,
  gateway = old,
  next,
  operations,
  serving,
  isRollout = false,
}: GraphChange): readonly Finding[] {
  const agreed = judgeAgreements({ changes, gateway, next, operations, serving });
  const failed = (operation: ConsumerOperation, after: PlannedConsumer) => {
    // Gateways may hold nothing that composes while the subgraphs do.
    const isBroken = !isRollout || (gateway === undefined && old?.plans.get(operation)?.kind === 'planned');
    return failedOperation(operation, after).map((finding) => (isBroken ? finding : asBefore(finding)));
  };
  if (old === undefined || gateway === undefined) {
    const isFirst = old === undefined && gateway === undefined;
    return [
      ...(isFirst ? changesOfNothing(changes, next, operations) : changes),
      ...[...next.plans].flatMap(([operation, after]) => failed(operation, after)),
      ...agreed,
    ];
  }
  const schemas = { old: apiOf(gateway), next: apiOf(next) };
  const pairs = pairOperations(gateway, next);
  const contracts = planContractsBetween(old, gateway, next);
  const troubles = [
    ...pairs.flatMap(({ operation, before, after }) =>
      before?.kind === 'planned' && after !== undefined
        ? endTroubles(operation, after, schemas.old, schemas.next)
        : [],
    ),
    ...contracts.flatMap(troublesOf),
  ];
  const uses = new OperationUses(operations, [schemas.old, schemas.next]);
  const { blamed, unexplained } = blame(changes, troubles, schemas);
  const inTrouble = new Set(troubles.map(({ operation }) => operation));
  const judged = changes.map((change) => {
    const own = blamed.get(change) ?? [];
    return judgeFinding(change, {
      troubles: own,
      deployment: deploymentOf(change, own, contracts),
      users: uses.of(change),
      schemas,
      inTrouble,
    });
  });
  return [
    ...judged,
    ...newHints(old.graph, next.graph).map(judgeHint),
    ...operationsThatBreak(unexplained),
    ...pairs.flatMap(({ operation, before, after }) =>
      before?.kind === 'planned' || after === undefined ? [] : failed(operation, after),
    ),
    ...pairs.flatMap((pair) => judgePlanCost(pair) ?? []),
    ...agreed,
  ];
}

/** No plan was made before that could break. Operations that do not work now are told as that. */
function changesOfNothing(
  changes: readonly Finding[],
  next: PlannedGraph,
  operations: readonly ConsumerOperation[],
): readonly Finding[] {
  const schemas = { old: undefined, next: apiOf(next) };
  const uses = new OperationUses(operations, [schemas.next]);
  return changes.map((change) =>
    judgeFinding(change, { troubles: [], deployment: undefined, users: uses.of(change), schemas }),
  );
}

function apiOf({ graph }: PlannedGraph): GraphQLSchema {
  return graph.supergraph.apiSchema;
}

function troublesOf({ operation, subgraph, oldPlans, newPlans }: PlanContract): readonly Trouble[] {
  const troubles = (phase: Trouble['phase'], problems: PlanContract['oldPlans']) =>
    problems.map(({ message, coordinates }) => ({ operation, subgraph, phase, message, coordinates }));
  return [...troubles('old gateways', oldPlans), ...troubles('new gateways', newPlans)];
}

function deploymentOf(change: Finding, troubles: readonly Trouble[], contracts: readonly PlanContract[]) {
  const { subgraph } = change;
  if (troubles.length === 0 || subgraph === undefined) return undefined;
  const operations = new Set(troubles.map(({ operation }) => operation));
  const concerned = contracts.filter((one) => one.subgraph === subgraph && operations.has(one.operation));
  return deploymentFor({
    subgraph,
    oldPlans: concerned.flatMap(({ oldPlans }) => oldPlans),
    newPlans: concerned.flatMap(({ newPlans }) => newPlans),
    isRefused: troubles.some(({ phase }) => phase === 'in the end'),
  });
}

/** What breaks without a change that explains it. */
function operationsThatBreak(troubles: readonly Trouble[]): readonly Finding[] {
  const byOperation = Map.groupBy(troubles, ({ operation }) => operation);
  return [...byOperation].map(([operation, own]) =>
    brokenOperation(operation, [...new Set(own.map(({ message }) => message))].join('; ')),
  );
}

function failedOperation(operation: ConsumerOperation, after: PlannedConsumer): readonly Finding[] {
  if (after.kind === 'planned') return [];
  const [first] = after.problems;
  const reason = after.problems.map(({ message }) => message).join('; ');
  return [{ ...brokenOperation(operation, reason), place: first?.place ?? operation.place }];
}

function brokenOperation(operation: ConsumerOperation, reason: string): Finding {
  return {
    rule: 'operation-broken',
    severity: 'breaking',
    message: `${operation.consumer}/${operation.name} does not work with this graph: ${reason}`,
    advice: 'Change the graph so that it works, or change the operation where its consumer has changed it.',
    ...atOperation(operation),
    affects: [affected(operation, reason)],
  };
}
