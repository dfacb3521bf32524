import type { SubgraphContract } from '../contractStore.ts';

/** By subgraph name. */
export type Contracts = ReadonlyMap<string, SubgraphContract>;

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

/** The contracts with some of them replaced, or added. */
export function replaceContracts(contracts: Contracts, replaced: Contracts): Contracts {
  return new Map([...contracts, ...replaced]);
}
