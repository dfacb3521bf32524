import { isMap, isSeq, type Node, type YAMLMap } from 'yaml';
import { findNearestName } from '../../gateway/config/findNearestName.ts';
import type { Environment } from '../contractStore.ts';
import { createFinding, type FileLocation, type Finding } from '../finding.ts';
import { parseStepLatency } from './readGatewaySettings.ts';
import { isEmptyNode, nonBlankTextOf, readYaml, type YamlFile } from './readYaml.ts';

interface EnvironmentsResult {
  readonly environments: readonly Environment[];
  readonly problems: readonly Finding[];
}

const environmentKeys = ['subgraphs', 'gateways', 'gatewayConfig', 'stepLatency'] as const;

/** Reads `environments.yaml`: the versions of subgraphs and gateways that run in each environment, and settings of
 *  the gateways. */
export function readEnvironments(text: string, file: string): EnvironmentsResult {
  const read = readYaml(text, file, 'environments-unreadable');
  if ('problems' in read) return { environments: [], problems: read.problems };
  const { yaml } = read;
  if (isEmptyNode(yaml.root)) return { environments: [], problems: [] };
  if (!isMap(yaml.root)) {
    const place = yaml.locationOf(yaml.root as Node);
    return { environments: [], problems: [invalidEnvironment('The file is no map of environments.', place)] };
  }
  const problems: Finding[] = [];
  const environments = yaml.entriesOf(yaml.root).map(({ key, keyNode, value }): Environment => {
    const place = yaml.locationOf(keyNode);
    if (!isMap(value)) {
      problems.push(invalidEnvironment(`Environment ${key} does not say what runs there.`, place));
      return { name: key, subgraphs: new Map(), gateways: [], location: place };
    }
    return { name: key, ...readEnvironment(value, yaml, problems), location: place };
  });
  return { environments, problems };
}

function readEnvironment(
  map: YAMLMap,
  yaml: YamlFile,
  problems: Finding[],
): Omit<Environment, 'name' | 'location'> {
  let subgraphs: ReadonlyMap<string, readonly string[]> = new Map();
  let gateways: readonly string[] = [];
  let gatewayConfig: Environment['gatewayConfig'];
  let stepLatency: number | undefined;
  for (const { key, keyNode, value } of yaml.entriesOf(map)) {
    const place = yaml.locationOf(keyNode);
    if (key === 'gateways') gateways = readVersions('gateways', value, place, problems, yaml);
    else if (key === 'gatewayConfig') {
      const configFile = nonBlankTextOf(value);
      if (configFile === undefined)
        problems.push(invalidEnvironment('`gatewayConfig` is no path of a file.', place));
      else gatewayConfig = { file: configFile, location: place };
    } else if (key === 'stepLatency') {
      stepLatency = parseStepLatency(nonBlankTextOf(value) ?? '');
      if (stepLatency === undefined) {
        problems.push(invalidEnvironment('`stepLatency` is no time longer than 0, such as `40ms`.', place));
      }
    } else if (key === 'subgraphs' && isMap(value)) {
      subgraphs = new Map(
        yaml
          .entriesOf(value)
          .map((entry) => [
            entry.key,
            readVersions(entry.key, entry.value, yaml.locationOf(entry.keyNode), problems, yaml),
          ]),
      );
    } else if (key === 'subgraphs') {
      problems.push(invalidEnvironment('`subgraphs` is no map of subgraphs and their versions.', place));
    } else {
      const nearest = findNearestName(key, environmentKeys);
      const hint = nearest === undefined ? '.' : `; did you mean \`${nearest}\`?`;
      problems.push(invalidEnvironment(`\`${key}\` is not known${hint}`, place));
    }
  }
  return {
    subgraphs,
    gateways,
    ...(gatewayConfig === undefined ? {} : { gatewayConfig }),
    ...(stepLatency === undefined ? {} : { stepLatencyMs: stepLatency }),
  };
}

function readVersions(
  name: string,
  node: Node | null,
  place: FileLocation,
  problems: Finding[],
  yaml: YamlFile,
): readonly string[] {
  const items = isSeq(node) ? node.items.map((item) => yaml.resolve(item)) : [node];
  const versions = items.map(nonBlankTextOf);
  const right = versions.filter((version) => version !== undefined);
  if (right.length === versions.length && right.length > 0) return right;
  // An unquoted 1.10 would be the number 1.1.
  problems.push(
    invalidEnvironment(`${name}: a version is missing, or is no text; put numbers into quotes.`, place),
  );
  return right;
}

function invalidEnvironment(message: string, place: FileLocation): Finding {
  return createFinding('environment-invalid', { message, location: place });
}
