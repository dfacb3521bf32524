import { yieldToEventLoop } from '../../gateway/time/yieldToEventLoop.ts';
import type { ConsumerOperation, ContractStore, SubgraphContract } from '../contractStore.ts';
import { createFinding, type Finding } from '../finding.ts';
import { displayPath } from './displayPath.ts';
import { GitError } from './git.ts';
import { readEnvironments } from './readEnvironments.ts';
import { findDuplicates, readOperations } from './readOperations.ts';
import { readRevisionFiles } from './readRevisionFiles.ts';
import { readWaivers } from './readWaivers.ts';
import { readWorkTreeFiles } from './readWorkTreeFiles.ts';
import { readSchema } from './schemaFile.ts';
import { isLeftover, type StoreFiles } from './storeFiles.ts';

interface StoreRevision {
  /** Any name of a Git commit. */
  readonly ref: string;
}

/** Reads a store from its directory, or as of a Git revision. All mistakes are in `problems`. A store that cannot be
 *  read is empty, and its problem says why. */
export async function readContractStore(directory: string, revision?: StoreRevision): Promise<ContractStore> {
  const displayed = displayPath(directory);
  const files = await readFiles(directory, revision);
  if ('message' in files) return emptyStoreOf(displayed, files);
  if ('missing' in files) return emptyStoreOf(displayed, missingStore(displayed, revision));
  const store = await parseStoreFiles(files);
  const hasSchemas = [...files.texts.keys()].some((path) => path.startsWith('schemas/'));
  const problems = hasSchemas ? store.problems : [...store.problems, missingStore(displayed, revision)];
  return { directory: displayed, ...store, problems };
}

/** Parses the files of a store, and yields to the event loop between them: a gateway reads its store at each new supergraph,
 *  while it serves requests. */
export async function parseStoreFiles(files: StoreFiles): Promise<Omit<ContractStore, 'directory'>> {
  const schemas = new Map<string, SubgraphContract>();
  const operations: ConsumerOperation[] = [];
  const problems = [...files.unreadable].map(([path, reason]) =>
    unreadableFile(path, files.displayPathOf(path), reason),
  );
  for (const [path, text] of files.texts) {
    await yieldToEventLoop();
    const file = files.displayPathOf(path);
    const [folder, ...subpath] = path.split('/');
    const name = subgraphOf(path);
    if (isLeftover(path)) problems.push(leftoverFile(file));
    else if (name !== undefined) {
      const read = readSchema({ name, file, text });
      problems.push(...read.problems);
      if (read.contract !== undefined) schemas.set(name, read.contract);
    } else if (folder === 'operations' && subpath.length > 1 && path.endsWith('.graphql')) {
      const read = readOperations({ consumer: subpath[0] ?? '', file, text });
      problems.push(...read.problems);
      operations.push(...read.operations);
    } else if (subpath.length > 0) problems.push(unknownFile(file));
  }
  problems.push(...findDuplicates(operations));
  const waivers = readWaivers(files.texts.get('waivers.yaml') ?? '', files.displayPathOf('waivers.yaml'));
  const environments = readEnvironments(
    files.texts.get('environments.yaml') ?? '',
    files.displayPathOf('environments.yaml'),
  );
  problems.push(...waivers.problems, ...environments.problems);
  return {
    schemas,
    operations,
    waivers: waivers.waivers,
    environments: environments.environments,
    problems,
  };
}

async function readFiles(
  directory: string,
  revision: StoreRevision | undefined,
): Promise<StoreFiles | Finding | { readonly missing: true }> {
  try {
    const files =
      revision === undefined
        ? await readWorkTreeFiles(directory)
        : await readRevisionFiles(directory, revision.ref);
    return files ?? { missing: true };
  } catch (error) {
    if (!(error instanceof GitError) || revision === undefined) throw error;
    return revisionUnknown(displayPath(directory), revision, error);
  }
}

function revisionUnknown(displayed: string, { ref }: StoreRevision, { reason, message }: GitError): Finding {
  return createFinding('revision-unknown', {
    severity: reason === 'failed' ? 'undecided' : 'misuse',
    message: `${displayed} cannot be read at revision ${ref}: ${message}.`,
    advice:
      reason === 'unknown-revision'
        ? 'Name a commit, branch or tag that this clone has. A shallow clone gets its history with "git fetch --unshallow"; CI clones it whole with a fetch depth of 0.'
        : 'Make sure that Git works here, or compare with a directory: --against DIR.',
  });
}

function emptyStoreOf(directory: string, reason: Finding): ContractStore {
  return { directory, schemas: new Map(), operations: [], waivers: [], environments: [], problems: [reason] };
}

function missingStore(directory: string, revision: StoreRevision | undefined): Finding {
  const when = revision === undefined ? '' : ` at revision ${revision.ref}`;
  return createFinding('store-missing', {
    message: `${directory} has no schemas/<subgraph>.graphql${when}.`,
  });
}

/** The name of the subgraph whose contract has this path, if it is the path of a contract. */
function subgraphOf(path: string): string | undefined {
  return /^schemas\/([^/]+)\.graphql$/.exec(path)?.[1];
}

function unreadableFile(path: string, file: string, reason: string): Finding {
  return createFinding('store-file-unreadable', {
    message: `${file} ${reason}.`,
    location: { file, line: 1, column: 1 },
    subgraph: subgraphOf(path),
  });
}

function unknownFile(file: string): Finding {
  return createFinding('store-file-unknown', {
    message: `${file} is ignored: it is neither schemas/<subgraph>.graphql nor operations/<consumer>/….graphql.`,
    location: { file, line: 1, column: 1 },
  });
}

function leftoverFile(file: string): Finding {
  return createFinding('store-file-unknown', {
    message: `${file} is left over from a command that was killed while it wrote the store: some files may be new and others old.`,
    advice: 'Remove the file. Compare the store with Git, and restore it or run the command again.',
    location: { file, line: 1, column: 1 },
  });
}
