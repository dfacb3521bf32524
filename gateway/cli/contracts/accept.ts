import { resolve } from 'node:path';
import { checkStore } from '../../../contracts/checkContracts.ts';
import type { SubgraphContract } from '../../../contracts/contractStore.ts';
import type { Finding } from '../../../contracts/finding.ts';
import type { CheckReport } from '../../../contracts/report/checkReport.ts';
import { acceptContracts } from '../../../contracts/store/acceptContracts.ts';
import { readCandidates } from '../../../contracts/store/readCandidates.ts';
import { readContractStore } from '../../../contracts/store/readContractStore.ts';
import {
  type RecordedOperation,
  readRecordedOperations,
} from '../../../contracts/store/readRecordedOperations.ts';
import { CommandError, type ExitCode, exitCode } from '../exitCode.ts';
import { createCandidateFetch } from './candidateFetch.ts';
import { checkSteps, showProgress, utcDate } from './checkSetup.ts';
import { describeProblems, rethrowFileErrors } from './commandErrors.ts';
import { writeReport } from './reportOutputs.ts';

interface ContractsAcceptOptions {
  readonly directory: string;
  readonly subgraph?: readonly string[] | undefined;
  /** Recorded operations: files and directories. */
  readonly operations?: readonly string[] | undefined;
  readonly reason: string;
  readonly force?: boolean | undefined;
}

/** Writes candidates or recorded operations into the store, unless the check fails. Resolves with the exit code, which is
 *  that of the check when nothing was written.
 *  @throws {CommandError} for wrong arguments, and for files and subgraphs that cannot be read. */
export async function contractsAccept(options: ContractsAcceptOptions): Promise<ExitCode> {
  const { directory, subgraph, operations, reason, force = false } = options;
  if (reason.trim() === '') {
    throw new CommandError(
      exitCode.usageError,
      '--reason is empty; expected: why the candidate is accepted.',
    );
  }
  if ((subgraph === undefined) === (operations === undefined)) {
    throw new CommandError(
      exitCode.usageError,
      'Expected either --subgraph NAME=FILE, for a schema, or --operations PATH, for recorded operations.',
    );
  }
  const today = utcDate();
  const accepted = await readAccepted(options, { today, onProgress: showProgress });
  if (accepted.report !== undefined) {
    writeReport(accepted.report, [{ format: 'text' }]);
    if (accepted.report.summary.exitCode !== exitCode.success && !force) {
      console.error(
        'Nothing was accepted. Add a waiver to waivers.yaml, or override the check with --force.',
      );
      return accepted.report.summary.exitCode;
    }
  }
  const written = await rethrowFileErrors(async () =>
    acceptContracts({
      ...accepted,
      directory,
      reason,
      today,
      overriddenFindings: accepted.report && describeFailures(accepted.report),
    }),
  );
  for (const file of written) console.log(`Accepted: ${file}`);
  if (written.length === 0) console.log('Nothing to accept: the store already has all of it.');
  return exitCode.success;
}

interface Accepted {
  readonly contracts?: Iterable<SubgraphContract>;
  readonly operations?: readonly RecordedOperation[];
  /** Undefined when nothing is new. */
  readonly report?: CheckReport | undefined;
}

async function readAccepted(
  { directory, subgraph, operations: paths = [] }: ContractsAcceptOptions,
  options: Pick<Parameters<typeof checkStore>[2], 'today' | 'onProgress'>,
): Promise<Accepted> {
  const store = await readContractStore(directory);
  // `--force` is for what changes break, and not for a mistyped directory.
  rejectProblems(store.problems.filter(({ rule }) => rule === 'store-missing'));
  if (subgraph !== undefined) {
    const candidates = await readCandidates(subgraph, {
      known: store.schemas,
      fetchSdl: createCandidateFetch(),
    });
    rejectProblems(candidates.problems);
    const report = await checkStore(store, candidates, options, checkSteps);
    return { contracts: candidates.contracts.values(), report };
  }
  const { operations, problems } = await readRecordedOperations(paths, store);
  rejectProblems(problems);
  if (operations.length === 0) return {};
  // Only the operations differ, so what the check finds is about them: a new one has to work with the contracts.
  const next = { ...store, operations: [...store.operations, ...operations] };
  const against = resolve(directory);
  return { operations, report: await checkStore(next, undefined, { ...options, against }, checkSteps) };
}

function rejectProblems(problems: readonly Finding[]): void {
  if (problems.length > 0) throw describeProblems('Nothing was accepted', problems);
}

/** The findings that fail a check, such as `2 breaking`; `undefined` when it passes. */
function describeFailures({ summary }: CheckReport): string | undefined {
  if (summary.exitCode === exitCode.success) return undefined;
  const failing = (['misuse', 'breaking', 'undecided'] as const).filter(
    (severity) => summary.counts[severity] > 0,
  );
  return failing.map((severity) => `${summary.counts[severity]} ${severity}`).join(', ');
}
