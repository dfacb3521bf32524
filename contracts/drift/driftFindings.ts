import { truncateList } from '../../gateway/json/truncate.ts';
import type { SubgraphContract } from '../contractStore.ts';
import { startOfFile } from '../diff/locateCoordinate.ts';
import { createFinding, type Finding } from '../finding.ts';
import { unreachableSubgraph } from '../store/readCandidates.ts';
import type { LiveSubgraph } from './fetchLiveSubgraphs.ts';

/** Coordinates that a message names before it counts the others. */
const maxNamedCoordinates = 10;

export function contractDriftFinding(
  contract: SubgraphContract,
  running: SubgraphContract,
  changes: readonly Finding[],
): Finding {
  const count = changes.length === 1 ? '1 difference' : `${changes.length} differences`;
  return createFinding('contract-drift', {
    message: `${contract.name} serves another schema at ${running.file} than its contract: ${count}.`,
    advice: `Deploy the agreed schema, or accept the running one with \`tributary contracts accept --subgraph ${contract.name}=${running.file} --reason …\`.`,
    subgraph: contract.name,
    location: startOfFile(contract),
  });
}

export function missingContractFinding({ name, file }: SubgraphContract, directory: string): Finding {
  return createFinding('contract-missing', {
    message: `${name} runs at ${file}, but has no contract: there is no ${directory}/schemas/${name}.graphql.`,
    advice: `Accept its schema with \`tributary contracts accept --subgraph ${name}=${file} --reason …\`.`,
    subgraph: name,
  });
}

export function supergraphDriftFinding(subgraph: string, coordinates: readonly string[]): Finding {
  const named = truncateList(coordinates, maxNamedCoordinates).join(', ');
  return createFinding('supergraph-drift', {
    message: `The running supergraph differs about ${subgraph} from one composed of the running subgraphs: ${named}.`,
    subgraph,
    ...(coordinates.length === 1 ? { coordinate: coordinates[0] } : {}),
  });
}

export function unreachableFindings({ name, url, ...live }: LiveSubgraph): readonly Finding[] {
  if (!('unreachable' in live)) return [];
  return [unreachableSubgraph({ name, url }, live.unreachable)];
}

export function missingAddressFinding(contract: SubgraphContract): Finding {
  return createFinding('subgraph-unreachable', {
    message: `The URL of ${contract.name} is not known, so its schema could not be fetched.`,
    advice: `Give it with --subgraph ${contract.name}=URL, in the configuration, or as \`# @url\` in the contract.`,
    subgraph: contract.name,
    location: startOfFile(contract),
  });
}

export function unusableSupergraphFinding(reason: string): Finding {
  return createFinding('supergraph-refused', {
    severity: 'misuse',
    message: `The running supergraph cannot be used: ${reason}`,
    advice: 'Give the running gateway (--gateway URL), or the file of its supergraph (supergraph.file).',
  });
}

/** A deployed change that breaks plans of running gateways is breaking, even if another rollout order would have
 *  avoided it. */
export function escalateDeployedChange(finding: Finding): Finding {
  const { severity, deployment, affects = [] } = finding;
  const isTooEarly = deployment?.order === 'gateway first' || deployment?.order === 'expand and contract';
  if (!isTooEarly || affects.length === 0) return finding;
  return severity === 'dangerous' || severity === 'safe' ? { ...finding, severity: 'breaking' } : finding;
}
