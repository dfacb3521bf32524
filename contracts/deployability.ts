import type { DeploymentOrder, Finding } from './finding.ts';
import type { CheckReport, ExitCode } from './report/checkReport.ts';
import { createReport } from './report/createReport.ts';
import type { RuleId } from './rules.ts';

/** Whether a subgraph can be deployed now. */
interface Deployability {
  readonly exitCode: ExitCode;
  /** Findings that forbid the deployment. A change that breaks plans only in the wrong rollout order is `breaking`
   *  here, because deploying it now is the wrong order. */
  readonly obstacles: readonly Finding[];
  /** The rollout steps, in order. */
  readonly steps: readonly string[];
}

/** Rules about waivers that have to be removed or renewed. They forbid no deployment: what an expired waiver no
 *  longer covers is a finding of its own. */
const waiverMaintenanceRules: ReadonlySet<RuleId> = new Set(['waiver-expired', 'waiver-unused']);

/** Rollout orders in which the new subgraph does not serve the running gateways. */
const prematureOrders: readonly (DeploymentOrder | undefined)[] = ['gateway first', 'expand and contract'];

/** Turns the report of a check of one candidate against an environment into an answer: can it be deployed there now?
 *  Being harmless after the rollout is not enough, because running gateways have to be served too. */
export function evaluateDeployability({
  findings,
  summary: { strict, checked },
}: CheckReport): Deployability {
  const unwaived = findings.filter(
    ({ rule, waivedBy }) => waivedBy === undefined && !waiverMaintenanceRules.has(rule),
  );
  const { summary } = createReport({ findings: unwaived, strict, checked });
  const obstacles = unwaived.flatMap((finding): Finding[] => {
    if (finding.severity !== 'safe' && finding.severity !== 'dangerous') return [finding];
    return prematureOrders.includes(finding.deployment?.order) ? [{ ...finding, severity: 'breaking' }] : [];
  });
  const steps = new Set(
    unwaived.flatMap(({ deployment }) => (deployment?.order === 'safe' ? [] : (deployment?.steps ?? []))),
  );
  const exitCode = summary.exitCode === 0 && obstacles.length > 0 ? 1 : summary.exitCode;
  return { exitCode, obstacles, steps: [...steps] };
}
