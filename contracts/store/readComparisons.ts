import type { ContractStore, Contracts } from '../contractStore.ts';
import { createFinding, type Finding } from '../finding.ts';
import { readBaseline, readCommittedBaseline, schemaProblems } from './baseline.ts';
import { readDeployedContracts } from './readDeployedContracts.ts';

/** What is there, and what is to take its place. */
export interface Comparison {
  /** What `old` is, for people: `revision v1`. */
  readonly baseline: string;
  /** The subgraphs that were agreed on before, or run; absent where there is nothing to compare with. */
  readonly old?: Contracts | undefined;
  /** Subgraphs that are missing in `old` only because their contract there cannot be read: no gateway ran on that. */
  readonly unreadable?: ReadonlySet<string> | undefined;
  readonly next: Contracts;
  /** What the running gateways' supergraph was composed from, where that may differ from `old`. */
  readonly gateway?: Contracts | undefined;
}

interface ReadComparisonsOptions {
  readonly store: ContractStore;
  /** What subgraphs want to serve in the place of their contracts; absent where the store as a whole is checked. */
  readonly candidates?: Contracts | undefined;
  /** A directory or a revision. */
  readonly against?: string | undefined;
  readonly environment?: string | undefined;
}

interface Comparisons {
  /** Not empty, unless something in `problems` is the reason. */
  readonly comparisons: readonly Comparison[];
  readonly problems: readonly Finding[];
  /** The earlier state of the whole store, where it is what this one is compared with. */
  readonly previousStore?: ContractStore | undefined;
}

/** What a check compares: with an environment, what runs there; with `against`, the store there; with candidates
 *  only, the store itself; and otherwise the store as it was committed last. */
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
  const { store: earlier, label, problems } = baseline;
  const lost = new Set(earlier && schemaProblems(earlier).flatMap(({ subgraph }) => subgraph ?? []));
  return {
    comparisons: [{ baseline: label, old: earlier?.schemas, unreadable: lost, next }],
    problems,
    previousStore: earlier,
  };
}

async function compareWithDeployed(
  { store, candidates }: ReadComparisonsOptions,
  environment: string,
): Promise<Comparisons> {
  const { states, gateways, problems } = await readDeployedContracts(store, environment);
  const [firstState] = states;
  const [firstGateway, ...otherGateways] = gateways;
  // A graph without a version that runs would be full of mistakes that nobody made.
  if (firstState === undefined || problems.length > 0) return { comparisons: [], problems };
  // Every state with the first gateway, and every other gateway with the first state: a plan of a gateway meets
  // each subgraph by itself, so that this is enough.
  const pairs = [
    ...states.map((state) => ({ state, gateway: firstGateway })),
    ...otherGateways.map((gateway) => ({ state: firstState, gateway })),
  ];
  const comparisons = pairs.map(
    ({ state, gateway }): Comparison => ({
      baseline: state === firstState && gateway !== undefined ? gateway.label : state.label,
      old: state.contracts,
      // Without candidates the store as a whole is what wants to run.
      next: candidates === undefined ? store.schemas : replaceContracts(state.contracts, candidates),
      gateway: gateway?.contracts,
    }),
  );
  return { comparisons, problems };
}

function conflictingBaselines(): Finding {
  return createFinding('argument-invalid', {
    message: '--against and --environment both say what to compare with.',
    advice: 'Give one of them.',
  });
}

/** The contracts with some of them replaced, or added. */
function replaceContracts(contracts: Contracts, replaced: Contracts): Contracts {
  return new Map([...contracts, ...replaced]);
}
