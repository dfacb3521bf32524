import { isMap, isSeq, type Node, type YAMLMap } from 'yaml';
import { suggestName } from '../../gateway/config/findNearestName.ts';
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
    const location = yaml.locationOf(yaml.root as Node);
    return {
      environments: [],
      problems: [invalidEnvironment('The file is not a map of environments.', location)],
    };
  }
  const problems: Finding[] = [];
  const environments = yaml.entriesOf(yaml.root).map(({ key, keyNode, value }): Environment => {
    const location = yaml.locationOf(keyNode);
    if (!isMap(value)) {
      problems.push(invalidEnvironment(`Environment ${key} has no map of what runs there.`, location));
      return { name: key, subgraphs: new Map(), gateways: [], location };
    }
    return { name: key, ...readEnvironment(value, yaml, problems), location };
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
    const location = yaml.locationOf(keyNode);
    if (key === 'gateways') gateways = readVersions('gateways', value, location, problems, yaml);
    else if (key === 'gatewayConfig') {
      const configFile = nonBlankTextOf(value);
      if (configFile === undefined)
        problems.push(invalidEnvironment('`gatewayConfig` is not a path of a file.', location));
      else gatewayConfig = { file: configFile, location };
    } else if (key === 'stepLatency') {
      stepLatency = parseStepLatency(nonBlankTextOf(value) ?? '');
      if (stepLatency === undefined) {
        problems.push(
          invalidEnvironment('`stepLatency` is not a duration longer than 0, such as `40ms`.', location),
        );
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
      problems.push(
        invalidEnvironment('`subgraphs` is not a map of subgraphs and their versions.', location),
      );
    } else {
      const end = suggestName(key, environmentKeys) || '.';
      problems.push(invalidEnvironment(`\`${key}\` is not known${end}`, location));
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
  location: FileLocation,
  problems: Finding[],
  yaml: YamlFile,
): readonly string[] {
  const items = isSeq(node) ? node.items.map((item) => yaml.resolve(item)) : [node];
  const versions = items.map(nonBlankTextOf);
  const valid = versions.filter((version) => version !== undefined);
  if (valid.length === versions.length && valid.length > 0) return valid;
  // An unquoted 1.10 would be the number 1.1.
  problems.push(
    invalidEnvironment(`${name}: a version is missing or is not text; put numbers into quotes.`, location),
  );
  return valid;
}

function invalidEnvironment(message: string, location: FileLocation): Finding {
  return createFinding('environment-invalid', { message, location });
}
