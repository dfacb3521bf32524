import type { ConsumerOperation } from '../contractStore.ts';
import type { AffectedOperation, Deployment, Finding, Severity } from '../finding.ts';
import { affected } from './affected.ts';
import { baseSeverity, isDecidedByPlans } from './baseSeverity.ts';
import type { Schemas } from './explains.ts';
import type { Trouble } from './trouble.ts';

export interface FindingEvidence {
  /** What goes wrong because of the change. */
  readonly troubles: readonly Trouble[];
  /** In which order the operations that are in trouble let it be rolled out; `undefined` where none is. */
  readonly deployment: Deployment | undefined;
  /** Operations that use what the change is about, in trouble or not. */
  readonly users: readonly ConsumerOperation[];
  readonly schemas: Schemas;
  /** Operations that go wrong by whichever change; left out where that is not known. */
  readonly inTrouble?: ReadonlySet<ConsumerOperation> | undefined;
}

/** A change as it is for the consumers that there are. */
export function judgeFinding(change: Finding, evidence: FindingEvidence): Finding {
  const { troubles, deployment, users, schemas } = evidence;
  const base = baseSeverity(change, users.length > 0, schemas);
  const severity = worse(base, severityOf(deployment));
  const affects = new Map<ConsumerOperation, AffectedOperation>();
  for (const { operation } of troubles) {
    if (affects.has(operation)) continue;
    const own = troubles.filter((trouble) => trouble.operation === operation);
    affects.set(operation, affected(operation, reasonOf(own)));
  }
  // Where plans and operations have been found to break, the others were found not to.
  if (troubles.length === 0 && base !== 'safe' && !isDecidedByPlans(change.rule)) {
    for (const operation of users) affects.set(operation, affected(operation, `uses ${change.coordinate}`));
  }
  return {
    ...change,
    severity,
    ...(severity === 'dangerous' && change.severity === 'breaking'
      ? { message: soften(change, evidence) }
      : {}),
    ...(affects.size === 0 ? {} : { affects: [...affects.values()] }),
    ...(deployment === undefined ? {} : { deployment }),
  };
}

const phases = {
  'in the end': '',
  'old gateways': 'while gateways have the old supergraph: ',
  'new gateways': 'while the old subgraph runs: ',
} as const;

/** The end counts for more than the way there. */
function reasonOf(troubles: readonly Trouble[]): string {
  for (const phase of ['in the end', 'old gateways', 'new gateways'] as const) {
    const messages = new Set(troubles.filter((one) => one.phase === phase).map(({ message }) => message));
    if (messages.size > 0) return `${phases[phase]}${[...messages].join('; ')}`;
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

const bySeverity: readonly Severity[] = ['breaking', 'dangerous', 'safe'];

function worse(one: Severity, other: Severity): Severity {
  return bySeverity.indexOf(one) <= bySeverity.indexOf(other) ? one : other;
}

function soften({ message }: Finding, evidence: FindingEvidence): string {
  const { troubles, users } = evidence;
  if (troubles.length > 0) return message;
  if (users.length === 0) return `${message} (no operation of a known consumer uses it)`;
  const outlook = goOnWorking(evidence) ? ', and go on working' : '';
  return `${message} (operations of known consumers use it${outlook})`;
}

/** Where there is no new API, nobody knows. */
function goOnWorking({ users, schemas, inTrouble }: FindingEvidence): boolean {
  return schemas.next !== undefined && inTrouble?.isDisjointFrom(new Set(users)) === true;
}
