import { findNearestName } from '../../gateway/config/findNearestName.ts';
import { getOrInsertComputed } from '../../gateway/sharing/getOrInsertComputed.ts';
import type { ContractStore, Contracts, Environment, SubgraphContract } from '../contractStore.ts';
import { createFinding, type Finding } from '../finding.ts';
import { isUnavailable, schemaProblems } from './baseline.ts';
import { readContractStore } from './readContractStore.ts';

/** What runs in an environment. */
interface DeployedContracts {
  /** First the state with the first version of every subgraph, then one state for every other running version, which
   *  replaces the first one of its subgraph. Other combinations show nothing more. */
  readonly states: readonly DeployedState[];
  /** What the supergraphs of running gateways were composed from. */
  readonly gateways: readonly DeployedState[];
  readonly problems: readonly Finding[];
}

interface DeployedState {
  /** Name for people, such as `production with products v2`. */
  readonly label: string;
  readonly contracts: Contracts;
}

/** Reads the versions that run in an environment from the Git revisions that it names. */
export async function readDeployedContracts(store: ContractStore, name: string): Promise<DeployedContracts> {
  const environment = store.environments.find((candidate) => candidate.name === name);
  if (environment === undefined) {
    return { states: [], gateways: [], problems: [unknownEnvironment(name, store)] };
  }
  const reader = new RevisionReader(store, environment);
  const versions = await Promise.all(
    [...environment.subgraphs].map(([subgraph, refs]) =>
      Promise.all(refs.map(async (ref) => ({ ref, contract: await reader.contractAt(subgraph, ref) }))),
    ),
  );
  const first = new Map(versions.flatMap(([version]) => toEntries(version?.contract)));
  const states = [
    { label: name, contracts: first },
    ...versions.flatMap(([, ...others]) =>
      others.map(({ ref, contract }) => ({
        label: `${name} with ${contract?.name} ${ref}`,
        contracts: new Map([...first, ...toEntries(contract)]),
      })),
    ),
  ];
  const gateways = await Promise.all(
    environment.gateways.map(async (ref) => ({
      label: `${name} with gateways of ${ref}`,
      contracts: (await reader.storeAt(ref)).schemas,
    })),
  );
  return { states, gateways, problems: reader.problems };
}

class RevisionReader {
  readonly problems: Finding[] = [];
  readonly #store: ContractStore;
  readonly #environment: Environment;
  readonly #stores = new Map<string, Promise<ContractStore>>();

  constructor(store: ContractStore, environment: Environment) {
    this.#store = store;
    this.#environment = environment;
  }

  /** The store at a revision, read once. */
  storeAt(ref: string): Promise<ContractStore> {
    return getOrInsertComputed(this.#stores, ref, () => this.#readStore(ref));
  }

  async contractAt(subgraph: string, ref: string): Promise<SubgraphContract | undefined> {
    const { schemas, problems } = await this.storeAt(ref);
    const contract = schemas.get(subgraph);
    // Problems of the store or the schema at that revision are already reported.
    if (contract === undefined && !problems.some((found) => (found.subgraph ?? subgraph) === subgraph)) {
      this.problems.push(this.#versionMissing(subgraph, ref));
    }
    return contract;
  }

  async #readStore(ref: string): Promise<ContractStore> {
    const store = await readContractStore(this.#store.directory, { ref });
    const { location } = this.#environment;
    if (isUnavailable(store))
      this.problems.push(...store.problems.map((finding) => ({ ...finding, location })));
    const undecided = schemaProblems(store).map((finding) => ({
      ...finding,
      severity: 'undecided' as const,
    }));
    this.problems.push(...undecided);
    return { ...store, problems: isUnavailable(store) ? store.problems : undecided };
  }

  #versionMissing(subgraph: string, ref: string): Finding {
    const { name, location } = this.#environment;
    return createFinding('version-missing', {
      message: `${name} runs ${subgraph} of revision ${ref}, which has no contract of that subgraph.`,
      location,
      subgraph,
    });
  }
}

function toEntries(contract: SubgraphContract | undefined): [string, SubgraphContract][] {
  return contract === undefined ? [] : [[contract.name, contract]];
}

function unknownEnvironment(name: string, { environments, directory }: ContractStore): Finding {
  const names = environments.map((environment) => environment.name);
  const nearest = findNearestName(name, names);
  const known = names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`;
  return createFinding('environment-unknown', {
    message: `${directory}/environments.yaml has no environment "${name}"; ${known}.`,
    advice: nearest === undefined ? 'Add it, or name another one.' : `Did you mean ${nearest}?`,
  });
}
