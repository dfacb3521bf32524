import type { DeploymentOrder, Finding } from './finding.ts';
import type { CheckReport, ExitCode } from './report/checkReport.ts';
import { createReport } from './report/createReport.ts';
import type { RuleId } from './rules.ts';

/** Whether a subgraph may be deployed now. */
interface Deployability {
  readonly exitCode: ExitCode;
  /** Why not; what only has to be known is not among them. What breaks if it is done now is `breaking` here, even if
   *  it breaks nothing in the right order. */
  readonly obstacles: readonly Finding[];
  /** What to do, one after the other, where that decides. */
  readonly steps: readonly string[];
}

/** About waivers that are to be removed or renewed. Nothing that is deployed breaks by them: what an expired one no
 *  longer lets pass is a finding of its own. */
const waiverMaintenanceRules: ReadonlySet<RuleId> = new Set(['waiver-expired', 'waiver-unused']);

/** Orders in which the new subgraph does not serve the gateways that run. */
const prematureOrders: readonly (DeploymentOrder | undefined)[] = ['gateway first', 'expand and contract'];

/** Reads a check of one candidate against an environment as the answer to whether it may be deployed there now. That
 *  a change breaks nothing in the end is not enough: the gateways that run have to be served too. */
export function evaluateDeployability({
  findings,
  summary: { strict, checked },
}: CheckReport): Deployability {
  const open = findings.filter(
    ({ rule, waivedBy }) => waivedBy === undefined && !waiverMaintenanceRules.has(rule),
  );
  const { summary } = createReport({ findings: open, strict, checked });
  const obstacles = open.flatMap((finding): Finding[] => {
    if (finding.severity !== 'safe' && finding.severity !== 'dangerous') return [finding];
    return prematureOrders.includes(finding.deployment?.order) ? [{ ...finding, severity: 'breaking' }] : [];
  });
  const steps = new Set(
    open.flatMap(({ deployment }) => (deployment?.order === 'safe' ? [] : (deployment?.steps ?? []))),
  );
  const exitCode = summary.exitCode === 0 && obstacles.length > 0 ? 1 : summary.exitCode;
  return { exitCode, obstacles, steps: [...steps] };
}
