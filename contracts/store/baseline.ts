import { stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import type { ContractStore } from '../contractStore.ts';
import { createFinding, type Finding } from '../finding.ts';
import { displayPath } from './displayPath.ts';
import { existingAncestor, GitError, isInHistory, resolveCommit, runGit } from './git.ts';
import { readContractStore } from './readContractStore.ts';

/** The store that a check compares with. */
interface Baseline {
  /** Undefined when there is none. */
  readonly store?: ContractStore | undefined;
  /** Name for people, such as `revision HEAD`. */
  readonly label: string;
  readonly problems: readonly Finding[];
}

/** Reads the store in a directory, or this store at a Git revision. */
export async function readBaseline(directory: string, against: string): Promise<Baseline> {
  if (await isDirectory(against)) {
    const revision = await revisionOfSameName(directory, against);
    if (revision !== undefined) return { label: against, problems: [ambiguousBaseline(against, revision)] };
    return toBaseline(await readContractStore(against), displayPath(against));
  }
  // Elements that only the revision has count as removed. They may be those of others, so reports point it out.
  const note = (await isInHistory(directory, against)) ? '' : ' (not in the history of HEAD)';
  return toBaseline(await readContractStore(directory, { ref: against }), `revision ${against}${note}`);
}

/** An unambiguous name of the revision that has the same name as a directory. */
async function revisionOfSameName(directory: string, against: string): Promise<string | undefined> {
  // No revision name begins like this.
  if (/^[./~]/.test(against) || isAbsolute(against)) return undefined;
  try {
    await resolveCommit(directory, against);
    const args = ['rev-parse', '--symbolic-full-name', '--end-of-options', against];
    const lines = (await runGit(existingAncestor(directory), args)).toString('utf8').trim().split('\n');
    return lines.find((line) => line.startsWith('refs/')) ?? `${against}^{commit}`;
  } catch (error) {
    if (error instanceof GitError) return undefined;
    throw error;
  }
}

function ambiguousBaseline(against: string, revision: string): Finding {
  return createFinding('argument-invalid', {
    message: `--against ${against} names both a directory and a revision.`,
    advice: `Write ./${against} for the directory, or ${revision} for the revision.`,
  });
}

/** Reads the store as of the last commit. Without a commit there is no store, and the reason is a finding. */
export async function readCommittedBaseline(directory: string): Promise<Baseline> {
  const label = 'revision HEAD';
  try {
    await resolveCommit(directory, 'HEAD');
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    const severity = error.reason === 'failed' ? 'undecided' : 'safe';
    return { label, problems: [nothingToCompare(error.message, severity)] };
  }
  const store = await readContractStore(directory, { ref: 'HEAD' });
  const isNew = store.problems.some(({ rule }) => rule === 'store-missing');
  if (!isNew) return toBaseline(store, label);
  return {
    label,
    problems: [nothingToCompare(`${displayPath(directory)} has not been committed yet`, 'safe')],
  };
}

/** Of a baseline only the schemas count. Its mistakes cannot be corrected any more, and this change may be the
 *  correction. */
function toBaseline(store: ContractStore, label: string): Baseline {
  if (isUnavailable(store)) return { label, problems: store.problems };
  return { store, label, problems: schemaProblems(store).map(unreadableContract) };
}

/** Contracts do not compose if one of them cannot be read. */
function unreadableContract({ subgraph, message, location }: Finding): Finding {
  return createFinding('baseline-not-composed', {
    message: `The changes of ${subgraph} are not known, because its earlier contract cannot be read: ${message}`,
    subgraph,
    location,
  });
}

/** Whether the revision or the store itself does not exist. */
export function isUnavailable({ problems }: ContractStore): boolean {
  return problems.some(({ rule }) => rule === 'revision-unknown' || rule === 'store-missing');
}

/** The problems because of which a subgraph's contract cannot be read. */
export function schemaProblems({ problems, schemas }: ContractStore): readonly Finding[] {
  return problems.filter(({ subgraph }) => subgraph !== undefined && !schemas.has(subgraph));
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

function nothingToCompare(reason: string, severity: 'safe' | 'undecided'): Finding {
  return createFinding('nothing-to-compare', {
    severity,
    message: `The changes are not known: ${reason}.`,
    advice: 'Compare with a revision or a directory (--against), or with what runs (--environment).',
  });
}
