import { checkStore } from '../../../contracts/checkContracts.ts';
import type { CheckReport } from '../../../contracts/report/checkReport.ts';
import { acceptContracts } from '../../../contracts/store/acceptContracts.ts';
import { readCandidates } from '../../../contracts/store/readCandidates.ts';
import { readContractStore } from '../../../contracts/store/readContractStore.ts';
import { CommandError, type ExitCode, exitCode } from '../exitCode.ts';
import { createCandidateFetch } from './candidateFetch.ts';
import { checkSteps, showProgress, utcDate } from './checkSetup.ts';
import { describeProblems, rethrowFileErrors } from './commandErrors.ts';
import { writeReport } from './reportOutputs.ts';

interface ContractsAcceptOptions {
  readonly directory: string;
  readonly subgraph: readonly string[];
  readonly reason: string;
  readonly force?: boolean | undefined;
}

/** Writes candidates into the store, unless the check fails. Resolves with the exit code, which is that of the check
 *  when nothing was written.
 *  @throws {CommandError} for wrong arguments, and for candidates that cannot be read. */
export async function contractsAccept(options: ContractsAcceptOptions): Promise<ExitCode> {
  const { directory, subgraph, reason, force = false } = options;
  if (reason.trim() === '') {
    throw new CommandError(
      exitCode.usageError,
      '--reason is empty; expected: why the candidate is accepted.',
    );
  }
  const store = await readContractStore(directory);
  const candidates = await readCandidates(subgraph, {
    known: store.schemas,
    fetchSdl: createCandidateFetch(),
  });
  if (candidates.problems.length > 0) throw describeProblems('Nothing was accepted', candidates.problems);
  const today = utcDate();
  const report = await checkStore(store, candidates, { today, onProgress: showProgress }, checkSteps);
  writeReport(report, [{ format: 'text' }]);
  const { exitCode: checkExitCode } = report.summary;
  if (checkExitCode !== exitCode.success && !force) {
    console.error('Nothing was accepted. Add a waiver to waivers.yaml, or override the check with --force.');
    return checkExitCode;
  }
  const overriddenFindings = checkExitCode === exitCode.success ? undefined : describeCounts(report);
  const contracts = candidates.contracts.values();
  const written = await rethrowFileErrors(async () =>
    acceptContracts({ directory, contracts, reason, today, overriddenFindings }),
  );
  for (const file of written) console.log(`Accepted: ${file}`);
  if (written.length === 0) console.log('Nothing to accept: the contracts already have these schemas.');
  return exitCode.success;
}

function describeCounts({ summary: { counts } }: CheckReport): string {
  const failing = (['misuse', 'breaking', 'undecided'] as const).filter((severity) => counts[severity] > 0);
  return failing.map((severity) => `${counts[severity]} ${severity}`).join(', ');
}
