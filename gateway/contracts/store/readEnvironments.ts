import { isMap, isSeq, type Node, type YAMLMap } from 'yaml';
import { nearestName } from '../../config/nearestName.ts';
import type { Environment } from '../contractStore.ts';
import type { Finding, Place } from '../finding.ts';
import { problem } from './problem.ts';
import { parseStepLatency } from './readServing.ts';
import { isNothing, readYaml, textOf, type YamlFile } from './readYaml.ts';

export interface ReadEnvironments {
  readonly environments: readonly Environment[];
  readonly problems: readonly Finding[];
}

const known = ['subgraphs', 'gateways', 'gatewayConfig', 'stepLatency'] as const;

const example =
  'Write `production: { subgraphs: { products: [v1.4, v1.5] }, gateways: [v1.4] }`, each version a Git revision; `gatewayConfig: FILE` and `stepLatency: 40ms` may stand there too.';

/** `environments.yaml`: by name of the environment, the versions of subgraphs and gateways that run there, and what is
 *  known of the gateways besides. */
export function readEnvironments(text: string, file: string): ReadEnvironments {
  const read = readYaml(text, file, 'environments-unreadable');
  if ('problems' in read) return { environments: [], problems: read.problems };
  const { yaml } = read;
  if (isNothing(yaml.root)) return { environments: [], problems: [] };
  if (!isMap(yaml.root)) {
    const place = yaml.placeOf(yaml.root as Node);
    return { environments: [], problems: [invalid('The file is no map of environments.', place)] };
  }
  const problems: Finding[] = [];
  const environments = yaml.entriesOf(yaml.root).map(({ key, keyNode, value }): Environment => {
    const place = yaml.placeOf(keyNode);
    if (!isMap(value)) {
      problems.push(invalid(`Environment ${key} does not say what runs there.`, place));
      return { name: key, subgraphs: new Map(), gateways: [], place };
    }
    return { name: key, ...readRunning(value, yaml, problems), place };
  });
  return { environments, problems };
}

function readRunning(map: YAMLMap, yaml: YamlFile, problems: Finding[]): Omit<Environment, 'name' | 'place'> {
  let subgraphs: ReadonlyMap<string, readonly string[]> = new Map();
  let gateways: readonly string[] = [];
  let gatewayConfig: Environment['gatewayConfig'];
  let stepLatency: number | undefined;
  for (const { key, keyNode, value } of yaml.entriesOf(map)) {
    const place = yaml.placeOf(keyNode);
    if (key === 'gateways') gateways = readVersions('gateways', value, place, problems, yaml);
    else if (key === 'gatewayConfig') {
      const configFile = textOf(value);
      if (configFile === undefined) problems.push(invalid('`gatewayConfig` is no path of a file.', place));
      else gatewayConfig = { file: configFile, place };
    } else if (key === 'stepLatency') {
      stepLatency = parseStepLatency(textOf(value) ?? '');
      if (stepLatency === undefined) {
        problems.push(invalid('`stepLatency` is no time longer than 0, such as `40ms`.', place));
      }
    } else if (key === 'subgraphs' && isMap(value)) {
      subgraphs = new Map(
        yaml
          .entriesOf(value)
          .map((entry) => [
            entry.key,
            readVersions(entry.key, entry.value, yaml.placeOf(entry.keyNode), problems, yaml),
          ]),
      );
    } else if (key === 'subgraphs') {
      problems.push(invalid('`subgraphs` is no map of subgraphs and their versions.', place));
    } else {
      const nearest = nearestName(key, known);
      const hint = nearest === undefined ? '.' : `; did you mean \`${nearest}\`?`;
      problems.push(invalid(`\`${key}\` is not known${hint}`, place));
    }
  }
  return {
    subgraphs,
    gateways,
    ...(gatewayConfig === undefined ? {} : { gatewayConfig }),
    ...(stepLatency === undefined ? {} : { stepLatency }),
  };
}

function readVersions(
  name: string,
  node: Node | null,
  place: Place,
  problems: Finding[],
  yaml: YamlFile,
): readonly string[] {
  const items = isSeq(node) ? node.items.map((item) => yaml.resolve(item)) : [node];
  const versions = items.map(textOf);
  const right = versions.filter((version) => version !== undefined);
  if (right.length === versions.length && right.length > 0) return right;
  // 1.10 would be the number 1.1.
  problems.push(invalid(`${name}: a version is missing, or is no text; put numbers into quotes.`, place));
  return right;
}

function invalid(message: string, place: Place): Finding {
  return problem({ rule: 'environment-invalid', message, advice: example, place });
}
