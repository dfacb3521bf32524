import { readCanonicalSubgraph } from '../../../../gateway/contracts/diff/canonicalSubgraph.ts';
import { elementsOf, holdersOf } from '../../../../gateway/contracts/diff/elements.ts';
import type { Finding } from '../../../../gateway/contracts/finding.ts';
import { baseContracts, type Contracts, consumerOperations, nameOf } from './goldenGraph.ts';

/** What is wrong with where a finding stands; `undefined` where whoever looks there sees what it is about: the element,
 *  or what held it where it is gone, or a directive on it. */
export function misplaced(finding: Finding, contracts: Contracts): string | undefined {
  const { place, subgraph, coordinate } = finding;
  if (place === undefined) return `${finding.rule} has no place`;
  const told = `${finding.rule} ${coordinate} is at ${place.file}:${place.line}`;
  if (subgraph === undefined) return isOfConsumers(finding) ? undefined : told;
  const contract = contracts.get(subgraph) ?? baseContracts.get(subgraph);
  if (contract === undefined || place.file !== contract.file) return told;
  if (coordinate === undefined && place.line === 1) return undefined;
  const line = contract.sdl.split('\n')[place.line - 1] ?? '';
  const from = line.slice(place.column - 1);
  return nameThere(contract.sdl, coordinate).test(from) || from.startsWith('@')
    ? undefined
    : `${told}: ${line}`;
}

function isOfConsumers({ place, coordinate = '' }: Finding): boolean {
  const operation = consumerOperations.find((one) => nameOf(one) === coordinate);
  const file = operation === undefined ? 'tributary.yaml' : operation.place.file;
  return place?.file.startsWith(file) === true;
}

/** The name of the innermost part of a coordinate that is there. */
function nameThere(sdl: string, coordinate = ''): RegExp {
  const elements = elementsOf(readCanonicalSubgraph(sdl));
  const there = [coordinate, ...holdersOf(coordinate)].find((part) => elements.has(part)) ?? '';
  const [name = ''] = /\w+(?=:?\)?$)/.exec(there) ?? [];
  // What is defined begins with its name or with its keyword.
  return name === '' ? /^/ : new RegExp(`^(?:(?:type|interface|enum|union|input|scalar) )?${name}\\b`);
}
