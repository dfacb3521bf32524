import { initStore } from '../../../contracts/store/initStore.ts';
import { readCandidates } from '../../../contracts/store/readCandidates.ts';
import { loadConfig } from '../../config/loadConfig.ts';
import { CommandError, exitCode } from '../exitCode.ts';
import { describeProblems, rethrowFileErrors } from './commandErrors.ts';

export interface ContractsInitOptions {
  readonly config?: string | undefined;
  readonly directory: string;
  /** `NAME=FILE` or `NAME=URL`. Omitted: the configured subgraphs. */
  readonly subgraph?: readonly string[] | undefined;
  readonly force?: boolean | undefined;
}

/** Creates a store from the schemas of all subgraphs, or writes nothing.
 *  @throws {CommandError} for wrong arguments, and for subgraphs that do not answer. */
export async function contractsInit(options: ContractsInitOptions): Promise<void> {
  const { config, directory, subgraph = configuredSubgraphs(config), force = false } = options;
  const { contracts, problems } = await readCandidates(subgraph, { known: new Map() });
  if (problems.length > 0) throw describeProblems('Nothing was written', problems);
  const outcome = await rethrowFileErrors(initStore({ directory, contracts: contracts.values(), force }));
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

function configuredSubgraphs(file: string | undefined): string[] {
  const { supergraph } = loadConfig({ file, env: process.env });
  if ('subgraphs' in supergraph) return supergraph.subgraphs.map(({ name, url }) => `${name}=${url}`);
  throw new CommandError(
    exitCode.usageError,
    'The configuration names no running subgraphs (supergraph.subgraphs). Give them with --subgraph NAME=FILE or NAME=URL.',
  );
}
