import type { ContractStore, Contracts } from '../contractStore.ts';
import { createFinding, type Finding } from '../finding.ts';
import { readBaseline, readCommittedBaseline, schemaProblems } from './baseline.ts';
import { readDeployedContracts } from './readDeployedContracts.ts';

/** One comparison of a check: a baseline and what replaces it. */
export interface Comparison {
  /** Name of the baseline for people, such as `revision v1`. */
  readonly baseline: string;
  /** The contracts of the baseline. Undefined when there is nothing to compare with. */
  readonly old?: Contracts | undefined;
  /** Subgraphs that `old` lacks because their contracts cannot be read. No gateway ever ran on those. */
  readonly unreadable?: ReadonlySet<string> | undefined;
  readonly next: Contracts;
  /** What the supergraph of running gateways was composed from, when that may differ from `old`. */
  readonly gateway?: Contracts | undefined;
}

interface ReadComparisonsOptions {
  readonly store: ContractStore;
  /** Candidates that replace contracts. Undefined when the store as a whole is checked. */
  readonly candidates?: Contracts | undefined;
  /** A directory or a Git revision. */
  readonly against?: string | undefined;
  readonly environment?: string | undefined;
}

interface Comparisons {
  /** Empty only when `problems` says why. */
  readonly comparisons: readonly Comparison[];
  readonly problems: readonly Finding[];
  /** The earlier state of the whole store, when the check compares with it. */
  readonly previousStore?: ContractStore | undefined;
}

/** Determines what a check compares. With an environment: the versions that run there. With `against`: the store
 *  there. With candidates only: the store itself. Otherwise: the store as of the last commit. */
export async function readComparisons(options: ReadComparisonsOptions): Promise<Comparisons> {
  const { store, candidates, against, environment } = options;
  if (environment !== undefined && against !== undefined) {
    return { comparisons: [], problems: [conflictingBaselines()] };
  }
  if (environment !== undefined) return compareWithDeployed(options, environment);
  const next = replaceContracts(store.schemas, candidates ?? new Map());
  if (candidates !== undefined && against === undefined) {
    const comparison = { baseline: store.directory, old: store.schemas, next };
    return { comparisons: [comparison], problems: [], previousStore: store };
  }
  const baseline =
    against === undefined
      ? await readCommittedBaseline(store.directory)
      : await readBaseline(store.directory, against);
  const { store: previousStore, label, problems } = baseline;
  const unreadable = new Set(
    previousStore && schemaProblems(previousStore).flatMap(({ subgraph }) => subgraph ?? []),
  );
  return {
    comparisons: [{ baseline: label, old: previousStore?.schemas, unreadable, next }],
    problems,
    previousStore,
  };
}

async function compareWithDeployed(
  { store, candidates }: ReadComparisonsOptions,
  environment: string,
): Promise<Comparisons> {
  const { states, gateways, problems } = await readDeployedContracts(store, environment);
  const [firstState] = states;
  const [firstGateway, ...otherGateways] = gateways;
  // A graph that lacks one of the running versions would be full of false findings.
  if (firstState === undefined || problems.length > 0) return { comparisons: [], problems };
  if (candidates === undefined && firstState.contracts.size === 0 && firstGateway === undefined) {
    const comparison = { baseline: firstState.label, next: store.schemas };
    return { comparisons: [comparison], problems: [nothingRuns(store, environment)] };
  }
  // Every state with the first gateway, and every other gateway with the first state. More pairs find nothing more,
  // because a plan meets each subgraph separately.
  const pairs = [
    ...states.map((state) => ({ state, gateway: firstGateway })),
    ...otherGateways.map((gateway) => ({ state: firstState, gateway })),
  ];
  const comparisons = pairs.map(
    ({ state, gateway }): Comparison => ({
      baseline: state === firstState && gateway !== undefined ? gateway.label : state.label,
      old: state.contracts,
      // Without candidates the whole store is the candidate.
      next: candidates === undefined ? store.schemas : replaceContracts(state.contracts, candidates),
      gateway: gateway?.contracts,
    }),
  );
  return { comparisons, problems };
}

function nothingRuns({ environments }: ContractStore, environment: string): Finding {
  return createFinding('nothing-to-compare', {
    severity: 'safe',
    message: `The changes are not known: the environment ${environment} names no subgraphs.`,
    advice:
      'Name the running versions in its `subgraphs`, or compare with a revision or a directory (--against).',
    location: environments.find(({ name }) => name === environment)?.location,
  });
}

function conflictingBaselines(): Finding {
  return createFinding('argument-invalid', {
    message: '--against and --environment exclude each other: both say what to compare with.',
    advice: 'Give only one of them.',
  });
}

/** Replaces or adds contracts. */
function replaceContracts(contracts: Contracts, replaced: Contracts): Contracts {
  return new Map([...contracts, ...replaced]);
}
