import type { DeploymentOrder, Finding } from '../../../../contracts/finding.ts';
import type { Severity } from '../../../../contracts/severity.ts';
import type { Edit } from './changeContracts.ts';

/** A change and all findings of a check. */
export interface GoldenRow {
  readonly name: string;
  /** Changes of the base contracts that are made before `edits`. */
  readonly before?: readonly Edit[] | undefined;
  /** Operations of the consumer `more` besides those of the base, as text. */
  readonly operations?: string | undefined;
  readonly edits: readonly Edit[];
  readonly findings: readonly ExpectedFinding[];
}

export interface ExpectedFinding {
  readonly severity: Severity;
  readonly rule: string;
  readonly subgraph: string | undefined;
  readonly coordinate: string | undefined;
  /** `consumer/Operation`, sorted. */
  readonly affects: readonly string[];
  readonly order: DeploymentOrder | undefined;
}

type Expect = (
  rule: string,
  subgraph: string | undefined,
  coordinate: string | undefined,
  affects?: readonly string[],
  order?: DeploymentOrder,
) => ExpectedFinding;

export const breaking = expectOf('breaking');
export const dangerous = expectOf('dangerous');
export const safe = expectOf('safe');

function expectOf(severity: Severity): Expect {
  return (rule, subgraph, coordinate, affects = [], order) => ({
    severity,
    rule,
    subgraph,
    coordinate,
    affects,
    order,
  });
}

/** A finding in the form of the table. */
export function toExpectedFinding(finding: Finding): ExpectedFinding {
  const { severity, rule, subgraph, coordinate, affects = [], deployment } = finding;
  const names = affects.map(({ consumer, operation }) => `${consumer}/${operation}`);
  return { severity, rule, subgraph, coordinate, affects: names.sort(), order: deployment?.order };
}
