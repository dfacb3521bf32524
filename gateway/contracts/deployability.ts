import type { DeploymentOrder, Finding } from './finding.ts';
import type { CheckReport, ExitCode } from './report/checkReport.ts';

/** Whether a subgraph may be deployed now. */
export interface Deployability {
  readonly exitCode: ExitCode;
  /** Why not; what only has to be known is not among them. What breaks if it is done now is `breaking` here, even if
   *  it breaks nothing in the right order. */
  readonly obstacles: readonly Finding[];
  /** What to do, one after the other, where that decides. */
  readonly steps: readonly string[];
}

/** Orders in which the new subgraph does not serve the gateways that run. */
const tooEarly: readonly (DeploymentOrder | undefined)[] = ['gateway first', 'expand and contract'];

/** Reads a check of one candidate against an environment as the answer to whether it may be deployed there now. That
 *  a change breaks nothing in the end is not enough: the gateways that run have to be served too. */
export function readDeployability({ findings, summary }: CheckReport): Deployability {
  const open = findings.filter(({ waivedBy }) => waivedBy === undefined);
  const obstacles = open.flatMap((finding): Finding[] => {
    if (finding.severity !== 'safe' && finding.severity !== 'dangerous') return [finding];
    return tooEarly.includes(finding.deployment?.order) ? [{ ...finding, severity: 'breaking' }] : [];
  });
  const steps = new Set(
    open.flatMap(({ deployment }) => (deployment?.order === 'safe' ? [] : (deployment?.steps ?? []))),
  );
  const exitCode = summary.exitCode === 0 && obstacles.length > 0 ? 1 : summary.exitCode;
  return { exitCode, obstacles, steps: [...steps] };
}
