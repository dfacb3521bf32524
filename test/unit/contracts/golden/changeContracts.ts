import { baseContracts, type Contracts } from './goldenGraph.ts';

/** One change of the base contracts. */
export interface Edit {
  readonly subgraph: string;
  /** Returns the changed SDL; `undefined` removes the subgraph. */
  change(sdl: string | undefined): string | undefined;
}

/** Replaces a text in a subgraph's SDL that occurs once. */
export function replace(subgraph: string, from: string, to: string): Edit {
  return {
    subgraph,
    change: (sdl) => {
      const parts = sdl?.split(from) ?? [];
      if (parts.length !== 2) throw new Error(`In ${subgraph} there is not one place with:\n${from}`);
      return parts.join(to);
    },
  };
}

/** Appends definitions to a subgraph's SDL. */
export function append(subgraph: string, definitions: string): Edit {
  return { subgraph, change: (sdl) => `${sdl}\n${definitions}\n` };
}

export function add(subgraph: string, sdl: string): Edit {
  return { subgraph, change: () => sdl };
}

export function remove(subgraph: string): Edit {
  return { subgraph, change: () => undefined };
}

export function changeContracts(edits: readonly Edit[], from: Contracts = baseContracts): Contracts {
  const contracts = new Map(from);
  for (const { subgraph, change } of edits) {
    const sdl = change(contracts.get(subgraph)?.sdl);
    if (sdl === undefined) {
      contracts.delete(subgraph);
      continue;
    }
    const file = `test/fixtures/contracts/base/schemas/${subgraph}.graphql`;
    contracts.set(subgraph, { name: subgraph, url: `http://${subgraph}.invalid/`, file, sdl });
  }
  return contracts;
}
