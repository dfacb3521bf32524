import type { DeploymentOrder, Finding } from './finding.ts';
import type { CheckReport, DeploymentTarget } from './report/checkReport.ts';
import { createReport } from './report/createReport.ts';
import type { RuleId } from './rules.ts';

/** Rules about waivers that have to be removed or renewed. They forbid no deployment: what an expired waiver no
 *  longer covers is a finding of its own. */
const waiverMaintenanceRules: ReadonlySet<RuleId> = new Set(['waiver-expired', 'waiver-unused']);

/** Rollout orders in which the new subgraph does not serve the running gateways. */
const prematureOrders: readonly (DeploymentOrder | undefined)[] = ['gateway first', 'expand and contract'];

/** Turns the report of a check of one candidate against an environment into an answer: can it be deployed there now?
 *  Being harmless after the rollout is not enough, because running gateways have to be served too. The findings of the
 *  answer are those that forbid the deployment. A change that breaks plans only in the wrong rollout order is
 *  `breaking` there, because deploying it now is the wrong order. */
export function evaluateDeployability(
  { findings, summary: { strict, checked } }: CheckReport,
  target: DeploymentTarget,
): CheckReport {
  const unwaived = findings.filter(
    ({ rule, waivedBy }) => waivedBy === undefined && !waiverMaintenanceRules.has(rule),
  );
  const obstacles = unwaived.flatMap((finding): Finding[] => {
    if (finding.severity !== 'safe' && finding.severity !== 'dangerous') return [finding];
    return prematureOrders.includes(finding.deployment?.order) ? [{ ...finding, severity: 'breaking' }] : [];
  });
  const steps = new Set(unwaived.flatMap(({ deployment }) => deployment?.steps ?? []));
  const report = createReport({ findings: obstacles, strict, checked });
  return { ...report, summary: { ...report.summary, deployability: { ...target, steps: [...steps] } } };
}
