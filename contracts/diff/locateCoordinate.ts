import { GraphQLError, type Location } from 'graphql';
import { getOrInsertComputed } from '../../gateway/sharing/getOrInsertComputed.ts';
import type { SubgraphContract } from '../contractStore.ts';
import type { FileLocation } from '../finding.ts';
import { readCanonicalSubgraph } from './canonicalSubgraph.ts';
import { ancestorsOf, elementsOf } from './elements.ts';

/** Locates a coordinate in a contract: `Type`, `Type.field`, `Type.field(argument:)`, `Enum.VALUE`, `@directive`,
 *  `@directive(argument:)`, or `schema` for the links. A missing element is located at its nearest existing ancestor,
 *  or else at the start of the file. */
export function locateCoordinate(contract: SubgraphContract, coordinate: string): FileLocation {
  for (const candidate of [coordinate, ...ancestorsOf(coordinate)]) {
    const location = locateDefinition(contract, candidate);
    if (location !== undefined) return location;
  }
  return startOfFile(contract);
}

/** Locates the definition of an element: the last of several, and for a missing argument that of its field. `undefined`
 *  when the contract does not define it. */
export function locateDefinition(contract: SubgraphContract, coordinate: string): FileLocation | undefined {
  const index = getOrInsertComputed(indexByContract, contract, () => buildIndex(contract));
  return index.get(coordinate) ?? index.get(coordinate.replace(/\(.*/, ''));
}

/** The location of a node that was parsed from the contract's SDL. */
export function fileLocationAt({ file }: SubgraphContract, { startToken }: Location): FileLocation {
  return { file, line: startToken.line, column: startToken.column };
}

export function startOfFile({ file }: SubgraphContract): FileLocation {
  return { file, line: 1, column: 1 };
}

const indexByContract = new WeakMap<SubgraphContract, ReadonlyMap<string, FileLocation>>();

/** Locations in the file, because those of nodes would keep all tokens of the SDL in memory. */
function buildIndex(contract: SubgraphContract): ReadonlyMap<string, FileLocation> {
  const index = new Map<string, FileLocation>();
  const add = (coordinate: string, location: Location | undefined): void => {
    if (location !== undefined) index.set(coordinate, fileLocationAt(contract, location));
  };
  try {
    const subgraph = readCanonicalSubgraph(contract.sdl);
    for (const [coordinate, { name }] of elementsOf(subgraph)) add(coordinate, name.loc);
    for (const [name, directive] of subgraph.directives) {
      add(`@${name}`, directive.name.loc);
      for (const { name: argument } of directive.arguments ?? [])
        add(`@${name}(${argument.value}:)`, argument.loc);
    }
    add('schema', (subgraph.federation ?? subgraph.links[0])?.node.loc);
  } catch (error) {
    // Reading the store reports that the contract does not parse.
    if (!(error instanceof GraphQLError)) throw error;
  }
  return index;
}
