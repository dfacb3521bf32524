import { GraphQLError, type Location, type NameNode } from 'graphql';
import type { SubgraphContract } from '../contractStore.ts';
import type { FileLocation } from '../finding.ts';
import { readCanonicalSubgraph } from './canonicalSubgraph.ts';
import { ancestorsOf, elementsOf } from './elements.ts';

/** Locates a coordinate in a contract: `Type`, `Type.field`, `Type.field(argument:)`, `Enum.VALUE`, `@directive`,
 *  `@directive(argument:)`, or `schema` for the links. A missing element is located at its nearest existing ancestor,
 *  or else at the start of the file. */
export function locateCoordinate(contract: SubgraphContract, coordinate: string): FileLocation {
  const index = indexOf(contract);
  for (const candidate of [coordinate, ...ancestorsOf(coordinate)]) {
    const location = index.get(candidate);
    if (location !== undefined) return fileLocationAt(contract, location);
  }
  return startOfFile(contract);
}

/** Whether a contract defines the element with this coordinate. */
export function definesCoordinate(contract: SubgraphContract, coordinate: string): boolean {
  return indexOf(contract).has(coordinate);
}

/** The location of a node that was parsed from the contract's SDL. */
export function fileLocationAt({ file }: SubgraphContract, { startToken }: Location): FileLocation {
  return { file, line: startToken.line, column: startToken.column };
}

export function startOfFile({ file }: SubgraphContract): FileLocation {
  return { file, line: 1, column: 1 };
}

const indexByContract = new WeakMap<SubgraphContract, ReadonlyMap<string, Location>>();

function indexOf(contract: SubgraphContract): ReadonlyMap<string, Location> {
  const known = indexByContract.get(contract);
  if (known !== undefined) return known;
  const index = buildIndex(contract.sdl);
  indexByContract.set(contract, index);
  return index;
}

function buildIndex(sdl: string): ReadonlyMap<string, Location> {
  const index = new Map<string, Location>();
  const add = (coordinate: string, { name }: { readonly name: NameNode }): void => {
    if (name.loc !== undefined) index.set(coordinate, name.loc);
  };
  try {
    const subgraph = readCanonicalSubgraph(sdl);
    for (const [coordinate, element] of elementsOf(subgraph)) add(coordinate, element);
    for (const [name, directive] of subgraph.directives) {
      add(`@${name}`, directive);
      for (const argument of directive.arguments ?? []) add(`@${name}(${argument.name.value}:)`, argument);
    }
    const link = (subgraph.federation ?? subgraph.links[0])?.node.loc;
    if (link !== undefined) index.set('schema', link);
  } catch (error) {
    // Reading the store reports that the contract does not parse.
    if (!(error instanceof GraphQLError)) throw error;
  }
  return index;
}
