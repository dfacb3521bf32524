import type { Contracts } from '../../../contracts/contractStore.ts';
import { composeGraph } from '../../../contracts/graph/composeGraph.ts';
import { initStore } from '../../../contracts/store/initStore.ts';
import { readCandidates } from '../../../contracts/store/readCandidates.ts';
import { readContractStore } from '../../../contracts/store/readContractStore.ts';
import { defaultConfigFile, findConfigFile, loadConfig } from '../../config/loadConfig.ts';
import { supergraphTools } from '../../contracts/supergraphTools.ts';
import { CommandError, exitCode } from '../exitCode.ts';
import { createCandidateFetch } from './candidateFetch.ts';
import { describeProblems, rethrowFileErrors } from './commandErrors.ts';

interface ContractsInitOptions {
  readonly config?: string | undefined;
  readonly directory: string;
  /** `NAME=FILE` or `NAME=URL`. Omitted: the configured subgraphs. */
  readonly subgraph?: readonly string[] | undefined;
  readonly force?: boolean | undefined;
}

/** Creates a store from the schemas of all subgraphs, or writes nothing.
 *  @throws {CommandError} for wrong arguments, for subgraphs that do not answer, and for schemas that do not compose. */
export async function contractsInit(options: ContractsInitOptions): Promise<void> {
  const { config, directory, subgraph = configuredSubgraphs(config), force = false } = options;
  const { contracts, problems } = await readCandidates(subgraph, {
    known: new Map(),
    fetchSdl: createCandidateFetch(config),
  });
  if (problems.length > 0) throw describeProblems('Nothing was written', problems);
  const stored = force ? (await readContractStore(directory)).schemas : new Map();
  await rejectUncomposable(new Map([...stored, ...contracts]));
  const outcome = await rethrowFileErrors(async () =>
    initStore({ directory, contracts: contracts.values(), force }),
  );
  if ('existing' in outcome) {
    throw new CommandError(
      exitCode.usageError,
      `Nothing was written, because these files exist; --force replaces schemas only:\n${outcome.existing.map((file) => `  ${file}`).join('\n')}`,
    );
  }
  for (const file of outcome.written) console.log(`Written: ${file}`);
  console.log(
    `Put the operations of clients into ${directory}/operations/<consumer>/, and commit the store.`,
  );
}

/** No check could say anything about a store whose schemas do not compose. */
async function rejectUncomposable(contracts: Contracts): Promise<void> {
  const composed = await composeGraph(contracts, supergraphTools);
  if ('graph' in composed) return composed.graph.supergraph.planner.close();
  throw describeProblems(
    'Nothing was written, because no gateway could serve these schemas together. Correct them, or give those of all subgraphs',
    composed.findings.map((finding) => ({ ...finding, advice: undefined })),
  );
}

function configuredSubgraphs(file: string | undefined): string[] {
  if (findConfigFile(file) === undefined) {
    throw new CommandError(
      exitCode.usageError,
      `There is no ${defaultConfigFile} here that names the subgraphs. Give them with --subgraph NAME=FILE or NAME=URL.`,
    );
  }
  const { supergraph } = loadConfig({ file, sections: ['supergraph'], env: process.env });
  if ('subgraphs' in supergraph) return supergraph.subgraphs.map(({ name, url }) => `${name}=${url}`);
  throw new CommandError(
    exitCode.usageError,
    'The configuration names no running subgraphs (supergraph.subgraphs). Give them with --subgraph NAME=FILE or NAME=URL.',
  );
}
