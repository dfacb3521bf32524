import { readCanonicalSubgraph } from '../../../../contracts/diff/canonicalSubgraph.ts';
import { ancestorsOf, elementsOf } from '../../../../contracts/diff/elements.ts';
import type { Finding } from '../../../../contracts/finding.ts';
import { type Contracts, consumerOperations, moreFile, nameOf } from './goldenGraph.ts';

/** What is wrong with the location of a finding; `undefined` when the element is there, or its nearest ancestor if it
 *  was removed, or a directive on it. */
export function findLocationProblem(
  finding: Finding,
  before: Contracts,
  contracts: Contracts,
): string | undefined {
  const { location, subgraph, coordinate } = finding;
  if (location === undefined) return `${finding.rule} has no place`;
  const problem = `${finding.rule} ${coordinate} is at ${location.file}:${location.line}`;
  if (subgraph === undefined) return isOfConsumers(finding) ? undefined : problem;
  const contract = contracts.get(subgraph) ?? before.get(subgraph);
  if (contract === undefined || location.file !== contract.file) return problem;
  if (coordinate === undefined && location.line === 1) return undefined;
  const line = contract.sdl.split('\n')[location.line - 1] ?? '';
  const from = line.slice(location.column - 1);
  return innermostNamePattern(contract.sdl, coordinate).test(from) || from.startsWith('@')
    ? undefined
    : `${problem}: ${line}`;
}

function isOfConsumers({ location, coordinate = '' }: Finding): boolean {
  if (coordinate.startsWith('more/')) return location?.file === moreFile;
  const operation = consumerOperations.find((one) => nameOf(one) === coordinate);
  const file = operation === undefined ? 'tributary.yaml' : operation.location.file;
  return location?.file.startsWith(file) === true;
}

/** Matches the name of the innermost existing part of a coordinate. */
function innermostNamePattern(sdl: string, coordinate = ''): RegExp {
  const elements = elementsOf(readCanonicalSubgraph(sdl));
  const there = [coordinate, ...ancestorsOf(coordinate)].find((part) => elements.has(part)) ?? '';
  const [name = ''] = /\w+(?=:?\)?$)/.exec(there) ?? [];
  // The composer locates a definition at its keyword.
  return name === '' ? /^/ : new RegExp(`^(?:(?:type|interface|enum|union|input|scalar) )?${name}\\b`);
}
