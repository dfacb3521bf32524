import { type CheckRequest, checkContracts } from '../../../contracts/checkContracts.ts';
import type { ExitCode } from '../exitCode.ts';
import { createCandidateFetch } from './candidateFetch.ts';
import { checkSteps, showProgress, utcDate } from './checkSetup.ts';
import { type ReportArgument, readReportOutputs, writeReport } from './reportOutputs.ts';

interface ContractsCheckOptions
  extends Pick<
    CheckRequest,
    'directory' | 'against' | 'environment' | 'gatewayConfig' | 'stepLatency' | 'strict'
  > {
  /** See `CheckRequest.candidates`. */
  readonly subgraph?: readonly string[] | undefined;
}

/** Checks the contracts and writes the report. Resolves with the exit code.
 *  @throws {CommandError} for wrong arguments. */
export async function contractsCheck(
  { subgraph, ...options }: ContractsCheckOptions,
  reportArguments: readonly ReportArgument[],
): Promise<ExitCode> {
  const outputs = readReportOutputs(reportArguments);
  const request = {
    ...options,
    candidates: subgraph,
    fetchSdl: createCandidateFetch(),
    today: utcDate(),
    onProgress: showProgress,
  };
  const report = await checkContracts(request, checkSteps);
  writeReport(report, outputs);
  return report.summary.exitCode;
}
