import { checkStore } from '../../../contracts/checkContracts.ts';
import type { ContractStore } from '../../../contracts/contractStore.ts';
import { evaluateDeployability } from '../../../contracts/deployability.ts';
import { type Candidates, readCandidates } from '../../../contracts/store/readCandidates.ts';
import { readContractStore } from '../../../contracts/store/readContractStore.ts';
import { unknownSubgraph } from '../../../contracts/store/suggestSubgraphs.ts';
import type { ExitCode } from '../exitCode.ts';
import { createCandidateFetch } from './candidateFetch.ts';
import { checkSteps, showProgress, utcDate } from './checkSetup.ts';
import { type ReportArgument, readReportOutputs, writeReport } from './reportOutputs.ts';

interface ContractsCanDeployOptions {
  readonly directory: string;
  /** `NAME` for the contract, `NAME=FILE` or `NAME=URL` for a candidate. */
  readonly subgraph: string;
  readonly environment: string;
}

/** Reports whether a subgraph can be deployed to an environment now, and why not or in which order. Resolves with the
 *  exit code.
 *  @throws {CommandError} for wrong arguments. */
export async function contractsCanDeploy(
  { directory, subgraph, environment }: ContractsCanDeployOptions,
  reportArguments: readonly ReportArgument[],
): Promise<ExitCode> {
  const outputs = readReportOutputs(reportArguments);
  const store = await readContractStore(directory);
  const candidates = subgraph.includes('=')
    ? await readCandidates([subgraph], { known: store.schemas, fetchSdl: createCandidateFetch() })
    : contractAsCandidate(subgraph, store);
  const request = { environment, today: utcDate(), onProgress: showProgress };
  const report = await checkStore(store, candidates, request, checkSteps);
  const [name = subgraph] = subgraph.split('=');
  const answer = evaluateDeployability(report, { subgraph: name, environment });
  writeReport(answer, outputs);
  return answer.summary.exitCode;
}

function contractAsCandidate(name: string, { schemas, problems, directory }: ContractStore): Candidates {
  const contract = schemas.get(name);
  if (contract !== undefined) return { contracts: new Map([[name, contract]]), problems: [] };
  // The store's problems explain why a contract cannot be read, or why there is none at all.
  const isExplained = schemas.size === 0 || problems.some(({ subgraph }) => subgraph === name);
  return { contracts: new Map(), problems: isExplained ? [] : [unknownSubgraph(name, schemas, directory)] };
}
