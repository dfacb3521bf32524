import { findBreakingChanges } from 'graphql';
import type { ConsumerOperation } from '../contractStore.ts';
import type { AffectedOperation, Deployment, Finding } from '../finding.ts';
import { type RuleId, ruleOf } from '../rules.ts';
import { type Severity, severitiesWorstFirst } from '../severity.ts';
import type { Breakage } from './breakage.ts';
import type { ApiSchemas } from './coversBreakage.ts';
import { affectedOperation, joinMessages } from './operationFindings.ts';
import { describeElement, describeWithMembers } from './schemaUsage.ts';

export interface ChangeEvidence {
  /** Breakages that are attributed to the change. */
  readonly breakages: readonly Breakage[];
  /** The rollout order for the broken operations. Undefined when none is broken. */
  readonly deployment: Deployment | undefined;
  /** Operations that use the changed element, broken or not. */
  readonly users: readonly ConsumerOperation[];
  readonly schemas: ApiSchemas;
  /** Operations broken by any change. Omitted when that is not known. */
  readonly brokenOperations?: ReadonlySet<ConsumerOperation> | undefined;
}

/** Rates a change by its consequences for the known consumers. */
export function classifyByConsumers(change: Finding, evidence: ChangeEvidence): Finding {
  const { breakages, deployment, users, schemas } = evidence;
  const base = baseSeverityOf(change, users.length > 0, schemas);
  const severity = worstSeverity(base, severityOf(deployment));
  const affects = new Map<ConsumerOperation, AffectedOperation>();
  for (const [operation, own] of Map.groupBy(breakages, (breakage) => breakage.operation))
    affects.set(operation, affectedOperation(operation, reasonOf(change, own)));
  // When breakages were searched in plans, an operation without one is known to work. Another default value changes
  // its data all the same.
  const isDefault = change.rule.endsWith('-default-changed');
  const isListed = breakages.length === 0 || isDefault;
  const use = isDefault ? 'may get the new default value of' : 'uses';
  if (isListed && base !== 'safe' && ruleOf(change.rule).severityFrom !== 'plans') {
    for (const operation of users) {
      if (affects.has(operation)) continue;
      affects.set(operation, affectedOperation(operation, `${use} ${change.coordinate}`));
    }
  }
  return {
    ...change,
    severity,
    ...(severity === 'dangerous' && change.severity === 'breaking'
      ? { message: softenMessage(change, evidence) }
      : {}),
    ...(deployment !== undefined && isAboutOtherOrder(change, deployment) ? { advice: followSteps } : {}),
    ...(affects.size === 0 ? {} : { affects: [...affects.values()] }),
    ...(deployment === undefined ? {} : { deployment }),
  };
}

const followSteps = 'Follow the rollout steps: in another order, operations fail for some time.';

/** How the advice of rules begins that is right for one rollout order only, or for none. */
const adviceForOrder = [
  ['Nothing to do', undefined],
  ['Roll the subgraph out', 'subgraph first'],
  ['Give gateways the new supergraph first', 'gateway first'],
  // In another order, a different subgraph serves the field from now on.
  ['Deprecate the field', 'expand and contract'],
] as const;

function isAboutOtherOrder({ advice = '' }: Finding, { order }: Deployment): boolean {
  return adviceForOrder.some(([start, right]) => advice.startsWith(start) && right !== order);
}

/** How bad a change is that breaks no plan and no operation. `isUsed`: an operation uses the changed element. */
function baseSeverityOf(change: Finding, isUsed: boolean, { old, next }: ApiSchemas): Severity {
  const { rule, severity, coordinate } = change;
  const { severityFrom } = ruleOf(rule);
  if ((severity !== 'breaking' && severity !== 'dangerous') || severityFrom === 'rule') return severity;
  if (severityFrom === 'access' && severity === 'dangerous') return severity;
  // Without both graphs nothing was planned, so it is not known that nothing breaks.
  if (next === undefined || old === undefined) return 'dangerous';
  if (severityFrom === 'plans') return 'safe';
  // A new optional input: no client sends it yet.
  if (severity === 'dangerous' && rule === 'input-field-added') return 'safe';
  if (severityFrom !== 'api') return isUsed ? 'dangerous' : 'safe';
  const describe = removesMembers(rule) ? describeWithMembers : describeElement;
  const isSame =
    coordinate === undefined
      ? // A subgraph as a whole: other subgraphs may serve everything that clients had.
        findBreakingChanges(old, next).length === 0
      : describe(old, coordinate) === describe(next, coordinate);
  return !isSame && (severity === 'breaking' || isUsed) ? 'dangerous' : 'safe';
}

/** Members of such a type are not reported by themselves, and other subgraphs may not have them. */
function removesMembers(rule: RuleId): boolean {
  return rule === 'type-removed' || rule === 'mutation-type-changed' || rule === 'subscription-type-changed';
}

const phasePrefixes = {
  'after rollout': '',
  'old gateways': 'while gateways have the old supergraph: ',
  'new gateways': 'while the old subgraph runs: ',
} as const;

/** A breakage after the rollout counts for more than one during it. */
function reasonOf({ rule }: Finding, breakages: readonly Breakage[]): string {
  for (const phase of ['after rollout', 'old gateways', 'new gateways'] as const) {
    const messages = breakages.filter((a) => a.phase === phase).map(({ message }) => message);
    // A new subgraph has no old version.
    const isUntilAdded = rule === 'subgraph-added' && phase === 'new gateways';
    const prefix = isUntilAdded ? 'until the subgraph runs: ' : phasePrefixes[phase];
    if (messages.length > 0) return `${prefix}${joinMessages(messages)}`;
  }
  return '';
}

function severityOf(deployment: Deployment | undefined): Severity {
  switch (deployment?.order) {
    case 'expand and contract':
      return 'breaking';
    // A subgraph is usually deployed before the supergraph that is composed with it.
    case 'gateway first':
      return 'dangerous';
    default:
      return 'safe';
  }
}

function worstSeverity(a: Severity, b: Severity): Severity {
  return severitiesWorstFirst.indexOf(a) <= severitiesWorstFirst.indexOf(b) ? a : b;
}

function softenMessage({ message }: Finding, evidence: ChangeEvidence): string {
  const { breakages, users } = evidence;
  if (breakages.length > 0) return message;
  if (users.length === 0) return `${message} (no operation of a known consumer uses it)`;
  const outlook = areUsersUnaffected(evidence) ? ', and keep working' : '';
  return `${message} (operations of known consumers use it${outlook})`;
}

/** Without a new API schema it is not known whether users are affected. */
function areUsersUnaffected({ users, schemas, brokenOperations }: ChangeEvidence): boolean {
  return schemas.next !== undefined && brokenOperations?.isDisjointFrom(new Set(users)) === true;
}
