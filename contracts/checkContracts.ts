import type { CheckDependencies } from './checkDependencies.ts';
import { ContractCheck } from './contractCheck.ts';
import type { ContractStore, Waiver } from './contractStore.ts';
import { isFullyEvaluated } from './evaluation/evaluateContractTerms.ts';
import type { CheckReport } from './report/checkReport.ts';
import { createReport } from './report/createReport.ts';
import { applyWaivers } from './store/applyWaivers.ts';
import { schemaProblems } from './store/baseline.ts';
import { type Candidates, type ReadCandidatesOptions, readCandidates } from './store/readCandidates.ts';
import { readComparisons } from './store/readComparisons.ts';
import { readContractStore } from './store/readContractStore.ts';
import { readGatewaySettings } from './store/readGatewaySettings.ts';

interface CheckOptions {
  /** A directory or a revision with the store to compare with. */
  readonly against?: string | undefined;
  /** Compare with what runs there. */
  readonly environment?: string | undefined;
  /** The configuration of the gateways, instead of what the environment names. */
  readonly gatewayConfig?: string | undefined;
  /** How long a fetch takes, `40ms`, instead of what the environment says. */
  readonly stepLatency?: string | undefined;
  /** What is dangerous fails too. */
  readonly strict?: boolean | undefined;
  /** In UTC, `2027-01-31`: waivers expire by it. */
  readonly today: string;
  /** What is being done now, for people. */
  readonly onProgress?: ((message: string) => void) | undefined;
}

export interface CheckRequest extends CheckOptions, Omit<ReadCandidatesOptions, 'known'> {
  /** Of the store. */
  readonly directory: string;
  /** `NAME=FILE` or `NAME=URL`: what subgraphs want to serve in the place of their contracts. */
  readonly candidates?: readonly string[] | undefined;
}

/** Checks the store, or candidates in it, against what was agreed on or runs. Whatever is wrong is in the report, all
 *  of it as far as one thing does not hide another. */
export async function checkContracts(request: CheckRequest, parts: CheckDependencies): Promise<CheckReport> {
  const { directory, candidates: candidateArguments = [] } = request;
  const store = await readContractStore(directory);
  const candidates =
    candidateArguments.length === 0
      ? undefined
      : await readCandidates(candidateArguments, { ...request, known: store.schemas });
  return checkStore(store, candidates, request, parts);
}

/** The same with everything read. `candidates` is left out where there are none. */
export async function checkStore(
  store: ContractStore,
  candidates: Candidates | undefined,
  options: CheckOptions,
  parts: CheckDependencies,
): Promise<CheckReport> {
  const { strict = false, today, environment, onProgress = () => {} } = options;
  const { operations, schemas } = store;
  const { comparisons, problems, previousStore } = await readComparisons({
    ...options,
    store,
    candidates: candidates?.contracts,
  });
  const { gatewaySettings, problems: servingProblems } = await readGatewaySettings({
    ...options,
    directory: store.directory,
    environment: store.environments.find(({ name }) => name === environment),
  });
  const unreadable = new Set(schemaProblems(store).flatMap(({ subgraph }) => subgraph ?? []));
  const isRollout = candidates !== undefined || environment !== undefined;
  const check = new ContractCheck({
    dependencies: parts,
    operations,
    gatewaySettings,
    isRollout,
    unreadable,
    onProgress,
  });
  for (const comparison of comparisons) await check.compare(comparison);
  const findings = [
    ...store.problems,
    ...(candidates?.problems ?? []),
    ...problems,
    ...servingProblems,
    ...check.findings,
  ];

  const isWhole =
    check.isComplete && findings.every(({ severity }) => severity !== 'misuse' && severity !== 'undecided');
  // Without candidates every waiver is for this check; with them, those of others are for another one.
  const isAsked = ({ subgraph }: Waiver): boolean =>
    candidates === undefined || (subgraph !== undefined && candidates.contracts.has(subgraph));
  // What is settled in one environment may still be on its way to another.
  const isOneOfSeveral = environment !== undefined && store.environments.length > 1;
  const isCovered = (waiver: Waiver): boolean => {
    // What was agreed on with its waiver is no change any more.
    const isSettled = existedBefore(waiver, previousStore) && !check.hasChanged(waiver.subgraph);
    return isWhole && !isOneOfSeveral && !isSettled && isFullyEvaluated(waiver.rule, gatewaySettings);
  };
  return createReport({
    findings: applyWaivers(findings, store.waivers, today, { isEvaluated: isCovered, isInScope: isAsked }),
    strict,
    checked: {
      directory: store.directory,
      subgraphs: comparisons[0]?.next.size ?? schemas.size,
      consumers: new Set(operations.map(({ consumer }) => consumer)).size,
      operations: operations.length,
    },
  });
}

function existedBefore({ rule, coordinate, subgraph }: Waiver, earlier: ContractStore | undefined): boolean {
  return (
    earlier?.waivers.some(
      (known) => known.rule === rule && known.coordinate === coordinate && known.subgraph === subgraph,
    ) ?? false
  );
}
