import type { SubgraphContract } from '../contractStore.ts';
import { startOfFile } from '../diff/locateCoordinate.ts';
import { createFinding, type Finding } from '../finding.ts';
import { withoutCredentials } from '../store/readCandidates.ts';
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
    message: `${contract.name} serves something else at ${running.file} than was agreed on: ${count}.`,
    advice: `Deploy what was agreed on; or, if it is meant, take it in with \`tributary contracts accept --subgraph ${contract.name}=${running.file} --reason …\`.`,
    subgraph: contract.name,
    location: startOfFile(contract),
  });
}

export function missingContractFinding({ name, file }: SubgraphContract, directory: string): Finding {
  return createFinding('contract-missing', {
    message: `${name} runs at ${file}, and ${directory}/schemas/${name}.graphql does not say what it has agreed to serve.`,
    advice: `Take it in with \`tributary contracts accept --subgraph ${name}=${file} --reason …\`.`,
    subgraph: name,
  });
}

export function supergraphDriftFinding(subgraph: string, coordinates: readonly string[]): Finding {
  const more = coordinates.length - maxNamedCoordinates;
  const named = `${coordinates.slice(0, maxNamedCoordinates).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  return createFinding('supergraph-drift', {
    message: `The running supergraph says something else about ${subgraph} than one composed from what runs would: ${named}.`,
    subgraph,
    ...(coordinates.length === 1 ? { coordinate: coordinates[0] } : {}),
  });
}

export function unreachableFindings({ name, url, ...live }: LiveSubgraph): readonly Finding[] {
  if (!('unreachable' in live)) return [];
  return [
    createFinding('subgraph-unreachable', {
      message: `${withoutCredentials(url)} gives no schema: ${live.unreachable}. It was asked twice.`,
      subgraph: name,
    }),
  ];
}

export function missingAddressFinding(contract: SubgraphContract): Finding {
  return createFinding('subgraph-unreachable', {
    message: `Nobody says where ${contract.name} runs, so that it could not be asked.`,
    advice: `Name it with --subgraph ${contract.name}=URL, in the configuration, or by \`# @url\` in its contract.`,
    subgraph: contract.name,
    location: startOfFile(contract),
  });
}

export function unusableSupergraphFinding(reason: string): Finding {
  return createFinding('supergraph-refused', {
    severity: 'misuse',
    message: `The supergraph that is said to run cannot be used: ${reason}`,
    advice: 'Name the gateway that runs, or the file of its supergraph.',
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
