import type { CheckSteps } from './checkSteps.ts';
import { ComparisonRunner } from './comparisonRunner.ts';
import type { ContractStore, Waiver } from './contractStore.ts';
import { isFullyEvaluated } from './evaluation/evaluateContractTerms.ts';
import type { Finding } from './finding.ts';
import type { CheckReport } from './report/checkReport.ts';
import { createReport } from './report/createReport.ts';
import { applyWaivers } from './store/applyWaivers.ts';
import { schemaProblems } from './store/baseline.ts';
import { type Candidates, type ReadCandidatesOptions, readCandidates } from './store/readCandidates.ts';
import { readComparisons } from './store/readComparisons.ts';
import { readContractStore } from './store/readContractStore.ts';
import { readGatewaySettings } from './store/readGatewaySettings.ts';
import { suggestSubgraphs } from './store/suggestSubgraphs.ts';

interface CheckOptions {
  /** Compare with the store in this directory, or with this store at this Git revision. */
  readonly against?: string | undefined;
  /** Compare with the versions that run in this environment. */
  readonly environment?: string | undefined;
  /** Configuration file of the gateways, instead of the one that the environment names. */
  readonly gatewayConfig?: string | undefined;
  /** Duration of one fetch, such as `40ms`, instead of the environment's. */
  readonly stepLatency?: string | undefined;
  /** Findings with severity `dangerous` fail the check too. */
  readonly strict?: boolean | undefined;
  /** The current day in UTC, such as `2027-01-31`. It decides which waivers have expired. */
  readonly today: string;
  /** Called with a line for people when the check starts a step. */
  readonly onProgress?: ((message: string) => void) | undefined;
}

export interface CheckRequest extends CheckOptions, Omit<ReadCandidatesOptions, 'known'> {
  /** Directory of the contract store. */
  readonly directory: string;
  /** Candidates, as `NAME=FILE` or `NAME=URL`: schemas that subgraphs propose instead of their contracts. */
  readonly candidates?: readonly string[] | undefined;
}

/** Checks the store, or candidates in it, against a baseline: a revision, a directory or an environment. Mistakes
 *  never reject: every problem is a finding in the report, unless an earlier problem hides it. */
export async function checkContracts(request: CheckRequest, steps: CheckSteps): Promise<CheckReport> {
  const { directory, candidates: candidateArguments = [] } = request;
  const store = await readContractStore(directory);
  const candidates =
    candidateArguments.length === 0
      ? undefined
      : await readCandidates(candidateArguments, { ...request, known: store.schemas });
  return checkStore(store, candidates, request, steps);
}

/** Checks a store and candidates that are already read. `candidates` is undefined when the store as a whole is
 *  checked. */
export async function checkStore(
  store: ContractStore,
  candidates: Candidates | undefined,
  options: CheckOptions,
  steps: CheckSteps,
): Promise<CheckReport> {
  const { strict = false, today, environment, onProgress = () => {} } = options;
  const { operations, schemas } = store;
  const { comparisons, problems, previousStore } = await readComparisons({
    ...options,
    store,
    candidates: candidates?.contracts,
  });
  const { gatewaySettings, problems: settingsProblems } = await readGatewaySettings({
    ...options,
    directory: store.directory,
    environment: store.environments.find(({ name }) => name === environment),
  });
  const unreadable = new Set(schemaProblems(store).flatMap(({ subgraph }) => subgraph ?? []));
  // Without a baseline, nothing shows that an operation failed before.
  const isRollout =
    (candidates !== undefined || environment !== undefined) &&
    comparisons.some(({ old }) => old !== undefined);
  const runner = new ComparisonRunner({
    steps,
    operations,
    gatewaySettings,
    isRollout,
    unreadable,
    onProgress,
  });
  for (const comparison of comparisons) await runner.compare(comparison);
  const findings = suggestSubgraphs(
    [
      ...store.problems,
      ...(candidates?.problems ?? []),
      ...problems,
      ...settingsProblems,
      ...runner.findings,
    ],
    candidates?.contracts.keys() ?? [],
    schemas,
  );
  const isComplete =
    runner.isComplete && findings.every(({ severity }) => severity !== 'misuse' && severity !== 'undecided');
  // A change that is deployed in one environment may still be on its way to another.
  const hasOtherEnvironments = environment !== undefined && store.environments.length > 1;
  const baselines = comparisons.flatMap(({ baseline, old }) => (old === undefined ? [] : [baseline]));
  return createReport({
    findings: applyWaivers(withoutNewOperations(findings, previousStore), store.waivers, today, {
      // A check of the whole store answers for every waiver. A check of candidates answers only for the waivers of these
      // subgraphs.
      isInScope: ({ subgraph }) =>
        candidates === undefined || (subgraph !== undefined && candidates.contracts.has(subgraph)),
      isEvaluated: (waiver) =>
        isComplete &&
        !hasOtherEnvironments &&
        !isSettled(waiver, previousStore, runner) &&
        isFullyEvaluated(waiver.rule, gatewaySettings),
    }),
    strict,
    checked: {
      directory: store.directory,
      subgraphs: comparisons[0]?.next.size ?? schemas.size,
      consumers: new Set(operations.map(({ consumer }) => consumer)).size,
      operations: operations.length,
      baselines,
      changedSubgraphs: baselines.length === 0 ? undefined : runner.changedCount,
    },
  });
}

/** A waiver of an earlier change covers the operations of that time, but no operation that is added afterwards. */
function withoutNewOperations(
  findings: readonly Finding[],
  previous: ContractStore | undefined,
): readonly Finding[] {
  if (previous === undefined) return findings;
  const known = new Set(previous.operations.map(({ consumer, name }) => `${consumer}/${name}`));
  return findings.map((finding) =>
    known.has(finding.coordinate ?? '') ? finding : { ...finding, earlierProblems: undefined },
  );
}

/** Whether a waiver was committed together with its change, so that it covers nothing any more. */
function isSettled(
  { rule, coordinate, subgraph }: Waiver,
  previous: ContractStore | undefined,
  runner: ComparisonRunner,
): boolean {
  const existedBefore = previous?.waivers.some(
    (known) => known.rule === rule && known.coordinate === coordinate && known.subgraph === subgraph,
  );
  return existedBefore === true && (subgraph === undefined || !runner.hasChanged(subgraph));
}
